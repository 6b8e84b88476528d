/* SPDX-License-Identifier: Apache-2.0 */
/* The open and lately closed invalidations of a VM. */
#include "engine/invalidate.h"

static bool meets(struct hva_range a, struct hva_range b)
{
	return a.start < b.end && b.start < a.end;
}

static bool same(struct hva_range a, struct hva_range b)
{
	return a.start == b.start && a.end == b.end;
}

/* The place of an open range in @state, or INVALIDATE_OPEN_MAX. Equal ranges may be open several
 * times; any of them will do. */
static u32 find(const struct invalidations *inv, struct hva_range r, enum invalidate_state state)
{
	u32 i;

	for (i = 0; i < INVALIDATE_OPEN_MAX; i++) {
		if (inv->open[i].state == state && same(inv->open[i].range, r))
			break;
	}
	return i;
}

void invalidate_open(struct invalidations *inv, struct hva_range r)
{
	for (u32 i = 0; i < INVALIDATE_OPEN_MAX; i++) {
		if (inv->open[i].state != INVALIDATE_FREE)
			continue;
		inv->open[i].range = r;
		inv->open[i].state = INVALIDATE_UNSETTLED;
		inv->used++;
		return;
	}
	inv->overflow++;
	inv->overflow_unsettled++;
}

void invalidate_settle(struct invalidations *inv, struct hva_range r)
{
	u32 i = find(inv, r, INVALIDATE_UNSETTLED);

	if (i < INVALIDATE_OPEN_MAX)
		inv->open[i].state = INVALIDATE_SETTLED;
	else
		inv->overflow_unsettled--;
}

void invalidate_close(struct invalidations *inv, struct hva_range r)
{
	u32 i = find(inv, r, INVALIDATE_SETTLED);

	if (i < INVALIDATE_OPEN_MAX) {
		inv->open[i].state = INVALIDATE_FREE;
		inv->used--;
	} else {
		inv->overflow--;
	}
	inv->ring[inv->closed % INVALIDATE_RING] = r;
	/* Release: whoever samples the new number reads a leaf that is at least as new as the
	 * change. */
	__atomic_store_n(&inv->closed, inv->closed + 1, __ATOMIC_RELEASE);
}

static bool closed_since(const struct invalidations *inv, u64 sample, struct hva_range r)
{
	if (inv->closed - sample > INVALIDATE_RING)
		return true;
	for (u64 i = sample; i != inv->closed; i++) {
		if (meets(inv->ring[i % INVALIDATE_RING], r))
			return true;
	}
	return false;
}

bool invalidate_raced(const struct invalidations *inv, u64 sample, struct hva_range r)
{
	if (inv->overflow)
		return true;
	for (u32 i = 0; inv->used && i < INVALIDATE_OPEN_MAX; i++) {
		if (inv->open[i].state != INVALIDATE_FREE && meets(inv->open[i].range, r))
			return true;
	}
	return closed_since(inv, sample, r);
}

bool invalidate_unsettled(const struct invalidations *inv, struct hva_range r)
{
	if (inv->overflow_unsettled)
		return true;
	for (u32 i = 0; inv->used && i < INVALIDATE_OPEN_MAX; i++) {
		if (inv->open[i].state == INVALIDATE_UNSETTLED && meets(inv->open[i].range, r))
			return true;
	}
	return false;
}
