/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exhaustive exploration: all runs of a few actors within bounds, by depth-first search over the
 * answers of their chooser. Each run starts anew: nothing is kept but the answers.
 */
#ifndef CHECK_EXPLORE_H
#define CHECK_EXPLORE_H

#include "check/choose.h"

/* One run from the beginning, its world made by the callee. False: it was stopped (a breach, a dead
 * lock, a livelock); the search ends there. */
struct explore_run {
	bool (*run)(struct explore_run *r, struct chooser *c, struct stage_observer *o);
};

/*
 * Which pairs of program points were visited: one actor passing a point while another stands at a
 * point. A pair that a lock forbids (both hold it, one of them for writing) cannot be visited. Of
 * the rest those must be that lie on the actors' own ways, which each goes when it runs first;
 * where an actor comes only because of what another has done, most pairs cannot be: the other is
 * past them.
 */
struct explore_report {
	u64 runs;
	u64 states;    /* different combinations of the actors' places */
	u64 pairs;     /* pairs of program points that were visited */
	u64 forbidden; /* not visited: locks exclude them */
	u64 missed;    /* not visited, on both actors' own ways, though nothing excludes them */
	bool complete; /* all runs within the bounds were had */
	bool stopped;  /* by a run that returned false; its answers are in the chooser */
	bool diverged;
};

/* Runs @r until all was explored, or a run is stopped. @c is the chooser that was used. @missed
 * (may be NULL) gets a line for each pair that nothing excludes and that was not visited. */
struct explore_report explore(struct explore_run *r, const struct search_bounds *bounds,
			      struct search_chooser *c, FILE *missed);

#endif
