/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the memory subsystem share and nobody else sees: struct mm, the VMA tree, and
 * the operations on translation tables.
 */
#ifndef HOST_MM_IMPL_H
#define HOST_MM_IMPL_H

#include "host/mm.h"

/* Programs own the lower 48-bit half. */
#define TASK_SIZE	 (1UL << 48)
#define MMAP_MIN_ADDR	 0x8000UL
#define VMA_COUNT_MAX	 65530U
#define STACK_GUARD_SIZE (256 * PAGE_SIZE)
#define STACK_LIMIT	 (8UL << 20)

/* What a leaf lets a program do; none of them: an invalid descriptor that keeps its page. */
enum leaf_perm { LEAF_R = 1, LEAF_W = 2, LEAF_X = 4 };

RB_HEAD(vma_tree, vma);
LIST_HEAD(mm_notifier_list, mm_notifier);
LIST_HEAD(vma_list, vma);

struct mm {
	u32 refs;		 /* atomic */
	LIST_ENTRY(mm) all_link; /* guarded by the list's lock */
	struct rwsem lock;
	struct vma_tree vmas; /* guarded by lock, as down to mmap_base */
	u32 vma_count;
	struct mm_notifier_list notifiers;
	u64 brk_start;
	u64 brk_end;
	u64 mmap_base; /* placement goes down from here */
	/* Between packed_floor and mmap_base there is no gap of packed_len bytes or more. */
	u64 packed_floor;
	u64 packed_len;
	u64 total_pages; /* mapped by VMAs */
	bool exited;	 /* mm_exit() was here */
	u32 lock_flags;	 /* atomic; mm_lock_flags() */
	struct spinlock pt_lock;
	u64 *root;		/* immutable */
	u64 resident_pages;	/* guarded by pt_lock */
	u64 context;		/* generation and ASID; host/asid.c */
	struct vma_list doomed; /* unlinked, freed by mm_write_unlock(); guarded by lock */
	struct grace_work free_work;
};

/* ---- host/mm.c */
/* The next of all mms after @prev (NULL: the first), counted, and drops @prev; NULL: no more. */
struct mm *mm_next(struct mm *prev);

/* ---- host/vma.c: the tree, under mm->lock for writing where it changes */
RB_PROTOTYPE(vma_tree, vma, node, )

struct vma *vma_new(struct mm *mm, u64 start, u64 end, u32 flags);
/* Frees a VMA that was never linked, with its reference to a file. */
void vma_free(struct vma *vma);
/* A linked copy of @vma for @len bytes at @to of @mm, that shows what @vma has from @from on. NULL:
 * out of memory. */
struct vma *vma_copy(const struct vma *vma, struct mm *mm, u64 from, u64 to, u64 len);
void vma_link(struct vma *vma);
/* Takes it out of the tree and calls ops->close; it is freed when the write lock is released, since
 * a file's release may sleep and take the lock. */
void vma_unlink(struct vma *vma);
/* Cuts @vma in two at @addr, strictly inside it and leaf-aligned. 0 or -ENOMEM: nothing changed. */
int vma_split(struct vma *vma, u64 addr);
/* Joins @vma with equal neighbours; the VMA that now holds its start. */
struct vma *vma_merge(struct vma *vma);
/*
 * Splits VMAs so that none crosses @start or @end, and leaves likewise. -EINVAL inside a huge page
 * of hugetlb, -ENOMEM; a split that was done stays, which nobody can see.
 */
int vma_isolate(struct mm *mm, u64 start, u64 end);
/* VMAs that end after @addr, in order: for (v = vma_from(..); v && start < end; v = vma_next(v)) */
struct vma *vma_from(struct mm *mm, u64 addr);
bool vma_range_is_free(struct mm *mm, u64 start, u64 end);
/* Bytes of the smallest page a mapping can be cut at. */
u64 vma_unit(const struct vma *vma);
/* What a leaf of this VMA may allow at most, by its flags. A set of enum leaf_perm. */
unsigned int vma_perms(const struct vma *vma);
/* VM_READ, VM_WRITE and VM_EXEC of PROT_* bits. */
u32 vma_flags_of_prot(int prot);

/* ---- host/mmap.c */
/* Unmaps what is in the range; it was isolated before. Cannot fail. Write lock. */
void mm_unmap_isolated(struct mm *mm, u64 start, u64 end);
/* munmap under the write lock, with arguments already checked. */
int mm_unmap_locked(struct mm *mm, u64 start, u64 end);
/* A free range of @len bytes aligned to @align, or -ENOMEM. */
s64 mm_find_gap(struct mm *mm, u64 hint, u64 len, u64 align);
/* Faults in what can be; errors are left to the first access (MAP_POPULATE). */
int mm_populate(struct mm *mm, u64 start, u64 end, enum host_access access);

/* ---- host/asid.c */
void asid_activate(struct mm *mm);
/* The ASID that may tag this mm's translations. Read it after publishing what they came from: an
 * mm that gets another ASID meanwhile walks afresh under it. */
u16 asid_of(const struct mm *mm);
/* False while the mm never ran: then nothing can be cached of it. */
bool asid_ever_used(const struct mm *mm);
/* This CPU stops using the mm, if it does. */
void asid_deactivate(const struct mm *mm);
/* The mm is about to be freed: panics if a CPU still has it active. */
void asid_check_unused(const struct mm *mm);

/* ---- host/notifier.c */
void notify_begin(struct mm *mm, u64 start, u64 end);
void notify_end(struct mm *mm, u64 start, u64 end);
void notify_release(struct mm *mm);
/* Was it used by a guest since last asked? */
bool notify_age(struct mm *mm, u64 start, u64 end);

/* ---- host/pgtable.c. Functions that end in _locked want mm->pt_lock; the others take it. */

/* Consecutive entries of one table, none of which points to a table. */
struct pte_run {
	u64 *entry;
	u64 addr; /* that the first entry translates */
	int level;
	u32 count;
};

int pgt_init(struct mm *mm);
/* Drops all pages and tables but the root, with one invalidation: no thread returns to the program
 * any more. */
void pgt_clear(struct mm *mm);
void pgt_free_root(struct mm *mm);
/* The entry that ends the walk for @addr, a leaf or invalid, and its level. */
u64 *pgt_lookup_locked(struct mm *mm, u64 addr, int *level);
/* The run that begins with the entry for @addr and ends by @end. */
struct pte_run pgt_run_locked(struct mm *mm, u64 addr, u64 end);
static inline u64 pgt_run_end(const struct pte_run *r)
{
	return r->addr + r->count * level_size(r->level);
}

/*
 * Makes an absent entry a leaf; takes the caller's reference over. A mark of write protection goes
 * on in the leaf. -ENOMEM for want of a table, -EEXIST if something is mapped there, or poison is.
 */
int pgt_install_locked(struct mm *mm, u64 addr, int level, u64 pte);
/* True if a leaf of @level could be installed at @addr: nothing is mapped in its whole range. */
bool pgt_is_vacant_locked(struct mm *mm, u64 addr, int level);
/*
 * Replaces the leaf @entry by another that maps other memory: break, invalidate, make. The old page
 * loses its reference. The caller has notified.
 */
void pgt_replace_locked(struct mm *mm, u64 *entry, u64 addr, int level, u64 pte);
/* Widens a live leaf's permissions in place. */
void pgt_relax_locked(struct mm *mm, u64 *entry, u64 addr, int level, unsigned int perms);

/* Gives a leaf the Access flag, or takes it, invalidating it: true if it had it. */
void pgt_make_young_locked(u64 *entry);
bool pgt_make_old_locked(struct mm *mm, u64 *entry, u64 addr, int level);

enum zap_what {
	ZAP_ALL,	  /* leaves and marks */
	ZAP_CONTENT,	  /* all leaves; write protection (UFFDIO_WRITEPROTECT) outlasts them */
	ZAP_OBJECT_PAGES, /* the same, but anonymous pages and poison stay */
};
/*
 * What changes leaves of an isolated range, in bounded steps, and changes no other. The caller has
 * notified. How far it came: to @end; or, if mm->lock is held for reading only, to where a block is
 * that came since, and is not all in the range: it is to be isolated again from there on.
 */

/* Clears leaves. */
u64 pgt_zap(struct mm *mm, u64 start, u64 end, enum zap_what what);
/* Keeps writing from leaves until pgt_uffd_unprotect(). */
u64 pgt_uffd_protect(struct mm *mm, u64 start, u64 end);
/* Takes PTE_SW_UFFD_WP from leaves and marks; writing comes with the next write fault. */
u64 pgt_uffd_unprotect(struct mm *mm, u64 start, u64 end);
/* Gives leaves at most @perms; never adds writing. Under the write lock: to @end. */
void pgt_protect(struct mm *mm, u64 start, u64 end, unsigned int perms);
/* Puts the mark PTE_SW_UFFD_WP where nothing is, at @level, in an isolated range. 0 or -ENOMEM:
 * then some of it has it. */
int pgt_uffd_mark_absent(struct mm *mm, u64 start, u64 end, int level);
/* Makes the entry for @addr at @level hold @mark (of PTE_MARKS, or 0). -EEXIST: a leaf or a table
 * is there. -ENOMEM. */
int pgt_mark_locked(struct mm *mm, u64 addr, int level, u64 mark);
/* Breaks up the block that @addr lies strictly inside of, if any, notifying. 0 or -ENOMEM. */
int pgt_split_at(struct mm *mm, u64 addr);
/* The same at both ends of a range. */
int pgt_isolate(struct mm *mm, u64 start, u64 end);
/* Moves leaves between isolated ranges of equal length; pgt_move_prepare() has succeeded. */
int pgt_move_prepare(struct mm *mm, u64 from, u64 to, u64 len);
void pgt_move(struct mm *mm, u64 from, u64 to, u64 len);
/* Gives @to the leaves that @from has in a range, read-only in both. The caller has notified. 0 or
 * -ENOMEM: then @to has some of them. */
int pgt_share(struct mm *from, struct mm *to, u64 start, u64 end);
/* Frees tables that serve only [@floor, @ceiling), of which [@start, @end) was just zapped. */
void pgt_free_tables(struct mm *mm, u64 start, u64 end, u64 floor, u64 ceiling);

/* ---- host/fault.c */
/* The page of zeroes that reads of untouched anonymous memory share. */
pa_t zero_page_pa(void);

/* ---- host/memobj.c */
extern const struct vma_ops memobj_vma_ops;

/* Results of a fault, beside errors: userfaultfd is to be asked. Never reach user space. */
enum { EUFFD_MISSING = 4001, EUFFD_MINOR, EUFFD_WP };

/* What the object behind a VMA has at an address. */
enum memobj_has { MEMOBJ_HAS_NOTHING, MEMOBJ_HAS_PAGE, MEMOBJ_ENDS_BEFORE };
enum memobj_has memobj_look(const struct vma *vma, u64 addr);
/*
 * Gives the object of a VMA @page (its reference, also on failure) as its content at @addr, aligned
 * to the object's pages, and maps it there; NULL: maps what it has. -EEXIST: there is one, or a
 * leaf; -EFAULT: beyond its end, or nothing to map; -ENOMEM. Under mm->lock.
 */
int memobj_fill(struct vma *vma, u64 addr, struct page *page);

#endif
