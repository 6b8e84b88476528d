/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translation tables of the modelled machine: which can be walked, and what each write of a
 * descriptor means (Arm ARM D8.13, break-before-make).
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
		machine_refuse(p, "a table descriptor %#lx refers to no live table",
			       (unsigned long)desc);
	return t;
}

static const char *level_name(int level)
{
	static const char *const names[] = { "512G", "1G", "2M", "4K" };

	return names[level];
}

/* ---- linking: what walks can reach, TLBs may hold */

static void link_entry(struct port *p, int vm, u64 ipa, int level, u64 desc);

static void link_table(struct port *p, int vm, struct table *t, u64 ipa, int level)
{
	const u64 *page = table_page(p, t);

	t->linked = true;
	t->was_linked = true;
	t->vm = vm;
	t->ipa = ipa;
	t->level = level;
	for (u64 i = 0; i < ENTRIES; i++)
		link_entry(p, vm, ipa + i * m_size(level), level, page[i]);
}

static void link_entry(struct port *p, int vm, u64 ipa, int level, u64 desc)
{
	if (!(desc & M_VALID))
		return;
	tlb_check_make(p, vm, ipa, level, desc, m_is_table(desc, level));
	tlb_add(p, vm, ipa, level, desc, m_is_table(desc, level));
	if (m_is_table(desc, level))
		link_table(p, vm, table_at(p, desc), ipa, level + 1);
}

static void unlink_entry(struct port *p, int vm, u64 ipa, int level, u64 desc);

static void unlink_table(struct port *p, int vm, struct table *t)
{
	const u64 *page = table_page(p, t);

	t->linked = false;
	for (u64 i = 0; i < ENTRIES; i++)
		unlink_entry(p, vm, t->ipa + i * m_size(t->level), t->level, page[i]);
}

static void unlink_entry(struct port *p, int vm, u64 ipa, int level, u64 desc)
{
	if (!(desc & M_VALID))
		return;
	tlb_end(p, vm, ipa, level, desc, m_is_table(desc, level));
	if (m_is_table(desc, level))
		unlink_table(p, vm, table_at(p, desc));
}

void table_link_root(struct port *p, int vm)
{
	const struct vm_known *v = &p->machine->vm[vm];
	struct table *t = table_of(p, machine_table_at(p, PA(v->root_pa)));
	u64 span = m_size(v->start_level) * ENTRIES;

	for (u64 i = 0; i < 1UL << t->order; i++)
		link_table(p, vm, &t[i], i * span, v->start_level);
}

/* ---- watching writes */

static bool only_soft_change(u64 old, u64 new_value)
{
	return ((old ^ new_value) & ~M_SOFT) == 0;
}

/* Does the table translate as block @block at @level does, attribute by attribute? */
static bool translates_as(const struct port *p, u64 table_desc, u64 block, int level)
{
	const u64 *page = machine_table_at(p, PA(table_desc & M_ADDR));
	u64 child = (block & ~M_TABLE) | (level + 1 == 3 ? M_TABLE : 0);

	for (u64 i = 0; i < ENTRIES; i++) {
		if (page[i] != child + i * m_size(level + 1))
			return false;
	}
	return true;
}

/* FEAT_BBM level 2: a block may become a table of the same translations, and the reverse, without
 * break and without nT (D8.16.1). */
static bool only_size_change(const struct port *p, int level, u64 old, u64 new_value)
{
	if (p->caps.bbm < 2 || m_is_table(old, level) == m_is_table(new_value, level))
		return false;
	return m_is_table(old, level) ? translates_as(p, old, new_value, level)
				      : translates_as(p, new_value, old, level);
}

static void check_valid_to_valid(struct port *p, const struct table *t, u64 ipa, u64 old,
				 u64 new_value)
{
	if (m_is_leaf(old, t->level) && m_is_leaf(new_value, t->level) &&
	    only_soft_change(old, new_value))
		return;
	if (only_size_change(p, t->level, old, new_value))
		return;
	machine_refuse(p, "valid descriptor %#lx at IPA %#lx (%s) changed to %#lx without break",
		       (unsigned long)old, (unsigned long)ipa, level_name(t->level),
		       (unsigned long)new_value);
}

void table_watch(struct port *p, u64 *desc, u64 old, u64 new_value)
{
	struct table *t = table_of(p, desc);
	u64 ipa;

	if (!t || t->state != TABLE_LIVE)
		machine_refuse(p, "write of a descriptor at %p, which is in no live table",
			       (void *)desc);
	if (!t->linked || old == new_value)
		return;
	ipa = t->ipa + (u64)(desc - table_page(p, t)) * m_size(t->level);
	p->machine->writes++;
	p->machine->counts.desc_writes++;
	if ((old & M_VALID) && (new_value & M_VALID))
		check_valid_to_valid(p, t, ipa, old, new_value);
	if (m_is_leaf(new_value, t->level))
		cache_check_make(p, old, new_value, t->level);
	unlink_entry(p, t->vm, ipa, t->level, old);
	link_entry(p, t->vm, ipa, t->level, new_value);
}

u64 machine_desc_load(struct port *p, const u64 *desc)
{
	const struct table *t = table_of(p, desc);

	if (!t || (t->state != TABLE_LIVE && t->state != TABLE_RETIRED))
		machine_refuse(p, "read of a descriptor at %p, which is in a freed table",
			       (const void *)desc);
	return *desc;
}

/* Hardware's last chance before a change; it may walk, so its own changes do not come here. */
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

bool machine_desc_cas(struct port *p, u64 *desc, u64 old, u64 new_value)
{
	before_change(p, desc);
	if (machine_desc_load(p, desc) != old)
		return false;
	table_watch(p, desc, old, new_value);
	*desc = new_value;
	return true;
}

u64 machine_desc_swap(struct port *p, u64 *desc, u64 new_value)
{
	u64 old;

	before_change(p, desc);
	old = machine_desc_load(p, desc);
	table_watch(p, desc, old, new_value);
	*desc = new_value;
	return old;
}
