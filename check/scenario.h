/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenarios: a text that tells a small story on the modelled machine, a command a line, with what
 * each changes (docs/scenarios.md teaches the language). The verdict is in the file's name: good_*
 * runs to its end whatever hardware and scheduler choose; bad_* is stopped in at least one run, for
 * the reason it names.
 */
#ifndef CHECK_SCENARIO_H
#define CHECK_SCENARIO_H

#include <stdio.h>

#include "check/choose.h"
#include "check/world.h"

struct scenario;

/* Parses @text (the file @path); on bad input writes one line with place, word and what is
 * accepted to @errors and returns NULL. */
struct scenario *scenario_parse(const char *path, const char *text, FILE *errors);
void scenario_free(struct scenario *s);

/* What it is about, as bits: rule Mn, situation of seed Sn, gap Gn of Linux. */
enum { SUBJECT_RULE = 0, SUBJECT_SEED = 20, SUBJECT_GAP = 30, SUBJECTS = 44 };
u64 scenario_subjects(const struct scenario *s);
/* How the run must be stopped; NULL: it must not. */
const char *scenario_stops(const struct scenario *s);
/* Pairs of points that neither locks nor ranges exclude, and that no run can visit all the same. */
u64 scenario_misses(const struct scenario *s);
bool scenario_has_actors(const struct scenario *s);

/* Facts of the CPU, "fwb=off,dic=on,...", laid over what the scenario does not fix itself. On bad
 * input writes a line to @errors and returns false. */
bool scenario_set_cpu(struct scenario *s, const char *facts, FILE *errors);
/* The facts in force, as scenario_set_cpu() takes them. */
void scenario_print_cpu(const struct scenario *s, FILE *out);

/* Whether results and state changes are compared: they are told for runs in which hardware and
 * scheduler do the ordinary. */
enum scenario_compare { COMPARE_NOTHING, COMPARE_STATE };

enum scenario_end {
	SCENARIO_DONE,
	SCENARIO_STOPPED, /* by the machine or the oracle, a dead lock, a livelock */
	SCENARIO_DIFFERS, /* a result or the state is not as told */
};

/* One run; the world is made anew. @out: what differed or stopped it, with the history; may be
 * NULL. */
enum scenario_end scenario_run(struct scenario *s, struct chooser *c, enum scenario_compare compare,
			       struct stage_observer *o, FILE *out);
/* What the last run came to, as a hash: what each command returned, and the state after the actors.
 * Runs that differ in nothing else than who went first where nobody could tell have the same. */
u64 scenario_outcome(const struct scenario *s); /* of a run with an observer */
/* What is being invalidated, as world_ranges() tells. */
u32 scenario_ranges(const struct scenario *s);
/* How the last run was stopped: the first line. */
const char *scenario_stopped_by(const struct scenario *s);
/* Writes the text again, with results and state changes as they are. */
void scenario_update(struct scenario *s, FILE *out);

#endif
