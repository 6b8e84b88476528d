/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests on memory that a userfaultfd watches: their faults wait for it like a thread's, and what
 * UFFDIO_WRITEPROTECT takes away is taken from stage 2 as well. And what pagemap and the bitmap of
 * idle pages say of guests' memory. On Linux what it does not have, or does otherwise, is left out.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"
#include "tests/target/uffd_peer.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifndef KVM_CAP_PRE_FAULT_MEMORY
#define KVM_CAP_PRE_FAULT_MEMORY 236
struct kvm_pre_fault_memory {
	uint64_t gpa, size, flags, padding[5];
};
#define KVM_PRE_FAULT_MEMORY _IOWR(KVMIO, 0xd5, struct kvm_pre_fault_memory)
#endif

enum { DATA_GPA = GUEST_RAM + MIB, PAGES = 32 };

/* Reads the byte at x20 and tells it; then writes x21 there and tells that. */
GUEST(toucher_guest, "1:	ldrb	w0, [x20]\n"
		     "	str	x0, [x19]\n"
		     "	strb	w21, [x20]\n"
		     "	str	x21, [x19]\n"
		     "	b	1b\n");
/* The write alone. */
GUEST(writer_guest, "1:	strb	w21, [x20]\n"
		    "	str	x21, [x19]\n"
		    "	b	1b\n");

struct machine {
	struct vm vm;
	struct vcpu vcpu;
	char *data; /* PAGES at DATA_GPA */
};

enum { AT_TOUCHER = 0, AT_WRITER = 128 };

static char page_of_a[PAGE] __attribute__((aligned(PAGE)));

static int is_catwalk(void)
{
	struct utsname u;

	return uname(&u) == 0 && strstr(u.release, "catwalk");
}

static void machine_make(struct machine *m, char *data)
{
	char *code = host_memory(PAGE, PAGE);

	vm_create(&m->vm, 0);
	LOAD(code + AT_TOUCHER, toucher_guest);
	LOAD(code + AT_WRITER, writer_guest);
	CHECK_EQ(vm_slot(&m->vm, 0, 0, GUEST_RAM, PAGE, code), 0);
	m->data = data;
	if (!data) {
		m->data = host_memory(PAGES * PAGE, PAGE);
		madvise(m->data, PAGES * PAGE, MADV_NOHUGEPAGE);
	}
	CHECK_EQ(vm_slot(&m->vm, 1, 0, DATA_GPA, PAGES * PAGE, m->data), 0);
	vcpu_create(&m->vm, &m->vcpu, 0, 0);
}

static void machine_end(struct machine *m)
{
	vcpu_destroy(&m->vcpu);
	vm_destroy(&m->vm);
}

/* The next touch is of page @page, and writes @value. What the last exit left to do is done first:
 * it would move the PC. */
static void aim(struct machine *m, unsigned code, unsigned page, int value)
{
	m->vcpu.run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(&m->vcpu), -EINTR);
	m->vcpu.run->immediate_exit = 0;
	vcpu_start(&m->vcpu, GUEST_RAM + code);
	vcpu_set_x(&m->vcpu, 20, DATA_GPA + page * PAGE);
	vcpu_set_x(&m->vcpu, 21, (unsigned)value);
}

/* ---- who serves */

struct server {
	pthread_t thread;
	int fd;
	atomic_int stop;
	atomic_int faults;
	uint64_t flags;	      /* of the last */
	unsigned char before; /* what was there when a write was held back */
};

static void serve(struct server *s, const struct uffd_msg *msg)
{
	char *p = (char *)(msg->arg.pagefault.address & ~(uint64_t)(PAGE - 1));

	s->flags = msg->arg.pagefault.flags;
	s->faults++; /* before anybody goes on */
	if (s->flags & UFFD_PAGEFAULT_FLAG_WP) {
		usleep(20000); /* time for a write that is not held back */
		s->before = *(volatile unsigned char *)p;
		CHECK_EQ(uffd_protect(s->fd, p, PAGE, 0), 0);
	} else if (s->flags & UFFD_PAGEFAULT_FLAG_MINOR) {
		CHECK_EQ(uffd_continue(s->fd, p, PAGE, 0), PAGE);
	} else {
		CHECK_EQ(uffd_copy(s->fd, p, page_of_a, PAGE, 0), PAGE);
	}
}

static void *server_main(void *arg)
{
	struct server *s = arg;
	struct pollfd poller = { .fd = s->fd, .events = POLLIN };
	struct uffd_msg msg;

	while (!s->stop) {
		if (poll(&poller, 1, 10) == 1 && read(s->fd, &msg, sizeof(msg)) == sizeof(msg))
			serve(s, &msg);
	}
	return NULL;
}

static void server_start(struct server *s, int fd)
{
	*s = (struct server){ .fd = fd };
	REQUIRE(pthread_create(&s->thread, NULL, server_main, s) == 0);
}

static void server_end(struct server *s)
{
	s->stop = 1;
	pthread_join(s->thread, NULL);
}

/* ---- faults */

static void test_missing(void)
{
	int fd = uffd_open(O_NONBLOCK, 0);
	struct machine m;
	struct server s;

	machine_make(&m, NULL);
	CHECK_EQ(uffd_register(fd, m.data, PAGES * PAGE, MISSING), 0);
	server_start(&s, fd);
	for (unsigned i = 0; i < 8; i++) {
		aim(&m, AT_TOUCHER, i, 'g');
		CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO), 'a');
		CHECK_EQ(s.faults, i + 1);
		CHECK_EQ(s.flags, 0);
		CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO), 'g');
		CHECK_EQ(s.faults, i + 1);
		CHECK_EQ(m.data[i * PAGE], 'g');
	}
	aim(&m, AT_WRITER, 9, 'w');
	CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO), 'w');
	CHECK_EQ(s.flags, UFFD_PAGEFAULT_FLAG_WRITE);
	CHECK_EQ(m.data[9 * PAGE], 'w');
	CHECK_EQ(m.data[9 * PAGE + 1], 'a');
	/* What is dropped is asked for again: stage 2 holds nothing of it. */
	CHECK_OK(madvise(m.data, PAGE, MADV_DONTNEED));
	aim(&m, AT_TOUCHER, 0, 'h');
	CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO), 'a');
	CHECK_EQ(s.faults, 10);
	server_end(&s);
	machine_end(&m);
	close(fd);
}

static void test_protect(void)
{
	struct machine m;
	struct server s;
	int fd;

	if (!(uffd_features() & UFFD_FEATURE_PAGEFAULT_FLAG_WP))
		return;
	fd = uffd_open(O_NONBLOCK, 0);
	machine_make(&m, NULL);
	CHECK_EQ(uffd_register(fd, m.data, PAGES * PAGE, WP), 0);
	server_start(&s, fd);
	/* The guest can write, then it cannot: what it has in stage 2 goes. */
	aim(&m, AT_WRITER, 3, 'x');
	CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO), 'x');
	CHECK_EQ(s.faults, 0);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(uffd_protect(fd, m.data, PAGES * PAGE, 1), 0);
		aim(&m, AT_TOUCHER, 3, 'k' + i);
		CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO), i ? 'k' + i - 1 : 'x');
		CHECK_EQ(s.faults, i);
		CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO), 'k' + i);
		CHECK_EQ(s.faults, i + 1);
		CHECK_EQ(s.flags, UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE);
		CHECK_EQ(s.before, i ? 'k' + i - 1 : 'x');
		CHECK_EQ(m.data[3 * PAGE], 'k' + i);
	}
	server_end(&s);
	machine_end(&m);
	close(fd);
}

static void test_minor(void)
{
	int mem = memfd_create("guest", 0), fd = uffd_open(O_NONBLOCK, 0);
	char *data, *alias;
	struct machine m;
	struct server s;

	REQUIRE(mem >= 0 && ftruncate(mem, PAGES * PAGE) == 0);
	data = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
	alias = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
	machine_make(&m, data);
	CHECK_EQ(uffd_register(fd, data, PAGES * PAGE, MINOR), 0);
	server_start(&s, fd);
	alias[2 * PAGE] = 'm';
	aim(&m, AT_TOUCHER, 2, 'n');
	CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO), 'm');
	CHECK_EQ(s.flags & UFFD_PAGEFAULT_FLAG_MINOR, UFFD_PAGEFAULT_FLAG_MINOR);
	CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO), 'n');
	CHECK_EQ(alias[2 * PAGE], 'n');
	CHECK_EQ(s.faults, 1);
	server_end(&s);
	machine_end(&m);
	close(fd);
	close(mem);
}

/* ---- what ends a guest's wait */

static void *run_thread(void *arg)
{
	struct machine *m = arg;

	return (void *)(intptr_t)vcpu_run(&m->vcpu);
}

static void on_signal(int sig)
{
	(void)sig;
}

/* A signal takes the vCPU out of KVM_RUN; Linux waits on. */
static void test_signal(void)
{
	struct sigaction act = { .sa_handler = on_signal };
	int fd = uffd_open(O_NONBLOCK, 0);
	struct machine m;
	pthread_t thread;
	void *result;

	if (!is_catwalk())
		return;
	sigaction(SIGUSR1, &act, NULL);
	machine_make(&m, NULL);
	CHECK_EQ(uffd_register(fd, m.data, PAGES * PAGE, MISSING), 0);
	for (int i = 0; i < 2; i++) {
		aim(&m, AT_TOUCHER, 1, 0);
		REQUIRE(pthread_create(&thread, NULL, run_thread, &m) == 0);
		EXPECT_FAULT(fd, m.data + PAGE, 0);
		pthread_kill(thread, SIGUSR1);
		pthread_join(thread, &result);
		CHECK_EQ((intptr_t)result, -EINTR);
		CHECK_EQ(m.vcpu.run->exit_reason, KVM_EXIT_INTR);
	}
	CHECK_EQ(uffd_copy(fd, m.data + PAGE, page_of_a, PAGE, 0), PAGE);
	CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO), 'a');
	machine_end(&m);
	close(fd);
}

/* The range is let go while the vCPU waits: it gets what a program would. */
static void test_let_go(int by_close)
{
	int fd = uffd_open(O_NONBLOCK, 0);
	struct machine m;
	pthread_t thread;
	void *result;

	machine_make(&m, NULL);
	CHECK_EQ(uffd_register(fd, m.data, PAGES * PAGE, MISSING), 0);
	aim(&m, AT_TOUCHER, 1, 0);
	REQUIRE(pthread_create(&thread, NULL, run_thread, &m) == 0);
	EXPECT_FAULT(fd, m.data + PAGE, 0);
	if (by_close)
		close(fd);
	else
		CHECK_EQ(uffd_unregister(fd, m.data, PAGES * PAGE), 0);
	pthread_join(thread, &result);
	CHECK_EQ((intptr_t)result, 0);
	CHECK_EQ(m.vcpu.run->exit_reason, KVM_EXIT_MMIO);
	CHECK_EQ(m.vcpu.run->mmio.data[0], 0);
	machine_end(&m);
	if (!by_close)
		close(fd);
}

static void test_user_mode_only(void)
{
	int fd = uffd_open(UFFD_USER_MODE_ONLY | O_NONBLOCK, 0);
	struct machine m;

	machine_make(&m, NULL);
	CHECK_EQ(uffd_register(fd, m.data, PAGES * PAGE, MISSING), 0);
	aim(&m, AT_TOUCHER, 1, 0);
	CHECK_EQ(vcpu_run(&m.vcpu), -EFAULT);
	CHECK_EQ(uffd_copy(fd, m.data + PAGE, page_of_a, PAGE, 0), PAGE);
	CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO), 'a');
	machine_end(&m);
	close(fd);
}

static volatile sig_atomic_t bus_code;
static void *volatile bus_addr;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	bus_code = info->si_code;
	bus_addr = info->si_addr;
}

static void test_poison(void)
{
	struct sigaction act = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };
	struct machine m;
	int fd;

	if (!(uffd_features() & FEATURE_POISON))
		return;
	fd = uffd_open(O_NONBLOCK, 0);
	sigaction(SIGBUS, &act, NULL);
	machine_make(&m, NULL);
	CHECK_EQ(uffd_register(fd, m.data, PAGES * PAGE, MISSING), 0);
	CHECK_EQ(uffd_poison(fd, m.data + PAGE, PAGE, 0), PAGE);
	aim(&m, AT_TOUCHER, 1, 0);
	CHECK_EQ(vcpu_run(&m.vcpu), -EINTR);
	CHECK_EQ(bus_code, BUS_MCEERR_AR);
	CHECK(bus_addr == m.data + PAGE);
	machine_end(&m);
	close(fd);
}

/* Faults that KVM_PRE_FAULT_MEMORY takes on the guest's behalf. */
static void test_pre_fault(void)
{
	struct kvm_pre_fault_memory range = { .gpa = DATA_GPA, .size = 4 * PAGE };
	int fd = uffd_open(O_NONBLOCK, 0);
	struct machine m;
	struct server s;

	machine_make(&m, NULL);
	if (VM_CAP(&m.vm, KVM_CAP_PRE_FAULT_MEMORY) > 0) {
		CHECK_EQ(uffd_register(fd, m.data, PAGES * PAGE, MISSING), 0);
		server_start(&s, fd);
		CHECK_OK(ioctl(m.vcpu.fd, KVM_PRE_FAULT_MEMORY, &range));
		CHECK_EQ(range.size, 0);
		CHECK_EQ(s.faults, 4);
		aim(&m, AT_TOUCHER, 3, 0);
		CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO), 'a');
		CHECK_EQ(s.faults, 4);
		server_end(&s);
	}
	machine_end(&m);
	close(fd);
}

/* ---- pages by number */

static uint64_t word_at(int fd, uint64_t index)
{
	uint64_t word = 0;

	CHECK_EQ(pread(fd, &word, 8, (off_t)index * 8), 8);
	return word;
}

static uint64_t pagemap_of(int fd, const void *p)
{
	return word_at(fd, (uintptr_t)p / PAGE);
}

static void test_pagemap(void)
{
	int fd = open("/proc/self/pagemap", O_RDONLY), mem = memfd_create("m", 0);
	char *p = host_memory(4 * PAGE, PAGE), *q;
	uint64_t e;

	REQUIRE(fd >= 0 && mem >= 0 && ftruncate(mem, PAGE) == 0);
	madvise(p, 4 * PAGE, MADV_NOHUGEPAGE);
	q = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
	CHECK_EQ(pagemap_of(fd, p) >> 55, 0);
	p[0] = 1;
	p[PAGE] = 1;
	q[0] = 1;
	e = pagemap_of(fd, p);
	CHECK_EQ(e >> 63, 1);
	CHECK_EQ(e >> 61 & 1, 0);
	CHECK_EQ(e >> 56 & 1, 1);
	CHECK((e & ((1UL << 55) - 1)) != (pagemap_of(fd, p + PAGE) & ((1UL << 55) - 1)));
	e = pagemap_of(fd, q);
	CHECK_EQ(e >> 63, 1);
	CHECK_EQ(e >> 61 & 1, 1);
	CHECK_FAILS(pread(fd, &e, 7, 0), EINVAL);
	CHECK_FAILS(pread(fd, &e, 8, 4), EINVAL);
	CHECK_EQ(pread(fd, &e, 8, 1L << 60), 0);
	CHECK_FAILS(write(fd, &e, 8), EBADF);
	close(fd);
	close(mem);
}

static int is_idle(int fd, uint64_t pfn)
{
	return word_at(fd, pfn / 64) >> (pfn % 64) & 1;
}

static void mark_idle(int fd, uint64_t pfn)
{
	uint64_t word = 1UL << (pfn % 64);

	CHECK_EQ(pwrite(fd, &word, 8, (off_t)(pfn / 64 * 8)), 8);
}

static void test_idle(void)
{
	int fd = open("/sys/kernel/mm/page_idle/bitmap", O_RDWR), map;
	uint64_t pfn, word = 0;
	struct machine m;

	if (fd < 0)
		return; /* as Debian's kernel */
	map = open("/proc/self/pagemap", O_RDONLY);
	machine_make(&m, NULL);
	m.data[PAGE] = 'i';
	pfn = pagemap_of(map, m.data + PAGE) & ((1UL << 55) - 1);
	CHECK_EQ(is_idle(fd, pfn), 0);
	mark_idle(fd, pfn);
	CHECK_EQ(is_idle(fd, pfn), 1);
	CHECK_EQ(is_idle(fd, pfn), 1);
	/*
	 * A guest uses it; then a program; then the kernel for a program. (A guest whose TLB still
	 * has the page is not seen, here as on Linux.)
	 */
	aim(&m, AT_TOUCHER, 1, 'j');
	CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO), 'i');
	CHECK_EQ(is_idle(fd, pfn), 0);
	CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO), 'j');
	mark_idle(fd, pfn);
	CHECK_EQ(is_idle(fd, pfn), 1);
	CHECK_EQ(((volatile char *)m.data)[PAGE], 'j');
	CHECK_EQ(is_idle(fd, pfn), 0);
	mark_idle(fd, pfn);
	CHECK_EQ(pread(map, m.data + PAGE, 8, 0), 8);
	CHECK_EQ(is_idle(fd, pfn), 0);
	/* What takes its place begins anew. */
	mark_idle(fd, pfn);
	CHECK_OK(madvise(m.data + PAGE, PAGE, MADV_DONTNEED));
	m.data[PAGE] = 'k';
	pfn = pagemap_of(map, m.data + PAGE) & ((1UL << 55) - 1);
	CHECK_EQ(is_idle(fd, pfn), 0);
	CHECK_FAILS(pread(fd, &word, 4, 0), EINVAL);
	CHECK_FAILS(pwrite(fd, &word, 8, 4), EINVAL);
	CHECK_FAILS(pwrite(fd, &word, 8, 1L << 50), ENXIO);
	CHECK_EQ(pread(fd, &word, 8, 1L << 50), 0);
	machine_end(&m);
	close(map);
	close(fd);
}

int main(void)
{
	memset(page_of_a, 'a', PAGE);
	test_missing();
	test_protect();
	test_minor();
	test_signal();
	test_let_go(0);
	test_let_go(1);
	test_user_mode_only();
	test_poison();
	test_pre_fault();
	test_pagemap();
	test_idle();
	return check_done("kvm_uffd");
}
