/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks for target tests: each failed one prints file:line, the expression, the value seen and the
 * value expected, and the program goes on; check_done() prints the totals and gives the exit
 * status. Usable from several threads.
 */
#ifndef TESTS_TARGET_CHECK_H
#define TESTS_TARGET_CHECK_H

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the whole program: weak, so that all files that include this count as one. */
__attribute__((weak)) atomic_uint check_count;
__attribute__((weak)) atomic_uint check_failures;

/* Counts one check; @ok nonzero means that it held. Returns @ok. */
static inline int check_note(int ok)
{
	atomic_fetch_add(&check_count, 1);
	if (!ok)
		atomic_fetch_add(&check_failures, 1);
	return ok;
}

static inline int check_true(const char *file, int line, const char *text, int ok)
{
	if (!check_note(ok))
		printf("%s:%d: %s: seen false, expected true\n", file, line, text);
	return ok;
}

static inline int check_equal(const char *file, int line, const char *text, unsigned long seen,
			      unsigned long expected)
{
	if (!check_note(seen == expected))
		printf("%s:%d: %s: seen %#lx (%ld), expected %#lx (%ld)\n", file, line, text, seen,
		       (long)seen, expected, (long)expected);
	return seen == expected;
}

/* A call that must fail: result -1 and @error (already read from errno by the macro) as @expected
 * says. */
static inline int check_fails(const char *file, int line, const char *text, long result, int error,
			      int expected)
{
	int ok = result == -1 && error == expected;

	if (!check_note(ok))
		printf("%s:%d: %s: seen %ld %s, expected -1 %s\n", file, line, text, result,
		       result == -1 ? strerrorname_np(error) : "", strerrorname_np(expected));
	return ok;
}

/* A call that must succeed (anything but -1). */
static inline int check_works(const char *file, int line, const char *text, long result, int error)
{
	if (!check_note(result != -1))
		printf("%s:%d: %s: seen -1 %s, expected success\n", file, line, text,
		       strerrorname_np(error));
	return result != -1;
}

#define CHECK(cond) check_true(__FILE__, __LINE__, #cond, !!(cond))
#define CHECK_EQ(seen, expected)                                                                   \
	check_equal(__FILE__, __LINE__, #seen, (unsigned long)(seen), (unsigned long)(expected))
#define CHECK_FAILS(call, expected)                                                                \
	({                                                                                         \
		errno = 0;                                                                         \
		long check_result = (long)(call);                                                  \
		check_fails(__FILE__, __LINE__, #call, check_result, errno, expected);             \
	})
#define CHECK_OK(call)                                                                             \
	({                                                                                         \
		errno = 0;                                                                         \
		long check_result = (long)(call);                                                  \
		check_works(__FILE__, __LINE__, #call, check_result, errno);                       \
	})

/* A precondition of everything that follows: on failure the program ends at once with status 1. */
#define REQUIRE(cond)                                                                              \
	do {                                                                                       \
		if (!CHECK(cond)) {                                                                \
			printf("%s:%d: errno %s\n", __FILE__, __LINE__, strerrorname_np(errno));   \
			fflush(stdout);                                                            \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

/* Prints "NAME: N checks, N failed" and returns the exit status. */
static inline int check_done(const char *name)
{
	unsigned failed = atomic_load(&check_failures);

	printf("%s: %u checks, %u failed\n", name, atomic_load(&check_count), failed);
	fflush(stdout);
	return failed != 0;
}

#endif
