/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Record locks of fcntl(2): ranges, owners, waiting, deadlock, and when they end.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH "/tmp/record_locks"

static int is_catwalk(void)
{
	struct utsname name;

	return uname(&name) == 0 && strstr(name.release, "catwalk") != NULL;
}

static int open_it(int flags)
{
	int fd = open(PATH, flags | O_CREAT, 0600);

	REQUIRE(fd >= 0);
	return fd;
}

static int lock(int fd, int cmd, short type, long start, long len)
{
	struct flock fl = { .l_type = type, .l_start = start, .l_len = len };

	return fcntl(fd, cmd, &fl);
}

/* Runs @ask in a child; its exit status. */
static int in_child(int (*ask)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(ask());
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* What another process finds in the way of bytes 0 to 99. */
static long long asked_from, asked_len;
static short asked_type;

static int ask_write(void)
{
	struct flock fl = { .l_type = F_WRLCK, .l_start = asked_from, .l_len = asked_len };
	int fd = open_it(O_RDWR);

	if (fcntl(fd, F_GETLK, &fl) != 0)
		return 100;
	if (fl.l_type == F_UNLCK)
		return 0;
	if (fl.l_pid != getppid() || fl.l_whence != SEEK_SET)
		return 101;
	/* Small numbers only: they travel as an exit status. */
	return (int)(1 + fl.l_start + fl.l_len * 8 + (fl.l_type == F_RDLCK) * 64);
}

static int found(long long from, long long len)
{
	asked_from = from;
	asked_len = len;
	return in_child(ask_write);
}

enum { NOTHING = 0 };
#define EXCLUSIVE(start, len) (1 + (start) + (len)*8)
#define SHARED(start, len)    (1 + (start) + (len)*8 + 64)

static int try_lock(void)
{
	int fd = open_it(O_RDWR);

	if (lock(fd, F_SETLK, asked_type, (long)asked_from, (long)asked_len) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? 1 : 2;
}

static int other_gets(short type, long long from, long long len)
{
	asked_type = type;
	asked_from = from;
	asked_len = len;
	return in_child(try_lock) == 0;
}

/* ---- ranges */
static void check_ranges(void)
{
	int fd = open_it(O_RDWR);

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 2, 4)); /* 2 to 5 */
	CHECK_EQ(found(0, 2), NOTHING);
	CHECK_EQ(found(6, 9), NOTHING);
	CHECK_EQ(found(0, 0), EXCLUSIVE(2, 4));
	CHECK_EQ(found(5, 1), EXCLUSIVE(2, 4));
	CHECK(!other_gets(F_RDLCK, 5, 5));
	CHECK(other_gets(F_WRLCK, 6, 5));
	/* A hole in the middle. */
	CHECK_OK(lock(fd, F_SETLK, F_UNLCK, 3, 1));
	CHECK_EQ(found(0, 0) == EXCLUSIVE(2, 1) || found(0, 0) == EXCLUSIVE(4, 2), 1);
	CHECK_EQ(found(2, 1), EXCLUSIVE(2, 1));
	CHECK_EQ(found(3, 1), NOTHING);
	CHECK_EQ(found(4, 9), EXCLUSIVE(4, 2));
	/* Closed again, they are one. */
	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 3, 1));
	CHECK_EQ(found(0, 0), EXCLUSIVE(2, 4));
	/* A part becomes shared. */
	CHECK_OK(lock(fd, F_SETLK, F_RDLCK, 4, 3));
	CHECK_EQ(found(3, 1), EXCLUSIVE(2, 2));
	CHECK_EQ(found(4, 1), SHARED(4, 3));
	CHECK(other_gets(F_RDLCK, 4, 3));
	CHECK(!other_gets(F_WRLCK, 6, 1));
	CHECK_OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	CHECK_EQ(found(0, 0), NOTHING);
	/* Without an end; backwards; from the end and the position. */
	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 3, 0));
	CHECK_EQ(found(1L << 40, 1), EXCLUSIVE(3, 0));
	CHECK_OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 4, -2));
	CHECK_EQ(found(0, 0), EXCLUSIVE(2, 2));
	CHECK_OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	CHECK_OK(ftruncate(fd, 6));
	CHECK_OK(fcntl(fd, F_SETLK,
		       &(struct flock){ .l_type = F_WRLCK,
					.l_whence = SEEK_END,
					.l_start = -2,
					.l_len = 1 }));
	CHECK_EQ(found(0, 0), EXCLUSIVE(4, 1));
	CHECK_OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	CHECK_EQ(lseek(fd, 3, SEEK_SET), 3);
	CHECK_OK(fcntl(fd, F_SETLK,
		       &(struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_len = 1 }));
	CHECK_EQ(found(0, 0), EXCLUSIVE(3, 1));
	close(fd);
}

/* ---- when they end */
static void check_owners(void)
{
	int a = open_it(O_RDWR), b = open_it(O_RDWR);
	struct flock fl = { .l_type = F_WRLCK };

	CHECK_OK(lock(a, F_SETLK, F_WRLCK, 0, 2));
	/* One's own locks are never in the way, by whatever descriptor. */
	CHECK_OK(lock(b, F_SETLK, F_WRLCK, 1, 2));
	CHECK_OK(fcntl(b, F_GETLK, &fl));
	CHECK_EQ(fl.l_type, F_UNLCK);
	CHECK_EQ(found(0, 0), EXCLUSIVE(0, 3));
	/* The child did not inherit it, and any close ends it. */
	CHECK(!other_gets(F_WRLCK, 0, 1));
	close(b);
	CHECK_EQ(found(0, 0), NOTHING);
	CHECK_OK(lock(a, F_SETLK, F_WRLCK, 0, 2));
	b = dup(a);
	CHECK_OK(dup2(0, b));
	CHECK_EQ(found(0, 0), NOTHING);
	close(b);
	close(a);
}

static void check_open_files(void)
{
	int a = open_it(O_RDWR), b = open_it(O_RDWR), c = dup(a);
	struct flock fl = { .l_type = F_WRLCK };

	CHECK_OK(lock(a, F_OFD_SETLK, F_WRLCK, 0, 2));
	CHECK_FAILS(lock(b, F_OFD_SETLK, F_RDLCK, 1, 1), EAGAIN);
	CHECK_OK(lock(c, F_OFD_SETLK, F_WRLCK, 0, 2)); /* the same open file */
	CHECK_FAILS(lock(b, F_SETLK, F_RDLCK, 1, 1), EAGAIN);
	CHECK_OK(fcntl(b, F_OFD_GETLK, &fl));
	CHECK_EQ(fl.l_type, F_WRLCK);
	CHECK_EQ(fl.l_len, 2);
	CHECK_EQ(fl.l_pid, -1);
	fl = (struct flock){ .l_type = F_WRLCK, .l_pid = 1 };
	CHECK_FAILS(fcntl(b, F_OFD_SETLK, &fl), EINVAL);
	close(a);
	CHECK_FAILS(lock(b, F_OFD_SETLK, F_RDLCK, 1, 1), EAGAIN);
	close(c);
	CHECK_OK(lock(b, F_OFD_SETLK, F_RDLCK, 1, 1));
	close(b);
}

/* ---- waiting */
static int locked, told[2];

static int wait_for_it(void)
{
	int fd = open_it(O_RDWR);

	if (write(told[1], "w", 1) != 1)
		return 1;
	if (lock(fd, F_SETLKW, F_WRLCK, 0, 1) != 0)
		return 2;
	return write(told[1], "g", 1) != 1;
}

static void check_waiting(void)
{
	pid_t child;
	int status;
	char c;

	REQUIRE(pipe(told) == 0);
	locked = open_it(O_RDWR);
	CHECK_OK(lock(locked, F_SETLK, F_WRLCK, 0, 1));
	child = fork();
	if (child == 0)
		_exit(wait_for_it());
	CHECK_EQ(read(told[0], &c, 1), 1);
	usleep(30000);
	CHECK_OK(fcntl(told[0], F_SETFL, O_NONBLOCK));
	CHECK_FAILS(read(told[0], &c, 1), EAGAIN);
	CHECK_OK(lock(locked, F_SETLK, F_UNLCK, 0, 1));
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_EQ(read(told[0], &c, 1), 1);
	CHECK_EQ(c, 'g');
	close(locked);
	close(told[0]);
	close(told[1]);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static int wait_interrupted(void)
{
	struct sigaction act = { .sa_handler = on_alarm };
	struct itimerval soon = { .it_value = { 0, 20000 } };
	int fd = open_it(O_RDWR);

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	return lock(fd, F_SETLKW, F_WRLCK, 0, 1) == -1 && errno == EINTR ? 0 : 1;
}

/* Each of two processes has a byte and wants the other's: one of them is told. */
static int deadlock_result(int mine)
{
	int fd = open_it(O_RDWR), ret;
	char c = 0;

	if (lock(fd, F_SETLK, F_WRLCK, mine, 1) != 0 || write(told[1], &c, 1) != 1)
		return 2;
	usleep(50000);
	ret = lock(fd, F_SETLKW, F_WRLCK, !mine, 1);
	return ret == 0 ? 0 : errno == EDEADLK ? 1 : 3;
}

static void check_deadlock(void)
{
	int status[2];
	pid_t child[2];

	REQUIRE(pipe(told) == 0);
	for (int i = 0; i < 2; i++) {
		child[i] = fork();
		if (child[i] == 0)
			_exit(deadlock_result(i));
	}
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(waitpid(child[i], &status[i], 0), child[i]);
		CHECK(WIFEXITED(status[i]));
	}
	CHECK_EQ(WEXITSTATUS(status[0]) + WEXITSTATUS(status[1]), 1);
	close(told[0]);
	close(told[1]);
}

/* A thread that waits keeps nothing when the descriptor is closed meanwhile. */
static void *wait_in_thread(void *fd)
{
	CHECK_FAILS(lock(*(int *)fd, F_SETLKW, F_WRLCK, 0, 1), EBADF);
	return NULL;
}

static int release[2];

static int hold_until_told(void)
{
	int fd = open_it(O_RDWR);
	char c;

	if (lock(fd, F_SETLK, F_WRLCK, 0, 1) != 0 || write(told[1], "l", 1) != 1)
		return 1;
	return read(release[0], &c, 1) != 1;
}

static void check_closed_while_waiting(void)
{
	int fd, status;
	pthread_t t;
	pid_t child;
	char c;

	REQUIRE(pipe(told) == 0 && pipe(release) == 0);
	child = fork();
	if (child == 0)
		_exit(hold_until_told());
	CHECK_EQ(read(told[0], &c, 1), 1);
	fd = open_it(O_RDWR);
	pthread_create(&t, NULL, wait_in_thread, &fd);
	usleep(50000);
	close(fd);
	CHECK_EQ(write(release[1], "r", 1), 1);
	pthread_join(t, NULL);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_EQ(found(0, 0), NOTHING);
	close(told[0]);
	close(told[1]);
}

/* ---- errors */
static void check_errors(void)
{
	int r = open_it(O_RDONLY), w = open_it(O_WRONLY), fd = open_it(O_RDWR);
	struct flock fl = { .l_type = F_WRLCK, .l_whence = 7 };

	CHECK_FAILS(lock(r, F_SETLK, F_WRLCK, 0, 1), EBADF);
	CHECK_FAILS(lock(w, F_SETLK, F_RDLCK, 0, 1), EBADF);
	CHECK_FAILS(lock(fd, F_SETLK, 9, 0, 1), EINVAL);
	CHECK_FAILS(lock(fd, F_GETLK, F_UNLCK, 0, 1), EINVAL);
	CHECK_FAILS(lock(fd, F_SETLK, F_WRLCK, -1, 1), EINVAL);
	CHECK_FAILS(lock(fd, F_SETLK, F_WRLCK, 1, -2), EINVAL);
	CHECK_FAILS(lock(fd, F_SETLK, F_WRLCK, 0x7fffffffffffffff, 2), EOVERFLOW);
	CHECK_FAILS(fcntl(fd, F_SETLK, &fl), EINVAL);
	CHECK_FAILS(fcntl(fd, F_SETLK, 8), EFAULT);
	CHECK_FAILS(lock(900, F_SETLK, F_WRLCK, 0, 1), EBADF);
	close(fd);
	close(r);
	close(w);
}

/* Many locks on one file are many, or refused. */
static void check_many(void)
{
	int fd = open_it(O_RDWR), made = 0;

	while (made < 3000 && lock(fd, F_SETLK, F_WRLCK, made * 2L, 1) == 0)
		made++;
	CHECK_EQ(made, 3000);
	CHECK(!other_gets(F_WRLCK, 5998, 1));
	CHECK(other_gets(F_WRLCK, 5997, 1));
	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	CHECK_EQ(found(9, 1), EXCLUSIVE(0, 0));
	close(fd);
}

/* One lock with hole after hole is many, too. */
static void check_many_holes(void)
{
	int fd = open_it(O_RDWR), holes = 0;

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	while (holes < 20000 && lock(fd, F_SETLK, F_UNLCK, holes * 2L + 1, 1) == 0)
		holes++;
	if (is_catwalk()) {
		CHECK_EQ(errno, ENOLCK);
		CHECK_EQ(holes, 4095);
		CHECK_FAILS(lock(fd, F_SETLK, F_WRLCK, 1, 1), ENOLCK);
	} else {
		CHECK_EQ(holes, 20000);
	}
	/* At the limit, what needs no more goes on. */
	CHECK(!other_gets(F_WRLCK, 2, 1));
	CHECK_OK(lock(fd, F_SETLK, F_UNLCK, 2, 1));
	CHECK(other_gets(F_WRLCK, 1, 3));
	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 2, 1));
	CHECK_OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	CHECK(other_gets(F_WRLCK, 0, 0));
	close(fd);
}

int main(void)
{
	mkdir("/tmp", 0777);
	check_ranges();
	check_owners();
	check_open_files();
	check_waiting();
	locked = open_it(O_RDWR);
	CHECK_OK(lock(locked, F_SETLK, F_WRLCK, 0, 1));
	CHECK_EQ(in_child(wait_interrupted), 0);
	close(locked);
	check_deadlock();
	check_closed_while_waiting();
	check_errors();
	check_many();
	check_many_holes();
	return check_done("record_locks");
}
