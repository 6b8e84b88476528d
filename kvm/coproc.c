/* SPDX-License-Identifier: Apache-2.0 */
/* AArch32's coprocessor registers by their AArch64 names. */
#include "kvm/coproc.h"

enum {
	EC_CP15_32 = 0x03,
	EC_CP15_64 = 0x04,
	EC_CP14_32 = 0x05,
	EC_FP_ID = 0x08,
	EC_CP14_64 = 0x0c,
};

/* A register of p15: op1, CRn, CRm, op2, packed as AArch64's encodings are. */
#define P15(op1, crn, crm, op2) SR(0, op1, crn, crm, op2)
/* One of 64 bits has op1 and CRm alone. */
#define P15_64(op1, crm) ((op1) << 4 | (crm))

struct coproc_row {
	u16 coproc;
	u16 sr;
	u8 view;
};

/* What traps, or may, sorted. */
static const struct coproc_row cp15[] = {
	{ P15(0, 0, 0, 1), SR(3, 3, 0, 0, 1), SR_LOW },	   /* CTR */
	{ P15(0, 0, 0, 2), SR_AARCH32_ZERO, SR_LOW },	   /* TCMTR */
	{ P15(0, 0, 0, 3), SR_AARCH32_ZERO, SR_LOW },	   /* TLBTR */
	{ P15(0, 0, 0, 6), SR(3, 0, 0, 0, 6), SR_LOW },	   /* REVIDR */
	{ P15(0, 1, 0, 0), SR(3, 0, 1, 0, 0), SR_LOW },	   /* SCTLR */
	{ P15(0, 1, 0, 1), SR(3, 0, 1, 0, 1), SR_LOW },	   /* ACTLR */
	{ P15(0, 1, 0, 3), SR(3, 0, 1, 0, 1), SR_HIGH },   /* ACTLR2 */
	{ P15(0, 2, 0, 0), SR(3, 0, 2, 0, 0), SR_LOW },	   /* TTBR0 */
	{ P15(0, 2, 0, 1), SR(3, 0, 2, 0, 1), SR_LOW },	   /* TTBR1 */
	{ P15(0, 2, 0, 2), SR(3, 0, 2, 0, 2), SR_LOW },	   /* TTBCR */
	{ P15(0, 2, 0, 3), SR(3, 0, 2, 0, 2), SR_HIGH },   /* TTBCR2 */
	{ P15(0, 3, 0, 0), SR(3, 4, 3, 0, 0), SR_LOW },	   /* DACR */
	{ P15(0, 5, 0, 0), SR(3, 0, 5, 2, 0), SR_LOW },	   /* DFSR */
	{ P15(0, 5, 0, 1), SR(3, 4, 5, 0, 1), SR_LOW },	   /* IFSR */
	{ P15(0, 5, 1, 0), SR(3, 0, 5, 1, 0), SR_LOW },	   /* ADFSR */
	{ P15(0, 5, 1, 1), SR(3, 0, 5, 1, 1), SR_LOW },	   /* AIFSR */
	{ P15(0, 6, 0, 0), SR(3, 0, 6, 0, 0), SR_LOW },	   /* DFAR */
	{ P15(0, 6, 0, 2), SR(3, 0, 6, 0, 0), SR_HIGH },   /* IFAR */
	{ P15(0, 7, 1, 0), SR(1, 0, 7, 1, 0), SR_LOW },	   /* ICIALLUIS */
	{ P15(0, 7, 5, 0), SR(1, 0, 7, 5, 0), SR_LOW },	   /* ICIALLU */
	{ P15(0, 7, 5, 1), SR(1, 3, 7, 5, 1), SR_LOW },	   /* ICIMVAU */
	{ P15(0, 7, 6, 1), SR(1, 0, 7, 6, 1), SR_LOW },	   /* DCIMVAC */
	{ P15(0, 7, 6, 2), SR(1, 0, 7, 6, 2), SR_LOW },	   /* DCISW */
	{ P15(0, 7, 10, 1), SR(1, 3, 7, 10, 1), SR_LOW },  /* DCCMVAC */
	{ P15(0, 7, 10, 2), SR(1, 0, 7, 10, 2), SR_LOW },  /* DCCSW */
	{ P15(0, 7, 11, 1), SR(1, 3, 7, 11, 1), SR_LOW },  /* DCCMVAU */
	{ P15(0, 7, 14, 1), SR(1, 3, 7, 14, 1), SR_LOW },  /* DCCIMVAC */
	{ P15(0, 7, 14, 2), SR(1, 0, 7, 14, 2), SR_LOW },  /* DCCISW */
	{ P15(0, 9, 14, 0), SR(3, 3, 9, 14, 0), SR_LOW },  /* PMUSERENR */
	{ P15(0, 9, 14, 1), SR(3, 0, 9, 14, 1), SR_LOW },  /* PMINTENSET */
	{ P15(0, 9, 14, 2), SR(3, 0, 9, 14, 2), SR_LOW },  /* PMINTENCLR */
	{ P15(0, 9, 14, 3), SR(3, 3, 9, 14, 3), SR_LOW },  /* PMOVSSET */
	{ P15(0, 9, 14, 4), SR(3, 3, 9, 12, 6), SR_HIGH }, /* PMCEID2 */
	{ P15(0, 9, 14, 5), SR(3, 3, 9, 12, 7), SR_HIGH }, /* PMCEID3 */
	{ P15(0, 9, 14, 6), SR(3, 0, 9, 14, 6), SR_LOW },  /* PMMIR */
	{ P15(0, 10, 2, 0), SR(3, 0, 10, 2, 0), SR_LOW },  /* PRRR, MAIR0 */
	{ P15(0, 10, 2, 1), SR(3, 0, 10, 2, 0), SR_HIGH }, /* NMRR, MAIR1 */
	{ P15(0, 10, 3, 0), SR(3, 0, 10, 3, 0), SR_LOW },  /* AMAIR0 */
	{ P15(0, 10, 3, 1), SR(3, 0, 10, 3, 0), SR_HIGH }, /* AMAIR1 */
	{ P15(0, 12, 9, 0), SR(3, 0, 12, 9, 0), SR_LOW },  /* ICC_AP1R<n> */
	{ P15(0, 12, 9, 1), SR(3, 0, 12, 9, 1), SR_LOW },
	{ P15(0, 12, 9, 2), SR(3, 0, 12, 9, 2), SR_LOW },
	{ P15(0, 12, 9, 3), SR(3, 0, 12, 9, 3), SR_LOW },
	{ P15(0, 12, 11, 1), SR(3, 0, 12, 11, 1), SR_LOW }, /* ICC_DIR */
	{ P15(0, 12, 12, 0), SR(3, 0, 12, 12, 0), SR_LOW }, /* ICC_IAR1 */
	{ P15(0, 12, 12, 1), SR(3, 0, 12, 12, 1), SR_LOW }, /* ICC_EOIR1 */
	{ P15(0, 12, 12, 2), SR(3, 0, 12, 12, 2), SR_LOW }, /* ICC_HPPIR1 */
	{ P15(0, 12, 12, 3), SR(3, 0, 12, 12, 3), SR_LOW }, /* ICC_BPR1 */
	{ P15(0, 12, 12, 5), SR(3, 0, 12, 12, 5), SR_LOW }, /* ICC_SRE */
	{ P15(0, 12, 12, 7), SR(3, 0, 12, 12, 7), SR_LOW }, /* ICC_IGRPEN1 */
	{ P15(0, 13, 0, 1), SR(3, 0, 13, 0, 1), SR_LOW },   /* CONTEXTIDR */
	{ P15(0, 14, 2, 0), SR(3, 3, 14, 2, 0), SR_LOW },   /* CNTP_TVAL */
	{ P15(0, 14, 2, 1), SR(3, 3, 14, 2, 1), SR_LOW },   /* CNTP_CTL */
	{ P15(1, 0, 0, 0), SR(3, 1, 0, 0, 0), SR_LOW },	    /* CCSIDR */
	{ P15(1, 0, 0, 1), SR(3, 1, 0, 0, 1), SR_LOW },	    /* CLIDR */
	{ P15(1, 0, 0, 7), SR(3, 1, 0, 0, 7), SR_LOW },	    /* AIDR */
	{ P15(2, 0, 0, 0), SR(3, 2, 0, 0, 0), SR_LOW },	    /* CSSELR */
};

static const struct coproc_row cp15_64[] = {
	{ P15_64(0, 2), SR(3, 0, 2, 0, 0), SR_PAIR },	 /* TTBR0 */
	{ P15_64(0, 9), SR(3, 3, 9, 13, 0), SR_PAIR },	 /* PMCCNTR */
	{ P15_64(0, 12), SR(3, 0, 12, 11, 5), SR_PAIR }, /* ICC_SGI1R */
	{ P15_64(0, 14), SR(3, 3, 14, 0, 1), SR_PAIR },	 /* CNTPCT */
	{ P15_64(1, 2), SR(3, 0, 2, 0, 1), SR_PAIR },	 /* TTBR1 */
	{ P15_64(1, 12), SR(3, 0, 12, 11, 6), SR_PAIR }, /* ICC_ASGI1R */
	{ P15_64(2, 12), SR(3, 0, 12, 11, 7), SR_PAIR }, /* ICC_SGI0R */
	{ P15_64(2, 14), SR(3, 3, 14, 2, 2), SR_PAIR },	 /* CNTP_CVAL */
	{ P15_64(8, 14), SR(3, 3, 14, 0, 5), SR_PAIR },	 /* CNTPCTSS */
};

/* Debug, but for the breakpoints and watchpoints: op1 0, CRn, CRm, op2. */
static const struct coproc_row cp14[] = {
	{ P15(0, 0, 0, 0), SR_AARCH32_DIDR, SR_LOW },
	{ P15(0, 0, 0, 2), SR_AARCH32_ZERO, SR_LOW },	  /* DBGDTRRXext */
	{ P15(0, 0, 1, 0), SR(2, 3, 0, 1, 0), SR_LOW },	  /* DBGDSCRint */
	{ P15(0, 0, 2, 0), SR(2, 0, 0, 2, 0), SR_LOW },	  /* DBGDCCINT */
	{ P15(0, 0, 2, 2), SR(2, 0, 0, 2, 2), SR_LOW },	  /* DBGDSCRext */
	{ P15(0, 0, 3, 2), SR_AARCH32_ZERO, SR_LOW },	  /* DBGDTRTXext */
	{ P15(0, 0, 5, 0), SR(2, 3, 0, 5, 0), SR_LOW },	  /* DBGDTRRXint, DBGDTRTXint */
	{ P15(0, 0, 6, 0), SR_AARCH32_ZERO, SR_LOW },	  /* DBGWFAR */
	{ P15(0, 0, 6, 2), SR_AARCH32_ZERO, SR_LOW },	  /* DBGOSECCR */
	{ P15(0, 0, 7, 0), SR(2, 4, 0, 7, 0), SR_LOW },	  /* DBGVCR */
	{ P15(0, 1, 0, 0), SR(2, 0, 1, 0, 0), SR_LOW },	  /* DBGDRAR */
	{ P15(0, 1, 0, 4), SR(2, 0, 1, 0, 4), SR_LOW },	  /* DBGOSLAR */
	{ P15(0, 1, 1, 4), SR(2, 0, 1, 1, 4), SR_LOW },	  /* DBGOSLSR */
	{ P15(0, 1, 3, 4), SR(2, 0, 1, 3, 4), SR_LOW },	  /* DBGOSDLR */
	{ P15(0, 1, 4, 4), SR(2, 0, 1, 4, 4), SR_LOW },	  /* DBGPRCR */
	{ P15(0, 2, 0, 0), SR_AARCH32_ZERO, SR_LOW },	  /* DBGDSAR */
	{ P15(0, 7, 0, 7), SR_AARCH32_ZERO, SR_LOW },	  /* DBGDEVID2 */
	{ P15(0, 7, 1, 7), SR_AARCH32_ZERO, SR_LOW },	  /* DBGDEVID1 */
	{ P15(0, 7, 2, 7), SR_AARCH32_ZERO, SR_LOW },	  /* DBGDEVID */
	{ P15(0, 7, 8, 6), SR(2, 0, 7, 8, 6), SR_LOW },	  /* DBGCLAIMSET */
	{ P15(0, 7, 9, 6), SR(2, 0, 7, 9, 6), SR_LOW },	  /* DBGCLAIMCLR */
	{ P15(0, 7, 14, 6), SR(2, 0, 7, 14, 6), SR_LOW }, /* DBGAUTHSTATUS */
};

static const struct coproc_row cp14_64[] = {
	{ P15_64(0, 1), SR_AARCH32_ZERO, SR_PAIR }, /* DBGDRAR */
	{ P15_64(0, 2), SR_AARCH32_ZERO, SR_PAIR }, /* DBGDSAR */
};

static bool look_up(const struct coproc_row *rows, unsigned int count, u16 coproc,
		    struct sr_access *a)
{
	unsigned int low = 0, high = count;

	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (rows[mid].coproc == coproc) {
			a->sr = rows[mid].sr;
			a->view = rows[mid].view;
			return true;
		}
		if (rows[mid].coproc < coproc)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

#define LOOK_UP(rows, coproc, a) look_up(rows, ARRAY_SIZE(rows), coproc, a)

static u16 p15_of(u64 esr)
{
	return P15(esr >> 14 & 7, esr >> 10 & 0xf, esr >> 1 & 0xf, esr >> 17 & 7);
}

static u16 p15_64_of(u64 esr)
{
	return P15_64((u16)(esr >> 16 & 0xf), (u16)(esr >> 1 & 0xf));
}

/* ID registers lie as AArch64's do; what AArch32 has no names for reads 0 (G7.3.1). */
static bool decode_id(u16 reg, struct sr_access *a)
{
	if (!a->is_read)
		return false;
	a->view = SR_LOW;
	a->sr = SR_CRM(reg) <= 3 ? SR(3, 0, 0, SR_CRM(reg), SR_OP2(reg)) : SR_AARCH32_ZERO;
	return true;
}

/* Of performance monitors those with CRn 14 are the counters and their types, by AArch64's numbers;
 * the others are EL0's, or in the table. */
static bool is_pmu(u16 reg)
{
	if (SR_OP1(reg) != 0)
		return false;
	return (SR_CRN(reg) == 9 && (SR_CRM(reg) == 12 || SR_CRM(reg) == 13)) ||
	       (SR_CRN(reg) == 14 && SR_CRM(reg) >= 8);
}

static bool decode_pmu(u16 reg, struct sr_access *a)
{
	a->view = SR_LOW;
	a->sr = SR(3, 3, SR_CRN(reg), SR_CRM(reg), SR_OP2(reg));
	return true;
}

static bool decode_cp15(u16 reg, struct sr_access *a)
{
	bool is_id = SR_OP1(reg) == 0 && SR_CRN(reg) == 0 && SR_CRM(reg);

	if (is_pmu(reg))
		return decode_pmu(reg, a);
	return is_id ? decode_id(reg, a) : LOOK_UP(cp15, reg, a);
}

/* DBGBVR<n>, DBGBCR, DBGWVR, DBGWCR: n is CRm. DBGBXVR<n> is the upper half of DBGBVR<n>_EL1. */
static bool decode_cp14(u16 reg, struct sr_access *a)
{
	bool is_low = SR_CRN(reg) == 0 && SR_OP2(reg) >= 4;
	bool is_high = SR_CRN(reg) == 1 && SR_OP2(reg) == 1;

	if (SR_OP1(reg) != 0 || !(is_low || is_high))
		return LOOK_UP(cp14, reg, a);
	a->view = is_high ? SR_HIGH : SR_LOW;
	a->sr = SR(2, 0, 0, SR_CRM(reg), is_high ? 4 : SR_OP2(reg));
	return true;
}

/* VMRS of MVFR0 to MVFR2, whose numbers are 7, 6 and 5. */
static bool decode_fp_id(unsigned int number, struct sr_access *a)
{
	if (!a->is_read || number < 5 || number > 7)
		return false;
	a->view = SR_LOW;
	a->sr = SR(3, 0, 0, 3, 7 - number);
	return true;
}

bool coproc_decode(u64 esr, struct sr_access *a)
{
	*a = (struct sr_access){
		.rt = esr >> 5 & 0x1f,
		.rt2 = esr >> 10 & 0x1f,
		.is_read = esr & 1,
	};
	switch (esr >> 26 & 0x3f) {
	case EC_CP15_32: return decode_cp15(p15_of(esr), a);
	case EC_CP15_64: return LOOK_UP(cp15_64, p15_64_of(esr), a);
	case EC_CP14_32: return decode_cp14(p15_of(esr), a);
	case EC_CP14_64: return LOOK_UP(cp14_64, p15_64_of(esr), a);
	case EC_FP_ID: return decode_fp_id((unsigned int)(esr >> 10) & 0xf, a);
	}
	return false;
}

u64 sr_access_iss(const struct sr_access *a)
{
	return (u64)SR_OP0(a->sr) << 20 | (u64)SR_OP2(a->sr) << 17 | (u64)SR_OP1(a->sr) << 14 |
	       (u64)SR_CRN(a->sr) << 10 | (u64)a->rt << 5 | (u64)SR_CRM(a->sr) << 1 |
	       (u64)a->is_read;
}
