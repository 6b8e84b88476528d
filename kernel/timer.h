/* SPDX-License-Identifier: Apache-2.0 */
/* The part of timers that only the scheduler and boot use; the rest is host/timer.h. */
#ifndef KERNEL_TIMER_H
#define KERNEL_TIMER_H

#include "host/timer.h"

/* Once, on the boot CPU, before the first timer is started. */
void timers_init(void);
/* Makes kernel_timer_interrupt() run on this CPU at @deadline_ns or before. */
void timer_need_interrupt(u64 deadline_ns);

#endif
