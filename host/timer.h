/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-shot timers with nanosecond deadlines: sleeps, interval timers, timerfd, the virtual timers
 * of vCPUs that sleep. kernel/timer.c implements them on the target, port/model natively.
 */
#ifndef HOST_TIMER_H
#define HOST_TIMER_H

#include <bsd/sys/tree.h>

#include "host/port.h"

/*
 * The owner serialises start and cancel of one timer; the callback may start its own timer again.
 */
struct timer {
	RB_ENTRY(timer) link;
	u64 deadline_ns; /* absolute, as port_time_ns() */
	/* Runs in an interrupt: interrupts masked, no lock held by the caller, must not sleep. */
	void (*fn)(struct timer *t);
	u32 cpu;   /* whose queue holds it */
	u32 armed; /* guarded by that queue's lock */
};

/* CLOCK_REALTIME = port_time_ns() + this; kernel/time.c. */
u64 time_realtime_offset_ns(void);

void timer_init(struct timer *t, void (*fn)(struct timer *t));
/* Arms, or moves, the timer: @fn runs on this CPU once port_time_ns() >= @deadline_ns. */
void timer_start(struct timer *t, u64 deadline_ns);
/*
 * Disarms it; when this returns @fn neither runs nor will. True if it was armed. The caller holds
 * no lock that @fn takes, and is not @fn.
 */
bool timer_cancel(struct timer *t);
/* As timer_cancel(), but does not wait for an @fn that is under way. */
bool timer_disarm(struct timer *t);

#endif
