/* SPDX-License-Identifier: Apache-2.0 */
/* Processes: making them, the tree of them, ending and collecting them. */
#include "kernel/process.h"

#include <linux/sched.h>
#include <linux/wait.h>

#include "host/mm.h"
#include "host/string.h"
#include "kernel/first.h"
#include "kernel/itimer.h"
#include "kernel/posix_timer.h"
#include "kernel/sched.h"
#include "kernel/syscalls.h"
#include "kernel/time.h"
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

static struct process *find_locked(s32 pid)
{
	struct process *p;

	LIST_FOREACH (p, &all_processes, all_link)
		if (p->pid == pid)
			return p;
	return NULL;
}

bool process_tree_has(s32 pid)
{
	return find_locked(pid) != NULL;
}

struct process *process_find(s32 pid)
{
	struct process *p;

	spin_lock(&process_tree_lock);
	p = find_locked(pid);
	if (p)
		process_get(p);
	spin_unlock(&process_tree_lock);
	return p;
}

void process_enter_tree(struct process *p, struct process *parent)
{
	process_get(p);
	spin_lock(&process_tree_lock);
	p->parent = parent;
	p->pgid = parent ? parent->pgid : p->pid;
	p->sid = parent ? parent->sid : p->pid;
	LIST_INSERT_HEAD(&all_processes, p, all_link);
	if (parent)
		LIST_INSERT_HEAD(&parent->children, p, sibling_link);
	spin_unlock(&process_tree_lock);
}

/* Under process_tree_lock; the caller puts the tree's reference afterwards. */
static void leave_tree(struct process *p)
{
	LIST_REMOVE(p, all_link);
	if (p->parent)
		LIST_REMOVE(p, sibling_link);
	p->parent = NULL;
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
		child->parent = first;
		if (child->parent_death_signal)
			(void)signal_send_process(child, child->parent_death_signal, &info);
		LIST_INSERT_HEAD(&first->children, child, sibling_link);
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
	collected = ignores_children(parent);
	if (collected)
		leave_tree(p);
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
		return;
	}
	release_resources(p, mm);
	if (p == first_process())
		first_ended(p->exit_status);
	hand_over_children(p);
	tell_parent(p);
}

/* ---- waiting for children */

struct wait_request {
	s32 pid;      /* > 0: that one; -1: any; 0, < -1: of a group */
	s32 pgid;     /* for the last two */
	bool collect; /* or leave it for another wait (WNOWAIT) */
	s32 found_pid;
	s32 status;
	u64 runtime_ns;
};

static bool wanted(const struct wait_request *w, const struct process *p)
{
	if (w->pid > 0)
		return p->pid == w->pid;
	return w->pid == -1 || p->pgid == w->pgid;
}

/* 1: a child that has ended was found; 0: none has yet; -ECHILD: there is none to wait for. */
static int find_ended(struct process *parent, struct wait_request *w)
{
	struct process *p, *ended = NULL;
	int ret = -ECHILD;

	spin_lock(&process_tree_lock);
	LIST_FOREACH (p, &parent->children, sibling_link) {
		if (!wanted(w, p))
			continue;
		ret = 0;
		if (!p->zombie)
			continue;
		ended = p;
		w->found_pid = p->pid;
		w->status = p->exit_status;
		w->runtime_ns = p->dead_threads_runtime_ns + p->children_runtime_ns;
		if (w->collect) {
			parent->children_runtime_ns += w->runtime_ns;
			leave_tree(p);
		}
		ret = 1;
		break;
	}
	spin_unlock(&process_tree_lock);
	if (ended && w->collect)
		process_put(ended);
	return ret;
}

static int wait_for_child(struct wait_request *w, u64 options)
{
	struct process *parent = current_process();
	int found, err;

	if (options & WNOHANG)
		return find_ended(parent, w);
	err = wait_event_interruptible(&parent->child_wait, (found = find_ended(parent, w)) != 0);
	return err ? -ERESTARTSYS : found;
}

static s32 own_pgid(void)
{
	s32 pgid;

	spin_lock(&process_tree_lock);
	pgid = current_process()->pgid;
	spin_unlock(&process_tree_lock);
	return pgid;
}

static int put_child_usage(hva_t usage, u64 runtime_ns)
{
	struct rusage ru = { .ru_utime = { (__kernel_old_time_t)(runtime_ns / NS_PER_SEC),
					   (__kernel_suseconds_t)(runtime_ns % NS_PER_SEC /
								  NS_PER_USEC) } };

	return usage.v ? copy_to_user(usage, &ru, sizeof(ru)) : 0;
}

s64 sys_wait4(const u64 a[6])
{
	struct wait_request w = { .pid = (s32)a[0], .collect = true };
	int found;

	if ((u32)a[2] & ~(u32)(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WALL | __WCLONE))
		return -EINVAL;
	if (w.pid == INT32_MIN)
		return -ESRCH;
	w.pgid = w.pid == 0 ? own_pgid() : -w.pid;
	found = wait_for_child(&w, a[2]);
	if (found <= 0)
		return found;
	if (a[1] && copy_to_user(HVA(a[1]), &w.status, sizeof(w.status)) != 0)
		return -EFAULT;
	if (put_child_usage(HVA(a[3]), w.runtime_ns) != 0)
		return -EFAULT;
	return w.found_pid;
}

static int waitid_target(struct wait_request *w, u32 type, s32 id)
{
	switch (type) {
	case P_ALL: w->pid = -1; return 0;
	case P_PID: w->pid = id; return id > 0 ? 0 : -EINVAL;
	case P_PGID:
		w->pid = 0;
		w->pgid = id ? id : own_pgid();
		return id >= 0 ? 0 : -EINVAL;
	default: return -EINVAL;
	}
}

s64 sys_waitid(const u64 a[6])
{
	struct wait_request w = { .collect = !(a[3] & WNOWAIT) };
	siginfo_t info = { 0 };
	int found;

	if ((u32)a[3] & ~(u32)(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WALL |
			       __WNOTHREAD | __WCLONE) ||
	    !(a[3] & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	if (waitid_target(&w, (u32)a[0], (s32)a[1]) != 0)
		return -EINVAL;
	found = wait_for_child(&w, a[3]);
	if (found < 0)
		return found;
	if (found) {
		info.si_signo = SIGCHLD;
		info.si_code = w.status & 0x7f ? CLD_KILLED : CLD_EXITED;
		info._sifields._sigchld._pid = w.found_pid;
		info._sifields._sigchld._status =
			w.status & 0x7f ? w.status & 0x7f : (w.status >> 8) & 0xff;
	}
	if (a[2] && copy_to_user(HVA(a[2]), &info, sizeof(info)) != 0)
		return -EFAULT;
	return put_child_usage(HVA(a[4]), w.runtime_ns);
}

/* ---- ids, groups and sessions */

s64 sys_getpid(const u64 a[6])
{
	(void)a;
	return port_current()->tgid;
}

s64 sys_getppid(const u64 a[6])
{
	struct process *parent;
	s32 pid;

	(void)a;
	spin_lock(&process_tree_lock);
	parent = current_process()->parent;
	pid = parent ? parent->pid : 0;
	spin_unlock(&process_tree_lock);
	return pid;
}

/* The process @pid names, 0 being the calling one; under process_tree_lock. */
static struct process *named_locked(s32 pid)
{
	return pid ? find_locked(pid) : current_process();
}

s64 sys_getpgid(const u64 a[6])
{
	struct process *p;
	s64 ret;

	spin_lock(&process_tree_lock);
	p = named_locked((s32)a[0]);
	ret = p ? p->pgid : -ESRCH;
	spin_unlock(&process_tree_lock);
	return ret;
}

s64 sys_getsid(const u64 a[6])
{
	struct process *p;
	s64 ret;

	spin_lock(&process_tree_lock);
	p = named_locked((s32)a[0]);
	ret = p ? p->sid : -ESRCH;
	spin_unlock(&process_tree_lock);
	return ret;
}

static bool group_exists(s32 pgid, s32 sid)
{
	struct process *p;

	LIST_FOREACH (p, &all_processes, all_link)
		if (p->pgid == pgid && p->sid == sid)
			return true;
	return false;
}

static s64 set_group(struct process *p, s32 pgid)
{
	if (!p || (p != current_process() && p->parent != current_process()))
		return -ESRCH;
	if (p->sid == p->pid || p->sid != current_process()->sid)
		return -EPERM;
	if (!pgid)
		pgid = p->pid;
	if (pgid != p->pid && !group_exists(pgid, p->sid))
		return -EPERM;
	p->pgid = pgid;
	return 0;
}

s64 sys_setpgid(const u64 a[6])
{
	s64 ret;

	if ((s32)a[1] < 0)
		return -EINVAL;
	spin_lock(&process_tree_lock);
	ret = set_group(named_locked((s32)a[0]), (s32)a[1]);
	spin_unlock(&process_tree_lock);
	return ret;
}

s64 sys_setsid(const u64 a[6])
{
	struct process *p = current_process();
	s64 ret = -EPERM;

	(void)a;
	spin_lock(&process_tree_lock);
	if (p->pgid != p->pid) {
		p->sid = p->pid;
		p->pgid = p->pid;
		ret = p->sid;
	}
	spin_unlock(&process_tree_lock);
	return ret;
}
