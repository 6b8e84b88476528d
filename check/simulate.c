/* SPDX-License-Identifier: Apache-2.0 */
/* Random lives. Everything is drawn from one stream of numbers, so that a seed replays. */
#include "check/simulate.h"

#include <stdlib.h>
#include <string.h>

#include "check/check.h"
#include "check/choose.h"
#include "check/cpu.h"

enum {
	AREAS = 6, /* places of the host where memory may be mapped */
	VMS = 3,
	SLOT_IDS = 5,
	ACTORS = 4,
	STEPS_MAX = 4,	  /* operations of one actor in one phase */
	PHASE_EVERY = 24, /* operations between two phases of several actors */
	CHECK_EVERY = 12,
	SMALL = 32,	 /* pages of an area of pages */
	LIMIT = 3000000, /* scheduling points of a phase */
};

#define AREA_HVA(i) (0x10000000UL + (u64)(i)*0x10000000UL)
#define AREA_SIZE   (SZ_2M * 2)
#define IPA_BASE    0x40000000UL

struct life {
	struct world *w;
	struct random_chooser chooser;
	struct world_config config;
	struct life_report report;
	u64 dice; /* for operations; the chooser has its own */
	u64 ops_left;
	FILE *out;
};

struct part {
	struct life *life;
	unsigned int cpu, steps;
};

static struct world *kept; /* from one life to the next */

static u64 roll(struct life *l, u64 below)
{
	return random_below(&l->dice, below);
}

static bool one_in(struct life *l, u64 n)
{
	return roll(l, n) == 0;
}

/* ---- the machine */

static void choose_machine(struct life *l)
{
	static const u8 vmid_bits[] = { 2, 3, 8 };
	static const u16 steps[] = { 8, 9, 16, 64, 512 };
	struct port_caps *c = &l->config.caps;

	*c = (struct port_caps){
		.fwb = one_in(l, 2),
		.dic = one_in(l, 2),
		.idc = one_in(l, 2),
		.ttl = one_in(l, 2),
		.tlb_range = one_in(l, 2),
		.hw_af = one_in(l, 2),
		.hw_dbm = one_in(l, 3),
		.bbm = (u8)roll(l, 3),
		.pa_bits = 48,
		.ipa_bits = 48,
		.vmid_bits = vmid_bits[roll(l, ARRAY_SIZE(vmid_bits))],
	};
	c->cpus = c->vmid_bits == 2 ? 2 : ACTORS;
	cpu_facts_settle(c);
	l->config.ipa_bits = one_in(l, 16) ? 33 : one_in(l, 2) ? 36 : 40;
	l->config.step = steps[roll(l, ARRAY_SIZE(steps))];
	l->config.compare = 20;
}

/* ---- places */

static u64 any_area(struct life *l)
{
	return AREA_HVA(roll(l, AREAS));
}

/* A page of an area that is likely to be mapped. */
static u64 any_hva(struct life *l)
{
	return any_area(l) +
	       (roll(l, one_in(l, 8) ? AREA_SIZE >> PAGE_SHIFT : SMALL) << PAGE_SHIFT);
}

static u64 slot_ipa(u64 id)
{
	return IPA_BASE + id * 2 * AREA_SIZE;
}

static u64 any_ipa(struct life *l)
{
	u64 page = roll(l, one_in(l, 8) ? AREA_SIZE >> PAGE_SHIFT : SMALL);

	return slot_ipa(roll(l, SLOT_IDS)) + (page << PAGE_SHIFT) +
	       (one_in(l, 4) ? PAGE_SIZE - MACHINE_LINE : 0);
}

static unsigned int any_vm(struct life *l)
{
	return (unsigned int)roll(l, one_in(l, 4) ? VMS : 1);
}

static u64 any_size(struct life *l)
{
	return (1 + roll(l, 4)) << PAGE_SHIFT;
}

/* ---- the host */

static void map_something(struct life *l)
{
	static const s8 levels[] = { LEVEL_4K, LEVEL_4K, LEVEL_4K, LEVEL_2M };
	struct host_map m = {
		.hva = HVA(any_area(l)),
		.level = levels[roll(l, ARRAY_SIZE(levels))],
		.type = one_in(l, 4) ? (enum mem_type)roll(l, MEM_TYPE_COUNT) : MEM_WB,
		.reach = one_in(l, 4) ? REACH_NONE : REACH_ALIAS,
		.owner = one_in(l, 3) ? OWNER_ANY_UNCACHED : OWNER_TYPE_FIXED,
		.vma_writable = !one_in(l, 6),
		.leaf_writable = !one_in(l, 6),
		.lazy = one_in(l, 2),
		.refuses_mkwrite = one_in(l, 6),
		.name = "memory",
	};

	m.size = m.level == LEVEL_4K ? SMALL * PAGE_SIZE : AREA_SIZE;
	m.leaf_writable &= m.vma_writable;
	m.declared = one_in(l, 4) ? (enum mem_type)roll(l, MEM_TYPE_COUNT) : m.type;
	m.special = m.type != MEM_WB || m.reach == REACH_NONE;
	m.special_lazily = m.special && m.lazy && one_in(l, 2);
	m.special &= !m.special_lazily;
	(void)world_host_map(l->w, &m);
}

static struct world_result do_host_unmap(struct life *l)
{
	u64 hva = one_in(l, 2) ? any_area(l) : any_hva(l), size = any_size(l);
	struct world_result r;

	if (one_in(l, 2))
		size = one_in(l, 2) ? SMALL * PAGE_SIZE : AREA_SIZE;
	r = world_host_unmap(l->w, HVA(hva), size);
	map_something(l);
	return r;
}

static struct world_result regroup(struct life *l)
{
	u64 hva = any_area(l) + (one_in(l, 2) ? SZ_2M : 0);

	return world_host_regroup(l->w, HVA(hva), one_in(l, 2) ? LEVEL_2M : LEVEL_4K);
}

static struct world_result do_host_protect(struct life *l)
{
	if (one_in(l, 3))
		return regroup(l);
	return world_host_protect(l->w, HVA(any_hva(l)), any_size(l),
				  one_in(l, 3) ? HOST_PROTECT_READ : HOST_PROTECT_WRITE);
}

/* RAM that the host maps write-back stays so mostly, or few lives would be about RAM. */
static struct world_result do_host_retype(struct life *l)
{
	return world_host_retype(l->w, HVA(any_hva(l)), any_size(l),
				 one_in(l, 2) ? MEM_WB : (enum mem_type)roll(l, MEM_TYPE_COUNT));
}

static struct world_result do_host_migrate(struct life *l)
{
	return world_host_migrate(l->w, HVA(any_hva(l)), any_size(l));
}

static struct world_result do_host_age(struct life *l)
{
	return world_host_age(l->w, HVA(any_hva(l)), any_size(l),
			      one_in(l, 2) ? S2_AGE_TEST : S2_AGE_CLEAR);
}

/* What touches no descriptor and so does not count, but gives the rest its meaning. */
static void do_host_access(struct life *l)
{
	hva_t hva = HVA(any_hva(l));
	enum machine_dma how = one_in(l, 2) ? DMA_COHERENT : DMA_BYPASS;

	switch (roll(l, 3)) {
	case 0: (void)world_host_write(l->w, hva); break;
	case 1: (void)world_host_read(l->w, hva); break;
	default: (void)world_dma(l->w, hva, how, one_in(l, 2)); break;
	}
}

/* ---- guests */

static struct world_result guest(struct life *l, enum machine_op op)
{
	struct machine_guest_op g = {
		.ipa = IPA(any_ipa(l)),
		.op = op,
		.s1 = one_in(l, 3) ? S1_OFF : S1_WB,
	};
	unsigned int vcpu = port_this_cpu(world_port(l->w)) * 2 + one_in(l, 4);

	if (one_in(l, 12))
		return world_guest_pair(l->w, any_vm(l), vcpu, &g);
	return world_guest(l->w, any_vm(l), vcpu, &g);
}

static struct world_result do_guest_read(struct life *l)
{
	return guest(l, MACHINE_READ);
}

static struct world_result do_guest_write(struct life *l)
{
	return guest(l, MACHINE_WRITE);
}

static struct world_result do_guest_fetch(struct life *l)
{
	return guest(l, MACHINE_FETCH);
}

static struct world_result do_guest_walk(struct life *l)
{
	struct machine_guest_op g = {
		.ipa = IPA(any_ipa(l)),
		.op = one_in(l, 2) ? MACHINE_READ : MACHINE_WRITE,
		.s1 = S1_WB,
		.table = { IPA(any_ipa(l)), IPA(any_ipa(l)) },
		.updates_af = one_in(l, 3),
	};

	return world_guest(l->w, any_vm(l), port_this_cpu(world_port(l->w)) * 2, &g);
}

static struct world_result do_guest_maintenance(struct life *l)
{
	static const enum machine_cmo ops[] = { CMO_CLEAN, CMO_CLEAN_INVAL, CMO_INVAL,
						CMO_CLEAN_POU, CMO_IC };

	return world_guest_cmo(l->w, any_vm(l), port_this_cpu(world_port(l->w)) * 2,
			       IPA(any_ipa(l)), ops[roll(l, ARRAY_SIZE(ops))]);
}

/* ---- the VMM */

static struct world_result slot_set(struct life *l, unsigned int vm, u64 id, u64 size)
{
	struct slot_request r = {
		.id = (u32)id,
		.flags = (one_in(l, 3) ? SLOT_LOG_DIRTY : 0) | (one_in(l, 6) ? SLOT_READONLY : 0) |
			 (one_in(l, 8) ? SLOT_WRITE_BACK : 0),
		.ipa = IPA(slot_ipa(id)),
		.size = size,
		.hva = HVA(AREA_HVA((id + (u64)one_in(l, 8)) % AREAS)),
	};

	if (one_in(l, 12))
		r.ipa.v += AREA_SIZE; /* a move, if it is there */
	if (one_in(l, 20))
		r.ipa.v += 1; /* refused */
	return world_slot(l->w, vm, &r);
}

static u64 any_slot_size(struct life *l)
{
	return one_in(l, 2) ? AREA_SIZE : SMALL * PAGE_SIZE;
}

static struct world_result slot_create(struct life *l)
{
	unsigned int vm = any_vm(l);
	u64 id = roll(l, SLOT_IDS);

	/* Something must have been there to be worth looking at. */
	(void)slot_set(l, vm, id, 0);
	return slot_set(l, vm, id, any_slot_size(l));
}

static struct world_result do_slot_delete(struct life *l)
{
	return slot_set(l, any_vm(l), roll(l, SLOT_IDS), 0);
}

static struct world_result do_slot_set(struct life *l)
{
	unsigned int vm = any_vm(l);
	u64 id = roll(l, SLOT_IDS);
	struct world_result r;

	if (one_in(l, 3))
		return slot_create(l);
	r = slot_set(l, vm, id, AREA_SIZE);
	return r.error ? slot_set(l, vm, id, SMALL * PAGE_SIZE) : r;
}

static struct world_result dirty_get(struct life *l)
{
	return world_dirty_get(l->w, any_vm(l), (u32)roll(l, SLOT_IDS));
}

static struct world_result dirty_clear(struct life *l)
{
	u64 first = one_in(l, 2) ? 0 : 64 * roll(l, 4);

	return world_dirty_clear(l->w, any_vm(l), (u32)roll(l, SLOT_IDS), first,
				 one_in(l, 2) ? SMALL : 64);
}

/* Of a slot that logs, if a few tries find one. */
static struct world_result do_dirty_log(struct life *l)
{
	struct world_result r = { .error = ERR_NOENT };

	for (int i = 0; i < 6 && r.error; i++)
		r = one_in(l, 2) ? dirty_get(l) : dirty_clear(l);
	return r;
}

static struct world_result do_prefault(struct life *l)
{
	ipa_t ipa = IPA(any_ipa(l) & PAGE_MASK);

	return world_prefault(l->w, any_vm(l), ipa, any_size(l) * (1 + 3 * one_in(l, 3)));
}

static struct world_result do_split(struct life *l)
{
	ipa_t ipa = IPA(slot_ipa(roll(l, SLOT_IDS)));

	return world_split(l->w, any_vm(l), ipa, one_in(l, 2) ? SZ_2M : AREA_SIZE);
}

static void policies(struct life *l, unsigned int vm)
{
	static const char *const names[] = { "strict_slots", "write_back", "ivac_upgrade",
					     "manual_dirty", "initially_dirty" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)world_policy(l->w, vm, names[i], one_in(l, 3));
	(void)world_policy(l->w, vm, "eager_split", one_in(l, 3) ? SZ_2M : 0);
}

static void vm_begin(struct life *l, unsigned int vm)
{
	(void)world_vm_create(l->w, vm);
	policies(l, vm);
	for (u64 id = 0; id < SLOT_IDS; id++)
		(void)slot_set(l, vm, id, any_slot_size(l));
}

static struct world_result do_vm_end(struct life *l)
{
	unsigned int vm = any_vm(l);
	struct world_result r = world_vm_destroy(l->w, vm);

	vm_begin(l, vm);
	return r;
}

/* ---- a life */

static struct world_result (*const operations[LIFE_KIND_COUNT])(struct life *l) = {
#define X(name) [LIFE_##name] = do_##name,
	LIFE_KINDS(X)
#undef X
};

/* Guests' accesses more often than the rest, and what came short more often than what did not. */
static enum life_kind any_kind(struct life *l)
{
	enum life_kind least = LIFE_guest_read;

	if (one_in(l, 5))
		return (enum life_kind)roll(l, LIFE_guest_maintenance + 1);
	if (one_in(l, 5))
		return (enum life_kind)roll(l, LIFE_KIND_COUNT);
	for (int k = 0; k < LIFE_KIND_COUNT; k++) {
		if (l->report.counted[k] < l->report.counted[least])
			least = (enum life_kind)k;
	}
	return least;
}

static void live_one(struct life *l)
{
	enum life_kind kind = any_kind(l);
	struct world_result r;

	if (one_in(l, 4))
		do_host_access(l);
	r = operations[kind](l);
	l->report.tried++;
	if (!r.descriptors)
		return;
	l->report.counted[kind]++;
	l->ops_left -= l->ops_left != 0;
}

static void live_part(void *arg)
{
	const struct part *p = arg;

	for (unsigned int i = 0; i < p->steps; i++)
		live_one(p->life);
}

static void live_alone(void *arg)
{
	struct life *l = arg;

	for (unsigned int i = 0; i < PHASE_EVERY; i++) {
		machine_cpu(world_port(l->w), (unsigned int)roll(l, l->config.caps.cpus));
		live_one(l);
		if (i % CHECK_EVERY == 0)
			world_check(l->w);
	}
}

static void check_rest(void *arg)
{
	struct life *l = arg;

	world_check(l->w);
	machine_quiesce(world_port(l->w));
}

static void end_all(void *arg)
{
	struct life *l = arg;

	world_end(l->w);
}

static void begin_all(void *arg)
{
	struct life *l = arg;

	for (int i = 0; i < 8; i++)
		map_something(l);
	for (unsigned int vm = 0; vm < VMS; vm++)
		vm_begin(l, vm);
}

static bool stops(struct life *l, void (*fn)(void *arg))
{
	struct port *p = world_port(l->w);

	if (!machine_refuses(p, fn, l))
		return false;
	l->report.stopped = true;
	fprintf(l->out, "stopped: %s\n", machine_refusal(p));
	world_explain(l->w, l->out);
	return true;
}

static bool live_together(struct life *l)
{
	static const char *const names[ACTORS] = { "first", "second", "third", "fourth" };
	static const char *const ends[] = { "", "", "dead lock", "live lock" };
	struct part parts[ACTORS];
	unsigned int count = 2 + (unsigned int)roll(l, (u64)l->config.caps.cpus - 1);
	enum stage_end end;

	for (unsigned int i = 0; i < count; i++) {
		parts[i] = (struct part){ l, i, 1 + (unsigned int)roll(l, STEPS_MAX) };
		world_actor(l->w, names[i], i, live_part, &parts[i]);
	}
	l->report.together++;
	end = world_run(l->w, LIMIT);
	if (end == STAGE_DONE)
		return true;
	l->report.stopped = true;
	fprintf(l->out, "stopped: %s\n",
		end == STAGE_REFUSED ? machine_refusal(world_port(l->w)) : ends[end]);
	world_explain(l->w, l->out);
	return false;
}

static void world_make(struct life *l)
{
	if (kept)
		world_reset(kept, &l->config, &l->chooser.chooser);
	else
		kept = world_new(&l->config, &l->chooser.chooser);
	l->w = kept;
}

/* What was answered so far need not be kept: the seed replays. */
static void forget_answers(struct life *l)
{
	l->chooser.answers.count = 0;
}

struct life_report life_run(u64 seed, u64 wanted, const char *cpu, FILE *out)
{
	struct life l = { .dice = seed * 0x9e3779b97f4a7c15UL + 1, .ops_left = wanted, .out = out };

	choose_machine(&l);
	if (cpu)
		(void)cpu_facts_set(&l.config.caps, cpu, 0, stderr);
	random_chooser_init(&l.chooser, seed);
	world_make(&l);
	if (!stops(&l, begin_all)) {
		while (l.ops_left && !stops(&l, live_alone) && live_together(&l) &&
		       !stops(&l, check_rest))
			forget_answers(&l);
	}
	if (!l.report.stopped)
		(void)stops(&l, end_all);
	if (l.report.stopped) {
		fprintf(out,
			"to see this life again:\n  catwalk check --simulate --seed %lu --runs 1 "
			"--operations %lu --cpu ",
			(unsigned long)seed, (unsigned long)wanted);
		cpu_facts_print(&l.config.caps, out);
		fputc('\n', out);
	}
	answers_free(&l.chooser.answers);
	return l.report;
}

void life_end(void)
{
	if (kept)
		world_delete(kept);
	kept = NULL;
}

/* ---- many lives */

static const char *const kind_names[LIFE_KIND_COUNT] = {
#define X(name) [LIFE_##name] = #name,
	LIFE_KINDS(X)
#undef X
};

static void print_mix(const struct life_report *sum)
{
	u64 all = 0;

	for (int k = 0; k < LIFE_KIND_COUNT; k++)
		all += sum->counted[k];
	for (int k = 0; k < LIFE_KIND_COUNT; k++)
		printf("%-20s %10lu %5.1f %%\n", kind_names[k], (unsigned long)sum->counted[k],
		       all ? 100.0 * (double)sum->counted[k] / (double)all : 0.0);
	printf("%lu operations, %lu phases of several actors\n", (unsigned long)all,
	       (unsigned long)sum->together);
}

int check_simulate(const struct simulate_request *r)
{
	struct life_report sum = { .tried = 0 };
	u64 failed = 0;

	if (r->cpu) {
		struct port_caps probe = { .cpus = 1, .vmid_bits = 8 };

		if (!cpu_facts_set(&probe, r->cpu, 0, stderr))
			return 2;
	}
	for (u64 i = 0; i < r->seeds; i++) {
		struct life_report one = life_run(r->seed + i, r->operations, r->cpu, stdout);

		for (int k = 0; k < LIFE_KIND_COUNT; k++)
			sum.counted[k] += one.counted[k];
		sum.together += one.together;
		failed += one.stopped;
	}
	life_end();
	print_mix(&sum);
	printf("%lu passed, %lu failed\n", (unsigned long)(r->seeds - failed),
	       (unsigned long)failed);
	return failed ? 1 : 0;
}
