/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only code that touches programs' memory: unprivileged loads and stores (LDTR, STTR), which
 * check permissions as EL0 would and work under PAN. Each routine is a range in the table of user
 * access (trap.c): a fault inside is either served and the access retried, or ends the routine with
 * -EFAULT. The caller (uaccess.c) has checked that the addresses are the user half's.
 */
#include "asm.h"

#define EFAULT 14
/* Flags of a table entry. */
#define UACCESS_MAY_FAULT_IN 0
#define UACCESS_NOFAULT	     1

/* From \start to here. */
.macro uaccess_range start, flags
.Luaccess_end\@:
	.pushsection .user_access, "a"
	.balign	8
	.quad	\start, .Luaccess_end\@, uaccess_efault
	.quad	\flags
	.popsection
.endm

	.text
uaccess_efault:
	mov	x0, #-EFAULT /* also where the result is 64 bits wide */
	ret

/* int name(void *dst, u64 src, size_t n): n > 0. */
.macro copy_from name, flags
func \name
	subs	x2, x2, #64
	b.lo	2f
1:	ldtr	x3, [x1]
	ldtr	x4, [x1, #8]
	ldtr	x5, [x1, #16]
	ldtr	x6, [x1, #24]
	ldtr	x7, [x1, #32]
	ldtr	x8, [x1, #40]
	ldtr	x9, [x1, #48]
	ldtr	x10, [x1, #56]
	add	x1, x1, #64
	stp	x3, x4, [x0]
	stp	x5, x6, [x0, #16]
	stp	x7, x8, [x0, #32]
	stp	x9, x10, [x0, #48]
	add	x0, x0, #64
	subs	x2, x2, #64
	b.hs	1b
	/* Less than 64 are left: the low six bits of x2 still say how many. */
2:	tbz	x2, #5, 3f
	ldtr	x3, [x1]
	ldtr	x4, [x1, #8]
	ldtr	x5, [x1, #16]
	ldtr	x6, [x1, #24]
	add	x1, x1, #32
	stp	x3, x4, [x0], #16
	stp	x5, x6, [x0], #16
3:	tbz	x2, #4, 4f
	ldtr	x3, [x1]
	ldtr	x4, [x1, #8]
	add	x1, x1, #16
	stp	x3, x4, [x0], #16
4:	tbz	x2, #3, 5f
	ldtr	x3, [x1]
	add	x1, x1, #8
	str	x3, [x0], #8
5:	ands	x2, x2, #7
	b.eq	7f
6:	ldtrb	w3, [x1]
	add	x1, x1, #1
	strb	w3, [x0], #1
	subs	x2, x2, #1
	b.ne	6b
7:	mov	w0, #0
	ret
endfunc \name
	uaccess_range \name, \flags
.endm

	copy_from arm64_copy_from_user, UACCESS_MAY_FAULT_IN
	copy_from arm64_copy_from_user_nofault, UACCESS_NOFAULT

/* int arm64_copy_to_user(u64 dst, const void *src, size_t n): n > 0. */
func arm64_copy_to_user
	subs	x2, x2, #64
	b.lo	2f
1:	ldp	x3, x4, [x1]
	ldp	x5, x6, [x1, #16]
	ldp	x7, x8, [x1, #32]
	ldp	x9, x10, [x1, #48]
	add	x1, x1, #64
	sttr	x3, [x0]
	sttr	x4, [x0, #8]
	sttr	x5, [x0, #16]
	sttr	x6, [x0, #24]
	sttr	x7, [x0, #32]
	sttr	x8, [x0, #40]
	sttr	x9, [x0, #48]
	sttr	x10, [x0, #56]
	add	x0, x0, #64
	subs	x2, x2, #64
	b.hs	1b
	/* As above. */
2:	tbz	x2, #5, 3f
	ldp	x3, x4, [x1], #16
	ldp	x5, x6, [x1], #16
	sttr	x3, [x0]
	sttr	x4, [x0, #8]
	sttr	x5, [x0, #16]
	sttr	x6, [x0, #24]
	add	x0, x0, #32
3:	tbz	x2, #4, 4f
	ldp	x3, x4, [x1], #16
	sttr	x3, [x0]
	sttr	x4, [x0, #8]
	add	x0, x0, #16
4:	tbz	x2, #3, 5f
	ldr	x3, [x1], #8
	sttr	x3, [x0]
	add	x0, x0, #8
5:	ands	x2, x2, #7
	b.eq	7f
6:	ldrb	w3, [x1], #1
	sttrb	w3, [x0]
	add	x0, x0, #1
	subs	x2, x2, #1
	b.ne	6b
7:	mov	w0, #0
	ret
endfunc arm64_copy_to_user
	uaccess_range arm64_copy_to_user, UACCESS_MAY_FAULT_IN

/* int arm64_clear_user(u64 dst, size_t n): n > 0. */
func arm64_clear_user
1:	subs	x1, x1, #8
	b.lo	2f
	sttr	xzr, [x0]
	add	x0, x0, #8
	b	1b
2:	add	x1, x1, #8
	cbz	x1, 4f
3:	sttrb	wzr, [x0]
	add	x0, x0, #1
	subs	x1, x1, #1
	b.ne	3b
4:	mov	w0, #0
	ret
endfunc arm64_clear_user
	uaccess_range arm64_clear_user, UACCESS_MAY_FAULT_IN

/* s64 arm64_strncpy_from_user(char *dst, u64 src, size_t n): the length, n if no NUL was among n. */
func arm64_strncpy_from_user
	mov	x3, #0
1:	cmp	x3, x2
	b.eq	2f
	ldtrb	w4, [x1]
	strb	w4, [x0, x3]
	cbz	w4, 2f
	add	x1, x1, #1
	add	x3, x3, #1
	b	1b
2:	mov	x0, x3
	ret
endfunc arm64_strncpy_from_user
	uaccess_range arm64_strncpy_from_user, UACCESS_MAY_FAULT_IN

/*
 * int arm64_user_cmpxchg_u32(u64 p, u32 *old, u32 new): there are no unprivileged exclusives, so PAN
 * is lifted around them. A page that EL0 cannot write EL2 cannot either; one that EL0 cannot reach
 * at all is not mapped.
 */
func arm64_user_cmpxchg_u32
	ldr	w3, [x1]
	mov	w4, w3
	msr	pan, #0
user_cmpxchg_open:
	casal	w4, w2, [x0]
	uaccess_range user_cmpxchg_open, UACCESS_NOFAULT
	msr	pan, #1
	str	w4, [x1]
	mov	w0, #0
	ret
endfunc arm64_user_cmpxchg_u32
