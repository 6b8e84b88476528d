/* SPDX-License-Identifier: Apache-2.0 */
/* A table whose leaves say what one block would say becomes that block, in place. */
#include "engine/stage2_priv.h"

/* Leaves of a table at the level below, against the block that is to be. */
struct agreement {
	bool in_place; /* all are leaves of the block's type, at their place in its output */
	bool exact;    /* and equal to what splitting the block would give */
	u64 accessed;  /* DESC_AF if one of them was; the block has it, so exact implies all were */
};

static struct agreement table_agreement(struct stage2 *s2, const u64 *table, u64 block, int level)
{
	u64 child = desc_child(block, level, 0), size = level_size(level + 1);
	u64 differs = 0, accessed = 0;

	for (u64 i = 0; i < TABLE_ENTRIES && !(differs & ~DESC_SOFT); i++, child += size) {
		u64 d = port_desc_load(s2->port, &table[i]);

		differs |= d ^ child;
		accessed |= d & DESC_AF;
	}
	return (struct agreement){ !(differs & ~DESC_SOFT), !differs, accessed };
}

/* No walk reaches the table any more: what hardware marked last is final. */
static void log_table(struct stage2 *s2, const u64 *table, u64 ipa)
{
	for (u64 i = 0; s2->hw_dirty && i < TABLE_ENTRIES; i++)
		log_taken(s2, ipa + (i << PAGE_SHIFT), port_desc_load(s2->port, &table[i]));
}

/* At FEAT_BBM level 2 no vCPU finds the place empty meanwhile. Nothing is left for hardware to mark
 * in leaves that are accessed and have no DBM, so the table stays what it was compared as. */
static void resize(struct stage2 *s2, const struct s2_pos *pos, u64 ipa, u64 block,
		   unsigned int owed)
{
	cmo_pay(s2, desc_pa(block), level_size(pos->level), owed);
	bbm_resize(s2, pos->entry, block, ipa, pos->level);
}

static void break_and_make(struct stage2 *s2, const struct s2_pos *pos, u64 ipa, u64 block,
			   unsigned int owed)
{
	u64 size = level_size(pos->level);

	bbm_take(s2, pos->entry, DESC_BUSY);
	stat_inc(s2, STAT_desc_write);
	tlb_flush_range(s2, ipa, ipa + size, LEVEL_MIXED);
	cmo_pay(s2, desc_pa(block), size, owed);
	bbm_make(s2, pos->entry, block);
}

enum s2_recover stage2_recover(struct stage2 *s2, ipa_t ipa, const struct s2_leaf *leaf,
			       unsigned int owed)
{
	struct s2_pos pos = walk_to(s2, ipa.v, leaf->level);
	u64 block = desc_leaf(s2, leaf);
	struct agreement a;
	u64 *table;

	if (pos.level != leaf->level || !desc_is_table(pos.old, pos.level))
		return S2_RECOVER_NO_TABLE;
	table = port_table_at(s2->port, desc_pa(pos.old));
	a = table_agreement(s2, table, block, pos.level);
	if (!a.in_place)
		return S2_RECOVER_DISAGREES;

	if (a.exact && s2->caps->bbm >= 2)
		resize(s2, &pos, ipa.v, block, owed);
	else
		break_and_make(s2, &pos, ipa.v, (block & ~DESC_AF) | a.accessed, owed);
	if (pos.level + 1 == LEVEL_4K)
		log_table(s2, table, ipa.v);
	port_table_retire(s2->port, table);
	account_unmapped(s2, pos.level + 1, leaf->type, level_size(pos.level));
	account_mapped(s2, pos.level, leaf->type, level_size(pos.level));
	stat_inc(s2, STAT_table_free);
	stat_inc(s2, STAT_recover);
	return S2_RECOVERED;
}
