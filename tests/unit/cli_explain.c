/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `catwalk explain`: each fact can be said, and moves the answer as the rule says; the text and the
 * JSON say what the engine says; bad input is named.
 */
#include "tests/unit/cli_capture.h"

#include <jansson.h>

#include "cli/explain.h"

static struct explain_input parse(const char *line)
{
	char *copy = strdup(line), *rest = copy, *argv[WORDS_MAX + 1] = { "explain" };
	struct explain_input in;
	int argc = 1;

	for (char *word = strsep(&rest, " "); word; word = strsep(&rest, " ")) {
		if (*word)
			argv[argc++] = word;
	}
	assert_int_equal(0, parse_explain_options(argc, argv, &in));
	free(copy);
	return in;
}

static struct explain_report report_of(const char *line)
{
	struct explain_input in = parse(line);

	return explain_facts(&in);
}

/* ---- what an access gets */

static const struct {
	const char *line;
	enum answer answer;
	enum reason why;
} answers[] = {
	{ "", ANSWER_MAP, WHY_RAM_FWB },
	{ "--no-fwb", ANSWER_MAP, WHY_RAM_CLEANED },
	{ "--no-fwb --fwb", ANSWER_MAP, WHY_RAM_FWB },
	{ "--reach pfnmap", ANSWER_MAP, WHY_FORCED_WB },
	{ "--reach pfnmap --no-fwb", ANSWER_EXIT, WHY_CANNOT_CLEAN },
	{ "--type nc", ANSWER_MAP, WHY_NC_RAM },
	{ "--type nc --any-uncached", ANSWER_MAP, WHY_NC_OWNER },
	{ "--type nc --reach pfnmap", ANSWER_MAP, WHY_DEVICE },
	{ "--type device --reach pfnmap", ANSWER_MAP, WHY_DEVICE },
	{ "--type device --reach pfnmap --any-uncached", ANSWER_MAP, WHY_NC_OWNER },
	{ "--type device --access exec", ANSWER_INJECT, WHY_FETCH_UNCACHED },
	{ "--type device --access walk", ANSWER_INJECT, WHY_WALK_DEVICE },
	{ "--access walk-update --slot-flags ro", ANSWER_INJECT, WHY_WALK_NO_SLOT },
	{ "--access fetch-walk --no-slot", ANSWER_INJECT, WHY_WALK_NO_SLOT },
	{ "--no-slot", ANSWER_EXIT, WHY_NO_SLOT },
	{ "--no-slot --access write --no-syndrome", ANSWER_EXIT, WHY_NO_SYNDROME },
	{ "--no-slot --access exec", ANSWER_INJECT, WHY_FETCH_NO_SLOT },
	{ "--no-slot --access cmo", ANSWER_SKIP, WHY_CMO_NO_SLOT },
	{ "--access cmo --type nc --slot-flags wb", ANSWER_SKIP, WHY_CMO_REFUSED },
	{ "--access ivac", ANSWER_MAP, WHY_RAM_FWB },
	{ "--access ivac --slot-flags ro", ANSWER_INJECT, WHY_CMO_IVAC_RO },
	{ "--access ivac --slot-flags ro --ivac upgrade", ANSWER_SKIP, WHY_CMO_IVAC_UPGRADED },
	{ "--access ivac --slot-flags ro --ivac inject", ANSWER_INJECT, WHY_CMO_IVAC_RO },
	{ "--access cmo --slot-flags ro", ANSWER_MAP, WHY_RAM_FWB },
	{ "--access cmo --fault permission --slot-flags ro", ANSWER_INJECT, WHY_CMO_IVAC_RO },
	{ "--access write --slot-flags ro", ANSWER_EXIT, WHY_RO_SLOT_WRITE },
	{ "--access write --host-ro", ANSWER_EXIT, WHY_NOT_WRITABLE },
	{ "--access write --leaf-ro --reach pfnmap", ANSWER_EXIT, WHY_OWNER_REFUSED_WRITE },
	{ "--access read --host-ro", ANSWER_MAP, WHY_RAM_FWB },
	{ "--slot-flags wb", ANSWER_MAP, WHY_RAM_FWB },
	{ "--slot-flags wb --no-fwb", ANSWER_EXIT, WHY_WB_NO_FWB },
	{ "--slot-flags wb --type nc", ANSWER_EXIT, WHY_WB_NOT_WB },
	{ "--slot-flags log --type device", ANSWER_MAP, WHY_LOG_UNLOGGED },
	{ "--ipa 0x3ffff000", ANSWER_EXIT, WHY_NO_SLOT },
	{ "--ipa 2G", ANSWER_EXIT, WHY_NO_SLOT },
	{ "--ipa 1T --access write", ANSWER_INJECT, WHY_BEYOND_IPA },
	{ "--ipa 1T --ipa-bits 41", ANSWER_EXIT, WHY_NO_SLOT },
	{ "--fault access-flag", ANSWER_AGE, WHY_AGED },
	{ "--fault exclusive", ANSWER_INJECT, WHY_EXCLUSIVE },
	{ "--fault tlb-conflict", ANSWER_RETRY, WHY_TLB_CONFLICT },
	{ "--fault external", ANSWER_EXIT, WHY_UNSUPPORTED_FAULT },
	{ "--fault unsupported", ANSWER_EXIT, WHY_UNSUPPORTED_FAULT },
	{ "--host no-vma", ANSWER_EXIT, WHY_NO_VMA },
	{ "--host no-memory", ANSWER_ERROR, WHY_HOST_NOMEM },
	{ "--host signal", ANSWER_ERROR, WHY_HOST_SIGNAL },
	{ "--host poisoned", ANSWER_EXIT, WHY_HOST_POISON },
	{ "--host changing", ANSWER_RETRY, WHY_RACED },
};

static void test_each_fact_moves_the_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct explain_report r = report_of(answers[i].line);

		if (r.count != 1 || r.cases[0].e.answer != answers[i].answer ||
		    r.cases[0].e.why != answers[i].why)
			fail_msg("'%s': %u cases, %s %s", answers[i].line, r.count,
				 answer_name(r.cases[0].e.answer), reason_name(r.cases[0].e.why));
	}
}

/* ---- what a mapping is like */

static const struct {
	const char *line;
	const char *perms;
	s8 level;
	enum limit by;
	unsigned int owed, owed_after;
	u64 ipa, pa;
} plans[] = {
	{ "", "rw", LEVEL_4K, LIMIT_HOST, 0, 0, SZ_1G, 0x80000000 },
	{ "--dic", "rwx", LEVEL_4K, LIMIT_HOST, 0, 0, SZ_1G, 0x80000000 },
	{ "--dic --no-dic", "rw", LEVEL_4K, LIMIT_HOST, 0, 0, SZ_1G, 0x80000000 },
	{ "--leaf 2M --ipa 0x40200fff --pa 0x200000", "rw", LEVEL_2M, LIMIT_HOST, 0, 0, 0x40200000,
	  0x200000 },
	{ "--leaf 1G --no-fwb", "rw", LEVEL_1G, LIMIT_NONE, CMO_DCACHE, CMO_DCACHE, SZ_1G,
	  0x80000000 },
	{ "--leaf 1G --size 1023M", "rw", LEVEL_2M, LIMIT_SLOT, 0, 0, SZ_1G, 0x80000000 },
	{ "--leaf 1G --hva 0x7f0000001000", "rw", LEVEL_4K, LIMIT_SLOT, 0, 0, SZ_1G, 0x80001000 },
	{ "--leaf 1G --ipa-bits 32", "rw", LEVEL_2M, LIMIT_TABLE, 0, 0, SZ_1G, 0x80000000 },
	{ "--leaf 2M --slot-flags log", "r", LEVEL_4K, LIMIT_LOGGING, 0, 0, SZ_1G, 0x80000000 },
	{ "--leaf 2M --slot-flags log --access write", "rw", LEVEL_4K, LIMIT_LOGGING, 0, 0, SZ_1G,
	  0x80000000 },
	{ "--slot-flags ro,log --leaf 2M", "r", LEVEL_2M, LIMIT_HOST, 0, 0, SZ_1G, 0x80000000 },
	{ "--slot-flags ro,log --slot-flags none", "rw", LEVEL_4K, LIMIT_HOST, 0, 0, SZ_1G,
	  0x80000000 },
	{ "--access exec", "rwx", LEVEL_4K, LIMIT_HOST, CMO_ICACHE, 0, SZ_1G, 0x80000000 },
	{ "--access exec --reach pfnmap", "rwx", LEVEL_4K, LIMIT_HOST, CMO_ICACHE_ALL, 0, SZ_1G,
	  0x80000000 },
	{ "--access exec --dic", "rwx", LEVEL_4K, LIMIT_HOST, 0, 0, SZ_1G, 0x80000000 },
	{ "--type nc", "rw", LEVEL_4K, LIMIT_HOST, CMO_DCACHE, 0, SZ_1G, 0x80000000 },
	{ "--leaf-ro", "r", LEVEL_4K, LIMIT_HOST, 0, 0, SZ_1G, 0x80000000 },
	{ "--gpa 0x80000000 --size 0x1000", "rw", LEVEL_4K, LIMIT_HOST, 0, 0, 0x80000000,
	  0x80000000 },
};

static void test_each_fact_moves_the_mapping(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(plans); i++) {
		struct explain_report r = report_of(plans[i].line);
		const struct fault_plan *p = &r.cases[0].e.plan;

		if (r.cases[0].e.answer != ANSWER_MAP || p->level != plans[i].level ||
		    p->bound_by != plans[i].by || p->owed != plans[i].owed ||
		    p->owed_after != plans[i].owed_after || p->ipa.v != plans[i].ipa ||
		    p->pa.v != plans[i].pa || strcmp(perms_text(p->perms), plans[i].perms))
			fail_msg("'%s': %s, level %d by '%s', owed %u and %u, 0x%lx to 0x%lx",
				 plans[i].line, perms_text(p->perms), p->level,
				 limit_text(p->bound_by), p->owed, p->owed_after, p->ipa.v,
				 p->pa.v);
	}
}

static void test_hardware_dirty_state(void **state)
{
	struct explain_report r = report_of("--hw-dirty --slot-flags log");

	(void)state;
	assert_int_equal(S2_R | S2_DBM, r.cases[0].e.plan.perms);
}

/* ---- what slot creation says of the same facts (M7) */

static const struct {
	const char *line;
	int error;
	enum reason why;
} creations[] = {
	{ "", ERR_OK, WHY_NONE },
	{ "--reach pfnmap --no-fwb", ERR_INVAL, WHY_CANNOT_CLEAN },
	{ "--reach unknown --no-fwb", ERR_OK, WHY_NONE },
	{ "--type unknown --reach pfnmap --no-fwb", ERR_OK, WHY_NONE },
	{ "--type unknown --reach unknown --slot-flags wb --no-fwb", ERR_INVAL, WHY_WB_NO_FWB },
	{ "--slot-flags wb --no-fwb", ERR_INVAL, WHY_WB_NO_FWB },
	{ "--slot-flags wb --type nc", ERR_INVAL, WHY_WB_NOT_WB },
	{ "--slot-flags wb --no-wb-cap", ERR_INVAL, WHY_SLOT_FLAG_UNKNOWN },
	{ "--slot-flags log --type device", ERR_INVAL, WHY_LOG_SPECIAL },
	{ "--slot-flags log --type device --vma plain", ERR_OK, WHY_NONE },
	{ "--host-ro", ERR_OK, WHY_NONE },
	{ "--host-ro --strict-slots", ERR_PERM, WHY_STRICT_WRITE },
	{ "--leaf-ro --strict-slots", ERR_OK, WHY_NONE },
	{ "--host-ro --strict-slots --slot-flags ro", ERR_OK, WHY_NONE },
	{ "--host no-vma --slot-flags wb --no-fwb", ERR_OK, WHY_NONE },
	{ "--gpa 0x40000800", ERR_INVAL, WHY_SLOT_UNALIGNED },
	{ "--size 8T", ERR_INVAL, WHY_SLOT_TOO_LARGE },
	{ "--ipa-bits 32 --size 4G", ERR_FAULT, WHY_SLOT_BEYOND_IPA },
};

static void test_creation_of_the_slot(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(creations); i++) {
		struct explain_report r = report_of(creations[i].line);

		if (r.slot.error != creations[i].error || r.slot.why != creations[i].why)
			fail_msg("'%s': %d %s", creations[i].line, r.slot.error,
				 reason_name(r.slot.why));
	}
}

/* A slot that cannot be is none that an access could go to. */
static void test_no_access_to_a_slot_that_cannot_be(void **state)
{
	(void)state;
	assert_int_equal(0, report_of("--gpa 0x40000800").count);
	assert_int_equal(0, report_of("--ipa-bits 32 --size 4G").count);
	assert_int_equal(1, report_of("--slot-flags wb --no-fwb").count);
}

/* What creation refuses with all facts known, an access is refused for the same reason. */
static void test_creation_and_access_agree(void **state)
{
	static const char *const lines[] = { "--reach pfnmap --no-fwb", "--slot-flags wb --no-fwb",
					     "--slot-flags wb --type nc",
					     "--slot-flags wb --type device --reach pfnmap" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct explain_report r = report_of(lines[i]);

		assert_int_equal(ERR_INVAL, r.slot.error);
		assert_int_equal(r.slot.why, r.cases[0].e.why);
	}
}

static void test_an_unknown_fact_is_every_value(void **state)
{
	struct explain_report r = report_of("--type unknown --reach unknown --no-fwb");

	(void)state;
	assert_int_equal(MEM_TYPE_COUNT * REACH_COUNT, r.count);
	assert_int_equal(ANSWER_MAP, r.cases[0].e.answer);
	assert_int_equal(MEM_WB, r.cases[1].type);
	assert_int_equal(REACH_NONE, r.cases[1].reach);
	assert_int_equal(WHY_CANNOT_CLEAN, r.cases[1].e.why);
	assert_int_equal(3, report_of("--type unknown").count);
	assert_int_equal(2, report_of("--reach unknown").count);
}

/* ---- what is printed */

static const struct {
	const char *line, *text;
} prints[] = {
	{ "", "slot creation: accepted\nread at 0x40000000: map (M2 RAM_FWB): write-back RAM; " },
	{ "", "Normal write-back, rw, 4K at IPA 0x40000000 to PA 0x80000000\n" },
	{ "", "size bound by       the host's leaf\n" },
	{ "", "before map          no maintenance\n" },
	{ "", "coherence           forced write-back\n" },
	{ "", "VMM owes            nothing\n" },
	{ "",
	  "other DMA owes      clean and invalidate before it reads, before it writes and after it wrote\n" },
	{ "--no-fwb --access exec",
	  "before map          clean and invalidate data caches to PoC; invalidate instruction "
	  "caches by address\n" },
	{ "--no-fwb", "after unmap         clean and invalidate data caches to PoC\n" },
	{ "--no-fwb", "coherence           as the guest chooses\n" },
	{ "--slot-flags log --hw-dirty", "r (hardware adds w), 4K" },
	{ "--slot-flags log", "logging             writes mark the page dirty\n" },
	{ "--no-slot", "slot creation: none\nread at 0x40000000: exit (M15 NO_SLOT)" },
	{ "--no-slot", "result              KVM_EXIT_MMIO\n" },
	{ "--slot-flags wb --no-fwb", "slot creation: refused, EINVAL (M10 WB_NO_FWB): " },
	{ "--host no-memory", "result              KVM_RUN fails: ENOMEM\n" },
	{ "--type unknown", "read at 0x40000000, if device and ram: map (M5 DEVICE)" },
	{ "--access ivac --slot-flags ro",
	  "result              a synchronous external data abort" },
	{ "--help", "usage: catwalk explain [OPTIONS]\n" },
};

static void test_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(prints); i++) {
		assert_int_equal(0, run_command(command_explain, "explain", prints[i].line));
		expect_out(prints[i].line, prints[i].text);
		assert_string_equal("", captured_err);
	}
}

static json_t *json_of(const char *line)
{
	json_t *root;

	assert_int_equal(0, run_command(command_explain, "explain", line));
	root = json_loads(captured_out, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	return root;
}

static void test_json_of_a_mapping(void **state)
{
	json_t *root = json_of("--json --no-fwb --access exec --leaf 2M"), *after, *first;
	const char *answer, *type, *perms, *by, *class, *before;
	json_int_t rule, size, ipa;
	int accepted;

	(void)state;
	assert_int_equal(0, json_unpack(root, "{s:{s:b, s:n, s:n}, s:[{s:s, s:{s:I}, s:n, s:o}!]}",
					"slot", "accepted", &accepted, "error", "reason", "cases",
					"answer", &answer, "reason", "rule", &rule, "error",
					"mapping", &first));
	assert_true(accepted);
	assert_string_equal("map", answer);
	assert_int_equal(2, rule);
	assert_int_equal(0, json_unpack(first, "{s:s, s:s, s:I, s:I, s:s, s:s, s:[s,s!], s:o}",
					"type", &type, "permissions", &perms, "size", &size, "ipa",
					&ipa, "bound_by", &by, "coherence", &class, "owed_before",
					&before, &answer, "user_owes", &after));
	assert_string_equal("normal", type);
	assert_string_equal("rwx", perms);
	assert_string_equal("host", by);
	assert_string_equal("guest", class);
	assert_string_equal("dcache_clean_invalidate", before);
	assert_string_equal("icache_invalidate", answer);
	assert_int_equal(SZ_2M, size);
	assert_int_equal(SZ_1G, ipa);
	assert_int_equal(2, json_array_size(json_object_get(after, "vmm")));
	json_decref(root);
}

static void test_json_of_a_refusal(void **state)
{
	json_t *root = json_of("--reach pfnmap --no-fwb --json");
	const char *error, *name, *fault;
	int accepted;

	(void)state;
	assert_int_equal(0, json_unpack(root, "{s:{s:b, s:s, s:{s:s}}, s:[{s:s, s:n}!]}", "slot",
					"accepted", &accepted, "error", &error, "reason", "name",
					&name, "cases", "error", &fault, "mapping"));
	assert_false(accepted);
	assert_string_equal("EINVAL", error);
	assert_string_equal("CANNOT_CLEAN", name);
	assert_string_equal("EFAULT", fault);
	json_decref(root);

	root = json_of("--no-slot --json");
	assert_true(json_is_null(json_object_get(root, "slot")));
	json_decref(root);
	root = json_of("--gpa 0x40000800 --json");
	assert_int_equal(0, json_array_size(json_object_get(root, "cases")));
	json_decref(root);
}

/* ---- bad input: option, value, what is accepted */

static const struct {
	const char *line, *error;
} refusals[] = {
	{ "--access jump", "--access: 'jump' is not one of read, write, exec, walk, walk-update, "
			   "fetch-walk, cmo, ivac\n" },
	{ "--fault none", "--fault: 'none' is not one of translation, permission, access-flag, "
			  "exclusive, external, tlb-conflict, unsupported\n" },
	{ "--type uc", "--type: 'uc' is not one of wb, nc, device, unknown\n" },
	{ "--reach far", "--reach: 'far' is not one of ram, pfnmap, unknown\n" },
	{ "--leaf 64K", "--leaf: '64K' is not one of 1G, 2M, 4K\n" },
	{ "--vma odd", "--vma: 'odd' is not one of plain, special\n" },
	{ "--host gone", "--host: 'gone' is not one of present, no-vma, " },
	{ "--ivac skip", "--ivac: 'skip' is not one of inject, upgrade\n" },
	{ "--slot-flags ro,rw", "--slot-flags: 'rw' is not one of ro, log, wb, none\n" },
	{ "--slot-flags ro,", "--slot-flags: '' is not one of ro, log, wb, none\n" },
	{ "--slot-flags ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro",
	  "is too long" },
	{ "--ipa-bits 31", "--ipa-bits: '31' is not a number from 32 to 48\n" },
	{ "--ipa-bits 49", "--ipa-bits: '49' is not a number from 32 to 48\n" },
	{ "--ipa-bits 40x", "--ipa-bits: '40x' is not a number from 32 to 48\n" },
	{ "--gpa -1", "--gpa: '-1' is not a number of bytes from 0 to 0xfffffffffffff" },
	{ "--hva 0x10000000000000", "--hva: '0x10000000000000' is not a number of bytes" },
	{ "--hva 99999999999999999999", "--hva: '99999999999999999999' is not a number" },
	{ "--ipa 5000T", "--ipa: '5000T' is not a number of bytes" },
	{ "--ipa 4KB", "--ipa: '4KB' is not a number of bytes" },
	{ "--ipa K", "--ipa: 'K' is not a number of bytes" },
	{ "--size 0", "--size: '0' is no size of a slot; at least 4K is accepted" },
	{ "--pa 0x1000 --leaf 2M", "--pa: '0x1000' is not aligned to the leaf; multiples of 2M" },
	{ "--no-idc", "--no-idc: a CPU with FWB has IDC; accepted with --no-fwb\n" },
	{ "--type", "--type: a value is missing" },
	{ "--bogus", "--bogus: no such option" },
	{ "wb", "'wb' is no option" },
};

static void test_bad_input_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		expect_refused(command_explain, "explain", refusals[i].line, refusals[i].error);
}

static void test_idc_is_as_fwb_unless_said(void **state)
{
	(void)state;
	assert_true(parse("").caps.idc);
	assert_false(parse("--no-fwb").caps.idc);
	assert_true(parse("--no-fwb --idc").caps.idc);
	assert_false(parse("--no-fwb --no-idc").caps.idc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_fact_moves_the_answer),
		cmocka_unit_test(test_each_fact_moves_the_mapping),
		cmocka_unit_test(test_hardware_dirty_state),
		cmocka_unit_test(test_creation_of_the_slot),
		cmocka_unit_test(test_no_access_to_a_slot_that_cannot_be),
		cmocka_unit_test(test_creation_and_access_agree),
		cmocka_unit_test(test_an_unknown_fact_is_every_value),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json_of_a_mapping),
		cmocka_unit_test(test_json_of_a_refusal),
		cmocka_unit_test(test_bad_input_is_named),
		cmocka_unit_test(test_idc_is_as_fwb_unless_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
