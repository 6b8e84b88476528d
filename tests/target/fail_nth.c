/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each of a set of system calls and ioctls with its first allocation failing, its second, and so on
 * until none does (/proc/thread-self/fail-nth). It fails with ENOMEM or goes without; nothing is
 * lost, and the same call works right afterwards.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"
#include "tests/target/vgic.h"

#include "abi/catwalk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	N_MAX = 400, /* no call allocates that often */
	AREA_SIZE = 4 * MIB,
	GMEM_SIZE = 64 * 1024,
	OBJECTS_SLACK = 2,
	ITS_BASE = 0x08080000,
	NOT_REACHED = 200,
};

static int knob, meminfo;
static char *area; /* fresh anonymous memory for each call */
static char buffer[65536];

/* What calls are made with; set up before each, without failures. */
static int kvm, vm, vcpu, gic, its, fd_a, fd_b, pipes[2];

static long set_knob(unsigned n)
{
	char text[16];
	int size = snprintf(text, sizeof(text), "%u", n);

	/* Turning it off may be what fails. */
	for (int i = 0; i < 3; i++)
		if (pwrite(knob, text, (size_t)size, 0) == size)
			return 0;
	return -1;
}

static unsigned get_knob(void)
{
	char text[16] = "";

	REQUIRE(pread(knob, text, sizeof(text) - 1, 0) > 0);
	return (unsigned)strtoul(text, NULL, 10);
}

static unsigned long objects(void)
{
	ssize_t n = pread(meminfo, buffer, sizeof(buffer) - 1, 0);
	char *line;

	REQUIRE(n > 0);
	buffer[n] = '\0';
	line = strstr(buffer, "KernelObjects:");
	REQUIRE(line);
	return strtoul(line + 14, NULL, 10);
}

/* What was left of the knob when the call had ended; -1: it has not. */
static int knob_left;

/* The call has ended: what follows gives back what it got, and does not fail. */
static int end(int error)
{
	if (knob_left >= 0)
		return error;
	knob_left = (int)get_knob();
	REQUIRE(set_knob(0) == 0);
	return error;
}

/* ---- calls: each gives back whatever it got. 0 or -errno. */

static int closed(int fd)
{
	int error = end(fd < 0 ? -errno : 0);

	if (fd >= 0)
		close(fd);
	return error;
}

static int result(long r)
{
	return r < 0 ? -errno : 0;
}

/* Of the last call of a row. */
static int last(long r)
{
	return end(result(r));
}

static int do_open(void)
{
	int error = closed(open("/tmp/fail", O_RDWR | O_CREAT, 0600));

	unlink("/tmp/fail");
	return error;
}

static int do_open_proc(void)
{
	return closed(open("/proc/self/task", O_RDONLY));
}

static int do_mkdir(void)
{
	int error = last(mkdir("/tmp/fail.d", 0700));

	rmdir("/tmp/fail.d");
	return error;
}

static int do_symlink(void)
{
	int error = last(symlink("/nowhere", "/tmp/fail.l"));

	unlink("/tmp/fail.l");
	return error;
}

static int do_mkfifo(void)
{
	int error = last(mknod("/tmp/fail.p", S_IFIFO | 0600, 0));

	unlink("/tmp/fail.p");
	return error;
}

static int do_rename(void)
{
	int error = last(rename("/tmp/from", "/tmp/a-name-that-is-longer-than-the-other"));

	if (!error)
		rename("/tmp/a-name-that-is-longer-than-the-other", "/tmp/from");
	return error;
}

static int do_exchange(void)
{
	int error = last(syscall(SYS_renameat2, AT_FDCWD, "/tmp/from", AT_FDCWD, "/tmp/dir", 2));

	if (!error)
		syscall(SYS_renameat2, AT_FDCWD, "/tmp/from", AT_FDCWD, "/tmp/dir", 2);
	return error;
}

/* Over a file that is there. */
static int do_rename_over(void)
{
	int error;

	close(open("/tmp/over", O_RDWR | O_CREAT, 0600));
	error = last(rename("/tmp/from", "/tmp/over"));
	if (!error)
		rename("/tmp/over", "/tmp/from");
	CHECK_EQ(access("/tmp/from", F_OK), 0);
	unlink("/tmp/over");
	return error;
}

static int do_getdents(void)
{
	return result(syscall(SYS_getdents64, fd_a, buffer, sizeof(buffer)));
}

static int do_getcwd(void)
{
	return getcwd(buffer, sizeof(buffer)) ? 0 : -errno;
}

static int do_stat(void)
{
	struct stat s;

	return result(stat("/proc/self/maps", &s));
}

static int do_read_maps(void)
{
	return result(pread(fd_b, buffer, sizeof(buffer), 0));
}

static int do_pipe(void)
{
	int fd[2];
	int error = last(pipe(fd));

	if (!error) {
		close(fd[0]);
		close(fd[1]);
	}
	return error;
}

static int do_pipe_size(void)
{
	int error = last(fcntl(pipes[1], F_SETPIPE_SZ, MIB));

	fcntl(pipes[1], F_SETPIPE_SZ, 65536);
	return error < 0 ? error : 0;
}

static int do_eventfd(void)
{
	return closed(eventfd(0, 0));
}

static int do_timerfd(void)
{
	return closed(timerfd_create(CLOCK_MONOTONIC, 0));
}

static int do_signalfd(void)
{
	sigset_t set;

	sigemptyset(&set);
	return closed(signalfd(-1, &set, 0));
}

static int do_socketpair(void)
{
	int fd[2];
	int error = last(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));

	if (!error) {
		close(fd[0]);
		close(fd[1]);
	}
	return error;
}

/* A name, a connection by it, and its other end. */
static int do_connect(void)
{
	struct sockaddr_un a = { AF_UNIX, "\0fail" };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
	int server = -1, error = result(listener < 0 ? listener : client);

	if (!error)
		error = result(bind(listener, (struct sockaddr *)&a, 7));
	if (!error)
		error = result(listen(listener, 1));
	if (!error)
		error = result(connect(client, (struct sockaddr *)&a, 7));
	if (!error) {
		server = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
		error = result(server);
	}
	end(error);
	close(server);
	close(client);
	close(listener);
	return error;
}

static int do_bind_path(void)
{
	struct sockaddr_un a = { AF_UNIX, "/tmp/fail.sock" };
	int s = socket(AF_UNIX, SOCK_DGRAM, 0), error = result(s);

	if (!error)
		error = last(bind(s, (struct sockaddr *)&a, sizeof(a)));
	end(error);
	close(s);
	unlink(a.sun_path);
	return error;
}

/* Bytes and a file, sent and received. */
static int do_send_file(void)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .h = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec iov = { buffer, 100 };
	struct msghdr h = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	int fd[2], got = -1, error;

	memcpy(CMSG_DATA(&control.h), &pipes[0], sizeof(int));
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fd))
		return end(-errno);
	error = result(sendmsg(fd[0], &h, MSG_DONTWAIT));
	if (!error)
		error = result(recvmsg(fd[1], &h, MSG_DONTWAIT));
	end(error);
	if (!error && h.msg_controllen >= CMSG_LEN(sizeof(int)))
		memcpy(&got, CMSG_DATA(&control.h), sizeof(int));
	close(got);
	close(fd[0]);
	close(fd[1]);
	return error;
}

static int do_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int set = epoll_create1(0), error;

	if (set < 0)
		return -errno;
	error = last(epoll_ctl(set, EPOLL_CTL_ADD, pipes[0], &event));
	close(set);
	return error;
}

static int do_poll(void)
{
	struct pollfd fds[300];

	for (int i = 0; i < 300; i++)
		fds[i] = (struct pollfd){ .fd = pipes[0], .events = POLLIN };
	return result(poll(fds, 300, 0));
}

static int do_select(void)
{
	fd_set sets[3];

	for (int i = 0; i < 3; i++) {
		FD_ZERO(&sets[i]);
		FD_SET(pipes[0], &sets[i]);
	}
	return result(select(1000, &sets[0], &sets[1], &sets[2], &(struct timeval){ 0 }));
}

static int do_memfd(void)
{
	int fd = memfd_create("fail", 0), error;

	if (fd < 0)
		return -errno;
	error = last(pwrite(fd, "x", 1, 1 << 20));
	close(fd);
	return error;
}

static int do_fallocate(void)
{
	int fd = memfd_create("fail", 0), error;

	if (fd < 0)
		return -errno;
	error = last(fallocate(fd, 0, 0, 16 * PAGE));
	close(fd);
	return error;
}

static int do_readv(void)
{
	struct iovec v[100];

	for (int i = 0; i < 100; i++)
		v[i] = (struct iovec){ buffer + i, 1 };
	return result(preadv(fd_b, v, 100, 0));
}

static int do_sendfile(void)
{
	off_t at = 0;

	return result(sendfile(pipes[1], fd_a, &at, 100)) ? -errno : 0;
}

static int do_mmap(void)
{
	void *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int error = end(p == MAP_FAILED ? -errno : 0);

	if (!error)
		munmap(p, 4 * PAGE);
	return error;
}

static int do_mmap_shared(void)
{
	void *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int error = end(p == MAP_FAILED ? -errno : 0);

	if (!error)
		munmap(p, 4 * PAGE);
	return error;
}

static int do_munmap(void)
{
	return result(munmap(area + 8 * PAGE, PAGE));
}

static int do_mprotect(void)
{
	return result(mprotect(area + 16 * PAGE, 3 * PAGE, PROT_READ));
}

static int do_mremap(void)
{
	void *p = mremap(area + 32 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE);

	int error = end(p == MAP_FAILED ? -errno : 0);

	if (!error)
		munmap(p, 2 * PAGE);
	return error;
}

static int do_split_huge(void)
{
	return result(madvise(area + PAGE, PAGE, MADV_DONTNEED));
}

static int do_populate(void)
{
	return result(madvise(area, AREA_SIZE, 23 /* POPULATE_WRITE */));
}

static int do_mlock(void)
{
	return result(mlock(area, 64 * PAGE));
}

/* Not a call: a page that a program touches is had in the end. */
static int do_touch(void)
{
	for (size_t at = 0; at < AREA_SIZE; at += 16 * PAGE)
		area[at] = 1;
	return 0;
}

/* The same by a system call. */
static int do_read_into_area(void)
{
	return result(pread(fd_b, area, 1000, 0));
}

static int do_mincore(void)
{
	return result(mincore(area, AREA_SIZE, (unsigned char *)buffer));
}

static int do_fork(void)
{
	pid_t pid = fork();
	int error;

	if (pid == 0)
		_exit(0);
	error = end(pid < 0 ? -errno : 0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return error;
}

static int nothing(void *arg)
{
	(void)arg;
	syscall(SYS_exit, 0);
	return 0;
}

static int do_thread(void)
{
	static char stack[16384] __attribute__((aligned(16)));
	static int tid;
	int pid = clone(nothing, stack + sizeof(stack),
			CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
				CLONE_SYSVSEM | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID,
			NULL, &tid, NULL, &tid);

	int error = end(pid < 0 ? -errno : 0);

	while (pid > 0 && *(volatile int *)&tid)
		sched_yield();
	return error;
}

/*
 * By a child, which has a knob of its own. The new program says whether its start was reached
 * without a failure; one that fails later than in execve() ends in some way of its own.
 */
static int do_exec(void)
{
	unsigned n = get_knob();
	char text[16], fd[16];
	int status, own, size;
	pid_t pid;

	end(0);
	pid = fork();
	REQUIRE(pid >= 0);
	if (pid == 0) {
		char *args[] = { "fail_nth", "nothing", fd, NULL };

		own = open("/proc/thread-self/fail-nth", O_RDWR);
		(void)!pread(own, fd, 1, 0);
		dup2(open("/dev/null", O_WRONLY), 2);
		snprintf(fd, sizeof(fd), "%d", own);
		size = snprintf(text, sizeof(text), "%u", n);
		if (pwrite(own, text, (size_t)size, 0) != size)
			_exit(99);
		execv("/proc/self/exe", args);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	knob_left = WIFEXITED(status) && WEXITSTATUS(status) == NOT_REACHED;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGSEGV ? -ENOMEM
										  : -EPROTO;
	if (WEXITSTATUS(status) == NOT_REACHED || WEXITSTATUS(status) == 127)
		return 0;
	return -WEXITSTATUS(status);
}

/* The program that do_exec() starts. */
static int say_knob(const char *fd)
{
	char text[16] = "";

	(void)!pread(atoi(fd), text, sizeof(text) - 1, 0);
	return strtoul(text, NULL, 10) ? NOT_REACHED : 0;
}

static int do_timer(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	int id = 0; /* as the kernel has it */
	long r = syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id);

	int error = last(r);

	if (!r)
		syscall(SYS_timer_delete, id);
	return error;
}

static int do_queue_signal(void)
{
	union sigval value = { .sival_int = 1 };
	struct timespec none = { 0 };
	siginfo_t info;
	sigset_t set;
	int error;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	error = last(sigqueue(getpid(), SIGRTMIN + 2, value));
	while (sigtimedwait(&set, &info, &none) > 0)
		continue;
	return error;
}

static int do_uffd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register r = { .range = { (uint64_t)area, 16 * PAGE }, .mode = 1 };
	struct uffdio_copy c = { .dst = (uint64_t)area, .src = (uint64_t)buffer, .len = PAGE };
	int fd = (int)syscall(SYS_userfaultfd, O_NONBLOCK), error;

	if (fd < 0)
		return -errno;
	error = result(ioctl(fd, UFFDIO_API, &api));
	if (!error)
		error = result(ioctl(fd, UFFDIO_REGISTER, &r));
	if (!error)
		error = last(ioctl(fd, UFFDIO_COPY, &c));
	close(fd);
	return error;
}

static int do_flock(void)
{
	int error = last(syscall(SYS_flock, fd_a, 1 /* LOCK_SH */));

	syscall(SYS_flock, fd_a, 8 /* LOCK_UN */);
	return error;
}

/* A lock, and a hole in it. */
static int do_record_lock(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_len = 100 };
	struct flock hole = { .l_type = F_UNLCK, .l_start = 10, .l_len = 10 };
	struct flock all = { .l_type = F_UNLCK };
	int error = result(fcntl(fd_a, F_SETLK, &lock));

	if (!error)
		error = result(fcntl(fd_a, F_SETLK, &hole));
	end(error);
	fcntl(fd_a, F_SETLK, &all);
	return error;
}

static int do_dup_far(void)
{
	return closed(fcntl(pipes[0], F_DUPFD, 900));
}

static int do_create_vm(void)
{
	return closed(ioctl(kvm, KVM_CREATE_VM, 0));
}

static int do_create_vcpu(void)
{
	int m = ioctl(kvm, KVM_CREATE_VM, 0), c, error;

	if (m < 0)
		return -errno;
	c = ioctl(m, KVM_CREATE_VCPU, 0);
	error = closed(c);
	end(0);
	close(m);
	return error;
}

static int set_slot(int m, uint32_t flags, uint64_t size)
{
	struct vm of = { .fd = m };

	return vm_slot(&of, 5, flags, 0x80000000, size, area);
}

static int do_slot(void)
{
	int error = end(set_slot(vm, 0, AREA_SIZE));

	set_slot(vm, 0, 0);
	return error;
}

static int do_log(void)
{
	struct kvm_dirty_log log = { .slot = 5, .dirty_bitmap = buffer };
	int error = set_slot(vm, KVM_MEM_LOG_DIRTY_PAGES, AREA_SIZE);

	if (!error)
		error = result(ioctl(vm, KVM_GET_DIRTY_LOG, &log));
	end(0);
	set_slot(vm, 0, 0);
	return error;
}

static int do_rings(void)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_DIRTY_LOG_RING_ACQ_REL, .args = { 4096 } };
	int m = ioctl(kvm, KVM_CREATE_VM, 0), error;

	if (m < 0)
		return -errno;
	error = result(ioctl(m, KVM_ENABLE_CAP, &cap));
	if (!error)
		error = closed(ioctl(m, KVM_CREATE_VCPU, 0));
	end(0);
	close(m);
	return error;
}

static int do_vgic(void)
{
	struct kvm_create_device gic_args = { .type = KVM_DEV_TYPE_ARM_VGIC_V3 };
	struct kvm_create_device its_args = { .type = KVM_DEV_TYPE_ARM_VGIC_ITS };
	uint64_t dist = GICD_BASE, redist = GICR_BASE, its_base = ITS_BASE;
	struct vm m = { .kvm = kvm, .fd = ioctl(kvm, KVM_CREATE_VM, 0) };
	int c, error;

	if (m.fd < 0)
		return -errno;
	c = ioctl(m.fd, KVM_CREATE_VCPU, 0);
	error = c < 0 ? -errno : 0;
	if (!error)
		error = result(ioctl(m.fd, KVM_CREATE_DEVICE, &gic_args));
	if (!error)
		error = result(ioctl(m.fd, KVM_CREATE_DEVICE, &its_args));
	if (!error)
		error = attr_set((int)gic_args.fd, 0, KVM_VGIC_V3_ADDR_TYPE_DIST, &dist);
	if (!error)
		error = attr_set((int)gic_args.fd, 0, KVM_VGIC_V3_ADDR_TYPE_REDIST, &redist);
	if (!error)
		error = attr_set((int)its_args.fd, 0, KVM_VGIC_ITS_ADDR_TYPE, &its_base);
	if (!error)
		error = attr_set((int)gic_args.fd, 4, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
	end(0);
	if (gic_args.fd)
		close((int)gic_args.fd);
	if (its_args.fd)
		close((int)its_args.fd);
	if (c >= 0)
		close(c);
	close(m.fd);
	return error;
}

static int do_irqfd(void)
{
	struct kvm_irqfd add = { .fd = (uint32_t)fd_a, .gsi = 40 };
	struct kvm_irqfd remove = { .fd = (uint32_t)fd_a, .gsi = 40, .flags = 1 };
	int error = last(ioctl(vm, KVM_IRQFD, &add));

	ioctl(vm, KVM_IRQFD, &remove);
	return error;
}

static int do_ioeventfd(void)
{
	struct kvm_ioeventfd e = { .addr = GUEST_MMIO, .len = 4, .fd = fd_a };
	int error = last(ioctl(vm, KVM_IOEVENTFD, &e));

	e.flags = KVM_IOEVENTFD_FLAG_DEASSIGN;
	ioctl(vm, KVM_IOEVENTFD, &e);
	return error;
}

static int do_routing(void)
{
	struct {
		struct kvm_irq_routing table;
		struct kvm_irq_routing_entry entries[4];
	} r = { .table.nr = 4 };

	for (uint32_t i = 0; i < 4; i++)
		r.entries[i] =
			(struct kvm_irq_routing_entry){ .gsi = i, .type = 1, .u.irqchip.pin = i };
	return result(ioctl(vm, KVM_SET_GSI_ROUTING, &r));
}

static int do_gmem(void)
{
	struct kvm_create_guest_memfd create = { .size = GMEM_SIZE, .flags = 3 };
	int fd = ioctl(vm, KVM_CREATE_GUEST_MEMFD, &create), error;
	struct kvm_userspace_memory_region2 slot = {
		.slot = 6,
		.flags = KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = 0x90000000,
		.memory_size = GMEM_SIZE,
		.guest_memfd = (uint32_t)fd,
	};

	if (fd < 0)
		return -errno;
	error = result(fallocate(fd, 1, 0, 8 * PAGE));
	if (!error)
		error = result(ioctl(vm, KVM_SET_USER_MEMORY_REGION2, &slot));
	end(0);
	slot.memory_size = 0;
	slot.flags = 0;
	ioctl(vm, KVM_SET_USER_MEMORY_REGION2, &slot);
	close(fd);
	return error;
}

static int do_stats(void)
{
	int error = closed(ioctl(vm, KVM_GET_STATS_FD, 0));

	return error ? error : closed(ioctl(vcpu, KVM_GET_STATS_FD, 0));
}

static int do_filter(void)
{
	struct kvm_smccc_filter filter = { .base = 0x86000000, .nr_functions = 8, .action = 1 };
	struct kvm_device_attr attr = { .addr = (uint64_t)&filter };
	int m = ioctl(kvm, KVM_CREATE_VM, 0), error;

	if (m < 0)
		return -errno;
	error = last(ioctl(m, KVM_SET_DEVICE_ATTR, &attr));
	end(0);
	close(m);
	return error;
}

static int do_pmu_filter(void)
{
	struct vm m = { .kvm = kvm, .fd = ioctl(kvm, KVM_CREATE_VM, 0) };
	struct kvm_pmu_event_filter filter = { .base_event = 8, .nevents = 1 };
	struct kvm_device_attr attr = { .group = KVM_ARM_VCPU_PMU_V3_CTRL,
					.attr = KVM_ARM_VCPU_PMU_V3_FILTER,
					.addr = (uint64_t)&filter };
	struct vcpu c;
	int error;

	if (m.fd < 0)
		return -errno;
	c.fd = ioctl(m.fd, KVM_CREATE_VCPU, 0);
	error = c.fd < 0 ? -errno
			 : vcpu_init(&m, &c,
				     1u << KVM_ARM_VCPU_PSCI_0_2 | 1u << KVM_ARM_VCPU_PMU_V3);
	if (!error)
		error = last(ioctl(c.fd, KVM_SET_DEVICE_ATTR, &attr));
	end(0);
	if (c.fd >= 0)
		close(c.fd);
	close(m.fd);
	return error;
}

static int do_coalesced(void)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = GUEST_MMIO, .size = 8 };
	int error = last(ioctl(vm, KVM_REGISTER_COALESCED_MMIO, &zone));

	ioctl(vm, KVM_UNREGISTER_COALESCED_MMIO, &zone);
	return error;
}

static int do_contract(void)
{
	struct catwalk_contract c = { .slots = (uint64_t)buffer, .slot_count = 8 };

	return result(ioctl(vm, KVM_CATWALK_GET_CONTRACT, &c));
}

static int do_prefault(void)
{
	struct kvm_pre_fault_memory p = { .gpa = 0x80000000, .size = AREA_SIZE };
	int error = set_slot(vm, 0, AREA_SIZE);

	while (!error && p.size)
		error = result(ioctl(vcpu, KVM_PRE_FAULT_MEMORY, &p));
	end(0);
	set_slot(vm, 0, 0);
	return error;
}

/* Stores to 64 pages, then an exit. */
GUEST(fail_guest, "	mov x0, #64\n"
		  "	mov x1, x20\n"
		  "1:	str x0, [x1]\n"
		  "	add x1, x1, #4096\n"
		  "	subs x0, x0, #1\n"
		  "	b.ne 1b\n"
		  "	str x0, [x19]\n"
		  "	b .\n");

static int do_run(void)
{
	struct vm m = { .kvm = kvm, .fd = ioctl(kvm, KVM_CREATE_VM, 0) };
	struct vcpu c = { .run = MAP_FAILED };
	int error;

	if (m.fd < 0)
		return -errno;
	error = vm_slot(&m, 0, 0, GUEST_RAM, AREA_SIZE, area);
	c.fd = error ? -1 : ioctl(m.fd, KVM_CREATE_VCPU, 0);
	if (!error && c.fd < 0)
		error = -errno;
	c.run_size = 8192;
	if (!error)
		c.run = mmap(NULL, c.run_size, PROT_READ | PROT_WRITE, MAP_SHARED, c.fd, 0);
	if (!error && c.run == MAP_FAILED)
		error = -errno;
	if (!error) {
		error = vcpu_init(&m, &c, 1u << KVM_ARM_VCPU_PSCI_0_2);
		memcpy(area, fail_guest, (size_t)(fail_guest_end - fail_guest));
		__builtin___clear_cache(area, area + PAGE);
	}
	if (!error) {
		vcpu_start(&c, GUEST_RAM);
		reg_set(&c, CORE_REG(regs.regs[20]), GUEST_RAM + MIB);
		error = vcpu_run(&c);
		if (!error && c.run->exit_reason != KVM_EXIT_MMIO)
			error = -EPROTO;
	}
	end(0);
	if (c.run != MAP_FAILED)
		munmap(c.run, c.run_size);
	if (c.fd >= 0)
		close(c.fd);
	close(m.fd);
	return error;
}

/* ---- the rows */

/* Before the call: a huge page that it has to cut. */
static void touch_area(void)
{
	area[0] = 1;
}

static const struct row {
	const char *name;
	int (*call)(void);
	int other;	      /* an error besides ENOMEM */
	void (*before)(void); /* or NULL */
} rows[] = {
	{ "open", do_open, 0, NULL },
	{ "open /proc", do_open_proc, 0, NULL },
	{ "mkdir", do_mkdir, 0, NULL },
	{ "symlink", do_symlink, 0, NULL },
	{ "mknod", do_mkfifo, 0, NULL },
	{ "rename", do_rename, 0, NULL },
	{ "rename over another", do_rename_over, 0, NULL },
	{ "RENAME_EXCHANGE", do_exchange, 0, NULL },
	{ "getdents64", do_getdents, 0, NULL },
	{ "getcwd", do_getcwd, 0, NULL },
	{ "stat", do_stat, 0, NULL },
	{ "read of /proc/self/maps", do_read_maps, 0, NULL },
	{ "pipe2", do_pipe, 0, NULL },
	{ "F_SETPIPE_SZ", do_pipe_size, 0, NULL },
	{ "eventfd2", do_eventfd, 0, NULL },
	{ "timerfd_create", do_timerfd, 0, NULL },
	{ "signalfd4", do_signalfd, 0, NULL },
	{ "socketpair", do_socketpair, 0, NULL },
	{ "bind, connect, accept", do_connect, 0, NULL },
	{ "bind to a path", do_bind_path, 0, NULL },
	{ "SCM_RIGHTS", do_send_file, ENOBUFS, NULL },
	{ "F_SETLK", do_record_lock, ENOLCK, NULL },
	{ "epoll", do_epoll, 0, NULL },
	{ "ppoll", do_poll, 0, NULL },
	{ "pselect6", do_select, 0, NULL },
	{ "memfd_create, pwrite64", do_memfd, 0, NULL },
	{ "fallocate", do_fallocate, 0, NULL },
	{ "preadv", do_readv, 0, NULL },
	{ "sendfile", do_sendfile, 0, NULL },
	{ "mmap", do_mmap, 0, NULL },
	{ "mmap, shared", do_mmap_shared, 0, NULL },
	{ "munmap", do_munmap, 0, touch_area },
	{ "mprotect", do_mprotect, 0, touch_area },
	{ "mremap", do_mremap, 0, touch_area },
	{ "madvise, DONTNEED", do_split_huge, 0, touch_area },
	{ "madvise, POPULATE_WRITE", do_populate, 0, NULL },
	{ "mlock", do_mlock, EAGAIN, NULL },
	{ "a touch", do_touch, 0, NULL },
	{ "read into new memory", do_read_into_area, 0, NULL },
	{ "mincore", do_mincore, EAGAIN, NULL },
	{ "fork", do_fork, EAGAIN, NULL },
	{ "clone", do_thread, EAGAIN, NULL },
	{ "execve", do_exec, 0, NULL },
	{ "timer_create", do_timer, EAGAIN, NULL },
	{ "rt_sigqueueinfo", do_queue_signal, EAGAIN, NULL },
	{ "userfaultfd", do_uffd, 0, NULL },
	{ "flock", do_flock, ENOLCK, NULL },
	{ "F_DUPFD", do_dup_far, 0, NULL },
	{ "KVM_CREATE_VM", do_create_vm, 0, NULL },
	{ "KVM_CREATE_VCPU", do_create_vcpu, 0, NULL },
	{ "KVM_SET_USER_MEMORY_REGION", do_slot, 0, NULL },
	{ "KVM_GET_DIRTY_LOG", do_log, 0, NULL },
	{ "dirty rings", do_rings, 0, NULL },
	{ "vGIC and ITS", do_vgic, 0, NULL },
	{ "KVM_IRQFD", do_irqfd, 0, NULL },
	{ "KVM_IOEVENTFD", do_ioeventfd, 0, NULL },
	{ "KVM_SET_GSI_ROUTING", do_routing, 0, NULL },
	{ "KVM_CREATE_GUEST_MEMFD", do_gmem, 0, NULL },
	{ "KVM_GET_STATS_FD", do_stats, 0, NULL },
	{ "KVM_ARM_VM_SMCCC_FILTER", do_filter, 0, NULL },
	{ "KVM_ARM_VCPU_PMU_V3_FILTER", do_pmu_filter, 0, NULL },
	{ "KVM_REGISTER_COALESCED_MMIO", do_coalesced, 0, NULL },
	{ "KVM_CATWALK_GET_CONTRACT", do_contract, 0, NULL },
	{ "KVM_PRE_FAULT_MEMORY", do_prefault, 0, NULL },
	{ "KVM_RUN", do_run, 0, NULL },
};

/* Memory that nobody touched, in front of a huge page that is there. */
static void new_area(void)
{
	munmap(area, AREA_SIZE);
	REQUIRE(mmap(area, AREA_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == area);
	area[AREA_SIZE - 1] = 1;
}

static int is_allowed(const struct row *row, int error)
{
	return error == 0 || error == -ENOMEM || error == -row->other;
}

/* The call with allocation @n failing; 0: it made fewer. */
static int fail_one(const struct row *row, unsigned n)
{
	int error;

	new_area();
	if (row->before)
		row->before();
	knob_left = -1;
	REQUIRE(set_knob(n) == 0);
	error = end(row->call());
	if (!check_note(is_allowed(row, error)))
		printf("%s: %s with allocation %u failing\n", row->name, strerrorname_np(-error),
		       n);
	if (!knob_left)
		return 1;
	if (!check_note(error == 0))
		printf("%s: %s without a failure\n", row->name, strerrorname_np(-error));
	return 0;
}

/* As many as before, once what is freed late has been freed. */
static unsigned long objects_settled(unsigned long wanted)
{
	for (int i = 0; i < 100 && objects() > wanted; i++)
		usleep(2000);
	return objects();
}

static unsigned check_row(const struct row *row)
{
	unsigned long before, after;
	unsigned n;

	new_area();
	knob_left = -1;
	CHECK_EQ(row->call(), 0); /* whatever is made once is made now */
	new_area();
	usleep(5000);
	before = objects_settled(0);
	for (n = 1; n < N_MAX && fail_one(row, n); n++)
		continue;
	CHECK(n < N_MAX);
	new_area();
	after = objects_settled(before);
	if (!check_note(after <= before + OBJECTS_SLACK))
		printf("%s: %lu kernel objects before, %lu after\n", row->name, before, after);
	return n - 1;
}

static void prepare(void)
{
	uint64_t dist = GICD_BASE, redist = GICR_BASE;
	sigset_t set;

	knob = open("/proc/thread-self/fail-nth", O_RDWR);
	meminfo = open("/proc/meminfo", O_RDONLY);
	REQUIRE(knob >= 0 && meminfo >= 0);
	CHECK_EQ(get_knob(), 0);
	area = host_memory(AREA_SIZE, 2 * MIB);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	memset(buffer, 1, sizeof(buffer));
	mkdir("/tmp/dir", 0700);
	close(open("/tmp/from", O_RDWR | O_CREAT, 0600));
	REQUIRE(pipe2(pipes, O_NONBLOCK) == 0);
	kvm = open("/dev/kvm", O_RDWR);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	gic = device_create(&(struct vm){ .fd = vm }, KVM_DEV_TYPE_ARM_VGIC_V3, 0);
	its = device_create(&(struct vm){ .fd = vm }, KVM_DEV_TYPE_ARM_VGIC_ITS, 0);
	REQUIRE(vcpu >= 0 && gic >= 0 && its >= 0);
	REQUIRE(vcpu_init(&(struct vm){ .fd = vm }, &(struct vcpu){ .fd = vcpu }, 4) == 0);
	CHECK_EQ(attr_set(gic, 0, KVM_VGIC_V3_ADDR_TYPE_DIST, &dist), 0);
	CHECK_EQ(attr_set(gic, 0, KVM_VGIC_V3_ADDR_TYPE_REDIST, &redist), 0);
	CHECK_EQ(attr_set(gic, 4, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL), 0);
}

/* Files of the kinds that a few calls want. */
static void open_files(const struct row *row)
{
	if (row->call == do_getdents)
		fd_a = open("/dev", O_RDONLY);
	else if (row->call == do_irqfd || row->call == do_ioeventfd)
		fd_a = eventfd(0, EFD_NONBLOCK);
	else
		fd_a = open("/tmp/from", O_RDWR);
	fd_b = open(row->call == do_read_into_area ? "/dev/zero" : "/proc/self/maps", O_RDONLY);
}

int main(int argc, char **argv)
{
	unsigned failures = 0;

	if (argc > 2 && !strcmp(argv[1], "nothing"))
		return say_knob(argv[2]);
	prepare();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned n;

		if (argc > 1 && strcmp(argv[1], rows[i].name) != 0)
			continue;
		open_files(&rows[i]);
		n = check_row(&rows[i]);
		close(fd_a);
		close(fd_b);
		printf("  %-28s %3u allocations\n", rows[i].name, n);
		fflush(stdout);
		failures += n;
	}
	printf("fail_nth: %u failures injected\n", failures);
	return check_done("fail_nth");
}
