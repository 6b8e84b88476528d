/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may follow what without break on the modelled machine, by FEAT_BBM's level (Arm ARM,
 * R_KFLJB, R_KHRBC), and contiguous sets: each legal change beside the one that just is not.
 */
#include "tests/unit/model_fixture.h"

#define CONT (1UL << 52)
#define NT   (1UL << 16)
#define SET  16

static void vm_at_level(struct vm *w, u8 bbm)
{
	struct port_caps c = caps_idc;

	c.bbm = bbm;
	c.ttl = true;
	vm_init(w, &c);
}

/* @fn is legal from level @from on, and refused as @kind below. */
static void legal_from(u8 from, void (*fn)(void *arg), enum machine_refusal_kind kind)
{
	struct vm w;

	for (u8 bbm = 0; bbm <= 2; bbm++) {
		vm_at_level(&w, bbm);
		if (bbm >= from)
			vm_expect_legal(&w, fn);
		else
			vm_expect_refusal(&w, fn, kind);
	}
}

enum { NEVER = 3 };

/* ---- blocks and tables. The second block of l2 is the test's; it maps the page memory. */

static u64 block(const struct vm *w)
{
	return w->page.v | BLOCK | WB | RW;
}

static void set_block(struct vm *w, u64 desc)
{
	port_desc_swap(w->p, &w->l2[1], desc);
}

/* A table of the block's pages, with @change in entry 7. */
static u64 table_like_block(struct vm *w, u64 change)
{
	u64 *table = port_table_alloc(w->p, 0);

	for (u64 i = 0; i < 512; i++)
		table[i] = (vm_pa(w, i).v | PAGE | WB | RW) ^ (i == 7 ? change : 0);
	return vm_table(w, table);
}

/* All of it: the block, the table, its pages. */
static void flush_block(struct vm *w)
{
	struct port_tlbi t;

	port_tlbi_enter(w->p, &t, &w->vttbr);
	port_tlbi_vmid(w->p, &t);
	port_tlbi_leave(w->p, &t);
}

static void block_to_table(void *arg)
{
	set_block(arg, block(arg));
	set_block(arg, table_like_block(arg, 0));
}

static void table_to_block(void *arg)
{
	set_block(arg, table_like_block(arg, 0));
	set_block(arg, block(arg));
}

static void table_with_another_type(void *arg)
{
	set_block(arg, block(arg));
	set_block(arg, table_like_block(arg, WB ^ NC));
}

static void table_with_another_address(void *arg)
{
	set_block(arg, block(arg));
	set_block(arg, table_like_block(arg, 4096));
}

static void table_with_other_permissions(void *arg)
{
	set_block(arg, block(arg));
	set_block(arg, table_like_block(arg, WRITE));
}

static void table_with_a_hole(void *arg)
{
	set_block(arg, table_like_block(arg, 1));
	set_block(arg, block(arg));
}

static void table_not_accessed(void *arg)
{
	set_block(arg, table_like_block(arg, AF));
	set_block(arg, block(arg));
}

static void size_changes_at_level_2(void **state)
{
	(void)state;
	legal_from(2, block_to_table, REFUSED_BREAK);
	legal_from(2, table_to_block, REFUSED_BREAK);
	legal_from(2, table_not_accessed, REFUSED_BREAK);
	legal_from(NEVER, table_with_another_type, REFUSED_BREAK);
	legal_from(NEVER, table_with_another_address, REFUSED_BREAK);
	legal_from(NEVER, table_with_other_permissions, REFUSED_BREAK);
	legal_from(NEVER, table_with_a_hole, REFUSED_BREAK);
}

/* The old block stays in TLBs, and conflicts with what then differs from it. */
static void page_changes_under_a_stale_block(void *arg)
{
	struct vm *w = arg;
	u64 desc, *table;

	block_to_table(w);
	desc = w->l2[1];
	table = port_table_at(w->p, PA(desc & ~4095UL));
	port_desc_swap(w->p, &table[7], 0);
	vm_flush(w, IPA_A + SZ_2M + 7 * 4096, 3); /* the hint leaves the block */
	port_desc_swap(w->p, &table[7], vm_pa(w, 8).v | PAGE | WB | RW);
}

static void page_changes_after_the_block_is_flushed(void *arg)
{
	struct vm *w = arg;
	u64 *table;

	block_to_table(w);
	flush_block(w);
	table = port_table_at(w->p, PA(w->l2[1] & ~4095UL));
	port_desc_swap(w->p, &table[7], 0);
	vm_flush(w, IPA_A + SZ_2M + 7 * 4096, 3);
	port_desc_swap(w->p, &table[7], vm_pa(w, 8).v | PAGE | WB | RW);
}

static void at_level_2_the_stale_block_still_counts(void **state)
{
	struct vm w;

	(void)state;
	vm_at_level(&w, 2);
	vm_expect_refusal(&w, page_changes_under_a_stale_block, REFUSED_TLBI);
	vm_at_level(&w, 2);
	vm_expect_legal(&w, page_changes_after_the_block_is_flushed);
}

/* ---- nT */

static void nt_in_place(void *arg)
{
	set_block(arg, block(arg));
	set_block(arg, block(arg) | NT);
}

static void nt_then_table(void *arg)
{
	nt_in_place(arg);
	flush_block(arg);
	set_block(arg, table_like_block(arg, 0));
}

static void nt_then_table_at_once(void *arg)
{
	nt_in_place(arg);
	set_block(arg, table_like_block(arg, 0));
}

static void table_then_nt(void *arg)
{
	set_block(arg, table_like_block(arg, 0));
	set_block(arg, block(arg) | NT);
	flush_block(arg);
	set_block(arg, block(arg));
}

static void table_then_nt_not_flushed(void *arg)
{
	set_block(arg, table_like_block(arg, 0));
	set_block(arg, block(arg) | NT);
	set_block(arg, block(arg));
}

static void nt_with_another_address(void *arg)
{
	set_block(arg, table_like_block(arg, 4096));
	set_block(arg, block(arg) | NT);
}

static void level_1_changes_size_by_way_of_nt(void **state)
{
	struct vm w;

	(void)state;
	legal_from(1, nt_in_place, REFUSED_BREAK);
	legal_from(1, nt_then_table, REFUSED_BREAK);
	legal_from(1, table_then_nt, REFUSED_BREAK);
	legal_from(NEVER, nt_with_another_address, REFUSED_BREAK);
	vm_at_level(&w, 1);
	vm_expect_refusal(&w, nt_then_table_at_once, REFUSED_TLBI);
	vm_at_level(&w, 1);
	vm_expect_refusal(&w, table_then_nt_not_flushed, REFUSED_TLBI);
	vm_at_level(&w, 2);
	vm_expect_legal(&w, table_then_nt_not_flushed);
}

static void a_block_with_nt_is_walked_and_counts_as_mapped(void **state)
{
	struct vm w;

	(void)state;
	vm_at_level(&w, 1);
	set_block(&w, block(&w) | NT);
	assert_int_equal(machine_access(w.p, IPA(IPA_A + SZ_2M + 5), MACHINE_READ).pa.v,
			 w.page.v + 5);
	set_block(&w, 0);
	assert_int_equal(machine_access(w.p, IPA(IPA_A + SZ_2M), MACHINE_READ).fault,
			 MF_TRANSLATION);
	machine_delete(w.p);
}

/* ---- live leaves are mappings, cached or not */

static void take_not_accessed(void *arg)
{
	struct vm *w = arg;

	vm_map(w, 0, WB | RW);
	port_desc_cas(w->p, &w->l3[0], w->l3[0], w->l3[0] & ~AF);
	vm_flush(w, vm_ipa(0).v, 3);
	machine_host_takes(w->p, vm_pa(w, 0), 4096);
}

REFUSED(bad_page_of_a_live_leaf_changes_owner, &caps_fwb, take_not_accessed, TLBI)

/* ---- the Contiguous bit */

static void map_set(struct vm *w, u64 bits)
{
	for (u64 i = 0; i < SET; i++)
		vm_map(w, i, bits);
}

static void contiguous_from_nothing(void *arg)
{
	map_set(arg, WB | RW | CONT);
}

static void contiguous_in_place(void *arg)
{
	map_set(arg, WB | RW);
	map_set(arg, WB | RW | CONT);
}

static void contiguous_no_more(void *arg)
{
	map_set(arg, WB | RW | CONT);
	map_set(arg, WB | RW);
}

static void contiguous_beside_a_single_one(void *arg)
{
	vm_map(arg, 3, WB | RW);
	vm_map(arg, 4, WB | RW | CONT);
}

static void contiguous_with_another_type(void *arg)
{
	vm_map(arg, 3, NC | RW | CONT);
	vm_map(arg, 4, WB | RW | CONT);
}

static void contiguous_with_another_address(void *arg)
{
	struct vm *w = arg;

	vm_map(w, 3, WB | RW | CONT);
	port_desc_store(w->p, &w->l3[4], vm_pa(w, 20).v | PAGE | WB | RW | CONT);
}

static void contiguous_in_another_set(void *arg)
{
	struct vm *w = arg;

	vm_map(w, 15, WB | RW | CONT);
	port_desc_store(w->p, &w->l3[16], vm_pa(w, 32).v | PAGE | NC | RW | CONT);
}

static void contiguous_not_aligned(void *arg)
{
	struct vm *w = arg;

	port_desc_store(w->p, &w->l3[0], vm_pa(w, 1).v | PAGE | WB | RW | CONT);
}

static void contiguous_beside_a_table(void *arg)
{
	struct vm *w = arg;
	pa_t blocks = machine_pages(w->p, SET * SZ_2M);

	port_desc_store(w->p, &w->l2[1], (blocks.v + SZ_2M) | BLOCK | WB | RW | CONT);
}

static void contiguous_blocks(void *arg)
{
	struct vm *w = arg;
	pa_t blocks = machine_pages(w->p, SET * SZ_2M);

	for (u64 i = SET; i < 2 * SET; i++)
		port_desc_store(w->p, &w->l2[i],
				(blocks.v + (i - SET) * SZ_2M) | BLOCK | WB | RW | CONT);
	assert_int_equal(machine_access(w->p, IPA(IPA_A + 20 * SZ_2M), MACHINE_READ).pa.v,
			 blocks.v + 4 * SZ_2M);
}

static void the_contiguous_bit_by_level(void **state)
{
	(void)state;
	legal_from(0, contiguous_from_nothing, REFUSED_BREAK);
	legal_from(1, contiguous_in_place, REFUSED_BREAK);
	legal_from(1, contiguous_no_more, REFUSED_BREAK);
	legal_from(1, contiguous_beside_a_single_one, REFUSED_CONFLICT);
	legal_from(2, contiguous_beside_a_table, REFUSED_CONFLICT);
	legal_from(0, contiguous_in_another_set, REFUSED_CONFLICT);
	legal_from(0, contiguous_blocks, REFUSED_CONFLICT);
	legal_from(NEVER, contiguous_with_another_type, REFUSED_CONFLICT);
	legal_from(NEVER, contiguous_with_another_address, REFUSED_CONFLICT);
	legal_from(NEVER, contiguous_not_aligned, REFUSED_CONFLICT);
}

/* ---- a set is one translation: while others of it are there, so is this one */

static void unmap_one_of_a_set(void **state)
{
	struct vm w;

	(void)state;
	vm_at_level(&w, 0);
	map_set(&w, WB | RW | CONT);
	vm_unmap(&w, 5);
	assert_int_equal(machine_access(w.p, vm_ipa(5), MACHINE_READ).pa.v, vm_pa(&w, 5).v);
	assert_true(machine_may_write(w.p, w.vttbr, vm_ipa(5)));
	for (u64 i = 0; i < SET; i++)
		vm_unmap(&w, i);
	assert_int_equal(machine_access(w.p, vm_ipa(5), MACHINE_READ).fault, MF_TRANSLATION);
	assert_false(machine_may_write(w.p, w.vttbr, vm_ipa(5)));
	machine_delete(w.p);
}

static void protect_one_of_a_set(void **state)
{
	struct vm w;

	(void)state;
	vm_at_level(&w, 0);
	map_set(&w, WB | RW | CONT);
	vm_map(&w, 5, WB | READ | XN | CONT);
	vm_flush(&w, vm_ipa(5).v, 3);
	assert_int_equal(machine_access(w.p, vm_ipa(5), MACHINE_WRITE).fault, MF_NONE);
	for (u64 i = 0; i < SET; i++) {
		vm_map(&w, i, WB | READ | XN | CONT);
		vm_flush(&w, vm_ipa(i).v, 3);
	}
	assert_int_equal(machine_access(w.p, vm_ipa(5), MACHINE_WRITE).fault, MF_PERMISSION);
	machine_delete(w.p);
}

static void take_one_of_a_set(void *arg)
{
	struct vm *w = arg;

	map_set(w, WB | RW | CONT);
	vm_unmap(w, 5);
	machine_host_takes(w->p, vm_pa(w, 5), 4096);
}

static void take_a_set(void *arg)
{
	struct vm *w = arg;

	map_set(w, WB | RW | CONT);
	for (u64 i = 0; i < SET; i++)
		vm_unmap(w, i);
	machine_host_takes(w->p, vm_pa(w, 0), SET * 4096);
}

REFUSED(bad_one_of_a_set_changes_owner, &caps_fwb, take_one_of_a_set, TLBI)
LEGAL(good_a_whole_set_changes_owner, &caps_fwb, take_a_set)

/* TLBI of one page drops the entry of the whole set, not those of other pages by themselves. */
static void remap_with(struct vm *w, u64 flushed, u64 remapped)
{
	map_set(w, WB | RW | CONT);
	for (u64 i = 0; i < SET; i++)
		port_desc_swap(w->p, &w->l3[i], 0);
	vm_flush(w, vm_ipa(flushed).v, 3);
	port_desc_swap(w->p, &w->l3[remapped], vm_pa(w, 40).v | PAGE | NC | RW);
}

static void remap_the_flushed(void *arg)
{
	remap_with(arg, 5, 5);
}

static void remap_another(void *arg)
{
	remap_with(arg, 5, 6);
}

static void remap_without_tlbi(void *arg)
{
	remap_with(arg, 100, 5);
}

static void remap_before_completion(void *arg)
{
	struct vm *w = arg;
	struct port_tlbi t;

	map_set(w, WB | RW | CONT);
	for (u64 i = 0; i < SET; i++)
		port_desc_swap(w->p, &w->l3[i], 0);
	vm_flush(w, vm_ipa(6).v, 3); /* 6 goes, all others are narrow */
	port_tlbi_enter(w->p, &t, &w->vttbr);
	port_tlbi_ipa(w->p, &t, vm_ipa(5), 3);
	port_tlbi_stage1(w->p, &t);
	port_desc_swap(w->p, &w->l3[5], vm_pa(w, 40).v | PAGE | NC | RW);
}

LEGAL(good_flushed_page_of_a_set_is_mapped_anew, &caps_fwb, remap_the_flushed)
REFUSED(bad_another_page_of_the_set_is_mapped_anew, &caps_fwb, remap_another, TLBI)
REFUSED(bad_page_of_a_set_is_mapped_without_tlbi, &caps_fwb, remap_without_tlbi, TLBI)
REFUSED(bad_page_of_a_set_is_mapped_before_completion, &caps_fwb, remap_before_completion, TLBI)

/* The page's own entry is gone, but not what its neighbours' say of it. */
static void neighbours_stay(struct vm *w, u64 flushed, int level)
{
	map_set(w, WB | RW | CONT);
	vm_unmap(w, 5);
	for (u64 i = 0; i < SET; i++)
		port_desc_swap(w->p, &w->l3[i], 0);
	vm_flush(w, vm_ipa(flushed).v, level);
	port_desc_swap(w->p, &w->l3[5], vm_pa(w, 40).v | PAGE | NC | RW);
}

static void neighbours_stay_wide(void *arg)
{
	neighbours_stay(arg, 100, 3);
}

static void neighbours_flushed_by_a_wrong_hint(void *arg)
{
	neighbours_stay(arg, 5, 2);
}

static void neighbours_flushed(void *arg)
{
	struct vm *w = arg;

	for (u64 i = SET; i < 2 * SET; i++)
		vm_map(w, i, WB | RW | CONT); /* another set is none of its business */
	neighbours_stay(w, 7, 3);
}

static void neighbours_entries_hold_a_page_too(void **state)
{
	struct vm w;

	(void)state;
	vm_at_level(&w, 0);
	vm_expect_refusal(&w, neighbours_stay_wide, REFUSED_TLBI);
	vm_at_level(&w, 0);
	vm_expect_refusal(&w, neighbours_flushed_by_a_wrong_hint, REFUSED_TLBI);
	vm_at_level(&w, 0);
	vm_expect_legal(&w, neighbours_flushed);
}

static void contiguous_after_break_without_tlbi(void *arg)
{
	struct vm *w = arg;

	map_set(w, WB | RW);
	for (u64 i = 0; i < SET; i++)
		port_desc_swap(w->p, &w->l3[i], 0);
	map_set(w, WB | RW | CONT);
}

static void stale_single_entries_conflict_below_level_1(void **state)
{
	(void)state;
	legal_from(1, contiguous_after_break_without_tlbi, REFUSED_TLBI);
}

/* ---- what does not conflict */

static void not_accessed_then_another(void *arg)
{
	struct vm *w = arg;

	port_desc_store(w->p, &w->l3[0], (vm_pa(w, 0).v | PAGE | WB | RW) & ~AF);
	port_desc_store(w->p, &w->l3[0], 0);
	port_desc_store(w->p, &w->l3[0], vm_pa(w, 1).v | PAGE | WB | RW);
}

static void same_table_again(void *arg)
{
	struct vm *w = arg;
	u64 table = w->l2[0];

	port_desc_store(w->p, &w->l2[0], 0);
	port_desc_store(w->p, &w->l2[0], table);
	vm_map(w, 0, WB | RW);
}

static void block_beside_a_stale_page(void *arg)
{
	struct vm *w = arg;

	vm_map(w, 0, NC | RW);
	port_desc_swap(w->p, &w->l3[0], 0);
	set_block(w, block(w));
}

static void block_of_another_vm(void *arg)
{
	struct vm *w = arg;
	u64 *root = port_table_alloc(w->p, 0);

	vm_map(w, 0, NC | RW);
	port_desc_swap(w->p, &w->l3[0], 0);
	machine_guest_enter(w->p, port_table_pa(w->p, root).v | 2UL << 48, w->vtcr);
	port_desc_store(w->p, &root[1], (machine_pages(w->p, SZ_1G).v) | BLOCK | WB | RW);
}

LEGAL(good_leaf_not_accessed_was_not_cached, &caps_fwb, not_accessed_then_another)
LEGAL(good_the_same_table_is_linked_again, &caps_fwb, same_table_again)
LEGAL(good_block_beside_a_stale_page, &caps_fwb, block_beside_a_stale_page)
LEGAL(good_block_of_another_vm, &caps_fwb, block_of_another_vm)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(size_changes_at_level_2),
		cmocka_unit_test(at_level_2_the_stale_block_still_counts),
		cmocka_unit_test(level_1_changes_size_by_way_of_nt),
		cmocka_unit_test(a_block_with_nt_is_walked_and_counts_as_mapped),
		cmocka_unit_test(bad_page_of_a_live_leaf_changes_owner),
		cmocka_unit_test(the_contiguous_bit_by_level),
		cmocka_unit_test(unmap_one_of_a_set),
		cmocka_unit_test(protect_one_of_a_set),
		cmocka_unit_test(bad_one_of_a_set_changes_owner),
		cmocka_unit_test(good_a_whole_set_changes_owner),
		cmocka_unit_test(good_flushed_page_of_a_set_is_mapped_anew),
		cmocka_unit_test(bad_another_page_of_the_set_is_mapped_anew),
		cmocka_unit_test(bad_page_of_a_set_is_mapped_without_tlbi),
		cmocka_unit_test(bad_page_of_a_set_is_mapped_before_completion),
		cmocka_unit_test(neighbours_entries_hold_a_page_too),
		cmocka_unit_test(stale_single_entries_conflict_below_level_1),
		cmocka_unit_test(good_leaf_not_accessed_was_not_cached),
		cmocka_unit_test(good_the_same_table_is_linked_again),
		cmocka_unit_test(good_block_beside_a_stale_page),
		cmocka_unit_test(good_block_of_another_vm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
