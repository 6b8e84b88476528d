/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's half of the address space (TTBR1, 48 bits). Every part but the stacks is at a
 * constant distance from the physical addresses it maps. Assembly includes it too.
 */
#ifndef PORT_ARM64_LAYOUT_H
#define PORT_ARM64_LAYOUT_H

/* All RAM, read-write, never executable; the kernel's text and constants read-only here as well. */
#define LINEAR_BASE 0xffff000000000000
/* Device registers, mapped when a driver asks. */
#define DEVICE_BASE 0xffff800000000000
/*
 * Kernel stacks: slots of twice their size, whose lower half is never mapped. So bit 14 is set in
 * every stack pointer that has not run over, which vectors.S tests.
 */
#define KSTACK_BASE  0xffffffc000000000
#define KSTACK_SLOT  0x8000
#define KSTACK_SHIFT 14
/* The image as linked (kernel.lds); at most 2 MiB. */
#define KIMAGE_BASE 0xffffffff80000000

#define VA_BITS 48

#endif
