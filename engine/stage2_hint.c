/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contiguous hint (D8.7.1): 16 neighbouring pages that say the same may share one TLB entry. It
 * is set only where FEAT_BBM is at level 1 or above, which lets it come and go without a break
 * (R_KFLJB). One entry's hint speaks for all 16, so it goes before any of them says something else.
 */
#include "engine/stage2_priv.h"

enum { HINT_ENTRIES = 16 };
#define HINT_SIZE (HINT_ENTRIES * PAGE_SIZE)

static u64 *group_of(u64 *entry)
{
	return (u64 *)ALIGN_DOWN((u64)entry, HINT_ENTRIES * sizeof(u64));
}

void hint_clear(struct stage2 *s2, u64 *entry)
{
	u64 *group = group_of(entry);

	for (int i = 0; i < HINT_ENTRIES; i++) {
		u64 d = port_desc_load(s2->port, &group[i]);

		while (desc_has_hint(d) && !bbm_hint(s2, &group[i], d, d & ~DESC_CONT))
			d = port_desc_load(s2->port, &group[i]);
	}
}

/* What logging left behind in a slot that no longer logs: what hardware could make writable, is. */
static u64 settled(u64 d)
{
	return d & DESC_DBM ? (d | DESC_WRITE) & ~DESC_DBM : d;
}

/* Do the 16 entries say the same, with output addresses in a row from an aligned one? Whether they
 * were accessed may differ. */
static bool may_share(struct stage2 *s2, const u64 *group)
{
	u64 first = settled(port_desc_load(s2->port, &group[0]));

	if (!desc_is_valid(first) || desc_has_hint(first) ||
	    !IS_ALIGNED(desc_pa(first).v, HINT_SIZE))
		return false;
	for (u64 i = 1; i < HINT_ENTRIES; i++) {
		u64 d = settled(port_desc_load(s2->port, &group[i]));

		if ((d ^ (first + (i << PAGE_SHIFT))) & ~DESC_AF)
			return false;
	}
	return true;
}

static void hint_set(struct stage2 *s2, u64 *group)
{
	for (int i = 0; i < HINT_ENTRIES; i++) {
		u64 d = port_desc_load(s2->port, &group[i]);

		while (!bbm_hint(s2, &group[i], d, settled(d) | DESC_CONT))
			d = port_desc_load(s2->port, &group[i]);
	}
	stat_inc(s2, STAT_hint);
}

void stage2_hint(struct stage2 *s2, ipa_t ipa, u64 size)
{
	u64 at = ALIGN_UP(ipa.v, HINT_SIZE), end = ALIGN_DOWN(ipa.v + size, HINT_SIZE);
	struct s2_pos pos = walk_to(s2, ipa.v, LEVEL_4K);

	if (s2->caps->bbm < 1 || pos.level != LEVEL_4K)
		return;
	__atomic_store_n(&s2->has_hints, true, __ATOMIC_RELAXED);
	for (u64 *group = pos.entry + ((at - ipa.v) >> PAGE_SHIFT); at < end; at += HINT_SIZE) {
		if (may_share(s2, group))
			hint_set(s2, group);
		group += HINT_ENTRIES;
	}
}

static void clear_cut(struct stage2 *s2, u64 ipa)
{
	struct s2_pos pos;

	if (IS_ALIGNED(ipa, HINT_SIZE))
		return; /* nothing is cut, at the end of the IPA space either */
	pos = walk_to(s2, ipa, LEVEL_4K);
	if (pos.level == LEVEL_4K && desc_has_hint(pos.old))
		hint_clear(s2, pos.entry);
}

void hint_clear_edges(struct stage2 *s2, u64 start, u64 end)
{
	hold_begin(s2);
	clear_cut(s2, start);
	clear_cut(s2, end);
	hold_end(s2, 2 * HINT_ENTRIES);
}
