/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the boot loader's entry to C at the linked address: Linux's Image header, the checks for EL2
 * and VHE, the first translation tables, and the registers that every CPU of the host has alike.
 */
#include "asm.h"
#include "layout.h"
#include "mair.h"
#include "percpu.h"

/* Leaves of the first tables: AF, inner shareable, write-back. */
#define PTE_TABLE	3
#define PTE_WB		(PTE_ATTR_INDEX(MAIR_IDX_WB) | (3 << 8) | (1 << 10))
#define PTE_READ_ONLY	(1 << 7)
#define PTE_PXN		(1 << 53)
#define PTE_UXN		(1 << 54)
#define PAGE_TEXT	(3 | PTE_WB | PTE_READ_ONLY | PTE_UXN)
#define PAGE_RODATA	(PAGE_TEXT | PTE_PXN)
#define PAGE_DATA	(3 | PTE_WB | PTE_PXN | PTE_UXN)
#define BLOCK_TEXT	(1 | PTE_WB | PTE_READ_ONLY | PTE_UXN)

/* E2H: host at EL2. TGE: EL0 belongs to it. RW: EL1 is AArch64. */
#define HCR_HOST_HI	0x0004		/* E2H, bit 34 */
#define HCR_HOST_LO	0x88000000	/* RW, bit 31; TGE, bit 27 */
#define HSTR_T15	0x8000		/* AArch32 guests: what the CPU's maker has at CRn 15 */
/* No traps of FP and SIMD, traps of SVE and SME (E2H layout). */
#define CPTR_HOST	(3 << 20)
/* EL0 reads CNTVCT_EL0; EL1 may use its physical counter and timer (E2H layout). */
#define CNTHCTL_HOST	((1 << 1) | (1 << 10) | (1 << 11))
/*
 * 48-bit halves of 4 KiB pages, walks inner shareable and cacheable, ASID from TTBR0, tagged
 * addresses at EL0. IPS and AS are filled in.
 */
#define TCR_T0SZ	(64 - VA_BITS)
#define TCR_HALF0	(TCR_T0SZ | (1 << 8) | (1 << 10) | (3 << 12))
#define TCR_HALF1	((TCR_T0SZ << 16) | (1 << 24) | (1 << 26) | (3 << 28) | (2 << 30))
#define TCR_TBI0	(1 << 37)
#define TCR_AS		(1 << 36)
/*
 * M C I, stack alignment (SA, SA0); EL0 may use DC ZVA, CTR_EL0, WFI, WFE and cache maintenance. WXN
 * stays clear: it would take execution from what programs map writable and executable at EL0 too;
 * SPAN clear, so exceptions from EL0 set PAN. The rest are RES1 where the feature is missing:
 * ITD, SED, TSCXT, EIS, EOS, nTLSMD, LSMAOE. Pointer authentication and memory tagging stay off.
 */
#define SCTLR_LO	0xd99d		/* M C SA SA0 ITD SED EOS I DZE UCT */
#define SCTLR_HI	0x3455		/* nTWI nTWE TSCXT EIS UCI nTLSMD LSMAOE */

	.section .head, "ax"
	.global _start
_start:
	b	primary_entry
	.long	0
	.quad	0			/* text offset from a 2 MiB boundary */
	.quad	__image_size
	.quad	0xa			/* little-endian, 4 KiB pages, anywhere in memory */
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0

/* The device tree's physical address is kept in x21, the image's in x22, until C is entered. */
func primary_entry
	msr	daifset, #0xf
	mov	x21, x0
	bl	check_el2
	adr_l	x22, _start
	bl	make_boot_tables
	bl	init_el2
	bl	enable_mmu
	ldr	x0, =primary_high
	br	x0
endfunc primary_entry

/* PSCI enters here, with the CPU's index in x0. */
func secondary_entry
	msr	daifset, #0xf
	mov	x21, x0
	bl	check_el2
	bl	init_el2
	bl	enable_mmu
	ldr	x0, =secondary_high
	br	x0
endfunc secondary_entry

/* ---- before the MMU is on: physical addresses, no stack */

func check_el2
	mrs	x0, CurrentEL
	cmp	x0, #(2 << 2)
	adr_l	x1, no_el2_message
	b.ne	early_fail
	mrs	x0, id_aa64mmfr1_el1
	ubfx	x0, x0, #8, #4
	adr_l	x1, no_vhe_message
	cbz	x0, early_fail
	ret
endfunc check_el2

/* Says x1 on the PL011 of QEMU's virt board (no device tree is read yet), then powers off. */
func early_fail
	mov	x2, #0x09000000
1:	ldrb	w0, [x1], #1
	cbz	w0, 2f
	str	w0, [x2]
	b	1b
2:	mov	w0, #0x84000000
	add	w0, w0, #8		/* PSCI SYSTEM_OFF */
	mrs	x1, CurrentEL
	cmp	x1, #(2 << 2)
	b.eq	3f
	hvc	#0
3:	smc	#0
4:	wfi
	b	4b
endfunc early_fail

/* Drops the lines of [x0, x1) from the caches, which the loader may have left there. */
func invalidate_lines
	mrs	x2, ctr_el0
	ubfx	x2, x2, #16, #4
	mov	x3, #4
	lsl	x2, x3, x2
1:	dc	ivac, x0
	add	x0, x0, x2
	cmp	x0, x1
	b.lo	1b
	dsb	sy
	ret
endfunc invalidate_lines

/* Maps the pages from symbol \start to \end with \attr; x10: table, x11: what to add to make it PA. */
.macro map_pages start, end, attr
	adr_l	x0, \start
	adr_l	x1, \end
	ldr	x2, =\attr
1:	sub	x3, x0, x11
	lsr	x3, x3, #12
	orr	x4, x0, x2
	str	x4, [x10, x3, lsl #3]
	add	x0, x0, #4096
	cmp	x0, x1
	b.lo	1b
.endm

/* Enters the table at symbol \table at index \index of the table in \reg. */
.macro enter_table reg, table, index
	adr_l	x0, \table
	orr	x0, x0, #PTE_TABLE
	str	x0, [\reg, #(8 * \index)]
.endm

func make_boot_tables
	mov	x20, x30
	adr_l	x0, boot_tables
	adr_l	x1, boot_tables_end
	bl	invalidate_lines
	adr_l	x0, boot_tables
	adr_l	x1, boot_tables_end
1:	stp	xzr, xzr, [x0], #16
	cmp	x0, x1
	b.lo	1b

	/* The image at its linked address, each part with its permissions. */
	adr_l	x9, arm64_kernel_table
	enter_table x9, kernel_table_l1, 511
	adr_l	x9, kernel_table_l1
	enter_table x9, kernel_table_l2, 510
	adr_l	x9, kernel_table_l2
	enter_table x9, kernel_table_l3, 0
	adr_l	x10, kernel_table_l3
	adr_l	x11, _start
	map_pages _start, __text_end, PAGE_TEXT
	map_pages __text_end, __rodata_end, PAGE_RODATA
	map_pages __rodata_end, __boot_stack_guard, PAGE_DATA
	map_pages __boot_stack, _end, PAGE_DATA

	/* The gigabyte the image lies in at its physical address, to survive turning the MMU on. */
	adr_l	x9, identity_table
	adr_l	x10, identity_table_l1
	adr_l	x0, _start
	ubfx	x1, x0, #39, #9
	orr	x2, x10, #PTE_TABLE
	str	x2, [x9, x1, lsl #3]
	ubfx	x1, x0, #30, #9
	and	x0, x0, #~(0x3fffffff)
	ldr	x2, =BLOCK_TEXT
	orr	x2, x2, x0
	str	x2, [x10, x1, lsl #3]

	adr_l	x0, boot_tables
	adr_l	x1, boot_tables_end
	bl	invalidate_lines
	ret	x20
endfunc make_boot_tables

/* Registers that reset leaves unknown and every host CPU has alike. */
func init_el2
	mov	x0, #HCR_HOST_LO
	movk	x0, #HCR_HOST_HI, lsl #32
	msr	hcr_el2, x0
	isb
	mov	x0, #CPTR_HOST
	msr	cptr_el2, x0
	mov	x0, #CNTHCTL_HOST
	msr	cnthctl_el2, x0
	msr	cntvoff_el2, xzr
	mov	x0, #HSTR_T15
	msr	hstr_el2, x0
	msr	vttbr_el2, xzr
	msr	mdscr_el1, xzr
	mrs	x0, midr_el1
	msr	vpidr_el2, x0
	mrs	x0, mpidr_el1
	msr	vmpidr_el2, x0
	/*
	 * No performance counter is reserved for EL2. EL0's accesses come here whoever runs: by
	 * MDCR_EL2.TPM and TPMCR, once PMUSERENR_EL0.EN has let them pass EL1. PMSELR_EL0
	 * must name a counter that there is for an access to trap: it is 0 but in guest_pmu.c.
	 */
	mov	x0, xzr
	mrs	x1, id_aa64dfr0_el1
	ubfx	x1, x1, #8, #4
	cbz	x1, 1f
	cmp	x1, #0xf
	b.eq	1f
	mov	x0, #1
	msr	pmuserenr_el0, x0
	msr	pmselr_el0, xzr
	mrs	x0, pmcr_el0
	ubfx	x0, x0, #11, #5
	orr	x0, x0, #(3 << 5)
1:	msr	mdcr_el2, x0
	/* The interrupt controller by system registers, at EL2 and below. */
	mov	x0, #0xf
	msr	S3_4_C12_C9_5, x0	/* ICC_SRE_EL2 */
	isb
	ret
endfunc init_el2

func enable_mmu
	ldr	x0, =MAIR_EL2_VALUE
	msr	mair_el2, x0
	mrs	x1, id_aa64mmfr0_el1
	ubfx	x2, x1, #0, #4		/* PARange, of which 48 bits are used */
	cmp	x2, #5
	mov	x3, #5
	csel	x2, x2, x3, lo
	ldr	x0, =(TCR_HALF0 | TCR_HALF1 | TCR_TBI0)
	bfi	x0, x2, #32, #3
	ubfx	x2, x1, #4, #4		/* ASIDBits: 2 means 16 */
	cbz	x2, 1f
	orr	x0, x0, #TCR_AS
1:	msr	tcr_el2, x0
	adr_l	x0, identity_table
	msr	ttbr0_el2, x0
	adr_l	x0, arm64_kernel_table
	msr	ttbr1_el2, x0
	isb
	tlbi	vmalle1
	tlbi	alle1
	ic	iallu
	dsb	nsh
	isb
	mov	x0, #SCTLR_LO
	movk	x0, #SCTLR_HI, lsl #16
	msr	sctlr_el2, x0
	isb
	msr	pan, #1
	ret
endfunc enable_mmu

/* ---- at the linked address */

func primary_high
	adr_l	x0, __boot_stack_top
	mov	sp, x0
	mov	x29, xzr
	adr_l	x0, __bss_start
	adr_l	x1, __bss_end
1:	stp	xzr, xzr, [x0], #16
	cmp	x0, x1
	b.lo	1b
	adr_l	x0, percpus
	msr	tpidr_el2, x0
	adr_l	x0, arm64_vectors
	msr	vbar_el2, x0
	isb
	mov	x0, x21
	mov	x1, x22
	bl	boot_main
endfunc primary_high

func secondary_high
	adr_l	x0, percpus
	add	x0, x0, x21, lsl #PERCPU_SIZE_SHIFT
	msr	tpidr_el2, x0
	ldr	x1, [x0, #PERCPU_STACK]
	mov	sp, x1
	mov	x29, xzr
	adr_l	x1, arm64_vectors
	msr	vbar_el2, x1
	isb
	bl	secondary_main
endfunc secondary_high

	.section .rodata, "a"
no_el2_message:
	.asciz	"catwalk: entered below EL2; the machine needs virtualization=on\r\n"
no_vhe_message:
	.asciz	"catwalk: this CPU has no VHE (FEAT_VHE); use max, cortex-a76 or neoverse-n1\r\n"

	/* Written before the MMU is on, hence not part of what is zeroed later. */
	.section .boot_tables, "aw", %nobits
	.balign	4096
	.global	arm64_kernel_table, identity_table
boot_tables:
arm64_kernel_table:
	.skip	4096
kernel_table_l1:
	.skip	4096
kernel_table_l2:
	.skip	4096
kernel_table_l3:
	.skip	4096
identity_table:
	.skip	4096
identity_table_l1:
	.skip	4096
boot_tables_end:
