/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads as the C library makes them: create and join, thread-local storage, mutexes and condition
 * variables, timed futex waits, floating-point state across switches, preemption of a thread that
 * never calls the kernel.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 8, ROUNDS = 2000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static unsigned shared;
static __thread unsigned long tls_value = 0x1234;

static void *count(void *arg)
{
	unsigned long id = (unsigned long)arg;

	CHECK_EQ(tls_value, 0x1234);
	tls_value = id;
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		shared++;
		pthread_mutex_unlock(&lock);
		if (i % 100 == 0)
			sched_yield();
	}
	CHECK_EQ(tls_value, id);
	return (void *)(id * 3);
}

static void check_mutex_and_join(void)
{
	pthread_t thread[THREADS];
	void *result;

	for (unsigned long i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&thread[i], NULL, count, (void *)(i + 1)) == 0);
	for (unsigned long i = 0; i < THREADS; i++) {
		CHECK_EQ(pthread_join(thread[i], &result), 0);
		CHECK_EQ(result, (i + 1) * 3);
	}
	CHECK_EQ(shared, THREADS * ROUNDS);
	CHECK_EQ(tls_value, 0x1234);
}

static unsigned turn;

static void *take_turns(void *arg)
{
	unsigned me = (unsigned)(unsigned long)arg;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < 200; i++) {
		while (turn % 2 != me)
			pthread_cond_wait(&cond, &lock);
		turn++;
		pthread_cond_broadcast(&cond);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void check_condition(void)
{
	pthread_t a, b;

	REQUIRE(pthread_create(&a, NULL, take_turns, (void *)0) == 0);
	REQUIRE(pthread_create(&b, NULL, take_turns, (void *)1) == 0);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	CHECK_EQ(turn, 400);
}

static long futex(unsigned *word, int op, unsigned value, const struct timespec *timeout,
		  unsigned *word2, unsigned value3)
{
	return syscall(SYS_futex, word, op, value, timeout, word2, value3);
}

static void check_futex(void)
{
	unsigned word = 5, word2 = 0;
	struct timespec wait = { .tv_nsec = 20 * 1000 * 1000 }, start, end, until;
	long ns;

	CHECK_FAILS(futex(&word, FUTEX_WAIT_PRIVATE, 4, NULL, NULL, 0), EAGAIN);
	clock_gettime(CLOCK_MONOTONIC, &start);
	CHECK_FAILS(futex(&word, FUTEX_WAIT_PRIVATE, 5, &wait, NULL, 0), ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &end);
	ns = (end.tv_sec - start.tv_sec) * 1000000000L + end.tv_nsec - start.tv_nsec;
	CHECK(ns >= 20 * 1000 * 1000);
	/* Absolute time in the past: at once. */
	CHECK_FAILS(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 5, &start, NULL, ~0u), ETIMEDOUT);
	clock_gettime(CLOCK_REALTIME, &until);
	CHECK_FAILS(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 5, &until, NULL,
			  ~0u),
		    ETIMEDOUT);
	CHECK_FAILS(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 5, NULL, NULL, 0), EINVAL);
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
	CHECK_FAILS(futex(NULL, FUTEX_WAIT_PRIVATE, 5, NULL, NULL, 0), EFAULT);
	CHECK_FAILS(futex((unsigned *)((char *)&word + 1), FUTEX_WAIT_PRIVATE, 5, NULL, NULL, 0),
		    EINVAL);
	CHECK_FAILS(futex(&word, 0x7f, 5, NULL, &word2, 0), ENOSYS);
}

static sem_t ready;
static volatile unsigned wake_word;

static void *sleep_on_word(void *arg)
{
	(void)arg;
	sem_post(&ready);
	while (wake_word == 0)
		futex((unsigned *)&wake_word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	return NULL;
}

static void check_futex_wake(void)
{
	pthread_t thread[3];
	long woken = 0;

	sem_init(&ready, 0, 0);
	for (int i = 0; i < 3; i++)
		REQUIRE(pthread_create(&thread[i], NULL, sleep_on_word, NULL) == 0);
	for (int i = 0; i < 3; i++)
		sem_wait(&ready);
	usleep(50 * 1000);
	wake_word = 1;
	woken = futex((unsigned *)&wake_word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0);
	CHECK_EQ(woken, 3);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
}

/* Each thread keeps its own values in d8-d15 and q16-q23 over many switches. */
static void *keep_float_state(void *arg)
{
	double id = (double)(unsigned long)arg, sum = id;

	for (int i = 0; i < 300; i++) {
		double seen;

		__asm__ volatile(
			"fmov d8, %d1\n fmov d23, %d1\n mov x8, #124\n svc #0\n" /* sched_yield */
			"fadd %d0, d8, d23\n"
			: "=w"(seen)
			: "w"(sum)
			: "x0", "x8", "d8", "d23", "memory");
		if (seen != 2 * sum) {
			CHECK(seen == 2 * sum);
			break;
		}
		sum += id;
	}
	CHECK(sum == id * 301);
	return NULL;
}

static void check_float_state(void)
{
	pthread_t thread[4];

	for (unsigned long i = 0; i < 4; i++)
		REQUIRE(pthread_create(&thread[i], NULL, keep_float_state, (void *)(i + 1)) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
}

static atomic_uint stop, spins;

static void *spin(void *arg)
{
	(void)arg;
	while (!atomic_load_explicit(&stop, memory_order_relaxed))
		atomic_fetch_add_explicit(&spins, 1, memory_order_relaxed);
	return NULL;
}

/* More spinners than CPUs, and this thread still gets to run. */
static void check_preemption(void)
{
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		REQUIRE(pthread_create(&thread[i], NULL, spin, NULL) == 0);
	usleep(100 * 1000);
	CHECK(atomic_load(&spins) > 0);
	atomic_store(&stop, 1);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
}

static void *leave_at_once(void *arg)
{
	return arg;
}

/* Stacks and thread ids are given back: far more threads over time than could live at once. */
static void check_many(void)
{
	for (unsigned long i = 0; i < 500; i++) {
		pthread_t thread;
		void *result = NULL;

		REQUIRE(pthread_create(&thread, NULL, leave_at_once, (void *)i) == 0);
		REQUIRE(pthread_join(thread, &result) == 0);
		if (result != (void *)i)
			CHECK_EQ(result, i);
	}
}

static void *report_tid(void *arg)
{
	*(pid_t *)arg = gettid();
	return NULL;
}

static void check_identity(void)
{
	pthread_t thread;
	pid_t tid = 0;

	CHECK_EQ(gettid(), getpid());
	REQUIRE(pthread_create(&thread, NULL, report_tid, &tid) == 0);
	pthread_join(thread, NULL);
	CHECK(tid > 0 && tid != getpid());
	/* The join returns when the thread has given up its stack, which is a moment before it is
	 * gone. */
	for (int i = 0; i < 1000 && syscall(SYS_tgkill, getpid(), tid, 0) == 0; i++)
		usleep(1000);
	CHECK_FAILS(syscall(SYS_tgkill, getpid(), tid, 0), ESRCH);
}

static void check_affinity(void)
{
	cpu_set_t set, one;

	CHECK_OK(sched_getaffinity(0, sizeof(set), &set));
	CHECK(CPU_COUNT(&set) >= 1);
	CHECK(CPU_ISSET(0, &set));
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
	CHECK_EQ(sched_getcpu(), 0);
	CHECK_OK(sched_setaffinity(0, sizeof(set), &set));
	CPU_ZERO(&one);
	CHECK_FAILS(sched_setaffinity(0, sizeof(one), &one), EINVAL);
}

int main(void)
{
	check_mutex_and_join();
	check_condition();
	check_futex();
	check_futex_wake();
	check_float_state();
	check_preemption();
	check_many();
	check_identity();
	check_affinity();
	return check_done("threads");
}
