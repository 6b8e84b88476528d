/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uses a guest's performance monitors by its kernel's perf: cycles are counted, at both exception
 * levels and apart, more for more work, and a counter that overflows interrupts.
 *
 * Prints "catwalk-perf counted" and exits with 0, or says what is wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 20000, MORE = 64, PERIOD = 100000, SAMPLES = 10, SECONDS = 20 };

static volatile sig_atomic_t samples;

static void sampled(int signal)
{
	(void)signal;
	samples++;
}

static void check(int ok, const char *what)
{
	if (ok)
		return;
	printf("catwalk-perf: %s\n", what);
	exit(1);
}

/* Cycles of this thread, a descriptor; @period 0: counted only. */
static int open_cycles(uint64_t period, int not_user, int not_kernel)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_HW_CPU_CYCLES,
		.sample_period = period,
		.wakeup_events = period != 0,
		.exclude_user = not_user != 0,
		.exclude_kernel = not_kernel != 0,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);

	check(fd >= 0, "perf_event_open");
	return fd;
}

static uint64_t count(int fd)
{
	uint64_t value = 0;

	check(read(fd, &value, sizeof(value)) == sizeof(value), "no count can be read");
	return value;
}

static void work(unsigned int rounds)
{
	for (volatile unsigned int i = 0; i < rounds; i++) {
	}
	(void)syscall(SYS_sched_yield);
}

static uint64_t cycles_of(int fd, unsigned int rounds)
{
	uint64_t before = count(fd);

	work(rounds);
	return count(fd) - before;
}

static void check_counting(void)
{
	int both = open_cycles(0, 0, 0), user = open_cycles(0, 0, 1), kernel = open_cycles(0, 1, 0);
	uint64_t few, many;

	few = cycles_of(user, ROUNDS);
	many = cycles_of(user, MORE * ROUNDS);
	check(few > 0 && many > few, "more work takes no more cycles");
	check(count(kernel) > 0, "the kernel takes no cycles");
	check(count(both) > count(user) / 2, "both levels together take less than one");
	close(both);
	close(user);
	close(kernel);
}

static void check_samples(void)
{
	time_t end = time(NULL) + SECONDS;
	int fd;

	signal(SIGIO, sampled);
	fd = open_cycles(PERIOD, 0, 0);
	fcntl(fd, F_SETFL, O_ASYNC);
	fcntl(fd, F_SETSIG, SIGIO);
	fcntl(fd, F_SETOWN, getpid());
	/* Signals that wait are one: more overflows than are waited for. */
	check(ioctl(fd, PERF_EVENT_IOC_REFRESH, SAMPLES * MORE) == 0, "PERF_EVENT_IOC_REFRESH");
	while (samples < SAMPLES && time(NULL) < end)
		work(ROUNDS);
	check(samples >= SAMPLES, "overflows do not interrupt");
	close(fd);
}

int main(void)
{
	check_counting();
	check_samples();
	printf("catwalk-perf counted\n");
	return 0;
}
