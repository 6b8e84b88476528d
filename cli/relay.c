/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One poll loop between the user's descriptors and the machine. Nothing here blocks but poll():
 * output waits in buffers and, when those are full, in the machine.
 */
#include "cli/relay.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/console.h"
#include "cli/decoder.h"
#include "cli/error.h"
#include "cli/terminal.h"

#define CHUNK_BYTES 65536

/*
 * POLLOUT promises that a pipe takes this much without blocking; the user's descriptors are shared
 * with others and must not be made non-blocking.
 */
#define PIPE_SAFE_BYTES 4096

/* How long a machine may take to power off, or a killed one's last output to drain. */
#define LAST_WORDS_MS 2000

enum ending {
	ENDING_NONE,	 /* still running */
	ENDING_STATUS,	 /* the program's status came */
	ENDING_TIMEOUT,	 /* --timeout ran out */
	ENDING_SIGNAL,	 /* the launcher was told to stop */
	ENDING_PROTOCOL, /* the machine sent nonsense */
};

/* Bytes on their way to one of the user's descriptors. */
struct output {
	int fd;
	char bytes[2 * CHUNK_BYTES];
	size_t length;
};

/* A record on its way to the machine; one at a time. */
struct request {
	char bytes[sizeof(struct catwalk_record) + CATWALK_RECORD_MAX];
	size_t start;
	size_t length;
};

enum poll_index {
	POLL_SIGNALS,
	POLL_CONSOLE,
	POLL_CHANNEL,
	POLL_STDIN,
	POLL_STDOUT,
	POLL_STDERR,
	POLL_COUNT,
};

struct relay {
	const struct run_options *options;
	struct machine *machine;
	int signal_fd;
	struct relay_files files;
	struct pollfd polls[POLL_COUNT];
	struct decoder decoder;
	struct console console;
	struct output standard_output;
	struct output standard_error;
	struct request request;
	uint32_t stdin_wanted;
	bool window_changed;  /* the machine is to be told the terminal's size */
	bool started;	      /* there is a program that signals are for */
	uint32_t to_signal;   /* signals to pass on, a bit each */
	uint32_t signalled;   /* that were passed on */
	uint32_t wait_status; /* with ENDING_STATUS */
	int signal;	      /* with ENDING_SIGNAL */
	enum ending ending;
	uint64_t deadline_ms; /* 0: none */
	bool channel_open;
	bool console_open;
	bool killed;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Those that the launcher takes: what it passes on, and with a terminal what changes that. */
static void taken_signals(const struct run_options *options, sigset_t *set)
{
	static const int passed[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		sigaddset(set, passed[i]);
	if (!options->terminal)
		return;
	sigaddset(set, SIGWINCH);
	sigaddset(set, SIGCONT);
}

void relay_block_signals(const struct run_options *options)
{
	sigset_t set;

	taken_signals(options, &set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void kill_machine(struct relay *relay)
{
	if (!relay->killed)
		kill(relay->machine->pid, SIGKILL);
	relay->killed = true;
	relay->deadline_ms = now_ms() + LAST_WORDS_MS;
}

/* The first reason to end is the one that counts. */
static void end(struct relay *relay, enum ending ending)
{
	if (relay->ending == ENDING_NONE)
		relay->ending = ending;
}

static void stop_for_signal(struct relay *relay, int signal)
{
	end(relay, ENDING_SIGNAL);
	relay->signal = signal;
	kill_machine(relay);
}

/* --- from the machine ---------------------------------------------------------------------- */

static void add_output(struct output *output, const char *bytes, size_t length)
{
	memcpy(output->bytes + output->length, bytes, length);
	output->length += length;
}

/* A file of the user's, and the option that named it. */
static void write_file(int *fd, const char *text, size_t length, const char *option,
		       const char *name)
{
	while (*fd >= 0 && length) {
		ssize_t written = write(*fd, text, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			complain("%s: '%s': %s", option, name, strerror(errno));
			*fd = -1;
			return;
		}
		text += written;
		length -= (size_t)written;
	}
}

static int handle_record(void *context, uint32_t type, const char *payload, size_t length)
{
	struct relay *relay = context;

	switch (type) {
	case CATWALK_REC_STDOUT: add_output(&relay->standard_output, payload, length); break;
	case CATWALK_REC_STDERR: add_output(&relay->standard_error, payload, length); break;
	case CATWALK_REC_REPORT:
		write_file(&relay->files.report, payload, length, "--report",
			   relay->options->report);
		break;
	case CATWALK_REC_TRACE:
		write_file(&relay->files.trace, payload, length, "--trace", relay->options->trace);
		break;
	case CATWALK_REC_STARTED: relay->started = true; break;
	case CATWALK_REC_STDIN_WANT:
		memcpy(&relay->stdin_wanted, payload, sizeof(relay->stdin_wanted));
		break;
	case CATWALK_REC_EXIT:
		memcpy(&relay->wait_status, payload, sizeof(relay->wait_status));
		end(relay, ENDING_STATUS);
		relay->deadline_ms = now_ms() + LAST_WORDS_MS;
		break;
	}
	return 0;
}

static void read_channel(struct relay *relay)
{
	char bytes[CHUNK_BYTES];
	ssize_t got = read(relay->machine->channel, bytes, sizeof(bytes));

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		relay->channel_open = false;
		return;
	}
	if (decoder_feed(&relay->decoder, bytes, (size_t)got, handle_record, relay)) {
		end(relay, ENDING_PROTOCOL);
		relay->channel_open = false;
		kill_machine(relay);
	}
}

static void read_console(struct relay *relay)
{
	char bytes[4096];
	ssize_t got = read(relay->machine->console, bytes, sizeof(bytes));

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		relay->console_open = false;
		return;
	}
	console_add(&relay->console, bytes, (size_t)got);
	if (relay->options->verbose)
		fwrite(bytes, 1, (size_t)got, stderr);
}

/* --- to the machine ------------------------------------------------------------------------ */

static void queue_record(struct request *request, uint32_t type, size_t length)
{
	struct catwalk_record header = { .type = type, .length = (uint32_t)length };

	memcpy(request->bytes, &header, sizeof(header));
	request->start = 0;
	request->length = sizeof(header) + length;
}

static void read_stdin(struct relay *relay)
{
	struct request *request = &relay->request;
	size_t want = relay->stdin_wanted;
	ssize_t got;

	if (want > CATWALK_RECORD_MAX)
		want = CATWALK_RECORD_MAX;
	got = read(STDIN_FILENO, request->bytes + sizeof(struct catwalk_record), want);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	relay->stdin_wanted = 0;
	if (got <= 0)
		queue_record(request, CATWALK_REC_STDIN_EOF, 0);
	else
		queue_record(request, CATWALK_REC_STDIN, (size_t)got);
}

static void queue_number(struct request *request, uint32_t type, uint32_t number)
{
	memcpy(request->bytes + sizeof(struct catwalk_record), &number, sizeof(number));
	queue_record(request, type, sizeof(number));
}

/* What the machine is to know, once the record before it has left. */
static void tell_machine(struct relay *relay)
{
	struct request *request = &relay->request;

	if (request->length)
		return;
	if (relay->window_changed) {
		relay->window_changed = false;
		queue_number(request, CATWALK_REC_WINDOW, terminal_window());
	} else if (relay->to_signal) {
		uint32_t signal = (uint32_t)__builtin_ctz(relay->to_signal);

		relay->to_signal &= relay->to_signal - 1;
		queue_number(request, CATWALK_REC_SIGNAL, signal);
	}
}

static void write_request(struct relay *relay)
{
	struct request *request = &relay->request;
	ssize_t sent = send(relay->machine->channel, request->bytes + request->start,
			    request->length - request->start, MSG_NOSIGNAL);

	if (sent > 0)
		request->start += (size_t)sent;
	else if (sent < 0 && errno != EAGAIN && errno != EINTR)
		request->start = request->length; /* the machine is gone; reading will tell */
	if (request->start == request->length)
		request->start = request->length = 0;
}

/* --- to the user --------------------------------------------------------------------------- */

static void write_output(struct relay *relay, struct output *output)
{
	size_t length = output->length < PIPE_SAFE_BYTES ? output->length : PIPE_SAFE_BYTES;
	ssize_t written = write(output->fd, output->bytes, length);

	if (written < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (written < 0) {
		/* Nobody reads: what a local program would die of, if SIGPIPE did not end us. */
		output->length = 0;
		stop_for_signal(relay, SIGPIPE);
		return;
	}
	output->length -= (size_t)written;
	memmove(output->bytes, output->bytes + written, output->length);
}

/* --- the loop ------------------------------------------------------------------------------ */

static void watch(struct relay *relay, enum poll_index index, int fd, short events)
{
	relay->polls[index].fd = events ? fd : -1;
	relay->polls[index].events = events;
	relay->polls[index].revents = 0;
}

static short channel_events(const struct relay *relay)
{
	bool room = relay->standard_output.length <= CHUNK_BYTES &&
		    relay->standard_error.length <= CHUNK_BYTES;

	if (!relay->channel_open)
		return 0;
	return (short)((room ? POLLIN : 0) | (relay->request.length ? POLLOUT : 0));
}

static void watch_all(struct relay *relay)
{
	bool ask;

	tell_machine(relay);
	ask = relay->stdin_wanted && !relay->request.length;

	watch(relay, POLL_SIGNALS, relay->signal_fd, POLLIN);
	watch(relay, POLL_CONSOLE, relay->machine->console, relay->console_open ? POLLIN : 0);
	watch(relay, POLL_CHANNEL, relay->machine->channel, channel_events(relay));
	watch(relay, POLL_STDIN, STDIN_FILENO, ask ? POLLIN : 0);
	watch(relay, POLL_STDOUT, STDOUT_FILENO, relay->standard_output.length ? POLLOUT : 0);
	watch(relay, POLL_STDERR, STDERR_FILENO, relay->standard_error.length ? POLLOUT : 0);
}

static int poll_timeout(const struct relay *relay)
{
	uint64_t now = now_ms();

	if (!relay->deadline_ms)
		return -1;
	return relay->deadline_ms > now ? (int)(relay->deadline_ms - now) : 0;
}

/* For the program, as if it ran here; but whoever insists need not wait for it. */
static void pass_signal(struct relay *relay, int signal)
{
	uint32_t bit = 1U << signal;

	if (!relay->started || relay->options->terminal || relay->signalled & bit) {
		stop_for_signal(relay, signal);
		return;
	}
	relay->to_signal |= bit;
	relay->signalled |= bit;
}

static void read_signal(struct relay *relay)
{
	struct signalfd_siginfo info;

	if (read(relay->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGWINCH: relay->window_changed = true; break;
	case SIGCONT: terminal_make_raw(); break;
	default: pass_signal(relay, (int)info.ssi_signo); break;
	}
}

static void serve_all(struct relay *relay)
{
	const struct pollfd *polls = relay->polls;

	if (polls[POLL_SIGNALS].revents)
		read_signal(relay);
	if (polls[POLL_CONSOLE].revents)
		read_console(relay);
	if (polls[POLL_CHANNEL].revents & POLLOUT)
		write_request(relay);
	if (polls[POLL_CHANNEL].revents & (POLLIN | POLLHUP | POLLERR))
		read_channel(relay);
	if (polls[POLL_STDIN].revents)
		read_stdin(relay);
	if (polls[POLL_STDOUT].revents)
		write_output(relay, &relay->standard_output);
	if (polls[POLL_STDERR].revents)
		write_output(relay, &relay->standard_error);
}

static bool finished(const struct relay *relay)
{
	if (relay->channel_open || relay->console_open)
		return false;
	return relay->ending == ENDING_SIGNAL ||
	       (!relay->standard_output.length && !relay->standard_error.length);
}

/* Returns whether the loop goes on. */
static bool deadline_passed(struct relay *relay)
{
	if (relay->killed)
		return false;
	end(relay, ENDING_TIMEOUT);
	kill_machine(relay);
	return true;
}

static void run_loop(struct relay *relay)
{
	while (!finished(relay)) {
		int ready;

		watch_all(relay);
		ready = poll(relay->polls, POLL_COUNT, poll_timeout(relay));
		if (ready > 0)
			serve_all(relay);
		else if (ready == 0 && !deadline_passed(relay))
			return;
		/* All is said and the machine is off: a slow reader has all the time it wants. */
		if (relay->ending == ENDING_STATUS && !relay->console_open)
			relay->deadline_ms = 0;
	}
}

/* --- the end ------------------------------------------------------------------------------- */

static int program_status(const struct relay *relay)
{
	int status = (int)relay->wait_status;

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	complain("%s: killed by signal %d (%s)", relay->options->program, WTERMSIG(status),
		 strsignal(WTERMSIG(status)));
	return STATUS_SIGNAL_BASE + WTERMSIG(status);
}

static int machine_failed(const struct relay *relay)
{
	const struct catwalk_record *header = &relay->decoder.header;

	if (relay->ending == ENDING_PROTOCOL)
		complain("the machine failed: it sent a record of type %u and length %u",
			 header->type, header->length);
	else
		complain("the machine failed: it stopped without the program's status; its last "
			 "messages:");
	if (!relay->options->verbose)
		console_print_end(&relay->console);
	return STATUS_MACHINE_FAILED;
}

static int final_status(const struct relay *relay)
{
	switch (relay->ending) {
	case ENDING_STATUS: return program_status(relay);
	case ENDING_SIGNAL: return STATUS_SIGNAL_BASE + relay->signal;
	case ENDING_TIMEOUT:
		complain("%s: still running after %u s (--timeout); the machine was stopped",
			 relay->options->program, relay->options->timeout_s);
		return STATUS_TIMEOUT;
	default: return machine_failed(relay);
	}
}

static void reap(struct relay *relay)
{
	kill(relay->machine->pid, SIGKILL);
	while (waitpid(relay->machine->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	close(relay->machine->channel);
	close(relay->machine->console);
	close(relay->signal_fd);
}

int relay_machine(const struct run_options *options, struct machine *machine,
		  const struct relay_files *files)
{
	static struct relay relay;
	sigset_t signals;

	taken_signals(options, &signals);
	relay.options = options;
	relay.machine = machine;
	relay.files = *files;
	relay.signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	relay.standard_output.fd = STDOUT_FILENO;
	relay.standard_error.fd = STDERR_FILENO;
	relay.channel_open = true;
	relay.console_open = true;
	if (options->timeout_s)
		relay.deadline_ms = now_ms() + options->timeout_s * 1000ULL;
	if (options->terminal)
		terminal_make_raw();
	run_loop(&relay);
	terminal_restore();
	reap(&relay);
	return final_status(&relay);
}
