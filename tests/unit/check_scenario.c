/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios and worlds that make no sense are refused in words, and sensible ones hold together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check/scenario.h"

/* @said: what was written to errors, to be freed. */
static struct scenario *parse_as(const char *path, const char *text, char **said)
{
	size_t size;
	FILE *errors = open_memstream(said, &size);
	struct scenario *s;

	assert_non_null(errors);
	s = scenario_parse(path, text, errors);
	assert_int_equal(fclose(errors), 0);
	assert_int_equal(size != 0, s == NULL);
	return s;
}

static struct scenario *parse(const char *text)
{
	char *said = NULL;
	struct scenario *s = parse_as("good_test.scn", text, &said);

	free(said);
	return s;
}

/* ---- lines that make no sense */

struct line {
	const char *text; /* the last line of it is wrong */
	const char *said; /* behind "PATH:LINE: " */
};

static int lines_in(const char *text)
{
	int n = 1;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* Prints what is not as told. */
static bool is_refused(const char *path, const struct line *l)
{
	char *said = NULL, expected[160];
	struct scenario *s = parse_as(path, l->text, &said);
	bool right;

	(void)snprintf(expected, sizeof(expected), "%s:%d: %s", path, lines_in(l->text), l->said);
	right = !s && !strncmp(said, expected, strlen(expected));
	if (!right)
		print_error("\"%s\": \"%s\", expected \"%s\"\n", l->text, said, expected);
	if (s)
		scenario_free(s);
	free(said);
	return right;
}

static void all_are_refused(const struct line *lines, size_t count)
{
	int wrong = 0;

	for (size_t i = 0; i < count; i++)
		wrong += !is_refused("good_test.scn", &lines[i]);
	assert_int_equal(wrong, 0);
}

static void directives_are_checked(void **state)
{
	static const struct line lines[] = {
		{ "about", "about: what?" },
		{ "about M0", "'M0' is no subject; accepted are M1 to M18" },
		{ "about M19", "'M19' is no subject" },
		{ "about M", "'M' is no subject" },
		{ "about S5", "'S5' is no subject" },
		{ "about G14", "'G14' is no subject" },
		{ "about M1 X1", "'X1' is no subject" },
		{ "misses", "misses: one number" },
		{ "misses some", "misses: one number" },
		{ "misses 1 2", "misses: one number" },
		{ "cpu fast", "'fast' is no fact of a CPU" },
		{ "cpu fwb=maybe", "'fwb=maybe' is no fact of a CPU" },
		{ "cpu cpus=9", "'cpus=9' is no fact of a CPU" },
		{ "cpu bbm=3", "'bbm=3' is no fact of a CPU" },
		{ "step", "step: one number of descriptors, 8 to 512" },
		{ "step 7", "step: one number" },
		{ "step 513", "step: one number" },
		{ "step 8 8", "step: one number" },
		{ "ipa-bits", "ipa-bits: one number, 32 to 48" },
		{ "ipa-bits 31", "ipa-bits: one number" },
		{ "ipa-bits 49", "ipa-bits: one number" },
		{ "together\ntogether", "together: once a scenario" },
		{ "actor a on 0", "actor: only between 'together' and 'end'" },
		{ "together\nactor a", "actor: 'actor NAME on CPU' is accepted" },
		{ "together\nactor a at 0", "actor: 'actor NAME on CPU' is accepted" },
		{ "together\nactor a on one", "actor: 'actor NAME on CPU' is accepted" },
		{ "together\nactor a on 99", "actor: 'actor NAME on CPU' is accepted" },
		{ "end", "end: no 'together'" },
		{ "together\nend", "end: no 'together' with an actor" },
		{ "together\nread 0", "'read' between 'together' and the first 'actor'" },
		{ "= ok", "'=' tells what a command does, and there is none before it" },
		{ "about M1\n+ vm 0", "'+' tells what a command does" },
		{ "- vm 0", "'-' tells what a command does" },
		{ "dance", "'dance' is no command; accepted are map, unmap" },
		{ "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g",
		  "more than 32 words" },
	};
	char text[16 * (ACTORS_MAX + 2)] = "together";
	const struct line many = { text, "actor: at most" };

	(void)state;
	all_are_refused(lines, ARRAY_SIZE(lines));
	for (int i = 0; i <= ACTORS_MAX; i++)
		strcat(text, "\nactor a on 0");
	all_are_refused(&many, 1);
}

/* A word of each group, given to a verb that does not take it or wrongly; too few and too many. */
static void verbs_take_their_words_alone(void **state)
{
	static const struct line lines[] = {
		{ "map ram 0x1000", "map: something is missing; it takes NAME HVA SIZE" },
		{ "map ram 0x1000 16K coherent", "map: 'coherent' is not accepted" },
		{ "map ram 0x1000 16K 8K", "map: '8K' is not accepted" },
		{ "map ram 0x1000 16K rom", "map: 'rom' is not accepted" },
		{ "map ram 0x10zz 4K", "map: '0x10zz' is not accepted" },
		{ "map ram 0x1000 16K declared-ro", "map: 'declared-ro' is not accepted" },
		{ "unmap 0x1000", "unmap: something is missing; it takes HVA SIZE" },
		{ "unmap 0x1000 4K ro", "unmap: 'ro' is not accepted" },
		{ "protect 0x1000", "protect: something is missing" },
		{ "protect 0x1000 4K rwx", "protect: 'rwx' is not accepted" },
		{ "retype 0x1000 4K normal", "retype: 'normal' is not accepted" },
		{ "migrate", "migrate: something is missing" },
		{ "regroup 0x1000 3M", "regroup: '3M' is not accepted" },
		{ "age 0x1000 4K old", "age: 'old' is not accepted" },
		{ "vmm fetch 0x1000", "vmm: 'fetch' is not accepted; it takes read|write HVA" },
		{ "dma read 0x1000 snooping", "dma: 'snooping' is not accepted" },
		{ "protect 0x1000 16K", "protect: something is missing; it takes HVA SIZE rw|ro" },
		{ "retype 0x1000 16K", "retype: something is missing" },
		{ "regroup 0x1000", "regroup: something is missing" },
		{ "age 0x1000 16K", "age: something is missing" },
		{ "vmm 0x1000", "vmm: something is missing" },
		{ "dma read 0x1000", "dma: something is missing" },
		{ "dma 0x1000 bypass", "dma: something is missing" },
		{ "misbehave", "misbehave: something is missing" },
		{ "raw 0x1000 0x1000 rw", "raw: something is missing" },
		{ "forget", "forget: something is missing; it takes tlbi" },
		{ "pair 0x1000", "pair: something is missing" },
		{ "poison", "poison: something is missing" },
		{ "misbehave badly", "misbehave: 'badly' is not accepted; it takes no-notifier" },
		{ "raw 0x1000", "raw: something is missing" },
		{ "raw 0x1000 0x1000 leaf-ro", "raw: 'leaf-ro' is not accepted" },
		{ "forget everything", "forget: 'everything' is not accepted" },
		{ "pair fetch 0x1000", "pair: 'fetch' is not accepted" },
		{ "vm", "vm: something is missing; it takes N" },
		{ "vm one", "vm: 'one' is not accepted" },
		{ "vm-end 0 1", "vm-end: '1' is not accepted" },
		{ "slot", "slot: something is missing" },
		{ "slot 0 ipa=", "slot: 'ipa=' is not accepted" },
		{ "slot 0 ipa=x", "slot: 'ipa=x' is not accepted" },
		{ "slot 0 gpa=0", "slot: 'gpa=0' is not accepted" },
		{ "slot 0 write-through", "slot: 'write-through' is not accepted" },
		{ "dirty-get", "dirty-get: something is missing; it takes SLOT" },
		{ "dirty-clear 0 1", "dirty-clear: something is missing; it takes SLOT FIRST" },
		{ "prefault 0x1000", "prefault: something is missing; it takes IPA SIZE" },
		{ "split 0x1000 4K vcpu=0", "split: 'vcpu=0' is not accepted" },
		{ "coherence 0x1000", "coherence: something is missing" },
		{ "migrate-to without-bbm", "migrate-to: 'without-bbm' is not accepted" },
		{ "trace 1", "trace: '1' is not accepted; it takes [vm=N]" },
		{ "policy strict_slots", "policy: something is missing; it takes NAME VALUE" },
		{ "read", "read: something is missing; it takes IPA" },
		{ "read 0x1000 s1-hot", "read: 's1-hot' is not accepted" },
		{ "write 0x1000 table3=0", "write: 'table3=0' is not accepted" },
		{ "fetch 0x1000 vm", "fetch: 'vm' is not accepted" },
		{ "civac 0x1000 s1-wb", "civac: 's1-wb' is not accepted; it takes IPA [vm=N]" },
		{ "ivau", "ivau: something is missing" },
	};

	(void)state;
	all_are_refused(lines, ARRAY_SIZE(lines));
}

static void the_name_is_the_verdict(void **state)
{
	static const struct {
		const char *path;
		struct line line;
	} rows[] = {
		{ "good_a.scn", { "stops M1: ", "a good_ scenario has no 'stops'" } },
		{ "dir/good_a.scn", { "stops M1: ", "a good_ scenario has no 'stops'" } },
		{ "bad_a.scn", { "about M1", "a bad_ scenario says how it 'stops'" } },
		{ "a.scn", { "about M1", "the name 'a.scn' begins neither with good_" } },
		{ "good_/a.scn", { "about M1", "the name 'a.scn' begins neither with good_" } },
		{ "good_a.scn",
		  { "together\nactor a on 0\nread 0", "the 'end' of 'together' is missing" } },
	};
	struct scenario *s;
	char *said = NULL;
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		wrong += !is_refused(rows[i].path, &rows[i].line);
	assert_int_equal(wrong, 0);
	s = parse_as("bad_a.scn", "about M1\nstops M1: so\n", &said);
	assert_non_null(s);
	assert_string_equal(scenario_stops(s), "M1: so");
	scenario_free(s);
	free(said);
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
		cmocka_unit_test(directives_are_checked),
		cmocka_unit_test(verbs_take_their_words_alone),
		cmocka_unit_test(the_name_is_the_verdict),
		cmocka_unit_test(facts_of_no_machine_are_refused),
		cmocka_unit_test(mappings_have_bounds),
		cmocka_unit_test(a_block_has_one_permission),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
