/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fault path: from a trapped stage-2 abort to what happens next, in six stages with typed
 * results (design.md section 3):
 *
 *	decode (pure) -> route (pure) -> resolve -> decide (pure) -> commit -> account
 *
 * Only resolve may sleep, only commit takes the table lock, only account has side effects beside
 *the table.
 */
#ifndef ENGINE_FAULT_H
#define ENGINE_FAULT_H

#include "engine/decide.h"
#include "engine/guest_mem.h"

struct dirty_ring;

/* What the CPU reported. ESR_EL2.EC is 0x20 (instruction) or 0x24 (data abort), lower level. */
struct fault_trap {
	u64 esr;
	u64 far;   /* FAR_EL2 */
	u64 hpfar; /* HPFAR_EL2; the port has made it valid (AT S1E1R) if the CPU did not */
	struct dirty_ring *ring; /* the vCPU's, if the VM logs by rings; else NULL */
};

enum fault_kind {
	FAULT_UNSUPPORTED,
	FAULT_TRANSLATION,
	FAULT_PERMISSION,
	FAULT_ACCESS_FLAG,
	FAULT_EXCLUSIVE,    /* unsupported exclusive or atomic access */
	FAULT_EXTERNAL,	    /* synchronous external abort or parity error, taken to EL2 */
	FAULT_TLB_CONFLICT, /* a TLB held one translation in two sizes (bbm_resize) */
	FAULT_KINDS,
};

/* Stage 1: the trap in words. */
struct fault_req {
	enum fault_kind kind;
	enum mem_access access; /* a walk reads; CMO reads unless it lacks permission (M12, M15) */
	s8 level;		/* of the entry the fault was taken at */
	bool is_fetch;
	bool is_walk; /* by a stage-1 walk (S1PTW) */
	bool is_cmo;
	bool has_syndrome; /* ISV */
	bool far_valid;
	ipa_t ipa;
	u64 esr;
	struct dirty_ring *ring; /* where a write is told; NULL: in the slot's bitmap */
	/* valid if has_syndrome */
	u8 len; /* bytes: 1, 2, 4, 8 */
	u8 reg; /* Rt, 31: XZR */
	bool sign_extend;
	bool reg_64; /* the register is 64 bits wide */
};

enum route_kind {
	ROUTE_RAM,   /* go on to resolve */
	ROUTE_YOUNG, /* only the Access flag is missing */
	ROUTE_MMIO,
	ROUTE_NO_SYNDROME, /* would be MMIO, but the CPU did not say what */
	ROUTE_SKIP,
	ROUTE_PERFORM_CMO, /* DC IVAC on a read-only slot, to be done as DC CIVAC */
	ROUTE_INJECT,
	ROUTE_FLUSH, /* drop what the TLB holds and try again; the address may be unknown */
	ROUTE_UNSUPPORTED,
	ROUTE_KINDS,
};

/* An abort to inject. */
enum inject_kind {
	INJECT_SEA_DATA,  /* synchronous external data abort; on a walk: TTW with its level */
	INJECT_SEA_FETCH, /* synchronous external instruction abort */
	INJECT_ADDRESS_SIZE,
	INJECT_EXCLUSIVE, /* data abort, unsupported exclusive or atomic (DFSC 0x35) */
};

/* Stage 2. */
struct fault_route {
	enum route_kind kind;
	enum inject_kind inject;
	enum reason why;
};

/* Stage 3: what the host has. */
struct fault_backing {
	int error; /* ERR_OK: leaf is valid */
	enum reason why;
	u64 sample; /* for invalidate_raced() */
	struct host_leaf leaf;
};

/* The end of the path; what kvm/ acts on. */
enum outcome_kind {
	OUTCOME_RESUME, /* enter the guest again */
	OUTCOME_SKIP,	/* advance the PC, then enter */
	OUTCOME_INJECT,
	OUTCOME_MMIO,	      /* KVM_EXIT_MMIO, unless a device in the kernel answers */
	OUTCOME_NO_SYNDROME,  /* KVM_EXIT_ARM_NISV if enabled, else ENOSYS */
	OUTCOME_MEMORY_FAULT, /* KVM_EXIT_MEMORY_FAULT with `error`, gpa and size */
	OUTCOME_SIGBUS,	      /* SIGBUS, BUS_MCEERR_AR at `hva`; then enter again */
	OUTCOME_ERROR,	      /* KVM_RUN returns `error` (ERR_INTR, ERR_NOMEM) */
	OUTCOME_EXTERNAL,     /* a host error abort: kvm/ decides (SError, KVM_EXIT_ARM_SEA) */
	OUTCOME_KINDS,
};

struct fault_outcome {
	enum outcome_kind kind;
	enum reason why;
	int error;
	ipa_t ipa; /* of the access */
	hva_t hva; /* OUTCOME_SIGBUS */
	/* OUTCOME_INJECT */
	enum inject_kind inject;
	bool inject_on_walk; /* by a stage-1 walk: report external abort on table walk; kvm/ finds
				the level by walking */
	/* OUTCOME_MMIO, valid as decoded */
	bool is_write;
	bool sign_extend;
	bool reg_64;
	u8 len;
	u8 reg;
	/* OUTCOME_MEMORY_FAULT */
	u64 fault_size; /* bytes at ipa rounded down to it */
	/* OUTCOME_RESUME: what was done */
	enum s2_result done;
	enum limit bound_by;
};

struct fault_req fault_decode(const struct fault_trap *trap);
/* What is known of the VM. */
struct vm_facts {
	unsigned int ipa_bits;
	enum ivac_policy ivac;
	s8 top_level;  /* the largest block the tables can hold */
	bool hw_dirty; /* hardware may mark pages as written (M17) */
};
/* @slot: NULL if no slot holds the address. */
struct fault_route fault_route(const struct fault_req *req, const struct slot_view *slot,
			       const struct vm_facts *vm);
/* May sleep. */
void fault_resolve(struct guest_mem *m, const struct fault_req *req, const struct slot_view *slot,
		   struct fault_backing *out);
/* What fault_resolve() returns when the host, asked for an access that @leaf (NULL: it has none)
 * does not allow, answers with @error. Pure. */
void fault_host_refused(struct fault_backing *out, int error, const struct host_leaf *leaf);
/* The same as fault_resolve() without asking the host for anything: WHY_NOT_PRESENT if it has no
 * leaf yet. Does not sleep. */
void fault_resolve_present(struct guest_mem *m, ipa_t ipa, const struct slot_view *slot,
			   struct fault_backing *out);
/* S2_RACED also if an invalidation raced, or a write to be told found @ring full; @error: ERR_OK or
 * ERR_NOMEM. @ring: the vCPU's, or NULL. May sleep before it locks. */
enum s2_result fault_commit(struct guest_mem *m, const struct slot_view *slot,
			    const struct fault_backing *backing, const struct fault_plan *plan,
			    struct dirty_ring *ring, int *error);
/* The same for @size bytes of leaves that follow @plan's, with equal plans; @backing's sample was
 * taken before the first was read from the host. None is a write to be logged. May sleep. */
struct s2_map_result fault_commit_run(struct guest_mem *m, const struct slot_view *slot,
				      const struct fault_backing *backing,
				      const struct fault_plan *plan, u64 size);
/* fault_commit_run(), accounted: bytes that are mapped now, maybe none. */
u64 fault_map_run(struct guest_mem *m, const struct slot_view *slot,
		  const struct fault_backing *backing, const struct fault_plan *plan, u64 size);
/* decide and commit: what a fault does once the host's leaf is known (@backing->error is ERR_OK).
 * @plan tells how far the mapping reaches. May sleep before it locks. */
struct fault_outcome fault_map(struct guest_mem *m, const struct fault_req *req,
			       const struct slot_view *slot, const struct fault_backing *backing,
			       struct fault_plan *plan);

/*
 * The whole path, for the vCPU that trapped; on its thread, no lock held. May sleep. If the VM logs
 * by rings, the vCPU's is not full (dirty_ring_is_full()).
 */
struct fault_outcome fault_handle(struct guest_mem *m, const struct fault_trap *trap);

/* What guest_mem_prefault() did. */
struct prefault_result {
	u64 done;  /* bytes from the start that are mapped now or were skipped */
	int error; /* why it stopped: ERR_OK at the end of the range */
	enum reason why;
	u64 skipped;	      /* bytes of done that cannot be mapped */
	enum reason skip_why; /* of the last skip */
};
/*
 * Maps [@ipa, @ipa + @size) ahead of use, as read faults would (M9); resumable at ipa + done. Stops
 * at the first address without a slot (ERR_NOENT), on a signal (ERR_INTR), without memory, or where
 * the host is changing for long (ERR_AGAIN: give way, then resume). May sleep.
 */
struct prefault_result guest_mem_prefault(struct guest_mem *m, ipa_t ipa, u64 size);

/* May the host allocate for it? */
enum prefault_how {
	PREFAULT_POPULATE, /* as read faults: the driver is asked for each page of the range */
	PREFAULT_PRESENT,  /* only leaves that are there; the rest is skipped (NOT_PRESENT) */
};
/* A part of a slot, in bytes from its start; multiples of PAGE_SIZE. */
struct slot_span {
	u64 offset, size;
};
/* Is it in whole pages, and in @s? Pure. */
bool slot_span_ok(const struct slot *s, struct slot_span span);
/*
 * The same for a part of slot @id, at its creation or later: I/O slots on request (M9). Slots lock
 * held, mm lock not. In addition ERR_NOENT: no such slot; ERR_INVAL: @span is not in it.
 */
struct prefault_result guest_mem_prefault_slot(struct guest_mem *m, u32 id, struct slot_span span,
					       enum prefault_how how);

#endif
