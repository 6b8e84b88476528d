/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls about scheduling. There is one policy, SCHED_OTHER, and one priority. */
#include <linux/resource.h>
#include <linux/sched.h>

#include "kernel/sched.h"
#include "kernel/syscalls.h"
#include "kernel/thread.h"
#include "kernel/time.h"

/* A program's thread with a reference; 0 is the calling one. */
static struct thread *named_thread(s32 tid)
{
	struct thread *t;

	if (!tid)
		return thread_get(current_thread());
	t = tid > 0 ? thread_find(tid) : NULL;
	if (t && !t->process) {
		thread_put(t);
		t = NULL;
	}
	return t;
}

s64 sys_sched_yield(const u64 a[6])
{
	(void)a;
	sched_yield();
	return 0;
}

s64 sys_sched_setaffinity(const u64 a[6])
{
	struct thread *t;
	u64 mask = 0;
	int err;

	if (copy_from_user(&mask, HVA(a[2]), min(a[1], sizeof(mask))) != 0)
		return -EFAULT;
	t = named_thread((s32)a[0]);
	if (!t)
		return -ESRCH;
	err = sched_set_affinity(t, mask);
	thread_put(t);
	return err;
}

s64 sys_sched_getaffinity(const u64 a[6])
{
	struct thread *t;
	u64 mask;

	if (a[1] % sizeof(u64) || a[1] * 8 < port_cpu_count())
		return -EINVAL;
	t = named_thread((s32)a[0]);
	if (!t)
		return -ESRCH;
	mask = sched_get_affinity(t);
	thread_put(t);
	return copy_to_user(HVA(a[2]), &mask, sizeof(mask)) ? -EFAULT : (s64)sizeof(mask);
}

static int check_thread(s32 tid)
{
	struct thread *t = tid < 0 ? NULL : named_thread(tid);

	if (tid < 0)
		return -EINVAL;
	if (!t)
		return -ESRCH;
	thread_put(t);
	return 0;
}

/* Real-time policies are refused as to a program without the right to them. */
static int check_policy(s32 policy, s32 priority)
{
	switch (policy) {
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE: return priority ? -EINVAL : 0;
	case SCHED_FIFO:
	case SCHED_RR: return priority < 1 || priority > 99 ? -EINVAL : -EPERM;
	default: return -EINVAL;
	}
}

static s64 set_policy(s32 tid, s32 policy, hva_t param)
{
	s32 priority;
	int err;

	if (tid < 0 || !param.v)
		return -EINVAL;
	if (copy_from_user(&priority, param, sizeof(priority)) != 0)
		return -EFAULT;
	err = check_thread(tid);
	return err ? err : check_policy(policy, priority);
}

s64 sys_sched_setscheduler(const u64 a[6])
{
	return (s32)a[1] < 0 ? -EINVAL : set_policy((s32)a[0], (s32)a[1], HVA(a[2]));
}

s64 sys_sched_setparam(const u64 a[6])
{
	return set_policy((s32)a[0], SCHED_NORMAL, HVA(a[1]));
}

s64 sys_sched_getscheduler(const u64 a[6])
{
	int err = check_thread((s32)a[0]);

	return err ? err : SCHED_NORMAL;
}

s64 sys_sched_getparam(const u64 a[6])
{
	s32 priority = 0;
	int err = a[1] ? check_thread((s32)a[0]) : -EINVAL;

	return err ? err : copy_to_user(HVA(a[1]), &priority, sizeof(priority));
}

static s64 priority_bound(s32 policy, s64 realtime)
{
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR: return realtime;
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
	case SCHED_DEADLINE: return 0;
	default: return -EINVAL;
	}
}

s64 sys_sched_get_priority_max(const u64 a[6])
{
	return priority_bound((s32)a[0], 99);
}

s64 sys_sched_get_priority_min(const u64 a[6])
{
	return priority_bound((s32)a[0], 1);
}

s64 sys_sched_rr_get_interval(const u64 a[6])
{
	int err = check_thread((s32)a[0]);

	return err ? err : timespec_to_user(HVA(a[1]), SCHED_SLICE_NS);
}

/* Nice values: all are 0, which getpriority() reports as 20. */
s64 sys_getpriority(const u64 a[6])
{
	return (s32)a[0] < PRIO_PROCESS || (s32)a[0] > PRIO_USER ? -EINVAL : 20;
}

s64 sys_setpriority(const u64 a[6])
{
	if ((s32)a[0] < PRIO_PROCESS || (s32)a[0] > PRIO_USER)
		return -EINVAL;
	return (s32)a[2] == 0 ? 0 : -EACCES;
}
