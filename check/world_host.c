/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's memory: mappings whose leaves a driver makes at once or when they are asked for, and
 * takes away again. Each change of a leaf is announced to the VMs before and after (M13). The mm
 * lock serialises changes and faults; one entry is read or written at one moment, as under a
 * page-table lock.
 */
#include <stdlib.h>
#include <string.h>

#include "check/world_priv.h"
#include "engine/coherence.h"

static struct world_result done(void)
{
	return (struct world_result){ .error = ERR_OK };
}

static struct world_result fails(int error)
{
	return (struct world_result){ .error = error };
}

void *world_must(void *mem)
{
	if (!mem)
		abort();
	return mem;
}

static enum machine_attr attr_of(u8 type)
{
	static const enum machine_attr attrs[MEM_TYPE_COUNT] = {
		[MEM_WB] = ATTR_WB,
		[MEM_NC] = ATTR_NC,
		[MEM_DEVICE] = ATTR_DEVICE,
	};

	return attrs[type];
}

/* ---- finding */

struct mapping *host_mapping(struct world *w, u64 hva)
{
	for (int i = 0; i < WORLD_MAPS; i++) {
		struct mapping *m = &w->map[i];

		if (m->used && hva >= m->conf.hva.v && hva < m->conf.hva.v + m->conf.size &&
		    !m->leaf[page_of(hva, m->conf.hva.v)].gone)
			return m;
	}
	return NULL;
}

struct leaf *host_leaf_at(struct world *w, u64 hva)
{
	struct mapping *m = host_mapping(w, hva);

	return m ? &m->leaf[page_of(hva, m->conf.hva.v)] : NULL;
}

bool host_name_pa(const struct world *w, u64 pa, const char **name, u64 *offset)
{
	for (int i = 0; i < WORLD_MAPS; i++) {
		const struct mapping *m = &w->map[i];

		for (u64 k = 0; m->used && k < m->npages; k++) {
			if (m->leaf[k].pa != (pa & PAGE_MASK))
				continue;
			*name = m->name;
			*offset = k << PAGE_SHIFT;
			return true;
		}
	}
	return false;
}

/* ---- pages and their owners */

static u64 page_take(struct world *w, enum mem_reach reach)
{
	struct free_pages *f = &w->free[reach];

	if (f->count)
		return f->pa[--f->count];
	return reach == REACH_ALIAS ? machine_pages(w->port, PAGE_SIZE).v
				    : machine_device_pages(w->port, PAGE_SIZE).v;
}

/* The page has no owner; what he wrote is in it. */
static void page_give(struct world *w, enum mem_reach reach, u64 pa)
{
	struct free_pages *f = &w->free[reach];

	machine_host_takes(w->port, PA(pa), PAGE_SIZE);
	machine_hand_over(w->port, PA(pa), PAGE_SIZE, "the host");
	if (f->count < WORLD_FREE)
		f->pa[f->count++] = pa;
}

/* Of a page the first and the last line are looked at. */
static const u64 looked_at[] = { 0, PAGE_SIZE - MACHINE_LINE };

static void page_cmo(struct world *w, u64 pa, enum machine_cmo op)
{
	for (size_t i = 0; i < ARRAY_SIZE(looked_at); i++)
		machine_line_cmo(w->port, PA(pa + looked_at[i]), op);
}

/* A new owner gets zeroes. Memory out of reach is the device's: it is not cleared. */
static void page_clear(struct world *w, const struct mapping *m, const struct leaf *l)
{
	enum machine_attr attr = w->sabotage == SABOTAGE_OLD_CONTENTS ? ATTR_NC : ATTR_WB;

	if (m->conf.reach == REACH_NONE)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(looked_at); i++)
		(void)machine_line_write(w->port, PA(l->pa + looked_at[i]), attr);
	if (l->type != MEM_WB)
		page_cmo(w, l->pa, CMO_CLEAN_INVAL);
	machine_hand_over(w->port, PA(l->pa), PAGE_SIZE, m->name);
}

/* ---- one entry of the table */

static void leaf_show(struct world *w, struct mapping *m, u64 page)
{
	struct leaf *l = &m->leaf[page];

	l->present = true;
	if (!l->poisoned)
		machine_host_map(w->port, m->conf.hva.v + (page << PAGE_SHIFT), PA(l->pa),
				 PAGE_SIZE, attr_of(l->type));
}

static void leaf_hide(struct world *w, struct mapping *m, u64 page)
{
	struct leaf *l = &m->leaf[page];

	if (l->present)
		machine_host_unmap(w->port, m->conf.hva.v + (page << PAGE_SHIFT), PAGE_SIZE);
	l->present = false;
}

/* Leaves come as blocks where they are blocks: all of one. */
static void leaf_populate(struct world *w, struct mapping *m, u64 page)
{
	u64 count = level_size(m->leaf[page].level) >> PAGE_SHIFT, first = page & ~(count - 1);

	for (u64 i = first; i < min(first + count, m->npages); i++) {
		struct leaf *l = &m->leaf[i];

		if (l->present || l->gone)
			continue;
		if (!l->pa) {
			l->pa = page_take(w, m->conf.reach);
			page_clear(w, m, l);
		}
		leaf_show(w, m, i);
	}
}

/* A block has one permission. */
static void leaf_relax(struct mapping *m, u64 page)
{
	u64 count = level_size(m->leaf[page].level) >> PAGE_SHIFT, first = page & ~(count - 1);

	for (u64 i = first; i < min(first + count, m->npages); i++)
		m->leaf[i].writable = true;
}

/* ---- what the engine asks */

static int ops_leaf(void *host, hva_t hva, struct host_leaf *out)
{
	struct world *w = host;
	struct mapping *m = host_mapping(w, hva.v);
	struct leaf *l = host_leaf_at(w, hva.v);

	if (!m)
		return ERR_FAULT;
	if (l->poisoned)
		return ERR_HWPOISON;
	if (!l->present)
		return ERR_NOENT;
	*out = (struct host_leaf){
		.pa = PA(l->pa + (hva.v & (PAGE_SIZE - 1))),
		.type = (enum mem_type)l->type,
		.reach = m->conf.reach,
		.owner = m->conf.owner,
		.writable = l->writable && m->writable,
		.level = l->level,
	};
	stage_point(w->stage, "host leaf read");
	return ERR_OK;
}

static int serve(struct world *w, struct mapping *m, u64 page, enum mem_access access)
{
	struct leaf *l = &m->leaf[page];

	if (access == MEM_WRITE && !m->writable)
		return ERR_PERM;
	if (l->poisoned)
		return ERR_HWPOISON;
	if (!l->present) {
		leaf_populate(w, m, page);
		m->special |= m->conf.special_lazily;
	}
	if (access == MEM_WRITE && !l->writable) {
		if (m->conf.refuses_mkwrite)
			return ERR_FAULT;
		leaf_relax(m, page);
	}
	return ERR_OK;
}

static int ops_fault(void *host, hva_t hva, enum mem_access access)
{
	struct world *w = host;
	struct mapping *m;
	int error = ERR_FAULT;

	stage_mutex_lock(w->stage, &w->mm);
	m = host_mapping(w, hva.v);
	if (m)
		error = serve(w, m, page_of(hva.v, m->conf.hva.v), access);
	stage_mutex_unlock(w->stage, &w->mm);
	return error;
}

static int ops_area(void *host, hva_t hva, hva_t end, struct host_area *out)
{
	struct world *w = host;
	struct mapping *first = NULL;
	u64 at = ALIGN_DOWN(hva.v, PAGE_SIZE), to;

	/* Pages that were unmapped part their neighbours. */
	while (at < end.v && !(first = host_mapping(w, at)))
		at += PAGE_SIZE;
	if (!first)
		return ERR_NOENT;
	for (to = at; to < end.v && host_mapping(w, to) == first; to += PAGE_SIZE)
		;
	*out = (struct host_area){
		.start = HVA(at),
		.end = HVA(to),
		.type = first->conf.declared,
		.owner = first->conf.owner,
		.special = first->special,
		.writable = first->writable,
	};
	return ERR_OK;
}

const struct host_ops world_host_ops = { ops_leaf, ops_fault, ops_area };

/* ---- changes, announced */

static void notify_begin(struct world *w, u64 start, u64 end, u32 told)
{
	for (unsigned int i = 0; i < WORLD_VMS; i++) {
		if (told >> i & 1)
			guest_mem_invalidate_begin(&w->vm[i].m, HVA(start), HVA(end));
	}
}

/* Only VMs that were told of the beginning are told of the end: none comes or goes meanwhile. */
static void notify_end(struct world *w, u64 start, u64 end, u32 told)
{
	for (unsigned int i = 0; i < WORLD_VMS; i++) {
		if (told >> i & 1)
			guest_mem_invalidate_end(&w->vm[i].m, HVA(start), HVA(end));
	}
}

/* VMs that take part in an announcement stay until it is over. */
static u32 hold_vms(struct world *w)
{
	u32 held = 0;

	for (unsigned int i = 0; i < WORLD_VMS; i++) {
		if (!w->vm[i].created || w->vm[i].detached)
			continue;
		w->vm[i].users++;
		held |= 1U << i;
	}
	return held;
}

static void release_vms(struct world *w, u32 held)
{
	for (unsigned int i = 0; i < WORLD_VMS; i++) {
		if (held >> i & 1)
			vm_unuse(&w->vm[i]);
	}
}

/* A block of which a part changes falls apart first. */
static void break_block(struct mapping *m, u64 page)
{
	u64 count = level_size(m->leaf[page].level) >> PAGE_SHIFT, first = page & ~(count - 1);

	for (u64 i = first; count > 1 && i < min(first + count, m->npages); i++)
		m->leaf[i].level = LEVEL_4K;
}

static void break_blocks(struct mapping *m, u64 hva, u64 size)
{
	for (u64 at = hva; at < hva + size; at += PAGE_SIZE) {
		u64 page = page_of(at, m->conf.hva.v), block = level_size(m->leaf[page].level);
		u64 base = ALIGN_DOWN(at, block);

		if (base < hva || base + block > hva + size)
			break_block(m, page);
	}
}

/* Applies @change to the pages of [@hva, @hva + @size). */
static struct world_result change_pages(struct world *w, u64 hva, u64 size, u64 arg,
					void (*change)(struct world *w, struct mapping *m, u64 page,
						       u64 arg))
{
	struct mapping *m;
	u32 held;

	stage_mutex_lock(w->stage, &w->mm);
	m = host_mapping(w, hva);
	if (!m || !size || hva + size > m->conf.hva.v + m->conf.size) {
		stage_mutex_unlock(w->stage, &w->mm);
		return fails(ERR_FAULT);
	}
	held = hold_vms(w);
	if (w->sabotage != SABOTAGE_NO_NOTIFIER && w->sabotage != SABOTAGE_LATE_NOTIFIER)
		notify_begin(w, hva, hva + size, held);
	stage_point(w->stage, "host change");
	break_blocks(m, hva, size);
	for (u64 at = hva; at < hva + size; at += PAGE_SIZE)
		change(w, m, page_of(at, m->conf.hva.v), arg);
	stage_point(w->stage, "host changed");
	if (w->sabotage == SABOTAGE_LATE_NOTIFIER)
		notify_begin(w, hva, hva + size, held);
	if (w->sabotage != SABOTAGE_NO_NOTIFIER)
		notify_end(w, hva, hva + size, held);
	release_vms(w, held);
	stage_mutex_unlock(w->stage, &w->mm);
	return done();
}

static void change_unmap(struct world *w, struct mapping *m, u64 page, u64 arg)
{
	struct leaf *l = &m->leaf[page];

	(void)arg;
	leaf_hide(w, m, page);
	if (l->pa)
		page_give(w, m->conf.reach, l->pa);
	l->pa = 0;
	l->gone = true;
}

/* A mapping of which nothing is left makes room for others. */
static void forget_empty(struct world *w)
{
	for (int i = 0; i < WORLD_MAPS; i++) {
		struct mapping *m = &w->map[i];
		bool any = false;

		for (u64 k = 0; m->used && k < m->npages && !any; k++)
			any = !m->leaf[k].gone;
		m->used = any;
	}
}

/* munmap(): what is left may have holes. */
struct world_result world_host_unmap(struct world *w, hva_t hva, u64 size)
{
	u64 before = descriptors_now(w);
	struct world_result r = change_pages(w, hva.v, size, 0, change_unmap);

	forget_empty(w);
	r.descriptors = descriptors_now(w) - before;
	return r;
}

/* What mprotect() of a page, or of the whole mapping, changes. */
enum { PERMIT_WRITE = 1, OF_VMA = 2 };

static void change_permission(struct world *w, struct mapping *m, u64 page, u64 arg)
{
	(void)w;
	/* The VMA's permission is that of mprotect() for all of it; a part is the leaves' alone. */
	if (arg & OF_VMA)
		m->writable = arg & PERMIT_WRITE;
	m->leaf[page].writable = arg & PERMIT_WRITE;
}

struct world_result world_host_protect(struct world *w, hva_t hva, u64 size, enum host_protect how)
{
	u64 before = descriptors_now(w), arg = how == HOST_PROTECT_WRITE ? PERMIT_WRITE : 0;
	const struct mapping *m = host_mapping(w, hva.v);
	struct world_result r;

	if (m && m->conf.size == size)
		arg |= OF_VMA;
	r = change_pages(w, hva.v, size, arg, change_permission);
	r.descriptors = descriptors_now(w) - before;
	return r;
}

static void change_type(struct world *w, struct mapping *m, u64 page, u64 arg)
{
	struct leaf *l = &m->leaf[page];
	bool was_present = l->present;

	leaf_hide(w, m, page);
	/* Who changes how a page is cached cleans it and drops its lines, as a driver must. */
	if (l->pa && l->type != arg && (l->type == MEM_WB || arg == MEM_WB))
		page_cmo(w, l->pa, CMO_CLEAN_INVAL);
	l->type = (u8)arg;
	if (was_present)
		leaf_show(w, m, page);
}

struct world_result world_host_retype(struct world *w, hva_t hva, u64 size, enum mem_type type)
{
	u64 before = descriptors_now(w);
	struct world_result r = change_pages(w, hva.v, size, type, change_type);

	r.descriptors = descriptors_now(w) - before;
	return r;
}

/* The copy is read through the host's mapping, which must see what the guest wrote. */
static void change_page(struct world *w, struct mapping *m, u64 page, u64 arg)
{
	struct leaf *l = &m->leaf[page];
	u64 old = l->pa;

	(void)arg;
	if (!old || m->conf.reach == REACH_NONE)
		return;
	leaf_hide(w, m, page);
	machine_hand_over(w->port, PA(old), PAGE_SIZE, "the host");
	for (size_t i = 0; i < ARRAY_SIZE(looked_at); i++)
		(void)machine_line_read(w->port, PA(old + looked_at[i]), attr_of(l->type));
	l->pa = page_take(w, m->conf.reach);
	page_clear(w, m, l);
	leaf_show(w, m, page);
	page_give(w, m->conf.reach, old);
}

struct world_result world_host_migrate(struct world *w, hva_t hva, u64 size)
{
	u64 before = descriptors_now(w);
	struct leaf *l = host_leaf_at(w, hva.v);
	struct world_result r;

	if (!l || l->level != LEVEL_4K)
		return fails(ERR_INVAL);
	r = change_pages(w, hva.v, size, 0, change_page);
	r.descriptors = descriptors_now(w) - before;
	return r;
}

static void change_level(struct world *w, struct mapping *m, u64 page, u64 arg)
{
	(void)w;
	m->leaf[page].level = (s8)arg;
}

/* Are the pages of the block there, one behind the other, and alike? */
static bool can_be_block(const struct mapping *m, u64 first, u64 count)
{
	const struct leaf *a = &m->leaf[first];

	if (first + count > m->npages || (a->pa & ((count << PAGE_SHIFT) - 1)))
		return false;
	for (u64 i = 0; i < count; i++) {
		const struct leaf *l = &m->leaf[first + i];

		if (!l->present || l->pa != a->pa + (i << PAGE_SHIFT) || l->type != a->type ||
		    l->writable != a->writable)
			return false;
	}
	return true;
}

struct world_result world_host_regroup(struct world *w, hva_t hva, s8 level)
{
	struct mapping *m = host_mapping(w, hva.v);
	u64 before = descriptors_now(w), count = level_size(level) >> PAGE_SHIFT, page, size;
	struct world_result r;

	if (!m)
		return fails(ERR_FAULT);
	page = page_of(hva.v, m->conf.hva.v);
	size = level_size(min(level, m->leaf[page].level));
	if (!IS_ALIGNED(hva.v, size) || (level < LEVEL_4K && !can_be_block(m, page, count)))
		return fails(ERR_INVAL);
	r = change_pages(w, hva.v, size, (u64)level, change_level);
	r.descriptors = descriptors_now(w) - before;
	return r;
}

static void change_poison(struct world *w, struct mapping *m, u64 page, u64 arg)
{
	(void)arg;
	leaf_hide(w, m, page);
	m->leaf[page].poisoned = true;
}

struct world_result world_host_poison(struct world *w, hva_t hva)
{
	return change_pages(w, ALIGN_DOWN(hva.v, PAGE_SIZE), PAGE_SIZE, 0, change_poison);
}

struct world_result world_host_age(struct world *w, hva_t hva, u64 size, enum s2_age how)
{
	u64 before = descriptors_now(w);
	struct world_result r = done();

	stage_mutex_lock(w->stage, &w->mm);
	for (unsigned int i = 0; i < WORLD_VMS; i++) {
		struct wvm *v = vm_use(w, i);

		if (!v)
			continue;
		r.count += guest_mem_age(&v->m, hva, HVA(hva.v + size), how);
		vm_unuse(v);
	}
	stage_mutex_unlock(w->stage, &w->mm);
	r.descriptors = descriptors_now(w) - before;
	return r;
}

/* ---- new mappings */

static struct mapping *mapping_free(struct world *w)
{
	for (int i = 0; i < WORLD_MAPS; i++) {
		if (!w->map[i].used)
			return &w->map[i];
	}
	return NULL;
}

/* Memory as contiguous and aligned as the leaves may ever be. */
static u64 memory_take(struct world *w, const struct host_map *conf)
{
	u64 size = PAGE_SIZE, need = max(conf->size, level_size(conf->level));

	while (size < need)
		size *= 2;
	return conf->reach == REACH_ALIAS ? machine_pages(w->port, size).v
					  : machine_device_pages(w->port, size).v;
}

static bool overlaps(struct world *w, const struct host_map *conf)
{
	for (int i = 0; i < WORLD_MAPS; i++) {
		const struct host_map *c = &w->map[i].conf;

		if (w->map[i].used && c->hva.v < conf->hva.v + conf->size &&
		    conf->hva.v < c->hva.v + c->size)
			return true;
	}
	return false;
}

static void mapping_make(struct world *w, struct mapping *m, const struct host_map *conf)
{
	u64 pa = memory_take(w, conf);

	free(m->leaf);
	*m = (struct mapping){
		.conf = *conf,
		.npages = conf->size >> PAGE_SHIFT,
		.used = true,
		.special = conf->special,
		.writable = conf->vma_writable,
	};
	(void)snprintf(m->name, sizeof(m->name), "%s", conf->name ? conf->name : "memory");
	m->leaf = world_must(calloc(m->npages, sizeof(*m->leaf)));
	for (u64 i = 0; i < m->npages; i++) {
		m->leaf[i] = (struct leaf){
			.pa = pa + (i << PAGE_SHIFT),
			.type = (u8)conf->type,
			.level = conf->level,
			.writable = conf->leaf_writable,
			.poisoned = conf->poisoned,
		};
		if (!conf->lazy)
			leaf_show(w, m, i);
	}
}

struct world_result world_host_map(struct world *w, const struct host_map *conf)
{
	struct mapping *m;

	if (!conf->size || ((conf->size | conf->hva.v) & (level_size(conf->level) - 1)))
		return fails(ERR_INVAL);
	if (conf->size > WORLD_MAP_MAX || conf->hva.v > BIT(48) - conf->size)
		return fails(ERR_INVAL);
	stage_mutex_lock(w->stage, &w->mm);
	m = mapping_free(w);
	if (!m || overlaps(w, conf)) {
		stage_mutex_unlock(w->stage, &w->mm);
		return fails(m ? ERR_EXIST : ERR_NOMEM);
	}
	mapping_make(w, m, conf);
	stage_mutex_unlock(w->stage, &w->mm);
	return done();
}

/* ---- the VMM and the device */

static bool slot_shows(const struct wslot *s, u64 hva, u64 *ipa)
{
	*ipa = s->r.ipa.v + ALIGN_DOWN(hva - s->r.hva.v, PAGE_SIZE);
	return s->used && hva >= s->r.hva.v && hva < s->r.hva.v + s->r.size;
}

/* What the VM says of a page: the sum over the slots that show it; false: none does. */
static bool owed_by(struct wvm *v, u64 hva, enum coherence_agent agent, unsigned int *all)
{
	bool shown = false;
	u64 ipa;

	for (int k = 0; k < WORLD_SLOTS; k++) {
		struct coherence_report report = { .done = 0 };

		if (!slot_shows(&v->slot[k], hva, &ipa) ||
		    coherence_query(&v->m, IPA(ipa), PAGE_SIZE, &report) != ERR_OK)
			continue;
		*all |= report.owed[agent];
		shown = true;
	}
	return shown;
}

/*
 * Which maintenance user space does for a page before and after @agent uses it: what the VMs whose
 * slots show it say when they are asked (M11), and nothing else; where no VM has it, a driver what
 * goes for memory of which nothing is known. The mm lock is held.
 */
static unsigned int owed(struct world *w, u64 hva, enum coherence_agent agent)
{
	unsigned int all = OWED_NOTHING;
	bool shown = false;

	if (w->sabotage == SABOTAGE_NO_CLEAN)
		return OWED_NOTHING;
	for (unsigned int i = 0; i < WORLD_VMS; i++) {
		struct wvm *v = vm_use(w, i); /* it is not to end while it is asked */

		if (!v)
			continue;
		shown |= owed_by(v, hva, agent, &all);
		vm_unuse(v);
	}
	if (!shown && agent != AGENT_VMM)
		return coherence_owed(COHERENCE_UNKNOWN, agent);
	return all;
}

static void pay(struct world *w, const struct leaf *l, unsigned int is_owed)
{
	if (is_owed)
		machine_line_cmo(w->port, PA(l->pa), CMO_CLEAN_INVAL);
}

/* The leaf as an access of the VMM's own finds it; the mm lock is held. */
static struct leaf *touch(struct world *w, u64 hva, enum mem_access access, int *error)
{
	struct mapping *m = host_mapping(w, hva);

	*error = m ? serve(w, m, page_of(hva, m->conf.hva.v), access) : ERR_FAULT;
	return *error ? NULL : host_leaf_at(w, hva);
}

static void host_read(struct world *w, u64 hva, struct world_result *r)
{
	const struct leaf *l = touch(w, hva, MEM_READ, &r->error);

	if (!l)
		return;
	pay(w, l, owed(w, hva, AGENT_VMM) & OWED_BEFORE_READ);
	r->version = machine_line_read(w->port, PA(l->pa), attr_of(l->type));
}

static void host_write(struct world *w, u64 hva, struct world_result *r)
{
	const struct leaf *l = touch(w, hva, MEM_WRITE, &r->error);
	unsigned int is_owed;

	if (!l)
		return;
	is_owed = owed(w, hva, AGENT_VMM);
	pay(w, l, is_owed & OWED_BEFORE_WRITE);
	r->version = machine_line_write(w->port, PA(l->pa), attr_of(l->type));
	pay(w, l, is_owed & OWED_AFTER_WRITE);
	/* Code is the new owner's to rely on only if nobody could run it yet. */
	if (sequential(w) && !oracle_is_mapped(w, hva))
		machine_hand_over(w->port, PA(l->pa), MACHINE_LINE, "a guest");
	else
		machine_publish_data(w->port, PA(l->pa), MACHINE_LINE);
}

/* Around a transfer of its device the driver does the maintenance that it is told to. */
static void host_dma(struct world *w, u64 hva, enum machine_dma how, bool is_write,
		     struct world_result *r)
{
	const struct leaf *l = touch(w, hva, is_write ? MEM_WRITE : MEM_READ, &r->error);
	unsigned int is_owed;

	if (!l)
		return;
	is_owed = owed(w, hva, how == DMA_BYPASS ? AGENT_DMA_BYPASS : AGENT_DMA_SNOOPS);
	pay(w, l, is_owed & (is_write ? OWED_BEFORE_WRITE : OWED_BEFORE_READ));
	r->version = is_write ? machine_dma_write(w->port, PA(l->pa), how)
			      : machine_dma_read(w->port, PA(l->pa), how);
	if (is_write)
		pay(w, l, is_owed & OWED_AFTER_WRITE);
}

struct world_result world_host_read(struct world *w, hva_t hva)
{
	struct world_result r = done();

	stage_mutex_lock(w->stage, &w->mm);
	host_read(w, hva.v, &r);
	stage_mutex_unlock(w->stage, &w->mm);
	return r;
}

struct world_result world_host_write(struct world *w, hva_t hva)
{
	struct world_result r = done();

	stage_mutex_lock(w->stage, &w->mm);
	host_write(w, hva.v, &r);
	stage_mutex_unlock(w->stage, &w->mm);
	return r;
}

struct world_result world_told(struct world *w, hva_t hva)
{
	struct world_result r = done();
	const struct leaf *l;

	stage_mutex_lock(w->stage, &w->mm);
	l = host_leaf_at(w, hva.v);
	if (l && l->present)
		machine_publish_data(w->port, PA(l->pa), PAGE_SIZE);
	else
		r.error = ERR_FAULT;
	stage_mutex_unlock(w->stage, &w->mm);
	return r;
}

struct world_result world_dma(struct world *w, hva_t hva, enum machine_dma how, bool is_write)
{
	struct world_result r = done();

	stage_mutex_lock(w->stage, &w->mm);
	host_dma(w, hva.v, how, is_write, &r);
	stage_mutex_unlock(w->stage, &w->mm);
	return r;
}

void host_reset(struct world *w)
{
	for (int i = 0; i < WORLD_MAPS; i++) {
		free(w->map[i].leaf);
		w->map[i] = (struct mapping){ .used = false };
	}
	for (int r = 0; r < REACH_COUNT; r++)
		w->free[r].count = 0;
}
