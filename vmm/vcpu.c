/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "vmm/vcpu.h"

#include "abi/catwalk.h"
#include "vmm/bus.h"
#include "vmm/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define CORE_REG(field)                                                                            \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(field))
#define MPIDR_EL1 ARM64_SYS_REG(3, 0, 0, 0, 5)

/* MPIDR_EL1.Aff3 and Aff2 to Aff0 (Arm ARM D19.2.101). */
#define MPIDR_AFFINITY UINT64_C(0xff00ffffff)

static int vcpu_ioctl(const struct vcpu *vcpu, unsigned long request, void *argument,
		      const char *what)
{
	int result = ioctl(vcpu->fd, request, argument);

	if (result < 0)
		fail("vCPU %u: %s: %s", vcpu->index, what, strerror(errno));
	return result;
}

static void set_register(const struct vcpu *vcpu, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uint64_t)(uintptr_t)&value };

	vcpu_ioctl(vcpu, KVM_SET_ONE_REG, &reg, "KVM_SET_ONE_REG");
}

static uint64_t get_register(const struct vcpu *vcpu, uint64_t id)
{
	uint64_t value = 0;
	struct kvm_one_reg reg = { .id = id, .addr = (uint64_t)(uintptr_t)&value };

	vcpu_ioctl(vcpu, KVM_GET_ONE_REG, &reg, "KVM_GET_ONE_REG");
	return value;
}

void vcpu_create(struct vcpu *vcpu, const struct vm *vm, unsigned int index, uint32_t features)
{
	int size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	struct kvm_vcpu_init init;

	*vcpu = (struct vcpu){ .vm = vm, .index = index };
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, index);
	if (vcpu->fd < 0 || size < 0)
		fail("vCPU %u: KVM_CREATE_VCPU: %s", index, strerror(errno));
	vcpu->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		fail("vCPU %u: its shared memory: %s", index, strerror(errno));
	vm_ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init, "KVM_ARM_PREFERRED_TARGET");
	init.features[0] |= 1u << KVM_ARM_VCPU_PSCI_0_2 | features;
	if (index > 0)
		init.features[0] |= 1u << KVM_ARM_VCPU_POWER_OFF;
	vcpu_ioctl(vcpu, KVM_ARM_VCPU_INIT, &init, "KVM_ARM_VCPU_INIT");
}

void vcpu_add_pmu(const struct vcpu *vcpu)
{
	int intid = INTID_PMU;
	struct kvm_device_attr irq = { .group = KVM_ARM_VCPU_PMU_V3_CTRL,
				       .attr = KVM_ARM_VCPU_PMU_V3_IRQ,
				       .addr = (uint64_t)(uintptr_t)&intid };
	struct kvm_device_attr init = { .group = KVM_ARM_VCPU_PMU_V3_CTRL,
					.attr = KVM_ARM_VCPU_PMU_V3_INIT };

	vcpu_ioctl(vcpu, KVM_SET_DEVICE_ATTR, &irq, "the PMU's interrupt");
	vcpu_ioctl(vcpu, KVM_SET_DEVICE_ATTR, &init, "the PMU");
}

uint64_t vcpu_affinity(const struct vcpu *vcpu)
{
	return get_register(vcpu, MPIDR_EL1) & MPIDR_AFFINITY;
}

void vcpu_set_entry(const struct vcpu *vcpu, uint64_t entry, uint64_t tree)
{
	set_register(vcpu, CORE_REG(regs.regs[0]), tree);
	set_register(vcpu, CORE_REG(regs.pc), entry);
}

/* KVM_RUN failed: the guest touched memory that cannot be mapped, or the host is in trouble. */
static _Noreturn void run_failed(const struct vcpu *vcpu)
{
	int error = errno;
	const struct kvm_run *run = vcpu->run;
	const struct catwalk_memory_fault *fault =
		(const void *)((const char *)run + offsetof(struct kvm_run, padding));

	if (error != EFAULT || run->exit_reason != KVM_EXIT_MEMORY_FAULT)
		fail("vCPU %u: KVM_RUN: %s, at pc %#" PRIx64, vcpu->index, strerror(error),
		     get_register(vcpu, CORE_REG(regs.pc)));
	if (!vm_capability(vcpu->vm, KVM_CAP_CATWALK_REFUSAL))
		fail("vCPU %u: memory at %#" PRIx64 " cannot be mapped", vcpu->index,
		     (uint64_t)fault->gpa);
	fail("vCPU %u: memory at %#" PRIx64 " cannot be mapped (M%u): %.*s", vcpu->index,
	     (uint64_t)fault->gpa, fault->rule, (int)sizeof(fault->reason), fault->reason);
}

static _Noreturn void system_event(const struct vcpu *vcpu)
{
	switch (vcpu->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN: vmm_exit(STATUS_OK);
	case KVM_SYSTEM_EVENT_RESET:
		complain("the guest asked for a reset");
		vmm_exit(STATUS_GUEST_RESET);
	default: fail("vCPU %u: system event %u", vcpu->index, vcpu->run->system_event.type);
	}
}

static void handle_exit(const struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_MMIO:
		bus_access(run->mmio.phys_addr, run->mmio.is_write, run->mmio.len, run->mmio.data);
		break;
	case KVM_EXIT_INTR: break;
	case KVM_EXIT_SYSTEM_EVENT: system_event(vcpu);
	default:
		fail("vCPU %u: exit reason %u, at pc %#" PRIx64, vcpu->index, run->exit_reason,
		     get_register(vcpu, CORE_REG(regs.pc)));
	}
}

static void *run_thread(void *argument)
{
	const struct vcpu *vcpu = argument;

	for (;;) {
		if (ioctl(vcpu->fd, KVM_RUN, 0) == 0)
			handle_exit(vcpu);
		else if (errno != EINTR && errno != EAGAIN)
			run_failed(vcpu);
	}
	return NULL;
}

void vcpu_start(struct vcpu *vcpu)
{
	int error = pthread_create(&vcpu->thread, NULL, run_thread, vcpu);

	if (error)
		fail("vCPU %u: its thread: %s", vcpu->index, strerror(error));
}
