/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs one after the other on the same system, until one fails; its status is this program's.
 *
 *	in_turn PROGRAM [ARGUMENTS...] [-- PROGRAM [ARGUMENTS...]]...
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The status as a shell would give it. */
static int run(char **argv)
{
	pid_t pid = fork(), ended;
	int status = 0;

	if (pid == 0) {
		execv(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	/* Orphans end here, too. */
	do {
		ended = wait(&status);
	} while (ended > 0 && ended != pid);
	if (ended < 0)
		return 127;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	int first = 1;

	for (int i = 1; i <= argc; i++) {
		int status;

		if (i < argc && strcmp(argv[i], "--") != 0)
			continue;
		argv[i] = NULL;
		status = i > first ? run(&argv[first]) : 2;
		if (status) {
			printf("%s: status %d\n", i > first ? argv[first] : "nothing", status);
			return status;
		}
		printf("%s: passed\n", argv[first]);
		fflush(stdout);
		first = i + 1;
	}
	return 0;
}
