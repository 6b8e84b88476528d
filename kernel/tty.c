/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal: its files, and the kernel thread that receives what is typed.
 *
 * tty.order (sleeping) keeps pieces of output whole and in order, and is held while they are sent;
 * tty.lock (sleeping), taken under it, guards the line discipline and the window.
 */
#include "kernel/tty.h"

#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/termios.h>
#include <linux/fcntl.h>

#include "host/page.h"
#include "kernel/channel.h"
#include "kernel/signal.h"
#include "kernel/time.h"
#include "kernel/tty_line.h"

enum {
	OUTPUT_CHUNK = 2048, /* of a program's output, sent in one piece */
	TEXT_SIZE = 4096,
	RECEIVE_CHUNK = 64,
	TIME_UNIT_MS = 100, /* of VTIME */
};

static struct {
	bool started;
	bool hung_up; /* the launcher's end is gone */
	struct mutex order, lock;
	struct waitq wq; /* woken for all: input, room for it, output that may go on */
	struct tty_line line;
	struct winsize window;
} tty;

bool tty_is_started(void)
{
	return tty.started;
}

/* ---- what is typed */

static void send_text(const struct tty_text *text)
{
	mutex_lock(&tty.order);
	if (text->length)
		(void)channel_send(CATWALK_REC_STDOUT, text->bytes, text->length);
	mutex_unlock(&tty.order);
}

static void receive(const char *bytes, u32 n, char *buf)
{
	struct tty_text echo = { buf, TEXT_SIZE, 0 };

	mutex_lock(&tty.lock);
	for (u32 i = 0; i < n; i++) {
		int sig = tty_line_receive(&tty.line, (u8)bytes[i], &echo);

		if (sig)
			tty_job_signal(sig);
	}
	mutex_unlock(&tty.lock);
	waitq_wake(&tty.wq, WAKE_ALL, POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
	send_text(&echo);
}

static void set_window(struct winsize window)
{
	struct winsize old;

	mutex_lock(&tty.lock);
	old = tty.window;
	tty.window = window;
	mutex_unlock(&tty.lock);
	if (old.ws_row != window.ws_row || old.ws_col != window.ws_col)
		tty_job_signal(SIGWINCH);
}

static struct winsize unpack_window(u32 packed)
{
	return (struct winsize){ .ws_row = (u16)(packed >> 16), .ws_col = (u16)packed };
}

static void hang_up(void)
{
	tty.hung_up = true;
	tty_job_hang_up();
	waitq_wake(&tty.wq, WAKE_ALL, POLLIN | POLLRDNORM | POLLHUP);
}

/* The thread that receives, until the terminal is gone. */
static void tty_main(void *buf)
{
	char bytes[RECEIVE_CHUNK];
	u32 window, room;
	s64 n;

	for (;;) {
		wait_event(&tty.wq, tty_line_room(&tty.line) > 0);
		wait_event(channel_stdin_waitq(), channel_stdin_ready() || channel_has_window());
		if (channel_take_window(&window))
			set_window(unpack_window(window));
		room = tty_line_room(&tty.line);
		n = room ? channel_stdin_read(bytes, min(room, (u32)sizeof(bytes))) : -EAGAIN;
		if (n == 0)
			break;
		if (n > 0)
			receive(bytes, (u32)n, buf);
	}
	hang_up();
}

/* ---- reading */

/* How long a read waits when lines are not wanted (termios(3), VMIN and VTIME). */
struct patience {
	u32 want;	/* bytes that end it */
	u64 time_ns;	/* that it waits for one more byte; 0: for ever */
	bool first_too; /* the time counts for the first byte as well */
	bool at_all;	/* or it takes what is there */
};

static struct patience patience_for(size_t n)
{
	const struct termios *t = &tty.line.termios;
	u32 min_bytes = t->c_cc[VMIN];
	u64 time_ns = t->c_cc[VTIME] * TIME_UNIT_MS * (NS_PER_SEC / 1000);

	if (t->c_lflag & ICANON)
		return (struct patience){ .want = 1, .at_all = true };
	return (struct patience){
		.want = max(1U, (u32)min((u64)min_bytes, (u64)n)),
		.time_ns = time_ns,
		.first_too = !min_bytes,
		.at_all = min_bytes || time_ns,
	};
}

static int wait_ready(u32 want, u64 deadline_ns)
{
	return wait_event_until(&tty.wq, tty.hung_up || tty_line_ready(&tty.line, want),
				SLEEP_INTERRUPTIBLE, deadline_ns);
}

/* Until the wanted bytes are there, or none came for the time given. 0, -EINTR, -ETIMEDOUT. */
static int wait_between_bytes(const struct patience *p)
{
	u32 have;
	int err;

	do {
		have = tty_line_readable(&tty.line);
		if (have >= p->want)
			return 0;
		err = wait_ready(have + 1, time_after(p->time_ns));
	} while (!err && !tty.hung_up);
	return err;
}

/* Waits as the settings say. 0: it is worth looking again; -EINTR; -ETIMEDOUT. */
static int wait_patiently(const struct patience *p)
{
	int err;

	if (!p->time_ns)
		return wait_ready(p->want, SCHED_FOREVER);
	err = wait_ready(1, p->first_too ? time_after(p->time_ns) : SCHED_FOREVER);
	return err ? err : wait_between_bytes(p);
}

/* Takes what there is for one read of up to @n bytes; -EAGAIN: that is no line, or less than @want
 * bytes. */
static s64 take_bytes(char *bytes, u32 n, u32 want)
{
	s64 taken = -EAGAIN;
	bool end;

	mutex_lock(&tty.lock);
	if (tty_line_ready(&tty.line, want))
		taken = tty_line_take(&tty.line, bytes, n, &end);
	mutex_unlock(&tty.lock);
	waitq_wake(&tty.wq, WAKE_ALL, 0);
	return taken;
}

/* The same into the program's buffer, which is touched without a lock: it may have to be waited
 * for. */
static s64 take_input(struct iobuf *to, u32 want)
{
	u32 n = (u32)min(to->left, (size_t)TTY_QUEUE);
	char *bytes = kmalloc(n);
	s64 taken;

	if (!bytes)
		return -ENOMEM;
	taken = take_bytes(bytes, n, want);
	if (taken > 0)
		taken = iobuf_put(to, bytes, (size_t)taken);
	kfree(bytes);
	return taken;
}

/* What a read returns that waited in vain, or was not to wait. */
static s64 take_rest(struct iobuf *to, s64 result_if_none)
{
	s64 n = take_input(to, 1);

	return n == -EAGAIN ? result_if_none : n;
}

static s64 tty_read(struct file *f, struct iobuf *to, u64 *pos)
{
	struct patience p;
	s64 ret;
	int err;

	(void)pos;
	if (!to->left)
		return 0;
	for (;;) {
		err = tty_job_check(SIGTTIN);
		if (err)
			return err;
		p = patience_for(to->left);
		ret = take_input(to, p.want);
		if (ret != -EAGAIN)
			return ret;
		if (tty.hung_up || !p.at_all)
			return take_rest(to, 0);
		if (f->flags & O_NONBLOCK)
			return take_rest(to, -EAGAIN);
		err = wait_patiently(&p);
		if (err)
			return take_rest(to, err == -EINTR ? -ERESTARTSYS : 0);
	}
}

/* ---- writing */

/* Sends a piece of output; bytes used, or an error. */
static s64 write_piece(const char *raw, s64 n, char *cooked)
{
	struct tty_text text = { cooked, TEXT_SIZE, 0 };
	s64 used = 0;
	int err = 0;

	while (!err && used < n) {
		text.length = 0;
		mutex_lock(&tty.lock);
		used += (s64)tty_line_output(&tty.line, raw + used, (size_t)(n - used), &text);
		mutex_unlock(&tty.lock);
		err = channel_send(CATWALK_REC_STDOUT, text.bytes, text.length);
	}
	return err ? err : n;
}

/* The program's buffer is touched first, without a lock: it may have to be waited for. */
static s64 write_in_order(struct iobuf *from, char *raw, char *cooked)
{
	s64 n = iobuf_get(from, raw, OUTPUT_CHUNK);

	if (n <= 0)
		return n;
	if (wait_event_interruptible(&tty.wq, tty.hung_up || !tty.line.output_stopped))
		return -EINTR;
	if (tty.hung_up)
		return -EIO;
	if (mutex_lock_interruptible(&tty.order))
		return -EINTR;
	n = write_piece(raw, n, cooked);
	mutex_unlock(&tty.order);
	return n;
}

static s64 write_all(struct iobuf *from, char *raw, char *cooked)
{
	s64 done = 0, n = 0;

	while (from->left) {
		n = write_in_order(from, raw, cooked);
		if (n <= 0)
			break;
		done += n;
	}
	if (done)
		return done;
	return n == -EINTR ? -ERESTARTSYS : n;
}

static s64 tty_write(struct file *f, struct iobuf *from, u64 *pos)
{
	char *raw, *cooked;
	s64 ret = 0;

	(void)pos;
	if (tty.line.termios.c_lflag & TOSTOP)
		ret = tty_job_check(SIGTTOU);
	if (ret)
		return ret;
	if (f->flags & O_NONBLOCK && tty.line.output_stopped)
		return -EAGAIN;
	raw = kmalloc(OUTPUT_CHUNK);
	cooked = kmalloc(TEXT_SIZE);
	ret = raw && cooked ? write_all(from, raw, cooked) : -ENOMEM;
	kfree(cooked);
	kfree(raw);
	return ret;
}

static u32 tty_poll(struct file *f, struct waitq **wq)
{
	const struct termios *t = &tty.line.termios;
	u32 events = 0, want = t->c_cc[VTIME] || !t->c_cc[VMIN] ? 1 : t->c_cc[VMIN];

	(void)f;
	*wq = &tty.wq;
	if (tty.hung_up)
		return POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM;
	if (tty_line_ready(&tty.line, want))
		events |= POLLIN | POLLRDNORM;
	if (!tty.line.output_stopped)
		events |= POLLOUT | POLLWRNORM;
	return events;
}

/* ---- settings */

static s64 get_termios(u64 arg)
{
	struct termios t;

	mutex_lock(&tty.lock);
	t = tty.line.termios;
	mutex_unlock(&tty.lock);
	return copy_to_user(HVA(arg), &t, sizeof(t)) ? -EFAULT : 0;
}

enum pending_input { KEEP_INPUT, FLUSH_INPUT };

static s64 set_termios(u64 arg, enum pending_input pending)
{
	struct termios t;
	int err = tty_job_check(SIGTTOU);

	if (err)
		return err;
	if (copy_from_user(&t, HVA(arg), sizeof(t)))
		return -EFAULT;
	mutex_lock(&tty.lock);
	if (pending == FLUSH_INPUT)
		tty_line_flush(&tty.line);
	tty_line_set(&tty.line, &t);
	mutex_unlock(&tty.lock);
	waitq_wake(&tty.wq, WAKE_ALL, POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
	return 0;
}

static s64 get_window(u64 arg)
{
	struct winsize window;

	mutex_lock(&tty.lock);
	window = tty.window;
	mutex_unlock(&tty.lock);
	return copy_to_user(HVA(arg), &window, sizeof(window)) ? -EFAULT : 0;
}

static s64 change_window(u64 arg)
{
	struct winsize window;

	if (copy_from_user(&window, HVA(arg), sizeof(window)))
		return -EFAULT;
	set_window(window);
	return 0;
}

/* What is written has left already; only input waits here. */
static s64 flush(u64 queues)
{
	int err = tty_job_check(SIGTTOU);

	if (err || queues > TCIOFLUSH)
		return err ? err : -EINVAL;
	if (queues == TCOFLUSH)
		return 0;
	mutex_lock(&tty.lock);
	tty_line_flush(&tty.line);
	mutex_unlock(&tty.lock);
	waitq_wake(&tty.wq, WAKE_ALL, 0);
	return 0;
}

/* The terminal itself is not told to stop or to start sending: that would be the user's hands. */
static s64 stop_or_start(u64 action)
{
	int err = tty_job_check(SIGTTOU);

	if (err || action > TCOON)
		return err ? err : -EINVAL;
	mutex_lock(&tty.lock);
	tty.line.output_stopped = action == TCOOFF;
	mutex_unlock(&tty.lock);
	waitq_wake(&tty.wq, WAKE_ALL, POLLOUT | POLLWRNORM);
	return 0;
}

static s64 put_int(u64 arg, int value)
{
	return copy_to_user(HVA(arg), &value, sizeof(value)) ? -EFAULT : 0;
}

static s64 tty_ioctl(struct file *f, u32 cmd, u64 arg)
{
	(void)f;
	if (tty.hung_up)
		return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	switch (cmd) {
	case TCGETS: return get_termios(arg);
	case TCSETS:
	case TCSETSW: return set_termios(arg, KEEP_INPUT);
	case TCSETSF: return set_termios(arg, FLUSH_INPUT);
	case TIOCGWINSZ: return get_window(arg);
	case TIOCSWINSZ: return change_window(arg);
	case TCFLSH: return flush(arg);
	case TCXONC: return stop_or_start(arg);
	case TCSBRK: return tty_job_check(SIGTTOU); /* there is no line to hold, nothing to drain */
	case TIOCINQ: return put_int(arg, (int)tty_line_readable(&tty.line));
	case TIOCOUTQ: return put_int(arg, 0);
	default: return tty_job_ioctl(cmd, arg);
	}
}

static const struct file_ops tty_ops = {
	.name = "/dev/console",
	.read = tty_read,
	.write = tty_write,
	.ioctl = tty_ioctl,
	.poll = tty_poll,
};

struct file *tty_open_file(u32 flags)
{
	return file_alloc(&tty_ops, NULL, flags);
}

void tty_start(u32 window, struct process *first)
{
	char *buf = kmalloc(TEXT_SIZE);

	if (!buf)
		panic("no memory for the terminal");
	mutex_init(&tty.order);
	mutex_init(&tty.lock);
	waitq_init(&tty.wq);
	tty_line_init(&tty.line);
	tty.window = unpack_window(window);
	tty.started = true;
	tty_job_start(first);
	kthread_start("tty", tty_main, buf);
}
