/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that the fuzzer's calls read and write. Each thread has a buffer, mapped twice (to write,
 * and read-only), with nothing behind it; arguments are laid out one after the other, so that all
 * that the kernel was to write lies in one range, which is filled before the call and looked
 * through afterwards.
 */
#define _GNU_SOURCE
#include "tests/target/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	FILL = 0xb6, /* what results are written over */
	SMALL_PAGES = 8 << 20,
	LARGE_PAGES = 24 << 20,
	SPARE = 64, /* behind each argument: who writes too much is caught */
};

#define FILL_WORD 0xb6b6b6b6b6b6b6b6ul

/* The planted bytes, A7 5C A7 5C ...; no program but the one that plants them has them as they
   are. */
#define PLANTED_KEY  0x3333333333333333ul
#define PLANTED	     (0xa75ca75ca75ca75cul ^ PLANTED_KEY)
#define PLANTED_EVEN ((uint32_t)0xa75ca75c)
#define PLANTED_ODD  ((uint32_t)0x5ca75ca7)

char *fuzz_arena;

/* Where Catwalk's kernel has RAM (LINEAR_BASE), devices, stacks and its image
   (port/arm64/layout.h). */
static const struct {
	uint64_t first, size;
} kernel_ranges[] = {
	{ 0xffff000040000000, 16ul << 30 },
	{ 0xffff800000000000, 1ul << 36 },
	{ 0xffffffc000000000, 1ul << 32 },
	{ 0xffffffff80001000, 8ul << 20 },
};

/* Room for FUZZ_BUFFER_SIZE bytes, and nothing behind it. */
static char *room_with_end(void)
{
	return mmap(NULL, FUZZ_BUFFER_SIZE + FUZZ_PAGE, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

int fuzz_memory_init(struct fuzz *f)
{
	int fd = memfd_create("buffer", 0);
	char *p = room_with_end();

	f->data = room_with_end();
	if (fd < 0 || p == MAP_FAILED || f->data == MAP_FAILED || ftruncate(fd, FUZZ_BUFFER_SIZE))
		return -1;
	if (mprotect(f->data, FUZZ_BUFFER_SIZE, PROT_READ | PROT_WRITE))
		return -1;
	f->buffer =
		mmap(p, FUZZ_BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	f->read_only = mmap(NULL, FUZZ_BUFFER_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	return f->buffer == MAP_FAILED || f->read_only == MAP_FAILED ? -1 : 0;
}

void fuzz_memory_begin(struct fuzz *f)
{
	f->used = 0;
	f->odd_places = 0;
}

/* @size bytes, filled; NULL: there is no room left. */
static char *take(struct fuzz *f, size_t size)
{
	char *p = f->buffer + f->used;

	size = (size + SPARE + 7) & ~7ul;
	if (f->used + size > FUZZ_BUFFER_SIZE)
		return NULL;
	f->used += size;
	memset(p, FILL, size);
	return p;
}

void *fuzz_put_whole(struct fuzz *f, const void *from, size_t size)
{
	char *p = take(f, size);

	if (!p)
		return f->buffer;
	return memcpy(p, from, size);
}

/* The first half of it in the last bytes that there are. */
static uint64_t put_across_end(struct fuzz *f, const void *from, size_t size)
{
	char *p = f->buffer + FUZZ_BUFFER_SIZE - size / 2;

	memcpy(p, from, size / 2);
	return (uint64_t)p;
}

uint64_t fuzz_put(struct fuzz *f, const void *from, size_t size)
{
	char *p;

	switch (fuzz_below(f, 32)) {
	case 0: return fuzz_bad_pointer(f);
	case 1: return put_across_end(f, from, size);
	case 2:
		p = fuzz_put_whole(f, from, size);
		return (uint64_t)(f->read_only + (p - f->buffer));
	case 3:
		f->odd_places = 1;
		p = take(f, size + 8);
		return p ? (uint64_t)memcpy(p + 1 + fuzz_below(f, 7), from, size) : 0;
	default: return (uint64_t)fuzz_put_whole(f, from, size);
	}
}

uint64_t fuzz_out(struct fuzz *f)
{
	char *p = take(f, FUZZ_ROOM);

	switch (fuzz_below(f, 24)) {
	case 0: return fuzz_bad_pointer(f);
	case 1: return (uint64_t)(f->buffer + FUZZ_BUFFER_SIZE - 1 - fuzz_below(f, 64));
	case 2: return p ? (uint64_t)(f->read_only + (p - f->buffer)) : 0;
	case 3: f->odd_places = 1; return (uint64_t)p + fuzz_below(f, 8);
	default: return (uint64_t)p;
	}
}

/* A word that is not planted, and looks like no address of the kernel: at no byte of it, since
   files, pipes and sockets give bytes back at other places than they came from. */
static uint64_t harmless(struct fuzz *f)
{
	uint64_t v = FUZZ_ONE_IN(f, 2) ? fuzz_below(f, 16) : fuzz_next(f);

	return (FUZZ_ONE_IN(f, 6) ? fuzz_odd(f) : v) & 0x7f7f7f7f7f7f7f7f;
}

uint64_t fuzz_in(struct fuzz *f)
{
	uint64_t words[32];

	for (int i = 0; i < 32; i++)
		words[i] = harmless(f);
	return fuzz_put(f, words, sizeof(words));
}

/*
 * What files, pipes and sockets take, they give back at other places than it came from: two
 * numbers that lie side by side, an iovec's say, could look like an address then. Here nothing lies
 * beside it, whatever the length.
 */
uint64_t fuzz_data(struct fuzz *f)
{
	uint64_t words[32];
	char *p = f->data + fuzz_below(f, FUZZ_BUFFER_SIZE / sizeof(words)) * sizeof(words);

	if (FUZZ_ONE_IN(f, 16))
		return fuzz_bad_pointer(f);
	for (int i = 0; i < 32; i++)
		words[i] = harmless(f);
	memcpy(p, words, sizeof(words));
	return (uint64_t)p + (FUZZ_ONE_IN(f, 8) ? fuzz_below(f, 8) : 0);
}

uint64_t fuzz_arena_at(struct fuzz *f)
{
	uint64_t at = fuzz_below(f, FUZZ_ARENA_SIZE / FUZZ_PAGE) * FUZZ_PAGE;

	if (FUZZ_ONE_IN(f, 8))
		at &= ~((2ul << 20) - 1);
	return (uint64_t)fuzz_arena + at + (FUZZ_ONE_IN(f, 16) ? 1 + fuzz_below(f, 4095) : 0);
}

uint64_t fuzz_arena_size(struct fuzz *f)
{
	switch (fuzz_below(f, 8)) {
	case 0: return 2ul << 20;
	case 1: return fuzz_below(f, 64) * FUZZ_PAGE;
	case 2: return fuzz_below(f, 3 * FUZZ_PAGE);
	default: return (1 + fuzz_below(f, 8)) * FUZZ_PAGE;
	}
}

/* ---- what comes back */

static void report(struct fuzz *f, const char *what, uint64_t v, size_t at)
{
	unsigned n = atomic_fetch_add(&fuzz_shared->report_count, 1);

	if (n < FUZZ_REPORTS_MAX)
		snprintf(fuzz_shared->reports[n], sizeof(fuzz_shared->reports[n]),
			 "%s: %#lx came back, at byte %zu of the arguments: %s",
			 f->call ? f->call->name : "?", v, at, what);
}

static int is_kernel_address(uint64_t v)
{
	if ((v & 0xffff) == 0x5aa8) /* made up by fuzz_kernel_address() */
		return 0;
	for (size_t i = 0; i < sizeof(kernel_ranges) / sizeof(kernel_ranges[0]); i++)
		if (v - kernel_ranges[i].first < kernel_ranges[i].size)
			return 1;
	return 0;
}

static int is_planted(uint32_t v)
{
	return v == PLANTED_EVEN || v == PLANTED_ODD;
}

void fuzz_scan(struct fuzz *f, const void *p, size_t size)
{
	const uint64_t *words = p;

	for (size_t i = 0; i < size / 8; i++) {
		uint64_t v = words[i];

		if (v == FILL_WORD || v == 0)
			continue;
		if (!f->odd_places && is_kernel_address(v)) {
			atomic_fetch_add(&fuzz_shared->kernel_seen, 1);
			report(f, "an address of the kernel", v, i * 8);
		}
		if (is_planted((uint32_t)v) || is_planted((uint32_t)(v >> 32))) {
			atomic_fetch_add(&fuzz_shared->stale_seen, 1);
			report(f, "another program's bytes", v, i * 8);
		}
	}
}

void fuzz_memory_check(struct fuzz *f)
{
	if (f->call->how != FUZZ_RANDOM)
		fuzz_scan(f, f->buffer, f->used);
}

/* ---- bytes that nobody must see */

static void plant_in(char *p, size_t size)
{
	volatile uint64_t key = PLANTED_KEY;
	uint64_t value = PLANTED ^ key;

	for (size_t i = 0; i < size / 8; i++)
		((volatile uint64_t *)p)[i] = value;
}

static char *anonymous(size_t size, int advice)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		_exit(1);
	(void)madvise(p, size, advice);
	return p;
}

/* In memory of programs, in files and pipes, and in what calls copy into the kernel. */
void fuzz_plant(void)
{
	char *small = anonymous(SMALL_PAGES, MADV_NOHUGEPAGE);
	char *large = anonymous(LARGE_PAGES, MADV_HUGEPAGE);
	int fd = memfd_create("planted", 0), pipes[2];

	plant_in(small, SMALL_PAGES);
	plant_in(large, LARGE_PAGES);
	(void)!write(fd, small, 1 << 20);
	for (int i = 0; i < 40; i++) {
		/* Objects of each size: paths, arguments and lists are copied whole. */
		for (size_t size = 16; size <= FUZZ_PAGE; size *= 2) {
			char *s = memcpy(large, small, size);

			s[size - 1] = '\0';
			(void)access(s, 0);
			(void)memfd_create(s, 0);
			s[size - 1] = s[size - 3];
		}
		if (pipe(pipes) == 0)
			(void)!write(pipes[1], small, FUZZ_PAGE);
	}
}

unsigned long fuzz_dirty_pages(void)
{
	size_t size = SMALL_PAGES / 2;
	char *p = anonymous(size, MADV_NOHUGEPAGE);
	unsigned long dirty = 0;

	for (size_t at = 0; at < size; at += FUZZ_PAGE) {
		volatile char *touched = p + at;
		const uint64_t *words = (const uint64_t *)(p + at);

		*touched = 0;
		for (size_t i = 0; i < FUZZ_PAGE / 8; i++)
			dirty += words[i] != 0;
	}
	munmap(p, size);
	return dirty;
}
