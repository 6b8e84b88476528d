/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a command on a terminal of its own and does what the lines of standard input say:
 *
 *   size ROWS COLUMNS    the terminal's size from now on
 *   send TEXT            types TEXT; \r \n \t \e \\ and \xHH stand for bytes
 *   again TEXT           types TEXT, and again each second until the next expect has seen its own
 *   expect TEXT          waits until TEXT was shown, after what was expected before
 *   absent TEXT          TEXT has not been shown since then
 *   settle MILLISECONDS  reads on for so long
 *   raw, cooked          the terminal's settings are those of a launcher that has it, or has not
 *   signal NUMBER        is sent to the command
 *   hangup               the terminal goes away
 *   status NUMBER        the command ends, with this status (128 + N: by signal N)
 *
 * What does not come within LIMIT_MS is a failure: it is told with what was shown last. Usage:
 * terminal COMMAND [ARGUMENTS...] <SCRIPT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_MS = 30000, SHOWN_MAX = 1 << 20, STEP_MS = 20, AGAIN_MS = 1000 };

static struct {
	int fd; /* the terminal's other side */
	pid_t pid;
	char shown[SHOWN_MAX + 1];
	size_t length;
	size_t seen; /* up to the end of what was expected last */
	unsigned int line;
	bool hung_up;
	char again[256]; /* bytes to type until something is shown */
	size_t again_length;
} run;

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "line %u: ", run.line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n--- shown since:\n%s\n---\n", run.shown + run.seen);
	kill(run.pid, SIGKILL);
	exit(1);
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Takes what is shown within @ms; false: nothing, or the other side is closed. */
static bool take(int ms)
{
	struct pollfd p = { .fd = run.fd, .events = POLLIN };
	ssize_t got;

	if (run.hung_up || poll(&p, 1, ms) <= 0)
		return false;
	got = read(run.fd, run.shown + run.length, SHOWN_MAX - run.length);
	if (got <= 0) {
		usleep(STEP_MS * 1000);
		return false;
	}
	run.length += (size_t)got;
	run.shown[run.length] = '\0';
	return true;
}

/* Replaces the escapes in place; the length. */
static size_t unescape(char *text)
{
	static const char names[] = "rnte\\", bytes[] = "\r\n\t\x1b\\";
	char *out = text;

	for (char *in = text; *in; in++) {
		const char *name;

		if (*in != '\\' || !in[1]) {
			*out++ = *in;
			continue;
		}
		in++;
		name = strchr(names, *in);
		if (name) {
			*out++ = bytes[name - names];
		} else if (*in == 'x') {
			char digits[3] = { in[1], in[1] ? in[2] : '\0', '\0' };

			*out++ = (char)strtol(digits, NULL, 16);
			in += 2;
		} else {
			fail("'\\%c' stands for nothing", *in);
		}
	}
	*out = '\0';
	return (size_t)(out - text);
}

static void type(const char *text, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = write(run.fd, text + done, length - done);

		if (n <= 0)
			fail("typing: %s", strerror(errno));
		done += (size_t)n;
		while (take(0))
			continue;
	}
}

static void do_send(char *text)
{
	type(text, unescape(text));
}

static void do_again(char *text)
{
	run.again_length = unescape(text);
	if (run.again_length > sizeof(run.again))
		fail("again: is too long");
	memcpy(run.again, text, run.again_length);
	type(run.again, run.again_length);
}

static void do_expect(char *text)
{
	long end = now_ms() + LIMIT_MS, next = now_ms() + AGAIN_MS;
	size_t length = unescape(text);
	char *at;

	while (!(at = memmem(run.shown + run.seen, run.length - run.seen, text, length))) {
		if (now_ms() > end)
			fail("'%s' is not shown", text);
		if (run.again_length && now_ms() > next) {
			type(run.again, run.again_length);
			next = now_ms() + AGAIN_MS;
		}
		take(STEP_MS);
	}
	run.again_length = 0;
	run.seen = (size_t)(at - run.shown) + length;
}

static void do_absent(char *text)
{
	size_t length = unescape(text);

	if (memmem(run.shown + run.seen, run.length - run.seen, text, length))
		fail("'%s' is shown", text);
}

static void do_settle(char *text)
{
	long end = now_ms() + atol(text);

	while (now_ms() < end)
		take(STEP_MS);
}

static void do_size(char *text)
{
	struct winsize size = { 0 };

	if (sscanf(text, "%hu %hu", &size.ws_row, &size.ws_col) != 2)
		fail("size: two numbers are missing");
	ioctl(run.fd, TIOCSWINSZ, &size);
}

static bool is_raw(void)
{
	struct termios t;

	return tcgetattr(run.fd, &t) == 0 && !(t.c_lflag & (ICANON | ECHO | ISIG));
}

static void await_settings(bool raw)
{
	long end = now_ms() + LIMIT_MS;

	while (is_raw() != raw) {
		if (now_ms() > end)
			fail("the terminal is not %s", raw ? "raw" : "cooked");
		take(STEP_MS);
	}
}

static void do_raw(char *text)
{
	(void)text;
	await_settings(true);
}

static void do_cooked(char *text)
{
	(void)text;
	await_settings(false);
}

static void do_signal(char *text)
{
	kill(run.pid, atoi(text));
}

static void do_hangup(char *text)
{
	(void)text;
	close(run.fd);
	run.hung_up = true;
}

static void do_status(char *text)
{
	long end = now_ms() + LIMIT_MS;
	int status, seen;

	while (waitpid(run.pid, &status, WNOHANG) == 0) {
		if (now_ms() > end)
			fail("the command does not end");
		if (!take(STEP_MS))
			usleep(STEP_MS * 1000);
	}
	seen = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (seen != atoi(text))
		fail("status %d, expected %s", seen, text);
}

static const struct {
	const char *verb;
	void (*act)(char *text);
} verbs[] = {
	{ "size", do_size },	 { "send", do_send },	  { "again", do_again },
	{ "expect", do_expect }, { "absent", do_absent }, { "settle", do_settle },
	{ "raw", do_raw },	 { "cooked", do_cooked }, { "signal", do_signal },
	{ "hangup", do_hangup }, { "status", do_status },
};

static void act(char *line)
{
	char *rest = strchr(line, ' ');

	if (!*line || *line == '#')
		return;
	if (rest)
		*rest++ = '\0';
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!strcmp(verbs[i].verb, line)) {
			verbs[i].act(rest ? rest : line + strlen(line));
			return;
		}
	}
	fail("'%s' is nothing to do", line);
}

int main(int argc, char **argv)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	static char line[8192];

	if (argc < 2) {
		fprintf(stderr, "usage: terminal COMMAND [ARGUMENTS...] <SCRIPT\n");
		return 2;
	}
	run.pid = forkpty(&run.fd, NULL, NULL, &size);
	if (run.pid == 0) {
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	if (run.pid < 0)
		return 2;
	while (fgets(line, sizeof(line), stdin)) {
		run.line++;
		line[strcspn(line, "\n")] = '\0';
		act(line);
	}
	return 0;
}
