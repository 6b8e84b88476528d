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

/* What the files of @p hold, in pages. Step by step: who has many does not keep the lock. */
static u64 file_pages(struct process *p)
{
	unsigned int next = 0;
	u64 pages = 0;
	bool more;

	do {
		spin_lock(&p->lock);
		more = p->files && fdtable_count_pages(p->files, &next, &pages);
		spin_unlock(&p->lock);
		sched_point();
	} while (more);
	return pages;
}

/* What comes back when @p ends, in pages, roughly: its memory, and what its files hold. */
static u64 size_of(struct process *p)
{
	u64 pages = 0;

	spin_lock(&p->lock);
	if (p->mm && mm_is_its_own(p))
		pages = mm_resident_pages(p->mm);
	spin_unlock(&p->lock);
	return pages + file_pages(p);
}

/* Its memory and its files have gone. */
static bool has_left(const struct process *p)
{
	return __atomic_load_n(&p->zombie, __ATOMIC_ACQUIRE);
}

/* What is to be done about a process. */
enum candidate {
	NOT_ONE, /* it has nothing to give back, or did not end in time */
	LEAVING,
	MAY_END,
};

static enum candidate candidate(struct process *p)
{
	enum candidate c = NOT_ONE;
	u64 now;

	spin_lock(&p->lock);
	now = port_time_ns(); /* not before somebody ended it */
	if (p->exiting && !p->leaving_since_ns)
		p->leaving_since_ns = now;
	if (!p->exiting && p->mm)
		c = MAY_END;
	else if (p->exiting && !has_left(p) && now - p->leaving_since_ns < PATIENCE_NS)
		c = LEAVING;
	spin_unlock(&p->lock);
	return c;
}

struct victim {
	struct process *process; /* counted, or NULL */
	u64 pages;
	bool leaving; /* already: nobody else has to */
};

/* @p is @v's from now on if it is the better one. */
static void consider(struct victim *v, struct process *p, enum candidate c)
{
	u64 pages = c == MAY_END ? size_of(p) : 0;

	if (c != LEAVING && pages <= v->pages)
		return;
	if (v->process)
		process_put(v->process);
	*v = (struct victim){ process_get(p), pages, c == LEAVING };
}

/* A process that is leaving, or else the largest. */
static struct victim choose(void)
{
	struct victim v = { 0 };
	struct process *p = NULL;

	while (!v.leaving && (p = process_before(p)))
		consider(&v, p, candidate(p));
	if (p)
		process_put(p);
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

static bool has_come_back(void)
{
	return page_counts().free_pages >= ENOUGH_PAGES;
}

/* Ends @v, unless it is ending, and lets it. */
static void end(const struct victim *v)
{
	if (!v->leaving)
		kill(v->process, v->pages);
	if (v->process != current_process())
		wait_until_left(v->process);
}

bool task_memory_is_out(void)
{
	struct victim v;

	if (has_come_back())
		return true; /* or the failure was injected */
	if (task_kill_pending(port_current()))
		return false;
	v = choose();
	if (!v.process)
		return false;
	/* The choice took its time: somebody else's victim may have gone. */
	if (!has_come_back())
		end(&v);
	process_put(v.process);
	return !task_kill_pending(port_current());
}
