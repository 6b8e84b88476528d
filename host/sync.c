/* SPDX-License-Identifier: Apache-2.0 */
/* Wait queues, mutexes and read/write semaphores over the scheduler's sleep and wake. */
#include "host/sched.h"

void waitq_init(struct waitq *q)
{
	spin_init(&q->lock);
	TAILQ_INIT(&q->waiters);
}

void waitq_add(struct waitq *q, struct waiter *w)
{
	spin_lock(&q->lock);
	w->q = q;
	TAILQ_INSERT_TAIL(&q->waiters, w, link);
	spin_unlock(&q->lock);
}

void waitq_remove(struct waiter *w)
{
	struct waitq *q = w->q;

	if (!q)
		return;
	spin_lock(&q->lock);
	TAILQ_REMOVE(&q->waiters, w, link);
	w->q = NULL;
	spin_unlock(&q->lock);
}

/*
 * A waiter stays queued until it removes itself. One that was woken goes to the end, so that the
 * next wake-up of one goes to another; not if it is there, since a queue with a waiter never looks
 * empty (has_waiters()). @last bounds the walk to those that were there at its start.
 */
static void waitq_wake_locked(struct waitq *q, unsigned int n, u32 key)
{
	struct waiter *last = TAILQ_LAST(&q->waiters, waiter_list);
	struct waiter *w = TAILQ_FIRST(&q->waiters);

	while (w) {
		struct waiter *next = w == last ? NULL : TAILQ_NEXT(w, link);

		if (w->fn) {
			w->fn(w, key);
		} else if (n > 0) {
			n--;
			sched_wake(w->task);
			if (TAILQ_NEXT(w, link)) {
				TAILQ_REMOVE(&q->waiters, w, link);
				TAILQ_INSERT_TAIL(&q->waiters, w, link);
			}
		}
		w = next;
	}
}

void waitq_wake(struct waitq *q, unsigned int n, u32 key)
{
	spin_lock(&q->lock);
	waitq_wake_locked(q, n, key);
	spin_unlock(&q->lock);
}

/*
 * After a store that a waiter's condition reads. Either this sees that somebody has queued, or that
 * one's condition, tried after queueing and a full barrier, sees the store.
 */
static bool has_waiters(const struct waitq *q)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&TAILQ_FIRST(&q->waiters), __ATOMIC_RELAXED) != NULL;
}

/* ---- mutex */

void mutex_init(struct mutex *m)
{
	waitq_init(&m->q);
	m->owner = NULL;
}

bool mutex_trylock(struct mutex *m)
{
	struct task *none = NULL;

	return __atomic_compare_exchange_n(&m->owner, &none, port_current(), false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static bool mutex_try_queued(struct mutex *m)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return mutex_trylock(m);
}

/* One that leaves without the mutex may have been woken for it: then that is another's turn. */
static void pass_on(struct mutex *m)
{
	if (has_waiters(&m->q) && !__atomic_load_n(&m->owner, __ATOMIC_RELAXED))
		waitq_wake(&m->q, 1, 0);
}

static int mutex_lock_kind(struct mutex *m, enum sleep_kind kind)
{
	int error;

	if (mutex_trylock(m))
		return 0;
	if (__atomic_load_n(&m->owner, __ATOMIC_RELAXED) == port_current())
		panic("mutex taken twice by its owner");
	error = wait_event_until(&m->q, mutex_try_queued(m), kind, SCHED_FOREVER);
	if (error)
		pass_on(m);
	return error;
}

void mutex_lock(struct mutex *m)
{
	(void)mutex_lock_kind(m, SLEEP_UNINTERRUPTIBLE);
}

int mutex_lock_interruptible(struct mutex *m)
{
	return mutex_lock_kind(m, SLEEP_INTERRUPTIBLE);
}

void mutex_unlock(struct mutex *m)
{
	if (m->owner != port_current())
		panic("mutex released by another than its owner");
	__atomic_store_n(&m->owner, NULL, __ATOMIC_RELEASE);
	if (has_waiters(&m->q))
		waitq_wake(&m->q, 1, 0);
}

/* ---- rwsem: one word says who has it. Readers queue behind a writer that waits. */

void rwsem_init(struct rwsem *s)
{
	waitq_init(&s->q);
	s->state = 0;
	s->writer = NULL;
}

static bool rwsem_try_read(struct rwsem *s)
{
	u64 state = __atomic_load_n(&s->state, __ATOMIC_RELAXED);

	while (!(state & ~RWSEM_READERS)) {
		if (__atomic_compare_exchange_n(&s->state, &state, state + 1, false,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

static bool rwsem_try_read_queued(struct rwsem *s)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return rwsem_try_read(s);
}

void rwsem_read_lock(struct rwsem *s)
{
	if (!rwsem_try_read(s))
		wait_event(&s->q, rwsem_try_read_queued(s));
}

void rwsem_read_unlock(struct rwsem *s)
{
	u64 before = __atomic_fetch_sub(&s->state, 1, __ATOMIC_RELEASE);

	if (!(before & RWSEM_READERS))
		panic("rwsem released by no reader");
	/* Only writers wait for readers to go; each has said so before it looked. */
	if (before > 1 && (before & RWSEM_READERS) == 1)
		waitq_wake(&s->q, WAKE_ALL, 0);
}

/* For a writer that is counted as waiting: it takes the lock and stops to be. */
static bool rwsem_try_write(struct rwsem *s)
{
	u64 state = __atomic_load_n(&s->state, __ATOMIC_SEQ_CST);

	while (!(state & (RWSEM_READERS | RWSEM_WRITER))) {
		if (!__atomic_compare_exchange_n(&s->state, &state,
						 state - RWSEM_WAITING_ONE + RWSEM_WRITER, false,
						 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		s->writer = port_current();
		return true;
	}
	return false;
}

static bool rwsem_try_write_queued(struct rwsem *s)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return rwsem_try_write(s);
}

void rwsem_write_lock(struct rwsem *s)
{
	if (s->writer == port_current())
		panic("rwsem taken twice by its writer");
	__atomic_fetch_add(&s->state, RWSEM_WAITING_ONE, __ATOMIC_SEQ_CST);
	if (!rwsem_try_write(s))
		wait_event(&s->q, rwsem_try_write_queued(s));
}

void rwsem_write_unlock(struct rwsem *s)
{
	if (s->writer != port_current())
		panic("rwsem released by another than its writer");
	s->writer = NULL;
	__atomic_fetch_and(&s->state, ~RWSEM_WRITER, __ATOMIC_RELEASE);
	if (has_waiters(&s->q))
		waitq_wake(&s->q, WAKE_ALL, 0);
}
