/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contracts in files: a good one is read as it stands, and whatever is missing, unknown or out of
 * range is named with its field; `catwalk migrate-check` says each reason with its rule, and its
 * status says whether all can be kept.
 */
#include "tests/unit/cli_capture.h"

#include "cli/contract_file.h"
#include "cli/migrate.h"

static char path_a[] = "/tmp/catwalk-contract-a-XXXXXX",
	    path_b[] = "/tmp/catwalk-contract-b-XXXXXX";
static char both[256];

#define SLOT(promises)                                                                             \
	"{ \"id\": 7, \"ipa\": 1073741824, \"size\": 2097152, " promises                           \
	", \"classes\": [\"forced\"] }"
#define RAM	   "\"write_back\": false, \"cacheable_pfnmap\": false, \"read_only\": false"
#define GUARANTEED "\"write_back\": true, \"cacheable_pfnmap\": false, \"read_only\": false"
#define PFNMAP	   "\"write_back\": false, \"cacheable_pfnmap\": true, \"read_only\": false"
#define ROM	   "\"write_back\": false, \"cacheable_pfnmap\": false, \"read_only\": true"

#define HOST(fwb, more, slots)                                                                     \
	"{ \"version\": 1, \"fwb\": " fwb ", " more ", \"slots\": [" slots "] }"
#define MORE(caches, dbm, bits, blocks)                                                            \
	"\"dic\": " caches ", \"idc\": " caches ", \"hw_af\": " dbm ", \"hw_dbm\": " dbm           \
	", \"ipa_bits\": " bits ", \"granule\": 4096, \"blocks\": [" blocks "]"
#define BLOCKS "4096, 2097152, 1073741824"
#define FULL   MORE("true", "true", "40", BLOCKS)
#define GOOD   HOST("true", FULL, SLOT(GUARANTEED))

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(0, fclose(f));
}

static int setup(void **state)
{
	(void)state;
	close(mkstemp(path_a));
	close(mkstemp(path_b));
	snprintf(both, sizeof(both), "%s %s", path_a, path_b);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path_a) | unlink(path_b);
}

/* ---- reading */

static void test_a_good_one_is_read_as_it_stands(void **state)
{
	struct contract c;

	(void)state;
	write_file(path_a,
		   HOST("true", MORE("false", "true", "36", "4096, 2097152"),
			SLOT(GUARANTEED) ", { \"id\": 0, \"ipa\": 1075838976, \"size\": 4096, "
					 "\"write_back\": false, \"cacheable_pfnmap\": true, "
					 "\"read_only\": true, \"classes\": [] }"));
	assert_int_equal(0, read_contract(path_a, &c));
	assert_int_equal(CONTRACT_VERSION, c.version);
	assert_true(c.fwb && !c.dic && !c.idc && c.hw_af && c.hw_dbm);
	assert_int_equal(36, c.ipa_bits);
	assert_int_equal(4096, c.granule);
	assert_int_equal(4096 + 2097152, c.blocks);
	assert_int_equal(2, c.slot_count);
	assert_int_equal(7, c.slots[0].id);
	assert_int_equal(0x40000000, c.slots[0].ipa);
	assert_int_equal(0x200000, c.slots[0].size);
	assert_int_equal(PROMISE_WRITE_BACK, c.slots[0].promises);
	assert_int_equal(0, c.slots[1].id);
	assert_int_equal(0x40200000, c.slots[1].ipa);
	assert_int_equal(PROMISE_CACHEABLE_PFNMAP | PROMISE_READ_ONLY, c.slots[1].promises);
	free_contract(&c);
}

/* GOOD with the first @from in it made @to. */
static char *changed(const char *from, const char *to)
{
	const char *at = strstr(GOOD, from);
	char *text = malloc(sizeof(GOOD) + strlen(to));

	assert_non_null(at);
	assert_non_null(text);
	sprintf(text, "%.*s%s%s", (int)(at - GOOD), GOOD, to, at + strlen(from));
	return text;
}

static const struct {
	const char *from, *to; /* in GOOD */
	const char *error;     /* behind the file's name */
} refusals[] = {
	{ GOOD, "", ":1:0: '[' or '{' expected near end of file; accepted is a contract" },
	{ "\"slots\"", "slots", ":1:" },
	{ GOOD, "[]", ": not a JSON object; accepted is a contract of docs/contract.md\n" },
	{ "\"dic\": true", "\"dic\": true, \"dic\": true", "duplicate object key" },
	{ "\"version\": 1, ", "", ": version is missing; it is a whole number from 1 to 65535\n" },
	{ "1", "\"1\"", ": version: '\"1\"' is not accepted; it is a whole number from 1 to" },
	{ "1", "0", ": version: '0' is not accepted" },
	{ "\"fwb\": true, ", "", ": fwb is missing; it is true or false\n" },
	{ "\"fwb\": true", "\"fwb\": 1", ": fwb: '1' is not accepted; it is true or false\n" },
	{ "\"dic\": true, ", "", ": dic is missing" },
	{ "\"idc\": true, ", "", ": idc is missing" },
	{ "\"hw_af\": true, ", "", ": hw_af is missing" },
	{ "\"hw_dbm\": true, ", "", ": hw_dbm is missing" },
	{ "\"ipa_bits\": 40, ", "", ": ipa_bits is missing; it is a whole number from 32 to 52\n" },
	{ "40", "53", ": ipa_bits: '53' is not accepted; it is a whole number from 32 to 52\n" },
	{ "40", "40.0", ": ipa_bits: '40.0' is not accepted" },
	{ "40", "-1", ": ipa_bits: '-1' is not accepted" },
	{ "\"granule\": 4096, ", "", ": granule is missing" },
	{ "4096", "8192", ": granule: '8192' is not accepted; it is 4096, 16384 or 65536\n" },
	{ ", \"blocks\": [4096, 2097152, 1073741824]", "", ": blocks is missing; it is a list" },
	{ "[" BLOCKS "]", "[2097152]", ": blocks: '[2097152]' is not accepted; it is a list of" },
	{ "[" BLOCKS "]", "[4096, 4096]", ": blocks: '4096' is not accepted" },
	{ "[" BLOCKS "]", "[4096, 12288]", ": blocks: '12288' is not accepted" },
	{ "[" BLOCKS "]", "[4096, 2048]", ": blocks: '2048' is not accepted" },
	{ "[" BLOCKS "]", "[4096, -4096]", ": blocks: '-4096' is not accepted" },
	{ "[" BLOCKS "]", "[4096, 4611686018427387904]", ": blocks: '4611686018427387904' is not" },
	{ ", \"slots\": [" SLOT(GUARANTEED) "]", "", ": slots is missing; it is a list of slots" },
	{ "[" SLOT(GUARANTEED) "]", "{}", ": slots: '{}' is not accepted; it is a list of slots" },
	{ SLOT(GUARANTEED), "5", ": slots[0]: '5' is not accepted; it is an object\n" },
	{ "\"fwb\"", "\"promise\": true, \"fwb\"", ": promise: no field of this version (1); " },
	{ "\"id\"", "\"name\": \"x\", \"id\"", ": slots[0].name: no field of this version" },
	{ "\"id\": 7, ", "", ": slots[0].id is missing; it is a whole number from 0 to 32766\n" },
	{ "\"id\": 7", "\"id\": 32767", ": slots[0].id: '32767' is not accepted" },
	{ "\"ipa\": 1073741824, ", "", ": slots[0].ipa is missing" },
	{ "\"ipa\": 1073741824", "\"ipa\": 1",
	  ": slots[0].ipa: '1' is not accepted; it is a mult" },
	{ "\"ipa\": 1073741824", "\"ipa\": 1099511627776",
	  ": slots[0].ipa: '1099511627776' is not" },
	{ "\"size\": 2097152, ", "", ": slots[0].size is missing" },
	{ "\"size\": 2097152", "\"size\": 0", ": slots[0].size: '0' is not accepted" },
	{ "\"size\": 2097152", "\"size\": 4097", ": slots[0].size: '4097' is not accepted" },
	{ "\"size\": 2097152", "\"size\": 1099511627776", "the slot ends within ipa_bits\n" },
	{ "\"write_back\": true, ", "", ": slots[0].write_back is missing; it is true or false\n" },
	{ "\"cacheable_pfnmap\": false, ", "", ": slots[0].cacheable_pfnmap is missing" },
	{ ", \"read_only\": false", "", ": slots[0].read_only is missing" },
	{ ", \"classes\": [\"forced\"]", "", ": slots[0].classes is missing; it is a list of " },
	{ "[\"forced\"]", "\"nc\"", ": slots[0].classes: '\"nc\"' is not accepted" },
	{ "[\"forced\"]", "[\"nc\", \"wb\"]", ": slots[0].classes: '\"wb\"' is not accepted" },
	{ "[\"forced\"]", "[3]", ": slots[0].classes: '3' is not accepted" },
	{ "\"slots\": [", "\"slots\": [" SLOT(RAM) ", ",
	  ": slots[1].ipa: '1073741824' is not accepted; it is a multiple of the granule, behind the "
	  "slots before this one\n" },
};

static void test_what_is_wrong_is_named(void **state)
{
	(void)state;
	write_file(path_b, GOOD);
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		char *text = changed(refusals[i].from, refusals[i].to);

		write_file(path_a, text);
		free(text);
		expect_refused(command_migrate_check, "migrate-check", both, refusals[i].error);
		assert_non_null(strstr(captured_err, path_a));
	}
}

static void test_the_second_file_is_read_as_the_first(void **state)
{
	(void)state;
	write_file(path_a, GOOD);
	write_file(path_b, "{}");
	expect_refused(command_migrate_check, "migrate-check", both, ": version is missing");
	assert_non_null(strstr(captured_err, path_b));
}

static void test_words_of_the_command_line(void **state)
{
	(void)state;
	expect_refused(command_migrate_check, "migrate-check", "", "SOURCE is missing");
	expect_refused(command_migrate_check, "migrate-check", "a", "DESTINATION is missing");
	expect_refused(command_migrate_check, "migrate-check", "a b c", "'c' is one too many");
	expect_refused(command_migrate_check, "migrate-check", "--json a b",
		       "--json: no such option");
	expect_refused(command_migrate_check, "migrate-check", "/nowhere/a b", "/nowhere/a: ");
	assert_int_equal(0, run_command(command_migrate_check, "migrate-check", "--help"));
	expect_out("--help", "usage: catwalk migrate-check SOURCE.json DESTINATION.json\n");
}

/* ---- comparing */

static const struct {
	const char *from, *to;
	int status;
	const char *text;
} comparisons[] = {
	{ GOOD, GOOD, 0, ": can be kept\n" },
	{ GOOD, HOST("true", FULL, ""), 0, ": can be kept\n" },
	{ HOST("true", FULL, ""), HOST("false", FULL, ""), 1,
	  "refused (M11): user space was told memory is forced write-back; here is no FWB\n" },
	{ HOST("false", FULL, ""), HOST("true", FULL, ""), 0, ": can be kept\n" },
	{ GOOD, HOST("false", FULL, ""), 1,
	  "refused (M10): a slot is guaranteed write-back; here is no FWB (slot at 0x40000000)\n" },
	{ GOOD, HOST("false", FULL, ""), 1, ": cannot be kept, 2 reasons (M16)\n" },
	{ GOOD, HOST("true", FULL, SLOT(RAM)), 1,
	  "refused (M10): a slot lacks the write-back guarantee it has at the source (slot at "
	  "0x40000000)\n" },
	{ GOOD, HOST("true", FULL, SLOT(RAM)), 1, ": cannot be kept, 1 reason (M16)\n" },
	{ HOST("true", FULL, SLOT(PFNMAP)), HOST("false", FULL, ""), 1,
	  "refused (M4): a slot holds cacheable PFNMAP memory; here is no FWB (slot at 0x4" },
	{ HOST("true", FULL, SLOT(RAM)), HOST("true", FULL, SLOT(ROM)), 1,
	  "refused (M15): a slot is read-only at one end only (slot at 0x40000000)\n" },
	{ GOOD,
	  HOST("true", FULL,
	       "{ \"id\": 7, \"ipa\": 0, \"size\": 4096, " GUARANTEED ", \"classes\": [] }"),
	  1, "refused (M16): a slot of the source does not exist at the destination (slot at 0x4" },
	{ GOOD, HOST("true", MORE("true", "true", "36", BLOCKS), ""), 1,
	  "refused (M16): the VM's IPA size is larger than the destination's\n" },
	{ GOOD, HOST("true", MORE("false", "true", "40", BLOCKS), ""), 1,
	  "refused (M16): the guest was told it need not invalidate instruction caches (DIC)\n" },
	{ GOOD, HOST("true", MORE("false", "true", "40", BLOCKS), ""), 1, "(IDC)\n" },
	{ GOOD, HOST("true", MORE("true", "false", "40", BLOCKS), ""), 0,
	  "note (M17): no hardware dirty state: dirty logging takes more faults\n" },
	{ GOOD, HOST("true", MORE("true", "true", "40", "4096"), ""), 0,
	  "note (M6): a block size of the source is not available\n" },
	{ GOOD, "{ \"version\": 2 }", 1,
	  "refused (M16): the two contracts are of different versions\n" },
	{ "{ \"version\": 2, \"fwb\": 5 }", GOOD, 1, ": cannot be kept, 1 reason (M16)\n" },
};

static void test_each_reason_is_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(comparisons); i++) {
		int status;

		write_file(path_a, comparisons[i].from);
		write_file(path_b, comparisons[i].to);
		status = run_command(command_migrate_check, "migrate-check", both);
		if (status != comparisons[i].status)
			fail_msg("comparison %zu: status %d: %s%s", i, status, captured_out,
				 captured_err);
		expect_out(comparisons[i].to, comparisons[i].text);
		assert_string_equal("", captured_err);
	}
}

/* A version of which nothing is known says nothing, even of itself. */
static void test_two_of_an_unknown_version(void **state)
{
	(void)state;
	write_file(path_a, "{ \"version\": 2 }");
	write_file(path_b, "{ \"version\": 2 }");
	expect_refused(command_migrate_check, "migrate-check", both,
		       ": version: '2' is not accepted; it is 1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_good_one_is_read_as_it_stands),
		cmocka_unit_test(test_what_is_wrong_is_named),
		cmocka_unit_test(test_the_second_file_is_read_as_the_first),
		cmocka_unit_test(test_words_of_the_command_line),
		cmocka_unit_test(test_each_reason_is_said),
		cmocka_unit_test(test_two_of_an_unknown_version),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
