/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario text to commands. A line is a directive, a command, or what the command before it does.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "check/cpu.h"
#include "check/scenario_priv.h"

enum { WORDS_MAX = 32 };

struct parser {
	struct scenario *s;
	FILE *errors;
	int line;
	int actor; /* the commands' actor; -1 outside `together` */
	bool together;
	char *word[WORDS_MAX];
	u32 count; /* words of the present line */
};

static bool bad(const struct parser *p, const char *fmt, ...) __printf(2, 3);
static bool bad(const struct parser *p, const char *fmt, ...)
{
	va_list ap;

	fprintf(p->errors, "%s:%d: ", p->s->path, p->line);
	va_start(ap, fmt);
	vfprintf(p->errors, fmt, ap);
	va_end(ap);
	fputc('\n', p->errors);
	return false;
}

/* ---- facts of the CPU */

bool scenario_set_cpu(struct scenario *s, const char *facts, FILE *errors)
{
	return cpu_facts_set(&s->config.caps, facts, s->pinned, errors);
}

void scenario_print_cpu(const struct scenario *s, FILE *out)
{
	cpu_facts_print(&s->config.caps, out);
}

/* ---- directives */

/* What a scenario can be about. */
static const struct {
	char letter;
	u8 first, last, bit;
} subjects[] = { { 'M', 1, 18, SUBJECT_RULE },
		 { 'S', 0, 4, SUBJECT_SEED },
		 { 'G', 1, 13, SUBJECT_GAP } };

static bool parse_subject(struct parser *p, const char *word)
{
	u64 n;

	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		if (*word != subjects[i].letter || !number_parse(word + 1, &n) ||
		    n < subjects[i].first || n > subjects[i].last)
			continue;
		p->s->subjects |= BIT(subjects[i].bit + n);
		return true;
	}
	return bad(p, "'%s' is no subject; accepted are M1 to M18, S0 to S4, G1 to G13", word);
}

static bool parse_about(struct parser *p)
{
	for (u32 i = 1; i < p->count; i++) {
		if (!parse_subject(p, p->word[i]))
			return false;
	}
	return p->count > 1 || bad(p, "about: what? Accepted are M1 to M18, S0 to S4, G1 to G13");
}

static bool parse_misses(struct parser *p)
{
	if (p->count != 2 || !number_parse(p->word[1], &p->s->misses))
		return bad(p, "misses: one number of pairs of points is accepted");
	return true;
}

static bool parse_cpu(struct parser *p)
{
	for (u32 i = 1; i < p->count; i++) {
		if (!cpu_fact_set(&p->s->config.caps, p->word[i], 0, &p->s->pinned))
			return bad(p, "'%s' is no fact of a CPU; accepted are " CPU_FACT_NAMES,
				   p->word[i]);
	}
	cpu_facts_settle(&p->s->config.caps);
	return true;
}

static bool parse_step(struct parser *p)
{
	u64 n;

	if (p->count != 2 || !number_parse(p->word[1], &n) || n < 8 || n > 512)
		return bad(p, "step: one number of descriptors, 8 to 512, is accepted");
	p->s->config.step = (u16)n;
	return true;
}

static bool parse_ipa_bits(struct parser *p)
{
	u64 n;

	if (p->count != 2 || !number_parse(p->word[1], &n) || n < 32 || n > 48)
		return bad(p, "ipa-bits: one number, 32 to 48, is accepted");
	p->s->config.ipa_bits = (unsigned int)n;
	return true;
}

static bool parse_together(struct parser *p)
{
	if (p->together)
		return bad(p, "together: once a scenario, and not inside itself");
	p->together = true;
	return true;
}

static bool parse_actor(struct parser *p)
{
	struct scenario *s = p->s;
	u64 cpu;

	if (!p->together)
		return bad(p, "actor: only between 'together' and 'end'");
	if (p->count != 4 || strcmp(p->word[2], "on") || !number_parse(p->word[3], &cpu) ||
	    cpu >= ACTORS_MAX)
		return bad(p, "actor: 'actor NAME on CPU' is accepted, CPU 0 to %d",
			   ACTORS_MAX - 1);
	if (s->actor_count == ACTORS_MAX)
		return bad(p, "actor: at most %d are accepted", ACTORS_MAX);
	p->actor = s->actor_count++;
	s->actors[p->actor] = (struct scenario_actor){ p->word[1], cpu, s };
	if (s->config.caps.cpus <= cpu)
		s->config.caps.cpus = (u8)(cpu + 1);
	return true;
}

static bool parse_end(struct parser *p)
{
	if (!p->together || p->actor < 0)
		return bad(p, "end: no 'together' with an actor was begun");
	p->actor = -1;
	return true;
}

static const struct {
	const char *name;
	bool (*parse)(struct parser *p);
} directives[] = {
	{ "about", parse_about },	{ "misses", parse_misses },	{ "cpu", parse_cpu },
	{ "step", parse_step },		{ "ipa-bits", parse_ipa_bits }, { "actor", parse_actor },
	{ "together", parse_together }, { "end", parse_end },
};

/* ---- commands and what they do */

static struct command *command_add(struct scenario *s)
{
	if (s->count == s->capacity) {
		s->capacity = s->capacity ? 2 * s->capacity : 32;
		s->commands = realloc(s->commands, s->capacity * sizeof(*s->commands));
		if (!s->commands)
			abort();
	}
	s->commands[s->count] = (struct command){ .actor = -1 };
	return &s->commands[s->count++];
}

static bool parse_command(struct parser *p)
{
	const struct verb *v = verb_find(p->word[0]);
	struct command *c;

	if (!v) {
		fprintf(p->errors, "%s:%d: '%s' is no command; accepted are ", p->s->path, p->line,
			p->word[0]);
		verb_list(p->errors);
		fputs("; and about, stops, misses, cpu, step, ipa-bits, together, actor, end\n",
		      p->errors);
		return false;
	}
	if (p->together && p->actor < 0 && p->s->actor_count == 0)
		return bad(p, "'%s' between 'together' and the first 'actor'", p->word[0]);
	c = command_add(p->s);
	c->line = p->line;
	c->verb = v;
	c->actor = p->actor;
	operands_init(&c->words);
	for (u32 i = 1; i < p->count; i++) {
		if (!word_take(v, &c->words, p->word[i]))
			return bad(p, "%s: '%s' is not accepted; it takes %s", v->name, p->word[i],
				   v->accepts);
	}
	if (c->words.given < v->positional || (needs_of(v) & ~c->words.groups))
		return bad(p, "%s: something is missing; it takes %s", v->name, v->accepts);
	return true;
}

/* "= RESULT", "+ LINE", "- LINE": of the command before. */
static bool parse_told(struct parser *p, char *line)
{
	struct scenario *s = p->s;
	struct command *c = s->count ? &s->commands[s->count - 1] : NULL;

	if (!c)
		return bad(p, "'%c' tells what a command does, and there is none before it", *line);
	if (*line == '=') {
		c->result = line + 1 + strspn(line + 1, " ");
		return true;
	}
	c->changes = realloc(c->changes, (c->change_count + 1) * sizeof(*c->changes));
	if (!c->changes)
		abort();
	c->changes[c->change_count++] = line;
	return true;
}

/* ---- lines */

static bool split_words(struct parser *p, char *line)
{
	char *rest = line, *word;

	p->count = 0;
	while ((word = strsep(&rest, " \t")) != NULL) {
		if (!*word)
			continue;
		if (p->count == WORDS_MAX)
			return bad(p, "more than %d words", WORDS_MAX);
		p->word[p->count++] = word;
	}
	return true;
}

static bool parse_line(struct parser *p, char *line)
{
	line += strspn(line, " \t");
	if (!*line || *line == '#')
		return true;
	if (strchr("=+-", *line))
		return parse_told(p, line);
	if (!strncmp(line, "stops ", 6)) {
		p->s->stops = line + 6;
		return true;
	}
	if (!split_words(p, line))
		return false;
	if (!p->count)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(directives); i++) {
		if (!strcmp(directives[i].name, p->word[0]))
			return directives[i].parse(p);
	}
	return parse_command(p);
}

static bool parse_text(struct parser *p)
{
	char *rest = p->s->text, *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		p->line++;
		if (!parse_line(p, line))
			return false;
	}
	if (p->actor >= 0)
		return bad(p, "the 'end' of 'together' is missing");
	return true;
}

/* The verdict is in the name. */
static bool check_verdict(const struct parser *p)
{
	const char *slash = strrchr(p->s->path, '/'), *name = slash ? slash + 1 : p->s->path;

	if (!strncmp(name, "good_", 5))
		return !p->s->stops || bad(p, "a good_ scenario has no 'stops'");
	if (!strncmp(name, "bad_", 4))
		return p->s->stops || bad(p, "a bad_ scenario says how it 'stops'");
	return bad(p, "the name '%s' begins neither with good_ nor with bad_", name);
}

struct scenario *scenario_parse(const char *path, const char *text, FILE *errors)
{
	struct scenario *s = calloc(1, sizeof(*s));
	struct parser p = { .s = s, .errors = errors, .actor = -1 };

	if (!s)
		abort();
	s->path = path;
	s->text = strdup(text);
	s->source = strdup(text);
	if (!s->text || !s->source)
		abort();
	/* A machine that owes as much as any: what it does not owe is for the scenario to say. */
	s->config = (struct world_config){
		.caps = { .ttl = true,
			  .tlb_range = true,
			  .idc = true,
			  .pa_bits = 48,
			  .ipa_bits = 48,
			  .vmid_bits = 8,
			  .cpus = 2 },
		.ipa_bits = 40,
		.compare = 1,
	};
	if (parse_text(&p) && check_verdict(&p) &&
	    (cpu_facts_agree(&s->config.caps) || bad(&p, CPU_FACTS_DISAGREE)))
		return s;
	scenario_free(s);
	return NULL;
}

void scenario_free(struct scenario *s)
{
	if (s->world)
		world_delete(s->world);
	for (u32 i = 0; i < s->count; i++)
		free(s->commands[i].changes);
	free(s->commands);
	free(s->state);
	free(s->source);
	free(s->text);
	free(s);
}

u64 scenario_subjects(const struct scenario *s)
{
	return s->subjects;
}

const char *scenario_stops(const struct scenario *s)
{
	return s->stops;
}

bool scenario_has_actors(const struct scenario *s)
{
	return s->actor_count > 0;
}
