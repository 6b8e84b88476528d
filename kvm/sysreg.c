/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System registers: what a trapped access does, what ONE_REG shows, and reset values, in one table.
 * Not in it: ID and debug registers, which come in arrays, and the PMU's (kvm/pmu_regs.c). Any
 * other without a row is undefined to the guest and unknown to user space.
 */
#include "kvm/sysreg.h"

#include "kvm/aarch32.h"
#include "kvm/coproc.h"
#include "kvm/debug.h"
#include "kvm/pmu.h"
#include "kvm/vcpu.h"

enum sr_kind {
	SR_LIVE,   /* not trapped, or only for writes (TVM); in user space's list */
	SR_MEMORY, /* trapped; kept in memory, but see aarch32_trap() */
	SR_KEY,	   /* pointer authentication's; undefined, and not in the list, without it */
	SR_RAZ,	   /* trapped; reads 0, writes are ignored; not in the list */
	SR_CTR,
	SR_CCSIDR,
	SR_READ_ONLY, /* as SR_MEMORY; a write is undefined */
	SR_OS_LOCK,   /* OSLAR_EL1: the way to write OSLSR_EL1 */
	SR_SET_WAY,   /* cache maintenance by set and way */
	SR_MDSCR,
	SR_GIC_SGI,    /* raises SGIs; reg is the group */
	SR_GIC_SRE,    /* ICC_SRE_EL1: system registers, for good */
	SR_GIC_DIR,    /* traps at times only (kvm/vgic_lr.c) */
	SR_GIC_GROUP1, /* the same */
	SR_PTIMER,     /* the same (kvm/port.h, cntpoff); reg is an enum timer_reg */
};

struct sr_row {
	u16 sr;
	u8 kind;
	u8 reg;	   /* enum guest_reg */
	u64 reset; /* of SR_LIVE, SR_MEMORY, SR_READ_ONLY */
};

#define SCTLR_RESET  0x00c50078
#define SCTLR_CACHES (BIT(0) | BIT(2)) /* M and C */

/* Sorted by encoding. */
static const struct sr_row rows[] = {
	{ SR(1, 0, 7, 6, 2), SR_SET_WAY, 0, 0 },  /* DC ISW */
	{ SR(1, 0, 7, 10, 2), SR_SET_WAY, 0, 0 }, /* DC CSW */
	{ SR(1, 0, 7, 14, 2), SR_SET_WAY, 0, 0 }, /* DC CISW */
	{ SR(2, 0, 0, 2, 0), SR_MEMORY, GR_MDCCINT_EL1, 0 },
	{ SR(2, 0, 0, 2, 2), SR_MDSCR, 0, 0 },
	{ SR(2, 0, 1, 0, 0), SR_RAZ, 0, 0 }, /* MDRAR_EL1 */
	{ SR(2, 0, 1, 0, 4), SR_OS_LOCK, GR_OSLSR_EL1, 0 },
	{ SR(2, 0, 1, 1, 4), SR_READ_ONLY, GR_OSLSR_EL1, OSLSR_OSLM },
	{ SR(2, 0, 1, 3, 4), SR_RAZ, 0, 0 },  /* OSDLR_EL1 */
	{ SR(2, 0, 1, 4, 4), SR_RAZ, 0, 0 },  /* DBGPRCR_EL1 */
	{ SR(2, 0, 7, 8, 6), SR_RAZ, 0, 0 },  /* DBGCLAIMSET_EL1 */
	{ SR(2, 0, 7, 9, 6), SR_RAZ, 0, 0 },  /* DBGCLAIMCLR_EL1 */
	{ SR(2, 0, 7, 14, 6), SR_RAZ, 0, 0 }, /* DBGAUTHSTATUS_EL1 */
	{ SR(2, 3, 0, 1, 0), SR_RAZ, 0, 0 },  /* MDCCSR_EL0 */
	{ SR(2, 3, 0, 4, 0), SR_RAZ, 0, 0 },  /* DBGDTR_EL0 */
	{ SR(2, 3, 0, 5, 0), SR_RAZ, 0, 0 },  /* DBGDTRTX_EL0 */
	{ SR(2, 4, 0, 7, 0), SR_MEMORY, GR_DBGVCR32_EL2, 0 },
	{ SR(3, 0, 0, 0, 5), SR_READ_ONLY, GR_MPIDR_EL1, 0 },
	{ SR(3, 0, 1, 0, 0), SR_LIVE, GR_SCTLR_EL1, SCTLR_RESET },
	{ SR(3, 0, 1, 0, 1), SR_MEMORY, GR_ACTLR_EL1, 0 },
	{ SR(3, 0, 1, 0, 2), SR_LIVE, GR_CPACR_EL1, 0 },
	{ SR(3, 0, 2, 0, 0), SR_LIVE, GR_TTBR0_EL1, 0 },
	{ SR(3, 0, 2, 0, 1), SR_LIVE, GR_TTBR1_EL1, 0 },
	{ SR(3, 0, 2, 0, 2), SR_LIVE, GR_TCR_EL1, 0 },
	{ SR(3, 0, 2, 1, 0), SR_KEY, GR_APIAKEYLO_EL1, 0 },
	{ SR(3, 0, 2, 1, 1), SR_KEY, GR_APIAKEYHI_EL1, 0 },
	{ SR(3, 0, 2, 1, 2), SR_KEY, GR_APIBKEYLO_EL1, 0 },
	{ SR(3, 0, 2, 1, 3), SR_KEY, GR_APIBKEYHI_EL1, 0 },
	{ SR(3, 0, 2, 2, 0), SR_KEY, GR_APDAKEYLO_EL1, 0 },
	{ SR(3, 0, 2, 2, 1), SR_KEY, GR_APDAKEYHI_EL1, 0 },
	{ SR(3, 0, 2, 2, 2), SR_KEY, GR_APDBKEYLO_EL1, 0 },
	{ SR(3, 0, 2, 2, 3), SR_KEY, GR_APDBKEYHI_EL1, 0 },
	{ SR(3, 0, 2, 3, 0), SR_KEY, GR_APGAKEYLO_EL1, 0 },
	{ SR(3, 0, 2, 3, 1), SR_KEY, GR_APGAKEYHI_EL1, 0 },
	{ SR(3, 0, 5, 1, 0), SR_LIVE, GR_AFSR0_EL1, 0 },
	{ SR(3, 0, 5, 1, 1), SR_LIVE, GR_AFSR1_EL1, 0 },
	{ SR(3, 0, 5, 2, 0), SR_LIVE, GR_ESR_EL1, 0 },
	{ SR(3, 0, 6, 0, 0), SR_LIVE, GR_FAR_EL1, 0 },
	{ SR(3, 0, 7, 4, 0), SR_LIVE, GR_PAR_EL1, 0 },
	{ SR(3, 0, 10, 2, 0), SR_LIVE, GR_MAIR_EL1, 0 },
	{ SR(3, 0, 10, 3, 0), SR_LIVE, GR_AMAIR_EL1, 0 },
	{ SR(3, 0, 12, 0, 0), SR_LIVE, GR_VBAR_EL1, 0 },
	{ SR(3, 0, 12, 1, 1), SR_MEMORY, GR_DISR_EL1, 0 },
	{ SR(3, 0, 12, 9, 0), SR_GIC_GROUP1, 0, 0 }, /* ICC_AP1R<n>_EL1 */
	{ SR(3, 0, 12, 9, 1), SR_GIC_GROUP1, 0, 0 },
	{ SR(3, 0, 12, 9, 2), SR_GIC_GROUP1, 0, 0 },
	{ SR(3, 0, 12, 9, 3), SR_GIC_GROUP1, 0, 0 },
	{ SR(3, 0, 12, 11, 1), SR_GIC_DIR, 0, 0 },
	{ SR(3, 0, 12, 11, 5), SR_GIC_SGI, 1, 0 },    /* ICC_SGI1R_EL1 */
	{ SR(3, 0, 12, 11, 6), SR_GIC_SGI, 0, 0 },    /* ICC_ASGI1R_EL1 */
	{ SR(3, 0, 12, 11, 7), SR_GIC_SGI, 0, 0 },    /* ICC_SGI0R_EL1 */
	{ SR(3, 0, 12, 12, 0), SR_GIC_GROUP1, 0, 0 }, /* ICC_IAR1_EL1 */
	{ SR(3, 0, 12, 12, 1), SR_GIC_GROUP1, 0, 0 }, /* ICC_EOIR1_EL1 */
	{ SR(3, 0, 12, 12, 2), SR_GIC_GROUP1, 0, 0 }, /* ICC_HPPIR1_EL1 */
	{ SR(3, 0, 12, 12, 3), SR_GIC_GROUP1, 0, 0 }, /* ICC_BPR1_EL1 */
	{ SR(3, 0, 12, 12, 5), SR_GIC_SRE, 0, 0 },
	{ SR(3, 0, 12, 12, 7), SR_GIC_GROUP1, 0, 0 }, /* ICC_IGRPEN1_EL1 */
	{ SR(3, 0, 13, 0, 1), SR_LIVE, GR_CONTEXTIDR_EL1, 0 },
	{ SR(3, 0, 13, 0, 4), SR_LIVE, GR_TPIDR_EL1, 0 },
	{ SR(3, 0, 14, 1, 0), SR_LIVE, GR_CNTKCTL_EL1, 0 },
	{ SR(3, 1, 0, 0, 0), SR_CCSIDR, 0, 0 },
	{ SR(3, 1, 0, 0, 1), SR_READ_ONLY, GR_CLIDR_EL1, 0 },
	{ SR(3, 2, 0, 0, 0), SR_MEMORY, GR_CSSELR_EL1, 0 },
	{ SR(3, 3, 0, 0, 1), SR_CTR, 0, 0 },
	{ SR(3, 3, 13, 0, 2), SR_LIVE, GR_TPIDR_EL0, 0 },
	{ SR(3, 3, 13, 0, 3), SR_LIVE, GR_TPIDRRO_EL0, 0 },
	{ SR(3, 3, 14, 0, 1), SR_PTIMER, PTIMER_COUNT, 0 },
	{ SR(3, 3, 14, 0, 5), SR_PTIMER, PTIMER_COUNT, 0 }, /* CNTPCTSS_EL0 */
	{ SR(3, 3, 14, 2, 0), SR_PTIMER, PTIMER_TVAL, 0 },
	{ SR(3, 3, 14, 2, 1), SR_PTIMER, PTIMER_CTL, 0 },
	{ SR(3, 3, 14, 2, 2), SR_PTIMER, PTIMER_CVAL, 0 },
	{ SR(3, 4, 3, 0, 0), SR_MEMORY, GR_DACR32_EL2, 0 },
	{ SR(3, 4, 5, 0, 1), SR_MEMORY, GR_IFSR32_EL2, 0 },
	{ SR(3, 4, 5, 3, 0), SR_MEMORY, GR_FPEXC32_EL2, 0x700 },
};

static const struct sr_row *row_find(u16 sr)
{
	unsigned int low = 0, high = ARRAY_SIZE(rows);

	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (rows[mid].sr == sr)
			return &rows[mid];
		if (rows[mid].sr < sr)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* ID registers of CRn 0: CRm 1 to 7. */
static bool is_id_reg(u16 sr)
{
	return SR_OP0(sr) == 3 && SR_OP1(sr) == 0 && SR_CRN(sr) == 0 && SR_CRM(sr) >= 1 &&
	       SR_CRM(sr) <= 7;
}

static const u16 imp_regs[IMP_IDS] = {
	[IMP_MIDR] = SR(3, 0, 0, 0, 0),
	[IMP_REVIDR] = SR(3, 0, 0, 0, 6),
	[IMP_AIDR] = SR(3, 1, 0, 0, 7),
};

static bool is_imp_reg(u16 sr, enum imp_id *which)
{
	for (unsigned int i = 0; i < IMP_IDS; i++) {
		*which = (enum imp_id)i;
		if (imp_regs[i] == sr)
			return true;
	}
	return false;
}

/* The feature ID space (Arm ARM D17.1.4). */
static bool is_feature_id(u16 sr)
{
	unsigned int op1 = SR_OP1(sr);

	return SR_OP0(sr) == 3 && (op1 == 0 || op1 == 1 || op1 == 3) && SR_CRN(sr) == 0 &&
	       SR_CRM(sr) <= 7;
}

/* DBGBVR<n>, DBGBCR<n>, DBGWVR<n>, DBGWCR<n>_EL1: CRm is n, op2 4 to 7 the kind. */
static bool is_debug_reg(u16 sr)
{
	return SR_OP0(sr) == 2 && SR_OP1(sr) == 0 && SR_CRN(sr) == 0 && SR_OP2(sr) >= 4;
}

static u64 *debug_reg(struct vcpu *v, u16 sr)
{
	switch (SR_OP2(sr)) {
	case 4: return &v->own_debug.bvr[SR_CRM(sr)];
	case 5: return &v->own_debug.bcr[SR_CRM(sr)];
	case 6: return &v->own_debug.wvr[SR_CRM(sr)];
	}
	return &v->own_debug.wcr[SR_CRM(sr)];
}

/* ---- cache geometry: one level, one set, one way, lines as CTR_EL0 says */

static u64 ccsidr_default(const struct vcpu *v)
{
	return (v->vm->ctr >> 16 & 0xf) - 2; /* LineSize: log2 of words, less 2 */
}

static u64 ccsidr_of(const struct vcpu *v, u32 csselr)
{
	return v->ccsidr_set[csselr] ? v->ccsidr[csselr] : ccsidr_default(v);
}

/* CLIDR_EL1 (D19.2.27) that goes with CTR_EL0: L1 separate if cleaning to PoU is due, else a
 * unified L2. */
static u64 clidr_default(void)
{
	u64 ctr = port_host_ctr();

	if (ctr & BIT(28)) /* IDC */
		return 4UL << 3 | 2UL << 24 | (ctr & BIT(29) ? 0 : 1);
	return 1UL << 27 | 1UL << 21 | 1UL << 24 | (ctr & BIT(29) ? 2UL : 3UL);
}

/* ---- traps */

static struct sr_access access_of(u64 esr)
{
	return (struct sr_access){
		.sr = SR(esr >> 20 & 3, esr >> 14 & 7, esr >> 10 & 0xf, esr >> 1 & 0xf,
			 esr >> 17 & 7),
		.rt = esr >> 5 & 0x1f,
		.is_read = esr & 1,
	};
}

static int done(struct vcpu *v)
{
	vcpu_skip(v);
	return 1;
}

static int undefined(struct vcpu *v)
{
	inject_undefined(v);
	return 1;
}

/* No such register. */
static int absent(struct vcpu *v, const struct sr_access *a)
{
	if (a->view == SR_WHOLE && a->is_read && is_feature_id(a->sr) && id_reads_are_told(v->vm))
		inject_trap(v);
	else
		inject_undefined(v);
	return 1;
}

/* The 32 bits that MRC reads; into "the PC" it sets the flags. */
static void read_word(struct vcpu *v, const struct sr_access *a, u64 value)
{
	if (a->rt == 31)
		v->cpu.pstate = (v->cpu.pstate & ~AARCH32_NZCV) | (value & AARCH32_NZCV);
	vcpu_set_x(v, a->rt, (u32)value);
}

static void read_view(struct vcpu *v, const struct sr_access *a, u64 value)
{
	switch ((enum sr_view)a->view) {
	case SR_WHOLE: break;
	case SR_LOW: read_word(v, a, value); break;
	case SR_HIGH: read_word(v, a, value >> 32); break;
	case SR_PAIR:
		vcpu_set_x(v, a->rt, (u32)value);
		vcpu_set_x(v, a->rt2, value >> 32);
		break;
	}
}

static int read_as(struct vcpu *v, const struct sr_access *a, u64 value)
{
	if (a->view == SR_WHOLE)
		vcpu_set_x(v, a->rt, value);
	else
		read_view(v, a, value);
	return done(v);
}

static u64 written_view(const struct vcpu *v, const struct sr_access *a, u64 old)
{
	u64 word = (u32)vcpu_x(v, a->rt);

	switch ((enum sr_view)a->view) {
	case SR_WHOLE: break;
	case SR_LOW: return (old & ~(u64)UINT32_MAX) | word;
	case SR_HIGH: return word << 32 | (u32)old;
	case SR_PAIR: return vcpu_x(v, a->rt2) << 32 | word;
	}
	return old;
}

/* What a write makes of the register, which was @old. */
static u64 written(const struct vcpu *v, const struct sr_access *a, u64 old)
{
	return a->view == SR_WHOLE ? vcpu_x(v, a->rt) : written_view(v, a, old);
}

/*
 * Without FWB a guest that runs with its caches off, or on, must not see what is stale in them: the
 * registers that decide trap (HCR_EL2.TVM) until the caches are on.
 */
static void vm_reg_write(struct vcpu *v, unsigned int reg, const struct sr_access *a)
{
	u64 *r = v->cpu.reg;
	bool were_on, are_on;

	port_guest_regs_save(&v->cpu);
	were_on = (r[GR_SCTLR_EL1] & SCTLR_CACHES) == SCTLR_CACHES;
	r[reg] = written(v, a, r[reg]);
	are_on = (r[GR_SCTLR_EL1] & SCTLR_CACHES) == SCTLR_CACHES;
	port_guest_regs_restore(&v->cpu);
	if (were_on != are_on)
		guest_mem_flush_all(&v->vm->memory.guest);
	if (are_on)
		v->cpu.hcr &= ~GUEST_HCR_TVM;
}

/*
 * Set and way mean nothing to a guest, whose memory lies where the host put it: the first one
 * cleans all its memory, and then the next change of its caches does.
 */
static int set_way(struct vcpu *v)
{
	if (!port_caps(port_engine())->fwb && !(v->cpu.hcr & GUEST_HCR_TVM)) {
		guest_mem_flush_all(&v->vm->memory.guest);
		v->cpu.hcr |= GUEST_HCR_TVM;
	}
	return done(v);
}

static int debug_trap(struct vcpu *v, const struct sr_access *a, u64 *reg)
{
	if (debug_first_use(v))
		return 1;
	if (a->is_read)
		return read_as(v, a, *reg);
	*reg = written(v, a, *reg);
	debug_changed(v);
	return done(v);
}

/* AArch32's DBGOSLAR locks with a key (G8.3.28). */
#define OS_LOCK_KEY 0xc5acce55UL

static bool os_lock_wanted(const struct vcpu *v, const struct sr_access *a)
{
	u64 value = written(v, a, 0);

	return a->view == SR_WHOLE ? value & 1 : value == OS_LOCK_KEY;
}

static int os_lock(struct vcpu *v, const struct sr_access *a)
{
	if (a->is_read)
		return undefined(v);
	debug_os_lock(v, os_lock_wanted(v, a));
	return done(v);
}

#define ICC_SRE_ALL 7 /* SRE, DFB, DIB */

static int gic_trap(struct vcpu *v, const struct sr_row *row, const struct sr_access *a)
{
	if (!v->cpu.gic.present)
		return undefined(v);
	if (row->kind == SR_GIC_GROUP1)
		return vgic_vcpu_acknowledges(v);
	if (row->kind == SR_GIC_SRE)
		return a->is_read ? read_as(v, a, ICC_SRE_ALL) : done(v);
	if (a->is_read)
		return undefined(v);
	if (row->kind == SR_GIC_SGI)
		vgic_vcpu_sgi(v, written(v, a, 0), row->reg);
	else
		vgic_vcpu_deactivate(v, (u32)vcpu_x(v, a->rt) & 0xffffff);
	return done(v);
}

static int ptimer_trap(struct vcpu *v, const struct sr_row *row, const struct sr_access *a)
{
	enum timer_reg reg = (enum timer_reg)row->reg;

	if (a->is_read)
		return read_as(v, a, timer_trapped_read(v, reg));
	if (reg == PTIMER_COUNT)
		return undefined(v);
	timer_trapped_write(v, reg, written(v, a, 0));
	return done(v);
}

/* DACR32_EL2 and its kin are AArch32's alone; for such a guest all but DBGVCR are live.
 */
static int aarch32_trap(struct vcpu *v, const struct sr_row *row, const struct sr_access *a)
{
	u64 *reg = &v->cpu.reg[row->reg];

	if (a->view == SR_WHOLE)
		return undefined(v);
	if (a->is_read)
		return read_as(v, a, *reg);
	if (row->reg == GR_DBGVCR32_EL2)
		*reg = written(v, a, *reg);
	else
		vm_reg_write(v, row->reg, a);
	return done(v);
}

static int pmu_trap(struct vcpu *v, const struct sr_access *a)
{
	u64 old;

	if (!pmu_guest_may(v, a->sr, a->is_read))
		return 1;
	if (a->is_read)
		return read_as(v, a, pmu_guest_read(v, a->sr));
	old = a->view == SR_WHOLE ? 0 : pmu_guest_read(v, a->sr);
	pmu_guest_write(v, a->sr, written(v, a, old));
	return done(v);
}

static int row_trap(struct vcpu *v, const struct sr_row *row, const struct sr_access *a)
{
	switch ((enum sr_kind)row->kind) {
	case SR_KEY: return undefined(v);
	case SR_SET_WAY: return set_way(v);
	case SR_OS_LOCK: return os_lock(v, a);
	case SR_MDSCR: return debug_trap(v, a, &v->own_debug.mdscr);
	case SR_RAZ: return a->is_read ? read_as(v, a, 0) : done(v);
	case SR_CTR: return a->is_read ? read_as(v, a, v->vm->ctr) : undefined(v);
	case SR_CCSIDR:
		return a->is_read ? read_as(v, a,
					    ccsidr_of(v, min((u32)v->cpu.reg[GR_CSSELR_EL1] & 0xf,
							     13U)))
				  : undefined(v);
	case SR_READ_ONLY: return a->is_read ? read_as(v, a, v->cpu.reg[row->reg]) : undefined(v);
	case SR_MEMORY:
		if (SR_OP1(row->sr) == 4)
			return aarch32_trap(v, row, a);
		if (a->is_read)
			return read_as(v, a, v->cpu.reg[row->reg]);
		v->cpu.reg[row->reg] = written(v, a, v->cpu.reg[row->reg]);
		return done(v);
	case SR_GIC_SGI:
	case SR_GIC_SRE:
	case SR_GIC_GROUP1:
	case SR_GIC_DIR: return gic_trap(v, row, a);
	case SR_PTIMER: return ptimer_trap(v, row, a);
	case SR_LIVE:
		if (a->is_read)
			return undefined(v);
		vm_reg_write(v, row->reg, a);
		return done(v);
	}
	return undefined(v);
}

static int sysreg_access(struct vcpu *v, const struct sr_access *a)
{
	const struct sr_row *row;
	enum imp_id which;

	if (is_imp_reg(a->sr, &which))
		return a->is_read ? read_as(v, a, v->vm->imp_id[which]) : undefined(v);
	if (is_id_reg(a->sr))
		return a->is_read
			       ? read_as(v, a,
					 v->vm->id_regs[id_reg_index(SR_CRM(a->sr), SR_OP2(a->sr))])
			       : undefined(v);
	if (is_debug_reg(a->sr))
		return debug_trap(v, a, debug_reg(v, a->sr));
	row = row_find(a->sr);
	if (row)
		return row_trap(v, row, a);
	return pmu_has_reg(a->sr) ? pmu_trap(v, a) : absent(v, a);
}

int sysreg_trap(struct vcpu *v)
{
	struct sr_access a = access_of(v->cpu.esr);

	return sysreg_access(v, &a);
}

/* DBGDIDR (G8.3.20): the fields of ID_AA64DFR0_EL1, in another order; Armv8, no Secure debug. */
static u64 debug_id(const struct vcpu *v)
{
	u64 dfr = v->vm->id_regs[id_reg_index(5, 0)];

	return (dfr >> 20 & 0xf) << 28 | (dfr >> 12 & 0xf) << 24 | (dfr >> 28 & 0xf) << 20 |
	       (dfr & 0xf) << 16 | BIT(15);
}

int coproc_trap(struct vcpu *v, const struct sr_access *a)
{
	switch (a->sr) {
	case SR_AARCH32_ZERO: return a->is_read ? read_as(v, a, 0) : done(v);
	case SR_AARCH32_DIDR: return a->is_read ? read_as(v, a, debug_id(v)) : undefined(v);
	}
	return sysreg_access(v, a);
}

/* ---- reset */

static u64 mpidr_of(u32 id)
{
	return BIT(31) | (id & 0xf) | (u64)(id >> 4 & 0xff) << 8 | (u64)(id >> 12 & 0xff) << 16;
}

void sysreg_reset(struct vcpu *v)
{
	u64 *reg = v->cpu.reg, mpidr = reg[GR_MPIDR_EL1], clidr = reg[GR_CLIDR_EL1];

	/* Never 0 in between: other vCPUs' PSCI calls look this one up by its MPIDR_EL1. */
	for (unsigned int i = 0; i < GR_COUNT; i++) {
		if (i != GR_MPIDR_EL1)
			reg[i] = 0;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		enum sr_kind kind = (enum sr_kind)rows[i].kind;

		if (rows[i].reg != GR_MPIDR_EL1 &&
		    (kind == SR_LIVE || kind == SR_MEMORY || kind == SR_READ_ONLY))
			reg[rows[i].reg] = rows[i].reset;
	}
	/* Like the other ID registers, what user space made of them outlives a reset. */
	reg[GR_MPIDR_EL1] = v->initialised ? mpidr : mpidr_of(v->id);
	reg[GR_CLIDR_EL1] = v->initialised ? clidr : clidr_default();
	v->cpu.vpidr = v->vm->imp_id[IMP_MIDR];
	v->cpu.vmpidr = reg[GR_MPIDR_EL1];
}

/* ---- ONE_REG */

#define DEMUX_COUNT 14

static bool is_sysreg_id(u64 id)
{
	return (id & (KVM_REG_ARCH_MASK | KVM_REG_SIZE_MASK | KVM_REG_ARM_COPROC_MASK)) ==
		       (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM64_SYSREG) &&
	       !(id & 0xffff & ~0xffffUL) &&
	       (id & 0x0fff0000) == (KVM_REG_ARM64_SYSREG & 0x0fff0000);
}

/* KVM_REG_ARM_DEMUX: CCSIDR_EL1 by CSSELR value. */
static bool demux_index(u64 id, u32 *csselr)
{
	const u64 want =
		KVM_REG_ARM64 | KVM_REG_SIZE_U32 | KVM_REG_ARM_DEMUX | KVM_REG_ARM_DEMUX_ID_CCSIDR;

	*csselr = id & KVM_REG_ARM_DEMUX_VAL_MASK;
	return (id & ~(u64)KVM_REG_ARM_DEMUX_VAL_MASK) == want && *csselr < DEMUX_COUNT;
}

static bool in_user_list(const struct vcpu *v, const struct sr_row *row)
{
	switch ((enum sr_kind)row->kind) {
	case SR_LIVE:
	case SR_MEMORY:
	case SR_READ_ONLY:
	case SR_CTR:
	case SR_MDSCR: return true;
	case SR_KEY: return guest_has_pauth(&v->cpu);
	case SR_RAZ:
	case SR_CCSIDR:
	case SR_OS_LOCK:
	case SR_SET_WAY:
	case SR_GIC_SGI:
	case SR_GIC_SRE:
	case SR_GIC_DIR:
	case SR_GIC_GROUP1:
	case SR_PTIMER: break;
	}
	return false;
}

int sysreg_get(struct vcpu *v, u64 id, u64 *value)
{
	u16 sr = (u16)id;
	const struct sr_row *row;
	enum imp_id which;
	u32 csselr;

	if (demux_index(id, &csselr)) {
		*value = ccsidr_of(v, csselr);
		return 0;
	}
	if (!is_sysreg_id(id))
		return -ENOENT;
	if (is_imp_reg(sr, &which)) {
		*value = v->vm->imp_id[which];
		return 0;
	}
	if (is_id_reg(sr)) {
		*value = v->vm->id_regs[id_reg_index(SR_CRM(sr), SR_OP2(sr))];
		return 0;
	}
	if (is_debug_reg(sr)) {
		*value = *debug_reg(v, sr);
		return 0;
	}
	if (pmu_has_reg(sr))
		return pmu_reg_get(v, sr, value);
	row = row_find(sr);
	if (!row || !in_user_list(v, row))
		return -ENOENT;
	if (row->kind == SR_MDSCR)
		*value = v->own_debug.mdscr;
	else
		*value = row->kind == SR_CTR ? v->vm->ctr : v->cpu.reg[row->reg];
	return 0;
}

static int ccsidr_set(struct vcpu *v, u32 csselr, u64 value)
{
	if ((u32)value & 0xf0000000) /* RES0 */
		return -EINVAL;
	v->ccsidr[csselr] = (u32)value;
	v->ccsidr_set[csselr] = true;
	return 0;
}

static int row_set(struct vcpu *v, const struct sr_row *row, u64 value)
{
	if (row->kind == SR_CTR)
		return id_ctr_set(v->vm, value);
	if (row->kind == SR_MDSCR) {
		v->own_debug.mdscr = value;
		return 0;
	}
	if (row->reg == GR_OSLSR_EL1 && (value ^ v->cpu.reg[GR_OSLSR_EL1]) & ~OSLSR_OSLK)
		return -EINVAL;
	v->cpu.reg[row->reg] = value;
	if (row->reg == GR_MPIDR_EL1)
		v->cpu.vmpidr = value;
	return 0;
}

int sysreg_set(struct vcpu *v, u64 id, u64 value)
{
	u16 sr = (u16)id;
	const struct sr_row *row;
	enum imp_id which;
	u32 csselr;

	if (demux_index(id, &csselr))
		return ccsidr_set(v, csselr, value);
	if (!is_sysreg_id(id))
		return -ENOENT;
	if (is_imp_reg(sr, &which))
		return id_imp_set(v->vm, which, value);
	if (is_id_reg(sr))
		return id_reg_set(v->vm, id_reg_index(SR_CRM(sr), SR_OP2(sr)), value);
	if (is_debug_reg(sr)) {
		*debug_reg(v, sr) = value;
		return 0;
	}
	if (pmu_has_reg(sr))
		return pmu_reg_set(v, sr, value);
	row = row_find(sr);
	return row && in_user_list(v, row) ? row_set(v, row, value) : -ENOENT;
}

static int list_fixed(struct reg_sink *sink)
{
	int error = 0;

	for (unsigned int i = 0; i < IMP_IDS && !error; i++)
		error = sink->emit(sink, SR_ID(imp_regs[i]));
	for (unsigned int crm = 1; crm <= 7; crm++) {
		for (unsigned int op2 = 0; op2 <= 7 && !error; op2++)
			error = sink->emit(sink, SR_ID(SR(3, 0, 0, crm, op2)));
	}
	for (unsigned int n = 0; n < GUEST_DEBUG_REGS; n++) {
		for (unsigned int op2 = 4; op2 <= 7 && !error; op2++)
			error = sink->emit(sink, SR_ID(SR(2, 0, 0, n, op2)));
	}
	return error;
}

int sysreg_list(struct vcpu *v, struct reg_sink *sink)
{
	int error = list_fixed(sink);

	if (!error)
		error = pmu_reg_list(v, sink);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows) && !error; i++) {
		if (in_user_list(v, &rows[i]))
			error = sink->emit(sink, SR_ID(rows[i].sr));
	}
	for (u32 i = 0; i < DEMUX_COUNT && !error; i++)
		error = sink->emit(sink, KVM_REG_ARM64 | KVM_REG_SIZE_U32 | KVM_REG_ARM_DEMUX |
						 KVM_REG_ARM_DEMUX_ID_CCSIDR | i);
	return error;
}

/* KVM_ARM_GET_REG_WRITABLE_MASKS: op1 0, 1 and 3, as three blocks of 64. */
int sysreg_writable_masks(struct vm *vm, hva_t arg)
{
	struct reg_mask_range r;
	u64 mask;

	(void)vm;
	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	for (unsigned int i = 0; i < ARRAY_SIZE(r.reserved); i++) {
		if (r.reserved[i])
			return -EINVAL;
	}
	if (r.range != KVM_ARM_FEATURE_ID_RANGE)
		return -EINVAL;
	if (clear_user(HVA(r.addr), KVM_ARM_FEATURE_ID_RANGE_SIZE * sizeof(u64)))
		return -EFAULT;
	for (unsigned int i = 0; i < ID_REGS; i++) {
		mask = id_reg_writable(i);
		if (copy_to_user(HVA(r.addr + (8 + i) * sizeof(u64)), &mask, sizeof(mask)))
			return -EFAULT;
	}
	mask = id_ctr_writable();
	return copy_to_user(HVA(r.addr + (2 * 64 + 1) * sizeof(u64)), &mask, sizeof(mask));
}
