/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Into the guest and out of it: general registers, PC, PSTATE and HCR_EL2. Everything else stays in
 * the CPU while the vCPU is loaded (guest.c).
 */
#include "asm.h"
#include "guest.h"

	.text

func arm64_guest_switch
	sub	sp, sp, #GUEST_SAVE_SIZE
	stp	x19, x20, [sp, #0]
	stp	x21, x22, [sp, #16]
	stp	x23, x24, [sp, #32]
	stp	x25, x26, [sp, #48]
	stp	x27, x28, [sp, #64]
	stp	x29, x30, [sp, #80]
	str	x0, [sp, #GUEST_SAVE_CPU]

	ldp	x1, x2, [x0, #GUEST_PC]
	ldr	x3, [x0, #GUEST_HCR]
	msr	elr_el2, x1
	msr	spsr_el2, x2
	msr	hcr_el2, x3		/* the ERET synchronises */

	ldp	x2, x3, [x0, #GUEST_X(2)]
	ldp	x4, x5, [x0, #GUEST_X(4)]
	ldp	x6, x7, [x0, #GUEST_X(6)]
	ldp	x8, x9, [x0, #GUEST_X(8)]
	ldp	x10, x11, [x0, #GUEST_X(10)]
	ldp	x12, x13, [x0, #GUEST_X(12)]
	ldp	x14, x15, [x0, #GUEST_X(14)]
	ldp	x16, x17, [x0, #GUEST_X(16)]
	ldp	x18, x19, [x0, #GUEST_X(18)]
	ldp	x20, x21, [x0, #GUEST_X(20)]
	ldp	x22, x23, [x0, #GUEST_X(22)]
	ldp	x24, x25, [x0, #GUEST_X(24)]
	ldp	x26, x27, [x0, #GUEST_X(26)]
	ldp	x28, x29, [x0, #GUEST_X(28)]
	ldr	x30, [x0, #GUEST_X(30)]
	ldp	x0, x1, [x0, #GUEST_X(0)]
	eret
	dsb	nsh			/* nothing is speculated past the ERET */
	isb
endfunc arm64_guest_switch

/*
 * From vectors.S: x0 = HCR_EL2, x1 = GUEST_EXIT_*, the guest's x0 and x1 in a frame at sp.
 * Returns from arm64_guest_switch() with x1's value.
 */
func guest_exit_entry
	/* x0 holds HCR_EL2 (VSE may have been cleared); swap it for the pointer. */
	stp	x0, x2, [sp, #16]
	ldr	x0, [sp, #(REGS_SIZE + GUEST_SAVE_CPU)]
	ldr	x2, [sp, #16]
	str	x2, [x0, #GUEST_HCR]
	ldr	x2, [x0, #GUEST_HOST_HCR]
	msr	hcr_el2, x2
	ldr	x2, [sp, #24]
	stp	x2, x3, [x0, #GUEST_X(2)]
	ldp	x2, x3, [sp]
	stp	x2, x3, [x0, #GUEST_X(0)]
	stp	x4, x5, [x0, #GUEST_X(4)]
	stp	x6, x7, [x0, #GUEST_X(6)]
	stp	x8, x9, [x0, #GUEST_X(8)]
	stp	x10, x11, [x0, #GUEST_X(10)]
	stp	x12, x13, [x0, #GUEST_X(12)]
	stp	x14, x15, [x0, #GUEST_X(14)]
	stp	x16, x17, [x0, #GUEST_X(16)]
	stp	x18, x19, [x0, #GUEST_X(18)]
	stp	x20, x21, [x0, #GUEST_X(20)]
	stp	x22, x23, [x0, #GUEST_X(22)]
	stp	x24, x25, [x0, #GUEST_X(24)]
	stp	x26, x27, [x0, #GUEST_X(26)]
	stp	x28, x29, [x0, #GUEST_X(28)]
	str	x30, [x0, #GUEST_X(30)]
	mrs	x2, elr_el2
	mrs	x3, spsr_el2
	mrs	x4, esr_el2
	mrs	x5, far_el2
	mrs	x6, hpfar_el2
	stp	x2, x3, [x0, #GUEST_PC]
	stp	x4, x5, [x0, #GUEST_ESR]
	str	x6, [x0, #GUEST_HPFAR]
	/* An exception from a guest does not set PAN; LDTR and STTR mean EL0 only under TGE. */
	msr	pan, #1
	isb
	mov	x0, x1
	add	sp, sp, #REGS_SIZE
	ldp	x19, x20, [sp, #0]
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	add	sp, sp, #GUEST_SAVE_SIZE
	ret
endfunc guest_exit_entry
