/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translation tables of the modelled machine: which can be walked, and what each write of a
 * descriptor means for TLBs. Which changes are allowed is in machine_bbm.c.
 */
#include "port/model/machine_priv.h"

enum { ENTRIES = 512 };

struct table *table_of(const struct port *p, const u64 *desc)
{
	const struct machine *m = p->machine;
	u64 offset = (u64)desc - (u64)m->arena;

	return offset < ARENA_TABLES * TABLE_SIZE ? &m->table[offset / TABLE_SIZE] : NULL;
}

u64 *table_page(const struct port *p, const struct table *t)
{
	return p->machine->arena + (u64)(t - p->machine->table) * ENTRIES;
}

pa_t machine_table_pa(const struct port *p, const u64 *table)
{
	return PA(ARENA_PA + ((u64)table - (u64)p->machine->arena));
}

u64 *machine_table_at(const struct port *p, pa_t pa)
{
	return p->machine->arena + (pa.v - ARENA_PA) / sizeof(u64);
}

static struct table *table_at(struct port *p, u64 desc)
{
	struct table *t = table_of(p, machine_table_at(p, PA(desc & M_ADDR)));

	if (!t || t->state != TABLE_LIVE)
		machine_refuse(p, REFUSED_TABLE_STATE, NO_PLACE,
			       "a table descriptor %#lx refers to no live table",
			       (unsigned long)desc);
	return t;
}

static const char *level_name(int level)
{
	static const char *const names[] = { "512G", "1G", "2M", "4K" };

	return names[level];
}

/* ---- linking: what walks can reach, TLBs may hold */

static void link_table(struct port *p, int vm, struct table *t, u64 ipa, int level);

static struct mapping mapping_of(u64 ipa, int level, u64 desc)
{
	return (struct mapping){ ipa, desc, level, m_is_table(desc, level) };
}

static void link_leaf(struct port *p, const u64 *page, u64 index, const struct mapping *leaf)
{
	p->machine->contiguous |= (leaf->desc & M_CONT) != 0;
	if (p->machine->contiguous)
		bbm_check_contiguous(p, page, index, leaf);
	alias_check_make(p, leaf->desc, leaf->level);
	alias_leaf_added(p, leaf);
}

/* A valid entry, at @index of @page, gets into @vm's tree. */
static void link_entry(struct port *p, int vm, const u64 *page, u64 index, struct mapping made)
{
	tlb_check_make(p, vm, &made);
	if (!made.is_table)
		link_leaf(p, page, index, &made);
	tlb_add(p, vm, &made);
	if (made.is_table)
		link_table(p, vm, table_at(p, made.desc), made.ipa, made.level + 1);
}

static void link_table(struct port *p, int vm, struct table *t, u64 ipa, int level)
{
	const u64 *page = table_page(p, t);

	t->linked = true;
	t->was_linked = true;
	t->vm = vm;
	t->ipa = ipa;
	t->level = level;
	for (u64 i = 0; i < ENTRIES; i++) {
		if (page[i] & M_VALID)
			link_entry(p, vm, page, i,
				   mapping_of(ipa + i * m_size(level), level, page[i]));
	}
}

static void unlink_table(struct port *p, int vm, struct table *t);

static void unlink_entry(struct port *p, int vm, struct mapping gone)
{
	tlb_end(p, vm, &gone);
	if (gone.is_table)
		unlink_table(p, vm, table_at(p, gone.desc));
	else
		alias_leaf_gone(p, &gone);
}

static void unlink_table(struct port *p, int vm, struct table *t)
{
	const u64 *page = table_page(p, t);
	int level = t->level;

	t->linked = false;
	for (u64 i = 0; i < ENTRIES; i++) {
		if (page[i] & M_VALID)
			unlink_entry(p, vm, mapping_of(t->ipa + i * m_size(level), level, page[i]));
	}
}

static struct table *root_of(const struct port *p, int vm)
{
	return table_of(p, machine_table_at(p, PA(p->machine->vm[vm].root_pa)));
}

void table_link_root(struct port *p, int vm)
{
	int level = p->machine->vm[vm].start_level;
	struct table *t = root_of(p, vm);

	for (u64 i = 0; i < 1UL << t->order; i++)
		link_table(p, vm, &t[i], i * m_size(level) * ENTRIES, level);
}

void table_unlink_root(struct port *p, int vm)
{
	struct table *t = root_of(p, vm);

	for (u64 i = 0; i < 1UL << t->order; i++) {
		if (t[i].linked)
			unlink_table(p, vm, &t[i]);
	}
}

/* ---- watching writes */

static u64 ipa_of(const struct port *p, const struct table *t, const u64 *desc)
{
	return t->ipa + (u64)(desc - table_page(p, t)) * m_size(t->level);
}

static void note_write(struct port *p, const struct table *t, u64 ipa, u64 old, u64 new_value,
		       enum event_kind kind)
{
	struct event *e = history_add(p, kind);
	u64 leaf = m_is_leaf(new_value, t->level) ? new_value : old;

	e->ipa = ipa;
	e->pa = m_is_leaf(leaf, t->level) ? m_leaf_pa(leaf, t->level) : NO_PLACE;
	e->size = m_size(t->level);
	e->a = old;
	e->b = new_value;
	e->vmid = p->machine->vm[t->vm].vmid;
	e->level = (s8)t->level;
}

/* What a write of @new_value over @old at @desc means for walks and TLBs; refuses what is
 * forbidden. Called before the store. */
static void watch(struct port *p, u64 *desc, u64 old, u64 new_value, enum event_kind kind)
{
	struct table *t = table_of(p, desc);
	u64 ipa;

	if (!t->linked || old == new_value)
		return;
	ipa = ipa_of(p, t, desc);
	note_write(p, t, ipa, old, new_value, kind);
	p->machine->writes++;
	if ((old & M_VALID) && (new_value & M_VALID) && !bbm_allows(p, t->level, old, new_value))
		machine_refuse(p, REFUSED_BREAK, ipa,
			       "valid descriptor %#lx at IPA %#lx (%s) changed to %#lx without "
			       "break",
			       (unsigned long)old, (unsigned long)ipa, level_name(t->level),
			       (unsigned long)new_value);
	if (m_is_leaf(new_value, t->level))
		ledger_check_make(p, old, new_value, t->level);
	if (old & M_VALID)
		unlink_entry(p, t->vm, mapping_of(ipa, t->level, old));
	if (new_value & M_VALID)
		link_entry(p, t->vm, table_page(p, t), (u64)(desc - table_page(p, t)),
			   mapping_of(ipa, t->level, new_value));
	p->machine->counts.desc_writes += kind == EVENT_WRITE_DESC;
}

void table_touch(struct port *p, const u64 *desc, enum machine_touch how)
{
	struct machine *m = p->machine;

	if (m->on_touch)
		m->on_touch(m->on_touch_arg, machine_table_pa(p, desc), how);
}

void table_hardware_write(struct port *p, u64 *desc, u64 old, u64 new_value)
{
	table_touch(p, desc, TOUCH_WRITE);
	watch(p, desc, old, new_value, EVENT_HARDWARE_DESC);
	*desc = new_value;
}

/* ---- software's accesses */

static inline void count(struct port *p, const struct table *t)
{
	p->machine->counts.desc_touched[p->cpu] += t && t->was_linked;
}

/* What is used under a lock or in a walk section can't be freed meanwhile: freeing waits. */
static void check_guarded(struct port *p, const struct table *t, const u64 *desc)
{
	const struct machine *m = p->machine;

	if (m->on_step && t->linked && !m->locks_held[p->cpu] && !m->walk_depth[p->cpu])
		machine_refuse(p, REFUSED_TABLE_GRACE, NO_PLACE,
			       "use of a descriptor at %p outside of locks and walk sections",
			       (const void *)desc);
}

static void check_write(struct port *p, const u64 *desc)
{
	const struct table *t = table_of(p, desc);

	count(p, t);
	if (!t || t->state != TABLE_LIVE)
		machine_refuse(p, REFUSED_TABLE_USE, NO_PLACE,
			       "write of a descriptor at %p, which is in no live table",
			       (const void *)desc);
	check_guarded(p, t, desc);
}

static void refuse_read(struct port *p, const u64 *desc)
{
	machine_refuse(p, REFUSED_TABLE_USE, NO_PLACE,
		       "read of a descriptor at %p, which is in a freed table", (const void *)desc);
}

static inline void check_read(struct port *p, const struct table *t, const u64 *desc)
{
	if (!t || (t->state != TABLE_LIVE && t->state != TABLE_RETIRED))
		refuse_read(p, desc);
	check_guarded(p, t, desc);
	count(p, t);
}

/* A scheduling point, if anybody else can see what happens to @desc. */
static void desc_point(struct port *p, const u64 *desc, enum machine_touch how, const char *where)
{
	const struct table *t;

	if (!p->machine->on_step)
		return;
	t = table_of(p, desc);
	if (!t || !t->was_linked)
		return;
	table_touch(p, desc, how);
	machine_step(p, STEP_TOUCH, where);
}

/* Hardware's last chance before a change. It may walk, so its own changes do not come here. */
static void before_change(struct port *p, const u64 *desc)
{
	struct machine *m = p->machine;
	const struct table *t = table_of(p, desc);
	void (*fn)(void *arg) = m->on_change;

	if (!fn || !t || !t->linked)
		return;
	m->on_change = NULL;
	fn(m->on_change_arg);
	m->on_change = fn;
}

u64 machine_desc_load(struct port *p, const u64 *desc)
{
	/* Exploration spends most of its time here, on dumps of empty tables. */
	if (p->machine->on_step)
		desc_point(p, desc, TOUCH_READ, "descriptor load");
	check_read(p, table_of(p, desc), desc);
	return *desc;
}

bool machine_desc_cas(struct port *p, u64 *desc, u64 old, u64 new_value)
{
	desc_point(p, desc, TOUCH_WRITE, "descriptor cas");
	before_change(p, desc);
	check_read(p, table_of(p, desc), desc);
	if (*desc != old)
		return false;
	check_write(p, desc);
	watch(p, desc, old, new_value, EVENT_WRITE_DESC);
	*desc = new_value;
	return true;
}

u64 machine_desc_swap(struct port *p, u64 *desc, u64 new_value)
{
	u64 old;

	desc_point(p, desc, TOUCH_WRITE, "descriptor swap");
	before_change(p, desc);
	check_write(p, desc);
	old = *desc;
	watch(p, desc, old, new_value, EVENT_WRITE_DESC);
	*desc = new_value;
	return old;
}

/* Hardware may write the descriptor at any moment, and a store that does not look loses that. */
static bool hardware_may_write(const struct port *p, const struct table *t, u64 d)
{
	u64 vtcr;

	if (!t->linked || !m_is_leaf(d, t->level))
		return false;
	vtcr = p->machine->vm[t->vm].vtcr;
	return (vtcr & M_VTCR_HA) && (!(d & M_AF) || ((vtcr & M_VTCR_HD) && (d & M_DBM)));
}

void machine_desc_store(struct port *p, u64 *desc, u64 value)
{
	const struct table *t;

	desc_point(p, desc, TOUCH_WRITE, "descriptor store");
	check_write(p, desc);
	t = table_of(p, desc);
	if (hardware_may_write(p, t, *desc))
		machine_refuse(p, REFUSED_LOST, ipa_of(p, t, desc),
			       "plain store over descriptor %#lx of IPA %#lx, which hardware may "
			       "update",
			       (unsigned long)*desc, (unsigned long)ipa_of(p, t, desc));
	watch(p, desc, *desc, value, EVENT_WRITE_DESC);
	*desc = value;
}
