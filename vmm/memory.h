/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's memory as devices see it: ranges of guest physical addresses and where they are
 * mapped here. Set up before the guest runs and not changed after, so that it needs no lock.
 */
#ifndef VMM_MEMORY_H
#define VMM_MEMORY_H

#include "vmm/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guest_region {
	uint64_t ipa, size; /* bytes */
	char *host;
};

struct guest_memory {
	struct guest_region regions[1 + DEVICE_MEMORIES_MAX];
	unsigned int count;
};

/* The first region that [ipa, ipa + size) meets, or NULL. */
const struct guest_region *guest_memory_overlap(const struct guest_memory *memory, uint64_t ipa,
						uint64_t size);

/* Adds a region; the caller has asked for overlaps and minded the room. */
void guest_memory_add(struct guest_memory *memory, uint64_t ipa, uint64_t size, char *host);

/*
 * Where [ipa, ipa + size) is mapped; NULL if it is empty or not whole within one region. Whatever a
 * guest says of addresses goes through here. The guest can change what is there at any time.
 */
void *guest_at(const struct guest_memory *memory, uint64_t ipa, uint64_t size);

#endif
