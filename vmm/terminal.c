/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "vmm/terminal.h"

#include "vmm/error.h"
#include "vmm/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <unistd.h>

enum {
	CTRL_A = 1,
	INPUT_MAX = 256,
	OUTPUT_MAX = 4096,
	FLUSH_NS = 5 * 1000 * 1000,
};

/* ---- output */

static pthread_mutex_t output_lock = PTHREAD_MUTEX_INITIALIZER;
static char output[OUTPUT_MAX];
static size_t output_size;
static bool flush_armed;

/* Under the lock. What cannot be written, for want of a reader, is lost. */
static void flush_output(void)
{
	size_t done = 0;

	while (done < output_size) {
		ssize_t n = write(STDOUT_FILENO, output + done, output_size - done);

		if (n < 0 && errno != EINTR)
			break;
		if (n > 0)
			done += (size_t)n;
	}
	output_size = 0;
}

static void flush_timer_ready(struct watch *watch)
{
	uint64_t expirations;

	pthread_mutex_lock(&output_lock);
	if (read(watch->fd, &expirations, sizeof(expirations)) > 0)
		flush_armed = false;
	flush_output();
	pthread_mutex_unlock(&output_lock);
}

static bool always(struct watch *watch)
{
	(void)watch;
	return true;
}

static struct watch flush_timer = { -1, always, flush_timer_ready };

/* Under the lock: what is left is written a little later. */
static void arm_flush(void)
{
	struct itimerspec soon = { .it_value.tv_nsec = FLUSH_NS };

	if (flush_armed)
		return;
	flush_armed = true;
	timerfd_settime(flush_timer.fd, 0, &soon, NULL);
}

void terminal_write(const void *bytes, size_t count)
{
	const char *from = bytes;
	bool whole_line = count && from[count - 1] == '\n';

	pthread_mutex_lock(&output_lock);
	while (count) {
		size_t n = OUTPUT_MAX - output_size;

		if (n > count)
			n = count;
		memcpy(output + output_size, from, n);
		output_size += n;
		from += n;
		count -= n;
		if (output_size == OUTPUT_MAX)
			flush_output();
	}
	if (whole_line)
		flush_output();
	else if (output_size)
		arm_flush();
	pthread_mutex_unlock(&output_lock);
}

/* ---- input */

static struct terminal_sink *sink;
static atomic_bool input_waits; /* for room */
static bool input_ended, after_ctrl_a, is_terminal, is_raw;

static bool input_wanted(struct watch *watch)
{
	(void)watch;
	if (input_ended)
		return false;
	/* Said before looking, so that room made in between is told. */
	atomic_store(&input_waits, true);
	if (!sink->room(sink))
		return false;
	atomic_store(&input_waits, false);
	return true;
}

void terminal_room(void)
{
	if (atomic_exchange(&input_waits, false))
		loop_wake();
}

/* Takes Ctrl-A sequences out of what a terminal sent; the bytes that remain. */
static size_t take_escapes(unsigned char *bytes, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (!after_ctrl_a && bytes[i] == CTRL_A) {
			after_ctrl_a = true;
			continue;
		}
		if (after_ctrl_a && bytes[i] == 'x')
			vmm_exit(STATUS_OK);
		after_ctrl_a = false;
		bytes[kept++] = bytes[i];
	}
	return kept;
}

static void input_ready(struct watch *watch)
{
	unsigned char bytes[INPUT_MAX];
	size_t room = sink->room(sink);
	ssize_t n = read(watch->fd, bytes, room < sizeof(bytes) ? room : sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		input_ended = true;
		return;
	}
	if (is_terminal)
		n = (ssize_t)take_escapes(bytes, (size_t)n);
	if (n > 0)
		sink->put(sink, bytes, (size_t)n);
}

static struct watch input = { STDIN_FILENO, input_wanted, input_ready };

/* ---- the terminal's mode */

static struct termios original;

static void end(void)
{
	pthread_mutex_lock(&output_lock);
	flush_output();
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &original);
}

/* A terminal that cannot be raw (its mode is kept elsewhere) is used as it is. */
static void make_raw(void)
{
	struct termios raw;

	is_terminal = isatty(STDIN_FILENO);
	if (!is_terminal || tcgetattr(STDIN_FILENO, &original) < 0)
		return;
	raw = original;
	cfmakeraw(&raw);
	raw.c_oflag |= original.c_oflag & (OPOST | ONLCR);
	is_raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

void terminal_start(struct terminal_sink *to)
{
	sink = to;
	flush_timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (flush_timer.fd < 0)
		fail("timerfd: %s", strerror(errno));
	make_raw();
	at_end(end);
	loop_add(&flush_timer);
	loop_add(&input);
}
