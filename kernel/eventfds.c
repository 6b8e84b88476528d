/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that make files of events: eventfd, timerfd, signalfd.
 */
#include <linux/signalfd.h>
#include <linux/timerfd.h>

#include "host/eventfd.h"
#include "host/timer.h"
#include "kernel/fs_args.h"
#include "kernel/poll.h"
#include "kernel/syscalls.h"
#include "kernel/time.h"
#include "kernel/timer.h"

/* ---- eventfd */
enum { EFD_SEMAPHORE = 1 }; /* the other flags are O_CLOEXEC and O_NONBLOCK */

s64 sys_eventfd2(const u64 a[6])
{
	u32 flags = (u32)a[1];
	enum eventfd_kind kind = flags & EFD_SEMAPHORE ? EVENTFD_SEMAPHORE : EVENTFD_COUNTER;

	if (flags & ~(u32)(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	return fd_for_file(eventfd_new((u32)a[0], kind, flags & O_NONBLOCK), flags);
}

/* ---- timerfd */
struct timerfd {
	struct mutex set_lock; /* one timerfd_settime at a time */
	struct spinlock lock;  /* guards ticks, interval_ns and the timer's deadline */
	struct timer timer;
	u64 ticks; /* expirations not read yet */
	u64 interval_ns;
	u64 deadline_ns; /* of the next expiration; 0: disarmed */
	s32 clock;
	struct waitq wq;
};

/* A timer that fell behind counts what it missed and goes on from there. */
static void timerfd_expired(struct timer *timer)
{
	struct timerfd *t = container_of(timer, struct timerfd, timer);
	u64 now = port_time_ns(), missed = 0;

	spin_lock(&t->lock);
	if (t->interval_ns) {
		missed = (now - t->deadline_ns) / t->interval_ns;
		t->deadline_ns += (missed + 1) * t->interval_ns;
		timer_restart(&t->timer, t->deadline_ns);
	} else {
		t->deadline_ns = 0;
	}
	t->ticks += missed + 1;
	spin_unlock(&t->lock);
	waitq_wake(&t->wq, WAKE_ALL, POLLIN | POLLRDNORM);
}

static u64 timerfd_take(struct timerfd *t)
{
	u64 ticks;

	spin_lock(&t->lock);
	ticks = t->ticks;
	t->ticks = 0;
	spin_unlock(&t->lock);
	return ticks;
}

static s64 timerfd_read(struct file *f, struct iobuf *to, u64 *pos)
{
	struct timerfd *t = f->priv;
	u64 ticks;

	(void)pos;
	if (to->left < sizeof(ticks))
		return -EINVAL;
	for (;;) {
		ticks = timerfd_take(t);
		if (ticks)
			break;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(&t->wq, __atomic_load_n(&t->ticks, __ATOMIC_RELAXED)))
			return -ERESTARTSYS;
	}
	return iobuf_put(to, &ticks, sizeof(ticks)) == sizeof(ticks) ? (s64)sizeof(ticks) : -EFAULT;
}

static u32 timerfd_poll(struct file *f, struct waitq **wq)
{
	struct timerfd *t = f->priv;

	*wq = &t->wq;
	return __atomic_load_n(&t->ticks, __ATOMIC_RELAXED) ? POLLIN | POLLRDNORM : 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->priv;

	timer_cancel(&t->timer);
	kfree(t);
}

static const struct file_ops timerfd_ops = {
	.name = "anon_inode:[timerfd]",
	.read = timerfd_read,
	.poll = timerfd_poll,
	.release = timerfd_release,
};

s64 sys_timerfd_create(const u64 a[6])
{
	s32 clock = (s32)a[0];
	u32 flags = (u32)a[1];
	struct timerfd *t;
	struct file *f;
	u64 unused;

	if (flags & ~(u32)(TFD_CLOEXEC | TFD_NONBLOCK) || time_deadline(clock, 0, &unused))
		return -EINVAL;
	t = kzalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	mutex_init(&t->set_lock);
	spin_init(&t->lock);
	timer_init(&t->timer, timerfd_expired);
	waitq_init(&t->wq);
	t->clock = clock;
	f = file_alloc(&timerfd_ops, t, O_RDWR | (flags & TFD_NONBLOCK));
	if (!f)
		kfree(t);
	return fd_for_file(f, flags);
}

/* The counted timerfd that @fd names; ERR_PTR(-EBADF, -EINVAL). */
static struct file *timerfd_arg(u64 fd)
{
	struct file *f = file_arg(fd);

	if (!f)
		return ERR_PTR(-EBADF);
	if (f->ops == &timerfd_ops)
		return f;
	file_put(f);
	return ERR_PTR(-EINVAL);
}

/* The setting as programs see it. */
static struct __kernel_itimerspec timerfd_setting(struct timerfd *t)
{
	u64 now = port_time_ns(), left = 0;
	struct __kernel_itimerspec its;

	spin_lock(&t->lock);
	if (t->deadline_ns)
		left = t->deadline_ns > now ? t->deadline_ns - now : 1;
	its.it_interval = timespec_of(t->interval_ns);
	spin_unlock(&t->lock);
	its.it_value = timespec_of(left);
	return its;
}

static void timerfd_arm(struct timerfd *t, u64 deadline_ns, u64 interval_ns)
{
	timer_cancel(&t->timer);
	spin_lock(&t->lock);
	t->ticks = 0;
	t->interval_ns = interval_ns;
	t->deadline_ns = deadline_ns;
	spin_unlock(&t->lock);
	if (deadline_ns)
		timer_start(&t->timer, deadline_ns);
}

/* When a timer set to @value_ns, not 0, first expires; never 0. */
static u64 timerfd_first(const struct timerfd *t, u64 value_ns, u32 flags)
{
	u64 deadline;

	if (!(flags & TFD_TIMER_ABSTIME) || time_deadline(t->clock, value_ns, &deadline))
		return time_after(value_ns);
	return max(deadline, 1UL);
}

s64 sys_timerfd_settime(const u64 a[6])
{
	struct __kernel_itimerspec its, old;
	u32 flags = (u32)a[1];
	u64 value, interval;
	struct timerfd *t;
	struct file *f;

	if (copy_from_user(&its, HVA(a[2]), sizeof(its)))
		return -EFAULT;
	if (flags & ~(u32)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) ||
	    timespec_to_ns(&its.it_value, &value) || timespec_to_ns(&its.it_interval, &interval))
		return -EINVAL;
	f = timerfd_arg(a[0]);
	if (IS_ERR(f))
		return PTR_ERR(f);
	t = f->priv;
	mutex_lock(&t->set_lock);
	old = timerfd_setting(t);
	timerfd_arm(t, value ? timerfd_first(t, value, flags) : 0, interval);
	mutex_unlock(&t->set_lock);
	file_put(f);
	return a[3] && copy_to_user(HVA(a[3]), &old, sizeof(old)) ? -EFAULT : 0;
}

s64 sys_timerfd_gettime(const u64 a[6])
{
	struct file *f = timerfd_arg(a[0]);
	struct __kernel_itimerspec its;

	if (IS_ERR(f))
		return PTR_ERR(f);
	its = timerfd_setting(f->priv);
	file_put(f);
	return copy_to_user(HVA(a[1]), &its, sizeof(its)) ? -EFAULT : 0;
}

/* ---- signalfd: takes the signals of whoever reads */
struct signalfd {
	sigmask_t set; /* atomic */
	/* Its queue is waited on by whoever polls; held so that the queue stays. */
	struct process *maker;
};

static u32 signalfd_poll(struct file *f, struct waitq **wq)
{
	struct signalfd *s = f->priv;
	sigmask_t pending = signal_pending_set(current_thread());

	*wq = &s->maker->signals.arrived;
	return pending & __atomic_load_n(&s->set, __ATOMIC_RELAXED) ? POLLIN | POLLRDNORM : 0;
}

static struct signalfd_siginfo signalfd_info(const siginfo_t *info)
{
	return (struct signalfd_siginfo){
		.ssi_signo = (u32)info->si_signo,
		.ssi_errno = info->si_errno,
		.ssi_code = info->si_code,
		.ssi_pid = (u32)info->si_pid,
		.ssi_uid = (u32)info->si_uid,
		.ssi_status = info->si_status,
		.ssi_int = info->si_int,
		.ssi_ptr = (u64)info->si_ptr,
	};
}

/* One signal into @info, waiting for it unless the file must not. 0 or an error. */
static int signalfd_take(struct file *f, siginfo_t *info)
{
	struct signalfd *s = f->priv;
	struct waitq *wq;

	while (!signal_take(s->set, info)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(&current_process()->signals.arrived,
					     signalfd_poll(f, &wq)))
			return -ERESTARTSYS;
	}
	return 0;
}

static s64 signalfd_read(struct file *f, struct iobuf *to, u64 *pos)
{
	struct signalfd_siginfo out;
	siginfo_t info;
	s64 done = 0;
	int ret;

	(void)pos;
	if (to->left < sizeof(out))
		return -EINVAL;
	ret = signalfd_take(f, &info);
	if (ret)
		return ret;
	/* Further signals only as long as they are there already. */
	do {
		out = signalfd_info(&info);
		if (iobuf_put(to, &out, sizeof(out)) != sizeof(out))
			return done ? done : -EFAULT;
		done += sizeof(out);
	} while (to->left >= sizeof(out) && signal_take(((struct signalfd *)f->priv)->set, &info));
	return done;
}

static void signalfd_release(struct file *f)
{
	struct signalfd *s = f->priv;

	process_put(s->maker);
	kfree(s);
}

static const struct file_ops signalfd_ops = {
	.name = "anon_inode:[signalfd]",
	.read = signalfd_read,
	.poll = signalfd_poll,
	.release = signalfd_release,
};

static s64 signalfd_new(sigmask_t set, u32 flags)
{
	struct signalfd *s = kzalloc(sizeof(*s));
	struct file *f;

	if (!s)
		return -ENOMEM;
	s->set = set;
	s->maker = process_get(current_process());
	f = file_alloc(&signalfd_ops, s, O_RDWR | (flags & SFD_NONBLOCK));
	if (!f) {
		process_put(s->maker);
		kfree(s);
	}
	return fd_for_file(f, flags);
}

static s64 signalfd_change(u64 fd, sigmask_t set)
{
	struct file *f = file_arg(fd);
	s64 ret = -EINVAL;

	if (!f)
		return -EBADF;
	if (f->ops == &signalfd_ops) {
		struct signalfd *s = f->priv;

		__atomic_store_n(&s->set, set, __ATOMIC_RELAXED);
		waitq_wake(&s->maker->signals.arrived, WAKE_ALL, POLLIN);
		ret = (s64)(s32)fd;
	}
	file_put(f);
	return ret;
}

s64 sys_signalfd4(const u64 a[6])
{
	u32 flags = (u32)a[3];
	sigmask_t set;

	if (a[2] != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, HVA(a[1]), sizeof(set)))
		return -EFAULT;
	if (flags & ~(u32)(SFD_CLOEXEC | SFD_NONBLOCK))
		return -EINVAL;
	set &= ~SIGMASK_UNBLOCKABLE;
	return (s32)a[0] == -1 ? signalfd_new(set, flags) : signalfd_change(a[0], set);
}
