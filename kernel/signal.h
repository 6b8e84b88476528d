/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals: sending, blocking, waiting, and delivery on the way back to EL0 (signal(7)). Sets are
 * 64-bit masks, signal N at bit N - 1, as in the system call interface.
 */
#ifndef KERNEL_SIGNAL_H
#define KERNEL_SIGNAL_H

#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/signal.h>
#include <bsd/sys/queue.h>

#include "host/err.h"
#include "host/sched.h"

struct process;
struct thread;
struct user_regs;

typedef u64 sigmask_t;

/* Where handlers without a restorer return to: a page with rt_sigreturn in each program. */
#define SIGNAL_TRAMPOLINE 0xffffffff8000UL

#define SIGMASK(sig)	    (1UL << ((sig)-1))
#define SIGNAL_COUNT	    64
#define SIGMASK_UNBLOCKABLE (SIGMASK(SIGKILL) | SIGMASK(SIGSTOP))

struct queued_signal {
	TAILQ_ENTRY(queued_signal) link;
	siginfo_t info;
};

TAILQ_HEAD(queued_signal_list, queued_signal);

/* Signals sent and not yet taken; guarded by process->lock. */
struct pending_signals {
	sigmask_t set;
	struct queued_signal_list queue;
};

/* The part of a thread; guarded by process->lock, but altstack, which is the thread's own. */
struct thread_signals {
	struct pending_signals pending;
	sigmask_t blocked; /* written by the thread itself, under the lock */
	sigmask_t saved;   /* to be restored once a handler has been set up, if @restore_saved */
	bool restore_saved;
	sigmask_t waited; /* sigtimedwait: these wake it although blocked */
	bool closed;	  /* the thread has left its process: nothing is queued any more */
	stack_t altstack;
	/* What the fault signal @cause_signal, forced last, is due to; the thread's own. */
	int cause_signal;
	u64 cause_esr;
	u64 cause_far;
};

struct process_signals {
	struct pending_signals pending;
	struct sigaction actions[SIGNAL_COUNT];
	struct waitq arrived; /* woken for each signal queued: signalfd */
	u32 queued_count;     /* against RLIMIT_SIGPENDING */
	struct waitq continued;
	bool stopped;	      /* until SIGCONT */
	u8 stop_signal;	      /* what stopped it */
	bool stop_taken;      /* a stop signal was taken, and no SIGCONT came since */
	bool stop_told;	      /* all threads had stopped, and the parent was told */
	bool continue_untold; /* goes on, and the parent is to be told */
	u32 stopped_threads;
	/* For wait: the signal of a stop, or 0, and whether it goes on; no wait has seen them. */
	u8 stop_to_wait_for;
	bool continue_to_wait_for;
};

void signals_init_process(struct process_signals *s);
void signals_init_thread(struct thread_signals *s);
/* fork: same actions; nothing pending. */
void signals_copy_actions(struct process_signals *to, struct process_signals *from);
/* exec: handlers back to default, ignored ones stay. */
void signals_reset_handlers(struct process *p);
/* Frees what is still queued. */
void signals_flush(struct process *p, struct pending_signals *pending);
/* Forgets the pending signals of @mask, those of the process and of all its threads; under its
 * lock. */
void signal_discard_everywhere(struct process *p, sigmask_t mask);
/* The pending signal of timer @id, sent to thread @tid or (0) the process, or NULL; under the lock.
 */
siginfo_t *signal_find_timer(struct process *p, s32 id, s32 tid);
/* By its action, set or default; under @p's lock. */
bool signal_is_ignored(struct process *p, int sig);
/* Tells the threads of @p that may take what waits for the process; under its lock. */
void signals_retarget(struct process *p);

/* ---- sending; none sleeps. @info is copied. 0, or -EAGAIN when the queue is full. */
int signal_send_thread(struct thread *t, int sig, const siginfo_t *info);
int signal_send_process(struct process *p, int sig, const siginfo_t *info);
/* To all processes of group @pgid, without data; under process_tree_lock. 0 or -ESRCH. */
int signal_send_group_locked(s32 pgid, int sig, int code);
/* SI_KERNEL or SI_USER without data, e.g. SIGPIPE to oneself. */
void signal_raise(int sig);
/* The signal in @info to the calling thread, as signal_force(). */
void signal_force_info(const siginfo_t *info);
/* A fault of the calling thread's program: delivered even if blocked or ignored (then it kills). */
void signal_force(int sig, int code, hva_t addr);

/* ---- waiting */
/*
 * For a system call that sleeps under another mask (ppoll, pselect6, epoll_pwait): installs the set
 * at @mask, which is @size bytes; @mask 0 does nothing. 0, -EINVAL, -EFAULT.
 */
int signal_mask_enter(hva_t mask, u64 size);
/* Ends it: puts the old mask back, or, if @result is -EINTR, leaves that to signal delivery. */
void signal_mask_leave(s64 result);
/*
 * Takes one pending signal of @set off the calling thread or its process and fills @info. Its
 * number, or 0 (signalfd, sigtimedwait).
 */
int signal_take(sigmask_t set, siginfo_t *info);
/* Pending for the calling thread, its process included. */
sigmask_t signal_pending_set(struct thread *t);
/* Replaces the calling thread's mask. */
void signal_set_blocked(sigmask_t blocked);

/* ---- delivery */
/* Delivers what is pending; restarts or fails an interrupted system call. May not return. */
void signal_deliver(struct user_regs *regs);
/* Tells @p's parent that it is stopped, if all its threads are and it was not told. No lock held.
 */
void signal_report_stop(struct process *p);
/* Maps the page that handlers return to (the restorer's place) in the calling process. 0 or error.
 */
int signal_map_trampoline(void);

#endif
