/* SPDX-License-Identifier: Apache-2.0 */
/* Recovery of blocks: finds tables, asks the host and the policy, lets stage 2 change what agrees.
 */
#include "engine/recover.h"

#include "engine/walk.h"

int recovery_begin(struct guest_mem *m, struct recovery *r, u32 slot_id)
{
	const struct slot *s = slot_by_id(&m->slots, slot_id);

	*r = (struct recovery){ .at = 0 };
	if (!s)
		return ERR_NOENT;
	slot_view_of(s, &r->slot);
	r->at = s->gfn << PAGE_SHIFT;
	r->end = r->at + (s->npages << PAGE_SHIFT);
	return ERR_OK;
}

int recovery_begin_at(struct guest_mem *m, struct recovery *r, ipa_t ipa, u64 size)
{
	const struct slot *s = slot_find(&m->slots, ipa.v >> PAGE_SHIFT);
	int error = s ? recovery_begin(m, r, s->id) : ERR_NOENT;

	if (error)
		return error;
	r->at = ipa.v;
	r->end = min(r->end, ipa.v + size);
	return ERR_OK;
}

/* What stands at @ipa, down to where a table of pages is referred to. */
static struct s2_pos look(struct guest_mem *m, u64 ipa, int level)
{
	struct s2_pos pos;

	port_walk_enter(m->s2.port);
	pos = walk_to(&m->s2, ipa, level);
	port_walk_leave(m->s2.port);
	return pos;
}

static u64 next_after(u64 ipa, int level)
{
	return ALIGN_DOWN(ipa, level_size(level)) + level_size(level);
}

/* What the policy says of a read at @ipa now. False: nothing is to be mapped, or the host would
 * have to be asked for it. */
static bool plan_at(struct guest_mem *m, struct recovery *r, u64 ipa, u64 *sample,
		    struct fault_plan *plan)
{
	struct decide_req ask = {
		.ipa = IPA(ipa),
		.access = MEM_READ,
		.top_level = max(m->s2.start_level, (s8)LEVEL_1G),
	};
	struct host_leaf leaf;

	*sample = invalidate_sample(&m->inv);
	if (m->host_ops->leaf(m->host, HVA(slot_hva_of(&r->slot, ask.ipa)), &leaf) != ERR_OK)
		return false;
	*plan = decide_fault(&ask, &r->slot, &leaf, m->s2.caps);
	return plan->verdict == VERDICT_MAP;
}

static enum s2_recover commit(struct guest_mem *m, struct recovery *r, u64 sample,
			      const struct s2_leaf *leaf, u64 ipa, unsigned int owed)
{
	u64 start = slot_hva_of(&r->slot, IPA(ipa)), size = level_size(leaf->level);
	enum s2_recover result = S2_RECOVER_RACED;

	port_write_lock(m->s2.port, &m->s2.lock);
	if (!invalidate_raced(&m->inv, sample, (struct hva_range){ start, start + size }))
		result = stage2_recover(&m->s2, IPA(ipa), leaf, owed);
	stat_inc(&m->s2, STAT_lock_holds);
	port_write_unlock(m->s2.port, &m->s2.lock);
	return result;
}

/* The table at @level that holds @ipa. True: it is a block now. */
static bool recover_table(struct guest_mem *m, struct recovery *r, u64 ipa, int level)
{
	u64 base = ALIGN_DOWN(ipa, level_size(level)), sample;
	struct fault_plan plan;
	struct s2_leaf leaf;

	if (!plan_at(m, r, ipa, &sample, &plan))
		return false;
	if (plan.level > level) {
		r->bound[plan.bound_by]++;
		return false;
	}
	leaf = (struct s2_leaf){
		.pa = PA(plan.pa.v + (base - plan.ipa.v)),
		.type = plan.type,
		.perms = plan.perms,
		.level = (s8)level,
	};
	switch (commit(m, r, sample, &leaf, base, plan.owed)) {
	case S2_RECOVERED: r->recovered++; return true;
	case S2_RECOVER_DISAGREES: r->disagreed++; return false;
	case S2_RECOVER_RACED: r->raced++; return false;
	case S2_RECOVER_NO_TABLE: break;
	}
	return false;
}

/* Pages stay pages: those of the slot in the table of @ipa. A range that is being taken down relies
 * on hints not coming back. */
static void hint_table(struct guest_mem *m, struct recovery *r, u64 ipa)
{
	u64 slot_start = r->slot.gfn << PAGE_SHIFT;
	u64 slot_end = slot_start + (r->slot.npages << PAGE_SHIFT);
	u64 start = max(ALIGN_DOWN(ipa, SZ_2M), slot_start);
	u64 size = min(ALIGN_DOWN(ipa, SZ_2M) + SZ_2M, slot_end) - start;
	u64 hva = slot_hva_of(&r->slot, IPA(start));

	port_write_lock(m->s2.port, &m->s2.lock);
	if (!invalidate_raced(&m->inv, invalidate_sample(&m->inv),
			      (struct hva_range){ hva, hva + size }))
		stage2_hint(&m->s2, IPA(start), size);
	stat_inc(&m->s2, STAT_lock_holds);
	port_write_unlock(m->s2.port, &m->s2.lock);
}

/* Was that the last 2 MiB of a table that may be a block of 1 GiB? */
static void recover_upper(struct guest_mem *m, struct recovery *r, u64 ipa)
{
	struct s2_pos pos = look(m, ipa, LEVEL_1G);

	if (next_after(ipa, LEVEL_2M) == next_after(ipa, LEVEL_1G) && pos.level == LEVEL_1G &&
	    desc_is_table(pos.old, LEVEL_1G))
		recover_table(m, r, ipa, LEVEL_1G);
}

bool recovery_step(struct guest_mem *m, struct recovery *r)
{
	struct s2_pos pos;

	if (r->at >= r->end)
		return false;
	pos = look(m, r->at, LEVEL_2M);
	if (pos.level == LEVEL_2M && desc_is_table(pos.old, LEVEL_2M) &&
	    !recover_table(m, r, r->at, LEVEL_2M) && !r->slot.logging)
		hint_table(m, r, r->at);
	if (pos.level == LEVEL_2M)
		recover_upper(m, r, r->at);
	r->at = next_after(r->at, pos.level);
	port_relax_point(m->s2.port);
	return r->at < r->end;
}
