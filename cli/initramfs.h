/* SPDX-License-Identifier: Apache-2.0 */
/* Packs the program, its files and what to start (abi/catwalk_run.h) into an initramfs. */
#ifndef CLI_INITRAMFS_H
#define CLI_INITRAMFS_H

#include <stdint.h>

#include "cli/options.h"

struct initramfs {
	int fd; /* anonymous memory, closed on exec unless the caller clears it */
	uint64_t size;
};

/*
 * Returns 0 with the archive in *initramfs, or a status of error.h after one line. Reads the files
 * once; leaves nothing in any directory.
 */
int pack_initramfs(const struct run_options *options, struct initramfs *initramfs);

#endif
