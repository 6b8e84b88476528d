/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy: every combination of facts, against the rules of docs/guest-memory.md said again as
 * predicates, independently of the tables.
 */
#include "tests/unit/engine_fixture.h"

struct facts {
	enum mem_type type;
	enum mem_reach reach;
	enum mem_owner owner;
	bool fwb, dic;
	enum mem_access access;
	u32 flags; /* of the slot */
	bool logging, writable, cmo, walk;
};

#define EACH(var, count) for (int var = 0; var < (count); var++)

static u64 for_each(void (*check)(const struct facts *f))
{
	u64 n = 0;

	EACH(type, MEM_TYPE_COUNT)
	EACH(reach, REACH_COUNT)
	EACH(owner, OWNER_COUNT)
	EACH(cpu, 4)
	EACH(access, MEM_ACCESS_COUNT)
	EACH(bits, 64)
	{
		struct facts f = {
			.type = (enum mem_type)type,
			.reach = (enum mem_reach)reach,
			.owner = (enum mem_owner)owner,
			.fwb = cpu & 1,
			.dic = cpu & 2,
			.access = (enum mem_access)access,
			.flags = (bits & 1 ? SLOT_WRITE_BACK : 0) | (bits & 2 ? SLOT_READONLY : 0),
			.logging = bits & 4,
			.writable = bits & 8,
			.cmo = bits & 16,
			.walk = bits & 32,
		};

		check(&f);
		n++;
	}
	return n;
}

static struct port_caps caps_of(const struct facts *f)
{
	return (struct port_caps){ .fwb = f->fwb, .dic = f->dic, .idc = true };
}

static struct slot_view slot_of(const struct facts *f)
{
	return (struct slot_view){
		.gfn = 0x40000,
		.npages = 0x80000, /* 2 GiB at 1 GiB */
		.hva = HVA(0x7f0000000000),
		.flags = f->flags,
		.logging = f->logging && !(f->flags & SLOT_READONLY),
	};
}

static struct host_leaf leaf_of(const struct facts *f)
{
	return (struct host_leaf){
		.pa = PA(0x80000000),
		.type = f->type,
		.reach = f->reach,
		.owner = f->owner,
		.writable = f->writable,
		.level = LEVEL_1G,
	};
}

static struct fault_plan decide(const struct facts *f)
{
	struct decide_req req = {
		.ipa = IPA(0x40000000),
		.access = f->access,
		.is_cmo = f->cmo,
		.is_walk = f->walk,
		.top_level = LEVEL_1G,
	};
	struct slot_view slot = slot_of(f);
	struct host_leaf leaf = leaf_of(f);
	struct port_caps caps = caps_of(f);

	return decide_fault(&req, &slot, &leaf, &caps);
}

/* ---- the rules as predicates; each is exactly one answer */

static bool is_uncached(const struct facts *f)
{
	return f->type != MEM_WB;
}

static bool m10_refuses(const struct facts *f)
{
	return (f->flags & SLOT_WRITE_BACK) && (is_uncached(f) || !f->fwb);
}

static bool m4_refuses(const struct facts *f)
{
	return f->type == MEM_WB && f->reach == REACH_NONE && !f->fwb;
}

static bool is_device(const struct facts *f)
{
	bool nc = f->owner == OWNER_ANY_UNCACHED || (f->type == MEM_NC && f->reach == REACH_ALIAS);

	return is_uncached(f) && !nc;
}

/* A fetch from what is not write-back; a stage-1 table in Device memory (HCR_EL2.PTW). */
static bool m5_injects(const struct facts *f)
{
	bool fetches = is_uncached(f) && f->access == MEM_EXEC;

	return (fetches || (is_device(f) && f->walk)) && !m10_refuses(f);
}

static bool m8_refuses(const struct facts *f)
{
	return f->access == MEM_WRITE && !f->writable;
}

static bool maps(const struct facts *f)
{
	return !m10_refuses(f) && !m4_refuses(f) && !m5_injects(f) && !m8_refuses(f);
}

static void check_verdict(const struct facts *f)
{
	struct fault_plan plan = decide(f);

	if (maps(f)) {
		assert_int_equal(plan.verdict, VERDICT_MAP);
	} else if (f->cmo) {
		assert_int_equal(plan.verdict, VERDICT_SKIP);
	} else if (m5_injects(f)) {
		assert_int_equal(plan.verdict, VERDICT_INJECT_SEA);
		assert_int_equal(reason_rule(plan.why), 5);
	} else {
		assert_int_equal(plan.verdict, VERDICT_REFUSE);
	}
	assert_true(reason_rule(plan.why) != 0);
}

static void every_combination_has_the_verdict_of_the_rules(void **state)
{
	u64 n = for_each(check_verdict);

	(void)state;
	print_message("decide: %lu combinations\n", (unsigned long)n);
	assert_int_equal(n, 3 * 2 * 2 * 4 * 3 * 64);
}

static void check_m2_m3(const struct facts *f)
{
	struct fault_plan plan = decide(f);
	bool can_clean = f->reach == REACH_ALIAS;

	if (!maps(f) || f->type != MEM_WB)
		return;
	assert_int_equal(plan.type, S2_NORMAL);
	assert_int_equal(plan.owed & CMO_DCACHE, f->fwb ? 0 : CMO_DCACHE);
	assert_int_equal(!!(plan.perms & S2_X), f->dic || f->access == MEM_EXEC);
	if ((plan.perms & S2_X) && !f->dic)
		assert_int_equal(plan.owed & (CMO_ICACHE | CMO_ICACHE_ALL),
				 can_clean ? CMO_ICACHE : CMO_ICACHE_ALL);
	else
		assert_int_equal(plan.owed & (CMO_ICACHE | CMO_ICACHE_ALL), 0);
}

static void m2_m3_write_back_is_normal_and_pays_what_the_cpu_needs(void **state)
{
	(void)state;
	for_each(check_m2_m3);
}

static void check_m4(const struct facts *f)
{
	struct fault_plan plan = decide(f);

	if (m4_refuses(f) && !f->cmo)
		assert_int_equal(plan.why, WHY_CANNOT_CLEAN);
	/* Never degraded: write-back memory is mapped write-back or not at all. */
	if (f->type == MEM_WB && plan.verdict == VERDICT_MAP)
		assert_int_equal(plan.type, S2_NORMAL);
}

static void m4_unreachable_write_back_without_fwb_is_refused(void **state)
{
	(void)state;
	for_each(check_m4);
}

static void check_m5(const struct facts *f)
{
	struct fault_plan plan = decide(f);

	if (!maps(f) || !is_uncached(f))
		return;
	assert_int_equal(plan.type, is_device(f) ? S2_DEVICE : S2_NORMAL_NC);
	assert_int_equal(plan.perms & S2_X, 0);
	/* The linear alias is cleaned, FWB or not. */
	assert_int_equal(plan.owed, f->reach == REACH_ALIAS ? CMO_DCACHE : 0);
}

static void m5_uncached_is_nc_or_device_as_the_owner_says(void **state)
{
	(void)state;
	for_each(check_m5);
}

static void check_m10(const struct facts *f)
{
	struct fault_plan plan = decide(f);

	if ((f->flags & SLOT_WRITE_BACK) && plan.verdict == VERDICT_MAP) {
		assert_true(f->fwb);
		assert_int_equal(plan.type, S2_NORMAL);
	}
}

static void m10_guaranteed_write_back_is_kept_or_refused(void **state)
{
	(void)state;
	for_each(check_m10);
}

/* Where all that may be is refused, the reason is what plain RAM lacks, not a fact nobody knows. */
static void m18_a_refusal_does_not_guess(void **state)
{
	const struct port_caps plain = { .fwb = false }, forced = { .fwb = true };
	struct area_facts area = { .type_known = KNOWN, .type = MEM_WB, .reach_known = UNKNOWN };
	struct slot_verdict v = decide_slot(&area, SLOT_WRITE_BACK, SLOTS_LENIENT, &plain);

	(void)state;
	assert_int_equal(v.error, ERR_INVAL);
	assert_int_equal(v.why, WHY_WB_NO_FWB);

	area.type_known = UNKNOWN;
	v = decide_slot(&area, SLOT_WRITE_BACK, SLOTS_LENIENT, &plain);
	assert_int_equal(v.why, WHY_WB_NO_FWB);
	v = decide_slot(&area, SLOT_WRITE_BACK, SLOTS_LENIENT, &forced);
	assert_int_equal(v.error, ERR_OK);
}

static void check_m17(const struct facts *f)
{
	struct fault_plan plan = decide(f);
	bool logging = f->logging && !(f->flags & SLOT_READONLY);

	if (!maps(f))
		return;
	assert_int_equal(plan.logged, logging && f->type == MEM_WB);
	assert_int_equal(plan.surprising, logging && f->type != MEM_WB);
	if (plan.logged) {
		assert_int_equal(plan.level, LEVEL_4K);
		assert_int_equal(plan.bound_by, LIMIT_LOGGING);
		assert_int_equal(!!(plan.perms & S2_W), f->access == MEM_WRITE);
	}
}

static void m17_what_is_logged_is_write_back_in_pages(void **state)
{
	(void)state;
	for_each(check_m17);
}

static void check_perms(const struct facts *f)
{
	struct fault_plan plan = decide(f);

	if (!maps(f))
		return;
	assert_true(plan.perms & S2_R);
	if (!f->writable || (f->flags & SLOT_READONLY))
		assert_false(plan.perms & S2_W);
}

static void m1_permissions_never_exceed_the_host_leaf(void **state)
{
	(void)state;
	for_each(check_perms);
}

static u8 hit[64];

static void count_row(const struct facts *f)
{
	hit[policy_row(f->type, f->reach, f->owner, f->fwb, f->access == MEM_EXEC,
		       f->flags & SLOT_WRITE_BACK)] = 1;
}

static void no_row_of_the_policy_is_dead(void **state)
{
	(void)state;
	memset(hit, 0, sizeof(hit));
	for_each(count_row);
	assert_true(policy_row_count() <= sizeof(hit));
	for (unsigned int i = 0; i < policy_row_count(); i++) {
		if (!hit[i])
			fail_msg("row %u is dead", i);
	}
}

/* ---- M6 */

static struct fault_plan size_of(u64 ipa, s8 top, struct host_leaf leaf, struct slot_view slot)
{
	struct decide_req req = { .ipa = IPA(ipa), .access = MEM_READ, .top_level = top };
	struct port_caps caps = caps_fwb;

	return decide_fault(&req, &slot, &leaf, &caps);
}

static void m6_the_binding_limit_is_recorded(void **state)
{
	struct host_leaf leaf = { .pa = PA(0x80000000), .level = LEVEL_1G, .writable = true };
	struct slot_view slot = { .gfn = 0x40000, .npages = 0x40000, .hva = HVA(0x7f0000000000) };
	struct fault_plan plan;

	(void)state;
	plan = size_of(0x40000000, LEVEL_1G, leaf, slot);
	assert_int_equal(plan.level, LEVEL_1G);
	assert_int_equal(plan.bound_by, LIMIT_NONE);
	plan = size_of(0x40000000, LEVEL_2M, leaf, slot);
	assert_int_equal(plan.level, LEVEL_2M);
	assert_int_equal(plan.bound_by, LIMIT_TABLE);
	leaf.level = LEVEL_2M;
	plan = size_of(0x40000000, LEVEL_1G, leaf, slot);
	assert_int_equal(plan.level, LEVEL_2M);
	assert_int_equal(plan.bound_by, LIMIT_HOST);
	slot.npages = 0x3ffff; /* a page short of the last block */
	leaf.pa.v += 0x3fe00000;
	plan = size_of(0x7fe00000, LEVEL_1G, leaf, slot);
	assert_int_equal(plan.level, LEVEL_4K);
	assert_int_equal(plan.bound_by, LIMIT_SLOT);
}

static void m6_a_block_does_not_reach_out_of_the_slot(void **state)
{
	struct host_leaf leaf = { .pa = PA(0x80000000), .level = LEVEL_1G };
	/* From a page before a 2 MiB boundary to a page behind the next. */
	struct slot_view slot = { .gfn = 0x401ff, .npages = 0x202, .hva = HVA(0x7f00001ff000) };
	struct fault_plan plan;

	(void)state;
	leaf.pa.v = 0x801ff000;
	plan = size_of(0x401ff000, LEVEL_1G, leaf, slot);
	assert_int_equal(plan.level, LEVEL_4K);
	assert_int_equal(plan.bound_by, LIMIT_SLOT);
	leaf.pa.v = 0x80200000;
	plan = size_of(0x40200000, LEVEL_1G, leaf, slot);
	assert_int_equal(plan.level, LEVEL_2M);
	leaf.pa.v = 0x80400000;
	plan = size_of(0x40400000, LEVEL_1G, leaf, slot);
	assert_int_equal(plan.level, LEVEL_4K);
}

static void m6_addresses_that_are_not_aligned_alike_get_pages(void **state)
{
	struct host_leaf leaf = { .pa = PA(0x80001000), .level = LEVEL_2M };
	struct slot_view slot = { .gfn = 0x40000, .npages = 0x40000, .hva = HVA(0x7f0000001000) };
	struct fault_plan plan = size_of(0x40000000, LEVEL_1G, leaf, slot);

	(void)state;
	assert_int_equal(plan.level, LEVEL_4K);
	assert_int_equal(plan.pa.v, 0x80001000);
}

static void m6_the_plan_starts_where_its_block_starts(void **state)
{
	struct host_leaf leaf = { .pa = PA(0x80345678), .level = LEVEL_2M };
	struct slot_view slot = { .gfn = 0x40000, .npages = 0x40000, .hva = HVA(0x7f0000000000) };
	struct fault_plan plan = size_of(0x40345678, LEVEL_1G, leaf, slot);

	(void)state;
	assert_int_equal(plan.ipa.v, 0x40200000);
	assert_int_equal(plan.pa.v, 0x80200000);
}

/* ---- M7: creation and fault agree */

static struct slot_verdict create(const struct facts *f, enum known type, enum known reach)
{
	struct area_facts area = {
		.type_known = type,
		.type = f->type,
		.reach_known = reach,
		.reach = f->reach,
		.owner = f->owner,
		.special = true,
		.writable = f->writable,
	};
	struct port_caps caps = caps_of(f);
	u32 flags = f->flags | (f->logging ? SLOT_LOG_DIRTY : 0);

	return decide_slot(&area, flags, SLOTS_LENIENT, &caps);
}

static u64 refused_known, refused_unknown;

static void check_m7(const struct facts *f)
{
	struct fault_plan plan = decide(f);
	bool kept = !create(f, KNOWN, KNOWN).error;
	bool log_refuses = f->logging && f->type != MEM_WB;

	if (f->cmo || f->walk || f->access != MEM_READ)
		return;
	/* What creation refuses no read fault maps; what it keeps a read fault maps. */
	if (!log_refuses)
		assert_int_equal(kept, plan.verdict == VERDICT_MAP);
	else
		assert_false(kept);
	refused_known += !kept;
	/* Unknown never refuses what some completion would keep. */
	if (kept) {
		assert_int_equal(create(f, UNKNOWN, KNOWN).error, ERR_OK);
		assert_int_equal(create(f, KNOWN, UNKNOWN).error, ERR_OK);
		assert_int_equal(create(f, UNKNOWN, UNKNOWN).error, ERR_OK);
	}
	refused_unknown += create(f, UNKNOWN, UNKNOWN).error != ERR_OK;
}

static void m7_creation_and_fault_agree_on_every_combination(void **state)
{
	(void)state;
	refused_known = refused_unknown = 0;
	for_each(check_m7);
	print_message("creation refuses %lu combinations when all is known, %lu when nothing is\n",
		      (unsigned long)refused_known, (unsigned long)refused_unknown);
	assert_true(refused_unknown < refused_known);
}

static void m8_a_writable_slot_over_read_only_memory_needs_strictness_to_be_refused(void **state)
{
	struct area_facts area = { .type = MEM_WB, .reach = REACH_ALIAS, .writable = false };
	struct port_caps caps = caps_fwb;

	(void)state;
	assert_int_equal(decide_slot(&area, 0, SLOTS_LENIENT, &caps).error, ERR_OK);
	assert_int_equal(decide_slot(&area, 0, SLOTS_STRICT, &caps).error, ERR_PERM);
	assert_int_equal(decide_slot(&area, SLOT_READONLY, SLOTS_STRICT, &caps).error, ERR_OK);
}

static void every_reason_names_its_rule_and_says_a_sentence(void **state)
{
	(void)state;
	for (int i = 0; i < WHY_COUNT; i++) {
		assert_in_range(reason_rule((enum reason)i), i ? 1 : 0, i ? 18 : 0);
		/* It fits where the ABI has room for it: catwalk_memory_fault.reason. */
		assert_in_range(strlen(reason_text((enum reason)i)), 10, 95);
		assert_true(strlen(reason_name((enum reason)i)) > 0);
	}
	assert_string_equal(err_text(ERR_NOMEM), "no memory");
	assert_string_equal(stat_name(STAT_fault_read), "fault_read");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_combination_has_the_verdict_of_the_rules),
		cmocka_unit_test(m1_permissions_never_exceed_the_host_leaf),
		cmocka_unit_test(m2_m3_write_back_is_normal_and_pays_what_the_cpu_needs),
		cmocka_unit_test(m4_unreachable_write_back_without_fwb_is_refused),
		cmocka_unit_test(m5_uncached_is_nc_or_device_as_the_owner_says),
		cmocka_unit_test(m6_the_binding_limit_is_recorded),
		cmocka_unit_test(m6_a_block_does_not_reach_out_of_the_slot),
		cmocka_unit_test(m6_addresses_that_are_not_aligned_alike_get_pages),
		cmocka_unit_test(m6_the_plan_starts_where_its_block_starts),
		cmocka_unit_test(m7_creation_and_fault_agree_on_every_combination),
		cmocka_unit_test(
			m8_a_writable_slot_over_read_only_memory_needs_strictness_to_be_refused),
		cmocka_unit_test(m10_guaranteed_write_back_is_kept_or_refused),
		cmocka_unit_test(m17_what_is_logged_is_write_back_in_pages),
		cmocka_unit_test(m18_a_refusal_does_not_guess),
		cmocka_unit_test(no_row_of_the_policy_is_dead),
		cmocka_unit_test(every_reason_names_its_rule_and_says_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
