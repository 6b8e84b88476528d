/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler, seen from the kernel: what threads, boot and interrupts need beyond host/sched.h.
 * Threads share one run queue, ordered by the CPU time they have used; each CPU runs the first one
 * that may run there for a slice.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include "host/sched.h"

struct mm;
struct thread;

/* What a CPU-bound thread gets before another may take over. */
#define SCHED_SLICE_NS 4000000UL

/* Once, on the boot CPU, before any thread is made. */
void sched_init(void);
/* Turns the context of boot into this CPU's idle thread: port_current() is valid afterwards. */
void sched_init_cpu(void);
/* This CPU runs threads from now on; never returns. */
void sched_idle_loop(void) __noreturn;
/* Makes a new thread runnable. */
void sched_start(struct thread *t);
/* The calling thread never runs again; its thread_put() happens after the switch. */
void sched_exit(void) __noreturn;
/* First code of every new thread: completes the switch to it. */
void sched_begin_thread(void);
/* Lets others go first (sched_yield). */
void sched_yield(void);
/* Wakes @t from an interruptible sleep; if it runs, makes it pass through the kernel soon. */
void sched_signal(struct thread *t);
/* The calling thread uses @mm from now on; or no program's memory any more (kernel half only). */
void sched_adopt_mm(struct mm *mm);
void sched_drop_mm(void);
/* Starts the kernel thread that runs sched_after_grace() callbacks. */
void grace_init(void);
/* -EINVAL if no CPU of @mask is up. Moves the thread if needed. */
int sched_set_affinity(struct thread *t, u64 mask);
u64 sched_get_affinity(struct thread *t);
/* CPU time used up to now. */
u64 sched_runtime_ns(struct thread *t);
/* Called by the timer interrupt: has this CPU's slice ended? Returns when to ask again. */
u64 sched_tick(u64 now_ns);
/* Time that CPU @cpu had nothing to run. */
u64 sched_idle_ns(u32 cpu);
/* Runnable threads, and those on CPUs (sysinfo, loadavg). */
u32 sched_runnable_count(void);
/* Context switches since boot. */
u64 sched_switch_count(void);

#endif
