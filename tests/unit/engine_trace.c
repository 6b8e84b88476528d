/* SPDX-License-Identifier: Apache-2.0 */
/* M18: what was refused or surprised is kept, in a ring of fixed size, and counted. */
#include <pthread.h>

#include "engine/trace.h"
#include "tests/unit/engine_fixture.h"

#define MIB (1UL << 20)

static struct trace_event event(u64 ipa)
{
	return (struct trace_event){
		.source = TRACE_PREFAULT,
		.why = WHY_OWNER_REFUSED_WRITE,
		.answer = ANSWER_ERROR,
		.access = MEM_EXEC,
		.error = ERR_HWPOISON,
		.slot = SLOT_ID_MAX - 1,
		.ipa = IPA(ipa),
		.hva = HVA(~ipa),
	};
}

static void an_event_is_read_as_it_was_written(void **state)
{
	static struct trace t;
	struct trace_event e = event(0x123456789abcdef0), out[2];

	(void)state;
	memset(&t, 0, sizeof(t));
	assert_int_equal(trace_read(&t, 0, out, 2), 0);
	trace_add(&t, &e);
	assert_int_equal(trace_read(&t, 0, out, 2), 1);
	assert_int_equal(out[0].number, 1);
	assert_int_equal(out[0].source, e.source);
	assert_int_equal(out[0].why, e.why);
	assert_int_equal(out[0].answer, e.answer);
	assert_int_equal(out[0].access, e.access);
	assert_int_equal(out[0].error, e.error);
	assert_int_equal(out[0].slot, e.slot);
	assert_int_equal(out[0].ipa.v, e.ipa.v);
	assert_int_equal(out[0].hva.v, e.hva.v);
	assert_int_equal(trace_counted(&t, e.why), 1);
	assert_int_equal(trace_read(&t, 1, out, 2), 0);
}

static void the_ring_keeps_the_last_events_and_numbers_tell_what_is_gone(void **state)
{
	static struct trace t;
	static struct trace_event out[TRACE_ENTRIES];
	unsigned int n, total = 3 * TRACE_ENTRIES + 7;

	(void)state;
	memset(&t, 0, sizeof(t));
	for (unsigned int i = 1; i <= total; i++) {
		struct trace_event e = event(i);

		trace_add(&t, &e);
	}
	n = trace_read(&t, 0, out, TRACE_ENTRIES);
	assert_int_equal(n, TRACE_ENTRIES);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(out[i].number, total - TRACE_ENTRIES + 1 + i);
		assert_int_equal(out[i].ipa.v, out[i].number);
	}
	assert_int_equal(trace_read(&t, total - 2, out, TRACE_ENTRIES), 2);
	assert_int_equal(trace_read(&t, 0, out, 3), 3);
	assert_int_equal(trace_counted(&t, WHY_OWNER_REFUSED_WRITE), total);
	assert_int_equal(t.lost, 0);
}

/* ---- writers and a reader at once: no event is torn */

enum { WRITERS = 3, EVENTS = 200000 };
static struct trace shared;

static void *write_many(void *arg)
{
	u64 who = (u64)(uintptr_t)arg;

	for (u64 i = 0; i < EVENTS; i++) {
		struct trace_event e = event(who << 32 | i);

		trace_add(&shared, &e);
	}
	return NULL;
}

static void check_whole(const struct trace_event *e)
{
	if (e->hva.v != ~e->ipa.v || e->why != WHY_OWNER_REFUSED_WRITE)
		fail_msg("event %lu is torn", (unsigned long)e->number);
}

/* The oldest event is about to be written over, the newest is being written. */
static void readers_see_whole_events_while_others_write(void **state)
{
	pthread_t thread[WRITERS];
	struct trace_event out[64];
	u64 read = 0, next;

	(void)state;
	memset(&shared, 0, sizeof(shared));
	for (u64 i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, write_many, (void *)i), 0);
	while ((next = __atomic_load_n(&shared.next, __ATOMIC_RELAXED)) < WRITERS * EVENTS) {
		if (!trace_read(&shared, read % 2 && next ? next - 1 : 0, out, 1))
			continue;
		check_whole(&out[0]);
		read++;
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned int n = trace_read(&shared, WRITERS * EVENTS - 64, out, 64); n; n--)
		check_whole(&out[n - 1]);
	assert_int_equal(trace_counted(&shared, WHY_OWNER_REFUSED_WRITE), WRITERS * EVENTS);
	print_message("trace: %lu of %d events read while written\n", (unsigned long)read,
		      WRITERS * EVENTS);
}

static void a_writer_a_ring_behind_drops_its_event(void **state)
{
	static struct trace t;
	struct trace_event e = event(1), out[2];

	(void)state;
	memset(&t, 0, sizeof(t));
	trace_add(&t, &e);			     /* number 1 */
	t.entry[2].state = (2 + TRACE_ENTRIES) << 1; /* somebody was faster by a ring */
	trace_add(&t, &e);
	assert_int_equal(t.lost, 1);
	assert_int_equal(t.entry[2].state, (2 + TRACE_ENTRIES) << 1);
	t.entry[3].state = 1; /* somebody is in there */
	trace_add(&t, &e);
	assert_int_equal(t.lost, 2);
	assert_int_equal(trace_read(&t, 0, out, 2), 1);
	assert_int_equal(out[0].number, 1);
	assert_int_equal(trace_counted(&t, e.why), 3);
}

/* ---- what the engine puts there */

static struct fx *begin(u32 flags, u64 size)
{
	struct fx *f = fx_new(&caps_plain, 40);

	assert_int_equal(fx_slot(f, 7, flags, FX_IPA, size, FX_HVA), ERR_OK);
	return f;
}

/* The one event there is. */
static struct trace_event only(struct fx *f)
{
	struct trace_event out[2];

	assert_int_equal(trace_read(f->m.trace, 0, out, 2), 1);
	return out[0];
}

static void m18_faults_that_go_well_leave_no_trace(void **state)
{
	struct fx *f = begin(0, 4 * MIB);
	struct trace_event out[1];
	struct machine_access a;
	struct fault_outcome o;

	(void)state;
	guest_touch(f, FX_IPA, MACHINE_READ);
	guest_touch(f, FX_IPA, MACHINE_WRITE);
	guest_touch(f, FX_IPA, MACHINE_FETCH);
	for (int i = 0; i < WHY_COUNT; i++)
		assert_int_equal(trace_counted(f->m.trace, (enum reason)i), 0);
	/* MMIO is a guest's daily bread: counted, not kept. */
	o = guest_do(f, 0x1000, MACHINE_WRITE, &a);
	assert_int_equal(o.kind, OUTCOME_MMIO);
	assert_int_equal(trace_counted(f->m.trace, WHY_NO_SLOT), 1);
	assert_int_equal(trace_read(f->m.trace, 0, out, 1), 0);
	fx_delete(f);
}

static void m18_a_refused_fault_is_traced(void **state)
{
	struct fx *f = begin(0, 4 * MIB);
	struct machine_access a;
	struct trace_event e;
	struct fault_outcome o;

	(void)state;
	f->host.reach = REACH_NONE; /* M4: the mapping changed since */
	o = guest_do(f, FX_IPA + 0x1008, MACHINE_WRITE, &a);
	assert_int_equal(o.kind, OUTCOME_MEMORY_FAULT);
	e = only(f);
	assert_int_equal(e.source, TRACE_FAULT);
	assert_int_equal(e.why, WHY_CANNOT_CLEAN);
	assert_int_equal(e.answer, ANSWER_EXIT);
	assert_int_equal(e.access, MEM_WRITE);
	assert_int_equal(e.error, ERR_FAULT);
	assert_int_equal(e.slot, 7);
	assert_int_equal(e.ipa.v, FX_IPA + 0x1008);
	assert_int_equal(e.hva.v, FX_HVA + 0x1008);
	assert_int_equal(trace_counted(f->m.trace, WHY_CANNOT_CLEAN), 1);
	fx_delete(f);
}

static void m17_a_surprising_mapping_is_traced(void **state)
{
	struct fx *f = begin(SLOT_LOG_DIRTY, 4 * MIB);
	struct trace_event e;

	(void)state;
	f->host.type = MEM_NC;
	guest_touch(f, FX_IPA, MACHINE_WRITE);
	e = only(f);
	assert_int_equal(e.why, WHY_LOG_UNLOGGED);
	assert_int_equal(e.answer, ANSWER_MAP);
	assert_int_equal(e.error, ERR_OK);
	fx_delete(f);
}

static void m18_an_access_without_a_slot_has_no_slot_in_its_trace(void **state)
{
	struct fx *f = begin(0, 4 * MIB);
	struct machine_access a;
	struct trace_event e;

	(void)state;
	assert_int_equal(guest_do(f, 0x1000, MACHINE_FETCH, &a).kind, OUTCOME_INJECT);
	e = only(f);
	assert_int_equal(e.why, WHY_FETCH_NO_SLOT);
	assert_int_equal(e.answer, ANSWER_INJECT);
	assert_int_equal(e.slot, TRACE_NO_SLOT);
	assert_int_equal(e.hva.v, 0);
	fx_delete(f);
}

static void m18_a_refused_slot_is_traced_where_it_was_refused(void **state)
{
	struct fx *f = fx_new(&caps_plain, 40);
	struct trace_event e;

	(void)state;
	f->host.special = true;
	f->host.reach = REACH_NONE;
	f->host.present[3] = 1;
	assert_int_equal(fx_slot(f, 7, 0, FX_IPA, 4 * MIB, FX_HVA), ERR_INVAL);
	e = only(f);
	assert_int_equal(e.source, TRACE_SLOT);
	assert_int_equal(e.why, WHY_CANNOT_CLEAN);
	assert_int_equal(e.answer, ANSWER_ERROR);
	assert_int_equal(e.error, ERR_INVAL);
	assert_int_equal(e.slot, 7);
	assert_int_equal(e.ipa.v, FX_IPA + 3 * PAGE_SIZE);
	assert_int_equal(e.hva.v, FX_HVA + 3 * PAGE_SIZE);
	fx_delete(f);
}

/* Every way a slot call can be refused by its arguments names a reason (M18). */
static void m18_every_refused_slot_call_has_its_reason(void **state)
{
	static const struct {
		struct slot_request r;
		int error;
		enum reason why;
	} calls[] = {
		{ { 0, 1U << 20, IPA(0), PAGE_SIZE, HVA(0) }, ERR_INVAL, WHY_SLOT_FLAG_UNKNOWN },
		{ { 0, SLOT_WRITE_BACK, IPA(0), PAGE_SIZE, HVA(0) },
		  ERR_INVAL,
		  WHY_SLOT_FLAG_UNKNOWN },
		{ { 0, 0, IPA(1), PAGE_SIZE, HVA(0) }, ERR_INVAL, WHY_SLOT_UNALIGNED },
		{ { SLOT_ID_MAX, 0, IPA(0), PAGE_SIZE, HVA(0) }, ERR_INVAL, WHY_SLOT_TOO_LARGE },
		{ { 0, 0, IPA(~0UL << PAGE_SHIFT), PAGE_SIZE, HVA(0) }, ERR_INVAL, WHY_SLOT_WRAPS },
		{ { 0, 0, IPA(0), 0, HVA(0) }, ERR_INVAL, WHY_SLOT_NO_SUCH },
		{ { 7, 0, IPA(FX_IPA), 2 * PAGE_SIZE, HVA(FX_HVA) },
		  ERR_INVAL,
		  WHY_SLOT_IMMUTABLE },
		{ { 8, 0, IPA(FX_IPA), PAGE_SIZE, HVA(FX_HVA) }, ERR_EXIST, WHY_SLOT_OVERLAP },
		{ { 8, 0, IPA(1UL << 40), PAGE_SIZE, HVA(FX_HVA) },
		  ERR_FAULT,
		  WHY_SLOT_BEYOND_IPA },
	};
	struct fx *f = begin(0, PAGE_SIZE);
	struct trace_event out[ARRAY_SIZE(calls)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct slot_update u;

		assert_int_equal(guest_mem_slot_prepare(&f->m, &calls[i].r, &u), calls[i].error);
		assert_int_equal(f->m.refusal.why, calls[i].why);
		assert_int_equal(f->m.refusal.error, calls[i].error);
	}
	assert_int_equal(trace_read(f->m.trace, 0, out, ARRAY_SIZE(out)), ARRAY_SIZE(calls));
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		assert_int_equal(out[i].why, calls[i].why);
	fx_delete(f);
}

static void m18_a_slot_without_memory_has_its_reason(void **state)
{
	struct fx *f = begin(0, PAGE_SIZE);

	(void)state;
	machine_fail_alloc(f->p, 1);
	assert_int_equal(fx_slot(f, 8, 0, FX_IPA + MIB, PAGE_SIZE, FX_HVA), ERR_NOMEM);
	assert_int_equal(f->m.refusal.why, WHY_HOST_NOMEM);
	assert_int_equal(only(f).why, WHY_HOST_NOMEM);
	fx_delete(f);
}

static void m9_what_prefault_skips_is_traced(void **state)
{
	struct fx *f = begin(0, 2 * PAGE_SIZE);
	struct trace_event e;

	(void)state;
	f->host.end = FX_HVA + PAGE_SIZE; /* a hole behind */
	assert_int_equal(guest_mem_prefault(&f->m, IPA(FX_IPA), 2 * PAGE_SIZE).skipped, PAGE_SIZE);
	e = only(f);
	assert_int_equal(e.source, TRACE_PREFAULT);
	assert_int_equal(e.why, WHY_NO_VMA);
	assert_int_equal(e.ipa.v, FX_IPA + PAGE_SIZE);
	fx_delete(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_read_as_it_was_written),
		cmocka_unit_test(the_ring_keeps_the_last_events_and_numbers_tell_what_is_gone),
		cmocka_unit_test(readers_see_whole_events_while_others_write),
		cmocka_unit_test(a_writer_a_ring_behind_drops_its_event),
		cmocka_unit_test(m18_faults_that_go_well_leave_no_trace),
		cmocka_unit_test(m18_a_refused_fault_is_traced),
		cmocka_unit_test(m17_a_surprising_mapping_is_traced),
		cmocka_unit_test(m18_an_access_without_a_slot_has_no_slot_in_its_trace),
		cmocka_unit_test(m18_a_refused_slot_is_traced_where_it_was_refused),
		cmocka_unit_test(m18_every_refused_slot_call_has_its_reason),
		cmocka_unit_test(m18_a_slot_without_memory_has_its_reason),
		cmocka_unit_test(m9_what_prefault_skips_is_traced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
