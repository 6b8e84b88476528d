/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arm64 Image format (Linux, Documentation/arm64/booting.rst), and where in RAM the parts of a
 * boot go. Pure: nothing is read or written here.
 */
#ifndef VMM_IMAGE_H
#define VMM_IMAGE_H

#include <stddef.h>
#include <stdint.h>

/* What of the file's start image_check() wants to see, or all of a shorter file. */
enum { IMAGE_HEAD_BYTES = 4096 };

struct image {
	uint64_t text_offset; /* of a 2 MiB boundary */
	uint64_t size;	      /* in memory, from its first byte on */
};

/*
 * NULL and *image, or why this is not a whole arm64 Image (a phrase). head: the first bytes of
 * the file, as many as the smaller of IMAGE_HEAD_BYTES and file_size.
 */
const char *image_check(const unsigned char *head, uint64_t file_size, struct image *image);

struct boot_plan {
	uint64_t kernel, tree, initramfs; /* IPAs */
	uint64_t initramfs_size;	  /* 0: none */
};

/* Room for the device tree, bytes. */
#define TREE_ROOM UINT64_C(0x10000)

/*
 * Where the kernel, the device tree and the initramfs go in [ram, ram + ram_size), one behind the
 * other. 0, or the bytes that RAM is short of.
 */
uint64_t boot_place(uint64_t ram, uint64_t ram_size, const struct image *image,
		    uint64_t initramfs_size, struct boot_plan *plan);

#endif
