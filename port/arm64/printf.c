/* SPDX-License-Identifier: Apache-2.0 */
/* Formatted output into a buffer: the kernel's snprintf(). */
#include <stdio.h>
#include <string.h>

#include "engine/types.h"

/* Where characters go; counts on past the end, as snprintf() returns what would have been written.
 */
struct out {
	char *buf;
	size_t size;
	size_t count;
};

enum {
	FLAG_LEFT = 1 << 0,
	FLAG_ZERO = 1 << 1,
	FLAG_PLUS = 1 << 2,
	FLAG_SPACE = 1 << 3,
	FLAG_PREFIX = 1 << 4,
	FLAG_UPPER = 1 << 5,
};

struct spec {
	unsigned int flags;
	int width;
	int precision; /* -1: none */
	int length;    /* 'H' for hh, 'h', 0, 'l' for all of 64 bits */
};

static void put(struct out *out, char c)
{
	if (out->count < out->size)
		out->buf[out->count] = c;
	out->count++;
}

static void put_repeated(struct out *out, char c, int n)
{
	for (; n > 0; n--)
		put(out, c);
}

static void put_string(struct out *out, const struct spec *spec, const char *s)
{
	size_t n;

	if (!s)
		s = "(null)";
	n = spec->precision >= 0 ? strnlen(s, (size_t)spec->precision) : strlen(s);
	if (!(spec->flags & FLAG_LEFT))
		put_repeated(out, ' ', spec->width - (int)n);
	for (size_t i = 0; i < n; i++)
		put(out, s[i]);
	if (spec->flags & FLAG_LEFT)
		put_repeated(out, ' ', spec->width - (int)n);
}

static void put_character(struct out *out, const struct spec *spec, char c)
{
	if (!(spec->flags & FLAG_LEFT))
		put_repeated(out, ' ', spec->width - 1);
	put(out, c);
	if (spec->flags & FLAG_LEFT)
		put_repeated(out, ' ', spec->width - 1);
}

/* Digits of @value behind @prefix, padded as the flags, width and precision say. */
static void put_number(struct out *out, const struct spec *spec, u64 value, unsigned int base,
		       const char *prefix)
{
	const char *set = spec->flags & FLAG_UPPER ? "0123456789ABCDEF" : "0123456789abcdef";
	char digits[24] = { 0 };
	int n = 0, zeros, pad;

	for (; value; value /= base)
		digits[n++] = set[value % base];
	zeros = max(spec->precision < 0 ? 1 - n : spec->precision - n, 0);
	pad = spec->width - n - zeros - (int)strlen(prefix);
	if ((spec->flags & (FLAG_ZERO | FLAG_LEFT)) == FLAG_ZERO && spec->precision < 0) {
		zeros += max(pad, 0);
		pad = 0;
	}
	if (!(spec->flags & FLAG_LEFT))
		put_repeated(out, ' ', pad);
	while (*prefix)
		put(out, *prefix++);
	put_repeated(out, '0', zeros);
	while (n)
		put(out, digits[--n]);
	if (spec->flags & FLAG_LEFT)
		put_repeated(out, ' ', pad);
}

static void put_signed(struct out *out, const struct spec *spec, s64 value)
{
	const char *prefix = "";

	if (value < 0)
		prefix = "-";
	else if (spec->flags & FLAG_PLUS)
		prefix = "+";
	else if (spec->flags & FLAG_SPACE)
		prefix = " ";
	put_number(out, spec, value < 0 ? -(u64)value : (u64)value, 10, prefix);
}

static s64 narrow_signed(s64 value, int length)
{
	if (length == 'l')
		return value;
	if (length == 'h')
		return (s16)value;
	return length == 'H' ? (s8)value : (s32)value;
}

static u64 narrow_unsigned(u64 value, int length)
{
	if (length == 'l')
		return value;
	if (length == 'h')
		return (u16)value;
	return length == 'H' ? (u8)value : (u32)value;
}

static const char *parse_flags(const char *fmt, struct spec *spec)
{
	static const char names[] = "-0+ #";
	const char *at;

	for (; *fmt && (at = strchr(names, *fmt)) != NULL; fmt++)
		spec->flags |= 1U << (at - names);
	return fmt;
}

static const char *parse_length(const char *fmt, struct spec *spec)
{
	for (;; fmt++) {
		if (*fmt == 'h')
			spec->length = spec->length == 'h' ? 'H' : 'h';
		else if (*fmt == 'l' || *fmt == 'z' || *fmt == 't' || *fmt == 'j')
			spec->length = 'l';
		else
			return fmt;
	}
}

/* A count in digits; 0 if there is none. */
static const char *parse_count(const char *fmt, int *count)
{
	for (*count = 0; *fmt >= '0' && *fmt <= '9'; fmt++)
		*count = *count * 10 + (*fmt - '0');
	return fmt;
}

/* 32-bit arguments occupy a 64-bit slot each (AAPCS64); the upper half is cut off by narrowing. */
static u64 next_integer(va_list *args, const struct spec *spec)
{
	return spec->length == 'l' ? va_arg(*args, u64) : va_arg(*args, u32);
}

static void convert(struct out *out, struct spec *spec, char conversion, va_list *args)
{
	switch (conversion) {
	case 'd':
	case 'i':
		put_signed(out, spec, narrow_signed((s64)next_integer(args, spec), spec->length));
		return;
	case 'u':
		put_number(out, spec, narrow_unsigned(next_integer(args, spec), spec->length), 10,
			   "");
		return;
	case 'X':
		spec->flags |= FLAG_UPPER;
		/* fall through */
	case 'x':
		put_number(out, spec, narrow_unsigned(next_integer(args, spec), spec->length), 16,
			   spec->flags & FLAG_PREFIX ? "0x" : "");
		return;
	case 'p': put_number(out, spec, (u64)va_arg(*args, void *), 16, "0x"); return;
	case 's': put_string(out, spec, va_arg(*args, const char *)); return;
	case 'c': put_character(out, spec, (char)va_arg(*args, int)); return;
	default: put(out, conversion); return;
	}
}

static const char *parse_spec(const char *fmt, struct spec *spec, va_list *args)
{
	fmt = parse_flags(fmt, spec);
	if (*fmt == '*') {
		spec->width = va_arg(*args, int);
		fmt++;
	} else {
		fmt = parse_count(fmt, &spec->width);
	}
	if (*fmt == '.') {
		fmt++;
		if (*fmt == '*') {
			spec->precision = va_arg(*args, int);
			fmt++;
		} else {
			fmt = parse_count(fmt, &spec->precision);
		}
	}
	return parse_length(fmt, spec);
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	struct out out = { .buf = buf, .size = size };
	va_list rest;

	va_copy(rest, args);
	while (*fmt) {
		struct spec spec = { .precision = -1 };

		if (*fmt != '%') {
			put(&out, *fmt++);
			continue;
		}
		fmt = parse_spec(fmt + 1, &spec, &rest);
		if (!*fmt)
			break;
		convert(&out, &spec, *fmt++, &rest);
	}
	va_end(rest);
	if (size)
		buf[min(out.count, size - 1)] = 0;
	return (int)out.count;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(buf, size, fmt, args);
	va_end(args);
	return n;
}
