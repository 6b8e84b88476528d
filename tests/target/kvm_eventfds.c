/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events between a guest and its client: irqfds with routing and resampling, and ioeventfds by
 * address, length and data.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/vgic.h"

#include "abi/catwalk.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum { RAM_SIZE = 64 * 1024, AT_WRITER = 0x2000, DOORBELL = 0x0a000000 };

struct machine {
	struct vm vm;
	struct vcpu vcpu;
	int gic;
	char *ram;
};

/* Writes x3 to x1 with length x2, then tells the client. */
GUEST(writer, "	cmp x2, #1\n	b.ne 1f\n	strb w3, [x1]\n"
	      "1:	cmp x2, #2\n	b.ne 2f\n	strh w3, [x1]\n"
	      "2:	cmp x2, #4\n	b.ne 3f\n	str w3, [x1]\n"
	      "3:	cmp x2, #8\n	b.ne 4f\n	str x3, [x1]\n"
	      "4:	str x3, [x19]\n"
	      "	b .\n");

static void machine_create(struct machine *m)
{
	vm_create(&m->vm, 0);
	m->ram = vm_ram(&m->vm, 0, GUEST_RAM, RAM_SIZE);
	vcpu_create(&m->vm, &m->vcpu, 0, 0);
	m->gic = -1;
	LOAD(m->ram + AT_WRITER, writer);
}

static void machine_add_gic(struct machine *m)
{
	m->gic = vgic_setup(&m->vm, 1, 96);
	vgic_guest_load(m->ram);
}

static void machine_destroy(struct machine *m)
{
	if (m->gic >= 0)
		close(m->gic);
	vcpu_destroy(&m->vcpu);
	vm_destroy(&m->vm);
}

static void complete(struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	vcpu->run->immediate_exit = 0;
}

static int event_new(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	REQUIRE(fd >= 0);
	return fd;
}

static void event_signal(int fd)
{
	uint64_t one = 1;

	CHECK_EQ(write(fd, &one, sizeof(one)), sizeof(one));
}

/* What was signalled since the last call. */
static uint64_t event_count(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static int irqfd(struct machine *m, int fd, uint32_t gsi, uint32_t flags, int resample)
{
	struct kvm_irqfd a = {
		.fd = (uint32_t)fd,
		.gsi = gsi,
		.flags = flags,
		.resamplefd = (uint32_t)resample,
	};

	return ioctl(m->vm.fd, KVM_IRQFD, &a) ? -errno : 0;
}

static int route(struct machine *m, const struct kvm_irq_routing_entry *entries, uint32_t n)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entries[4];
	} r = { .head.nr = n };

	memcpy(r.entries, entries, n * sizeof(*entries));
	return ioctl(m->vm.fd, KVM_SET_GSI_ROUTING, &r) ? -errno : 0;
}

static struct kvm_irq_routing_entry pin(uint32_t gsi, uint32_t n)
{
	return (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .pin = n },
	};
}

/* The guest takes @count interrupts with number @intid and says so. */
static void expect_interrupts(struct machine *m, uint32_t intid, unsigned count)
{
	vgic_guest_start(&m->vcpu, count, 0);
	for (unsigned i = 0; i < count; i++)
		CHECK_EQ(RUN_TO_WRITE(&m->vcpu, GUEST_MMIO + 0x20), intid);
	CHECK_EQ(RUN_TO_WRITE(&m->vcpu, GUEST_MMIO), count);
	complete(&m->vcpu);
}

static uint32_t line_level(struct machine *m, uint32_t intid)
{
	uint64_t attr = (uint64_t)VGIC_LEVEL_INFO_LINE_LEVEL
			<< KVM_DEV_ARM_VGIC_LINE_LEVEL_INFO_SHIFT;
	uint32_t level = 0;

	CHECK_EQ(attr_get(m->gic, KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO, attr | (intid & ~31u), &level),
		 0);
	return level >> intid % 32 & 1;
}

/* ---- irqfds */

static void check_irqfd(struct machine *m)
{
	const struct kvm_irq_routing_entry early = pin(9, 10);
	int event = event_new(), other = event_new();

	CHECK_EQ(irqfd(m, event, 9, 0, 0), -EAGAIN); /* no vGIC */
	CHECK_EQ(route(m, &early, 0), 0);
	CHECK_EQ(route(m, &early, 1), 0);
	machine_add_gic(m); /* its start forgets the route */
	CHECK(VM_CAP(&m->vm, KVM_CAP_IRQFD) > 0);
	CHECK(VM_CAP(&m->vm, KVM_CAP_IRQ_ROUTING) >= 1024);
	CHECK_EQ(irqfd(m, event, 9, 1 << 7, 0), -EINVAL);
	CHECK_EQ(irqfd(m, 999, 9, 0, 0), -EBADF);
	CHECK_EQ(irqfd(m, m->vm.fd, 9, 0, 0), -EINVAL);
	spi_enable(m->gic, 41, 0x80, 1);
	spi_enable(m->gic, 42, 0x80, 1);
	event_signal(event); /* before it is tied: not lost */
	CHECK_EQ(irqfd(m, event, 9, 0, 0), 0);
	CHECK_EQ(irqfd(m, event, 9, 0, 0), -EBUSY);
	CHECK_EQ(event_count(event), 0);
	expect_interrupts(m, 41, 1);
	event_signal(event);
	event_signal(event); /* one edge as long as it is pending */
	CHECK_EQ(dist_get(m->gic, GICD_ISPENDR + 4), 1 << 9);
	expect_interrupts(m, 41, 1);
	CHECK_EQ(irqfd(m, other, 10, 0, 0), 0);
	event_signal(other);
	expect_interrupts(m, 42, 1);
	CHECK_EQ(irqfd(m, event, 8, KVM_IRQFD_FLAG_DEASSIGN, 0), 0); /* another GSI: stays */
	event_signal(event);
	expect_interrupts(m, 41, 1);
	CHECK_EQ(irqfd(m, event, 9, KVM_IRQFD_FLAG_DEASSIGN, 0), 0);
	event_signal(event);
	CHECK_EQ(dist_get(m->gic, GICD_ISPENDR + 4), 0);
	CHECK_EQ(event_count(event), 1);
	close(event);
	close(other); /* tied no more: its last descriptor is gone, as on Linux */
}

/* Closed without being untied: more of them than a VM holds, or descriptors there are. */
static void check_closed(struct machine *m)
{
	int event, other, resample = event_new(), count = 0;

	spi_enable(m->gic, 41, 0x80, 1);
	for (int i = 0; i < 6000 && count == 0; i++) {
		event = event_new();
		count = irqfd(m, event, 9, 0, 0);
		close(event);
	}
	CHECK_EQ(count, 0);
	/* A descriptor of it that is left keeps it tied. */
	event = event_new();
	other = dup(event);
	CHECK_EQ(irqfd(m, event, 9, 0, 0), 0);
	close(event);
	event_signal(other);
	expect_interrupts(m, 41, 1);
	close(other);
	/* The line that a closed one held high falls. */
	spi_enable(m->gic, 41, 0x80, 0);
	event = event_new();
	CHECK_EQ(irqfd(m, event, 9, KVM_IRQFD_FLAG_RESAMPLE, resample), 0);
	event_signal(event);
	CHECK_EQ(line_level(m, 41), 1);
	close(event);
	CHECK_EQ(line_level(m, 41), 0);
	spi_enable(m->gic, 41, 0x80, 1);
	close(resample);
}

/* Open ones, until the VM has enough; all go with it. */
static void check_irqfd_limit(struct machine *m)
{
	static int fds[5000];
	struct rlimit limit = { .rlim_cur = 6000, .rlim_max = 6000 };
	int n = 0, error = 0;

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (n < 5000 && error == 0) {
		fds[n] = event_new();
		error = irqfd(m, fds[n++], 9, 0, 0);
	}
	/* Linux has no limit of its own. */
	if (VM_CAP(&m->vm, KVM_CAP_CATWALK_CONTRACT) > 0) {
		CHECK_EQ(error, -ENOSPC);
		CHECK_EQ(n, 4097);
	}
	while (n > 0)
		close(fds[--n]);
	fds[0] = event_new();
	CHECK_EQ(irqfd(m, fds[0], 9, 0, 0), 0); /* there is room again */
	close(fds[0]);
}

static void check_routing(struct machine *m)
{
	struct kvm_irq_routing_entry e[3] = { pin(700, 9), pin(3, 10), pin(700, 11) };
	int event = event_new();

	CHECK_EQ(route(m, e, 3), -EINVAL); /* one GSI, two pins */
	e[2] = pin(4, 988);
	CHECK_EQ(route(m, e, 3), -EINVAL);
	e[2] = pin(4096, 1);
	CHECK_EQ(route(m, e, 3), -EINVAL);
	e[2] = pin(4, 1);
	e[2].type = 99;
	CHECK_EQ(route(m, e, 3), -EINVAL);
	CHECK_EQ(route(m, e, 2), 0);
	CHECK_EQ(irqfd(m, event, 700, 0, 0), 0);
	event_signal(event);
	expect_interrupts(m, 41, 1);
	/* A new table is seen at once; a GSI without a route does nothing. */
	e[0] = pin(700, 10);
	CHECK_EQ(route(m, e, 1), 0);
	event_signal(event);
	expect_interrupts(m, 42, 1);
	CHECK_EQ(route(m, e, 0), 0);
	event_signal(event);
	CHECK_EQ(dist_get(m->gic, GICD_ISPENDR + 4), 0);
	CHECK_EQ(irqfd(m, event, 700, KVM_IRQFD_FLAG_DEASSIGN, 0), 0);
	e[0] = pin(9, 9);
	e[1] = pin(10, 10);
	CHECK_EQ(route(m, e, 2), 0);
	close(event);
}

/* The line is high from the event until the guest ends the interrupt. */
static void check_resample(struct machine *m)
{
	int event = event_new(), resample = event_new();

	spi_enable(m->gic, 41, 0x80, 0);
	CHECK_EQ(irqfd(m, event, 9, KVM_IRQFD_FLAG_RESAMPLE, 999), -EBADF);
	CHECK_EQ(irqfd(m, event, 9, KVM_IRQFD_FLAG_RESAMPLE, resample), 0);
	event_signal(event);
	CHECK_EQ(event_count(resample), 0);
	expect_interrupts(m, 41, 1);
	CHECK_EQ(event_count(resample), 1);
	CHECK_EQ(dist_get(m->gic, GICD_ISACTIVER + 4), 0);
	event_signal(event);
	event_signal(event);
	expect_interrupts(m, 41, 1);
	CHECK_EQ(event_count(resample), 1);
	/* Let go while the line is high: it falls. */
	event_signal(event);
	CHECK_EQ(irqfd(m, event, 9, KVM_IRQFD_FLAG_DEASSIGN, 0), 0);
	vgic_guest_start(&m->vcpu, 1, 0);
	alarm_every_us(20 * 1000);
	CHECK_EQ(vcpu_run(&m->vcpu), -EINTR);
	alarm_every_us(0);
	CHECK_EQ(event_count(resample), 0);
	close(event);
	close(resample);
}

/* Signalled by another thread while the vCPU waits or takes the last one. */
static void *signal_many(void *arg)
{
	const int *fds = arg;

	for (int i = 0; i < 200; i++) {
		uint64_t n;

		event_signal(fds[0]);
		while (read(fds[1], &n, sizeof(n)) != sizeof(n))
			;
	}
	return NULL;
}

static void check_many(struct machine *m)
{
	int fds[2] = { event_new(), eventfd(0, EFD_CLOEXEC) };
	pthread_t thread;

	CHECK_EQ(irqfd(m, fds[0], 9, KVM_IRQFD_FLAG_RESAMPLE, fds[1]), 0);
	vgic_guest_start(&m->vcpu, 200, 0);
	REQUIRE(pthread_create(&thread, NULL, signal_many, fds) == 0);
	for (int i = 0; i < 200; i++)
		CHECK_EQ(RUN_TO_WRITE(&m->vcpu, GUEST_MMIO + 0x20), 41);
	CHECK_EQ(RUN_TO_WRITE(&m->vcpu, GUEST_MMIO), 200);
	complete(&m->vcpu);
	pthread_join(thread, NULL);
	CHECK_EQ(irqfd(m, fds[0], 9, KVM_IRQFD_FLAG_DEASSIGN, 0), 0);
	close(fds[0]);
	close(fds[1]);
}

/* ---- ioeventfds */

static int ioeventfd(struct machine *m, int fd, uint64_t addr, uint32_t len, uint32_t flags,
		     uint64_t data)
{
	struct kvm_ioeventfd a = {
		.datamatch = data,
		.addr = addr,
		.len = len,
		.fd = fd,
		.flags = flags,
	};

	return ioctl(m->vm.fd, KVM_IOEVENTFD, &a) ? -errno : 0;
}

/* The address of the guest's next exit: the doorbell's, or that of the write behind it. */
static uint64_t guest_writes(struct machine *m, uint64_t addr, unsigned len, uint64_t data)
{
	uint64_t exit;

	vcpu_start(&m->vcpu, GUEST_RAM + AT_WRITER);
	vcpu_set_x(&m->vcpu, 1, addr);
	vcpu_set_x(&m->vcpu, 2, len);
	vcpu_set_x(&m->vcpu, 3, data);
	CHECK_EQ(vcpu_run(&m->vcpu), 0);
	CHECK_EQ(m->vcpu.run->exit_reason, KVM_EXIT_MMIO);
	exit = m->vcpu.run->mmio.phys_addr;
	complete(&m->vcpu);
	return exit;
}

static void check_ioeventfd(struct machine *m)
{
	const uint32_t match = KVM_IOEVENTFD_FLAG_DATAMATCH, gone = KVM_IOEVENTFD_FLAG_DEASSIGN;
	int any = event_new(), seven = event_new(), wide = event_new();

	CHECK_EQ(VM_CAP(&m->vm, KVM_CAP_IOEVENTFD), 1);
	CHECK_EQ(ioeventfd(m, any, DOORBELL, 3, 0, 0), -EINVAL);
	CHECK_EQ(ioeventfd(m, any, DOORBELL, 4, 1 << 9, 0), -EINVAL);
	CHECK_EQ(ioeventfd(m, any, ~0ul, 4, 0, 0), -EINVAL);
	CHECK_EQ(ioeventfd(m, any, DOORBELL, 0, match, 0), -EINVAL);
	CHECK_EQ(ioeventfd(m, 999, DOORBELL, 4, 0, 0), -EBADF);
	CHECK_EQ(ioeventfd(m, m->vm.fd, DOORBELL, 4, 0, 0), -EINVAL);
	CHECK_EQ(ioeventfd(m, any, DOORBELL, 4, gone, 0), -ENOENT);
	CHECK_EQ(guest_writes(m, DOORBELL, 4, 5), DOORBELL);

	CHECK_EQ(ioeventfd(m, seven, DOORBELL, 4, match, 7), 0);
	CHECK_EQ(ioeventfd(m, any, DOORBELL, 4, 0, 0), -EEXIST);
	CHECK_EQ(ioeventfd(m, any, DOORBELL, 4, match, 7), -EEXIST);
	CHECK_EQ(ioeventfd(m, any, DOORBELL, 4, match, 8), 0);
	CHECK_EQ(guest_writes(m, DOORBELL, 4, 5), DOORBELL);
	CHECK_EQ(guest_writes(m, DOORBELL, 4, 7), GUEST_MMIO);
	CHECK_EQ(guest_writes(m, DOORBELL, 4, 0xff00000007), GUEST_MMIO);
	CHECK_EQ(guest_writes(m, DOORBELL, 4, 8), GUEST_MMIO);
	CHECK_EQ(guest_writes(m, DOORBELL, 2, 7), DOORBELL);
	CHECK_EQ(event_count(seven), 2);
	CHECK_EQ(event_count(any), 1);
	CHECK_EQ(ioeventfd(m, any, DOORBELL, 4, match | gone, 7), -ENOENT);
	CHECK_EQ(ioeventfd(m, any, DOORBELL, 4, match | gone, 8), 0);
	CHECK_EQ(guest_writes(m, DOORBELL, 4, 8), DOORBELL);

	/* Any length at another address, and one that is below both. */
	CHECK_EQ(ioeventfd(m, wide, DOORBELL + 8, 0, 0, 0), 0);
	CHECK_EQ(ioeventfd(m, any, DOORBELL - 8, 8, 0, 0), 0);
	for (unsigned len = 1; len <= 8; len *= 2)
		CHECK_EQ(guest_writes(m, DOORBELL + 8, len, 9), GUEST_MMIO);
	CHECK_EQ(event_count(wide), 4);
	CHECK_EQ(guest_writes(m, DOORBELL - 8, 8, 1ul << 63), GUEST_MMIO);
	CHECK_EQ(event_count(any), 1);
	CHECK_EQ(guest_writes(m, DOORBELL, 4, 7), GUEST_MMIO);
	CHECK_EQ(event_count(seven), 1);
	CHECK_EQ(ioeventfd(m, wide, DOORBELL + 8, 0, gone, 0), 0);
	CHECK_EQ(guest_writes(m, DOORBELL + 8, 1, 9), DOORBELL + 8);
	/* Ports are another space, which no guest here reaches. */
	CHECK_EQ(ioeventfd(m, wide, DOORBELL + 8, 1, KVM_IOEVENTFD_FLAG_PIO, 0), 0);
	CHECK_EQ(guest_writes(m, DOORBELL + 8, 1, 9), DOORBELL + 8);
	close(any);
	close(seven);
	close(wide);
}

static void check_ioeventfd_limit(struct machine *m)
{
	int fd = event_new(), added = 0;

	while (added < 2000 && ioeventfd(m, fd, 0x20000000 + 8ul * (unsigned)added, 4, 0, 0) == 0)
		added++;
	CHECK(added >= 900 && added <= 1000);
	CHECK_EQ(errno, ENOSPC);
	close(fd);
}

/* An irqfd goes with its VM's descriptor, though a vCPU keeps the VM. */
static void check_vm_closed(void)
{
	int event = event_new();
	struct machine m, next;

	machine_create(&m);
	machine_add_gic(&m);
	CHECK_EQ(irqfd(&m, event, 9, 0, 0), 0);
	machine_create(&next);
	machine_add_gic(&next);
	CHECK_EQ(irqfd(&next, event, 9, 0, 0), -EBUSY);
	close(m.vm.fd);
	CHECK_EQ(irqfd(&next, event, 9, 0, 0), 0);
	spi_enable(next.gic, 41, 0x80, 1);
	event_signal(event);
	CHECK_EQ(dist_get(next.gic, GICD_ISPENDR + 4), 1 << 9);
	m.vm.fd = dup(event); /* what machine_destroy() closes */
	machine_destroy(&m);
	machine_destroy(&next);
	close(event);
}

int main(void)
{
	struct machine m;

	machine_create(&m);
	check_ioeventfd(&m); /* needs no vGIC */
	machine_destroy(&m);
	machine_create(&m);
	check_irqfd(&m);
	check_routing(&m);
	check_resample(&m);
	check_many(&m);
	check_closed(&m);
	check_irqfd_limit(&m);
	check_ioeventfd_limit(&m);
	machine_destroy(&m);
	check_vm_closed();
	return check_done("kvm_eventfds");
}
