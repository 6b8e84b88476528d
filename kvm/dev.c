/* SPDX-License-Identifier: Apache-2.0 */
/* /dev/kvm: the system ioctls. */
#include <asm-generic/fcntl.h>

#include "host/task.h"
#include "kvm/costs.h"
#include "kvm/kvm.h"
#include "kvm/port.h"
#include "kvm/report.h"
#include "kvm/vm.h"

/* struct kvm_run, and the ring of coalesced MMIO behind it. */
#define VCPU_MMAP_SIZE (2 * PAGE_SIZE)

static s64 dev_ioctl(struct file *f, u32 cmd, u64 arg)
{
	(void)f;
	switch (cmd) {
	case KVM_GET_API_VERSION: return arg ? -EINVAL : KVM_API_VERSION;
	case KVM_CREATE_VM: return vm_install_new(vm_create(arg));
	case KVM_CHECK_EXTENSION: return caps_check(NULL, arg);
	case KVM_GET_VCPU_MMAP_SIZE: return arg ? -EINVAL : (s64)VCPU_MMAP_SIZE;
	}
	return -EINVAL;
}

static const struct file_ops dev_file_ops = {
	.name = "/dev/kvm",
	.ioctl = dev_ioctl,
};

struct file *kvm_dev_open(u32 flags)
{
	struct file *f = file_alloc(&dev_file_ops, NULL, flags);

	return f ? f : ERR_PTR(-ENOMEM);
}

void kvm_measure_costs(void)
{
	costs_wanted = true;
}

int kvm_init(void)
{
	report_init();
	id_regs_init();
	return vmid_pool_init(&kvm_vmids, port_engine(), 0);
}
