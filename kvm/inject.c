/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions a guest takes at its EL1 (Arm ARM D1.3, AArch64.TakeException). */
#include "kvm/vcpu.h"

#define EC_UNKNOWN	 0x00UL
#define EC_IABT_LOWER	 0x20UL
#define EC_DABT_LOWER	 0x24UL
#define EC_FROM_SAME	 0x01UL /* added to an abort's class when it comes from EL1 itself */
#define FSC_ADDRESS_SIZE 0x00UL
#define FSC_EXTERNAL	 0x10UL
#define FSC_EXTERNAL_TTW 0x14UL /* + level */
#define FSC_EXCLUSIVE	 0x35UL

#define SCTLR_SPAN  BIT(23)
#define SCTLR_DSSBS BIT(44)

#define PSTATE_FLAGS GENMASK(31, 28)
#define PSTATE_DIT   BIT(24)
#define PSTATE_PAN   BIT(22)
#define PSTATE_SSBS  BIT(12)
#define PSTATE_DAIF  (0xfUL << 6)

static bool from_el1(const struct vcpu *v)
{
	u64 mode = v->cpu.pstate & (PSTATE_MODE | PSTATE_NRW);

	return mode == PSTATE_MODE_EL1T || mode == PSTATE_MODE_EL1H;
}

/* The vector's offset from VBAR_EL1, by where the exception comes from. */
static u64 vector_offset(const struct vcpu *v)
{
	switch (v->cpu.pstate & (PSTATE_MODE | PSTATE_NRW)) {
	case PSTATE_MODE_EL1T: return 0x000;
	case PSTATE_MODE_EL1H: return 0x200;
	case PSTATE_MODE_EL0T: return 0x400;
	}
	return 0x600; /* AArch32 at EL0 */
}

static u64 handler_pstate(const struct vcpu *v, u64 sctlr)
{
	u64 old = v->cpu.pstate, pstate;

	pstate = (old & (PSTATE_FLAGS | PSTATE_DIT)) | PSTATE_DAIF | PSTATE_MODE_EL1H;
	if ((old & PSTATE_PAN) || !(sctlr & SCTLR_SPAN))
		pstate |= PSTATE_PAN;
	if (sctlr & SCTLR_DSSBS)
		pstate |= PSTATE_SSBS;
	return pstate;
}

static void take_exception(struct vcpu *v, u64 esr)
{
	u64 *reg = v->cpu.reg;

	reg[GR_ESR_EL1] = esr;
	reg[GR_ELR_EL1] = v->cpu.pc;
	reg[GR_SPSR_EL1] = v->cpu.pstate;
	v->cpu.pc = reg[GR_VBAR_EL1] + vector_offset(v);
	v->cpu.pstate = handler_pstate(v, reg[GR_SCTLR_EL1]);
}

static void inject(struct vcpu *v, u64 esr)
{
	if (vcpu_is_32bit(v)) {
		inject32_undefined(v);
		return;
	}
	if (v->loaded)
		port_guest_regs_save(&v->cpu);
	take_exception(v, esr);
	if (v->loaded)
		port_guest_regs_restore(&v->cpu);
}

void inject_undefined(struct vcpu *v)
{
	inject(v, EC_UNKNOWN << ESR_EC_SHIFT | (v->cpu.esr & ESR_IL));
}

void inject_trap(struct vcpu *v)
{
	inject(v, (u32)v->cpu.esr);
}

static void take_abort(struct vcpu *v, u64 ec, u64 far, u64 iss)
{
	if (vcpu_is_32bit(v)) {
		inject32_abort(v, ec == EC_IABT_LOWER, far, iss);
		return;
	}
	if (from_el1(v))
		ec |= EC_FROM_SAME;
	if (v->loaded)
		port_guest_regs_save(&v->cpu);
	v->cpu.reg[GR_FAR_EL1] = far;
	take_exception(v, ec << ESR_EC_SHIFT | ESR_IL | iss);
	if (v->loaded)
		port_guest_regs_restore(&v->cpu);
}

void inject_data_abort(struct vcpu *v, u64 far, u64 iss)
{
	take_abort(v, EC_DABT_LOWER, far, iss);
}

void inject_sea(struct vcpu *v, enum inject_kind kind, u64 far, int walk_level)
{
	static const u64 fsc[] = {
		[INJECT_SEA_DATA] = FSC_EXTERNAL,
		[INJECT_SEA_FETCH] = FSC_EXTERNAL,
		[INJECT_ADDRESS_SIZE] = FSC_ADDRESS_SIZE,
		[INJECT_EXCLUSIVE] = FSC_EXCLUSIVE,
	};
	bool fetch = kind == INJECT_SEA_FETCH ||
		     (kind == INJECT_ADDRESS_SIZE && esr_ec(v->cpu.esr) == EC_IABT_LOWER);
	u64 iss = fsc[kind];

	if (iss == FSC_EXTERNAL && walk_level != NOT_ON_WALK)
		iss = FSC_EXTERNAL_TTW + (u64)walk_level;
	take_abort(v, fetch ? EC_IABT_LOWER : EC_DABT_LOWER, far, iss);
}

void inject_serror(struct vcpu *v)
{
	v->cpu.hcr |= GUEST_HCR_VSE;
}
