/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The demo VMM's guest: fills the work area with a sequence and takes its CRC-32, with the MMU off, then with an
 * identity map; reads and writes devices, calls PSCI, and powers off. Position independent, loaded at GUEST_CODE.
 */
#include "vmm/demo/guest.h"

#define PSCI_VERSION	0x84000000
#define PSCI_SYSTEM_OFF	0x84000008

/* Level 1 blocks of 1 GiB: access flag, inner shareable, and the index into MAIR_EL1 below. */
#define BLOCK_DEVICE	(1 | 1 << 10 | 0 << 2 | 1 << 54 | 1 << 53)
#define BLOCK_NORMAL	(1 | 1 << 10 | 3 << 8 | 1 << 2)
#define MAIR		0xff00 /* 0: Device-nGnRnE, 1: Normal write-back */
/* T0SZ 25 (39 bits, start at level 1), write-back walks, inner shareable, EPD1; 40 bits of IPA. */
#define TCR		(25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | 2 << 32)
#define SCTLR_M_C_I	(1 << 0 | 1 << 2 | 1 << 12)

	.arch	armv8-a+crc
	.section .rodata
	.balign	16
	.globl	guest_start, guest_end
guest_start:
	ldr	x19, =GUEST_CONSOLE
	ldr	x20, =GUEST_MAILBOX
	ldr	x21, =GUEST_WORK
	ldr	x22, [x20, #MAILBOX_WORK_SIZE]
	ldr	x23, =GUEST_SEED

	adr	x0, greeting
	bl	print

	ldr	w0, =PSCI_VERSION
	hvc	#0
	str	x0, [x20, #MAILBOX_PSCI_VERSION]

	ldr	x0, [x23]		/* the seed, an MMIO read */
	bl	fill
	mov	x24, x0			/* where the sequence stands */
	bl	checksum
	str	x0, [x20, #MAILBOX_CRC_MMU_OFF]

	bl	mmu_on
	bl	checksum
	str	x0, [x20, #MAILBOX_CRC_MMU_ON]

	mov	x0, x24			/* go on with the sequence: every page is written again */
	bl	fill
	str	x22, [x20, #MAILBOX_SECOND_PASS]

	ldr	w0, =PSCI_SYSTEM_OFF
	hvc	#0
	b	.

/* Prints the string at x0, a byte per MMIO write. Clobbers x0, w1. */
print:
	ldrb	w1, [x0], #1
	cbz	w1, 1f
	strb	w1, [x19]
	b	print
1:	ret

/* Fills the work area from state x0, returns the next state. Clobbers x1-x4. */
fill:
	ldr	x3, =SEQUENCE_MULTIPLIER
	ldr	x4, =SEQUENCE_INCREMENT
	mov	x1, x21
	add	x2, x21, x22
1:	madd	x0, x0, x3, x4
	str	x0, [x1], #8
	cmp	x1, x2
	b.lo	1b
	ret

/* CRC-32 of the work area in x0. Clobbers x1-x3. */
checksum:
	mov	w0, #-1
	mov	x1, x21
	add	x2, x21, x22
1:	ldr	x3, [x1], #8
	crc32x	w0, w0, x3
	cmp	x1, x2
	b.lo	1b
	mvn	w0, w0
	ret

/* Identity map: the first GiB is device memory, the next three are RAM. Clobbers x0-x2. */
mmu_on:
	ldr	x0, =GUEST_TABLE
	ldr	x1, =BLOCK_DEVICE
	str	x1, [x0]
	ldr	x1, =BLOCK_NORMAL | 1 << 30
	mov	x2, #1 << 30
	str	x1, [x0, #8]
	add	x1, x1, x2
	str	x1, [x0, #16]
	add	x1, x1, x2
	str	x1, [x0, #24]
	ldr	x1, =MAIR
	msr	mair_el1, x1
	ldr	x1, =TCR
	msr	tcr_el1, x1
	msr	ttbr0_el1, x0
	tlbi	vmalle1
	ic	iallu
	dsb	sy
	isb
	mrs	x0, sctlr_el1
	ldr	x1, =SCTLR_M_C_I
	orr	x0, x0, x1
	msr	sctlr_el1, x0
	isb
	ret

greeting:
	.asciz	GUEST_GREETING
	.balign	8
	.ltorg
guest_end:
	.section .note.GNU-stack, "", %progbits
