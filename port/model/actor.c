/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actors of the modelled machine: coroutines, one of which runs. An actor gives up the
 * processor only here: at scheduling points, where the chooser decides; when it waits; at its end.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "port/model/actor.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "port/model/fiber.h"
#include "port/model/machine.h"

/* RELAX_TURNS: how often an actor that waits at relax points may go on by itself. SKIPS: how
 * often one that waits may be passed over where somebody else has to go on. */
enum { STACK_SIZE = 256 << 10, RELAX_TURNS = 2, SKIPS = 3 };

enum actor_state {
	ACTOR_READY,
	ACTOR_WAITS, /* until another actor has passed a point */
	ACTOR_DONE,
};

struct actor {
	const char *name;
	unsigned int cpu;
	void (*fn)(void *arg);
	void *arg;
	enum actor_state state;
	const char *where;    /* the last point it passed */
	bool looked;	      /* it waited, was woken, and has done nothing since */
	bool progressed;      /* it has changed a descriptor since its last relax point */
	unsigned int relaxed; /* relax points at which it went on since others last ran */
	unsigned int skipped; /* times it was passed over since it last ran */
	u64 left;	      /* when it last stopped running; who waits longest comes first */
	struct fiber fiber;
};

struct stage {
	struct port *p;
	struct chooser *chooser;
	struct stage_observer *observer;
	struct actor actor[ACTORS_MAX];
	int count;
	int current; /* -1: no actor runs */
	u64 points, limit;
	u64 turns;   /* changes of who runs */
	bool shared; /* can others tell of the descriptor access that comes? */
	enum stage_end end;
	int stopped; /* actors of the run that was stopped */
	struct fiber home;
};

/* ---- stacks: kept for the next run, as exploration makes many short ones */

static void *spare[ACTORS_MAX];
static int spares;

static void *stack_get(void)
{
	void *stack;

	if (spares)
		return spare[--spares];
	stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack == MAP_FAILED)
		abort();
	return stack;
}

static void stack_put(void *stack)
{
	if (spares < ACTORS_MAX)
		spare[spares++] = stack;
	else
		munmap(stack, STACK_SIZE);
}

/* ---- what is asked of a stage */

void stage_add(struct stage *s, const char *name, unsigned int cpu, void (*fn)(void *arg),
	       void *arg)
{
	if (s->count == ACTORS_MAX)
		abort();
	s->actor[s->count++] = (struct actor){ .name = name, .cpu = cpu, .fn = fn, .arg = arg };
}

void stage_limit(struct stage *s, u64 points)
{
	s->limit = points;
}

void stage_observe(struct stage *s, struct stage_observer *o)
{
	s->observer = o;
}

u64 stage_points(const struct stage *s)
{
	return s->points;
}

struct port *stage_port(const struct stage *s)
{
	return s->p;
}

void stage_print(const struct stage *s, FILE *out)
{
	for (int i = 0; i < s->stopped; i++)
		fprintf(out, "  %s on CPU %u: %s\n", s->actor[i].name, s->actor[i].cpu,
			s->actor[i].where ? s->actor[i].where : "not begun");
}

unsigned int stage_cpu(const struct stage *s, int actor)
{
	return s->actor[actor].cpu;
}

const char *stage_actor(const struct stage *s)
{
	return s->current < 0 ? "" : s->actor[s->current].name;
}

int stage_actor_index(const struct stage *s)
{
	return s->current;
}

/* ---- switching */

static struct stage *starting; /* makecontext() hands over integers only */

static void actor_main(void)
{
	struct stage *s = starting;
	struct actor *a = &s->actor[s->current];

	fiber_begin(&s->home); /* the first actor comes from there */
	a->fn(a->arg);
	a->state = ACTOR_DONE;
	fiber_end(&s->home);
}

static void actor_prepare(struct actor *a)
{
	a->state = ACTOR_READY;
	a->relaxed = 0;
	a->progressed = false;
	a->skipped = 0;
	a->left = 0;
	a->looked = false;
	a->where = NULL;
	a->fiber.stack = stack_get();
	a->fiber.size = STACK_SIZE;
	if (getcontext(&a->fiber.context))
		abort();
	a->fiber.context.uc_stack.ss_sp = (void *)a->fiber.stack;
	a->fiber.context.uc_stack.ss_size = STACK_SIZE;
	a->fiber.context.uc_link = NULL;
	makecontext(&a->fiber.context, actor_main, 0);
}

/* From @from (an actor, or -1: the runner) to actor @to. */
static void switch_to(struct stage *s, int from, int to)
{
	if (to == from)
		return;
	if (from >= 0)
		s->actor[from].left = ++s->turns;
	s->current = to;
	s->actor[to].skipped = 0;
	machine_cpu(s->p, s->actor[to].cpu);
	starting = s;
	fiber_switch(from < 0 ? &s->home : &s->actor[from].fiber, &s->actor[to].fiber);
	s->current = from;
	if (from < 0)
		return;
	s->actor[from].relaxed = 0;
	machine_cpu(s->p, s->actor[from].cpu);
}

/* Ends the run, from whatever depth of the present actor. */
static void stop(struct stage *s, enum stage_end end)
{
	s->end = end;
	s->stopped = s->count;
	for (int i = 0; i < s->count; i++)
		s->actor[i].state = ACTOR_DONE;
	fiber_end(&s->home);
	abort();
}

/* ---- who goes on */

/* The ready actors: the present one, then those that have not run for longest, so that loops that
 * wait for each other cannot starve a third. */
struct candidates {
	int actor[ACTORS_MAX];
	unsigned int count;
};

static void candidate_add(const struct stage *s, struct candidates *c, unsigned int from, int i)
{
	unsigned int at = c->count++;

	for (; at > from && s->actor[c->actor[at - 1]].left > s->actor[i].left; at--)
		c->actor[at] = c->actor[at - 1];
	c->actor[at] = i;
}

static struct candidates candidates_of(const struct stage *s)
{
	struct candidates c = { .count = 0 };
	unsigned int from;

	if (s->current >= 0 && s->actor[s->current].state == ACTOR_READY)
		c.actor[c.count++] = s->current;
	from = c.count;
	for (int i = 0; i < s->count; i++) {
		if (i != s->current && s->actor[i].state == ACTOR_READY)
			candidate_add(s, &c, from, i);
	}
	return c;
}

/* The present actor comes last instead of first. */
static void candidates_turn(struct candidates *c)
{
	int present = c->actor[0];

	for (unsigned int i = 1; i < c->count; i++)
		c->actor[i - 1] = c->actor[i];
	c->actor[c->count - 1] = present;
}

static unsigned int ask(struct stage *s, enum choice_kind kind, unsigned int what,
			unsigned int options)
{
	unsigned int answer;

	if (options < 2)
		return 0;
	answer = s->chooser->choose(s->chooser, kind, what, options);
	if (answer >= options)
		machine_stop(s->p, "a chooser answered %u of %u", answer, options);
	return answer;
}

static void wake_waiting(struct stage *s)
{
	for (int i = 0; i < s->count; i++) {
		if (i != s->current && s->actor[i].state == ACTOR_WAITS)
			s->actor[i].state = ACTOR_READY;
	}
}

static void observe(struct stage *s, const char *where, enum choice_kind kind)
{
	s->actor[s->current].where = s->p->site ? s->p->site : where;
	if (s->observer && kind != CHOICE_LOCAL)
		s->observer->at_point(s->observer, s, s->current, s->actor[s->current].where);
}

/* Who goes on where the present actor waits. None is passed over for ever: a schedule that starves
 * an actor is none that a machine has. */
static int pick(struct stage *s, const struct candidates *c)
{
	int to;

	if (s->actor[c->actor[0]].skipped >= SKIPS)
		return c->actor[0];
	to = c->actor[ask(s, CHOICE_YIELD, 0, c->count)];
	for (unsigned int i = 0; i < c->count; i++)
		s->actor[c->actor[i]].skipped += c->actor[i] != to;
	return to;
}

/* The present actor has come to @where. What it did may be what others wait for. */
static void pass(struct stage *s, const char *where, enum choice_kind kind)
{
	wake_waiting(s);
	observe(s, where, kind);
	s->actor[s->current].looked = false;
	if (++s->points > s->limit)
		stop(s, STAGE_LIVELOCK);
}

static void point(struct stage *s, const char *where, enum choice_kind kind)
{
	struct candidates c;

	if (s->current < 0)
		return;
	pass(s, where, kind);
	c = candidates_of(s);
	switch_to(s, s->current, c.actor[ask(s, kind, 0, c.count)]);
}

void stage_point(struct stage *s, const char *where)
{
	point(s, where, CHOICE_ACTOR);
}

/*
 * The present actor is at a relax point. If it has changed something since its last one, it is a
 * point like others: it may go on for nothing, to be interrupted costs. If not, it may be a loop
 * that waits for others: who waits longest comes next, and that it goes on itself, or another comes
 * out of turn, is what costs; or each turn would have a choice that changes nothing.
 */
static void relax(struct stage *s, const char *where)
{
	struct actor *a;
	struct candidates c;
	unsigned int stays;

	if (s->current < 0)
		return;
	a = &s->actor[s->current];
	if (a->progressed) {
		a->progressed = false;
		point(s, where, CHOICE_ACTOR);
		return;
	}
	pass(s, where, CHOICE_ACTOR);
	c = candidates_of(s);
	stays = c.count == 1 || a->relaxed < RELAX_TURNS;
	candidates_turn(&c);
	a->relaxed++;
	switch_to(s, s->current, c.actor[ask(s, CHOICE_ACTOR, 0, c.count - 1 + stays)]);
}

void stage_wait(struct stage *s, const char *where)
{
	struct candidates c;
	struct actor *a;

	if (s->current < 0)
		return;
	a = &s->actor[s->current];
	observe(s, where, CHOICE_YIELD);
	/* What it did since its last point may be what others wait for. */
	if (!a->looked)
		wake_waiting(s);
	a->looked = true;
	a->state = ACTOR_WAITS;
	c = candidates_of(s);
	if (!c.count)
		stop(s, STAGE_DEADLOCK);
	switch_to(s, s->current, pick(s, &c));
	a->state = ACTOR_READY;
}

unsigned int stage_choose(struct stage *s, unsigned int what, unsigned int options)
{
	return ask(s, CHOICE_HARDWARE, what, options);
}

/* ---- hooks: what the machine tells and asks */

static void on_step(void *arg, enum machine_step kind, const char *where)
{
	struct stage *s = arg;

	switch (kind) {
	case STEP_POINT: stage_point(s, where); break;
	case STEP_TOUCH: point(s, where, s->shared ? CHOICE_ACTOR : CHOICE_LOCAL); break;
	case STEP_RELAX: relax(s, where); break;
	case STEP_WAIT: stage_wait(s, where); break;
	}
}

static void on_touch(void *arg, pa_t pa, enum machine_touch how)
{
	struct stage *s = arg;
	struct stage_observer *o = s->observer;

	if (s->current >= 0)
		s->actor[s->current].progressed |= how == TOUCH_WRITE;
	s->shared = s->current < 0 || !o || !o->is_shared || o->is_shared(o, s->current, pa, how);
}

static unsigned int on_choice(void *arg, enum machine_choice what, unsigned int options)
{
	return stage_choose(arg, what, options);
}

static void on_refusal(void *arg)
{
	struct stage *s = arg;

	if (s->current >= 0)
		stop(s, STAGE_REFUSED);
}

/* ---- the run */

/* An actor that ended may be what others waited for. */
static void run_all(void *arg)
{
	struct stage *s = arg;
	struct candidates c = candidates_of(s);

	while (c.count) {
		switch_to(s, -1, c.actor[ask(s, CHOICE_YIELD, 0, c.count)]);
		wake_waiting(s);
		c = candidates_of(s);
	}
}

enum stage_end stage_run(struct stage *s)
{
	s->points = 0;
	s->stopped = 0;
	s->end = STAGE_DONE;
	for (int i = 0; i < s->count; i++)
		actor_prepare(&s->actor[i]);
	machine_on_step(s->p, on_step, s);
	machine_on_touch(s->p, on_touch, s);
	if (machine_refuses(s->p, run_all, s))
		s->end = STAGE_REFUSED;
	machine_on_step(s->p, NULL, NULL);
	machine_on_touch(s->p, NULL, NULL);
	for (int i = 0; i < s->count; i++)
		stack_put((void *)s->actor[i].fiber.stack);
	s->current = -1;
	s->count = 0;
	return s->end;
}

/* ---- sleeping locks */

void stage_mutex_lock(struct stage *s, struct stage_mutex *m)
{
	stage_point(s, "mutex lock");
	if (m->owner && m->owner == s->current + 1)
		machine_stop(s->p, "a mutex is taken twice by %s", stage_actor(s));
	while (m->owner && s->current >= 0)
		stage_wait(s, "mutex lock");
	m->owner = s->current + 1;
}

void stage_mutex_unlock(struct stage *s, struct stage_mutex *m)
{
	if (m->owner != s->current + 1)
		machine_stop(s->p, "a mutex is released by another than its owner");
	m->owner = 0;
	stage_point(s, "mutex unlocked");
}

/* ---- life */

struct stage *stage_new(struct port *p, struct chooser *c)
{
	struct stage *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->p = p;
	s->chooser = c;
	s->current = -1;
	s->limit = 100000;
	machine_on_choice(p, on_choice, s);
	machine_on_stop(p, on_refusal, s);
	return s;
}

void stage_delete(struct stage *s)
{
	machine_on_choice(s->p, NULL, NULL);
	machine_on_stop(s->p, NULL, NULL);
	free(s);
}
