/* SPDX-License-Identifier: Apache-2.0 */
/* AArch32's conditions, exceptions and fault status. */
#include "kvm/aarch32.h"

/* ---- conditions */

#define ESR_CV	      BIT(24)
#define ESR_COND(esr) ((unsigned int)(esr) >> 20 & 0xf)

#define ALWAYS 0xeU

/* IT[1:0] are bits 26:25 of PSTATE, IT[7:2] bits 15:10. */
static u64 it_of(u64 pstate)
{
	return (pstate >> 25 & 3) | (pstate >> 8 & 0xfc);
}

static bool condition_holds(unsigned int cond, u64 pstate)
{
	bool n = pstate & BIT(31), z = pstate & BIT(30), c = pstate & BIT(29), v = pstate & BIT(28);
	bool holds = true;

	switch (cond >> 1) {
	case 0: holds = z; break;
	case 1: holds = c; break;
	case 2: holds = n; break;
	case 3: holds = v; break;
	case 4: holds = c && !z; break;
	case 5: holds = n == v; break;
	case 6: holds = n == v && !z; break;
	case 7: return true; /* always, and the unconditional encodings */
	}
	return cond & 1 ? !holds : holds;
}

bool aarch32_executes(u64 esr, u64 pstate)
{
	unsigned int cond = ALWAYS;

	if (esr & ESR_CV)
		cond = ESR_COND(esr);
	else if (it_of(pstate))
		cond = (unsigned int)it_of(pstate) >> 4;
	return condition_holds(cond, pstate);
}

u64 aarch32_it_advance(u64 pstate)
{
	u64 it = it_of(pstate);

	it = it & 7 ? (it & 0xe0) | (it << 1 & 0x1f) : 0;
	pstate &= ~(3UL << 25 | 0xfc00UL);
	return pstate | (it & 3) << 25 | (it & 0xfc) << 8;
}

/* ---- exceptions */

#define SCTLR_V	    BIT(13)
#define SCTLR_SPAN  BIT(23)
#define SCTLR_EE    BIT(25)
#define SCTLR_TE    BIT(30)
#define SCTLR_DSSBS BIT(31)

#define PSTATE_A    BIT(8)
#define PSTATE_I    BIT(7)
#define PSTATE_F    BIT(6)
#define PSTATE_GE   GENMASK(19, 16)
#define PSTATE_SS   BIT(21)
#define PSTATE_PAN  BIT(22)
#define PSTATE_SSBS BIT(23)
#define PSTATE_DIT  BIT(24)
#define PSTATE_Q    BIT(27)
#define SPSR_DIT    BIT(21)

#define HIGH_VECTORS 0xffff0000U

struct exception_row {
	u8 mode;
	u8 vector;
	u8 return_a32, return_t32; /* from the instruction's address to LR (G1.12.3) */
};

static const struct exception_row exceptions[] = {
	[AARCH32_UNDEFINED] = { AARCH32_UND, 0x04, 4, 2 },
	[AARCH32_PREFETCH_ABORT] = { AARCH32_ABT, 0x0c, 4, 4 },
	[AARCH32_DATA_ABORT] = { AARCH32_ABT, 0x10, 8, 8 },
};

/* IT, IL, J and SS become 0. */
static u64 handler_pstate(u64 old, u8 mode, u32 sctlr)
{
	u64 pstate = old & (AARCH32_NZCV | PSTATE_Q | PSTATE_GE | PSTATE_DIT | PSTATE_PAN |
			    PSTATE_A | PSTATE_F);

	pstate |= PSTATE_I | mode;
	if (mode != AARCH32_UND)
		pstate |= PSTATE_A;
	if (!(sctlr & SCTLR_SPAN))
		pstate |= PSTATE_PAN;
	if (sctlr & SCTLR_DSSBS)
		pstate |= PSTATE_SSBS;
	if (sctlr & SCTLR_EE)
		pstate |= AARCH32_E;
	if (sctlr & SCTLR_TE)
		pstate |= AARCH32_T;
	return pstate;
}

/* SPSR has DIT where SPSR_EL2 has SS. */
static u32 to_spsr(u64 pstate)
{
	u64 spsr = pstate & ~(PSTATE_DIT | PSTATE_SS);

	return (u32)(pstate & PSTATE_DIT ? spsr | SPSR_DIT : spsr);
}

struct aarch32_entry aarch32_enter(enum aarch32_exception e, u64 pstate, u64 pc, u32 sctlr,
				   u32 vbar)
{
	const struct exception_row *row = &exceptions[e];

	return (struct aarch32_entry){
		.pstate = handler_pstate(pstate, row->mode, sctlr),
		.pc = (sctlr & SCTLR_V ? HIGH_VECTORS : vbar) + row->vector,
		.lr = (u32)pc + (pstate & AARCH32_T ? row->return_t32 : row->return_a32),
		.spsr = to_spsr(pstate),
	};
}

/* ---- fault status */

#define ISS_STATUS 0x3fUL
#define ISS_WNR	   BIT(6)
#define ISS_CM	   BIT(8)
#define ISS_EA	   BIT(9)

#define FSR_LPAE BIT(9)
#define FSR_FS4	 BIT(10)
#define FSR_WNR	 BIT(11)
#define FSR_EXT	 BIT(12)
#define FSR_CM	 BIT(13)

#define SHORT_EXTERNAL 0x08

/* FS[4:0] of the short format, by the status code of the long one; 0: it has none. */
static const u8 short_status[ISS_STATUS + 1] = {
	[0x05] = 0x05,		 [0x06] = 0x07,		       /* translation */
	[0x09] = 0x03,		 [0x0a] = 0x06,		       /* access flag */
	[0x0d] = 0x0d,		 [0x0e] = 0x0f,		       /* permission */
	[0x10] = SHORT_EXTERNAL,			       /* external, and on a walk */
	[0x15] = 0x0c,		 [0x16] = 0x0e, [0x21] = 0x01, /* alignment */
	[0x30] = 0x10,					       /* TLB conflict */
	[0x35] = 0x15,					       /* unsupported exclusive */
	[0x3d] = 0x09,		 [0x3e] = 0x0b,		       /* domain */
};

static u64 short_code(u64 iss)
{
	u64 fs = short_status[iss & ISS_STATUS];

	if (!fs)
		fs = SHORT_EXTERNAL;
	return (fs & 0xf) | (fs & 0x10 ? FSR_FS4 : 0);
}

u32 aarch32_fault_status(u64 iss, u64 ttbcr)
{
	u64 fsr = ttbcr & TTBCR_EAE ? FSR_LPAE | (iss & ISS_STATUS) : short_code(iss);

	if (iss & ISS_WNR)
		fsr |= FSR_WNR;
	if (iss & ISS_EA)
		fsr |= FSR_EXT;
	if (iss & ISS_CM)
		fsr |= FSR_CM;
	return (u32)fsr;
}
