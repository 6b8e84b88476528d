/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files that implement engine/stage2.h. */
#ifndef ENGINE_STAGE2_PRIV_H
#define ENGINE_STAGE2_PRIV_H

#include "engine/bbm.h"
#include "engine/cmo.h"
#include "engine/walk.h"

static inline struct stats_cpu *stats_here(struct stage2 *s2)
{
	return &s2->stats[port_this_cpu(s2->port)];
}

static inline void account_mapped(struct stage2 *s2, int level, enum s2_type type, u64 bytes)
{
	stats_here(s2)->mapped[level][type] += bytes;
}

static inline void account_unmapped(struct stage2 *s2, int level, enum s2_type type, u64 bytes)
{
	stats_here(s2)->unmapped[level][type] += bytes;
}

/* One entry of a split that differs from the block. */
struct split_page {
	u64 index;
	u64 desc;
};

/*
 * Replaces block @old in @entry at @level by @table, filled with leaves of the same type and
 * permissions, @page (or NULL) apart. @table was taken from a cache. False: @old is gone; @table
 * has been freed.
 */
bool split_block(struct stage2 *s2, u64 *entry, u64 old, u64 ipa, int level, u64 *table,
		 const struct split_page *page);

#endif
