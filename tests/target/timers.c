/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time: clocks advance and agree, sleeps last long enough, interval timers fire as often as asked,
 * and waits with a limit end. Upper limits are generous: the machine may be an emulator on a busy
 * host.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"

#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { MS = 1000 * 1000, SLACK_MS = 2000 };

static long now_ns(clockid_t clock)
{
	struct timespec t = { 0 };

	CHECK_OK(clock_gettime(clock, &t));
	CHECK(t.tv_nsec >= 0 && t.tv_nsec < 1000 * MS);
	return t.tv_sec * 1000L * MS + t.tv_nsec;
}

/* A duration of at least @ms and not absurdly more. */
static void check_duration(int line, long ns, long ms)
{
	if (!check_note(ns >= ms * MS && ns < (ms + SLACK_MS) * MS))
		printf("%s:%d: a wait of %ld ms: seen %ld us\n", __FILE__, line, ms, ns / 1000);
}

#define CHECK_DURATION(start, ms) check_duration(__LINE__, now_ns(CLOCK_MONOTONIC) - (start), ms)

static void check_clocks(void)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW,
					    CLOCK_BOOTTIME };
	struct timespec resolution;
	struct timeval tv;

	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		long last = now_ns(clocks[i]);

		for (int j = 0; j < 1000; j++) {
			long now = now_ns(clocks[i]);

			if (now < last)
				CHECK(now >= last);
			last = now;
		}
	}
	CHECK_OK(clock_getres(CLOCK_MONOTONIC, &resolution));
	CHECK(resolution.tv_sec == 0 && resolution.tv_nsec > 0);
	CHECK_OK(gettimeofday(&tv, NULL));
	CHECK(labs(tv.tv_sec - now_ns(CLOCK_REALTIME) / 1000 / MS) <= 2);
	CHECK_FAILS(syscall(SYS_clock_gettime, 9999, &resolution), EINVAL);
	CHECK_FAILS(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 8), EFAULT);
}

static void check_sleeps(void)
{
	struct timespec t = { .tv_nsec = 30 * MS }, at;
	long start = now_ns(CLOCK_MONOTONIC);

	CHECK_OK(nanosleep(&t, NULL));
	CHECK_DURATION(start, 30);
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL), 0);
	CHECK_DURATION(start, 30);
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += (at.tv_nsec + 50 * MS) / (1000 * MS);
	at.tv_nsec = (at.tv_nsec + 50 * MS) % (1000 * MS);
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) >= at.tv_sec * 1000L * MS + at.tv_nsec);
	/* In the past: at once. */
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL), 0);
	t.tv_nsec = 1000 * MS;
	CHECK_FAILS(nanosleep(&t, NULL), EINVAL);
	CHECK_EQ(clock_nanosleep(9999, 0, &t, NULL), EINVAL);
	t.tv_nsec = 0;
	CHECK_OK(nanosleep(&t, NULL));
	CHECK_FAILS(nanosleep(NULL, NULL), EFAULT);
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_EQ(poll(NULL, 0, 25), 0);
	CHECK_DURATION(start, 25);
}

static volatile sig_atomic_t ticks;

static void tick(int signal)
{
	(void)signal;
	ticks++;
}

static void check_interval_timer(void)
{
	struct sigaction action = { .sa_handler = tick };
	struct itimerval timer = { .it_interval = { .tv_usec = 10000 },
				   .it_value = { .tv_usec = 10000 } },
			 left;
	long start = now_ns(CLOCK_MONOTONIC);

	sigaction(SIGALRM, &action, NULL);
	CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
	while (ticks < 5)
		pause();
	CHECK_DURATION(start, 50);
	CHECK_OK(getitimer(ITIMER_REAL, &left));
	CHECK_EQ(left.it_interval.tv_usec, 10000);
	CHECK(left.it_value.tv_usec <= 10000);
	timer = (struct itimerval){ 0 };
	CHECK_OK(setitimer(ITIMER_REAL, &timer, &left));
	CHECK_EQ(left.it_interval.tv_usec, 10000);
	ticks = 0;
	usleep(30 * 1000);
	CHECK_EQ(ticks, 0);
	timer.it_value.tv_usec = 1000000;
	CHECK_FAILS(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
	CHECK_FAILS(setitimer(99, &timer, NULL), EINVAL);
}

/* A timer interrupts a thread that never enters the kernel. */
static void check_timer_and_loop(void)
{
	struct itimerval timer = { .it_value = { .tv_usec = 20000 } };
	long start = now_ns(CLOCK_MONOTONIC);

	ticks = 0;
	CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
	while (!ticks)
		;
	CHECK_DURATION(start, 20);
}

static void check_timed_condition(void)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
	long start = now_ns(CLOCK_MONOTONIC);
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (until.tv_nsec + 40 * MS) / (1000 * MS);
	until.tv_nsec = (until.tv_nsec + 40 * MS) % (1000 * MS);
	pthread_mutex_lock(&lock);
	CHECK_EQ(pthread_cond_timedwait(&cond, &lock, &until), ETIMEDOUT);
	pthread_mutex_unlock(&lock);
	CHECK_DURATION(start, 39);
}

static void *sleep_ms(void *arg)
{
	usleep((useconds_t)(unsigned long)arg * 1000);
	return NULL;
}

/* Sleepers do not wait for each other. */
static void check_parallel_sleeps(void)
{
	long start = now_ns(CLOCK_MONOTONIC);
	pthread_t thread[8];

	for (unsigned long i = 0; i < 8; i++)
		REQUIRE(pthread_create(&thread[i], NULL, sleep_ms, (void *)(100 + i)) == 0);
	for (int i = 0; i < 8; i++)
		pthread_join(thread[i], NULL);
	check_duration(__LINE__, now_ns(CLOCK_MONOTONIC) - start, 107);
}

int main(void)
{
	check_clocks();
	check_sleeps();
	check_interval_timer();
	check_timer_and_loop();
	check_timed_condition();
	check_parallel_sleeps();
	return check_done("timers");
}
