/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which host ranges are being invalidated, and which were lately: what a fault that raced with the
 * host must retry for (M13). Ranges are in host virtual addresses, so that slots may change
 * meanwhile. A range is published before the first descriptor is removed and closed after the TLB
 * invalidation is complete.
 *
 * Everything is guarded by the table lock: writers hold it for writing, invalidate_raced() for
 * reading at least; invalidate_sample() needs none.
 */
#ifndef ENGINE_INVALIDATE_H
#define ENGINE_INVALIDATE_H

#include "engine/types.h"

enum { INVALIDATE_OPEN_MAX = 16, INVALIDATE_RING = 64 };

struct hva_range {
	u64 start, end; /* [start, end) */
};

struct invalidations {
	u64 closed; /* ranges closed so far; read without the lock */
	u32 open_count;
	u32 open_overflow; /* open ranges that found no place: all must retry */
	struct hva_range open[INVALIDATE_OPEN_MAX]; /* empty if start == end */
	struct hva_range ring[INVALIDATE_RING];	    /* the last ones closed, by closed % size */
};

/* The number to hand to invalidate_raced() later; taken before the host leaf is read. Acquire: the
 * leaf read comes after it. */
static inline u64 invalidate_sample(const struct invalidations *inv)
{
	return __atomic_load_n(&inv->closed, __ATOMIC_ACQUIRE);
}

void invalidate_open(struct invalidations *inv, struct hva_range r);
void invalidate_close(struct invalidations *inv, struct hva_range r);
/* True if a range that meets @r is open, or was closed since @sample. */
bool invalidate_raced(const struct invalidations *inv, u64 sample, struct hva_range r);

#endif
