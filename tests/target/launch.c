/* SPDX-License-Identifier: Apache-2.0 */
/* What tests/cli/machine starts on a machine: one small behaviour for each first argument. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static int copy_input(void)
{
	char buffer[5000];
	ssize_t got;
	size_t total = 0;

	while ((got = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0) {
		for (ssize_t done = 0; done < got;) {
			ssize_t put = write(STDOUT_FILENO, buffer + done, (size_t)(got - done));

			if (put < 0)
				return 1;
			done += put;
		}
		total += (size_t)got;
	}
	fprintf(stderr, "%zu bytes\n", total);
	return got < 0;
}

/* All memory there is. */
static int eat(void)
{
	for (;;) {
		char *p = malloc(1 << 20);

		if (!p)
			return 1;
		memset(p, 1, 1 << 20);
	}
}

static int print_words(char **argv)
{
	for (; *argv; argv++)
		printf("[%s]", *argv);
	for (char **word = environ; *word; word++)
		printf("{%s}", *word);
	printf("\n");
	return 0;
}

static int flood(size_t megabytes)
{
	static char block[65536];

	memset(block, 'x', sizeof(block));
	for (size_t i = 0; i < megabytes * 16; i++)
		if (fwrite(block, 1, sizeof(block), stdout) != sizeof(block))
			return 1;
	return 0;
}

static int print_size(const char *path)
{
	struct stat stat_buffer;

	if (stat(path, &stat_buffer))
		return 1;
	printf("%lld %o\n", (long long)stat_buffer.st_size, stat_buffer.st_mode & 07777);
	return 0;
}

/* Says which signals come, until SIGTERM does. */
static int print_signals(void)
{
	sigset_t set;
	int sig = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	printf("ready\n");
	while (sig != SIGTERM) {
		fflush(stdout);
		if (sigwait(&set, &sig))
			return 1;
		printf("%d\n", sig);
	}
	return 7;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	const char *value = argc > 2 ? argv[2] : "0";

	if (!strcmp(what, "exit"))
		return atoi(value);
	if (!strcmp(what, "raise"))
		return raise(atoi(value));
	if (!strcmp(what, "cat"))
		return copy_input();
	if (!strcmp(what, "words"))
		return print_words(argv + 1);
	if (!strcmp(what, "eat"))
		return eat();
	if (!strcmp(what, "flood"))
		return flood(strtoul(value, NULL, 10));
	if (!strcmp(what, "size"))
		return print_size(value);
	if (!strcmp(what, "signals"))
		return print_signals();
	if (!strcmp(what, "terminal"))
		return isatty(STDOUT_FILENO) ? 0 : 1;
	while (!strcmp(what, "spin"))
		continue;
	return 2;
}
