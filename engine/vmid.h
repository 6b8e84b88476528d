/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMIDs of the machine: a generation and a number; when the numbers run out, a new generation
 * begins, all TLBs are flushed, and the VMIDs that run keep their numbers (R_GPPYH).
 */
#ifndef ENGINE_VMID_H
#define ENGINE_VMID_H

#include "engine/port.h"

enum { VMID_MAX_CPUS = 8 };

/* One per machine. Every field is guarded by lock unless it says otherwise. */
struct vmid_pool {
	struct port *port;
	struct port_rwlock lock;
	u64 generation;		     /* in units of 1 << bits */
	u64 active[VMID_MAX_CPUS];   /* what each CPU runs */
	u64 reserved[VMID_MAX_CPUS]; /* carried over the last rollover */
	u64 *map;		     /* numbers in use in this generation */
	unsigned int bits;
	u32 next; /* where the search for a free number begins */
	u64 rollovers;
};

/* @bits 0: what the CPU has; else 2..that, and the machine has fewer CPUs than VMIDs - 1. May
 * sleep. ERR_INVAL, ERR_NOMEM. */
int __must_check vmid_pool_init(struct vmid_pool *pool, struct port *p, unsigned int bits);
void vmid_pool_destroy(struct vmid_pool *pool);
/*
 * The VMID to enter the guest with, from *@vmid (generation and number; 0: never had one), which is
 * renewed if its generation has passed. Interrupts masked, on the CPU that enters; the VMID stays
 * valid there until vmid_leave().
 */
u16 vmid_enter(struct vmid_pool *pool, u64 *vmid);
/* This CPU left the guest and will not use its context (put, not every exit). */
void vmid_leave(struct vmid_pool *pool);

#endif
