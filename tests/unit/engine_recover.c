/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks come back in place when logging ends, and sizes change without break where the CPU allows.
 */
#include "engine/recover.h"
#include "engine/stage2_priv.h"
#include "tests/unit/engine_fixture.h"

enum { BLOCKS = 4, PER_BLOCK = 512, PAGES = BLOCKS * PER_BLOCK };

static u64 page_ipa(u64 page)
{
	return FX_IPA + page * PAGE_SIZE;
}

static void slot(struct fx *f, u32 flags)
{
	assert_int_equal(fx_slot(f, 0, flags, FX_IPA, PAGES * PAGE_SIZE, FX_HVA), ERR_OK);
}

static struct fx *begin(const struct port_caps *caps)
{
	struct fx *f = fx_new(caps, 40);

	fx_host_ram(f, 64 << 20, LEVEL_2M);
	return f;
}

static s8 level_at(struct fx *f, u64 ipa)
{
	struct s2_leaf leaf;

	return stage2_lookup(&f->m.s2, IPA(ipa), &leaf) ? leaf.level : -1;
}

static u64 faults(struct fx *f)
{
	return fx_stat(f, STAT_fault_read) + fx_stat(f, STAT_fault_write);
}

/* Every page of a slot that logs is mapped, written if @op is a write. */
static void fill_logged(struct fx *f, enum machine_op op)
{
	slot(f, SLOT_LOG_DIRTY);
	for (u64 i = 0; i < PAGES; i++)
		guest_touch(f, page_ipa(i), op);
	assert_int_equal(level_at(f, FX_IPA), LEVEL_4K);
}

static struct recovery recover(struct fx *f)
{
	struct recovery r;

	assert_int_equal(recovery_begin(&f->m, &r, 0), ERR_OK);
	while (recovery_step(&f->m, &r))
		;
	return r;
}

static void expect_blocks(struct fx *f, u8 perms)
{
	struct s2_leaf leaf;

	for (u64 i = 0; i < BLOCKS; i++) {
		assert_true(stage2_lookup(&f->m.s2, IPA(FX_IPA + i * SZ_2M), &leaf));
		assert_int_equal(leaf.level, LEVEL_2M);
		assert_int_equal(leaf.pa.v, f->host.pa + i * SZ_2M);
		assert_int_equal(leaf.perms, perms);
	}
}

static void when_logging_ends_blocks_come_back(void **state)
{
	static const struct port_caps *const caps[] = { &caps_fwb, &caps_plain };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
		struct fx *f = begin(caps[i]);
		u64 before;

		fill_logged(f, MACHINE_WRITE);
		machine_host_writes(f->p, PA(f->host.pa), SZ_2M);
		slot(f, 0);
		expect_blocks(f, S2_R | S2_W | (caps[i]->dic ? S2_X : 0));
		before = faults(f);
		for (u64 k = 0; k < PAGES; k++) {
			struct machine_access a =
				machine_access(f->p, IPA(page_ipa(k)), MACHINE_WRITE);

			assert_int_equal(a.fault, MF_NONE);
			assert_int_equal(a.pa.v, f->host.pa + k * PAGE_SIZE);
		}
		assert_int_equal(faults(f), before);
		assert_int_equal(fx_stat(f, STAT_recover), BLOCKS);
		assert_int_equal(stage2_count_tables(&f->m.s2), 1);
		machine_quiesce(f->p);
		fx_check_stats(f);
		fx_delete(f);
	}
}

/* Pages that were only read have no write permission left to lose; the block has it. */
static void clean_pages_come_back_writable(void **state)
{
	struct fx *f = begin(&caps_fwb);

	(void)state;
	fill_logged(f, MACHINE_READ);
	guest_touch(f, page_ipa(5), MACHINE_WRITE);
	slot(f, 0);
	expect_blocks(f, S2_R | S2_W | S2_X);
	fx_check_stats(f);
	fx_delete(f);
}

static void what_the_host_made_read_only_comes_back_read_only(void **state)
{
	struct fx *f = begin(&caps_fwb);

	(void)state;
	f->host.read_maps_read_only = true;
	fill_logged(f, MACHINE_READ);
	slot(f, 0);
	expect_blocks(f, S2_R | S2_X);
	fx_delete(f);
}

static void a_gigabyte_comes_back(void **state)
{
	struct fx *f = fx_new(&caps_fwb, 40);
	struct s2_leaf leaf;

	(void)state;
	fx_host_ram(f, SZ_1G, LEVEL_1G);
	f->host.start = f->host.end = 0; /* aligned alike */
	f->host.start = ALIGN_DOWN(FX_HVA, SZ_1G);
	f->host.end = f->host.start + SZ_1G;
	assert_int_equal(fx_slot(f, 0, 0, SZ_1G, SZ_1G, f->host.start), ERR_OK);
	guest_touch(f, SZ_1G, MACHINE_WRITE);
	assert_int_equal(level_at(f, SZ_1G), LEVEL_1G);
	assert_int_equal(fx_slot(f, 0, SLOT_LOG_DIRTY, SZ_1G, SZ_1G, f->host.start), ERR_OK);
	guest_touch(f, SZ_1G + 5 * SZ_2M, MACHINE_WRITE);
	assert_int_equal(level_at(f, SZ_1G + 5 * SZ_2M), LEVEL_4K);
	assert_int_equal(fx_slot(f, 0, 0, SZ_1G, SZ_1G, f->host.start), ERR_OK);
	assert_true(stage2_lookup(&f->m.s2, IPA(SZ_1G + 5 * SZ_2M), &leaf));
	assert_int_equal(leaf.level, LEVEL_1G);
	assert_int_equal(leaf.pa.v, f->host.pa);
	assert_int_equal(leaf.perms, S2_R | S2_W | S2_X);
	assert_int_equal(fx_stat(f, STAT_recover), 2);
	assert_int_equal(stage2_count_tables(&f->m.s2), 0);
	fx_check_stats(f);
	fx_delete(f);
}

/* ---- what does not come back, and why */

static void a_table_with_a_hole_is_left_to_the_next_fault(void **state)
{
	struct fx *f = begin(&caps_fwb);
	struct recovery r;

	(void)state;
	slot(f, SLOT_LOG_DIRTY);
	for (u64 i = 0; i < PER_BLOCK - 1; i++)
		guest_touch(f, page_ipa(i), MACHINE_WRITE);
	slot(f, 0);
	assert_int_equal(level_at(f, FX_IPA), LEVEL_4K);
	r = recover(f);
	assert_int_equal(r.disagreed, 1);
	assert_int_equal(r.recovered, 0);
	guest_touch(f, page_ipa(PER_BLOCK - 1), MACHINE_READ);
	assert_int_equal(level_at(f, FX_IPA), LEVEL_2M);
	fx_check_stats(f);
	fx_delete(f);
}

/* One leaf says otherwise: another page, or another type. */
static void a_table_that_disagrees_stays(void **state)
{
	static const u64 odd[] = { 1UL << 12, 0x3cUL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		struct fx *f = begin(&caps_fwb);
		struct s2_pos pos;
		struct recovery r;

		fill_logged(f, MACHINE_WRITE);
		pos = walk_to(&f->m.s2, page_ipa(7), LEVEL_4K);
		assert_true(bbm_break(&f->m.s2, pos.entry, pos.old, page_ipa(7), LEVEL_4K));
		bbm_make(&f->m.s2, pos.entry, pos.old ^ odd[i]);
		slot(f, 0);
		assert_int_equal(level_at(f, FX_IPA), LEVEL_4K);
		assert_int_equal(level_at(f, FX_IPA + SZ_2M), LEVEL_2M);
		r = recover(f);
		assert_int_equal(r.disagreed, 1);
		assert_int_equal(r.recovered, 0);
		fx_abandon(f);
	}
}

static void the_limit_that_bound_it_is_recorded(void **state)
{
	struct fx *f = fx_new(&caps_fwb, 40);
	struct recovery r;

	(void)state;
	slot(f, 0);
	for (u64 i = 0; i < PAGES; i++)
		guest_touch(f, page_ipa(i), MACHINE_WRITE);
	r = recover(f);
	assert_int_equal(r.bound[LIMIT_HOST], BLOCKS);
	assert_int_equal(r.recovered, 0);
	fx_delete(f);

	f = begin(&caps_fwb);
	fill_logged(f, MACHINE_WRITE);
	r = recover(f);
	assert_int_equal(r.bound[LIMIT_LOGGING], BLOCKS);
	assert_int_equal(r.recovered, 0);
	assert_int_equal(recovery_begin(&f->m, &r, 5), ERR_NOENT);
	fx_delete(f);

	/* The slot begins a page late and ends a page early. */
	f = begin(&caps_fwb);
	assert_int_equal(fx_slot(f, 0, 0, page_ipa(1), (PAGES - 2) * PAGE_SIZE, FX_HVA + PAGE_SIZE),
			 ERR_OK);
	for (u64 i = 1; i < PAGES - 1; i++)
		guest_touch(f, page_ipa(i), MACHINE_WRITE);
	r = recover(f);
	assert_int_equal(r.bound[LIMIT_SLOT], 2);
	fx_delete(f);
}

static void invalidate_now(void *arg)
{
	struct fx *f = arg;

	guest_mem_invalidate_begin(&f->m, HVA(FX_HVA + SZ_2M - PAGE_SIZE), HVA(FX_HVA + SZ_2M));
	f->host.present[0] = 0;
	guest_mem_invalidate_end(&f->m, HVA(FX_HVA + SZ_2M - PAGE_SIZE), HVA(FX_HVA + SZ_2M));
}

/* After the host leaf was read it goes: the block would map what is no longer there. */
static void a_host_that_changes_meanwhile_wins(void **state)
{
	struct fx *f = begin(&caps_fwb);
	struct recovery r;

	(void)state;
	fill_logged(f, MACHINE_WRITE);
	assert_int_equal(recovery_begin(&f->m, &r, 0), ERR_OK);
	r.slot.logging = false; /* as if logging had just ended */
	f->host.after_leaf = invalidate_now;
	f->host.after_leaf_arg = f;
	recovery_step(&f->m, &r);
	assert_int_equal(r.raced, 1);
	assert_int_equal(r.recovered, 0);
	assert_int_equal(level_at(f, FX_IPA), LEVEL_4K);
	fx_check_stats(f);
	fx_delete(f);
}

static void unmap_now(void *arg)
{
	struct fx *f = arg;

	stage2_unmap(&f->m.s2, IPA(FX_IPA), SZ_2M);
}

static void a_table_that_went_meanwhile_is_nothing_to_recover(void **state)
{
	struct fx *f = begin(&caps_fwb);
	struct recovery r;

	(void)state;
	fill_logged(f, MACHINE_WRITE);
	assert_int_equal(recovery_begin(&f->m, &r, 0), ERR_OK);
	r.slot.logging = false; /* as if logging had just ended */
	f->host.after_leaf = unmap_now;
	f->host.after_leaf_arg = f;
	assert_true(recovery_step(&f->m, &r));
	assert_int_equal(r.recovered + r.disagreed + r.raced, 0);
	assert_int_equal(level_at(f, FX_IPA), -1);
	while (recovery_step(&f->m, &r))
		;
	assert_int_equal(r.recovered, BLOCKS - 1);
	assert_false(recovery_step(&f->m, &r)); /* done is done */
	fx_check_stats(f);
	fx_delete(f);
}

/* ---- details of the block */

static void the_block_is_as_old_as_its_pages(void **state)
{
	struct fx *f = begin(&caps_fwb);
	struct s2_leaf leaf;

	(void)state;
	fill_logged(f, MACHINE_WRITE);
	stage2_age(&f->m.s2, IPA(FX_IPA), 2 * SZ_2M, S2_AGE_CLEAR);
	stage2_flush(&f->m.s2, IPA(FX_IPA), 2 * SZ_2M);
	guest_touch(f, page_ipa(PER_BLOCK + 3), MACHINE_READ);
	slot(f, 0);
	for (u64 i = 0; i < BLOCKS; i++) {
		assert_true(stage2_lookup(&f->m.s2, IPA(FX_IPA + i * SZ_2M), &leaf));
		assert_int_equal(leaf.level, LEVEL_2M);
		assert_int_equal(leaf.accessed, i != 0);
	}
	fx_delete(f);
}

static struct fx *racer;

static void other_cpu_writes(void *arg)
{
	(void)arg;
	machine_cpu(racer->p, 1);
	machine_access(racer->p, IPA(page_ipa(9)), MACHINE_WRITE);
	machine_cpu(racer->p, 0);
}

/* Whoever recovers where writes are logged owes the log what hardware marks until the break. */
static void marks_of_a_recovered_table_reach_the_log(void **state)
{
	struct port_caps caps = caps_fwb;
	struct dirty_log log;
	struct s2_leaf leaf;
	struct fx *f;

	(void)state;
	caps.hw_af = true;
	caps.hw_dbm = true;
	f = begin(&caps);
	fill_logged(f, MACHINE_READ);
	assert_int_equal(dirty_log_get(&f->m, 0, &log), ERR_OK);
	leaf = (struct s2_leaf){ PA(f->host.pa), S2_NORMAL, S2_R, LEVEL_2M, true };
	racer = f;
	machine_on_change(f->p, other_cpu_writes, NULL);
	port_write_lock(f->p, &f->m.s2.lock);
	assert_int_equal(stage2_recover(&f->m.s2, IPA(FX_IPA), &leaf, 0), S2_RECOVERED);
	port_write_unlock(f->p, &f->m.s2.lock);
	machine_on_change(f->p, NULL, NULL);
	assert_int_equal(dirty_log_get(&f->m, 0, &log), ERR_OK);
	assert_int_equal(log.words[0], BIT(9));
	fx_delete(f);
}

/* ---- BBM levels */

static u64 interruptions, looks;

/* Before each step of the engine: does the other CPU find its memory gone? */
static void other_cpu_reads(void *arg, enum machine_step kind, const char *where)
{
	(void)arg;
	(void)kind;
	(void)where;
	machine_on_step(racer->p, NULL, NULL);
	machine_cpu(racer->p, 1);
	looks++;
	interruptions += machine_access(racer->p, IPA(page_ipa(77)), MACHINE_READ).fault != MF_NONE;
	machine_cpu(racer->p, 0);
	machine_on_step(racer->p, other_cpu_reads, NULL);
}

static void watch(struct fx *f, bool on)
{
	racer = f;
	interruptions = looks = 0;
	machine_on_step(f->p, on ? other_cpu_reads : NULL, NULL);
}

static void level_2_changes_sizes_without_interruption(void **state)
{
	(void)state;
	for (u8 bbm = 0; bbm <= 2; bbm++) {
		struct port_caps caps = caps_fwb;
		struct fx *f;

		caps.bbm = bbm;
		f = begin(&caps);
		f->m.policy.eager_split = PAGE_SIZE;
		slot(f, 0);
		for (u64 i = 0; i < PAGES; i++)
			guest_touch(f, page_ipa(i), MACHINE_WRITE);
		assert_int_equal(level_at(f, FX_IPA), LEVEL_2M);
		watch(f, true);
		slot(f, SLOT_LOG_DIRTY);
		watch(f, false);
		assert_int_equal(level_at(f, FX_IPA), LEVEL_4K);
		assert_int_equal(fx_stat(f, STAT_resize), bbm == 2 ? BLOCKS : 0);
		for (u64 i = 0; i < PAGES; i++)
			guest_touch(f, page_ipa(i), MACHINE_WRITE);
		watch(f, true);
		slot(f, 0);
		assert_true(looks > 0);
		assert_int_equal(interruptions != 0, bbm < 2);
		watch(f, false);
		expect_blocks(f, S2_R | S2_W | S2_X);
		assert_int_equal(fx_stat(f, STAT_resize), bbm == 2 ? 2 * BLOCKS : 0);
		machine_quiesce(f->p);
		fx_check_stats(f);
		fx_delete(f);
	}
}

/* A change of more than size is a break at every level: the model refuses anything else. */
static void level_2_breaks_where_more_than_size_changes(void **state)
{
	struct port_caps caps = caps_fwb;
	struct fx *f;

	(void)state;
	caps.bbm = 2;
	f = begin(&caps);
	fill_logged(f, MACHINE_READ); /* read-only pages, writable block */
	slot(f, 0);
	expect_blocks(f, S2_R | S2_W | S2_X);
	assert_int_equal(fx_stat(f, STAT_resize), 0);
	/* A block that is split by a fault, which gives one page more than the others. */
	slot(f, SLOT_LOG_DIRTY);
	guest_touch(f, page_ipa(3), MACHINE_WRITE);
	assert_int_equal(fx_stat(f, STAT_split), 1);
	assert_int_equal(fx_stat(f, STAT_resize), 0);
	fx_check_stats(f);
	fx_delete(f);
}

/* What hardware may still change in a block, or what its pages get beside their size, needs a
 * break. */
static void level_2_breaks_blocks_that_are_not_at_rest(void **state)
{
	(void)state;
	for (int is_old = 0; is_old < 2; is_old++) {
		struct port_caps caps = caps_fwb;
		struct fx *f;

		caps.bbm = 2;
		caps.hw_af = caps.hw_dbm = true;
		f = begin(&caps);
		slot(f, 0);
		guest_touch(f, page_ipa(0), MACHINE_WRITE);
		if (is_old)
			stage2_age(&f->m.s2, IPA(FX_IPA), SZ_2M, S2_AGE_CLEAR);
		else
			stage2_write_protect(&f->m.s2, IPA(FX_IPA), SZ_2M);
		stage2_flush(&f->m.s2, IPA(FX_IPA), SZ_2M);
		racer = f;
		machine_on_change(f->p, other_cpu_writes, NULL);
		assert_int_equal(stage2_split(&f->m.s2, IPA(FX_IPA), SZ_2M), ERR_OK);
		machine_on_change(f->p, NULL, NULL);
		assert_int_equal(level_at(f, FX_IPA), LEVEL_4K);
		assert_int_equal(fx_stat(f, STAT_resize), is_old);
		fx_check_stats(f);
		fx_delete(f);
	}
}

/* A CPU may find both sizes in its TLB until the invalidation is complete, and say so. */
static void a_tlb_conflict_is_flushed_away(void **state)
{
	struct fx *f = begin(&caps_fwb);
	struct fault_trap t = trap_at(ESR_DABT | 0x30, FX_IPA);
	u64 before;

	(void)state;
	t.hpfar = ~0UL; /* nobody promises an address */
	before = machine_counts(f->p)->tlbi_vmid;
	assert_int_equal(fault_handle(&f->m, &t).kind, OUTCOME_RESUME);
	assert_int_equal(machine_counts(f->p)->tlbi_vmid - before, 1);
	fx_delete(f);
}

/* ---- a random life */

struct life {
	struct fx *f;
	unsigned int seed;
	bool logs;
};

static unsigned int life_random(struct life *l, unsigned int below)
{
	l->seed = l->seed * 1664525 + 1013904223;
	return (l->seed >> 8) % below;
}

static void life_touch(struct life *l, u64 page, enum machine_op op)
{
	struct machine_access a;

	guest_do(l->f, page_ipa(page), op, &a);
	assert_int_equal(a.fault, MF_NONE);
	assert_int_equal(a.pa.v, l->f->host.pa + page * PAGE_SIZE);
}

static void life_hook(void *arg)
{
	struct life *l = arg;
	unsigned int cpu = l->f->p->cpu;
	u64 page = life_random(l, PAGES);
	struct machine_access a;

	machine_cpu(l->f->p, life_random(l, 2));
	a = machine_access(l->f->p, IPA(page_ipa(page)), life_random(l, 2));
	if (a.fault == MF_NONE)
		assert_int_equal(a.pa.v, l->f->host.pa + page * PAGE_SIZE);
	machine_cpu(l->f->p, cpu);
}

static void life_fill(struct life *l, u64 block)
{
	for (u64 i = 0; i < PER_BLOCK; i++)
		life_touch(l, block * PER_BLOCK + i, MACHINE_READ);
}

static void life_step(struct life *l)
{
	unsigned int what = life_random(l, 64);

	machine_cpu(l->f->p, life_random(l, 2));
	if (what < 50) {
		life_touch(l, life_random(l, PAGES), (enum machine_op)life_random(l, 2));
	} else if (what < 54) {
		life_fill(l, life_random(l, BLOCKS));
	} else if (what < 57) {
		u64 at = life_random(l, PAGES) * PAGE_SIZE;

		guest_mem_invalidate_begin(&l->f->m, HVA(FX_HVA + at), HVA(FX_HVA + at + SZ_1K));
		guest_mem_invalidate_end(&l->f->m, HVA(FX_HVA + at), HVA(FX_HVA + at + SZ_1K));
	} else if (what < 59) {
		stage2_age(&l->f->m.s2, IPA(FX_IPA), PAGES * PAGE_SIZE, S2_AGE_CLEAR);
	} else {
		l->logs = !l->logs;
		slot(l->f, l->logs ? SLOT_LOG_DIRTY : 0);
	}
}

static void a_random_life_breaks_no_rule_of_the_machine(void **state)
{
	u64 recovered = 0, resized = 0;

	(void)state;
	for (unsigned int seed = 1; seed <= 6; seed++) {
		struct port_caps caps = seed % 3 ? caps_fwb : caps_plain;
		struct life l = { .seed = seed };

		caps.bbm = seed % 2 ? 2 : 0;
		caps.hw_af = caps.hw_dbm = seed % 4 < 2;
		l.f = begin(&caps);
		l.f->m.policy.eager_split = seed % 5 ? PAGE_SIZE : 0;
		slot(l.f, 0);
		machine_on_change(l.f->p, life_hook, &l);
		machine_on_relax(l.f->p, life_hook, &l);
		for (int i = 0; i < 300; i++)
			life_step(&l);
		machine_on_change(l.f->p, NULL, NULL);
		machine_on_relax(l.f->p, NULL, NULL);
		machine_quiesce(l.f->p);
		recovered += fx_stat(l.f, STAT_recover);
		resized += fx_stat(l.f, STAT_resize);
		fx_check_stats(l.f);
		fx_delete(l.f);
	}
	assert_true(recovered > 20);
	assert_true(resized > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_logging_ends_blocks_come_back),
		cmocka_unit_test(clean_pages_come_back_writable),
		cmocka_unit_test(what_the_host_made_read_only_comes_back_read_only),
		cmocka_unit_test(a_gigabyte_comes_back),
		cmocka_unit_test(a_table_with_a_hole_is_left_to_the_next_fault),
		cmocka_unit_test(a_table_that_disagrees_stays),
		cmocka_unit_test(the_limit_that_bound_it_is_recorded),
		cmocka_unit_test(a_host_that_changes_meanwhile_wins),
		cmocka_unit_test(a_table_that_went_meanwhile_is_nothing_to_recover),
		cmocka_unit_test(the_block_is_as_old_as_its_pages),
		cmocka_unit_test(marks_of_a_recovered_table_reach_the_log),
		cmocka_unit_test(level_2_changes_sizes_without_interruption),
		cmocka_unit_test(level_2_breaks_where_more_than_size_changes),
		cmocka_unit_test(a_tlb_conflict_is_flushed_away),
		cmocka_unit_test(level_2_breaks_blocks_that_are_not_at_rest),
		cmocka_unit_test(a_random_life_breaks_no_rule_of_the_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
