/* SPDX-License-Identifier: Apache-2.0 */
/* The lock-free dump: reads live tables in a walk section, so that tables cut off meanwhile stay.
 */
#include "engine/stage2_priv.h"

static bool continues(const struct s2_run *run, const struct s2_leaf *leaf, u64 ipa)
{
	return run->ipa.v + run->size == ipa && run->leaf.level == leaf->level &&
	       run->leaf.type == leaf->type && run->leaf.perms == leaf->perms &&
	       run->leaf.accessed == leaf->accessed && run->leaf.pa.v + run->size == leaf->pa.v;
}

/* Adds the leaf @d to @run, or starts it; false: another run begins here. */
static bool run_add(struct s2_run *run, u64 d, u64 ipa, int level)
{
	struct s2_leaf leaf;

	desc_decode(d, level, &leaf);
	if (run->size && !continues(run, &leaf, ipa))
		return false;
	if (!run->size)
		*run = (struct s2_run){ .ipa = IPA(ipa), .leaf = leaf };
	run->size += level_size(level);
	return true;
}

/* One walk section from @from; returns where it stopped: the run is complete, or the budget used
 * up. */
static u64 dump_step(struct stage2 *s2, u64 from, struct s2_run *run, bool *complete)
{
	u64 end = stage2_ipa_limit(s2);
	enum cursor_event ev;
	struct cursor c;
	unsigned int visited = 0;

	*complete = false;
	port_walk_enter(s2->port);
	ev = cursor_start(&c, s2, from, end);
	while (ev != CURSOR_END && visited++ < s2->step) {
		u64 d = port_desc_load(s2->port, c.entry);

		if (ev == CURSOR_ENTRY && d == DESC_EMPTY) {
			u64 n = cursor_empty(&c, s2->step);

			visited += (unsigned int)n;
			ev = cursor_skip(&c, n);
			continue;
		}
		if (ev == CURSOR_ENTRY && desc_is_table(d, c.level)) {
			cursor_down(&c, port_table_at(s2->port, desc_pa(d)));
			continue;
		}
		if (ev == CURSOR_ENTRY && desc_is_leaf(d, c.level)) {
			*complete = !run_add(run, d, cursor_base(&c), c.level);
			if (*complete)
				break;
		}
		ev = cursor_next(&c);
	}
	port_walk_leave(s2->port);
	/* The budget may end exactly behind the last table, where no step can begin. */
	from = ev == CURSOR_END ? end : ev == CURSOR_LEFT ? c.ipa + 1 : c.ipa;
	if (from >= end)
		*complete = true;
	return from;
}

bool stage2_dump(struct stage2 *s2, ipa_t from, struct s2_run *run)
{
	bool complete = from.v >= stage2_ipa_limit(s2);

	*run = (struct s2_run){ .size = 0 };
	for (u64 at = from.v; !complete;) {
		at = dump_step(s2, at, run, &complete);
		port_relax_point(s2->port);
	}
	return run->size != 0;
}

/* One walk section; returns where to go on. A table is counted when it is left; one of pages is not
 * even entered. */
static u64 count_step(struct stage2 *s2, u64 from, u64 *tables)
{
	u64 end = stage2_ipa_limit(s2);
	enum cursor_event ev;
	struct cursor c;
	unsigned int visited = 0;

	port_walk_enter(s2->port);
	ev = cursor_start(&c, s2, from, end);
	while (ev != CURSOR_END) {
		bool is_table;
		u64 d;

		if (ev == CURSOR_ENTRY && visited++ == s2->step)
			break;
		d = port_desc_load(s2->port, c.entry);
		is_table = ev == CURSOR_ENTRY && desc_is_table(d, c.level);
		if (is_table && c.level + 1 < LEVEL_4K) {
			cursor_down(&c, port_table_at(s2->port, desc_pa(d)));
			continue;
		}
		*tables += ev == CURSOR_LEFT || is_table;
		ev = cursor_next(&c);
	}
	port_walk_leave(s2->port);
	return ev == CURSOR_END ? end : c.ipa;
}

u64 stage2_count_tables(struct stage2 *s2)
{
	u64 tables = 0;

	for (u64 at = 0; at < stage2_ipa_limit(s2);) {
		at = count_step(s2, at, &tables);
		port_relax_point(s2->port);
	}
	return tables;
}
