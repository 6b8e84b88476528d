/* SPDX-License-Identifier: Apache-2.0 */
/* Wait queues tell whoever waits by a function; and what an mm says of itself. */
#include "host/sched.h"
#include "tests/unit/host_world.h"

struct told {
	struct waiter waiter;
	u32 times, key;
};

static void tell(struct waiter *w, u32 key)
{
	struct told *t = container_of(w, struct told, waiter);

	t->times++;
	t->key = key;
}

static void every_function_that_waits_is_told_until_it_leaves(void **state)
{
	struct waitq q;
	struct told a = { .waiter.fn = tell }, b = { .waiter.fn = tell };

	(void)state;
	waitq_init(&q);
	waitq_wake(&q, 1, 1);
	waitq_add(&q, &a.waiter);
	waitq_add(&q, &b.waiter);
	waitq_wake(&q, 1, 5);
	assert_int_equal(a.times, 1);
	assert_int_equal(b.times, 1);
	assert_int_equal(b.key, 5);
	waitq_remove(&a.waiter);
	waitq_remove(&a.waiter); /* a second time does nothing */
	waitq_wake(&q, 1, 6);
	assert_int_equal(a.times, 1);
	assert_int_equal(b.times, 2);
	waitq_remove(&b.waiter);
}

static void counts_follow_what_is_mapped(void **state)
{
	struct mm_counts before = mm_get_counts(world_mm), c;
	u64 at = map_anon(0, 4 * PAGE_SIZE);

	(void)state;
	c = mm_get_counts(world_mm);
	assert_int_equal(c.total_pages, before.total_pages + 4);
	assert_int_equal(c.resident_pages, before.resident_pages);
	assert_int_equal(poke_byte(at, 1), 0);
	assert_true(mm_get_counts(world_mm).resident_pages > before.resident_pages);
	assert_int_equal(mm_munmap(world_mm, at, 4 * PAGE_SIZE), 0);
	c = mm_get_counts(world_mm);
	assert_int_equal(c.total_pages, before.total_pages);
	assert_int_equal(c.resident_pages, before.resident_pages);
	assert_int_equal(c.vma_count, before.vma_count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(every_function_that_waits_is_told_until_it_leaves),
		world_test(counts_follow_what_is_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
