/* SPDX-License-Identifier: Apache-2.0 */
/* Macros and structure offsets for assembly; trap.c asserts that the offsets are right. */
#ifndef PORT_ARM64_ASM_H
#define PORT_ARM64_ASM_H

/* struct user_regs and struct trap_frame: the same to the end of pstate. */
#define REGS_X(n)    (8 * (n))
#define REGS_SP	     248
#define REGS_PC	     256
#define REGS_PSTATE  264
#define REGS_ORIG_X0 272
#define REGS_SYSCALL 280
#define REGS_SIZE    288
/* struct trap_frame only: a frame record, so that backtraces pass through. */
#define FRAME_RECORD 272

/* struct port_thread */
#define THREAD_X19   0
#define THREAD_SP    88
#define THREAD_PC    96
#define THREAD_TPIDR 104
#define THREAD_FP    128
#define FP_FPSR	     512
#define FP_FPCR	     516

/* What brought a guest's CPU to guest_exit_entry. */
#define GUEST_EXIT_SYNC	  0
#define GUEST_EXIT_IRQ	  1
#define GUEST_EXIT_FIQ	  2
#define GUEST_EXIT_SERROR 3

/* clang-format off */
#ifdef __ASSEMBLY__
.macro func name
	.global \name
	.type \name, %function
	.balign 4
\name:
.endm

.macro endfunc name
	.size \name, . - \name
.endm

/* Loads a symbol's address, position-independently. */
.macro adr_l reg, symbol
	adrp	\reg, \symbol
	add	\reg, \reg, :lo12:\symbol
.endm
#endif
/* clang-format on */

#endif
