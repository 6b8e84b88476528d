/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory half of a VM: its guest memory, the program's memory behind it, and the ioctls about
 * both. It stands on host/ and engine/ alone and knows nothing of vCPUs, so it is also built
 * natively, on the modelled machine.
 */
#ifndef KVM_MEMORY_H
#define KVM_MEMORY_H

#include "abi/catwalk.h"
#include "engine/dirty.h"
#include "engine/fault.h"
#include "host/mm.h"
#include "host/sched.h"

struct vm_memory {
	struct mm *mm; /* counted; immutable */
	struct guest_mem guest;
	struct mm_notifier notifier;
	struct mutex
		slots_lock; /* what changes slots and the dirty log; order: docs/invariants.md */
	const struct vm_memory_ops *ops;
	struct spinlock gmem_lock; /* kvm/guest_memfd.h */
	RB_HEAD(gmem_bindings, gmem_binding) gmem;
};

/* What the memory asks of the VM it is a part of. */
struct vm_memory_ops {
	/* The program ends: its stage 2 is about to go, under its mm lock. NULL: not told. */
	void (*before_release)(struct vm_memory *m);
	/* A file needs the VM from now on, or no longer: then it may end. May sleep. */
	void (*get)(struct vm_memory *m);
	void (*put)(struct vm_memory *m);
};

struct vm_memory_config {
	struct port *port;
	struct vmid_pool *vmids;
	unsigned int ipa_bits;
	const struct vm_memory_ops *ops;
};

/* The guest memory of a VM over @mm, which gets a reference; the mm notifier is registered. May
 * sleep. 0, -EINVAL (IPA size), -ENOMEM. */
int __must_check vm_memory_init(struct vm_memory *m, struct mm *mm,
				const struct vm_memory_config *config);
/* No vCPU and no ioctl is left. May sleep. */
void vm_memory_destroy(struct vm_memory *m);

/* ---- the ioctls of that name. @arg points to their argument in the calling program, which is the
 * one that made the VM. 0 or a negative errno, Linux's; no lock held; may sleep. */
int vm_set_memory_region(struct vm_memory *m, hva_t arg);
int vm_set_memory_region2(struct vm_memory *m, hva_t arg);
int vm_get_dirty_log(struct vm_memory *m, hva_t arg);
int vm_clear_dirty_log(struct vm_memory *m, hva_t arg);
int vm_get_refusal(struct vm_memory *m, hva_t arg);
/* KVM_PRE_FAULT_MEMORY, a vCPU's. */
int vm_pre_fault(struct vm_memory *m, hva_t arg);

/* kvm/memory_ask.c: what can be asked (abi/catwalk.h). */
int vm_get_coherence(struct vm_memory *m, hva_t arg);
int vm_get_contract(struct vm_memory *m, hva_t arg);
int vm_read_trace(struct vm_memory *m, hva_t arg);
int vm_explain(struct vm_memory *m, hva_t arg);
int vm_prefault_slot(struct vm_memory *m, hva_t arg);

/* After a prefault of [@gpa, @end): what was mapped page by page may share TLB entries now, or be
 * blocks. Slots lock held. May sleep. */
void vm_memory_recover(struct vm_memory *m, u64 gpa, u64 end);

/* The VM ioctls above by number; -EINVAL: it is none of them. */
s64 vm_memory_ioctl(struct vm_memory *m, u32 cmd, hva_t arg);

/* ---- kvm/memory_caps.c: the capabilities about memory */
/* KVM_CHECK_EXTENSION; @m NULL: asked of /dev/kvm. False: not one of them. */
bool memory_cap_check(const struct port_caps *cpu, const struct vm_memory *m, u64 cap, s64 *answer);
/* KVM_ENABLE_CAP, flags already found 0. 0 or -EINVAL. May sleep. */
int memory_cap_enable(struct vm_memory *m, const struct kvm_enable_cap *cap);

#endif
