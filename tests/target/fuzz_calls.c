/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls and ioctls with random and nearly valid arguments, from several threads, in children
 * that may die of it: the next one goes on with the next seed. Nothing is expected of a call but
 * that it ends; of the kernel, that it lives, gives back all memory and processes, and tells
 * neither its addresses nor what other programs left in memory.
 *
 *	fuzz_calls --calls N [--seed S] [--threads T] [--first CHILD] [--each 1]
 *
 * With one thread a run makes the same calls each time. A child is a function of the seed and its
 * number: --first begins with that child, --each tells what each one leaves behind.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	CALLS_TO_WARM_UP = 4000,
	TICK_US = 1000,
	/* Ticks without a call beginning, until: */
	TICKS_TO_CONTINUE = 100, /* it may have been stopped */
	TICKS_TO_KILL = 8000,
	TICKS_TO_FAIL = 30000, /* it does not even die */
	PLANT_EVERY = 8,
	PROGRESS_SECONDS = 10,
	TEXT_MAX = 4096,
	/* Twice as many as the kernel keeps. */
	STACKS = 64,
	/* Files of the machine at its start. One with more is not a machine for this alone, and
	   what is new there may be somebody's: the test ends before it begins. */
	KNOWN_MAX = 256,
	KNOWN_NAME_MAX = 64,
	/* What may differ for other reasons: slabs that are not full, KiB; objects of a process.
	   More than one page or object a child is lost is seen in long runs. */
	SLACK_KIB = 64,
	SLACK_OBJECTS = 16,
};

static unsigned long children, killed, gave_up, died[65];

/* ---- the parent */

static unsigned long now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (unsigned long)t.tv_sec;
}

static void print_progress(void)
{
	static unsigned long last;

	if (!last)
		last = now_s();
	if (now_s() < last + PROGRESS_SECONDS)
		return;
	last = now_s();
	printf("%lu calls, %lu children\n", atomic_load(&fuzz_shared->calls), children);
	fflush(stdout);
}

static void print_current(const char *what)
{
	printf("child %lu %s:", fuzz_options.first + children - 1, what);
	for (unsigned i = 0; i < fuzz_options.threads; i++)
		printf(" %s", fuzz_row(atomic_load(&fuzz_shared->current[i]))->name);
	printf("\n");
}

static void collect(pid_t pid, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) < 65)
		died[WTERMSIG(status)]++;
	if (WIFEXITED(status) && WEXITSTATUS(status) == FUZZ_GAVE_UP) {
		gave_up++;
		print_current("gave up");
	} else if (WIFEXITED(status) && WEXITSTATUS(status) != 0 && WEXITSTATUS(status) < 10) {
		printf("child %lu could not begin: status %d\n", fuzz_options.first + children - 1,
		       WEXITSTATUS(status));
	}
	/* Its own children, whatever group they are in by now, are found by collect_rest(). */
	kill(-pid, SIGKILL);
}

/* Every process younger than this one. Number of them. */
static unsigned kill_rest(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	unsigned n = 0;

	REQUIRE(dir);
	while ((e = readdir(dir))) {
		long pid = strtol(e->d_name, NULL, 10);

		if (pid > getpid() && kill((pid_t)pid, SIGKILL) == 0)
			n++;
	}
	closedir(dir);
	return n;
}

static void collect_rest(void)
{
	for (int i = 0; i < 1000 && kill_rest(); i++) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
		usleep(1000);
	}
	CHECK_EQ(kill_rest(), 0);
}

static void wait_child(pid_t pid)
{
	unsigned long calls = 0, quiet = 0;
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		usleep(TICK_US);
		print_progress();
		quiet = calls == atomic_load(&fuzz_shared->calls) ? quiet + 1 : 0;
		calls = atomic_load(&fuzz_shared->calls);
		if (quiet % TICKS_TO_CONTINUE == TICKS_TO_CONTINUE - 1)
			kill(pid, SIGCONT);
		if (quiet == TICKS_TO_KILL) {
			print_current("killed");
			killed++;
			kill(pid, SIGKILL);
		}
		if (quiet == TICKS_TO_FAIL) {
			print_current("cannot be killed");
			exit(1);
		}
	}
	collect(pid, status);
}

static void run_in_process(void (*fn)(unsigned long arg), unsigned long arg)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	REQUIRE(pid >= 0);
	if (pid == 0) {
		fn(arg);
		_exit(0);
	}
	wait_child(pid);
}

static void plant(unsigned long arg)
{
	(void)arg;
	fuzz_plant();
}

static void remove_tree(const char *path)
{
	char name[TEXT_MAX];
	struct dirent *e;
	DIR *dir = opendir(path);

	while (dir && (e = readdir(dir))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (unlink(name) && errno == EISDIR)
			remove_tree(name);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
}

/* ---- files that children left: whatever was not there before the first of them */

static struct known {
	char name[KNOWN_NAME_MAX];
	blkcnt_t blocks;
} known_files[KNOWN_MAX];
static unsigned known_count;

static struct known *known_find(const char *name)
{
	for (unsigned i = 0; i < known_count; i++)
		if (!strcmp(known_files[i].name, name))
			return &known_files[i];
	return NULL;
}

static void remember(const char *name, const struct stat *st)
{
	REQUIRE(known_count < KNOWN_MAX && strlen(name) < KNOWN_NAME_MAX);
	strcpy(known_files[known_count].name, name);
	known_files[known_count++].blocks = st->st_blocks;
}

/* Those that were there are told if they grew: that is no loss, but is missing in the account. */
static void remove_if_new(const char *name, const struct stat *st)
{
	struct known *known = known_find(name);

	if (!known && unlink(name))
		remove_tree(name);
	if (!known || known->blocks == st->st_blocks)
		return;
	printf("%s: %ld KiB, %ld before\n", name, (long)st->st_blocks / 2, (long)known->blocks / 2);
	known->blocks = st->st_blocks;
}

/* Calls @fn for all that is in the tree of @path, but for what the kernel makes up itself. */
static void for_each_file(const char *path, void (*fn)(const char *name, const struct stat *st))
{
	char name[TEXT_MAX];
	struct dirent *e;
	struct stat st;
	DIR *dir = opendir(path);

	while (dir && (e = readdir(dir))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(name, sizeof(name), "%s/%s", strcmp(path, "/") ? path : "", e->d_name);
		if (!strcmp(name, "/proc") || !strcmp(name, "/sys") || lstat(name, &st))
			continue;
		fn(name, &st);
		if (S_ISDIR(st.st_mode))
			for_each_file(name, fn);
	}
	if (dir)
		closedir(dir);
}

static void remove_files(void)
{
	for_each_file("/", remove_if_new);
}

/* ---- what is left behind */

struct left {
	unsigned long free_kib, slab_kib, objects, processes;
};

/* The number behind @key in a file's text; 0: no such line. */
static unsigned long number_behind(const char *path, const char *key)
{
	char text[TEXT_MAX];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	char *line;

	close(fd);
	REQUIRE(n > 0);
	text[n] = '\0';
	line = strstr(text, key);
	return line ? strtoul(line + strlen(key), NULL, 10) : 0;
}

static struct left measure(void)
{
	struct left l = { 0 };
	unsigned long before = 0;

	/* What is freed late has been freed when two looks say the same. */
	for (int i = 0; i < 50; i++) {
		usleep(20 * 1000);
		l.free_kib = number_behind("/proc/meminfo", "MemFree:");
		l.slab_kib = number_behind("/proc/meminfo", "Slab:");
		l.objects = number_behind("/proc/meminfo", "KernelObjects:");
		if (i > 5 && l.objects == before)
			break;
		before = l.objects;
	}
	return l;
}

static void print_left(const char *when, const struct left *l)
{
	printf("%s: %lu KiB free, %lu KiB in slabs, %lu kernel objects\n", when, l->free_kib,
	       l->slab_kib, l->objects);
}

static void print_each(void)
{
	struct left l = measure();
	char name[32];

	snprintf(name, sizeof(name), "child %lu", fuzz_options.first + children - 1);
	print_left(name, &l);
}

static void run_children(unsigned long calls)
{
	unsigned long failures = 0;

	fuzz_shared->calls_wanted = atomic_load(&fuzz_shared->calls) + calls;
	while (atomic_load(&fuzz_shared->calls) < fuzz_shared->calls_wanted && failures < 20) {
		unsigned begun = atomic_load(&fuzz_shared->children_set_up);

		mkdir(FUZZ_DIR, 0700);
		if (children % PLANT_EVERY == 0)
			run_in_process(plant, 0);
		children++;
		run_in_process(fuzz_run_child, fuzz_options.first + children - 1);
		failures += atomic_load(&fuzz_shared->children_set_up) == begun;
		collect_rest();
		remove_files();
		if (fuzz_options.each)
			print_each();
	}
	CHECK(failures < 20);
}

/* ---- the account */

static void print_rows(void)
{
	size_t rows = fuzz_syscall_count + fuzz_ioctl_count;
	unsigned long successes = 0;

	printf("calls made, and how many of them succeeded:\n");
	for (size_t i = 0; i < rows; i++) {
		printf("  %-34s %7lu %7lu%s", fuzz_row(i)->name,
		       atomic_load(&fuzz_shared->rows[i].calls),
		       atomic_load(&fuzz_shared->rows[i].successes),
		       i % 2 || i == rows - 1 ? "\n" : "");
		successes += atomic_load(&fuzz_shared->rows[i].successes);
	}
	printf("errors:");
	for (int i = 1; i < FUZZ_ERRNO_MAX; i++)
		if (atomic_load(&fuzz_shared->errnos[i]))
			printf(" %s %lu", strerrorname_np(i), atomic_load(&fuzz_shared->errnos[i]));
	printf("\n%lu calls succeeded\n", successes);
}

static void print_children(void)
{
	for (unsigned i = 0; i < FUZZ_REPORTS_MAX; i++)
		if (fuzz_shared->reports[i][0])
			printf("%s\n", fuzz_shared->reports[i]);
	printf("%lu children; %lu gave up, %lu killed; died:", children, gave_up, killed);
	for (int i = 1; i < 65; i++)
		if (died[i])
			printf(" SIG%s %lu", sigabbrev_np(i) ? sigabbrev_np(i) : "RT", died[i]);
	printf("\n");
}

/* Every call has been made, and most of them have succeeded at least once. */
static void check_rows(void)
{
	size_t rows = fuzz_syscall_count + fuzz_ioctl_count, never = 0;

	for (size_t i = 0; i < rows; i++)
		never += atomic_load(&fuzz_shared->rows[i].calls) == 0;
	CHECK_EQ(never, 0);
}

static unsigned long number_of(const char *text)
{
	char *end;
	unsigned long n = text ? strtoul(text, &end, 0) : 0;

	if (text && *text && !*end)
		return n;
	fprintf(stderr, "fuzz_calls: %s is no number\n", text ? text : "nothing");
	exit(2);
}

static void read_options(int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2) {
		if (!strcmp(argv[i], "--seed"))
			fuzz_options.seed = number_of(argv[i + 1]);
		else if (!strcmp(argv[i], "--calls"))
			fuzz_options.calls = number_of(argv[i + 1]);
		else if (!strcmp(argv[i], "--threads"))
			fuzz_options.threads = number_of(argv[i + 1]);
		else if (!strcmp(argv[i], "--first"))
			fuzz_options.first = number_of(argv[i + 1]);
		else if (!strcmp(argv[i], "--each"))
			fuzz_options.each = number_of(argv[i + 1]);
		else
			break;
	}
	/* Children execute this program with other arguments: then it has nothing to do. */
	if (!fuzz_options.calls || !fuzz_options.threads || fuzz_options.threads > FUZZ_THREADS_MAX)
		exit(2);
}

/*
 * A page of a program's file has memory of its own from its first fault on, as long as there is the
 * file; a child's mlockall() or mapping of the file faults on any of them. All do now.
 */
static void use_program(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	struct stat st;
	void *file;

	REQUIRE(fd >= 0 && fstat(fd, &st) == 0);
	file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	REQUIRE(file != MAP_FAILED);
	CHECK_OK(madvise(file, (size_t)st.st_size, 22 /* MADV_POPULATE_READ */));
	munmap(file, (size_t)st.st_size);
	close(fd);
}

static void *wait_for_all(void *barrier)
{
	pthread_barrier_wait(barrier);
	return NULL;
}

/* The kernel keeps some stacks of threads that ended (port/arm64/kstack.c): it has all of them. */
static void use_stacks(void)
{
	pthread_barrier_t barrier;
	pthread_t threads[STACKS];

	REQUIRE(pthread_barrier_init(&barrier, NULL, STACKS + 1) == 0);
	for (unsigned i = 0; i < STACKS; i++)
		REQUIRE(pthread_create(&threads[i], NULL, wait_for_all, &barrier) == 0);
	pthread_barrier_wait(&barrier);
	for (unsigned i = 0; i < STACKS; i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0);
}

static void share(void)
{
	fuzz_shared = mmap(NULL, sizeof(*fuzz_shared), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(fuzz_shared != MAP_FAILED);
	REQUIRE(fuzz_syscall_count + fuzz_ioctl_count <= FUZZ_ROWS_MAX);
}

int main(int argc, char **argv)
{
	struct left before, after;

	read_options(argc, argv);
	share();
	use_program();
	use_stacks();
	for_each_file("/", remember);
	run_children(CALLS_TO_WARM_UP);
	before = measure();
	run_children(fuzz_options.calls);
	after = measure();

	print_rows();
	print_children();
	print_left("after the first children", &before);
	print_left("at the end", &after);
	check_rows();
	CHECK(after.free_kib + SLACK_KIB >= before.free_kib);
	CHECK(after.objects <= before.objects + SLACK_OBJECTS);
	CHECK_EQ(atomic_load(&fuzz_shared->kernel_seen), 0);
	CHECK_EQ(atomic_load(&fuzz_shared->stale_seen), 0);
	CHECK_EQ(atomic_load(&fuzz_shared->odd_errnos), 0);
	CHECK_EQ(killed, 0);
	printf("fuzz_calls: seed %lu, %lu threads, %lu calls\n", fuzz_options.seed,
	       fuzz_options.threads, fuzz_options.calls);
	return check_done("fuzz_calls");
}
