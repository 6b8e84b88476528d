/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory attributes that MAIR_EL2 holds, by index. Descriptors of the kernel's tables and of
 * programs' (host/) name them by these numbers, on both machines. Assembly includes it too.
 */
#ifndef PORT_ARM64_MAIR_H
#define PORT_ARM64_MAIR_H

#define MAIR_IDX_WB	0 /* Normal, inner and outer write-back, read and write allocate */
#define MAIR_IDX_NC	1 /* Normal, non-cacheable */
#define MAIR_IDX_NGNRE	2 /* Device-nGnRE */
#define MAIR_IDX_NGNRNE 3 /* Device-nGnRnE */

#define MAIR_EL2_VALUE 0x000444ff

/* The stage-1 descriptor field AttrIndx, bits 4:2. */
#define PTE_ATTR_INDEX(i) ((i) << 2)

#endif
