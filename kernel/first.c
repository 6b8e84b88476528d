/* SPDX-License-Identifier: Apache-2.0 */
/* The first program: read from the run file that `catwalk run` packed, started, seen to its end. */
#include "kernel/first.h"

#include <linux/fcntl.h>

#include "abi/catwalk_run.h"
#include "host/mm.h"
#include "host/string.h"
#include "kernel/channel.h"
#include "kernel/console_file.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "kernel/tty.h"
#include "kernel/vfs.h"

#define REPORT_MAX 65536UL
/* Where CATWALK_RUN_PATH lies. */
#define RUN_DIRECTORY "/.catwalk"

/* What a shell says when a command cannot be executed. */
enum { EXIT_CANNOT_EXECUTE = 126 };

/* The run file, taken apart. Its strings point into @file. */
struct run {
	char *file;
	u32 flags;
	u32 window;
	const char *path;
	const char *cwd;
	const char **strings; /* args, then env */
	u32 argc;
	u32 envc;
};

static struct run run;
static struct process *first;
static const struct last_words *last_words; /* NULL: there is no /dev/kvm */

struct process *first_process(void)
{
	return first;
}

void process_set_last_words(const struct last_words *words)
{
	last_words = words;
}

/* ---- the end */

static void send_trace(char *buf)
{
	u64 at = 0;
	size_t n;

	while ((n = last_words->trace(buf, REPORT_MAX, &at)) > 0)
		(void)channel_send(CATWALK_REC_TRACE, buf, n);
}

static void send_last_words(void)
{
	char *buf = last_words ? kmalloc(REPORT_MAX) : NULL;

	if (!buf)
		return;
	if (run.flags & CATWALK_RUN_REPORT)
		(void)channel_send(CATWALK_REC_REPORT, buf, last_words->report(buf, REPORT_MAX));
	if (run.flags & CATWALK_RUN_TRACE)
		send_trace(buf);
	kfree(buf);
}

/* Nobody sees the console: the machine ends with this process. */
static void say_out_of_memory(void)
{
	static const char line[] = "catwalk: memory is out, and the first program was the "
				   "largest (--memory)\n";

	(void)channel_send(CATWALK_REC_STDERR, line, sizeof(line) - 1);
}

void first_ended(s32 status)
{
	if (first->out_of_memory)
		say_out_of_memory();
	send_last_words();
	channel_exit((u32)status);
}

/* Says why nothing runs, as a shell would, and ends the machine. */
static void __noreturn fail(const char *name, const char *why)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "catwalk: %s: %s\n", name, why);

	(void)channel_send(CATWALK_REC_STDERR, line, min((size_t)n, sizeof(line) - 1));
	channel_exit(EXIT_CANNOT_EXECUTE << 8);
}

/* ---- signals that the launcher was sent */

/* Nobody in the machine sent them: they come as the kernel's. */
static void pass_signals(void *arg)
{
	(void)arg;
	for (;;) {
		u32 signals = channel_wait_signals();

		for (int sig = 1; sig < 32; sig++) {
			const siginfo_t info = { .si_signo = sig, .si_code = SI_KERNEL };

			if (signals & 1U << sig)
				(void)signal_send_process(first, sig, &info);
		}
	}
}

/* ---- the run file */

/* The contents with a NUL behind them, or NULL. */
static char *read_whole(const char *path, size_t *size)
{
	struct file *f = vfs_open_kernel(path, O_RDONLY, 0);
	char *buf = NULL;
	s64 n;

	if (IS_ERR(f))
		return NULL;
	n = vfs_file_size(f);
	if (n > 0)
		buf = kmalloc((size_t)n + 1);
	if (buf && vfs_read_kernel(f, buf, (size_t)n, 0) == n) {
		buf[n] = '\0';
		*size = (size_t)n;
	} else {
		kfree(buf);
		buf = NULL;
	}
	file_put(f);
	return buf;
}

static bool header_is_good(const struct catwalk_run_header *h, size_t size)
{
	return size >= sizeof(*h) && h->magic == CATWALK_RUN_MAGIC &&
	       h->version == CATWALK_RUN_VERSION && h->argc >= 1 &&
	       h->argc <= CATWALK_RUN_STRINGS_MAX && h->envc <= CATWALK_RUN_STRINGS_MAX &&
	       h->string_bytes <= CATWALK_RUN_STRING_BYTES_MAX &&
	       h->string_bytes == size - sizeof(*h) &&
	       !(h->flags & ~(CATWALK_RUN_REPORT | CATWALK_RUN_TERMINAL | CATWALK_RUN_TRACE)) &&
	       (!h->window || h->flags & CATWALK_RUN_TERMINAL);
}

/* Splits the strings behind the header: path, directory, arguments, environment, nothing else. */
static bool take_strings(struct run *r, const char *s, const char *end)
{
	u32 count = r->argc + r->envc;
	const char **next[2] = { &r->path, &r->cwd };

	for (u32 i = 0; i < count + 2; i++) {
		size_t n = strnlen(s, (size_t)(end - s));

		if (s + n >= end)
			return false;
		if (i < 2)
			*next[i] = s;
		else
			r->strings[i - 2] = s;
		s += n + 1;
	}
	return s == end;
}

static void read_run_file(struct run *r)
{
	const struct catwalk_run_header *h;
	size_t size = 0;

	r->file = read_whole(CATWALK_RUN_PATH, &size);
	if (!r->file)
		fail(CATWALK_RUN_PATH, "cannot be read from the initramfs");
	/* The program does not see it. */
	(void)vfs_remove_kernel(CATWALK_RUN_PATH);
	(void)vfs_remove_kernel(RUN_DIRECTORY);
	h = (const struct catwalk_run_header *)r->file;
	if (!header_is_good(h, size))
		fail(CATWALK_RUN_PATH, "has a header that this kernel does not know");
	r->argc = h->argc;
	r->envc = h->envc;
	r->flags = h->flags;
	r->window = h->window;
	r->strings = kmalloc((r->argc + r->envc) * sizeof(*r->strings));
	if (!r->strings)
		fail(CATWALK_RUN_PATH, "out of memory");
	if (!take_strings(r, r->file + sizeof(*h), r->file + size))
		fail(CATWALK_RUN_PATH, "has strings that do not match its header");
	console_set_terminals(h->terminals);
}

/* ---- the start */

static void open_streams(struct fdtable *files)
{
	for (int fd = 0; fd < 3; fd++) {
		struct file *f = console_open(fd);

		if (!f || fd_install(files, f, fd, 0) != fd)
			panic("no memory for the first program's streams");
	}
}

static const char *why_not(int err)
{
	switch (err) {
	case -ENOENT: return "no such file in the initramfs";
	case -EACCES: return "not an executable file";
	case -ENOEXEC: return "not a static 64-bit Arm executable";
	case -ENOMEM: return "does not fit into memory";
	default: return "cannot be loaded";
	}
}

/* The first thread: becomes the program. */
static void first_main(void *arg)
{
	struct thread *t = arg;
	struct exec_request req = {
		.path = run.path,
		.args = { run.strings, run.argc },
		.env = { run.strings + run.argc, run.envc },
	};
	int err;

	sched_begin_thread();
	if (fs_context_chdir(t->process->fs, run.cwd) != 0)
		fail(run.cwd, "no such directory in the initramfs");
	req.file = vfs_open_exec(AT_FDCWD, run.path, 0);
	if (IS_ERR(req.file))
		fail(run.path, why_not((int)PTR_ERR(req.file)));
	err = exec_load(&req, thread_regs(t));
	if (err)
		fail(run.path, why_not(err));
	file_put(req.file);
	kfree(run.file);
	kfree(run.strings);
	port_enter_user(thread_regs(t));
}

void process_start_first(void)
{
	struct thread *t;

	read_run_file(&run);
	if (last_words && run.flags & CATWALK_RUN_REPORT)
		last_words->want_report();
	first = process_alloc();
	t = first ? thread_alloc(first, "first") : NULL;
	if (!t)
		panic("no memory for the first program");
	first->pid = t->task.tid;
	first->files = fdtable_new();
	first->fs = fs_context_new();
	if (!first->files || !first->fs)
		panic("no memory for the first program");
	fd_limit_set(first->files, (unsigned int)process_limit(first, RLIMIT_NOFILE));
	process_enter_tree(first, NULL);
	if (run.flags & CATWALK_RUN_TERMINAL)
		tty_start(run.window, first);
	open_streams(first->files);
	t->task.files = first->files;
	thread_prepare_user(t, first_main);
	if (thread_join_process(t) != 0)
		panic("the first process ends before it begins");
	sched_start(t);
	(void)kthread_start("signals", pass_signals, NULL);
	(void)channel_send(CATWALK_REC_STARTED, "", 0);
}
