/* SPDX-License-Identifier: Apache-2.0 */
/* The machine: finding QEMU and the kernel image, and starting the one with the other. */
#ifndef CLI_QEMU_H
#define CLI_QEMU_H

#include <sys/types.h>

#include "cli/initramfs.h"
#include "cli/options.h"

struct machine {
	pid_t pid;
	int channel; /* both ways: the records of abi/catwalk_run.h */
	int console; /* to read: the kernel's messages and QEMU's own */
};

/*
 * Finds the emulator and the kernel image, and checks the emulator's version and the image's magic;
 * fills in options->qemu and options->kernel. Returns 0, or STATUS_BAD_INPUT after one line.
 */
int find_machine_parts(struct run_options *options);

/*
 * Starts QEMU as a process that dies with this one. Descriptors of *machine are non-blocking.
 * Returns 0, or a status of error.h after one line.
 */
int start_machine(const struct run_options *options, const struct initramfs *initramfs,
		  struct machine *machine);

#endif
