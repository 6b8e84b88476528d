/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal's line discipline: what keys do to the line, the echo, the signals and the output.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/tty_line.h"

/* Signals by Linux's numbers on arm64. */
enum { SIGNAL_INT = 2, SIGNAL_QUIT = 3, SIGNAL_TSTP = 20 };

static struct tty_line line;
static char echo_buffer[16384];
static struct tty_text echo;
static int last_signal;

static int fresh(void **state)
{
	(void)state;
	tty_line_init(&line);
	echo = (struct tty_text){ echo_buffer, sizeof(echo_buffer), 0 };
	last_signal = 0;
	return 0;
}

static void type(const char *keys)
{
	echo.length = 0;
	for (; *keys; keys++) {
		int sig = tty_line_receive(&line, (u8)*keys, &echo);

		if (sig)
			last_signal = sig;
	}
}

static void assert_echo(const char *text)
{
	assert_int_equal(echo.length, strlen(text));
	assert_memory_equal(echo.bytes, text, echo.length);
}

/* One read of up to @n bytes gives @text, and whether that was the end of a line. */
static void assert_read(u32 n, const char *text, bool ends)
{
	char buf[64];
	bool end;

	assert_int_equal(tty_line_take(&line, buf, n, &end), strlen(text));
	assert_memory_equal(buf, text, strlen(text));
	assert_int_equal(end, ends);
}

static void set_flags(tcflag_t *flags, tcflag_t clear, tcflag_t set)
{
	struct termios t = line.termios;
	size_t offset = (size_t)((char *)flags - (char *)&line.termios);
	tcflag_t *flag = (tcflag_t *)(void *)((char *)&t + offset);

	*flag = (*flag & ~clear) | set;
	tty_line_set(&line, &t);
}

static void set_local(tcflag_t clear, tcflag_t set)
{
	set_flags(&line.termios.c_lflag, clear, set);
}

static void set_input(tcflag_t clear, tcflag_t set)
{
	set_flags(&line.termios.c_iflag, clear, set);
}

static void set_output(tcflag_t clear, tcflag_t set)
{
	set_flags(&line.termios.c_oflag, clear, set);
}

static void a_line_is_read_when_it_is_whole(void **state)
{
	(void)state;
	type("abc");
	assert_echo("abc");
	assert_false(tty_line_ready(&line, 1));
	assert_int_equal(tty_line_readable(&line), 0);
	type("\r");
	assert_echo("\r\n");
	assert_true(tty_line_ready(&line, 1));
	assert_int_equal(tty_line_readable(&line), 4);
	type("next\n");
	assert_read(2, "ab", false);
	assert_read(60, "c\n", true);
	assert_read(60, "next\n", true);
	assert_false(tty_line_ready(&line, 1));
}

static void keys_edit_the_line(void **state)
{
	(void)state;
	type("abd\x7f");
	assert_echo("abd\b \b");
	type("c\n");
	assert_read(60, "abc\n", true);
	type("\x7f\x7f"); /* nothing is there */
	assert_echo("");
	type("one two_2  \x17");
	assert_echo("one two_2  \b \b\b \b\b \b\b \b\b \b\b \b\b \b");
	type("x\n");
	assert_read(60, "one x\n", true);
	type("ab\x15");
	assert_echo("ab\b \b\b \b");
	type("c\n");
	assert_read(60, "c\n", true);
	type("ab\x12");
	assert_echo("ab^R\r\nab");
	type("\x16\x03\n"); /* the next key has no meaning: no signal */
	assert_int_equal(last_signal, 0);
	assert_echo("^\b^C\r\n");
	assert_read(60, "ab\x03\n", true);
}

static void an_erased_key_leaves_no_trace(void **state)
{
	(void)state;
	type("a\tb\x01");
	assert_echo("a\tb^A");
	type("\x7f"); /* two columns */
	assert_echo("\b \b\b \b");
	type("\x7f\x7f"); /* b, and a tab from column 1 to 8 */
	assert_echo("\b \b\b\b\b\b\b\b\b");
	type("\x15");
	set_input(0, IUTF8);
	type("\xc3\xa4\xe2\x82\xac\x7f"); /* one column, three bytes */
	assert_echo("\xc3\xa4\xe2\x82\xac\b \b");
	type("\n");
	assert_read(60, "\xc3\xa4\n", true);
	/* Behind a prompt a tab is as wide as the terminal shows it. */
	set_input(IUTF8, 0);
	echo.length = 0;
	assert_int_equal(tty_line_output(&line, "12345", 5, &echo), 5);
	type("\t\x7f");
	assert_echo("\t\b\b\b");
}

static void without_echoe_keys_are_shown(void **state)
{
	(void)state;
	set_local(ECHOE | ECHOKE, 0);
	type("ab\x7f");
	assert_echo("ab^?");
	type("\x15");
	assert_echo("^U\r\n");
	type("\n");
	assert_read(60, "\n", true);
	set_local(ECHO, 0);
	type("ab\x7f\x15q\n");
	assert_echo("");
	assert_read(60, "q\n", true);
	set_local(0, ECHONL);
	type("q\n");
	assert_echo("\r\n");
}

static void the_end_of_file_ends_a_line_unseen(void **state)
{
	(void)state;
	type("ab\x04");
	assert_echo("ab");
	assert_read(60, "ab", true);
	type("\x04");
	assert_true(tty_line_ready(&line, 1));
	assert_read(60, "", true);
	type("ab\x04"); /* a read that takes all there is takes the end as well */
	assert_read(2, "ab", true);
	assert_false(tty_line_ready(&line, 1));
	/* Other ends of lines are bytes. */
	line.termios.c_cc[VEOL] = ';';
	type("a;b\x04");
	assert_read(60, "a;", true);
	assert_read(60, "b", true);
}

static void keys_are_signals_for_the_job(void **state)
{
	(void)state;
	type("abc\x03");
	assert_int_equal(last_signal, SIGNAL_INT);
	assert_echo("abc^C");
	type("x\n"); /* what was typed before is gone */
	assert_read(60, "x\n", true);
	type("\x1a");
	assert_int_equal(last_signal, SIGNAL_TSTP);
	type("\x1c");
	assert_int_equal(last_signal, SIGNAL_QUIT);
	last_signal = 0;
	set_local(0, NOFLSH);
	type("ab\x03\n");
	assert_int_equal(last_signal, SIGNAL_INT);
	assert_read(60, "ab\n", true);
	last_signal = 0;
	set_local(ISIG, 0);
	type("\x03\n");
	assert_int_equal(last_signal, 0);
	assert_read(60, "\x03\n", true);
	/* A character that is 0 is no key, and the byte 0 is none. */
	set_local(0, ISIG);
	line.termios.c_cc[VINTR] = 0;
	assert_int_equal(tty_line_receive(&line, 0, &echo), 0);
	assert_int_equal(tty_line_receive(&line, 3, &echo), 0);
}

static void flow_control_stops_and_starts(void **state)
{
	(void)state;
	type("\x13");
	assert_true(line.output_stopped);
	type("a");
	assert_true(line.output_stopped);
	type("\x11");
	assert_false(line.output_stopped);
	type("\x13\x03"); /* who is to end must be able to say so */
	assert_false(line.output_stopped);
	set_input(0, IXANY);
	type("\x13z");
	assert_false(line.output_stopped);
	type("\x13");
	set_input(IXON, 0);
	assert_false(line.output_stopped);
	type("\x15\x13\n");
	assert_read(60, "\x13\n", true);
}

static void returns_and_newlines_are_translated(void **state)
{
	(void)state;
	set_input(ICRNL, 0);
	type("a\rb\n");
	assert_read(60, "a\rb\n", true);
	set_input(0, IGNCR);
	type("a\rb\n");
	assert_read(60, "ab\n", true);
	set_input(IGNCR, ISTRIP);
	type("\xe1\n");
	assert_read(60, "a\n", true);
	set_local(ICANON, 0);
	set_input(ISTRIP, INLCR);
	type("\n");
	assert_read(60, "\r", false);
}

static void without_lines_every_byte_counts(void **state)
{
	(void)state;
	type("ab");
	set_local(ICANON, 0);
	assert_true(tty_line_ready(&line, 2));
	assert_false(tty_line_ready(&line, 3));
	type("\x7f\x04");
	assert_int_equal(tty_line_readable(&line), 4);
	assert_read(3, "ab\x7f", false);
	/* What is left becomes a line when lines are wanted again. */
	type("xy");
	set_local(0, ICANON);
	assert_true(tty_line_ready(&line, 1));
	assert_read(60, "\x04xy", true);
	type("z\x7f\n");
	assert_read(60, "\n", true);
}

static void a_line_that_is_too_long_loses_its_end(void **state)
{
	static char longest[2 * TTY_QUEUE];
	u32 got = 0;
	bool end;

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	set_input(0, IMAXBEL);
	type(longest);
	assert_int_equal(echo.bytes[echo.length - 1], 7);
	assert_int_equal(tty_line_room(&line), TTY_QUEUE);
	type("\n");
	assert_int_equal(tty_line_room(&line), 0); /* a reader is waited for from here on */
	type("\n");
	do
		got += tty_line_take(&line, longest, 1000, &end);
	while (!end);
	assert_int_equal(got, TTY_QUEUE);
	assert_int_equal(longest[got % 1000 - 1], '\n');
	assert_int_equal(tty_line_readable(&line), 0);
	set_local(ICANON | ECHO, 0);
	memset(longest, 'x', sizeof(longest) - 1);
	type(longest);
	assert_int_equal(tty_line_readable(&line), TTY_QUEUE - 1);
	assert_int_equal(tty_line_room(&line), 0);
}

static void output_is_converted(void **state)
{
	char small[12];
	struct tty_text out = { small, sizeof(small), 0 };

	(void)state;
	assert_int_equal(tty_line_output(&line, "a\nb\tc", 5, &echo), 5);
	assert_echo("a\r\nb\tc");
	assert_int_equal(line.column, 9);
	set_output(0, XTABS);
	echo.length = 0;
	assert_int_equal(tty_line_output(&line, "\r12\tx", 5, &echo), 5);
	assert_echo("\r12      x");
	set_output(XTABS, OCRNL | ONOCR);
	echo.length = 0;
	assert_int_equal(tty_line_output(&line, "\ra\r\r", 4, &echo), 4);
	assert_echo("\r\na\r\n");
	set_output(OPOST, 0);
	echo.length = 0;
	assert_int_equal(tty_line_output(&line, "\n\t", 2, &echo), 2);
	assert_echo("\n\t");
	/* No more than surely fits. */
	assert_int_equal(tty_line_output(&line, "0123456789", 10, &out), 5);
}

static void anything_may_be_typed(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 200; round++) {
		struct termios t = line.termios;
		char buf[100];
		bool end;

		t.c_lflag = (tcflag_t)rand();
		t.c_iflag = (tcflag_t)rand();
		t.c_oflag = (tcflag_t)rand();
		tty_line_set(&line, &t);
		for (int i = 0; i < 3000; i++) {
			echo.length = 0;
			if (tty_line_room(&line))
				(void)tty_line_receive(&line, (u8)rand(), &echo);
			assert_true(echo.length <= echo.size);
			assert_true(tty_line_readable(&line) <= TTY_QUEUE);
			if (rand() % 64 == 0)
				(void)tty_line_take(&line, buf, (u32)rand() % sizeof(buf), &end);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_line_is_read_when_it_is_whole),
		TEST(keys_edit_the_line),
		TEST(an_erased_key_leaves_no_trace),
		TEST(without_echoe_keys_are_shown),
		TEST(the_end_of_file_ends_a_line_unseen),
		TEST(keys_are_signals_for_the_job),
		TEST(flow_control_stops_and_starts),
		TEST(returns_and_newlines_are_translated),
		TEST(without_lines_every_byte_counts),
		TEST(a_line_that_is_too_long_loses_its_end),
		TEST(output_is_converted),
		TEST(anything_may_be_typed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
