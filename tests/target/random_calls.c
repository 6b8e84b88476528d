/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random system calls with arguments that are often almost right, from several threads, for a fixed
 * number of calls. Nothing is expected of a call but that it returns; of the host, that it lives
 * and keeps its promises afterwards. The first argument is the seed (1), the second the number of
 * calls of each thread.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

enum { PAGE = 4096, ARENA_PAGES = 64, THREADS = 3, FDS_FROM = 3, FDS = 40 };

static char *arena;
static uint64_t first_seed = 1;
static unsigned long calls_per_thread = 20000;

struct random {
	uint64_t state;
};

static uint64_t next_random(struct random *r)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return r->state * 0x2545f4914f6cdd1d;
}

static uint64_t below(struct random *r, uint64_t limit)
{
	return (next_random(r) >> 20) % limit;
}

/* What an argument is meant to be; a random one in eight is something else. */
enum kind { NONE, FD, PTR, LEN, FLAGS, NUMBER, PATH, OFFSET, ARENA, PROT, ADVICE, FUTEX_OP };

struct call {
	const char *name;
	long number;
	enum kind arg[6];
};

#define CALL(name, ...)                                                                            \
	{                                                                                          \
#name, SYS_##name,                                                                 \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

/* Left out: what ends or stops the process, blocks its signals, or replaces its handlers. */
static const struct call calls[] = {
	CALL(openat, FD, PATH, FLAGS, NUMBER),
	CALL(close, FD),
	CALL(read, FD, PTR, LEN),
	CALL(write, FD, PTR, LEN),
	CALL(pread64, FD, PTR, LEN, OFFSET),
	CALL(pwrite64, FD, PTR, LEN, OFFSET),
	CALL(readv, FD, PTR, NUMBER),
	CALL(writev, FD, PTR, NUMBER),
	CALL(lseek, FD, OFFSET, NUMBER),
	CALL(fstat, FD, PTR),
	CALL(newfstatat, FD, PATH, PTR, FLAGS),
	CALL(readlinkat, FD, PATH, PTR, LEN),
	CALL(faccessat, FD, PATH, NUMBER),
	CALL(getdents64, FD, PTR, LEN),
	CALL(mkdirat, FD, PATH, NUMBER),
	CALL(unlinkat, FD, PATH, FLAGS),
	CALL(linkat, FD, PATH, FD, PATH, FLAGS),
	CALL(ftruncate, FD, OFFSET),
	CALL(fallocate, FD, FLAGS, OFFSET, OFFSET),
	CALL(fcntl, FD, NUMBER, NUMBER),
	CALL(dup, FD),
	CALL(dup3, FD, FD, FLAGS),
	CALL(pipe2, PTR, FLAGS),
	CALL(eventfd2, NUMBER, FLAGS),
	CALL(epoll_create1, FLAGS),
	CALL(epoll_ctl, FD, NUMBER, FD, PTR),
	CALL(epoll_pwait, FD, PTR, NUMBER, NUMBER, PTR, NUMBER),
	CALL(memfd_create, PATH, FLAGS),
	CALL(ioctl, FD, NUMBER, PTR),
	CALL(mmap, ARENA, LEN, PROT, FLAGS, FD, OFFSET),
	CALL(munmap, ARENA, LEN),
	CALL(mprotect, ARENA, LEN, PROT),
	CALL(madvise, ARENA, LEN, ADVICE),
	CALL(futex, PTR, FUTEX_OP, NUMBER, PTR, PTR, NUMBER),
	CALL(set_robust_list, PTR, LEN),
	CALL(sched_yield, NONE),
	CALL(sched_getaffinity, NUMBER, LEN, PTR),
	CALL(clock_gettime, NUMBER, PTR),
	CALL(clock_getres, NUMBER, PTR),
	CALL(getitimer, NUMBER, PTR),
	CALL(getrandom, PTR, LEN, FLAGS),
	CALL(uname, PTR),
	CALL(sysinfo, PTR),
	CALL(prlimit64, NUMBER, NUMBER, NONE, PTR),
	CALL(sigaltstack, NONE, PTR),
	CALL(rt_sigpending, PTR, LEN),
	CALL(rt_sigaction, NUMBER, NONE, PTR, LEN),
	CALL(tgkill, NUMBER, NUMBER, NONE),
	CALL(getcwd, PTR, LEN),
	CALL(wait4, NUMBER, PTR, FLAGS, PTR),
};

static const char *const paths[] = {
	"/tmp/random",	  "/tmp/random/x", "/tmp",  "/dev/null", "/dev/zero", "/proc/self/maps",
	"/proc/self/exe", "/nowhere",	   "/proc", "/",	 "",	      ".",
	"../..",	  "/dev/kvm",
};

static const uint64_t numbers[] = {
	0,   1,	   2,	 3,	4,    7,	  8,	      16,      64,
	100, 4095, 4096, 65536, -1ul, 0x7fffffff, 0x80000000, -4096ul, 1ul << 40,
};

static uint64_t pick_number(struct random *r)
{
	return numbers[below(r, sizeof(numbers) / sizeof(numbers[0]))];
}

static uint64_t pick_pointer(struct random *r)
{
	switch (below(r, 8)) {
	case 0: return 0;
	case 1: return next_random(r);
	case 2: return 0xffff000000000000 | next_random(r);
	case 3: return (uint64_t)paths[0];
	default: return (uint64_t)arena + below(r, ARENA_PAGES * PAGE);
	}
}

static uint64_t pick_length(struct random *r)
{
	switch (below(r, 6)) {
	case 0: return pick_number(r);
	case 1: return 8;
	case 2: return below(r, 64);
	default: return below(r, 4 * PAGE);
	}
}

/* Within the arena and aligned, nearly always: the program's own memory must stay. */
static uint64_t pick_arena(struct random *r)
{
	return (uint64_t)arena + below(r, ARENA_PAGES - 8) * PAGE + (below(r, 16) == 0 ? 1 : 0);
}

static uint64_t pick(struct random *r, enum kind kind)
{
	if (kind != NONE && kind != ARENA && below(r, 8) == 0)
		return below(r, 2) ? pick_number(r) : pick_pointer(r);
	switch (kind) {
	case FD: return below(r, 10) == 0 ? (uint64_t)AT_FDCWD : FDS_FROM + below(r, FDS);
	case PTR: return pick_pointer(r);
	case LEN: return pick_length(r);
	case FLAGS: return below(r, 2) ? 0 : 1ul << below(r, 24);
	case NUMBER: return below(r, 2) ? below(r, 16) : pick_number(r);
	case PATH: return (uint64_t)paths[below(r, sizeof(paths) / sizeof(paths[0]))];
	case OFFSET: return below(r, 2) ? below(r, 16) * PAGE : pick_number(r);
	case ARENA: return pick_arena(r);
	case PROT: return below(r, 8);
	case ADVICE: return below(r, 26);
	case FUTEX_OP: return below(r, 2) ? FUTEX_WAKE_PRIVATE : below(r, 16);
	default: return 0;
	}
}

/* Calls that could destroy what the program itself stands on are bent to the arena or left out. */
static int is_too_dangerous(const struct call *call, uint64_t *a)
{
	for (int i = 0; i < 6; i++)
		if (call->arg[i] == FD && (int)a[i] >= 0 && (int)a[i] < FDS_FROM)
			return 1; /* the streams */
	switch (call->number) {
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_madvise: a[1] %= 8 * PAGE; return 0;
	case SYS_mmap:
		a[1] %= 8 * PAGE;
		a[3] |= MAP_FIXED;
		a[3] &= ~(uint64_t)MAP_GROWSDOWN;
		return 0;
	case SYS_rt_sigaction:
	case SYS_tgkill: a[call->number == SYS_tgkill ? 2 : 1] = 0; return 0;
	case SYS_epoll_pwait: a[4] = 0; return 0;
	default: return 0;
	}
}

static atomic_int tids[THREADS];
static atomic_int finished;

static void *call_at_random(void *arg)
{
	struct random r = { first_seed * 0x9e3779b97f4a7c15 + (uint64_t)arg * 7919 };
	unsigned long refused = 0;

	atomic_store(&tids[(unsigned long)arg], gettid());
	for (unsigned long i = 0; i < calls_per_thread; i++) {
		const struct call *call = &calls[below(&r, sizeof(calls) / sizeof(calls[0]))];
		uint64_t a[6];

		for (int j = 0; j < 6; j++)
			a[j] = pick(&r, call->arg[j]);
		if (is_too_dangerous(call, a))
			continue;
		refused += syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]) == -1;
	}
	syscall(SYS_set_robust_list, NULL, 24ul);
	return (void *)refused;
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* Whatever waits is interrupted again and again, by a timer that signals every thread in turn. */
static void *interrupt_all(void *arg)
{
	(void)arg;
	while (!atomic_load(&finished)) {
		usleep(2000);
		for (int i = 0; i < THREADS; i++)
			if (atomic_load(&tids[i]))
				tgkill(getpid(), atomic_load(&tids[i]), SIGUSR1);
	}
	return NULL;
}

static void prepare(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct rlimit limit = { 64, 64 };
	int fd[2];

	sigaction(SIGUSR1, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGIO, SIG_IGN);
	REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	mkdirat(AT_FDCWD, "/tmp", 0777);
	REQUIRE(open("/tmp/random", O_RDWR | O_CREAT, 0600) >= 0);
	REQUIRE(memfd_create("random", 0) >= 0);
	REQUIRE(pipe2(fd, O_NONBLOCK) == 0);
	REQUIRE(eventfd(1, EFD_NONBLOCK) >= 0);
	REQUIRE(epoll_create1(0) >= 0);
	arena = mmap(NULL, ARENA_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	REQUIRE(arena != MAP_FAILED);
}

/* The host still does what it is asked. */
static void check_afterwards(void)
{
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char text[8];
	int fd;

	REQUIRE(p != MAP_FAILED);
	CHECK_EQ(p[5], 0);
	p[5] = 1;
	for (fd = FDS_FROM; fd < 64; fd++)
		close(fd);
	fd = memfd_create("afterwards", 0);
	CHECK_EQ(fd, FDS_FROM);
	CHECK_EQ(write(fd, "written", 7), 7);
	CHECK_EQ(pread(fd, text, 7, 0), 7);
	CHECK_EQ(memcmp(text, "written", 7), 0);
}

int main(int argc, char **argv)
{
	pthread_t thread[THREADS], interrupter;
	unsigned long refused = 0;

	if (argc > 1)
		first_seed = strtoul(argv[1], NULL, 0);
	if (argc > 2)
		calls_per_thread = strtoul(argv[2], NULL, 0);
	prepare();
	for (unsigned long i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&thread[i], NULL, call_at_random, (void *)i) == 0);
	REQUIRE(pthread_create(&interrupter, NULL, interrupt_all, NULL) == 0);
	for (int i = 0; i < THREADS; i++) {
		void *result;

		CHECK_EQ(pthread_join(thread[i], &result), 0);
		refused += (unsigned long)result;
	}
	atomic_store(&finished, 1);
	pthread_join(interrupter, NULL);
	check_afterwards();
	printf("random_calls: seed %lu, %lu calls, %lu refused\n", first_seed,
	       THREADS * calls_per_thread, refused);
	return check_done("random_calls");
}
