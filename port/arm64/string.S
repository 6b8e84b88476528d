/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memcpy, memmove and memset by pairs of general registers, since FP registers belong to programs;
 * and what goes by cache lines. Unaligned accesses are fine on Normal memory.
 */
#include "asm.h"

	.text

/* void *memcpy(void *dst, const void *src, size_t n) */
func memcpy
	mov	x3, x0
	subs	x2, x2, #64
	b.lo	2f
1:	ldp	x4, x5, [x1]
	ldp	x6, x7, [x1, #16]
	ldp	x8, x9, [x1, #32]
	ldp	x10, x11, [x1, #48]
	add	x1, x1, #64
	stp	x4, x5, [x3]
	stp	x6, x7, [x3, #16]
	stp	x8, x9, [x3, #32]
	stp	x10, x11, [x3, #48]
	add	x3, x3, #64
	subs	x2, x2, #64
	b.hs	1b
2:	/* The last 0 to 63 bytes by the bits of their count. */
	tbz	x2, #5, 3f
	ldp	x4, x5, [x1], #16
	ldp	x6, x7, [x1], #16
	stp	x4, x5, [x3], #16
	stp	x6, x7, [x3], #16
3:	tbz	x2, #4, 4f
	ldp	x4, x5, [x1], #16
	stp	x4, x5, [x3], #16
4:	tbz	x2, #3, 5f
	ldr	x4, [x1], #8
	str	x4, [x3], #8
5:	tbz	x2, #2, 6f
	ldr	w4, [x1], #4
	str	w4, [x3], #4
6:	tbz	x2, #1, 7f
	ldrh	w4, [x1], #2
	strh	w4, [x3], #2
7:	tbz	x2, #0, 8f
	ldrb	w4, [x1]
	strb	w4, [x3]
8:	ret
endfunc memcpy

/* void *memmove(void *dst, const void *src, size_t n): forwards unless that would overwrite @src. */
func memmove
	sub	x3, x0, x1
	cmp	x3, x2
	b.hs	memcpy
	add	x3, x0, x2
	add	x1, x1, x2
1:	subs	x2, x2, #8
	b.lo	2f
	ldr	x4, [x1, #-8]!
	str	x4, [x3, #-8]!
	b	1b
2:	adds	x2, x2, #8
	b.eq	4f
3:	ldrb	w4, [x1, #-1]!
	strb	w4, [x3, #-1]!
	subs	x2, x2, #1
	b.ne	3b
4:	ret
endfunc memmove

/* void *memset(void *dst, int c, size_t n) */
func memset
	mov	x3, x0
	and	x1, x1, #0xff
	mov	x4, #0x0101010101010101
	mul	x1, x1, x4
	subs	x2, x2, #64
	b.lo	2f
1:	stp	x1, x1, [x3]
	stp	x1, x1, [x3, #16]
	stp	x1, x1, [x3, #32]
	stp	x1, x1, [x3, #48]
	add	x3, x3, #64
	subs	x2, x2, #64
	b.hs	1b
2:	tbz	x2, #5, 3f
	stp	x1, x1, [x3], #16
	stp	x1, x1, [x3], #16
3:	tbz	x2, #4, 4f
	stp	x1, x1, [x3], #16
4:	tbz	x2, #3, 5f
	str	x1, [x3], #8
5:	tbz	x2, #2, 6f
	str	w1, [x3], #4
6:	tbz	x2, #1, 7f
	strh	w1, [x3], #2
7:	tbz	x2, #0, 8f
	strb	w1, [x3]
8:	ret
endfunc memset

/*
 * An operation on each line of [x0, x1), which is not empty; x2: the line's size. A page of 64-byte
 * lines takes two turns.
 */
.macro each_line op:vararg
	add	x3, x0, x2, lsl #5
	cmp	x3, x1
	b.hi	2f
1:
	.rept	32
	\op, x0
	add	x0, x0, x2
	.endr
	add	x3, x0, x2, lsl #5
	cmp	x3, x1
	b.ls	1b
2:	cmp	x0, x1
	b.hs	4f
3:	\op, x0
	add	x0, x0, x2
	cmp	x0, x1
	b.lo	3b
4:
.endm

/* void arm64_zero_zva(void *start, void *end, size_t zva): both multiples of zva. */
func arm64_zero_zva
	each_line dc zva
	ret
endfunc arm64_zero_zva

/* void arm64_dcache_civac(void *start, void *end, size_t line): start a multiple of line. */
func arm64_dcache_civac
	each_line dc civac
	ret
endfunc arm64_dcache_civac
