/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, and times as programs pass them. All times in the kernel are nanoseconds in u64. */
#ifndef KERNEL_TIME_H
#define KERNEL_TIME_H

#include <linux/time.h>
#include <linux/time_types.h>

#include "host/err.h"
#include "host/port.h"
#include "host/timer.h"

#define NS_PER_SEC  1000000000UL
#define NS_PER_MSEC 1000000UL
#define NS_PER_USEC 1000UL

/* Now, CLOCK_REALTIME. */
u64 time_realtime_ns(void);
/* Takes the time of day at start from the command line ("time=SECONDS"), else 1970. */
void time_init(void);
/* Reads @clock for the calling thread; -EINVAL for one that does not exist. */
int time_read_clock(s32 clock, u64 *ns);
/*
 * The deadline on port_time_ns()'s scale of @ns on @clock: CLOCK_REALTIME and its kin, MONOTONIC or
 * BOOTTIME; -EINVAL for clocks that cannot be slept on.
 */
int time_deadline(s32 clock, u64 ns, u64 *deadline_ns);
/* now + @ns, saturating at SCHED_FOREVER. */
u64 time_after(u64 ns);

/* Reads a timespec of a program: 0, -EFAULT, or -EINVAL if negative or tv_nsec is out of range. */
int timespec_from_user(hva_t p, u64 *ns);
int timespec_to_user(hva_t p, u64 ns);
struct __kernel_timespec timespec_of(u64 ns);
/* Checks and converts; -EINVAL. Saturates. */
int timespec_to_ns(const struct __kernel_timespec *ts, u64 *ns);
/* Struct timeval, tv_usec. */
int timeval_from_user(hva_t p, u64 *ns);
int timeval_to_user(hva_t p, u64 ns);

#endif
