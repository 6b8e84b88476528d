/* SPDX-License-Identifier: Apache-2.0 */
/* Cache maintenance that is owed around a change of a descriptor. */
#include "engine/cmo.h"

void cmo_pay(struct stage2 *s2, pa_t pa, u64 size, unsigned int owed)
{
	if (owed & CMO_DCACHE) {
		port_dcache_clean_inval(s2->port, pa, size);
		stat_add(s2, STAT_dcache_bytes, size);
	}
	if (owed & CMO_ICACHE) {
		port_icache_inval(s2->port, pa, size);
		stat_add(s2, STAT_icache_bytes, size);
	}
	if (owed & CMO_ICACHE_ALL) {
		port_icache_inval_all(s2->port);
		stat_inc(s2, STAT_icache_all);
	}
}

void cmo_pay_after(struct stage2 *s2, pa_t pa, u64 size)
{
	port_dcache_clean_inval(s2->port, pa, size);
	stat_add(s2, STAT_dcache_bytes, size);
}

void cmo_pay_page(struct stage2 *s2, pa_t pa)
{
	cmo_pay_after(s2, PA(ALIGN_DOWN(pa.v, PAGE_SIZE)), PAGE_SIZE);
}
