/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios and worlds that make no sense are refused in words, and sensible ones hold together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "check/scenario.h"

static struct scenario *parse(const char *text)
{
	char *said = NULL;
	size_t size;
	FILE *errors = open_memstream(&said, &size);
	struct scenario *s;

	assert_non_null(errors);
	s = scenario_parse("good_test.scn", text, errors);
	assert_int_equal(fclose(errors), 0);
	assert_int_equal(size != 0, s == NULL);
	free(said);
	return s;
}

static void facts_of_no_machine_are_refused(void **state)
{
	static const char *const bad[] = {
		"about M1\ncpu vmid=1\n",
		"about M1\ncpu vmid=0\n",
		"about M1\ncpu cpus=0\n",
		"about M1\ncpu vmid=2 cpus=3\n",
		"about M1\ncpu vmid=2\ntogether\nactor a on 7\nend\n",
	};
	struct scenario *s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_null(parse(bad[i]));
	s = parse("about M1\ncpu vmid=2 cpus=2\n");
	assert_non_null(s);
	assert_false(scenario_set_cpu(s, "vmid=1", stderr));
	scenario_free(s);
}

static unsigned int ordinary(struct chooser *c, enum choice_kind kind, unsigned int what,
			     unsigned int options)
{
	(void)c;
	(void)kind;
	(void)what;
	(void)options;
	return 0;
}

static struct world *small_world(void)
{
	static const struct world_config config = {
		.caps = { .idc = true, .pa_bits = 48, .ipa_bits = 48, .vmid_bits = 8, .cpus = 1 },
		.ipa_bits = 32,
	};
	static struct chooser chooser = { ordinary };

	return world_new(&config, &chooser);
}

static struct host_map memory(u64 hva, u64 size, s8 level)
{
	return (struct host_map){
		.hva = HVA(hva),
		.size = size,
		.level = level,
		.vma_writable = true,
		.name = "ram",
	};
}

static void mappings_have_bounds(void **state)
{
	struct world *w = small_world();
	struct host_map too_large = memory(0, WORLD_MAP_MAX + PAGE_SIZE, LEVEL_4K);
	struct host_map too_high = memory(1UL << 48, PAGE_SIZE, LEVEL_4K);
	struct host_map across = memory((1UL << 48) - PAGE_SIZE, 2 * PAGE_SIZE, LEVEL_4K);
	struct host_map wraps = memory(-PAGE_SIZE, 2 * PAGE_SIZE, LEVEL_4K);

	(void)state;
	assert_int_equal(world_host_map(w, &too_large).error, ERR_INVAL);
	assert_int_equal(world_host_map(w, &too_high).error, ERR_INVAL);
	assert_int_equal(world_host_map(w, &across).error, ERR_INVAL);
	assert_int_equal(world_host_map(w, &wraps).error, ERR_INVAL);
	world_end(w);
	world_delete(w);
}

/* A block whose owner lets a page of it be written is writable as a whole. */
static void a_block_has_one_permission(void **state)
{
	const struct slot_request slot = { 0, 0, IPA(SZ_1G), SZ_2M, HVA(SZ_1G) };
	const struct machine_guest_op write = { .ipa = IPA(SZ_1G + 3 * PAGE_SIZE),
						.op = MACHINE_WRITE };
	struct host_map m = memory(SZ_1G, SZ_2M, LEVEL_2M);
	struct world *w = small_world();

	(void)state;
	assert_int_equal(world_host_map(w, &m).error, ERR_OK);
	assert_int_equal(world_vm_create(w, 0).error, ERR_OK);
	assert_int_equal(world_slot(w, 0, &slot).error, ERR_OK);
	assert_int_equal(world_guest(w, 0, 0, &write).outcome.kind, OUTCOME_RESUME);
	world_check(w);
	world_end(w);
	world_delete(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_of_no_machine_are_refused),
		cmocka_unit_test(mappings_have_bounds),
		cmocka_unit_test(a_block_has_one_permission),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
