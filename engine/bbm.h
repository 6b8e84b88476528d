/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How live descriptors may change: the only writer of them, and the one that knows which TLB
 * invalidation a change owes (Arm ARM R_WHZWS: what needs break-before-make; R_DDMVT: its steps).
 *
 *	EMPTY -> valid			bbm_install; owes nothing
 *	valid -> valid, more allowed	bbm_relax; the faulting CPU flushes its own
 *	valid -> valid, less allowed	bbm_restrict; owes an invalidation
 *	valid -> other valid		bbm_break, which invalidates; bbm_make
 *	valid -> invalid		bbm_take; owes an invalidation, gathered
 *	block <-> equal table		bbm_resize, which invalidates
 */
#ifndef ENGINE_BBM_H
#define ENGINE_BBM_H

#include "engine/desc.h"

/* What a range operation has taken down and not yet invalidated, and the tables to free after. */
struct tlb_gather {
	u64 start, end; /* IPAs; empty if equal */
	int level;	/* of all leaves, or LEVEL_MIXED */
	u64 *tables;	/* linked through their first entry */
};

enum { LEVEL_MIXED = -1 };

static inline void gather_range(struct tlb_gather *g, u64 start, u64 end, int level)
{
	if (g->start == g->end)
		*g = (struct tlb_gather){ start, end, level, g->tables };
	else
		g->end = max(g->end, end);
	if (level != g->level)
		g->level = LEVEL_MIXED;
}

static inline void gather_add(struct tlb_gather *g, u64 ipa, int level)
{
	gather_range(g, ipa, ipa + level_size(level), level);
}

/* Keeps an unlinked table for later; its entries are all invalid. The link is an invalid descriptor
 * too: a stale walk that reads it finds nothing. */
void gather_table(struct tlb_gather *g, struct stage2 *s2, u64 *table);
/* Invalidates what was gathered; empties @g, its tables apart. */
void gather_flush(struct tlb_gather *g, struct stage2 *s2);
/* After the flush: retires the tables. */
void gather_free(struct tlb_gather *g, struct stage2 *s2);

/* Invalidates [@start, @end) on all CPUs, complete on return. @level: of all leaves, or
 * LEVEL_MIXED, also if tables were unlinked. */
void tlb_flush_range(struct stage2 *s2, u64 start, u64 end, int level);
/* The same for one leaf at @level that was @ipa's, on all CPUs. */
void tlb_flush_leaf(struct stage2 *s2, u64 ipa, int level);
/* The same on this CPU for one leaf that gained permissions. */
static inline void tlb_flush_local(struct stage2 *s2, u64 ipa, int level)
{
	port_tlbi_ipa_local(s2->port, &s2->vttbr, IPA(ipa), level);
	stat_inc(s2, STAT_tlbi_local);
}

/* False: the entry was no longer EMPTY. */
static inline bool bbm_install(struct stage2 *s2, u64 *entry, u64 new_value)
{
	if (!port_desc_cas(s2->port, entry, DESC_EMPTY, new_value))
		return false;
	stat_inc(s2, STAT_desc_write);
	return true;
}

/* @count neighbouring entries, each value @stride above the one before it. Returns how many were
 * made: the first that is no longer EMPTY ends it. */
static inline u64 bbm_install_run(struct stage2 *s2, u64 *entry, u64 count, u64 value, u64 stride)
{
	u64 n = 0;

	while (n < count && port_desc_cas(s2->port, &entry[n], DESC_EMPTY, value)) {
		value += stride;
		n++;
	}
	stat_add(s2, STAT_desc_write, n);
	return n;
}

/* @new_value differs from @old only in DESC_SOFT bits, and allows more. False: @old is gone. */
static inline bool bbm_relax(struct stage2 *s2, u64 *entry, u64 old, u64 new_value)
{
	if (!port_desc_cas(s2->port, entry, old, new_value))
		return false;
	stat_inc(s2, STAT_desc_write);
	return true;
}

/* @new_value differs from @old in DESC_CONT, for which FEAT_BBM is at level 1 at least, and perhaps
 * in having DESC_WRITE for DESC_DBM. False: @old is gone. */
static inline bool bbm_hint(struct stage2 *s2, u64 *entry, u64 old, u64 new_value)
{
	if (!port_desc_cas(s2->port, entry, old, new_value))
		return false;
	stat_inc(s2, STAT_desc_write);
	return true;
}

/* Clears bits of @mask (DESC_WRITE, DESC_AF) in a valid leaf that was @old a moment ago, and sets
 * @mark (DESC_DBM, DESC_LOGGED, or 0); only hardware may have changed it since. Returns what was
 * there. The table lock is held for writing.
 */
static inline u64 bbm_restrict(struct stage2 *s2, u64 *entry, u64 old, u64 mask, u64 mark)
{
	while (!port_desc_cas(s2->port, entry, old, (old & ~mask) | mark))
		old = port_desc_load(s2->port, entry);
	return old;
}

/* Makes a valid entry invalid. Returns what was there. The table lock is held for writing; the
 * caller gathers the entry. */
static inline u64 bbm_take(struct stage2 *s2, u64 *entry, u64 invalid)
{
	return port_desc_swap(s2->port, entry, invalid);
}

/* Replaces an entry that hardware ignores and no other CPU may change. */
static inline void bbm_settle(struct stage2 *s2, u64 *entry, u64 invalid)
{
	port_desc_store(s2->port, entry, invalid);
}

/* Makes the entry BUSY and invalidates the leaf it was. False: @old is gone, nothing done. */
bool __must_check bbm_break(struct stage2 *s2, u64 *entry, u64 old, u64 ipa, int level);
/*
 * FEAT_BBM level 2 (R_KFLJB): makes a block a table of the same translations, or the reverse,
 * without a break, and invalidates what TLBs hold of either. A CPU may report TLB conflict
 * meanwhile. The table lock is held for writing: nobody may change permissions in between, or
 * entries of two sizes would differ in more than size. Nothing of @entry is left for hardware to
 * change.
 */
void bbm_resize(struct stage2 *s2, u64 *entry, u64 value, u64 ipa, int level);
/* The end of what bbm_break() began. */
void bbm_make(struct stage2 *s2, u64 *entry, u64 value);

#endif
