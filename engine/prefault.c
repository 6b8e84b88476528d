/* SPDX-License-Identifier: Apache-2.0 */
/* Prefault (M9): read faults that nobody took, along a range. */
#include "engine/explain.h"
#include "engine/trace.h"

static struct fault_outcome map_one(struct guest_mem *m, ipa_t ipa, const struct slot_view *slot,
				    enum prefault_how how, struct fault_plan *plan)
{
	struct fault_req req = { .kind = FAULT_TRANSLATION, .access = MEM_READ, .ipa = ipa };
	struct fault_backing backing;

	if (how == PREFAULT_PRESENT)
		fault_resolve_present(m, ipa, slot, &backing);
	else
		fault_resolve(m, &req, slot, &backing);
	if (backing.error)
		return outcome_of_backing(&backing, &req, slot);
	return fault_map(m, &req, slot, &backing, plan);
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

/* What was done at one address: bytes to go on by, 0 to stop. */
static u64 prefault_one(struct guest_mem *m, ipa_t ipa, enum prefault_how how,
			struct prefault_result *res)
{
	struct fault_plan plan = { .level = LEVEL_4K };
	struct fault_outcome o;
	struct slot_view slot;
	u64 size;

	if (!slot_look_up(&m->slots, ipa.v >> PAGE_SHIFT, &slot))
		return stop(res, ERR_NOENT, WHY_NO_SLOT);
	o = map_one(m, ipa, &slot, how, &plan);
	if (o.kind == OUTCOME_RESUME && must_repeat(o.done))
		return stop(res, ERR_AGAIN, WHY_RACED);
	trace_outcome(m, TRACE_PREFAULT, MEM_READ, &o, &slot);
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
		u64 step = prefault_one(m, IPA(ipa.v + res.done), how, &res);

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

struct prefault_result guest_mem_prefault_slot(struct guest_mem *m, u32 id, struct slot_span span,
					       enum prefault_how how)
{
	const struct slot *s = slot_by_id(&m->slots, id);
	struct prefault_result none = { .error = ERR_OK };
	u64 size;

	if (!s) {
		stop(&none, ERR_NOENT, WHY_SLOT_NO_SUCH);
		return none;
	}
	size = s->npages << PAGE_SHIFT;
	if ((span.offset | span.size) & (PAGE_SIZE - 1) || span.offset > size ||
	    span.size > size - span.offset) {
		stop(&none, ERR_INVAL, WHY_SPAN_OUTSIDE);
		return none;
	}
	return prefault(m, IPA((s->gfn << PAGE_SHIFT) + span.offset), span.size, how);
}
