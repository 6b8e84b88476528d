/* SPDX-License-Identifier: Apache-2.0 */
/* The ID registers of guests: which fields they see, capped at what, and which user space may
 * lower. */
#include "kvm/idreg.h"

#include "host/string.h"
#include "kvm/pmu.h"
#include "kvm/port.h"
#include "kvm/vm.h"

/* A four-bit field that is not simply passed on. */
struct id_field {
	u8 crm, op2, shift;
	u8 most; /* 0: hidden */
};

#define HIDE(crm, op2, shift)                                                                      \
	{                                                                                          \
		crm, op2, shift, 0                                                                 \
	}
#define CAP(crm, op2, shift, most)                                                                 \
	{                                                                                          \
		crm, op2, shift, most                                                              \
	}

/*
 * What guests do not get: state nobody switches (SVE, SME, MTE, AMU), what is trapped
 * without being emulated (SPE, trace, RAS), and what needs EL2 or EL3.
 */
static const struct id_field id_fields[] = {
	HIDE(4, 0, 8),			  /* PFR0.EL2 */
	HIDE(4, 0, 12),			  /* EL3 */
	CAP(4, 0, 24, 1),		  /* GIC: version 3 */
	HIDE(4, 0, 28),			  /* RAS */
	HIDE(4, 0, 32),			  /* SVE */
	HIDE(4, 0, 36),			  /* SEL2 */
	HIDE(4, 0, 40),			  /* MPAM */
	HIDE(4, 0, 44),			  /* AMU */
	HIDE(4, 0, 52),			  /* RME */
	HIDE(4, 1, 8),			  /* PFR1.MTE */
	HIDE(4, 1, 12),			  /* RAS_frac */
	HIDE(4, 1, 16),			  /* MPAM_frac */
	HIDE(4, 1, 20),	  HIDE(4, 1, 24), /* SME */
	HIDE(4, 1, 28),			  /* RNDR_trap */
	HIDE(4, 1, 32),			  /* CSV2_frac */
	HIDE(4, 1, 36),			  /* NMI */
	HIDE(4, 1, 40),	  HIDE(4, 1, 44), /* GCS */
	HIDE(4, 1, 48),	  HIDE(4, 1, 52),  HIDE(4, 1, 56),
	HIDE(4, 1, 60),	  CAP(5, 0, 0, 9),		   /* DFR0.DebugVer: Armv8.4 */
	HIDE(5, 0, 4),					   /* TraceVer */
	HIDE(5, 0, 8),					   /* PMUVer: with a PMU only */
	HIDE(5, 0, 32),					   /* PMSVer */
	HIDE(5, 0, 40),					   /* TraceFilt */
	HIDE(5, 0, 44),					   /* TraceBuffer */
	HIDE(5, 0, 48),					   /* MTPMU */
	HIDE(5, 0, 52),					   /* BRBE */
	HIDE(5, 0, 56),	  HIDE(5, 0, 60),  HIDE(6, 0, 24), /* ISAR0.TME */
	HIDE(6, 1, 4),					   /* ISAR1.APA: with PTRAUTH only */
	HIDE(6, 1, 8),					   /* API */
	HIDE(6, 1, 24),					   /* GPA */
	HIDE(6, 1, 28),					   /* GPI */
	HIDE(6, 1, 56),					   /* XS */
	HIDE(6, 1, 60),					   /* LS64 */
	HIDE(6, 2, 0),					   /* ISAR2.WFxT */
	HIDE(6, 2, 8),					   /* GPA3: the same */
	HIDE(6, 2, 12),					   /* APA3 */
	HIDE(6, 2, 16),					   /* MOPS */
	HIDE(6, 2, 24),	  HIDE(6, 2, 28),  HIDE(6, 2, 32), /* SYSREG_128 */
	HIDE(6, 2, 36),	  HIDE(6, 2, 40),		   /* PRFMSLC */
	CAP(7, 0, 0, 5),				   /* MMFR0.PARange: 48 bits */
	CAP(7, 0, 20, 1),				   /* TGran16: without 52-bit addresses */
	HIDE(7, 0, 32),					   /* TGran16_2: no stage 2 */
	HIDE(7, 0, 36),	  HIDE(7, 0, 40),  HIDE(7, 0, 56), /* FGT */
	HIDE(7, 0, 60),					   /* ECV */
	HIDE(7, 1, 4),					   /* MMFR1.VMIDBits */
	HIDE(7, 1, 8),					   /* VH */
	HIDE(7, 1, 16),					   /* LO */
	HIDE(7, 1, 24),					   /* SpecSEI */
	HIDE(7, 1, 28),					   /* XNX */
	HIDE(7, 1, 32),					   /* TWED */
	HIDE(7, 1, 40),					   /* HCX */
	HIDE(7, 1, 56),					   /* CMOW */
	HIDE(7, 2, 12),					   /* MMFR2.IESB */
	HIDE(7, 2, 16),					   /* VARange */
	HIDE(7, 2, 20),					   /* CCIDX */
	HIDE(7, 2, 24),					   /* NV */
	HIDE(7, 2, 40),					   /* FWB */
	HIDE(7, 2, 56),					   /* EVT */
	CAP(1, 2, 0, 9),				   /* ID_DFR0.CopDbg */
	HIDE(1, 2, 8),	  HIDE(1, 2, 12),  HIDE(1, 2, 16),
	HIDE(1, 2, 20),	  HIDE(1, 2, 24), /* PerfMon: the same */
	HIDE(1, 2, 28),			  /* TraceFilt */
	HIDE(1, 0, 28),			  /* ID_PFR0.RAS */
	HIDE(1, 0, 20),			  /* AMU */
	CAP(1, 1, 28, 1),		  /* ID_PFR1.GIC */
	HIDE(1, 1, 4),			  /* Security */
	HIDE(1, 1, 12),			  /* Virtualization */
};

#define F(shift) (0xfUL << (shift))

/* One row for each register that a guest sees: which bits user space may change. */
struct id_row {
	u8 crm, op2;
	u64 writable;
};

static const struct id_row id_rows[] = {
	{ 1, 0, GENMASK(31, 0) },
	{ 1, 1, GENMASK(31, 0) },
	{ 1, 2, F(0) | F(24) },
	{ 1, 4, GENMASK(31, 0) },
	{ 1, 5, GENMASK(31, 0) },
	{ 1, 6, GENMASK(31, 0) },
	{ 1, 7, GENMASK(31, 0) },
	{ 2, 0, GENMASK(31, 0) },
	{ 2, 1, GENMASK(31, 0) },
	{ 2, 2, GENMASK(31, 0) },
	{ 2, 3, GENMASK(31, 0) },
	{ 2, 4, GENMASK(31, 0) },
	{ 2, 5, GENMASK(31, 0) },
	{ 2, 6, GENMASK(31, 0) },
	{ 2, 7, GENMASK(31, 0) },
	{ 3, 0, GENMASK(31, 0) },
	{ 3, 1, GENMASK(31, 0) },
	{ 3, 2, GENMASK(31, 0) },
	{ 3, 4, GENMASK(31, 0) },
	{ 3, 6, GENMASK(31, 0) },
	/* All but FP, AdvSIMD, RAS, SVE, MPAM, AMU */
	{ 4, 0, ~(F(16) | F(20) | F(28) | F(32) | F(40) | F(44)) },
	{ 4, 1, F(0) | F(4) | F(32) | F(56) },
	{ 4, 2, F(32) },
	/* Without SVE all 0, which is then all that may be written. */
	{ 4, 4, F(0) | F(4) | F(16) | F(20) | F(24) | F(32) | F(40) | F(44) | F(52) | F(56) },
	{ 5, 0, F(0) | F(8) | F(20) | F(36) },
	{ 5, 1, 0 },
	{ 6, 0, ~F(0) },
	{ 6, 1, ~(F(4) | F(8) | F(24) | F(28)) },
	{ 6, 2, F(0) | F(4) | F(16) | F(20) },
	{ 6, 3, F(4) | F(16) | F(24) | F(28) }, /* All 0 */
	{ 7, 0, ~(F(48) | F(52)) },
	{ 7, 1, ~(F(4) | F(8) | F(28)) },
	{ 7, 2, ~(F(20) | F(24) | F(36) | F(40) | F(44) | F(56)) },
	{ 7, 3, F(0) | F(4) | F(8) | F(16) }, /* All 0 */
	{ 7, 4, 0 },
};

#define CTR_DIC	     BIT(29)
#define CTR_IDC	     BIT(28)
#define CTR_DMINLINE GENMASK(19, 16)
#define CTR_IMINLINE GENMASK(3, 0)

static u64 field(u64 value, unsigned int shift)
{
	return value >> shift & 0xf;
}

bool id_has_aarch32(void)
{
	return (port_host_id_reg(4, 0) & 0xf) == 2;
}

bool id_has_aarch32_el1(void)
{
	return (port_host_id_reg(4, 0) >> 4 & 0xf) == 2;
}

/* Fields by algorithm: QARMA5, the implementation's own, QARMA3. */
static const struct {
	u8 op2, shift; /* of ID_AA64ISAR<1, 2>_EL1 */
	bool is_generic;
} pauth_fields[] = {
	{ 1, 4, false }, { 1, 8, false }, { 2, 12, false }, /* APA, API, APA3 */
	{ 1, 24, true }, { 1, 28, true }, { 2, 8, true },   /* GPA, GPI, GPA3 */
};

bool id_has_pauth(void)
{
	bool has[2] = { false, false };

	for (unsigned int i = 0; i < ARRAY_SIZE(pauth_fields); i++) {
		if (field(port_host_id_reg(6, pauth_fields[i].op2), pauth_fields[i].shift))
			has[pauth_fields[i].is_generic] = true;
	}
	return has[0] && has[1];
}

static const struct id_row *row_of(unsigned int index)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(id_rows); i++) {
		if (id_reg_index(id_rows[i].crm, id_rows[i].op2) == index)
			return &id_rows[i];
	}
	return NULL;
}

static bool is_aarch32(unsigned int index)
{
	return index < id_reg_index(4, 0);
}

bool id_reg_is_allocated(unsigned int index)
{
	return row_of(index) && (!is_aarch32(index) || id_has_aarch32());
}

u64 id_reg_writable(unsigned int index)
{
	const struct id_row *row = row_of(index);

	return row && id_reg_is_allocated(index) ? row->writable : 0;
}

static u64 with_field(u64 value, unsigned int shift, u64 f)
{
	return (value & ~F(shift)) | f << shift;
}

/* TGran4 and TGran64 count 0xf as absent; FP and AdvSIMD too. */
static bool is_signed(unsigned int index, unsigned int shift)
{
	if (index == id_reg_index(7, 0))
		return shift == 24 || shift == 28;
	return index == id_reg_index(4, 0) && (shift == 16 || shift == 20);
}

/* The most a guest may be promised; constant, so it is computed once. */
static u64 limits[ID_REGS];

static u64 limit_compute(unsigned int crm, unsigned int op2)
{
	u64 value = port_host_id_reg(crm, op2);

	for (unsigned int i = 0; i < ARRAY_SIZE(id_fields); i++) {
		const struct id_field *f = &id_fields[i];

		if (f->crm == crm && f->op2 == op2 && field(value, f->shift) > f->most)
			value = with_field(value, f->shift, f->most);
	}
	if (crm == 4 && op2 == 0) {
		/* No CPU here is subject to the speculation these fields rule out. */
		value = with_field(value, 56, 1);
		value = with_field(value, 60, 1);
	}
	if (crm == 7 && op2 == 0 && field(value, 28) == 1)
		value = with_field(value, 28, 0); /* TGran4: without 52-bit addresses */
	if (crm == 7 && op2 >= 3)
		value = 0;
	if (crm == 4 && (op2 == 2 || op2 == 4))
		value = 0;
	if (crm == 6 && op2 == 3)
		value = 0;
	return crm == 5 && op2 == 1 ? 0 : value;
}

void id_regs_init(void)
{
	for (unsigned int i = 0; i < ID_REGS; i++)
		limits[i] = id_reg_is_allocated(i) ? limit_compute(i / 8 + 1, i % 8) : 0;
}

void id_regs_reset(struct vm *vm)
{
	memcpy(vm->id_regs, limits, sizeof(vm->id_regs));
	vm->ctr = port_host_ctr();
	vm->imp_id[IMP_MIDR] = port_host_midr();
	vm->imp_id[IMP_REVIDR] = port_host_revidr();
	vm->imp_id[IMP_AIDR] = port_host_aidr();
}

/* ---- fields that come with a feature */

#define DFR0_PMUVER  8	/* ID_AA64DFR0_EL1 */
#define DFR0_PERFMON 24 /* ID_DFR0_EL1 */
#define PERFMON_V3   3

/* The two count alike but for the first version (D19.2.59, D19.2.43). */
static u64 pmu_fields(unsigned int index)
{
	u64 version = pmu_version_limit();

	if (index == id_reg_index(5, 0))
		return version << DFR0_PMUVER;
	if (index == id_reg_index(1, 2) && id_has_aarch32())
		return (version == 1 ? PERFMON_V3 : version) << DFR0_PERFMON;
	return 0;
}

static u64 pauth_of(unsigned int index)
{
	u64 value = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(pauth_fields); i++) {
		unsigned int op2 = pauth_fields[i].op2, shift = pauth_fields[i].shift;

		if (index == id_reg_index(6, op2))
			value |= port_host_id_reg(6, op2) & F(shift);
	}
	return value;
}

static bool has_pauth(const struct vm *vm)
{
	return vm->feature_bits & 1U << KVM_ARM_VCPU_PTRAUTH_ADDRESS;
}

static u64 limit_of(const struct vm *vm, unsigned int index)
{
	return limits[index] | (has_pauth(vm) ? pauth_of(index) : 0) |
	       (pmu_is_there(vm) ? pmu_fields(index) : 0);
}

void id_regs_features(struct vm *vm)
{
	if (!has_pauth(vm) && !pmu_is_there(vm))
		return;
	for (unsigned int i = 0; i < ID_REGS; i++)
		vm->id_regs[i] = limit_of(vm, i);
}

/* A PMU that is not PMUv3 is none: what older kernels showed and user space still writes. */
static u64 without_foreign_pmu(unsigned int index, u64 value)
{
	if (index == id_reg_index(5, 0) && field(value, DFR0_PMUVER) == 0xf)
		return with_field(value, DFR0_PMUVER, 0);
	if (index == id_reg_index(1, 2) && field(value, DFR0_PERFMON) == 0xf)
		return with_field(value, DFR0_PERFMON, 0);
	return value;
}

/* MMFR1.SpecSEI says what may happen: more of it promises less. */
static bool is_higher_safe(unsigned int index, unsigned int shift)
{
	return index == id_reg_index(7, 1) && shift == 24;
}

/* MMFR0.TGran4_2, TGran64_2 and TGran16_2, which are about stage 2: 1 says that there is none. */
static bool is_stage2_granule(unsigned int index, unsigned int shift)
{
	return index == id_reg_index(7, 0) && (shift == 32 || shift == 36 || shift == 40);
}

static bool field_is_safe(unsigned int index, unsigned int shift, u64 limit, u64 value)
{
	if (is_stage2_granule(index, shift))
		return field(value, shift) == 1 || field(value, shift) == field(limit, shift);
	if (is_higher_safe(index, shift))
		return field(value, shift) >= field(limit, shift);
	if (!is_signed(index, shift))
		return field(value, shift) <= field(limit, shift);
	return (s64)(field(value, shift) << 60) <= (s64)(field(limit, shift) << 60);
}

/* Debug of at least Armv8 is what a guest may count on (D19.2.59), and PMUv3 if there is a PMU. */
static bool minimum_is_kept(unsigned int index, u64 value)
{
	if (index == id_reg_index(5, 0))
		return field(value, 0) >= 6;
	if (index == id_reg_index(1, 2))
		return field(value, 0) >= 6 && (field(value, DFR0_PERFMON) == 0 ||
						field(value, DFR0_PERFMON) >= PERFMON_V3);
	return true;
}

/* Without a vGIC guests have no GICv3 (D19.2.64, ID_AA64PFR0_EL1.GIC; ID_PFR1_EL1). */
void id_regs_hide_gic(struct vm *vm)
{
	u64 *pfr0 = &vm->id_regs[id_reg_index(4, 0)], *pfr1 = &vm->id_regs[id_reg_index(1, 1)];

	*pfr0 = with_field(*pfr0, 24, 0);
	*pfr1 = with_field(*pfr1, 28, 0);
}

static int id_reg_check(const struct vm *vm, unsigned int index, u64 value)
{
	u64 limit = limit_of(vm, index), writable = id_reg_writable(index);

	if ((value ^ limit) & ~writable || !minimum_is_kept(index, value))
		return -EINVAL;
	for (unsigned int shift = 0; shift < 64; shift += 4) {
		if (!field_is_safe(index, shift, limit, value))
			return -EINVAL;
	}
	return 0;
}

int id_reg_set(struct vm *vm, unsigned int index, u64 value)
{
	int error = 0;

	if (!id_reg_is_allocated(index))
		return is_aarch32(index) && row_of(index) ? 0 : value ? -EINVAL : 0;
	value = without_foreign_pmu(index, value);
	mutex_lock(&vm->lock);
	if (vm->ran)
		error = value == vm->id_regs[index] ? 0 : -EBUSY;
	else
		error = id_reg_check(vm, index, value);
	if (!error)
		vm->id_regs[index] = value;
	mutex_unlock(&vm->lock);
	return error;
}

u64 id_ctr_writable(void)
{
	return CTR_DIC | CTR_IDC | CTR_DMINLINE | CTR_IMINLINE;
}

static int ctr_check(u64 value)
{
	u64 host = port_host_ctr();

	if ((value ^ host) & ~id_ctr_writable())
		return -EINVAL;
	if (value & ~host & (CTR_DIC | CTR_IDC))
		return -EINVAL;
	if ((value & CTR_DMINLINE) > (host & CTR_DMINLINE) ||
	    (value & CTR_IMINLINE) > (host & CTR_IMINLINE))
		return -EINVAL;
	return 0;
}

int id_ctr_set(struct vm *vm, u64 value)
{
	int error;

	mutex_lock(&vm->lock);
	if (vm->ran)
		error = value == vm->ctr ? 0 : -EBUSY;
	else
		error = ctr_check(value);
	if (!error)
		vm->ctr = value;
	mutex_unlock(&vm->lock);
	return error;
}

static int imp_check(const struct vm *vm, enum imp_id which, u64 value)
{
	if (value == vm->imp_id[which])
		return 0;
	if (!vm->imp_ids_writable)
		return -EINVAL;
	if (vm->ran)
		return -EBUSY;
	return which == IMP_MIDR && value >> 32 ? -EINVAL : 0; /* RES0 */
}

int id_imp_set(struct vm *vm, enum imp_id which, u64 value)
{
	int error;

	mutex_lock(&vm->lock);
	error = imp_check(vm, which, value);
	if (!error)
		vm->imp_id[which] = value;
	mutex_unlock(&vm->lock);
	return error;
}

bool id_reads_are_told(const struct vm *vm)
{
	return field(vm->id_regs[id_reg_index(7, 2)], 36);
}
