/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HVC and SMC by the SMC calling convention (DEN 0028): who serves a call, and the firmware
 * registers by which user space chooses what a guest is offered.
 */
#include <linux/psci.h>

#include "host/page.h"
#include "host/timer.h"
#include "kvm/psci.h"
#include "kvm/vcpu.h"

#define SMCCC_VERSION_1_1	0x10001
#define SMCCC_NOT_SUPPORTED	(-1)
#define SMCCC_NOT_REQUIRED	(-2)
#define SMCCC_INVALID		(-3)
#define SMCCC_ARCH_FEATURES	0x80000001U
#define SMCCC_ARCH_WORKAROUND_1 0x80008000U
#define SMCCC_ARCH_WORKAROUND_2 0x80007fffU
#define SMCCC_ARCH_WORKAROUND_3 0x80003fffU
#define TRNG_VERSION		0x84000050U
#define TRNG_FEATURES		0x84000051U
#define TRNG_GET_UUID		0x84000052U
#define TRNG_RND32		0x84000053U
#define TRNG_RND64		0xc4000053U
#define PV_TIME_FEATURES	0xc5000020U
#define PV_TIME_ST		0xc5000021U
#define VENDOR_HYP_FEATURES	0x86000000U
#define VENDOR_HYP_PTP		0x86000001U
#define VENDOR_HYP_CALL_UID	0x8600ff01U
#define TRNG_VERSION_1_0	0x10000

#define STD_TRNG	 BIT(KVM_REG_ARM_STD_BIT_TRNG_V1_0)
#define STD_HYP_PV_TIME	 BIT(KVM_REG_ARM_STD_HYP_BIT_PV_TIME)
#define VENDOR_FUNCTIONS BIT(KVM_REG_ARM_VENDOR_HYP_BIT_FUNC_FEAT)
#define VENDOR_PTP	 BIT(KVM_REG_ARM_VENDOR_HYP_BIT_PTP)
/* The counters that the time of day can be told with (KVM's PTP call). */
enum { PTP_VIRTUAL, PTP_PHYSICAL };
/* BITMAP_n is KVM_REG_ARM_FW_FEAT_BMAP_REG(n). */
enum { BITMAP_STD, BITMAP_STD_HYP, BITMAP_VENDOR_HYP, BITMAP_VENDOR_HYP_2, BITMAPS };

static const u64 bitmap_offered[BITMAPS] = {
	[BITMAP_STD] = STD_TRNG,
	[BITMAP_STD_HYP] = STD_HYP_PV_TIME,
	[BITMAP_VENDOR_HYP] = VENDOR_FUNCTIONS | VENDOR_PTP,
	/* Which CPUs the guest may find itself on: user space answers, by the filter. */
	[BITMAP_VENDOR_HYP_2] = BIT(KVM_REG_ARM_VENDOR_HYP_BIT_DISCOVER_IMPL_VER) |
				BIT(KVM_REG_ARM_VENDOR_HYP_BIT_DISCOVER_IMPL_CPUS),
};

static int answer(struct vcpu *v, s64 x0)
{
	v->cpu.x[0] = (u64)x0;
	return 1;
}

static int answer4(struct vcpu *v, u64 x0, u64 x1, u64 x2, u64 x3)
{
	v->cpu.x[0] = x0;
	v->cpu.x[1] = x1;
	v->cpu.x[2] = x2;
	v->cpu.x[3] = x3;
	return 1;
}

/* ---- services */

static bool has(const struct vcpu *v, unsigned int bitmap, u64 bit)
{
	return v->vm->hyp_bitmap[bitmap] & bit;
}

/* The workarounds: nothing speculates here that a guest would have to stop. */
static int arch_features(struct vcpu *v)
{
	switch ((u32)v->cpu.x[1]) {
	case SMCCC_VERSION:
	case SMCCC_ARCH_FEATURES: return answer(v, 0);
	case SMCCC_ARCH_WORKAROUND_1:
	case SMCCC_ARCH_WORKAROUND_2:
	case SMCCC_ARCH_WORKAROUND_3:
		return answer(v, 1); /* there is the call, and no need of it */
	case PV_TIME_FEATURES:
		return answer(v, has(v, BITMAP_STD_HYP, STD_HYP_PV_TIME) ? 0 : SMCCC_NOT_SUPPORTED);
	}
	return answer(v, SMCCC_NOT_SUPPORTED);
}

/* Whether there is stolen time, and where (DEN0057A, 3.2). */
static int pv_time_call(struct vcpu *v, u32 function)
{
	u32 asked = (u32)v->cpu.x[1];

	if (!has(v, BITMAP_STD_HYP, STD_HYP_PV_TIME) || !pvtime_is_on(v))
		return answer(v, SMCCC_NOT_SUPPORTED);
	if (function == PV_TIME_ST)
		return answer(v, (s64)pvtime_start(v));
	return answer(v,
		      asked == PV_TIME_FEATURES || asked == PV_TIME_ST ? 0 : SMCCC_NOT_SUPPORTED);
}

static int trng_random(struct vcpu *v, unsigned int most)
{
	u64 bits = v->cpu.x[1], value[3];

	if (!bits || bits > most)
		return answer4(v, (u64)(s64)-2, 0, 0, 0); /* TRNG_INVALID_PARAMETER */
	port_random(value, sizeof(value));
	for (unsigned int i = 0; i < 3; i++) {
		u64 left = bits > 64 * i ? bits - 64 * i : 0;

		if (left < 64)
			value[i] &= BIT(left) - 1;
	}
	if (most == 192) /* x3 holds the lowest bits */
		return answer4(v, 0, value[2], value[1], value[0]);
	return answer4(v, 0, value[1] & 0xffffffff, value[0] >> 32, value[0] & 0xffffffff);
}

static int trng_call(struct vcpu *v, u32 function)
{
	u32 asked = (u32)v->cpu.x[1];

	if (!has(v, BITMAP_STD, STD_TRNG))
		return answer(v, SMCCC_NOT_SUPPORTED);
	switch (function) {
	case TRNG_VERSION: return answer(v, TRNG_VERSION_1_0);
	case TRNG_FEATURES:
		return answer(v,
			      (asked >= TRNG_VERSION && asked <= TRNG_RND32) || asked == TRNG_RND64
				      ? 0
				      : SMCCC_NOT_SUPPORTED);
	case TRNG_GET_UUID: return answer4(v, 0xc7172d74, 0x954e7ba6, 0x4b2c1f0d, 0x6ea98203);
	case TRNG_RND32: return trng_random(v, 96);
	}
	return trng_random(v, 192);
}

/* KVM's UID, by which guests know what the vendor's range means. */
static int vendor_call(struct vcpu *v, u32 function)
{
	if (!has(v, BITMAP_VENDOR_HYP, VENDOR_FUNCTIONS))
		return answer(v, SMCCC_NOT_SUPPORTED);
	if (function == VENDOR_HYP_CALL_UID)
		return answer4(v, 0xb66fb428, 0xe911c52e, 0x564bcaa9, 0x743a004d);
	/* A bit for each function: 0 to 31, 32 to 63 (none), 64 to 95, 96 to 127 (none). */
	return answer4(v, v->vm->hyp_bitmap[BITMAP_VENDOR_HYP], 0,
		       v->vm->hyp_bitmap[BITMAP_VENDOR_HYP_2], 0);
}

/* The time of day, and the guest's counter at that moment: interrupts are masked in between. */
static int ptp_call(struct vcpu *v)
{
	u64 offset, real_ns, cycles;

	if (!has(v, BITMAP_VENDOR_HYP, VENDOR_PTP))
		return answer(v, SMCCC_NOT_SUPPORTED);
	switch ((u32)v->cpu.x[1]) {
	case PTP_VIRTUAL: offset = v->vm->counter_offset[GUEST_TIMER_VIRTUAL]; break;
	case PTP_PHYSICAL: offset = v->vm->counter_offset[GUEST_TIMER_PHYSICAL]; break;
	default: return answer(v, SMCCC_NOT_SUPPORTED);
	}
	real_ns = port_time_ns() + time_realtime_offset_ns();
	cycles = port_counter() - offset;
	return answer4(v, real_ns >> 32, (u32)real_ns, cycles >> 32, (u32)cycles);
}

static int serve(struct vcpu *v, u32 function)
{
	switch (function) {
	case SMCCC_VERSION: return answer(v, SMCCC_VERSION_1_1);
	case SMCCC_ARCH_FEATURES: return arch_features(v);
	case TRNG_VERSION:
	case TRNG_FEATURES:
	case TRNG_GET_UUID:
	case TRNG_RND32:
	case TRNG_RND64: return trng_call(v, function);
	case PV_TIME_FEATURES:
	case PV_TIME_ST: return pv_time_call(v, function);
	case VENDOR_HYP_FEATURES:
	case VENDOR_HYP_CALL_UID: return vendor_call(v, function);
	case VENDOR_HYP_PTP: return ptp_call(v);
	}
	return psci_call(v, function);
}

/* ---- the filter (KVM_ARM_VM_SMCCC_FILTER) */

/* The architecture's own range, which other services build on, cannot be taken away. */
static bool is_reserved(u32 first, u32 last)
{
	return (first <= 0x8000ffffU && last >= 0x80000000U) ||
	       (first <= 0xc000ffffU && last >= 0xc0000000U);
}

static int filter_insert(struct vm *vm, const struct smccc_range *r)
{
	if (vm->ran)
		return -EBUSY;
	if (is_reserved(r->first, r->last))
		return -EEXIST;
	for (u32 i = 0; i < vm->smccc_filter_count; i++) {
		if (r->first <= vm->smccc_filter[i].last && r->last >= vm->smccc_filter[i].first)
			return -EEXIST;
	}
	if (vm->smccc_filter_count == SMCCC_FILTER_MAX)
		return -ENOMEM;
	vm->smccc_filter[vm->smccc_filter_count++] = *r;
	return 0;
}

int smccc_filter_set(struct vm *vm, hva_t arg)
{
	struct kvm_smccc_filter f;
	struct smccc_range range;
	int error;

	if (copy_from_user(&f, arg, sizeof(f)))
		return -EFAULT;
	for (unsigned int i = 0; i < sizeof(f.pad); i++) {
		if (f.pad[i])
			return -EINVAL;
	}
	if (!f.nr_functions || f.base + (f.nr_functions - 1) < f.base ||
	    f.action > KVM_SMCCC_FILTER_FWD_TO_USER)
		return -EINVAL;
	range = (struct smccc_range){ f.base, f.base + (f.nr_functions - 1), f.action };
	mutex_lock(&vm->lock);
	error = filter_insert(vm, &range);
	mutex_unlock(&vm->lock);
	return error;
}

static unsigned int filter_action(const struct vm *vm, u32 function)
{
	for (u32 i = 0; i < vm->smccc_filter_count; i++) {
		if (function >= vm->smccc_filter[i].first && function <= vm->smccc_filter[i].last)
			return vm->smccc_filter[i].action;
	}
	return KVM_SMCCC_FILTER_HANDLE;
}

static int forward(struct vcpu *v, u32 function, u64 flags)
{
	v->run->hypercall.nr = function;
	/* In Debian 12's header the member is two 32-bit words. */
	v->run->hypercall.longmode =
		(u32)(flags | (v->cpu.esr & ESR_IL ? 0 : KVM_HYPERCALL_EXIT_16BIT));
	v->run->hypercall.pad = 0;
	v->run->exit_reason = KVM_EXIT_HYPERCALL;
	v->exits.to_user_other++;
	return 0;
}

static int call(struct vcpu *v, u64 flags)
{
	u32 function = (u32)v->cpu.x[0];

	switch (filter_action(v->vm, function)) {
	case KVM_SMCCC_FILTER_DENY: return answer(v, SMCCC_NOT_SUPPORTED);
	case KVM_SMCCC_FILTER_FWD_TO_USER: return forward(v, function, flags);
	}
	return serve(v, function);
}

int hypercall_handle(struct vcpu *v)
{
	return call(v, 0);
}

/* The trap is taken before the instruction. An immediate other than 0 is not the convention's. */
int smc_handle(struct vcpu *v)
{
	vcpu_skip(v);
	if (v->cpu.esr & 0xffff)
		return answer(v, SMCCC_NOT_SUPPORTED);
	return call(v, KVM_HYPERCALL_EXIT_SMC);
}

/* ---- firmware registers */

#define WORKAROUND_REG_AVAIL 2 /* not required, in the terms of the ABI */

const u64 firmware_regs[] = {
	KVM_REG_ARM_PSCI_VERSION,
	KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_1,
	KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2,
	KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_3,
	KVM_REG_ARM_STD_BMAP,
	KVM_REG_ARM_STD_HYP_BMAP,
	KVM_REG_ARM_VENDOR_HYP_BMAP,
	KVM_REG_ARM_VENDOR_HYP_BMAP_2,
};
const unsigned int firmware_reg_count = ARRAY_SIZE(firmware_regs);

void firmware_init(struct vm *vm)
{
	vm->psci_version = 1U << 16 | 3;
	for (unsigned int i = 0; i < BITMAPS; i++)
		vm->hyp_bitmap[i] = i == BITMAP_VENDOR_HYP_2 ? 0 : bitmap_offered[i];
}

int firmware_reg_get(struct vcpu *v, u64 id, u64 *value)
{
	switch (id) {
	case KVM_REG_ARM_PSCI_VERSION: *value = psci_version_of(v); return 0;
	case KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_1:
	case KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_3: *value = WORKAROUND_REG_AVAIL; return 0;
	case KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2:
		*value = KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2_NOT_REQUIRED;
		return 0;
	case KVM_REG_ARM_STD_BMAP:
	case KVM_REG_ARM_STD_HYP_BMAP:
	case KVM_REG_ARM_VENDOR_HYP_BMAP:
	case KVM_REG_ARM_VENDOR_HYP_BMAP_2:
		*value = v->vm->hyp_bitmap[id - KVM_REG_ARM_STD_BMAP];
		return 0;
	}
	return -ENOENT;
}

static int psci_version_set(struct vcpu *v, u64 value)
{
	bool wants_0_2 = v->feature_bits & (1U << KVM_ARM_VCPU_PSCI_0_2);

	switch (value) {
	case 0U << 16 | 1: return wants_0_2 ? -EINVAL : 0;
	case 0U << 16 | 2:
	case 1U << 16 | 0:
	case 1U << 16 | 1:
	case 1U << 16 | 2:
	case 1U << 16 | 3:
		if (!wants_0_2)
			return -EINVAL;
		v->vm->psci_version = (u32)value;
		return 0;
	}
	return -EINVAL;
}

static int bitmap_set(struct vm *vm, unsigned int n, u64 value)
{
	int error = 0;

	if (value & ~bitmap_offered[n])
		return -EINVAL;
	mutex_lock(&vm->lock);
	if (!vm->ran)
		vm->hyp_bitmap[n] = value;
	else if (value != vm->hyp_bitmap[n])
		error = -EBUSY;
	mutex_unlock(&vm->lock);
	return error;
}

int firmware_reg_set(struct vcpu *v, u64 id, u64 value)
{
	switch (id) {
	case KVM_REG_ARM_PSCI_VERSION: return psci_version_set(v, value);
	case KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_1:
	case KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_3: return value > WORKAROUND_REG_AVAIL ? -EINVAL : 0;
	case KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2: return value & ~0x1fUL ? -EINVAL : 0;
	case KVM_REG_ARM_STD_BMAP:
	case KVM_REG_ARM_STD_HYP_BMAP:
	case KVM_REG_ARM_VENDOR_HYP_BMAP:
	case KVM_REG_ARM_VENDOR_HYP_BMAP_2:
		return bitmap_set(v->vm, (unsigned int)(id - KVM_REG_ARM_STD_BMAP), value);
	}
	return -ENOENT;
}
