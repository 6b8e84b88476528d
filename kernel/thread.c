/* SPDX-License-Identifier: Apache-2.0 */
/* Threads: making them, finding them by id, ending them; clone for threads of one process. */
#include "kernel/thread.h"

#include <linux/sched.h>

#include "host/mm.h"
#include "host/string.h"
#include "kernel/futex.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/seccomp.h"
#include "kernel/syscalls.h"

RB_HEAD(tid_tree, thread);

struct spinlock process_tree_lock;
static struct tid_tree tids; /* guarded, with the next, by process_tree_lock */
static s32 last_tid = 1;     /* 1 is what programs take for init */

/* Linux's limit for pids; those of ended threads come around again. */
#define TID_MAX 4194304

static int tid_compare(const struct thread *a, const struct thread *b)
{
	return a->task.tid < b->task.tid ? -1 : a->task.tid > b->task.tid;
}

RB_GENERATE_INTERNAL(tid_tree, thread, tid_link, tid_compare, static __maybe_unused)

/* ---- life */

static struct thread *find_tid_locked(s32 tid)
{
	struct thread key = { .task.tid = tid };

	return RB_FIND(tid_tree, &tids, &key);
}

static void assign_tid(struct thread *t)
{
	spin_lock(&process_tree_lock);
	do {
		last_tid = last_tid >= TID_MAX ? 2 : last_tid + 1;
	} while (find_tid_locked(last_tid) || process_find_locked(last_tid));
	t->task.tid = last_tid;
	RB_INSERT(tid_tree, &tids, t);
	spin_unlock(&process_tree_lock);
}

static void release_tid(struct thread *t)
{
	spin_lock(&process_tree_lock);
	RB_REMOVE(tid_tree, &tids, t);
	spin_unlock(&process_tree_lock);
}

struct thread *thread_alloc(struct process *process, const char *comm)
{
	struct thread *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	t->stack_top = port_kstack_alloc();
	if (!t->stack_top) {
		kfree(t);
		return NULL;
	}
	t->refs = 1;
	t->process = process ? process_get(process) : NULL;
	t->start_ns = port_time_ns();
	t->se.on_cpu = -1;
	t->se.affinity = UINT64_MAX;
	signals_init_thread(&t->signals);
	thread_set_name(t, comm);
	assign_tid(t);
	t->task.tgid = process && process->pid ? process->pid : t->task.tid;
	return t;
}

static void thread_reap(struct grace_work *work)
{
	struct thread *t = container_of(work, struct thread, reap);

	port_kstack_free(t->stack_top);
	seccomp_release(t);
	if (t->process)
		process_put(t->process);
	kfree(t);
}

struct thread *thread_get(struct thread *t)
{
	__atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
	return t;
}

void thread_put(struct thread *t)
{
	if (__atomic_fetch_sub(&t->refs, 1, __ATOMIC_ACQ_REL) == 1)
		sched_after_grace(&t->reap, thread_reap);
}

void thread_discard(struct thread *t)
{
	release_tid(t);
	thread_put(t);
}

struct thread *thread_find(s32 tid)
{
	struct thread *t;

	spin_lock(&process_tree_lock);
	t = find_tid_locked(tid);
	if (t)
		thread_get(t);
	spin_unlock(&process_tree_lock);
	return t;
}

void thread_set_name(struct thread *t, const char *name)
{
	size_t n = strnlen(name, sizeof(t->task.comm) - 1);

	memcpy(t->task.comm, name, n);
	memset(t->task.comm + n, 0, sizeof(t->task.comm) - n);
}

/* ---- threads of the kernel */

static void kthread_main(void *arg)
{
	struct thread *t = arg;

	sched_begin_thread();
	t->kthread_fn(t->kthread_arg);
	release_tid(t);
	sched_exit();
}

struct thread *kthread_start(const char *name, void (*fn)(void *arg), void *arg)
{
	struct thread *t = thread_alloc(NULL, name);

	if (!t)
		panic("no memory for kernel thread %s", name);
	t->kthread_fn = fn;
	t->kthread_arg = arg;
	port_thread_init(&t->port, t->stack_top, kthread_main, t);
	sched_start(t);
	return t;
}

/* ---- threads of programs */

static void user_thread_main(void *arg)
{
	struct thread *t = arg;

	sched_begin_thread();
	/* As on Linux, an address that cannot be written is the program's own loss. */
	if (t->set_child_tid.v &&
	    copy_to_user(t->set_child_tid, &t->task.tid, sizeof(t->task.tid)) != 0)
		t->set_child_tid = HVA(0);
	port_enter_user(thread_regs(t));
}

void thread_prepare_user(struct thread *t, void (*fn)(void *arg))
{
	/* The program's registers keep their place at the top of the stack. */
	port_thread_init(&t->port, thread_regs(t), fn, t);
}

int thread_join_process(struct thread *t)
{
	struct process *p = t->process;
	int err = 0;

	spin_lock(&p->lock);
	if (p->exiting || p->exec_thread) {
		err = -EAGAIN;
	} else {
		/* Here, so that filters which another thread sets for all reach it too. */
		seccomp_inherit(t);
		LIST_INSERT_HEAD(&p->threads, t, process_link);
		p->thread_count++;
	}
	spin_unlock(&p->lock);
	return err;
}

void thread_begin_process(struct thread *t)
{
	struct process *p = t->process, *maker = current_process();

	if (maker) {
		spin_lock(&maker->lock);
		seccomp_inherit(t);
		spin_unlock(&maker->lock);
	}
	spin_lock(&p->lock);
	LIST_INSERT_HEAD(&p->threads, t, process_link);
	p->thread_count++;
	if (p->exiting)
		task_kill(&t->task);
	spin_unlock(&p->lock);
}

void thread_inherit(struct thread *t, const struct clone_request *req)
{
	struct thread *maker = current_thread();
	struct user_regs *regs = thread_regs(t);

	*regs = *thread_regs(maker);
	t->se.affinity = maker->se.affinity;
	t->signals.blocked = maker->signals.blocked;
	thread_prepare_user(t, user_thread_main);
	port_fp_save(&t->port.fp);
	t->port.tpidr_el0 = port_tls_get();
	regs->x[0] = 0;
	regs->syscall = -1;
	if (req->stack)
		regs->sp = req->stack;
	if (req->flags & CLONE_SETTLS)
		t->port.tpidr_el0 = req->tls;
	if (req->flags & CLONE_CHILD_SETTID)
		t->set_child_tid = req->child_tid;
	if (req->flags & CLONE_CHILD_CLEARTID)
		t->clear_child_tid = req->child_tid;
}

/* CLONE_VM without CLONE_THREAD, and the reverse, make no sense for a thread of this process. */
#define CLONE_THREAD_FLAGS (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FILES | CLONE_FS)

static s64 thread_clone(const struct clone_request *req)
{
	struct process *p = current_process();
	struct thread *t = thread_alloc(p, current_thread()->task.comm);
	s32 tid;

	if (!t)
		return -EAGAIN;
	tid = t->task.tid;
	t->task.mm = p->mm;
	t->task.files = p->files;
	thread_inherit(t, req);
	if ((req->flags & CLONE_PARENT_SETTID) &&
	    copy_to_user(req->parent_tid, &tid, sizeof(tid)) != 0) {
		thread_discard(t);
		return -EFAULT;
	}
	if (thread_join_process(t) != 0) {
		thread_discard(t);
		return -EAGAIN;
	}
	sched_start(t);
	return tid;
}

/* Linux's own rules of which flags need which (clone(2)). */
static int check_clone_flags(u64 flags)
{
	if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND))
		return -EINVAL;
	if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
		return -EINVAL;
	if (flags & (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
		     CLONE_NEWPID | CLONE_NEWNET | CLONE_PIDFD))
		return -EINVAL;
	return 0;
}

static s64 clone(const struct clone_request *req)
{
	int err = check_clone_flags(req->flags);

	if (err)
		return err;
	if ((req->flags & CLONE_THREAD_FLAGS) == CLONE_THREAD_FLAGS)
		return thread_clone(req);
	/* Threads with files or a working directory of their own are not supported. */
	if (req->flags & CLONE_THREAD)
		return -EINVAL;
	return process_clone(req);
}

s64 sys_clone(const u64 a[6])
{
	struct clone_request req = {
		.flags = (u32)a[0] & ~(u32)CSIGNAL,
		.exit_signal = (s32)(a[0] & CSIGNAL),
		.stack = a[1],
		.parent_tid = HVA(a[2]),
		.tls = a[3],
		.child_tid = HVA(a[4]),
	};

	return clone(&req);
}

/* Rules of clone3 beyond clone's: the low byte is no signal any more, a stack has a size. */
static int check_clone_args(const struct clone_args *args)
{
	if (args->flags & (CSIGNAL | CLONE_DETACHED | CLONE_INTO_CGROUP | CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if (args->set_tid_size || args->set_tid || args->exit_signal > SIGNAL_COUNT)
		return -EINVAL;
	if ((args->flags & (CLONE_THREAD | CLONE_PARENT)) && args->exit_signal)
		return -EINVAL;
	return !args->stack != !args->stack_size ? -EINVAL : 0;
}

s64 sys_clone3(const u64 a[6])
{
	struct clone_args args = { 0 };
	struct clone_request req;

	if (a[1] < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	if (a[1] > sizeof(args))
		return -E2BIG;
	if (copy_from_user(&args, HVA(a[0]), a[1]) != 0)
		return -EFAULT;
	if (check_clone_args(&args) != 0)
		return -EINVAL;
	req = (struct clone_request){
		.flags = args.flags,
		.exit_signal = (s32)args.exit_signal,
		.stack = args.stack + args.stack_size,
		.parent_tid = HVA(args.parent_tid),
		.tls = args.tls,
		.child_tid = HVA(args.child_tid),
	};
	return clone(&req);
}

void thread_become_leader(void)
{
	struct thread *t = current_thread();

	if (t->task.tid == t->task.tgid)
		return;
	release_tid(t);
	spin_lock(&process_tree_lock);
	t->task.tid = t->task.tgid;
	RB_INSERT(tid_tree, &tids, t);
	spin_unlock(&process_tree_lock);
}

/* ---- the end of a thread */

static void wake_joiner(struct thread *t)
{
	s32 zero = 0;

	if (!t->clear_child_tid.v)
		return;
	if (copy_to_user(t->clear_child_tid, &zero, sizeof(zero)) == 0)
		(void)futex_wake(t->clear_child_tid, 1);
}

void thread_exit(s32 status)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	struct mm *mm = t->task.mm;

	task_kill(&t->task); /* what it still writes waits for nobody */
	robust_list_exit(t);
	wake_joiner(t);
	release_tid(t);
	sched_drop_mm();
	process_leave(p, t, status, mm);
	sched_exit();
}

s64 sys_exit(const u64 a[6])
{
	thread_exit((s32)(a[0] & 0xff) << 8);
}

/* ---- a thread's own ids */

s64 sys_gettid(const u64 a[6])
{
	(void)a;
	return port_current()->tid;
}

s64 sys_set_tid_address(const u64 a[6])
{
	current_thread()->clear_child_tid = HVA(a[0]);
	return port_current()->tid;
}
