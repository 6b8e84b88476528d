/* SPDX-License-Identifier: Apache-2.0 */
/* The fault path from end to end, and its last stage: counters and the outcome (stage 6). */
#include "engine/fault.h"

#include "engine/cmo.h"

/* ---- account */

static void account_req(struct guest_mem *m, const struct fault_req *req)
{
	static const enum stat_id by_access[MEM_ACCESS_COUNT] = {
		[MEM_READ] = STAT_fault_read,
		[MEM_WRITE] = STAT_fault_write,
		[MEM_EXEC] = STAT_fault_exec,
	};

	stat_inc(&m->s2, by_access[req->access]);
	if (req->kind == FAULT_PERMISSION)
		stat_inc(&m->s2, STAT_fault_permission);
	if (req->kind == FAULT_ACCESS_FLAG)
		stat_inc(&m->s2, STAT_fault_access_flag);
	if (req->is_walk)
		stat_inc(&m->s2, STAT_fault_walk);
	if (req->is_cmo)
		stat_inc(&m->s2, STAT_fault_cmo);
}

static void account_outcome(struct guest_mem *m, const struct fault_outcome *o)
{
	static const u16 by_kind[OUTCOME_KINDS] = {
		[OUTCOME_RESUME] = STAT_COUNT,
		[OUTCOME_SKIP] = STAT_exit_skip,
		[OUTCOME_INJECT] = STAT_exit_inject,
		[OUTCOME_MMIO] = STAT_exit_mmio,
		[OUTCOME_NO_SYNDROME] = STAT_exit_nisv,
		[OUTCOME_MEMORY_FAULT] = STAT_exit_memory_fault,
		[OUTCOME_SIGBUS] = STAT_exit_sigbus,
		[OUTCOME_ERROR] = STAT_exit_other,
		[OUTCOME_EXTERNAL] = STAT_exit_other,
	};

	if (by_kind[o->kind] != STAT_COUNT)
		stat_inc(&m->s2, (enum stat_id)by_kind[o->kind]);
}

static void account_limit(struct guest_mem *m, enum limit bound_by)
{
	static const enum stat_id by_limit[LIMIT_COUNT] = {
		[LIMIT_NONE] = STAT_limit_none,	      [LIMIT_HOST] = STAT_limit_host,
		[LIMIT_TABLE] = STAT_limit_table,     [LIMIT_SLOT] = STAT_limit_slot,
		[LIMIT_LOGGING] = STAT_limit_logging,
	};

	stat_inc(&m->s2, by_limit[bound_by]);
}

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

/* The host gave nothing. */
static struct fault_outcome outcome_of_backing(const struct fault_backing *backing,
					       const struct fault_req *req,
					       const struct slot_view *slot)
{
	struct fault_outcome o;

	switch (backing->error) {
	case ERR_AGAIN: return outcome(OUTCOME_RESUME, backing->why, req);
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

/* The policy said no. */
static struct fault_outcome outcome_of_verdict(const struct fault_plan *plan,
					       const struct fault_req *req)
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

/* ---- the path */

static struct decide_req decide_req_of(const struct guest_mem *m, const struct fault_req *req)
{
	return (struct decide_req){
		.ipa = req->ipa,
		.access = req->access,
		.is_cmo = req->is_cmo,
		.hw_dirty = m->s2.hw_dirty,
		.top_level = max(m->s2.start_level, (s8)LEVEL_1G),
	};
}

/* Resolve, decide, commit. @plan tells the caller how far the mapping reaches. */
static struct fault_outcome map_ram(struct guest_mem *m, const struct fault_req *req,
				    const struct slot_view *slot, struct fault_plan *plan)
{
	struct decide_req ask = decide_req_of(m, req);
	struct fault_backing backing;
	struct fault_outcome o;
	int error;

	fault_resolve(m, req, slot, &backing);
	if (backing.error)
		return outcome_of_backing(&backing, req, slot);
	*plan = decide_fault(&ask, slot, &backing.leaf, m->s2.caps);
	if (plan->verdict != VERDICT_MAP)
		return outcome_of_verdict(plan, req);

	o = outcome(OUTCOME_RESUME, plan->why, req);
	o.done = fault_commit(m, slot, &backing, plan, req->ring, &error);
	o.bound_by = plan->bound_by;
	if (error) {
		o.kind = OUTCOME_ERROR;
		o.why = WHY_HOST_NOMEM;
		o.error = error;
	} else if (o.done == S2_RACED) {
		o.why = WHY_RACED;
		stat_inc(&m->s2, STAT_fault_retry);
	} else if (o.done == S2_DONE_INSTALL) {
		account_limit(m, plan->bound_by);
	}
	return o;
}

/* DC IVAC on a read-only slot, done as DC CIVAC: by page, as the line is not known here. */
static struct fault_outcome perform_cmo(struct guest_mem *m, const struct fault_req *req,
					const struct slot_view *slot, enum reason why)
{
	struct fault_req read = *req;
	struct fault_backing backing;

	read.access = MEM_READ;
	fault_resolve(m, &read, slot, &backing);
	if (backing.error)
		return outcome_of_backing(&backing, req, slot);
	if (backing.leaf.reach == REACH_ALIAS)
		cmo_pay_page(&m->s2, backing.leaf.pa);
	return outcome(OUTCOME_SKIP, why, req);
}

static struct fault_outcome follow(struct guest_mem *m, const struct fault_req *req,
				   const struct fault_route *route, const struct slot_view *slot)
{
	struct fault_plan plan;

	switch (route->kind) {
	case ROUTE_RAM: return map_ram(m, req, slot, &plan);
	case ROUTE_YOUNG:
		stage2_make_young(&m->s2, req->ipa);
		return outcome(OUTCOME_RESUME, WHY_NONE, req);
	case ROUTE_FLUSH: stage2_flush_vmid(&m->s2); return outcome(OUTCOME_RESUME, WHY_NONE, req);
	case ROUTE_MMIO: return outcome_mmio(route->why, req);
	case ROUTE_NO_SYNDROME: return outcome(OUTCOME_NO_SYNDROME, route->why, req);
	case ROUTE_SKIP: return outcome(OUTCOME_SKIP, route->why, req);
	case ROUTE_PERFORM_CMO: return perform_cmo(m, req, slot, route->why);
	case ROUTE_INJECT: return outcome_inject(route->inject, route->why, req);
	case ROUTE_UNSUPPORTED:
	case ROUTE_KINDS: break;
	}
	if (req->kind == FAULT_EXTERNAL)
		return outcome(OUTCOME_EXTERNAL, route->why, req);
	return outcome_memory_fault(ERR_FAULT, route->why, req);
}

struct fault_outcome fault_handle(struct guest_mem *m, const struct fault_trap *trap)
{
	struct fault_req req = fault_decode(trap);
	struct route_facts facts = { .ipa_bits = m->s2.ipa_bits, .ivac = m->policy.ivac };
	struct fault_outcome o;
	struct fault_route r;
	struct slot_view slot;
	bool found = slot_look_up(&m->slots, req.ipa.v >> PAGE_SHIFT, &slot);

	account_req(m, &req);
	r = fault_route(&req, found ? &slot : NULL, &facts);
	o = follow(m, &req, &r, &slot);
	account_outcome(m, &o);
	return o;
}

/* ---- prefault (M9) */

/* What was done at one address: bytes to go on by, 0 to stop. */
static u64 prefault_one(struct guest_mem *m, ipa_t ipa, struct prefault_result *res)
{
	struct fault_req req = { .kind = FAULT_TRANSLATION, .access = MEM_READ, .ipa = ipa };
	struct fault_plan plan = { .level = LEVEL_4K };
	struct fault_outcome o;
	struct slot_view slot;
	u64 size;

	if (!slot_look_up(&m->slots, ipa.v >> PAGE_SHIFT, &slot)) {
		res->error = ERR_NOENT;
		res->why = WHY_NO_SLOT;
		return 0;
	}
	o = map_ram(m, &req, &slot, &plan);
	size = level_size(plan.level) - (ipa.v & (level_size(plan.level) - 1));
	switch (o.kind) {
	case OUTCOME_RESUME:
		if (o.done == S2_RACED || o.done == S2_DONE_COLLAPSE || o.done == S2_DONE_BREAK) {
			res->error = ERR_AGAIN;
			return 0;
		}
		return size;
	case OUTCOME_ERROR:
		res->error = o.error;
		res->why = o.why;
		return 0;
	default:
		res->skip_why = o.why;
		res->skipped += PAGE_SIZE;
		return PAGE_SIZE;
	}
}

/* Who holds a range open may be waiting for this very CPU. */
enum { PREFAULT_TRIES = 64 };

struct prefault_result guest_mem_prefault(struct guest_mem *m, ipa_t ipa, u64 size)
{
	struct prefault_result res = { .error = ERR_OK };
	unsigned int tries = 0;

	while (res.done < size) {
		u64 step = prefault_one(m, IPA(ipa.v + res.done), &res);

		if (step) {
			res.done += step;
			tries = 0;
		} else if (res.error == ERR_AGAIN && ++tries < PREFAULT_TRIES) {
			res.error = ERR_OK; /* raced: the same address again */
			port_relax_point(m->s2.port);
		} else {
			break;
		}
	}
	res.done = min(res.done, size);
	return res;
}
