/* SPDX-License-Identifier: Apache-2.0 */
/* `catwalk explain`: what a described mapping would get, and by which rule. */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include <stdio.h>

#include "cli/explain_options.h"
#include "engine/coherence.h"

/* The access, with these values of what was said to be unknown. */
struct explain_case {
	enum mem_type type;
	enum mem_reach reach;
	struct explanation e;
};

enum { EXPLAIN_CASES_MAX = MEM_TYPE_COUNT * REACH_COUNT };

struct explain_report {
	bool asks_for_slot;
	struct slot_verdict slot; /* of its creation */
	unsigned int count;	  /* 0: the slot cannot be, whatever lies behind it */
	struct explain_case cases[EXPLAIN_CASES_MAX];
	struct port_caps caps;
};

/* The engine's answers. Pure. */
struct explain_report explain_facts(const struct explain_input *in);

void print_explanation(const struct explain_input *in, const struct explain_report *r, FILE *to);
/* Returns 0, or -1 without memory. */
int print_explanation_json(const struct explain_input *in, const struct explain_report *r,
			   FILE *to);

/* The words that both forms use. */
const char *s2_type_text(enum s2_type type);
const char *limit_text(enum limit by);
/* "r", "rw", "rwx" ...; @perms: S2_*. */
const char *perms_text(unsigned int perms);
const char *outcome_text(const struct fault_outcome *o);
const char *agent_text(enum coherence_agent agent);

/* The command; returns the exit status. */
int command_explain(int argc, char **argv);

#endif
