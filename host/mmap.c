/* SPDX-License-Identifier: Apache-2.0 */
/* Making and removing mappings: mmap, munmap, brk, and where a mapping without a place goes. */
#include <linux/mman.h>

#include <asm-generic/fcntl.h>

#include "host/mm_impl.h"
#include "host/uffd_impl.h"

/* What MAP_SHARED_VALIDATE accepts; MAP_SHARED and MAP_PRIVATE ignore unknown bits. */
#define MAP_KNOWN_FLAGS                                                                            \
	(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_DENYWRITE |    \
	 MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |   \
	 MAP_HUGETLB | MAP_FIXED_NOREPLACE | (int)((unsigned int)MAP_HUGE_MASK << MAP_HUGE_SHIFT))

/* One mmap call, its arguments checked step by step. */
struct mmap_request {
	u64 addr;
	u64 len; /* rounded up to pages */
	u64 offset;
	u64 align;
	int flags;
	int hugetlb_level; /* 0: none */
	u32 vm_flags;
	struct file *file; /* borrowed, or NULL */
};

/* ---- placement */

/* The end of the free space below @vma: stacks keep a gap to what lies under them. */
static u64 gap_end_below(const struct vma *vma)
{
	u64 guard = vma->flags & VM_GROWSDOWN ? STACK_GUARD_SIZE : 0;

	return vma->start.v > guard ? vma->start.v - guard : 0;
}

static bool gap_fits(struct mm *mm, u64 addr, u64 len)
{
	struct vma *next = vma_from(mm, addr);

	return addr >= MMAP_MIN_ADDR && len <= TASK_SIZE && addr <= TASK_SIZE - len &&
	       (!next || (addr + len <= gap_end_below(next) && addr < next->start.v));
}

/* The highest free range below @top. */
static s64 gap_find_below(struct mm *mm, u64 top, u64 len, u64 align)
{
	struct vma *v = vma_from(mm, top);

	if (v && v->start.v < top)
		top = gap_end_below(v);
	else if (v)
		top = min(top, gap_end_below(v));
	v = v ? RB_PREV(vma_tree, NULL, v) : RB_MAX(vma_tree, &mm->vmas);
	for (;;) {
		u64 floor = v ? v->end.v : MMAP_MIN_ADDR;
		u64 addr = top >= len ? ALIGN_DOWN(top - len, align) : 0;

		if (addr >= floor && addr >= MMAP_MIN_ADDR)
			return (s64)addr;
		if (!v)
			return -ENOMEM;
		top = gap_end_below(v);
		v = RB_PREV(vma_tree, NULL, v);
	}
}

/* Mappings of one size after another find their place without a walk over all that came before. */
static u64 gap_search_top(const struct mm *mm, u64 len)
{
	return len >= mm->packed_len ? mm->packed_floor : mm->mmap_base;
}

/* What was known of the space above is no longer true. */
static void gap_opened(struct mm *mm, u64 end)
{
	if (end > mm->packed_floor)
		mm->packed_floor = mm->mmap_base;
}

s64 mm_find_gap(struct mm *mm, u64 hint, u64 len, u64 align)
{
	s64 addr;

	hint = ALIGN_UP(hint, align);
	if (hint && gap_fits(mm, max(hint, ALIGN_UP(MMAP_MIN_ADDR, align)), len))
		return (s64)max(hint, ALIGN_UP(MMAP_MIN_ADDR, align));
	addr = gap_find_below(mm, gap_search_top(mm, len), len, align);
	if (addr < 0)
		return gap_find_below(mm, TASK_SIZE, len, align);
	mm->packed_floor = (u64)addr + len;
	mm->packed_len = len + align - PAGE_SIZE; /* a smaller gap may have been passed over */
	return addr;
}

/* ---- removal */

void mm_unmap_isolated(struct mm *mm, u64 start, u64 end)
{
	struct vma *v = vma_from(mm, start);
	struct vma *prev = v ? RB_PREV(vma_tree, NULL, v) : RB_MAX(vma_tree, &mm->vmas);
	u64 floor = prev ? prev->end.v : 0;

	if (!v || v->start.v >= end)
		return;
	notify_begin(mm, start, end);
	while (v && v->start.v < end) {
		struct vma *next = vma_next(v);

		(void)pgt_zap(mm, v->start.v, v->end.v, ZAP_ALL);
		if (v->uffd)
			uffd_wake(v->uffd, v->start.v, v->end.v);
		vma_unlink(v);
		v = next;
	}
	pgt_free_tables(mm, start, end, floor, v ? v->start.v : TASK_SIZE);
	gap_opened(mm, end);
	notify_end(mm, start, end);
}

int mm_unmap_locked(struct mm *mm, u64 start, u64 end)
{
	int error = vma_isolate(mm, start, end);

	if (!error)
		mm_unmap_isolated(mm, start, end);
	return error;
}

int mm_munmap(struct mm *mm, u64 addr, u64 len)
{
	int error;

	if (!IS_ALIGNED(addr, PAGE_SIZE) || addr > TASK_SIZE || len > TASK_SIZE - addr)
		return -EINVAL;
	len = ALIGN_UP(len, PAGE_SIZE);
	if (!len)
		return -EINVAL;
	mm_write_lock(mm);
	error = mm_unmap_locked(mm, addr, addr + len);
	mm_write_unlock(mm);
	return error;
}

/* ---- checks of one request, in Linux's order */

static int hugetlb_level_of(int flags)
{
	switch (((unsigned int)flags >> MAP_HUGE_SHIFT) & MAP_HUGE_MASK) {
	case 0:
	case 21: return LEVEL_2M;
	case 30: return LEVEL_1G;
	default: return 0;
	}
}

static int request_check_huge(struct mmap_request *r)
{
	if (r->file && (r->file->traits & (FILE_HUGE_2M | FILE_HUGE_1G)))
		r->hugetlb_level = r->file->traits & FILE_HUGE_1G ? LEVEL_1G : LEVEL_2M;
	else if (r->flags & MAP_HUGETLB) /* of no file: mm_mmap() */
		r->hugetlb_level = hugetlb_level_of(r->flags);
	else
		return 0;
	if (!r->hugetlb_level)
		return -EINVAL;
	r->align = level_size(r->hugetlb_level);
	if (r->len > TASK_SIZE)
		return -ENOMEM;
	r->len = ALIGN_UP(r->len, r->align);
	if (r->len >> PAGE_SHIFT > page_counts().free_pages && !(r->flags & MAP_NORESERVE))
		return -ENOMEM;
	r->vm_flags |= VM_HUGETLB | VM_DONTEXPAND;
	return 0;
}

/* Mappings of whole large blocks are aligned so that large leaves can serve them. */
static u64 request_align(const struct mmap_request *r)
{
	if (r->hugetlb_level)
		return r->align;
	if (r->file && r->len >= SZ_1G && IS_ALIGNED(r->len | r->offset, SZ_1G))
		return SZ_1G;
	if (r->len >= SZ_2M && IS_ALIGNED(r->len, SZ_2M) &&
	    (!r->file || IS_ALIGNED(r->offset, SZ_2M)))
		return SZ_2M;
	return PAGE_SIZE;
}

static int request_place(struct mm *mm, struct mmap_request *r)
{
	s64 addr;

	if (r->len > TASK_SIZE)
		return -ENOMEM;
	if (r->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (r->addr > TASK_SIZE - r->len)
			return -ENOMEM;
		if (!IS_ALIGNED(r->addr, max(r->align, PAGE_SIZE)))
			return -EINVAL;
		if ((r->flags & MAP_FIXED_NOREPLACE) &&
		    !vma_range_is_free(mm, r->addr, r->addr + r->len))
			return -EEXIST;
		return 0;
	}
	addr = mm_find_gap(mm, r->addr & PAGE_MASK, r->len, PAGE_SIZE);
	if (!r->addr || (u64)addr != (r->addr & PAGE_MASK) || r->hugetlb_level)
		addr = mm_find_gap(mm, r->addr & PAGE_MASK, r->len, request_align(r));
	if (addr < 0)
		return (int)addr;
	r->addr = (u64)addr;
	return 0;
}

static bool file_readable(const struct file *f)
{
	return (f->flags & O_ACCMODE) != O_WRONLY;
}

static bool file_writable(const struct file *f)
{
	return (f->flags & O_ACCMODE) != O_RDONLY;
}

static int request_check_file(struct mmap_request *r)
{
	int type = r->flags & MAP_TYPE;

	if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (type == MAP_SHARED_VALIDATE && (r->flags & ~MAP_KNOWN_FLAGS))
		return -EOPNOTSUPP;
	if (type != MAP_PRIVATE) {
		if ((r->vm_flags & VM_WRITE) && !file_writable(r->file))
			return -EACCES;
		if (!file_writable(r->file))
			r->vm_flags &= ~(u32)VM_MAYWRITE;
		r->vm_flags |= VM_SHARED;
	}
	if (!file_readable(r->file))
		return -EACCES;
	if (!r->file->ops->mmap)
		return -ENODEV;
	return r->vm_flags & VM_GROWSDOWN ? -EINVAL : 0;
}

static int request_check_anonymous(struct mmap_request *r)
{
	switch (r->flags & MAP_TYPE) {
	case MAP_SHARED:
		if (r->vm_flags & VM_GROWSDOWN)
			return -EINVAL;
		r->vm_flags |= VM_SHARED;
		r->offset = 0;
		return 0;
	case MAP_PRIVATE: r->offset = 0; return 0;
	default: return -EINVAL;
	}
}

/* As Linux's default policy: only what can never be satisfied is refused. */
static bool commit_is_hopeless(const struct mmap_request *r)
{
	bool accounted = (r->vm_flags & VM_WRITE) && !(r->vm_flags & (VM_NORESERVE | VM_HUGETLB)) &&
			 (!(r->vm_flags & VM_SHARED) || !r->file);

	return accounted && r->len >> PAGE_SHIFT > page_counts().total_pages;
}

static u32 request_vm_flags(int prot, int flags)
{
	u32 vm_flags = vma_flags_of_prot(prot) | VM_MAYWRITE;

	if (flags & MAP_GROWSDOWN)
		vm_flags |= VM_GROWSDOWN;
	if (flags & MAP_STACK)
		vm_flags |= VM_NOHUGEPAGE;
	if (flags & MAP_NORESERVE)
		vm_flags |= VM_NORESERVE;
	return vm_flags;
}

/* ---- making it */

static int vma_attach(struct vma *vma, const struct mmap_request *r)
{
	struct memobj *shared;
	int error;

	vma->offset = r->offset;
	vma->hugetlb_level = r->hugetlb_level;
	if (r->file) {
		vma->file = file_get(r->file);
		return r->file->ops->mmap(r->file, vma);
	}
	if (!(r->vm_flags & VM_SHARED))
		return 0;
	shared = r->hugetlb_level ? memobj_hugetlb_new(r->hugetlb_level) : memobj_new();
	if (!shared)
		return -ENOMEM;
	error = memobj_truncate(shared, r->len);
	if (!error)
		error = memobj_mmap(shared, vma);
	memobj_put(shared);
	return error;
}

/* The range is free. What a driver mapped before it failed is removed again. */
static int mm_map_new(struct mm *mm, const struct mmap_request *r)
{
	struct vma *vma = vma_new(mm, r->addr, r->addr + r->len, r->vm_flags);
	int error;

	if (!vma)
		return -ENOMEM;
	error = vma_attach(vma, r);
	if (error) {
		(void)pgt_zap(mm, r->addr, r->addr + r->len, ZAP_ALL);
		LIST_INSERT_HEAD(&mm->doomed, vma, object_link);
		return error;
	}
	vma_link(vma);
	vma_merge(vma);
	return 0;
}

static int mmap_locked(struct mm *mm, struct mmap_request *r)
{
	int error;

	if (mm->vma_count >= VMA_COUNT_MAX)
		return -ENOMEM;
	error = request_place(mm, r);
	if (!error)
		error = r->file ? request_check_file(r) : request_check_anonymous(r);
	if (!error && commit_is_hopeless(r))
		error = -ENOMEM;
	if (!error)
		error = mm_unmap_locked(mm, r->addr, r->addr + r->len);
	return error ? error : mm_map_new(mm, r);
}

s64 mm_mmap(struct mm *mm, u64 addr, u64 len, int prot, int flags, struct file *file, u64 offset)
{
	struct mmap_request r = { .addr = addr,
				  .len = ALIGN_UP(len, PAGE_SIZE),
				  .offset = offset,
				  .align = PAGE_SIZE,
				  .flags = flags,
				  .vm_flags = request_vm_flags(prot, flags),
				  .file = file };
	int error;

	if (!IS_ALIGNED(offset, PAGE_SIZE))
		return -EINVAL;
	if (file && !(r.file->traits & (FILE_HUGE_2M | FILE_HUGE_1G)) && (flags & MAP_HUGETLB))
		return -EINVAL;
	if (!len)
		return -EINVAL;
	if (!r.len)
		return -ENOMEM;
	error = request_check_huge(&r);
	if (error)
		return error;
	if (offset + r.len < offset)
		return -EOVERFLOW;
	mm_write_lock(mm);
	error = mmap_locked(mm, &r);
	mm_write_unlock(mm);
	if (error)
		return error;
	if (flags & (MAP_POPULATE | MAP_LOCKED))
		(void)mm_populate(mm, r.addr, r.addr + r.len,
				  prot & PROT_WRITE ? HOST_WRITE : HOST_READ);
	return (s64)r.addr;
}

int mm_map_kernel(struct mm *mm, u64 addr, u64 len, u32 vm_flags, struct file *file, u64 offset)
{
	struct mmap_request r = { .addr = addr,
				  .len = ALIGN_UP(len, PAGE_SIZE),
				  .offset = offset,
				  .align = PAGE_SIZE,
				  .flags = MAP_FIXED,
				  .vm_flags = vm_flags | VM_MAYWRITE,
				  .file = file };
	int error;

	if (!r.len || !IS_ALIGNED(offset, PAGE_SIZE))
		return -EINVAL;
	if (file && !file->ops->mmap)
		return -ENODEV;
	mm_write_lock(mm);
	error = request_place(mm, &r);
	if (!error)
		error = mm_unmap_locked(mm, addr, addr + r.len);
	if (!error)
		error = mm_map_new(mm, &r);
	mm_write_unlock(mm);
	return error;
}

int mm_populate(struct mm *mm, u64 start, u64 end, enum host_access access)
{
	while (start < end) {
		enum fault_verdict v = mm_fault(mm, HVA(start), access);
		struct host_pte pte;

		if (v != FAULT_OK)
			return v == FAULT_OOM ? -ENOMEM : -EFAULT;
		if (!mm_peek(mm, HVA(start), &pte))
			pte.level = LEVEL_4K; /* already gone again */
		start = ALIGN_DOWN(start, level_size(pte.level)) + level_size(pte.level);
		sched_point();
	}
	return 0;
}

u32 mm_lock_flags(const struct mm *mm)
{
	return __atomic_load_n(&mm->lock_flags, __ATOMIC_RELAXED);
}

void mm_set_lock_flags(struct mm *mm, u32 flags)
{
	__atomic_store_n(&mm->lock_flags, flags, __ATOMIC_RELAXED);
}

/* ---- the heap */

void mm_set_brk(struct mm *mm, u64 start)
{
	mm->brk_start = ALIGN_UP(start, PAGE_SIZE);
	mm->brk_end = mm->brk_start;
}

static int brk_grow(struct mm *mm, u64 from, u64 to)
{
	struct mmap_request r = { .addr = from,
				  .len = to - from,
				  .vm_flags = VM_READ | VM_WRITE | VM_MAYWRITE | VM_HEAP };
	struct vma *next = vma_from(mm, from);

	if (to > TASK_SIZE || (next && gap_end_below(next) < to))
		return -ENOMEM;
	if (commit_is_hopeless(&r) || mm->vma_count >= VMA_COUNT_MAX)
		return -ENOMEM;
	return mm_map_new(mm, &r);
}

s64 mm_brk(struct mm *mm, u64 brk)
{
	u64 from, to;
	int error = 0;

	mm_write_lock(mm);
	from = ALIGN_UP(mm->brk_end, PAGE_SIZE);
	to = ALIGN_UP(brk, PAGE_SIZE);
	if (brk < mm->brk_start || to < brk)
		error = -EINVAL;
	else if (to > from)
		error = brk_grow(mm, from, to);
	else if (to < from)
		error = mm_unmap_locked(mm, to, from);
	if (!error)
		mm->brk_end = brk;
	brk = mm->brk_end;
	mm_write_unlock(mm);
	return (s64)brk;
}
