/* SPDX-License-Identifier: Apache-2.0 */
/* Actors and choosers: interleavings are complete, repeatable, and their dead ends are noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check/explore.h"
#include "port/model/machine.h"

static const struct port_caps caps = { .pa_bits = 48, .ipa_bits = 48, .vmid_bits = 8, .cpus = 3 };

/* ---- a little program: actors that note the order in which they pass their points */
enum { STEPS_MAX = 32 };
struct play {
	struct explore_run explore;
	struct port *p;
	struct stage *s;
	int steps; /* of each actor */
	int actors;
	char order[STEPS_MAX];
	int passed;
	int counter;
	u64 seen[4096]; /* orders, hashed */
	int different;
	struct port_rwlock lock[2];
	struct stage_mutex mutex;
	enum stage_end end;
};

struct part {
	struct play *play;
	char name;
};

static void walks(void *arg)
{
	const struct part *a = arg;
	struct play *play = a->play;

	for (int i = 0; i < play->steps; i++) {
		stage_point(play->s, "step");
		play->order[play->passed++] = a->name;
	}
}

static void note_order(struct play *play)
{
	u64 h = 1;

	for (int i = 0; i < play->passed; i++)
		h = h * 31 + (u64)play->order[i];
	for (int i = 0; i < play->different; i++) {
		if (play->seen[i] == h)
			return;
	}
	play->seen[play->different++] = h;
}

static enum stage_end perform(struct play *play, struct chooser *c, void (*fn)(void *arg))
{
	static struct part parts[3];
	static const char names[][2] = { "a", "b", "c" };

	play->s = stage_new(play->p, c);
	play->passed = 0;
	play->counter = 0;
	memset(play->lock, 0, sizeof(play->lock));
	play->mutex.owner = 0;
	for (int i = 0; i < play->actors; i++) {
		parts[i] = (struct part){ play, names[i][0] };
		stage_add(play->s, names[i], (unsigned int)i, fn, &parts[i]);
	}
	stage_limit(play->s, 1000);
	play->end = stage_run(play->s);
	stage_delete(play->s);
	return play->end;
}

static bool run_walks(struct explore_run *r, struct chooser *c, struct stage_observer *o)
{
	struct play *play = container_of(r, struct play, explore);

	(void)o;
	assert_int_equal(perform(play, c, walks), STAGE_DONE);
	note_order(play);
	return true;
}

static void setup(struct play *play, int actors, int steps)
{
	memset(play, 0, sizeof(*play));
	play->p = machine_new(&caps);
	play->actors = actors;
	play->steps = steps;
}

static u64 orders(int actors, int steps, unsigned int preemptions)
{
	const struct search_bounds bounds = { .preemptions = preemptions };
	static struct play play;
	struct search_chooser c;
	struct explore_report r;

	setup(&play, actors, steps);
	play.explore.run = run_walks;
	r = explore(&play.explore, &bounds, &c, NULL);
	assert_true(r.complete);
	assert_false(r.diverged);
	answers_free(&c.answers);
	assert_int_equal(machine_delete(play.p), 0);
	return (u64)play.different;
}

/* Of n and n steps there are (2n choose n) orders; of 2, 2 and 2 there are 6! / 2!^3. */
static void every_order_is_had(void **state)
{
	(void)state;
	assert_int_equal(orders(2, 1, 9), 2);
	assert_int_equal(orders(2, 3, 9), 20);
	assert_int_equal(orders(2, 5, 20), 252);
	assert_int_equal(orders(3, 2, 20), 90);
}

static void preemptions_are_bounded(void **state)
{
	(void)state;
	/* Without preemption an actor runs to its end, whichever begins. */
	assert_int_equal(orders(2, 5, 0), 2);
	assert_int_equal(orders(3, 2, 0), 6);
}

/* ---- a race that only a preemption shows */
static void increments(void *arg)
{
	struct play *play = ((struct part *)arg)->play;
	int old = play->counter;

	stage_point(play->s, "between load and store");
	play->counter = old + 1;
}

static bool run_increments(struct explore_run *r, struct chooser *c, struct stage_observer *o)
{
	struct play *play = container_of(r, struct play, explore);

	(void)o;
	perform(play, c, increments);
	return play->counter == 2;
}

static void a_race_is_found_and_replayed(void **state)
{
	const struct search_bounds none = { .preemptions = 0 }, one = { .preemptions = 1 };
	static struct play play;
	struct search_chooser c;
	struct replay_chooser again;
	char *text = NULL;
	size_t size;
	FILE *f;

	(void)state;
	setup(&play, 2, 0);
	play.explore.run = run_increments;
	assert_true(explore(&play.explore, &none, &c, NULL).complete);
	answers_free(&c.answers);
	assert_true(explore(&play.explore, &one, &c, NULL).stopped);
	f = open_memstream(&text, &size);
	assert_non_null(f);
	answers_print(&c.answers, f);
	assert_int_equal(fclose(f), 0);
	answers_free(&c.answers);

	replay_chooser_init(&again, text);
	perform(&play, &again.chooser, increments);
	assert_int_equal(play.counter, 1);
	answers_free(&again.answers);
	free(text);
	assert_int_equal(machine_delete(play.p), 0);
}

/* ---- dead ends */
static void locks_crosswise(void *arg)
{
	const struct part *a = arg;
	struct play *play = a->play;
	int first = a->name == 'b';

	port_write_lock(play->p, &play->lock[first]);
	port_write_lock(play->p, &play->lock[!first]);
	port_write_unlock(play->p, &play->lock[!first]);
	port_write_unlock(play->p, &play->lock[first]);
}

static bool run_crosswise(struct explore_run *r, struct chooser *c, struct stage_observer *o)
{
	struct play *play = container_of(r, struct play, explore);

	(void)o;
	return perform(play, c, locks_crosswise) == STAGE_DONE;
}

static void a_dead_lock_is_found(void **state)
{
	const struct search_bounds one = { .preemptions = 1 };
	static struct play play;
	struct search_chooser c;

	(void)state;
	setup(&play, 2, 0);
	play.explore.run = run_crosswise;
	assert_true(explore(&play.explore, &one, &c, NULL).stopped);
	assert_int_equal(play.end, STAGE_DEADLOCK);
	answers_free(&c.answers);
	machine_delete(play.p);
}

static void spins(void *arg)
{
	struct play *play = ((struct part *)arg)->play;

	for (;;)
		port_relax_point(play->p);
}

static void refuses(void *arg)
{
	struct play *play = ((struct part *)arg)->play;

	port_relax_point(play->p);
	machine_stop(play->p, "enough");
}

static void a_live_lock_and_a_refusal_end_the_run(void **state)
{
	static struct play play;
	struct random_chooser c;

	(void)state;
	setup(&play, 2, 0);
	random_chooser_init(&c, 1);
	assert_int_equal(perform(&play, &c.chooser, spins), STAGE_LIVELOCK);
	assert_int_equal(perform(&play, &c.chooser, refuses), STAGE_REFUSED);
	assert_string_equal(machine_refusal(play.p), "enough");
	answers_free(&c.answers);
	machine_delete(play.p);
}

/* ---- waiting */
static void counts_under_mutex(void *arg)
{
	struct play *play = ((struct part *)arg)->play;
	int old;

	stage_mutex_lock(play->s, &play->mutex);
	old = play->counter;
	port_relax_point(play->p);
	play->counter = old + 1;
	stage_mutex_unlock(play->s, &play->mutex);
}

static bool run_mutex(struct explore_run *r, struct chooser *c, struct stage_observer *o)
{
	struct play *play = container_of(r, struct play, explore);

	(void)o;
	return perform(play, c, counts_under_mutex) == STAGE_DONE && play->counter == play->actors;
}

static void a_mutex_excludes(void **state)
{
	const struct search_bounds bounds = { .preemptions = 2 };
	static struct play play;
	struct search_chooser c;

	(void)state;
	setup(&play, 3, 0);
	play.explore.run = run_mutex;
	assert_true(explore(&play.explore, &bounds, &c, NULL).complete);
	answers_free(&c.answers);
	assert_int_equal(machine_delete(play.p), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order_is_had),
		cmocka_unit_test(preemptions_are_bounded),
		cmocka_unit_test(a_race_is_found_and_replayed),
		cmocka_unit_test(a_dead_lock_is_found),
		cmocka_unit_test(a_live_lock_and_a_refusal_end_the_run),
		cmocka_unit_test(a_mutex_excludes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
