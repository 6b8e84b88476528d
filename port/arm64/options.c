/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's command line: words of the form key=value. */
#include <string.h>

#include "arm64.h"

/* Everything that boot_option() is asked for anywhere (abi/catwalk_run.h says what it means). */
static const char *const known[] = {
	"cpu.fwb", "cpu.dic",	"cpu.idc", "cpu.bbm", "cpu.rangetlbi", "cpu.hafdbs",
	"cpu.pmu", "vmid.bits", "time",	   "test",    "cmo",	       "kvm.costs",
};

struct word {
	const char *start;
	size_t length;
};

/* The word at or after *@at, which moves behind it; length 0: there is none. */
static struct word next_word(const char **at)
{
	struct word w;

	while (**at == ' ')
		(*at)++;
	w.start = *at;
	while (**at && **at != ' ')
		(*at)++;
	w.length = (size_t)(*at - w.start);
	return w;
}

/* The value after "key=" in @w, or NULL. */
static const char *match(struct word w, const char *key)
{
	size_t n = strlen(key);

	if (w.length > n && strncmp(w.start, key, n) == 0 && w.start[n] == '=')
		return w.start + n + 1;
	return NULL;
}

bool boot_option(const char *key, char *value, size_t size)
{
	const char *at = boot_info.cmdline;

	for (struct word w = next_word(&at); w.length; w = next_word(&at)) {
		const char *found = match(w, key);
		size_t n;

		if (!found)
			continue;
		n = (size_t)(w.start + w.length - found);
		if (n >= size)
			return false;
		memcpy(value, found, n);
		value[n] = 0;
		return true;
	}
	return false;
}

static bool is_known(struct word w)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (match(w, known[i]))
			return true;
	}
	return false;
}

void report_unknown_options(void)
{
	const char *at = boot_info.cmdline;

	for (struct word w = next_word(&at); w.length; w = next_word(&at)) {
		if (!is_known(w))
			console_printf("catwalk: the kernel does not know the option %.*s\n",
				       (int)w.length, w.start);
	}
}
