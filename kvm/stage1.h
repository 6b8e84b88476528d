/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a guest's stage-1 tables have the descriptors of an address, level by level (Arm ARM
 * D8.2; AArch32's formats G5.4, G5.5). Reads no memory by itself: the caller fetches each
 * descriptor. Pure, so that it is also built natively.
 *
 *	for (bool more = stage1_begin(&w, &regs, va); more; more = stage1_next(&w, desc))
 *		... desc = what lies at w.desc ...
 */
#ifndef KVM_STAGE1_H
#define KVM_STAGE1_H

#include "engine/types.h"

struct stage1_regs {
	u64 sctlr;
	u64 tcr;
	u64 ttbr[2];
	bool is_32bit; /* EL1 is AArch32 */
};

struct stage1_walk {
	ipa_t desc; /* of the descriptor at `level` */
	int level;  /* 0..3; of short descriptors 1 and 2 */
	u64 va;
	unsigned int granule; /* log2 of its bytes: 12, 14 or 16 */
	unsigned int size;    /* of a descriptor, in bytes: 8, or 4 in AArch32's short format */
	bool big_endian;
};

/* The first descriptor. False: nothing is walked for @va: the MMU is off, the walk is disabled, or
 * the registers hold reserved values. */
bool stage1_begin(struct stage1_walk *w, const struct stage1_regs *regs, u64 va);
/* @desc as it lies in memory, at w->desc. On to the next table; false: it is no table. */
bool stage1_next(struct stage1_walk *w, u64 desc);
/* Is @desc, at w->desc, a block or a page? */
bool stage1_is_leaf(const struct stage1_walk *w, u64 desc);

#endif
