/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line discipline of a terminal (termios(3)): what typed bytes become before a program reads
 * them, what is echoed, and what output becomes. Only data: the caller guards it, waits and sends.
 */
#ifndef KERNEL_TTY_LINE_H
#define KERNEL_TTY_LINE_H

#include <asm/termbits.h>

#include "engine/types.h"

/* What can wait to be read, as on Linux: lines of up to 4095 bytes and their end. */
#define TTY_QUEUE 4096U

struct tty_line {
	struct termios termios;
	u16 queue[TTY_QUEUE]; /* a byte each, with what ends a line marked */
	u32 head, tail;	      /* entries put in and taken out since the beginning */
	u32 line_start;	      /* canonical mode: what is before it is complete lines */
	bool literal;	      /* the next byte has no special meaning (VLNEXT) */
	bool output_stopped;  /* by VSTOP, until VSTART */
	u32 column;	      /* of the cursor */
	u32 input_column;     /* where the line that is being typed begins */
};

/* Bytes on their way to the terminal; what does not fit is dropped. */
struct tty_text {
	char *bytes;
	size_t size, length;
};

/* Linux's usual settings. */
void tty_line_init(struct tty_line *l);
/* New settings; what waits to be read stays, as a line if lines are wanted from now on. */
void tty_line_set(struct tty_line *l, const struct termios *t);
/* Forgets what waits to be read. */
void tty_line_flush(struct tty_line *l);
/* The bytes that may be received now without loss that Linux would not suffer; 0: none. */
u32 tty_line_room(const struct tty_line *l);
/* A byte from the terminal, and its echo. The signal that it is for the foreground job, or 0. */
int tty_line_receive(struct tty_line *l, u8 byte, struct tty_text *echo);
/* Is there a line, or (not canonical) are there @want bytes? */
bool tty_line_ready(const struct tty_line *l, u32 want);
/* The bytes that can be read, over all lines (FIONREAD). */
u32 tty_line_readable(const struct tty_line *l);
/* Takes up to @n bytes, no more than what is left of one line; *@end: its end was taken. */
u32 tty_line_take(struct tty_line *l, char *dst, u32 n, bool *end);
/* Converts output of a program, as much as fits; how many of the @n bytes were used. */
size_t tty_line_output(struct tty_line *l, const char *src, size_t n, struct tty_text *out);

#endif
