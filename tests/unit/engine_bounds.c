/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No operation looks at more than a bounded number of descriptors without giving way (E10): counted
 * at every access, not by the engine's own counters.
 */
#include "engine/dirty_ring.h"
#include "engine/recover.h"
#include "tests/unit/engine_fixture.h"

enum { PAGES = 4096, STEP = 64, RING = 8192 };
/* A step may load, exchange and look again; walks and the next table's entries come on top. */
enum { BOUND = 4 * STEP };
/* Filling, comparing or logging one table. */
enum { TABLE_BOUND = 4 * 512 };

static struct port *port;
static u64 since, most, relaxes;

static void count(void *arg, enum machine_step kind, const char *where)
{
	struct machine_held held;

	(void)arg;
	if (kind == STEP_RELAX) {
		assert_int_equal(machine_locks_held(port, port->cpu, &held, 1), 0);
		since = 0;
		relaxes++;
	}
	if (!strncmp(where, "descriptor", strlen("descriptor")))
		since++;
	most = max(most, since);
}

static void begin_count(struct fx *f)
{
	port = f->p;
	since = most = relaxes = 0;
	machine_on_step(f->p, count, NULL);
}

/* At least @steps times others had their turn, and never more than @bound accesses apart. */
static void end_count(struct fx *f, const char *what, u64 bound, u64 steps)
{
	machine_on_step(f->p, NULL, NULL);
	if (most > bound || relaxes < steps)
		fail_msg("%s: %lu accesses in a row, %lu times given way", what,
			 (unsigned long)most, (unsigned long)relaxes);
}

static u64 page_ipa(u64 page)
{
	return FX_IPA + page * PAGE_SIZE;
}

static void slot(struct fx *f, u32 flags)
{
	assert_int_equal(fx_slot(f, 0, flags, FX_IPA, PAGES * PAGE_SIZE, FX_HVA), ERR_OK);
}

static struct fx *begin(const struct port_caps *caps, s8 level)
{
	struct fx *f = fx_new(caps, 40);

	fx_host_ram(f, 64 << 20, level);
	f->m.s2.step = STEP;
	return f;
}

static void fill(struct fx *f, enum machine_op op)
{
	for (u64 i = 0; i < PAGES; i++)
		guest_touch(f, page_ipa(i), op);
}

static void ranges_give_way(const struct port_caps *caps)
{
	struct fx *f = begin(caps, LEVEL_4K);
	u64 steps = PAGES / STEP;
	struct s2_run run;

	slot(f, 0);
	fill(f, MACHINE_WRITE);
	begin_count(f);
	stage2_age(&f->m.s2, IPA(FX_IPA), PAGES * PAGE_SIZE, S2_AGE_CLEAR);
	end_count(f, "age", BOUND, steps);
	begin_count(f);
	stage2_write_protect(&f->m.s2, IPA(FX_IPA), PAGES * PAGE_SIZE);
	end_count(f, "write-protect", BOUND, steps);
	begin_count(f);
	stage2_cache_flush(&f->m.s2, IPA(FX_IPA), PAGES * PAGE_SIZE);
	end_count(f, "cache flush", BOUND, caps->fwb ? 0 : steps);
	begin_count(f);
	assert_true(stage2_dump(&f->m.s2, IPA(0), &run));
	end_count(f, "dump", BOUND, steps);
	begin_count(f);
	assert_int_equal(stage2_count_tables(&f->m.s2), 1 + PAGES / 512);
	end_count(f, "count of tables", BOUND, 1);
	begin_count(f); /* nothing to split, 512 places to look at */
	assert_int_equal(stage2_split(&f->m.s2, IPA(FX_IPA), SZ_1G), ERR_OK);
	end_count(f, "split", BOUND, 512 / STEP);
	begin_count(f);
	guest_mem_invalidate_begin(&f->m, HVA(FX_HVA), HVA(FX_HVA + PAGES * PAGE_SIZE));
	end_count(f, "unmap", BOUND, steps);
	guest_mem_invalidate_end(&f->m, HVA(FX_HVA), HVA(FX_HVA + PAGES * PAGE_SIZE));
	fill(f, MACHINE_READ);
	begin_count(f);
	guest_mem_unmap_all(&f->m);
	end_count(f, "unmap of everything", BOUND, steps);
	begin_count(f);
	assert_int_equal(guest_mem_prefault(&f->m, IPA(FX_IPA), PAGES * PAGE_SIZE).error, ERR_OK);
	end_count(f, "prefault", BOUND, steps);
	begin_count(f);
	assert_int_equal(guest_mem_prefault(&f->m, IPA(FX_IPA), PAGES * PAGE_SIZE).error, ERR_OK);
	end_count(f, "prefault of what is there", BOUND, steps);
	fx_delete(f);
}

static void range_operations_give_way(void **state)
{
	(void)state;
	ranges_give_way(&caps_fwb);
	ranges_give_way(&caps_plain);
}

static void the_bitmap_gives_way(const struct port_caps *caps, enum dirty_protect protect)
{
	struct fx *f = begin(caps, LEVEL_4K);
	struct dirty_log log;
	u64 all[PAGES / 64];

	f->m.policy.dirty_protect = protect;
	slot(f, SLOT_LOG_DIRTY);
	fill(f, MACHINE_WRITE);
	begin_count(f);
	assert_int_equal(dirty_log_get(&f->m, 0, &log), ERR_OK);
	end_count(f, "dirty log get", 4 * 512, PAGES / 512);
	memset(all, 0xff, sizeof(all));
	begin_count(f);
	assert_int_equal(dirty_log_clear(&f->m, 0, 0, PAGES, all), ERR_OK);
	dirty_log_clear_end(&f->m, 0);
	end_count(f, "dirty log clear", 4 * 512, PAGES / 512);
	fx_delete(f);
}

static void the_dirty_log_gives_way(void **state)
{
	struct port_caps hw = caps_fwb;

	(void)state;
	hw.hw_af = hw.hw_dbm = true;
	for (int protect = 0; protect < 2; protect++) {
		the_bitmap_gives_way(&caps_fwb, (enum dirty_protect)protect);
		the_bitmap_gives_way(&hw, (enum dirty_protect)protect);
	}
}

static void rings_give_way(void **state)
{
	struct fx *f = begin(&caps_fwb, LEVEL_4K);
	struct dirty_entry *entries = calloc(RING, sizeof(*entries));
	struct dirty_reset reset = { .count = 0 };
	struct dirty_ring ring;

	(void)state;
	assert_non_null(entries);
	dirty_ring_init(&ring, entries, RING);
	guest_mem_log_to(&f->m, TO_RING);
	slot(f, 0);
	fill(f, MACHINE_WRITE);
	assert_int_equal(fx_slot(f, 0, SLOT_LOG_DIRTY, FX_IPA, PAGES * PAGE_SIZE, FX_HVA), ERR_OK);
	for (u64 i = 0; i < PAGES; i++) { /* every second 64 pages apart: no two in one batch */
		dirty_ring_push(&ring, 0, i % 64 * 64 + i / 64);
		entries[i].flags |= DIRTY_ENTRY_RESET;
	}
	begin_count(f);
	while (dirty_ring_reset_step(&f->m, &ring, &reset))
		;
	dirty_reset_end(&f->m, &reset);
	assert_int_equal(reset.count, PAGES);
	/* Each entry is a walk of its own here. */
	end_count(f, "ring reset", 8 * STEP, PAGES / STEP);
	fx_delete(f);
	free(entries);
}

static void size_changes_give_way(void **state)
{
	(void)state;
	for (u8 bbm = 0; bbm <= 2; bbm += 2) {
		struct port_caps caps = caps_fwb;
		struct fx *f;

		caps.bbm = bbm;
		f = begin(&caps, LEVEL_2M);
		f->m.policy.eager_split = PAGE_SIZE;
		slot(f, 0);
		fill(f, MACHINE_WRITE);
		begin_count(f);
		slot(f, SLOT_LOG_DIRTY);
		end_count(f, "begin of logging", TABLE_BOUND, PAGES / 512);
		fill(f, MACHINE_WRITE);
		begin_count(f);
		slot(f, 0);
		end_count(f, "end of logging", TABLE_BOUND, PAGES / 512);
		assert_int_equal(fx_stat(f, STAT_recover), PAGES / 512);
		fx_delete(f);
	}
}

static int counted_leaf(void *host, hva_t hva, struct host_leaf *out)
{
	since++;
	most = max(most, since);
	return host_leaf(host, hva, out);
}

/* Device memory is looked at leaf by leaf when a slot is made over it. */
static void the_creation_of_a_slot_gives_way(void **state)
{
	static const struct host_ops counted = { counted_leaf, host_fault, host_area };
	struct fx *f = begin(&caps_fwb, LEVEL_4K);

	(void)state;
	f->host.special = true;
	f->m.host_ops = &counted;
	memset(f->host.present, 1, PAGES);
	begin_count(f);
	slot(f, 0);
	end_count(f, "creation of a slot", STEP, PAGES / STEP);
	fx_delete(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(range_operations_give_way),
		cmocka_unit_test(the_dirty_log_gives_way),
		cmocka_unit_test(rings_give_way),
		cmocka_unit_test(size_changes_give_way),
		cmocka_unit_test(the_creation_of_a_slot_gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
