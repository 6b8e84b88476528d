/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that use the same descriptors, names, pipes and event sets at once. Whatever each call
 * answers, bytes arrive once and in order, and nothing is left open or named at the end.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/target/check.h"

enum { ROUNDS = 2000, THREADS = 4 };

static unsigned int next_random(unsigned int *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16;
}

static void run_threads(void *(*fn)(void *arg), void *arg)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&threads[i], NULL, fn, arg) == 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static int count_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* ---- descriptors: each thread closes and replaces what the others use */
static void *shuffle_descriptors(void *arg)
{
	unsigned int seed = (unsigned int)(unsigned long)pthread_self() + *(unsigned int *)arg;
	char byte;

	for (int i = 0; i < ROUNDS; i++) {
		int fd = 40 + (int)(next_random(&seed) % 8), other, pair[2];

		switch (next_random(&seed) % 6) {
		case 0: close(fd); break;
		case 1:
			other = open("/dev/zero", O_RDONLY);
			dup3(other, fd, O_CLOEXEC);
			close(other);
			break;
		case 2: check_note(read(fd, &byte, 1) <= 1); break;
		case 3:
			if (pipe2(pair, O_NONBLOCK) == 0) {
				dup2(pair[next_random(&seed) % 2], fd);
				close(pair[0]);
				close(pair[1]);
			}
			break;
		case 4: check_note(write(fd, "x", 1) <= 1); break;
		default: fcntl(fd, F_SETFD, FD_CLOEXEC);
		}
	}
	return NULL;
}

static void check_descriptors(void)
{
	unsigned int salt = 7;
	int before = count_open();

	run_threads(shuffle_descriptors, &salt);
	for (int fd = 40; fd < 48; fd++)
		close(fd);
	CHECK_EQ(count_open(), before);
}

/* ---- names: make, move and remove the same few */
static void *shuffle_names(void *arg)
{
	unsigned int seed = (unsigned int)(unsigned long)pthread_self() + *(unsigned int *)arg;

	for (int i = 0; i < ROUNDS; i++) {
		char a[32], b[32];
		struct stat st;
		int fd;

		snprintf(a, sizeof(a), "races/%u", next_random(&seed) % 4);
		snprintf(b, sizeof(b), "races/%u/%u", next_random(&seed) % 4,
			 next_random(&seed) % 2);
		switch (next_random(&seed) % 8) {
		case 0: mkdir(a, 0755); break;
		case 1: rmdir(a); break;
		case 2:
			fd = open(next_random(&seed) % 2 ? a : b, O_CREAT | O_RDWR, 0644);
			if (fd >= 0) {
				check_note(write(fd, "abc", 3) == 3);
				close(fd);
			}
			break;
		case 3: unlink(next_random(&seed) % 2 ? a : b); break;
		case 4: rename(a, b); break;
		case 5: rename(b, a); break;
		case 6: link(b, a); break;
		default: stat(b, &st);
		}
	}
	return NULL;
}

/* Names and what stat says of them agree: everything listed can be removed. */
static void remove_all(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	char name[512];

	REQUIRE(dir != NULL);
	while ((e = readdir(dir)) != NULL) {
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			remove_all(name);
		else if (e->d_type == DT_REG)
			CHECK_OK(unlink(name));
	}
	closedir(dir);
	CHECK_OK(rmdir(path));
}

static void check_names(void)
{
	unsigned int salt = 11;
	struct stat st;

	CHECK_OK(mkdir("races", 0755));
	run_threads(shuffle_names, &salt);
	CHECK_OK(stat("races", &st));
	remove_all("races");
	CHECK_FAILS(stat("races", &st), ENOENT);
}

/* ---- a pipe: numbers come out once each, in each writer's order */
struct pipe_test {
	int fd[2];
	atomic_int writers;
};

static void *write_numbers(void *arg)
{
	struct pipe_test *t = arg;
	unsigned int who = (unsigned int)atomic_fetch_add(&t->writers, 1);

	for (unsigned int i = 0; i < ROUNDS; i++) {
		unsigned int word[8] = { who, i };

		if (write(t->fd[1], word, sizeof(word)) != sizeof(word))
			break;
	}
	return NULL;
}

static void *read_numbers(void *arg)
{
	struct pipe_test *t = arg;
	unsigned int next[THREADS] = { 0 }, word[8], wrong = 0;

	while (read(t->fd[0], word, sizeof(word)) == sizeof(word))
		wrong += word[0] >= THREADS || word[1] != next[word[0]]++;
	CHECK_EQ(wrong, 0);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(next[i], ROUNDS);
	return NULL;
}

static void check_pipe(void)
{
	struct pipe_test t = { .writers = 0 };
	pthread_t reader;

	REQUIRE(pipe(t.fd) == 0);
	pthread_create(&reader, NULL, read_numbers, &t);
	run_threads(write_numbers, &t);
	close(t.fd[1]);
	pthread_join(reader, NULL);
	close(t.fd[0]);
}

/* ---- events: what is signalled is seen, by whichever thread waits; sets outlive their files */
struct event_test {
	int set, event;
	atomic_ulong taken;
};

static void *take_events(void *arg)
{
	struct event_test *t = arg;
	struct epoll_event got;
	uint64_t n;

	while (atomic_load(&t->taken) < ROUNDS)
		if (epoll_wait(t->set, &got, 1, 50) == 1 && read(t->event, &n, 8) == 8)
			atomic_fetch_add(&t->taken, n);
	return NULL;
}

static void *give_events(void *arg)
{
	struct event_test *t = arg;
	uint64_t one = 1;

	for (int i = 0; i < ROUNDS; i++)
		check_note(write(t->event, &one, 8) == 8);
	return NULL;
}

static void *churn_set(void *arg)
{
	struct event_test *t = arg;
	struct epoll_event want = { .events = EPOLLIN };

	for (int i = 0; i < ROUNDS; i++) {
		int fd = eventfd(1, 0), twin = dup(fd);

		check_note(epoll_ctl(t->set, EPOLL_CTL_ADD, fd, &want) == 0);
		close(fd);
		close(twin);
	}
	return NULL;
}

static void check_events(void)
{
	struct event_test t = { .set = epoll_create1(0), .event = eventfd(0, EFD_NONBLOCK) };
	struct epoll_event want = { .events = EPOLLIN }, got;
	pthread_t giver, churner;

	CHECK_OK(epoll_ctl(t.set, EPOLL_CTL_ADD, t.event, &want));
	pthread_create(&giver, NULL, give_events, &t);
	pthread_create(&churner, NULL, churn_set, &t);
	run_threads(take_events, &t);
	pthread_join(giver, NULL);
	pthread_join(churner, NULL);
	CHECK_EQ(atomic_load(&t.taken), ROUNDS);
	CHECK_EQ(epoll_wait(t.set, &got, 1, 0), 0);
	close(t.event);
	close(t.set);
}

/* ---- a named pipe: each end's open finds the other, however soon that is gone again */
static pthread_barrier_t each_round;

static void *write_and_go(void *name)
{
	for (int i = 0; i < ROUNDS; i++) {
		int fd;

		pthread_barrier_wait(&each_round);
		fd = open(name, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "x", 1) != 1)
			return name;
		close(fd);
	}
	return NULL;
}

static void check_named_pipe(void)
{
	static char name[] = "fifo";
	pthread_t writer;
	void *failed;
	int got = 0;

	REQUIRE(mkfifo(name, 0600) == 0 && pthread_barrier_init(&each_round, NULL, 2) == 0);
	REQUIRE(pthread_create(&writer, NULL, write_and_go, name) == 0);
	alarm(40); /* who misses the other waits for ever */
	for (int i = 0; i < ROUNDS; i++) {
		char byte;
		int fd;

		pthread_barrier_wait(&each_round);
		fd = open(name, O_RDONLY | O_CLOEXEC);
		got += fd >= 0 && read(fd, &byte, 1) == 1 && read(fd, &byte, 1) == 0;
		close(fd);
	}
	alarm(0);
	pthread_join(writer, &failed);
	CHECK(!failed);
	CHECK_EQ(got, ROUNDS);
	CHECK_OK(unlink(name));
}

int main(void)
{
	int before = count_open();

	signal(SIGPIPE, SIG_IGN);
	mkdir("/tmp", 01777);
	REQUIRE(mkdir("/tmp/work", 0755) == 0 && chdir("/tmp/work") == 0);
	check_descriptors();
	check_names();
	check_pipe();
	check_events();
	check_named_pipe();
	CHECK_EQ(count_open(), before);
	return check_done("file_races");
}
