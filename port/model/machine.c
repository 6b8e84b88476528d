/* SPDX-License-Identifier: Apache-2.0 */
/* The modelled machine: life, refusals, memory, locks, guest accesses. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "port/model/machine_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- refusals */

void machine_refuse(struct port *p, const char *fmt, ...)
{
	struct machine *m = p->machine;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m->refusal, sizeof(m->refusal), fmt, ap);
	va_end(ap);
	if (m->catching)
		longjmp(m->catch, 1);
	fprintf(stderr, "model: refused: %s\n", m->refusal);
	abort();
}

void port_bug(struct port *p, const char *what)
{
	machine_refuse(p, "the engine found a broken invariant: %s", what);
}

bool machine_refuses(struct port *p, void (*fn)(void *arg), void *arg)
{
	struct machine *m = p->machine;

	m->refusal[0] = '\0';
	m->catching = true;
	if (!setjmp(m->catch))
		fn(arg);
	m->catching = false;
	return m->refusal[0] != '\0';
}

const char *machine_refusal(const struct port *p)
{
	return p->machine->refusal;
}

/* ---- life */

static void *must(void *mem)
{
	if (mem && mem != MAP_FAILED)
		return mem;
	perror("model: no memory");
	abort();
}

struct port *machine_new(const struct port_caps *caps)
{
	struct port *p = must(calloc(1, sizeof(*p)));
	struct machine *m = must(calloc(1, sizeof(*m)));

	p->caps = *caps;
	p->machine = m;
	if (caps->fwb && !caps->idc) {
		fprintf(stderr, "model: FWB implies IDC\n");
		abort();
	}
	m->arena = must(mmap(NULL, ARENA_TABLES * TABLE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
	m->table = must(calloc(ARENA_TABLES, sizeof(*m->table)));
	m->next_pa = PAGES_PA;
	m->writes = 1;
	for (int i = 0; i < MACHINE_CPUS; i++)
		m->loaded[i] = -1;
	tlb_init(&m->tlb);
	return p;
}

static void header_free(struct machine *m, struct header *h);

u64 machine_delete(struct port *p)
{
	struct machine *m = p->machine;
	u64 live;

	memset(m->walk_depth, 0, sizeof(m->walk_depth));
	machine_quiesce(p);
	live = m->live;
	while (m->allocated)
		header_free(m, m->allocated);
	munmap(m->arena, ARENA_TABLES * TABLE_SIZE);
	free(m->table);
	free(m->tlb.entry);
	free(m->page);
	free(m);
	free(p);
	return live;
}

u64 machine_live(const struct port *p)
{
	return p->machine->live;
}

void machine_cpu(struct port *p, unsigned int cpu)
{
	p->cpu = cpu;
}

const struct machine_counts *machine_counts(const struct port *p)
{
	return &p->machine->counts;
}

void machine_fail_alloc(struct port *p, u64 nth)
{
	p->machine->fail_nth = nth;
}

void machine_deafen(struct port *p, enum machine_deafness what)
{
	p->machine->deaf[what] = true;
}

void machine_hear_again(struct port *p)
{
	memset(p->machine->deaf, 0, sizeof(p->machine->deaf));
}

void machine_on_relax(struct port *p, void (*fn)(void *arg), void *arg)
{
	p->machine->on_relax = fn;
	p->machine->on_relax_arg = arg;
}

void machine_on_write_lock(struct port *p, void (*fn)(void *arg), void *arg)
{
	p->machine->on_write_lock = fn;
	p->machine->on_write_lock_arg = arg;
}

void machine_on_change(struct port *p, void (*fn)(void *arg), void *arg)
{
	p->machine->on_change = fn;
	p->machine->on_change_arg = arg;
}

/* ---- memory */

/* Allocation may sleep: not under a lock, not in a walk section. True: this one is to fail. */
static bool allocation_fails(struct port *p)
{
	struct machine *m = p->machine;

	if (m->locks_held[p->cpu])
		machine_refuse(p, "allocation, which may sleep, with a lock held");
	if (m->walk_depth[p->cpu])
		machine_refuse(p, "allocation, which may sleep, in a walk section");
	return m->fail_nth && --m->fail_nth == 0;
}

u64 *machine_table_alloc(struct port *p, unsigned int order)
{
	struct machine *m = p->machine;
	u32 count = 1U << order, first = (m->tables_used + count - 1) & ~(count - 1);

	if (allocation_fails(p))
		return NULL;
	if (first + count > ARENA_TABLES)
		machine_refuse(p, "the model's %d tables are used up", ARENA_TABLES);
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
		machine_refuse(p, "free of table %p, which is not allocated", (void *)page);
	if (t->order != order)
		machine_refuse(p, "free of a table with order %u, allocated with %u", order,
			       t->order);
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

	if (is_root(p, t, page))
		tlb_forget_vm(p, t->vm);
	else if (t && t->linked)
		machine_refuse(p, "free of a table that is linked at IPA %#lx level %d",
			       (unsigned long)t->ipa, t->level);
	else if (t && t->was_linked)
		machine_refuse(p, "a table that software may walk is freed without a grace period");
	tlb_check_table_free(p, machine_table_pa(p, page));
	table_kill(p, page, order);
}

static void grace_add(struct port *p, struct grace_item item)
{
	struct grace_item *g = must(malloc(sizeof(*g)));

	*g = item;
	g->next = p->machine->grace;
	p->machine->grace = g;
}

void machine_table_retire(struct port *p, u64 *page)
{
	struct table *t = table_of(p, page);

	if (!t || t->state != TABLE_LIVE)
		machine_refuse(p, "table %p retired, but it is not live", (void *)page);
	if (t->linked)
		machine_refuse(p, "a table is retired that is linked at IPA %#lx level %d",
			       (unsigned long)t->ipa, t->level);
	tlb_check_table_free(p, machine_table_pa(p, page));
	t->state = TABLE_RETIRED;
	grace_add(p, (struct grace_item){ .table = page });
}

/* What is handed out has a header in front, by which all of it can be found again. */
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
	h = must(calloc(1, sizeof(*h) + size));
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
		machine_refuse(p, "free of %zu bytes, allocated as %zu", size, h->size);
	p->machine->live--;
	header_free(p->machine, h);
}

void machine_release_after_grace(struct port *p, void *mem, size_t size)
{
	if (mem)
		grace_add(p, (struct grace_item){ .mem = mem, .size = size });
}

void machine_quiesce(struct port *p)
{
	struct machine *m = p->machine;

	for (int cpu = 0; cpu < MACHINE_CPUS; cpu++) {
		if (m->walk_depth[cpu])
			machine_refuse(p, "a quiescent state in a walk section");
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

void machine_walk_enter(struct port *p)
{
	p->machine->walk_depth[p->cpu]++;
}

void machine_walk_leave(struct port *p)
{
	if (p->machine->walk_depth[p->cpu]-- == 0)
		machine_refuse(p, "a walk section is left that was not entered");
}

/* ---- locks: one CPU executes at a time, so who finds a lock taken would wait for ever
 * ------------ */

void machine_read_lock(struct port *p, struct port_rwlock *l)
{
	if (l->writer)
		machine_refuse(p, "dead lock: read lock while held for writing");
	l->readers++;
	p->machine->locks_held[p->cpu]++;
}

void machine_read_unlock(struct port *p, struct port_rwlock *l)
{
	if (l->readers-- == 0)
		machine_refuse(p, "read unlock of a lock that is not held");
	p->machine->locks_held[p->cpu]--;
}

void machine_write_lock(struct port *p, struct port_rwlock *l)
{
	if (p->machine->on_write_lock)
		p->machine->on_write_lock(p->machine->on_write_lock_arg);
	if (l->writer || l->readers)
		machine_refuse(p, "dead lock: write lock while held");
	l->writer = true;
	p->machine->locks_held[p->cpu]++;
}

void machine_write_unlock(struct port *p, struct port_rwlock *l)
{
	if (!l->writer)
		machine_refuse(p, "write unlock of a lock that is not held");
	l->writer = false;
	p->machine->locks_held[p->cpu]--;
}

void machine_relax_point(struct port *p)
{
	struct machine *m = p->machine;

	m->counts.relax++;
	if (m->locks_held[p->cpu])
		machine_refuse(p, "relax point with a lock held");
	if (!m->on_relax || m->in_relax)
		return;
	m->in_relax = true;
	m->on_relax(m->on_relax_arg);
	m->in_relax = false;
}

/* ---- the guest */

static int vm_find(const struct machine *m, u64 root_pa)
{
	for (int i = 0; i < MAX_VMS; i++) {
		if (m->vm[i].used && m->vm[i].root_pa == root_pa)
			return i;
	}
	return -1;
}

static int vm_new(struct port *p, u64 root_pa, u64 vtcr)
{
	struct machine *m = p->machine;

	for (int i = 0; i < MAX_VMS; i++) {
		if (m->vm[i].used)
			continue;
		m->vm[i] = (struct vm_known){
			.root_pa = root_pa,
			.vtcr = vtcr,
			.start_level = 2 - (int)((vtcr >> 6) & 3), /* SL0 */
			.used = true,
		};
		return i;
	}
	machine_refuse(p, "more VMs than the model knows");
}

void machine_guest_enter(struct port *p, u64 vttbr, u64 vtcr)
{
	struct machine *m = p->machine;
	u64 root_pa = vttbr & M_ADDR;
	u16 vmid = (u16)(vttbr >> 48);
	int vm = vm_find(m, root_pa);
	bool is_new = vm < 0;

	if (!vmid)
		machine_refuse(p, "guest entry with VMID 0");
	if (is_new)
		vm = vm_new(p, root_pa, vtcr);
	if (m->vm[vm].vmid != vmid) {
		tlb_renumber(p, vm, vmid);
		m->vm[vm].vmid = vmid;
		table_link_root(p, vm);
	}
	m->loaded[p->cpu] = vm;
}

void machine_guest_leave(struct port *p)
{
	p->machine->loaded[p->cpu] = -1;
}

static enum machine_type type_of(u64 desc)
{
	u64 attr = (desc & M_MEMATTR) >> 2;

	if (attr == 0x5)
		return MACHINE_NC;
	return attr == 0x1 ? MACHINE_DEVICE : MACHINE_WB;
}

static bool allows(u64 desc, enum machine_op op)
{
	switch (op) {
	case MACHINE_READ: return (desc & M_READ) != 0;
	case MACHINE_WRITE: return (desc & M_WRITE) != 0;
	case MACHINE_FETCH: return !(desc & M_XN) && type_of(desc) == MACHINE_WB;
	}
	return false;
}

static struct machine_access finish(u64 desc, int level, u64 ipa, enum machine_op op)
{
	struct machine_access a = { .fault = MF_PERMISSION, .level = level };

	if (!allows(desc, op))
		return a;
	return (struct machine_access){
		.pa = PA((desc & M_ADDR) + (ipa & (m_size(level) - 1))),
		.type = type_of(desc),
	};
}

/* Writable, but not written yet. */
static bool is_clean(const struct vm_known *vm, u64 desc)
{
	return (desc & (M_DBM | M_WRITE)) == M_DBM && (vm->vtcr & M_VTCR_HA) &&
	       (vm->vtcr & M_VTCR_HD);
}

/* What hardware makes of leaf @d: one atomic update of Access flag and dirty state. */
static u64 hardware_update(const struct vm_known *vm, u64 d, enum machine_op op)
{
	if (vm->vtcr & M_VTCR_HA)
		d |= M_AF;
	if (op == MACHINE_WRITE && is_clean(vm, d))
		d |= M_WRITE;
	return d;
}

/* A fresh walk. Hardware sets the Access flag if VTCR_EL2.HA says so, and dirty state by HD. */
static struct machine_access walk(struct port *p, const struct vm_known *vm, u64 ipa,
				  enum machine_op op)
{
	u64 *entry = machine_table_at(p, PA(vm->root_pa)) + ipa / m_size(vm->start_level);

	for (int level = vm->start_level;; level++) {
		u64 d = *entry, updated;

		if (!(d & M_VALID))
			return (struct machine_access){ .fault = MF_TRANSLATION, .level = level };
		if (m_is_table(d, level)) {
			entry = machine_table_at(p, PA(d & M_ADDR)) +
				ipa / m_size(level + 1) % (TABLE_SIZE / 8);
			continue;
		}
		updated = hardware_update(vm, d, op);
		if (!(updated & M_AF))
			return (struct machine_access){ .fault = MF_ACCESS_FLAG, .level = level };
		if (updated != d) {
			table_watch(p, entry, d, updated);
			*entry = updated;
		}
		return finish(updated, level, ipa, op);
	}
}

struct machine_access machine_access(struct port *p, ipa_t ipa, enum machine_op op)
{
	struct machine *m = p->machine;
	int vm = m->loaded[p->cpu];
	const struct tlb_entry *stale;

	if (vm < 0)
		machine_refuse(p, "a guest access on CPU %u, which runs none", p->cpu);
	if (ipa.v >> (64 - (m->vm[vm].vtcr & 63)))
		return (struct machine_access){ .fault = MF_TRANSLATION };
	stale = tlb_stale(p, vm, ipa.v);
	if (stale && !(op == MACHINE_WRITE && is_clean(&m->vm[vm], stale->desc)))
		return finish(stale->desc, stale->level, ipa.v, op);
	return walk(p, &m->vm[vm], ipa.v, op);
}

/* ---- the host */

pa_t machine_pages(struct port *p, u64 size)
{
	struct machine *m = p->machine;
	u64 pa = (m->next_pa + size - 1) & ~(size - 1);

	m->next_pa = pa + size;
	return PA(pa);
}
