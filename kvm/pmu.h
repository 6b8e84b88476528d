/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vCPU's performance monitors: PMUv3 (Arm ARM D13) with KVM_ARM_VCPU_PMU_V3's ABI. The guest's
 * accesses trap; counter n counts in the CPU's counter n while the vCPU is loaded. Two events are
 * counted here: software increments, and CHAIN, the overflows of the counter before.
 *
 * Everything of one vCPU is under its mutex. Everything of the VM is written under vm->lock until
 * it ran; vCPUs read it without, which pmu_first_run() puts right.
 */
#ifndef KVM_PMU_H
#define KVM_PMU_H

#include "kvm/port.h"

struct vm;
struct vcpu;
struct reg_sink;
struct kvm_device_attr;

/* What the vGIC or user space was told of the line. */
enum pmu_told { PMU_TOLD_LOW, PMU_TOLD_HIGH, PMU_TOLD_NOTHING };

struct vcpu_pmu {
	struct guest_pmu hw; /* count: of all counters */
	u64 type[PMU_COUNTERS];
	u32 control;	/* PMCR_EL0's bits that can be written */
	u32 enabled;	/* PMCNTENSET_EL0 */
	u32 interrupts; /* PMINTENSET_EL1 */
	u32 overflows;	/* PMOVSSET_EL0 */
	u32 selected;	/* PMSELR_EL0 */
	u32 user;	/* PMUSERENR_EL0 */
	u32 intid;	/* KVM_ARM_VCPU_PMU_V3_IRQ; 0: not set */
	bool ready;	/* KVM_ARM_VCPU_PMU_V3_INIT */
	u8 told;	/* enum pmu_told */
};

/* PMCR_EL0 (D19.5.10) */
#define PMCR_E	     BIT(0)
#define PMCR_P	     BIT(1)
#define PMCR_C	     BIT(2)
#define PMCR_D	     BIT(3)
#define PMCR_LC	     BIT(6)
#define PMCR_LP	     BIT(7)
#define PMCR_WRITTEN GENMASK(7, 0)
#define PMCR_N_SHIFT 11
#define PMCR_N	     GENMASK(15, 11)

/* ID_AA64DFR0_EL1.PMUVer (D19.2.59) */
#define PMU_V3P1 4 /* events of 16 bits */
#define PMU_V3P4 5 /* PMMIR_EL1 */
#define PMU_V3P5 6 /* counters of 64 bits */

/* Events that are not the CPU's. */
#define EVENT_SW_INCR 0x00
#define EVENT_CYCLES  0x11
#define EVENT_CHAIN   0x1e

/* ---- kvm/pmu.c */
/* KVM_ARM_VCPU_INIT with the feature can be. */
bool pmu_is_offered(void);
/* ID_AA64DFR0_EL1.PMUVer of a VM that has one, unless user space lowers it. */
u64 pmu_version_limit(void);
/* vCPUs of @vm have one. */
bool pmu_is_there(const struct vm *vm);
void pmu_vm_init(struct vm *vm);
void pmu_vm_destroy(struct vm *vm);
/* KVM_ARM_VCPU_INIT has given the vCPU one. */
void pmu_vcpu_init(struct vcpu *v);
/* Registers as after a warm reset; put. */
void pmu_reset(struct vcpu *v);
/* Before each vCPU's first run: is it complete? 0 or -EINVAL. Under vm->lock. */
int pmu_first_run(struct vcpu *v);
/* VCPU_REQ_PMU was set: overflows are taken over, the vGIC learns the line's level. True: user
 * space must be told. Loaded. */
bool pmu_attend(struct vcpu *v);
/* KVM_RUN ends, there is a PMU but no vGIC: the line as a bit of device_irq_level. */
u32 pmu_tell_user(struct vcpu *v);
/* Around whatever reads or changes the state below: nothing counts in the CPU in between. */
void pmu_pause(struct vcpu *v);
void pmu_resume(struct vcpu *v);
/* Both at once: overflows that nobody has seen yet are a request. */
static inline void pmu_settle(struct vcpu *v)
{
	pmu_pause(v);
	pmu_resume(v);
}
/* The counters there are, as bits. */
u32 pmu_counters(const struct vcpu *v);
/* PMEVTYPER<n>_EL0.evtCount, by the guest's PMUVer. */
u64 pmu_event_mask(u64 version);
/* PMUVer that the guest sees. */
u64 pmu_version(const struct vm *vm);
/* PMCEID0_EL0 and PMCEID1_EL0, @which 0 and 1. */
u64 pmu_events(const struct vcpu *v, unsigned int which);
/* PMSWINC_EL0 is written. Paused. */
void pmu_software_increment(struct vcpu *v, u32 counters);
u64 pmu_count(const struct vcpu *v, unsigned int n);
/* PMCR_EL0's bits that can be written; LP exists with counters of 64 bits only. */
u32 pmu_control(const struct vcpu *v);

/* ---- kvm/pmu_regs.c. @sr is an encoding as ONE_REG has it. */
/* Is that one of the PMU's registers? */
bool pmu_has_reg(u16 sr);
/* The guest's access, loaded. False: it takes an exception instead. */
bool pmu_guest_may(struct vcpu *v, u16 sr, bool is_read);
u64 pmu_guest_read(struct vcpu *v, u16 sr);
void pmu_guest_write(struct vcpu *v, u16 sr, u64 value);
/* User space's. -ENOENT: it is not in the list. */
int pmu_reg_get(struct vcpu *v, u16 sr, u64 *value);
int pmu_reg_set(struct vcpu *v, u16 sr, u64 value);
/* The registers that user space sees. */
int pmu_reg_list(const struct vcpu *v, struct reg_sink *sink);

/* ---- kvm/pmu_attr.c: KVM_ARM_VCPU_PMU_V3_CTRL, @cmd one of KVM_{SET,GET,HAS}_DEVICE_ATTR. */
int pmu_attribute(struct vcpu *v, u32 cmd, const struct kvm_device_attr *a);
/* The identifier that KVM_ARM_VCPU_PMU_V3_SET_PMU takes: the machine has one PMU. */
enum { PMU_IDENTIFIER = 8 };

#endif
