/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where things are in the guest's physical address space (IPA), and their interrupts.
 */
#ifndef VMM_LAYOUT_H
#define VMM_LAYOUT_H

#include <stdint.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define GUEST_PAGE UINT64_C(4096)

#define FLASH_BASE     UINT64_C(0)
#define FLASH_SIZE_MAX (64 * MIB)

/* GICv3: the distributor, then 128 KiB for each redistributor, up to the serial port. */
#define GICD_BASE UINT64_C(0x08000000)
#define GICD_SIZE (64 * KIB)
#define GICR_BASE UINT64_C(0x080a0000)
#define GICR_SIZE (128 * KIB)

#define SERIAL_BASE UINT64_C(0x09000000)
#define SERIAL_SIZE (4 * KIB)

#define VIRTIO_BASE UINT64_C(0x0a000000)
#define VIRTIO_SIZE (4 * KIB)

/* Below it nothing but devices; RAM above. */
#define RAM_BASE UINT64_C(0x40000000)

/* Interrupt numbers as the GIC counts them (INTID): PPIs from 16, SPIs from 32. */
enum {
	INTID_PPI = 16,
	INTID_PMU = INTID_PPI + 7,
	INTID_SPI = 32,
	INTID_SERIAL = INTID_SPI,
	INTID_VIRTIO = INTID_SPI + 16, /* and one more for each device */
	INTID_COUNT = 128,	       /* a multiple of 32, above every number used */
};

enum {
	CPUS_MAX = 64,
	DISKS_MAX = 4,
	DEVICE_MEMORIES_MAX = 4,
	VIRTIO_MAX = 8, /* console, rng, net, disks */
};

#endif
