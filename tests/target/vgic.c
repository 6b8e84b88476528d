/* SPDX-License-Identifier: Apache-2.0 */
/* A vGICv3 for the tests' machines; see vgic.h. */
#define _GNU_SOURCE
#include "tests/target/vgic.h"
#include "tests/target/check.h"

#define ICC_IAR1    "s3_0_c12_c12_0"
#define ICC_EOIR1   "s3_0_c12_c12_1"
#define ICC_CTLR    "s3_0_c12_c12_4"
#define ICC_IGRPEN1 "s3_0_c12_c12_7"
#define ICC_PMR	    "s3_0_c4_c6_0"
#define ICC_DIR	    "s3_0_c12_c11_1"

/* The vector of IRQs taken at EL1 with its own stack pointer; the others loop. */
GUEST(vgic_vectors, "	b .\n"
		    "	.skip 0x27c\n"
		    "	mrs x20, " ICC_IAR1 "\n"
		    "	cbz x24, 1f\n"
		    "	str x20, [x21], #8\n"
		    "	b 2f\n"
		    "1:	str x20, [x19, #0x20]\n"
		    "2:	msr " ICC_EOIR1 ", x20\n"
		    "	cbz x25, 3f\n"
		    "	msr " ICC_DIR ", x20\n"
		    "3:	isb\n"
		    "	add x23, x23, #1\n"
		    "	eret\n");

GUEST(vgic_waiter, "	mov x0, #0x40000000\n"
		   "	msr vbar_el1, x0\n"
		   "	mov x0, #0xff\n"
		   "	msr " ICC_PMR ", x0\n"
		   "	lsl x0, x25, #1\n"
		   "	msr " ICC_CTLR ", x0\n"
		   "	mov x0, #1\n"
		   "	msr " ICC_IGRPEN1 ", x0\n"
		   "	isb\n"
		   "1:	msr daifset, #2\n"
		   "	cmp x23, x22\n"
		   "	b.hs 2f\n"
		   "	wfi\n"
		   "	msr daifclr, #2\n"
		   "	isb\n"
		   "	b 1b\n"
		   "2:	str x23, [x19]\n"
		   "	b 2b\n");

int device_create(struct vm *vm, uint32_t type, uint32_t flags)
{
	struct kvm_create_device d = { .type = type, .flags = flags };

	return ioctl(vm->fd, KVM_CREATE_DEVICE, &d) ? -errno : (int)d.fd;
}

static int attr_call(int fd, unsigned long call, uint32_t group, uint64_t attr, const void *value)
{
	struct kvm_device_attr a = { .group = group, .attr = attr, .addr = (uint64_t)value };

	return ioctl(fd, call, &a) ? -errno : 0;
}

int attr_set(int fd, uint32_t group, uint64_t attr, const void *value)
{
	return attr_call(fd, KVM_SET_DEVICE_ATTR, group, attr, value);
}

int attr_get(int fd, uint32_t group, uint64_t attr, void *value)
{
	return attr_call(fd, KVM_GET_DEVICE_ATTR, group, attr, value);
}

int attr_has(int fd, uint32_t group, uint64_t attr)
{
	return attr_call(fd, KVM_HAS_DEVICE_ATTR, group, attr, NULL);
}

int vgic_setup(struct vm *vm, unsigned vcpus, uint32_t irqs)
{
	uint64_t dist = GICD_BASE, redist = GICR_BASE | (uint64_t)vcpus << 52;
	int gic = device_create(vm, KVM_DEV_TYPE_ARM_VGIC_V3, 0);

	REQUIRE(gic >= 0);
	REQUIRE(attr_set(gic, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &irqs) == 0);
	REQUIRE(attr_set(gic, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, &dist) == 0);
	REQUIRE(attr_set(gic, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION,
			 &redist) == 0);
	REQUIRE(attr_set(gic, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL) == 0);
	dist_set(gic, GICD_CTLR, 2);
	return gic;
}

uint32_t dist_get(int gic, uint32_t offset)
{
	uint32_t value = 0;

	CHECK_EQ(attr_get(gic, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, offset, &value), 0);
	return value;
}

void dist_set(int gic, uint32_t offset, uint32_t value)
{
	CHECK_EQ(attr_set(gic, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, offset, &value), 0);
}

uint32_t redist_get(int gic, unsigned cpu, uint32_t offset)
{
	uint32_t value = 0;

	CHECK_EQ(attr_get(gic, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, (uint64_t)cpu << 32 | offset,
			  &value),
		 0);
	return value;
}

void redist_set(int gic, unsigned cpu, uint32_t offset, uint32_t value)
{
	CHECK_EQ(attr_set(gic, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, (uint64_t)cpu << 32 | offset,
			  &value),
		 0);
}

void spi_enable(int gic, uint32_t intid, uint8_t priority, int edge)
{
	uint32_t prio = dist_get(gic, GICD_IPRIORITYR + (intid & ~3u));
	uint32_t config = dist_get(gic, GICD_ICFGR + intid / 16 * 4);
	unsigned shift = intid % 4 * 8, cfg_shift = intid % 16 * 2;

	dist_set(gic, GICD_IPRIORITYR + (intid & ~3u),
		 (prio & ~(0xffu << shift)) | (uint32_t)priority << shift);
	dist_set(gic, GICD_ICFGR + intid / 16 * 4,
		 (config & ~(3u << cfg_shift)) | (edge ? 2u << cfg_shift : 0));
	dist_set(gic, GICD_ISENABLER + intid / 32 * 4, 1u << intid % 32);
}

int spi_line(struct vm *vm, uint32_t intid, int level)
{
	struct kvm_irq_level l = {
		.irq = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | intid,
		.level = (uint32_t)level,
	};

	return ioctl(vm->fd, KVM_IRQ_LINE, &l) ? -errno : 0;
}

void vgic_guest_load(char *ram)
{
	LOAD(ram + AT_VECTORS, vgic_vectors);
	LOAD(ram + AT_CODE, vgic_waiter);
}

void vgic_guest_start(struct vcpu *vcpu, uint64_t interrupts, uint64_t log)
{
	vcpu_start(vcpu, GUEST_RAM + AT_CODE);
	vcpu_set_x(vcpu, 21, log);
	vcpu_set_x(vcpu, 22, interrupts);
	vcpu_set_x(vcpu, 23, 0);
	vcpu_set_x(vcpu, 24, log != 0);
	vcpu_set_x(vcpu, 25, 0);
}
