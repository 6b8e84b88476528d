/* SPDX-License-Identifier: Apache-2.0 */
/* The fault path from end to end, and its last stage: counters and the outcome (stage 6). */
#include "engine/fault.h"

#include "engine/cmo.h"
#include "engine/trace.h"

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

static void account_limit(struct guest_mem *m, enum limit bound_by, u64 leaves)
{
	static const enum stat_id by_limit[LIMIT_COUNT] = {
		[LIMIT_NONE] = STAT_limit_none,	      [LIMIT_HOST] = STAT_limit_host,
		[LIMIT_TABLE] = STAT_limit_table,     [LIMIT_SLOT] = STAT_limit_slot,
		[LIMIT_LOGGING] = STAT_limit_logging,
	};

	stat_add(&m->s2, by_limit[bound_by], leaves);
}

/* ---- the path */

struct fault_outcome fault_map(struct guest_mem *m, const struct fault_req *req,
			       const struct slot_view *slot, const struct fault_backing *backing,
			       struct fault_plan *plan)
{
	struct vm_facts vm = vm_facts_of(m);
	struct decide_req ask = decide_req_of(req, &vm);
	struct fault_outcome o;
	int error;

	*plan = decide_fault(&ask, slot, &backing->leaf, m->s2.caps);
	if (plan->verdict != VERDICT_MAP)
		return outcome_of_plan(plan, req);

	o = outcome_of_map(plan, req);
	o.done = fault_commit(m, slot, backing, plan, req->ring, &error);
	if (error) {
		o.kind = OUTCOME_ERROR;
		o.why = WHY_HOST_NOMEM;
		o.error = error;
	} else if (o.done == S2_RACED) {
		o.why = WHY_RACED;
		stat_inc(&m->s2, STAT_fault_retry);
	} else if (o.done == S2_DONE_INSTALL) {
		account_limit(m, plan->bound_by, 1);
	}
	return o;
}

u64 fault_map_run(struct guest_mem *m, const struct slot_view *slot,
		  const struct fault_backing *backing, const struct fault_plan *plan, u64 size)
{
	struct s2_map_result r = fault_commit_run(m, slot, backing, plan, size);

	account_limit(m, plan->bound_by, r.installed);
	return r.done;
}

/* DC IVAC on a read-only slot, done as DC CIVAC: by page, as the line is not known here. */
static void perform_cmo(struct guest_mem *m, const struct host_leaf *leaf)
{
	if (leaf->reach == REACH_ALIAS)
		cmo_pay_page(&m->s2, leaf->pa);
}

/* The host's memory is asked for. */
static struct fault_outcome follow_to_host(struct guest_mem *m, const struct fault_req *req,
					   const struct fault_route *route,
					   const struct slot_view *slot)
{
	struct fault_req ask = *req;
	struct fault_backing backing;
	struct fault_plan plan;

	if (route->kind == ROUTE_PERFORM_CMO)
		ask.access = MEM_READ;
	fault_resolve(m, &ask, slot, &backing);
	if (backing.error)
		return outcome_of_backing(&backing, req, slot);
	if (route->kind == ROUTE_RAM)
		return fault_map(m, req, slot, &backing, &plan);
	perform_cmo(m, &backing.leaf);
	return outcome_of_route(route, req);
}

static bool is_mapped_device(struct guest_mem *m, ipa_t ipa)
{
	struct s2_leaf leaf;
	bool found;

	port_walk_enter(m->s2.port);
	found = stage2_lookup(&m->s2, ipa, &leaf);
	port_walk_leave(m->s2.port);
	return found && leaf.type == S2_DEVICE;
}

/* A walk lacks permission where it would update a descriptor, and anywhere in Device memory
 * (HCR_EL2.PTW). In a read-only slot the abort is the same, but not its reason. */
static enum reason why_walk_failed(struct guest_mem *m, const struct fault_req *req,
				   enum reason of_update)
{
	return req->kind == FAULT_PERMISSION && is_mapped_device(m, req->ipa) ? WHY_WALK_DEVICE
									      : of_update;
}

struct fault_outcome fault_handle(struct guest_mem *m, const struct fault_trap *trap)
{
	struct fault_req req = fault_decode(trap);
	struct vm_facts vm = vm_facts_of(m);
	struct fault_outcome o;
	struct fault_route r;
	struct slot_view slot;
	bool found = slot_look_up(&m->slots, req.ipa.v >> PAGE_SHIFT, &slot);

	account_req(m, &req);
	r = fault_route(&req, found ? &slot : NULL, &vm);
	if (r.why == WHY_WALK_NO_SLOT)
		r.why = why_walk_failed(m, &req, r.why);
	if (r.kind == ROUTE_YOUNG)
		stage2_make_young(&m->s2, req.ipa);
	if (r.kind == ROUTE_FLUSH)
		stage2_flush_vmid(&m->s2);
	o = route_asks_host(r.kind) ? follow_to_host(m, &req, &r, &slot)
				    : outcome_of_route(&r, &req);
	account_outcome(m, &o);
	trace_outcome(m, TRACE_FAULT, req.access, &o, found ? &slot : NULL);
	return o;
}
