/* SPDX-License-Identifier: Apache-2.0 */
/* Guests with the MMU on; see guest_mmu.h. */
#define _GNU_SOURCE
#include "tests/target/guest_mmu.h"
#include "tests/target/check.h"

enum { BLOCK = 2 * MIB };

#define GIB_VA 0x40000000UL

/* Vectors from EL1 with SP_EL1, and from EL0 in AArch64. */
GUEST(guest_vectors, "	.macro report\n"
		     "	mrs x0, esr_el1\n"
		     "	str x0, [x19, #8]\n"
		     "	mrs x0, far_el1\n"
		     "	str x0, [x19, #16]\n"
		     "	mrs x0, elr_el1\n"
		     "	str x0, [x19, #24]\n"
		     "	b .\n"
		     "	.endm\n"
		     "	.space 0x200\n"
		     "	report\n"
		     "	.space 0x400 - (. - guest_vectors)\n"
		     "	report\n"
		     "	.purgem report\n");

void guest_mmu_init(struct guest_mmu *mmu, void *hva, uint64_t gpa)
{
	mmu->top = hva;
	mmu->gib = mmu->top + PAGE / sizeof(*mmu->top);
	mmu->table = gpa;
	mmu->top[0] = 0 | S1_BLOCK | S1_DEVICE | S1_DATA;
	mmu->top[1] = (gpa + PAGE) | S1_TABLE;
	guest_mmu_set(mmu, GUEST_RAM, GUEST_RAM | S1_BLOCK | S1_CODE);
}

void guest_mmu_set(struct guest_mmu *mmu, uint64_t va, uint64_t desc)
{
	mmu->gib[(va - GIB_VA) / BLOCK] = desc;
}

void guest_mmu_on(struct vcpu *vcpu, const struct guest_mmu *mmu, uint64_t vectors)
{
	reg_set(vcpu, REG_TTBR0_EL1, mmu->table);
	reg_set(vcpu, REG_TCR_EL1, TCR_39_BITS);
	reg_set(vcpu, REG_MAIR_EL1, 0x04ff);
	reg_set(vcpu, REG_VBAR_EL1, vectors);
	reg_set(vcpu, REG_SCTLR_EL1, SCTLR_ON);
}

static uint64_t reported_esr(struct vcpu *vcpu)
{
	uint64_t value;

	memcpy(&value, vcpu->run->mmio.data, sizeof(value));
	return value & 0xffffffff; /* Linux 6.12 sets all bits above in what it injects */
}

/* The store is completed, so that the next run starts where it is told to. */
static void complete(struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	vcpu->run->immediate_exit = 0;
}

struct guest_end guest_run_to_end(struct vcpu *vcpu)
{
	struct guest_end end = { .error = vcpu_run(vcpu) };

	while (end.error == -EINTR)
		end.error = vcpu_run(vcpu);
	if (end.error)
		return end;
	if (vcpu->run->exit_reason != KVM_EXIT_MMIO || !vcpu->run->mmio.is_write ||
	    vcpu->run->mmio.phys_addr - GUEST_MMIO > REPORT_ESR) {
		end.exit = vcpu->run->exit_reason;
		complete(vcpu);
		return end;
	}
	if (vcpu->run->mmio.phys_addr == GUEST_MMIO + REPORT_ESR) {
		end.esr = reported_esr(vcpu);
		end.far = RUN_TO_WRITE(vcpu, GUEST_MMIO + REPORT_FAR);
	}
	complete(vcpu);
	return end;
}
