/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages that a userfaultfd's program gives: copies, zeroes, what the object has, poison. A page is
 * filled while nobody else knows it, without a lock, and mapped under mm->lock held for reading,
 * where the VMA is looked at again.
 */
#include "host/uffd_impl.h"

#include "host/pte.h"
#include "host/task.h"

/* ---- the VMA */

static bool is_shared_object(const struct vma *vma)
{
	return vma->ops && (vma->flags & VM_SHARED);
}

static int fill_check(const struct vma *vma, const struct uffd_fill *f)
{
	bool huge = vma->flags & VM_HUGETLB;

	if (f->wp == UFFD_PROTECT && !(vma->flags & VM_UFFD_WP))
		return -EINVAL;
	if (huge && f->kind == FILL_ZERO)
		return -EINVAL;
	if (f->kind == FILL_CONTINUE && !vma->ops)
		return -EINVAL;
	return IS_ALIGNED(f->start | f->len, vma_unit(vma)) ? 0 : -EINVAL;
}

/* The VMA of the whole range, if it is watched and the request fits it; ERR_PTR. Read lock. */
static struct vma *fill_vma(struct mm *mm, const struct uffd_fill *f)
{
	struct vma *v = vma_find(mm, HVA(f->start));
	int error;

	if (mm->exited)
		return ERR_PTR(-ESRCH);
	if (!v || f->len > v->end.v - f->start || !v->uffd)
		return ERR_PTR(-ENOENT);
	error = fill_check(v, f);
	return error ? ERR_PTR(error) : v;
}

/* ---- one page */

static int fill_level(const struct vma *vma)
{
	return vma->flags & VM_HUGETLB ? vma->hugetlb_level : LEVEL_4K;
}

/*
 * Nothing but a mark may be where a page is to go; the mark that stays there is what the page
 * takes over. Poison goes nowhere but where nothing is.
 */
static int prepare_place(const struct vma *vma, const struct uffd_fill *f, u64 addr)
{
	u64 mark = f->wp == UFFD_PROTECT ? PTE_SW_UFFD_WP : 0;
	struct mm *mm = vma->mm;
	int error, level;
	u64 pte;

	spin_lock(&mm->pt_lock);
	pte = port_pte_read(pgt_lookup_locked(mm, addr, &level));
	if (pte && !(pte_is_mark(pte) && (f->kind == FILL_COPY || f->kind == FILL_CONTINUE)))
		error = -EEXIST;
	else
		error = pgt_mark_locked(mm, addr, fill_level(vma), mark);
	spin_unlock(&mm->pt_lock);
	return error;
}

/* The mark of a page that did not come after all; if something is there now, it had none. */
static void clear_mark(const struct vma *vma, u64 addr)
{
	spin_lock(&vma->mm->pt_lock);
	(void)pgt_mark_locked(vma->mm, addr, fill_level(vma), 0);
	spin_unlock(&vma->mm->pt_lock);
}

/* Takes the reference to @page over. */
static int map_private(struct vma *vma, u64 addr, struct page *page)
{
	int level = fill_level(vma);
	struct mm *mm = vma->mm;
	int error = -EFAULT;
	u64 pte = pte_make_leaf(page_to_phys(page), level, HOST_WB, vma_perms(vma), PTE_ANON_PAGE);

	if (!vma->ops || memobj_look(vma, addr) != MEMOBJ_ENDS_BEFORE) {
		spin_lock(&mm->pt_lock);
		error = pgt_install_locked(mm, addr, level, pte);
		spin_unlock(&mm->pt_lock);
	}
	if (error)
		page_put(page);
	return error;
}

static int map_zero_page(struct vma *vma, u64 addr)
{
	unsigned int perms = vma_perms(vma) & ~(unsigned int)LEAF_W;
	u64 pte = pte_make_leaf(zero_page_pa(), LEVEL_4K, HOST_WB, perms, PTE_NO_PAGE);
	struct mm *mm = vma->mm;
	int error = -EFAULT;

	if (!vma->ops || memobj_look(vma, addr) != MEMOBJ_ENDS_BEFORE) {
		spin_lock(&mm->pt_lock);
		error = pgt_install_locked(mm, addr, LEVEL_4K, pte);
		spin_unlock(&mm->pt_lock);
	}
	return error;
}

static int put_poison(const struct vma *vma, u64 addr)
{
	struct mm *mm = vma->mm;
	int error, level;

	spin_lock(&mm->pt_lock);
	if (port_pte_read(pgt_lookup_locked(mm, addr, &level)))
		error = -EEXIST;
	else
		error = pgt_mark_locked(mm, addr, fill_level(vma), PTE_SW_POISON);
	spin_unlock(&mm->pt_lock);
	return error;
}

/* @page, NULL for what needs none: its reference is used up. Read lock. */
static int fill_place(struct vma *vma, const struct uffd_fill *f, u64 addr, struct page *page)
{
	int error;

	if (f->kind == FILL_POISON)
		return put_poison(vma, addr);
	error = prepare_place(vma, f, addr);
	if (error) {
		if (page)
			page_put(page);
		return error;
	}
	if (f->kind == FILL_CONTINUE || is_shared_object(vma))
		error = memobj_fill(vma, addr, page);
	else
		error = page ? map_private(vma, addr, page) : map_zero_page(vma, addr);
	if (error && f->wp == UFFD_PROTECT)
		clear_mark(vma, addr);
	return error;
}

/* ---- the content, with no lock held */

static int copy_content(struct page *page, u64 src, u64 size)
{
	for (u64 done = 0; done < size; done += min(size, SZ_2M)) {
		if (copy_from_user((char *)page_to_virt(page) + done, HVA(src + done),
				   min(size, SZ_2M)))
			return -EFAULT;
		sched_point();
	}
	return 0;
}

/* A page with its content, NULL where none is needed, or ERR_PTR. */
static struct page *fill_page(const struct uffd_fill *f, u64 done, int level, bool object)
{
	struct page *page;
	int error = 0;

	if (f->kind == FILL_CONTINUE || f->kind == FILL_POISON || (f->kind == FILL_ZERO && !object))
		return NULL;
	page = page_alloc((unsigned int)(LEVEL_4K - level) * 9,
			  f->kind == FILL_ZERO ? PAGE_ZEROED : PAGE_UNFILLED);
	if (!page)
		return ERR_PTR(-ENOMEM);
	if (f->kind == FILL_COPY)
		error = copy_content(page, f->src + done, level_size(level));
	if (!error)
		return page;
	page_put(page);
	return ERR_PTR(error);
}

/* One page at @done bytes into the range; its size, or an error. */
static s64 fill_step(struct uffd *u, const struct uffd_fill *f, u64 done)
{
	struct vma *vma;
	struct page *page;
	int level = LEVEL_4K, error;
	bool object = false;

	mm_read_lock(u->mm);
	vma = fill_vma(u->mm, f);
	if (!IS_ERR(vma)) {
		level = fill_level(vma);
		object = is_shared_object(vma);
	}
	mm_read_unlock(u->mm);
	if (IS_ERR(vma))
		return PTR_ERR(vma);
	page = fill_page(f, done, level, object);
	if (IS_ERR(page))
		return PTR_ERR(page);
	mm_read_lock(u->mm);
	vma = fill_vma(u->mm, f);
	if (IS_ERR(vma))
		error = (int)PTR_ERR(vma);
	else if (fill_level(vma) != level || is_shared_object(vma) != object)
		error = -EAGAIN;
	else
		error = 0;
	if (!error)
		error = fill_place(vma, f, f->start + done, page);
	else if (page)
		page_put(page);
	mm_read_unlock(u->mm);
	return error ? error : (s64)level_size(level);
}

s64 uffd_fill(struct uffd *u, const struct uffd_fill *f)
{
	u64 done = 0;
	s64 n = 0;

	while (done < f->len && n >= 0) {
		n = task_kill_pending(port_current()) ? -EINTR : fill_step(u, f, done);
		if (n > 0)
			done += (u64)n;
		sched_point();
	}
	return done ? (s64)done : n;
}
