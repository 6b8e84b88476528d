/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contiguous hint: pages that cannot be a block, as the slot lies askew over the host's blocks,
 * share TLB entries until one of them changes. The machine uses any entry of a group for all of it.
 */
#include "engine/recover.h"
#include "engine/stage2_priv.h"
#include "tests/unit/engine_fixture.h"

enum { PAGES = 1024, GROUP = 16 };
/* The slot's host addresses are this far from where blocks could be, and groups can. */
#define ASKEW (5UL * GROUP * PAGE_SIZE)

static struct port_caps caps_of(u8 bbm)
{
	struct port_caps caps = caps_fwb;

	caps.bbm = bbm;
	return caps;
}

static u64 page_ipa(u64 page)
{
	return FX_IPA + page * PAGE_SIZE;
}

static void slot(struct fx *f, u32 flags)
{
	assert_int_equal(fx_slot(f, 0, flags, FX_IPA, PAGES * PAGE_SIZE, FX_HVA + ASKEW), ERR_OK);
}

static void fill(struct fx *f, enum machine_op op)
{
	for (u64 i = 0; i < PAGES; i++)
		guest_touch(f, page_ipa(i), op);
}

static struct fx *begin(const struct port_caps *caps)
{
	struct fx *f = fx_new(caps, 40);

	fx_host_ram(f, 64 << 20, LEVEL_2M);
	slot(f, 0);
	return f;
}

static struct recovery recover(struct fx *f)
{
	struct recovery r;

	assert_int_equal(recovery_begin(&f->m, &r, 0), ERR_OK);
	while (recovery_step(&f->m, &r))
		;
	return r;
}

static u64 entry_at(struct fx *f, u64 page)
{
	return walk_to(&f->m.s2, page_ipa(page), LEVEL_4K).old;
}

/* How many pages have the hint. */
static u64 hinted(struct fx *f)
{
	u64 n = 0;

	for (u64 i = 0; i < PAGES; i++)
		n += desc_has_hint(entry_at(f, i));
	return n;
}

static struct fx *begin_hinted(const struct port_caps *caps)
{
	struct fx *f = begin(caps);

	fill(f, MACHINE_WRITE);
	recover(f);
	assert_int_equal(hinted(f), PAGES);
	return f;
}

static void expect_pages(struct fx *f, u64 except)
{
	for (u64 i = 0; i < PAGES; i++) {
		struct machine_access a = machine_access(f->p, IPA(page_ipa(i)), MACHINE_READ);

		assert_int_equal(a.fault == MF_NONE, i != except);
		if (i != except)
			assert_int_equal(a.pa.v, f->host.pa + ASKEW + i * PAGE_SIZE);
	}
}

static void pages_that_cannot_be_blocks_share(void **state)
{
	(void)state;
	for (u8 bbm = 0; bbm <= 2; bbm++) {
		struct port_caps caps = caps_of(bbm);
		struct fx *f = begin(&caps);
		struct recovery r;

		fill(f, MACHINE_READ);
		r = recover(f);
		assert_int_equal(r.bound[LIMIT_HOST] + r.bound[LIMIT_SLOT], PAGES / 512);
		/* Below level 1 the hint could only come and go by breaks. */
		assert_int_equal(hinted(f), bbm ? PAGES : 0);
		assert_int_equal(fx_stat(f, STAT_hint), bbm ? PAGES / GROUP : 0);
		expect_pages(f, ~0UL);
		recover(f);
		assert_int_equal(fx_stat(f, STAT_hint), bbm ? PAGES / GROUP : 0);
		fx_check_stats(f);
		fx_delete(f);
	}
}

static void groups_that_do_not_agree_do_not_share(void **state)
{
	struct port_caps caps = caps_of(1);
	struct fx *f = begin(&caps);

	(void)state;
	caps.dic = false;
	for (u64 i = 0; i < 4 * GROUP; i++) {
		if (i != GROUP + 3) /* a hole */
			guest_touch(f, page_ipa(i), MACHINE_READ);
	}
	port_write_lock(f->p, &f->m.s2.lock);
	bbm_restrict(&f->m.s2, walk_to(&f->m.s2, page_ipa(2 * GROUP), LEVEL_4K).entry,
		     entry_at(f, 2 * GROUP), DESC_WRITE, 0);
	port_write_unlock(f->p, &f->m.s2.lock);
	recover(f);
	assert_int_equal(hinted(f), 2 * GROUP);
	assert_true(desc_has_hint(entry_at(f, 0)));
	assert_true(desc_has_hint(entry_at(f, 3 * GROUP)));
	fx_delete(f);

	/* Output addresses that are not aligned to groups; slots that begin inside one. */
	f = fx_new(&caps, 40);
	fx_host_ram(f, 64 << 20, LEVEL_2M);
	assert_int_equal(fx_slot(f, 0, 0, FX_IPA, PAGES * PAGE_SIZE, FX_HVA + PAGE_SIZE), ERR_OK);
	fill(f, MACHINE_READ);
	recover(f);
	assert_int_equal(hinted(f), 0);
	fx_delete(f);

	f = fx_new(&caps, 40);
	fx_host_ram(f, 64 << 20, LEVEL_2M);
	assert_int_equal(fx_slot(f, 0, 0, page_ipa(3), 100 * PAGE_SIZE,
				 FX_HVA + ASKEW + 3 * PAGE_SIZE),
			 ERR_OK);
	assert_int_equal(fx_slot(f, 1, SLOT_LOG_DIRTY, page_ipa(103), 300 * PAGE_SIZE,
				 FX_HVA + ASKEW + 103 * PAGE_SIZE),
			 ERR_OK);
	for (u64 i = 3; i < 403; i++)
		guest_touch(f, page_ipa(i), MACHINE_WRITE);
	recover(f); /* of slot 0: its neighbour logs */
	for (u64 i = 3; i < 403; i++)
		assert_int_equal(desc_has_hint(entry_at(f, i)), i >= GROUP && i < 96);
	fx_delete(f);
}

static void an_unmapped_page_leaves_its_group(void **state)
{
	static const u64 first[] = { 100, 112, 0, 95, 1023 }, count[] = { 1, 16, 17, 2, 1 };

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(first); k++) {
		struct port_caps caps = caps_of(1 + k % 2);
		struct fx *f = begin_hinted(&caps);
		hva_t start = HVA(FX_HVA + ASKEW + first[k] * PAGE_SIZE);
		hva_t stop = HVA(start.v + count[k] * PAGE_SIZE);
		u64 left = PAGES;

		guest_mem_invalidate_begin(&f->m, start, stop);
		machine_host_takes(f->p, PA(f->host.pa + ASKEW + first[k] * PAGE_SIZE),
				   count[k] * PAGE_SIZE);
		for (u64 i = first[k] & ~15UL; i < first[k] + count[k]; i += GROUP)
			left -= GROUP;
		assert_int_equal(hinted(f), left);
		for (u64 i = 0; i < PAGES; i++) {
			bool is_gone = i >= first[k] && i < first[k] + count[k];

			assert_int_equal(machine_access(f->p, IPA(page_ipa(i)), MACHINE_READ).fault,
					 is_gone ? MF_TRANSLATION : MF_NONE);
		}
		guest_mem_invalidate_end(&f->m, start, stop);
		guest_touch(f, page_ipa(first[k]), MACHINE_READ);
		fx_check_stats(f);
		fx_delete(f);
	}
}

static void a_page_that_gains_execution_leaves_its_group(void **state)
{
	struct port_caps caps = caps_of(1);
	struct fx *f;

	(void)state;
	caps.dic = false;
	f = begin_hinted(&caps);
	guest_touch(f, page_ipa(35), MACHINE_FETCH);
	assert_int_equal(hinted(f), PAGES - GROUP);
	for (unsigned int cpu = 0; cpu < 2; cpu++) {
		machine_cpu(f->p, cpu);
		for (u64 i = 32; i < 48; i++) {
			if (i != 35)
				assert_int_equal(
					machine_access(f->p, IPA(page_ipa(i)), MACHINE_FETCH).fault,
					MF_PERMISSION);
		}
	}
	fx_delete(f);
}

static void a_page_that_is_replaced_leaves_its_group(void **state)
{
	struct port_caps caps = caps_of(2);
	struct fx *f = begin_hinted(&caps);
	struct table_cache cache = { .count = 0 };
	struct s2_leaf leaf = { machine_pages(f->p, PAGE_SIZE), S2_NORMAL, S2_R, LEVEL_4K, true };

	(void)state;
	port_read_lock(f->p, &f->m.s2.lock);
	assert_int_equal(stage2_commit(&f->m.s2, &cache, IPA(page_ipa(50)), &leaf, 0),
			 S2_DONE_REPLACE);
	port_read_unlock(f->p, &f->m.s2.lock);
	assert_int_equal(hinted(f), PAGES - GROUP);
	assert_int_equal(machine_access(f->p, IPA(page_ipa(50)), MACHINE_READ).pa.v, leaf.pa.v);
	assert_int_equal(machine_access(f->p, IPA(page_ipa(51)), MACHINE_READ).pa.v,
			 f->host.pa + ASKEW + 51 * PAGE_SIZE);
	fx_delete(f);
}

static void logging_ends_the_sharing(void **state)
{
	(void)state;
	for (int hw = 0; hw < 2; hw++) {
		struct port_caps caps = caps_of(2);
		struct dirty_log log;
		struct fx *f;

		caps.hw_af = caps.hw_dbm = hw;
		f = begin_hinted(&caps);
		slot(f, SLOT_LOG_DIRTY);
		assert_int_equal(hinted(f), 0);
		recover(f);
		assert_int_equal(hinted(f), 0);
		guest_touch(f, page_ipa(77), MACHINE_WRITE);
		guest_touch(f, page_ipa(78), MACHINE_READ);
		assert_int_equal(dirty_log_get(&f->m, 0, &log), ERR_OK);
		for (u64 i = 0; i < PAGES; i++)
			assert_int_equal(log.words[i / 64] >> (i % 64) & 1, i == 77);
		slot(f, 0); /* and its end brings it back, whatever hardware had marked */
		assert_int_equal(hinted(f), PAGES);
		guest_touch(f, page_ipa(78), MACHINE_WRITE);
		fx_check_stats(f);
		fx_delete(f);
	}
}

static void clearing_the_log_page_by_page_ends_the_sharing(void **state)
{
	struct port_caps caps = caps_of(1);
	struct fx *f = begin_hinted(&caps);
	struct dirty_log log;
	u64 mask = BIT(20);

	(void)state;
	f->m.policy.dirty_protect = DIRTY_PROTECT_ON_CLEAR;
	f->m.policy.dirty_initially = SLOT_DIRTY_SET;
	slot(f, SLOT_LOG_DIRTY);
	assert_int_equal(hinted(f), PAGES); /* all count as written still */
	assert_int_equal(dirty_log_clear(&f->m, 0, 0, 64, &mask), ERR_OK);
	dirty_log_clear_end(&f->m, 0);
	assert_int_equal(hinted(f), PAGES - GROUP);
	assert_int_equal(machine_access(f->p, IPA(page_ipa(20)), MACHINE_WRITE).fault,
			 MF_PERMISSION);
	assert_int_equal(machine_access(f->p, IPA(page_ipa(21)), MACHINE_WRITE).fault, MF_NONE);
	guest_touch(f, page_ipa(20), MACHINE_WRITE);
	assert_int_equal(dirty_log_get(&f->m, 0, &log), ERR_OK);
	assert_int_equal(log.words[0], ~0UL);
	fx_delete(f);
}

static void write_protection_cuts_groups(void **state)
{
	struct port_caps caps = caps_of(1);
	struct fx *f = begin_hinted(&caps);

	(void)state;
	assert_int_equal(stage2_write_protect(&f->m.s2, IPA(page_ipa(20)), 30 * PAGE_SIZE), 30);
	for (u64 i = 0; i < PAGES; i++)
		assert_int_equal(machine_may_write(f->p, f->m.s2.vttbr, IPA(page_ipa(i))),
				 i < 20 || i >= 50);
	assert_int_equal(hinted(f), PAGES - 3 * GROUP);
	fx_delete(f);
}

static void a_full_table_with_hints_becomes_a_block(void **state)
{
	struct port_caps caps = caps_of(2);
	struct fx *f = fx_new(&caps, 40);
	struct recovery r;

	(void)state;
	assert_int_equal(fx_slot(f, 0, 0, FX_IPA, PAGES * PAGE_SIZE, FX_HVA), ERR_OK);
	fill(f, MACHINE_WRITE); /* the host has pages */
	recover(f);
	assert_int_equal(hinted(f), PAGES);
	f->host.level = LEVEL_2M; /* and joins them, contents and all */
	f->host.present[0] = f->host.present[1] = 1;
	f->host.writable[0] = f->host.writable[1] = 1;
	r = recover(f);
	assert_int_equal(r.recovered, 2);
	for (u64 i = 0; i < PAGES; i++)
		assert_int_equal(machine_access(f->p, IPA(page_ipa(i)), MACHINE_WRITE).pa.v,
				 f->host.pa + i * PAGE_SIZE);
	machine_quiesce(f->p);
	fx_check_stats(f);
	fx_delete(f);
}

static struct fx *racer;
static u64 racer_page;

/* Before each change of a descriptor the other CPU uses the next page. */
static void other_cpu_reads(void *arg)
{
	(void)arg;
	machine_cpu(racer->p, 1);
	machine_access(racer->p, IPA(page_ipa(racer_page++ % PAGES)), MACHINE_READ);
	machine_cpu(racer->p, 0);
}

/* Hardware sets Access flags while the hint comes and goes: none is lost. */
static void hints_and_access_flags_do_not_disturb_each_other(void **state)
{
	struct port_caps caps = caps_of(1);
	struct fx *f;

	(void)state;
	caps.hw_af = true;
	for (int sets = 0; sets < 2; sets++) {
		f = sets ? begin(&caps) : begin_hinted(&caps);
		if (sets)
			fill(f, MACHINE_WRITE);
		stage2_age(&f->m.s2, IPA(FX_IPA), PAGES * PAGE_SIZE, S2_AGE_CLEAR);
		stage2_flush(&f->m.s2, IPA(FX_IPA), PAGES * PAGE_SIZE);
		racer = f;
		racer_page = 0;
		machine_on_change(f->p, other_cpu_reads, NULL);
		if (sets)
			recover(f);
		else
			stage2_unmap(&f->m.s2, IPA(page_ipa(GROUP - 1)), PAGE_SIZE);
		machine_on_change(f->p, NULL, NULL);
		assert_int_equal(hinted(f), sets ? PAGES : PAGES - GROUP);
		/* With the hint one page's flag may stand for its group's. */
		assert_true(stage2_age(&f->m.s2, IPA(FX_IPA), PAGES * PAGE_SIZE, S2_AGE_TEST) >=
			    (sets ? PAGES / GROUP : 1));
		expect_pages(f, sets ? ~0UL : GROUP - 1);
		fx_delete(f);
	}
}

static void recover_now(void *arg)
{
	(void)arg;
	machine_on_relax(racer->p, NULL, NULL);
	recover(racer);
}

/* A range that is being taken down has cut its groups: they must not be joined again meanwhile. */
static void hints_stay_away_from_ranges_that_go(void **state)
{
	struct port_caps caps = caps_of(1);
	struct fx *f = begin(&caps);
	hva_t start = HVA(FX_HVA + ASKEW), stop = HVA(start.v + 40 * PAGE_SIZE);

	(void)state;
	fill(f, MACHINE_WRITE);
	recover(f);
	f->m.s2.step = 16;
	racer = f;
	machine_on_relax(f->p, recover_now, NULL);
	guest_mem_invalidate_begin(&f->m, start, stop);
	machine_on_relax(f->p, NULL, NULL);
	machine_host_takes(f->p, PA(f->host.pa + ASKEW), 40 * PAGE_SIZE);
	guest_mem_invalidate_end(&f->m, start, stop);
	fx_delete(f);
}

static void a_part_of_a_slot_can_be_asked_for(void **state)
{
	struct port_caps caps = caps_of(1);
	struct fx *f = begin(&caps);
	struct recovery r;

	(void)state;
	fill(f, MACHINE_READ);
	assert_int_equal(recovery_begin_at(&f->m, &r, IPA(page_ipa(600)), 2 * SZ_2M), ERR_OK);
	while (recovery_step(&f->m, &r))
		;
	assert_int_equal(hinted(f), PAGES / 2); /* the table that page 600 is in */
	assert_int_equal(recovery_begin_at(&f->m, &r, IPA(page_ipa(PAGES)), SZ_2M), ERR_NOENT);
	fx_delete(f);
}

/* ---- a random life */

static unsigned int life_seed;
static bool life_logs;

static unsigned int life_random(unsigned int below)
{
	life_seed = life_seed * 1664525 + 1013904223;
	return (life_seed >> 8) % below;
}

static void life_touch(struct fx *f, u64 page)
{
	struct machine_access a;

	guest_do(f, page_ipa(page), (enum machine_op)life_random(3), &a);
	assert_int_equal(a.fault, MF_NONE);
	assert_int_equal(a.pa.v, f->host.pa + ASKEW + page * PAGE_SIZE);
}

static void life_invalidate(struct fx *f)
{
	u64 page = life_random(PAGES - 40), count = 1 + life_random(40);
	hva_t start = HVA(FX_HVA + ASKEW + page * PAGE_SIZE);
	hva_t stop = HVA(start.v + count * PAGE_SIZE);

	guest_mem_invalidate_begin(&f->m, start, stop);
	machine_host_takes(f->p, PA(f->host.pa + ASKEW + page * PAGE_SIZE), count * PAGE_SIZE);
	guest_mem_invalidate_end(&f->m, start, stop);
}

static void life_step(struct fx *f)
{
	unsigned int what = life_random(64);
	struct dirty_log log;

	machine_cpu(f->p, life_random(2));
	if (what < 40) {
		life_touch(f, life_random(PAGES));
	} else if (what < 46) {
		for (u64 at = life_random(PAGES - 64), i = 0; i < 64; i++)
			guest_touch(f, page_ipa(at + i), MACHINE_READ);
	} else if (what < 52) {
		life_invalidate(f);
	} else if (what < 58) {
		recover(f);
	} else if (what < 60) {
		stage2_age(&f->m.s2, IPA(FX_IPA), PAGES * PAGE_SIZE, S2_AGE_CLEAR);
	} else if (what < 62) {
		life_logs = !life_logs;
		slot(f, life_logs ? SLOT_LOG_DIRTY : 0);
	} else if (life_logs) {
		assert_int_equal(dirty_log_get(&f->m, 0, &log), ERR_OK);
	}
}

static void a_random_life_breaks_no_rule_of_the_machine(void **state)
{
	u64 hints = 0;

	(void)state;
	for (unsigned int seed = 1; seed <= 8; seed++) {
		struct port_caps caps = caps_of(1 + seed % 2);
		struct fx *f;

		caps.dic = seed % 3;
		caps.hw_af = caps.hw_dbm = seed % 4 < 2;
		life_seed = seed;
		life_logs = false;
		f = begin(&caps);
		f->m.s2.step = seed % 4 ? 512 : 24;
		for (int i = 0; i < 400; i++)
			life_step(f);
		hints += fx_stat(f, STAT_hint);
		machine_quiesce(f->p);
		fx_check_stats(f);
		fx_delete(f);
	}
	assert_true(hints > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_that_cannot_be_blocks_share),
		cmocka_unit_test(groups_that_do_not_agree_do_not_share),
		cmocka_unit_test(an_unmapped_page_leaves_its_group),
		cmocka_unit_test(a_page_that_gains_execution_leaves_its_group),
		cmocka_unit_test(a_page_that_is_replaced_leaves_its_group),
		cmocka_unit_test(logging_ends_the_sharing),
		cmocka_unit_test(clearing_the_log_page_by_page_ends_the_sharing),
		cmocka_unit_test(write_protection_cuts_groups),
		cmocka_unit_test(a_full_table_with_hints_becomes_a_block),
		cmocka_unit_test(hints_and_access_flags_do_not_disturb_each_other),
		cmocka_unit_test(hints_stay_away_from_ranges_that_go),
		cmocka_unit_test(a_part_of_a_slot_can_be_asked_for),
		cmocka_unit_test(a_random_life_breaks_no_rule_of_the_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
