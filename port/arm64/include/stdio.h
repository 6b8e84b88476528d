/* SPDX-License-Identifier: Apache-2.0 */
/* The part of <stdio.h> that the kernel has: port/arm64/printf.c. */
#ifndef PORT_ARM64_STDIO_H
#define PORT_ARM64_STDIO_H

#include <stdarg.h>
#include <stddef.h>

/*
 * As C99's, with the conversions d i u x X p s c and %, the flags - 0 + space #, width and
 * precision (also *), and the lengths hh h l ll z t j. No floating point, no n.
 */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
	__attribute__((format(printf, 3, 0)));
int snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
