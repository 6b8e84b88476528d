/* SPDX-License-Identifier: Apache-2.0 */
/* The pure stages around the policy: decode, route, settle. */
#include "engine/settle.h"
#include "tests/unit/engine_fixture.h"

static struct fault_req decode(u64 esr, u64 ipa)
{
	struct fault_trap t = trap_at(esr, ipa);

	return fault_decode(&t);
}

/* ---- decode */

static void a_store_is_decoded_with_its_syndrome(void **state)
{
	/* STR W5, 4 bytes, translation fault level 3 */
	struct fault_req r =
		decode(ESR_DABT | ESR_ISV | 2UL << 22 | 5UL << 16 | ESR_WNR | 0x07, 0x40001234);

	(void)state;
	assert_int_equal(r.kind, FAULT_TRANSLATION);
	assert_int_equal(r.level, 3);
	assert_int_equal(r.access, MEM_WRITE);
	assert_true(r.has_syndrome);
	assert_int_equal(r.len, 4);
	assert_int_equal(r.reg, 5);
	assert_false(r.reg_64);
	assert_false(r.sign_extend);
	assert_int_equal(r.ipa.v, 0x40001234);
}

static void a_sign_extending_load_is_decoded(void **state)
{
	/* LDRSB X31 */
	struct fault_req r =
		decode(ESR_DABT | ESR_ISV | 1UL << 21 | 31UL << 16 | 1UL << 15 | 0x06, 0x1000);

	(void)state;
	assert_int_equal(r.access, MEM_READ);
	assert_int_equal(r.len, 1);
	assert_int_equal(r.reg, 31);
	assert_true(r.sign_extend);
	assert_true(r.reg_64);
	assert_int_equal(r.level, 2);
}

static void a_fetch_has_no_syndrome(void **state)
{
	struct fault_req r = decode(ESR_IABT | ESR_ISV | 0x0f, 0x2000);

	(void)state;
	assert_int_equal(r.access, MEM_EXEC);
	assert_int_equal(r.kind, FAULT_PERMISSION);
	assert_false(r.has_syndrome);
}

static void m12_maintenance_reads_unless_it_lacks_permission(void **state)
{
	struct fault_req r = decode(ESR_DABT | ESR_CM | ESR_WNR | 0x07, 0x40000000);

	(void)state;
	assert_true(r.is_cmo);
	assert_int_equal(r.access, MEM_READ);
	r = decode(ESR_DABT | ESR_CM | ESR_WNR | 0x0f, 0x40000000);
	assert_true(r.is_cmo);
	assert_int_equal(r.access, MEM_WRITE);
}

static void m12_a_walk_of_at_is_a_walk_and_no_maintenance(void **state)
{
	struct fault_req r = decode(ESR_DABT | ESR_CM | ESR_WALK | ESR_WNR | 0x07, 0x40000123);

	(void)state;
	assert_false(r.is_cmo);
	assert_true(r.is_walk);
	assert_int_equal(r.access, MEM_READ);
	assert_int_equal(r.ipa.v, 0x40000000); /* FAR is not the walk's address */
}

static void m15_a_walk_reads_unless_it_updates(void **state)
{
	(void)state;
	assert_int_equal(decode(ESR_DABT | ESR_WALK | ESR_WNR | 0x07, 0).access, MEM_READ);
	assert_int_equal(decode(ESR_DABT | ESR_WALK | 0x0f, 0).access, MEM_WRITE);
	assert_int_equal(decode(ESR_IABT | ESR_WALK | 0x07, 0).access, MEM_READ);
}

static void fault_status_codes_have_their_kind(void **state)
{
	static const struct {
		u8 fsc;
		enum fault_kind kind;
	} codes[] = {
		{ 0x00, FAULT_UNSUPPORTED }, { 0x04, FAULT_TRANSLATION },
		{ 0x07, FAULT_TRANSLATION }, { 0x08, FAULT_UNSUPPORTED },
		{ 0x09, FAULT_ACCESS_FLAG }, { 0x0b, FAULT_ACCESS_FLAG },
		{ 0x0d, FAULT_PERMISSION },  { 0x0f, FAULT_PERMISSION },
		{ 0x10, FAULT_EXTERNAL },    { 0x14, FAULT_EXTERNAL },
		{ 0x17, FAULT_EXTERNAL },    { 0x18, FAULT_EXTERNAL },
		{ 0x21, FAULT_UNSUPPORTED }, { 0x30, FAULT_TLB_CONFLICT },
		{ 0x34, FAULT_UNSUPPORTED }, { 0x35, FAULT_EXCLUSIVE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		assert_int_equal(decode(ESR_DABT | codes[i].fsc, 0).kind, codes[i].kind);
}

/* ---- route */

static const struct slot_view rw_slot = { .gfn = 0x40000, .npages = 16 };
static const struct slot_view ro_slot = { .gfn = 0x40000, .npages = 16, .flags = SLOT_READONLY };

static struct fault_route go(u64 esr, const struct slot_view *slot)
{
	struct vm_facts facts = { .ipa_bits = 40, .ivac = IVAC_INJECT };
	struct fault_req r = decode(esr, 0x40000010);

	return fault_route(&r, slot, &facts);
}

static void m12_maintenance_without_a_slot_is_skipped(void **state)
{
	struct fault_route r = go(ESR_DABT | ESR_CM | ESR_WNR | 0x07, NULL);

	(void)state;
	assert_int_equal(r.kind, ROUTE_SKIP);
	assert_int_equal(r.why, WHY_CMO_NO_SLOT);
}

static void m12_maintenance_on_a_read_only_slot_just_works(void **state)
{
	(void)state;
	assert_int_equal(go(ESR_DABT | ESR_CM | ESR_WNR | 0x07, &ro_slot).kind, ROUTE_RAM);
}

static void m12_ivac_on_a_read_only_slot_follows_the_policy(void **state)
{
	struct vm_facts facts = { .ipa_bits = 40, .ivac = IVAC_UPGRADE };
	struct fault_req req = decode(ESR_DABT | ESR_CM | ESR_WNR | 0x0f, 0x40000010);
	struct fault_route r = go(ESR_DABT | ESR_CM | ESR_WNR | 0x0f, &ro_slot);

	(void)state;
	assert_int_equal(r.kind, ROUTE_INJECT);
	assert_int_equal(r.inject, INJECT_SEA_DATA);
	assert_int_equal(r.why, WHY_CMO_IVAC_RO);
	r = fault_route(&req, &ro_slot, &facts);
	assert_int_equal(r.kind, ROUTE_PERFORM_CMO);
	/* In a writable slot it is a write like any other. */
	r = fault_route(&req, &rw_slot, &facts);
	assert_int_equal(r.kind, ROUTE_RAM);
}

static void m15_a_write_to_a_read_only_slot_is_mmio(void **state)
{
	struct fault_route r = go(ESR_DABT | ESR_ISV | ESR_WNR | 0x0f, &ro_slot);

	(void)state;
	assert_int_equal(r.kind, ROUTE_MMIO);
	assert_int_equal(r.why, WHY_RO_SLOT_WRITE);
	assert_int_equal(go(ESR_DABT | ESR_ISV | 0x07, &ro_slot).kind, ROUTE_RAM);
}

static void m15_no_slot_is_mmio_if_the_access_is_known(void **state)
{
	(void)state;
	assert_int_equal(go(ESR_DABT | ESR_ISV | 0x07, NULL).kind, ROUTE_MMIO);
	assert_int_equal(go(ESR_DABT | 0x07, NULL).kind, ROUTE_NO_SYNDROME);
	assert_int_equal(go(ESR_DABT | ESR_WNR | 0x0f, &ro_slot).kind, ROUTE_NO_SYNDROME);
}

static void m15_fetches_and_walks_outside_memory_abort(void **state)
{
	struct fault_route r = go(ESR_IABT | 0x07, NULL);

	(void)state;
	assert_int_equal(r.kind, ROUTE_INJECT);
	assert_int_equal(r.inject, INJECT_SEA_FETCH);
	r = go(ESR_DABT | ESR_WALK | 0x07, NULL);
	assert_int_equal(r.kind, ROUTE_INJECT);
	assert_int_equal(r.inject, INJECT_SEA_DATA);
	/* A walk that updates a descriptor in a read-only slot is never MMIO. */
	r = go(ESR_DABT | ESR_WALK | ESR_ISV | 0x0f, &ro_slot);
	assert_int_equal(r.kind, ROUTE_INJECT);
	assert_int_equal(r.why, WHY_WALK_NO_SLOT);
}

static void m15_addresses_beyond_the_ipa_size_abort(void **state)
{
	struct vm_facts facts = { .ipa_bits = 40 };
	struct fault_req req = decode(ESR_DABT | ESR_ISV | 0x04, 1UL << 40);
	struct fault_route r = fault_route(&req, NULL, &facts);

	(void)state;
	assert_int_equal(r.kind, ROUTE_INJECT);
	assert_int_equal(r.why, WHY_BEYOND_IPA);
}

static void an_exclusive_fault_on_memory_goes_to_the_guest(void **state)
{
	struct fault_route r = go(ESR_DABT | 0x35, &rw_slot);

	(void)state;
	assert_int_equal(r.kind, ROUTE_INJECT);
	assert_int_equal(r.inject, INJECT_EXCLUSIVE);
}

static void every_request_has_a_route(void **state)
{
	u64 n = 0, kinds[ROUTE_KINDS] = { 0 };

	(void)state;
	for (u64 fsc = 0; fsc < 64; fsc++) {
		for (u64 bits = 0; bits < 64; bits++) {
			for (int s = 0; s < 3; s++) {
				const struct slot_view *slot =
					s ? s == 1 ? &rw_slot : &ro_slot : NULL;
				u64 esr = fsc | (bits & 1 ? ESR_ISV : 0) | (bits & 2 ? ESR_CM : 0) |
					  (bits & 4 ? ESR_WALK : 0) | (bits & 8 ? ESR_WNR : 0) |
					  (bits & 16 ? ESR_IABT : ESR_DABT);
				struct vm_facts facts = {
					.ipa_bits = 40,
					.ivac = bits & 32 ? IVAC_UPGRADE : IVAC_INJECT,
				};
				struct fault_req req = decode(esr, 0x40000010);
				struct fault_route r = fault_route(&req, slot, &facts);

				assert_true(r.kind < ROUTE_KINDS);
				if (r.kind == ROUTE_MMIO) /* never without knowing what to do */
					assert_true(req.has_syndrome && !req.is_walk &&
						    !req.is_cmo);
				if (r.kind == ROUTE_RAM && s == 2)
					assert_int_not_equal(req.access, MEM_WRITE);
				if (r.kind == ROUTE_RAM || r.kind == ROUTE_YOUNG)
					assert_non_null(slot);
				kinds[r.kind]++;
				n++;
			}
		}
	}
	print_message("route: %lu combinations\n", (unsigned long)n);
	for (int k = 0; k < ROUTE_KINDS; k++)
		assert_true(kinds[k] > 0);
}

/* ---- settle */

static enum settle settle_by_the_words(enum entry_class e, enum entry_perms p)
{
	bool is_larger = e == ENTRY_LARGER || e == ENTRY_LARGER_OTHER;
	bool says_other = e == ENTRY_OTHER || e == ENTRY_LARGER_OTHER;

	if (e == ENTRY_EMPTY)
		return SETTLE_INSTALL;
	if (e == ENTRY_BUSY)
		return SETTLE_RETRY;
	if (e == ENTRY_TABLE)
		return SETTLE_COLLAPSE;
	if (says_other)
		return is_larger ? SETTLE_BREAK : SETTLE_REPLACE;
	if (p == PERMS_ENOUGH)
		return SETTLE_KEEP;
	return is_larger ? SETTLE_SPLIT : SETTLE_RELAX;
}

static void settle_is_total_and_without_a_dead_answer(void **state)
{
	bool seen[SETTLE_COUNT] = { false };
	int n = 0;

	(void)state;
	for (int e = 0; e < ENTRY_CLASSES; e++) {
		for (int p = 0; p < PERMS_CLASSES; p++) {
			enum settle s = settle((enum entry_class)e, (enum entry_perms)p);

			assert_int_equal(s, settle_by_the_words((enum entry_class)e,
								(enum entry_perms)p));
			seen[s] = true;
			n++;
		}
	}
	print_message("settle: %d combinations\n", n);
	for (int s = 0; s < SETTLE_COUNT; s++)
		assert_true(seen[s]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_store_is_decoded_with_its_syndrome),
		cmocka_unit_test(a_sign_extending_load_is_decoded),
		cmocka_unit_test(a_fetch_has_no_syndrome),
		cmocka_unit_test(m12_maintenance_reads_unless_it_lacks_permission),
		cmocka_unit_test(m12_a_walk_of_at_is_a_walk_and_no_maintenance),
		cmocka_unit_test(m15_a_walk_reads_unless_it_updates),
		cmocka_unit_test(fault_status_codes_have_their_kind),
		cmocka_unit_test(m12_maintenance_without_a_slot_is_skipped),
		cmocka_unit_test(m12_maintenance_on_a_read_only_slot_just_works),
		cmocka_unit_test(m12_ivac_on_a_read_only_slot_follows_the_policy),
		cmocka_unit_test(m15_a_write_to_a_read_only_slot_is_mmio),
		cmocka_unit_test(m15_no_slot_is_mmio_if_the_access_is_known),
		cmocka_unit_test(m15_fetches_and_walks_outside_memory_abort),
		cmocka_unit_test(m15_addresses_beyond_the_ipa_size_abort),
		cmocka_unit_test(an_exclusive_fault_on_memory_goes_to_the_guest),
		cmocka_unit_test(every_request_has_a_route),
		cmocka_unit_test(settle_is_total_and_without_a_dead_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
