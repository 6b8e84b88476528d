/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a scenario: its commands, and after each the whole state against what was told. */
#include <stdlib.h>
#include <string.h>

#include "check/scenario_priv.h"

/* ---- the state, and what a command changed of it */

static char *state_text(struct scenario *s, size_t *size)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, size);

	if (!f)
		abort();
	world_state(s->world, f);
	if (fclose(f))
		abort();
	return text;
}

/* Lines of @a that @b lacks, both sorted; each with @sign in front. */
static void print_missing(const char *a, const char *b, char sign, FILE *out)
{
	while (*a) {
		size_t length = strcspn(a, "\n"), other = strcspn(b, "\n");
		int order = *b ? strncmp(a, b, min(length, other)) : -1;

		if (!order)
			order = length < other ? -1 : length > other;
		if (order < 0)
			fprintf(out, "%c %.*s\n", sign, (int)length, a);
		if (order <= 0)
			a += length + (a[length] != '\0');
		if (order >= 0)
			b += other + (b[other] != '\0');
	}
}

/* What the command did, as it would be told. */
static char *told_text(struct scenario *s, const struct command *c, const struct world_result *r)
{
	char *text = NULL, *result = NULL, *now;
	size_t size, state_size;
	FILE *f = open_memstream(&result, &size);

	if (!f)
		abort();
	result_print(c, r, f);
	if (fclose(f))
		abort();
	f = open_memstream(&text, &size);
	if (!f)
		abort();
	if (strcmp(result, "ok"))
		fprintf(f, "= %s\n", result);
	now = state_text(s, &state_size);
	print_missing(s->state, now, '-', f);
	print_missing(now, s->state, '+', f);
	if (fclose(f))
		abort();
	free(result);
	free(s->state);
	s->state = now;
	return text;
}

/* What the scenario tells, in the same form. */
static char *expected_text(const struct command *c)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	if (c->result && strcmp(c->result, "ok"))
		fprintf(f, "= %s\n", c->result);
	for (int sign = 0; sign < 2; sign++) {
		for (u32 i = 0; i < c->change_count; i++) {
			if (c->changes[i][0] == "-+"[sign])
				fprintf(f, "%s\n", c->changes[i]);
		}
	}
	if (fclose(f))
		abort();
	return text;
}

static void print_indented(const char *text, FILE *out)
{
	while (*text) {
		size_t length = strcspn(text, "\n");

		fprintf(out, "\t%.*s\n", (int)length, text);
		text += length + (text[length] != '\0');
	}
}

static void compare(struct scenario *s, const struct command *c, const struct world_result *r)
{
	char *is = told_text(s, c, r), *told = expected_text(c);

	if (strcmp(is, told) && s->end == SCENARIO_DONE) {
		s->end = SCENARIO_DIFFERS;
		if (s->out) {
			fprintf(s->out, "%s:%d: %s: told was\n", s->path, c->line, c->verb->name);
			print_indented(*told ? told : "= ok\n", s->out);
			fprintf(s->out, "  but it is\n");
			print_indented(*is ? is : "= ok\n", s->out);
		}
	}
	free(is);
	free(told);
}

/* ---- writing the text again */

/* Copies source lines up to and with line @to, without what was told. */
static void copy_source(struct scenario *s, const char **at, int *line, int to)
{
	while (*line < to && **at) {
		size_t length = strcspn(*at, "\n"), blank = strspn(*at, " \t");

		if (blank >= length || !strchr("=+-", (*at)[blank]))
			fprintf(s->update, "%.*s\n", (int)length, *at);
		*at += length + ((*at)[length] != '\0');
		++*line;
	}
}

/* ---- running */

static u64 mixed(u64 h, u64 value)
{
	h = (h ^ value) * 0x9e3779b97f4a7c15UL;
	return h ^ h >> 32;
}

/* Commands of several actors come in any order: the sum does not tell. */
static void note_result(struct scenario *s, const struct command *c, const struct world_result *r)
{
	u64 h = mixed(0, (u64)(c - s->commands));

	h = mixed(h, (u64)r->error);
	h = mixed(h, (u64)r->outcome.kind << 16 | (u64)r->outcome.done << 8);
	h = mixed(h, (u64)r->outcome.why);
	s->outcome += mixed(h, r->count);
}

static void note_state(struct scenario *s)
{
	u64 h = 0;

	free(s->state);
	s->state = state_text(s, &s->state_size);
	for (size_t i = 0; i < s->state_size; i++)
		h = mixed(h, (u8)s->state[i]);
	s->outcome += h;
}

static struct world_result perform(struct scenario *s, const struct command *c)
{
	struct world_result r;

	machine_cpu(world_port(s->world),
		    c->actor < 0 ? (unsigned int)(c->words.vcpu % s->config.caps.cpus)
				 : (unsigned int)s->actors[c->actor].cpu);
	r = c->verb->run(s->world, &c->words);
	note_result(s, c, &r);
	return r;
}

static void actor_run(void *arg)
{
	const struct scenario_actor *a = arg;
	struct scenario *s = a->scenario;

	for (u32 i = 0; i < s->count; i++) {
		if (s->commands[i].actor == (int)(a - s->actors))
			(void)perform(s, &s->commands[i]);
	}
}

static const char *end_name(enum stage_end end)
{
	static const char *const names[] = {
		[STAGE_DONE] = "done",
		[STAGE_REFUSED] = "refused",
		[STAGE_DEADLOCK] = "dead lock: every actor waits for another",
		[STAGE_LIVELOCK] = "live lock: the actors do not come to an end",
	};

	return names[end];
}

static void note_stop(struct scenario *s, const char *why)
{
	s->end = SCENARIO_STOPPED;
	snprintf(s->stopped_by, sizeof(s->stopped_by), "%s", why);
	if (!s->out)
		return;
	fprintf(s->out, "%s:%d: stopped: %s\n", s->path,
		s->next < s->count ? s->commands[s->next].line : 0, why);
	world_explain(s->world, s->out);
}

static void run_together(struct scenario *s)
{
	enum stage_end end;

	for (int i = 0; i < s->actor_count; i++)
		world_actor(s->world, s->actors[i].name, (unsigned int)s->actors[i].cpu, actor_run,
			    &s->actors[i]);
	end = world_run(s->world, 20000);
	if (end == STAGE_REFUSED)
		note_stop(s, machine_refusal(world_port(s->world)));
	else if (end != STAGE_DONE)
		note_stop(s, end_name(end));
}

/* One sequential command; a refusal ends it here. */
static void step(void *arg)
{
	struct scenario *s = arg;
	const struct command *c = &s->commands[s->next];
	struct world_result r = perform(s, c);

	if (s->compare == COMPARE_STATE)
		compare(s, c, &r);
}

static void check_rest(void *arg)
{
	struct scenario *s = arg;

	world_check(s->world);
}

static void end_world(void *arg)
{
	struct scenario *s = arg;

	world_end(s->world);
}

static bool stops_in(struct scenario *s, void (*fn)(void *arg))
{
	struct port *p = world_port(s->world);

	if (!machine_refuses(p, fn, s))
		return false;
	note_stop(s, machine_refusal(p));
	return true;
}

/* Commands of actors run all at once, where the first of them stands. */
static void run_commands(struct scenario *s)
{
	bool was_together = false;

	for (s->next = 0; s->next < s->count && s->end == SCENARIO_DONE; s->next++) {
		if (s->commands[s->next].actor < 0) {
			if (stops_in(s, step) || stops_in(s, check_rest))
				return;
		} else if (!was_together) {
			was_together = true;
			run_together(s);
			if (s->end != SCENARIO_DONE || stops_in(s, check_rest))
				return;
			if (s->is_explored || s->compare == COMPARE_STATE)
				note_state(s);
		}
	}
}

static void world_make(struct scenario *s, struct chooser *c)
{
	if (s->world)
		world_reset(s->world, &s->config, c);
	else
		s->world = world_new(&s->config, c);
}

enum scenario_end scenario_run(struct scenario *s, struct chooser *c, enum scenario_compare compare,
			       struct stage_observer *o, FILE *out)
{
	world_make(s, c);
	stage_observe(world_stage(s->world), o);
	s->compare = compare;
	s->is_explored = o != NULL;
	s->end = SCENARIO_DONE;
	s->outcome = 0;
	s->out = out;
	s->stopped_by[0] = '\0';
	if (compare == COMPARE_STATE) {
		free(s->state);
		s->state = state_text(s, &s->state_size);
	}
	run_commands(s);
	if (s->end == SCENARIO_DONE)
		stops_in(s, end_world);
	return s->end;
}

u64 scenario_outcome(const struct scenario *s)
{
	return s->outcome;
}

u32 scenario_ranges(const struct scenario *s)
{
	return world_ranges(s->world);
}

u64 scenario_misses(const struct scenario *s)
{
	return s->misses;
}

const char *scenario_stopped_by(const struct scenario *s)
{
	return s->stopped_by;
}

/* ---- update */

static void update_together(struct scenario *s, bool *ran)
{
	if (*ran)
		return;
	*ran = true;
	run_together(s);
	free(s->state);
	s->state = state_text(s, &s->state_size);
}

static void update_step(void *arg)
{
	struct scenario *s = arg;
	const struct command *c = &s->commands[s->next];
	struct world_result r = perform(s, c);
	char *told = told_text(s, c, &r);

	for (const char *t = told; *t;) {
		size_t length = strcspn(t, "\n");

		fprintf(s->update, "    %.*s\n", (int)length, t);
		t += length + (t[length] != '\0');
	}
	free(told);
}

void scenario_update(struct scenario *s, FILE *out)
{
	struct replay_chooser ordinary;
	const char *at = s->source;
	bool ran_together = false;
	int line = 0;

	replay_chooser_init(&ordinary, "-");
	world_make(s, &ordinary.chooser);
	s->update = out;
	s->end = SCENARIO_DONE;
	s->out = NULL;
	free(s->state);
	s->state = state_text(s, &s->state_size);
	for (s->next = 0; s->next < s->count && s->end == SCENARIO_DONE; s->next++) {
		const struct command *c = &s->commands[s->next];

		copy_source(s, &at, &line, c->line);
		if (c->actor >= 0)
			update_together(s, &ran_together);
		else if (machine_refuses(world_port(s->world), update_step, s))
			s->end = SCENARIO_STOPPED; /* what comes after it stays as it is */
	}
	copy_source(s, &at, &line, 1 << 30);
	answers_free(&ordinary.answers);
	s->update = NULL;
}
