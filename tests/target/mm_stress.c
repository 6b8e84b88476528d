/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory under concurrency: threads of one process that map, unmap, protect, drop, move and fork at
 * the same time, each on memory of its own whose content it knows, and on an object that all share.
 * A translation left in another CPU's TLB, or a page freed while it is mapped, shows as a wrong
 * value.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, HUGE = 2 << 20, THREADS = 4, ROUNDS = 150, PAGES = 1024 };

/* One thread's memory and what each page's first word should be. */
struct area {
	unsigned int seed;
	uint64_t *mem;
	uint64_t want[PAGES];
	pthread_t thread;
};

static uint64_t *word(struct area *a, unsigned int page)
{
	return a->mem + (size_t)page * (PAGE / sizeof(uint64_t));
}

static unsigned int chance(struct area *a, unsigned int n)
{
	return (unsigned int)rand_r(&a->seed) % n;
}

static void write_some(struct area *a, unsigned int first, unsigned int n)
{
	for (unsigned int i = first; i < first + n; i++) {
		a->want[i] = (uint64_t)a->seed << 32 | i;
		*word(a, i) = a->want[i];
	}
}

static void drop(struct area *a, unsigned int first, unsigned int n)
{
	CHECK_OK(madvise(word(a, first), (size_t)n * PAGE, MADV_DONTNEED));
	memset(&a->want[first], 0, n * sizeof(a->want[0]));
}

static void replace(struct area *a, unsigned int first, unsigned int n)
{
	CHECK(mmap(word(a, first), (size_t)n * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == word(a, first));
	memset(&a->want[first], 0, n * sizeof(a->want[0]));
}

static void protect(struct area *a, unsigned int first, unsigned int n)
{
	CHECK_OK(mprotect(word(a, first), (size_t)n * PAGE, PROT_READ));
	CHECK_EQ(*word(a, first), a->want[first]);
	CHECK_OK(mprotect(word(a, first), (size_t)n * PAGE, PROT_READ | PROT_WRITE));
}

/* What is moved away leaves a hole, which is anybody's who asks for memory anywhere: one thread at
 * a time has one, and nobody else asks. */
static pthread_mutex_t hole = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t all_are_there;

/* To another place and back. */
static void move(struct area *a, unsigned int first, unsigned int n)
{
	size_t len = (size_t)n * PAGE;
	uint64_t *there;

	pthread_mutex_lock(&hole);
	there = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(there != MAP_FAILED);
	/* Cut out first: the range may have several mappings. */
	if (mremap(word(a, first), len, len, MREMAP_MAYMOVE | MREMAP_FIXED, there) == there) {
		CHECK_EQ(*there, a->want[first]);
		CHECK(mremap(there, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, word(a, first)) ==
		      word(a, first));
	} else {
		munmap(there, len);
	}
	pthread_mutex_unlock(&hole);
}

static void advise(struct area *a, unsigned int first, unsigned int n)
{
	int advice = chance(a, 2) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;

	CHECK_OK(madvise(word(a, first), (size_t)n * PAGE, advice));
}

static void verify(struct area *a, unsigned int first, unsigned int n)
{
	for (unsigned int i = first; i < first + n; i++) {
		if (*word(a, i) != a->want[i])
			CHECK_EQ(*word(a, i), a->want[i]);
	}
}

static void *work(void *arg)
{
	static void (*const ops[])(struct area *, unsigned int, unsigned int) = {
		write_some, write_some, drop, replace, protect, move, advise, verify,
	};
	struct area *a = arg;

	pthread_barrier_wait(&all_are_there); /* their stacks are mapped */
	for (int round = 0; round < ROUNDS; round++) {
		unsigned int first = chance(a, PAGES);
		unsigned int n = 1 + chance(a, chance(a, 4) ? 16 : PAGES - first);

		n = n < PAGES - first ? n : PAGES - first;
		ops[chance(a, sizeof(ops) / sizeof(ops[0]))](a, first, n);
		verify(a, first, n);
	}
	verify(a, 0, PAGES);
	return NULL;
}

static void threads_keep_their_memory(void)
{
	static struct area areas[THREADS];

	REQUIRE(!pthread_barrier_init(&all_are_there, NULL, THREADS));
	for (unsigned int i = 0; i < THREADS; i++) {
		areas[i].seed = i + 1;
		areas[i].mem = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		REQUIRE(areas[i].mem != MAP_FAILED);
		REQUIRE(!pthread_create(&areas[i].thread, NULL, work, &areas[i]));
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		CHECK(!pthread_join(areas[i].thread, NULL));
		CHECK_OK(munmap(areas[i].mem, (size_t)PAGES * PAGE));
	}
}

/* ---- one thread reads and writes what another takes away */

static uint64_t *shared;
static atomic_int stop;

static void *touch(void *arg)
{
	uint64_t n = 0;

	(void)arg;
	while (!atomic_load(&stop)) {
		for (unsigned int i = 0; i < 64; i++) {
			volatile uint64_t *p = shared + i * (PAGE / sizeof(uint64_t));
			uint64_t seen = *p;

			/* Zero after a drop, or what was written: never another page's. */
			if (seen && (seen & 0xffff) != i + 1)
				CHECK_EQ(seen & 0xffff, i + 1);
			*p = n++ << 16 | (i + 1);
		}
	}
	return NULL;
}

static void dropped_memory_is_never_another_ones(void)
{
	pthread_t thread;

	shared = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(shared != MAP_FAILED);
	REQUIRE(!pthread_create(&thread, NULL, touch, NULL));
	for (int round = 0; round < 300; round++) {
		uint64_t *other;

		CHECK_OK(madvise(shared, 64 * PAGE, MADV_DONTNEED));
		/* Whatever was freed is used for something else at once. */
		other = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
		REQUIRE(other != MAP_FAILED);
		for (unsigned int i = 0; i < 64; i++)
			other[i * (PAGE / sizeof(uint64_t))] = ~0UL;
		for (unsigned int i = 0; i < 64; i++) {
			if (other[i * (PAGE / sizeof(uint64_t))] != ~0UL)
				CHECK_EQ(other[i * (PAGE / sizeof(uint64_t))], ~0UL);
		}
		CHECK_OK(munmap(other, 64 * PAGE));
	}
	atomic_store(&stop, 1);
	CHECK(!pthread_join(thread, NULL));
	CHECK_OK(munmap(shared, 64 * PAGE));
}

/* ---- fork while another thread writes */

static void *count_up(void *arg)
{
	volatile uint64_t *p = arg;

	while (!atomic_load(&stop)) {
		for (unsigned int i = 0; i < 32; i++)
			p[i * (PAGE / sizeof(uint64_t))]++;
	}
	return NULL;
}

static int child_sees_no_change(volatile uint64_t *p)
{
	uint64_t first[32];

	for (unsigned int i = 0; i < 32; i++)
		first[i] = p[i * (PAGE / sizeof(uint64_t))];
	for (int spin = 0; spin < 200000; spin++)
		__asm__ volatile("" ::: "memory");
	for (unsigned int i = 0; i < 32; i++) {
		if (p[i * (PAGE / sizeof(uint64_t))] != first[i])
			return 1;
		p[i * (PAGE / sizeof(uint64_t))] = 1;
	}
	return 0;
}

static void a_childs_copy_stands_still(void)
{
	uint64_t *p = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t thread;

	REQUIRE(p != MAP_FAILED);
	atomic_store(&stop, 0);
	REQUIRE(!pthread_create(&thread, NULL, count_up, p));
	for (int round = 0; round < 10; round++) {
		int status = -1;
		pid_t pid = fork();

		if (pid == 0)
			_exit(child_sees_no_change(p));
		REQUIRE(pid > 0);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(status, 0);
	}
	atomic_store(&stop, 1);
	CHECK(!pthread_join(thread, NULL));
	CHECK_OK(munmap(p, HUGE));
}

/* ---- an object is cut while others use it */

static volatile uint64_t *object;

static void *touch_object(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		for (unsigned int i = 0; i < 64; i++) {
			uint64_t seen = object[i * (PAGE / sizeof(uint64_t))];

			if (seen && seen != i + 1)
				CHECK_EQ(seen, i + 1);
			object[i * (PAGE / sizeof(uint64_t))] = i + 1;
		}
	}
	return NULL;
}

static void holes_are_punched_under_use(void)
{
	int fd = memfd_create("stress", 0);
	pthread_t thread;

	REQUIRE(fd >= 0);
	REQUIRE(!ftruncate(fd, 64 * PAGE));
	object = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(object != MAP_FAILED);
	atomic_store(&stop, 0);
	REQUIRE(!pthread_create(&thread, NULL, touch_object, NULL));
	for (int round = 0; round < 300; round++)
		CHECK_OK(madvise((void *)object, 64 * PAGE, MADV_REMOVE));
	atomic_store(&stop, 1);
	CHECK(!pthread_join(thread, NULL));
	CHECK_OK(close(fd));
}

int main(void)
{
	threads_keep_their_memory();
	dropped_memory_is_never_another_ones();
	a_childs_copy_stands_still();
	holes_are_punched_under_use();
	return check_done("mm_stress");
}
