/* SPDX-License-Identifier: Apache-2.0 */
/* A command of the catwalk program, called as main() calls it, and what it prints. */
#ifndef TESTS_UNIT_CLI_CAPTURE_H
#define TESTS_UNIT_CLI_CAPTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Of the last command. */
static char captured_out[16384], captured_err[4096];

/* Puts a new file in the place of descriptor @fd; the old one is kept. */
struct capture {
	FILE *file;
	int fd, kept;
};

static inline struct capture capture_begin(int fd)
{
	struct capture c = { .file = tmpfile(), .fd = fd, .kept = dup(fd) };

	assert_non_null(c.file);
	assert_true(c.kept >= 0 && dup2(fileno(c.file), fd) == fd);
	return c;
}

static inline void capture_end(struct capture *c, char *text, size_t size)
{
	size_t length;

	assert_int_equal(c->fd, dup2(c->kept, c->fd));
	close(c->kept);
	rewind(c->file);
	length = fread(text, 1, size - 1, c->file);
	text[length] = '\0';
	fclose(c->file);
}

enum { WORDS_MAX = 32 };

/* Calls @command with "@name" and the words of @line, between which one blank is. */
static inline int run_command(int (*command)(int, char **), const char *name, const char *line)
{
	char *copy = strdup(line), *rest = copy, *argv[WORDS_MAX + 1] = { (char *)name };
	struct capture out, err;
	int argc = 1, status;

	assert_non_null(copy);
	for (char *word = strsep(&rest, " "); word; word = strsep(&rest, " ")) {
		assert_true(argc < WORDS_MAX);
		if (*word)
			argv[argc++] = word;
	}
	fflush(stdout);
	out = capture_begin(STDOUT_FILENO);
	err = capture_begin(STDERR_FILENO);
	status = command(argc, argv);
	fflush(stdout);
	capture_end(&err, captured_err, sizeof(captured_err));
	capture_end(&out, captured_out, sizeof(captured_out));
	free(copy);
	return status;
}

/* The same for input that is refused: status 2, nothing on standard output, and one line of error
 * that holds @error. */
static inline void expect_refused(int (*command)(int, char **), const char *name, const char *line,
				  const char *error)
{
	int status = run_command(command, name, line);

	if (status != 2 || !strstr(captured_err, error))
		fail_msg("'%s': status %d, '%s', expected '%s'", line, status, captured_err, error);
	assert_string_equal("", captured_out);
	assert_ptr_equal(strchr(captured_err, '\n'), captured_err + strlen(captured_err) - 1);
}

/* What was printed has this in it. */
static inline void expect_out(const char *line, const char *text)
{
	if (!strstr(captured_out, text))
		fail_msg("'%s' prints '%s', which lacks '%s'", line, captured_out, text);
}

#endif
