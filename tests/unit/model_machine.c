/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modelled machine by itself, without the engine: for each thing it refuses, the sequence that
 * is just legal and the one that just is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "port/model/machine.h"

#define LEAF   (1UL << 0 | 1UL << 1 | 0xfUL << 2 | 1UL << 6 | 3UL << 8 | 1UL << 10 | 1UL << 54)
#define BLOCK  (LEAF & ~(1UL << 1))
#define WRITE  (1UL << 7)
#define XN     (1UL << 54)
#define IPA_A  0x40000000UL
#define VMID_1 (1UL << 48)

/* One VM, 39-bit IPA: a level 1 root, a level 2 and a level 3 table on the way to IPA_A. */
struct world {
	struct port *p;
	u64 *l1, *l2, *l3;
	u64 vttbr, vtcr;
	pa_t page;
};

static const struct port_caps caps = {
	.fwb = true,
	.dic = true,
	.idc = true,
	.ttl = true,
	.tlb_range = true,
	.pa_bits = 40,
	.ipa_bits = 40,
	.vmid_bits = 8,
	.cpus = 2,
};

static u64 table_desc(struct world *w, u64 *table)
{
	return port_table_pa(w->p, table).v | 3;
}

/* @vtcr: bits of VTCR_EL2 beside the size. */
static void world_init_vtcr(struct world *w, const struct port_caps *c, u64 vtcr)
{
	w->p = machine_new(c);
	w->l1 = port_table_alloc(w->p, 0);
	w->l2 = port_table_alloc(w->p, 0);
	w->l3 = port_table_alloc(w->p, 0);
	w->vttbr = port_table_pa(w->p, w->l1).v | VMID_1;
	w->vtcr = (64 - 39 + (1 << 6)) | vtcr;
	w->page = machine_pages(w->p, 2 * SZ_2M);
	for (unsigned int cpu = 0; cpu < 2; cpu++) {
		machine_cpu(w->p, cpu);
		machine_guest_enter(w->p, w->vttbr, w->vtcr);
	}
	machine_cpu(w->p, 0);
	port_desc_store(w->p, &w->l1[1], table_desc(w, w->l2));
	port_desc_store(w->p, &w->l2[0], table_desc(w, w->l3));
}

static void world_init(struct world *w, const struct port_caps *c)
{
	world_init_vtcr(w, c, 0);
}

static void flush(struct world *w, u64 ipa, int level)
{
	struct port_tlbi t;

	port_tlbi_enter(w->p, &t, &w->vttbr);
	port_tlbi_ipa(w->p, &t, IPA(ipa), level);
	port_tlbi_stage1(w->p, &t);
	port_tlbi_leave(w->p, &t);
}

static void expect_refusal(struct world *w, void (*fn)(void *arg), const char *what)
{
	if (!machine_refuses(w->p, fn, w))
		fail_msg("not refused: %s", what);
	if (!strstr(machine_refusal(w->p), what))
		fail_msg("refused for another reason: %s", machine_refusal(w->p));
	machine_delete(w->p);
}

static void expect_legal(struct world *w, void (*fn)(void *arg))
{
	if (machine_refuses(w->p, fn, w))
		fail_msg("refused: %s", machine_refusal(w->p));
	machine_delete(w->p);
}

#define PAGE_0(w) ((w)->page.v | LEAF)
#define PAGE_1(w) (((w)->page.v + 4096) | LEAF)

/* ---- break before make (R_WHZWS) */

static void replace_without_break(void *arg)
{
	struct world *w = arg;

	port_desc_store(w->p, &w->l3[0], PAGE_0(w));
	port_desc_store(w->p, &w->l3[0], PAGE_1(w));
}

static void bad_output_address_changes_without_break(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, replace_without_break, "without break");
}

static void replace_with_break(void *arg)
{
	struct world *w = arg;

	port_desc_store(w->p, &w->l3[0], PAGE_0(w));
	port_desc_store(w->p, &w->l3[0], 0);
	flush(w, IPA_A, 3);
	port_desc_store(w->p, &w->l3[0], PAGE_1(w));
}

static void good_output_address_changes_with_break(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_legal(&w, replace_with_break);
}

static void replace_without_tlbi(void *arg)
{
	struct world *w = arg;

	port_desc_store(w->p, &w->l3[0], PAGE_0(w));
	port_desc_store(w->p, &w->l3[0], 0);
	port_desc_store(w->p, &w->l3[0], PAGE_1(w));
}

static void bad_break_without_tlbi(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, replace_without_tlbi, "missing TLBI");
}

static void replace_after_wrong_tlbi(void *arg)
{
	struct world *w = arg;

	port_desc_store(w->p, &w->l3[0], PAGE_0(w));
	port_desc_store(w->p, &w->l3[0], 0);
	flush(w, IPA_A + 4096, 3);
	port_desc_store(w->p, &w->l3[0], PAGE_1(w));
}

static void bad_tlbi_of_the_neighbour(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, replace_after_wrong_tlbi, "missing TLBI");
}

static void replace_after_wrong_level(void *arg)
{
	struct world *w = arg;

	port_desc_store(w->p, &w->l3[0], PAGE_0(w));
	port_desc_store(w->p, &w->l3[0], 0);
	flush(w, IPA_A, 2);
	port_desc_store(w->p, &w->l3[0], PAGE_1(w));
}

static void bad_tlbi_with_the_wrong_level_hint(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, replace_after_wrong_level, "missing TLBI");
}

static void replace_without_stage1(void *arg)
{
	struct world *w = arg;
	struct port_tlbi t;

	port_desc_store(w->p, &w->l3[0], PAGE_0(w));
	port_desc_store(w->p, &w->l3[0], 0);
	port_tlbi_enter(w->p, &t, &w->vttbr);
	port_tlbi_ipa(w->p, &t, IPA(IPA_A), 3);
	port_tlbi_leave(w->p, &t);
	port_desc_store(w->p, &w->l3[0], PAGE_1(w));
}

static void bad_combined_entries_are_left(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, replace_without_stage1, "missing TLBI");
}

static void replace_stage1_first(void *arg)
{
	struct world *w = arg;
	struct port_tlbi t;

	port_desc_store(w->p, &w->l3[0], PAGE_0(w));
	port_desc_store(w->p, &w->l3[0], 0);
	port_tlbi_enter(w->p, &t, &w->vttbr);
	port_tlbi_stage1(w->p, &t);
	port_tlbi_ipa(w->p, &t, IPA(IPA_A), 3);
	port_tlbi_leave(w->p, &t);
	port_desc_store(w->p, &w->l3[0], PAGE_1(w));
}

static void bad_stage1_is_invalidated_before_stage2(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, replace_stage1_first, "missing TLBI");
}

static void replace_not_complete(void *arg)
{
	struct world *w = arg;
	struct port_tlbi t;

	port_desc_store(w->p, &w->l3[0], PAGE_0(w));
	port_desc_store(w->p, &w->l3[0], 0);
	port_tlbi_enter(w->p, &t, &w->vttbr);
	port_tlbi_ipa(w->p, &t, IPA(IPA_A), 3);
	port_tlbi_stage1(w->p, &t);
	port_desc_store(w->p, &w->l3[0], PAGE_1(w));
}

static void bad_tlbi_without_completion(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, replace_not_complete, "missing TLBI");
}

static void clear_after_enter(void *arg)
{
	struct world *w = arg;
	struct port_tlbi t;

	port_desc_store(w->p, &w->l3[0], PAGE_0(w));
	port_tlbi_enter(w->p, &t, &w->vttbr);
	port_desc_store(w->p, &w->l3[0], 0);
	port_tlbi_ipa(w->p, &t, IPA(IPA_A), 3);
	port_tlbi_stage1(w->p, &t);
	port_tlbi_leave(w->p, &t);
	port_desc_store(w->p, &w->l3[0], PAGE_1(w));
}

static void bad_tlbi_before_the_store_is_visible(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, clear_after_enter, "missing TLBI");
}

static void flush_other_vmid(void *arg)
{
	struct world *w = arg;
	u64 other = (w->vttbr & ~(0xffffUL << 48)) | 2UL << 48;
	struct port_tlbi t;

	port_desc_store(w->p, &w->l3[0], PAGE_0(w));
	port_desc_store(w->p, &w->l3[0], 0);
	port_tlbi_enter(w->p, &t, &other);
	port_tlbi_vmid(w->p, &t);
	port_tlbi_leave(w->p, &t);
	port_desc_store(w->p, &w->l3[0], PAGE_1(w));
}

static void bad_tlbi_of_another_vmid(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, flush_other_vmid, "missing TLBI");
}

static void change_permissions(void *arg)
{
	struct world *w = arg;

	port_desc_store(w->p, &w->l3[0], PAGE_0(w));
	port_desc_store(w->p, &w->l3[0], PAGE_0(w) | WRITE);
	port_desc_store(w->p, &w->l3[0], PAGE_0(w) & ~XN);
	port_desc_store(w->p, &w->l3[0], PAGE_0(w) & ~(1UL << 10));
}

static void good_permissions_and_access_flag_change_in_place(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_legal(&w, change_permissions);
}

static void change_type(void *arg)
{
	struct world *w = arg;

	port_desc_store(w->p, &w->l3[0], PAGE_0(w));
	port_desc_store(w->p, &w->l3[0], (PAGE_0(w) & ~0x3cUL) | 1UL << 2);
}

static void bad_memory_type_changes_without_break(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, change_type, "without break");
}

/* ---- size changes */

static void block_over_stale_page(void *arg)
{
	struct world *w = arg;

	port_desc_store(w->p, &w->l3[7], PAGE_0(w));
	port_desc_store(w->p, &w->l3[7], 0);
	port_desc_store(w->p, &w->l2[0], 0);
	flush(w, IPA_A, -1); /* the table, but not the page at +7 */
	port_desc_store(w->p, &w->l2[0], w->page.v | BLOCK);
}

static void bad_block_over_a_page_that_is_still_cached(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, block_over_stale_page, "missing TLBI");
}

static void block_to_table(void *arg)
{
	struct world *w = arg;

	port_desc_store(w->p, &w->l2[1], w->page.v | BLOCK);
	port_desc_store(w->p, &w->l2[1], 0);
	port_desc_store(w->p, &w->l2[1], table_desc(w, port_table_alloc(w->p, 0)));
}

static void bad_table_over_a_block_that_is_still_cached(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, block_to_table, "missing TLBI");
}

static void block_to_table_directly(void *arg)
{
	struct world *w = arg;

	port_desc_store(w->p, &w->l2[1], w->page.v | BLOCK);
	port_desc_store(w->p, &w->l2[1], table_desc(w, port_table_alloc(w->p, 0)));
}

static void bad_block_becomes_table_without_break(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, block_to_table_directly, "without break");
}

/* A table of the pages of block @block, which is at level 2. */
static u64 table_of_block(struct world *w, u64 block)
{
	u64 *table = port_table_alloc(w->p, 0);

	for (u64 i = 0; i < 512; i++)
		port_desc_store(w->p, &table[i], (block | 1UL << 1) + i * PAGE_SIZE);
	return table_desc(w, table);
}

static void block_to_same_table(void *arg)
{
	struct world *w = arg;
	u64 block = w->page.v | BLOCK;

	port_desc_store(w->p, &w->l2[1], block);
	port_desc_store(w->p, &w->l2[1], table_of_block(w, block));
}

static void table_to_same_block(void *arg)
{
	struct world *w = arg;
	u64 block = w->page.v | BLOCK;

	port_desc_store(w->p, &w->l2[1], table_of_block(w, block));
	port_desc_store(w->p, &w->l2[1], block);
}

static void table_to_other_block(void *arg)
{
	struct world *w = arg;
	u64 block = w->page.v | BLOCK;

	port_desc_store(w->p, &w->l2[1], table_of_block(w, block));
	port_desc_store(w->p, &w->l2[1], block | WRITE);
}

static void size_changes(u8 bbm, void (*fn)(void *arg), bool is_legal)
{
	struct port_caps c = caps;
	struct world w;

	c.bbm = bbm;
	world_init(&w, &c);
	if (is_legal)
		expect_legal(&w, fn);
	else
		expect_refusal(&w, fn, "without break");
}

static void good_size_changes_without_break_at_bbm_level_2(void **state)
{
	(void)state;
	size_changes(2, block_to_same_table, true);
	size_changes(2, table_to_same_block, true);
}

static void bad_size_changes_without_break_below_bbm_level_2(void **state)
{
	(void)state;
	size_changes(1, block_to_same_table, false);
	size_changes(1, table_to_same_block, false);
}

static void bad_size_and_permissions_change_without_break_at_bbm_level_2(void **state)
{
	(void)state;
	size_changes(2, table_to_other_block, false);
	size_changes(2, block_to_table_directly, false);
}

/* ---- tables */

static void free_linked(void *arg)
{
	struct world *w = arg;

	port_table_free(w->p, w->l3, 0);
}

static void bad_linked_table_is_freed(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, free_linked, "linked");
}

static void free_cached(void *arg)
{
	struct world *w = arg;

	port_desc_store(w->p, &w->l2[0], 0);
	port_table_retire(w->p, w->l3);
}

static void bad_table_is_freed_before_tlbi(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, free_cached, "may still walk");
}

static void free_after_leaf_tlbi(void *arg)
{
	struct world *w = arg;

	port_desc_store(w->p, &w->l2[0], 0);
	flush(w, IPA_A, 3); /* a level hint reaches leaves only */
	port_table_retire(w->p, w->l3);
}

static void bad_table_is_freed_after_a_tlbi_of_leaves_only(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, free_after_leaf_tlbi, "may still walk");
}

static void free_at_once(void *arg)
{
	struct world *w = arg;

	port_desc_store(w->p, &w->l2[0], 0);
	flush(w, IPA_A, -1);
	port_table_free(w->p, w->l3, 0);
}

static void bad_table_is_freed_without_a_grace_period(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, free_at_once, "grace period");
}

static void free_then_use(void *arg)
{
	struct world *w = arg;
	u64 *table = port_table_alloc(w->p, 0);

	port_table_free(w->p, table, 0);
	port_desc_load(w->p, &table[0]);
}

static void bad_freed_table_is_read(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, free_then_use, "freed table");
}

static void retire_then_read(void *arg)
{
	struct world *w = arg;

	port_desc_store(w->p, &w->l2[0], 0);
	flush(w, IPA_A, -1);
	port_table_retire(w->p, w->l3);
	port_desc_load(w->p, &w->l3[0]);
}

static void good_retired_table_is_read_until_the_grace_period_ends(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_legal(&w, retire_then_read);
}

static void retire_quiesce_read(void *arg)
{
	struct world *w = arg;

	retire_then_read(w);
	machine_quiesce(w->p);
	port_desc_load(w->p, &w->l3[0]);
}

static void bad_retired_table_is_read_after_the_grace_period(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, retire_quiesce_read, "freed table");
}

/* ---- VMIDs */

static u64 *second_vm(struct world *w, u64 vmid)
{
	u64 *root = port_table_alloc(w->p, 0);

	machine_guest_enter(w->p, port_table_pa(w->p, root).v | vmid << 48, w->vtcr);
	return root;
}

static void take_vmid(void *arg)
{
	struct world *w = arg;

	port_desc_store(w->p, &w->l3[0], PAGE_0(w));
	second_vm(w, 1);
}

static void bad_vmid_is_taken_over_without_flush(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, take_vmid, "taken over");
}

static void take_other_vmid(void *arg)
{
	struct world *w = arg;

	port_desc_store(w->p, &w->l3[0], PAGE_0(w));
	second_vm(w, 2);
}

static void good_two_vms_have_two_vmids(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_legal(&w, take_other_vmid);
}

/* ---- owners and caches */

static const struct port_caps caps_no_fwb = {
	.idc = true,
	.pa_bits = 40,
	.ipa_bits = 40,
	.vmid_bits = 8,
	.cpus = 2,
};

static void take_mapped(void *arg)
{
	struct world *w = arg;

	port_desc_store(w->p, &w->l3[0], PAGE_0(w));
	port_desc_store(w->p, &w->l3[0], 0);
	machine_host_takes(w->p, w->page, 4096);
}

static void bad_page_changes_owner_before_tlbi(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, take_mapped, "another owner");
}

static void take_uncleaned(void *arg)
{
	struct world *w = arg;

	port_desc_store(w->p, &w->l3[0], PAGE_0(w));
	port_desc_store(w->p, &w->l3[0], 0);
	flush(w, IPA_A, 3);
	machine_host_takes(w->p, w->page, 4096);
}

static void bad_page_changes_owner_uncleaned_without_fwb(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps_no_fwb);
	expect_refusal(&w, take_uncleaned, "owed");
}

static void good_page_changes_owner_uncleaned_with_fwb(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_legal(&w, take_uncleaned);
}

static void clean_too_early(void *arg)
{
	struct world *w = arg;

	port_desc_store(w->p, &w->l3[0], PAGE_0(w));
	port_desc_store(w->p, &w->l3[0], 0);
	port_dcache_clean_inval(w->p, w->page, 4096);
	flush(w, IPA_A, 3);
	machine_host_takes(w->p, w->page, 4096);
}

static void bad_clean_before_the_tlbi(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps_no_fwb);
	expect_refusal(&w, clean_too_early, "owed");
}

static void map_dirty(void *arg)
{
	struct world *w = arg;

	machine_host_writes(w->p, w->page, 4096);
	port_desc_store(w->p, &w->l3[0], PAGE_0(w));
}

static void bad_dirty_page_is_mapped_without_fwb(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps_no_fwb);
	expect_refusal(&w, map_dirty, "missing clean");
}

static void good_dirty_page_is_mapped_with_fwb(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_legal(&w, map_dirty);
}

static void map_dirty_uncached(void *arg)
{
	struct world *w = arg;

	machine_host_writes(w->p, w->page, 4096);
	port_desc_store(w->p, &w->l3[0], (PAGE_0(w) & ~0x3cUL) | 5UL << 2);
}

static void bad_dirty_page_is_mapped_non_cacheable(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, map_dirty_uncached, "missing clean");
}

static void grant_exec_stale(void *arg)
{
	struct world *w = arg;

	machine_host_writes(w->p, w->page, 4096);
	port_dcache_clean_inval(w->p, w->page, 4096);
	port_desc_store(w->p, &w->l3[0], PAGE_0(w));
	port_desc_store(w->p, &w->l3[0], PAGE_0(w) & ~XN);
}

static void bad_execution_over_stale_instruction_cache(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps_no_fwb);
	expect_refusal(&w, grant_exec_stale, "missing IC");
}

static void good_execution_with_dic(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_legal(&w, grant_exec_stale);
}

/* ---- locks and sleeping */

static void lock_twice(void *arg)
{
	struct world *w = arg;
	struct port_rwlock l;

	port_rwlock_init(w->p, &l);
	port_read_lock(w->p, &l);
	port_write_lock(w->p, &l);
}

static void bad_lock_is_taken_twice(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, lock_twice, "dead lock");
}

static void allocate_locked(void *arg)
{
	struct world *w = arg;
	struct port_rwlock l;

	port_rwlock_init(w->p, &l);
	port_read_lock(w->p, &l);
	port_table_alloc(w->p, 0);
}

static void bad_allocation_under_a_lock(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	expect_refusal(&w, allocate_locked, "may sleep");
}

/* ---- the guest sees stale translations */

static void a_translation_is_used_until_it_is_invalidated(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	port_desc_store(w.p, &w.l3[0], PAGE_0(&w));
	assert_int_equal(machine_access(w.p, IPA(IPA_A), MACHINE_READ).pa.v, w.page.v);
	port_desc_store(w.p, &w.l3[0], 0);
	assert_int_equal(machine_access(w.p, IPA(IPA_A), MACHINE_READ).fault, MF_NONE);
	flush(&w, IPA_A, 3);
	assert_int_equal(machine_access(w.p, IPA(IPA_A), MACHINE_READ).fault, MF_TRANSLATION);
	machine_delete(w.p);
}

static void a_permission_gained_is_seen_after_a_flush_on_that_cpu(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, &caps);
	port_desc_store(w.p, &w.l3[0], PAGE_0(&w));
	port_desc_store(w.p, &w.l3[0], PAGE_0(&w) | WRITE);
	assert_int_equal(machine_access(w.p, IPA(IPA_A), MACHINE_WRITE).fault, MF_PERMISSION);
	port_tlbi_ipa_local(w.p, &w.vttbr, IPA(IPA_A), 3);
	assert_int_equal(machine_access(w.p, IPA(IPA_A), MACHINE_WRITE).fault, MF_NONE);
	machine_cpu(w.p, 1);
	assert_int_equal(machine_access(w.p, IPA(IPA_A), MACHINE_WRITE).fault, MF_PERMISSION);
	machine_delete(w.p);
}

/* ---- dirty state by hardware */

#define DBM (1UL << 51)
#define HA  (1UL << 21)
#define HD  (1UL << 22)

static void a_write_makes_a_clean_leaf_writable(void **state)
{
	struct world w;

	(void)state;
	world_init_vtcr(&w, &caps, HA | HD);
	port_desc_store(w.p, &w.l3[0], PAGE_0(&w) | DBM);
	assert_int_equal(machine_access(w.p, IPA(IPA_A), MACHINE_READ).fault, MF_NONE);
	assert_int_equal(w.l3[0], PAGE_0(&w) | DBM);
	assert_int_equal(machine_access(w.p, IPA(IPA_A), MACHINE_WRITE).fault, MF_NONE);
	assert_int_equal(w.l3[0], PAGE_0(&w) | DBM | WRITE);
	machine_delete(w.p);
}

static void without_hd_dbm_means_nothing(void **state)
{
	struct world w;

	(void)state;
	world_init_vtcr(&w, &caps, HA);
	port_desc_store(w.p, &w.l3[0], PAGE_0(&w) | DBM);
	assert_int_equal(machine_access(w.p, IPA(IPA_A), MACHINE_WRITE).fault, MF_PERMISSION);
	machine_delete(w.p);
}

/* What was cached writable is written without a look at the table; what was cached clean is not. */
static void stale_dirty_entries_write_and_stale_clean_ones_walk(void **state)
{
	struct world w;

	(void)state;
	world_init_vtcr(&w, &caps, HA | HD);
	port_desc_store(w.p, &w.l3[0], PAGE_0(&w) | DBM | WRITE);
	(void)port_desc_swap(w.p, &w.l3[0], PAGE_0(&w) | DBM);
	assert_int_equal(machine_access(w.p, IPA(IPA_A), MACHINE_WRITE).fault, MF_NONE);
	assert_int_equal(w.l3[0], PAGE_0(&w) | DBM);
	flush(&w, IPA_A, 3);
	(void)port_desc_swap(w.p, &w.l3[0], PAGE_0(&w));
	assert_int_equal(machine_access(w.p, IPA(IPA_A), MACHINE_WRITE).fault, MF_PERMISSION);
	machine_delete(w.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_output_address_changes_without_break),
		cmocka_unit_test(good_output_address_changes_with_break),
		cmocka_unit_test(bad_break_without_tlbi),
		cmocka_unit_test(bad_tlbi_of_the_neighbour),
		cmocka_unit_test(bad_tlbi_with_the_wrong_level_hint),
		cmocka_unit_test(bad_combined_entries_are_left),
		cmocka_unit_test(bad_stage1_is_invalidated_before_stage2),
		cmocka_unit_test(bad_tlbi_without_completion),
		cmocka_unit_test(bad_tlbi_before_the_store_is_visible),
		cmocka_unit_test(bad_tlbi_of_another_vmid),
		cmocka_unit_test(good_permissions_and_access_flag_change_in_place),
		cmocka_unit_test(bad_memory_type_changes_without_break),
		cmocka_unit_test(bad_block_over_a_page_that_is_still_cached),
		cmocka_unit_test(bad_table_over_a_block_that_is_still_cached),
		cmocka_unit_test(bad_block_becomes_table_without_break),
		cmocka_unit_test(good_size_changes_without_break_at_bbm_level_2),
		cmocka_unit_test(bad_size_changes_without_break_below_bbm_level_2),
		cmocka_unit_test(bad_size_and_permissions_change_without_break_at_bbm_level_2),
		cmocka_unit_test(bad_linked_table_is_freed),
		cmocka_unit_test(bad_table_is_freed_before_tlbi),
		cmocka_unit_test(bad_table_is_freed_after_a_tlbi_of_leaves_only),
		cmocka_unit_test(bad_table_is_freed_without_a_grace_period),
		cmocka_unit_test(bad_freed_table_is_read),
		cmocka_unit_test(good_retired_table_is_read_until_the_grace_period_ends),
		cmocka_unit_test(bad_retired_table_is_read_after_the_grace_period),
		cmocka_unit_test(bad_vmid_is_taken_over_without_flush),
		cmocka_unit_test(good_two_vms_have_two_vmids),
		cmocka_unit_test(bad_page_changes_owner_before_tlbi),
		cmocka_unit_test(bad_page_changes_owner_uncleaned_without_fwb),
		cmocka_unit_test(good_page_changes_owner_uncleaned_with_fwb),
		cmocka_unit_test(bad_clean_before_the_tlbi),
		cmocka_unit_test(bad_dirty_page_is_mapped_without_fwb),
		cmocka_unit_test(good_dirty_page_is_mapped_with_fwb),
		cmocka_unit_test(bad_dirty_page_is_mapped_non_cacheable),
		cmocka_unit_test(bad_execution_over_stale_instruction_cache),
		cmocka_unit_test(good_execution_with_dic),
		cmocka_unit_test(bad_lock_is_taken_twice),
		cmocka_unit_test(bad_allocation_under_a_lock),
		cmocka_unit_test(a_translation_is_used_until_it_is_invalidated),
		cmocka_unit_test(a_permission_gained_is_seen_after_a_flush_on_that_cpu),
		cmocka_unit_test(a_write_makes_a_clean_leaf_writable),
		cmocka_unit_test(without_hd_dbm_means_nothing),
		cmocka_unit_test(stale_dirty_entries_write_and_stale_clean_ones_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
