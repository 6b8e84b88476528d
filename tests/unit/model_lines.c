/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modelled machine's contents by line: what is seen through caches and past them, who may see
 * it, and what maintenance does. For each stale value, the sequence that just avoids it.
 */
#include "tests/unit/model_fixture.h"

/* ---- the data cache */

static void a_cached_write_is_not_in_memory_until_it_is_cleaned(void **state)
{
	struct vm w;
	u64 v;

	(void)state;
	vm_init(&w, &caps_idc);
	v = machine_line_write(w.p, w.page, ATTR_WB);
	assert_int_equal(machine_line_read(w.p, w.page, ATTR_WB), v);
	assert_int_equal(machine_line_read(w.p, w.page, ATTR_NC), 0);
	machine_line_cmo(w.p, w.page, CMO_CLEAN);
	assert_int_equal(machine_line_read(w.p, w.page, ATTR_NC), v);
	machine_delete(w.p);
}

static void a_clean_line_hides_what_is_written_below_it(void **state)
{
	struct vm w;
	u64 old, v;

	(void)state;
	vm_init(&w, &caps_idc);
	old = machine_line_write(w.p, w.page, ATTR_WB);
	machine_line_cmo(w.p, w.page, CMO_CLEAN);
	v = machine_line_write(w.p, w.page, ATTR_NC);
	assert_int_equal(machine_line_read(w.p, w.page, ATTR_WB), old);
	machine_line_cmo(w.p, w.page, CMO_CLEAN_INVAL);
	assert_int_equal(machine_line_read(w.p, w.page, ATTR_WB), v);
	machine_delete(w.p);
}

static void a_dirty_line_overwrites_memory_when_it_is_evicted(void **state)
{
	struct vm w;
	u64 old, v;

	(void)state;
	vm_init(&w, &caps_idc);
	old = machine_line_write(w.p, w.page, ATTR_WB);
	v = machine_line_write(w.p, w.page, ATTR_NC);
	assert_int_equal(machine_line_read(w.p, w.page, ATTR_NC), v);
	w.answers[0] = 1;
	machine_on_choice(w.p, vm_answer, &w);
	assert_int_equal(machine_line_read(w.p, w.page, ATTR_NC), old);
	assert_int_equal(w.last_asked, MAY_MOVE_LINE);
	machine_delete(w.p);
}

static void invalidation_without_clean_loses_the_write(void **state)
{
	struct vm w;

	(void)state;
	vm_init(&w, &caps_idc);
	machine_line_write(w.p, w.page, ATTR_WB);
	machine_line_cmo(w.p, w.page, CMO_INVAL);
	assert_int_equal(machine_line_read(w.p, w.page, ATTR_WB), 0);
	machine_delete(w.p);
}

static void a_line_is_filled_when_the_chooser_says_so(void **state)
{
	struct vm w;
	pa_t device;

	(void)state;
	vm_init(&w, &caps_idc);
	w.answers[0] = 1;
	machine_on_choice(w.p, vm_answer, &w);
	machine_line_write(w.p, w.page, ATTR_NC); /* filled just before */
	assert_int_equal(machine_line_read(w.p, w.page, ATTR_WB), 0);

	/* Memory that nothing maps cacheable is not filled. */
	w.asked = 0;
	device = machine_device_pages(w.p, 4096);
	machine_line_write(w.p, device, ATTR_NC);
	assert_int_equal(w.asked, 0);
	machine_host_map(w.p, 0x10000, device, 4096, ATTR_WB);
	machine_line_write(w.p, device, ATTR_NC);
	assert_int_equal(w.asked, 1);
	machine_delete(w.p);
}

static void moves_are_asked_where_they_make_a_difference(void **state)
{
	struct vm w;

	(void)state;
	vm_init(&w, &caps_idc);
	machine_on_choice(w.p, vm_answer, &w);
	machine_line_read(w.p, w.page, ATTR_WB);  /* it is filled anyway */
	machine_line_read(w.p, w.page, ATTR_WB);  /* clean, and as memory is */
	machine_line_write(w.p, w.page, ATTR_WB); /* same */
	assert_int_equal(w.asked, 0);
	machine_line_read(w.p, w.page, ATTR_NC); /* dirty */
	assert_int_equal(w.asked, 1);
	machine_line_cmo(w.p, w.page, CMO_CLEAN);
	machine_line_write(w.p, w.page, ATTR_NC); /* clean */
	assert_int_equal(w.asked, 1);
	machine_line_read(w.p, w.page, ATTR_WB); /* clean, but memory is newer */
	assert_int_equal(w.asked, 2);
	machine_line_cmo(w.p, w.page, CMO_CLEAN_INVAL);
	machine_dma_read(w.p, w.page, DMA_BYPASS);
	machine_dma_write(w.p, w.page, DMA_COHERENT);
	assert_int_equal(w.asked, 2);
	machine_dma_write(w.p, w.page, DMA_BYPASS); /* absent, and memory is to change */
	assert_int_equal(w.asked, 3);
	assert_int_equal(w.last_asked, MAY_MOVE_LINE);
	machine_delete(w.p);
}

static void maintenance_of_a_range_reaches_its_lines_and_no_other(void **state)
{
	struct vm w;
	u64 v[4];

	(void)state;
	vm_init(&w, &caps_idc);
	for (u64 i = 0; i < 4; i++)
		v[i] = machine_line_write(w.p, PA(w.page.v + (i + 1) * MACHINE_LINE), ATTR_WB);
	port_dcache_clean_inval(w.p, PA(w.page.v + 2 * MACHINE_LINE), 2 * MACHINE_LINE);
	for (u64 i = 0; i < 4; i++) {
		u64 seen = machine_line_read(w.p, PA(w.page.v + (i + 1) * MACHINE_LINE), ATTR_NC);

		assert_int_equal(seen, i == 1 || i == 2 ? v[i] : 0);
	}
	/* More lines in the range than there are: by what there is. */
	port_dcache_clean_inval(w.p, PA(0), 1UL << 40);
	assert_int_equal(machine_line_read(w.p, PA(w.page.v + MACHINE_LINE), ATTR_NC), v[0]);
	machine_delete(w.p);
}

/* ---- hand-over of ownership */

static void host_gives_unclean(void *arg)
{
	struct vm *w = arg;

	machine_line_write(w->p, w->page, ATTR_WB);
	machine_hand_over(w->p, w->page, 4096, "guest 1");
	machine_line_read(w->p, w->page, ATTR_NC);
}

static void host_gives_clean(void *arg)
{
	struct vm *w = arg;

	machine_line_write(w->p, w->page, ATTR_WB);
	port_dcache_clean_inval(w->p, w->page, 4096);
	machine_hand_over(w->p, w->page, 4096, "guest 1");
	machine_line_read(w->p, w->page, ATTR_NC);
}

static void host_cleans_neighbour(void *arg)
{
	struct vm *w = arg;

	machine_line_write(w->p, w->page, ATTR_WB);
	port_dcache_clean_inval(w->p, PA(w->page.v + 4096), 4096);
	machine_hand_over(w->p, w->page, 4096, "guest 1");
	machine_line_read(w->p, w->page, ATTR_NC);
}

REFUSED(bad_unclean_memory_is_read_uncached, &caps_idc, host_gives_unclean, STALE_READ)
REFUSED(bad_the_neighbour_is_cleaned, &caps_idc, host_cleans_neighbour, STALE_READ)
LEGAL(good_clean_memory_is_read_uncached, &caps_idc, host_gives_clean)

static void guest_leaves_stale_line(void *arg)
{
	struct vm *w = arg;

	machine_line_write(w->p, w->page, ATTR_WB);
	port_dcache_clean_inval(w->p, w->page, 4096);
	machine_line_read(w->p, w->page, ATTR_WB);  /* cached, clean */
	machine_line_write(w->p, w->page, ATTR_NC); /* the guest's */
}

static void host_takes_unclean(void *arg)
{
	struct vm *w = arg;

	guest_leaves_stale_line(w);
	machine_hand_over(w->p, w->page, 4096, "host");
	machine_line_read(w->p, w->page, ATTR_WB);
}

static void host_takes_clean(void *arg)
{
	struct vm *w = arg;

	guest_leaves_stale_line(w);
	port_dcache_clean_inval(w->p, w->page, 4096);
	machine_hand_over(w->p, w->page, 4096, "host");
	machine_line_read(w->p, w->page, ATTR_WB);
}

REFUSED(bad_host_reads_a_line_older_than_the_guests_write, &caps_idc, host_takes_unclean,
	STALE_READ)
LEGAL(good_host_reads_after_clean, &caps_idc, host_takes_clean)

/* The old owner's dirty line comes back over what the new one wrote past the cache. */
static void dirty_line_returns(struct vm *w)
{
	machine_hand_over(w->p, w->page, 4096, "guest 2");
	machine_line_write(w->p, w->page, ATTR_NC);
	w->answers[0] = 1; /* evicted */
	machine_on_choice(w->p, vm_answer, w);
	machine_line_read(w->p, w->page, ATTR_NC);
}

static void old_owner_overwrites(void *arg)
{
	struct vm *w = arg;

	machine_line_write(w->p, w->page, ATTR_WB);
	dirty_line_returns(w);
}

static void old_owner_is_cleaned(void *arg)
{
	struct vm *w = arg;

	machine_line_write(w->p, w->page, ATTR_WB);
	port_dcache_clean_inval(w->p, w->page, 4096);
	dirty_line_returns(w);
}

REFUSED(bad_old_owners_dirty_line_overwrites, &caps_idc, old_owner_overwrites, STALE_READ)
LEGAL(good_old_owner_is_cleaned, &caps_idc, old_owner_is_cleaned)

/* A guest that writes one line with two attributes cannot blame anybody. */
static void guest_muddles(void *arg)
{
	struct vm *w = arg;

	machine_line_write(w->p, w->page, ATTR_WB);
	machine_line_write(w->p, w->page, ATTR_NC);
	port_dcache_clean_inval(w->p, w->page, 4096); /* the first write wins */
	machine_hand_over(w->p, w->page, 4096, "host");
	machine_line_read(w->p, w->page, ATTR_WB);
}

LEGAL(good_a_guest_muddles_its_own_writes, &caps_idc, guest_muddles)

static void published_unclean(void *arg)
{
	struct vm *w = arg;

	machine_line_write(w->p, w->page, ATTR_WB);
	machine_publish_data(w->p, w->page, 4096);
	machine_line_read(w->p, w->page, ATTR_NC);
}

static void published_clean(void *arg)
{
	struct vm *w = arg;

	machine_line_fetch(w->p, w->page);
	machine_line_write(w->p, w->page, ATTR_WB);
	machine_line_cmo(w->p, w->page, CMO_CLEAN);
	machine_publish_data(w->p, w->page, 4096);
	machine_line_read(w->p, w->page, ATTR_NC);
	machine_line_fetch(w->p, w->page); /* old code: only data was published */
}

REFUSED(bad_published_without_clean, &caps_idc, published_unclean, STALE_READ)
LEGAL(good_published_after_clean, &caps_idc, published_clean)

/* ---- devices */

static void device_reads(struct vm *w, enum machine_dma how)
{
	machine_line_write(w->p, w->page, ATTR_WB);
	machine_publish_data(w->p, w->page, 4096);
	machine_dma_read(w->p, w->page, how);
}

static void coherent_device_reads(void *arg)
{
	device_reads(arg, DMA_COHERENT);
}

static void bypassing_device_reads(void *arg)
{
	device_reads(arg, DMA_BYPASS);
}

static void bypassing_device_reads_clean(void *arg)
{
	struct vm *w = arg;

	machine_line_write(w->p, w->page, ATTR_WB);
	machine_line_cmo(w->p, w->page, CMO_CLEAN);
	machine_publish_data(w->p, w->page, 4096);
	machine_dma_read(w->p, w->page, DMA_BYPASS);
}

LEGAL(good_coherent_device_snoops, &caps_idc, coherent_device_reads)
REFUSED(bad_bypassing_device_reads_unclean, &caps_idc, bypassing_device_reads, STALE_READ)
LEGAL(good_bypassing_device_reads_clean, &caps_idc, bypassing_device_reads_clean)

static void device_writes(struct vm *w, enum machine_dma how)
{
	machine_line_read(w->p, w->page, ATTR_WB);
	machine_dma_write(w->p, w->page, how);
	machine_publish_data(w->p, w->page, 4096);
	machine_line_read(w->p, w->page, ATTR_WB);
}

static void coherent_device_writes(void *arg)
{
	device_writes(arg, DMA_COHERENT);
}

static void bypassing_device_writes(void *arg)
{
	device_writes(arg, DMA_BYPASS);
}

LEGAL(good_coherent_device_writes, &caps_idc, coherent_device_writes)
REFUSED(bad_bypassing_device_writes_below_a_line, &caps_idc, bypassing_device_writes, STALE_READ)

/* ---- instruction fetches */

static void new_code(struct vm *w)
{
	machine_line_fetch(w->p, w->page); /* the old, cached */
	machine_line_write(w->p, w->page, ATTR_WB);
}

static void give_and_fetch(struct vm *w)
{
	machine_hand_over(w->p, w->page, 4096, "guest 1");
	machine_line_fetch(w->p, w->page);
}

static void code_without_maintenance(void *arg)
{
	new_code(arg);
	give_and_fetch(arg);
}

static void code_with_ic(void *arg)
{
	struct vm *w = arg;

	new_code(w);
	port_icache_inval(w->p, w->page, 4096);
	give_and_fetch(w);
}

static void code_with_ic_all(void *arg)
{
	struct vm *w = arg;

	new_code(w);
	port_icache_inval_all(w->p);
	give_and_fetch(w);
}

static void code_with_clean_and_ic(void *arg)
{
	struct vm *w = arg;

	new_code(w);
	machine_line_cmo(w->p, w->page, CMO_CLEAN_POU);
	machine_line_cmo(w->p, w->page, CMO_IC);
	give_and_fetch(w);
}

LEGAL(good_dic_and_idc_need_nothing, &caps_fwb, code_without_maintenance)
REFUSED(bad_idc_alone_needs_ic, &caps_idc, code_without_maintenance, STALE_FETCH)
LEGAL(good_idc_with_ic, &caps_idc, code_with_ic)
LEGAL(good_idc_with_ic_of_all, &caps_idc, code_with_ic_all)
REFUSED(bad_without_idc_ic_alone, &caps_plain, code_with_ic, STALE_FETCH)
LEGAL(good_without_idc_clean_and_ic, &caps_plain, code_with_clean_and_ic)

static const struct port_caps caps_dic = {
	.dic = true,
	.pa_bits = 40,
	.ipa_bits = 40,
	.vmid_bits = 8,
	.cpus = 2,
};

static void code_with_clean(void *arg)
{
	struct vm *w = arg;

	new_code(w);
	machine_line_cmo(w->p, w->page, CMO_CLEAN_POU);
	give_and_fetch(w);
}

REFUSED(bad_dic_without_idc_needs_clean, &caps_dic, code_without_maintenance, STALE_FETCH)
LEGAL(good_dic_without_idc_with_clean, &caps_dic, code_with_clean)

/* Clean to the point of unification is not clean to the point of coherency. */
static void clean_pou_only(void *arg)
{
	struct vm *w = arg;

	machine_line_write(w->p, w->page, ATTR_WB);
	machine_line_cmo(w->p, w->page, CMO_CLEAN_POU);
	machine_publish_data(w->p, w->page, 4096);
	machine_line_read(w->p, w->page, ATTR_NC);
}

REFUSED(bad_clean_to_unification_is_not_to_coherency, &caps_plain, clean_pou_only, STALE_READ)

/* IC before the clean: a fetch between them brings the old code back. */
static void ic_before_clean(void *arg)
{
	struct vm *w = arg;

	new_code(w);
	machine_line_cmo(w->p, w->page, CMO_IC);
	w->answers[0] = 1;
	machine_on_choice(w->p, vm_answer, w);
	machine_line_cmo(w->p, w->page, CMO_CLEAN_POU);
	machine_on_choice(w->p, NULL, NULL);
	give_and_fetch(w);
}

static void ic_after_clean(void *arg)
{
	struct vm *w = arg;

	new_code(w);
	w->answers[0] = 1;
	machine_on_choice(w->p, vm_answer, w);
	machine_line_cmo(w->p, w->page, CMO_CLEAN_POU);
	machine_on_choice(w->p, NULL, NULL);
	machine_line_cmo(w->p, w->page, CMO_IC);
	give_and_fetch(w);
}

static void map_exec(struct vm *w)
{
	vm_map(w, 0, WB | RWX);
}

static void executable_ic_before_clean(void *arg)
{
	map_exec(arg);
	ic_before_clean(arg);
}

static void executable_ic_after_clean(void *arg)
{
	map_exec(arg);
	ic_after_clean(arg);
}

REFUSED(bad_ic_before_clean, &caps_plain, executable_ic_before_clean, STALE_FETCH)
LEGAL(good_ic_after_clean, &caps_plain, executable_ic_after_clean)
/* What no guest may execute is not fetched speculatively. */
LEGAL(good_ic_before_clean_of_what_is_not_executable, &caps_plain, ic_before_clean)

static void instruction_caches_are_each_cpus_own(void **state)
{
	struct vm w;
	u64 v;

	(void)state;
	vm_init(&w, &caps_idc);
	machine_line_fetch(w.p, w.page);
	machine_cpu(w.p, 1);
	machine_line_fetch(w.p, w.page);
	v = machine_line_write(w.p, w.page, ATTR_WB);
	port_flush_local(w.p, &w.vttbr);
	assert_int_equal(machine_line_fetch(w.p, w.page), v);
	machine_cpu(w.p, 0);
	assert_int_equal(machine_line_fetch(w.p, w.page), 0);
	w.answers[0] = 0; /* the line stays */
	w.answers[1] = 1; /* the instruction is fetched anew */
	machine_on_choice(w.p, vm_answer, &w);
	assert_int_equal(machine_line_fetch(w.p, w.page), v);
	assert_int_equal(w.last_asked, MAY_DROP_ICACHE);
	machine_delete(w.p);
}

static void a_deaf_machine_does_not_maintain_lines(void **state)
{
	struct vm w;

	(void)state;
	vm_init(&w, &caps_idc);
	machine_line_fetch(w.p, w.page);
	machine_line_write(w.p, w.page, ATTR_WB);
	machine_deafen(w.p, DEAF_DCACHE);
	machine_deafen(w.p, DEAF_ICACHE);
	port_dcache_clean_inval(w.p, w.page, 4096);
	port_icache_inval_all(w.p);
	port_icache_inval(w.p, w.page, 4096);
	port_flush_local(w.p, &w.vttbr);
	assert_int_equal(machine_line_read(w.p, w.page, ATTR_NC), 0);
	assert_int_equal(machine_line_fetch(w.p, w.page), 0);
	machine_delete(w.p);
}

static void clean_by_address_alone(void *arg)
{
	struct vm *w = arg;

	map_exec(w);
	new_code(w);
	machine_line_cmo(w->p, w->page, CMO_IC);
	w->answers[0] = 1;
	machine_on_choice(w->p, vm_answer, w);
	port_dcache_clean_inval(w->p, w->page, 4096); /* fetched just before */
	machine_on_choice(w->p, NULL, NULL);
	give_and_fetch(w);
}

REFUSED(bad_ic_before_clean_to_coherency, &caps_plain, clean_by_address_alone, STALE_FETCH)

/* With IDC a fetch sees the write at once; so the last moment for the old code is before it. */
static void filled_before_write(struct vm *w)
{
	map_exec(w);
	w->answers[0] = 1; /* fetched just before */
	machine_on_choice(w->p, vm_answer, w);
	machine_line_write(w->p, w->page, ATTR_WB);
	assert_int_equal(w->last_asked, MAY_FILL_ICACHE);
	machine_on_choice(w->p, NULL, NULL);
}

static void write_after_fetch(void *arg)
{
	filled_before_write(arg);
	give_and_fetch(arg);
}

static void write_after_fetch_with_ic(void *arg)
{
	struct vm *w = arg;

	filled_before_write(w);
	port_icache_inval(w->p, w->page, 4096);
	give_and_fetch(w);
}

REFUSED(bad_old_code_fetched_before_the_write, &caps_idc, write_after_fetch, STALE_FETCH)
LEGAL(good_old_code_is_invalidated, &caps_idc, write_after_fetch_with_ic)

static void uncached_accesses_leave_the_caches_alone(void **state)
{
	struct vm w;
	u64 v;

	(void)state;
	vm_init(&w, &caps_idc);
	machine_line_read(w.p, w.page, ATTR_NC);
	v = machine_line_write(w.p, w.page, ATTR_NC);
	assert_int_equal(machine_line_read(w.p, w.page, ATTR_WB), v);
	/* A Non-cacheable fetch sees memory, whatever is in the data cache. */
	machine_line_write(w.p, w.page, ATTR_WB);
	vm_map(&w, 0, NC | RWX);
	assert_int_equal(vm_touch(&w, 0, MACHINE_FETCH, S1_WB), v);
	machine_delete(w.p);
}

/* What its owner threw away is not owed to the next. */
static void owner_discards(void *arg)
{
	struct vm *w = arg;

	machine_line_write(w->p, w->page, ATTR_WB);
	machine_line_cmo(w->p, w->page, CMO_INVAL);
	machine_hand_over(w->p, w->page, 4096, "host");
	machine_line_read(w->p, w->page, ATTR_WB);
}

static void owner_discards_what_it_was_given(void *arg)
{
	struct vm *w = arg;

	machine_line_write(w->p, w->page, ATTR_WB);
	machine_hand_over(w->p, w->page, 4096, "guest");
	machine_line_cmo(w->p, w->page, CMO_INVAL);
	machine_line_read(w->p, w->page, ATTR_WB);
}

LEGAL(good_owner_discards_its_write, &caps_idc, owner_discards)
REFUSED(bad_owner_discards_what_it_was_given, &caps_idc, owner_discards_what_it_was_given,
	STALE_READ)

/* ---- the ledger */

static void ledger_ic_before_clean(void *arg)
{
	struct vm *w = arg;

	machine_host_writes(w->p, w->page, 4096);
	port_icache_inval_all(w->p);
	port_dcache_clean_inval(w->p, w->page, 4096);
	map_exec(w);
}

static void ledger_ic_after_clean(void *arg)
{
	struct vm *w = arg;

	machine_host_writes(w->p, w->page, 4096);
	port_dcache_clean_inval(w->p, w->page, 4096);
	port_icache_inval(w->p, w->page, 4096);
	map_exec(w);
}

REFUSED(bad_ledger_ic_before_clean, &caps_plain, ledger_ic_before_clean, IC)
LEGAL(good_ledger_ic_after_clean, &caps_plain, ledger_ic_after_clean)

static void take_elsewhere(void *arg)
{
	struct vm *w = arg;
	pa_t other = machine_pages(w->p, SZ_1G);

	vm_map(w, 0, WB | RW);
	machine_host_takes(w->p, other, SZ_1G);
}

static void take_all_around(void *arg)
{
	struct vm *w = arg;

	vm_map(w, 0, WB | RW);
	machine_host_takes(w->p, PA(w->page.v & ~(SZ_1G - 1)), SZ_1G);
}

LEGAL(good_other_memory_changes_owner, &caps_fwb, take_elsewhere)
REFUSED(bad_all_memory_changes_owner, &caps_fwb, take_all_around, TLBI)

/* ---- history */

static void history_tells_of_the_place_alone(void **state)
{
	const char *lines[16];
	unsigned int n;
	struct vm w;
	u64 at;

	(void)state;
	vm_init(&w, &caps_idc);
	vm_map(&w, 3, WB | RW);
	machine_line_write(w.p, PA(w.page.v + 3 * 4096 + 128), ATTR_WB);
	machine_line_write(w.p, vm_pa(&w, 4), ATTR_WB);
	n = machine_history(w.p, vm_ipa(3).v, lines, 16);
	/* The two tables above it, the page, and, by way of that, the line. */
	assert_int_equal(n, 4);
	assert_non_null(strstr(lines[0], "level 1"));
	assert_non_null(strstr(lines[2], "writes descriptor"));
	assert_non_null(strstr(lines[3], "writes line"));
	assert_int_equal(machine_history(w.p, vm_pa(&w, 3).v, lines, 1), 1);
	assert_non_null(strstr(lines[0], "writes line"));
	assert_true(machine_refuses(w.p, host_gives_unclean, &w));
	assert_true(machine_refusal_place(w.p, &at));
	assert_int_equal(at, w.page.v);
	machine_delete(w.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cached_write_is_not_in_memory_until_it_is_cleaned),
		cmocka_unit_test(a_clean_line_hides_what_is_written_below_it),
		cmocka_unit_test(a_dirty_line_overwrites_memory_when_it_is_evicted),
		cmocka_unit_test(invalidation_without_clean_loses_the_write),
		cmocka_unit_test(a_line_is_filled_when_the_chooser_says_so),
		cmocka_unit_test(moves_are_asked_where_they_make_a_difference),
		cmocka_unit_test(maintenance_of_a_range_reaches_its_lines_and_no_other),
		cmocka_unit_test(bad_unclean_memory_is_read_uncached),
		cmocka_unit_test(bad_the_neighbour_is_cleaned),
		cmocka_unit_test(good_clean_memory_is_read_uncached),
		cmocka_unit_test(bad_host_reads_a_line_older_than_the_guests_write),
		cmocka_unit_test(good_host_reads_after_clean),
		cmocka_unit_test(bad_old_owners_dirty_line_overwrites),
		cmocka_unit_test(good_old_owner_is_cleaned),
		cmocka_unit_test(good_a_guest_muddles_its_own_writes),
		cmocka_unit_test(bad_published_without_clean),
		cmocka_unit_test(good_published_after_clean),
		cmocka_unit_test(good_coherent_device_snoops),
		cmocka_unit_test(bad_bypassing_device_reads_unclean),
		cmocka_unit_test(good_bypassing_device_reads_clean),
		cmocka_unit_test(good_coherent_device_writes),
		cmocka_unit_test(bad_bypassing_device_writes_below_a_line),
		cmocka_unit_test(good_dic_and_idc_need_nothing),
		cmocka_unit_test(bad_idc_alone_needs_ic),
		cmocka_unit_test(good_idc_with_ic),
		cmocka_unit_test(good_idc_with_ic_of_all),
		cmocka_unit_test(bad_without_idc_ic_alone),
		cmocka_unit_test(good_without_idc_clean_and_ic),
		cmocka_unit_test(bad_dic_without_idc_needs_clean),
		cmocka_unit_test(good_dic_without_idc_with_clean),
		cmocka_unit_test(bad_clean_to_unification_is_not_to_coherency),
		cmocka_unit_test(bad_ic_before_clean),
		cmocka_unit_test(good_ic_after_clean),
		cmocka_unit_test(good_ic_before_clean_of_what_is_not_executable),
		cmocka_unit_test(instruction_caches_are_each_cpus_own),
		cmocka_unit_test(a_deaf_machine_does_not_maintain_lines),
		cmocka_unit_test(history_tells_of_the_place_alone),
		cmocka_unit_test(bad_ic_before_clean_to_coherency),
		cmocka_unit_test(bad_old_code_fetched_before_the_write),
		cmocka_unit_test(good_old_code_is_invalidated),
		cmocka_unit_test(uncached_accesses_leave_the_caches_alone),
		cmocka_unit_test(good_owner_discards_its_write),
		cmocka_unit_test(bad_owner_discards_what_it_was_given),
		cmocka_unit_test(bad_ledger_ic_before_clean),
		cmocka_unit_test(good_ledger_ic_after_clean),
		cmocka_unit_test(good_other_memory_changes_owner),
		cmocka_unit_test(bad_all_memory_changes_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
