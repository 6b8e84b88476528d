/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The n-th allocation fails, for all n, in the engine's operations on a VM: ERR_NOMEM, state as
 * before if the call is atomic, exactly the reported progress if it is resumable, nothing lost; and
 * the same call then succeeds.
 */
#include "engine/dirty_ring.h"
#include "engine/recover.h"
#include "tests/unit/engine_fixture.h"

#define MIB  (1UL << 20)
#define SIZE (8 * MIB)

enum promise {
	ATOMIC,	      /* state as before */
	RESUMABLE,    /* mapped is what it says */
	BEST_EFFORT,  /* as much is mapped as before */
	NEEDS_NOTHING /* makes no allocation */
};

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

/* The vCPU's, where a VM logs by rings. */
static struct dirty_ring ring;
static struct dirty_entry ring_entries[DIRTY_RING_MIN];

static u64 bytes_mapped(struct fx *f)
{
	struct s2_run run;
	u64 sum = 0;

	for (u64 at = 0; stage2_dump(&f->m.s2, IPA(at), &run); at = run.ipa.v + run.size)
		sum += run.size;
	return sum;
}

static void print_slots(FILE *out, const struct slot_table *t)
{
	(void)fprintf(out, "%u slots, generation %lu\n", t->count, (unsigned long)t->generation);
	for (u32 id = 0; id < t->by_id_size; id++) {
		const struct slot *s = slot_by_id(t, id);

		if (!s)
			continue;
		(void)fprintf(out, "slot %u: %lx +%lx hva %lx flags %x, log", id,
			      (unsigned long)s->gfn, (unsigned long)s->npages,
			      (unsigned long)s->hva.v, s->flags);
		for (u64 i = 0; s->dirty && i < (s->npages + 63) / 64; i++)
			(void)fprintf(out, " %lx", (unsigned long)s->dirty[i]);
		(void)fprintf(out, "\n");
	}
}

/* All but what is counted in statistics, and the reserves that nobody sees. */
static char *state_of(struct fx *f)
{
	char *text = NULL;
	size_t size;
	struct s2_run run;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	for (u64 at = 0; stage2_dump(&f->m.s2, IPA(at), &run); at = run.ipa.v + run.size)
		(void)fprintf(out, "%lx +%lx pa %lx level %d type %d perms %d\n",
			      (unsigned long)run.ipa.v, (unsigned long)run.size,
			      (unsigned long)run.leaf.pa.v, run.leaf.level, (int)run.leaf.type,
			      run.leaf.perms);
	print_slots(out, &f->m.slots);
	(void)fprintf(out, "ring %u\n", ring.pushed);
	machine_quiesce(f->p);
	(void)fprintf(out, "tables %lu live %lu\n", (unsigned long)stage2_count_tables(&f->m.s2),
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

static void slots_to(struct fx *f, u32 last)
{
	for (u32 id = 1; id <= last; id++)
		assert_int_equal(fx_slot(f, id, 0, FX_IPA + id * SZ_1G, PAGE_SIZE, FX_HVA), ERR_OK);
}

static void many_slots(struct fx *f)
{
	slots_to(f, 64);
}

/* As many as engine/slot.c keeps together: one more parts them. */
static void full_run_of_slots(struct fx *f)
{
	slots_to(f, 32);
}

static void slot_among_many(struct fx *f)
{
	many_slots(f);
	touched_slot(f);
}

static void of_type(struct fx *f, enum mem_type type, enum mem_owner owner)
{
	one_slot(f);
	f->host.type = type;
	f->host.reach = type == MEM_WB ? REACH_ALIAS : REACH_NONE;
	f->host.owner = owner;
	f->host.special = type != MEM_WB;
}

static void slot_nc(struct fx *f)
{
	of_type(f, MEM_NC, OWNER_TYPE_FIXED);
}

static void slot_any_uncached(struct fx *f)
{
	of_type(f, MEM_DEVICE, OWNER_ANY_UNCACHED);
}

static void slot_device(struct fx *f)
{
	of_type(f, MEM_DEVICE, OWNER_TYPE_FIXED);
}

static void slot_uncached_ram(struct fx *f)
{
	of_type(f, MEM_NC, OWNER_TYPE_FIXED);
	f->host.reach = REACH_ALIAS;
}

static void slot_read_only_leaves(struct fx *f)
{
	one_slot(f);
	f->host.read_maps_read_only = true;
}

static void slot_of_a_gigabyte(struct fx *f)
{
	assert_int_equal(fx_slot(f, 0, 0, FX_IPA, SZ_1G, FX_HVA), ERR_OK);
}

static void logged_gigabyte(struct fx *f)
{
	slot_of_a_gigabyte(f);
	guest_touch(f, FX_IPA, MACHINE_WRITE);
	assert_int_equal(fx_slot(f, 0, SLOT_LOG_DIRTY, FX_IPA, SZ_1G, FX_HVA), ERR_OK);
}

static void logged_by_ring(struct fx *f)
{
	dirty_ring_init(&ring, ring_entries, DIRTY_RING_MIN);
	guest_mem_log_to(&f->m, TO_RING);
	touched_and_logged(f);
}

static void logged_pages(struct fx *f)
{
	assert_int_equal(fx_slot(f, 0, SLOT_LOG_DIRTY, FX_IPA, SIZE, FX_HVA), ERR_OK);
	for (u64 at = 0; at < SZ_2M; at += PAGE_SIZE)
		guest_touch(f, FX_IPA + at, MACHINE_WRITE);
}

static void log_ended(struct fx *f)
{
	logged_pages(f);
	assert_int_equal(fx_slot(f, 0, 0, FX_IPA, SIZE, FX_HVA), ERR_OK);
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

static struct done move_far(struct fx *f)
{
	return slot_to(f, 0, FX_IPA + 200 * SZ_1G, SIZE);
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

static struct done outcome(struct fault_outcome o)
{
	assert_true(o.kind == OUTCOME_ERROR || o.kind == OUTCOME_RESUME);
	return (struct done){ .error = o.kind == OUTCOME_ERROR ? o.error : ERR_OK };
}

static struct done read_fault(struct fx *f)
{
	struct machine_access a;

	return outcome(guest_do(f, FX_IPA, MACHINE_READ, &a));
}

static struct done fetch_fault(struct fx *f)
{
	struct machine_access a;

	return outcome(guest_do(f, FX_IPA, MACHINE_FETCH, &a));
}

static struct done ring_fault(struct fx *f)
{
	struct machine_access a = machine_access(f->p, IPA(FX_IPA), MACHINE_WRITE);
	struct fault_trap t;

	assert_int_not_equal(a.fault, MF_NONE);
	t = trap_at(esr_of(&a, MACHINE_WRITE), FX_IPA);
	t.ring = &ring;
	return outcome(fault_handle(&f->m, &t));
}

static struct done new_slot(struct fx *f, u32 id)
{
	return (struct done){ .error = fx_slot(f, id, SLOT_LOG_DIRTY, FX_IPA + 200 * SZ_1G, SIZE,
					       FX_HVA) };
}

static struct done create_65th(struct fx *f)
{
	return new_slot(f, 65);
}

static struct done create_last(struct fx *f)
{
	return new_slot(f, SLOT_ID_MAX - 1);
}

static struct done stop_logging(struct fx *f)
{
	return slot_to(f, 0, FX_IPA, SIZE);
}

static struct done map_range(struct fx *f)
{
	const struct s2_map map = {
		.ipa = IPA(FX_IPA),
		.size = SIZE,
		.leaf = { .pa = PA(f->host.pa),
			  .type = S2_NORMAL,
			  .perms = S2_R | S2_W,
			  .level = LEVEL_4K,
			  .accessed = true },
		.owed = CMO_DCACHE,
	};
	struct s2_map_result r = stage2_map_range(&f->m.s2, &map);

	return (struct done){ .error = r.error, .bytes = r.done };
}

/* ---- what may not fail for want of memory, since it asks for none */

static struct done unmap(struct fx *f)
{
	guest_mem_invalidate_begin(&f->m, HVA(FX_HVA), HVA(FX_HVA + PAGE_SIZE));
	guest_mem_invalidate_end(&f->m, HVA(FX_HVA), HVA(FX_HVA + PAGE_SIZE));
	return (struct done){ .error = ERR_OK };
}

static struct done collect_log(struct fx *f)
{
	struct dirty_log log;
	const u64 mask[1] = { ~0UL };
	int error = dirty_log_get(&f->m, 0, &log);

	if (!error)
		error = dirty_log_clear(&f->m, 0, 0, 64, mask);
	dirty_log_clear_end(&f->m, 0);
	return (struct done){ .error = error };
}

static struct done recover_blocks(struct fx *f)
{
	struct recovery r;
	int error = recovery_begin(&f->m, &r, 0);

	while (!error && recovery_step(&f->m, &r))
		;
	return (struct done){ .error = error };
}

static struct done reset_ring(struct fx *f)
{
	struct dirty_reset reset = { 0 };

	for (u32 i = 0; i < ring.pushed; i++)
		ring_entries[i].flags = DIRTY_ENTRY_RESET;
	while (dirty_ring_reset_step(&f->m, &ring, &reset))
		;
	dirty_reset_end(&f->m, &reset);
	assert_int_equal(reset.count, 1);
	return (struct done){ .error = ERR_OK };
}

static void told_by_ring(struct fx *f)
{
	logged_by_ring(f);
	assert_int_equal(ring_fault(f).error, ERR_OK);
	assert_int_equal(ring.pushed, 1);
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
	{ "slot create behind many", ATOMIC, LEVEL_4K, many_slots, create_65th },
	{ "slot create in a full run", ATOMIC, LEVEL_4K, full_run_of_slots, create_65th },
	{ "slot create, largest id", ATOMIC, LEVEL_4K, many_slots, create_last },
	{ "slot move over many", ATOMIC, LEVEL_4K, slot_among_many, move_far },
	{ "slot delete among many", ATOMIC, LEVEL_4K, slot_among_many, delete },
	{ "slot stops to log", ATOMIC, LEVEL_2M, touched_and_logged, stop_logging },
	{ "read fault", ATOMIC, LEVEL_4K, one_slot, read_fault },
	{ "fetch", ATOMIC, LEVEL_4K, one_slot, fetch_fault },
	{ "fault on a read-only leaf", ATOMIC, LEVEL_4K, slot_read_only_leaves, read_fault },
	{ "write to a read-only leaf", ATOMIC, LEVEL_4K, slot_read_only_leaves, fault },
	{ "fault on non-cacheable memory", ATOMIC, LEVEL_4K, slot_nc, fault },
	{ "fault on uncached RAM", ATOMIC, LEVEL_2M, slot_uncached_ram, fault },
	{ "fault on a device", ATOMIC, LEVEL_4K, slot_device, fault },
	{ "fault, any uncached", ATOMIC, LEVEL_2M, slot_any_uncached, fault },
	{ "fault on 1 GiB", ATOMIC, LEVEL_1G, slot_of_a_gigabyte, fault },
	{ "fault on a logged 1 GiB", ATOMIC, LEVEL_1G, logged_gigabyte, fault },
	{ "fault told by ring", ATOMIC, LEVEL_2M, logged_by_ring, ring_fault },
	{ "map of a range", RESUMABLE, LEVEL_4K, no_slot, map_range },
	{ "unmap", NEEDS_NOTHING, LEVEL_2M, touched_slot, unmap },
	{ "log", NEEDS_NOTHING, LEVEL_2M, logged_pages, collect_log },
	{ "recovery", NEEDS_NOTHING, LEVEL_2M, log_ended, recover_blocks },
	{ "reset of a ring", NEEDS_NOTHING, LEVEL_2M, told_by_ring, reset_ring },
};

static void check_failed(const struct operation *op, struct fx *f, const char *before, u64 mapped,
			 struct done r)
{
	char *after = state_of(f);

	assert_int_equal(r.error, ERR_NOMEM);
	if (op->promise == ATOMIC)
		assert_string_equal(before, after);
	else
		assert_int_equal(bytes_mapped(f), op->promise == RESUMABLE ? r.bytes : mapped);
	free(after);
	assert_int_equal(op->act(f).error, ERR_OK);
}

/* With the @n-th allocation refused. True: there was no n-th. */
static bool attempt(const struct operation *op, const struct port_caps *caps, u64 n)
{
	struct fx *f = fx_new(caps, caps->ipa_bits);
	char *before;
	struct done r;
	bool fired;
	u64 mapped;

	ring = (struct dirty_ring){ 0 };
	memset(ring_entries, 0, sizeof(ring_entries));
	fx_host_ram(f, op->level == LEVEL_1G ? SZ_1G : 64 * MIB, op->level);
	op->prepare(f);
	before = state_of(f);
	mapped = bytes_mapped(f);
	(void)machine_fail_alloc(f->p, n);
	r = op->act(f);
	fired = machine_fail_alloc(f->p, 0) == 0;
	if (fired != (r.error != ERR_OK))
		fail_msg("%s: %d with allocation %lu %s", op->name, r.error, (unsigned long)n,
			 fired ? "refused" : "never made");
	if (fired)
		check_failed(op, f, before, mapped, r);
	free(before);
	fx_check_stats(f);
	fx_delete(f);
	return !fired;
}

static u64 fail_each(const struct operation *op, const struct port_caps *caps)
{
	u64 n = 1;

	while (!attempt(op, caps, n))
		n++;
	return n - 1;
}

static void every_allocation_may_fail(void **state)
{
	u64 sum = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		u64 fwb = fail_each(&operations[i], &caps_fwb);
		u64 plain = fail_each(&operations[i], &caps_plain);

		print_message("%s: %lu, %lu\n", operations[i].name, (unsigned long)fwb,
			      (unsigned long)plain);
		/* A block at the root of few bits needs no table. */
		assert_int_equal(fwb + plain == 0, operations[i].promise == NEEDS_NOTHING);
		sum += fwb + plain;
	}
	print_message("%zu operations on two CPUs, %lu failing allocations\n",
		      ARRAY_SIZE(operations), (unsigned long)sum);
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
