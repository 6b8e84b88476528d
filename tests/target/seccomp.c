/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp(2): what filters are taken, what their answers do, and who has them: threads, children,
 * programs that are executed.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The C library calls it otherwise, or not at all. */
#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

#define LOAD(member)  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define RET(answer)   BPF_STMT(BPF_RET | BPF_K, answer)
#define IF(number, y) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, y)
#define ALLOW	      RET(SECCOMP_RET_ALLOW)

static long set(unsigned flags, const struct sock_filter *insns, unsigned short count)
{
	struct sock_fprog prog = { count, (struct sock_filter *)(uintptr_t)insns };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

/* A filter with one answer for one call, and none for all others. */
static long answer(int number, unsigned what)
{
	struct sock_filter f[] = { LOAD(nr), IF((unsigned)number, 1), RET(what), ALLOW };

	return set(0, f, 4);
}

/* Runs @fn in a child, which is the one that gets the filters; as waitpid tells. */
static int in_child(int (*fn)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		_exit(fn());
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	return status;
}

#define EXITED(code) ((code) << 8)
/* In children: the line that went wrong is the exit status. */
#define WANT(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond))                                                                       \
			return __LINE__ % 250 + 1;                                                 \
	} while (0)

/* ---- which programs are taken */
static int try_program(const struct sock_filter *insns, unsigned short count)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		_exit(set(0, insns, count) == 0 ? 0 : errno);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

#define TRY(...)                                                                                   \
	({                                                                                         \
		struct sock_filter f[] = { __VA_ARGS__ };                                          \
		try_program(f, sizeof(f) / sizeof(*f));                                            \
	})

static void check_programs(void)
{
	static struct sock_filter longest[BPF_MAXINSNS + 1];

	CHECK_EQ(TRY(ALLOW), 0);
	CHECK_EQ(TRY(LOAD(nr)), EINVAL); /* does not return */
	CHECK_EQ(TRY(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), ALLOW), EINVAL);
	CHECK_EQ(TRY(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), ALLOW), EINVAL);
	CHECK_EQ(TRY(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), ALLOW), EINVAL);
	CHECK_EQ(TRY(BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), ALLOW), EINVAL);
	CHECK_EQ(TRY(BPF_STMT(BPF_JMP | BPF_JA, 1), ALLOW), EINVAL); /* beyond the end */
	CHECK_EQ(TRY(BPF_STMT(BPF_JMP | BPF_JA, 0), ALLOW), 0);
	CHECK_EQ(TRY(BPF_STMT(BPF_JMP | BPF_JA, -1), ALLOW), EINVAL); /* no way back */
	CHECK_EQ(TRY(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), ALLOW), EINVAL);
	CHECK_EQ(TRY(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), ALLOW), EINVAL);
	CHECK_EQ(TRY(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_X, 0, 1, 0), ALLOW, ALLOW), 0);
	CHECK_EQ(TRY(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), ALLOW), EINVAL);
	CHECK_EQ(TRY(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), ALLOW), EINVAL);
	CHECK_EQ(TRY(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), ALLOW), EINVAL);
	CHECK_EQ(TRY(BPF_STMT(BPF_ST, 16), ALLOW), EINVAL);
	CHECK_EQ(TRY(BPF_STMT(0xffff, 0), ALLOW), EINVAL);
	for (unsigned i = 0; i <= BPF_MAXINSNS; i++)
		longest[i] = (struct sock_filter)ALLOW;
	CHECK_EQ(try_program(longest, BPF_MAXINSNS), 0);
	CHECK_EQ(try_program(longest, BPF_MAXINSNS + 1), EINVAL);
	CHECK_EQ(try_program(longest, 0), EINVAL);
	CHECK_EQ(try_program((void *)8, 1), EFAULT);
}

/* ---- what they compute */
/* The filter's answer is an errno that the program computes in A. */
static int result_of(const struct sock_filter *insns, unsigned short count)
{
	struct sock_filter f[24] = { LOAD(nr), IF(SYS_getppid, 1), BPF_STMT(BPF_JMP | BPF_JA, 1),
				     ALLOW };
	pid_t child;
	int status;

	memcpy(f + 4, insns, count * sizeof(*insns));
	f[4 + count] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO);
	f[5 + count] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (set(0, f, (unsigned short)(count + 6)) != 0)
			_exit(255);
		errno = 0;
		syscall(SYS_getppid, 0x100000003, 5);
		_exit(errno);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

#define RESULT(...)                                                                                \
	({                                                                                         \
		struct sock_filter f[] = { __VA_ARGS__ };                                          \
		result_of(f, sizeof(f) / sizeof(*f));                                              \
	})
#define A(k)	  BPF_STMT(BPF_LD | BPF_IMM, k)
#define X(k)	  BPF_STMT(BPF_LDX | BPF_IMM, k)
#define OP(op, k) BPF_STMT(BPF_ALU | (op) | BPF_K, k)
#define OPX(op)	  BPF_STMT(BPF_ALU | (op) | BPF_X, 0)

static void check_arithmetic(void)
{
	CHECK_EQ(RESULT(A(40), OP(BPF_ADD, 2)), 42);
	CHECK_EQ(RESULT(A(40), X(2), OPX(BPF_SUB)), 38);
	CHECK_EQ(RESULT(A(6), X(7), OPX(BPF_MUL)), 42);
	CHECK_EQ(RESULT(A(85), OP(BPF_DIV, 2)), 42);
	CHECK_EQ(RESULT(A(0x6b), OP(BPF_AND, 0x3e)), 0x2a);
	CHECK_EQ(RESULT(A(0x20), OP(BPF_OR, 0xa)), 0x2a);
	CHECK_EQ(RESULT(A(0x7f), OP(BPF_XOR, 0x55)), 0x2a);
	CHECK_EQ(RESULT(A(21), OP(BPF_LSH, 1)), 42);
	CHECK_EQ(RESULT(A(84), X(1), OPX(BPF_RSH)), 42);
	CHECK_EQ(RESULT(A(-42U), BPF_STMT(BPF_ALU | BPF_NEG, 0)), 42);
	CHECK_EQ(RESULT(A(9), BPF_STMT(BPF_ST, 3), A(1), BPF_STMT(BPF_LDX | BPF_MEM, 3),
			OPX(BPF_ADD)),
		 10);
	CHECK_EQ(RESULT(X(9), BPF_STMT(BPF_STX, 15), BPF_STMT(BPF_LD | BPF_MEM, 15)), 9);
	CHECK_EQ(RESULT(A(9), BPF_STMT(BPF_MISC | BPF_TAX, 0), A(1),
			BPF_STMT(BPF_MISC | BPF_TXA, 0)),
		 9);
	CHECK_EQ(RESULT(BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0)), 64);
	/* The arguments, by halves. */
	CHECK_EQ(RESULT(LOAD(args[0])), 3);
	CHECK_EQ(RESULT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
				 offsetof(struct seccomp_data, args) + 4)),
		 1);
	CHECK_EQ(RESULT(LOAD(args[1])), 5);
	CHECK_EQ(RESULT(LOAD(arch), OP(BPF_XOR, AUDIT_ARCH_AARCH64), OP(BPF_ADD, 7)), 7);
	CHECK_EQ(RESULT(A(5), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 5, 0, 1), A(1)), 5);
	CHECK_EQ(RESULT(A(5), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 5, 0, 1), A(1)), 1);
	CHECK_EQ(RESULT(A(5), X(2), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_X, 0, 0, 1), A(1)), 5);
}

/* ---- what answers do */
static volatile sig_atomic_t trapped_call, trapped_errno, trapped_code;

static void on_trap(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	trapped_call = info->si_syscall;
	trapped_errno = info->si_errno;
	trapped_code = info->si_code;
}

static int errno_answer(void)
{
	WANT(answer(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV) == 0);
	WANT(prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER);
	errno = 0;
	WANT(syscall(SYS_getppid) == -1 && errno == EXDEV);
	WANT(getpid() > 0);
	/* The least permissive counts; with equal ones, the newest. */
	WANT(answer(SYS_getppid, SECCOMP_RET_ERRNO | ENOENT) == 0);
	WANT(syscall(SYS_getppid) == -1 && errno == ENOENT);
	WANT(answer(SYS_getppid, SECCOMP_RET_ALLOW) == 0);
	WANT(syscall(SYS_getppid) == -1 && errno == ENOENT);
	WANT(answer(SYS_getpid, SECCOMP_RET_ERRNO | 0) == 0);
	WANT(syscall(SYS_getpid) == 0);
	WANT(answer(SYS_gettid, SECCOMP_RET_TRACE) == 0);
	WANT(syscall(SYS_gettid) == -1 && errno == ENOSYS);
	WANT(answer(SYS_getuid, SECCOMP_RET_LOG) == 0);
	WANT(syscall(SYS_getuid) == 0);
	return 0;
}

static int trap_answer(void)
{
	struct sigaction act = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };

	sigaction(SIGSYS, &act, NULL);
	WANT(answer(SYS_getppid, SECCOMP_RET_TRAP | 77) == 0);
	/* The first argument is still in x0, where the result would be. */
	WANT(syscall(SYS_getppid, 1234) == 1234);
	WANT(trapped_call == SYS_getppid && trapped_errno == 77 && trapped_code == SYS_SECCOMP);
	return 0;
}

static int trap_blocked(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	sigprocmask(SIG_BLOCK, &set, NULL);
	WANT(answer(SYS_getppid, SECCOMP_RET_TRAP) == 0);
	syscall(SYS_getppid);
	return 1;
}

static int kill_answer(void)
{
	WANT(answer(SYS_getppid, SECCOMP_RET_KILL_PROCESS) == 0);
	syscall(SYS_getppid);
	return 1;
}

static void *call_and_die(void *unused)
{
	syscall(SYS_getppid);
	return unused;
}

static int kill_thread_answer(void)
{
	pthread_t t;

	WANT(answer(SYS_getppid, SECCOMP_RET_KILL_THREAD) == 0);
	WANT(pthread_create(&t, NULL, call_and_die, NULL) == 0);
	usleep(50000);
	return 0;
}

static int kill_only_thread(void)
{
	WANT(answer(SYS_getppid, SECCOMP_RET_KILL_THREAD) == 0);
	syscall(SYS_getppid);
	return 1;
}

static int strict_mode(void)
{
	int fd = open("/dev/null", O_RDWR);

	WANT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
	if (write(fd, "x", 1) != 1)
		syscall(SYS_exit, 9);
	syscall(SYS_exit, 5);
	return 1;
}

static int strict_broken(void)
{
	WANT(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL) == 0);
	syscall(SYS_getppid);
	return 1;
}

/* ---- who has them */
static int inherited(void)
{
	int status;
	pid_t child;

	WANT(answer(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV) == 0);
	child = fork();
	if (child == 0)
		_exit(syscall(SYS_getppid) == -1 && errno == EXDEV ? 0 : 1);
	WANT(waitpid(child, &status, 0) == child && status == 0);
	return 0;
}

static atomic_int stage;

static void *wait_and_call(void *arg)
{
	atomic_fetch_add(&stage, 1);
	while (atomic_load(&stage) < 2)
		usleep(1000);
	return (void *)(intptr_t)(syscall(SYS_getppid) == -1 && errno == EXDEV ? 1 : arg != NULL);
}

/* One thread's filter is its own, unless it asks for all. */
static int of_one_thread(void)
{
	pthread_t t;
	void *seen;

	WANT(pthread_create(&t, NULL, wait_and_call, NULL) == 0);
	while (atomic_load(&stage) < 1)
		usleep(1000);
	WANT(answer(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV) == 0);
	atomic_fetch_add(&stage, 1);
	pthread_join(t, &seen);
	WANT(seen == NULL);
	return 0;
}

static int of_all_threads(void)
{
	struct sock_filter f[] = { LOAD(nr), IF(SYS_getppid, 1), RET(SECCOMP_RET_ERRNO | EXDEV),
				   ALLOW };
	pthread_t t;
	void *seen;

	WANT(pthread_create(&t, NULL, wait_and_call, NULL) == 0);
	while (atomic_load(&stage) < 1)
		usleep(1000);
	WANT(set(SECCOMP_FILTER_FLAG_TSYNC, f, 4) == 0);
	atomic_fetch_add(&stage, 1);
	pthread_join(t, &seen);
	WANT(seen == (void *)1);
	return 0;
}

static void *filter_and_wait(void *tid)
{
	answer(SYS_getpid, SECCOMP_RET_ALLOW);
	*(int *)tid = (int)syscall(SYS_gettid);
	atomic_fetch_add(&stage, 1);
	while (atomic_load(&stage) < 2)
		usleep(1000);
	return NULL;
}

/* A thread that has another filter is in the way. */
static int not_of_all(void)
{
	struct sock_filter f[] = { ALLOW };
	pthread_t t;
	int tid;

	WANT(pthread_create(&t, NULL, filter_and_wait, &tid) == 0);
	while (atomic_load(&stage) < 1)
		usleep(1000);
	WANT(set(SECCOMP_FILTER_FLAG_TSYNC, f, 1) == tid);
	WANT(set(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, f, 1) == -1 &&
	     errno == ESRCH);
	WANT(prctl(PR_GET_SECCOMP) == 0);
	atomic_fetch_add(&stage, 1);
	pthread_join(t, NULL);
	return 0;
}

/* Together they are limited: to eight of the longest, less on Linux, which counts otherwise. */
static int too_many(void)
{
	static struct sock_filter longest[BPF_MAXINSNS];
	int set_ok = 0;

	for (unsigned i = 0; i < BPF_MAXINSNS; i++)
		longest[i] = (struct sock_filter)ALLOW;
	while (set_ok < 20 && set(0, longest, BPF_MAXINSNS) == 0)
		set_ok++;
	WANT(set_ok >= 1 && set_ok <= 8 && errno == ENOMEM);
	return 0;
}

static void check_errors(void)
{
	unsigned action = SECCOMP_RET_ERRNO, unknown = 0x12340000;
	struct sock_filter f[] = { ALLOW };

	CHECK_FAILS(syscall(SYS_seccomp, 99, 0, NULL), EINVAL);
	CHECK_FAILS(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL), EINVAL);
	CHECK_FAILS(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
	CHECK_FAILS(set(0x1000, f, 1), EINVAL);
	CHECK_FAILS(prctl(PR_SET_SECCOMP, 9, 0), EINVAL);
	CHECK_EQ(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action), 0);
	CHECK_FAILS(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &unknown), EOPNOTSUPP);
	CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
}

int main(void)
{
	check_programs();
	check_arithmetic();
	CHECK_EQ(in_child(errno_answer), 0);
	CHECK_EQ(in_child(trap_answer), 0);
	CHECK_EQ(in_child(trap_blocked) & 0x7f, SIGSYS);
	CHECK_EQ(in_child(kill_answer) & 0x7f, SIGSYS);
	CHECK_EQ(in_child(kill_thread_answer), 0);
	CHECK_EQ(in_child(kill_only_thread) & 0x7f, SIGSYS);
	CHECK_EQ(in_child(strict_mode), EXITED(5));
	CHECK_EQ(in_child(strict_broken) & 0x7f, SIGKILL);
	CHECK_EQ(in_child(inherited), 0);
	CHECK_EQ(in_child(of_one_thread), 0);
	CHECK_EQ(in_child(of_all_threads), 0);
	CHECK_EQ(in_child(not_of_all), 0);
	CHECK_EQ(in_child(too_many), 0);
	check_errors();
	return check_done("seccomp");
}
