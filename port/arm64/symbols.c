/* SPDX-License-Identifier: Apache-2.0 */
/* The names of the kernel's functions, from the table that mk/kernel.mk builds (symbols.awk). */
#include "arm64.h"

/* Sorted by offset; the name follows, padded to four bytes. */
struct symbol {
	u32 offset; /* from the start of the text */
	u32 name_size;
	char name[];
};

extern const char _start[], __text_end[], __symbols_start[], __symbols_end[];

const char *symbol_lookup(u64 pc, u64 *start)
{
	const char *found = NULL;
	const char *p = __symbols_start;

	if (pc < (u64)_start || pc >= (u64)__text_end)
		return NULL;
	while (p < __symbols_end) {
		const struct symbol *s = (const struct symbol *)p;

		if ((u64)_start + s->offset > pc)
			break;
		*start = (u64)_start + s->offset;
		found = s->name;
		p += sizeof(*s) + ALIGN_UP(s->name_size, 4);
	}
	return found;
}
