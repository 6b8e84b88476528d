/* SPDX-License-Identifier: Apache-2.0 */
/* Job control of the terminal: whom it controls, who is in its foreground, who must wait. */
#include <asm/ioctls.h>
#include <linux/major.h>

#include "kernel/job.h"
#include "kernel/process.h"
#include "kernel/tty.h"

/* Guarded by process_tree_lock. */
static struct {
	s32 session;	/* that it controls, or 0 */
	s32 foreground; /* the group that may read, or 0 */
} control;

void tty_job_start(struct process *first)
{
	spin_lock(&process_tree_lock);
	first->has_terminal = true;
	control.session = first->sid;
	control.foreground = first->pgid;
	spin_unlock(&process_tree_lock);
}

struct tty_of_process tty_of(struct process *p)
{
	struct tty_of_process of = { 0, -1 };

	spin_lock(&process_tree_lock);
	if (p->has_terminal)
		of = (struct tty_of_process){ TTYAUX_MAJOR << 8 | 1, control.foreground };
	spin_unlock(&process_tree_lock);
	return of;
}

/* ---- signals */

void tty_job_signal(int sig)
{
	spin_lock(&process_tree_lock);
	if (control.foreground)
		(void)signal_send_group_locked(control.foreground, sig, SI_KERNEL);
	spin_unlock(&process_tree_lock);
}

void tty_job_hang_up(void)
{
	siginfo_t info = { .si_code = SI_KERNEL };
	struct process *leader;

	spin_lock(&process_tree_lock);
	leader = control.session ? process_find_locked(control.session) : NULL;
	if (leader) {
		(void)signal_send_process(leader, SIGHUP, &info);
		(void)signal_send_process(leader, SIGCONT, &info);
	}
	spin_unlock(&process_tree_lock);
}

/* The session loses its terminal; under process_tree_lock. */
static void release_control(void)
{
	struct process *p;

	LIST_FOREACH (p, &all_processes, all_link)
		if (p->sid == control.session)
			p->has_terminal = false;
	control.session = 0;
	control.foreground = 0;
}

/* Its jobs are told. */
static void drop_session(void)
{
	s32 foreground = control.foreground;

	release_control();
	(void)signal_send_group_locked(foreground, SIGHUP, SI_KERNEL);
	(void)signal_send_group_locked(foreground, SIGCONT, SI_KERNEL);
}

void tty_leader_ends(struct process *p)
{
	spin_lock(&process_tree_lock);
	if (p->has_terminal && control.session == p->pid)
		drop_session();
	spin_unlock(&process_tree_lock);
}

/* ---- the background */

static bool is_background(const struct process *p)
{
	bool background;

	spin_lock(&process_tree_lock);
	background = p->has_terminal && control.foreground && p->pgid != control.foreground;
	spin_unlock(&process_tree_lock);
	return background;
}

static bool refuses(struct process *p, int sig)
{
	bool refused;

	spin_lock(&p->lock);
	refused = current_thread()->signals.blocked & SIGMASK(sig) ||
		  p->signals.actions[sig - 1].sa_handler == SIG_IGN;
	spin_unlock(&p->lock);
	return refused;
}

int tty_job_check(int sig)
{
	struct process *p = current_process();

	if (!is_background(p))
		return 0;
	if (refuses(p, sig))
		return sig == SIGTTIN ? -EIO : 0;
	if (job_is_orphaned(p))
		return -EIO;
	spin_lock(&process_tree_lock);
	(void)signal_send_group_locked(p->pgid, sig, SI_KERNEL);
	spin_unlock(&process_tree_lock);
	return -ERESTARTSYS;
}

/* ---- ioctls */

static s64 get_id(u64 arg, const s32 *id)
{
	struct process *p = current_process();
	s32 value = 0;
	bool mine;

	spin_lock(&process_tree_lock);
	mine = p->has_terminal;
	value = *id;
	spin_unlock(&process_tree_lock);
	if (!mine)
		return -ENOTTY;
	return copy_to_user(HVA(arg), &value, sizeof(value)) ? -EFAULT : 0;
}

static s64 set_foreground(u64 arg)
{
	struct process *p = current_process();
	int err = tty_job_check(SIGTTOU);
	s32 pgid;

	if (err)
		return err;
	if (copy_from_user(&pgid, HVA(arg), sizeof(pgid)))
		return -EFAULT;
	if (pgid < 0)
		return -EINVAL;
	spin_lock(&process_tree_lock);
	err = p->has_terminal ? job_find_group(pgid, p->sid) : -ENOTTY;
	if (!err)
		control.foreground = pgid;
	spin_unlock(&process_tree_lock);
	return err;
}

/* Under process_tree_lock. Everybody is root, who may take a terminal from another session. */
static int take_control(struct process *p, bool force)
{
	if (p->sid == p->pid && p->has_terminal)
		return 0;
	if (p->sid != p->pid || p->has_terminal || (control.session && !force))
		return -EPERM;
	release_control();
	p->has_terminal = true;
	control.session = p->sid;
	control.foreground = p->pgid;
	return 0;
}

static s64 set_control(u64 arg)
{
	int err;

	spin_lock(&process_tree_lock);
	err = take_control(current_process(), arg == 1);
	spin_unlock(&process_tree_lock);
	return err;
}

static s64 give_up_control(void)
{
	struct process *p = current_process();
	s64 ret = 0;

	spin_lock(&process_tree_lock);
	if (!p->has_terminal)
		ret = -ENOTTY;
	else if (control.session == p->pid)
		drop_session();
	p->has_terminal = false;
	spin_unlock(&process_tree_lock);
	return ret;
}

s64 tty_job_ioctl(u32 cmd, u64 arg)
{
	switch (cmd) {
	case TIOCGPGRP: return get_id(arg, &control.foreground);
	case TIOCGSID: return get_id(arg, &control.session);
	case TIOCSPGRP: return set_foreground(arg);
	case TIOCSCTTY: return set_control(arg);
	case TIOCNOTTY: return give_up_control();
	default: return -ENOTTY;
	}
}
