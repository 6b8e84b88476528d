/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mappings by their owners: whole ranges, single pages, blocks; taken away and retyped. What a leaf
 * says is what its owner said (design.md M1), and no page metadata is looked at for it.
 */
#include "host/driver.h"

#include "host/mm_impl.h"
#include "host/pte.h"

/* Do they map the same memory in the same way? Permissions aside. */
static bool pte_is_alike(u64 a, u64 b)
{
	return pte_pa(a).v == pte_pa(b).v && pte_memtype(a) == pte_memtype(b) &&
	       pte_any_uncached(a) == pte_any_uncached(b);
}

/*
 * A leaf that is there already and maps the same is widened; anything else is the owner's error:
 * a leaf must not go on with a type that its owner no longer gives (design.md M1).
 */
static int insert_locked(struct mm *mm, u64 addr, int level, u64 pte, bool *consumed)
{
	int error = pgt_install_locked(mm, addr, level, pte);
	int at;
	u64 *entry;

	*consumed = error == 0;
	if (error != -EEXIST)
		return error;
	entry = pgt_lookup_locked(mm, addr, &at);
	if (at != level || !pte_is_alike(port_pte_read(entry), pte))
		return -EBUSY;
	pgt_relax_locked(mm, entry, addr, level, pte_perms(pte));
	return 0;
}

static unsigned int insert_perms(const struct vma *vma, enum host_access access)
{
	unsigned int perms = vma_perms(vma);

	if (access != HOST_WRITE || !(vma->flags & VM_SHARED))
		perms &= ~(unsigned int)LEAF_W;
	return perms;
}

/* A leaf of @type says what its owner allows, so that who reads it need not look for the VMA. */
static u64 insert_owner(const struct vma *vma, enum host_memtype type)
{
	return type != HOST_WB && (vma->flags & VM_ALLOW_ANY_UNCACHED) ? PTE_SW_ANY_UNCACHED : 0;
}

int vma_insert_page(struct vma *vma, hva_t addr, struct page *page, enum host_access access)
{
	int level = LEVEL_4K - (int)page_order(page) / 9;
	u64 base = ALIGN_DOWN(addr.v, level_size(level));
	bool consumed = false;
	int error = -EINVAL;

	if (page_order(page) % 9 == 0 && base >= vma->start.v &&
	    base + level_size(level) <= vma->end.v) {
		u64 pte = pte_make_leaf(page_to_phys(page), level, vma->prot_type,
					insert_perms(vma, access), PTE_OBJECT_PAGE) |
			  insert_owner(vma, vma->prot_type);

		spin_lock(&vma->mm->pt_lock);
		error = insert_locked(vma->mm, base, level, pte, &consumed);
		spin_unlock(&vma->mm->pt_lock);
	}
	if (!consumed)
		page_put(page);
	return error;
}

/* The largest leaf that fits: both addresses aligned, not beyond the end, not above @max_level. */
static int pfn_level(u64 addr, u64 pa, u64 size, int max_level)
{
	int level = max(max_level, LEVEL_1G);

	while (level < LEVEL_4K &&
	       (!IS_ALIGNED(addr | pa, level_size(level)) || size < level_size(level)))
		level++;
	return level;
}

int vma_insert_pfn(struct vma *vma, hva_t addr, pa_t pa, u64 size, enum host_memtype type,
		   enum host_access access, int max_level)
{
	unsigned int perms = insert_perms(vma, access);

	if (!IS_ALIGNED(addr.v | pa.v | size, PAGE_SIZE) || addr.v < vma->start.v ||
	    size > vma->end.v - addr.v)
		return -EINVAL;
	for (u64 done = 0; done < size;) {
		int level = pfn_level(addr.v + done, pa.v + done, size - done, max_level);
		u64 pte = pte_make_leaf(PA(pa.v + done), level, type, perms, PTE_NO_PAGE) |
			  insert_owner(vma, type);
		bool consumed;
		int error;

		spin_lock(&vma->mm->pt_lock);
		error = insert_locked(vma->mm, addr.v + done, level, pte, &consumed);
		spin_unlock(&vma->mm->pt_lock);
		if (error)
			return error;
		done += level_size(level);
		sched_point();
	}
	return 0;
}

/* May a leaf of @level around @addr, which maps to @pa, lie in the VMA? */
static bool block_fits(const struct vma *vma, u64 addr, u64 pa, int level)
{
	u64 mask = level_size(level) - 1;
	u64 base = addr & ~mask;

	return base >= vma->start.v && base + mask < vma->end.v && ((addr ^ pa) & mask) == 0;
}

/* The level of the leaf that is there, else of the largest that fits between its neighbours. */
static int block_level_locked(const struct vma *vma, u64 addr, u64 pa, int max_level)
{
	int level;

	if (pte_is_leaf(port_pte_read(pgt_lookup_locked(vma->mm, addr, &level))))
		return level;
	level = max(max_level, LEVEL_1G);
	while (level < LEVEL_4K &&
	       (!block_fits(vma, addr, pa, level) ||
		!pgt_is_vacant_locked(vma->mm, ALIGN_DOWN(addr, level_size(level)), level)))
		level++;
	return level;
}

int vma_insert_block(struct vma *vma, hva_t addr, pa_t pa, enum host_memtype type,
		     enum host_access access, int max_level)
{
	struct mm *mm = vma->mm;
	bool consumed;
	int level, error;
	u64 base, pte;

	if (addr.v < vma->start.v || addr.v >= vma->end.v)
		return -EINVAL;
	spin_lock(&mm->pt_lock);
	level = block_level_locked(vma, addr.v, pa.v, max_level);
	base = ALIGN_DOWN(addr.v, level_size(level));
	pte = pte_make_leaf(PA(ALIGN_DOWN(pa.v, level_size(level))), level, type,
			    insert_perms(vma, access), PTE_NO_PAGE) |
	      insert_owner(vma, type);
	error = insert_locked(mm, base, level, pte, &consumed);
	spin_unlock(&mm->pt_lock);
	return error;
}

void vma_mark_pfnmap(struct vma *vma)
{
	__atomic_fetch_or(&vma->flags, (u32)VM_PFNMAP, __ATOMIC_RELAXED);
}

int vma_retype(struct vma *vma, const struct pfn_range *range, enum host_memtype type)
{
	struct mm *mm = vma->mm;
	u64 end = range->addr.v + range->size;
	int error = -EINVAL;

	if (!IS_ALIGNED(range->addr.v | range->size, PAGE_SIZE) || !range->size ||
	    range->addr.v < vma->start.v || end > vma->end.v || end <= range->addr.v)
		return error;
	error = pgt_isolate(mm, range->addr.v, end);
	if (error)
		return error;
	notify_begin(mm, range->addr.v, end);
	(void)pgt_zap(mm, range->addr.v, end, ZAP_ALL);
	/* Empty tables must not be in the way of larger leaves. */
	pgt_free_tables(mm, range->addr.v, end, range->addr.v, end);
	error = vma_insert_pfn(vma, range->addr, range->pa, range->size, type, range->access,
			       range->max_level);
	if (error)
		(void)pgt_zap(mm, range->addr.v, end, ZAP_ALL);
	notify_end(mm, range->addr.v, end);
	return error;
}

/* Without memory to break up a block at the edge, the whole block goes: it will fault again. */
void vma_zap(struct vma *vma, hva_t start, hva_t end)
{
	struct mm *mm = vma->mm;
	u64 first = max(start.v, vma->start.v);
	u64 last = min(end.v, vma->end.v);

	if (first >= last)
		return;
	do {
		u64 start;

		if (pgt_split_at(mm, first))
			first = max(ALIGN_DOWN(first, SZ_1G), vma->start.v);
		if (pgt_split_at(mm, last))
			last = min(ALIGN_UP(last, SZ_1G), vma->end.v);
		start = first;
		notify_begin(mm, start, last);
		first = pgt_zap(mm, start, last, ZAP_ALL);
		notify_end(mm, start, last);
	} while (first < last);
}
