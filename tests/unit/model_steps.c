/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modelled machine's scheduling points and locks, its life, and what it refuses of calls that
 * are out of order.
 */
#include "tests/unit/model_fixture.h"

/* ---- scheduling points */

struct trace {
	struct vm vm;
	const char *where[64];
	enum machine_step kind[64];
	int count;
	struct port_rwlock lock;
	int waits_left; /* then the other gives the lock back */
};

static void step(void *arg, enum machine_step kind, const char *where)
{
	struct trace *t = arg;

	assert_true(t->count < 64);
	t->kind[t->count] = kind;
	t->where[t->count++] = where;
	if (kind == STEP_WAIT && t->waits_left-- == 0) {
		machine_on_step(t->vm.p, NULL, NULL);
		machine_cpu(t->vm.p, 1);
		port_write_unlock(t->vm.p, &t->lock);
		machine_on_step(t->vm.p, step, t);
	}
}

static void trace_init(struct trace *t)
{
	*t = (struct trace){ .count = 0 };
	vm_init(&t->vm, &caps_fwb);
	port_rwlock_init(t->vm.p, &t->lock);
	machine_on_step(t->vm.p, step, t);
}

static void expect_steps(const struct trace *t, const char *const *names, int count)
{
	assert_int_equal(t->count, count);
	for (int i = 0; i < count; i++)
		assert_string_equal(t->where[i], names[i]);
}

static void each_call_that_others_see_is_a_point(void **state)
{
	static const char *const names[] = {
		"walk enter",
		"descriptor load",
		"descriptor cas",
		"descriptor swap",
		"descriptor store",
		"walk leave",
		"publish",
		"barrier",
		"TLBI enter",
		"TLBI ipa",
		"TLBI range",
		"TLBI stage 1",
		"TLBI vmid",
		"TLBI leave",
		"TLBI local",
		"TLBI all VMIDs",
		"flush local",
		"dcache clean",
		"icache invalidate",
		"icache invalidate all",
		"read lock",
		"read unlock",
		"write lock",
		"write unlock",
		"relax",
		"guest access",
		"guest maintenance",
		"guest enter",
	};
	struct machine_guest_op o = { .ipa = vm_ipa(0) };
	struct port_tlbi tlbi;
	struct trace t;
	struct port *p;

	(void)state;
	trace_init(&t);
	p = t.vm.p;
	port_walk_enter(p);
	port_desc_load(p, &t.vm.l3[0]);
	port_desc_cas(p, &t.vm.l3[0], 0, 0);
	port_desc_swap(p, &t.vm.l3[0], 0);
	port_desc_store(p, &t.vm.l3[0], 0);
	port_walk_leave(p);
	port_desc_publish(p);
	port_barrier(p);
	port_tlbi_enter(p, &tlbi, &t.vm.vttbr);
	port_tlbi_ipa(p, &tlbi, vm_ipa(0), 3);
	port_tlbi_ipa_range(p, &tlbi, vm_ipa(0), 8192, 3);
	port_tlbi_stage1(p, &tlbi);
	port_tlbi_vmid(p, &tlbi);
	port_tlbi_leave(p, &tlbi);
	port_tlbi_ipa_local(p, &t.vm.vttbr, vm_ipa(0), 3);
	port_tlbi_all_vmids(p);
	port_flush_local(p, &t.vm.vttbr);
	port_dcache_clean_inval(p, t.vm.page, 4096);
	port_icache_inval(p, t.vm.page, 4096);
	port_icache_inval_all(p);
	port_read_lock(p, &t.lock);
	port_read_unlock(p, &t.lock);
	port_write_lock(p, &t.lock);
	port_write_unlock(p, &t.lock);
	port_relax_point(p);
	assert_int_equal(t.kind[t.count - 1], STEP_RELAX);
	machine_guest(p, &o);
	machine_guest_cmo(p, vm_ipa(0), CMO_CLEAN);
	machine_guest_enter(p, t.vm.vttbr, t.vm.vtcr);
	expect_steps(&t, names, ARRAY_SIZE(names));
	machine_delete(p);
}

static void what_nobody_else_sees_is_no_point(void **state)
{
	struct trace t;
	u64 *table;

	(void)state;
	trace_init(&t);
	table = port_table_alloc(t.vm.p, 0);
	port_desc_store(t.vm.p, &table[0], 4);
	port_desc_load(t.vm.p, &table[0]);
	port_table_free(t.vm.p, table, 0);
	port_free(t.vm.p, port_alloc(t.vm.p, 64), 64);
	assert_int_equal(t.count, 0);
	machine_delete(t.vm.p);
}

static void move_cpu(void *arg, enum machine_step kind, const char *where)
{
	(void)kind;
	(void)where;
	machine_cpu(((struct vm *)arg)->p, 1);
}

static void the_cpu_is_the_callers_again_after_a_point(void **state)
{
	struct vm w;

	(void)state;
	vm_init(&w, &caps_fwb);
	machine_on_step(w.p, move_cpu, &w);
	port_barrier(w.p);
	assert_int_equal(port_this_cpu(w.p), 0);
	machine_delete(w.p);
}

/* ---- locks */

static void a_taken_lock_is_waited_for(void **state)
{
	static const char *const names[] = { "write lock", "read lock", "read lock", "read lock" };
	struct trace t;

	(void)state;
	trace_init(&t);
	machine_cpu(t.vm.p, 1);
	port_write_lock(t.vm.p, &t.lock);
	machine_cpu(t.vm.p, 0);
	t.waits_left = 1;
	port_read_lock(t.vm.p, &t.lock);
	expect_steps(&t, names, 4);
	assert_int_equal(t.kind[1], STEP_POINT);
	assert_int_equal(t.kind[2], STEP_WAIT);
	assert_int_equal(t.kind[3], STEP_WAIT);
	port_read_unlock(t.vm.p, &t.lock);
	machine_delete(t.vm.p);
}

static void expect_trace_refusal(struct trace *t, void (*fn)(void *arg),
				 enum machine_refusal_kind kind)
{
	if (!machine_refuses(t->vm.p, fn, t))
		fail_msg("not refused: %s", machine_refusal_phrase(kind));
	if (machine_refusal_kind(t->vm.p) != kind)
		fail_msg("refused for another reason: %s", machine_refusal(t->vm.p));
	machine_delete(t->vm.p);
}

static void write_twice(void *arg)
{
	struct trace *t = arg;

	port_write_lock(t->vm.p, &t->lock);
	port_write_lock(t->vm.p, &t->lock);
}

static void read_twice(void *arg)
{
	struct trace *t = arg;

	port_read_lock(t->vm.p, &t->lock);
	port_read_lock(t->vm.p, &t->lock);
}

static void two_readers(void *arg)
{
	struct trace *t = arg;

	port_read_lock(t->vm.p, &t->lock);
	machine_cpu(t->vm.p, 1);
	port_read_lock(t->vm.p, &t->lock);
	port_read_unlock(t->vm.p, &t->lock);
	machine_cpu(t->vm.p, 0);
	port_read_unlock(t->vm.p, &t->lock);
	port_write_lock(t->vm.p, &t->lock);
	port_write_unlock(t->vm.p, &t->lock);
}

static void other_holds(void *arg)
{
	struct trace *t = arg;

	machine_on_step(t->vm.p, NULL, NULL);
	port_write_lock(t->vm.p, &t->lock);
	machine_cpu(t->vm.p, 1);
	port_read_lock(t->vm.p, &t->lock);
}

static void locks_taken_by_their_holder_are_refused(void **state)
{
	struct trace t;

	(void)state;
	trace_init(&t);
	expect_trace_refusal(&t, write_twice, REFUSED_DEADLOCK);
	trace_init(&t);
	expect_trace_refusal(&t, read_twice, REFUSED_DEADLOCK);
	trace_init(&t);
	expect_trace_refusal(&t, other_holds, REFUSED_DEADLOCK);
	trace_init(&t);
	assert_false(machine_refuses(t.vm.p, two_readers, &t));
	machine_delete(t.vm.p);
}

static void read_unlock_free(void *arg)
{
	struct trace *t = arg;

	port_read_unlock(t->vm.p, &t->lock);
}

static void write_unlock_read(void *arg)
{
	struct trace *t = arg;

	port_read_lock(t->vm.p, &t->lock);
	port_write_unlock(t->vm.p, &t->lock);
}

static void read_unlock_written(void *arg)
{
	struct trace *t = arg;

	port_write_lock(t->vm.p, &t->lock);
	port_read_unlock(t->vm.p, &t->lock);
}

static void unlock_anothers(void *arg)
{
	struct trace *t = arg;

	port_write_lock(t->vm.p, &t->lock);
	machine_cpu(t->vm.p, 1);
	port_write_unlock(t->vm.p, &t->lock);
}

static void leave_walk(void *arg)
{
	struct trace *t = arg;

	port_walk_enter(t->vm.p);
	port_walk_leave(t->vm.p);
	port_walk_leave(t->vm.p);
}

static void what_is_not_held_is_not_left(void **state)
{
	static void (*const bad[])(void *arg) = { read_unlock_free, write_unlock_read,
						  read_unlock_written, unlock_anothers,
						  leave_walk };
	struct trace t;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		trace_init(&t);
		expect_trace_refusal(&t, bad[i], REFUSED_LOCK);
	}
}

/* A table that others reach is used under a lock or in a walk section: a grace period ends only
 * then, so that what frees it never comes between. */
static void load_unguarded(void *arg)
{
	struct trace *t = arg;

	(void)port_desc_load(t->vm.p, &t->vm.l3[0]);
}

static void swap_unguarded(void *arg)
{
	struct trace *t = arg;

	(void)port_desc_swap(t->vm.p, &t->vm.l3[0], 0);
}

static void load_locked(void *arg)
{
	struct trace *t = arg;

	port_read_lock(t->vm.p, &t->lock);
	load_unguarded(t);
	port_read_unlock(t->vm.p, &t->lock);
}

static void bad_linked_table_is_used_unguarded(void **state)
{
	struct trace t;

	(void)state;
	trace_init(&t);
	assert_false(machine_refuses(t.vm.p, load_locked, &t));
	expect_trace_refusal(&t, load_unguarded, REFUSED_TABLE_GRACE);
	trace_init(&t);
	expect_trace_refusal(&t, swap_unguarded, REFUSED_TABLE_GRACE);
}

/* ---- sleeping */

static void alloc_in_walk(void *arg)
{
	struct vm *w = arg;

	port_walk_enter(w->p);
	port_alloc(w->p, 8);
}

static void alloc_after_walk(void *arg)
{
	struct vm *w = arg;

	port_walk_enter(w->p);
	port_walk_leave(w->p);
	port_free(w->p, port_alloc(w->p, 8), 8);
}

static void relax_locked(void *arg)
{
	struct vm *w = arg;
	struct port_rwlock l;

	port_rwlock_init(w->p, &l);
	port_read_lock(w->p, &l);
	port_relax_point(w->p);
}

static void quiesce_in_walk(void *arg)
{
	struct vm *w = arg;

	port_walk_enter(w->p);
	machine_quiesce(w->p);
}

REFUSED(bad_allocation_in_a_walk, &caps_fwb, alloc_in_walk, SLEEP)
LEGAL(good_allocation_after_a_walk, &caps_fwb, alloc_after_walk)
REFUSED(bad_relax_point_under_a_lock, &caps_fwb, relax_locked, SLEEP)
REFUSED(bad_quiescent_state_in_a_walk, &caps_fwb, quiesce_in_walk, SLEEP)

/* ---- calls out of order */

static void tlbi_outside(void *arg)
{
	struct vm *w = arg;
	struct port_tlbi t;

	port_tlbi_enter(w->p, &t, &w->vttbr);
	port_tlbi_leave(w->p, &t);
	port_tlbi_ipa(w->p, &t, vm_ipa(0), 3);
}

static void tlbi_range(void *arg)
{
	struct vm *w = arg;
	struct port_tlbi t;

	port_tlbi_enter(w->p, &t, &w->vttbr);
	port_tlbi_ipa_range(w->p, &t, vm_ipa(0), 8192, 3);
	port_tlbi_leave(w->p, &t);
}

static void tlbi_half_a_page(void *arg)
{
	struct vm *w = arg;
	struct port_tlbi t;

	port_tlbi_enter(w->p, &t, &w->vttbr);
	port_tlbi_ipa_range(w->p, &t, vm_ipa(0), 2048, 3);
}

REFUSED(bad_tlbi_outside_its_sequence, &caps_fwb, tlbi_outside, ORDER)
REFUSED(bad_tlbi_by_range_where_there_is_none, &caps_idc, tlbi_range, ORDER)
LEGAL(good_tlbi_by_range, &caps_fwb, tlbi_range)
REFUSED(bad_tlbi_of_half_a_page, &caps_fwb, tlbi_half_a_page, ORDER)

/* Another CPU's DSB does not complete this one's TLBI. */
static void others_dsb(void *arg)
{
	struct vm *w = arg;
	struct port_tlbi mine, other;

	vm_map(w, 0, WB | RW);
	port_desc_swap(w->p, &w->l3[0], 0);
	port_tlbi_enter(w->p, &mine, &w->vttbr);
	port_tlbi_ipa(w->p, &mine, vm_ipa(0), 3);
	port_tlbi_stage1(w->p, &mine);
	machine_cpu(w->p, 1);
	port_tlbi_enter(w->p, &other, &w->vttbr);
	port_tlbi_leave(w->p, &other);
	vm_map(w, 0, NC | RW);
}

REFUSED(bad_another_cpus_dsb, &caps_fwb, others_dsb, TLBI)

/* CPU 0 has issued TLBIs for page 0, which is gone, and not completed them. */
static void issue(struct vm *w, struct port_tlbi *t)
{
	vm_map(w, 0, WB | RW);
	port_desc_swap(w->p, &w->l3[0], 0);
	port_tlbi_enter(w->p, t, &w->vttbr);
	port_tlbi_ipa(w->p, t, vm_ipa(0), 3);
	port_tlbi_stage1(w->p, t);
	machine_cpu(w->p, 1);
}

static void other_does_stage1(void *arg)
{
	struct vm *w = arg;
	struct port_tlbi mine, other;

	issue(w, &mine);
	port_tlbi_enter(w->p, &other, &w->vttbr);
	port_tlbi_leave(w->p, &other);
	port_tlbi_enter(w->p, &other, &w->vttbr);
	port_tlbi_stage1(w->p, &other);
	port_tlbi_leave(w->p, &other);
	vm_map(w, 0, NC | RW);
}

static void other_does_stage2(void *arg)
{
	struct vm *w = arg;
	struct port_tlbi mine, other;

	issue(w, &mine);
	port_tlbi_enter(w->p, &other, &w->vttbr);
	port_tlbi_ipa(w->p, &other, vm_ipa(0), 3);
	port_tlbi_leave(w->p, &other);
	vm_map(w, 0, NC | RW);
}

static void other_does_both(void *arg)
{
	struct vm *w = arg;
	struct port_tlbi mine;

	issue(w, &mine);
	vm_flush(w, vm_ipa(0).v, 3);
	vm_map(w, 0, NC | RW);
}

REFUSED(bad_another_cpu_does_stage1_alone, &caps_fwb, other_does_stage1, TLBI)
REFUSED(bad_another_cpu_does_stage2_alone, &caps_fwb, other_does_stage2, TLBI)
LEGAL(good_another_cpu_does_both, &caps_fwb, other_does_both)

/* A local TLBI leaves the other CPU both of its parts. */
static void local_then_stage1(void *arg)
{
	struct vm *w = arg;
	struct port_tlbi t;

	vm_map(w, 0, WB | RW);
	port_desc_swap(w->p, &w->l3[0], 0);
	port_tlbi_ipa_local(w->p, &w->vttbr, vm_ipa(0), 3);
	port_tlbi_enter(w->p, &t, &w->vttbr);
	port_tlbi_stage1(w->p, &t);
	port_tlbi_leave(w->p, &t);
	vm_map(w, 0, NC | RW);
}

REFUSED(bad_local_tlbi_and_stage1, &caps_fwb, local_then_stage1, TLBI)

/* ---- memory */

static void free_another_size(void *arg)
{
	struct vm *w = arg;
	void *mem = port_alloc(w->p, 64);

	port_free(w->p, mem, 32);
}

REFUSED(bad_free_of_another_size, &caps_fwb, free_another_size, MISUSE)

/* ---- tables that are none */

static void free_twice(void *arg)
{
	struct vm *w = arg;
	u64 *table = port_table_alloc(w->p, 0);

	port_table_free(w->p, table, 0);
	port_table_free(w->p, table, 0);
}

static void free_with_another_order(void *arg)
{
	struct vm *w = arg;

	port_table_free(w->p, port_table_alloc(w->p, 1), 0);
}

static void retire_linked(void *arg)
{
	struct vm *w = arg;

	port_table_retire(w->p, w->l3);
}

static void retire_twice(void *arg)
{
	struct vm *w = arg;
	u64 *table = port_table_alloc(w->p, 0);

	port_table_retire(w->p, table);
	port_table_retire(w->p, table);
}

static void link_a_freed_table(void *arg)
{
	struct vm *w = arg;
	u64 *table = port_table_alloc(w->p, 0);

	port_table_free(w->p, table, 0);
	port_desc_store(w->p, &w->l2[1], vm_table(w, table));
}

static void write_a_freed_table(void *arg)
{
	struct vm *w = arg;
	u64 *table = port_table_alloc(w->p, 0);

	port_table_free(w->p, table, 0);
	port_desc_store(w->p, &table[0], 0);
}

REFUSED(bad_table_is_freed_twice, &caps_fwb, free_twice, TABLE_STATE)
REFUSED(bad_table_is_freed_with_another_order, &caps_fwb, free_with_another_order, TABLE_STATE)
REFUSED(bad_linked_table_is_retired, &caps_fwb, retire_linked, TABLE_LINKED)
REFUSED(bad_table_is_retired_twice, &caps_fwb, retire_twice, TABLE_STATE)
REFUSED(bad_freed_table_is_linked, &caps_fwb, link_a_freed_table, TABLE_STATE)
REFUSED(bad_freed_table_is_written, &caps_fwb, write_a_freed_table, TABLE_USE)

/* ---- VMs */

static void root_freed(void *arg)
{
	struct vm *w = arg;

	port_table_free(w->p, w->l1, 0);
}

static void enter_vmid_0(void *arg)
{
	struct vm *w = arg;

	machine_cpu(w->p, 1);
	machine_guest_leave(w->p);
	machine_cpu(w->p, 0);
	machine_guest_enter(w->p, w->vttbr & ~(0xffffUL << 48), w->vtcr);
}

static void access_without_vm(void *arg)
{
	struct vm *w = arg;

	machine_guest_leave(w->p);
	machine_access(w->p, vm_ipa(0), MACHINE_READ);
}

static void access_beyond_the_ipa_space(void *arg)
{
	struct vm *w = arg;

	assert_int_equal(machine_access(w->p, IPA(1UL << 39), MACHINE_READ).fault, MF_TRANSLATION);
}

static void enter_with_another_vmid(struct vm *w)
{
	machine_guest_enter(w->p, w->vttbr + (1UL << 48), w->vtcr);
}

static void two_vmids_at_once(void *arg)
{
	enter_with_another_vmid(arg);
}

static void a_new_vmid(void *arg)
{
	struct vm *w = arg;

	machine_cpu(w->p, 1);
	machine_guest_leave(w->p);
	machine_cpu(w->p, 0);
	enter_with_another_vmid(w);
}

REFUSED(bad_one_vm_runs_under_two_vmids, &caps_fwb, two_vmids_at_once, VMID)
LEGAL(good_vm_gets_a_new_vmid, &caps_fwb, a_new_vmid)
REFUSED(bad_root_is_freed_under_the_tlbs, &caps_fwb, root_freed, TLBI)
REFUSED(bad_vmid_0, &caps_fwb, enter_vmid_0, VMID)
REFUSED(bad_access_without_a_vm, &caps_fwb, access_without_vm, MISUSE)
LEGAL(good_access_beyond_the_ipa_space_faults, &caps_fwb, access_beyond_the_ipa_space)

/* ---- stopping */

static unsigned int answer_too_much(void *arg, enum machine_choice what, unsigned int options)
{
	(void)arg;
	(void)what;
	return options;
}

static void choose_too_much(void *arg)
{
	struct vm *w = arg;

	machine_on_choice(w->p, answer_too_much, NULL);
	machine_line_write(w->p, w->page, ATTR_NC);
}

static void find_bug(void *arg)
{
	struct vm *w = arg;

	port_bug(w->p, "leaf count");
}

REFUSED(bad_answer_out_of_range, &caps_fwb, choose_too_much, MISUSE)
REFUSED(bad_invariant, &caps_fwb, find_bug, BUG)

static void oracle_stops(void *arg)
{
	struct vm *w = arg;

	machine_stop(w->p, "page %d is not the guest's", 7);
}

static void count_stop(void *arg)
{
	++*(int *)arg;
}

static void an_oracle_stops_the_run_in_its_own_words(void **state)
{
	int stops = 0;
	struct vm w;
	u64 at;

	(void)state;
	vm_init(&w, &caps_fwb);
	machine_on_stop(w.p, count_stop, &stops);
	assert_true(machine_refuses(w.p, oracle_stops, &w));
	assert_string_equal(machine_refusal(w.p), "page 7 is not the guest's");
	assert_int_equal(machine_refusal_kind(w.p), REFUSED_NOT);
	assert_false(machine_refusal_place(w.p, &at));
	assert_int_equal(stops, 1);
	machine_delete(w.p);
}

static void every_refusal_has_a_phrase_of_its_own_and_a_rule(void **state)
{
	(void)state;
	for (int i = 0; i < REFUSAL_KINDS; i++) {
		assert_true(strlen(machine_refusal_phrase((enum machine_refusal_kind)i)) > 3);
		assert_true(strlen(machine_refusal_rule((enum machine_refusal_kind)i)) > 3);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
				machine_refusal_phrase((enum machine_refusal_kind)i),
				machine_refusal_phrase((enum machine_refusal_kind)j));
	}
	assert_string_equal(machine_refusal_phrase(REFUSED_NOT), "");
}

/* ---- reset */

static void use_everything(struct vm *w)
{
	vm_map(w, 0, WB | RWX);
	vm_touch(w, 0, MACHINE_WRITE, S1_WB);
	vm_touch(w, 0, MACHINE_FETCH, S1_WB);
	machine_host_map(w->p, 0x10000, vm_pa(w, 0), 4096, ATTR_WB);
	machine_host_writes(w->p, vm_pa(w, 1), 4096);
	machine_hand_over(w->p, w->page, 4096, "guest");
	port_desc_swap(w->p, &w->l3[0], 0);
	port_alloc(w->p, 100);
	machine_deafen(w->p, DEAF_TLBI);
	machine_on_choice(w->p, answer_too_much, NULL);
	machine_fail_alloc(w->p, 1);
}

static void after_reset_nothing_is_left(void **state)
{
	const char *lines[4];
	struct vm w, again;

	(void)state;
	vm_init(&w, &caps_idc);
	use_everything(&w);
	machine_reset(w.p, &caps_fwb);
	assert_true(port_caps(w.p)->fwb);
	assert_int_equal(machine_live(w.p), 0);
	assert_int_equal(machine_counts(w.p)->dsb, 0);
	assert_int_equal(machine_history(w.p, w.page.v, lines, 4), 0);

	again = w;
	again.l1 = port_table_alloc(w.p, 0);
	again.l2 = port_table_alloc(w.p, 0);
	again.l3 = port_table_alloc(w.p, 0);
	assert_ptr_equal(again.l1, w.l1);
	for (int i = 0; i < 512; i++)
		assert_int_equal(again.l1[i] | again.l2[i] | again.l3[i], 0);
	again.page = machine_pages(w.p, PAGES * 4096);
	assert_int_equal(again.page.v, w.page.v);
	machine_guest_enter(w.p, again.vttbr, again.vtcr);
	port_desc_store(w.p, &again.l1[1], vm_table(&again, again.l2));
	port_desc_store(w.p, &again.l2[0], vm_table(&again, again.l3));
	vm_map(&again, 0, NC | RW);
	vm_map(&again, 1, NC | RW);
	assert_int_equal(vm_touch(&again, 0, MACHINE_READ, S1_WB), 0);
	assert_int_equal(vm_touch(&again, 0, MACHINE_WRITE, S1_WB), 1);
	port_desc_swap(w.p, &again.l3[0], 0);
	assert_int_equal(vm_do(&again, 0, MACHINE_READ, S1_WB).access.fault, MF_NONE);
	vm_flush(&again, vm_ipa(0).v, 3);
	assert_int_equal(vm_do(&again, 0, MACHINE_READ, S1_WB).access.fault, MF_TRANSLATION);
	machine_delete(w.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_that_others_see_is_a_point),
		cmocka_unit_test(what_nobody_else_sees_is_no_point),
		cmocka_unit_test(the_cpu_is_the_callers_again_after_a_point),
		cmocka_unit_test(a_taken_lock_is_waited_for),
		cmocka_unit_test(locks_taken_by_their_holder_are_refused),
		cmocka_unit_test(what_is_not_held_is_not_left),
		cmocka_unit_test(bad_linked_table_is_used_unguarded),
		cmocka_unit_test(bad_allocation_in_a_walk),
		cmocka_unit_test(good_allocation_after_a_walk),
		cmocka_unit_test(bad_relax_point_under_a_lock),
		cmocka_unit_test(bad_quiescent_state_in_a_walk),
		cmocka_unit_test(bad_tlbi_outside_its_sequence),
		cmocka_unit_test(bad_tlbi_by_range_where_there_is_none),
		cmocka_unit_test(good_tlbi_by_range),
		cmocka_unit_test(bad_tlbi_of_half_a_page),
		cmocka_unit_test(bad_another_cpus_dsb),
		cmocka_unit_test(bad_table_is_freed_twice),
		cmocka_unit_test(bad_table_is_freed_with_another_order),
		cmocka_unit_test(bad_linked_table_is_retired),
		cmocka_unit_test(bad_table_is_retired_twice),
		cmocka_unit_test(bad_freed_table_is_linked),
		cmocka_unit_test(bad_freed_table_is_written),
		cmocka_unit_test(bad_one_vm_runs_under_two_vmids),
		cmocka_unit_test(good_vm_gets_a_new_vmid),
		cmocka_unit_test(bad_root_is_freed_under_the_tlbs),
		cmocka_unit_test(bad_vmid_0),
		cmocka_unit_test(bad_access_without_a_vm),
		cmocka_unit_test(good_access_beyond_the_ipa_space_faults),
		cmocka_unit_test(bad_answer_out_of_range),
		cmocka_unit_test(bad_invariant),
		cmocka_unit_test(an_oracle_stops_the_run_in_its_own_words),
		cmocka_unit_test(every_refusal_has_a_phrase_of_its_own_and_a_rule),
		cmocka_unit_test(after_reset_nothing_is_left),
		cmocka_unit_test(bad_another_cpu_does_stage1_alone),
		cmocka_unit_test(bad_another_cpu_does_stage2_alone),
		cmocka_unit_test(good_another_cpu_does_both),
		cmocka_unit_test(bad_local_tlbi_and_stage1),
		cmocka_unit_test(bad_free_of_another_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
