/* SPDX-License-Identifier: Apache-2.0 */
/* Trapped cache maintenance: the instruction, and what its translation means. */
#include "kvm/cmo_trap.h"

/* ISS of a trapped system instruction: Op0, Op2, Op1, CRn, Rt, CRm, direction. */
#define ISS_SYS(op1, crm, op2) (1U << 20 | (op2) << 17 | (op1) << 14 | 7U << 10 | (crm) << 1)
#define ISS_SYS_MASK	       0x3ffc1fU /* all but Rt */
#define ISS_RT_SHIFT	       5

/* ISS of a data abort. */
#define ISS_CM	  BIT(8)
#define ISS_S1PTW BIT(7)
#define ISS_WNR	  BIT(6)

#define PAR_F	    BIT(0)
#define PAR_FST	    GENMASK(6, 1)
#define PAR_PTW	    BIT(8)
#define PAR_S	    BIT(9)
#define PAR_PA	    GENMASK(51, 12)
#define FST_TYPE    0x3cU
#define FST_NO_PERM 0x0cU

struct cmo_row {
	u32 iss;
	u8 what;
	u8 access;
};

static const struct cmo_row rows[] = {
	{ ISS_SYS(0U, 1U, 0U), CMO_ALL_FETCHES, MEM_READ }, /* IC IALLUIS */
	{ ISS_SYS(0U, 5U, 0U), CMO_ALL_FETCHES, MEM_READ }, /* IC IALLU */
	{ ISS_SYS(3U, 5U, 1U), CMO_FETCH_LINE, MEM_READ },  /* IC IVAU */
	{ ISS_SYS(0U, 6U, 1U), CMO_DATA_LINE, MEM_WRITE },  /* DC IVAC discards what was written */
	{ ISS_SYS(3U, 10U, 1U), CMO_DATA_LINE, MEM_READ },  /* DC CVAC */
	{ ISS_SYS(3U, 11U, 1U), CMO_DATA_LINE, MEM_READ },  /* DC CVAU */
	{ ISS_SYS(3U, 12U, 1U), CMO_DATA_LINE, MEM_READ },  /* DC CVAP */
	{ ISS_SYS(3U, 13U, 1U), CMO_DATA_LINE, MEM_READ },  /* DC CVADP */
	{ ISS_SYS(3U, 14U, 1U), CMO_DATA_LINE, MEM_READ },  /* DC CIVAC */
};

bool cmo_decode(u64 esr, struct cmo_op *op)
{
	u32 iss = (u32)esr & ISS_SYS_MASK;

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].iss != iss)
			continue;
		op->what = (enum cmo_what)rows[i].what;
		op->access = (enum mem_access)rows[i].access;
		op->rt = esr >> ISS_RT_SHIFT & 0x1f;
		return true;
	}
	return false;
}

enum cmo_verdict cmo_verdict(u64 par)
{
	if (!(par & PAR_F))
		return CMO_PERFORM;
	if (!(par & PAR_S))
		return CMO_STAGE1_FAULT;
	return par & PAR_PTW ? CMO_WALK_FAULT : CMO_STAGE2_FAULT;
}

static u64 fault_status(u64 par)
{
	return (par & PAR_FST) >> 1;
}

u64 cmo_abort_iss(u64 par)
{
	u64 iss = ISS_CM | ISS_WNR | fault_status(par);

	return cmo_verdict(par) == CMO_WALK_FAULT ? iss | ISS_S1PTW : iss;
}

bool cmo_lacks_permission(u64 par)
{
	return (fault_status(par) & FST_TYPE) == FST_NO_PERM;
}

pa_t cmo_output(u64 par)
{
	return PA(par & PAR_PA);
}
