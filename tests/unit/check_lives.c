/* SPDX-License-Identifier: Apache-2.0 */
/* Random lives of whole worlds under the oracle (check/simulate.h): no seed may be stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "check/simulate.h"

enum { LIVES = 16, LIFE_OPERATIONS = 500 };

static void no_life_is_stopped(void **state)
{
	u64 counted = 0;

	(void)state;
	for (u64 seed = 1; seed <= LIVES; seed++) {
		struct life_report r = life_run(seed, LIFE_OPERATIONS, NULL, stdout);

		if (r.stopped)
			fail_msg("seed %lu was stopped", (unsigned long)seed);
		for (int kind = 0; kind < LIFE_KIND_COUNT; kind++)
			counted += r.counted[kind];
	}
	life_end();
	assert_true(counted >= (u64)LIVES * LIFE_OPERATIONS);
	print_message("%d lives, %lu operations\n", LIVES, (unsigned long)counted);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(no_life_is_stopped) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
