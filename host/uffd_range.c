/* SPDX-License-Identifier: Apache-2.0 */
/* Which VMAs a userfaultfd watches, and what of them is write-protected. */
#include "host/uffd_impl.h"

#include "host/pte.h"

/* ---- what can be registered */

#define RANGE_IOCTL(name) ((u64)1 << (name))

/* Pages of an object: of a file in memory, or of shared anonymous memory. */
static bool vma_is_object(const struct vma *vma)
{
	return vma->ops == &memobj_vma_ops;
}

static bool vma_can_register(const struct vma *vma, u32 flags)
{
	if (vma->flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP))
		return false;
	if ((flags & VM_UFFD_MINOR) && !vma_is_object(vma) && !(vma->flags & VM_HUGETLB))
		return false;
	return !vma->ops || vma_is_object(vma);
}

static bool cuts_huge_page(const struct vma *vma, u64 start, u64 end)
{
	u64 first = max(start, vma->start.v), last = min(end, vma->end.v);

	return !IS_ALIGNED(first | last, vma_unit(vma));
}

static int register_check(const struct uffd *u, const struct vma *vma, u64 start, u64 end,
			  u32 flags)
{
	if (!vma_can_register(vma, flags))
		return -EINVAL;
	if (!(vma->flags & VM_MAYWRITE))
		return -EPERM;
	if (cuts_huge_page(vma, start, end))
		return -EINVAL;
	return vma->uffd && vma->uffd != u ? -EBUSY : 0;
}

static int unregister_check(const struct uffd *u, const struct vma *vma, u64 start, u64 end)
{
	if (!vma_can_register(vma, vma->flags) || (vma->uffd && vma->uffd != u))
		return -EINVAL;
	return cuts_huge_page(vma, start, end) ? -EINVAL : 0;
}

static u64 range_ioctls(u32 flags, const struct vma *huge)
{
	u64 ioctls = RANGE_IOCTL(_UFFDIO_WAKE) | RANGE_IOCTL(_UFFDIO_COPY) |
		     RANGE_IOCTL(UFFDIO_POISON_NR);

	if (!huge)
		ioctls |= RANGE_IOCTL(_UFFDIO_ZEROPAGE);
	if (flags & VM_UFFD_WP)
		ioctls |= RANGE_IOCTL(_UFFDIO_WRITEPROTECT);
	if (flags & VM_UFFD_MINOR)
		ioctls |= RANGE_IOCTL(_UFFDIO_CONTINUE);
	return ioctls;
}

/* ---- changes, under the write lock */

static void vma_set_uffd(struct vma *vma, struct uffd *u, u32 flags)
{
	if ((vma->flags & VM_UFFD_WP) && !(flags & VM_UFFD_WP))
		(void)pgt_uffd_unprotect(vma->mm, vma->start.v, vma->end.v);
	vma->flags = (vma->flags & ~(u32)VM_UFFD) | flags;
	vma->uffd = flags ? u : NULL;
}

void uffd_forget_vma(struct vma *vma)
{
	vma->flags &= ~(u32)VM_UFFD;
	vma->uffd = NULL;
}

/* The part of *@vma that lies in the range; afterwards *@vma is what holds that part's start. */
static int set_part(struct vma **vma, struct uffd *u, u64 start, u64 end, u32 flags)
{
	struct mm *mm = (*vma)->mm;
	u64 first = max(start, (*vma)->start.v), last = min(end, (*vma)->end.v);
	int error;

	if ((*vma)->uffd == (flags ? u : NULL) && ((*vma)->flags & VM_UFFD) == flags)
		return 0;
	error = vma_isolate(mm, first, last);
	if (error)
		return error;
	*vma = vma_find(mm, HVA(first));
	vma_set_uffd(*vma, u, flags);
	*vma = vma_merge(*vma);
	return 0;
}

static struct vma *vma_in(struct mm *mm, u64 start, u64 end)
{
	struct vma *v = vma_from(mm, start);

	return v && v->start.v < end ? v : NULL;
}

static int register_locked(struct uffd *u, u64 start, u64 end, u32 flags, u64 *ioctls)
{
	struct vma *v, *huge = NULL;
	int error = vma_in(u->mm, start, end) ? 0 : -EINVAL;

	for (v = vma_from(u->mm, start); !error && v && v->start.v < end; v = vma_next(v)) {
		error = register_check(u, v, start, end, flags);
		if (v->flags & VM_HUGETLB)
			huge = v;
	}
	*ioctls = range_ioctls(flags, huge);
	for (v = vma_from(u->mm, start); !error && v && v->start.v < end; v = vma_next(v))
		error = set_part(&v, u, start, end, flags);
	return error;
}

int uffd_register(struct uffd *u, u64 start, u64 end, u32 flags, u64 *ioctls)
{
	int error;

	mm_write_lock(u->mm);
	error = u->mm->exited ? -ENOMEM : register_locked(u, start, end, flags, ioctls);
	mm_write_unlock(u->mm);
	return error;
}

static int unregister_locked(struct uffd *u, u64 start, u64 end)
{
	int error = vma_in(u->mm, start, end) ? 0 : -EINVAL;
	struct vma *v;

	for (v = vma_from(u->mm, start); !error && v && v->start.v < end; v = vma_next(v))
		error = unregister_check(u, v, start, end);
	for (v = vma_from(u->mm, start); !error && v && v->start.v < end; v = vma_next(v)) {
		if (v->uffd)
			error = set_part(&v, u, start, end, 0);
	}
	return error;
}

int uffd_unregister(struct uffd *u, u64 start, u64 end)
{
	int error;

	mm_write_lock(u->mm);
	error = u->mm->exited ? -ENOMEM : unregister_locked(u, start, end);
	mm_write_unlock(u->mm);
	/* Whatever part was done: who still waits there faults again, and is told of again. */
	uffd_wake(u, start, end);
	return error;
}

void uffd_unregister_all(struct uffd *u)
{
	struct vma *v;

	mm_write_lock(u->mm);
	for (v = vma_from(u->mm, 0); v; v = vma_next(v)) {
		if (v->uffd != u)
			continue;
		vma_set_uffd(v, u, 0);
		v = vma_merge(v);
	}
	mm_write_unlock(u->mm);
}

/* ---- write protection, under the read lock */

/* What is not there yet is protected too where it is the place that counts: of objects and hugetlb
 * always, of anonymous memory if the program asked for it. */
static bool protects_absent(const struct uffd *u, const struct vma *vma)
{
	return vma->ops || (vma->flags & VM_HUGETLB) || uffd_has_feature(u, UFFD_WP_UNPOPULATED);
}

/* As far as *@at. */
static int protect_part(struct uffd *u, struct vma *vma, u64 *at, u64 end)
{
	int level = vma->flags & VM_HUGETLB ? vma->hugetlb_level : LEVEL_4K;
	struct mm *mm = vma->mm;
	u64 start = *at;
	int error = 0;

	notify_begin(mm, start, end);
	/* Marks first: what comes in meanwhile has the mark, or is seen by the second pass. */
	if (protects_absent(u, vma))
		error = pgt_uffd_mark_absent(mm, start, end, level);
	if (!error)
		*at = pgt_uffd_protect(mm, start, end);
	notify_end(mm, start, end);
	return error;
}

static int write_protect_part(struct uffd *u, struct vma *vma, u64 start, u64 end,
			      enum uffd_wp what)
{
	u64 at = start;
	int error;

	if (vma->uffd != u || !(vma->flags & VM_UFFD_WP))
		return -ENOENT;
	if (!IS_ALIGNED(start | end, vma_unit(vma)))
		return -EINVAL;
	do {
		error = pgt_isolate(vma->mm, at, end);
		if (!error && what == UFFD_PROTECT)
			error = protect_part(u, vma, &at, end);
		else if (!error)
			at = pgt_uffd_unprotect(vma->mm, at, end);
	} while (!error && at < end);
	return error;
}

int uffd_write_protect(struct uffd *u, u64 start, u64 end, enum uffd_wp what)
{
	struct vma *v;
	int error;

	mm_read_lock(u->mm);
	error = u->mm->exited ? -ESRCH : -ENOENT;
	for (v = vma_from(u->mm, start); v && v->start.v < end; v = vma_next(v)) {
		error = write_protect_part(u, v, max(start, v->start.v), min(end, v->end.v), what);
		if (error)
			break;
	}
	mm_read_unlock(u->mm);
	return error;
}
