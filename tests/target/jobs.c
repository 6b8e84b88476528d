/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a shell is made of: children that are stopped and continued and how their parents are told,
 * process groups and sessions, groups that nobody is left to continue, scripts, and exec in a
 * process that shares its descriptors.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static const char *self;

static volatile sig_atomic_t told_stopped, told_continued, told_ended, told_status;

static void on_child(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	told_status = info->si_status;
	switch (info->si_code) {
	case CLD_STOPPED: told_stopped++; break;
	case CLD_CONTINUED: told_continued++; break;
	default: told_ended++; break;
	}
}

static void handle_children(int flags)
{
	struct sigaction act = { .sa_sigaction = on_child, .sa_flags = SA_SIGINFO | flags };

	CHECK_OK(sigaction(SIGCHLD, &act, NULL));
	told_stopped = told_continued = told_ended = 0;
}

/* A child that sleeps; with @threads more that spin. */
static void *spin(void *arg)
{
	for (volatile unsigned long n = 0;; n++)
		(void)arg;
	return NULL;
}

static pid_t start_child(int threads)
{
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (pid)
		return pid;
	for (int i = 0; i < threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, spin, NULL))
			_exit(1);
	}
	for (;;)
		pause();
}

static void end_child(pid_t pid)
{
	int status;

	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status));
}

/* ---- stops */

static void check_wait_tells_stops(int threads)
{
	pid_t pid = start_child(threads);
	int status = 0;

	CHECK_EQ(waitpid(pid, &status, WUNTRACED | WCONTINUED | WNOHANG), 0);
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_EQ(status, SIGSTOP << 8 | 0x7f);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0); /* told once */
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	CHECK_EQ(status, 0xffff);
	CHECK_EQ(waitpid(pid, &status, WCONTINUED | WNOHANG), 0);
	/* A stop that was taken back is not told any more. */
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
	/* Who does not ask is not told. */
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	end_child(pid);
}

static void check_waitid_tells_stops(void)
{
	pid_t pid = start_child(0);
	siginfo_t info = { 0 };

	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT));
	CHECK_EQ(info.si_code, CLD_STOPPED);
	CHECK_EQ(info.si_status, SIGSTOP);
	info = (siginfo_t){ 0 };
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED)); /* it was left there */
	CHECK_EQ(info.si_pid, pid);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_OK(waitid(P_ALL, 0, &info, WCONTINUED));
	CHECK_EQ(info.si_code, CLD_CONTINUED);
	CHECK_EQ(info.si_status, SIGCONT);
	CHECK_OK(kill(pid, SIGKILL));
	/* One that has ended is nothing to who asks for stops. */
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	CHECK_FAILS(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG), ECHILD);
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED));
	CHECK_EQ(info.si_code, CLD_KILLED);
}

static void check_parent_is_signalled(void)
{
	pid_t pid;
	int status;

	handle_children(0);
	pid = start_child(0);
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_EQ(told_stopped, 1);
	CHECK_EQ(told_status, SIGSTOP);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	while (!told_continued)
		usleep(1000);
	CHECK_EQ(told_continued, 1);
	end_child(pid);
	CHECK_EQ(told_ended, 1);

	handle_children(SA_NOCLDSTOP);
	pid = start_child(0);
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_EQ(told_stopped, 0);
	end_child(pid);
	CHECK_EQ(told_ended, 1);
	CHECK(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
}

static char state_of(pid_t pid)
{
	char path[32], text[128] = "";
	char *state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return '?';
	state = fgets(text, sizeof(text), f) ? strchr(text, ')') : NULL;
	fclose(f);
	return state ? state[2] : '?';
}

static void check_state_of_a_stopped_process(void)
{
	pid_t pid = start_child(0);
	int status;

	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_EQ(state_of(pid), 'T');
	end_child(pid);
}

/* ---- groups and sessions */

static void check_groups(void)
{
	pid_t pid = start_child(0), other = start_child(0), leader, inner;
	int status;

	CHECK_OK(setpgid(pid, 0));
	CHECK_EQ(getpgid(pid), pid);
	CHECK_OK(setpgid(other, pid));
	CHECK_EQ(getpgid(other), pid);
	CHECK_FAILS(setpgid(other, 999999), EPERM); /* no such group */
	CHECK_FAILS(setpgid(other, -1), EINVAL);
	CHECK_FAILS(setpgid(999999, 0), ESRCH);
	CHECK_OK(kill(-pid, SIGSTOP));
	CHECK_EQ(waitpid(-pid, &status, WUNTRACED) > 0, 1);
	CHECK_EQ(waitpid(-pid, &status, WUNTRACED) > 0, 1);
	end_child(pid);
	CHECK_OK(setpgid(other, other)); /* its old group was another's id */
	end_child(other);

	leader = fork();
	if (leader == 0) {
		int bad = setsid() != getpid() || setsid() != -1 || errno != EPERM ||
			  setpgid(0, 0) != -1 || errno != EPERM;

		/* A child of another session; a group whose id would become a session's. */
		inner = fork();
		if (inner == 0)
			_exit(setpgid(0, 0) || setsid() != -1 || errno != EPERM);
		if (waitpid(inner, &status, 0) != inner || status)
			bad |= 2;
		_exit(bad);
	}
	CHECK_EQ(waitpid(leader, &status, 0), leader);
	CHECK_EQ(status, 0);
}

static void check_no_move_after_exec(void)
{
	char *argv[] = { (char *)self, "pause", NULL };
	int ends[2];
	char byte;
	pid_t pid;

	REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		execv(self, argv);
		_exit(1);
	}
	close(ends[1]);
	CHECK_EQ(read(ends[0], &byte, 1), 0); /* closed by exec */
	CHECK_FAILS(setpgid(pid, 0), EACCES);
	close(ends[0]);
	end_child(pid);
}

/* ---- orphaned groups */

static volatile sig_atomic_t hung_up;

static void on_hangup(int sig)
{
	(void)sig;
	hung_up++;
}

/* In a session of its own: a member of a group whose only parent in the session ends. */
static void be_orphaned(int report)
{
	sigset_t set, old;
	char seen;

	CHECK(signal(SIGHUP, on_hangup) != SIG_ERR);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGSTOP); /* until the kernel continues us: nobody else does */
	sigprocmask(SIG_SETMASK, &old, NULL);
	seen = (char)('0' + hung_up);
	(void)!write(report, &seen, 1);
	/* The terminal's stop signals do nothing now. */
	raise(SIGTSTP);
	(void)!write(report, "t", 1);
	_exit(0);
}

static void check_orphaned_group_is_continued(void)
{
	char seen[2] = "";
	int ends[2], status;
	pid_t session;

	REQUIRE(pipe(ends) == 0);
	session = fork();
	if (session == 0) {
		pid_t member;

		setsid();
		member = fork();
		if (member == 0) {
			setpgid(0, 0);
			be_orphaned(ends[1]);
		}
		setpgid(member, member);
		waitpid(member, &status, WUNTRACED);
		_exit(WIFSTOPPED(status) ? 0 : 1);
	}
	close(ends[1]);
	CHECK_EQ(waitpid(session, &status, 0), session);
	CHECK_EQ(status, 0);
	CHECK_EQ(read(ends[0], seen, 1), 1);
	CHECK_EQ(seen[0], '1');
	CHECK_EQ(read(ends[0], seen, 1), 1);
	CHECK_EQ(seen[0], 't');
	close(ends[0]);
}

/* ---- scripts */

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

	REQUIRE(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* The status of @path run with argv { "name", "one" }, or -errno if it cannot be. */
static int run(const char *path)
{
	char *argv[] = { "name", "one", NULL };
	int *error = mmap(NULL, sizeof(*error), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);
	int status, result;
	pid_t pid;

	REQUIRE(error != MAP_FAILED);
	pid = fork();
	if (pid == 0) {
		execv(path, argv);
		*error = errno;
		_exit(1);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	result = *error ? -*error : WEXITSTATUS(status);
	munmap(error, sizeof(*error));
	return result;
}

/* What main() exits with when it sees these arguments: argc, and a bit for each that fits. */
enum { ARGS_PLAIN = 40, ARGS_ONE = 41, ARGS_NESTED = 42 };

static void check_scripts(void)
{
	char text[600], lots[300];

	REQUIRE(chdir("/tmp") == 0);
	snprintf(text, sizeof(text), "#!%s\nnonsense\n", self);
	write_file("plain", text, 0755);
	CHECK_EQ(run("/tmp/plain"), ARGS_PLAIN);
	snprintf(text, sizeof(text), "#! \t%s \t a b  \n", self);
	write_file("one", text, 0755);
	CHECK_EQ(run("./one"), ARGS_ONE);
	write_file("nested", "#!/tmp/plain inner\n", 0755);
	CHECK_EQ(run("/tmp/nested"), ARGS_NESTED);
	write_file("blank", "#!  \n/bin/true\n", 0755);
	CHECK_EQ(run("/tmp/blank"), -ENOEXEC);
	write_file("text", "echo\n", 0755);
	CHECK_EQ(run("/tmp/text"), -ENOEXEC);
	write_file("gone", "#!/no/such/program\n", 0755);
	CHECK_EQ(run("/tmp/gone"), -ENOENT);
	write_file("data", "", 0644);
	write_file("forbidden", "#!/tmp/data\n", 0755);
	CHECK_EQ(run("/tmp/forbidden"), -EACCES);
	write_file("loop", "#!/tmp/loop\n", 0755);
	CHECK_EQ(run("/tmp/loop"), -ELOOP);
	memset(lots, 'x', sizeof(lots) - 1);
	lots[sizeof(lots) - 1] = '\0';
	snprintf(text, sizeof(text), "#!/%s\n", lots);
	write_file("long", text, 0755);
	CHECK_EQ(run("/tmp/long"), -ENOEXEC);
}

/* main() of an interpreter. */
static int as_interpreter(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "/tmp/plain") && !strcmp(argv[2], "one"))
		return ARGS_PLAIN;
	if (argc == 4 && !strcmp(argv[1], "a b") && !strcmp(argv[2], "./one") &&
	    !strcmp(argv[3], "one"))
		return ARGS_ONE;
	if (argc == 5 && !strcmp(argv[1], "/tmp/plain") && !strcmp(argv[2], "inner") &&
	    !strcmp(argv[3], "/tmp/nested") && !strcmp(argv[4], "one"))
		return ARGS_NESTED;
	return 99;
}

/* ---- exec and what it takes along */

static void check_exec_by_a_link(void)
{
	char *argv[] = { "name", "exe", NULL };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execv("/proc/self/exe", argv);
		_exit(1);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 0);
}

/* main(): /proc/self/exe, by which it was started, names the program itself. */
static int says_where_it_is(void)
{
	char target[256] = "";

	return readlink("/proc/self/exe", target, sizeof(target) - 1) > 0 &&
			       strcmp(target, "/proc/self/exe")
		       ? 0
		       : 1;
}

static void check_exec_separates_descriptors(void)
{
	char *argv[] = { (char *)self, "true", NULL };
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), kept = open("/dev/null", O_RDONLY),
	    status;
	long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

	REQUIRE(pid >= 0);
	if (pid == 0) {
		execv(self, argv);
		_exit(1);
	}
	CHECK_EQ(waitpid((pid_t)pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC); /* closed in the child, not here */
	CHECK_EQ(fcntl(kept, F_GETFD), 0);
	close(fd);
	close(kept);
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc == 2 && !strcmp(argv[1], "pause"))
		for (;;)
			pause();
	if (argc == 2 && !strcmp(argv[1], "true"))
		return 0;
	if (argc == 2 && !strcmp(argv[1], "exe"))
		return says_where_it_is();
	if (argc > 1)
		return as_interpreter(argc, argv);
	check_wait_tells_stops(0);
	check_wait_tells_stops(3);
	check_waitid_tells_stops();
	check_parent_is_signalled();
	check_state_of_a_stopped_process();
	check_groups();
	check_no_move_after_exec();
	check_orphaned_group_is_continued();
	check_scripts();
	check_exec_by_a_link();
	check_exec_separates_descriptors();
	return check_done("jobs");
}
