/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on ranges, in bounded steps: unmap, write-protect, age, split, cache flush. The lock
 * is given up after s2->step descriptors.
 */
#include "engine/stage2_priv.h"

/* The part of [@ipa, @ipa + @size) that the tables cover, in whole pages. */
struct extent {
	u64 start, end;
};

static struct extent extent_of(const struct stage2 *s2, ipa_t ipa, u64 size)
{
	u64 limit = stage2_ipa_limit(s2);
	struct extent x = { ALIGN_DOWN(min(ipa.v, limit), PAGE_SIZE), limit };

	if (size < limit - x.start)
		x.end = min(ALIGN_UP(ipa.v + size, PAGE_SIZE), limit);
	return x;
}

static void hold_begin(struct stage2 *s2)
{
	port_write_lock(s2->port, &s2->lock);
}

static void hold_end(struct stage2 *s2, unsigned int visited)
{
	struct stats_cpu *st = stats_here(s2);

	st->count[STAT_lock_holds]++;
	st->count[STAT_steps_max] = max(st->count[STAT_steps_max], visited);
	port_write_unlock(s2->port, &s2->lock);
}

static bool covers(const struct extent *x, u64 base, int level)
{
	return base >= x->start && base + level_size(level) <= x->end;
}

/* ---- unmap ------------------------------------------------------------------------------------
 */

struct unmap {
	struct stage2 *s2;
	struct extent whole;
	struct tlb_gather gather;
	bool drains; /* something is left for the second pass */
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

/* The entries of a level 3 table that the range meets. Pages never stick out. */
static void unmap_pages(struct unmap *u, u64 *entry, u64 ipa, u64 count)
{
	struct stage2 *s2 = u->s2;
	u64 taken[S2_TYPE_COUNT] = { 0 }, first = count, last = 0;

	for (u64 i = 0; i < count; i++) {
		u64 d = port_desc_load(s2->port, &entry[i]);
		bool drains = cmo_owed_after(s2, d);

		if (!desc_is_valid(d))
			continue;
		bbm_take(s2, &entry[i], drains ? desc_draining_leaf(d) : DESC_EMPTY);
		u->drains |= drains;
		taken[desc_type(d)]++;
		first = min(first, i);
		last = i;
	}
	if (first == count)
		return;
	gather_range(&u->gather, ipa + (first << PAGE_SHIFT), ipa + ((last + 1) << PAGE_SHIFT),
		     LEVEL_4K);
	for (int t = 0; t < S2_TYPE_COUNT; t++) {
		account_unmapped(s2, LEVEL_4K, (enum s2_type)t, taken[t] << PAGE_SHIFT);
		stat_add(s2, STAT_unmap_leaf, taken[t]);
		stat_add(s2, STAT_desc_write, taken[t]);
	}
}

static void unmap_block(struct unmap *u, const struct cursor *c, u64 d)
{
	struct stage2 *s2 = u->s2;
	u64 base = cursor_base(c);

	if (!covers(&u->whole, base, c->level)) {
		unmap_outsized(u, c->entry, base, c->level);
	} else if (cmo_owed_after(s2, d)) {
		bbm_take(s2, c->entry, desc_draining_leaf(d));
		gather_add(&u->gather, base, c->level);
		u->drains = true;
	} else {
		bbm_take(s2, c->entry, DESC_EMPTY);
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

	if (!desc_is_table(d, c->level) || !covers(&u->whole, base, c->level))
		return;
	if (u->drains) {
		bbm_take(s2, c->entry, desc_draining_table(d));
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
		ev = cursor_next(&c);
	}
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

	if (!(d & DESC_DRAINING_TABLE) || !covers(&u->whole, cursor_base(c), c->level))
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
		if (d & DESC_DRAINING_LEAF)
			drain_leaf(s2, &c, d);
		ev = cursor_next(&c);
	}
	hold_end(s2, visited);
	return ev == CURSOR_END ? u->whole.end : c.ipa;
}

void stage2_unmap(struct stage2 *s2, ipa_t ipa, u64 size)
{
	struct unmap u = { .s2 = s2, .whole = extent_of(s2, ipa, size) };

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

/* ---- write-protect, age -----------------------------------------------------------------------
 */

struct sweep {
	struct stage2 *s2;
	struct extent x;
	u64 bits;  /* a leaf counts if it has all of these ... */
	u64 clear; /* ... and loses these */
	u64 hits;
	struct tlb_gather gather;
};

/* @count entries of one table at @level. */
static void sweep_entries(struct sweep *w, u64 *entry, u64 ipa, u64 count, int level)
{
	struct stage2 *s2 = w->s2;
	u64 match = w->bits | DESC_VALID, hits = 0, first = count, last = 0;

	for (u64 i = 0; i < count; i++) {
		u64 d = port_desc_load(s2->port, &entry[i]);

		if ((d & match) != match)
			continue;
		if (w->clear)
			bbm_restrict(s2, &entry[i], d, w->clear);
		hits++;
		first = min(first, i);
		last = i;
	}
	if (hits && w->clear)
		gather_range(&w->gather, ipa + first * level_size(level),
			     ipa + (last + 1) * level_size(level), level);
	w->hits += hits;
}

static u64 sweep_step(struct sweep *w, u64 from)
{
	struct stage2 *s2 = w->s2;
	enum cursor_event ev;
	struct cursor c;
	unsigned int visited = 0;

	hold_begin(s2);
	ev = cursor_start(&c, s2, from, w->x.end);
	while (ev != CURSOR_END) {
		u64 d;

		if (ev == CURSOR_LEFT) {
			ev = cursor_next(&c);
			continue;
		}
		if (visited >= s2->step)
			break;
		if (c.level == LEVEL_4K) {
			u64 n = cursor_ahead(&c, s2->step - visited);

			sweep_entries(w, c.entry, c.ipa, n, LEVEL_4K);
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
		sweep_entries(w, c.entry, cursor_base(&c), 1, c.level);
		ev = cursor_next(&c);
	}
	hold_end(s2, visited);
	return ev == CURSOR_END ? w->x.end : c.ipa;
}

static void sweep(struct sweep *w)
{
	for (u64 at = w->x.start; at < w->x.end;) {
		at = sweep_step(w, at);
		port_relax_point(w->s2->port);
	}
	if (w->clear)
		stat_add(w->s2, STAT_desc_write, w->hits);
}

u64 stage2_write_protect(struct stage2 *s2, ipa_t ipa, u64 size)
{
	struct sweep w = {
		.s2 = s2,
		.x = extent_of(s2, ipa, size),
		.bits = DESC_WRITE,
		.clear = DESC_WRITE,
	};

	sweep(&w);
	gather_flush(&w.gather, s2);
	stat_add(s2, STAT_wp_leaf, w.hits);
	return w.hits;
}

u64 stage2_age(struct stage2 *s2, ipa_t ipa, u64 size, enum s2_age how)
{
	struct sweep w = {
		.s2 = s2,
		.x = extent_of(s2, ipa, size),
		.bits = DESC_AF,
		.clear = how == S2_AGE_CLEAR ? DESC_AF : 0,
	};

	sweep(&w);
	if (w.clear)
		stat_add(s2, STAT_age_leaf, w.hits);
	return w.hits;
}

/* Write-protects one leaf if it is writable: 1 or 0. */
static u64 protect_entry(struct stage2 *s2, u64 *entry, int level)
{
	u64 d = port_desc_load(s2->port, entry);

	if (!desc_is_leaf(d, level) || !(d & DESC_WRITE))
		return 0;
	bbm_restrict(s2, entry, d, DESC_WRITE);
	return 1;
}

/* The pages may cross into another table or block: a slot need not begin where 64 pages do. */
u64 stage2_write_protect_mask(struct stage2 *s2, ipa_t ipa, u64 mask)
{
	struct s2_pos pos = { .entry = NULL };
	u64 walked = 0, hits = 0;

	hold_begin(s2);
	for (u64 left = mask; left; left &= left - 1) {
		u64 page = ipa.v + ((u64)__builtin_ctzl(left) << PAGE_SHIFT);

		if (!pos.entry || (page ^ walked) >> level_shift(LEVEL_2M)) {
			pos = walk_to(s2, page, LEVEL_4K);
			walked = page;
		}
		if (pos.level == LEVEL_4K)
			hits += protect_entry(s2, pos.entry + ((page - walked) >> PAGE_SHIFT),
					      LEVEL_4K);
		else
			hits += protect_entry(s2, pos.entry, pos.level);
	}
	hold_end(s2, 64);
	stat_add(s2, STAT_wp_leaf, hits);
	stat_add(s2, STAT_desc_write, hits);
	return hits;
}

/* ---- split ------------------------------------------------------------------------------------
 */

/* Finds the next block at or after *@at, splits it with @cache's page. Moves *@at behind what is
 * done. False: none is left. */
static bool split_next(struct stage2 *s2, u64 *at, u64 end, struct table_cache *cache)
{
	enum cursor_event ev;
	struct cursor c;
	unsigned int visited = 0;

	hold_begin(s2);
	ev = cursor_start(&c, s2, *at, end);
	while (ev != CURSOR_END) {
		u64 d = port_desc_load(s2->port, c.entry);

		if (ev == CURSOR_ENTRY && visited++ == s2->step)
			break;
		if (ev == CURSOR_ENTRY && desc_is_table(d, c.level) && c.level + 1 < LEVEL_4K) {
			cursor_down(&c, port_table_at(s2->port, desc_pa(d)));
			continue;
		}
		if (ev == CURSOR_ENTRY && c.level < LEVEL_4K && desc_is_leaf(d, c.level)) {
			split_block(s2, c.entry, d, c.ipa, c.level, cache->page[--cache->count],
				    NULL);
			visited += TABLE_ENTRIES;
			break; /* what is below may need splitting too: look again from here */
		}
		ev = cursor_next(&c);
	}
	*at = ev == CURSOR_END ? end : c.ipa;
	hold_end(s2, visited);
	return *at < end;
}

int stage2_split(struct stage2 *s2, ipa_t ipa, u64 size)
{
	struct extent x = extent_of(s2, ipa, size);
	struct table_cache cache = { .count = 0 };
	int error = ERR_OK;

	for (u64 at = x.start; at < x.end;) {
		error = table_cache_fill(&cache, s2->port, 1);
		if (error)
			break;
		if (!split_next(s2, &at, x.end, &cache))
			break;
		port_relax_point(s2->port);
	}
	table_cache_drain(&cache, s2->port);
	return error;
}

/* ---- cache flush ------------------------------------------------------------------------------
 */

static u64 flush_step(struct stage2 *s2, u64 from, u64 end)
{
	enum cursor_event ev;
	struct cursor c;
	unsigned int visited = 0;

	port_read_lock(s2->port, &s2->lock);
	ev = cursor_start(&c, s2, from, end);
	while (ev != CURSOR_END) {
		u64 d = port_desc_load(s2->port, c.entry);

		if (ev == CURSOR_ENTRY && visited++ == s2->step)
			break;
		if (ev == CURSOR_ENTRY && desc_is_table(d, c.level)) {
			cursor_down(&c, port_table_at(s2->port, desc_pa(d)));
			continue;
		}
		if (ev == CURSOR_ENTRY && desc_is_leaf(d, c.level) && cmo_owed_after(s2, d))
			cmo_pay_after(s2, desc_pa(d), level_size(c.level));
		ev = cursor_next(&c);
	}
	port_read_unlock(s2->port, &s2->lock);
	return ev == CURSOR_END ? end : c.ipa;
}

void stage2_cache_flush(struct stage2 *s2, ipa_t ipa, u64 size)
{
	struct extent x = extent_of(s2, ipa, size);

	for (u64 at = x.start; !s2->caps->fwb && at < x.end;) {
		at = flush_step(s2, at, x.end);
		port_relax_point(s2->port);
	}
	if (!s2->caps->dic)
		cmo_pay(s2, PA(0), 0, CMO_ICACHE_ALL);
}
