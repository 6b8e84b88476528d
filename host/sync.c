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
 * next wake-up of one goes to another. @last bounds the walk to those that were there at its start.
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
			TAILQ_REMOVE(&q->waiters, w, link);
			TAILQ_INSERT_TAIL(&q->waiters, w, link);
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

/* ---- mutex */

void mutex_init(struct mutex *m)
{
	waitq_init(&m->q);
	m->owner = NULL;
}

bool mutex_trylock(struct mutex *m)
{
	bool got;

	spin_lock(&m->q.lock);
	got = !m->owner;
	if (got)
		m->owner = port_current();
	spin_unlock(&m->q.lock);
	return got;
}

static int mutex_lock_kind(struct mutex *m, enum sleep_kind kind)
{
	if (mutex_trylock(m))
		return 0;
	if (m->owner == port_current())
		panic("mutex taken twice by its owner");
	return wait_event_until(&m->q, mutex_trylock(m), kind, SCHED_FOREVER);
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
	spin_lock(&m->q.lock);
	if (m->owner != port_current())
		panic("mutex released by another than its owner");
	m->owner = NULL;
	waitq_wake_locked(&m->q, 1, 0);
	spin_unlock(&m->q.lock);
}

/* ---- rwsem */

void rwsem_init(struct rwsem *s)
{
	waitq_init(&s->q);
	s->readers = 0;
	s->writers_waiting = 0;
	s->writer = NULL;
}

static bool rwsem_try_read(struct rwsem *s)
{
	bool got;

	spin_lock(&s->q.lock);
	got = !s->writer && s->writers_waiting == 0;
	if (got)
		s->readers++;
	spin_unlock(&s->q.lock);
	return got;
}

void rwsem_read_lock(struct rwsem *s)
{
	if (!rwsem_try_read(s))
		wait_event(&s->q, rwsem_try_read(s));
}

void rwsem_read_unlock(struct rwsem *s)
{
	spin_lock(&s->q.lock);
	if (s->readers <= 0)
		panic("rwsem released by no reader");
	s->readers--;
	if (s->readers == 0)
		waitq_wake_locked(&s->q, WAKE_ALL, 0);
	spin_unlock(&s->q.lock);
}

/* True for a writer that waits: it takes the lock and stops to be counted as waiting. */
static bool rwsem_try_write_queued(struct rwsem *s)
{
	bool got;

	spin_lock(&s->q.lock);
	got = !s->writer && s->readers == 0;
	if (got) {
		s->writer = port_current();
		s->writers_waiting--;
	}
	spin_unlock(&s->q.lock);
	return got;
}

void rwsem_write_lock(struct rwsem *s)
{
	if (s->writer == port_current())
		panic("rwsem taken twice by its writer");
	spin_lock(&s->q.lock);
	s->writers_waiting++;
	spin_unlock(&s->q.lock);
	if (!rwsem_try_write_queued(s))
		wait_event(&s->q, rwsem_try_write_queued(s));
}

void rwsem_write_unlock(struct rwsem *s)
{
	spin_lock(&s->q.lock);
	if (s->writer != port_current())
		panic("rwsem released by another than its writer");
	s->writer = NULL;
	waitq_wake_locked(&s->q, WAKE_ALL, 0);
	spin_unlock(&s->q.lock);
}
