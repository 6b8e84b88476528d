/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MMIO exits: every width, both directions, sign extension, destination registers of 32 and 64
 * bits, the zero register, writes that cross nothing and touch nothing else, both orders of bytes;
 * accesses that carry no syndrome.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"

#include <sys/utsname.h>

/* One access of each kind; after each load a store to GUEST_MMIO + 0x100 tells what arrived in x0.
 */
GUEST(guest, "	add x20, x19, #0x100\n"
	     "	mov x1, #0x1122\n"
	     "	movk x1, #0x3344, lsl #16\n"
	     "	movk x1, #0x5566, lsl #32\n"
	     "	movk x1, #0x7788, lsl #48\n"
	     "	strb w1, [x19]\n"
	     "	strh w1, [x19, #2]\n"
	     "	str w1, [x19, #4]\n"
	     "	str x1, [x19, #8]\n"
	     "	str wzr, [x19, #16]\n"
	     "	str xzr, [x19, #24]\n"
	     "	mov x2, #8\n"
	     "	str x1, [x19, x2, lsl #3]\n"
	     "	stur w1, [x19, #1]\n"
	     "	stlr w1, [x19]\n"
	     "	.macro load insn, reg\n"
	     "	mov x0, #-1\n"
	     "	\\insn \\reg, [x19, #64]\n"
	     "	str x0, [x20]\n"
	     "	.endm\n"
	     "	load ldrb, w0\n"
	     "	load ldrh, w0\n"
	     "	load ldr, w0\n"
	     "	load ldr, x0\n"
	     "	load ldrsb, w0\n"
	     "	load ldrsb, x0\n"
	     "	load ldrsh, w0\n"
	     "	load ldrsh, x0\n"
	     "	load ldrsw, x0\n"
	     "	.purgem load\n"
	     "	ldr xzr, [x19, #64]\n"
	     "	b .\n");

GUEST(no_syndrome, "	ldp x0, x1, [x19]\n"
		   "	b .\n");

static const struct {
	unsigned len;
	uint64_t offset, data;
} stores[] = {
	{ 1, 0, 0x22 },
	{ 2, 2, 0x1122 },
	{ 4, 4, 0x33441122 },
	{ 8, 8, 0x7788556633441122 },
	{ 4, 16, 0 },
	{ 8, 24, 0 },
	{ 8, 64, 0x7788556633441122 },
	{ 4, 1, 0x33441122 },
	{ 4, 0, 0x33441122 },
};

#define DEVICE_VALUE 0x8899aabbccddeeff

static const struct {
	unsigned len;
	uint64_t arrives;
	uint64_t truncated; /* what arrives when the sign is lost */
} loads[] = {
	{ 1, 0xff, 0 },
	{ 2, 0xeeff, 0 },
	{ 4, 0xccddeeff, 0 },
	{ 8, DEVICE_VALUE, 0 },
	{ 1, 0xffffffff, .truncated = 0xff },
	{ 1, 0xffffffffffffffff, .truncated = 0xff },
	{ 2, 0xffffeeff, .truncated = 0xeeff },
	{ 2, 0xffffffffffffeeff, .truncated = 0xeeff },
	{ 4, 0xffffffffccddeeff, .truncated = 0xccddeeff },
};

static void answer_load(struct vcpu *vcpu, unsigned len)
{
	const uint64_t value = DEVICE_VALUE;

	CHECK_EQ(vcpu_run(vcpu), 0);
	CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.phys_addr, GUEST_MMIO + 64);
	CHECK_EQ(vcpu->run->mmio.is_write, 0);
	CHECK_EQ(vcpu->run->mmio.len, len);
	memcpy(vcpu->run->mmio.data, &value, sizeof(value));
}

/* Linux up to 6.12 at least truncates what it has sign-extended; 7.2 does not. */
static int host_loses_sign(void)
{
	struct utsname name;

	REQUIRE(uname(&name) == 0);
	return strstr(name.version, "Debian") && atoi(name.release) < 7;
}

static void check_accesses(struct vm *vm, char *ram)
{
	int loses_sign = host_loses_sign();
	struct vcpu vcpu;
	uint64_t seen;

	LOAD(ram, guest);
	vcpu_create(vm, &vcpu, 0, 0);
	vcpu_start(&vcpu, GUEST_RAM);
	for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++) {
		CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO + stores[i].offset), stores[i].data);
		CHECK_EQ(vcpu.run->mmio.len, stores[i].len);
	}
	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		answer_load(&vcpu, loads[i].len);
		seen = RUN_TO_WRITE(&vcpu, GUEST_MMIO + 0x100);
		if (!(loses_sign && loads[i].truncated && seen == loads[i].truncated))
			CHECK_EQ(seen, loads[i].arrives);
	}
	answer_load(&vcpu, 8); /* into xzr */
	/* A load is completed at the next entry, also at one that leaves at once. */
	vcpu.run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(&vcpu), -EINTR);
	CHECK_EQ(reg_get(&vcpu, CORE_REG(regs.pc)), GUEST_RAM + guest_end - guest - 4);
	vcpu_destroy(&vcpu);
}

static uint64_t swapped(uint64_t value, unsigned len)
{
	return __builtin_bswap64(value) >> (64 - 8 * len);
}

/* What arrives in x0 when the device's bytes are read the other way round. */
static uint64_t arrives_swapped(size_t i)
{
	unsigned len = loads[i].len, unused = 64 - 8 * len;
	uint64_t value = swapped(DEVICE_VALUE, len);

	if (!loads[i].truncated)
		return value;
	value = (uint64_t)((int64_t)(value << unused) >> unused);
	return loads[i].arrives >> 32 ? value : (uint32_t)value;
}

/* The same accesses, big-endian: SCTLR_EL1.EE is for EL1, E0E for EL0. */
static void check_big_endian(struct vm *vm, unsigned id, uint64_t sctlr_bit, uint64_t pstate)
{
	int loses_sign = host_loses_sign();
	struct vcpu vcpu;
	uint64_t sctlr;

	vcpu_create(vm, &vcpu, id, 0);
	vcpu_start(&vcpu, GUEST_RAM);
	sctlr = reg_get(&vcpu, ARM64_SYS_REG(3, 0, 1, 0, 0));
	reg_set(&vcpu, ARM64_SYS_REG(3, 0, 1, 0, 0), sctlr | sctlr_bit);
	reg_set(&vcpu, CORE_REG(regs.pstate), pstate);
	for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++)
		CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO + stores[i].offset),
			 swapped(stores[i].data, stores[i].len));
	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		uint64_t seen;

		answer_load(&vcpu, loads[i].len);
		seen = swapped(RUN_TO_WRITE(&vcpu, GUEST_MMIO + 0x100), 8);
		if (!(loses_sign && loads[i].truncated))
			CHECK_EQ(seen, arrives_swapped(i));
	}
	vcpu_destroy(&vcpu);
}

/* A pair has no syndrome: ENOSYS, or an exit for who asked for it. */
static void check_no_syndrome(struct vm *vm, char *ram)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_ARM_NISV_TO_USER };
	struct vcpu vcpu;

	LOAD(ram, no_syndrome);
	vcpu_create(vm, &vcpu, 1, 0);
	vcpu_start(&vcpu, GUEST_RAM);
	CHECK_EQ(vcpu_run(&vcpu), -ENOSYS);
	CHECK_EQ(vcpu_run(&vcpu), -ENOSYS);
	CHECK_EQ(reg_get(&vcpu, CORE_REG(regs.pc)), GUEST_RAM);
	if (VM_CAP(vm, KVM_CAP_ARM_NISV_TO_USER) > 0) {
		CHECK_OK(ioctl(vm->fd, KVM_ENABLE_CAP, &cap));
		CHECK_EQ(vcpu_run(&vcpu), 0);
		CHECK_EQ(vcpu.run->exit_reason, KVM_EXIT_ARM_NISV);
		CHECK_EQ(vcpu.run->arm_nisv.fault_ipa, GUEST_MMIO);
	}
	vcpu_destroy(&vcpu);
}

/* The client answers a load with an external abort: taken at its instruction, which is not
 * completed. */
GUEST(aborted, "	ldr x0, [x19]\n"
	       "	b .\n");
GUEST(abort_handler, "	mov x1, #1\n"
		     "	mrs x0, esr_el1\n"
		     "	str x0, [x19, #8]\n"
		     "	mrs x0, elr_el1\n"
		     "	str x0, [x19, #16]\n"
		     "	str x1, [x19, #24]\n"
		     "	b .\n");

static void check_abort(struct vm *vm, char *ram)
{
	struct kvm_vcpu_events events = { .exception.ext_dabt_pending = 1 };
	struct vcpu vcpu;

	if (VM_CAP(vm, KVM_CAP_ARM_INJECT_EXT_DABT) <= 0)
		return;
	LOAD(ram, aborted);
	LOAD(ram + 0x1200, abort_handler);
	vcpu_create(vm, &vcpu, 2, 0);
	vcpu_start(&vcpu, GUEST_RAM);
	reg_set(&vcpu, ARM64_SYS_REG(3, 0, 12, 0, 0), GUEST_RAM + 0x1000); /* VBAR_EL1 */
	CHECK_EQ(vcpu_run(&vcpu), 0);
	CHECK_EQ(vcpu.run->exit_reason, KVM_EXIT_MMIO);
	CHECK_OK(ioctl(vcpu.fd, KVM_SET_VCPU_EVENTS, &events));
	CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO + 8), 0x96000010);
	CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO + 16), GUEST_RAM);
	/* Linux before 6.13 completes the load, and so leaves the handler's first instruction out.
	 */
	if (!host_loses_sign())
		CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO + 24), 1);
	vcpu_destroy(&vcpu);
}

int main(void)
{
	struct vm vm;
	char *ram;

	vm_create(&vm, 0);
	ram = vm_ram(&vm, 0, GUEST_RAM, 64 * 1024);
	check_accesses(&vm, ram);
	check_big_endian(&vm, 3, 1 << 25, 0x3c5);
	check_big_endian(&vm, 4, 1 << 24, 0x3c0);
	check_no_syndrome(&vm, ram);
	check_abort(&vm, ram);
	vm_destroy(&vm);
	return check_done("kvm_mmio");
}
