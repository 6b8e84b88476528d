/* SPDX-License-Identifier: Apache-2.0 */
/* The whole fault path: a guest on the modelled machine, over a host that the test controls. */
#include "tests/unit/engine_fixture.h"

#define MIB (1UL << 20)

static struct fx *begin(const struct port_caps *caps, u64 size, s8 level)
{
	struct fx *f = fx_new(caps, 40);

	fx_host_ram(f, size, level);
	assert_int_equal(fx_slot(f, 0, 0, FX_IPA, size, FX_HVA), ERR_OK);
	return f;
}

static struct fault_outcome fault(struct fx *f, u64 esr, u64 ipa)
{
	struct fault_trap t = trap_at(esr, ipa);

	return fault_handle(&f->m, &t);
}

/* Host memory other than RAM of the page allocator. */
static void host_special(struct fx *f, enum mem_type type, enum mem_reach reach,
			 enum mem_owner owner)
{
	f->host.type = type;
	f->host.reach = reach;
	f->host.owner = owner;
	f->host.special = true;
}

/* What the notifier does around a host change of one page. */
static void host_unmaps(struct fx *f, u64 hva, u64 size)
{
	guest_mem_invalidate_begin(&f->m, HVA(hva), HVA(hva + size));
	for (u64 at = hva; at < hva + size; at += level_size(f->host.level)) {
		size_t i = host_granule(&f->host, HVA(at));

		f->host.present[i] = 0;
		f->host.writable[i] = 0;
	}
	machine_host_takes(f->p, PA(f->host.pa + (hva - f->host.start)), size);
	guest_mem_invalidate_end(&f->m, HVA(hva), HVA(hva + size));
}

/* ---- mapping */

static void m1_the_live_leaf_decides(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);
	struct machine_access a;

	(void)state;
	/* The VMA declares write-back; what the driver installs when asked is Device. */
	host_special(f, MEM_DEVICE, REACH_NONE, OWNER_TYPE_FIXED);
	guest_do(f, FX_IPA, MACHINE_READ, &a);
	assert_int_equal(a.type, MACHINE_DEVICE);
	fx_check_stats(f);
	fx_delete(f);
}

static void m2_ram_is_cleaned_and_executable_on_demand(void **state)
{
	struct fx *f = begin(&caps_plain, 4 * MIB, LEVEL_4K);
	struct machine_access a;

	(void)state;
	machine_host_writes(f->p, PA(f->host.pa), 4 * MIB);
	guest_touch(f, FX_IPA, MACHINE_READ);
	guest_touch(f, FX_IPA, MACHINE_FETCH); /* granted by relaxing */
	guest_touch(f, FX_IPA + PAGE_SIZE, MACHINE_FETCH);
	guest_do(f, FX_IPA, MACHINE_WRITE, &a);
	assert_int_equal(a.type, MACHINE_WB);
	assert_int_equal(fx_stat(f, STAT_dcache_bytes), 2 * PAGE_SIZE);
	assert_int_equal(fx_stat(f, STAT_icache_bytes), 2 * PAGE_SIZE);
	fx_check_stats(f);
	fx_delete(f);
}

static void m2_without_idc_code_is_cleaned_again_when_execution_is_granted(void **state)
{
	struct port_caps caps = caps_plain;
	struct fx *f;

	(void)state;
	caps.idc = false;
	f = begin(&caps, 4 * MIB, LEVEL_4K);
	guest_touch(f, FX_IPA, MACHINE_READ);
	machine_host_writes(f->p, PA(f->host.pa), PAGE_SIZE);
	guest_touch(f, FX_IPA, MACHINE_FETCH);
	fx_delete(f);
}

static void m3_unreachable_write_back_is_forced(void **state)
{
	struct port_caps caps = caps_fwb;
	struct fx *f;
	struct machine_access a;

	(void)state;
	caps.dic = false;
	f = begin(&caps, 4 * MIB, LEVEL_4K);
	host_special(f, MEM_WB, REACH_NONE, OWNER_TYPE_FIXED);
	guest_do(f, FX_IPA, MACHINE_FETCH, &a);
	assert_int_equal(a.type, MACHINE_WB);
	assert_int_equal(fx_stat(f, STAT_dcache_bytes), 0);
	assert_int_equal(fx_stat(f, STAT_icache_all), 1);
	fx_delete(f);
}

static void m4_refused_at_creation_and_at_the_fault(void **state)
{
	struct fx *f = begin(&caps_plain, 4 * MIB, LEVEL_4K);
	struct fault_outcome o;
	struct machine_access a;

	(void)state;
	/* The VMA was exchanged after creation. */
	host_special(f, MEM_WB, REACH_NONE, OWNER_TYPE_FIXED);
	o = guest_do(f, FX_IPA, MACHINE_READ, &a);
	assert_int_equal(o.kind, OUTCOME_MEMORY_FAULT);
	assert_int_equal(o.error, ERR_FAULT);
	assert_int_equal(o.why, WHY_CANNOT_CLEAN);
	assert_int_equal(o.fault_size, PAGE_SIZE);
	/* Its leaf is there now, so creation knows. */
	assert_int_equal(fx_slot(f, 1, 0, FX_IPA + SZ_1G, 4 * MIB, FX_HVA), ERR_INVAL);
	assert_int_equal(f->m.refusal.why, WHY_CANNOT_CLEAN);
	assert_int_equal(f->m.refusal.hva.v, FX_HVA);
	fx_delete(f);
}

static void m5_fetch_from_uncached_memory_aborts(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);
	struct fault_outcome o;
	struct machine_access a;

	(void)state;
	host_special(f, MEM_NC, REACH_NONE, OWNER_ANY_UNCACHED);
	o = guest_do(f, FX_IPA, MACHINE_FETCH, &a);
	assert_int_equal(o.kind, OUTCOME_INJECT);
	assert_int_equal(o.inject, INJECT_SEA_FETCH);
	guest_do(f, FX_IPA, MACHINE_READ, &a);
	assert_int_equal(a.type, MACHINE_NC);
	o = guest_do(f, FX_IPA, MACHINE_FETCH, &a); /* permission fault this time */
	assert_int_equal(o.kind, OUTCOME_INJECT);
	fx_delete(f);
}

static void m5_the_alias_of_uncached_ram_is_cleaned_with_fwb_too(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);

	(void)state;
	host_special(f, MEM_NC, REACH_ALIAS, OWNER_TYPE_FIXED);
	machine_host_writes(f->p, PA(f->host.pa), PAGE_SIZE);
	guest_touch(f, FX_IPA, MACHINE_WRITE);
	assert_int_equal(fx_stat(f, STAT_dcache_bytes), PAGE_SIZE);
	fx_delete(f);
}

static void m6_mappings_are_as_large_as_the_leaf(void **state)
{
	struct fx *f = begin(&caps_fwb, 64 * MIB, LEVEL_2M);
	struct s2_run run;

	(void)state;
	guest_touch(f, FX_IPA + 5 * MIB, MACHINE_WRITE);
	assert_true(stage2_dump(&f->m.s2, IPA(0), &run));
	assert_int_equal(run.leaf.level, LEVEL_2M);
	assert_int_equal(run.ipa.v, FX_IPA + 4 * MIB);
	assert_int_equal(fx_stat(f, STAT_limit_host), 1);
	fx_delete(f);
}

static void m6_a_device_found_after_the_lookup_keeps_its_leaf_size(void **state)
{
	struct fx *f = begin(&caps_fwb, 64 * MIB, LEVEL_4K);
	struct s2_run run;

	(void)state;
	host_special(f, MEM_DEVICE, REACH_NONE, OWNER_TYPE_FIXED);
	for (u64 i = 0; i < 512; i++)
		guest_touch(f, FX_IPA + i * PAGE_SIZE, MACHINE_READ);
	assert_true(stage2_dump(&f->m.s2, IPA(0), &run));
	assert_int_equal(run.leaf.level, LEVEL_4K);
	fx_delete(f);
}

static void m6_a_gigabyte_of_pfnmap_is_one_block(void **state)
{
	struct fx *f = fx_new(&caps_fwb, 40);
	struct s2_run run;

	(void)state;
	fx_host_ram(f, 2 * SZ_1G, LEVEL_1G);
	host_special(f, MEM_WB, REACH_NONE, OWNER_TYPE_FIXED);
	f->host.start = FX_HVA;
	assert_int_equal(fx_slot(f, 0, 0, SZ_1G, 2 * SZ_1G, FX_HVA), ERR_OK);
	guest_touch(f, SZ_1G + 12345, MACHINE_WRITE);
	assert_true(stage2_dump(&f->m.s2, IPA(0), &run));
	assert_int_equal(run.leaf.level, LEVEL_1G);
	fx_check_stats(f);
	fx_delete(f);
}

static void m6_pages_give_way_to_a_block_when_the_host_has_one(void **state)
{
	struct fx *f = begin(&caps_plain, 64 * MIB, LEVEL_2M);
	struct slot_request r = { 0, SLOT_LOG_DIRTY, IPA(FX_IPA), 64 * MIB, HVA(FX_HVA) };
	struct s2_leaf leaf;

	(void)state;
	assert_int_equal(fx_slot(f, 0, r.flags, FX_IPA, 64 * MIB, FX_HVA), ERR_OK);
	guest_touch(f, FX_IPA, MACHINE_WRITE);
	guest_touch(f, FX_IPA + PAGE_SIZE, MACHINE_READ);
	/* Logging ends; a fault on a page that is still read-only finds that a block would do. */
	assert_int_equal(fx_slot(f, 0, 0, FX_IPA, 64 * MIB, FX_HVA), ERR_OK);
	guest_touch(f, FX_IPA + PAGE_SIZE, MACHINE_WRITE);
	assert_true(stage2_lookup(&f->m.s2, IPA(FX_IPA), &leaf));
	assert_int_equal(leaf.level, LEVEL_2M);
	assert_int_equal(fx_stat(f, STAT_collapse), 1);
	fx_check_stats(f);
	fx_delete(f);
}

/* ---- M8, M14: write to what cannot be written */

static void m8_reads_map_read_only_and_a_write_is_refused(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);
	struct fault_outcome o;
	struct machine_access a;

	(void)state;
	f->host.vma_writable = false;
	guest_touch(f, FX_IPA, MACHINE_READ);
	o = guest_do(f, FX_IPA, MACHINE_WRITE, &a);
	assert_int_equal(o.kind, OUTCOME_MEMORY_FAULT);
	assert_int_equal(o.why, WHY_NOT_WRITABLE);
	fx_delete(f);
}

static void m8_strictness_refuses_at_creation(void **state)
{
	struct fx *f = fx_new(&caps_fwb, 40);

	(void)state;
	f->host.vma_writable = false;
	assert_int_equal(fx_slot(f, 0, 0, FX_IPA, 4 * MIB, FX_HVA), ERR_OK);
	f->m.policy.strict_slots = true;
	assert_int_equal(fx_slot(f, 1, 0, FX_IPA + SZ_1G, 4 * MIB, FX_HVA), ERR_PERM);
	assert_int_equal(f->m.refusal.why, WHY_STRICT_WRITE);
	assert_int_equal(fx_slot(f, 1, SLOT_READONLY, FX_IPA + SZ_1G, 4 * MIB, FX_HVA), ERR_OK);
	fx_delete(f);
}

static void m8_holes_and_no_vma_at_all_are_allowed(void **state)
{
	struct fx *f = fx_new(&caps_fwb, 40);
	struct fault_outcome o;
	struct machine_access a;

	(void)state;
	f->host.no_vma = true;
	assert_int_equal(fx_slot(f, 0, 0, FX_IPA, 4 * MIB, FX_HVA), ERR_OK);
	o = guest_do(f, FX_IPA, MACHINE_READ, &a);
	assert_int_equal(o.kind, OUTCOME_MEMORY_FAULT);
	assert_int_equal(o.why, WHY_NO_VMA);
	f->host.no_vma = false;
	guest_touch(f, FX_IPA, MACHINE_READ);
	fx_delete(f);
}

static void m14_the_owner_is_asked_before_a_write_is_refused(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);
	struct fault_outcome o;
	struct machine_access a;

	(void)state;
	host_special(f, MEM_WB, REACH_NONE, OWNER_TYPE_FIXED);
	f->host.read_maps_read_only = true;
	guest_touch(f, FX_IPA, MACHINE_READ);
	guest_touch(f, FX_IPA, MACHINE_WRITE);
	assert_int_equal(f->host.write_faults, 1);
	f->host.refuses_mkwrite = true;
	guest_touch(f, FX_IPA + PAGE_SIZE, MACHINE_READ);
	o = guest_do(f, FX_IPA + PAGE_SIZE, MACHINE_WRITE, &a);
	assert_int_equal(o.kind, OUTCOME_MEMORY_FAULT);
	assert_int_equal(o.why, WHY_OWNER_REFUSED_WRITE);
	assert_int_equal(f->host.write_faults, 2);
	fx_delete(f);
}

/* ---- M9 */

static void m9_prefault_maps_what_it_can_and_tells_the_rest(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);
	struct prefault_result r;

	(void)state;
	f->host.end = FX_HVA + 3 * MIB; /* a hole behind */
	r = guest_mem_prefault(&f->m, IPA(FX_IPA + MIB), 3 * MIB);
	assert_int_equal(r.error, ERR_OK);
	assert_int_equal(r.done, 3 * MIB);
	assert_int_equal(r.skipped, MIB);
	assert_int_equal(r.skip_why, WHY_NO_VMA);
	r = guest_mem_prefault(&f->m, IPA(FX_IPA + 3 * MIB), 2 * MIB);
	assert_int_equal(r.error, ERR_NOENT);
	assert_int_equal(r.done, MIB);
	assert_int_equal(f->host.faults, 512 + 2 * 256); /* allocated only where it was asked for */
	guest_touch(f, FX_IPA + MIB, MACHINE_WRITE);
	fx_check_stats(f);
	fx_delete(f);
}

static void m9_prefault_stops_without_memory_and_goes_on_later(void **state)
{
	struct fx *f = begin(&caps_fwb, 8 * MIB, LEVEL_4K);
	struct prefault_result r;
	struct s2_run run;

	(void)state;
	machine_fail_alloc(f->p, 3); /* the third 2 MiB need another table */
	r = guest_mem_prefault(&f->m, IPA(FX_IPA), 8 * MIB);
	assert_int_equal(r.error, ERR_NOMEM);
	assert_true(stage2_dump(&f->m.s2, IPA(0), &run));
	assert_int_equal(run.size, r.done);
	r = guest_mem_prefault(&f->m, IPA(FX_IPA + r.done), 8 * MIB - r.done);
	assert_int_equal(r.error, ERR_OK);
	assert_true(stage2_dump(&f->m.s2, IPA(0), &run));
	assert_int_equal(run.size, 8 * MIB);
	fx_delete(f);
}

/* ---- M10 */

static void m10_the_flag_is_unknown_until_it_is_enabled(void **state)
{
	struct fx *f = fx_new(&caps_fwb, 40);

	(void)state;
	assert_int_equal(fx_slot(f, 0, SLOT_WRITE_BACK, FX_IPA, 4 * MIB, FX_HVA), ERR_INVAL);
	f->m.policy.write_back_flag = true;
	assert_int_equal(fx_slot(f, 0, SLOT_WRITE_BACK, FX_IPA, 4 * MIB, FX_HVA), ERR_OK);
	guest_touch(f, FX_IPA, MACHINE_WRITE);
	fx_delete(f);
}

static void m10_without_fwb_the_guarantee_is_refused(void **state)
{
	struct fx *f = fx_new(&caps_plain, 40);

	(void)state;
	f->m.policy.write_back_flag = true;
	assert_int_equal(fx_slot(f, 0, SLOT_WRITE_BACK, FX_IPA, 4 * MIB, FX_HVA), ERR_INVAL);
	assert_int_equal(f->m.refusal.why, WHY_WB_NO_FWB);
	fx_delete(f);
}

static void m10_a_mapping_that_changed_later_is_refused_at_the_fault(void **state)
{
	struct fx *f = fx_new(&caps_fwb, 40);
	struct fault_outcome o;
	struct machine_access a;

	(void)state;
	f->m.policy.write_back_flag = true;
	assert_int_equal(fx_slot(f, 0, SLOT_WRITE_BACK, FX_IPA, 4 * MIB, FX_HVA), ERR_OK);
	host_special(f, MEM_NC, REACH_ALIAS, OWNER_ANY_UNCACHED);
	o = guest_do(f, FX_IPA, MACHINE_READ, &a);
	assert_int_equal(o.kind, OUTCOME_MEMORY_FAULT);
	assert_int_equal(o.why, WHY_WB_NOT_WB);
	fx_delete(f);
}

static void m10_asking_for_the_guarantee_later_decides_each_page_anew(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);
	struct s2_leaf leaf;

	(void)state;
	f->m.policy.write_back_flag = true;
	guest_touch(f, FX_IPA, MACHINE_WRITE);
	assert_int_equal(fx_slot(f, 0, SLOT_WRITE_BACK, FX_IPA, 4 * MIB, FX_HVA), ERR_OK);
	assert_false(stage2_lookup(&f->m.s2, IPA(FX_IPA), &leaf));
	guest_touch(f, FX_IPA, MACHINE_WRITE);
	fx_delete(f);
}

/* ---- M12 */

#define CMO_TRANSLATION (ESR_DABT | ESR_CM | ESR_WNR | 0x07)
#define CMO_PERMISSION	(ESR_DABT | ESR_CM | ESR_WNR | 0x0f)

static void m12_maintenance_never_dirties_nor_allocates_for_write(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);
	struct dirty_log log;
	struct s2_leaf leaf;

	(void)state;
	f->host.read_maps_read_only = true;
	assert_int_equal(fx_slot(f, 0, SLOT_LOG_DIRTY, FX_IPA, 4 * MIB, FX_HVA), ERR_OK);
	assert_int_equal(fault(f, CMO_TRANSLATION, FX_IPA).kind, OUTCOME_RESUME);
	assert_int_equal(f->host.write_faults, 0);
	assert_true(stage2_lookup(&f->m.s2, IPA(FX_IPA), &leaf));
	assert_int_equal(leaf.perms & S2_W, 0);
	assert_int_equal(dirty_log_get(&f->m, 0, &log), ERR_OK);
	assert_int_equal(log.words[0], 0);
	/* DC IVAC comes back with a permission fault: a write in a writable slot. */
	assert_int_equal(fault(f, CMO_PERMISSION, FX_IPA).kind, OUTCOME_RESUME);
	assert_int_equal(dirty_log_get(&f->m, 0, &log), ERR_OK);
	assert_int_equal(log.words[0], 1);
	fx_delete(f);
}

static void m12_civac_on_a_read_only_slot_just_works(void **state)
{
	struct fx *f = fx_new(&caps_plain, 40);
	struct fault_outcome o;

	(void)state;
	assert_int_equal(fx_slot(f, 0, SLOT_READONLY, FX_IPA, 4 * MIB, FX_HVA), ERR_OK);
	assert_int_equal(fault(f, CMO_TRANSLATION, FX_IPA).kind, OUTCOME_RESUME);
	o = fault(f, CMO_PERMISSION, FX_IPA);
	assert_int_equal(o.kind, OUTCOME_INJECT);
	assert_int_equal(o.inject, INJECT_SEA_DATA);
	f->m.policy.ivac = IVAC_UPGRADE;
	o = fault(f, CMO_PERMISSION, FX_IPA);
	assert_int_equal(o.kind, OUTCOME_SKIP);
	assert_int_equal(o.why, WHY_CMO_IVAC_UPGRADED);
	assert_int_equal(fx_stat(f, STAT_dcache_bytes), 2 * PAGE_SIZE);
	fx_delete(f);
}

static void m12_maintenance_that_cannot_be_served_is_skipped(void **state)
{
	struct fx *f = begin(&caps_plain, 4 * MIB, LEVEL_4K);
	struct fault_outcome o = fault(f, CMO_TRANSLATION, FX_IPA + SZ_1G);

	(void)state;
	assert_int_equal(o.kind, OUTCOME_SKIP);
	assert_int_equal(o.why, WHY_CMO_NO_SLOT);
	host_special(f, MEM_WB, REACH_NONE, OWNER_TYPE_FIXED);
	o = fault(f, CMO_TRANSLATION, FX_IPA);
	assert_int_equal(o.kind, OUTCOME_SKIP);
	assert_int_equal(o.why, WHY_CMO_REFUSED);
	f->host.no_vma = true;
	assert_int_equal(fault(f, CMO_TRANSLATION, FX_IPA).kind, OUTCOME_SKIP);
	fx_delete(f);
}

/* A guest turned its caches on or off, or maintained them by set and way. */
static void m2_a_flush_cleans_what_is_mapped_unless_write_back_is_forced(void **state)
{
	static const struct {
		const struct port_caps *caps;
		u64 flushes, bytes;
	} hosts[] = { { &caps_fwb, 0, 0 }, { &caps_plain, 1, 2 * PAGE_SIZE } };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(hosts); i++) {
		struct fx *f = begin(hosts[i].caps, 4 * MIB, LEVEL_4K);
		u64 before;

		fault(f, CMO_TRANSLATION, FX_IPA);
		fault(f, CMO_TRANSLATION, FX_IPA + 8 * PAGE_SIZE);
		before = fx_stat(f, STAT_dcache_bytes);
		guest_mem_flush_all(&f->m);
		assert_int_equal(fx_stat(f, STAT_cache_flush), hosts[i].flushes);
		assert_int_equal(fx_stat(f, STAT_dcache_bytes) - before, hosts[i].bytes);
		fx_delete(f);
	}
}

/* ---- M13: invalidation and races */

static void m13_nothing_is_mapped_that_the_host_has_unmapped(void **state)
{
	const struct port_caps *caps[] = { &caps_fwb, &caps_plain };
	const s8 levels[] = { LEVEL_4K, LEVEL_2M };

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct fx *f = begin(caps[i / 2], 16 * MIB, levels[i % 2]);

		for (u64 at = 0; at < 8 * MIB; at += 64 * 1024)
			guest_touch(f, FX_IPA + at, MACHINE_WRITE);
		host_unmaps(f, FX_HVA + 2 * MIB, 4 * MIB);
		assert_int_equal(machine_access(f->p, IPA(FX_IPA + 2 * MIB), MACHINE_READ).fault,
				 MF_TRANSLATION);
		assert_int_equal(machine_access(f->p, IPA(FX_IPA + MIB), MACHINE_READ).fault,
				 MF_NONE);
		guest_touch(f, FX_IPA + 2 * MIB, MACHINE_WRITE);
		fx_check_stats(f);
		fx_delete(f);
	}
}

static void unmap_first_page(void *arg)
{
	struct fx *f = arg;

	host_unmaps(f, FX_HVA, PAGE_SIZE);
}

static void unmap_other_page(void *arg)
{
	struct fx *f = arg;

	host_unmaps(f, FX_HVA + MIB, PAGE_SIZE);
}

static void m13_a_fault_that_raced_with_an_invalidation_is_retried(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);
	struct machine_access a;
	struct fault_outcome o;
	struct s2_leaf leaf;

	(void)state;
	f->host.after_leaf = unmap_first_page;
	f->host.after_leaf_arg = f;
	assert_false(guest_try(f, FX_IPA, MACHINE_WRITE, &a, &o));
	assert_int_equal(o.kind, OUTCOME_RESUME);
	assert_int_equal(o.why, WHY_RACED);
	assert_false(stage2_lookup(&f->m.s2, IPA(FX_IPA), &leaf));
	assert_int_equal(fx_stat(f, STAT_fault_retry), 1);
	guest_touch(f, FX_IPA, MACHINE_WRITE);
	fx_delete(f);
}

static void m13_an_invalidation_elsewhere_does_not_hold_a_fault_back(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);

	(void)state;
	f->host.after_leaf = unmap_other_page;
	f->host.after_leaf_arg = f;
	guest_touch(f, FX_IPA, MACHINE_WRITE);
	assert_int_equal(fx_stat(f, STAT_fault_retry), 0);
	fx_delete(f);
}

static void m13_faults_stay_out_of_an_open_range(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);
	struct machine_access a;
	struct fault_outcome o;

	(void)state;
	guest_mem_invalidate_begin(&f->m, HVA(FX_HVA), HVA(FX_HVA + PAGE_SIZE));
	assert_false(guest_try(f, FX_IPA, MACHINE_READ, &a, &o));
	assert_int_equal(o.why, WHY_RACED);
	guest_touch(f, FX_IPA + PAGE_SIZE, MACHINE_READ);
	guest_mem_invalidate_end(&f->m, HVA(FX_HVA), HVA(FX_HVA + PAGE_SIZE));
	guest_touch(f, FX_IPA, MACHINE_READ);
	fx_delete(f);
}

static void invalidate_often(void *arg)
{
	struct fx *f = arg;

	for (int i = 0; i < INVALIDATE_RING + 1; i++)
		unmap_other_page(f);
}

static void m13_too_many_invalidations_count_as_a_race(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);
	struct machine_access a;
	struct fault_outcome o;

	(void)state;
	f->host.after_leaf = invalidate_often;
	f->host.after_leaf_arg = f;
	assert_false(guest_try(f, FX_IPA, MACHINE_READ, &a, &o));
	assert_int_equal(o.why, WHY_RACED);
	guest_touch(f, FX_IPA, MACHINE_READ);
	fx_delete(f);
}

static void m13_more_open_ranges_than_places_hold_all_faults_back(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);
	struct machine_access a;
	struct fault_outcome o;

	(void)state;
	for (u64 i = 0; i < INVALIDATE_OPEN_MAX + 3; i++)
		guest_mem_invalidate_begin(&f->m, HVA(FX_HVA + MIB + i * PAGE_SIZE),
					   HVA(FX_HVA + MIB + (i + 1) * PAGE_SIZE));
	assert_false(guest_try(f, FX_IPA, MACHINE_READ, &a, &o));
	for (u64 i = 0; i < INVALIDATE_OPEN_MAX + 3; i++)
		guest_mem_invalidate_end(&f->m, HVA(FX_HVA + MIB + i * PAGE_SIZE),
					 HVA(FX_HVA + MIB + (i + 1) * PAGE_SIZE));
	assert_int_equal(f->m.inv.used, 0);
	assert_int_equal(f->m.inv.overflow, 0);
	assert_int_equal(f->m.inv.overflow_unsettled, 0);
	guest_touch(f, FX_IPA, MACHINE_READ);
	fx_delete(f);
}

/* A fault between two bounded steps of an unmap: its range is published, so it maps nothing. */
static void fault_meanwhile(void *arg)
{
	struct fx *f = arg;
	struct fault_trap t = trap_at(ESR_DABT | ESR_ISV | 0x07, FX_IPA);
	struct fault_outcome o;

	machine_cpu(f->p, 1);
	o = fault_handle(&f->m, &t);
	machine_cpu(f->p, 0);
	assert_int_equal(o.kind, OUTCOME_RESUME);
	assert_int_equal(o.why, WHY_RACED);
}

static void m13_faults_between_bounded_steps_map_nothing(void **state)
{
	const struct port_caps *caps[] = { &caps_fwb, &caps_plain };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct fx *f = begin(caps[i], 16 * MIB, LEVEL_4K);
		struct s2_run run;

		for (u64 at = 0; at < 8 * MIB; at += PAGE_SIZE)
			guest_touch(f, FX_IPA + at, MACHINE_WRITE);
		machine_on_relax(f->p, fault_meanwhile, f);
		guest_mem_invalidate_begin(&f->m, HVA(FX_HVA), HVA(FX_HVA + 8 * MIB));
		machine_on_relax(f->p, NULL, NULL);
		assert_true(machine_counts(f->p)->relax >= 4);
		assert_false(stage2_dump(&f->m.s2, IPA(0), &run));
		machine_host_takes(f->p, PA(f->host.pa), 8 * MIB);
		guest_mem_invalidate_end(&f->m, HVA(FX_HVA), HVA(FX_HVA + 8 * MIB));
		fx_check_stats(f);
		fx_delete(f);
	}
}

/* The host splits a huge page and changes a part of it: the block goes whole, and the rest of it,
 * which is not published, may be mapped again at once. */
static void fault_beside(void *arg)
{
	struct fx *f = arg;
	struct fault_trap t = trap_at(ESR_DABT | ESR_ISV | 0x06, FX_IPA);
	struct fault_outcome o;

	machine_cpu(f->p, 1);
	o = fault_handle(&f->m, &t);
	machine_cpu(f->p, 0);
	assert_int_equal(o.done, S2_DONE_INSTALL);
}

static void m13_the_rest_of_a_block_can_be_mapped_meanwhile(void **state)
{
	const struct port_caps *caps[] = { &caps_fwb, &caps_plain };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct fx *f = begin(caps[i], 4 * MIB, LEVEL_2M);

		guest_touch(f, FX_IPA, MACHINE_WRITE);
		f->host.level = LEVEL_4K;
		machine_on_relax(f->p, fault_beside, f);
		guest_mem_invalidate_begin(&f->m, HVA(FX_HVA + 8 * PAGE_SIZE),
					   HVA(FX_HVA + 9 * PAGE_SIZE));
		machine_on_relax(f->p, NULL, NULL);
		guest_mem_invalidate_end(&f->m, HVA(FX_HVA + 8 * PAGE_SIZE),
					 HVA(FX_HVA + 9 * PAGE_SIZE));
		fx_check_stats(f);
		fx_delete(f);
	}
}

/* The slot goes away between lookup and commit. */
static void delete_slot(void *arg)
{
	struct fx *f = arg;

	machine_cpu(f->p, 1);
	assert_int_equal(fx_slot(f, 0, 0, 0, 0, 0), ERR_OK);
	machine_cpu(f->p, 0);
}

static void m13_a_fault_on_a_slot_that_went_away_maps_nothing(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);
	struct machine_access a;
	struct fault_outcome o;
	struct s2_run run;

	(void)state;
	f->host.after_leaf = delete_slot;
	f->host.after_leaf_arg = f;
	assert_false(guest_try(f, FX_IPA, MACHINE_WRITE, &a, &o));
	assert_int_equal(o.why, WHY_RACED);
	assert_false(stage2_dump(&f->m.s2, IPA(0), &run));
	o = guest_do(f, FX_IPA, MACHINE_WRITE, &a);
	assert_int_equal(o.kind, OUTCOME_MMIO);
	fx_delete(f);
}

static void start_logging(void *arg)
{
	struct fx *f = arg;

	machine_cpu(f->p, 1);
	assert_int_equal(fx_slot(f, 0, SLOT_LOG_DIRTY, FX_IPA, 4 * MIB, FX_HVA), ERR_OK);
	machine_cpu(f->p, 0);
}

static void m13_a_fault_that_raced_with_the_start_of_logging_is_logged(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);
	struct dirty_log log;

	(void)state;
	f->host.after_leaf = start_logging;
	f->host.after_leaf_arg = f;
	guest_touch(f, FX_IPA, MACHINE_WRITE);
	assert_int_equal(dirty_log_get(&f->m, 0, &log), ERR_OK);
	assert_int_equal(log.words[0], 1);
	fx_delete(f);
}

/* Pages of a slot that is being deleted are gone from the tables but may be in a TLB: a notifier on
 * another CPU must not return before that is over. Here it comes in between two steps, so it would
 * wait for ever: the model's second CPU shows that it waits. */
static bool notifier_waited;

static void count_waiting(void *arg)
{
	struct fx *f = arg;

	notifier_waited = invalidate_unsettled(&f->m.inv, (struct hva_range){ FX_HVA, FX_HVA + 1 });
}

static void m13_a_range_counts_as_unsettled_until_its_tlbi_is_complete(void **state)
{
	struct fx *f = begin(&caps_fwb, 16 * MIB, LEVEL_4K);

	(void)state;
	for (u64 at = 0; at < 8 * MIB; at += PAGE_SIZE)
		guest_touch(f, FX_IPA + at, MACHINE_WRITE);
	machine_on_relax(f->p, count_waiting, f);
	assert_int_equal(fx_slot(f, 0, 0, 0, 0, 0), ERR_OK);
	machine_on_relax(f->p, NULL, NULL);
	assert_true(notifier_waited);
	assert_false(invalidate_unsettled(&f->m.inv, (struct hva_range){ 0, ~0UL }));
	fx_delete(f);
}

/* Whoever does not find the slot any more must find its range published. */
static unsigned int looks_without_slot;

static void look_for_slot(void *arg)
{
	struct fx *f = arg;
	struct s2_run run;

	if (slot_find(&f->m.slots, FX_IPA >> PAGE_SHIFT) || !stage2_dump(&f->m.s2, IPA(0), &run))
		return;
	looks_without_slot++;
	assert_true(invalidate_unsettled(&f->m.inv, (struct hva_range){ FX_HVA, FX_HVA + 1 }));
}

static void m13_a_slot_is_not_gone_before_its_range_is_published(void **state)
{
	(void)state;
	for (u64 size = 0; size <= 4 * MIB; size += 4 * MIB) { /* deleted, moved */
		struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);

		looks_without_slot = 0;
		guest_touch(f, FX_IPA, MACHINE_WRITE);
		machine_on_write_lock(f->p, look_for_slot, f);
		assert_int_equal(fx_slot(f, 0, 0, FX_IPA + 8 * MIB, size, FX_HVA), ERR_OK);
		machine_on_write_lock(f->p, NULL, NULL);
		assert_int_not_equal(looks_without_slot, 0);
		fx_delete(f);
	}
}

static void m13_one_host_page_behind_two_slots_goes_from_both(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);

	(void)state;
	assert_int_equal(fx_slot(f, 1, 0, FX_IPA + SZ_1G, 2 * MIB, FX_HVA + MIB), ERR_OK);
	guest_touch(f, FX_IPA + MIB, MACHINE_WRITE);
	guest_touch(f, FX_IPA + SZ_1G, MACHINE_WRITE);
	host_unmaps(f, FX_HVA + MIB, PAGE_SIZE);
	assert_int_equal(machine_access(f->p, IPA(FX_IPA + SZ_1G), MACHINE_READ).fault,
			 MF_TRANSLATION);
	fx_delete(f);
}

static void age_follows_host_addresses(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);

	(void)state;
	guest_touch(f, FX_IPA, MACHINE_READ);
	assert_int_equal(guest_mem_age(&f->m, HVA(FX_HVA), HVA(FX_HVA + MIB), S2_AGE_CLEAR), 1);
	assert_int_equal(guest_mem_age(&f->m, HVA(FX_HVA), HVA(FX_HVA + MIB), S2_AGE_TEST), 0);
	assert_int_equal(guest_mem_age(&f->m, HVA(FX_HVA + MIB), HVA(FX_HVA + 2 * MIB),
				       S2_AGE_TEST),
			 0);
	stage2_flush(&f->m.s2, IPA(FX_IPA), PAGE_SIZE);
	guest_touch(f, FX_IPA, MACHINE_READ);
	assert_int_equal(guest_mem_age(&f->m, HVA(FX_HVA), HVA(FX_HVA + MIB), S2_AGE_TEST), 1);
	assert_int_equal(fx_stat(f, STAT_fault_access_flag), 1);
	fx_delete(f);
}

/* ---- the dirty log (M17) */

static u64 dirty_pages(struct fx *f)
{
	struct dirty_log log;
	u64 n = 0;

	assert_int_equal(dirty_log_get(&f->m, 0, &log), ERR_OK);
	for (u64 i = 0; i < log.count; i++)
		n += (u64)__builtin_popcountl(log.words[i]);
	return n;
}

static void m17_each_written_page_is_reported_once(void **state)
{
	const s8 levels[] = { LEVEL_4K, LEVEL_2M };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct fx *f = begin(&caps_plain, 16 * MIB, levels[i]);
		struct dirty_log log;

		for (u64 at = 0; at < 16 * MIB; at += PAGE_SIZE)
			guest_touch(f, FX_IPA + at, MACHINE_WRITE);
		assert_int_equal(fx_slot(f, 0, SLOT_LOG_DIRTY, FX_IPA, 16 * MIB, FX_HVA), ERR_OK);
		assert_int_equal(dirty_pages(f), 0);
		guest_touch(f, FX_IPA + 3 * MIB + 5 * PAGE_SIZE, MACHINE_WRITE);
		guest_touch(f, FX_IPA + 9 * MIB, MACHINE_READ);
		guest_touch(f, FX_IPA + 10 * MIB, MACHINE_WRITE);
		assert_int_equal(dirty_log_get(&f->m, 0, &log), ERR_OK);
		assert_int_equal(log.words[3 * 4], 1UL << 5);
		assert_int_equal(log.words[10 * 4], 1);
		assert_int_equal(dirty_pages(f), 0);
		/* What was reported can be written again only with a fault that marks it again. */
		assert_false(machine_may_write(f->p, f->m.s2.vttbr, IPA(FX_IPA + 10 * MIB)));
		guest_touch(f, FX_IPA + 10 * MIB, MACHINE_WRITE);
		assert_int_equal(dirty_pages(f), 1);
		fx_check_stats(f);
		fx_delete(f);
	}
}

static void m17_manual_protect_reports_until_it_is_cleared(void **state)
{
	struct fx *f = begin(&caps_fwb, 16 * MIB, LEVEL_4K);
	u64 mask[2] = { 1UL << 5, 0 };

	(void)state;
	f->m.policy.dirty_protect = DIRTY_PROTECT_ON_CLEAR;
	assert_int_equal(fx_slot(f, 0, SLOT_LOG_DIRTY, FX_IPA, 16 * MIB, FX_HVA), ERR_OK);
	guest_touch(f, FX_IPA + 69 * PAGE_SIZE, MACHINE_WRITE);
	guest_touch(f, FX_IPA + 70 * PAGE_SIZE, MACHINE_WRITE);
	assert_int_equal(dirty_pages(f), 2);
	assert_int_equal(dirty_pages(f), 2);
	assert_int_equal(dirty_log_clear(&f->m, 0, 64, 128, mask), ERR_OK);
	dirty_log_clear_end(&f->m, 0);
	assert_int_equal(dirty_pages(f), 1);
	assert_false(machine_may_write(f->p, f->m.s2.vttbr, IPA(FX_IPA + 69 * PAGE_SIZE)));
	assert_true(machine_may_write(f->p, f->m.s2.vttbr, IPA(FX_IPA + 70 * PAGE_SIZE)));
	assert_int_equal(dirty_log_clear(&f->m, 0, 63, 64, mask), ERR_INVAL);
	assert_int_equal(dirty_log_clear(&f->m, 0, 0, 63, mask), ERR_INVAL);
	assert_int_equal(dirty_log_clear(&f->m, 0, 4096, 64, mask), ERR_INVAL);
	assert_int_equal(dirty_log_clear(&f->m, 7, 0, 64, mask), ERR_NOENT);
	fx_delete(f);
}

static void m17_initially_set_protects_nothing_until_cleared(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_2M);
	static u64 mask[16];

	(void)state;
	f->m.policy.dirty_protect = DIRTY_PROTECT_ON_CLEAR;
	f->m.policy.dirty_initially = SLOT_DIRTY_SET;
	guest_touch(f, FX_IPA, MACHINE_WRITE);
	assert_int_equal(fx_slot(f, 0, SLOT_LOG_DIRTY, FX_IPA, 4 * MIB, FX_HVA), ERR_OK);
	assert_int_equal(dirty_pages(f), 1024);
	assert_true(machine_may_write(f->p, f->m.s2.vttbr, IPA(FX_IPA)));
	memset(mask, 0xff, sizeof(mask));
	assert_int_equal(dirty_log_clear(&f->m, 0, 0, 1024, mask), ERR_OK);
	dirty_log_clear_end(&f->m, 0);
	assert_int_equal(dirty_pages(f), 0);
	guest_touch(f, FX_IPA + 7 * PAGE_SIZE, MACHINE_WRITE);
	assert_int_equal(dirty_pages(f), 1);
	fx_check_stats(f);
	fx_delete(f);
}

static void m17_known_uncached_memory_refuses_logging(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);
	struct fault_outcome o;
	struct machine_access a;

	(void)state;
	host_special(f, MEM_DEVICE, REACH_NONE, OWNER_TYPE_FIXED);
	assert_int_equal(fx_slot(f, 0, SLOT_LOG_DIRTY, FX_IPA, 4 * MIB, FX_HVA), ERR_INVAL);
	assert_int_equal(f->m.refusal.why, WHY_LOG_SPECIAL);
	/* Found at a fault under logging: mapped, not logged, told. */
	host_special(f, MEM_WB, REACH_ALIAS, OWNER_TYPE_FIXED);
	assert_int_equal(fx_slot(f, 0, SLOT_LOG_DIRTY, FX_IPA, 4 * MIB, FX_HVA), ERR_OK);
	host_special(f, MEM_DEVICE, REACH_NONE, OWNER_TYPE_FIXED);
	assert_false(guest_try(f, FX_IPA, MACHINE_WRITE, &a, &o));
	assert_int_equal(o.why, WHY_LOG_UNLOGGED);
	assert_int_equal(dirty_pages(f), 0);
	fx_delete(f);
}

static void m17_eager_split_leaves_no_block_to_split_at_a_fault(void **state)
{
	struct fx *f = begin(&caps_fwb, 16 * MIB, LEVEL_2M);
	u64 splits;

	(void)state;
	f->m.policy.eager_split = SZ_2M;
	for (u64 at = 0; at < 16 * MIB; at += SZ_2M)
		guest_touch(f, FX_IPA + at, MACHINE_WRITE);
	assert_int_equal(fx_slot(f, 0, SLOT_LOG_DIRTY, FX_IPA, 16 * MIB, FX_HVA), ERR_OK);
	splits = fx_stat(f, STAT_split);
	assert_int_equal(splits, 8);
	for (u64 at = 0; at < 16 * MIB; at += SZ_2M)
		guest_touch(f, FX_IPA + at, MACHINE_WRITE);
	assert_int_equal(fx_stat(f, STAT_split), splits);
	assert_int_equal(dirty_pages(f), 8);
	fx_delete(f);
}

/* A write between taking the bits and the flush is in the log that follows, or was before. */
static void m17_no_write_is_lost_between_get_and_flush(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);
	u64 reported = 0;

	(void)state;
	assert_int_equal(fx_slot(f, 0, SLOT_LOG_DIRTY, FX_IPA, 4 * MIB, FX_HVA), ERR_OK);
	for (u64 i = 0; i < 1024; i++) {
		guest_touch(f, FX_IPA + i * PAGE_SIZE, MACHINE_WRITE);
		if (i % 100 == 0)
			reported += dirty_pages(f);
	}
	assert_int_equal(reported + dirty_pages(f), 1024);
	fx_delete(f);
}

/* ---- M15, M18 and errors */

static void m15_outcomes_outside_memory(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);
	struct machine_access a;
	struct fault_outcome o = guest_do(f, 0x9000000, MACHINE_WRITE, &a);

	(void)state;
	assert_int_equal(o.kind, OUTCOME_MMIO);
	assert_true(o.is_write);
	assert_int_equal(o.len, 8);
	assert_int_equal(o.reg, 1);
	assert_int_equal(o.ipa.v, 0x9000000);
	o = guest_do(f, 0x9000000, MACHINE_FETCH, &a);
	assert_int_equal(o.kind, OUTCOME_INJECT);
	assert_int_equal(o.inject, INJECT_SEA_FETCH);
	assert_int_equal(fault(f, ESR_DABT | 0x07, 0x9000000).kind, OUTCOME_NO_SYNDROME);
	o = fault(f, ESR_DABT | ESR_WALK | 0x07, 0x9000000);
	assert_int_equal(o.kind, OUTCOME_INJECT);
	assert_true(o.inject_on_walk);
	assert_int_equal(fault(f, ESR_DABT | 0x10, FX_IPA).kind, OUTCOME_EXTERNAL);
	o = fault(f, ESR_DABT | 0x34, FX_IPA);
	assert_int_equal(o.kind, OUTCOME_MEMORY_FAULT);
	assert_int_equal(o.why, WHY_UNSUPPORTED_FAULT);
	assert_int_equal(fx_stat(f, STAT_exit_mmio), 1);
	assert_int_equal(fx_stat(f, STAT_exit_inject), 2);
	fx_delete(f);
}

static void m15_page_tables_may_lie_in_a_read_only_slot(void **state)
{
	struct fx *f = fx_new(&caps_fwb, 40);

	(void)state;
	assert_int_equal(fx_slot(f, 0, SLOT_READONLY, FX_IPA, 4 * MIB, FX_HVA), ERR_OK);
	assert_int_equal(fault(f, ESR_DABT | ESR_WALK | ESR_WNR | 0x07, FX_IPA).kind,
			 OUTCOME_RESUME);
	assert_int_equal(fault(f, ESR_DABT | ESR_WALK | 0x0f, FX_IPA).kind, OUTCOME_INJECT);
	fx_delete(f);
}

/* HCR_EL2.PTW = 1: each walk of a table in Device memory is a permission fault, for ever. */
static void m5_a_walk_in_device_memory_is_aborted(void **state)
{
	struct fx *f = fx_new(&caps_fwb, 40);
	struct machine_guest_op op = { .ipa = IPA(FX_IPA + 8 * PAGE_SIZE),
				       .s1 = S1_WB,
				       .table = { IPA(FX_IPA) } };
	struct machine_guest_result r;
	struct fault_outcome o;

	(void)state;
	f->host.type = MEM_DEVICE;
	f->host.reach = REACH_NONE;
	f->host.special = true;
	assert_int_equal(fx_slot(f, 0, 0, FX_IPA, 4 * MIB, FX_HVA), ERR_OK);
	guest_touch(f, FX_IPA, MACHINE_READ); /* mapped, so that only the walk is in the way */
	r = machine_guest(f->p, &op);
	assert_int_equal(r.access.fault, MF_PERMISSION);
	assert_true(r.on_walk);
	o = fault(f, ESR_DABT | ESR_WALK | 0x0f, FX_IPA);
	assert_int_equal(o.kind, OUTCOME_INJECT);
	assert_true(o.inject_on_walk);
	assert_int_equal(o.why, WHY_WALK_DEVICE);
	fx_delete(f);
}

static void host_errors_have_their_outcome(void **state)
{
	static const struct {
		int error;
		enum outcome_kind kind;
		enum reason why;
	} cases[] = {
		{ ERR_NOMEM, OUTCOME_ERROR, WHY_HOST_NOMEM },
		{ ERR_INTR, OUTCOME_ERROR, WHY_HOST_SIGNAL },
		{ ERR_HWPOISON, OUTCOME_SIGBUS, WHY_HOST_POISON },
		{ ERR_AGAIN, OUTCOME_RESUME, WHY_RACED },
		{ ERR_FAULT, OUTCOME_MEMORY_FAULT, WHY_NO_VMA },
	};
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fault_outcome o;

		f->host.fault_error = cases[i].error;
		o = fault(f, ESR_DABT | ESR_ISV | 0x07, FX_IPA);
		assert_int_equal(o.kind, cases[i].kind);
		assert_int_equal(o.why, cases[i].why);
		if (o.kind == OUTCOME_SIGBUS)
			assert_int_equal(o.hva.v, FX_HVA);
	}
	fx_delete(f);
}

/* The n-th allocation of a fault fails, for all n: the error is told, nothing mapped, nothing lost.
 */
static void a_fault_without_memory_is_an_error_and_can_be_repeated(void **state)
{
	struct fx *f = fx_new(&caps_fwb, 48);
	struct s2_run run;
	u64 n;

	(void)state;
	assert_int_equal(fx_slot(f, 0, 0, FX_IPA, 4 * MIB, FX_HVA), ERR_OK);
	for (n = 1;; n++) {
		struct fault_outcome o;

		machine_fail_alloc(f->p, n);
		o = fault(f, ESR_DABT | ESR_ISV | 0x04, FX_IPA);
		machine_fail_alloc(f->p, 0);
		if (o.kind == OUTCOME_RESUME)
			break;
		assert_int_equal(o.kind, OUTCOME_ERROR);
		assert_int_equal(o.error, ERR_NOMEM);
		assert_false(stage2_dump(&f->m.s2, IPA(0), &run));
		assert_int_equal(stage2_count_tables(&f->m.s2), 0);
	}
	assert_int_equal(n, 4); /* three tables below a level 0 root */
	fx_check_stats(f);
	fx_delete(f);
}

static void slots_move_and_go_with_what_they_mapped(void **state)
{
	struct fx *f = begin(&caps_plain, 4 * MIB, LEVEL_4K);
	struct s2_run run;

	(void)state;
	guest_touch(f, FX_IPA + MIB, MACHINE_WRITE);
	assert_int_equal(fx_slot(f, 0, 0, FX_IPA + SZ_1G, 4 * MIB, FX_HVA), ERR_OK);
	assert_false(stage2_dump(&f->m.s2, IPA(0), &run));
	guest_touch(f, FX_IPA + SZ_1G + MIB, MACHINE_WRITE);
	assert_int_equal(fx_slot(f, 0, 0, 0, 0, 0), ERR_OK);
	assert_false(stage2_dump(&f->m.s2, IPA(0), &run));
	machine_host_takes(f->p, PA(f->host.pa), 4 * MIB);
	fx_delete(f);
}

static void m2_a_vcpu_after_another_of_its_vm_finds_a_clean_cpu(void **state)
{
	struct fx *f = begin(&caps_fwb, 4 * MIB, LEVEL_4K);
	u64 before = machine_counts(f->p)->tlbi_local;

	(void)state;
	guest_mem_enter(&f->m, 0);
	assert_int_equal(machine_counts(f->p)->tlbi_local, before);
	guest_mem_enter(&f->m, 5);
	assert_int_equal(machine_counts(f->p)->tlbi_local, before + 1);
	fx_delete(f);
}

/* ---- a long random life */

enum { LIFE_SIZE = 16 << 20 };

static u64 random_page(void)
{
	return ((u64)rand() % LIFE_SIZE) & PAGE_MASK;
}

/* Between two steps of whatever runs, the other CPU's guest goes on; it may have to try again. No
 * other invalidation: it would wait for the one that is under way, which here is below it on the
 * stack. */
static void live_on(void *arg)
{
	struct fx *f = arg;
	void (*after_leaf)(void *arg) = f->host.after_leaf;
	unsigned int cpu = f->p->cpu;
	struct machine_access a;
	struct fault_outcome o;

	f->host.after_leaf = NULL;
	machine_cpu(f->p, !cpu);
	guest_try(f, FX_IPA + random_page(), (enum machine_op)(rand() % 3), &a, &o);
	machine_cpu(f->p, cpu);
	f->host.after_leaf = after_leaf;
}

/* A change of the host between reading its leaf and the commit. */
static void unmap_some(void *arg)
{
	struct fx *f = arg;
	u64 size = level_size(f->host.level), at = ALIGN_DOWN(random_page(), size);

	host_unmaps(f, FX_HVA + at, size);
}

static void life_step(struct fx *f, u32 *flags)
{
	u64 unit = level_size(f->host.level), at = random_page();
	u64 size = min((u64)(1 + rand() % 64) * unit, (u64)LIFE_SIZE);

	machine_cpu(f->p, (unsigned int)rand() % 2);
	if (rand() % 8 == 0) {
		f->host.after_leaf = unmap_some;
		f->host.after_leaf_arg = f;
	}
	switch (rand() % 12) {
	case 0: host_unmaps(f, FX_HVA + ALIGN_DOWN(min(at, LIFE_SIZE - size), unit), size); break;
	case 1:
		*flags ^= SLOT_LOG_DIRTY;
		assert_int_equal(fx_slot(f, 0, *flags, FX_IPA, LIFE_SIZE, FX_HVA), ERR_OK);
		break;
	case 2:
		if (*flags)
			dirty_pages(f);
		break;
	case 3:
		guest_mem_age(&f->m, HVA(FX_HVA + at), HVA(FX_HVA + LIFE_SIZE), S2_AGE_CLEAR);
		break;
	case 4:
		assert_int_equal(guest_mem_prefault(&f->m, IPA(FX_IPA + at), PAGE_SIZE).error,
				 ERR_OK);
		break;
	case 5: guest_touch(f, FX_IPA + at, MACHINE_FETCH); break;
	case 6:
	case 7: guest_touch(f, FX_IPA + at, MACHINE_READ); break;
	default: guest_touch(f, FX_IPA + at, MACHINE_WRITE); break;
	}
}

static void random_life(const struct port_caps *caps, s8 level, unsigned int seed)
{
	struct fx *f = begin(caps, LIFE_SIZE, level);
	u32 flags = 0;

	srand(seed);
	f->m.s2.step = 32;
	machine_on_relax(f->p, live_on, f);
	for (int i = 0; i < 4000; i++) {
		life_step(f, &flags);
		if (i % 256)
			continue;
		machine_on_relax(f->p, NULL, NULL); /* the dump relaxes too */
		fx_check_stats(f);
		machine_on_relax(f->p, live_on, f);
	}
	machine_cpu(f->p, 0);
	machine_on_relax(f->p, NULL, NULL);
	fx_check_stats(f);
	fx_delete(f);
}

static void a_random_life_breaks_no_rule_of_the_machine(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 3; seed++) {
		random_life(&caps_fwb, LEVEL_4K, seed);
		random_life(&caps_plain, LEVEL_4K, seed);
		random_life(&caps_fwb, LEVEL_2M, seed);
		random_life(&caps_plain, LEVEL_2M, seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(m1_the_live_leaf_decides),
		cmocka_unit_test(m2_ram_is_cleaned_and_executable_on_demand),
		cmocka_unit_test(m2_without_idc_code_is_cleaned_again_when_execution_is_granted),
		cmocka_unit_test(m3_unreachable_write_back_is_forced),
		cmocka_unit_test(m4_refused_at_creation_and_at_the_fault),
		cmocka_unit_test(m5_fetch_from_uncached_memory_aborts),
		cmocka_unit_test(m5_the_alias_of_uncached_ram_is_cleaned_with_fwb_too),
		cmocka_unit_test(m6_mappings_are_as_large_as_the_leaf),
		cmocka_unit_test(m6_a_device_found_after_the_lookup_keeps_its_leaf_size),
		cmocka_unit_test(m6_a_gigabyte_of_pfnmap_is_one_block),
		cmocka_unit_test(m6_pages_give_way_to_a_block_when_the_host_has_one),
		cmocka_unit_test(m8_reads_map_read_only_and_a_write_is_refused),
		cmocka_unit_test(m8_strictness_refuses_at_creation),
		cmocka_unit_test(m8_holes_and_no_vma_at_all_are_allowed),
		cmocka_unit_test(m14_the_owner_is_asked_before_a_write_is_refused),
		cmocka_unit_test(m9_prefault_maps_what_it_can_and_tells_the_rest),
		cmocka_unit_test(m9_prefault_stops_without_memory_and_goes_on_later),
		cmocka_unit_test(m10_the_flag_is_unknown_until_it_is_enabled),
		cmocka_unit_test(m10_without_fwb_the_guarantee_is_refused),
		cmocka_unit_test(m10_a_mapping_that_changed_later_is_refused_at_the_fault),
		cmocka_unit_test(m10_asking_for_the_guarantee_later_decides_each_page_anew),
		cmocka_unit_test(m12_maintenance_never_dirties_nor_allocates_for_write),
		cmocka_unit_test(m12_civac_on_a_read_only_slot_just_works),
		cmocka_unit_test(m12_maintenance_that_cannot_be_served_is_skipped),
		cmocka_unit_test(m2_a_flush_cleans_what_is_mapped_unless_write_back_is_forced),
		cmocka_unit_test(m13_nothing_is_mapped_that_the_host_has_unmapped),
		cmocka_unit_test(m13_a_fault_that_raced_with_an_invalidation_is_retried),
		cmocka_unit_test(m13_an_invalidation_elsewhere_does_not_hold_a_fault_back),
		cmocka_unit_test(m13_faults_stay_out_of_an_open_range),
		cmocka_unit_test(m13_too_many_invalidations_count_as_a_race),
		cmocka_unit_test(m13_more_open_ranges_than_places_hold_all_faults_back),
		cmocka_unit_test(m13_faults_between_bounded_steps_map_nothing),
		cmocka_unit_test(m13_a_slot_is_not_gone_before_its_range_is_published),
		cmocka_unit_test(m13_the_rest_of_a_block_can_be_mapped_meanwhile),
		cmocka_unit_test(m13_a_fault_on_a_slot_that_went_away_maps_nothing),
		cmocka_unit_test(m13_a_fault_that_raced_with_the_start_of_logging_is_logged),
		cmocka_unit_test(m13_a_range_counts_as_unsettled_until_its_tlbi_is_complete),
		cmocka_unit_test(m13_one_host_page_behind_two_slots_goes_from_both),
		cmocka_unit_test(age_follows_host_addresses),
		cmocka_unit_test(m17_each_written_page_is_reported_once),
		cmocka_unit_test(m17_manual_protect_reports_until_it_is_cleared),
		cmocka_unit_test(m17_initially_set_protects_nothing_until_cleared),
		cmocka_unit_test(m17_known_uncached_memory_refuses_logging),
		cmocka_unit_test(m17_eager_split_leaves_no_block_to_split_at_a_fault),
		cmocka_unit_test(m17_no_write_is_lost_between_get_and_flush),
		cmocka_unit_test(m15_outcomes_outside_memory),
		cmocka_unit_test(m5_a_walk_in_device_memory_is_aborted),
		cmocka_unit_test(m15_page_tables_may_lie_in_a_read_only_slot),
		cmocka_unit_test(host_errors_have_their_outcome),
		cmocka_unit_test(a_fault_without_memory_is_an_error_and_can_be_repeated),
		cmocka_unit_test(slots_move_and_go_with_what_they_mapped),
		cmocka_unit_test(m2_a_vcpu_after_another_of_its_vm_finds_a_clean_cpu),
		cmocka_unit_test(a_random_life_breaks_no_rule_of_the_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
