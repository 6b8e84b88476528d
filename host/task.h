/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What host/ and kvm/ know of a thread: its memory, its descriptors and whether a signal waits. The
 * kernel's struct thread begins with one.
 */
#ifndef HOST_TASK_H
#define HOST_TASK_H

#include "engine/types.h"

struct mm;
struct fdtable;

/*
 * Called by the scheduler with this task's CPU state still (out) or again (in) on the CPU,
 * interrupts masked. A vCPU that is loaded hangs one here for the duration of KVM_RUN (design.md
 * 4a, preemption).
 */
struct switch_hook {
	void (*out)(struct switch_hook *hook);
	void (*in)(struct switch_hook *hook);
};

struct task {
	struct mm *mm;		  /* NULL for kernel threads; changed only by the task itself */
	struct fdtable *files;	  /* same */
	struct switch_hook *hook; /* set and cleared by the task itself */
	s32 tid;		  /* thread id, unique in the system */
	s32 tgid;		  /* process id */
	u32 need_resched;	  /* atomic flag: give way at the next named point */
	u32 signal_pending;	  /* atomic flag: an unblocked signal or a kill waits */
	u32 kill_pending;	  /* atomic flag: the thread ends, and nothing takes that back */
	u32 fail_nth;		  /* allocations until one fails (host/page.h); 0: none does */
	char comm[16];
};

static inline bool task_signal_pending(const struct task *t)
{
	return __atomic_load_n(&t->signal_pending, __ATOMIC_ACQUIRE) != 0;
}

static inline bool task_kill_pending(const struct task *t)
{
	return __atomic_load_n(&t->kill_pending, __ATOMIC_ACQUIRE) != 0;
}

/* Sets both flags; who calls it wakes the task afterwards. */
static inline void task_kill(struct task *t)
{
	__atomic_store_n(&t->kill_pending, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&t->signal_pending, 1, __ATOMIC_RELEASE);
}

static inline bool task_need_resched(const struct task *t)
{
	return __atomic_load_n(&t->need_resched, __ATOMIC_ACQUIRE) != 0;
}

/* Replaces the signal mask of the calling thread; the mask it had. kernel/signal.c. Does not sleep.
 */
u64 task_set_signal_mask(u64 mask);

/* Sends signal @sig (with si_code @code and si_addr @addr) to @t's thread; kernel/signal.c. Does
 * not sleep. */
void task_send_fault_signal(struct task *t, int sig, int code, hva_t addr);

/*
 * There is no memory for a page that the calling thread's program, or its guest, wants to access.
 * Ends the largest process, saying so on the console, and waits until its memory is back, or a
 * while. True: the access may be tried again; false: the calling thread ends, or there is nothing
 * to end. Sleeps; no spin lock and no mm's lock held. kernel/oom.c.
 */
bool task_memory_is_out(void);

#endif
