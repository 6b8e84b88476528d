/* SPDX-License-Identifier: Apache-2.0 */
/* Signals: queueing, choosing the thread that takes one, and delivery. */
#include "kernel/signal.h"

#include "host/page.h"
#include "host/string.h"
#include "host/task.h"
#include "kernel/first.h"
#include "kernel/job.h"
#include "kernel/posix_timer.h"
#include "kernel/process.h"
#include "kernel/rseq.h"
#include "kernel/sched.h"
#include "kernel/sigframe.h"
#include "kernel/syscalls.h"

/* The default action: in the table where it is not to end the process. */
enum default_action { ACTION_END, ACTION_IGNORE, ACTION_STOP };

static const u8 default_actions[SIGNAL_COUNT + 1] = {
	[SIGCHLD] = ACTION_IGNORE,  [SIGCONT] = ACTION_IGNORE, [SIGURG] = ACTION_IGNORE,
	[SIGWINCH] = ACTION_IGNORE, [SIGSTOP] = ACTION_STOP,   [SIGTSTP] = ACTION_STOP,
	[SIGTTIN] = ACTION_STOP,    [SIGTTOU] = ACTION_STOP,
};

/* Taken before all others: they belong to the instruction at hand. */
#define SIGMASK_SYNCHRONOUS                                                                        \
	(SIGMASK(SIGSEGV) | SIGMASK(SIGBUS) | SIGMASK(SIGILL) | SIGMASK(SIGTRAP) |                 \
	 SIGMASK(SIGFPE) | SIGMASK(SIGSYS))
#define SIGMASK_STOP (SIGMASK(SIGSTOP) | SIGMASK(SIGTSTP) | SIGMASK(SIGTTIN) | SIGMASK(SIGTTOU))

/* ---- life */

static void pending_init(struct pending_signals *pending)
{
	pending->set = 0;
	TAILQ_INIT(&pending->queue);
}

void signals_init_process(struct process_signals *s)
{
	memset(s, 0, sizeof(*s));
	pending_init(&s->pending);
	waitq_init(&s->arrived);
	waitq_init(&s->continued);
}

void signals_init_thread(struct thread_signals *s)
{
	memset(s, 0, sizeof(*s));
	pending_init(&s->pending);
	s->altstack.ss_flags = SS_DISABLE;
}

void signals_copy_actions(struct process_signals *to, struct process_signals *from)
{
	memcpy(to->actions, from->actions, sizeof(to->actions));
}

void signals_reset_handlers(struct process *p)
{
	spin_lock(&p->lock);
	for (int i = 0; i < SIGNAL_COUNT; i++) {
		struct sigaction *act = &p->signals.actions[i];

		*act = (struct sigaction){
			.sa_handler = act->sa_handler == SIG_IGN ? SIG_IGN : SIG_DFL,
		};
	}
	spin_unlock(&p->lock);
}

/* ---- queues; process->lock is held */

static void drop(struct process *p, struct pending_signals *pending, struct queued_signal *q)
{
	TAILQ_REMOVE(&pending->queue, q, link);
	p->signals.queued_count--;
	kfree(q);
}

/* Forgets all pending signals of @mask. */
static void discard(struct process *p, struct pending_signals *pending, sigmask_t mask)
{
	struct queued_signal *q, *next;

	if (!(pending->set & mask))
		return;
	for (q = TAILQ_FIRST(&pending->queue); q; q = next) {
		next = TAILQ_NEXT(q, link);
		if (SIGMASK(q->info.si_signo) & mask)
			drop(p, pending, q);
	}
	pending->set &= ~mask;
}

void signals_flush(struct process *p, struct pending_signals *pending)
{
	discard(p, pending, UINT64_MAX);
}

void signal_discard_everywhere(struct process *p, sigmask_t mask)
{
	struct thread *t;

	discard(p, &p->signals.pending, mask);
	LIST_FOREACH (t, &p->threads, process_link)
		discard(p, &t->signals.pending, mask);
}

/* Signals below SIGRTMIN are queued once, those from it each time, up to the limit. */
static int enqueue(struct process *p, struct pending_signals *pending, int sig,
		   const siginfo_t *info)
{
	struct queued_signal *q = NULL;

	if (sig < SIGRTMIN && (pending->set & SIGMASK(sig)))
		return 0;
	if (p->signals.queued_count < process_limit(p, RLIMIT_SIGPENDING))
		q = kmalloc(sizeof(*q));
	if (q) {
		q->info = *info;
		q->info.si_signo = sig;
		TAILQ_INSERT_TAIL(&pending->queue, q, link);
		p->signals.queued_count++;
	} else if (sig >= SIGRTMIN && info->si_code != SI_USER && info->si_code != SI_KERNEL) {
		return -EAGAIN;
	}
	pending->set |= SIGMASK(sig);
	return 0;
}

/* The first @sig from @q on, or NULL. */
static struct queued_signal *find_queued(struct queued_signal *q, int sig)
{
	while (q && q->info.si_signo != sig)
		q = TAILQ_NEXT(q, link);
	return q;
}

/* Takes the first @sig off the queue; one that was sent without memory for it has no details. */
static void dequeue(struct process *p, struct pending_signals *pending, int sig, siginfo_t *info)
{
	struct queued_signal *q = find_queued(TAILQ_FIRST(&pending->queue), sig);

	if (!q || !find_queued(TAILQ_NEXT(q, link), sig))
		pending->set &= ~SIGMASK(sig);
	*info = (siginfo_t){ .si_signo = sig, .si_code = SI_USER };
	if (q) {
		*info = q->info;
		drop(p, pending, q);
	}
	if (info->si_code == SI_TIMER)
		posix_timer_taken(p, info);
	if (SIGMASK(sig) & SIGMASK_STOP)
		p->signals.stop_taken = true;
}

static siginfo_t *find_timer(struct pending_signals *pending, s32 id)
{
	struct queued_signal *q;

	TAILQ_FOREACH (q, &pending->queue, link)
		if (q->info.si_code == SI_TIMER && q->info._sifields._timer._tid == id)
			return &q->info;
	return NULL;
}

siginfo_t *signal_find_timer(struct process *p, s32 id, s32 tid)
{
	struct thread *t;

	if (!tid)
		return find_timer(&p->signals.pending, id);
	LIST_FOREACH (t, &p->threads, process_link)
		if (t->task.tid == tid)
			return find_timer(&t->signals.pending, id);
	return NULL;
}

static int first_signal(sigmask_t set)
{
	if (set & SIGMASK_SYNCHRONOUS)
		set &= SIGMASK_SYNCHRONOUS;
	return set ? __builtin_ctzl(set) + 1 : 0;
}

/* ---- who is told; process->lock is held */

/* Recomputes @t's flag: is there something that its way back to EL0 must look at? */
static bool update_flag(struct process *p, struct thread *t)
{
	sigmask_t set = (t->signals.pending.set | p->signals.pending.set) & ~t->signals.blocked;
	bool leaves = p->exiting || (p->exec_thread && p->exec_thread != t);
	bool pending = set || leaves || p->signals.stopped;

	__atomic_store_n(&t->task.signal_pending, pending, __ATOMIC_RELEASE);
	return pending;
}

static bool accepts(const struct thread *t, int sig)
{
	return !(t->signals.blocked & SIGMASK(sig));
}

static void notify(struct thread *t, int sig)
{
	if (accepts(t, sig)) {
		__atomic_store_n(&t->task.signal_pending, 1, __ATOMIC_RELEASE);
		sched_signal(t);
	} else if (t->signals.waited & SIGMASK(sig)) {
		sched_wake(&t->task);
	}
}

/* The thread that shall take a signal of the process: one that would, its first thread before all.
 */
static struct thread *choose(struct process *p, int sig)
{
	struct thread *t, *other = NULL, *waiting = NULL;

	LIST_FOREACH (t, &p->threads, process_link) {
		if (accepts(t, sig) && t->task.tid == p->pid)
			return t;
		if (accepts(t, sig))
			other = t;
		else if (t->signals.waited & SIGMASK(sig))
			waiting = t;
	}
	return other ? other : waiting;
}

void signals_retarget(struct process *p)
{
	struct thread *t;

	LIST_FOREACH (t, &p->threads, process_link)
		if (!task_signal_pending(&t->task) && update_flag(p, t))
			sched_signal(t);
}

bool signal_is_ignored(struct process *p, int sig)
{
	__sighandler_t handler = p->signals.actions[sig - 1].sa_handler;

	return handler == SIG_IGN || (handler == SIG_DFL && default_actions[sig] == ACTION_IGNORE);
}

static void cont(struct process *p)
{
	struct process_signals *s = &p->signals;

	if (s->stop_told) {
		s->continue_untold = true;
		s->continue_to_wait_for = true;
	}
	s->stopped = false;
	s->stop_taken = false;
	s->stop_told = false;
	s->stop_to_wait_for = 0;
	signal_discard_everywhere(p, SIGMASK_STOP);
	waitq_wake(&p->signals.continued, WAKE_ALL, 0);
}

/* What happens when a signal is sent, whoever takes it and whether or not it is blocked. */
static void side_effects(struct process *p, int sig)
{
	if (sig == SIGCONT)
		cont(p);
	else if (SIGMASK(sig) & SIGMASK_STOP)
		signal_discard_everywhere(p, SIGMASK(SIGCONT));
	if (sig == SIGKILL) {
		process_begin_exit(p, SIGKILL);
		waitq_wake(&p->signals.continued, WAKE_ALL, 0);
	}
}

/* ---- sending */

int signal_send_thread(struct thread *t, int sig, const siginfo_t *info)
{
	struct process *p = t->process;
	int err = 0;

	if (!p)
		return -EPERM;
	spin_lock(&p->lock);
	side_effects(p, sig);
	if (t->signals.closed) {
		err = -ESRCH;
	} else if (sig != SIGKILL && !(signal_is_ignored(p, sig) && accepts(t, sig))) {
		err = enqueue(p, &t->signals.pending, sig, info);
		if (!err)
			notify(t, sig);
	}
	spin_unlock(&p->lock);
	waitq_wake(&p->signals.arrived, WAKE_ALL, 0);
	return err;
}

int signal_send_process(struct process *p, int sig, const siginfo_t *info)
{
	struct thread *t;
	int err = 0;

	spin_lock(&p->lock);
	side_effects(p, sig);
	t = choose(p, sig);
	/* A process without threads only waits to be collected. */
	if (sig != SIGKILL && p->thread_count &&
	    !(signal_is_ignored(p, sig) && t && accepts(t, sig))) {
		err = enqueue(p, &p->signals.pending, sig, info);
		if (!err && t)
			notify(t, sig);
	}
	spin_unlock(&p->lock);
	waitq_wake(&p->signals.arrived, WAKE_ALL, 0);
	return err;
}

int signal_send_group_locked(s32 pgid, int sig, int code)
{
	siginfo_t info = { .si_signo = sig, .si_code = code };
	struct process *p;
	int err = -ESRCH;

	LIST_FOREACH (p, &all_processes, all_link) {
		if (p->pgid != pgid)
			continue;
		(void)signal_send_process(p, sig, &info);
		err = 0;
	}
	return err;
}

void signal_raise(int sig)
{
	siginfo_t info = { .si_signo = sig, .si_code = SI_KERNEL };

	(void)signal_send_thread(current_thread(), sig, &info);
}

static siginfo_t fault_info(int sig, int code, hva_t addr)
{
	siginfo_t info = { .si_signo = sig, .si_code = code };

	info._sifields._sigfault._addr = (void *)addr.v;
	return info;
}

void signal_force_info(const siginfo_t *info)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	int sig = info->si_signo;
	struct sigaction *act = &p->signals.actions[sig - 1];

	spin_lock(&p->lock);
	if (!accepts(t, sig) || act->sa_handler == SIG_IGN) {
		act->sa_handler = SIG_DFL;
		t->signals.blocked &= ~SIGMASK(sig);
	}
	(void)enqueue(p, &t->signals.pending, sig, info);
	notify(t, sig);
	spin_unlock(&p->lock);
}

void signal_force(int sig, int code, hva_t addr)
{
	siginfo_t info = fault_info(sig, code, addr);

	signal_force_info(&info);
}

void task_send_fault_signal(struct task *task, int sig, int code, hva_t addr)
{
	struct thread *t = container_of(task, struct thread, task);
	siginfo_t info = fault_info(sig, code, addr);

	if (t == current_thread())
		signal_force(sig, code, addr);
	else
		(void)signal_send_thread(t, sig, &info);
}

/* ---- taking and blocking */

int signal_take(sigmask_t set, siginfo_t *info)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	struct pending_signals *pending = &t->signals.pending;
	int sig;

	spin_lock(&p->lock);
	sig = first_signal(pending->set & set);
	if (!sig) {
		pending = &p->signals.pending;
		sig = first_signal(pending->set & set);
	}
	if (sig)
		dequeue(p, pending, sig, info);
	(void)update_flag(p, t);
	spin_unlock(&p->lock);
	return sig;
}

sigmask_t signal_pending_set(struct thread *t)
{
	struct process *p = t->process;
	sigmask_t set;

	spin_lock(&p->lock);
	set = t->signals.pending.set | p->signals.pending.set;
	spin_unlock(&p->lock);
	return set;
}

void signal_set_blocked(sigmask_t blocked)
{
	struct thread *t = current_thread();
	struct process *p = t->process;

	spin_lock(&p->lock);
	t->signals.blocked = blocked & ~SIGMASK_UNBLOCKABLE;
	(void)update_flag(p, t);
	/* A signal that this thread was to take may now be another's. */
	if (p->signals.pending.set & blocked)
		signals_retarget(p);
	spin_unlock(&p->lock);
}

u64 task_set_signal_mask(u64 mask)
{
	sigmask_t old = current_thread()->signals.blocked;

	signal_set_blocked(mask);
	return old;
}

int signal_mask_enter(hva_t mask, u64 size)
{
	struct thread_signals *s = &current_thread()->signals;
	sigmask_t set;

	if (!mask.v)
		return 0;
	if (size != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, mask, sizeof(set)) != 0)
		return -EFAULT;
	s->saved = s->blocked;
	s->restore_saved = true;
	signal_set_blocked(set);
	return 0;
}

void signal_mask_leave(s64 result)
{
	struct thread_signals *s = &current_thread()->signals;

	if (!s->restore_saved)
		return;
	if (result == -EINTR || result == -ERESTARTNOHAND)
		return; /* the handler runs under the temporary mask */
	s->restore_saved = false;
	signal_set_blocked(s->saved);
}

/* ---- delivery */

enum restart_kind { RESTART_NO, RESTART_SAME, RESTART_BLOCK };

/* What becomes of an interrupted system call when no handler runs. */
static enum restart_kind restart_without_handler(const struct user_regs *regs)
{
	if (regs->syscall < 0)
		return RESTART_NO;
	switch ((s64)regs->x[0]) {
	case -ERESTARTSYS:
	case -ERESTARTNOHAND: return RESTART_SAME;
	case -ERESTART_RESTARTBLOCK: return RESTART_BLOCK;
	default: return RESTART_NO;
	}
}

static void rewind_syscall(struct user_regs *regs)
{
	regs->x[0] = regs->orig_x0;
	regs->pc -= 4;
	regs->syscall = -1;
}

static void restart_plain(struct user_regs *regs)
{
	switch (restart_without_handler(regs)) {
	case RESTART_NO: return;
	case RESTART_BLOCK: regs->x[8] = __NR_restart_syscall; break;
	case RESTART_SAME: break;
	}
	rewind_syscall(regs);
}

/* The same before a handler runs: only some calls are restarted, and only if it says so. */
static void restart_for_handler(struct user_regs *regs, const struct sigaction *act)
{
	if (restart_without_handler(regs) == RESTART_NO)
		return;
	if ((s64)regs->x[0] == -ERESTARTSYS && (act->sa_flags & SA_RESTART))
		rewind_syscall(regs);
	else
		regs->x[0] = (u64)-EINTR;
	regs->syscall = -1;
}

static struct sigaction action_of(struct process *p, int sig)
{
	struct sigaction act;

	spin_lock(&p->lock);
	act = p->signals.actions[sig - 1];
	if ((act.sa_flags & SA_ONESHOT) && act.sa_handler != SIG_IGN)
		p->signals.actions[sig - 1].sa_handler = SIG_DFL;
	spin_unlock(&p->lock);
	return act;
}

static struct fault_cause take_cause(struct thread *t, int sig)
{
	struct fault_cause cause = { 0 };

	if (t->signals.cause_signal == sig) {
		cause = (struct fault_cause){ t->signals.cause_esr, t->signals.cause_far };
		t->signals.cause_signal = 0;
	}
	return cause;
}

/* A frame that cannot be built is a fault itself, and of a SIGSEGV handler the end. */
static void frame_failed(struct process *p, int sig, u64 sp)
{
	if (sig == SIGSEGV) {
		spin_lock(&p->lock);
		p->signals.actions[SIGSEGV - 1].sa_handler = SIG_DFL;
		spin_unlock(&p->lock);
	}
	signal_force(SIGSEGV, SEGV_MAPERR, HVA(sp));
}

static void run_handler(struct user_regs *regs, const struct sigaction *act, const siginfo_t *info)
{
	struct thread *t = current_thread();
	struct thread_signals *s = &t->signals;
	int sig = info->si_signo;
	sigmask_t mask = s->restore_saved ? s->saved : s->blocked;
	sigmask_t blocked = s->blocked | act->sa_mask.sig[0];
	struct fault_cause cause = take_cause(t, sig);

	restart_for_handler(regs, act);
	rseq_update(t, regs);
	s->restore_saved = false;
	if (sigframe_setup(regs, act, info, mask, &cause) != 0) {
		frame_failed(t->process, sig, regs->sp);
		return;
	}
	if (!(act->sa_flags & SA_NODEFER))
		blocked |= SIGMASK(sig);
	signal_set_blocked(blocked);
}

/* Marks @p as stopped by @sig, unless it was continued since the signal was taken. */
static void stop(struct process *p, int sig)
{
	struct thread *t;

	spin_lock(&p->lock);
	if (p->signals.stop_taken && !p->exiting) {
		p->signals.stopped = true;
		p->signals.stop_signal = (u8)sig;
		LIST_FOREACH (t, &p->threads, process_link) {
			__atomic_store_n(&t->task.signal_pending, 1, __ATOMIC_RELEASE);
			sched_signal(t);
		}
	}
	spin_unlock(&p->lock);
}

/*
 * Nobody could continue the first process, nor, but by SIGCONT from elsewhere, an orphaned group:
 * there the terminal's signals do nothing.
 */
static bool may_stop(struct process *p, int sig)
{
	return p != first_process() && (sig == SIGSTOP || !job_is_orphaned(p));
}

void signal_report_stop(struct process *p)
{
	struct process_signals *s = &p->signals;
	bool complete;
	int sig;

	spin_lock(&p->lock);
	complete = s->stopped && !s->stop_told && !p->exiting && p->thread_count &&
		   s->stopped_threads >= p->thread_count;
	sig = s->stop_signal;
	if (complete) {
		s->stop_told = true;
		s->stop_to_wait_for = s->stop_signal;
		s->continue_to_wait_for = false;
	}
	spin_unlock(&p->lock);
	if (complete)
		job_tell_parent(p, sig);
}

/* Does another thread of the process want to exec? */
static bool must_make_way(struct process *p)
{
	struct thread *exec = __atomic_load_n(&p->exec_thread, __ATOMIC_ACQUIRE);

	return exec && exec != current_thread();
}

static bool may_continue(struct process *p)
{
	bool may;

	spin_lock(&p->lock);
	may = !p->signals.stopped || p->exiting || must_make_way(p);
	spin_unlock(&p->lock);
	return may;
}

static void count_stopped(struct process *p, u32 change)
{
	spin_lock(&p->lock);
	p->signals.stopped_threads += change;
	spin_unlock(&p->lock);
}

/* The first thread that goes on tells the parent. */
static void report_continue(struct process *p)
{
	bool untold;

	spin_lock(&p->lock);
	untold = p->signals.continue_untold;
	p->signals.continue_untold = false;
	spin_unlock(&p->lock);
	if (untold)
		job_tell_parent(p, SIGCONT);
}

static void stay(struct process *p)
{
	count_stopped(p, 1);
	signal_report_stop(p);
	wait_event(&p->signals.continued, may_continue(p));
	count_stopped(p, -1U);
	report_continue(p);
}

/* Waits while the process is stopped; ends the thread if the process ends. */
static void stay_or_leave(struct process *p)
{
	if (!may_continue(p))
		stay(p);
	if (__atomic_load_n(&p->exiting, __ATOMIC_ACQUIRE))
		thread_exit(p->exit_status);
	if (must_make_way(p))
		thread_exit(0);
}

static void no_more(struct user_regs *regs, struct thread *t)
{
	restart_plain(regs);
	if (t->signals.restore_saved) {
		t->signals.restore_saved = false;
		signal_set_blocked(t->signals.saved);
	}
}

void signal_deliver(struct user_regs *regs)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	struct sigaction act;
	siginfo_t info;
	int sig;

	for (;;) {
		stay_or_leave(p);
		sig = signal_take(~t->signals.blocked, &info);
		if (!sig) {
			no_more(regs, t);
			return;
		}
		act = action_of(p, sig);
		if (act.sa_handler == SIG_IGN)
			continue;
		if (act.sa_handler != SIG_DFL) {
			run_handler(regs, &act, &info);
			return;
		}
		if (default_actions[sig] == ACTION_STOP && may_stop(p, sig))
			stop(p, sig);
		else if (default_actions[sig] == ACTION_END)
			process_exit(sig);
	}
}
