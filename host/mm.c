/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a program's memory: creation, references, the end; and its lock. */
#include "host/mm_impl.h"

/* Placement begins below the largest stack there can be, and a random distance of up to 2^30. */
#define MMAP_TOP_GAP	 (128UL << 20)
#define MMAP_RANDOM_MASK (BIT(18) - 1)

static bool mm_get_unless_zero(struct mm *mm)
{
	u32 refs = __atomic_load_n(&mm->refs, __ATOMIC_RELAXED);

	while (refs) {
		if (__atomic_compare_exchange_n(&mm->refs, &refs, refs + 1, true, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	}
	return false;
}

static LIST_HEAD(, mm) all_mms; /* guarded by all_mms_lock, innermost */
static struct spinlock all_mms_lock;

struct mm *mm_next(struct mm *prev)
{
	struct mm *mm;

	spin_lock(&all_mms_lock);
	mm = prev ? LIST_NEXT(prev, all_link) : LIST_FIRST(&all_mms);
	/* Those without references are on their way out of the list. */
	while (mm && !mm_get_unless_zero(mm))
		mm = LIST_NEXT(mm, all_link);
	spin_unlock(&all_mms_lock);
	if (prev)
		mm_put(prev);
	return mm;
}

struct mm *mm_new(void)
{
	struct mm *mm = kzalloc(sizeof(*mm));
	u64 random;

	if (!mm)
		return NULL;
	if (pgt_init(mm)) {
		kfree(mm);
		return NULL;
	}
	mm->refs = 1;
	rwsem_init(&mm->lock);
	RB_INIT(&mm->vmas);
	LIST_INIT(&mm->notifiers);
	LIST_INIT(&mm->doomed);
	port_random(&random, sizeof(random));
	mm->mmap_base = TASK_SIZE - MMAP_TOP_GAP - ((random & MMAP_RANDOM_MASK) << PAGE_SHIFT);
	mm->packed_floor = mm->mmap_base;
	spin_lock(&all_mms_lock);
	LIST_INSERT_HEAD(&all_mms, mm, all_link);
	spin_unlock(&all_mms_lock);
	return mm;
}

struct mm *mm_get(struct mm *mm)
{
	__atomic_fetch_add(&mm->refs, 1, __ATOMIC_RELAXED);
	return mm;
}

static void mm_free(struct grace_work *work)
{
	struct mm *mm = container_of(work, struct mm, free_work);

	asid_check_unused(mm);
	pgt_free_root(mm);
	kfree(mm);
}

/* Another CPU's thread may have dropped its reference and not have switched away yet. */
void mm_put(struct mm *mm)
{
	if (__atomic_sub_fetch(&mm->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	if (!RB_EMPTY(&mm->vmas))
		mm_exit(mm);
	spin_lock(&all_mms_lock);
	LIST_REMOVE(mm, all_link);
	spin_unlock(&all_mms_lock);
	asid_deactivate(mm);
	sched_after_grace(&mm->free_work, mm_free);
}

void mm_exit(struct mm *mm)
{
	struct vma *v;

	mm_write_lock(mm);
	mm->exited = true;
	notify_release(mm);
	asid_deactivate(mm);
	while ((v = RB_MIN(vma_tree, &mm->vmas)))
		vma_unlink(v);
	pgt_clear(mm);
	mm_write_unlock(mm);
}

void mm_activate(struct mm *mm)
{
	asid_activate(mm);
}

void mm_read_lock(struct mm *mm)
{
	rwsem_read_lock(&mm->lock);
}

void mm_read_unlock(struct mm *mm)
{
	rwsem_read_unlock(&mm->lock);
}

void mm_write_lock(struct mm *mm)
{
	rwsem_write_lock(&mm->lock);
}

void mm_write_unlock(struct mm *mm)
{
	struct vma_list doomed = LIST_HEAD_INITIALIZER(doomed);
	struct vma *v;

	LIST_SWAP(&doomed, &mm->doomed, vma, object_link);
	rwsem_write_unlock(&mm->lock);
	while ((v = LIST_FIRST(&doomed))) {
		LIST_REMOVE(v, object_link);
		vma_free(v);
	}
}

u64 mm_resident_pages(const struct mm *mm)
{
	return __atomic_load_n(&mm->resident_pages, __ATOMIC_RELAXED);
}

struct mm_counts mm_get_counts(struct mm *mm)
{
	struct mm_counts c;

	mm_read_lock(mm);
	c.total_pages = mm->total_pages;
	c.brk_pages = (ALIGN_UP(mm->brk_end, PAGE_SIZE) - mm->brk_start) >> PAGE_SHIFT;
	c.vma_count = mm->vma_count;
	spin_lock(&mm->pt_lock);
	c.resident_pages = mm->resident_pages;
	spin_unlock(&mm->pt_lock);
	mm_read_unlock(mm);
	return c;
}
