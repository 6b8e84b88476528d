/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vCPUs: a thread each, which runs the guest and answers its exits.
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include "vmm/vm.h"

#include <pthread.h>

struct kvm_run;

struct vcpu {
	const struct vm *vm;
	unsigned int index;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
};

/* Creates vCPU `index`, with `features` of KVM_ARM_VCPU_INIT beside what all have; the first one
 * runs at once, the others wait for PSCI CPU_ON. */
void vcpu_create(struct vcpu *vcpu, const struct vm *vm, unsigned int index, uint32_t features);

/* Its performance monitors are complete: they interrupt by INTID_PMU. After the vGIC. */
void vcpu_add_pmu(const struct vcpu *vcpu);

/* Its affinity as a device tree has it (MPIDR_EL1.Aff3 to Aff0). */
uint64_t vcpu_affinity(const struct vcpu *vcpu);

/* The first vCPU's registers as Linux expects them at its entry: x0 the device tree. */
void vcpu_set_entry(const struct vcpu *vcpu, uint64_t entry, uint64_t tree);

/* Starts the thread. It ends the process when the guest powers off. */
void vcpu_start(struct vcpu *vcpu);

#endif
