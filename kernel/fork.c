/* SPDX-License-Identifier: Apache-2.0 */
/* New processes: fork, with a copy of the memory, and vfork, which borrows it until exec or exit.
 */
#include <linux/sched.h>

#include "host/mm.h"
#include "host/string.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/vfs.h"

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

/* From here on it lives, and may have ended before this returns. */
static void start(struct process *p, struct thread *t, const struct clone_request *req)
{
	bool waits = req->flags & CLONE_VFORK;

	process_enter_tree(p, current_process());
	thread_begin_process(t);
	sched_start(t);
	if (waits)
		wait_event(&p->vfork_wait, __atomic_load_n(&p->vfork_done, __ATOMIC_ACQUIRE));
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
