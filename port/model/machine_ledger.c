/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger of maintenance of the modelled machine, by page: whether the host's writes are in
 * memory yet, whether instruction caches may hold older code, whether a guest may have left stale
 * lines behind. It knows what is owed; machine_line.c knows what would be seen.
 */
#include "port/model/machine_priv.h"

#include <stdlib.h>

void ledger_reset(struct machine *m)
{
	keymap_reset(&m->pages);
}

void ledger_delete(struct machine *m)
{
	keymap_delete(&m->pages);
	free(m->page);
}

static struct page_state *page_find(const struct port *p, u64 pa)
{
	struct machine *m = p->machine;
	u32 i = keymap_find(&m->pages, pa >> 12);

	return i == KEYMAP_NONE ? NULL : &m->page[i];
}

static struct page_state *page_get(struct port *p, u64 pa)
{
	struct machine *m = p->machine;
	struct page_state *s = page_find(p, pa);
	u32 i;

	if (s)
		return s;
	i = keymap_add(&m->pages, pa >> 12, &m->page, sizeof(*m->page));
	s = &m->page[i];
	*s = (struct page_state){ .pfn = pa >> 12 };
	return s;
}

/* ---- what a mapping owes */

static bool is_write_back(const struct port *p, u64 desc)
{
	return guest_type(&p->caps, desc) == MACHINE_WB;
}

static void check_page(struct port *p, u64 pa, u64 desc, bool gains_exec, bool is_new)
{
	struct page_state *s = page_find(p, pa);

	/* With FWB a write-back mapping is coherent with the host's; all others bypass its lines.
	 */
	if (s && is_new && s->dirty && !(p->caps.fwb && is_write_back(p, desc)))
		machine_refuse(p, REFUSED_CLEAN, pa,
			       "page %#lx is mapped while the host's lines are dirty",
			       (unsigned long)pa);
	if (s && gains_exec && s->icache_stale && !p->caps.dic)
		machine_refuse(p, REFUSED_IC, pa,
			       "page %#lx may be fetched from stale instruction caches",
			       (unsigned long)pa);
	if (is_new && !p->caps.fwb && is_write_back(p, desc))
		page_get(p, pa)->owed = true;
}

void ledger_check_make(struct port *p, u64 old, u64 desc, int level)
{
	bool is_new = !(old & M_VALID) || ((old ^ desc) & ~M_SOFT);
	bool gains_exec = !(desc & M_XN) && (is_new || (old & M_XN));
	u64 pa = m_leaf_pa(desc, level);

	if (!is_new && !gains_exec)
		return;
	if (!p->machine->pages.used && p->caps.fwb)
		return; /* nothing is owed, and nothing will be */
	for (u64 end = pa + m_size(level); pa < end; pa += 4096)
		check_page(p, pa, desc, gains_exec, is_new);
}

/* ---- ranges: by address, or all pages there are if these are fewer */

static struct page_state *range_next(const struct port *p, u64 pa, u64 size, u64 *at)
{
	struct machine *m = p->machine;
	u64 first = pa >> 12, end = (pa + size + 4095) >> 12;
	bool all = m->pages.used < end - first;

	while (*at < (all ? m->pages.used : end - first)) {
		u64 n = (*at)++;
		u32 i = all ? (u32)n : keymap_find(&m->pages, first + n);

		if (i != KEYMAP_NONE && m->page[i].pfn >= first && m->page[i].pfn < end)
			return &m->page[i];
	}
	return NULL;
}

/* ---- maintenance */

void ledger_dcache(struct port *p, u64 pa, u64 size)
{
	struct page_state *s;

	for (u64 at = 0; (s = range_next(p, pa, size, &at)) != NULL;) {
		s->dirty = false;
		/* Done while a TLB may still map the page, it leaves what the guest does next. */
		if (s->owed && !alias_is_mapped(p, s->pfn << 12, 4096))
			s->owed = false;
	}
}

/* Without IDC, code that is still dirty would be fetched stale again. */
static void icache_done(const struct port *p, struct page_state *s)
{
	if (!(s->dirty && !p->caps.idc))
		s->icache_stale = false;
}

void ledger_icache(struct port *p, u64 pa, u64 size)
{
	struct page_state *s;

	for (u64 at = 0; (s = range_next(p, pa, size, &at)) != NULL;)
		icache_done(p, s);
}

void ledger_icache_all(struct port *p)
{
	struct machine *m = p->machine;

	for (u32 i = 0; i < m->pages.used; i++)
		icache_done(p, &m->page[i]);
}

/* ---- the host */

void machine_host_writes(struct port *p, pa_t pa, u64 size)
{
	struct event *e = history_add(p, EVENT_HOST_WRITES);

	e->pa = pa.v;
	e->size = size;
	for (u64 a = pa.v; a < pa.v + size; a += 4096) {
		struct page_state *s = page_get(p, a);

		s->dirty = true;
		s->icache_stale = true;
	}
}

void machine_host_takes(struct port *p, pa_t pa, u64 size)
{
	struct event *e = history_add(p, EVENT_HOST_TAKES);
	struct page_state *s;

	e->pa = pa.v;
	e->size = size;
	if (alias_is_mapped(p, pa.v, size))
		machine_refuse(p, REFUSED_TLBI, pa.v,
			       "page %#lx goes to another owner while a TLB may map it",
			       (unsigned long)pa.v);
	for (u64 at = 0; (s = range_next(p, pa.v, size, &at)) != NULL;) {
		if (s->owed)
			machine_refuse(
				p, REFUSED_CLEAN, s->pfn << 12,
				"page %#lx goes to another owner, its clean after tear-down owed",
				(unsigned long)s->pfn << 12);
	}
}
