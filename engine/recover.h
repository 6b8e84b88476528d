/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks come back in place: where a slot no longer logs, a table whose 512 leaves agree with what
 * the host has and the policy says becomes a block again (M6, M7). Sparse tables are left alone:
 * the next fault on them makes the block.
 * Pages that stay pages get the contiguous hint where they can share it.
 */
#ifndef ENGINE_RECOVER_H
#define ENGINE_RECOVER_H

#include "engine/decide.h"
#include "engine/guest_mem.h"

/* One pass over a slot on its way. */
struct recovery {
	struct slot_view slot;
	u64 at, end;		/* IPAs: where to go on */
	u64 recovered;		/* tables that became blocks */
	u64 disagreed;		/* tables not full, or with leaves that do not agree */
	u64 bound[LIMIT_COUNT]; /* tables kept for these limits of their size */
	u64 raced;		/* tables the host was just changing */
};

/*
 * Under the slots lock, from begin to the last step. ERR_NOENT: no such slot. step looks at one
 * table at most, for no more than stage2.step descriptors under the table lock; false: done.
 */
int __must_check recovery_begin(struct guest_mem *m, struct recovery *r, u32 slot_id);
/* The same for the part of [@ipa, @ipa + @size) that lies in the slot that holds @ipa. */
int __must_check recovery_begin_at(struct guest_mem *m, struct recovery *r, ipa_t ipa, u64 size);
bool recovery_step(struct guest_mem *m, struct recovery *r);

#endif
