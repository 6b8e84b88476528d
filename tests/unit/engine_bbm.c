/* SPDX-License-Identifier: Apache-2.0 */
/* Break-before-make alone: an entry that another changed first is left as it is. */
#include "engine/bbm.h"
#include "tests/unit/engine_fixture.h"

static void an_entry_that_is_not_as_expected_is_left(void **state)
{
	struct fx *f = fx_new(&caps_fwb, 48);
	struct stage2 *s2 = &f->m.s2;
	u64 *entry = &s2->root[0];
	u64 was, writes;

	(void)state;
	assert_int_equal(fx_slot(f, 0, 0, FX_IPA, PAGE_SIZE, FX_HVA), ERR_OK);
	guest_touch(f, FX_IPA, MACHINE_WRITE);
	was = *entry;
	writes = fx_stat(f, STAT_desc_write);
	assert_int_not_equal(was, DESC_EMPTY);
	assert_false(bbm_install(s2, entry, was));
	assert_int_equal(bbm_install_run(s2, entry, 2, was, PAGE_SIZE), 0);
	assert_false(bbm_relax(s2, entry, DESC_EMPTY, was));
	assert_int_equal(*entry, was);
	assert_int_equal(fx_stat(f, STAT_desc_write), writes);
	fx_delete(f);
}

static void a_vm_that_never_ran_owes_no_invalidation(void **state)
{
	struct fx *f = fx_new(&caps_fwb, 48);
	const struct guest_mem_config c = { .ipa_bits = 48,
					    .host_ops = &fake_host_ops,
					    .host = &f->host };
	struct guest_mem idle;
	struct stats st;

	(void)state;
	assert_int_equal(guest_mem_init(&idle, f->p, &f->vmids, &c), ERR_OK);
	tlb_flush_leaf(&idle.s2, FX_IPA, LEVEL_4K);
	stage2_stats(&idle.s2, &st);
	assert_int_equal(st.count[STAT_tlbi_ipa], 0);
	assert_int_equal(st.count[STAT_tlbi_stage1], 0);
	guest_mem_destroy(&idle);
	fx_delete(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_that_is_not_as_expected_is_left),
		cmocka_unit_test(a_vm_that_never_ran_owes_no_invalidation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
