/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests of the modelled machine: types that both stages combine to, faults of stage-1 walks, what
 * hardware writes into descriptors, stale translations as a choice, maintenance by guests.
 */
#include "tests/unit/model_fixture.h"

/* ---- types (D8.6.5, D8.6.6) */

static enum machine_type type_seen(struct vm *w, u64 attr, enum machine_s1 s1, enum machine_op op)
{
	struct machine_guest_result r;

	vm_map(w, 0, attr | RWX);
	r = vm_do(w, 0, op, s1);
	assert_int_equal(r.access.fault, MF_NONE);
	vm_unmap(w, 0);
	return r.access.type;
}

static void without_fwb_the_weaker_type_wins(void **state)
{
	struct vm w;

	(void)state;
	vm_init(&w, &caps_idc);
	assert_int_equal(type_seen(&w, WB, S1_WB, MACHINE_READ), MACHINE_WB);
	assert_int_equal(type_seen(&w, WB, S1_NC, MACHINE_READ), MACHINE_NC);
	assert_int_equal(type_seen(&w, WB, S1_DEVICE, MACHINE_READ), MACHINE_DEVICE);
	assert_int_equal(type_seen(&w, NC, S1_WB, MACHINE_READ), MACHINE_NC);
	assert_int_equal(type_seen(&w, NC, S1_DEVICE, MACHINE_READ), MACHINE_DEVICE);
	assert_int_equal(type_seen(&w, DEVICE, S1_WB, MACHINE_READ), MACHINE_DEVICE);
	/* 0b0110 is Normal, outer Non-cacheable. */
	assert_int_equal(type_seen(&w, FORCED, S1_WB, MACHINE_READ), MACHINE_NC);
	machine_delete(w.p);
}

static void with_fwb_stage2_can_force_write_back(void **state)
{
	struct vm w;

	(void)state;
	vm_init(&w, &caps_fwb);
	assert_int_equal(type_seen(&w, FORCED, S1_DEVICE, MACHINE_READ), MACHINE_WB);
	assert_int_equal(type_seen(&w, FORCED, S1_OFF, MACHINE_WRITE), MACHINE_WB);
	assert_int_equal(type_seen(&w, 7UL << 2, S1_NC, MACHINE_READ), MACHINE_NC);
	assert_int_equal(type_seen(&w, 7UL << 2, S1_WB, MACHINE_READ), MACHINE_WB);
	assert_int_equal(type_seen(&w, NC, S1_WB, MACHINE_READ), MACHINE_NC);
	assert_int_equal(type_seen(&w, NC, S1_DEVICE, MACHINE_READ), MACHINE_DEVICE);
	assert_int_equal(type_seen(&w, DEVICE, S1_WB, MACHINE_READ), MACHINE_DEVICE);
	machine_delete(w.p);
}

static void with_stage1_off_data_is_device_and_code_is_cacheable(void **state)
{
	struct vm w;

	(void)state;
	vm_init(&w, &caps_idc);
	assert_int_equal(type_seen(&w, WB, S1_OFF, MACHINE_READ), MACHINE_DEVICE);
	assert_int_equal(type_seen(&w, WB, S1_OFF, MACHINE_FETCH), MACHINE_WB);
	machine_delete(w.p);
}

/* A guest that boots with its caches off reads past the host's dirty lines, if it may. */
static void boots_uncached(void *arg)
{
	struct vm *w = arg;

	machine_line_write(w->p, vm_pa(w, 0), ATTR_WB);
	machine_hand_over(w->p, vm_pa(w, 0), 4096, "guest");
	vm_map(w, 0, (port_caps(w->p)->fwb ? FORCED : WB) | RW);
	vm_touch(w, 0, MACHINE_READ, S1_OFF);
}

static void boots_uncached_after_clean(void *arg)
{
	struct vm *w = arg;

	machine_line_write(w->p, vm_pa(w, 0), ATTR_WB);
	port_dcache_clean_inval(w->p, vm_pa(w, 0), 4096);
	machine_hand_over(w->p, vm_pa(w, 0), 4096, "guest");
	vm_map(w, 0, WB | RW);
	vm_touch(w, 0, MACHINE_READ, S1_OFF);
}

REFUSED(bad_guest_boots_uncached_without_fwb_or_clean, &caps_idc, boots_uncached, STALE_READ)
LEGAL(good_guest_boots_uncached_with_fwb, &caps_fwb, boots_uncached)
LEGAL(good_guest_boots_uncached_after_clean, &caps_idc, boots_uncached_after_clean)

static void fetches(void **state)
{
	struct vm w;

	(void)state;
	vm_init(&w, &caps_idc);
	vm_map(&w, 0, WB | RW);
	assert_int_equal(vm_do(&w, 0, MACHINE_FETCH, S1_WB).access.fault, MF_PERMISSION);
	vm_map(&w, 1, DEVICE | RWX);
	assert_int_equal(vm_do(&w, 1, MACHINE_FETCH, S1_WB).access.fault, MF_PERMISSION);
	vm_map(&w, 2, NC | RWX);
	assert_int_equal(vm_do(&w, 2, MACHINE_FETCH, S1_WB).access.fault, MF_NONE);
	machine_delete(w.p);
}

/* ---- contents through translation */

static void guests_see_what_they_wrote(void **state)
{
	struct vm w;
	u64 v;

	(void)state;
	vm_init(&w, &caps_idc);
	vm_map(&w, 0, WB | RWX);
	v = vm_touch(&w, 0, MACHINE_WRITE, S1_WB);
	machine_cpu(w.p, 1);
	assert_int_equal(vm_touch(&w, 0, MACHINE_READ, S1_WB), v);
	assert_int_equal(vm_touch(&w, 0, MACHINE_READ, S1_NC), 0);
	assert_int_equal(vm_touch(&w, 0, MACHINE_FETCH, S1_WB), v);
	assert_int_equal(machine_line_read(w.p, vm_pa(&w, 0), ATTR_WB), v);
	machine_delete(w.p);
}

static void used(void *arg, const struct machine_used *u)
{
	*(struct machine_used *)arg = *u;
}

static void an_oracle_is_told_of_each_access(void **state)
{
	struct machine_used u = { .vttbr = 0 };
	struct vm w;

	(void)state;
	vm_init(&w, &caps_idc);
	machine_on_guest_access(w.p, used, &u);
	assert_int_equal(vm_do(&w, 2, MACHINE_READ, S1_WB).access.fault, MF_TRANSLATION);
	assert_int_equal(u.vttbr, 0);
	vm_map(&w, 2, WB | RW);
	vm_touch(&w, 2, MACHINE_WRITE, S1_NC);
	assert_int_equal(u.vttbr, w.vttbr);
	assert_int_equal(u.ipa.v, vm_ipa(2).v);
	assert_int_equal(u.pa.v, vm_pa(&w, 2).v);
	assert_int_equal(u.op, MACHINE_WRITE);
	assert_int_equal(u.type, MACHINE_NC);
	assert_false(u.stale);
	port_desc_swap(w.p, &w.l3[2], 0);
	vm_touch(&w, 2, MACHINE_READ, S1_WB);
	assert_true(u.stale);
	machine_delete(w.p);
}

/* ---- stage-1 walks */

static struct machine_guest_result walk(struct vm *w, bool updates_af)
{
	struct machine_guest_op o = {
		.ipa = vm_ipa(0),
		.op = MACHINE_READ,
		.s1 = S1_WB,
		.table = { vm_ipa(1), vm_ipa(2) },
		.updates_af = updates_af,
	};

	return machine_guest(w->p, &o);
}

static void faults_of_the_walk_are_told_apart(void **state)
{
	struct machine_guest_result r;
	struct vm w;

	(void)state;
	vm_init(&w, &caps_idc);
	r = walk(&w, false);
	assert_int_equal(r.access.fault, MF_TRANSLATION);
	assert_true(r.on_walk);
	assert_int_equal(r.fault_ipa.v, vm_ipa(1).v);
	vm_map(&w, 1, WB | READ);
	r = walk(&w, false);
	assert_true(r.on_walk);
	assert_int_equal(r.fault_ipa.v, vm_ipa(2).v);
	vm_map(&w, 2, WB | READ);
	r = walk(&w, false);
	assert_int_equal(r.access.fault, MF_TRANSLATION);
	assert_false(r.on_walk);
	assert_int_equal(r.fault_ipa.v, vm_ipa(0).v);
	vm_map(&w, 0, WB | READ);
	assert_int_equal(walk(&w, false).access.fault, MF_NONE);
	machine_delete(w.p);
}

static void a_walk_that_updates_a_descriptor_writes_it(void **state)
{
	struct machine_guest_result r;
	struct vm w;

	(void)state;
	vm_init(&w, &caps_idc);
	vm_map(&w, 0, WB | READ);
	vm_map(&w, 1, WB | READ);
	vm_map(&w, 2, WB | READ);
	r = walk(&w, true);
	assert_int_equal(r.access.fault, MF_PERMISSION);
	assert_true(r.on_walk);
	assert_true(r.walk_writes);
	assert_int_equal(r.fault_ipa.v, vm_ipa(2).v);
	vm_map(&w, 2, WB | READ | WRITE);
	vm_flush(&w, vm_ipa(2).v, 3);
	r = walk(&w, true);
	assert_int_equal(r.access.fault, MF_NONE);
	assert_int_not_equal(machine_line_read(w.p, vm_pa(&w, 2), ATTR_WB), 0);
	assert_int_equal(machine_line_read(w.p, vm_pa(&w, 1), ATTR_WB), 0);
	machine_delete(w.p);
}

static void tables_in_device_memory_are_not_walked(void **state)
{
	struct machine_guest_result r;
	struct vm w;

	(void)state;
	vm_init(&w, &caps_idc);
	vm_map(&w, 1, DEVICE | RW);
	r = walk(&w, false);
	assert_int_equal(r.access.fault, MF_PERMISSION);
	assert_int_equal(r.access.level, 3);
	assert_true(r.on_walk);
	machine_delete(w.p);
}

static void stage1_off_walks_nothing(void **state)
{
	struct machine_guest_op o = { .ipa = vm_ipa(0), .s1 = S1_OFF, .table = { vm_ipa(1) } };
	struct vm w;

	(void)state;
	vm_init(&w, &caps_idc);
	vm_map(&w, 0, WB | RW);
	assert_int_equal(machine_guest(w.p, &o).access.fault, MF_NONE);
	machine_delete(w.p);
}

static void walks_see_stale_tables(void *arg)
{
	struct vm *w = arg;

	machine_line_write(w->p, vm_pa(w, 1), ATTR_WB);
	machine_hand_over(w->p, vm_pa(w, 1), 4096, "guest");
	vm_map(w, 0, WB | RW);
	vm_map(w, 1, NC | RW);
	vm_map(w, 2, WB | RW);
	walk(w, false);
}

REFUSED(bad_walk_reads_a_stale_table, &caps_idc, walks_see_stale_tables, STALE_READ)

/* ---- what hardware writes (D8.5) */

static void hardware_sets_the_access_flag(void **state)
{
	struct vm w;

	(void)state;
	vm_init(&w, &caps_idc);
	vm_map(&w, 0, WB | RW);
	port_desc_cas(w.p, &w.l3[0], w.l3[0], w.l3[0] & ~AF);
	vm_flush(&w, vm_ipa(0).v, 3);
	assert_int_equal(vm_do(&w, 0, MACHINE_READ, S1_WB).access.fault, MF_ACCESS_FLAG);
	machine_delete(w.p);

	vm_init_vtcr(&w, &caps_idc, VTCR | VTCR_HA);
	vm_map(&w, 0, WB | RW);
	port_desc_cas(w.p, &w.l3[0], w.l3[0], w.l3[0] & ~AF);
	vm_flush(&w, vm_ipa(0).v, 3);
	vm_touch(&w, 0, MACHINE_READ, S1_WB);
	assert_true((w.l3[0] & AF) != 0);
	machine_delete(w.p);
}

static void hardware_marks_dirty_on_a_write_alone(void **state)
{
	struct vm w;

	(void)state;
	vm_init_vtcr(&w, &caps_idc, VTCR | VTCR_HA | VTCR_HD);
	vm_map(&w, 0, WB | READ | DBM | XN);
	vm_touch(&w, 0, MACHINE_READ, S1_WB);
	assert_false((w.l3[0] & WRITE) != 0);
	assert_false(machine_may_write(w.p, w.vttbr, vm_ipa(0)));
	vm_touch(&w, 0, MACHINE_WRITE, S1_WB);
	assert_true((w.l3[0] & WRITE) != 0);
	/* Protected again without TLBI: a stale writable entry writes unmarked. */
	port_desc_cas(w.p, &w.l3[0], w.l3[0], w.l3[0] & ~WRITE);
	assert_true(machine_may_write(w.p, w.vttbr, vm_ipa(0)));
	vm_flush(&w, vm_ipa(0).v, 3);
	assert_false(machine_may_write(w.p, w.vttbr, vm_ipa(0)));
	machine_delete(w.p);
}

static void without_hd_the_modifier_means_nothing(void **state)
{
	struct vm w;

	(void)state;
	vm_init_vtcr(&w, &caps_idc, VTCR | VTCR_HA);
	vm_map(&w, 0, WB | READ | DBM | XN);
	assert_int_equal(vm_do(&w, 0, MACHINE_WRITE, S1_WB).access.fault, MF_PERMISSION);
	machine_delete(w.p);
}

/* A stale entry that would have to mark is no way around a descriptor that is gone. */
static void a_stale_entry_does_not_mark(void **state)
{
	struct vm w;

	(void)state;
	vm_init_vtcr(&w, &caps_idc, VTCR | VTCR_HA | VTCR_HD);
	vm_map(&w, 0, WB | READ | DBM | XN);
	port_desc_swap(w.p, &w.l3[0], 0);
	assert_int_equal(vm_do(&w, 0, MACHINE_READ, S1_WB).access.fault, MF_NONE);
	assert_int_equal(vm_do(&w, 0, MACHINE_WRITE, S1_WB).access.fault, MF_TRANSLATION);
	machine_delete(w.p);
}

static void store_over_dirty_state(void *arg)
{
	struct vm *w = arg;

	vm_map(w, 0, WB | READ | DBM | XN);
	port_desc_store(w->p, &w->l3[0], 0);
}

static void swap_over_dirty_state(void *arg)
{
	struct vm *w = arg;

	vm_map(w, 0, WB | READ | DBM | XN);
	port_desc_swap(w->p, &w->l3[0], 0);
}

static void a_plain_store_may_lose_dirty_state(void **state)
{
	struct vm w;

	(void)state;
	vm_init_vtcr(&w, &caps_idc, VTCR | VTCR_HA | VTCR_HD);
	vm_expect_refusal(&w, store_over_dirty_state, REFUSED_LOST);
	vm_init_vtcr(&w, &caps_idc, VTCR | VTCR_HA | VTCR_HD);
	vm_expect_legal(&w, swap_over_dirty_state);
	vm_init_vtcr(&w, &caps_idc, VTCR | VTCR_HA);
	vm_expect_legal(&w, store_over_dirty_state);
}

static void store_over_the_access_flag(void *arg)
{
	struct vm *w = arg;

	vm_map(w, 0, WB | READ | XN);
	port_desc_cas(w->p, &w->l3[0], w->l3[0], w->l3[0] & ~AF);
	port_desc_store(w->p, &w->l3[0], 0);
}

static void a_plain_store_may_lose_the_access_flag(void **state)
{
	struct vm w;

	(void)state;
	vm_init_vtcr(&w, &caps_idc, VTCR | VTCR_HA);
	vm_expect_refusal(&w, store_over_the_access_flag, REFUSED_LOST);
	vm_init(&w, &caps_idc);
	vm_expect_legal(&w, store_over_the_access_flag);
}

static void what_hardware_writes_is_not_counted_as_softwares(void **state)
{
	struct vm w;
	u64 writes;

	(void)state;
	vm_init_vtcr(&w, &caps_idc, VTCR | VTCR_HA | VTCR_HD);
	vm_map(&w, 0, WB | READ | DBM | XN);
	writes = machine_counts(w.p)->desc_writes;
	vm_touch(&w, 0, MACHINE_WRITE, S1_WB);
	assert_int_equal(machine_counts(w.p)->desc_writes, writes);
	machine_delete(w.p);
}

static void other_cpu_writes(void *arg)
{
	machine_access(((struct vm *)arg)->p, vm_ipa(0), MACHINE_WRITE);
}

static void hardware_has_the_last_word_before_a_change(void **state)
{
	struct vm w;
	u64 old;

	(void)state;
	vm_init_vtcr(&w, &caps_idc, VTCR | VTCR_HA | VTCR_HD);
	vm_map(&w, 0, WB | READ | DBM | XN);
	old = w.l3[0];
	machine_on_change(w.p, other_cpu_writes, &w);
	assert_false(port_desc_cas(w.p, &w.l3[0], old, 0));
	assert_int_equal(port_desc_swap(w.p, &w.l3[0], 0), old | WRITE);
	machine_delete(w.p);
}

/* ---- stale translations as a choice */

static void a_stale_translation_is_used_or_not(void **state)
{
	struct vm w;

	(void)state;
	vm_init(&w, &caps_idc);
	vm_map(&w, 0, WB | RW);
	port_desc_swap(w.p, &w.l3[0], 0);
	machine_on_choice(w.p, vm_answer, &w);
	w.answers[1] = 1;
	assert_int_equal(vm_do(&w, 0, MACHINE_READ, S1_WB).access.fault, MF_TRANSLATION);
	assert_int_equal(w.last_asked, MAY_USE_STALE);
	assert_int_equal(machine_access(w.p, vm_ipa(0), MACHINE_READ).fault, MF_NONE);
	vm_flush(&w, vm_ipa(0).v, 3);
	w.asked = 0;
	assert_int_equal(vm_do(&w, 0, MACHINE_READ, S1_WB).access.fault, MF_TRANSLATION);
	assert_int_equal(w.asked, 0);
	machine_delete(w.p);
}

static void a_fault_by_a_stale_entry_is_spurious(void **state)
{
	struct vm w;

	(void)state;
	vm_init(&w, &caps_idc);
	vm_map(&w, 0, WB | READ | XN);
	vm_map(&w, 0, WB | RW);
	vm_map(&w, 0, WB | RWX);
	machine_on_choice(w.p, vm_answer, &w);
	w.answers[0] = 2; /* the first entry of three */
	w.answers[1] = 1; /* the second */
	w.answers[2] = 1;
	assert_int_equal(machine_access(w.p, vm_ipa(0), MACHINE_WRITE).fault, MF_PERMISSION);
	assert_int_equal(machine_access(w.p, vm_ipa(0), MACHINE_WRITE).fault, MF_NONE);
	assert_int_equal(machine_access(w.p, vm_ipa(0), MACHINE_FETCH).fault, MF_PERMISSION);
	assert_int_equal(machine_access(w.p, vm_ipa(0), MACHINE_FETCH).fault, MF_NONE);
	machine_delete(w.p);
}

static void a_stale_entry_like_the_present_one_is_no_choice(void **state)
{
	struct vm w;

	(void)state;
	vm_init(&w, &caps_idc);
	vm_map(&w, 0, WB | RW);
	port_desc_swap(w.p, &w.l3[0], 0);
	vm_map(&w, 0, WB | RW);
	machine_on_choice(w.p, vm_answer, &w);
	assert_int_equal(machine_access(w.p, vm_ipa(0), MACHINE_READ).fault, MF_NONE);
	assert_int_equal(w.asked, 0);
	machine_delete(w.p);
}

/* ---- maintenance by guests */

static void maintenance_needs_a_translation_and_ivac_permission(void **state)
{
	struct machine_guest_result r;
	struct vm w;
	u64 v;

	(void)state;
	vm_init(&w, &caps_idc);
	r = machine_guest_cmo(w.p, vm_ipa(0), CMO_CLEAN);
	assert_int_equal(r.access.fault, MF_TRANSLATION);
	assert_int_equal(r.fault_ipa.v, vm_ipa(0).v);
	vm_map(&w, 0, WB | READ | XN);
	v = machine_line_write(w.p, vm_pa(&w, 0), ATTR_WB);
	assert_int_equal(machine_guest_cmo(w.p, vm_ipa(0), CMO_INVAL).access.fault, MF_PERMISSION);
	assert_int_equal(machine_line_read(w.p, vm_pa(&w, 0), ATTR_NC), 0);
	assert_int_equal(machine_guest_cmo(w.p, vm_ipa(0), CMO_CLEAN).access.fault, MF_NONE);
	assert_int_equal(machine_line_read(w.p, vm_pa(&w, 0), ATTR_NC), v);
	machine_delete(w.p);
}

static void invalidation_by_a_guest_cleans_too(void **state)
{
	struct vm w;
	u64 v;

	(void)state;
	vm_init(&w, &caps_idc);
	vm_map(&w, 0, WB | RW);
	v = vm_touch(&w, 0, MACHINE_WRITE, S1_WB);
	assert_int_equal(machine_guest_cmo(w.p, vm_ipa(0), CMO_INVAL).access.fault, MF_NONE);
	assert_int_equal(vm_touch(&w, 0, MACHINE_READ, S1_NC), v);
	machine_delete(w.p);
}

static void a_guest_makes_its_own_code_visible(void **state)
{
	struct vm w;
	u64 v;

	(void)state;
	vm_init(&w, &caps_plain);
	vm_map(&w, 0, WB | RWX);
	assert_int_equal(vm_touch(&w, 0, MACHINE_FETCH, S1_WB), 0);
	v = vm_touch(&w, 0, MACHINE_WRITE, S1_WB);
	assert_int_equal(vm_touch(&w, 0, MACHINE_FETCH, S1_WB), 0);
	machine_guest_cmo(w.p, vm_ipa(0), CMO_CLEAN_POU);
	assert_int_equal(vm_touch(&w, 0, MACHINE_FETCH, S1_WB), 0);
	machine_guest_cmo(w.p, vm_ipa(0), CMO_IC);
	assert_int_equal(vm_touch(&w, 0, MACHINE_FETCH, S1_WB), v);
	machine_delete(w.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_fwb_the_weaker_type_wins),
		cmocka_unit_test(with_fwb_stage2_can_force_write_back),
		cmocka_unit_test(with_stage1_off_data_is_device_and_code_is_cacheable),
		cmocka_unit_test(bad_guest_boots_uncached_without_fwb_or_clean),
		cmocka_unit_test(good_guest_boots_uncached_with_fwb),
		cmocka_unit_test(good_guest_boots_uncached_after_clean),
		cmocka_unit_test(fetches),
		cmocka_unit_test(guests_see_what_they_wrote),
		cmocka_unit_test(an_oracle_is_told_of_each_access),
		cmocka_unit_test(faults_of_the_walk_are_told_apart),
		cmocka_unit_test(a_walk_that_updates_a_descriptor_writes_it),
		cmocka_unit_test(tables_in_device_memory_are_not_walked),
		cmocka_unit_test(stage1_off_walks_nothing),
		cmocka_unit_test(bad_walk_reads_a_stale_table),
		cmocka_unit_test(hardware_sets_the_access_flag),
		cmocka_unit_test(hardware_marks_dirty_on_a_write_alone),
		cmocka_unit_test(without_hd_the_modifier_means_nothing),
		cmocka_unit_test(a_stale_entry_does_not_mark),
		cmocka_unit_test(a_plain_store_may_lose_dirty_state),
		cmocka_unit_test(a_stale_translation_is_used_or_not),
		cmocka_unit_test(a_fault_by_a_stale_entry_is_spurious),
		cmocka_unit_test(a_stale_entry_like_the_present_one_is_no_choice),
		cmocka_unit_test(maintenance_needs_a_translation_and_ivac_permission),
		cmocka_unit_test(invalidation_by_a_guest_cleans_too),
		cmocka_unit_test(a_guest_makes_its_own_code_visible),
		cmocka_unit_test(a_plain_store_may_lose_the_access_flag),
		cmocka_unit_test(what_hardware_writes_is_not_counted_as_softwares),
		cmocka_unit_test(hardware_has_the_last_word_before_a_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
