/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the modelled machine, shared by the files that implement it. */
#ifndef PORT_MODEL_MACHINE_PRIV_H
#define PORT_MODEL_MACHINE_PRIV_H

#include <setjmp.h>

#include "port/model/machine.h"

/* Bits of a stage-2 descriptor, 4 KiB granule (Arm ARM D8.3); the model's own, not the engine's. */
#define M_VALID	  (1UL << 0)
#define M_TABLE	  (1UL << 1)
#define M_MEMATTR 0x3cUL
#define M_READ	  (1UL << 6)
#define M_WRITE	  (1UL << 7)
#define M_AF	  (1UL << 10)
#define M_DBM	  (1UL << 51)
#define M_XN	  (1UL << 54)
#define M_ADDR	  0xfffffffff000UL
#define M_IGNORED 0x0780000000000000UL /* for software's use (D8.3.2) */
#define M_SOFT	  (M_READ | M_WRITE | M_AF | M_DBM | M_XN | M_IGNORED)

/* VTCR_EL2: hardware keeps the Access flag, and with it the dirty state (D8.5.1, D8.5.2). */
#define M_VTCR_HA (1UL << 21)
#define M_VTCR_HD (1UL << 22)

static inline bool m_is_table(u64 d, int level)
{
	return (d & (M_VALID | M_TABLE)) == (M_VALID | M_TABLE) && level < 3;
}

static inline bool m_is_leaf(u64 d, int level)
{
	return (d & M_VALID) && !m_is_table(d, level);
}

static inline u64 m_size(int level)
{
	return 4096UL << (9 * (3 - level));
}

static inline u64 m_base(u64 addr, int level)
{
	return addr & ~(m_size(level) - 1);
}

/* Tables live in one arena, and are never reused: who touches a freed one is found out. */
enum { ARENA_TABLES = 65536 };
#define ARENA_PA   0x4000000000UL
#define PAGES_PA   0x80000000UL
#define TABLE_SIZE 4096UL

enum table_state { TABLE_UNUSED, TABLE_LIVE, TABLE_RETIRED, TABLE_FREED };

struct table {
	enum table_state state;
	u8 order;    /* of the allocation's first table */
	bool linked; /* a walk can reach it */
	bool was_linked;
	int level; /* if linked */
	u64 ipa;   /* its first entry translates, if linked */
	int vm;
};

enum { MAX_VMS = 64, MACHINE_CPUS = 8 };
struct vm_known {
	u64 root_pa;
	u64 vtcr;
	int start_level;
	u16 vmid;
	bool used;
};

/*
 * One translation that TLBs may hold: a leaf, or a table entry (walk cache). While it is current,
 * the descriptor is live and invalidation has no lasting effect. When it no longer is, each CPU
 * keeps it until invalidated: apart, because software must do it twice, the stage-2 part and the
 * entries that combine both stages.
 */
struct tlb_entry {
	u64 ipa;
	u64 desc;
	u64 gone;   /* number of the write that ended it; 0: current */
	u32 stage2; /* CPUs that may hold it */
	u32 combined;
	u32 stage2_going; /* invalidation issued, not complete */
	u32 combined_going;
	u16 vmid;
	s8 level;
	bool is_table;
	int vm;
	int next; /* in its bucket, or in the free list */
	bool used;
};

enum { TLB_BUCKETS = 65536 };
struct tlb {
	struct tlb_entry *entry;
	int size, free;
	int bucket[TLB_BUCKETS];
	int at_level[4][2]; /* entries by level and is_table: what need not be searched */
	int stale;	    /* entries that are not current */
};

struct page_state {
	u64 pfn;
	bool used;
	bool dirty; /* the host's lines are not in memory */
	bool icache_stale;
	bool owed;  /* clean after tear-down is owed */
	u32 mapped; /* TLB entries of 4 KiB and 2 MiB that map it */
};

struct header; /* machine.c: in front of an allocation */

struct grace_item {
	void *mem;
	size_t size;
	u64 *table;
	struct grace_item *next;
};

struct machine {
	u64 *arena;
	struct table *table; /* [ARENA_TABLES] */
	u32 tables_used;
	u64 live;
	struct header *allocated;
	struct vm_known vm[MAX_VMS];
	int loaded[MACHINE_CPUS]; /* VM each CPU has loaded, -1: none */
	struct tlb tlb;
	u64 writes, published; /* numbers of descriptor writes */
	struct page_state *page;
	u64 pages, pages_size;
	u64 next_pa;
	struct grace_item *grace;
	int walk_depth[MACHINE_CPUS], locks_held[MACHINE_CPUS];
	u64 fail_nth;
	bool deaf[DEAF_KINDS];
	void (*on_relax)(void *arg);
	void *on_relax_arg;
	void (*on_write_lock)(void *arg);
	void *on_write_lock_arg;
	void (*on_change)(void *arg);
	void *on_change_arg;
	bool in_relax;
	jmp_buf catch;
	bool catching;
	char refusal[512];
	struct machine_counts counts;
};

void machine_refuse(struct port *p, const char *fmt, ...) __printf(2, 3) __noreturn;

/* ---- tables (machine_table.c) */
struct table *table_of(const struct port *p, const u64 *desc);
u64 *table_page(const struct port *p, const struct table *t);
/* What a write of @new_value over @old at @desc means for walks and TLBs; refuses what is
 * forbidden. Called before the store. */
void table_watch(struct port *p, u64 *desc, u64 old, u64 new_value);
/* Makes the tree below @root known to the TLBs under @vm. */
void table_link_root(struct port *p, int vm);

/* ---- TLBs (machine_tlb.c) */
void tlb_init(struct tlb *t);
void tlb_add(struct port *p, int vm, u64 ipa, int level, u64 desc, bool is_table);
/* The descriptor is no longer what it was. */
void tlb_end(struct port *p, int vm, u64 ipa, int level, u64 desc, bool is_table);
/* Refuses if a stale entry conflicts with a leaf or table about to become valid. */
void tlb_check_make(struct port *p, int vm, u64 ipa, int level, u64 desc, bool is_table);
/* Refuses if any CPU may walk @table. */
void tlb_check_table_free(struct port *p, pa_t table);
/* The stale entry that this CPU may use for @ipa, or NULL. */
const struct tlb_entry *tlb_stale(struct port *p, int vm, u64 ipa);
/* A VM takes @vmid: refuses if it is taken; its entries under another number become stale. */
void tlb_renumber(struct port *p, int vm, u16 vmid);
void tlb_forget_vm(struct port *p, int vm);
bool tlb_maps(const struct port *p, u64 pa, u64 size);

/* ---- pages (machine_cache.c) */
struct page_state *page_find(const struct port *p, u64 pa);
struct page_state *page_get_state(struct port *p, u64 pa);
/* A leaf is made valid directly (not by linking a table that holds it). */
void cache_check_make(struct port *p, u64 old, u64 desc, int level);

#endif
