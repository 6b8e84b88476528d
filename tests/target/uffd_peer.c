/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/target/uffd_peer.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/target/check.h"

static uint64_t offered;

int uffd_open(int flags, uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = (int)syscall(SYS_userfaultfd, flags);

	REQUIRE(fd >= 0);
	REQUIRE(ioctl(fd, UFFDIO_API, &api) == 0);
	offered = api.features;
	return fd;
}

uint64_t uffd_features(void)
{
	if (!offered)
		close(uffd_open(0, 0));
	return offered;
}

int uffd_register(int fd, void *p, size_t n, int mode)
{
	struct uffdio_register r = { .range = { (uintptr_t)p, n }, .mode = (unsigned)mode };

	return ioctl(fd, UFFDIO_REGISTER, &r) ? -errno : 0;
}

int uffd_unregister(int fd, void *p, size_t n)
{
	struct uffdio_range r = { (uintptr_t)p, n };

	return ioctl(fd, UFFDIO_UNREGISTER, &r) ? -errno : 0;
}

int uffd_wake(int fd, void *p, size_t n)
{
	struct uffdio_range r = { (uintptr_t)p, n };

	return ioctl(fd, UFFDIO_WAKE, &r) ? -errno : 0;
}

int uffd_protect(int fd, void *p, size_t n, int mode)
{
	struct uffdio_writeprotect w = { .range = { (uintptr_t)p, n }, .mode = (unsigned)mode };

	return ioctl(fd, UFFDIO_WRITEPROTECT, &w) ? -errno : 0;
}

/* What the call says and what it wrote back must be of one mind. */
static long result(int ret, size_t n, long done)
{
	if (ret == 0)
		return CHECK_EQ(done, n) ? done : -EIO;
	return errno == EAGAIN && done > 0 ? done : -errno;
}

long uffd_copy(int fd, void *to, const void *from, size_t n, int mode)
{
	struct uffdio_copy c = {
		.dst = (uintptr_t)to, .src = (uintptr_t)from, .len = n, .mode = (unsigned)mode
	};
	int ret = ioctl(fd, UFFDIO_COPY, &c);

	return result(ret, n, c.copy);
}

long uffd_zero(int fd, void *p, size_t n, int mode)
{
	struct uffdio_zeropage z = { .range = { (uintptr_t)p, n }, .mode = (unsigned)mode };
	int ret = ioctl(fd, UFFDIO_ZEROPAGE, &z);

	return result(ret, n, z.zeropage);
}

long uffd_continue(int fd, void *p, size_t n, int mode)
{
	struct uffdio_continue c = { .range = { (uintptr_t)p, n }, .mode = (unsigned)mode };
	int ret = ioctl(fd, UFFDIO_CONTINUE, &c);

	return result(ret, n, c.mapped);
}

long uffd_poison(int fd, void *p, size_t n, int mode)
{
	struct poison_args a = { .range = { (uintptr_t)p, n }, .mode = (unsigned)mode };
	int ret = ioctl(fd, UFFDIO_POISON_CALL, &a);

	return result(ret, n, a.updated);
}

void uffd_expect(const char *file, int line, int fd, const void *p, uint64_t flags)
{
	struct uffd_msg msg;
	ssize_t n;

	while ((n = read(fd, &msg, sizeof(msg))) < 0 && errno == EAGAIN)
		usleep(1000);
	check_equal(file, line, "bytes of the message", (unsigned long)n, sizeof(msg));
	check_equal(file, line, "event", msg.event, UFFD_EVENT_PAGEFAULT);
	check_equal(file, line, "flags", msg.arg.pagefault.flags, flags);
	check_equal(file, line, "address", msg.arg.pagefault.address, (uintptr_t)p);
}

static void *touch(void *arg)
{
	struct toucher *t = arg;

	t->tid = gettid();
	if (t->write >= 0)
		*t->at = (unsigned char)t->write;
	t->seen = *t->at;
	t->done = 1;
	return NULL;
}

void touch_start(struct toucher *t, void *at, int write)
{
	t->at = at;
	t->write = write;
	t->done = 0;
	t->tid = 0;
	REQUIRE(pthread_create(&t->thread, NULL, touch, t) == 0);
}

int touch_is_done(struct toucher *t)
{
	for (int i = 0; i < 30 && !t->done; i++)
		usleep(1000);
	return t->done;
}

unsigned char touch_end(struct toucher *t)
{
	REQUIRE(pthread_join(t->thread, NULL) == 0);
	return t->seen;
}
