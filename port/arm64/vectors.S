/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exception vectors. One table serves programs at EL0 and guests: while a guest is loaded
 * HCR_EL2.TGE is clear, and exceptions from below go to guest_exit_entry (guest_entry.S) with
 *
 *	[sp]	the guest's x0 and x1, in a frame of REGS_SIZE bytes to be popped
 *	x0	HCR_EL2
 *	x1	GUEST_EXIT_*
 *
 * and everything else as the guest left it. Interrupts are masked throughout EL2: the kernel looks
 * for them where it wants to (gic.c), so one that arrives here is a fault of ours.
 */
#include "asm.h"
#include "layout.h"
#include "percpu.h"

#define HCR_TGE_BIT 27
/* N Z C V, DIT, SSBS: all that a program may choose of its PSTATE; the rest is EL0t, unmasked. */
#define PSTATE_USER_HI 0xf100
#define PSTATE_USER_LO 0x1000

#define ESR_EC_SHIFT 26
#define ESR_EC_SVC64 0x15

/* From a program or a guest; \kind is GUEST_EXIT_*. */
.macro lower_vector handler, kind
	.balign	0x80
	sub	sp, sp, #REGS_SIZE
	stp	x0, x1, [sp]
	mrs	x0, hcr_el2
	tbnz	x0, #HCR_TGE_BIT, \handler
	mov	x1, #\kind
	b	guest_exit_entry
.endm

/* From the kernel itself. A stack that has run over has bit 14 of sp clear (layout.h). */
.macro kernel_vector handler
	.balign	0x80
	sub	sp, sp, #REGS_SIZE
	add	sp, sp, x0
	sub	x0, sp, x0
	tbz	x0, #KSTACK_SHIFT, 1f
	sub	x0, sp, x0
	sub	sp, sp, x0
	b	\handler
1:	sub	x0, sp, x0		/* x0 as it was */
	msr	sp_el0, x0		/* no way back from here: what a program had there is lost */
	b	stack_overflow
.endm

.macro save_registers_from_x2
	stp	x2, x3, [sp, #REGS_X(2)]
	stp	x4, x5, [sp, #REGS_X(4)]
	stp	x6, x7, [sp, #REGS_X(6)]
	stp	x8, x9, [sp, #REGS_X(8)]
	stp	x10, x11, [sp, #REGS_X(10)]
	stp	x12, x13, [sp, #REGS_X(12)]
	stp	x14, x15, [sp, #REGS_X(14)]
	stp	x16, x17, [sp, #REGS_X(16)]
	stp	x18, x19, [sp, #REGS_X(18)]
	stp	x20, x21, [sp, #REGS_X(20)]
	stp	x22, x23, [sp, #REGS_X(22)]
	stp	x24, x25, [sp, #REGS_X(24)]
	stp	x26, x27, [sp, #REGS_X(26)]
	stp	x28, x29, [sp, #REGS_X(28)]
.endm

.macro load_registers_to_x29
	ldp	x0, x1, [sp, #REGS_X(0)]
	ldp	x2, x3, [sp, #REGS_X(2)]
	ldp	x4, x5, [sp, #REGS_X(4)]
	ldp	x6, x7, [sp, #REGS_X(6)]
	ldp	x8, x9, [sp, #REGS_X(8)]
	ldp	x10, x11, [sp, #REGS_X(10)]
	ldp	x12, x13, [sp, #REGS_X(12)]
	ldp	x14, x15, [sp, #REGS_X(14)]
	ldp	x16, x17, [sp, #REGS_X(16)]
	ldp	x18, x19, [sp, #REGS_X(18)]
	ldp	x20, x21, [sp, #REGS_X(20)]
	ldp	x22, x23, [sp, #REGS_X(22)]
	ldp	x24, x25, [sp, #REGS_X(24)]
	ldp	x26, x27, [sp, #REGS_X(26)]
	ldp	x28, x29, [sp, #REGS_X(28)]
.endm

/* Completes struct user_regs but for its last two fields; x29 ends the backtrace here. */
.macro save_user
	save_registers_from_x2
	mrs	x21, sp_el0
	mrs	x22, elr_el2
	mrs	x23, spsr_el2
	stp	x30, x21, [sp, #REGS_X(30)]
	stp	x22, x23, [sp, #REGS_PC]
	mov	x29, xzr
.endm

	.section .vectors, "ax"
	.balign	0x800
	.global	arm64_vectors
arm64_vectors:
	/* The current EL with SP_EL0, which is never used. */
	kernel_vector el2_unexpected
	kernel_vector el2_unexpected
	kernel_vector el2_unexpected
	kernel_vector el2_unexpected
	/* The current EL. */
	kernel_vector el2_sync
	kernel_vector el2_unexpected
	kernel_vector el2_unexpected
	kernel_vector el2_unexpected
	/* Below, AArch64. */
	lower_vector user_sync, GUEST_EXIT_SYNC
	lower_vector user_irq, GUEST_EXIT_IRQ
	lower_vector user_other, GUEST_EXIT_FIQ
	lower_vector user_other, GUEST_EXIT_SERROR
	/* Below, AArch32: no program of ours, but a guest's at its EL0. */
	lower_vector user_other, GUEST_EXIT_SYNC
	lower_vector user_irq, GUEST_EXIT_IRQ
	lower_vector user_other, GUEST_EXIT_FIQ
	lower_vector user_other, GUEST_EXIT_SERROR
	.balign	0x80

	/* In this section still: the reach of TBNZ is 32 KiB. */

func user_sync
	save_user
	mrs	x1, esr_el2
	lsr	x2, x1, #ESR_EC_SHIFT
	cmp	x2, #ESR_EC_SVC64
	b.ne	user_exception
	ldr	x0, [sp, #REGS_X(0)]
	sxtw	x8, w8
	stp	x0, x8, [sp, #REGS_ORIG_X0]
	mov	x0, sp
	bl	kernel_syscall		/* with all that return_to_user does */
endfunc user_sync

	/* Goes on here. */
func restore_user
	ldp	x30, x21, [sp, #REGS_X(30)]
	ldp	x22, x23, [sp, #REGS_PC]
	mov	w24, #PSTATE_USER_LO
	movk	w24, #PSTATE_USER_HI, lsl #16
	and	x23, x23, x24
	msr	sp_el0, x21
	msr	elr_el2, x22
	msr	spsr_el2, x23
	load_registers_to_x29
	add	sp, sp, #REGS_SIZE
	eret
endfunc restore_user

func user_exception
	mov	x3, #-1
	str	x3, [sp, #REGS_SYSCALL]
	mrs	x2, far_el2
	mov	x0, sp
	bl	arm64_user_exception
	b	return_to_user
endfunc user_exception

/* FIQ, SError, AArch32. */
func user_other
	save_user
	mrs	x1, esr_el2
	b	user_exception
endfunc user_other

func user_irq
	save_user
	mov	x3, #-1
	str	x3, [sp, #REGS_SYSCALL]
	bl	port_irq_point
	b	return_to_user
endfunc user_irq

func return_to_user
	mov	x0, sp
	bl	kernel_return_to_user
	b	restore_user
endfunc return_to_user

/*
 * void port_enter_user(const struct user_regs *regs): the stack's top by its alignment. Copied from
 * the end, since @regs may lie below its destination and overlap it.
 */
func port_enter_user
	mov	x1, sp
	orr	x1, x1, #(KSTACK_SLOT - 1)
	add	x1, x1, #1
	add	x0, x0, #REGS_SIZE
	mov	x2, #REGS_SIZE
1:	ldp	x3, x4, [x0, #-16]!
	stp	x3, x4, [x1, #-16]!
	subs	x2, x2, #16
	b.ne	1b
	mov	sp, x1
	mov	x29, xzr
	b	return_to_user
endfunc port_enter_user

/* Builds struct trap_frame, whose record continues the interrupted function's chain. */
.macro save_kernel
	stp	x0, x1, [sp]
	save_registers_from_x2
	add	x21, sp, #REGS_SIZE
	mrs	x22, elr_el2
	mrs	x23, spsr_el2
	stp	x30, x21, [sp, #REGS_X(30)]
	stp	x22, x23, [sp, #REGS_PC]
	stp	x29, x22, [sp, #FRAME_RECORD]
	add	x29, sp, #FRAME_RECORD
.endm

func el2_sync
	save_kernel
	mov	x0, sp
	mrs	x1, esr_el2
	mrs	x2, far_el2
	bl	arm64_kernel_sync
	ldr	x30, [sp, #REGS_X(30)]
	ldp	x22, x23, [sp, #REGS_PC]
	msr	elr_el2, x22
	msr	spsr_el2, x23
	load_registers_to_x29
	add	sp, sp, #REGS_SIZE
	eret
endfunc el2_sync

func el2_unexpected
	save_kernel
	mov	x0, sp
	mrs	x1, esr_el2
	mrs	x2, far_el2
	bl	arm64_kernel_unexpected
endfunc el2_unexpected

/* In: sp larger by x0, and x0 in SP_EL0 too. Reports on this CPU's spare stack. */
func stack_overflow
	sub	x0, sp, x0
	add	x0, x0, #REGS_SIZE
	msr	tpidr_el0, x0		/* the sp that ran over, for the report */
	mrs	x0, tpidr_el2
	ldr	x0, [x0, #PERCPU_OVERFLOW]
	mov	sp, x0
	sub	sp, sp, #REGS_SIZE
	mrs	x0, sp_el0
	save_kernel
	mrs	x3, tpidr_el0
	str	x3, [sp, #REGS_SP]
	mov	x0, sp
	mrs	x1, esr_el2
	mrs	x2, far_el2
	bl	arm64_kernel_overflow
endfunc stack_overflow

	.weak	guest_exit_entry
	.type	guest_exit_entry, %function
guest_exit_entry:
	brk	#2			/* no guest can be loaded without guest_entry.S */
