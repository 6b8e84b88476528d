/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dirty log of a slot: which pages the guest wrote since user space last asked. Marking is
 * lock-free; the calls of user space hold the slots lock.
 *
 * Order (docs/invariants.md): a bit is taken from the bitmap before its page is write-protected,
 * and user space sees it only after the TLB invalidation; a page is marked after its descriptor
 * grants the write.
 *
 * Where the CPU can (stage2.hw_dirty), hardware is a second writer (M17): it marks a page in its
 * leaf. The marks are collected when the log is read, and when a leaf goes (struct s2_log).
 */
#ifndef ENGINE_DIRTY_H
#define ENGINE_DIRTY_H

#include "engine/guest_mem.h"

/* Bits and words of a slot's log, little-endian within 64-bit words as in the ABI. */
struct dirty_log {
	const u64 *words;
	u64 count; /* words: pages rounded up to 64 */
};

/* One KVM_GET_DIRTY_LOG on its way. */
struct dirty_get {
	struct slot *slot;
	u64 word;	/* the next one */
	u64 looked;	/* pages, from the first on, whose leaves were looked at */
	u64 start, end; /* IPAs to invalidate; none if equal */
};

/*
 * KVM_GET_DIRTY_LOG in bounded steps, all under the slots lock, between which the caller may give
 * way: begin, then step until it says false, then end.
 *
 * begin fails with ERR_NOENT: no such slot, or it has no bitmap. A step looks at 512 pages, at
 * most stage2.step of them in a hold of the table lock; false: it was the last one. What end puts
 * into @log stays valid until the slots lock is released. With DIRTY_PROTECT_ON_GET the bits
 * returned are cleared and their pages write-protected, TLB invalidation included.
 */
int __must_check dirty_log_get_begin(struct guest_mem *m, struct dirty_get *get, u32 slot_id);
bool dirty_log_get_step(struct guest_mem *m, struct dirty_get *get);
void dirty_log_get_end(struct guest_mem *m, struct dirty_get *get, struct dirty_log *log);
/* The three in one. */
int __must_check dirty_log_get(struct guest_mem *m, u32 slot_id, struct dirty_log *log);
/*
 * KVM_CLEAR_DIRTY_LOG: clears the bits set in @mask (words of 64 pages from @first_page) and
 * write-protects their pages. @first_page is a multiple of 64; @npages too, unless it reaches the
 * slot's end. ERR_INVAL, ERR_NOENT. dirty_log_clear_end() must follow the last of several calls
 * before user space is told; it invalidates the TLB.
 */
int __must_check dirty_log_clear(struct guest_mem *m, u32 slot_id, u64 first_page, u64 npages,
				 const u64 *mask);
void dirty_log_clear_end(struct guest_mem *m, u32 slot_id);
/* Marks one page, of whatever slot holds it now or is just leaving. Any context. */
void dirty_mark(struct guest_mem *m, u64 gfn);

#endif
