/* SPDX-License-Identifier: Apache-2.0 */
/* KVM_ARM_VCPU_INIT, and the state of a vCPU after a reset. */
#include "host/string.h"
#include "kvm/aarch32.h"
#include "kvm/vcpu.h"

#define FEATURE(n) (1U << (n))
/* Features with a number; those beyond are unknown (ENOENT), the rest of these not offered
 * (EINVAL). */
#define FEATURES_NAMED	8
#define FEATURES_ALWAYS (FEATURE(KVM_ARM_VCPU_POWER_OFF) | FEATURE(KVM_ARM_VCPU_PSCI_0_2))
/* Both or neither. */
#define FEATURES_PAUTH                                                                             \
	(FEATURE(KVM_ARM_VCPU_PTRAUTH_ADDRESS) | FEATURE(KVM_ARM_VCPU_PTRAUTH_GENERIC))

/* EL1h, all interrupts masked. */
#define PSTATE_RESET (0x3c0UL | PSTATE_MODE_EL1H)

void vcpu_reset(struct vcpu *v)
{
	struct guest_cpu *g = &v->cpu;

	memset(g->x, 0, sizeof(g->x));
	memset(&g->fp, 0, sizeof(g->fp));
	memset(&v->own_debug, 0, sizeof(v->own_debug));
	g->pc = 0;
	g->pstate = PSTATE_RESET;
	g->hcr = port_guest_hcr();
	if (v->feature_bits & FEATURE(KVM_ARM_VCPU_EL1_32BIT)) {
		g->hcr &= ~GUEST_HCR_RW;
		g->pstate = AARCH32_PSTATE_RESET;
	}
	if (v->feature_bits & FEATURES_PAUTH)
		g->hcr |= GUEST_HCR_API | GUEST_HCR_APK;
	g->debug_by = GUEST_DEBUG_BY_NOBODY;
	sysreg_reset(v);
	pmu_reset(v);
	v->timer_level = v->cpu.gic.present ? TIMER_LEVEL_UNKNOWN : 0;
}

/* An AArch32 vCPU starts as the entry point's bit 0 says: in T32. */
static void enter_at32(struct guest_cpu *g, u64 pc, bool big_endian)
{
	g->pc = (u32)pc & ~1U;
	g->pstate |= (pc & 1 ? AARCH32_T : 0) | (big_endian ? AARCH32_E : 0);
}

static void enter_at(struct guest_cpu *g, u64 pc, bool big_endian)
{
	g->pc = pc; /* misaligned: the guest's own fault, at its EL1 */
	if (big_endian)
		g->reg[GR_SCTLR_EL1] |= BIT(25);
}

/* The state PSCI CPU_ON left for this vCPU. */
void vcpu_take_reset(struct vcpu *v)
{
	u64 pc, x0;
	bool be;

	spin_lock(&v->reset_lock);
	pc = v->reset_pc;
	x0 = v->reset_x0;
	be = v->reset_be;
	spin_unlock(&v->reset_lock);
	vcpu_reset(v);
	vgic_vcpu_reset(v);
	v->cpu.x[0] = x0;
	if (vcpu_is_32bit(v))
		enter_at32(&v->cpu, pc, be);
	else
		enter_at(&v->cpu, pc, be);
}

/* What depends on the CPU. */
static u32 features_offered(void)
{
	return (id_has_aarch32_el1() ? FEATURE(KVM_ARM_VCPU_EL1_32BIT) : 0) |
	       (id_has_pauth() ? FEATURES_PAUTH : 0) |
	       (pmu_is_offered() ? FEATURE(KVM_ARM_VCPU_PMU_V3) : 0);
}

static bool features_are_offered(u32 features)
{
	u32 pauth = features & FEATURES_PAUTH;

	features &= ~FEATURES_ALWAYS;
	return !features ||
	       (!(features & ~features_offered()) && (!pauth || pauth == FEATURES_PAUTH));
}

static int features_check(const struct kvm_vcpu_init *init)
{
	if (init->features[0] >> FEATURES_NAMED)
		return -ENOENT;
	for (unsigned int i = 1; i < ARRAY_SIZE(init->features); i++) {
		if (init->features[i])
			return -ENOENT;
	}
	return features_are_offered(init->features[0]) ? 0 : -EINVAL;
}

/* All vCPUs of a VM have the same features. */
static int features_agree(struct vcpu *v, u32 features)
{
	struct vm *vm = v->vm;
	int error = 0;

	mutex_lock(&vm->lock);
	if (vm->features_set && vm->feature_bits != features) {
		error = -EINVAL;
	} else if (!vm->features_set) {
		vm->features_set = true;
		vm->feature_bits = features;
		id_regs_features(vm);
	}
	mutex_unlock(&vm->lock);
	return error;
}

int vcpu_init(struct vcpu *v, hva_t arg)
{
	struct kvm_vcpu_init init;
	u32 features;
	int error;

	if (copy_from_user(&init, arg, sizeof(init)))
		return -EFAULT;
	if (init.target != KVM_ARM_TARGET_GENERIC_V8)
		return -EINVAL;
	error = features_check(&init);
	if (error)
		return error;
	features = init.features[0] & ~FEATURE(KVM_ARM_VCPU_POWER_OFF);
	if (v->initialised && v->feature_bits != features)
		return -EINVAL;
	error = features_agree(v, features);
	if (error)
		return error;
	v->feature_bits = features;
	if (pmu_is_there(v->vm))
		pmu_vcpu_init(v);
	vcpu_reset(v);
	if (v->ran)
		guest_mem_flush_all(&v->vm->memory.guest);
	v->initialised = true;
	__atomic_store_n(&v->mp_state,
			 init.features[0] & FEATURE(KVM_ARM_VCPU_POWER_OFF) ? KVM_MP_STATE_STOPPED
									    : KVM_MP_STATE_RUNNABLE,
			 __ATOMIC_RELEASE);
	return 0;
}
