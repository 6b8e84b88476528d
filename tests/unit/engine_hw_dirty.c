/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dirty logging where hardware is the second writer (M17): it marks a page in its leaf, without a
 * fault, at moments the engine does not choose. No write may be lost, and none invented.
 */
#include "engine/stage2_priv.h"
#include "tests/unit/engine_fixture.h"

enum { PAGES = 1536 };

static struct port_caps caps_hw(void)
{
	struct port_caps caps = caps_fwb;

	caps.hw_af = true;
	caps.hw_dbm = true;
	return caps;
}

static void log_slot(struct fx *f, u32 flags, u64 pages)
{
	assert_int_equal(fx_slot(f, 0, flags, FX_IPA, pages * PAGE_SIZE, FX_HVA), ERR_OK);
}

static struct fx *begin(s8 level)
{
	struct port_caps caps = caps_hw();
	struct fx *f = fx_new(&caps, 40);

	fx_host_ram(f, 64 << 20, level);
	return f;
}

static u64 page_ipa(u64 page)
{
	return FX_IPA + page * PAGE_SIZE;
}

static u64 faults(struct fx *f)
{
	return fx_stat(f, STAT_fault_read) + fx_stat(f, STAT_fault_write);
}

static void write_without_fault(struct fx *f, u64 page)
{
	u64 before = faults(f);

	guest_touch(f, page_ipa(page), MACHINE_WRITE);
	assert_int_equal(faults(f), before);
}

/* Exactly @a and @b (~0: none) are in the log. */
static void expect_log(struct fx *f, u64 a, u64 b)
{
	struct dirty_log log;

	assert_int_equal(dirty_log_get(&f->m, 0, &log), ERR_OK);
	for (u64 i = 0; i < log.count * 64; i++)
		assert_int_equal(log.words[i / 64] >> (i % 64) & 1, i == a || i == b);
}

/* ---- where hardware marks */

static void a_page_that_was_read_is_written_without_a_fault(void **state)
{
	struct fx *f = begin(LEVEL_4K);

	(void)state;
	log_slot(f, SLOT_LOG_DIRTY, PAGES);
	guest_touch(f, page_ipa(3), MACHINE_READ);
	guest_touch(f, page_ipa(900), MACHINE_READ);
	expect_log(f, ~0UL, ~0UL);
	for (int i = 0; i < 3; i++) {
		write_without_fault(f, 3);
		write_without_fault(f, 900);
		expect_log(f, 3, 900);
		expect_log(f, ~0UL, ~0UL);
	}
	fx_check_stats(f);
	fx_delete(f);
}

static void a_page_that_faults_for_writing_is_marked_once(void **state)
{
	struct fx *f = begin(LEVEL_4K);

	(void)state;
	log_slot(f, SLOT_LOG_DIRTY, PAGES);
	guest_touch(f, page_ipa(7), MACHINE_WRITE);
	expect_log(f, 7, ~0UL);
	expect_log(f, ~0UL, ~0UL);
	write_without_fault(f, 7);
	expect_log(f, 7, ~0UL);
	fx_delete(f);
}

static void what_was_written_before_logging_is_not_told(void **state)
{
	struct fx *f = begin(LEVEL_4K);

	(void)state;
	log_slot(f, 0, PAGES);
	guest_touch(f, page_ipa(1), MACHINE_WRITE);
	guest_touch(f, page_ipa(2), MACHINE_WRITE);
	log_slot(f, SLOT_LOG_DIRTY, PAGES);
	expect_log(f, ~0UL, ~0UL);
	write_without_fault(f, 2);
	expect_log(f, 2, ~0UL);
	/* Nor what was written between two times of logging. */
	write_without_fault(f, 2);
	log_slot(f, 0, PAGES);
	write_without_fault(f, 1);
	log_slot(f, SLOT_LOG_DIRTY, PAGES);
	expect_log(f, ~0UL, ~0UL);
	fx_delete(f);
}

static void pages_of_a_split_block_are_marked_by_hardware(void **state)
{
	struct fx *f = begin(LEVEL_2M);

	(void)state;
	log_slot(f, 0, PAGES);
	guest_touch(f, page_ipa(600), MACHINE_WRITE);
	log_slot(f, SLOT_LOG_DIRTY, PAGES);
	guest_touch(f, page_ipa(601), MACHINE_WRITE); /* splits */
	assert_int_equal(fx_stat(f, STAT_split), 1);
	write_without_fault(f, 1023);
	expect_log(f, 601, 1023);
	expect_log(f, ~0UL, ~0UL);
	fx_check_stats(f);
	fx_delete(f);
}

static void a_block_that_no_longer_logs_is_written_as_a_whole(void **state)
{
	struct fx *f = begin(LEVEL_2M);

	(void)state;
	log_slot(f, 0, PAGES);
	guest_touch(f, page_ipa(0), MACHINE_WRITE);
	log_slot(f, SLOT_LOG_DIRTY, PAGES);
	log_slot(f, 0, PAGES);
	guest_touch(f, page_ipa(0), MACHINE_WRITE);
	write_without_fault(f, 511);
	assert_int_equal(fx_stat(f, STAT_split), 0);
	fx_delete(f);
}

static void what_may_not_be_written_is_not_left_to_hardware(void **state)
{
	struct fx *f = begin(LEVEL_4K);
	struct s2_leaf leaf;

	(void)state;
	f->host.read_maps_read_only = true;
	log_slot(f, SLOT_LOG_DIRTY, PAGES);
	guest_touch(f, page_ipa(0), MACHINE_READ);
	assert_true(stage2_lookup(&f->m.s2, IPA(page_ipa(0)), &leaf));
	assert_int_equal(leaf.perms & (S2_W | S2_DBM), 0);
	fx_delete(f);

	f = begin(LEVEL_4K);
	log_slot(f, SLOT_LOG_DIRTY | SLOT_READONLY, PAGES);
	guest_touch(f, page_ipa(0), MACHINE_READ);
	assert_true(stage2_lookup(&f->m.s2, IPA(page_ipa(0)), &leaf));
	assert_int_equal(leaf.perms & (S2_W | S2_DBM), 0);
	fx_delete(f);
}

static void the_log_ends_with_the_slot(void **state)
{
	struct fx *f = begin(LEVEL_4K);

	(void)state;
	log_slot(f, SLOT_LOG_DIRTY, 70);
	assert_int_equal(fx_slot(f, 1, SLOT_LOG_DIRTY, page_ipa(70), 64 * PAGE_SIZE,
				 FX_HVA + (70UL << PAGE_SHIFT)),
			 ERR_OK);
	guest_touch(f, page_ipa(71), MACHINE_READ);
	write_without_fault(f, 71);
	expect_log(f, ~0UL, ~0UL); /* the neighbour's page stays the neighbour's */
	guest_touch(f, page_ipa(69), MACHINE_READ);
	write_without_fault(f, 69);
	expect_log(f, 69, ~0UL);
	fx_delete(f);
}

/* 64 pages of the log need not begin where 64 entries of a table do. */
static void the_log_crosses_tables(void **state)
{
	struct fx *f = begin(LEVEL_4K);

	(void)state;
	assert_int_equal(fx_slot(f, 0, SLOT_LOG_DIRTY, page_ipa(500), 1000 * PAGE_SIZE, FX_HVA),
			 ERR_OK);
	for (u64 i = 0; i < 1000; i++)
		guest_touch(f, page_ipa(500 + i), MACHINE_READ);
	for (u64 i = 0; i < 1000; i += 2) {
		write_without_fault(f, 500 + i);
		write_without_fault(f, 500 + i + 1);
		expect_log(f, i, i + 1);
	}
	fx_delete(f);
}

/* Over every combination of facts: only DBM depends on whether hardware marks, and DBM is exactly
 * where a write would otherwise fault to be told. */
/*
 * The look goes by tables, by steps, eight entries at a time and over what has no table: wherever
 * two written pages lie among pages that are clean or absent, just these are told.
 */
static void each_written_page_is_found(void **state)
{
	static const u16 steps[] = { 512, 24, 8, 3 };
	static const u64 odd[] = { 0, 1, 7, 8, 63, 64, 65, 500, 511, 512, 513, 1027, 1500 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps) * ARRAY_SIZE(odd); i++) {
		struct fx *f = begin(LEVEL_4K);
		u64 a = odd[i / ARRAY_SIZE(steps)], b = (a * 7 + 3) % (PAGES - 35);

		f->m.s2.step = steps[i % ARRAY_SIZE(steps)];
		/* From the middle of a table into the middle of another, the last word not full. */
		assert_int_equal(fx_slot(f, 0, SLOT_LOG_DIRTY, FX_IPA + 19 * PAGE_SIZE,
					 (PAGES - 35) * PAGE_SIZE, FX_HVA + 19 * PAGE_SIZE),
				 ERR_OK);
		guest_touch(f, page_ipa(19 + a), MACHINE_READ);
		guest_touch(f, page_ipa(19 + b), MACHINE_READ);
		for (u64 page = 0; i % 2 && page < PAGES - 35; page += 5)
			guest_touch(f, page_ipa(19 + page), MACHINE_READ);
		expect_log(f, ~0UL, ~0UL);
		write_without_fault(f, 19 + a);
		write_without_fault(f, 19 + b);
		expect_log(f, a, b);
		expect_log(f, ~0UL, ~0UL);
		fx_delete(f);
	}
}

static void the_plan_leaves_to_hardware_what_would_fault(void **state)
{
	u64 n = 0, with = 0;

	(void)state;
	for (unsigned int bits = 0; bits < 1 << 12; bits++) {
		struct port_caps caps = { .fwb = bits & 1, .dic = bits & 2, .idc = true };
		struct host_leaf leaf = {
			.pa = PA(0x80000000),
			.type = (enum mem_type)((bits >> 2 & 3) % MEM_TYPE_COUNT),
			.reach = (enum mem_reach)(bits >> 4 & 1),
			.owner = (enum mem_owner)(bits >> 5 & 1),
			.writable = bits >> 6 & 1,
			.level = LEVEL_2M,
		};
		struct slot_view slot = {
			.gfn = FX_IPA >> PAGE_SHIFT,
			.npages = PAGES,
			.hva = HVA(FX_HVA),
			.flags = (bits >> 7 & 1 ? SLOT_READONLY : 0) |
				 (bits >> 8 & 1 ? SLOT_WRITE_BACK : 0),
			.logging = bits >> 9 & 1,
		};
		struct decide_req req = {
			.ipa = IPA(FX_IPA),
			.access = (enum mem_access)((bits >> 10 & 3) % MEM_ACCESS_COUNT),
			.top_level = LEVEL_1G,
		};
		struct fault_plan without = decide_fault(&req, &slot, &leaf, &caps), plan;
		bool expected;

		req.hw_dirty = true;
		plan = decide_fault(&req, &slot, &leaf, &caps);
		expected = plan.verdict == VERDICT_MAP && slot.logging && plan.type == S2_NORMAL &&
			   leaf.writable && !(slot.flags & SLOT_READONLY);
		assert_int_equal(without.perms & S2_DBM, 0);
		assert_int_equal((plan.perms & S2_DBM) != 0, expected);
		assert_true(!expected || plan.level == LEVEL_4K);
		plan.perms &= (u8)~S2_DBM;
		assert_memory_equal(&plan, &without, sizeof(plan));
		with += expected;
		n++;
	}
	print_message("hardware marks: %lu of %lu combinations\n", (unsigned long)with,
		      (unsigned long)n);
	assert_true(with > 0);
}

/* ---- what changes a leaf tells the log */

static void an_unmapped_page_stays_in_the_log(void **state)
{
	struct fx *f = begin(LEVEL_4K);

	(void)state;
	log_slot(f, SLOT_LOG_DIRTY, PAGES);
	guest_touch(f, page_ipa(5), MACHINE_READ);
	write_without_fault(f, 5);
	guest_mem_invalidate_begin(&f->m, HVA(FX_HVA), HVA(FX_HVA + 64 * PAGE_SIZE));
	guest_mem_invalidate_end(&f->m, HVA(FX_HVA), HVA(FX_HVA + 64 * PAGE_SIZE));
	expect_log(f, 5, ~0UL);
	expect_log(f, ~0UL, ~0UL);
	fx_delete(f);
}

static void a_slot_that_moves_takes_its_marks_along(void **state)
{
	struct fx *f = begin(LEVEL_4K);

	(void)state;
	log_slot(f, SLOT_LOG_DIRTY, PAGES);
	guest_touch(f, page_ipa(5), MACHINE_READ);
	write_without_fault(f, 5);
	assert_int_equal(fx_slot(f, 0, SLOT_LOG_DIRTY, FX_IPA + SZ_1G, PAGES * PAGE_SIZE, FX_HVA),
			 ERR_OK);
	expect_log(f, 5, ~0UL);
	fx_delete(f);
}

static void a_page_that_is_replaced_stays_in_the_log(void **state)
{
	struct fx *f = begin(LEVEL_4K);

	(void)state;
	log_slot(f, SLOT_LOG_DIRTY, PAGES);
	guest_touch(f, page_ipa(5), MACHINE_READ);
	write_without_fault(f, 5);
	f->host.type = MEM_NC; /* without a notifier: the next fault finds out */
	port_write_lock(f->p, &f->m.s2.lock);
	bbm_restrict(&f->m.s2, walk_to(&f->m.s2, page_ipa(5), LEVEL_4K).entry,
		     walk_to(&f->m.s2, page_ipa(5), LEVEL_4K).old, DESC_READ, 0);
	port_write_unlock(f->p, &f->m.s2.lock);
	stage2_flush(&f->m.s2, IPA(page_ipa(5)), PAGE_SIZE);
	guest_touch(f, page_ipa(5), MACHINE_READ);
	assert_int_equal(fx_stat(f, STAT_replace), 1);
	expect_log(f, 5, ~0UL);
	fx_delete(f);
}

/* ---- races, one by one */

static struct fx *racer;
static u64 race_page;
static u64 race_writes;

/* The other CPU writes, if it can without a fault. */
static void other_cpu_writes(void *arg)
{
	unsigned int cpu = racer->p->cpu;

	(void)arg;
	machine_cpu(racer->p, !cpu);
	if (machine_access(racer->p, IPA(page_ipa(race_page)), MACHINE_WRITE).fault == MF_NONE)
		race_writes++;
	machine_cpu(racer->p, cpu);
}

/* Between the look at a leaf and its exchange, hardware marks it. */
static void a_mark_just_before_the_leaf_goes_is_not_lost(void **state)
{
	struct fx *f = begin(LEVEL_4K);

	(void)state;
	log_slot(f, SLOT_LOG_DIRTY, PAGES);
	guest_touch(f, page_ipa(9), MACHINE_READ);
	racer = f;
	race_page = 9;
	race_writes = 0;
	machine_on_change(f->p, other_cpu_writes, NULL);
	guest_mem_invalidate_begin(&f->m, HVA(FX_HVA), HVA(FX_HVA + 64 * PAGE_SIZE));
	machine_on_change(f->p, NULL, NULL);
	guest_mem_invalidate_end(&f->m, HVA(FX_HVA), HVA(FX_HVA + 64 * PAGE_SIZE));
	assert_int_not_equal(race_writes, 0);
	expect_log(f, 9, ~0UL);
	fx_delete(f);
}

static void a_mark_while_the_age_is_cleared_is_not_lost(void **state)
{
	struct fx *f = begin(LEVEL_4K);

	(void)state;
	log_slot(f, SLOT_LOG_DIRTY, PAGES);
	guest_touch(f, page_ipa(9), MACHINE_READ);
	racer = f;
	race_page = 9;
	machine_on_change(f->p, other_cpu_writes, NULL);
	stage2_age(&f->m.s2, IPA(FX_IPA), 64 * PAGE_SIZE, S2_AGE_CLEAR);
	machine_on_change(f->p, NULL, NULL);
	expect_log(f, 9, ~0UL);
	fx_delete(f);
}

static void get_then_write(void *arg)
{
	struct fx *f = arg;

	machine_on_relax(f->p, NULL, NULL);
	expect_log(f, 9, ~0UL);
	race_writes = 0;
	other_cpu_writes(NULL);
}

/* A page's leaf is gone, its invalidation is not complete, and the log is read: a TLB must not let
 * a write pass that the reader would miss. */
static void the_log_does_not_trust_an_unfinished_unmap(void **state)
{
	struct port_caps with = caps_hw();
	const struct port_caps *caps[] = { &caps_fwb, &with };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
		struct fx *f = fx_new(caps[i], 40);

		log_slot(f, SLOT_LOG_DIRTY, PAGES);
		guest_touch(f, page_ipa(9), MACHINE_WRITE);
		racer = f;
		race_page = 9;
		machine_on_relax(f->p, get_then_write, f);
		guest_mem_invalidate_begin(&f->m, HVA(FX_HVA), HVA(FX_HVA + 64 * PAGE_SIZE));
		guest_mem_invalidate_end(&f->m, HVA(FX_HVA), HVA(FX_HVA + 64 * PAGE_SIZE));
		assert_int_equal(race_writes, 0);
		fx_delete(f);
	}
}

/* ---- KVM_CLEAR_DIRTY_LOG */

static void marks_stay_until_they_are_cleared(void **state)
{
	struct fx *f = begin(LEVEL_4K);
	u64 mask[2] = { BIT(3), 0 };

	(void)state;
	f->m.policy.dirty_protect = DIRTY_PROTECT_ON_CLEAR;
	log_slot(f, SLOT_LOG_DIRTY, PAGES);
	guest_touch(f, page_ipa(3), MACHINE_READ);
	guest_touch(f, page_ipa(4), MACHINE_READ);
	write_without_fault(f, 3);
	write_without_fault(f, 4);
	expect_log(f, 3, 4);
	expect_log(f, 3, 4);
	assert_int_equal(dirty_log_clear(&f->m, 0, 0, 128, mask), ERR_OK);
	dirty_log_clear_end(&f->m, 0);
	assert_false(machine_may_write(f->p, f->m.s2.vttbr, IPA(page_ipa(3))));
	expect_log(f, 4, ~0UL);
	write_without_fault(f, 3);
	expect_log(f, 3, 4);
	/* Written since it was read, and cleared without having been told: it stays. */
	mask[0] = ~0UL;
	guest_touch(f, page_ipa(8), MACHINE_READ);
	write_without_fault(f, 8);
	assert_int_equal(dirty_log_clear(&f->m, 0, 0, 128, mask), ERR_OK);
	dirty_log_clear_end(&f->m, 0);
	expect_log(f, 8, ~0UL);
	fx_delete(f);
}

static void initially_set_logs_protect_as_they_are_cleared(void **state)
{
	struct fx *f = begin(LEVEL_2M);
	u64 mask[8];

	(void)state;
	f->m.policy.dirty_protect = DIRTY_PROTECT_ON_CLEAR;
	f->m.policy.dirty_initially = SLOT_DIRTY_SET;
	log_slot(f, 0, 512);
	guest_touch(f, page_ipa(0), MACHINE_WRITE);
	log_slot(f, SLOT_LOG_DIRTY, 512);
	memset(mask, 0xff, sizeof(mask));
	assert_int_equal(dirty_log_clear(&f->m, 0, 0, 512, mask), ERR_OK);
	dirty_log_clear_end(&f->m, 0);
	expect_log(f, ~0UL, ~0UL);
	guest_touch(f, page_ipa(5), MACHINE_WRITE);
	write_without_fault(f, 6);
	expect_log(f, 5, 6);
	fx_delete(f);
}

/* ---- bounds */

static u64 relaxes;

static void count_relax(void *arg)
{
	(void)arg;
	relaxes++;
}

static void reading_the_log_gives_way(void **state)
{
	struct fx *f = begin(LEVEL_4K);
	struct dirty_log log;

	(void)state;
	log_slot(f, SLOT_LOG_DIRTY, PAGES);
	for (u64 i = 0; i < PAGES; i++)
		guest_touch(f, page_ipa(i), MACHINE_WRITE);
	relaxes = 0;
	machine_on_relax(f->p, count_relax, NULL);
	assert_int_equal(dirty_log_get(&f->m, 0, &log), ERR_OK);
	assert_int_equal(relaxes, PAGES / S2_STEP_DEFAULT);
	assert_true(fx_stat(f, STAT_steps_max) <= S2_STEP_DEFAULT);
	fx_delete(f);
}

/* ---- a random life: every write is told once it happened, and none that did not */

enum { LIFE_PAGES = 200 };

struct life {
	struct fx *f;
	unsigned int seed;
	u64 clock;
	u64 wrote[LIFE_PAGES]; /* when last, 0: not since it was told */
	bool late[LIFE_PAGES]; /* written while the log was read: told, and may be told again */
	u64 told;	       /* pages, in all */
	bool manual;
	bool in_hook;
	u64 hidden; /* writes from within the engine's changes */
};

static unsigned int life_random(struct life *l, unsigned int below)
{
	l->seed = l->seed * 1664525 + 1013904223;
	return (l->seed >> 8) % below;
}

static void life_write(struct life *l, u64 page, bool may_fault)
{
	struct machine_access a = machine_access(l->f->p, IPA(page_ipa(page)), MACHINE_WRITE);

	if (a.fault != MF_NONE && !may_fault)
		return;
	if (a.fault != MF_NONE)
		guest_touch(l->f, page_ipa(page), MACHINE_WRITE);
	else
		l->hidden += l->in_hook;
	l->wrote[page] = ++l->clock;
}

static void life_hook(void *arg)
{
	struct life *l = arg;
	unsigned int cpu = l->f->p->cpu;

	l->in_hook = true;
	machine_cpu(l->f->p, life_random(l, 2));
	if (!life_random(l, 4))
		life_write(l, life_random(l, LIFE_PAGES), false);
	machine_cpu(l->f->p, cpu);
	l->in_hook = false;
}

/* @since: when reading began. What was written before it must be in @words. */
static void life_compare(struct life *l, const u64 *words, const u64 *before, u64 since)
{
	for (u64 i = 0; i < LIFE_PAGES; i++) {
		bool is_told = words[i / 64] >> (i % 64) & 1;

		if (!is_told && l->wrote[i] && l->wrote[i] <= since)
			fail_msg("the write to page %lu is lost", (unsigned long)i);
		if (is_told && !before[i] && !l->wrote[i] && !l->late[i])
			fail_msg("page %lu was not written", (unsigned long)i);
		if (is_told)
			l->told++;
	}
}

/* User space copies the pages told: all that was written until now is in the copy. What was written
 * after reading began, at @since, may have been marked after its mark was taken. */
static void life_copy(struct life *l, const u64 *words, u64 since)
{
	for (u64 i = 0; i < LIFE_PAGES; i++) {
		if (!(words[i / 64] >> (i % 64) & 1))
			continue;
		l->late[i] = l->wrote[i] > since;
		l->wrote[i] = 0;
	}
}

static void life_clear(struct life *l, const u64 *words, u64 since)
{
	u64 mask[4];

	memcpy(mask, words, sizeof(mask));
	assert_int_equal(dirty_log_clear(&l->f->m, 0, 0, LIFE_PAGES, mask), ERR_OK);
	dirty_log_clear_end(&l->f->m, 0);
	life_copy(l, words, since);
}

static void life_get(struct life *l)
{
	u64 since = l->clock, before[LIFE_PAGES];
	struct dirty_log log;

	memcpy(before, l->wrote, sizeof(before));
	assert_int_equal(dirty_log_get(&l->f->m, 0, &log), ERR_OK);
	life_compare(l, log.words, before, since);
	if (l->manual)
		life_clear(l, log.words, since);
	else
		life_copy(l, log.words, since);
}

static void life_unmap(struct life *l)
{
	u64 first = life_random(l, LIFE_PAGES), last = life_random(l, LIFE_PAGES);
	hva_t start = HVA(FX_HVA + min(first, last) * PAGE_SIZE);
	hva_t end = HVA(FX_HVA + (max(first, last) + 1) * PAGE_SIZE);

	guest_mem_invalidate_begin(&l->f->m, start, end);
	guest_mem_invalidate_end(&l->f->m, start, end);
}

static void life_step(struct life *l)
{
	unsigned int what = life_random(l, 32);

	machine_cpu(l->f->p, life_random(l, 2));
	if (what < 14)
		life_write(l, life_random(l, LIFE_PAGES), true);
	else if (what < 26)
		guest_touch(l->f, page_ipa(life_random(l, LIFE_PAGES)), MACHINE_READ);
	else if (what < 28)
		life_unmap(l);
	else if (what < 29)
		stage2_age(&l->f->m.s2, IPA(FX_IPA), LIFE_PAGES * PAGE_SIZE, S2_AGE_CLEAR);
	else
		life_get(l);
}

static void run_life(const struct port_caps *caps, unsigned int seed, bool manual)
{
	struct life l = { .f = fx_new(caps, 40), .seed = seed, .manual = manual };

	if (manual)
		l.f->m.policy.dirty_protect = DIRTY_PROTECT_ON_CLEAR;
	log_slot(l.f, SLOT_LOG_DIRTY, LIFE_PAGES);
	machine_on_change(l.f->p, life_hook, &l);
	machine_on_relax(l.f->p, life_hook, &l);
	for (int i = 0; i < 1500; i++)
		life_step(&l);
	machine_on_change(l.f->p, NULL, NULL);
	machine_on_relax(l.f->p, NULL, NULL);
	assert_true(l.told > 100);
	assert_true(l.hidden > 10);
	fx_check_stats(l.f);
	fx_delete(l.f);
}

static void a_random_life_loses_no_write(void **state)
{
	struct port_caps with = caps_hw();

	(void)state;
	for (unsigned int seed = 1; seed <= 6; seed++) {
		run_life(&with, seed, false);
		run_life(&with, seed, true);
		run_life(&caps_fwb, seed, false);
		run_life(&caps_plain, seed, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_that_was_read_is_written_without_a_fault),
		cmocka_unit_test(a_page_that_faults_for_writing_is_marked_once),
		cmocka_unit_test(what_was_written_before_logging_is_not_told),
		cmocka_unit_test(pages_of_a_split_block_are_marked_by_hardware),
		cmocka_unit_test(a_block_that_no_longer_logs_is_written_as_a_whole),
		cmocka_unit_test(what_may_not_be_written_is_not_left_to_hardware),
		cmocka_unit_test(the_log_ends_with_the_slot),
		cmocka_unit_test(the_log_crosses_tables),
		cmocka_unit_test(each_written_page_is_found),
		cmocka_unit_test(the_plan_leaves_to_hardware_what_would_fault),
		cmocka_unit_test(an_unmapped_page_stays_in_the_log),
		cmocka_unit_test(a_slot_that_moves_takes_its_marks_along),
		cmocka_unit_test(a_page_that_is_replaced_stays_in_the_log),
		cmocka_unit_test(a_mark_just_before_the_leaf_goes_is_not_lost),
		cmocka_unit_test(a_mark_while_the_age_is_cleared_is_not_lost),
		cmocka_unit_test(the_log_does_not_trust_an_unfinished_unmap),
		cmocka_unit_test(marks_stay_until_they_are_cleared),
		cmocka_unit_test(initially_set_logs_protect_as_they_are_cleared),
		cmocka_unit_test(reading_the_log_gives_way),
		cmocka_unit_test(a_random_life_loses_no_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
