/* SPDX-License-Identifier: Apache-2.0 */
/* Dirty rings: each vCPU tells what it wrote, user space collects, the pages are protected again.
 */
#include "engine/dirty_ring.h"
#include "tests/unit/engine_fixture.h"

enum { PAGES = 1536, RING = DIRTY_RING_MIN, USABLE = RING - DIRTY_RING_RESERVED, VCPUS = 2 };

struct rings {
	struct fx *f;
	struct dirty_ring ring[VCPUS];
	struct dirty_entry *entry[VCPUS];
	u32 fetched[VCPUS]; /* user space's index */
};

static void begin(struct rings *r, const struct port_caps *caps, enum dirty_to to, s8 level)
{
	*r = (struct rings){ .f = fx_new(caps, 40) };
	fx_host_ram(r->f, 64 << 20, level);
	guest_mem_log_to(&r->f->m, to);
	for (int i = 0; i < VCPUS; i++) {
		r->entry[i] = calloc(RING, sizeof(struct dirty_entry));
		assert_non_null(r->entry[i]);
		dirty_ring_init(&r->ring[i], r->entry[i], RING);
	}
}

static void end(struct rings *r)
{
	fx_check_stats(r->f);
	fx_delete(r->f);
	for (int i = 0; i < VCPUS; i++)
		free(r->entry[i]);
}

static void slot(struct rings *r, u32 flags)
{
	assert_int_equal(fx_slot(r->f, 3, flags, FX_IPA, PAGES * PAGE_SIZE, FX_HVA), ERR_OK);
}

static u64 page_ipa(u64 page)
{
	return FX_IPA + page * PAGE_SIZE;
}

/* The vCPU writes, faulting as often as it must, unless its ring is full. True: it has written. */
static bool vcpu_writes(struct rings *r, unsigned int vcpu, u64 page)
{
	machine_cpu(r->f->p, vcpu);
	for (int i = 0; i < 8; i++) {
		struct machine_access a =
			machine_access(r->f->p, IPA(page_ipa(page)), MACHINE_WRITE);
		struct fault_trap t;

		if (a.fault == MF_NONE)
			return true;
		if (dirty_ring_is_full(&r->ring[vcpu]))
			return false;
		t = trap_at(esr_of(&a, MACHINE_WRITE), page_ipa(page));
		t.ring = &r->ring[vcpu];
		assert_int_equal(fault_handle(&r->f->m, &t).kind, OUTCOME_RESUME);
	}
	fail_msg("the guest faults for ever");
	return false;
}

/* As a VMM does: reads one entry and says so. False: there is none. */
static bool fetch(struct rings *r, unsigned int vcpu, struct dirty_entry *out)
{
	struct dirty_entry *e = &r->entry[vcpu][r->fetched[vcpu] % RING];

	if (e->flags != DIRTY_ENTRY_DIRTY)
		return false;
	*out = *e;
	e->flags |= DIRTY_ENTRY_RESET;
	r->fetched[vcpu]++;
	return true;
}

static void expect_page(struct rings *r, unsigned int vcpu, u64 page)
{
	struct dirty_entry e = { 0 };

	assert_true(fetch(r, vcpu, &e));
	assert_int_equal(e.slot, 3);
	assert_int_equal(e.offset, page);
}

static void expect_none(struct rings *r, unsigned int vcpu)
{
	struct dirty_entry e;

	assert_false(fetch(r, vcpu, &e));
}

static u64 reset(struct rings *r)
{
	struct dirty_reset reset = { .count = 0 };

	for (int i = 0; i < VCPUS; i++) {
		while (dirty_ring_reset_step(&r->f->m, &r->ring[i], &reset))
			;
	}
	dirty_reset_end(&r->f->m, &reset);
	return reset.count;
}

static void each_vcpu_tells_what_it_wrote_in_its_own_ring(void **state)
{
	struct rings r;

	(void)state;
	begin(&r, &caps_fwb, TO_RING, LEVEL_4K);
	slot(&r, SLOT_LOG_DIRTY);
	vcpu_writes(&r, 0, 7);
	vcpu_writes(&r, 1, 8);
	vcpu_writes(&r, 0, 1000);
	vcpu_writes(&r, 0, 7); /* told already */
	expect_page(&r, 0, 7);
	expect_page(&r, 0, 1000);
	expect_none(&r, 0);
	expect_page(&r, 1, 8);
	expect_none(&r, 1);
	end(&r);
}

static void reading_does_not_dirty(void **state)
{
	struct rings r;

	(void)state;
	begin(&r, &caps_fwb, TO_RING, LEVEL_4K);
	slot(&r, SLOT_LOG_DIRTY);
	guest_touch(r.f, page_ipa(5), MACHINE_READ);
	expect_none(&r, 0);
	vcpu_writes(&r, 0, 5);
	expect_page(&r, 0, 5);
	end(&r);
}

static void a_page_taken_back_is_told_again(void **state)
{
	struct rings r;

	(void)state;
	begin(&r, &caps_fwb, TO_RING, LEVEL_4K);
	slot(&r, SLOT_LOG_DIRTY);
	for (u64 i = 0; i < 100; i++)
		vcpu_writes(&r, i % 2, i * 15);
	for (u64 i = 0; i < 100; i += 2)
		expect_page(&r, 0, i * 15);
	assert_int_equal(reset(&r), 50); /* what was not read stays */
	for (u64 i = 0; i < 100; i++)
		assert_int_equal(machine_may_write(r.f->p, r.f->m.s2.vttbr, IPA(page_ipa(i * 15))),
				 i % 2);
	assert_int_equal(reset(&r), 0);
	vcpu_writes(&r, 1, 0);
	for (u64 i = 1; i < 100; i += 2)
		expect_page(&r, 1, i * 15);
	expect_page(&r, 1, 0);
	assert_int_equal(reset(&r), 51);
	end(&r);
}

static void entries_are_taken_back_in_order(void **state)
{
	struct rings r;

	(void)state;
	begin(&r, &caps_fwb, TO_RING, LEVEL_4K);
	slot(&r, SLOT_LOG_DIRTY);
	for (u64 i = 0; i < 3; i++)
		vcpu_writes(&r, 0, i);
	r.entry[0][1].flags |= DIRTY_ENTRY_RESET;
	assert_int_equal(reset(&r), 0);
	r.entry[0][0].flags |= DIRTY_ENTRY_RESET;
	assert_int_equal(reset(&r), 2);
	assert_int_equal(r.entry[0][0].flags, 0);
	assert_int_equal(r.entry[0][2].flags, DIRTY_ENTRY_DIRTY);
	end(&r);
}

static void a_full_ring_grants_nothing(void **state)
{
	struct rings r;
	u64 page;

	(void)state;
	begin(&r, &caps_fwb, TO_RING, LEVEL_4K);
	slot(&r, SLOT_LOG_DIRTY);
	for (page = 0; vcpu_writes(&r, 0, page); page++)
		;
	assert_int_equal(page, USABLE);
	assert_false(machine_may_write(r.f->p, r.f->m.s2.vttbr, IPA(page_ipa(page))));
	/* Whoever asks nevertheless gets nothing, and no entry is overwritten. */
	machine_cpu(r.f->p, 0);
	{
		struct machine_access a =
			machine_access(r.f->p, IPA(page_ipa(page)), MACHINE_WRITE);
		struct fault_trap t = trap_at(esr_of(&a, MACHINE_WRITE), page_ipa(page));

		t.ring = &r.ring[0];
		assert_int_equal(fault_handle(&r.f->m, &t).done, S2_RACED);
	}
	assert_false(machine_may_write(r.f->p, r.f->m.s2.vttbr, IPA(page_ipa(page))));
	for (u64 i = 0; i < USABLE; i++)
		expect_page(&r, 0, i);
	assert_int_equal(reset(&r), USABLE);
	assert_true(vcpu_writes(&r, 0, page));
	expect_page(&r, 0, page);
	end(&r);
}

static void indices_wrap(void **state)
{
	struct rings r;

	(void)state;
	begin(&r, &caps_fwb, TO_RING, LEVEL_4K);
	slot(&r, SLOT_LOG_DIRTY);
	r.ring[0].pushed = r.ring[0].reset = r.fetched[0] = ~0U - 100;
	for (u64 round = 0; round < 10; round++) {
		for (u64 i = 0; i < 50; i++)
			assert_true(vcpu_writes(&r, 0, i));
		for (u64 i = 0; i < 50; i++)
			expect_page(&r, 0, i);
		assert_int_equal(reset(&r), 50);
	}
	end(&r);
}

/* Linux's gap G6: a block that stays writable would be told once, as one page. */
static void blocks_are_told_page_by_page(void **state)
{
	struct rings r;

	(void)state;
	begin(&r, &caps_fwb, TO_RING, LEVEL_2M);
	slot(&r, 0);
	vcpu_writes(&r, 0, 0); /* a block, before logging */
	expect_none(&r, 0);
	slot(&r, SLOT_LOG_DIRTY);
	vcpu_writes(&r, 0, 0);
	vcpu_writes(&r, 0, 1);
	vcpu_writes(&r, 0, 600); /* a page now, although the host has a block */
	vcpu_writes(&r, 0, 601);
	expect_page(&r, 0, 0);
	expect_page(&r, 0, 1);
	expect_page(&r, 0, 600);
	expect_page(&r, 0, 601);
	expect_none(&r, 0);
	end(&r);
}

static void hardware_marks_nothing_where_rings_log(void **state)
{
	struct port_caps caps = caps_fwb;
	struct s2_leaf leaf;
	struct rings r;

	(void)state;
	caps.hw_af = true;
	caps.hw_dbm = true;
	begin(&r, &caps, TO_RING, LEVEL_4K);
	slot(&r, 0);
	vcpu_writes(&r, 0, 1);
	slot(&r, SLOT_LOG_DIRTY);
	guest_touch(r.f, page_ipa(0), MACHINE_READ);
	for (u64 i = 0; i < 2; i++) {
		assert_true(stage2_lookup(&r.f->m.s2, IPA(page_ipa(i)), &leaf));
		assert_int_equal(leaf.perms & (S2_W | S2_DBM), 0);
		vcpu_writes(&r, 0, i);
		expect_page(&r, 0, i);
	}
	reset(&r);
	for (u64 i = 0; i < 2; i++) {
		assert_true(stage2_lookup(&r.f->m.s2, IPA(page_ipa(i)), &leaf));
		assert_int_equal(leaf.perms & (S2_W | S2_DBM), 0);
	}
	end(&r);
}

static void with_a_bitmap_it_has_what_no_vcpu_wrote(void **state)
{
	struct dirty_log log;
	struct rings r;

	(void)state;
	begin(&r, &caps_fwb, TO_RING_AND_BITMAP, LEVEL_4K);
	slot(&r, SLOT_LOG_DIRTY);
	vcpu_writes(&r, 0, 4);
	dirty_mark(&r.f->m, (FX_IPA >> PAGE_SHIFT) + 9);
	expect_page(&r, 0, 4);
	expect_none(&r, 0);
	assert_int_equal(dirty_log_get(&r.f->m, 3, &log), ERR_OK);
	assert_int_equal(log.words[0], BIT(9));
	end(&r);
}

static void without_a_bitmap_there_is_none_to_read(void **state)
{
	struct dirty_log log;
	struct rings r;

	(void)state;
	begin(&r, &caps_fwb, TO_RING, LEVEL_4K);
	slot(&r, SLOT_LOG_DIRTY);
	dirty_mark(&r.f->m, (FX_IPA >> PAGE_SHIFT) + 9);
	assert_int_equal(dirty_log_get(&r.f->m, 3, &log), ERR_NOENT);
	end(&r);
}

/* Whatever user space puts into the ring, only pages of slots that log are touched. */
static void a_forged_ring_does_no_harm(void **state)
{
	static const struct dirty_entry forged[] = {
		{ 2, 3, ~0UL },	   { 2, 3, PAGES }, { 2, 3, PAGES - 1 },   { 2, ~0U, 0 },
		{ 2, 1 << 16, 0 }, { 3, 9, 0 },	    { ~0U, 3, 1UL << 52 }, { 2, 3, 63 },
	};
	struct rings r;

	(void)state;
	begin(&r, &caps_fwb, TO_RING, LEVEL_4K);
	assert_int_equal(fx_slot(r.f, 3, SLOT_LOG_DIRTY, FX_IPA, PAGES * PAGE_SIZE, FX_HVA),
			 ERR_OK);
	assert_int_equal(fx_slot(r.f, 9, 0, page_ipa(PAGES), 64 * PAGE_SIZE,
				 FX_HVA + PAGES * PAGE_SIZE),
			 ERR_OK);
	vcpu_writes(&r, 1, PAGES); /* of the slot that does not log */
	for (size_t i = 0; i < ARRAY_SIZE(forged); i++) {
		vcpu_writes(&r, 0, i);
		r.entry[0][i] = forged[i];
	}
	r.entry[0][ARRAY_SIZE(forged)].flags = DIRTY_ENTRY_RESET; /* never pushed */
	assert_int_equal(reset(&r), ARRAY_SIZE(forged));
	assert_int_equal(r.ring[0].reset, r.ring[0].pushed);
	assert_true(machine_may_write(r.f->p, r.f->m.s2.vttbr, IPA(page_ipa(PAGES))));
	end(&r);
}

/* What stands behind a slot's last page in the ring is not the neighbour's page. */
static void a_ring_ends_with_the_slot(void **state)
{
	struct s2_leaf leaf;
	struct rings r;

	(void)state;
	begin(&r, &caps_fwb, TO_RING, LEVEL_4K);
	assert_int_equal(fx_slot(r.f, 3, SLOT_LOG_DIRTY, FX_IPA, 70 * PAGE_SIZE, FX_HVA), ERR_OK);
	assert_int_equal(fx_slot(r.f, 4, SLOT_LOG_DIRTY, page_ipa(70), 64 * PAGE_SIZE,
				 FX_HVA + 70 * PAGE_SIZE),
			 ERR_OK);
	vcpu_writes(&r, 0, 69);
	vcpu_writes(&r, 0, 127);
	expect_page(&r, 0, 69);
	r.entry[0][1] = (struct dirty_entry){ 2, 3, 127 };
	assert_int_equal(reset(&r), 2);
	assert_false(machine_may_write(r.f->p, r.f->m.s2.vttbr, IPA(page_ipa(69))));
	assert_true(stage2_lookup(&r.f->m.s2, IPA(page_ipa(127)), &leaf));
	assert_true(leaf.perms & S2_W);
	end(&r);
}

/* ---- a random life: no write is lost */

enum { LIFE_PAGES = 150 };

struct life {
	struct rings r;
	unsigned int seed;
	u64 clock;
	u64 wrote[LIFE_PAGES]; /* when last; 0: told since */
	u64 told, silent;
};

static unsigned int life_random(struct life *l, unsigned int below)
{
	l->seed = l->seed * 1664525 + 1013904223;
	return (l->seed >> 8) % below;
}

/* A write that needs no fault, at a moment the engine did not choose. */
static void life_hook(void *arg)
{
	struct life *l = arg;
	unsigned int cpu = l->r.f->p->cpu;
	u64 page = life_random(l, LIFE_PAGES);

	machine_cpu(l->r.f->p, life_random(l, VCPUS));
	if (machine_access(l->r.f->p, IPA(page_ipa(page)), MACHINE_WRITE).fault == MF_NONE) {
		l->wrote[page] = ++l->clock;
		l->silent++;
	}
	machine_cpu(l->r.f->p, cpu);
}

static void life_collect(struct life *l)
{
	bool is_told[LIFE_PAGES] = { false };
	u64 since = l->clock;
	struct dirty_entry e;

	for (unsigned int vcpu = 0; vcpu < VCPUS; vcpu++) {
		while (fetch(&l->r, vcpu, &e)) {
			is_told[e.offset] = true;
			l->told++;
		}
	}
	reset(&l->r);
	for (u64 i = 0; i < LIFE_PAGES; i++) {
		if (!is_told[i] && l->wrote[i] && l->wrote[i] <= since)
			fail_msg("the write to page %lu is lost", (unsigned long)i);
		if (is_told[i])
			l->wrote[i] = 0; /* copied now */
	}
}

static void life_step(struct life *l)
{
	unsigned int what = life_random(l, 32);
	u64 page = life_random(l, LIFE_PAGES);

	if (what < 20) {
		if (vcpu_writes(&l->r, life_random(l, VCPUS), page))
			l->wrote[page] = ++l->clock;
	} else if (what < 26) {
		machine_cpu(l->r.f->p, life_random(l, VCPUS));
		guest_touch(l->r.f, page_ipa(page), MACHINE_READ);
	} else if (what < 28) {
		hva_t start = HVA(FX_HVA + page * PAGE_SIZE);
		hva_t stop = HVA(start.v + (1 + life_random(l, 20)) * PAGE_SIZE);

		guest_mem_invalidate_begin(&l->r.f->m, start, stop);
		guest_mem_invalidate_end(&l->r.f->m, start, stop);
	} else {
		life_collect(l);
	}
}

static void a_random_life_loses_no_write(void **state)
{
	static const struct port_caps *caps[] = { &caps_fwb, &caps_plain };

	(void)state;
	for (unsigned int seed = 1; seed <= 8; seed++) {
		struct life l = { .seed = seed };

		begin(&l.r, caps[seed % 2], TO_RING, LEVEL_4K);
		slot(&l.r, SLOT_LOG_DIRTY);
		machine_on_change(l.r.f->p, life_hook, &l);
		machine_on_relax(l.r.f->p, life_hook, &l);
		for (int i = 0; i < 2000; i++)
			life_step(&l);
		machine_on_change(l.r.f->p, NULL, NULL);
		machine_on_relax(l.r.f->p, NULL, NULL);
		assert_true(l.told > 100);
		assert_true(l.silent > 100);
		end(&l.r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_vcpu_tells_what_it_wrote_in_its_own_ring),
		cmocka_unit_test(reading_does_not_dirty),
		cmocka_unit_test(a_page_taken_back_is_told_again),
		cmocka_unit_test(entries_are_taken_back_in_order),
		cmocka_unit_test(a_full_ring_grants_nothing),
		cmocka_unit_test(indices_wrap),
		cmocka_unit_test(blocks_are_told_page_by_page),
		cmocka_unit_test(hardware_marks_nothing_where_rings_log),
		cmocka_unit_test(with_a_bitmap_it_has_what_no_vcpu_wrote),
		cmocka_unit_test(without_a_bitmap_there_is_none_to_read),
		cmocka_unit_test(a_forged_ring_does_no_harm),
		cmocka_unit_test(a_ring_ends_with_the_slot),
		cmocka_unit_test(a_random_life_loses_no_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
