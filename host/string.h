/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of <string.h> and <stdio.h> that host/, kvm/ and kernel/ use, with the C standard's
 * meaning. The C library gives them natively, port/arm64 and kernel/printf.c on the target.
 */
#ifndef HOST_STRING_H
#define HOST_STRING_H

#include <stdarg.h>
#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *p, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t n);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
/* %d %i %u %x %X %o %c %s %p %% with flags - 0 +, width, precision and the lengths h hh l ll z. */
int snprintf(char *restrict buf, size_t size, const char *restrict fmt, ...)
	__attribute__((format(printf, 3, 4)));
int vsnprintf(char *restrict buf, size_t size, const char *restrict fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

#endif
