/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions that a guest with AArch32 at EL1 takes there (kvm/aarch32.h). */
#include "kvm/aarch32.h"
#include "kvm/vcpu.h"

/* The banked LRs by their AArch64 names (Arm ARM G1.20.1). */
#define X_LR_ABT 20
#define X_LR_UND 22

static const struct {
	u8 lr;
	u8 spsr; /* enum guest_reg */
} banked[] = {
	[AARCH32_UNDEFINED] = { X_LR_UND, GR_SPSR_UND },
	[AARCH32_PREFETCH_ABORT] = { X_LR_ABT, GR_SPSR_ABT },
	[AARCH32_DATA_ABORT] = { X_LR_ABT, GR_SPSR_ABT },
};

static void take_exception(struct vcpu *v, enum aarch32_exception e)
{
	struct guest_cpu *g = &v->cpu;
	struct aarch32_entry entry = aarch32_enter(e, g->pstate, g->pc, (u32)g->reg[GR_SCTLR_EL1],
						   (u32)g->reg[GR_VBAR_EL1]);

	g->x[banked[e].lr] = entry.lr;
	g->reg[banked[e].spsr] = entry.spsr;
	g->pc = entry.pc;
	g->pstate = entry.pstate;
}

void inject32_undefined(struct vcpu *v)
{
	if (v->loaded)
		port_guest_regs_save(&v->cpu);
	take_exception(v, AARCH32_UNDEFINED);
	if (v->loaded)
		port_guest_regs_restore(&v->cpu);
}

/* IFAR is the upper half of FAR_EL1, DFAR the lower; DFSR is ESR_EL1. */
static void report_abort(u64 *reg, bool is_fetch, u32 far, u64 iss)
{
	u32 fsr = aarch32_fault_status(iss, reg[GR_TCR_EL1]);

	if (is_fetch) {
		reg[GR_FAR_EL1] = (u64)far << 32 | (u32)reg[GR_FAR_EL1];
		reg[GR_IFSR32_EL2] = fsr;
	} else {
		reg[GR_FAR_EL1] = (reg[GR_FAR_EL1] & ~(u64)UINT32_MAX) | far;
		reg[GR_ESR_EL1] = fsr;
	}
}

void inject32_abort(struct vcpu *v, bool is_fetch, u64 far, u64 iss)
{
	if (v->loaded)
		port_guest_regs_save(&v->cpu);
	report_abort(v->cpu.reg, is_fetch, (u32)far, iss);
	take_exception(v, is_fetch ? AARCH32_PREFETCH_ABORT : AARCH32_DATA_ABORT);
	if (v->loaded)
		port_guest_regs_restore(&v->cpu);
}
