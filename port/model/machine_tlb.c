/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLBs of the modelled machine. Every CPU holds every translation that could be walked since it was
 * last invalidated (Arm ARM D8.14: an implementation may cache any). Stage-2 entries and entries
 * that combine both stages are invalidated apart: by IPA, then, after a DSB, by VMALLE1 (D8.14.5).
 */
#include "port/model/machine_priv.h"

#include <stdlib.h>
#include <string.h>

void tlb_init(struct tlb *t)
{
	memset(t, 0, sizeof(*t));
	t->free = -1;
	for (int i = 0; i < TLB_BUCKETS; i++)
		t->bucket[i] = -1;
}

static u32 all_cpus(const struct port *p)
{
	return (1U << p->caps.cpus) - 1;
}

static unsigned int bucket_of(u16 vmid, u64 ipa, int level)
{
	u64 key = (ipa / m_size(level)) * 0x9e3779b97f4a7c15UL ^ (u64)vmid << 20 ^ (u64)level << 8;

	return (unsigned int)((key ^ key >> 29) % TLB_BUCKETS);
}

/* ---- the set */

static void grow(struct tlb *t)
{
	int old = t->size;

	t->size = old ? 2 * old : 1024;
	t->entry = realloc(t->entry, (size_t)t->size * sizeof(*t->entry));
	if (!t->entry)
		abort();
	for (int i = t->size - 1; i >= old; i--) {
		t->entry[i] = (struct tlb_entry){ .next = t->free };
		t->free = i;
	}
}

static void count_mapping(struct port *p, const struct tlb_entry *e, u32 change)
{
	if (e->is_table || e->level < 2)
		return;
	for (u64 pa = e->desc & M_ADDR, end = pa + m_size(e->level); pa < end; pa += 4096)
		page_get_state(p, pa)->mapped += change;
}

void tlb_add(struct port *p, int vm, u64 ipa, int level, u64 desc, bool is_table)
{
	struct tlb *t = &p->machine->tlb;
	u16 vmid = p->machine->vm[vm].vmid;
	unsigned int b = bucket_of(vmid, ipa, level);
	struct tlb_entry *e;
	int i;

	if (!vmid)
		return; /* the VM has no number now, so nothing walks its tables */
	if (!is_table && !(desc & M_AF))
		return; /* without the Access flag it may not be cached (D8.5.1) */
	if (t->free < 0)
		grow(t);
	i = t->free;
	e = &t->entry[i];
	t->free = e->next;
	*e = (struct tlb_entry){
		.ipa = ipa,
		.desc = desc,
		.stage2 = all_cpus(p),
		.combined = all_cpus(p),
		.vmid = vmid,
		.level = (s8)level,
		.is_table = is_table,
		.vm = vm,
		.next = t->bucket[b],
		.used = true,
	};
	t->bucket[b] = i;
	t->at_level[level][is_table]++;
	count_mapping(p, e, 1);
}

static void drop(struct port *p, struct tlb_entry *e)
{
	struct tlb *t = &p->machine->tlb;
	int i = (int)(e - t->entry), *link = &t->bucket[bucket_of(e->vmid, e->ipa, e->level)];

	while (*link != i)
		link = &t->entry[*link].next;
	*link = e->next;
	t->at_level[(int)e->level][e->is_table]--;
	t->stale -= e->gone != 0;
	count_mapping(p, e, ~0U);
	*e = (struct tlb_entry){ .next = t->free };
	t->free = i;
}

static void retire_entry(struct port *p, struct tlb_entry *e)
{
	e->gone = p->machine->writes;
	p->machine->tlb.stale++;
}

void tlb_end(struct port *p, int vm, u64 ipa, int level, u64 desc, bool is_table)
{
	struct tlb *t = &p->machine->tlb;
	u16 vmid = p->machine->vm[vm].vmid;

	for (int i = t->bucket[bucket_of(vmid, ipa, level)]; i >= 0; i = t->entry[i].next) {
		struct tlb_entry *e = &t->entry[i];

		if (e->vm == vm && e->vmid == vmid && e->ipa == ipa && e->level == level &&
		    e->desc == desc && e->is_table == is_table && !e->gone) {
			retire_entry(p, e);
			return;
		}
	}
}

static bool is_held(const struct tlb_entry *e)
{
	return (e->stage2 | e->combined) != 0;
}

/* ---- conflicts */

/* Do the stale entry and what becomes valid translate alike, permissions apart? */
static bool agree(const struct tlb_entry *e, int level, u64 desc, bool is_table)
{
	return e->level == level && e->is_table == is_table && !((e->desc ^ desc) & ~M_SOFT);
}

/* The same translation by an entry of another size: harmless at FEAT_BBM level 2. That a table
 * translates alike is judged leaf by leaf. */
static bool agree_but_size(const struct port *p, const struct tlb_entry *e, u64 ipa, int level,
			   u64 desc, bool is_table)
{
	u64 hard = ~(M_SOFT | M_ADDR | M_TABLE);
	u64 base = m_base(ipa, level), at = base > e->ipa ? base : e->ipa;

	if (p->caps.bbm < 2)
		return false;
	if (e->is_table || is_table)
		return e->level == level && e->is_table != is_table;
	return e->level != level && !((e->desc ^ desc) & hard) &&
	       (e->desc & M_ADDR) + (at - e->ipa) == (desc & M_ADDR) + (at - base);
}

static void check_key(struct port *p, int vm, u64 ipa, int at, int level, u64 desc, bool is_table)
{
	struct tlb *t = &p->machine->tlb;
	u16 vmid = p->machine->vm[vm].vmid;
	u64 base = m_base(ipa, at);

	for (int i = t->bucket[bucket_of(vmid, base, at)]; i >= 0; i = t->entry[i].next) {
		const struct tlb_entry *e = &t->entry[i];

		if (!e->gone || e->vmid != vmid || e->level != at || e->ipa != base || !is_held(e))
			continue;
		/* A walk cache entry above only says where the next table is: judged where it is.
		 */
		if (e->is_table && at < level)
			continue;
		if (agree(e, level, desc, is_table) ||
		    agree_but_size(p, e, ipa, level, desc, is_table))
			continue;
		machine_refuse(
			p,
			"missing TLBI: descriptor %#lx made valid at IPA %#lx level %d, but a "
			"TLB may hold %s %#lx of IPA %#lx level %d",
			(unsigned long)desc, (unsigned long)ipa, level,
			e->is_table ? "table" : "leaf", (unsigned long)e->desc,
			(unsigned long)e->ipa, at);
	}
}

void tlb_check_make(struct port *p, int vm, u64 ipa, int level, u64 desc, bool is_table)
{
	struct tlb *t = &p->machine->tlb;

	if (!t->stale)
		return;
	for (int at = 0; at <= level; at++) {
		if (t->at_level[at][0] || t->at_level[at][1])
			check_key(p, vm, ipa, at, level, desc, is_table);
	}
	/* A leaf conflicts with smaller ones below it; a table with none of them by itself. */
	for (int at = level + 1; !is_table && at <= 3; at++) {
		if (!t->at_level[at][0])
			continue;
		for (u64 a = ipa; a < ipa + m_size(level); a += m_size(at))
			check_key(p, vm, a, at, level, desc, is_table);
	}
}

void tlb_check_table_free(struct port *p, pa_t table)
{
	const struct tlb *t = &p->machine->tlb;

	for (int i = 0; t->stale && i < t->size; i++) {
		const struct tlb_entry *e = &t->entry[i];

		if (e->used && e->is_table && (e->desc & M_ADDR) == table.v && is_held(e))
			machine_refuse(
				p,
				"missing TLBI: a table is freed that a TLB may still walk, for "
				"IPA %#lx",
				(unsigned long)e->ipa);
	}
}

const struct tlb_entry *tlb_stale(struct port *p, int vm, u64 ipa)
{
	struct tlb *t = &p->machine->tlb;
	u16 vmid = p->machine->vm[vm].vmid;
	u32 cpu = 1U << p->cpu;

	for (int level = 0; t->stale && level <= 3; level++) {
		u64 base = m_base(ipa, level);

		for (int i = t->bucket[bucket_of(vmid, base, level)]; i >= 0;
		     i = t->entry[i].next) {
			const struct tlb_entry *e = &t->entry[i];

			if (e->gone && !e->is_table && e->vmid == vmid && e->level == level &&
			    e->ipa == base && ((e->stage2 | e->combined) & cpu))
				return e;
		}
	}
	return NULL;
}

bool machine_may_write(struct port *p, u64 vttbr, ipa_t ipa)
{
	struct tlb *t = &p->machine->tlb;
	u16 vmid = (u16)(vttbr >> 48);

	for (int level = 0; level <= 3; level++) {
		u64 base = m_base(ipa.v, level);

		for (int i = t->bucket[bucket_of(vmid, base, level)]; i >= 0;
		     i = t->entry[i].next) {
			const struct tlb_entry *e = &t->entry[i];

			if (!e->is_table && e->vmid == vmid && e->level == level &&
			    e->ipa == base && (e->desc & M_WRITE) && is_held(e))
				return true;
		}
	}
	return false;
}

bool tlb_maps(const struct port *p, u64 pa, u64 size)
{
	const struct tlb *t = &p->machine->tlb;

	if (t->at_level[1][0]) {
		for (int i = 0; i < t->size; i++) {
			const struct tlb_entry *e = &t->entry[i];

			if (e->used && !e->is_table && e->level == 1 &&
			    (e->desc & M_ADDR) < pa + size && pa < (e->desc & M_ADDR) + m_size(1))
				return true;
		}
	}
	for (u64 a = pa; a < pa + size; a += 4096) {
		const struct page_state *s = page_find(p, a);

		if (s && s->mapped)
			return true;
	}
	return false;
}

/* ---- VMIDs */

void tlb_renumber(struct port *p, int vm, u16 vmid)
{
	struct tlb *t = &p->machine->tlb;

	for (int i = 0; i < t->size; i++) {
		struct tlb_entry *e = &t->entry[i];

		if (!e->used)
			continue;
		if (e->vmid == vmid && e->vm != vm && is_held(e))
			machine_refuse(
				p,
				"VMID %u is taken over while a TLB holds entries of its former VM",
				vmid);
		if (e->vm == vm && e->vmid != vmid && !e->gone)
			retire_entry(p, e);
	}
}

void tlb_forget_vm(struct port *p, int vm)
{
	struct machine *m = p->machine;

	for (int i = 0; i < m->tlb.size; i++) {
		struct tlb_entry *e = &m->tlb.entry[i];

		if (e->used && e->vm == vm && e->vmid == m->vm[vm].vmid)
			machine_refuse(p,
				       "a root table is freed while a TLB may hold IPA %#lx of it",
				       (unsigned long)e->ipa);
		/* What stands under a number the VM gave up long ago goes with the next rollover.
		 */
	}
	m->vm[vm].used = false;
	for (int cpu = 0; cpu < MACHINE_CPUS; cpu++) {
		if (m->loaded[cpu] == vm)
			m->loaded[cpu] = -1;
	}
}

/* ---- invalidation */

void machine_publish(struct port *p)
{
	p->machine->published = p->machine->writes;
	p->machine->counts.dsb++;
}

static u16 vmid_of(const struct port_tlbi *t)
{
	return (u16)(t->vttbr >> 48);
}

void machine_tlbi_enter(struct port *p, struct port_tlbi *t, const u64 *vttbr)
{
	machine_publish(p);
	*t = (struct port_tlbi){ .vttbr = *vttbr, .active = true };
}

static void check_active(struct port *p, const struct port_tlbi *t)
{
	if (!t->active)
		machine_refuse(p, "TLBI outside port_tlbi_enter() and port_tlbi_leave()");
}

/* May an invalidation reach @e? Its end must be visible to walks (DSB ISHST), or it is at once
 * cached again. */
static bool can_go(const struct port *p, const struct tlb_entry *e, u16 vmid)
{
	return e->used && e->gone && e->gone <= p->machine->published && e->vmid == vmid;
}

/* With a level hint only leaves of that level need to go; without, table entries too. */
static bool covered(const struct tlb_entry *e, u64 start, u64 end, int level)
{
	bool hint_fits = level < 0 || (level == e->level && !e->is_table);

	return hint_fits && e->ipa < end && start < e->ipa + m_size(e->level);
}

static void invalidate(struct port *p, const struct port_tlbi *t, u64 start, u64 end, int level)
{
	struct tlb *tlb = &p->machine->tlb;

	check_active(p, t);
	for (int i = 0; tlb->stale && !p->machine->deaf[DEAF_TLBI] && i < tlb->size; i++) {
		struct tlb_entry *e = &tlb->entry[i];

		if (can_go(p, e, vmid_of(t)) && covered(e, start, end, level))
			e->stage2_going = all_cpus(p);
	}
}

void machine_tlbi_ipa(struct port *p, struct port_tlbi *t, ipa_t ipa, int level)
{
	p->machine->counts.tlbi_ipa++;
	invalidate(p, t, ipa.v, ipa.v + 1, p->caps.ttl ? level : -1);
}

void machine_tlbi_range(struct port *p, struct port_tlbi *t, ipa_t ipa, u64 size, int level)
{
	if (!p->caps.tlb_range)
		machine_refuse(p, "TLBI by range on a CPU without FEAT_TLBIRANGE");
	if ((ipa.v | size) & 4095)
		machine_refuse(p, "TLBI by range [%#lx, +%#lx), not in pages", (unsigned long)ipa.v,
			       (unsigned long)size);
	p->machine->counts.tlbi_range++;
	invalidate(p, t, ipa.v, ipa.v + size, level);
}

/* Combined entries go where the stage-2 part has gone, or they could be made from it again. */
void machine_tlbi_stage1(struct port *p, struct port_tlbi *t)
{
	struct tlb *tlb = &p->machine->tlb;

	check_active(p, t);
	p->machine->counts.tlbi_stage1++;
	p->machine->counts.dsb++;
	for (int i = 0; tlb->stale && !p->machine->deaf[DEAF_STAGE1] && i < tlb->size; i++) {
		struct tlb_entry *e = &tlb->entry[i];

		if (can_go(p, e, vmid_of(t)) && !(e->stage2 & ~e->stage2_going))
			e->combined_going = all_cpus(p);
	}
}

void machine_tlbi_vmid(struct port *p, struct port_tlbi *t)
{
	struct tlb *tlb = &p->machine->tlb;

	check_active(p, t);
	p->machine->counts.tlbi_vmid++;
	for (int i = 0; tlb->stale && !p->machine->deaf[DEAF_TLBI] && i < tlb->size; i++) {
		struct tlb_entry *e = &tlb->entry[i];

		if (can_go(p, e, vmid_of(t))) {
			e->stage2_going = all_cpus(p);
			e->combined_going = all_cpus(p);
		}
	}
}

static void complete(struct port *p)
{
	struct tlb *tlb = &p->machine->tlb;

	p->machine->counts.dsb++;
	for (int i = 0; tlb->stale && i < tlb->size; i++) {
		struct tlb_entry *e = &tlb->entry[i];

		if (!e->used || !e->gone)
			continue;
		e->stage2 &= ~e->stage2_going;
		e->combined &= ~e->combined_going;
		e->stage2_going = 0;
		e->combined_going = 0;
		if (!is_held(e))
			drop(p, e);
	}
}

void machine_tlbi_leave(struct port *p, struct port_tlbi *t)
{
	check_active(p, t);
	t->active = false;
	complete(p);
}

void machine_tlbi_ipa_local(struct port *p, const u64 *vttbr, ipa_t ipa, int level)
{
	struct tlb *tlb = &p->machine->tlb;
	u16 vmid = (u16)(*vttbr >> 48);

	machine_publish(p);
	p->machine->counts.tlbi_local++;
	for (int i = 0; tlb->stale && !p->machine->deaf[DEAF_TLBI] && i < tlb->size; i++) {
		struct tlb_entry *e = &tlb->entry[i];

		if (can_go(p, e, vmid) && covered(e, ipa.v, ipa.v + 1, p->caps.ttl ? level : -1))
			e->stage2_going = e->combined_going = 1U << p->cpu;
	}
	complete(p);
	p->machine->counts.dsb++;
}

static bool is_loaded(const struct machine *m, int vm)
{
	for (int cpu = 0; cpu < MACHINE_CPUS; cpu++) {
		if (m->loaded[cpu] == vm)
			return true;
	}
	return false;
}

/* Nothing walks the tables of a VM that no CPU has loaded, so what is flushed does not come back:
 * it has no number until it is entered again. */
void machine_tlbi_all_vmids(struct port *p)
{
	struct machine *m = p->machine;

	machine_publish(p);
	m->counts.tlbi_all++;
	if (m->deaf[DEAF_TLBI])
		return;
	for (int i = 0; i < m->tlb.size; i++) {
		struct tlb_entry *e = &m->tlb.entry[i];

		if (e->used && (e->gone || !is_loaded(m, e->vm)))
			drop(p, e);
	}
	for (int vm = 0; vm < MAX_VMS; vm++) {
		if (!is_loaded(m, vm))
			m->vm[vm].vmid = 0;
	}
	m->counts.dsb++;
}

void machine_flush_local(struct port *p, const u64 *vttbr)
{
	(void)vttbr; /* stage-1 entries of guests are not modelled; the instruction cache is by page
		      */
	machine_publish(p);
	p->machine->counts.tlbi_local++;
	p->machine->counts.dsb++;
}
