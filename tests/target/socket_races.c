/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets used by several threads at once, at random: made, named, connected, accepted, written,
 * read, sent through each other, polled and closed under one another. Nothing is expected of a call
 * but that it returns; of the host, that it lives and has its memory back. The first argument is
 * the seed (1), the second the number of steps of each thread.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/sock.h"
#include "tests/target/uffd_peer.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, FDS_FROM = 3, FDS = 24, NAMES = 3 };

static unsigned long steps = 6000;

struct random {
	uint64_t state;
};

static unsigned below(struct random *r, unsigned limit)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return (unsigned)(r->state * 0x2545f4914f6cdd1d >> 33) % limit;
}

static int any_fd(struct random *r)
{
	return FDS_FROM + (int)below(r, FDS);
}

static int any_type(struct random *r)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	return types[below(r, 3)] | SOCK_NONBLOCK;
}

static socklen_t any_name(struct random *r, struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "races%u", below(r, NAMES));
	return sizeof(sa_family_t) + 7;
}

static void send_something(struct random *r, int fd)
{
	static char block[40000];
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} c = { .h = { CMSG_LEN(2 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec iov = { block, below(r, 4) ? below(r, 100) : below(r, sizeof(block)) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[2] = { any_fd(r), any_fd(r) };

	memcpy(CMSG_DATA(&c.h), fds, sizeof(fds));
	if (below(r, 2)) {
		h.msg_control = &c;
		h.msg_controllen = sizeof(c);
	}
	sendmsg(fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void receive_something(struct random *r, int fd)
{
	char block[3000], control[CMSG_SPACE(2 * sizeof(int))];
	struct iovec iov = { block, below(r, sizeof(block)) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (below(r, 2)) {
		h.msg_control = control;
		h.msg_controllen = sizeof(control);
	}
	(void)recvmsg(fd, &h, MSG_DONTWAIT | (below(r, 8) ? 0 : MSG_PEEK));
}

static void watch(struct random *r, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | (below(r, 2) ? EPOLLET : 0) };
	int epoll = epoll_create1(0);

	if (epoll < 0)
		return;
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);
	epoll_ctl(epoll, EPOLL_CTL_ADD, any_fd(r), &ev);
	epoll_wait(epoll, &ev, 1, (int)below(r, 2));
	close(epoll);
}

static void step(struct random *r)
{
	int fd = any_fd(r), pair[2];
	struct sockaddr_un a;
	socklen_t size = any_name(r, &a);

	switch (below(r, 16)) {
	case 0: socket(AF_UNIX, any_type(r), 0); break;
	case 1: socketpair(AF_UNIX, any_type(r), 0, pair); break;
	case 2: (void)bind(fd, (struct sockaddr *)&a, size); break;
	case 3: listen(fd, (int)below(r, 4)); break;
	case 4: (void)connect(fd, (struct sockaddr *)&a, size); break;
	case 5: accept4(fd, NULL, NULL, SOCK_NONBLOCK); break;
	case 6: shutdown(fd, (int)below(r, 3)); break;
	case 7:
	case 8:
	case 9: send_something(r, fd); break;
	case 10:
	case 11: receive_something(r, fd); break;
	case 12: watch(r, fd); break;
	case 13: sendto(fd, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&a, size); break;
	default: close(fd); break;
	}
}

static void *run(void *arg)
{
	struct random r = { (uint64_t)(uintptr_t)arg * 0x9e3779b97f4a7c15 };

	for (unsigned long i = 0; i < steps; i++)
		step(&r);
	return NULL;
}

static int run_all(unsigned long seed)
{
	pthread_t threads[THREADS];

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, run,
				   (void *)(seed * THREADS + (unsigned)i + 1)))
			return 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

/* ---- a queue that is dropped while it is read */
enum { BLOCK = 60000, TURNS = 300 };

static int receiver, sender;
static atomic_int stop_reading, torn;
static struct sockaddr_un sender_name = { AF_UNIX, "\0sender" };

static void *read_blocks(void *block)
{
	const char *p = block;

	while (!atomic_load(&stop_reading)) {
		ssize_t n = recv(receiver, block, BLOCK, MSG_DONTWAIT);

		/* All bytes of a message are the same. */
		for (ssize_t i = 1; i < n; i++)
			if (p[i] != p[0]) {
				atomic_fetch_add(&torn, 1);
				break;
			}
	}
	return NULL;
}

static void *send_blocks(void *block)
{
	for (int c = 0; !atomic_load(&stop_reading); c++) {
		memset(block, c, BLOCK);
		(void)send(sender, block, BLOCK, MSG_DONTWAIT);
	}
	return NULL;
}

/* Turning to another peer drops what the old one sent, which must not be under a reader. */
static void check_dropped_while_read(void)
{
	struct sockaddr_un name = { AF_UNIX, "\0receiver" }, none = { AF_UNSPEC, "" };
	static char blocks[2][BLOCK];
	pthread_t threads[2];

	receiver = socket(AF_UNIX, SOCK_DGRAM, 0);
	sender = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK_OK(bind(receiver, (struct sockaddr *)&name, 11));
	CHECK_OK(bind(sender, (struct sockaddr *)&sender_name, 9));
	CHECK_OK(connect(sender, (struct sockaddr *)&name, 11));
	pthread_create(&threads[0], NULL, read_blocks, blocks[0]);
	pthread_create(&threads[1], NULL, send_blocks, blocks[1]);
	for (int i = 0; i < TURNS; i++) {
		CHECK_EQ(connect(receiver, (struct sockaddr *)&sender_name, 9), 0);
		CHECK_EQ(connect(receiver, (struct sockaddr *)&none, 2), 0);
		usleep(100);
	}
	atomic_store(&stop_reading, 1);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	CHECK_EQ(atomic_load(&torn), 0);
	close(receiver);
	close(sender);
}

/* ---- a reader in the middle of a message */
enum { PAGE = 4096, MESSAGE = 2 * PAGE, OTHERS = 8 };

struct reading {
	int fd;
	char *to;
	long got;
};

static void *read_message(void *arg)
{
	struct reading *r = arg;

	r->got = recv(r->fd, r->to, MESSAGE, 0);
	return NULL;
}

static void *disconnect(void *arg)
{
	struct sockaddr_un nobody = { .sun_family = AF_UNSPEC };
	int fd = *(const int *)arg;

	CHECK_OK(connect(fd, (struct sockaddr *)&nobody, sizeof(nobody.sun_family)));
	return NULL;
}

/* A socket that turns away from its peer drops what waits, but not from under who reads it. The
 * second page of the reader's buffer comes only after that. */
static void check_disconnect_under_reader(void)
{
	static char sent[MESSAGE], others[MESSAGE];
	pthread_t reader, leaver;
	struct reading r;
	int p[2], q[2], uffd = uffd_open(O_CLOEXEC, 0);

	memset(sent, 'a', sizeof(sent));
	memset(others, 'z', sizeof(others));
	make_pair(SOCK_DGRAM, p);
	make_pair(SOCK_DGRAM, q);
	r = (struct reading){ .fd = p[1] };
	r.to = mmap(NULL, MESSAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(r.to != MAP_FAILED);
	memset(r.to, 0, PAGE);
	REQUIRE(uffd_register(uffd, r.to + PAGE, PAGE, MISSING) == 0);
	CHECK_EQ(send(p[0], sent, MESSAGE, 0), MESSAGE);
	REQUIRE(pthread_create(&reader, NULL, read_message, &r) == 0);
	EXPECT_FAULT(uffd, r.to + PAGE, 1); /* for writing */
	REQUIRE(pthread_create(&leaver, NULL, disconnect, &p[1]) == 0);
	usleep(100 * 1000);
	/* They would lie where the message lay. */
	for (int i = 0; i < OTHERS; i++)
		CHECK_EQ(send(q[0], others, MESSAGE, 0), MESSAGE);
	CHECK_EQ(uffd_copy(uffd, r.to + PAGE, others, PAGE, 0), PAGE);
	pthread_join(reader, NULL);
	pthread_join(leaver, NULL);
	CHECK_EQ(r.got, MESSAGE);
	CHECK(!memcmp(r.to, sent, MESSAGE));
	/* Nothing is left, and the queue is in order. */
	CHECK_FAILS(recv(p[1], r.to, MESSAGE, MSG_DONTWAIT), EAGAIN);
	close_pair(p);
	for (int i = 0; i < OTHERS; i++)
		CHECK_EQ(recv(q[1], r.to, MESSAGE, 0), MESSAGE);
	close_pair(q);
	munmap(r.to, MESSAGE);
	close(uffd);
}

int main(int argc, char **argv)
{
	unsigned long seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	struct sysinfo before, after;
	int status;
	pid_t child;

	steps = argc > 2 ? strtoul(argv[2], NULL, 0) : steps;
	check_disconnect_under_reader();
	sysinfo(&before);
	for (int round = 0; round < 3; round++) {
		child = fork();
		if (child == 0)
			_exit(run_all(seed + (unsigned)round));
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(status, 0);
	}
	check_dropped_while_read();
	sysinfo(&after);
	/* Linux keeps some for what comes next. */
	CHECK(after.freeram + (16UL << 20) > before.freeram);
	return check_done("socket_races");
}
