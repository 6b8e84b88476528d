/* SPDX-License-Identifier: Apache-2.0 */
/* M9: prefault of a slot or a part of it. What KVM_PRE_FAULT_MEMORY does is in engine_guest.c. */
#include "tests/unit/engine_fixture.h"

#define MIB (1UL << 20)

/* Slot 3, an I/O slot: device memory whose driver populates lazily. */
static struct fx *begin(u64 size)
{
	struct fx *f = fx_new(&caps_fwb, 40);

	f->host.type = MEM_DEVICE;
	f->host.reach = REACH_NONE;
	f->host.special = true;
	assert_int_equal(fx_slot(f, 3, 0, FX_IPA, size, FX_HVA), ERR_OK);
	return f;
}

static struct prefault_result go(struct fx *f, u64 offset, u64 size, enum prefault_how how)
{
	struct slot_span span = { offset, size };

	return guest_mem_prefault_slot(&f->m, 3, span, how);
}

static u64 mapped(struct fx *f)
{
	struct s2_run run;
	u64 bytes = 0;

	for (u64 at = 0; stage2_dump(&f->m.s2, IPA(at), &run); at = run.ipa.v + run.size)
		bytes += run.size;
	return bytes;
}

static void m9_leaves_that_are_there_are_mapped_and_none_is_asked_for(void **state)
{
	struct fx *f = begin(16 * PAGE_SIZE);
	struct prefault_result r;

	(void)state;
	f->host.present[2] = f->host.present[5] = 1;
	r = go(f, 0, 16 * PAGE_SIZE, PREFAULT_PRESENT);
	assert_int_equal(r.error, ERR_OK);
	assert_int_equal(r.done, 16 * PAGE_SIZE);
	assert_int_equal(r.skipped, 14 * PAGE_SIZE);
	assert_int_equal(r.skip_why, WHY_NOT_PRESENT);
	assert_int_equal(f->host.faults, 0);
	assert_int_equal(mapped(f), 2 * PAGE_SIZE);
	/* A page that the driver has not populated is no event. */
	assert_int_equal(fx_stat(f, STAT_host_fault), 0);
	fx_check_stats(f);
	fx_delete(f);
}

static void m9_the_driver_populates_only_the_range_asked_for(void **state)
{
	struct fx *f = begin(16 * PAGE_SIZE);
	struct prefault_result r;
	struct s2_leaf leaf;

	(void)state;
	r = go(f, 4 * PAGE_SIZE, 3 * PAGE_SIZE, PREFAULT_POPULATE);
	assert_int_equal(r.error, ERR_OK);
	assert_int_equal(r.done, 3 * PAGE_SIZE);
	assert_int_equal(r.skipped, 0);
	assert_int_equal(f->host.faults, 3);
	assert_int_equal(f->host.write_faults, 0);
	for (int i = 0; i < 16; i++)
		assert_int_equal(f->host.present[i], i >= 4 && i < 7);
	assert_int_equal(mapped(f), 3 * PAGE_SIZE);
	assert_true(stage2_lookup(&f->m.s2, IPA(FX_IPA + 4 * PAGE_SIZE), &leaf));
	assert_int_equal(leaf.type, S2_DEVICE);
	fx_delete(f);
}

static void m9_a_block_is_mapped_once(void **state)
{
	struct fx *f = fx_new(&caps_fwb, 40);
	struct prefault_result r;

	(void)state;
	fx_host_ram(f, 8 * MIB, LEVEL_2M);
	f->host.present[0] = f->host.present[2] = 1;
	assert_int_equal(fx_slot(f, 3, 0, FX_IPA, 8 * MIB, FX_HVA), ERR_OK);
	r = go(f, MIB, 7 * MIB, PREFAULT_PRESENT);
	assert_int_equal(r.done, 7 * MIB);
	assert_int_equal(r.skipped, 4 * MIB);
	assert_int_equal(mapped(f), 4 * MIB);
	assert_int_equal(fx_stat(f, STAT_install), 2);
	fx_delete(f);
}

static void m9_what_cannot_be_mapped_is_skipped_with_its_reason(void **state)
{
	struct fx *f = begin(4 * PAGE_SIZE);
	struct prefault_result r;

	(void)state;
	f->host.end = FX_HVA + 2 * PAGE_SIZE;
	r = go(f, 0, 4 * PAGE_SIZE, PREFAULT_PRESENT);
	assert_int_equal(r.skip_why, WHY_NO_VMA);
	assert_int_equal(r.skipped, 4 * PAGE_SIZE);
	r = go(f, 0, 4 * PAGE_SIZE, PREFAULT_POPULATE);
	assert_int_equal(r.skip_why, WHY_NO_VMA);
	assert_int_equal(r.skipped, 2 * PAGE_SIZE);
	assert_int_equal(r.done, 4 * PAGE_SIZE);
	fx_delete(f);
}

static void m9_prefault_stops_and_is_resumed_where_it_stopped(void **state)
{
	struct fx *f = begin(8 * MIB);
	struct prefault_result r;

	(void)state;
	machine_fail_alloc(f->p, 3);
	r = go(f, 0, 8 * MIB, PREFAULT_POPULATE);
	assert_int_equal(r.error, ERR_NOMEM);
	assert_int_equal(r.why, WHY_HOST_NOMEM);
	assert_true(r.done > 0 && r.done < 8 * MIB);
	assert_int_equal(mapped(f), r.done);
	r = go(f, r.done, 8 * MIB - r.done, PREFAULT_POPULATE);
	assert_int_equal(r.error, ERR_OK);
	assert_int_equal(mapped(f), 8 * MIB);
	fx_delete(f);
}

static void m9_a_host_that_keeps_changing_is_not_counted_as_done(void **state)
{
	struct fx *f = begin(4 * PAGE_SIZE);
	struct prefault_result r;

	(void)state;
	f->host.fault_error = ERR_AGAIN;
	r = go(f, 0, 4 * PAGE_SIZE, PREFAULT_POPULATE);
	assert_int_equal(r.error, ERR_AGAIN);
	assert_int_equal(r.why, WHY_RACED);
	assert_int_equal(r.done, 0);
	f->host.fault_error = ERR_INTR;
	r = go(f, 0, 4 * PAGE_SIZE, PREFAULT_POPULATE);
	assert_int_equal(r.error, ERR_INTR);
	assert_int_equal(r.why, WHY_HOST_SIGNAL);
	fx_delete(f);
}

struct open_range {
	struct fx *f;
	hva_t start, end;
};

static void open_range(void *arg)
{
	struct open_range *r = arg;

	guest_mem_invalidate_begin(&r->f->m, r->start, r->end);
}

static void m13_prefault_maps_nothing_that_is_being_invalidated(void **state)
{
	struct fx *f = begin(4 * PAGE_SIZE);
	struct open_range range = { f, HVA(FX_HVA), HVA(FX_HVA + PAGE_SIZE) };
	struct prefault_result r;

	(void)state;
	f->host.present[0] = 1;
	f->host.after_leaf = open_range;
	f->host.after_leaf_arg = &range;
	r = go(f, 0, PAGE_SIZE, PREFAULT_PRESENT);
	assert_int_equal(r.error, ERR_AGAIN);
	assert_int_equal(r.done, 0);
	assert_int_equal(mapped(f), 0);
	guest_mem_invalidate_end(&f->m, range.start, range.end);
	r = go(f, 0, PAGE_SIZE, PREFAULT_PRESENT);
	assert_int_equal(r.error, ERR_OK);
	assert_int_equal(mapped(f), PAGE_SIZE);
	fx_delete(f);
}

/* ---- runs of leaves */

static void populate(struct fx *f, u64 pages)
{
	for (u64 i = 0; i < pages; i++)
		f->host.present[i] = 1;
}

static void m9_leaves_that_follow_each_other_are_mapped_in_one_step(void **state)
{
	struct fx *f = begin(1200 * PAGE_SIZE);
	u64 publishes = machine_counts(f->p)->dsb;
	struct prefault_result r;

	(void)state;
	populate(f, 1100);
	r = go(f, PAGE_SIZE, 1150 * PAGE_SIZE, PREFAULT_PRESENT);
	assert_int_equal(r.error, ERR_OK);
	assert_int_equal(r.done, 1150 * PAGE_SIZE);
	assert_int_equal(r.skipped, 51 * PAGE_SIZE);
	assert_int_equal(mapped(f), 1099 * PAGE_SIZE);
	assert_int_equal(fx_stat(f, STAT_install), 1099);
	assert_int_equal(fx_stat(f, STAT_limit_host), 1099);
	/* Not one for each page. */
	assert_true(machine_counts(f->p)->dsb - publishes < 32);
	fx_check_stats(f);
	fx_delete(f);
}

static void m9_a_run_ends_where_range_and_slot_end(void **state)
{
	struct fx *f = begin(8 * PAGE_SIZE);

	(void)state;
	populate(f, 16);
	assert_int_equal(go(f, 0, 3 * PAGE_SIZE, PREFAULT_PRESENT).done, 3 * PAGE_SIZE);
	assert_int_equal(mapped(f), 3 * PAGE_SIZE);
	assert_int_equal(guest_mem_prefault(&f->m, IPA(FX_IPA), 16 * PAGE_SIZE).done,
			 8 * PAGE_SIZE);
	assert_int_equal(mapped(f), 8 * PAGE_SIZE);
	fx_delete(f);
}

static void m9_a_run_ends_where_the_host_does_not_go_on(void **state)
{
	struct fx *f = begin(16 * PAGE_SIZE);
	struct s2_leaf leaf;

	(void)state;
	populate(f, 16);
	f->host.jump = FX_HVA + 5 * PAGE_SIZE; /* other memory follows */
	for (u64 i = 0; i < 16; i++)
		f->host.writable[i] = i != 9;
	assert_int_equal(go(f, 0, 16 * PAGE_SIZE, PREFAULT_PRESENT).done, 16 * PAGE_SIZE);
	for (u64 i = 0; i < 16; i++) {
		u64 pa = f->host.pa + (i < 5 ? i : i + 1) * PAGE_SIZE;

		assert_true(stage2_lookup(&f->m.s2, IPA(FX_IPA + i * PAGE_SIZE), &leaf));
		assert_int_equal(leaf.pa.v, pa);
		assert_int_equal(leaf.perms & S2_W, i == 9 ? 0 : S2_W);
	}
	fx_check_stats(f);
	fx_delete(f);
}

static void m13_a_run_maps_nothing_that_is_being_invalidated(void **state)
{
	struct fx *f = begin(4 * PAGE_SIZE);
	struct open_range range = { f, HVA(FX_HVA + 2 * PAGE_SIZE), HVA(FX_HVA + 3 * PAGE_SIZE) };
	struct prefault_result r;
	struct s2_leaf leaf;

	(void)state;
	populate(f, 4);
	f->host.after_leaf = open_range;
	f->host.after_leaf_arg = &range;
	r = go(f, 0, 4 * PAGE_SIZE, PREFAULT_PRESENT);
	assert_int_equal(r.error, ERR_AGAIN);
	assert_int_equal(r.done, 2 * PAGE_SIZE);
	assert_false(stage2_lookup(&f->m.s2, IPA(FX_IPA + 2 * PAGE_SIZE), &leaf));
	guest_mem_invalidate_end(&f->m, range.start, range.end);
	r = go(f, 2 * PAGE_SIZE, 2 * PAGE_SIZE, PREFAULT_PRESENT);
	assert_int_equal(r.error, ERR_OK);
	assert_int_equal(mapped(f), 4 * PAGE_SIZE);
	fx_delete(f);
}

static void m9_a_span_must_lie_in_the_slot(void **state)
{
	static const struct slot_span bad[] = {
		{ 1, PAGE_SIZE },
		{ 0, 1 },
		{ 5 * PAGE_SIZE, 0 },
		{ PAGE_SIZE, 4 * PAGE_SIZE },
		{ PAGE_SIZE, ~0UL << PAGE_SHIFT },
	};
	struct fx *f = begin(4 * PAGE_SIZE);
	struct slot_span whole = { 0, 4 * PAGE_SIZE };
	struct prefault_result r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		r = guest_mem_prefault_slot(&f->m, 3, bad[i], PREFAULT_POPULATE);
		assert_int_equal(r.error, ERR_INVAL);
		assert_int_equal(r.why, WHY_SPAN_OUTSIDE);
		assert_int_equal(r.done, 0);
	}
	r = guest_mem_prefault_slot(&f->m, 2, whole, PREFAULT_POPULATE);
	assert_int_equal(r.error, ERR_NOENT);
	assert_int_equal(r.why, WHY_SLOT_NO_SUCH);
	assert_int_equal(f->host.faults, 0);
	fx_delete(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(m9_leaves_that_are_there_are_mapped_and_none_is_asked_for),
		cmocka_unit_test(m9_the_driver_populates_only_the_range_asked_for),
		cmocka_unit_test(m9_a_block_is_mapped_once),
		cmocka_unit_test(m9_what_cannot_be_mapped_is_skipped_with_its_reason),
		cmocka_unit_test(m9_prefault_stops_and_is_resumed_where_it_stopped),
		cmocka_unit_test(m9_a_host_that_keeps_changing_is_not_counted_as_done),
		cmocka_unit_test(m13_prefault_maps_nothing_that_is_being_invalidated),
		cmocka_unit_test(m9_leaves_that_follow_each_other_are_mapped_in_one_step),
		cmocka_unit_test(m9_a_run_ends_where_range_and_slot_end),
		cmocka_unit_test(m9_a_run_ends_where_the_host_does_not_go_on),
		cmocka_unit_test(m13_a_run_maps_nothing_that_is_being_invalidated),
		cmocka_unit_test(m9_a_span_must_lie_in_the_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
