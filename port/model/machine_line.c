/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contents of the modelled machine's memory and caches, by line. There is one data cache, coherent
 * for all CPUs; below it the point of unification, then the point of coherency, which is memory. A
 * version stands for what was written. Lines nobody has touched have version 0 everywhere.
 */
#include "port/model/machine_priv.h"

#include <stdlib.h>
#include <string.h>

void line_reset(struct machine *m)
{
	keymap_reset(&m->lines);
}

void line_delete(struct machine *m)
{
	keymap_delete(&m->lines);
	free(m->line);
}

/* Good until the next line is touched. */
static struct line *line_get(struct port *p, u64 pa)
{
	struct machine *m = p->machine;
	u64 base = pa & ~(MACHINE_LINE - 1);
	u32 i = keymap_find(&m->lines, base);

	if (i == KEYMAP_NONE) {
		i = keymap_add(&m->lines, base, &m->line, sizeof(*m->line));
		memset(&m->line[i], 0, sizeof(m->line[i]));
		m->line[i].pa = base;
		for (int cpu = 0; cpu < MACHINE_CPUS; cpu++)
			m->line[i].icache_epoch[cpu] = m->icache_epoch[cpu] - 1;
	}
	return &m->line[i];
}

static void note(struct port *p, enum event_kind kind, u64 pa, u64 version)
{
	struct event *e = history_add(p, kind);

	e->pa = pa;
	e->size = MACHINE_LINE;
	e->a = version;
}

/* ---- instruction caches */

static bool icache_holds(const struct port *p, const struct line *l, unsigned int cpu)
{
	return !p->caps.dic && l->icache_epoch[cpu] == p->machine->icache_epoch[cpu];
}

static void icache_fill(const struct port *p, struct line *l, unsigned int cpu, u64 version)
{
	l->icache[cpu] = version;
	l->icache_epoch[cpu] = p->machine->icache_epoch[cpu];
}

static void icache_drop(const struct port *p, struct line *l)
{
	for (unsigned int cpu = 0; cpu < p->caps.cpus; cpu++)
		l->icache_epoch[cpu] = p->machine->icache_epoch[cpu] - 1;
}

void line_icache_all(struct port *p, u32 cpus)
{
	for (unsigned int cpu = 0; cpu < MACHINE_CPUS; cpu++)
		p->machine->icache_epoch[cpu] += cpus >> cpu & 1;
}

/* What an instruction fetch that misses gets: with IDC the data cache is above the point of
 * unification. */
static u64 fetched(const struct port *p, const struct line *l)
{
	if (p->caps.idc && l->cached)
		return l->cache;
	return l->pou_held ? l->pou : l->mem;
}

static bool icaches_have(const struct port *p, const struct line *l, u64 version)
{
	for (unsigned int cpu = 0; cpu < p->caps.cpus; cpu++) {
		if (!icache_holds(p, l, cpu) || l->icache[cpu] != version)
			return false;
	}
	return true;
}

/* Before what a fetch would get changes: the last moment to have fetched it as it was. */
static void icache_may_fill(struct port *p, struct line *l)
{
	u64 version = fetched(p, l);

	if (!p->machine->on_choice || p->caps.dic || icaches_have(p, l, version) ||
	    !alias_is_executable(p, l->pa))
		return;
	if (!machine_choose(p, MAY_FILL_ICACHE, 2))
		return;
	for (unsigned int cpu = 0; cpu < p->caps.cpus; cpu++)
		icache_fill(p, l, cpu, version);
	note(p, EVENT_ICACHE_FILL, l->pa, version);
}

/* ---- the data cache */

static void write_back(struct port *p, struct line *l)
{
	if (!l->cached || !l->dirty)
		return;
	if (!p->caps.idc)
		icache_may_fill(p, l);
	l->mem = l->cache;
	l->dirty = false;
	l->pou_held = false;
}

static void clean_inval(struct port *p, struct line *l)
{
	write_back(p, l);
	l->cached = false;
	l->pou_held = false;
}

static void clean_pou(struct port *p, struct line *l)
{
	if (!l->cached || !l->dirty || p->caps.idc)
		return;
	icache_may_fill(p, l);
	l->pou = l->cache;
	l->pou_held = true;
}

/* Who throws away his own write has no claim to it; what he was handed is still due. */
static void inval(struct line *l)
{
	if (l->cached && l->dirty && l->cache > l->due)
		l->last = l->mem;
	l->cached = false;
	l->dirty = false;
	l->pou_held = false;
}

static void fill(struct line *l)
{
	l->cache = l->mem;
	l->cached = true;
	l->dirty = false;
	l->pou_held = false;
}

enum access { ANY_ACCESS, WRITE_BELOW }; /* below the data cache */

/* Would it make a difference now? A clean line matters once memory is another, an absent one if
 * memory is about to be. */
static bool can_move(const struct port *p, const struct line *l, enum access how)
{
	if (l->cached)
		return l->dirty || l->cache != l->mem;
	return how == WRITE_BELOW && alias_is_cacheable(p, l->pa);
}

static void may_move(struct port *p, struct line *l, enum access how)
{
	if (!p->machine->on_choice || !can_move(p, l, how) || !machine_choose(p, MAY_MOVE_LINE, 2))
		return;
	if (l->cached) {
		note(p, EVENT_LINE_EVICT, l->pa, l->cache);
		clean_inval(p, l);
	} else {
		note(p, EVENT_LINE_FILL, l->pa, l->mem);
		fill(l);
	}
}

static void cmo(struct port *p, struct line *l, enum machine_cmo op)
{
	switch (op) {
	case CMO_CLEAN: write_back(p, l); break;
	case CMO_CLEAN_INVAL: clean_inval(p, l); break;
	case CMO_INVAL: inval(l); break;
	case CMO_CLEAN_POU: clean_pou(p, l); break;
	case CMO_IC: icache_drop(p, l); break;
	}
}

void machine_line_cmo(struct port *p, pa_t pa, enum machine_cmo op)
{
	note(p, EVENT_CMO, pa.v & ~(MACHINE_LINE - 1), op);
	cmo(p, line_get(p, pa.v), op);
}

/* ---- ranges: by address, or all lines there are if these are fewer */

static struct line *range_next(struct port *p, u64 pa, u64 size, u64 *at)
{
	struct machine *m = p->machine;
	u64 first = pa / MACHINE_LINE, end = (pa + size + MACHINE_LINE - 1) / MACHINE_LINE;
	bool all = m->lines.used < end - first;

	while (*at < (all ? m->lines.used : end - first)) {
		u64 n = (*at)++;
		u32 i = all ? (u32)n : keymap_find(&m->lines, (first + n) * MACHINE_LINE);

		if (i != KEYMAP_NONE && m->line[i].pa / MACHINE_LINE >= first &&
		    m->line[i].pa / MACHINE_LINE < end)
			return &m->line[i];
	}
	return NULL;
}

void line_cmo_range(struct port *p, u64 pa, u64 size, enum machine_cmo op)
{
	struct line *l;

	for (u64 at = 0; (l = range_next(p, pa, size, &at)) != NULL;)
		cmo(p, l, op);
}

void machine_hand_over(struct port *p, pa_t pa, u64 size, const char *owner)
{
	struct event *e = history_add(p, EVENT_HAND_OVER);
	struct line *l;

	e->pa = pa.v;
	e->size = size;
	e->text = owner;
	for (u64 at = 0; (l = range_next(p, pa.v, size, &at)) != NULL;) {
		l->due = l->last;
		l->due_fetch = l->last;
		l->owner = owner;
	}
}

void machine_publish_data(struct port *p, pa_t pa, u64 size)
{
	struct event *e = history_add(p, EVENT_PUBLISH);
	struct line *l;

	e->pa = pa.v;
	e->size = size;
	for (u64 at = 0; (l = range_next(p, pa.v, size, &at)) != NULL;)
		l->due = l->last;
}

/* ---- accesses */

static const char *cache_state(const struct line *l)
{
	if (!l->cached)
		return "not cached";
	return l->dirty ? "cached, dirty" : "cached, clean";
}

static void check_due(struct port *p, const struct line *l, u64 seen, bool is_fetch)
{
	u64 due = is_fetch ? l->due_fetch : l->due;

	if (seen >= due)
		return;
	machine_refuse(p, is_fetch ? REFUSED_STALE_FETCH : REFUSED_STALE_READ, l->pa,
		       "line %#lx is seen as version %lu by CPU %u, but %lu is due%s%s (in memory "
		       "%lu; %s %lu)",
		       (unsigned long)l->pa, (unsigned long)seen, p->cpu, (unsigned long)due,
		       l->owner ? " since it went to " : "", l->owner ? l->owner : "",
		       (unsigned long)l->mem, cache_state(l), (unsigned long)l->cache);
}

/* A write below the data cache. If that holds a dirty line, the last word is open: the writer's own
 * fault, unless it was there when he got the memory. */
static void write_below(struct line *l, u64 version)
{
	bool left_behind = l->cached && l->dirty && l->cache <= l->due;

	l->mem = version;
	if (!l->cached || !l->dirty || left_behind)
		l->last = version;
	if (left_behind)
		l->due = version;
}

u64 machine_line_write(struct port *p, pa_t pa, enum machine_attr attr)
{
	struct line *l = line_get(p, pa.v);
	u64 version;

	may_move(p, l, attr == ATTR_WB ? ANY_ACCESS : WRITE_BELOW);
	if (p->caps.idc || attr != ATTR_WB)
		icache_may_fill(p, l);
	version = ++p->machine->version;
	if (attr == ATTR_WB) {
		l->cache = version;
		l->cached = true;
		l->dirty = true;
		l->last = version;
	} else {
		write_below(l, version);
	}
	note(p, EVENT_LINE_WRITE, l->pa, version);
	return version;
}

u64 machine_line_read(struct port *p, pa_t pa, enum machine_attr attr)
{
	struct line *l = line_get(p, pa.v);
	u64 seen;

	may_move(p, l, ANY_ACCESS);
	if (attr == ATTR_WB && !l->cached)
		fill(l);
	seen = attr == ATTR_WB ? l->cache : l->mem;
	note(p, EVENT_LINE_READ, l->pa, seen);
	check_due(p, l, seen, false);
	return seen;
}

/* Non-cacheable fetches go to memory, past all caches. */
u64 line_fetch(struct port *p, pa_t pa, enum machine_attr attr)
{
	struct line *l = line_get(p, pa.v);
	u64 seen;

	may_move(p, l, ANY_ACCESS);
	if (attr != ATTR_WB) {
		seen = l->mem;
	} else if (icache_holds(p, l, p->cpu) && !machine_choose(p, MAY_DROP_ICACHE, 2)) {
		seen = l->icache[p->cpu];
	} else {
		seen = fetched(p, l);
		icache_fill(p, l, p->cpu, seen);
	}
	note(p, EVENT_LINE_FETCH, l->pa, seen);
	check_due(p, l, seen, true);
	return seen;
}

u64 machine_line_fetch(struct port *p, pa_t pa)
{
	return line_fetch(p, pa, ATTR_WB);
}

/* ---- devices */

u64 machine_dma_write(struct port *p, pa_t pa, enum machine_dma how)
{
	struct line *l = line_get(p, pa.v);
	u64 version;

	may_move(p, l, how == DMA_COHERENT ? ANY_ACCESS : WRITE_BELOW);
	icache_may_fill(p, l);
	version = ++p->machine->version;
	if (how == DMA_COHERENT) {
		l->cached = false;
		l->dirty = false;
		l->pou_held = false;
	}
	write_below(l, version);
	note(p, EVENT_DMA_WRITE, l->pa, version);
	return version;
}

u64 machine_dma_read(struct port *p, pa_t pa, enum machine_dma how)
{
	struct line *l = line_get(p, pa.v);
	u64 seen;

	may_move(p, l, ANY_ACCESS);
	seen = how == DMA_COHERENT && l->cached ? l->cache : l->mem;
	note(p, EVENT_DMA_READ, l->pa, seen);
	check_due(p, l, seen, false);
	return seen;
}
