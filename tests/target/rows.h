/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of calls that must fail: one row is a name, the errno expected (0: the call must succeed)
 * and a system call with its arguments. Arguments that are known only at run time (descriptors,
 * addresses) are tokens.
 */
#ifndef TESTS_TARGET_ROWS_H
#define TESTS_TARGET_ROWS_H

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct row {
	const char *name;
	int expected;
	long number;
	long arg[6];
};

/* A token stands for tokens[n] in a row's arguments. */
#define TOKEN(n)     (0x5a5a000000000000L | (n))
#define IS_TOKEN(a)  ((unsigned long)(a) >> 48 == 0x5a5a)
#define TOKEN_NR(a)  ((a)&0xff)
#define ADDRESS(obj) ((long)(obj))

struct rows_result {
	unsigned rows, failed, left_out; /* the caller counts rows whose capability is missing */
};

/* Runs @n rows; @tokens is what their arguments refer to. */
static inline void rows_run(const struct row *row, size_t n, const long *tokens,
			    struct rows_result *result)
{
	for (size_t i = 0; i < n; i++, row++) {
		long a[6], seen;
		int error;

		for (int j = 0; j < 6; j++)
			a[j] = IS_TOKEN(row->arg[j]) ? tokens[TOKEN_NR(row->arg[j])] : row->arg[j];
		errno = 0;
		seen = syscall(row->number, a[0], a[1], a[2], a[3], a[4], a[5]);
		error = seen == -1 ? errno : 0;
		result->rows++;
		if (error == row->expected)
			continue;
		result->failed++;
		printf("%s: seen %ld %s, expected %s\n", row->name, seen,
		       error ? strerrorname_np(error) : "success",
		       row->expected ? strerrorname_np(row->expected) : "success");
	}
}

/* Prints "NAME: N rows, N failed" and gives the exit status. */
static inline int rows_done(const char *name, const struct rows_result *result)
{
	printf("%s: %u rows, %u failed", name, result->rows, result->failed);
	if (result->left_out)
		printf(", %u left out (a capability that this host lacks)", result->left_out);
	printf("\n");
	return result->failed != 0;
}

#endif
