/* SPDX-License-Identifier: Apache-2.0 */
/* Exploration, and the account of what it visited. */
#include "check/explore.h"

#include <stdlib.h>
#include <string.h>

#include "port/model/machine.h"

enum { POINTS_MAX = 1024, STATES_BITS = 16 };

/* A program point of one actor, and the locks that are held there whenever it is passed. */
struct place {
	int actor;
	const char *where;
	struct machine_held held[MACHINE_HELD];
	u32 helds;
	bool own; /* passed while no other actor had begun: it is on the actor's way by itself */
};

struct visits {
	struct stage_observer observer;
	struct explore_report *report;
	struct port *p;
	struct stage *s;
	struct place place[POINTS_MAX];
	u32 places;
	u16 bucket[4 * POINTS_MAX]; /* place + 1 */
	u8 pair[POINTS_MAX][POINTS_MAX / 8];
	u64 *state; /* hashes, open addressing; 0: free */
	u64 states_size;
	u32 at[ACTORS_MAX];   /* place + 1 of each actor in this run */
	u32 turn[ACTORS_MAX]; /* how many points it has passed */
};

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
	struct place now = { .actor = actor, .where = where };
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
		return POINTS_MAX - 1;
	v->place[v->places] = now;
	v->bucket[b] = (u16)++v->places;
	return v->places - 1;
}

/* ---- states: where each actor is, and how far it has come */

static void states_grow(struct visits *v);

static void state_add(struct visits *v, u64 h)
{
	u64 i;

	h |= 1;
	for (i = h % v->states_size; v->state[i]; i = (i + 1) % v->states_size) {
		if (v->state[i] == h)
			return;
	}
	v->state[i] = h;
	if (2 * ++v->report->states > v->states_size)
		states_grow(v);
}

static void states_grow(struct visits *v)
{
	u64 *old = v->state, size = v->states_size;

	v->states_size = size ? 4 * size : 1UL << STATES_BITS;
	v->state = calloc(v->states_size, sizeof(u64));
	if (!v->state)
		abort();
	v->report->states = 0;
	for (u64 i = 0; i < size; i++) {
		if (old[i])
			state_add(v, old[i]);
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

/* ---- pairs */

static bool is_alone(const struct visits *v, int running)
{
	for (int i = 0; i < ACTORS_MAX; i++) {
		if (i != running && v->turn[i])
			return false;
	}
	return true;
}

static void at_point(struct stage_observer *o, struct stage *s, int running, const char *where)
{
	struct visits *v = container_of(o, struct visits, observer);
	u32 here;

	v->s = s;
	v->p = stage_port(s);
	here = place_of(v, running, where);
	v->place[here].own |= is_alone(v, running);
	v->at[running] = here + 1;
	v->turn[running]++;
	for (int i = 0; i < ACTORS_MAX; i++) {
		if (i == running || !v->at[i])
			continue;
		v->pair[here][(v->at[i] - 1) / 8] |= (u8)(1U << (v->at[i] - 1) % 8);
	}
	state_add(v, state_hash(v));
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
			} else if (x->own && y->own) {
				r->missed++;
				if (missed)
					fprintf(missed, "missed: %s, %s\n", x->where, y->where);
			}
		}
	}
}

/* ---- the search */

struct explore_report explore(struct explore_run *r, const struct search_bounds *bounds,
			      struct search_chooser *c, FILE *missed)
{
	struct explore_report report = { .complete = true };
	struct visits *v = calloc(1, sizeof(*v));

	if (!v)
		abort();
	v->observer.at_point = at_point;
	v->report = &report;
	states_grow(v);
	search_chooser_init(c, bounds);
	do {
		memset(v->at, 0, sizeof(v->at));
		memset(v->turn, 0, sizeof(v->turn));
		report.runs++;
		report.stopped = !r->run(r, &c->chooser, &v->observer);
		report.diverged = c->diverged;
		if (report.stopped || report.diverged)
			break;
		report.complete = !bounds->runs || report.runs < bounds->runs;
	} while (report.complete && search_next(c));
	report.complete &= !report.stopped && !report.diverged;
	count_pairs(v, missed);
	free(v->state);
	free(v);
	return report;
}
