/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest turns its caches on and off and maintains them by set and way. Its stage-1 registers,
 * which trap meanwhile on a host without FWB, take what it writes. What it costs, the report
 * counts (tests/cli/caches).
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"
#include "tests/target/guest_mmu.h"

enum {
	CODE = GUEST_RAM,
	VECTORS = GUEST_RAM + 0x1000,
	TABLES = GUEST_RAM + 0x10000,
	AREA = 2 * MIB,
	DATA = GUEST_RAM + AREA,
	PAGES = 16, /* of DATA that the guest uses */
};

/*
 * x0..x6: values for the registers; x7: SCTLR_EL1 with caches, x8: without. A store tells the end
 * of each step; the last stores what DATA adds up to.
 */
GUEST(guest, "	dc cisw, xzr\n" /* caches are off: nothing is owed yet */
	     "	msr ttbr0_el1, x0\n"
	     "	msr ttbr1_el1, x1\n"
	     "	msr tcr_el1, x2\n"
	     "	msr mair_el1, x3\n"
	     "	msr contextidr_el1, x4\n"
	     "	msr esr_el1, x5\n"
	     "	msr far_el1, x6\n"
	     "	isb\n"
	     "	str xzr, [x19]\n"
	     "	msr sctlr_el1, x7\n" /* on */
	     "	isb\n"
	     "	mov x10, x9\n" /* use DATA */
	     "	mov x11, #16\n"
	     "1:	str x11, [x10]\n"
	     "	add x10, x10, #0x1000\n"
	     "	subs x11, x11, #1\n"
	     "	b.ne 1b\n"
	     "	str xzr, [x19]\n"
	     "	dc isw, xzr\n" /* on: cleans everything */
	     "	dc csw, xzr\n" /* nothing new since */
	     "	str xzr, [x19]\n"
	     "	msr sctlr_el1, x8\n" /* off */
	     "	isb\n"
	     "	str xzr, [x19]\n"
	     "	msr sctlr_el1, x7\n" /* on */
	     "	isb\n"
	     "	mov x10, x9\n"
	     "	mov x11, #16\n"
	     "	mov x12, #0\n"
	     "1:	ldr x13, [x10]\n"
	     "	add x10, x10, #0x1000\n"
	     "	add x12, x12, x13\n"
	     "	subs x11, x11, #1\n"
	     "	b.ne 1b\n"
	     "	str x12, [x19]\n"
	     "	b .\n");

static const struct {
	uint64_t id, value;
} registers[] = {
	{ REG_TTBR0_EL1, TABLES },
	{ REG_TTBR1_EL1, 0x1234000 },
	{ REG_TCR_EL1, TCR_39_BITS },
	{ REG_MAIR_EL1, 0x04ff },
	{ ARM64_SYS_REG(3, 0, 13, 0, 1), 0x55 },       /* CONTEXTIDR_EL1 */
	{ ARM64_SYS_REG(3, 0, 5, 2, 0), 0x96000010 },  /* ESR_EL1 */
	{ ARM64_SYS_REG(3, 0, 6, 0, 0), 0x123456789 }, /* FAR_EL1 */
};
enum { REGISTERS = sizeof(registers) / sizeof(registers[0]) };

static void start(struct vcpu *vcpu)
{
	vcpu_start(vcpu, CODE);
	reg_set(vcpu, REG_VBAR_EL1, VECTORS);
	for (unsigned i = 0; i < REGISTERS; i++)
		vcpu_set_x(vcpu, i, registers[i].value);
	vcpu_set_x(vcpu, 7, SCTLR_ON);
	vcpu_set_x(vcpu, 8, SCTLR_ALWAYS);
	vcpu_set_x(vcpu, 9, DATA);
}

static void check_registers(struct vcpu *vcpu, uint64_t sctlr)
{
	for (unsigned i = 0; i < REGISTERS; i++)
		CHECK_EQ(reg_get(vcpu, registers[i].id), registers[i].value);
	CHECK_EQ(reg_get(vcpu, REG_SCTLR_EL1), sctlr);
}

int main(void)
{
	struct vm vm;
	struct vcpu vcpu;
	struct guest_mmu mmu;
	char *ram;

	vm_create(&vm, 0);
	ram = vm_ram(&vm, 0, GUEST_RAM, 2 * AREA);
	LOAD(ram, guest);
	LOAD(ram + VECTORS - GUEST_RAM, guest_vectors);
	guest_mmu_init(&mmu, ram + TABLES - GUEST_RAM, TABLES);
	guest_mmu_set(&mmu, DATA, DATA | S1_BLOCK | S1_DATA);
	vcpu_create(&vm, &vcpu, 0, 0);
	start(&vcpu);
	RUN_TO_WRITE(&vcpu, GUEST_MMIO);
	check_registers(&vcpu, reg_get(&vcpu, REG_SCTLR_EL1) & ~(uint64_t)(SCTLR_M | SCTLR_C));
	RUN_TO_WRITE(&vcpu, GUEST_MMIO);
	check_registers(&vcpu, SCTLR_ON);
	RUN_TO_WRITE(&vcpu, GUEST_MMIO);
	RUN_TO_WRITE(&vcpu, GUEST_MMIO);
	check_registers(&vcpu, SCTLR_ALWAYS);
	CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO), PAGES * (PAGES + 1) / 2);
	check_registers(&vcpu, SCTLR_ON);
	/* Before the report is taken: what was mapped is cleaned once more. */
	REQUIRE(munmap(ram, 2 * AREA) == 0);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	return check_done("kvm_caches");
}
