/* SPDX-License-Identifier: Apache-2.0 */
/* New processes: fork, with a copy of the memory, and vfork, which borrows it until exec or exit.
 */
#include <linux/sched.h>

#include "host/mm.h"
#include "host/string.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "kernel/vfs.h"

enum { LOOK_AGAIN_NS = 10 * 1000 * 1000 };

/* What a process may share with its maker beside memory. */
#define PROCESS_FLAGS                                                                              \
	(CLONE_VM | CLONE_VFORK | CLONE_FS | CLONE_FILES | CLONE_SETTLS | CLONE_PARENT_SETTID |    \
	 CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_SYSVSEM | CLONE_DETACHED |              \
	 CLONE_UNTRACED | CLONE_IO)

/* Memory is shared only with a parent that waits. */
static int check_flags(const struct clone_request *req)
{
	if (req->flags & ~(u64)PROCESS_FLAGS)
		return -EINVAL;
	if ((req->flags & CLONE_VM) && !(req->flags & CLONE_VFORK))
		return -EINVAL;
	return req->exit_signal > SIGNAL_COUNT ? -EINVAL : 0;
}

static char *copy_string(const char *s)
{
	char *copy = s ? kmalloc(strlen(s) + 1) : NULL;

	if (copy)
		memcpy(copy, s, strlen(s) + 1);
	return copy;
}

/* 0, or -ENOMEM with what was made so far in @p. */
static int copy_resources(struct process *p, struct process *parent,
			  const struct clone_request *req)
{
	p->mm_borrowed = (req->flags & CLONE_VM) != 0;
	p->mm = p->mm_borrowed ? mm_get(parent->mm) : mm_copy(parent->mm);
	p->files =
		req->flags & CLONE_FILES ? fdtable_get(parent->files) : fdtable_copy(parent->files);
	p->fs = req->flags & CLONE_FS ? fs_context_get(parent->fs) : fs_context_copy(parent->fs);
	p->exe_path = copy_string(parent->exe_path);
	return p->mm && p->files && p->fs && p->exe_path ? 0 : -ENOMEM;
}

static void drop_resources(struct process *p)
{
	if (p->mm && !p->mm_borrowed)
		mm_exit(p->mm);
	if (p->mm)
		mm_put(p->mm);
	if (p->files)
		fdtable_put(p->files);
	if (p->fs)
		fs_context_put(p->fs);
}

static void copy_settings(struct process *p, struct process *parent,
			  const struct clone_request *req)
{
	spin_lock(&parent->lock);
	signals_copy_actions(&p->signals, &parent->signals);
	memcpy(p->limits, parent->limits, sizeof(p->limits));
	spin_unlock(&parent->lock);
	p->arg_start = parent->arg_start;
	p->arg_end = parent->arg_end;
	p->env_start = parent->env_start;
	p->env_end = parent->env_end;
	p->exit_signal = req->exit_signal;
}

/* The thread that the new process begins with, like the calling one. NULL: no memory. */
static struct thread *first_thread(struct process *p, const struct clone_request *req)
{
	struct thread *maker = current_thread();
	struct thread *t = thread_alloc(p, maker->task.comm);

	if (!t)
		return NULL;
	p->pid = t->task.tid;
	t->task.mm = p->mm;
	t->task.files = p->files;
	t->signals.altstack = maker->signals.altstack;
	if (!p->mm_borrowed) {
		t->rseq = maker->rseq;
		t->rseq_signature = maker->rseq_signature;
	}
	thread_inherit(t, req);
	return t;
}

static int put_parent_tid(const struct clone_request *req, s32 tid)
{
	if (!(req->flags & CLONE_PARENT_SETTID))
		return 0;
	return copy_to_user(req->parent_tid, &tid, sizeof(tid));
}

static bool has_given_back(const struct process *child)
{
	return __atomic_load_n(&child->vfork_done, __ATOMIC_ACQUIRE);
}

/*
 * The calling thread is to end, and its process's memory is in use by @child. If a signal ends the
 * process it ends @child, too. If exit_group or another thread's exec does, @child goes on.
 */
static void claim_back(struct process *child)
{
	struct process *owner = current_process();
	siginfo_t info = { .si_code = SI_KERNEL };
	bool exits, killed;

	spin_lock(&owner->lock);
	exits = owner->exiting;
	killed = exits && owner->exit_status & 0x7f;
	spin_unlock(&owner->lock);
	if (exits)
		__atomic_store_n(&child->mm_owner_exits, true, __ATOMIC_RELAXED);
	if (killed)
		(void)signal_send_process(child, SIGKILL, &info);
}

/* Waits until @child has memory of its own, or none. */
static void wait_for_vfork(struct process *child)
{
	int err = wait_event_until(&child->vfork_wait, has_given_back(child), SLEEP_KILLABLE,
				   SCHED_FOREVER);

	/* What ends this thread may come after what began to: look again. */
	while (err && !has_given_back(child)) {
		claim_back(child);
		(void)wait_event_until(&child->vfork_wait, has_given_back(child),
				       SLEEP_UNINTERRUPTIBLE, port_time_ns() + LOOK_AGAIN_NS);
	}
}

/* From here on it lives, and may have ended before this returns. */
static void start(struct process *p, struct thread *t, const struct clone_request *req)
{
	process_enter_tree(p, current_process());
	thread_begin_process(t);
	sched_start(t);
	if (req->flags & CLONE_VFORK)
		wait_for_vfork(p);
}

s64 process_clone(const struct clone_request *req)
{
	struct process *parent = current_process(), *p;
	struct thread *t = NULL;
	int err = check_flags(req);
	s32 pid;

	if (err)
		return err;
	p = process_alloc();
	if (!p)
		return -ENOMEM;
	err = copy_resources(p, parent, req);
	if (!err) {
		copy_settings(p, parent, req);
		t = first_thread(p, req);
		err = t ? put_parent_tid(req, p->pid) : -EAGAIN;
	}
	if (err) {
		if (t)
			thread_discard(t);
		drop_resources(p);
		process_put(p);
		return err;
	}
	pid = p->pid;
	start(p, t, req);
	process_put(p);
	return pid;
}
