/* SPDX-License-Identifier: Apache-2.0 */
/* The copy of a program's memory that fork gives the child. */
#include "host/mm_impl.h"
#include "host/uffd_impl.h"

/* What can be had again from the object, or is the child's to begin anew, is not copied. */
static bool vma_has_own_pages(const struct vma *vma)
{
	return !(vma->flags & (VM_SHARED | VM_WIPEONFORK));
}

static int vma_fork(const struct vma *vma, struct mm *child)
{
	u64 start = vma->start.v, end = vma->end.v;
	struct vma *copy;
	int error;

	if (vma->flags & VM_DONTCOPY)
		return 0;
	copy = vma_copy(vma, child, start, start, end - start);
	if (!copy)
		return -ENOMEM;
	uffd_forget_vma(copy);
	if (!vma_has_own_pages(vma))
		return 0;
	notify_begin(vma->mm, start, end);
	error = pgt_share(vma->mm, child, start, end);
	notify_end(vma->mm, start, end);
	return error;
}

static int mm_fork_locked(struct mm *mm, struct mm *child)
{
	struct vma *v;
	int error = 0;

	child->brk_start = mm->brk_start;
	child->brk_end = mm->brk_end;
	child->mmap_base = mm->mmap_base;
	child->packed_floor = mm->mmap_base;
	RB_FOREACH (v, vma_tree, &mm->vmas) {
		error = vma_fork(v, child);
		if (error)
			break;
	}
	return error;
}

struct mm *mm_copy(struct mm *mm)
{
	struct mm *child = mm_new();
	int error;

	if (!child)
		return NULL;
	mm_write_lock(mm);
	error = mm_fork_locked(mm, child);
	mm_write_unlock(mm);
	if (!error)
		return child;
	mm_exit(child);
	mm_put(child);
	return NULL;
}
