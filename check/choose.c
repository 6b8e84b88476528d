/* SPDX-License-Identifier: Apache-2.0 */
/* Choosers: chance, replay, and a depth-first search that keeps no state but its answers. */
#include "check/choose.h"

#include <stdlib.h>

/* ---- answers */

static void answers_add(struct answers *a, enum choice_kind kind, unsigned int taken,
			unsigned int options)
{
	if (a->count == a->capacity) {
		a->capacity = a->capacity ? 2 * a->capacity : 256;
		a->list = realloc(a->list, a->capacity * sizeof(*a->list));
		if (!a->list)
			abort();
	}
	a->list[a->count++] = (struct choice){ (u8)kind, (u8)taken, (u8)options };
}

void answers_free(struct answers *a)
{
	free(a->list);
	*a = (struct answers){ .list = NULL };
}

void answers_print(const struct answers *a, FILE *out)
{
	const char *separator = "";

	for (u32 i = 0; i < a->count; i++) {
		if (!a->list[i].taken)
			continue;
		fprintf(out, "%s%u:%u", separator, i, a->list[i].taken);
		separator = ",";
	}
	if (!*separator)
		fputs("-", out);
}

/* ---- chance */

static u64 random_next(u64 *state)
{
	u64 x = *state += 0x9e3779b97f4a7c15UL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9UL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebUL;
	return x ^ x >> 31;
}

u64 random_below(u64 *state, u64 below)
{
	return random_next(state) % below;
}

static unsigned int random_choose(struct chooser *chooser, enum choice_kind kind, unsigned int what,
				  unsigned int options)
{
	struct random_chooser *c = container_of(chooser, struct random_chooser, chooser);
	unsigned int odds = 1, taken = 0;

	(void)what;
	if (kind == CHOICE_ACTOR || kind == CHOICE_LOCAL)
		odds = c->preempts;
	if (kind == CHOICE_HARDWARE)
		odds = c->surprises;
	if (random_below(&c->state, odds) == 0)
		taken = (unsigned int)random_below(&c->state, options);
	answers_add(&c->answers, kind, taken, options);
	return taken;
}

void random_chooser_init(struct random_chooser *c, u64 seed)
{
	*c = (struct random_chooser){
		.chooser = { random_choose },
		.state = seed,
		.preempts = 6,
		.surprises = 3,
	};
}

/* ---- replay */

static unsigned int replay_choose(struct chooser *chooser, enum choice_kind kind, unsigned int what,
				  unsigned int options)
{
	struct replay_chooser *c = container_of(chooser, struct replay_chooser, chooser);
	unsigned int taken = 0;
	char *end;

	(void)what;
	if (*c->next && strtoul(c->next, &end, 10) == c->answers.count && *end == ':') {
		taken = (unsigned int)strtoul(end + 1, &end, 10);
		c->next = *end == ',' ? end + 1 : end;
	}
	answers_add(&c->answers, kind, taken, options);
	return taken;
}

void replay_chooser_init(struct replay_chooser *c, const char *text)
{
	*c = (struct replay_chooser){
		.chooser = { replay_choose },
		.next = *text == '-' ? "" : text,
	};
}

/* ---- search */

static unsigned int search_choose(struct chooser *chooser, enum choice_kind kind, unsigned int what,
				  unsigned int options)
{
	struct search_chooser *c = container_of(chooser, struct search_chooser, chooser);
	struct answers *a = &c->answers;

	(void)what;
	if (c->place == a->count)
		answers_add(a, kind, 0, options);
	else if (a->list[c->place].options != options || a->list[c->place].kind != kind)
		c->diverged = true;
	return a->list[c->place++].taken;
}

void search_chooser_init(struct search_chooser *c, const struct search_bounds *bounds)
{
	*c = (struct search_chooser){ .chooser = { search_choose }, .bounds = *bounds };
}

static void count_cost(struct search_chooser *c, const struct choice *a, unsigned int change)
{
	if (!a->taken)
		return;
	if (a->kind == CHOICE_ACTOR)
		c->preemptions += change;
	if (a->kind == CHOICE_HARDWARE)
		c->surprises += change;
}

/* May the last answer be another one, at the costs of all before it? */
static bool may_deviate(const struct search_chooser *c, const struct choice *a)
{
	if (a->taken + 1 >= a->options)
		return false;
	switch ((enum choice_kind)a->kind) {
	case CHOICE_ACTOR: return c->preemptions < c->bounds.preemptions;
	case CHOICE_HARDWARE: return c->surprises < c->bounds.surprises;
	case CHOICE_LOCAL: return false;
	case CHOICE_YIELD:
	case CHOICE_KINDS: break;
	}
	return true;
}

bool search_next(struct search_chooser *c)
{
	struct answers *a = &c->answers;

	/* A run that was stopped early leaves answers of the one before it. */
	a->count = c->place;
	c->place = 0;
	c->preemptions = 0;
	c->surprises = 0;
	for (u32 i = 0; i < a->count; i++)
		count_cost(c, &a->list[i], 1);
	while (a->count) {
		struct choice *last = &a->list[a->count - 1];

		count_cost(c, last, ~0U);
		if (may_deviate(c, last)) {
			last->taken++;
			return true;
		}
		a->count--;
	}
	return false;
}
