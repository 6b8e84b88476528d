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

/*
 * Without order: what sets a flag from another CPU sends an interrupt after it, which the program
 * is interrupted by.
 */
static inline __attribute__((always_inline)) bool has_work(const struct thread *t)
{
	return *(const volatile u32 *)&t->task.need_resched ||
	       *(const volatile u32 *)&t->task.signal_pending || t->rseq_due;
}

/* Apart, so that the usual return saves no registers for it. */
static void __attribute__((noinline)) do_work(struct thread *t, struct user_regs *regs)
{
	/* Each may sleep, and so make work for the others. */
	while (has_work(t)) {
		if (task_need_resched(&t->task))
			sched_point();
		if (t->rseq_due)
			rseq_update(t, regs);
		if (task_signal_pending(&t->task))
			signal_deliver(regs);
	}
}

static inline __attribute__((always_inline)) void leave(struct thread *t, struct user_regs *regs)
{
	if (has_work(t))
		do_work(t, regs);
	sched_quiescent();
}

void kernel_return_to_user(struct user_regs *regs)
{
	leave(current_thread(), regs);
}

static s64 __attribute__((noinline)) call_filtered(struct user_regs *regs)
{
	s64 result;

	return seccomp_allows(regs, &result) ? call(regs) : result;
}

void kernel_syscall(struct user_regs *regs)
{
	struct thread *t = current_thread();
	s64 result = *(const volatile u32 *)&t->seccomp_mode ? call_filtered(regs) : call(regs);

	regs->x[0] = (u64)result;
	/* Signal delivery restarts the call, also if another thread took the signal meanwhile. */
	if (wants_restart(result))
		__atomic_store_n(&t->task.signal_pending, 1, __ATOMIC_RELAXED);
	leave(t, regs);
}

s64 sys_restart_syscall(const u64 a[6])
{
	struct thread *t = current_thread();
	struct restart restart = t->restart;

	(void)a;
	t->restart.fn = NULL;
	return restart.fn ? restart.fn(restart.args) : -EINTR;
}
