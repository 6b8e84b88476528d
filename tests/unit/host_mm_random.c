/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random sequences of memory system calls against a reference that knows one byte of each page; and
 * every allocation of every call failing once, without a leak.
 */
#include <stdio.h>

#include "host_world.h"

#define BASE	   0x10000000UL
#define PAGES	   1536UL /* three blocks of 2 MiB */
#define FILE_PAGES 700UL
#define STEPS	   6000

enum kind { UNMAPPED, ANON, PRIVATE_FILE, SHARED_FILE };

/* What each page of the range should be. */
struct ref_page {
	enum kind kind;
	int prot;
	bool copied; /* PRIVATE_FILE: has a copy */
	u8 byte;     /* of ANON, or of the copy */
	u64 file_page;
};

static struct ref_page ref[PAGES];
static u8 ref_file[FILE_PAGES];
static u64 ref_file_size; /* in pages */
static struct memobj *object;
static struct file *file;
static u64 seed;

static u64 chance(u64 n)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (seed >> 33) % n;
}

/* The byte a read should give, or -EFAULT. */
static int expected(const struct ref_page *p)
{
	if (p->kind == UNMAPPED || p->prot == PROT_NONE)
		return -EFAULT;
	if (p->kind == ANON)
		return p->byte;
	if (p->kind == PRIVATE_FILE && p->copied)
		return p->byte;
	return p->file_page < ref_file_size ? ref_file[p->file_page] : -EFAULT;
}

static void check_page(u64 i)
{
	int want = expected(&ref[i]);
	int got = peek_byte(BASE + i * PAGE_SIZE + 9);

	if (want != got)
		print_error("page %lu: kind %d prot %d, expected %d, got %d\n", (unsigned long)i,
			    ref[i].kind, ref[i].prot, want, got);
	assert_int_equal(want, got);
}

/* Whatever a stage 2 would still hold is what the table says. */
static void check_shadow(void)
{
	for (u32 i = 0; i < shadow.count; i++) {
		int level;
		u64 *entry = pgt_lookup_locked(world_mm, shadow.held[i].addr, &level);

		assert_ptr_equal(entry, shadow.held[i].entry);
		assert_false(leaf_narrows(shadow.held[i].pte, *entry));
	}
	assert_int_equal(shadow.begun, 0);
}

/* ---- the operations on [first, first + n) pages */

static void op_map_anon(u64 first, u64 n)
{
	int prot = chance(4) ? RW : PROT_READ;

	assert_int_equal(map_at(BASE + first * PAGE_SIZE, n * PAGE_SIZE, prot,
				MAP_PRIVATE | MAP_ANONYMOUS),
			 BASE + first * PAGE_SIZE);
	for (u64 i = first; i < first + n; i++)
		ref[i] = (struct ref_page){ .kind = ANON, .prot = prot };
}

static void op_map_file(u64 first, u64 n)
{
	enum kind kind = chance(2) ? SHARED_FILE : PRIVATE_FILE;
	u64 from = chance(FILE_PAGES);
	s64 at = mm_mmap(world_mm, BASE + first * PAGE_SIZE, n * PAGE_SIZE, RW,
			 (kind == SHARED_FILE ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED, file,
			 from * PAGE_SIZE);

	assert_int_equal(at, BASE + first * PAGE_SIZE);
	for (u64 i = 0; i < n; i++)
		ref[first + i] =
			(struct ref_page){ .kind = kind, .prot = RW, .file_page = from + i };
}

static void op_unmap(u64 first, u64 n)
{
	assert_int_equal(mm_munmap(world_mm, BASE + first * PAGE_SIZE, n * PAGE_SIZE), 0);
	for (u64 i = first; i < first + n; i++)
		ref[i].kind = UNMAPPED;
}

static void op_protect(u64 first, u64 n)
{
	static const int prots[] = { PROT_NONE, PROT_READ, RW, RW };
	int prot = prots[chance(ARRAY_SIZE(prots))];
	bool hole = false;

	for (u64 i = first; i < first + n; i++) {
		hole |= ref[i].kind == UNMAPPED;
		if (!hole)
			ref[i].prot = prot;
	}
	assert_int_equal(mm_mprotect(world_mm, BASE + first * PAGE_SIZE, n * PAGE_SIZE, prot),
			 hole ? -ENOMEM : 0);
}

static void op_write(u64 first, u64 n)
{
	for (u64 i = first; i < first + min(n, 40UL); i++) {
		struct ref_page *p = &ref[i];
		u8 byte = (u8)chance(256);
		bool ok = p->kind != UNMAPPED && (p->prot & PROT_WRITE) &&
			  (p->kind == ANON || p->copied || p->file_page < ref_file_size);

		assert_int_equal(poke_byte(BASE + i * PAGE_SIZE + 9, byte), ok ? 0 : -EFAULT);
		if (!ok)
			continue;
		if (p->kind == SHARED_FILE)
			ref_file[p->file_page] = byte;
		else
			p->byte = byte;
		p->copied = p->kind == PRIVATE_FILE;
	}
}

static void op_dontneed(u64 first, u64 n)
{
	bool hole = false;

	for (u64 i = first; i < first + n; i++) {
		hole |= ref[i].kind == UNMAPPED;
		ref[i].copied = false;
		ref[i].byte = 0;
	}
	assert_int_equal(mm_madvise(world_mm, BASE + first * PAGE_SIZE, n * PAGE_SIZE,
				    MADV_DONTNEED),
			 hole ? -ENOMEM : 0);
}

static void op_advise(u64 first, u64 n)
{
	(void)mm_madvise(world_mm, BASE + first * PAGE_SIZE, n * PAGE_SIZE,
			 chance(2) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

static void op_move(u64 first, u64 n)
{
	u64 to = chance(PAGES - n + 1);
	struct ref_page moved[PAGES];
	const struct vma *v = vma_find(world_mm, HVA(BASE + first * PAGE_SIZE));

	/* One VMA that has it all, and a target apart from it: the rest is for the errno table. */
	if (!v || v->end.v < BASE + (first + n) * PAGE_SIZE || (to < first + n && first < to + n))
		return;
	assert_int_equal(mm_mremap(world_mm, BASE + first * PAGE_SIZE, n * PAGE_SIZE, n * PAGE_SIZE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, BASE + to * PAGE_SIZE),
			 BASE + to * PAGE_SIZE);
	memcpy(moved, &ref[first], n * sizeof(ref[0]));
	for (u64 i = first; i < first + n; i++)
		ref[i].kind = UNMAPPED;
	memcpy(&ref[to], moved, n * sizeof(ref[0]));
}

static void op_punch(u64 first, u64 n)
{
	first %= FILE_PAGES;
	n = min(n, FILE_PAGES - first);
	assert_int_equal(memobj_fallocate(object, 3, first * PAGE_SIZE, n * PAGE_SIZE), 0);
	memset(&ref_file[first], 0, n);
}

static void op_truncate(u64 first, u64 n)
{
	u64 pages = (first + n) % FILE_PAGES;

	assert_int_equal(memobj_truncate(object, pages * PAGE_SIZE), 0);
	if (pages < ref_file_size)
		memset(&ref_file[pages], 0, FILE_PAGES - pages);
	for (u64 i = 0; i < PAGES && pages < ref_file_size; i++) {
		if (ref[i].kind == PRIVATE_FILE && ref[i].file_page >= pages)
			ref[i].copied = false;
	}
	ref_file_size = pages;
}

static void op_take(u64 first, u64 n)
{
	for (u64 i = first; i < first + min(n, 64UL); i++)
		shadow_take(BASE + i * PAGE_SIZE);
}

static void op_read(u64 first, u64 n)
{
	for (u64 i = first; i < first + min(n, 64UL); i++)
		check_page(i);
}

static void random_sequences_match_the_reference(void **state)
{
	static void (*const ops[])(u64, u64) = {
		op_map_anon, op_map_anon, op_map_file, op_unmap,    op_protect,
		op_protect,  op_write,	  op_write,    op_write,    op_dontneed,
		op_move,     op_move,	  op_punch,    op_truncate, op_take,
		op_take,     op_read,	  op_read,     op_advise,
	};

	(void)state;
	seed = 42;
	memset(ref, 0, sizeof(ref));
	memset(ref_file, 0, sizeof(ref_file));
	object = memobj_new();
	file = world_file(object, O_RDWR);
	ref_file_size = FILE_PAGES;
	assert_int_equal(memobj_truncate(object, FILE_PAGES * PAGE_SIZE), 0);
	for (u64 step = 0; step < STEPS; step++) {
		u64 first = chance(8) ? chance(PAGES) : chance(3) * 512;
		u64 n = chance(4) ? 1 + chance(40) : 1 + chance(PAGES);

		ops[chance(ARRAY_SIZE(ops))](first, min(n, PAGES - first));
		check_shadow();
	}
	for (u64 i = 0; i < PAGES; i++)
		check_page(i);
	assert_true(shadow.begins > 1000);
	file_put(file);
}

/* ---- failing allocations */

/* A call under test; >= 0 when it worked. */
typedef s64 (*call_fn)(u64 base);

static s64 call_map(u64 base)
{
	return map_at(base + 32 * SZ_2M, SZ_2M, RW, MAP_PRIVATE | MAP_ANONYMOUS);
}

static s64 call_map_shared(u64 base)
{
	return map_at(base + 32 * SZ_2M, SZ_2M, RW, MAP_SHARED | MAP_ANONYMOUS);
}

static s64 call_map_over(u64 base)
{
	return map_at(base + PAGE_SIZE, PAGE_SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS);
}

static s64 call_unmap(u64 base)
{
	return mm_munmap(world_mm, base + 5 * PAGE_SIZE, PAGE_SIZE);
}

static s64 call_protect(u64 base)
{
	return mm_mprotect(world_mm, base + 9 * PAGE_SIZE, PAGE_SIZE, PROT_READ);
}

static s64 call_dontneed(u64 base)
{
	return mm_madvise(world_mm, base + 3 * PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED);
}

static s64 call_nohugepage(u64 base)
{
	return mm_madvise(world_mm, base + 3 * PAGE_SIZE, PAGE_SIZE, MADV_NOHUGEPAGE);
}

static s64 call_move(u64 base)
{
	return mm_mremap(world_mm, base + PAGE_SIZE, 3 * PAGE_SIZE, 3 * PAGE_SIZE,
			 MREMAP_MAYMOVE | MREMAP_FIXED, base + 64 * SZ_2M);
}

static s64 call_fault(u64 base)
{
	return poke_byte(base + SZ_2M, 1);
}

static s64 call_brk(u64 base)
{
	u64 want = base + 128 * SZ_2M + SZ_2M;

	mm_set_brk(world_mm, base + 128 * SZ_2M);
	return mm_brk(world_mm, want) == (s64)want ? 0 : -ENOMEM;
}

static s64 call_new_mm(u64 base)
{
	struct mm *mm = mm_new();

	(void)base;
	if (!mm)
		return -ENOMEM;
	mm_put(mm);
	model_host_grace();
	return 0;
}

static s64 call_fork(u64 base)
{
	struct mm *mm = mm_copy(world_mm);

	(void)base;
	if (!mm)
		return -ENOMEM;
	mm_exit(mm);
	mm_put(mm);
	model_host_grace();
	return 0;
}

static s64 call_object(u64 base)
{
	struct memobj *o = memobj_new();
	int error;

	(void)base;
	if (!o)
		return -ENOMEM;
	error = memobj_truncate(o, 1UL << 40);
	if (!error)
		error = memobj_fallocate(o, 1, (1UL << 40) - 2 * PAGE_SIZE, 2 * PAGE_SIZE);
	memobj_put(o);
	return error;
}

static const struct {
	const char *name;
	call_fn call;
} calls[] = {
	{ "mmap", call_map },
	{ "mmap shared", call_map_shared },
	{ "mmap over", call_map_over },
	{ "munmap", call_unmap },
	{ "mprotect", call_protect },
	{ "dontneed", call_dontneed },
	{ "nohugepage", call_nohugepage },
	{ "mremap", call_move },
	{ "fault", call_fault },
	{ "brk", call_brk },
	{ "mm_new", call_new_mm },
	{ "fork", call_fork },
	{ "memobj", call_object },
};

static void check_content(u64 base, const char *name)
{
	for (u64 i = 0; i < 512; i++) {
		if (peek_byte(base + i * PAGE_SIZE) != (int)(u8)(i + 1))
			print_error("%s: page %lu\n", name, (unsigned long)i);
		assert_int_equal(peek_byte(base + i * PAGE_SIZE), (u8)(i + 1));
	}
}

/* One call, its n-th allocation failing for each n; false: it no longer fails. */
static bool fails_cleanly(u64 base, size_t c, u64 n)
{
	s64 ret;

	page_fail_nth(n);
	ret = calls[c].call(base);
	page_fail_nth(0);
	if (ret >= 0)
		return false;
	assert_true(ret == -ENOMEM || ret == -EFAULT);
	if (calls[c].call != call_map_over) /* Linux, too, leaves the hole that it made */
		check_content(base, calls[c].name);
	check_shadow();
	return true;
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	for (size_t c = 0; c < ARRAY_SIZE(calls); c++) {
		u64 base = BASE + c * 256 * SZ_2M;
		u64 n = 1;

		assert_int_equal(map_at(base, SZ_2M, RW, MAP_PRIVATE | MAP_ANONYMOUS), base);
		assert_int_equal(map_at(base + SZ_2M, PAGE_SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS),
				 base + SZ_2M);
		for (u64 i = 0; i < 512; i++)
			assert_int_equal(poke_byte(base + i * PAGE_SIZE, (u8)(i + 1)), 0);
		shadow_take(base);
		while (n < 100 && fails_cleanly(base, c, n))
			n++;
		assert_in_range(n, 2, 99);
		assert_int_equal(mm_munmap(world_mm, base, 256 * SZ_2M), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(random_sequences_match_the_reference),
		world_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
