/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes: fork with memory of its own, shared memory and pipes; how a child's end is told;
 * vfork, posix_spawn and exec, also of a program with threads; what a thousand of them leave
 * behind.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, CHILD_STATUS = 33, AGAIN_STATUS = 12, MANY = 200, CROWD = 20 };

extern char **environ;
static const char *self;
static volatile sig_atomic_t children_told;

static void on_child(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (sig == SIGCHLD && (info->si_code == CLD_EXITED || info->si_code == CLD_KILLED))
		children_told++;
}

/* Waits for @pid; its wait status. */
static int collect(pid_t pid)
{
	int status = -1;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return status;
}

static void check_fork_has_its_own_memory(void)
{
	int *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	volatile int own = 5;
	char buf[4] = { 0 };
	int ends[2], status;
	pid_t pid;

	REQUIRE(shared != MAP_FAILED && pipe(ends) == 0);
	pid = fork();
	REQUIRE(pid >= 0);
	if (pid == 0) {
		own = 6;
		*shared = 77;
		_exit(write(ends[1], "abc", 3) == 3 && own == 6 ? 9 : 1);
	}
	status = collect(pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 9);
	CHECK_EQ(own, 5);
	CHECK_EQ(*shared, 77);
	CHECK_EQ(read(ends[0], buf, 3), 3);
	CHECK(strcmp(buf, "abc") == 0);
	CHECK_EQ(children_told, 1);
	close(ends[0]);
	close(ends[1]);
	munmap(shared, PAGE);
}

static pid_t start_sleeper(void)
{
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void check_how_children_end(void)
{
	pid_t pid = fork();
	int status;

	REQUIRE(pid >= 0);
	if (pid == 0) {
		volatile int *volatile nowhere = (int *)8;

		*nowhere = 1;
	}
	status = collect(pid);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);

	pid = start_sleeper();
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_OK(kill(pid, SIGTERM));
	CHECK_EQ(WTERMSIG(collect(pid)), SIGTERM);
	pid = start_sleeper();
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(WTERMSIG(collect(pid)), SIGKILL);
	CHECK_FAILS(kill(pid, 0), ESRCH);
	CHECK_FAILS(wait(&status), ECHILD);
}

static void check_crowd(void)
{
	pid_t pid[CROWD];

	for (int i = 0; i < CROWD; i++) {
		pid[i] = fork();
		REQUIRE(pid[i] >= 0);
		if (pid[i] == 0) {
			for (int n = 0; n < 1000; n++)
				(void)getppid();
			usleep(1000);
			_exit(i);
		}
	}
	for (int i = 0; i < CROWD; i++)
		CHECK_EQ(WEXITSTATUS(collect(pid[i])), i);
}

static void check_exec(void)
{
	char parent[16];
	char *argv[] = { (char *)self, "child", parent, NULL };
	pid_t pid;

	snprintf(parent, sizeof(parent), "%d", getpid());
	CHECK_OK(setenv("PROCESSES", "yes", 1));
	CHECK_EQ(posix_spawn(&pid, self, NULL, NULL, argv, environ), 0);
	CHECK_EQ(WEXITSTATUS(collect(pid)), CHILD_STATUS);
	CHECK_EQ(posix_spawn(&pid, "/no/such/program", NULL, NULL, argv, environ), ENOENT);
	pid = vfork();
	if (pid == 0) {
		execv(self, argv);
		_exit(1);
	}
	REQUIRE(pid >= 0);
	CHECK_EQ(WEXITSTATUS(collect(pid)), CHILD_STATUS);
	CHECK_FAILS(execv("/dev/null", argv), EACCES);
	/* No shell: the child's status is 127; with one (on Linux) it is that of true. */
	CHECK(system("true") == 127 << 8 || system("true") == 0);
}

static void *stay(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void exec_with_threads(void)
{
	char *argv[] = { (char *)self, "again", NULL };
	pthread_t thread;

	for (int i = 0; i < 4; i++)
		if (pthread_create(&thread, NULL, stay, NULL) != 0)
			_exit(2);
	execv(self, argv);
	_exit(3);
}

static void *exec_from_thread(void *arg)
{
	char *argv[] = { (char *)self, "again", NULL };

	(void)arg;
	execv(self, argv);
	_exit(4);
}

static void check_exec_ends_threads(void)
{
	pthread_t thread;
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (pid == 0)
		exec_with_threads();
	CHECK_EQ(WEXITSTATUS(collect(pid)), AGAIN_STATUS);
	pid = fork();
	REQUIRE(pid >= 0);
	if (pid == 0) {
		if (pthread_create(&thread, NULL, exec_from_thread, NULL) != 0)
			_exit(2);
		stay(NULL);
	}
	CHECK_EQ(WEXITSTATUS(collect(pid)), AGAIN_STATUS);
}

static void fork_many(void)
{
	for (int i = 0; i < MANY; i++) {
		pid_t pid = fork();

		REQUIRE(pid >= 0);
		if (pid == 0)
			_exit(i & 0x7f);
		CHECK_EQ(WEXITSTATUS(collect(pid)), i & 0x7f);
	}
}

static long free_pages(void)
{
	struct sysinfo info;

	usleep(50000); /* what is freed later is freed by then */
	REQUIRE(sysinfo(&info) == 0);
	return (long)(info.freeram * info.mem_unit / PAGE);
}

/* A page a process would be MANY: Linux's own noise stays below that. */
static void check_nothing_is_left_behind(void)
{
	long before, after;

	fork_many();
	before = free_pages();
	fork_many();
	after = free_pages();
	CHECK(before - after < MANY * 3 / 4);
}

/* What exec starts: is everything as it should be? */
/* Children whose id is known before they run, and killed by it. */
static volatile pid_t victim;
static volatile int killing;

static void *kill_victims(void *arg)
{
	(void)arg;
	while (killing)
		syscall(SYS_tgkill, victim, victim, SIGKILL);
	return NULL;
}

static void check_killed_before_it_runs(void)
{
	int *tid = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t killer;
	int status;

	REQUIRE(tid != MAP_FAILED);
	victim = fork();
	if (!victim)
		_exit(0);
	collect(victim++);
	killing = 1;
	REQUIRE(pthread_create(&killer, NULL, kill_victims, NULL) == 0);
	victim++; /* the thread has taken an id */
	for (int i = 0; i < 300; i++) {
		pid_t pid;

		CHECK_OK(madvise(tid, 4096, MADV_DONTNEED)); /* its id is told by way of a fault */
		pid = (pid_t)syscall(SYS_clone, CLONE_PARENT_SETTID | SIGCHLD, 0, tid, 0, 0);
		REQUIRE(pid >= 0);
		if (!pid)
			_exit(0);
		REQUIRE(waitpid(pid, &status, 0) == pid);
		CHECK(status == 0 || status == SIGKILL);
		victim = pid + 1;
	}
	killing = 0;
	pthread_join(killer, NULL);
	munmap(tid, 4096);
}

static int is_catwalk(void)
{
	struct utsname name;

	return uname(&name) == 0 && strstr(name.release, "catwalk") != NULL;
}

/* A process that waits for its vfork's child can be killed. On Catwalk the child, which uses its
 * memory, ends with it. */
static void check_killed_in_vfork(void)
{
	volatile pid_t *child =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int p[2], status;
	char end;
	pid_t pid;

	REQUIRE(child != MAP_FAILED && pipe(p) == 0);
	*child = 0;
	pid = fork();
	if (pid == 0) {
		close(p[0]);
		if (vfork() == 0) {
			/* It stays in its parent's memory: what this is about. */
			*child = getpid(); /* NOLINT(clang-analyzer-unix.Vfork) */
			for (;;)
				pause(); /* NOLINT(clang-analyzer-unix.Vfork) */
		}
		_exit(1);
	}
	close(p[1]);
	while (!*child)
		usleep(1000);
	CHECK_OK(kill(pid, SIGKILL));
	status = collect(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	if (!is_catwalk())
		kill(*child, SIGKILL);
	/* Both have let go of the pipe. */
	CHECK_EQ(read(p[0], &end, 1), 0);
	close(p[0]);
	munmap((void *)child, PAGE);
}

static int child(char **argv)
{
	const char *env = getenv("PROCESSES");

	if (!env || strcmp(env, "yes") != 0 || getppid() != atoi(argv[2]))
		return 1;
	return CHILD_STATUS;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART };

	self = argv[0];
	if (argc > 2 && strcmp(argv[1], "child") == 0)
		return child(argv);
	if (argc > 1 && strcmp(argv[1], "again") == 0)
		return gettid() == getpid() ? AGAIN_STATUS : 1;
	REQUIRE(sigaction(SIGCHLD, &action, NULL) == 0);
	check_fork_has_its_own_memory();
	check_how_children_end();
	check_crowd();
	check_exec();
	check_exec_ends_threads();
	check_killed_before_it_runs();
	check_killed_in_vfork();
	check_nothing_is_left_behind();
	return check_done("processes");
}
