/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dirty log of a slot: which pages the guest wrote since user space last asked. Marking is
 * lock-free; the calls of user space hold the slots lock.
 *
 * Order (docs/invariants.md): a bit is taken from the bitmap before its page is write-protected,
 * and user space sees it only after the TLB invalidation; a page is marked after its descriptor
 * grants the write.
 */
#ifndef ENGINE_DIRTY_H
#define ENGINE_DIRTY_H

#include "engine/guest_mem.h"

/* Bits and words of a slot's log, little-endian within 64-bit words as in the ABI. */
struct dirty_log {
	const u64 *words;
	u64 count; /* words: pages rounded up to 64 */
};

/*
 * KVM_GET_DIRTY_LOG. @log stays valid until the slots lock is released. With DIRTY_PROTECT_ON_GET
 * the bits returned are cleared and their pages write-protected, TLB invalidation included.
 * ERR_NOENT: no such slot, or it does not log.
 */
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
/* Marks one page, of whatever slot holds it now. Any context. */
void dirty_mark(struct guest_mem *m, u64 gfn);

#endif
