/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The n-th allocation fails, for all n, in the engine's operations on a VM: ERR_NOMEM, state as
 * before if the call is atomic, exactly the reported progress if it is resumable, nothing lost; and
 * the same call then succeeds.
 */
#include "tests/unit/engine_fixture.h"

#define MIB  (1UL << 20)
#define SIZE (8 * MIB)

enum promise { ATOMIC, RESUMABLE, BEST_EFFORT };

struct done {
	int error;
	u64 bytes; /* RESUMABLE: mapped from the start of the slot */
};

struct operation {
	const char *name;
	enum promise promise;
	s8 level; /* of the host's leaves */
	void (*prepare)(struct fx *f);
	struct done (*act)(struct fx *f);
};

static u64 bytes_mapped(struct fx *f)
{
	struct s2_run run;
	u64 sum = 0;

	for (u64 at = 0; stage2_dump(&f->m.s2, IPA(at), &run); at = run.ipa.v + run.size)
		sum += run.size;
	return sum;
}

static char *state_of(struct fx *f)
{
	char *text = NULL;
	size_t size;
	struct s2_run run;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	for (u64 at = 0; stage2_dump(&f->m.s2, IPA(at), &run); at = run.ipa.v + run.size)
		fprintf(out, "%lx +%lx pa %lx level %d type %d\n", (unsigned long)run.ipa.v,
			(unsigned long)run.size, (unsigned long)run.leaf.pa.v, run.leaf.level,
			(int)run.leaf.type);
	machine_quiesce(f->p);
	fprintf(out, "tables %lu live %lu\n", (unsigned long)stage2_count_tables(&f->m.s2),
		(unsigned long)machine_live(f->p));
	assert_int_equal(fclose(out), 0);
	return text;
}

static void no_slot(struct fx *f)
{
	(void)f;
}

static void one_slot(struct fx *f)
{
	assert_int_equal(fx_slot(f, 0, 0, FX_IPA, SIZE, FX_HVA), ERR_OK);
}

static void touched_slot(struct fx *f)
{
	one_slot(f);
	guest_touch(f, FX_IPA, MACHINE_WRITE);
	guest_touch(f, FX_IPA + 4 * MIB, MACHINE_WRITE);
}

static void touched_and_logged(struct fx *f)
{
	touched_slot(f);
	assert_int_equal(fx_slot(f, 0, SLOT_LOG_DIRTY, FX_IPA, SIZE, FX_HVA), ERR_OK);
}

static struct done slot_to(struct fx *f, u32 flags, u64 ipa, u64 size)
{
	return (struct done){ .error = fx_slot(f, 0, flags, ipa, size, FX_HVA) };
}

static struct done create(struct fx *f)
{
	return slot_to(f, 0, FX_IPA, SIZE);
}

static struct done create_logged(struct fx *f)
{
	return slot_to(f, SLOT_LOG_DIRTY, FX_IPA, SIZE);
}

static struct done move(struct fx *f)
{
	return slot_to(f, 0, FX_IPA + SZ_1G, SIZE);
}

static struct done delete (struct fx *f)
{
	return slot_to(f, 0, 0, 0);
}

static struct done fault(struct fx *f)
{
	struct machine_access a;
	struct fault_outcome o = guest_do(f, FX_IPA, MACHINE_WRITE, &a);

	return (struct done){ .error = o.kind == OUTCOME_ERROR ? o.error : ERR_OK };
}

static struct done prefault(struct fx *f)
{
	struct prefault_result r = guest_mem_prefault(&f->m, IPA(FX_IPA), SIZE);

	return (struct done){ .error = r.error, .bytes = r.done };
}

static struct done split(struct fx *f)
{
	return (struct done){ .error = stage2_split(&f->m.s2, IPA(FX_IPA), SIZE) };
}

static const struct operation operations[] = {
	{ "slot create", ATOMIC, LEVEL_4K, no_slot, create },
	{ "slot create with log", ATOMIC, LEVEL_4K, no_slot, create_logged },
	{ "slot starts to log", ATOMIC, LEVEL_4K, touched_slot, create_logged },
	{ "slot move", ATOMIC, LEVEL_4K, touched_slot, move },
	{ "slot delete", ATOMIC, LEVEL_4K, touched_slot, delete },
	{ "fault on a page", ATOMIC, LEVEL_4K, one_slot, fault },
	{ "fault on a block", ATOMIC, LEVEL_2M, one_slot, fault },
	{ "fault on a logged block", ATOMIC, LEVEL_2M, touched_and_logged, fault },
	{ "prefault of pages", RESUMABLE, LEVEL_4K, one_slot, prefault },
	{ "prefault of blocks", RESUMABLE, LEVEL_2M, one_slot, prefault },
	{ "split", BEST_EFFORT, LEVEL_2M, touched_slot, split },
};

/* With the @n-th allocation refused. True: the call needed fewer. */
static bool attempt(const struct operation *op, u64 n)
{
	struct fx *f = fx_new(&caps_fwb, 48);
	char *before, *after;
	struct done r;
	u64 mapped;

	fx_host_ram(f, 64 * MIB, op->level);
	op->prepare(f);
	before = state_of(f);
	mapped = bytes_mapped(f);
	machine_fail_alloc(f->p, n);
	r = op->act(f);
	machine_fail_alloc(f->p, 0);
	if (r.error) {
		assert_int_equal(r.error, ERR_NOMEM);
		after = state_of(f);
		if (op->promise == ATOMIC)
			assert_string_equal(before, after);
		else
			assert_int_equal(bytes_mapped(f),
					 op->promise == RESUMABLE ? r.bytes : mapped);
		free(after);
		assert_int_equal(op->act(f).error, ERR_OK);
	}
	free(before);
	fx_check_stats(f);
	fx_delete(f);
	return !r.error;
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		u64 n = 1;

		while (!attempt(&operations[i], n))
			n++;
		print_message("%s: %lu failing allocations\n", operations[i].name,
			      (unsigned long)n - 1);
	}
}

static void a_vm_without_memory_is_not_made(void **state)
{
	struct port *p = machine_new(&caps_fwb);
	struct fake_host host = { 0 };
	const struct guest_mem_config c = { .ipa_bits = 48,
					    .host_ops = &fake_host_ops,
					    .host = &host };
	bool made = false;
	u64 n;

	(void)state;
	for (n = 1; !made; n++) {
		struct vmid_pool vmids;
		struct guest_mem m;
		int error;

		machine_fail_alloc(p, n);
		error = vmid_pool_init(&vmids, p, 0);
		if (!error) {
			error = guest_mem_init(&m, p, &vmids, &c);
			made = !error;
			if (made)
				guest_mem_destroy(&m);
			vmid_pool_destroy(&vmids);
		}
		machine_fail_alloc(p, 0);
		assert_true(made || error == ERR_NOMEM);
		machine_quiesce(p);
		assert_int_equal(machine_live(p), 0);
	}
	print_message("a VM: %lu failing allocations\n", (unsigned long)n - 2);
	assert_int_equal(machine_delete(p), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(a_vm_without_memory_is_not_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
