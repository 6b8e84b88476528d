/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of sockets have in common. */
#ifndef TESTS_TARGET_SOCK_H
#define TESTS_TARGET_SOCK_H

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/target/check.h"

static inline void make_pair(int type, int pair[2])
{
	REQUIRE(socketpair(AF_UNIX, type, 0, pair) == 0);
}

static inline void close_pair(const int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

/* Which of @events (and POLLERR, POLLHUP) are there now. */
static inline int events_now(int fd, int events)
{
	struct pollfd p = { .fd = fd, .events = (short)events };

	return poll(&p, 1, 0) < 0 ? -1 : (unsigned short)p.revents;
}

/* The value of an option at SOL_SOCKET that is an int. */
static inline int option(int fd, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	CHECK_OK(getsockopt(fd, SOL_SOCKET, name, &value, &size));
	CHECK_EQ(size, sizeof(value));
	return value;
}

static inline void set_option(int fd, int name, int value)
{
	CHECK_OK(setsockopt(fd, SOL_SOCKET, name, &value, sizeof(value)));
}

#endif
