/* SPDX-License-Identifier: Apache-2.0 */
/* The part of <string.h> that the kernel has: port/arm64/string.c and string.S. */
#ifndef PORT_ARM64_STRING_H
#define PORT_ARM64_STRING_H

#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t n);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *word);
/* Copies what fits and always terminates; the length of @src. */
size_t strlcpy(char *dst, const char *src, size_t size);

/* Freestanding code gets the compiler's inline copies of small constant sizes this way. */
#define memcpy(d, s, n)	 __builtin_memcpy(d, s, n)
#define memmove(d, s, n) __builtin_memmove(d, s, n)
#define memset(d, c, n)	 __builtin_memset(d, c, n)
#define memcmp(a, b, n)	 __builtin_memcmp(a, b, n)

#endif
