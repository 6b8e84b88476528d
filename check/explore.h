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
	/* Facts of the present state, as bits; NULL: none is known. See pairs below. */
	u32 (*facts)(struct explore_run *r);
	u64 outcome; /* a hash of what the last run came to, by run() */
};

/*
 * With SEARCH_SHARED an actor is not interrupted before it comes to a descriptor that no other
 * actor ever conflicts with: none that writes it beside one that reads it (guests' walks count as
 * reads). Such an access commutes with all that the others do, so every run is the same as one
 * that interrupts at the other points, with no more preemptions. Only descriptors are left out:
 * locks, barriers, TLBIs, maintenance and guests' accesses are always points. SEARCH_ALL shows on
 * small cases that nothing is lost (tests/unit/check_reduction.c).
 *
 * Which pairs of program points were visited: one actor passing a point while another stands at a
 * point. A pair that a lock forbids (both hold it, one of them for writing) cannot be visited; nor
 * one of which a fact holds whenever the one point is passed, and never when the other is (a range
 * that is open keeps commits out: they turn back at their check). Of
 * the rest those must be that lie on the actors' own ways, which each goes when it runs first;
 * where an actor comes only because of what another has done, most pairs cannot be: the other is
 * past them.
 */
struct explore_report {
	u64 runs;
	u64 states;    /* different combinations of the actors' places */
	u64 outcomes;  /* different ends */
	u64 ends;      /* the sum of their hashes: equal for equal sets of them */
	u64 pairs;     /* pairs of program points that were visited */
	u64 forbidden; /* not visited: locks exclude them */
	u64 parted;    /* not visited: facts exclude them */
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
