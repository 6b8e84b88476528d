/* SPDX-License-Identifier: Apache-2.0 */
/* Changing what is mapped already: mprotect, mremap, msync, mincore. */
#include <linux/mman.h>

#include "host/mm_impl.h"
#include "host/pte.h"
#include "host/uffd_impl.h"

/* ---- mprotect */

/* The part [start, end) of @vma, already cut out, gets the flags; writing comes with the next
 * fault.
 */
static struct vma *vma_set_flags(struct vma *vma, u32 flags)
{
	u64 start = vma->start.v, end = vma->end.v;

	vma->flags = flags;
	notify_begin(vma->mm, start, end);
	pgt_protect(vma->mm, start, end, vma_perms(vma));
	notify_end(vma->mm, start, end);
	return vma_merge(vma);
}

static int mprotect_one(struct mm *mm, struct vma **vma, u64 start, u64 end, u32 access)
{
	u32 flags = ((*vma)->flags & ~(u32)(VM_READ | VM_WRITE | VM_EXEC)) | access;
	u64 first = max(start, (*vma)->start.v);
	u64 last = min(end, (*vma)->end.v);
	int error;

	if ((access & VM_WRITE) && !(flags & VM_MAYWRITE))
		return -EACCES;
	if (flags == (*vma)->flags)
		return 0;
	error = vma_isolate(mm, first, last);
	if (!error)
		*vma = vma_set_flags(vma_find(mm, HVA(first)), flags);
	return error;
}

static int mprotect_locked(struct mm *mm, u64 start, u64 end, u32 access)
{
	struct vma *v = vma_find(mm, HVA(start));
	u64 reached = start;

	for (; v && v->start.v <= reached && reached < end; v = vma_next(v)) {
		int error = mprotect_one(mm, &v, reached, end, access);

		if (error)
			return error;
		reached = v->end.v;
	}
	return reached < end ? -ENOMEM : 0;
}

/* PROT_GROWSDOWN extends the range down to the start of the stack it lies in. */
static int mprotect_grows(struct mm *mm, u64 *start, u64 end)
{
	struct vma *v = vma_from(mm, *start);

	if (!v || v->start.v >= end)
		return -ENOMEM;
	if (!(v->flags & VM_GROWSDOWN))
		return -EINVAL;
	*start = v->start.v;
	return 0;
}

int mm_mprotect(struct mm *mm, u64 addr, u64 len, int prot)
{
	int grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
	u64 end = addr + ALIGN_UP(len, PAGE_SIZE);
	int error = 0;

	prot &= ~grows;
	if (grows == (PROT_GROWSDOWN | PROT_GROWSUP) || !IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (!len)
		return 0;
	if (end <= addr)
		return -ENOMEM;
	if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
		return -EINVAL;
	mm_write_lock(mm);
	if (grows == PROT_GROWSUP)
		error = vma_from(mm, addr) ? -EINVAL : -ENOMEM;
	else if (grows)
		error = mprotect_grows(mm, &addr, end);
	if (!error)
		error = mprotect_locked(mm, addr, end, vma_flags_of_prot(prot));
	mm_write_unlock(mm);
	return error;
}

/* ---- mremap */

struct mremap_request {
	u64 old;
	u64 old_len;
	u64 new_len;
	u64 new_addr;
	int flags;
};

static int mremap_check(const struct mremap_request *r)
{
	bool fixed = r->flags & MREMAP_FIXED, may_move = r->flags & MREMAP_MAYMOVE;

	if (r->flags & ~(MREMAP_FIXED | MREMAP_MAYMOVE | MREMAP_DONTUNMAP))
		return -EINVAL;
	if (fixed && !may_move)
		return -EINVAL;
	if ((r->flags & MREMAP_DONTUNMAP) && (!may_move || r->old_len != r->new_len))
		return -EINVAL;
	if (!IS_ALIGNED(r->old, PAGE_SIZE) || !r->new_len)
		return -EINVAL;
	if (!fixed)
		return 0;
	if (!IS_ALIGNED(r->new_addr, PAGE_SIZE) || r->new_len > TASK_SIZE ||
	    r->new_addr > TASK_SIZE - r->new_len)
		return -EINVAL;
	return r->new_addr < r->old + r->old_len && r->old < r->new_addr + r->new_len ? -EINVAL : 0;
}

/* Whether @vma can become the new mapping at all. */
static int mremap_check_vma(const struct mremap_request *r, const struct vma *vma)
{
	if (!r->old_len && !(vma->flags & VM_SHARED))
		return -EINVAL;
	if ((r->flags & MREMAP_DONTUNMAP) && (vma->flags & (VM_DONTEXPAND | VM_PFNMAP)))
		return -EINVAL;
	if (r->old_len > vma->end.v - r->old)
		return -EFAULT;
	if ((vma->flags & VM_HUGETLB) &&
	    !IS_ALIGNED(r->old | r->new_addr | r->old_len | r->new_len, vma_unit(vma)))
		return -EINVAL;
	if (r->new_len > r->old_len && (vma->flags & (VM_DONTEXPAND | VM_PFNMAP)))
		return -EFAULT;
	return 0;
}

static bool mremap_grow_in_place(struct mm *mm, const struct mremap_request *r, struct vma *vma)
{
	u64 grown = r->new_len - r->old_len;
	struct vma *next = vma_next(vma);

	if (r->old + r->old_len != vma->end.v || r->new_len > TASK_SIZE - r->old)
		return false;
	if (next && next->start.v < r->old + r->new_len)
		return false;
	vma->end = HVA(vma->end.v + grown);
	mm->total_pages += grown >> PAGE_SHIFT;
	vma_merge(vma);
	return true;
}

/* Everything that can fail comes first; then leaves move, and the old place is unmapped. */
static int mremap_move(struct mm *mm, const struct mremap_request *r, u64 to)
{
	u64 moved = min(r->old_len, r->new_len);
	struct vma *vma, *copy;
	int error = vma_isolate(mm, r->old, r->old + moved);

	if (!error)
		error = pgt_move_prepare(mm, r->old, to, moved);
	vma = vma_find(mm, HVA(r->old));
	copy = error ? NULL : vma_copy(vma, mm, r->old, to, r->new_len);
	if (!copy) {
		pgt_free_tables(mm, to, to + moved, to, to + moved);
		return error ? error : -ENOMEM;
	}
	if (vma->flags & VM_UFFD_WP)
		(void)pgt_uffd_unprotect(mm, r->old, r->old + moved);
	uffd_forget_vma(copy);
	notify_begin(mm, r->old, r->old + moved);
	pgt_move(mm, r->old, to, moved);
	notify_end(mm, r->old, r->old + moved);
	if (moved && !(r->flags & MREMAP_DONTUNMAP))
		mm_unmap_isolated(mm, r->old, r->old + moved);
	vma_merge(copy); /* not before: it may lie beside the old place */
	return 0;
}

static s64 mremap_to_new_place(struct mm *mm, struct mremap_request *r, struct vma *vma)
{
	u64 unit = vma_unit(vma);
	u64 align = vma->flags & VM_HUGETLB || !IS_ALIGNED(r->old, SZ_2M) ? unit : SZ_2M;
	s64 to = (s64)r->new_addr;
	int error;

	if (!(r->flags & MREMAP_FIXED))
		to = mm_find_gap(mm, r->new_addr, r->new_len, align);
	if (to < 0)
		return to;
	error = mremap_move(mm, r, (u64)to);
	return error ? error : to;
}

static s64 mremap_locked(struct mm *mm, struct mremap_request *r)
{
	struct vma *vma = vma_find(mm, HVA(r->old));
	int error;

	if (!vma)
		return -EFAULT;
	if (r->flags & MREMAP_FIXED) {
		error = mm_unmap_locked(mm, r->new_addr, r->new_addr + r->new_len);
		if (error)
			return error;
	}
	if (r->old_len > r->new_len) {
		if (r->old_len > TASK_SIZE - r->old)
			return -EINVAL;
		error = mm_unmap_locked(mm, r->old + r->new_len, r->old + r->old_len);
		if (error)
			return error;
		r->old_len = r->new_len;
	}
	vma = vma_find(mm, HVA(r->old));
	if (!vma)
		return -EFAULT;
	error = mremap_check_vma(r, vma);
	if (error)
		return error;
	if (r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		return mremap_to_new_place(mm, r, vma);
	if (r->old_len == r->new_len || mremap_grow_in_place(mm, r, vma))
		return (s64)r->old;
	return r->flags & MREMAP_MAYMOVE ? mremap_to_new_place(mm, r, vma) : -ENOMEM;
}

s64 mm_mremap(struct mm *mm, u64 old, u64 old_len, u64 new_len, int flags, u64 new_addr)
{
	struct mremap_request r = { .old = old,
				    .old_len = ALIGN_UP(old_len, PAGE_SIZE),
				    .new_len = ALIGN_UP(new_len, PAGE_SIZE),
				    .new_addr = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) ? new_addr
											  : 0,
				    .flags = flags };
	s64 ret = mremap_check(&r);

	if (ret)
		return ret;
	mm_write_lock(mm);
	ret = mremap_locked(mm, &r);
	mm_write_unlock(mm);
	return ret;
}

/* ---- msync, mincore: all content is in memory, so there is nothing to write back */

/* True if VMAs cover the range without a hole. */
static bool range_is_mapped(struct mm *mm, u64 start, u64 end)
{
	struct vma *v;

	mm_read_lock(mm);
	for (v = vma_find(mm, HVA(start)); v && v->start.v <= start && start < end; v = vma_next(v))
		start = v->end.v;
	mm_read_unlock(mm);
	return start >= end;
}

int mm_msync(struct mm *mm, u64 addr, u64 len, int flags)
{
	u64 end = addr + ALIGN_UP(len, PAGE_SIZE);

	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC))
		return -EINVAL;
	if (!IS_ALIGNED(addr, PAGE_SIZE) || ((flags & MS_ASYNC) && (flags & MS_SYNC)))
		return -EINVAL;
	if (end < addr)
		return -ENOMEM;
	return range_is_mapped(mm, addr, end) ? 0 : -ENOMEM;
}

int mm_mincore(struct mm *mm, u64 addr, u64 len, hva_t vec)
{
	u64 end = addr + ALIGN_UP(len, PAGE_SIZE);
	u8 chunk[128];

	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (addr > TASK_SIZE || len > TASK_SIZE - addr)
		return -ENOMEM;
	if (vec.v > TASK_SIZE || (end - addr) >> PAGE_SHIFT > TASK_SIZE - vec.v)
		return -EFAULT;
	while (addr < end) {
		u64 n = min((end - addr) >> PAGE_SHIFT, sizeof(chunk));

		if (!range_is_mapped(mm, addr, addr + n * PAGE_SIZE))
			return -ENOMEM;
		for (u64 i = 0; i < n; i++) {
			struct host_pte pte;

			chunk[i] = mm_peek(mm, HVA(addr + i * PAGE_SIZE), &pte);
		}
		if (copy_to_user(vec, chunk, n))
			return -EFAULT;
		addr += n * PAGE_SIZE;
		vec.v += n;
		sched_point();
	}
	return 0;
}
