/* SPDX-License-Identifier: Apache-2.0 */
/* Who owes which cache maintenance, and paying it (design.md M2, M5). */
#ifndef ENGINE_CMO_H
#define ENGINE_CMO_H

#include "engine/decide.h"
#include "engine/desc.h"

/* Pays the CMO_* bits of @owed for memory that is about to become visible to the guest. */
void cmo_pay(struct stage2 *s2, pa_t pa, u64 size, unsigned int owed);

/* Does a leaf with descriptor @d owe a clean to PoC once no TLB holds it? */
static inline bool cmo_owed_after(const struct stage2 *s2, u64 d)
{
	return decide_owed_after(desc_type(d), s2->caps) != 0;
}

/* Does any leaf, on these CPUs? */
static inline bool cmo_ever_owed_after(const struct stage2 *s2)
{
	unsigned int owed = 0;

	for (int type = 0; type < S2_TYPE_COUNT; type++)
		owed |= decide_owed_after((enum s2_type)type, s2->caps);
	return owed != 0;
}

/* Pays it. */
void cmo_pay_after(struct stage2 *s2, pa_t pa, u64 size);
/* DC CIVAC for the page that holds @pa, on behalf of a guest. */
void cmo_pay_page(struct stage2 *s2, pa_t pa);

#endif
