/* SPDX-License-Identifier: Apache-2.0 */
/* Timers: a queue per CPU, ordered by deadline, served by that CPU's timer interrupt. */
#include "host/timer.h"

#include "host/sched.h"
#include "kernel/port.h"
#include "kernel/sched.h"
#include "kernel/timer.h"

RB_HEAD(timer_tree, timer);

struct timer_queue {
	struct spinlock lock;
	struct timer_tree tree; /* guarded by lock, as all members of it */
	struct timer *running;	/* whose function runs now; written by this CPU only */
	u64 programmed_ns;	/* when the hardware will interrupt; this CPU only */
} __aligned(64);

static struct timer_queue queues[PORT_MAX_CPUS];

static int timer_compare(const struct timer *a, const struct timer *b)
{
	if (a->deadline_ns != b->deadline_ns)
		return a->deadline_ns < b->deadline_ns ? -1 : 1;
	return a < b ? -1 : a > b;
}

RB_GENERATE_INTERNAL(timer_tree, timer, link, timer_compare, static __maybe_unused)

void timers_init(void)
{
	for (unsigned int i = 0; i < PORT_MAX_CPUS; i++) {
		spin_init(&queues[i].lock);
		RB_INIT(&queues[i].tree);
		queues[i].programmed_ns = SCHED_FOREVER;
	}
}

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	*t = (struct timer){ .fn = fn };
}

/* Interrupts in time for @deadline_ns; an earlier interrupt that is due anyway looks again. */
void timer_need_interrupt(u64 deadline_ns)
{
	struct timer_queue *q = &queues[port_cpu()];

	if (deadline_ns >= q->programmed_ns)
		return;
	q->programmed_ns = deadline_ns;
	port_timer_set(deadline_ns);
}

/* The queue that @t is or was in, locked. */
static struct timer_queue *lock_queue_of(struct timer *t)
{
	for (;;) {
		u32 cpu = __atomic_load_n(&t->cpu, __ATOMIC_RELAXED);
		struct timer_queue *q = &queues[cpu];

		spin_lock(&q->lock);
		if (__atomic_load_n(&t->cpu, __ATOMIC_RELAXED) == cpu)
			return q;
		spin_unlock(&q->lock);
	}
}

bool timer_disarm(struct timer *t)
{
	struct timer_queue *q = lock_queue_of(t);
	bool was_armed = t->armed;

	if (was_armed)
		RB_REMOVE(timer_tree, &q->tree, t);
	t->armed = 0;
	spin_unlock(&q->lock);
	return was_armed;
}

bool timer_cancel(struct timer *t)
{
	bool was_armed = timer_disarm(t);
	struct timer_queue *q = &queues[__atomic_load_n(&t->cpu, __ATOMIC_RELAXED)];

	/* A function that is under way may have armed its timer again, on the same CPU. */
	while (__atomic_load_n(&q->running, __ATOMIC_ACQUIRE) == t)
		port_cpu_relax();
	return timer_disarm(t) || was_armed;
}

void timer_start(struct timer *t, u64 deadline_ns)
{
	struct timer_queue *q;

	(void)timer_disarm(t);
	q = &queues[port_cpu()];
	spin_lock(&q->lock);
	__atomic_store_n(&t->cpu, port_cpu(), __ATOMIC_RELAXED);
	t->deadline_ns = deadline_ns;
	t->armed = 1;
	RB_INSERT(timer_tree, &q->tree, t);
	spin_unlock(&q->lock);
	timer_need_interrupt(deadline_ns);
}

/* Many times what an interrupt takes, also under an emulator. */
#define PERIOD_MIN_NS 100000UL

void timer_restart(struct timer *t, u64 deadline_ns)
{
	timer_start(t, max(deadline_ns, port_time_ns() + PERIOD_MIN_NS));
}

/* Runs what is due; returns the deadline of the first timer that is not. */
static u64 run_expired(struct timer_queue *q, u64 now_ns)
{
	struct timer *t;
	u64 next_ns;

	spin_lock(&q->lock);
	while ((t = RB_MIN(timer_tree, &q->tree)) && t->deadline_ns <= now_ns) {
		RB_REMOVE(timer_tree, &q->tree, t);
		t->armed = 0;
		__atomic_store_n(&q->running, t, __ATOMIC_RELAXED);
		spin_unlock(&q->lock);
		t->fn(t);
		__atomic_store_n(&q->running, NULL, __ATOMIC_RELEASE);
		spin_lock(&q->lock);
	}
	next_ns = t ? t->deadline_ns : SCHED_FOREVER;
	spin_unlock(&q->lock);
	return next_ns;
}

void kernel_timer_interrupt(void)
{
	struct timer_queue *q = &queues[port_cpu()];
	u64 now_ns = port_time_ns();
	u64 next_timer_ns = run_expired(q, now_ns);
	u64 next_tick_ns = sched_tick(now_ns);

	/* Always written: a deadline that has passed keeps the interrupt asserted. */
	q->programmed_ns = min(next_timer_ns, next_tick_ns);
	port_timer_set(q->programmed_ns);
}
