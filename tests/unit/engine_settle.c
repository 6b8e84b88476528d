/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second pure function meets real descriptors: every planned leaf against every entry that may
 * be there, on the modelled machine, whose TLB holds the old one. What is done, and what stands
 * there afterwards, is said a second time here.
 */
#include "tests/unit/engine_fixture.h"

#define EACH(var, count) for (int var = 0; var < (count); var++)

enum { PERMS = 4, LEVELS = 3 };
static const u8 perms_are[PERMS] = { S2_R, S2_R | S2_W, S2_R | S2_X, S2_R | S2_W | S2_X };

static pa_t ram; /* aligned to 1 GiB */

/* What is in the tables. */
struct old {
	bool is_empty;
	struct s2_leaf leaf;
};

enum { OLDS = 1 + S2_TYPE_COUNT * PERMS * LEVELS * 2 * 2 };
enum { PLANS = S2_TYPE_COUNT * PERMS * LEVELS };

static struct s2_leaf leaf_of(int x)
{
	struct s2_leaf leaf = { .pa = ram, .accessed = true };

	leaf.type = (enum s2_type)(x % S2_TYPE_COUNT), x /= S2_TYPE_COUNT;
	leaf.perms = perms_are[x % PERMS], x /= PERMS;
	leaf.level = (s8)(LEVEL_1G + x % LEVELS);
	return leaf;
}

static struct old old_of(int x)
{
	struct old old = { .is_empty = !x };

	if (old.is_empty)
		return old;
	x--;
	old.leaf = leaf_of(x % PLANS), x /= PLANS;
	old.leaf.pa.v += x & 1 ? SZ_1G : 0;
	old.leaf.accessed = !(x & 2);
	return old;
}

static enum s2_result commit(struct fx *f, const struct s2_leaf *leaf)
{
	struct table_cache cache = { .count = 0 };
	enum s2_result r;

	assert_int_equal(table_cache_fill(&cache, f->p, stage2_tables_max(&f->m.s2)), ERR_OK);
	port_read_lock(f->p, &f->m.s2.lock);
	r = stage2_commit(&f->m.s2, &cache, IPA(FX_IPA), leaf, 0);
	port_read_unlock(f->p, &f->m.s2.lock);
	table_cache_drain(&cache, f->p);
	return r;
}

/* The entry, and a TLB that holds it. */
static void set_up(struct fx *f, const struct old *old)
{
	struct s2_leaf leaf = old->leaf;

	if (old->is_empty)
		return;
	assert_int_equal(commit(f, &leaf), S2_DONE_INSTALL);
	assert_int_equal(machine_access(f->p, IPA(FX_IPA), MACHINE_READ).fault, MF_NONE);
	if (!old->leaf.accessed)
		stage2_age(&f->m.s2, IPA(FX_IPA), SZ_1G, S2_AGE_CLEAR);
}

static u8 missing(const struct old *old, const struct s2_leaf *plan)
{
	return plan->perms & (u8)~old->leaf.perms;
}

static enum s2_result expected(const struct old *old, const struct s2_leaf *plan)
{
	bool agrees = old->leaf.pa.v == plan->pa.v && old->leaf.type == plan->type;

	if (old->is_empty)
		return S2_DONE_INSTALL;
	if (old->leaf.level > plan->level) /* pages where a block is to be */
		return S2_NEEDS_COLLAPSE;
	if (old->leaf.level == plan->level) {
		if (!agrees)
			return S2_DONE_REPLACE;
		return missing(old, plan) || !old->leaf.accessed ? S2_DONE_RELAX : S2_DONE_KEEP;
	}
	if (!agrees)
		return S2_DONE_BREAK;
	return missing(old, plan) ? S2_DONE_SPLIT : S2_DONE_KEEP;
}

static void expect_leaf(struct fx *f, u64 offset, const struct s2_leaf *want, u8 perms, s8 level)
{
	struct s2_leaf now;

	assert_true(stage2_lookup(&f->m.s2, IPA(FX_IPA + offset), &now));
	assert_int_equal(now.type, want->type);
	assert_int_equal(now.pa.v, want->pa.v + (offset & ~(level_size(level) - 1)));
	assert_int_equal(now.perms, perms);
	assert_int_equal(now.level, level);
}

static bool is_accessed(struct fx *f)
{
	struct s2_leaf now;

	return stage2_lookup(&f->m.s2, IPA(FX_IPA), &now) && now.accessed;
}

static void expect_after(struct fx *f, enum s2_result r, const struct old *old,
			 const struct s2_leaf *plan)
{
	const struct s2_leaf *o = &old->leaf;
	struct s2_leaf now;

	switch (r) {
	case S2_DONE_INSTALL:
	case S2_DONE_REPLACE: expect_leaf(f, 0, plan, plan->perms, plan->level); return;
	case S2_DONE_RELAX: expect_leaf(f, 0, o, o->perms | plan->perms, o->level); return;
	case S2_DONE_KEEP:
	case S2_NEEDS_COLLAPSE: expect_leaf(f, 0, o, o->perms, o->level); return;
	case S2_DONE_SPLIT: /* type kept everywhere, permissions gained in one place (M7) */
		expect_leaf(f, 0, o, o->perms | plan->perms, plan->level);
		expect_leaf(f, level_size(plan->level), o, o->perms, plan->level);
		expect_leaf(f, level_size(o->level) - PAGE_SIZE, o, o->perms, (s8)(o->level + 1));
		return;
	case S2_DONE_BREAK: assert_false(stage2_lookup(&f->m.s2, IPA(FX_IPA), &now)); return;
	case S2_DONE_COLLAPSE:
	case S2_RACED:
	case S2_NEEDS_TABLES: break;
	}
	fail_msg("result %d is none of a settled entry", (int)r);
}

static u64 done[S2_NEEDS_COLLAPSE + 1];

static void check_pair(struct fx *f, const struct old *old, const struct s2_leaf *plan)
{
	enum s2_result r;

	set_up(f, old);
	r = commit(f, plan);
	if (r != expected(old, plan))
		fail_msg("level %d to %d: result %d and not %d", old->leaf.level, plan->level,
			 (int)r, (int)expected(old, plan));
	expect_after(f, r, old, plan);
	/* What is made or relaxed was asked for by an access. */
	if (r == S2_DONE_INSTALL || r == S2_DONE_REPLACE || r == S2_DONE_RELAX)
		assert_true(is_accessed(f));
	done[r]++;
	stage2_unmap(&f->m.s2, IPA(FX_IPA), SZ_1G);
}

static void every_plan_meets_every_entry(void **state)
{
	u64 n = 0;

	(void)state;
	EACH(bbm, 3)
	{
		struct port_caps caps = caps_fwb;
		struct fx *f;

		caps.bbm = (u8)bbm;
		f = fx_new(&caps, 40);
		ram = machine_pages(f->p, 2 * SZ_1G);
		EACH(o, OLDS)
		EACH(p, PLANS)
		{
			struct old old = old_of(o);
			struct s2_leaf plan = leaf_of(p);

			check_pair(f, &old, &plan);
			n++;
		}
		fx_check_stats(f);
		fx_delete(f);
	}
	print_message("settle: %lu plans and entries, BBM levels 0 to 2\n", (unsigned long)n);
	EACH(r, S2_NEEDS_COLLAPSE + 1)
	{
		bool settles = r != S2_DONE_COLLAPSE && r != S2_RACED && r != S2_NEEDS_TABLES;

		assert_int_equal(done[r] > 0, settles);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_plan_meets_every_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
