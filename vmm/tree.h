/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device tree that tells the guest what there is (docs/vmm.md shows one).
 */
#ifndef VMM_TREE_H
#define VMM_TREE_H

#include "vmm/image.h"
#include "vmm/memory.h"

#include <stdbool.h>
#include <stdint.h>

struct tree_facts {
	const char *append;
	const struct boot_plan *plan;
	const struct guest_memory *memory;
	uint64_t affinities[CPUS_MAX]; /* MPIDR_EL1.Aff* */
	unsigned int cpus;
	bool pmu;
	unsigned int virtio_count;
	uint64_t flash_size; /* 0: none */
	/* From the host's generator: the guest's own starts with them. */
	uint64_t kaslr_seed;
	unsigned char rng_seed[64];
};

/* Writes the tree into a buffer of TREE_ROOM bytes; 0, or a negative FDT_ERR_*. */
int tree_write(void *buffer, const struct tree_facts *facts);

#endif
