/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a vCPU's time goes: from one change of its doings to the next all time is put down to one
 * of exit_counters.time. Under an emulator that counts instructions (--icount) these are
 * instructions. Only with kvm.costs=on, since each change reads the counter.
 */
#ifndef KVM_COSTS_H
#define KVM_COSTS_H

#include "kvm/counters.h"
#include "kvm/port.h"

/* Constant after start. */
extern bool costs_wanted;

/* What was going on ends; now it is @next. The vCPU's own thread. */
static inline void costs_turn(struct exit_counters *e, enum time_spent next)
{
	u64 now;

	if (!costs_wanted)
		return;
	now = port_counter();
	if (e->since)
		e->time[e->doing] += now - e->since;
	e->since = now;
	e->doing = next;
}

#endif
