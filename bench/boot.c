/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a program and says what it took: "boot CPU ELAPSED", nanoseconds. Under QEMU's -icount
 * shift=0,sleep=off these are instructions: CPU those that ran for the program, guest and kernel
 * included, without the time in which it waited; ELAPSED with it.
 *
 *	boot PROGRAM [ARGUMENTS...]
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t microseconds(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_usec;
}

int main(int argc, char **argv)
{
	uint64_t start = now();
	struct rusage usage;
	int status;
	pid_t pid;

	if (argc < 2) {
		fprintf(stderr, "usage: boot PROGRAM [ARGUMENTS...]\n");
		return 2;
	}
	pid = fork();
	if (pid == 0) {
		execv(argv[1], argv + 1);
		perror(argv[1]);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 1;
	getrusage(RUSAGE_CHILDREN, &usage);
	printf("boot %llu %llu\n",
	       1000ULL * (unsigned long long)(microseconds(usage.ru_utime) +
					      microseconds(usage.ru_stime)),
	       (unsigned long long)(now() - start));
	return WEXITSTATUS(status);
}
