/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest memory of one VM: its slots, its stage-2 tables and what the host is changing under
 * them. This is the object kvm/ holds; faults are engine/fault.h, the dirty log engine/dirty.h.
 *
 * Locks: the slots lock (sleeping; the caller's) serialises what changes slots and the dirty log
 * calls; the table lock is inside. docs/invariants.md has the order.
 */
#ifndef ENGINE_GUEST_MEM_H
#define ENGINE_GUEST_MEM_H

#include "engine/host_ops.h"
#include "engine/invalidate.h"
#include "engine/reason.h"
#include "engine/slot.h"
#include "engine/stage2.h"

/* What a VM does about DC IVAC on a read-only slot (M12). */
enum ivac_policy { IVAC_INJECT, IVAC_UPGRADE };

/* Where writes to slots that log are told (KVM_CAP_DIRTY_LOG_RING_ACQ_REL, _WITH_BITMAP). */
enum dirty_to {
	TO_BITMAP,
	TO_RING,	    /* of the vCPU that writes; nobody else may write */
	TO_RING_AND_BITMAP, /* the bitmap has what no vCPU wrote */
};

/* How KVM_GET_DIRTY_LOG works (KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2). */
enum dirty_protect { DIRTY_PROTECT_ON_GET, DIRTY_PROTECT_ON_CLEAR };

struct guest_mem_config {
	unsigned int ipa_bits;
	const struct host_ops *host_ops;
	void *host; /* first argument of every host_ops call */
};

/* Set by capabilities before they matter; each is guarded by the slots lock. */
struct guest_mem_policy {
	enum ivac_policy ivac;
	enum dirty_protect dirty_protect;
	enum dirty_to dirty_to; /* by guest_mem_log_to() */
	enum slot_initially dirty_initially;
	bool strict_slots;    /* M8: KVM_CAP_CATWALK_STRICT_SLOTS */
	bool write_back_flag; /* M10: SLOT_WRITE_BACK is known to this VM */
	u64 eager_split;      /* bytes a step, 0: split on fault */
};

/* The last slot call that was refused (M18); guarded by the slots lock. */
struct refusal {
	int error;
	enum reason why;
	hva_t hva; /* where */
};

/* A slot call that was checked and not yet carried out. */
struct slot_update {
	struct slot_change change;
};

struct trace;

struct guest_mem {
	struct stage2 s2;
	struct slot_table slots;
	struct invalidations inv; /* guarded by s2.lock */
	const struct host_ops *host_ops;
	void *host;
	struct guest_mem_policy policy;
	struct refusal refusal;
	struct slot *leaving;	      /* taken out of the table, not yet out of stage 2; atomic */
	struct trace *trace;	      /* M18; engine/trace.h */
	u32 last_vcpu[VMID_MAX_CPUS]; /* vCPU + 1 that ran last; written by its CPU */
};

/* May sleep. ERR_INVAL (IPA size), ERR_NOMEM. */
int __must_check guest_mem_init(struct guest_mem *m, struct port *p, struct vmid_pool *vmids,
				const struct guest_mem_config *config);
/* No vCPU, no notifier and no call is left. May sleep. */
void guest_mem_destroy(struct guest_mem *m);
/* Before the first vCPU. With rings hardware does not mark pages: it knows no
 * ring (M17). */
void guest_mem_log_to(struct guest_mem *m, enum dirty_to to);

/*
 * Before guest entry, interrupts masked, on the CPU that enters with vCPU @vcpu loaded: renews the
 * VMID, keeps vCPUs of one VM from each other's stale entries (M2). Returns VTTBR_EL2. VTCR_EL2 is
 * m->s2.vtcr. Needed once per load of the vCPU on a CPU: the VMID stays valid there until leave.
 */
u64 guest_mem_enter(struct guest_mem *m, u32 vcpu);
/* This CPU will not re-enter with what guest_mem_enter() returned. Interrupts masked. */
void guest_mem_leave(struct guest_mem *m);
/*
 * KVM_SET_USER_MEMORY_REGION in two steps, both under the slots lock; prepare in addition under the
 * mm lock (M8), commit without it. prepare refuses with nothing changed: ERR_INVAL, ERR_EXIST,
 * ERR_FAULT, ERR_NOMEM, ERR_PERM; m->refusal says why. commit and cancel end it; commit may sleep.
 */
int __must_check guest_mem_slot_prepare(struct guest_mem *m, const struct slot_request *r,
					struct slot_update *u);
void guest_mem_slot_commit(struct guest_mem *m, struct slot_update *u);
void guest_mem_slot_cancel(struct guest_mem *m, struct slot_update *u);
/* The caller's own check refuses @r: recorded and traced as prepare's refusals are (M18). Slots
 * lock. Returns @error. */
int guest_mem_slot_refuse(struct guest_mem *m, const struct slot_request *r, int error,
			  enum reason why);

/*
 * Host invalidation (M13). begin is called before the host changes [start, end) and removes what
 * stage 2 has of it; end after the change. Faults in the range are retried in between. Neither
 * sleeps nor allocates; begin/end pairs may nest and overlap.
 */
void guest_mem_invalidate_begin(struct guest_mem *m, hva_t start, hva_t end);
void guest_mem_invalidate_end(struct guest_mem *m, hva_t start, hva_t end);
/* Were pages of the range used since the last guest_mem_age(..., S2_AGE_CLEAR)? Leaves counted. */
u64 guest_mem_age(struct guest_mem *m, hva_t start, hva_t end, enum s2_age how);

/* Removes everything (the mm goes away, VM teardown before destroy). Later faults map again. */
void guest_mem_unmap_all(struct guest_mem *m);
/* Makes what is in the caches visible to a guest whose caches are off, and the reverse: at vCPU
 * initialisation after the VM ran, and when a guest turns its caches on or off or maintains them by
 * set and way. With FWB only instruction caches are concerned. */
void guest_mem_flush_all(struct guest_mem *m);

#endif
