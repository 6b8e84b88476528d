/* SPDX-License-Identifier: Apache-2.0 */
/* A run of leaves is put into the tables: over empty entries a table at a time, elsewhere leaf by
 * leaf as a fault would. */
#include "engine/stage2_priv.h"

/* One call's progress. */
struct run {
	struct stage2 *s2;
	const struct s2_map *map;
	struct table_cache cache;
	u64 done, installed;   /* as in struct s2_map_result */
	enum s2_result result; /* of the last leaf */
};

static u64 run_ipa(const struct run *r)
{
	return r->map->ipa.v + r->done;
}

static struct s2_leaf run_leaf(const struct run *r)
{
	struct s2_leaf leaf = r->map->leaf;

	leaf.pa.v += r->done;
	return leaf;
}

/* Leaves to map from here on, in this table and at most @most. */
static u64 leaves_ahead(const struct run *r, u64 most)
{
	s8 level = r->map->leaf.level;
	u64 in_run = (r->map->size - r->done) >> level_shift(level);
	u64 in_table = TABLE_ENTRIES - desc_index(run_ipa(r), level);

	return min(min(in_run, in_table), most);
}

static u64 count_empty(struct stage2 *s2, const u64 *entry, u64 most)
{
	u64 n = 0;

	while (n < most && port_desc_load(s2->port, &entry[n]) == DESC_EMPTY)
		n++;
	return n;
}

/* Over the empty entries from @pos on, at most @most. Returns how many it visited. */
static u64 install_run(struct run *r, const struct s2_pos *pos, u64 most)
{
	struct stage2 *s2 = r->s2;
	struct s2_leaf leaf = run_leaf(r);
	u64 size = level_size(leaf.level);
	u64 n = count_empty(s2, pos->entry, leaves_ahead(r, most));

	if (r->map->owed)
		cmo_pay(s2, leaf.pa, n * size, r->map->owed);
	n = bbm_install_run(s2, pos->entry, n, desc_leaf(s2, &leaf), size);
	account_mapped(s2, leaf.level, leaf.type, n * size);
	stat_add(s2, STAT_install, n);
	r->done += n * size;
	r->installed += n;
	r->result = S2_DONE_INSTALL;
	return max(n, 1UL);
}

/* Steps over leaves from @pos on that are there as asked, at most @most. No fault was taken on
 * them, so no TLB is behind. Returns how many. */
static u64 keep_run(struct run *r, const struct s2_pos *pos, u64 most)
{
	struct s2_leaf leaf = run_leaf(r);
	u64 size = level_size(leaf.level), ahead = leaves_ahead(r, most), n = 0;
	u64 want = desc_leaf(r->s2, &leaf);

	while (n < ahead && desc_allows(port_desc_load(r->s2->port, &pos->entry[n]), want)) {
		want += size;
		n++;
	}
	r->done += n * size;
	return n;
}

/* One leaf where there is a table to make or something else to settle. Returns how many
 * descriptors that visits. */
static u64 commit_one(struct run *r)
{
	struct s2_leaf leaf = run_leaf(r);

	r->result = stage2_commit(r->s2, &r->cache, IPA(run_ipa(r)), &leaf, r->map->owed);
	r->installed += r->result == S2_DONE_INSTALL;
	switch (r->result) {
	case S2_DONE_INSTALL:
	case S2_DONE_RELAX:
	case S2_DONE_KEEP:
	case S2_DONE_REPLACE: r->done += level_size(leaf.level); return 1;
	case S2_DONE_SPLIT: r->done += level_size(leaf.level); return TABLE_ENTRIES;
	case S2_DONE_COLLAPSE:
	case S2_DONE_BREAK: /* the place is empty now: the same leaf again */
	case S2_RACED:
	case S2_NEEDS_TABLES:
	case S2_NEEDS_COLLAPSE: break;
	}
	return 1;
}

static bool stops(enum s2_result result)
{
	return result == S2_RACED || result == S2_NEEDS_TABLES || result == S2_NEEDS_COLLAPSE;
}

static void map_locked(struct run *r)
{
	const struct s2_map *map = r->map;
	s8 level = map->leaf.level;

	if (map->is_stale && map->is_stale(map->arg, IPA(run_ipa(r)), map->size - r->done)) {
		r->result = S2_RACED;
		return;
	}
	r->result = S2_DONE_KEEP;
	for (u64 visited = 0; visited < r->s2->step && r->done < map->size && !stops(r->result);) {
		struct s2_pos pos = walk_to(r->s2, run_ipa(r), level);
		u64 most = r->s2->step - visited, kept;

		if (pos.level == level && pos.old == DESC_EMPTY) {
			visited += install_run(r, &pos, most);
			continue;
		}
		kept = pos.level == level ? keep_run(r, &pos, most) : 0;
		visited += kept ? kept : commit_one(r);
	}
	port_desc_publish(r->s2->port);
}

/* Table pages to take before the next hold. */
static unsigned int tables_wanted(const struct run *r)
{
	if (r->result == S2_NEEDS_TABLES)
		return stage2_tables_max(r->s2); /* the run crossed into a place without */
	return stage2_tables_missing(r->s2, IPA(run_ipa(r)), r->map->leaf.level);
}

struct s2_map_result stage2_map_range(struct stage2 *s2, const struct s2_map *map)
{
	struct run r = { .s2 = s2, .map = map, .result = S2_DONE_KEEP };
	int error = ERR_OK;

	while (r.done < map->size) {
		error = table_cache_fill(&r.cache, s2->port, tables_wanted(&r));
		if (error)
			break;
		port_read_lock(s2->port, &s2->lock);
		map_locked(&r);
		port_read_unlock(s2->port, &s2->lock);
		port_relax_point(s2->port);
		if (r.result == S2_RACED || r.result == S2_NEEDS_COLLAPSE) {
			error = ERR_AGAIN;
			break;
		}
	}
	table_cache_drain(&r.cache, s2->port);
	return (struct s2_map_result){ r.done, r.installed, error, r.result };
}
