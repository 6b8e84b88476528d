/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one answer of M7: every named fact in, the full verdict out. It is composed of the pure
 * functions the fault path is made of (fault_route(), decide_fault(), outcome_of_*()), so what it
 * says is what a fault with these facts does; slot calls use decide_slot(), which looks into the
 * same table. Pure: no lock, no memory, no VM.
 */
#ifndef ENGINE_EXPLAIN_H
#define ENGINE_EXPLAIN_H

#include "engine/fault.h"

struct facts {
	struct fault_req req;	      /* the access and the kind of fault */
	const struct slot_view *slot; /* NULL: no slot holds the address */
	struct fault_backing host;    /* a leaf, or why there is none */
	struct vm_facts vm;
	const struct port_caps *caps;
};

enum answer {
	ANSWER_MAP,    /* `plan` says what, with the maintenance owed before and after */
	ANSWER_AGE,    /* mapped already: its Access flag is set */
	ANSWER_SKIP,   /* step over the instruction */
	ANSWER_INJECT, /* `outcome.inject` says which abort */
	ANSWER_EXIT,   /* `outcome.kind` says which */
	ANSWER_ERROR,  /* `outcome.error` says which errno */
	ANSWER_RETRY,  /* nothing is known yet: the guest faults again */
	ANSWER_COUNT,
};

struct explanation {
	enum answer answer;
	enum reason why;	      /* reason_rule() and reason_text() say it */
	struct fault_plan plan;	      /* ANSWER_MAP */
	struct fault_outcome outcome; /* as fault_handle() returns it, `done` apart */
};

struct explanation explain(const struct facts *f);
/* Of an outcome whose facts are gone: ANSWER_RETRY for every OUTCOME_RESUME. */
enum answer answer_of_outcome(enum outcome_kind kind);
/* One word; never NULL. */
const char *answer_name(enum answer a);

/* What an access to a living VM would get, as things stand. */
struct vm_explanation {
	struct explanation would; /* ANSWER_RETRY and NOT_PRESENT: the host has no page there yet */
	bool asks_host;		  /* the host's fault handler is asked first, and may change it */
	bool has_slot, has_leaf, is_mapped;
	struct slot_view slot; /* if has_slot */
	struct host_leaf leaf; /* if has_leaf: the host's */
	struct s2_leaf now;    /* if is_mapped: stage 2's */
};

/* Changes nothing and faults nothing in; takes no lock of the engine. mm lock held. The access is
 * one with a syndrome, and no walk's. */
struct vm_explanation guest_mem_explain(struct guest_mem *m, ipa_t ipa, enum mem_access access);

/* ---- for the fault path: what is left to do is what these return */

/* The host gave no leaf. @slot holds req->ipa. */
struct fault_outcome outcome_of_backing(const struct fault_backing *backing,
					const struct fault_req *req, const struct slot_view *slot);
/* The policy's answer, if it is not to map. */
struct fault_outcome outcome_of_plan(const struct fault_plan *plan, const struct fault_req *req);
/* Where the host's memory is not asked for, or was found (ROUTE_RAM, ROUTE_PERFORM_CMO). */
struct fault_outcome outcome_of_route(const struct fault_route *route, const struct fault_req *req);

/* And if it is; the rest is the table's to say. */
static inline struct fault_outcome outcome_of_map(const struct fault_plan *plan,
						  const struct fault_req *req)
{
	return (struct fault_outcome){
		.kind = OUTCOME_RESUME,
		.why = plan->why,
		.ipa = req->ipa,
		.bound_by = plan->bound_by,
	};
}

/* Does the route lead to host memory? Then fault_resolve() comes next. */
static inline bool route_asks_host(enum route_kind kind)
{
	return kind == ROUTE_RAM || kind == ROUTE_PERFORM_CMO;
}

static inline struct vm_facts vm_facts_of(const struct guest_mem *m)
{
	return (struct vm_facts){
		.ipa_bits = m->s2.ipa_bits,
		.ivac = m->policy.ivac,
		.hw_dirty = m->s2.hw_dirty,
		.top_level = max(m->s2.start_level, (s8)LEVEL_1G),
	};
}

static inline struct decide_req decide_req_of(const struct fault_req *req,
					      const struct vm_facts *vm)
{
	return (struct decide_req){
		.ipa = req->ipa,
		.access = req->access,
		.is_cmo = req->is_cmo,
		.is_walk = req->is_walk,
		.hw_dirty = vm->hw_dirty,
		.top_level = vm->top_level,
	};
}

#endif
