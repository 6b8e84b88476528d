/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actors: coroutines that share one modelled machine, each on a CPU of its own, so that every
 * interleaving of their lock and port calls can be had, and had again. At each scheduling point a
 * chooser says who goes on; it also says what the hardware does where the architecture leaves it
 * open (port/model/machine.h, machine_on_choice). A run is therefore a function of the answers of
 * its chooser: a list of small numbers replays it.
 *
 * EL2 code is not preempted by anything on its own CPU; so one actor a CPU loses no interleaving.
 */
#ifndef PORT_MODEL_ACTOR_H
#define PORT_MODEL_ACTOR_H

#include <stdio.h>

#include "engine/types.h"
#include "port/model/machine.h"

struct port;
struct stage; /* the actors of one run */

enum { ACTORS_MAX = 8 };

/* What is asked of a chooser. Answer 0 is always the ordinary one. */
enum choice_kind {
	CHOICE_ACTOR,	 /* who goes on, where the present actor could; 0: it does, or at a relax
			    point where nothing came of its turn, who waits longest */
	CHOICE_LOCAL,	 /* the same, before something that no other actor can tell */
	CHOICE_YIELD,	 /* who goes on, where the present actor waits or ended */
	CHOICE_HARDWARE, /* what hardware does; see enum machine_choice */
	CHOICE_KINDS,
};

struct chooser {
	/* 0..@options - 1; @options is at least 2. @what: program point or enum machine_choice. */
	unsigned int (*choose)(struct chooser *c, enum choice_kind kind, unsigned int what,
			       unsigned int options);
};

/* How a run ended. */
enum stage_end {
	STAGE_DONE,	/* every actor returned */
	STAGE_REFUSED,	/* the machine or an oracle stopped it: machine_refusal() */
	STAGE_DEADLOCK, /* every actor left waits for another */
	STAGE_LIVELOCK, /* more scheduling points than stage_limit() */
};

/* The actors of @p; while they run it is who the machine asks at steps and touches, and always at
 * choices. */
struct stage *stage_new(struct port *p, struct chooser *c);
void stage_delete(struct stage *s);
/* Adds an actor that runs @fn(@arg) on CPU @cpu. @name is kept, not copied. */
void stage_add(struct stage *s, const char *name, unsigned int cpu, void (*fn)(void *arg),
	       void *arg);
/* Most scheduling points of one run; beyond, it counts as a livelock. Default 100000. */
void stage_limit(struct stage *s, u64 points);
/* Runs the actors to their end. Coroutines left over are given up. */
enum stage_end stage_run(struct stage *s);
/* Scheduling points passed in the last run. */
u64 stage_points(const struct stage *s);

/* ---- called by actors, and by the machine on their behalf; outside a run they do nothing */

/* A scheduling point with a name (a program point; static storage): another actor may go on. */
void stage_point(struct stage *s, const char *where);
/* The present actor cannot go on before another has done something: gives way. Repeating this while
 * nobody else can run is a deadlock. */
void stage_wait(struct stage *s, const char *where);
/* What the hardware does, of @options. */
unsigned int stage_choose(struct stage *s, unsigned int what, unsigned int options);
/* The running actor's name and index; "" and -1 outside a run. */
const char *stage_actor(const struct stage *s);
int stage_actor_index(const struct stage *s);

/* A lock that sleepers wait for (the slots lock, the mm lock); not recursive. */
struct stage_mutex {
	int owner; /* actor index + 1; 0: free */
};
void stage_mutex_lock(struct stage *s, struct stage_mutex *m);
void stage_mutex_unlock(struct stage *s, struct stage_mutex *m);

/* For measuring what was visited, and for leaving out what makes no difference. NULL: none. */
struct stage_observer {
	/* Actor @running passes point @where; not called for a descriptor that is not shared. */
	void (*at_point)(struct stage_observer *o, struct stage *s, int running, const char *where);
	/* It reads or may write the descriptor at @pa. Can another actor tell? NULL: it can. */
	bool (*is_shared)(struct stage_observer *o, int running, pa_t pa, enum machine_touch how);
};
void stage_observe(struct stage *s, struct stage_observer *o);
/* Where the actors of the last run stood when it was stopped, a line each. */
void stage_print(const struct stage *s, FILE *out);
struct port *stage_port(const struct stage *s);
unsigned int stage_cpu(const struct stage *s, int actor);

#endif
