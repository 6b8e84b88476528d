/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of the modelled machine: tables, allocations, grace periods, addresses of pages. */
#include "port/model/machine_priv.h"

#include <stdlib.h>
#include <string.h>

/* Allocation may sleep: not under a lock, not in a walk section. True: this one is to fail. */
static bool allocation_fails(struct port *p)
{
	struct machine *m = p->machine;

	if (m->locks_held[p->cpu])
		machine_refuse(p, REFUSED_SLEEP, NO_PLACE,
			       "allocation, which may sleep, with a lock held");
	if (m->walk_depth[p->cpu])
		machine_refuse(p, REFUSED_SLEEP, NO_PLACE,
			       "allocation, which may sleep, in a walk section");
	return m->fail_nth && --m->fail_nth == 0;
}

/* ---- tables */

u64 *machine_table_alloc(struct port *p, unsigned int order)
{
	struct machine *m = p->machine;
	u32 count = 1U << order, first = (m->tables_used + count - 1) & ~(count - 1);

	if (allocation_fails(p))
		return NULL;
	if (first + count > ARENA_TABLES)
		machine_refuse(p, REFUSED_MISUSE, NO_PLACE, "the model's %d tables are used up",
			       ARENA_TABLES);
	m->tables_used = first + count;
	for (u32 i = first; i < first + count; i++)
		m->table[i] = (struct table){ .state = TABLE_LIVE, .order = (u8)order };
	m->live++;
	return table_page(p, &m->table[first]);
}

static void table_kill(struct port *p, u64 *page, unsigned int order)
{
	struct table *t = table_of(p, page);

	if (!t || t->state == TABLE_FREED || t->state == TABLE_UNUSED)
		machine_refuse(p, REFUSED_TABLE_STATE, NO_PLACE,
			       "free of table %p, which is not allocated", (void *)page);
	if (t->order != order)
		machine_refuse(p, REFUSED_TABLE_STATE, NO_PLACE,
			       "free of a table with order %u, allocated with %u", order, t->order);
	for (u32 i = 0; i < 1U << order; i++)
		t[i].state = TABLE_FREED;
	p->machine->live--;
}

static bool is_root(const struct port *p, const struct table *t, const u64 *page)
{
	return t && t->linked && p->machine->vm[t->vm].root_pa == machine_table_pa(p, page).v;
}

void machine_table_free(struct port *p, u64 *page, unsigned int order)
{
	struct table *t = table_of(p, page);

	if (is_root(p, t, page)) {
		table_unlink_root(p, t->vm);
		tlb_forget_vm(p, t->vm);
	} else if (t && t->linked) {
		machine_refuse(p, REFUSED_TABLE_LINKED, t->ipa,
			       "free of a table that is linked at IPA %#lx level %d",
			       (unsigned long)t->ipa, t->level);
	} else if (t && t->was_linked) {
		machine_refuse(p, REFUSED_TABLE_GRACE, t->ipa,
			       "a table that software may walk is freed without a grace period");
	}
	tlb_check_table_free(p, machine_table_pa(p, page));
	table_kill(p, page, order);
}

static void grace_add(struct port *p, struct grace_item item)
{
	struct grace_item *g = machine_must(malloc(sizeof(*g)));

	*g = item;
	g->next = p->machine->grace;
	p->machine->grace = g;
}

void machine_table_retire(struct port *p, u64 *page)
{
	struct table *t = table_of(p, page);

	if (!t || t->state != TABLE_LIVE)
		machine_refuse(p, REFUSED_TABLE_STATE, NO_PLACE,
			       "table %p retired, but it is not live", (void *)page);
	if (t->linked)
		machine_refuse(p, REFUSED_TABLE_LINKED, t->ipa,
			       "a table is retired that is linked at IPA %#lx level %d",
			       (unsigned long)t->ipa, t->level);
	tlb_check_table_free(p, machine_table_pa(p, page));
	t->state = TABLE_RETIRED;
	grace_add(p, (struct grace_item){ .table = page });
}

/* ---- other memory: what is handed out has a header in front, by which all of it can be found
 * again */

struct header {
	size_t size;
	struct header *prev, *next;
	u64 pad;
};

void *machine_alloc(struct port *p, size_t size)
{
	struct machine *m = p->machine;
	struct header *h;

	if (allocation_fails(p))
		return NULL;
	h = machine_must(calloc(1, sizeof(*h) + size));
	h->size = size;
	h->next = m->allocated;
	if (h->next)
		h->next->prev = h;
	m->allocated = h;
	m->live++;
	return h + 1;
}

static void header_free(struct machine *m, struct header *h)
{
	if (h->prev)
		h->prev->next = h->next;
	else
		m->allocated = h->next;
	if (h->next)
		h->next->prev = h->prev;
	free(h);
}

void machine_release(struct port *p, void *mem, size_t size)
{
	struct header *h = (struct header *)mem - 1;

	if (!mem)
		return;
	if (h->size != size)
		machine_refuse(p, REFUSED_MISUSE, NO_PLACE, "free of %zu bytes, allocated as %zu",
			       size, h->size);
	p->machine->live--;
	header_free(p->machine, h);
}

void machine_release_after_grace(struct port *p, void *mem, size_t size)
{
	if (mem)
		grace_add(p, (struct grace_item){ .mem = mem, .size = size });
}

/* ---- grace periods */

void machine_quiesce(struct port *p)
{
	struct machine *m = p->machine;

	for (int cpu = 0; cpu < MACHINE_CPUS; cpu++) {
		if (m->walk_depth[cpu])
			machine_refuse(p, REFUSED_SLEEP, NO_PLACE,
				       "a quiescent state of CPU %d in a walk section", cpu);
	}
	while (m->grace) {
		struct grace_item *g = m->grace;

		m->grace = g->next;
		if (g->table)
			table_kill(p, g->table, 0);
		else
			machine_release(p, g->mem, g->size);
		free(g);
	}
}

/* ---- life */

static void free_all(struct machine *m)
{
	while (m->grace) {
		struct grace_item *g = m->grace;

		m->grace = g->next;
		free(g);
	}
	while (m->allocated)
		header_free(m, m->allocated);
	m->live = 0;
}

void memory_delete(struct port *p)
{
	free_all(p->machine);
}

void memory_reset(struct port *p)
{
	struct machine *m = p->machine;

	free_all(m);
	memset(m->table, 0, m->tables_used * sizeof(*m->table));
	memset(m->arena, 0, m->tables_used * TABLE_SIZE);
	m->tables_used = 0;
}

/* ---- addresses */

static pa_t take_addresses(u64 *next, u64 size)
{
	u64 pa = (*next + size - 1) & ~(size - 1);

	*next = pa + size;
	return PA(pa);
}

pa_t machine_pages(struct port *p, u64 size)
{
	return take_addresses(&p->machine->next_pa, size);
}

pa_t machine_device_pages(struct port *p, u64 size)
{
	return take_addresses(&p->machine->next_device_pa, size);
}
