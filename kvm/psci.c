/* SPDX-License-Identifier: Apache-2.0 */
/* PSCI 1.3 (DEN 0022) for guests, and 0.1 for vCPUs that did not ask for 0.2. */
#include <linux/psci.h>

#include "host/string.h"
#include "kvm/aarch32.h"
#include "kvm/psci.h"
#include "kvm/vcpu.h"

#define PSCI_VERSION_OF(major, minor) ((u32)(major) << 16 | (minor))
#define IS_64BIT(fn)		      ((fn)&BIT(30))

#ifndef PSCI_1_1_FN64_SYSTEM_RESET2
#define PSCI_1_1_FN64_SYSTEM_RESET2 PSCI_0_2_FN64(18)
#endif
#ifndef PSCI_1_3_FN_SYSTEM_OFF2
#define PSCI_1_3_FN_SYSTEM_OFF2		PSCI_0_2_FN(21)
#define PSCI_1_3_FN64_SYSTEM_OFF2	PSCI_0_2_FN64(21)
#define PSCI_1_3_OFF_TYPE_HIBERNATE_OFF BIT(0)
#endif

u32 psci_version_of(const struct vcpu *v)
{
	return v->feature_bits & (1U << KVM_ARM_VCPU_PSCI_0_2) ? v->vm->psci_version
							       : PSCI_VERSION_OF(0, 1);
}

static void set_result(struct vcpu *v, s64 result)
{
	v->cpu.x[0] = (u64)result;
}

#define AFFINITY 0xff00ffffffUL

static u64 mpidr_affinity(const struct vcpu *v)
{
	return v->cpu.reg[GR_MPIDR_EL1] & AFFINITY;
}

/* NULL as well if bits are set that no affinity has (DEN 0022, 5.1.4). */
static struct vcpu *vcpu_by_affinity(struct vm *vm, u64 affinity)
{
	for (unsigned int i = 0; i < VM_VCPUS_MAX; i++) {
		struct vcpu *v = vm_vcpu(vm, i);

		if (v && v->initialised && mpidr_affinity(v) == affinity)
			return v;
	}
	return NULL;
}

/* An argument of a 32-bit call is its lower half. */
static u64 argument(const struct vcpu *v, u32 function, unsigned int n)
{
	return IS_64BIT(function) ? v->cpu.x[n] : (u32)v->cpu.x[n];
}

/* ---- CPUs on and off */

static int cpu_off(struct vcpu *v)
{
	__atomic_store_n(&v->mp_state, KVM_MP_STATE_STOPPED, __ATOMIC_RELEASE);
	__atomic_fetch_or(&v->requests, VCPU_REQ_SLEEP, __ATOMIC_RELAXED);
	return 1;
}

static bool runs_big_endian(const struct vcpu *v)
{
	return vcpu_is_32bit(v) ? v->cpu.pstate & AARCH32_E : port_guest_sctlr() & BIT(25);
}

static s64 cpu_on(struct vcpu *v, u32 function)
{
	struct vcpu *target = vcpu_by_affinity(v->vm, argument(v, function, 1));
	s64 result = PSCI_RET_SUCCESS;

	if (!target)
		return PSCI_RET_INVALID_PARAMS;
	spin_lock(&target->reset_lock);
	if (__atomic_load_n(&target->mp_state, __ATOMIC_ACQUIRE) != KVM_MP_STATE_STOPPED) {
		result = psci_version_of(v) == PSCI_VERSION_OF(0, 1) ? PSCI_RET_INVALID_PARAMS
								     : PSCI_RET_ALREADY_ON;
	} else {
		target->reset_pc = argument(v, function, 2);
		target->reset_x0 = argument(v, function, 3);
		target->reset_be = runs_big_endian(v);
		/* The request before the state: who sees it running also sees what to take over. */
		__atomic_fetch_or(&target->requests, VCPU_REQ_RESET, __ATOMIC_RELEASE);
		__atomic_store_n(&target->mp_state, KVM_MP_STATE_RUNNABLE, __ATOMIC_RELEASE);
	}
	spin_unlock(&target->reset_lock);
	if (result == PSCI_RET_SUCCESS)
		vcpu_request(target, VCPU_REQ_KICK);
	return result;
}

static s64 affinity_info(struct vcpu *v, u32 function)
{
	static const u64 masks[] = { 0xff00ffffffUL, 0xff00ffff00UL, 0xff00ff0000UL,
				     0xff00000000UL };
	u64 affinity = argument(v, function, 1), level = argument(v, function, 2);
	bool found = false;

	if (level >= ARRAY_SIZE(masks) || affinity & ~AFFINITY)
		return PSCI_RET_INVALID_PARAMS;
	for (unsigned int i = 0; i < VM_VCPUS_MAX; i++) {
		struct vcpu *other = vm_vcpu(v->vm, i);

		if (!other || !other->initialised ||
		    (mpidr_affinity(other) & masks[level]) != (affinity & masks[level]))
			continue;
		found = true;
		if (__atomic_load_n(&other->mp_state, __ATOMIC_ACQUIRE) != KVM_MP_STATE_STOPPED)
			return PSCI_0_2_AFFINITY_LEVEL_ON;
	}
	return found ? PSCI_0_2_AFFINITY_LEVEL_OFF : PSCI_RET_INVALID_PARAMS;
}

/* ---- the system: user space carries it out */

static int system_event(struct vcpu *v, u32 type, u64 flags)
{
	struct kvm_run *run = v->run;

	for (unsigned int i = 0; i < VM_VCPUS_MAX; i++) {
		struct vcpu *other = vm_vcpu(v->vm, i);

		if (!other)
			continue;
		__atomic_store_n(&other->mp_state, KVM_MP_STATE_STOPPED, __ATOMIC_RELEASE);
		vcpu_request(other, VCPU_REQ_SLEEP);
	}
	/* Should user space let the guest go on: the call has failed. */
	set_result(v, PSCI_RET_INTERNAL_FAILURE);
	memset(&run->system_event, 0, sizeof(run->system_event));
	run->system_event.type = type;
	run->system_event.ndata = 1;
	run->system_event.data[0] = flags;
	run->exit_reason = KVM_EXIT_SYSTEM_EVENT;
	v->exits.to_user_other++;
	return 0;
}

/* With KVM_CAP_ARM_SYSTEM_SUSPEND the whole is user space's: it may resume at entry point x1. */
static int system_suspend(struct vcpu *v)
{
	struct kvm_run *run = v->run;

	memset(&run->system_event, 0, sizeof(run->system_event));
	run->system_event.type = KVM_SYSTEM_EVENT_SUSPEND;
	run->exit_reason = KVM_EXIT_SYSTEM_EVENT;
	v->exits.to_user_other++;
	return 0;
}

static int reset2(struct vcpu *v, u32 function)
{
	u64 type = argument(v, function, 1);

	/* 0 is SYSTEM_WARM_RESET; the upper half is the vendor's. */
	if ((u32)type && !((u32)type & BIT(31))) {
		set_result(v, PSCI_RET_INVALID_PARAMS);
		return 1;
	}
	return system_event(v, KVM_SYSTEM_EVENT_RESET, KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2);
}

/* What the guest keeps is on its disk: user space may know (DEN 0022 F.b, 5.11). 0 is another name
 * of the only type. */
static int off2(struct vcpu *v, u32 function)
{
	u64 type = argument(v, function, 1), cookie = argument(v, function, 2);

	if ((type && type != PSCI_1_3_OFF_TYPE_HIBERNATE_OFF) || cookie) {
		set_result(v, PSCI_RET_INVALID_PARAMS);
		return 1;
	}
	return system_event(v, KVM_SYSTEM_EVENT_SHUTDOWN, KVM_SYSTEM_EVENT_SHUTDOWN_FLAG_PSCI_OFF2);
}

/* ---- what there is */

struct psci_function {
	u32 id;
	u32 since; /* version */
};

static const struct psci_function functions[] = {
	{ PSCI_0_2_FN_PSCI_VERSION, PSCI_VERSION_OF(0, 2) },
	{ PSCI_0_2_FN_CPU_SUSPEND, PSCI_VERSION_OF(0, 2) },
	{ PSCI_0_2_FN64_CPU_SUSPEND, PSCI_VERSION_OF(0, 2) },
	{ PSCI_0_2_FN_CPU_OFF, PSCI_VERSION_OF(0, 2) },
	{ PSCI_0_2_FN_CPU_ON, PSCI_VERSION_OF(0, 2) },
	{ PSCI_0_2_FN64_CPU_ON, PSCI_VERSION_OF(0, 2) },
	{ PSCI_0_2_FN_AFFINITY_INFO, PSCI_VERSION_OF(0, 2) },
	{ PSCI_0_2_FN64_AFFINITY_INFO, PSCI_VERSION_OF(0, 2) },
	{ PSCI_0_2_FN_MIGRATE_INFO_TYPE, PSCI_VERSION_OF(0, 2) },
	{ PSCI_0_2_FN_SYSTEM_OFF, PSCI_VERSION_OF(0, 2) },
	{ PSCI_0_2_FN_SYSTEM_RESET, PSCI_VERSION_OF(0, 2) },
	{ PSCI_1_0_FN_PSCI_FEATURES, PSCI_VERSION_OF(1, 0) },
	{ PSCI_1_0_FN_SYSTEM_SUSPEND, PSCI_VERSION_OF(1, 0) },
	{ PSCI_1_0_FN64_SYSTEM_SUSPEND, PSCI_VERSION_OF(1, 0) },
	{ PSCI_1_1_FN_SYSTEM_RESET2, PSCI_VERSION_OF(1, 1) },
	{ PSCI_1_1_FN64_SYSTEM_RESET2, PSCI_VERSION_OF(1, 1) },
	{ PSCI_1_3_FN_SYSTEM_OFF2, PSCI_VERSION_OF(1, 3) },
	{ PSCI_1_3_FN64_SYSTEM_OFF2, PSCI_VERSION_OF(1, 3) },
};

static bool is_offered(const struct vcpu *v, u32 function)
{
	if ((function == PSCI_1_0_FN_SYSTEM_SUSPEND || function == PSCI_1_0_FN64_SYSTEM_SUSPEND) &&
	    !v->vm->system_suspend)
		return false;
	for (unsigned int i = 0; i < ARRAY_SIZE(functions); i++) {
		if (functions[i].id == function)
			return functions[i].since <= psci_version_of(v);
	}
	return false;
}

static s64 features(const struct vcpu *v)
{
	u32 function = (u32)v->cpu.x[1];

	if (function == SMCCC_VERSION)
		return PSCI_RET_SUCCESS;
	if (IS_64BIT(function) && vcpu_is_32bit(v))
		return PSCI_RET_NOT_SUPPORTED;
	if (!is_offered(v, function))
		return PSCI_RET_NOT_SUPPORTED;
	if (function == PSCI_1_3_FN_SYSTEM_OFF2 || function == PSCI_1_3_FN64_SYSTEM_OFF2)
		return PSCI_1_3_OFF_TYPE_HIBERNATE_OFF;
	return PSCI_RET_SUCCESS;
}

static int psci_0_2_call(struct vcpu *v, u32 function)
{
	s64 result;

	if (!is_offered(v, function)) {
		set_result(v, PSCI_RET_NOT_SUPPORTED);
		return 1;
	}
	switch (function) {
	case PSCI_0_2_FN_PSCI_VERSION: result = psci_version_of(v); break;
	case PSCI_0_2_FN_CPU_SUSPEND:
	case PSCI_0_2_FN64_CPU_SUSPEND: set_result(v, PSCI_RET_SUCCESS); return vcpu_wait(v);
	case PSCI_0_2_FN_CPU_OFF: return cpu_off(v);
	case PSCI_0_2_FN_CPU_ON:
	case PSCI_0_2_FN64_CPU_ON: result = cpu_on(v, function); break;
	case PSCI_0_2_FN_AFFINITY_INFO:
	case PSCI_0_2_FN64_AFFINITY_INFO: result = affinity_info(v, function); break;
	case PSCI_0_2_FN_MIGRATE_INFO_TYPE: result = PSCI_0_2_TOS_MP; break;
	case PSCI_0_2_FN_SYSTEM_OFF: return system_event(v, KVM_SYSTEM_EVENT_SHUTDOWN, 0);
	case PSCI_0_2_FN_SYSTEM_RESET: return system_event(v, KVM_SYSTEM_EVENT_RESET, 0);
	case PSCI_1_0_FN_PSCI_FEATURES: result = features(v); break;
	case PSCI_1_0_FN_SYSTEM_SUSPEND:
	case PSCI_1_0_FN64_SYSTEM_SUSPEND: return system_suspend(v);
	case PSCI_1_1_FN_SYSTEM_RESET2:
	case PSCI_1_1_FN64_SYSTEM_RESET2: return reset2(v, function);
	case PSCI_1_3_FN_SYSTEM_OFF2:
	case PSCI_1_3_FN64_SYSTEM_OFF2: return off2(v, function);
	default: result = PSCI_RET_NOT_SUPPORTED;
	}
	set_result(v, result);
	return 1;
}

static int psci_0_1_call(struct vcpu *v, u32 function)
{
	switch (function) {
	case KVM_PSCI_FN_CPU_OFF: return cpu_off(v);
	case KVM_PSCI_FN_CPU_ON:
		/* As wide as the caller's registers. */
		set_result(v, cpu_on(v, PSCI_0_2_FN64_CPU_ON));
		return 1;
	}
	set_result(v, PSCI_RET_NOT_SUPPORTED);
	return 1;
}

int psci_call(struct vcpu *v, u32 function)
{
	return psci_version_of(v) == PSCI_VERSION_OF(0, 1) ? psci_0_1_call(v, function)
							   : psci_0_2_call(v, function);
}
