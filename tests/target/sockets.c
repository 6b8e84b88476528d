/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_UNIX sockets: what connects, what is sent and in which pieces, who is told what, when one
 * end goes, options, names, and errors.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/sock.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATH "/tmp/sockets.sock"

/* Not a place that can be touched. */
static void *volatile nowhere = (void *)8;
static volatile sig_atomic_t pipe_signals;

static void on_pipe(int sig)
{
	(void)sig;
	pipe_signals++;
}

static int bytes_waiting(int fd)
{
	int n = -1;

	CHECK_OK(ioctl(fd, FIONREAD, &n));
	return n;
}

/* ---- making them */
static void check_making(void)
{
	struct stat st;
	int fd, pair[2];

	CHECK_FAILS(socket(AF_UNIX, SOCK_STREAM, 7), EPROTONOSUPPORT);
	CHECK_FAILS(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
	CHECK_FAILS(socket(AF_UNIX, 12, 0), EINVAL);
	CHECK_FAILS(socket(AF_UNIX, SOCK_STREAM | 0x1000, 0), EINVAL);
	CHECK_FAILS(socket(60, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_FAILS(socket(AF_APPLETALK, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_FAILS(socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)nowhere), EFAULT);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, AF_UNIX);
	REQUIRE(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_ACCMODE), O_NONBLOCK | O_RDWR);
	CHECK_OK(fstat(fd, &st));
	CHECK(S_ISSOCK(st.st_mode));
	CHECK_FAILS(lseek(fd, 0, SEEK_SET), ESPIPE);
	CHECK_FAILS(pread(fd, &st, 1, 0), ESPIPE);
	CHECK_FAILS(read(fd, &st, 1), EINVAL);
	CHECK_FAILS(write(fd, &st, 1), ENOTCONN);
	CHECK_EQ(events_now(fd, POLLIN | POLLOUT), POLLOUT | POLLHUP);
	CHECK_FAILS(listen(fd, 1), EINVAL);
	CHECK_FAILS(accept(fd, NULL, NULL), EINVAL);
	close(fd);
	/* A raw socket of this family is a datagram one. */
	fd = socket(AF_UNIX, SOCK_RAW, 0);
	REQUIRE(fd >= 0);
	CHECK_EQ(option(fd, SO_TYPE), SOCK_DGRAM);
	CHECK_FAILS(listen(fd, 1), EOPNOTSUPP);
	CHECK_FAILS(accept(fd, NULL, NULL), EOPNOTSUPP);
	CHECK_EQ(events_now(fd, POLLIN | POLLOUT), POLLOUT);
	close(fd);
	CHECK_OK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	CHECK_EQ(fcntl(pair[1], F_GETFD), FD_CLOEXEC);
	close_pair(pair);
	CHECK_FAILS(bind(0, NULL, 0), ENOTSOCK);
	CHECK_FAILS(listen(900, 0), EBADF);
}

/* ---- bytes */
static void check_stream(void)
{
	struct iovec parts[2] = { { "abc", 3 }, { "defg", 4 } };
	char buf[16] = "";
	int p[2];

	make_pair(SOCK_STREAM, p);
	CHECK_EQ(writev(p[0], parts, 2), 7);
	CHECK_EQ(bytes_waiting(p[1]), 7);
	CHECK_EQ(recv(p[1], buf, 2, MSG_PEEK), 2);
	CHECK_EQ(recv(p[1], buf, 3, 0), 3);
	CHECK(memcmp(buf, "abc", 3) == 0);
	CHECK_EQ(bytes_waiting(p[1]), 4);
	/* What two writes sent, one read gets. */
	CHECK_EQ(write(p[0], "h", 1), 1);
	CHECK_EQ(read(p[1], buf, sizeof(buf)), 5);
	CHECK(memcmp(buf, "defgh", 5) == 0);
	CHECK_FAILS(recv(p[1], buf, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(read(p[1], buf, 0), 0);
	CHECK_EQ(write(p[0], buf, 0), 0);
	CHECK_FAILS(write(p[0], nowhere, 4), EFAULT);
	CHECK_EQ(events_now(p[1], POLLIN | POLLOUT), POLLOUT);
	CHECK_EQ(write(p[0], "x", 1), 1);
	CHECK_FAILS(read(p[1], nowhere, 4), EFAULT);
	CHECK_EQ(read(p[1], buf, 4), 1);
	/* A peer is there already. */
	CHECK_FAILS(sendto(p[0], "x", 1, 0,
			   (struct sockaddr *)&(struct sockaddr_un){ AF_UNIX, "x" }, 4),
		    EISCONN);
	close_pair(p);
}

static void check_messages(int type)
{
	struct iovec parts[2] = { { "ab", 2 }, { "cd", 2 } };
	struct msghdr h = { .msg_iov = parts, .msg_iovlen = 2 };
	char buf[8] = "";
	int p[2];

	make_pair(type, p);
	CHECK_EQ(sendmsg(p[0], &h, 0), 4);
	CHECK_EQ(send(p[0], "xyz", 3, 0), 3);
	CHECK_EQ(send(p[0], "", 0, 0), 0);
	CHECK_EQ(recv(p[1], buf, sizeof(buf), MSG_PEEK), 4);
	/* The rest of a message is lost, and the reader is told. */
	parts[0].iov_base = buf;
	parts[0].iov_len = 1;
	h.msg_iovlen = 1;
	CHECK_EQ(recvmsg(p[1], &h, 0), 1);
	CHECK_EQ(h.msg_flags, MSG_TRUNC);
	CHECK_EQ(buf[0], 'a');
	CHECK_EQ(recv(p[1], buf, 1, MSG_TRUNC), 3);
	CHECK_EQ(bytes_waiting(p[1]), 0);
	CHECK_EQ(recv(p[1], buf, sizeof(buf), 0), 0);
	CHECK_FAILS(recv(p[1], buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	CHECK_FAILS(send(p[0], "x", 1, MSG_OOB), EOPNOTSUPP);
	h.msg_iovlen = 1025;
	CHECK_FAILS(sendmsg(p[0], &h, 0), EMSGSIZE);
	close_pair(p);
}

/* ---- when one end goes */
static void check_end(int type)
{
	char buf[4];
	int p[2];

	make_pair(type, p);
	CHECK_EQ(send(p[0], "last", 4, 0), 4);
	close(p[0]);
	CHECK_EQ(events_now(p[1], POLLIN | POLLOUT | POLLRDHUP),
		 POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	CHECK_EQ(recv(p[1], buf, 4, 0), 4);
	CHECK_EQ(recv(p[1], buf, 4, 0), 0);
	CHECK_EQ(recv(p[1], buf, 4, MSG_DONTWAIT), 0);
	pipe_signals = 0;
	CHECK_FAILS(send(p[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(pipe_signals, 0);
	CHECK_FAILS(send(p[1], "x", 1, 0), EPIPE);
	CHECK_EQ(pipe_signals, type == SOCK_STREAM);
	close(p[1]);
	/* Bytes that nobody read are an error of who sent them. */
	make_pair(type, p);
	CHECK_EQ(send(p[0], "lost", 4, 0), 4);
	close(p[1]);
	CHECK_EQ(events_now(p[0], POLLIN), POLLIN | POLLHUP | POLLERR);
	CHECK_FAILS(recv(p[0], buf, 4, 0), ECONNRESET);
	CHECK_EQ(recv(p[0], buf, 4, 0), 0);
	close(p[0]);
}

static void check_shutdown(void)
{
	char buf[4];
	int p[2];

	make_pair(SOCK_STREAM, p);
	CHECK_FAILS(shutdown(p[0], 3), EINVAL);
	CHECK_EQ(send(p[0], "ab", 2, 0), 2);
	CHECK_OK(shutdown(p[0], SHUT_WR));
	CHECK_FAILS(send(p[0], "c", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(recv(p[1], buf, 4, 0), 2);
	CHECK_EQ(recv(p[1], buf, 4, 0), 0);
	CHECK_EQ(events_now(p[1], POLLIN | POLLRDHUP | POLLOUT), POLLIN | POLLRDHUP | POLLOUT);
	/* The other way goes on. */
	CHECK_EQ(send(p[1], "d", 1, 0), 1);
	CHECK_EQ(recv(p[0], buf, 4, 0), 1);
	CHECK_OK(shutdown(p[0], SHUT_RD));
	CHECK_EQ(recv(p[0], buf, 4, 0), 0);
	CHECK_FAILS(send(p[1], "e", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(events_now(p[0], POLLIN | POLLRDHUP), POLLIN | POLLRDHUP | POLLHUP);
	close_pair(p);
}

/* ---- names and connections */
static void check_accepted(int listener, int client, int server, socklen_t name_size)
{
	struct sockaddr_un name = { 0 };
	socklen_t size = sizeof(name);
	struct ucred cred = { 0 };

	CHECK_OK(getsockname(server, (struct sockaddr *)&name, &size));
	CHECK_EQ(size, name_size);
	size = sizeof(name);
	CHECK_OK(getpeername(client, (struct sockaddr *)&name, &size));
	CHECK_EQ(size, name_size);
	CHECK_EQ(name.sun_family, AF_UNIX);
	/* The client has no name. */
	size = sizeof(name);
	CHECK_OK(getpeername(server, (struct sockaddr *)&name, &size));
	CHECK_EQ(size, sizeof(sa_family_t));
	size = sizeof(cred);
	CHECK_OK(getsockopt(client, SOL_SOCKET, SO_PEERCRED, &cred, &size));
	CHECK_EQ(cred.pid, getpid());
	CHECK_EQ(option(listener, SO_ACCEPTCONN), 1);
	CHECK_EQ(option(server, SO_ACCEPTCONN), 0);
}

static void check_connection(int type, const struct sockaddr_un *a, socklen_t size)
{
	int listener = socket(AF_UNIX, type, 0), client = socket(AF_UNIX, type, 0), server;
	struct sockaddr_un from;
	socklen_t from_size = sizeof(from);
	char buf[4];

	CHECK_OK(bind(listener, (struct sockaddr *)a, size));
	CHECK_FAILS(bind(listener, (struct sockaddr *)a, size),
		    a->sun_path[0] ? EADDRINUSE : EINVAL);
	CHECK_FAILS(bind(client, (struct sockaddr *)a, size), EADDRINUSE);
	CHECK_FAILS(connect(client, (struct sockaddr *)a, size), ECONNREFUSED);
	CHECK_FAILS(getpeername(client, (struct sockaddr *)&from, &from_size), ENOTCONN);
	CHECK_OK(listen(listener, 5));
	CHECK_EQ(events_now(listener, POLLIN | POLLOUT), 0);
	CHECK_OK(connect(client, (struct sockaddr *)a, size));
	CHECK_FAILS(connect(client, (struct sockaddr *)a, size), EISCONN);
	CHECK_FAILS(listen(client, 5), EINVAL);
	/* Sent before it is accepted. */
	CHECK_EQ(send(client, "hi", 2, 0), 2);
	CHECK_EQ(events_now(listener, POLLIN), POLLIN);
	server = accept4(listener, (struct sockaddr *)&from, &from_size, SOCK_CLOEXEC);
	REQUIRE(server >= 0);
	CHECK_EQ(from_size, sizeof(sa_family_t));
	CHECK_EQ(fcntl(server, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(recv(server, buf, 4, 0), 2);
	check_accepted(listener, client, server, size);
	CHECK_FAILS(accept4(listener, NULL, NULL, 1), EINVAL);
	CHECK_OK(fcntl(listener, F_SETFL, O_NONBLOCK));
	CHECK_FAILS(accept(listener, NULL, NULL), EAGAIN);
	CHECK_FAILS(recv(listener, buf, 1, 0), type == SOCK_STREAM ? EINVAL : ENOTCONN);
	close(server);
	close(client);
	close(listener);
}

static void check_names(void)
{
	struct sockaddr_un a = { AF_UNIX, PATH }, abstract = { AF_UNIX, "\0sockets" }, seen = { 0 };
	socklen_t size = offsetof(struct sockaddr_un, sun_path) + sizeof(PATH);
	socklen_t abstract_size = offsetof(struct sockaddr_un, sun_path) + 8,
		  seen_size = sizeof(seen);
	struct stat st;
	int fd;

	unlink(PATH);
	check_connection(SOCK_STREAM, &a, size);
	/* The path stays, and leads to nobody. */
	CHECK_OK(stat(PATH, &st));
	CHECK(S_ISSOCK(st.st_mode));
	CHECK_FAILS(open(PATH, O_RDWR), ENXIO);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_FAILS(connect(fd, (struct sockaddr *)&a, size), ECONNREFUSED);
	CHECK_OK(unlink(PATH));
	CHECK_FAILS(connect(fd, (struct sockaddr *)&a, size), ENOENT);
	close(fd);
	check_connection(SOCK_SEQPACKET, &a, size);
	CHECK_OK(unlink(PATH));
	check_connection(SOCK_STREAM, &abstract, abstract_size);
	/* An abstract name goes with its socket. */
	check_connection(SOCK_STREAM, &abstract, abstract_size);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_FAILS(connect(fd, (struct sockaddr *)&abstract, abstract_size), ECONNREFUSED);
	CHECK_FAILS(bind(fd, (struct sockaddr *)&a, 200), EINVAL);
	CHECK_FAILS(bind(fd, (struct sockaddr *)&a, 111), EINVAL);
	CHECK_FAILS(bind(fd, (struct sockaddr *)&a, 1), EINVAL);
	CHECK_FAILS(bind(fd, (struct sockaddr *)nowhere, size), EFAULT);
	CHECK_FAILS(connect(fd, (struct sockaddr *)&a, 2), EINVAL);
	a.sun_family = AF_INET;
	CHECK_FAILS(bind(fd, (struct sockaddr *)&a, size), EINVAL);
	a.sun_family = AF_UNIX;
	strcpy(a.sun_path, "/none/x");
	CHECK_FAILS(bind(fd, (struct sockaddr *)&a, sizeof(a)), ENOENT);
	strcpy(a.sun_path, "/tmp");
	CHECK_FAILS(bind(fd, (struct sockaddr *)&a, sizeof(a)), EADDRINUSE);
	CHECK_FAILS(connect(fd, (struct sockaddr *)&a, sizeof(a)), ECONNREFUSED);
	/* A name that the kernel makes up. */
	CHECK_OK(bind(fd, (struct sockaddr *)&a, sizeof(sa_family_t)));
	CHECK_OK(getsockname(fd, (struct sockaddr *)&seen, &seen_size));
	CHECK_EQ(seen_size, 8);
	CHECK_EQ(seen.sun_path[0], 0);
	seen_size = 1;
	CHECK_OK(getsockname(fd, (struct sockaddr *)&seen, &seen_size));
	CHECK_EQ(seen_size, 8);
	seen_size = (socklen_t)-1;
	CHECK_FAILS(getsockname(fd, (struct sockaddr *)&seen, &seen_size), EINVAL);
	close(fd);
}

/* A path that fills all of sun_path, with no NUL in it. */
static void check_long_path(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct sockaddr_storage seen;
	socklen_t size = sizeof(seen);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char path[109] = "/tmp/";

	memset(path + 5, 'p', 103);
	memcpy(a.sun_path, path, 108);
	CHECK_OK(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	CHECK_OK(getsockname(fd, (struct sockaddr *)&seen, &size));
	CHECK_EQ(size, sizeof(a) + 1);
	CHECK_OK(unlink(path));
	close(fd);
}

static void check_datagrams(void)
{
	struct sockaddr_un a = { AF_UNIX, "\0to" }, b = { AF_UNIX, "\0from" }, from = { 0 };
	socklen_t a_size = 5, b_size = 7, size = sizeof(from);
	int to = socket(AF_UNIX, SOCK_DGRAM, 0), s = socket(AF_UNIX, SOCK_DGRAM, 0);
	int stream = socket(AF_UNIX, SOCK_STREAM, 0);
	char buf[8];

	CHECK_FAILS(send(s, "x", 1, 0), ENOTCONN);
	CHECK_FAILS(sendto(s, "x", 1, 0, (struct sockaddr *)&a, a_size), ECONNREFUSED);
	CHECK_OK(bind(to, (struct sockaddr *)&a, a_size));
	CHECK_OK(bind(stream, (struct sockaddr *)&a, a_size)); /* each type has its own names */
	CHECK_EQ(sendto(s, "one", 3, 0, (struct sockaddr *)&a, a_size), 3);
	CHECK_EQ(recvfrom(to, buf, 8, 0, (struct sockaddr *)&from, &size), 3);
	CHECK_EQ(size, 0); /* the sender has no name */
	CHECK_OK(bind(s, (struct sockaddr *)&b, b_size));
	CHECK_OK(connect(s, (struct sockaddr *)&a, a_size));
	CHECK_EQ(send(s, "two", 3, 0), 3);
	size = sizeof(from);
	CHECK_EQ(recvfrom(to, buf, 8, 0, (struct sockaddr *)&from, &size), 3);
	CHECK_EQ(size, b_size);
	CHECK(memcmp(from.sun_path, "\0from", 5) == 0);
	/* Who has a peer gets messages of that one only. */
	CHECK_OK(connect(to, (struct sockaddr *)&b, b_size));
	close(stream);
	stream = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK_FAILS(connect(stream, (struct sockaddr *)&a, a_size), EPERM);
	CHECK_FAILS(sendto(stream, "x", 1, 0, (struct sockaddr *)&a, a_size), EPERM);
	CHECK_OK(connect(to, (struct sockaddr *)&(struct sockaddr_un){ AF_UNSPEC, "" }, 2));
	CHECK_EQ(sendto(stream, "x", 1, 0, (struct sockaddr *)&a, a_size), 1);
	close(to);
	CHECK_FAILS(send(s, "x", 1, 0), ECONNREFUSED);
	CHECK_FAILS(send(s, "x", 1, 0), ENOTCONN);
	close(stream);
	close(s);
}

static void check_wrong_type(void)
{
	struct sockaddr_un a = { AF_UNIX, PATH };
	int s = socket(AF_UNIX, SOCK_STREAM, 0), d = socket(AF_UNIX, SOCK_DGRAM, 0);

	CHECK_OK(bind(s, (struct sockaddr *)&a, sizeof(a)));
	CHECK_OK(listen(s, 1));
	CHECK_FAILS(connect(d, (struct sockaddr *)&a, sizeof(a)), EPROTOTYPE);
	CHECK_OK(unlink(PATH));
	close(s);
	close(d);
}

/* A backlog of N holds N + 1, and its end is told to those in it. */
static void check_backlog(void)
{
	struct sockaddr_un a = { AF_UNIX, "\0backlog" };
	socklen_t size = 10;
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), c[3];
	char buf[1];

	CHECK_OK(bind(listener, (struct sockaddr *)&a, size));
	CHECK_OK(listen(listener, 1));
	for (int i = 0; i < 3; i++)
		c[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_OK(connect(c[0], (struct sockaddr *)&a, size));
	CHECK_OK(connect(c[1], (struct sockaddr *)&a, size));
	CHECK_FAILS(connect(c[2], (struct sockaddr *)&a, size), EAGAIN);
	CHECK_OK(listen(listener, 2));
	CHECK_OK(connect(c[2], (struct sockaddr *)&a, size));
	close(listener);
	CHECK_FAILS(read(c[1], buf, 1), ECONNRESET);
	CHECK_EQ(read(c[1], buf, 1), 0);
	for (int i = 0; i < 3; i++)
		close(c[i]);
}

/* ---- limits */
static void check_full_stream(void)
{
	static char block[65536];
	long sent = 0, n;
	int p[2];

	make_pair(SOCK_STREAM, p);
	set_option(p[0], SO_SNDBUF, 32768);
	CHECK_EQ(option(p[0], SO_SNDBUF), 65536);
	CHECK_OK(fcntl(p[0], F_SETFL, O_NONBLOCK));
	while ((n = write(p[0], block, 8192)) > 0)
		sent += n;
	CHECK_EQ(errno, EAGAIN);
	CHECK(sent >= 32768 && sent <= 131072);
	CHECK_EQ(bytes_waiting(p[1]), sent);
	CHECK_EQ(events_now(p[0], POLLOUT), 0);
	CHECK_EQ(option(p[0], SO_ERROR), 0);
	while (sent > 0)
		sent -= read(p[1], block, sizeof(block));
	CHECK_EQ(sent, 0);
	CHECK_EQ(events_now(p[0], POLLOUT), POLLOUT);
	close_pair(p);
}

static void check_full_datagrams(void)
{
	struct sockaddr_un a = { AF_UNIX, "\0full" };
	static char block[300000];
	int to = socket(AF_UNIX, SOCK_DGRAM, 0), s = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int epoll = epoll_create1(0), sent = 0;
	struct epoll_event ev = { .events = EPOLLOUT };
	char c;

	CHECK_OK(bind(to, (struct sockaddr *)&a, 7));
	CHECK_OK(connect(s, (struct sockaddr *)&a, 7));
	CHECK_FAILS(send(s, block, sizeof(block), 0), EMSGSIZE);
	while (send(s, "x", 1, 0) == 1)
		sent++;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(sent, 11);
	CHECK_EQ(events_now(s, POLLOUT), 0);
	CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, s, &ev));
	CHECK_EQ(epoll_wait(epoll, &ev, 1, 0), 0);
	CHECK_EQ(read(to, &c, 1), 1);
	CHECK_EQ(epoll_wait(epoll, &ev, 1, 1000), 1);
	CHECK_EQ(ev.events, EPOLLOUT);
	close(epoll);
	close(to);
	close(s);
}

static void check_timeouts(void)
{
	struct timeval tv = { 0, 20000 }, seen = { 0 }, bad = { 0, 1000000 };
	socklen_t size = sizeof(seen);
	char c;
	int p[2];

	make_pair(SOCK_STREAM, p);
	CHECK_OK(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	CHECK_OK(getsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &seen, &size));
	CHECK_EQ(size, sizeof(seen));
	CHECK_EQ(seen.tv_usec, 20000);
	CHECK_FAILS(read(p[0], &c, 1), EAGAIN);
	CHECK_FAILS(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &bad, sizeof(bad)), EDOM);
	CHECK_FAILS(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, 8), EINVAL);
	close_pair(p);
}

static void check_options(void)
{
	int p[2], value = 0;
	socklen_t size = sizeof(value);

	make_pair(SOCK_STREAM, p);
	CHECK_EQ(option(p[0], SO_TYPE), SOCK_STREAM);
	CHECK_EQ(option(p[0], SO_DOMAIN), AF_UNIX);
	CHECK_EQ(option(p[0], SO_PROTOCOL), 0);
	CHECK_EQ(option(p[0], SO_SNDBUF), 212992);
	CHECK_EQ(option(p[0], SO_RCVBUF), 212992);
	set_option(p[0], SO_SNDBUF, 1);
	CHECK_EQ(option(p[0], SO_SNDBUF), 4608);
	set_option(p[0], SO_SNDBUF, 1 << 30);
	CHECK_EQ(option(p[0], SO_SNDBUF), 425984);
	set_option(p[0], SO_REUSEADDR, 5);
	CHECK_EQ(option(p[0], SO_REUSEADDR), 1);
	CHECK_EQ(option(p[0], SO_KEEPALIVE), 0);
	CHECK_FAILS(getsockopt(p[0], SOL_SOCKET, 999, &value, &size), ENOPROTOOPT);
	CHECK_FAILS(setsockopt(p[0], SOL_SOCKET, 999, &value, size), ENOPROTOOPT);
	CHECK_FAILS(setsockopt(p[0], SOL_SOCKET, SO_TYPE, &value, size), ENOPROTOOPT);
	CHECK_FAILS(getsockopt(p[0], 6, 1, &value, &size), EOPNOTSUPP);
	CHECK_FAILS(setsockopt(p[0], SOL_SOCKET, SO_SNDBUF, &value, 2), EINVAL);
	CHECK_FAILS(setsockopt(p[0], SOL_SOCKET, SO_SNDBUF, nowhere, 4), EFAULT);
	size = 2;
	CHECK_OK(getsockopt(p[0], SOL_SOCKET, SO_TYPE, &value, &size));
	CHECK_EQ(size, 2);
	size = (socklen_t)-1;
	CHECK_FAILS(getsockopt(p[0], SOL_SOCKET, SO_TYPE, &value, &size), EINVAL);
	close_pair(p);
}

static int fact(const char *path)
{
	FILE *f = fopen(path, "re");
	int value = -1;

	CHECK(f && fscanf(f, "%d", &value) == 1);
	if (f)
		fclose(f);
	return value;
}

static void check_facts(void)
{
	CHECK_EQ(fact("/proc/sys/net/core/somaxconn"), 4096);
	CHECK_EQ(fact("/proc/sys/net/core/wmem_default"), 212992);
	CHECK_EQ(fact("/proc/sys/net/core/wmem_max"), 212992);
	CHECK(fact("/proc/sys/net/core/optmem_max") >= 20480); /* Linux 6.8 made it more */
	CHECK_EQ(fact("/proc/sys/net/unix/max_dgram_qlen"), 10);
}

/* ---- several at once */
static void *write_later(void *fd)
{
	usleep(20000);
	CHECK_EQ(write(*(int *)fd, "wake", 4), 4);
	return NULL;
}

static void check_waiting(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET };
	int p[2], epoll = epoll_create1(0);
	pthread_t t;
	char buf[8];

	make_pair(SOCK_STREAM, p);
	pthread_create(&t, NULL, write_later, &p[0]);
	CHECK_EQ(read(p[1], buf, 8), 4);
	pthread_join(t, NULL);
	CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, p[1], &ev));
	CHECK_EQ(epoll_wait(epoll, &ev, 1, 0), 0);
	pthread_create(&t, NULL, write_later, &p[0]);
	CHECK_EQ(epoll_wait(epoll, &ev, 1, 5000), 1);
	CHECK_EQ(ev.events, EPOLLIN);
	CHECK_EQ(epoll_wait(epoll, &ev, 1, 0), 0); /* told once */
	pthread_join(t, NULL);
	/* All that was asked for, though it comes in pieces. */
	pthread_create(&t, NULL, write_later, &p[0]);
	CHECK_EQ(recv(p[1], buf, 8, MSG_WAITALL), 8);
	pthread_join(t, NULL);
	close(p[0]);
	CHECK_EQ(epoll_wait(epoll, &ev, 1, 0), 1);
	CHECK_EQ(ev.events, EPOLLIN | EPOLLRDHUP | EPOLLHUP);
	close(p[1]);
	close(epoll);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void check_interrupted(void)
{
	struct sigaction act = { .sa_handler = on_alarm };
	struct itimerval soon = { .it_value = { 0, 20000 } };
	int p[2];
	char c;

	make_pair(SOCK_STREAM, p);
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	CHECK_FAILS(read(p[0], &c, 1), EINTR);
	close_pair(p);
}

enum { STREAM_BYTES = 1 << 20 };

static void *pump(void *fd)
{
	static char block[30000];
	size_t done = 0;

	while (done < STREAM_BYTES) {
		size_t n =
			STREAM_BYTES - done < sizeof(block) ? STREAM_BYTES - done : sizeof(block);

		for (size_t i = 0; i < n; i++)
			block[i] = (char)((done + i) * 7);
		if (write(*(int *)fd, block, n) != (ssize_t)n)
			break;
		done += n;
	}
	close(*(int *)fd);
	return NULL;
}

/* Every byte arrives, in order, and then the end. */
static void check_much(void)
{
	static char block[7777];
	size_t done = 0, wrong = 0;
	pthread_t t;
	ssize_t n;
	int p[2];

	make_pair(SOCK_STREAM, p);
	pthread_create(&t, NULL, pump, &p[0]);
	while ((n = read(p[1], block, sizeof(block))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			wrong += block[i] != (char)((done + (size_t)i) * 7);
		done += (size_t)n;
	}
	pthread_join(t, NULL);
	CHECK_EQ(done, STREAM_BYTES);
	CHECK_EQ(wrong, 0);
	close(p[1]);
}

static void check_mmsg(void)
{
	char buf[3][4] = { "a", "bc", "def" };
	struct iovec iov[3] = { { buf[0], 1 }, { buf[1], 2 }, { buf[2], 3 } };
	struct mmsghdr msgs[3] = { 0 };
	int p[2];

	for (int i = 0; i < 3; i++)
		msgs[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	make_pair(SOCK_DGRAM, p);
	CHECK_EQ(sendmmsg(p[0], msgs, 3, 0), 3);
	CHECK_EQ(msgs[2].msg_len, 3);
	for (int i = 0; i < 3; i++)
		iov[i].iov_len = 4;
	CHECK_EQ(recvmmsg(p[1], msgs, 2, 0, NULL), 2);
	CHECK_EQ(msgs[1].msg_len, 2);
	CHECK_EQ(recvmmsg(p[1], msgs, 3, MSG_WAITFORONE, NULL), 1);
	CHECK_EQ(msgs[0].msg_len, 3);
	CHECK_FAILS(recvmmsg(p[1], msgs, 3, MSG_DONTWAIT, NULL), EAGAIN);
	close_pair(p);
}

/* ---- among processes */
static void check_fork(void)
{
	struct sockaddr_un a = { AF_UNIX, "\0fork" };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd, status;
	struct ucred cred = { 0 };
	socklen_t size = sizeof(cred);
	pid_t child;
	char c;

	CHECK_OK(bind(listener, (struct sockaddr *)&a, 7));
	CHECK_OK(listen(listener, 1));
	child = fork();
	if (child == 0) {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		_exit(connect(fd, (struct sockaddr *)&a, 7) != 0 || write(fd, "c", 1) != 1 ||
		      read(fd, &c, 1) != 1);
	}
	fd = accept(listener, NULL, NULL);
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size));
	CHECK_EQ(cred.pid, child);
	CHECK_EQ(write(fd, "d", 1), 1);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_EQ(read(fd, &c, 1), 0);
	close(fd);
	close(listener);
}

int main(void)
{
	mkdir("/tmp", 0777);
	signal(SIGPIPE, on_pipe);
	check_making();
	check_stream();
	check_messages(SOCK_DGRAM);
	check_messages(SOCK_SEQPACKET);
	check_end(SOCK_STREAM);
	check_end(SOCK_SEQPACKET);
	check_shutdown();
	check_names();
	check_long_path();
	check_datagrams();
	check_wrong_type();
	check_backlog();
	check_full_stream();
	check_full_datagrams();
	check_timeouts();
	check_options();
	check_facts();
	check_waiting();
	check_interrupted();
	check_much();
	check_mmsg();
	check_fork();
	return check_done("sockets");
}
