/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of a program: VMAs, the translation table behind them, faults, and the notifiers by
 * which KVM keeps stage 2 no wider than what the host maps (design.md M1, M13).
 *
 * Locks: mm->lock (sleeping, read/write) guards the VMAs; mm->pt_lock (spin) the table. Order:
 * docs/invariants.md.
 */
#ifndef HOST_MM_H
#define HOST_MM_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#include "host/err.h"
#include "host/file.h"
#include "host/page.h"

/* VMA flags; the names and meanings are Linux's. */
enum vm_flag {
	VM_READ = 1 << 0,
	VM_WRITE = 1 << 1,
	VM_EXEC = 1 << 2,
	VM_SHARED = 1 << 3,
	VM_IO = 1 << 4,
	VM_PFNMAP = 1 << 5,
	VM_MIXEDMAP = 1 << 6,
	VM_DONTEXPAND = 1 << 7,
	VM_DONTDUMP = 1 << 8,
	VM_HUGEPAGE = 1 << 9,
	VM_NOHUGEPAGE = 1 << 10,
	VM_HUGETLB = 1 << 11,
	VM_ALLOW_ANY_UNCACHED = 1 << 12,
	VM_NORESERVE = 1 << 13,
	VM_GROWSDOWN = 1 << 14,
	VM_STACK = 1 << 15,
	VM_HEAP = 1 << 16,
	VM_DONTCOPY = 1 << 17,
	VM_MAYWRITE = 1 << 18, /* mprotect may add VM_WRITE */
	VM_WIPEONFORK = 1 << 19,
	VM_UFFD_MISSING = 1 << 20, /* faults go to vma->uffd: where nothing is, */
	VM_UFFD_WP = 1 << 21,	   /* on writes to what UFFDIO_WRITEPROTECT protects, */
	VM_UFFD_MINOR = 1 << 22,   /* where the object has a page that is not mapped */
};

/* The memory type a host leaf gives; also the VMA's declared protection. */
enum host_memtype { HOST_WB, HOST_NC, HOST_DEVICE };

enum host_access { HOST_READ, HOST_WRITE, HOST_EXEC };

struct mm;
struct vma;
struct uffd;

/* A live leaf of the host's table, read under pt_lock. */
struct host_pte {
	pa_t pa;   /* of the byte asked for, not of the leaf's start */
	int level; /* LEVEL_4K, LEVEL_2M, LEVEL_1G: the leaf's span */
	enum host_memtype memtype;
	bool writable;
	bool any_uncached; /* its owner allows any type but write-back (VM_ALLOW_ANY_UNCACHED) */
	bool is_ram;	   /* reach: by the boot memory map alone */
};

struct vma_ops {
	/*
	 * Makes @addr accessible: gives a page (vma_insert_page) or a PFN mapping (vma_insert_pfn).
	 * Under mm->lock held for reading; may sleep. 0, -ENOMEM, -EFAULT (SIGSEGV) or -EIO
	 * (SIGBUS).
	 */
	int (*fault)(struct vma *vma, hva_t addr, enum host_access access);
	/* A write to a present, read-only special leaf: 0 lets it be made writable (M14). */
	int (*pfn_mkwrite)(struct vma *vma, hva_t addr);
	void (*open)(struct vma *vma);	/* after split or copy */
	void (*close)(struct vma *vma); /* before it is freed */
};

struct vma {
	RB_ENTRY(vma) node;
	hva_t start; /* page aligned; guarded, as all below, by mm->lock */
	hva_t end;
	u32 flags;		     /* enum vm_flag */
	enum host_memtype prot_type; /* declared type (vm_page_prot) */
	struct mm *mm;
	struct file *file; /* counted, or NULL */
	u64 offset;	   /* bytes into the file at start */
	const struct vma_ops *ops;
	void *priv;
	int hugetlb_level; /* LEVEL_2M or LEVEL_1G if VM_HUGETLB */
	struct uffd *uffd; /* set with VM_UFFD_*; not counted: its end clears it */
	LIST_ENTRY(vma)
	object_link;  /* among the mappings of one memory object; its lock guards it */
	u32 zap_pass; /* the object's last walk of its mappings that saw this one */
};

/* ---- life */
struct mm *mm_new(void);
struct mm *mm_get(struct mm *mm);
/* Drops a reference to the object. */
void mm_put(struct mm *mm);
/* Unmaps everything (notifiers' release first), when the last thread of the process has gone. */
void mm_exit(struct mm *mm);
/* Installs @mm's table on this CPU; NULL: none. Called by the thread switch. */
void mm_activate(struct mm *mm);

/* ---- system calls (arguments as user space gave them; results and errors as Linux's) */
s64 mm_mmap(struct mm *mm, u64 addr, u64 len, int prot, int flags, struct file *file, u64 offset);
int mm_munmap(struct mm *mm, u64 addr, u64 len);
int mm_mprotect(struct mm *mm, u64 addr, u64 len, int prot);
int mm_madvise(struct mm *mm, u64 addr, u64 len, int advice);
s64 mm_brk(struct mm *mm, u64 brk);
s64 mm_mremap(struct mm *mm, u64 old, u64 old_len, u64 new_len, int flags, u64 new_addr);
int mm_msync(struct mm *mm, u64 addr, u64 len, int flags);
int mm_mincore(struct mm *mm, u64 addr, u64 len, hva_t vec);
/* What mlockall() asked of mappings to come: MCL_* bits, kept for the system calls. A new mm and a
 * copy have none. Atomic. */
u32 mm_lock_flags(const struct mm *mm);
void mm_set_lock_flags(struct mm *mm, u32 flags);
/* Where brk begins; set by exec. */
void mm_set_brk(struct mm *mm, u64 start);

/* A mapping the kernel makes (exec: segments, stack; vvar): as mm_mmap with MAP_FIXED and VM flags
 * given. */
int mm_map_kernel(struct mm *mm, u64 addr, u64 len, u32 vm_flags, struct file *file, u64 offset);

/*
 * A copy for fork: the same VMAs but those marked VM_DONTCOPY, private pages shared copy-on-write.
 * NULL when memory is out.
 */
struct mm *mm_copy(struct mm *mm);

/* What /proc/PID/statm and status say, in pages. */
struct mm_counts {
	u64 total_pages;
	u64 resident_pages;
	u64 brk_pages;
	u32 vma_count;
};
struct mm_counts mm_get_counts(struct mm *mm);
/* resident_pages alone, roughly: takes no lock. */
u64 mm_resident_pages(const struct mm *mm);
/*
 * /proc/PID/maps: calls @emit for each line, which it formats as Linux does. Write nothing to the
 * program from @emit: the mm lock is held.
 */
struct maps_sink {
	void (*emit)(struct maps_sink *sink, const char *line, size_t len);
};
void mm_format_maps(struct mm *mm, struct maps_sink *sink);
/* The same with smaps' fields after each line. */
void mm_format_smaps(struct mm *mm, struct maps_sink *sink);

/* ---- faults: of a program, of user access and of a guest, all by this one path. May sleep; no
 * lock held. */
enum fault_verdict {
	FAULT_OK,
	FAULT_SEGV_MAPERR, /* no VMA */
	FAULT_SEGV_ACCERR, /* VMA does not allow the access */
	FAULT_BUS,	   /* beyond the object's end, or the owner said so */
	FAULT_POISON,	   /* UFFDIO_POISON (SIGBUS, BUS_MCEERR_AR) */
	FAULT_OOM,
	FAULT_INTR, /* a signal: see enum fault_origin */
};
/* Who needs the page, and what ends the wait for a userfaultfd that is to give it. */
enum fault_origin {
	FAULT_BY_PROGRAM, /* an instruction at EL0: any signal */
	FAULT_BY_GUEST,	  /* likewise; but to UFFD_USER_MODE_ONLY it is the kernel */
	FAULT_BY_KERNEL,  /* a system call: only the end of the process */
};
enum fault_verdict mm_fault_by(struct mm *mm, hva_t addr, enum host_access access,
			       enum fault_origin origin);
static inline enum fault_verdict mm_fault(struct mm *mm, hva_t addr, enum host_access access)
{
	return mm_fault_by(mm, addr, access, FAULT_BY_KERNEL);
}

/* Reads the live leaf at @addr under pt_lock and no other lock. False if absent: then of @pte only
 * the level is set, of the block around @addr that has none. */
bool mm_peek(struct mm *mm, hva_t addr, struct host_pte *pte);
/* Copies up to @n bytes of RAM at @addr, another program's, as far as they are mapped now. Bytes
 * copied. */
size_t mm_read_mapped(struct mm *mm, hva_t addr, void *dst, size_t n);

/* ---- VMAs, under mm->lock */
void mm_read_lock(struct mm *mm);
void mm_read_unlock(struct mm *mm);
void mm_write_lock(struct mm *mm);
void mm_write_unlock(struct mm *mm);
/* The VMA that holds @addr, or NULL; the first one that ends after @addr, or NULL; the one after
 * @vma. */
struct vma *vma_find(struct mm *mm, hva_t addr);
struct vma *vma_first_after(struct mm *mm, hva_t addr);
struct vma *vma_next(struct vma *vma);

/* ---- notifiers: both calls run under mm->lock (at least read) and around the change of the table
 */
struct mm_notifier;
struct mm_notifier_ops {
	/*
	 * [@start, @end) is about to change: drop every translation derived from it before
	 * returning, and let none be made until end(). Neither sleeps nor allocates; runs under
	 * mm->pt_lock or not: do not take it.
	 */
	void (*begin)(struct mm_notifier *n, hva_t start, hva_t end);
	void (*end)(struct mm_notifier *n, hva_t start, hva_t end);
	/* Was any of it accessed since last asked? Clears the mark. */
	bool (*age)(struct mm_notifier *n, hva_t start, hva_t end);
	/* The mm is going away: drop everything. */
	void (*release)(struct mm_notifier *n);
};
struct mm_notifier {
	LIST_ENTRY(mm_notifier) link;
	const struct mm_notifier_ops *ops;
};
/* May sleep. Unregister returns when no call is under way. */
void mm_notifier_register(struct mm *mm, struct mm_notifier *n);
void mm_notifier_unregister(struct mm *mm, struct mm_notifier *n);

/* ---- files of memory: memfd, tmpfs and initramfs files share this page store (host/memobj.c) */
struct memobj;
/* A new object of size 0 with one reference; NULL when memory is out. */
struct memobj *memobj_new(void);
/* Its pages are blocks of @level, taken from free memory as they are needed. */
struct memobj *memobj_hugetlb_new(int level);
struct memobj *memobj_get(struct memobj *o);
void memobj_put(struct memobj *o);
/* Bytes of memory it holds (st_blocks). */
u64 memobj_resident(struct memobj *o);
/* The same in pages, roughly: takes no lock. */
u64 memobj_pages(const struct memobj *o);
u64 memobj_size(struct memobj *o);
int memobj_truncate(struct memobj *o, u64 size);
int memobj_fallocate(struct memobj *o, int mode, u64 offset, u64 len);
/* The first byte from @offset on that has content, or that has none (the end is a hole). -ENXIO:
 * there is none, or @offset is not within the object. Pages that fallocate made are content. */
enum memobj_seek_for { MEMOBJ_DATA, MEMOBJ_HOLE };
s64 memobj_seek(struct memobj *o, s64 offset, enum memobj_seek_for what);
/* The address of the page that holds @offset; false: there is none yet, or any more. May sleep. */
bool memobj_peek(struct memobj *o, u64 offset, pa_t *pa);
/* There is a page at @offset afterwards, as long as nobody removes it. 0, -ENOMEM, or -EIO: beyond
 * the end. May sleep. */
int __must_check memobj_populate(struct memobj *o, u64 offset);
/* Moves bytes between object and buffer; reads stop at the end, writes extend. Bytes moved or an
 * error. */
s64 memobj_read(struct memobj *o, struct iobuf *to, u64 pos);
s64 memobj_write(struct memobj *o, struct iobuf *from, u64 pos);
/* Implements mmap for a file whose content is @o: shared, or private with copy on write. */
int memobj_mmap(struct memobj *o, struct vma *vma);
/* Is there a shared mapping that can be written to, or made so? Then F_SEAL_WRITE cannot be set. */
bool memobj_mapped_writable(struct memobj *o);
/* Wraps memory that is already in RAM (an initramfs file), copied on first write. */
struct memobj *memobj_from_ram(const void *data, u64 size);

#endif
