/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams of the first program, over the channel to the launcher: descriptor 0 reads the
 * launcher's standard input, 1 and 2 write its output and error, apart. A stream that is a terminal
 * at the launcher's end answers the terminal's ioctls; where the launcher leaves the terminal to
 * the kernel, those streams are kernel/tty.c's.
 */
#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/termbits.h>
#include <asm/termios.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <string.h>

#include "host/err.h"
#include "host/page.h"
#include "kernel/channel.h"
#include "kernel/console_file.h"
#include "kernel/tty.h"
#include "kernel/vfs.h"

enum { CONSOLE_CHUNK = 4096 };

struct console_stream {
	u32 record; /* CATWALK_REC_STDOUT or CATWALK_REC_STDERR */
	bool terminal;
};

static struct console_stream streams[3] = {
	[0] = { CATWALK_REC_STDOUT, false }, /* a terminal may be written to by any descriptor */
	[1] = { CATWALK_REC_STDOUT, false },
	[2] = { CATWALK_REC_STDERR, false },
};

void console_set_terminals(u32 mask)
{
	for (u32 i = 0; i < ARRAY_SIZE(streams); i++)
		streams[i].terminal = mask & BIT(i);
}

bool console_is_terminal(void)
{
	return streams[0].terminal || streams[1].terminal || streams[2].terminal;
}

/* Input into @chunk, waiting for it unless the file must not. */
static s64 console_take(struct file *f, void *chunk, size_t n)
{
	for (;;) {
		s64 got = channel_stdin_read(chunk, n);

		if (got != -EAGAIN || f->flags & O_NONBLOCK)
			return got;
		if (wait_event_interruptible(channel_stdin_waitq(), channel_stdin_ready()))
			return -ERESTARTSYS;
	}
}

static s64 console_read(struct file *f, struct iobuf *to, u64 *pos)
{
	size_t n = min(to->left, (size_t)CONSOLE_CHUNK);
	void *chunk;
	s64 got;

	(void)pos;
	if (n == 0)
		return 0;
	chunk = kmalloc(n);
	if (!chunk)
		return -ENOMEM;
	got = console_take(f, chunk, n);
	if (got > 0)
		got = iobuf_put(to, chunk, (size_t)got);
	kfree(chunk);
	return got;
}

/* One chunk of output; bytes sent or an error. */
static s64 console_send(struct console_stream *s, struct iobuf *from, char *chunk)
{
	s64 n = iobuf_get(from, chunk, CONSOLE_CHUNK);
	int ret;

	if (n <= 0)
		return n;
	ret = channel_send(s->record, chunk, (size_t)n);
	return ret ? (ret == -EINTR ? -ERESTARTSYS : ret) : n;
}

static s64 console_write(struct file *f, struct iobuf *from, u64 *pos)
{
	char *chunk = kmalloc(CONSOLE_CHUNK);
	s64 done = 0, n = 0;

	(void)pos;
	if (!chunk)
		return -ENOMEM;
	while (from->left) {
		n = console_send(f->priv, from, chunk);
		if (n <= 0)
			break;
		done += n;
	}
	kfree(chunk);
	return done ? done : n;
}

static u32 console_poll(struct file *f, struct waitq **wq)
{
	u32 events = POLLOUT | POLLWRNORM;

	(void)f;
	*wq = channel_stdin_waitq();
	if (channel_stdin_ready())
		events |= POLLIN | POLLRDNORM;
	return events;
}

/* What a terminal in its usual state says; it cannot be changed, the launcher's is what it is. */
static const struct termios usual_termios = {
	.c_iflag = ICRNL | IXON,
	.c_oflag = OPOST | ONLCR,
	.c_cflag = B38400 | CS8 | CREAD,
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.c_cc = { [VINTR] = 3, [VQUIT] = 28, [VERASE] = 127, [VKILL] = 21, [VEOF] = 4, [VMIN] = 1 },
};

/* The launcher does not tell its terminal's size; 0 by 0 is what a serial line says. */
static const struct winsize unknown_size;

static s64 console_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct termios t;

	(void)f;
	switch (cmd) {
	case TCGETS: return copy_to_user(HVA(arg), &usual_termios, sizeof(usual_termios));
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		/* Accepted if it changes nothing. */
		if (copy_from_user(&t, HVA(arg), sizeof(t)))
			return -EFAULT;
		return memcmp(&t, &usual_termios, sizeof(t)) == 0 ? 0 : -EINVAL;
	case TIOCGWINSZ: return copy_to_user(HVA(arg), &unknown_size, sizeof(unknown_size));
	default: return -ENOTTY;
	}
}

/* What is no terminal at the launcher's end looks like a pipe. */
static int stream_stat(struct file *f, struct stat *st)
{
	*st = (struct stat){
		.st_dev = 14,
		.st_ino = 1 + (unsigned long)((struct console_stream *)f->priv - streams),
		.st_mode = S_IFIFO | 0600,
		.st_nlink = 1,
		.st_blksize = PAGE_SIZE,
	};
	return 0;
}

static const struct file_ops stream_ops = {
	.name = "pipe",
	.read = console_read,
	.write = console_write,
	.poll = console_poll,
	.stat = stream_stat,
};

static const struct file_ops terminal_ops = {
	.name = "/dev/console",
	.read = console_read,
	.write = console_write,
	.ioctl = console_ioctl,
	.poll = console_poll,
};

struct file *console_open_device(u32 flags)
{
	if (tty_is_started())
		return tty_open_file(flags);
	return file_alloc(console_is_terminal() ? &terminal_ops : &stream_ops, &streams[0], flags);
}

struct file *console_open(int fd)
{
	struct file *f;

	if (!streams[fd].terminal)
		return file_alloc(&stream_ops, &streams[fd], O_RDWR);
	/* By its name, so that ttyname() finds it; nobody else has the file yet. */
	f = vfs_open_kernel("/dev/console", O_RDWR, 0);
	if (IS_ERR(f))
		return NULL;
	if (tty_is_started())
		return f;
	f->priv = &streams[fd];
	return f;
}
