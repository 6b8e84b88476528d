/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on ranges, in bounded steps: write-protect, age, split, cache flush. The lock
 * is given up after s2->step descriptors.
 */
#include "engine/stage2_priv.h"

/* ---- write-protect, age */

struct sweep {
	struct stage2 *s2;
	struct extent x;
	u64 bits;  /* a leaf counts if it has all of these ... */
	u64 clear; /* ... and loses these */
	bool logs; /* to the dirty log */
	u64 hits;
	struct tlb_gather gather;
};

/* Counts, of @count entries, those that have all of @match. */
static u64 count_entries(struct stage2 *s2, const u64 *entry, u64 count, u64 match)
{
	u64 hits = 0;

	for (u64 i = 0; i < count; i++)
		hits += (port_desc_load(s2->port, &entry[i]) & match) == match;
	return hits;
}

/* @count entries of one table at @level lose what the sweep clears. Returns how many had it. */
static u64 clear_entries(struct sweep *w, u64 *entry, u64 ipa, u64 count, int level)
{
	struct stage2 *s2 = w->s2;
	u64 match = w->bits | DESC_VALID, clear = w->clear, hits = 0, first = 0, last = 0;
	bool marks = w->logs && s2->hw_dirty;

	while (first < count && (port_desc_load(s2->port, &entry[first]) & match) != match)
		first++;
	for (u64 i = first; i < count; i++) {
		u64 d = port_desc_load(s2->port, &entry[i]);

		if ((d & match) != match)
			continue;
		bbm_restrict(s2, &entry[i], d, clear, marks ? protect_mark(s2, d, level) : 0);
		hits++;
		last = i;
	}
	if (hits)
		gather_range(&w->gather, ipa + first * level_size(level),
			     ipa + (last + 1) * level_size(level), level);
	return hits;
}

static void sweep_entries(struct sweep *w, u64 *entry, u64 ipa, u64 count, int level)
{
	if (w->clear)
		w->hits += clear_entries(w, entry, ipa, count, level);
	else
		w->hits += count_entries(w->s2, entry, count, w->bits | DESC_VALID);
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
	if (w->logs && has_hints(w->s2))
		hint_clear_edges(w->s2, w->x.start, w->x.end);
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
		.clear = DESC_WRITE | DESC_CONT, /* hardware marks one page at a time */
		.logs = true,
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
static inline u64 protect_entry(struct stage2 *s2, u64 *entry, int level)
{
	u64 d = port_desc_load(s2->port, entry), mark;

	if (!desc_is_leaf(d, level) || !(d & DESC_WRITE))
		return 0;
	if (desc_has_hint(d))
		hint_clear(s2, entry);
	/* What hardware has marked it can mark again. */
	mark = desc_is_written(d) ? DESC_DBM : protect_mark(s2, d, level);
	bbm_restrict(s2, entry, d & ~DESC_CONT, DESC_WRITE, mark);
	return 1;
}

/* The pages of @mask from @ipa on, which lie in one table or under one entry above it. */
static u64 protect_in_table(struct stage2 *s2, u64 ipa, u64 mask)
{
	struct s2_pos pos = walk_to(s2, ipa, LEVEL_4K);
	u64 hits = 0;

	if (pos.level < LEVEL_4K)
		return protect_entry(s2, pos.entry, pos.level);
	for (; mask; mask &= mask - 1)
		hits += protect_entry(s2, pos.entry + __builtin_ctzl(mask), LEVEL_4K);
	return hits;
}

/* The pages may cross into another table or block: a slot need not begin where 64 pages do. */
u64 stage2_write_protect_mask(struct stage2 *s2, ipa_t ipa, u64 mask)
{
	u64 here = TABLE_ENTRIES - desc_index(ipa.v, LEVEL_4K), hits = 0;
	u64 first = here < 64 ? mask & (BIT(here) - 1) : mask;

	hold_begin(s2);
	if (first)
		hits = protect_in_table(s2, ipa.v, first);
	if (mask != first)
		hits += protect_in_table(s2, ipa.v + (here << PAGE_SHIFT), mask >> here);
	hold_end(s2, 64);
	stat_add(s2, STAT_wp_leaf, hits);
	stat_add(s2, STAT_desc_write, hits);
	return hits;
}

enum { LOOK_AT_ONCE = 8 };

/* A bit for each of LOOK_AT_ONCE entries that is written. Most have not even the bit for it. */
static u64 look_at_many(struct stage2 *s2, const u64 *entry)
{
	u64 d0 = port_desc_load(s2->port, &entry[0]);
	u64 d1 = port_desc_load(s2->port, &entry[1]);
	u64 d2 = port_desc_load(s2->port, &entry[2]);
	u64 d3 = port_desc_load(s2->port, &entry[3]);
	u64 d4 = port_desc_load(s2->port, &entry[4]);
	u64 d5 = port_desc_load(s2->port, &entry[5]);
	u64 d6 = port_desc_load(s2->port, &entry[6]);
	u64 d7 = port_desc_load(s2->port, &entry[7]);

	if (!((d0 | d1 | d2 | d3 | d4 | d5 | d6 | d7) & DESC_WRITE))
		return 0;
	return (u64)desc_is_written(d0) | (u64)desc_is_written(d1) << 1 |
	       (u64)desc_is_written(d2) << 2 | (u64)desc_is_written(d3) << 3 |
	       (u64)desc_is_written(d4) << 4 | (u64)desc_is_written(d5) << 5 |
	       (u64)desc_is_written(d6) << 6 | (u64)desc_is_written(d7) << 7;
}

static u64 look_at_few(struct stage2 *s2, const u64 *entry, u64 count)
{
	u64 bits = 0;

	for (u64 i = 0; i < count; i++)
		bits |= (u64)desc_is_written(port_desc_load(s2->port, &entry[i])) << i;
	return bits;
}

static void look_at_table(struct stage2 *s2, const u64 *entry, u64 count, u64 *words, u64 at)
{
	for (u64 i = 0; i < count; i += LOOK_AT_ONCE) {
		u64 n = min(count - i, (u64)LOOK_AT_ONCE), bit = at + i, bits;

		bits = n == LOOK_AT_ONCE ? look_at_many(s2, &entry[i])
					 : look_at_few(s2, &entry[i], n);
		if (!bits)
			continue;
		words[bit / 64] |= bits << bit % 64;
		if (bit % 64 + n > 64)
			words[bit / 64 + 1] |= bits >> (64 - bit % 64);
	}
}

/* From @ipa, whose entry @pos is none of a table of pages, to the next table of this one. */
static u64 pages_before_table(struct stage2 *s2, const struct s2_pos *pos, u64 ipa)
{
	u64 size = level_size(pos->level), n = 1;
	u64 left = pos->level > s2->start_level ? TABLE_ENTRIES - desc_index(ipa, pos->level) : 1;

	left = min(left, (u64)s2->step);
	while (n < left && !desc_is_table(port_desc_load(s2->port, &pos->entry[n]), pos->level))
		n++;
	return (n * size - (ipa & (size - 1))) >> PAGE_SHIFT;
}

u64 stage2_written(struct stage2 *s2, ipa_t ipa, u64 count, u64 *words, u64 at)
{
	struct s2_pos pos;
	u64 seen;

	if (!s2->hw_dirty)
		return count;
	port_read_lock(s2->port, &s2->lock);
	pos = walk_to(s2, ipa.v, LEVEL_4K);
	if (pos.level == LEVEL_4K) {
		seen = min(count, TABLE_ENTRIES - desc_index(ipa.v, LEVEL_4K));
		seen = min(seen, (u64)s2->step);
		look_at_table(s2, pos.entry, seen, words, at);
	} else {
		seen = pages_before_table(s2, &pos, ipa.v);
	}
	port_read_unlock(s2->port, &s2->lock);
	return seen;
}

/* ---- split */

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
			split_block_alone(s2, c.entry, d, c.ipa, c.level,
					  cache->page[--cache->count]);
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

/* ---- cache flush */

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
