/* SPDX-License-Identifier: Apache-2.0 */
/* Exploration, and the account of what it visited. */
#include "check/explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port/model/machine.h"

enum { POINTS_MAX = 1024, STATES_BITS = 16, TOUCHED_BITS = 14 };

/* A program point of one actor, and the locks that are held there whenever it is passed. */
struct place {
	int actor;
	const char *where;
	struct machine_held held[MACHINE_HELD];
	u32 helds;
	bool own; /* passed while no other actor had begun: it is on the actor's way by itself */
	u32 always, ever; /* facts that held at every visit, and at any */
};

/* A descriptor, and who ever came to it. */
struct touched {
	u64 pa;		     /* 0: free */
	u8 readers, writers; /* by actor */
	bool shared; /* of several actors, one of which writes; as the present search knows it */
};

/* A set of hashes, by open addressing; 0: free. */
struct hashes {
	u64 *slot;
	u64 size, count, sum;
};

struct visits {
	struct stage_observer observer;
	struct explore_run *run;
	struct explore_report *report;
	struct port *p;
	struct stage *s;
	struct place place[POINTS_MAX];
	u32 places;
	u16 bucket[4 * POINTS_MAX]; /* place + 1 */
	u8 pair[POINTS_MAX][POINTS_MAX / 8];
	struct hashes states, outcomes;
	u32 at[ACTORS_MAX];   /* place + 1 of each actor in this run */
	u32 turn[ACTORS_MAX]; /* how many points it has passed */
	struct touched touched[1 << TOUCHED_BITS];
	u32 touched_count;
	u64 restarted_at; /* runs before the search last began anew */
	bool learned; /* a descriptor turned out to be shared that the search took for one's own */
};

/* What is told of a search that lost something would be wrong. */
static __noreturn void no_room(const char *for_what, unsigned long most)
{
	(void)fprintf(stderr, "catwalk: exploration has no room for more than %lu %s\n", most,
		      for_what);
	abort();
}

/* ---- program points */

static u32 bucket_of(int actor, const char *where)
{
	u64 h = (u64)actor + 1;

	for (; *where; where++)
		h = (h ^ (u8)*where) * 0x100000001b3UL;
	return (u32)((h ^ h >> 29) % (4 * POINTS_MAX));
}

static void held_here(const struct visits *v, int actor, struct place *at)
{
	at->helds = machine_locks_held(v->p, stage_cpu(v->s, actor), at->held, MACHINE_HELD);
}

/* Only what is held on every visit excludes others. */
static void held_meet(struct place *place, const struct place *now)
{
	for (u32 i = 0; i < place->helds;) {
		bool found = false;

		for (u32 k = 0; k < now->helds; k++)
			found |= now->held[k].lock == place->held[i].lock &&
				 now->held[k].write == place->held[i].write;
		if (found)
			i++;
		else
			place->held[i] = place->held[--place->helds];
	}
}

static u32 place_of(struct visits *v, int actor, const char *where)
{
	struct place now = { .actor = actor, .where = where, .always = ~0U };
	u32 b = bucket_of(actor, where);

	held_here(v, actor, &now);
	for (; v->bucket[b]; b = (b + 1) % (4 * POINTS_MAX)) {
		struct place *place = &v->place[v->bucket[b] - 1];

		if (place->actor == actor && !strcmp(place->where, where)) {
			held_meet(place, &now);
			return v->bucket[b] - 1U;
		}
	}
	if (v->places == POINTS_MAX)
		no_room("program points", POINTS_MAX);
	v->place[v->places] = now;
	v->bucket[b] = (u16)++v->places;
	return v->places - 1;
}

/* ---- states: where each actor is, and how far it has come */

static void hashes_grow(struct hashes *set);

static void hashes_add(struct hashes *set, u64 h)
{
	u64 i;

	h |= 1;
	for (i = h % set->size; set->slot[i]; i = (i + 1) % set->size) {
		if (set->slot[i] == h)
			return;
	}
	set->slot[i] = h;
	set->sum += h;
	if (2 * ++set->count > set->size)
		hashes_grow(set);
}

static void hashes_grow(struct hashes *set)
{
	u64 *old = set->slot, size = set->size;

	set->size = size ? 4 * size : 1UL << STATES_BITS;
	set->slot = calloc(set->size, sizeof(u64));
	if (!set->slot)
		no_room("states", size);
	set->count = 0;
	set->sum = 0;
	for (u64 i = 0; i < size; i++) {
		if (old[i])
			hashes_add(set, old[i]);
	}
	free(old);
}

static u64 state_hash(const struct visits *v)
{
	u64 h = 0;

	for (int i = 0; i < ACTORS_MAX; i++) {
		h = (h ^ v->at[i]) * 0x9e3779b97f4a7c15UL;
		h = (h ^ v->turn[i] ^ h >> 31) * 0xbf58476d1ce4e5b9UL;
	}
	return h ^ h >> 27;
}

/* ---- whose descriptors are whose */

static struct touched *touched_at(struct visits *v, u64 pa)
{
	u64 i = (pa * 0x9e3779b97f4a7c15UL) >> (64 - TOUCHED_BITS);

	while (v->touched[i].pa && v->touched[i].pa != pa)
		i = (i + 1) % ARRAY_SIZE(v->touched);
	if (!v->touched[i].pa && ++v->touched_count == ARRAY_SIZE(v->touched))
		no_room("descriptors", ARRAY_SIZE(v->touched) - 1);
	v->touched[i].pa = pa;
	return &v->touched[i];
}

static bool has_conflict(const struct touched *t)
{
	u8 all = t->readers | t->writers;

	return t->writers && (all & (all - 1));
}

/*
 * An access that no other actor ever conflicts with commutes with all that others do: to let
 * another go on before it is the same as to let it go on before the access after it. What conflicts
 * is learned as the search goes; each discovery makes it begin anew (learned_anew()), so at its end
 * it knew from its first run on.
 */
static bool is_shared(struct stage_observer *o, int running, pa_t pa, enum machine_touch how)
{
	struct visits *v = container_of(o, struct visits, observer);
	struct touched *t = touched_at(v, pa.v);

	*(how == TOUCH_WRITE ? &t->writers : &t->readers) |= (u8)(1U << running);
	v->learned |= has_conflict(t) && !t->shared;
	return t->shared;
}

static bool learned_anew(struct visits *v)
{
	if (!v->learned)
		return false;
	for (u32 i = 0; i < ARRAY_SIZE(v->touched); i++)
		v->touched[i].shared = has_conflict(&v->touched[i]);
	v->learned = false;
	return true;
}

/* ---- pairs */

static bool is_alone(const struct visits *v, int running)
{
	for (int i = 0; i < ACTORS_MAX; i++) {
		if (i != running && v->turn[i])
			return false;
	}
	return true;
}

static void note_facts(struct place *place, u32 facts)
{
	place->always &= facts;
	place->ever |= facts;
}

static void at_point(struct stage_observer *o, struct stage *s, int running, const char *where)
{
	struct visits *v = container_of(o, struct visits, observer);
	u32 here;

	v->s = s;
	v->p = stage_port(s);
	here = place_of(v, running, where);
	v->place[here].own |= is_alone(v, running);
	note_facts(&v->place[here], v->run->facts ? v->run->facts(v->run) : 0);
	v->at[running] = here + 1;
	v->turn[running]++;
	for (int i = 0; i < ACTORS_MAX; i++) {
		if (i == running || !v->at[i])
			continue;
		v->pair[here][(v->at[i] - 1) / 8] |= (u8)(1U << (v->at[i] - 1) % 8);
	}
	hashes_add(&v->states, state_hash(v));
}

static bool visited(const struct visits *v, u32 a, u32 b)
{
	return (v->pair[a][b / 8] >> b % 8 & 1) || (v->pair[b][a / 8] >> a % 8 & 1);
}

static bool excluded(const struct place *a, const struct place *b)
{
	for (u32 i = 0; i < a->helds; i++) {
		for (u32 k = 0; k < b->helds; k++) {
			if (a->held[i].lock == b->held[k].lock &&
			    (a->held[i].write || b->held[k].write))
				return true;
		}
	}
	return false;
}

static bool parted(const struct place *a, const struct place *b)
{
	return (a->always & ~b->ever) || (b->always & ~a->ever);
}

static void count_pairs(const struct visits *v, FILE *missed)
{
	struct explore_report *r = v->report;

	for (u32 a = 0; a < v->places; a++) {
		for (u32 b = 0; b < a; b++) {
			const struct place *x = &v->place[a], *y = &v->place[b];

			if (x->actor == y->actor)
				continue;
			if (visited(v, a, b)) {
				r->pairs++;
			} else if (excluded(x, y)) {
				r->forbidden++;
			} else if (parted(x, y)) {
				r->parted++;
			} else if (x->own && y->own) {
				r->missed++;
				if (missed)
					fprintf(missed, "missed: %s, %s\n", x->where, y->where);
			}
		}
	}
}

/* ---- the search */

static struct visits *visits_new(struct explore_report *report, const struct search_bounds *bounds)
{
	struct visits *v = calloc(1, sizeof(*v));

	if (!v)
		abort();
	v->observer.at_point = at_point;
	if (bounds->points == SEARCH_SHARED)
		v->observer.is_shared = is_shared;
	v->report = report;
	hashes_grow(&v->states);
	hashes_grow(&v->outcomes);
	return v;
}

static void visits_delete(struct visits *v)
{
	free(v->states.slot);
	free(v->outcomes.slot);
	free(v);
}

/* False: it was stopped, or cannot be had again. */
static bool run_one(struct explore_run *r, struct search_chooser *c, struct visits *v)
{
	struct explore_report *report = v->report;

	memset(v->at, 0, sizeof(v->at));
	memset(v->turn, 0, sizeof(v->turn));
	report->runs++;
	v->run = r;
	report->stopped = !r->run(r, &c->chooser, &v->observer);
	report->diverged = c->diverged;
	if (report->stopped || report->diverged)
		return false;
	hashes_add(&v->outcomes, r->outcome);
	return true;
}

/* The next run, or the first of a search that knows more. False: there is none. */
static bool go_on(struct search_chooser *c, struct visits *v)
{
	struct search_bounds bounds = c->bounds;

	if (!learned_anew(v))
		return search_next(c);
	answers_free(&c->answers);
	search_chooser_init(c, &bounds);
	v->restarted_at = v->report->runs;
	return true;
}

struct explore_report explore(struct explore_run *r, const struct search_bounds *bounds,
			      struct search_chooser *c, FILE *missed)
{
	struct explore_report report = { .complete = false };
	struct visits *v = visits_new(&report, bounds);
	bool goes_on = true, within = true;

	search_chooser_init(c, bounds);
	while (goes_on && within && run_one(r, c, v)) {
		within = !bounds->runs || report.runs - v->restarted_at < bounds->runs;
		goes_on = within && go_on(c, v);
		report.complete = within && !goes_on;
	}
	report.states = v->states.count;
	report.outcomes = v->outcomes.count;
	report.ends = v->outcomes.sum;
	count_pairs(v, missed);
	visits_delete(v);
	return report;
}
