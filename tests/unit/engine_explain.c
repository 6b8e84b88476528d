/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one answer (M7): every combination of facts against the rules of docs/guest-memory.md said a
 * second time, as predicates of which exactly one holds; and creation, fault and prefault of a
 * living VM against it.
 */
#include "engine/explain.h"
#include "tests/unit/engine_fixture.h"

#define EACH(var, count) for (int var = 0; var < (count); var++)

/* ---- every value of the facts */

/* The access: data read and write with and without syndrome, fetch, stage-1 walks of both, cache
 * maintenance of both meanings. */
enum { ACCESSES = 13, REQS = ACCESSES * FAULT_KINDS };
static struct fault_req reqs[REQS];

static void fill_reqs(void)
{
	static const struct fault_req accesses[ACCESSES] = {
		{ .access = MEM_READ, .has_syndrome = true },
		{ .access = MEM_READ },
		{ .access = MEM_WRITE, .has_syndrome = true },
		{ .access = MEM_WRITE },
		{ .access = MEM_EXEC, .is_fetch = true },
		{ .access = MEM_READ, .is_walk = true },
		{ .access = MEM_WRITE, .is_walk = true },
		{ .access = MEM_READ, .is_walk = true, .is_fetch = true },
		{ .access = MEM_WRITE, .is_walk = true, .is_fetch = true },
		{ .access = MEM_READ, .is_cmo = true },
		{ .access = MEM_WRITE, .is_cmo = true },
		{ .access = MEM_READ, .is_cmo = true, .has_syndrome = true },
		{ .access = MEM_WRITE, .is_cmo = true, .has_syndrome = true },
	};

	EACH(i, REQS)
	{
		reqs[i] = accesses[i % ACCESSES];
		reqs[i].kind = (enum fault_kind)(i / ACCESSES);
	}
}

/* No slot; beyond the IPA size; slots with all flags in three geometries. */
enum { FLAGS = 8, GEOMETRIES = 3, SLOTS = 2 + FLAGS * GEOMETRIES };
enum { SLOT_ABSENT, SLOT_BEYOND, SLOT_FIRST };
static struct slot_view slots[SLOTS];
static s8 slot_level_is[SLOTS];
#define MIDDLE_IPA 0x80000000UL

static void fill_slots(void)
{
	static const u64 hva[GEOMETRIES] = { 0x7f0000000000, 0x7f0000200000, 0x7f0000001000 };

	for (int i = SLOT_FIRST; i < SLOTS; i++) {
		int bits = (i - SLOT_FIRST) / GEOMETRIES, g = (i - SLOT_FIRST) % GEOMETRIES;

		slots[i] = (struct slot_view){
			.gfn = 0x40000,
			.npages = 0x100000,
			.hva = HVA(hva[g]),
			.flags = (bits & 1 ? SLOT_READONLY : 0) | (bits & 2 ? SLOT_WRITE_BACK : 0) |
				 (bits & 4 ? SLOT_LOG_DIRTY : 0),
			.logging = (bits & 4) && !(bits & 1),
		};
		slot_level_is[i] = (s8)(LEVEL_1G + g);
	}
}

/* Every leaf, and every way to have none. */
enum { LEAVES = MEM_TYPE_COUNT * REACH_COUNT * OWNER_COUNT * 2 * 3, NO_LEAF = 7 };
enum { HOSTS = LEAVES + NO_LEAF };
static struct fault_backing hosts[HOSTS];

static void fill_hosts(void)
{
	static const struct fault_backing none[NO_LEAF] = {
		{ .error = ERR_FAULT, .why = WHY_NO_VMA },
		{ .error = ERR_FAULT, .why = WHY_NOT_WRITABLE },
		{ .error = ERR_FAULT, .why = WHY_OWNER_REFUSED_WRITE },
		{ .error = ERR_AGAIN, .why = WHY_RACED },
		{ .error = ERR_HWPOISON, .why = WHY_HOST_POISON },
		{ .error = ERR_NOMEM, .why = WHY_HOST_NOMEM },
		{ .error = ERR_INTR, .why = WHY_HOST_SIGNAL },
	};

	EACH(i, LEAVES)
	{
		int x = i;
		struct host_leaf leaf = { .pa = PA(0xc0000000) };

		leaf.type = (enum mem_type)(x % MEM_TYPE_COUNT), x /= MEM_TYPE_COUNT;
		leaf.reach = (enum mem_reach)(x % REACH_COUNT), x /= REACH_COUNT;
		leaf.owner = (enum mem_owner)(x % OWNER_COUNT), x /= OWNER_COUNT;
		leaf.writable = x % 2, x /= 2;
		leaf.level = (s8)(LEVEL_1G + x);
		hosts[i] = (struct fault_backing){ .error = ERR_OK, .leaf = leaf };
	}
	memcpy(&hosts[LEAVES], none, sizeof(none));
}

/* FWB implies IDC: three of the four. */
enum { CPUS = 3 * 2, CPU_HOWS = 3 * 3 * 2 };

static struct port_caps cpu_of(int cpu, int how)
{
	return (struct port_caps){
		.fwb = cpu % 3 == 2,
		.idc = cpu % 3 != 0,
		.dic = cpu / 3,
		.hw_af = how % 3 != 0,
		.hw_dbm = how % 3 == 2,
		.bbm = (u8)(how / 3 % 3),
		.tlb_range = how / 9,
	};
}

/* The VM: what it does about DC IVAC, where its tables start, whether hardware marks pages. */
enum { VMS = 8 };

static struct vm_facts vm_of(int vm)
{
	return (struct vm_facts){
		.ipa_bits = 40,
		.ivac = vm & 1 ? IVAC_UPGRADE : IVAC_INJECT,
		.top_level = vm & 2 ? LEVEL_2M : LEVEL_1G,
		.hw_dirty = vm & 4,
	};
}

struct combo {
	struct facts f;
	struct port_caps caps;
	int slot; /* index */
};

static struct combo combo_of(int req, int vm, int slot, int host, int cpu)
{
	struct combo c = {
		.f = {
			.req = reqs[req],
			.slot = slot >= SLOT_FIRST ? &slots[slot] : NULL,
			.host = hosts[host],
			.vm = vm_of(vm),
		},
		.caps = cpu_of(cpu, 0),
		.slot = slot,
	};

	c.f.req.ipa = IPA(slot == SLOT_BEYOND ? 1UL << 40 : MIDDLE_IPA);
	return c;
}

/* Without a slot there is no host memory, whose facts could vary. */
static int hosts_of(int slot)
{
	return slot >= SLOT_FIRST ? HOSTS : 1;
}

static u64 for_each(void (*check)(const struct combo *c, const struct explanation *e))
{
	u64 n = 0;

	fill_reqs();
	fill_slots();
	fill_hosts();
	EACH(req, REQS)
	EACH(vm, VMS)
	EACH(slot, SLOTS)
	EACH(host, hosts_of(slot))
	EACH(cpu, CPUS)
	{
		struct combo c = combo_of(req, vm, slot, host, cpu);
		struct explanation e;

		c.f.caps = &c.caps;
		e = explain(&c.f);
		check(&c, &e);
		n++;
	}
	return n;
}

/* ---- the rules in words. Each says by itself when it holds. */

static bool reads_or_fetches_or_writes(const struct combo *c)
{
	return c->f.req.kind != FAULT_UNSUPPORTED && c->f.req.kind != FAULT_EXTERNAL &&
	       c->f.req.kind != FAULT_TLB_CONFLICT;
}

static bool is_beyond(const struct combo *c)
{
	return reads_or_fetches_or_writes(c) && c->slot == SLOT_BEYOND;
}

static bool is_write_to_read_only_slot(const struct combo *c)
{
	return c->f.slot && (c->f.slot->flags & SLOT_READONLY) && c->f.req.access == MEM_WRITE;
}

static bool is_ivac(const struct combo *c)
{
	return reads_or_fetches_or_writes(c) && is_write_to_read_only_slot(c) && c->f.req.is_cmo;
}

static bool is_outside(const struct combo *c)
{
	return reads_or_fetches_or_writes(c) && !is_beyond(c) && !is_ivac(c) &&
	       (!c->f.slot || is_write_to_read_only_slot(c));
}

static bool is_inside(const struct combo *c)
{
	return reads_or_fetches_or_writes(c) && c->f.slot && !is_write_to_read_only_slot(c);
}

static bool wants_memory(const struct combo *c)
{
	return is_inside(c) &&
	       (c->f.req.kind == FAULT_TRANSLATION || c->f.req.kind == FAULT_PERMISSION);
}

static bool asks_host(const struct combo *c)
{
	return wants_memory(c) || (is_ivac(c) && c->f.vm.ivac == IVAC_UPGRADE);
}

static bool has_leaf(const struct combo *c)
{
	return wants_memory(c) && c->f.host.error == ERR_OK;
}

static bool is_wb(const struct combo *c)
{
	return c->f.host.leaf.type == MEM_WB;
}

static bool cannot_be_cleaned(const struct combo *c)
{
	return is_wb(c) && c->f.host.leaf.reach == REACH_NONE && !c->caps.fwb;
}

static bool breaks_guarantee(const struct combo *c)
{
	return (c->f.slot->flags & SLOT_WRITE_BACK) && !(is_wb(c) && c->caps.fwb) &&
	       !cannot_be_cleaned(c);
}

static enum s2_type type_in_words(const struct combo *c)
{
	const struct host_leaf *l = &c->f.host.leaf;

	if (is_wb(c))
		return S2_NORMAL;
	if (l->owner == OWNER_ANY_UNCACHED || (l->type == MEM_NC && l->reach == REACH_ALIAS))
		return S2_NORMAL_NC;
	return S2_DEVICE;
}

static bool fetches_uncached(const struct combo *c)
{
	return c->f.req.access == MEM_EXEC && !is_wb(c) && !breaks_guarantee(c);
}

/* With HCR_EL2.PTW = 1 the CPU does not. */
static bool walks_device(const struct combo *c)
{
	return c->f.req.is_walk && type_in_words(c) == S2_DEVICE && !breaks_guarantee(c);
}

static bool writes_read_only(const struct combo *c)
{
	return c->f.req.access == MEM_WRITE && !c->f.host.leaf.writable && !cannot_be_cleaned(c) &&
	       !breaks_guarantee(c) && !walks_device(c);
}

static bool is_refused(const struct combo *c)
{
	return has_leaf(c) && (cannot_be_cleaned(c) || breaks_guarantee(c) || writes_read_only(c));
}

static bool maps(const struct combo *c)
{
	return has_leaf(c) && !is_refused(c) && !fetches_uncached(c) && !walks_device(c);
}

static bool m6_tlb_conflict(const struct combo *c)
{
	return c->f.req.kind == FAULT_TLB_CONFLICT;
}
static bool unsupported(const struct combo *c)
{
	return c->f.req.kind == FAULT_UNSUPPORTED;
}
static bool external(const struct combo *c)
{
	return c->f.req.kind == FAULT_EXTERNAL;
}
static bool beyond_data(const struct combo *c)
{
	return is_beyond(c) && !c->f.req.is_fetch;
}
static bool beyond_fetch(const struct combo *c)
{
	return is_beyond(c) && c->f.req.is_fetch;
}
static bool m12_ivac_aborts(const struct combo *c)
{
	return is_ivac(c) && c->f.vm.ivac == IVAC_INJECT;
}
static bool m12_ivac_is_performed(const struct combo *c)
{
	return is_ivac(c) && c->f.vm.ivac == IVAC_UPGRADE && c->f.host.error == ERR_OK;
}
static bool m15_walk_outside(const struct combo *c)
{
	return is_outside(c) && c->f.req.is_walk && !c->f.req.is_fetch;
}
static bool m15_walk_of_fetch_outside(const struct combo *c)
{
	return is_outside(c) && c->f.req.is_walk && c->f.req.is_fetch;
}
static bool m15_fetch_outside(const struct combo *c)
{
	return is_outside(c) && !c->f.req.is_walk && c->f.req.is_fetch;
}
static bool m12_outside(const struct combo *c)
{
	return is_outside(c) && c->f.req.is_cmo;
}
static bool is_plain(const struct combo *c)
{
	return !c->f.req.is_walk && !c->f.req.is_fetch && !c->f.req.is_cmo;
}
static bool m15_no_syndrome(const struct combo *c)
{
	return is_outside(c) && is_plain(c) && !c->f.req.has_syndrome;
}
static bool m15_mmio(const struct combo *c)
{
	return is_outside(c) && is_plain(c) && c->f.req.has_syndrome;
}
static bool exclusive(const struct combo *c)
{
	return is_inside(c) && c->f.req.kind == FAULT_EXCLUSIVE;
}
static bool m13_aged(const struct combo *c)
{
	return is_inside(c) && c->f.req.kind == FAULT_ACCESS_FLAG;
}
static bool m13_raced(const struct combo *c)
{
	return asks_host(c) && c->f.host.error == ERR_AGAIN;
}
static bool m1_poison(const struct combo *c)
{
	return asks_host(c) && c->f.host.error == ERR_HWPOISON;
}
static bool m1_no_memory(const struct combo *c)
{
	return asks_host(c) && c->f.host.error == ERR_NOMEM;
}
static bool m1_signal(const struct combo *c)
{
	return asks_host(c) && c->f.host.error == ERR_INTR;
}
static bool m12_host_refuses(const struct combo *c)
{
	return asks_host(c) && c->f.host.error == ERR_FAULT && c->f.req.is_cmo;
}
static bool m8_host_refuses(const struct combo *c)
{
	return asks_host(c) && c->f.host.error == ERR_FAULT && !c->f.req.is_cmo &&
	       c->f.host.why != WHY_OWNER_REFUSED_WRITE;
}
static bool m14_owner_refuses(const struct combo *c)
{
	return asks_host(c) && c->f.host.error == ERR_FAULT && !c->f.req.is_cmo &&
	       c->f.host.why == WHY_OWNER_REFUSED_WRITE;
}
static bool m12_refused(const struct combo *c)
{
	return is_refused(c) && c->f.req.is_cmo;
}
static bool m4(const struct combo *c)
{
	return has_leaf(c) && !c->f.req.is_cmo && cannot_be_cleaned(c);
}
static bool m10(const struct combo *c)
{
	return has_leaf(c) && !c->f.req.is_cmo && breaks_guarantee(c);
}
static bool m8(const struct combo *c)
{
	return has_leaf(c) && !c->f.req.is_cmo && writes_read_only(c);
}
static bool m5_fetch(const struct combo *c)
{
	return has_leaf(c) && fetches_uncached(c);
}
static bool m5_walk(const struct combo *c)
{
	return has_leaf(c) && walks_device(c) && !c->f.req.is_fetch;
}
static bool m5_walk_of_fetch(const struct combo *c)
{
	return has_leaf(c) && walks_device(c) && c->f.req.is_fetch;
}
static bool m17_unlogged(const struct combo *c)
{
	return maps(c) && c->f.slot->logging && !is_wb(c);
}
static bool m2(const struct combo *c)
{
	return maps(c) && is_wb(c) && c->f.host.leaf.reach == REACH_ALIAS;
}
static bool m3(const struct combo *c)
{
	return maps(c) && is_wb(c) && c->f.host.leaf.reach == REACH_NONE;
}
static bool m5(const struct combo *c)
{
	return maps(c) && !is_wb(c) && !c->f.slot->logging;
}

enum { NO_ABORT = -1 };
static const struct rule {
	const char *name;
	bool (*holds)(const struct combo *c);
	unsigned int rule;
	enum answer answer;
	enum outcome_kind kind;
	int inject;
	int error;
} rules[] = {
	{ "unsupported", unsupported, 15, ANSWER_EXIT, OUTCOME_MEMORY_FAULT, NO_ABORT, ERR_FAULT },
	{ "external", external, 15, ANSWER_EXIT, OUTCOME_EXTERNAL, NO_ABORT, 0 },
	{ "M6 TLB conflict", m6_tlb_conflict, 6, ANSWER_RETRY, OUTCOME_RESUME, NO_ABORT, 0 },
	{ "beyond", beyond_data, 15, ANSWER_INJECT, OUTCOME_INJECT, INJECT_SEA_DATA, 0 },
	{ "beyond, fetch", beyond_fetch, 15, ANSWER_INJECT, OUTCOME_INJECT, INJECT_SEA_FETCH, 0 },
	{ "M12 IVAC", m12_ivac_aborts, 12, ANSWER_INJECT, OUTCOME_INJECT, INJECT_SEA_DATA, 0 },
	{ "M12 CIVAC", m12_ivac_is_performed, 12, ANSWER_SKIP, OUTCOME_SKIP, NO_ABORT, 0 },
	{ "M15 walk", m15_walk_outside, 15, ANSWER_INJECT, OUTCOME_INJECT, INJECT_SEA_DATA, 0 },
	{ "M15 walk of a fetch", m15_walk_of_fetch_outside, 15, ANSWER_INJECT, OUTCOME_INJECT,
	  INJECT_SEA_FETCH, 0 },
	{ "M15 fetch", m15_fetch_outside, 15, ANSWER_INJECT, OUTCOME_INJECT, INJECT_SEA_FETCH, 0 },
	{ "M12 outside", m12_outside, 12, ANSWER_SKIP, OUTCOME_SKIP, NO_ABORT, 0 },
	{ "M15 no syndrome", m15_no_syndrome, 15, ANSWER_EXIT, OUTCOME_NO_SYNDROME, NO_ABORT, 0 },
	{ "M15 MMIO", m15_mmio, 15, ANSWER_EXIT, OUTCOME_MMIO, NO_ABORT, 0 },
	{ "exclusive", exclusive, 15, ANSWER_INJECT, OUTCOME_INJECT, INJECT_EXCLUSIVE, 0 },
	{ "M13 aged", m13_aged, 13, ANSWER_AGE, OUTCOME_RESUME, NO_ABORT, 0 },
	{ "M13 raced", m13_raced, 13, ANSWER_RETRY, OUTCOME_RESUME, NO_ABORT, 0 },
	{ "M1 poison", m1_poison, 1, ANSWER_EXIT, OUTCOME_SIGBUS, NO_ABORT, 0 },
	{ "M1 memory", m1_no_memory, 1, ANSWER_ERROR, OUTCOME_ERROR, NO_ABORT, ERR_NOMEM },
	{ "M1 signal", m1_signal, 1, ANSWER_ERROR, OUTCOME_ERROR, NO_ABORT, ERR_INTR },
	{ "M12 no page", m12_host_refuses, 12, ANSWER_SKIP, OUTCOME_SKIP, NO_ABORT, 0 },
	{ "M8 no page", m8_host_refuses, 8, ANSWER_EXIT, OUTCOME_MEMORY_FAULT, NO_ABORT,
	  ERR_FAULT },
	{ "M14", m14_owner_refuses, 14, ANSWER_EXIT, OUTCOME_MEMORY_FAULT, NO_ABORT, ERR_FAULT },
	{ "M12 refused", m12_refused, 12, ANSWER_SKIP, OUTCOME_SKIP, NO_ABORT, 0 },
	{ "M4", m4, 4, ANSWER_EXIT, OUTCOME_MEMORY_FAULT, NO_ABORT, ERR_FAULT },
	{ "M10", m10, 10, ANSWER_EXIT, OUTCOME_MEMORY_FAULT, NO_ABORT, ERR_FAULT },
	{ "M8", m8, 8, ANSWER_EXIT, OUTCOME_MEMORY_FAULT, NO_ABORT, ERR_FAULT },
	{ "M5 fetch", m5_fetch, 5, ANSWER_INJECT, OUTCOME_INJECT, INJECT_SEA_FETCH, 0 },
	{ "M5 walk", m5_walk, 5, ANSWER_INJECT, OUTCOME_INJECT, INJECT_SEA_DATA, 0 },
	{ "M5 walk of a fetch", m5_walk_of_fetch, 5, ANSWER_INJECT, OUTCOME_INJECT,
	  INJECT_SEA_FETCH, 0 },
	{ "M17", m17_unlogged, 17, ANSWER_MAP, OUTCOME_RESUME, NO_ABORT, 0 },
	{ "M2", m2, 2, ANSWER_MAP, OUTCOME_RESUME, NO_ABORT, 0 },
	{ "M3", m3, 3, ANSWER_MAP, OUTCOME_RESUME, NO_ABORT, 0 },
	{ "M5", m5, 5, ANSWER_MAP, OUTCOME_RESUME, NO_ABORT, 0 },
};

static u64 rule_hits[ARRAY_SIZE(rules)];

/* Total and disjoint: exactly one holds. */
static const struct rule *rule_of(const struct combo *c)
{
	const struct rule *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (!rules[i].holds(c))
			continue;
		if (found)
			fail_msg("both \"%s\" and \"%s\" hold", found->name, rules[i].name);
		found = &rules[i];
		rule_hits[i]++;
	}
	if (!found)
		fail_msg("no rule holds");
	return found;
}

static bool why_hit[WHY_COUNT];

static void check_answer(const struct combo *c, const struct explanation *e)
{
	const struct rule *r = rule_of(c);

	why_hit[e->why] = true;
	if (e->answer != r->answer || e->outcome.kind != r->kind || e->outcome.error != r->error ||
	    (r->inject != NO_ABORT && (int)e->outcome.inject != r->inject) ||
	    reason_rule(e->why) != r->rule || e->outcome.why != e->why)
		fail_msg("%s: got %s, outcome %d, error %d, rule %u (%s)", r->name,
			 answer_name(e->answer), (int)e->outcome.kind, e->outcome.error,
			 reason_rule(e->why), reason_text(e->why));
}

static void every_combination_has_exactly_one_answer(void **state)
{
	u64 n = for_each(check_answer);

	(void)state;
	print_message("explain: %lu combinations, %lu rules\n", (unsigned long)n,
		      (unsigned long)ARRAY_SIZE(rules));
	assert_int_equal(n, (u64)REQS * VMS * (2 + FLAGS * GEOMETRIES * HOSTS) * CPUS);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (!rule_hits[i])
			fail_msg("rule \"%s\" is dead", rules[i].name);
	}
}

/* ---- what a mapping is */

static u8 perms_in_words(const struct combo *c)
{
	bool writes = c->f.req.access == MEM_WRITE, fetches = c->f.req.access == MEM_EXEC;
	bool logged = c->f.slot->logging && is_wb(c);
	u8 perms = S2_R;

	if (c->f.host.leaf.writable && !(c->f.slot->flags & SLOT_READONLY) && (writes || !logged))
		perms |= S2_W;
	if (c->f.host.leaf.writable && logged && c->f.vm.hw_dirty)
		perms |= S2_DBM;
	if (is_wb(c) && (fetches || c->caps.dic))
		perms |= S2_X;
	return perms;
}

static u8 owed_in_words(const struct combo *c)
{
	bool alias = c->f.host.leaf.reach == REACH_ALIAS;
	u8 owed = 0;

	if (alias && !(is_wb(c) && c->caps.fwb))
		owed |= CMO_DCACHE;
	if ((perms_in_words(c) & S2_X) && !c->caps.dic)
		owed |= alias ? CMO_ICACHE : CMO_ICACHE_ALL;
	return owed;
}

static s8 level_in_words(const struct combo *c)
{
	s8 level = max(c->f.vm.top_level, max(c->f.host.leaf.level, slot_level_is[c->slot]));

	return c->f.slot->logging && is_wb(c) ? LEVEL_4K : level;
}

/* What bound it: at the level there is a limit that says so, and none says more. */
static bool binds(const struct combo *c, enum limit by, s8 level)
{
	switch (by) {
	case LIMIT_NONE: return level == LEVEL_1G;
	case LIMIT_HOST: return c->f.host.leaf.level == level;
	case LIMIT_TABLE: return c->f.vm.top_level == level;
	case LIMIT_SLOT: return slot_level_is[c->slot] == level;
	case LIMIT_LOGGING: return c->f.slot->logging && is_wb(c) && level == LEVEL_4K;
	case LIMIT_COUNT: break;
	}
	return false;
}

static bool limit_hit[LIMIT_COUNT];

static void check_plan(const struct combo *c, const struct explanation *e)
{
	const struct fault_plan *p = &e->plan;
	u64 mask;

	if (!maps(c))
		return;
	mask = level_size(p->level) - 1;
	limit_hit[p->bound_by] = true;
	assert_true(p->type == type_in_words(c) && p->perms == perms_in_words(c));
	assert_true(p->owed == owed_in_words(c));
	assert_true(p->owed_after == (is_wb(c) && !c->caps.fwb ? CMO_DCACHE : 0));
	assert_true(p->level == level_in_words(c) && binds(c, p->bound_by, p->level));
	assert_true(p->ipa.v == (c->f.req.ipa.v & ~mask) && !(p->pa.v & mask));
	assert_true(p->logged == (c->f.slot->logging && is_wb(c)));
	assert_true(p->surprising == (c->f.slot->logging && !is_wb(c)));
	assert_true(e->outcome.bound_by == p->bound_by);
}

static void m6_every_mapping_is_what_the_rules_say(void **state)
{
	(void)state;
	for_each(check_plan);
	EACH(i, LIMIT_COUNT)
	assert_true(limit_hit[i]);
}

/* ---- CPU facts that say how a change is made, and not what is to be: FEAT_HAFDBS, BBM level, TLBI
 * by range */

static bool plans_equal(const struct fault_plan *a, const struct fault_plan *b)
{
	return a->verdict == b->verdict && a->type == b->type && a->perms == b->perms &&
	       a->level == b->level && a->bound_by == b->bound_by && a->owed == b->owed &&
	       a->owed_after == b->owed_after && a->logged == b->logged &&
	       a->surprising == b->surprising && a->pa.v == b->pa.v && a->ipa.v == b->ipa.v;
}

static u64 varied;

static void check_cpu(const struct combo *c, const struct explanation *e)
{
	for (int how = 0; how < CPU_HOWS; how++) {
		struct facts f = c->f;
		struct port_caps caps = cpu_of(0, how);
		struct explanation x;

		if (c->f.vm.hw_dirty && !caps.hw_dbm)
			continue; /* a VM uses what there is */
		caps.fwb = c->caps.fwb;
		caps.dic = c->caps.dic;
		caps.idc = c->caps.idc;
		f.caps = &caps;
		x = explain(&f);
		varied++;
		if (x.answer != e->answer || x.why != e->why || x.outcome.kind != e->outcome.kind ||
		    !plans_equal(&x.plan, &e->plan))
			fail_msg("the verdict depends on how a CPU changes a descriptor");
	}
}

static void no_verdict_depends_on_how_a_cpu_changes_descriptors(void **state)
{
	(void)state;
	for_each(check_cpu);
	print_message("explain: %lu combinations with HAFDBS, BBM level and range TLBI\n",
		      (unsigned long)varied);
}

/* ---- M18 */

static void m18_every_answer_has_its_rule_and_a_sentence(void **state)
{
	(void)state;
	for_each(check_answer);
	EACH(i, WHY_COUNT)
	{
		if (!why_hit[i])
			continue;
		assert_in_range(reason_rule((enum reason)i), 1, 18);
		assert_true(strlen(reason_text((enum reason)i)) > 10);
	}
	assert_false(why_hit[WHY_NONE]);
	EACH(a, ANSWER_COUNT)
	assert_true(strlen(answer_name((enum answer)a)) > 2);
	assert_string_equal(answer_name(ANSWER_COUNT), "unknown");
}

/* ---- M7: slot creation, with facts unknown */

static struct explanation read_fault(const struct host_leaf *leaf, u32 flags,
				     const struct port_caps *caps)
{
	struct slot_view slot = {
		.gfn = FX_IPA >> PAGE_SHIFT,
		.npages = 1,
		.hva = HVA(FX_HVA),
		.flags = flags,
		.logging = (flags & SLOT_LOG_DIRTY) && !(flags & SLOT_READONLY),
	};
	struct facts f = {
		.req = { .kind = FAULT_TRANSLATION, .access = MEM_READ, .ipa = IPA(FX_IPA) },
		.slot = &slot,
		.host = { .error = ERR_OK, .leaf = *leaf },
		.vm = { .ipa_bits = 40, .top_level = LEVEL_1G },
		.caps = caps,
	};

	return explain(&f);
}

/* Logging where the type is known and not write-back is refused beforehand; where it is not, a
 * fault maps it unlogged (M17). */
static bool log_refuses(u32 flags, bool special, enum mem_type type)
{
	return (flags & SLOT_LOG_DIRTY) && special && type != MEM_WB;
}

/* Is there a completion of what is unknown that a read fault maps and logging allows? */
static bool some_completion_is_kept(const struct area_facts *a, u32 flags,
				    const struct port_caps *caps)
{
	EACH(type, MEM_TYPE_COUNT)
	EACH(reach, REACH_COUNT)
	{
		struct host_leaf leaf = {
			.type = (enum mem_type)type,
			.reach = (enum mem_reach)reach,
			.owner = a->owner,
			.writable = a->writable,
			.level = LEVEL_4K,
		};

		if ((a->type_known == KNOWN && leaf.type != a->type) ||
		    (a->reach_known == KNOWN && leaf.reach != a->reach))
			continue;
		if (read_fault(&leaf, flags, caps).answer == ANSWER_MAP &&
		    !log_refuses(flags, a->special, leaf.type))
			return true;
	}
	return false;
}

static u32 flags_of(int bits)
{
	return (bits & 1 ? SLOT_READONLY : 0) | (bits & 2 ? SLOT_WRITE_BACK : 0) |
	       (bits & 4 ? SLOT_LOG_DIRTY : 0);
}

static struct area_facts area_of(int x)
{
	struct area_facts a;

	a.type = (enum mem_type)(x % MEM_TYPE_COUNT), x /= MEM_TYPE_COUNT;
	a.reach = (enum mem_reach)(x % REACH_COUNT), x /= REACH_COUNT;
	a.owner = (enum mem_owner)(x % OWNER_COUNT), x /= OWNER_COUNT;
	a.type_known = x & 1 ? UNKNOWN : KNOWN;
	a.reach_known = x & 2 ? UNKNOWN : KNOWN;
	a.special = x & 4;
	a.writable = x & 8;
	return a;
}

enum { AREAS = MEM_TYPE_COUNT * REACH_COUNT * OWNER_COUNT * 16 };

static void check_creation(const struct area_facts *a, u32 flags, enum slot_strictness strict,
			   const struct port_caps *caps)
{
	struct slot_verdict v = decide_slot(a, flags, strict, caps);
	bool m8_refuses = strict == SLOTS_STRICT && !a->writable && !(flags & SLOT_READONLY);
	int expected = ERR_OK;

	if (!some_completion_is_kept(a, flags, caps))
		expected = ERR_INVAL;
	else if (m8_refuses)
		expected = ERR_PERM;
	assert_int_equal(v.error, expected);
	if (v.error)
		assert_in_range(reason_rule(v.why), 4, 17);
	else
		assert_int_equal(v.why, WHY_NONE);
}

static void m7_creation_refuses_what_no_read_fault_can_map(void **state)
{
	u64 n = 0;

	(void)state;
	EACH(area, AREAS)
	EACH(bits, FLAGS)
	EACH(strict, 2)
	EACH(cpu, CPUS)
	{
		struct area_facts a = area_of(area);
		struct port_caps caps = cpu_of(cpu, 0);

		check_creation(&a, flags_of(bits), strict ? SLOTS_STRICT : SLOTS_LENIENT, &caps);
		n++;
	}
	print_message("creation: %lu combinations, known and unknown facts\n", (unsigned long)n);
}

/* ---- M7: creation, fault and prefault of a living VM */

static struct host_leaf leaf_behind(const struct fx *f)
{
	return (struct host_leaf){
		.pa = PA(f->host.pa),
		.type = f->host.type,
		.reach = f->host.reach,
		.owner = f->host.owner,
		.writable = f->host.vma_writable,
		.level = LEVEL_4K,
	};
}

static void set_host(struct fx *f, int x)
{
	f->host.type = (enum mem_type)(x % MEM_TYPE_COUNT), x /= MEM_TYPE_COUNT;
	f->host.reach = (enum mem_reach)(x % REACH_COUNT), x /= REACH_COUNT;
	f->host.owner = (enum mem_owner)(x % OWNER_COUNT), x /= OWNER_COUNT;
	f->host.vma_writable = x & 1;
	f->host.special = x & 2 || f->host.type != MEM_WB || f->host.reach == REACH_NONE;
	f->host.present[0] = !!(x & 4);
	f->host.writable[0] = f->host.present[0] && f->host.vma_writable;
}

enum { WORLDS = MEM_TYPE_COUNT * REACH_COUNT * OWNER_COUNT * 8 };

static void check_fault(struct fx *f, const struct explanation *e)
{
	struct fault_trap t = trap_at(ESR_DABT | ESR_ISV | 7, FX_IPA);
	struct fault_outcome o = fault_handle(&f->m, &t);
	struct s2_leaf leaf;
	bool mapped = stage2_lookup(&f->m.s2, IPA(FX_IPA), &leaf);

	assert_int_equal(o.kind, e->outcome.kind);
	assert_int_equal(o.why, e->why);
	assert_int_equal(mapped, e->answer == ANSWER_MAP);
	if (!mapped)
		return;
	assert_int_equal(leaf.type, e->plan.type);
	assert_int_equal(leaf.perms, e->plan.perms);
	assert_int_equal(leaf.level, e->plan.level);
	assert_int_equal(o.bound_by, e->plan.bound_by);
}

static void check_prefault(struct fx *f, const struct explanation *e, bool present)
{
	struct slot_span page = { 0, PAGE_SIZE };
	struct prefault_result r;
	bool maps = e->answer == ANSWER_MAP;

	f->host.present[0] = present;
	r = guest_mem_prefault_slot(&f->m, 0, page, PREFAULT_PRESENT);
	assert_int_equal(r.done, PAGE_SIZE);
	assert_int_equal(r.skipped, maps && present ? 0 : PAGE_SIZE);
	if (r.skipped)
		assert_int_equal(r.skip_why, present ? e->why : WHY_NOT_PRESENT);
	r = guest_mem_prefault(&f->m, IPA(FX_IPA), PAGE_SIZE);
	assert_int_equal(r.error, ERR_OK);
	assert_int_equal(r.done, PAGE_SIZE);
	assert_int_equal(r.skipped, maps ? 0 : PAGE_SIZE);
	if (r.skipped)
		assert_int_equal(r.skip_why, e->why);
}

/* What a slot call knows: declared type, and the rest from a leaf that is there. */
static int verdict_on_slot(const struct fx *f, u32 flags)
{
	struct area_facts a = {
		.type_known = KNOWN,
		.type = f->host.type,
		.reach_known = f->host.present[0] || !f->host.special ? KNOWN : UNKNOWN,
		.reach = f->host.reach,
		.owner = f->host.owner,
		.special = f->host.special,
		.writable = f->host.vma_writable,
	};

	return decide_slot(&a, flags, SLOTS_LENIENT, f->m.s2.caps).error;
}

/* A flag change is refused where creation with the new flags would be (M7). */
static void check_changes(struct fx *f, u32 flags)
{
	EACH(bits, FLAGS)
	{
		u32 changed = flags_of(bits);
		int error;

		if ((changed ^ flags) & SLOT_READONLY)
			continue;
		error = fx_slot(f, 0, changed, FX_IPA, PAGE_SIZE, FX_HVA);
		/* Nothing to change: nothing to check. */
		assert_int_equal(error, changed == flags ? ERR_OK : verdict_on_slot(f, changed));
		if (!error)
			assert_int_equal(fx_slot(f, 0, flags, FX_IPA, PAGE_SIZE, FX_HVA), ERR_OK);
	}
}

static void check_world(struct fx *f, u32 flags)
{
	bool present = f->host.present[0];
	struct host_leaf leaf = leaf_behind(f);
	struct explanation e = read_fault(&leaf, flags, f->m.s2.caps);
	bool known = present || !f->host.special;
	bool kept = e.answer == ANSWER_MAP && !log_refuses(flags, f->host.special, leaf.type);
	int error = fx_slot(f, 0, flags, FX_IPA, PAGE_SIZE, FX_HVA);

	assert_int_equal(error, verdict_on_slot(f, flags));
	if (known)
		assert_int_equal(error, kept ? ERR_OK : ERR_INVAL);
	if (error) {
		assert_false(kept);
		assert_int_equal(f->m.refusal.error, error);
		assert_true(reason_rule(f->m.refusal.why) != 0);
		return;
	}
	check_changes(f, flags);
	check_fault(f, &e);
	guest_mem_unmap_all(&f->m);
	check_prefault(f, &e, present);
	assert_int_equal(fx_slot(f, 0, 0, FX_IPA, 0, FX_HVA), ERR_OK);
}

static void m7_creation_change_fault_and_prefault_of_a_vm_agree(void **state)
{
	u64 n = 0;

	(void)state;
	EACH(cpu, 4)
	{
		struct port_caps caps = caps_plain;
		struct fx *f;

		caps.fwb = cpu & 1;
		caps.dic = cpu & 2;
		f = fx_new(&caps, 40);
		f->m.policy.write_back_flag = true;
		EACH(world, WORLDS)
		EACH(bits, FLAGS)
		{
			set_host(f, world);
			check_world(f, flags_of(bits));
			n++;
		}
		fx_check_stats(f);
		fx_delete(f);
	}
	print_message("creation, flag change, fault and prefault agree in %lu worlds\n",
		      (unsigned long)n);
}

/* Whatever the access: what fault_handle() returns is what explain() says. */
static void check_any_fault(struct fx *f, u64 esr, u64 ipa)
{
	struct fault_trap t = trap_at(esr, ipa);
	struct slot_view slot;
	struct facts facts = {
		.req = fault_decode(&t),
		.slot = slot_look_up(&f->m.slots, ipa >> PAGE_SHIFT, &slot) ? &slot : NULL,
		.host = { .error = ERR_OK, .leaf = leaf_behind(f) },
		.vm = { .ipa_bits = 40, .ivac = f->m.policy.ivac, .top_level = LEVEL_1G },
		.caps = f->m.s2.caps,
	};
	struct explanation e;
	struct fault_outcome o;

	/* DC IVAC in a read-only slot asks the host for a read. */
	if (facts.req.access == MEM_WRITE && !f->host.vma_writable &&
	    !(facts.slot && slot.flags & SLOT_READONLY))
		facts.host = (struct fault_backing){ .error = ERR_FAULT, .why = WHY_NOT_WRITABLE };
	e = explain(&facts);
	o = fault_handle(&f->m, &t);
	if (o.kind != e.outcome.kind || o.why != e.why || o.error != e.outcome.error ||
	    o.inject != e.outcome.inject || o.is_write != e.outcome.is_write)
		fail_msg("ESR %#lx: the fault says %s, explain says %s", (unsigned long)esr,
			 reason_text(o.why), reason_text(e.why));
}

static u64 any_faults_in(struct fx *f)
{
	static const u64 at[] = { FX_IPA, FX_IPA + PAGE_SIZE, 1UL << 40 };
	u64 n = 0;

	EACH(fsc, 64)
	EACH(bits, 32)
	EACH(i, 3)
	{
		u64 esr = (u64)fsc | (bits & 1 ? ESR_ISV : 0) | (bits & 2 ? ESR_CM : 0) |
			  (bits & 4 ? ESR_WALK : 0) | (bits & 8 ? ESR_WNR : 0) |
			  (bits & 16 ? ESR_IABT : ESR_DABT);

		check_any_fault(f, esr, at[i]);
		guest_mem_unmap_all(&f->m);
		n++;
	}
	return n;
}

static void what_explain_says_is_what_a_fault_does(void **state)
{
	u64 n = 0;

	(void)state;
	EACH(ivac, 2)
	EACH(read_only, 2)
	EACH(type, MEM_TYPE_COUNT)
	{
		struct fx *f = fx_new(&caps_plain, 40);

		f->m.policy.ivac = ivac ? IVAC_UPGRADE : IVAC_INJECT;
		f->host.type = (enum mem_type)type;
		f->host.vma_writable = !(type & 1);
		assert_int_equal(fx_slot(f, 0, read_only ? SLOT_READONLY : 0, FX_IPA, PAGE_SIZE,
					 FX_HVA),
				 ERR_OK);
		n += any_faults_in(f);
		fx_delete(f);
	}
	print_message("explain and the fault path agree on %lu faults\n", (unsigned long)n);
}

/* ---- a living VM is asked */

static void what_an_access_would_get_is_told_without_doing_it(void **state)
{
	struct fx *f = fx_new(&caps_fwb, 40);
	struct vm_explanation x;

	(void)state;
	assert_int_equal(fx_slot(f, 4, 0, FX_IPA, 16 * PAGE_SIZE, FX_HVA), ERR_OK);
	x = guest_mem_explain(&f->m, IPA(FX_IPA), MEM_READ);
	assert_true(x.has_slot && !x.has_leaf && !x.is_mapped && x.asks_host);
	assert_int_equal(x.slot.id, 4);
	assert_int_equal(x.would.answer, ANSWER_RETRY);
	assert_int_equal(x.would.why, WHY_NOT_PRESENT);
	f->host.present[0] = 1;
	x = guest_mem_explain(&f->m, IPA(FX_IPA + 8), MEM_READ);
	assert_true(x.has_leaf && !x.is_mapped && !x.asks_host);
	assert_int_equal(x.would.answer, ANSWER_MAP);
	assert_int_equal(x.would.why, WHY_RAM_FWB);
	assert_int_equal(x.would.plan.pa.v, f->host.pa);
	x = guest_mem_explain(&f->m, IPA(FX_IPA), MEM_WRITE);
	assert_true(x.asks_host); /* the leaf is read-only: M14 */
	assert_int_equal(x.would.why, WHY_NOT_WRITABLE);
	f->host.writable[0] = 1;
	x = guest_mem_explain(&f->m, IPA(FX_IPA), MEM_WRITE);
	assert_false(x.asks_host);
	assert_int_equal(x.would.answer, ANSWER_MAP);
	guest_touch(f, FX_IPA, MACHINE_READ);
	x = guest_mem_explain(&f->m, IPA(FX_IPA), MEM_EXEC);
	assert_true(x.is_mapped);
	assert_int_equal(x.now.type, S2_NORMAL);
	f->host.type = MEM_NC;
	x = guest_mem_explain(&f->m, IPA(FX_IPA), MEM_EXEC);
	assert_int_equal(x.would.answer, ANSWER_INJECT);
	assert_int_equal(x.would.why, WHY_FETCH_UNCACHED);
	assert_int_equal(f->host.faults, 0);
	fx_delete(f);
}

static int poisoned_leaf(void *host, hva_t hva, struct host_leaf *out)
{
	(void)host;
	(void)hva;
	(void)out;
	return ERR_HWPOISON;
}

static void m1_a_poisoned_page_is_told_with_its_host_address(void **state)
{
	static const struct host_ops ops = { poisoned_leaf, host_fault, host_area };
	struct fx *f = fx_new(&caps_fwb, 40);
	struct fault_trap t = trap_at(ESR_DABT | ESR_ISV | 7, FX_IPA + 0x1018);
	struct fault_outcome o;

	(void)state;
	assert_int_equal(fx_slot(f, 0, 0, FX_IPA, 16 * PAGE_SIZE, FX_HVA), ERR_OK);
	f->m.host_ops = &ops;
	o = fault_handle(&f->m, &t);
	assert_int_equal(o.kind, OUTCOME_SIGBUS);
	assert_int_equal(o.why, WHY_HOST_POISON);
	assert_int_equal(o.hva.v, FX_HVA + 0x1018);
	assert_int_equal(f->host.faults, 0);
	fx_delete(f);
}

/* What cannot be maintained by address is forced write-back: nothing is owed for the guest. */
static void m12_ivac_on_memory_out_of_reach_touches_no_cache(void **state)
{
	struct fx *f = fx_new(&caps_fwb, 40);
	struct fault_trap t = trap_at(ESR_DABT | ESR_CM | ESR_WNR | 0xf, FX_IPA);

	(void)state;
	f->m.policy.ivac = IVAC_UPGRADE;
	assert_int_equal(fx_slot(f, 0, SLOT_READONLY, FX_IPA, PAGE_SIZE, FX_HVA), ERR_OK);
	f->host.reach = REACH_NONE;
	assert_int_equal(fault_handle(&f->m, &t).why, WHY_CMO_IVAC_UPGRADED);
	assert_int_equal(fx_stat(f, STAT_dcache_bytes), 0);
	f->host.reach = REACH_ALIAS;
	assert_int_equal(fault_handle(&f->m, &t).why, WHY_CMO_IVAC_UPGRADED);
	assert_int_equal(fx_stat(f, STAT_dcache_bytes), PAGE_SIZE);
	fx_delete(f);
}

static void what_lies_outside_memory_is_told_too(void **state)
{
	struct fx *f = fx_new(&caps_fwb, 40);
	struct vm_explanation x;

	(void)state;
	assert_int_equal(fx_slot(f, 0, SLOT_READONLY, FX_IPA, PAGE_SIZE, FX_HVA), ERR_OK);
	x = guest_mem_explain(&f->m, IPA(0), MEM_READ);
	assert_true(!x.has_slot && !x.asks_host);
	assert_int_equal(x.would.outcome.kind, OUTCOME_MMIO);
	assert_int_equal(guest_mem_explain(&f->m, IPA(0), MEM_EXEC).would.answer, ANSWER_INJECT);
	x = guest_mem_explain(&f->m, IPA(FX_IPA), MEM_WRITE);
	assert_true(!x.asks_host);
	assert_int_equal(x.would.why, WHY_RO_SLOT_WRITE);
	x = guest_mem_explain(&f->m, IPA(1UL << 40), MEM_READ);
	assert_int_equal(x.would.why, WHY_BEYOND_IPA);
	f->host.no_vma = true;
	x = guest_mem_explain(&f->m, IPA(FX_IPA), MEM_READ);
	assert_true(x.asks_host);
	assert_int_equal(x.would.why, WHY_NO_VMA);
	fx_delete(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_combination_has_exactly_one_answer),
		cmocka_unit_test(m6_every_mapping_is_what_the_rules_say),
		cmocka_unit_test(m18_every_answer_has_its_rule_and_a_sentence),
		cmocka_unit_test(m7_creation_refuses_what_no_read_fault_can_map),
		cmocka_unit_test(m7_creation_change_fault_and_prefault_of_a_vm_agree),
		cmocka_unit_test(what_explain_says_is_what_a_fault_does),
		cmocka_unit_test(what_an_access_would_get_is_told_without_doing_it),
		cmocka_unit_test(m1_a_poisoned_page_is_told_with_its_host_address),
		cmocka_unit_test(m12_ivac_on_memory_out_of_reach_touches_no_cache),
		cmocka_unit_test(what_lies_outside_memory_is_told_too),
		cmocka_unit_test(no_verdict_depends_on_how_a_cpu_changes_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
