/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files that implement engine/guest_mem.h, engine/dirty.h and engine/fault.h. */
#ifndef ENGINE_GUEST_MEM_PRIV_H
#define ENGINE_GUEST_MEM_PRIV_H

#include "engine/guest_mem.h"

/*
 * Unmaps [@ipa, @ipa + @size), whose host addresses are @r, with faults on @r held back until the
 * TLB invalidation and the maintenance are complete. No table lock held. Does not sleep.
 */
void guest_mem_take_down(struct guest_mem *m, struct hva_range r, ipa_t ipa, u64 size);

#endif
