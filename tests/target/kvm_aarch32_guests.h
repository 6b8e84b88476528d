/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests of kvm_aarch32.c in words of A32 and T32, since the arm64 assembler knows neither. All of
 * them expect r4 = GUEST_MMIO; a word of T32 holds two instructions, or one of 4 bytes. Where a
 * label is named it is the next one of that number.
 */
#ifndef TESTS_TARGET_KVM_AARCH32_GUESTS_H
#define TESTS_TARGET_KVM_AARCH32_GUESTS_H

#include <stdint.h>

/* At VECTORS. Undefined, prefetch abort, data abort and IRQ tell of themselves from MMIO + 0x40 on.
 */
static const uint32_t vectors[] = {
	0xeafffffe, /* b . */
	0xea000005, /* b 1f */
	0xeafffffe, /* b . */
	0xea000007, /* b 2f */
	0xea00000c, /* b 3f */
	0xeafffffe, /* b . */
	0xea000013, /* b 4f */
	0xeafffffe, /* b . */
	0xe1a0100e, /* mov r1, lr */
	0xe5841044, /* str r1, [r4, #0x44] */
	0xf1020013, /* cps #0x13 */
	0xe12fff11, /* bx r1 */
	0xee150f30, /* mrc p15, 0, r0, c5, c0, 1 */
	0xee161f50, /* mrc p15, 0, r1, c6, c0, 2 */
	0xe5840050, /* str r0, [r4, #0x50] */
	0xe5841054, /* str r1, [r4, #0x54] */
	0xf1020013, /* cps #0x13 */
	0xe12fff16, /* bx r6 */
	0xee150f10, /* mrc p15, 0, r0, c5, c0, 0 */
	0xee161f10, /* mrc p15, 0, r1, c6, c0, 0 */
	0xe1a0200e, /* mov r2, lr */
	0xe5840060, /* str r0, [r4, #0x60] */
	0xe5841064, /* str r1, [r4, #0x64] */
	0xe5842068, /* str r2, [r4, #0x68] */
	0xe2422004, /* sub r2, r2, #4 */
	0xf1020013, /* cps #0x13 */
	0xe12fff12, /* bx r2 */
	0xee1c0f1c, /* mrc p15, 0, r0, c12, c12, 0 */
	0xe3a02000, /* mov r2, #0 */
	0xee0e2f33, /* mcr p15, 0, r2, c14, c3, 1 */
	0xee0c0f3c, /* mcr p15, 0, r0, c12, c12, 1 */
	0xf57ff06f, /* isb */
	0xe5840070, /* str r0, [r4, #0x70] */
	0xe25ef004, /* subs pc, lr, #4 */
};

/* Arithmetic, exits of all sizes, both byte orders, memory, and T32 with an IT block. */
static const uint32_t basics[] = {
	0xe3a00000, /* mov r0, #0 */
	0xe3a0100a, /* mov r1, #10 */
	0xe0800001, /* add r0, r0, r1 */
	0xe2511001, /* subs r1, r1, #1 */
	0x1afffffc, /* bne 1b */
	0xe5840000, /* str r0, [r4] */
	0xe5d40004, /* ldrb r0, [r4, #4] */
	0xe5840000, /* str r0, [r4] */
	0xe1d400d4, /* ldrsb r0, [r4, #4] */
	0xe5840000, /* str r0, [r4] */
	0xe1d400f4, /* ldrsh r0, [r4, #4] */
	0xe1c400b8, /* strh r0, [r4, #8] */
	0xf1010200, /* setend be */
	0xe5942004, /* ldr r2, [r4, #4] */
	0xe5842000, /* str r2, [r4] */
	0xe1c420b8, /* strh r2, [r4, #8] */
	0xf1010000, /* setend le */
	0xe5842000, /* str r2, [r4] */
	0xe5852000, /* str r2, [r5] */
	0xe5953000, /* ldr r3, [r5] */
	0xe5843000, /* str r3, [r4] */
	0xe28f6001, /* add r6, pc, #1 */
	0xe12fff16, /* bx r6 */
	0x28072007, /* movs r0, #7; cmp r0, #7 */
	0x61a0bf06, /* itte eq; streq r0, [r4, #0x18] */
	0x20633001, /* addeq r0, #1; movne r0, #99 */
	0x001cf8c4, /* str.w r0, [r4, #0x1c] */
	0xbf004778, /* bx pc; nop */
	0xe5840000, /* str r0, [r4] */
	0xeafffffe, /* b . */
};

/* PMCR, whose access traps and which guests have not: not on condition NE, then in A32 and T32. */
static const uint32_t undefined[] = {
	0xe1540004, /* cmp r4, r4 */
	0x1e190f1c, /* mrcne p15, 0, r0, c9, c12, 0 */
	0x1e010f30, /* mcrne p15, 0, r0, c1, c0, 1 */
	0xee190f1c, /* mrc p15, 0, r0, c9, c12, 0 */
	0xe5844000, /* str r4, [r4] */
	0xe28f6001, /* add r6, pc, #1 */
	0xe12fff16, /* bx r6 */
	0x0f1cee19, /* mrc p15, 0, r0, c9, c12, 0 */
	0xe7febf00, /* nop; b . */
};

/* A read, which the client answers with an abort; a fetch from nowhere; with long descriptors too.
 */
static const uint32_t aborts[] = {
	0xe5940004, /* ldr r0, [r4, #4] */
	0xe5844000, /* str r4, [r4] */
	0xe28f6004, /* add r6, pc, #4 */
	0xe3a08202, /* mov r8, #0x20000000 */
	0xe12fff18, /* bx r8 */
	0xe3a00102, /* mov r0, #0x80000000 */
	0xee020f50, /* mcr p15, 0, r0, c2, c0, 2 */
	0xf57ff06f, /* isb */
	0xe5940004, /* ldr r0, [r4, #4] */
	0xe28f6004, /* add r6, pc, #4 */
	0xe3a08202, /* mov r8, #0x20000000 */
	0xe12fff18, /* bx r8 */
	0xe5844000, /* str r4, [r4] */
	0xeafffffe, /* b . */
};

/* HVC and SMC with what the client put into r0 to r3; not on condition NE. */
static const uint32_t caller[] = {
	0xe1540004, /* cmp r4, r4 */
	0x11600070, /* smcne #0 */
	0xe3590000, /* cmp r9, #0 */
	0x0a000001, /* beq 1f */
	0xe1600070, /* smc #0 */
	0xea000000, /* b 2f */
	0xe1400070, /* hvc #0 */
	0xe5840000, /* str r0, [r4] */
	0xeafffffe, /* b . */
};

/* Where CPU_ON starts the second vCPU, in T32: r0 is its context. */
static const uint32_t second[] = {
	0x07242401, /* movs r4, #1; lsls r4, r4, #28 */
	0xf3ef60a0, /* str r0, [r4, #8]; mrs r1, cpsr */
	0x60e18100, /* str r1, [r4, #12] */
	0xf7e04801, /* ldr r0, 1f; .inst.w 0xf7e08000 */
	0xe7fe8000, /* b . */
	0x84000002, /* .word 0x84000002 */
};

/* The virtual timer, by CP15, interrupts; an SGI to itself; what the interface says of itself. */
static const uint32_t timer[] = {
	0xee1c0fbc, /* mrc p15, 0, r0, c12, c12, 5 */
	0xe5840000, /* str r0, [r4] */
	0xe3a000ff, /* mov r0, #0xff */
	0xee040f16, /* mcr p15, 0, r0, c4, c6, 0 */
	0xe3a00001, /* mov r0, #1 */
	0xee0c0ffc, /* mcr p15, 0, r0, c12, c12, 7 */
	0xf57ff06f, /* isb */
	0xe3a02000, /* mov r2, #0 */
	0xe3e03000, /* mvn r3, #0 */
	0xec510f1e, /* mrrc p15, 1, r0, r1, c14 */
	0xe2900901, /* adds r0, r0, #0x4000 */
	0xe2a11000, /* adc r1, r1, #0 */
	0xec410f3e, /* mcrr p15, 3, r0, r1, c14 */
	0xe3a02001, /* mov r2, #1 */
	0xee0e2f33, /* mcr p15, 0, r2, c14, c3, 1 */
	0xf57ff06f, /* isb */
	0xe320f003, /* wfi */
	0xf1080080, /* cpsie i */
	0xf57ff06f, /* isb */
	0xe5844000, /* str r4, [r4] */
	0xe3a00405, /* mov r0, #0x05000000 */
	0xe3800001, /* orr r0, r0, #1 */
	0xe3a01000, /* mov r1, #0 */
	0xec410f0c, /* mcrr p15, 0, r0, r1, c12 */
	0xf57ff06f, /* isb */
	0xe5844000, /* str r4, [r4] */
	0xeafffffe, /* b . */
};

/* With an offset each access to the physical timer and its counter traps. */
static const uint32_t physical[] = {
	0xe3a00a01, /* mov r0, #0x1000 */
	0xe3a01202, /* mov r1, #0x20000000 */
	0xec410f2e, /* mcrr p15, 2, r0, r1, c14 */
	0xec532f2e, /* mrrc p15, 2, r2, r3, c14 */
	0xe5842000, /* str r2, [r4] */
	0xe5843000, /* str r3, [r4] */
	0xec510f0e, /* mrrc p15, 0, r0, r1, c14 */
	0xe5841000, /* str r1, [r4] */
	0xe3a00003, /* mov r0, #3 */
	0xee0e0f32, /* mcr p15, 0, r0, c14, c2, 1 */
	0xee1e0f32, /* mrc p15, 0, r0, c14, c2, 1 */
	0xe5840000, /* str r0, [r4] */
	0xe3a00601, /* mov r0, #0x100000 */
	0xee0e0f12, /* mcr p15, 0, r0, c14, c2, 0 */
	0xee1e1f12, /* mrc p15, 0, r1, c14, c2, 0 */
	0xe1510000, /* cmp r1, r0 */
	0x83a00000, /* movhi r0, #0 */
	0xe5840000, /* str r0, [r4] */
	0xeafffffe, /* b . */
};

/* ID registers by MRC and VMRS. */
static const uint32_t identity[] = {
	0xee100f11, /* mrc p15, 0, r0, c0, c1, 0 */
	0xe5840000, /* str r0, [r4] */
	0xee100f92, /* mrc p15, 0, r0, c0, c2, 4 */
	0xe5840000, /* str r0, [r4] */
	0xee100f93, /* mrc p15, 0, r0, c0, c3, 4 */
	0xe5840000, /* str r0, [r4] */
	0xee100f14, /* mrc p15, 0, r0, c0, c4, 0 */
	0xe5840000, /* str r0, [r4] */
	0xee100f10, /* mrc p15, 0, r0, c0, c0, 0 */
	0xe5840000, /* str r0, [r4] */
	0xee100fb0, /* mrc p15, 0, r0, c0, c0, 5 */
	0xe5840000, /* str r0, [r4] */
	0xee100f30, /* mrc p15, 0, r0, c0, c0, 1 */
	0xe5840000, /* str r0, [r4] */
	0xee300f30, /* mrc p15, 1, r0, c0, c0, 1 */
	0xe5840000, /* str r0, [r4] */
	0xe3a00002, /* mov r0, #2 */
	0xee400f10, /* mcr p15, 2, r0, c0, c0, 0 */
	0xee500f10, /* mrc p15, 2, r0, c0, c0, 0 */
	0xe5840000, /* str r0, [r4] */
	0xee300f10, /* mrc p15, 1, r0, c0, c0, 0 */
	0xe5840000, /* str r0, [r4] */
	0xee100e10, /* mrc p14, 0, r0, c0, c0, 0 */
	0xe5840000, /* str r0, [r4] */
	0xee110e91, /* mrc p14, 0, r0, c1, c1, 4 */
	0xe5840000, /* str r0, [r4] */
	0xe328f20f, /* msr cpsr_f, #0xf0000000 */
	0xee10fe11, /* mrc p14, 0, apsr_nzcv, c0, c1, 0 */
	0xe10f0000, /* mrs r0, cpsr */
	0xe5840000, /* str r0, [r4] */
	0xe3a0060f, /* mov r0, #0xf00000 */
	0xee010f50, /* mcr p15, 0, r0, c1, c0, 2 */
	0xf57ff06f, /* isb */
	0xe3a00101, /* mov r0, #0x40000000 */
	0xeee80a10, /* vmsr fpexc, r0 */
	0xeef70a10, /* vmrs r0, mvfr0 */
	0xe5840000, /* str r0, [r4] */
	0xeef60a10, /* vmrs r0, mvfr1 */
	0xe5840000, /* str r0, [r4] */
	0xeeb70a08, /* vmov.f32 s0, #1.5 */
	0xee300a00, /* vadd.f32 s0, s0, s0 */
	0xe5844000, /* str r4, [r4] */
	0xee100a10, /* vmov r0, s0 */
	0xe5840000, /* str r0, [r4] */
	0xeafffffe, /* b . */
};

/* Gives every mode registers of its own; told, the client moves the vCPU elsewhere; then they are
 * as they were. */
static const uint32_t banked[] = {
	0xf1020011, /* cps #0x11 */
	0xe3a08f46, /* mov r8, #0x118 */
	0xe3a0cf47, /* mov r12, #0x11c */
	0xe300d11d, /* mov r13, #0x11d */
	0xe300e11e, /* mov r14, #0x11e */
	0xe3a00011, /* mov r0, #0x11 */
	0xe16ff000, /* msr spsr_cxsf, r0 */
	0xf1020012, /* cps #0x12 */
	0xe300d12d, /* mov r13, #0x12d */
	0xe300e12e, /* mov r14, #0x12e */
	0xe3a00012, /* mov r0, #0x12 */
	0xe16ff000, /* msr spsr_cxsf, r0 */
	0xf1020017, /* cps #0x17 */
	0xe300d17d, /* mov r13, #0x17d */
	0xe300e17e, /* mov r14, #0x17e */
	0xe3a00017, /* mov r0, #0x17 */
	0xe16ff000, /* msr spsr_cxsf, r0 */
	0xf102001b, /* cps #0x1b */
	0xe300d1bd, /* mov r13, #0x1bd */
	0xe300e1be, /* mov r14, #0x1be */
	0xe3a0001b, /* mov r0, #0x1b */
	0xe16ff000, /* msr spsr_cxsf, r0 */
	0xf102001f, /* cps #0x1f */
	0xe3a08f7e, /* mov r8, #0x1f8 */
	0xe300d1fd, /* mov r13, #0x1fd */
	0xe300e1fe, /* mov r14, #0x1fe */
	0xf1020013, /* cps #0x13 */
	0xe300d13d, /* mov r13, #0x13d */
	0xe300e13e, /* mov r14, #0x13e */
	0xe3a00013, /* mov r0, #0x13 */
	0xe16ff000, /* msr spsr_cxsf, r0 */
	0xe3a00c0d, /* mov r0, #0xd00 */
	0xee030f10, /* mcr p15, 0, r0, c3, c0, 0 */
	0xe3a00007, /* mov r0, #7 */
	0xee050f30, /* mcr p15, 0, r0, c5, c0, 1 */
	0xe3a00d2a, /* mov r0, #0xa80 */
	0xee060f50, /* mcr p15, 0, r0, c6, c0, 2 */
	0xe3a000a8, /* mov r0, #0xa8 */
	0xee0a0f32, /* mcr p15, 0, r0, c10, c2, 1 */
	0xf102001f, /* cps #0x1f */
	0xe5844000, /* str r4, [r4] */
	0xe3a09000, /* mov r9, #0 */
	0xf1020011, /* cps #0x11 */
	0xe088a00c, /* add r10, r8, r12 */
	0xe08d000e, /* add r0, r13, r14 */
	0xe14f1000, /* mrs r1, spsr */
	0xe080000a, /* add r0, r0, r10 */
	0xe0800001, /* add r0, r0, r1 */
	0xf1020012, /* cps #0x12 */
	0xe14f1000, /* mrs r1, spsr */
	0xe08d208e, /* add r2, r13, r14, lsl #1 */
	0xe0800001, /* add r0, r0, r1 */
	0xe0800002, /* add r0, r0, r2 */
	0xf1020017, /* cps #0x17 */
	0xe14f1000, /* mrs r1, spsr */
	0xe08d208e, /* add r2, r13, r14, lsl #1 */
	0xe0800001, /* add r0, r0, r1 */
	0xe0800002, /* add r0, r0, r2 */
	0xf102001b, /* cps #0x1b */
	0xe14f1000, /* mrs r1, spsr */
	0xe08d208e, /* add r2, r13, r14, lsl #1 */
	0xe0800001, /* add r0, r0, r1 */
	0xe0800002, /* add r0, r0, r2 */
	0xf1020013, /* cps #0x13 */
	0xe14f1000, /* mrs r1, spsr */
	0xe08d208e, /* add r2, r13, r14, lsl #1 */
	0xe0800001, /* add r0, r0, r1 */
	0xe0800002, /* add r0, r0, r2 */
	0xe5840000, /* str r0, [r4] */
	0xee130f10, /* mrc p15, 0, r0, c3, c0, 0 */
	0xe5840000, /* str r0, [r4] */
	0xee150f30, /* mrc p15, 0, r0, c5, c0, 1 */
	0xe5840000, /* str r0, [r4] */
	0xee160f50, /* mrc p15, 0, r0, c6, c0, 2 */
	0xe5840000, /* str r0, [r4] */
	0xee1a0f32, /* mrc p15, 0, r0, c10, c2, 1 */
	0xe5840000, /* str r0, [r4] */
	0xeafffffe, /* b . */
};

/* Sections of 1 MiB by the table at r5: its own fault, then what it wrote to the registers of
 * stage 1. */
static const uint32_t mmu[] = {
	0xe3a00001, /* mov r0, #1 */
	0xee030f10, /* mcr p15, 0, r0, c3, c0, 0 */
	0xe3a00000, /* mov r0, #0 */
	0xee020f50, /* mcr p15, 0, r0, c2, c0, 2 */
	0xee025f10, /* mcr p15, 0, r5, c2, c0, 0 */
	0xf57ff06f, /* isb */
	0xee110f10, /* mrc p15, 0, r0, c1, c0, 0 */
	0xe3800005, /* orr r0, r0, #5 */
	0xee010f10, /* mcr p15, 0, r0, c1, c0, 0 */
	0xf57ff06f, /* isb */
	0xe5960000, /* ldr r0, [r6] */
	0xe5840000, /* str r0, [r4] */
	0xe3a08205, /* mov r8, #0x50000000 */
	0xe5980000, /* ldr r0, [r8] */
	0xee120f10, /* mrc p15, 0, r0, c2, c0, 0 */
	0xe5840000, /* str r0, [r4] */
	0xe3a08206, /* mov r8, #0x60000000 */
	0xe5980000, /* ldr r0, [r8] */
	0xe5844000, /* str r4, [r4] */
	0xeafffffe, /* b . */
};

/* Two stores and a load, with and without a syndrome. */
static const uint32_t storing[] = {
	0xe5856000, /* str r6, [r5] */
	0xe5950000, /* ldr r0, [r5] */
	0xe5840000, /* str r0, [r4] */
	0xe4846004, /* str r6, [r4], #4 */
	0xeafffffe, /* b . */
};

/* One instruction a line; a branch to T32 and a breakpoint. */
static const uint32_t steps[] = {
	0xe3a00001, /* mov r0, #1 */
	0xee101f11, /* mrc p15, 0, r1, c0, c1, 0 */
	0xe5840000, /* str r0, [r4] */
	0xe28f6001, /* add r6, pc, #1 */
	0xe12fff16, /* bx r6 */
	0xbf0c2002, /* movs r0, #2; ite eq */
	0x21042103, /* moveq r1, #3; movne r1, #4 */
	0xe7febe05, /* bkpt #5; b . */
};

/* DBGVCR and a breakpoint by CP14, with the OS lock. */
static const uint32_t debugging[] = {
	0xe3a00010, /* mov r0, #0x10 */
	0xee000e17, /* mcr p14, 0, r0, c0, c7, 0 */
	0xee100e17, /* mrc p14, 0, r0, c0, c7, 0 */
	0xe5840000, /* str r0, [r4] */
	0xe3a00101, /* mov r0, #0x40000000 */
	0xee000e93, /* mcr p14, 0, r0, c0, c3, 4 */
	0xee100e93, /* mrc p14, 0, r0, c0, c3, 4 */
	0xe5840000, /* str r0, [r4] */
	0xe3a00902, /* mov r0, #0x8000 */
	0xee000e52, /* mcr p14, 0, r0, c0, c2, 2 */
	0xee100e52, /* mrc p14, 0, r0, c0, c2, 2 */
	0xe5840000, /* str r0, [r4] */
	0xe59f0010, /* ldr r0, 1f */
	0xee010e90, /* mcr p14, 0, r0, c1, c0, 4 */
	0xf57ff06f, /* isb */
	0xee110e91, /* mrc p14, 0, r0, c1, c1, 4 */
	0xe5840000, /* str r0, [r4] */
	0xeafffffe, /* b . */
	0xc5acce55, /* .word 0xc5acce55 */
};

/* Cache maintenance of memory, of nothing and by set and way. */
static const uint32_t maintenance[] = {
	0xee075f3e, /* mcr p15, 0, r5, c7, c14, 1 */
	0xee075f3a, /* mcr p15, 0, r5, c7, c10, 1 */
	0xee075f35, /* mcr p15, 0, r5, c7, c5, 1 */
	0xee074f3e, /* mcr p15, 0, r4, c7, c14, 1 */
	0xe3a00000, /* mov r0, #0 */
	0xee070f5e, /* mcr p15, 0, r0, c7, c14, 2 */
	0xee070f15, /* mcr p15, 0, r0, c7, c5, 0 */
	0xe5844000, /* str r4, [r4] */
	0xeafffffe, /* b . */
};

#endif
