/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address space: mmap, munmap, mprotect, madvise, mremap-free partial unmaps, fixed mappings
 * over others, memfd mappings shared and private, transparent and explicit huge pages, faults at
 * the right address.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, HUGE = 2 << 20 };

static sigjmp_buf escape;
static void *volatile fault_addr;
static volatile int fault_code, fault_signal;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)context;
	fault_signal = signal;
	fault_addr = info->si_addr;
	fault_code = info->si_code;
	siglongjmp(escape, 1);
}

enum access { READ, WRITE };

/* The signal that the access raises, or 0. */
static int probe(volatile char *p, enum access access)
{
	fault_signal = 0;
	if (sigsetjmp(escape, 1))
		return fault_signal;
	if (access == WRITE)
		*p = 1;
	else
		(void)*p;
	return 0;
}

static char *anon(size_t size, int prot)
{
	char *p = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(p != MAP_FAILED);
	return p;
}

static void check_anonymous(void)
{
	char *p = anon(16 * PAGE, PROT_READ | PROT_WRITE);
	unsigned sum = 0;

	for (int i = 0; i < 16 * PAGE; i++)
		sum |= (unsigned char)p[i];
	CHECK_EQ(sum, 0);
	memset(p, 0x5a, 16 * PAGE);
	CHECK_EQ(p[16 * PAGE - 1], 0x5a);
	CHECK_OK(munmap(p, 16 * PAGE));
	CHECK_EQ(probe(p, READ), SIGSEGV);
	CHECK_EQ(fault_code, SEGV_MAPERR);
	CHECK_EQ(fault_addr, p);
	CHECK_OK(munmap(p, 16 * PAGE)); /* nothing there is no error */
}

static void check_partial_unmap(void)
{
	char *p = anon(8 * PAGE, PROT_READ | PROT_WRITE);

	for (int i = 0; i < 8; i++)
		p[i * PAGE] = (char)(i + 1);
	CHECK_OK(munmap(p + 2 * PAGE, 2 * PAGE));
	CHECK_EQ(p[1 * PAGE], 2);
	CHECK_EQ(p[4 * PAGE], 5);
	CHECK_EQ(probe(p + 2 * PAGE, READ), SIGSEGV);
	CHECK_EQ(probe(p + 4 * PAGE - 1, WRITE), SIGSEGV);
	CHECK_EQ(probe(p + 4 * PAGE, WRITE), 0);
	CHECK_OK(munmap(p, 8 * PAGE)); /* over the hole */
	CHECK_EQ(probe(p + 7 * PAGE, READ), SIGSEGV);
}

static void check_fixed(void)
{
	char *p = anon(8 * PAGE, PROT_READ | PROT_WRITE);

	memset(p, 7, 8 * PAGE);
	CHECK_EQ(mmap(p + 3 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		      0),
		 p + 3 * PAGE);
	CHECK_EQ(p[3 * PAGE], 0);
	CHECK_EQ(p[2 * PAGE], 7);
	CHECK_EQ(p[4 * PAGE], 7);
	CHECK_EQ(probe(p + 3 * PAGE, WRITE), SIGSEGV);
	CHECK_EQ(fault_code, SEGV_ACCERR);
	CHECK_FAILS(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			 0),
		    EEXIST);
	CHECK_FAILS(mmap(p + 1, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		    EINVAL);
	CHECK_OK(munmap(p, 8 * PAGE));
	/* A hint that is free is taken. */
	CHECK_EQ(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), p);
	CHECK_OK(munmap(p, PAGE));
}

static void check_protection(void)
{
	char *p = anon(4 * PAGE, PROT_NONE);

	CHECK_EQ(probe(p, READ), SIGSEGV);
	CHECK_EQ(fault_code, SEGV_ACCERR);
	CHECK_OK(mprotect(p + PAGE, 2 * PAGE, PROT_READ | PROT_WRITE));
	p[PAGE] = 1;
	p[3 * PAGE - 1] = 2;
	CHECK_EQ(probe(p + 3 * PAGE, READ), SIGSEGV);
	CHECK_OK(mprotect(p + PAGE, PAGE, PROT_READ));
	CHECK_EQ(p[PAGE], 1);
	CHECK_EQ(probe(p + PAGE + 8, WRITE), SIGSEGV);
	CHECK_EQ(fault_addr, p + PAGE + 8);
	CHECK_OK(mprotect(p + PAGE, PAGE, PROT_NONE));
	CHECK_EQ(probe(p + PAGE, READ), SIGSEGV);
	CHECK_OK(mprotect(p, 4 * PAGE, PROT_READ | PROT_WRITE));
	CHECK_EQ(p[PAGE], 1);
	CHECK_EQ(p[3 * PAGE - 1], 2);
	CHECK_FAILS(mprotect(p + 1, PAGE, PROT_READ), EINVAL);
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_FAILS(mprotect(p, 4 * PAGE, PROT_READ), ENOMEM);
	CHECK_OK(munmap(p, 4 * PAGE));
}

static void check_dontneed(void)
{
	char *p = anon(8 * PAGE, PROT_READ | PROT_WRITE);

	memset(p, 9, 8 * PAGE);
	CHECK_OK(madvise(p + 2 * PAGE, 2 * PAGE, MADV_DONTNEED));
	CHECK_EQ(p[2 * PAGE], 0);
	CHECK_EQ(p[4 * PAGE - 1], 0);
	CHECK_EQ(p[2 * PAGE - 1], 9);
	CHECK_EQ(p[4 * PAGE], 9);
	CHECK_FAILS(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
	CHECK_FAILS(madvise(p, PAGE, 12345), EINVAL);
	CHECK_OK(munmap(p + 4 * PAGE, PAGE));
	CHECK_FAILS(madvise(p, 8 * PAGE, MADV_DONTNEED), ENOMEM); /* a hole, the rest is done */
	CHECK_EQ(p[7 * PAGE], 0);
	CHECK_OK(munmap(p, 8 * PAGE));
}

/* Execution of code written through a writable mapping. */
static void check_exec(void)
{
	static const unsigned code[] = { 0x52800540, 0xd65f03c0 }; /* mov w0, #42; ret */
	char *p = anon(PAGE, PROT_READ | PROT_WRITE);

	memcpy(p, code, sizeof(code));
	CHECK_OK(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	__builtin___clear_cache(p, p + sizeof(code));
	CHECK_EQ(((int (*)(void))p)(), 42);
	CHECK_EQ(probe(p, WRITE), SIGSEGV);
	CHECK_OK(munmap(p, PAGE));

	p = anon(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	memcpy(p, code, sizeof(code));
	__builtin___clear_cache(p, p + sizeof(code));
	CHECK_EQ(((int (*)(void))p)(), 42);
	CHECK_OK(munmap(p, PAGE));
}

static void check_memfd(void)
{
	int fd = memfd_create("mm", MFD_CLOEXEC);
	char *shared, *second, *private;

	REQUIRE(fd >= 0);
	CHECK_OK(ftruncate(fd, 4 * PAGE));
	shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	second = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 2 * PAGE);
	private = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	REQUIRE(shared != MAP_FAILED && second != MAP_FAILED && private != MAP_FAILED);
	CHECK_OK(close(fd)); /* the mappings keep the file */
	shared[2 * PAGE + 5] = 11;
	CHECK_EQ(second[5], 11);
	CHECK_EQ(private[2 * PAGE + 5], 11);
	private[2 * PAGE + 5] = 12;
	CHECK_EQ(shared[2 * PAGE + 5], 11);
	shared[2 * PAGE + 5] = 13;
	CHECK_EQ(private[2 * PAGE + 5], 12);
	CHECK_OK(madvise(private, 4 * PAGE, MADV_DONTNEED));
	CHECK_EQ(private[2 * PAGE + 5], 13); /* the copy is gone, the file shows again */
	CHECK_OK(madvise(shared, 4 * PAGE, MADV_DONTNEED));
	CHECK_EQ(shared[2 * PAGE + 5], 13); /* shared memory keeps its contents */
	CHECK_OK(munmap(shared, 4 * PAGE));
	CHECK_OK(munmap(second, 2 * PAGE));
	CHECK_OK(munmap(private, 4 * PAGE));
}

static void check_memfd_holes(void)
{
	int fd = memfd_create("holes", 0);
	char *p, byte = 0;

	REQUIRE(fd >= 0);
	CHECK_OK(ftruncate(fd, 4 * PAGE));
	p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(p != MAP_FAILED);
	memset(p, 3, 4 * PAGE);
	CHECK_EQ(probe(p + 4 * PAGE, READ), SIGBUS); /* beyond the end of the file */
	CHECK_EQ(fault_code, BUS_ADRERR);
	CHECK_EQ(fault_addr, p + 4 * PAGE);
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, PAGE));
	CHECK_EQ(p[PAGE], 0);
	CHECK_EQ(p[0], 3);
	CHECK_EQ(p[2 * PAGE], 3);
	CHECK_OK(ftruncate(fd, PAGE));
	CHECK_EQ(probe(p + 2 * PAGE, READ), SIGBUS);
	CHECK_OK(ftruncate(fd, 8 * PAGE));
	CHECK_EQ(p[2 * PAGE], 0);
	p[7 * PAGE] = 4;
	CHECK_EQ(pread(fd, &byte, 1, 7 * PAGE), 1);
	CHECK_EQ(byte, 4);
	CHECK_OK(munmap(p, 8 * PAGE));
	close(fd);
}

static void check_transparent_huge(void)
{
	char *area = anon(4 * HUGE, PROT_READ | PROT_WRITE);
	char *p = (char *)(((unsigned long)area + HUGE - 1) & -(unsigned long)HUGE);

	CHECK_OK(madvise(p, 2 * HUGE, MADV_HUGEPAGE));
	for (int i = 0; i < 2 * HUGE; i += PAGE)
		p[i] = (char)(i / PAGE);
	/* Split it in every way: protection, discard, unmap of single pages. */
	CHECK_OK(mprotect(p + 5 * PAGE, PAGE, PROT_READ));
	CHECK_EQ(probe(p + 5 * PAGE, WRITE), SIGSEGV);
	CHECK_EQ(probe(p + 6 * PAGE, WRITE), 0);
	CHECK_OK(madvise(p + 9 * PAGE, PAGE, MADV_DONTNEED));
	CHECK_EQ(p[9 * PAGE], 0);
	CHECK_EQ(p[10 * PAGE], 10);
	CHECK_OK(munmap(p + HUGE + 3 * PAGE, PAGE));
	CHECK_EQ(probe(p + HUGE + 3 * PAGE, READ), SIGSEGV);
	CHECK_EQ(p[HUGE + 4 * PAGE], (char)(HUGE / PAGE + 4));
	CHECK_OK(madvise(p, HUGE, MADV_NOHUGEPAGE));
	CHECK_OK(madvise(p, HUGE, MADV_DONTNEED));
	CHECK_EQ(p[HUGE - 1], 0);
	CHECK_OK(munmap(area, 4 * HUGE));
}

/* Explicit huge pages where the host has some: aligned, whole, and with their own rules for
 * unmapping. */
static void check_hugetlb(void)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 21 << MAP_HUGE_SHIFT;
	char *p = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (p == MAP_FAILED) {
		CHECK_EQ(errno, ENOMEM);
		printf("mm: no huge pages reserved, their checks are left out\n");
		return;
	}
	CHECK_EQ((unsigned long)p % HUGE, 0);
	memset(p, 6, 2 * HUGE);
	CHECK_EQ(p[2 * HUGE - 1], 6);
	CHECK_FAILS(munmap(p, PAGE), EINVAL);
	CHECK_FAILS(mprotect(p, PAGE, PROT_READ), EINVAL);
	CHECK_OK(munmap(p, HUGE));
	CHECK_EQ(probe(p, READ), SIGSEGV);
	CHECK_EQ(p[HUGE], 6);
	CHECK_OK(munmap(p + HUGE, HUGE));
	CHECK_FAILS(mmap(NULL, HUGE, PROT_READ,
			 (flags & ~(63 << MAP_HUGE_SHIFT)) | 13 << MAP_HUGE_SHIFT, -1, 0),
		    EINVAL);
}

static void check_refusals(void)
{
	CHECK_FAILS(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_FAILS(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
	CHECK_FAILS(mmap(NULL, 1ul << 50, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	CHECK_FAILS(munmap((void *)1, PAGE), EINVAL);
	CHECK_FAILS(munmap((void *)PAGE, 0), EINVAL);
	CHECK_FAILS(munmap((void *)(1ul << 52), PAGE), EINVAL);
}

static void check_brk(void)
{
	char *start = sbrk(0);

	CHECK_EQ(sbrk(3 * PAGE), start);
	memset(start, 1, 3 * PAGE);
	CHECK_EQ(sbrk(-2 * PAGE), start + 3 * PAGE);
	CHECK_EQ(sbrk(2 * PAGE), start + PAGE);
	CHECK_EQ(start[2 * PAGE], 0); /* given back and taken again: zero */
}

static char *race;
static atomic_int racing;

static void *fault_in(void *arg)
{
	(void)arg;
	while (atomic_load(&racing))
		for (int i = 0; i < 64; i++) {
			char seen = *(volatile char *)(race + i * PAGE);

			if (seen != 0 && seen != 1)
				CHECK_EQ(seen, 0);
			*(volatile char *)(race + i * PAGE) = 1;
		}
	return NULL;
}

/* Two threads fault the same pages in while this one throws them away. */
static void check_races(void)
{
	pthread_t thread[2];

	race = anon(64 * PAGE, PROT_READ | PROT_WRITE);
	atomic_store(&racing, 1);
	for (int i = 0; i < 2; i++)
		REQUIRE(pthread_create(&thread[i], NULL, fault_in, NULL) == 0);
	for (int i = 0; i < 500; i++)
		CHECK_OK(madvise(race, 64 * PAGE, MADV_DONTNEED));
	atomic_store(&racing, 0);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	CHECK_OK(munmap(race, 64 * PAGE));
}

/* How many of the @pages at @p are in memory. */
static int resident(char *p, size_t pages)
{
	unsigned char vec[64];
	int n = 0;

	CHECK_OK(mincore(p, pages * PAGE, vec));
	for (size_t i = 0; i < pages; i++)
		n += vec[i] & 1;
	return n;
}

static char *map_pages(size_t pages)
{
	return anon(pages * PAGE, PROT_READ | PROT_WRITE);
}

/* In a child, since it is about all of a process; what cannot be read is no failure. */
static void lock_all(void)
{
	char *before = map_pages(8), *after, *none = anon(PAGE, PROT_NONE);

	CHECK_FAILS(mlockall(0), EINVAL);
	CHECK_FAILS(mlockall(8 | MCL_CURRENT), EINVAL);
	CHECK_FAILS(mlockall(MCL_ONFAULT), EINVAL);
	CHECK_OK(mlockall(MCL_FUTURE));
	CHECK_EQ(resident(before, 8), 0);
	after = map_pages(8);
	CHECK_EQ(resident(after, 8), 8);
	after = mremap(after, 8 * PAGE, 16 * PAGE, MREMAP_MAYMOVE);
	REQUIRE(after != MAP_FAILED);
	CHECK_EQ(resident(after, 16), 16);
	after = sbrk(9 * PAGE);
	after = (char *)(((uintptr_t)after + PAGE - 1) & -PAGE);
	CHECK_EQ(resident(after, 8), 8);
	CHECK_OK(mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT));
	CHECK_EQ(resident(before, 8), 0);
	CHECK_EQ(resident(map_pages(8), 8), 0);
	CHECK_OK(mlockall(MCL_CURRENT));
	CHECK_EQ(resident(before, 8), 8);
	CHECK_EQ(resident(none, 1), 0);
	CHECK_EQ(resident(map_pages(8), 8), 0);
	CHECK_OK(mlockall(MCL_FUTURE));
	CHECK_OK(munlockall());
	CHECK_EQ(resident(map_pages(8), 8), 0);
}

static void check_lock_all(void)
{
	pid_t child = fork();
	int status;

	REQUIRE(child >= 0);
	if (!child) {
		lock_all();
		_exit(check_done("mm: mlockall"));
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}

/* Large and sparse: only what is touched costs memory. */
static void check_sparse(void)
{
	size_t size = 64ul << 30;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	REQUIRE(p != MAP_FAILED);
	for (size_t at = 0; at < size; at += 1ul << 30)
		p[at + 12345] = 1;
	CHECK_EQ(p[(1ul << 30) + 12345], 1);
	CHECK_OK(munmap(p, size));
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	check_anonymous();
	check_partial_unmap();
	check_fixed();
	check_protection();
	check_dontneed();
	check_exec();
	check_memfd();
	check_memfd_holes();
	check_transparent_huge();
	check_hugetlb();
	check_refusals();
	check_brk();
	check_races();
	check_lock_all();
	check_sparse();
	return check_done("mm");
}
