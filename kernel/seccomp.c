/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp(2). Filters form a tree that grows at its leaves: each thread has one filter, which was
 * set after those it leads to, and all of them are asked at each call. The first of the least
 * permissive answers counts. A thread's mode and filter are changed under process->lock; it reads
 * its own without.
 *
 * Everything here is privileged and gains nothing by exec, so that nobody has to promise so first.
 */
#include "kernel/seccomp.h"

#include <linux/audit.h>
#include <linux/elf-em.h>
#include <linux/prctl.h>

#include "host/page.h"
#include "kernel/bpf.h"
#include "kernel/syscalls.h"

/* Instructions of all filters of a thread, each with a little more for itself; as Linux. */
enum { CHAIN_MAX = 32768, CHAIN_EXTRA = 4 };

struct seccomp_filter {
	u32 refs;		     /* atomic: threads, and filters that were set after it */
	u32 chain;		     /* length, with those it leads to */
	struct seccomp_filter *prev; /* counted; immutable, as all below */
	u32 count;
	struct sock_filter insns[];
};

static struct seccomp_filter *filter_get(struct seccomp_filter *f)
{
	if (f)
		__atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);
	return f;
}

static void filter_put(struct seccomp_filter *f)
{
	while (f && __atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL) == 0) {
		struct seccomp_filter *prev = f->prev;

		kfree(f);
		f = prev;
	}
}

void seccomp_inherit(struct thread *t)
{
	struct thread *maker = current_thread();
	struct seccomp_filter *old = t->seccomp_filter;

	t->seccomp_filter = filter_get(maker->seccomp_filter);
	t->seccomp_mode = maker->seccomp_mode;
	filter_put(old);
}

void seccomp_release(struct thread *t)
{
	filter_put(t->seccomp_filter);
}

/* ---- at a system call */
/* Actions as numbers: the smaller, the less permitted. */
static s32 action_rank(u32 answer)
{
	return (s32)(answer & SECCOMP_RET_ACTION_FULL);
}

static u32 ask_filters(const struct seccomp_filter *f, const struct seccomp_data *data)
{
	u32 answer = SECCOMP_RET_ALLOW;

	for (; f; f = f->prev) {
		u32 one = bpf_run(f->insns, data);

		if (action_rank(one) < action_rank(answer))
			answer = one;
	}
	return answer;
}

static struct seccomp_data data_of(const struct user_regs *regs)
{
	struct seccomp_data data = {
		.nr = (int)regs->syscall,
		.arch = AUDIT_ARCH_AARCH64,
		.instruction_pointer = regs->pc,
	};

	for (int i = 0; i < 6; i++)
		data.args[i] = regs->x[i];
	return data;
}

static void trap(struct user_regs *regs, u32 answer)
{
	siginfo_t info = {
		.si_signo = SIGSYS,
		.si_code = SYS_SECCOMP,
		.si_errno = (int)(answer & SECCOMP_RET_DATA),
	};

	info.si_call_addr = (void *)regs->pc;
	info.si_syscall = (int)regs->syscall;
	info.si_arch = AUDIT_ARCH_AARCH64;
	signal_force_info(&info);
	regs->syscall = -1; /* nothing to be restarted */
}

static bool filters_allow(struct user_regs *regs, s64 *result)
{
	struct seccomp_data data = data_of(regs);
	u32 answer = ask_filters(current_thread()->seccomp_filter, &data);

	switch (answer & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG: return true;
	case SECCOMP_RET_ERRNO:
		*result = -(s64)min(answer & SECCOMP_RET_DATA, (u32)MAX_ERRNO);
		return false;
	case SECCOMP_RET_TRAP:
		*result = (s64)regs->x[0];
		trap(regs, answer);
		return false;
	/* Nobody listens, and nobody traces. */
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_USER_NOTIF: *result = -ENOSYS; return false;
	case SECCOMP_RET_KILL_THREAD: thread_exit(SIGSYS);
	default: process_exit(SIGSYS); /* also for what is no action */
	}
}

/* The four calls of strict mode. */
static bool is_strict_call(s64 number)
{
	return number == __NR_read || number == __NR_write || number == __NR_exit ||
	       number == __NR_rt_sigreturn;
}

bool seccomp_allows(struct user_regs *regs, s64 *result)
{
	if (current_thread()->seccomp_mode == SECCOMP_MODE_FILTER)
		return filters_allow(regs, result);
	if (!is_strict_call(regs->syscall))
		thread_exit(SIGKILL);
	return true;
}

/* ---- setting */
/* The program at @p as a filter before that of the calling thread; ERR_PTR. */
static struct seccomp_filter *filter_from_user(u64 p)
{
	struct seccomp_filter *f;
	struct sock_fprog prog;
	size_t size;

	if (copy_from_user(&prog, HVA(p), sizeof(prog)))
		return ERR_PTR(-EFAULT);
	if (prog.len == 0 || prog.len > BPF_MAXINSNS)
		return ERR_PTR(-EINVAL);
	size = prog.len * sizeof(struct sock_filter);
	f = kzalloc(sizeof(*f) + size);
	if (!f)
		return ERR_PTR(-ENOMEM);
	f->refs = 1;
	f->count = prog.len;
	if (copy_from_user(f->insns, HVA((u64)prog.filter), size)) {
		kfree(f);
		return ERR_PTR(-EFAULT);
	}
	if (!bpf_check(f->insns, f->count)) {
		kfree(f);
		return ERR_PTR(-EINVAL);
	}
	return f;
}

/* Is @f the filter @of, or one that was set before it? */
static bool leads_to(const struct seccomp_filter *of, const struct seccomp_filter *f)
{
	while (of && of != f)
		of = of->prev;
	return of == f;
}

/* Under process->lock: a thread that cannot get the caller's filter as it has others, or NULL. */
static struct thread *other_filters(struct process *p)
{
	struct thread *me = current_thread(), *t;

	LIST_FOREACH (t, &p->threads, process_link) {
		if (t == me || t->seccomp_mode == SECCOMP_MODE_DISABLED)
			continue;
		if (t->seccomp_mode != SECCOMP_MODE_FILTER ||
		    !leads_to(me->seccomp_filter, t->seccomp_filter))
			return t;
	}
	return NULL;
}

/* What @t has now leads to what it gets, so that it may be at it while it is exchanged. */
static void give_filter(struct thread *t, struct seccomp_filter *f)
{
	struct seccomp_filter *old = t->seccomp_filter;

	__atomic_store_n(&t->seccomp_filter, filter_get(f), __ATOMIC_RELEASE);
	__atomic_store_n(&t->seccomp_mode, SECCOMP_MODE_FILTER, __ATOMIC_RELEASE);
	filter_put(old);
}

/* Under process->lock: 0, an error, or the id of a thread that is in the way. */
static s64 attach_locked(struct process *p, struct seccomp_filter *f, u32 flags)
{
	struct thread *me = current_thread(), *t;
	struct seccomp_filter *prev = me->seccomp_filter;

	if (me->seccomp_mode == SECCOMP_MODE_STRICT)
		return -EINVAL;
	f->chain = f->count + CHAIN_EXTRA + (prev ? prev->chain : 0);
	if (f->chain > CHAIN_MAX)
		return -ENOMEM;
	t = flags & SECCOMP_FILTER_FLAG_TSYNC ? other_filters(p) : NULL;
	if (t)
		return flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : t->task.tid;
	f->prev = filter_get(prev);
	give_filter(me, f);
	LIST_FOREACH (t, &p->threads, process_link)
		if (flags & SECCOMP_FILTER_FLAG_TSYNC && t != me)
			give_filter(t, f);
	return 0;
}

#define FLAGS_KNOWN                                                                                \
	(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH | SECCOMP_FILTER_FLAG_LOG |   \
	 SECCOMP_FILTER_FLAG_SPEC_ALLOW)

static s64 set_filter(u32 flags, u64 p)
{
	struct process *process = current_process();
	struct seccomp_filter *f;
	s64 ret;

	if (flags & ~(u32)FLAGS_KNOWN)
		return -EINVAL;
	f = filter_from_user(p);
	if (IS_ERR(f))
		return PTR_ERR(f);
	spin_lock(&process->lock);
	ret = attach_locked(process, f, flags);
	spin_unlock(&process->lock);
	filter_put(f);
	return ret;
}

static s64 set_strict(void)
{
	struct process *p = current_process();
	struct thread *me = current_thread();
	s64 ret = 0;

	spin_lock(&p->lock);
	if (me->seccomp_mode == SECCOMP_MODE_FILTER)
		ret = -EINVAL;
	else
		me->seccomp_mode = SECCOMP_MODE_STRICT;
	spin_unlock(&p->lock);
	return ret;
}

/* ---- as programs ask */
static s64 action_available(u64 p)
{
	u32 action;

	if (copy_from_user(&action, HVA(p), sizeof(action)))
		return -EFAULT;
	switch (action) {
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW: return 0;
	default: return -EOPNOTSUPP;
	}
}

s64 seccomp_set_mode(u64 mode, u64 filter)
{
	switch (mode) {
	case SECCOMP_MODE_STRICT: return set_strict();
	case SECCOMP_MODE_FILTER: return set_filter(0, filter);
	default: return -EINVAL;
	}
}

s64 sys_seccomp(const u64 a[6])
{
	u32 flags = (u32)a[1];

	switch ((u32)a[0]) {
	case SECCOMP_SET_MODE_STRICT: return flags || a[2] ? -EINVAL : set_strict();
	case SECCOMP_SET_MODE_FILTER: return set_filter(flags, a[2]);
	case SECCOMP_GET_ACTION_AVAIL: return flags ? -EINVAL : action_available(a[2]);
	default: return -EINVAL;
	}
}
