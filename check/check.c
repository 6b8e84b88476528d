/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios by file: in which runs each is tried, and whether it behaves as its name says. */
#include "check/check.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check/explore.h"
#include "check/scenario.h"

enum { QUICK_RUNS = 3000, QUICK_PREEMPTIONS = 1, QUICK_SURPRISES = 1 };

/* What became of one scenario. */
struct trial {
	struct explore_run explore; /* first: explore() calls back with it */
	const struct check_request *request;
	struct scenario *scenario;
	const char *path;
	const struct answers *answers; /* of the present run */
	uint64_t runs;
	bool stopped_as_told; /* a bad_ scenario was */
	bool failed;
};

/* ---- one run */

static void print_replay(const struct trial *t)
{
	printf("to see this run again:\n  catwalk check --cpu ");
	scenario_print_cpu(t->scenario, stdout);
	printf(" --replay ");
	answers_print(t->answers, stdout);
	printf(" %s\n", t->path);
}

static bool stops_as_told(const struct trial *t)
{
	const char *told = scenario_stops(t->scenario);

	return told && !strncmp(scenario_stopped_by(t->scenario), told, strlen(told));
}

/* The first run is the ordinary one, for which states are told; on the CPU for which they are. */
static enum scenario_compare comparing(const struct trial *t)
{
	return t->runs == 0 && !t->request->cpu ? COMPARE_STATE : COMPARE_NOTHING;
}

/* Again, with an account of what went wrong. */
static void tell(struct trial *t, enum scenario_compare compare)
{
	struct replay_chooser again;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	answers_print(t->answers, f);
	if (fclose(f))
		abort();
	replay_chooser_init(&again, text);
	(void)scenario_run(t->scenario, &again.chooser, compare, NULL, stdout);
	print_replay(t);
	answers_free(&again.answers);
	free(text);
}

/* False: nothing more is to be tried. */
static bool run_once(struct trial *t, struct chooser *c, struct stage_observer *o)
{
	enum scenario_compare compare = comparing(t);
	enum scenario_end end = scenario_run(t->scenario, c, compare, o, NULL);

	t->runs++;
	t->explore.outcome = scenario_outcome(t->scenario);
	if (end == SCENARIO_DONE)
		return true;
	if (end == SCENARIO_STOPPED && stops_as_told(t)) {
		t->stopped_as_told = true;
		return false;
	}
	t->failed = true;
	tell(t, compare);
	return false;
}

/* ---- the ways to choose runs */

static bool explore_one(struct explore_run *r, struct chooser *c, struct stage_observer *o)
{
	struct trial *t = container_of(r, struct trial, explore);

	t->answers = &container_of(c, struct search_chooser, chooser)->answers;
	return run_once(t, c, o);
}

static u32 facts_of(struct explore_run *r)
{
	const struct trial *t = container_of(r, struct trial, explore);

	return scenario_ranges(t->scenario);
}

static void print_report(const struct trial *t, const struct explore_report *r)
{
	printf("%s: %lu runs, %lu states, %lu outcomes", t->path, (unsigned long)r->runs,
	       (unsigned long)r->states, (unsigned long)r->outcomes);
	if (scenario_has_actors(t->scenario))
		printf(", pairs of points: %lu visited, %lu excluded by locks, %lu by ranges, %lu missed",
		       (unsigned long)r->pairs, (unsigned long)r->forbidden,
		       (unsigned long)r->parted, (unsigned long)r->missed);
	printf("%s\n", r->complete || r->stopped ? "" : ", not complete");
}

/* Within these bounds every pair is visited that can be; told for the scenario's own CPU. */
static void compare_misses(struct trial *t, uint64_t missed)
{
	if (missed == scenario_misses(t->scenario))
		return;
	printf("%s: %lu pairs of points were missed, and the scenario tells of %lu\n", t->path,
	       (unsigned long)missed, (unsigned long)scenario_misses(t->scenario));
	t->failed = true;
}

static void run_search(struct trial *t, const struct search_bounds *bounds)
{
	FILE *missed = t->request->verbosity == CHECK_VERBOSE ? stdout : NULL;
	struct search_chooser chooser;
	struct explore_report report;

	t->explore.run = explore_one;
	t->explore.facts = facts_of;
	report = explore(&t->explore, bounds, &chooser, missed);
	answers_free(&chooser.answers);
	if (report.diverged) {
		printf("%s: a run cannot be had again: something beside the answers decides\n",
		       t->path);
		t->failed = true;
	}
	if (t->request->verbosity == CHECK_VERBOSE || t->request->how == CHECK_EXHAUSTIVE)
		print_report(t, &report);
	if (!t->request->cpu && bounds->points == SEARCH_SHARED &&
	    bounds->preemptions >= EXHAUSTIVE_PREEMPTIONS &&
	    bounds->surprises >= EXHAUSTIVE_SURPRISES && report.complete)
		compare_misses(t, report.missed);
}

static void run_random(struct trial *t)
{
	bool goes_on = true;

	t->runs = 1; /* none of them is the ordinary run */
	for (uint64_t i = 0; goes_on && i < t->request->runs; i++) {
		struct random_chooser chooser;

		random_chooser_init(&chooser, t->request->seed + i);
		t->answers = &chooser.answers;
		goes_on = run_once(t, &chooser.chooser, NULL);
		answers_free(&chooser.answers);
	}
}

static void run_replay(struct trial *t)
{
	struct replay_chooser chooser;
	enum scenario_end end;

	replay_chooser_init(&chooser, t->request->answers);
	end = scenario_run(t->scenario, &chooser.chooser, COMPARE_NOTHING, NULL, stdout);
	t->stopped_as_told = end == SCENARIO_STOPPED && stops_as_told(t);
	t->failed = end != SCENARIO_DONE && !t->stopped_as_told;
	answers_free(&chooser.answers);
}

static void run_update(struct trial *t)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	scenario_update(t->scenario, f);
	if (fclose(f))
		abort();
	f = fopen(t->path, "w");
	t->failed = !f || fputs(text, f) < 0 || fclose(f);
	if (t->failed)
		fprintf(stderr, "catwalk: %s: %s\n", t->path, strerror(errno));
	free(text);
}

static void try_scenario(struct trial *t)
{
	const struct check_request *r = t->request;
	const struct search_bounds quick = { QUICK_PREEMPTIONS, QUICK_SURPRISES, QUICK_RUNS,
					     SEARCH_SHARED },
				   all = { r->preemptions, r->surprises, 0,
					   r->points == CHECK_ALL_POINTS ? SEARCH_ALL
									 : SEARCH_SHARED };

	switch (r->how) {
	case CHECK_QUICK: run_search(t, &quick); break;
	case CHECK_EXHAUSTIVE: run_search(t, &all); break;
	case CHECK_RANDOM: run_random(t); break;
	case CHECK_REPLAY: run_replay(t); break;
	case CHECK_UPDATE: run_update(t); return;
	}
	if (!t->failed && scenario_stops(t->scenario) && !t->stopped_as_told) {
		printf("%s: %lu runs, and none is stopped by \"%s\"\n", t->path,
		       (unsigned long)t->runs, scenario_stops(t->scenario));
		t->failed = true;
	}
}

/* ---- files */

static char *file_read(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;
	ssize_t length = f ? getdelim(&text, &size, '\0', f) : -1;

	if (f)
		(void)fclose(f);
	if (f && length < 0 && !errno) {
		free(text);
		return strdup("");
	}
	if (length >= 0)
		return text;
	free(text);
	return NULL;
}

struct tally {
	uint64_t passed, failed;
	uint64_t good[SUBJECTS], bad[SUBJECTS]; /* scenarios about each subject */
};

static void count_subjects(const struct scenario *s, struct tally *tally)
{
	for (unsigned int i = 0; i < SUBJECTS; i++) {
		if (!(scenario_subjects(s) & BIT(i)))
			continue;
		if (scenario_stops(s))
			tally->bad[i]++;
		else
			tally->good[i]++;
	}
}

static const struct {
	char letter;
	unsigned int bit, first, last;
} kinds[] = {
	{ 'M', SUBJECT_RULE, 1, 18 },
	{ 'S', SUBJECT_SEED, 0, 4 },
	{ 'G', SUBJECT_GAP, 1, 13 },
};

/* Each rule, seed and gap must have a good scenario and a bad one. */
static void print_subjects(struct tally *tally)
{
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (unsigned int n = kinds[k].first; n <= kinds[k].last; n++) {
			unsigned int i = kinds[k].bit + n;

			printf("%c%-3u %3lu good %3lu bad%s\n", kinds[k].letter, n,
			       (unsigned long)tally->good[i], (unsigned long)tally->bad[i],
			       tally->good[i] && tally->bad[i] ? "" : "  MISSING");
			tally->failed += !tally->good[i] || !tally->bad[i];
		}
	}
}

/* 0, or 2 for bad input. */
static int check_file(const struct check_request *r, const char *path, struct tally *tally)
{
	struct trial t = { .request = r, .path = path };
	char *text;

	errno = 0;
	text = file_read(path);
	if (!text) {
		fprintf(stderr, "catwalk: %s: %s\n", path, strerror(errno));
		return 2;
	}
	t.scenario = scenario_parse(path, text, stderr);
	free(text);
	if (!t.scenario)
		return 2;
	if (r->cpu && !scenario_set_cpu(t.scenario, r->cpu, stderr)) {
		scenario_free(t.scenario);
		return 2;
	}
	count_subjects(t.scenario, tally);
	try_scenario(&t);
	if (t.failed)
		tally->failed++;
	else
		tally->passed++;
	if (t.failed || r->verbosity == CHECK_VERBOSE)
		printf("%s  %s\n", t.failed ? "FAIL" : "pass", path);
	scenario_free(t.scenario);
	return 0;
}

static int check_folder(const struct check_request *r, const char *path, struct tally *tally)
{
	char pattern[PATH_MAX];
	glob_t found;
	int status = 0;

	(void)snprintf(pattern, sizeof(pattern), "%s/*.scn", path);
	if (glob(pattern, 0, NULL, &found)) {
		fprintf(stderr, "catwalk: %s: no *.scn in this folder\n", path);
		return 2;
	}
	for (size_t i = 0; i < found.gl_pathc && !status; i++)
		status = check_file(r, found.gl_pathv[i], tally);
	globfree(&found);
	return status;
}

int check_scenarios(const struct check_request *r, char *const *paths, size_t count)
{
	struct tally tally = { .passed = 0 };

	for (size_t i = 0; i < count; i++) {
		struct stat st;
		bool is_folder = !stat(paths[i], &st) && S_ISDIR(st.st_mode);
		int status = is_folder ? check_folder(r, paths[i], &tally)
				       : check_file(r, paths[i], &tally);

		if (status)
			return status;
	}
	if (r->subjects == CHECK_SUBJECTS_COMPLETE)
		print_subjects(&tally);
	printf("%lu passed, %lu failed\n", (unsigned long)tally.passed,
	       (unsigned long)tally.failed);
	return tally.failed ? 1 : 0;
}
