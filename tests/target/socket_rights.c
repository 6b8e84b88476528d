/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and credentials sent through sockets (SCM_RIGHTS, SCM_CREDENTIALS): who gets them, what
 * becomes of those that nobody takes, and that none are lost in loops of sockets that hold each
 * other.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/sock.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 253, CONTROL_SIZE = CMSG_SPACE((MANY + 1) * sizeof(int)) };

/* Sends @bytes with @count descriptors. As sendmsg(). */
static long send_fds(int via, const char *bytes, size_t size, const int *fds, size_t count,
		     int flags)
{
	static _Alignas(struct cmsghdr) char control[CONTROL_SIZE];
	struct iovec iov = { (void *)(uintptr_t)bytes, size };
	struct msghdr h = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);

	memset(control, 0, sizeof(control));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	return sendmsg(via, &h, flags);
}

static long send_fd(int via, int fd)
{
	return send_fds(via, "f", 1, &fd, 1, MSG_DONTWAIT);
}

struct got {
	long bytes;
	char data[16];
	int fds[MANY];
	size_t count;
	int flags;
	size_t control_size;
	struct ucred cred;
	int creds;
};

/* Receives with room for @room bytes of control messages. */
static struct got receive(int via, size_t room, int flags)
{
	static _Alignas(struct cmsghdr) char control[CONTROL_SIZE];
	struct got g = { 0 };
	struct iovec iov = { g.data, sizeof(g.data) };
	struct msghdr h = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = room ? control : NULL,
			    .msg_controllen = room };

	g.bytes = recvmsg(via, &h, flags);
	g.flags = h.msg_flags;
	g.control_size = h.msg_controllen;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); g.bytes >= 0 && c; c = CMSG_NXTHDR(&h, c)) {
		if (c->cmsg_type == SCM_RIGHTS) {
			g.count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(g.fds, CMSG_DATA(c), g.count * sizeof(int));
		} else if (c->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&g.cred, CMSG_DATA(c), sizeof(g.cred));
			g.creds++;
		}
	}
	return g;
}

static void close_got(const struct got *g)
{
	for (size_t i = 0; i < g->count; i++)
		close(g->fds[i]);
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Nothing is written to the pipe any more: all copies of its end are gone. */
static int is_closed(int reader)
{
	return events_now(reader, 0) == POLLHUP;
}

/* ---- the usual way */
static void check_one(int type)
{
	int p[2], event = eventfd(5, 0), two[2] = { event, event };
	uint64_t value = 0;
	struct got g;

	make_pair(type, p);
	CHECK_EQ(send_fds(p[0], "xy", 2, two, 2, 0), 2);
	g = receive(p[1], CONTROL_SIZE, MSG_CMSG_CLOEXEC);
	CHECK_EQ(g.bytes, 2);
	REQUIRE(g.count == 2);
	CHECK_EQ(g.flags, MSG_CMSG_CLOEXEC);
	CHECK_EQ(g.control_size, CMSG_SPACE(2 * sizeof(int)));
	CHECK_EQ(fcntl(g.fds[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(read(g.fds[1], &value, 8), 8);
	CHECK_EQ(value, 5);
	close_got(&g);
	/* A look at it gives descriptors too, and leaves them there. */
	CHECK_EQ(send_fd(p[0], event), 1);
	g = receive(p[1], CONTROL_SIZE, MSG_PEEK);
	CHECK_EQ(g.count, 1);
	close_got(&g);
	g = receive(p[1], CONTROL_SIZE, 0);
	CHECK_EQ(g.count, 1);
	CHECK_EQ(fcntl(g.fds[0], F_GETFD), 0);
	close_got(&g);
	close(event);
	close_pair(p);
}

/* Files end what one read of a stream gets. */
static void check_pieces(void)
{
	int p[2], event = eventfd(0, 0);
	struct got g;

	make_pair(SOCK_STREAM, p);
	CHECK_EQ(write(p[0], "ab", 2), 2);
	CHECK_EQ(send_fd(p[0], event), 1);
	CHECK_EQ(send_fd(p[0], event), 1);
	CHECK_EQ(write(p[0], "cd", 2), 2);
	g = receive(p[1], CONTROL_SIZE, 0);
	CHECK_EQ(g.bytes, 3);
	CHECK_EQ(g.count, 1);
	close_got(&g);
	g = receive(p[1], CONTROL_SIZE, 0);
	CHECK_EQ(g.bytes, 1);
	CHECK_EQ(g.count, 1);
	close_got(&g);
	g = receive(p[1], CONTROL_SIZE, 0);
	CHECK_EQ(g.bytes, 2);
	CHECK_EQ(g.count, 0);
	close(event);
	close_pair(p);
}

/* ---- what nobody takes */
static void check_not_taken(void)
{
	int p[2], q[2], before = open_descriptors();
	char buf[4];
	struct got g;

	make_pair(SOCK_STREAM, p);
	/* read() has no place for them. */
	REQUIRE(pipe(q) == 0);
	CHECK_EQ(send_fd(p[0], q[1]), 1);
	close(q[1]);
	CHECK(!is_closed(q[0]));
	CHECK_EQ(read(p[1], buf, 4), 1);
	CHECK(is_closed(q[0]));
	close(q[0]);
	/* Nor has a receiver without room, which is told. */
	REQUIRE(pipe(q) == 0);
	CHECK_EQ(send_fd(p[0], q[1]), 1);
	close(q[1]);
	g = receive(p[1], 0, 0);
	CHECK_EQ(g.flags, MSG_CTRUNC);
	CHECK(is_closed(q[0]));
	close(q[0]);
	/* With room for one of two, one comes. */
	REQUIRE(pipe(q) == 0);
	CHECK_EQ(send_fds(p[0], "t", 1, q, 2, 0), 1);
	g = receive(p[1], CMSG_LEN(sizeof(int)), 0);
	CHECK_EQ(g.flags, MSG_CTRUNC);
	CHECK_EQ(g.count, 1);
	close_got(&g);
	close(q[1]);
	CHECK(is_closed(q[0]));
	close(q[0]);
	/* They go with the socket that holds them. */
	REQUIRE(pipe(q) == 0);
	CHECK_EQ(send_fd(p[0], q[1]), 1);
	close(q[1]);
	close(p[1]);
	CHECK(is_closed(q[0]));
	close(q[0]);
	close(p[0]);
	CHECK_EQ(open_descriptors(), before);
}

/* No descriptor is free for what comes. */
static void check_no_descriptor(void)
{
	struct rlimit old, low;
	int p[2], q[2];
	struct got g;

	make_pair(SOCK_DGRAM, p);
	REQUIRE(pipe(q) == 0);
	CHECK_EQ(send_fd(p[0], q[1]), 1);
	close(q[1]);
	getrlimit(RLIMIT_NOFILE, &old);
	low = (struct rlimit){ (rlim_t)q[1], old.rlim_max };
	setrlimit(RLIMIT_NOFILE, &low);
	g = receive(p[1], CONTROL_SIZE, 0);
	setrlimit(RLIMIT_NOFILE, &old);
	CHECK_EQ(g.bytes, 1);
	CHECK_EQ(g.count, 0);
	CHECK_EQ(g.flags, MSG_CTRUNC);
	CHECK(is_closed(q[0]));
	close(q[0]);
	close_pair(p);
}

/* The numbers have no place to go: no descriptor is made that nobody knows of. */
static void check_unwritable_control(void)
{
	static char data[4];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr h = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = (void *)8,
			    .msg_controllen = CMSG_SPACE(sizeof(int)) };
	int p[2], q[2], before;

	make_pair(SOCK_DGRAM, p);
	REQUIRE(pipe(q) == 0);
	CHECK_EQ(send_fd(p[0], q[1]), 1);
	close(q[1]);
	before = open_descriptors();
	CHECK_EQ(recvmsg(p[1], &h, 0), 1);
	CHECK_EQ(h.msg_flags & MSG_CTRUNC, MSG_CTRUNC);
	CHECK_EQ(open_descriptors(), before);
	CHECK(is_closed(q[0]));
	/* Nor is a number lost. */
	CHECK_EQ(dup(q[0]), q[1]);
	close(q[1]);
	close(q[0]);
	close_pair(p);
}

/* ---- errors */
static void check_errors(void)
{
	static _Alignas(struct cmsghdr) char control[64];
	struct cmsghdr *c = (struct cmsghdr *)(void *)control;
	struct iovec iov = { "x", 1 };
	struct msghdr h = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = CMSG_SPACE(sizeof(int)) };
	int p[2], fds[MANY + 1] = { 0 }, bad = 900;

	make_pair(SOCK_DGRAM, p);
	CHECK_FAILS(send_fd(p[0], bad), EBADF);
	CHECK_FAILS(send_fds(p[0], "x", 1, fds, MANY + 1, 0), EINVAL);
	CHECK_EQ(send_fds(p[0], "x", 1, fds, MANY, 0), 1);
	CHECK_EQ(receive(p[1], 0, 0).bytes, 1);
	*c = (struct cmsghdr){ CMSG_LEN(4), SOL_SOCKET, 99 };
	CHECK_FAILS(sendmsg(p[0], &h, 0), EINVAL);
	*c = (struct cmsghdr){ CMSG_LEN(40), SOL_SOCKET, SCM_RIGHTS };
	CHECK_FAILS(sendmsg(p[0], &h, 0), EINVAL);
	*c = (struct cmsghdr){ 4, SOL_SOCKET, SCM_RIGHTS };
	CHECK_FAILS(sendmsg(p[0], &h, 0), EINVAL);
	*c = (struct cmsghdr){ CMSG_LEN(4), SOL_SOCKET, SCM_CREDENTIALS };
	CHECK_FAILS(sendmsg(p[0], &h, 0), EINVAL);
	/* Another layer's is none of ours. */
	*c = (struct cmsghdr){ CMSG_LEN(4), 77, 1 };
	CHECK_EQ(sendmsg(p[0], &h, 0), 1);
	h.msg_control = (void *)8;
	CHECK_FAILS(sendmsg(p[0], &h, 0), EFAULT);
	h.msg_controllen = 1 << 20;
	CHECK_FAILS(sendmsg(p[0], &h, 0), ENOBUFS);
	close_pair(p);
}

/* ---- credentials */
static void check_credentials(void)
{
	int p[2], status;
	struct got g;
	pid_t child;

	make_pair(SOCK_STREAM, p);
	CHECK_EQ(option(p[1], SO_PASSCRED), 0);
	set_option(p[1], SO_PASSCRED, 1);
	CHECK_EQ(write(p[0], "a", 1), 1);
	child = fork();
	if (child == 0)
		_exit(write(p[0], "b", 1) != 1);
	CHECK_EQ(waitpid(child, &status, 0), child);
	/* Bytes of two senders are told apart. */
	g = receive(p[1], CONTROL_SIZE, 0);
	CHECK_EQ(g.bytes, 1);
	CHECK_EQ(g.creds, 1);
	CHECK_EQ(g.cred.pid, getpid());
	CHECK_EQ(g.cred.uid, getuid());
	g = receive(p[1], CONTROL_SIZE, 0);
	CHECK_EQ(g.bytes, 1);
	CHECK_EQ(g.cred.pid, child);
	close_pair(p);
}

/* ---- sockets within sockets */
/* A chain of @depth sockets, each in the queue of the next: all go with the last. */
static void check_deep(int depth)
{
	int p[2], q[2], inner;

	REQUIRE(pipe(q) == 0);
	inner = q[1];
	for (int i = 0; i < depth; i++) {
		make_pair(SOCK_DGRAM, p);
		if (send_fd(p[0], inner) != 1) {
			/* Linux allows four, ours any. */
			CHECK_EQ(errno, ETOOMANYREFS);
			close_pair(p);
			break;
		}
		close(inner);
		close(p[0]);
		inner = p[1];
	}
	CHECK(!is_closed(q[0]));
	close(inner);
	CHECK(is_closed(q[0]));
	close(q[0]);
}

/*
 * A loop: each of two sockets in the other's queue, and nobody else holds them. Linux finds that
 * out and frees them; Catwalk refuses to make it. The pipe in it tells that nothing was kept.
 */
static void check_loop(void)
{
	int a[2], b[2], q[2];
	long ret;

	make_pair(SOCK_DGRAM, a);
	make_pair(SOCK_DGRAM, b);
	REQUIRE(pipe(q) == 0);
	CHECK_EQ(send_fd(a[0], q[1]), 1);
	CHECK_EQ(send_fd(a[0], b[1]), 1); /* b[1] in a[1] */
	ret = send_fd(b[0], a[1]);	  /* a[1] in b[1] */
	CHECK(ret == 1 || errno == ETOOMANYREFS);
	close(q[1]);
	close_pair(a);
	close_pair(b);
	/* Linux collects at the next close of a socket or later. */
	for (int i = 0; i < 100 && !is_closed(q[0]); i++) {
		make_pair(SOCK_DGRAM, a);
		CHECK_EQ(send_fd(a[0], a[0]), 1);
		close_pair(a);
		usleep(10000);
	}
	CHECK(is_closed(q[0]));
	close(q[0]);
}

/* A socket in its own queue, and one in that of a connection that its listener still holds. */
static void check_own_queue(void)
{
	struct sockaddr_un name = { AF_UNIX, "\0rights" };
	int p[2], listener = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
	long ret;

	make_pair(SOCK_STREAM, p);
	ret = send_fd(p[0], p[1]);
	CHECK(ret == 1 || errno == ETOOMANYREFS);
	CHECK_OK(bind(listener, (struct sockaddr *)&name, 9));
	CHECK_OK(listen(listener, 5));
	CHECK_OK(connect(c, (struct sockaddr *)&name, 9));
	ret = send_fd(c, listener);
	CHECK(ret == 1 || errno == ETOOMANYREFS);
	CHECK_EQ(send_fd(c, c), 1);
	close(listener);
	close(c);
	close_pair(p);
}

/* ---- a program that sends without end */
static int is_catwalk(void)
{
	struct utsname name;

	return uname(&name) == 0 && strstr(name.release, "catwalk") != NULL;
}

/* Fills socket after socket. Catwalk refuses when a part of memory is full of messages. */
static int send_without_end(void)
{
	static char block[100000];
	int p[2];

	while (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p) == 0) {
		while (write(p[0], block, sizeof(block)) > 0)
			;
		if (errno == ENOBUFS)
			return 0;
	}
	return is_catwalk();
}

/* All that a program left in sockets is free once it is gone. */
static void check_bounded(void)
{
	struct sysinfo before, after;
	struct rlimit files = { 4096, 4096 };
	int status;
	pid_t child;

	sysinfo(&before);
	child = fork();
	if (child == 0) {
		setrlimit(RLIMIT_NOFILE, &files);
		_exit(send_without_end());
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	sysinfo(&after);
	CHECK(after.freeram + (16UL << 20) > before.freeram);
}

int main(void)
{
	int before;

	signal(SIGPIPE, SIG_IGN);
	before = open_descriptors();
	check_one(SOCK_STREAM);
	check_one(SOCK_DGRAM);
	check_one(SOCK_SEQPACKET);
	check_pieces();
	check_not_taken();
	check_no_descriptor();
	check_unwritable_control();
	check_errors();
	check_credentials();
	check_deep(3);
	check_deep(500);
	check_loop();
	check_own_queue();
	check_bounded();
	CHECK_EQ(open_descriptors(), before);
	return check_done("socket_rights");
}
