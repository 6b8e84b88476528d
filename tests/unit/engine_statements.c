/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the mails ask of the engine and no test of a rule shows by itself; each test is named after
 * its statement in docs/guest-memory.md.
 */
#include "tests/unit/engine_fixture.h"

#define MIB (1UL << 20)

static struct fx *begin(const struct port_caps *caps)
{
	struct fx *f = fx_new(caps, 40);

	assert_int_equal(fx_slot(f, 0, 0, FX_IPA, 4 * MIB, FX_HVA), ERR_OK);
	return f;
}

static void host_becomes(struct fx *f, enum mem_type type, enum mem_reach reach,
			 enum mem_owner owner)
{
	f->host.type = type;
	f->host.reach = reach;
	f->host.owner = owner;
	f->host.special = true;
}

static bool maps_nothing(struct fx *f)
{
	struct s2_run run;

	return !stage2_dump(&f->m.s2, IPA(0), &run);
}

/* A write that lacks permission, and execution that does, are decided like a first access. */
static void r000_1_a_permission_fault_is_refused_too(void **state)
{
	static const u64 permission[] = { ESR_DABT | ESR_ISV | ESR_WNR | 0xf, ESR_IABT | 0xf };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(permission); i++) {
		struct fx *f = begin(&caps_plain);
		struct fault_trap t = trap_at(permission[i], FX_IPA);
		struct fault_outcome o;
		struct s2_leaf leaf;

		f->host.read_maps_read_only = true;
		guest_touch(f, FX_IPA, MACHINE_READ);
		host_becomes(f, MEM_WB, REACH_NONE, OWNER_TYPE_FIXED);
		o = fault_handle(&f->m, &t);
		assert_int_equal(o.kind, OUTCOME_MEMORY_FAULT);
		assert_int_equal(o.error, ERR_FAULT);
		assert_int_equal(o.why, WHY_CANNOT_CLEAN);
		assert_true(stage2_lookup(&f->m.s2, IPA(FX_IPA), &leaf));
		assert_int_equal(leaf.perms, S2_R);
		fx_abandon(f);
	}
}

/* Whether EL2 can maintain a page's caches says nothing of its type, nor the other way round. */
static void r000_3_reach_and_type_are_two_facts(void **state)
{
	static const struct {
		enum mem_type type;
		enum mem_reach reach;
		enum outcome_kind kind;
		enum machine_type seen;
		u64 cleaned;
	} rows[] = {
		{ MEM_WB, REACH_ALIAS, OUTCOME_RESUME, MACHINE_WB, PAGE_SIZE },
		{ MEM_WB, REACH_NONE, OUTCOME_MEMORY_FAULT, 0, 0 },
		{ MEM_NC, REACH_ALIAS, OUTCOME_RESUME, MACHINE_NC, PAGE_SIZE },
		{ MEM_NC, REACH_NONE, OUTCOME_RESUME, MACHINE_DEVICE, 0 },
		{ MEM_DEVICE, REACH_ALIAS, OUTCOME_RESUME, MACHINE_DEVICE, PAGE_SIZE },
		{ MEM_DEVICE, REACH_NONE, OUTCOME_RESUME, MACHINE_DEVICE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fx *f = begin(&caps_plain);
		struct machine_access a;

		host_becomes(f, rows[i].type, rows[i].reach, OWNER_TYPE_FIXED);
		assert_int_equal(guest_do(f, FX_IPA, MACHINE_READ, &a).kind, rows[i].kind);
		assert_int_equal(maps_nothing(f), rows[i].kind != OUTCOME_RESUME);
		if (rows[i].kind == OUTCOME_RESUME)
			assert_int_equal(a.type, rows[i].seen);
		assert_int_equal(fx_stat(f, STAT_dcache_bytes), rows[i].cleaned);
		fx_delete(f);
	}
}

/* Whatever owner and access: cacheable memory that cannot be kept coherent is refused. */
static void r001_3_nothing_is_degraded_to_non_cacheable(void **state)
{
	(void)state;
	for (int owner = 0; owner < OWNER_COUNT; owner++) {
		struct fx *f = begin(&caps_plain);
		struct machine_access a;

		host_becomes(f, MEM_WB, REACH_NONE, (enum mem_owner)owner);
		for (int op = MACHINE_READ; op <= MACHINE_FETCH; op++) {
			struct fault_outcome o = guest_do(f, FX_IPA, (enum machine_op)op, &a);

			assert_int_equal(o.kind, OUTCOME_MEMORY_FAULT);
			assert_int_equal(o.why, WHY_CANNOT_CLEAN);
			assert_true(maps_nothing(f));
		}
		fx_delete(f);
	}
}

static bool dumps_are_equal(struct fx *a, struct fx *b)
{
	struct s2_run x, y;

	for (u64 at = 0; stage2_dump(&a->m.s2, IPA(at), &x); at = x.ipa.v + x.size) {
		if (!stage2_dump(&b->m.s2, IPA(at), &y) || x.ipa.v != y.ipa.v || x.size != y.size ||
		    x.leaf.type != y.leaf.type || x.leaf.perms != y.leaf.perms ||
		    x.leaf.level != y.leaf.level)
			return false;
	}
	return true;
}

/* One VM's device is mapped up front, another's as its guest comes by: they end up the same. */
static void r002_3_up_front_and_by_faults_maps_the_same(void **state)
{
	static const enum mem_type types[] = { MEM_WB, MEM_NC, MEM_DEVICE };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct fx *early = begin(&caps_fwb), *late = begin(&caps_fwb);
		struct slot_span all = { 0, 4 * MIB };
		struct prefault_result r;

		host_becomes(early, types[i], REACH_NONE, OWNER_ANY_UNCACHED);
		host_becomes(late, types[i], REACH_NONE, OWNER_ANY_UNCACHED);
		r = guest_mem_prefault_slot(&early->m, 0, all, PREFAULT_POPULATE);
		assert_int_equal(r.error, ERR_OK);
		assert_int_equal(r.skipped, 0);
		for (u64 at = 0; at < 4 * MIB; at += PAGE_SIZE)
			guest_touch(late, FX_IPA + at, MACHINE_READ);
		assert_true(dumps_are_equal(early, late));
		assert_true(dumps_are_equal(late, early));
		fx_delete(early);
		fx_delete(late);
	}
}

/* A VM whose device could not be mapped up front runs all the same. */
static void r002_6_nothing_depends_on_pre_population(void **state)
{
	struct fx *f = begin(&caps_fwb);
	struct slot_span all = { 0, 4 * MIB };
	struct prefault_result r;

	(void)state;
	host_becomes(f, MEM_DEVICE, REACH_NONE, OWNER_TYPE_FIXED);
	f->host.fault_error = ERR_NOMEM;
	r = guest_mem_prefault_slot(&f->m, 0, all, PREFAULT_POPULATE);
	assert_true(r.error || r.skipped);
	assert_true(maps_nothing(f));
	f->host.fault_error = 0;
	guest_touch(f, FX_IPA, MACHINE_WRITE);
	guest_touch(f, FX_IPA + 4 * MIB - PAGE_SIZE, MACHINE_READ);
	fx_check_stats(f);
	fx_delete(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(r000_1_a_permission_fault_is_refused_too),
		cmocka_unit_test(r000_3_reach_and_type_are_two_facts),
		cmocka_unit_test(r001_3_nothing_is_degraded_to_non_cacheable),
		cmocka_unit_test(r002_3_up_front_and_by_faults_maps_the_same),
		cmocka_unit_test(r002_6_nothing_depends_on_pre_population),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
