/* SPDX-License-Identifier: Apache-2.0 */
/* A program's memory: faults, huge pages, copy on write, objects, special mappings, notifiers. */
#include "host_world.h"

#define BASE 0x10000000UL

static void anonymous_memory_reads_zero_then_keeps_writes(void **state)
{
	u64 at = map_anon(0, 3 * PAGE_SIZE);

	(void)state;
	assert_int_equal(peek_byte(at + 5), 0);
	assert_false(leaf_at(at).writable); /* the shared page of zeroes */
	assert_int_equal(poke_byte(at + 5, 7), 0);
	assert_int_equal(peek_byte(at + 5), 7);
	assert_true(leaf_at(at).writable);
	assert_int_equal(peek_byte(at + PAGE_SIZE), 0);
	assert_int_equal(peek_byte(at + 3 * PAGE_SIZE), -EFAULT);
}

static void m1_the_zero_page_is_never_written(void **state)
{
	u64 at = map_anon(0, 2 * PAGE_SIZE);

	(void)state;
	assert_int_equal(peek_byte(at), 0);
	assert_int_equal(peek_byte(at + PAGE_SIZE), 0);
	assert_int_equal(leaf_at(at).pa.v, leaf_at(at + PAGE_SIZE).pa.v);
	shadow_take(at);
	assert_int_equal(poke_byte(at, 9), 0);
	assert_int_equal(shadow.count, 0);
	assert_int_equal(peek_byte(at + PAGE_SIZE), 0);
}

static void aligned_memory_gets_a_huge_page(void **state)
{
	u64 at = map_anon(0, 2 * SZ_2M);

	(void)state;
	assert_int_equal(at % SZ_2M, 0);
	assert_int_equal(poke_byte(at + 0x12345, 1), 0);
	assert_int_equal(leaf_at(at).level, LEVEL_2M);
	assert_int_equal(mm_madvise(world_mm, at + SZ_2M, SZ_2M, MADV_NOHUGEPAGE), 0);
	assert_int_equal(poke_byte(at + SZ_2M, 1), 0);
	assert_int_equal(leaf_at(at + SZ_2M).level, LEVEL_4K);
}

static void a_huge_page_is_broken_up_at_the_edge_of_a_change(void **state)
{
	u64 at = map_anon(BASE, SZ_2M);

	(void)state;
	for (u64 i = 0; i < 512; i++)
		assert_int_equal(poke_byte(at + i * PAGE_SIZE, (u8)i), 0);
	assert_int_equal(leaf_at(at).level, LEVEL_2M);
	shadow_take(at + 5 * PAGE_SIZE);
	assert_int_equal(mm_munmap(world_mm, at + 16 * PAGE_SIZE, PAGE_SIZE), 0);
	assert_int_equal(shadow.count, 0); /* the block changed everywhere */
	assert_int_equal(leaf_at(at).level, LEVEL_4K);
	for (u64 i = 0; i < 512; i++)
		assert_int_equal(peek_byte(at + i * PAGE_SIZE), i == 16 ? -EFAULT : (int)(u8)i);
}

static void dropped_pages_of_a_huge_page_are_free_at_once(void **state)
{
	u64 at = map_anon(BASE, SZ_2M);
	u64 before;

	(void)state;
	assert_int_equal(poke_byte(at, 1), 0);
	before = page_counts().free_pages;
	assert_int_equal(mm_madvise(world_mm, at, 256 * PAGE_SIZE, MADV_DONTNEED), 0);
	assert_int_equal(page_counts().free_pages, before + 256 - 1); /* less the new table */
	assert_int_equal(peek_byte(at), 0);
}

static void a_huge_page_returns_after_all_of_it_was_dropped(void **state)
{
	u64 at = map_anon(BASE, SZ_2M);

	(void)state;
	assert_int_equal(mm_madvise(world_mm, at, SZ_2M, MADV_NOHUGEPAGE), 0);
	for (u64 i = 0; i < 512; i++)
		assert_int_equal(poke_byte(at + i * PAGE_SIZE, 3), 0);
	assert_int_equal(mm_madvise(world_mm, at, SZ_2M, MADV_DONTNEED), 0);
	assert_int_equal(mm_madvise(world_mm, at, SZ_2M, MADV_HUGEPAGE), 0);
	assert_int_equal(peek_byte(at + 0x3000), 0);
	assert_int_equal(leaf_at(at).level, LEVEL_2M);
}

static void protection_is_taken_and_given_back(void **state)
{
	u64 at = map_anon(BASE, 4 * PAGE_SIZE);

	(void)state;
	assert_int_equal(poke_byte(at + PAGE_SIZE, 4), 0);
	shadow_take(at + PAGE_SIZE);
	assert_int_equal(mm_mprotect(world_mm, at + PAGE_SIZE, PAGE_SIZE, PROT_NONE), 0);
	assert_int_equal(shadow.count, 0);
	assert_int_equal(peek_byte(at + PAGE_SIZE), -EFAULT);
	assert_int_equal(leaf_at(at + PAGE_SIZE).level, -1);
	assert_int_equal(mm_mprotect(world_mm, at + PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
	assert_int_equal(peek_byte(at + PAGE_SIZE), 4);
	assert_int_equal(poke_byte(at + PAGE_SIZE, 5), -EFAULT);
	assert_int_equal(mm_mprotect(world_mm, at, 4 * PAGE_SIZE, RW), 0);
	assert_int_equal(poke_byte(at + PAGE_SIZE, 5), 0);
	assert_int_equal(world_mm->vma_count, 1); /* merged again */
}

static void verdicts_name_the_reason(void **state)
{
	u64 at = map_anon(BASE, PAGE_SIZE);
	struct memobj *o = memobj_new();
	struct file *f = world_file(o, O_RDWR);
	s64 beyond = mm_mmap(world_mm, 0, PAGE_SIZE, RW, MAP_SHARED, f, 0);

	(void)state;
	file_put(f);
	assert_true(beyond > 0);
	assert_int_equal(mm_fault(world_mm, HVA(at + PAGE_SIZE), HOST_READ), FAULT_SEGV_MAPERR);
	assert_int_equal(mm_fault(world_mm, HVA(1UL << 48), HOST_READ), FAULT_SEGV_MAPERR);
	assert_int_equal(mm_fault(world_mm, HVA(at), HOST_EXEC), FAULT_SEGV_ACCERR);
	assert_int_equal(mm_fault(world_mm, HVA((u64)beyond), HOST_READ), FAULT_BUS);
	page_fail_nth(1);
	assert_int_equal(mm_fault(world_mm, HVA(at), HOST_WRITE), FAULT_OOM);
	assert_int_equal(mm_fault(world_mm, HVA(at), HOST_WRITE), FAULT_OK);
}

static void a_private_mapping_copies_on_write(void **state)
{
	static char data[3 * PAGE_SIZE];
	struct memobj *o;
	struct file *f;
	s64 at;

	(void)state;
	memset(data, 'a', sizeof(data));
	o = memobj_from_ram(data, 2 * PAGE_SIZE + 100);
	f = world_file(o, O_RDONLY);
	at = mm_mmap(world_mm, 0, sizeof(data), RW, MAP_PRIVATE, f, 0);
	file_put(f);
	assert_true(at > 0);
	assert_int_equal(peek_byte((u64)at), 'a');
	assert_int_equal(peek_byte((u64)at + 2 * PAGE_SIZE + 99), 'a');
	assert_int_equal(peek_byte((u64)at + 2 * PAGE_SIZE + 100), 0);
	shadow_take((u64)at);
	assert_int_equal(poke_byte((u64)at, 'b'), 0);
	assert_int_equal(shadow.count, 0);
	assert_int_equal(peek_byte((u64)at), 'b');
	assert_int_equal(peek_byte((u64)at + 1), 'a');
	assert_int_equal(data[0], 'a');
}

static void a_shared_mapping_shows_the_object(void **state)
{
	struct memobj *o = memobj_new();
	struct file *f = world_file(o, O_RDWR);
	struct iobuf io = { .kernel = (char[]){ "xyz" }, .left = 3 };
	s64 one, two;

	(void)state;
	assert_int_equal(memobj_truncate(o, 4 * PAGE_SIZE), 0);
	one = mm_mmap(world_mm, 0, 4 * PAGE_SIZE, RW, MAP_SHARED, f, 0);
	two = mm_mmap(world_mm, 0, PAGE_SIZE, PROT_READ, MAP_SHARED, f, PAGE_SIZE);
	assert_true(one > 0 && two > 0);
	assert_int_equal(poke_byte((u64)one + PAGE_SIZE, 5), 0);
	assert_int_equal(peek_byte((u64)two), 5);
	assert_int_equal(memobj_write(o, &io, PAGE_SIZE), 3);
	assert_int_equal(peek_byte((u64)two + 2), 'z');
	assert_int_equal(mm_mprotect(world_mm, (u64)two, PAGE_SIZE, RW), 0);
	assert_int_equal(poke_byte((u64)two, 6), 0);
	assert_int_equal(peek_byte((u64)one + PAGE_SIZE), 6);
	file_put(f);
}

static void truncation_unmaps_everywhere(void **state)
{
	struct memobj *o = memobj_new();
	struct file *f = world_file(o, O_RDWR);
	s64 shared, private;

	(void)state;
	assert_int_equal(memobj_truncate(o, 4 * PAGE_SIZE), 0);
	shared = mm_mmap(world_mm, 0, 4 * PAGE_SIZE, RW, MAP_SHARED, f, 0);
	private = mm_mmap(world_mm, 0, 4 * PAGE_SIZE, RW, MAP_PRIVATE, f, 0);
	for (u64 i = 0; i < 4; i++) {
		assert_int_equal(poke_byte((u64)shared + i * PAGE_SIZE, 1), 0);
		assert_int_equal(poke_byte((u64) private + i * PAGE_SIZE, 2), 0);
		shadow_take((u64)shared + i * PAGE_SIZE);
		shadow_take((u64) private + i * PAGE_SIZE);
	}
	assert_int_equal(memobj_truncate(o, PAGE_SIZE + 1), 0);
	assert_int_equal(shadow.count, 4);
	assert_int_equal(peek_byte((u64)shared + 2 * PAGE_SIZE), -EFAULT);
	assert_int_equal(peek_byte((u64) private + 2 * PAGE_SIZE), -EFAULT);
	assert_int_equal(peek_byte((u64)shared + PAGE_SIZE), 1);
	assert_int_equal(memobj_truncate(o, 4 * PAGE_SIZE), 0);
	assert_int_equal(peek_byte((u64)shared + 2 * PAGE_SIZE), 0);
	file_put(f);
}

static void a_punched_hole_reads_zero_and_spares_copies(void **state)
{
	struct memobj *o = memobj_new();
	struct file *f = world_file(o, O_RDWR);
	s64 shared, private;

	(void)state;
	assert_int_equal(memobj_truncate(o, 4 * PAGE_SIZE), 0);
	shared = mm_mmap(world_mm, 0, 4 * PAGE_SIZE, RW, MAP_SHARED, f, 0);
	private = mm_mmap(world_mm, 0, 4 * PAGE_SIZE, RW, MAP_PRIVATE, f, 0);
	for (u64 i = 0; i < 4; i++)
		assert_int_equal(poke_byte((u64)shared + i * PAGE_SIZE + 10, 1), 0);
	assert_int_equal(poke_byte((u64) private + PAGE_SIZE + 10, 2), 0);
	assert_int_equal(peek_byte((u64) private + 2 * PAGE_SIZE + 10), 1);
	assert_int_equal(mm_madvise(world_mm, (u64)shared + PAGE_SIZE, 2 * PAGE_SIZE, MADV_REMOVE),
			 0);
	assert_int_equal(memobj_resident(o), 2 * PAGE_SIZE);
	assert_int_equal(peek_byte((u64)shared + PAGE_SIZE + 10), 0);
	assert_int_equal(peek_byte((u64) private + PAGE_SIZE + 10), 2);
	assert_int_equal(peek_byte((u64) private + 2 * PAGE_SIZE + 10), 0);
	assert_int_equal(peek_byte((u64)shared + 3 * PAGE_SIZE + 10), 1);
	assert_int_equal(memobj_fallocate(o, 3, 8, 4), 0); /* part of a page: zeroed in place */
	assert_int_equal(peek_byte((u64)shared + 10), 0);
	file_put(f);
}

static void hugetlb_maps_blocks_or_nothing(void **state)
{
	s64 at = map_at(0, SZ_2M, RW,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 21 << MAP_HUGE_SHIFT);

	(void)state;
	assert_true(at > 0);
	assert_int_equal(at % (s64)SZ_2M, 0);
	assert_int_equal(peek_byte((u64)at + 77), 0);
	assert_int_equal(leaf_at((u64)at).level, LEVEL_2M);
	assert_int_equal(mm_munmap(world_mm, (u64)at, PAGE_SIZE), -EINVAL);
	assert_int_equal(mm_mprotect(world_mm, (u64)at, PAGE_SIZE, PROT_READ), -EINVAL);
	assert_int_equal(mm_madvise(world_mm, (u64)at, PAGE_SIZE, MADV_DONTNEED), -EINVAL);
	assert_int_equal(map_at(0, SZ_2M, RW,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 16 << MAP_HUGE_SHIFT),
			 -EINVAL);
	assert_int_equal(map_at(0, 1, RW,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 30 << MAP_HUGE_SHIFT),
			 -ENOMEM);
	assert_int_equal(mm_munmap(world_mm, (u64)at, SZ_2M), 0);
}

static void shared_hugetlb_is_one_object(void **state)
{
	struct memobj *o = memobj_hugetlb_new(LEVEL_2M);
	struct file *f = world_file(o, O_RDWR);
	s64 one, two;

	(void)state;
	f->traits |= FILE_HUGE_2M;
	assert_int_equal(memobj_truncate(o, PAGE_SIZE), -EINVAL);
	assert_int_equal(memobj_truncate(o, 2 * SZ_2M), 0);
	one = mm_mmap(world_mm, 0, 2 * SZ_2M, RW, MAP_SHARED, f, 0);
	two = mm_mmap(world_mm, 0, 2 * SZ_2M, RW, MAP_PRIVATE, f, 0);
	assert_true(one > 0 && two > 0);
	assert_int_equal(poke_byte((u64)one + 3, 8), 0);
	assert_int_equal(peek_byte((u64)two + 3), 8);
	assert_int_equal(poke_byte((u64)two + 3, 9), 0);
	assert_int_equal(peek_byte((u64)one + 3), 8);
	assert_int_equal(leaf_at((u64)two).level, LEVEL_2M);
	file_put(f);
}

static void moving_keeps_content_and_tells(void **state)
{
	u64 from = map_anon(BASE, 2 * SZ_2M);
	u64 to = BASE + 16 * SZ_2M;

	(void)state;
	for (u64 i = 0; i < 1024; i += 3)
		assert_int_equal(poke_byte(from + i * PAGE_SIZE, (u8)i), 0);
	assert_int_equal(mm_mprotect(world_mm, from + SZ_2M, PAGE_SIZE, PROT_NONE), 0);
	assert_int_equal(mm_mprotect(world_mm, from + SZ_2M, PAGE_SIZE, RW), 0);
	shadow_take(from);
	assert_int_equal(mm_mremap(world_mm, from, 2 * SZ_2M, 2 * SZ_2M,
				   MREMAP_MAYMOVE | MREMAP_FIXED, to),
			 to);
	assert_int_equal(shadow.count, 0);
	assert_int_equal(peek_byte(from), -EFAULT);
	for (u64 i = 0; i < 1024; i++)
		assert_int_equal(peek_byte(to + i * PAGE_SIZE), i % 3 ? 0 : (int)(u8)i);
	assert_int_equal(leaf_at(to).level, LEVEL_2M);
	/* To a place where blocks do not fit. */
	assert_int_equal(mm_mremap(world_mm, to, 2 * SZ_2M, 2 * SZ_2M,
				   MREMAP_MAYMOVE | MREMAP_FIXED, from + PAGE_SIZE),
			 from + PAGE_SIZE);
	for (u64 i = 0; i < 1024; i++)
		assert_int_equal(peek_byte(from + PAGE_SIZE + i * PAGE_SIZE),
				 i % 3 ? 0 : (int)(u8)i);
}

static void mappings_grow_in_place_or_move(void **state)
{
	u64 at = map_anon(BASE, PAGE_SIZE);
	s64 moved;

	(void)state;
	assert_int_equal(poke_byte(at, 3), 0);
	assert_int_equal(mm_mremap(world_mm, at, PAGE_SIZE, 3 * PAGE_SIZE, 0, 0), at);
	assert_int_equal(peek_byte(at + 2 * PAGE_SIZE), 0);
	assert_int_equal(map_at(at + 3 * PAGE_SIZE, PAGE_SIZE, PROT_READ,
				MAP_PRIVATE | MAP_ANONYMOUS),
			 at + 3 * PAGE_SIZE);
	assert_int_equal(mm_mremap(world_mm, at, 3 * PAGE_SIZE, 4 * PAGE_SIZE, 0, 0), -ENOMEM);
	moved = mm_mremap(world_mm, at, 3 * PAGE_SIZE, 4 * PAGE_SIZE, MREMAP_MAYMOVE, 0);
	assert_true(moved > 0 && (u64)moved != at);
	assert_int_equal(peek_byte((u64)moved), 3);
	assert_int_equal(mm_mremap(world_mm, (u64)moved, 4 * PAGE_SIZE, PAGE_SIZE, 0, 0), moved);
	assert_int_equal(peek_byte((u64)moved + PAGE_SIZE), -EFAULT);
}

/* Before the old place goes, the new one must not have become a part of it. */
static void a_mapping_moves_beside_itself(void **state)
{
	u64 at = map_anon(BASE, 5 * PAGE_SIZE);

	(void)state;
	for (u64 i = 0; i < 5; i++)
		assert_int_equal(poke_byte(at + i * PAGE_SIZE, (u8)(1 + i)), 0);
	assert_int_equal(mm_mremap(world_mm, at + 2 * PAGE_SIZE, PAGE_SIZE, PAGE_SIZE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at + PAGE_SIZE),
			 at + PAGE_SIZE);
	assert_int_equal(peek_byte(at), 1);
	assert_int_equal(peek_byte(at + PAGE_SIZE), 3);
	assert_int_equal(peek_byte(at + 2 * PAGE_SIZE), -EFAULT);
	assert_int_equal(peek_byte(at + 3 * PAGE_SIZE), 4);
}

static void the_stack_grows_down_to_its_limit(void **state)
{
	u64 top = 0x7f0000000000UL;

	(void)state;
	assert_int_equal(mm_map_kernel(world_mm, top - PAGE_SIZE, PAGE_SIZE,
				       VM_READ | VM_WRITE | VM_STACK | VM_GROWSDOWN, NULL, 0),
			 0);
	assert_int_equal(poke_byte(top - 100 * PAGE_SIZE, 1), 0);
	assert_int_equal(poke_byte(top - STACK_LIMIT - 1, 1), -EFAULT);
	(void)map_anon(top - 600 * PAGE_SIZE, PAGE_SIZE);
	assert_int_equal(poke_byte(top - 599 * PAGE_SIZE, 1), -EFAULT); /* the gap stays */
	assert_int_equal(poke_byte(top - 300 * PAGE_SIZE, 1), 0);
}

static void the_heap_grows_and_shrinks(void **state)
{
	(void)state;
	mm_set_brk(world_mm, BASE + 10);
	assert_int_equal(mm_brk(world_mm, 0), BASE + PAGE_SIZE);
	assert_int_equal(mm_brk(world_mm, BASE + 3 * PAGE_SIZE + 5), BASE + 3 * PAGE_SIZE + 5);
	assert_int_equal(poke_byte(BASE + 3 * PAGE_SIZE, 1), 0);
	assert_int_equal(mm_brk(world_mm, BASE + 5 * PAGE_SIZE), BASE + 5 * PAGE_SIZE);
	assert_int_equal(peek_byte(BASE + 3 * PAGE_SIZE), 1);
	assert_int_equal(world_mm->vma_count, 1);
	assert_int_equal(mm_brk(world_mm, BASE + 2 * PAGE_SIZE), BASE + 2 * PAGE_SIZE);
	assert_int_equal(peek_byte(BASE + 3 * PAGE_SIZE), -EFAULT);
	(void)map_anon(BASE + 4 * PAGE_SIZE, PAGE_SIZE);
	assert_int_equal(mm_brk(world_mm, BASE + 8 * PAGE_SIZE), BASE + 2 * PAGE_SIZE);
}

/* Makes @mm the one that runs. */
static void run_as(struct mm *mm)
{
	world_mm = mm;
	port_current()->mm = mm;
	mm_activate(mm);
}

static void a_forked_copy_goes_its_own_way(void **state)
{
	struct mm *parent = world_mm, *child;
	u64 huge = map_anon(BASE, SZ_2M);
	u64 small = map_anon(BASE + SZ_2M, 4 * PAGE_SIZE);
	s64 shared = map_at(0, PAGE_SIZE, RW, MAP_SHARED | MAP_ANONYMOUS);

	(void)state;
	assert_int_equal(poke_byte(huge + 5, 1), 0);
	assert_int_equal(poke_byte(small, 2), 0);
	assert_int_equal(peek_byte(small + PAGE_SIZE), 0);
	assert_int_equal(poke_byte((u64)shared, 3), 0);
	assert_int_equal(mm_madvise(parent, small + 2 * PAGE_SIZE, PAGE_SIZE, MADV_DONTFORK), 0);
	assert_int_equal(poke_byte(small + 3 * PAGE_SIZE, 9), 0);
	assert_int_equal(mm_madvise(parent, small + 3 * PAGE_SIZE, PAGE_SIZE, MADV_WIPEONFORK), 0);
	shadow_take(small);
	child = mm_copy(parent);
	assert_non_null(child);
	assert_int_equal(shadow.count, 0);
	assert_int_equal(poke_byte(small, 4), 0); /* the parent, before the child looks */
	run_as(child);
	assert_int_equal(peek_byte(huge + 5), 1);
	assert_int_equal(leaf_at(huge).level, LEVEL_2M);
	assert_int_equal(peek_byte(small), 2);
	assert_int_equal(peek_byte(small + 2 * PAGE_SIZE), -EFAULT);
	assert_int_equal(peek_byte(small + 3 * PAGE_SIZE), 0);
	assert_int_equal(poke_byte(huge + 5, 6), 0);
	assert_int_equal(poke_byte((u64)shared, 7), 0);
	run_as(parent);
	assert_int_equal(peek_byte(huge + 5), 1);
	assert_int_equal(peek_byte((u64)shared), 7);
	mm_exit(child);
	mm_put(child);
	assert_int_equal(poke_byte(huge + 5, 8), 0); /* alone again */
	assert_int_equal(peek_byte(small), 4);
}

/* ---- a driver */

static struct {
	u64 faults;
	u64 mkwrites;
	bool refuses_writes;
} driver;

static int driver_fault(struct vma *vma, hva_t addr, enum host_access access)
{
	driver.faults++;
	if (driver.refuses_writes && access == HOST_WRITE)
		return -EIO;
	return vma_insert_pfn(vma, HVA(vma->start.v), PA(0x4000000000UL), vma->end.v - vma->start.v,
			      HOST_NC, access, LEVEL_1G) < 0
		       ? -EFAULT
		       : (int)(addr.v & 0);
}

static int driver_mkwrite(struct vma *vma, hva_t addr)
{
	(void)vma;
	(void)addr;
	driver.mkwrites++;
	return driver.refuses_writes ? -EIO : 0;
}

static const struct vma_ops driver_vma_ops = { .fault = driver_fault };
static const struct vma_ops driver_mkwrite_vma_ops = {
	.fault = driver_fault,
	.pfn_mkwrite = driver_mkwrite,
};

static int driver_mmap(struct file *f, struct vma *vma)
{
	vma->ops = f->priv;
	vma->flags |= VM_PFNMAP | VM_IO | VM_DONTEXPAND;
	return 0;
}

static const struct file_ops driver_file_ops = { .name = "driver", .mmap = driver_mmap };

static u64 map_driver(const struct vma_ops *ops, u64 len)
{
	struct file *f = file_alloc(&driver_file_ops, (void *)ops, O_RDWR);
	s64 at = mm_mmap(world_mm, 0, len, RW, MAP_SHARED, f, 0);

	file_put(f);
	assert_true(at > 0);
	memset(&driver, 0, sizeof(driver));
	return (u64)at;
}

static void special_leaves_are_as_large_as_they_can_be(void **state)
{
	u64 at = map_driver(&driver_vma_ops, SZ_1G + SZ_2M);
	struct host_pte pte;

	(void)state;
	assert_int_equal(mm_fault(world_mm, HVA(at + 5), HOST_READ), FAULT_OK);
	pte = leaf_at(at + 0x123456);
	assert_int_equal(pte.level, IS_ALIGNED(at, SZ_1G) ? LEVEL_1G : LEVEL_2M);
	assert_int_equal(pte.pa.v, 0x4000000000UL + 0x123456);
	assert_int_equal(pte.memtype, HOST_NC);
	assert_false(pte.is_ram);
	assert_false(pte.writable);
	assert_int_equal(mm_fault(world_mm, HVA(at + SZ_1G), HOST_WRITE), FAULT_OK);
	assert_true(leaf_at(at + SZ_1G).writable);
	assert_int_equal(mm_munmap(world_mm, at + 7 * PAGE_SIZE, PAGE_SIZE), 0);
	assert_int_equal(leaf_at(at + 6 * PAGE_SIZE).pa.v, 0x4000000000UL + 6 * PAGE_SIZE);
	assert_int_equal(leaf_at(at + 7 * PAGE_SIZE).level, -1);
}

static void the_owner_is_asked_before_a_write_is_refused(void **state)
{
	u64 at = map_driver(&driver_mkwrite_vma_ops, SZ_2M);

	(void)state;
	assert_int_equal(mm_fault(world_mm, HVA(at), HOST_READ), FAULT_OK);
	driver.refuses_writes = true;
	assert_int_equal(mm_fault(world_mm, HVA(at), HOST_WRITE), FAULT_BUS);
	assert_false(leaf_at(at).writable);
	driver.refuses_writes = false;
	assert_int_equal(mm_fault(world_mm, HVA(at), HOST_WRITE), FAULT_OK);
	assert_int_equal(driver.mkwrites, 2);
	assert_true(leaf_at(at).writable);
}

static void an_owner_can_take_back(void **state)
{
	u64 at = map_driver(&driver_vma_ops, 2 * SZ_2M);

	(void)state;
	assert_int_equal(mm_fault(world_mm, HVA(at), HOST_WRITE), FAULT_OK);
	shadow_take(at);
	shadow_take(at + SZ_2M);
	mm_read_lock(world_mm);
	vma_zap(vma_find(world_mm, HVA(at)), HVA(at), HVA(at + SZ_2M));
	mm_read_unlock(world_mm);
	assert_int_equal(shadow.count, 1);
	assert_int_equal(leaf_at(at).level, -1);
	assert_int_equal(leaf_at(at + SZ_2M).level, LEVEL_2M);
}

static void release_takes_the_lock(struct file *f)
{
	(void)f;
	mm_write_lock(world_mm);
	mm_write_unlock(world_mm);
	driver.faults++;
}

static void a_files_release_may_take_the_lock(void **state)
{
	static const struct file_ops ops = { .mmap = driver_mmap,
					     .release = release_takes_the_lock };
	struct file *f = file_alloc(&ops, (void *)&driver_vma_ops, O_RDWR);
	s64 at = mm_mmap(world_mm, 0, PAGE_SIZE, RW, MAP_SHARED, f, 0);

	(void)state;
	file_put(f);
	driver.faults = 0;
	assert_int_equal(mm_munmap(world_mm, (u64)at, PAGE_SIZE), 0);
	assert_int_equal(driver.faults, 1);
}

static void mappings_go_to_the_highest_gap_that_fits(void **state)
{
	u64 at[64], top = world_mm->mmap_base;

	(void)state;
	for (u64 i = 0; i < 64; i++) {
		/* Not merged with its neighbours. */
		s64 a = map_at(0, 2 * PAGE_SIZE, i % 2 ? RW : PROT_READ,
			       MAP_PRIVATE | MAP_ANONYMOUS);

		at[i] = (u64)a;
		assert_int_equal(at[i], top - 2 * PAGE_SIZE * (i + 1));
	}
	assert_int_equal(mm_munmap(world_mm, at[7], PAGE_SIZE), 0);
	assert_int_equal(mm_munmap(world_mm, at[20], 2 * PAGE_SIZE), 0);
	assert_int_equal(map_anon(0, 2 * PAGE_SIZE), at[20]);
	assert_int_equal(map_anon(0, PAGE_SIZE), at[7]);
	assert_int_equal(map_anon(0, PAGE_SIZE), at[63] - PAGE_SIZE);
	assert_int_equal(map_anon(0, 4 * SZ_2M) % SZ_2M, 0);
	assert_int_equal(map_anon(0, PAGE_SIZE), at[63] - 2 * PAGE_SIZE);
}

/* ---- address space identifiers, /proc, the model itself */

static void asids_outlast_their_number(void **state)
{
	struct mm *first = world_mm;
	u64 at = map_anon(BASE, PAGE_SIZE);

	(void)state;
	assert_int_equal(poke_byte(at, 1), 0);
	for (int i = 0; i < 600; i++) {
		struct mm *mm = mm_new();

		run_as(mm);
		(void)map_anon(BASE, PAGE_SIZE);
		assert_int_equal(peek_byte(at), 0); /* not what another mm has there */
		assert_int_equal(poke_byte(at, 2), 0);
		mm_exit(mm);
		mm_put(mm);
		model_host_grace();
	}
	run_as(first);
	assert_int_equal(peek_byte(at), 1);
	assert_true(model_tlbis.all >= 2);
}

static char maps_text[4096];

static void maps_emit(struct maps_sink *sink, const char *line, size_t len)
{
	(void)sink;
	strncat(maps_text, line, len);
}

static void maps_are_formatted_as_linux_does(void **state)
{
	struct maps_sink sink = { .emit = maps_emit };
	struct file *f = world_file(memobj_new(), O_RDWR);

	(void)state;
	f->path = strcpy(kmalloc(16), "/bin/true");
	assert_int_equal(mm_map_kernel(world_mm, 0x400000, PAGE_SIZE, VM_READ | VM_EXEC, f, 0x1000),
			 0);
	file_put(f);
	mm_set_brk(world_mm, 0x4ff000);
	(void)mm_brk(world_mm, 0x501000);
	assert_int_equal(mm_munmap(world_mm, 0x4ff000, PAGE_SIZE), 0);
	maps_text[0] = 0;
	mm_format_maps(world_mm, &sink);
	assert_string_equal(
		maps_text,
		"00400000-00401000 r-xp 00001000 00:00 0                                  "
		"/bin/true\n"
		"00500000-00501000 rw-p 00000000 00:00 0                                  "
		"[heap]\n");
	maps_text[0] = 0;
	assert_int_equal(poke_byte(0x500000, 1), 0);
	mm_format_smaps(world_mm, &sink);
	assert_non_null(strstr(maps_text, "Rss:                   4 kB"));
	assert_non_null(strstr(maps_text, "VmFlags: rd wr mw"));
}

static void touch(void *arg)
{
	(void)peek_byte(*(u64 *)arg);
}

static void the_model_refuses_a_missing_invalidation(void **state)
{
	u64 at = map_anon(BASE, PAGE_SIZE);
	u64 *entry, old;
	int level;

	(void)state;
	assert_int_equal(poke_byte(at, 1), 0);
	entry = pgt_lookup_locked(world_mm, at, &level);
	old = *entry;
	port_pte_write(entry, old & ~PTE_VALID);
	assert_true(model_refuses(touch, &at));
	assert_non_null(strstr(model_refusal(), "stale translation"));
	port_tlbi_host_range(asid_of(world_mm), HVA(at), HVA(at + PAGE_SIZE), LEVEL_4K);
	port_pte_write(entry, old);
	assert_int_equal(peek_byte(at), 1);
}

static void write_elsewhere(void *arg)
{
	u64 *entry = arg;

	port_pte_write(entry, *entry + PAGE_SIZE);
}

static void make_too_early(void *arg)
{
	u64 *entry = arg;
	u64 old = *entry;

	port_pte_write(entry, old & ~PTE_VALID);
	port_pte_write(entry, old + PAGE_SIZE);
}

static void the_model_refuses_a_missing_break(void **state)
{
	u64 at = map_anon(BASE, PAGE_SIZE);
	u64 *entry, old;
	int level;

	(void)state;
	assert_int_equal(poke_byte(at, 1), 0);
	entry = pgt_lookup_locked(world_mm, at, &level);
	old = *entry;
	assert_true(model_refuses(write_elsewhere, entry));
	assert_non_null(strstr(model_refusal(), "without a break"));
	assert_true(model_refuses(make_too_early, entry));
	assert_non_null(strstr(model_refusal(), "before its invalidation"));
	port_pte_write(entry, old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(anonymous_memory_reads_zero_then_keeps_writes),
		world_test(m1_the_zero_page_is_never_written),
		world_test(aligned_memory_gets_a_huge_page),
		world_test(a_huge_page_is_broken_up_at_the_edge_of_a_change),
		world_test(dropped_pages_of_a_huge_page_are_free_at_once),
		world_test(a_huge_page_returns_after_all_of_it_was_dropped),
		world_test(protection_is_taken_and_given_back),
		world_test(verdicts_name_the_reason),
		world_test(a_private_mapping_copies_on_write),
		world_test(a_shared_mapping_shows_the_object),
		world_test(truncation_unmaps_everywhere),
		world_test(a_punched_hole_reads_zero_and_spares_copies),
		world_test(hugetlb_maps_blocks_or_nothing),
		world_test(shared_hugetlb_is_one_object),
		world_test(moving_keeps_content_and_tells),
		world_test(mappings_grow_in_place_or_move),
		world_test(a_mapping_moves_beside_itself),
		world_test(the_stack_grows_down_to_its_limit),
		world_test(the_heap_grows_and_shrinks),
		world_test(a_forked_copy_goes_its_own_way),
		world_test(special_leaves_are_as_large_as_they_can_be),
		world_test(the_owner_is_asked_before_a_write_is_refused),
		world_test(an_owner_can_take_back),
		world_test(a_files_release_may_take_the_lock),
		world_test(mappings_go_to_the_highest_gap_that_fits),
		world_test(asids_outlast_their_number),
		world_test(maps_are_formatted_as_linux_does),
		world_test(the_model_refuses_a_missing_invalidation),
		world_test(the_model_refuses_a_missing_break),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
