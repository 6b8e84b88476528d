/* SPDX-License-Identifier: Apache-2.0 */
/* Timers that a program creates (timer_create(2)), on the clocks that one can sleep on. */
#include "kernel/posix_timer.h"

#include "host/page.h"
#include "kernel/syscalls.h"
#include "kernel/thread.h"
#include "kernel/time.h"
#include "kernel/timer.h"

/* In one process; Linux counts them against RLIMIT_SIGPENDING. */
#define TIMERS_MAX 1024

struct posix_timer {
	LIST_ENTRY(posix_timer) link; /* guarded, as all below, by process->lock */
	struct timer timer;
	struct process *process; /* immutable, as the next five */
	s32 id;
	s32 clock;
	int notify;
	int signal;
	sigval_t value;
	s32 tid;	 /* of the thread that gets the signal, or 0: the process */
	u64 deadline_ns; /* SCHED_FOREVER: not armed */
	u64 interval_ns;
	s32 overrun; /* of the signal that was taken last */
};

/* ---- firing */

/* Counts the periods that have passed by and sets the next deadline. */
static s32 next_period(struct posix_timer *t, u64 now_ns)
{
	u64 missed;

	if (!t->interval_ns) {
		t->deadline_ns = SCHED_FOREVER;
		return 0;
	}
	missed = (now_ns - t->deadline_ns) / t->interval_ns;
	t->deadline_ns += (missed + 1) * t->interval_ns;
	timer_restart(&t->timer, t->deadline_ns);
	return (s32)min(missed, (u64)INT32_MAX);
}

static void send(const struct posix_timer *t, s32 overrun)
{
	siginfo_t info = { .si_signo = t->signal, .si_code = SI_TIMER };
	struct thread *thread;

	info._sifields._timer._tid = t->id;
	info._sifields._timer._overrun = overrun;
	info._sifields._timer._sigval = t->value;
	if (!t->tid) {
		(void)signal_send_process(t->process, t->signal, &info);
		return;
	}
	thread = thread_find(t->tid);
	if (!thread)
		return;
	if (thread->process == t->process)
		(void)signal_send_thread(thread, t->signal, &info);
	thread_put(thread);
}

/* One signal of a timer is pending at a time; what fires meanwhile is counted in it. */
static void posix_timer_fired(struct timer *timer)
{
	struct posix_timer *t = container_of(timer, struct posix_timer, timer);
	struct process *p = t->process;
	u64 now_ns = port_time_ns();
	siginfo_t *queued = NULL;
	s32 overrun = 0;
	bool due;

	spin_lock(&p->lock);
	due = t->deadline_ns <= now_ns;
	if (due) {
		overrun = next_period(t, now_ns);
		queued = signal_find_timer(p, t->id, t->tid);
		if (queued)
			queued->_sifields._timer._overrun += overrun + 1;
	}
	spin_unlock(&p->lock);
	if (due && !queued && t->notify != SIGEV_NONE)
		send(t, overrun);
}

static struct posix_timer *find(struct process *p, s32 id)
{
	struct posix_timer *t;

	LIST_FOREACH (t, &p->posix_timers, link)
		if (t->id == id)
			return t;
	return NULL;
}

void posix_timer_taken(struct process *p, const siginfo_t *info)
{
	struct posix_timer *t = find(p, info->_sifields._timer._tid);

	if (t)
		t->overrun = info->_sifields._timer._overrun;
}

/* ---- creating and deleting */

static int check_event(const struct sigevent *event)
{
	struct thread *thread;
	bool ours;

	if (event->sigev_notify == SIGEV_NONE)
		return 0;
	if (event->sigev_signo < 1 || event->sigev_signo > SIGNAL_COUNT)
		return -EINVAL;
	if (event->sigev_notify == SIGEV_SIGNAL || event->sigev_notify == SIGEV_THREAD)
		return 0;
	if (event->sigev_notify != SIGEV_THREAD_ID)
		return -EINVAL;
	thread = thread_find(event->_sigev_un._tid);
	ours = thread && thread->process == current_process();
	if (thread)
		thread_put(thread);
	return ours ? 0 : -EINVAL;
}

/* Gives the timer a number and makes it known. */
static int publish(struct process *p, struct posix_timer *t)
{
	int err = 0;

	spin_lock(&p->lock);
	if (p->posix_timer_count == TIMERS_MAX) {
		err = -EAGAIN;
	} else {
		p->posix_timer_count++;
		t->id = p->next_posix_timer++;
		LIST_INSERT_HEAD(&p->posix_timers, t, link);
	}
	spin_unlock(&p->lock);
	return err;
}

/* Takes the first timer (@id < 0) or that one off the list, and frees it. False if there is none.
 */
static bool remove_timer(struct process *p, s32 id)
{
	struct posix_timer *t;

	spin_lock(&p->lock);
	t = id < 0 ? LIST_FIRST(&p->posix_timers) : find(p, id);
	if (t) {
		LIST_REMOVE(t, link);
		p->posix_timer_count--;
		t->deadline_ns = SCHED_FOREVER;
		t->interval_ns = 0;
	}
	spin_unlock(&p->lock);
	if (!t)
		return false;
	(void)timer_cancel(&t->timer);
	kfree(t);
	return true;
}

void posix_timers_delete(struct process *p)
{
	while (remove_timer(p, -1))
		;
}

s64 sys_timer_create(const u64 a[6])
{
	struct process *p = current_process();
	struct sigevent event = { .sigev_signo = SIGALRM, .sigev_notify = SIGEV_SIGNAL };
	struct posix_timer *t;
	u64 ns;
	int err;

	if (a[1] && copy_from_user(&event, HVA(a[1]), sizeof(event)) != 0)
		return -EFAULT;
	if (time_read_clock((s32)a[0], &ns) != 0)
		return -EINVAL;
	if (time_deadline((s32)a[0], 0, &ns) != 0)
		return -EOPNOTSUPP;
	err = check_event(&event);
	if (err)
		return err;
	t = kzalloc(sizeof(*t));
	if (!t)
		return -EAGAIN;
	timer_init(&t->timer, posix_timer_fired);
	t->process = p;
	t->clock = (s32)a[0];
	t->notify = event.sigev_notify;
	t->signal = event.sigev_signo;
	t->value = event.sigev_value;
	t->tid = event.sigev_notify == SIGEV_THREAD_ID ? event._sigev_un._tid : 0;
	t->deadline_ns = SCHED_FOREVER;
	err = publish(p, t);
	if (err) {
		kfree(t);
		return err;
	}
	if (!a[1])
		t->value.sival_int = t->id;
	if (copy_to_user(HVA(a[2]), &t->id, sizeof(t->id)) != 0) {
		(void)remove_timer(p, t->id);
		return -EFAULT;
	}
	return 0;
}

s64 sys_timer_delete(const u64 a[6])
{
	if ((s32)a[0] < 0)
		return -EINVAL;
	return remove_timer(current_process(), (s32)a[0]) ? 0 : -EINVAL;
}

/* ---- setting and asking */

struct timer_value {
	u64 interval_ns;
	u64 left_ns;
};

static struct timer_value value_of(const struct posix_timer *t)
{
	struct timer_value v = { t->interval_ns, 0 };
	u64 now_ns = port_time_ns();

	/* Armed is never 0, even if it is about to fire. */
	if (t->deadline_ns != SCHED_FOREVER)
		v.left_ns = t->deadline_ns > now_ns ? t->deadline_ns - now_ns : 1;
	return v;
}

static int put_value(hva_t at, const struct timer_value *v)
{
	int err = timespec_to_user(at, v->interval_ns);

	return err ? err
		   : timespec_to_user(HVA(at.v + sizeof(struct __kernel_timespec)), v->left_ns);
}

static int get_value(hva_t at, struct timer_value *v)
{
	int err = timespec_from_user(at, &v->interval_ns);

	return err ? err
		   : timespec_from_user(HVA(at.v + sizeof(struct __kernel_timespec)), &v->left_ns);
}

static void set(struct posix_timer *t, const struct timer_value *v, s32 flags)
{
	(void)timer_disarm(&t->timer);
	t->interval_ns = v->left_ns ? v->interval_ns : 0;
	t->deadline_ns = SCHED_FOREVER;
	if (!v->left_ns)
		return;
	if (flags & TIMER_ABSTIME)
		(void)time_deadline(t->clock, v->left_ns, &t->deadline_ns);
	else
		t->deadline_ns = time_after(v->left_ns);
	timer_start(&t->timer, t->deadline_ns);
}

s64 sys_timer_settime(const u64 a[6])
{
	struct process *p = current_process();
	struct timer_value new, old = { 0 };
	struct posix_timer *t;
	int err;

	if (!a[2])
		return -EINVAL;
	err = get_value(HVA(a[2]), &new);
	if (err)
		return err;
	spin_lock(&p->lock);
	t = find(p, (s32)a[0]);
	if (t) {
		old = value_of(t);
		set(t, &new, (s32)a[1]);
	}
	spin_unlock(&p->lock);
	if (!t)
		return -EINVAL;
	return a[3] ? put_value(HVA(a[3]), &old) : 0;
}

s64 sys_timer_gettime(const u64 a[6])
{
	struct process *p = current_process();
	struct timer_value v = { 0 };
	struct posix_timer *t;

	spin_lock(&p->lock);
	t = find(p, (s32)a[0]);
	if (t)
		v = value_of(t);
	spin_unlock(&p->lock);
	return t ? put_value(HVA(a[1]), &v) : -EINVAL;
}

s64 sys_timer_getoverrun(const u64 a[6])
{
	struct process *p = current_process();
	struct posix_timer *t;
	s64 overrun;

	spin_lock(&p->lock);
	t = find(p, (s32)a[0]);
	overrun = t ? t->overrun : -EINVAL;
	spin_unlock(&p->lock);
	return overrun;
}
