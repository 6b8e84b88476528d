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

/* ---- kvm/irq_route.c */
enum { IRQ_ROUTES_MAX = 4096 };

/* A message-signalled interrupt. */
struct msi {
	u64 address;
	u32 data;
	u32 device; /* if it has one */
	bool has_device;
};

enum gsi_event { GSI_RISES, GSI_FALLS };

/* KVM_SET_GSI_ROUTING. With or without a vGIC; but its start forgets what was set before. */
int irq_routes_set(struct vm *vm, hva_t arg);
/* GSI n is SPI n again. Under the VM's lock. */
void irq_routes_reset(struct vm *vm);
/* No vCPU and no irqfd is left. */
void irq_routes_destroy(struct vm *vm);
/* What @gsi stands for happens: a message at each rise. With a vGIC that was started. Any context
 * but under the vGIC's lock. */
void irq_route_signal(struct vm *vm, u32 gsi, enum gsi_event event);
bool irq_route_is_spi(const struct vm *vm, u32 gsi, u32 intid);

/* KVM_SIGNAL_MSI: 1 an interrupt is pending, 0 the guest has mapped none, or an error: -EBUSY: the
 * guest has disabled the ITS, or LPIs. */
int msi_ioctl(struct vm *vm, hva_t arg);

/* ---- kvm/its_device.c */
/* A message to an ITS, as msi_ioctl(). Any context but under the vGIC's lock. -ENODEV: there is
 * none, -EINVAL: not to this address. */
int its_signal(struct vm *vm, const struct msi *m);
void its_devices_destroy(struct vm *vm);
/* The MMIO access @o, if it is to an ITS; a read gives *@data. May sleep. */
struct vcpu;
bool its_mmio(struct vcpu *v, const struct fault_outcome *o, u64 *data);
/* VCPU_REQ_ITS was set. May sleep. */
void its_go_on(struct vcpu *v);

/* ---- kvm/irqfd.c */
enum {
	IRQFDS_MAX = IRQ_ROUTES_MAX, /* of one VM */
	RESAMPLERS_MAX = 1024,	     /* of these: a vCPU walks them under a spin lock */
};
void irqfds_init(struct irqfds *fds);
/* KVM_IRQFD. */
int irqfd_ioctl(struct vm *vm, hva_t arg);
/* The counter of the eventfd that @fd of the caller names, counted; or ERR_PTR: -EBADF, -EINVAL. */
struct eventfd *eventfd_of(s32 fd);
/* irqchip_ended() for those with RESAMPLE. */
void irqfd_ended(struct vm *vm, u32 intid);
/* The VM's descriptor was closed; vm->lock is held. May sleep. */
void irqfd_destroy(struct vm *vm);

/* ---- kvm/ioeventfd.c */
/* KVM_IOEVENTFD. */
int ioeventfd_ioctl(struct vm *vm, hva_t arg);
/* A guest's write of @len bytes, @data as they lie in memory: true if it signalled one. In a walk
 * section. */
bool ioeventfd_write(struct vm *vm, u64 addr, u32 len, u64 data);
void ioeventfd_destroy(struct vm *vm);

/* ---- kvm/device.c */
/* KVM_CREATE_DEVICE. */
int device_create(struct vm *vm, hva_t arg);

/* An attribute of a device as an ioctl names it. */
struct device_attr {
	u32 group;
	u64 attr;
	hva_t addr;
};

struct device_type;
/* An open device. The state behind it is its VM's. */
struct device {
	struct vm *vm; /* counted */
	const struct device_type *type;
	void *state;
};

struct device_type {
	const char *name;
	/* Makes the state; 0 or an error. Under the VM's lock. */
	int (*create)(struct device *d);
	int (*set)(struct device *d, const struct device_attr *a);
	int (*get)(struct device *d, const struct device_attr *a);
	/* 0: there is such an attribute. -ENXIO. */
	int (*has)(struct device *d, const struct device_attr *a);
};

extern const struct device_type vgic_device; /* kvm/vgic_device.c */
extern const struct device_type its_device;  /* kvm/its_device.c */

/* No vCPU runs, and none starts to, until they are unlocked: -EBUSY if one has an ioctl under way.
 * Under the VM's lock. */
int vcpus_trylock(struct vm *vm);
void vcpus_unlock(struct vm *vm);

#endif
