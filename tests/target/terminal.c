/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal that a program is started on: settings, reads, signals, job control. Run by
 * tests/cli/shell on a terminal whose other side types what tests/shell/terminal.keys says, each
 * time that a line "READY N" asks for it. The same program passes on Linux.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/uffd_peer.h"

#include "abi/catwalk.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static struct termios usual;
static volatile sig_atomic_t signals_seen, last_signal;

static void on_signal(int sig)
{
	signals_seen++;
	last_signal = sig;
}

static void handle(int sig, int flags)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = flags };

	CHECK_OK(sigaction(sig, &act, NULL));
	signals_seen = 0;
}

/* Has the other side type. */
static void ready(int step)
{
	printf("READY %d.\n", step);
	fflush(stdout);
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void set_raw(int min_bytes, int tenths)
{
	struct termios t = usual;

	t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	t.c_cc[VMIN] = (cc_t)min_bytes;
	t.c_cc[VTIME] = (cc_t)tenths;
	CHECK_OK(tcsetattr(0, TCSANOW, &t));
}

static void set_usual(void)
{
	CHECK_OK(tcsetattr(0, TCSANOW, &usual));
}

static void check_identity(void)
{
	char *volatile nowhere = (char *)8;
	int fd = open("/dev/tty", O_RDWR);

	CHECK(isatty(0) && isatty(1) && isatty(2));
	CHECK(ttyname(0) != NULL);
	CHECK_EQ(tcgetpgrp(0), getpgrp());
	CHECK_EQ(tcgetsid(0), getsid(0));
	CHECK_OK(fd);
	CHECK(isatty(fd));
	close(fd);
	CHECK_EQ(usual.c_lflag & (ICANON | ECHO | ISIG), ICANON | ECHO | ISIG);
	CHECK_EQ(usual.c_cc[VINTR], 3);
	CHECK_FAILS(ioctl(0, 0x1234, 0), ENOTTY);
	CHECK_FAILS(ioctl(0, TCGETS, 8), EFAULT);
	CHECK_FAILS(ioctl(0, TCSETS, 8), EFAULT);
	CHECK_FAILS(ioctl(0, TIOCSPGRP, 8), EFAULT);
	CHECK_EQ(read(0, nowhere, 0), 0);
	CHECK_FAILS(write(1, nowhere, 4), EFAULT);
	CHECK_FAILS(lseek(0, 0, SEEK_CUR), ESPIPE);
}

static void check_reads_of_bytes(void)
{
	struct pollfd p = { .fd = 0, .events = POLLIN };
	char buf[16] = "";
	long start;
	int n;

	set_raw(0, 0);
	CHECK_EQ(read(0, buf, sizeof(buf)), 0);
	set_raw(0, 2);
	start = now_ms();
	CHECK_EQ(read(0, buf, sizeof(buf)), 0);
	CHECK(now_ms() - start >= 190);
	set_raw(3, 0);
	ready(1); /* ab, and a while later c */
	CHECK_EQ(read(0, buf, sizeof(buf)), 3);
	CHECK(!memcmp(buf, "abc", 3));
	set_raw(5, 2);
	ready(2); /* xy */
	CHECK_EQ(read(0, buf, sizeof(buf)), 2);
	CHECK(!memcmp(buf, "xy", 2));
	set_raw(1, 0);
	CHECK_EQ(poll(&p, 1, 0), 0);
	ready(3); /* q */
	CHECK_EQ(poll(&p, 1, 10000), 1);
	CHECK_EQ(p.revents, POLLIN);
	CHECK_OK(ioctl(0, FIONREAD, &n));
	CHECK_EQ(n, 1);
	CHECK_OK(tcflush(0, TCIFLUSH));
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_OK(fcntl(0, F_SETFL, O_RDWR | O_NONBLOCK));
	CHECK_FAILS(read(0, buf, sizeof(buf)), EAGAIN);
	CHECK_OK(fcntl(0, F_SETFL, O_RDWR));
	CHECK_FAILS(tcflush(0, 7), EINVAL);
	set_usual();
}

static void check_reads_of_lines(void)
{
	char buf[16] = "";

	ready(4); /* hallo, erased to hello, and a newline */
	CHECK_EQ(read(0, buf, 3), 3);
	CHECK(!memcmp(buf, "hel", 3));
	CHECK_EQ(read(0, buf, sizeof(buf)), 3);
	CHECK(!memcmp(buf, "lo\n", 3));
	ready(5); /* end of file */
	CHECK_EQ(read(0, buf, sizeof(buf)), 0);
}

/* ---- buffers in memory that a userfaultfd has still to give */

struct transfer {
	char *page;
	ssize_t result;
};

static void *read_into_page(void *arg)
{
	struct transfer *t = arg;

	t->result = read(0, t->page, 16);
	return NULL;
}

static void *write_from_page(void *arg)
{
	struct transfer *t = arg;

	t->result = write(1, t->page, 6);
	return NULL;
}

static int host_is_catwalk(void)
{
	int kvm = open("/dev/kvm", O_RDWR), answer;

	answer = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_CATWALK_CONTRACT);
	close(kvm);
	return answer == 1;
}

/* Who waits for such memory keeps nobody else from the terminal. */
static void check_memory_that_waits(void)
{
	static char given[4096] = "given\n";
	struct transfer t = { .page = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) };
	int fd = uffd_open(O_CLOEXEC, 0);
	struct termios settings;
	pthread_t thread;

	CHECK_OK(uffd_register(fd, t.page, 2 * 4096, MISSING));
	REQUIRE(pthread_create(&thread, NULL, read_into_page, &t) == 0);
	ready(14); /* late */
	EXPECT_FAULT(fd, t.page, UFFD_PAGEFAULT_FLAG_WRITE);
	CHECK_OK(tcgetattr(0, &settings));
	CHECK_EQ(uffd_zero(fd, t.page, 4096, 0), 4096);
	pthread_join(thread, NULL);
	CHECK_EQ(t.result, 5);
	CHECK(!memcmp(t.page, "late\n", 5));
	t.page += 4096;
	if (host_is_catwalk()) { /* on Linux one writer at a time copies */
		REQUIRE(pthread_create(&thread, NULL, write_from_page, &t) == 0);
		EXPECT_FAULT(fd, t.page, 0);
		CHECK_EQ(write(1, "between\n", 8), 8);
		CHECK_EQ(uffd_copy(fd, t.page, given, 4096, 0), 4096);
		pthread_join(thread, NULL);
		CHECK_EQ(t.result, 6);
	}
	close(fd);
}

static void check_signals(void)
{
	char buf[16];

	handle(SIGINT, 0);
	ready(6); /* ^C */
	CHECK_FAILS(read(0, buf, sizeof(buf)), EINTR);
	CHECK_EQ(last_signal, SIGINT);
	CHECK_EQ(signals_seen, 1);
	handle(SIGQUIT, SA_RESTART);
	ready(7); /* ^\ and a line: the read goes on */
	CHECK_EQ(read(0, buf, sizeof(buf)), 3);
	CHECK_EQ(last_signal, SIGQUIT);
	handle(SIGTSTP, 0);
	ready(8); /* ^Z */
	CHECK_FAILS(read(0, buf, sizeof(buf)), EINTR);
	CHECK_EQ(last_signal, SIGTSTP);
	CHECK(signal(SIGINT, SIG_DFL) != SIG_ERR);
	CHECK(signal(SIGTSTP, SIG_DFL) != SIG_ERR);
}

static void check_window(void)
{
	struct winsize size = { 0 };

	CHECK_OK(ioctl(0, TIOCGWINSZ, &size));
	CHECK_EQ(size.ws_row, 24);
	CHECK_EQ(size.ws_col, 80);
	handle(SIGWINCH, 0);
	ready(9); /* the terminal becomes 40 by 100 */
	while (!signals_seen)
		usleep(1000);
	CHECK_OK(ioctl(0, TIOCGWINSZ, &size));
	CHECK_EQ(size.ws_row, 40);
	CHECK_EQ(size.ws_col, 100);
	CHECK_OK(ioctl(0, TIOCSWINSZ, &size)); /* no change, no signal */
	CHECK_EQ(signals_seen, 1);
	size.ws_row = 7;
	CHECK_OK(ioctl(0, TIOCSWINSZ, &size));
	usleep(10000);
	CHECK_EQ(signals_seen, 2);
	CHECK(signal(SIGWINCH, SIG_DFL) != SIG_ERR);
}

/* ---- the background */

enum deed {
	DEED_READ,
	DEED_READ_IGNORING,
	DEED_WRITE,
	DEED_CHANGE,
	DEED_CHANGE_BLOCKING,
	DEED_TAKE_FOREGROUND,
};

static int do_deed(enum deed deed)
{
	sigset_t set;
	char buf[8];

	switch (deed) {
	case DEED_READ: return read(0, buf, sizeof(buf)) == 4 ? 0 : 1;
	case DEED_READ_IGNORING:
		signal(SIGTTIN, SIG_IGN);
		return read(0, buf, sizeof(buf)) == -1 && errno == EIO ? 0 : 1;
	case DEED_WRITE: return write(1, "", 1) == 1 ? 0 : 1;
	case DEED_CHANGE: return tcsetattr(0, TCSANOW, &usual) ? 1 : 0;
	case DEED_CHANGE_BLOCKING:
		sigemptyset(&set);
		sigaddset(&set, SIGTTOU);
		sigprocmask(SIG_BLOCK, &set, NULL);
		return tcsetattr(0, TCSANOW, &usual) ? 1 : 0;
	case DEED_TAKE_FOREGROUND: return tcsetpgrp(0, getpgrp()) ? 1 : 0;
	}
	return 1;
}

static pid_t in_background(enum deed deed)
{
	int go[2];
	pid_t pid;
	char c;

	REQUIRE(pipe(go) == 0);
	pid = fork();
	REQUIRE(pid >= 0);
	if (pid == 0) {
		close(go[1]);
		(void)!read(go[0], &c, 1); /* until the parent has closed it */
		_exit(do_deed(deed));
	}
	CHECK_OK(setpgid(pid, pid));
	close(go[0]);
	close(go[1]);
	return pid;
}

static void expect_stop(pid_t pid, int sig)
{
	int status = 0;

	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), sig);
}

static void expect_end(pid_t pid)
{
	int status = 0;

	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_EQ(status, 0);
}

/* As a shell brings a job to the foreground, and itself afterwards. */
static void to_foreground(pid_t pgid)
{
	CHECK_OK(tcsetpgrp(0, pgid));
	CHECK_EQ(tcgetpgrp(0), pgid);
}

static void check_background(void)
{
	pid_t pid;

	CHECK(signal(SIGTTOU, SIG_IGN) != SIG_ERR);
	pid = in_background(DEED_READ_IGNORING);
	expect_end(pid);
	CHECK(signal(SIGTTOU, SIG_DFL) != SIG_ERR);

	pid = in_background(DEED_READ);
	expect_stop(pid, SIGTTIN);
	to_foreground(pid);
	CHECK_OK(kill(-pid, SIGCONT));
	ready(10); /* job and a newline */
	expect_end(pid);
	CHECK(signal(SIGTTOU, SIG_IGN) != SIG_ERR);
	to_foreground(getpgrp());
	CHECK(signal(SIGTTOU, SIG_DFL) != SIG_ERR);

	expect_end(in_background(DEED_WRITE));
	usual.c_lflag |= TOSTOP;
	set_usual();
	pid = in_background(DEED_WRITE);
	expect_stop(pid, SIGTTOU);
	usual.c_lflag &= ~(tcflag_t)TOSTOP;
	set_usual();
	CHECK_OK(kill(pid, SIGCONT));
	expect_end(pid);

	pid = in_background(DEED_CHANGE);
	expect_stop(pid, SIGTTOU);
	CHECK_OK(kill(pid, SIGKILL));
	waitpid(pid, NULL, 0);
	expect_end(in_background(DEED_CHANGE_BLOCKING));
	pid = in_background(DEED_TAKE_FOREGROUND);
	expect_stop(pid, SIGTTOU);
	CHECK_OK(kill(pid, SIGKILL));
	waitpid(pid, NULL, 0);
}

static void check_keys_are_for_the_foreground(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		for (;;)
			pause();
	CHECK_OK(setpgid(pid, pid));
	handle(SIGINT, 0);
	to_foreground(pid);
	ready(11); /* ^Z */
	expect_stop(pid, SIGTSTP);
	CHECK_OK(kill(-pid, SIGCONT));
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	CHECK(WIFCONTINUED(status));
	ready(12); /* ^C */
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGINT);
	CHECK_EQ(signals_seen, 0);
	CHECK(signal(SIGTTOU, SIG_IGN) != SIG_ERR);
	to_foreground(getpgrp());
}

/* ---- sessions */

static int stranger(void)
{
	pid_t pgid;
	int bad = 0;

	if (setsid() < 0)
		return 1;
	/* The terminal is another session's. */
	if (open("/dev/tty", O_RDWR) != -1 || errno != ENXIO)
		bad |= 2;
	if (ioctl(0, TIOCGPGRP, &pgid) != -1 || errno != ENOTTY)
		bad |= 4;
	if (ioctl(0, TIOCSCTTY, 0) != -1 || errno != EPERM)
		bad |= 8;
	if (ioctl(0, TIOCNOTTY) != -1 || errno != ENOTTY)
		bad |= 16;
	return bad;
}

static int deserter(void)
{
	int bad = ioctl(0, TIOCNOTTY) ? 1 : 0;

	if (open("/dev/tty", O_RDWR) != -1 || errno != ENXIO)
		bad |= 2;
	return bad;
}

static void run_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0)
		_exit(fn());
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 0);
}

static void check_sessions(void)
{
	int fd, other, status;
	pid_t pid;

	run_child(stranger);
	run_child(deserter);
	fd = open("/dev/tty", O_RDWR); /* ours still */
	CHECK_OK(fd);
	close(fd);
	pid = fork();
	if (pid == 0) {
		setsid();
		for (;;)
			pause();
	}
	while (getsid(pid) != pid)
		usleep(1000);
	other = pid;
	CHECK_FAILS(ioctl(0, TIOCSPGRP, &other), EPERM);
	other = 999999;
	CHECK_FAILS(ioctl(0, TIOCSPGRP, &other), ESRCH);
	other = -1;
	CHECK_FAILS(ioctl(0, TIOCSPGRP, &other), EINVAL);
	CHECK_OK(ioctl(0, TIOCSCTTY, 0)); /* it is */
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

/* When the leader of the terminal's session ends, the foreground is told. */
static void check_the_leaders_end(void)
{
	int ends[2], status;
	char seen = 0;
	pid_t pid;

	REQUIRE(pipe(ends) == 0);
	pid = fork();
	if (pid == 0) {
		pid_t job;

		setsid();
		if (ioctl(0, TIOCSCTTY, 1))
			_exit(1);
		job = fork();
		if (job == 0) {
			handle(SIGHUP, 0);
			(void)!write(ends[1], "r", 1);
			pause();
			seen = last_signal == SIGHUP ? 'h' : '?';
			(void)!write(ends[1], &seen, 1);
			_exit(0);
		}
		(void)!read(ends[0], &seen, 1);
		usleep(50000);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	close(ends[1]);
	CHECK_EQ(read(ends[0], &seen, 1), 1);
	CHECK_EQ(seen, 'h');
}

int main(void)
{
	int status;

	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	CHECK_OK(tcgetattr(0, &usual));
	check_identity();
	check_reads_of_bytes();
	check_reads_of_lines();
	check_memory_that_waits();
	check_signals();
	check_window();
	check_background();
	check_keys_are_for_the_foreground();
	check_sessions();
	status = check_done("terminal");
	ready(13);
	/* The terminal may be gone after that: only the status tells. */
	check_the_leaders_end();
	return status || atomic_load(&check_failures) ? 1 : 0;
}
