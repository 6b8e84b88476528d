/* SPDX-License-Identifier: Apache-2.0 */
/* The part of timers that only the scheduler and boot use; the rest is host/timer.h. */
#ifndef KERNEL_TIMER_H
#define KERNEL_TIMER_H

#include "host/timer.h"

/* Once, on the boot CPU, before the first timer is started. */
void timers_init(void);
/* Makes kernel_timer_interrupt() run on this CPU at @deadline_ns or before. */
void timer_need_interrupt(u64 deadline_ns);

/*
 * For a periodic timer's own function: as timer_start(), but no sooner than the kernel can serve.
 * Else a period of a nanosecond would expire again before its interrupt is over, for ever. The
 * caller counts the periods that went by when it runs next.
 */
void timer_restart(struct timer *t, u64 deadline_ns);

#endif
