/* SPDX-License-Identifier: Apache-2.0 */
/* Switching threads, and the FP/SIMD registers of programs, which the kernel itself never uses. */
#include "asm.h"
#include "percpu.h"

	.arch_extension fp
	.arch_extension simd

/* Moves all vector registers by \op (stp or ldp) at \base. */
.macro each_vector op, base
	\op	q0, q1, [\base, #(16 * 0)]
	\op	q2, q3, [\base, #(16 * 2)]
	\op	q4, q5, [\base, #(16 * 4)]
	\op	q6, q7, [\base, #(16 * 6)]
	\op	q8, q9, [\base, #(16 * 8)]
	\op	q10, q11, [\base, #(16 * 10)]
	\op	q12, q13, [\base, #(16 * 12)]
	\op	q14, q15, [\base, #(16 * 14)]
	\op	q16, q17, [\base, #(16 * 16)]
	\op	q18, q19, [\base, #(16 * 18)]
	\op	q20, q21, [\base, #(16 * 20)]
	\op	q22, q23, [\base, #(16 * 22)]
	\op	q24, q25, [\base, #(16 * 24)]
	\op	q26, q27, [\base, #(16 * 26)]
	\op	q28, q29, [\base, #(16 * 28)]
	\op	q30, q31, [\base, #(16 * 30)]
.endm

/* void port_fp_save(struct user_fpsimd *fp) */
func port_fp_save
	each_vector stp, x0
	mrs	x1, fpsr
	mrs	x2, fpcr
	str	w1, [x0, #FP_FPSR]
	str	w2, [x0, #FP_FPCR]
	ret
endfunc port_fp_save

/* void port_fp_load(const struct user_fpsimd *fp) */
func port_fp_load
	each_vector ldp, x0
	ldr	w1, [x0, #FP_FPSR]
	ldr	w2, [x0, #FP_FPCR]
	msr	fpsr, x1
	msr	fpcr, x2
	ret
endfunc port_fp_load

/* void port_fp_reset(void) */
func port_fp_reset
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	movi	v\n\().2d, #0
	.endr
	msr	fpsr, xzr
	msr	fpcr, xzr
	ret
endfunc port_fp_reset

/*
 * void port_thread_switch(struct port_thread *prev, struct port_thread *next, struct task *task)
 * The callee-saved registers, the thread pointer and the whole FP state; ends as @task.
 */
func port_thread_switch
	stp	x19, x20, [x0, #(THREAD_X19 + 0)]
	stp	x21, x22, [x0, #(THREAD_X19 + 16)]
	stp	x23, x24, [x0, #(THREAD_X19 + 32)]
	stp	x25, x26, [x0, #(THREAD_X19 + 48)]
	stp	x27, x28, [x0, #(THREAD_X19 + 64)]
	mov	x4, sp
	stp	x29, x4, [x0, #(THREAD_X19 + 80)]
	mrs	x5, tpidr_el0
	stp	x30, x5, [x0, #THREAD_PC]
	add	x3, x0, #THREAD_FP
	each_vector stp, x3
	mrs	x4, fpsr
	mrs	x5, fpcr
	str	w4, [x3, #FP_FPSR]
	str	w5, [x3, #FP_FPCR]

	add	x3, x1, #THREAD_FP
	each_vector ldp, x3
	ldr	w4, [x3, #FP_FPSR]
	ldr	w5, [x3, #FP_FPCR]
	msr	fpsr, x4
	msr	fpcr, x5
	ldp	x30, x5, [x1, #THREAD_PC]
	msr	tpidr_el0, x5
	ldp	x29, x4, [x1, #(THREAD_X19 + 80)]
	ldp	x27, x28, [x1, #(THREAD_X19 + 64)]
	ldp	x25, x26, [x1, #(THREAD_X19 + 48)]
	ldp	x23, x24, [x1, #(THREAD_X19 + 32)]
	ldp	x21, x22, [x1, #(THREAD_X19 + 16)]
	ldp	x19, x20, [x1, #(THREAD_X19 + 0)]
	mov	sp, x4
	mrs	x3, tpidr_el2
	str	x2, [x3, #PERCPU_CURRENT]
	ret
endfunc port_thread_switch

/* Where a new thread starts (thread.c): x19(x20), which does not return. */
func arm64_thread_start
	mov	x29, xzr
	mov	x30, xzr
	mov	x0, x20
	blr	x19
	brk	#3
endfunc arm64_thread_start
