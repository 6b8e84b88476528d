/* SPDX-License-Identifier: Apache-2.0 */
/* VMs whose vCPUs have performance monitors, and guests that access one register. */
#ifndef TESTS_TARGET_PMU_H
#define TESTS_TARGET_PMU_H

#include "tests/target/client.h"

/* System registers as ONE_REG has them: op0, op1, CRn, CRm, op2. */
#define SR(op0, op1, crn, crm, op2)                                                                \
	((uint16_t)((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2)))

enum {
	ID_DFR0 = SR(3, 0, 0, 1, 2),
	ID_AA64DFR0 = SR(3, 0, 0, 5, 0),
	PMINTENSET = SR(3, 0, 9, 14, 1),
	PMINTENCLR = SR(3, 0, 9, 14, 2),
	PMMIR = SR(3, 0, 9, 14, 6),
	PMCR = SR(3, 3, 9, 12, 0),
	PMCNTENSET = SR(3, 3, 9, 12, 1),
	PMCNTENCLR = SR(3, 3, 9, 12, 2),
	PMOVSCLR = SR(3, 3, 9, 12, 3),
	PMSWINC = SR(3, 3, 9, 12, 4),
	PMSELR = SR(3, 3, 9, 12, 5),
	PMCEID0 = SR(3, 3, 9, 12, 6),
	PMCEID1 = SR(3, 3, 9, 12, 7),
	PMCCNTR = SR(3, 3, 9, 13, 0),
	PMXEVTYPER = SR(3, 3, 9, 13, 1),
	PMXEVCNTR = SR(3, 3, 9, 13, 2),
	PMUSERENR = SR(3, 3, 9, 14, 0),
	PMOVSSET = SR(3, 3, 9, 14, 3),
	PMCCFILTR = SR(3, 3, 14, 15, 7),
	PMU_INTID = 23,
	PMU_CYCLES_COUNTER = 31,
};
#define PMEVCNTR(n)  SR(3, 3, 14, 8 + (n) / 8, (n) % 8)
#define PMEVTYPER(n) SR(3, 3, 14, 12 + (n) / 8, (n) % 8)

enum {
	PMCR_E = 1,
	PMCR_P = 2,
	PMCR_C = 4,
	PMCR_LC = 0x40,
	PMCR_LP = 0x80,
	EVENT_SW_INCR = 0,
	EVENT_INSTRUCTIONS = 0x08,
	EVENT_CYCLES = 0x11,
	EVENT_CHAIN = 0x1e,
	FEATURE_PMU = 1 << KVM_ARM_VCPU_PMU_V3,
};
#define CYCLES_BIT (1ul << PMU_CYCLES_COUNTER)
#define NOT_AT_EL1 (1ul << 31)
#define NOT_AT_EL0 (1ul << 30)

#define PMCR_COUNTERS(pmcr) ((unsigned)((pmcr) >> 11 & 0x1f))
#define DFR0_PMUVER(dfr0)   ((unsigned)((dfr0) >> 8 & 0xf))

struct pmu_vm {
	struct vm vm;
	struct vcpu vcpu;
	char *ram; /* 1 MiB at GUEST_RAM */
	int gic;   /* -1: none */
};

enum pmu_gic { WITHOUT_GIC, WITH_GIC };

/* One vCPU with @features; the PMU is not initialised. */
void pmu_vm_create(struct pmu_vm *m, enum pmu_gic gic, uint32_t features);
/* The guests below. */
void pmu_guests_load(struct pmu_vm *m);
/* The PMU is complete, with PMU_INTID if there is a vGIC; and the guests are there. */
void pmu_vm_complete(struct pmu_vm *m);
/* Both together. */
void pmu_vm_start(struct pmu_vm *m, enum pmu_gic gic);
enum pmu_mask { PMU_ENABLED, PMU_INTERRUPTS, PMU_OVERFLOWS };
/* A mask of counters becomes @value, whatever the kernel makes of what is written to the clearing
 * half: Linux's older ones take it off, others store it. */
void pmu_mask_set(struct vcpu *vcpu, enum pmu_mask mask, uint64_t value);
/* Every register is 0 that a reset leaves unknown. */
void pmu_clear(struct vcpu *vcpu);
void pmu_vm_destroy(struct pmu_vm *m);
/* An attribute of KVM_ARM_VCPU_PMU_V3_CTRL is set. 0 or -errno. */
int pmu_attr(struct vcpu *vcpu, uint64_t attr, const void *value);

uint64_t sr_get(struct vcpu *vcpu, uint16_t sr);
void sr_set(struct vcpu *vcpu, uint16_t sr, uint64_t value);
/* KVM_GET_ONE_REG. 0 or -errno. */
int sr_try_get(struct vcpu *vcpu, uint16_t sr, uint64_t *value);
int sr_try_set(struct vcpu *vcpu, uint16_t sr, uint64_t value);

/* Is that the id of one of the PMU's registers? */
int sr_is_pmu(uint64_t id);

/* The last exit, if it was a write, is completed. */
void pmu_settle(struct vcpu *vcpu);

enum pmu_el { AT_EL0, AT_EL1 };
/* The guest accesses a register: 0, or the ESR_EL1 of the exception that it takes. */
uint64_t guest_reads(struct pmu_vm *m, enum pmu_el el, uint16_t sr, uint64_t *value);
uint64_t guest_writes(struct pmu_vm *m, enum pmu_el el, uint16_t sr, uint64_t value);
/* The same at EL1; no exception comes. */
uint64_t guest_get(struct pmu_vm *m, uint16_t sr);
void guest_set(struct pmu_vm *m, uint16_t sr, uint64_t value);
/* The guest loops @rounds times. */
void guest_spins(struct pmu_vm *m, enum pmu_el el, uint64_t rounds);

#endif
