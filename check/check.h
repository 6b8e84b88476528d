/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `catwalk check` does: runs scenarios on the modelled machine, in the runs asked for, and a
 * random life of the whole. It prints a line for each scenario that fails, or for all.
 */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum check_how {
	CHECK_QUICK,	  /* all runs within small bounds, at most QUICK_RUNS of them */
	CHECK_EXHAUSTIVE, /* all runs within the bounds */
	CHECK_RANDOM,	  /* so many runs by chance */
	CHECK_REPLAY,	  /* one run */
	CHECK_UPDATE,	  /* writes results and state changes into the files */
};

/* Where actors are interrupted: where another could tell (check/explore.h), or everywhere. */
enum check_points { CHECK_SHARED_POINTS, CHECK_ALL_POINTS };

enum check_verbosity { CHECK_TERSE, CHECK_VERBOSE };

/* Must the scenarios together be about each rule, seed and gap, good and bad? */
enum check_subjects { CHECK_SUBJECTS_ANY, CHECK_SUBJECTS_COMPLETE };

struct check_request {
	enum check_how how;
	enum check_verbosity verbosity;
	enum check_subjects subjects;
	uint64_t seed, runs;		     /* CHECK_RANDOM */
	unsigned int preemptions, surprises; /* CHECK_EXHAUSTIVE */
	enum check_points points;	     /* CHECK_EXHAUSTIVE */
	const char *answers;		     /* CHECK_REPLAY, as a failure prints them */
	const char *cpu;		     /* facts laid over the scenarios', or NULL */
};

/* The bounds of CHECK_EXHAUSTIVE within which each pair of points is visited that can be. */
enum { EXHAUSTIVE_PREEMPTIONS = 3, EXHAUSTIVE_SURPRISES = 2 };

/* Files, and folders with *.scn in them. 0: all as their names say; 1: not; 2: bad input, after a
 * line on standard error. */
int check_scenarios(const struct check_request *r, char *const *paths, size_t count);

/* A random life (check/simulate.h): @seeds of them from @seed on. */
struct simulate_request {
	uint64_t seed, seeds;
	uint64_t operations; /* of each */
	const char *cpu;     /* facts laid over those that the seed chooses, or NULL */
};
/* 0, 1 or 2 as above. */
int check_simulate(const struct simulate_request *r);

#endif
