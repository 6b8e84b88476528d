/* SPDX-License-Identifier: Apache-2.0 */
/* Where a walk of a guest's stage 1 finds its descriptors: granules, sizes, halves, byte orders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "kvm/stage1.h"

#define SCTLR_M	 1UL
#define SCTLR_EE (1UL << 25)
#define T0SZ(n)	 ((u64)(n))
#define T1SZ(n)	 ((u64)(n) << 16)
#define TG0(n)	 ((u64)(n) << 14)
#define TG1(n)	 ((u64)(n) << 30)
#define EPD0	 (1UL << 7)
#define EPD1	 (1UL << 23)
#define TBI0	 (1UL << 37)

#define TABLE(pa) ((pa) | 3UL)

static const struct walk_case {
	const char *name;
	struct stage1_regs regs;
	u64 va;
	unsigned int steps; /* 0: nothing is walked */
	int level;	    /* of the first */
	u64 next[3];	    /* the table each step but the last finds */
	u64 desc[4];
} cases[] = {
	{ "4 KiB, 48 bits",
	  { SCTLR_M, T0SZ(16), { 0x1000, 0 }, false },
	  0x8040201000,
	  4,
	  0,
	  { 0x2000, 0x3000, 0x4000 },
	  { 0x1008, 0x2008, 0x3008, 0x4008 } },
	{ "4 KiB, 39 bits",
	  { SCTLR_M, T0SZ(25), { 0x1000, 0 }, false },
	  0x7fffffffff,
	  3,
	  1,
	  { 0x2000, 0x3000 },
	  { 0x1ff8, 0x2ff8, 0x3ff8 } },
	{ "4 KiB, 40 bits: a table of two entries",
	  { SCTLR_M, T0SZ(24), { 0x10c0, 0 }, false },
	  0x8000000000,
	  4,
	  0,
	  { 0x2000, 0x3000, 0x4000 },
	  { 0x10c8, 0x2000, 0x3000, 0x4000 } },
	{ "4 KiB, 32 bits: a table of four",
	  { SCTLR_M, T0SZ(32), { 0x1040, 0 }, false },
	  0xc0000000,
	  3,
	  1,
	  { 0x2000, 0x3000 },
	  { 0x1058, 0x2000, 0x3000 } },
	{ "4 KiB, 25 bits",
	  { SCTLR_M, T0SZ(39), { 0x1000, 0 }, false },
	  0x1fff000,
	  2,
	  2,
	  { 0x2000 },
	  { 0x1078, 0x2ff8 } },
	{ "the upper half",
	  { SCTLR_M, T0SZ(16) | T1SZ(16) | TG1(2), { 0x9000, 0x1000 }, false },
	  0xffff800000000000,
	  4,
	  0,
	  { 0x2000, 0x3000, 0x4000 },
	  { 0x1800, 0x2000, 0x3000, 0x4000 } },
	{ "16 KiB, 47 bits",
	  { SCTLR_M, T0SZ(17) | TG0(2), { 0x4000, 0 }, false },
	  0x7fffffffffff,
	  3,
	  1,
	  { 0x8000, 0xc000 },
	  { 0x7ff8, 0xbff8, 0xfff8 } },
	{ "16 KiB, the upper half",
	  { SCTLR_M, T1SZ(17) | TG1(1), { 0, 0x4000 }, false },
	  0xffff800000000000,
	  3,
	  1,
	  { 0x8000, 0xc000 },
	  { 0x4000, 0x8000, 0xc000 } },
	{ "64 KiB, 48 bits",
	  { SCTLR_M, T0SZ(16) | TG0(1), { 0x10000, 0 }, false },
	  0x40020010000,
	  3,
	  1,
	  { 0x20000, 0x30000 },
	  { 0x10008, 0x20008, 0x30008 } },
	{ "64 KiB, 42 bits",
	  { SCTLR_M, T1SZ(22) | TG1(3), { 0, 0x10000 }, false },
	  0xffffffffffffffff,
	  2,
	  2,
	  { 0x20000 },
	  { 0x1fff8, 0x2fff8 } },
	{ "a tag that is ignored",
	  { SCTLR_M, T0SZ(25) | TBI0, { 0x1000, 0 }, false },
	  0x5a00000000000000,
	  3,
	  1,
	  { 0x2000, 0x3000 },
	  { 0x1000, 0x2000, 0x3000 } },
	{ "ASID and CnP are no address",
	  { SCTLR_M, T0SZ(25), { 0x00ab000000001001, 0 }, false },
	  0,
	  1,
	  1,
	  { 0 },
	  { 0x1000 } },
	{ "the MMU is off", { 0, T0SZ(25), { 0x1000, 0 }, false }, 0, 0, 0, { 0 }, { 0 } },
	{ "a tag that is not",
	  { SCTLR_M, T0SZ(25), { 0x1000, 0 }, false },
	  0x5a00000000000000,
	  0,
	  0,
	  { 0 },
	  { 0 } },
	{ "between the halves",
	  { SCTLR_M, T0SZ(25), { 0x1000, 0 }, false },
	  0x8000000000,
	  0,
	  0,
	  { 0 },
	  { 0 } },
	{ "below the upper half",
	  { SCTLR_M, T1SZ(25) | TG1(2), { 0, 0x1000 }, false },
	  0xffffff7fffffffff,
	  0,
	  0,
	  { 0 },
	  { 0 } },
	{ "EPD0", { SCTLR_M, T0SZ(25) | EPD0, { 0x1000, 0 }, false }, 0, 0, 0, { 0 }, { 0 } },
	{ "EPD1",
	  { SCTLR_M, T1SZ(25) | TG1(2) | EPD1, { 0, 0x1000 }, false },
	  0xffffffffffffffff,
	  0,
	  0,
	  { 0 },
	  { 0 } },
	{ "a reserved granule",
	  { SCTLR_M, T0SZ(25) | TG0(3), { 0x1000, 0 }, false },
	  0,
	  0,
	  0,
	  { 0 },
	  { 0 } },
	{ "a reserved granule of the upper half",
	  { SCTLR_M, T1SZ(25) | TG1(0), { 0, 0x1000 }, false },
	  0xffffffffffffffff,
	  0,
	  0,
	  { 0 },
	  { 0 } },
	{ "a size of more than 48 bits",
	  { SCTLR_M, T0SZ(12), { 0x1000, 0 }, false },
	  0,
	  0,
	  0,
	  { 0 },
	  { 0 } },
	{ "a size of less than a page",
	  { SCTLR_M, T0SZ(53), { 0x1000, 0 }, false },
	  0,
	  0,
	  0,
	  { 0 },
	  { 0 } },
};

static void check_walk(const struct walk_case *c)
{
	struct stage1_walk w;
	unsigned int n = 0;
	bool more = stage1_begin(&w, &c->regs, c->va);

	if (more && c->steps)
		assert_int_equal(w.level, c->level);
	while (more) {
		assert_true(n < c->steps);
		assert_int_equal(w.desc.v, c->desc[n]);
		n++;
		more = stage1_next(&w, n < c->steps ? TABLE(c->next[n - 1]) : 0);
	}
	assert_int_equal(n, c->steps);
}

static void descriptors_are_where_the_registers_say(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		printf("  %s\n", cases[i].name);
		check_walk(&cases[i]);
	}
}

/* AArch32's short descriptors: of 4 bytes, two levels. */
#define N(n)		((u64)(n))
#define PD0		(1UL << 4)
#define PD1		(1UL << 5)
#define EAE		(1UL << 31)
#define SHORT_TABLE(pa) ((pa) | 1UL)

static const struct walk32_case {
	const char *name;
	struct stage1_regs regs;
	u64 va;
	unsigned int steps;
	int level;
	u64 next;
	u64 desc[3];
} cases32[] = {
	{ "short",
	  { SCTLR_M, N(0), { 0x4000, 0 }, true },
	  0xfff45000,
	  2,
	  1,
	  0x9000,
	  { 0x7ffc, 0x9114 } },
	{ "short, N = 7: a table of 128 bytes",
	  { SCTLR_M, N(7), { 0x4085, 0x8000 }, true },
	  0x01f00000,
	  2,
	  1,
	  0x9400,
	  { 0x40fc, 0x9400 } },
	{ "short, N = 7: the upper part",
	  { SCTLR_M, N(7), { 0x4080, 0x8000 }, true },
	  0x02000000,
	  2,
	  1,
	  0x9400,
	  { 0x8080, 0x9400 } },
	{ "short, PD0", { SCTLR_M, N(1) | PD0, { 0x4000, 0x8000 }, true }, 0, 0, 0, 0, { 0 } },
	{ "short, PD1",
	  { SCTLR_M, N(1) | PD1, { 0x4000, 0x8000 }, true },
	  0x80000000,
	  0,
	  0,
	  0,
	  { 0 } },
	{ "short, the MMU is off", { 0, N(0), { 0x4000, 0 }, true }, 0, 0, 0, 0, { 0 } },
	{ "long, all of it",
	  { SCTLR_M, EAE, { 0x1020, 0 }, true },
	  0xc0000000,
	  2,
	  1,
	  0x3000,
	  { 0x1038, 0x3000 } },
	{ "long, the lower 1 GiB",
	  { SCTLR_M, EAE | T0SZ(2), { 0x1000, 0x5000 }, true },
	  0x3fe00000,
	  2,
	  2,
	  0x3000,
	  { 0x1ff8, 0x3000 } },
	{ "long, the rest",
	  { SCTLR_M, EAE | T0SZ(2), { 0x1000, 0x5000 }, true },
	  0x40000000,
	  2,
	  1,
	  0x3000,
	  { 0x5008, 0x3000 } },
	{ "long, the upper 512 MiB",
	  { SCTLR_M, EAE | T1SZ(3), { 0x1000, 0x5000 }, true },
	  0xe0200000,
	  2,
	  2,
	  0x3000,
	  { 0x5008, 0x3000 } },
	{ "long, between",
	  { SCTLR_M, EAE | T0SZ(2) | T1SZ(2), { 0x1000, 0x5000 }, true },
	  0x40000000,
	  0,
	  0,
	  0,
	  { 0 } },
	{ "long, EPD1",
	  { SCTLR_M, EAE | T0SZ(1) | EPD1, { 0x1000, 0x5000 }, true },
	  0x80000000,
	  0,
	  0,
	  0,
	  { 0 } },
};

static void check_walk32(const struct walk32_case *c)
{
	u64 table = c->regs.tcr & EAE ? TABLE(c->next) : SHORT_TABLE(c->next);
	struct stage1_walk w;
	unsigned int n = 0;

	for (bool more = stage1_begin(&w, &c->regs, c->va); more; n++) {
		assert_true(n < c->steps);
		assert_int_equal(w.level, c->level + (int)n);
		assert_int_equal(w.size, c->regs.tcr & EAE ? 8 : 4);
		assert_int_equal(w.desc.v, c->desc[n]);
		more = stage1_next(&w, n + 1 < c->steps ? table : 0);
	}
	assert_int_equal(n, c->steps);
}

static void aarch32_has_short_and_long_descriptors(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases32); i++) {
		printf("  %s\n", cases32[i].name);
		check_walk32(&cases32[i]);
	}
}

/* Of short ones type 1 is a table, 2 and 3 a section; at level 2 all but 0 are pages. */
static void short_descriptors_have_types_of_their_own(void **state)
{
	const struct stage1_regs regs = { SCTLR_M | SCTLR_EE, N(0), { 0x4000, 0 }, true };

	(void)state;
	for (u64 type = 0; type <= 3; type++) {
		struct stage1_walk w;

		assert_true(stage1_begin(&w, &regs, 0));
		assert_int_equal(stage1_is_leaf(&w, __builtin_bswap32(0x5000 | (u32)type)),
				 type >= 2);
		assert_int_equal(stage1_next(&w, __builtin_bswap32(0x5000 | (u32)type)), type == 1);
		if (type != 1)
			continue;
		assert_int_equal(w.desc.v, 0x5000);
		for (u64 page = 0; page <= 3; page++) {
			assert_int_equal(stage1_is_leaf(&w, __builtin_bswap32((u32)page)),
					 page > 0);
			assert_false(stage1_next(&w, __builtin_bswap32((u32)page)));
		}
	}
}

static struct stage1_walk at_level(u64 sctlr, int level)
{
	struct stage1_regs regs = { .sctlr = sctlr, .tcr = T0SZ(16), .ttbr = { 0x1000, 0 } };
	u64 table = sctlr & SCTLR_EE ? __builtin_bswap64(TABLE(0x2000UL)) : TABLE(0x2000UL);
	struct stage1_walk w;

	assert_true(stage1_begin(&w, &regs, 0));
	while (w.level < level)
		assert_true(stage1_next(&w, table));
	return w;
}

/* Types 0 and 2 are invalid, 1 is a block, 3 a table or, at level 3, a page. */
static void a_walk_ends_at_leaves_and_at_what_is_invalid(void **state)
{
	(void)state;
	for (int level = 0; level <= 3; level++) {
		for (u64 type = 0; type <= 3; type++) {
			struct stage1_walk w = at_level(SCTLR_M, level);

			assert_int_equal(stage1_is_leaf(&w, 0x5000 | type),
					 type == (level == 3 ? 3 : 1));
			assert_int_equal(stage1_next(&w, 0x5000 | type), type == 3 && level < 3);
		}
	}
}

static void tables_may_be_big_endian(void **state)
{
	struct stage1_walk w = at_level(SCTLR_M | SCTLR_EE, 1);

	(void)state;
	assert_int_equal(w.desc.v, 0x2000);
	assert_false(stage1_is_leaf(&w, 0x5001));
	assert_true(stage1_is_leaf(&w, __builtin_bswap64(0x5001)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_are_where_the_registers_say),
		cmocka_unit_test(a_walk_ends_at_leaves_and_at_what_is_invalid),
		cmocka_unit_test(tables_may_be_big_endian),
		cmocka_unit_test(aarch32_has_short_and_long_descriptors),
		cmocka_unit_test(short_descriptors_have_types_of_their_own),
	};

	return cmocka_run_group_tests_name("kvm_stage1", tests, NULL, NULL);
}
