/* SPDX-License-Identifier: Apache-2.0 */
/* The program at EL0 of port_test.c: position-independent, at USER_CODE. */
	.arch_extension fp
	.arch_extension simd

	.section .rodata
	.balign	8
	.global	port_test_user, port_test_user_end
port_test_user:
	/* Registers survive a system call, and it takes its number from x8. */
	mov	x19, #0x19
	mov	x9, #100
1:	mov	x8, #2
	svc	#0
	cbz	x0, fail
	subs	x9, x9, #1
	b.ne	1b
	cmp	x19, #0x19
	b.ne	fail
	mrs	x0, tpidr_el0
	mov	x1, #0x1234
	cmp	x0, x1
	b.ne	fail
	mov	x8, #3
	svc	#0
	/* Each of these is an exception that the kernel skips. */
	.inst	0x04e0e3e0		/* SVE CNTD */
	mov	x3, #0
	ldr	x3, [x3]
	.inst	0x00000000		/* UDF */
	msr	daifset, #2
	mov	x3, #0xffff000000000000
	ldr	x3, [x3]
	movi	v0.16b, #0x77
	movi	v31.16b, #0x31
	mov	x8, #4
	svc	#0
fail:	mov	x8, #99
	svc	#0
	b	fail
port_test_user_end:
