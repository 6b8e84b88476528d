/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the TLBs of the modelled machine hold. Every CPU holds every translation that could be
 * walked since it was last invalidated (Arm ARM D8.14: an implementation may cache any). Stage-2
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

void tlb_add(struct port *p, int vm, u64 ipa, int level, u64 desc, bool is_table)
{
	struct tlb *t = &p->machine->tlb;
	u16 vmid = p->machine->vm[vm].vmid;
	struct tlb_bucket *b = bucket_at(t, vmid, ipa, level);
	int i;

	if (!vmid)
		return; /* the VM has no number now, so nothing walks its tables */
	if (!is_table && !(desc & M_AF))
		return; /* without the Access flag it may not be cached (D8.5.1) */
	i = take_entry(t);
	t->entry[i] = (struct tlb_entry){
		.ipa = ipa,
		.desc = desc,
		.stage2 = all_cpus(p),
		.combined = all_cpus(p),
		.vmid = vmid,
		.level = (s8)level,
		.is_table = is_table,
		.vm = vm,
		.next = chain(t, vmid, ipa, level),
		.used = true,
	};
	*b = (struct tlb_bucket){ t->generation, i };
	t->at_level[level][is_table]++;
	if (!is_table)
		alias_leaf_added(p, desc, level);
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

void tlb_drop(struct port *p, struct tlb_entry *e)
{
	struct tlb *t = &p->machine->tlb;
	int i = (int)(e - t->entry), *link = &bucket_at(t, e->vmid, e->ipa, e->level)->head;

	while (*link != i)
		link = &t->entry[*link].next;
	*link = e->next;
	t->at_level[(int)e->level][e->is_table]--;
	if (e->gone)
		stale_remove(t, e);
	if (!e->is_table)
		alias_leaf_gone(p, e->desc, e->level);
	*e = (struct tlb_entry){ .next = t->free };
	t->free = i;
}

static void retire_entry(struct port *p, struct tlb_entry *e)
{
	e->gone = p->machine->writes;
	stale_add(&p->machine->tlb, e);
}

void tlb_end(struct port *p, int vm, u64 ipa, int level, u64 desc, bool is_table)
{
	struct tlb *t = &p->machine->tlb;
	u16 vmid = p->machine->vm[vm].vmid;

	for (int i = chain(t, vmid, ipa, level); i != TLB_NONE; i = t->entry[i].next) {
		struct tlb_entry *e = &t->entry[i];

		if (e->vm == vm && e->vmid == vmid && e->ipa == ipa && e->level == level &&
		    e->desc == desc && e->is_table == is_table && !e->gone) {
			retire_entry(p, e);
			return;
		}
	}
}

/* ---- conflicts */

struct newcomer {
	u64 ipa, desc;
	int level;
	u16 vmid;
	bool is_table;
};

/* Do the stale entry and what becomes valid translate alike, permissions apart? */
static bool agree(const struct tlb_entry *e, const struct newcomer *n)
{
	return e->level == n->level && e->is_table == n->is_table &&
	       !((e->desc ^ n->desc) & ~M_SOFT);
}

/* The same translation by an entry of another size: harmless at FEAT_BBM level 2. That a table
 * translates alike is judged leaf by leaf. */
static bool agree_but_size(const struct port *p, const struct tlb_entry *e,
			   const struct newcomer *n)
{
	u64 hard = ~(M_SOFT | M_ADDR | M_TABLE);
	u64 base = m_base(n->ipa, n->level), at = base > e->ipa ? base : e->ipa;

	if (p->caps.bbm < 2)
		return false;
	if (e->is_table || n->is_table)
		return e->level == n->level && e->is_table != n->is_table;
	return e->level != n->level && !((e->desc ^ n->desc) & hard) &&
	       (e->desc & M_ADDR) + (at - e->ipa) == (n->desc & M_ADDR) + (at - base);
}

static bool meet(const struct tlb_entry *e, const struct newcomer *n)
{
	int coarser = e->level < n->level ? e->level : n->level;

	return e->vmid == n->vmid && m_base(e->ipa, coarser) == m_base(n->ipa, coarser);
}

static void check_entry(struct port *p, const struct tlb_entry *e, const struct newcomer *n)
{
	if (!e->gone || !meet(e, n) || !tlb_is_held(e) || agree(e, n) || agree_but_size(p, e, n))
		return;
	/* A walk cache entry above only says where the next table is: judged where it is. */
	if (e->is_table && e->level < n->level)
		return;
	machine_refuse(p, REFUSED_TLBI, n->ipa,
		       "descriptor %#lx made valid at IPA %#lx level %d, but a TLB may hold %s "
		       "%#lx of IPA %#lx level %d",
		       (unsigned long)n->desc, (unsigned long)n->ipa, n->level,
		       e->is_table ? "table" : "leaf", (unsigned long)e->desc,
		       (unsigned long)e->ipa, e->level);
}

static void check_key(struct port *p, const struct newcomer *n, int at)
{
	const struct tlb *t = &p->machine->tlb;
	u64 base = m_base(n->ipa, at);

	for (int i = chain(t, n->vmid, base, at); i != TLB_NONE; i = t->entry[i].next) {
		if (t->entry[i].level == at)
			check_entry(p, &t->entry[i], n);
	}
}

void tlb_check_make(struct port *p, int vm, u64 ipa, int level, u64 desc, bool is_table)
{
	const struct tlb *t = &p->machine->tlb;
	const struct newcomer n = {
		.ipa = ipa,
		.desc = desc,
		.level = level,
		.vmid = p->machine->vm[vm].vmid,
		.is_table = is_table,
	};

	if (t->stale == TLB_NONE)
		return;
	for (int at = 0; at <= level; at++) {
		if (t->at_level[at][0] || t->at_level[at][1])
			check_key(p, &n, at);
	}
	if (is_table || level == 3)
		return;
	/* A leaf conflicts with what is below it; a table does not by itself. */
	for (int i = t->stale; i != TLB_NONE; i = t->entry[i].stale_next) {
		if (t->entry[i].level > level)
			check_entry(p, &t->entry[i], &n);
	}
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

unsigned int tlb_stale(const struct port *p, int vm, u64 ipa, const struct tlb_entry **out,
		       unsigned int max)
{
	const struct tlb *t = &p->machine->tlb;
	u16 vmid = p->machine->vm[vm].vmid;
	u32 cpu = 1U << p->cpu;
	unsigned int n = 0;

	for (int level = 0; t->stale != TLB_NONE && level <= 3; level++) {
		u64 base = m_base(ipa, level);

		if (!t->at_level[level][0])
			continue;
		for (int i = chain(t, vmid, base, level); i != TLB_NONE; i = t->entry[i].next) {
			const struct tlb_entry *e = &t->entry[i];

			if (n < max && e->gone && !e->is_table && e->vmid == vmid &&
			    e->level == level && e->ipa == base &&
			    ((e->stage2 | e->combined) & cpu))
				out[n++] = e;
		}
	}
	return n;
}

bool machine_may_write(struct port *p, u64 vttbr, ipa_t ipa)
{
	const struct tlb *t = &p->machine->tlb;
	u16 vmid = (u16)(vttbr >> 48);

	for (int level = 0; level <= 3; level++) {
		u64 base = m_base(ipa.v, level);

		for (int i = chain(t, vmid, base, level); i != TLB_NONE; i = t->entry[i].next) {
			const struct tlb_entry *e = &t->entry[i];

			if (!e->is_table && e->vmid == vmid && e->level == level &&
			    e->ipa == base && (e->desc & M_WRITE) && tlb_is_held(e))
				return true;
		}
	}
	return false;
}

/* ---- VMIDs */

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
		if (e->vm == vm && e->vmid != vmid && !e->gone)
			retire_entry(p, e);
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
