/* SPDX-License-Identifier: Apache-2.0 */
/* The lock-free dump: reads live tables in a walk section, so that tables cut off meanwhile stay.
 */
#include "engine/stage2_priv.h"

/* How many descriptors one call looks at. */
enum { DUMP_STEP = 4096 };

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
	while (ev != CURSOR_END && visited++ < DUMP_STEP) {
		u64 d = port_desc_load(s2->port, c.entry);

		if (ev == CURSOR_ENTRY && d == DESC_EMPTY) {
			u64 n = cursor_empty(&c, DUMP_STEP);

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
	for (u64 at = from.v; !complete;)
		at = dump_step(s2, at, run, &complete);
	return run->size != 0;
}

u64 stage2_count_tables(struct stage2 *s2)
{
	enum cursor_event ev;
	struct cursor c;
	u64 tables = 0;

	port_walk_enter(s2->port);
	ev = cursor_start(&c, s2, 0, stage2_ipa_limit(s2));
	while (ev != CURSOR_END) {
		u64 d = port_desc_load(s2->port, c.entry);

		if (ev == CURSOR_ENTRY && d == DESC_EMPTY) {
			ev = cursor_skip(&c, cursor_empty(&c, DUMP_STEP));
			continue;
		}
		if (ev == CURSOR_ENTRY && desc_is_table(d, c.level)) {
			tables++;
			cursor_down(&c, port_table_at(s2->port, desc_pa(d)));
			continue;
		}
		ev = cursor_next(&c);
	}
	port_walk_leave(s2->port);
	return tables;
}
