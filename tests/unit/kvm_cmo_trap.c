/* SPDX-License-Identifier: Apache-2.0 */
/* Trapped cache maintenance: every encoding of a system instruction, every PAR_EL1 (M12). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "kvm/cmo_trap.h"

/* ESR_EL2 of a trapped instruction: class 0x18, 32 bits. */
#define ESR_SYS(op0, op1, crn, crm, op2, rt)                                                       \
	(0x18UL << 26 | 1UL << 25 | (u64)(op0) << 20 | (u64)(op2) << 17 | (u64)(op1) << 14 |       \
	 (u64)(crn) << 10 | (u64)(rt) << 5 | (u64)(crm) << 1)
#define ESR_READS 1UL

static const struct known {
	unsigned int op1, crm, op2;
	struct cmo_op op;
} known[] = {
	{ 0, 1, 0, { CMO_ALL_FETCHES, MEM_READ, 0 } }, /* IC IALLUIS */
	{ 0, 5, 0, { CMO_ALL_FETCHES, MEM_READ, 0 } }, /* IC IALLU */
	{ 3, 5, 1, { CMO_FETCH_LINE, MEM_READ, 0 } },  /* IC IVAU */
	{ 0, 6, 1, { CMO_DATA_LINE, MEM_WRITE, 0 } },  /* DC IVAC */
	{ 3, 10, 1, { CMO_DATA_LINE, MEM_READ, 0 } },  /* DC CVAC */
	{ 3, 11, 1, { CMO_DATA_LINE, MEM_READ, 0 } },  /* DC CVAU */
	{ 3, 12, 1, { CMO_DATA_LINE, MEM_READ, 0 } },  /* DC CVAP */
	{ 3, 13, 1, { CMO_DATA_LINE, MEM_READ, 0 } },  /* DC CVADP */
	{ 3, 14, 1, { CMO_DATA_LINE, MEM_READ, 0 } },  /* DC CIVAC */
};

static const struct known *find(unsigned int op1, unsigned int crm, unsigned int op2)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(known); i++) {
		if (known[i].op1 == op1 && known[i].crm == crm && known[i].op2 == op2)
			return &known[i];
	}
	return NULL;
}

static void check_encoding(unsigned int op0, unsigned int op1, unsigned int crn, unsigned int crm,
			   unsigned int op2)
{
	const struct known *k = op0 == 1 && crn == 7 ? find(op1, crm, op2) : NULL;
	u64 esr = ESR_SYS(op0, op1, crn, crm, op2, 0);
	struct cmo_op op;

	assert_false(cmo_decode(esr | ESR_READS, &op));
	assert_int_equal(cmo_decode(esr, &op), k != NULL);
	if (!k)
		return;
	assert_int_equal(op.what, k->op.what);
	assert_int_equal(op.access, k->op.access);
	assert_int_equal(op.rt, 0);
}

/* Set and way, DC ZVA and all else are no maintenance by address. */
static void m12_only_maintenance_is_decoded(void **state)
{
	(void)state;
	for (unsigned int sr = 0; sr < 1 << 16; sr++)
		check_encoding(sr >> 14, sr >> 11 & 7, sr >> 7 & 15, sr >> 3 & 15, sr & 7);
}

static void m12_the_register_has_the_address(void **state)
{
	struct cmo_op op;

	(void)state;
	for (unsigned int rt = 0; rt < 32; rt++) {
		assert_true(cmo_decode(ESR_SYS(1, 3, 7, 14, 1, rt), &op));
		assert_int_equal(op.rt, rt);
	}
}

/* PAR_EL1 of a failed translation. */
#define PAR_FAULT(status, s, ptw) (1UL | (u64)(status) << 1 | (u64)(ptw) << 8 | (u64)(s) << 9)

static void m12_a_translation_that_works_performs(void **state)
{
	/* Attributes, shareability and an output address of 52 bits. */
	u64 par = 0xff0f123456789b80UL;

	(void)state;
	assert_int_equal(cmo_verdict(par & ~1UL), CMO_PERFORM);
	assert_int_equal(cmo_output(par).v, 0xf123456789000UL);
}

static void m12_a_fault_is_that_of_its_stage(void **state)
{
	(void)state;
	for (unsigned int status = 0; status < 64; status++) {
		u64 own = PAR_FAULT(status, 0, 0), second = PAR_FAULT(status, 1, 0),
		    walk = PAR_FAULT(status, 1, 1);

		assert_int_equal(cmo_verdict(own), CMO_STAGE1_FAULT);
		assert_int_equal(cmo_verdict(second), CMO_STAGE2_FAULT);
		assert_int_equal(cmo_verdict(walk), CMO_WALK_FAULT);
		/* CM and WnR always; S1PTW for a walk. */
		assert_int_equal(cmo_abort_iss(own), 0x140 | status);
		assert_int_equal(cmo_abort_iss(second), 0x140 | status);
		assert_int_equal(cmo_abort_iss(walk), 0x1c0 | status);
	}
}

static void m12_a_missing_permission_is_known(void **state)
{
	(void)state;
	for (unsigned int status = 0; status < 64; status++)
		assert_int_equal(cmo_lacks_permission(PAR_FAULT(status, 1, 0)),
				 status >= 0x0c && status <= 0x0f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(m12_only_maintenance_is_decoded),
		cmocka_unit_test(m12_the_register_has_the_address),
		cmocka_unit_test(m12_a_translation_that_works_performs),
		cmocka_unit_test(m12_a_fault_is_that_of_its_stage),
		cmocka_unit_test(m12_a_missing_permission_is_known),
	};

	return cmocka_run_group_tests_name("kvm_cmo_trap", tests, NULL, NULL);
}
