/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's messages: kept, and shown only when asked for or when the machine failed. */
#ifndef CLI_CONSOLE_H
#define CLI_CONSOLE_H

#include <stddef.h>

#define CONSOLE_KEPT_BYTES 8192

struct console {
	char kept[CONSOLE_KEPT_BYTES]; /* the last bytes, a ring */
	size_t total;		       /* bytes ever added */
};

/* Adds messages; carriage returns are dropped. */
void console_add(struct console *console, const char *bytes, size_t length);

/* Prints the last lines on standard error, each with a mark that it is the kernel's. */
void console_print_end(const struct console *console);

#endif
