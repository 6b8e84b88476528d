/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory is out for somebody's access to memory: the largest process ends, by name, and the others
 * go on. System calls that want memory for the kernel's own objects fail with ENOMEM instead, and
 * end nobody.
 */
#include <stdio.h>
#include <string.h>

#include "host/mm.h"
#include "kernel/process.h"
#include "kernel/thread.h"

enum {
	ENOUGH_PAGES = 64, /* for a page and the tables above it, and others at the same time */
	WAIT_STEP_NS = 1000 * 1000,
	/* A process that has not ended after this long does not count as ending any more. */
	PATIENCE_NS = 2000 * 1000 * 1000,
};

/* A vfork's child has its parent's: the parent is to end, which ends the child first. If the parent
 * has nothing left to do but wait for it, it is the child that must. */
static bool mm_is_its_own(const struct process *p)
{
	return !p->mm_borrowed || __atomic_load_n(&p->mm_owner_exits, __ATOMIC_RELAXED);
}

/* What comes back when @p ends, in pages, roughly: its memory, and what its files hold. Under
 * p->lock. */
static u64 size_of(struct process *p)
{
	u64 pages = p->files ? fdtable_pages(p->files) : 0;

	if (p->mm && mm_is_its_own(p))
		pages += mm_resident_pages(p->mm);
	return pages;
}

/* Ended, or about to. Under p->lock. */
static bool is_leaving(struct process *p, u64 now)
{
	if (!p->exiting)
		return false;
	if (!p->leaving_since_ns)
		p->leaving_since_ns = now;
	return now - p->leaving_since_ns < PATIENCE_NS;
}

struct victim {
	struct process *process; /* counted, or NULL */
	u64 pages;
	bool leaving; /* already: nobody else has to */
};

/* A process that is leaving, or else the largest. Under process_tree_lock. */
static struct victim choose(void)
{
	u64 now = port_time_ns();
	struct victim v = { 0 };
	struct process *p;

	LIST_FOREACH (p, &all_processes, all_link) {
		u64 pages;

		spin_lock(&p->lock);
		v.leaving = !p->zombie && is_leaving(p, now);
		pages = p->mm && !p->exiting ? size_of(p) : 0;
		spin_unlock(&p->lock);
		if (v.leaving || pages > v.pages) {
			v.process = p;
			v.pages = pages;
		}
		if (v.leaving)
			break;
	}
	if (v.process)
		process_get(v.process);
	return v;
}

static void say(const struct process *p, const char *name, u64 pages)
{
	char line[128];
	int n = snprintf(line, sizeof(line),
			 "Out of memory: Killed process %d (%s), which held %lu KiB\n", p->pid,
			 name, pages * (PAGE_SIZE / SZ_1K));

	port_console_write(line, min((size_t)n, sizeof(line) - 1));
}

/* What its first thread is called; any if that has ended. Under p->lock. */
static void name_of(struct process *p, char name[16])
{
	struct thread *t;

	LIST_FOREACH (t, &p->threads, process_link) {
		memcpy(name, t->task.comm, 16);
		if (t->task.tid == p->pid)
			break;
	}
}

static void kill(struct process *p, u64 pages)
{
	char name[16] = "?";
	bool first;

	spin_lock(&p->lock);
	first = !p->exiting;
	name_of(p, name);
	process_begin_exit(p, SIGKILL);
	p->out_of_memory = true;
	p->leaving_since_ns = port_time_ns();
	waitq_wake(&p->signals.continued, WAKE_ALL, 0); /* it may be stopped */
	spin_unlock(&p->lock);
	if (first)
		say(p, name, pages);
}

/* Its memory and its files have gone. */
static bool has_left(const struct process *p)
{
	return __atomic_load_n(&p->zombie, __ATOMIC_ACQUIRE);
}

static void sleep_a_little(void)
{
	sched_prepare_sleep(SLEEP_KILLABLE);
	(void)sched_sleep(port_time_ns() + WAIT_STEP_NS);
}

/* The caller's own locks may be what it waits for: not for ever. */
static void wait_until_left(struct process *p)
{
	struct task *me = port_current();
	u64 end = port_time_ns() + PATIENCE_NS;

	while (!has_left(p) && !task_kill_pending(me) && port_time_ns() < end)
		sleep_a_little();
	/* Tables and what else goes after a grace period. */
	if (!task_kill_pending(me))
		sched_grace_period();
}

bool task_memory_is_out(void)
{
	struct victim v;

	if (page_counts().free_pages >= ENOUGH_PAGES)
		return true; /* it came back meanwhile, or the failure was injected */
	if (task_kill_pending(port_current()))
		return false;
	spin_lock(&process_tree_lock);
	v = choose();
	spin_unlock(&process_tree_lock);
	if (!v.process)
		return false;
	if (!v.leaving)
		kill(v.process, v.pages);
	if (v.process != current_process())
		wait_until_left(v.process);
	process_put(v.process);
	return !task_kill_pending(port_current());
}
