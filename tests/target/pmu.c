/* SPDX-License-Identifier: Apache-2.0 */
/* VMs with performance monitors; see pmu.h. */
#define _GNU_SOURCE
#include "tests/target/pmu.h"
#include "tests/target/check.h"
#include "tests/target/vgic.h"

#include <unistd.h>

enum { AT_ACCESS = 0x1000, AT_SPIN = 0x1100 };

/* Synchronous exceptions from EL1 with its own stack pointer, and from EL0; the others loop. */
GUEST(pmu_vectors, "	b .\n"
		   "	.skip 0x1fc\n"
		   "	mrs x0, esr_el1\n"
		   "	str x0, [x19, #8]\n"
		   "	b .\n"
		   "	.skip 0x1f4\n"
		   "	mrs x0, esr_el1\n"
		   "	str x0, [x19, #8]\n"
		   "	b .\n");

GUEST(pmu_spin, "1:	subs x1, x1, #1\n"
		"	b.ne 1b\n"
		"	str x1, [x19]\n"
		"	b .\n");

#define INSN_MRS_X0(sr)	   (0xd5200000u | (uint32_t)(sr) << 5)
#define INSN_MSR_X0(sr)	   (0xd5000000u | (uint32_t)(sr) << 5)
#define INSN_ISB	   0xd5033fdfu
#define INSN_STR_X0_AT_X19 0xf9000260u
#define INSN_LOOP	   0x14000000u

#define SR_ID(sr) (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM64_SYSREG | (sr))

void pmu_vm_create(struct pmu_vm *m, enum pmu_gic gic, uint32_t features)
{
	vm_create(&m->vm, 0);
	m->ram = vm_ram(&m->vm, 0, GUEST_RAM, MIB);
	vcpu_create(&m->vm, &m->vcpu, 0, features);
	m->gic = gic == WITH_GIC ? vgic_setup(&m->vm, 1, 64) : -1;
}

void pmu_mask_set(struct vcpu *vcpu, enum pmu_mask mask, uint64_t value)
{
	static const struct {
		uint16_t clear, set;
	} pairs[] = {
		[PMU_ENABLED] = { PMCNTENCLR, PMCNTENSET },
		[PMU_INTERRUPTS] = { PMINTENCLR, PMINTENSET },
		[PMU_OVERFLOWS] = { PMOVSCLR, PMOVSSET },
	};

	sr_set(vcpu, pairs[mask].clear, 0xffffffff);
	sr_set(vcpu, pairs[mask].set, value);
}

void pmu_clear(struct vcpu *vcpu)
{
	pmu_mask_set(vcpu, PMU_ENABLED, 0);
	pmu_mask_set(vcpu, PMU_INTERRUPTS, 0);
	pmu_mask_set(vcpu, PMU_OVERFLOWS, 0);
	for (unsigned n = 0; n < PMU_CYCLES_COUNTER; n++) {
		sr_set(vcpu, PMEVCNTR(n), 0);
		sr_set(vcpu, PMEVTYPER(n), 0);
	}
	sr_set(vcpu, PMCCNTR, 0);
	sr_set(vcpu, PMCCFILTR, 0);
	sr_set(vcpu, PMSELR, 0);
}

void pmu_guests_load(struct pmu_vm *m)
{
	LOAD(m->ram, pmu_vectors);
	LOAD(m->ram + AT_SPIN, pmu_spin);
}

void pmu_vm_complete(struct pmu_vm *m)
{
	int intid = PMU_INTID;

	if (m->gic >= 0)
		REQUIRE(pmu_attr(&m->vcpu, KVM_ARM_VCPU_PMU_V3_IRQ, &intid) == 0);
	REQUIRE(pmu_attr(&m->vcpu, KVM_ARM_VCPU_PMU_V3_INIT, NULL) == 0);
	pmu_clear(&m->vcpu);
	pmu_guests_load(m);
}

void pmu_vm_start(struct pmu_vm *m, enum pmu_gic gic)
{
	pmu_vm_create(m, gic, FEATURE_PMU);
	pmu_vm_complete(m);
}

void pmu_vm_destroy(struct pmu_vm *m)
{
	vcpu_destroy(&m->vcpu);
	if (m->gic >= 0)
		close(m->gic);
	vm_destroy(&m->vm);
	munmap(m->ram, MIB);
}

int pmu_attr(struct vcpu *vcpu, uint64_t attr, const void *value)
{
	return attr_set(vcpu->fd, KVM_ARM_VCPU_PMU_V3_CTRL, attr, value);
}

uint64_t sr_get(struct vcpu *vcpu, uint16_t sr)
{
	return reg_get(vcpu, SR_ID(sr));
}

void sr_set(struct vcpu *vcpu, uint16_t sr, uint64_t value)
{
	reg_set(vcpu, SR_ID(sr), value);
}

int sr_try_get(struct vcpu *vcpu, uint16_t sr, uint64_t *value)
{
	struct kvm_one_reg r = { .id = SR_ID(sr), .addr = (uint64_t)value };

	return ioctl(vcpu->fd, KVM_GET_ONE_REG, &r) ? -errno : 0;
}

int sr_try_set(struct vcpu *vcpu, uint16_t sr, uint64_t value)
{
	struct kvm_one_reg r = { .id = SR_ID(sr), .addr = (uint64_t)&value };

	return ioctl(vcpu->fd, KVM_SET_ONE_REG, &r) ? -errno : 0;
}

void pmu_settle(struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	vcpu->run->immediate_exit = 0;
}

/* EL0t with interrupts masked. */
static void start(struct pmu_vm *m, enum pmu_el el, uint64_t at)
{
	vcpu_start(&m->vcpu, GUEST_RAM + at);
	if (el == AT_EL0)
		reg_set(&m->vcpu, CORE_REG(regs.pstate), 0x3c0);
	sr_set(&m->vcpu, SR(3, 0, 12, 0, 0), GUEST_RAM);
}

/* A line that changes ends KVM_RUN if there is no vGIC: it is told once. */
static void run(struct pmu_vm *m)
{
	int error = vcpu_run(&m->vcpu);

	if (error == -EINTR && m->gic < 0 && m->vcpu.run->exit_reason == KVM_EXIT_INTR)
		error = vcpu_run(&m->vcpu);
	CHECK_EQ(error, 0);
	REQUIRE(m->vcpu.run->exit_reason == KVM_EXIT_MMIO && m->vcpu.run->mmio.is_write);
}

static uint64_t access_reg(struct pmu_vm *m, enum pmu_el el, uint32_t insn, uint64_t *x0)
{
	const uint32_t code[] = { insn, INSN_ISB, INSN_STR_X0_AT_X19, INSN_LOOP };
	uint64_t addr, data;

	guest_load(m->ram + AT_ACCESS, (const char *)code, (const char *)code + sizeof(code));
	start(m, el, AT_ACCESS);
	vcpu_set_x(&m->vcpu, 0, *x0);
	run(m);
	addr = m->vcpu.run->mmio.phys_addr;
	memcpy(&data, m->vcpu.run->mmio.data, sizeof(data));
	pmu_settle(&m->vcpu);
	if (addr == GUEST_MMIO) {
		*x0 = data;
		return 0;
	}
	CHECK_EQ(addr, GUEST_MMIO + 8);
	return data;
}

uint64_t guest_reads(struct pmu_vm *m, enum pmu_el el, uint16_t sr, uint64_t *value)
{
	*value = 0xdeadbeef;
	return access_reg(m, el, INSN_MRS_X0(sr), value);
}

uint64_t guest_writes(struct pmu_vm *m, enum pmu_el el, uint16_t sr, uint64_t value)
{
	return access_reg(m, el, INSN_MSR_X0(sr), &value);
}

uint64_t guest_get(struct pmu_vm *m, uint16_t sr)
{
	uint64_t value;

	CHECK_EQ(guest_reads(m, AT_EL1, sr, &value), 0);
	return value;
}

void guest_set(struct pmu_vm *m, uint16_t sr, uint64_t value)
{
	CHECK_EQ(guest_writes(m, AT_EL1, sr, value), 0);
}

void guest_spins(struct pmu_vm *m, enum pmu_el el, uint64_t rounds)
{
	start(m, el, AT_SPIN);
	vcpu_set_x(&m->vcpu, 1, rounds);
	run(m);
	CHECK_EQ(m->vcpu.run->mmio.phys_addr, GUEST_MMIO);
	pmu_settle(&m->vcpu);
}

int sr_is_pmu(uint64_t id)
{
	uint16_t sr = (uint16_t)id;

	if (SR_ID(sr) != id)
		return 0;
	return (sr & ~0x7f) == SR(3, 3, 9, 0, 0) || (sr & ~0x7f) == SR(3, 0, 9, 0, 0) ||
	       (sr & ~0x3f) == SR(3, 3, 14, 8, 0);
}
