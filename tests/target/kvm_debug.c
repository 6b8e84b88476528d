/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debugging guests: breakpoint instructions, single steps, hardware breakpoints and watchpoints of
 * user space (KVM_SET_GUEST_DEBUG), the guest's own, its OS lock, and that one does not disturb the
 * other.
 */
#define _GNU_SOURCE
#include "abi/catwalk.h"
#include "tests/target/check.h"
#include "tests/target/client.h"

#include <unistd.h>

enum { EC_BREAK = 0x30, EC_STEP = 0x32, EC_WATCH = 0x34, EC_BRK = 0x3c };

#define MDSCR  ARM64_SYS_REG(2, 0, 0, 2, 2)
#define BVR(n) ARM64_SYS_REG(2, 0, 0, n, 4)
#define BCR(n) ARM64_SYS_REG(2, 0, 0, n, 5)
#define WVR(n) ARM64_SYS_REG(2, 0, 0, n, 6)
#define WCR(n) ARM64_SYS_REG(2, 0, 0, n, 7)
#define OSLSR  ARM64_SYS_REG(2, 0, 1, 1, 4)
#define VBAR   ARM64_SYS_REG(3, 0, 12, 0, 0)
#define MDE    (1UL << 15)
#define KDE    (1UL << 13)
#define SS     (1UL << 21)
/* Any EL, all bytes of the word. */
#define BCR_ON	(0xfUL << 5 | 3UL << 1 | 1)
#define WCR_ON	(0xffUL << 5 | 3UL << 3 | 3UL << 1 | 1)
#define DATA	(GUEST_RAM + 0x8000UL)
#define VECTORS (GUEST_RAM + 0x4000UL)

/* One instruction a line: the tests count them. */
GUEST(straight, "	mov x0, #1\n"	     /* 0 */
		"	mov x1, #2\n"	     /* 4 */
		"	add x2, x0, x1\n"    /* 8 */
		"	str x2, [x20]\n"     /* c */
		"	ldr x3, [x20]\n"     /* 10 */
		"	str x3, [x19]\n"     /* 14: MMIO */
		"	mov x4, #5\n"	     /* 18 */
		"	brk #7\n"	     /* 1c */
		"	mov x5, #6\n"	     /* 20 */
		"	mrs x6, midr_el1\n"  /* 24: traps */
		"	hvc #0\n"	     /* 28: traps */
		"	str x5, [x19, #8]\n" /* 2c */
		"	b .\n");

/* The guest's own debugging: tells of each debug exception, ESR_EL1 and ELR_EL1, and goes on
 * behind the instruction. */
GUEST(own_vectors, ".fill 128, 4, 0xd503201f\n" /* NOPs: the entries from SP_EL0 */
		   "	mrs x10, esr_el1\n"
		   "	str x10, [x19, #16]\n"
		   "	mrs x10, elr_el1\n"
		   "	str x10, [x19, #24]\n"
		   "	add x10, x10, #4\n"
		   "	msr elr_el1, x10\n"
		   "	eret\n");

GUEST(own, "	adr x0, 1f\n"
	   "	msr dbgbvr0_el1, x0\n"
	   "	mov x0, #0x1e7\n"
	   "	msr dbgbcr0_el1, x0\n"
	   "	mov x0, #1 << 15\n" /* MDE */
	   "	orr x0, x0, #1 << 13\n"
	   "	msr mdscr_el1, x0\n"
	   "	isb\n"
	   "	msr daifclr, #8\n"
	   "	isb\n"
	   "1:	nop\n"
	   "	mov x0, #1\n"
	   "	msr oslar_el1, x0\n"
	   "	isb\n"
	   "	adr x0, 2f\n"
	   "	msr dbgbvr0_el1, x0\n"
	   "	isb\n"
	   "2:	nop\n" /* silent: the OS lock is held */
	   "	mrs x1, dbgbvr0_el1\n"
	   "	mrs x2, oslsr_el1\n"
	   "	adr x0, 3f\n"
	   "	msr dbgbvr0_el1, x0\n"
	   "	msr oslar_el1, xzr\n"
	   "	isb\n"
	   "3:	nop\n"
	   "	str x1, [x19]\n"
	   "	b .\n");

static struct vm vm;
static struct vcpu vcpu;

static int debug(unsigned control, const struct kvm_guest_debug_arch *arch)
{
	struct kvm_guest_debug d = { .control = control };

	if (arch)
		d.arch = *arch;
	return ioctl(vcpu.fd, KVM_SET_GUEST_DEBUG, &d);
}

static uint64_t pc(void)
{
	return reg_get(&vcpu, CORE_REG(regs.pc));
}

static void start(uint64_t at)
{
	vcpu.run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(&vcpu), -EINTR);
	vcpu.run->immediate_exit = 0;
	vcpu_start(&vcpu, at);
	vcpu_set_x(&vcpu, 20, DATA);
}

/* KVM_RUN ends with a debug exception of that class, at @at. */
#define DEBUG_EXIT(class, at)                                                                      \
	do {                                                                                       \
		CHECK_EQ(vcpu_run(&vcpu), 0);                                                      \
		CHECK_EQ(vcpu.run->exit_reason, KVM_EXIT_DEBUG);                                   \
		CHECK_EQ(vcpu.run->debug.arch.hsr >> 26, class);                                   \
		CHECK_EQ(pc(), at);                                                                \
	} while (0)

static void check_flags(void)
{
	struct kvm_guest_debug_arch none = { 0 };

	CHECK_EQ(VM_CAP(&vm, KVM_CAP_SET_GUEST_DEBUG), 1);
	CHECK(VM_CAP(&vm, KVM_CAP_GUEST_DEBUG_HW_BPS) >= 2);
	CHECK(VM_CAP(&vm, KVM_CAP_GUEST_DEBUG_HW_WPS) >= 2);
	for (unsigned bit = 2; bit < 32; bit++) {
		unsigned flag = 1u << bit;

		if (flag == KVM_GUESTDBG_USE_SW_BP || flag == KVM_GUESTDBG_USE_HW)
			CHECK_EQ(debug(KVM_GUESTDBG_ENABLE | flag, &none), 0);
		else
			CHECK_FAILS(debug(KVM_GUESTDBG_ENABLE | flag, &none), EINVAL);
	}
	CHECK_FAILS(ioctl(vcpu.fd, KVM_SET_GUEST_DEBUG, 8), EFAULT);
	CHECK_EQ(debug(0, NULL), 0);
}

static void check_brk(void)
{
	start(GUEST_RAM);
	CHECK_EQ(debug(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP, NULL), 0);
	CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO), 3);
	DEBUG_EXIT(EC_BRK, GUEST_RAM + 0x1c);
	CHECK_EQ(vcpu.run->debug.arch.hsr & 0xffff, 7);
	CHECK(vcpu.run->flags & KVM_DEBUG_ARCH_HSR_HIGH_VALID);
	/* It stands there until user space moves it on. */
	DEBUG_EXIT(EC_BRK, GUEST_RAM + 0x1c);
	reg_set(&vcpu, CORE_REG(regs.pc), GUEST_RAM + 0x20);
	CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO + 8), 6);
	CHECK_EQ(debug(0, NULL), 0);
}

static void check_steps(void)
{
	uint64_t at = GUEST_RAM;

	start(at);
	CHECK_EQ(debug(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, NULL), 0);
	for (at += 4; at <= GUEST_RAM + 0x14; at += 4) {
		DEBUG_EXIT(EC_STEP, at);
		CHECK_EQ(reg_get(&vcpu, CORE_REG(regs.pstate)) & SS, 0);
	}
	/* An access that user space completes is one step. */
	CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO), 3);
	CHECK_EQ(reg_get(&vcpu, CORE_REG(regs.pstate)) & SS, 0);
	DEBUG_EXIT(EC_STEP, GUEST_RAM + 0x18);
	DEBUG_EXIT(EC_STEP, GUEST_RAM + 0x1c);
	DEBUG_EXIT(EC_BRK, GUEST_RAM + 0x1c);
	reg_set(&vcpu, CORE_REG(regs.pc), GUEST_RAM + 0x20);
	DEBUG_EXIT(EC_STEP, GUEST_RAM + 0x24);
	/* What the kernel does for the guest is one step too. */
	DEBUG_EXIT(EC_STEP, GUEST_RAM + 0x28);
	DEBUG_EXIT(EC_STEP, GUEST_RAM + 0x2c);
	CHECK_EQ(debug(0, NULL), 0);
	CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO + 8), 6);
	CHECK_EQ(vcpu_x(&vcpu, 4), 5);
}

/* immediate_exit between the completion of an access and its step loses neither. */
static void check_step_completed_early(void)
{
	start(GUEST_RAM + 0x14);
	CHECK_EQ(debug(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, NULL), 0);
	(void)RUN_TO_WRITE(&vcpu, GUEST_MMIO);
	for (int i = 0; i < 2; i++) {
		vcpu.run->immediate_exit = 1;
		CHECK_EQ(vcpu_run(&vcpu), -EINTR);
		vcpu.run->immediate_exit = 0;
		CHECK_EQ(pc(), GUEST_RAM + 0x18);
	}
	/* Linux forgets that the access was a step, and does another. */
	DEBUG_EXIT(EC_STEP, GUEST_RAM + (VM_CAP(&vm, KVM_CAP_CATWALK_REFUSAL) ? 0x18UL : 0x1cUL));
	CHECK_EQ(debug(0, NULL), 0);
}

static void check_breakpoints(void)
{
	unsigned count = (unsigned)VM_CAP(&vm, KVM_CAP_GUEST_DEBUG_HW_BPS);

	for (unsigned n = 0; n < count; n++) {
		struct kvm_guest_debug_arch a = { 0 };

		a.dbg_bvr[n] = GUEST_RAM + 0x10;
		a.dbg_bcr[n] = BCR_ON;
		start(GUEST_RAM);
		CHECK_EQ(debug(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW, &a), 0);
		DEBUG_EXIT(EC_BREAK, GUEST_RAM + 0x10);
		CHECK_EQ(vcpu_x(&vcpu, 2), 3);
		CHECK_EQ(debug(0, NULL), 0);
		CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO), 3);
	}
}

static void check_watchpoints(void)
{
	unsigned count = (unsigned)VM_CAP(&vm, KVM_CAP_GUEST_DEBUG_HW_WPS);

	for (unsigned n = 0; n < count; n++) {
		struct kvm_guest_debug_arch a = { 0 };

		a.dbg_wvr[n] = DATA;
		a.dbg_wcr[n] = WCR_ON;
		start(GUEST_RAM);
		CHECK_EQ(debug(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW, &a), 0);
		DEBUG_EXIT(EC_WATCH, GUEST_RAM + 0xc);
		CHECK_EQ(vcpu.run->debug.arch.far, DATA);
		CHECK_EQ(debug(0, NULL), 0);
		CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO), 3);
	}
}

/* The guest finds its own registers as it left them, whatever user space does with the CPU's. */
static void check_own_registers(void)
{
	struct kvm_guest_debug_arch a = { 0 };

	reg_set(&vcpu, BVR(1), 0x1230);
	reg_set(&vcpu, WVR(1), 0x4560);
	a.dbg_bvr[1] = GUEST_RAM + 8;
	a.dbg_bcr[1] = BCR_ON;
	start(GUEST_RAM);
	CHECK_EQ(debug(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW, &a), 0);
	DEBUG_EXIT(EC_BREAK, GUEST_RAM + 8);
	CHECK_EQ(reg_get(&vcpu, BVR(1)), 0x1230);
	CHECK_EQ(reg_get(&vcpu, WVR(1)), 0x4560);
	CHECK_EQ(reg_get(&vcpu, MDSCR), 0);
	CHECK_EQ(debug(0, NULL), 0);
}

/* The vector tells of the exception and returns; gives its syndrome and address. */
static void expect_own(uint64_t class, uint64_t *elr)
{
	CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO + 16) >> 26, class);
	*elr = RUN_TO_WRITE(&vcpu, GUEST_MMIO + 24);
}

static void check_own(char *ram)
{
	uint64_t first, second;

	LOAD(ram + 0x4000, own_vectors);
	LOAD(ram + 0x2000, own);
	start(GUEST_RAM + 0x2000);
	reg_set(&vcpu, VBAR, VECTORS);
	expect_own(EC_BREAK + 1, &first);
	expect_own(EC_BREAK + 1, &second);
	CHECK(second > first);
	/* The second breakpoint was set, and silent under the OS lock. */
	CHECK(RUN_TO_WRITE(&vcpu, GUEST_MMIO) < second);
	CHECK_EQ(vcpu_x(&vcpu, 2) & 2, 2);
	CHECK_EQ(reg_get(&vcpu, MDSCR) & (MDE | KDE), MDE | KDE);
	CHECK_EQ(reg_get(&vcpu, BVR(0)), second);
	CHECK_EQ(reg_get(&vcpu, OSLSR) & 2, 0);
	/* A breakpoint that arrives by KVM_SET_ONE_REG, as after migration, works at once. */
	reg_set(&vcpu, BVR(0), GUEST_RAM + 8);
	start(GUEST_RAM);
	reg_set(&vcpu, CORE_REG(regs.pstate), 0x1c5); /* D is clear */
	expect_own(EC_BREAK + 1, &first);
	CHECK_EQ(first, GUEST_RAM + 8);
	/* With the OS lock set by user space it is silent. */
	reg_set(&vcpu, OSLSR, reg_get(&vcpu, OSLSR) | 2);
	start(GUEST_RAM);
	reg_set(&vcpu, CORE_REG(regs.pstate), 0x1c5);
	CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO), 3);
	reg_set(&vcpu, OSLSR, reg_get(&vcpu, OSLSR) & ~2UL);
	/* While user space debugs without hardware, the guest's own breakpoints go to it. */
	start(GUEST_RAM);
	reg_set(&vcpu, CORE_REG(regs.pstate), 0x1c5);
	CHECK_EQ(debug(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP, NULL), 0);
	DEBUG_EXIT(EC_BREAK, GUEST_RAM + 8);
	CHECK_EQ(debug(0, NULL), 0);
	reg_set(&vcpu, MDSCR, 0);
}

/* Hostile values: registers that would watch the kernel itself, all bits set. */
static void check_hostile(void)
{
	struct kvm_guest_debug_arch a;

	memset(&a, 0xff, sizeof(a));
	start(GUEST_RAM);
	CHECK_EQ(debug(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW | KVM_GUESTDBG_SINGLESTEP, &a), 0);
	for (int i = 0; i < 20; i++)
		(void)vcpu_run(&vcpu);
	for (unsigned n = 0; n < 16; n++) {
		a.dbg_bvr[n] = n & 1 ? (uint64_t)&check_hostile : 0xffff800000000000;
		a.dbg_bcr[n] = 0x21e7 | n << 20;
		a.dbg_wvr[n] = n & 1 ? (uint64_t)&vcpu : 0xffff800000000000;
		a.dbg_wcr[n] = 0x1f003fff;
	}
	CHECK_EQ(debug(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW, &a), 0);
	for (int i = 0; i < 20; i++) {
		(void)vcpu_run(&vcpu);
		(void)getppid();
	}
	CHECK_EQ(debug(0, NULL), 0);
	start(GUEST_RAM);
	CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO), 3);
}

int main(void)
{
	char *ram;

	vm_create(&vm, 0);
	vcpu_create(&vm, &vcpu, 0, 0);
	ram = vm_ram(&vm, 0, GUEST_RAM, 64 * 1024);
	LOAD(ram, straight);
	check_flags();
	check_brk();
	check_steps();
	check_step_completed_early();
	check_breakpoints();
	check_watchpoints();
	check_own_registers();
	check_own(ram);
	check_hostile();
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	return check_done("kvm_debug");
}
