/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that uses an ITS: it sets up tables and queue by MMIO, its commands map events to LPIs,
 * and messages become interrupts, whoever sends them: the guest by INT, the client by
 * KVM_SIGNAL_MSI, a device by an irqfd with an MSI route.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/vgic.h"

#include "abi/catwalk.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
	RAM_SIZE = 4 * MIB,
	AT_PEEK = 0x2000,
	/* Where the guest has its tables, from GUEST_RAM on */
	AT_DEVICES = 0x100000,
	AT_COLLECTIONS = 0x110000,
	AT_CONFIG = 0x120000,
	AT_PENDING = 0x130000, /* of each vCPU 64 KiB */
	AT_ITT = 0x150000,     /* of each device 64 KiB */
	AT_QUEUE = 2 * MIB,
	QUEUE_SIZE = MIB,
	COMMAND = 32,

	ITS_BASE = 0x08080000,
	GITS_CTLR = 0x0000,
	GITS_TYPER = 0x0008,
	GITS_CBASER = 0x0080,
	GITS_CWRITER = 0x0088,
	GITS_CREADR = 0x0090,
	GITS_BASER = 0x0100,
	GITS_TRANSLATER = 0x10040,
	GICR_CTLR = 0x0000,
	GICR_PROPBASER = 0x0070,
	GICR_PENDBASER = 0x0078,

	LPI = 8192,
	DEVICE = 3,
	LPI_ON = 0xa1, /* its configuration: priority 0xa0, enabled */
	LPI_OFF = 0xa0,
};

#define VALID (1ul << 63)

enum {
	MOVI = 1,
	INT = 3,
	CLEAR = 4,
	SYNC = 5,
	MAPD = 8,
	MAPC = 9,
	MAPTI = 10,
	INV = 12,
	INVALL = 13,
	DISCARD = 15
};

struct machine {
	struct vm vm;
	struct vcpu vcpu[2];
	int gic, its;
	char *ram;
	uint32_t writer; /* where the next command goes */
};

/* x1 = address, x2: 4 or 8 bytes, x3: what to write, x4: 1 to write. x5: what was read. */
GUEST(peek, "	cbnz x4, 2f\n"
	    "	cmp x2, #4\n	b.ne 1f\n	ldr w5, [x1]\n"
	    "1:	cmp x2, #8\n	b.ne 9f\n	ldr x5, [x1]\n"
	    "	b 9f\n"
	    "2:	cmp x2, #4\n	b.ne 3f\n	str w3, [x1]\n"
	    "3:	cmp x2, #8\n	b.ne 9f\n	str x3, [x1]\n"
	    "9:	str x5, [x19]\n"
	    "	b .\n");

static int is_catwalk(struct machine *m)
{
	return VM_CAP(&m->vm, KVM_CAP_CATWALK_CONTRACT) == 1;
}

static void complete(struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	vcpu->run->immediate_exit = 0;
}

static void start_access(struct machine *m, uint64_t address, unsigned len, int write,
			 uint64_t value)
{
	struct vcpu *vcpu = &m->vcpu[0];

	vcpu_start(vcpu, GUEST_RAM + AT_PEEK);
	vcpu_set_x(vcpu, 1, address);
	vcpu_set_x(vcpu, 2, len);
	vcpu_set_x(vcpu, 3, value);
	vcpu_set_x(vcpu, 4, (uint64_t)write);
	vcpu_set_x(vcpu, 5, 0);
}

static uint64_t access_by_guest(struct machine *m, uint64_t address, unsigned len, int write,
				uint64_t value)
{
	uint64_t result;

	start_access(m, address, len, write, value);
	result = RUN_TO_WRITE(&m->vcpu[0], GUEST_MMIO);
	complete(&m->vcpu[0]);
	return result;
}

#define READ(address, len)	   access_by_guest(m, address, len, 0, 0)
#define WRITE(address, len, value) access_by_guest(m, address, len, 1, value)

/* ---- the machine */

static void its_create(struct machine *m)
{
	uint64_t base = ITS_BASE, bad = ITS_BASE + 0x1000;

	m->its = device_create(&m->vm, KVM_DEV_TYPE_ARM_VGIC_ITS, 0);
	REQUIRE(m->its >= 0);
	CHECK_EQ(attr_set(m->its, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_ITS_ADDR_TYPE, &bad),
		 -EINVAL);
	CHECK_EQ(attr_set(m->its, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_ITS_ADDR_TYPE, &base), 0);
	CHECK_EQ(attr_set(m->its, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_ITS_ADDR_TYPE, &base),
		 -EEXIST);
	CHECK_EQ(attr_set(m->its, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL), 0);
}

static void machine_create(struct machine *m)
{
	*m = (struct machine){ .writer = 0 };
	vm_create(&m->vm, 0);
	m->ram = vm_ram(&m->vm, 0, GUEST_RAM, RAM_SIZE);
	for (unsigned i = 0; i < 2; i++)
		vcpu_create(&m->vm, &m->vcpu[i], i, 0);
	CHECK_EQ(device_create(&m->vm, KVM_DEV_TYPE_ARM_VGIC_ITS, 0), -ENODEV);
	m->gic = vgic_setup(&m->vm, 2, 64);
	its_create(m);
	vgic_guest_load(m->ram);
	LOAD(m->ram + AT_PEEK, peek);
	memset(m->ram + AT_CONFIG, LPI_ON, 0x10000);
}

static void machine_destroy(struct machine *m)
{
	close(m->its);
	close(m->gic);
	for (unsigned i = 0; i < 2; i++)
		vcpu_destroy(&m->vcpu[i]);
	vm_destroy(&m->vm);
}

/* As a guest's driver does it. */
static void guest_enables(struct machine *m)
{
	for (uint64_t i = 0; i < 2; i++) {
		uint64_t redist = GICR_BASE + i * GICR_SIZE;

		WRITE(redist + GICR_PROPBASER, 8, (GUEST_RAM + AT_CONFIG) | 15);
		WRITE(redist + GICR_PENDBASER, 8, GUEST_RAM + AT_PENDING + i * 0x10000);
		WRITE(redist + GICR_CTLR, 4, 1);
		CHECK_EQ(READ(redist + GICR_CTLR, 4) & 1, 1);
	}
	WRITE(ITS_BASE + GITS_BASER, 8, VALID | (GUEST_RAM + AT_DEVICES));
	WRITE(ITS_BASE + GITS_BASER + 8, 8, VALID | (GUEST_RAM + AT_COLLECTIONS));
	WRITE(ITS_BASE + GITS_CBASER, 8, VALID | (GUEST_RAM + AT_QUEUE) | (QUEUE_SIZE / PAGE - 1));
	CHECK_EQ(READ(ITS_BASE + GITS_TYPER, 8) & 1, 1); /* physical LPIs */
	CHECK_EQ(READ(ITS_BASE + GITS_CREADR, 8), 0);
	WRITE(ITS_BASE + GITS_CTLR, 4, 1);
	CHECK_EQ(READ(ITS_BASE + GITS_CTLR, 4), 1 | 1ul << 31);
}

/* ---- commands */

static void put(struct machine *m, uint64_t a, uint64_t b, uint64_t c)
{
	const uint64_t dw[4] = { a, b, c, 0 };

	memcpy(m->ram + AT_QUEUE + m->writer, dw, sizeof(dw));
	m->writer = (m->writer + COMMAND) % QUEUE_SIZE;
}

static void put_event(struct machine *m, unsigned command, uint32_t event, uint32_t intid,
		      uint32_t collection)
{
	put(m, command | (uint64_t)DEVICE << 32, event | (uint64_t)intid << 32, collection);
}

static void put_mapc(struct machine *m, uint32_t collection, uint32_t cpu)
{
	put(m, MAPC, 0, VALID | (uint64_t)cpu << 16 | collection);
}

/* The guest tells the ITS of what was put, and sees it done. */
static void submit(struct machine *m)
{
	put(m, SYNC, 0, 0);
	WRITE(ITS_BASE + GITS_CWRITER, 8, m->writer);
	CHECK_EQ(READ(ITS_BASE + GITS_CREADR, 8), m->writer);
}

static void event_command(struct machine *m, unsigned command, uint32_t event, uint32_t intid,
			  uint32_t collection)
{
	put_event(m, command, event, intid, collection);
	submit(m);
}

/* ---- messages */

static int signal_msi(struct machine *m, uint32_t device, uint32_t event)
{
	struct kvm_msi msi = {
		.address_lo = ITS_BASE + GITS_TRANSLATER,
		.data = event,
		.flags = KVM_MSI_VALID_DEVID,
		.devid = device,
	};
	int result = ioctl(m->vm.fd, KVM_SIGNAL_MSI, &msi);

	return result < 0 ? -errno : result;
}

/* The vCPU waits and takes one interrupt with that number. */
static void expect_lpi(struct machine *m, unsigned cpu, uint32_t intid)
{
	struct vcpu *vcpu = &m->vcpu[cpu];

	vgic_guest_start(vcpu, 1, 0);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 0x20), intid);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO), 1);
	complete(vcpu);
}

static void expect_none(struct machine *m, unsigned cpu)
{
	vgic_guest_start(&m->vcpu[cpu], 1, 0);
	alarm_every_us(20 * 1000);
	CHECK_EQ(vcpu_run(&m->vcpu[cpu]), -EINTR);
	alarm_every_us(0);
}

/* ---- the tests */

static void check_before(struct machine *m)
{
	struct kvm_msi msi = { .address_lo = ITS_BASE + GITS_TRANSLATER };

	CHECK_EQ(VM_CAP(&m->vm, KVM_CAP_MSI_DEVID), 1);
	CHECK_EQ(ioctl(m->vm.fd, KVM_SIGNAL_MSI, &msi), -1);
	CHECK_EQ(errno, EINVAL); /* without a device */
	CHECK_EQ(signal_msi(m, DEVICE, 1), -EBUSY);
	/* Nothing is in place: it stays off. */
	WRITE(ITS_BASE + GITS_CTLR, 4, 1);
	CHECK_EQ(READ(ITS_BASE + GITS_CTLR, 4) & 1, 0);
}

static void check_messages(struct machine *m)
{
	put(m, MAPD | (uint64_t)DEVICE << 32, 13 - 1, VALID | (GUEST_RAM + AT_ITT));
	put_mapc(m, 0, 0);
	put_mapc(m, 1, 1);
	put_event(m, MAPTI, 7, LPI + 100, 0);
	put_event(m, INV, 7, 0, 0);
	submit(m);
	event_command(m, INT, 7, 0, 0);
	expect_lpi(m, 0, LPI + 100);
	CHECK_EQ(signal_msi(m, DEVICE, 7), 1);
	expect_lpi(m, 0, LPI + 100);
	CHECK_EQ(signal_msi(m, DEVICE, 8), 0);
	CHECK_EQ(signal_msi(m, DEVICE + 1, 7), 0);
	event_command(m, MOVI, 7, 0, 1);
	CHECK_EQ(signal_msi(m, DEVICE, 7), 1);
	expect_lpi(m, 1, LPI + 100);
	event_command(m, MOVI, 7, 0, 0);
}

static void check_configuration(struct machine *m)
{
	m->ram[AT_CONFIG + 100] = (char)LPI_OFF;
	event_command(m, INV, 7, 0, 0);
	CHECK_EQ(signal_msi(m, DEVICE, 7), 1); /* it waits */
	expect_none(m, 0);
	m->ram[AT_CONFIG + 100] = (char)LPI_ON;
	put(m, INVALL, 0, 0);
	submit(m);
	expect_lpi(m, 0, LPI + 100);
	CHECK_EQ(signal_msi(m, DEVICE, 7), 1);
	event_command(m, CLEAR, 7, 0, 0);
	expect_none(m, 0);
	/* LPIs of the vCPU are off. */
	WRITE(GICR_BASE + GICR_CTLR, 4, 0);
	CHECK_EQ(signal_msi(m, DEVICE, 7), -EBUSY);
	WRITE(GICR_BASE + GICR_CTLR, 4, 1);
}

static void check_irqfd(struct machine *m)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entry;
	} r = {
		.head.nr = 1,
		.entry = {
			.gsi = 5,
			.type = KVM_IRQ_ROUTING_MSI,
			.flags = KVM_MSI_VALID_DEVID,
			.u.msi = { .address_lo = ITS_BASE + GITS_TRANSLATER,
				   .data = 7,
				   .devid = DEVICE },
		},
	};
	struct kvm_irqfd irqfd = { .gsi = 5 };
	int event = eventfd(0, EFD_CLOEXEC);
	uint64_t one = 1;

	CHECK_OK(ioctl(m->vm.fd, KVM_SET_GSI_ROUTING, &r));
	irqfd.fd = (uint32_t)event;
	CHECK_OK(ioctl(m->vm.fd, KVM_IRQFD, &irqfd));
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(write(event, &one, sizeof(one)), 8);
		expect_lpi(m, 0, LPI + 100);
	}
	close(event);
}

/* Mapped to a collection that no vCPU has yet; unmapped after tables were saved. */
static void check_mapping(struct machine *m)
{
	event_command(m, MAPTI, 9, LPI + 200, 4);
	CHECK_EQ(signal_msi(m, DEVICE, 9), 0);
	put_mapc(m, 4, 1);
	submit(m);
	CHECK_EQ(signal_msi(m, DEVICE, 9), 1);
	expect_lpi(m, 1, LPI + 200);
	CHECK_EQ(attr_set(m->its, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_ITS_SAVE_TABLES, NULL), 0);
	CHECK_EQ(attr_set(m->gic, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_SAVE_PENDING_TABLES,
			  NULL),
		 0);
	CHECK(((uint64_t *)(m->ram + AT_DEVICES))[DEVICE] >> 63);
	CHECK_EQ(((uint64_t *)(m->ram + AT_ITT))[9] & 0xffffffff0000, (uint64_t)(LPI + 200) << 16);
	event_command(m, DISCARD, 9, 0, 0);
	CHECK_EQ(signal_msi(m, DEVICE, 9), 0);
	CHECK_EQ(((uint64_t *)(m->ram + AT_ITT))[9], 0);
}

/* Many pending: all are taken, the most urgent first. */
static void check_many(struct machine *m)
{
	enum { COUNT = 200, AT_LOG = 0x8000 };
	const uint64_t *log = (uint64_t *)(m->ram + AT_LOG);
	uint8_t last = 0;

	for (uint32_t i = 0; i < COUNT; i++) {
		m->ram[AT_CONFIG + 300 + i] = (char)((i * 40 & 0xf8) % 0xf0 | 1);
		put_event(m, MAPTI, 300 + i, LPI + 300 + i, 0);
		put_event(m, INT, 300 + i, 0, 0);
	}
	submit(m);
	vgic_guest_start(&m->vcpu[0], COUNT, GUEST_RAM + AT_LOG);
	CHECK_EQ(RUN_TO_WRITE(&m->vcpu[0], GUEST_MMIO), COUNT);
	complete(&m->vcpu[0]);
	for (uint32_t i = 0; i < COUNT; i++) {
		uint8_t priority = (uint8_t)m->ram[AT_CONFIG + log[i] - LPI] & 0xf8;

		CHECK(log[i] >= LPI + 300 && log[i] < LPI + 300 + COUNT);
		CHECK(priority >= last);
		last = priority;
	}
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The longest queue, of the longest commands: a signal ends KVM_RUN, and the next goes on with it.
 */
static void check_long_queue(struct machine *m)
{
	enum { EVENTS = 4096 };
	uint64_t creadr = 0, start;

	for (uint32_t i = 0; i < EVENTS; i++)
		put_event(m, MAPTI, 1000 + i, LPI + 1000 + i, 1);
	submit(m);
	for (uint32_t i = 0; i < QUEUE_SIZE / COMMAND - 1; i++)
		put_mapc(m, 1, i & 1);
	start_access(m, ITS_BASE + GITS_CWRITER, 8, 1, m->writer);
	start = now_ns();
	alarm_every_us(100 * 1000);
	CHECK_EQ(vcpu_run(&m->vcpu[0]), -EINTR);
	alarm_every_us(0);
	CHECK(!is_catwalk(m) || now_ns() - start < 3000000000);
	CHECK_EQ(attr_get(m->its, KVM_DEV_ARM_VGIC_GRP_ITS_REGS, GITS_CREADR, &creadr), 0);
	CHECK(!is_catwalk(m) || creadr != m->writer);
	/* The rest is made short. */
	for (uint32_t at = 0; at < QUEUE_SIZE; at += COMMAND)
		m->ram[AT_QUEUE + at] = SYNC;
	RUN_TO_WRITE(&m->vcpu[0], GUEST_MMIO);
	complete(&m->vcpu[0]);
	CHECK_EQ(READ(ITS_BASE + GITS_CREADR, 8), m->writer);
	put_mapc(m, 1, 1);
	submit(m);
	CHECK_EQ(signal_msi(m, DEVICE, 1000 + EVENTS - 1), 1);
	expect_lpi(m, 1, LPI + 1000 + EVENTS - 1);
	event_command(m, MAPD, 0, 0, 0); /* not valid: all are gone */
	CHECK_EQ(signal_msi(m, DEVICE, 1000), 0);
}

int main(void)
{
	struct machine m;

	machine_create(&m);
	check_before(&m);
	guest_enables(&m);
	check_messages(&m);
	check_configuration(&m);
	check_irqfd(&m);
	check_mapping(&m);
	check_many(&m);
	check_long_queue(&m);
	machine_destroy(&m);
	return check_done("kvm_its");
}
