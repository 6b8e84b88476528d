/* SPDX-License-Identifier: Apache-2.0 */
/* The guest memory of a VM: life, slot changes and host invalidations over its tables. */
#include "engine/guest_mem.h"

#include "engine/decide.h"
#include "engine/dirty.h"
#include "engine/guest_mem_priv.h"
#include "engine/recover.h"
#include "engine/trace.h"

static void mark_written(void *arg, u64 gfn)
{
	dirty_mark(arg, gfn);
}

int guest_mem_init(struct guest_mem *m, struct port *p, struct vmid_pool *vmids,
		   const struct guest_mem_config *config)
{
	int error;

	*m = (struct guest_mem){ .host_ops = config->host_ops, .host = config->host };
	m->trace = port_alloc(p, sizeof(*m->trace));
	if (!m->trace)
		return ERR_NOMEM;
	error = slot_table_init(&m->slots, p);
	if (error)
		goto no_slots;
	error = stage2_init(&m->s2, p, vmids, config->ipa_bits);
	if (error)
		goto no_stage2;
	m->s2.log = (struct s2_log){ mark_written, m };
	return ERR_OK;

no_stage2:
	slot_table_destroy(&m->slots);
no_slots:
	port_free(p, m->trace, sizeof(*m->trace));
	return error;
}

void guest_mem_destroy(struct guest_mem *m)
{
	struct port *p = m->s2.port;

	stage2_destroy(&m->s2);
	slot_table_destroy(&m->slots);
	port_free(p, m->trace, sizeof(*m->trace));
}

void guest_mem_log_to(struct guest_mem *m, enum dirty_to to)
{
	m->policy.dirty_to = to;
	m->s2.hw_dirty = to == TO_BITMAP && m->s2.caps->hw_dbm;
}

/* ---- entry */

u64 guest_mem_enter(struct guest_mem *m, u32 vcpu)
{
	u64 vttbr = stage2_enter(&m->s2);
	unsigned int cpu = port_this_cpu(m->s2.port);

	/* A guest may flush its own TLB and instruction cache on one CPU only, and it counts each
	 * vCPU as one: what another left here, this one cannot know of. */
	if (m->last_vcpu[cpu] != vcpu + 1) {
		if (m->last_vcpu[cpu])
			port_flush_local(m->s2.port, &m->s2.vttbr);
		m->last_vcpu[cpu] = vcpu + 1;
	}
	return vttbr;
}

void guest_mem_leave(struct guest_mem *m)
{
	vmid_leave(m->s2.vmids);
}

/* ---- ranges that are taken down */

static void range_open(struct guest_mem *m, struct hva_range r)
{
	port_write_lock(m->s2.port, &m->s2.lock);
	invalidate_open(&m->inv, r);
	port_write_unlock(m->s2.port, &m->s2.lock);
}

static void range_close(struct guest_mem *m, struct hva_range r)
{
	port_write_lock(m->s2.port, &m->s2.lock);
	invalidate_close(&m->inv, r);
	port_write_unlock(m->s2.port, &m->s2.lock);
}

/*
 * Another CPU may be half-way through taking down a part of @r: its descriptors are gone, so we did
 * not see them, but a TLB may hold them until it has finished. Nobody waits before its own range is
 * settled, so this ends.
 */
static void range_settle(struct guest_mem *m, struct hva_range r)
{
	bool waits;

	port_write_lock(m->s2.port, &m->s2.lock);
	invalidate_settle(&m->inv, r);
	waits = invalidate_unsettled(&m->inv, r);
	port_write_unlock(m->s2.port, &m->s2.lock);
	while (waits) {
		port_relax_point(m->s2.port);
		port_read_lock(m->s2.port, &m->s2.lock);
		waits = invalidate_unsettled(&m->inv, r);
		port_read_unlock(m->s2.port, &m->s2.lock);
	}
}

void guest_mem_take_down(struct guest_mem *m, struct hva_range r, ipa_t ipa, u64 size)
{
	range_open(m, r);
	stage2_unmap(&m->s2, ipa, size);
	range_settle(m, r);
	range_close(m, r);
}

static struct hva_range host_range_of(const struct slot *s)
{
	return (struct hva_range){ s->hva.v, s->hva.v + (s->npages << PAGE_SHIFT) };
}

static void take_down_slot(struct guest_mem *m, const struct slot *s)
{
	guest_mem_take_down(m, host_range_of(s), IPA(s->gfn << PAGE_SHIFT),
			    s->npages << PAGE_SHIFT);
}

/*
 * The slot goes, and what it mapped. Its range is published first: a notifier that no longer finds
 * the slot finds the range, and waits. Its log may live on in another slot (a move), so what
 * hardware marked still goes there.
 */
static void remove_slot(struct guest_mem *m, struct slot_change *c)
{
	struct slot *s = c->old;
	struct hva_range r = host_range_of(s);

	range_open(m, r);
	__atomic_store_n(&m->leaving, s, __ATOMIC_RELEASE);
	slot_commit_remove(&m->slots, c);
	stage2_unmap(&m->s2, IPA(s->gfn << PAGE_SHIFT), s->npages << PAGE_SHIFT);
	range_settle(m, r);
	__atomic_store_n(&m->leaving, NULL, __ATOMIC_RELEASE);
	range_close(m, r);
}

void guest_mem_unmap_all(struct guest_mem *m)
{
	guest_mem_take_down(m, (struct hva_range){ 0, ~0UL }, IPA(0), stage2_ipa_limit(&m->s2));
}

void guest_mem_flush_all(struct guest_mem *m)
{
	if (!m->s2.caps->fwb)
		stat_inc(&m->s2, STAT_cache_flush);
	stage2_cache_flush(&m->s2, IPA(0), stage2_ipa_limit(&m->s2));
}

/* ---- host invalidation (M13) */

/* The part of a slot that stands for host addresses [@start, @end); size 0 if none. */
struct slot_part {
	ipa_t ipa;
	u64 size;
};

static struct slot_part slot_part(const struct slot *s, hva_t start, hva_t end)
{
	struct hva_range whole = host_range_of(s);
	u64 from = max(whole.start, start.v), to = min(whole.end, end.v);

	if (from >= to)
		return (struct slot_part){ .size = 0 };
	return (struct slot_part){
		.ipa = IPA((s->gfn << PAGE_SHIFT) + (from - whole.start)),
		.size = to - from,
	};
}

static const struct slot *next_slot(const struct guest_mem *m, const struct slot *s)
{
	return slot_first_from(&m->slots, s ? s->gfn + s->npages : 0);
}

void guest_mem_invalidate_begin(struct guest_mem *m, hva_t start, hva_t end)
{
	struct hva_range r = { start.v, end.v };

	stat_inc(&m->s2, STAT_invalidations);
	range_open(m, r);
	port_walk_enter(m->s2.port);
	for (const struct slot *s = next_slot(m, NULL); s; s = next_slot(m, s)) {
		struct slot_part part = slot_part(s, start, end);

		if (part.size)
			stage2_unmap(&m->s2, part.ipa, part.size);
	}
	port_walk_leave(m->s2.port);
	range_settle(m, r);
}

void guest_mem_invalidate_end(struct guest_mem *m, hva_t start, hva_t end)
{
	range_close(m, (struct hva_range){ start.v, end.v });
}

u64 guest_mem_age(struct guest_mem *m, hva_t start, hva_t end, enum s2_age how)
{
	u64 young = 0;

	port_walk_enter(m->s2.port);
	for (const struct slot *s = next_slot(m, NULL); s; s = next_slot(m, s)) {
		struct slot_part part = slot_part(s, start, end);

		if (part.size)
			young += stage2_age(&m->s2, part.ipa, part.size, how);
	}
	port_walk_leave(m->s2.port);
	return young;
}

/* ---- slots */

static u32 known_flags(const struct guest_mem *m)
{
	return SLOT_LOG_DIRTY | SLOT_READONLY | (m->policy.write_back_flag ? SLOT_WRITE_BACK : 0);
}

static int refuse(struct guest_mem *m, int error, enum reason why, u64 hva)
{
	m->refusal = (struct refusal){ error, why, HVA(hva) };
	return error;
}

static struct slot_verdict vet(const struct guest_mem *m, const struct area_facts *facts, u32 flags)
{
	return decide_slot(facts, flags, m->policy.strict_slots ? SLOTS_STRICT : SLOTS_LENIENT,
			   m->s2.caps);
}

/* A leaf that is there is better knowledge than what its VMA declares (M1). Returns how far it, or
 * nothing at all, goes on. */
static u64 learn_leaf(struct guest_mem *m, u64 hva, struct area_facts *facts)
{
	struct host_leaf leaf = { .level = LEVEL_4K };

	if (m->host_ops->leaf(m->host, HVA(hva), &leaf) != ERR_OK)
		return level_left(leaf.level, hva);
	facts->type = leaf.type;
	facts->reach_known = KNOWN;
	facts->reach = leaf.reach;
	facts->owner = leaf.owner;
	return level_left(leaf.level, hva);
}

/* A slot may lie over any number of areas and leaves; no table lock is held here. */
static void vet_relax(struct guest_mem *m, u64 *looked)
{
	if (++*looked % m->s2.step == 0)
		port_relax_point(m->s2.port);
}

/* [@start, @end) lies in @area. Plain RAM is what it is declared; a special area is asked leaf by
 * leaf, as far as leaves are there. */
static int vet_area(struct guest_mem *m, const struct host_area *area, u64 start, u64 end,
		    u32 flags, u64 *looked)
{
	for (u64 hva = start; hva < end; vet_relax(m, looked)) {
		struct area_facts facts = {
			.type_known = KNOWN,
			.type = area->type,
			.reach_known = area->special ? UNKNOWN : KNOWN,
			.reach = REACH_ALIAS,
			.owner = area->owner,
			.special = area->special,
			.writable = area->writable,
		};
		u64 step = area->special ? learn_leaf(m, hva, &facts) : end - hva;
		struct slot_verdict v = vet(m, &facts, flags);

		if (v.error)
			return refuse(m, v.error, v.why, hva);
		hva += min(step, end - hva);
	}
	return ERR_OK;
}

/* Holes, and no VMA at all, are fine (M8). */
static int vet_slot(struct guest_mem *m, const struct slot_request *r)
{
	u64 at = r->hva.v, end = r->hva.v + r->size, looked = 0;
	struct host_area area;

	while (at < end && m->host_ops->area(m->host, HVA(at), HVA(end), &area) == ERR_OK) {
		int error = vet_area(m, &area, max(at, area.start.v), min(end, area.end.v),
				     r->flags, &looked);

		if (error)
			return error;
		at = area.end.v;
	}
	return ERR_OK;
}

/* What a log begins with in this VM. */
static enum slot_initially log_initially(const struct guest_mem *m)
{
	return m->policy.dirty_to == TO_RING ? SLOT_NO_BITMAP : m->policy.dirty_initially;
}

static int slot_prepare_vetted(struct guest_mem *m, const struct slot_request *r,
			       struct slot_update *u)
{
	int error = slot_prepare(&m->slots, r, known_flags(m), stage2_ipa_limit(&m->s2),
				 log_initially(m), &u->change);

	if (error)
		return refuse(m, error, u->change.why, r->hva.v);
	if (u->change.kind == SLOT_DELETE || u->change.kind == SLOT_NO_CHANGE)
		return ERR_OK;
	error = vet_slot(m, r);
	if (error)
		slot_cancel(&m->slots, &u->change);
	return error;
}

int guest_mem_slot_prepare(struct guest_mem *m, const struct slot_request *r, struct slot_update *u)
{
	int error = slot_prepare_vetted(m, r, u);

	if (error)
		trace_slot_refusal(m, r, &m->refusal);
	return error;
}

int guest_mem_slot_refuse(struct guest_mem *m, const struct slot_request *r, int error,
			  enum reason why)
{
	(void)refuse(m, error, why, r->hva.v);
	trace_slot_refusal(m, r, &m->refusal);
	return error;
}

void guest_mem_slot_cancel(struct guest_mem *m, struct slot_update *u)
{
	slot_cancel(&m->slots, &u->change);
}

/* Logging begins: whatever is writable now must fault to be noticed, unless all pages count as
 * dirty already; then write-protecting waits for the log to be cleared. */
static void begin_logging(struct guest_mem *m, const struct slot *s)
{
	ipa_t ipa = IPA(s->gfn << PAGE_SHIFT);
	u64 size = s->npages << PAGE_SHIFT;

	if (log_initially(m) == SLOT_DIRTY_SET)
		return;
	/* Best effort, else split by faults; first, as it disturbs writable blocks least. */
	if (m->policy.eager_split)
		(void)stage2_split(&m->s2, ipa, size);
	stage2_write_protect(&m->s2, ipa, size);
}

static void end_logging(struct guest_mem *m, const struct slot *s)
{
	struct recovery r;

	if (recovery_begin(m, &r, s->id))
		return;
	while (recovery_step(m, &r))
		;
}

static void flags_changed(struct guest_mem *m, const struct slot *old, const struct slot *s)
{
	u32 gained = s->flags & ~old->flags;

	if (gained & SLOT_WRITE_BACK)
		take_down_slot(m, s); /* each page is decided anew */
	if ((gained & SLOT_LOG_DIRTY) && !(s->flags & SLOT_READONLY))
		begin_logging(m, s);
	if (old->flags & ~s->flags & SLOT_LOG_DIRTY)
		end_logging(m, s);
}

void guest_mem_slot_commit(struct guest_mem *m, struct slot_update *u)
{
	struct slot_change *c = &u->change;

	switch (c->kind) {
	case SLOT_NO_CHANGE: break;
	case SLOT_CREATE: slot_commit_publish(&m->slots, c); break;
	case SLOT_DELETE: remove_slot(m, c); break;
	case SLOT_MOVE:
		remove_slot(m, c);
		slot_commit_publish(&m->slots, c);
		break;
	case SLOT_FLAGS:
		slot_commit_publish(&m->slots, c);
		flags_changed(m, c->old, c->new_slot);
		break;
	}
	slot_commit_finish(&m->slots, c);
}
