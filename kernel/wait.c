/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for children: those that ended, were stopped, or go on (wait4, waitid). */
#include <linux/wait.h>

#include "kernel/job.h"
#include "kernel/process.h"
#include "kernel/syscalls.h"
#include "kernel/time.h"

/* Statuses of wait4 for what is no end; linux/wait.h has none of them. */
#define STATUS_STOPPED(sig) ((s32)(sig) << 8 | 0x7f)
#define STATUS_CONTINUED    0xffff

struct wait_request {
	s32 pid;      /* > 0: that one; -1: any; 0, < -1: of a group */
	s32 pgid;     /* for the last two */
	u32 events;   /* WEXITED, WSTOPPED, WCONTINUED */
	bool collect; /* or leave it for another wait (WNOWAIT) */
	/* What was found */
	s32 found_pid;
	s32 status; /* as wait4 gives it */
	u64 runtime_ns;
};

static bool wanted(const struct wait_request *w, const struct process *p)
{
	if (w->pid > 0)
		return p->pid == w->pid;
	return w->pid == -1 || p->pgid == w->pgid;
}

/* ---- one child; under process_tree_lock */

static void take_ended(struct process *parent, struct process *p, struct wait_request *w)
{
	w->status = p->exit_status;
	w->runtime_ns = p->dead_threads_runtime_ns + p->children_runtime_ns;
	if (w->collect) {
		parent->children_runtime_ns += w->runtime_ns;
		process_leave_tree(p);
	}
}

/* Was it stopped or continued, and has nobody taken notice yet? */
static bool take_stop(struct process *p, struct wait_request *w)
{
	struct process_signals *s = &p->signals;
	bool found = true;

	spin_lock(&p->lock);
	if (w->events & WSTOPPED && s->stop_to_wait_for) {
		w->status = STATUS_STOPPED(s->stop_to_wait_for);
		if (w->collect)
			s->stop_to_wait_for = 0;
	} else if (w->events & WCONTINUED && s->continue_to_wait_for) {
		w->status = STATUS_CONTINUED;
		if (w->collect)
			s->continue_to_wait_for = false;
	} else {
		found = false;
	}
	spin_unlock(&p->lock);
	if (found)
		w->runtime_ns = process_runtime_ns(p) + p->children_runtime_ns;
	return found;
}

static bool take(struct process *parent, struct process *p, struct wait_request *w)
{
	if (!p->zombie)
		return take_stop(p, w);
	take_ended(parent, p, w);
	return true;
}

/* ---- all of them */

/* 1: a child was found; 0: none yet; -ECHILD: there is none to wait for. */
static int find_child(struct process *parent, struct wait_request *w)
{
	struct process *p, *gone = NULL;
	int ret = -ECHILD;

	spin_lock(&process_tree_lock);
	LIST_FOREACH (p, &parent->children, sibling_link) {
		/* Who does not ask for ends has no business with one. */
		if (!wanted(w, p) || (p->zombie && !(w->events & WEXITED)))
			continue;
		ret = take(parent, p, w);
		if (!ret)
			continue;
		w->found_pid = p->pid;
		if (p->zombie && w->collect)
			gone = p;
		break;
	}
	spin_unlock(&process_tree_lock);
	if (gone)
		process_put(gone);
	return ret;
}

static int wait_for_child(struct wait_request *w, u64 options)
{
	struct process *parent = current_process();
	int found, err;

	if (options & WNOHANG)
		return find_child(parent, w);
	err = wait_event_interruptible(&parent->child_wait, (found = find_child(parent, w)) != 0);
	return err ? -ERESTARTSYS : found;
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
	struct wait_request w = {
		.pid = (s32)a[0],
		.events = ((u32)a[2] & (WUNTRACED | WCONTINUED)) | WEXITED,
		.collect = true,
	};
	int found;

	if ((u32)a[2] & ~(u32)(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WALL | __WCLONE))
		return -EINVAL;
	if (w.pid == INT32_MIN)
		return -ESRCH;
	w.pgid = w.pid == 0 ? job_own_group() : -w.pid;
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
		w->pgid = id ? id : job_own_group();
		return id >= 0 ? 0 : -EINVAL;
	default: return -EINVAL;
	}
}

/* The code and the value that say what @status says. */
static void explain_status(s32 status, siginfo_t *info)
{
	s32 *value = &info->_sifields._sigchld._status;

	if (status == STATUS_CONTINUED) {
		info->si_code = CLD_CONTINUED;
		*value = SIGCONT;
	} else if ((status & 0xff) == 0x7f) {
		info->si_code = CLD_STOPPED;
		*value = status >> 8;
	} else if (status & 0x7f) {
		info->si_code = CLD_KILLED;
		*value = status & 0x7f;
	} else {
		info->si_code = CLD_EXITED;
		*value = status >> 8 & 0xff;
	}
}

s64 sys_waitid(const u64 a[6])
{
	struct wait_request w = {
		.events = (u32)a[3] & (WEXITED | WSTOPPED | WCONTINUED),
		.collect = !(a[3] & WNOWAIT),
	};
	siginfo_t info = { 0 };
	int found;

	if ((u32)a[3] & ~(u32)(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WALL |
			       __WNOTHREAD | __WCLONE) ||
	    !w.events)
		return -EINVAL;
	if (waitid_target(&w, (u32)a[0], (s32)a[1]) != 0)
		return -EINVAL;
	found = wait_for_child(&w, a[3]);
	if (found < 0)
		return found;
	if (found) {
		info.si_signo = SIGCHLD;
		info._sifields._sigchld._pid = w.found_pid;
		explain_status(w.status, &info);
	}
	if (a[2] && copy_to_user(HVA(a[2]), &info, sizeof(info)) != 0)
		return -EFAULT;
	return put_child_usage(HVA(a[4]), w.runtime_ns);
}
