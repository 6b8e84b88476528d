/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who answers where a run may go on in more than one way (struct chooser): chance by a seed, a list
 * that replays an earlier run, or a search through all answers within bounds. Each keeps what it
 * answered, so that any run can be had again.
 */
#ifndef CHECK_CHOOSE_H
#define CHECK_CHOOSE_H

#include <stdio.h>

#include "port/model/actor.h"

/* The answers of one run, in order. */
struct choice {
	u8 kind; /* enum choice_kind */
	u8 taken;
	u8 options;
};

struct answers {
	struct choice *list;
	u32 count, capacity;
};

void answers_free(struct answers *a);
/* As "PLACE:ANSWER,..." of those that are not 0: what a replay needs. "-" if all are 0. */
void answers_print(const struct answers *a, FILE *out);

/* ---- chance */
struct random_chooser {
	struct chooser chooser;
	struct answers answers;
	u64 state;
	/* One in so many gets an answer other than 0. */
	unsigned int preempts, surprises;
};
void random_chooser_init(struct random_chooser *c, u64 seed);
/* 0..@below - 1. */
u64 random_below(u64 *state, u64 below);

/* ---- replay */
struct replay_chooser {
	struct chooser chooser;
	struct answers answers;
	const char *next; /* rest of the text */
};
/* @text as answers_print() writes it; beyond it everything is answered with 0. */
void replay_chooser_init(struct replay_chooser *c, const char *text);

/* ---- search: all runs whose answers deviate from 0 at most so often */
enum search_points {
	SEARCH_SHARED, /* where another actor could tell (check/explore.h) */
	SEARCH_ALL,    /* at every point */
};

struct search_bounds {
	unsigned int preemptions;  /* CHOICE_ACTOR answers other than 0 */
	unsigned int surprises;	   /* CHOICE_HARDWARE answers other than 0 */
	u64 runs;		   /* give up after so many; 0: never */
	enum search_points points; /* where actors are interrupted */
};

struct search_chooser {
	struct chooser chooser;
	struct answers answers; /* of the present run; a prefix of it is kept for the next */
	struct search_bounds bounds;
	u32 place; /* in the present run */
	unsigned int preemptions, surprises;
	bool diverged; /* a replayed prefix met other options: the run is not a function of them */
};
void search_chooser_init(struct search_chooser *c, const struct search_bounds *bounds);
/* After a run: goes to the next one. False: all have been had. */
bool search_next(struct search_chooser *c);

#endif
