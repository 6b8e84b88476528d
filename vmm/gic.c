/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "vmm/gic.h"

#include "vmm/error.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void set_attribute(int gic, uint32_t group, uint64_t attribute, const void *value,
			  const char *what)
{
	struct kvm_device_attr attr = {
		.group = group,
		.attr = attribute,
		.addr = (uint64_t)(uintptr_t)value,
	};

	if (ioctl(gic, KVM_SET_DEVICE_ATTR, &attr) < 0)
		fail("GICv3: %s: %s", what, strerror(errno));
}

void gic_create(const struct vm *vm)
{
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_ARM_VGIC_V3 };
	/* Of all vCPUs in a row, from here on. */
	uint64_t distributor = GICD_BASE, redistributors = GICR_BASE;
	uint32_t interrupts = INTID_COUNT;

	if (ioctl(vm->fd, KVM_CREATE_DEVICE, &create) < 0)
		fail("this host has no GICv3 for guests (KVM_CREATE_DEVICE: %s)", strerror(errno));
	set_attribute((int)create.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST,
		      &distributor, "address of the distributor");
	set_attribute((int)create.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST,
		      &redistributors, "address of the redistributors");
	set_attribute((int)create.fd, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &interrupts,
		      "number of interrupts");
	set_attribute((int)create.fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL,
		      "initialisation");
}

static void signal_level(const struct irq_line *line, bool high)
{
	struct kvm_irq_level level = {
		.irq = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | line->intid,
		.level = high,
	};

	vm_ioctl(line->vm, KVM_IRQ_LINE, &level, "KVM_IRQ_LINE");
}

void irq_line_set(struct irq_line *line, bool high)
{
	if (line->high == high)
		return;
	line->high = high;
	signal_level(line, high);
}

void irq_line_pulse(struct irq_line *line)
{
	signal_level(line, true);
	signal_level(line, false);
}
