/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the modelled machine, shared by the files that implement it. */
#ifndef PORT_MODEL_MACHINE_PRIV_H
#define PORT_MODEL_MACHINE_PRIV_H

#include <setjmp.h>

#include "port/model/keymap.h"
#include "port/model/machine.h"

/* Bits of a stage-2 descriptor, 4 KiB granule (Arm ARM D8.3); the model's own, not the engine's. */
#define M_VALID	  (1UL << 0)
#define M_TABLE	  (1UL << 1)
#define M_MEMATTR 0x3cUL
#define M_READ	  (1UL << 6)
#define M_WRITE	  (1UL << 7)
#define M_AF	  (1UL << 10)
#define M_NT	  (1UL << 16) /* in a block: do not cache (FEAT_BBM level 1) */
#define M_DBM	  (1UL << 51)
#define M_CONT	  (1UL << 52)
#define M_XN	  (1UL << 54)
#define M_ADDR	  0xfffffffff000UL
#define M_IGNORED (0xfUL << 55) /* by hardware */
#define M_PERMS	  (M_READ | M_WRITE | M_XN)
/* What may change without break. */
#define M_SOFT (M_PERMS | M_AF | M_DBM | M_IGNORED)

/* VTCR_EL2 */
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

/* Output address of a leaf; nT lies among the address bits of larger ones. */
static inline u64 m_leaf_pa(u64 d, int level)
{
	return m_base(d & M_ADDR, level);
}

/* Descriptors of a contiguous set (4 KiB granule). */
#define M_CONT_ENTRIES 16UL

static inline u64 m_cont_base(u64 addr, int level)
{
	return addr & ~(M_CONT_ENTRIES * m_size(level) - 1);
}

/* A descriptor and where it is found; @ipa: of its first byte. */
struct mapping {
	u64 ipa, desc;
	int level;
	bool is_table;
};

/* May a TLB hold one entry for the whole contiguous set? */
static inline bool m_is_wide(const struct mapping *a)
{
	return !a->is_table && (a->desc & M_CONT);
}

/* Tables live in one arena, and are never reused: who touches a freed one is found out. */
enum { ARENA_TABLES = 65536 };
#define ARENA_PA   0x4000000000UL
#define PAGES_PA   0x80000000UL
#define DEVICE_PA  0x2000000000UL
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

enum { MAX_VMS = 64, MACHINE_CPUS = PORT_RWLOCK_CPUS };
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
	u32 stage2_going; /* CPUs that issued an invalidation, not complete */
	u32 combined_going;
	u16 vmid;
	s8 level;
	bool is_table;
	bool used;
	bool is_orphan;	  /* its VM has another VMID now; then it is in no list of stale ones */
	bool is_narrow;	  /* of a contiguous set, only the own part may still be held */
	u32 narrow_going; /* CPUs that issued an invalidation of another part, not complete */
	int vm;
	int next;		    /* in its bucket, or in the free list */
	int stale_next, stale_prev; /* if it is gone */
};

enum { TLB_BUCKETS = 65536, TLB_NONE = -1 };
struct tlb_bucket {
	u32 generation; /* of the machine's resets; another: empty */
	int head;
};
struct tlb {
	struct tlb_entry *entry;
	int size;
	int top; /* entries at and above were never used */
	int free;
	struct tlb_bucket *bucket;
	u32 generation;
	int at_level[4][2]; /* entries by level and is_table: what need not be searched */
	int wide_at[4];	    /* of which have the Contiguous bit */
	int stale;	    /* first of those that are not current */
};

/* The ledger's account of a page. */
struct page_state {
	u64 pfn;
	bool dirty; /* the host's lines are not in memory */
	bool icache_stale;
	bool owed; /* clean after tear-down is owed */
};

/* A naturally aligned piece of memory, of the size of a leaf at @level: how it is mapped by exactly
 * such leaves that TLBs may use, and by the host. */
struct frame {
	u64 pa;
	u32 stage2[3]; /* by enum machine_type */
	u32 exec;
	u32 host[3]; /* by enum machine_attr */
	s8 level;
};

struct line {
	u64 pa;
	u64 mem;   /* version at the point of coherency */
	u64 cache; /* in the data cache, if cached */
	u64 pou;   /* at the point of unification, if pou_held; else that has what memory has */
	u64 last;  /* the newest write that no other write of its time may undo */
	u64 due;   /* what a reader must see at least */
	u64 due_fetch;
	const char *owner;
	bool cached, dirty, pou_held;
	u64 icache[MACHINE_CPUS];
	u32 icache_epoch[MACHINE_CPUS]; /* held if the CPU's */
};

struct host_piece {
	u64 hva, pa;
	s8 level;
	u8 attr;
	bool used;
};

enum event_kind {
	EVENT_WRITE_DESC,
	EVENT_HARDWARE_DESC,
	EVENT_TLBI_IPA,
	EVENT_TLBI_RANGE,
	EVENT_TLBI_LOCAL,
	EVENT_TLBI_VMID,
	EVENT_TLBI_STAGE1,
	EVENT_TLBI_ALL,
	EVENT_TLBI_DONE,
	EVENT_FLUSH_LOCAL,
	EVENT_DCACHE,
	EVENT_ICACHE,
	EVENT_ICACHE_ALL,
	EVENT_CMO,
	EVENT_LINE_WRITE,
	EVENT_LINE_READ,
	EVENT_LINE_FETCH,
	EVENT_LINE_EVICT,
	EVENT_LINE_FILL,
	EVENT_ICACHE_FILL,
	EVENT_DMA_WRITE,
	EVENT_DMA_READ,
	EVENT_HAND_OVER,
	EVENT_PUBLISH,
	EVENT_GUEST,
	EVENT_HOST_MAP,
	EVENT_HOST_UNMAP,
	EVENT_HOST_WRITES,
	EVENT_HOST_TAKES,
	EVENT_KINDS,
};
struct event {
	u64 ipa, pa, size; /* where; NO_PLACE: not by this address */
	u64 a, b;	   /* as the kind says */
	const char *text;
	u16 vmid;
	u8 kind, cpu;
	s8 level;
};
#define NO_PLACE (~0UL)
enum { EVENTS = 4096, HISTORY_LINES = 32, HISTORY_TEXT = 160 };

struct header; /* machine_memory.c: in front of an allocation */

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
	bool contiguous;       /* a contiguous leaf was made since power-on */
	struct keymap pages;
	struct page_state *page;
	struct keymap frames;
	struct frame *frame;
	u32 frames_at[4];
	struct keymap lines;
	struct line *line;
	u64 version; /* of the last write to a line */
	u32 icache_epoch[MACHINE_CPUS];
	struct keymap pieces;
	struct host_piece *piece;
	u64 next_pa, next_device_pa;
	struct grace_item *grace;
	int walk_depth[MACHINE_CPUS], locks_held[MACHINE_CPUS];
	struct machine_held held[MACHINE_CPUS][MACHINE_HELD];
	u64 fail_nth;
	bool deaf[DEAF_KINDS];
	void (*on_relax)(void *arg);
	void *on_relax_arg;
	void (*on_write_lock)(void *arg);
	void *on_write_lock_arg;
	void (*on_change)(void *arg);
	void *on_change_arg;
	bool in_relax;
	void (*on_step)(void *arg, enum machine_step kind, const char *where);
	void *on_step_arg;
	void (*on_touch)(void *arg, pa_t pa, enum machine_touch how);
	void *on_touch_arg;
	unsigned int (*on_choice)(void *arg, enum machine_choice what, unsigned int options);
	void *on_choice_arg;
	void (*on_guest)(void *arg, const struct machine_used *u);
	void *on_guest_arg;
	void (*on_stop)(void *arg);
	void *on_stop_arg;
	jmp_buf catch;
	bool catching;
	enum machine_refusal_kind refused;
	u64 refused_at;
	char refusal[512];
	struct machine_counts counts;
	struct event *event; /* [EVENTS], a ring */
	u64 events;
	char (*history)[HISTORY_TEXT];
};

/* ---- life (machine.c) */
/* @at: the IPA or PA concerned, or NO_PLACE. */
void machine_refuse(struct port *p, enum machine_refusal_kind kind, u64 at, const char *fmt, ...)
	__printf(4, 5) __noreturn;
/* @mem, or the end of the program. */
void *machine_must(void *mem);
/* Asks the chooser; 0 if there is none. */
unsigned int machine_choose(struct port *p, enum machine_choice what, unsigned int options);

/* ---- scheduling (machine_lock.c) */
void machine_step(struct port *p, enum machine_step kind, const char *where);

static inline void machine_point(struct port *p, const char *where)
{
	if (p->machine->on_step)
		machine_step(p, STEP_POINT, where);
}

/* ---- memory (machine_memory.c) */
void memory_reset(struct port *p);
void memory_delete(struct port *p);

/* ---- tables (machine_table.c) */
struct table *table_of(const struct port *p, const u64 *desc);
u64 *table_page(const struct port *p, const struct table *t);
/* @desc, which lies in a linked table or once did, is read or may be written: tells who wants to
 * know. */
void table_touch(struct port *p, const u64 *desc, enum machine_touch how);
/* Hardware changes a live descriptor from @old to @new_value (Access flag, dirty state). */
void table_hardware_write(struct port *p, u64 *desc, u64 old, u64 new_value);
/* Makes the VM's tree known to the TLBs under its present VMID. */
void table_link_root(struct port *p, int vm);
/* What the tree held is stale. */
void table_unlink_root(struct port *p, int vm);

/* ---- what TLBs hold (machine_tlb.c) */
void tlb_init(struct tlb *t);
void tlb_reset(struct tlb *t);
void tlb_delete(struct tlb *t);
void tlb_add(struct port *p, int vm, const struct mapping *a);
/* The descriptor is no longer what it was. */
void tlb_end(struct port *p, int vm, const struct mapping *a);
void tlb_drop(struct port *p, struct tlb_entry *e);
/* Of a contiguous set, only the part that is its own is still held. */
void tlb_narrow(struct port *p, struct tlb_entry *e);
/* Refuses if a stale entry conflicts with a leaf or table about to become valid. */
void tlb_check_make(struct port *p, int vm, const struct mapping *made);
/* Refuses if any CPU may walk @table. */
void tlb_check_table_free(struct port *p, pa_t table);
/* The stale leaves that this CPU may use for @ipa, at most @max, the newest of a level first; and
 * what others of its contiguous set make of it. */
unsigned int tlb_stale(const struct port *p, int vm, u64 ipa, struct mapping *out,
		       unsigned int max);
/* A VM takes @vmid: refuses if it is taken; its entries under another number become stale. */
void tlb_renumber(struct port *p, int vm, u16 vmid);
void tlb_forget_vm(struct port *p, int vm);

static inline struct mapping tlb_mapping(const struct tlb_entry *e)
{
	u64 desc = e->is_narrow ? e->desc & ~M_CONT : e->desc;

	return (struct mapping){ e->ipa, desc, e->level, e->is_table };
}

/* FEAT_BBM level 1: a block with nT set is not cached. */
static inline bool m_is_uncached(const struct port *p, const struct mapping *a)
{
	return p->caps.bbm >= 1 && !a->is_table && a->level < 3 && (a->desc & M_NT);
}

static inline bool tlb_is_held(const struct tlb_entry *e)
{
	return (e->stage2 | e->combined) != 0;
}

/* ---- what may change, and how (machine_bbm.c) */
bool mapping_holds(const struct mapping *a, u64 ipa);
bool mappings_meet(const struct mapping *a, const struct mapping *b);
/* Where a leaf maps @ipa, which may be another's of its contiguous set. */
u64 mapping_pa(const struct mapping *a, u64 ipa);
/* May a TLB hold @held while @made, which meets it, becomes valid? Permissions may differ. */
bool mappings_agree(const struct port *p, const struct mapping *held, const struct mapping *made);
/* May @new_value replace @old, both valid, without break? */
bool bbm_allows(const struct port *p, int level, u64 old, u64 new_value);
/* Refuses if @made, a leaf about to be entry @index of table @page, disagrees with the rest of its
 * contiguous set. */
void bbm_check_contiguous(struct port *p, const u64 *page, u64 index, const struct mapping *made);

/* ---- memory by who maps it (machine_alias.c) */
void alias_reset(struct machine *m);
void alias_delete(struct machine *m);
/* A leaf gets into tables or, stale, into TLBs; or leaves them. */
void alias_leaf_added(struct port *p, const struct mapping *a);
void alias_leaf_gone(struct port *p, const struct mapping *a);
/* Refuses if a leaf about to become valid disagrees with the host's mappings. */
void alias_check_make(struct port *p, u64 desc, int level);
/* May a walk find or a TLB hold a leaf that maps any of it? */
bool alias_is_mapped(const struct port *p, u64 pa, u64 size);
bool alias_is_executable(const struct port *p, u64 pa);
/* May lines be filled speculatively? */
bool alias_is_cacheable(const struct port *p, u64 pa);

/* ---- the ledger of maintenance (machine_ledger.c) */
void ledger_reset(struct machine *m);
void ledger_delete(struct machine *m);
/* A leaf is made valid directly (not by linking a table that holds it). */
void ledger_check_make(struct port *p, u64 old, u64 desc, int level);
void ledger_dcache(struct port *p, u64 pa, u64 size);
void ledger_icache(struct port *p, u64 pa, u64 size);
void ledger_icache_all(struct port *p);

/* ---- contents (machine_line.c) */
void line_reset(struct machine *m);
void line_delete(struct machine *m);
void line_cmo_range(struct port *p, u64 pa, u64 size, enum machine_cmo op);
/* Every instruction cache of the CPUs of @cpus. */
void line_icache_all(struct port *p, u32 cpus);
u64 line_fetch(struct port *p, pa_t pa, enum machine_attr attr);

/* ---- the guest (machine_guest.c) */
enum machine_type guest_type(const struct port_caps *caps, u64 desc);

/* ---- history (machine_history.c) */
struct event *history_add(struct port *p, enum event_kind kind);
void history_delete(struct machine *m);

#endif
