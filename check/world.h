/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole small world on the modelled machine: VMs with slots and vCPUs, the host memory behind
 * them, its drivers, a VMM, a device that does DMA; and an oracle that knows what each of them is
 * entitled to and stops the run at the first breach (the machine's refusals stop it too). Scenarios
 * (check/scenario.h), random simulation, exhaustive exploration and fuzzing all act through it.
 *
 * Without actors (world_run() was not called) operations run at once, one after the other. Inside
 * an actor each lock and port call is a scheduling point.
 */
#ifndef CHECK_WORLD_H
#define CHECK_WORLD_H

#include <stdio.h>

#include "engine/dirty.h"
#include "engine/fault.h"
#include "port/model/actor.h"
#include "port/model/machine.h"

enum { WORLD_VMS = 4, WORLD_PAGES_MAX = 4096 };
/* Bytes of a mapping, at most. */
#define WORLD_MAP_MAX (4UL << 30)

struct world_config {
	struct port_caps caps;
	unsigned int vmid_bits; /* 0: as caps */
	unsigned int ipa_bits;	/* of each VM */
	u16 step;		/* descriptors a lock hold; 0: the default */
	u16 compare; /* the state is compared around each n-th call that may refuse; 0: never */
};

struct world;
struct world *world_new(const struct world_config *c, struct chooser *hardware);
/* Everything as after world_new(), cheaply. */
void world_reset(struct world *w, const struct world_config *c, struct chooser *hardware);
void world_delete(struct world *w);
struct port *world_port(struct world *w);
struct guest_mem *world_vm(struct world *w, unsigned int vm); /* NULL: not created */
struct stage *world_stage(struct world *w);

/* What one operation came to: ERR_OK, an engine error, or an outcome of the fault path. */
struct world_result {
	int error;		      /* ERR_* of a call that was refused */
	struct fault_outcome outcome; /* of a guest operation that ended in the fault path */
	u64 version;		      /* what was read or written */
	u64 count;		      /* leaves, pages, bytes done: as the operation says */
	u64 descriptors;	      /* descriptors changed or walked */
};

/* ---- the host: mappings of one process, with drivers' behaviour */
struct host_map {
	hva_t hva;
	u64 size;
	enum mem_type type;	/* of the leaves */
	enum mem_type declared; /* of the VMA; may differ (S1: the leaf decides) */
	enum mem_reach reach;
	enum mem_owner owner;
	s8 level; /* of the leaves */
	bool vma_writable, leaf_writable;
	bool special;	      /* PFNMAP, from the start */
	bool lazy;	      /* leaves appear at faults (S4) */
	bool special_lazily;  /* and the VMA becomes special only then (S4) */
	bool refuses_mkwrite; /* asked about a write to a read-only leaf, the owner says no (M14) */
	bool poisoned;
	const char *name;
};
/* ERR_INVAL: not in leaves, larger than WORLD_MAP_MAX, beyond 48 bits; ERR_EXIST; ERR_NOMEM. */
struct world_result world_host_map(struct world *w, const struct host_map *m);
struct world_result world_host_unmap(struct world *w, hva_t hva, u64 size);
enum host_protect { HOST_PROTECT_READ, HOST_PROTECT_WRITE };
struct world_result world_host_protect(struct world *w, hva_t hva, u64 size, enum host_protect how);
/* The driver revokes and maps again with another type (S0, S4). */
struct world_result world_host_retype(struct world *w, hva_t hva, u64 size, enum mem_type type);
/* The contents move to other pages; the old ones go to another owner. */
struct world_result world_host_migrate(struct world *w, hva_t hva, u64 size);
/* Leaves of the range become one of @level, or a block falls apart (THP). */
struct world_result world_host_regroup(struct world *w, hva_t hva, s8 level);
struct world_result world_host_age(struct world *w, hva_t hva, u64 size, enum s2_age how);
/* The VMM reads and writes through its own mapping; if it writes memory a guest may reach
 * uncached, it cleans it, as rule M11 tells it to. */
struct world_result world_host_read(struct world *w, hva_t hva);
struct world_result world_host_write(struct world *w, hva_t hva);
/* A guest tells others that it has written there: from now on nobody may read older bytes. */
struct world_result world_told(struct world *w, hva_t hva);
struct world_result world_dma(struct world *w, hva_t hva, enum machine_dma how, bool is_write);
/* The page at @hva is found poisoned; its leaf is taken away, and who faults is told. */
struct world_result world_host_poison(struct world *w, hva_t hva);

/* ---- VMs and slots */
struct world_result world_vm_create(struct world *w, unsigned int vm);
struct world_result world_vm_destroy(struct world *w, unsigned int vm);
struct world_result world_slot(struct world *w, unsigned int vm, const struct slot_request *r);
struct world_result world_dirty_get(struct world *w, unsigned int vm, u32 slot);
struct world_result world_dirty_clear(struct world *w, unsigned int vm, u32 slot, u64 first,
				      u64 npages);
struct world_result world_prefault(struct world *w, unsigned int vm, ipa_t ipa, u64 size);
struct world_result world_split(struct world *w, unsigned int vm, ipa_t ipa, u64 size);
/* What no policy would decide: @ipa is mapped as told, nothing is paid. ERR_INVAL: no VM. */
struct world_result world_raw(struct world *w, unsigned int vm, ipa_t ipa,
			      const struct s2_leaf *leaf);
/* The VM lives on a host with @there from now on; what it was promised stays promised (M16). */
struct world_result world_moved(struct world *w, unsigned int vm, const struct port_caps *there);
/*
 * A capability that user space enables: "strict_slots", "write_back", "ivac_upgrade",
 * "manual_dirty", "initially_dirty" (0 or 1), "eager_split" (bytes). ERR_INVAL: no such.
 */
struct world_result world_policy(struct world *w, unsigned int vm, const char *name, u64 value);

/* ---- guests: vCPU @vcpu of @vm on the present CPU. An access is repeated, its faults handled,
 * until it goes through or the outcome is another than to resume. */
struct world_result world_guest(struct world *w, unsigned int vm, unsigned int vcpu,
				const struct machine_guest_op *op);
/* The same by an instruction whose abort comes without syndrome (ISV = 0), such as a pair. */
struct world_result world_guest_pair(struct world *w, unsigned int vm, unsigned int vcpu,
				     const struct machine_guest_op *op);
struct world_result world_guest_cmo(struct world *w, unsigned int vm, unsigned int vcpu, ipa_t ipa,
				    enum machine_cmo op);

/* ---- a world that misbehaves, so that the oracle can be seen to notice */
enum world_sabotage {
	SABOTAGE_NONE,
	SABOTAGE_NO_NOTIFIER,	 /* the host changes leaves and tells nobody */
	SABOTAGE_LATE_NOTIFIER,	 /* it tells after the change */
	SABOTAGE_LOSE_DIRTY,	 /* a guest's write loses its bit in the log */
	SABOTAGE_MARK_DIRTY,	 /* user space is told of a page that nobody wrote */
	SABOTAGE_CHANGE_REFUSED, /* a refused call changes something */
	SABOTAGE_LEAK,		 /* a VM's end forgets an allocation */
	SABOTAGE_OLD_CONTENTS,	 /* a new page is cleared past the caches, which keep what was */
	SABOTAGE_NO_CLEAN,	 /* the VMM does not clean what it writes for an uncached reader */
	SABOTAGE_TYPELESS_SPLIT, /* a split block's first page loses its MemAttr: Device (G5) */
	SABOTAGE_TYPELESS_DUMP,	 /* the dump has no memory types: all is Normal (G13) */
};
void world_misbehave(struct world *w, enum world_sabotage how);

/* ---- the whole state as sorted lines of text, for comparison: stage-2 runs, slots, dirty pages,
 * host leaves, and what was allocated. */
void world_state(struct world *w, FILE *out);
/* What is being invalidated, as bits. */
enum { RANGE_OPEN = 1, RANGE_UNSETTLED = 2 };
u32 world_ranges(const struct world *w);
/* The oracle's checks of a state at rest: stage 2 against host leaves and slots, counters against
 * tables, dirty marks against writes. Stops the run on a breach. */
void world_check(struct world *w);
/* Ends everything; stops the run on a leak. */
void world_end(struct world *w);

/* The world's chooser and actors, for runs with several actors. */
enum stage_end world_run(struct world *w, u64 limit);
void world_actor(struct world *w, const char *name, unsigned int cpu, void (*fn)(void *arg),
		 void *arg);
/* The first offending event, the history of the place, and the answers that replay the run. */
void world_explain(struct world *w, FILE *out);

#endif
