/* SPDX-License-Identifier: Apache-2.0 */
/* Names and values of CPU facts. */
#include "check/cpu.h"

#include <stdlib.h>
#include <string.h>

static const struct cpu_fact {
	const char *name;
	u8 place; /* in struct port_caps; a bool or a byte */
	u8 min, max;
} cpu_facts[] = {
	{ "fwb", offsetof(struct port_caps, fwb), 0, 1 },
	{ "dic", offsetof(struct port_caps, dic), 0, 1 },
	{ "idc", offsetof(struct port_caps, idc), 0, 1 },
	{ "ttl", offsetof(struct port_caps, ttl), 0, 1 },
	{ "range", offsetof(struct port_caps, tlb_range), 0, 1 },
	{ "af", offsetof(struct port_caps, hw_af), 0, 1 },
	{ "dbm", offsetof(struct port_caps, hw_dbm), 0, 1 },
	{ "bbm", offsetof(struct port_caps, bbm), 0, 2 },
	{ "vmid", offsetof(struct port_caps, vmid_bits), 2, 16 },
	{ "cpus", offsetof(struct port_caps, cpus), 1, 8 },
};

/* Decimal, all of @text. */
static bool number_of(const char *text, unsigned long *out)
{
	char *end;

	*out = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end;
}

static bool fact_value(const struct cpu_fact *f, const char *text, u8 *out)
{
	unsigned long n;

	if (!strcmp(text, "on") || !strcmp(text, "off")) {
		*out = text[1] == 'n';
		return f->max == 1;
	}
	if (!number_of(text, &n) || n < f->min || n > f->max)
		return false;
	*out = (u8)n;
	return true;
}

bool cpu_fact_set(struct port_caps *caps, const char *word, u32 keep, u32 *mask)
{
	for (size_t i = 0; i < ARRAY_SIZE(cpu_facts); i++) {
		size_t length = strlen(cpu_facts[i].name);
		u8 value;

		if (strncmp(word, cpu_facts[i].name, length) || word[length] != '=')
			continue;
		if (!fact_value(&cpu_facts[i], word + length + 1, &value))
			return false;
		if (!(keep & BIT(i)))
			((u8 *)caps)[cpu_facts[i].place] = value;
		*mask |= (u32)BIT(i);
		return true;
	}
	return false;
}

void cpu_facts_settle(struct port_caps *caps)
{
	caps->idc |= caps->fwb;
	caps->hw_af |= caps->hw_dbm;
}

bool cpu_facts_agree(const struct port_caps *caps)
{
	return BIT(caps->vmid_bits) - 1 > caps->cpus;
}

bool cpu_facts_set(struct port_caps *caps, const char *facts, u32 keep, FILE *errors)
{
	char *copy = strdup(facts), *rest = copy, *word;
	bool good = copy != NULL;
	u32 mask = 0;

	while (good && (word = strsep(&rest, ",")) != NULL) {
		good = cpu_fact_set(caps, word, keep, &mask);
		if (!good)
			fprintf(errors,
				"catwalk: --cpu: '%s' is no fact of a CPU; accepted are " CPU_FACT_NAMES
				"\n",
				word);
	}
	free(copy);
	cpu_facts_settle(caps);
	if (good && !cpu_facts_agree(caps)) {
		fputs("catwalk: --cpu: " CPU_FACTS_DISAGREE "\n", errors);
		return false;
	}
	return good;
}

void cpu_facts_print(const struct port_caps *caps, FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(cpu_facts); i++) {
		u8 value = ((const u8 *)caps)[cpu_facts[i].place];

		fprintf(out, "%s%s=", i ? "," : "", cpu_facts[i].name);
		if (cpu_facts[i].max == 1)
			fputs(value ? "on" : "off", out);
		else
			fprintf(out, "%u", value);
	}
}
