/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: what machine is asked for. Nothing is opened here.
 */
#ifndef VMM_OPTIONS_H
#define VMM_OPTIONS_H

#include "vmm/layout.h"

#include <stdbool.h>
#include <stdint.h>

enum console { CONSOLE_SERIAL, CONSOLE_VIRTIO };

struct disk_option {
	const char *path;
	bool read_only;
};

/* --device-memory PATH@IPA[,wb]. */
struct device_memory_option {
	char *path;
	uint64_t ipa;
	bool write_back; /* guaranteed so, or refused (M10) */
};

struct options {
	const char *kernel;
	const char *initramfs; /* NULL: none */
	const char *append;    /* "" if not given */
	const char *flash;     /* NULL: none */
	const char *net;       /* a path, or fd:IN,OUT; NULL: none */
	uint64_t memory;       /* bytes */
	unsigned int cpus;
	bool pmu;
	enum console console;
	struct disk_option disks[DISKS_MAX];
	unsigned int disk_count;
	struct device_memory_option device_memories[DEVICE_MEMORIES_MAX];
	unsigned int device_memory_count;
};

#define MEMORY_MIN     (64 * MIB)
#define MEMORY_MAX     (512 * GIB)
#define MEMORY_DEFAULT (256 * MIB)

/* Bad input ends the process (bad_input()), and so does --help. */
void parse_options(int argc, char **argv, struct options *o);

#endif
