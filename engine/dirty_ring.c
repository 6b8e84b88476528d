/* SPDX-License-Identifier: Apache-2.0 */
/* Dirty rings: pushing, and taking back what user space has read. */
#include "engine/dirty_ring.h"

void dirty_ring_init(struct dirty_ring *r, struct dirty_entry *entries, u32 size)
{
	*r = (struct dirty_ring){ .entry = entries, .size = size };
}

static struct dirty_entry *entry_at(const struct dirty_ring *r, u32 index)
{
	return &r->entry[index & (r->size - 1)];
}

bool dirty_ring_is_full(const struct dirty_ring *r)
{
	/* Acquire: a place that was taken back is free before it is used again. */
	u32 used = r->pushed - __atomic_load_n(&r->reset, __ATOMIC_ACQUIRE);

	return used >= r->size - DIRTY_RING_RESERVED;
}

void dirty_ring_push(struct dirty_ring *r, u32 slot_id, u64 offset)
{
	struct dirty_entry *e = entry_at(r, r->pushed);

	__atomic_store_n(&e->slot, slot_id, __ATOMIC_RELAXED);
	__atomic_store_n(&e->offset, offset, __ATOMIC_RELAXED);
	__atomic_store_n(&e->flags, DIRTY_ENTRY_DIRTY, __ATOMIC_RELEASE);
	__atomic_store_n(&r->pushed, r->pushed + 1, __ATOMIC_RELEASE);
}

/* Pages of one slot, near each other: what one hold can protect. */
struct batch {
	u32 slot_id;
	u64 first; /* page of the slot */
	u64 mask;  /* 64 pages from there on; 0: none yet */
};

static void batch_protect(struct guest_mem *m, const struct batch *b, struct dirty_reset *reset)
{
	const struct slot *s = slot_by_id(&m->slots, b->slot_id);
	u64 pages, ipa, end;

	/* User space may have made it up, or the slot went meanwhile. */
	if (!b->mask || !s || !(s->flags & SLOT_LOG_DIRTY) || b->first >= s->npages)
		return;
	pages = min(s->npages - b->first, 64UL);
	ipa = (s->gfn + b->first) << PAGE_SHIFT;
	end = ipa + (pages << PAGE_SHIFT);
	stage2_write_protect_mask(&m->s2, IPA(ipa), b->mask & (~0UL >> (64 - pages)));
	if (reset->start == reset->end)
		*reset = (struct dirty_reset){ reset->count, ipa, end };
	reset->start = min(reset->start, ipa);
	reset->end = max(reset->end, end);
}

/* False: @offset does not fit. */
static bool batch_add(struct batch *b, u32 slot_id, u64 offset)
{
	if (!b->mask)
		*b = (struct batch){ slot_id, ALIGN_DOWN(offset, 64), 0 };
	if (slot_id != b->slot_id || ALIGN_DOWN(offset, 64) != b->first)
		return false;
	b->mask |= BIT(offset % 64);
	return true;
}

/* The next entry if user space has read it. Its place is free on return. */
static bool take_entry(struct dirty_ring *r, u32 *slot_id, u64 *offset)
{
	struct dirty_entry *e = entry_at(r, r->reset);

	if (r->reset == __atomic_load_n(&r->pushed, __ATOMIC_ACQUIRE) ||
	    !(__atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) & DIRTY_ENTRY_RESET))
		return false;
	*slot_id = __atomic_load_n(&e->slot, __ATOMIC_RELAXED);
	*offset = __atomic_load_n(&e->offset, __ATOMIC_RELAXED);
	__atomic_store_n(&e->flags, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&r->reset, r->reset + 1, __ATOMIC_RELEASE);
	return true;
}

bool dirty_ring_reset_step(struct guest_mem *m, struct dirty_ring *r, struct dirty_reset *reset)
{
	struct batch b = { .mask = 0 };
	unsigned int taken = 0;
	u32 slot_id;
	u64 offset;

	while (taken < m->s2.step && take_entry(r, &slot_id, &offset)) {
		taken++;
		if (batch_add(&b, slot_id, offset))
			continue;
		batch_protect(m, &b, reset);
		b.mask = 0;
		(void)batch_add(&b, slot_id, offset);
	}
	batch_protect(m, &b, reset);
	reset->count += taken;
	port_relax_point(m->s2.port);
	return taken == m->s2.step;
}

void dirty_reset_end(struct guest_mem *m, const struct dirty_reset *reset)
{
	if (reset->start != reset->end)
		stage2_flush(&m->s2, IPA(reset->start), reset->end - reset->start);
}
