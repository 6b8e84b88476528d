/* SPDX-License-Identifier: Apache-2.0 */
/* madvise: each advice is a row that says under which lock and by what function it is followed. */
#include <linux/mman.h>

#include <linux/falloc.h>

#include "host/mm_impl.h"
#include "host/pte.h"

/* One VMA's part of the range. */
struct advice_part {
	struct vma *vma;
	u64 start;
	u64 end;
};

/* ---- under the read lock: content changes */

/* Write protection is of the place for what an object or hugetlb has there, else of the page. */
static enum zap_what zap_what_of(const struct vma *vma)
{
	return vma->ops || (vma->flags & VM_HUGETLB) ? ZAP_CONTENT : ZAP_ALL;
}

static int zap_part(const struct advice_part *p)
{
	struct mm *mm = p->vma->mm;
	u64 at = p->start;
	int error;

	if (!IS_ALIGNED(p->start | p->end, vma_unit(p->vma)))
		return -EINVAL;
	do {
		u64 start = at;

		error = pgt_isolate(mm, start, p->end);
		if (error)
			break;
		notify_begin(mm, start, p->end);
		at = pgt_zap(mm, start, p->end, zap_what_of(p->vma));
		notify_end(mm, start, p->end);
	} while (at < p->end);
	return error;
}

static int advise_dontneed(const struct advice_part *p)
{
	return p->vma->flags & VM_PFNMAP ? -EINVAL : zap_part(p);
}

/* Memory that may be freed at any time is freed at once. */
static int advise_free(const struct advice_part *p)
{
	return p->vma->ops || (p->vma->flags & VM_HUGETLB) ? -EINVAL : zap_part(p);
}

static int advise_nothing(const struct advice_part *p)
{
	(void)p;
	return 0;
}

/* Memory is never reclaimed; the mappings for which Linux refuses the question are refused. */
static int advise_reclaim(const struct advice_part *p)
{
	return p->vma->flags & (VM_PFNMAP | VM_HUGETLB) ? -EINVAL : 0;
}

/* ---- under the write lock: flags of the mapping */

static int set_flags(const struct advice_part *p, u32 set, u32 clear)
{
	u32 flags = (p->vma->flags & ~clear) | set;
	struct mm *mm = p->vma->mm;
	int error;

	if (flags == p->vma->flags)
		return 0;
	error = vma_isolate(mm, p->start, p->end);
	if (error)
		return error;
	vma_find(mm, HVA(p->start))->flags = flags;
	return 0;
}

static int advise_hugepage(const struct advice_part *p)
{
	return set_flags(p, VM_HUGEPAGE, VM_NOHUGEPAGE);
}

static int advise_nohugepage(const struct advice_part *p)
{
	return set_flags(p, VM_NOHUGEPAGE, VM_HUGEPAGE);
}

static int advise_dontfork(const struct advice_part *p)
{
	return set_flags(p, VM_DONTCOPY, 0);
}

static int advise_dofork(const struct advice_part *p)
{
	return p->vma->flags & VM_IO ? -EINVAL : set_flags(p, 0, VM_DONTCOPY);
}

static int advise_dontdump(const struct advice_part *p)
{
	return set_flags(p, VM_DONTDUMP, 0);
}

static int advise_dodump(const struct advice_part *p)
{
	bool special = p->vma->flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP | VM_DONTEXPAND);

	if (special && !(p->vma->flags & VM_HUGETLB))
		return -EINVAL;
	return set_flags(p, 0, VM_DONTDUMP);
}

static int advise_wipeonfork(const struct advice_part *p)
{
	if (p->vma->file || (p->vma->flags & VM_SHARED))
		return -EINVAL;
	return set_flags(p, VM_WIPEONFORK, 0);
}

static int advise_keeponfork(const struct advice_part *p)
{
	return set_flags(p, 0, VM_WIPEONFORK);
}

/* ---- the table */

enum advice_lock { ADVICE_READ, ADVICE_WRITE };

struct advice {
	int number;
	enum advice_lock lock;
	int (*follow)(const struct advice_part *p);
};

static const struct advice advices[] = {
	{ MADV_NORMAL, ADVICE_READ, advise_nothing },
	{ MADV_RANDOM, ADVICE_READ, advise_nothing },
	{ MADV_SEQUENTIAL, ADVICE_READ, advise_nothing },
	{ MADV_WILLNEED, ADVICE_READ, advise_nothing },
	{ MADV_DONTNEED, ADVICE_READ, advise_dontneed },
	{ MADV_DONTNEED_LOCKED, ADVICE_READ, advise_dontneed },
	{ MADV_FREE, ADVICE_READ, advise_free },
	{ MADV_COLD, ADVICE_READ, advise_reclaim },
	{ MADV_PAGEOUT, ADVICE_READ, advise_reclaim },
	{ MADV_HUGEPAGE, ADVICE_WRITE, advise_hugepage },
	{ MADV_NOHUGEPAGE, ADVICE_WRITE, advise_nohugepage },
	{ MADV_DONTFORK, ADVICE_WRITE, advise_dontfork },
	{ MADV_DOFORK, ADVICE_WRITE, advise_dofork },
	{ MADV_DONTDUMP, ADVICE_WRITE, advise_dontdump },
	{ MADV_DODUMP, ADVICE_WRITE, advise_dodump },
	{ MADV_WIPEONFORK, ADVICE_WRITE, advise_wipeonfork },
	{ MADV_KEEPONFORK, ADVICE_WRITE, advise_keeponfork },
};

static const struct advice *advice_of(int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(advices); i++) {
		if (advices[i].number == number)
			return &advices[i];
	}
	return NULL;
}

/* Holes are passed over, and reported at the end. */
static int madvise_walk(struct mm *mm, u64 start, u64 end, const struct advice *a)
{
	int unmapped = 0;

	while (start < end) {
		struct advice_part p = { .vma = vma_from(mm, start) };
		int error;

		if (!p.vma || p.vma->start.v >= end)
			return -ENOMEM;
		if (p.vma->start.v > start)
			unmapped = -ENOMEM;
		p.start = max(start, p.vma->start.v);
		p.end = min(end, p.vma->end.v);
		error = a->follow(&p);
		if (error)
			return error;
		if (a->lock == ADVICE_WRITE)
			vma_merge(vma_find(mm, HVA(p.start)));
		start = p.end;
	}
	return unmapped;
}

/* ---- advices that fault, or work on the object: no lock held from the start */

static int madvise_populate(struct mm *mm, u64 start, u64 end, enum host_access access)
{
	while (start < end) {
		struct vma *v;
		u64 last = 0;
		int error = 0;

		mm_read_lock(mm);
		v = vma_find(mm, HVA(start));
		if (!v)
			error = -ENOMEM;
		else if (v->flags & (VM_PFNMAP | VM_IO))
			error = -EINVAL;
		else
			last = min(end, v->end.v);
		mm_read_unlock(mm);
		if (!error)
			error = mm_populate(mm, start, last, access);
		if (error)
			return error;
		start = last;
	}
	return 0;
}

/* Punches the range out of the file that a shared, writable mapping shows. */
static int madvise_remove_step(struct mm *mm, u64 *start, u64 end)
{
	struct file *file = NULL;
	u64 offset = 0, last = end;
	struct vma *v;
	int error = 0;

	mm_read_lock(mm);
	v = vma_find(mm, HVA(*start));
	if (!v) {
		error = -ENOMEM;
	} else if (!v->file) {
		error = -EINVAL;
	} else if ((v->flags & (VM_SHARED | VM_WRITE)) != (VM_SHARED | VM_WRITE)) {
		error = -EACCES;
	} else {
		file = file_get(v->file);
		last = min(end, v->end.v);
		offset = v->offset + (*start - v->start.v);
	}
	mm_read_unlock(mm);
	if (error)
		return error;
	error = -EOPNOTSUPP;
	if (file->ops->fallocate)
		error = file->ops->fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					     offset, last - *start);
	file_put(file);
	*start = last;
	return error;
}

static int madvise_remove(struct mm *mm, u64 start, u64 end)
{
	int error = 0;

	while (!error && start < end)
		error = madvise_remove_step(mm, &start, end);
	return error;
}

static bool advice_is_known(int advice)
{
	return advice_of(advice) || advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE ||
	       advice == MADV_REMOVE;
}

int mm_madvise(struct mm *mm, u64 addr, u64 len, int advice)
{
	const struct advice *a = advice_of(advice);
	u64 end = addr + ALIGN_UP(len, PAGE_SIZE);
	int error;

	if (!advice_is_known(advice) || !IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (end < addr || (len && end == addr))
		return -EINVAL;
	if (end == addr)
		return 0;
	if (advice == MADV_REMOVE)
		return madvise_remove(mm, addr, end);
	if (!a)
		return madvise_populate(mm, addr, end,
					advice == MADV_POPULATE_WRITE ? HOST_WRITE : HOST_READ);
	if (a->lock == ADVICE_WRITE)
		mm_write_lock(mm);
	else
		mm_read_lock(mm);
	error = madvise_walk(mm, addr, end, a);
	if (a->lock == ADVICE_WRITE)
		mm_write_unlock(mm);
	else
		mm_read_unlock(mm);
	return error;
}
