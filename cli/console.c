/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of the kernel's last messages. */
#include "cli/console.h"

#include <stdio.h>
#include <string.h>

#define LINES_SHOWN 40

void console_add(struct console *console, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\r')
			continue;
		console->kept[console->total % CONSOLE_KEPT_BYTES] = bytes[i];
		console->total++;
	}
}

/* Copies the ring out in order; returns its length. */
static size_t unroll(const struct console *console, char *text)
{
	size_t length = console->total;
	size_t start = 0;

	if (length > CONSOLE_KEPT_BYTES) {
		start = console->total % CONSOLE_KEPT_BYTES;
		length = CONSOLE_KEPT_BYTES;
	}
	memcpy(text, console->kept + start, length - start);
	memcpy(text + length - start, console->kept, start);
	return length;
}

void console_print_end(const struct console *console)
{
	char text[CONSOLE_KEPT_BYTES + 1];
	size_t length = unroll(console, text);
	const char *line;
	unsigned int lines = 0;

	while (length && text[length - 1] == '\n')
		length--;
	text[length] = '\0';
	for (line = text + length; line > text; line--)
		if (line[-1] == '\n' && ++lines == LINES_SHOWN)
			break;
	while (*line) {
		size_t span = strcspn(line, "\n");

		fprintf(stderr, "  | %.*s\n", (int)span, line);
		line += span + (line[span] == '\n');
	}
}
