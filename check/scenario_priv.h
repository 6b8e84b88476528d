/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files that implement check/scenario.h. */
#ifndef CHECK_SCENARIO_PRIV_H
#define CHECK_SCENARIO_PRIV_H

#include "check/scenario.h"

/* What a command's words come to; each verb uses some. */
struct operands {
	u64 hva, ipa, size;
	u64 vm, vcpu, slot;
	u64 first, pages, value;
	u64 table[2];
	u64 flags; /* enum slot_flag */
	u64 type, declared, reach, owner, level;
	u64 writable, leaf_writable, executable;
	u64 special, lazy, special_lazily, refuses_mkwrite, poisoned;
	u64 s1, updates_af, dma, is_write, how;
	u64 without_fwb, without_dic, anyway;
	u64 given;  /* positional operands so far */
	u64 groups; /* of words given; WORDS_* */
	const char *name;
};

struct verb;

struct command {
	int line;
	const struct verb *verb;
	struct operands words;
	int actor;	    /* index into scenario.actors; -1: none */
	const char *result; /* as told, NULL: "ok" */
	const char **changes;
	u32 change_count;
};

struct scenario_actor {
	const char *name;
	u64 cpu;
	struct scenario *scenario;
};

struct scenario {
	const char *path;
	char *text;   /* cut into words */
	char *source; /* as it was */
	struct world_config config;
	u32 pinned;   /* facts of the CPU fixed by the scenario */
	u64 subjects; /* SUBJECT_* bits */
	const char *stops;
	u64 misses; /* pairs of points that no run can visit */
	struct command *commands;
	u32 count, capacity;
	struct scenario_actor actors[ACTORS_MAX];
	int actor_count;
	struct world *world;
	enum scenario_compare compare;
	char *state; /* before the present command */
	size_t state_size;
	char stopped_by[256];
	enum scenario_end end;
	bool is_explored; /* somebody asks for the outcome of each run */
	u64 outcome;	  /* hash of the last run's results and of the state after its actors */
	FILE *out;
	FILE *update; /* results and changes are written there, not compared */
	u32 next;     /* the present command */
};

/* Groups of words that a verb takes, and of each of which it must be given one. */
#define NEEDS(groups)  ((u64)(groups) | (u64)(groups) << 32)
#define needs_of(verb) ((verb)->words >> 32)

/* One verb: its words and what it does. */
struct verb {
	const char *name;
	const char *accepts; /* its operands, for messages */
	struct world_result (*run)(struct world *w, const struct operands *o);
	/* NULL: "ok" or the error */
	void (*print)(const struct world_result *r, FILE *out);
	u32 positional; /* how many of hva/ipa/... come without a name, by `places` */
	u8 places[4];	/* offsets / 8 into struct operands */
	u64 words;	/* groups of words it takes; WORDS_*, NEEDS() */
};

const struct verb *verb_find(const char *name);
void verb_list(FILE *out);

/* Fills @o from @word as @v takes it. False: not one of its words. */
bool word_take(const struct verb *v, struct operands *o, char *word);
void operands_init(struct operands *o);
bool number_parse(const char *text, u64 *out);

/* ---- verbs that ask (scenario_queries.c) */
struct world_result run_coherence(struct world *w, const struct operands *o);
void print_coherence(const struct world_result *r, FILE *out);
struct world_result run_migrate_to(struct world *w, const struct operands *o);
void print_migrate_to(const struct world_result *r, FILE *out);
struct world_result run_trace(struct world *w, const struct operands *o);
void print_trace(const struct world_result *r, FILE *out);

void result_print(const struct command *c, const struct world_result *r, FILE *out);

#endif
