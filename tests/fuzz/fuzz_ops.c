/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes as operations of the modelled world (check/world.h): some one after the other, then some by
 * three actors at once, and what is left of the bytes says who goes on and what hardware does. The
 * oracle and the machine must have nothing to say.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/world.h"

enum { ACTORS = 3, MAPS = 4, OPS_FIRST = 24, OPS_ACTOR = 6, POINTS_MAX = 1000000 };
#define HVA_BASE 0x10000000UL
#define IPA_BASE 0x40000000UL
#define MAP_SIZE (4UL << 20)
#define VM_SIZE	 (MAPS * MAP_SIZE)

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t n);

struct input {
	const u8 *at, *end;
};

struct fuzz_actor {
	struct input in;
	unsigned int vcpu;
};

static struct world *world;
static struct input input;
static bool together;	    /* actors run */
static bool is_block[MAPS]; /* its leaves are of 2 MiB: the host changes them as a whole */

static u8 take(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

/* ---- arguments */

static u64 page_at(struct input *in, u64 pages)
{
	u64 low = take(in);

	return (low | (u64)take(in) << 8) % pages;
}

static hva_t any_hva(struct input *in)
{
	return HVA(HVA_BASE + page_at(in, VM_SIZE >> PAGE_SHIFT) * PAGE_SIZE);
}

static ipa_t any_ipa(struct input *in)
{
	return IPA(IPA_BASE + page_at(in, (VM_SIZE >> PAGE_SHIFT) + 4) * PAGE_SIZE);
}

static u64 any_size(struct input *in)
{
	u8 byte = take(in);

	return byte & 0x80 ? (1 + byte % 4UL) * SZ_2M : (1 + byte % 8UL) * PAGE_SIZE;
}

struct hva_span {
	hva_t hva;
	u64 size;
};

/* A range whose leaves the host changes. */
static struct hva_span any_span(struct input *in)
{
	struct hva_span s = { any_hva(in), any_size(in) };
	u64 left;

	if (is_block[(s.hva.v - HVA_BASE) / MAP_SIZE]) {
		s.hva = HVA(ALIGN_DOWN(s.hva.v, SZ_2M));
		s.size = ALIGN_UP(s.size, SZ_2M);
	}
	left = MAP_SIZE - (s.hva.v - HVA_BASE) % MAP_SIZE;
	s.size = min(s.size, left);
	return s;
}

/* ---- operations; @vcpu is the actor's own */
typedef void op_fn(struct input *in, unsigned int vcpu);

static struct machine_guest_op guest_op(struct input *in)
{
	struct machine_guest_op op = { .ipa = any_ipa(in) };
	u8 what = take(in);

	op.op = (enum machine_op)(what % 3);
	op.s1 = what & 0x10 ? S1_WB : S1_OFF;
	if (op.s1 != S1_OFF && (what & 0x20))
		op.table[0] = any_ipa(in);
	op.updates_af = op.table[0].v && (what & 0x40);
	return op;
}

static void op_guest(struct input *in, unsigned int vcpu)
{
	struct machine_guest_op op = guest_op(in);

	(void)world_guest(world, take(in) % 2, vcpu, &op);
}

static void op_pair(struct input *in, unsigned int vcpu)
{
	struct machine_guest_op op = guest_op(in);

	(void)world_guest_pair(world, take(in) % 2, vcpu, &op);
}

static void op_cmo(struct input *in, unsigned int vcpu)
{
	ipa_t ipa = any_ipa(in);

	(void)world_guest_cmo(world, take(in) % 2, vcpu, ipa, (enum machine_cmo)(take(in) % 5));
}

static void op_slot(struct input *in, unsigned int vcpu)
{
	u8 what = take(in);
	struct slot_request r = {
		.id = take(in) % 4,
		.ipa = any_ipa(in),
		.size = what & 8 ? 0 : any_size(in),
		.hva = any_hva(in),
	};

	(void)vcpu;
	r.flags = (what & 1 ? SLOT_LOG_DIRTY : 0) | (what & 2 ? SLOT_READONLY : 0) |
		  (what & 4 ? SLOT_WRITE_BACK : 0);
	(void)world_slot(world, what & 16 ? 1 : 0, &r);
}

/* The slot that shows a whole mapping, with other flags or gone. */
static void op_whole_slot(struct input *in, unsigned int vcpu)
{
	u8 what = take(in), map = take(in) % MAPS;
	struct slot_request r = {
		.id = map,
		.flags = what & 1 ? SLOT_LOG_DIRTY : 0,
		.ipa = IPA(IPA_BASE + map * MAP_SIZE),
		.size = (what & 0x38) == 0x38 ? 0 : MAP_SIZE,
		.hva = HVA(HVA_BASE + map * MAP_SIZE),
	};

	(void)vcpu;
	(void)world_slot(world, what & 2 ? 1 : 0, &r);
}

static void op_log(struct input *in, unsigned int vcpu)
{
	u8 what = take(in);
	u32 slot = take(in) % 4;

	(void)vcpu;
	if (what & 2)
		(void)world_dirty_clear(world, what & 1, slot, 64UL * (take(in) % 16),
					64UL * (1 + take(in) % 4));
	else
		(void)world_dirty_get(world, what & 1, slot);
}

static void op_prefault(struct input *in, unsigned int vcpu)
{
	ipa_t ipa = any_ipa(in);
	u64 size = any_size(in);

	(void)vcpu;
	(void)world_prefault(world, take(in) % 2, ipa, size);
}

static void op_split(struct input *in, unsigned int vcpu)
{
	ipa_t ipa = any_ipa(in);
	u64 size = any_size(in);

	(void)vcpu;
	(void)world_split(world, take(in) % 2, ipa, size);
}

static void op_unmap(struct input *in, unsigned int vcpu)
{
	struct hva_span s = any_span(in);

	(void)vcpu;
	(void)world_host_unmap(world, s.hva, s.size);
}

static void op_protect(struct input *in, unsigned int vcpu)
{
	struct hva_span s = any_span(in);

	(void)vcpu;
	(void)world_host_protect(world, s.hva, s.size,
				 take(in) & 1 ? HOST_PROTECT_WRITE : HOST_PROTECT_READ);
}

static void op_retype(struct input *in, unsigned int vcpu)
{
	struct hva_span s = any_span(in);

	(void)vcpu;
	(void)world_host_retype(world, s.hva, s.size, (enum mem_type)(take(in) % MEM_TYPE_COUNT));
}

static void op_migrate(struct input *in, unsigned int vcpu)
{
	struct hva_span s = any_span(in);

	(void)vcpu;
	(void)world_host_migrate(world, s.hva, s.size);
}

static void op_regroup(struct input *in, unsigned int vcpu)
{
	hva_t hva = any_hva(in);
	u64 map = (hva.v - HVA_BASE) / MAP_SIZE;
	u8 what = take(in);

	(void)vcpu;
	if (what & 1)
		hva = HVA(ALIGN_DOWN(hva.v, SZ_2M));
	/* Another actor may be about to change a page of what would become a block. */
	if (is_block[map] || together)
		return;
	is_block[map] = what & 2;
	(void)world_host_regroup(world, hva, what & 2 ? LEVEL_2M : LEVEL_4K);
}

static void op_age(struct input *in, unsigned int vcpu)
{
	hva_t hva = any_hva(in);
	u64 size = any_size(in);

	(void)vcpu;
	(void)world_host_age(world, hva, size, take(in) & 1 ? S2_AGE_CLEAR : S2_AGE_TEST);
}

static void op_vmm(struct input *in, unsigned int vcpu)
{
	hva_t hva = any_hva(in);

	(void)vcpu;
	if (take(in) & 1)
		(void)world_host_write(world, hva);
	else
		(void)world_host_read(world, hva);
}

static op_fn *const actor_ops[] = {
	op_guest,   op_guest,  op_guest, op_pair,     op_cmo,	op_slot,    op_whole_slot,
	op_log,	    op_log,    op_split, op_prefault, op_unmap, op_protect, op_protect,
	op_migrate, op_retype, op_age,	 op_regroup,  op_vmm,
};

static void op_policy(struct input *in)
{
	static const char *const names[] = { "strict_slots", "write_back",	"ivac_upgrade",
					     "manual_dirty", "initially_dirty", "eager_split" };
	u8 which = take(in) % ARRAY_SIZE(names);
	u64 value = take(in) & 1;

	if (which == 5)
		value *= SZ_2M;
	(void)world_policy(world, 0, names[which], value);
}

/* ---- the world */

static const struct port_caps machines[] = {
	{ .fwb = true, .dic = true, .idc = true, .ttl = true, .tlb_range = true },
	{ .idc = true },
	{ .bbm = 2, .hw_af = true, .hw_dbm = true, .tlb_range = true },
	{ .fwb = true, .idc = true, .ttl = true, .hw_af = true, .bbm = 1 },
};

static struct world_config config_of(u8 byte)
{
	struct world_config c = {
		.caps = machines[byte % ARRAY_SIZE(machines)],
		.ipa_bits = 32,
		.step = byte & 0x80 ? 8 : 0,
		.compare = 1,
	};

	c.caps.pa_bits = 48;
	c.caps.ipa_bits = 48;
	c.caps.vmid_bits = 8;
	c.caps.cpus = ACTORS;
	return c;
}

static void make_map(unsigned int i, u8 what)
{
	static const char *const names[MAPS] = { "a", "b", "c", "d" };
	bool is_special = what & 0x40;
	struct host_map m = {
		.hva = HVA(HVA_BASE + i * MAP_SIZE),
		.size = MAP_SIZE,
		.type = is_special ? (enum mem_type)(what % MEM_TYPE_COUNT) : MEM_WB,
		.reach = is_special && (what & 0x80) ? REACH_NONE : REACH_ALIAS,
		.owner = what & 4 ? OWNER_ANY_UNCACHED : OWNER_TYPE_FIXED,
		.level = what & 8 ? LEVEL_2M : LEVEL_4K,
		.vma_writable = true,
		.leaf_writable = !(what & 16),
		.lazy = what & 32,
		.special = is_special,
		.name = names[i],
	};

	m.declared = m.type;
	is_block[i] = m.level == LEVEL_2M;
	(void)world_host_map(world, &m);
}

static void begin(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < MAPS; i++)
		make_map(i, take(&input));
	(void)world_vm_create(world, 0);
	(void)world_vm_create(world, 1);
	for (unsigned int i = 0; i < MAPS; i++) {
		const struct slot_request r = { i, 0, IPA(IPA_BASE + i * MAP_SIZE), MAP_SIZE,
						HVA(HVA_BASE + i * MAP_SIZE) };

		(void)world_slot(world, 0, &r);
	}
	for (u8 n = take(&input) % 4; n; n--)
		op_policy(&input);
	for (u8 n = take(&input) % OPS_FIRST; n; n--) {
		actor_ops[take(&input) % ARRAY_SIZE(actor_ops)](&input, 0);
		world_check(world);
	}
}

static void act(void *arg)
{
	struct fuzz_actor *a = arg;

	while (a->in.at < a->in.end)
		actor_ops[take(&a->in) % ARRAY_SIZE(actor_ops)](&a->in, a->vcpu);
}

static void finish(void *arg)
{
	(void)arg;
	world_check(world);
	world_end(world);
}

/* Once the bytes are used up everything takes its ordinary course. */
static unsigned int choose(struct chooser *c, enum choice_kind kind, unsigned int what,
			   unsigned int options)
{
	u8 byte = take(&input);

	(void)c;
	(void)kind;
	(void)what;
	return byte < 128 ? 0 : byte % options;
}

/* What the harness asks for and no machine has is its own fault. */
static void judge(bool stopped, const char *why)
{
	if (!stopped || machine_refusal_kind(world_port(world)) == REFUSED_MISUSE)
		return;
	(void)fprintf(stderr, "fuzz_ops: stopped: %s\n", why);
	world_explain(world, stderr);
	abort();
}

static bool run_actors(void)
{
	static const char *const names[ACTORS] = { "a", "b", "c" };
	static const char *const ends[] = {
		[STAGE_DEADLOCK] = "dead lock",
		[STAGE_LIVELOCK] = "live lock",
	};
	struct fuzz_actor actor[ACTORS];
	enum stage_end end;

	for (unsigned int i = 0; i < ACTORS; i++) {
		size_t length = 8 * (take(&input) % OPS_ACTOR);

		length = min(length, (size_t)(input.end - input.at));
		actor[i].in = (struct input){ input.at, input.at + length };
		actor[i].vcpu = i;
		input.at += length;
		world_actor(world, names[i], i, act, &actor[i]);
	}
	together = true;
	end = world_run(world, POINTS_MAX);
	together = false;
	if (end == STAGE_REFUSED)
		judge(true, machine_refusal(world_port(world)));
	else
		judge(end != STAGE_DONE, ends[end]);
	return end == STAGE_DONE;
}

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t n)
{
	static struct chooser chooser = { choose };
	struct world_config c = config_of(n ? bytes[0] : 0);
	struct port *p;

	input = (struct input){ bytes + (n > 0), bytes + n };
	if (world)
		world_reset(world, &c, &chooser);
	else
		world = world_new(&c, &chooser);
	p = world_port(world);
	if (machine_refuses(p, begin, NULL)) {
		judge(true, machine_refusal(p));
		return 0;
	}
	if (!run_actors())
		return 0;
	judge(machine_refuses(p, finish, NULL), machine_refusal(p));
	return 0;
}
