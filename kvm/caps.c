/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities: what KVM_CHECK_EXTENSION answers and KVM_ENABLE_CAP turns on. */
#include "kvm/irqchip.h"
#include "kvm/pmu.h"
#include "kvm/port.h"
#include "kvm/vm.h"

/* KVM_SET_GUEST_DEBUG's flags that exist here. */
#define GUEST_DEBUG_FLAGS                                                                          \
	(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_SW_BP |                  \
	 KVM_GUESTDBG_USE_HW)

/* Those with a constant answer, the same for system and VM. What is not named is 0: absent. */
static const struct {
	u32 cap;
	s32 value;
} constant_caps[] = {
	{ KVM_CAP_DIRTY_LOG_RING_ACQ_REL, DIRTY_RING_MAX * sizeof(struct dirty_entry) },
	{ KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP, 1 },
	{ KVM_CAP_BINARY_STATS_FD, 1 },
	{ KVM_CAP_COALESCED_MMIO, KVM_COALESCED_MMIO_PAGE_OFFSET },
	{ KVM_CAP_ONE_REG, 1 },
	{ KVM_CAP_MP_STATE, 1 },
	{ KVM_CAP_IMMEDIATE_EXIT, 1 },
	{ KVM_CAP_VCPU_EVENTS, 1 },
	{ KVM_CAP_VCPU_ATTRIBUTES, 1 },
	{ KVM_CAP_DEVICE_CTRL, 1 },
	{ KVM_CAP_IRQCHIP, 1 },
	{ KVM_CAP_IRQ_ROUTING, IRQ_ROUTES_MAX },
	{ KVM_CAP_IRQFD, 1 },
	{ KVM_CAP_IRQFD_RESAMPLE, 1 },
	{ KVM_CAP_IOEVENTFD, 1 },
	{ KVM_CAP_IOEVENTFD_NO_LENGTH, 1 },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, 1 },
	{ KVM_CAP_SIGNAL_MSI, 1 },
	{ KVM_CAP_CHECK_EXTENSION_VM, 1 },
	{ KVM_CAP_ENABLE_CAP_VM, 1 },
	{ KVM_CAP_INTERNAL_ERROR_DATA, 1 },
	{ KVM_CAP_SYSTEM_EVENT_DATA, 1 },
	{ KVM_CAP_SET_GUEST_DEBUG, 1 },
	{ KVM_CAP_SET_GUEST_DEBUG2, GUEST_DEBUG_FLAGS },
	{ KVM_CAP_MAX_VCPUS, VM_VCPUS_MAX },
	{ KVM_CAP_MAX_VCPU_ID, VM_VCPUS_MAX },
	{ KVM_CAP_ARM_PSCI, 1 },
	{ KVM_CAP_ARM_PSCI_0_2, 1 },
	{ KVM_CAP_ARM_SYSTEM_SUSPEND, 1 },
	{ KVM_CAP_ARM_SET_DEVICE_ADDR, 1 },
	{ KVM_CAP_ARM_IRQ_LINE_LAYOUT_2, 1 },
	{ KVM_CAP_ARM_USER_IRQ, 1 },
	{ KVM_CAP_ARM_NISV_TO_USER, 1 },
	{ KVM_CAP_ARM_INJECT_EXT_DABT, 1 },
	{ KVM_CAP_COUNTER_OFFSET, 1 },
	{ KVM_CAP_PTP_KVM, 1 },
	{ KVM_CAP_STEAL_TIME, 1 },
	{ KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES, 1 },
	{ KVM_CAP_ARM_WRITABLE_IMP_ID_REGS, 1 },
};

/* ID_AA64DFR0_EL1 counts breakpoints and watchpoints less one. */
static s64 debug_registers(unsigned int shift)
{
	return (s64)(port_host_id_reg(5, 0) >> shift & 0xf) + 1;
}

s64 caps_check(const struct vm *vm, u64 cap)
{
	s64 answer;

	if (memory_cap_check(port_caps(port_engine()), vm ? &vm->memory : NULL, cap, &answer))
		return answer;
	switch (cap) {
	case KVM_CAP_NR_VCPUS: return port_cpu_count();
	case KVM_CAP_ARM_EL1_32BIT: return id_has_aarch32_el1();
	case KVM_CAP_ARM_PTRAUTH_ADDRESS:
	case KVM_CAP_ARM_PTRAUTH_GENERIC: return id_has_pauth();
	case KVM_CAP_GUEST_DEBUG_HW_BPS: return debug_registers(12);
	case KVM_CAP_GUEST_DEBUG_HW_WPS: return debug_registers(20);
	case KVM_CAP_ARM_PMU_V3: return pmu_is_offered();
	case KVM_CAP_MSI_DEVID: return vm ? vm->its_count != 0 : -EINVAL;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(constant_caps); i++) {
		if (constant_caps[i].cap == cap)
			return constant_caps[i].value;
	}
	return 0;
}

/* What vCPUs are may be told from then on: so before there is one. */
static int imp_ids_enable(struct vm *vm)
{
	int error = 0;

	mutex_lock(&vm->lock);
	if (vm->vcpu_count)
		error = -EINVAL;
	else
		vm->imp_ids_writable = true;
	mutex_unlock(&vm->lock);
	return error;
}

int caps_enable(struct vm *vm, hva_t arg)
{
	struct kvm_enable_cap cap;

	if (copy_from_user(&cap, arg, sizeof(cap)))
		return -EFAULT;
	if (cap.flags)
		return -EINVAL;
	switch (cap.cap) {
	case KVM_CAP_ARM_NISV_TO_USER: vm->nisv_to_user = true; return 0;
	case KVM_CAP_ARM_SYSTEM_SUSPEND: vm->system_suspend = true; return 0;
	case KVM_CAP_ARM_WRITABLE_IMP_ID_REGS: return imp_ids_enable(vm);
	case KVM_CAP_DIRTY_LOG_RING_ACQ_REL: return ring_enable(vm, cap.args[0]);
	case KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP: return ring_enable_bitmap(vm);
	}
	return memory_cap_enable(&vm->memory, &cap);
}
