/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the model do what the Arm ARM (DDI 0487) says? Cases of its own that call no engine: each
 * cites the rule it follows and builds tables, caches and accesses by hand. Those named
 * `refuses_...` show software that breaks the rule; their neighbours show how it is kept.
 *
 * Section numbers are those of issue J.a: D7.5 caches, D8.2 walks, D8.4 permissions, D8.5 hardware
 * management of the Access flag and dirty state, D8.6 memory types, D8.16 break-before-make, D8.17
 * TLB maintenance, B2.3 ordering, B2.7.4 instruction fetch, B2.16 mismatched attributes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "port/model/machine.h"

/* ---- a VM made by hand: 39 bits of IPA, tables at levels 1, 2 and 3 */
#define VALID	1UL
#define TABLE	2UL
#define PAGE	3UL
#define R	(1UL << 6)
#define W	(1UL << 7)
#define RW	(R | W)
#define INNER	(3UL << 8)
#define AF	(1UL << 10)
#define DBM	(1UL << 51)
#define XN	(1UL << 54)
#define ATTR(n) ((u64)(n) << 2)
#define WB	ATTR(0xf) /* without FWB */
#define FWB_WB	ATTR(6)	  /* with: Normal write-back whatever stage 1 says */
#define NC	ATTR(5)
#define DEV	ATTR(1)

#define VTCR_T0SZ_39 25UL
#define VTCR_SL0_1   (1UL << 6)
#define VTCR_HA	     (1UL << 21)
#define VTCR_HD	     (1UL << 22)

#define IPA_A 0x40000000UL
#define IPA_B 0x40001000UL

struct bench {
	struct port *p;
	u64 *l1, *l2, *l3;
	u64 vttbr, vtcr;
	pa_t page[2]; /* RAM, 2 MiB each */
};

static const struct port_caps plain = {
	.idc = true,
	.ttl = true,
	.tlb_range = true,
	.pa_bits = 48,
	.ipa_bits = 48,
	.vmid_bits = 8,
	.cpus = 2,
};

static u64 leaf(pa_t pa, u64 bits)
{
	return pa.v | bits | INNER | AF | VALID;
}

static u64 page(pa_t pa, u64 bits)
{
	return leaf(pa, bits) | TABLE;
}

static u64 table(const struct bench *b, const u64 *t)
{
	return port_table_pa(b->p, t).v | TABLE | VALID;
}

static u64 *entry1(struct bench *b)
{
	return &b->l1[IPA_A >> 30];
}

static u64 *entry2(struct bench *b)
{
	return &b->l2[IPA_A >> 21 & 511];
}

static u64 *entry3(struct bench *b, u64 ipa)
{
	return &b->l3[ipa >> 12 & 511];
}

static void write_desc(struct bench *b, u64 *desc, u64 value)
{
	port_desc_store(b->p, desc, value);
	port_desc_publish(b->p);
}

static struct bench *begin_on(const struct port_caps *caps, u64 vtcr)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->p = machine_new(caps);
	b->l1 = port_table_alloc(b->p, 0);
	b->l2 = port_table_alloc(b->p, 0);
	b->l3 = port_table_alloc(b->p, 0);
	b->vttbr = port_table_pa(b->p, b->l1).v | 1UL << 48;
	b->vtcr = VTCR_T0SZ_39 | VTCR_SL0_1 | vtcr;
	b->page[0] = machine_pages(b->p, SZ_2M);
	b->page[1] = machine_pages(b->p, SZ_2M);
	port_desc_store(b->p, entry2(b), table(b, b->l3));
	port_desc_store(b->p, entry1(b), table(b, b->l2));
	for (unsigned int cpu = caps->cpus; cpu-- > 0;) {
		machine_cpu(b->p, cpu);
		machine_guest_enter(b->p, b->vttbr, b->vtcr);
	}
	return b;
}

static struct bench *begin(void)
{
	return begin_on(&plain, 0);
}

static void end(struct bench *b)
{
	machine_delete(b->p);
	free(b);
}

/* ---- accesses */
static struct machine_guest_result guest_s1(struct bench *b, u64 ipa, enum machine_op op,
					    enum machine_s1 s1)
{
	struct machine_guest_op o = { .ipa = IPA(ipa), .op = op, .s1 = s1 };

	return machine_guest(b->p, &o);
}

static void reaches(struct bench *b, u64 ipa, enum machine_op op, u64 pa)
{
	struct machine_access a = machine_access(b->p, IPA(ipa), op);

	assert_int_equal(a.fault, MF_NONE);
	assert_int_equal(a.pa.v, pa);
}

static void faults(struct bench *b, u64 ipa, enum machine_op op, enum machine_fault fault,
		   int level)
{
	struct machine_access a = machine_access(b->p, IPA(ipa), op);

	assert_int_equal(a.fault, fault);
	assert_int_equal(a.level, level);
}

/* ---- invalidation, whole and in parts */
static void tlbi(struct bench *b, u64 ipa, int level)
{
	struct port_tlbi t;

	port_tlbi_enter(b->p, &t, &b->vttbr);
	port_tlbi_ipa(b->p, &t, IPA(ipa), level);
	port_tlbi_stage1(b->p, &t);
	port_tlbi_leave(b->p, &t);
}

static void tlbi_stage2_only(struct bench *b, u64 ipa, int level)
{
	struct port_tlbi t;

	port_tlbi_enter(b->p, &t, &b->vttbr);
	port_tlbi_ipa(b->p, &t, IPA(ipa), level);
	port_tlbi_leave(b->p, &t);
}

static void tlbi_range(struct bench *b, u64 ipa, u64 size, int level)
{
	struct port_tlbi t;

	port_tlbi_enter(b->p, &t, &b->vttbr);
	port_tlbi_ipa_range(b->p, &t, IPA(ipa), size, level);
	port_tlbi_stage1(b->p, &t);
	port_tlbi_leave(b->p, &t);
}

static void tlbi_vmid(struct bench *b)
{
	struct port_tlbi t;

	port_tlbi_enter(b->p, &t, &b->vttbr);
	port_tlbi_vmid(b->p, &t);
	port_tlbi_leave(b->p, &t);
}

/* ---- refusals: the step is run, and must be stopped in these words */
static struct bench *step_bench;
static void (*step_fn)(struct bench *b);

static void run_step(void *arg)
{
	(void)arg;
	step_fn(step_bench);
}

static void refuses(struct bench *b, void (*fn)(struct bench *b), enum machine_refusal_kind kind)
{
	step_bench = b;
	step_fn = fn;
	if (!machine_refuses(b->p, run_step, NULL))
		fail_msg("not refused; expected: %s", machine_refusal_phrase(kind));
	if (machine_refusal_kind(b->p) != kind)
		fail_msg("refused by \"%s\"; expected: %s", machine_refusal(b->p),
			 machine_refusal_phrase(kind));
	end(b);
}

static void passes(struct bench *b, void (*fn)(struct bench *b))
{
	step_bench = b;
	step_fn = fn;
	if (machine_refuses(b->p, run_step, NULL))
		fail_msg("refused: %s", machine_refusal(b->p));
	end(b);
}

/* ================= D8.2: walks */

static void d8_2_a_page_translates_by_three_levels(void **state)
{
	struct bench *b = begin();

	(void)state;
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW));
	reaches(b, IPA_A + 0x123, MACHINE_READ, b->page[0].v + 0x123);
	end(b);
}

static void d8_2_a_block_translates_at_level_2(void **state)
{
	struct bench *b = begin();

	(void)state;
	write_desc(b, &b->l2[1], leaf(b->page[1], WB | RW));
	reaches(b, IPA_A + SZ_2M + 0x12345, MACHINE_WRITE, b->page[1].v + 0x12345);
	end(b);
}

static void d8_2_a_translation_fault_names_its_level(void **state)
{
	struct bench *b = begin();

	(void)state;
	faults(b, IPA_A, MACHINE_READ, MF_TRANSLATION, 3);
	faults(b, IPA_A + SZ_2M, MACHINE_READ, MF_TRANSLATION, 2);
	faults(b, IPA_A + SZ_1G, MACHINE_READ, MF_TRANSLATION, 1);
	end(b);
}

/* D8.2.3: an IPA beyond the configured size is a level 0 translation fault. */
static void d8_2_beyond_the_ipa_size_is_a_translation_fault_of_level_0(void **state)
{
	struct bench *b = begin();

	(void)state;
	faults(b, 1UL << 39, MACHINE_READ, MF_TRANSLATION, 0);
	end(b);
}

/* D8.3.1: bit 0 clear makes the rest of a descriptor software's. */
static void d8_3_an_invalid_descriptor_may_hold_anything(void **state)
{
	struct bench *b = begin();

	(void)state;
	write_desc(b, entry3(b, IPA_A), ~0UL & ~VALID);
	faults(b, IPA_A, MACHINE_READ, MF_TRANSLATION, 3);
	end(b);
}

/* ================= D8.4: permissions */

static void d8_4_a_write_needs_write_permission(void **state)
{
	struct bench *b = begin();

	(void)state;
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | R));
	reaches(b, IPA_A, MACHINE_READ, b->page[0].v);
	faults(b, IPA_A, MACHINE_WRITE, MF_PERMISSION, 3);
	end(b);
}

static void d8_4_a_read_needs_read_permission(void **state)
{
	struct bench *b = begin();

	(void)state;
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | W));
	faults(b, IPA_A, MACHINE_READ, MF_PERMISSION, 3);
	end(b);
}

static void d8_4_xn_forbids_fetches_alone(void **state)
{
	struct bench *b = begin();

	(void)state;
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW | XN));
	reaches(b, IPA_A, MACHINE_READ, b->page[0].v);
	faults(b, IPA_A, MACHINE_FETCH, MF_PERMISSION, 3);
	end(b);
}

/* ================= D8.5: Access flag and dirty state */

static void d8_5_a_clear_access_flag_faults_without_hardware_management(void **state)
{
	struct bench *b = begin();

	(void)state;
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW) & ~AF);
	faults(b, IPA_A, MACHINE_READ, MF_ACCESS_FLAG, 3);
	end(b);
}

static void d8_5_hardware_sets_the_access_flag(void **state)
{
	struct port_caps caps = plain;
	struct bench *b;

	(void)state;
	caps.hw_af = true;
	b = begin_on(&caps, VTCR_HA);
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW) & ~AF);
	reaches(b, IPA_A, MACHINE_READ, b->page[0].v);
	assert_true(port_desc_load(b->p, entry3(b, IPA_A)) & AF);
	end(b);
}

/* D8.5.1: an entry without the Access flag may not be cached, so setting it needs no TLBI. */
static void d8_5_setting_the_access_flag_needs_no_tlbi(void **state)
{
	struct bench *b = begin();

	(void)state;
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW) & ~AF);
	faults(b, IPA_A, MACHINE_READ, MF_ACCESS_FLAG, 3);
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW));
	reaches(b, IPA_A, MACHINE_READ, b->page[0].v);
	end(b);
}

static struct bench *begin_dirty(void)
{
	struct port_caps caps = plain;

	caps.hw_af = true;
	caps.hw_dbm = true;
	return begin_on(&caps, VTCR_HA | VTCR_HD);
}

/* D8.5.5: with DBM, hardware turns a write to a clean leaf into write permission. */
static void d8_5_hardware_makes_a_dbm_leaf_dirty(void **state)
{
	struct bench *b = begin_dirty();

	(void)state;
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | R | DBM));
	reaches(b, IPA_A, MACHINE_READ, b->page[0].v);
	assert_false(port_desc_load(b->p, entry3(b, IPA_A)) & W);
	reaches(b, IPA_A, MACHINE_WRITE, b->page[0].v);
	assert_true(port_desc_load(b->p, entry3(b, IPA_A)) & W);
	end(b);
}

static void d8_5_without_dbm_a_read_only_leaf_stays_so(void **state)
{
	struct bench *b = begin_dirty();

	(void)state;
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | R));
	faults(b, IPA_A, MACHINE_WRITE, MF_PERMISSION, 3);
	end(b);
}

static void store_over_dirty_state(struct bench *b)
{
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | R | DBM));
	port_desc_store(b->p, entry3(b, IPA_A), 0);
}

/* D8.5: hardware may update the descriptor between a load and a plain store. */
static void d8_5_refuses_a_store_over_what_hardware_may_update(void **state)
{
	(void)state;
	refuses(begin_dirty(), store_over_dirty_state, REFUSED_LOST);
}

static void swap_over_dirty_state(struct bench *b)
{
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | R | DBM));
	reaches(b, IPA_A, MACHINE_WRITE, b->page[0].v);
	assert_true(port_desc_swap(b->p, entry3(b, IPA_A), 0) & W);
	tlbi(b, IPA_A, 3);
}

static void d8_5_an_atomic_swap_returns_the_dirty_state(void **state)
{
	(void)state;
	passes(begin_dirty(), swap_over_dirty_state);
}

/* ================= D8.16: break-before-make */

static void change_output_address(struct bench *b)
{
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW));
	write_desc(b, entry3(b, IPA_A), page(b->page[1], WB | RW));
}

static void d8_16_refuses_another_output_address(void **state)
{
	(void)state;
	refuses(begin(), change_output_address, REFUSED_BREAK);
}

static void change_type(struct bench *b)
{
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW));
	write_desc(b, entry3(b, IPA_A), page(b->page[0], NC | RW));
}

static void d8_16_refuses_another_memory_type(void **state)
{
	(void)state;
	refuses(begin(), change_type, REFUSED_BREAK);
}

static void change_table(struct bench *b)
{
	u64 *other = port_table_alloc(b->p, 0);

	write_desc(b, entry2(b), table(b, other));
}

static void d8_16_refuses_another_table(void **state)
{
	(void)state;
	refuses(begin(), change_table, REFUSED_BREAK);
}

static void table_to_block(struct bench *b)
{
	write_desc(b, entry2(b), leaf(b->page[0], WB | RW));
}

static void d8_16_refuses_a_block_over_a_table(void **state)
{
	(void)state;
	refuses(begin(), table_to_block, REFUSED_BREAK);
}

/* A table of pages that say what the block at entry 1 of level 2 says. */
static u64 *pages_of_block(struct bench *b, pa_t pa)
{
	u64 *t = port_table_alloc(b->p, 0);

	for (u64 i = 0; i < 512; i++)
		port_desc_store(b->p, &t[i], page(PA(pa.v + i * 4096), WB | RW));
	return t;
}

static void block_to_table(struct bench *b)
{
	u64 *t = pages_of_block(b, b->page[1]);

	write_desc(b, &b->l2[1], leaf(b->page[1], WB | RW));
	write_desc(b, &b->l2[1], table(b, t));
}

static void d8_16_refuses_a_table_over_a_block_at_level_0(void **state)
{
	(void)state;
	refuses(begin(), block_to_table, REFUSED_BREAK);
}

/* D8.16.3, FEAT_BBM level 2: block size may change alone, without a break. */
static void d8_16_level_2_allows_a_table_over_a_block(void **state)
{
	struct port_caps caps = plain;

	(void)state;
	caps.bbm = 2;
	passes(begin_on(&caps, 0), block_to_table);
}

static void block_to_other_table(struct bench *b)
{
	u64 *t = pages_of_block(b, b->page[0]);

	write_desc(b, &b->l2[1], leaf(b->page[1], WB | RW));
	write_desc(b, &b->l2[1], table(b, t));
}

static void d8_16_level_2_refuses_a_table_that_disagrees(void **state)
{
	struct port_caps caps = plain;
	struct bench *b;

	(void)state;
	caps.bbm = 2;
	b = begin_on(&caps, 0);
	step_bench = b;
	step_fn = block_to_other_table;
	assert_true(machine_refuses(b->p, run_step, NULL));
	assert_true(machine_refusal_kind(b->p) == REFUSED_BREAK ||
		    machine_refusal_kind(b->p) == REFUSED_CONFLICT ||
		    machine_refusal_kind(b->p) == REFUSED_TLBI);
	end(b);
}

static void relax_in_place(struct bench *b)
{
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | R | XN));
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW | XN));
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | R | XN));
}

/* D8.16.1 lists what needs a break; permissions are not among it. */
static void d8_16_permissions_change_in_place(void **state)
{
	(void)state;
	passes(begin(), relax_in_place);
}

static void break_before_make(struct bench *b)
{
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW));
	write_desc(b, entry3(b, IPA_A), 0);
	tlbi(b, IPA_A, 3);
	write_desc(b, entry3(b, IPA_A), page(b->page[1], WB | RW));
	reaches(b, IPA_A, MACHINE_READ, b->page[1].v);
}

static void d8_16_break_tlbi_make_is_how(void **state)
{
	(void)state;
	passes(begin(), break_before_make);
}

static void make_without_tlbi(struct bench *b)
{
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW));
	write_desc(b, entry3(b, IPA_A), 0);
	write_desc(b, entry3(b, IPA_A), page(b->page[1], WB | RW));
}

static void d8_16_refuses_make_before_the_tlbi(void **state)
{
	(void)state;
	refuses(begin(), make_without_tlbi, REFUSED_TLBI);
}

/* ================= D8.17: TLB maintenance */

static void make_after(struct bench *b)
{
	write_desc(b, entry3(b, IPA_A), page(b->page[1], WB | RW));
}

static void broken_page(struct bench *b)
{
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW));
	write_desc(b, entry3(b, IPA_A), 0);
}

static void stage2_alone(struct bench *b)
{
	broken_page(b);
	tlbi_stage2_only(b, IPA_A, 3);
	make_after(b);
}

/* IPAS2E1IS reaches stage-2 entries; what combines both stages needs VMALLE1IS after it. */
static void d8_17_refuses_combined_entries_left_behind(void **state)
{
	(void)state;
	refuses(begin(), stage2_alone, REFUSED_TLBI);
}

static void combined_first(struct bench *b)
{
	struct port_tlbi t;

	broken_page(b);
	port_tlbi_enter(b->p, &t, &b->vttbr);
	port_tlbi_stage1(b->p, &t);
	port_tlbi_ipa(b->p, &t, IPA(IPA_A), 3);
	port_tlbi_leave(b->p, &t);
	make_after(b);
}

/* In the other order a combined entry may be made again from the stage-2 entry. */
static void d8_17_refuses_the_stages_in_the_wrong_order(void **state)
{
	(void)state;
	refuses(begin(), combined_first, REFUSED_TLBI);
}

static void whole_vmid(struct bench *b)
{
	broken_page(b);
	tlbi_vmid(b);
	make_after(b);
}

/* VMALLS12E1IS reaches both. */
static void d8_17_the_whole_vmid_includes_combined_entries(void **state)
{
	(void)state;
	passes(begin(), whole_vmid);
}

static void not_complete(struct bench *b)
{
	struct port_tlbi t;

	broken_page(b);
	port_tlbi_enter(b->p, &t, &b->vttbr);
	port_tlbi_ipa(b->p, &t, IPA(IPA_A), 3);
	port_tlbi_stage1(b->p, &t);
	make_after(b); /* before the DSB of leave */
}

/* A TLBI is complete only after a DSB. */
static void d8_17_refuses_make_before_the_dsb(void **state)
{
	(void)state;
	refuses(begin(), not_complete, REFUSED_TLBI);
}

static void wrong_address(struct bench *b)
{
	broken_page(b);
	tlbi(b, IPA_B, 3);
	make_after(b);
}

static void d8_17_refuses_the_wrong_address(void **state)
{
	(void)state;
	refuses(begin(), wrong_address, REFUSED_TLBI);
}

static void wrong_level(struct bench *b)
{
	write_desc(b, &b->l2[1], leaf(b->page[0], WB | RW));
	write_desc(b, &b->l2[1], 0);
	tlbi(b, IPA_A + SZ_2M, 3);
	write_desc(b, &b->l2[1], leaf(b->page[1], WB | RW));
}

/* FEAT_TTL: with a wrong level hint nothing needs to be invalidated. */
static void d8_17_refuses_the_wrong_level_hint(void **state)
{
	(void)state;
	refuses(begin(), wrong_level, REFUSED_TLBI);
}

/* Without FEAT_TTL the field is RES0: any level goes. */
static void d8_17_without_ttl_the_hint_means_nothing(void **state)
{
	struct port_caps caps = plain;

	(void)state;
	caps.ttl = false;
	passes(begin_on(&caps, 0), wrong_level);
}

static void no_hint(struct bench *b)
{
	write_desc(b, &b->l2[1], leaf(b->page[0], WB | RW));
	write_desc(b, &b->l2[1], 0);
	tlbi(b, IPA_A + SZ_2M + 0x5000, -1);
	write_desc(b, &b->l2[1], leaf(b->page[1], WB | RW));
}

/* Any address inside a block names it. */
static void d8_17_an_address_inside_names_the_block(void **state)
{
	(void)state;
	passes(begin(), no_hint);
}

static void range_short(struct bench *b)
{
	write_desc(b, entry3(b, IPA_B), page(b->page[0], WB | RW));
	write_desc(b, entry3(b, IPA_B), 0);
	tlbi_range(b, IPA_A, 0x1000, 3);
	write_desc(b, entry3(b, IPA_B), page(b->page[1], WB | RW));
}

static void d8_17_refuses_a_range_that_is_one_page_short(void **state)
{
	(void)state;
	refuses(begin(), range_short, REFUSED_TLBI);
}

static void range_whole(struct bench *b)
{
	write_desc(b, entry3(b, IPA_B), page(b->page[0], WB | RW));
	write_desc(b, entry3(b, IPA_B), 0);
	tlbi_range(b, IPA_A, 0x2000, 3);
	write_desc(b, entry3(b, IPA_B), page(b->page[1], WB | RW));
}

static void d8_17_a_range_reaches_its_last_page(void **state)
{
	(void)state;
	passes(begin(), range_whole);
}

static void d8_17_refuses_range_operations_without_the_feature(void **state)
{
	struct port_caps caps = plain;

	(void)state;
	caps.tlb_range = false;
	refuses(begin_on(&caps, 0), range_whole, REFUSED_ORDER);
}

static void local_then_other_cpu(struct bench *b)
{
	broken_page(b);
	machine_cpu(b->p, 0);
	port_tlbi_ipa_local(b->p, &b->vttbr, IPA(IPA_A), 3);
	make_after(b);
}

/* IPAS2E1 without IS reaches this CPU alone. */
static void d8_17_refuses_a_local_invalidation_for_all(void **state)
{
	(void)state;
	refuses(begin(), local_then_other_cpu, REFUSED_TLBI);
}

static void free_after_leaf_hint(struct bench *b)
{
	write_desc(b, entry2(b), 0);
	tlbi(b, IPA_A, 3);
	port_table_retire(b->p, b->l3);
}

/* With a level hint table entries stay: walk caches may still lead into the table. */
static void d8_17_refuses_freeing_a_table_that_walk_caches_know(void **state)
{
	(void)state;
	refuses(begin(), free_after_leaf_hint, REFUSED_TLBI);
}

static void free_after_all_levels(struct bench *b)
{
	write_desc(b, entry2(b), 0);
	tlbi(b, IPA_A, -1);
	port_table_retire(b->p, b->l3);
	machine_quiesce(b->p);
}

static void d8_17_without_a_hint_walk_caches_forget(void **state)
{
	(void)state;
	passes(begin(), free_after_all_levels);
}

static void free_linked(struct bench *b)
{
	port_table_free(b->p, b->l3, 0);
}

static void refuses_freeing_a_table_that_walks_reach(void **state)
{
	(void)state;
	refuses(begin(), free_linked, REFUSED_TABLE_LINKED);
}

static void use_freed(struct bench *b)
{
	free_after_all_levels(b);
	(void)port_desc_load(b->p, b->l3);
}

static void refuses_reading_a_freed_table(void **state)
{
	(void)state;
	refuses(begin(), use_freed, REFUSED_TABLE_USE);
}

/* Until it is invalidated, what was cached may be used. */
static void d8_17_a_stale_translation_may_be_used_before_the_tlbi(void **state)
{
	struct bench *b = begin();

	(void)state;
	broken_page(b);
	reaches(b, IPA_A, MACHINE_WRITE, b->page[0].v);
	tlbi(b, IPA_A, 3);
	faults(b, IPA_A, MACHINE_WRITE, MF_TRANSLATION, 3);
	end(b);
}

/* So a CPU may fault once more on what has been permitted meanwhile. */
static void d8_17_a_stale_entry_may_lack_permission(void **state)
{
	struct bench *b = begin();

	(void)state;
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | R));
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW));
	faults(b, IPA_A, MACHINE_WRITE, MF_PERMISSION, 3);
	port_tlbi_ipa_local(b->p, &b->vttbr, IPA(IPA_A), 3);
	reaches(b, IPA_A, MACHINE_WRITE, b->page[0].v);
	end(b);
}

static void vmid_taken_over(struct bench *b)
{
	u64 *root = port_table_alloc(b->p, 0);

	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW));
	machine_guest_leave(b->p);
	machine_guest_enter(b->p, port_table_pa(b->p, root).v | 1UL << 48, b->vtcr);
}

static void d8_17_refuses_a_vmid_in_two_vms(void **state)
{
	(void)state;
	refuses(begin(), vmid_taken_over, REFUSED_VMID);
}

static void vmid_after_flush(struct bench *b)
{
	u64 *root = port_table_alloc(b->p, 0);

	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW));
	for (unsigned int cpu = 0; cpu < 2; cpu++) {
		machine_cpu(b->p, cpu);
		machine_guest_leave(b->p);
	}
	port_tlbi_all_vmids(b->p);
	machine_guest_enter(b->p, port_table_pa(b->p, root).v | 1UL << 48, b->vtcr);
}

static void d8_17_after_alle1is_a_vmid_is_free_again(void **state)
{
	(void)state;
	passes(begin(), vmid_after_flush);
}

static void renumbered(struct bench *b)
{
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW));
	for (unsigned int cpu = 0; cpu < 2; cpu++) {
		machine_cpu(b->p, cpu);
		machine_guest_leave(b->p);
	}
	b->vttbr = port_table_pa(b->p, b->l1).v | 2UL << 48;
	machine_guest_enter(b->p, b->vttbr, b->vtcr);
	write_desc(b, entry2(b), 0);
	tlbi(b, IPA_A, -1);
	port_table_retire(b->p, b->l3);
	machine_quiesce(b->p);
}

/* Entries of a number that the VM has given up translate nothing, so nobody needs to name them. */
static void d8_17_a_number_given_up_owes_no_tlbi(void **state)
{
	(void)state;
	passes(begin(), renumbered);
}

/* ================= D8.6: memory types of both stages */

static enum machine_type type_seen(bool fwb, u64 attr, enum machine_s1 s1)
{
	struct port_caps caps = plain;
	struct machine_guest_result r;
	struct bench *b;

	caps.fwb = fwb;
	b = begin_on(&caps, 0);
	write_desc(b, entry3(b, IPA_A), page(b->page[0], attr | RW));
	r = guest_s1(b, IPA_A, MACHINE_READ, s1);
	assert_int_equal(r.access.fault, MF_NONE);
	end(b);
	return r.access.type;
}

/* Without FWB the weaker of both stages wins. */
static void d8_6_without_fwb_the_weaker_type_wins(void **state)
{
	(void)state;
	assert_int_equal(type_seen(false, WB, S1_WB), MACHINE_WB);
	assert_int_equal(type_seen(false, WB, S1_NC), MACHINE_NC);
	assert_int_equal(type_seen(false, WB, S1_DEVICE), MACHINE_DEVICE);
	assert_int_equal(type_seen(false, NC, S1_WB), MACHINE_NC);
	assert_int_equal(type_seen(false, DEV, S1_WB), MACHINE_DEVICE);
	assert_int_equal(type_seen(false, DEV, S1_NC), MACHINE_DEVICE);
}

/* FEAT_S2FWB, MemAttr 0b110: Normal write-back whatever stage 1 says. */
static void d8_6_fwb_forces_write_back(void **state)
{
	(void)state;
	assert_int_equal(type_seen(true, FWB_WB, S1_WB), MACHINE_WB);
	assert_int_equal(type_seen(true, FWB_WB, S1_NC), MACHINE_WB);
	assert_int_equal(type_seen(true, FWB_WB, S1_DEVICE), MACHINE_WB);
	assert_int_equal(type_seen(true, FWB_WB, S1_OFF), MACHINE_WB);
}

static void d8_6_fwb_leaves_uncached_types_uncached(void **state)
{
	(void)state;
	assert_int_equal(type_seen(true, NC, S1_WB), MACHINE_NC);
	assert_int_equal(type_seen(true, DEV, S1_WB), MACHINE_DEVICE);
	assert_int_equal(type_seen(true, NC, S1_DEVICE), MACHINE_DEVICE);
}

/* D8.2.11: with stage 1 off, data accesses are Device. */
static void d8_6_without_fwb_stage_1_off_is_device(void **state)
{
	(void)state;
	assert_int_equal(type_seen(false, WB, S1_OFF), MACHINE_DEVICE);
}

/* ================= D7.5: data caches */

/* A dirty line is not in memory, and who bypasses the cache does not see it. */
static void d7_5_an_uncached_read_does_not_see_a_dirty_line(void **state)
{
	struct bench *b = begin();
	u64 first, second;

	(void)state;
	first = machine_line_write(b->p, b->page[0], ATTR_NC);
	second = machine_line_write(b->p, b->page[0], ATTR_WB);
	assert_true(second > first);
	assert_int_equal(machine_line_read(b->p, b->page[0], ATTR_NC), first);
	assert_int_equal(machine_line_read(b->p, b->page[0], ATTR_WB), second);
	end(b);
}

static void d7_5_clean_makes_it_visible(void **state)
{
	struct bench *b = begin();
	u64 v;

	(void)state;
	v = machine_line_write(b->p, b->page[0], ATTR_WB);
	machine_line_cmo(b->p, b->page[0], CMO_CLEAN);
	assert_int_equal(machine_line_read(b->p, b->page[0], ATTR_NC), v);
	end(b);
}

/* Clean does not drop the line: an uncached write behind it stays unseen by cacheable readers. */
static void d7_5_clean_keeps_the_line(void **state)
{
	struct bench *b = begin();
	u64 v;

	(void)state;
	v = machine_line_write(b->p, b->page[0], ATTR_WB);
	machine_line_cmo(b->p, b->page[0], CMO_CLEAN);
	machine_line_write(b->p, b->page[0], ATTR_NC);
	assert_int_equal(machine_line_read(b->p, b->page[0], ATTR_WB), v);
	end(b);
}

static void d7_5_clean_and_invalidate_drops_it(void **state)
{
	struct bench *b = begin();
	u64 v;

	(void)state;
	machine_line_write(b->p, b->page[0], ATTR_WB);
	machine_line_cmo(b->p, b->page[0], CMO_CLEAN_INVAL);
	v = machine_line_write(b->p, b->page[0], ATTR_NC);
	assert_int_equal(machine_line_read(b->p, b->page[0], ATTR_WB), v);
	end(b);
}

static void read_what_was_not_cleaned(struct bench *b)
{
	machine_line_write(b->p, b->page[0], ATTR_WB);
	machine_hand_over(b->p, b->page[0], 64, "guest");
	machine_line_read(b->p, b->page[0], ATTR_NC);
}

static void d7_5_refuses_an_uncached_reader_without_a_clean(void **state)
{
	(void)state;
	refuses(begin(), read_what_was_not_cleaned, REFUSED_STALE_READ);
}

static void read_what_was_cleaned(struct bench *b)
{
	machine_line_write(b->p, b->page[0], ATTR_WB);
	port_dcache_clean_inval(b->p, b->page[0], 64);
	machine_hand_over(b->p, b->page[0], 64, "guest");
	machine_line_read(b->p, b->page[0], ATTR_NC);
}

static void d7_5_a_clean_to_poc_pays(void **state)
{
	(void)state;
	passes(begin(), read_what_was_cleaned);
}

static void read_through_a_stale_line(struct bench *b)
{
	machine_line_read(b->p, b->page[0], ATTR_WB); /* the line is cached now, clean */
	machine_line_write(b->p, b->page[0], ATTR_NC);
	machine_hand_over(b->p, b->page[0], 64, "host");
	machine_line_read(b->p, b->page[0], ATTR_WB);
}

static void d7_5_refuses_a_cacheable_reader_without_an_invalidation(void **state)
{
	(void)state;
	refuses(begin(), read_through_a_stale_line, REFUSED_STALE_READ);
}

/* Cacheable accesses of all CPUs are coherent. */
static void d7_5_cacheable_accesses_are_coherent(void **state)
{
	struct bench *b = begin();
	u64 v;

	(void)state;
	machine_cpu(b->p, 0);
	v = machine_line_write(b->p, b->page[0], ATTR_WB);
	machine_cpu(b->p, 1);
	assert_int_equal(machine_line_read(b->p, b->page[0], ATTR_WB), v);
	end(b);
}

/* ---- evictions and fills, asked of a chooser */
static unsigned int always(void *arg, enum machine_choice what, unsigned int options)
{
	const enum machine_choice *wanted = arg;

	(void)options;
	return what == *wanted;
}

static void d7_5_an_eviction_writes_a_dirty_line_back(void **state)
{
	struct bench *b = begin();
	enum machine_choice move = MAY_MOVE_LINE;
	u64 v;

	(void)state;
	v = machine_line_write(b->p, b->page[0], ATTR_WB);
	machine_on_choice(b->p, always, &move);
	assert_int_equal(machine_line_read(b->p, b->page[0], ATTR_NC), v);
	end(b);
}

static void old_line_over_new_memory(struct bench *b)
{
	enum machine_choice move = MAY_MOVE_LINE;

	machine_line_write(b->p, b->page[0], ATTR_WB); /* dirty */
	machine_hand_over(b->p, b->page[0], 64, "guest");
	machine_line_write(b->p, b->page[0], ATTR_NC); /* the guest's, uncached */
	machine_on_choice(b->p, always, &move);	       /* the old line is written back now */
	machine_line_read(b->p, b->page[0], ATTR_NC);
}

static void d7_5_refuses_a_dirty_line_left_under_uncached_writes(void **state)
{
	(void)state;
	refuses(begin(), old_line_over_new_memory, REFUSED_STALE_READ);
}

static void speculative_fill(struct bench *b)
{
	enum machine_choice move = MAY_MOVE_LINE;

	machine_on_choice(b->p, always, &move); /* filled before the write below */
	machine_line_write(b->p, b->page[0], ATTR_NC);
	machine_on_choice(b->p, NULL, NULL);
	machine_hand_over(b->p, b->page[0], 64, "host");
	machine_line_read(b->p, b->page[0], ATTR_WB);
}

/* Through the linear alias a line may be fetched at any time. */
static void d7_5_refuses_trust_in_what_nobody_touched(void **state)
{
	(void)state;
	refuses(begin(), speculative_fill, REFUSED_STALE_READ);
}

static void d7_5_coherent_dma_snoops_and_other_dma_does_not(void **state)
{
	struct bench *b = begin();
	u64 first, second;

	(void)state;
	first = machine_dma_write(b->p, b->page[0], DMA_BYPASS);
	second = machine_line_write(b->p, b->page[0], ATTR_WB);
	assert_int_equal(machine_dma_read(b->p, b->page[0], DMA_BYPASS), first);
	assert_int_equal(machine_dma_read(b->p, b->page[0], DMA_COHERENT), second);
	end(b);
}

static void dma_into_a_cached_line(struct bench *b)
{
	machine_line_read(b->p, b->page[0], ATTR_WB);
	machine_dma_write(b->p, b->page[0], DMA_BYPASS);
	machine_hand_over(b->p, b->page[0], 64, "host");
	machine_line_read(b->p, b->page[0], ATTR_WB);
}

static void d7_5_refuses_reading_what_dma_wrote_through_an_old_line(void **state)
{
	(void)state;
	refuses(begin(), dma_into_a_cached_line, REFUSED_STALE_READ);
}

/* D7.5.9.5: with stage 2 enabled DC IVAC cleans too: no byte of the host's is lost. */
static void d7_5_invalidation_by_a_guest_loses_nothing(void **state)
{
	struct bench *b = begin();
	struct machine_guest_result r;
	u64 v;

	(void)state;
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW));
	v = machine_line_write(b->p, b->page[0], ATTR_WB);
	r = machine_guest_cmo(b->p, IPA(IPA_A), CMO_INVAL);
	assert_int_equal(r.access.fault, MF_NONE);
	assert_int_equal(machine_line_read(b->p, b->page[0], ATTR_NC), v);
	end(b);
}

static void d7_5_invalidation_by_a_guest_needs_write_permission(void **state)
{
	struct bench *b = begin();

	(void)state;
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | R));
	assert_int_equal(machine_guest_cmo(b->p, IPA(IPA_A), CMO_INVAL).access.fault,
			 MF_PERMISSION);
	assert_int_equal(machine_guest_cmo(b->p, IPA(IPA_A), CMO_CLEAN_INVAL).access.fault,
			 MF_NONE);
	assert_int_equal(machine_guest_cmo(b->p, IPA(IPA_A), CMO_CLEAN).access.fault, MF_NONE);
	end(b);
}

static void d7_5_maintenance_of_what_is_not_mapped_faults(void **state)
{
	struct bench *b = begin();

	(void)state;
	assert_int_equal(machine_guest_cmo(b->p, IPA(IPA_A), CMO_CLEAN_INVAL).access.fault,
			 MF_TRANSLATION);
	end(b);
}

/* ================= B2.7.4: instruction caches */

static struct bench *begin_fetching(bool dic, bool idc)
{
	struct port_caps caps = plain;
	struct bench *b;

	caps.dic = dic;
	caps.idc = idc;
	b = begin_on(&caps, 0);
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW));
	machine_line_write(b->p, b->page[0], ATTR_WB);
	machine_line_cmo(b->p, b->page[0], CMO_CLEAN);
	machine_line_fetch(b->p, b->page[0]); /* instruction caches hold it now */
	machine_line_write(b->p, b->page[0], ATTR_WB);
	return b;
}

static void fetch_new_code(struct bench *b)
{
	machine_hand_over(b->p, b->page[0], 64, "guest");
	machine_line_fetch(b->p, b->page[0]);
}

static void b2_7_refuses_code_without_instruction_cache_maintenance(void **state)
{
	(void)state;
	refuses(begin_fetching(false, true), fetch_new_code, REFUSED_STALE_FETCH);
}

/* CTR_EL0.DIC: instruction caches need no invalidation. */
static void b2_7_with_dic_nothing_is_owed(void **state)
{
	(void)state;
	passes(begin_fetching(true, true), fetch_new_code);
}

static void invalidate_and_fetch(struct bench *b)
{
	port_icache_inval(b->p, b->page[0], 64);
	fetch_new_code(b);
}

static void b2_7_an_invalidation_pays(void **state)
{
	(void)state;
	passes(begin_fetching(false, true), invalidate_and_fetch);
}

/* CTR_EL0.IDC clear: the data must be cleaned to the point of unification first. */
static void b2_7_refuses_an_invalidation_without_the_clean(void **state)
{
	(void)state;
	refuses(begin_fetching(false, false), invalidate_and_fetch, REFUSED_STALE_FETCH);
}

static void clean_invalidate_and_fetch(struct bench *b)
{
	machine_line_cmo(b->p, b->page[0], CMO_CLEAN_POU);
	invalidate_and_fetch(b);
}

static void b2_7_clean_to_pou_then_invalidate_pays(void **state)
{
	(void)state;
	passes(begin_fetching(false, false), clean_invalidate_and_fetch);
}

static void invalidate_all_and_fetch(struct bench *b)
{
	port_icache_inval_all(b->p);
	fetch_new_code(b);
}

static void b2_7_an_invalidation_of_all_pays(void **state)
{
	(void)state;
	passes(begin_fetching(false, true), invalidate_all_and_fetch);
}

/* ================= D8.2.12: stage-1 walks through stage 2 */

static struct machine_guest_result walk(struct bench *b, bool updates_af)
{
	struct machine_guest_op o = {
		.ipa = IPA(IPA_A),
		.op = MACHINE_READ,
		.s1 = S1_WB,
		.table = { IPA(IPA_B) },
		.updates_af = updates_af,
	};

	return machine_guest(b->p, &o);
}

static void d8_2_a_stage_1_walk_faults_at_its_table(void **state)
{
	struct bench *b = begin();
	struct machine_guest_result r;

	(void)state;
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW));
	r = walk(b, false);
	assert_int_equal(r.access.fault, MF_TRANSLATION);
	assert_true(r.on_walk);
	assert_int_equal(r.fault_ipa.v & ~0xfffUL, IPA_B);
	end(b);
}

static void d8_2_a_stage_1_walk_reads_only(void **state)
{
	struct bench *b = begin();

	(void)state;
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW));
	write_desc(b, entry3(b, IPA_B), page(PA(b->page[0].v + 0x1000), WB | R));
	assert_int_equal(walk(b, false).access.fault, MF_NONE);
	end(b);
}

/* D8.5.2: hardware that updates a descriptor of stage 1 writes it, through stage 2. */
static void d8_2_a_stage_1_walk_that_updates_needs_write_permission(void **state)
{
	struct bench *b = begin();
	struct machine_guest_result r;

	(void)state;
	write_desc(b, entry3(b, IPA_A), page(b->page[0], WB | RW));
	write_desc(b, entry3(b, IPA_B), page(PA(b->page[0].v + 0x1000), WB | R));
	r = walk(b, true);
	assert_int_equal(r.access.fault, MF_PERMISSION);
	assert_true(r.on_walk);
	assert_true(r.walk_writes);
	end(b);
}

/* ================= B2.16: mismatched attributes */

static void uncached_guest_beside_cached_host(struct bench *b)
{
	machine_host_map(b->p, 0x10000, b->page[0], 4096, ATTR_WB);
	write_desc(b, entry3(b, IPA_A), page(b->page[0], NC | RW));
}

static void b2_16_refuses_an_uncached_guest_beside_a_cached_host(void **state)
{
	(void)state;
	refuses(begin(), uncached_guest_beside_cached_host, REFUSED_ALIAS);
}

static void cached_host_beside_uncached_guest(struct bench *b)
{
	write_desc(b, entry3(b, IPA_A), page(b->page[0], DEV | RW));
	machine_host_map(b->p, 0x10000, b->page[0], 4096, ATTR_WB);
}

static void b2_16_refuses_a_cached_host_beside_an_uncached_guest(void **state)
{
	(void)state;
	refuses(begin(), cached_host_beside_uncached_guest, REFUSED_ALIAS);
}

static void uncached_both(struct bench *b)
{
	machine_host_map(b->p, 0x10000, b->page[0], 4096, ATTR_DEVICE);
	write_desc(b, entry3(b, IPA_A), page(b->page[0], NC | RW));
}

static void b2_16_uncached_types_agree_enough(void **state)
{
	(void)state;
	passes(begin(), uncached_both);
}

static void after_the_host_unmapped(struct bench *b)
{
	machine_host_map(b->p, 0x10000, b->page[0], 4096, ATTR_WB);
	machine_host_unmap(b->p, 0x10000, 4096);
	port_dcache_clean_inval(b->p, b->page[0], 4096);
	write_desc(b, entry3(b, IPA_A), page(b->page[0], NC | RW));
}

static void b2_16_what_is_unmapped_is_no_alias(void **state)
{
	(void)state;
	passes(begin(), after_the_host_unmapped);
}

static void forced_guest_beside_uncached_host(struct bench *b)
{
	machine_host_map(b->p, 0x10000, b->page[0], 4096, ATTR_NC);
	write_desc(b, entry3(b, IPA_A), page(b->page[0], FWB_WB | RW));
}

static void b2_16_refuses_a_forced_guest_beside_an_uncached_host(void **state)
{
	struct port_caps caps = plain;

	(void)state;
	caps.fwb = true;
	refuses(begin_on(&caps, 0), forced_guest_beside_uncached_host, REFUSED_ALIAS);
}

/* ================= B2.3 and the port's own rules */

static void sleeps_under_a_lock(struct bench *b)
{
	static struct port_rwlock lock;

	port_rwlock_init(b->p, &lock);
	port_write_lock(b->p, &lock);
	(void)port_alloc(b->p, 64);
}

static void refuses_sleeping_with_a_lock_held(void **state)
{
	(void)state;
	refuses(begin(), sleeps_under_a_lock, REFUSED_SLEEP);
}

static void takes_twice(struct bench *b)
{
	static struct port_rwlock lock;

	port_rwlock_init(b->p, &lock);
	port_read_lock(b->p, &lock);
	port_write_lock(b->p, &lock);
}

static void refuses_a_lock_taken_twice(void **state)
{
	(void)state;
	refuses(begin(), takes_twice, REFUSED_DEADLOCK);
}

static void gives_what_it_has_not(struct bench *b)
{
	static struct port_rwlock lock;

	port_rwlock_init(b->p, &lock);
	port_read_unlock(b->p, &lock);
}

static void refuses_the_release_of_a_lock_not_held(void **state)
{
	(void)state;
	refuses(begin(), gives_what_it_has_not, REFUSED_LOCK);
}

static void frees_in_a_walk_section(struct bench *b)
{
	free_after_all_levels(b);
	port_walk_leave(b->p);
}

static void refuses_leaving_a_section_not_entered(void **state)
{
	(void)state;
	refuses(begin(), frees_in_a_walk_section, REFUSED_LOCK);
}

static void frees_without_grace(struct bench *b)
{
	write_desc(b, entry2(b), 0);
	tlbi(b, IPA_A, -1);
	port_table_free(b->p, b->l3, 0);
}

static void refuses_a_table_freed_without_a_grace_period(void **state)
{
	(void)state;
	refuses(begin(), frees_without_grace, REFUSED_TABLE_GRACE);
}

static void tlbi_outside(struct bench *b)
{
	struct port_tlbi t = { .active = false };

	port_tlbi_ipa(b->p, &t, IPA(IPA_A), 3);
}

static void refuses_a_tlbi_out_of_its_sequence(void **state)
{
	(void)state;
	refuses(begin(), tlbi_outside, REFUSED_ORDER);
}

static void no_vmid(struct bench *b)
{
	machine_guest_enter(b->p, b->vttbr & ~(0xffffUL << 48), b->vtcr);
}

static void refuses_entry_without_a_vmid(void **state)
{
	struct bench *b = begin();

	(void)state;
	step_bench = b;
	step_fn = no_vmid;
	assert_true(machine_refuses(b->p, run_step, NULL));
	end(b);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(d8_2_a_page_translates_by_three_levels),
	cmocka_unit_test(d8_2_a_block_translates_at_level_2),
	cmocka_unit_test(d8_2_a_translation_fault_names_its_level),
	cmocka_unit_test(d8_2_beyond_the_ipa_size_is_a_translation_fault_of_level_0),
	cmocka_unit_test(d8_3_an_invalid_descriptor_may_hold_anything),
	cmocka_unit_test(d8_4_a_write_needs_write_permission),
	cmocka_unit_test(d8_4_a_read_needs_read_permission),
	cmocka_unit_test(d8_4_xn_forbids_fetches_alone),
	cmocka_unit_test(d8_5_a_clear_access_flag_faults_without_hardware_management),
	cmocka_unit_test(d8_5_hardware_sets_the_access_flag),
	cmocka_unit_test(d8_5_setting_the_access_flag_needs_no_tlbi),
	cmocka_unit_test(d8_5_hardware_makes_a_dbm_leaf_dirty),
	cmocka_unit_test(d8_5_without_dbm_a_read_only_leaf_stays_so),
	cmocka_unit_test(d8_5_refuses_a_store_over_what_hardware_may_update),
	cmocka_unit_test(d8_5_an_atomic_swap_returns_the_dirty_state),
	cmocka_unit_test(d8_16_refuses_another_output_address),
	cmocka_unit_test(d8_16_refuses_another_memory_type),
	cmocka_unit_test(d8_16_refuses_another_table),
	cmocka_unit_test(d8_16_refuses_a_block_over_a_table),
	cmocka_unit_test(d8_16_refuses_a_table_over_a_block_at_level_0),
	cmocka_unit_test(d8_16_level_2_allows_a_table_over_a_block),
	cmocka_unit_test(d8_16_level_2_refuses_a_table_that_disagrees),
	cmocka_unit_test(d8_16_permissions_change_in_place),
	cmocka_unit_test(d8_16_break_tlbi_make_is_how),
	cmocka_unit_test(d8_16_refuses_make_before_the_tlbi),
	cmocka_unit_test(d8_17_refuses_combined_entries_left_behind),
	cmocka_unit_test(d8_17_refuses_the_stages_in_the_wrong_order),
	cmocka_unit_test(d8_17_the_whole_vmid_includes_combined_entries),
	cmocka_unit_test(d8_17_refuses_make_before_the_dsb),
	cmocka_unit_test(d8_17_refuses_the_wrong_address),
	cmocka_unit_test(d8_17_refuses_the_wrong_level_hint),
	cmocka_unit_test(d8_17_without_ttl_the_hint_means_nothing),
	cmocka_unit_test(d8_17_an_address_inside_names_the_block),
	cmocka_unit_test(d8_17_refuses_a_range_that_is_one_page_short),
	cmocka_unit_test(d8_17_a_range_reaches_its_last_page),
	cmocka_unit_test(d8_17_refuses_range_operations_without_the_feature),
	cmocka_unit_test(d8_17_refuses_a_local_invalidation_for_all),
	cmocka_unit_test(d8_17_refuses_freeing_a_table_that_walk_caches_know),
	cmocka_unit_test(d8_17_without_a_hint_walk_caches_forget),
	cmocka_unit_test(refuses_freeing_a_table_that_walks_reach),
	cmocka_unit_test(refuses_reading_a_freed_table),
	cmocka_unit_test(d8_17_a_stale_translation_may_be_used_before_the_tlbi),
	cmocka_unit_test(d8_17_a_stale_entry_may_lack_permission),
	cmocka_unit_test(d8_17_refuses_a_vmid_in_two_vms),
	cmocka_unit_test(d8_17_after_alle1is_a_vmid_is_free_again),
	cmocka_unit_test(d8_17_a_number_given_up_owes_no_tlbi),
	cmocka_unit_test(d8_6_without_fwb_the_weaker_type_wins),
	cmocka_unit_test(d8_6_fwb_forces_write_back),
	cmocka_unit_test(d8_6_fwb_leaves_uncached_types_uncached),
	cmocka_unit_test(d8_6_without_fwb_stage_1_off_is_device),
	cmocka_unit_test(d7_5_an_uncached_read_does_not_see_a_dirty_line),
	cmocka_unit_test(d7_5_clean_makes_it_visible),
	cmocka_unit_test(d7_5_clean_keeps_the_line),
	cmocka_unit_test(d7_5_clean_and_invalidate_drops_it),
	cmocka_unit_test(d7_5_refuses_an_uncached_reader_without_a_clean),
	cmocka_unit_test(d7_5_a_clean_to_poc_pays),
	cmocka_unit_test(d7_5_refuses_a_cacheable_reader_without_an_invalidation),
	cmocka_unit_test(d7_5_cacheable_accesses_are_coherent),
	cmocka_unit_test(d7_5_an_eviction_writes_a_dirty_line_back),
	cmocka_unit_test(d7_5_refuses_a_dirty_line_left_under_uncached_writes),
	cmocka_unit_test(d7_5_refuses_trust_in_what_nobody_touched),
	cmocka_unit_test(d7_5_coherent_dma_snoops_and_other_dma_does_not),
	cmocka_unit_test(d7_5_refuses_reading_what_dma_wrote_through_an_old_line),
	cmocka_unit_test(d7_5_invalidation_by_a_guest_loses_nothing),
	cmocka_unit_test(d7_5_invalidation_by_a_guest_needs_write_permission),
	cmocka_unit_test(d7_5_maintenance_of_what_is_not_mapped_faults),
	cmocka_unit_test(b2_7_refuses_code_without_instruction_cache_maintenance),
	cmocka_unit_test(b2_7_with_dic_nothing_is_owed),
	cmocka_unit_test(b2_7_an_invalidation_pays),
	cmocka_unit_test(b2_7_refuses_an_invalidation_without_the_clean),
	cmocka_unit_test(b2_7_clean_to_pou_then_invalidate_pays),
	cmocka_unit_test(b2_7_an_invalidation_of_all_pays),
	cmocka_unit_test(d8_2_a_stage_1_walk_faults_at_its_table),
	cmocka_unit_test(d8_2_a_stage_1_walk_reads_only),
	cmocka_unit_test(d8_2_a_stage_1_walk_that_updates_needs_write_permission),
	cmocka_unit_test(b2_16_refuses_an_uncached_guest_beside_a_cached_host),
	cmocka_unit_test(b2_16_refuses_a_cached_host_beside_an_uncached_guest),
	cmocka_unit_test(b2_16_uncached_types_agree_enough),
	cmocka_unit_test(b2_16_what_is_unmapped_is_no_alias),
	cmocka_unit_test(b2_16_refuses_a_forced_guest_beside_an_uncached_host),
	cmocka_unit_test(refuses_sleeping_with_a_lock_held),
	cmocka_unit_test(refuses_a_lock_taken_twice),
	cmocka_unit_test(refuses_the_release_of_a_lock_not_held),
	cmocka_unit_test(refuses_leaving_a_section_not_entered),
	cmocka_unit_test(refuses_a_table_freed_without_a_grace_period),
	cmocka_unit_test(refuses_a_tlbi_out_of_its_sequence),
	cmocka_unit_test(refuses_entry_without_a_vmid),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
