/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests started and destroyed over and over by the VMM (/vmm, /Image, /initramfs), some at once:
 * each boots Debian's kernel up to its first program, which powers off. All end with status 0, and
 * no memory is missing at the end.
 *
 *	vmm_boots [ROUNDS [AT-ONCE]]
 */
#define _GNU_SOURCE
#include "tests/target/check.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AT_ONCE_MAX = 8, ROUNDS = 3, AT_ONCE = 2, TEXT_MAX = 4096 };

/* What may come and go with a guest besides: the console's and the kernel's own caches. */
enum { SLACK_KIB = 256 };

static const char *const guest[] = {
	"/vmm",
	"--kernel",
	"/Image",
	"--initramfs",
	"/initramfs",
	"--memory",
	"128M",
	"--cpus",
	"2",
	"--append",
	"console=ttyAMA0 quiet panic=-1 rdinit=/bin/poweroff -- -f",
	NULL,
};

static pid_t start(void)
{
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (pid == 0) {
		dup2(open("/dev/null", O_RDWR), 0);
		dup2(0, 1);
		execv(guest[0], (char **)guest);
		_exit(127);
	}
	return pid;
}

static void round_of(unsigned int at_once)
{
	pid_t pids[AT_ONCE_MAX];
	int status;

	for (unsigned int i = 0; i < at_once; i++)
		pids[i] = start();
	for (unsigned int i = 0; i < at_once; i++) {
		REQUIRE(waitpid(pids[i], &status, 0) == pids[i]);
		CHECK_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), 0);
	}
}

/* A line of /proc/meminfo, KiB. */
static unsigned long free_kib(void)
{
	char text[TEXT_MAX];
	int fd = open("/proc/meminfo", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	char *line;

	REQUIRE(n > 0);
	close(fd);
	text[n] = '\0';
	line = strstr(text, "MemFree:");
	REQUIRE(line);
	return strtoul(line + 8, NULL, 10);
}

static unsigned int argument(const char *text, unsigned int most)
{
	unsigned long n = strtoul(text, NULL, 10);

	REQUIRE(n >= 1 && n <= most);
	return (unsigned int)n;
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? argument(argv[1], 1000) : ROUNDS;
	unsigned int at_once = argc > 2 ? argument(argv[2], AT_ONCE_MAX) : AT_ONCE;
	unsigned long before, after;

	round_of(at_once); /* whatever is made once is made now */
	before = free_kib();
	for (unsigned int i = 1; i < rounds; i++)
		round_of(at_once);
	after = free_kib();
	printf("%u guests, %u at once; free memory after the first: %lu KiB, at the end: %lu KiB\n",
	       rounds * at_once, at_once, before, after);
	CHECK(after + SLACK_KIB >= before);
	return check_done("vmm_boots");
}
