/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory as a product of four axes: what the slot is asked to be, what is behind it, how a
 * guest accesses it, and what happened in between. The oracle (kvm_rows_oracle.c) says what must
 * come of each point of the product, from the rules of docs/guest-memory.md alone; kvm_rows.c does
 * it on a real VM.
 */
#ifndef TESTS_TARGET_KVM_ROWS_H
#define TESTS_TARGET_KVM_ROWS_H

#include <stdint.h>

/* ---- the axes */

enum axis { AXIS_SLOT, AXIS_BACKING, AXIS_ACCESS, AXIS_EVENT, AXES };

/* X(name, slot flags, strict slots, DC IVAC is performed, Catwalk's own, what it is) */
#define ROWS_SLOTS(X)                                                                              \
	X(PLAIN, 0, 0, 0, 0, "plain")                                                              \
	X(LOGS, KVM_MEM_LOG_DIRTY_PAGES, 0, 0, 0, "logs")                                          \
	X(READ_ONLY, KVM_MEM_READONLY, 0, 0, 0, "read-only")                                       \
	X(UPGRADES, KVM_MEM_READONLY, 0, 1, 1, "read-only, upgrades IVAC")                         \
	X(WRITE_BACK, KVM_MEM_WRITE_BACK, 0, 0, 1, "write-back")                                   \
	X(WRITE_BACK_LOGS, KVM_MEM_WRITE_BACK | KVM_MEM_LOG_DIRTY_PAGES, 0, 0, 1,                  \
	  "write-back, logs")                                                                      \
	X(STRICT, 0, 1, 0, 1, "strict")

enum slot_kind {
#define X(name, ...) SLOT_##name,
	ROWS_SLOTS(X)
#undef X
		SLOT_KINDS,
};

/* How the memory comes about. */
enum maker {
	MAKE_ANONYMOUS, /* pages of 4 KiB */
	MAKE_THP,
	MAKE_HUGETLB,
	MAKE_HUGETLB_1G, /* a file of one page, so that it is cleared once */
	MAKE_FILE,	 /* shared */
	MAKE_ROM,	 /* shared, of a file opened for reading */
	MAKE_PRIVATE,	 /* copy-on-write of a file */
	MAKE_HOLE,
	MAKE_NO_SLOT,
	MAKE_NODE, /* of /dev/devmem */
};

enum type { TYPE_WB, TYPE_NC, TYPE_DEVICE };

/* What is known of a place in the host. */
struct facts {
	uint8_t vma;		  /* there is a mapping, */
	uint8_t reads, writes;	  /* which allows this; never writes alone */
	uint8_t leaf_reads_first; /* the leaf comes read-only, and its owner is asked to widen it,
				   */
	uint8_t owner_refuses;	  /* which it does not */
	uint8_t type, declared;	  /* enum type: of the leaf, and of the mapping's protection */
	uint8_t no_alias;	  /* the host's kernel does not map it itself: no maintenance */
	uint8_t any_uncached;	  /* the owner allows it */
	uint8_t special;	  /* the mapping is flagged: no pages, or I/O */
	uint8_t late;		  /* it is not, until its first fault */
	uint8_t present;	  /* the leaf is there */
};

enum {
	BACKING_RAM_4K,
	BACKING_RAM_2M,
	BACKING_HUGETLB,
	BACKING_FILE,
	BACKING_ROM,
	BACKING_PRIVATE,
	BACKING_PROT_READ,
	BACKING_PROT_NONE,
	BACKING_HOLE,
	BACKING_NO_SLOT,
	BACKING_NOW,
	BACKING_NOW_2M,
	BACKING_LAZY,
	BACKING_LAZY_2M,
	BACKING_LATE,
	BACKING_READ_FIRST,
	BACKING_OWNER_REFUSES,
	BACKING_DECLARED_DEVICE,
	BACKING_NC,
	BACKING_NC_ANY,
	BACKING_DEVICE,
	BACKING_DEVICE_ANY,
	BACKING_MIXED_DEVICE,
	BACKING_MIXED_RAM,
	BACKING_REGISTERS,
	BACKING_DECLARED_WB,
	/* What `kvm_rows 1g` is about. */
	BACKING_HUGETLB_1G,
	BACKING_NOW_1G,
	BACKING_LAZY_1G,
	BACKING_KINDS,
};

struct backing_kind {
	const char *name;
	enum maker maker;
	const char *node; /* of MAKE_NODE */
	struct facts facts;
	uint8_t page;	    /* the page that is used; of the slot */
	uint8_t registers;  /* no bytes that stay */
	uint8_t protection; /* PROT_*, set after it was filled */
	uint8_t gigabyte;   /* its size; else 2 MiB */
};
extern const struct backing_kind backing_kinds[BACKING_KINDS];

/* What the rules tell apart of accesses. */
enum access_class {
	CLASS_READ,
	CLASS_WRITE,
	CLASS_FETCH,
	CLASS_MAINTAIN, /* by address; not DC IVAC */
	CLASS_DISCARD,	/* DC IVAC */
	CLASS_WALK,	/* of stage 1, whose table is there */
	CLASS_WALK_UPDATES,
	CLASS_PREFAULT,		/* KVM_PRE_FAULT_MEMORY */
	CLASS_PREFAULT_PRESENT, /* KVM_CATWALK_PREFAULT_SLOT of what the host has */
};

/* X(name, class, has a syndrome, stage 1, first fault, code, what it is); x1: address,
 * x2: what is written, x3: what was read. */
#define ROWS_ACCESSES(X)                                                                           \
	X(LDR, CLASS_READ, 1, VIEW_DATA, ONE_FAULT, "ldr x3, [x1]", "read")                        \
	X(STR, CLASS_WRITE, 1, VIEW_DATA, ONE_FAULT, "str x2, [x1]", "write")                      \
	X(FETCH, CLASS_FETCH, 0, VIEW_CODE, ONE_FAULT, "br x1", "exec")                            \
	X(LDP, CLASS_READ, 0, VIEW_DATA, ONE_FAULT, "ldp x3, x4, [x1]", "LDP")                     \
	X(STP, CLASS_WRITE, 0, VIEW_DATA, ONE_FAULT, "stp x2, x2, [x1]", "STP")                    \
	X(LDXR, CLASS_READ, 0, VIEW_DATA, ONE_FAULT, "ldxr x3, [x1]", "LDXR")                      \
	X(STXR, CLASS_WRITE, 0, VIEW_DATA, READS_FIRST,                                            \
	  "1: ldxr x3, [x1]\n stxr w4, x2, [x1]\n cbnz w4, 1b", "LDXR, STXR")                      \
	X(LDADD, CLASS_WRITE, 0, VIEW_DATA, READS_ALONE, ".inst 0xf8220023", "LDADD")              \
	X(DC_CIVAC, CLASS_MAINTAIN, 0, VIEW_DATA, ONE_FAULT, "dc civac, x1", "DC CIVAC")           \
	X(DC_CVAC, CLASS_MAINTAIN, 0, VIEW_DATA, ONE_FAULT, "dc cvac, x1", "DC CVAC")              \
	X(DC_CVAU, CLASS_MAINTAIN, 0, VIEW_DATA, ONE_FAULT, "dc cvau, x1", "DC CVAU")              \
	X(IC_IVAU, CLASS_MAINTAIN, 0, VIEW_DATA, ONE_FAULT, "ic ivau, x1", "IC IVAU")              \
	X(DC_IVAC, CLASS_DISCARD, 0, VIEW_DATA, ONE_FAULT, "dc ivac, x1", "DC IVAC")               \
	X(DC_ZVA, CLASS_WRITE, 0, VIEW_DATA, ONE_FAULT, "dc zva, x1", "DC ZVA")                    \
	X(WALK, CLASS_WALK, 0, VIEW_TABLE, ONE_FAULT, "ldr x3, [x1]", "walk")                      \
	X(WALK_AF, CLASS_WALK_UPDATES, 0, VIEW_OLD, ONE_FAULT, "ldr x3, [x1]", "walk sets AF")     \
	X(AT, CLASS_WALK, 0, VIEW_TABLE, ONE_FAULT, "at s1e1r, x1\n isb\n mrs x3, par_el1", "AT")  \
	X(PREFAULT, CLASS_PREFAULT, 0, VIEW_DATA, ONE_FAULT, "nop", "prefault")                    \
	X(PREFAULT_PRESENT, CLASS_PREFAULT_PRESENT, 0, VIEW_DATA, ONE_FAULT, "nop",                \
	  "prefault of what is present")

/* Of a write that also reads, the first fault: is it a read's? Of atomics it is, by the Arm ARM
 * (ESR_ELx.WnR), and in QEMU with one CPU; with more, QEMU makes them in one go, as writes. */
enum first_fault { ONE_FAULT, READS_FIRST, READS_ALONE };

/* By which address of the guest's stage 1. */
enum view { VIEW_DATA, VIEW_CODE, VIEW_TABLE, VIEW_OLD };

enum {
#define X(name, ...) ACCESS_##name,
	ROWS_ACCESSES(X)
#undef X
		ACCESS_KINDS,
};

struct access_kind {
	const char *name, *start, *end;
	enum access_class class;
	int has_syndrome;
	enum view view;
	enum first_fault first_fault;
};
extern const struct access_kind access_kinds[ACCESS_KINDS];

enum event {
	EVENT_NONE,
	EVENT_UNMAPPED,
	EVENT_REMAPPED, /* other RAM in its place */
	EVENT_NARROWED, /* mprotect() takes write permission, or read permission if there is none */
	EVENT_RETYPED,
	EVENT_LOGGED, /* KVM_MEM_LOG_DIRTY_PAGES is asked for */
	EVENTS,
};
extern const char *const event_names[EVENTS];

struct row_case {
	enum slot_kind slot;
	int backing, access;
	enum event event;
};

/* ---- the oracle */

struct host_facts {
	int is_catwalk;
	int fwb;
	int traps; /* maintenance faults as on hardware */
	int cpus;
};

/* A slot as it stands. */
struct slot_facts {
	uint32_t flags;
	int strict, upgrades;
	int exists;
};

enum outcome {
	DONE,
	MMIO_EXIT,
	NO_SYNDROME, /* ENOSYS */
	REFUSED,     /* EFAULT with its rule */
	ABORT_DATA,  /* external aborts in the guest: of the access, */
	ABORT_FETCH, /* a fetch, */
	ABORT_WALK,  /* or a walk at level 3 */
	CALL_FAILED, /* the ioctl, with `error` */
	OUTCOMES,
};
extern const char *const outcome_names[OUTCOMES];

struct expected {
	enum outcome outcome;
	int error;	   /* of CALL_FAILED, negative */
	unsigned int rule; /* that decides, 0: none in particular */
	int writes;	   /* the page changes, or may have */
	int logged;	   /* and the log says so */
};

/* KVM_SET_USER_MEMORY_REGION with @slot's flags: error 0 (DONE) or CALL_FAILED. */
struct expected oracle_slot(const struct host_facts *host, const struct slot_facts *slot,
			    const struct facts *place);
/* One access. */
struct expected oracle_access(const struct host_facts *host, const struct slot_facts *slot,
			      const struct facts *place, const struct access_kind *access);

/* What the queries say of a page that a guest has just accessed: enum catwalk_class (M11), and
 * CATWALK_PROMISE_* of its slot (M16). */
uint32_t oracle_class(const struct host_facts *host, const struct facts *place);
uint32_t oracle_promises(const struct slot_facts *slot, const struct facts *place);

/* The rule that KVM_CATWALK_EXPLAIN must name for an access that is expected to end as @e. */
unsigned int oracle_explained(const struct slot_facts *slot, const struct facts *place,
			      const struct expected *e);

/* The size of a mapping over @backing in a plain slot, bytes (M6); 0: the host's choice. */
uint64_t oracle_size(int backing);

/* A pair that cannot be: why, or NULL. Values of axes, in the order of enum axis. */
const char *oracle_impossible(enum axis a, int value_a, enum axis b, int value_b);

/* Where Linux's KVM (6.1 to 6.12) answers otherwise than Catwalk must. */
struct linux_difference {
	unsigned int rule; /* that explains it */
	const char *what;
};
/* Of one access; NULL: none. */
const struct linux_difference *oracle_linux(const struct slot_facts *slot,
					    const struct facts *place,
					    const struct access_kind *access);

/* Rules that no program can see as a reason here: why, or NULL. */
const char *oracle_unseen(unsigned int rule);

enum { RULES = 18 };

#endif
