/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals: handlers with siginfo, masks, alternate stacks, synchronous faults with their codes and
 * addresses, interrupted system calls with and without SA_RESTART, registers preserved, signals to
 * chosen threads.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile sig_atomic_t seen_signal, seen_count, seen_code;
static void *volatile seen_addr;
static sigjmp_buf escape;

static void note(int signal, siginfo_t *info, void *context)
{
	(void)context;
	seen_signal = signal;
	seen_code = info->si_code;
	seen_addr = info->si_addr;
	seen_count++;
}

static void note_and_escape(int signal, siginfo_t *info, void *context)
{
	note(signal, info, context);
	siglongjmp(escape, 1);
}

static void handle(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };

	REQUIRE(sigaction(signal, &action, NULL) == 0);
	seen_signal = seen_count = 0;
}

static void check_raise(void)
{
	handle(SIGUSR1, note, 0);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(seen_signal, SIGUSR1);
	CHECK_EQ(seen_code, SI_TKILL);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(seen_count, 2);
	CHECK_EQ(seen_code, SI_USER);
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	CHECK_EQ(seen_count, 2);
	handle(SIGUSR1, note, SA_RESETHAND);
	raise(SIGUSR1);
	CHECK_EQ(seen_count, 1);
	CHECK(signal(SIGUSR1, SIG_IGN) == SIG_DFL);
}

static void check_mask(void)
{
	sigset_t set, old, pending;

	handle(SIGUSR2, note, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, &old));
	CHECK(!sigismember(&old, SIGUSR2));
	raise(SIGUSR2);
	raise(SIGUSR2);
	CHECK_EQ(seen_count, 0);
	CHECK_OK(sigpending(&pending));
	CHECK(sigismember(&pending, SIGUSR2));
	CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
	CHECK_EQ(seen_count, 1); /* standard signals do not queue */
	CHECK_FAILS(sigprocmask(99, &set, NULL), EINVAL);
}

static void check_realtime_queue(void)
{
	sigset_t set;

	handle(SIGRTMIN, note, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pthread_kill(pthread_self(), SIGRTMIN);
	pthread_kill(pthread_self(), SIGRTMIN);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	CHECK_EQ(seen_count, 2);
}

static void check_suspend(void)
{
	sigset_t set, old;

	handle(SIGUSR1, note, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR1);
	sigdelset(&old, SIGUSR1);
	CHECK_FAILS(sigsuspend(&old), EINTR);
	CHECK_EQ(seen_count, 1);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void check_segv(void)
{
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *volatile hole = (char *)0x123000;

	REQUIRE(page != MAP_FAILED);
	handle(SIGSEGV, note_and_escape, 0);
	if (sigsetjmp(escape, 1) == 0)
		*(volatile char *)(page + 123) = 1;
	CHECK_EQ(seen_signal, SIGSEGV);
	CHECK_EQ(seen_code, SEGV_ACCERR);
	CHECK_EQ(seen_addr, page + 123);
	if (sigsetjmp(escape, 1) == 0)
		(void)*(volatile char *)hole;
	CHECK_EQ(seen_count, 2);
	CHECK_EQ(seen_code, SEGV_MAPERR);
	CHECK_EQ(seen_addr, hole);
	munmap(page, 4096);
	if (sigsetjmp(escape, 1) == 0)
		(void)*(volatile char *)page;
	CHECK_EQ(seen_count, 3);
	CHECK_EQ(seen_code, SEGV_MAPERR);
}

/* A jump into memory without execute permission, and into kernel addresses. */
static void check_segv_exec(void)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(page != MAP_FAILED);
	handle(SIGSEGV, note_and_escape, 0);
	page[0] = 0;
	if (sigsetjmp(escape, 1) == 0)
		((void (*)(void))page)();
	CHECK_EQ(seen_count, 1);
	CHECK_EQ(seen_code, SEGV_ACCERR);
	CHECK_EQ(seen_addr, page);
	if (sigsetjmp(escape, 1) == 0)
		(void)*(volatile char *)0xffff800000000000;
	CHECK_EQ(seen_count, 2);
	CHECK_EQ(seen_signal, SIGSEGV);
	munmap(page, 4096);
}

static void check_ill_and_trap(void)
{
	handle(SIGILL, note_and_escape, 0);
	if (sigsetjmp(escape, 1) == 0)
		__asm__ volatile("udf #0");
	CHECK_EQ(seen_signal, SIGILL);
	CHECK_EQ(seen_code, ILL_ILLOPC);
	handle(SIGTRAP, note_and_escape, 0);
	if (sigsetjmp(escape, 1) == 0)
		__asm__ volatile("brk #1");
	CHECK_EQ(seen_signal, SIGTRAP);
	CHECK_EQ(seen_code, TRAP_BRKPT);
	/* Privileged instructions are undefined at EL0. */
	handle(SIGILL, note_and_escape, 0);
	if (sigsetjmp(escape, 1) == 0)
		__asm__ volatile("msr sctlr_el1, xzr");
	CHECK_EQ(seen_count, 1);
	if (sigsetjmp(escape, 1) == 0)
		__asm__ volatile("hvc #0");
	CHECK_EQ(seen_count, 2);
	if (sigsetjmp(escape, 1) == 0)
		__asm__ volatile("smc #0");
	CHECK_EQ(seen_count, 3);
}

static void skip_instruction(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	note(signal, info, context);
	uc->uc_mcontext.pc += 4;
	uc->uc_mcontext.regs[9] = 0x99;
}

/* The handler's changes of the context take effect, and every other register comes back. */
static void check_context(void)
{
	unsigned long x9 = 0, x10 = 0;
	double d9;

	handle(SIGILL, skip_instruction, 0);
	__asm__ volatile("mov x9, #1\n mov x10, #0x77\n fmov d9, #3.0\n udf #0\n"
			 "mov %0, x9\n mov %1, x10\n fmov %d2, d9\n"
			 : "=r"(x9), "=r"(x10), "=w"(d9)
			 :
			 : "x9", "x10", "d9");
	CHECK_EQ(seen_count, 1);
	CHECK_EQ(x9, 0x99);
	CHECK_EQ(x10, 0x77);
	CHECK(d9 == 3.0);
}

static char alternate[64 * 1024];

static void note_stack(int signal, siginfo_t *info, void *context)
{
	note(signal, info, context);
	seen_addr = __builtin_frame_address(0);
}

static void check_alternate_stack(void)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) }, old;

	CHECK_OK(sigaltstack(&stack, NULL));
	handle(SIGUSR1, note_stack, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK((char *)seen_addr >= alternate && (char *)seen_addr < alternate + sizeof(alternate));
	CHECK_OK(sigaltstack(NULL, &old));
	CHECK_EQ(old.ss_sp, alternate);
	CHECK_EQ(old.ss_flags, 0);
	stack.ss_flags = SS_DISABLE;
	CHECK_OK(sigaltstack(&stack, NULL));
	handle(SIGUSR1, note_stack, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK(!((char *)seen_addr >= alternate &&
		(char *)seen_addr < alternate + sizeof(alternate)));
	stack.ss_flags = 0;
	stack.ss_size = 64;
	CHECK_FAILS(sigaltstack(&stack, NULL), ENOMEM);
}

static void start_alarm(unsigned us)
{
	struct itimerval timer = { .it_value = { .tv_usec = us } };

	REQUIRE(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void check_interrupted_calls(void)
{
	struct timespec second = { .tv_sec = 5 }, rest = { 0 };
	int pipe_fd[2];
	char byte;

	REQUIRE(pipe(pipe_fd) == 0);
	handle(SIGALRM, note, 0);
	start_alarm(50 * 1000);
	CHECK_FAILS(read(pipe_fd[0], &byte, 1), EINTR);
	start_alarm(50 * 1000);
	CHECK_FAILS(nanosleep(&second, &rest), EINTR);
	CHECK(rest.tv_sec == 4 || rest.tv_sec == 3);
	start_alarm(50 * 1000);
	CHECK_FAILS(poll(NULL, 0, 5000), EINTR);
	CHECK_EQ(seen_count, 3);
	/* Never restarted, whatever SA_RESTART says. */
	handle(SIGALRM, note, SA_RESTART);
	start_alarm(50 * 1000);
	CHECK_FAILS(nanosleep(&second, &rest), EINTR);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

static int restart_pipe[2];

static void feed_pipe(int signal, siginfo_t *info, void *context)
{
	note(signal, info, context);
	if (write(restart_pipe[1], "x", 1) != 1)
		_exit(1);
}

static void check_restart(void)
{
	char byte = 0;

	REQUIRE(pipe(restart_pipe) == 0);
	handle(SIGALRM, feed_pipe, SA_RESTART);
	start_alarm(50 * 1000);
	CHECK_EQ(read(restart_pipe[0], &byte, 1), 1);
	CHECK_EQ(byte, 'x');
	CHECK_EQ(seen_count, 1);
	close(restart_pipe[0]);
	close(restart_pipe[1]);
}

/* A computation without system calls is interrupted too. */
static void check_interrupted_loop(void)
{
	handle(SIGALRM, note, 0);
	start_alarm(30 * 1000);
	while (!seen_count)
		;
	CHECK_EQ(seen_signal, SIGALRM);
	CHECK_EQ(seen_code, SI_KERNEL);
}

static volatile pid_t handled_by;

static void note_thread(int signal)
{
	(void)signal;
	handled_by = gettid();
}

static void *wait_for_signal(void *arg)
{
	*(volatile pid_t *)arg = gettid();
	while (!handled_by)
		usleep(1000);
	return NULL;
}

static void check_directed(void)
{
	struct sigaction action = { .sa_handler = note_thread };
	volatile pid_t tid = 0;
	pthread_t thread;

	sigaction(SIGUSR2, &action, NULL);
	REQUIRE(pthread_create(&thread, NULL, wait_for_signal, (void *)&tid) == 0);
	while (!tid)
		usleep(1000);
	CHECK_EQ(pthread_kill(thread, SIGUSR2), 0);
	pthread_join(thread, NULL);
	CHECK_EQ(handled_by, tid);
}

static void check_nested(void)
{
	/* SA_NODEFER: a handler interrupted by its own signal. */
	struct sigaction old;

	handle(SIGUSR1, note, SA_NODEFER);
	CHECK_OK(sigaction(SIGUSR1, NULL, &old));
	CHECK(old.sa_flags & SA_NODEFER);
	CHECK(old.sa_sigaction == note);
	CHECK_FAILS(syscall(SYS_rt_sigaction, SIGKILL, &old, NULL, 8), EINVAL);
	CHECK_FAILS(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4), EINVAL);
	CHECK_FAILS(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8), EINVAL);
	CHECK_FAILS(kill(getpid(), 65), EINVAL);
}

int main(void)
{
	check_raise();
	check_mask();
	check_realtime_queue();
	check_suspend();
	check_segv();
	check_segv_exec();
	check_ill_and_trap();
	check_context();
	check_alternate_stack();
	check_interrupted_calls();
	check_restart();
	check_interrupted_loop();
	check_directed();
	check_nested();
	return check_done("signals");
}
