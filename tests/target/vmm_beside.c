/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that watches for lost interrupts, wrong bytes and stalls (vmm/guest/stress.c), run by the
 * VMM (/vmm, /Image, /initramfs) with four vCPUs, beside a hostile guest (/kvm_hostile) that is
 * started again and again, and a process that forks without end.
 *
 *	vmm_beside [SECONDS]
 */
#define _GNU_SOURCE
#include "tests/target/check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 10, DISK_BYTES = 32 << 20, FORKED_BYTES = 256 << 10, OUTPUT_MAX = 1 << 16 };

static const char disk[] = "/stress-disk";

static void make_disk(void)
{
	int fd = open(disk, O_RDWR | O_CREAT | O_TRUNC, 0600);

	REQUIRE(fd >= 0 && ftruncate(fd, DISK_BYTES) == 0);
	close(fd);
}

static pid_t start_guest(const char *seconds, int output)
{
	char append[128];
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (pid)
		return pid;
	snprintf(append, sizeof(append), "console=ttyAMA0 quiet panic=-1 catwalk.stress=%s",
		 seconds);
	dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	execl("/vmm", "/vmm", "--kernel", "/Image", "--initramfs", "/initramfs", "--memory", "256M",
	      "--cpus", "4", "--disk", disk, "--append", append, NULL);
	_exit(127);
}

/* ---- the neighbours: each in a group of its own, that all of it can be ended */

static pid_t start_neighbour(void (*run)(void))
{
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (pid)
		return pid;
	setpgid(0, 0);
	dup2(open("/dev/null", O_RDWR), STDOUT_FILENO);
	for (;;)
		run();
}

static void be_hostile(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/kvm_hostile", "/kvm_hostile", NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

/* A child that has written a copy of its own of some pages forks in turn, and goes. */
static void fork_on(void)
{
	static char pages[FORKED_BYTES];
	pid_t pid = fork();

	for (unsigned i = 0; pid == 0 && i < sizeof(pages); i += 4096)
		pages[i]++;
	if (pid == 0)
		_exit(fork() == 0);
	waitpid(pid, NULL, 0);
}

static void end_neighbour(pid_t pid)
{
	CHECK_OK(kill(-pid, SIGKILL));
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

/* ---- what the guest says */

/* All of it, while the guest runs. */
static void read_all(int fd, char *text)
{
	size_t length = 0;
	ssize_t n;

	while ((n = read(fd, text + length, OUTPUT_MAX - 1 - length)) > 0) {
		(void)!write(STDOUT_FILENO, text + length, (size_t)n);
		length += (size_t)n;
	}
	text[length] = '\0';
}

int main(int argc, char **argv)
{
	static char text[OUTPUT_MAX];
	char seconds[16];
	int output[2], status;
	pid_t guest, hostile, forking;

	snprintf(seconds, sizeof(seconds), "%lu", argc > 1 ? strtoul(argv[1], NULL, 10) : SECONDS);
	make_disk();
	hostile = start_neighbour(be_hostile);
	forking = start_neighbour(fork_on);
	/* Now, or they would hold its end open. */
	REQUIRE(pipe2(output, O_CLOEXEC) == 0);
	guest = start_guest(seconds, output[1]);
	close(output[1]);
	read_all(output[0], text);
	CHECK_EQ(waitpid(guest, &status, 0), guest);
	CHECK_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), 0);
	CHECK(strstr(text, " 0 wrong, 0 stalls") != NULL);
	end_neighbour(hostile);
	end_neighbour(forking);
	return check_done("vmm_beside");
}
