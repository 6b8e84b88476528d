/* SPDX-License-Identifier: Apache-2.0 */
/* One-line error messages. */
#include "cli/error.h"

#include <stdarg.h>
#include <stdio.h>

static void print_line(const char *format, va_list args)
{
	char line[4096];

	vsnprintf(line, sizeof(line), format, args);
	fprintf(stderr, "catwalk: %s\n", line);
}

void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(format, args);
	va_end(args);
}

int bad_input(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(format, args);
	va_end(args);
	return STATUS_BAD_INPUT;
}
