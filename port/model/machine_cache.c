/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Caches of the modelled machine, by page: whether the host's writes are in memory yet, whether
 * instruction caches may hold older code, whether a guest may have left stale lines behind.
 */
#include "port/model/machine_priv.h"

#include <stdlib.h>

/* ---- state by page: a hash table that grows
 * ------------------------------------------------------ */

static u64 slot_of(const struct machine *m, u64 pfn)
{
	u64 i = (pfn * 0x9e3779b97f4a7c15UL >> 20) % m->pages_size;

	while (m->page[i].used && m->page[i].pfn != pfn)
		i = (i + 1) % m->pages_size;
	return i;
}

static void rehash(struct machine *m)
{
	struct page_state *old = m->page;
	u64 size = m->pages_size;

	m->pages_size = size ? 2 * size : 4096;
	m->page = calloc(m->pages_size, sizeof(*m->page));
	if (!m->page)
		abort();
	for (u64 i = 0; i < size; i++) {
		if (old[i].used)
			m->page[slot_of(m, old[i].pfn)] = old[i];
	}
	free(old);
}

struct page_state *page_find(const struct port *p, u64 pa)
{
	struct machine *m = p->machine;
	struct page_state *s;

	if (!m->pages_size)
		return NULL;
	s = &m->page[slot_of(m, pa >> 12)];
	return s->used ? s : NULL;
}

struct page_state *page_get_state(struct port *p, u64 pa)
{
	struct machine *m = p->machine;
	struct page_state *s = page_find(p, pa);

	if (s)
		return s;
	if (2 * m->pages >= m->pages_size)
		rehash(m);
	s = &m->page[slot_of(m, pa >> 12)];
	*s = (struct page_state){ .pfn = pa >> 12, .used = true };
	m->pages++;
	return s;
}

/* ---- what a mapping owes */

static bool is_write_back(u64 desc)
{
	u64 attr = (desc & M_MEMATTR) >> 2;

	return attr == 0xf || attr == 0x6;
}

static void check_page(struct port *p, u64 pa, u64 desc, bool gains_exec, bool is_new)
{
	struct page_state *s = page_find(p, pa);

	/* With FWB a write-back mapping is coherent with the host's; all others bypass its lines.
	 */
	if (s && is_new && s->dirty && !(p->caps.fwb && is_write_back(desc)))
		machine_refuse(
			p, "missing clean: page %#lx is mapped while the host's lines are dirty",
			(unsigned long)pa);
	if (s && gains_exec && s->icache_stale && !p->caps.dic)
		machine_refuse(p,
			       "missing IC: page %#lx may be fetched from stale instruction caches",
			       (unsigned long)pa);
	if (is_new && !p->caps.fwb && is_write_back(desc))
		page_get_state(p, pa)->owed = true;
}

void cache_check_make(struct port *p, u64 old, u64 desc, int level)
{
	bool is_new = !(old & M_VALID) || ((old ^ desc) & ~M_SOFT);
	bool gains_exec = !(desc & M_XN) && (is_new || (old & M_XN));
	u64 pa = desc & M_ADDR;

	if (!is_new && !gains_exec)
		return;
	for (u64 end = pa + m_size(level); pa < end; pa += 4096)
		check_page(p, pa, desc, gains_exec, is_new);
}

/* ---- maintenance */

void machine_dcache_clean_inval(struct port *p, pa_t pa, u64 size)
{
	p->machine->counts.dcache_bytes += size;
	p->machine->counts.dsb++;
	if (p->machine->deaf[DEAF_DCACHE])
		return;
	for (u64 a = pa.v & ~4095UL; a < pa.v + size; a += 4096) {
		struct page_state *s = page_find(p, a);

		if (!s)
			continue;
		s->dirty = false;
		/* Done while a TLB may still map the page, it leaves what the guest does next. */
		if (!tlb_maps(p, a, 4096))
			s->owed = false;
	}
}

void machine_icache_inval(struct port *p, pa_t pa, u64 size)
{
	p->machine->counts.icache_bytes += size;
	for (u64 a = pa.v; a < pa.v + size && !p->machine->deaf[DEAF_ICACHE]; a += 4096) {
		struct page_state *s = page_find(p, a);

		/* Without IDC, code that is still dirty would be fetched stale again. */
		if (s && !(s->dirty && !p->caps.idc))
			s->icache_stale = false;
	}
}

void machine_icache_inval_all(struct port *p)
{
	struct machine *m = p->machine;

	m->counts.icache_all++;
	for (u64 i = 0; i < m->pages_size && !m->deaf[DEAF_ICACHE]; i++) {
		if (!(m->page[i].dirty && !p->caps.idc))
			m->page[i].icache_stale = false;
	}
}

/* ---- the host */

void machine_host_writes(struct port *p, pa_t pa, u64 size)
{
	for (u64 a = pa.v; a < pa.v + size; a += 4096) {
		struct page_state *s = page_get_state(p, a);

		s->dirty = true;
		s->icache_stale = true;
	}
}

void machine_host_takes(struct port *p, pa_t pa, u64 size)
{
	if (tlb_maps(p, pa.v, size))
		machine_refuse(p, "page %#lx goes to another owner while a TLB may map it",
			       (unsigned long)pa.v);
	for (u64 a = pa.v; a < pa.v + size; a += 4096) {
		const struct page_state *s = page_find(p, a);

		if (s && s->owed)
			machine_refuse(
				p,
				"page %#lx goes to another owner, its clean after tear-down owed",
				(unsigned long)a);
	}
}
