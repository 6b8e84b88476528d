/* SPDX-License-Identifier: Apache-2.0 */
/* Slots: the rules of the ABI, lookups, publication and reclamation. */
#include "tests/unit/engine_fixture.h"

#define ALL_FLAGS (SLOT_LOG_DIRTY | SLOT_READONLY | SLOT_WRITE_BACK)
#define LIMIT	  (1UL << 40)

struct slots {
	struct port *p;
	struct slot_table t;
};

static void slots_init(struct slots *s)
{
	s->p = machine_new(&caps_fwb);
	assert_int_equal(slot_table_init(&s->t, s->p), ERR_OK);
}

static void slots_end(struct slots *s)
{
	slot_table_destroy(&s->t);
	assert_int_equal(machine_delete(s->p), 0);
}

static int prepare(struct slots *s, struct slot_request r, struct slot_change *c)
{
	return slot_prepare(&s->t, &r, ALL_FLAGS, LIMIT, SLOT_DIRTY_CLEAR, c);
}

static int apply(struct slots *s, struct slot_request r)
{
	struct slot_change c;
	int error = prepare(s, r, &c);

	if (error)
		return error;
	if (c.kind == SLOT_DELETE || c.kind == SLOT_MOVE)
		slot_commit_remove(&s->t, &c);
	if (c.kind == SLOT_CREATE || c.kind == SLOT_MOVE || c.kind == SLOT_FLAGS)
		slot_commit_publish(&s->t, &c);
	slot_commit_finish(&s->t, &c);
	return ERR_OK;
}

static struct slot_request req(u32 id, u64 gfn, u64 npages)
{
	return (struct slot_request){
		.id = id,
		.ipa = IPA(gfn << PAGE_SHIFT),
		.size = npages << PAGE_SHIFT,
		.hva = HVA(0x10000000),
	};
}

static void requests_against_the_abi_are_refused(void **state)
{
	struct slots s;
	struct slot_request r;

	(void)state;
	slots_init(&s);
	assert_int_equal(apply(&s, req(0, 16, 0)), ERR_INVAL); /* delete what is not there */
	r = req(0, 16, 16);
	r.flags = 1U << 7;
	assert_int_equal(apply(&s, r), ERR_INVAL);
	r = req(0, 16, 16);
	r.ipa.v++;
	assert_int_equal(apply(&s, r), ERR_INVAL);
	r = req(0, 16, 16);
	r.hva.v += 8;
	assert_int_equal(apply(&s, r), ERR_INVAL);
	r = req(0, 16, 16);
	r.size += 1;
	assert_int_equal(apply(&s, r), ERR_INVAL);
	assert_int_equal(apply(&s, req(SLOT_ID_MAX, 16, 16)), ERR_INVAL);
	assert_int_equal(apply(&s, req(0, 0, SLOT_PAGES_MAX + 1)), ERR_INVAL);
	r = req(0, 16, 16);
	r.ipa.v = ~0UL & PAGE_MASK;
	r.size = 2 * PAGE_SIZE;
	assert_int_equal(apply(&s, r), ERR_INVAL);
	assert_int_equal(apply(&s, req(0, (LIMIT >> PAGE_SHIFT) - 1, 2)), ERR_FAULT);
	assert_int_equal(apply(&s, req(0, (LIMIT >> PAGE_SHIFT) - 2, 2)), ERR_OK);
	slots_end(&s);
}

static void a_slot_changes_only_as_the_abi_allows(void **state)
{
	struct slots s;
	struct slot_request r = req(3, 16, 16);

	(void)state;
	slots_init(&s);
	assert_int_equal(apply(&s, r), ERR_OK);
	assert_int_equal(apply(&s, r), ERR_OK); /* the same again: no change */
	r.size += PAGE_SIZE;
	assert_int_equal(apply(&s, r), ERR_INVAL);
	r = req(3, 16, 16);
	r.hva.v += PAGE_SIZE;
	assert_int_equal(apply(&s, r), ERR_INVAL);
	r = req(3, 16, 16);
	r.flags = SLOT_READONLY;
	assert_int_equal(apply(&s, r), ERR_INVAL);
	r.flags = SLOT_LOG_DIRTY;
	assert_int_equal(apply(&s, r), ERR_OK);
	assert_non_null(slot_by_id(&s.t, 3)->dirty);
	slots_end(&s);
}

static void overlaps_are_refused(void **state)
{
	struct slots s;

	(void)state;
	slots_init(&s);
	assert_int_equal(apply(&s, req(0, 16, 16)), ERR_OK);
	assert_int_equal(apply(&s, req(1, 31, 1)), ERR_EXIST);
	assert_int_equal(apply(&s, req(1, 0, 17)), ERR_EXIST);
	assert_int_equal(apply(&s, req(1, 0, 100)), ERR_EXIST);
	assert_int_equal(apply(&s, req(1, 32, 4)), ERR_OK);
	assert_int_equal(apply(&s, req(2, 0, 16)), ERR_OK);
	/* A slot may move over its own place, not over another's. */
	assert_int_equal(apply(&s, req(0, 17, 16)), ERR_EXIST);
	assert_int_equal(apply(&s, req(1, 33, 4)), ERR_OK);
	assert_int_equal(apply(&s, req(1, 34, 4)), ERR_OK);
	assert_null(slot_find(&s.t, 33));
	slots_end(&s);
}

static void a_log_survives_a_move_and_a_change_of_other_flags(void **state)
{
	struct slots s;
	struct slot_request r = req(0, 16, 100);

	(void)state;
	slots_init(&s);
	r.flags = SLOT_LOG_DIRTY;
	assert_int_equal(apply(&s, r), ERR_OK);
	slot_by_id(&s.t, 0)->dirty[1] = 5;
	r.ipa.v += 64 * PAGE_SIZE;
	assert_int_equal(apply(&s, r), ERR_OK);
	r.flags |= SLOT_WRITE_BACK;
	assert_int_equal(apply(&s, r), ERR_OK);
	machine_quiesce(s.p);
	assert_int_equal(slot_by_id(&s.t, 0)->dirty[1], 5);
	r.flags = 0;
	assert_int_equal(apply(&s, r), ERR_OK);
	assert_null(slot_by_id(&s.t, 0)->dirty);
	slots_end(&s);
}

static void an_initially_set_log_has_a_bit_for_each_page_and_no_more(void **state)
{
	struct slots s;
	struct slot_request r = req(0, 16, 70);
	struct slot_change c;

	(void)state;
	slots_init(&s);
	r.flags = SLOT_LOG_DIRTY;
	assert_int_equal(slot_prepare(&s.t, &r, ALL_FLAGS, LIMIT, SLOT_DIRTY_SET, &c), ERR_OK);
	assert_int_equal(c.new_slot->dirty[0], ~0UL);
	assert_int_equal(c.new_slot->dirty[1], 0x3f);
	slot_cancel(&s.t, &c);
	slots_end(&s);
}

/* Not even the table of numbers has grown. */
static void a_cancelled_change_leaves_no_memory_behind(void **state)
{
	struct slot_change c;
	struct slots s;
	u64 live;

	(void)state;
	slots_init(&s);
	assert_int_equal(apply(&s, req(0, 16, 16)), ERR_OK);
	machine_quiesce(s.p);
	live = machine_live(s.p);
	for (u32 id = 1; id < SLOT_ID_MAX; id = 2 * id + 1) {
		assert_int_equal(prepare(&s, req(id, 64, 16), &c), ERR_OK);
		slot_cancel(&s.t, &c);
		assert_int_equal(machine_live(s.p), live);
		assert_int_equal(s.t.by_id_size, 32);
	}
	assert_int_equal(apply(&s, req(2000, 64, 16)), ERR_OK);
	assert_ptr_equal(slot_by_id(&s.t, 2000), slot_find(&s.t, 70));
	assert_ptr_equal(slot_by_id(&s.t, 0), slot_find(&s.t, 20));
	slots_end(&s);
}

static void what_was_looked_up_stays_until_a_grace_period(void **state)
{
	struct slots s;
	struct slot *old;

	(void)state;
	slots_init(&s);
	assert_int_equal(apply(&s, req(0, 16, 16)), ERR_OK);
	port_walk_enter(s.p);
	old = slot_find(&s.t, 20);
	machine_cpu(s.p, 1);
	assert_int_equal(apply(&s, req(0, 0, 0)), ERR_OK);
	assert_null(slot_find(&s.t, 20));
	machine_cpu(s.p, 0);
	assert_int_equal(old->gfn, 16); /* the sanitizer would see a read of freed memory */
	port_walk_leave(s.p);
	slots_end(&s);
}

static void a_view_tells_of_later_changes_by_its_generation(void **state)
{
	struct slots s;
	struct slot_view v;

	(void)state;
	slots_init(&s);
	assert_int_equal(apply(&s, req(0, 16, 16)), ERR_OK);
	assert_true(slot_look_up(&s.t, 20, &v));
	assert_int_equal(v.generation, s.t.generation);
	assert_int_equal(apply(&s, req(0, 0, 0)), ERR_OK);
	assert_int_not_equal(v.generation, s.t.generation);
	assert_false(slot_look_up(&s.t, 20, &v));
	slots_end(&s);
}

/* The n-th allocation fails, for all n and all kinds of change: nothing changed, nothing lost. */
static void a_change_without_memory_changes_nothing(void **state)
{
	struct slots s;
	struct slot_request changes[4];
	u64 tried = 0;

	(void)state;
	slots_init(&s);
	for (u32 i = 0; i < 64; i++)
		assert_int_equal(apply(&s, req(i, 100 + 10 * i, 5)), ERR_OK);
	changes[0] = req(200, 3, 2);
	changes[0].flags = SLOT_LOG_DIRTY;
	changes[1] = req(7, 0, 0);
	changes[2] = req(8, 5000, 5);
	changes[3] = req(9, 190, 5);
	changes[3].flags = SLOT_LOG_DIRTY;
	for (int i = 0; i < 4; i++) {
		for (u64 n = 1;; n++) {
			struct slot_change c;
			u64 live, generation = s.t.generation;
			int error;

			machine_quiesce(s.p);
			live = machine_live(s.p);
			machine_fail_alloc(s.p, n);
			error = prepare(&s, changes[i], &c);
			machine_fail_alloc(s.p, 0);
			if (!error) {
				slot_cancel(&s.t, &c);
				break;
			}
			assert_int_equal(error, ERR_NOMEM);
			assert_int_equal(s.t.generation, generation);
			assert_true(machine_live(s.p) == live);
			tried++;
		}
	}
	print_message("%lu failing allocations\n", (unsigned long)tried);
	assert_int_equal(s.t.count, 64);
	slots_end(&s);
}

/* Against a plain array, over many changes. */
enum { SPACE = 4000, IDS = 700 };

static void random_changes_agree_with_a_plain_array(void **state)
{
	static u32 owner[SPACE]; /* id + 1 by gfn */
	static u64 base[IDS], pages[IDS];
	struct slots s;
	u64 done = 0;

	(void)state;
	memset(owner, 0, sizeof(owner));
	memset(pages, 0, sizeof(pages));
	slots_init(&s);
	srand(1);
	for (int step = 0; step < 20000; step++) {
		u32 id = (u32)rand() % IDS;
		u64 gfn = (u64)rand() % (SPACE - 8), n = 1 + (u64)rand() % 4;
		struct slot_request r = req(id, gfn, pages[id] ? pages[id] : n);
		bool remove = pages[id] && rand() % 3 == 0, overlap = false;
		int error;

		if (remove)
			r.size = 0;
		for (u64 g = gfn; !remove && g < gfn + (r.size >> PAGE_SHIFT); g++)
			overlap |= owner[g] && owner[g] != id + 1;
		error = apply(&s, r);
		assert_int_equal(error, overlap ? ERR_EXIST : ERR_OK);
		if (error)
			continue;
		done++;
		for (u64 g = base[id]; g < base[id] + pages[id]; g++)
			owner[g] = 0;
		pages[id] = r.size >> PAGE_SHIFT;
		base[id] = gfn;
		for (u64 g = gfn; g < gfn + pages[id]; g++)
			owner[g] = id + 1;
		if (step % 64 == 0) {
			machine_quiesce(s.p);
			for (u64 g = 0; g < SPACE; g++) {
				struct slot *at = slot_find(&s.t, g);

				assert_int_equal(at ? at->id + 1 : 0, owner[g]);
			}
		}
	}
	print_message("%lu changes\n", (unsigned long)done);
	slots_end(&s);
}

static void as_many_slots_as_ids_are_found(void **state)
{
	struct slots s;

	(void)state;
	slots_init(&s);
	for (u32 i = 0; i < SLOT_ID_MAX; i++) {
		assert_int_equal(apply(&s, req(i, 2 * i, 1)), ERR_OK);
		if (i % 256 == 0)
			machine_quiesce(s.p);
	}
	for (u32 i = 0; i < SLOT_ID_MAX; i++) {
		assert_int_equal(slot_find(&s.t, 2 * i)->id, i);
		assert_null(slot_find(&s.t, 2 * i + 1));
	}
	slots_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_against_the_abi_are_refused),
		cmocka_unit_test(a_slot_changes_only_as_the_abi_allows),
		cmocka_unit_test(overlaps_are_refused),
		cmocka_unit_test(a_log_survives_a_move_and_a_change_of_other_flags),
		cmocka_unit_test(an_initially_set_log_has_a_bit_for_each_page_and_no_more),
		cmocka_unit_test(a_cancelled_change_leaves_no_memory_behind),
		cmocka_unit_test(what_was_looked_up_stays_until_a_grace_period),
		cmocka_unit_test(a_view_tells_of_later_changes_by_its_generation),
		cmocka_unit_test(a_change_without_memory_changes_nothing),
		cmocka_unit_test(random_changes_agree_with_a_plain_array),
		cmocka_unit_test(as_many_slots_as_ids_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
