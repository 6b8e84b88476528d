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

/* ---- bounded steps */

/* The part of [@ipa, @ipa + @size) that the tables cover, in whole pages. */
struct extent {
	u64 start, end;
};

static inline struct extent extent_of(const struct stage2 *s2, ipa_t ipa, u64 size)
{
	u64 limit = stage2_ipa_limit(s2);
	struct extent x = { ALIGN_DOWN(min(ipa.v, limit), PAGE_SIZE), limit };

	if (size < limit - x.start)
		x.end = min(ALIGN_UP(ipa.v + size, PAGE_SIZE), limit);
	return x;
}

static inline void hold_begin(struct stage2 *s2)
{
	port_write_lock(s2->port, &s2->lock);
}

static inline void hold_end(struct stage2 *s2, unsigned int visited)
{
	struct stats_cpu *st = stats_here(s2);

	st->count[STAT_lock_holds]++;
	st->count[STAT_steps_max] = max(st->count[STAT_steps_max], visited);
	port_write_unlock(s2->port, &s2->lock);
}

static inline bool extent_covers(const struct extent *x, u64 base, int level)
{
	return base >= x->start && base + level_size(level) <= x->end;
}

/* ---- unmap */

/* All of it, in steps; stage2_unmap() apart from its short cut. */
void unmap_extent(struct stage2 *s2, struct extent x);

/* ---- the dirty log */

/* What a leaf that loses write permission to the log is marked with. */
static inline u64 protect_mark(const struct stage2 *s2, u64 d, int level)
{
	if (!s2->hw_dirty || desc_type(d) != S2_NORMAL)
		return 0;
	return level == LEVEL_4K ? DESC_DBM : DESC_LOGGED;
}

/* Leaf @old of @ipa is gone: if hardware had marked it, the log learns of it. */
static inline void log_taken(struct stage2 *s2, u64 ipa, u64 old)
{
	if (__builtin_expect(desc_is_written(old), 0) && s2->log.mark)
		s2->log.mark(s2->log.arg, ipa >> PAGE_SHIFT);
}

/* ---- commit */

/* stage2_commit() without its short cuts. */
enum s2_result stage2_settle(struct stage2 *s2, struct table_cache *cache, ipa_t ipa,
			     const struct s2_leaf *leaf, unsigned int owed);

/* ---- the contiguous hint (stage2_hint.c); the table lock is held, for reading at least */

/* Takes the hint from the group of @entry, whose page has it; then the page may change by itself.
 */
void hint_clear(struct stage2 *s2, u64 *entry);
/* The same where [@start, @end), which is to change, cuts a group in two; what lies in it as a
 * whole changes alike. Takes the lock. */
void hint_clear_edges(struct stage2 *s2, u64 start, u64 end);
/* Has any page of the VM a hint? Ordered by the table lock, which whoever opens a range has taken.
 */
static inline bool has_hints(const struct stage2 *s2)
{
	return __atomic_load_n(&s2->has_hints, __ATOMIC_RELAXED);
}

/* ---- split */

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
/* The same without @page, with the table lock held for writing. */
bool split_block_alone(struct stage2 *s2, u64 *entry, u64 old, u64 ipa, int level, u64 *table);

#endif
