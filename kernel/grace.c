/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Grace periods: a count of quiescent states per CPU. Readers are not preemptible and do not sleep,
 * so once every CPU has been quiescent nobody holds what was unpublished before. A CPU counts only
 * while it is waited for, so that quiescent states cost nothing otherwise.
 */
#include "host/sched.h"

#include "kernel/sched.h"
#include "kernel/thread.h"

struct quiescent_count {
	u64 count; /* written by its CPU only, and only while somebody waits for it */
} __aligned(64);

static struct quiescent_count counts[PORT_MAX_CPUS];
u64 sched_awaited_cpus;
static struct waitq waiters;

static struct spinlock works_lock;
static STAILQ_HEAD(, grace_work) works; /* guarded by works_lock */
static struct waitq works_wait;

void sched_quiescent_awaited(void)
{
	unsigned int cpu = port_cpu();
	u64 *count = &counts[cpu].count;

	if (!(__atomic_load_n(&sched_awaited_cpus, __ATOMIC_RELAXED) & BIT(cpu)))
		return;
	/* Before the count: one who asks after this is answered by the next count, not by none. */
	__atomic_fetch_and(&sched_awaited_cpus, ~BIT(cpu), __ATOMIC_SEQ_CST);
	/* Earlier reads before the count, later reads after it: a release and a full barrier. */
	__atomic_store_n(count, *count + 1, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	waitq_wake(&waiters, WAKE_ALL, 0);
}

struct grace_wait {
	u64 lagging; /* CPUs not seen quiescent since the snapshot */
	u64 snapshot[PORT_MAX_CPUS];
};

static void snapshot_others(struct grace_wait *w)
{
	w->lagging = (BIT(port_cpu_count()) - 1) & ~BIT(port_cpu());
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned int cpu = 0; cpu < port_cpu_count(); cpu++)
		w->snapshot[cpu] = __atomic_load_n(&counts[cpu].count, __ATOMIC_ACQUIRE);
}

/* Asks to be woken by those that lag before it looks at them, so that no wake-up is lost. */
static bool all_passed(struct grace_wait *w)
{
	__atomic_fetch_or(&sched_awaited_cpus, w->lagging, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned int cpu = 0; cpu < port_cpu_count(); cpu++)
		if (__atomic_load_n(&counts[cpu].count, __ATOMIC_ACQUIRE) != w->snapshot[cpu])
			w->lagging &= ~BIT(cpu);
	return !w->lagging;
}

void sched_grace_period(void)
{
	struct grace_wait w = { 0 };

	snapshot_others(&w);
	if (!w.lagging || all_passed(&w))
		return;
	for (unsigned int cpu = 0; cpu < port_cpu_count(); cpu++)
		if (w.lagging & BIT(cpu))
			port_ipi_resched(cpu);
	wait_event(&waiters, all_passed(&w));
}

void sched_after_grace(struct grace_work *work, void (*fn)(struct grace_work *work))
{
	work->fn = fn;
	spin_lock(&works_lock);
	STAILQ_INSERT_TAIL(&works, work, link);
	spin_unlock(&works_lock);
	waitq_wake(&works_wait, 1, 0);
}

static bool works_take(struct grace_work **first)
{
	spin_lock(&works_lock);
	*first = STAILQ_FIRST(&works);
	STAILQ_INIT(&works);
	spin_unlock(&works_lock);
	return *first != NULL;
}

static void grace_thread(void *arg)
{
	struct grace_work *work;

	(void)arg;
	for (;;) {
		wait_event(&works_wait, works_take(&work));
		sched_grace_period();
		while (work) {
			struct grace_work *next = STAILQ_NEXT(work, link);

			work->fn(work);
			work = next;
			sched_point();
		}
	}
}

void grace_init(void)
{
	spin_init(&works_lock);
	STAILQ_INIT(&works);
	waitq_init(&works_wait);
	waitq_init(&waiters);
	(void)kthread_start("grace", grace_thread, NULL);
}
