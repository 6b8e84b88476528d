/* SPDX-License-Identifier: Apache-2.0 */
/* VMIDs: more VMs than numbers, on the model, which refuses a number taken over without a flush. */
#include "tests/unit/engine_fixture.h"

enum { VMS = 9 };

struct vms {
	struct port *p;
	struct vmid_pool pool;
	struct guest_mem m[VMS];
	struct fake_host host;
	pa_t ram;
};

static void vms_init(struct vms *w, unsigned int cpus)
{
	struct port_caps caps = caps_fwb;

	caps.cpus = (u8)cpus;
	w->p = machine_new(&caps);
	w->ram = machine_pages(w->p, SZ_2M);
	assert_int_equal(vmid_pool_init(&w->pool, w->p, 2), ERR_OK);
	for (int i = 0; i < VMS; i++) {
		struct guest_mem_config c = { 40, &fake_host_ops, &w->host };

		assert_int_equal(guest_mem_init(&w->m[i], w->p, &w->pool, &c), ERR_OK);
	}
}

static void vms_end(struct vms *w)
{
	for (int i = 0; i < VMS; i++)
		guest_mem_destroy(&w->m[i]);
	vmid_pool_destroy(&w->pool);
	assert_int_equal(machine_delete(w->p), 0);
}

static u16 enter(struct vms *w, unsigned int cpu, int vm)
{
	u64 vttbr;

	machine_cpu(w->p, cpu);
	vttbr = guest_mem_enter(&w->m[vm], cpu);
	machine_guest_enter(w->p, vttbr, w->m[vm].s2.vtcr);
	return (u16)(vttbr >> 48);
}

static void leave(struct vms *w, unsigned int cpu, int vm)
{
	machine_cpu(w->p, cpu);
	guest_mem_leave(&w->m[vm]);
	machine_guest_leave(w->p);
}

/* VM @vm maps its own page at FX_IPA. */
static void map_own(struct vms *w, int vm)
{
	struct s2_leaf leaf = { PA(w->ram.v + (u64)vm * PAGE_SIZE), S2_NORMAL, S2_R, LEVEL_4K,
				true };
	struct table_cache cache = { .count = 0 };

	assert_int_equal(table_cache_fill(&cache, w->p, 2), ERR_OK);
	assert_int_equal(stage2_commit(&w->m[vm].s2, &cache, IPA(FX_IPA), &leaf, 0),
			 S2_DONE_INSTALL);
	table_cache_drain(&cache, w->p);
}

static void numbers_that_leave_none_to_hand_out_are_refused(void **state)
{
	struct port_caps caps = caps_fwb;
	struct vmid_pool pool;
	struct port *p;

	(void)state;
	caps.cpus = 3; /* 2 bits: three numbers, all of which may be running */
	p = machine_new(&caps);
	assert_int_equal(vmid_pool_init(&pool, p, 2), ERR_INVAL);
	assert_int_equal(vmid_pool_init(&pool, p, 1), ERR_INVAL);
	assert_int_equal(vmid_pool_init(&pool, p, 9), ERR_INVAL);
	assert_int_equal(vmid_pool_init(&pool, p, 3), ERR_OK);
	vmid_pool_destroy(&pool);
	assert_int_equal(machine_delete(p), 0);
}

static void each_vm_sees_its_own_page_whoever_ran_before(void **state)
{
	struct vms w;

	(void)state;
	vms_init(&w, 2);
	for (int round = 0; round < 4; round++) {
		for (int vm = 0; vm < VMS; vm++) {
			assert_int_not_equal(enter(&w, 0, vm), 0);
			if (!round)
				map_own(&w, vm);
			assert_int_equal(machine_access(w.p, IPA(FX_IPA), MACHINE_READ).pa.v,
					 w.ram.v + (u64)vm * PAGE_SIZE);
			leave(&w, 0, vm);
		}
	}
	assert_true(w.pool.rollovers >= 9);
	vms_end(&w);
}

static void a_running_vm_keeps_its_number_over_rollovers(void **state)
{
	struct vms w;
	u16 number;

	(void)state;
	vms_init(&w, 2);
	number = enter(&w, 1, 0);
	map_own(&w, 0);
	for (int i = 0; i < 20; i++) {
		assert_int_not_equal(enter(&w, 0, 1 + i % (VMS - 1)), number);
		leave(&w, 0, 1 + i % (VMS - 1));
	}
	assert_true(w.pool.rollovers > 2);
	/* Its second vCPU gets the same number, in the new generation. */
	assert_int_equal(enter(&w, 0, 0), number);
	leave(&w, 0, 0);
	leave(&w, 1, 0);
	vms_end(&w);
}

static void two_cpus_take_turns_over_many_vms(void **state)
{
	struct vms w;
	int on[2] = { -1, -1 };

	(void)state;
	vms_init(&w, 2);
	srand(7);
	for (int i = 0; i < 2000; i++) {
		unsigned int cpu = (unsigned int)rand() % 2;
		int vm = rand() % VMS;
		bool is_first;

		if (on[cpu] >= 0)
			leave(&w, cpu, on[cpu]);
		is_first = w.m[vm].s2.vmid == 0;
		enter(&w, cpu, vm);
		on[cpu] = vm;
		if (is_first)
			map_own(&w, vm);
		assert_int_equal(machine_access(w.p, IPA(FX_IPA), MACHINE_READ).pa.v,
				 w.ram.v + (u64)vm * PAGE_SIZE);
		if (on[0] >= 0 && on[1] >= 0 && on[0] != on[1])
			assert_int_not_equal(w.m[on[0]].s2.vttbr >> 48, w.m[on[1]].s2.vttbr >> 48);
	}
	print_message("%lu rollovers\n", (unsigned long)w.pool.rollovers);
	vms_end(&w);
}

static void cycle(void *arg)
{
	struct vms *w = arg;

	for (int vm = 0; vm < VMS; vm++) {
		enter(w, 0, vm);
		map_own(w, vm);
		leave(w, 0, vm);
	}
}

static void a_rollover_without_flush_is_refused(void **state)
{
	struct vms w;

	(void)state;
	vms_init(&w, 2);
	machine_deafen(w.p, DEAF_TLBI);
	assert_true(machine_refuses(w.p, cycle, &w));
	assert_non_null(strstr(machine_refusal(w.p), "taken over"));
	machine_delete(w.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_that_leave_none_to_hand_out_are_refused),
		cmocka_unit_test(each_vm_sees_its_own_page_whoever_ran_before),
		cmocka_unit_test(a_running_vm_keeps_its_number_over_rollovers),
		cmocka_unit_test(two_cpus_take_turns_over_many_vms),
		cmocka_unit_test(a_rollover_without_flush_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
