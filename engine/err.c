/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of errors, reasons and counters, from their X-macro lists. */
#include "engine/err.h"
#include "engine/reason.h"
#include "engine/stats.h"

const char *err_text(int error)
{
	switch (error) {
	case ERR_OK: return "done";
#define X(name, number, meaning)                                                                   \
	case ERR_##name: return meaning;
		ENGINE_ERRORS(X)
#undef X
	default: return "unknown error";
	}
}

const char *err_name(int error)
{
	switch (error) {
	case ERR_OK: return "OK";
#define X(name, number, meaning)                                                                   \
	case ERR_##name: return #name;
		ENGINE_ERRORS(X)
#undef X
	default: return "UNKNOWN";
	}
}

static const struct {
	u8 rule;
	const char *name;
	const char *text;
} reasons[WHY_COUNT] = {
#define X(name, rule, sentence) [WHY_##name] = { rule, #name, sentence },
	ENGINE_REASONS(X)
#undef X
};

unsigned int reason_rule(enum reason why)
{
	return (unsigned int)why < WHY_COUNT ? reasons[why].rule : 0;
}

const char *reason_text(enum reason why)
{
	return (unsigned int)why < WHY_COUNT ? reasons[why].text : "unknown reason";
}

const char *reason_name(enum reason why)
{
	return (unsigned int)why < WHY_COUNT ? reasons[why].name : "UNKNOWN";
}

static const struct {
	const char *name;
	const char *text;
} stats[STAT_COUNT] = {
#define X(name, sentence) [STAT_##name] = { #name, sentence },
	ENGINE_STATS(X)
#undef X
};

const char *stat_name(enum stat_id s)
{
	return (unsigned int)s < STAT_COUNT ? stats[s].name : "unknown";
}

const char *stat_text(enum stat_id s)
{
	return (unsigned int)s < STAT_COUNT ? stats[s].text : "unknown counter";
}
