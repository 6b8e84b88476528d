/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reduction of exploration (check/explore.h) against brute force: each race is explored with
 * interruptions at all points, and at those alone where another actor could tell; both come to the
 * same ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <glob.h>

#include "check/explore.h"
#include "check/scenario.h"

struct race {
	struct explore_run explore; /* first: explore() calls back with it */
	struct scenario *scenario;
};

static bool run_race(struct explore_run *r, struct chooser *c, struct stage_observer *o)
{
	struct race *race = container_of(r, struct race, explore);
	enum scenario_end end = scenario_run(race->scenario, c, COMPARE_NOTHING, o, NULL);

	r->outcome = scenario_outcome(race->scenario);
	return end == SCENARIO_DONE;
}

static struct scenario *read_race(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;
	struct scenario *s;

	assert_non_null(f);
	assert_true(getdelim(&text, &size, '\0', f) > 0);
	(void)fclose(f);
	s = scenario_parse(path, text, stderr);
	free(text);
	assert_non_null(s);
	return s;
}

static struct explore_report explore_race(struct race *race, enum search_points points)
{
	struct search_bounds bounds = { .preemptions = 1, .surprises = 1, .points = points };
	struct search_chooser chooser;
	struct explore_report report = explore(&race->explore, &bounds, &chooser, NULL);

	answers_free(&chooser.answers);
	assert_true(report.complete);
	return report;
}

static u64 check_race(const char *path)
{
	struct race race = { .explore.run = run_race, .scenario = read_race(path) };
	struct explore_report all = explore_race(&race, SEARCH_ALL);
	struct explore_report shared = explore_race(&race, SEARCH_SHARED);

	assert_int_equal(shared.outcomes, all.outcomes);
	assert_int_equal(shared.ends, all.ends);
	scenario_free(race.scenario);
	return all.outcomes;
}

static void nothing_is_lost_where_points_are_left_out(void **state)
{
	glob_t found;
	u64 outcomes = 0;

	(void)state;
	assert_int_equal(glob("tests/scenario/good_race_*.scn", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		outcomes += check_race(found.gl_pathv[i]);
	printf("%zu races, %lu outcomes: the same with all points and with the shared ones\n",
	       found.gl_pathc, (unsigned long)outcomes);
	globfree(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_where_points_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
