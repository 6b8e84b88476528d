/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls about signals (sigaction(2), kill(2), sigaltstack(2) ...). */
#include "host/string.h"
#include "kernel/job.h"
#include "kernel/sched.h"
#include "kernel/sigaltstack.h"
#include "kernel/sigframe.h"
#include "kernel/signal.h"
#include "kernel/syscalls.h"
#include "kernel/thread.h"
#include "kernel/time.h"

static bool is_signal(s32 sig)
{
	return sig >= 1 && sig <= SIGNAL_COUNT;
}

/* ---- actions and masks */

static void set_action(struct process *p, int sig, const struct sigaction *act)
{
	struct sigaction *slot = &p->signals.actions[sig - 1];

	*slot = *act;
	slot->sa_mask.sig[0] &= ~SIGMASK_UNBLOCKABLE;
	if (signal_is_ignored(p, sig))
		signal_discard_everywhere(p, SIGMASK(sig));
}

s64 sys_rt_sigaction(const u64 a[6])
{
	struct process *p = current_process();
	struct sigaction act = { 0 }, old;
	s32 sig = (s32)a[0];

	if (a[3] != sizeof(sigmask_t))
		return -EINVAL;
	if (a[1] && copy_from_user(&act, HVA(a[1]), sizeof(act)) != 0)
		return -EFAULT;
	if (!is_signal(sig) || (a[1] && (SIGMASK(sig) & SIGMASK_UNBLOCKABLE)))
		return -EINVAL;
	spin_lock(&p->lock);
	old = p->signals.actions[sig - 1];
	if (a[1])
		set_action(p, sig, &act);
	spin_unlock(&p->lock);
	return a[2] ? copy_to_user(HVA(a[2]), &old, sizeof(old)) : 0;
}

s64 sys_rt_sigprocmask(const u64 a[6])
{
	sigmask_t old = current_thread()->signals.blocked, set;

	if (a[3] != sizeof(sigmask_t))
		return -EINVAL;
	if (a[1]) {
		if (copy_from_user(&set, HVA(a[1]), sizeof(set)) != 0)
			return -EFAULT;
		switch ((s32)a[0]) {
		case SIG_BLOCK: signal_set_blocked(old | set); break;
		case SIG_UNBLOCK: signal_set_blocked(old & ~set); break;
		case SIG_SETMASK: signal_set_blocked(set); break;
		default: return -EINVAL;
		}
	}
	return a[2] ? copy_to_user(HVA(a[2]), &old, sizeof(old)) : 0;
}

s64 sys_rt_sigpending(const u64 a[6])
{
	struct thread *t = current_thread();
	sigmask_t set = signal_pending_set(t) & t->signals.blocked;

	if (a[1] > sizeof(set))
		return -EINVAL;
	return copy_to_user(HVA(a[0]), &set, a[1]);
}

s64 sys_rt_sigreturn(const u64 a[6])
{
	struct thread *t = current_thread();
	struct user_regs *regs = thread_regs(t);
	sigmask_t mask;

	(void)a;
	t->restart.fn = NULL;
	regs->syscall = -1;
	if (sigframe_restore(regs, &mask) != 0)
		signal_force(SIGSEGV, SEGV_MAPERR, HVA(regs->sp));
	else
		signal_set_blocked(mask);
	/* The dispatcher stores what is returned here where it already is. */
	return (s64)regs->x[0];
}

/* ---- waiting */

s64 sys_rt_sigsuspend(const u64 a[6])
{
	struct waitq nothing;
	int err;

	if (a[1] != sizeof(sigmask_t))
		return -EINVAL;
	if (!a[0])
		return -EFAULT;
	err = signal_mask_enter(HVA(a[0]), a[1]);
	if (err)
		return err;
	waitq_init(&nothing);
	(void)wait_event_interruptible(&nothing, false);
	return -ERESTARTNOHAND;
}

static void set_waited(struct thread *t, sigmask_t set)
{
	spin_lock(&t->process->lock);
	t->signals.waited = set;
	spin_unlock(&t->process->lock);
}

/* The number of the signal that came, -EAGAIN when it is late, or -EINTR. */
static int wait_for_signal(sigmask_t set, siginfo_t *info, u64 deadline_ns)
{
	int sig, err = 0;

	for (;;) {
		sched_prepare_sleep(SLEEP_INTERRUPTIBLE);
		sig = signal_take(set, info);
		if (sig || err)
			break;
		err = sched_sleep(deadline_ns);
	}
	sched_cancel_sleep();
	if (sig)
		return sig;
	return err == -ETIMEDOUT ? -EAGAIN : err;
}

s64 sys_rt_sigtimedwait(const u64 a[6])
{
	struct thread *t = current_thread();
	u64 deadline_ns = SCHED_FOREVER, ns;
	sigmask_t set;
	siginfo_t info;
	int sig;

	if (a[3] != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, HVA(a[0]), sizeof(set)) != 0)
		return -EFAULT;
	set &= ~SIGMASK_UNBLOCKABLE;
	if (a[2]) {
		int err = timespec_from_user(HVA(a[2]), &ns);

		if (err)
			return err;
		deadline_ns = time_after(ns);
	}
	set_waited(t, set);
	sig = wait_for_signal(set, &info, deadline_ns);
	set_waited(t, 0);
	if (sig > 0 && a[1] && copy_to_user(HVA(a[1]), &info, sizeof(info)) != 0)
		return -EFAULT;
	return sig;
}

/* ---- sending */

static siginfo_t info_from_self(s32 sig, int code)
{
	siginfo_t info = { .si_signo = sig, .si_code = code };

	info.si_pid = port_current()->tgid;
	return info;
}

/* Sends @info to every process of group @pgid, or to all but the first and oneself (-1). */
static int kill_many(s32 pgid, s32 sig, const siginfo_t *info)
{
	struct process *self = current_process(), *p;
	int found = 0;

	spin_lock(&process_tree_lock);
	LIST_FOREACH (p, &all_processes, all_link) {
		if (pgid == -1 ? p == self || !p->parent : p->pgid != pgid)
			continue;
		found = 1;
		if (sig)
			(void)signal_send_process(p, sig, info);
	}
	spin_unlock(&process_tree_lock);
	return found ? 0 : -ESRCH;
}

static int kill_one(s32 pid, s32 sig, const siginfo_t *info)
{
	struct process *p = process_find(pid);
	int err = 0;

	if (!p)
		return -ESRCH;
	if (sig)
		err = signal_send_process(p, sig, info);
	process_put(p);
	return err;
}

s64 sys_kill(const u64 a[6])
{
	s32 pid = (s32)a[0], sig = (s32)a[1];
	siginfo_t info = info_from_self(sig, SI_USER);

	if (sig && !is_signal(sig))
		return -EINVAL;
	if (pid > 0)
		return kill_one(pid, sig, &info);
	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid == -1)
		return kill_many(-1, sig, &info);
	return kill_many(pid ? -pid : job_own_group(), sig, &info);
}

/* @tgid <= 0: whatever process the thread is of. */
static int kill_thread(s32 tgid, s32 tid, s32 sig, const siginfo_t *info)
{
	struct thread *t = thread_find(tid);
	int err = 0;

	if (!t)
		return -ESRCH;
	if (!t->process || (tgid > 0 && t->task.tgid != tgid))
		err = -ESRCH;
	else if (sig)
		err = signal_send_thread(t, sig, info);
	thread_put(t);
	return err;
}

s64 sys_tgkill(const u64 a[6])
{
	s32 tgid = (s32)a[0], tid = (s32)a[1], sig = (s32)a[2];
	siginfo_t info = info_from_self(sig, SI_TKILL);

	if (tgid <= 0 || tid <= 0 || (sig && !is_signal(sig)))
		return -EINVAL;
	return kill_thread(tgid, tid, sig, &info);
}

s64 sys_tkill(const u64 a[6])
{
	s32 tid = (s32)a[0], sig = (s32)a[1];
	siginfo_t info = info_from_self(sig, SI_TKILL);

	if (tid <= 0 || (sig && !is_signal(sig)))
		return -EINVAL;
	return kill_thread(0, tid, sig, &info);
}

/* A program's own siginfo: to others only as what a program may claim to be. */
static int queued_info(hva_t from, s32 sig, s32 tgid, siginfo_t *info)
{
	if (copy_from_user(info, from, sizeof(*info)) != 0)
		return -EFAULT;
	info->si_signo = sig;
	if ((info->si_code >= 0 || info->si_code == SI_TKILL) && tgid != port_current()->tgid)
		return -EPERM;
	return sig && !is_signal(sig) ? -EINVAL : 0;
}

s64 sys_rt_sigqueueinfo(const u64 a[6])
{
	siginfo_t info;
	int err = queued_info(HVA(a[2]), (s32)a[1], (s32)a[0], &info);

	return err ? err : kill_one((s32)a[0], (s32)a[1], &info);
}

s64 sys_rt_tgsigqueueinfo(const u64 a[6])
{
	siginfo_t info;
	int err = queued_info(HVA(a[3]), (s32)a[2], (s32)a[0], &info);

	if (err)
		return err;
	if ((s32)a[0] <= 0 || (s32)a[1] <= 0)
		return -EINVAL;
	return kill_thread((s32)a[0], (s32)a[1], (s32)a[2], &info);
}

/* ---- the alternate stack */

bool altstack_in_use(const stack_t *alt, u64 sp)
{
	u64 base = (u64)alt->ss_sp;

	if (alt->ss_flags & (int)SS_AUTODISARM)
		return false;
	return sp > base && sp - base <= alt->ss_size;
}

int altstack_set(stack_t *alt, const stack_t *new, u64 sp)
{
	int mode = new->ss_flags & ~(int)SS_AUTODISARM;

	if (altstack_in_use(alt, sp))
		return -EPERM;
	if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		*alt = (stack_t){ .ss_flags = new->ss_flags };
		return 0;
	}
	if (new->ss_size < MINSIGSTKSZ)
		return -ENOMEM;
	*alt = *new;
	return 0;
}

void altstack_entered(stack_t *alt)
{
	if (alt->ss_flags & (int)SS_AUTODISARM)
		*alt = (stack_t){ .ss_flags = SS_DISABLE };
}

s64 sys_sigaltstack(const u64 a[6])
{
	struct thread *t = current_thread();
	u64 sp = thread_regs(t)->sp;
	stack_t new, old = t->signals.altstack;
	int err = 0;

	old.ss_flags &= (int)SS_AUTODISARM;
	if (!old.ss_size)
		old.ss_flags |= SS_DISABLE;
	else if (altstack_in_use(&t->signals.altstack, sp))
		old.ss_flags |= SS_ONSTACK;
	if (a[0]) {
		if (copy_from_user(&new, HVA(a[0]), sizeof(new)) != 0)
			return -EFAULT;
		err = altstack_set(&t->signals.altstack, &new, sp);
	}
	if (!err && a[1])
		err = copy_to_user(HVA(a[1]), &old, sizeof(old));
	return err;
}
