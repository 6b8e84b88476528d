/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world of check/world.h: the ordinary case of each kind of operation goes through, and each
 * breach that the oracle is there for stops the run, with the rule's name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check/world_priv.h"

#define RAM    HVA(0x7f0000000000UL)
#define DEVICE HVA(0x7f0010000000UL)
#define BASE   0x40000000UL
#define BASE2  0x50000000UL
enum { SLOT = 1, SLOT2 = 2, PAGES = 64 };
#define SIZE (PAGES * PAGE_SIZE)

static const struct port_caps caps_fwb = {
	.fwb = true,
	.dic = true,
	.idc = true,
	.ttl = true,
	.tlb_range = true,
	.pa_bits = 48,
	.ipa_bits = 40,
	.vmid_bits = 8,
	.cpus = 2,
};

/* As a Cortex-A76: no FWB; instruction caches need maintenance. */
static const struct port_caps caps_plain = {
	.idc = true,
	.pa_bits = 40,
	.ipa_bits = 40,
	.vmid_bits = 8,
	.cpus = 2,
};

/* Answers 0, but hardware does whatever it may once @surprises is set. */
struct whim {
	struct chooser chooser;
	bool surprises;
};

static unsigned int answer(struct chooser *c, enum choice_kind kind, unsigned int what,
			   unsigned int options)
{
	const struct whim *h = container_of(c, struct whim, chooser);

	(void)what;
	return kind == CHOICE_HARDWARE && h->surprises ? options - 1 : 0;
}

struct play {
	struct world *w;
	struct whim whim;
};

static void ok(struct world_result r)
{
	assert_int_equal(r.error, ERR_OK);
}

static struct host_map ram_of(hva_t hva, const char *name)
{
	return (struct host_map){
		.hva = hva,
		.size = SIZE,
		.type = MEM_WB,
		.declared = MEM_WB,
		.reach = REACH_ALIAS,
		.level = LEVEL_4K,
		.vma_writable = true,
		.leaf_writable = true,
		.name = name,
	};
}

static struct host_map device_of(enum mem_type type, enum mem_owner owner)
{
	struct host_map m = ram_of(DEVICE, "bar");

	m.type = type;
	m.declared = type;
	m.reach = REACH_NONE;
	m.owner = owner;
	m.special = true;
	return m;
}

static struct world_result slot(struct play *x, u32 id, u32 flags, u64 ipa, hva_t hva)
{
	const struct slot_request r = { id, flags, IPA(ipa), SIZE, hva };

	return world_slot(x->w, 0, &r);
}

static struct world_result delete_slot(struct play *x, u32 id)
{
	const struct slot_request r = { .id = id };

	return world_slot(x->w, 0, &r);
}

static struct world_result guest(struct play *x, u64 ipa, enum machine_op op, enum machine_s1 s1)
{
	const struct machine_guest_op o = { .ipa = IPA(ipa), .op = op, .s1 = s1 };

	return world_guest(x->w, 0, 0, &o);
}

/* It went through. */
static u64 goes(struct play *x, u64 ipa, enum machine_op op)
{
	struct world_result r = guest(x, ipa, op, S1_WB);

	ok(r);
	assert_int_equal(r.outcome.kind, OUTCOME_RESUME);
	return r.version;
}

static void stops_at(struct world_result r, enum outcome_kind kind, enum reason why)
{
	ok(r);
	assert_int_equal(r.outcome.kind, kind);
	if (r.outcome.why != why)
		fail_msg("%s", reason_text(r.outcome.why));
}

/* A VM with a slot of write-back RAM. */
static struct play *play_new(const struct port_caps *caps)
{
	const struct world_config c = { .caps = *caps, .ipa_bits = 40, .compare = 1 };
	const struct host_map ram = ram_of(RAM, "ram");
	struct play *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	x->whim.chooser.choose = answer;
	x->w = world_new(&c, &x->whim.chooser);
	ok(world_host_map(x->w, &ram));
	ok(world_vm_create(x->w, 0));
	ok(slot(x, SLOT, 0, BASE, RAM));
	return x;
}

/* At the end everything is in order, and nothing is left. */
static void play_end(struct play *x)
{
	world_check(x->w);
	world_end(x->w);
	world_delete(x->w);
	free(x);
}

static char *state_of(struct play *x)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	world_state(x->w, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void assert_state(struct play *x, const char *line)
{
	char *text = state_of(x);

	if (!strstr(text, line))
		fail_msg("no line \"%s\" in:\n%s", line, text);
	free(text);
}

/* ---- the ordinary cases */

static void guests_read_write_and_fetch(void **state)
{
	struct play *x = play_new(&caps_plain);
	u64 version = goes(x, BASE, MACHINE_WRITE);

	(void)state;
	assert_int_equal(goes(x, BASE, MACHINE_READ), version);
	goes(x, BASE + PAGE_SIZE, MACHINE_FETCH);
	assert_state(x, "s2 vm0 0x40000000 4K normal rw- ram+0x0\n");
	assert_state(x, "s2 vm0 0x40001000 4K normal rwx ram+0x1000\n");
	play_end(x);
}

static void outside_slots_is_mmio(void **state)
{
	struct play *x = play_new(&caps_fwb);
	const struct machine_guest_op o = { .ipa = IPA(BASE2), .op = MACHINE_WRITE };

	(void)state;
	stops_at(guest(x, BASE2, MACHINE_READ, S1_OFF), OUTCOME_MMIO, WHY_NO_SLOT);
	stops_at(guest(x, BASE2, MACHINE_FETCH, S1_OFF), OUTCOME_INJECT, WHY_FETCH_NO_SLOT);
	stops_at(world_guest_pair(x->w, 0, 0, &o), OUTCOME_NO_SYNDROME, WHY_NO_SYNDROME);
	stops_at(world_guest_cmo(x->w, 0, 0, IPA(BASE2), CMO_CLEAN), OUTCOME_SKIP, WHY_CMO_NO_SLOT);
	play_end(x);
}

static void uncached_memory_is_mapped_by_its_owner(void **state)
{
	struct play *x = play_new(&caps_fwb);
	const struct host_map bar = device_of(MEM_NC, OWNER_ANY_UNCACHED);

	(void)state;
	ok(world_host_map(x->w, &bar));
	ok(slot(x, SLOT2, 0, BASE2, DEVICE));
	goes(x, BASE2, MACHINE_WRITE);
	assert_state(x, "s2 vm0 0x50000000 4K nc rw- bar+0x0\n");
	ok(world_host_retype(x->w, DEVICE, SIZE, MEM_WB));
	goes(x, BASE2, MACHINE_WRITE);
	assert_state(x, "s2 vm0 0x50000000 4K normal rwx bar+0x0\n");
	play_end(x);
}

static void unreachable_memory_is_refused_without_fwb(void **state)
{
	struct play *x = play_new(&caps_plain);
	struct host_map bar = device_of(MEM_WB, OWNER_TYPE_FIXED);
	struct world_result r;

	(void)state;
	ok(world_host_map(x->w, &bar));
	r = slot(x, SLOT2, 0, BASE2, DEVICE);
	assert_int_equal(r.error, ERR_INVAL);
	assert_int_equal(r.outcome.why, WHY_CANNOT_CLEAN);
	play_end(x);
}

static void read_only_leaves_ask_their_owner(void **state)
{
	struct play *x = play_new(&caps_fwb);
	struct host_map bar = device_of(MEM_DEVICE, OWNER_TYPE_FIXED);

	(void)state;
	bar.leaf_writable = false;
	ok(world_host_map(x->w, &bar));
	ok(slot(x, SLOT2, 0, BASE2, DEVICE));
	goes(x, BASE2, MACHINE_READ);
	assert_state(x, "s2 vm0 0x50000000 4K device r-- bar+0x0\n");
	goes(x, BASE2, MACHINE_WRITE);
	assert_state(x, "s2 vm0 0x50000000 4K device rw- bar+0x0\n");
	ok(world_host_protect(x->w, DEVICE, SIZE, HOST_PROTECT_READ));
	stops_at(guest(x, BASE2, MACHINE_WRITE, S1_WB), OUTCOME_MEMORY_FAULT, WHY_NOT_WRITABLE);
	play_end(x);
}

static void lazy_mappings_come_when_asked_for(void **state)
{
	struct play *x = play_new(&caps_fwb);
	struct host_map bar = device_of(MEM_DEVICE, OWNER_TYPE_FIXED);

	(void)state;
	bar.lazy = true;
	bar.special = false;
	bar.special_lazily = true;
	ok(world_host_map(x->w, &bar));
	ok(slot(x, SLOT2, 0, BASE2, DEVICE));
	goes(x, BASE2 + 3 * PAGE_SIZE, MACHINE_READ);
	assert_state(x, "s2 vm0 0x50003000 4K device rw- bar+0x3000\n");
	play_end(x);
}

static void contents_survive_slots_and_migration(void **state)
{
	struct play *x = play_new(&caps_plain);
	struct world_result r;
	u64 version;

	(void)state;
	x->whim.surprises = true;
	ok(world_host_write(x->w, RAM));
	version = guest(x, BASE, MACHINE_WRITE, S1_OFF).version;
	ok(world_host_migrate(x->w, RAM, PAGE_SIZE));
	r = guest(x, BASE, MACHINE_READ, S1_OFF);
	assert_true(r.version > version);
	version = guest(x, BASE, MACHINE_WRITE, S1_WB).version;
	ok(delete_slot(x, SLOT));
	assert_true(world_host_read(x->w, RAM).version >= version);
	play_end(x);
}

static void what_the_host_takes_is_gone(void **state)
{
	struct play *x = play_new(&caps_fwb);

	(void)state;
	goes(x, BASE, MACHINE_WRITE);
	ok(world_host_unmap(x->w, RAM, PAGE_SIZE));
	stops_at(guest(x, BASE, MACHINE_READ, S1_WB), OUTCOME_MEMORY_FAULT, WHY_NO_VMA);
	goes(x, BASE + PAGE_SIZE, MACHINE_WRITE);
	ok(world_host_poison(x->w, HVA(RAM.v + PAGE_SIZE)));
	stops_at(guest(x, BASE + PAGE_SIZE, MACHINE_READ, S1_WB), OUTCOME_SIGBUS, WHY_HOST_POISON);
	play_end(x);
}

static void writes_are_logged(void **state)
{
	struct play *x = play_new(&caps_fwb);

	(void)state;
	ok(slot(x, SLOT, SLOT_LOG_DIRTY, BASE, RAM));
	goes(x, BASE, MACHINE_READ);
	goes(x, BASE + PAGE_SIZE, MACHINE_WRITE);
	assert_state(x, "dirty vm0 1 page 1\n");
	assert_int_equal(world_dirty_get(x->w, 0, SLOT).count, 1);
	assert_int_equal(world_dirty_get(x->w, 0, SLOT).count, 0);
	goes(x, BASE + PAGE_SIZE, MACHINE_WRITE);
	assert_int_equal(world_dirty_get(x->w, 0, SLOT).count, 1);
	play_end(x);
}

static void logs_are_cleared_by_hand(void **state)
{
	struct play *x = play_new(&caps_fwb);

	(void)state;
	ok(world_policy(x->w, 0, "manual_dirty", 1));
	ok(slot(x, SLOT, SLOT_LOG_DIRTY, BASE, RAM));
	goes(x, BASE, MACHINE_WRITE);
	assert_int_equal(world_dirty_get(x->w, 0, SLOT).count, 1);
	assert_int_equal(world_dirty_get(x->w, 0, SLOT).count, 1);
	ok(world_dirty_clear(x->w, 0, SLOT, 0, PAGES));
	assert_int_equal(world_dirty_get(x->w, 0, SLOT).count, 0);
	play_end(x);
}

static void read_only_slots_are_not_written(void **state)
{
	struct play *x = play_new(&caps_fwb);

	(void)state;
	ok(slot(x, SLOT2, SLOT_READONLY, BASE2, RAM));
	goes(x, BASE2, MACHINE_READ);
	stops_at(guest(x, BASE2, MACHINE_WRITE, S1_WB), OUTCOME_MMIO, WHY_RO_SLOT_WRITE);
	stops_at(world_guest_cmo(x->w, 0, 0, IPA(BASE2), CMO_INVAL), OUTCOME_INJECT,
		 WHY_CMO_IVAC_RO);
	ok(world_policy(x->w, 0, "ivac_upgrade", 1));
	stops_at(world_guest_cmo(x->w, 0, 0, IPA(BASE2), CMO_INVAL), OUTCOME_SKIP,
		 WHY_CMO_IVAC_UPGRADED);
	play_end(x);
}

static void slots_move_and_are_prefaulted(void **state)
{
	struct play *x = play_new(&caps_fwb);

	(void)state;
	assert_int_equal(world_prefault(x->w, 0, IPA(BASE), SIZE).count, SIZE);
	assert_state(x, "s2 vm0 0x40000000 64x4K normal rwx ram+0x0\n");
	ok(slot(x, SLOT, 0, BASE2, RAM));
	stops_at(guest(x, BASE, MACHINE_READ, S1_WB), OUTCOME_MMIO, WHY_NO_SLOT);
	goes(x, BASE2, MACHINE_READ);
	play_end(x);
}

static void blocks_are_split_and_fall_apart(void **state)
{
	struct play *x = play_new(&caps_fwb);
	struct host_map huge = ram_of(DEVICE, "huge");
	const struct slot_request r = { SLOT2, 0, IPA(BASE2), SZ_2M, DEVICE };

	(void)state;
	huge.size = SZ_2M;
	huge.level = LEVEL_2M;
	ok(world_host_map(x->w, &huge));
	ok(world_slot(x->w, 0, &r));
	goes(x, BASE2, MACHINE_WRITE);
	assert_state(x, "s2 vm0 0x50000000 2M normal rwx huge+0x0\n");
	ok(world_split(x->w, 0, IPA(BASE2), SZ_2M));
	assert_state(x, "s2 vm0 0x50000000 512x4K normal rwx huge+0x0\n");
	ok(world_host_regroup(x->w, DEVICE, LEVEL_4K));
	goes(x, BASE2, MACHINE_WRITE);
	assert_state(x, "s2 vm0 0x50000000 4K normal rwx huge+0x0\n");
	ok(world_host_regroup(x->w, DEVICE, LEVEL_2M));
	goes(x, BASE2, MACHINE_WRITE);
	assert_state(x, "s2 vm0 0x50000000 2M normal rwx huge+0x0\n");
	play_end(x);
}

static void pages_grow_old(void **state)
{
	struct play *x = play_new(&caps_fwb);

	(void)state;
	goes(x, BASE, MACHINE_READ);
	assert_int_equal(world_host_age(x->w, RAM, SIZE, S2_AGE_CLEAR).count, 1);
	assert_state(x, "s2 vm0 0x40000000 4K normal rwx old ram+0x0\n");
	assert_int_equal(world_host_age(x->w, RAM, SIZE, S2_AGE_TEST).count, 0);
	play_end(x);
}

static void devices_transfer(void **state)
{
	struct play *x = play_new(&caps_plain);
	u64 version;

	(void)state;
	ok(delete_slot(x, SLOT));
	version = world_dma(x->w, RAM, DMA_BYPASS, true).version;
	assert_int_equal(world_host_read(x->w, RAM).version, version);
	version = world_host_write(x->w, RAM).version;
	assert_int_equal(world_dma(x->w, RAM, DMA_BYPASS, false).version, version);
	play_end(x);
}

static void vms_share_vmids(void **state)
{
	struct play *x = play_new(&caps_fwb);
	const struct slot_request r = { SLOT, 0, IPA(BASE), SIZE, RAM };
	const struct machine_guest_op o = { .ipa = IPA(BASE), .op = MACHINE_READ, .s1 = S1_WB };
	u64 version = goes(x, BASE, MACHINE_WRITE);

	(void)state;
	for (unsigned int vm = 1; vm < WORLD_VMS; vm++) {
		ok(world_vm_create(x->w, vm));
		ok(world_slot(x->w, vm, &r));
		assert_int_equal(world_guest(x->w, vm, 0, &o).version, version);
	}
	ok(world_vm_destroy(x->w, 2));
	assert_null(world_vm(x->w, 2));
	ok(world_host_unmap(x->w, RAM, SIZE));
	play_end(x);
}

/* ---- what the oracle notices */

struct breach {
	const char *text; /* the refusal begins with it */
	const struct port_caps *caps;
	enum world_sabotage sabotage;
	void (*play)(struct play *x); /* does it */
};

static void then_unmap(struct play *x)
{
	goes(x, BASE, MACHINE_READ);
	ok(world_host_unmap(x->w, RAM, PAGE_SIZE));
	(void)guest(x, BASE, MACHINE_READ, S1_WB);
}

/* The page stays the host's, so that only the guest is wrong. */
static void then_poison(struct play *x)
{
	goes(x, BASE, MACHINE_READ);
	ok(world_host_poison(x->w, RAM));
	(void)guest(x, BASE, MACHINE_READ, S1_WB);
}

static void then_migrate(struct play *x)
{
	goes(x, BASE, MACHINE_READ);
	ok(world_host_migrate(x->w, RAM, PAGE_SIZE));
	(void)guest(x, BASE, MACHINE_READ, S1_WB);
}

static void then_narrow(struct play *x)
{
	goes(x, BASE, MACHINE_WRITE);
	ok(world_host_protect(x->w, RAM, SIZE, HOST_PROTECT_READ));
	(void)guest(x, BASE, MACHINE_WRITE, S1_WB);
}

static void then_narrow_at_rest(struct play *x)
{
	goes(x, BASE, MACHINE_WRITE);
	ok(world_host_protect(x->w, RAM, SIZE, HOST_PROTECT_READ));
	world_check(x->w);
}

/* The host has it uncached, and the guest still write-back. */
static void then_retype(struct play *x)
{
	goes(x, BASE, MACHINE_WRITE);
	ok(world_host_retype(x->w, RAM, SIZE, MEM_NC));
}

static void then_regroup(struct play *x)
{
	struct host_map huge = ram_of(DEVICE, "huge");
	const struct slot_request r = { SLOT2, 0, IPA(BASE2), SZ_2M, DEVICE };

	huge.size = SZ_2M;
	huge.level = LEVEL_2M;
	ok(world_host_map(x->w, &huge));
	ok(world_slot(x->w, 0, &r));
	goes(x, BASE2, MACHINE_WRITE);
	ok(world_host_regroup(x->w, DEVICE, LEVEL_4K));
	world_check(x->w);
}

/* The engine's TLBI is lost: the guest goes on by what is stale. */
static void deaf_to_tlbi(struct play *x)
{
	goes(x, BASE, MACHINE_READ);
	machine_deafen(world_port(x->w), DEAF_TLBI);
	x->whim.surprises = true;
	ok(delete_slot(x, SLOT));
	(void)guest(x, BASE, MACHINE_READ, S1_WB);
}

static void log_one_write(struct play *x)
{
	ok(slot(x, SLOT, SLOT_LOG_DIRTY, BASE, RAM));
	goes(x, BASE, MACHINE_WRITE);
	(void)world_dirty_get(x->w, 0, SLOT);
	(void)world_dirty_get(x->w, 0, SLOT);
}

/* The log is cleared behind the engine's back. */
static void forget_the_log(struct play *x)
{
	struct slot *s;

	ok(slot(x, SLOT, SLOT_LOG_DIRTY, BASE, RAM));
	goes(x, BASE, MACHINE_WRITE);
	s = slot_by_id(&world_vm(x->w, 0)->slots, SLOT);
	s->dirty[0] = 0;
	world_check(x->w);
}

static void ask_for_the_impossible(struct play *x)
{
	goes(x, BASE, MACHINE_READ);
	(void)slot(x, SLOT2, SLOT_READONLY | 1U << 30, BASE2, RAM);
}

static void end(struct play *x)
{
	world_end(x->w);
}

/* The guest leaves something in a page that the next owner gets. */
static void reuse_a_page(struct play *x)
{
	goes(x, BASE, MACHINE_WRITE);
	ok(world_host_migrate(x->w, RAM, PAGE_SIZE));
	ok(world_host_migrate(x->w, HVA(RAM.v + PAGE_SIZE), PAGE_SIZE));
	(void)guest(x, BASE + PAGE_SIZE, MACHINE_READ, S1_OFF);
	(void)guest(x, BASE, MACHINE_READ, S1_OFF);
}

static void write_for_an_uncached_reader(struct play *x)
{
	(void)guest(x, BASE, MACHINE_READ, S1_OFF);
	ok(world_host_write(x->w, RAM));
	(void)guest(x, BASE, MACHINE_READ, S1_OFF);
}

/* Without FWB the engine cleans before it maps. */
static void deaf_to_clean(struct play *x)
{
	ok(delete_slot(x, SLOT));
	ok(world_host_write(x->w, RAM));
	ok(slot(x, SLOT, 0, BASE, RAM));
	machine_deafen(world_port(x->w), DEAF_DCACHE);
	(void)guest(x, BASE, MACHINE_READ, S1_OFF);
}

static void deaf_to_icache(struct play *x)
{
	goes(x, BASE, MACHINE_FETCH);
	machine_deafen(world_port(x->w), DEAF_ICACHE);
	ok(delete_slot(x, SLOT));
	ok(world_host_write(x->w, RAM));
	ok(slot(x, SLOT, 0, BASE, RAM));
	(void)guest(x, BASE, MACHINE_FETCH, S1_WB);
}

/* The engine believes the slot to be smaller: the rest of it stays behind when it goes. */
static void shrink_slot(struct play *x)
{
	goes(x, BASE + PAGE_SIZE, MACHINE_WRITE);
	slot_by_id(&world_vm(x->w, 0)->slots, SLOT)->npages = 1;
	ok(delete_slot(x, SLOT));
	(void)guest(x, BASE + PAGE_SIZE, MACHINE_READ, S1_WB);
}

/* It computes host addresses a page off. */
static void shift_slot(struct play *x)
{
	slot_by_id(&world_vm(x->w, 0)->slots, SLOT)->hva.v += PAGE_SIZE;
	(void)guest(x, BASE, MACHINE_READ, S1_WB);
}

/* It forgets what the slot may not do. */
static void forget_read_only(struct play *x)
{
	ok(slot(x, SLOT2, SLOT_READONLY, BASE2, RAM));
	slot_by_id(&world_vm(x->w, 0)->slots, SLOT2)->flags = 0;
	(void)guest(x, BASE2, MACHINE_WRITE, S1_WB);
}

/* The VM ends as if no guest were inside. */
static void end_under_a_guest(struct play *x)
{
	const struct machine_guest_op read = { .ipa = IPA(BASE), .op = MACHINE_READ, .s1 = S1_WB };
	struct guest_mem *m = world_vm(x->w, 0);

	goes(x, BASE, MACHINE_READ);
	machine_guest_enter(world_port(x->w), guest_mem_enter(m, 0), m->s2.vtcr);
	x->w->vm[0].created = false;
	(void)machine_guest(world_port(x->w), &read);
}

static void dump_a_device(struct play *x)
{
	const struct host_map bar = device_of(MEM_DEVICE, OWNER_TYPE_FIXED);

	ok(world_host_map(x->w, &bar));
	ok(slot(x, SLOT2, 0, BASE2, DEVICE));
	goes(x, BASE2, MACHINE_READ);
	world_check(x->w);
}

static void split_a_frame_buffer(struct play *x)
{
	struct host_map fb = device_of(MEM_NC, OWNER_ANY_UNCACHED);
	const struct slot_request r = { SLOT2, 0, IPA(BASE2), SZ_2M, DEVICE };

	fb.size = SZ_2M;
	fb.level = LEVEL_2M;
	ok(world_host_map(x->w, &fb));
	ok(world_slot(x->w, 0, &r));
	goes(x, BASE2, MACHINE_READ);
	ok(world_split(x->w, 0, IPA(BASE2), SZ_2M));
}

/* A fault path that maps what it finds: @type, writable. */
static void map_past_the_policy(struct play *x, enum s2_type type)
{
	struct s2_leaf leaf = { .type = type, .perms = S2_R | S2_W, .level = LEVEL_4K };
	struct host_leaf host;

	assert_int_equal(world_host_ops.leaf(x->w, DEVICE, &host), ERR_OK);
	leaf.pa = host.pa;
	ok(world_raw(x->w, 0, IPA(BASE2), &leaf));
	world_check(x->w);
}

static void map_a_read_only_leaf_writable(struct play *x)
{
	struct host_map bar = device_of(MEM_WB, OWNER_TYPE_FIXED);

	bar.leaf_writable = false;
	ok(world_host_map(x->w, &bar));
	ok(slot(x, SLOT2, 0, BASE2, DEVICE));
	map_past_the_policy(x, S2_NORMAL);
}

static void map_what_creation_refused(struct play *x)
{
	const struct host_map bar = device_of(MEM_WB, OWNER_TYPE_FIXED);

	ok(slot(x, SLOT2, 0, BASE2, DEVICE));
	ok(world_host_map(x->w, &bar));
	assert_int_equal(slot(x, SLOT2 + 1, 0, BASE2 + SIZE, DEVICE).error, ERR_INVAL);
	map_past_the_policy(x, S2_NORMAL);
}

static void move_to_a_lesser_host(struct play *x)
{
	ok(world_moved(x->w, 0, &caps_fwb));
	world_check(x->w);
	ok(world_moved(x->w, 0, &caps_plain));
	world_check(x->w);
}

static const struct breach breaches[] = {
	{ "missing TLBI", &caps_fwb, SABOTAGE_NO_NOTIFIER, then_unmap },
	{ "missing TLBI", &caps_fwb, SABOTAGE_NO_NOTIFIER, then_migrate },
	{ "missing TLBI", &caps_fwb, SABOTAGE_LATE_NOTIFIER, then_unmap },
	{ "M13: the host has unmapped", &caps_fwb, SABOTAGE_NO_NOTIFIER, then_poison },
	{ "M8: the guest writes what the host has read-only", &caps_fwb, SABOTAGE_NO_NOTIFIER,
	  then_narrow },
	{ "M8: the guest writes what the host has read-only", &caps_fwb, SABOTAGE_NO_NOTIFIER,
	  then_narrow_at_rest },
	{ "mismatched alias", &caps_fwb, SABOTAGE_NO_NOTIFIER, then_retype },
	{ "M6: IPA 0x50000000 is mapped larger", &caps_fwb, SABOTAGE_NO_NOTIFIER, then_regroup },
	{ "M17: lost dirty bit", &caps_fwb, SABOTAGE_LOSE_DIRTY, log_one_write },
	{ "M12: IPA 0x40001000 is told dirty", &caps_fwb, SABOTAGE_MARK_DIRTY, log_one_write },
	{ "M18: a call that was refused", &caps_fwb, SABOTAGE_CHANGE_REFUSED,
	  ask_for_the_impossible },
	{ "leak", &caps_fwb, SABOTAGE_LEAK, end },
	{ "M18: counters say 0 bytes at level 3, tables 4096", &caps_fwb, SABOTAGE_TYPELESS_DUMP,
	  dump_a_device },
	{ "M17: splitting changed the type of memory at 0x50000000", &caps_fwb,
	  SABOTAGE_TYPELESS_SPLIT, split_a_frame_buffer },
	{ "stale read", &caps_fwb, SABOTAGE_OLD_CONTENTS, reuse_a_page },
	{ "stale read", &caps_plain, SABOTAGE_NO_CLEAN, write_for_an_uncached_reader },
	/* what is wrong is the engine, or what it works with */
	{ "M13: the guest reaches memory where it has no slot", &caps_fwb, SABOTAGE_NONE,
	  deaf_to_tlbi },
	{ "M13: the guest reaches memory where it has no slot", &caps_fwb, SABOTAGE_NONE,
	  shrink_slot },
	{ "M13: the guest reaches another page", &caps_fwb, SABOTAGE_NONE, shift_slot },
	{ "M15: the guest writes through a read-only slot", &caps_fwb, SABOTAGE_NONE,
	  forget_read_only },
	{ "M17: IPA 0x40000000 is writable, logged, and not marked", &caps_fwb, SABOTAGE_NONE,
	  forget_the_log },
	{ "M13: a guest runs whose VM is gone", &caps_fwb, SABOTAGE_NONE, end_under_a_guest },
	{ "M14: the guest writes, and the owner was not asked", &caps_fwb, SABOTAGE_NONE,
	  map_a_read_only_leaf_writable },
	{ "M7: the guest reaches what slot creation refused", &caps_plain, SABOTAGE_NONE,
	  map_what_creation_refused },
	{ "M16: VM 0 was promised forced write-back", &caps_fwb, SABOTAGE_NONE,
	  move_to_a_lesser_host },
	{ "stale read", &caps_plain, SABOTAGE_NONE, deaf_to_clean },
	{ "stale fetch", &caps_plain, SABOTAGE_NONE, deaf_to_icache },
};

static const struct breach *present;

static void commit_breach(void *arg)
{
	present->play(arg);
}

/* Prints what is wrong; true: nothing. */
static bool check_breach(const struct breach *b)
{
	struct play *x = play_new(b->caps);
	const char *said = "nothing";
	bool right = false;

	present = b;
	world_misbehave(x->w, b->sabotage);
	if (machine_refuses(world_port(x->w), commit_breach, x)) {
		said = machine_refusal(world_port(x->w));
		right = !strncmp(said, b->text, strlen(b->text));
	}
	if (!right)
		print_error("%zu, \"%s\": stopped by \"%s\"\n", (size_t)(b - breaches), b->text,
			    said);
	world_delete(x->w);
	free(x);
	return right;
}

static void breaches_stop_the_run(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(breaches); i++)
		wrong += !check_breach(&breaches[i]);
	assert_int_equal(wrong, 0);
}

/* The same plays go through where nobody misbehaves: it is the sabotage that is noticed. */
static void plays_without_sabotage_go_through(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(breaches); i++) {
		struct play *x;

		if (breaches[i].sabotage == SABOTAGE_NONE)
			continue;
		x = play_new(breaches[i].caps);
		present = &breaches[i];
		if (machine_refuses(world_port(x->w), commit_breach, x))
			fail_msg("%s: \"%s\"", breaches[i].text, machine_refusal(world_port(x->w)));
		world_delete(x->w);
		free(x);
	}
}

static void a_world_is_reset(void **state)
{
	struct play *x = play_new(&caps_fwb);
	const struct world_config c = { .caps = caps_plain, .ipa_bits = 36, .compare = 1 };
	const struct host_map ram = ram_of(RAM, "ram");

	(void)state;
	goes(x, BASE, MACHINE_WRITE);
	world_reset(x->w, &c, &x->whim.chooser);
	assert_null(world_vm(x->w, 0));
	ok(world_host_map(x->w, &ram));
	ok(world_vm_create(x->w, 0));
	ok(slot(x, SLOT, 0, BASE, RAM));
	goes(x, BASE, MACHINE_FETCH);
	play_end(x);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(guests_read_write_and_fetch),
		cmocka_unit_test(outside_slots_is_mmio),
		cmocka_unit_test(uncached_memory_is_mapped_by_its_owner),
		cmocka_unit_test(unreachable_memory_is_refused_without_fwb),
		cmocka_unit_test(read_only_leaves_ask_their_owner),
		cmocka_unit_test(lazy_mappings_come_when_asked_for),
		cmocka_unit_test(contents_survive_slots_and_migration),
		cmocka_unit_test(what_the_host_takes_is_gone),
		cmocka_unit_test(writes_are_logged),
		cmocka_unit_test(logs_are_cleared_by_hand),
		cmocka_unit_test(read_only_slots_are_not_written),
		cmocka_unit_test(slots_move_and_are_prefaulted),
		cmocka_unit_test(blocks_are_split_and_fall_apart),
		cmocka_unit_test(pages_grow_old),
		cmocka_unit_test(devices_transfer),
		cmocka_unit_test(vms_share_vmids),
		cmocka_unit_test(breaches_stop_the_run),
		cmocka_unit_test(plays_without_sabotage_go_through),
		cmocka_unit_test(a_world_is_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
