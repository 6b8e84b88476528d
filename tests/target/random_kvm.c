/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random KVM ioctls from several threads on shared VMs and vCPUs, with structures that are often
 * almost right, vCPUs run in between with whatever state that left them in. Nothing is expected of
 * a call but that it returns; a VM of our own computes as it should afterwards. Arguments: seed
 * (1), ioctls of each thread.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/vgic.h"

#include "abi/catwalk.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	THREADS = 3,
	VMS = 2,
	VCPUS = 4,
	AREA_SIZE = 8 * MIB,
	REG_COUNT_LIMIT = 2000,
	BITMAP_SIZE = 64 * 1024,
	BITMAP_LIMIT = 512 * MIB,
	ITS_BASE = 0x08080000,
};

/* A VM for devices, made anew now and then, and those of VM 1 below: descriptors, or -1. All
 * threads use them, and close them under each other's hands. */
enum { DEVICE_VM, DEVICE_GIC, DEVICE_ITS, FIXED_GIC, FIXED_ITS, DEVICE_FDS };
static atomic_int device_fds[DEVICE_FDS];

static struct vm vms[VMS];
static struct vcpu vcpus[VCPUS]; /* half of them in each VM */
static char *area;
static uint64_t *bitmaps; /* BITMAP_SIZE bytes, then nothing for as long as the largest bitmap is */
static uint64_t reg_ids[REG_COUNT_LIMIT];
static size_t reg_count;
static uint64_t first_seed = 1;
static unsigned long calls_per_thread = 5000;

GUEST(counts, "1:	add x0, x0, #1\n"
	      "	str x0, [x19]\n"
	      "	b 1b\n");

struct random {
	uint64_t state;
};

static uint64_t next_random(struct random *r)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return r->state * 0x2545f4914f6cdd1d;
}

static uint64_t below(struct random *r, uint64_t limit)
{
	return (next_random(r) >> 20) % limit;
}

static uint64_t odd_number(struct random *r)
{
	static const uint64_t numbers[] = { 0,		1,	   -1ul,      2,	 63,
					    64,		4095,	   4096,      1ul << 31, 1ul << 32,
					    1ul << 39,	1ul << 40, 1ul << 47, 1ul << 48, -4096ul,
					    0x7fffffff, 1ul << 63, 32767 };

	return numbers[below(r, sizeof(numbers) / sizeof(numbers[0]))];
}

static uint64_t guest_address(struct random *r)
{
	return below(r, 10) ? GUEST_RAM + below(r, 16) * MIB / 2 : odd_number(r);
}

static void *host_address(struct random *r)
{
	return below(r, 10) ? area + below(r, AREA_SIZE / PAGE) * PAGE : (void *)odd_number(r);
}

static void set_slot(struct random *r)
{
	struct kvm_userspace_memory_region region = {
		.slot = (uint32_t)(below(r, 20) ? below(r, 6) : odd_number(r)),
		.flags = (uint32_t)(below(r, 20)
					    ? below(r, 4) | (below(r, 8) ? 0 : KVM_MEM_WRITE_BACK)
					    : odd_number(r)),
		.guest_phys_addr = guest_address(r),
		.memory_size = below(r, 10) ? below(r, 5) * MIB / 2 : odd_number(r),
		.userspace_addr = (uint64_t)host_address(r),
	};

	ioctl(vms[below(r, VMS)].fd, KVM_SET_USER_MEMORY_REGION, &region);
}

static void dirty_log(struct random *r)
{
	uint64_t *bitmap = bitmaps;
	struct kvm_clear_dirty_log log = {
		.slot = (uint32_t)below(r, 6),
		.num_pages = (uint32_t)(below(r, 4) ? below(r, 600) : odd_number(r)),
		.first_page = below(r, 2) ? 0 : 64 * below(r, 8),
		.dirty_bitmap = below(r, 10) ? bitmap : (void *)odd_number(r),
	};
	struct kvm_dirty_log get = { .slot = log.slot, .dirty_bitmap = log.dirty_bitmap };
	int fd = vms[below(r, VMS)].fd;

	memset(bitmap, (int)next_random(r), BITMAP_SIZE);
	if (below(r, 2))
		ioctl(fd, KVM_GET_DIRTY_LOG, &get);
	else
		ioctl(fd, KVM_CLEAR_DIRTY_LOG, &log);
}

static void one_reg(struct random *r)
{
	uint64_t value[32];
	struct kvm_one_reg reg = {
		.id = below(r, 20) ? reg_ids[below(r, reg_count)] : next_random(r),
		.addr = below(r, 20) ? (uint64_t)value : odd_number(r),
	};

	for (int i = 0; i < 32; i++)
		value[i] = below(r, 4) ? odd_number(r) : next_random(r);
	ioctl(vcpus[below(r, VCPUS)].fd, below(r, 3) ? KVM_SET_ONE_REG : KVM_GET_ONE_REG, &reg);
}

/* 0: the machine has no performance monitors. */
static uint32_t pmu_feature;

static void init_vcpu(struct random *r)
{
	struct kvm_vcpu_init init = { .target = KVM_ARM_TARGET_GENERIC_V8 };

	init.features[0] = (uint32_t)(below(r, 4) ? 1u << KVM_ARM_VCPU_PSCI_0_2 | pmu_feature
						  : next_random(r));
	ioctl(vcpus[below(r, VCPUS)].fd, KVM_ARM_VCPU_INIT, &init);
}

/* Something that runs: the counter, at a place where there may be memory. */
static void start_vcpu(struct random *r)
{
	struct vcpu *vcpu = &vcpus[below(r, VCPUS)];
	uint64_t values[3] = { guest_address(r), 0x3c5, GUEST_MMIO };
	/* Sometimes it writes to the frames of its interrupt controller. */
	if (below(r, 3) == 0)
		values[2] = ITS_BASE + below(r, 0x100000) / 8 * 8;
	else if (below(r, 3) == 0)
		values[2] = GICD_BASE + below(r, 0x10000) / 8 * 8;
	const uint64_t ids[3] = { CORE_REG(regs.pc), CORE_REG(regs.pstate),
				  CORE_REG(regs.regs[19]) };

	for (int i = 0; i < 3; i++) {
		struct kvm_one_reg reg = { .id = ids[i], .addr = (uint64_t)&values[i] };

		ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg);
	}
}

static void run_vcpu(struct random *r)
{
	struct vcpu *vcpu = &vcpus[below(r, VCPUS)];

	vcpu->run->immediate_exit = below(r, 8) == 0;
	vcpu->run->mmio.len = (uint32_t)below(r, 16);
	ioctl(vcpu->fd, KVM_RUN, 0);
}

static void enable_cap(struct random *r)
{
	struct kvm_enable_cap cap = {
		.cap = (uint32_t)(below(r, 3) ? below(r, 250)
					      : KVM_CAP_CATWALK_WRITE_BACK + below(r, 10)),
		.flags = below(r, 20) ? 0 : 1,
		.args = { below(r, 4), below(r, 4) },
	};

	ioctl(below(r, 2) ? vms[below(r, VMS)].fd : vcpus[below(r, VCPUS)].fd, KVM_ENABLE_CAP,
	      &cap);
}

static void device_attribute(struct random *r)
{
	static const unsigned long commands[] = { KVM_SET_DEVICE_ATTR, KVM_GET_DEVICE_ATTR,
						  KVM_HAS_DEVICE_ATTR };
	uint64_t value[8] = { odd_number(r), odd_number(r) };
	struct kvm_device_attr attr = {
		.group = (uint32_t)below(r, 5),
		.attr = below(r, 5),
		.addr = below(r, 5) ? (uint64_t)value : odd_number(r),
	};

	ioctl(below(r, 2) ? vms[below(r, VMS)].fd : vcpus[below(r, VCPUS)].fd,
	      commands[below(r, 3)], &attr);
}

/* ---- interrupt controllers */

static uint64_t register_value(struct random *r)
{
	switch (below(r, 4)) {
	case 0: /* a table, a queue, or pending bits: valid, and small */
		return 1ul << 63 | (uint64_t)below(r, 2) << 62 |
		       (GUEST_RAM + below(r, 32) * 0x10000) | below(r, 4);
	case 1: return below(r, 1024) * 32;
	case 2: return odd_number(r);
	}
	return next_random(r);
}

static uint64_t device_attr(struct random *r, uint32_t group)
{
	static const uint64_t its_registers[] = { 0, 4, 8, 0x80, 0x88, 0x90, 0x100, 0x108, 0xffe8 };

	if (group == KVM_DEV_ARM_VGIC_GRP_CTRL) /* tables take long to save and to restore */
		return below(r, 40) ? 0 : below(r, 6);
	if (group == KVM_DEV_ARM_VGIC_GRP_ITS_REGS && below(r, 4))
		return its_registers[below(r, 9)];
	if (group == KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS && below(r, 4))
		return below(r, 3) << 32 | 0xc000 | below(r, 0x4000);
	switch (below(r, 4)) {
	case 0: return below(r, 8);
	case 1: return odd_number(r);
	}
	return below(r, 3) << 32 | below(r, 0x20000) / 4 * 4;
}

static void controller_attribute(struct random *r)
{
	static const unsigned long commands[] = { KVM_SET_DEVICE_ATTR, KVM_GET_DEVICE_ATTR,
						  KVM_HAS_DEVICE_ATTR };
	uint64_t value[2] = { register_value(r), register_value(r) };
	struct kvm_device_attr attr = {
		.flags = below(r, 20) == 0,
		.group = (uint32_t)(below(r, 20) ? below(r, 10) : odd_number(r)),
		.addr = below(r, 10) ? (uint64_t)value : odd_number(r),
	};

	attr.attr = device_attr(r, attr.group);
	ioctl(atomic_load(&device_fds[DEVICE_GIC + below(r, 4)]), commands[below(r, 3)], &attr);
}

static void keep(int which, int fd)
{
	int old = atomic_exchange(&device_fds[which], fd);

	if (old >= 0)
		close(old);
}

static void create_controller(struct random *r)
{
	struct vm vm = { .fd = atomic_load(&device_fds[DEVICE_VM]) };
	int its = below(r, 2) == 0, fd;

	if (below(r, 4) == 0)
		keep(DEVICE_VM, ioctl(vms[0].kvm, KVM_CREATE_VM, 0));
	if (below(r, 4) == 0)
		close(ioctl(vm.fd, KVM_CREATE_VCPU, below(r, 4)));
	fd = device_create(&vm, its ? KVM_DEV_TYPE_ARM_VGIC_ITS : KVM_DEV_TYPE_ARM_VGIC_V3,
			   below(r, 10) == 0);
	if (fd > 2)
		keep(its ? DEVICE_ITS : DEVICE_GIC, fd);
}

static void interrupt(struct random *r)
{
	struct kvm_irq_level level = {
		.irq = (uint32_t)(below(r, 4) ? below(r, 3) << KVM_ARM_IRQ_TYPE_SHIFT |
							below(r, 2) << KVM_ARM_IRQ_VCPU_SHIFT |
							below(r, 128)
					      : next_random(r)),
		.level = (uint32_t)below(r, 2),
	};
	struct kvm_msi msi = {
		.address_lo = (uint32_t)(below(r, 10) ? ITS_BASE + 0x10040 : odd_number(r)),
		.data = (uint32_t)(below(r, 10) ? below(r, 64) : odd_number(r)),
		.flags = below(r, 10) ? KVM_MSI_VALID_DEVID : (uint32_t)odd_number(r),
		.devid = (uint32_t)(below(r, 10) ? below(r, 8) : odd_number(r)),
	};
	int fd = below(r, 4) ? vms[1].fd : atomic_load(&device_fds[DEVICE_VM]);

	ioctl(fd, KVM_IRQ_LINE, &level);
	ioctl(fd, KVM_SIGNAL_MSI, &msi);
}

static void route_interrupts(struct random *r)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entries[8];
	} routes = { .head.nr = (uint32_t)below(r, 9), .head.flags = below(r, 20) == 0 };

	for (int i = 0; i < 8; i++) {
		struct kvm_irq_routing_entry *e = &routes.entries[i];

		e->gsi = (uint32_t)(below(r, 20) ? (unsigned)i : odd_number(r));
		e->type = (uint32_t)(1 + below(r, 3));
		e->flags = below(r, 4) ? KVM_MSI_VALID_DEVID : 0;
		e->u.msi.address_lo = ITS_BASE + 0x10040;
		if (e->type == KVM_IRQ_ROUTING_IRQCHIP) {
			e->flags = 0;
			e->u.irqchip.irqchip = 0;
			e->u.irqchip.pin = (uint32_t)below(r, 70);
		}
	}
	ioctl(vms[1].fd, KVM_SET_GSI_ROUTING, &routes);
}

/* Tied, signalled, and closed tied or not. */
static void irqfds(struct random *r)
{
	int event = eventfd((unsigned)below(r, 2), EFD_NONBLOCK);
	struct kvm_irqfd a = {
		.fd = (uint32_t)event,
		.gsi = (uint32_t)(below(r, 20) ? below(r, 10) : odd_number(r)),
		.flags = (uint32_t)(below(r, 2) ? 0 : KVM_IRQFD_FLAG_RESAMPLE),
		.resamplefd = (uint32_t)event,
	};
	uint64_t one = 1;

	ioctl(vms[1].fd, KVM_IRQFD, &a);
	(void)!write(event, &one, sizeof(one));
	run_vcpu(r);
	a.flags = KVM_IRQFD_FLAG_DEASSIGN;
	if (below(r, 2))
		ioctl(vms[1].fd, KVM_IRQFD, &a);
	close(event);
}

/* Catwalk's own queries and prefault, about guest memory and about nonsense. */
static void ask(struct random *r)
{
	static union {
		struct catwalk_contract_slot slots[8];
		struct catwalk_trace_event events[8];
	} room[THREADS];
	uint64_t where = (uint64_t)&room[below(r, THREADS)];
	uint64_t size = below(r, 10) ? (1 + below(r, 600)) * PAGE : odd_number(r);
	struct catwalk_coherence coherence = { .gpa = guest_address(r), .size = size };
	struct catwalk_contract contract = {
		.slots = below(r, 10) ? where : odd_number(r),
		.slot_count = (uint32_t)(below(r, 10) ? below(r, 9) : odd_number(r)),
	};
	struct catwalk_trace trace = {
		.after = odd_number(r),
		.events = below(r, 10) ? where : odd_number(r),
		.count = (uint32_t)(below(r, 10) ? below(r, 9) : 0),
	};
	struct catwalk_explain explain = {
		.gpa = guest_address(r),
		.access = (uint32_t)below(r, 4),
	};
	struct catwalk_prefault prefault = {
		.slot = (uint32_t)(below(r, 20) ? below(r, 6) : odd_number(r)),
		.flags = (uint32_t)below(r, 3),
		.offset = below(r, 10) ? below(r, 600) * PAGE : odd_number(r),
		.size = size,
	};
	struct catwalk_refusal refusal;
	const struct {
		unsigned long command;
		void *arg;
	} calls[] = {
		{ KVM_CATWALK_GET_REFUSAL, &refusal },	 { KVM_CATWALK_GET_COHERENCE, &coherence },
		{ KVM_CATWALK_GET_CONTRACT, &contract }, { KVM_CATWALK_READ_TRACE, &trace },
		{ KVM_CATWALK_EXPLAIN, &explain },	 { KVM_CATWALK_PREFAULT_SLOT, &prefault },
	};
	uint64_t i = below(r, sizeof(calls) / sizeof(calls[0]));

	ioctl(vms[below(r, VMS)].fd, calls[i].command, calls[i].arg);
}

/* Any number of the KVM range with a buffer of random words, to any of the descriptors. */
static void any_ioctl(struct random *r)
{
	uint64_t buffer[64];
	unsigned long command = _IOC(below(r, 4), KVMIO, below(r, 256),
				     below(r, 2) ? below(r, 64) * 8 : below(r, 512));
	int fd = (int)below(r, 3);

	for (int i = 0; i < 64; i++)
		buffer[i] = below(r, 2) ? below(r, 8) : odd_number(r);
	fd = fd == 0 ? vms[0].kvm : fd == 1 ? vms[below(r, VMS)].fd : vcpus[below(r, VCPUS)].fd;
	/* What makes descriptors would fill the table. */
	if (_IOC_NR(command) == _IOC_NR(KVM_CREATE_VM) ||
	    _IOC_NR(command) == _IOC_NR(KVM_GET_STATS_FD) ||
	    _IOC_NR(command) == _IOC_NR(KVM_CREATE_GUEST_MEMFD))
		return;
	ioctl(fd, command, below(r, 8) ? (unsigned long)buffer : odd_number(r));
}

/* A slot that shows a guest_memfd, which has holes punched in it and ends under the guests. */
static void guest_memfd(struct random *r)
{
	int vm = vms[below(r, VMS)].fd;
	struct kvm_create_guest_memfd create = {
		.size = below(r, 10) ? (1 + below(r, 512)) * PAGE : odd_number(r),
		.flags = below(r, 10) ? 3 : below(r, 8),
	};
	int fd = ioctl(vm, KVM_CREATE_GUEST_MEMFD, &create);
	struct kvm_userspace_memory_region2 region = {
		.slot = (uint32_t)below(r, 6),
		.flags = KVM_MEM_GUEST_MEMFD | (uint32_t)(below(r, 10) ? 0 : below(r, 4)),
		.guest_phys_addr = guest_address(r),
		.memory_size = below(r, 10) ? (1 + below(r, 512)) * PAGE : odd_number(r),
		.guest_memfd = (uint32_t)(below(r, 20) ? (unsigned)fd : odd_number(r)),
		.guest_memfd_offset = below(r, 4) ? 0 : below(r, 64) * PAGE,
	};

	ioctl(below(r, 20) ? vm : vms[below(r, VMS)].fd, KVM_SET_USER_MEMORY_REGION2, &region);
	for (int i = 0; i < 3; i++) {
		run_vcpu(r);
		(void)fallocate(fd, below(r, 2) ? 3 : 1, (off_t)(below(r, 512) * PAGE),
				(off_t)(below(r, 512) * PAGE));
	}
	close(fd);
}

static void guest_debug(struct random *r)
{
	struct kvm_guest_debug d = {
		.control =
			(uint32_t)(below(r, 4) ? below(r, 4) | below(r, 4) << 16 : odd_number(r)),
	};

	for (int i = 0; i < 16; i++) {
		d.arch.dbg_bvr[i] = below(r, 2) ? GUEST_RAM + below(r, 4) * 4 : next_random(r);
		d.arch.dbg_bcr[i] = next_random(r);
		d.arch.dbg_wvr[i] = below(r, 2) ? GUEST_MMIO : next_random(r);
		d.arch.dbg_wcr[i] = next_random(r);
	}
	ioctl(vcpus[below(r, VCPUS)].fd, KVM_SET_GUEST_DEBUG, &d);
}

static void statistics(struct random *r)
{
	int fd = ioctl(below(r, 2) ? vms[below(r, VMS)].fd : vcpus[below(r, VCPUS)].fd,
		       KVM_GET_STATS_FD, 0);
	char buffer[8192];
	ssize_t n = pread(fd, buffer, below(r, sizeof(buffer)),
			  (off_t)(below(r, 4) ? below(r, 6000) : odd_number(r)));

	CHECK(n < 0 || (size_t)n <= sizeof(buffer));
	close(fd);
}

static void create_and_close(struct random *r)
{
	int vm = ioctl(vms[0].kvm, KVM_CREATE_VM, below(r, 4) ? 0 : below(r, 64));
	int vcpu = vm < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, below(r, 4));

	close(vm);
	close(vcpu);
}

static void change_memory(struct random *r)
{
	char *p = area + below(r, AREA_SIZE / PAGE - 600) * PAGE;
	size_t size = (1 + below(r, 600)) * PAGE;

	switch (below(r, 4)) {
	case 0: madvise(p, size, MADV_DONTNEED); break;
	case 1: mprotect(p, size, (int)below(r, 4)); break;
	case 2:
		(void)mmap(p, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			   -1, 0);
		break;
	case 3: madvise(area, AREA_SIZE, below(r, 2) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE); break;
	}
}

static void (*const actions[])(struct random *r) = {
	set_slot,
	set_slot,
	dirty_log,
	one_reg,
	one_reg,
	init_vcpu,
	start_vcpu,
	start_vcpu,
	run_vcpu,
	run_vcpu,
	run_vcpu,
	run_vcpu,
	enable_cap,
	device_attribute,
	any_ioctl,
	any_ioctl,
	create_and_close,
	change_memory,
	ask,
	ask,
	guest_memfd,
	guest_debug,
	statistics,
	controller_attribute,
	controller_attribute,
	create_controller,
	interrupt,
	route_interrupts,
	irqfds,
};

static atomic_int tids[THREADS];
static atomic_int finished;

static void *act_at_random(void *arg)
{
	struct random r = { first_seed * 0x9e3779b97f4a7c15 + (uint64_t)arg * 7919 };

	atomic_store(&tids[(unsigned long)arg], gettid());
	for (unsigned long i = 0; i < calls_per_thread; i++)
		actions[below(&r, sizeof(actions) / sizeof(actions[0]))](&r);
	return NULL;
}

static void no_op(int signal)
{
	(void)signal;
}

/* Guests that never exit are interrupted, again and again. */
static void *interrupt_all(void *arg)
{
	(void)arg;
	while (!atomic_load(&finished)) {
		usleep(1000);
		for (int i = 0; i < THREADS; i++)
			if (atomic_load(&tids[i]))
				tgkill(getpid(), atomic_load(&tids[i]), SIGUSR1);
	}
	return NULL;
}

static void list_registers(struct vcpu *vcpu)
{
	struct kvm_reg_list *list = calloc(1, sizeof(*list) + sizeof(reg_ids));

	list->n = REG_COUNT_LIMIT;
	REQUIRE(ioctl(vcpu->fd, KVM_GET_REG_LIST, list) == 0);
	reg_count = list->n;
	memcpy(reg_ids, list->reg, reg_count * sizeof(reg_ids[0]));
	free(list);
}

static void prepare_controllers(void)
{
	uint64_t base = ITS_BASE;
	int its;

	for (int i = 0; i < DEVICE_FDS; i++)
		atomic_store(&device_fds[i], -1);
	atomic_store(&device_fds[FIXED_GIC], vgic_setup(&vms[1], VCPUS / VMS, 96));
	its = device_create(&vms[1], KVM_DEV_TYPE_ARM_VGIC_ITS, 0);
	CHECK_EQ(attr_set(its, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_ITS_ADDR_TYPE, &base), 0);
	atomic_store(&device_fds[FIXED_ITS], its);
}

static void prepare(void)
{
	struct sigaction action = { .sa_handler = no_op };

	sigaction(SIGUSR1, &action, NULL);
	area = host_memory(AREA_SIZE, 2 * MIB);
	bitmaps = mmap(NULL, BITMAP_LIMIT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);
	REQUIRE(bitmaps != MAP_FAILED);
	REQUIRE(mprotect(bitmaps, BITMAP_SIZE, PROT_READ | PROT_WRITE) == 0);
	for (size_t at = 0; at < AREA_SIZE; at += MIB / 2)
		LOAD(area + at, counts);
	for (int i = 0; i < VMS; i++) {
		vm_create(&vms[i], 0);
		REQUIRE(vm_slot(&vms[i], 0, 0, GUEST_RAM, 2 * MIB, area + i * 2 * MIB) == 0);
	}
	if (VM_CAP(&vms[0], KVM_CAP_ARM_PMU_V3) > 0)
		pmu_feature = 1u << KVM_ARM_VCPU_PMU_V3;
	for (unsigned i = 0; i < VCPUS; i++)
		vcpu_create(&vms[i % VMS], &vcpus[i], i / VMS, pmu_feature);
	prepare_controllers();
	for (unsigned i = 0; pmu_feature && i < VCPUS; i++) {
		int intid = 23;

		if (i % VMS == 1)
			CHECK_EQ(attr_set(vcpus[i].fd, KVM_ARM_VCPU_PMU_V3_CTRL,
					  KVM_ARM_VCPU_PMU_V3_IRQ, &intid),
				 0);
		CHECK_EQ(attr_set(vcpus[i].fd, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_INIT,
				  NULL),
			 0);
	}
	list_registers(&vcpus[0]);
}

static void check_afterwards(void)
{
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	LOAD((char *)vm_ram(&vm, 0, GUEST_RAM, 2 * MIB), counts);
	vcpu_create(&vm, &vcpu, 0, 0);
	vcpu_start(&vcpu, GUEST_RAM);
	vcpu_set_x(&vcpu, 0, 0);
	for (uint64_t i = 1; i <= 10; i++)
		CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO), i);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}

int main(int argc, char **argv)
{
	pthread_t thread[THREADS], interrupter;

	if (argc > 1)
		first_seed = strtoul(argv[1], NULL, 0);
	if (argc > 2)
		calls_per_thread = strtoul(argv[2], NULL, 0);
	prepare();
	for (unsigned long i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&thread[i], NULL, act_at_random, (void *)i) == 0);
	REQUIRE(pthread_create(&interrupter, NULL, interrupt_all, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	atomic_store(&finished, 1);
	pthread_join(interrupter, NULL);
	check_afterwards();
	printf("random_kvm: seed %lu, %lu actions\n", first_seed, THREADS * calls_per_thread);
	return check_done("random_kvm");
}
