/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owners of mappings (host/driver.h): what they map is what is there, whatever the VMA says and
 * whenever it was mapped; blocks; leaves that are read-only first; types that change; memory that
 * is no RAM under every change of its mapping.
 */
#include "host_world.h"

#define P	  PAGE_SIZE
#define BASE	  0x40000000UL
#define DEVICE_AT 0x4000000000UL /* no RAM, aligned to 1 GiB */
#define PFN_FLAGS (VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP)

/* What the driver of this file does. */
static struct {
	/* wishes, set before map_device() */
	u32 flags;
	enum host_memtype declared, type;
	enum host_access access; /* of leaves */
	int max_level;
	bool maps_at_mmap, marks_late;
	/* seen */
	u32 faults, notifies;
} drv;

static pa_t pa_of(const struct vma *vma, u64 addr)
{
	return PA(DEVICE_AT + vma->offset + (addr - vma->start.v));
}

static int drv_fault(struct vma *vma, hva_t addr, enum host_access access)
{
	(void)access;
	drv.faults++;
	if (drv.marks_late)
		vma_mark_pfnmap(vma);
	return vma_insert_block(vma, addr, pa_of(vma, addr.v), drv.type, drv.access, drv.max_level);
}

static int drv_mkwrite(struct vma *vma, hva_t addr)
{
	(void)vma;
	(void)addr;
	drv.notifies++;
	return 0;
}

static const struct vma_ops drv_ops = { .fault = drv_fault, .pfn_mkwrite = drv_mkwrite };

static int drv_mmap(struct file *f, struct vma *vma)
{
	(void)f;
	vma->flags |= drv.flags;
	vma->prot_type = drv.declared;
	vma->ops = &drv_ops;
	if (!drv.maps_at_mmap)
		return 0;
	return vma_insert_pfn(vma, vma->start, pa_of(vma, vma->start.v), vma->end.v - vma->start.v,
			      drv.type, drv.access, drv.max_level);
}

static const struct file_ops drv_file_ops = { .name = "driver", .mmap = drv_mmap };

static void wish(u32 flags, enum host_memtype declared, enum host_memtype type)
{
	memset(&drv, 0, sizeof(drv));
	drv.flags = flags;
	drv.declared = declared;
	drv.type = type;
	drv.access = HOST_WRITE;
	drv.max_level = LEVEL_4K;
}

static void map_of(struct file *f, u64 at, u64 len, u64 offset)
{
	assert_int_equal(mm_mmap(world_mm, at, len, RW, MAP_SHARED | MAP_FIXED, f, offset), at);
}

static void map_device(u64 at, u64 len, u64 offset)
{
	struct file *f = file_alloc(&drv_file_ops, NULL, O_RDWR);

	map_of(f, at, len, offset);
	file_put(f);
}

static void touch(u64 addr, enum host_access access)
{
	assert_int_equal(mm_fault(world_mm, HVA(addr), access), FAULT_OK);
}

static u32 flags_at(u64 addr)
{
	u32 flags;

	mm_read_lock(world_mm);
	flags = vma_find(world_mm, HVA(addr))->flags;
	mm_read_unlock(world_mm);
	return flags;
}

/* ---- M1 */

static void check_leaf(u64 addr, enum host_memtype type, bool any_uncached)
{
	struct host_pte pte = leaf_at(addr);

	assert_int_equal(pte.level, LEVEL_4K);
	assert_int_equal(pte.pa.v, DEVICE_AT + (addr - BASE));
	assert_int_equal(pte.memtype, type);
	assert_int_equal(pte.any_uncached, any_uncached);
	assert_true(pte.writable);
	assert_false(pte.is_ram);
}

/* Type, reach and permission are the leaf's, by whatever way it came. */
static void m1_the_leaf_decides(void **state)
{
	static const enum host_memtype types[] = { HOST_WB, HOST_NC, HOST_DEVICE };
	static const u32 flags[] = { 0, VM_PFNMAP, PFN_FLAGS, VM_MIXEDMAP };

	(void)state;
	for (int row = 0; row < 3 * 3 * 4 * 2 * 2; row++) {
		enum host_memtype type = types[row % 3];
		bool any = row / 72 % 2 != 0;

		wish(flags[row / 9 % 4] | (any ? VM_ALLOW_ANY_UNCACHED : 0), types[row / 3 % 3],
		     type);
		drv.maps_at_mmap = row / 36 % 2 != 0;
		drv.marks_late = true;
		map_device(BASE, 2 * P, 0);
		touch(BASE + P + 5, HOST_READ);
		assert_int_equal(drv.faults, drv.maps_at_mmap ? 0 : 1);
		check_leaf(BASE + P + 5, type, any && type != HOST_WB);
		assert_int_equal(mm_munmap(world_mm, BASE, 2 * P), 0);
	}
}

/* A fetch may be speculative: none from what is not write-back, whatever the program asks for. */
static void nothing_is_fetched_from_uncached_memory(void **state)
{
	static const enum host_memtype types[] = { HOST_WB, HOST_NC, HOST_DEVICE };

	(void)state;
	for (int row = 0; row < 2 * 3; row++) {
		enum host_memtype type = types[row % 3];
		enum fault_verdict wanted = type == HOST_WB ? FAULT_OK : FAULT_SEGV_ACCERR;

		wish(PFN_FLAGS, HOST_WB, type);
		drv.access = HOST_READ;
		drv.maps_at_mmap = row / 3 != 0;
		map_device(BASE, P, 0);
		assert_int_equal(mm_mprotect(world_mm, BASE, P, RW | PROT_EXEC), 0);
		assert_int_equal(mm_fault(world_mm, HVA(BASE), HOST_EXEC), wanted);
		assert_int_equal(drv.notifies, 0);
		assert_false(leaf_at(BASE).writable);
		touch(BASE, HOST_WRITE);
		assert_int_equal(mm_fault(world_mm, HVA(BASE), HOST_EXEC), wanted);
		assert_int_equal(mm_munmap(world_mm, BASE, P), 0);
	}
}

/* A flag that comes with the first fault holds from there on. */
static void a_late_flag_counts_from_then_on(void **state)
{
	(void)state;
	wish(0, HOST_WB, HOST_DEVICE);
	drv.marks_late = true;
	map_device(BASE, P, 0);
	assert_int_equal(flags_at(BASE) & VM_PFNMAP, 0);
	assert_int_equal(mm_mremap(world_mm, BASE, P, 2 * P, 0, 0), BASE);
	touch(BASE, HOST_READ);
	assert_int_equal(flags_at(BASE) & (PFN_FLAGS | VM_MIXEDMAP), VM_PFNMAP);
	assert_int_equal(mm_mremap(world_mm, BASE, 2 * P, 3 * P, MREMAP_MAYMOVE, 0), -EFAULT);
	assert_int_equal(mm_madvise(world_mm, BASE, P, MADV_DONTNEED), -EINVAL);
}

/* ---- blocks */

static void a_block_is_as_large_as_its_place_allows(void **state)
{
	static const struct {
		u64 at, len, offset, touched;
		int max_level, level;
	} rows[] = {
		{ BASE, SZ_1G, 0, 5 * P, LEVEL_1G, LEVEL_1G },
		{ BASE, SZ_1G, 0, 5 * P, LEVEL_2M, LEVEL_2M },
		{ BASE, SZ_1G, 0, 5 * P, LEVEL_4K, LEVEL_4K },
		{ BASE, SZ_1G - SZ_2M, 0, SZ_2M + P, LEVEL_1G, LEVEL_2M },
		{ BASE + P, SZ_2M - P, P, 0, LEVEL_2M, LEVEL_4K }, /* begins within it */
		{ BASE, SZ_2M - P, 0, P, LEVEL_2M, LEVEL_4K },	   /* ends within it */
		{ BASE, SZ_2M, P, P, LEVEL_2M, LEVEL_4K },	   /* memory lies otherwise */
		{ BASE, SZ_1G, SZ_2M, P, LEVEL_1G, LEVEL_2M },
		{ BASE + SZ_2M, SZ_2M, 0, SZ_2M - P, LEVEL_512G, LEVEL_2M },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		wish(PFN_FLAGS, HOST_WB, HOST_WB);
		drv.max_level = rows[i].max_level;
		map_device(rows[i].at, rows[i].len, rows[i].offset);
		touch(rows[i].at + rows[i].touched, HOST_WRITE);
		assert_int_equal(leaf_at(rows[i].at + rows[i].touched).level, rows[i].level);
		assert_int_equal(leaf_at(rows[i].at + rows[i].touched).pa.v,
				 DEVICE_AT + rows[i].offset + rows[i].touched);
		assert_int_equal(mm_munmap(world_mm, rows[i].at, rows[i].len), 0);
	}
}

/* A page that was taken out of a block comes back as a page: its neighbours are still there. */
static void a_block_makes_room_for_what_is_there(void **state)
{
	(void)state;
	wish(PFN_FLAGS, HOST_WB, HOST_WB);
	drv.max_level = LEVEL_2M;
	map_device(BASE, SZ_2M, 0);
	touch(BASE, HOST_WRITE);
	mm_write_lock(world_mm);
	vma_zap(vma_find(world_mm, HVA(BASE)), HVA(BASE + P), HVA(BASE + 2 * P));
	mm_write_unlock(world_mm);
	assert_int_equal(leaf_at(BASE + P).level, -1);
	touch(BASE + P, HOST_WRITE);
	check_leaf(BASE + P, HOST_WB, false);
	mm_write_lock(world_mm);
	vma_zap(vma_find(world_mm, HVA(BASE)), HVA(BASE), HVA(BASE + SZ_2M));
	mm_write_unlock(world_mm);
	touch(BASE + P, HOST_WRITE);
	assert_int_equal(leaf_at(BASE + P).level, LEVEL_2M);
}

static int insert(u64 addr, enum host_memtype type, u32 owner, int max_level)
{
	struct vma *vma;
	int error;

	mm_write_lock(world_mm);
	vma = vma_find(world_mm, HVA(BASE));
	vma->flags = (vma->flags & ~(u32)VM_ALLOW_ANY_UNCACHED) | owner;
	error = vma_insert_block(vma, HVA(addr), PA(DEVICE_AT), type, HOST_WRITE, max_level);
	mm_write_unlock(world_mm);
	return error;
}

/* A leaf that maps the same is widened; one of another type, or of another owner's word, is not. */
static void m1_what_maps_otherwise_is_not_widened(void **state)
{
	(void)state;
	wish(PFN_FLAGS, HOST_WB, HOST_NC);
	drv.access = HOST_READ;
	map_device(BASE, P, 0);
	touch(BASE, HOST_READ);
	assert_int_equal(insert(BASE, HOST_DEVICE, 0, LEVEL_4K), -EBUSY);
	assert_int_equal(insert(BASE, HOST_WB, 0, LEVEL_4K), -EBUSY);
	assert_int_equal(insert(BASE, HOST_NC, VM_ALLOW_ANY_UNCACHED, LEVEL_4K), -EBUSY);
	assert_false(leaf_at(BASE).writable);
	assert_int_equal(insert(BASE, HOST_NC, 0, LEVEL_1G), 0);
	assert_int_equal(insert(BASE + P, HOST_NC, 0, LEVEL_4K), -EINVAL);
	check_leaf(BASE, HOST_NC, false);
}

/* ---- M14 */

static void m14_a_write_asks_the_owner_once(void **state)
{
	(void)state;
	wish(PFN_FLAGS | VM_ALLOW_ANY_UNCACHED, HOST_WB, HOST_NC);
	drv.access = HOST_READ;
	map_device(BASE, P, 0);
	touch(BASE, HOST_READ);
	assert_false(leaf_at(BASE).writable);
	assert_int_equal(drv.notifies, 0);
	touch(BASE, HOST_WRITE);
	touch(BASE, HOST_WRITE);
	assert_int_equal(drv.notifies, 1);
	assert_int_equal(drv.faults, 1);
	check_leaf(BASE, HOST_NC, true);
}

/* ---- M13: types that change */

static int retype(u64 addr, u64 size, enum host_memtype type, int max_level)
{
	struct pfn_range range = { HVA(addr), size, PA(DEVICE_AT + (addr - BASE)), HOST_WRITE,
				   max_level };
	int error;

	mm_write_lock(world_mm);
	error = vma_retype(vma_find(world_mm, HVA(BASE)), &range, type);
	mm_write_unlock(world_mm);
	return error;
}

static void m13_a_new_type_is_announced_once(void **state)
{
	u64 begins;

	(void)state;
	wish(PFN_FLAGS, HOST_WB, HOST_WB);
	drv.maps_at_mmap = true;
	map_device(BASE, 8 * P, 0);
	begins = shadow.begins;
	assert_int_equal(retype(BASE, 8 * P, HOST_NC, LEVEL_4K), 0);
	assert_int_equal(shadow.begins, begins + 1);
}

/* Who follows the mapping hears of it once, before the first leaf changes; the rest stays. */
static void m13_a_type_changes_within_one_notification(void **state)
{
	u64 begins;

	(void)state;
	wish(PFN_FLAGS, HOST_WB, HOST_WB);
	drv.maps_at_mmap = true;
	map_device(BASE, 8 * P, 0);
	for (u64 i = 0; i < 8; i++)
		shadow_take(BASE + i * P);
	begins = shadow.begins;
	assert_int_equal(retype(BASE + 2 * P, 4 * P, HOST_DEVICE, LEVEL_4K), 0);
	assert_int_equal(shadow.begins, begins + 1);
	assert_int_equal(shadow.count, 4);
	for (u64 i = 0; i < 8; i++)
		check_leaf(BASE + i * P, i >= 2 && i < 6 ? HOST_DEVICE : HOST_WB, false);
}

static void a_type_changes_within_a_block(void **state)
{
	(void)state;
	wish(PFN_FLAGS, HOST_WB, HOST_WB);
	drv.maps_at_mmap = true;
	drv.max_level = LEVEL_1G;
	map_device(BASE, SZ_1G, 0);
	assert_int_equal(leaf_at(BASE).level, LEVEL_1G);
	assert_int_equal(retype(BASE + SZ_2M, SZ_2M, HOST_NC, LEVEL_2M), 0);
	assert_int_equal(leaf_at(BASE + SZ_2M).level, LEVEL_2M);
	assert_int_equal(leaf_at(BASE + SZ_2M).memtype, HOST_NC);
	assert_int_equal(leaf_at(BASE + SZ_2M).pa.v, DEVICE_AT + SZ_2M);
	assert_int_equal(leaf_at(BASE + 2 * SZ_2M).memtype, HOST_WB);
	assert_int_equal(leaf_at(BASE).memtype, HOST_WB);
	assert_int_equal(retype(BASE + P, SZ_2M - P, HOST_NC, LEVEL_2M), 0);
	check_leaf(BASE, HOST_WB, false);
	check_leaf(BASE + P, HOST_NC, false);
	assert_int_equal(retype(BASE, SZ_1G, HOST_DEVICE, LEVEL_1G), 0);
	assert_int_equal(leaf_at(BASE + SZ_2M).level, LEVEL_1G);
	assert_int_equal(leaf_at(BASE + SZ_2M).memtype, HOST_DEVICE);
}

static void a_range_that_is_not_in_the_vma_is_not_retyped(void **state)
{
	static const struct {
		u64 at, size;
	} rows[] = {
		{ 1, P }, { 0, P + 1 }, { 0, 0 }, { 0, 3 * P }, { (u64)-P, P }, { P, (u64)-P }
	};

	(void)state;
	wish(PFN_FLAGS, HOST_WB, HOST_WB);
	drv.maps_at_mmap = true;
	map_device(BASE - P, P, 0); /* neighbours */
	map_device(BASE + 2 * P, P, 0);
	map_device(BASE, 2 * P, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(retype(BASE + rows[i].at, rows[i].size, HOST_NC, LEVEL_4K),
				 -EINVAL);
	check_leaf(BASE, HOST_WB, false);
	check_leaf(BASE + P, HOST_WB, false);
	assert_int_equal(leaf_at(BASE - P).memtype, HOST_WB);
	assert_int_equal(leaf_at(BASE + 2 * P).memtype, HOST_WB);
}

/* Whichever allocation fails: the old type, or nothing; and the next fault gives a leaf again. */
static void retyping_without_memory_leaves_no_wrong_type(void **state)
{
	u64 n = 1;

	(void)state;
	for (;; n++) {
		int error;

		wish(PFN_FLAGS, HOST_WB, HOST_WB);
		drv.maps_at_mmap = true;
		drv.max_level = LEVEL_1G;
		map_device(BASE, SZ_1G, 0);
		page_fail_nth(n);
		error = retype(BASE + 3 * P, P, HOST_NC, LEVEL_4K);
		if (page_fail_nth(0) != 0) {
			assert_int_equal(error, 0);
			break;
		}
		assert_int_equal(error, -ENOMEM);
		if (leaf_at(BASE + 3 * P).level >= 0)
			assert_int_equal(leaf_at(BASE + 3 * P).memtype, HOST_WB);
		touch(BASE + 3 * P, HOST_READ);
		assert_int_equal(mm_munmap(world_mm, BASE, SZ_1G), 0);
	}
	assert_int_equal(leaf_at(BASE + 3 * P).memtype, HOST_NC);
	assert_true(n > 1);
}

/* ---- what programs see and may do */

struct listing {
	struct maps_sink sink;
	char text[8192];
	size_t size;
};

static void listing_add(struct maps_sink *sink, const char *line, size_t len)
{
	struct listing *l = container_of(sink, struct listing, sink);

	assert_true(l->size + len < sizeof(l->text));
	memcpy(l->text + l->size, line, len);
	l->size += len;
}

static void smaps_names_the_flags(void **state)
{
	static const struct {
		u32 flags;
		const char *shown;
	} rows[] = {
		{ 0, "VmFlags: rd wr sh mw \n" },
		{ VM_PFNMAP, "VmFlags: rd wr sh mw pf \n" },
		{ PFN_FLAGS, "VmFlags: rd wr sh mw pf io de dd \n" },
		{ VM_MIXEDMAP | VM_IO | VM_DONTCOPY, "VmFlags: rd wr sh mw io dc mm \n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct listing l = { .sink.emit = listing_add };

		wish(rows[i].flags, HOST_WB, HOST_DEVICE);
		map_device(BASE, P, 0);
		touch(BASE, HOST_WRITE);
		mm_format_smaps(world_mm, &l.sink);
		l.text[l.size] = '\0';
		assert_non_null(strstr(l.text, rows[i].shown));
		/* It has no pages of its own. */
		assert_non_null(strstr(l.text, "Rss:                   0 kB\n"));
		assert_int_equal(mm_munmap(world_mm, BASE, P), 0);
	}
}

static void special_mappings_neither_grow_nor_merge(void **state)
{
	static const u32 flags[] = { VM_PFNMAP, VM_DONTEXPAND, PFN_FLAGS };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct file *f = file_alloc(&drv_file_ops, NULL, O_RDWR);

		wish(flags[i], HOST_WB, HOST_DEVICE);
		map_of(f, BASE, P, 0);
		map_of(f, BASE + P, P, P);
		file_put(f);
		assert_int_equal(mm_get_counts(world_mm).vma_count, 2);
		assert_int_equal(mm_mremap(world_mm, BASE + P, P, 2 * P, MREMAP_MAYMOVE, 0),
				 -EFAULT);
		assert_int_equal(mm_munmap(world_mm, BASE, 2 * P), 0);
	}
}

/* The model has no metadata for what is no RAM: looking at it ends the test. */
static void what_is_no_ram_goes_through_every_change(void **state)
{
	u64 to = BASE + 4 * SZ_1G;
	struct mm *copy;

	(void)state;
	wish(PFN_FLAGS, HOST_WB, HOST_WB);
	drv.maps_at_mmap = true;
	drv.max_level = LEVEL_1G;
	map_device(BASE, SZ_1G, 0);
	assert_int_equal(mm_mprotect(world_mm, BASE + P, P, PROT_READ | PROT_EXEC), 0);
	assert_int_equal(mm_mprotect(world_mm, BASE + P, P, PROT_NONE), 0);
	assert_int_equal(mm_mprotect(world_mm, BASE + P, P, RW), 0);
	assert_int_equal(mm_mremap(world_mm, BASE + SZ_2M, SZ_2M, SZ_2M,
				   MREMAP_MAYMOVE | MREMAP_FIXED, to),
			 to);
	assert_int_equal(leaf_at(to + 7).pa.v, DEVICE_AT + SZ_2M + 7);
	copy = mm_copy(world_mm);
	assert_non_null(copy);
	mm_exit(copy);
	mm_put(copy);
	assert_int_equal(mm_munmap(world_mm, BASE + 3 * P, P), 0);
	assert_int_equal(leaf_at(BASE + 4 * P).pa.v, DEVICE_AT + 4 * P);
}

/* RAM and device memory in one VMA; each leaf says what it is. */
static void one_vma_holds_both_kinds(void **state)
{
	struct vma *vma;

	(void)state;
	wish(VM_MIXEDMAP, HOST_WB, HOST_DEVICE);
	map_device(BASE, 2 * P, 0);
	mm_write_lock(world_mm);
	vma = vma_find(world_mm, HVA(BASE));
	assert_int_equal(vma_insert_page(vma, HVA(BASE + P), page_alloc(ORDER_4K, PAGE_ZEROED),
					 HOST_WRITE),
			 0);
	mm_write_unlock(world_mm);
	touch(BASE, HOST_WRITE);
	check_leaf(BASE, HOST_DEVICE, false);
	assert_true(leaf_at(BASE + P).is_ram);
	assert_int_equal(leaf_at(BASE + P).memtype, HOST_WB);
	assert_int_equal(poke_byte(BASE + P, 9), 0);
	assert_int_equal(peek_byte(BASE + P), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(m1_the_leaf_decides),
		world_test(nothing_is_fetched_from_uncached_memory),
		world_test(a_late_flag_counts_from_then_on),
		world_test(a_block_is_as_large_as_its_place_allows),
		world_test(a_block_makes_room_for_what_is_there),
		world_test(m1_what_maps_otherwise_is_not_widened),
		world_test(m14_a_write_asks_the_owner_once),
		world_test(m13_a_new_type_is_announced_once),
		world_test(m13_a_type_changes_within_one_notification),
		world_test(a_type_changes_within_a_block),
		world_test(a_range_that_is_not_in_the_vma_is_not_retyped),
		world_test(retyping_without_memory_leaves_no_wrong_type),
		world_test(smaps_names_the_flags),
		world_test(special_mappings_neither_grow_nor_merge),
		world_test(what_is_no_ram_goes_through_every_change),
		world_test(one_vma_holds_both_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
