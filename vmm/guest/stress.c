/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps a guest busy and looks whether anything is lost: on each CPU a thread that fills and checks
 * memory, one that waits for timers, and one that passes a token to the next CPU (an interrupt
 * between CPUs each time) and has all CPUs take part in a memory barrier; and one that writes and
 * reads back blocks of a disk, past the cache. A wait that lasts over a second is a stall: what was
 * waited for came late, or an interrupt was lost and something else came to the rescue.
 *
 *   stress SECONDS [DISK]
 *
 * Prints a line of counts; exits with 0 only if no byte was wrong and nothing stalled.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
	CPUS_MAX = 8,
	PAGE = 4096,
	MEMORY_PAGES = 2048, /* of each thread */
	BLOCK = 4096,
	BLOCKS_MAX = 1 << 16,
	TIMER_US = 5000,
	MS = 1000,
	STALL_US = 1000 * MS,
};

enum work { WORK_MEMORY, WORK_TIMERS, WORK_TOKENS, WORK_BARRIERS, WORK_BLOCKS, WORKS };

static const char *const work_names[WORKS] = { "pages", "timers", "tokens", "barriers", "blocks" };

static struct {
	atomic_ulong done[WORKS];
	atomic_ulong longest_us[WORKS];
	atomic_ulong wrong, stalls;
} seen;

static atomic_int ending;
static unsigned cpus;
static const char *disk;

static void fail(const char *what)
{
	printf("catwalk-stress: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* One wait for something that comes at once, or was due at once, lasted so long. */
static void waited(enum work work, uint64_t us)
{
	unsigned long longest = atomic_load(&seen.longest_us[work]);

	while (us > longest && !atomic_compare_exchange_weak(&seen.longest_us[work], &longest, us))
		;
	atomic_fetch_add(&seen.done[work], 1);
	if (us >= STALL_US)
		atomic_fetch_add(&seen.stalls, 1);
}

static void wrong(const char *what, uint64_t where, uint64_t value, uint64_t expected)
{
	if (atomic_fetch_add(&seen.wrong, 1) < 10)
		printf("catwalk-stress: %s %#lx: %#lx, expected %#lx\n", what, where, value,
		       expected);
}

static void stay_on(unsigned long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % cpus, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("sched_setaffinity");
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1d;
}

/* ---- memory */

static uint64_t tag(uint64_t place, uint64_t generation)
{
	return (place << 32 | generation) * 0x9e3779b97f4a7c15UL;
}

static void check_page(const uint64_t *page, uint64_t place, uint64_t generation)
{
	for (unsigned i = 0; i < PAGE / sizeof(*page); i++) {
		uint64_t expected = generation ? tag(place, generation) + i : 0;

		if (page[i] != expected)
			wrong("memory", (uint64_t)&page[i], page[i], expected);
	}
}

static void fill_page(uint64_t *page, uint64_t place, uint64_t generation)
{
	for (unsigned i = 0; i < PAGE / sizeof(*page); i++)
		page[i] = tag(place, generation) + i;
}

/* Each page holds what it was given last, or zeros if it was given back. */
static void *use_memory(void *arg)
{
	uint64_t random = (uint64_t)arg * 7919 + 1, generation = 0;
	uint64_t *held = calloc(MEMORY_PAGES, sizeof(*held));
	char *area = mmap(NULL, (size_t)MEMORY_PAGES * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED || !held)
		fail("memory");
	stay_on((unsigned long)arg);
	while (!atomic_load(&ending)) {
		uint64_t place = next_random(&random) % MEMORY_PAGES;
		char *page = area + place * PAGE;

		check_page((uint64_t *)page, place, held[place]);
		if (next_random(&random) % 8) {
			held[place] = ++generation;
			fill_page((uint64_t *)page, place, generation);
		} else {
			held[place] = 0;
			madvise(page, PAGE, MADV_DONTNEED);
		}
		atomic_fetch_add(&seen.done[WORK_MEMORY], 1);
	}
	return NULL;
}

/* ---- timers */

static void *wait_for_timers(void *arg)
{
	struct itimerspec every = { { 0, TIMER_US * 1000 }, { 0, TIMER_US * 1000 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	uint64_t due, expired;

	stay_on((unsigned long)arg);
	due = now_us();
	if (fd < 0 || timerfd_settime(fd, 0, &every, NULL))
		fail("timerfd");
	while (!atomic_load(&ending)) {
		uint64_t now;

		if (read(fd, &expired, sizeof(expired)) != sizeof(expired))
			fail("timerfd");
		due += expired * TIMER_US;
		now = now_us();
		if (now + MS < due)
			wrong("early timer", due, now, due);
		waited(WORK_TIMERS, now > due ? now - due : 0);
	}
	close(fd);
	return NULL;
}

/* ---- interrupts between CPUs */

static int token_pipe[CPUS_MAX][2];

static void read_token(unsigned long from, uint64_t *sent)
{
	if (read(token_pipe[from][0], sent, sizeof(*sent)) != sizeof(*sent))
		fail("token");
}

static void send_token(unsigned long to)
{
	uint64_t now = now_us();

	if (write(token_pipe[to % cpus][1], &now, sizeof(now)) != sizeof(now))
		fail("token");
}

/* The token goes round for ever; at the end it goes round once more, and so finds everybody. */
static void *pass_tokens(void *arg)
{
	unsigned long cpu = (unsigned long)arg;

	stay_on(cpu);
	if (cpu == 0)
		send_token(0);
	while (!atomic_load(&ending)) {
		uint64_t sent;

		read_token(cpu, &sent);
		waited(WORK_TOKENS, now_us() - sent);
		send_token(cpu + 1);
	}
	send_token(cpu + 1);
	return NULL;
}

static void *use_barriers(void *arg)
{
	stay_on((unsigned long)arg);
	while (!atomic_load(&ending)) {
		uint64_t start = now_us();

		if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
			fail("membarrier");
		waited(WORK_BARRIERS, now_us() - start);
		usleep(2 * MS);
	}
	return NULL;
}

/* ---- blocks */

static uint32_t block_generation[BLOCKS_MAX];

static void write_block(int fd, uint64_t *buffer, uint64_t block)
{
	fill_page(buffer, block, ++block_generation[block]);
	if (pwrite(fd, buffer, BLOCK, (off_t)block * BLOCK) != BLOCK)
		fail("write of a block");
}

static void read_block(int fd, uint64_t *buffer, uint64_t block)
{
	if (pread(fd, buffer, BLOCK, (off_t)block * BLOCK) != BLOCK)
		fail("read of a block");
	if (block_generation[block])
		check_page(buffer, block, block_generation[block]);
}

static void *use_blocks(void *arg)
{
	int fd = open(disk, O_RDWR | O_DIRECT);
	uint64_t *buffer = aligned_alloc(PAGE, BLOCK), random = 77;
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	uint64_t blocks = size < 0 ? 0 : (uint64_t)size / BLOCK;

	(void)arg;
	if (!blocks || !buffer)
		fail(disk);
	blocks = blocks < BLOCKS_MAX ? blocks : BLOCKS_MAX;
	while (!atomic_load(&ending)) {
		uint64_t start = now_us(), block = next_random(&random) % blocks;

		if (next_random(&random) % 2)
			write_block(fd, buffer, block);
		else
			read_block(fd, buffer, block);
		waited(WORK_BLOCKS, now_us() - start);
	}
	for (uint64_t block = 0; block < blocks; block++)
		read_block(fd, buffer, block);
	close(fd);
	return NULL;
}

/* ---- all */

static void start_on_all(pthread_t *thread, void *(*run)(void *arg))
{
	for (unsigned long cpu = 0; cpu < cpus; cpu++) {
		if (pthread_create(&thread[cpu], NULL, run, (void *)cpu))
			fail("thread");
	}
}

static void end_all(pthread_t *thread, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		pthread_join(thread[i], NULL);
}

static int report(void)
{
	printf("catwalk-stress:");
	for (unsigned i = 0; i < WORKS; i++)
		printf(" %lu %s (longest wait %lu ms),", atomic_load(&seen.done[i]), work_names[i],
		       atomic_load(&seen.longest_us[i]) / MS);
	printf(" %lu wrong, %lu stalls\n", atomic_load(&seen.wrong), atomic_load(&seen.stalls));
	return atomic_load(&seen.wrong) || atomic_load(&seen.stalls);
}

int main(int argc, char **argv)
{
	pthread_t memory[CPUS_MAX], timers[CPUS_MAX], tokens[CPUS_MAX], barriers, blocks;

	if (argc != 2 && argc != 3) {
		fprintf(stderr, "usage: stress SECONDS [DISK]\n");
		return 2;
	}
	disk = argv[2];
	cpus = (unsigned)get_nprocs() < CPUS_MAX ? (unsigned)get_nprocs() : CPUS_MAX;
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0))
		fail("membarrier");
	for (unsigned i = 0; i < cpus; i++) {
		if (pipe(token_pipe[i]))
			fail("pipe");
	}
	start_on_all(memory, use_memory);
	start_on_all(timers, wait_for_timers);
	start_on_all(tokens, pass_tokens);
	if (pthread_create(&barriers, NULL, use_barriers, NULL) ||
	    (disk && pthread_create(&blocks, NULL, use_blocks, NULL)))
		fail("thread");
	sleep((unsigned)strtoul(argv[1], NULL, 10));
	atomic_store(&ending, 1);
	end_all(&barriers, 1);
	end_all(&blocks, disk ? 1 : 0);
	end_all(timers, cpus);
	end_all(tokens, cpus);
	end_all(memory, cpus);
	return report();
}
