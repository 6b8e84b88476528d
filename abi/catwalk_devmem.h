/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ioctls of /dev/devmem/REGION/POPULATION (docs/abi.md). A file belongs to the program that mapped
 * it first.
 */
#ifndef CATWALK_ABI_CATWALK_DEVMEM_H
#define CATWALK_ABI_CATWALK_DEVMEM_H

#include <linux/ioctl.h>
#include <linux/types.h>

enum catwalk_devmem_type {
	CATWALK_DEVMEM_WRITE_BACK,
	CATWALK_DEVMEM_NORMAL_NC,
	CATWALK_DEVMEM_DEVICE,
};

struct catwalk_devmem_info {
	__u64 phys; /* where the region begins in physical memory */
	__u64 size; /* bytes that can be mapped; of a "mixed" file, RAM included */
	__u32 type; /* enum catwalk_devmem_type: what leaves get now */
	__u32 reserved;
	__u64 faults;	      /* calls of the driver's fault handler for this file */
	__u64 write_notifies; /* calls of its write notification */
};

struct catwalk_devmem_range {
	__u64 addr; /* in mappings of this file; page aligned */
	__u64 size;
};

#define CATWALK_DEVMEM_IO	0xcd
#define CATWALK_DEVMEM_GET_INFO _IOR(CATWALK_DEVMEM_IO, 0, struct catwalk_devmem_info)
/* Every mapping of this file changes its type (enum catwalk_devmem_type) at once. */
#define CATWALK_DEVMEM_SET_TYPE _IO(CATWALK_DEVMEM_IO, 1)
/* Takes the leaves of a range away: the next access faults. */
#define CATWALK_DEVMEM_REVOKE _IOW(CATWALK_DEVMEM_IO, 2, struct catwalk_devmem_range)

#endif
