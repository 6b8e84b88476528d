/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLB maintenance of the modelled machine. Stage-2 entries and entries that combine both stages are
 * invalidated apart: by IPA, then, after a DSB, by VMALLE1 (Arm ARM R_TVTYQ).
 */
#include "port/model/machine_priv.h"

/* ---- order */

static void publish(struct port *p)
{
	p->machine->published = p->machine->writes;
	p->machine->counts.dsb++;
}

void machine_publish(struct port *p)
{
	machine_point(p, "publish");
	publish(p);
}

void machine_barrier(struct port *p)
{
	machine_point(p, "barrier");
	publish(p);
}

/* ---- the sequence: enter, any number of invalidations, leave */

static u16 vmid_of(const struct port_tlbi *t)
{
	return (u16)(t->vttbr >> 48);
}

static void note(struct port *p, enum event_kind kind, u16 vmid, u64 ipa, u64 size, int level)
{
	struct event *e = history_add(p, kind);

	e->vmid = vmid;
	e->ipa = ipa;
	e->size = size;
	e->level = (s8)level;
}

void machine_tlbi_enter(struct port *p, struct port_tlbi *t, const u64 *vttbr)
{
	machine_point(p, "TLBI enter");
	publish(p);
	*t = (struct port_tlbi){ .vttbr = __atomic_load_n(vttbr, __ATOMIC_ACQUIRE),
				 .active = true };
}

static void check_active(struct port *p, const struct port_tlbi *t)
{
	if (!t->active)
		machine_refuse(p, REFUSED_ORDER, NO_PLACE,
			       "TLBI outside port_tlbi_enter() and port_tlbi_leave()");
}

/* May an invalidation reach @e? Its end must be visible to walks (DSB ISHST), or it is at once
 * cached again. */
static bool can_go(const struct port *p, const struct tlb_entry *e, u16 vmid)
{
	return e->gone <= p->machine->published && e->vmid == vmid;
}

/* With a level hint only leaves of that level need to go; without, table entries too. */
static bool covered(const struct tlb_entry *e, u64 start, u64 end, int level)
{
	bool hint_fits = level < 0 || (level == e->level && !e->is_table);

	return hint_fits && e->ipa < end && start < e->ipa + m_size(e->level);
}

/* Is another part of its contiguous set? The entry that holds the whole set goes, one that holds
 * the own part alone need not. */
static bool grazed(const struct tlb_entry *e, u64 start, u64 end, int level)
{
	struct mapping a = tlb_mapping(e);
	u64 set = m_cont_base(e->ipa, e->level);

	return m_is_wide(&a) && (level < 0 || level == e->level) && set < end &&
	       start < set + M_CONT_ENTRIES * m_size(e->level);
}

static void invalidate(struct port *p, const struct port_tlbi *t, u64 start, u64 end, int level)
{
	struct tlb *tlb = &p->machine->tlb;
	u32 me = 1U << p->cpu;

	check_active(p, t);
	if (p->machine->deaf[DEAF_TLBI])
		return;
	for (int i = tlb->stale; i != TLB_NONE; i = tlb->entry[i].stale_next) {
		struct tlb_entry *e = &tlb->entry[i];

		if (!can_go(p, e, vmid_of(t)))
			continue;
		if (covered(e, start, end, level))
			e->stage2_going |= me;
		else if (grazed(e, start, end, level))
			e->narrow_going |= me;
	}
}

void machine_tlbi_ipa(struct port *p, struct port_tlbi *t, ipa_t ipa, int level)
{
	machine_point(p, "TLBI ipa");
	p->machine->counts.tlbi_ipa++;
	level = p->caps.ttl ? level : -1;
	note(p, EVENT_TLBI_IPA, vmid_of(t), ipa.v, 1, level);
	invalidate(p, t, ipa.v, ipa.v + 1, level);
}

void machine_tlbi_range(struct port *p, struct port_tlbi *t, ipa_t ipa, u64 size, int level)
{
	if (!p->caps.tlb_range)
		machine_refuse(p, REFUSED_ORDER, ipa.v,
			       "TLBI by range on a CPU without FEAT_TLBIRANGE");
	if ((ipa.v | size) & 4095)
		machine_refuse(p, REFUSED_ORDER, ipa.v, "TLBI by range [%#lx, +%#lx), not in pages",
			       (unsigned long)ipa.v, (unsigned long)size);
	machine_point(p, "TLBI range");
	p->machine->counts.tlbi_range++;
	note(p, EVENT_TLBI_RANGE, vmid_of(t), ipa.v, size, level);
	invalidate(p, t, ipa.v, ipa.v + size, level);
}

/* Combined entries go where the stage-2 part has gone, or they could be made from it again. */
void machine_tlbi_stage1(struct port *p, struct port_tlbi *t)
{
	struct tlb *tlb = &p->machine->tlb;
	u32 me = 1U << p->cpu;

	machine_point(p, "TLBI stage 1");
	check_active(p, t);
	p->machine->counts.tlbi_stage1++;
	p->machine->counts.dsb++;
	note(p, EVENT_TLBI_STAGE1, vmid_of(t), 0, ~0UL, -1);
	if (p->machine->deaf[DEAF_STAGE1])
		return;
	for (int i = tlb->stale; i != TLB_NONE; i = tlb->entry[i].stale_next) {
		struct tlb_entry *e = &tlb->entry[i];

		if (can_go(p, e, vmid_of(t)) && (!e->stage2 || (e->stage2_going & me)))
			e->combined_going |= me;
	}
}

void machine_tlbi_vmid(struct port *p, struct port_tlbi *t)
{
	struct tlb *tlb = &p->machine->tlb;

	machine_point(p, "TLBI vmid");
	check_active(p, t);
	p->machine->counts.tlbi_vmid++;
	note(p, EVENT_TLBI_VMID, vmid_of(t), 0, ~0UL, -1);
	if (p->machine->deaf[DEAF_TLBI])
		return;
	for (int i = tlb->stale; i != TLB_NONE; i = tlb->entry[i].stale_next) {
		struct tlb_entry *e = &tlb->entry[i];

		if (can_go(p, e, vmid_of(t))) {
			e->stage2_going |= 1U << p->cpu;
			e->combined_going |= 1U << p->cpu;
		}
	}
}

/* This CPU's DSB completes what it issued, not what another CPU did. */
static void complete(struct port *p)
{
	struct tlb *tlb = &p->machine->tlb;
	u32 me = 1U << p->cpu;
	int next;

	p->machine->counts.dsb++;
	for (int i = tlb->stale; i != TLB_NONE; i = next) {
		struct tlb_entry *e = &tlb->entry[i];

		next = e->stale_next;
		if (e->narrow_going & me)
			tlb_narrow(p, e);
		e->stage2 = e->stage2_going & me ? 0 : e->stage2;
		e->combined = e->combined_going & me ? 0 : e->combined;
		e->narrow_going &= ~me;
		e->stage2_going &= ~me;
		e->combined_going &= ~me;
		if (!tlb_is_held(e))
			tlb_drop(p, e);
	}
}

void machine_tlbi_leave(struct port *p, struct port_tlbi *t)
{
	machine_point(p, "TLBI leave");
	check_active(p, t);
	t->active = false;
	note(p, EVENT_TLBI_DONE, vmid_of(t), 0, ~0UL, -1);
	complete(p);
}

/* ---- complete on return */

void machine_tlbi_ipa_local(struct port *p, const u64 *vttbr, ipa_t ipa, int level)
{
	struct tlb *tlb = &p->machine->tlb;
	u16 vmid;

	machine_point(p, "TLBI local");
	vmid = (u16)(__atomic_load_n(vttbr, __ATOMIC_ACQUIRE) >> 48);
	publish(p);
	p->machine->counts.tlbi_local++;
	level = p->caps.ttl ? level : -1;
	note(p, EVENT_TLBI_LOCAL, vmid, ipa.v, 1, level);
	for (int i = tlb->stale; i != TLB_NONE && !p->machine->deaf[DEAF_TLBI];
	     i = tlb->entry[i].stale_next) {
		struct tlb_entry *e = &tlb->entry[i];

		if (can_go(p, e, vmid) && covered(e, ipa.v, ipa.v + 1, level)) {
			e->stage2 &= ~(1U << p->cpu);
			e->combined &= ~(1U << p->cpu);
		}
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

	machine_point(p, "TLBI all VMIDs");
	publish(p);
	m->counts.tlbi_all++;
	note(p, EVENT_TLBI_ALL, 0, 0, ~0UL, -1);
	if (m->deaf[DEAF_TLBI])
		return;
	for (int i = 0; i < m->tlb.top; i++) {
		struct tlb_entry *e = &m->tlb.entry[i];

		if (e->used && (e->gone || !is_loaded(m, e->vm)))
			tlb_drop(p, e);
	}
	for (int vm = 0; vm < MAX_VMS; vm++) {
		if (!is_loaded(m, vm))
			m->vm[vm].vmid = 0;
	}
	m->counts.dsb++;
}

/* Stage-1 entries of guests are not modelled, so of the TLB there is nothing to invalidate. */
void machine_flush_local(struct port *p, const u64 *vttbr)
{
	machine_point(p, "flush local");
	publish(p);
	p->machine->counts.tlbi_local++;
	p->machine->counts.dsb++;
	note(p, EVENT_FLUSH_LOCAL, (u16)(*vttbr >> 48), 0, ~0UL, -1);
	if (!p->machine->deaf[DEAF_ICACHE])
		line_icache_all(p, 1U << p->cpu);
}
