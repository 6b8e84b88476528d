/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults on a program's memory, whoever causes them: look at the live leaf, do the one thing that
 * is missing, look again. Nothing is narrowed or replaced without telling the notifiers first.
 */
#include "host/mm_impl.h"
#include "host/pte.h"
#include "host/string.h"
#include "host/uffd_impl.h"

/* The state of one fault while it is served, under the mm lock held for reading. */
struct fault {
	struct vma *vma;
	u64 addr; /* page aligned */
	enum host_access access;
	u64 pte; /* the leaf, or an invalid entry, as last seen */
	int level;
	bool asked_owner; /* of the leaf that is present, and it said yes */
	int ask_uffd;	  /* -EUFFD_*: who watches the VMA is to be asked; 0: no */
};

/* Special leaves only map it, so it is never counted and never written. */
static u8 zero_page[PAGE_SIZE] __aligned(4096);

/* A fault is over after two steps unless others interfere; then the access is simply retried. */
#define FAULT_STEPS_MAX 8

pa_t zero_page_pa(void)
{
	return virt_to_phys(zero_page);
}

static bool pte_is_zero_page(u64 pte)
{
	return pte_is_special(pte) && pte_pa(pte).v == zero_page_pa().v;
}

/* ---- looking */

bool mm_peek(struct mm *mm, hva_t addr, struct host_pte *pte)
{
	int level;
	u64 v;

	pte->level = LEVEL_4K;
	if (addr.v >= TASK_SIZE)
		return false;
	spin_lock(&mm->pt_lock);
	v = port_pte_read(pgt_lookup_locked(mm, addr.v, &level));
	spin_unlock(&mm->pt_lock);
	pte->level = level;
	if (!pte_is_valid_leaf(v))
		return false;
	pte->pa = PA(pte_pa(v).v + (addr.v & (level_size(level) - 1)));
	pte->memtype = pte_memtype(v);
	pte->writable = pte_is_writable(v);
	pte->any_uncached = pte_any_uncached(v);
	pte->is_ram = port_pa_is_ram(pte->pa);
	return true;
}

/* The same within one page. The page cannot go while the table is locked. */
static size_t read_in_page(struct mm *mm, hva_t addr, void *dst, size_t n)
{
	int level;
	pa_t pa;
	u64 v;

	n = min(n, (size_t)(PAGE_SIZE - addr.v % PAGE_SIZE));
	spin_lock(&mm->pt_lock);
	v = port_pte_read(pgt_lookup_locked(mm, addr.v, &level));
	pa = PA(pte_pa(v).v + (addr.v & (level_size(level) - 1)));
	if (pte_is_valid_leaf(v) && pte_memtype(v) == HOST_WB && port_pa_is_ram(pa))
		memcpy(dst, phys_to_virt(pa), n);
	else
		n = 0;
	spin_unlock(&mm->pt_lock);
	return n;
}

size_t mm_read_mapped(struct mm *mm, hva_t addr, void *dst, size_t n)
{
	size_t done = 0, part = 1;

	for (; part && done < n && addr.v < TASK_SIZE; addr.v += part, done += part)
		part = read_in_page(mm, addr, (char *)dst + done, n - done);
	return done;
}

static void fault_look(struct fault *f)
{
	struct mm *mm = f->vma->mm;

	spin_lock(&mm->pt_lock);
	f->pte = port_pte_read(pgt_lookup_locked(mm, f->addr, &f->level));
	spin_unlock(&mm->pt_lock);
}

/* The entry if it still is what fault_look() saw, else NULL. */
static u64 *fault_entry_locked(const struct fault *f)
{
	int level;
	u64 *entry = pgt_lookup_locked(f->vma->mm, f->addr, &level);

	return level == f->level && port_pte_read(entry) == f->pte ? entry : NULL;
}

/* ---- nothing is mapped */

static bool thp_fits(const struct fault *f)
{
	u64 base = ALIGN_DOWN(f->addr, SZ_2M);
	struct mm *mm = f->vma->mm;
	bool vacant;

	if (f->vma->flags & (VM_NOHUGEPAGE | VM_STACK | VM_GROWSDOWN | VM_HUGETLB))
		return false;
	if (base < f->vma->start.v || base + SZ_2M > f->vma->end.v)
		return false;
	spin_lock(&mm->pt_lock);
	vacant = pgt_is_vacant_locked(mm, base, LEVEL_2M);
	spin_unlock(&mm->pt_lock);
	return vacant;
}

/* Zeroes a large run in steps, so that others get their turn. */
static struct page *page_alloc_zeroed_steps(unsigned int order)
{
	struct page *page;

	if (order <= ORDER_2M)
		return page_alloc(order, PAGE_ZEROED);
	page = page_alloc(order, PAGE_UNFILLED);
	for (u64 done = 0; page && done < PAGE_SIZE << order; done += SZ_2M) {
		port_zero((char *)page_to_virt(page) + done, SZ_2M);
		sched_point();
	}
	return page;
}

static int fault_install(const struct fault *f, int level, u64 pte)
{
	struct mm *mm = f->vma->mm;
	int error;

	spin_lock(&mm->pt_lock);
	error = pgt_install_locked(mm, ALIGN_DOWN(f->addr, level_size(level)), level, pte);
	spin_unlock(&mm->pt_lock);
	return error == -EEXIST ? -EAGAIN : error;
}

static int fault_zero_page(const struct fault *f)
{
	unsigned int perms = vma_perms(f->vma) & ~(unsigned int)LEAF_W;

	return fault_install(f, LEVEL_4K,
			     pte_make_leaf(zero_page_pa(), LEVEL_4K, HOST_WB, perms, PTE_NO_PAGE));
}

static int fault_new_page(const struct fault *f, int level)
{
	struct page *page = page_alloc_zeroed_steps((unsigned int)(LEVEL_4K - level) * 9);
	int error;

	if (!page)
		return -ENOMEM;
	error = fault_install(f, level,
			      pte_make_leaf(page_to_phys(page), level, HOST_WB, vma_perms(f->vma),
					    PTE_ANON_PAGE));
	if (error)
		page_put(page);
	return error;
}

static int fault_anonymous(const struct fault *f)
{
	if (f->vma->flags & VM_UFFD_MISSING)
		return -EUFFD_MISSING;
	if (f->vma->flags & VM_HUGETLB) {
		int error = fault_new_page(f, f->vma->hugetlb_level);

		return error == -ENOMEM ? -EIO : error;
	}
	if (thp_fits(f)) {
		int error = fault_new_page(f, LEVEL_2M);

		if (error != -ENOMEM)
			return error;
	}
	if (f->access != HOST_WRITE)
		return fault_zero_page(f);
	return fault_new_page(f, LEVEL_4K);
}

/* A private mapping reads its object's page, also for a write: the copy is the next step. */
static int fault_absent(const struct fault *f)
{
	const struct vma *vma = f->vma;
	enum host_access access = f->access;
	int error;

	if (pte_is_mark(f->pte) && (f->pte & PTE_SW_POISON))
		return -EHWPOISON;
	if (!vma->ops)
		return fault_anonymous(f);
	if ((vma->flags & VM_UFFD_MINOR) && memobj_look(vma, f->addr) == MEMOBJ_HAS_PAGE)
		return -EUFFD_MINOR;
	if (!vma->ops->fault)
		return -EIO;
	if (!(vma->flags & VM_SHARED) && access == HOST_WRITE)
		access = HOST_READ;
	error = vma->ops->fault(f->vma, HVA(f->addr), access);
	return error ? error : -EAGAIN;
}

/* ---- a write to a leaf that is read-only */

static int fault_make_writable(const struct fault *f)
{
	struct mm *mm = f->vma->mm;
	u64 *entry;

	spin_lock(&mm->pt_lock);
	entry = fault_entry_locked(f);
	if (entry)
		pgt_relax_locked(mm, entry, ALIGN_DOWN(f->addr, level_size(f->level)), f->level,
				 LEAF_W);
	spin_unlock(&mm->pt_lock);
	return entry ? 0 : -EAGAIN;
}

/* Puts @page, whose reference it takes over, where the leaf that @f saw is. */
static int fault_replace(const struct fault *f, struct page *page)
{
	struct mm *mm = f->vma->mm;
	u64 size = level_size(f->level);
	u64 base = ALIGN_DOWN(f->addr, size);
	u64 *entry;

	notify_begin(mm, base, base + size);
	spin_lock(&mm->pt_lock);
	entry = fault_entry_locked(f);
	if (entry)
		pgt_replace_locked(mm, entry, base, f->level,
				   pte_make_leaf(page_to_phys(page), f->level, HOST_WB,
						 vma_perms(f->vma), PTE_ANON_PAGE));
	spin_unlock(&mm->pt_lock);
	notify_end(mm, base, base + size);
	if (!entry)
		page_put(page);
	return entry ? 0 : -EAGAIN;
}

/* A counted reference to the page behind the leaf that @f saw; NULL if it changed. */
static struct page *fault_hold_page(const struct fault *f)
{
	struct mm *mm = f->vma->mm;
	struct page *page = NULL;

	spin_lock(&mm->pt_lock);
	if (fault_entry_locked(f))
		page = page_get(phys_to_page(pte_pa(f->pte)));
	spin_unlock(&mm->pt_lock);
	return page;
}

static void copy_in_steps(void *dst, const void *src, size_t size)
{
	for (size_t done = 0; done < size; done += min(size, SZ_2M)) {
		memcpy((char *)dst + done, (const char *)src + done, min(size, SZ_2M));
		if (size > SZ_2M)
			sched_point();
	}
}

/* Blocks of hugetlb that cannot be had are the program's fault, not the system's (SIGBUS). */
static int fault_no_page(const struct fault *f)
{
	return f->vma->flags & VM_HUGETLB ? -EIO : -ENOMEM;
}

static int fault_copy(const struct fault *f)
{
	struct page *old = fault_hold_page(f);
	struct page *page;
	int error = fault_no_page(f);

	if (!old)
		return -EAGAIN;
	page = page_alloc((unsigned int)(LEVEL_4K - f->level) * 9, PAGE_UNFILLED);
	if (page) {
		copy_in_steps(page_to_virt(page), phys_to_virt(pte_pa(f->pte)),
			      level_size(f->level));
		error = fault_replace(f, page);
	}
	page_put(old);
	return error;
}

/* True if no one else can see the page, so that it may be written without a copy. */
static bool fault_owns_page(const struct fault *f)
{
	struct mm *mm = f->vma->mm;
	bool owns;

	spin_lock(&mm->pt_lock);
	owns = fault_entry_locked(f) && pte_is_anon(f->pte) &&
	       page_refs(phys_to_page(pte_pa(f->pte))) == 1;
	spin_unlock(&mm->pt_lock);
	return owns;
}

static int fault_write_private(const struct fault *f)
{
	struct page *page;

	if (pte_is_zero_page(f->pte)) {
		page = page_alloc(ORDER_4K, PAGE_ZEROED);
		return page ? fault_replace(f, page) : -ENOMEM;
	}
	if (pte_is_special(f->pte))
		return -EACCES;
	if (fault_owns_page(f))
		return fault_make_writable(f);
	if (f->level != LEVEL_4K && !(f->vma->flags & VM_HUGETLB)) {
		int error = pgt_split_at(f->vma->mm, ALIGN_DOWN(f->addr, SZ_2M) + PAGE_SIZE);

		return error ? error : -EAGAIN;
	}
	return fault_copy(f);
}

/* The owner of a shared mapping is asked once more before a write is refused (design.md M14). */
static int fault_write_shared(struct fault *f)
{
	const struct vma_ops *ops = f->vma->ops;
	int error;

	if (f->asked_owner || !ops)
		return -EACCES;
	f->asked_owner = true;
	if (pte_is_special(f->pte) && ops->pfn_mkwrite) {
		error = ops->pfn_mkwrite(f->vma, HVA(f->addr));
		return error ? error : fault_make_writable(f);
	}
	if (!ops->fault)
		return -EACCES;
	error = ops->fault(f->vma, HVA(f->addr), HOST_WRITE);
	return error ? error : -EAGAIN;
}

/* ---- the path */

static bool vma_allows(const struct vma *vma, enum host_access access)
{
	switch (access) {
	case HOST_WRITE: return vma->flags & VM_WRITE;
	case HOST_EXEC: return vma->flags & VM_EXEC;
	default: return vma->flags & (VM_READ | VM_WRITE | VM_EXEC);
	}
}

/*
 * 0: the access is possible now. -EAGAIN: one step nearer, look again. A leaf allows whatever its
 * VMA does (pgt_protect() sees to that) but writing, which waits for the first write, and fetching
 * from what is not write-back, which is never possible.
 */
static int fault_step(struct fault *f)
{
	if (!pte_is_leaf(f->pte))
		return fault_absent(f);
	if (f->access == HOST_EXEC)
		return -EACCES;
	if (pte_is_uffd_wp(f->pte))
		return -EUFFD_WP;
	if (f->vma->flags & VM_SHARED)
		return fault_write_shared(f);
	return fault_write_private(f);
}

static enum fault_verdict fault_verdict_of(int error)
{
	switch (error) {
	case 0: return FAULT_OK;
	case -ENOMEM: return FAULT_OOM;
	case -EACCES: return FAULT_SEGV_ACCERR;
	case -EINTR: return FAULT_INTR;
	case -EFAULT: return FAULT_SEGV_MAPERR;
	case -EHWPOISON: return FAULT_POISON;
	default: return FAULT_BUS;
	}
}

/* Idle page tracking took the Access flag. If the entry changed meanwhile, the access tells. */
static void fault_make_young(const struct fault *f)
{
	struct mm *mm = f->vma->mm;
	u64 *entry;

	spin_lock(&mm->pt_lock);
	entry = fault_entry_locked(f);
	if (entry)
		pgt_make_young_locked(entry);
	spin_unlock(&mm->pt_lock);
}

static bool is_for_uffd(int error)
{
	return error == -EUFFD_MISSING || error == -EUFFD_MINOR || error == -EUFFD_WP;
}

static enum fault_verdict fault_serve(struct fault *f)
{
	f->ask_uffd = 0;
	for (int step = 0; step < FAULT_STEPS_MAX; step++) {
		int error;

		fault_look(f);
		if (pte_allows(f->pte, f->access)) {
			if (!(f->pte & PTE_AF))
				fault_make_young(f);
			return FAULT_OK;
		}
		error = fault_step(f);
		if (is_for_uffd(error)) {
			f->ask_uffd = error;
			return FAULT_OK;
		}
		if (error != -EAGAIN)
			return fault_verdict_of(error);
	}
	return FAULT_OK;
}

/* The stack below @vma grows to @addr, if it may. Under the write lock. */
static bool stack_may_grow(struct vma *vma, u64 addr)
{
	struct vma *prev = RB_PREV(vma_tree, NULL, vma);

	if (!(vma->flags & VM_GROWSDOWN) || vma->end.v - addr > STACK_LIMIT)
		return false;
	if (addr < MMAP_MIN_ADDR)
		return false;
	return !prev || (prev->flags & VM_GROWSDOWN) ||
	       !(prev->flags & (VM_READ | VM_WRITE | VM_EXEC)) ||
	       addr - prev->end.v >= STACK_GUARD_SIZE;
}

static bool stack_grow(struct mm *mm, u64 addr)
{
	struct vma *vma;
	bool grown = false;

	mm_write_lock(mm);
	vma = vma_from(mm, addr);
	if (vma && vma->start.v <= addr) {
		grown = true;
	} else if (vma && stack_may_grow(vma, addr)) {
		mm->total_pages += (vma->start.v - addr) >> PAGE_SHIFT;
		vma->start = HVA(addr);
		grown = true;
	}
	mm_write_unlock(mm);
	return grown;
}

/*
 * Asks whoever watches the VMA, and waits. Comes with mm->lock held for reading and returns without
 * it. FAULT_OK: begin again, all may have changed.
 */
static enum fault_verdict fault_ask_uffd(struct fault *f, const struct uffd_fault *told)
{
	struct mm *mm = f->vma->mm;
	struct uffd *u = f->vma->uffd;
	enum fault_verdict verdict = uffd_admit(u, told->origin);
	struct uffd_wait w;
	int error = 0;

	if (verdict != FAULT_OK || !uffd_wait_begin(f->vma, &w, told)) {
		mm_read_unlock(mm);
		sched_point(); /* to who closes it and waits for the lock */
		return verdict;
	}
	/* Once more, now that who resolves it would see the thread wait. */
	verdict = fault_serve(f);
	mm_read_unlock(mm);
	if (verdict == FAULT_OK && f->ask_uffd == told->error)
		error = uffd_wait_sleep(u, &w, told->origin);
	uffd_wait_end(u, &w);
	return error ? FAULT_INTR : verdict;
}

/* One pass. @again: somebody resolved it, or gave up. */
static enum fault_verdict fault_once(struct mm *mm, hva_t addr, enum host_access access,
				     enum fault_origin origin, bool *again)
{
	struct fault f = { .addr = addr.v & PAGE_MASK, .access = access };
	enum fault_verdict verdict;

	*again = false;
	mm_read_lock(mm);
	f.vma = vma_find(mm, addr);
	if (!f.vma) {
		mm_read_unlock(mm);
		/* The access is repeated, and then finds the grown VMA. */
		return stack_grow(mm, f.addr) ? FAULT_OK : FAULT_SEGV_MAPERR;
	}
	verdict = vma_allows(f.vma, access) ? fault_serve(&f) : FAULT_SEGV_ACCERR;
	if (verdict == FAULT_OK && f.ask_uffd) {
		struct uffd_fault told = { addr.v, f.ask_uffd, access, origin };

		verdict = fault_ask_uffd(&f, &told);
		*again = verdict == FAULT_OK;
		return verdict;
	}
	mm_read_unlock(mm);
	return verdict;
}

enum fault_verdict mm_fault_by(struct mm *mm, hva_t addr, enum host_access access,
			       enum fault_origin origin)
{
	enum fault_verdict verdict;
	bool again;

	if (addr.v >= TASK_SIZE)
		return FAULT_SEGV_MAPERR;
	do {
		verdict = fault_once(mm, addr, access, origin, &again);
	} while (again);
	return verdict;
}
