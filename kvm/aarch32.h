/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AArch32 as EL2 meets it: conditions of trapped instructions, what an exception does to PSTATE,
 * and fault status registers (Arm ARM G1.12, G1.16, G5.9). PSTATE is in the layout of SPSR_EL2
 * throughout. Pure, so that it is also built natively.
 */
#ifndef KVM_AARCH32_H
#define KVM_AARCH32_H

#include "engine/types.h"

/* M[4:0] of a mode, with PSTATE.nRW. */
enum aarch32_mode {
	AARCH32_USR = 0x10,
	AARCH32_FIQ = 0x11,
	AARCH32_IRQ = 0x12,
	AARCH32_SVC = 0x13,
	AARCH32_ABT = 0x17,
	AARCH32_UND = 0x1b,
	AARCH32_SYS = 0x1f,
};

#define AARCH32_MODE_MASK 0x1fUL
#define AARCH32_T	  BIT(5) /* T32 */
#define AARCH32_E	  BIT(9) /* data are big-endian */
#define AARCH32_NZCV	  GENMASK(31, 28)

/* After a reset: Supervisor mode, asynchronous aborts and interrupts masked (G1.9). */
#define AARCH32_PSTATE_RESET (0x1c0UL | AARCH32_SVC)

/* TTBCR.EAE: long descriptors. */
#define TTBCR_EAE BIT(31)

/*
 * Would the trapped instruction have been executed? By the condition in the syndrome of a class
 * that has one (D19.2.37), or by the IT block it is in.
 */
bool aarch32_executes(u64 esr, u64 pstate);

/* The state of a T32 IT block after one instruction of it (F1.3.2); A32 has none. */
u64 aarch32_it_advance(u64 pstate);

enum aarch32_exception { AARCH32_UNDEFINED, AARCH32_PREFETCH_ABORT, AARCH32_DATA_ABORT };

/* What taking an exception writes (G1.12.4, AArch32.EnterMode). */
struct aarch32_entry {
	u64 pstate;
	u32 pc;
	u32 lr;	  /* of the mode that is entered */
	u32 spsr; /* the same, in AArch32's own layout */
};
/* @sctlr, @vbar: SCTLR and VBAR, which are the lower halves of SCTLR_EL1 and VBAR_EL1. */
struct aarch32_entry aarch32_enter(enum aarch32_exception e, u64 pstate, u64 pc, u32 sctlr,
				   u32 vbar);

/*
 * DFSR or IFSR for the syndrome @iss of an AArch64 abort: its status code, WnR, CM and EA (G8.2.40,
 * G8.2.84). @ttbcr chooses the format. What the short one cannot say is an external abort.
 */
u32 aarch32_fault_status(u64 iss, u64 ttbcr);

#endif
