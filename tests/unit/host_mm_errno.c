/* SPDX-License-Identifier: Apache-2.0 */
/* Bad arguments to the memory system calls give Linux's errors, and change nothing. */
#include "host_world.h"

/*
 * The world of every row: [BASE, +8 pages) anonymous, read-write, with a hole at page 4; then a
 * 2 MiB hugetlb page at HUGE, and a shared read-only file mapping at FILE_AT.
 */
#define P	PAGE_SIZE
#define BASE	0x20000000UL
#define HUGE	0x40000000UL
#define FILE_AT 0x60000000UL
#define TOP	(1UL << 48)
#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)

static struct file *rdwr, *rdonly, *wronly, *unmappable;

static int world_errno_begin(void **state)
{
	static const struct file_ops no_mmap = { .name = "no mmap" };

	(void)world_begin(state);
	assert_int_equal(map_at(BASE, 8 * P, RW, ANON), BASE);
	assert_int_equal(mm_munmap(world_mm, BASE + 4 * P, P), 0);
	assert_int_equal(map_at(HUGE, SZ_2M, RW, ANON | MAP_HUGETLB), HUGE);
	rdwr = world_file(memobj_new(), O_RDWR);
	rdonly = world_file(memobj_new(), O_RDONLY);
	wronly = world_file(memobj_new(), O_WRONLY);
	unmappable = file_alloc(&no_mmap, NULL, O_RDWR);
	assert_int_equal(mm_mmap(world_mm, FILE_AT, P, PROT_READ, MAP_SHARED | MAP_FIXED, rdonly,
				 0),
			 FILE_AT);
	return 0;
}

static int world_errno_end(void **state)
{
	file_put(rdwr);
	file_put(rdonly);
	file_put(wronly);
	file_put(unmappable);
	return world_end(state);
}

/* Each row is a call; the order of the arguments is that of the system call. */
enum call { MMAP, MUNMAP, MPROTECT, MADVISE, MREMAP, MSYNC, MINCORE };

struct row {
	enum call call;
	u64 a, b;
	u64 c, d;
	struct file **file;
	u64 e;
	int error; /* 0: it works */
};

static const struct row rows[] = {
	{ MMAP, 0, 0, RW, ANON, NULL, 0, -EINVAL },
	{ MMAP, 0, -1UL, RW, ANON, NULL, 0, -ENOMEM },
	{ MMAP, 0, TOP + P, RW, ANON, NULL, 0, -ENOMEM },
	{ MMAP, 0, TOP / 2, RW, ANON, NULL, 0, -ENOMEM }, /* more than all memory */
	{ MMAP, 0, P, RW, MAP_ANONYMOUS, NULL, 0, -EINVAL },
	{ MMAP, 0, P, RW, MAP_ANONYMOUS | MAP_SHARED_VALIDATE, NULL, 0, -EINVAL },
	{ MMAP, 0, P, RW, ANON | MAP_SHARED | 8, NULL, 0, -EINVAL },
	{ MMAP, 0, P, RW, ANON, NULL, 1, -EINVAL },
	{ MMAP, BASE + 1, P, RW, ANON | MAP_FIXED, NULL, 0, -EINVAL },
	{ MMAP, TOP, P, RW, ANON | MAP_FIXED, NULL, 0, -ENOMEM },
	{ MMAP, TOP - P, 2 * P, RW, ANON | MAP_FIXED, NULL, 0, -ENOMEM },
	{ MMAP, BASE, P, RW, ANON | MAP_FIXED_NOREPLACE, NULL, 0, -EEXIST },
	{ MMAP, BASE + 3 * P, 2 * P, RW, ANON | MAP_FIXED_NOREPLACE, NULL, 0, -EEXIST },
	{ MMAP, BASE + 4 * P + 1, P, RW, ANON | MAP_FIXED_NOREPLACE, NULL, 0, -EINVAL },
	{ MMAP, 0, P, RW, MAP_ANONYMOUS | MAP_SHARED | MAP_GROWSDOWN, NULL, 0, -EINVAL },
	{ MMAP, 0, P, RW, ANON | MAP_HUGETLB | 12 << MAP_HUGE_SHIFT, NULL, 0, -EINVAL },
	{ MMAP, HUGE + P, P, RW, ANON | MAP_HUGETLB | MAP_FIXED, NULL, 0, -EINVAL },
	{ MMAP, 0, P, RW, ANON | MAP_HUGETLB | 30U << MAP_HUGE_SHIFT, NULL, 0, -ENOMEM },
	{ MMAP, 0, P, RW, MAP_SHARED, &rdonly, 0, -EACCES },
	{ MMAP, 0, P, RW, MAP_SHARED, &wronly, 0, -EACCES },
	{ MMAP, 0, P, PROT_READ, MAP_PRIVATE, &wronly, 0, -EACCES },
	{ MMAP, 0, P, RW, MAP_SHARED, &unmappable, 0, -ENODEV },
	{ MMAP, 0, P, RW, 0, &rdwr, 0, -EINVAL },
	{ MMAP, 0, P, RW, MAP_SHARED_VALIDATE | 1 << 25, &rdwr, 0, -EOPNOTSUPP },
	{ MMAP, 0, P, RW, MAP_PRIVATE | MAP_GROWSDOWN, &rdwr, 0, -EINVAL },
	{ MMAP, 0, P, RW, MAP_PRIVATE | MAP_HUGETLB, &rdwr, 0, -EINVAL },
	{ MMAP, 0, P, RW, MAP_PRIVATE, &rdwr, 100, -EINVAL },
	{ MMAP, 0, 2 * P, RW, MAP_PRIVATE, &rdwr, -P, -EOVERFLOW },

	{ MUNMAP, BASE + 1, P, 0, 0, NULL, 0, -EINVAL },
	{ MUNMAP, BASE, 0, 0, 0, NULL, 0, -EINVAL },
	{ MUNMAP, BASE, -1UL, 0, 0, NULL, 0, -EINVAL },
	{ MUNMAP, TOP, P, 0, 0, NULL, 0, -EINVAL },
	{ MUNMAP, HUGE, P, 0, 0, NULL, 0, -EINVAL },
	{ MUNMAP, HUGE + P, SZ_2M, 0, 0, NULL, 0, -EINVAL },
	{ MUNMAP, 0x1000, P, 0, 0, NULL, 0, 0 }, /* nothing there */

	{ MPROTECT, BASE + 1, P, RW, 0, NULL, 0, -EINVAL },
	{ MPROTECT, BASE, 0, RW, 0, NULL, 0, 0 },
	{ MPROTECT, BASE, -P, RW, 0, NULL, 0, -ENOMEM },
	{ MPROTECT, BASE, P, 0x80, 0, NULL, 0, -EINVAL },
	{ MPROTECT, BASE, P, PROT_GROWSUP | PROT_GROWSDOWN, 0, NULL, 0, -EINVAL },
	{ MPROTECT, BASE, P, PROT_READ | PROT_GROWSDOWN, 0, NULL, 0, -EINVAL },
	{ MPROTECT, BASE, P, PROT_READ | PROT_GROWSUP, 0, NULL, 0, -EINVAL },
	{ MPROTECT, BASE + 4 * P, P, RW, 0, NULL, 0, -ENOMEM },
	{ MPROTECT, BASE + 2 * P, 4 * P, RW, 0, NULL, 0, -ENOMEM },
	{ MPROTECT, FILE_AT, P, RW, 0, NULL, 0, -EACCES },
	{ MPROTECT, HUGE, P, PROT_READ, 0, NULL, 0, -EINVAL },

	{ MADVISE, BASE, P, 999, 0, NULL, 0, -EINVAL },
	{ MADVISE, BASE, P, (u64)-1, 0, NULL, 0, -EINVAL },
	{ MADVISE, BASE + 1, P, MADV_DONTNEED, 0, NULL, 0, -EINVAL },
	{ MADVISE, BASE, -1UL, MADV_DONTNEED, 0, NULL, 0, -EINVAL },
	{ MADVISE, BASE, -P, MADV_DONTNEED, 0, NULL, 0, -EINVAL },
	{ MADVISE, BASE, 0, MADV_DONTNEED, 0, NULL, 0, 0 },
	{ MADVISE, BASE, 8 * P, MADV_NORMAL, 0, NULL, 0, -ENOMEM },
	{ MADVISE, BASE + 4 * P, P, MADV_DONTNEED, 0, NULL, 0, -ENOMEM },
	{ MADVISE, BASE + 4 * P, P, MADV_POPULATE_READ, 0, NULL, 0, -ENOMEM },
	{ MADVISE, FILE_AT, P, MADV_POPULATE_READ, 0, NULL, 0, -EFAULT }, /* beyond the end */
	{ MADVISE, FILE_AT, P, MADV_FREE, 0, NULL, 0, -EINVAL },
	{ MADVISE, FILE_AT, P, MADV_WIPEONFORK, 0, NULL, 0, -EINVAL },
	{ MADVISE, FILE_AT, P, MADV_REMOVE, 0, NULL, 0, -EACCES },
	{ MADVISE, BASE, P, MADV_REMOVE, 0, NULL, 0, -EINVAL },
	{ MADVISE, HUGE, P, MADV_DONTNEED, 0, NULL, 0, -EINVAL },
	{ MADVISE, HUGE, SZ_2M, MADV_FREE, 0, NULL, 0, -EINVAL },
	{ MADVISE, HUGE, SZ_2M, MADV_COLD, 0, NULL, 0, -EINVAL },
	{ MADVISE, BASE, P, MADV_MERGEABLE, 0, NULL, 0, -EINVAL }, /* no KSM */

	{ MREMAP, BASE + 1, P, P, 0, NULL, 0, -EINVAL },
	{ MREMAP, BASE, P, 0, 0, NULL, 0, -EINVAL },
	{ MREMAP, BASE, P, P, 8, NULL, 0, -EINVAL },
	{ MREMAP, BASE, P, P, MREMAP_FIXED, NULL, HUGE, -EINVAL },
	{ MREMAP, BASE, P, P, MREMAP_FIXED | MREMAP_MAYMOVE, NULL, BASE, -EINVAL },
	{ MREMAP, BASE, P, P, MREMAP_FIXED | MREMAP_MAYMOVE, NULL, FILE_AT + 1, -EINVAL },
	{ MREMAP, BASE, P, P, MREMAP_FIXED | MREMAP_MAYMOVE, NULL, TOP, -EINVAL },
	{ MREMAP, BASE, P, 2 * P, MREMAP_DONTUNMAP | MREMAP_MAYMOVE, NULL, 0, -EINVAL },
	{ MREMAP, BASE, P, P, MREMAP_DONTUNMAP, NULL, 0, -EINVAL },
	{ MREMAP, BASE + 4 * P, P, P, 0, NULL, 0, -EFAULT },
	{ MREMAP, BASE + 2 * P, 3 * P, 4 * P, MREMAP_MAYMOVE, NULL, 0, -EFAULT },
	{ MREMAP, BASE, 0, P, MREMAP_MAYMOVE, NULL, 0, -EINVAL },
	{ MREMAP, BASE, P, 2 * P, 0, NULL, 0, -ENOMEM }, /* its own next page is in the way */
	{ MREMAP, BASE, TOP, P, 0, NULL, 0, -EINVAL },
	{ MREMAP, HUGE, P, P, 0, NULL, 0, -EINVAL },

	{ MSYNC, BASE, P, 8, 0, NULL, 0, -EINVAL },
	{ MSYNC, BASE + 1, P, MS_SYNC, 0, NULL, 0, -EINVAL },
	{ MSYNC, BASE, P, MS_SYNC | MS_ASYNC, 0, NULL, 0, -EINVAL },
	{ MSYNC, BASE, -P, MS_SYNC, 0, NULL, 0, -ENOMEM },
	{ MSYNC, BASE, 8 * P, MS_SYNC, 0, NULL, 0, -ENOMEM },
	{ MSYNC, BASE, 4 * P, MS_SYNC, 0, NULL, 0, 0 },
	{ MSYNC, BASE, 0, 0, 0, NULL, 0, 0 },

	{ MINCORE, BASE + 1, P, BASE, 0, NULL, 0, -EINVAL },
	{ MINCORE, BASE, TOP, BASE, 0, NULL, 0, -ENOMEM },
	{ MINCORE, BASE, 8 * P, BASE, 0, NULL, 0, -ENOMEM },
	{ MINCORE, BASE, P, BASE + 4 * P, 0, NULL, 0, -EFAULT },
	{ MINCORE, BASE, P, TOP + 1, 0, NULL, 0, -EFAULT },
	{ MINCORE, BASE, P, BASE, 0, NULL, 0, 0 },
};

static s64 run_row(const struct row *r)
{
	switch (r->call) {
	case MMAP:
		return mm_mmap(world_mm, r->a, r->b, (int)r->c, (int)r->d,
			       r->file ? *r->file : NULL, r->e);
	case MUNMAP: return mm_munmap(world_mm, r->a, r->b);
	case MPROTECT: return mm_mprotect(world_mm, r->a, r->b, (int)r->c);
	case MADVISE: return mm_madvise(world_mm, r->a, r->b, (int)r->c);
	case MREMAP: return mm_mremap(world_mm, r->a, r->b, r->c, (int)r->d, r->e);
	case MSYNC: return mm_msync(world_mm, r->a, r->b, (int)r->c);
	default: return mm_mincore(world_mm, r->a, r->b, HVA(r->c));
	}
}

static void every_row_gives_its_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u32 vmas = world_mm->vma_count;
		s64 ret = run_row(&rows[i]);

		if (ret != rows[i].error)
			print_error("row %zu: call %d(%lx, %lx, %lx, %lx): %ld, expected %d\n", i,
				    rows[i].call, (unsigned long)rows[i].a,
				    (unsigned long)rows[i].b, (unsigned long)rows[i].c,
				    (unsigned long)rows[i].d, (long)ret, rows[i].error);
		assert_int_equal(ret, rows[i].error);
		assert_int_equal(world_mm->vma_count, vmas);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_row_gives_its_error, world_errno_begin,
						world_errno_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
