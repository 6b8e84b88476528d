/* SPDX-License-Identifier: Apache-2.0 */
/* AArch32 as EL2 meets it: conditions and IT blocks, exceptions, fault status, coprocessor
 * registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "kvm/aarch32.h"
#include "kvm/coproc.h"

#define CV(cond) (1UL << 24 | (u64)(cond) << 20)
#define NZCV(n)	 ((u64)(n) << 28)

/* For which values of NZCV (bit n: N is bit 3 of n) each condition holds, by Arm ARM F1.3.1. */
static const u16 holds[16] = {
	0xf0f0, 0x0f0f, 0xcccc, 0x3333, 0xff00, 0x00ff, 0xaaaa, 0x5555,
	0x0c0c, 0xf3f3, 0xaa55, 0x55aa, 0x0a05, 0xf5fa, 0xffff, 0xffff,
};

/* IT[7:0] in PSTATE. */
#define IT(bits) ((u64)((bits)&3) << 25 | (u64)((bits) >> 2) << 10)

static void conditions_are_the_syndromes_or_the_it_blocks(void **state)
{
	(void)state;
	for (unsigned int cond = 0; cond < 16; cond++) {
		for (unsigned int flags = 0; flags < 16; flags++) {
			bool expected = holds[cond] >> flags & 1;

			assert_int_equal(aarch32_executes(CV(cond), NZCV(flags)), expected);
			assert_int_equal(aarch32_executes(0, NZCV(flags) | IT(cond << 4 | 8)),
					 expected);
			assert_true(aarch32_executes(0, NZCV(flags)));
		}
	}
}

/* ITTEE EQ: two instructions if equal, two if not. */
static void it_blocks_end_after_four_instructions(void **state)
{
	static const unsigned int steps[] = { 0x07, 0x0e, 0x1c, 0x18, 0 };
	u64 pstate = IT(steps[0]) | NZCV(5) | AARCH32_T | AARCH32_SVC;

	(void)state;
	for (unsigned int i = 1; i < ARRAY_SIZE(steps); i++) {
		pstate = aarch32_it_advance(pstate);
		assert_int_equal(pstate, IT(steps[i]) | NZCV(5) | AARCH32_T | AARCH32_SVC);
	}
	assert_int_equal(aarch32_it_advance(AARCH32_USR | NZCV(15)), AARCH32_USR | NZCV(15));
}

#define PSTATE_DIT (1UL << 24)
#define PSTATE_PAN (1UL << 22)
#define PSTATE_SS  (1UL << 21)
#define PSTATE_IL  (1UL << 20)
#define SPSR_DIT   (1U << 21)
#define A	   (1UL << 8)
#define I	   (1UL << 7)
#define F	   (1UL << 6)
#define SPAN	   (1U << 23)

static const struct enter_case {
	const char *name;
	enum aarch32_exception e;
	u64 pstate, pc;
	u32 sctlr, vbar;
	struct aarch32_entry expected;
} enter_cases[] = {
	{ "undefined in A32: A and F stay",
	  AARCH32_UNDEFINED,
	  NZCV(9) | AARCH32_USR,
	  0x8000,
	  SPAN,
	  0x100,
	  { NZCV(9) | I | AARCH32_UND, 0x104, 0x8004, 0x90000010 } },
	{ "undefined in T32, in an IT block",
	  AARCH32_UNDEFINED,
	  IT(0x1c) | F | AARCH32_T | AARCH32_SVC,
	  0x8002,
	  SPAN,
	  0x100,
	  { I | F | AARCH32_UND, 0x104, 0x8004, 0x1c73 } },
	{ "a data abort masks A; SS and IL go, DIT stays",
	  AARCH32_DATA_ABORT,
	  PSTATE_DIT | PSTATE_SS | PSTATE_IL | AARCH32_SYS,
	  0x8000,
	  SPAN,
	  0,
	  { PSTATE_DIT | A | I | AARCH32_ABT, 0x10, 0x8008, 0x10001f | SPSR_DIT } },
	{ "a prefetch abort to high vectors, T32, big-endian",
	  AARCH32_PREFETCH_ABORT,
	  AARCH32_T | AARCH32_USR,
	  0xfffffffe,
	  SPAN | 1U << 13 | 1U << 25 | 1U << 30,
	  0x100,
	  { A | I | AARCH32_E | AARCH32_T | AARCH32_ABT, 0xffff000c, 2, 0x30 } },
	{ "without SPAN: PAN",
	  AARCH32_UNDEFINED,
	  AARCH32_USR,
	  0,
	  0,
	  0x20,
	  { PSTATE_PAN | I | AARCH32_UND, 0x24, 4, 0x10 } },
};

static void exceptions_enter_their_mode(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(enter_cases); i++) {
		const struct enter_case *c = &enter_cases[i];
		struct aarch32_entry seen =
			aarch32_enter(c->e, c->pstate, c->pc, c->sctlr, c->vbar);

		printf("  %s\n", c->name);
		assert_int_equal(seen.pstate, c->expected.pstate);
		assert_int_equal(seen.pc, c->expected.pc);
		assert_int_equal(seen.lr, c->expected.lr);
		assert_int_equal(seen.spsr, c->expected.spsr);
	}
}

/* ISS: status, WnR, CM, EA. */
static void fault_status_has_two_formats(void **state)
{
	static const struct {
		u64 iss;
		u32 in_long, in_short;
	} rows[] = {
		{ 0x05, 0x205, 0x05 },	   { 0x06, 0x206, 0x07 },     { 0x09, 0x209, 0x03 },
		{ 0x0a, 0x20a, 0x06 },	   { 0x0d, 0x20d, 0x0d },     { 0x0e, 0x20e, 0x0f },
		{ 0x10, 0x210, 0x08 },	   { 0x15, 0x215, 0x0c },     { 0x16, 0x216, 0x0e },
		{ 0x21, 0x221, 0x01 },	   { 0x30, 0x230, 0x400 },    { 0x35, 0x235, 0x405 },
		{ 0x00, 0x200, 0x08 },	   { 0x07, 0x207, 0x08 },     { 0x3e, 0x23e, 0x0b },
		{ 0x146, 0x2a06, 0x2807 }, { 0x210, 0x1210, 0x1008 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(aarch32_fault_status(rows[i].iss, TTBCR_EAE), rows[i].in_long);
		assert_int_equal(aarch32_fault_status(rows[i].iss, 0), rows[i].in_short);
	}
}

/* ---- coprocessor registers */

#define EC(n) (((u64)(n)) << 26)
#define MRC(op1, crn, crm, op2)                                                                    \
	((u64)(op2) << 17 | (op1) << 14 | (crn) << 10 | 3 << 5 | (crm) << 1 | 1)
#define MRRC(op1, crm) ((u64)(op1) << 16 | 4 << 10 | 3 << 5 | (crm) << 1 | 1)

static const struct {
	u64 esr;
	u16 sr;
	u8 view;
} known[] = {
	{ EC(3) | MRC(0, 0, 0, 1), SR(3, 3, 0, 0, 1), SR_LOW },
	{ EC(3) | MRC(0, 0, 1, 4), SR(3, 0, 0, 1, 4), SR_LOW },
	{ EC(3) | MRC(0, 0, 3, 6), SR(3, 0, 0, 3, 6), SR_LOW },
	{ EC(3) | MRC(0, 0, 4, 0), SR_AARCH32_ZERO, SR_LOW }, /* not ID_AA64PFR0_EL1 */
	{ EC(3) | MRC(0, 1, 0, 0), SR(3, 0, 1, 0, 0), SR_LOW },
	{ EC(3) | MRC(0, 1, 0, 3), SR(3, 0, 1, 0, 1), SR_HIGH },
	{ EC(3) | MRC(0, 2, 0, 3), SR(3, 0, 2, 0, 2), SR_HIGH },
	{ EC(3) | MRC(0, 3, 0, 0), SR(3, 4, 3, 0, 0), SR_LOW },
	{ EC(3) | MRC(0, 5, 0, 0), SR(3, 0, 5, 2, 0), SR_LOW },
	{ EC(3) | MRC(0, 5, 0, 1), SR(3, 4, 5, 0, 1), SR_LOW },
	{ EC(3) | MRC(0, 6, 0, 2), SR(3, 0, 6, 0, 0), SR_HIGH },
	{ EC(3) | MRC(0, 7, 14, 1), SR(1, 3, 7, 14, 1), SR_LOW },
	{ EC(3) | MRC(0, 7, 14, 2), SR(1, 0, 7, 14, 2), SR_LOW },
	{ EC(3) | MRC(0, 9, 12, 0), SR(3, 3, 9, 12, 0), SR_LOW }, /* PMCR */
	{ EC(3) | MRC(0, 9, 13, 2), SR(3, 3, 9, 13, 2), SR_LOW },
	{ EC(3) | MRC(0, 9, 14, 1), SR(3, 0, 9, 14, 1), SR_LOW },  /* PMINTENSET, EL1's */
	{ EC(3) | MRC(0, 9, 14, 3), SR(3, 3, 9, 14, 3), SR_LOW },  /* PMOVSSET, EL0's */
	{ EC(3) | MRC(0, 9, 14, 5), SR(3, 3, 9, 12, 7), SR_HIGH }, /* PMCEID3 */
	{ EC(3) | MRC(0, 14, 11, 6), SR(3, 3, 14, 11, 6), SR_LOW },
	{ EC(3) | MRC(0, 14, 15, 7), SR(3, 3, 14, 15, 7), SR_LOW },
	{ EC(4) | MRRC(0, 9), SR(3, 3, 9, 13, 0), SR_PAIR }, /* PMCCNTR */
	{ EC(3) | MRC(0, 10, 3, 1), SR(3, 0, 10, 3, 0), SR_HIGH },
	{ EC(3) | MRC(0, 12, 12, 7), SR(3, 0, 12, 12, 7), SR_LOW },
	{ EC(3) | MRC(0, 14, 2, 1), SR(3, 3, 14, 2, 1), SR_LOW },
	{ EC(3) | MRC(1, 0, 0, 1), SR(3, 1, 0, 0, 1), SR_LOW },
	{ EC(3) | MRC(2, 0, 0, 0), SR(3, 2, 0, 0, 0), SR_LOW },
	{ EC(4) | MRRC(0, 2), SR(3, 0, 2, 0, 0), SR_PAIR },
	{ EC(4) | MRRC(0, 12), SR(3, 0, 12, 11, 5), SR_PAIR },
	{ EC(4) | MRRC(1, 12), SR(3, 0, 12, 11, 6), SR_PAIR },
	{ EC(4) | MRRC(2, 14), SR(3, 3, 14, 2, 2), SR_PAIR },
	{ EC(4) | MRRC(8, 14), SR(3, 3, 14, 0, 5), SR_PAIR },
	{ EC(5) | MRC(0, 0, 0, 0), SR_AARCH32_DIDR, SR_LOW },
	{ EC(5) | MRC(0, 0, 0, 4), SR(2, 0, 0, 0, 4), SR_LOW },
	{ EC(5) | MRC(0, 1, 15, 1), SR(2, 0, 0, 15, 4), SR_HIGH },
	{ EC(5) | MRC(0, 0, 15, 7), SR(2, 0, 0, 15, 7), SR_LOW },
	{ EC(5) | MRC(0, 0, 2, 2), SR(2, 0, 0, 2, 2), SR_LOW },
	{ EC(5) | MRC(0, 1, 1, 4), SR(2, 0, 1, 1, 4), SR_LOW },
	{ EC(5) | MRC(0, 7, 14, 6), SR(2, 0, 7, 14, 6), SR_LOW },
	{ EC(0xc) | MRRC(0, 2), SR_AARCH32_ZERO, SR_PAIR },
	{ EC(8) | MRC(7, 7, 0, 0), SR(3, 0, 0, 3, 0), SR_LOW }, /* VMRS MVFR0 */
	{ EC(8) | MRC(7, 5, 0, 0), SR(3, 0, 0, 3, 2), SR_LOW },
};

static void coprocessor_registers_are_views(void **state)
{
	struct sr_access a;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(known); i++) {
		assert_true(coproc_decode(known[i].esr, &a));
		assert_int_equal(a.sr, known[i].sr);
		assert_int_equal(a.view, known[i].view);
		assert_int_equal(a.rt, 3);
		assert_true(a.is_read);
		if (a.view == SR_PAIR)
			assert_int_equal(a.rt2, 4);
	}
}

static void others_are_undefined(void **state)
{
	static const u64 unknown[] = {
		EC(3) | (MRC(0, 0, 1, 4) & ~1UL), /* a write of an ID register */
		EC(3) | MRC(0, 9, 0, 2),	  EC(3) | MRC(0, 15, 0, 0),
		EC(3) | MRC(0, 9, 14, 7),	  EC(3) | MRC(1, 9, 12, 0),
		EC(3) | MRC(3, 13, 0, 2),	  EC(4) | MRRC(3, 14),
		EC(5) | MRC(6, 0, 0, 0),	  EC(6),
		EC(8) | MRC(7, 0, 0, 0),	  EC(8) | (MRC(7, 7, 0, 0) & ~1UL),
		EC(0x18) | MRC(0, 0, 0, 1),
	};
	struct sr_access a;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(unknown); i++)
		assert_false(coproc_decode(unknown[i], &a));
}

/* Each table is searched by halves: each of its rows is found, so it is sorted. */
static void all_rows_are_found(void **state)
{
	static const struct {
		unsigned int class, count;
	} tables[] = { { 3, 57 + 15 * 8 + 10 * 8 }, { 4, 9 }, { 5, 22 + 16 * 4 + 16 }, { 0xc, 2 } };

	(void)state;
	for (unsigned int t = 0; t < ARRAY_SIZE(tables); t++) {
		unsigned int found = 0;

		for (u64 iss = 1; iss < 1UL << 20; iss += 2) {
			struct sr_access a;

			if (!(iss >> 5 & 0x1f) && coproc_decode(EC(tables[t].class) | iss, &a))
				found++;
		}
		/* MRRC has Rt2 where MRC has CRn, and a bit without a meaning: all values here. */
		if (tables[t].class == 4 || tables[t].class == 0xc)
			found /= 64;
		assert_int_equal(found, tables[t].count);
	}
}

static void the_syndrome_is_aarch64s(void **state)
{
	struct sr_access a;

	(void)state;
	assert_true(coproc_decode(EC(3) | (MRC(0, 7, 14, 1) & ~1UL), &a));
	/* DC CIVAC, x3 */
	assert_int_equal(sr_access_iss(&a),
			 1 << 20 | 1 << 17 | 3 << 14 | 7 << 10 | 3 << 5 | 14 << 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_are_the_syndromes_or_the_it_blocks),
		cmocka_unit_test(it_blocks_end_after_four_instructions),
		cmocka_unit_test(exceptions_enter_their_mode),
		cmocka_unit_test(fault_status_has_two_formats),
		cmocka_unit_test(coprocessor_registers_are_views),
		cmocka_unit_test(others_are_undefined),
		cmocka_unit_test(all_rows_are_found),
		cmocka_unit_test(the_syndrome_is_aarch64s),
	};

	return cmocka_run_group_tests_name("kvm_aarch32", tests, NULL, NULL);
}
