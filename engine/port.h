/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's port: all that engine/ asks of the machine. port/arm64 and port/model each implement
 * it in their own engine_port.h, found by include path and inlined where it is hot.
 *
 * Rules for both implementations:
 *  - every function has the effect the architecture gives it; none is a no-op because a test needs
 *    none (a port may skip what its CPU's ID registers say is not owed);
 *  - addresses are bytes, sizes are bytes, levels are those of the Arm ARM (0..3);
 *  - nothing sleeps except the functions marked "may sleep";
 *  - the context comes first and is opaque to the engine.
 *
 * The Arm ARM (DDI 0487) is cited by the identifiers of its rules (R_WHZWS), which stay, where
 * sections move from issue to issue. Read of chapter D8: "TLB maintenance" with "Using
 * break-before-make", of D7 caches, of B2 ordering.
 */
#ifndef ENGINE_PORT_H
#define ENGINE_PORT_H

#include "engine/types.h"

struct port;	    /* the machine; defined by the port */
struct port_rwlock; /* a spinning read/write lock; defined by the port */
struct port_tlbi;   /* what port_tlbi_enter() saves; defined by the port */

/* What the CPUs can do: the minimum over all of them. Constant after boot. */
struct port_caps {
	bool fwb;	/* FEAT_S2FWB: stage 2 can force write-back; implies idc */
	bool dic;	/* instruction caches need no invalidation for coherency with data */
	bool idc;	/* effective IDC: CTR.IDC, or LoC = 0, or LoUU = LoUIS = 0 */
	bool ttl;	/* FEAT_TTL: level hints in TLBI */
	bool tlb_range; /* FEAT_TLBIRANGE */
	bool hw_af;	/* FEAT_HAFDBS: Access flag */
	bool hw_dbm;	/* FEAT_HAFDBS: dirty state */
	u8 bbm;		/* FEAT_BBM level, 0..2 */
	u8 pa_bits;	/* 32..48 (52 is reported as 48) */
	u8 ipa_bits;	/* largest IPA size of a VM, 32..48 */
	u8 vmid_bits;	/* 8 or 16; tests may force 2 */
	u8 cpus;	/* CPUs that are up; port_this_cpu() is below it */
};
static inline const struct port_caps *port_caps(const struct port *p);
/* The index of this CPU. (host/port.h has port_cpu(void); kvm/ includes both.) */
static inline unsigned int port_this_cpu(const struct port *p);

/*
 * ---- descriptors. A live descriptor is one that a table walk may reach. Only engine/bbm.h writes
 * them. All accesses are single-copy atomic 64-bit.
 */
/* Load with acquire semantics: what the loaded table address points at is initialised (D8.1.4). */
static inline u64 port_desc_load(struct port *p, const u64 *desc);
/* If *@desc is @old, make it @new (release) and return true; else return false. */
static inline bool port_desc_cas(struct port *p, u64 *desc, u64 old, u64 new_value);
/* Exchange atomically (acquire and release); the old value feeds accounting and hardware dirty
 * state (M17). */
static inline u64 port_desc_swap(struct port *p, u64 *desc, u64 new_value);
/* Store with release semantics. For tables nobody can reach yet, or if no other writer can exist
 * (the table lock is held for writing, or the descriptor is BUSY by our own break). */
static inline void port_desc_store(struct port *p, u64 *desc, u64 value);
/* Make earlier descriptor stores visible to the walkers of all CPUs before anything that follows,
 * loads included (DSB ISHST). */
static inline void port_desc_publish(struct port *p);
/* Order everything before against everything after, walks included (DSB ISH; ISB). */
static inline void port_barrier(struct port *p);

/*
 * ---- table pages. A table is 4 KiB (512 descriptors); the root may be 2^order tables, contiguous
 * and aligned to their size (concatenated tables, D8.2.2).
 */
/* Zeroed and clean to the point where walks read (walks are write-back inner shareable), or NULL.
 * May sleep. */
static inline u64 *port_table_alloc(struct port *p, unsigned int order);
/* Frees what was never reachable, or is reachable no longer by the caller's own proof. For a root
 * this includes that no CPU holds it in VTTBR_EL2: the port loads another after a vCPU is put. */
static inline void port_table_free(struct port *p, u64 *table, unsigned int order);
/* Frees a single table after a grace period: software walkers (port_walk_enter) may still read it.
 * Its TLBI must be complete. Does not sleep. */
static inline void port_table_retire(struct port *p, u64 *table);
static inline pa_t port_table_pa(const struct port *p, const u64 *table);
static inline u64 *port_table_at(const struct port *p, pa_t pa);

/* ---- other memory of the engine (slots, bitmaps): zeroed; NULL if there is none. May sleep. */
static inline void *port_alloc(struct port *p, size_t size);
static inline void port_free(struct port *p, void *mem, size_t size);
/* As port_free(), after a grace period, without sleeping or allocating. @mem came from
 * port_alloc(), which may keep a header in front of what it hands out; readers still read all @size
 * bytes. */
static inline void port_free_after_grace(struct port *p, void *mem, size_t size);
/*
 * A read section: what was reachable when it began is not freed before it ends. May nest, may not
 * sleep. Where the kernel is not preemptible these are compiler barriers only.
 */
static inline void port_walk_enter(struct port *p);
static inline void port_walk_leave(struct port *p);

/* ---- the one kind of lock of the engine: spinning, fair enough that a writer gets in. Not
 * recursive. Order: docs/invariants.md. */
static inline void port_rwlock_init(struct port *p, struct port_rwlock *l);
static inline void port_read_lock(struct port *p, struct port_rwlock *l);
static inline void port_read_unlock(struct port *p, struct port_rwlock *l);
static inline void port_write_lock(struct port *p, struct port_rwlock *l);
static inline void port_write_unlock(struct port *p, struct port_rwlock *l);
/* A named point between two bounded steps of a range operation; no table lock is held, but the host
 * may hold its own spin locks: does not sleep. */
static inline void port_relax_point(struct port *p);

/*
 * ---- TLB maintenance of one VM, inner shareable. The sequence is
 *
 *	port_tlbi_enter(p, &t, &vttbr)
 *	port_tlbi_ipa() / port_tlbi_ipa_range() / port_tlbi_vmid(), any number
 *	port_tlbi_stage1()	if one of the first two was used
 *	port_tlbi_leave(p, &t)
 *
 * enter makes earlier descriptor stores visible to all walkers (DSB ISHST), then reads *@vttbr (the
 * VMID may have been renewed, see engine/vmid.h) and switches the CPU to the VM's context as far as
 * TLBI by the current VMID needs it (with VHE: TGE = 0 and VTTBR_EL2 loaded). leave completes all
 * that was issued (DSB ISH) and restores the context (ISB): afterwards no CPU uses an entry of the
 * kind that was invalidated.
 */
static inline void port_tlbi_enter(struct port *p, struct port_tlbi *t, const u64 *vttbr);
/* Stage-2 entries for the leaf at @level that holds @ipa (IPAS2E1IS); @level is a hint by TTL and
 * must be right; -1: unknown, all levels, table entries included. */
static inline void port_tlbi_ipa(struct port *p, struct port_tlbi *t, ipa_t ipa, int level);
/* The same for [@ipa, @ipa + @size), both multiples of 4 KiB (RIPAS2E1IS; only if caps.tlb_range);
 * @level as above, for all leaves. */
static inline void port_tlbi_ipa_range(struct port *p, struct port_tlbi *t, ipa_t ipa, u64 size,
				       int level);
/* Entries that combine stage 1 and stage 2 (R_TVTYQ: the above leave them): DSB ISH, then
 * VMALLE1IS. */
static inline void port_tlbi_stage1(struct port *p, struct port_tlbi *t);
/* All entries of the VMID, both stages (VMALLS12E1IS). */
static inline void port_tlbi_vmid(struct port *p, struct port_tlbi *t);
static inline void port_tlbi_leave(struct port *p, struct port_tlbi *t);
/* On this CPU only, complete on return, no enter and leave: makes earlier descriptor stores visible
 * to its walker (DSB ISHST), then drops stage-2 entries for the leaf at @level that holds @ipa, and
 * combined entries (IPAS2E1, DSB NSH, VMALLE1, DSB NSH). For a leaf that gained permissions:
 * another CPU with the old entry faults once more and does the same. */
static inline void port_tlbi_ipa_local(struct port *p, const u64 *vttbr, ipa_t ipa, int level);
/* All entries of all VMIDs on all CPUs, complete on return (ALLE1IS); for VMID rollover. */
static inline void port_tlbi_all_vmids(struct port *p);
/* Stage-1 and combined entries of the VMID, and the instruction caches, on this CPU only, complete
 * on return (VMALLE1, IC IALLU): a vCPU follows another of its VM on this CPU, and guests may use
 * non-broadcast maintenance. */
static inline void port_flush_local(struct port *p, const u64 *vttbr);

/* ---- caches. By physical address through the linear alias: callers pass memory whose reach is
 * REACH_ALIAS only. Complete on return (DSB ISH). */
/* Clean and invalidate data and unified caches to the point of coherency (DC CIVAC). */
static inline void port_dcache_clean_inval(struct port *p, pa_t pa, u64 size);
/* Invalidate the instruction caches of all CPUs for [@pa, @pa + @size) to PoU (IC IVAU; a port may
 * invalidate all). */
static inline void port_icache_inval(struct port *p, pa_t pa, u64 size);
/* Invalidate the instruction caches of all CPUs (IC IALLUIS). */
static inline void port_icache_inval_all(struct port *p);

/* A broken invariant of docs/invariants.md; @what names it. Does not return to the caller. */
void port_bug(struct port *p, const char *what) __noreturn;

#include "engine_port.h"

#endif
