/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modelled Arm machine as tests see it: several CPUs, of which one executes at a time (the test
 * says which), stage-2 walks, TLBs, and the cleanliness of data and instruction caches by page.
 *
 * What the architecture leaves open is assumed to happen at the worst time: every CPU has cached
 * every translation that ever could be walked, until it is invalidated. What it forbids is refused,
 * with a line that says what: machine_refuses() catches it, otherwise the test program aborts.
 *
 * Refused are: a valid descriptor changed into a different valid one without break (at FEAT_BBM
 * level 2, a block and a table of the same translations may follow each other); a descriptor made
 * valid while a TLB may hold a conflicting translation; a VMID taken over while a TLB holds entries
 * of it; a table freed while a walk may read it, by hardware or software, or used after it was
 * freed; memory given to a new owner while a TLB may map it, or while maintenance after tear-down
 * is owed; a mapping made without the data cache maintenance it owes, or execution granted over a
 * stale instruction cache; sleeping under a lock; a lock taken twice.
 */
#ifndef PORT_MODEL_MACHINE_H
#define PORT_MODEL_MACHINE_H

#include "engine/port.h"

/* ---- life */
struct port *machine_new(const struct port_caps *caps);
/* Ends pending grace periods, frees everything, and returns what the engine had not given back:
 * allocations and tables. */
u64 machine_delete(struct port *p);
/* Allocations and tables that are out, those waiting for a grace period included. */
u64 machine_live(const struct port *p);
void machine_cpu(struct port *p, unsigned int cpu);
/* Every CPU passes a quiescent state: what waited for a grace period is freed. */
void machine_quiesce(struct port *p);

/* ---- refusals */
/* Calls @fn(@arg); true if the model refused. The machine is good for machine_refusal() and
 * machine_delete() afterwards. */
bool machine_refuses(struct port *p, void (*fn)(void *arg), void *arg);
const char *machine_refusal(const struct port *p);

/* ---- faults to inject */
/* The @nth allocation from now fails (1: the next); 0: none. */
void machine_fail_alloc(struct port *p, u64 nth);
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
	enum machine_type type; /* same */
};
/*
 * The guest on this CPU accesses @ipa (stage 1 off). A stale translation is used where one can be.
 * A write by a leaf with DBM that is not writable yet makes it so, in memory (VTCR_EL2.HD): for
 * that the descriptor is read anew.
 */
struct machine_access machine_access(struct port *p, ipa_t ipa, enum machine_op op);
/* Could any CPU still write @ipa under @vttbr's VMID without a fault, by a live or a stale entry?
 */
bool machine_may_write(struct port *p, u64 vttbr, ipa_t ipa);

/* ---- the host */
/* Addresses of host memory that nobody uses: @size bytes, aligned to it. There are no contents. */
pa_t machine_pages(struct port *p, u64 size);
/* The host writes through its cacheable mapping: lines are dirty, instruction caches stale. */
void machine_host_writes(struct port *p, pa_t pa, u64 size);
/* The memory goes to another owner. */
void machine_host_takes(struct port *p, pa_t pa, u64 size);

/* ---- counts since power-on */
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
};
const struct machine_counts *machine_counts(const struct port *p);

#endif
