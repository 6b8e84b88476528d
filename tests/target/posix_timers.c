/* SPDX-License-Identifier: Apache-2.0 */
/* Timers of timer_create(): periods, overruns, absolute times, threads, deletion, errors. */
#define _GNU_SOURCE
#include "tests/target/check.h"

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { VALUE = 77, MS = 1000 * 1000, PERIOD = 10 * MS };

static volatile sig_atomic_t fired, value, overruns;
static atomic_int called;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	fired++;
	value = info->si_value.sival_int;
	overruns += info->si_overrun;
	CHECK_EQ(info->si_code, SI_TIMER);
}

static void on_thread(union sigval v)
{
	atomic_fetch_add(&called, v.sival_int);
}

static void sleep_ms(long ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * MS };

	while (nanosleep(&left, &left) != 0)
		;
}

static void disarm(timer_t id)
{
	struct itimerspec none = { 0 }, old;
	int before;

	CHECK_OK(timer_settime(id, 0, &none, &old));
	CHECK(old.it_value.tv_nsec > 0);
	before = fired;
	sleep_ms(50);
	CHECK_EQ(fired, before);
}

static void check_overrun(void)
{
	sigset_t set;
	int before;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sleep_ms(30); /* one is pending for sure */
	before = fired;
	overruns = 0;
	sleep_ms(100);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	CHECK(fired > before);
	CHECK(overruns >= 7);
}

static void check_periodic(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGUSR1,
				  .sigev_value.sival_int = VALUE };
	struct itimerspec spec = { { 0, PERIOD }, { 0, PERIOD } }, now;
	timer_t id;

	REQUIRE(timer_create(CLOCK_MONOTONIC, &event, &id) == 0);
	CHECK_OK(timer_settime(id, 0, &spec, NULL));
	while (fired < 5)
		sleep_ms(1);
	CHECK_EQ(value, VALUE);
	CHECK_OK(timer_gettime(id, &now));
	CHECK_EQ(now.it_interval.tv_nsec, PERIOD);
	CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_nsec <= PERIOD);
	check_overrun();
	disarm(id);
	CHECK_OK(timer_delete(id));
	CHECK_FAILS(timer_settime(id, 0, &spec, NULL), EINVAL);
}

/* A period that nobody can serve; the program still runs. */
static void check_tiny_period(void)
{
	struct itimerspec spec = { { 0, 1 }, { 0, 1 } };
	timer_t id;

	REQUIRE(timer_create(CLOCK_MONOTONIC, NULL, &id) == 0);
	fired = 0;
	CHECK_OK(timer_settime(id, 0, &spec, NULL));
	while (fired < 10)
		;
	CHECK_OK(timer_delete(id));
}

static void check_absolute(void)
{
	struct itimerspec spec = { 0 };
	int before = fired;
	timer_t id;

	REQUIRE(timer_create(CLOCK_REALTIME, NULL, &id) == 0);
	clock_gettime(CLOCK_REALTIME, &spec.it_value);
	spec.it_value.tv_nsec += 20 * MS;
	if (spec.it_value.tv_nsec >= 1000 * MS) {
		spec.it_value.tv_sec++;
		spec.it_value.tv_nsec -= 1000 * MS;
	}
	CHECK_OK(timer_settime(id, TIMER_ABSTIME, &spec, NULL));
	for (int i = 0; i < 1000 && fired == before; i++)
		sleep_ms(5);
	CHECK_EQ(fired, before + 1);
	CHECK_OK(timer_delete(id));
}

static void check_thread(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD,
				  .sigev_notify_function = on_thread,
				  .sigev_value.sival_int = 3 };
	struct itimerspec spec = { { 0, 0 }, { 0, 5 * MS } };
	timer_t id;

	REQUIRE(timer_create(CLOCK_MONOTONIC, &event, &id) == 0);
	CHECK_OK(timer_settime(id, 0, &spec, NULL));
	for (int i = 0; i < 1000 && !atomic_load(&called); i++)
		sleep_ms(5);
	CHECK_EQ(atomic_load(&called), 3);
	CHECK_OK(timer_delete(id));
}

static void check_errors(void)
{
	struct sigevent event = { .sigev_notify = 9, .sigev_signo = SIGUSR1 };
	timer_t id;

	CHECK_FAILS(timer_create(99, NULL, &id), EINVAL);
	CHECK_FAILS(timer_create(CLOCK_MONOTONIC, &event, &id), EINVAL);
	event.sigev_notify = SIGEV_SIGNAL;
	event.sigev_signo = 65;
	CHECK_FAILS(timer_create(CLOCK_MONOTONIC, &event, &id), EINVAL);
	CHECK_FAILS(syscall(SYS_timer_delete, 1234), EINVAL);
	CHECK_FAILS(syscall(SYS_timer_getoverrun, 1234), EINVAL);
	CHECK_FAILS(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, 8), EFAULT);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_signal,
				    .sa_flags = SA_SIGINFO | SA_RESTART };

	REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
	REQUIRE(sigaction(SIGALRM, &action, NULL) == 0);
	check_periodic();
	check_tiny_period();
	check_absolute();
	check_thread();
	check_errors();
	return check_done("posix_timers");
}
