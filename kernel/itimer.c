/* SPDX-License-Identifier: Apache-2.0 */
/* The interval timer of a process that runs in real time (setitimer(2), ITIMER_REAL). */
#include "kernel/itimer.h"

#include "kernel/syscalls.h"
#include "kernel/thread.h"
#include "kernel/time.h"
#include "kernel/timer.h"

/* Fires SIGALRM and starts again. A change of the timer that came first makes this one void. */
static void itimer_fired(struct timer *timer)
{
	struct process *p = container_of(timer, struct process, itimer.timer);
	siginfo_t info = { .si_signo = SIGALRM, .si_code = SI_KERNEL };
	u64 now_ns = port_time_ns();
	bool due;

	spin_lock(&p->lock);
	due = p->itimer.deadline_ns <= now_ns;
	if (due && p->itimer.interval_ns) {
		p->itimer.deadline_ns = now_ns + p->itimer.interval_ns;
		timer_restart(timer, p->itimer.deadline_ns);
	} else if (due) {
		p->itimer.deadline_ns = SCHED_FOREVER;
	}
	spin_unlock(&p->lock);
	if (due)
		(void)signal_send_process(p, SIGALRM, &info);
}

void itimers_init(struct process *p)
{
	timer_init(&p->itimer.timer, itimer_fired);
	p->itimer.deadline_ns = SCHED_FOREVER;
}

void itimers_stop(struct process *p)
{
	spin_lock(&p->lock);
	p->itimer.deadline_ns = SCHED_FOREVER;
	p->itimer.interval_ns = 0;
	spin_unlock(&p->lock);
	(void)timer_cancel(&p->itimer.timer);
}

struct itimer_value {
	u64 interval_ns;
	u64 left_ns;
};

static struct itimer_value itimer_get(struct process *p)
{
	u64 now_ns = port_time_ns();
	struct itimer_value v = { 0 };

	if (p->itimer.deadline_ns != SCHED_FOREVER) {
		v.interval_ns = p->itimer.interval_ns;
		/* Armed is never 0, even if it is about to fire. */
		v.left_ns = p->itimer.deadline_ns > now_ns ? p->itimer.deadline_ns - now_ns
							   : NS_PER_USEC;
	}
	return v;
}

static void itimer_set(struct process *p, const struct itimer_value *v)
{
	(void)timer_disarm(&p->itimer.timer);
	p->itimer.interval_ns = v->interval_ns;
	p->itimer.deadline_ns = v->left_ns ? time_after(v->left_ns) : SCHED_FOREVER;
	if (p->itimer.deadline_ns != SCHED_FOREVER)
		timer_start(&p->itimer.timer, p->itimer.deadline_ns);
}

static int put_value(hva_t at, const struct itimer_value *v)
{
	int err = timeval_to_user(at, v->interval_ns);

	return err ? err
		   : timeval_to_user(HVA(at.v + sizeof(struct __kernel_old_timeval)), v->left_ns);
}

static int get_value(hva_t at, struct itimer_value *v)
{
	int err = timeval_from_user(at, &v->interval_ns);

	return err ? err
		   : timeval_from_user(HVA(at.v + sizeof(struct __kernel_old_timeval)),
				       &v->left_ns);
}

/* CPU-time timers are not supported. */
static int check_which(s32 which)
{
	switch (which) {
	case ITIMER_REAL: return 0;
	case ITIMER_VIRTUAL:
	case ITIMER_PROF: return -ENOSYS;
	default: return -EINVAL;
	}
}

s64 sys_getitimer(const u64 a[6])
{
	struct process *p = current_process();
	struct itimer_value v;
	int err = check_which((s32)a[0]);

	if (err)
		return err;
	spin_lock(&p->lock);
	v = itimer_get(p);
	spin_unlock(&p->lock);
	return put_value(HVA(a[1]), &v);
}

s64 sys_setitimer(const u64 a[6])
{
	struct process *p = current_process();
	struct itimer_value old, new = { 0 };
	int err = check_which((s32)a[0]);

	if (!err && a[1])
		err = get_value(HVA(a[1]), &new);
	if (err)
		return err;
	spin_lock(&p->lock);
	old = itimer_get(p);
	itimer_set(p, &new);
	spin_unlock(&p->lock);
	return a[2] ? put_value(HVA(a[2]), &old) : 0;
}
