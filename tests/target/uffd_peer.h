/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of userfaultfd share: a userfaultfd with its handshake done, and threads that
 * touch memory and may have to wait for it.
 */
#ifndef TESTS_TARGET_UFFD_PEER_H
#define TESTS_TARGET_UFFD_PEER_H

#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/ioctl.h>

/* Of Linux 6.4, 6.6 and 5.15; the headers may be older. */
#define FEATURE_WP_UNPOPULATED (1 << 13)
#define FEATURE_POISON	       (1 << 14)
struct poison_args {
	struct uffdio_range range;
	uint64_t mode;
	int64_t updated;
};
#define UFFDIO_POISON_CALL _IOWR(0xaa, 8, struct poison_args)
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xaa, 0)
#endif

enum { MISSING = 1, WP = 2, MINOR = 4 }; /* UFFDIO_REGISTER_MODE_* */

/* A userfaultfd with @features agreed on; ends the program if it cannot be had. */
int uffd_open(int flags, uint64_t features);
/* What UFFDIO_API offers. */
uint64_t uffd_features(void);
/* Each: 0 or -errno. */
int uffd_register(int fd, void *p, size_t n, int mode);
int uffd_unregister(int fd, void *p, size_t n);
int uffd_wake(int fd, void *p, size_t n);
int uffd_protect(int fd, void *p, size_t n, int mode);
/* Each: bytes done, or -errno when none were; -EAGAIN counts as the bytes that were. */
long uffd_copy(int fd, void *to, const void *from, size_t n, int mode);
long uffd_zero(int fd, void *p, size_t n, int mode);
long uffd_continue(int fd, void *p, size_t n, int mode);
long uffd_poison(int fd, void *p, size_t n, int mode);
/* One message, waited for; checks that it is of @p and has @flags. */
void uffd_expect(const char *file, int line, int fd, const void *p, uint64_t flags);
#define EXPECT_FAULT(fd, p, flags) uffd_expect(__FILE__, __LINE__, fd, p, flags)

/* A thread that reads (or, after it, writes) one byte. */
struct toucher {
	pthread_t thread;
	volatile unsigned char *at;
	int write; /* the value to write; -1: reads */
	unsigned char seen;
	atomic_int done;
	atomic_int tid;
};
void touch_start(struct toucher *t, void *at, int write);
/* Has it been let go? Looks for a while, so that "no" means something. */
int touch_is_done(struct toucher *t);
/* Waits for its end; the byte read. */
unsigned char touch_end(struct toucher *t);

#endif
