/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may follow what in translation tables of the modelled machine without break, by FEAT_BBM's
 * level (Arm ARM, R_WHZWS, R_KFLJB, R_KHRBC), and which descriptors may stand side by side with the
 * Contiguous bit. Stricter than R_WHZWS in one thing: the output address never changes, not even
 * read-only and with the same contents.
 *
 *	level 0		a leaf changes in permissions, Access flag and dirty state alone
 *	level 1		also in the Contiguous bit and in nT; a block with nT set and a table of the
 *			same translations replace each other
 *	level 2		so do all blocks and tables of the same translations
 */
#include "port/model/machine_priv.h"

enum { ENTRIES = 512 };

/* What must agree where two leaves translate one address. */
static u64 hard_bits(u64 leaf)
{
	return leaf & ~(M_SOFT | M_ADDR | M_TABLE | M_CONT | M_NT);
}

static u64 first(const struct mapping *a)
{
	return m_is_wide(a) ? m_cont_base(a->ipa, a->level) : a->ipa;
}

static u64 end(const struct mapping *a)
{
	return first(a) + m_size(a->level) * (m_is_wide(a) ? M_CONT_ENTRIES : 1);
}

bool mapping_holds(const struct mapping *a, u64 ipa)
{
	return first(a) <= ipa && ipa < end(a);
}

bool mappings_meet(const struct mapping *a, const struct mapping *b)
{
	return first(a) < end(b) && first(b) < end(a);
}

u64 mapping_pa(const struct mapping *a, u64 ipa)
{
	return m_leaf_pa(a->desc, a->level) + (ipa - a->ipa);
}

static bool may_differ_in_size(const struct port *p, const struct mapping *made)
{
	return p->caps.bbm >= 2 || m_is_uncached(p, made);
}

static bool agree_leaves(const struct port *p, const struct mapping *held,
			 const struct mapping *made)
{
	if (hard_bits(held->desc) != hard_bits(made->desc) ||
	    mapping_pa(held, made->ipa) != mapping_pa(made, made->ipa))
		return false;
	if (held->level != made->level)
		return may_differ_in_size(p, made);
	return !((held->desc ^ made->desc) & M_CONT) || p->caps.bbm >= 1;
}

bool mappings_agree(const struct port *p, const struct mapping *held, const struct mapping *made)
{
	if (!held->is_table && !made->is_table)
		return agree_leaves(p, held, made);
	if (held->is_table && made->is_table)
		return held->level == made->level && !((held->desc ^ made->desc) & ~M_SOFT);
	/* That a table translates alike is judged leaf by leaf. */
	return may_differ_in_size(p, made) && held->level >= made->level;
}

/* ---- valid to valid */

/* Does the table translate as block @block at @level does, with the same permissions? */
static bool translates_as(const struct port *p, u64 table_desc, u64 block, int level)
{
	const u64 may_differ = M_AF | M_DBM | M_IGNORED | M_CONT | M_TABLE;
	const u64 *page = machine_table_at(p, PA(table_desc & M_ADDR));
	u64 child = (block & ~(M_ADDR | M_NT)) | m_leaf_pa(block, level);

	for (u64 i = 0; i < ENTRIES; i++) {
		if (!m_is_leaf(page[i], level + 1) ||
		    ((page[i] ^ (child + i * m_size(level + 1))) & ~may_differ))
			return false;
	}
	return true;
}

static bool only_size_change(const struct port *p, int level, u64 table, u64 block)
{
	if (p->caps.bbm < 2 && !(p->caps.bbm == 1 && (block & M_NT)))
		return false;
	return translates_as(p, table, block, level);
}

bool bbm_allows(const struct port *p, int level, u64 old, u64 new_value)
{
	u64 may_differ = M_SOFT;

	if (m_is_table(old, level) && m_is_table(new_value, level))
		return false;
	if (m_is_table(old, level))
		return only_size_change(p, level, old, new_value);
	if (m_is_table(new_value, level))
		return only_size_change(p, level, new_value, old);
	if (p->caps.bbm >= 1)
		may_differ |= M_CONT | (level < 3 ? M_NT : 0);
	return !((old ^ new_value) & ~may_differ);
}

/* ---- the Contiguous bit */

static const char *conflict(const struct port *p, const struct mapping *a, const struct mapping *b)
{
	if (m_is_table(b->desc, b->level))
		return p->caps.bbm < 2 ? "a table" : NULL;
	if (hard_bits(a->desc) != hard_bits(b->desc))
		return "other attributes";
	if (mapping_pa(a, a->ipa) != mapping_pa(b, a->ipa))
		return "another output address";
	if (((a->desc ^ b->desc) & M_CONT) && p->caps.bbm < 1)
		return "another Contiguous bit";
	return NULL;
}

void bbm_check_contiguous(struct port *p, const u64 *page, u64 index, const struct mapping *made)
{
	u64 set = index & ~(M_CONT_ENTRIES - 1), size = m_size(made->level);

	if ((made->desc & M_CONT) &&
	    ((m_leaf_pa(made->desc, made->level) ^ made->ipa) & (M_CONT_ENTRIES * size - 1)))
		machine_refuse(p, REFUSED_CONFLICT, made->ipa,
			       "contiguous descriptor %#lx of IPA %#lx is not aligned to its set",
			       (unsigned long)made->desc, (unsigned long)made->ipa);
	for (u64 i = set; i < set + M_CONT_ENTRIES; i++) {
		struct mapping other = { made->ipa + (i - index) * size, page[i], made->level,
					 false };
		const char *what;

		if (i == index || !(page[i] & M_VALID) || !((page[i] | made->desc) & M_CONT))
			continue;
		table_touch(p, &page[i], TOUCH_READ);
		what = conflict(p, made, &other);
		if (what)
			machine_refuse(p, REFUSED_CONFLICT, made->ipa,
				       "descriptor %#lx of IPA %#lx has %#lx beside it in its "
				       "contiguous set, with %s",
				       (unsigned long)made->desc, (unsigned long)made->ipa,
				       (unsigned long)page[i], what);
	}
}
