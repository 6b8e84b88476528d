/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Performance monitors as AArch32 at EL1 sees them: by their coprocessor registers, 32 bits of each
 * at a time, or the cycle counter's 64 in two.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/pmu.h"

/* A32 (Arm ARM F5.1): MRC and MCR p15, r0; MRRC and MCRR p15, r0, r1. */
#define P15(op1, crn, crm, op2)                                                                    \
	(0xee000f10u | (op1) << 21 | (crn) << 16 | (uint32_t)(op2) << 5 | (crm))
#define P15_64(op1, crm)   (0xec410f00u | (op1) << 4 | (crm))
#define READS		   (1u << 20)
#define INSN_ISB	   0xf57ff06fu
#define INSN_STR_R0_AT_R9  0xe5890000u
#define INSN_STR_R1_AT_R9  0xe5891004u
#define INSN_STR_R0_BEHIND 0xe5890008u
#define INSN_LOOP	   0xeafffffeu

enum { SVC_MASKED = 0x1d3, USER_MASKED = 0x1d0 };

#define MAPS(name, insn) static const uint32_t name = (insn)
MAPS(A32_PMCR, P15(0, 9, 12, 0));
MAPS(A32_PMCNTENSET, P15(0, 9, 12, 1));
MAPS(A32_PMSELR, P15(0, 9, 12, 5));
MAPS(A32_PMCEID0, P15(0, 9, 12, 6));
MAPS(A32_PMCCNTR, P15(0, 9, 13, 0));
MAPS(A32_PMXEVTYPER, P15(0, 9, 13, 1));
MAPS(A32_PMUSERENR, P15(0, 9, 14, 0));
MAPS(A32_PMINTENSET, P15(0, 9, 14, 1));
MAPS(A32_PMOVSSET, P15(0, 9, 14, 3));
MAPS(A32_PMCEID2, P15(0, 9, 14, 4));
MAPS(A32_PMEVCNTR1, P15(0, 14, 8, 1));
MAPS(A32_PMEVTYPER1, P15(0, 14, 12, 1));
MAPS(A32_PMEVCNTR30, P15(0, 14, 11, 6));
MAPS(A32_PMCCFILTR, P15(0, 14, 15, 7));

static struct pmu_vm machine;

/* Runs one instruction; 0: done, with r0 and r1; 1: it is undefined. */
static int execute(uint32_t insn, uint32_t mode, uint64_t *r0, uint64_t *r1)
{
	const uint32_t code[] = { insn, INSN_ISB, INSN_STR_R1_AT_R9, INSN_STR_R0_AT_R9, INSN_LOOP };
	struct vcpu *v = &machine.vcpu;
	uint64_t addr;

	guest_load(machine.ram + 0x1000, (const char *)code, (const char *)code + sizeof(code));
	reg_set(v, CORE_REG(regs.pstate), mode);
	reg_set(v, CORE_REG(regs.pc), GUEST_RAM + 0x1000);
	vcpu_set_x(v, 0, *r0);
	vcpu_set_x(v, 1, *r1);
	vcpu_set_x(v, 9, GUEST_MMIO);
	do {
		int error = vcpu_run(v);

		if (error == -EINTR)
			error = vcpu_run(v);
		REQUIRE(error == 0 && v->run->exit_reason == KVM_EXIT_MMIO);
		addr = v->run->mmio.phys_addr;
		if (addr == GUEST_MMIO + 4)
			memcpy(r1, v->run->mmio.data, 4);
		if (addr == GUEST_MMIO)
			memcpy(r0, v->run->mmio.data, 4);
	} while (addr == GUEST_MMIO + 4);
	pmu_settle(v);
	return addr != GUEST_MMIO;
}

static uint32_t reads(uint32_t reg)
{
	uint64_t r0 = 0xdeadbeef, r1 = 0;

	CHECK_EQ(execute(reg | READS, SVC_MASKED, &r0, &r1), 0);
	return (uint32_t)r0;
}

static void writes(uint32_t reg, uint32_t value)
{
	uint64_t r0 = value, r1 = 0;

	CHECK_EQ(execute(reg, SVC_MASKED, &r0, &r1), 0);
}

static int is_undefined(uint32_t insn, uint32_t mode)
{
	uint64_t r0 = 0, r1 = 0;

	return execute(insn, mode, &r0, &r1);
}

static void check_registers(void)
{
	struct vcpu *v = &machine.vcpu;
	uint64_t r0 = 0, r1 = 0;

	CHECK_EQ(PMCR_COUNTERS(reads(A32_PMCR)), PMCR_COUNTERS(sr_get(v, PMCR)));
	CHECK(reads(A32_PMCEID0) >> EVENT_CYCLES & 1);
	(void)reads(A32_PMCEID2);
	writes(A32_PMSELR, 1);
	writes(A32_PMXEVTYPER, 0xc0000011);
	CHECK_EQ(reads(A32_PMEVTYPER1), 0xc0000011);
	CHECK_EQ(sr_get(v, PMEVTYPER(1)), 0xc0000011);
	writes(A32_PMEVCNTR1, 0x12345678);
	CHECK_EQ((uint32_t)sr_get(v, PMEVCNTR(1)), 0x12345678);
	writes(A32_PMINTENSET, 2);
	writes(A32_PMOVSSET, 2);
	CHECK_EQ(sr_get(v, PMINTENSET), 2);
	CHECK_EQ(reads(A32_PMOVSSET), 2);
	writes(A32_PMCCFILTR, 0x40000000);
	CHECK_EQ(sr_get(v, PMCCFILTR), 0x40000000);
	/* MCR leaves the upper half, MCRR writes both. */
	sr_set(v, PMCCNTR, 0x500000001);
	writes(A32_PMCCNTR, 7);
	CHECK_EQ(sr_get(v, PMCCNTR), 0x500000007);
	CHECK_EQ(reads(A32_PMCCNTR), 7);
	/* QEMU 7.2 has no cycle counter of 64 bits here. */
	if (!execute(P15_64(0, 9) | READS, SVC_MASKED, &r0, &r1)) {
		CHECK_EQ(r1 << 32 | (uint32_t)r0, 0x500000007);
		r0 = 9;
		r1 = 3;
		CHECK_EQ(execute(P15_64(0, 9), SVC_MASKED, &r0, &r1), 0);
		CHECK_EQ(sr_get(v, PMCCNTR), 0x300000009);
	}
	sr_set(v, PMCCNTR, 9);
	writes(A32_PMCNTENSET, 1u << 31);
	writes(A32_PMCR, PMCR_E | PMCR_LC);
	CHECK(reads(A32_PMCCNTR) > 9);
	CHECK(is_undefined(A32_PMEVCNTR30 | READS, SVC_MASKED));
}

static void check_user(void)
{
	writes(A32_PMUSERENR, 0);
	CHECK(is_undefined(A32_PMCCNTR | READS, USER_MASKED));
	writes(A32_PMUSERENR, 4);
	CHECK(!is_undefined(A32_PMCCNTR | READS, USER_MASKED));
	CHECK(is_undefined(A32_PMCCNTR, USER_MASKED));
	CHECK(is_undefined(A32_PMINTENSET | READS, USER_MASKED));
	writes(A32_PMUSERENR, 1);
	CHECK(!is_undefined(A32_PMCCNTR, USER_MASKED));
}

/* The vectors are at 0: the second is that of undefined instructions. */
static void load_vectors(void)
{
	static const uint32_t vectors[] = { INSN_LOOP, INSN_STR_R0_BEHIND, INSN_LOOP };
	char *low = vm_ram(&machine.vm, 1, 0, PAGE);

	guest_load(low, (const char *)vectors, (const char *)vectors + sizeof(vectors));
}

int main(void)
{
	struct vm vm;
	int there;

	vm_create(&vm, 0);
	there = VM_CAP(&vm, KVM_CAP_ARM_EL1_32BIT) > 0 && VM_CAP(&vm, KVM_CAP_ARM_PMU_V3) > 0;
	vm_destroy(&vm);
	if (!there)
		return check_done("kvm_pmu32: none here");
	pmu_vm_create(&machine, WITHOUT_GIC, FEATURE_PMU | 1u << KVM_ARM_VCPU_EL1_32BIT);
	load_vectors();
	pmu_vm_complete(&machine);
	check_registers();
	check_user();
	pmu_vm_destroy(&machine);
	return check_done("kvm_pmu32");
}
