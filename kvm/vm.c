/* SPDX-License-Identifier: Apache-2.0 */
/* The VM object and its ioctls. */
#include "kvm/vm.h"

#include <asm-generic/fcntl.h>

#include "host/page.h"
#include "host/string.h"
#include "host/task.h"
#include "kvm/guest_memfd.h"
#include "kvm/irqchip.h"
#include "kvm/port.h"
#include "kvm/report.h"
#include "kvm/stats.h"
#include "kvm/vcpu.h"

#define DEFAULT_IPA_BITS 40
/* KVM_CREATE_VM: the IPA size is all that may be asked for. */
#define VM_TYPE_IPA_MASK 0xffUL

struct vmid_pool kvm_vmids;

/* ---- life */

static void before_release(struct vm_memory *m)
{
	report_vm_check(vm_of_memory(m));
}

static void memory_get(struct vm_memory *m)
{
	(void)vm_get(vm_of_memory(m));
}

static void memory_put(struct vm_memory *m)
{
	vm_put(vm_of_memory(m));
}

static const struct vm_memory_ops memory_ops = {
	.before_release = before_release,
	.get = memory_get,
	.put = memory_put,
};

static int vm_init(struct vm *vm, unsigned int ipa_bits)
{
	const struct vm_memory_config memory = {
		.port = port_engine(),
		.vmids = &kvm_vmids,
		.ipa_bits = ipa_bits,
		.ops = &memory_ops,
	};
	int error;

	vm->refs = 1;
	vm->creator = port_current()->tgid;
	mutex_init(&vm->lock);
	id_regs_reset(vm);
	firmware_init(vm);
	vm->counter_offset[GUEST_TIMER_VIRTUAL] = port_counter();
	guest_timers_init(vm);
	pmu_vm_init(vm);
	irqfds_init(&vm->irqfds);
	error = coalesced_init(vm);
	if (error)
		return error;
	error = vm_memory_init(&vm->memory, port_current()->mm, &memory);
	if (error) {
		coalesced_destroy(vm);
		return error;
	}
	report_vm_add(vm);
	return 0;
}

struct vm *vm_get(struct vm *vm)
{
	__atomic_fetch_add(&vm->refs, 1, __ATOMIC_RELAXED);
	return vm;
}

void vm_put(struct vm *vm)
{
	if (__atomic_fetch_sub(&vm->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	report_vm_remove(vm);
	ioeventfd_destroy(vm);
	irq_routes_destroy(vm);
	for (unsigned int i = 0; i < VM_VCPUS_MAX; i++) {
		if (vm->vcpus[i])
			vcpu_free(vm->vcpus[i]);
	}
	its_devices_destroy(vm);
	if (vm->vgic)
		vgic_destroy(vm->vgic);
	kfree(vm->vgic);
	pmu_vm_destroy(vm);
	vm_memory_destroy(&vm->memory);
	coalesced_destroy(vm);
	kfree(vm);
}

struct vcpu *vm_vcpu(struct vm *vm, u64 id)
{
	return id < VM_VCPUS_MAX ? __atomic_load_n(&vm->vcpus[id], __ATOMIC_ACQUIRE) : NULL;
}

/* ---- ioctls */

int vm_install(struct file *f)
{
	return fd_install(port_current()->files, f, 0, FD_CLOEXEC);
}

int vm_install_new(struct file *f)
{
	int fd;

	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	fd = vm_install(f);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* KVM_CREATE_GUEST_MEMFD; its descriptor stays open across exec, as on Linux. */
static int create_guest_memfd(struct vm *vm, hva_t arg)
{
	struct kvm_create_guest_memfd r;
	struct file *f;
	int fd;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	f = gmem_create(&vm->memory, r.size, r.flags);
	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	fd = fd_install(port_current()->files, f, 0, 0);
	if (fd < 0)
		file_put(f);
	return fd;
}

static int preferred_target(hva_t arg)
{
	struct kvm_vcpu_init init = { .target = KVM_ARM_TARGET_GENERIC_V8 };

	return copy_to_user(arg, &init, sizeof(init));
}

static int set_device_addr(hva_t arg)
{
	struct kvm_arm_device_addr addr;

	if (copy_from_user(&addr, arg, sizeof(addr)))
		return -EFAULT;
	return (addr.id & KVM_ARM_DEVICE_ID_MASK) >> KVM_ARM_DEVICE_ID_SHIFT ==
			       KVM_ARM_DEVICE_VGIC_V2
		       ? -ENXIO
		       : -ENODEV;
}

/* The attributes of a VM: the SMCCC filter is the only one. */
static int vm_attribute(struct vm *vm, u32 cmd, hva_t arg)
{
	struct kvm_device_attr a;

	if (copy_from_user(&a, arg, sizeof(a)))
		return -EFAULT;
	if (a.group != KVM_ARM_VM_SMCCC_CTRL || a.attr != KVM_ARM_VM_SMCCC_FILTER)
		return -ENXIO;
	return cmd == KVM_HAS_DEVICE_ATTR ? 0 : smccc_filter_set(vm, HVA(a.addr));
}

static s64 vm_ioctl(struct file *f, u32 cmd, u64 value)
{
	struct vm *vm = f->priv;
	hva_t arg = HVA(value);

	if (!vm_is_mine(vm))
		return -EIO;
	switch (cmd) {
	case KVM_CREATE_VCPU: return vcpu_create(vm, value);
	case KVM_CHECK_EXTENSION: return caps_check(vm, value);
	case KVM_ENABLE_CAP: return caps_enable(vm, arg);
	case KVM_GET_STATS_FD: return vm_install_new(stats_file_of_vm(vm));
	case KVM_CREATE_GUEST_MEMFD: return create_guest_memfd(vm, arg);
	case KVM_RESET_DIRTY_RINGS: return ring_reset_all(vm);
	case KVM_ARM_PREFERRED_TARGET: return preferred_target(arg);
	case KVM_IRQ_LINE: return irqchip_line(vm, arg);
	case KVM_REGISTER_COALESCED_MMIO: return coalesced_register(vm, arg);
	case KVM_UNREGISTER_COALESCED_MMIO: return coalesced_unregister(vm, arg);
	case KVM_IRQFD: return irqfd_ioctl(vm, arg);
	case KVM_IOEVENTFD: return ioeventfd_ioctl(vm, arg);
	case KVM_SET_GSI_ROUTING: return irq_routes_set(vm, arg);
	case KVM_SIGNAL_MSI: return msi_ioctl(vm, arg);
	case KVM_CREATE_IRQCHIP: return -ENXIO; /* vGICv2 */
	case KVM_CREATE_DEVICE: return device_create(vm, arg);
	case KVM_ARM_SET_DEVICE_ADDR: return set_device_addr(arg);
	case KVM_HAS_DEVICE_ATTR:
	case KVM_SET_DEVICE_ATTR: return vm_attribute(vm, cmd, arg);
	case KVM_ARM_SET_COUNTER_OFFSET: return timer_set_counter_offset(vm, arg);
	case KVM_ARM_GET_REG_WRITABLE_MASKS: return sysreg_writable_masks(vm, arg);
	}
	return vm_memory_ioctl(&vm->memory, cmd, arg);
}

/* Nobody can name the VM's irqfds any more, while vCPUs may keep the VM. */
static void vm_release(struct file *f)
{
	struct vm *vm = f->priv;

	mutex_lock(&vm->lock);
	irqfd_destroy(vm);
	mutex_unlock(&vm->lock);
	vm_put(vm);
}

static const struct file_ops vm_file_ops = {
	.name = "anon_inode:kvm-vm",
	.ioctl = vm_ioctl,
	.release = vm_release,
};

struct file *vm_create(u64 type)
{
	unsigned int ipa_bits = type & VM_TYPE_IPA_MASK;
	struct vm *vm;
	struct file *f;
	int error;

	if (type & ~VM_TYPE_IPA_MASK)
		return ERR_PTR(-EINVAL);
	vm = kzalloc(sizeof(*vm));
	if (!vm)
		return ERR_PTR(-ENOMEM);
	error = vm_init(vm, ipa_bits ? ipa_bits : DEFAULT_IPA_BITS);
	if (error) {
		kfree(vm);
		return ERR_PTR(error);
	}
	f = file_alloc(&vm_file_ops, vm, O_RDWR);
	if (!f) {
		vm_put(vm);
		return ERR_PTR(-ENOMEM);
	}
	return f;
}
