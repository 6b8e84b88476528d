/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "vmm/loop.h"

#include "vmm/error.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { WATCHES_MAX = 8 };

static struct watch *watches[WATCHES_MAX];
static unsigned int watch_count;

/* Made by the first loop_add(), before there is a second thread. */
static int wake_fd = -1;

static void open_wake_fd(void)
{
	wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wake_fd < 0)
		fail("eventfd: %s", strerror(errno));
}

void loop_add(struct watch *watch)
{
	if (wake_fd < 0)
		open_wake_fd();
	watches[watch_count++] = watch;
}

void loop_wake(void)
{
	uint64_t one = 1;

	if (write(wake_fd, &one, sizeof(one)) < 0)
		return; /* it is full: the loop wakes all the same */
}

static void drain_wake_fd(void)
{
	uint64_t count;

	if (read(wake_fd, &count, sizeof(count)) < 0)
		return; /* another round took it */
}

void loop_run(void)
{
	struct pollfd fds[WATCHES_MAX + 1];

	if (wake_fd < 0)
		open_wake_fd();
	for (;;) {
		for (unsigned int i = 0; i < watch_count; i++) {
			bool wanted = watches[i]->wanted(watches[i]);

			/* poll() passes over descriptors below 0. */
			fds[i] = (struct pollfd){ wanted ? watches[i]->fd : -1, POLLIN, 0 };
		}
		fds[watch_count] = (struct pollfd){ wake_fd, POLLIN, 0 };
		if (poll(fds, watch_count + 1, -1) < 0 && errno != EINTR)
			fail("poll: %s", strerror(errno));
		if (fds[watch_count].revents)
			drain_wake_fd();
		for (unsigned int i = 0; i < watch_count; i++) {
			if (fds[i].revents)
				watches[i]->ready(watches[i]);
		}
	}
}
