/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modelled machine's host mappings: aliases of one page with attributes that do not match
 * (Arm ARM, mismatched memory attributes) are refused, whichever comes first, live or stale.
 */
#include "tests/unit/model_fixture.h"

#define HVA_A 0x7f0000000000UL

static void host_maps(struct vm *w, enum machine_attr attr)
{
	machine_host_map(w->p, HVA_A, w->page, 2 * 4096, attr);
}

static void nc_over_wb(void *arg)
{
	host_maps(arg, ATTR_WB);
	vm_map(arg, 1, NC | RW);
}

static void device_over_wb(void *arg)
{
	host_maps(arg, ATTR_WB);
	vm_map(arg, 1, DEVICE | RW);
}

static void wb_over_wb(void *arg)
{
	host_maps(arg, ATTR_WB);
	vm_map(arg, 1, WB | RW);
}

static void wb_over_nc(void *arg)
{
	host_maps(arg, ATTR_NC);
	vm_map(arg, 1, WB | RW);
}

static void forced_over_device(void *arg)
{
	host_maps(arg, ATTR_DEVICE);
	vm_map(arg, 1, FORCED | RW);
}

static void device_over_nc(void *arg)
{
	host_maps(arg, ATTR_NC);
	vm_map(arg, 1, DEVICE | RW); /* M5: the owner does not allow any uncached type */
}

static void nc_beside_wb(void *arg)
{
	host_maps(arg, ATTR_WB);
	vm_map(arg, 2, NC | RW);
}

REFUSED(bad_nc_over_the_hosts_wb, &caps_fwb, nc_over_wb, ALIAS)
REFUSED(bad_device_over_the_hosts_wb, &caps_fwb, device_over_wb, ALIAS)
REFUSED(bad_wb_over_the_hosts_nc, &caps_idc, wb_over_nc, ALIAS)
REFUSED(bad_forced_wb_over_the_hosts_device, &caps_fwb, forced_over_device, ALIAS)
LEGAL(good_wb_over_the_hosts_wb, &caps_idc, wb_over_wb)
LEGAL(good_device_over_the_hosts_nc, &caps_fwb, device_over_nc)
LEGAL(good_nc_beside_the_hosts_wb, &caps_fwb, nc_beside_wb)

/* ---- the host's mapping comes second */

static void host_wb_over_nc(void *arg)
{
	vm_map(arg, 1, NC | RW);
	host_maps(arg, ATTR_WB);
}

static void host_nc_over_wb(void *arg)
{
	vm_map(arg, 1, WB | RW);
	host_maps(arg, ATTR_NC);
}

static void host_wb_over_stale_nc(void *arg)
{
	struct vm *w = arg;

	vm_map(w, 1, NC | RW);
	port_desc_swap(w->p, &w->l3[1], 0);
	host_maps(w, ATTR_WB);
}

static void host_wb_after_tlbi(void *arg)
{
	struct vm *w = arg;

	vm_map(w, 1, NC | RW);
	vm_unmap(w, 1);
	host_maps(w, ATTR_WB);
}

REFUSED(bad_hosts_wb_over_nc, &caps_fwb, host_wb_over_nc, ALIAS)
REFUSED(bad_hosts_nc_over_wb, &caps_fwb, host_nc_over_wb, ALIAS)
REFUSED(bad_hosts_wb_over_a_stale_nc, &caps_fwb, host_wb_over_stale_nc, ALIAS)
LEGAL(good_hosts_wb_after_tlbi, &caps_fwb, host_wb_after_tlbi)

/* ---- retyping */

static void retype(void *arg)
{
	struct vm *w = arg;

	host_maps(w, ATTR_WB);
	vm_map(w, 1, WB | RW);
	vm_unmap(w, 1);
	machine_host_unmap(w->p, HVA_A + 4096, 4096);
	machine_host_map(w->p, HVA_A + 4096, vm_pa(w, 1), 4096, ATTR_NC);
	vm_map(w, 1, NC | RW);
}

static void retype_in_place(void *arg)
{
	struct vm *w = arg;

	host_maps(w, ATTR_WB);
	host_maps(w, ATTR_NC); /* replaces */
	vm_map(w, 1, NC | RW);
}

static void unmap_the_neighbour(void *arg)
{
	struct vm *w = arg;

	host_maps(w, ATTR_WB);
	machine_host_unmap(w->p, HVA_A, 4096);
	vm_map(w, 1, NC | RW);
}

LEGAL(good_retype, &caps_fwb, retype)
LEGAL(good_retype_in_place, &caps_fwb, retype_in_place)
REFUSED(bad_the_neighbour_is_unmapped, &caps_fwb, unmap_the_neighbour, ALIAS)

/* ---- sizes */

static void block_over_page(void *arg)
{
	struct vm *w = arg;

	machine_host_map(w->p, HVA_A, vm_pa(w, 511), 4096, ATTR_WB);
	port_desc_store(w->p, &w->l2[1], w->page.v | BLOCK | NC | RW);
}

static void page_over_block(void *arg)
{
	struct vm *w = arg;

	machine_host_map(w->p, HVA_A, w->page, PAGES * 4096, ATTR_WB);
	vm_map(w, 511, NC | RW);
}

static void page_in_a_hole_of_a_block(void *arg)
{
	struct vm *w = arg;

	machine_host_map(w->p, HVA_A, w->page, PAGES * 4096, ATTR_WB);
	machine_host_unmap(w->p, HVA_A + 511 * 4096, 4096);
	vm_map(w, 511, NC | RW);
	vm_map(w, 510, WB | RW);
}

static void page_beside_the_hole(void *arg)
{
	page_in_a_hole_of_a_block(arg);
	vm_map(arg, 509, NC | RW);
}

static void linked_with_its_leaves(void *arg)
{
	struct vm *w = arg;
	u64 *table = port_table_alloc(w->p, 0);

	host_maps(w, ATTR_WB);
	port_desc_store(w->p, &table[5], vm_pa(w, 1).v | PAGE | NC | RW);
	port_desc_store(w->p, &w->l2[1], vm_table(w, table));
}

REFUSED(bad_block_over_the_hosts_page, &caps_fwb, block_over_page, ALIAS)
REFUSED(bad_page_over_the_hosts_block, &caps_fwb, page_over_block, ALIAS)
LEGAL(good_page_in_a_hole, &caps_fwb, page_in_a_hole_of_a_block)
REFUSED(bad_page_beside_the_hole, &caps_fwb, page_beside_the_hole, ALIAS)
REFUSED(bad_leaf_linked_with_its_table, &caps_fwb, linked_with_its_leaves, ALIAS)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_nc_over_the_hosts_wb),
		cmocka_unit_test(bad_device_over_the_hosts_wb),
		cmocka_unit_test(bad_wb_over_the_hosts_nc),
		cmocka_unit_test(bad_forced_wb_over_the_hosts_device),
		cmocka_unit_test(good_wb_over_the_hosts_wb),
		cmocka_unit_test(good_device_over_the_hosts_nc),
		cmocka_unit_test(good_nc_beside_the_hosts_wb),
		cmocka_unit_test(bad_hosts_wb_over_nc),
		cmocka_unit_test(bad_hosts_nc_over_wb),
		cmocka_unit_test(bad_hosts_wb_over_a_stale_nc),
		cmocka_unit_test(good_hosts_wb_after_tlbi),
		cmocka_unit_test(good_retype),
		cmocka_unit_test(good_retype_in_place),
		cmocka_unit_test(bad_the_neighbour_is_unmapped),
		cmocka_unit_test(bad_block_over_the_hosts_page),
		cmocka_unit_test(bad_page_over_the_hosts_block),
		cmocka_unit_test(good_page_in_a_hole),
		cmocka_unit_test(bad_page_beside_the_hole),
		cmocka_unit_test(bad_leaf_linked_with_its_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
