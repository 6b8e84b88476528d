/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler: one run queue for all CPUs, ordered by the CPU time that threads have used, so
 * that each gets its share and one that slept runs soon. One lock, which is held across the switch
 * itself and released by the thread switched to: nobody can pick a thread whose registers are not
 * saved.
 */
#include "kernel/sched.h"

#include <bsd/sys/tree.h>

#include "host/mm.h"
#include "kernel/port.h"
#include "kernel/thread.h"
#include "kernel/timer.h"

/* How much longer a running thread must have run than one that wakes, to be interrupted for it. */
#define WAKE_ADVANTAGE_NS 1000000UL

struct sched_cpu {
	struct thread *current;
	struct thread *dead; /* switched away from for good; dropped by the next thread */
	struct mm *mm;	     /* whose table is installed */
	struct thread idle;
} __aligned(64);

RB_HEAD(run_queue, sched_entity);

static struct sched_cpu cpus[PORT_MAX_CPUS];
static struct spinlock sched_lock;
/* All below are guarded by sched_lock. */
static struct run_queue run_queue;
static u32 queued_count;
static u64 floor_ns;  /* order of the thread picked last: nobody is queued far before it */
static u64 idle_cpus; /* those that sleep and have not been sent for */
static u64 switch_count;

static int se_compare(const struct sched_entity *a, const struct sched_entity *b)
{
	if (a->order_ns != b->order_ns)
		return a->order_ns < b->order_ns ? -1 : 1;
	return a < b ? -1 : a > b;
}

RB_GENERATE_INTERNAL(run_queue, sched_entity, link, se_compare, static __maybe_unused)

static struct thread *se_thread(struct sched_entity *se)
{
	return container_of(se, struct thread, se);
}

static struct thread *task_thread(struct task *t)
{
	return container_of(t, struct thread, task);
}

static bool is_idle(const struct thread *t)
{
	return t == &cpus[port_cpu()].idle;
}

static u64 online_mask(void)
{
	return BIT(port_cpu_count()) - 1;
}

/* ---- start */

void sched_init(void)
{
	spin_init(&sched_lock);
	RB_INIT(&run_queue);
	timers_init();
}

void sched_init_cpu(void)
{
	struct sched_cpu *c = &cpus[port_cpu()];
	struct thread *t = &c->idle;

	*t = (struct thread){
		.task.comm = "idle",
		.refs = 1,
		.se = { .on_cpu = (s32)port_cpu(), .affinity = BIT(port_cpu()) },
	};
	c->current = t;
	port_set_current(&t->task);
}

/* ---- the run queue; sched_lock is held */

static void enqueue(struct sched_entity *se, u64 now_ns)
{
	se->queued = true;
	se->queued_ns = now_ns;
	RB_INSERT(run_queue, &run_queue, se);
	queued_count++;
}

static void dequeue(struct sched_entity *se, u64 now_ns)
{
	RB_REMOVE(run_queue, &run_queue, se);
	queued_count--;
	se->queued = false;
	se->wait_ns += now_ns - se->queued_ns;
}

/* The first in order that may run on @cpu, or NULL. */
static struct sched_entity *first_for(unsigned int cpu)
{
	struct sched_entity *se;

	RB_FOREACH (se, run_queue, &run_queue)
		if (se->affinity & BIT(cpu))
			return se;
	return NULL;
}

/* Adds what @t, running on this CPU, has used since last asked. */
static void account(struct thread *t, u64 now_ns)
{
	u64 used = now_ns - t->se.switched_in_ns;

	t->se.runtime_ns += used;
	t->se.order_ns += used;
	t->se.switched_in_ns = now_ns;
}

static u64 order_now(const struct thread *t, u64 now_ns)
{
	return t->se.order_ns + (now_ns - t->se.switched_in_ns);
}

/* ---- finding a CPU for a queued thread; sched_lock is held */

static void ask_to_give_way(unsigned int cpu)
{
	__atomic_store_n(&cpus[cpu].current->task.need_resched, 1, __ATOMIC_RELEASE);
	if (cpu != port_cpu())
		port_ipi_resched(cpu);
}

/* Sends for an idle CPU that @se may run on, its last one if possible. False if there is none. */
static bool summon_idle(const struct sched_entity *se)
{
	u64 candidates = idle_cpus & se->affinity;
	unsigned int cpu;

	if (!candidates)
		return false;
	if (candidates & BIT(se->last_cpu))
		cpu = se->last_cpu;
	else
		cpu = (unsigned int)__builtin_ctzl(candidates);
	idle_cpus &= ~BIT(cpu);
	ask_to_give_way(cpu);
	return true;
}

/* Interrupts the allowed CPU whose thread is furthest ahead of @se, if it is by enough. */
static void preempt_for(const struct sched_entity *se, u64 now_ns)
{
	unsigned int victim = 0;
	u64 victim_order = 0;

	for (unsigned int cpu = 0; cpu < port_cpu_count(); cpu++) {
		struct thread *t = cpus[cpu].current;
		u64 order;

		if (!(se->affinity & BIT(cpu)) || !t || t == &cpus[cpu].idle)
			continue;
		order = order_now(t, now_ns);
		if (order > victim_order) {
			victim_order = order;
			victim = cpu;
		}
	}
	if (victim_order > se->order_ns + WAKE_ADVANTAGE_NS)
		ask_to_give_way(victim);
}

/* Queues a thread that was not runnable. */
static void make_runnable(struct sched_entity *se)
{
	u64 now_ns = port_time_ns();
	u64 bonus = SCHED_SLICE_NS;

	se->state = THREAD_RUNNABLE;
	if (se->order_ns + bonus < floor_ns)
		se->order_ns = floor_ns - bonus;
	enqueue(se, now_ns);
	if (!summon_idle(se))
		preempt_for(se, now_ns);
}

/* ---- switching */

static void install_mm(struct sched_cpu *c, struct mm *mm)
{
	if (c->mm == mm)
		return;
	c->mm = mm;
	mm_activate(mm);
}

static void switch_to(struct sched_cpu *c, struct thread *prev, struct thread *next, u64 now_ns)
{
	prev->se.last_cpu = port_cpu();
	prev->se.on_cpu = -1;
	next->se.on_cpu = (s32)port_cpu();
	next->se.switched_in_ns = now_ns;
	next->se.switches++;
	next->rseq_due = 1;
	switch_count++;
	c->current = next;
	if (prev->se.state == THREAD_DEAD)
		c->dead = prev;
	install_mm(c, next->task.mm);
	port_thread_switch(&prev->port, &next->port, &next->task);
}

/*
 * Gives this CPU to the thread that should have it, which may be the calling one. Called and
 * returns with sched_lock held, but by then perhaps on another CPU.
 */
static void schedule(void)
{
	struct sched_cpu *c = &cpus[port_cpu()];
	struct thread *prev = c->current;
	u64 now_ns = port_time_ns();
	struct sched_entity *se;
	struct thread *next = &c->idle;

	account(prev, now_ns);
	__atomic_store_n(&prev->task.need_resched, 0, __ATOMIC_RELAXED);
	if (prev->se.state == THREAD_RUNNABLE && prev != &c->idle)
		enqueue(&prev->se, now_ns);
	se = first_for(port_cpu());
	if (se) {
		next = se_thread(se);
		dequeue(se, now_ns);
		floor_ns = max(floor_ns, se->order_ns);
		se->slice_end_ns = now_ns + SCHED_SLICE_NS;
		timer_need_interrupt(se->slice_end_ns);
		idle_cpus &= ~BIT(port_cpu());
	} else {
		idle_cpus |= BIT(port_cpu());
	}
	if (prev->se.queued)
		(void)summon_idle(&prev->se);
	if (next != prev)
		switch_to(c, prev, next, now_ns);
}

/* The other half of schedule(), on the thread that was switched to. */
static void finish_switch(void)
{
	struct sched_cpu *c = &cpus[port_cpu()];
	struct thread *dead = c->dead;

	c->dead = NULL;
	spin_unlock(&sched_lock);
	if (dead)
		thread_put(dead);
}

static void hook_out(struct thread *t)
{
	if (t->task.hook)
		t->task.hook->out(t->task.hook);
}

static void hook_in(struct thread *t)
{
	if (t->task.hook)
		t->task.hook->in(t->task.hook);
}

/* Would schedule() choose another thread? If not, the calling one starts a new slice. */
static bool must_give_way(struct thread *t)
{
	u64 now_ns = port_time_ns();
	struct sched_entity *first;
	bool must;

	spin_lock(&sched_lock);
	account(t, now_ns);
	first = first_for(port_cpu());
	must = (first && se_compare(first, &t->se) < 0) || !(t->se.affinity & BIT(port_cpu()));
	if (!must) {
		__atomic_store_n(&t->task.need_resched, 0, __ATOMIC_RELAXED);
		t->se.slice_end_ns = now_ns + SCHED_SLICE_NS;
	}
	spin_unlock(&sched_lock);
	return must;
}

/* Lets schedule() decide; CPU state of the thread's own is only moved if it is to leave. */
static void give_way(void)
{
	struct thread *t = current_thread();

	/* One that prepared to sleep looks at its condition again instead of sleeping here. */
	sched_cancel_sleep();
	sched_quiescent();
	if (!must_give_way(t))
		return;
	hook_out(t);
	spin_lock(&sched_lock);
	schedule();
	finish_switch();
	hook_in(t);
}

void sched_begin_thread(void)
{
	finish_switch();
}

void sched_start(struct thread *t)
{
	spin_lock(&sched_lock);
	t->se.order_ns = floor_ns;
	t->se.last_cpu = port_cpu();
	make_runnable(&t->se);
	spin_unlock(&sched_lock);
}

void sched_exit(void)
{
	sched_quiescent();
	spin_lock(&sched_lock);
	current_thread()->se.state = THREAD_DEAD;
	schedule();
	panic("a dead thread was switched to");
}

void sched_drop_mm(void)
{
	current_thread()->task.mm = NULL;
	install_mm(&cpus[port_cpu()], NULL);
}

void sched_adopt_mm(struct mm *mm)
{
	current_thread()->task.mm = mm;
	install_mm(&cpus[port_cpu()], mm);
}

void sched_point(void)
{
	port_irq_point();
	if (task_need_resched(port_current()) && !is_idle(current_thread()))
		give_way();
}

void sched_yield(void)
{
	struct thread *t = current_thread();
	struct sched_entity *last;

	spin_lock(&sched_lock);
	last = RB_MAX(run_queue, &run_queue);
	if (last)
		t->se.order_ns = max(t->se.order_ns, last->order_ns + 1);
	spin_unlock(&sched_lock);
	give_way();
}

void sched_idle_loop(void)
{
	for (;;) {
		sched_quiescent();
		spin_lock(&sched_lock);
		schedule();
		finish_switch();
		/* Nothing to run, and interrupts are masked: one that comes now ends the wait. */
		if (!task_need_resched(port_current()))
			port_idle();
	}
}

/* ---- sleeping */

/*
 * A sleeper says so, then looks at its condition; a waker changes the condition, then looks at the
 * sleeper. The barrier in each makes sure that one of them sees the other.
 */
void sched_prepare_sleep(enum sleep_kind kind)
{
	struct sched_entity *se = &current_thread()->se;

	se->sleep_kind = kind;
	se->timed_out = false;
	__atomic_store_n(&se->state, THREAD_SLEEPING, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Nobody but the thread itself takes it off its CPU, so that no lock is needed. */
void sched_cancel_sleep(void)
{
	__atomic_store_n(&current_thread()->se.state, THREAD_RUNNABLE, __ATOMIC_RELAXED);
}

/* Makes a sleeper runnable; one that has not yet left its CPU just goes on. sched_lock is held. */
static void wake_locked(struct sched_entity *se)
{
	if (se->state != THREAD_SLEEPING)
		return;
	if (se->on_cpu >= 0)
		se->state = THREAD_RUNNABLE;
	else
		make_runnable(se);
}

void sched_wake(struct task *t)
{
	struct sched_entity *se = &task_thread(t)->se;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&se->state, __ATOMIC_RELAXED) != THREAD_SLEEPING)
		return;
	spin_lock(&sched_lock);
	wake_locked(se);
	spin_unlock(&sched_lock);
}

/* Does what waits for @t end a sleep of the kind that it sleeps? */
static bool sleep_is_over(const struct thread *t)
{
	switch (t->se.sleep_kind) {
	case SLEEP_INTERRUPTIBLE: return task_signal_pending(&t->task);
	case SLEEP_KILLABLE: return task_kill_pending(&t->task);
	default: return false;
	}
}

void sched_signal(struct thread *t)
{
	struct sched_entity *se = &t->se;

	spin_lock(&sched_lock);
	if (se->state == THREAD_SLEEPING && sleep_is_over(t))
		wake_locked(se);
	else if (se->on_cpu >= 0 && se->on_cpu != (s32)port_cpu())
		port_ipi_resched((unsigned int)se->on_cpu);
	spin_unlock(&sched_lock);
}

struct sleep_timer {
	struct timer timer;
	struct sched_entity *se;
};

static void sleep_timed_out(struct timer *timer)
{
	struct sched_entity *se = container_of(timer, struct sleep_timer, timer)->se;

	spin_lock(&sched_lock);
	se->timed_out = true;
	wake_locked(se);
	spin_unlock(&sched_lock);
}

/* Leaves the CPU if still nobody woke the thread. */
static void sleep_now(struct thread *t)
{
	sched_quiescent();
	hook_out(t);
	spin_lock(&sched_lock);
	if (t->se.state == THREAD_SLEEPING)
		schedule();
	finish_switch();
	hook_in(t);
}

int sched_sleep(u64 deadline_ns)
{
	struct thread *t = current_thread();
	struct sleep_timer st = { .se = &t->se };

	if (sleep_is_over(t)) {
		sched_cancel_sleep();
		return -EINTR;
	}
	if (deadline_ns == SCHED_FOREVER) {
		sleep_now(t);
	} else {
		timer_init(&st.timer, sleep_timed_out);
		timer_start(&st.timer, deadline_ns);
		sleep_now(t);
		(void)timer_cancel(&st.timer);
	}
	if (t->se.timed_out)
		return -ETIMEDOUT;
	return sleep_is_over(t) ? -EINTR : 0;
}

/* ---- the tick */

u64 sched_tick(u64 now_ns)
{
	struct thread *t = current_thread();

	if (is_idle(t))
		return SCHED_FOREVER;
	if (now_ns >= t->se.slice_end_ns) {
		t->se.slice_end_ns = now_ns + SCHED_SLICE_NS;
		if (__atomic_load_n(&queued_count, __ATOMIC_RELAXED))
			__atomic_store_n(&t->task.need_resched, 1, __ATOMIC_RELAXED);
	}
	return t->se.slice_end_ns;
}

/* ---- where threads may run, and what they used */

int sched_set_affinity(struct thread *t, u64 mask)
{
	bool must_move;

	mask &= online_mask();
	if (!mask)
		return -EINVAL;
	spin_lock(&sched_lock);
	t->se.affinity = mask;
	must_move = t->se.on_cpu >= 0 && !(mask & BIT((unsigned int)t->se.on_cpu));
	if (must_move)
		ask_to_give_way((unsigned int)t->se.on_cpu);
	else if (t->se.queued && !summon_idle(&t->se))
		preempt_for(&t->se, port_time_ns());
	spin_unlock(&sched_lock);
	if (must_move && t == current_thread())
		give_way();
	return 0;
}

u64 sched_get_affinity(struct thread *t)
{
	u64 mask;

	spin_lock(&sched_lock);
	mask = t->se.affinity & online_mask();
	spin_unlock(&sched_lock);
	return mask;
}

u64 sched_runtime_ns(struct thread *t)
{
	u64 used;

	spin_lock(&sched_lock);
	used = t->se.runtime_ns;
	if (t->se.on_cpu >= 0)
		used += port_time_ns() - t->se.switched_in_ns;
	spin_unlock(&sched_lock);
	return used;
}

/* Written while the thread is not the caller: no lock. */
u64 sched_wait_ns(void)
{
	return current_thread()->se.wait_ns;
}

u64 sched_idle_ns(u32 cpu)
{
	return sched_runtime_ns(&cpus[cpu].idle);
}

u32 sched_runnable_count(void)
{
	u32 count;

	spin_lock(&sched_lock);
	count = queued_count;
	for (unsigned int cpu = 0; cpu < port_cpu_count(); cpu++)
		count += cpus[cpu].current && cpus[cpu].current != &cpus[cpu].idle;
	spin_unlock(&sched_lock);
	return count;
}

u64 sched_switch_count(void)
{
	u64 count;

	spin_lock(&sched_lock);
	count = switch_count;
	spin_unlock(&sched_lock);
	return count;
}
