/* SPDX-License-Identifier: Apache-2.0 */
/* The way into the kernel by SVC, and the way back to EL0. */
#include "kernel/syscalls.h"

#include "kernel/rseq.h"
#include "kernel/sched.h"
#include "kernel/seccomp.h"
#include "kernel/thread.h"

typedef s64 (*syscall_fn)(const u64 a[6]);

#define SYSCALL_ENTRY(name, number) [number] = sys_##name,
static const syscall_fn syscall_table[] = { SYSCALLS_CORE(SYSCALL_ENTRY)
						    SYSCALLS_FS(SYSCALL_ENTRY) };
#undef SYSCALL_ENTRY

static bool wants_restart(s64 result)
{
	return result == -ERESTARTSYS || result == -ERESTARTNOHAND ||
	       result == -ERESTART_RESTARTBLOCK;
}

static inline __attribute__((always_inline)) s64 call(const struct user_regs *regs)
{
	u64 number = (u64)regs->syscall;
	syscall_fn fn = number < ARRAY_SIZE(syscall_table) ? syscall_table[number] : NULL;

	return fn ? fn(regs->x) : -ENOSYS;
}

void kernel_syscall(struct user_regs *regs)
{
	s64 result;

	if (!__atomic_load_n(&current_thread()->seccomp_mode, __ATOMIC_RELAXED) ||
	    seccomp_allows(regs, &result))
		result = call(regs);
	regs->x[0] = (u64)result;
	/* Signal delivery restarts the call, also if another thread took the signal meanwhile. */
	if (wants_restart(result))
		__atomic_store_n(&port_current()->signal_pending, 1, __ATOMIC_RELAXED);
}

static inline __attribute__((always_inline)) bool has_work(const struct thread *t)
{
	return task_need_resched(&t->task) || task_signal_pending(&t->task) ||
	       (t->rseq.v && rseq_is_due(t));
}

/* Apart, so that the usual return saves no registers for it. */
static void __attribute__((noinline)) do_work(struct thread *t, struct user_regs *regs)
{
	/* Each may sleep, and so make work for the others. */
	while (has_work(t)) {
		if (task_need_resched(&t->task))
			sched_point();
		if (t->rseq.v && rseq_is_due(t))
			rseq_update(t, regs);
		if (task_signal_pending(&t->task))
			signal_deliver(regs);
	}
}

void kernel_return_to_user(struct user_regs *regs)
{
	struct thread *t = current_thread();

	if (has_work(t))
		do_work(t, regs);
	sched_quiescent();
}

s64 sys_restart_syscall(const u64 a[6])
{
	struct thread *t = current_thread();
	struct restart restart = t->restart;

	(void)a;
	t->restart.fn = NULL;
	return restart.fn ? restart.fn(restart.args) : -EINTR;
}
