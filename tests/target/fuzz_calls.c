/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls and ioctls with random and nearly valid arguments, from several threads, in children
 * that may die of it: the next one goes on with the next seed. Nothing is expected of a call but
 * that it ends; of the kernel, that it lives, gives back all memory and processes, and tells
 *neither its addresses nor what other programs left in memory.
 *
 *	fuzz_calls --calls N [--seed S] [--threads T] [--first CHILD] [--each 1]
 *
 * With one thread a run makes the same calls each time. A child is a function of the seed and its
 * number: --first begins with that child, --each tells what each one leaves behind.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"
#include "tests/target/fuzz.h"
#include "tests/target/vgic.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	CALLS_OF_CHILD = 4000, /* of each thread */
	CALLS_TO_WARM_UP = 4000,
	TICK_US = 1000,
	/* Ticks without a call ending, until: */
	TICKS_TO_INTERRUPT = 2,
	TICKS_TO_CLOSE = 100, /* what a thread may wait for is closed */
	TICKS_TO_GIVE_UP = 1500,
	TICKS_TO_CONTINUE = 100, /* for the parent: it may have been stopped */
	TICKS_TO_KILL = 8000,
	TICKS_TO_FAIL = 30000, /* it does not even die */
	WAITS_MAX = 50,
	PLANT_EVERY = 8,
	PROGRESS_SECONDS = 10,
	GAVE_UP = 77,
	TEXT_MAX = 4096,
	/* What may differ for other reasons: slabs that are not full, KiB; objects of a process.
	   More than one page or object a child is lost is seen in long runs. */
	SLACK_KIB = 256,
	SLACK_OBJECTS = 16,
};

static struct {
	unsigned long seed, calls, threads, first, each;
} options = { .seed = 1, .threads = 4 };

static unsigned long children, killed, gave_up, died[65];

/* ---- one call */

static long raw(long number, const uint64_t a[6])
{
	register long x8 __asm__("x8") = number;
	register uint64_t x0 __asm__("x0") = a[0], x1 __asm__("x1") = a[1], x2 __asm__("x2") = a[2],
			     x3 __asm__("x3") = a[3], x4 __asm__("x4") = a[4],
			     x5 __asm__("x5") = a[5];

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return (long)x0;
}

/* The new thread or process ends before it has touched any memory. */
static long raw_new_task(long number, const uint64_t a[6])
{
	register long x8 __asm__("x8") = number;
	register uint64_t x0 __asm__("x0") = a[0], x1 __asm__("x1") = a[1], x2 __asm__("x2") = a[2],
			     x3 __asm__("x3") = a[3], x4 __asm__("x4") = a[4],
			     x5 __asm__("x5") = a[5];

	__asm__ volatile("svc #0\n"
			 "	cbnz x0, 1f\n"
			 "	mov x8, #93\n" /* exit */
			 "	svc #0\n"
			 "1:"
			 : "+r"(x0), "+r"(x8), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5)
			 :
			 : "memory");
	return (long)x0;
}

static long raw_sigreturn(uint64_t frame)
{
	__asm__ volatile("mov sp, %0\n"
			 "	mov x8, #139\n"
			 "	svc #0\n"
			 "	brk #0\n"
			 :
			 : "r"(frame)
			 : "memory");
	__builtin_unreachable();
}

#define CALL(number, ...) raw(number, (const uint64_t[6]){ __VA_ARGS__ })

/* With no signal in between that would run on a stack of two threads. */
static long new_task(long number, const uint64_t a[6])
{
	uint64_t all = -1ul, before = 0;
	long result;

	CALL(SYS_rt_sigprocmask, SIG_SETMASK, (uint64_t)&all, (uint64_t)&before, 8);
	result = raw_new_task(number, a);
	CALL(SYS_rt_sigprocmask, SIG_SETMASK, (uint64_t)&before, 0, 8);
	return result;
}

/* Waits for a child of a thread; who does not end in time is killed. */
static void wait_for(long pid)
{
	for (int i = 0; CALL(SYS_wait4, (uint64_t)pid, 0, 0, 0) == -EINTR; i++)
		if (i >= WAITS_MAX)
			CALL(SYS_kill, (uint64_t)pid, SIGKILL);
}

static long in_child(const struct fuzz_call *call, const uint64_t a[6])
{
	long pid = CALL(SYS_clone, SIGCHLD);

	if (pid == 0) {
		long result = call->number == SYS_rt_sigreturn ? raw_sigreturn(a[0])
							       : raw(call->number, a);

		CALL(SYS_exit_group, (uint64_t)-result & 0xff);
	}
	if (pid > 0)
		wait_for(pid);
	return pid;
}

static long carry_out(const struct fuzz_call *call, const uint64_t a[6])
{
	switch (call->how) {
	case FUZZ_NEW_TASK: return new_task(call->number, a);
	case FUZZ_IN_CHILD: return in_child(call, a);
	default: return raw(call->number, a);
	}
}

static void count(size_t row, long result)
{
	if (result >= 0 || result < -4095)
		atomic_fetch_add(&fuzz_shared->rows[row].successes, 1);
	else if (-result < FUZZ_ERRNO_MAX)
		atomic_fetch_add(&fuzz_shared->errnos[-result], 1);
	else
		atomic_fetch_add(&fuzz_shared->odd_errnos, 1);
}

static void set_reg(uint64_t vcpu, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uint64_t)&value };

	CALL(SYS_ioctl, vcpu, KVM_SET_ONE_REG, (uint64_t)&reg);
}

/* Somewhere between memory, MMIO and the vGIC: where the guest reads and writes. */
static uint64_t guest_target(struct fuzz *f)
{
	static const uint64_t bases[] = { GUEST_RAM + MIB, GUEST_MMIO, GICD_BASE, GICR_BASE,
					  0x08080000 };

	return bases[fuzz_below(f, 5)] + fuzz_below(f, 64) * 8;
}

/* What user space may set in struct kvm_run, and now and then a guest that does something. */
static void prepare_run(struct fuzz *f, uint64_t vcpu)
{
	struct kvm_run *run = fuzz_machine.runs[fuzz_below(f, FUZZ_VCPUS)];

	if (FUZZ_ONE_IN(f, 2)) {
		set_reg(vcpu, CORE_REG(regs.pc), GUEST_RAM);
		set_reg(vcpu, CORE_REG(regs.pstate), 0x3c5);
		set_reg(vcpu, CORE_REG(regs.regs[1]), guest_target(f));
		set_reg(vcpu, CORE_REG(regs.regs[19]), GUEST_MMIO);
	}
	run->immediate_exit = FUZZ_ONE_IN(f, 8);
	run->mmio.len = (uint32_t)fuzz_below(f, 16);
}

static size_t pick_row(struct fuzz *f)
{
	return FUZZ_ONE_IN(f, 2) ? fuzz_below(f, fuzz_syscall_count)
				 : fuzz_syscall_count + fuzz_below(f, fuzz_ioctl_count);
}

static const struct fuzz_call *row_call(size_t row)
{
	return row < fuzz_syscall_count ? &fuzz_syscalls[row]
					: &fuzz_ioctls[row - fuzz_syscall_count];
}

static void one_call(struct fuzz *f)
{
	size_t row = pick_row(f);
	const struct fuzz_call *call = row_call(row);
	uint64_t a[6] = { 0 };

	fuzz_memory_begin(f);
	f->call = call;
	for (int i = 0; i < 6; i++) {
		a[i] = call->arg[i] ? call->arg[i](f) : 0;
		if (call->arg[i] && call->how != FUZZ_STRICT && FUZZ_ONE_IN(f, 24))
			a[i] = FUZZ_ONE_IN(f, 2) ? fuzz_odd(f) : fuzz_bad_pointer(f);
	}
	if (call->command)
		a[1] = call->command;
	if (call->command == KVM_RUN)
		prepare_run(f, a[0]);
	atomic_fetch_add(&fuzz_shared->rows[row].calls, 1);
	atomic_store(&fuzz_shared->current[f->index], row);
	count(row, carry_out(call, a));
	fuzz_memory_check(f);
	if (call->number == SYS_rt_sigprocmask) {
		uint64_t empty = 0;

		CALL(SYS_rt_sigprocmask, SIG_SETMASK, (uint64_t)&empty, 0, 8);
	}
}

/* ---- a child */

static struct fuzz threads[FUZZ_THREADS_MAX];

static void *make_calls(void *arg)
{
	struct fuzz *f = arg;

	atomic_store(&f->tid, (int)syscall(SYS_gettid));
	for (int i = 0; i < CALLS_OF_CHILD; i++) {
		if (atomic_fetch_add(&fuzz_shared->calls, 1) >= fuzz_shared->calls_wanted)
			break;
		one_call(f);
		atomic_fetch_add(&f->made, 1);
	}
	atomic_store(&f->done, 1);
	for (;;)
		CALL(SYS_nanosleep, (uint64_t) & (struct timespec){ .tv_sec = 1000 });
	return NULL;
}

static void no_op(int signal)
{
	(void)signal;
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = no_op };

	for (int i = 1; i <= 64; i++)
		if (i != SIGSEGV && i != SIGBUS && i != SIGILL && i != SIGTRAP && i != SIGFPE &&
		    i != SIGABRT)
			sigaction(i, &action, NULL);
}

static void sleep_us(long us)
{
	struct timespec t = { us / 1000000, us % 1000000 * 1000 };

	CALL(SYS_nanosleep, (uint64_t)&t, 0);
}

/* Threads may wait for what only a userfaultfd or another thread could give. */
static void close_all(void)
{
	CALL(SYS_close, (uint64_t)FUZZ_FD(FD_UFFD));
	CALL(SYS_close_range, 3, FUZZ_FD_FIRST - 1, 0);
	CALL(SYS_close_range, FUZZ_FD(FD_KINDS), FUZZ_FD_END, 0);
}

/* How long it took no notice, in ticks. */
static unsigned nudge(struct fuzz *f, unsigned quiet)
{
	if (quiet >= TICKS_TO_INTERRUPT)
		CALL(SYS_tgkill, (uint64_t)getpid(), (uint64_t)atomic_load(&f->tid),
		     quiet % 2 ? SIGUSR1 : SIGUSR2);
	if (quiet == TICKS_TO_CLOSE)
		close_all();
	if (quiet >= TICKS_TO_GIVE_UP)
		CALL(SYS_exit_group, GAVE_UP);
	return quiet + 1;
}

static void watch(void)
{
	unsigned long made[FUZZ_THREADS_MAX] = { 0 };
	unsigned quiet[FUZZ_THREADS_MAX] = { 0 };
	unsigned long done = 0;

	while (done < options.threads) {
		sleep_us(TICK_US);
		done = 0;
		for (unsigned i = 0; i < options.threads; i++) {
			unsigned long now = atomic_load(&threads[i].made);

			if (atomic_load(&threads[i].done))
				done++;
			else
				quiet[i] = now == made[i] ? nudge(&threads[i], quiet[i]) : 0;
			made[i] = now;
		}
	}
}

/* The child's own number generators, each a function of seed, child and thread. */
static void seed(struct fuzz *f, unsigned long child, unsigned thread)
{
	f->random =
		options.seed * 0x9e3779b97f4a7c15 + child * 0xbf58476d1ce4e5b9 + thread * 7919 + 1;
	for (int i = 0; i < 8; i++)
		fuzz_next(f);
	f->index = thread;
}

static void limit_files(void)
{
	struct rlimit limit = { FUZZ_FD_END + 1, FUZZ_FD_END + 1 };

	setrlimit(RLIMIT_NOFILE, &limit);
}

static void map_arena(void)
{
	/* At a place of its own, so that addresses are the same in each run. */
	fuzz_arena = mmap((void *)0x10000000000, FUZZ_ARENA_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (fuzz_arena == MAP_FAILED)
		_exit(1);
}

static void start_threads(void)
{
	pthread_t thread;

	for (unsigned i = 0; i < options.threads; i++)
		if (pthread_create(&thread, NULL, make_calls, &threads[i]))
			_exit(1);
}

/* Its standard streams lead nowhere. */
static void detach_streams(void)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	close(null);
}

static void run_child(unsigned long child)
{
	setpgid(0, 0);
	detach_streams();
	map_arena();
	for (unsigned i = 0; i < options.threads; i++) {
		seed(&threads[i], child, i);
		if (fuzz_memory_init(&threads[i]))
			_exit(1);
	}
	catch_signals();
	fuzz_open_all(&threads[0]);
	limit_files();
	if (child % 4 == 0)
		atomic_fetch_add(&fuzz_shared->stale_seen, fuzz_dirty_pages());
	atomic_fetch_add(&fuzz_shared->children_set_up, 1);
	start_threads();
	watch();
	threads[0].call = NULL;
	for (unsigned i = 0; i < FUZZ_VCPUS; i++)
		fuzz_scan(&threads[0], fuzz_machine.runs[i], fuzz_machine.run_size);
	_exit(0);
}

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
	printf("child %lu %s:", options.first + children - 1, what);
	for (unsigned i = 0; i < options.threads; i++)
		printf(" %s", row_call(atomic_load(&fuzz_shared->current[i]))->name);
	printf("\n");
}

static void collect(pid_t pid, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) < 65)
		died[WTERMSIG(status)]++;
	if (WIFEXITED(status) && WEXITSTATUS(status) == GAVE_UP) {
		gave_up++;
		print_current("gave up");
	} else if (WIFEXITED(status) && WEXITSTATUS(status) != 0 && WEXITSTATUS(status) < 10) {
		printf("child %lu could not begin: status %d\n", options.first + children - 1,
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

/* Children whose working directory changed leave files elsewhere. */
static void remove_strays(const char *path)
{
	char name[TEXT_MAX];
	struct dirent *e;
	DIR *dir = opendir(path);

	while (dir && (e = readdir(dir))) {
		if (strncmp(e->d_name, "fz", 2))
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (unlink(name))
			remove_tree(name);
	}
	if (dir)
		closedir(dir);
}

static void remove_files(void)
{
	remove_tree(FUZZ_DIR);
	remove_strays("/tmp");
	remove_strays("/dev");
	remove_strays("/dev/shm");
	remove_strays("/");
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

	snprintf(name, sizeof(name), "child %lu", options.first + children - 1);
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
		run_in_process(run_child, options.first + children - 1);
		failures += atomic_load(&fuzz_shared->children_set_up) == begun;
		collect_rest();
		remove_files();
		if (options.each)
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
		printf("  %-34s %7lu %7lu%s", row_call(i)->name,
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
			options.seed = number_of(argv[i + 1]);
		else if (!strcmp(argv[i], "--calls"))
			options.calls = number_of(argv[i + 1]);
		else if (!strcmp(argv[i], "--threads"))
			options.threads = number_of(argv[i + 1]);
		else if (!strcmp(argv[i], "--first"))
			options.first = number_of(argv[i + 1]);
		else if (!strcmp(argv[i], "--each"))
			options.each = number_of(argv[i + 1]);
		else
			break;
	}
	/* Children execute this program with other arguments: then it has nothing to do. */
	if (!options.calls || !options.threads || options.threads > FUZZ_THREADS_MAX)
		exit(2);
}

extern char __executable_start[], etext[];

/* A page of a program's file has memory of its own from its first use on: all are used now. */
static void use_program(void)
{
	char *start = (char *)((uintptr_t)__executable_start & -(uintptr_t)FUZZ_PAGE);

	(void)madvise(start, (size_t)(etext - start), 22 /* MADV_POPULATE_READ */);
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
	run_children(CALLS_TO_WARM_UP);
	before = measure();
	run_children(options.calls);
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
	printf("fuzz_calls: seed %lu, %lu threads, %lu calls\n", options.seed, options.threads,
	       options.calls);
	return check_done("fuzz_calls");
}
