/* SPDX-License-Identifier: Apache-2.0 */
/* `catwalk explain --json`: the same answer for programs; docs/explain.md has the members. */
#include <jansson.h>

#include "cli/explain.h"

static json_t *reason_json(enum reason why)
{
	if (why == WHY_NONE)
		return json_null();
	return json_pack("{s:i, s:s, s:s}", "rule", (int)reason_rule(why), "name", reason_name(why),
			 "text", reason_text(why));
}

static json_t *error_json(int error)
{
	return error ? json_sprintf("E%s", err_name(error)) : json_null();
}

static json_t *slot_json(const struct explain_report *r)
{
	if (!r->asks_for_slot)
		return json_null();
	return json_pack("{s:b, s:o, s:o}", "accepted", !r->slot.error, "error",
			 error_json(r->slot.error), "reason", reason_json(r->slot.why));
}

/* The names of the bits that are set. */
static json_t *bits_json(unsigned int bits, const char *const *names, unsigned int count)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < count; i++) {
		if (bits & BIT(i))
			json_array_append_new(list, json_string(names[i]));
	}
	return list;
}

static json_t *owed_json(unsigned int owed)
{
	static const char *const names[] = { "dcache_clean_invalidate", "icache_invalidate",
					     "icache_invalidate_all" };

	return bits_json(owed, names, ARRAY_SIZE(names));
}

static json_t *user_owes_json(enum coherence c)
{
	static const char *const agents[COHERENCE_AGENTS] = {
		[AGENT_VMM] = "vmm",
		[AGENT_DMA_SNOOPS] = "dma_snoops",
		[AGENT_DMA_BYPASS] = "dma_bypasses",
	};
	static const char *const names[] = { "before_read", "after_write", "before_write" };
	json_t *all = json_object();

	for (int a = 0; a < COHERENCE_AGENTS; a++) {
		unsigned int owed = coherence_owed(c, (enum coherence_agent)a);

		json_object_set_new(all, agents[a], bits_json(owed, names, ARRAY_SIZE(names)));
	}
	return all;
}

static json_t *plan_json(const struct fault_plan *p, const struct port_caps *caps)
{
	static const char *const limits[LIMIT_COUNT] = {
		[LIMIT_NONE] = "none", [LIMIT_HOST] = "host",	    [LIMIT_TABLE] = "table",
		[LIMIT_SLOT] = "slot", [LIMIT_LOGGING] = "logging",
	};
	static const char *const types[S2_TYPE_COUNT] = {
		[S2_NORMAL] = "normal",
		[S2_NORMAL_NC] = "normal_nc",
		[S2_DEVICE] = "device",
	};
	static const char *const classes[COHERENCE_CLASSES] = {
		[COHERENCE_UNKNOWN] = "unknown", [COHERENCE_FORCED] = "forced",
		[COHERENCE_GUEST] = "guest",	 [COHERENCE_NC] = "nc",
		[COHERENCE_DEVICE] = "device",
	};
	enum coherence c = coherence_of(p->type, caps);

	return json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:s, s:b, s:o, s:o, s:s, s:o}", "type",
			 types[p->type], "permissions", perms_text(p->perms), "hardware_dirty",
			 (p->perms & S2_DBM) != 0, "ipa", (json_int_t)p->ipa.v, "pa",
			 (json_int_t)p->pa.v, "size", (json_int_t)level_size(p->level), "bound_by",
			 limits[p->bound_by], "logged", p->logged, "owed_before",
			 owed_json(p->owed), "owed_after", owed_json(p->owed_after), "coherence",
			 classes[c], "user_owes", user_owes_json(c));
}

static json_t *case_json(const struct explain_case *c, const struct port_caps *caps)
{
	const struct explanation *e = &c->e;
	bool is_map = e->answer == ANSWER_MAP;

	return json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:o}", "type", mem_type_word(c->type),
			 "reach", mem_reach_word(c->reach), "answer", answer_name(e->answer),
			 "reason", reason_json(e->why), "result",
			 is_map ? "mapped" : outcome_text(&e->outcome), "error",
			 error_json(e->outcome.error), "mapping",
			 is_map ? plan_json(&e->plan, caps) : json_null());
}

int print_explanation_json(const struct explain_input *in, const struct explain_report *r, FILE *to)
{
	json_t *cases = json_array();
	json_t *all;
	int err = -1;

	for (unsigned int i = 0; i < r->count; i++)
		json_array_append_new(cases, case_json(&r->cases[i], &r->caps));
	all = json_pack("{s:s, s:I, s:o, s:o}", "access", in->access->name, "ipa",
			(json_int_t)in->ipa.v, "slot", slot_json(r), "cases", cases);
	if (all && json_array_size(cases) == r->count)
		err = json_dumpf(all, to, JSON_INDENT(2));
	json_decref(all);
	fputc('\n', to);
	return err;
}
