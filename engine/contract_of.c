/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of a host, and of a VM on it (M16). */
#include "engine/contract.h"
#include "engine/guest_mem.h"

struct contract contract_of_host(const struct port_caps *caps)
{
	return (struct contract){
		.version = CONTRACT_VERSION,
		.fwb = caps->fwb,
		.dic = caps->dic,
		.idc = caps->idc,
		.hw_af = caps->hw_af,
		.hw_dbm = caps->hw_dbm,
		.ipa_bits = caps->ipa_bits,
		.granule = PAGE_SIZE,
		.blocks = level_size(LEVEL_4K) | level_size(LEVEL_2M) | level_size(LEVEL_1G),
	};
}

/* A leaf that is there is better knowledge than what its VMA declares (M1). Returns how far it, or
 * nothing at all, goes on. */
static u64 leaf_is_pfnmap(struct guest_mem *m, u64 hva, bool *is)
{
	struct host_leaf leaf = { .level = LEVEL_4K };

	if (m->host_ops->leaf(m->host, HVA(hva), &leaf) != ERR_OK)
		return level_left(leaf.level, hva);
	*is = leaf.type == MEM_WB && leaf.reach == REACH_NONE;
	return level_left(leaf.level, hva);
}

static bool area_holds_pfnmap(struct guest_mem *m, const struct host_area *area, u64 start, u64 end)
{
	bool is = false;

	if (!area->special)
		return false;
	for (u64 hva = start; hva < end && !is;)
		hva += leaf_is_pfnmap(m, hva, &is);
	return is;
}

/* Does a VMA under the slot hold write-back memory out of reach? Where no leaf tells: no, and the
 * destination's first fault will (M4). */
static bool holds_pfnmap(struct guest_mem *m, const struct slot *s)
{
	u64 at = s->hva.v, end = at + (s->npages << PAGE_SHIFT);
	struct host_area area;

	while (at < end && m->host_ops->area(m->host, HVA(at), HVA(end), &area) == ERR_OK) {
		if (area_holds_pfnmap(m, &area, max(at, area.start.v), min(end, area.end.v)))
			return true;
		at = area.end.v;
	}
	return false;
}

static struct contract_slot slot_contract(struct guest_mem *m, const struct slot *s)
{
	struct contract_slot c = {
		.ipa = s->gfn << PAGE_SHIFT,
		.size = s->npages << PAGE_SHIFT,
		.id = s->id,
	};

	if (s->flags & SLOT_WRITE_BACK)
		c.promises |= PROMISE_WRITE_BACK;
	if (s->flags & SLOT_READONLY)
		c.promises |= PROMISE_READ_ONLY;
	if (holds_pfnmap(m, s))
		c.promises |= PROMISE_CACHEABLE_PFNMAP;
	return c;
}

int contract_of_vm(struct guest_mem *m, struct contract_slot *slots, u32 room, struct contract *out)
{
	const struct slot *s;
	u64 gfn = 0;

	*out = contract_of_host(m->s2.caps);
	out->ipa_bits = m->s2.ipa_bits;
	out->slot_count = m->slots.count;
	out->slots = slots;
	if (out->slot_count > room)
		return ERR_2BIG;
	for (u32 i = 0; (s = slot_first_from(&m->slots, gfn)); i++) {
		slots[i] = slot_contract(m, s);
		gfn = s->gfn + s->npages;
	}
	return ERR_OK;
}
