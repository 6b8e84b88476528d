/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads a kernel and its initramfs into the guest's RAM.
 */
#ifndef VMM_BOOT_H
#define VMM_BOOT_H

#include "vmm/files.h"
#include "vmm/image.h"
#include "vmm/memory.h"
#include "vmm/options.h"

/* What will be loaded, checked: an Image that is whole and fits, with its initramfs. */
struct boot {
	struct file kernel, initramfs;
	struct boot_plan plan;
};

/* Opens and checks; what is wrong is bad input. */
void boot_open(struct boot *boot, const struct options *options);

/* Reads the files into RAM, and closes them. */
void boot_load(struct boot *boot, const struct guest_memory *memory);

#endif
