/* SPDX-License-Identifier: Apache-2.0 */
/* Process groups and sessions: setpgid(2), setsid(2), and what becomes of orphaned groups. */
#include "kernel/job.h"

#include "kernel/process.h"
#include "kernel/syscalls.h"

/* The process @pid names, 0 being the calling one; under process_tree_lock. */
static struct process *named_locked(s32 pid)
{
	return pid ? process_find_locked(pid) : current_process();
}

s32 job_own_group(void)
{
	s32 pgid;

	spin_lock(&process_tree_lock);
	pgid = current_process()->pgid;
	spin_unlock(&process_tree_lock);
	return pgid;
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

int job_find_group(s32 pgid, s32 sid)
{
	struct process *p;
	int ret = -ESRCH;

	LIST_FOREACH (p, &all_processes, all_link) {
		if (p->pgid != pgid)
			continue;
		if (p->sid == sid)
			return 0;
		ret = -EPERM;
	}
	return ret;
}

/* In Linux's order of errors. */
static int check_set_group(const struct process *p, s32 pgid)
{
	const struct process *self = current_process();

	if (!p || (p != self && p->parent != self))
		return -ESRCH;
	if (p != self && p->sid != self->sid)
		return -EPERM;
	if (p != self && p->has_execed)
		return -EACCES;
	if (p->sid == p->pid)
		return -EPERM;
	return pgid == p->pid || job_find_group(pgid, self->sid) == 0 ? 0 : -EPERM;
}

s64 sys_setpgid(const u64 a[6])
{
	s32 pid = (s32)a[0], pgid = (s32)a[1];
	struct process *p;
	s64 ret;

	if (pgid < 0)
		return -EINVAL;
	spin_lock(&process_tree_lock);
	p = named_locked(pid);
	if (p && !pgid)
		pgid = p->pid;
	ret = check_set_group(p, pgid);
	if (!ret)
		p->pgid = pgid;
	spin_unlock(&process_tree_lock);
	return ret;
}

s64 sys_setsid(const u64 a[6])
{
	struct process *p = current_process();
	s64 ret = -EPERM;

	(void)a;
	spin_lock(&process_tree_lock);
	if (job_find_group(p->pid, p->sid) == -ESRCH) {
		p->sid = p->pid;
		p->pgid = p->pid;
		p->has_terminal = false;
		ret = p->sid;
	}
	spin_unlock(&process_tree_lock);
	return ret;
}

/* ---- orphaned groups; under process_tree_lock */

/* A parent that could continue the group: of its session, but no member. */
static bool watches(const struct process *parent, s32 pgid, s32 sid)
{
	return parent && parent->pgid != pgid && parent->sid == sid;
}

/* Without @leaving, which ends. */
static bool is_orphaned(s32 pgid, const struct process *leaving)
{
	struct process *p;

	LIST_FOREACH (p, &all_processes, all_link)
		if (p->pgid == pgid && p != leaving && !p->zombie &&
		    watches(p->parent, pgid, p->sid))
			return false;
	return true;
}

static bool is_stopped(struct process *p)
{
	bool stopped;

	spin_lock(&p->lock);
	stopped = p->signals.stopped;
	spin_unlock(&p->lock);
	return stopped;
}

static bool has_stopped_member(s32 pgid)
{
	struct process *p;

	LIST_FOREACH (p, &all_processes, all_link)
		if (p->pgid == pgid && is_stopped(p))
			return true;
	return false;
}

static void hang_up(s32 pgid)
{
	(void)signal_send_group_locked(pgid, SIGHUP, SI_KERNEL);
	(void)signal_send_group_locked(pgid, SIGCONT, SI_KERNEL);
}

bool job_is_orphaned(const struct process *p)
{
	bool orphaned;

	spin_lock(&process_tree_lock);
	orphaned = is_orphaned(p->pgid, NULL);
	spin_unlock(&process_tree_lock);
	return orphaned;
}

void job_ends(struct process *p)
{
	if (watches(p->parent, p->pgid, p->sid) && is_orphaned(p->pgid, p) &&
	    has_stopped_member(p->pgid))
		hang_up(p->pgid);
}

void job_inherited(struct process *p, struct process *lost)
{
	if (watches(lost, p->pgid, p->sid) && is_orphaned(p->pgid, NULL) &&
	    has_stopped_member(p->pgid))
		hang_up(p->pgid);
}

/* ---- telling parents of stops */

static bool wants_stops(struct process *parent)
{
	const struct sigaction *act = &parent->signals.actions[SIGCHLD - 1];
	bool wants;

	spin_lock(&parent->lock);
	wants = act->sa_handler != SIG_IGN && !(act->sa_flags & SA_NOCLDSTOP);
	spin_unlock(&parent->lock);
	return wants;
}

void job_tell_parent(struct process *p, int sig)
{
	siginfo_t info = { .si_signo = SIGCHLD,
			   .si_code = sig == SIGCONT ? CLD_CONTINUED : CLD_STOPPED };
	struct process *parent;

	info._sifields._sigchld._pid = p->pid;
	info._sifields._sigchld._status = sig;
	spin_lock(&process_tree_lock);
	parent = p->parent ? process_get(p->parent) : NULL;
	if (parent && wants_stops(parent))
		(void)signal_send_process(parent, SIGCHLD, &info);
	spin_unlock(&process_tree_lock);
	if (!parent)
		return;
	waitq_wake(&parent->child_wait, WAKE_ALL, 0);
	process_put(parent);
}
