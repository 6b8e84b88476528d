/* SPDX-License-Identifier: Apache-2.0 */
/* Timers of timer_create(2), as the rest of the kernel sees them. */
#ifndef KERNEL_POSIX_TIMER_H
#define KERNEL_POSIX_TIMER_H

#include "kernel/signal.h"

/* At exec and exit: they are gone, and nothing fires any more. */
void posix_timers_delete(struct process *p);
/* A timer's signal was taken off @p's queue; under @p's lock. */
void posix_timer_taken(struct process *p, const siginfo_t *info);

#endif
