/* SPDX-License-Identifier: Apache-2.0 */
/* Fault path, stage 5: the plan becomes a descriptor, unless the host or the slots changed
 * meanwhile (M13). The only stage that takes the table lock. */
#include "engine/dirty.h"
#include "engine/dirty_ring.h"
#include "engine/fault.h"
#include "engine/guest_mem_priv.h"

static bool same_slot(const struct slot_view *a, const struct slot_view *b)
{
	return a->gfn == b->gfn && a->npages == b->npages && a->hva.v == b->hva.v &&
	       a->id == b->id && a->flags == b->flags && a->logging == b->logging;
}

/* Is the slot still the one that was looked up? A change is published before it takes the table
 * lock for writing, so what we install before that, it finds. */
static bool slot_changed(struct guest_mem *m, const struct slot_view *slot, u64 gfn)
{
	struct slot_view now;

	if (__atomic_load_n(&m->slots.generation, __ATOMIC_ACQUIRE) == slot->generation)
		return false;
	return !slot_look_up(&m->slots, gfn, &now) || !same_slot(slot, &now);
}

static bool has_raced(struct guest_mem *m, const struct slot_view *slot,
		      const struct fault_backing *backing, ipa_t ipa, u64 size)
{
	u64 hva = slot_hva_of(slot, ipa);
	struct hva_range r = { hva, hva + size };

	return slot_changed(m, slot, ipa.v >> PAGE_SHIFT) ||
	       invalidate_raced(&m->inv, backing->sample, r);
}

static struct hva_range host_range(const struct slot_view *slot, const struct fault_plan *plan)
{
	u64 start = slot_hva_of(slot, plan->ipa);

	return (struct hva_range){ start, start + level_size(plan->level) };
}

static bool grants(enum s2_result result)
{
	switch (result) {
	case S2_DONE_INSTALL:
	case S2_DONE_RELAX:
	case S2_DONE_KEEP:
	case S2_DONE_REPLACE:
	case S2_DONE_SPLIT: return true;
	case S2_DONE_COLLAPSE:
	case S2_DONE_BREAK:
	case S2_RACED:
	case S2_NEEDS_TABLES:
	case S2_NEEDS_COLLAPSE: break;
	}
	return false;
}

static bool is_logged_write(const struct fault_plan *plan)
{
	return plan->logged && (plan->perms & S2_W);
}

static void tell_write(struct guest_mem *m, const struct slot_view *slot,
		       const struct fault_plan *plan, struct dirty_ring *ring)
{
	u64 gfn = plan->ipa.v >> PAGE_SHIFT;

	if (ring)
		dirty_ring_push(ring, slot->id, gfn - slot->gfn);
	else
		dirty_mark(m, gfn);
}

static struct s2_leaf leaf_of(const struct fault_plan *plan)
{
	return (struct s2_leaf){
		.pa = plan->pa,
		.type = plan->type,
		.perms = plan->perms,
		.level = plan->level,
	};
}

/* Under the table lock. A page is marked after its descriptor grants the write, and before a change
 * of its slot can get in between (docs/invariants.md). */
static enum s2_result commit_locked(struct guest_mem *m, const struct slot_view *slot,
				    const struct fault_backing *backing,
				    const struct fault_plan *plan, struct dirty_ring *ring,
				    struct table_cache *cache)
{
	struct s2_leaf leaf = leaf_of(plan);
	enum s2_result result;

	if (has_raced(m, slot, backing, plan->ipa, level_size(plan->level)))
		return S2_RACED;
	if (is_logged_write(plan) && ring && dirty_ring_is_full(ring))
		return S2_RACED;
	result = stage2_commit(&m->s2, cache, plan->ipa, &leaf, plan->owed);
	if (is_logged_write(plan) && grants(result))
		tell_write(m, slot, plan, ring);
	return result;
}

/* Pages stand where a block is to be. They go as a range goes, faults on them held back; the next
 * fault finds the place empty. */
static enum s2_result collapse(struct guest_mem *m, const struct slot_view *slot,
			       const struct fault_plan *plan)
{
	struct hva_range r = host_range(slot, plan);

	guest_mem_take_down(m, r, plan->ipa, level_size(plan->level));
	stat_inc(&m->s2, STAT_collapse);
	return S2_DONE_COLLAPSE;
}

enum s2_result fault_commit(struct guest_mem *m, const struct slot_view *slot,
			    const struct fault_backing *backing, const struct fault_plan *plan,
			    struct dirty_ring *ring, int *error)
{
	struct table_cache cache = { .count = 0 };
	unsigned int tables = stage2_tables_missing(&m->s2, plan->ipa, plan->level);
	enum s2_result result = S2_NEEDS_TABLES;

	while (result == S2_NEEDS_TABLES) {
		*error = table_cache_fill(&cache, m->s2.port, tables);
		if (*error)
			break;
		port_read_lock(m->s2.port, &m->s2.lock);
		result = commit_locked(m, slot, backing, plan, ring, &cache);
		port_read_unlock(m->s2.port, &m->s2.lock);
		tables = stage2_tables_max(&m->s2); /* something was taken down meanwhile */
	}
	table_cache_drain(&cache, m->s2.port);
	return result == S2_NEEDS_COLLAPSE ? collapse(m, slot, plan) : result;
}

/* What a run's leaves were planned from. */
struct run_basis {
	struct guest_mem *m;
	const struct slot_view *slot;
	const struct fault_backing *backing;
};

static bool run_is_stale(void *arg, ipa_t ipa, u64 size)
{
	const struct run_basis *b = arg;

	return has_raced(b->m, b->slot, b->backing, ipa, size);
}

struct s2_map_result fault_commit_run(struct guest_mem *m, const struct slot_view *slot,
				      const struct fault_backing *backing,
				      const struct fault_plan *plan, u64 size)
{
	struct run_basis basis = { m, slot, backing };
	struct s2_map map = {
		.ipa = plan->ipa,
		.size = size,
		.leaf = leaf_of(plan),
		.owed = plan->owed,
		.is_stale = run_is_stale,
		.arg = &basis,
	};

	return stage2_map_range(&m->s2, &map);
}
