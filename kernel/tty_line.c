/* SPDX-License-Identifier: Apache-2.0 */
/* The line discipline: editing, echo, conversion of output. */
#include "kernel/tty_line.h"

#include <asm/signal.h>
#include <linux/posix_types.h>

/* Of queue entries: the byte ends a line, or ends it without being read itself. */
enum { ENTRY_BYTE = 0xff, ENTRY_END = 0x100, ENTRY_EOF = 0x200 };

enum { TAB_WIDTH = 8, DELETE = 0x7f, BELL = 7 };

static const struct termios usual = {
	.c_iflag = ICRNL | IXON,
	.c_oflag = OPOST | ONLCR,
	.c_cflag = B38400 | CS8 | CREAD | HUPCL,
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.c_cc = {
		[VINTR] = 3, [VQUIT] = 28, [VERASE] = DELETE, [VKILL] = 21, [VEOF] = 4, [VMIN] = 1,
		[VSTART] = 17, [VSTOP] = 19, [VSUSP] = 26, [VREPRINT] = 18, [VWERASE] = 23,
		[VLNEXT] = 22,
	},
};

static bool input_flag(const struct tty_line *l, tcflag_t flag)
{
	return l->termios.c_iflag & flag;
}

static bool local_flag(const struct tty_line *l, tcflag_t flag)
{
	return l->termios.c_lflag & flag;
}

/* Is @byte the control character @index? One that is 0 is off. */
static bool is_char(const struct tty_line *l, u8 byte, int index)
{
	return byte && byte == l->termios.c_cc[index];
}

void tty_line_init(struct tty_line *l)
{
	*l = (struct tty_line){ .termios = usual };
}

/* ---- the queue */

static u16 *entry(struct tty_line *l, u32 at)
{
	return &l->queue[at % TTY_QUEUE];
}

static u32 used(const struct tty_line *l)
{
	return l->head - l->tail;
}

static void put_entry(struct tty_line *l, u16 value)
{
	*entry(l, l->head++) = value;
	if (value & (ENTRY_END | ENTRY_EOF))
		l->line_start = l->head;
}

void tty_line_flush(struct tty_line *l)
{
	l->tail = l->head;
	l->line_start = l->head;
	l->literal = false;
}

void tty_line_set(struct tty_line *l, const struct termios *t)
{
	bool turned_on = t->c_lflag & ICANON && !local_flag(l, ICANON);

	l->termios = *t;
	l->literal = false;
	if (turned_on && used(l)) {
		*entry(l, l->head - 1) |= ENTRY_END;
		l->line_start = l->head;
	} else if (turned_on) {
		l->line_start = l->head;
	}
	if (!(t->c_iflag & IXON))
		l->output_stopped = false;
}

u32 tty_line_room(const struct tty_line *l)
{
	/* A line that is too long loses its end, but a reader is waited for. */
	if (local_flag(l, ICANON) && l->line_start == l->tail)
		return TTY_QUEUE;
	return used(l) < TTY_QUEUE ? TTY_QUEUE - 1 - used(l) : 0;
}

bool tty_line_ready(const struct tty_line *l, u32 want)
{
	return local_flag(l, ICANON) ? l->line_start != l->tail : used(l) >= want;
}

u32 tty_line_readable(const struct tty_line *l)
{
	return (local_flag(l, ICANON) ? l->line_start : l->head) - l->tail;
}

/* An end of file right behind the last byte that fits belongs to this read. */
static bool take_eof(struct tty_line *l)
{
	if (l->tail == l->line_start || !(*entry(l, l->tail) & ENTRY_EOF))
		return false;
	l->tail++;
	return true;
}

static u32 take_line(struct tty_line *l, char *dst, u32 n, bool *end)
{
	u32 done = 0;

	while (!*end && done < n && l->tail != l->line_start) {
		u16 e = *entry(l, l->tail++);

		*end = e & (ENTRY_END | ENTRY_EOF);
		if (!(e & ENTRY_EOF))
			dst[done++] = (char)(e & ENTRY_BYTE);
	}
	if (!*end && done)
		*end = take_eof(l);
	return done;
}

u32 tty_line_take(struct tty_line *l, char *dst, u32 n, bool *end)
{
	u32 done = 0;

	*end = false;
	if (local_flag(l, ICANON))
		return take_line(l, dst, n, end);
	while (done < n && l->tail != l->head)
		dst[done++] = (char)(*entry(l, l->tail++) & ENTRY_BYTE);
	return done;
}

/* ---- output */

static void emit(struct tty_text *out, char c)
{
	if (out->length < out->size)
		out->bytes[out->length++] = c;
}

static bool is_control(u8 byte)
{
	return byte < ' ' || byte == DELETE;
}

/* A byte of a UTF-8 character that is not its first. */
static bool is_continuation(const struct tty_line *l, u8 byte)
{
	return input_flag(l, IUTF8) && (byte & 0xc0) == 0x80;
}

static void emit_tab(struct tty_line *l, struct tty_text *out)
{
	u32 width = TAB_WIDTH - l->column % TAB_WIDTH;

	l->column += width;
	if ((l->termios.c_oflag & TABDLY) != XTABS) {
		emit(out, '\t');
		return;
	}
	while (width--)
		emit(out, ' ');
}

static void emit_newline(struct tty_line *l, struct tty_text *out)
{
	if (l->termios.c_oflag & ONLCR)
		emit(out, '\r');
	if (l->termios.c_oflag & (ONLCR | ONLRET))
		l->column = 0;
	emit(out, '\n');
}

static void emit_return(struct tty_line *l, struct tty_text *out)
{
	if (l->termios.c_oflag & ONOCR && l->column == 0)
		return;
	if (l->termios.c_oflag & OCRNL) {
		emit_newline(l, out);
		return;
	}
	l->column = 0;
	emit(out, '\r');
}

static void output_byte(struct tty_line *l, u8 byte, struct tty_text *out)
{
	if (!(l->termios.c_oflag & OPOST)) {
		emit(out, (char)byte);
		return;
	}
	switch (byte) {
	case '\n': emit_newline(l, out); return;
	case '\r': emit_return(l, out); return;
	case '\t': emit_tab(l, out); return;
	case '\b':
		if (l->column)
			l->column--;
		break;
	default:
		if (!is_control(byte) && !is_continuation(l, byte))
			l->column++;
	}
	emit(out, (char)byte);
}

size_t tty_line_output(struct tty_line *l, const char *src, size_t n, struct tty_text *out)
{
	size_t done = 0;

	/* No byte becomes more than a tab's width. */
	while (done < n && out->size - out->length >= TAB_WIDTH)
		output_byte(l, (u8)src[done++], out);
	return done;
}

/* ---- echo */

static void echo_byte(struct tty_line *l, u8 byte, struct tty_text *out)
{
	if (local_flag(l, ECHOCTL) && is_control(byte) && byte != '\t' && byte != '\n') {
		output_byte(l, '^', out);
		output_byte(l, byte ^ 0x40, out);
	} else {
		output_byte(l, byte, out);
	}
}

/* The columns that the echo of @byte took at @column. */
static u32 echo_width(const struct tty_line *l, u8 byte, u32 column)
{
	if (byte == '\t')
		return TAB_WIDTH - column % TAB_WIDTH;
	if (is_control(byte))
		return local_flag(l, ECHOCTL) ? 2 : 0;
	return is_continuation(l, byte) ? 0 : 1;
}

/* The column at which entry @end of the line that is being typed was echoed. */
static u32 column_of(struct tty_line *l, u32 end)
{
	u32 column = l->input_column;

	for (u32 at = l->line_start; at != end; at++)
		column += echo_width(l, *entry(l, at) & ENTRY_BYTE, column);
	return column;
}

static void echo_backwards(struct tty_line *l, u8 byte, struct tty_text *out)
{
	u32 width = echo_width(l, byte, column_of(l, l->head));

	l->column = l->column > width ? l->column - width : 0;
	while (width--) {
		emit(out, '\b');
		if (byte == '\t')
			continue;
		emit(out, ' ');
		emit(out, '\b');
	}
}

/* ---- editing the line that is being typed */

static bool line_is_empty(const struct tty_line *l)
{
	return l->head == l->line_start;
}

/* Takes the last byte back, and from the terminal what its echo showed. */
static u8 take_back(struct tty_line *l, struct tty_text *echo)
{
	u8 byte = *entry(l, --l->head) & ENTRY_BYTE;

	if (local_flag(l, ECHO) && local_flag(l, ECHOE))
		echo_backwards(l, byte, echo);
	return byte;
}

static void erase_char(struct tty_line *l, u8 key, struct tty_text *echo)
{
	if (line_is_empty(l))
		return;
	while (is_continuation(l, take_back(l, echo)) && !line_is_empty(l))
		continue;
	if (local_flag(l, ECHO) && !local_flag(l, ECHOE))
		echo_byte(l, key, echo);
}

static bool is_word(u8 c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' ||
	       c >= 0x80;
}

static void erase_word(struct tty_line *l, struct tty_text *echo)
{
	while (!line_is_empty(l) && !is_word(*entry(l, l->head - 1) & ENTRY_BYTE))
		take_back(l, echo);
	while (!line_is_empty(l) && is_word(*entry(l, l->head - 1) & ENTRY_BYTE))
		take_back(l, echo);
}

static void erase_line(struct tty_line *l, u8 key, struct tty_text *echo)
{
	bool visibly = local_flag(l, ECHOE) && local_flag(l, ECHOK) && local_flag(l, ECHOKE);

	while (visibly && !line_is_empty(l))
		take_back(l, echo);
	l->head = l->line_start;
	if (visibly || !local_flag(l, ECHO))
		return;
	echo_byte(l, key, echo);
	if (local_flag(l, ECHOK))
		output_byte(l, '\n', echo);
}

static void reprint(struct tty_line *l, u8 key, struct tty_text *echo)
{
	echo_byte(l, key, echo);
	output_byte(l, '\n', echo);
	l->input_column = l->column;
	for (u32 at = l->line_start; at != l->head; at++)
		echo_byte(l, *entry(l, at) & ENTRY_BYTE, echo);
}

/* ---- bytes that are for the program */

/* A byte of no special meaning. */
static void insert(struct tty_line *l, u8 byte, struct tty_text *echo)
{
	if (used(l) >= TTY_QUEUE - 1) {
		if (input_flag(l, IMAXBEL))
			emit(echo, BELL);
		return;
	}
	if (line_is_empty(l))
		l->input_column = l->column;
	put_entry(l, byte);
	if (local_flag(l, ECHO))
		echo_byte(l, byte, echo);
}

/* A byte that ends a line; for it there always is a place. */
static void insert_end(struct tty_line *l, u16 end, struct tty_text *echo)
{
	u8 byte = end & ENTRY_BYTE;

	if (used(l) == TTY_QUEUE)
		return;
	if (!(end & ENTRY_EOF) && (local_flag(l, ECHO) || (byte == '\n' && local_flag(l, ECHONL))))
		echo_byte(l, byte, echo);
	put_entry(l, end);
}

/* Keys that edit; false: it is none. */
static bool edit(struct tty_line *l, u8 byte, struct tty_text *echo)
{
	bool extended = local_flag(l, IEXTEN);

	if (is_char(l, byte, VERASE)) {
		erase_char(l, byte, echo);
	} else if (is_char(l, byte, VKILL)) {
		erase_line(l, byte, echo);
	} else if (extended && is_char(l, byte, VWERASE)) {
		erase_word(l, echo);
	} else if (extended && local_flag(l, ECHO) && is_char(l, byte, VREPRINT)) {
		reprint(l, byte, echo);
	} else if (extended && is_char(l, byte, VLNEXT)) {
		l->literal = true;
		if (local_flag(l, ECHO) && local_flag(l, ECHOCTL)) {
			emit(echo, '^');
			emit(echo, '\b');
		}
	} else {
		return false;
	}
	return true;
}

static void receive_canonical(struct tty_line *l, u8 byte, struct tty_text *echo)
{
	if (edit(l, byte, echo))
		return;
	if (is_char(l, byte, VEOF))
		insert_end(l, ENTRY_EOF, echo);
	else if (byte == '\n' || is_char(l, byte, VEOL) ||
		 (local_flag(l, IEXTEN) && is_char(l, byte, VEOL2)))
		insert_end(l, ENTRY_END | byte, echo);
	else
		insert(l, byte, echo);
}

/* ---- bytes that are for nobody, or for the job */

/* The keys of flow control; false: it is none. */
static bool flow(struct tty_line *l, u8 byte)
{
	if (!input_flag(l, IXON))
		return false;
	if (is_char(l, byte, VSTART))
		l->output_stopped = false;
	else if (is_char(l, byte, VSTOP))
		l->output_stopped = true;
	else
		return false;
	return true;
}

static int signal_of(const struct tty_line *l, u8 byte)
{
	if (!local_flag(l, ISIG))
		return 0;
	if (is_char(l, byte, VINTR))
		return SIGINT;
	if (is_char(l, byte, VQUIT))
		return SIGQUIT;
	return is_char(l, byte, VSUSP) ? SIGTSTP : 0;
}

static void signal_key(struct tty_line *l, u8 byte, struct tty_text *echo)
{
	l->output_stopped = false;
	if (!local_flag(l, NOFLSH))
		tty_line_flush(l);
	if (local_flag(l, ECHO))
		echo_byte(l, byte, echo);
}

/* What carriage return and newline become; -1: nothing. */
static int translated(const struct tty_line *l, u8 byte)
{
	if (byte == '\r') {
		if (input_flag(l, IGNCR))
			return -1;
		return input_flag(l, ICRNL) ? '\n' : byte;
	}
	return byte == '\n' && input_flag(l, INLCR) ? '\r' : byte;
}

int tty_line_receive(struct tty_line *l, u8 byte, struct tty_text *echo)
{
	int sig, c;

	if (input_flag(l, ISTRIP))
		byte &= 0x7f;
	if (l->literal) {
		l->literal = false;
		insert(l, byte, echo);
		return 0;
	}
	if (flow(l, byte))
		return 0;
	sig = signal_of(l, byte);
	if (sig) {
		signal_key(l, byte, echo);
		return sig;
	}
	if (input_flag(l, IXANY))
		l->output_stopped = false;
	c = translated(l, byte);
	if (c < 0)
		return 0;
	if (local_flag(l, ICANON))
		receive_canonical(l, (u8)c, echo);
	else
		insert(l, (u8)c, echo);
	return 0;
}
