/* SPDX-License-Identifier: Apache-2.0 */
/* The facts of a living VM, and what they come to (M7, M18). */
#include "engine/explain.h"

static struct explanation not_present(ipa_t ipa)
{
	return (struct explanation){
		.answer = ANSWER_RETRY,
		.why = WHY_NOT_PRESENT,
		.outcome = { .kind = OUTCOME_RESUME, .why = WHY_NOT_PRESENT, .ipa = ipa },
	};
}

/* Beyond the tables there is nothing to look up. */
static bool look_up_now(struct guest_mem *m, ipa_t ipa, struct s2_leaf *now)
{
	bool found;

	if (ipa.v >= stage2_ipa_limit(&m->s2))
		return false;
	port_walk_enter(m->s2.port);
	found = stage2_lookup(&m->s2, ipa, now);
	port_walk_leave(m->s2.port);
	return found;
}

/* Where no VMA is, the host will have nothing, whoever asks. */
static void resolve_asking_nobody(struct guest_mem *m, ipa_t ipa, const struct slot_view *slot,
				  struct fault_backing *out)
{
	hva_t hva = HVA(slot_hva_of(slot, ipa));
	struct host_area area;

	fault_resolve_present(m, ipa, slot, out);
	if (out->why == WHY_NOT_PRESENT &&
	    m->host_ops->area(m->host, hva, HVA(hva.v + 1), &area) != ERR_OK) {
		out->error = ERR_FAULT;
		out->why = WHY_NO_VMA;
	}
}

struct vm_explanation guest_mem_explain(struct guest_mem *m, ipa_t ipa, enum mem_access access)
{
	struct vm_explanation x = { .asks_host = false };
	struct facts f = {
		.req = { .kind = FAULT_TRANSLATION, .access = access, .ipa = ipa },
		.vm = vm_facts_of(m),
		.caps = m->s2.caps,
	};

	f.req.is_fetch = access == MEM_EXEC;
	f.req.has_syndrome = !f.req.is_fetch;
	x.is_mapped = look_up_now(m, ipa, &x.now);
	x.has_slot = slot_look_up(&m->slots, ipa.v >> PAGE_SHIFT, &x.slot);
	if (x.has_slot) {
		f.slot = &x.slot;
		resolve_asking_nobody(m, ipa, &x.slot, &f.host);
		x.leaf = f.host.leaf;
		x.has_leaf = f.host.error == ERR_OK;
	}
	if (route_asks_host(fault_route(&f.req, f.slot, &f.vm).kind))
		x.asks_host = !x.has_leaf || (access == MEM_WRITE && !x.leaf.writable);
	x.would = x.asks_host && f.host.why == WHY_NOT_PRESENT ? not_present(ipa) : explain(&f);
	return x;
}
