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

/* The leaf that is wanted, as a descriptor, and where. */
struct want {
	u64 desc;
	u64 ipa;
	int level;
	unsigned int owed;
	enum s2_type type;
};

/* Does the larger leaf say the same of the wanted place: output address and type? */
static bool larger_agrees(const struct s2_pos *pos, const struct want *w)
{
	u64 pa = desc_pa(pos->old).v + (w->ipa & (level_size(pos->level) - 1));

	return pa == desc_pa(w->desc).v && !((pos->old ^ w->desc) & DESC_MEMATTR);
}

/* Of the planned level, output address and type? */
static bool is_same_leaf(u64 old, const struct want *w)
{
	return !((old ^ w->desc) & ~DESC_SOFT);
}

static enum entry_class classify(const struct s2_pos *pos, const struct want *w)
{
	if (pos->old == DESC_EMPTY)
		return ENTRY_EMPTY;
	if (!desc_is_valid(pos->old))
		return ENTRY_BUSY;
	if (pos->level < w->level)
		return larger_agrees(pos, w) ? ENTRY_LARGER : ENTRY_LARGER_OTHER;
	if (desc_is_table(pos->old, pos->level))
		return ENTRY_TABLE;
	return is_same_leaf(pos->old, w) ? ENTRY_SAME : ENTRY_OTHER;
}

/* A larger leaf that was not accessed for long gets its Access flag by its own fault; the planned
 * one gets it now. A block has no DBM, and is not split for the want of it. */
static enum entry_perms perms_class(const struct s2_pos *pos, const struct want *w)
{
	u64 lacks;

	if (pos->old == DESC_EMPTY)
		return PERMS_MISSING;
	lacks = desc_relaxed(pos->old, w->desc) ^ pos->old;
	if (pos->level < w->level)
		lacks &= ~(DESC_AF | DESC_DBM);
	return lacks ? PERMS_MISSING : PERMS_ENOUGH;
}

/* What is owed when @old becomes @relaxed. */
static unsigned int owed_on_relax(const struct stage2 *s2, u64 old, u64 relaxed, unsigned int owed)
{
	if (!(old & ~relaxed & DESC_XN))
		return 0;
	return s2->caps->idc ? owed & ~(unsigned int)CMO_DCACHE : owed;
}

static inline enum s2_result install_leaf(struct stage2 *s2, u64 *entry, const struct want *w)
{
	if (w->owed)
		cmo_pay(s2, desc_pa(w->desc), level_size(w->level), w->owed);
	if (!bbm_install(s2, entry, w->desc))
		return S2_RACED;
	port_desc_publish(s2->port);
	account_mapped(s2, w->level, w->type, level_size(w->level));
	stat_inc(s2, STAT_install);
	return S2_DONE_INSTALL;
}

static enum s2_result do_install(struct stage2 *s2, struct table_cache *cache,
				 const struct s2_pos *pos, const struct want *w)
{
	u64 *entry = pos->entry;

	for (int level = pos->level; level < w->level; level++) {
		u64 *table = cache->page[cache->count - 1];

		if (!bbm_install(s2, entry, desc_table(port_table_pa(s2->port, table))))
			return S2_RACED;
		cache->count--;
		stat_inc(s2, STAT_table_alloc);
		entry = table + desc_index(w->ipa, level + 1);
	}
	return install_leaf(s2, entry, w);
}

static inline enum s2_result relax_leaf(struct stage2 *s2, const struct s2_pos *pos,
					const struct want *w, u64 relaxed)
{
	if (!bbm_relax(s2, pos->entry, pos->old, relaxed))
		return S2_RACED;
	tlb_flush_local(s2, w->ipa, pos->level);
	stat_inc(s2, STAT_relax);
	return S2_DONE_RELAX;
}

static enum s2_result do_relax(struct stage2 *s2, const struct s2_pos *pos, const struct want *w)
{
	u64 relaxed = desc_relaxed(pos->old, w->desc);
	unsigned int owed = owed_on_relax(s2, pos->old, relaxed, w->owed);

	if (owed)
		cmo_pay(s2, desc_pa(w->desc), level_size(w->level), owed);
	return relax_leaf(s2, pos, w, relaxed);
}

/* After bbm_break(): what the old leaf owes, then nothing of it is left. */
static void pay_old(struct stage2 *s2, const struct s2_pos *pos, u64 ipa)
{
	if (cmo_owed_after(s2, pos->old))
		cmo_pay_after(s2, desc_pa(pos->old), level_size(pos->level));
	log_taken(s2, ipa, pos->old);
	account_unmapped(s2, pos->level, desc_type(pos->old), level_size(pos->level));
}

static enum s2_result do_replace(struct stage2 *s2, const struct s2_pos *pos, const struct want *w)
{
	if (!bbm_break(s2, pos->entry, pos->old, w->ipa, pos->level))
		return S2_RACED;
	pay_old(s2, pos, w->ipa);
	cmo_pay(s2, desc_pa(w->desc), level_size(w->level), w->owed);
	bbm_make(s2, pos->entry, w->desc);
	account_mapped(s2, w->level, w->type, level_size(w->level));
	stat_inc(s2, STAT_replace);
	return S2_DONE_REPLACE;
}

static enum s2_result do_break(struct stage2 *s2, const struct s2_pos *pos, const struct want *w)
{
	u64 base = ALIGN_DOWN(w->ipa, level_size(pos->level));

	if (!bbm_break(s2, pos->entry, pos->old, base, pos->level))
		return S2_RACED;
	pay_old(s2, pos, base);
	bbm_settle(s2, pos->entry, DESC_EMPTY);
	stat_inc(s2, STAT_replace);
	return S2_DONE_BREAK;
}

/* The children differ in their addresses only. */
static void fill_table(struct stage2 *s2, u64 *table, u64 block, int level)
{
	u64 child = desc_child(block, level, 0), stride = level_size(level + 1);

	for (u64 i = 0; i < TABLE_ENTRIES; i++, child += stride)
		port_desc_store(s2->port, &table[i], child);
}

static void account_split(struct stage2 *s2, u64 old, int level)
{
	account_unmapped(s2, level, desc_type(old), level_size(level));
	account_mapped(s2, level + 1, desc_type(old), level_size(level));
	stat_inc(s2, STAT_table_alloc);
	stat_inc(s2, STAT_split);
}

bool split_block(struct stage2 *s2, u64 *entry, u64 old, u64 ipa, int level, u64 *table,
		 const struct split_page *page)
{
	u64 base = ALIGN_DOWN(ipa, level_size(level));

	fill_table(s2, table, old, level);
	if (page)
		port_desc_store(s2->port, &table[page->index], page->desc);

	if (!bbm_break(s2, entry, old, base, level)) {
		port_table_free(s2->port, table, 0);
		return false;
	}
	bbm_make(s2, entry, desc_table(port_table_pa(s2->port, table)));
	account_split(s2, old, level);
	return true;
}

/* Hardware must have nothing left to set in the block, nor the table be more than smaller leaves.
 */
static bool may_resize(const struct stage2 *s2, u64 block)
{
	return s2->caps->bbm >= 2 && (block & (DESC_AF | DESC_LOGGED)) == DESC_AF;
}

bool split_block_alone(struct stage2 *s2, u64 *entry, u64 old, u64 ipa, int level, u64 *table)
{
	if (!may_resize(s2, old))
		return split_block(s2, entry, old, ipa, level, table, NULL);
	fill_table(s2, table, old, level);
	bbm_resize(s2, entry, desc_table(port_table_pa(s2->port, table)),
		   ALIGN_DOWN(ipa, level_size(level)), level);
	account_split(s2, old, level);
	return true;
}

/* One level down; on the last one the page asked for gains its permissions. False: raced. */
static bool do_split(struct stage2 *s2, struct table_cache *cache, const struct s2_pos *pos,
		     const struct want *w)
{
	u64 index = desc_index(w->ipa, pos->level + 1);
	u64 child = desc_child(pos->old, pos->level, index);
	struct split_page page = { index, child };

	if (pos->level + 1 == w->level) {
		page.desc = desc_relaxed(child, w->desc);
		cmo_pay(s2, desc_pa(w->desc), level_size(w->level),
			owed_on_relax(s2, child, page.desc, w->owed));
	}
	return split_block(s2, pos->entry, pos->old, w->ipa, pos->level,
			   cache->page[--cache->count], &page);
}

static enum s2_result do_keep(struct stage2 *s2, const struct s2_pos *pos, const struct want *w)
{
	/* The fault came from a stale entry of this CPU, or another CPU was first. */
	tlb_flush_local(s2, w->ipa, pos->level);
	stat_inc(s2, STAT_fault_spurious);
	return S2_DONE_KEEP;
}

/* The page is to differ from those it shares TLB entries with. */
static void part_from_group(struct stage2 *s2, const struct s2_pos *pos, const struct want *w)
{
	hint_clear(s2, pos->entry);
	tlb_flush_range(s2, w->ipa, w->ipa + PAGE_SIZE, LEVEL_4K);
}

static bool lacks_tables(const struct table_cache *cache, const struct s2_pos *pos,
			 const struct want *w, enum settle action)
{
	return (int)cache->count < w->level - pos->level &&
	       (action == SETTLE_INSTALL || action == SETTLE_SPLIT);
}

static struct want want_of(const struct stage2 *s2, ipa_t ipa, const struct s2_leaf *leaf,
			   unsigned int owed)
{
	return (struct want){ desc_leaf(s2, leaf), ipa.v, leaf->level, owed, leaf->type };
}

enum s2_result stage2_settle(struct stage2 *s2, struct table_cache *cache, ipa_t ipa,
			     const struct s2_leaf *leaf, unsigned int owed)
{
	struct want w = want_of(s2, ipa, leaf, owed);
	bool has_split = false;

	for (;;) {
		struct s2_pos pos = walk_to(s2, ipa.v, w.level);
		enum settle action = settle(classify(&pos, &w), perms_class(&pos, &w));

		if (lacks_tables(cache, &pos, &w, action))
			return S2_NEEDS_TABLES;
		switch (action) {
		case SETTLE_INSTALL: return do_install(s2, cache, &pos, &w);
		case SETTLE_RELAX:
			if (!desc_has_hint(pos.old))
				return do_relax(s2, &pos, &w);
			part_from_group(s2, &pos, &w);
			break;
		case SETTLE_KEEP: return has_split ? S2_DONE_SPLIT : do_keep(s2, &pos, &w);
		case SETTLE_REPLACE:
			if (!desc_has_hint(pos.old))
				return do_replace(s2, &pos, &w);
			part_from_group(s2, &pos, &w);
			break;
		case SETTLE_BREAK: return do_break(s2, &pos, &w);
		case SETTLE_COLLAPSE: return S2_NEEDS_COLLAPSE;
		case SETTLE_SPLIT:
			if (!do_split(s2, cache, &pos, &w))
				return S2_RACED;
			has_split = true;
			break; /* meets the entry in the new table */
		case SETTLE_RETRY:
		case SETTLE_COUNT: return S2_RACED;
		}
	}
}

/* A leaf over an empty entry of its level, or one that is there and lacks permissions, nothing
 * owed: nearly every fault comes to that. It goes straight through, as settle's table says of both.
 */
enum s2_result stage2_commit(struct stage2 *s2, struct table_cache *cache, ipa_t ipa,
			     const struct s2_leaf *leaf, unsigned int owed)
{
	s8 level = leaf->level;
	struct s2_pos pos = walk_to(s2, ipa.v, level);
	struct want w;

	if (pos.level != level || owed)
		return stage2_settle(s2, cache, ipa, leaf, owed);

	w = want_of(s2, ipa, leaf, 0);
	if (pos.old == DESC_EMPTY)
		return install_leaf(s2, pos.entry, &w);
	if (!((pos.old ^ w.desc) & ~DESC_PLAIN) && desc_union(pos.old, w.desc) != pos.old)
		return relax_leaf(s2, &pos, &w, desc_union(pos.old, w.desc));
	return stage2_settle(s2, cache, ipa, leaf, owed);
}
