/* SPDX-License-Identifier: Apache-2.0 */
/* Prefault (M9): read faults that nobody took, along a range. */
#include "engine/explain.h"
#include "engine/trace.h"

/* What is to be mapped at one address. */
struct spot {
	ipa_t ipa;
	u64 left; /* bytes that are asked for from here on */
	enum prefault_how how;
	struct slot_view slot;
};

static bool is_equal_plan(const struct fault_plan *a, const struct fault_plan *b)
{
	return a->verdict == b->verdict && a->type == b->type && a->perms == b->perms &&
	       a->level == b->level && a->bound_by == b->bound_by && a->owed == b->owed &&
	       a->why == b->why;
}

/* Does what the host has @offset bytes behind @first go on there, as planned? */
static bool goes_on(struct guest_mem *m, const struct decide_req *ask, const struct slot_view *slot,
		    const struct fault_plan *first, u64 offset)
{
	struct decide_req here = *ask;
	struct fault_plan plan;
	struct host_leaf leaf;

	here.ipa.v = first->ipa.v + offset;
	if (m->host_ops->leaf(m->host, HVA(slot_hva_of(slot, here.ipa)), &leaf) != ERR_OK)
		return false;
	plan = decide_fault(&here, slot, &leaf, m->s2.caps);
	return is_equal_plan(&plan, first) && plan.ipa.v == here.ipa.v &&
	       plan.pa.v == first->pa.v + offset;
}

/* Leaves that are there and follow each other are mapped in one go: bytes from @s->ipa, 0 if there
 * is no such run. */
static u64 map_run(struct guest_mem *m, const struct fault_req *req, const struct spot *s,
		   const struct fault_backing *backing)
{
	struct vm_facts vm = vm_facts_of(m);
	struct decide_req ask = decide_req_of(req, &vm);
	struct fault_plan plan = decide_fault(&ask, &s->slot, &backing->leaf, m->s2.caps);
	u64 slot_end = (s->slot.gfn + s->slot.npages) << PAGE_SHIFT;
	u64 leaf = level_size(plan.level), size = leaf;
	u64 most = min(s->left, slot_end - s->ipa.v);

	if (plan.verdict != VERDICT_MAP || plan.surprising || plan.ipa.v != s->ipa.v)
		return 0;
	most = min(most, m->s2.step * leaf);
	while (size + leaf <= most && goes_on(m, &ask, &s->slot, &plan, size))
		size += leaf;
	return size == leaf ? 0 : fault_map_run(m, &s->slot, backing, &plan, size);
}

/* @run: bytes that a run mapped, or 0: the outcome is that of one leaf, and @plan its plan. */
static struct fault_outcome map_spot(struct guest_mem *m, const struct spot *s,
				     struct fault_plan *plan, u64 *run)
{
	struct fault_req req = { .kind = FAULT_TRANSLATION, .access = MEM_READ, .ipa = s->ipa };
	struct fault_backing backing;

	*run = 0;
	if (s->how == PREFAULT_PRESENT)
		fault_resolve_present(m, s->ipa, &s->slot, &backing);
	else
		fault_resolve(m, &req, &s->slot, &backing);
	if (backing.error)
		return outcome_of_backing(&backing, &req, &s->slot);
	*run = map_run(m, &req, s, &backing);
	if (*run)
		return (struct fault_outcome){ .kind = OUTCOME_RESUME };
	return fault_map(m, &req, &s->slot, &backing, plan);
}

static bool must_repeat(enum s2_result done)
{
	return done == S2_RACED || done == S2_DONE_COLLAPSE || done == S2_DONE_BREAK;
}

static u64 stop(struct prefault_result *res, int error, enum reason why)
{
	res->error = error;
	res->why = why;
	return 0;
}

/* What was done from one address on: bytes to go on by, 0 to stop. */
static u64 prefault_from(struct guest_mem *m, ipa_t ipa, u64 left, enum prefault_how how,
			 struct prefault_result *res)
{
	struct spot s = { .ipa = ipa, .left = left, .how = how };
	struct fault_plan plan = { .level = LEVEL_4K };
	struct fault_outcome o;
	u64 size, run;

	if (!slot_look_up(&m->slots, ipa.v >> PAGE_SHIFT, &s.slot))
		return stop(res, ERR_NOENT, WHY_NO_SLOT);
	o = map_spot(m, &s, &plan, &run);
	if (run)
		return run;
	if (o.kind == OUTCOME_RESUME && must_repeat(o.done))
		return stop(res, ERR_AGAIN, WHY_RACED);
	trace_outcome(m, TRACE_PREFAULT, MEM_READ, &o, &s.slot);
	if (o.kind == OUTCOME_ERROR)
		return stop(res, o.error, o.why);
	if (o.kind != OUTCOME_RESUME) {
		res->skip_why = o.why;
		res->skipped += PAGE_SIZE;
		return PAGE_SIZE;
	}
	size = level_size(plan.level);
	return size - (ipa.v & (size - 1));
}

/* Who holds a range open may be waiting for this very CPU. */
enum { PREFAULT_TRIES = 64 };

static struct prefault_result prefault(struct guest_mem *m, ipa_t ipa, u64 size,
				       enum prefault_how how)
{
	struct prefault_result res = { .error = ERR_OK };
	unsigned int tries = 0;

	while (res.done < size) {
		u64 step = prefault_from(m, IPA(ipa.v + res.done), size - res.done, how, &res);

		if (step) {
			res.done += step;
			tries = 0;
		} else if (res.error == ERR_AGAIN && ++tries < PREFAULT_TRIES) {
			res.error = ERR_OK; /* raced: the same address again */
			res.why = WHY_NONE;
			port_relax_point(m->s2.port);
		} else {
			break;
		}
	}
	res.done = min(res.done, size);
	return res;
}

struct prefault_result guest_mem_prefault(struct guest_mem *m, ipa_t ipa, u64 size)
{
	return prefault(m, ipa, size, PREFAULT_POPULATE);
}

bool slot_span_ok(const struct slot *s, struct slot_span span)
{
	u64 size = s->npages << PAGE_SHIFT;

	return !((span.offset | span.size) & (PAGE_SIZE - 1)) && span.offset <= size &&
	       span.size <= size - span.offset;
}

struct prefault_result guest_mem_prefault_slot(struct guest_mem *m, u32 id, struct slot_span span,
					       enum prefault_how how)
{
	const struct slot *s = slot_by_id(&m->slots, id);
	struct prefault_result none = { .error = ERR_OK };

	if (!s) {
		stop(&none, ERR_NOENT, WHY_SLOT_NO_SUCH);
		return none;
	}
	if (!slot_span_ok(s, span)) {
		stop(&none, ERR_INVAL, WHY_SPAN_OUTSIDE);
		return none;
	}
	return prefault(m, IPA((s->gfn << PAGE_SHIFT) + span.offset), span.size, how);
}
