/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only writer of programs' translation tables. Every change of a live descriptor is
 * break-before-make (Arm ARM R_WHZWS) but for permissions, which may change in place; a page or a
 * table is released only after the TLB invalidation that ends its use has completed.
 *
 * A break keeps the descriptor and clears its valid bit, so that after one invalidation for a run
 * of entries the same entries say what is to be released. Both passes are under pt_lock, and no
 * walker reads tables without it, so the state between them is never seen.
 */
#include "host/pte.h"

#include "host/mm_impl.h"

static unsigned int pte_index(u64 addr, int level)
{
	return (addr >> level_shift(level)) & 511;
}

static u64 *pte_table(u64 pte)
{
	return phys_to_virt(pte_pa(pte));
}

static u64 leaf_pages(int level)
{
	return level_size(level) >> PAGE_SHIFT;
}

/*
 * Tells all CPUs that entries for [start, end) changed. The order of publish and asid_of() is what
 * asid.c relies on.
 */
static void pgt_invalidate(struct mm *mm, u64 start, u64 end, int level)
{
	port_pte_publish();
	if (asid_ever_used(mm))
		port_tlbi_host_range(asid_of(mm), HVA(start), HVA(end), level);
}

/* ---- walks */

u64 *pgt_lookup_locked(struct mm *mm, u64 addr, int *level)
{
	u64 *table = mm->root;

	for (int l = LEVEL_512G;; l++) {
		u64 *entry = &table[pte_index(addr, l)];
		u64 pte = port_pte_read(entry);

		if (!pte_is_table(pte, l)) {
			*level = l;
			return entry;
		}
		table = pte_table(pte);
	}
}

struct pte_run pgt_run_locked(struct mm *mm, u64 addr, u64 end)
{
	struct pte_run r = { .count = 0 };
	u32 most;

	r.entry = pgt_lookup_locked(mm, addr, &r.level);
	r.addr = ALIGN_DOWN(addr, level_size(r.level));
	most = 512 - pte_index(addr, r.level);
	do {
		r.count++;
	} while (r.count < most && pgt_run_end(&r) < end &&
		 !pte_is_table(port_pte_read(&r.entry[r.count]), r.level));
	return r;
}

/* The entry for @addr at @level, making tables on the way. -ENOMEM, or -EEXIST: a leaf is above. */
static int pgt_entry_make_locked(struct mm *mm, u64 addr, int level, u64 **out)
{
	u64 *table = mm->root;

	for (int l = LEVEL_512G; l < level; l++) {
		u64 *entry = &table[pte_index(addr, l)];
		u64 pte = port_pte_read(entry);
		struct page *page;

		if (pte_is_leaf(pte))
			return -EEXIST;
		if (!pte_is_table(pte, l)) {
			page = page_alloc(ORDER_4K, PAGE_ZEROED);
			if (!page)
				return -ENOMEM;
			port_pte_publish();
			pte = pte_make_table(page_to_phys(page));
			port_pte_write(entry, pte);
		}
		table = pte_table(pte);
	}
	*out = &table[pte_index(addr, level)];
	return 0;
}

/* The entry for @addr at @level exactly, or NULL if the walk ends above it; then @level says where.
 */
static u64 *pgt_entry_at_locked(struct mm *mm, u64 addr, int *level)
{
	u64 *table = mm->root;

	for (int l = LEVEL_512G; l < *level; l++) {
		u64 pte = port_pte_read(&table[pte_index(addr, l)]);

		if (!pte_is_table(pte, l)) {
			*level = l;
			return NULL;
		}
		table = pte_table(pte);
	}
	return &table[pte_index(addr, *level)];
}

static bool table_is_empty(const u64 *table)
{
	for (unsigned int i = 0; i < 512; i++) {
		if (port_pte_read(&table[i]))
			return false;
	}
	return true;
}

bool pgt_is_vacant_locked(struct mm *mm, u64 addr, int level)
{
	const u64 *table = mm->root;
	u64 pte;

	for (int l = LEVEL_512G; l < level; l++) {
		pte = port_pte_read(&table[pte_index(addr, l)]);
		if (!pte_is_table(pte, l))
			return !pte_is_leaf(pte);
		table = pte_table(pte);
	}
	pte = port_pte_read(&table[pte_index(addr, level)]);
	return pte == 0 || (pte_is_table(pte, level) && table_is_empty(pte_table(pte)));
}

/* ---- single leaves */

/* Takes an empty table away from under @entry, where a block is to be installed. */
static void pgt_retract_locked(struct mm *mm, u64 *entry, u64 addr, int level)
{
	struct page *table = phys_to_page(pte_pa(port_pte_read(entry)));

	port_pte_write(entry, 0);
	pgt_invalidate(mm, addr, addr + level_size(level), LEVEL_512G);
	page_put(table);
}

/* Instruction fetch must not see what a cache held of the page before it was filled. */
static void pte_sync_icache(u64 pte, int level)
{
	if (pte_is_exec(pte) && !pte_is_special(pte))
		port_icache_sync(phys_to_virt(pte_pa(pte)), level_size(level));
}

static u64 pte_uffd_protected(u64 pte)
{
	pte |= PTE_SW_UFFD_WP;
	return pte_with_perms(pte, pte_perms(pte));
}

int pgt_install_locked(struct mm *mm, u64 addr, int level, u64 pte)
{
	u64 *entry, old;
	int error = pgt_entry_make_locked(mm, addr, level, &entry);

	if (error)
		return error;
	old = port_pte_read(entry);
	if (pte_is_table(old, level) && table_is_empty(pte_table(old)))
		pgt_retract_locked(mm, entry, addr, level);
	else if (old == PTE_SW_UFFD_WP)
		pte = pte_uffd_protected(pte);
	else if (old)
		return -EEXIST;
	pte_sync_icache(pte, level);
	port_pte_write(entry, pte);
	port_pte_publish();
	mm->resident_pages += leaf_pages(level);
	return 0;
}

static void pte_release(u64 pte)
{
	if (!pte_is_special(pte))
		page_put(phys_to_page(pte_pa(pte)));
}

void pgt_replace_locked(struct mm *mm, u64 *entry, u64 addr, int level, u64 pte)
{
	u64 old = port_pte_read(entry);

	pte_sync_icache(pte, level);
	port_pte_write(entry, old & ~PTE_VALID);
	pgt_invalidate(mm, addr, addr + level_size(level), level);
	port_pte_write(entry, pte);
	port_pte_publish();
	pte_release(old);
}

void pgt_relax_locked(struct mm *mm, u64 *entry, u64 addr, int level, unsigned int perms)
{
	u64 pte = port_pte_read(entry);
	u64 wide = pte_with_perms(pte, pte_perms(pte) | perms);

	if (wide == pte)
		return;
	if (!pte_is_exec(pte))
		pte_sync_icache(wide, level);
	port_pte_write(entry, wide);
	pgt_invalidate(mm, addr, addr + level_size(level), level);
}

void pgt_make_young_locked(u64 *entry)
{
	port_pte_write(entry, port_pte_read(entry) | PTE_AF);
	port_pte_publish(); /* without the flag no TLB held it (Arm ARM D8.5.1) */
}

bool pgt_make_old_locked(struct mm *mm, u64 *entry, u64 addr, int level)
{
	u64 pte = port_pte_read(entry);

	if (!(pte & PTE_AF) || !(pte & PTE_VALID))
		return false;
	port_pte_write(entry, pte & ~PTE_AF);
	pgt_invalidate(mm, addr, addr + level_size(level), level);
	return true;
}

/* ---- ranges: each step is one run, at most 512 descriptors, under one hold of the lock */

static bool is_within(const struct pte_run *r, u32 i, u64 start, u64 end)
{
	u64 size = level_size(r->level);
	u64 addr = r->addr + i * size;

	return !pte_is_leaf(port_pte_read(&r->entry[i])) || (addr >= start && addr + size <= end);
}

/*
 * The run for @addr, without blocks that reach out of [@start, @end); of no entries if it begins
 * with one. Under the read lock a fault may bring one at any time.
 */
static struct pte_run run_within_locked(struct mm *mm, u64 addr, u64 start, u64 end)
{
	struct pte_run r = pgt_run_locked(mm, addr, end);

	if (!is_within(&r, r.count - 1, start, end))
		r.count--;
	if (r.count && !is_within(&r, 0, start, end))
		r.count = 0;
	return r;
}

typedef void run_fn(struct mm *mm, const struct pte_run *r, unsigned int how);

/* @fn changes the runs of a range. How far it came: to @end, or to a block that is not within. */
static u64 walk_runs(struct mm *mm, u64 start, u64 end, run_fn *fn, unsigned int how)
{
	u64 at = start;

	while (at < end) {
		struct pte_run r;

		spin_lock(&mm->pt_lock);
		r = run_within_locked(mm, at, start, end);
		if (r.count)
			fn(mm, &r, how);
		spin_unlock(&mm->pt_lock);
		if (!r.count)
			return at;
		at = pgt_run_end(&r);
		sched_point();
	}
	return end;
}

static bool zap_wants(u64 pte, enum zap_what what)
{
	return pte_is_leaf(pte) && (what != ZAP_OBJECT_PAGES || !pte_is_anon(pte));
}

/* What is left where @pte, a leaf that goes or a mark, was. */
static u64 zap_rest(u64 pte, enum zap_what what)
{
	switch (what) {
	case ZAP_CONTENT: return pte & PTE_SW_UFFD_WP;
	case ZAP_OBJECT_PAGES: return pte & PTE_MARKS;
	default: return 0;
	}
}

static void zap_run_locked(struct mm *mm, const struct pte_run *r, unsigned int how)
{
	enum zap_what what = (enum zap_what)how;
	u32 broken = 0;

	for (u32 i = 0; i < r->count; i++) {
		u64 pte = port_pte_read(&r->entry[i]);

		if (pte_is_mark(pte))
			port_pte_write(&r->entry[i], zap_rest(pte, what));
		if (!zap_wants(pte, what))
			continue;
		port_pte_write(&r->entry[i], pte & ~PTE_VALID);
		broken++;
	}
	if (!broken)
		return;
	pgt_invalidate(mm, r->addr, pgt_run_end(r), r->level);
	for (u32 i = 0; i < r->count; i++) {
		u64 pte = port_pte_read(&r->entry[i]);

		if (!zap_wants(pte, what))
			continue;
		port_pte_write(&r->entry[i], zap_rest(pte, what));
		pte_release(pte);
	}
	mm->resident_pages -= broken * leaf_pages(r->level);
}

u64 pgt_zap(struct mm *mm, u64 start, u64 end, enum zap_what what)
{
	return walk_runs(mm, start, end, zap_run_locked, what);
}

/* Writing is given back by the next write fault, which knows whether the page is shared. */
static u64 pte_protected(u64 pte, unsigned int perms)
{
	unsigned int may_write = pte_perms(pte) & LEAF_W;

	return pte_with_perms(pte, perms & (LEAF_R | LEAF_X | may_write));
}

static void protect_run_locked(struct mm *mm, const struct pte_run *r, unsigned int perms)
{
	bool changed = false;

	for (u32 i = 0; i < r->count; i++) {
		u64 pte = port_pte_read(&r->entry[i]);
		u64 wanted = pte_protected(pte, perms);

		if (!pte_is_leaf(pte) || wanted == pte)
			continue;
		if (!pte_is_exec(pte))
			pte_sync_icache(wanted, r->level);
		port_pte_write(&r->entry[i], wanted);
		changed = true;
	}
	if (changed)
		pgt_invalidate(mm, r->addr, pgt_run_end(r), r->level);
}

void pgt_protect(struct mm *mm, u64 start, u64 end, unsigned int perms)
{
	(void)walk_runs(mm, start, end, protect_run_locked, perms);
}

/* ---- marks and write protection of userfaultfd */

int pgt_mark_locked(struct mm *mm, u64 addr, int level, u64 mark)
{
	u64 *entry, old;
	int error = pgt_entry_make_locked(mm, addr, level, &entry);

	if (error)
		return error;
	old = port_pte_read(entry);
	if (pte_is_table(old, level) && table_is_empty(pte_table(old)))
		pgt_retract_locked(mm, entry, addr, level);
	else if (old && !pte_is_mark(old))
		return -EEXIST;
	port_pte_write(entry, mark);
	return 0;
}

static void uffd_protect_run_locked(struct mm *mm, const struct pte_run *r, unsigned int how)
{
	bool changed = false;

	(void)how;
	for (u32 i = 0; i < r->count; i++) {
		u64 pte = port_pte_read(&r->entry[i]);

		if (!pte_is_leaf(pte) || pte_is_uffd_wp(pte))
			continue;
		port_pte_write(&r->entry[i], pte_uffd_protected(pte));
		changed = true;
	}
	if (changed)
		pgt_invalidate(mm, r->addr, pgt_run_end(r), r->level);
}

u64 pgt_uffd_protect(struct mm *mm, u64 start, u64 end)
{
	return walk_runs(mm, start, end, uffd_protect_run_locked, 0);
}

int pgt_uffd_mark_absent(struct mm *mm, u64 start, u64 end, int level)
{
	u64 size = level_size(level);
	int error = 0;

	while (start < end && !error) {
		u64 stop = min(end, ALIGN_DOWN(start, 512 * size) + 512 * size);

		spin_lock(&mm->pt_lock);
		for (; start < stop && !error; start += size) {
			int at;

			if (!port_pte_read(pgt_lookup_locked(mm, start, &at)))
				error = pgt_mark_locked(mm, start, level, PTE_SW_UFFD_WP);
		}
		spin_unlock(&mm->pt_lock);
		sched_point();
	}
	return error;
}

static void uffd_unprotect_run_locked(struct mm *mm, const struct pte_run *r, unsigned int how)
{
	bool changed = false;

	(void)how;
	for (u32 i = 0; i < r->count; i++) {
		u64 pte = port_pte_read(&r->entry[i]);

		if (!pte_is_uffd_wp(pte) || pte_is_table(pte, r->level))
			continue;
		port_pte_write(&r->entry[i], pte & ~PTE_SW_UFFD_WP);
		changed = true;
	}
	if (changed)
		pgt_invalidate(mm, r->addr, pgt_run_end(r), r->level);
}

u64 pgt_uffd_unprotect(struct mm *mm, u64 start, u64 end)
{
	return walk_runs(mm, start, end, uffd_unprotect_run_locked, 0);
}

/* ---- blocks */

/*
 * The run behind a block that is broken up: its sole owner gets single pages, others share the run,
 * with a reference for each new leaf.
 */
static void split_page_of(u64 pte, int level)
{
	struct page *page;

	if (pte_is_special(pte))
		return;
	page = phys_to_page(pte_pa(pte));
	if (level != LEVEL_2M || page_order(page) != ORDER_2M || !page_split_run(page))
		page_ref_add(page, 511);
}

static void split_block_locked(struct mm *mm, u64 *entry, u64 base, int level, struct page *table)
{
	u64 pte = port_pte_read(entry);
	u64 *entries = page_to_virt(table);

	for (unsigned int i = 0; i < 512; i++)
		entries[i] = pte_split_entry(pte, level, i); /* nobody can reach it yet */
	port_pte_write(entry, pte & ~PTE_VALID);
	pgt_invalidate(mm, base, base + level_size(level), level);
	split_page_of(pte, level);
	port_pte_write(entry, pte_make_table(page_to_phys(table)));
	port_pte_publish();
}

/* Breaks up the block of @level around @addr if it is still there. */
static int pgt_split_block(struct mm *mm, u64 addr, int level)
{
	struct page *table = page_alloc(ORDER_4K, PAGE_UNFILLED);
	u64 base = ALIGN_DOWN(addr, level_size(level));
	u64 *entry;
	int at;

	if (!table)
		return -ENOMEM;
	notify_begin(mm, base, base + level_size(level));
	spin_lock(&mm->pt_lock);
	entry = pgt_lookup_locked(mm, addr, &at);
	if (at == level && pte_is_leaf(port_pte_read(entry))) {
		split_block_locked(mm, entry, base, level, table);
		table = NULL;
	}
	spin_unlock(&mm->pt_lock);
	notify_end(mm, base, base + level_size(level));
	if (table)
		page_put(table);
	return 0;
}

int pgt_split_at(struct mm *mm, u64 addr)
{
	int error = 0;

	while (!error) {
		bool inside;
		int level;
		u64 pte;

		spin_lock(&mm->pt_lock);
		pte = port_pte_read(pgt_lookup_locked(mm, addr, &level));
		spin_unlock(&mm->pt_lock);
		inside = pte_is_leaf(pte) && !IS_ALIGNED(addr, level_size(level));
		if (!inside)
			break;
		error = pgt_split_block(mm, addr, level);
	}
	return error;
}

int pgt_isolate(struct mm *mm, u64 start, u64 end)
{
	int error = pgt_split_at(mm, start);

	return error ? error : pgt_split_at(mm, end);
}

/* ---- moves */

static bool pte_is_moved(u64 pte)
{
	return pte_is_leaf(pte) || pte_is_mark(pte);
}

/* Leaves that would not be aligned at their new place are broken up; then the tables are made. */
int pgt_move_prepare(struct mm *mm, u64 from, u64 to, u64 len)
{
	for (u64 done = 0; done < len;) {
		struct pte_run r;
		int error = 0;
		u64 size, *entry;

		spin_lock(&mm->pt_lock);
		r = pgt_run_locked(mm, from + done, from + done + 1);
		size = level_size(r.level);
		if (pte_is_moved(port_pte_read(r.entry)) && IS_ALIGNED(to + done, size))
			error = pgt_entry_make_locked(mm, to + done, r.level, &entry);
		else if (pte_is_leaf(port_pte_read(r.entry)))
			error = -EAGAIN;
		spin_unlock(&mm->pt_lock);
		if (error == -EAGAIN)
			error = pgt_split_block(mm, from + done, r.level);
		else
			done = pgt_run_end(&r) - from;
		if (error)
			return error;
		sched_point();
	}
	return 0;
}

/* A leaf on its way: invalid, and knowing whether it was. */
static u64 pte_lift(u64 pte)
{
	return pte & PTE_VALID ? (pte & ~PTE_VALID) | PTE_SW_BROKEN : pte;
}

static u64 pte_drop(u64 pte)
{
	return pte & PTE_SW_BROKEN ? (pte & ~PTE_SW_BROKEN) | PTE_VALID : pte;
}

static void move_run_locked(struct mm *mm, const struct pte_run *r, u64 to)
{
	for (u32 i = 0; i < r->count; i++)
		port_pte_write(&r->entry[i], pte_lift(port_pte_read(&r->entry[i])));
	pgt_invalidate(mm, r->addr, pgt_run_end(r), r->level);
	for (u32 i = 0; i < r->count; i++) {
		u64 pte = port_pte_read(&r->entry[i]);
		int error;

		if (!pte_is_moved(pte))
			continue;
		port_pte_write(&r->entry[i], 0);
		if (pte_is_leaf(pte)) {
			mm->resident_pages -= leaf_pages(r->level);
			error = pgt_install_locked(mm, to + i * level_size(r->level), r->level,
						   pte_drop(pte));
		} else {
			error = pgt_mark_locked(mm, to + i * level_size(r->level), r->level, pte);
		}
		if (error)
			panic("a prepared move failed: %d", error);
	}
}

void pgt_move(struct mm *mm, u64 from, u64 to, u64 len)
{
	for (u64 done = 0; done < len;) {
		struct pte_run r;

		spin_lock(&mm->pt_lock);
		r = pgt_run_locked(mm, from + done, from + len);
		move_run_locked(mm, &r, to + done);
		spin_unlock(&mm->pt_lock);
		done = pgt_run_end(&r) - from;
		sched_point();
	}
}

/* ---- fork */

/* The page gets a leaf more; with two, neither may write to it. */
static u64 pte_share_locked(u64 *entry)
{
	u64 pte = port_pte_read(entry);
	u64 shared = pte_with_perms(pte, pte_perms(pte) & ~(unsigned int)LEAF_W);

	if (!pte_is_special(pte))
		page_get(phys_to_page(pte_pa(pte)));
	if (shared != pte)
		port_pte_write(entry, shared);
	return shared & ~PTE_SW_UFFD_WP; /* the child is nobody's to watch */
}

static int share_run_locked(struct mm *from, struct mm *to, const struct pte_run *r)
{
	int error = 0;

	for (u32 i = 0; !error && i < r->count; i++) {
		u64 addr = r->addr + i * level_size(r->level);
		u64 pte = port_pte_read(&r->entry[i]);

		spin_lock(&to->pt_lock); /* nobody else knows the new mm */
		if (pte_is_mark(pte) && (pte & PTE_SW_POISON)) {
			error = pgt_mark_locked(to, addr, r->level, pte);
		} else if (pte_is_leaf(pte)) {
			pte = pte_share_locked(&r->entry[i]);
			error = pgt_install_locked(to, addr, r->level, pte);
			if (error)
				pte_release(pte);
		}
		spin_unlock(&to->pt_lock);
	}
	pgt_invalidate(from, r->addr, pgt_run_end(r), r->level);
	return error;
}

int pgt_share(struct mm *from, struct mm *to, u64 start, u64 end)
{
	int error = 0;

	while (!error && start < end) {
		struct pte_run r;

		spin_lock(&from->pt_lock);
		r = pgt_run_locked(from, start, end);
		error = share_run_locked(from, to, &r);
		spin_unlock(&from->pt_lock);
		start = pgt_run_end(&r);
		sched_point();
	}
	return error;
}

/* ---- tables */

/* Unlinks the tables below entries of @level whose whole span lies in [start, end), frees them. */
static void free_tables_of_level(struct mm *mm, u64 start, u64 end, int level)
{
	u64 size = level_size(level);
	u64 addr = ALIGN_UP(start, size);

	end = ALIGN_DOWN(end, size);
	while (addr < end) {
		int at = level;
		u64 *entry;

		spin_lock(&mm->pt_lock);
		entry = pgt_entry_at_locked(mm, addr, &at);
		if (entry && pte_is_table(port_pte_read(entry), level))
			pgt_retract_locked(mm, entry, addr, level);
		spin_unlock(&mm->pt_lock);
		addr = ALIGN_DOWN(addr, level_size(at)) + level_size(at);
		sched_point();
	}
}

void pgt_free_tables(struct mm *mm, u64 start, u64 end, u64 floor, u64 ceiling)
{
	for (int level = LEVEL_2M; level >= LEVEL_512G; level--) {
		u64 size = level_size(level);
		u64 first = max(ALIGN_DOWN(start, size), floor);
		u64 last = min(ALIGN_UP(end, size), ceiling);

		free_tables_of_level(mm, first, last, level);
	}
}

static void destroy_table(u64 *table, int level)
{
	for (unsigned int i = 0; i < 512; i++) {
		u64 pte = port_pte_read(&table[i]);

		if (pte_is_table(pte, level)) {
			destroy_table(pte_table(pte), level + 1); /* at most three deep */
			sched_point();
		} else if (pte_is_leaf(pte)) {
			pte_release(pte);
		}
	}
	page_put(virt_to_page(table));
}

int pgt_init(struct mm *mm)
{
	struct page *root = page_alloc(ORDER_4K, PAGE_ZEROED);

	if (!root)
		return -ENOMEM;
	spin_init(&mm->pt_lock);
	mm->root = page_to_virt(root);
	return 0;
}

void pgt_clear(struct mm *mm)
{
	spin_lock(&mm->pt_lock);
	for (unsigned int i = 0; i < 512; i++)
		port_pte_write(&mm->root[i], port_pte_read(&mm->root[i]) & ~PTE_VALID);
	port_pte_publish();
	if (asid_ever_used(mm))
		port_tlbi_host_asid(asid_of(mm));
	mm->resident_pages = 0;
	spin_unlock(&mm->pt_lock);
	for (unsigned int i = 0; i < 512; i++) {
		u64 pte = port_pte_read(&mm->root[i]);

		if (pte)
			destroy_table(pte_table(pte), LEVEL_1G);
		port_pte_write(&mm->root[i], 0);
	}
}

void pgt_free_root(struct mm *mm)
{
	page_put(virt_to_page(mm->root));
}
