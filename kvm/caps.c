/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities: what KVM_CHECK_EXTENSION answers and KVM_ENABLE_CAP turns on. */
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
	{ KVM_CAP_USER_MEMORY, 1 },
	{ KVM_CAP_USER_MEMORY2, 1 },
	{ KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 1 },
	{ KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, 1 },
	{ KVM_CAP_SYNC_MMU, 1 },
	{ KVM_CAP_READONLY_MEM, 1 },
	{ KVM_CAP_NR_MEMSLOTS, SLOT_ID_MAX },
	{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
	  KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET },
	{ KVM_CAP_MEMORY_FAULT_INFO, 1 },
	{ KVM_CAP_PRE_FAULT_MEMORY, 1 },
	{ KVM_CAP_ARM_SUPPORTED_BLOCK_SIZES, PAGE_SIZE | SZ_2M | SZ_1G },
	{ KVM_CAP_COALESCED_MMIO, KVM_COALESCED_MMIO_PAGE_OFFSET },
	{ KVM_CAP_ONE_REG, 1 },
	{ KVM_CAP_MP_STATE, 1 },
	{ KVM_CAP_IMMEDIATE_EXIT, 1 },
	{ KVM_CAP_VCPU_EVENTS, 1 },
	{ KVM_CAP_VCPU_ATTRIBUTES, 1 },
	{ KVM_CAP_DEVICE_CTRL, 1 },
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
	{ KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES, 1 },
	{ KVM_CAP_CATWALK_STRICT_SLOTS, 1 },
	{ KVM_CAP_CATWALK_IVAC_POLICY, 1 },
	{ KVM_CAP_CATWALK_REFUSAL, 1 },
};

/* ID_AA64DFR0_EL1 counts breakpoints and watchpoints less one. */
static s64 debug_registers(unsigned int shift)
{
	return (s64)(port_host_id_reg(5, 0) >> shift & 0xf) + 1;
}

s64 caps_check(const struct vm *vm, u64 cap)
{
	const struct port_caps *cpu = port_caps(port_engine());

	switch (cap) {
	case KVM_CAP_NR_VCPUS: return port_cpu_count();
	case KVM_CAP_ARM_VM_IPA_SIZE: return cpu->ipa_bits;
	case KVM_CAP_GUEST_DEBUG_HW_BPS: return debug_registers(12);
	case KVM_CAP_GUEST_DEBUG_HW_WPS: return debug_registers(20);
	case KVM_CAP_MSI_DEVID: return vm ? 0 : -EINVAL;
	case KVM_CAP_ARM_CACHEABLE_PFNMAP_SUPPORTED:
	case KVM_CAP_CATWALK_WRITE_BACK: return cpu->fwb;
	case KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE: return vm ? (s64)vm->mem.policy.eager_split : 0;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(constant_caps); i++) {
		if (constant_caps[i].cap == cap)
			return constant_caps[i].value;
	}
	return 0;
}

/* A change of how the VM's memory works; under the slots lock. */
static int enable_memory_cap(struct vm *vm, const struct kvm_enable_cap *cap)
{
	struct guest_mem_policy *policy = &vm->mem.policy;
	u64 value = cap->args[0];

	switch (cap->cap) {
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		if (value > 3 || value == KVM_DIRTY_LOG_INITIALLY_SET)
			return -EINVAL;
		policy->dirty_protect = value & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE
						? DIRTY_PROTECT_ON_CLEAR
						: DIRTY_PROTECT_ON_GET;
		policy->dirty_initially =
			value & KVM_DIRTY_LOG_INITIALLY_SET ? SLOT_DIRTY_SET : SLOT_DIRTY_CLEAR;
		return 0;
	case KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE:
		if (vm->mem.slots.count ||
		    (value && value != PAGE_SIZE && value != SZ_2M && value != SZ_1G))
			return -EINVAL;
		policy->eager_split = value;
		return 0;
	case KVM_CAP_CATWALK_WRITE_BACK:
		if (value || !port_caps(port_engine())->fwb)
			return -EINVAL;
		policy->write_back_flag = true;
		return 0;
	case KVM_CAP_CATWALK_STRICT_SLOTS:
		if (value)
			return -EINVAL;
		policy->strict_slots = true;
		return 0;
	case KVM_CAP_CATWALK_IVAC_POLICY:
		if (value > 1)
			return -EINVAL;
		policy->ivac = value ? IVAC_UPGRADE : IVAC_INJECT;
		return 0;
	}
	return -EINVAL;
}

int caps_enable(struct vm *vm, hva_t arg)
{
	struct kvm_enable_cap cap;
	int error;

	if (copy_from_user(&cap, arg, sizeof(cap)))
		return -EFAULT;
	if (cap.flags)
		return -EINVAL;
	switch (cap.cap) {
	case KVM_CAP_ARM_NISV_TO_USER: vm->nisv_to_user = true; return 0;
	case KVM_CAP_ARM_SYSTEM_SUSPEND: vm->system_suspend = true; return 0;
	}
	mutex_lock(&vm->slots_lock);
	error = enable_memory_cap(vm, &cap);
	mutex_unlock(&vm->slots_lock);
	return error;
}
