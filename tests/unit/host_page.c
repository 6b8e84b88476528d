/* SPDX-License-Identifier: Apache-2.0 */
/* The page allocator and kmalloc: no overlap, coalescing, alignment, odd RAM, failure on demand. */
#define _DEFAULT_SOURCE /* rand_r */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/page.h"

#define RAM_BYTES (64UL << 20)

static int power_on(void **state)
{
	(void)state;
	model_host_boot(RAM_BYTES);
	return 0;
}

static int power_off(void **state)
{
	(void)state;
	model_host_off();
	return 0;
}

static void free_ram_is_accounted(void **state)
{
	struct mem_counts c = page_counts();

	(void)state;
	assert_int_equal(c.total_pages, RAM_BYTES / PAGE_SIZE);
	assert_int_equal(c.free_pages + c.metadata_pages, c.total_pages);
	assert_true(c.metadata_pages * PAGE_SIZE <= c.total_pages * 64);
}

static void pages_are_aligned_and_zeroed(void **state)
{
	(void)state;
	for (unsigned int order = 0; order <= 13; order++) {
		struct page *p = page_alloc(order, PAGE_ZEROED);
		const char *bytes;

		assert_non_null(p);
		bytes = page_to_virt(p);
		assert_int_equal(page_to_phys(p).v % (PAGE_SIZE << order), 0);
		assert_int_equal(page_order(p), order);
		assert_int_equal(page_refs(p), 1);
		assert_int_equal(bytes[0] | bytes[(PAGE_SIZE << order) - 1], 0);
		page_put(p);
	}
}

static void references_keep_a_page(void **state)
{
	struct page *p = page_alloc(3, PAGE_UNFILLED);
	u64 before = page_counts().free_pages;

	(void)state;
	page_get(p);
	page_put(p);
	assert_int_equal(page_counts().free_pages, before);
	page_put(p);
	assert_int_equal(page_counts().free_pages, before + 8);
}

static void interior_addresses_find_their_head(void **state)
{
	(void)state;
	for (unsigned int order = 0; order <= 12; order++) {
		struct page *p = page_alloc(order, PAGE_UNFILLED);
		u64 pa = page_to_phys(p).v;

		for (u64 i = 0; i < 1UL << order; i++)
			assert_ptr_equal(phys_to_page(PA(pa + i * PAGE_SIZE + 5)), p);
		page_put(p);
	}
}

static void a_split_run_is_single_pages(void **state)
{
	u64 before = page_counts().free_pages;
	struct page *p = page_alloc(ORDER_2M, PAGE_UNFILLED);
	u64 pa = page_to_phys(p).v;

	(void)state;
	page_get(p);
	assert_false(page_split_run(p));
	page_put(p);
	assert_true(page_split_run(p));
	for (u64 i = 0; i < 512; i++) {
		struct page *q = phys_to_page(PA(pa + i * PAGE_SIZE));

		assert_int_equal(page_to_phys(q).v, pa + i * PAGE_SIZE);
		assert_int_equal(page_order(q), 0);
		page_put(q);
	}
	assert_int_equal(page_counts().free_pages, before);
	p = page_alloc(ORDER_2M, PAGE_UNFILLED);
	assert_non_null(p);
	page_put(p);
}

/* A simple reference: who owns each page. */
#define LIVE_MAX 600
static struct {
	struct page *page;
	unsigned int order;
	u8 mark;
} live[LIVE_MAX];
static u8 owner[RAM_BYTES / PAGE_SIZE];

static void claim(unsigned int i, u8 expect, u8 mark)
{
	u64 first = (page_to_phys(live[i].page).v - MODEL_RAM_BASE) >> PAGE_SHIFT;

	for (u64 n = 0; n < 1UL << live[i].order; n++) {
		assert_int_equal(owner[first + n], expect);
		owner[first + n] = mark;
	}
}

static void random_allocations_never_overlap(void **state)
{
	u64 before = page_counts().free_pages;
	unsigned int seed = 7;

	(void)state;
	memset(owner, 0, sizeof(owner));
	for (unsigned int step = 0; step < 40000; step++) {
		unsigned int i = (unsigned int)rand_r(&seed) % LIVE_MAX;

		if (live[i].page) {
			claim(i, live[i].mark, 0);
			page_put(live[i].page);
			live[i].page = NULL;
			continue;
		}
		live[i].order = (unsigned int)rand_r(&seed) % 100 < 90
					? (unsigned int)rand_r(&seed) % 4
					: (unsigned int)rand_r(&seed) % 11;
		live[i].mark = (u8)(1 + step % 255);
		live[i].page = page_alloc(live[i].order, PAGE_UNFILLED);
		if (live[i].page)
			claim(i, 0, live[i].mark);
	}
	for (unsigned int i = 0; i < LIVE_MAX; i++) {
		if (live[i].page)
			page_put(live[i].page);
		live[i].page = NULL;
	}
	assert_int_equal(page_counts().free_pages, before);
}

static void everything_coalesces_again(void **state)
{
	static struct page *pages[RAM_BYTES / PAGE_SIZE];
	u64 n = 0;

	(void)state;
	while ((pages[n] = page_alloc(0, PAGE_UNFILLED)))
		n++;
	assert_int_equal(page_counts().free_pages, 0);
	for (u64 i = 0; i < n; i += 2)
		page_put(pages[i]);
	for (u64 i = 1; i < n; i += 2)
		page_put(pages[i]);
	pages[0] = page_alloc(13, PAGE_UNFILLED);
	assert_non_null(pages[0]);
	page_put(pages[0]);
}

static void reserved_and_odd_ram_is_left_alone(void **state)
{
	struct boot_region ram[2] = { { PA(MODEL_RAM_BASE + 0x3000), 0x1234000 },
				      { PA(MODEL_RAM_BASE + 0x2000000), 0x7ff800 } };
	struct boot_region reserved[3] = { { PA(MODEL_RAM_BASE + 0x400123), 0x10000 },
					   { PA(MODEL_RAM_BASE), 0x8000 },
					   { PA(MODEL_RAM_BASE + 0x2001000), 0x200000 } };
	struct page *p;
	u64 n = 0;

	(void)state;
	page_init(ram, 2, reserved, 3);
	while ((p = page_alloc(0, PAGE_UNFILLED))) {
		u64 pa = page_to_phys(p).v - MODEL_RAM_BASE;
		bool first = pa >= 0x8000 && pa + PAGE_SIZE <= 0x1237000 &&
			     !(pa + PAGE_SIZE > 0x400123 && pa < 0x410123);
		bool second = (pa >= 0x2000000 && pa < 0x2001000) ||
			      (pa >= 0x2201000 && pa + PAGE_SIZE <= 0x27ff800);

		assert_true(first || second);
		memset(page_to_virt(p), 0x5a, PAGE_SIZE);
		n++;
	}
	assert_int_equal(n + page_counts().metadata_pages,
			 (0x1234000 - 0x5000 - 0x11000) / PAGE_SIZE + 1 +
				 (0x27ff000 - 0x2201000) / PAGE_SIZE);
}

/* Whatever its size, all of an object is its own: its neighbour's bytes stay. */
static void kmalloc_gives_each_size_its_room(void **state)
{
	(void)state;
	for (size_t n = 1; n < 5000; n++) {
		u8 *a = kzalloc(n), *b = kzalloc(n);

		assert_true(a && b);
		memset(a, 0xaa, n);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(b[i], 0);
		memset(b, 0xbb, n);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(a[i], 0xaa);
		kfree(a);
		kfree(b);
	}
}

static void kmalloc_sizes_are_aligned_and_apart(void **state)
{
	static const size_t sizes[] = { 1,   16,   17,	 48,   64,   100,  256,
					500, 1000, 2048, 4096, 5000, 70000 };
	char *p[ARRAY_SIZE(sizes)][20];
	u64 before = page_counts().free_pages;

	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		for (size_t i = 0; i < 20; i++) {
			p[s][i] = kzalloc(sizes[s]);
			assert_non_null(p[s][i]);
			assert_int_equal((uintptr_t)p[s][i] % 16, 0);
			if ((sizes[s] & (sizes[s] - 1)) == 0 && sizes[s] <= 4096)
				assert_int_equal((uintptr_t)p[s][i] % sizes[s], 0);
			memset(p[s][i], (int)(s * 20 + i), sizes[s]);
		}
	}
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		for (size_t i = 0; i < 20; i++) {
			for (size_t b = 0; b < sizes[s]; b++)
				assert_int_equal((u8)p[s][i][b], (u8)(s * 20 + i));
			kfree(p[s][i]);
		}
	}
	kfree(NULL);
	assert_int_equal(page_counts().kmalloc_objects, 0);
	assert_int_equal(page_counts().free_pages + page_counts().slab_pages, before);
}

static void free_inside(void *arg)
{
	kfree((char *)arg + 8);
}

static void kfree_inside_an_object_is_refused(void **state)
{
	char *p = kmalloc(64);

	(void)state;
	assert_true(model_refuses(free_inside, p));
	kfree(p);
}

static void the_nth_allocation_fails(void **state)
{
	struct page *p;

	(void)state;
	page_fail_nth(2);
	p = page_alloc(0, PAGE_UNFILLED);
	assert_non_null(p);
	assert_null(kmalloc(10));
	kfree(kmalloc(10));
	page_put(p);
	page_fail_nth(1);
	assert_null(page_alloc(0, PAGE_UNFILLED));
	page_fail_nth(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(free_ram_is_accounted, power_on, power_off),
		cmocka_unit_test_setup_teardown(pages_are_aligned_and_zeroed, power_on, power_off),
		cmocka_unit_test_setup_teardown(references_keep_a_page, power_on, power_off),
		cmocka_unit_test_setup_teardown(interior_addresses_find_their_head, power_on,
						power_off),
		cmocka_unit_test_setup_teardown(a_split_run_is_single_pages, power_on, power_off),
		cmocka_unit_test_setup_teardown(random_allocations_never_overlap, power_on,
						power_off),
		cmocka_unit_test_setup_teardown(everything_coalesces_again, power_on, power_off),
		cmocka_unit_test_setup_teardown(reserved_and_odd_ram_is_left_alone, power_on,
						power_off),
		cmocka_unit_test_setup_teardown(kmalloc_gives_each_size_its_room, power_on,
						power_off),
		cmocka_unit_test_setup_teardown(kmalloc_sizes_are_aligned_and_apart, power_on,
						power_off),
		cmocka_unit_test_setup_teardown(kfree_inside_an_object_is_refused, power_on,
						power_off),
		cmocka_unit_test_setup_teardown(the_nth_allocation_fails, power_on, power_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
