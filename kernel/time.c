/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks and sleeping on them. */
#include "kernel/time.h"

#include <linux/times.h>

#include "kernel/port.h"
#include "kernel/sched.h"
#include "kernel/syscalls.h"
#include "kernel/thread.h"

/* CLOCKS_PER_SEC of times() and of clock_t. */
#define TICK_NS 10000000UL

static u64 realtime_offset_ns;

void time_init(void)
{
	char value[24];
	u64 seconds = 0;

	if (!boot_option("time", value, sizeof(value)))
		return;
	for (const char *c = value; *c >= '0' && *c <= '9'; c++)
		seconds = seconds * 10 + (u64)(*c - '0');
	realtime_offset_ns = seconds * NS_PER_SEC;
}

u64 time_realtime_offset_ns(void)
{
	return realtime_offset_ns;
}

u64 time_realtime_ns(void)
{
	return port_time_ns() + realtime_offset_ns;
}

u64 time_after(u64 ns)
{
	u64 now_ns = port_time_ns();

	return ns >= SCHED_FOREVER - now_ns ? SCHED_FOREVER : now_ns + ns;
}

/* ---- clocks */

/* Clock ids below 0 name a CPU-time clock: ~pid in the upper bits, kind in the lower three. */
enum { CPU_CLOCK_THREAD = 4, CPU_CLOCK_KIND = 3, CPU_CLOCK_NONE = 3 };

static int read_thread_clock(s32 tid, u64 *ns)
{
	struct thread *t = tid ? thread_find(tid) : thread_get(current_thread());
	int err = -EINVAL;

	if (!t)
		return -EINVAL;
	if (t->process == current_process()) {
		*ns = sched_runtime_ns(t);
		err = 0;
	}
	thread_put(t);
	return err;
}

static int read_process_clock(s32 pid, u64 *ns)
{
	struct process *p = pid ? process_find(pid) : process_get(current_process());

	if (!p)
		return -EINVAL;
	*ns = process_runtime_ns(p);
	process_put(p);
	return 0;
}

static int read_cpu_clock(s32 clock, u64 *ns)
{
	s32 id = ~(clock >> 3);

	if ((clock & CPU_CLOCK_KIND) == CPU_CLOCK_NONE)
		return -EINVAL;
	return clock & CPU_CLOCK_THREAD ? read_thread_clock(id, ns) : read_process_clock(id, ns);
}

int time_read_clock(s32 clock, u64 *ns)
{
	if (clock < 0)
		return read_cpu_clock(clock, ns);
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI: *ns = time_realtime_ns(); return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME: *ns = port_time_ns(); return 0;
	case CLOCK_PROCESS_CPUTIME_ID: return read_process_clock(0, ns);
	case CLOCK_THREAD_CPUTIME_ID: return read_thread_clock(0, ns);
	default: return -EINVAL;
	}
}

int time_deadline(s32 clock, u64 ns, u64 *deadline_ns)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_TAI:
		*deadline_ns = ns > realtime_offset_ns ? ns - realtime_offset_ns : 0;
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME: *deadline_ns = ns; return 0;
	default: return -EINVAL;
	}
}

/* ---- times as programs pass them */

int timespec_to_ns(const struct __kernel_timespec *ts, u64 *ns)
{
	u64 sec = (u64)ts->tv_sec;

	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || (u64)ts->tv_nsec >= NS_PER_SEC)
		return -EINVAL;
	*ns = sec >= SCHED_FOREVER / NS_PER_SEC ? SCHED_FOREVER
						: sec * NS_PER_SEC + (u64)ts->tv_nsec;
	return 0;
}

struct __kernel_timespec timespec_of(u64 ns)
{
	return (struct __kernel_timespec){ .tv_sec = (s64)(ns / NS_PER_SEC),
					   .tv_nsec = (s64)(ns % NS_PER_SEC) };
}

int timespec_from_user(hva_t p, u64 *ns)
{
	struct __kernel_timespec ts;

	if (copy_from_user(&ts, p, sizeof(ts)) != 0)
		return -EFAULT;
	return timespec_to_ns(&ts, ns);
}

int timespec_to_user(hva_t p, u64 ns)
{
	struct __kernel_timespec ts = timespec_of(ns);

	return copy_to_user(p, &ts, sizeof(ts));
}

int timeval_from_user(hva_t p, u64 *ns)
{
	struct __kernel_old_timeval tv;
	struct __kernel_timespec ts;

	if (copy_from_user(&tv, p, sizeof(tv)) != 0)
		return -EFAULT;
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EINVAL;
	ts = (struct __kernel_timespec){ .tv_sec = tv.tv_sec,
					 .tv_nsec = tv.tv_usec * (s64)NS_PER_USEC };
	return timespec_to_ns(&ts, ns);
}

int timeval_to_user(hva_t p, u64 ns)
{
	struct __kernel_old_timeval tv = {
		.tv_sec = (s64)(ns / NS_PER_SEC),
		.tv_usec = (s64)(ns % NS_PER_SEC / NS_PER_USEC),
	};

	return copy_to_user(p, &tv, sizeof(tv));
}

/* ---- system calls */

s64 sys_clock_gettime(const u64 a[6])
{
	u64 ns;
	int err = time_read_clock((s32)a[0], &ns);

	return err ? err : timespec_to_user(HVA(a[1]), ns);
}

s64 sys_clock_getres(const u64 a[6])
{
	u64 ns;
	int err = time_read_clock((s32)a[0], &ns);

	if (err || !a[1])
		return err;
	return timespec_to_user(HVA(a[1]), 1);
}

s64 sys_gettimeofday(const u64 a[6])
{
	s32 zone[2] = { 0, 0 };

	if (a[0] && timeval_to_user(HVA(a[0]), time_realtime_ns()) != 0)
		return -EFAULT;
	return a[1] ? copy_to_user(HVA(a[1]), zone, sizeof(zone)) : 0;
}

s64 sys_times(const u64 a[6])
{
	struct process *p = current_process();
	struct tms tms = {
		.tms_utime = (s64)(process_runtime_ns(p) / TICK_NS),
		.tms_cutime = (s64)(p->children_runtime_ns / TICK_NS),
	};

	if (a[0] && copy_to_user(HVA(a[0]), &tms, sizeof(tms)) != 0)
		return -EFAULT;
	return (s64)(port_time_ns() / TICK_NS);
}

/* ---- sleeping */

static int sleep_until(u64 deadline_ns)
{
	struct waitq nothing;
	int err;

	waitq_init(&nothing);
	err = wait_event_until(&nothing, false, SLEEP_INTERRUPTIBLE, deadline_ns);
	return err == -ETIMEDOUT ? 0 : err;
}

/* args: deadline, where the rest goes. */
static s64 sleep_relative(const u64 args[6])
{
	u64 deadline_ns = args[0], now_ns;
	hva_t rest = HVA(args[1]);
	int err = sleep_until(deadline_ns);

	if (!err)
		return 0;
	now_ns = port_time_ns();
	if (now_ns >= deadline_ns)
		return 0;
	if (rest.v && timespec_to_user(rest, deadline_ns - now_ns) != 0)
		return -EFAULT;
	current_thread()->restart = (struct restart){ sleep_relative, { args[0], args[1] } };
	return -ERESTART_RESTARTBLOCK;
}

s64 sys_nanosleep(const u64 a[6])
{
	u64 args[6] = { 0, a[1] }, ns;
	int err = timespec_from_user(HVA(a[0]), &ns);

	if (err)
		return err;
	args[0] = time_after(ns);
	return sleep_relative(args);
}

/* Can one sleep on it? What Linux says of clocks that only tell the time. */
static int check_sleep_clock(s32 clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_TAI:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME: return 0;
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_PROCESS_CPUTIME_ID: return -EOPNOTSUPP;
	default: return -EINVAL;
	}
}

s64 sys_clock_nanosleep(const u64 a[6])
{
	s32 clock = (s32)a[0], flags = (s32)a[1];
	u64 args[6] = { 0, a[3] }, ns;
	int err = check_sleep_clock(clock);

	if (!err)
		err = timespec_from_user(HVA(a[2]), &ns);
	if (err)
		return err;
	if (!(flags & TIMER_ABSTIME)) {
		args[0] = time_after(ns);
		return sleep_relative(args);
	}
	err = time_deadline(clock, ns, &args[0]);
	if (!err)
		err = sleep_until(args[0]);
	return err == -EINTR ? -ERESTARTNOHAND : err;
}
