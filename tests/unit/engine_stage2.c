/* SPDX-License-Identifier: Apache-2.0 */
/* Table operations on the modelled machine, which refuses a missing break or invalidation by
 * itself. */
#include "engine/stage2_priv.h"
#include "tests/unit/engine_fixture.h"

static pa_t ram; /* where the mapped memory is; aligned to 1 GiB */

static enum s2_result map(struct fx *f, u64 ipa, u64 offset, s8 level, u8 perms, enum s2_type type)
{
	struct s2_leaf leaf = { PA(ram.v + offset), type, perms, level, true };
	struct table_cache cache = { .count = 0 };
	enum s2_result r;

	assert_int_equal(table_cache_fill(&cache, f->p, stage2_tables_max(&f->m.s2)), ERR_OK);
	port_read_lock(f->p, &f->m.s2.lock);
	r = stage2_commit(&f->m.s2, &cache, IPA(ipa), &leaf, 0);
	port_read_unlock(f->p, &f->m.s2.lock);
	table_cache_drain(&cache, f->p);
	return r;
}

static struct fx *begin(const struct port_caps *caps, unsigned int ipa_bits)
{
	struct fx *f = fx_new(caps, ipa_bits);

	ram = machine_pages(f->p, 2 * SZ_1G);
	return f;
}

static void map_pages(struct fx *f, u64 ipa, u64 count, u8 perms)
{
	for (u64 i = 0; i < count; i++)
		assert_int_equal(map(f, ipa + i * PAGE_SIZE, i * PAGE_SIZE, LEVEL_4K, perms,
				     S2_NORMAL),
				 S2_DONE_INSTALL);
}

static bool is_mapped(struct fx *f, u64 ipa)
{
	struct s2_leaf leaf;

	return stage2_lookup(&f->m.s2, IPA(ipa), &leaf);
}

static void a_page_is_mapped_by_one_descriptor_write(void **state)
{
	struct fx *f = begin(&caps_fwb, 40);
	struct s2_leaf leaf;
	u64 before;

	(void)state;
	map(f, FX_IPA, 0, LEVEL_4K, S2_R | S2_W, S2_NORMAL);
	before = machine_counts(f->p)->desc_writes;
	map(f, FX_IPA + PAGE_SIZE, PAGE_SIZE, LEVEL_4K, S2_R | S2_W, S2_NORMAL);
	assert_int_equal(machine_counts(f->p)->desc_writes - before, 1);
	assert_true(stage2_lookup(&f->m.s2, IPA(FX_IPA + PAGE_SIZE + 5), &leaf));
	assert_int_equal(leaf.pa.v, ram.v + PAGE_SIZE);
	assert_int_equal(leaf.perms, S2_R | S2_W);
	assert_int_equal(leaf.type, S2_NORMAL);
	assert_true(leaf.accessed);
	assert_false(is_mapped(f, FX_IPA + 2 * PAGE_SIZE));
	fx_check_stats(f);
	fx_delete(f);
}

static void every_ipa_size_maps_its_first_and_last_page(void **state)
{
	(void)state;
	for (unsigned int bits = 32; bits <= 48; bits++) {
		struct fx *f = begin(&caps_fwb, bits);
		u64 last = (1UL << bits) - PAGE_SIZE;

		assert_int_equal(map(f, 0, 0, LEVEL_4K, S2_R, S2_NORMAL), S2_DONE_INSTALL);
		assert_int_equal(map(f, last, PAGE_SIZE, LEVEL_4K, S2_R, S2_NORMAL),
				 S2_DONE_INSTALL);
		assert_int_equal(machine_access(f->p, IPA(8), MACHINE_READ).pa.v, ram.v + 8);
		assert_int_equal(machine_access(f->p, IPA(last + 16), MACHINE_READ).pa.v,
				 ram.v + PAGE_SIZE + 16);
		assert_int_equal(machine_access(f->p, IPA(1UL << bits), MACHINE_READ).fault,
				 MF_TRANSLATION);
		fx_check_stats(f);
		fx_delete(f);
	}
}

static void ipa_sizes_out_of_range_are_refused(void **state)
{
	struct fx *f = begin(&caps_plain, 40);
	struct stage2 s2;

	(void)state;
	assert_int_equal(stage2_init(&s2, f->p, &f->vmids, 31), ERR_INVAL);
	assert_int_equal(stage2_init(&s2, f->p, &f->vmids, 41), ERR_INVAL);
	fx_delete(f);
}

/* ---- runs of leaves */

static struct s2_map run_of(u64 ipa, u64 offset, u64 size, s8 level)
{
	return (struct s2_map){
		.ipa = IPA(ipa),
		.size = size,
		.leaf = { PA(ram.v + offset), S2_NORMAL, S2_R | S2_W, level, true },
	};
}

/* Every leaf of @map is there, with its own address. */
static void expect_run(struct fx *f, const struct s2_map *map)
{
	u64 step = level_size(map->leaf.level);

	for (u64 at = 0; at < map->size; at += step) {
		struct s2_leaf leaf;

		assert_true(stage2_lookup(&f->m.s2, IPA(map->ipa.v + at), &leaf));
		assert_int_equal(leaf.pa.v, map->leaf.pa.v + at);
		assert_int_equal(leaf.level, map->leaf.level);
		assert_int_equal(leaf.perms, map->leaf.perms);
	}
	assert_false(is_mapped(f, map->ipa.v - 1));
	assert_false(is_mapped(f, map->ipa.v + map->size));
}

static void a_run_is_mapped_by_one_write_a_leaf(void **state)
{
	static const s8 levels[] = { LEVEL_4K, LEVEL_2M };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		struct fx *f = begin(&caps_fwb, 40);
		u64 leaf = level_size(levels[i]), base = FX_IPA + 100 * leaf;
		struct s2_map map = run_of(base, 100 * leaf, 700 * leaf, levels[i]);
		u64 writes = machine_counts(f->p)->desc_writes, tables;
		struct s2_map_result r;

		if (levels[i] == LEVEL_2M)
			map.size = 300 * leaf;
		tables = stage2_count_tables(&f->m.s2);
		r = stage2_map_range(&f->m.s2, &map);
		assert_int_equal(r.error, ERR_OK);
		assert_int_equal(r.done, map.size);
		assert_int_equal(r.installed, map.size / leaf);
		tables = stage2_count_tables(&f->m.s2) - tables;
		assert_int_equal(machine_counts(f->p)->desc_writes - writes,
				 map.size / leaf + tables);
		expect_run(f, &map);
		fx_check_stats(f);
		fx_delete(f);
	}
}

/* What stands in a run's way is settled as a fault would: kept, relaxed, replaced, split. */
static void m13_a_run_settles_with_what_is_there(void **state)
{
	struct fx *f = begin(&caps_fwb, 40);
	struct s2_map run = run_of(FX_IPA, 0, 4 * SZ_2M, LEVEL_4K);
	struct s2_map_result r;

	(void)state;
	map(f, FX_IPA + 7 * PAGE_SIZE, 7 * PAGE_SIZE, LEVEL_4K, S2_R | S2_W, S2_NORMAL);
	map(f, FX_IPA + 8 * PAGE_SIZE, 8 * PAGE_SIZE, LEVEL_4K, S2_R, S2_NORMAL);
	map(f, FX_IPA + 9 * PAGE_SIZE, SZ_1G, LEVEL_4K, S2_R, S2_NORMAL);
	map(f, FX_IPA + SZ_2M, SZ_2M, LEVEL_2M, S2_R, S2_NORMAL);
	map(f, FX_IPA + 2 * SZ_2M, SZ_1G, LEVEL_2M, S2_R, S2_NORMAL);
	r = stage2_map_range(&f->m.s2, &run);
	assert_int_equal(r.error, ERR_OK);
	assert_int_equal(r.done, run.size);
	assert_int_equal(r.installed, 3 * 512 - 3);
	expect_run(f, &run);
	fx_check_stats(f);
	fx_delete(f);
}

static void a_run_stops_at_a_table_where_a_block_is_to_be(void **state)
{
	struct fx *f = begin(&caps_fwb, 40);
	struct s2_map run = run_of(FX_IPA, 0, 3 * SZ_2M, LEVEL_2M);
	struct s2_map_result r;

	(void)state;
	map(f, FX_IPA + SZ_2M + PAGE_SIZE, SZ_2M + PAGE_SIZE, LEVEL_4K, S2_R, S2_NORMAL);
	r = stage2_map_range(&f->m.s2, &run);
	assert_int_equal(r.error, ERR_AGAIN);
	assert_int_equal(r.why, S2_NEEDS_COLLAPSE);
	assert_int_equal(r.done, SZ_2M);
	assert_false(is_mapped(f, FX_IPA + 2 * SZ_2M));
	fx_check_stats(f);
	fx_delete(f);
}

static bool is_stale_behind(void *arg, ipa_t ipa, u64 size)
{
	return ipa.v + size > FX_IPA && ipa.v >= *(u64 *)arg;
}

static void a_run_asks_in_every_step_whether_it_is_stale(void **state)
{
	struct fx *f = begin(&caps_fwb, 40);
	struct s2_map run = run_of(FX_IPA, 0, 1024 * PAGE_SIZE, LEVEL_4K);
	u64 limit = FX_IPA + 300 * PAGE_SIZE;
	struct s2_map_result r;

	(void)state;
	f->m.s2.step = 64;
	run.is_stale = is_stale_behind;
	run.arg = &limit;
	r = stage2_map_range(&f->m.s2, &run);
	assert_int_equal(r.error, ERR_AGAIN);
	assert_int_equal(r.why, S2_RACED);
	assert_int_equal(r.done, 320 * PAGE_SIZE);
	assert_true(is_mapped(f, FX_IPA + 319 * PAGE_SIZE));
	assert_false(is_mapped(f, FX_IPA + 320 * PAGE_SIZE));
	/* It goes on from there. */
	limit = ~0UL;
	run = run_of(FX_IPA + r.done, r.done, run.size - r.done, LEVEL_4K);
	assert_int_equal(stage2_map_range(&f->m.s2, &run).error, ERR_OK);
	run = run_of(FX_IPA, 0, 1024 * PAGE_SIZE, LEVEL_4K);
	expect_run(f, &run);
	fx_check_stats(f);
	fx_delete(f);
}

static void m2_a_run_pays_what_it_owes_before_it_is_there(void **state)
{
	struct fx *f = begin(&caps_plain, 40);
	struct s2_map run = run_of(FX_IPA, 0, 600 * PAGE_SIZE, LEVEL_4K);

	(void)state;
	run.owed = CMO_DCACHE | CMO_ICACHE;
	machine_host_writes(f->p, ram, run.size);
	assert_int_equal(stage2_map_range(&f->m.s2, &run).error, ERR_OK);
	assert_int_equal(fx_stat(f, STAT_dcache_bytes), 600 * PAGE_SIZE);
	assert_int_equal(fx_stat(f, STAT_icache_bytes), 600 * PAGE_SIZE);
	stage2_unmap(&f->m.s2, run.ipa, run.size);
	machine_host_takes(f->p, ram, run.size);
	fx_delete(f);
}

static void a_run_without_memory_keeps_what_it_did(void **state)
{
	(void)state;
	for (u64 n = 1;; n++) {
		struct fx *f = begin(&caps_fwb, 40);
		struct s2_map run = run_of(FX_IPA, 0, 1024 * PAGE_SIZE, LEVEL_4K);
		struct s2_map_result r;

		machine_fail_alloc(f->p, n);
		r = stage2_map_range(&f->m.s2, &run);
		machine_fail_alloc(f->p, 0);
		assert_int_equal(r.done, r.installed * PAGE_SIZE);
		assert_int_equal(r.error, r.done == run.size ? ERR_OK : ERR_NOMEM);
		run.size = r.done;
		if (r.done)
			expect_run(f, &run);
		fx_check_stats(f);
		fx_delete(f);
		if (!r.error)
			break;
	}
}

static void unmap_range(const struct port_caps *caps)
{
	struct fx *f = begin(caps, 40);

	map_pages(f, FX_IPA, 2048, S2_R | S2_W);
	stage2_unmap(&f->m.s2, IPA(FX_IPA + 100 * PAGE_SIZE), 1700 * PAGE_SIZE);
	assert_true(is_mapped(f, FX_IPA + 99 * PAGE_SIZE));
	assert_false(is_mapped(f, FX_IPA + 100 * PAGE_SIZE));
	assert_false(is_mapped(f, FX_IPA + 1799 * PAGE_SIZE));
	assert_true(is_mapped(f, FX_IPA + 1800 * PAGE_SIZE));
	machine_host_takes(f->p, PA(ram.v + 100 * PAGE_SIZE), 1700 * PAGE_SIZE);
	assert_true(fx_stat(f, STAT_steps_max) <= S2_STEP_DEFAULT + 1);
	fx_check_stats(f);
	fx_delete(f);
}

static void unmapping_takes_exactly_the_range_in_bounded_steps(void **state)
{
	(void)state;
	unmap_range(&caps_fwb);
	unmap_range(&caps_plain);
}

static void unmapping_a_gigabyte_costs_one_range_tlbi(void **state)
{
	struct fx *f = begin(&caps_fwb, 40);
	struct machine_counts a, b;

	(void)state;
	map_pages(f, FX_IPA, 1 << 14, S2_R | S2_W); /* 64 MiB stand for it */
	a = *machine_counts(f->p);
	stage2_unmap(&f->m.s2, IPA(FX_IPA), 64 << 20);
	b = *machine_counts(f->p);
	assert_int_equal(b.tlbi_range - a.tlbi_range, 1);
	assert_int_equal(b.tlbi_stage1 - a.tlbi_stage1, 1);
	assert_int_equal(b.tlbi_ipa - a.tlbi_ipa, 0);
	assert_int_equal(b.dsb - a.dsb, 3);
	assert_int_equal(stage2_count_tables(&f->m.s2), 1);
	fx_delete(f);
}

static void without_range_tlbi_a_large_range_costs_one_vmid_tlbi(void **state)
{
	struct fx *f = begin(&caps_plain, 40);
	struct machine_counts a, b;

	(void)state;
	map_pages(f, FX_IPA, 4096, S2_R | S2_W);
	a = *machine_counts(f->p);
	stage2_unmap(&f->m.s2, IPA(FX_IPA), 4096 * PAGE_SIZE);
	b = *machine_counts(f->p);
	assert_int_equal(b.tlbi_vmid - a.tlbi_vmid, 1);
	assert_int_equal(b.tlbi_ipa - a.tlbi_ipa, 0);
	assert_int_equal(b.dcache_bytes - a.dcache_bytes, 4096 * PAGE_SIZE);
	fx_delete(f);
}

static void a_block_that_sticks_out_goes_whole(void **state)
{
	const struct port_caps *caps[] = { &caps_fwb, &caps_plain };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct fx *f = begin(caps[i], 40);

		map(f, FX_IPA, 0, LEVEL_2M, S2_R | S2_W, S2_NORMAL);
		map(f, FX_IPA + SZ_2M, SZ_2M, LEVEL_2M, S2_R | S2_W, S2_NORMAL);
		stage2_unmap(&f->m.s2, IPA(FX_IPA + 5 * PAGE_SIZE), PAGE_SIZE);
		assert_false(is_mapped(f, FX_IPA));
		assert_true(is_mapped(f, FX_IPA + SZ_2M));
		machine_host_takes(f->p, ram, SZ_2M);
		assert_int_equal(map(f, FX_IPA + 5 * PAGE_SIZE, SZ_1G, LEVEL_4K, S2_R, S2_NORMAL),
				 S2_DONE_INSTALL);
		fx_check_stats(f);
		fx_delete(f);
	}
}

static void blocks_of_both_sizes_are_mapped(void **state)
{
	struct fx *f = begin(&caps_fwb, 40);

	(void)state;
	assert_int_equal(map(f, SZ_1G, 0, LEVEL_1G, S2_R | S2_W, S2_NORMAL), S2_DONE_INSTALL);
	assert_int_equal(map(f, 2 * SZ_1G, SZ_1G, LEVEL_2M, S2_R, S2_DEVICE), S2_DONE_INSTALL);
	assert_int_equal(machine_access(f->p, IPA(SZ_1G + 0x12345678), MACHINE_WRITE).pa.v,
			 ram.v + 0x12345678);
	assert_int_equal(machine_access(f->p, IPA(2 * SZ_1G), MACHINE_READ).type, MACHINE_DEVICE);
	fx_check_stats(f);
	fx_delete(f);
}

static void m13_a_permission_gained_reaches_this_cpu_at_once(void **state)
{
	struct fx *f = begin(&caps_fwb, 40);

	(void)state;
	map(f, FX_IPA, 0, LEVEL_4K, S2_R, S2_NORMAL);
	assert_int_equal(machine_access(f->p, IPA(FX_IPA), MACHINE_WRITE).fault, MF_PERMISSION);
	assert_int_equal(map(f, FX_IPA, 0, LEVEL_4K, S2_R | S2_W, S2_NORMAL), S2_DONE_RELAX);
	assert_int_equal(machine_access(f->p, IPA(FX_IPA), MACHINE_WRITE).fault, MF_NONE);
	/* Another CPU faults once more and finds that all is done. */
	machine_cpu(f->p, 1);
	assert_int_equal(machine_access(f->p, IPA(FX_IPA), MACHINE_WRITE).fault, MF_PERMISSION);
	assert_int_equal(map(f, FX_IPA, 0, LEVEL_4K, S2_R | S2_W, S2_NORMAL), S2_DONE_KEEP);
	assert_int_equal(machine_access(f->p, IPA(FX_IPA), MACHINE_WRITE).fault, MF_NONE);
	fx_delete(f);
}

static void permissions_are_added_and_never_taken_by_a_commit(void **state)
{
	struct fx *f = begin(&caps_fwb, 40);
	struct s2_leaf leaf;

	(void)state;
	map(f, FX_IPA, 0, LEVEL_4K, S2_R | S2_W, S2_NORMAL);
	assert_int_equal(map(f, FX_IPA, 0, LEVEL_4K, S2_R | S2_X, S2_NORMAL), S2_DONE_RELAX);
	assert_true(stage2_lookup(&f->m.s2, IPA(FX_IPA), &leaf));
	assert_int_equal(leaf.perms, S2_R | S2_W | S2_X);
	fx_delete(f);
}

static void another_address_or_type_is_broken_first(void **state)
{
	struct fx *f = begin(&caps_fwb, 40);

	(void)state;
	map(f, FX_IPA, 0, LEVEL_4K, S2_R, S2_NORMAL);
	assert_int_equal(map(f, FX_IPA, PAGE_SIZE, LEVEL_4K, S2_R, S2_NORMAL), S2_DONE_REPLACE);
	assert_int_equal(machine_access(f->p, IPA(FX_IPA), MACHINE_READ).pa.v, ram.v + PAGE_SIZE);
	assert_int_equal(map(f, FX_IPA, PAGE_SIZE, LEVEL_4K, S2_R, S2_DEVICE), S2_DONE_REPLACE);
	assert_int_equal(machine_access(f->p, IPA(FX_IPA), MACHINE_READ).type, MACHINE_DEVICE);
	fx_check_stats(f);
	fx_delete(f);
}

static void a_larger_leaf_that_disagrees_goes_first(void **state)
{
	struct fx *f = begin(&caps_plain, 40);

	(void)state;
	map(f, FX_IPA, 0, LEVEL_2M, S2_R, S2_NORMAL);
	assert_int_equal(map(f, FX_IPA, SZ_2M, LEVEL_4K, S2_R, S2_NORMAL), S2_DONE_BREAK);
	assert_int_equal(map(f, FX_IPA, SZ_2M, LEVEL_4K, S2_R, S2_NORMAL), S2_DONE_INSTALL);
	fx_check_stats(f);
	fx_delete(f);
}

static void splitting_keeps_type_and_permissions(void **state)
{
	static const enum s2_type types[] = { S2_NORMAL, S2_NORMAL_NC, S2_DEVICE };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct fx *f = begin(&caps_fwb, 40);
		struct s2_leaf leaf;

		map(f, SZ_1G, 0, LEVEL_1G, S2_R, types[i]);
		/* Two levels at once, and the page itself becomes writable. */
		assert_int_equal(map(f, SZ_1G + 0x345000, 0x345000, LEVEL_4K, S2_R | S2_W,
				     types[i]),
				 S2_DONE_SPLIT);
		for (u64 at = 0; at < SZ_1G; at += SZ_2M) {
			assert_true(stage2_lookup(&f->m.s2, IPA(SZ_1G + at), &leaf));
			assert_int_equal(leaf.type, types[i]);
			assert_int_equal(leaf.perms, S2_R);
			assert_int_equal(leaf.pa.v, ram.v + at);
		}
		assert_true(stage2_lookup(&f->m.s2, IPA(SZ_1G + 0x345000), &leaf));
		assert_int_equal(leaf.perms, S2_R | S2_W);
		assert_int_equal(leaf.level, LEVEL_4K);
		assert_true(stage2_lookup(&f->m.s2, IPA(SZ_1G + 0x346000), &leaf));
		assert_int_equal(leaf.perms, S2_R);
		fx_check_stats(f);
		fx_delete(f);
	}
}

static void an_eager_split_leaves_pages_only(void **state)
{
	struct fx *f = begin(&caps_fwb, 40);
	struct s2_leaf leaf;

	(void)state;
	map(f, FX_IPA, 0, LEVEL_2M, S2_R | S2_W, S2_NORMAL);
	map(f, FX_IPA + SZ_2M, SZ_2M, LEVEL_2M, S2_R | S2_X, S2_NORMAL);
	map(f, FX_IPA + 3 * SZ_2M, 3 * SZ_2M, LEVEL_2M, S2_R, S2_NORMAL);
	assert_int_equal(stage2_split(&f->m.s2, IPA(FX_IPA), 3 * SZ_2M), ERR_OK);
	for (u64 i = 0; i < 1024; i++) {
		assert_true(stage2_lookup(&f->m.s2, IPA(FX_IPA + i * PAGE_SIZE), &leaf));
		assert_int_equal(leaf.level, LEVEL_4K);
		assert_int_equal(leaf.pa.v, ram.v + i * PAGE_SIZE);
		assert_int_equal(leaf.perms, i < 512 ? S2_R | S2_W : S2_R | S2_X);
	}
	assert_true(stage2_lookup(&f->m.s2, IPA(FX_IPA + 3 * SZ_2M), &leaf));
	assert_int_equal(leaf.level, LEVEL_2M);
	assert_int_equal(fx_stat(f, STAT_split), 2);
	fx_check_stats(f);
	fx_delete(f);
}

static void an_eager_split_without_memory_keeps_what_it_did(void **state)
{
	struct fx *f = begin(&caps_fwb, 40);

	(void)state;
	for (u64 i = 0; i < 4; i++)
		map(f, FX_IPA + i * SZ_2M, i * SZ_2M, LEVEL_2M, S2_R, S2_NORMAL);
	machine_fail_alloc(f->p, 3);
	assert_int_equal(stage2_split(&f->m.s2, IPA(FX_IPA), 4 * SZ_2M), ERR_NOMEM);
	assert_int_equal(fx_stat(f, STAT_split), 2);
	fx_check_stats(f);
	fx_delete(f);
}

static void a_table_where_a_block_is_to_be_is_reported(void **state)
{
	struct fx *f = begin(&caps_fwb, 40);

	(void)state;
	map(f, FX_IPA, 0, LEVEL_4K, S2_R, S2_NORMAL);
	assert_int_equal(map(f, FX_IPA, 0, LEVEL_2M, S2_R, S2_NORMAL), S2_NEEDS_COLLAPSE);
	stage2_unmap(&f->m.s2, IPA(FX_IPA), SZ_2M);
	assert_int_equal(map(f, FX_IPA, 0, LEVEL_2M, S2_R, S2_NORMAL), S2_DONE_INSTALL);
	fx_check_stats(f);
	fx_delete(f);
}

static void write_protection_holds_when_it_returns(void **state)
{
	struct fx *f = begin(&caps_fwb, 40);

	(void)state;
	map_pages(f, FX_IPA, 1200, S2_R | S2_W);
	map(f, FX_IPA + 2 * SZ_2M + SZ_2M, SZ_1G, LEVEL_2M, S2_R | S2_W, S2_NORMAL);
	assert_int_equal(stage2_write_protect(&f->m.s2, IPA(FX_IPA + 10 * PAGE_SIZE), 4 * SZ_2M),
			 1191);
	assert_true(machine_may_write(f->p, f->m.s2.vttbr, IPA(FX_IPA + 9 * PAGE_SIZE)));
	for (u64 i = 10; i < 1200; i++)
		assert_false(machine_may_write(f->p, f->m.s2.vttbr, IPA(FX_IPA + i * PAGE_SIZE)));
	assert_false(machine_may_write(f->p, f->m.s2.vttbr, IPA(FX_IPA + 3 * SZ_2M)));
	assert_int_equal(stage2_write_protect(&f->m.s2, IPA(FX_IPA), 4 * SZ_2M), 10);
	fx_check_stats(f);
	fx_delete(f);
}

static void write_protection_by_mask_crosses_tables(void **state)
{
	struct fx *f = begin(&caps_fwb, 40);
	u64 base = FX_IPA + SZ_2M - 30 * PAGE_SIZE;

	(void)state;
	map_pages(f, base, 64, S2_R | S2_W);
	assert_int_equal(stage2_write_protect_mask(&f->m.s2, IPA(base),
						   1UL << 3 | 1UL << 29 | 1UL << 30 | 1UL << 63),
			 4);
	stage2_flush(&f->m.s2, IPA(base), 64 * PAGE_SIZE);
	for (u64 i = 0; i < 64; i++)
		assert_int_equal(machine_may_write(f->p, f->m.s2.vttbr, IPA(base + i * PAGE_SIZE)),
				 !(i == 3 || i == 29 || i == 30 || i == 63));
	fx_delete(f);
}

static void age_is_counted_and_cleared(void **state)
{
	struct fx *f = begin(&caps_fwb, 40);

	(void)state;
	map_pages(f, FX_IPA, 600, S2_R | S2_W);
	assert_int_equal(stage2_age(&f->m.s2, IPA(FX_IPA), 600 * PAGE_SIZE, S2_AGE_TEST), 600);
	assert_int_equal(stage2_age(&f->m.s2, IPA(FX_IPA), 600 * PAGE_SIZE, S2_AGE_CLEAR), 600);
	assert_int_equal(stage2_age(&f->m.s2, IPA(FX_IPA), 600 * PAGE_SIZE, S2_AGE_TEST), 0);
	stage2_flush(&f->m.s2, IPA(FX_IPA), 600 * PAGE_SIZE);
	assert_int_equal(machine_access(f->p, IPA(FX_IPA), MACHINE_READ).fault, MF_ACCESS_FLAG);
	assert_true(stage2_make_young(&f->m.s2, IPA(FX_IPA)));
	assert_int_equal(machine_access(f->p, IPA(FX_IPA), MACHINE_READ).fault, MF_NONE);
	assert_false(stage2_make_young(&f->m.s2, IPA(FX_IPA + SZ_1G)));
	fx_delete(f);
}

static void hardware_sets_the_access_flag_where_it_can(void **state)
{
	struct port_caps caps = caps_fwb;
	struct fx *f;

	(void)state;
	caps.hw_af = true;
	f = begin(&caps, 40);
	map(f, FX_IPA, 0, LEVEL_4K, S2_R, S2_NORMAL);
	stage2_age(&f->m.s2, IPA(FX_IPA), PAGE_SIZE, S2_AGE_CLEAR);
	stage2_flush(&f->m.s2, IPA(FX_IPA), PAGE_SIZE);
	assert_int_equal(machine_access(f->p, IPA(FX_IPA), MACHINE_READ).fault, MF_NONE);
	assert_int_equal(stage2_age(&f->m.s2, IPA(FX_IPA), PAGE_SIZE, S2_AGE_TEST), 1);
	fx_delete(f);
}

static void the_dump_joins_neighbours(void **state)
{
	struct fx *f = begin(&caps_fwb, 40);
	struct s2_run run;

	(void)state;
	map_pages(f, FX_IPA, 700, S2_R | S2_W);
	map(f, FX_IPA + 4 * SZ_2M, 4 * SZ_2M, LEVEL_2M, S2_R, S2_DEVICE);
	assert_true(stage2_dump(&f->m.s2, IPA(0), &run));
	assert_int_equal(run.ipa.v, FX_IPA);
	assert_int_equal(run.size, 700 * PAGE_SIZE);
	assert_int_equal(run.leaf.pa.v, ram.v);
	assert_true(stage2_dump(&f->m.s2, IPA(run.ipa.v + run.size), &run));
	assert_int_equal(run.ipa.v, FX_IPA + 4 * SZ_2M);
	assert_int_equal(run.leaf.type, S2_DEVICE);
	assert_false(stage2_dump(&f->m.s2, IPA(run.ipa.v + run.size), &run));
	fx_delete(f);
}

/* Wherever the budget of a step ends: one of the starts below makes it end behind the last table.
 */
static void the_dump_ends_at_the_top_of_the_ipa_space(void **state)
{
	static const unsigned int bits[] = { 32, 36, 40, 48 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		struct fx *f = begin(&caps_fwb, bits[i]);
		u64 top = 1UL << bits[i];
		struct s2_run run;

		/* The model's next table lies behind the root: its first entry is what a step would
		 * find that began there. */
		map(f, 0, 0, LEVEL_4K, S2_R, S2_NORMAL);
		/* Tables without leaves: unmapping a page leaves its table. */
		for (u64 at = top - 10 * SZ_2M; at < top; at += SZ_2M) {
			map(f, at, 0, LEVEL_4K, S2_R, S2_NORMAL);
			stage2_unmap(&f->m.s2, IPA(at), PAGE_SIZE);
		}
		for (u64 at = top - 10 * SZ_2M; at < top; at += PAGE_SIZE)
			assert_false(stage2_dump(&f->m.s2, IPA(at), &run));
		fx_delete(f);
	}
}

static void maintenance_is_paid_before_a_mapping_and_after_it(void **state)
{
	struct fx *f = begin(&caps_plain, 40);
	struct s2_leaf leaf = { ram, S2_NORMAL, S2_R | S2_X, LEVEL_2M, true };
	struct table_cache cache = { .count = 0 };

	(void)state;
	machine_host_writes(f->p, ram, SZ_2M);
	assert_int_equal(table_cache_fill(&cache, f->p, 2), ERR_OK);
	assert_int_equal(stage2_commit(&f->m.s2, &cache, IPA(FX_IPA), &leaf,
				       CMO_DCACHE | CMO_ICACHE),
			 S2_DONE_INSTALL);
	table_cache_drain(&cache, f->p);
	stage2_unmap(&f->m.s2, IPA(FX_IPA), SZ_2M);
	machine_host_takes(f->p, ram, SZ_2M);
	fx_delete(f);
}

/* The n-th allocation fails, for all n: nothing is mapped, nothing lost. */
static void mapping_without_memory_changes_nothing(void **state)
{
	(void)state;
	for (u64 n = 1; n <= 3; n++) {
		struct fx *f = begin(&caps_fwb, 48);
		struct table_cache cache = { .count = 0 };

		machine_fail_alloc(f->p, n);
		assert_int_equal(table_cache_fill(&cache, f->p, 3), ERR_NOMEM);
		assert_int_equal(cache.count, n - 1);
		table_cache_drain(&cache, f->p);
		assert_int_equal(stage2_count_tables(&f->m.s2), 0);
		fx_delete(f);
	}
}

static void creation_without_memory_gives_all_back(void **state)
{
	struct port *p = machine_new(&caps_fwb);
	struct vmid_pool vmids;
	struct guest_mem_config c = { .ipa_bits = 40 };
	struct guest_mem m;
	u64 live, n;

	(void)state;
	assert_int_equal(vmid_pool_init(&vmids, p, 0), ERR_OK);
	live = machine_live(p);
	for (n = 1;; n++) {
		int error;

		machine_fail_alloc(p, n);
		error = guest_mem_init(&m, p, &vmids, &c);
		machine_fail_alloc(p, 0);
		if (!error)
			break;
		assert_int_equal(error, ERR_NOMEM);
		assert_int_equal(machine_live(p), live);
	}
	assert_int_equal(n, 5); /* four allocations */
	guest_mem_destroy(&m);
	vmid_pool_destroy(&vmids);
	assert_int_equal(machine_delete(p), 0);
}

/* ---- an engine that forgets is found out */

static void replace_page(void *arg)
{
	struct fx *f = arg;

	map(f, FX_IPA, 0, LEVEL_4K, S2_R, S2_NORMAL);
	map(f, FX_IPA, PAGE_SIZE, LEVEL_4K, S2_R, S2_NORMAL);
}

static void split_page(void *arg)
{
	struct fx *f = arg;

	map(f, FX_IPA, 0, LEVEL_2M, S2_R, S2_NORMAL);
	map(f, FX_IPA, 0, LEVEL_4K, S2_R | S2_W, S2_NORMAL);
}

static void unmap_and_free(void *arg)
{
	struct fx *f = arg;

	map(f, FX_IPA, 0, LEVEL_4K, S2_R, S2_NORMAL);
	stage2_unmap(&f->m.s2, IPA(FX_IPA), SZ_2M);
}

static void unmap_and_reuse(void *arg)
{
	struct fx *f = arg;

	map(f, FX_IPA, 0, LEVEL_4K, S2_R, S2_NORMAL);
	stage2_unmap(&f->m.s2, IPA(FX_IPA), PAGE_SIZE);
	machine_host_takes(f->p, ram, PAGE_SIZE);
}

static void map_after_host_wrote(void *arg)
{
	struct fx *f = arg;
	struct s2_leaf leaf = { ram, S2_NORMAL, S2_R | S2_X, LEVEL_2M, true };
	struct table_cache cache = { .count = 0 };

	machine_host_writes(f->p, ram, SZ_2M);
	if (table_cache_fill(&cache, f->p, 2))
		return;
	stage2_commit(&f->m.s2, &cache, IPA(FX_IPA), &leaf, CMO_DCACHE | CMO_ICACHE);
}

static void forgotten_steps_are_refused(void **state)
{
	static const struct {
		enum machine_deafness deaf;
		const struct port_caps *caps;
		void (*fn)(void *arg);
		const char *refusal;
	} cases[] = {
		{ DEAF_TLBI, &caps_fwb, replace_page, "missing TLBI" },
		{ DEAF_STAGE1, &caps_fwb, replace_page, "missing TLBI" },
		{ DEAF_TLBI, &caps_fwb, split_page, "missing TLBI" },
		{ DEAF_STAGE1, &caps_plain, split_page, "missing TLBI" },
		{ DEAF_TLBI, &caps_fwb, unmap_and_free, "may still walk" },
		{ DEAF_TLBI, &caps_plain, unmap_and_free, "may still walk" },
		{ DEAF_TLBI, &caps_fwb, unmap_and_reuse, "another owner" },
		{ DEAF_STAGE1, &caps_plain, unmap_and_reuse, "another owner" },
		{ DEAF_DCACHE, &caps_plain, unmap_and_reuse, "owed" },
		{ DEAF_DCACHE, &caps_plain, map_after_host_wrote, "missing clean" },
		{ DEAF_ICACHE, &caps_plain, map_after_host_wrote, "missing IC" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fx *f = begin(cases[i].caps, 40);

		if (machine_refuses(f->p, cases[i].fn, f))
			fail_msg("case %zu: refused while nothing is forgotten: %s", i,
				 machine_refusal(f->p));
		fx_abandon(f);
		f = begin(cases[i].caps, 40);
		machine_deafen(f->p, cases[i].deaf);
		if (!machine_refuses(f->p, cases[i].fn, f))
			fail_msg("case %zu: not refused", i);
		if (!strstr(machine_refusal(f->p), cases[i].refusal))
			fail_msg("case %zu: refused as: %s", i, machine_refusal(f->p));
		fx_abandon(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_mapped_by_one_descriptor_write),
		cmocka_unit_test(every_ipa_size_maps_its_first_and_last_page),
		cmocka_unit_test(ipa_sizes_out_of_range_are_refused),
		cmocka_unit_test(a_run_is_mapped_by_one_write_a_leaf),
		cmocka_unit_test(m13_a_run_settles_with_what_is_there),
		cmocka_unit_test(a_run_stops_at_a_table_where_a_block_is_to_be),
		cmocka_unit_test(a_run_asks_in_every_step_whether_it_is_stale),
		cmocka_unit_test(m2_a_run_pays_what_it_owes_before_it_is_there),
		cmocka_unit_test(a_run_without_memory_keeps_what_it_did),
		cmocka_unit_test(unmapping_takes_exactly_the_range_in_bounded_steps),
		cmocka_unit_test(unmapping_a_gigabyte_costs_one_range_tlbi),
		cmocka_unit_test(without_range_tlbi_a_large_range_costs_one_vmid_tlbi),
		cmocka_unit_test(a_block_that_sticks_out_goes_whole),
		cmocka_unit_test(blocks_of_both_sizes_are_mapped),
		cmocka_unit_test(m13_a_permission_gained_reaches_this_cpu_at_once),
		cmocka_unit_test(permissions_are_added_and_never_taken_by_a_commit),
		cmocka_unit_test(another_address_or_type_is_broken_first),
		cmocka_unit_test(a_larger_leaf_that_disagrees_goes_first),
		cmocka_unit_test(splitting_keeps_type_and_permissions),
		cmocka_unit_test(an_eager_split_leaves_pages_only),
		cmocka_unit_test(an_eager_split_without_memory_keeps_what_it_did),
		cmocka_unit_test(a_table_where_a_block_is_to_be_is_reported),
		cmocka_unit_test(write_protection_holds_when_it_returns),
		cmocka_unit_test(write_protection_by_mask_crosses_tables),
		cmocka_unit_test(age_is_counted_and_cleared),
		cmocka_unit_test(hardware_sets_the_access_flag_where_it_can),
		cmocka_unit_test(the_dump_joins_neighbours),
		cmocka_unit_test(the_dump_ends_at_the_top_of_the_ipa_space),
		cmocka_unit_test(maintenance_is_paid_before_a_mapping_and_after_it),
		cmocka_unit_test(mapping_without_memory_changes_nothing),
		cmocka_unit_test(creation_without_memory_gives_all_back),
		cmocka_unit_test(forgotten_steps_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
