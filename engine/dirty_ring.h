/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dirty rings (KVM_CAP_DIRTY_LOG_RING_ACQ_REL): each vCPU tells the pages it writes in a ring of
 * its own, in memory that user space maps. The life of an entry:
 *
 *	0 -> DIRTY		the vCPU, after its leaf grants the write (E20)
 *	DIRTY -> RESET set		user space has read it
 *	RESET -> 0		the page is write-protected again
 *
 * User space may write whatever it likes into the ring, at any time: an entry's flags are loaded
 * with acquire, its fields once, and believed only as far as a slot has such a page.
 */
#ifndef ENGINE_DIRTY_RING_H
#define ENGINE_DIRTY_RING_H

#include "engine/guest_mem.h"

/* struct kvm_dirty_gfn of the ABI. */
struct dirty_entry {
	u32 flags;  /* DIRTY_ENTRY_* */
	u32 slot;   /* id; address space in the upper half, which is 0 here */
	u64 offset; /* in pages from the slot's start */
};
_Static_assert(sizeof(struct dirty_entry) == 16, "the ABI's size");

enum { DIRTY_ENTRY_DIRTY = 1, DIRTY_ENTRY_RESET = 2 };
/* Entries of a ring: a power of 2. A ring counts as full while so many places are left. */
enum { DIRTY_RING_MIN = 256, DIRTY_RING_MAX = 65536, DIRTY_RING_RESERVED = 64 };

struct dirty_ring {
	struct dirty_entry *entry; /* [size]; shared with user space */
	u32 size;
	u32 pushed; /* entries ever; written by the vCPU's thread */
	u32 reset;  /* same; written under the slots lock, read by the vCPU's thread */
};

/* Over zeroed memory of @size entries, which is the caller's. */
void dirty_ring_init(struct dirty_ring *r, struct dirty_entry *entries, u32 size);
/*
 * Must the vCPU leave for user space (KVM_EXIT_DIRTY_RING_FULL) before it enters the guest? Faults
 * on a full ring grant no write that is logged: the guest would fault for ever. On the vCPU's
 * thread.
 */
bool dirty_ring_is_full(const struct dirty_ring *r);
/* On the vCPU's thread; the ring is not full. */
void dirty_ring_push(struct dirty_ring *r, u32 slot_id, u64 offset);

/* One KVM_RESET_DIRTY_RINGS on its way, over any number of rings. */
struct dirty_reset {
	u64 count;	/* entries taken back */
	u64 start, end; /* IPAs to invalidate; none if equal */
};
/*
 * Takes back the entries that user space has read, in order, and write-protects their pages; at
 * most stage2.step entries, and the table lock is held for 64 pages at a time. True: there may be
 * more. Under the slots lock, as dirty_reset_end(), which must follow the last step before user
 * space is told: it invalidates the TLB.
 */
bool dirty_ring_reset_step(struct guest_mem *m, struct dirty_ring *r, struct dirty_reset *reset);
void dirty_reset_end(struct guest_mem *m, const struct dirty_reset *reset);

#endif
