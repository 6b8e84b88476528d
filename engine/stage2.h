/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stage-2 translation tables of one VM: what is mapped and how it may change. What should be
 * mapped is decided elsewhere (engine/decide.h).
 *
 * Locking: operations take the table lock themselves, faults for reading, range operations for
 * writing; see docs/invariants.md. Range operations visit at most `step` descriptors per hold, and
 * issue their TLB invalidation once, at the end; the caller keeps the range published
 * (guest_mem_invalidate_begin) so that faults stay out of it meanwhile.
 */
#ifndef ENGINE_STAGE2_H
#define ENGINE_STAGE2_H

#include "engine/err.h"
#include "engine/port.h"
#include "engine/stats.h"
#include "engine/vmid.h"

/* S2_DBM: hardware adds S2_W at the first write, which so marks the page as written (M17). */
enum { S2_R = 1, S2_W = 2, S2_X = 4, S2_DBM = 8 };

/* A leaf in words: what a descriptor says, or should say. */
struct s2_leaf {
	pa_t pa; /* output address of the leaf's start */
	enum s2_type type;
	u8 perms;      /* S2_R | S2_W | S2_X | S2_DBM */
	s8 level;      /* LEVEL_1G..LEVEL_4K */
	bool accessed; /* Access flag */
};

/* Table pages taken before a lock is held, so that what runs under it cannot fail. */
enum { TABLE_CACHE_MAX = 4 };
struct table_cache {
	u64 *page[TABLE_CACHE_MAX];
	unsigned int count;
};
/* Fills @c to @n (at most TABLE_CACHE_MAX) pages. May sleep. ERR_NOMEM leaves what was got. */
int __must_check table_cache_fill(struct table_cache *c, struct port *p, unsigned int n);
void table_cache_drain(struct table_cache *c, struct port *p);

/* Who is told that hardware had marked a page written when its leaf went (M17). Called with the
 * table lock held, for reading or writing; does not sleep. */
struct s2_log {
	void (*mark)(void *arg, u64 gfn); /* NULL: nobody */
	void *arg;
};

struct stage2 {
	struct port *port;
	const struct port_caps *caps;
	struct vmid_pool *vmids;
	u64 *root;     /* immutable after init */
	u8 root_order; /* log2 of the concatenated root tables */
	s8 start_level;
	u8 start_shift; /* level_shift(start_level) */
	u8 ipa_bits;
	u64 ipa_limit;		      /* 1 << ipa_bits: the first IPA beyond the tables */
	u64 leaf_bits[S2_TYPE_COUNT]; /* of a descriptor, by type (engine/desc.h); constant */
	u16 step;		      /* descriptors per lock hold; default 512 */
	bool has_hints;	   /* some page has, or had, the contiguous hint; set under the lock */
	bool hw_dirty;	   /* pages that lose S2_W to the log get DBM; constant once a vCPU ran */
	struct s2_log log; /* set once, after init */
	u64 vmid;	   /* generation and number; renewed at entry */
	u64 vttbr; /* VTTBR_EL2: root and VMID number (0: never ran); atomic, follows vmid */
	u64 vtcr;  /* VTCR_EL2 */
	u32 unmap_flushes; /* of range operations, as they begin; under the lock */
	struct port_rwlock lock;
	struct stats_cpu *stats; /* [caps->cpus] */
};

enum { S2_STEP_DEFAULT = 512 };

/* Where a walk of tables for @ipa_bits starts; its blocks are the largest they hold. Pure. */
s8 stage2_start_level(unsigned int ipa_bits);
/* @ipa_bits 32..caps.ipa_bits. May sleep. ERR_INVAL, ERR_NOMEM. */
int __must_check stage2_init(struct stage2 *s2, struct port *p, struct vmid_pool *vmids,
			     unsigned int ipa_bits);
/* No vCPU of the VM runs and no fault is in flight. Pays the maintenance owed, in bounded steps. */
void stage2_destroy(struct stage2 *s2);

/* VTTBR_EL2 for entry: renews the VMID. Interrupts masked; vmid_leave() ends it. */
u64 stage2_enter(struct stage2 *s2);

/* What one fault's commit did. */
enum s2_result {
	S2_DONE_INSTALL,
	S2_DONE_RELAX,
	S2_DONE_KEEP, /* another CPU was first, or the fault was spurious */
	S2_DONE_REPLACE,
	S2_DONE_SPLIT,	  /* and the page is now as planned */
	S2_DONE_COLLAPSE, /* the tables are gone; the next fault installs the block */
	S2_DONE_BREAK,	  /* a larger leaf that disagreed is gone; the next fault installs */
	S2_RACED, /* the entry is changing, or a compare-and-exchange was lost: nothing done */
	S2_NEEDS_TABLES,   /* the cache held too few */
	S2_NEEDS_COLLAPSE, /* a table is where a block is to be: unmap its range first */
};

/* Which cache maintenance a leaf owes before it becomes valid; bits. */
enum { CMO_DCACHE = 1, CMO_ICACHE = 2, CMO_ICACHE_ALL = 4 };

/*
 * Make the tables give @leaf (type, pa, level; at least its perms) at @ipa, aligned to the level.
 * @owed: CMO_* bits paid before the descriptor becomes valid. The caller holds the table lock for
 * reading and has checked that no invalidation raced. @cache holds stage2_tables_needed() pages.
 * Does not sleep.
 */
enum s2_result stage2_commit(struct stage2 *s2, struct table_cache *cache, ipa_t ipa,
			     const struct s2_leaf *leaf, unsigned int owed);
/* Table pages a commit at @ipa needs as things stand, and at most. */
unsigned int stage2_tables_missing(struct stage2 *s2, ipa_t ipa, int level);
unsigned int stage2_tables_max(const struct stage2 *s2);

/* A run of leaves to be made, neighbours whose output addresses follow each other. */
struct s2_map {
	ipa_t ipa; /* aligned to the level */
	u64 size;
	struct s2_leaf leaf; /* the first; the others follow it */
	unsigned int owed;   /* CMO_*, for all of it */
	/* Asked in every hold of the lock: has [@ipa, @ipa + @size) changed since the leaves were
	   read from the host? NULL: nothing can. */
	bool (*is_stale)(void *arg, ipa_t ipa, u64 size);
	void *arg;
};

/* How far stage2_map_range() came. */
struct s2_map_result {
	u64 done;      /* bytes from the start that are mapped as asked */
	u64 installed; /* leaves of these that were not there */
	int error; /* ERR_OK at the end; ERR_NOMEM; ERR_AGAIN: raced, or a table is in the way */
	enum s2_result why; /* with ERR_AGAIN: S2_RACED or S2_NEEDS_COLLAPSE */
};

/*
 * Makes the tables give all of @map, as stage2_commit() does for each leaf, in steps of at most
 * `step` descriptors a hold of the table lock, for reading; tables are taken before it. What is
 * owed is paid before the leaves of a step become valid. Not for a page whose write is logged.
 * Resumable at ipa + done. May sleep.
 */
struct s2_map_result stage2_map_range(struct stage2 *s2, const struct s2_map *map);

/* The leaf at @ipa. Takes nothing; the caller is in a walk section or holds the lock. False: no
 * valid leaf. */
bool stage2_lookup(struct stage2 *s2, ipa_t ipa, struct s2_leaf *leaf);

/* Sets the Access flag at @ipa after an access-flag fault. False: no valid leaf there (refault). */
bool stage2_make_young(struct stage2 *s2, ipa_t ipa);

/* Removes all leaves that intersect [@ipa, @ipa + @size); a block that sticks out goes whole. On
 * return no CPU uses them, and maintenance after tear-down is paid. */
void stage2_unmap(struct stage2 *s2, ipa_t ipa, u64 size);
/*
 * Removes write permission in the range, for the dirty log; on return no CPU writes through it
 * unnoticed: a write faults or, with hw_dirty, sets S2_W in a page's leaf again. Returns leaves
 * changed. What was written before does not reach the log: that begins here.
 */
u64 stage2_write_protect(struct stage2 *s2, ipa_t ipa, u64 size);
/* Write-protects those pages of 64 at @ipa whose bit in @mask is set, without the TLB invalidation:
 * the caller ends with stage2_flush(). */
u64 stage2_write_protect_mask(struct stage2 *s2, ipa_t ipa, u64 mask);
/*
 * Which of the @count pages at @ipa did hardware mark as written? Looks at those of one table,
 * s2->step at most, and sets bit @at + i of @words for the i-th that was; or over all places before
 * the next table of pages. Returns how many pages that were: at least one, and more than @count
 * perhaps if they have no table. Changes nothing else. Takes the table lock for reading: what is
 * not found because its leaf is gone has been told to the log (struct s2_log) before this returns.
 */
u64 stage2_written(struct stage2 *s2, ipa_t ipa, u64 count, u64 *words, u64 at);
/* Returns when every hold of the table lock that began before has ended, and all that it did is
 * seen. */
void stage2_quiesce(struct stage2 *s2);
/* Invalidates the TLB for the range: earlier descriptor changes by this thread take effect. */
void stage2_flush(struct stage2 *s2, ipa_t ipa, u64 size);

/* Invalidates the TLB for all the VM's addresses, both stages. */
void stage2_flush_vmid(struct stage2 *s2);

enum s2_age { S2_AGE_TEST, S2_AGE_CLEAR };
/* Counts leaves with the Access flag set; with S2_AGE_CLEAR clears it. No TLB invalidation: an
 * entry in use may look old once. */
u64 stage2_age(struct stage2 *s2, ipa_t ipa, u64 size, enum s2_age how);

/*
 * Splits the blocks in the range into pages of the same type and permissions, best effort: stops
 * with ERR_NOMEM, all done so far kept. May sleep between steps.
 */
int stage2_split(struct stage2 *s2, ipa_t ipa, u64 size);
/*
 * Gives each group of 16 pages in [@ipa, @ipa + @size), which lies in 2 MiB, the contiguous hint if
 * all 16 say the same and the CPU's BBM level is 1 or more. The caller holds the table lock for
 * writing; no range operation on these pages is under way, and writes to them are not logged.
 */
void stage2_hint(struct stage2 *s2, ipa_t ipa, u64 size);
/* What became of a table. */
enum s2_recover {
	S2_RECOVERED,
	S2_RECOVER_NO_TABLE,
	S2_RECOVER_DISAGREES, /* it has holes, or leaves of another type or output address */
	S2_RECOVER_RACED,     /* the host is changing what is behind it (engine/recover.h) */
};
/*
 * Makes the table at @ipa that block @leaf could stand for, if all its entries are leaves of the
 * same type in their place in the block's output, that block. Permissions become the block's. @owed
 * as for stage2_commit(). The caller holds the table lock for writing, so that nobody faults
 * meanwhile, and has checked that no invalidation raced. Does not sleep.
 */
enum s2_recover stage2_recover(struct stage2 *s2, ipa_t ipa, const struct s2_leaf *leaf,
			       unsigned int owed);
/* Cleans and invalidates the data caches for what is mapped write-back in the range, if there is no
 * FWB; instruction caches if not DIC (vCPU init). */
void stage2_cache_flush(struct stage2 *s2, ipa_t ipa, u64 size);

/* One run of the dump: neighbouring leaves of equal level, type and permissions, whose output
 * addresses follow each other. */
struct s2_run {
	ipa_t ipa;
	u64 size;
	struct s2_leaf leaf; /* of the first */
};
/*
 * Lock-free dump: the first run at or after @from; false at the end. Continue at run.ipa +
 * run.size. Each call is one walk section of bounded length; the whole is consistent only if
 * nothing changes.
 */
bool stage2_dump(struct stage2 *s2, ipa_t from, struct s2_run *run);
/* Table pages linked below the root now, by walking. */
u64 stage2_count_tables(struct stage2 *s2);

/* Sums the CPUs' counters. */
void stage2_stats(const struct stage2 *s2, struct stats *out);

static inline void stat_add(struct stage2 *s2, enum stat_id s, u64 n)
{
	s2->stats[port_this_cpu(s2->port)].count[s] += n;
}

static inline void stat_inc(struct stage2 *s2, enum stat_id s)
{
	stat_add(s2, s, 1);
}

static inline u64 stage2_ipa_limit(const struct stage2 *s2)
{
	return s2->ipa_limit;
}

#endif
