/* SPDX-License-Identifier: Apache-2.0 */
/* Objects (the pages behind files and shared memory): reading, writing, size, holes. */
#include "host_world.h"

enum { KEEP = 1, PUNCH = 2, COLLAPSE = 8 }; /* FALLOC_FL_* */

static s64 read_object(struct memobj *o, char *to, size_t n, u64 pos)
{
	struct iobuf io = { .kernel = to, .left = n };

	return memobj_read(o, &io, pos);
}

static s64 write_object(struct memobj *o, char *from, size_t n, u64 pos)
{
	struct iobuf io = { .kernel = from, .left = n };

	return memobj_write(o, &io, pos);
}

static void reads_give_what_was_written_and_zeroes_in_holes(void **state)
{
	struct memobj *o = memobj_new();
	char text[8] = "abcdefg", got[8];

	(void)state;
	assert_int_equal(read_object(o, got, 8, 0), 0);
	assert_int_equal(write_object(o, text, 8, 2 * PAGE_SIZE - 4), 8);
	assert_int_equal(memobj_size(o), 2 * PAGE_SIZE + 4);
	assert_int_equal(memobj_resident(o), 2 * PAGE_SIZE);
	assert_int_equal(read_object(o, got, 8, 2 * PAGE_SIZE - 4), 8);
	assert_memory_equal(got, text, 8);
	assert_int_equal(read_object(o, got, 8, 16), 8);
	assert_memory_equal(got, "\0\0\0\0\0\0\0", 8);
	/* The end cuts a read short. */
	assert_int_equal(read_object(o, got, 8, 2 * PAGE_SIZE), 4);
	assert_int_equal(read_object(o, got, 8, 2 * PAGE_SIZE + 4), 0);
	memobj_put(o);
}

static void seeks_find_data_and_holes(void **state)
{
	const u64 far = 3 * SZ_1G + 2 * PAGE_SIZE;
	struct memobj *o = memobj_new();
	char text[8] = "abcdefg";

	(void)state;
	assert_int_equal(memobj_seek(o, 0, MEMOBJ_DATA), -ENXIO);
	assert_int_equal(memobj_seek(o, 0, MEMOBJ_HOLE), -ENXIO);
	assert_int_equal(memobj_truncate(o, 10), 0);
	assert_int_equal(memobj_seek(o, 0, MEMOBJ_DATA), -ENXIO);
	assert_int_equal(memobj_seek(o, 9, MEMOBJ_HOLE), 9);
	assert_int_equal(memobj_seek(o, 10, MEMOBJ_HOLE), -ENXIO);
	assert_int_equal(memobj_seek(o, -1, MEMOBJ_HOLE), -ENXIO);
	/* Pages 2 and 3, and one far away. */
	assert_int_equal(write_object(o, text, 8, 3 * PAGE_SIZE - 4), 8);
	assert_int_equal(memobj_seek(o, 1, MEMOBJ_DATA), 2 * PAGE_SIZE);
	assert_int_equal(memobj_seek(o, 2 * PAGE_SIZE + 1, MEMOBJ_DATA), 2 * PAGE_SIZE + 1);
	assert_int_equal(memobj_seek(o, 2 * PAGE_SIZE, MEMOBJ_HOLE), 3 * PAGE_SIZE + 4);
	assert_int_equal(memobj_seek(o, 3 * PAGE_SIZE + 4, MEMOBJ_DATA), -ENXIO);
	assert_int_equal(write_object(o, text, 8, (u64)far + 1), 8);
	assert_int_equal(memobj_seek(o, 4 * PAGE_SIZE, MEMOBJ_DATA), (s64)far);
	assert_int_equal(memobj_seek(o, 2 * PAGE_SIZE, MEMOBJ_HOLE), 4 * PAGE_SIZE);
	assert_int_equal(memobj_seek(o, (s64)far, MEMOBJ_HOLE), (s64)far + 9);
	/* A hole within data, and a page behind the end, which is none. */
	assert_int_equal(memobj_fallocate(o, KEEP | PUNCH, 2 * PAGE_SIZE, PAGE_SIZE), 0);
	assert_int_equal(memobj_seek(o, 0, MEMOBJ_DATA), 3 * PAGE_SIZE);
	assert_int_equal(memobj_truncate(o, 5 * PAGE_SIZE), 0);
	assert_int_equal(memobj_fallocate(o, KEEP, 5 * PAGE_SIZE, PAGE_SIZE), 0);
	assert_int_equal(memobj_seek(o, 4 * PAGE_SIZE, MEMOBJ_DATA), -ENXIO);
	assert_int_equal(memobj_seek(o, 5 * PAGE_SIZE - 1, MEMOBJ_HOLE), 5 * PAGE_SIZE - 1);
	memobj_put(o);
}

static void a_file_in_ram_is_data_until_it_grows(void **state)
{
	static char data[PAGE_SIZE + 10];
	struct memobj *o = memobj_from_ram(data, sizeof(data));

	(void)state;
	assert_int_equal(memobj_seek(o, 1, MEMOBJ_HOLE), PAGE_SIZE + 10);
	assert_int_equal(memobj_truncate(o, 4 * PAGE_SIZE), 0);
	assert_int_equal(memobj_seek(o, 0, MEMOBJ_HOLE), 2 * PAGE_SIZE);
	assert_int_equal(memobj_seek(o, PAGE_SIZE + 100, MEMOBJ_DATA), PAGE_SIZE + 100);
	assert_int_equal(memobj_seek(o, 2 * PAGE_SIZE, MEMOBJ_DATA), -ENXIO);
	memobj_put(o);
}

static void reads_of_a_file_in_ram_find_its_bytes(void **state)
{
	static char data[PAGE_SIZE + 10];
	struct memobj *o;
	char got[16];

	(void)state;
	memset(data, 'r', sizeof(data));
	o = memobj_from_ram(data, sizeof(data));
	assert_int_equal(read_object(o, got, 16, PAGE_SIZE), 10);
	assert_memory_equal(got, "rrrrrrrrrr", 10);
	/* Where the file grows, the rest is zero. */
	assert_int_equal(memobj_truncate(o, 2 * PAGE_SIZE), 0);
	assert_int_equal(read_object(o, got, 16, PAGE_SIZE + 4), 16);
	assert_memory_equal(got, "rrrrrr\0\0\0\0\0\0\0\0\0", 16);
	memobj_put(o);
}

static void bad_buffers_move_what_they_can(void **state)
{
	struct memobj *o = memobj_new();
	struct iobuf nowhere = { .user = HVA(8), .left = 8 };
	u64 at = map_anon(0x10000000, PAGE_SIZE);
	struct iobuf half = { .user = HVA(at + PAGE_SIZE - 4), .left = 8 };

	(void)state;
	assert_int_equal(memobj_truncate(o, PAGE_SIZE), 0);
	assert_int_equal(memobj_read(o, &nowhere, 0), -EFAULT);
	assert_int_equal(memobj_write(o, &nowhere, 0), -EFAULT);
	assert_true(memobj_write(o, &half, 0) <= 4);
	memobj_put(o);
}

static void writes_have_limits(void **state)
{
	struct memobj *o = memobj_new(), *huge = memobj_hugetlb_new(LEVEL_2M);
	char text[4] = "abc";

	(void)state;
	assert_int_equal(write_object(o, text, 4, 1UL << 63), -EFBIG);
	assert_int_equal(write_object(o, text, 4, (1UL << 63) - 2), -EFBIG);
	assert_int_equal(write_object(huge, text, 4, 0), -EINVAL);
	page_fail_nth(1);
	assert_int_equal(write_object(o, text, 4, 0), -ENOMEM);
	assert_int_equal(memobj_size(o), 0);
	memobj_put(huge);
	memobj_put(o);
}

static void fallocate_says_what_it_does_not_do(void **state)
{
	struct memobj *o = memobj_new();

	(void)state;
	assert_int_equal(memobj_fallocate(o, 0, 0, 0), -EINVAL);
	assert_int_equal(memobj_fallocate(o, 0, 1UL << 63, 1), -EINVAL);
	assert_int_equal(memobj_fallocate(o, COLLAPSE, 0, 1), -EOPNOTSUPP);
	assert_int_equal(memobj_fallocate(o, PUNCH, 0, 1), -EOPNOTSUPP);
	assert_int_equal(memobj_fallocate(o, 0, (1UL << 63) - 1, 1), -EFBIG);
	assert_int_equal(memobj_fallocate(o, 0, 0, 1UL << 50), -ENOMEM);
	assert_int_equal(memobj_fallocate(o, KEEP, 0, 2 * PAGE_SIZE), 0);
	assert_int_equal(memobj_size(o), 0);
	assert_int_equal(memobj_resident(o), 2 * PAGE_SIZE);
	assert_int_equal(memobj_fallocate(o, 0, 0, PAGE_SIZE + 1), 0);
	assert_int_equal(memobj_size(o), PAGE_SIZE + 1);
	assert_int_equal(memobj_fallocate(o, KEEP | PUNCH, 0, PAGE_SIZE), 0);
	page_fail_nth(1);
	assert_true(memobj_fallocate(o, 0, 8 * PAGE_SIZE, PAGE_SIZE) < 0);
	memobj_put(o);
}

/* What a seal against writing must find out first. */
static void writable_mappings_are_known(void **state)
{
	struct memobj *o = memobj_new();
	struct file *f = world_file(o, O_RDWR);
	s64 at;

	(void)state;
	assert_int_equal(memobj_truncate(o, PAGE_SIZE), 0);
	at = mm_mmap(world_mm, 0, PAGE_SIZE, RW, MAP_PRIVATE, f, 0);
	assert_true(at > 0);
	assert_false(memobj_mapped_writable(o));
	at = mm_mmap(world_mm, 0, PAGE_SIZE, PROT_READ, MAP_SHARED, f, 0);
	assert_true(at > 0);
	assert_true(memobj_mapped_writable(o)); /* it could be mprotect()ed */
	assert_int_equal(mm_munmap(world_mm, (u64)at, PAGE_SIZE), 0);
	assert_false(memobj_mapped_writable(o));
	file_put(f);
}

static void counts_follow_the_mappings(void **state)
{
	struct mm_counts before = mm_get_counts(world_mm), now;
	u64 at = map_anon(0x10000000, 4 * PAGE_SIZE);

	(void)state;
	assert_int_equal(poke_byte(at, 1), 0);
	now = mm_get_counts(world_mm);
	assert_int_equal(now.total_pages, before.total_pages + 4);
	assert_int_equal(now.resident_pages, before.resident_pages + 1);
	assert_int_equal(now.vma_count, before.vma_count + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(reads_give_what_was_written_and_zeroes_in_holes),
		world_test(seeks_find_data_and_holes),
		world_test(a_file_in_ram_is_data_until_it_grows),
		world_test(reads_of_a_file_in_ram_find_its_bytes),
		world_test(bad_buffers_move_what_they_can),
		world_test(writes_have_limits),
		world_test(fallocate_says_what_it_does_not_do),
		world_test(writable_mappings_are_known),
		world_test(counts_follow_the_mappings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
