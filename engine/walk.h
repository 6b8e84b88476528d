/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where am I in the tables: a walk to one address, and a cursor over a range. No policy, no writes.
 *
 * The cursor is used like this; it neither recurses nor calls back:
 *
 *	for (ev = cursor_start(&c, s2, from, end); ev != CURSOR_END; ev = cursor_next(&c)) {
 *		if (ev == CURSOR_LEFT)
 *			leave(c.entry);
 *		else if (is_table(c.entry))
 *			cursor_down(&c, table);
 *		else
 *			visit(c.entry, c.level);
 *	}
 *
 * At CURSOR_LEFT c.entry refers to the table that was finished, and c.ipa is its last byte. After
 * cursor_down() the loop goes on with the same event, without cursor_next(). At an entry, c.level
 * is its level, and it holds c.ipa.
 */
#ifndef ENGINE_WALK_H
#define ENGINE_WALK_H

#include "engine/desc.h"

struct s2_pos {
	u64 *entry;
	u64 old; /* what was there */
	int level;
};

/* The entry at @level, or the first one above it that is not a table. @ipa is below the limit. */
static inline struct s2_pos walk_to(const struct stage2 *s2, u64 ipa, int level)
{
	int l = s2->start_level;
	unsigned int shift = s2->start_shift;
	u64 *entry = s2->root + (ipa >> shift);
	u64 d = port_desc_load(s2->port, entry);

	while (l < level && (d & (DESC_VALID | DESC_TABLE)) == (DESC_VALID | DESC_TABLE)) {
		l++;
		shift -= 9;
		entry = port_table_at(s2->port, desc_pa(d)) + (ipa >> shift & (TABLE_ENTRIES - 1));
		d = port_desc_load(s2->port, entry);
	}
	return (struct s2_pos){ entry, d, l };
}

enum cursor_event { CURSOR_ENTRY, CURSOR_LEFT, CURSOR_END };

struct cursor {
	const struct stage2 *s2;
	u64 ipa; /* a byte that the entry holds; the range's start in the first entry */
	u64 end;
	u64 *entry;
	u64 *stop; /* behind the last entry of this table that the range meets */
	int level;
	u64 *up[LEVEL_4K]; /* by level: the entry that refers to the table below */
};

/* Entries from the one that holds @ipa to the end of the range, in a table of @entries. */
static inline u64 cursor_span(const struct cursor *c, u64 ipa, int level)
{
	u64 in_range = ((c->end - 1) >> level_shift(level)) - (ipa >> level_shift(level)) + 1;
	u64 in_table = TABLE_ENTRIES - desc_index(ipa, level);

	return level == c->s2->start_level ? in_range : min(in_range, in_table);
}

/* [@from, @end) is not empty and below the IPA limit. */
static inline enum cursor_event cursor_start(struct cursor *c, const struct stage2 *s2, u64 from,
					     u64 end)
{
	*c = (struct cursor){ .s2 = s2, .ipa = from, .end = end, .level = s2->start_level };
	c->entry = s2->root + (from >> level_shift(c->level));
	c->stop = c->entry + cursor_span(c, from, c->level);
	return CURSOR_ENTRY;
}

static inline void cursor_down(struct cursor *c, u64 *table)
{
	c->up[c->level] = c->entry;
	c->level++;
	c->entry = table + desc_index(c->ipa, c->level);
	c->stop = c->entry + cursor_span(c, c->ipa, c->level);
}

/* Out of a finished table, to the entry that refers to it. */
static inline enum cursor_event cursor_up(struct cursor *c)
{
	if (c->level == c->s2->start_level)
		return CURSOR_END;
	c->ipa--;
	c->level--;
	c->entry = c->up[c->level];
	c->stop = c->entry + cursor_span(c, c->ipa, c->level);
	return CURSOR_LEFT;
}

static inline enum cursor_event cursor_next(struct cursor *c)
{
	c->ipa = (c->ipa | (level_size(c->level) - 1)) + 1;
	c->entry++;
	return __builtin_expect(c->entry != c->stop, 1) ? CURSOR_ENTRY : cursor_up(c);
}

/* How many entries of this table are ahead, this one included, but at most @most. */
static inline u64 cursor_ahead(const struct cursor *c, u64 most)
{
	return min((u64)(c->stop - c->entry), most);
}

/* How many entries from this one on are empty, but at most @most: large tables are mostly that. */
static inline u64 cursor_empty(const struct cursor *c, u64 most)
{
	u64 ahead = cursor_ahead(c, most), n = 0;

	while (n < ahead && port_desc_load(c->s2->port, &c->entry[n]) == DESC_EMPTY)
		n++;
	return n;
}

/* Goes on behind the @n entries that cursor_ahead() or cursor_empty() gave. */
static inline enum cursor_event cursor_skip(struct cursor *c, u64 n)
{
	c->ipa = (c->ipa & ~(level_size(c->level) - 1)) + n * level_size(c->level);
	c->entry += n;
	return c->entry != c->stop ? CURSOR_ENTRY : cursor_up(c);
}

static inline u64 cursor_base(const struct cursor *c)
{
	return c->ipa & ~(level_size(c->level) - 1);
}

#endif
