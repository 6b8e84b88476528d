/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads and processes. A thread is what the scheduler runs; a process is what threads share:
 * memory, descriptors, signal actions, limits, its place in the tree.
 *
 * Locks: process_tree_lock (spin) guards the tree of processes and the set of thread ids;
 * process->lock (spin) guards a process's threads, signals and exit state; the scheduler's lock
 * guards struct sched_entity. Order: docs/invariants.md.
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include <linux/resource.h>
#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <linux/rseq.h>

#include "host/file.h"
#include "host/sched.h"
#include "host/task.h"
#include "host/timer.h"
#include "kernel/port.h"
#include "kernel/restart.h"
#include "kernel/signal.h"

struct fs_context;
struct process;
struct thread;
struct seccomp_filter;
struct unix_msgs;

enum thread_state {
	THREAD_RUNNABLE, /* on a CPU or in the run queue */
	THREAD_SLEEPING, /* until woken */
	THREAD_DEAD,	 /* never runs again */
};

/* What the scheduler knows of a thread; guarded by its lock unless said otherwise. */
struct sched_entity {
	RB_ENTRY(sched_entity) link; /* in the run queue */
	enum thread_state state;
	enum sleep_kind sleep_kind;
	bool queued;
	bool timed_out;	  /* its sleep's deadline passed */
	s32 on_cpu;	  /* the CPU it runs on, or -1 */
	u32 last_cpu;	  /* where it ran last */
	u64 affinity;	  /* CPUs it may use */
	u64 order_ns;	  /* CPU time used, floored at each wake-up: the queue's order */
	u64 slice_end_ns; /* when another runnable thread may take over */
	u64 switched_in_ns;
	u64 runtime_ns; /* CPU time used, for getrusage and the CPU-time clocks */
	u64 wait_ns;	/* time spent runnable but not running (schedstat) */
	u64 queued_ns;	/* when it was queued last */
	u64 switches;	/* times it was switched in */
};

struct thread {
	struct task task; /* first: host/ and kvm/ know no more */
	struct port_thread port;
	struct sched_entity se;
	void *stack_top;
	struct process *process;	 /* NULL for kernel threads */
	LIST_ENTRY(thread) process_link; /* guarded by process->lock */
	RB_ENTRY(thread) tid_link;	 /* guarded by process_tree_lock */
	u32 refs;			 /* atomic; the running thread holds one */
	u64 start_ns;
	struct thread_signals signals;
	/* Set by the thread itself */
	hva_t set_child_tid;
	hva_t clear_child_tid;
	hva_t robust_list;
	u64 robust_list_size;
	hva_t rseq;
	u32 rseq_signature;
	u32 rseq_due; /* it has been switched in since the area, if any, was written */
	u64 faults_minor;
	void (*kthread_fn)(void *arg);
	void *kthread_arg;
	struct grace_work reap;
	struct restart restart;
	struct seccomp_filter
		*seccomp_filter; /* counted, or NULL; with the mode: kernel/seccomp.c */
	u32 seccomp_mode;	 /* SECCOMP_MODE_* */
	/* Messages that it is about to free (kernel/unix_queue.c), or NULL. */
	struct unix_msgs *closing_messages;
};

LIST_HEAD(thread_list, thread);
LIST_HEAD(process_list, process);

struct process {
	u32 refs; /* atomic */
	s32 pid;  /* tgid of its threads; immutable */
	s32 pgid; /* guarded, as the next seven, by process_tree_lock */
	s32 sid;
	bool has_terminal;	/* the machine's terminal controls it */
	bool has_execed;	/* its parent cannot move it to another group any more */
	struct process *parent; /* NULL for the first process */
	s32 parent_pid;		/* atomic: parent->pid or 0, for readers without the lock */
	struct process_list children;
	LIST_ENTRY(process) sibling_link;
	LIST_ENTRY(process) all_link;
	u64 birth; /* all_processes is in this order, the youngest first */
	bool in_tree;

	struct spinlock lock;
	struct thread_list threads; /* those that have not exited */
	u32 thread_count;
	bool exiting;	 /* exit_group or a fatal signal: every thread leaves */
	bool zombie;	 /* no thread is left; waits to be collected */
	s32 exit_status; /* as wait() gives it */
	s32 exit_signal; /* to the parent, 0 for none */
	struct process_signals signals;
	struct rlimit limits[RLIM_NLIMITS];
	s32 parent_death_signal; /* prctl(PR_SET_PDEATHSIG); set by its own threads */
	struct {
		struct timer timer;
		u64 deadline_ns; /* SCHED_FOREVER: not armed */
		u64 interval_ns; /* 0: fires once */
	} itimer;		 /* ITIMER_REAL */
	/* Timers of timer_create(); guarded, with the next two, by lock. */
	LIST_HEAD(, posix_timer) posix_timers;
	u32 posix_timer_count;
	s32 next_posix_timer;

	struct waitq child_wait; /* wait4: a child ended */
	struct waitq exec_wait;	 /* exec: the other threads have gone */
	/* Changed under lock, by the process itself only; others take references under lock. */
	struct mm *mm;
	struct fdtable *files;
	struct fs_context *fs;
	bool mm_borrowed;    /* vfork: the parent's; given back at exec or exit */
	bool vfork_done;     /* atomic: no longer borrowed, the parent goes on */
	bool mm_owner_exits; /* atomic: the parent only waits for it, to end */
	struct waitq vfork_wait;
	struct thread *exec_thread; /* guarded by lock: all others leave */
	bool out_of_memory;	    /* ended because it was the largest; by lock */
	u64 leaving_since_ns; /* when somebody short of memory first saw it exit, or ended it; by
				 lock */
	u64 start_ns;
	u64 dead_threads_runtime_ns; /* guarded by lock */
	u64 children_runtime_ns;
	/* For /proc: immutable after exec; kmalloc'ed */
	char *exe_path;
	hva_t arg_start, arg_end, env_start, env_end;
};

/* The calling thread. */
static inline struct thread *current_thread(void)
{
	return (struct thread *)port_current();
}

/* The calling thread's process; only in threads of a program. */
static inline struct process *current_process(void)
{
	return current_thread()->process;
}

static inline struct mm *current_mm(void)
{
	return current_thread()->task.mm;
}

static inline struct fdtable *current_files(void)
{
	return current_thread()->task.files;
}

/* Registers of the program, at the top of its kernel stack. */
static inline struct user_regs *thread_regs(struct thread *t)
{
	return (struct user_regs *)t->stack_top - 1;
}

extern struct spinlock process_tree_lock;
/* Every process that is not collected yet; guarded by process_tree_lock. */
extern struct process_list all_processes;

/* ---- kernel/thread.c */
/* A thread with a stack, not yet runnable; @process is NULL for kernel threads. NULL: no memory. */
struct thread *thread_alloc(struct process *process, const char *comm);
struct thread *thread_get(struct thread *t);
void thread_put(struct thread *t);
/* Starts a thread of the kernel; panics when memory is out. Boot only. */
struct thread *kthread_start(const char *name, void (*fn)(void *arg), void *arg);
/* The thread @tid with a reference, or NULL. */
struct thread *thread_find(s32 tid);
void thread_set_name(struct thread *t, const char *name);
/* Ends the calling thread; @status (as wait() gives it) counts if it is the last one. */
void thread_exit(s32 status) __noreturn;

/* ---- kernel/process.c */
/* Starts the first program as CATWALK_RUN_PATH says; on failure says why and ends the run. */
void process_start_first(void);
/* Marks the calling thread's process as ending with @status, and ends the calling thread. */
void process_exit(s32 status) __noreturn;
/* Marks @p (locked) as ending: all its threads leave as soon as they can. */
void process_begin_exit(struct process *p, s32 status);
struct process *process_get(struct process *p);
void process_put(struct process *p);
/* The process @pid with a reference, or NULL. */
struct process *process_find(s32 pid);
/* Soft limit RLIMIT_@resource. */
u64 process_limit(struct process *p, unsigned int resource);
/* CPU time of all its threads, ended ones too. */
u64 process_runtime_ns(struct process *p);
/* What kvm/ has to say when the first process ends, for a launcher that asked. */
struct last_words {
	/* There will be a report: called before the first process runs. */
	void (*want_report)(void);
	/* Writes the report of guest memory to @buf, at most @size bytes; its length. */
	size_t (*report)(char *buf, size_t size);
	/* The same for the trace, in portions: @at is 0 for the first; 0: that was all. */
	size_t (*trace)(char *buf, size_t size, u64 *at);
};

/* Once, at start; @words stays. */
void process_set_last_words(const struct last_words *words);

#endif
