/* SPDX-License-Identifier: Apache-2.0 */
/* A planned leaf is put into the tables: settle, then carry out what it says. */
#include "engine/settle.h"
#include "engine/stage2_priv.h"

unsigned int stage2_tables_max(const struct stage2 *s2)
{
	return (unsigned int)(LEVEL_4K - s2->start_level);
}

unsigned int stage2_tables_missing(struct stage2 *s2, ipa_t ipa, int level)
{
	int reached;

	port_walk_enter(s2->port);
	reached = walk_to(s2, ipa.v, level).level;
	port_walk_leave(s2->port);
	return (unsigned int)(level - reached);
}

/* Does the leaf @d at @level say the same of @ipa as @leaf: output address and type? */
static bool agrees(const struct stage2 *s2, u64 d, int level, u64 ipa, const struct s2_leaf *leaf)
{
	u64 pa = desc_pa(d).v + (ipa & (level_size(level) - 1));

	return pa == leaf->pa.v && (d & DESC_MEMATTR) == desc_memattr(leaf->type, s2->caps->fwb);
}

static enum entry_class classify(const struct stage2 *s2, const struct s2_pos *pos, u64 ipa,
				 const struct s2_leaf *leaf)
{
	bool larger = pos->level < leaf->level;

	if (pos->old == DESC_EMPTY)
		return ENTRY_EMPTY;
	if (!desc_is_valid(pos->old))
		return ENTRY_BUSY;
	if (desc_is_table(pos->old, pos->level))
		return ENTRY_TABLE;
	if (agrees(s2, pos->old, pos->level, ipa, leaf))
		return larger ? ENTRY_LARGER : ENTRY_SAME;
	return larger ? ENTRY_LARGER_OTHER : ENTRY_OTHER;
}

/* A larger leaf that was not accessed for long gets its Access flag by its own fault; the planned
 * one gets it now. */
static enum entry_perms perms_class(const struct s2_pos *pos, const struct s2_leaf *leaf)
{
	if (leaf->perms & ~desc_perms(pos->old))
		return PERMS_MISSING;
	if (pos->level == leaf->level && !(pos->old & DESC_AF))
		return PERMS_MISSING;
	return PERMS_ENOUGH;
}

/* What is owed when @old gains the permissions of the plan. */
static unsigned int owed_on_relax(const struct stage2 *s2, u64 old, u8 perms, unsigned int owed)
{
	bool gains_exec = (perms & S2_X) && (old & DESC_XN);

	if (!gains_exec)
		return 0;
	return s2->caps->idc ? owed & ~(unsigned int)CMO_DCACHE : owed;
}

static enum s2_result do_install(struct stage2 *s2, struct table_cache *cache,
				 const struct s2_pos *pos, u64 ipa, const struct s2_leaf *leaf,
				 unsigned int owed)
{
	u64 *entry = pos->entry;

	for (int level = pos->level; level < leaf->level; level++) {
		u64 *table = cache->page[cache->count - 1];

		if (!bbm_install(s2, entry, desc_table(port_table_pa(s2->port, table))))
			return S2_RACED;
		cache->count--;
		stat_inc(s2, STAT_table_alloc);
		entry = table + desc_index(ipa, level + 1);
	}
	cmo_pay(s2, leaf->pa, level_size(leaf->level), owed);
	if (!bbm_install(s2, entry, desc_leaf(leaf, s2->caps->fwb)))
		return S2_RACED;
	port_desc_publish(s2->port);
	account_mapped(s2, leaf->level, leaf->type, level_size(leaf->level));
	stat_inc(s2, STAT_install);
	return S2_DONE_INSTALL;
}

static enum s2_result do_relax(struct stage2 *s2, const struct s2_pos *pos, u64 ipa,
			       const struct s2_leaf *leaf, unsigned int owed)
{
	cmo_pay(s2, leaf->pa, level_size(leaf->level),
		owed_on_relax(s2, pos->old, leaf->perms, owed));
	if (!bbm_relax(s2, pos->entry, pos->old, desc_add_perms(pos->old, leaf->perms) | DESC_AF))
		return S2_RACED;
	port_desc_publish(s2->port);
	tlb_flush_local(s2, ipa, pos->level);
	stat_inc(s2, STAT_relax);
	return S2_DONE_RELAX;
}

/* After bbm_break(): what the old leaf owes, then nothing of it is left. */
static void pay_old(struct stage2 *s2, const struct s2_pos *pos)
{
	if (cmo_owed_after(s2, pos->old))
		cmo_pay_after(s2, desc_pa(pos->old), level_size(pos->level));
	account_unmapped(s2, pos->level, desc_type(pos->old), level_size(pos->level));
}

static enum s2_result do_replace(struct stage2 *s2, const struct s2_pos *pos, u64 ipa,
				 const struct s2_leaf *leaf, unsigned int owed)
{
	if (!bbm_break(s2, pos->entry, pos->old, ipa, pos->level))
		return S2_RACED;
	pay_old(s2, pos);
	cmo_pay(s2, leaf->pa, level_size(leaf->level), owed);
	bbm_make(s2, pos->entry, desc_leaf(leaf, s2->caps->fwb));
	account_mapped(s2, leaf->level, leaf->type, level_size(leaf->level));
	stat_inc(s2, STAT_replace);
	return S2_DONE_REPLACE;
}

static enum s2_result do_break(struct stage2 *s2, const struct s2_pos *pos, u64 ipa)
{
	u64 base = ALIGN_DOWN(ipa, level_size(pos->level));

	if (!bbm_break(s2, pos->entry, pos->old, base, pos->level))
		return S2_RACED;
	pay_old(s2, pos);
	bbm_settle(s2, pos->entry, DESC_EMPTY);
	stat_inc(s2, STAT_replace);
	return S2_DONE_BREAK;
}

bool split_block(struct stage2 *s2, u64 *entry, u64 old, u64 ipa, int level, u64 *table, u64 index,
		 u8 more)
{
	u64 base = ALIGN_DOWN(ipa, level_size(level));

	for (u64 i = 0; i < TABLE_ENTRIES; i++)
		port_desc_store(s2->port, &table[i], desc_child(old, level, i));
	port_desc_store(s2->port, &table[index], desc_add_perms(table[index], more) | DESC_AF);

	if (!bbm_break(s2, entry, old, base, level)) {
		port_table_free(s2->port, table, 0);
		return false;
	}
	bbm_make(s2, entry, desc_table(port_table_pa(s2->port, table)));
	account_unmapped(s2, level, desc_type(old), level_size(level));
	account_mapped(s2, level + 1, desc_type(old), level_size(level));
	stat_inc(s2, STAT_table_alloc);
	stat_inc(s2, STAT_split);
	return true;
}

/* One level down; the page asked for gains its permissions on the last one. False: raced. */
static bool do_split(struct stage2 *s2, struct table_cache *cache, const struct s2_pos *pos,
		     u64 ipa, const struct s2_leaf *leaf, unsigned int owed)
{
	bool last = pos->level + 1 == leaf->level;
	u8 more = last ? leaf->perms : 0;

	cmo_pay(s2, leaf->pa, level_size(leaf->level), owed_on_relax(s2, pos->old, more, owed));
	return split_block(s2, pos->entry, pos->old, ipa, pos->level, cache->page[--cache->count],
			   desc_index(ipa, pos->level + 1), more);
}

static enum s2_result do_keep(struct stage2 *s2, const struct s2_pos *pos, u64 ipa)
{
	/* The fault came from a stale entry of this CPU, or another CPU was first. */
	tlb_flush_local(s2, ipa, pos->level);
	stat_inc(s2, STAT_fault_spurious);
	return S2_DONE_KEEP;
}

static bool lacks_tables(const struct table_cache *cache, const struct s2_pos *pos,
			 const struct s2_leaf *leaf, enum settle action)
{
	return (action == SETTLE_INSTALL || action == SETTLE_SPLIT) &&
	       (int)cache->count < leaf->level - pos->level;
}

enum s2_result stage2_commit(struct stage2 *s2, struct table_cache *cache, ipa_t ipa,
			     const struct s2_leaf *leaf, unsigned int owed)
{
	bool has_split = false;

	for (;;) {
		struct s2_pos pos = walk_to(s2, ipa.v, leaf->level);
		enum settle action =
			settle(classify(s2, &pos, ipa.v, leaf), perms_class(&pos, leaf));

		if (lacks_tables(cache, &pos, leaf, action))
			return S2_NEEDS_TABLES;
		switch (action) {
		case SETTLE_INSTALL: return do_install(s2, cache, &pos, ipa.v, leaf, owed);
		case SETTLE_RELAX: return do_relax(s2, &pos, ipa.v, leaf, owed);
		case SETTLE_KEEP: return has_split ? S2_DONE_SPLIT : do_keep(s2, &pos, ipa.v);
		case SETTLE_REPLACE: return do_replace(s2, &pos, ipa.v, leaf, owed);
		case SETTLE_BREAK: return do_break(s2, &pos, ipa.v);
		case SETTLE_COLLAPSE: return S2_NEEDS_COLLAPSE;
		case SETTLE_SPLIT:
			if (!do_split(s2, cache, &pos, ipa.v, leaf, owed))
				return S2_RACED;
			has_split = true;
			break; /* meets the entry in the new table */
		case SETTLE_RETRY:
		case SETTLE_COUNT: return S2_RACED;
		}
	}
}
