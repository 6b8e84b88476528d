/* SPDX-License-Identifier: Apache-2.0 */
/* KVM_CREATE_DEVICE, and the descriptors of devices. */
#include <asm-generic/fcntl.h>

#include "host/err.h"
#include "host/file.h"
#include "host/page.h"
#include "host/task.h"
#include "kvm/irqchip.h"
#include "kvm/vcpu.h"

static const struct device_type *type_of(u32 type)
{
	switch (type) {
	case KVM_DEV_TYPE_ARM_VGIC_V3: return &vgic_device;
	case KVM_DEV_TYPE_ARM_VGIC_ITS: return &its_device;
	}
	return NULL;
}

/* ---- descriptors */

static s64 device_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct device *d = f->priv;
	struct kvm_device_attr a;
	struct device_attr attr;

	if (!vm_is_mine(d->vm))
		return -EIO;
	if (cmd != KVM_SET_DEVICE_ATTR && cmd != KVM_GET_DEVICE_ATTR && cmd != KVM_HAS_DEVICE_ATTR)
		return -ENOTTY;
	if (copy_from_user(&a, HVA(arg), sizeof(a)))
		return -EFAULT;
	if (a.flags)
		return -EINVAL;
	attr = (struct device_attr){ .group = a.group, .attr = a.attr, .addr = HVA(a.addr) };
	switch (cmd) {
	case KVM_SET_DEVICE_ATTR: return d->type->set(d, &attr);
	case KVM_GET_DEVICE_ATTR: return d->type->get(d, &attr);
	}
	return d->type->has(d, &attr);
}

/* The device stays with its VM. */
static void device_release(struct file *f)
{
	struct device *d = f->priv;

	vm_put(d->vm);
	kfree(d);
}

static const struct file_ops device_file_ops = {
	.name = "anon_inode:kvm-device",
	.ioctl = device_ioctl,
	.release = device_release,
};

static struct file *device_file(struct vm *vm, const struct device_type *type)
{
	struct device *d = kzalloc(sizeof(*d));
	struct file *f = d ? file_alloc(&device_file_ops, d, O_RDWR) : NULL;

	if (!f) {
		kfree(d);
		return NULL;
	}
	d->vm = vm_get(vm);
	d->type = type;
	return f;
}

/*
 * Everything that may fail but the device itself comes before it: a device cannot be taken back.
 * Other threads reach it when it is whole: only then the descriptor names it.
 */
static int create(struct vm *vm, const struct device_type *type)
{
	struct fdtable *files = port_current()->files;
	struct file *f = device_file(vm, type);
	int fd, error;

	if (!f)
		return -ENOMEM;
	fd = fd_reserve(files, 0);
	if (fd < 0) {
		file_put(f);
		return fd;
	}
	mutex_lock(&vm->lock);
	error = type->create(f->priv);
	mutex_unlock(&vm->lock);
	if (error) {
		fd_unreserve(files, fd);
		file_put(f);
		return error;
	}
	fd_fill(files, fd, f, FD_CLOEXEC);
	return fd;
}

/* ---- no vCPU runs */

static void unlock_below(struct vm *vm, u32 id)
{
	while (id-- > 0) {
		if (vm->vcpus[id])
			mutex_unlock(&vm->vcpus[id]->mutex);
	}
}

int vcpus_trylock(struct vm *vm)
{
	for (u32 id = 0; id < VM_VCPUS_MAX; id++) {
		if (vm->vcpus[id] && !mutex_trylock(&vm->vcpus[id]->mutex)) {
			unlock_below(vm, id);
			return -EBUSY;
		}
	}
	return 0;
}

void vcpus_unlock(struct vm *vm)
{
	unlock_below(vm, VM_VCPUS_MAX);
}

/* ---- the ioctl */

int device_create(struct vm *vm, hva_t arg)
{
	struct kvm_create_device device;
	const struct device_type *type;
	int fd;

	if (copy_from_user(&device, arg, sizeof(device)))
		return -EFAULT;
	type = type_of(device.type);
	if (!type)
		return -ENODEV;
	if (device.flags & KVM_CREATE_DEVICE_TEST)
		return 0;
	fd = create(vm, type);
	if (fd < 0)
		return fd;
	device.fd = (u32)fd;
	return copy_to_user(arg, &device, sizeof(device));
}
