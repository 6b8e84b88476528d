/* SPDX-License-Identifier: Apache-2.0 */
/* The ordered set of a program's VMAs: look-up, splitting and merging. */
#include <linux/mman.h>

#include "host/mm_impl.h"
#include "host/string.h"

static int vma_compare(struct vma *a, struct vma *b)
{
	return (a->start.v > b->start.v) - (a->start.v < b->start.v);
}

RB_GENERATE(vma_tree, vma, node, vma_compare)

struct vma *vma_from(struct mm *mm, u64 addr)
{
	struct vma *v = RB_ROOT(&mm->vmas);
	struct vma *best = NULL;

	while (v) {
		if (v->end.v > addr) {
			best = v;
			v = RB_LEFT(v, node);
		} else {
			v = RB_RIGHT(v, node);
		}
	}
	return best;
}

struct vma *vma_first_after(struct mm *mm, hva_t addr)
{
	return vma_from(mm, addr.v);
}

struct vma *vma_find(struct mm *mm, hva_t addr)
{
	struct vma *v = vma_from(mm, addr.v);

	return v && v->start.v <= addr.v ? v : NULL;
}

struct vma *vma_next(struct vma *vma)
{
	return RB_NEXT(vma_tree, NULL, vma);
}

bool vma_range_is_free(struct mm *mm, u64 start, u64 end)
{
	struct vma *v = vma_from(mm, start);

	return !v || v->start.v >= end;
}

u64 vma_unit(const struct vma *vma)
{
	return vma->flags & VM_HUGETLB ? level_size(vma->hugetlb_level) : PAGE_SIZE;
}

u32 vma_flags_of_prot(int prot)
{
	return (prot & PROT_READ ? VM_READ : 0) | (prot & PROT_WRITE ? VM_WRITE : 0) |
	       (prot & PROT_EXEC ? VM_EXEC : 0);
}

static u64 vma_pages(const struct vma *vma)
{
	return (vma->end.v - vma->start.v) >> PAGE_SHIFT;
}

struct vma *vma_new(struct mm *mm, u64 start, u64 end, u32 flags)
{
	struct vma *v = kzalloc(sizeof(*v));

	if (!v)
		return NULL;
	v->mm = mm;
	v->start = HVA(start);
	v->end = HVA(end);
	v->flags = flags;
	return v;
}

void vma_free(struct vma *vma)
{
	if (vma->file)
		file_put(vma->file);
	kfree(vma);
}

void vma_link(struct vma *vma)
{
	RB_INSERT(vma_tree, &vma->mm->vmas, vma);
	vma->mm->vma_count++;
	vma->mm->total_pages += vma_pages(vma);
}

void vma_unlink(struct vma *vma)
{
	RB_REMOVE(vma_tree, &vma->mm->vmas, vma);
	vma->mm->vma_count--;
	vma->mm->total_pages -= vma_pages(vma);
	if (vma->ops && vma->ops->close)
		vma->ops->close(vma);
	LIST_INSERT_HEAD(&vma->mm->doomed, vma, object_link);
}

struct vma *vma_copy(const struct vma *vma, struct mm *mm, u64 from, u64 to, u64 len)
{
	struct vma *copy = kmalloc(sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *vma;
	copy->mm = mm;
	copy->start = HVA(to);
	copy->end = HVA(to + len);
	copy->offset += from - vma->start.v;
	if (copy->file)
		file_get(copy->file);
	vma_link(copy);
	if (copy->ops && copy->ops->open)
		copy->ops->open(copy);
	return copy;
}

int vma_split(struct vma *vma, u64 addr)
{
	u64 end = vma->end.v;
	int error;

	if (!IS_ALIGNED(addr, vma_unit(vma)))
		return -EINVAL;
	if (vma->mm->vma_count >= VMA_COUNT_MAX)
		return -ENOMEM;
	error = pgt_split_at(vma->mm, addr);
	if (error)
		return error;
	/* The tree must not hold two VMAs that overlap. */
	vma->end = HVA(addr);
	if (!vma_copy(vma, vma->mm, addr, addr, end - addr)) {
		vma->end = HVA(end);
		return -ENOMEM;
	}
	vma->mm->total_pages -= (end - addr) >> PAGE_SHIFT;
	return 0;
}

static bool vma_has_content_offset(const struct vma *vma)
{
	return vma->file || vma->ops;
}

/* Only what the page store or nobody owns: another owner counts its VMAs. */
static bool vma_mergeable(const struct vma *vma)
{
	return (!vma->ops || vma->ops == &memobj_vma_ops) &&
	       !(vma->flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP | VM_DONTEXPAND));
}

static bool vma_can_join(const struct vma *low, const struct vma *high)
{
	return low && high && low->end.v == high->start.v && low->flags == high->flags &&
	       vma_mergeable(low) && vma_mergeable(high) && low->file == high->file &&
	       low->ops == high->ops && low->priv == high->priv &&
	       low->prot_type == high->prot_type && low->hugetlb_level == high->hugetlb_level &&
	       low->uffd == high->uffd &&
	       (!vma_has_content_offset(low) ||
		low->offset + (low->end.v - low->start.v) == high->offset);
}

static void vma_join(struct vma *low, struct vma *high)
{
	u64 pages = vma_pages(high);

	vma_unlink(high);
	low->end = high->end;
	low->mm->total_pages += pages;
}

struct vma *vma_merge(struct vma *vma)
{
	struct vma *prev = RB_PREV(vma_tree, NULL, vma);
	struct vma *next = vma_next(vma);

	if (vma_can_join(vma, next))
		vma_join(vma, next);
	if (!vma_can_join(prev, vma))
		return vma;
	vma_join(prev, vma);
	return prev;
}

static int vma_cut_at(struct mm *mm, u64 addr)
{
	struct vma *v = vma_find(mm, HVA(addr));

	return v && v->start.v < addr ? vma_split(v, addr) : 0;
}

int vma_isolate(struct mm *mm, u64 start, u64 end)
{
	int error = vma_cut_at(mm, start);

	return error ? error : vma_cut_at(mm, end);
}

unsigned int vma_perms(const struct vma *vma)
{
	unsigned int perms = vma->flags & (VM_READ | VM_WRITE | VM_EXEC) ? LEAF_R : 0;

	if (vma->flags & VM_WRITE)
		perms |= LEAF_W;
	if (vma->flags & VM_EXEC)
		perms |= LEAF_X;
	return perms;
}
