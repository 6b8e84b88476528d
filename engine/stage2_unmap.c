/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unmapping a range: descriptors go in bounded steps, then one TLB invalidation, then, without FWB,
 * the cache maintenance that tear-down owes; tables last (docs/invariants.md, E10 to E14).
 */
#include "engine/stage2_priv.h"

struct unmap {
	struct stage2 *s2;
	struct extent whole;
	struct tlb_gather gather;
	bool drains; /* something is left for the second pass */
	u32 flush;   /* the number of its invalidation */
};

/* A block that sticks out of the range is taken at once: faults on the rest of it are not held back
 * by the range being published, so none may find it gone before its invalidation. */
static void unmap_outsized(struct unmap *u, u64 *entry, u64 base, int level)
{
	struct stage2 *s2 = u->s2;
	u64 old = bbm_take(s2, entry, DESC_BUSY);

	tlb_flush_range(s2, base, base + level_size(level), level);
	if (cmo_owed_after(s2, old))
		cmo_pay_after(s2, desc_pa(old), level_size(level));
	bbm_settle(s2, entry, DESC_EMPTY);
}

static void account_taken(struct stage2 *s2, u64 d, u64 pages)
{
	account_unmapped(s2, LEVEL_4K, desc_type(d), pages << PAGE_SHIFT);
	stat_add(s2, STAT_unmap_leaf, pages);
	stat_add(s2, STAT_desc_write, pages);
}

/* What is left of a leaf that is taken: nothing, or what the second pass needs. */
static u64 left_of(struct unmap *u, u64 d)
{
	if (!cmo_owed_after(u->s2, d))
		return DESC_EMPTY;
	u->drains = true;
	return desc_draining_leaf(d, u->s2->unmap_flushes);
}

/*
 * Another operation has taken what is here and not come to its second pass. With the table that
 * holds it, it would lose the way there: so what is owed becomes ours too, and is paid by whoever
 * comes first, after an invalidation that began when it had been taken (desc_drains_after()).
 */
static void share_draining(struct unmap *u, const struct cursor *c)
{
	u64 base = cursor_base(c), end = base + level_size(c->level);

	u->drains = true;
	gather_range(&u->gather, max(base, u->whole.start), min(end, u->whole.end), LEVEL_MIXED);
}

static bool is_there_or_drains(u64 d)
{
	return desc_is_valid(d) || desc_is_draining(d);
}

/* The entries of a level 3 table that the range meets. Pages never stick out. */
static void unmap_pages(struct unmap *u, u64 *entry, u64 ipa, u64 count)
{
	struct stage2 *s2 = u->s2;
	u64 *end = entry + count, *first = entry, *last;
	u64 like = 0, taken = 0; /* pages of one type, that of @like */
	bool drains = cmo_ever_owed_after(s2);

	while (first < end && !is_there_or_drains(port_desc_load(s2->port, first)))
		first++;
	if (first == end)
		return;
	last = first;
	for (u64 *e = first; e < end; e++) {
		u64 d = port_desc_load(s2->port, e);

		if (!desc_is_valid(d)) {
			if (!desc_is_draining(d))
				continue;
			u->drains = true; /* as share_draining() */
			last = e;
			continue;
		}
		if ((d ^ like) & DESC_MEMATTR) {
			account_taken(s2, like, taken);
			like = d;
			taken = 0;
		}
		d = bbm_take(s2, e, drains ? left_of(u, d) : DESC_EMPTY);
		log_taken(s2, ipa + ((u64)(e - entry) << PAGE_SHIFT), d);
		taken++;
		last = e;
	}
	account_taken(s2, like, taken);
	gather_range(&u->gather, ipa + ((u64)(first - entry) << PAGE_SHIFT),
		     ipa + ((u64)(last - entry + 1) << PAGE_SHIFT), LEVEL_4K);
}

static void unmap_block(struct unmap *u, const struct cursor *c, u64 d)
{
	struct stage2 *s2 = u->s2;
	u64 base = cursor_base(c);

	if (!extent_covers(&u->whole, base, c->level)) {
		unmap_outsized(u, c->entry, base, c->level);
	} else {
		bbm_take(s2, c->entry, left_of(u, d));
		gather_add(&u->gather, base, c->level);
	}
	account_unmapped(s2, c->level, desc_type(d), level_size(c->level));
	stat_inc(s2, STAT_unmap_leaf);
	stat_inc(s2, STAT_desc_write);
}

/* A table all of whose entries are invalid now is cut off. If leaves in it still drain, it stays
 * reachable for the second pass, but not for hardware. */
static void unmap_table(struct unmap *u, const struct cursor *c)
{
	struct stage2 *s2 = u->s2;
	u64 base = cursor_base(c), d = port_desc_load(s2->port, c->entry);

	if (!desc_is_table(d, c->level) || !extent_covers(&u->whole, base, c->level))
		return;
	if (u->drains) {
		bbm_take(s2, c->entry, desc_draining_table(d, s2->unmap_flushes));
	} else {
		bbm_take(s2, c->entry, DESC_EMPTY);
		gather_table(&u->gather, s2, port_table_at(s2->port, desc_pa(d)));
	}
	gather_add(&u->gather, base, c->level);
	u->gather.level = LEVEL_MIXED;
	stat_inc(s2, STAT_desc_write);
}

/* One hold: from @from; returns where to go on. */
static u64 unmap_step(struct unmap *u, u64 from)
{
	struct stage2 *s2 = u->s2;
	enum cursor_event ev;
	struct cursor c;
	unsigned int visited = 0;

	hold_begin(s2);
	ev = cursor_start(&c, s2, from, u->whole.end);
	while (ev != CURSOR_END) {
		u64 d;

		if (ev == CURSOR_LEFT) {
			unmap_table(u, &c);
			ev = cursor_next(&c);
			continue;
		}
		if (visited >= s2->step)
			break;
		if (c.level == LEVEL_4K) {
			u64 n = cursor_ahead(&c, s2->step - visited);

			unmap_pages(u, c.entry, c.ipa, n);
			visited += (unsigned int)n;
			ev = cursor_skip(&c, n);
			continue;
		}
		d = port_desc_load(s2->port, c.entry);
		if (d == DESC_EMPTY) {
			u64 n = cursor_empty(&c, s2->step - visited);

			visited += (unsigned int)n;
			ev = cursor_skip(&c, n);
			continue;
		}
		visited++;
		if (desc_is_table(d, c.level)) {
			cursor_down(&c, port_table_at(s2->port, desc_pa(d)));
			continue;
		}
		if (desc_is_valid(d))
			unmap_block(u, &c, d);
		else if (desc_is_draining(d))
			share_draining(u, &c);
		ev = cursor_next(&c);
	}
	if (ev == CURSOR_END)
		u->flush = ++s2->unmap_flushes;
	hold_end(s2, visited);
	return ev == CURSOR_END ? u->whole.end : c.ipa;
}

static void drain_leaf(struct stage2 *s2, const struct cursor *c, u64 d)
{
	cmo_pay_after(s2, desc_pa(d), level_size(c->level));
	bbm_settle(s2, c->entry, DESC_EMPTY);
}

static void drain_table(struct unmap *u, const struct cursor *c)
{
	u64 d = port_desc_load(u->s2->port, c->entry);

	if (!(d & DESC_DRAINING_TABLE) || !desc_drains_after(d, u->flush) ||
	    !extent_covers(&u->whole, cursor_base(c), c->level))
		return;
	bbm_settle(u->s2, c->entry, DESC_EMPTY);
	gather_table(&u->gather, u->s2, port_table_at(u->s2->port, desc_pa(d)));
}

/* The second pass, when no TLB holds anything of the range: maintenance, and the tables kept for
 * it. */
static u64 drain_step(struct unmap *u, u64 from)
{
	struct stage2 *s2 = u->s2;
	enum cursor_event ev;
	struct cursor c;
	unsigned int visited = 0;

	hold_begin(s2);
	ev = cursor_start(&c, s2, from, u->whole.end);
	while (ev != CURSOR_END) {
		u64 d;

		if (ev == CURSOR_LEFT) {
			drain_table(u, &c);
			ev = cursor_next(&c);
			continue;
		}
		if (visited++ == s2->step)
			break;
		d = port_desc_load(s2->port, c.entry);
		if (desc_is_table(d, c.level) || (d & DESC_DRAINING_TABLE)) {
			cursor_down(&c, port_table_at(s2->port, desc_pa(d)));
			continue;
		}
		if ((d & DESC_DRAINING_LEAF) && desc_drains_after(d, u->flush))
			drain_leaf(s2, &c, d);
		ev = cursor_next(&c);
	}
	hold_end(s2, visited);
	return ev == CURSOR_END ? u->whole.end : c.ipa;
}

/* One page, in a table that stays: what the host asks for most (copy on write, swapping). False: it
 * takes more than that, and nothing was done. */
static bool unmap_page(struct stage2 *s2, u64 ipa)
{
	struct s2_pos pos;
	bool is_mapped, is_simple;

	hold_begin(s2);
	pos = walk_to(s2, ipa, LEVEL_4K);
	is_mapped = desc_is_valid(pos.old);
	is_simple = pos.level == LEVEL_4K && !cmo_owed_after(s2, pos.old);
	if (is_mapped && is_simple) {
		log_taken(s2, ipa, bbm_take(s2, pos.entry, DESC_EMPTY));
		account_taken(s2, pos.old, 1);
	}
	hold_end(s2, 1);
	if (is_mapped && is_simple)
		tlb_flush_leaf(s2, ipa, LEVEL_4K);
	return is_simple || !is_mapped;
}

void unmap_extent(struct stage2 *s2, struct extent x)
{
	struct unmap u = { .s2 = s2, .whole = x };

	for (u64 at = u.whole.start; at < u.whole.end;) {
		at = unmap_step(&u, at);
		port_relax_point(s2->port);
	}
	gather_flush(&u.gather, s2);
	for (u64 at = u.whole.start; u.drains && at < u.whole.end;) {
		at = drain_step(&u, at);
		port_relax_point(s2->port);
	}
	gather_free(&u.gather, s2);
}

void stage2_unmap(struct stage2 *s2, ipa_t ipa, u64 size)
{
	struct extent x = extent_of(s2, ipa, size);

	if (has_hints(s2))
		hint_clear_edges(s2, x.start, x.end);
	if (x.end - x.start != PAGE_SIZE || !unmap_page(s2, x.start))
		unmap_extent(s2, x);
}
