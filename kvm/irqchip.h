/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupts as user space knows them: lines by number, and devices that are interrupt controllers.
 */
#ifndef KVM_IRQCHIP_H
#define KVM_IRQCHIP_H

#include "engine/types.h"
#include "kvm/vm.h"

/* ---- kvm/irqchip.c: the VM ioctls of that name */
/* KVM_IRQ_LINE. */
int irqchip_line(struct vm *vm, hva_t arg);
/* The guest has deactivated the level-triggered SPI @intid. On a thread in KVM_RUN. */
void irqchip_ended(struct vm *vm, u32 intid);

/* ---- kvm/device.c */
/* KVM_CREATE_DEVICE. */
int device_create(struct vm *vm, hva_t arg);

/* An attribute of a device as an ioctl names it. */
struct device_attr {
	u32 group;
	u64 attr;
	hva_t addr;
};

struct device_type {
	const char *name;
	/* Makes the VM's device; 0 or an error. Under the VM's lock. */
	int (*create)(struct vm *vm);
	int (*set)(struct vm *vm, const struct device_attr *a);
	int (*get)(struct vm *vm, const struct device_attr *a);
	/* 0: there is such an attribute. -ENXIO. */
	int (*has)(struct vm *vm, const struct device_attr *a);
};

extern const struct device_type vgic_device; /* kvm/vgic_device.c */

#endif
