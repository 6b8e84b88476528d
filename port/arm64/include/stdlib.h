/* SPDX-License-Identifier: Apache-2.0 */
/* The part of <stdlib.h> that the kernel and libfdt use: port/arm64/string.c. */
#ifndef PORT_ARM64_STDLIB_H
#define PORT_ARM64_STDLIB_H

#include <stddef.h>

/* Bases 10 and 16, 0 for either by prefix. No sign, no white space, no errno. */
unsigned long strtoul(const char *s, char **end, int base);

#endif
