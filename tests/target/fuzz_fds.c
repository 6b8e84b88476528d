/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors of every kind, and two VMs with vCPUs, for a child of the fuzzer. */
#define _GNU_SOURCE
#include "tests/target/client.h"
#include "tests/target/fuzz.h"
#include "tests/target/vgic.h"

#include "abi/catwalk.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { ITS_BASE = 0x08080000, IRQS = 128, GMEM_SIZE = 1 << 20 };

struct fuzz_machine fuzz_machine;
struct fuzz_shared *fuzz_shared;

/* x1 is where it reads and writes; what it counts goes to GUEST_MMIO. */
GUEST(fuzz_guest, "1:	add x0, x0, #1\n"
		  "	ldr x2, [x1]\n"
		  "	str x0, [x1]\n"
		  "	str x0, [x19]\n"
		  "	tbz x0, #2, 1b\n"
		  "	hvc #0\n"
		  "	add x1, x1, #4096\n"
		  "	b 1b\n");

static int moved(int fd, enum fuzz_fd kind)
{
	if (fd < 0)
		fd = open("/dev/null", O_RDWR);
	if (dup2(fd, FUZZ_FD(kind)) < 0)
		_exit(2);
	if (fd != FUZZ_FD(kind))
		close(fd);
	return FUZZ_FD(kind);
}

/* What the fuzzer needs; else the child ends. */
static int need(int fd, enum fuzz_fd kind)
{
	if (fd < 0)
		_exit(3);
	return moved(fd, kind);
}

static uint32_t features(int vm)
{
	uint32_t pmu = ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_ARM_PMU_V3) > 0;

	return 1u << KVM_ARM_VCPU_PSCI_0_2 | pmu << KVM_ARM_VCPU_PMU_V3;
}

static void open_vcpu(int vm, unsigned id, unsigned i)
{
	struct kvm_vcpu_init init = { .target = KVM_ARM_TARGET_GENERIC_V8,
				      .features[0] = features(vm) };
	int fd = need(ioctl(vm, KVM_CREATE_VCPU, id), FD_VCPU0 + i);

	fuzz_machine.runs[i] =
		mmap(NULL, fuzz_machine.run_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ioctl(fd, KVM_ARM_VCPU_INIT, &init) || fuzz_machine.runs[i] == MAP_FAILED)
		_exit(4);
}

static void list_registers(int vcpu)
{
	static struct {
		struct kvm_reg_list list;
		uint64_t ids[FUZZ_REGS_MAX];
	} room;

	room.list.n = FUZZ_REGS_MAX;
	if (ioctl(vcpu, KVM_GET_REG_LIST, &room.list))
		_exit(5);
	fuzz_machine.reg_count = room.list.n;
	memcpy(fuzz_machine.reg_ids, room.ids, sizeof(room.ids));
}

static int device(int vm, uint32_t type)
{
	struct vm of = { .fd = vm };
	int fd = device_create(&of, type, 0);

	return fd < 0 ? -1 : fd;
}

static void place_gic(int gic, int its)
{
	uint64_t dist = GICD_BASE, redist = GICR_BASE, its_base = ITS_BASE;
	uint32_t irqs = IRQS;

	attr_set(gic, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, &dist);
	attr_set(gic, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST, &redist);
	attr_set(gic, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &irqs);
	attr_set(its, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_ITS_ADDR_TYPE, &its_base);
	attr_set(its, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
	attr_set(gic, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
}

/* Fails where there are none, or the vGIC was not placed: such a vCPU never runs. */
static void complete_pmu(int vcpu)
{
	int intid = 23;

	attr_set(vcpu, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_IRQ, &intid);
	attr_set(vcpu, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_INIT, NULL);
}

/* How the dirty log of a VM is had: as a bitmap that is protected at once or later, or by rings. */
static void choose_log(struct fuzz *f, int vm)
{
	struct kvm_enable_cap manual = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { 1 } };
	struct kvm_enable_cap rings = { .cap = KVM_CAP_DIRTY_LOG_RING_ACQ_REL, .args = { 4096 } };
	struct kvm_enable_cap bitmap = { .cap = KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP };

	switch (fuzz_below(f, 4)) {
	case 0: break;
	case 1: (void)ioctl(vm, KVM_ENABLE_CAP, &rings); break;
	case 2:
		(void)ioctl(vm, KVM_ENABLE_CAP, &rings);
		(void)ioctl(vm, KVM_ENABLE_CAP, &bitmap);
		break;
	default: (void)ioctl(vm, KVM_ENABLE_CAP, &manual); break;
	}
}

static void open_kvm(struct fuzz *f)
{
	int kvm = need(open("/dev/kvm", O_RDWR), FD_KVM);
	int vm = need(ioctl(kvm, KVM_CREATE_VM, 0), FD_VM);
	int bare = need(ioctl(kvm, KVM_CREATE_VM, 0), FD_VM_BARE);
	struct vm of = { kvm, vm }, of_bare = { kvm, bare };
	int gic = moved(device(vm, KVM_DEV_TYPE_ARM_VGIC_V3), FD_GIC);
	int its = moved(device(vm, KVM_DEV_TYPE_ARM_VGIC_ITS), FD_ITS);
	struct kvm_create_guest_memfd gmem = { .size = GMEM_SIZE, .flags = 3 };

	fuzz_machine.run_size = (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	need(ioctl(kvm, KVM_CREATE_VM, 0), FD_VM_FRESH);
	choose_log(f, bare);
	guest_load(fuzz_arena, fuzz_guest, fuzz_guest_end);
	vm_slot(&of, 0, 0, GUEST_RAM, FUZZ_ARENA_SIZE / 2, fuzz_arena);
	vm_slot(&of_bare, 0, KVM_MEM_LOG_DIRTY_PAGES, GUEST_RAM, FUZZ_ARENA_SIZE / 2, fuzz_arena);
	for (unsigned i = 0; i < FUZZ_VCPUS; i++)
		open_vcpu(i < FUZZ_VCPUS / 2 ? vm : bare, i % (FUZZ_VCPUS / 2), i);
	/* Some VMs are left as far as they are here. */
	if (!FUZZ_ONE_IN(f, 4))
		place_gic(gic, its);
	for (unsigned i = 0; i < FUZZ_VCPUS; i++) {
		if (!FUZZ_ONE_IN(f, 8))
			complete_pmu(FUZZ_FD(FD_VCPU0 + i));
	}
	list_registers(FUZZ_FD(FD_VCPU0));
	moved(ioctl(vm, KVM_CREATE_GUEST_MEMFD, &gmem), FD_GMEM);
	moved(ioctl(vm, KVM_GET_STATS_FD, 0), FD_VM_STATS);
	moved(ioctl(FUZZ_FD(FD_VCPU0), KVM_GET_STATS_FD, 0), FD_VCPU_STATS);
}

static void open_events(void)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 1 };
	int pipes[2] = { -1, -1 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 3);
	moved(eventfd(1, EFD_NONBLOCK), FD_EVENT);
	moved(epoll_create1(0), FD_EPOLL);
	(void)epoll_ctl(FUZZ_FD(FD_EPOLL), EPOLL_CTL_ADD, FUZZ_FD(FD_EVENT), &event);
	moved(timerfd_create(CLOCK_MONOTONIC, 0), FD_TIMER);
	moved(signalfd(-1, &set, 0), FD_SIGNAL);
	(void)!pipe(pipes);
	moved(pipes[0], FD_PIPE_OUT);
	moved(pipes[1], FD_PIPE_IN);
}

static void open_sockets(void)
{
	int stream[2] = { -1, -1 }, datagram[2] = { -1, -1 };

	(void)socketpair(AF_UNIX, SOCK_STREAM, 0, stream);
	(void)socketpair(AF_UNIX, SOCK_DGRAM, 0, datagram);
	moved(stream[0], FD_SOCKET);
	moved(stream[1], FD_SOCKET_PEER);
	moved(datagram[0], FD_DATAGRAM);
	moved(datagram[1], FD_DATAGRAM_PEER);
	moved(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), FD_LISTENER);
}

static void open_memory(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = open("/dev/devmem/ivshmem0/lazy", O_RDWR);

	moved(memfd_create("fuzz", MFD_ALLOW_SEALING), FD_MEMFD);
	(void)!ftruncate(FUZZ_FD(FD_MEMFD), 1 << 20);
	moved(memfd_create("huge", MFD_HUGETLB), FD_HUGE_MEMFD);
	moved((int)syscall(SYS_userfaultfd, O_NONBLOCK), FD_UFFD);
	(void)ioctl(FUZZ_FD(FD_UFFD), UFFDIO_API, &api);
	moved(fd >= 0 ? fd : open("/dev/devmem/rtc/lazy", O_RDWR), FD_DEVMEM);
}

static void open_files(struct fuzz *f)
{
	static const char *const texts[] = {
		"/proc/self/maps",  "/proc/self/smaps",
		"/proc/self/stat",  "/proc/self/status",
		"/proc/meminfo",    "/proc/self/cmdline",
		"/proc/cpuinfo",    "/proc/self/comm",
		"/proc/stat",	    "/proc/self/environ",
		"/proc/mounts",	    "/proc/self/limits",
		"/proc/self/statm", "/sys/devices/system/cpu/online",
	};
	static const char *const dirs[] = { "/proc/self/fd", "/proc", "/proc/self/task", "/dev",
					    "/sys/kernel/mm" };
	size_t text = fuzz_below(f, sizeof(texts) / sizeof(texts[0]));
	size_t dir = fuzz_below(f, sizeof(dirs) / sizeof(dirs[0]));

	mkdir(FUZZ_DIR "/d", 0700);
	(void)!chdir(FUZZ_DIR "/d");
	moved(open("/dev/null", O_RDWR), FD_NULL);
	moved(open("/dev/zero", O_RDWR), FD_ZERO);
	moved(open("/dev/random", O_RDWR), FD_RANDOM);
	moved(open("/dev/tty", O_RDONLY | O_NONBLOCK | O_NOCTTY), FD_TTY);
	moved(open(FUZZ_DIR "/file", O_RDWR | O_CREAT, 0700), FD_FILE);
	moved(open(FUZZ_DIR "/d", O_RDONLY | O_DIRECTORY), FD_DIR);
	moved(open(texts[text], O_RDONLY), FD_PROC_TEXT);
	moved(open(dirs[dir], O_RDONLY), FD_PROC_DIR);
	moved(open("/proc/self/pagemap", O_RDONLY), FD_PAGEMAP);
}

void fuzz_open_all(struct fuzz *f)
{
	open_kvm(f);
	open_events();
	open_sockets();
	open_memory();
	open_files(f);
}

uint64_t fuzz_fd_spare(struct fuzz *f)
{
	if (FUZZ_ONE_IN(f, 2))
		return 3 + fuzz_below(f, FUZZ_FD_FIRST - 3);
	return FUZZ_FD(FD_KINDS) + fuzz_below(f, FUZZ_FD_END - FUZZ_FD(FD_KINDS));
}

uint64_t fuzz_fd_any(struct fuzz *f)
{
	if (FUZZ_ONE_IN(f, 4))
		return fuzz_fd_spare(f);
	return (uint64_t)FUZZ_FD(fuzz_below(f, FD_KINDS));
}
