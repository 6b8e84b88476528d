/* SPDX-License-Identifier: Apache-2.0 */
/* Names and values of CPU facts. */
#include "check/cpu.h"

#include <stdlib.h>
#include <string.h>

static const struct cpu_fact {
	const char *name;
	u8 place; /* in struct port_caps; a bool or a byte */
	u8 max;
} cpu_facts[] = {
	{ "fwb", offsetof(struct port_caps, fwb), 1 },
	{ "dic", offsetof(struct port_caps, dic), 1 },
	{ "idc", offsetof(struct port_caps, idc), 1 },
	{ "ttl", offsetof(struct port_caps, ttl), 1 },
	{ "range", offsetof(struct port_caps, tlb_range), 1 },
	{ "af", offsetof(struct port_caps, hw_af), 1 },
	{ "dbm", offsetof(struct port_caps, hw_dbm), 1 },
	{ "bbm", offsetof(struct port_caps, bbm), 2 },
	{ "vmid", offsetof(struct port_caps, vmid_bits), 16 },
	{ "cpus", offsetof(struct port_caps, cpus), 8 },
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
	if (!number_of(text, &n) || n > f->max)
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
