/* SPDX-License-Identifier: Apache-2.0 */
/* Break-before-make and the choice of TLB invalidations. */
#include "engine/bbm.h"

/* One RIPAS2E1IS reaches 8 GiB; beyond, and where ranges are not implemented and the leaves are
 * many, dropping the whole VMID costs less. */
#define TLBI_RANGE_MAX (8UL << 30)
enum { TLBI_SINGLE_MAX = 32 };

static u64 vmid_of(const struct stage2 *s2)
{
	return __atomic_load_n(&s2->vttbr, __ATOMIC_ACQUIRE) >> 48;
}

/*
 * A VM that never entered a guest has nothing in any TLB. The barrier orders the descriptor writes
 * before the look at the VMID; pairs with the one in stage2_enter(), after the VMID is set.
 */
static bool tlb_may_hold(struct stage2 *s2)
{
	if (vmid_of(s2))
		return true;
	port_desc_publish(s2->port);
	return vmid_of(s2) != 0;
}

enum tlbi_scope { SCOPE_SINGLE, SCOPE_RANGE, SCOPE_VMID };

static enum tlbi_scope tlbi_scope(const struct stage2 *s2, u64 size, int level)
{
	if (level != LEVEL_MIXED && size == level_size(level))
		return SCOPE_SINGLE;
	if (s2->caps->tlb_range)
		return size <= TLBI_RANGE_MAX ? SCOPE_RANGE : SCOPE_VMID;
	if (level != LEVEL_MIXED && size >> level_shift(level) <= TLBI_SINGLE_MAX)
		return SCOPE_SINGLE;
	return SCOPE_VMID;
}

static void tlbi_singles(struct stage2 *s2, struct port_tlbi *t, u64 start, u64 end, int level)
{
	for (u64 ipa = start; ipa < end; ipa += level_size(level)) {
		port_tlbi_ipa(s2->port, t, IPA(ipa), level);
		stat_inc(s2, STAT_tlbi_ipa);
	}
}

void tlb_flush_range(struct stage2 *s2, u64 start, u64 end, int level)
{
	struct port_tlbi t;
	enum tlbi_scope scope = tlbi_scope(s2, end - start, level);

	if (start == end || !tlb_may_hold(s2))
		return;

	port_tlbi_enter(s2->port, &t, &s2->vttbr);
	if (scope == SCOPE_VMID) {
		port_tlbi_vmid(s2->port, &t);
		stat_inc(s2, STAT_tlbi_vmid);
	} else {
		if (scope == SCOPE_SINGLE) {
			tlbi_singles(s2, &t, start, end, level);
		} else {
			port_tlbi_ipa_range(s2->port, &t, IPA(start), end - start, level);
			stat_inc(s2, STAT_tlbi_range);
		}
		port_tlbi_stage1(s2->port, &t);
		stat_inc(s2, STAT_tlbi_stage1);
	}
	port_tlbi_leave(s2->port, &t);
}

void tlb_flush_leaf(struct stage2 *s2, u64 ipa, int level)
{
	struct port_tlbi t;

	if (!tlb_may_hold(s2))
		return;
	port_tlbi_enter(s2->port, &t, &s2->vttbr);
	port_tlbi_ipa(s2->port, &t, IPA(ipa), level);
	port_tlbi_stage1(s2->port, &t);
	port_tlbi_leave(s2->port, &t);
	stat_inc(s2, STAT_tlbi_ipa);
	stat_inc(s2, STAT_tlbi_stage1);
}

void gather_table(struct tlb_gather *g, struct stage2 *s2, u64 *table)
{
	u64 link = g->tables ? port_table_pa(s2->port, g->tables).v : 0;

	port_desc_store(s2->port, &table[0], link);
	g->tables = table;
	stat_inc(s2, STAT_table_free);
}

void gather_flush(struct tlb_gather *g, struct stage2 *s2)
{
	tlb_flush_range(s2, g->start, g->end, g->level);
	g->start = 0;
	g->end = 0;
}

void gather_free(struct tlb_gather *g, struct stage2 *s2)
{
	while (g->tables) {
		u64 *table = g->tables;
		u64 link = port_desc_load(s2->port, &table[0]);

		g->tables = link ? port_table_at(s2->port, PA(link)) : NULL;
		port_table_retire(s2->port, table);
	}
}

bool bbm_break(struct stage2 *s2, u64 *entry, u64 old, u64 ipa, int level)
{
	if (!port_desc_cas(s2->port, entry, old, DESC_BUSY))
		return false;
	stat_inc(s2, STAT_desc_write);
	tlb_flush_leaf(s2, ipa, level);
	return true;
}

void bbm_resize(struct stage2 *s2, u64 *entry, u64 value, u64 ipa, int level)
{
	port_desc_swap(s2->port, entry, value);
	stat_inc(s2, STAT_desc_write);
	stat_inc(s2, STAT_resize);
	tlb_flush_range(s2, ipa, ipa + level_size(level), LEVEL_MIXED);
}

void bbm_make(struct stage2 *s2, u64 *entry, u64 value)
{
	port_desc_store(s2->port, entry, value);
	port_desc_publish(s2->port);
	stat_inc(s2, STAT_desc_write);
}
