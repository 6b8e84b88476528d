/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual machine: its memory, its vCPUs and what user space chose for all of them. It lives as
 * long as a descriptor of it or of one of its vCPUs is open.
 *
 * Locks: vm->lock (sleeping) guards creation of vCPUs and configuration. Order: docs/invariants.md.
 */
#ifndef KVM_VM_H
#define KVM_VM_H

#include <bsd/sys/tree.h>

#include "engine/dirty_ring.h"
#include "host/task.h"
#include "kvm/counters.h"
#include "kvm/idreg.h"
#include "kvm/memory.h"

struct vcpu;
struct vgic;

enum { VM_VCPUS_MAX = 512, VM_ITS_MAX = 8, COALESCED_ZONES_MAX = 100 };

/* Function ranges of SMCCC that user space filters (KVM_ARM_VM_SMCCC_FILTER). */
enum { SMCCC_FILTER_MAX = 32 };
struct smccc_range {
	u32 first, last;
	u8 action;
};

/* kvm/irqfd.c */
struct irqfd;
RB_HEAD(irqfd_tree, irqfd);
struct irqfds {
	struct irqfd_tree all; /* by eventfd; guarded, with the count, by the VM's lock */
	u32 count;
	struct spinlock lock;	       /* the next two change under it and the VM's lock */
	LIST_HEAD(, irqfd) resamplers; /* walked by vCPUs under the spin lock */
	u32 resampler_count;	       /* also read without a lock, as a hint */
	struct spinlock gone_lock;     /* taken under eventfds' queues' locks */
	LIST_HEAD(, irqfd) gone;       /* of eventfds that were closed; to be freed */
};

struct vm {
	u32 refs;    /* atomic: open descriptors */
	u32 number;  /* 1, 2, ... by order of creation; immutable */
	s32 creator; /* the process's id, in the names of statistics; immutable */
	struct vm_memory memory;

	struct mutex lock;
	struct vcpu *vcpus[VM_VCPUS_MAX]; /* by id; set once, with release */
	u32 vcpu_count;			  /* created; guarded by lock */
	u32 ring_entries;		  /* of each vCPU's dirty ring, 0: none; guarded by lock */
	u32 feature_bits;		  /* of every vCPU, once features_set; guarded by lock */
	bool features_set;
	bool ran; /* a vCPU was run: the configuration is fixed; set under lock, read without */
	struct vgic *vgic; /* NULL: none; set once, with release, before any vCPU runs */
	bool vgic_placed;  /* its frames were found in order; guarded by lock */
	u32 vgic_irqs;	   /* interrupts user space asked for, 0: not yet; guarded by lock */
	u32 timer_ppi[2];  /* of the virtual and the physical timer; constant once a vCPU ran */
	struct vm_its
		*its[VM_ITS_MAX]; /* the first its_count; set once, with release, under lock */
	u32 its_count;
	bool nisv_to_user;
	bool system_suspend;
	bool counter_offset_set; /* for good, by KVM_ARM_SET_COUNTER_OFFSET */
	u64 counter_offset[2]; /* what the virtual and the physical counter lack; written under lock
				*/
	u64 id_regs[ID_REGS];  /* guarded by lock until ran, then constant */
	u64 ctr;
	u32 pmu_counters;      /* PMCR_EL0.N; written under lock until ran (kvm/pmu.h) */
	u8 *pmu_filter;	       /* a bit for each event that counts; NULL: all do; the same */
	u64 imp_id[IMP_IDS];   /* the same */
	bool imp_ids_writable; /* KVM_CAP_ARM_WRITABLE_IMP_ID_REGS; set under lock */
	u32 psci_version;      /* as PSCI_VERSION returns it */
	u64 hyp_bitmap[4];     /* KVM_REG_ARM_{STD,STD_HYP,VENDOR_HYP}_BMAP and VENDOR_HYP_BMAP_2 */
	struct smccc_range smccc_filter[SMCCC_FILTER_MAX];
	u32 smccc_filter_count; /* guarded by lock until ran */

	/* Coalesced MMIO (KVM_REGISTER_COALESCED_MMIO); guarded by coalesced_lock */
	struct spinlock coalesced_lock;
	struct page *coalesced_page; /* struct kvm_coalesced_mmio_ring; immutable */
	struct kvm_coalesced_mmio_zone zones[COALESCED_ZONES_MAX];
	u32 zone_count; /* read without the lock as a hint */

	/* Interrupts by event and by GSI (kvm/irqchip.h) */
	struct irq_routes *routes; /* NULL: GSI n is SPI n; replaced under lock, freed after a grace
				      period */
	struct ioeventfds *ioeventfds; /* NULL: none; the same */
	struct irqfds irqfds;

	LIST_ENTRY(vm) link;	    /* all VMs, for the report */
	struct exit_counters exits; /* of vCPUs that are gone */
};

static inline struct vm *vm_of_memory(struct vm_memory *m)
{
	return container_of(m, struct vm, memory);
}

/* A new VM of the calling process with @type as KVM_CREATE_VM has it, as an open file; or ERR_PTR.
 */
struct file *vm_create(u64 type);
struct vm *vm_get(struct vm *vm);
/* The lowest free descriptor of the caller now names @f, whose reference it takes over; negative:
 * there is none, and the reference stays. */
int vm_install(struct file *f);
/* The same for what a constructor returned, a new file or ERR_PTR, which nobody keeps. */
int vm_install_new(struct file *f);
/* The last reference ends the VM. May sleep. */
void vm_put(struct vm *vm);
/* The vCPU with that id, or NULL. Valid as long as the VM. */
struct vcpu *vm_vcpu(struct vm *vm, u64 id);
/* Is the caller of the process that made the VM? KVM's ioctls give EIO to others. */
static inline bool vm_is_mine(const struct vm *vm)
{
	return vm->memory.mm == port_current()->mm;
}

/* ---- kvm/dirty_ring.c */
/* KVM_CAP_DIRTY_LOG_RING_ACQ_REL with @bytes for each ring, KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP. */
int ring_enable(struct vm *vm, u64 bytes);
int ring_enable_bitmap(struct vm *vm);
/* KVM_RESET_DIRTY_RINGS: the entries taken back. */
int ring_reset_all(struct vm *vm);

/* ---- kvm/caps.c */
/* KVM_CHECK_EXTENSION; @vm NULL: asked of /dev/kvm. */
s64 caps_check(const struct vm *vm, u64 cap);
/* KVM_ENABLE_CAP on the VM. */
int caps_enable(struct vm *vm, hva_t arg);

/* ---- kvm/coalesced.c */
int coalesced_init(struct vm *vm);
void coalesced_destroy(struct vm *vm);
int coalesced_register(struct vm *vm, hva_t arg);
int coalesced_unregister(struct vm *vm, hva_t arg);
/* True if the write went into the ring: there is no exit. */
bool coalesced_write(struct vm *vm, ipa_t ipa, unsigned int len, const void *data);

/* The machine's one pool of VMIDs. */
extern struct vmid_pool kvm_vmids;

#endif
