/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modelled Arm machine as tests see it: several CPUs, of which one executes at a time (the test
 * or the actors' scheduler says which), stage-1 and stage-2 walks, TLBs, one coherent data cache
 * and instruction caches by line, a device that does DMA, and the host's own mappings.
 *
 * What the architecture leaves open, a chooser decides (machine_on_choice). Without one, what can
 * only be harmful happens at once: every CPU has cached every translation that ever could be
 * walked, until it is invalidated, and uses it. What the architecture forbids is refused, with a
 * line that says what: machine_refuses() and actors catch it, otherwise the test program aborts.
 *
 * Two accounts are kept of caches. The *ledger* (machine_host_writes, machine_host_takes) knows by
 * page what maintenance is owed, and refuses the mapping that does not pay, whether or not anybody
 * looks at the contents. The *contents* (machine_line_*, machine_guest, machine_dma_*) show by line
 * what would be seen, and refuse only what is seen and ought not to be.
 */
#ifndef PORT_MODEL_MACHINE_H
#define PORT_MODEL_MACHINE_H

#include "engine/port.h"

/*
 * ---- what is refused: the name, the words that its text begins with (stable; scenarios name
 * them), and whence the rule: the Arm ARM (DDI 0487), by the identifiers of its rules, which stay
 * the same from issue to issue, or by section; or engine/port.h. MISUSE is an error of the test,
 * not of the software under test.
 */
#define MACHINE_REFUSALS(X)                                                                        \
	X(BREAK, "change without break", "R_WHZWS, R_KFLJB, R_KHRBC: break-before-make")           \
	X(TLBI, "missing TLBI", "R_DDMVT: invalid, DSB, TLBI, DSB, and only then")                 \
	X(VMID, "VMID taken over", "R_DDMVT: a TLB may hold entries of the VMID's former VM")      \
	X(CONFLICT, "conflicting translations", "Contiguous bit: a set that disagrees")            \
	X(LOST, "lost update", "R_RTBRL: a plain store over what hardware may update")             \
	X(TABLE_USE, "use of a freed table", "engine/port.h: a walk of freed memory")              \
	X(TABLE_LINKED, "free of a linked table", "engine/port.h: a walk may still reach it")      \
	X(TABLE_GRACE, "missing grace period", "engine/port.h: software may still walk it")        \
	X(TABLE_STATE, "wrong table", "engine/port.h: freed or linked, but not allocated")         \
	X(CLEAN, "missing clean", "D7.5 caches: lines not in memory when they are owed there")     \
	X(IC, "missing IC", "D7.5 caches: execution granted over stale instruction caches")        \
	X(STALE_READ, "stale read", "D7.5 caches: older data than what was handed over")           \
	X(STALE_FETCH, "stale fetch", "D7.5 caches: older code than what was handed over")         \
	X(ALIAS, "mismatched alias", "mismatched memory attributes: one location, two of them")    \
	X(DEADLOCK, "dead lock", "engine/port.h: a lock by who has it, or cannot get it")          \
	X(LOCK, "wrong unlock", "engine/port.h: a lock or section is left that is not held")       \
	X(SLEEP, "sleep", "engine/port.h: with a lock held or in a walk section")                  \
	X(ORDER, "wrong sequence", "engine/port.h: calls out of order, or not implemented")        \
	X(BUG, "broken invariant", "engine/port.h: the engine found it itself")                    \
	X(MISUSE, "misuse of the model", "the test asks for what no machine has")

enum machine_refusal_kind {
#define MACHINE_REFUSAL_NAME(name, phrase, rule) REFUSED_##name,
	MACHINE_REFUSALS(MACHINE_REFUSAL_NAME)
#undef MACHINE_REFUSAL_NAME
		REFUSAL_KINDS,
	REFUSED_NOT = REFUSAL_KINDS, /* nothing was, or another's machine_stop() */
};
const char *machine_refusal_phrase(enum machine_refusal_kind kind);
const char *machine_refusal_rule(enum machine_refusal_kind kind);

/* ---- life */
struct port *machine_new(const struct port_caps *caps);
/* Everything as after machine_new(), at the cost of what was used; for many short runs. What is
 * still allocated is lost. */
void machine_reset(struct port *p, const struct port_caps *caps);
/* Ends pending grace periods, frees everything, and returns what the engine had not given back:
 * allocations and tables. */
u64 machine_delete(struct port *p);
/* Allocations and tables that are out, those waiting for a grace period included. */
u64 machine_live(const struct port *p);
void machine_cpu(struct port *p, unsigned int cpu);
/* Every CPU passes a quiescent state: what waited for a grace period is freed. */
void machine_quiesce(struct port *p);

/* ---- refusals */
/* Calls @fn(@arg); true if the model refused. The machine is good for machine_refusal(),
 * machine_history(), machine_reset() and machine_delete() afterwards. */
bool machine_refuses(struct port *p, void (*fn)(void *arg), void *arg);
/* The last refusal's text; "" if there was none since machine_new() or machine_reset(). */
const char *machine_refusal(const struct port *p);
enum machine_refusal_kind machine_refusal_kind(const struct port *p);
/* The IPA or PA that the last refusal is about, for machine_history(); false: none in particular.
 */
bool machine_refusal_place(const struct port *p, u64 *at);
/* The word of an oracle beside the machine: stops the run as a refusal does. */
void machine_stop(struct port *p, const char *fmt, ...) __printf(2, 3) __noreturn;
/* What refusals call instead of longjmp() or abort(), which follow if it returns: a way out of an
 * actor's stack. NULL: none. */
void machine_on_stop(struct port *p, void (*fn)(void *arg), void *arg);

/* ---- faults to inject */
/* The @nth allocation from now fails (1: the next); 0: none. Returns what was left of the last
 * call: 0 when it failed one. */
u64 machine_fail_alloc(struct port *p, u64 nth);
/* Stands for an engine that forgets: from now on, operations of this kind have no effect. */
enum machine_deafness { DEAF_TLBI, DEAF_STAGE1, DEAF_DCACHE, DEAF_ICACHE, DEAF_KINDS };
void machine_deafen(struct port *p, enum machine_deafness what);
void machine_hear_again(struct port *p);
/* Called at each relax point, with no table lock held; NULL: none. */
void machine_on_relax(struct port *p, void (*fn)(void *arg), void *arg);
/* Called before each write lock is taken: the last moment for another CPU. NULL: none. */
void machine_on_write_lock(struct port *p, void (*fn)(void *arg), void *arg);
/* Called before each atomic change of a descriptor that walks can reach: the last moment for
 * hardware that writes Access flag and dirty state. Not called from within. NULL: none. */
void machine_on_change(struct port *p, void (*fn)(void *arg), void *arg);

/* ---- scheduling: who goes on */
enum machine_step {
	STEP_POINT, /* before something takes effect that other CPUs see */
	STEP_TOUCH, /* the same, an access to a descriptor: machine_on_touch() was told of it */
	STEP_WAIT,  /* a lock is taken: called again and again until it is free */
	STEP_RELAX, /* a relax point: others may go on, the caller holds nothing */
};
/*
 * Called before each descriptor access that another CPU may see (loads of linked tables included),
 * barrier, TLBI, maintenance, lock taken, relax point, walk section entered, guest entry and guest
 * access takes effect, and after each lock is released and walk section left; @where names it
 * (static storage). On return p->cpu must be the caller's
 * again. NULL: none; then a taken lock is refused as a dead lock. A lock taken by the same CPU
 * always is.
 */
void machine_on_step(struct port *p,
		     void (*step)(void *arg, enum machine_step kind, const char *where), void *arg);

/*
 * Called when software of the present CPU, or its walk, comes to a descriptor that others may see;
 * before the step about it, if there is one. @pa: of the descriptor. NULL: none.
 */
enum machine_touch { TOUCH_READ, TOUCH_WRITE };
void machine_on_touch(struct port *p, void (*touch)(void *arg, pa_t pa, enum machine_touch how),
		      void *arg);

/* The locks that @cpu holds, at most @most (and MACHINE_HELD) of them; returns how many. */
enum { MACHINE_HELD = 4 };
struct machine_held {
	const struct port_rwlock *lock;
	bool write;
};
unsigned int machine_locks_held(const struct port *p, unsigned int cpu, struct machine_held *out,
				unsigned int most);

/* ---- what the architecture leaves open */
enum machine_choice {
	/* Before a translation for which this CPU may hold @options - 1 stale entries that differ
	 * from the present one: 0: a fresh walk; n: the n-th of them. Without a chooser 1. */
	MAY_USE_STALE,
	/* Before an access to a line: 1: it is evicted (written back if dirty) or, before a write
	 * past the data cache, filled from memory if something maps it cacheable. Asked if that
	 * makes a difference. Without a chooser 0. */
	MAY_MOVE_LINE,
	/* Before a write to a line in a page that a guest may execute: 1: every instruction cache
	 * holds it now, as it was. Without a chooser 0. */
	MAY_FILL_ICACHE,
	/* Before a fetch that this CPU's instruction cache could serve: 1: it is fetched anew.
	 * Without a chooser 0. */
	MAY_DROP_ICACHE,
	MACHINE_CHOICES,
};
/* @choose answers 0..@options - 1 (@options >= 2); 0 is the ordinary. NULL: none. */
void machine_on_choice(struct port *p,
		       unsigned int (*choose)(void *arg, enum machine_choice what,
					      unsigned int options),
		       void *arg);

/* ---- contents. A line of 64 bytes has a version in memory (PoC), perhaps another in the coherent
 * data cache (clean or dirty), perhaps others in the CPUs' instruction caches. Every write makes a
 * new version; versions of a machine only grow; 0 was never written. */
#define MACHINE_LINE 64UL
enum machine_attr { ATTR_WB, ATTR_NC, ATTR_DEVICE };
/* Returns the new version. */
u64 machine_line_write(struct port *p, pa_t pa, enum machine_attr attr);
/* What the reader sees. Stops the run if it is older than what is due. */
u64 machine_line_read(struct port *p, pa_t pa, enum machine_attr attr);
/* What the present CPU executes; likewise. Without IDC it comes from the point of unification,
 * where dirty lines are not; with DIC instruction caches hold nothing of their own. */
u64 machine_line_fetch(struct port *p, pa_t pa);
/* A coherent device snoops the data cache; another sees memory alone. */
enum machine_dma { DMA_COHERENT, DMA_BYPASS };
u64 machine_dma_write(struct port *p, pa_t pa, enum machine_dma how);
u64 machine_dma_read(struct port *p, pa_t pa, enum machine_dma how);
/* Ownership of [@pa, @pa + @size) passes on with all that was written so far: from now on nobody
 * may read or fetch anything older. @owner names the new owner in refusals; kept, not copied. */
void machine_hand_over(struct port *p, pa_t pa, u64 size, const char *owner);
/* The same for data only: a writer did its own maintenance and tells others. */
void machine_publish_data(struct port *p, pa_t pa, u64 size);
/* Maintenance by software other than the engine (a guest, user space), of the line that holds @pa:
 * the same effect as the port's. */
enum machine_cmo {
	CMO_CLEAN,	 /* DC CVAC */
	CMO_CLEAN_INVAL, /* DC CIVAC */
	CMO_INVAL,	 /* DC IVAC */
	CMO_CLEAN_POU,	 /* DC CVAU */
	CMO_IC,		 /* IC IVAU */
};
void machine_line_cmo(struct port *p, pa_t pa, enum machine_cmo op);

/* ---- the guest */
/* This CPU loads the VM's stage 2. From the first time on, the VM's tables are watched. */
void machine_guest_enter(struct port *p, u64 vttbr, u64 vtcr);
/* No VM is loaded on this CPU any more. What it cached stays. */
void machine_guest_leave(struct port *p);

enum machine_op { MACHINE_READ, MACHINE_WRITE, MACHINE_FETCH };
enum machine_type { MACHINE_WB, MACHINE_NC, MACHINE_DEVICE };
enum machine_fault { MF_NONE, MF_TRANSLATION, MF_ACCESS_FLAG, MF_PERMISSION };
struct machine_access {
	enum machine_fault fault;
	int level;		/* of the fault */
	pa_t pa;		/* if there is none */
	enum machine_type type; /* same: of stage 2 (machine_access), or of both (machine_guest) */
};
/* Stage 2 alone: the guest on this CPU accesses @ipa; contents are not touched. */
struct machine_access machine_access(struct port *p, ipa_t ipa, enum machine_op op);
/* Could any CPU still write @ipa under @vttbr's VMID without a fault, by a live or a stale entry?
 */
bool machine_may_write(struct port *p, u64 vttbr, ipa_t ipa);

/* What stage 1 says of the page (or, for tables, the guest's TCR: write-back). Off: data accesses
 * are Device unless stage 2 forces them, fetches are cacheable (D8.2). */
enum machine_s1 { S1_OFF, S1_WB, S1_NC, S1_DEVICE };
struct machine_guest_op {
	ipa_t ipa; /* stage 1 maps identically, so also the VA */
	enum machine_op op;
	enum machine_s1 s1;
	ipa_t table[2];	 /* descriptors of stage 1 walked, in this order; {0}: none. Not if off. */
	bool updates_af; /* the walk writes the last of them (TCR_EL1.HA) */
};
struct machine_guest_result {
	struct machine_access access; /* fault NONE, or the stage-2 fault */
	bool on_walk;		      /* the fault was the stage-1 walk's (S1PTW) */
	bool walk_writes;	      /* same, and it was to update a descriptor */
	ipa_t fault_ipa;
	u64 version; /* read, written or fetched */
};
/* The guest on this CPU reads, writes or fetches the line at the address, through both stages. */
struct machine_guest_result machine_guest(struct port *p, const struct machine_guest_op *op);
/* The guest's maintenance by address: the stage-2 fault hardware would raise (IVAC needs write
 * permission), or done. With stage 2 on, IVAC does what CIVAC does (D7.5). */
struct machine_guest_result machine_guest_cmo(struct port *p, ipa_t ipa, enum machine_cmo op);

/* Called for every guest access that goes through, with what it used. NULL: none. */
struct machine_used {
	ipa_t ipa;
	pa_t pa;
	enum machine_op op;
	enum machine_type type; /* of both stages */
	u64 vttbr;
	bool stale; /* by a translation that is no longer in the tables */
};
void machine_on_guest_access(struct port *p, void (*fn)(void *arg, const struct machine_used *u),
			     void *arg);

/* ---- the host */
/* Addresses of RAM that nobody uses: @size bytes, aligned to it. EL2 reaches it by its linear
 * alias, which is cacheable, so lines of it may be filled at any time. */
pa_t machine_pages(struct port *p, u64 size);
/* The same for memory outside the linear alias: only what maps it cacheable lets lines be filled.
 */
pa_t machine_device_pages(struct port *p, u64 size);
/*
 * The host's own (EL0) mapping of [@pa, @pa + @size), through which the VMM reads and writes. A
 * stage-2 leaf that disagrees stops the run, live or stale in a TLB: Non-cacheable or Device over a
 * write-back host mapping, and write-back over a host mapping that is not. (EL2's linear alias does
 * not count: what M5 asks for there is in the ledger and in the contents.)
 */
void machine_host_map(struct port *p, u64 hva, pa_t pa, u64 size, enum machine_attr attr);
void machine_host_unmap(struct port *p, u64 hva, u64 size);

/* The ledger. The host writes through its cacheable mapping: lines are dirty, instruction caches
 * stale. */
void machine_host_writes(struct port *p, pa_t pa, u64 size);
/* The memory goes to another owner. */
void machine_host_takes(struct port *p, pa_t pa, u64 size);

/* ---- history: the last events that concern the page or line of an IPA or PA (descriptor writes,
 * TLBI, maintenance, accesses) as lines of text, oldest first. Returns how many, at most @max; the
 * text is valid until the next call. */
unsigned int machine_history(const struct port *p, u64 ipa_or_pa, const char **lines,
			     unsigned int max);

/* ---- counts since power-on or reset */
struct machine_counts {
	u64 desc_writes; /* of watched tables */
	u64 tlbi_ipa;
	u64 tlbi_range;
	u64 tlbi_stage1;
	u64 tlbi_vmid;
	u64 tlbi_local;
	u64 tlbi_all;
	u64 dsb;
	u64 dcache_bytes;
	u64 icache_bytes;
	u64 icache_all;
	u64 relax;
	u64 desc_touched[8]; /* descriptors of watched tables that software used, by CPU */
};
const struct machine_counts *machine_counts(const struct port *p);

#endif
