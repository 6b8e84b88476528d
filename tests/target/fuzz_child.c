/* SPDX-License-Identifier: Apache-2.0 */
/* A child of the fuzzer: threads that make calls, and its main thread, which sees to it that they
   end. */
#define _GNU_SOURCE
#include "tests/target/client.h"
#include "tests/target/fuzz.h"
#include "tests/target/vgic.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	CALLS_OF_CHILD = 4000, /* of each thread */
	TICK_US = 1000,
	/* Ticks without a call ending, until: */
	TICKS_TO_INTERRUPT = 2,
	TICKS_TO_CLOSE = 100, /* what a thread may wait for is closed */
	TICKS_TO_GIVE_UP = 1500,
	WAITS_MAX = 50,
};

struct fuzz_options fuzz_options = { .seed = 1, .threads = 4 };

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

const struct fuzz_call *fuzz_row(size_t row)
{
	return row < fuzz_syscall_count ? &fuzz_syscalls[row]
					: &fuzz_ioctls[row - fuzz_syscall_count];
}

static void one_call(struct fuzz *f)
{
	size_t row = pick_row(f);
	const struct fuzz_call *call = fuzz_row(row);
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
		CALL(SYS_exit_group, FUZZ_GAVE_UP);
	return quiet + 1;
}

static void watch(void)
{
	unsigned long made[FUZZ_THREADS_MAX] = { 0 };
	unsigned quiet[FUZZ_THREADS_MAX] = { 0 };
	unsigned long done = 0;

	while (done < fuzz_options.threads) {
		sleep_us(TICK_US);
		done = 0;
		for (unsigned i = 0; i < fuzz_options.threads; i++) {
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
	f->random = fuzz_options.seed * 0x9e3779b97f4a7c15 + child * 0xbf58476d1ce4e5b9 +
		    thread * 7919 + 1;
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

	for (unsigned i = 0; i < fuzz_options.threads; i++)
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

void fuzz_run_child(unsigned long child)
{
	setpgid(0, 0);
	detach_streams();
	map_arena();
	for (unsigned i = 0; i < fuzz_options.threads; i++) {
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
