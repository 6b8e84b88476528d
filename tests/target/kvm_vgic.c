/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vGICv3 as a client and its guest see it: the device and its attributes, lines, SGIs between
 * vCPUs, timers as interrupts, priorities with more interrupts than list registers, both ways of
 * ending, saved state, and accesses of any size.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/vgic.h"

#include "abi/catwalk.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum {
	RAM_SIZE = 64 * 1024,
	AT_LOG = 0x8000,
	AT_PEEK = 0x2000,
	AT_SGI = 0x2100,
	AT_TIMER = 0x2200,
	AT_SPIN = 0x2300,
	AT_REGS = 0x2400,
	AT_LINE = 0x2500,
	AT_STARTER = 0x2600,
	AT_GROUPS = 0x2700,
	AT_RETRACT = 0x2800,
};

struct machine {
	struct vm vm;
	struct vcpu vcpu[2];
	unsigned vcpus;
	int gic;
	char *ram;
};

/* x1 = address, x2 = length, x3: what to write, x4: 1 to write. x5: what was read. */
GUEST(peek, "	mov x5, #-1\n"
	    "	cbnz x4, 5f\n"
	    "	cmp x2, #1\n	b.ne 1f\n	ldrb w5, [x1]\n"
	    "1:	cmp x2, #2\n	b.ne 2f\n	ldrh w5, [x1]\n"
	    "2:	cmp x2, #4\n	b.ne 3f\n	ldr w5, [x1]\n"
	    "3:	cmp x2, #8\n	b.ne 9f\n	ldr x5, [x1]\n"
	    "	b 9f\n"
	    "5:	cmp x2, #1\n	b.ne 6f\n	strb w3, [x1]\n"
	    "6:	cmp x2, #2\n	b.ne 7f\n	strh w3, [x1]\n"
	    "7:	cmp x2, #4\n	b.ne 8f\n	str w3, [x1]\n"
	    "8:	cmp x2, #8\n	b.ne 9f\n	str x3, [x1]\n"
	    "9:	str x5, [x19]\n"
	    "	b .\n");

/* Raises what x1 says by ICC_SGI1R_EL1. */
GUEST(sender, "	msr s3_0_c12_c11_5, x1\n"
	      "	isb\n"
	      "	str x1, [x19]\n"
	      "	b .\n");

/* Arms the virtual timer at x1 ticks and goes on as the waiter; the timer stays asserted until the
 * client has disabled its interrupt. x26 = 1: the physical one. */
GUEST(timer_guest, "	cbnz x26, 1f\n"
		   "	mrs x2, cntvct_el0\n"
		   "	add x2, x2, x1\n"
		   "	msr cntv_cval_el0, x2\n"
		   "	mov x3, #1\n"
		   "	msr cntv_ctl_el0, x3\n"
		   "	b 2f\n"
		   "1:	mrs x2, cntpct_el0\n"
		   "	add x2, x2, x1\n"
		   "	msr cntp_cval_el0, x2\n"
		   "	mov x3, #1\n"
		   "	msr cntp_ctl_el0, x3\n"
		   "2:	mov x0, #0x1000\n"
		   "	movk x0, #0x4000, lsl #16\n"
		   "	br x0\n");

/* Takes interrupts without ever waiting. */
GUEST(spinner, "	mov x0, #0x40000000\n"
	       "	msr vbar_el1, x0\n"
	       "	mov x0, #0xff\n"
	       "	msr s3_0_c4_c6_0, x0\n"
	       "	mov x0, #1\n"
	       "	msr s3_0_c12_c12_7, x0\n"
	       "	isb\n"
	       "	msr daifclr, #2\n"
	       "	str x0, [x19, #8]\n"
	       "1:	cmp x23, x22\n"
	       "	b.lo 1b\n"
	       "	str x23, [x19]\n"
	       "	b .\n");

GUEST(registers, "	mrs x1, s3_0_c12_c12_5\n" /* ICC_SRE_EL1 */
		 "	str x1, [x19]\n"
		 "	mov x2, #0\n"
		 "	msr s3_0_c12_c12_5, x2\n"
		 "	mrs x1, s3_0_c12_c12_5\n"
		 "	str x1, [x19, #8]\n"
		 "	mrs x1, id_aa64pfr0_el1\n"
		 "	ubfx x1, x1, #24, #4\n"
		 "	str x1, [x19, #16]\n"
		 "	mrs x1, s3_0_c12_c12_0\n" /* ICC_IAR1_EL1 */
		 "	str x1, [x19, #24]\n"
		 "	b .\n");

/* The virtual timer's line rises and falls; x1: where it is pending. */
GUEST(line, "	msr cntv_cval_el0, xzr\n"
	    "	mov x0, #1\n"
	    "	msr cntv_ctl_el0, x0\n"
	    "	isb\n"
	    "	ldr w2, [x1]\n"
	    "	msr cntv_ctl_el0, xzr\n"
	    "	isb\n"
	    "	ldr w3, [x1]\n"
	    "	str x2, [x19]\n"
	    "	str x3, [x19, #8]\n"
	    "	b .\n");

/* Takes one interrupt of group 1; then enables group 0, and counts what it takes of that. It polls,
 * and gives up after a while. */
GUEST(groups, "	mov x0, #0xff\n"
	      "	msr s3_0_c4_c6_0, x0\n"
	      "	mov x0, #1\n"
	      "	msr s3_0_c12_c12_4, xzr\n" /* an end deactivates */
	      "	msr s3_0_c12_c12_6, xzr\n"
	      "	msr s3_0_c12_c12_7, x0\n"
	      "	isb\n"
	      "	mov x2, #0x100000\n"
	      "1:	mrs x1, s3_0_c12_c12_0\n"
	      "	sub x2, x2, #1\n"
	      "	cbz x2, 2f\n"
	      "	cmp x1, #1023\n"
	      "	b.eq 1b\n"
	      "	msr s3_0_c12_c12_1, x1\n"
	      "2:	str x1, [x19]\n"
	      "	msr s3_0_c12_c12_6, x0\n"
	      "	isb\n"
	      "	mov x3, #0\n"
	      "3:	mov x2, #0x4000\n"
	      "4:	mrs x1, s3_0_c12_c8_0\n"
	      "	sub x2, x2, #1\n"
	      "	cbz x2, 5f\n"
	      "	cmp x1, #1023\n"
	      "	b.eq 4b\n"
	      "	msr s3_0_c12_c8_1, x1\n"
	      "	add x3, x3, #1\n"
	      "	b 3b\n"
	      "5:	msr s3_0_c12_c12_6, xzr\n"
	      "	str x3, [x19, #8]\n"
	      "	b .\n");

/* CPU_ON of vCPU 1. */
GUEST(starter, "	mov x0, #3\n"
	       "	movk x0, #0xc400, lsl #16\n"
	       "	mov x1, #1\n"
	       "	mov x2, #0x1000\n"
	       "	hvc #0\n"
	       "	str x0, [x19]\n"
	       "	b .\n");

/* With interrupts masked: a timer that has expired, and is then programmed to expire later. What is
 * there to acknowledge then, and once it expires again? */
GUEST(retractor, "	mov x0, #0xff\n"
		 "	msr s3_0_c4_c6_0, x0\n"
		 "	mov x0, #1\n"
		 "	msr s3_0_c12_c12_7, x0\n"
		 "	msr cntv_cval_el0, xzr\n"
		 "	msr cntv_ctl_el0, x0\n"
		 "	isb\n"
		 "	mov x1, #0x10000\n" /* long enough for the interrupt to get here */
		 "1:	subs x1, x1, #1\n"
		 "	b.ne 1b\n"
		 "	mov x1, #1 << 62\n" /* QEMU 7.2 hangs if it and the offset wrap */
		 "	msr cntv_cval_el0, x1\n"
		 "	isb\n"
		 "	mrs x2, s3_0_c12_c12_0\n" /* ICC_IAR1_EL1 */
		 "	msr s3_0_c12_c12_1, x2\n" /* ICC_EOIR1_EL1 */
		 "	msr cntv_cval_el0, xzr\n"
		 "	isb\n"
		 "	mov x1, #0x10000\n"
		 "2:	subs x1, x1, #1\n"
		 "	b.ne 2b\n"
		 "	mrs x3, s3_0_c12_c12_0\n"
		 "	msr cntv_ctl_el0, xzr\n"
		 "	msr s3_0_c12_c12_1, x3\n"
		 "	str x2, [x19]\n"
		 "	str x3, [x19, #8]\n"
		 "	b .\n");

static void machine_create(struct machine *m, unsigned vcpus)
{
	vm_create(&m->vm, 0);
	m->ram = vm_ram(&m->vm, 0, GUEST_RAM, RAM_SIZE);
	m->vcpus = vcpus;
	for (unsigned i = 0; i < vcpus; i++)
		vcpu_create(&m->vm, &m->vcpu[i], i, 0);
	m->gic = vgic_setup(&m->vm, vcpus, 64);
	vgic_guest_load(m->ram);
	LOAD(m->ram + AT_PEEK, peek);
	LOAD(m->ram + AT_SGI, sender);
	LOAD(m->ram + AT_TIMER, timer_guest);
	LOAD(m->ram + AT_SPIN, spinner);
	LOAD(m->ram + AT_REGS, registers);
	LOAD(m->ram + AT_LINE, line);
	LOAD(m->ram + AT_GROUPS, groups);
	LOAD(m->ram + AT_STARTER, starter);
	LOAD(m->ram + AT_RETRACT, retractor);
}

static void machine_destroy(struct machine *m)
{
	close(m->gic);
	for (unsigned i = 0; i < m->vcpus; i++)
		vcpu_destroy(&m->vcpu[i]);
	vm_destroy(&m->vm);
}

/* Completes the store that the last exit told of. */
static void complete(struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	vcpu->run->immediate_exit = 0;
}

/* ---- the device */

static void check_device(void)
{
	uint32_t irqs = 96, bad = 95;
	uint64_t address = 0x1000;
	struct vcpu vcpu;
	struct vm vm;
	int gic;

	vm_create(&vm, 0);
	CHECK_EQ(VM_CAP(&vm, KVM_CAP_IRQCHIP), 1);
	CHECK_EQ(VM_CAP(&vm, KVM_CAP_DEVICE_CTRL), 1);
	vcpu_create(&vm, &vcpu, 0, 0);
	CHECK_EQ(spi_line(&vm, 40, 1), -ENXIO);
	CHECK_EQ(device_create(&vm, KVM_DEV_TYPE_ARM_VGIC_V2, KVM_CREATE_DEVICE_TEST), -ENODEV);
	CHECK_EQ(device_create(&vm, KVM_DEV_TYPE_ARM_VGIC_V3, KVM_CREATE_DEVICE_TEST), 0);
	gic = device_create(&vm, KVM_DEV_TYPE_ARM_VGIC_V3, 0);
	REQUIRE(gic > 0);
	CHECK_EQ(device_create(&vm, KVM_DEV_TYPE_ARM_VGIC_V3, 0), -EEXIST);
	CHECK_EQ(attr_has(gic, 99, 0), -ENXIO);
	CHECK_EQ(attr_has(gic, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST), 0);
	CHECK_EQ(attr_has(gic, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, GICD_CTLR), 0);
	CHECK_EQ(attr_has(gic, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0x5000), -ENXIO);
	CHECK_EQ(attr_has(gic, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, GICD_CTLR + 1), -ENXIO);
	CHECK_EQ(attr_set(gic, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &bad), -EINVAL);
	CHECK_EQ(attr_set(gic, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, NULL), -EFAULT);
	CHECK_EQ(attr_set(gic, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &irqs), 0);
	CHECK_EQ(attr_set(gic, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &irqs), -EBUSY);
	CHECK_EQ(attr_set(gic, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, &address),
		 -EINVAL);
	CHECK_EQ(spi_line(&vm, 40, 1), -EBUSY); /* not started */
	CHECK_EQ(vcpu_run(&vcpu), -ENXIO);	/* no frames */
	CHECK_EQ(attr_set(gic, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL), 0);
	CHECK_EQ(ioctl(vm.fd, KVM_CREATE_VCPU, 1), -1);
	CHECK_EQ(errno, EBUSY);
	CHECK_EQ(spi_line(&vm, 40, 0), 0);
	CHECK_EQ(spi_line(&vm, 96, 1), -EINVAL);
	CHECK_EQ(spi_line(&vm, 31, 1), -EINVAL);
	vcpu_destroy(&vcpu);
	/* The device outlives the VM's own descriptor. */
	vm_destroy(&vm);
	CHECK_EQ(attr_has(gic, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0), 0);
	close(gic);
}

/* ---- lines */

static void check_level(struct machine *m)
{
	struct vcpu *vcpu = &m->vcpu[0];

	spi_enable(m->gic, 40, 0x80, 0);
	vgic_guest_start(vcpu, 3, 0);
	CHECK_EQ(spi_line(&m->vm, 40, 1), 0);
	/* Taken again for as long as the line is high. */
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 0x20), 40);
	CHECK_EQ(dist_get(m->gic, GICD_ISACTIVER + 4), 1 << 8);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 0x20), 40);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 0x20), 40);
	CHECK_EQ(spi_line(&m->vm, 40, 0), 0);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO), 3);
	complete(vcpu);
	CHECK_EQ(dist_get(m->gic, GICD_ISACTIVER + 4), 0);
}

static void check_edge(struct machine *m)
{
	struct vcpu *vcpu = &m->vcpu[0];

	spi_enable(m->gic, 41, 0x80, 1);
	vgic_guest_start(vcpu, 2, 0);
	CHECK_EQ(spi_line(&m->vm, 41, 1), 0);
	CHECK_EQ(dist_get(m->gic, GICD_ISPENDR + 4), 1 << 9);
	CHECK_EQ(spi_line(&m->vm, 41, 0), 0);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 0x20), 41);
	/* While it is active: pending and active. */
	CHECK_EQ(spi_line(&m->vm, 41, 1), 0);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 0x20), 41);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO), 2);
	complete(vcpu);
	CHECK_EQ(dist_get(m->gic, GICD_ISPENDR + 4), 0);
}

/* More than there are list registers: taken in the order of their priorities. */
static void check_priorities(struct machine *m, int two_steps)
{
	enum { COUNT = 24 };
	struct vcpu *vcpu = &m->vcpu[0];
	uint64_t *log = (uint64_t *)(m->ram + AT_LOG);

	for (uint32_t i = 0; i < COUNT; i++) {
		/* 33 has 0xb8, the last one 0. */
		spi_enable(m->gic, 33 + i, (uint8_t)((COUNT - 1 - i) << 3), 1);
		CHECK_EQ(spi_line(&m->vm, 33 + i, 1), 0);
	}
	vgic_guest_start(vcpu, COUNT, GUEST_RAM + AT_LOG);
	vcpu_set_x(vcpu, 25, (uint64_t)two_steps);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO), COUNT);
	complete(vcpu);
	for (uint32_t i = 0; i < COUNT; i++)
		CHECK_EQ(log[i], 33 + COUNT - 1 - i);
	CHECK_EQ(dist_get(m->gic, GICD_ISACTIVER + 4), 0);
	dist_set(m->gic, GICD_ICENABLER + 4, ~0u);
}

/*
 * More than there are list registers, and more urgent, of a group that the guest has disabled: they
 * do not keep the others out; and all are there when the guest enables it.
 */
static void check_groups(struct machine *m)
{
	enum { COUNT = 24 };
	struct vcpu *vcpu = &m->vcpu[0];

	dist_set(m->gic, GICD_CTLR, 3);
	for (uint32_t i = 0; i <= COUNT; i++) {
		spi_enable(m->gic, 33 + i, i == COUNT ? 0x80 : 0x40, 1);
		CHECK_EQ(spi_line(&m->vm, 33 + i, 1), 0);
	}
	dist_set(m->gic, GICD_IGROUPR + 4, 1u << (33 + COUNT) % 32);
	vcpu_start(vcpu, GUEST_RAM + AT_GROUPS);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO), 33 + COUNT);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 8), COUNT);
	complete(vcpu);
	CHECK_EQ(dist_get(m->gic, GICD_ISACTIVER + 4), 0);
	dist_set(m->gic, GICD_IGROUPR + 4, ~0u);
	dist_set(m->gic, GICD_ICENABLER + 4, ~0u);
	dist_set(m->gic, GICD_ISPENDR + 4, 0);
	dist_set(m->gic, GICD_CTLR, 2);
}

/* A distributor that is off, and an interrupt that is not enabled: none is taken. */
static void check_masks(struct machine *m)
{
	struct vcpu *vcpu = &m->vcpu[0];

	dist_set(m->gic, GICD_CTLR, 0);
	spi_enable(m->gic, 44, 0x80, 1);
	CHECK_EQ(spi_line(&m->vm, 44, 1), 0);
	CHECK_EQ(spi_line(&m->vm, 46, 1), 0); /* not enabled */
	vgic_guest_start(vcpu, 1, 0);
	alarm_every_us(30 * 1000);
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	alarm_every_us(0);
	dist_set(m->gic, GICD_CTLR, 2);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 0x20), 44);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO), 1);
	complete(vcpu);
	CHECK_EQ(dist_get(m->gic, GICD_ISPENDR + 4), 1 << 14);
	dist_set(m->gic, GICD_ISPENDR + 4, 0);
	dist_set(m->gic, GICD_ICENABLER + 4, ~0u);
}

/* ---- between vCPUs */

static void *run_receiver(void *arg)
{
	struct vcpu *vcpu = arg;

	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 0x20), 5);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 0x20), 40);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO), 2);
	complete(vcpu);
	return NULL;
}

static void send(struct machine *m, uint64_t value)
{
	vcpu_start(&m->vcpu[0], GUEST_RAM + AT_SGI);
	vcpu_set_x(&m->vcpu[0], 1, value);
	RUN_TO_WRITE(&m->vcpu[0], GUEST_MMIO);
	complete(&m->vcpu[0]);
}

/* vCPU 1 waits by WFI or spins; an SGI from vCPU 0 reaches it, then an SPI that is routed to it. */
static void check_other_vcpu(struct machine *m, uint64_t code)
{
	struct vcpu *other = &m->vcpu[1];
	pthread_t thread;

	redist_set(m->gic, 1, GICR_SGI_PAGE + GICD_ISENABLER, 1 << 5);
	spi_enable(m->gic, 40, 0x80, 1);
	dist_set(m->gic, GICD_IROUTER + 8 * 40, 1);
	vgic_guest_start(other, 2, 0);
	reg_set(other, CORE_REG(regs.pc), GUEST_RAM + code);
	if (code == AT_SPIN)
		RUN_TO_WRITE(other, GUEST_MMIO + 8); /* it takes interrupts from here on */
	REQUIRE(pthread_create(&thread, NULL, run_receiver, other) == 0);
	usleep(20 * 1000);
	send(m, 5ul << 24 | 1 << 1);
	usleep(20 * 1000);
	CHECK_EQ(spi_line(&m->vm, 40, 1), 0);
	pthread_join(thread, NULL);
	dist_set(m->gic, GICD_IROUTER + 8 * 40, 0);
	dist_set(m->gic, GICD_ICENABLER + 4, ~0u);
	/* All but oneself. */
	send(m, 1ul << 40 | 7ul << 24);
	CHECK_EQ(redist_get(m->gic, 1, GICR_SGI_PAGE + GICD_ISPENDR), 1 << 7);
	CHECK_EQ(redist_get(m->gic, 0, GICR_SGI_PAGE + GICD_ISPENDR), 0);
	redist_set(m->gic, 1, GICR_SGI_PAGE + GICD_ISPENDR, 0);
}

/* ---- timers */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t counter_hz(void)
{
	uint64_t hz;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz;
}

static void check_timer(struct machine *m, uint32_t intid, uint64_t physical)
{
	struct vcpu *vcpu = &m->vcpu[0];
	uint64_t start;

	redist_set(m->gic, 0, GICR_SGI_PAGE + GICD_ISENABLER, 1u << intid);
	for (unsigned ms = 0; ms <= 20; ms += 10) {
		vgic_guest_start(vcpu, 2, 0);
		reg_set(vcpu, CORE_REG(regs.pc), GUEST_RAM + AT_TIMER);
		vcpu_set_x(vcpu, 1, counter_hz() / 1000 * ms);
		vcpu_set_x(vcpu, 26, physical);
		start = now_ns();
		CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 0x20), intid);
		CHECK(now_ns() - start >= ms * 1000000UL);
		CHECK_EQ(vcpu->run->s.regs.device_irq_level, 0);
		/* The line is still high. */
		CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 0x20), intid);
		reg_set(vcpu, physical ? KVM_REG_ARM_PTIMER_CTL : KVM_REG_ARM_TIMER_CTL, 0);
		CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO), 2);
		complete(vcpu);
	}
}

/* What the guest does to its timer is seen in its redistributor at once. */
static void check_timer_line(struct machine *m, uint32_t intid)
{
	struct vcpu *vcpu = &m->vcpu[0];

	vcpu_start(vcpu, GUEST_RAM + AT_LINE);
	vcpu_set_x(vcpu, 1, GICR_BASE + GICR_SGI_PAGE + GICD_ISPENDR);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO) >> intid & 1, 1);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 8) >> intid & 1, 0);
	complete(vcpu);
}

/* A level that falls before it is acknowledged was none: here Linux may show what has been.
 */
static void check_retracted(struct machine *m)
{
	struct vcpu *vcpu = &m->vcpu[0];
	struct utsname name;
	uint64_t first;

	REQUIRE(uname(&name) == 0);
	redist_set(m->gic, 0, GICR_SGI_PAGE + GICD_ISENABLER, 1u << 22);
	vcpu_start(vcpu, GUEST_RAM + AT_RETRACT);
	first = RUN_TO_WRITE(vcpu, GUEST_MMIO);
	if (strstr(name.release, "catwalk"))
		CHECK_EQ(first, 1023);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 8), 22);
	complete(vcpu);
	CHECK_EQ(redist_get(m->gic, 0, GICR_SGI_PAGE + GICD_ISACTIVER), 0);
}

static void check_timer_numbers(struct machine *m)
{
	int irq = 0;

	CHECK_EQ(attr_get(m->vcpu[0].fd, KVM_ARM_VCPU_TIMER_CTRL, KVM_ARM_VCPU_TIMER_IRQ_VTIMER,
			  &irq),
		 0);
	CHECK_EQ(irq, 27);
	CHECK_EQ(attr_get(m->vcpu[0].fd, KVM_ARM_VCPU_TIMER_CTRL, KVM_ARM_VCPU_TIMER_IRQ_PTIMER,
			  &irq),
		 0);
	CHECK_EQ(irq, 30);
	irq = 40;
	CHECK_EQ(attr_set(m->vcpu[0].fd, KVM_ARM_VCPU_TIMER_CTRL, KVM_ARM_VCPU_TIMER_IRQ_VTIMER,
			  &irq),
		 -EINVAL);
	irq = 22;
	CHECK_EQ(attr_set(m->vcpu[0].fd, KVM_ARM_VCPU_TIMER_CTRL, KVM_ARM_VCPU_TIMER_IRQ_VTIMER,
			  &irq),
		 0);
}

/* ---- registers */

static void check_registers(struct machine *m)
{
	struct vcpu *vcpu = &m->vcpu[0];

	vcpu_start(vcpu, GUEST_RAM + AT_REGS);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO), 7);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 8), 7);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 16), 1);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 24), 1023);
	complete(vcpu);
}

static uint64_t access_gic(struct machine *m, uint64_t address, unsigned len, int write,
			   uint64_t value)
{
	struct vcpu *vcpu = &m->vcpu[0];
	uint64_t result;

	vcpu_start(vcpu, GUEST_RAM + AT_PEEK);
	vcpu_set_x(vcpu, 1, address);
	vcpu_set_x(vcpu, 2, len);
	vcpu_set_x(vcpu, 3, value);
	vcpu_set_x(vcpu, 4, (uint64_t)write);
	result = RUN_TO_WRITE(vcpu, GUEST_MMIO);
	complete(vcpu);
	return result;
}

#define READ(address, len)	   access_gic(m, address, len, 0, 0)
#define WRITE(address, len, value) access_gic(m, address, len, 1, value)

static void check_frames(struct machine *m)
{
	CHECK_EQ(READ(GICD_BASE + GICD_CTLR, 4), 2 | 1 << 4 | 1 << 6);
	CHECK_EQ(READ(GICD_BASE + 4, 4) & 0x1f, 1); /* 64 interrupts */
	CHECK_EQ(READ(GICD_BASE + 0xffe8, 4) & 0xf0, 0x30);
	CHECK_EQ(READ(GICR_BASE + 0xffe8, 4) & 0xf0, 0x30);
	CHECK_EQ(READ(GICR_BASE + 8, 8), 0);
	CHECK_EQ(READ(GICR_BASE + GICR_SIZE + 8, 8), 1ul << 32 | 1 << 8 | 1 << 4);
	CHECK_EQ(READ(GICR_BASE + GICR_SIZE + 12, 4), 1);
	/* Priorities by byte and by word; five bits of them. */
	WRITE(GICD_BASE + GICD_IPRIORITYR + 41, 1, 0xff);
	CHECK_EQ(READ(GICD_BASE + GICD_IPRIORITYR + 41, 1), 0xf8);
	CHECK_EQ(READ(GICD_BASE + GICD_IPRIORITYR + 40, 4) & 0xff00, 0xf800);
	/* A route as a whole and by halves. */
	WRITE(GICD_BASE + GICD_IROUTER + 8 * 50, 8, 0xffffffffffffffff);
	CHECK_EQ(READ(GICD_BASE + GICD_IROUTER + 8 * 50, 8), 0xff00ffffff);
	WRITE(GICD_BASE + GICD_IROUTER + 8 * 50, 4, 1);
	CHECK_EQ(READ(GICD_BASE + GICD_IROUTER + 8 * 50, 8), 0xff00000001);
	WRITE(GICD_BASE + GICD_IROUTER + 8 * 50, 8, 0);
	/* Set and clear. */
	WRITE(GICD_BASE + GICD_ISENABLER + 4, 4, 0x30000);
	WRITE(GICD_BASE + GICD_ICENABLER + 4, 4, 0x10000);
	CHECK_EQ(READ(GICD_BASE + GICD_ISENABLER + 4, 4), 0x20000);
	WRITE(GICD_BASE + GICD_ICENABLER + 4, 4, 0x20000);
	/* Nothing is there, or not of that size or place: 0, and no exit. */
	CHECK_EQ(READ(GICD_BASE + GICD_CTLR, 1), 0);
	CHECK_EQ(READ(GICD_BASE + GICD_CTLR, 2), 0);
	CHECK_EQ(READ(GICD_BASE + GICD_ISENABLER, 4), 0);
	CHECK_EQ(READ(GICD_BASE + GICD_ISENABLER + 8, 4), 0); /* interrupts 64 to 95 */
	WRITE(GICD_BASE + GICD_ISENABLER + 8, 4, ~0u);
	CHECK_EQ(READ(GICD_BASE + 0xfffc, 4), 0);
	CHECK_EQ(READ(GICD_BASE + GICD_IROUTER + 8 * 1021, 8), 0);
}

/* Every offset of both frames, all sizes, from user space and from the guest in part. */
static void check_every_offset(struct machine *m)
{
	uint32_t value;

	for (uint32_t offset = 0; offset < 0x20000; offset += 4) {
		value = 0;
		int got = attr_get(m->gic, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, offset, &value);

		if (got != 0 && got != -ENXIO)
			CHECK_EQ(got, -ENXIO);
		if (offset < 0x10000) {
			got = attr_get(m->gic, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, offset, &value);
			if (got != 0 && got != -ENXIO)
				CHECK_EQ(got, -ENXIO);
		}
	}
	for (uint32_t offset = 0; offset < 0x10000; offset += 0x344) {
		for (unsigned len = 1; len <= 8; len *= 2) {
			(void)READ(GICD_BASE + offset, len);
			WRITE(GICD_BASE + (offset & ~7u), len, 0);
			(void)READ(GICR_BASE + GICR_SGI_PAGE + (offset & ~7u), len);
		}
	}
	CHECK_EQ(attr_get(m->gic, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0xffffffff, &value), -ENXIO);
	CHECK_EQ(attr_get(m->gic, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, 9ul << 32, &value), -EINVAL);
	dist_set(m->gic, GICD_CTLR, 2);
}

/* ---- state */

static uint64_t icc(unsigned crn, unsigned crm, unsigned op2)
{
	return 3u << 14 | crn << 7 | crm << 3 | op2;
}

static uint64_t icc_get(struct machine *m, uint64_t instr)
{
	uint64_t value = ~0ul;

	CHECK_EQ(attr_get(m->gic, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, instr, &value), 0);
	return value;
}

static void check_cpu_interface(struct machine *m)
{
	uint64_t value = 0x40;
	uint32_t level = 0;

	CHECK_EQ(icc_get(m, icc(4, 6, 0)), 0xf8);	   /* PMR: the guest wrote 0xff */
	CHECK_EQ(icc_get(m, icc(12, 12, 7)), 1);	   /* IGRPEN1 */
	CHECK_EQ(icc_get(m, icc(12, 12, 5)), 7);	   /* SRE */
	CHECK_EQ(icc_get(m, icc(12, 9, 0)), 0);		   /* AP1R0 */
	CHECK((icc_get(m, icc(12, 12, 4)) >> 8 & 7) >= 4); /* CTLR.PRIbits */
	CHECK_EQ(attr_set(m->gic, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, icc(4, 6, 0), &value), 0);
	CHECK_EQ(icc_get(m, icc(4, 6, 0)), 0x40);
	value = 0;
	CHECK_EQ(attr_set(m->gic, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, icc(12, 12, 5), &value),
		 -EINVAL);
	CHECK_EQ(attr_set(m->gic, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, icc(12, 12, 4), &value),
		 -EINVAL);
	CHECK_EQ(attr_get(m->gic, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, icc(12, 12, 1), &value),
		 -ENXIO);
	CHECK_EQ(attr_get(m->gic, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, 7ul << 32 | icc(4, 6, 0),
			  &value),
		 -EINVAL);
	CHECK_EQ(attr_get(m->gic, KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO, 32, &level), 0);
	CHECK_EQ(level, 0);
	CHECK_EQ(attr_get(m->gic, KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO, 33, &level), -EINVAL);
	CHECK_EQ(attr_get(m->gic, KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO, 1 << 10, &level), -EINVAL);
	level = 1 << 10;
	dist_set(m->gic, GICD_ICFGR + 8, 0);
	CHECK_EQ(attr_set(m->gic, KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO, 32, &level), 0);
	CHECK_EQ(dist_get(m->gic, GICD_ISPENDR + 4), 0); /* the latch alone */
	CHECK_EQ(READ(GICD_BASE + GICD_ISPENDR + 4, 4), 1 << 10);
	level = 0;
	CHECK_EQ(attr_set(m->gic, KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO, 32, &level), 0);
}

/* Turned on, a vCPU has a CPU interface as after a reset, whoever looks at it first. */
static void check_reset(struct machine *m)
{
	const struct kvm_mp_state stopped = { .mp_state = KVM_MP_STATE_STOPPED };
	const uint64_t pmr = 1ul << 32 | icc(4, 6, 0);
	uint64_t value = 0x80;

	if (VM_CAP(&m->vm, KVM_CAP_CATWALK_CONTRACT) <= 0)
		return; /* Linux leaves it as it was */
	CHECK_EQ(attr_set(m->gic, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, pmr, &value), 0);
	CHECK_OK(ioctl(m->vcpu[1].fd, KVM_SET_MP_STATE, &stopped));
	vcpu_start(&m->vcpu[0], GUEST_RAM + AT_STARTER);
	CHECK_EQ(RUN_TO_WRITE(&m->vcpu[0], GUEST_MMIO), 0);
	complete(&m->vcpu[0]);
	CHECK_EQ(reg_get(&m->vcpu[1], CORE_REG(regs.pc)), 0x1000);
	CHECK_EQ(attr_get(m->gic, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, pmr, &value), 0);
	CHECK_EQ(value, 0);
}

/* ---- creation beside a thread that guesses the descriptor */

struct guesser {
	int fd;
	uint32_t group;
	atomic_int stop;
};

static void *guess(void *arg)
{
	struct guesser *g = arg;
	uint64_t value = 0;

	/* A device that was not made has no attributes; nobody reaches into it either. */
	while (!atomic_load(&g->stop)) {
		int fd = dup(g->fd);

		(void)attr_get(fd, g->group, KVM_VGIC_ITS_ADDR_TYPE, &value);
		close(fd);
	}
	return NULL;
}

static void create_in_vain(int kvm, uint32_t type, uint32_t group, int error)
{
	struct guesser g = { .group = group };
	struct vm vm = { .kvm = kvm };
	pthread_t thread;

	vm.fd = ioctl(kvm, KVM_CREATE_VM, 0);
	REQUIRE(vm.fd >= 0);
	if (error == -EEXIST)
		close(device_create(&vm, type, 0));
	g.fd = dup(0); /* the lowest that is free */
	close(g.fd);
	REQUIRE(pthread_create(&thread, NULL, guess, &g) == 0);
	for (int i = 0; i < 20000; i++)
		CHECK_EQ(device_create(&vm, type, 0), error);
	atomic_store(&g.stop, 1);
	pthread_join(thread, NULL);
	close(vm.fd);
}

static void check_creation_is_whole(void)
{
	int kvm = open("/dev/kvm", O_RDWR);

	create_in_vain(kvm, KVM_DEV_TYPE_ARM_VGIC_ITS, KVM_DEV_ARM_VGIC_GRP_ADDR, -ENODEV);
	create_in_vain(kvm, KVM_DEV_TYPE_ARM_VGIC_V3, KVM_DEV_ARM_VGIC_GRP_ADDR, -EEXIST);
	close(kvm);
}

int main(void)
{
	struct machine m;

	check_creation_is_whole();
	check_device();
	machine_create(&m, 2);
	check_timer_numbers(&m);
	check_registers(&m);
	check_timer(&m, 22, 0); /* as check_timer_numbers() chose */
	check_timer(&m, 30, 1);
	check_timer_line(&m, 22);

	check_retracted(&m);
	check_level(&m);
	check_edge(&m);
	check_priorities(&m, 0);
	check_priorities(&m, 1);
	check_groups(&m);
	check_masks(&m);
	check_other_vcpu(&m, AT_CODE);
	check_other_vcpu(&m, AT_SPIN);
	check_frames(&m);
	check_cpu_interface(&m);
	check_every_offset(&m);
	check_reset(&m);
	machine_destroy(&m);
	return check_done("kvm_vgic");
}
