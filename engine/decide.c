/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy as const tables. policy[] has one entry for each combination of facts and names a row;
 * a row is an answer with its reason.
 */
#include "engine/decide.h"

#include "engine/desc.h"

enum policy_row_id {
	ROW_RAM,	    /* M2 with FWB */
	ROW_RAM_CLEANED,    /* M2 without */
	ROW_FORCED,	    /* M3 */
	ROW_UNREACHABLE,    /* M4 */
	ROW_NC_RAM,	    /* M5 */
	ROW_NC_RAM_OWNER,   /* M5 */
	ROW_NC,		    /* M5 */
	ROW_DEVICE,	    /* M5 */
	ROW_DEVICE_RAM,	    /* M5 */
	ROW_FETCH,	    /* M5 */
	ROW_GUARANTEE_CPU,  /* M10 */
	ROW_GUARANTEE_TYPE, /* M10 */
	ROW_COUNT,
};

struct policy_answer {
	enum verdict verdict;
	enum s2_type type;
	u8 owed; /* data maintenance before the descriptor becomes valid */
	enum reason why;
};

static const struct policy_answer answers[ROW_COUNT] = {
	[ROW_RAM] = { VERDICT_MAP, S2_NORMAL, 0, WHY_RAM_FWB },
	[ROW_RAM_CLEANED] = { VERDICT_MAP, S2_NORMAL, CMO_DCACHE, WHY_RAM_CLEANED },
	[ROW_FORCED] = { VERDICT_MAP, S2_NORMAL, 0, WHY_FORCED_WB },
	[ROW_UNREACHABLE] = { VERDICT_REFUSE, S2_NORMAL, 0, WHY_CANNOT_CLEAN },
	[ROW_NC_RAM] = { VERDICT_MAP, S2_NORMAL_NC, CMO_DCACHE, WHY_NC_RAM },
	[ROW_NC_RAM_OWNER] = { VERDICT_MAP, S2_NORMAL_NC, CMO_DCACHE, WHY_NC_OWNER },
	[ROW_NC] = { VERDICT_MAP, S2_NORMAL_NC, 0, WHY_NC_OWNER },
	[ROW_DEVICE] = { VERDICT_MAP, S2_DEVICE, 0, WHY_DEVICE },
	[ROW_DEVICE_RAM] = { VERDICT_MAP, S2_DEVICE, CMO_DCACHE, WHY_DEVICE },
	[ROW_FETCH] = { VERDICT_INJECT_SEA, S2_DEVICE, 0, WHY_FETCH_UNCACHED },
	[ROW_GUARANTEE_CPU] = { VERDICT_REFUSE, S2_NORMAL, 0, WHY_WB_NO_FWB },
	[ROW_GUARANTEE_TYPE] = { VERDICT_REFUSE, S2_NORMAL, 0, WHY_WB_NOT_WB },
};

/* What is asked for: data or a fetch, from a slot without or with a write-back guarantee. */
enum ask { ASK_DATA, ASK_FETCH, ASK_DATA_WB, ASK_FETCH_WB };

#define ASKS(data, fetch, data_wb, fetch_wb)                                                       \
	{                                                                                          \
		[ASK_DATA] = ROW_##data, [ASK_FETCH] = ROW_##fetch, [ASK_DATA_WB] = ROW_##data_wb, \
		[ASK_FETCH_WB] = ROW_##fetch_wb                                                    \
	}
#define NOT_WB(data) ASKS(data, FETCH, GUARANTEE_TYPE, GUARANTEE_TYPE)
#define BOTH(row)                                                                                  \
	{                                                                                          \
		row, row                                                                           \
	}

/* [type][reach][owner][FWB][ask] */
static const u8 policy[MEM_TYPE_COUNT][REACH_COUNT][OWNER_COUNT][2][POLICY_ASKS] = {
	[MEM_WB] = {
		[REACH_ALIAS] = {
			[OWNER_TYPE_FIXED] = {
				ASKS(RAM_CLEANED, RAM_CLEANED, GUARANTEE_CPU, GUARANTEE_CPU),
				ASKS(RAM, RAM, RAM, RAM),
			},
			[OWNER_ANY_UNCACHED] = {
				ASKS(RAM_CLEANED, RAM_CLEANED, GUARANTEE_CPU, GUARANTEE_CPU),
				ASKS(RAM, RAM, RAM, RAM),
			},
		},
		[REACH_NONE] = {
			[OWNER_TYPE_FIXED] = {
				ASKS(UNREACHABLE, UNREACHABLE, UNREACHABLE, UNREACHABLE),
				ASKS(FORCED, FORCED, FORCED, FORCED),
			},
			[OWNER_ANY_UNCACHED] = {
				ASKS(UNREACHABLE, UNREACHABLE, UNREACHABLE, UNREACHABLE),
				ASKS(FORCED, FORCED, FORCED, FORCED),
			},
		},
	},
	[MEM_NC] = {
		[REACH_ALIAS] = {
			[OWNER_TYPE_FIXED] = BOTH(NOT_WB(NC_RAM)),
			[OWNER_ANY_UNCACHED] = BOTH(NOT_WB(NC_RAM_OWNER)),
		},
		[REACH_NONE] = {
			[OWNER_TYPE_FIXED] = BOTH(NOT_WB(DEVICE)),
			[OWNER_ANY_UNCACHED] = BOTH(NOT_WB(NC)),
		},
	},
	[MEM_DEVICE] = {
		[REACH_ALIAS] = {
			[OWNER_TYPE_FIXED] = BOTH(NOT_WB(DEVICE_RAM)),
			[OWNER_ANY_UNCACHED] = BOTH(NOT_WB(NC_RAM_OWNER)),
		},
		[REACH_NONE] = {
			[OWNER_TYPE_FIXED] = BOTH(NOT_WB(DEVICE)),
			[OWNER_ANY_UNCACHED] = BOTH(NOT_WB(NC)),
		},
	},
};

unsigned int policy_row_count(void)
{
	return ROW_COUNT;
}

unsigned int policy_row(enum mem_type type, enum mem_reach reach, enum mem_owner owner, bool fwb,
			bool fetch, bool guarantee)
{
	return policy[type][reach][owner][fwb][(guarantee ? ASK_DATA_WB : ASK_DATA) + fetch];
}

/* ---- size (M6) */

/* The largest level whose block around @ipa lies in the slot, its host addresses aligned alike. */
static s8 slot_level(const struct slot_view *slot, u64 ipa)
{
	u64 start = slot->gfn << PAGE_SHIFT, end = start + (slot->npages << PAGE_SHIFT);

	for (int level = LEVEL_1G; level < LEVEL_4K; level++) {
		u64 size = level_size(level), base = ALIGN_DOWN(ipa, size);

		if (base >= start && base + size <= end && !((start ^ slot->hva.v) & (size - 1)))
			return (s8)level;
	}
	return LEVEL_4K;
}

/* A block's output address must be aligned to its size; a host leaf gives that. */
static s8 leaf_level(const struct host_leaf *leaf, u64 ipa)
{
	s8 level = max(leaf->level, (s8)LEVEL_1G);

	while (level < LEVEL_4K && ((leaf->pa.v ^ ipa) & (level_size(level) - 1)))
		level++;
	return level;
}

static void bound(struct fault_plan *plan, s8 level, enum limit by)
{
	if (level > plan->level) {
		plan->level = level;
		plan->bound_by = by;
	}
}

/* Nothing is maintained by address, or upgraded, beyond what the host leaf says (M6). */
static void decide_size(struct fault_plan *plan, const struct decide_req *req,
			const struct slot_view *slot, const struct host_leaf *leaf)
{
	u64 mask;

	plan->level = LEVEL_1G;
	plan->bound_by = LIMIT_NONE;
	bound(plan, req->top_level, LIMIT_TABLE);
	/* The slot before the leaf's own address: where both lie askew, it is the slot that does.
	 */
	bound(plan, max(leaf->level, (s8)LEVEL_1G), LIMIT_HOST);
	bound(plan, slot_level(slot, req->ipa.v), LIMIT_SLOT);
	bound(plan, leaf_level(leaf, req->ipa.v), LIMIT_HOST);
	if (plan->logged)
		bound(plan, LEVEL_4K, LIMIT_LOGGING);
	mask = ~(level_size(plan->level) - 1);
	plan->ipa = IPA(req->ipa.v & mask);
	plan->pa = PA(leaf->pa.v & mask);
}

/* ---- permissions and maintenance */

static bool may_write(const struct slot_view *slot, const struct host_leaf *leaf)
{
	return leaf->writable && !(slot->flags & SLOT_READONLY);
}

static u8 decide_perms(const struct fault_plan *plan, const struct decide_req *req,
		       const struct slot_view *slot, const struct host_leaf *leaf,
		       const struct port_caps *caps)
{
	u8 perms = S2_R;

	if (may_write(slot, leaf) && (!plan->logged || req->access == MEM_WRITE))
		perms |= S2_W;
	if (may_write(slot, leaf) && plan->logged && req->hw_dirty)
		perms |= S2_DBM;
	/* Without DIC, execution is granted only where it is used: each grant costs maintenance. */
	if (plan->type == S2_NORMAL && (caps->dic || req->access == MEM_EXEC))
		perms |= S2_X;
	return perms;
}

static u8 icache_owed(u8 perms, const struct host_leaf *leaf, const struct port_caps *caps)
{
	if (!(perms & S2_X) || caps->dic)
		return 0;
	return leaf->reach == REACH_ALIAS ? CMO_ICACHE : CMO_ICACHE_ALL;
}

static struct fault_plan refuse(enum verdict verdict, enum reason why, const struct decide_req *req)
{
	struct fault_plan plan = { .verdict = verdict, .why = why, .ipa = req->ipa };

	if (req->is_cmo) {
		plan.verdict = VERDICT_SKIP;
		plan.why = WHY_CMO_REFUSED;
	}
	return plan;
}

struct fault_plan decide_fault(const struct decide_req *req, const struct slot_view *slot,
			       const struct host_leaf *leaf, const struct port_caps *caps)
{
	unsigned int row = policy_row(leaf->type, leaf->reach, leaf->owner, caps->fwb,
				      req->access == MEM_EXEC, slot->flags & SLOT_WRITE_BACK);
	const struct policy_answer *a = &answers[row];
	struct fault_plan plan = { .verdict = a->verdict, .type = a->type, .why = a->why };

	if (a->verdict != VERDICT_MAP)
		return refuse(a->verdict, a->why, req);
	if (req->is_walk && a->type == S2_DEVICE)
		return refuse(VERDICT_INJECT_SEA, WHY_WALK_DEVICE, req);
	if (req->access == MEM_WRITE && !leaf->writable)
		return refuse(VERDICT_REFUSE, WHY_NOT_WRITABLE, req);

	plan.logged = slot->logging && plan.type == S2_NORMAL;
	plan.surprising = slot->logging && plan.type != S2_NORMAL;
	if (plan.surprising)
		plan.why = WHY_LOG_UNLOGGED;
	decide_size(&plan, req, slot, leaf);
	plan.perms = decide_perms(&plan, req, slot, leaf, caps);
	plan.owed = a->owed | icache_owed(plan.perms, leaf, caps);
	plan.owed_after = (u8)decide_owed_after(plan.type, caps);
	return plan;
}

/* ---- slots (M7, M8, M10, M17) */

/* The refusal that faults on memory with these facts would meet, or WHY_NONE. */
static enum reason vet(enum mem_type type, enum mem_reach reach, enum mem_owner owner, u32 flags,
		       bool special, const struct port_caps *caps)
{
	unsigned int row =
		policy_row(type, reach, owner, caps->fwb, false, flags & SLOT_WRITE_BACK);

	if (answers[row].verdict == VERDICT_REFUSE)
		return answers[row].why;
	if ((flags & SLOT_LOG_DIRTY) && special && type != MEM_WB)
		return WHY_LOG_SPECIAL;
	return WHY_NONE;
}

/* The reason the first of all completions of the unknown facts is refused for, if all are, or
 * WHY_NONE. The first is plain RAM: what it lacks is the CPU's or the flag's, not a guess. */
static enum reason vet_all(const struct area_facts *area, u32 flags, const struct port_caps *caps)
{
	enum reason first = WHY_NONE;

	for (int t = 0; t < MEM_TYPE_COUNT; t++) {
		for (int r = 0; r < REACH_COUNT; r++) {
			if (area->type_known == KNOWN && t != (int)area->type)
				continue;
			if (area->reach_known == KNOWN && r != (int)area->reach)
				continue;
			enum reason why = vet((enum mem_type)t, (enum mem_reach)r, area->owner,
					      flags, area->special, caps);
			if (why == WHY_NONE)
				return WHY_NONE;
			if (first == WHY_NONE)
				first = why;
		}
	}
	return first;
}

struct slot_verdict decide_slot(const struct area_facts *area, u32 flags,
				enum slot_strictness strict, const struct port_caps *caps)
{
	enum reason why = vet_all(area, flags, caps);

	if (why != WHY_NONE)
		return (struct slot_verdict){ ERR_INVAL, why };
	if (strict == SLOTS_STRICT && !area->writable && !(flags & SLOT_READONLY))
		return (struct slot_verdict){ ERR_PERM, WHY_STRICT_WRITE };
	return (struct slot_verdict){ ERR_OK, WHY_NONE };
}
