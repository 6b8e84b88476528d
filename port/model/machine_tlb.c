/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the TLBs of the modelled machine hold. Every CPU holds every translation that could be
 * walked since it was last invalidated (Arm ARM R_SQBCS: an implementation may cache any). Stage-2
 * entries and entries that combine both stages are invalidated apart (machine_tlbi.c).
 */
#include "port/model/machine_priv.h"

#include <stdlib.h>
#include <string.h>

/* ---- the set */

void tlb_init(struct tlb *t)
{
	*t = (struct tlb){ .free = TLB_NONE, .stale = TLB_NONE, .generation = 1 };
	t->bucket = machine_must(calloc(TLB_BUCKETS, sizeof(*t->bucket)));
}

void tlb_reset(struct tlb *t)
{
	t->top = 0;
	t->free = TLB_NONE;
	t->stale = TLB_NONE;
	memset(t->at_level, 0, sizeof(t->at_level));
	memset(t->wide_at, 0, sizeof(t->wide_at));
	if (++t->generation == 0) {
		memset(t->bucket, 0, TLB_BUCKETS * sizeof(*t->bucket));
		t->generation = 1;
	}
}

void tlb_delete(struct tlb *t)
{
	free(t->entry);
	free(t->bucket);
}

static u32 all_cpus(const struct port *p)
{
	return (1U << p->caps.cpus) - 1;
}

static struct tlb_bucket *bucket_at(const struct tlb *t, u16 vmid, u64 ipa, int level)
{
	u64 key = (ipa / m_size(level)) * 0x9e3779b97f4a7c15UL ^ (u64)vmid << 20 ^ (u64)level << 8;

	return &t->bucket[(key ^ key >> 29) % TLB_BUCKETS];
}

/* The first entry that may be the one sought, or TLB_NONE. */
static int chain(const struct tlb *t, u16 vmid, u64 ipa, int level)
{
	const struct tlb_bucket *b = bucket_at(t, vmid, ipa, level);

	return b->generation == t->generation ? b->head : TLB_NONE;
}

static int take_entry(struct tlb *t)
{
	int i = t->free;

	if (i != TLB_NONE) {
		t->free = t->entry[i].next;
		return i;
	}
	if (t->top == t->size) {
		t->size = t->size ? 2 * t->size : 256;
		t->entry = machine_must(realloc(t->entry, (size_t)t->size * sizeof(*t->entry)));
	}
	return t->top++;
}

void tlb_add(struct port *p, int vm, const struct mapping *a)
{
	struct tlb *t = &p->machine->tlb;
	u16 vmid = p->machine->vm[vm].vmid;
	struct tlb_bucket *b = bucket_at(t, vmid, a->ipa, a->level);
	int i;

	if (!vmid)
		return; /* the VM has no number now, so nothing walks its tables */
	if (!a->is_table && !(a->desc & M_AF))
		return; /* without the Access flag it may not be cached (D8.5.1) */
	if (m_is_uncached(p, a))
		return;
	i = take_entry(t);
	t->entry[i] = (struct tlb_entry){
		.ipa = a->ipa,
		.desc = a->desc,
		.stage2 = all_cpus(p),
		.combined = all_cpus(p),
		.vmid = vmid,
		.level = (s8)a->level,
		.is_table = a->is_table,
		.vm = vm,
		.next = chain(t, vmid, a->ipa, a->level),
		.used = true,
	};
	*b = (struct tlb_bucket){ t->generation, i };
	t->at_level[a->level][a->is_table]++;
	t->wide_at[a->level] += m_is_wide(a);
}

static void stale_add(struct tlb *t, struct tlb_entry *e)
{
	int i = (int)(e - t->entry);

	e->stale_prev = TLB_NONE;
	e->stale_next = t->stale;
	if (t->stale != TLB_NONE)
		t->entry[t->stale].stale_prev = i;
	t->stale = i;
}

static void stale_remove(struct tlb *t, const struct tlb_entry *e)
{
	if (e->stale_prev != TLB_NONE)
		t->entry[e->stale_prev].stale_next = e->stale_next;
	else
		t->stale = e->stale_next;
	if (e->stale_next != TLB_NONE)
		t->entry[e->stale_next].stale_prev = e->stale_prev;
}

/* A stale entry maps memory; what a current one maps is counted where the descriptor is. */
static void stale_enter(struct port *p, struct tlb_entry *e)
{
	struct mapping a = tlb_mapping(e);

	stale_add(&p->machine->tlb, e);
	if (!e->is_table)
		alias_leaf_added(p, &a);
}

static void stale_leave(struct port *p, const struct tlb_entry *e)
{
	struct mapping a = tlb_mapping(e);

	stale_remove(&p->machine->tlb, e);
	if (!e->is_table)
		alias_leaf_gone(p, &a);
}

void tlb_drop(struct port *p, struct tlb_entry *e)
{
	struct tlb *t = &p->machine->tlb;
	int i = (int)(e - t->entry), *link = &bucket_at(t, e->vmid, e->ipa, e->level)->head;
	struct mapping a = tlb_mapping(e);

	while (*link != i)
		link = &t->entry[*link].next;
	*link = e->next;
	t->at_level[(int)e->level][e->is_table]--;
	t->wide_at[(int)e->level] -= m_is_wide(&a);
	if (e->gone && !e->is_orphan)
		stale_leave(p, e);
	*e = (struct tlb_entry){ .next = t->free };
	t->free = i;
}

void tlb_narrow(struct port *p, struct tlb_entry *e)
{
	struct mapping wide = tlb_mapping(e), narrow;

	alias_leaf_gone(p, &wide);
	e->is_narrow = true;
	narrow = tlb_mapping(e);
	alias_leaf_added(p, &narrow);
	p->machine->tlb.wide_at[(int)e->level] -= m_is_wide(&wide);
}

static void retire_entry(struct port *p, struct tlb_entry *e)
{
	e->gone = p->machine->writes;
	stale_enter(p, e);
}

void tlb_end(struct port *p, int vm, const struct mapping *a)
{
	struct tlb *t = &p->machine->tlb;
	u16 vmid = p->machine->vm[vm].vmid;

	for (int i = chain(t, vmid, a->ipa, a->level); i != TLB_NONE; i = t->entry[i].next) {
		struct tlb_entry *e = &t->entry[i];

		if (e->vm == vm && e->vmid == vmid && e->ipa == a->ipa && e->level == a->level &&
		    e->desc == a->desc && e->is_table == a->is_table && !e->gone) {
			retire_entry(p, e);
			return;
		}
	}
}

/* ---- conflicts */

static void check_entry(struct port *p, u16 vmid, const struct tlb_entry *e,
			const struct mapping *made)
{
	struct mapping held = tlb_mapping(e);

	if (!e->gone || e->vmid != vmid || !tlb_is_held(e) || !mappings_meet(&held, made))
		return;
	/* A walk cache entry above only says where the next table is: judged where it is. */
	if (e->is_table && e->level < made->level)
		return;
	if ((made->is_table && made->level < e->level) || mappings_agree(p, &held, made))
		return;
	machine_refuse(p, REFUSED_TLBI, made->ipa,
		       "descriptor %#lx made valid at IPA %#lx level %d, but a TLB may hold %s "
		       "%#lx of IPA %#lx level %d",
		       (unsigned long)made->desc, (unsigned long)made->ipa, made->level,
		       e->is_table ? "table" : "leaf", (unsigned long)e->desc,
		       (unsigned long)e->ipa, e->level);
}

static void check_key(struct port *p, u16 vmid, const struct mapping *made, int at)
{
	const struct tlb *t = &p->machine->tlb;

	for (int i = chain(t, vmid, m_base(made->ipa, at), at); i != TLB_NONE; i = t->entry[i].next)
		check_entry(p, vmid, &t->entry[i], made);
}

static bool has_wide(const struct tlb *t)
{
	return (t->wide_at[0] | t->wide_at[1] | t->wide_at[2] | t->wide_at[3]) != 0;
}

void tlb_check_make(struct port *p, int vm, const struct mapping *made)
{
	const struct tlb *t = &p->machine->tlb;
	u16 vmid = p->machine->vm[vm].vmid;

	if (t->stale == TLB_NONE)
		return;
	/* A leaf conflicts with what is below it, a table does not by itself. Those above and
	 * beside are found by their keys, unless contiguous sets are about. */
	if ((made->is_table || made->level == 3) && !m_is_wide(made) && !has_wide(t)) {
		for (int at = 0; at <= made->level; at++) {
			if (t->at_level[at][0] || t->at_level[at][1])
				check_key(p, vmid, made, at);
		}
		return;
	}
	for (int i = t->stale; i != TLB_NONE; i = t->entry[i].stale_next)
		check_entry(p, vmid, &t->entry[i], made);
}

void tlb_check_table_free(struct port *p, pa_t table)
{
	const struct tlb *t = &p->machine->tlb;

	for (int i = t->stale; i != TLB_NONE; i = t->entry[i].stale_next) {
		const struct tlb_entry *e = &t->entry[i];

		if (e->is_table && (e->desc & M_ADDR) == table.v && tlb_is_held(e))
			machine_refuse(p, REFUSED_TLBI, e->ipa,
				       "a table is freed that a TLB may still walk, for IPA %#lx",
				       (unsigned long)e->ipa);
	}
}

/* ---- use */

/* The chain in which entry @k of those that may translate @ipa at @level stand: first its own, then
 * the others of its contiguous set. */
static int chain_of(const struct tlb *t, u16 vmid, u64 ipa, int level, u64 k)
{
	u64 set = m_cont_base(ipa, level), size = m_size(level);

	return chain(t, vmid, set + ((ipa - set) / size + k) % M_CONT_ENTRIES * size, level);
}

static u64 chains(const struct tlb *t, int level)
{
	if (t->wide_at[level])
		return M_CONT_ENTRIES;
	return t->at_level[level][0] ? 1 : 0;
}

/* Is it a leaf that is used for @ipa, on the CPUs of @cpus? */
static bool translates(const struct tlb_entry *e, u16 vmid, int level, u64 ipa, u32 cpus)
{
	struct mapping a = tlb_mapping(e);

	return !e->is_table && e->vmid == vmid && e->level == level && mapping_holds(&a, ipa) &&
	       ((e->stage2 | e->combined) & cpus);
}

struct stale_list {
	struct mapping *out;
	unsigned int n, max;
};

static void list_add(struct stale_list *l, u64 ipa, u64 desc, int level)
{
	for (unsigned int i = 0; i < l->n; i++) {
		if (l->out[i].ipa == ipa && l->out[i].desc == desc && l->out[i].level == level)
			return;
	}
	if (l->n < l->max)
		l->out[l->n++] = (struct mapping){ ipa, desc, level, false };
}

static bool is_current(const struct tlb *t, u16 vmid, u64 ipa, u64 desc, int level)
{
	for (int i = chain(t, vmid, ipa, level); i != TLB_NONE; i = t->entry[i].next) {
		const struct tlb_entry *e = &t->entry[i];

		if (e->ipa == ipa && e->desc == desc && e->level == level && e->vmid == vmid &&
		    !e->gone)
			return true;
	}
	return false;
}

/* What @e makes of @base, unless the table says the same. */
static void list_entry(const struct tlb *t, struct stale_list *l, const struct tlb_entry *e,
		       u64 base)
{
	struct mapping a = tlb_mapping(e);
	u64 desc = (e->desc & ~M_ADDR) | mapping_pa(&a, base);

	if (!is_current(t, e->vmid, base, desc, e->level))
		list_add(l, base, desc, e->level);
}

unsigned int tlb_stale(const struct port *p, int vm, u64 ipa, struct mapping *out, unsigned int max)
{
	const struct tlb *t = &p->machine->tlb;
	u16 vmid = p->machine->vm[vm].vmid;
	struct stale_list l = { out, 0, max };

	for (int level = 0; (t->stale != TLB_NONE || has_wide(t)) && level <= 3; level++) {
		u64 base = m_base(ipa, level);

		for (u64 k = 0; k < chains(t, level); k++) {
			for (int i = chain_of(t, vmid, base, level, k); i != TLB_NONE;
			     i = t->entry[i].next) {
				if (translates(&t->entry[i], vmid, level, base, 1U << p->cpu))
					list_entry(t, &l, &t->entry[i], base);
			}
		}
	}
	return l.n;
}

bool machine_may_write(struct port *p, u64 vttbr, ipa_t ipa)
{
	const struct tlb *t = &p->machine->tlb;
	u16 vmid = (u16)(vttbr >> 48);

	for (int level = 0; level <= 3; level++) {
		u64 base = m_base(ipa.v, level);

		for (u64 k = 0; k < chains(t, level); k++) {
			for (int i = chain_of(t, vmid, base, level, k); i != TLB_NONE;
			     i = t->entry[i].next) {
				if ((t->entry[i].desc & M_WRITE) &&
				    translates(&t->entry[i], vmid, level, base, ~0U))
					return true;
			}
		}
	}
	return false;
}

/* ---- VMIDs */

/* The VM has another number: nothing is translated by this entry any more, and invalidations do not
 * name it. It matters only to who is given its VMID. */
static void orphan_entry(struct port *p, struct tlb_entry *e)
{
	if (e->is_orphan)
		return;
	if (e->gone)
		stale_leave(p, e);
	e->gone = p->machine->writes;
	e->is_orphan = true;
}

void tlb_renumber(struct port *p, int vm, u16 vmid)
{
	struct tlb *t = &p->machine->tlb;

	for (int i = 0; i < t->top; i++) {
		struct tlb_entry *e = &t->entry[i];

		if (!e->used)
			continue;
		if (e->vmid == vmid && e->vm != vm && tlb_is_held(e))
			machine_refuse(p, REFUSED_VMID, e->ipa,
				       "VMID %u, while a TLB holds entries of its former VM", vmid);
		if (e->vm == vm && e->vmid != vmid)
			orphan_entry(p, e);
	}
}

void tlb_forget_vm(struct port *p, int vm)
{
	struct machine *m = p->machine;

	for (int i = 0; i < m->tlb.top; i++) {
		struct tlb_entry *e = &m->tlb.entry[i];

		/* What stands under a number the VM gave up long ago goes with the next rollover.
		 */
		if (e->used && e->vm == vm && e->vmid == m->vm[vm].vmid)
			machine_refuse(p, REFUSED_TLBI, e->ipa,
				       "a root table is freed while a TLB may hold IPA %#lx of it",
				       (unsigned long)e->ipa);
	}
	m->vm[vm].used = false;
	for (int cpu = 0; cpu < MACHINE_CPUS; cpu++) {
		if (m->loaded[cpu] == vm)
			m->loaded[cpu] = -1;
	}
}
