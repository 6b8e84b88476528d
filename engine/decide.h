/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy: which stage-2 mapping follows from the facts (design.md M2 to M10, M17). Pure: no
 * lock, no memory, no VM; every input is an argument. It serves faults, slot creation, prefault and
 * explain (M7).
 */
#ifndef ENGINE_DECIDE_H
#define ENGINE_DECIDE_H

#include "engine/host_ops.h"
#include "engine/port.h"
#include "engine/reason.h"
#include "engine/slot.h"
#include "engine/stage2.h"

/* What is known of the access. */
struct decide_req {
	ipa_t ipa;
	enum mem_access access;
	bool is_cmo;   /* cache maintenance: a refusal is skipped (M12) */
	bool is_walk;  /* by a stage-1 walk, which Device memory does not allow (HCR_EL2.PTW) */
	bool hw_dirty; /* hardware may mark pages as written (M17) */
	s8 top_level;  /* the largest block the tables can hold */
};

enum verdict {
	VERDICT_MAP,
	VERDICT_REFUSE,	    /* error to user space, with the reason */
	VERDICT_INJECT_SEA, /* synchronous external abort into the guest */
	VERDICT_SKIP,	    /* step over the instruction */
	VERDICT_COUNT,
};

/* What bounded the level of a mapping (M6). */
enum limit { LIMIT_NONE, LIMIT_HOST, LIMIT_TABLE, LIMIT_SLOT, LIMIT_LOGGING, LIMIT_COUNT };

struct fault_plan {
	enum verdict verdict;
	enum s2_type type;
	u8 perms; /* S2_R | S2_W | S2_X | S2_DBM */
	s8 level;
	enum limit bound_by;
	u8 owed;	 /* CMO_* before the descriptor becomes valid */
	u8 owed_after;	 /* CMO_* after it was torn down and no TLB holds it */
	bool logged;	 /* a write marks the page dirty */
	bool surprising; /* mapped, but not as asked (M17): to be traced */
	pa_t pa;	 /* of the mapping's start */
	ipa_t ipa;	 /* of the mapping's start */
	enum reason why;
};

/* The CMO_* owed once a leaf of @type is gone from the tables and every TLB (M2): without FWB a
 * guest can have left the host's view of write-back memory stale. Here for unmap, which asks it for
 * every page; plan.owed_after is the same. */
static inline unsigned int decide_owed_after(enum s2_type type, const struct port_caps *caps)
{
	return type == S2_NORMAL && !caps->fwb ? CMO_DCACHE : 0;
}

/* The facts complete: a live leaf. */
struct fault_plan decide_fault(const struct decide_req *req, const struct slot_view *slot,
			       const struct host_leaf *leaf, const struct port_caps *caps);

/* One fact that slot creation may not know yet. */
enum known { KNOWN, UNKNOWN };

struct area_facts {
	enum known type_known;
	enum mem_type type;
	enum known reach_known;
	enum mem_reach reach;
	enum mem_owner owner;
	bool special;
	bool writable;
};

enum slot_strictness { SLOTS_LENIENT, SLOTS_STRICT };

/* Would a slot with @flags over memory with these facts be kept (M7, M8)? Refused (ERR_INVAL,
 * ERR_PERM) only if every value of the unknown facts is refused. */
struct slot_verdict decide_slot(const struct area_facts *area, u32 flags,
				enum slot_strictness strict, const struct port_caps *caps);

/* ---- for tests and explain: the rows behind decide_fault() */
enum { POLICY_ASKS = 4 }; /* {data, fetch} x {no guarantee, guarantee} */
unsigned int policy_row_count(void);
unsigned int policy_row(enum mem_type type, enum mem_reach reach, enum mem_owner owner, bool fwb,
			bool fetch, bool guarantee);

#endif
