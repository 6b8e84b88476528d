/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The paths of a fault that are rare: permissions in every order, owners that refuse or map
 * nothing, a page that goes while it is copied, blocks of 1 GiB; and placement at the edges.
 */
#include "host_world.h"

#define P    PAGE_SIZE
#define BASE 0x20000000UL
#define TOP  (1UL << 48)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

/* ---- permissions */

enum kind { KIND_PAGE, KIND_ZERO_PAGE, KIND_BLOCK, KIND_OBJECT, KIND_PRIVATE_OBJECT, KIND_COUNT };

static u64 map_kind(enum kind kind)
{
	u64 len = kind == KIND_BLOCK ? SZ_2M : P;
	struct file *f = NULL;
	s64 at;

	if (kind < KIND_OBJECT) {
		at = (s64)map_anon(BASE, len);
	} else {
		f = world_file(memobj_new(), O_RDWR);
		assert_int_equal(memobj_truncate(f->priv, P), 0);
		at = mm_mmap(world_mm, BASE, P, RW,
			     MAP_FIXED | (kind == KIND_OBJECT ? MAP_SHARED : MAP_PRIVATE), f, 0);
		file_put(f);
	}
	assert_int_equal(at, BASE);
	if (kind == KIND_ZERO_PAGE || kind == KIND_PRIVATE_OBJECT)
		assert_int_equal(peek_byte(BASE), 0);
	else
		assert_int_equal(poke_byte(BASE, 7), 0);
	return len;
}

/* A leaf allows what its mapping does; writing comes with the first write. */
static void check_prot(int prot, int content)
{
	const bool any = prot != PROT_NONE;

	assert_int_equal(leaf_at(BASE).level >= 0, any);
	assert_int_equal(mm_fault(world_mm, HVA(BASE), HOST_READ),
			 any ? FAULT_OK : FAULT_SEGV_ACCERR);
	assert_int_equal(mm_fault(world_mm, HVA(BASE), HOST_EXEC),
			 prot & PROT_EXEC ? FAULT_OK : FAULT_SEGV_ACCERR);
	assert_int_equal(mm_fault(world_mm, HVA(BASE), HOST_WRITE),
			 prot & PROT_WRITE ? FAULT_OK : FAULT_SEGV_ACCERR);
	assert_int_equal(peek_byte(BASE), any ? content : -EFAULT);
	assert_int_equal(leaf_at(BASE).writable, (prot & PROT_WRITE) != 0);
}

static void permissions_change_in_any_order(void **state)
{
	(void)state;
	for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
		int content = kind == KIND_ZERO_PAGE || kind == KIND_PRIVATE_OBJECT ? 0 : 7;
		u64 len = map_kind(kind);

		for (int from = 0; from < 8; from++) {
			for (int to = 0; to < 8; to++) {
				assert_int_equal(mm_mprotect(world_mm, BASE, len, from), 0);
				check_prot(from, content);
				assert_int_equal(mm_mprotect(world_mm, BASE, len, to), 0);
				check_prot(to, content);
			}
		}
		assert_int_equal(mm_munmap(world_mm, BASE, len), 0);
	}
}

/* ---- owners */

static struct {
	u64 faults;
	int answer;
	bool maps; /* a page of PFN_AT, before it answers */
} owner;

#define PFN_AT 0x4000000000UL

static int owner_fault(struct vma *vma, hva_t addr, enum host_access access)
{
	owner.faults++;
	if (owner.maps)
		assert_int_equal(vma_insert_pfn(vma, addr, PA(PFN_AT), P, HOST_NC, access,
						LEVEL_4K),
				 0);
	return owner.answer;
}

static const struct vma_ops owner_ops = { .fault = owner_fault };
static const struct vma_ops no_fault_ops = { .fault = NULL };

static int owner_mmap(struct file *f, struct vma *vma)
{
	vma->ops = f->priv;
	vma->flags |= VM_PFNMAP | VM_IO | VM_DONTEXPAND;
	if (vma->ops == &no_fault_ops)
		return vma_insert_pfn(vma, vma->start, PA(PFN_AT), P, HOST_DEVICE, HOST_READ,
				      LEVEL_4K);
	return 0;
}

static const struct file_ops owner_file_ops = { .name = "owner", .mmap = owner_mmap };

static void map_owner(const struct vma_ops *ops, int flags, u64 len)
{
	struct file *f = file_alloc(&owner_file_ops, (void *)ops, O_RDWR);

	assert_int_equal(mm_mmap(world_mm, BASE, len, RW, flags | MAP_FIXED, f, 0), BASE);
	file_put(f);
	memset(&owner, 0, sizeof(owner));
}

static void what_an_owner_answers_is_the_verdict(void **state)
{
	static const struct {
		int answer;
		enum fault_verdict verdict;
	} rows[] = {
		{ -ENOMEM, FAULT_OOM }, { -EACCES, FAULT_SEGV_ACCERR },
		{ -EINTR, FAULT_INTR }, { -EFAULT, FAULT_SEGV_MAPERR },
		{ -EIO, FAULT_BUS },
	};

	(void)state;
	map_owner(&owner_ops, MAP_SHARED, P);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		owner.answer = rows[i].answer;
		assert_int_equal(mm_fault(world_mm, HVA(BASE), HOST_READ), rows[i].verdict);
		assert_int_equal(leaf_at(BASE).level, -1);
	}
}

/* An owner that answers well and maps nothing has the access repeated, and no thread hang in it. */
static void an_owner_that_maps_nothing_is_asked_again(void **state)
{
	struct file *f;

	(void)state;
	map_owner(&owner_ops, MAP_SHARED, 2 * P);
	assert_int_equal(mm_fault(world_mm, HVA(BASE), HOST_READ), FAULT_OK);
	assert_in_range(owner.faults, 1, 100);
	assert_int_equal(leaf_at(BASE).level, -1);
	/* Nor does MAP_POPULATE wait for it: it goes on to the next page. */
	owner.faults = 0;
	f = file_alloc(&owner_file_ops, (void *)&owner_ops, O_RDWR);
	assert_int_equal(mm_mmap(world_mm, BASE, 2 * P, RW, MAP_SHARED | MAP_FIXED | MAP_POPULATE,
				 f, 0),
			 BASE);
	file_put(f);
	assert_in_range(owner.faults, 2, 200);
}

static void a_leaf_that_its_owner_keeps_read_only_stays_so(void **state)
{
	(void)state;
	map_owner(&owner_ops, MAP_SHARED, P);
	owner.maps = true;
	assert_int_equal(mm_fault(world_mm, HVA(BASE), HOST_READ), FAULT_OK);
	assert_false(leaf_at(BASE).writable);
	owner.maps = false;
	owner.faults = 0;
	/* It has no say of its own on writes, is asked, changes nothing: refused, and asked once.
	 */
	assert_int_equal(mm_fault(world_mm, HVA(BASE), HOST_WRITE), FAULT_SEGV_ACCERR);
	assert_int_equal(owner.faults, 1);
	assert_false(leaf_at(BASE).writable);
}

static void an_owner_without_a_fault_handler_has_what_it_mapped(void **state)
{
	(void)state;
	map_owner(&no_fault_ops, MAP_SHARED, 2 * P);
	assert_int_equal(leaf_at(BASE).pa.v, PFN_AT);
	assert_int_equal(leaf_at(BASE).memtype, HOST_DEVICE);
	assert_int_equal(mm_fault(world_mm, HVA(BASE), HOST_READ), FAULT_OK);
	assert_int_equal(mm_fault(world_mm, HVA(BASE), HOST_WRITE), FAULT_SEGV_ACCERR);
	assert_int_equal(mm_fault(world_mm, HVA(BASE + P), HOST_READ), FAULT_BUS);
}

/* What has no page cannot be copied for a private mapping. */
static void private_mappings_of_devices_are_read_only(void **state)
{
	(void)state;
	map_owner(&owner_ops, MAP_PRIVATE, P);
	owner.maps = true;
	assert_int_equal(mm_fault(world_mm, HVA(BASE), HOST_WRITE), FAULT_SEGV_ACCERR);
	assert_int_equal(mm_fault(world_mm, HVA(BASE), HOST_READ), FAULT_OK);
	assert_false(leaf_at(BASE).writable);
}

static void owners_map_whole_pages_inside_their_vma(void **state)
{
	static const struct {
		u64 at, pa, size;
	} rows[] = {
		{ 1, 0, P },	   { 0, 1, P },	    { 0, 0, P + 1 },
		{ (u64)-P, 0, P }, { 0, 0, 3 * P }, { P, 0, 2 * P },
	};
	struct vma *vma;

	(void)state;
	map_owner(&owner_ops, MAP_SHARED, 2 * P);
	mm_read_lock(world_mm);
	vma = vma_find(world_mm, HVA(BASE));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(vma_insert_pfn(vma, HVA(BASE + rows[i].at),
						PA(PFN_AT + rows[i].pa), rows[i].size, HOST_NC,
						HOST_READ, LEVEL_4K),
				 -EINVAL);
	/* Something else is there already. */
	assert_int_equal(vma_insert_pfn(vma, HVA(BASE), PA(PFN_AT), P, HOST_NC, HOST_READ,
					LEVEL_4K),
			 0);
	assert_int_equal(vma_insert_pfn(vma, HVA(BASE), PA(PFN_AT + P), P, HOST_NC, HOST_READ,
					LEVEL_4K),
			 -EBUSY);
	mm_read_unlock(world_mm);
	assert_int_equal(leaf_at(BASE).pa.v, PFN_AT);
	assert_int_equal(leaf_at(BASE + P).level, -1);
}

static void leaves_say_whether_their_owner_allows_any_type(void **state)
{
	static const enum host_memtype types[] = { HOST_WB, HOST_NC, HOST_DEVICE };
	struct vma *vma;

	(void)state;
	map_owner(&owner_ops, MAP_SHARED, 6 * P);
	mm_read_lock(world_mm);
	vma = vma_find(world_mm, HVA(BASE));
	for (u64 i = 0; i < 6; i++) {
		vma->flags &= ~(u32)VM_ALLOW_ANY_UNCACHED;
		vma->flags |= i % 2 ? VM_ALLOW_ANY_UNCACHED : 0;
		assert_int_equal(vma_insert_pfn(vma, HVA(BASE + i * P), PA(PFN_AT + i * P), P,
						types[i / 2], HOST_READ, LEVEL_4K),
				 0);
	}
	mm_read_unlock(world_mm);
	for (u64 i = 0; i < 6; i++) {
		assert_int_equal(leaf_at(BASE + i * P).memtype, types[i / 2]);
		assert_int_equal(leaf_at(BASE + i * P).any_uncached, i % 2 && i / 2);
	}
	(void)map_anon(BASE + SZ_1G, P);
	assert_int_equal(poke_byte(BASE + SZ_1G, 1), 0);
	assert_false(leaf_at(BASE + SZ_1G).any_uncached);
	/* None of them is a page of the program's own. */
	assert_int_equal(mm_madvise(world_mm, BASE, 6 * P, MADV_DONTNEED), -EINVAL);
}

static void zaps_are_clipped_and_need_no_memory(void **state)
{
	struct vma *vma;

	(void)state;
	map_owner(&owner_ops, MAP_SHARED, 2 * SZ_2M);
	mm_read_lock(world_mm);
	vma = vma_find(world_mm, HVA(BASE));
	assert_int_equal(vma_insert_pfn(vma, HVA(BASE), PA(PFN_AT), 2 * SZ_2M, HOST_NC, HOST_READ,
					LEVEL_1G),
			 0);
	vma_zap(vma, HVA(0), HVA(BASE));
	vma_zap(vma, HVA(BASE + 2 * SZ_2M), HVA(TOP));
	assert_int_equal(leaf_at(BASE).level, LEVEL_2M);
	shadow_take(BASE);
	shadow_take(BASE + SZ_2M);
	/* Blocks that cannot be broken up for want of memory go as a whole. */
	page_fail_nth(1);
	vma_zap(vma, HVA(BASE + P), HVA(BASE + SZ_2M));
	assert_int_equal(leaf_at(BASE).level, -1);
	assert_int_equal(leaf_at(BASE + SZ_2M).level, LEVEL_2M);
	assert_int_equal(shadow.count, 1);
	page_fail_nth(1);
	vma_zap(vma, HVA(BASE + SZ_2M), HVA(BASE + SZ_2M + P));
	assert_int_equal(leaf_at(BASE + SZ_2M).level, -1);
	assert_int_equal(shadow.count, 0);
	mm_read_unlock(world_mm);
}

/* ---- races, at the moment that the notifiers are told */

static u64 dropped_at;

static void drop_meanwhile(struct mm_notifier *n, hva_t start, hva_t end)
{
	u64 at = dropped_at;

	shadow_begin(n, start, end);
	dropped_at = 0;
	if (at)
		assert_int_equal(mm_madvise(world_mm, at, P, MADV_DONTNEED), 0);
}

static const struct mm_notifier_ops dropping_ops = {
	.begin = drop_meanwhile,
	.end = shadow_end,
	.release = shadow_release,
};

/* Another thread drops the page while it is copied: the copy is not put there. */
static void a_page_dropped_meanwhile_does_not_come_back(void **state)
{
	struct mm *child;

	(void)state;
	(void)map_anon(BASE, P);
	assert_int_equal(poke_byte(BASE, 7), 0);
	assert_int_equal(poke_byte(BASE + 1, 8), 0);
	child = mm_copy(world_mm);
	assert_non_null(child);
	shadow.notifier.ops = &dropping_ops;
	dropped_at = BASE;
	assert_int_equal(poke_byte(BASE, 9), 0);
	assert_int_equal(dropped_at, 0);
	assert_int_equal(peek_byte(BASE), 9);
	assert_int_equal(peek_byte(BASE + 1), 0);
	mm_exit(child);
	mm_put(child);
}

static u64 touched_at;

static void touch_meanwhile(struct mm_notifier *n, hva_t start, hva_t end)
{
	u64 at = touched_at;

	shadow_begin(n, start, end);
	touched_at = 0;
	if (!at)
		return;
	assert_int_equal(poke_byte(at, 5), 0);
	assert_int_equal(leaf_at(at).level, LEVEL_2M);
	shadow_take(at);
}

static const struct mm_notifier_ops touching_ops = {
	.begin = touch_meanwhile,
	.end = shadow_end,
	.release = shadow_release,
};

/* Another thread's first touch brings a block while pages of it are discarded: they go, the others
 * stay, and observers hear of the block before it is broken up. */
static void a_block_that_came_meanwhile_is_not_discarded(void **state)
{
	static const u64 first[] = { 16 * P, SZ_2M - 16 * P, 0 };
	static const u64 last[] = { 32 * P, SZ_2M + 16 * P, 16 * P };
	static const u64 touched[] = { 0, 0, SZ_2M - P };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(first); i++) {
		(void)map_anon(BASE, 2 * SZ_2M);
		shadow.notifier.ops = &touching_ops;
		touched_at = BASE + touched[i];
		assert_int_equal(mm_madvise(world_mm, BASE + first[i], last[i] - first[i],
					    MADV_DONTNEED),
				 0);
		assert_int_equal(touched_at, 0);
		assert_int_equal(peek_byte(BASE + touched[i]), 5);
		assert_int_equal(leaf_at(BASE + first[i]).level, -1);
		assert_int_equal(leaf_at(BASE + touched[i]).level, LEVEL_4K);
		assert_int_equal(mm_munmap(world_mm, BASE, 2 * SZ_2M), 0);
	}
}

/* ---- the ends of the address space */

static void nothing_is_looked_up_beyond_the_end(void **state)
{
	struct host_pte pte;

	(void)state;
	assert_false(mm_peek(world_mm, HVA(TOP), &pte));
	assert_int_equal(pte.level, LEVEL_4K);
	assert_false(mm_peek(world_mm, HVA(~0UL), &pte));
}

static void stacks_stop_at_the_lowest_address(void **state)
{
	(void)state;
	assert_int_equal(mm_map_kernel(world_mm, MMAP_MIN_ADDR + P, P,
				       VM_READ | VM_WRITE | VM_GROWSDOWN, NULL, 0),
			 0);
	assert_int_equal(poke_byte(MMAP_MIN_ADDR, 1), 0);
	assert_int_equal(mm_fault(world_mm, HVA(MMAP_MIN_ADDR - 1), HOST_WRITE), FAULT_SEGV_MAPERR);
}

static void hints_are_followed_where_there_is_room(void **state)
{
	s64 at = mm_mmap(world_mm, BASE + 5, 2 * P, RW, ANON, NULL, 0), other;

	(void)state;
	assert_int_equal(at, BASE);
	/* Taken; below the lowest address; below a stack and its guard. */
	other = mm_mmap(world_mm, BASE + P, P, PROT_READ, ANON, NULL, 0);
	assert_true(other > 0 && (u64)other != BASE + P);
	assert_int_equal(mm_mmap(world_mm, P, P, RW, ANON, NULL, 0), MMAP_MIN_ADDR);
	assert_int_equal(map_at(BASE + SZ_1G, P, RW, ANON | MAP_GROWSDOWN), BASE + SZ_1G);
	other = mm_mmap(world_mm, BASE + SZ_1G - 16 * P, P, PROT_READ, ANON, NULL, 0);
	assert_true(other > 0 && (u64)other != BASE + SZ_1G - 16 * P);
	other = mm_mmap(world_mm, BASE + SZ_1G - STACK_GUARD_SIZE - P, P, PROT_READ, ANON, NULL, 0);
	assert_int_equal(other, BASE + SZ_1G - STACK_GUARD_SIZE - P);
	/* Beyond the end. */
	other = mm_mmap(world_mm, TOP - P, 2 * P, PROT_EXEC, ANON, NULL, 0);
	assert_true(other > 0 && (u64)other + 2 * P <= TOP - P);
}

static void an_address_space_can_be_full(void **state)
{
	(void)state;
	/* In its middle, so that no half of it has room. */
	assert_int_equal(map_at(TOP / 2, P, PROT_NONE, ANON), TOP / 2);
	assert_int_equal(mm_mmap(world_mm, 0, TOP / 2 + P, PROT_NONE, ANON, NULL, 0), -ENOMEM);
	assert_int_equal(mm_mmap(world_mm, 0, TOP, PROT_NONE, ANON, NULL, 0), -ENOMEM);
	assert_int_equal(mm_mmap(world_mm, 0, TOP + P, PROT_NONE, ANON | MAP_HUGETLB, NULL, 0),
			 -ENOMEM);
	/* Below the place where placement begins there is not enough; above it there is. */
	assert_int_equal(map_at(MMAP_MIN_ADDR, TOP / 2 - MMAP_MIN_ADDR, PROT_NONE, ANON),
			 MMAP_MIN_ADDR);
	assert_int_equal(map_at(TOP / 2 + P, world_mm->mmap_base - TOP / 2 - P, PROT_NONE, ANON),
			 TOP / 2 + P);
	assert_true(mm_mmap(world_mm, 0, P, RW, ANON, NULL, 0) >= (s64)world_mm->mmap_base);
}

static void an_address_space_has_so_many_mappings(void **state)
{
	u32 n = 0;
	s64 at = 0;

	(void)state;
	while (n <= VMA_COUNT_MAX && at >= 0) {
		at = map_at(BASE + n * P, P, n % 2 ? PROT_READ : PROT_NONE, ANON);
		n += at >= 0;
	}
	assert_int_equal(at, -ENOMEM);
	assert_int_equal(world_mm->vma_count, VMA_COUNT_MAX);
	mm_set_brk(world_mm, BASE - SZ_1G / 4);
	assert_int_equal(mm_brk(world_mm, BASE - SZ_1G / 8), BASE - SZ_1G / 4);
	/* Nor may one be cut in two. */
	assert_int_equal(mm_munmap(world_mm, BASE, 2 * P), 0);
	assert_int_equal(map_at(BASE - SZ_2M, 3 * P, RW, ANON), BASE - SZ_2M);
	assert_int_equal(map_at(BASE - 2 * SZ_2M, P, RW, ANON), BASE - 2 * SZ_2M);
	assert_int_equal(world_mm->vma_count, VMA_COUNT_MAX);
	assert_int_equal(mm_mprotect(world_mm, BASE - SZ_2M + P, P, PROT_READ), -ENOMEM);
	assert_int_equal(mm_munmap(world_mm, BASE - SZ_2M + P, P), -ENOMEM);
	assert_int_equal(poke_byte(BASE - SZ_2M + P, 1), 0);
}

static void the_heap_has_its_limits(void **state)
{
	(void)state;
	mm_set_brk(world_mm, BASE);
	assert_int_equal(mm_brk(world_mm, BASE - P), BASE);
	assert_int_equal(mm_brk(world_mm, TOP + P), BASE);
	assert_int_equal(mm_brk(world_mm, ~0UL), BASE);
	assert_int_equal(mm_brk(world_mm, BASE + 2 * WORLD_RAM), BASE); /* more than all memory */
	assert_int_equal(mm_brk(world_mm, BASE + P), BASE + P);
}

static void the_kernels_mappings_are_checked_too(void **state)
{
	static const struct file_ops no_mmap = { .name = "no mmap" };
	struct file *f = file_alloc(&no_mmap, NULL, O_RDWR);

	(void)state;
	assert_int_equal(mm_map_kernel(world_mm, BASE, 0, VM_READ, NULL, 0), -EINVAL);
	assert_int_equal(mm_map_kernel(world_mm, BASE, P, VM_READ, NULL, 1), -EINVAL);
	assert_int_equal(mm_map_kernel(world_mm, BASE + 1, P, VM_READ, NULL, 0), -EINVAL);
	assert_int_equal(mm_map_kernel(world_mm, TOP, P, VM_READ, NULL, 0), -ENOMEM);
	assert_int_equal(mm_map_kernel(world_mm, BASE, P, VM_READ, f, 0), -ENODEV);
	assert_int_equal(world_mm->vma_count, 0);
	file_put(f);
}

/* ---- populated, and as /proc shows it */

static void populated_mappings_have_their_pages(void **state)
{
	(void)state;
	assert_int_equal(map_at(BASE, 4 * P, RW, ANON | MAP_POPULATE | MAP_STACK), BASE);
	for (u64 i = 0; i < 4; i++)
		assert_true(leaf_at(BASE + i * P).writable);
	assert_int_equal(map_at(BASE, SZ_2M, RW, ANON | MAP_POPULATE | MAP_STACK), BASE);
	assert_int_equal(leaf_at(BASE).level, LEVEL_4K); /* stacks get no huge pages */
	assert_int_equal(map_at(BASE, 4 * P, PROT_READ, ANON | MAP_LOCKED), BASE);
	assert_true(leaf_at(BASE + 3 * P).level == LEVEL_4K && !leaf_at(BASE + 3 * P).writable);
}

static char lines[4096];

static void keep_line(struct maps_sink *sink, const char *line, size_t len)
{
	(void)sink;
	strncat(lines, line, len);
}

static void mappings_have_their_names(void **state)
{
	struct maps_sink sink = { .emit = keep_line };

	(void)state;
	assert_int_equal(mm_map_kernel(world_mm, BASE, P, VM_READ | VM_WRITE | VM_STACK, NULL, 0),
			 0);
	assert_int_equal(map_at(BASE + SZ_1G, P, RW, MAP_SHARED | MAP_ANONYMOUS), BASE + SZ_1G);
	assert_int_equal(map_at(BASE + SZ_2M, SZ_2M, RW, ANON | MAP_NORESERVE), BASE + SZ_2M);
	assert_int_equal(poke_byte(BASE + SZ_2M, 1), 0);
	lines[0] = 0;
	mm_format_smaps(world_mm, &sink);
	assert_non_null(strstr(lines, "00:00 0                                  [stack]\n"));
	assert_non_null(strstr(lines, "rw-s 00000000 00:00 0"));
	assert_non_null(strstr(lines, " /dev/zero (deleted)\n"));
	assert_non_null(strstr(lines, "AnonHugePages:      2048 kB\n"));
	assert_non_null(strstr(lines, "VmFlags: rd wr mw nr \n"));
}

/* ---- blocks of 1 GiB */

static int begin_large(void **state)
{
	return world_begin_with(state, 4UL << 30);
}

static void a_block_of_1g_is_zeroed_and_whole(void **state)
{
	int flags = ANON | MAP_HUGETLB | 30 << MAP_HUGE_SHIFT;
	struct file *f = world_file(memobj_hugetlb_new(LEVEL_1G), O_RDWR);
	s64 at;

	(void)state;
	f->traits |= FILE_HUGE_1G;
	at = map_at(0, SZ_1G, RW, flags);
	assert_true(at > 0);
	assert_int_equal(poke_byte((u64)at + SZ_1G - 1, 1), 0);
	assert_int_equal(leaf_at((u64)at).level, LEVEL_1G);
	assert_int_equal(peek_byte((u64)at), 0);
	assert_int_equal(peek_byte((u64)at + SZ_1G / 2 + SZ_2M), 0);
	assert_int_equal(mm_munmap(world_mm, (u64)at, SZ_1G), 0);
	/* The dirty block comes again, in an object, and then again to a program. */
	assert_int_equal(memobj_truncate(f->priv, SZ_1G), 0);
	at = mm_mmap(world_mm, 0, SZ_1G, RW, MAP_SHARED, f, 0);
	assert_true(at > 0);
	assert_int_equal(peek_byte((u64)at + SZ_1G - 1), 0);
	assert_int_equal(leaf_at((u64)at).level, LEVEL_1G);
	assert_int_equal(memobj_resident(f->priv), SZ_1G);
	assert_int_equal(poke_byte((u64)at + SZ_1G - 1, 1), 0);
	assert_int_equal(mm_munmap(world_mm, (u64)at, SZ_1G), 0);
	file_put(f);
	at = map_at(0, SZ_1G, RW, flags);
	assert_true(at > 0);
	assert_int_equal(peek_byte((u64)at + SZ_1G - 1), 0);
}

/* Mappings of files that are made of such blocks lie where blocks can serve them. */
static void large_mappings_of_files_are_aligned(void **state)
{
	struct file *f = file_alloc(&owner_file_ops, (void *)&owner_ops, O_RDWR);
	s64 at = mm_mmap(world_mm, 0, SZ_1G, RW, MAP_SHARED, f, 0);

	(void)state;
	assert_true(at > 0 && IS_ALIGNED((u64)at, SZ_1G));
	at = mm_mmap(world_mm, 0, SZ_1G, RW, MAP_SHARED, f, SZ_2M);
	assert_true(at > 0 && IS_ALIGNED((u64)at, SZ_2M));
	file_put(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(permissions_change_in_any_order),
		world_test(what_an_owner_answers_is_the_verdict),
		world_test(an_owner_that_maps_nothing_is_asked_again),
		world_test(a_leaf_that_its_owner_keeps_read_only_stays_so),
		world_test(an_owner_without_a_fault_handler_has_what_it_mapped),
		world_test(private_mappings_of_devices_are_read_only),
		world_test(owners_map_whole_pages_inside_their_vma),
		world_test(leaves_say_whether_their_owner_allows_any_type),
		world_test(zaps_are_clipped_and_need_no_memory),
		world_test(a_page_dropped_meanwhile_does_not_come_back),
		world_test(a_block_that_came_meanwhile_is_not_discarded),
		world_test(nothing_is_looked_up_beyond_the_end),
		world_test(stacks_stop_at_the_lowest_address),
		world_test(hints_are_followed_where_there_is_room),
		world_test(an_address_space_can_be_full),
		world_test(an_address_space_has_so_many_mappings),
		world_test(the_heap_has_its_limits),
		world_test(the_kernels_mappings_are_checked_too),
		world_test(populated_mappings_have_their_pages),
		world_test(mappings_have_their_names),
		world_test(large_mappings_of_files_are_aligned),
		cmocka_unit_test_setup_teardown(a_block_of_1g_is_zeroed_and_whole, begin_large,
						world_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
