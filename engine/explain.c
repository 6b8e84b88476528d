/* SPDX-License-Identifier: Apache-2.0 */
/* The one answer: the pure stages of the fault path in a row. */
#include "engine/explain.h"

/* ---- outcomes */

static struct fault_outcome outcome(enum outcome_kind kind, enum reason why,
				    const struct fault_req *req)
{
	return (struct fault_outcome){ .kind = kind, .why = why, .ipa = req->ipa };
}

static struct fault_outcome outcome_inject(enum inject_kind inject, enum reason why,
					   const struct fault_req *req)
{
	struct fault_outcome o = outcome(OUTCOME_INJECT, why, req);

	o.inject = inject;
	o.inject_on_walk = req->is_walk;
	return o;
}

static struct fault_outcome outcome_memory_fault(int error, enum reason why,
						 const struct fault_req *req)
{
	struct fault_outcome o = outcome(OUTCOME_MEMORY_FAULT, why, req);

	o.error = error;
	o.fault_size = PAGE_SIZE;
	return o;
}

static struct fault_outcome outcome_mmio(enum reason why, const struct fault_req *req)
{
	struct fault_outcome o = outcome(OUTCOME_MMIO, why, req);

	o.is_write = req->access == MEM_WRITE;
	o.len = req->len;
	o.reg = req->reg;
	o.sign_extend = req->sign_extend;
	o.reg_64 = req->reg_64;
	return o;
}

struct fault_outcome outcome_of_backing(const struct fault_backing *backing,
					const struct fault_req *req, const struct slot_view *slot)
{
	struct fault_outcome o;

	switch (backing->error) {
	case ERR_AGAIN:
		o = outcome(OUTCOME_RESUME, backing->why, req);
		o.done = S2_RACED;
		return o;
	case ERR_HWPOISON:
		o = outcome(OUTCOME_SIGBUS, backing->why, req);
		o.hva = HVA(slot_hva_of(slot, req->ipa));
		return o;
	case ERR_NOMEM:
	case ERR_INTR:
		o = outcome(OUTCOME_ERROR, backing->why, req);
		o.error = backing->error;
		return o;
	default: break;
	}
	if (req->is_cmo)
		return outcome(OUTCOME_SKIP, WHY_CMO_REFUSED, req);
	return outcome_memory_fault(ERR_FAULT, backing->why, req);
}

struct fault_outcome outcome_of_plan(const struct fault_plan *plan, const struct fault_req *req)
{
	switch (plan->verdict) {
	case VERDICT_INJECT_SEA:
		return outcome_inject(req->is_fetch ? INJECT_SEA_FETCH : INJECT_SEA_DATA, plan->why,
				      req);
	case VERDICT_SKIP: return outcome(OUTCOME_SKIP, plan->why, req);
	case VERDICT_REFUSE:
	case VERDICT_MAP:
	case VERDICT_COUNT: break;
	}
	return outcome_memory_fault(ERR_FAULT, plan->why, req);
}

struct fault_outcome outcome_of_route(const struct fault_route *route, const struct fault_req *req)
{
	switch (route->kind) {
	case ROUTE_RAM:
	case ROUTE_YOUNG:
	case ROUTE_FLUSH: return outcome(OUTCOME_RESUME, route->why, req);
	case ROUTE_MMIO: return outcome_mmio(route->why, req);
	case ROUTE_NO_SYNDROME: return outcome(OUTCOME_NO_SYNDROME, route->why, req);
	case ROUTE_SKIP:
	case ROUTE_PERFORM_CMO: return outcome(OUTCOME_SKIP, route->why, req);
	case ROUTE_INJECT: return outcome_inject(route->inject, route->why, req);
	case ROUTE_UNSUPPORTED:
	case ROUTE_KINDS: break;
	}
	if (req->kind == FAULT_EXTERNAL)
		return outcome(OUTCOME_EXTERNAL, route->why, req);
	return outcome_memory_fault(ERR_FAULT, route->why, req);
}

/* ---- the answer */

/* RESUME is told apart by what led to it. */
static const u8 answer_of_kind[OUTCOME_KINDS] = {
	[OUTCOME_RESUME] = ANSWER_RETRY,     [OUTCOME_SKIP] = ANSWER_SKIP,
	[OUTCOME_INJECT] = ANSWER_INJECT,    [OUTCOME_MMIO] = ANSWER_EXIT,
	[OUTCOME_NO_SYNDROME] = ANSWER_EXIT, [OUTCOME_MEMORY_FAULT] = ANSWER_EXIT,
	[OUTCOME_SIGBUS] = ANSWER_EXIT,	     [OUTCOME_ERROR] = ANSWER_ERROR,
	[OUTCOME_EXTERNAL] = ANSWER_EXIT,
};

enum answer answer_of_outcome(enum outcome_kind kind)
{
	return (enum answer)answer_of_kind[kind];
}

static struct explanation explanation_of(struct fault_outcome o)
{
	return (struct explanation){
		.answer = answer_of_outcome(o.kind),
		.why = o.why,
		.outcome = o,
	};
}

static struct explanation explain_ram(const struct facts *f)
{
	struct decide_req ask = decide_req_of(&f->req, &f->vm);
	struct fault_plan plan = decide_fault(&ask, f->slot, &f->host.leaf, f->caps);
	struct explanation e;

	if (plan.verdict != VERDICT_MAP)
		return explanation_of(outcome_of_plan(&plan, &f->req));
	e = explanation_of(outcome_of_map(&plan, &f->req));
	e.answer = ANSWER_MAP;
	e.plan = plan;
	return e;
}

struct explanation explain(const struct facts *f)
{
	struct fault_route r = fault_route(&f->req, f->slot, &f->vm);
	struct explanation e;

	if (route_asks_host(r.kind) && f->host.error)
		return explanation_of(outcome_of_backing(&f->host, &f->req, f->slot));
	if (r.kind == ROUTE_RAM)
		return explain_ram(f);
	e = explanation_of(outcome_of_route(&r, &f->req));
	if (r.kind == ROUTE_YOUNG)
		e.answer = ANSWER_AGE;
	return e;
}

const char *answer_name(enum answer a)
{
	static const char *const names[ANSWER_COUNT] = {
		[ANSWER_MAP] = "map",	    [ANSWER_AGE] = "age",   [ANSWER_SKIP] = "skip",
		[ANSWER_INJECT] = "inject", [ANSWER_EXIT] = "exit", [ANSWER_ERROR] = "error",
		[ANSWER_RETRY] = "retry",
	};

	return (unsigned int)a < ANSWER_COUNT ? names[a] : "unknown";
}
