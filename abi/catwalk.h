/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KVM's ABI beyond Debian 12's <linux/kvm.h> (6.1): numbers and layouts of newer Linux, and
 * Catwalk's own. Include it after, or instead of, <linux/kvm.h>. What newer headers define is left
 * alone.
 */
#ifndef CATWALK_ABI_CATWALK_H
#define CATWALK_ABI_CATWALK_H

#include <linux/kvm.h>

/* ---- Linux 6.2 to 6.12 */
#ifndef KVM_CAP_COUNTER_OFFSET
#define KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP    225
#define KVM_CAP_COUNTER_OFFSET		      227
#define KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE    228
#define KVM_CAP_ARM_SUPPORTED_BLOCK_SIZES     229
#define KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES 230

struct kvm_arm_counter_offset {
	__u64 counter_offset;
	__u64 reserved;
};
#define KVM_ARM_SET_COUNTER_OFFSET _IOW(KVMIO, 0xb5, struct kvm_arm_counter_offset)

/* The index of an ID register in the array KVM_ARM_GET_REG_WRITABLE_MASKS fills. */
#define KVM_ARM_FEATURE_ID_RANGE      0
#define KVM_ARM_FEATURE_ID_RANGE_SIZE (3 * 8 * 8)
struct reg_mask_range {
	__u64 addr;  /* of __u64[KVM_ARM_FEATURE_ID_RANGE_SIZE] */
	__u32 range; /* KVM_ARM_FEATURE_ID_RANGE */
	__u32 reserved[13];
};
#define KVM_ARM_GET_REG_WRITABLE_MASKS _IOR(KVMIO, 0xb6, struct reg_mask_range)

/* Attributes of the VM's descriptor. */
#define KVM_ARM_VM_SMCCC_CTRL	0
#define KVM_ARM_VM_SMCCC_FILTER 0
enum kvm_smccc_filter_action {
	KVM_SMCCC_FILTER_HANDLE = 0,
	KVM_SMCCC_FILTER_DENY,
	KVM_SMCCC_FILTER_FWD_TO_USER,
};
struct kvm_smccc_filter {
	__u32 base;
	__u32 nr_functions;
	__u8 action;
	__u8 pad[15];
};
#define KVM_HYPERCALL_EXIT_SMC	 (1U << 0)
#define KVM_HYPERCALL_EXIT_16BIT (1U << 1)
#define KVM_ARM_VCPU_HAS_EL2	 7
#endif

/* Page of a vCPU's mapping; 0 in headers of an arm64 that has no rings yet. */
#if KVM_DIRTY_LOG_PAGE_OFFSET == 0
#undef KVM_DIRTY_LOG_PAGE_OFFSET
#define KVM_DIRTY_LOG_PAGE_OFFSET 64
#endif

#ifndef KVM_CAP_USER_MEMORY2
#define KVM_CAP_USER_MEMORY2	  231
#define KVM_CAP_MEMORY_FAULT_INFO 232
#define KVM_CAP_MEMORY_ATTRIBUTES 233
#define KVM_CAP_GUEST_MEMFD	  234
#define KVM_CAP_VM_TYPES	  235
#define KVM_EXIT_MEMORY_FAULT	  39

struct kvm_userspace_memory_region2 {
	__u32 slot;
	__u32 flags;
	__u64 guest_phys_addr;
	__u64 memory_size;
	__u64 userspace_addr;
	__u64 guest_memfd_offset;
	__u32 guest_memfd;
	__u32 pad1;
	__u64 pad2[14];
};
#define KVM_SET_USER_MEMORY_REGION2 _IOW(KVMIO, 0x49, struct kvm_userspace_memory_region2)
#endif

#ifndef KVM_CAP_PRE_FAULT_MEMORY
#define KVM_CAP_PRE_FAULT_MEMORY 236

struct kvm_pre_fault_memory {
	__u64 gpa;
	__u64 size;
	__u64 flags;
	__u64 padding[5];
};
#define KVM_PRE_FAULT_MEMORY _IOWR(KVMIO, 0xd5, struct kvm_pre_fault_memory)
#endif

#ifndef KVM_CAP_ARM_CACHEABLE_PFNMAP_SUPPORTED
#define KVM_CAP_ARM_CACHEABLE_PFNMAP_SUPPORTED 243
#endif

/*
 * The payload of KVM_EXIT_MEMORY_FAULT, at offsetof(struct kvm_run, padding), the start of the
 * union. The first three members are Linux's; Catwalk fills the others, which lie in what Linux
 * leaves unused.
 */
struct catwalk_memory_fault {
	__u64 flags;
	__u64 gpa;  /* of the access, rounded down to size */
	__u64 size; /* bytes */
	__u32 rule; /* M-rule of docs/guest-memory.md, 0: none */
	__u32 pad;
	char reason[96]; /* a sentence, NUL-terminated */
};

/* ---- Catwalk's own (none of these numbers is Linux's) */

/* Slot flag: this range is guaranteed write-back, or the slot is refused (M10). Unknown (EINVAL)
 * until the VM has enabled KVM_CAP_CATWALK_WRITE_BACK. */
#define KVM_MEM_WRITE_BACK (1UL << 15)

/* KVM_CHECK_EXTENSION: 1 if the host can force write-back (FWB). KVM_ENABLE_CAP on the VM, args[0]
 * 0. */
#define KVM_CAP_CATWALK_WRITE_BACK 0x43570000
/* KVM_ENABLE_CAP: a writable slot over memory that cannot be written is EPERM (M8). */
#define KVM_CAP_CATWALK_STRICT_SLOTS 0x43570001
/* KVM_ENABLE_CAP, args[0]: 0 inject an abort, 1 perform as DC CIVAC: DC IVAC on a read-only slot
 * (M12). */
#define KVM_CAP_CATWALK_IVAC_POLICY 0x43570002
/* KVM_CHECK_EXTENSION: 1 if KVM_CATWALK_GET_REFUSAL exists. */
#define KVM_CAP_CATWALK_REFUSAL 0x43570003

/* Why the VM's last slot call was refused (M18); error 0: none was. */
struct catwalk_refusal {
	__s32 error; /* negative errno */
	__u32 rule;
	__u64 hva; /* where */
	char reason[112];
};
#define KVM_CATWALK_GET_REFUSAL _IOR(KVMIO, 0xf0, struct catwalk_refusal)

#endif
