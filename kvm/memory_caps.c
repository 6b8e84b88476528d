/* SPDX-License-Identifier: Apache-2.0 */
/* The capabilities about guest memory. */
#include "engine/trace.h"
#include "host/err.h"
#include "kvm/guest_memfd.h"
#include "kvm/memory.h"

/* Those with a constant answer, the same for system and VM. */
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
	{ KVM_CAP_GUEST_MEMFD, 1 },
	{ KVM_CAP_GUEST_MEMFD_FLAGS, GUEST_MEMFD_FLAGS },
	{ KVM_CAP_ARM_SUPPORTED_BLOCK_SIZES, PAGE_SIZE | SZ_2M | SZ_1G },
	{ KVM_CAP_CATWALK_STRICT_SLOTS, 1 },
	{ KVM_CAP_CATWALK_IVAC_POLICY, 1 },
	{ KVM_CAP_CATWALK_REFUSAL, 1 },
	{ KVM_CAP_CATWALK_COHERENCE, 1 },
	{ KVM_CAP_CATWALK_CONTRACT, 1 },
	{ KVM_CAP_CATWALK_TRACE, TRACE_ENTRIES },
	{ KVM_CAP_CATWALK_EXPLAIN, 1 },
	{ KVM_CAP_CATWALK_PREFAULT, 1 },
};

bool memory_cap_check(const struct port_caps *cpu, const struct vm_memory *m, u64 cap, s64 *answer)
{
	switch (cap) {
	case KVM_CAP_ARM_VM_IPA_SIZE: *answer = cpu->ipa_bits; return true;
	case KVM_CAP_ARM_CACHEABLE_PFNMAP_SUPPORTED:
	case KVM_CAP_CATWALK_WRITE_BACK: *answer = cpu->fwb; return true;
	case KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE:
		*answer = m ? (s64)m->guest.policy.eager_split : 0;
		return true;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(constant_caps); i++) {
		if (constant_caps[i].cap == cap) {
			*answer = constant_caps[i].value;
			return true;
		}
	}
	return false;
}

/* A change of how the VM's memory works; under the slots lock. */
static int enable(struct guest_mem *m, u32 cap, u64 value)
{
	struct guest_mem_policy *policy = &m->policy;

	switch (cap) {
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
		if (m->slots.count ||
		    (value && value != PAGE_SIZE && value != SZ_2M && value != SZ_1G))
			return -EINVAL;
		policy->eager_split = value;
		return 0;
	case KVM_CAP_CATWALK_WRITE_BACK:
		if (value || !port_caps(m->s2.port)->fwb)
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

int memory_cap_enable(struct vm_memory *m, const struct kvm_enable_cap *cap)
{
	int error;

	mutex_lock(&m->slots_lock);
	error = enable(&m->guest, cap->cap, cap->args[0]);
	mutex_unlock(&m->slots_lock);
	return error;
}
