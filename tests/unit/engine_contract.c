/* SPDX-License-Identifier: Apache-2.0 */
/* M16: the guest-memory contract, and each reason why a destination cannot keep it. */
#include "engine/contract.h"
#include "tests/unit/engine_fixture.h"

#define MIB (1UL << 20)
enum { SLOTS = 3 };

static const struct contract_slot three[SLOTS] = {
	{ .ipa = 0, .size = MIB, .id = 0, .promises = PROMISE_READ_ONLY },
	{ .ipa = 2 * MIB, .size = MIB, .id = 2, .promises = PROMISE_WRITE_BACK },
	{ .ipa = 1UL << 38, .size = MIB, .id = 1, .promises = PROMISE_CACHEABLE_PFNMAP },
};

/* A pair that agrees; a test changes one side. */
struct pair {
	struct contract_slot from_slots[SLOTS], to_slots[SLOTS];
	struct contract from, to;
};

static void begin(struct pair *p)
{
	struct contract all = {
		.version = CONTRACT_VERSION,
		.fwb = true,
		.dic = true,
		.idc = true,
		.hw_af = true,
		.hw_dbm = true,
		.ipa_bits = 40,
		.granule = PAGE_SIZE,
		.blocks = PAGE_SIZE | SZ_2M | SZ_1G,
		.slot_count = SLOTS,
	};

	p->from = p->to = all;
	memcpy(p->from_slots, three, sizeof(three));
	memcpy(p->to_slots, three, sizeof(three));
	p->from.slots = p->from_slots;
	p->to.slots = p->to_slots;
}

static bool found(const struct contract_comparison *c, enum contract_reason why, u64 ipa)
{
	for (unsigned int i = 0; i < c->count; i++) {
		if (c->finding[i].why == why)
			return c->finding[i].ipa == ipa;
	}
	return false;
}

/* @why is the only thing found. */
static void expect_only(const struct pair *p, enum contract_reason why, u64 ipa)
{
	struct contract_comparison c = contract_compare(&p->from, &p->to);

	assert_int_equal(c.count, 1);
	assert_true(found(&c, why, ipa));
	assert_int_equal(c.refusals, contract_reason_weight(why) == CONTRACT_REFUSE);
}

static void m16_equal_hosts_agree(void **state)
{
	struct pair p;

	(void)state;
	begin(&p);
	assert_int_equal(contract_compare(&p.from, &p.to).count, 0);
	p.to.slot_count = 0; /* the VM does not exist there yet */
	assert_int_equal(contract_compare(&p.from, &p.to).count, 0);
}

static void m16_a_better_host_is_as_good(void **state)
{
	struct pair p;

	(void)state;
	begin(&p);
	p.from.fwb = p.from.dic = p.from.idc = p.from.hw_af = p.from.hw_dbm = false;
	p.from.slot_count = 1;
	p.to.slot_count = 0;
	p.to.ipa_bits = 48;
	p.from.blocks = PAGE_SIZE;
	assert_int_equal(contract_compare(&p.from, &p.to).count, 0);
}

static void m16_each_host_fact_is_a_reason(void **state)
{
	struct pair p;

	(void)state;
	begin(&p);
	p.to.granule = 1UL << 16;
	expect_only(&p, CONTRACT_GRANULE, 0);
	begin(&p);
	p.to.ipa_bits = 39;
	expect_only(&p, CONTRACT_IPA_SIZE, 0);
	begin(&p);
	p.to.dic = false;
	expect_only(&p, CONTRACT_DIC, 0);
	begin(&p);
	p.to.idc = false;
	expect_only(&p, CONTRACT_IDC, 0);
	begin(&p);
	p.to.fwb = false;
	p.from.slot_count = 1;
	expect_only(&p, CONTRACT_FWB, 0);
	begin(&p);
	p.to.blocks &= ~SZ_1G;
	expect_only(&p, CONTRACT_BLOCKS, 0);
	begin(&p);
	p.to.hw_dbm = false;
	expect_only(&p, CONTRACT_HW_DIRTY, 0);
}

static void m16_another_version_is_not_read_further(void **state)
{
	struct pair p;

	(void)state;
	begin(&p);
	p.to.version++;
	p.to.granule = 0;
	p.to.fwb = false;
	expect_only(&p, CONTRACT_OTHER_VERSION, 0);
}

static void m16_slots_that_need_fwb_are_named(void **state)
{
	struct contract_comparison c;
	struct pair p;

	(void)state;
	begin(&p);
	p.to.fwb = false;
	c = contract_compare(&p.from, &p.to);
	assert_int_equal(c.count, 3);
	assert_int_equal(c.refusals, 3);
	assert_true(found(&c, CONTRACT_FWB, 0));
	assert_true(found(&c, CONTRACT_WRITE_BACK_SLOT, 2 * MIB));
	assert_true(found(&c, CONTRACT_PFNMAP_SLOT, 1UL << 38));
}

static void m16_a_slot_beyond_the_destination_is_named(void **state)
{
	struct contract_comparison c;
	struct pair p;

	(void)state;
	begin(&p);
	p.to.ipa_bits = 38;
	c = contract_compare(&p.from, &p.to);
	assert_int_equal(c.count, 2);
	assert_true(found(&c, CONTRACT_IPA_SIZE, 0));
	assert_true(found(&c, CONTRACT_SLOT_BEYOND_IPA, 1UL << 38));
	p.from_slots[2].ipa = (1UL << 38) - MIB; /* ends there */
	p.to_slots[2].ipa = p.from_slots[2].ipa;
	expect_only(&p, CONTRACT_IPA_SIZE, 0);
}

static void m16_slots_must_be_the_same_at_both_ends(void **state)
{
	struct pair p;

	(void)state;
	begin(&p);
	p.to_slots[1].size *= 2;
	expect_only(&p, CONTRACT_SLOT_MISSING, 2 * MIB);
	begin(&p);
	p.to.slot_count = 2;
	expect_only(&p, CONTRACT_SLOT_MISSING, 1UL << 38);
	begin(&p);
	p.to_slots[1].promises = 0;
	expect_only(&p, CONTRACT_SLOT_PROMISE, 2 * MIB);
	begin(&p);
	p.to_slots[0].promises = 0;
	expect_only(&p, CONTRACT_SLOT_READ_ONLY, 0);
	begin(&p);
	p.to_slots[2].promises |= PROMISE_READ_ONLY;
	expect_only(&p, CONTRACT_SLOT_READ_ONLY, 1UL << 38);
	begin(&p);
	p.to_slots[2].promises |= PROMISE_WRITE_BACK; /* more than was promised */
	assert_int_equal(contract_compare(&p.from, &p.to).count, 0);
}

static void m16_every_reason_has_its_rule_and_a_sentence(void **state)
{
	(void)state;
	for (int i = 0; i < CONTRACT_REASON_COUNT; i++) {
		assert_in_range(contract_reason_rule((enum contract_reason)i), 1, 18);
		assert_true(strlen(contract_reason_text((enum contract_reason)i)) > 20);
	}
	assert_int_equal(contract_reason_rule(CONTRACT_REASON_COUNT), 0);
	assert_string_equal(contract_reason_text(CONTRACT_REASON_COUNT), "unknown reason");
}

/* Every pair of hosts: exactly what falls short is found. */
static void m16_every_pair_of_hosts(void **state)
{
	u64 n = 0;

	(void)state;
	for (unsigned int a = 0; a < 32; a++) {
		for (unsigned int b = 0; b < 32; b++) {
			struct pair p;
			struct contract_comparison c;
			unsigned int short_of = a & ~b;
			bool no_fwb = !(b & 1);

			begin(&p);
			p.from.fwb = a & 1, p.to.fwb = b & 1;
			p.from.dic = a & 2, p.to.dic = b & 2;
			p.from.idc = a & 4, p.to.idc = b & 4;
			p.from.hw_dbm = a & 8, p.to.hw_dbm = b & 8;
			p.from.ipa_bits = a & 16 ? 40 : 39;
			p.to.ipa_bits = b & 16 ? 40 : 39;
			c = contract_compare(&p.from, &p.to);
			assert_int_equal(found(&c, CONTRACT_FWB, 0), short_of & 1);
			assert_int_equal(found(&c, CONTRACT_DIC, 0), !!(short_of & 2));
			assert_int_equal(found(&c, CONTRACT_IDC, 0), !!(short_of & 4));
			assert_int_equal(found(&c, CONTRACT_HW_DIRTY, 0), !!(short_of & 8));
			assert_int_equal(found(&c, CONTRACT_IPA_SIZE, 0), !!(short_of & 16));
			assert_int_equal(found(&c, CONTRACT_WRITE_BACK_SLOT, 2 * MIB), no_fwb);
			assert_int_equal(found(&c, CONTRACT_PFNMAP_SLOT, 1UL << 38), no_fwb);
			assert_int_equal(c.count,
					 (unsigned int)__builtin_popcount(short_of) + 2U * no_fwb);
			n++;
		}
	}
	print_message("contract: %lu pairs of hosts\n", (unsigned long)n);
}

/* ---- of a VM */

static void m16_a_vm_has_the_contract_of_its_slots(void **state)
{
	struct fx *f = fx_new(&caps_fwb, 40);
	struct contract_slot slots[4];
	struct contract c;

	(void)state;
	f->m.policy.write_back_flag = true;
	assert_int_equal(fx_slot(f, 1, SLOT_READONLY, 8 * MIB, MIB, FX_HVA), ERR_OK);
	f->host.special = true;
	f->host.reach = REACH_NONE;
	f->host.present[2] = 1;
	assert_int_equal(fx_slot(f, 0, SLOT_WRITE_BACK, 2 * MIB, MIB, FX_HVA), ERR_OK);
	assert_int_equal(fx_slot(f, 2, 0, FX_IPA, MIB, FX_HVA + MIB), ERR_OK);
	assert_int_equal(contract_of_vm(&f->m, slots, 2, &c), ERR_2BIG);
	assert_int_equal(c.slot_count, 3);
	assert_int_equal(contract_of_vm(&f->m, slots, 4, &c), ERR_OK);
	assert_int_equal(c.slot_count, 3);
	assert_true(c.fwb && c.dic && c.idc && !c.hw_af && !c.hw_dbm);
	assert_int_equal(c.version, CONTRACT_VERSION);
	assert_int_equal(c.ipa_bits, 40);
	assert_int_equal(c.granule, 4096);
	assert_int_equal(c.blocks, PAGE_SIZE | SZ_2M | SZ_1G);
	assert_int_equal(slots[0].ipa, 2 * MIB);
	assert_int_equal(slots[0].size, MIB);
	assert_int_equal(slots[0].id, 0);
	assert_int_equal(slots[0].promises, PROMISE_WRITE_BACK | PROMISE_CACHEABLE_PFNMAP);
	assert_int_equal(slots[1].ipa, 8 * MIB);
	assert_int_equal(slots[1].promises, PROMISE_READ_ONLY | PROMISE_CACHEABLE_PFNMAP);
	assert_int_equal(slots[2].ipa, FX_IPA);
	assert_int_equal(slots[2].promises, 0); /* no leaf there yet */
	assert_int_equal(f->host.faults, 0);
	fx_delete(f);
}

/* Plain RAM in the first MiB, a driver's memory behind. */
static int two_areas(void *host, hva_t hva, hva_t end, struct host_area *out)
{
	int error = host_area(host, hva, end, out);
	u64 middle = FX_HVA + MIB;

	if (error)
		return error;
	out->special = hva.v >= middle;
	if (out->special)
		out->start = HVA(middle);
	else
		out->end = HVA(middle);
	return out->start.v < end.v ? ERR_OK : ERR_NOENT;
}

static void m16_every_vma_under_a_slot_counts(void **state)
{
	static const struct host_ops ops = { host_leaf, host_fault, two_areas };
	struct fx *f = fx_new(&caps_fwb, 40);
	struct contract_slot slot;
	struct contract c;

	(void)state;
	f->m.host_ops = &ops;
	f->host.present[256] = 1;
	assert_int_equal(fx_slot(f, 0, 0, FX_IPA, 2 * MIB, FX_HVA), ERR_OK);
	assert_int_equal(contract_of_vm(&f->m, &slot, 1, &c), ERR_OK);
	assert_int_equal(slot.promises, 0); /* RAM behind a driver's mapping is RAM */
	f->host.reach = REACH_NONE;
	assert_int_equal(contract_of_vm(&f->m, &slot, 1, &c), ERR_OK);
	assert_int_equal(slot.promises, PROMISE_CACHEABLE_PFNMAP);
	f->host.type = MEM_DEVICE;
	assert_int_equal(contract_of_vm(&f->m, &slot, 1, &c), ERR_OK);
	assert_int_equal(slot.promises, 0); /* not cacheable */
	fx_delete(f);
}

static void m16_a_guaranteed_slot_does_not_go_where_there_is_no_fwb(void **state)
{
	struct contract to = contract_of_host(&caps_plain);
	struct fx *f = fx_new(&caps_fwb, 40);
	struct contract_comparison r;
	struct contract_slot slot;
	struct contract c;

	(void)state;
	f->m.policy.write_back_flag = true;
	assert_int_equal(fx_slot(f, 0, SLOT_WRITE_BACK, FX_IPA, MIB, FX_HVA), ERR_OK);
	assert_int_equal(contract_of_vm(&f->m, &slot, 1, &c), ERR_OK);
	r = contract_compare(&c, &to);
	assert_true(found(&r, CONTRACT_WRITE_BACK_SLOT, FX_IPA));
	assert_true(found(&r, CONTRACT_FWB, 0));
	assert_true(found(&r, CONTRACT_DIC, 0)); /* caps_plain has none */
	assert_int_equal(r.refusals, 3);
	assert_int_equal(contract_of_host(&caps_fwb).ipa_bits, 48);
	fx_delete(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(m16_equal_hosts_agree),
		cmocka_unit_test(m16_a_better_host_is_as_good),
		cmocka_unit_test(m16_each_host_fact_is_a_reason),
		cmocka_unit_test(m16_another_version_is_not_read_further),
		cmocka_unit_test(m16_slots_that_need_fwb_are_named),
		cmocka_unit_test(m16_a_slot_beyond_the_destination_is_named),
		cmocka_unit_test(m16_slots_must_be_the_same_at_both_ends),
		cmocka_unit_test(m16_every_reason_has_its_rule_and_a_sentence),
		cmocka_unit_test(m16_every_pair_of_hosts),
		cmocka_unit_test(m16_a_vm_has_the_contract_of_its_slots),
		cmocka_unit_test(m16_every_vma_under_a_slot_counts),
		cmocka_unit_test(m16_a_guaranteed_slot_does_not_go_where_there_is_no_fwb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
