/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userfaultfd: each ioctl's work and errors, who is woken by what, and what becomes of a watched
 * range when its owner forks, moves, drops or closes. Passes on Linux too; what its kernel does not
 * offer is passed over there. Guests: uffd_kvm.c.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/target/check.h"
#include "tests/target/uffd_peer.h"

enum { PG = 4096, HUGE = 2 << 20 };

static char page_of_a[PG] __attribute__((aligned(PG)));

static void *anon(size_t pages)
{
	void *p =
		mmap(NULL, pages * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(p != MAP_FAILED);
	madvise(p, pages * PG, MADV_NOHUGEPAGE);
	return p;
}

static int memfd(size_t size, unsigned flags)
{
	int fd = memfd_create("uffd", flags);

	REQUIRE(fd >= 0);
	REQUIRE(ftruncate(fd, (off_t)size) == 0);
	return fd;
}

static void *map_fd(int fd, size_t size, int flags)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	REQUIRE(p != MAP_FAILED);
	return p;
}

static int has(uint64_t feature)
{
	return (uffd_features() & feature) == feature;
}

/* ---- the handshake */

static void test_api(void)
{
	struct uffdio_api api = { .api = 0xab };
	struct uffd_msg msg;
	struct pollfd poller = { .events = POLLIN };
	int fd;

	CHECK_FAILS(syscall(SYS_userfaultfd, 2), EINVAL);
	CHECK_FAILS(syscall(SYS_userfaultfd, O_APPEND), EINVAL);
	fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	REQUIRE(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	/* Nothing works before it. */
	CHECK_EQ(uffd_register(fd, anon(1), PG, MISSING), -EINVAL);
	CHECK_EQ(uffd_wake(fd, page_of_a, PG), -EINVAL);
	CHECK_FAILS(read(fd, &msg, sizeof(msg)), EINVAL);
	poller.fd = fd;
	CHECK_EQ(poll(&poller, 1, 0), 1);
	CHECK_EQ(poller.revents, POLLERR);
	/* A refusal leaves zeroes, and can be tried again. */
	api.features = 1;
	CHECK_FAILS(ioctl(fd, UFFDIO_API, &api), EINVAL);
	CHECK_EQ(api.api, 0);
	CHECK_EQ(api.features, 0);
	api = (struct uffdio_api){ .api = UFFD_API, .features = 1UL << 40 };
	CHECK_FAILS(ioctl(fd, UFFDIO_API, &api), EINVAL);
	CHECK_FAILS(ioctl(fd, UFFDIO_API, NULL), EFAULT);
	api = (struct uffdio_api){ .api = UFFD_API };
	CHECK_OK(ioctl(fd, UFFDIO_API, &api));
	CHECK_EQ(api.ioctls & 3, 3);
	CHECK_EQ(api.ioctls >> _UFFDIO_API, 1);
	CHECK(api.features & UFFD_FEATURE_MISSING_SHMEM);
	/* And once only. */
	CHECK_FAILS(ioctl(fd, UFFDIO_API, &api), EINVAL);
	CHECK_FAILS(ioctl(fd, _IO(0xaa, 0x30), 0), EINVAL);
	CHECK_FAILS(read(fd, &msg, sizeof(msg)), EAGAIN);
	CHECK_FAILS(read(fd, &msg, sizeof(msg) - 1), EINVAL);
	CHECK_FAILS(write(fd, &msg, sizeof(msg)), EBADF);
	CHECK_EQ(poll(&poller, 1, 0), 0);
	/* One that blocks cannot be polled. */
	CHECK_OK(fcntl(fd, F_SETFL, 0));
	CHECK_EQ(poll(&poller, 1, 0), 1);
	CHECK_EQ(poller.revents, POLLERR);
	close(fd);
}

static void test_device(void)
{
	int dev = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	int fd;

	if (dev < 0 && errno == ENOENT)
		return; /* Linux before 6.1 */
	REQUIRE(dev >= 0);
	CHECK_FAILS(ioctl(dev, USERFAULTFD_IOC_NEW, 2), EINVAL);
	CHECK_FAILS(ioctl(dev, USERFAULTFD_IOC_NEW + 1, 0), EINVAL);
	fd = ioctl(dev, USERFAULTFD_IOC_NEW, O_NONBLOCK);
	CHECK(fd >= 0);
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
	close(dev);
}

/* ---- registering */

static uint64_t range_ioctls(int fd, void *p, size_t n, int mode)
{
	struct uffdio_register r = { .range = { (uintptr_t)p, n }, .mode = (unsigned)mode };

	CHECK_OK(ioctl(fd, UFFDIO_REGISTER, &r));
	return r.ioctls;
}

static void test_register(void)
{
	int fd = uffd_open(0, 0), other = uffd_open(0, 0);
	int ro, mem = memfd(2 * PG, 0);
	char *p = anon(4), path[64];
	struct uffdio_register bad;
	uint64_t ioctls;

	CHECK_EQ(uffd_register(fd, p, PG, 0), -EINVAL);
	CHECK_EQ(uffd_register(fd, p, PG, 8), -EINVAL);
	CHECK_EQ(uffd_register(fd, p + 1, PG, MISSING), -EINVAL);
	CHECK_EQ(uffd_register(fd, p, PG + 1, MISSING), -EINVAL);
	CHECK_EQ(uffd_register(fd, p, 0, MISSING), -EINVAL);
	CHECK_EQ(uffd_register(fd, p, -(size_t)PG, MISSING), -EINVAL);
	CHECK_EQ(uffd_register(fd, (void *)(1UL << 52), PG, MISSING), -EINVAL);
	CHECK_EQ(uffd_register(fd, p, PG, MINOR), -EINVAL);
	CHECK_FAILS(ioctl(fd, UFFDIO_REGISTER, NULL), EFAULT);
	CHECK_FAILS(ioctl(fd, UFFDIO_UNREGISTER, NULL), EFAULT);
	CHECK_FAILS(ioctl(fd, UFFDIO_WAKE, NULL), EFAULT);
	/* The answer has no place: the range is registered all the same. */
	CHECK_OK(munmap(p + 3 * PG, PG));
	bad = (struct uffdio_register){ .range = { (uintptr_t)p, PG }, .mode = MISSING };
	memcpy(p + 3 * PG - offsetof(struct uffdio_register, ioctls), &bad,
	       offsetof(struct uffdio_register, ioctls));
	CHECK_FAILS(ioctl(fd, UFFDIO_REGISTER,
			  p + 3 * PG - offsetof(struct uffdio_register, ioctls)),
		    EFAULT);
	CHECK_EQ(uffd_register(other, p, PG, MISSING), -EBUSY);
	CHECK_EQ(uffd_unregister(fd, p, PG), 0);

	ioctls = range_ioctls(fd, p, 2 * PG, MISSING);
	CHECK(ioctls & 1 << _UFFDIO_COPY);
	CHECK(ioctls & 1 << _UFFDIO_ZEROPAGE);
	CHECK(ioctls & 1 << _UFFDIO_WAKE);
	CHECK(!(ioctls & 1 << _UFFDIO_CONTINUE));
	CHECK(!(ioctls & 1 << _UFFDIO_WRITEPROTECT));
	/* Twice is once; somebody else's is not to be had. */
	CHECK_EQ(uffd_register(fd, p, PG, MISSING), 0);
	CHECK_EQ(uffd_register(other, p + PG, PG, MISSING), -EBUSY);
	CHECK_EQ(uffd_register(other, p, 3 * PG, MISSING), -EBUSY);
	CHECK_EQ(uffd_register(other, p + 2 * PG, PG, MISSING), 0);
	/* A hole alone is an error, one within the range is passed over. */
	CHECK_EQ(uffd_register(fd, p + 3 * PG, PG, MISSING), -EINVAL);
	CHECK_EQ(uffd_unregister(fd, p + 3 * PG, PG), -EINVAL);
	CHECK_EQ(uffd_unregister(fd, p + 1, PG), -EINVAL);
	CHECK_EQ(uffd_wake(fd, p + 1, PG), -EINVAL);
	CHECK_EQ(uffd_wake(fd, p, 0), -EINVAL);
	CHECK_EQ(uffd_wake(fd, p, PG), 0);
	CHECK_EQ(uffd_unregister(fd, p, 2 * PG), 0);
	CHECK_EQ(uffd_unregister(fd, p, 2 * PG), 0);
	close(other);
	CHECK_EQ(uffd_register(fd, p + 2 * PG, PG, MISSING), 0);

	/* A file that may not be written to must not be filled. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", mem);
	ro = open(path, O_RDONLY);
	REQUIRE(ro >= 0);
	p = mmap(NULL, PG, PROT_READ, MAP_SHARED, ro, 0);
	CHECK_EQ(uffd_register(fd, p, PG, MISSING), -EPERM);
	p = mmap(NULL, PG, PROT_READ, MAP_SHARED, mem, 0);
	ioctls = range_ioctls(fd, p, PG, MISSING | MINOR);
	CHECK(ioctls & 1 << _UFFDIO_CONTINUE);
	close(ro);
	close(mem);
	close(fd);
}

/* ---- UFFDIO_COPY */

static void test_copy(void)
{
	int fd = uffd_open(0, 0);
	char *p = anon(8);
	struct toucher t[2];

	CHECK_EQ(uffd_copy(fd, p, page_of_a, PG, 0), -ENOENT);
	CHECK_EQ(uffd_register(fd, p, 8 * PG, MISSING), 0);
	touch_start(&t[0], p + 5, -1);
	EXPECT_FAULT(fd, p, 0);
	CHECK(!touch_is_done(&t[0]));
	CHECK_EQ(uffd_copy(fd, p, page_of_a, PG, 0), PG);
	CHECK_EQ(touch_end(&t[0]), 'a');
	CHECK_EQ(memcmp(p, page_of_a, PG), 0);
	CHECK_EQ(uffd_copy(fd, p, page_of_a, PG, 0), -EEXIST);
	/* It is the program's own page. */
	p[0] = 'b';
	CHECK_EQ(page_of_a[0], 'a');

	/* A write says so; a second thread at the same page is told of too, and woken with it. */
	touch_start(&t[0], p + PG, 'w');
	EXPECT_FAULT(fd, p + PG, UFFD_PAGEFAULT_FLAG_WRITE);
	touch_start(&t[1], p + PG + 8, -1);
	EXPECT_FAULT(fd, p + PG, 0);
	CHECK_EQ(uffd_copy(fd, p + PG, page_of_a, PG, UFFDIO_COPY_MODE_DONTWAKE), PG);
	CHECK(!touch_is_done(&t[0]));
	CHECK(!touch_is_done(&t[1]));
	CHECK_EQ(uffd_wake(fd, p, PG), 0);
	CHECK(!touch_is_done(&t[0]));
	CHECK_EQ(uffd_wake(fd, p + PG, PG), 0);
	CHECK_EQ(touch_end(&t[0]), 'w');
	CHECK_EQ(touch_end(&t[1]), 'a');

	/* A wake without a page: the thread faults again. */
	touch_start(&t[0], p + 2 * PG, -1);
	EXPECT_FAULT(fd, p + 2 * PG, 0);
	CHECK_EQ(uffd_wake(fd, p + 2 * PG, PG), 0);
	EXPECT_FAULT(fd, p + 2 * PG, 0);
	CHECK_EQ(uffd_copy(fd, p + 2 * PG, page_of_a, PG, 0), PG);
	CHECK_EQ(touch_end(&t[0]), 'a');

	/* Dropped is missing again. */
	CHECK_OK(madvise(p, PG, MADV_DONTNEED));
	touch_start(&t[0], p, -1);
	EXPECT_FAULT(fd, p, 0);
	CHECK_EQ(uffd_copy(fd, p, page_of_a, PG, 0), PG);
	CHECK_EQ(touch_end(&t[0]), 'a');
	close(fd);
	CHECK_EQ(p[7 * PG], 0);
}

static void test_copy_errors(void)
{
	int fd = uffd_open(0, 0);
	char *p = anon(8), *src = anon(4);

	memset(src, 'x', 3 * PG);
	CHECK_EQ(uffd_register(fd, p, 4 * PG, MISSING), 0);
	CHECK_FAILS(ioctl(fd, UFFDIO_COPY, NULL), EFAULT);
	CHECK_EQ(uffd_copy(fd, p + 1, src, PG, 0), -EINVAL);
	CHECK_EQ(uffd_copy(fd, p, src, PG - 1, 0), -EINVAL);
	CHECK_EQ(uffd_copy(fd, p, src, 0, 0), -EINVAL);
	CHECK_EQ(uffd_copy(fd, p, src, PG, 4), -EINVAL);
	CHECK_EQ(uffd_copy(fd, p, src, PG, UFFDIO_COPY_MODE_WP), -EINVAL);
	CHECK_EQ(uffd_copy(fd, p, (void *)(-(uintptr_t)PG), PG, 0), -EINVAL);
	CHECK_EQ(uffd_copy(fd, (void *)(1UL << 52), src, PG, 0), -EINVAL);
	CHECK_EQ(uffd_copy(fd, p + 4 * PG, src, PG, 0), -ENOENT);
	CHECK_EQ(uffd_copy(fd, p + 3 * PG, src, 2 * PG, 0), -ENOENT);
	CHECK_EQ(uffd_continue(fd, p, PG, 0), -EINVAL);
	/* As much as there is; then an error that says how much. */
	CHECK_OK(munmap(src + 3 * PG, PG));
	CHECK_EQ(uffd_copy(fd, p, src + 2 * PG, 2 * PG, 0), PG);
	CHECK_EQ(uffd_copy(fd, p + PG, src + 3 * PG, PG, 0), -EFAULT);
	CHECK_EQ(uffd_copy(fd, p + 3 * PG, src, PG, 0), PG);
	CHECK_EQ(uffd_copy(fd, p + PG, src, 3 * PG, 0), 2 * PG);
	CHECK_EQ(p[0], 'x');
	CHECK_EQ(p[2 * PG], 'x');
	close(fd);
}

/* ---- UFFDIO_ZEROPAGE */

static void test_zero(void)
{
	int fd = uffd_open(0, 0);
	char *p = anon(4);
	struct toucher t;

	CHECK_EQ(uffd_register(fd, p, 3 * PG, MISSING), 0);
	CHECK_EQ(uffd_zero(fd, p, PG, 2), -EINVAL);
	CHECK_EQ(uffd_zero(fd, p + 1, PG, 0), -EINVAL);
	CHECK_EQ(uffd_zero(fd, p + 3 * PG, PG, 0), -ENOENT);
	CHECK_FAILS(ioctl(fd, UFFDIO_ZEROPAGE, NULL), EFAULT);
	touch_start(&t, p, 'z');
	EXPECT_FAULT(fd, p, UFFD_PAGEFAULT_FLAG_WRITE);
	CHECK_EQ(uffd_zero(fd, p, PG, 0), PG);
	CHECK_EQ(touch_end(&t), 'z');
	CHECK_EQ(p[1], 0);
	CHECK_EQ(uffd_zero(fd, p, PG, 0), -EEXIST);
	/* The page of zeroes stays one. */
	CHECK_EQ(uffd_zero(fd, p + PG, 2 * PG, UFFDIO_ZEROPAGE_MODE_DONTWAKE), 2 * PG);
	p[PG] = 1;
	CHECK_EQ(p[2 * PG], 0);
	close(fd);
}

/* ---- files of memory */

static void test_shared(void)
{
	int fd = uffd_open(0, 0), mem = memfd(4 * PG, 0);
	char *p = map_fd(mem, 6 * PG, MAP_SHARED), *alias = map_fd(mem, 4 * PG, MAP_SHARED);
	struct toucher t;
	char byte;

	CHECK_EQ(uffd_register(fd, p, 6 * PG, MISSING), 0);
	touch_start(&t, p, 's');
	EXPECT_FAULT(fd, p, UFFD_PAGEFAULT_FLAG_WRITE);
	CHECK_EQ(uffd_copy(fd, p, page_of_a, PG, 0), PG);
	CHECK_EQ(touch_end(&t), 's');
	CHECK_EQ(alias[0], 's');
	CHECK_EQ(pread(mem, &byte, 1, 1), 1);
	CHECK_EQ(byte, 'a');
	CHECK_EQ(uffd_copy(fd, p, page_of_a, PG, 0), -EEXIST);
	/* What the file has is not missing, and cannot be given. */
	alias[PG] = 'f';
	CHECK_EQ(uffd_copy(fd, p + PG, page_of_a, PG, 0), -EEXIST);
	CHECK_EQ(p[PG], 'f');
	CHECK_EQ(uffd_zero(fd, p + 2 * PG, PG, 0), PG);
	CHECK_EQ(p[2 * PG], 0);
	/* Behind its end nothing can be put. */
	CHECK_EQ(uffd_copy(fd, p + 4 * PG, page_of_a, PG, 0), -EFAULT);
	CHECK_EQ(uffd_zero(fd, p + 5 * PG, PG, 0), -EFAULT);
	/* A hole is missing again. */
	CHECK_OK(fallocate(mem, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PG));
	touch_start(&t, p, -1);
	EXPECT_FAULT(fd, p, 0);
	CHECK_EQ(uffd_copy(fd, p, page_of_a, PG, 0), PG);
	CHECK_EQ(touch_end(&t), 'a');
	close(fd);
	close(mem);
}

static void test_private_file(void)
{
	int fd = uffd_open(0, 0), mem = memfd(2 * PG, 0);
	char *p = map_fd(mem, 3 * PG, MAP_PRIVATE);
	struct toucher t;
	char byte = 1;

	CHECK_EQ(uffd_register(fd, p, 3 * PG, MISSING), 0);
	touch_start(&t, p, 'p');
	/* The file's page would be read first, then copied. */
	EXPECT_FAULT(fd, p, UFFD_PAGEFAULT_FLAG_WRITE);
	CHECK_EQ(uffd_copy(fd, p, page_of_a, PG, 0), PG);
	CHECK_EQ(touch_end(&t), 'p');
	CHECK_EQ(pread(mem, &byte, 1, 0), 1);
	CHECK_EQ(byte, 0);
	CHECK_EQ(uffd_copy(fd, p + 2 * PG, page_of_a, PG, 0), -EFAULT);
	close(fd);
	close(mem);
}

static void test_minor(void)
{
	int fd, mem;
	char *p, *alias;
	struct toucher t;

	if (!has(UFFD_FEATURE_MINOR_SHMEM))
		return;
	fd = uffd_open(0, UFFD_FEATURE_MINOR_SHMEM);
	mem = memfd(4 * PG, 0);
	p = map_fd(mem, 4 * PG, MAP_SHARED);
	alias = map_fd(mem, 4 * PG, MAP_SHARED);
	CHECK_EQ(uffd_register(fd, p, 4 * PG, MINOR), 0);
	alias[0] = 'm';
	touch_start(&t, p, -1);
	EXPECT_FAULT(fd, p, UFFD_PAGEFAULT_FLAG_MINOR);
	alias[0] = 'n'; /* the moment to change it */
	CHECK_EQ(uffd_continue(fd, p, PG, 4), -EINVAL);
	CHECK_EQ(uffd_continue(fd, p, PG, 0), PG);
	CHECK_EQ(touch_end(&t), 'n');
	CHECK_EQ(uffd_continue(fd, p, PG, 0), -EEXIST);
	CHECK_EQ(uffd_continue(fd, p + PG, PG, 0), -EFAULT);
	/* Nothing there is no minor fault. */
	CHECK_EQ(p[2 * PG], 0);
	alias[3 * PG] = 'o';
	touch_start(&t, p + 3 * PG, 'w');
	EXPECT_FAULT(fd, p + 3 * PG, UFFD_PAGEFAULT_FLAG_MINOR | UFFD_PAGEFAULT_FLAG_WRITE);
	CHECK_EQ(uffd_continue(fd, p + 3 * PG, PG, UFFDIO_CONTINUE_MODE_DONTWAKE), PG);
	CHECK(!touch_is_done(&t));
	CHECK_EQ(uffd_wake(fd, p + 3 * PG, PG), 0);
	CHECK_EQ(touch_end(&t), 'w');
	CHECK_EQ(alias[3 * PG], 'w');
	close(fd);
	close(mem);
}

/* ---- huge pages */

static void test_huge(void)
{
	char *p = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	int fd = uffd_open(0, UFFD_FEATURE_MISSING_HUGETLBFS);
	char *src = anon(HUGE / PG), *alias;
	struct toucher t;
	uint64_t ioctls;
	int mem;

	REQUIRE(p != MAP_FAILED);
	memset(src, 'h', HUGE);
	CHECK_EQ(uffd_register(fd, p + PG, HUGE, MISSING), -EINVAL);
	CHECK_EQ(uffd_register(fd, p, HUGE + PG, MISSING), -EINVAL);
	ioctls = range_ioctls(fd, p, 2 * HUGE, MISSING);
	CHECK(!(ioctls & 1 << _UFFDIO_ZEROPAGE));
	touch_start(&t, p + HUGE + 5 * PG, -1);
	EXPECT_FAULT(fd, p + HUGE, 0);
	CHECK_EQ(uffd_zero(fd, p, HUGE, 0), -EINVAL);
	CHECK_EQ(uffd_copy(fd, p + HUGE, src, PG, 0), -EINVAL);
	CHECK_EQ(uffd_copy(fd, p + HUGE + PG, src, PG, 0), -EINVAL);
	CHECK_EQ(uffd_copy(fd, p + HUGE, src, HUGE, 0), HUGE);
	CHECK_EQ(touch_end(&t), 'h');
	CHECK_EQ(memcmp(p + HUGE, src, HUGE), 0);
	CHECK_EQ(uffd_copy(fd, p + HUGE, src, HUGE, 0), -EEXIST);
	CHECK_EQ(uffd_unregister(fd, p, 2 * HUGE), 0);
	CHECK_OK(munmap(p, 2 * HUGE));

	mem = memfd(2 * HUGE, MFD_HUGETLB);
	p = map_fd(mem, 2 * HUGE, MAP_SHARED);
	alias = map_fd(mem, 2 * HUGE, MAP_SHARED);
	CHECK_EQ(uffd_register(fd, p, 2 * HUGE, MISSING | MINOR), 0);
	touch_start(&t, p + 3, 'w');
	EXPECT_FAULT(fd, p, UFFD_PAGEFAULT_FLAG_WRITE);
	CHECK_EQ(uffd_copy(fd, p, src, HUGE, 0), HUGE);
	CHECK_EQ(touch_end(&t), 'w');
	CHECK_EQ(alias[3], 'w');
	CHECK_EQ(alias[4], 'h');
	alias[HUGE] = 'i';
	touch_start(&t, p + HUGE, -1);
	EXPECT_FAULT(fd, p + HUGE, UFFD_PAGEFAULT_FLAG_MINOR);
	CHECK_EQ(uffd_continue(fd, p + HUGE, PG, 0), -EINVAL);
	CHECK_EQ(uffd_continue(fd, p + HUGE, HUGE, 0), HUGE);
	CHECK_EQ(touch_end(&t), 'i');
	close(fd);
	close(mem);
	munmap(p, 2 * HUGE);
	munmap(alias, 2 * HUGE);
}

/* ---- UFFDIO_WRITEPROTECT */

static void test_protect(void)
{
	int fd;
	char *p;
	struct toucher t;

	if (!has(UFFD_FEATURE_PAGEFAULT_FLAG_WP))
		return;
	fd = uffd_open(0, UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	p = anon(8);
	memset(p, 'q', 4 * PG);
	CHECK_EQ(uffd_protect(fd, p, PG, WP), -ENOENT);
	CHECK_EQ(uffd_register(fd, p + 6 * PG, PG, MISSING), 0);
	CHECK_EQ(uffd_protect(fd, p + 6 * PG, PG, 1), -ENOENT);
	CHECK(range_ioctls(fd, p, 6 * PG, WP) & 1 << _UFFDIO_WRITEPROTECT);
	CHECK_EQ(uffd_protect(fd, p, PG, 4), -EINVAL);
	CHECK_EQ(uffd_protect(fd, p, PG, 3), -EINVAL);
	CHECK_EQ(uffd_protect(fd, p + 1, PG, 1), -EINVAL);
	CHECK_EQ(uffd_protect(fd, p, 0, 1), -EINVAL);
	CHECK_FAILS(ioctl(fd, UFFDIO_WRITEPROTECT, NULL), EFAULT);
	CHECK_EQ(uffd_protect(fd, p, 6 * PG, 1), 0);
	CHECK_EQ(p[0], 'q');
	touch_start(&t, p, 'r');
	EXPECT_FAULT(fd, p, UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP);
	CHECK(!touch_is_done(&t));
	CHECK_EQ(p[0], 'q');
	CHECK_EQ(uffd_protect(fd, p, PG, UFFDIO_WRITEPROTECT_MODE_DONTWAKE), 0);
	CHECK(!touch_is_done(&t));
	CHECK_EQ(uffd_protect(fd, p, PG, 0), 0);
	CHECK_EQ(touch_end(&t), 'r');
	p[1] = 's'; /* stays so */
	/* The neighbour is still protected, also from the kernel's writes and after mprotect. */
	CHECK_OK(mprotect(p + PG, PG, PROT_READ));
	CHECK_OK(mprotect(p + PG, PG, PROT_READ | PROT_WRITE));
	touch_start(&t, p + PG, 't');
	EXPECT_FAULT(fd, p + PG, UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP);
	CHECK_EQ(uffd_protect(fd, p + PG, PG, 0), 0);
	CHECK_EQ(touch_end(&t), 't');
	/* What is not there is protected only if that was asked for. */
	p[5 * PG] = 'u';
	/* Copies may come protected. */
	CHECK_OK(madvise(p, PG, MADV_DONTNEED));
	CHECK_EQ(uffd_copy(fd, p, page_of_a, PG, UFFDIO_COPY_MODE_WP), PG);
	CHECK_EQ(p[0], 'a');
	touch_start(&t, p, 'v');
	EXPECT_FAULT(fd, p, UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP);
	/* Unregistered, all of it may be written to. */
	CHECK_EQ(uffd_unregister(fd, p, 6 * PG), 0);
	CHECK_EQ(uffd_wake(fd, p, PG), 0); /* Linux wakes only who misses pages */
	CHECK_EQ(touch_end(&t), 'v');
	p[2 * PG] = 'w';
	close(fd);
}

static void test_protect_absent(void)
{
	struct toucher t;
	char *p;
	int fd, mem;

	if (!has(FEATURE_WP_UNPOPULATED | UFFD_FEATURE_WP_HUGETLBFS_SHMEM))
		return;
	fd = uffd_open(0, FEATURE_WP_UNPOPULATED);
	p = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_EQ(uffd_register(fd, p, 2 * HUGE, WP), 0);
	CHECK_EQ(uffd_protect(fd, p + PG, PG, 1), 0);
	touch_start(&t, p + PG, 'u');
	EXPECT_FAULT(fd, p + PG, UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP);
	CHECK_EQ(uffd_protect(fd, p + PG, PG, 0), 0);
	CHECK_EQ(touch_end(&t), 'u');
	p[0] = 'x';
	close(fd);

	/* Of a file it is the place that is protected, whatever comes and goes there. */
	fd = uffd_open(0, 0);
	mem = memfd(4 * PG, 0);
	p = map_fd(mem, 4 * PG, MAP_SHARED);
	CHECK_EQ(uffd_register(fd, p, 4 * PG, WP), 0);
	p[0] = 'f';
	CHECK_EQ(uffd_protect(fd, p, 2 * PG, 1), 0);
	CHECK_OK(madvise(p, PG, MADV_DONTNEED));
	CHECK_EQ(p[0], 'f');
	touch_start(&t, p, 'g');
	EXPECT_FAULT(fd, p, UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP);
	CHECK_EQ(uffd_protect(fd, p, PG, 0), 0);
	CHECK_EQ(touch_end(&t), 'g');
	touch_start(&t, p + PG, 'h');
	EXPECT_FAULT(fd, p + PG, UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP);
	CHECK_OK(fallocate(mem, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PG, PG));
	CHECK_EQ(uffd_protect(fd, p + PG, PG, 0), 0);
	CHECK_EQ(touch_end(&t), 'h');
	close(fd);
	close(mem);
}

/* ---- UFFDIO_POISON, UFFD_FEATURE_SIGBUS: faults that end in a signal */

static sigjmp_buf after_fault;
static volatile int fault_code, fault_signal;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	fault_signal = sig;
	fault_code = info->si_code;
	siglongjmp(after_fault, 1);
}

/* The signal that a read of @p ends in, 0 if none. */
static int signal_of_read(volatile char *p)
{
	struct sigaction act = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO }, old, old2;

	fault_signal = 0;
	sigaction(SIGBUS, &act, &old);
	sigaction(SIGSEGV, &act, &old2);
	if (sigsetjmp(after_fault, 1) == 0)
		(void)*p;
	sigaction(SIGBUS, &old, NULL);
	sigaction(SIGSEGV, &old2, NULL);
	return fault_signal;
}

static void test_poison(void)
{
	struct toucher t;
	int fd, null = open("/dev/zero", O_RDONLY);
	char *p;

	if (!has(FEATURE_POISON))
		return;
	fd = uffd_open(0, FEATURE_POISON);
	p = anon(4);
	CHECK_EQ(uffd_poison(fd, p, PG, 0), -ENOENT);
	CHECK_EQ(uffd_register(fd, p, 4 * PG, MISSING), 0);
	CHECK_EQ(uffd_poison(fd, p, PG, 2), -EINVAL);
	CHECK_EQ(uffd_poison(fd, p, PG + 1, 0), -EINVAL);
	CHECK_EQ(uffd_poison(fd, p, 2 * PG, 0), 2 * PG);
	CHECK_EQ(uffd_poison(fd, p, PG, 0), -EEXIST);
	CHECK_EQ(uffd_zero(fd, p, PG, 0), -EEXIST);
	CHECK_EQ(signal_of_read(p), SIGBUS);
	CHECK_EQ(fault_code, BUS_MCEERR_AR);
	CHECK_FAILS(read(null, p, 1), EFAULT);
	/* It moves with its place, and a page may be put over it. */
	CHECK(mremap(p, PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, p + 3 * PG) == p + 3 * PG);
	CHECK_EQ(signal_of_read(p + 3 * PG), SIGBUS);
	CHECK_EQ(uffd_copy(fd, p + PG, page_of_a, PG, 0), PG);
	CHECK_EQ(p[PG], 'a');
	CHECK_EQ(uffd_poison(fd, p + PG, PG, 0), -EEXIST);
	touch_start(&t, p + 2 * PG, -1);
	EXPECT_FAULT(fd, p + 2 * PG, 0);
	CHECK_OK(madvise(p + 3 * PG, PG, MADV_DONTNEED));
	CHECK_EQ(p[3 * PG], 0);
	CHECK_EQ(uffd_zero(fd, p + 2 * PG, PG, 0), PG);
	touch_end(&t);
	close(fd);
	close(null);
}

static void test_sigbus(void)
{
	int fd = uffd_open(O_NONBLOCK, UFFD_FEATURE_SIGBUS), null = open("/dev/zero", O_RDONLY);
	char *p = anon(1);
	struct uffd_msg msg;

	CHECK_EQ(uffd_register(fd, p, PG, MISSING), 0);
	CHECK_EQ(signal_of_read(p), SIGBUS);
	CHECK_EQ(fault_code, BUS_ADRERR);
	CHECK_FAILS(read(null, p, 1), EFAULT);
	CHECK_FAILS(read(fd, &msg, sizeof(msg)), EAGAIN);
	CHECK_EQ(uffd_zero(fd, p, PG, 0), PG);
	CHECK_EQ(signal_of_read(p), 0);
	close(fd);
	close(null);
}

static void test_user_mode_only(void)
{
	int fd = uffd_open(UFFD_USER_MODE_ONLY, 0), null = open("/dev/zero", O_RDONLY);
	char *p = anon(1);
	struct toucher t;

	CHECK_EQ(uffd_register(fd, p, PG, MISSING), 0);
	CHECK_FAILS(read(null, p, 1), EFAULT);
	touch_start(&t, p, -1);
	EXPECT_FAULT(fd, p, 0);
	CHECK_EQ(uffd_copy(fd, p, page_of_a, PG, 0), PG);
	CHECK_EQ(touch_end(&t), 'a');
	CHECK_EQ(read(null, p, 1), 1);
	close(fd);
	close(null);
}

/* ---- messages */

static void test_messages(void)
{
	int fd = uffd_open(O_NONBLOCK, UFFD_FEATURE_THREAD_ID | UFFD_FEATURE_EXACT_ADDRESS);
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	struct epoll_event ev = { .events = EPOLLIN };
	int set = epoll_create1(0), seen = 0;
	struct uffd_msg msg[8];
	struct toucher t[3];
	char *p = anon(4);
	ssize_t n;

	CHECK_OK(epoll_ctl(set, EPOLL_CTL_ADD, fd, &ev));
	CHECK_EQ(uffd_register(fd, p, 4 * PG, MISSING), 0);
	for (int i = 0; i < 3; i++)
		touch_start(&t[i], p + i * PG + 7, -1);
	CHECK_EQ(epoll_wait(set, &ev, 1, 5000), 1);
	CHECK_EQ(poll(&poller, 1, 5000), 1);
	CHECK_EQ(poller.revents, POLLIN);
	while (seen < 3) {
		n = read(fd, msg + seen, sizeof(msg) - (size_t)seen * sizeof(msg[0]));
		if (n < 0 && CHECK_EQ(errno, EAGAIN))
			usleep(1000);
		else
			seen += (int)(n / (ssize_t)sizeof(msg[0]));
	}
	CHECK_EQ(poll(&poller, 1, 0), 0);
	for (int i = 0; i < 3; i++) {
		uint64_t at = msg[i].arg.pagefault.address;
		unsigned k = (unsigned)((at - (uintptr_t)p) / PG);

		CHECK_EQ(at % PG, 7);
		if (CHECK(k < 3))
			CHECK_EQ(msg[i].arg.pagefault.feat.ptid, t[k].tid);
	}
	CHECK_EQ(uffd_zero(fd, p, 3 * PG, 0), 3 * PG);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(touch_end(&t[i]), 0);
	close(set);
	close(fd);
}

static void *reader(void *arg)
{
	struct uffd_msg msg;

	return (void *)(intptr_t)read(*(int *)arg, &msg, sizeof(msg));
}

/* A read that blocks is woken by the fault, and ended by a signal. */
static void test_blocking_read(void)
{
	int fd = uffd_open(0, 0);
	pthread_t thread;
	struct toucher t;
	char *p = anon(1);
	void *got;

	CHECK_EQ(uffd_register(fd, p, PG, MISSING), 0);
	REQUIRE(pthread_create(&thread, NULL, reader, &fd) == 0);
	usleep(20000);
	touch_start(&t, p, -1);
	REQUIRE(pthread_join(thread, &got) == 0);
	CHECK_EQ((intptr_t)got, sizeof(struct uffd_msg));
	CHECK_EQ(uffd_zero(fd, p, PG, 0), PG);
	CHECK_EQ(touch_end(&t), 0);
	close(fd);
}

/* ---- signals, the kernel's own accesses, the end */

static volatile sig_atomic_t signals_seen;

static void on_signal(int sig)
{
	(void)sig;
	signals_seen = signals_seen + 1;
}

static void test_signals(void)
{
	int fd = uffd_open(0, 0);
	char *p = anon(1);
	struct toucher t;

	signals_seen = 0;
	CHECK_EQ(uffd_register(fd, p, PG, MISSING), 0);
	touch_start(&t, p, -1);
	EXPECT_FAULT(fd, p, 0);
	CHECK_EQ(pthread_kill(t.thread, SIGUSR1), 0);
	/* The handler runs, then the access is made again. */
	EXPECT_FAULT(fd, p, 0);
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(uffd_copy(fd, p, page_of_a, PG, 0), PG);
	CHECK_EQ(touch_end(&t), 'a');
	close(fd);
}

struct kernel_access {
	int fd;
	char *at;
	ssize_t result;
	int error;
};

static void *read_into(void *arg)
{
	struct kernel_access *k = arg;

	k->result = read(k->fd, k->at, 16);
	k->error = errno;
	return NULL;
}

/* The kernel waits as well, and no signal makes it give up. */
static void test_kernel_access(void)
{
	int fd = uffd_open(0, 0), pipes[2];
	struct kernel_access k = { .at = anon(1) };
	pthread_t thread;

	REQUIRE(pipe(pipes) == 0);
	k.fd = pipes[0];
	CHECK_EQ(uffd_register(fd, k.at, PG, MISSING), 0);
	CHECK_EQ(write(pipes[1], "0123456789abcdef", 16), 16);
	REQUIRE(pthread_create(&thread, NULL, read_into, &k) == 0);
	EXPECT_FAULT(fd, k.at, UFFD_PAGEFAULT_FLAG_WRITE);
	signals_seen = 0;
	pthread_kill(thread, SIGUSR1);
	usleep(20000);
	CHECK_EQ(uffd_copy(fd, k.at, page_of_a, PG, 0), PG);
	REQUIRE(pthread_join(thread, NULL) == 0);
	CHECK_EQ(k.result, 16);
	CHECK_EQ(memcmp(k.at, "0123456789abcdef", 16), 0);
	CHECK_EQ(k.at[16], 'a');
	CHECK_EQ(signals_seen, 1);
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
}

/* A child that waits for nobody: in the kernel or in a plain access; @end ends it. */
static int status_of_stuck_child(int in_kernel, void (*end)(pid_t child))
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		int fd = uffd_open(0, 0), zero = open("/dev/zero", O_RDONLY);
		char *p = anon(1);

		alarm(20);
		uffd_register(fd, p, PG, MISSING);
		if (in_kernel)
			_exit(read(zero, p, 8) == 8 ? 3 : 4);
		_exit(*(volatile char *)p + 5);
	}
	usleep(100000);
	end(child);
	REQUIRE(waitpid(child, &status, 0) == child);
	return status;
}

static void end_by_kill(pid_t child)
{
	kill(child, SIGKILL);
}

static void end_by_term(pid_t child)
{
	kill(child, SIGTERM);
}

static void test_killed(void)
{
	CHECK_EQ(status_of_stuck_child(1, end_by_kill), SIGKILL);
	CHECK_EQ(status_of_stuck_child(0, end_by_kill), SIGKILL);
	CHECK_EQ(status_of_stuck_child(0, end_by_term), SIGTERM);
}

static void *stuck(void *arg)
{
	(void)*(volatile char *)arg;
	return NULL;
}

/* A process ends, and executes another program, though a thread of it waits. */
static void test_exit_with_waiters(void)
{
	for (int exec = 0; exec < 2; exec++) {
		pid_t child = fork();
		int status = -1;

		if (child == 0) {
			int fd = uffd_open(0, 0);
			pthread_t thread;
			char *p = anon(1);

			alarm(20);
			uffd_register(fd, p, PG, MISSING);
			pthread_create(&thread, NULL, stuck, p);
			EXPECT_FAULT(fd, p, 0);
			if (exec)
				execl("/proc/self/exe", "uffd", "exit", NULL);
			_exit(7);
		}
		REQUIRE(waitpid(child, &status, 0) == child);
		CHECK_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 7);
	}
}

/* The word that the kernel clears when a thread ends may be watched: it is not waited for. */
static void test_exit_word(void)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		int fd = uffd_open(0, 0);
		char *p = anon(1);

		alarm(20);
		uffd_register(fd, p, PG, MISSING);
		syscall(SYS_set_tid_address, p);
		syscall(SYS_exit, 9);
	}
	REQUIRE(waitpid(child, &status, 0) == child);
	CHECK_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 9);
}

/* ---- ranges that end or change while somebody waits */

static void test_let_go(void)
{
	int fd = uffd_open(0, 0);
	char *p = anon(4), *q;
	struct toucher t;

	CHECK_EQ(uffd_register(fd, p, 2 * PG, MISSING), 0);
	touch_start(&t, p, -1);
	EXPECT_FAULT(fd, p, 0);
	CHECK_EQ(uffd_unregister(fd, p + PG, PG), 0);
	CHECK(!touch_is_done(&t));
	CHECK_EQ(uffd_unregister(fd, p, PG), 0);
	CHECK_EQ(touch_end(&t), 0);

	/* One that was not even told of is let go by the end too. */
	CHECK_EQ(uffd_register(fd, p + PG, PG, MISSING), 0);
	touch_start(&t, p + PG, 'c');
	CHECK(!touch_is_done(&t));
	close(fd);
	CHECK_EQ(touch_end(&t), 'c');

	/* What moves is not watched any more. */
	fd = uffd_open(O_NONBLOCK, 0);
	CHECK_EQ(uffd_register(fd, p + 2 * PG, PG, MISSING), 0);
	q = mremap(p + 2 * PG, PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, p + 3 * PG);
	CHECK(q == p + 3 * PG);
	CHECK_EQ(*q, 0);
	CHECK_EQ(uffd_copy(fd, q, page_of_a, PG, 0), -ENOENT);
	close(fd);
}

static void test_fork(void)
{
	int fd = uffd_open(0, 0), status = -1;
	char *p = anon(3);
	struct toucher t;
	pid_t child;

	CHECK_EQ(uffd_register(fd, p, 3 * PG, MISSING), 0);
	CHECK_EQ(uffd_copy(fd, p + 2 * PG, page_of_a, PG, 0), PG);
	touch_start(&t, p, -1);
	EXPECT_FAULT(fd, p, 0);
	child = fork();
	if (child == 0) {
		alarm(20);
		/* Its own memory is nobody's to watch; the descriptor works on the parent's. */
		if (p[0] != 0 || p[PG] != 0 || p[2 * PG] != 'a')
			_exit(1);
		memset(page_of_a, 'k', PG);
		if (uffd_copy(fd, p, page_of_a, PG, 0) != PG)
			_exit(2);
		_exit(0);
	}
	REQUIRE(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	CHECK_EQ(touch_end(&t), 'k');
	CHECK_EQ(page_of_a[0], 'a');
	touch_start(&t, p + PG, -1);
	EXPECT_FAULT(fd, p + PG, 0);
	CHECK_EQ(uffd_zero(fd, p + PG, PG, 0), PG);
	CHECK_EQ(touch_end(&t), 0);
	close(fd);
}

/* The memory that a descriptor is for may end before it. */
static void test_owner_gone(void)
{
	int pipes[2], results[4] = { 0 };
	pid_t child;

	REQUIRE(pipe(pipes) == 0);
	child = fork();
	if (child == 0) {
		int fd = uffd_open(0, 0);
		char *p = anon(1);
		pid_t me = getpid();

		uffd_register(fd, p, PG, MISSING);
		if (fork())
			_exit(0);
		while (getppid() == me)
			usleep(1000);
		usleep(50000);
		results[0] = (int)uffd_copy(fd, p, page_of_a, PG, 0);
		results[1] = (int)uffd_zero(fd, p, PG, 0);
		results[2] = uffd_register(fd, p, PG, MISSING);
		results[3] = uffd_wake(fd, p, PG);
		_exit(write(pipes[1], results, sizeof(results)) != sizeof(results));
	}
	close(pipes[1]);
	REQUIRE(waitpid(child, NULL, 0) == child);
	CHECK_EQ(read(pipes[0], results, sizeof(results)), sizeof(results));
	CHECK_EQ(results[0], -ESRCH);
	CHECK_EQ(results[1], -ESRCH);
	CHECK_EQ(results[2], -ENOMEM);
	CHECK_EQ(results[3], 0);
	close(pipes[0]);
}

/* ---- many threads, one server */

enum { CROWD = 6, CROWD_PAGES = 64 };
static char *crowd_at;

static void *crowd_member(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg, bad = 0;

	for (int i = 0; i < 200; i++) {
		unsigned k = (unsigned)rand_r(&seed) % CROWD_PAGES;

		bad += crowd_at[k * PG + 8] != 'a';
		if (i % 16 == 0)
			madvise(crowd_at + k * PG, PG, MADV_DONTNEED);
	}
	return (void *)(uintptr_t)bad;
}

static void *crowd_server(void *arg)
{
	int fd = *(int *)arg;
	struct uffd_msg msg;
	long served = 0;

	while (read(fd, &msg, sizeof(msg)) == sizeof(msg)) {
		char *p = (char *)(msg.arg.pagefault.address & ~(uint64_t)(PG - 1));
		long n;

		if (p == crowd_at + CROWD_PAGES * PG)
			break;
		n = uffd_copy(fd, p, page_of_a, PG, 0);
		if (n == -EEXIST)
			uffd_wake(fd, p, PG);
		served++;
	}
	return (void *)served;
}

static void test_crowd(void)
{
	int fd = uffd_open(0, 0);
	pthread_t server, crowd[CROWD];
	struct toucher last;
	void *result;

	crowd_at = anon(CROWD_PAGES + 1);
	CHECK_EQ(uffd_register(fd, crowd_at, (CROWD_PAGES + 1) * PG, MISSING), 0);
	REQUIRE(pthread_create(&server, NULL, crowd_server, &fd) == 0);
	for (uintptr_t i = 0; i < CROWD; i++)
		REQUIRE(pthread_create(&crowd[i], NULL, crowd_member, (void *)(i + 1)) == 0);
	for (int i = 0; i < CROWD; i++) {
		pthread_join(crowd[i], &result);
		CHECK_EQ((uintptr_t)result, 0);
	}
	touch_start(&last, crowd_at + CROWD_PAGES * PG, -1);
	pthread_join(server, &result);
	CHECK((long)result >= CROWD_PAGES / 2);
	close(fd);
	CHECK_EQ(touch_end(&last), 0);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "api", test_api },
	{ "device", test_device },
	{ "register", test_register },
	{ "copy", test_copy },
	{ "copy_errors", test_copy_errors },
	{ "zero", test_zero },
	{ "shared", test_shared },
	{ "private_file", test_private_file },
	{ "minor", test_minor },
	{ "huge", test_huge },
	{ "protect", test_protect },
	{ "protect_absent", test_protect_absent },
	{ "poison", test_poison },
	{ "sigbus", test_sigbus },
	{ "user_mode_only", test_user_mode_only },
	{ "messages", test_messages },
	{ "blocking_read", test_blocking_read },
	{ "signals", test_signals },
	{ "kernel_access", test_kernel_access },
	{ "killed", test_killed },
	{ "exit_with_waiters", test_exit_with_waiters },
	{ "exit_word", test_exit_word },
	{ "let_go", test_let_go },
	{ "fork", test_fork },
	{ "owner_gone", test_owner_gone },
	{ "crowd", test_crowd },
};

/* With a name: that test alone. */
int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &act, NULL);
	if (argc > 1 && strcmp(argv[1], "exit") == 0)
		return 7;
	memset(page_of_a, 'a', PG);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (argc > 1 && strcmp(argv[1], tests[i].name) != 0)
			continue;
		if (argc > 1)
			printf("%s\n", tests[i].name);
		tests[i].run();
	}
	return check_done("uffd");
}
