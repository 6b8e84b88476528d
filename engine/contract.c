/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing two contracts: a table of checks. */
#include "engine/contract.h"

/* ---- what is checked. Each says whether the destination falls short, and for slots which. */

typedef bool check_fn(const struct contract *from, const struct contract *to, u64 *ipa);

static bool version_differs(const struct contract *from, const struct contract *to, u64 *ipa)
{
	(void)ipa;
	return from->version != to->version;
}

static bool granule_differs(const struct contract *from, const struct contract *to, u64 *ipa)
{
	(void)ipa;
	return from->granule != to->granule;
}

static bool ipa_space_is_smaller(const struct contract *from, const struct contract *to, u64 *ipa)
{
	(void)ipa;
	return from->ipa_bits > to->ipa_bits;
}

static bool lacks_dic(const struct contract *from, const struct contract *to, u64 *ipa)
{
	(void)ipa;
	return from->dic && !to->dic;
}

static bool lacks_idc(const struct contract *from, const struct contract *to, u64 *ipa)
{
	(void)ipa;
	return from->idc && !to->idc;
}

static bool lacks_fwb(const struct contract *from, const struct contract *to, u64 *ipa)
{
	(void)ipa;
	return from->fwb && !to->fwb;
}

static bool lacks_block(const struct contract *from, const struct contract *to, u64 *ipa)
{
	(void)ipa;
	return (from->blocks & ~to->blocks) != 0;
}

static bool lacks_hw_dirty(const struct contract *from, const struct contract *to, u64 *ipa)
{
	(void)ipa;
	return from->hw_dbm && !to->hw_dbm;
}

/* The first slot with @promise. */
static bool promises(const struct contract *c, u32 promise, u64 *ipa)
{
	for (u32 i = 0; i < c->slot_count; i++) {
		*ipa = c->slots[i].ipa;
		if (c->slots[i].promises & promise)
			return true;
	}
	return false;
}

static bool breaks_guarantee(const struct contract *from, const struct contract *to, u64 *ipa)
{
	return !to->fwb && promises(from, PROMISE_WRITE_BACK, ipa);
}

static bool breaks_pfnmap(const struct contract *from, const struct contract *to, u64 *ipa)
{
	return !to->fwb && promises(from, PROMISE_CACHEABLE_PFNMAP, ipa);
}

static bool slot_is_beyond(const struct contract *from, const struct contract *to, u64 *ipa)
{
	for (u32 i = 0; i < from->slot_count; i++) {
		*ipa = from->slots[i].ipa;
		if ((from->slots[i].ipa + from->slots[i].size - 1) >> to->ipa_bits)
			return true;
	}
	return false;
}

/* The slot of @c at the same place, or NULL. */
static const struct contract_slot *counterpart(const struct contract *c,
					       const struct contract_slot *s)
{
	for (u32 i = 0; i < c->slot_count; i++) {
		if (c->slots[i].ipa == s->ipa && c->slots[i].size == s->size)
			return &c->slots[i];
	}
	return NULL;
}

static bool slot_is_missing(const struct contract *from, const struct contract *to, u64 *ipa)
{
	for (u32 i = 0; to->slot_count && i < from->slot_count; i++) {
		*ipa = from->slots[i].ipa;
		if (!counterpart(to, &from->slots[i]))
			return true;
	}
	return false;
}

static bool slot_lacks_guarantee(const struct contract *from, const struct contract *to, u64 *ipa)
{
	for (u32 i = 0; i < from->slot_count; i++) {
		const struct contract_slot *s = counterpart(to, &from->slots[i]);

		*ipa = from->slots[i].ipa;
		if (s && (from->slots[i].promises & ~s->promises & PROMISE_WRITE_BACK))
			return true;
	}
	return false;
}

static bool slot_is_read_only_once(const struct contract *from, const struct contract *to, u64 *ipa)
{
	for (u32 i = 0; i < from->slot_count; i++) {
		const struct contract_slot *s = counterpart(to, &from->slots[i]);

		*ipa = from->slots[i].ipa;
		if (s && ((from->slots[i].promises ^ s->promises) & PROMISE_READ_ONLY))
			return true;
	}
	return false;
}

static check_fn *const checks[CONTRACT_REASON_COUNT] = {
	[CONTRACT_OTHER_VERSION] = version_differs,
	[CONTRACT_GRANULE] = granule_differs,
	[CONTRACT_IPA_SIZE] = ipa_space_is_smaller,
	[CONTRACT_DIC] = lacks_dic,
	[CONTRACT_IDC] = lacks_idc,
	[CONTRACT_FWB] = lacks_fwb,
	[CONTRACT_WRITE_BACK_SLOT] = breaks_guarantee,
	[CONTRACT_PFNMAP_SLOT] = breaks_pfnmap,
	[CONTRACT_SLOT_BEYOND_IPA] = slot_is_beyond,
	[CONTRACT_SLOT_MISSING] = slot_is_missing,
	[CONTRACT_SLOT_PROMISE] = slot_lacks_guarantee,
	[CONTRACT_SLOT_READ_ONLY] = slot_is_read_only_once,
	[CONTRACT_BLOCKS] = lacks_block,
	[CONTRACT_HW_DIRTY] = lacks_hw_dirty,
};

static void add(struct contract_comparison *c, enum contract_reason why, u64 ipa)
{
	c->finding[c->count++] = (struct contract_finding){ why, ipa };
	c->refusals += contract_reason_weight(why) == CONTRACT_REFUSE;
}

struct contract_comparison contract_compare(const struct contract *source,
					    const struct contract *destination)
{
	struct contract_comparison c = { .count = 0 };

	for (int i = 0; i < CONTRACT_REASON_COUNT; i++) {
		u64 ipa = 0;

		if (!checks[i](source, destination, &ipa))
			continue;
		add(&c, (enum contract_reason)i, ipa);
		if (i == CONTRACT_OTHER_VERSION)
			break; /* the rest may mean something else there */
	}
	return c;
}

/* ---- texts */

static const struct {
	u8 rule, weight;
	const char *text;
} reasons[CONTRACT_REASON_COUNT] = {
#define X(name, rule, weight, sentence) [CONTRACT_##name] = { rule, CONTRACT_##weight, sentence },
	CONTRACT_REASONS(X)
#undef X
};

unsigned int contract_reason_rule(enum contract_reason why)
{
	return (unsigned int)why < CONTRACT_REASON_COUNT ? reasons[why].rule : 0;
}

enum contract_weight contract_reason_weight(enum contract_reason why)
{
	return (enum contract_weight)reasons[why].weight;
}

const char *contract_reason_text(enum contract_reason why)
{
	return (unsigned int)why < CONTRACT_REASON_COUNT ? reasons[why].text : "unknown reason";
}
