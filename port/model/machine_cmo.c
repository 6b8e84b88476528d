/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's cache maintenance on the modelled machine: in the ledger and on the lines. */
#include "port/model/machine_priv.h"

static void note(struct port *p, enum event_kind kind, u64 pa, u64 size)
{
	struct event *e = history_add(p, kind);

	e->pa = pa;
	e->size = size;
}

void machine_dcache_clean_inval(struct port *p, pa_t pa, u64 size)
{
	machine_point(p, "dcache clean");
	p->machine->counts.dcache_bytes += size;
	p->machine->counts.dsb++;
	if (p->machine->deaf[DEAF_DCACHE])
		return;
	note(p, EVENT_DCACHE, pa.v, size);
	ledger_dcache(p, pa.v, size);
	line_cmo_range(p, pa.v, size, CMO_CLEAN_INVAL);
}

void machine_icache_inval(struct port *p, pa_t pa, u64 size)
{
	machine_point(p, "icache invalidate");
	p->machine->counts.icache_bytes += size;
	if (p->machine->deaf[DEAF_ICACHE])
		return;
	note(p, EVENT_ICACHE, pa.v, size);
	ledger_icache(p, pa.v, size);
	line_cmo_range(p, pa.v, size, CMO_IC);
}

void machine_icache_inval_all(struct port *p)
{
	machine_point(p, "icache invalidate all");
	p->machine->counts.icache_all++;
	if (p->machine->deaf[DEAF_ICACHE])
		return;
	note(p, EVENT_ICACHE_ALL, 0, ~0UL);
	ledger_icache_all(p);
	line_icache_all(p, ~0U);
}
