/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text as a scenario (check/scenario.h): it parses or is refused with a line that says why; what
 * parses runs to some end, and to the same one again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/scenario.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t n);

static void require(bool cond, const char *what)
{
	if (cond)
		return;
	(void)fprintf(stderr, "fuzz_scenario: %s\n", what);
	abort();
}

/* Gigabytes are right and slow. */
static bool is_large(const char *text)
{
	for (; *text; text++) {
		if (*text >= '0' && *text <= '9' && (text[1] == 'G' || text[1] == 'T'))
			return true;
	}
	return false;
}

static struct scenario *parse(const char *text)
{
	char *said = NULL;
	size_t size;
	FILE *errors = open_memstream(&said, &size);
	struct scenario *s;

	require(errors, "no memory");
	s = scenario_parse(strstr(text, "\nstops ") ? "bad_fuzz.scn" : "good_fuzz.scn", text,
			   errors);
	require(!fclose(errors), "no memory");
	require((s != NULL) == (size == 0), "refused without a word, or the reverse");
	free(said);
	return s;
}

static enum scenario_end run(struct scenario *s, u64 seed, char stopped_by[256])
{
	struct random_chooser c;
	enum scenario_end end;

	random_chooser_init(&c, seed);
	end = scenario_run(s, &c.chooser, COMPARE_NOTHING, NULL, NULL);
	(void)snprintf(stopped_by, 256, "%s", scenario_stopped_by(s));
	answers_free(&c.answers);
	return end;
}

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t n)
{
	char *text = malloc(n + 1), first[256], second[256];
	struct scenario *s;

	require(text, "no memory");
	memcpy(text, bytes, n);
	text[n] = '\0';
	s = is_large(text) ? NULL : parse(text);
	if (s) {
		require(run(s, n, first) == run(s, n, second), "another end");
		require(!strcmp(first, second), "another reason to stop");
		scenario_free(s);
	}
	free(text);
	return 0;
}
