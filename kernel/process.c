/* SPDX-License-Identifier: Apache-2.0 */
/* Processes: making them, the tree of them, ending and collecting them. */
#include "kernel/process.h"

#include <linux/sched.h>

#include "host/mm.h"
#include "host/string.h"
#include "kernel/first.h"
#include "kernel/itimer.h"
#include "kernel/job.h"
#include "kernel/posix_timer.h"
#include "kernel/sched.h"
#include "kernel/syscalls.h"
#include "kernel/time.h"
#include "kernel/tty.h"
#include "kernel/vfs.h"

struct process_list all_processes = LIST_HEAD_INITIALIZER(all_processes);

/* Linux's defaults; 1024 descriptors at first, and as many more as systemd lets programs ask for.
 */
static const struct rlimit default_limits[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_FSIZE] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_DATA] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_STACK] = { 8UL << 20, RLIM_INFINITY },
	[RLIMIT_CORE] = { 0, RLIM_INFINITY },
	[RLIMIT_RSS] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_NPROC] = { 4096, 4096 },
	[RLIMIT_NOFILE] = { 1024, 1UL << 20 },
	[RLIMIT_MEMLOCK] = { 8UL << 20, 8UL << 20 },
	[RLIMIT_AS] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_LOCKS] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_SIGPENDING] = { 4096, 4096 },
	[RLIMIT_MSGQUEUE] = { 819200, 819200 },
	[RLIMIT_NICE] = { 0, 0 },
	[RLIMIT_RTPRIO] = { 0, 0 },
	[RLIMIT_RTTIME] = { RLIM_INFINITY, RLIM_INFINITY },
};

/* ---- references and look-up */

struct process *process_alloc(void)
{
	struct process *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	p->refs = 1;
	spin_init(&p->lock);
	LIST_INIT(&p->children);
	LIST_INIT(&p->threads);
	LIST_INIT(&p->posix_timers);
	waitq_init(&p->child_wait);
	waitq_init(&p->exec_wait);
	waitq_init(&p->vfork_wait);
	signals_init_process(&p->signals);
	itimers_init(p);
	memcpy(p->limits, default_limits, sizeof(p->limits));
	p->start_ns = port_time_ns();
	return p;
}

struct process *process_get(struct process *p)
{
	__atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
	return p;
}

void process_put(struct process *p)
{
	if (__atomic_fetch_sub(&p->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	kfree(p->exe_path);
	kfree(p);
}

struct process *process_find_locked(s32 pid)
{
	struct process *p;

	LIST_FOREACH (p, &all_processes, all_link)
		if (p->pid == pid)
			return p;
	return NULL;
}

struct process *process_find(s32 pid)
{
	struct process *p;

	spin_lock(&process_tree_lock);
	p = process_find_locked(pid);
	if (p)
		process_get(p);
	spin_unlock(&process_tree_lock);
	return p;
}

/* Under process_tree_lock. */
static struct process *find_before(const struct process *from)
{
	struct process *p = LIST_FIRST(&all_processes);

	if (from && from->in_tree)
		return LIST_NEXT(from, all_link);
	while (from && p && p->birth > from->birth)
		p = LIST_NEXT(p, all_link);
	return p;
}

struct process *process_before(struct process *p)
{
	struct process *before;

	spin_lock(&process_tree_lock);
	before = find_before(p);
	if (before)
		process_get(before);
	spin_unlock(&process_tree_lock);
	if (p)
		process_put(p);
	return before;
}

/* With process_tree_lock held. */
static void set_parent(struct process *p, struct process *parent)
{
	p->parent = parent;
	__atomic_store_n(&p->parent_pid, parent ? parent->pid : 0, __ATOMIC_RELAXED);
}

void process_enter_tree(struct process *p, struct process *parent)
{
	static u64 births; /* guarded by process_tree_lock */

	process_get(p);
	spin_lock(&process_tree_lock);
	set_parent(p, parent);
	p->pgid = parent ? parent->pgid : p->pid;
	p->sid = parent ? parent->sid : p->pid;
	p->has_terminal = parent && parent->has_terminal;
	p->birth = ++births;
	p->in_tree = true;
	LIST_INSERT_HEAD(&all_processes, p, all_link);
	if (parent)
		LIST_INSERT_HEAD(&parent->children, p, sibling_link);
	spin_unlock(&process_tree_lock);
}

void process_leave_tree(struct process *p)
{
	LIST_REMOVE(p, all_link);
	p->in_tree = false;
	if (p->parent)
		LIST_REMOVE(p, sibling_link);
	set_parent(p, NULL);
}

u64 process_limit(struct process *p, unsigned int resource)
{
	return __atomic_load_n(&p->limits[resource].rlim_cur, __ATOMIC_RELAXED);
}

u64 process_runtime_ns(struct process *p)
{
	struct thread *t;
	u64 total;

	spin_lock(&p->lock);
	total = p->dead_threads_runtime_ns;
	LIST_FOREACH (t, &p->threads, process_link)
		total += sched_runtime_ns(t);
	spin_unlock(&p->lock);
	return total;
}

/* ---- the end of a process */

void process_begin_exit(struct process *p, s32 status)
{
	struct thread *t;

	if (p->exiting)
		return;
	p->exiting = true;
	p->exit_status = status;
	LIST_FOREACH (t, &p->threads, process_link) {
		task_kill(&t->task);
		sched_signal(t);
	}
}

void process_exit(s32 status)
{
	struct process *p = current_process();

	spin_lock(&p->lock);
	process_begin_exit(p, status);
	spin_unlock(&p->lock);
	thread_exit(status);
}

s64 sys_exit_group(const u64 a[6])
{
	process_exit((s32)(a[0] & 0xff) << 8);
}

void process_end_vfork(struct process *p)
{
	p->mm_borrowed = false;
	__atomic_store_n(&p->vfork_done, true, __ATOMIC_RELEASE);
	waitq_wake(&p->vfork_wait, WAKE_ALL, 0);
}

/* True if @t was the last thread. */
static bool remove_thread(struct process *p, struct thread *t, s32 status)
{
	bool last;

	spin_lock(&p->lock);
	LIST_REMOVE(t, process_link);
	last = --p->thread_count == 0;
	p->dead_threads_runtime_ns += sched_runtime_ns(t);
	if (!p->exiting && t->task.tid == p->pid)
		p->exit_status = status;
	t->signals.closed = true;
	signals_flush(p, &t->signals.pending);
	if (last)
		signals_flush(p, &p->signals.pending);
	else if (p->signals.pending.set)
		signals_retarget(p);
	spin_unlock(&p->lock);
	/* No signal reaches it any more: what is left to do is not interrupted. */
	__atomic_store_n(&t->task.signal_pending, 0, __ATOMIC_RELAXED);
	return last;
}

static void release_resources(struct process *p, struct mm *mm)
{
	struct fdtable *files = p->files;
	struct fs_context *fs = p->fs;

	itimers_stop(p);
	posix_timers_delete(p);
	/* /proc of others takes references under the lock. */
	spin_lock(&p->lock);
	p->mm = NULL;
	p->files = NULL;
	p->fs = NULL;
	spin_unlock(&p->lock);
	current_thread()->task.files = NULL;
	if (mm && !p->mm_borrowed)
		mm_exit(mm);
	if (mm)
		mm_put(mm);
	process_end_vfork(p);
	fdtable_put(files);
	fs_context_put(fs);
}

/* Orphans become children of the first process. */
static void hand_over_children(struct process *p)
{
	struct process *first = first_process();
	siginfo_t info = { .si_code = SI_KERNEL };
	struct process *child, *next;

	spin_lock(&process_tree_lock);
	for (child = LIST_FIRST(&p->children); child; child = next) {
		next = LIST_NEXT(child, sibling_link);
		LIST_REMOVE(child, sibling_link);
		set_parent(child, first);
		if (child->parent_death_signal)
			(void)signal_send_process(child, child->parent_death_signal, &info);
		LIST_INSERT_HEAD(&first->children, child, sibling_link);
		job_inherited(child, p);
	}
	spin_unlock(&process_tree_lock);
	waitq_wake(&first->child_wait, WAKE_ALL, 0);
}

static bool ignores_children(struct process *parent)
{
	struct sigaction *act = &parent->signals.actions[SIGCHLD - 1];
	bool ignores;

	spin_lock(&parent->lock);
	ignores = act->sa_handler == SIG_IGN || (act->sa_flags & SA_NOCLDWAIT);
	spin_unlock(&parent->lock);
	return ignores;
}

static void child_info(struct process *p, siginfo_t *info)
{
	s32 status = p->exit_status;

	*info = (siginfo_t){ .si_signo = SIGCHLD };
	info->si_code = status & 0x7f ? CLD_KILLED : CLD_EXITED;
	info->_sifields._sigchld._pid = p->pid;
	info->_sifields._sigchld._status = status & 0x7f ? status & 0x7f : (status >> 8) & 0xff;
	info->_sifields._sigchld._utime = (__kernel_clock_t)(process_runtime_ns(p) / 10000000);
}

static void tell_parent(struct process *p)
{
	struct process *parent;
	siginfo_t info;
	bool collected;

	child_info(p, &info);
	spin_lock(&process_tree_lock);
	parent = process_get(p->parent);
	job_ends(p);
	collected = ignores_children(parent);
	if (collected)
		process_leave_tree(p);
	/* The signal before anybody can collect the child: who has waited for it has been told. */
	if (p->exit_signal) {
		info.si_signo = p->exit_signal;
		(void)signal_send_process(parent, p->exit_signal, &info);
	}
	p->zombie = true;
	spin_unlock(&process_tree_lock);

	waitq_wake(&parent->child_wait, WAKE_ALL, 0);
	process_put(parent);
	if (collected)
		process_put(p);
}

void process_leave(struct process *p, struct thread *t, s32 status, struct mm *mm)
{
	if (!remove_thread(p, t, status)) {
		waitq_wake(&p->exec_wait, WAKE_ALL, 0);
		/* The others may all be stopped already. */
		signal_report_stop(p);
		return;
	}
	release_resources(p, mm);
	if (p == first_process())
		first_ended(p->exit_status);
	tty_leader_ends(p);
	hand_over_children(p);
	tell_parent(p);
}

/* ---- ids */

s64 sys_getpid(const u64 a[6])
{
	(void)a;
	return port_current()->tgid;
}

s64 sys_getppid(const u64 a[6])
{
	(void)a;
	return *(const volatile s32 *)&current_process()->parent_pid;
}
