/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idle page tracking. A page that is marked has the Access flag taken from every leaf that maps it,
 * in programs and (by the notifiers) in guests; whether one has it again tells if it was used.
 *
 * There is no way from a page to its mappings: one pass over all tables serves all pages of a call.
 * It ends early when as many mappings were found as the pages have references.
 */
#include "host/pagemap.h"

#include "host/pte.h"
#include "host/task.h"

struct idle_pass {
	struct idle_hint *hint;
	u64 first_pfn, end_pfn;
	u64 wanted[IDLE_WORDS_MAX]; /* pages whose mappings are looked for */
	u64 used[IDLE_WORDS_MAX];   /* of those: used since they were marked */
	u64 left;		    /* references that no mapping was found for yet */
};

static bool bit_test(const u64 *words, u64 bit)
{
	return words[bit / 64] >> (bit % 64) & 1;
}

static void bit_set(u64 *words, u64 bit)
{
	words[bit / 64] |= BIT(bit % 64);
}

u64 idle_end(void)
{
	return (page_end_pfn() + 63) / 64;
}

/* ---- one leaf */

/* Is it of a page that is wanted? Then its bit. */
static bool leaf_is_wanted(const struct idle_pass *p, u64 pte, int level, u64 *bit)
{
	u64 pfn = pte_pa(pte).v >> PAGE_SHIFT;
	u64 pages = level_size(level) >> PAGE_SHIFT;

	if (!pte_is_leaf(pte) || pte_is_special(pte) || pfn + pages <= p->first_pfn ||
	    pfn >= p->end_pfn)
		return false;
	pfn = page_to_phys(phys_to_page(pte_pa(pte))).v >> PAGE_SHIFT;
	*bit = pfn - p->first_pfn;
	return pfn >= p->first_pfn && pfn < p->end_pfn && bit_test(p->wanted, *bit);
}

/* Takes the Access flag from wanted leaves of a run; the first one at or after @addr, whose guests
 * are still to be asked. */
static bool next_wanted(struct idle_pass *p, struct mm *mm, u64 *addr, u64 end, int *level,
			u64 *bit)
{
	struct pte_run r;
	bool found = false, young = false;
	u64 i;

	spin_lock(&mm->pt_lock);
	r = pgt_run_locked(mm, *addr, end);
	i = (max(*addr, r.addr) - r.addr) >> level_shift(r.level);
	for (; i < r.count && !found; i++) {
		found = leaf_is_wanted(p, port_pte_read(&r.entry[i]), r.level, bit);
		*addr = r.addr + (i << level_shift(r.level));
		if (found)
			young = pgt_make_old_locked(mm, &r.entry[i], *addr, r.level);
	}
	spin_unlock(&mm->pt_lock);
	*level = r.level;
	if (!found)
		*addr = pgt_run_end(&r);
	else if (young)
		bit_set(p->used, *bit);
	return found;
}

/* ---- a pass */

/* Mappings in [@addr, @end) of @mm. */
static void pass_visit(struct idle_pass *p, struct mm *mm, u64 addr, u64 end)
{
	mm_read_lock(mm);
	while (addr < end && p->left && !task_kill_pending(port_current())) {
		int level;
		u64 bit;

		if (next_wanted(p, mm, &addr, end, &level, &bit)) {
			if (notify_age(mm, addr, addr + level_size(level)))
				bit_set(p->used, bit);
			p->left--;
			*p->hint = (struct idle_hint){ mm, addr };
			addr += level_size(level);
		}
		sched_point();
	}
	mm_read_unlock(mm);
}

static void pass_visit_all(struct idle_pass *p)
{
	struct idle_hint start = *p->hint;
	struct mm *mm = NULL;

	while ((mm = mm_next(mm))) {
		if (mm == start.mm)
			pass_visit(p, mm, start.addr, TASK_SIZE);
	}
	while ((mm = mm_next(mm)))
		pass_visit(p, mm, 0, mm == start.mm ? start.addr : TASK_SIZE);
}

/* Calls @fn for each page of programs or objects that begins in the range. */
static void pass_pages(struct idle_pass *p,
		       void (*fn)(struct idle_pass *p, struct page *page, u64 bit))
{
	for (u64 pfn = p->first_pfn; pfn < p->end_pfn; pfn++) {
		struct page *page = page_try_get(pfn);

		if (!page)
			continue;
		fn(p, page, pfn - p->first_pfn);
		page_put(page);
	}
}

static void pass_begin(struct idle_pass *p, struct idle_hint *hint, u64 first, u64 count)
{
	p->hint = hint;
	p->first_pfn = first * 64;
	p->end_pfn = min((first + count) * 64, page_end_pfn());
	p->left = 0;
	for (u64 i = 0; i < IDLE_WORDS_MAX; i++) {
		p->wanted[i] = 0;
		p->used[i] = 0;
	}
}

/* One reference is the caller's. */
static void want(struct idle_pass *p, struct page *page, u64 bit)
{
	bit_set(p->wanted, bit);
	p->left += page_refs(page) - 1;
}

static void want_idle(struct idle_pass *p, struct page *page, u64 bit)
{
	if (page_is_idle(page))
		want(p, page, bit);
}

static void forget_used(struct idle_pass *p, struct page *page, u64 bit)
{
	if (bit_test(p->used, bit))
		page_set_idle(page, false);
}

void idle_read(struct idle_hint *hint, u64 first, u64 *words, u64 count)
{
	struct idle_pass p;

	pass_begin(&p, hint, first, count);
	pass_pages(&p, want_idle);
	pass_visit_all(&p);
	pass_pages(&p, forget_used);
	for (u64 i = 0; i < count; i++)
		words[i] = p.wanted[i] & ~p.used[i];
}

struct mark_pass {
	struct idle_pass pass;
	const u64 *asked;
};

static void mark_asked(struct idle_pass *p, struct page *page, u64 bit)
{
	if (!bit_test(container_of(p, struct mark_pass, pass)->asked, bit))
		return;
	page_set_idle(page, true);
	want(p, page, bit);
}

void idle_mark(struct idle_hint *hint, u64 first, const u64 *words, u64 count)
{
	struct mark_pass m = { .asked = words };

	pass_begin(&m.pass, hint, first, count);
	pass_pages(&m.pass, mark_asked);
	pass_visit_all(&m.pass);
}
