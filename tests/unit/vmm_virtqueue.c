/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VMM's virtqueues (vmm/virtqueue.h) against good drivers, drivers that break each rule, and
 * drivers that write noise: whatever they do, buffers lie within the guest's memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/virtqueue.h"

enum { SIZE = 8, DESC = 0x1000, AVAIL = 0x2000, USED = 0x3000, TABLE = 0x4000, DATA = 0x5000 };
enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };
enum { RAM_SIZE = 64 * 1024, NOISE_RUNS = 200000 };

static unsigned char *ram;
static struct guest_memory memory;
static struct virtqueue queue;
static struct chain chain;

static void put16(unsigned int at, uint16_t value)
{
	memcpy(ram + at, &value, 2);
}

static uint16_t get16(unsigned int at)
{
	uint16_t value;

	memcpy(&value, ram + at, 2);
	return value;
}

/* Descriptor n of a table. */
static void describe(unsigned int table, unsigned int n, uint64_t offset, uint32_t length,
		     uint16_t flags, uint16_t next)
{
	const uint64_t address = RAM_BASE + offset;
	unsigned char *at = ram + table + 16 * n;

	memcpy(at, &address, 8);
	memcpy(at + 8, &length, 4);
	memcpy(at + 12, &flags, 2);
	memcpy(at + 14, &next, 2);
}

static void offer(uint16_t head)
{
	uint16_t index = get16(AVAIL + 2);

	put16(AVAIL + 4 + 2 * (index % SIZE), head);
	put16(AVAIL + 2, (uint16_t)(index + 1));
}

static void set_up(bool event_idx)
{
	memset(ram, 0, RAM_SIZE);
	virtqueue_reset(&queue, &memory);
	queue.size = SIZE;
	queue.desc = RAM_BASE + DESC;
	queue.avail = RAM_BASE + AVAIL;
	queue.used = RAM_BASE + USED;
	assert_true(virtqueue_start(&queue, event_idx));
}

static void broken_by(const char *words)
{
	assert_false(virtqueue_pop(&queue, &chain));
	assert_non_null(queue.broken);
	if (!strstr(queue.broken, words))
		fail_msg("\"%s\" says nothing of \"%s\"", queue.broken, words);
	/* And it stays so. */
	offer(0);
	assert_false(virtqueue_pop(&queue, &chain));
}

static void chains_are_taken_and_given_back(void **state)
{
	(void)state;
	set_up(false);
	assert_false(virtqueue_pop(&queue, &chain));
	for (unsigned int round = 0; round < 3 * SIZE; round++) {
		describe(DESC, 3, DATA, 16, NEXT, 5);
		describe(DESC, 5, DATA + 0x100, 512, NEXT | WRITE, 1);
		describe(DESC, 1, DATA + 0x400, 1, WRITE, 77);
		offer(3);
		assert_true(virtqueue_pop(&queue, &chain));
		assert_int_equal(chain.head, 3);
		assert_int_equal(chain.out_count, 1);
		assert_int_equal(chain.in_count, 2);
		assert_ptr_equal(chain.buffers[1].iov_base, ram + DATA + 0x100);
		assert_int_equal(chain.buffers[1].iov_len, 512);
		assert_false(virtqueue_pop(&queue, &chain));
		virtqueue_push(&queue, 3, 513);
		assert_int_equal(get16(USED + 2), round + 1);
		assert_int_equal(get16(USED + 4 + 8 * (round % SIZE)), 3);
		assert_int_equal(get16(USED + 4 + 8 * (round % SIZE) + 4), 513);
		assert_true(virtqueue_wants_interrupt(&queue));
		assert_false(virtqueue_wants_interrupt(&queue));
	}
	assert_null(queue.broken);
	put16(AVAIL, 1);
	virtqueue_push(&queue, 3, 0);
	assert_false(virtqueue_wants_interrupt(&queue));
}

static void indirect_chains_are_taken(void **state)
{
	(void)state;
	set_up(false);
	describe(TABLE, 0, DATA, 16, NEXT, 2);
	describe(TABLE, 2, DATA + 32, 8, WRITE, 0);
	describe(DESC, 0, TABLE, 48, INDIRECT, 0);
	offer(0);
	assert_true(virtqueue_pop(&queue, &chain));
	assert_int_equal(chain.out_count, 1);
	assert_int_equal(chain.in_count, 1);
	assert_ptr_equal(chain.buffers[1].iov_base, ram + DATA + 32);
}

static void event_indices_hold_interrupts_back(void **state)
{
	const unsigned int used_event = AVAIL + 4 + 2 * SIZE, avail_event = USED + 4 + 8 * SIZE;

	(void)state;
	set_up(true);
	for (uint16_t i = 0; i < 5; i++) {
		describe(DESC, i, DATA, 8, 0, 0);
		offer(i);
	}
	put16(used_event, 2); /* an interrupt when the third one comes back */
	for (uint16_t i = 0; i < 5; i++) {
		assert_true(virtqueue_pop(&queue, &chain));
		virtqueue_push(&queue, chain.head, 0);
		assert_int_equal(virtqueue_wants_interrupt(&queue), i == 2);
	}
	assert_false(virtqueue_pop(&queue, &chain));
	assert_int_equal(get16(avail_event), 5); /* tell of the sixth */
	put16(used_event, 6);
	for (uint16_t i = 0; i < 3; i++)
		virtqueue_push(&queue, i, 0);
	assert_true(virtqueue_wants_interrupt(&queue));
}

/* One rule after the other. */
static void each_rule_breaks_the_queue(void **state)
{
	(void)state;
	set_up(false);
	put16(AVAIL + 2, SIZE + 1);
	broken_by("available index");

	set_up(false);
	offer(SIZE);
	broken_by("index beyond");

	set_up(false);
	describe(DESC, 0, DATA, 8, NEXT, SIZE);
	offer(0);
	broken_by("index beyond");

	set_up(false);
	describe(DESC, 0, DATA, 8, NEXT, 1);
	describe(DESC, 1, DATA, 8, NEXT, 0);
	offer(0);
	broken_by("longer than its table");

	set_up(false);
	describe(DESC, 0, DATA, 8, NEXT | WRITE, 1);
	describe(DESC, 1, DATA, 8, 0, 0);
	offer(0);
	broken_by("behind one to be written");

	set_up(false);
	describe(DESC, 0, DATA, 0, 0, 0);
	offer(0);
	broken_by("outside of memory");

	set_up(false);
	describe(DESC, 0, RAM_SIZE - 8, 9, 0, 0);
	offer(0);
	broken_by("outside of memory");

	set_up(false);
	describe(DESC, 0, -RAM_BASE, 8, 0, 0);
	offer(0);
	broken_by("outside of memory");

	set_up(false);
	describe(DESC, 0, UINT64_MAX - RAM_BASE - 3, 8, 0, 0);
	offer(0);
	broken_by("outside of memory");
}

static void each_rule_of_indirect_tables_too(void **state)
{
	static const struct {
		uint64_t offset;
		uint32_t length;
		uint16_t flags;
	} malformed[] = {
		{ TABLE, 0, INDIRECT },		{ TABLE, 24, INDIRECT },
		{ TABLE + 8, 32, INDIRECT },	{ RAM_SIZE - 16, 32, INDIRECT },
		{ TABLE, 32, INDIRECT | NEXT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		set_up(false);
		describe(TABLE, 0, DATA, 8, 0, 0);
		describe(DESC, 0, malformed[i].offset, malformed[i].length, malformed[i].flags, 1);
		offer(0);
		broken_by("malformed");
	}
	set_up(false);
	describe(TABLE, 0, TABLE, 16, INDIRECT, 0);
	describe(DESC, 0, TABLE, 16, INDIRECT, 0);
	offer(0);
	broken_by("within an indirect table");

	set_up(false);
	for (uint16_t i = 0; i < 200; i++)
		describe(TABLE, i, DATA, 1, NEXT, (uint16_t)(i + 1));
	describe(DESC, 0, TABLE, 16 * 200, INDIRECT, 0);
	offer(0);
	broken_by("130 buffers");
}

static void rings_have_a_place(void **state)
{
	static const struct {
		uint16_t size;
		uint64_t desc, avail, used;
	} bad[] = {
		{ 0, DESC, AVAIL, USED },
		{ 3, DESC, AVAIL, USED },
		{ 512, DESC, AVAIL, USED },
		{ SIZE, DESC + 8, AVAIL, USED },
		{ SIZE, DESC, AVAIL + 1, USED },
		{ SIZE, DESC, AVAIL, USED + 2 },
		{ SIZE, RAM_SIZE - 112, AVAIL, USED },
		{ SIZE, DESC, RAM_SIZE - 20, USED },
		{ SIZE, DESC, AVAIL, RAM_SIZE - 68 },
		{ SIZE, -RAM_BASE, AVAIL, USED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		virtqueue_reset(&queue, &memory);
		queue.size = bad[i].size;
		queue.desc = RAM_BASE + bad[i].desc;
		queue.avail = RAM_BASE + bad[i].avail;
		queue.used = RAM_BASE + bad[i].used;
		assert_false(virtqueue_start(&queue, true));
		assert_non_null(queue.broken);
		assert_false(queue.ready);
		assert_false(virtqueue_pop(&queue, &chain));
	}
}

/* Touches every byte of a chain: the sanitizer knows where the guest's memory ends. */
static void use_chain(void)
{
	unsigned char bytes[64];

	assert_true(chain.out_count + chain.in_count <= CHAIN_MAX);
	for (unsigned int i = 0; i < chain.out_count + chain.in_count; i++) {
		unsigned char *at = chain.buffers[i].iov_base;

		assert_true(at >= ram && at + chain.buffers[i].iov_len <= ram + RAM_SIZE);
	}
	buffers_read(chain.buffers, chain.out_count, 3, bytes, sizeof(bytes));
	buffers_write(chain.buffers + chain.out_count, chain.in_count, 5, bytes, sizeof(bytes));
	virtqueue_push(&queue, chain.head, 1);
}

/* Each of the three flags in a quarter of the descriptors. */
static uint16_t few_flags(void)
{
	int first = rand(), second = rand();

	return (uint16_t)(first & second & 7);
}

static void noise_never_leaves_memory(void **state)
{
	unsigned int taken = 0, broken = 0;

	(void)state;
	srand(1);
	for (unsigned int run = 0; run < NOISE_RUNS; run++) {
		if (run % 16 == 0 || queue.broken) {
			broken += queue.broken != NULL;
			set_up(rand() & 1);
		}
		for (unsigned int i = 0; i < SIZE; i++) {
			describe(DESC, i, (unsigned int)rand() % (RAM_SIZE + 64),
				 (unsigned int)rand() % 2048, few_flags(),
				 (uint16_t)(rand() % (SIZE + 1)));
			describe(TABLE, i, (unsigned int)rand() % RAM_SIZE,
				 (unsigned int)rand() % 2048, (uint16_t)(rand() & 3),
				 (uint16_t)(rand() % SIZE));
		}
		describe(DESC, 0, TABLE, 16 * SIZE, INDIRECT, 0);
		offer((uint16_t)(rand() % (SIZE + (rand() % 64 == 0))));
		while (virtqueue_pop(&queue, &chain)) {
			taken++;
			use_chain();
		}
		(void)virtqueue_wants_interrupt(&queue);
	}
	assert_true(taken > NOISE_RUNS / 100 && broken > NOISE_RUNS / 100);
}

static void bytes_move_across_buffers(void **state)
{
	char a[3] = "abc", b[1] = "d", c[4] = "efgh", text[16] = { 0 };
	const struct iovec buffers[] = { { a, 3 }, { b, 1 }, { c, 4 } };

	(void)state;
	assert_int_equal(buffers_size(buffers, 3), 8);
	assert_int_equal(buffers_read(buffers, 3, 2, text, 4), 4);
	assert_string_equal(text, "cdef");
	assert_int_equal(buffers_read(buffers, 3, 6, text, 16), 2);
	assert_int_equal(buffers_read(buffers, 3, 8, text, 16), 0);
	assert_int_equal(buffers_write(buffers, 3, 3, "XYZ", 3), 3);
	assert_memory_equal(a, "abc", 3);
	assert_memory_equal(b, "X", 1);
	assert_memory_equal(c, "YZgh", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_are_taken_and_given_back),
		cmocka_unit_test(indirect_chains_are_taken),
		cmocka_unit_test(event_indices_hold_interrupts_back),
		cmocka_unit_test(each_rule_breaks_the_queue),
		cmocka_unit_test(each_rule_of_indirect_tables_too),
		cmocka_unit_test(rings_have_a_place),
		cmocka_unit_test(noise_never_leaves_memory),
		cmocka_unit_test(bytes_move_across_buffers),
	};
	int failed;

	ram = malloc(RAM_SIZE);
	guest_memory_add(&memory, RAM_BASE, RAM_SIZE, (char *)ram);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(ram);
	return failed;
}
