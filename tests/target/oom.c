/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory runs out, by all that takes it: who only touches memory is ended by SIGKILL, the largest
 * process first; who asks by a call is told ENOMEM (or what Linux says instead). Others go on, and
 * all memory is back afterwards.
 *
 *	oom [WAY...]
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"

#include "abi/catwalk.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	/* How a hog ends. */
	TOLD_NOMEM = 10, /* a call said ENOMEM */
	TOLD_OTHER = 11, /* or ENFILE, EMFILE, EAGAIN: a limit came first */
	UNEXPECTED = 12,
	SLACK_KIB = 256,
	ONCE_KIB = 2048,
	SMALL = 4 * MIB, /* what the bystander has */
};

static void *anonymous(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		    -1, 0);
}

static int told(void)
{
	switch (errno) {
	case ENOMEM: return TOLD_NOMEM;
	case EMFILE:
	case ENFILE:
	case EAGAIN: return TOLD_OTHER;
	default: return UNEXPECTED;
	}
}

/* ---- hogs: each takes memory until it is ended or told */

static size_t more_than_all(void)
{
	struct sysinfo info;

	sysinfo(&info);
	return info.totalram * info.mem_unit * 2;
}

static int touch(size_t step, int advice)
{
	size_t size = more_than_all() / PAGE * step;
	volatile char *p = anonymous(size);

	if (p == MAP_FAILED)
		return UNEXPECTED;
	madvise((void *)p, size, advice);
	for (size_t at = 0; at < size; at += step)
		p[at] = 1;
	return UNEXPECTED;
}

static int touch_small(void)
{
	return touch(PAGE, MADV_NOHUGEPAGE);
}

static int touch_large(void)
{
	return touch(PAGE, MADV_HUGEPAGE);
}

/* A page and a table for each. */
static int touch_sparsely(void)
{
	return touch(2 * MIB, MADV_NOHUGEPAGE);
}

/* By who has borrowed the memory of a process that waits for it. */
static int touch_in_vfork(void)
{
	size_t size = more_than_all();
	volatile char *p = anonymous(size);

	madvise((void *)p, size, MADV_NOHUGEPAGE);
	if (vfork() == 0) {
		/* Memory that both have is what this is about.
		 * NOLINTBEGIN(clang-analyzer-unix.Vfork) */
		for (size_t at = 0; at < size; at += PAGE)
			p[at] = 1;
		/* NOLINTEND(clang-analyzer-unix.Vfork) */
		_exit(0);
	}
	return UNEXPECTED;
}

/* Tables alone: of the page of zeroes. */
static int read_sparsely(void)
{
	size_t size = more_than_all() / PAGE * 2 * MIB;
	volatile char *p = anonymous(size), sum = 0;

	madvise((void *)p, size, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < size; at += 2 * MIB)
		sum += p[at];
	(void)sum;
	return UNEXPECTED;
}

static int shared_memory(void)
{
	size_t size = more_than_all() / 4;

	for (int i = 0; i < 4; i++) {
		volatile char *p =
			mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return told();
		for (size_t at = 0; at < size; at += PAGE)
			p[at] = 1;
	}
	return UNEXPECTED;
}

/* By a system call that writes to untouched memory. */
static int read_into(void)
{
	int fd = open("/dev/zero", O_RDONLY);
	size_t size = more_than_all();
	char *p = anonymous(size);

	for (size_t at = 0; at < size; at += MIB)
		if (read(fd, p + at, MIB) != MIB)
			return UNEXPECTED;
	return UNEXPECTED;
}

static int populate(void)
{
	size_t size = more_than_all();
	char *p = anonymous(size);

	for (size_t at = 0; at < size; at += MIB)
		if (madvise(p + at, MIB, MADV_NOHUGEPAGE) || madvise(p + at, MIB, 23))
			return told();
	return UNEXPECTED;
}

static int write_memfd(void)
{
	int fd = memfd_create("hog", 0);
	char *block = anonymous(MIB);

	memset(block, 1, MIB);
	for (;;)
		if (write(fd, block, MIB) < 0)
			return told();
}

static int fallocate_memfd(void)
{
	int fd = memfd_create("hog", 0);

	return fallocate(fd, 0, 0, (off_t)more_than_all()) ? told() : UNEXPECTED;
}

static int fill_pipes(void)
{
	char *block = anonymous(1 << 16);
	int fd[2];

	for (;;) {
		if (pipe2(fd, O_NONBLOCK))
			return told();
		if (fcntl(fd[1], F_SETPIPE_SZ, MIB) < 0)
			return told();
		for (int i = 0; i < 16; i++)
			if (write(fd[1], block, 1 << 16) < 0)
				return told();
	}
}

static int open_events(void)
{
	while (eventfd(0, 0) >= 0)
		continue;
	return told();
}

static int open_sockets(void)
{
	int fd[2];

	while (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0)
		continue;
	return errno == EAFNOSUPPORT ? TOLD_NOMEM : told();
}

/* Connections that nobody accepts, to listener after listener. They have no descriptors. */
static int connect_sockets(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	for (int i = 0;; i++) {
		int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;

		snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "hog%08d", i);
		if (listener < 0 || bind(listener, (struct sockaddr *)&a, sizeof(a)) ||
		    listen(listener, 4096))
			break;
		while ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)) >= 0 &&
		       connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
			close(fd);
		if (fd < 0 || errno != EAGAIN)
			break;
		close(fd);
	}
	/* Long before memory is out. */
	return errno == ENFILE ? TOLD_OTHER : UNEXPECTED;
}

static int map_many(void)
{
	for (unsigned i = 0; i < 60000; i++)
		if (mmap(NULL, PAGE, i % 2 ? PROT_READ : PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0) == MAP_FAILED)
			return told();
	return TOLD_NOMEM; /* too few of them for all memory */
}

static void *sleep_for_ever(void *arg)
{
	pause();
	return arg;
}

static int start_threads(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384);
	for (;;) {
		int error = pthread_create(&thread, &attr, sleep_for_ever, NULL);

		if (error) {
			errno = error;
			return told();
		}
	}
}

static int fork_many(void)
{
	pid_t hog = getpid();

	for (;;) {
		pid_t pid = fork();

		if (pid < 0)
			return told();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			while (getppid() == hog)
				pause();
			_exit(0);
		}
	}
}

static int create_vms(void)
{
	int kvm = open("/dev/kvm", O_RDWR);

	while (ioctl(kvm, KVM_CREATE_VM, 0) >= 0)
		continue;
	return told();
}

static int create_vcpus(void)
{
	int kvm = open("/dev/kvm", O_RDWR);

	for (;;) {
		int vm = ioctl(kvm, KVM_CREATE_VM, 0);

		if (vm < 0)
			return told();
		for (unsigned long i = 0; i < 512; i++)
			if (ioctl(vm, KVM_CREATE_VCPU, i) < 0)
				return told();
	}
}

/* Bitmaps of dirty logs: a bit a page, of slots over one place. */
static int log_slots(void)
{
	int kvm = open("/dev/kvm", O_RDWR);
	size_t size = 4096ul * MIB;
	void *p = anonymous(size);

	for (;;) {
		struct vm vm = { .fd = ioctl(kvm, KVM_CREATE_VM, 0) };

		if (vm.fd < 0)
			return told();
		for (uint32_t i = 0; i < 64; i++) {
			int error = vm_slot(&vm, i, KVM_MEM_LOG_DIRTY_PAGES, i * size, size, p);

			if (error) {
				errno = -error;
				return told();
			}
		}
	}
}

static int fill_gmem(void)
{
	int kvm = open("/dev/kvm", O_RDWR), vm = ioctl(kvm, KVM_CREATE_VM, 0);
	struct kvm_create_guest_memfd create = { .size = more_than_all(), .flags = 3 };
	int fd = ioctl(vm, KVM_CREATE_GUEST_MEMFD, &create);

	return fallocate(fd, 1, 0, (off_t)create.size) ? told() : UNEXPECTED;
}

/* A word of each page from x1 on. */
GUEST(oom_writes, "1:	str x1, [x1]\n"
		  "	add x1, x1, #4096\n"
		  "	b 1b\n");

static int run_guest_in(void *ram, size_t size)
{
	struct vcpu vcpu;
	struct vm vm;
	int error;

	vm_create(&vm, 0);
	if (vm_slot(&vm, 0, 0, GUEST_RAM, size, ram))
		return UNEXPECTED;
	LOAD(ram, oom_writes);
	vcpu_create(&vm, &vcpu, 0, 0);
	vcpu_start(&vcpu, GUEST_RAM);
	vcpu_set_x(&vcpu, 1, GUEST_RAM + PAGE);
	error = vcpu_run(&vcpu);
	errno = -error;
	return error ? told() : UNEXPECTED;
}

static int run_guest(void)
{
	size_t size = more_than_all();
	void *ram = anonymous(size);

	madvise(ram, size, MADV_NOHUGEPAGE);
	return run_guest_in(ram, size);
}

static int prefault_guest(void)
{
	size_t size = more_than_all();
	struct kvm_pre_fault_memory range = { .gpa = GUEST_RAM, .size = size };
	int fd = memfd_create("ram", 0); /* reading takes pages, too */
	void *ram = ftruncate(fd, (off_t)size)
			    ? NULL
			    : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	if (vm_slot(&vm, 0, 0, GUEST_RAM, size, ram))
		return UNEXPECTED;
	vcpu_create(&vm, &vcpu, 0, 0);
	/* It says how far it came, as long as it came anywhere. */
	while (ioctl(vcpu.fd, KVM_PRE_FAULT_MEMORY, &range) == 0)
		continue;
	return told();
}

/* ---- the rows */

enum end { KILLED, TOLD, EITHER };

static const struct way {
	const char *name;
	int (*hog)(void);
	enum end end;
} ways[] = {
	{ "touch_small", touch_small, KILLED },
	{ "touch_large", touch_large, KILLED },
	{ "touch_sparsely", touch_sparsely, KILLED },
	{ "touch_in_vfork", touch_in_vfork, KILLED },
	{ "read_sparsely", read_sparsely, KILLED },
	{ "shared_memory", shared_memory, KILLED },
	{ "read_into", read_into, KILLED },
	{ "populate", populate, TOLD },
	{ "write_memfd", write_memfd, TOLD },
	{ "fallocate_memfd", fallocate_memfd, TOLD },
	{ "fill_pipes", fill_pipes, TOLD },
	{ "open_events", open_events, TOLD },
	{ "open_sockets", open_sockets, TOLD },
	{ "connect_sockets", connect_sockets, TOLD },
	{ "map_many", map_many, TOLD },
	{ "start_threads", start_threads, EITHER },
	{ "fork_many", fork_many, EITHER },
	{ "create_vms", create_vms, EITHER },
	{ "create_vcpus", create_vcpus, EITHER },
	{ "log_slots", log_slots, TOLD },
	{ "fill_gmem", fill_gmem, TOLD },
	{ "run_guest", run_guest, KILLED },
	{ "prefault_guest", prefault_guest, TOLD },
};

static unsigned long free_kib(void)
{
	struct sysinfo info;

	REQUIRE(sysinfo(&info) == 0);
	return info.freeram * info.mem_unit / 1024;
}

/* What has been freed is counted late. */
static unsigned long free_kib_settled(unsigned long wanted)
{
	for (int i = 0; i < 200 && free_kib() + SLACK_KIB < wanted; i++)
		usleep(10 * 1000);
	return free_kib();
}

static pid_t start(const struct way *way)
{
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (pid == 0) {
		struct rlimit files = { 1 << 20, 1 << 20 };

		prctl(PR_SET_NAME, way->name);
		setrlimit(RLIMIT_NOFILE, &files);
		errno = 0;
		told(); /* so that its code is there when there is no memory for it */
		_exit(way->hog());
	}
	return pid;
}

static int ended_as_it_should(const struct way *way, int status)
{
	int killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	int was_told = WIFEXITED(status) &&
		       (WEXITSTATUS(status) == TOLD_NOMEM || WEXITSTATUS(status) == TOLD_OTHER);

	return (killed && way->end != TOLD) || (was_told && way->end != KILLED);
}

static void run_way(const struct way *way)
{
	int status = 0;
	pid_t pid = start(way);

	REQUIRE(waitpid(pid, &status, 0) == pid);
	while (waitpid(-1, NULL, WNOHANG) >= 0) /* children of the hog's */
		usleep(1000);
	if (!check_note(ended_as_it_should(way, status)))
		printf("%s ended with %#x\n", way->name, status);
}

/* Twice: what the first one needed once and for all, the second one finds. */
static void check_way(const struct way *way)
{
	unsigned long at_first = free_kib(), before, after;

	run_way(way);
	before = free_kib_settled(at_first);
	run_way(way);
	after = free_kib_settled(before);
	if (!check_note(after + SLACK_KIB >= before && before + ONCE_KIB >= at_first))
		printf("%s: %lu KiB free at first, then %lu, then %lu\n", way->name, at_first,
		       before, after);
}

/* ---- the largest goes, not who happens to ask next */

static atomic_int *stop;

/* Has little, touches it again and again, and gets a page more now and then. */
static int bystander(void)
{
	volatile char *p = anonymous(SMALL);

	for (size_t at = 0; !atomic_load(stop); at = (at + PAGE) % SMALL) {
		p[at]++;
		if (at == 0)
			madvise((void *)p, SMALL / 2, MADV_DONTNEED);
		usleep(100);
	}
	return 0;
}

/* The first are run beside a bystander. */
enum { BESIDE = 5 };

static const struct way bystander_way = { "bystander", bystander, TOLD };

static void check_largest(void)
{
	pid_t by, hog;
	int status;

	by = start(&bystander_way);
	for (size_t i = 0; i < BESIDE; i++) {
		hog = start(&ways[i]);
		REQUIRE(waitpid(hog, &status, 0) == hog);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		CHECK_EQ(waitpid(by, &status, WNOHANG), 0);
	}
	atomic_store(stop, 1);
	CHECK_EQ(waitpid(by, &status, 0), by);
	CHECK_EQ(status, 0);
	while (waitpid(-1, NULL, 0) > 0) /* children of the hogs' */
		continue;
}

/* ---- what a process has in sockets counts */

enum { FILLERS_MAX = 16, FILLER_BYTES = 6 * MIB };

/* Fills socket after socket, until messages may have no more. */
static int fill_sockets(void)
{
	static char block[1 << 16];
	int fd[2];

	do {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd))
			return UNEXPECTED;
		while (write(fd[0], block, sizeof(block)) > 0)
			continue;
	} while (errno == EAGAIN);
	atomic_store(stop, 1);
	pause();
	return UNEXPECTED;
}

static int fill_a_little(void)
{
	char *p = anonymous(FILLER_BYTES);

	memset(p, 1, FILLER_BYTES);
	atomic_store(stop, 1);
	pause();
	return UNEXPECTED;
}

static const struct way socket_hog_way = { "fill_sockets", fill_sockets, KILLED };
static const struct way filler_way = { "filler", fill_a_little, KILLED };

/* Starts one and waits until it has what it wants, or any process has ended; then its id. */
static pid_t start_and_wait(const struct way *way, pid_t *pid, int *status)
{
	pid_t ended = 0;

	atomic_store(stop, 0);
	*pid = start(way);
	while (!atomic_load(stop) && !ended) {
		usleep(1000);
		ended = waitpid(-1, status, WNOHANG);
	}
	return ended;
}

/* Others, who have less each, come until memory is out: who has it in sockets goes. */
static void check_socket_hog(void)
{
	pid_t hog, fillers[FILLERS_MAX], ended;
	int status = 0, n = 0;

	REQUIRE(start_and_wait(&socket_hog_way, &hog, &status) == 0);
	do {
		ended = start_and_wait(&filler_way, &fillers[n], &status);
	} while (!ended && ++n < FILLERS_MAX);
	CHECK_EQ(ended, hog);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	for (int i = 0; i <= n && i < FILLERS_MAX; i++)
		kill(fillers[i], SIGKILL);
	kill(hog, SIGKILL);
	while (waitpid(-1, &status, 0) > 0)
		continue;
}

static int is_wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return 1;
	return argc == 1;
}

int main(int argc, char **argv)
{
	stop = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(stop != MAP_FAILED);
	atomic_store(stop, 0);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (is_wanted(ways[i].name, argc, argv))
			check_way(&ways[i]);
	if (is_wanted("largest", argc, argv))
		check_largest();
	if (is_wanted("socket_hog", argc, argv))
		check_socket_hog();
	return check_done("oom");
}
