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

#ifndef KVM_CREATE_GUEST_MEMFD
#define KVM_MEM_GUEST_MEMFD (1UL << 2)

struct kvm_create_guest_memfd {
	__u64 size;
	__u64 flags;
	__u64 reserved[6];
};
#define KVM_CREATE_GUEST_MEMFD _IOWR(KVMIO, 0xd4, struct kvm_create_guest_memfd)
#endif

/* Linux 6.18 */
#ifndef KVM_CAP_GUEST_MEMFD_FLAGS
#define KVM_CAP_GUEST_MEMFD_FLAGS    244
#define GUEST_MEMFD_FLAG_MMAP	     (1ULL << 0)
#define GUEST_MEMFD_FLAG_INIT_SHARED (1ULL << 1)
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

/* Linux 6.13 */
#ifndef KVM_SYSTEM_EVENT_SHUTDOWN_FLAG_PSCI_OFF2
#define KVM_SYSTEM_EVENT_SHUTDOWN_FLAG_PSCI_OFF2 (1ULL << 0)
#endif

/* Linux 6.15 */
#ifndef KVM_CAP_ARM_WRITABLE_IMP_ID_REGS
#define KVM_CAP_ARM_WRITABLE_IMP_ID_REGS 239
#endif
#ifndef KVM_REG_ARM_VENDOR_HYP_BMAP_2
#define KVM_REG_ARM_VENDOR_HYP_BMAP_2		      KVM_REG_ARM_FW_FEAT_BMAP_REG(3)
#define KVM_REG_ARM_VENDOR_HYP_BIT_DISCOVER_IMPL_VER  0
#define KVM_REG_ARM_VENDOR_HYP_BIT_DISCOVER_IMPL_CPUS 1
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
	__u64 hva; /* where; 0: in a guest_memfd */
	char reason[112];
};
#define KVM_CATWALK_GET_REFUSAL _IOR(KVMIO, 0xf0, struct catwalk_refusal)

/*
 * ---- What a VM can be asked of its guest memory: VM ioctls. Members marked "in" are the caller's,
 * "out" are written if the call returns 0, and whatever an error's description says else; flags and
 * reserved members must be 0 (EINVAL). Answers hold for the moment they were given.
 */

/* M11: how [gpa, gpa + size) stays coherent, and which maintenance user space owes for it. */
#define KVM_CAP_CATWALK_COHERENCE 0x43570004

enum catwalk_class {
	CATWALK_CLASS_UNKNOWN, /* no slot, no host page yet, or nothing that can be mapped */
	CATWALK_CLASS_FORCED,  /* write-back, whatever the guest says (FWB) */
	CATWALK_CLASS_GUEST,   /* write-back, unless the guest chooses less: without FWB */
	CATWALK_CLASS_NC,      /* Normal non-cacheable at most */
	CATWALK_CLASS_DEVICE,
	CATWALK_CLASS_MIXED, /* of a range: more than one of those above that are known */
};

/* Who wants to read or write the memory beside the guest. */
enum catwalk_agent {
	CATWALK_AGENT_VMM,	  /* user space through its own mapping */
	CATWALK_AGENT_DMA_SNOOPS, /* a device whose accesses look into the caches */
	CATWALK_AGENT_DMA_BYPASS, /* a device that does not */
	CATWALK_AGENTS,
};

/* Clean and invalidate to the point of coherency, bits. */
#define CATWALK_OWED_BEFORE_READ  1 /* before the agent reads */
#define CATWALK_OWED_AFTER_WRITE  2 /* after the agent wrote, before the guest reads */
#define CATWALK_OWED_BEFORE_WRITE 4 /* before it writes, or a dirty line goes over that */

struct catwalk_coherence {
	__u64 gpa;			  /* in; multiple of 4096 */
	__u64 size;			  /* in; bytes, multiple of 4096, > 0 */
	__u64 flags;			  /* in */
	__u64 done;			  /* out; bytes looked at; less than size: a signal came,
					     ask for the rest */
	__u64 mapped;			  /* out; of done: mapped now; others are what would be */
	__u64 bytes[CATWALK_CLASS_MIXED]; /* out; of done, by class */
	__u32 all;			  /* out; enum catwalk_class of what is known of done */
	__u32 owed[CATWALK_AGENTS];	  /* out; CATWALK_OWED_* of done, all bytes together */
	__u64 reserved[4];		  /* in */
};
#define KVM_CATWALK_GET_COHERENCE _IOWR(KVMIO, 0xf1, struct catwalk_coherence)

/* M16: what the guest's memory has been promised here. */
#define KVM_CAP_CATWALK_CONTRACT 0x43570005

#define CATWALK_PROMISE_WRITE_BACK	 1 /* KVM_MEM_WRITE_BACK (M10) */
#define CATWALK_PROMISE_CACHEABLE_PFNMAP 2 /* write-back memory that EL2 cannot maintain (M3) */
#define CATWALK_PROMISE_READ_ONLY	 4

struct catwalk_contract_slot {
	__u64 gpa;
	__u64 size; /* bytes */
	__u32 slot;
	__u32 promises; /* CATWALK_PROMISE_* */
	__u32 classes;	/* bit n: some of it is of class n (enum catwalk_class) now */
	__u32 pad;
};

#define CATWALK_HOST_FWB    1
#define CATWALK_HOST_DIC    2
#define CATWALK_HOST_IDC    4
#define CATWALK_HOST_HW_AF  8  /* FEAT_HAFDBS: the Access flag */
#define CATWALK_HOST_HW_DBM 16 /* and dirty state */

struct catwalk_contract {
	__u32 version;	   /* out; 1 */
	__u32 host;	   /* out; CATWALK_HOST_* */
	__u32 ipa_bits;	   /* out; the VM's */
	__u32 slot_count;  /* in: room at slots; out, also with E2BIG: the VM's slots */
	__u64 granule;	   /* out; bytes */
	__u64 blocks;	   /* out; sizes of stage-2 leaves: bit n is 2^n bytes */
	__u64 slots;	   /* in; address of struct catwalk_contract_slot[]; by rising gpa */
	__u64 flags;	   /* in */
	__u64 reserved[4]; /* in */
};
#define KVM_CATWALK_GET_CONTRACT _IOWR(KVMIO, 0xf2, struct catwalk_contract)

/* M18: what was refused and what surprised, lately. KVM_CHECK_EXTENSION: events that are kept. */
#define KVM_CAP_CATWALK_TRACE 0x43570006

enum catwalk_access { CATWALK_READ, CATWALK_WRITE, CATWALK_EXEC };

enum catwalk_source {
	CATWALK_SOURCE_FAULT,
	CATWALK_SOURCE_PREFAULT,
	CATWALK_SOURCE_SLOT, /* a slot ioctl */
};

enum catwalk_answer {
	CATWALK_ANSWER_MAP,
	CATWALK_ANSWER_AGE,    /* mapped already: its Access flag is set */
	CATWALK_ANSWER_SKIP,   /* the instruction is stepped over */
	CATWALK_ANSWER_INJECT, /* an abort into the guest */
	CATWALK_ANSWER_EXIT,   /* KVM_RUN returns with an exit */
	CATWALK_ANSWER_ERROR,  /* KVM_RUN, or the ioctl, fails */
	CATWALK_ANSWER_RETRY,  /* nothing is known yet: the guest faults again */
};

#define CATWALK_NO_SLOT 0xffff

struct catwalk_trace_event {
	__u64 number; /* 1, 2, ... */
	__u64 gpa;
	__u64 hva;   /* 0 without a slot, and in a guest_memfd */
	__u32 slot;  /* or CATWALK_NO_SLOT */
	__s32 error; /* negative errno, or 0 */
	__u8 source; /* enum catwalk_source */
	__u8 answer; /* enum catwalk_answer */
	__u8 access; /* enum catwalk_access */
	__u8 pad;
	__u32 rule;	 /* M-rule of docs/guest-memory.md */
	char reason[96]; /* a sentence, NUL-terminated */
};

struct catwalk_trace {
	__u64 after;	   /* in: events numbered above it; out: the last that was read */
	__u64 events;	   /* in; address of struct catwalk_trace_event[] */
	__u32 count;	   /* in: room at events; out: events read */
	__u32 flags;	   /* in */
	__u64 last;	   /* out; number of the VM's last event */
	__u64 lost;	   /* out; events up to the new after that were overwritten unread */
	__u64 reserved[4]; /* in */
};
#define KVM_CATWALK_READ_TRACE _IOWR(KVMIO, 0xf3, struct catwalk_trace)

/* M7: what an access of the guest would get, without doing it. */
#define KVM_CAP_CATWALK_EXPLAIN 0x43570007

#define CATWALK_TYPE_NORMAL    0 /* write-back; without FWB the guest may choose less */
#define CATWALK_TYPE_NORMAL_NC 1
#define CATWALK_TYPE_DEVICE    2

#define CATWALK_PERM_READ     1
#define CATWALK_PERM_WRITE    2
#define CATWALK_PERM_EXEC     4
#define CATWALK_PERM_HW_WRITE 8 /* hardware adds WRITE at the first write (M17) */

/* A stage-2 mapping; size 0: none. */
struct catwalk_mapping {
	__u64 gpa; /* where it starts */
	__u64 size;
	__u32 type;  /* CATWALK_TYPE_* */
	__u32 perms; /* CATWALK_PERM_* */
};

/* What kept a mapping from being larger (M6). */
enum catwalk_limit {
	CATWALK_LIMIT_NONE,
	CATWALK_LIMIT_HOST,    /* the host's own mapping */
	CATWALK_LIMIT_TABLE,   /* the largest block there is */
	CATWALK_LIMIT_SLOT,    /* the slot's addresses and size */
	CATWALK_LIMIT_LOGGING, /* dirty logging goes by pages */
};

/* Cache maintenance by the kernel, bits. */
#define CATWALK_CMO_DCACHE     1 /* data, clean and invalidate to the point of coherency */
#define CATWALK_CMO_ICACHE     2 /* instruction caches, by address */
#define CATWALK_CMO_ICACHE_ALL 4 /* instruction caches as a whole */

#define CATWALK_FACT_SLOT      1 /* a slot holds the address: slot */
#define CATWALK_FACT_HOST      2 /* the host has a page there: host_type and so on */
#define CATWALK_FACT_ASKS_HOST 4 /* the host's fault handler would be asked first */
#define CATWALK_FACT_LOGGED    8 /* the write would be told to the dirty log */

/* The host's page. */
#define CATWALK_HOST_PAGE_REACHED  1 /* RAM: EL2 can maintain its caches by address */
#define CATWALK_HOST_PAGE_ANY	   2 /* its owner allows any uncached type */
#define CATWALK_HOST_PAGE_WRITABLE 4

struct catwalk_explain {
	__u64 gpa;    /* in */
	__u32 access; /* in; enum catwalk_access, by an instruction with a syndrome */
	__u32 flags;  /* in */
	/* out */
	__u32 answer;		      /* enum catwalk_answer */
	__u32 rule;		      /* M-rule, 0: none */
	__s32 error;		      /* negative errno that the exit or KVM_RUN carries, or 0 */
	__u32 exit_reason;	      /* CATWALK_ANSWER_EXIT: KVM_EXIT_* */
	__u32 facts;		      /* CATWALK_FACT_* */
	__u32 slot;		      /* or CATWALK_NO_SLOT */
	__u32 slot_flags;	      /* KVM_MEM_* */
	__u32 bound_by;		      /* CATWALK_ANSWER_MAP: enum catwalk_limit */
	__u32 owed;		      /* CATWALK_ANSWER_MAP: CATWALK_CMO_*, before it is mapped */
	__u32 owed_after;	      /* and after it is unmapped */
	__u32 host_type;	      /* CATWALK_TYPE_* of the host's page */
	__u32 host_flags;	      /* CATWALK_HOST_PAGE_* */
	__u64 host_size;	      /* of the host's leaf, bytes */
	struct catwalk_mapping would; /* CATWALK_ANSWER_MAP: what it would be */
	struct catwalk_mapping now;   /* what is mapped there now */
	char reason[96];	      /* a sentence, NUL-terminated */
	__u64 reserved[4];	      /* in */
};
#define KVM_CATWALK_EXPLAIN _IOWR(KVMIO, 0xf4, struct catwalk_explain)

/* M9: maps a part of a slot ahead of use, and says what it skipped and why. */
#define KVM_CAP_CATWALK_PREFAULT 0x43570008

#define CATWALK_PREFAULT_PRESENT 1 /* only what the host has: no driver is asked for a page */

struct catwalk_prefault {
	__u32 slot;	 /* in */
	__u32 flags;	 /* in; CATWALK_PREFAULT_* */
	__u64 offset;	 /* in, of the slot's start, bytes, multiple of 4096; out: where to go on */
	__u64 size;	 /* in, bytes, multiple of 4096, > 0; out: what is left */
	__u64 skipped;	 /* out; bytes that cannot be mapped */
	__s32 error;	 /* out; why it stopped, or 0: at the end */
	__u32 rule;	 /* out; of error */
	__u32 skip_rule; /* out; of the last skip */
	__u32 pad;	 /* in */
	char reason[96]; /* out; of error */
	char skip_reason[96]; /* out; of the last skip */
	__u64 reserved[4];    /* in */
};
#define KVM_CATWALK_PREFAULT_SLOT _IOWR(KVMIO, 0xf5, struct catwalk_prefault)

#endif
