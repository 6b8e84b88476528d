/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers of a vCPU's CPU interface as user space saves and restores them
 * (KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS): views of ICH_VMCR_EL2 and of the active priorities (Arm IHI
 * 0069, 12.2). The vCPU does not run, so all of it is in memory.
 */
#include "host/err.h"
#include "kvm/vcpu.h"

/* op0, op1, CRn, CRm, op2, as the attribute has them. */
#define ICC(crn, crm, op2) ((u16)(3 << 14 | 0 << 11 | (crn) << 7 | (crm) << 3 | (op2)))

#define ICC_CTLR_CBPR	BIT(0)
#define ICC_CTLR_EOI	BIT(1)
#define ICC_CTLR_FIXED	0xff00UL /* PRIbits, IDbits, SEIS, A3V */
#define ICC_SRE_SRE	BIT(0)
#define ICC_SRE_DEFAULT 7

enum icc_kind { ICC_FIELD, ICC_BPR1, ICC_CTLR, ICC_SRE, ICC_AP0R, ICC_AP1R };

struct icc_row {
	u16 instr;
	u8 kind;
	u8 shift, bits; /* of a field of ICH_VMCR_EL2; else shift is a number */
};

static const struct icc_row rows[] = {
	{ ICC(4, 6, 0), ICC_FIELD, VMCR_PMR_SHIFT, 8 },
	{ ICC(12, 8, 3), ICC_FIELD, VMCR_BPR0_SHIFT, 3 },
	{ ICC(12, 8, 4), ICC_AP0R, 0, 0 },
	{ ICC(12, 8, 5), ICC_AP0R, 1, 0 },
	{ ICC(12, 8, 6), ICC_AP0R, 2, 0 },
	{ ICC(12, 8, 7), ICC_AP0R, 3, 0 },
	{ ICC(12, 9, 0), ICC_AP1R, 0, 0 },
	{ ICC(12, 9, 1), ICC_AP1R, 1, 0 },
	{ ICC(12, 9, 2), ICC_AP1R, 2, 0 },
	{ ICC(12, 9, 3), ICC_AP1R, 3, 0 },
	{ ICC(12, 12, 3), ICC_BPR1, VMCR_BPR1_SHIFT, 3 },
	{ ICC(12, 12, 4), ICC_CTLR, 0, 0 },
	{ ICC(12, 12, 5), ICC_SRE, 0, 0 },
	{ ICC(12, 12, 6), ICC_FIELD, 0, 1 }, /* IGRPEN0 */
	{ ICC(12, 12, 7), ICC_FIELD, 1, 1 }, /* IGRPEN1 */
};

static const struct icc_row *row_find(u16 instr)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].instr == instr)
			return &rows[i];
	}
	return NULL;
}

bool vgic_icc_is_there(u16 instr)
{
	return row_find(instr) != NULL;
}

static u64 field_get(const struct guest_gic *gic, const struct icc_row *row)
{
	return gic->vmcr >> row->shift & (BIT(row->bits) - 1);
}

static void field_set(struct guest_gic *gic, const struct icc_row *row, u64 value)
{
	u64 mask = (BIT(row->bits) - 1) << row->shift;

	gic->vmcr = (gic->vmcr & ~mask) | (value << row->shift & mask);
}

/* With CBPR set, group 1 has group 0's, less one bit of grouping. */
static u64 bpr1_get(const struct guest_gic *gic, const struct icc_row *row)
{
	if (!(gic->vmcr & VMCR_CBPR))
		return field_get(gic, row);
	return min((gic->vmcr >> VMCR_BPR0_SHIFT & 7) + 1, 7UL);
}

static u64 ctlr_get(const struct guest_gic *gic)
{
	return port_gic()->ctlr | (gic->vmcr & VMCR_CBPR ? ICC_CTLR_CBPR : 0) |
	       (gic->vmcr & VMCR_EOIM ? ICC_CTLR_EOI : 0);
}

static int ctlr_set(struct guest_gic *gic, u64 value)
{
	if ((value & ICC_CTLR_FIXED) != port_gic()->ctlr)
		return -EINVAL;
	gic->vmcr &= ~(VMCR_CBPR | VMCR_EOIM);
	gic->vmcr |=
		(value & ICC_CTLR_CBPR ? VMCR_CBPR : 0) | (value & ICC_CTLR_EOI ? VMCR_EOIM : 0);
	return 0;
}

int vgic_icc_get(const struct vcpu *v, u16 instr, u64 *value)
{
	const struct icc_row *row = row_find(instr);
	const struct guest_gic *gic = &v->cpu.gic;

	if (!row)
		return -ENXIO;
	switch ((enum icc_kind)row->kind) {
	case ICC_FIELD: *value = field_get(gic, row); return 0;
	case ICC_BPR1: *value = bpr1_get(gic, row); return 0;
	case ICC_CTLR: *value = ctlr_get(gic); return 0;
	case ICC_SRE: *value = ICC_SRE_DEFAULT; return 0;
	case ICC_AP0R: *value = gic->ap0r[row->shift]; break;
	case ICC_AP1R: *value = gic->ap1r[row->shift]; break;
	}
	return row->shift < port_gic()->aprs ? 0 : -EINVAL;
}

int vgic_icc_set(struct vcpu *v, u16 instr, u64 value)
{
	const struct icc_row *row = row_find(instr);
	struct guest_gic *gic = &v->cpu.gic;

	if (!row)
		return -ENXIO;
	switch ((enum icc_kind)row->kind) {
	case ICC_FIELD: field_set(gic, row, value); return 0;
	case ICC_BPR1:
		if (!(gic->vmcr & VMCR_CBPR))
			field_set(gic, row, value);
		return 0;
	case ICC_CTLR: return ctlr_set(gic, value);
	case ICC_SRE: return value & ICC_SRE_SRE ? 0 : -EINVAL;
	case ICC_AP0R:
	case ICC_AP1R: break;
	}
	if (row->shift >= port_gic()->aprs)
		return -EINVAL;
	if (row->kind == ICC_AP0R)
		gic->ap0r[row->shift] = (u32)value;
	else
		gic->ap1r[row->shift] = (u32)value;
	return 0;
}
