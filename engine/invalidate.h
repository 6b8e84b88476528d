/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which host ranges are being invalidated, and which were lately: what a fault that raced with the
 * host must retry for (M13). Ranges are in host virtual addresses, so that slots may change
 * meanwhile. A range is opened before its first descriptor is removed, settled when the TLB
 * invalidation and the maintenance owed are complete, and closed when the host has made its change.
 *
 * Everything is guarded by the table lock: writers hold it for writing, readers for reading at
 * least; invalidate_sample() needs none.
 */
#ifndef ENGINE_INVALIDATE_H
#define ENGINE_INVALIDATE_H

#include "engine/types.h"

enum { INVALIDATE_OPEN_MAX = 16, INVALIDATE_RING = 64 };

struct hva_range {
	u64 start, end; /* [start, end) */
};

enum invalidate_state { INVALIDATE_FREE, INVALIDATE_UNSETTLED, INVALIDATE_SETTLED };

struct invalidations {
	u64 closed;		/* ranges closed so far; read without the lock */
	u32 used;		/* places of open[] in use */
	u32 overflow;		/* open ranges that found no place: everything must retry */
	u32 overflow_unsettled; /* of these */
	struct {
		struct hva_range range;
		enum invalidate_state state;
	} open[INVALIDATE_OPEN_MAX];
	struct hva_range ring[INVALIDATE_RING]; /* the last ones closed, by closed % size */
};

/* The number to hand to invalidate_raced() later; taken before the host leaf is read. Acquire: the
 * leaf read comes after it. */
static inline u64 invalidate_sample(const struct invalidations *inv)
{
	return __atomic_load_n(&inv->closed, __ATOMIC_ACQUIRE);
}

void invalidate_open(struct invalidations *inv, struct hva_range r);
void invalidate_settle(struct invalidations *inv, struct hva_range r);
void invalidate_close(struct invalidations *inv, struct hva_range r);
/* True if a range that meets @r is open, or was closed since @sample. */
bool invalidate_raced(const struct invalidations *inv, u64 sample, struct hva_range r);
/* True if a range that meets @r is open and not settled: some of @r may still be in a TLB although
 * its descriptors are gone. */
bool invalidate_unsettled(const struct invalidations *inv, struct hva_range r);

#endif
