/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sleeping: wait queues, mutexes and read/write semaphores. kernel/sched.c implements the three
 * sched_* functions on the target, port/model natively; host/sync.c builds the rest on them.
 */
#ifndef HOST_SCHED_H
#define HOST_SCHED_H

#include <bsd/sys/queue.h>

#include "host/port.h"

enum sleep_kind {
	SLEEP_UNINTERRUPTIBLE,
	SLEEP_INTERRUPTIBLE, /* a signal ends the sleep */
	SLEEP_KILLABLE,	     /* task->kill_pending does */
};

struct waiter {
	TAILQ_ENTRY(waiter) link;
	struct waitq *q; /* NULL when not queued; guarded by the queue's lock */
	struct task *task;
	/* Called under the queue's lock instead of waking @task, if set; must not sleep (epoll,
	 * irqfd). */
	void (*fn)(struct waiter *w, u32 key);
};

struct waitq {
	struct spinlock lock;
	TAILQ_HEAD(waiter_list, waiter) waiters;
};

#define SCHED_FOREVER UINT64_MAX

/* ---- implemented by the scheduler */
/* Declares that the current task is about to sleep; a wake-up from here on is not lost. */
void sched_prepare_sleep(enum sleep_kind kind);
/* Takes sched_prepare_sleep() back without sleeping. */
void sched_cancel_sleep(void);
/*
 * Sleeps until woken, @deadline_ns (absolute; SCHED_FOREVER), or what the kind of sleep allows.
 * 0, -ETIMEDOUT, -EINTR. Returns at once if woken since sched_prepare_sleep().
 */
int sched_sleep(u64 deadline_ns);
/* Wakes @t if it sleeps or prepares to. Any context; takes only scheduler locks. */
void sched_wake(struct task *t);
/* Gives way if another thread should run on this CPU: the named point between bounded steps. No
 * spin lock held. */
void sched_point(void);
/* How long the calling thread was runnable without running, since it began. */
u64 sched_wait_ns(void);
/* CPUs whose next quiescent state somebody waits for, at least; atomic. kernel/grace.c. */
extern u64 sched_awaited_cpus;
/* What sched_quiescent() does where a CPU is waited for. */
void sched_quiescent_awaited(void);

/*
 * Says that this CPU holds no reference protected by grace periods. The kernel says so on return to
 * EL0, at thread switches and in idle; KVM before each guest entry. Cheap, since on every way out:
 * who begins to wait sends this CPU an interrupt, after which it comes by here again.
 */
static inline void sched_quiescent(void)
{
	if (*(const volatile u64 *)&sched_awaited_cpus)
		sched_quiescent_awaited();
}

/* Returns after every CPU has passed a quiescent state: nobody walks what was unpublished before.
 * Sleeps. */
void sched_grace_period(void);
/* Calls @fn(@arg) after a grace period, from a kernel thread; does not sleep, does not allocate. */
struct grace_work {
	STAILQ_ENTRY(grace_work) link;
	void (*fn)(struct grace_work *work);
	u64 epoch;
};
void sched_after_grace(struct grace_work *work, void (*fn)(struct grace_work *work));

/* ---- wait queues (host/sync.c) */
void waitq_init(struct waitq *q);
void waitq_add(struct waitq *q, struct waiter *w);
void waitq_remove(struct waiter *w);
/* Wakes up to @n waiters in order; those with a function always. @key is handed to functions (poll
 * events). */
void waitq_wake(struct waitq *q, unsigned int n, u32 key);
#define WAKE_ALL (~0U)

/*
 * Sleeps until @cond holds, tested before and after each sleep. Evaluates to 0, -EINTR
 * (interruptible only) or -ETIMEDOUT.
 */
#define wait_event_until(q, cond, kind, deadline_ns)                                               \
	({                                                                                         \
		struct waiter __w = { .task = port_current() };                                    \
		int __ret = 0;                                                                     \
		waitq_add((q), &__w);                                                              \
		for (;;) {                                                                         \
			sched_prepare_sleep(kind);                                                 \
			if (cond) {                                                                \
				__ret = 0;                                                         \
				break;                                                             \
			}                                                                          \
			if (__ret)                                                                 \
				break;                                                             \
			__ret = sched_sleep(deadline_ns);                                          \
		}                                                                                  \
		sched_cancel_sleep();                                                              \
		waitq_remove(&__w);                                                                \
		__ret;                                                                             \
	})
#define wait_event(q, cond) ((void)wait_event_until(q, cond, SLEEP_UNINTERRUPTIBLE, SCHED_FOREVER))
#define wait_event_interruptible(q, cond)                                                          \
	wait_event_until(q, cond, SLEEP_INTERRUPTIBLE, SCHED_FOREVER)

/*
 * ---- sleeping locks (host/sync.c). Not recursive. Never taken with a spin lock held. Giving one
 * back looks for waiters after others can have it: who does holds a reference to what it is in.
 */
struct mutex {
	struct waitq q;
	struct task *owner; /* atomic */
};
void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);
bool mutex_trylock(struct mutex *m);
/* 0 or -EINTR. */
int __must_check mutex_lock_interruptible(struct mutex *m);
void mutex_unlock(struct mutex *m);

/* The state of one: how many read; bits 32 to 62: how many wait to write; who writes. */
#define RWSEM_READERS	  0xffffffffUL
#define RWSEM_WAITING_ONE (1UL << 32)
#define RWSEM_WRITER	  (1UL << 63)
struct rwsem {
	struct waitq q;
	u64 state;	     /* atomic: RWSEM_* */
	struct task *writer; /* set by itself */
};
void rwsem_init(struct rwsem *s);
void rwsem_read_lock(struct rwsem *s);
void rwsem_read_unlock(struct rwsem *s);
void rwsem_write_lock(struct rwsem *s);
void rwsem_write_unlock(struct rwsem *s);

#endif
