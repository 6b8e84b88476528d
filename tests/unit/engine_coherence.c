/* SPDX-License-Identifier: Apache-2.0 */
/* M11: how a range stays coherent, and what user space owes. */
#include "engine/coherence.h"
#include "tests/unit/engine_fixture.h"

#define MIB (1UL << 20)

static struct fx *begin(const struct port_caps *caps, u64 size)
{
	struct fx *f = fx_new(caps, 40);

	f->host.special = true;
	assert_int_equal(fx_slot(f, 0, 0, FX_IPA, size, FX_HVA), ERR_OK);
	return f;
}

static struct coherence_report ask(struct fx *f, u64 ipa, u64 size)
{
	struct coherence_report r = { 0 };

	for (int i = 0; r.done < size; i++) {
		u64 before = r.done;

		assert_int_equal(coherence_query(&f->m, IPA(ipa), size, &r), ERR_OK);
		assert_true(r.done > before && i < 1000);
	}
	assert_int_equal(r.done, size);
	return r;
}

static void m11_every_class_says_what_is_owed(void **state)
{
	static const enum coherence expected[S2_TYPE_COUNT][2] = {
		{ COHERENCE_GUEST, COHERENCE_FORCED },
		{ COHERENCE_NC, COHERENCE_NC },
		{ COHERENCE_DEVICE, COHERENCE_DEVICE },
	};

	(void)state;
	for (int t = 0; t < S2_TYPE_COUNT; t++) {
		assert_int_equal(coherence_of((enum s2_type)t, &caps_plain), expected[t][0]);
		assert_int_equal(coherence_of((enum s2_type)t, &caps_fwb), expected[t][1]);
	}
	for (int c = 0; c <= COHERENCE_MIXED; c++) {
		enum coherence class = (enum coherence)c;
		bool is_cached = class == COHERENCE_FORCED || class == COHERENCE_GUEST;
		bool is_known = class != COHERENCE_UNKNOWN && class != COHERENCE_MIXED;
		unsigned int both = OWED_BEFORE_READ | OWED_AFTER_WRITE;

		/* Write-back that is not forced, or may be, is the guest's choice. */
		assert_int_equal(coherence_owed(class, AGENT_VMM),
				 class == COHERENCE_GUEST || !is_known ? both : 0);
		/* What may lie in a cache, a device that bypasses caches does not see. */
		assert_int_equal(coherence_owed(class, AGENT_DMA_BYPASS),
				 is_cached || !is_known ? both | OWED_BEFORE_WRITE : 0);
		/* What always lies in a cache, a snooping device sees; else stale lines too. */
		assert_int_equal(coherence_owed(class, AGENT_DMA_SNOOPS),
				 class == COHERENCE_FORCED ? 0 : both);
		assert_true(strlen(coherence_text(class)) > 3);
	}
	assert_string_equal(coherence_text((enum coherence)(COHERENCE_MIXED + 1)), "no class");
}

static void m11_forced_write_back_owes_nothing_to_migration(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB);
	struct coherence_report r;

	(void)state;
	guest_touch(f, FX_IPA, MACHINE_WRITE);
	r = ask(f, FX_IPA, PAGE_SIZE);
	assert_int_equal(r.all, COHERENCE_FORCED);
	assert_int_equal(r.bytes[COHERENCE_FORCED], PAGE_SIZE);
	assert_int_equal(r.mapped, PAGE_SIZE);
	assert_int_equal(r.owed[AGENT_VMM], OWED_NOTHING);
	assert_int_equal(r.owed[AGENT_DMA_BYPASS],
			 OWED_BEFORE_READ | OWED_AFTER_WRITE | OWED_BEFORE_WRITE);
	fx_delete(f);
}

static void m11_without_fwb_the_guest_chooses(void **state)
{
	struct fx *f = begin(&caps_plain, 4 * MIB);
	struct coherence_report r;

	(void)state;
	guest_touch(f, FX_IPA, MACHINE_WRITE);
	r = ask(f, FX_IPA, PAGE_SIZE);
	assert_int_equal(r.all, COHERENCE_GUEST);
	assert_int_equal(r.owed[AGENT_VMM], OWED_BEFORE_READ | OWED_AFTER_WRITE);
	fx_delete(f);
}

static void m11_what_is_not_mapped_is_what_it_would_get(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB);
	struct coherence_report r;
	u64 faults;

	(void)state;
	f->host.type = MEM_DEVICE;
	f->host.reach = REACH_NONE;
	f->host.present[1] = 1;
	faults = f->host.faults;
	r = ask(f, FX_IPA, 4 * PAGE_SIZE);
	assert_int_equal(r.mapped, 0);
	assert_int_equal(r.bytes[COHERENCE_DEVICE], PAGE_SIZE);
	assert_int_equal(r.bytes[COHERENCE_UNKNOWN], 3 * PAGE_SIZE);
	assert_int_equal(r.all, COHERENCE_DEVICE);
	assert_int_equal(r.owed[AGENT_VMM], OWED_BEFORE_READ | OWED_AFTER_WRITE);
	assert_int_equal(f->host.faults, faults); /* asked nobody for a page */
	fx_check_stats(f);
	fx_delete(f);
}

static void m11_a_mixed_range_owes_what_its_parts_owe(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB);
	struct coherence_report r;

	(void)state;
	guest_touch(f, FX_IPA, MACHINE_READ);
	f->host.type = MEM_NC;
	guest_touch(f, FX_IPA + PAGE_SIZE, MACHINE_READ);
	r = ask(f, FX_IPA, 2 * PAGE_SIZE);
	assert_int_equal(r.all, COHERENCE_MIXED);
	assert_int_equal(r.bytes[COHERENCE_FORCED], PAGE_SIZE);
	assert_int_equal(r.bytes[COHERENCE_NC], PAGE_SIZE);
	assert_int_equal(r.mapped, 2 * PAGE_SIZE);
	assert_int_equal(r.owed[AGENT_VMM], OWED_NOTHING);
	assert_int_equal(r.owed[AGENT_DMA_BYPASS],
			 OWED_BEFORE_READ | OWED_AFTER_WRITE | OWED_BEFORE_WRITE);
	fx_delete(f);
}

static void m11_holes_between_slots_are_one_step(void **state)
{
	struct fx *f = begin(&caps_fwb, 2 * PAGE_SIZE);
	struct coherence_report r = { 0 };

	(void)state;
	guest_touch(f, FX_IPA, MACHINE_READ);
	assert_int_equal(coherence_query(&f->m, IPA(0), 1UL << 40, &r), ERR_OK);
	assert_int_equal(r.done, 1UL << 40);
	assert_int_equal(r.all, COHERENCE_FORCED);
	assert_int_equal(r.mapped, PAGE_SIZE);
	assert_int_equal(r.bytes[COHERENCE_UNKNOWN], (1UL << 40) - PAGE_SIZE);
	fx_delete(f);
}

static void m11_one_call_is_bounded_and_can_be_resumed(void **state)
{
	struct fx *f = begin(&caps_fwb, 16 * MIB);
	struct coherence_report r = { 0 };

	(void)state;
	memset(f->host.present, 1, 4096);
	assert_int_equal(coherence_query(&f->m, IPA(FX_IPA), 16 * MIB, &r), ERR_OK);
	assert_int_equal(r.done, COHERENCE_STEPS * PAGE_SIZE);
	r = ask(f, FX_IPA, 16 * MIB);
	assert_int_equal(r.bytes[COHERENCE_FORCED], 16 * MIB);
	assert_int_equal(r.all, COHERENCE_FORCED);
	fx_delete(f);
}

static void m11_a_block_is_asked_about_from_its_middle(void **state)
{
	struct fx *f = fx_new(&caps_fwb, 40);
	struct coherence_report r;

	(void)state;
	fx_host_ram(f, 4 * MIB, LEVEL_2M);
	assert_int_equal(fx_slot(f, 0, 0, FX_IPA, 4 * MIB, FX_HVA), ERR_OK);
	guest_touch(f, FX_IPA, MACHINE_READ);
	r = ask(f, FX_IPA + MIB, 2 * MIB);
	assert_int_equal(r.mapped, MIB);
	assert_int_equal(r.bytes[COHERENCE_FORCED], MIB);
	assert_int_equal(r.bytes[COHERENCE_UNKNOWN], MIB);
	fx_delete(f);
}

static void m11_a_range_must_be_pages_of_the_vm(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB);
	struct coherence_report r = { 0 };

	(void)state;
	assert_int_equal(coherence_query(&f->m, IPA(FX_IPA + 1), PAGE_SIZE, &r), ERR_INVAL);
	assert_int_equal(coherence_query(&f->m, IPA(FX_IPA), 1, &r), ERR_INVAL);
	assert_int_equal(coherence_query(&f->m, IPA(1UL << 40), PAGE_SIZE, &r), ERR_INVAL);
	assert_int_equal(coherence_query(&f->m, IPA(FX_IPA), 1UL << 40, &r), ERR_INVAL);
	assert_int_equal(coherence_query(&f->m, IPA(1UL << 41), 0, &r), ERR_INVAL);
	assert_int_equal(coherence_query(&f->m, IPA(1UL << 40), 0, &r), ERR_OK);
	assert_int_equal(r.done, 0);
	fx_delete(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(m11_every_class_says_what_is_owed),
		cmocka_unit_test(m11_forced_write_back_owes_nothing_to_migration),
		cmocka_unit_test(m11_without_fwb_the_guest_chooses),
		cmocka_unit_test(m11_what_is_not_mapped_is_what_it_would_get),
		cmocka_unit_test(m11_a_mixed_range_owes_what_its_parts_owe),
		cmocka_unit_test(m11_holes_between_slots_are_one_step),
		cmocka_unit_test(m11_one_call_is_bounded_and_can_be_resumed),
		cmocka_unit_test(m11_a_block_is_asked_about_from_its_middle),
		cmocka_unit_test(m11_a_range_must_be_pages_of_the_vm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
