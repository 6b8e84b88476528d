/* SPDX-License-Identifier: Apache-2.0 */
/* The registers of performance monitors (Arm ARM D19.5): the guest's accesses, and user space's. */
#include "kvm/pmu.h"

#include "kvm/sysreg.h"
#include "kvm/vcpu.h"

enum pmu_kind {
	PMU_CONTROL,	/* PMCR_EL0 */
	PMU_SET,	/* sets bits of a mask of counters, or reads it */
	PMU_CLEAR,	/* clears them */
	PMU_INCREMENT,	/* PMSWINC_EL0 */
	PMU_SELECT,	/* PMSELR_EL0 */
	PMU_EVENTS,	/* PMCEID<n>_EL0 */
	PMU_COUNT,	/* a counter */
	PMU_TYPE,	/* what it counts */
	PMU_USER,	/* PMUSERENR_EL0 */
	PMU_SLOT_WIDTH, /* PMMIR_EL1 */
};

/* The masks of counters. */
enum pmu_mask { MASK_ENABLED, MASK_INTERRUPTS, MASK_OVERFLOWS };

/* By which bits of PMUSERENR_EL0 the guest's EL0 may access it, any of them (D19.5.21). */
#define EN     0x1
#define SW     0x2
#define CR     0x4
#define ER     0x8
#define NOT    0x00
#define ALWAYS 0x80

enum { IS_READ = 1, IS_WRITTEN = 2, IS_BOTH = 3, IS_LISTED = 4 };

struct pmu_reg {
	u16 sr;
	u8 kind;
	u8 which;	/* of PMU_SET, PMU_CLEAR: enum pmu_mask; else the number */
	u8 read, write; /* at EL0 */
	u8 how;		/* at EL1; and does user space see it? */
};

enum { SELECTED = 0xff }; /* the counter that PMSELR_EL0 names */

static const struct pmu_reg regs[] = {
	{ SR(3, 0, 9, 14, 1), PMU_SET, MASK_INTERRUPTS, NOT, NOT, IS_BOTH | IS_LISTED },
	{ SR(3, 0, 9, 14, 2), PMU_CLEAR, MASK_INTERRUPTS, NOT, NOT, IS_BOTH | IS_LISTED },
	{ SR(3, 0, 9, 14, 6), PMU_SLOT_WIDTH, 0, NOT, NOT, IS_READ },
	{ SR(3, 3, 9, 12, 0), PMU_CONTROL, 0, EN, EN, IS_BOTH | IS_LISTED },
	{ SR(3, 3, 9, 12, 1), PMU_SET, MASK_ENABLED, EN, EN, IS_BOTH | IS_LISTED },
	{ SR(3, 3, 9, 12, 2), PMU_CLEAR, MASK_ENABLED, EN, EN, IS_BOTH | IS_LISTED },
	{ SR(3, 3, 9, 12, 3), PMU_CLEAR, MASK_OVERFLOWS, EN, EN, IS_BOTH | IS_LISTED },
	{ SR(3, 3, 9, 12, 4), PMU_INCREMENT, 0, NOT, EN | SW, IS_WRITTEN | IS_LISTED },
	{ SR(3, 3, 9, 12, 5), PMU_SELECT, 0, EN | ER, EN | ER, IS_BOTH | IS_LISTED },
	{ SR(3, 3, 9, 12, 6), PMU_EVENTS, 0, EN, NOT, IS_READ },
	{ SR(3, 3, 9, 12, 7), PMU_EVENTS, 1, EN, NOT, IS_READ },
	{ SR(3, 3, 9, 13, 0), PMU_COUNT, PMU_CYCLES, EN | CR, EN, IS_BOTH | IS_LISTED },
	{ SR(3, 3, 9, 13, 1), PMU_TYPE, SELECTED, EN, EN, IS_BOTH },
	{ SR(3, 3, 9, 13, 2), PMU_COUNT, SELECTED, EN | ER, EN, IS_BOTH },
	{ SR(3, 3, 9, 14, 0), PMU_USER, 0, ALWAYS, NOT, IS_BOTH | IS_LISTED },
	{ SR(3, 3, 9, 14, 3), PMU_SET, MASK_OVERFLOWS, EN, EN, IS_BOTH | IS_LISTED },
};

/* PMEVCNTR<n>_EL0 and PMEVTYPER<n>_EL0: CRm and op2 are n. PMCCFILTR_EL0 is the last of these. */
static bool is_of_counter(u16 sr)
{
	return SR_OP0(sr) == 3 && SR_OP1(sr) == 3 && SR_CRN(sr) == 14 && SR_CRM(sr) >= 8;
}

static struct pmu_reg reg_of_counter(u16 sr)
{
	u8 n = (u8)((SR_CRM(sr) & 3) << 3 | SR_OP2(sr));

	if (SR_CRM(sr) >= 12)
		return (struct pmu_reg){ sr, PMU_TYPE, n, EN, EN, IS_BOTH | IS_LISTED };
	if (n == PMU_CYCLES)
		return (struct pmu_reg){ 0 };
	return (struct pmu_reg){ sr, PMU_COUNT, n, EN | ER, EN, IS_BOTH | IS_LISTED };
}

/* how is 0: there is none. */
static struct pmu_reg find(u16 sr)
{
	if (is_of_counter(sr))
		return reg_of_counter(sr);
	for (unsigned int i = 0; i < ARRAY_SIZE(regs); i++) {
		if (regs[i].sr == sr)
			return regs[i];
	}
	return (struct pmu_reg){ 0 };
}

bool pmu_has_reg(u16 sr)
{
	return find(sr).how != 0;
}

/* ---- values */

static u32 *mask_of(struct vcpu *v, u8 which)
{
	switch ((enum pmu_mask)which) {
	case MASK_ENABLED: return &v->pmu.enabled;
	case MASK_INTERRUPTS: return &v->pmu.interrupts;
	case MASK_OVERFLOWS: break;
	}
	return &v->pmu.overflows;
}

#define SELECT_MASK 0x1f
#define USER_MASK   (EN | SW | CR | ER)

#define TYPE_FILTER (BIT(31) | BIT(30)) /* P and U */

/* PMEVTYPER<n>_EL0's bits, for that PMUVer; of the cycle counter, PMCCFILTR_EL0's. */
static u64 type_mask(unsigned int n, u64 version)
{
	return n == PMU_CYCLES ? TYPE_FILTER : TYPE_FILTER | pmu_event_mask(version);
}

static u64 control_read(const struct vcpu *v)
{
	return pmu_control(v) | (u64)v->vm->pmu_counters << PMCR_N_SHIFT;
}

/* Of the written value, what stays. */
static u32 control_kept(u64 value)
{
	u32 kept = (u32)(value & PMCR_WRITTEN & ~(PMCR_P | PMCR_C));

	return id_has_aarch32() ? kept : kept | (u32)PMCR_LC;
}

static u64 value_read(struct vcpu *v, const struct pmu_reg *r, unsigned int n)
{
	switch ((enum pmu_kind)r->kind) {
	case PMU_CONTROL: return control_read(v);
	case PMU_SET:
	case PMU_CLEAR: return *mask_of(v, r->which) & pmu_counters(v);
	case PMU_SELECT: return v->pmu.selected;
	case PMU_EVENTS: return pmu_events(v, r->which);
	case PMU_COUNT: return pmu_count(v, n);
	case PMU_TYPE: return v->pmu.type[n];
	case PMU_USER: return v->pmu.user;
	case PMU_INCREMENT:
	case PMU_SLOT_WIDTH: break;
	}
	return 0;
}

/* ---- the guest's accesses */

static void control_write(struct vcpu *v, u64 value)
{
	v->pmu.control = control_kept(value);
	if (value & PMCR_C)
		v->pmu.hw.count[PMU_CYCLES] = 0;
	for (u32 n = 0; value & PMCR_P && n < v->vm->pmu_counters; n++)
		v->pmu.hw.count[n] = 0;
}

static void value_write(struct vcpu *v, const struct pmu_reg *r, unsigned int n, u64 value)
{
	switch ((enum pmu_kind)r->kind) {
	case PMU_CONTROL: control_write(v, value); break;
	case PMU_SET: *mask_of(v, r->which) |= (u32)value & pmu_counters(v); break;
	case PMU_CLEAR: *mask_of(v, r->which) &= ~((u32)value & pmu_counters(v)); break;
	case PMU_INCREMENT: pmu_software_increment(v, (u32)value); break;
	case PMU_SELECT: v->pmu.selected = (u32)value & SELECT_MASK; break;
	case PMU_COUNT: v->pmu.hw.count[n] = value; break;
	case PMU_TYPE: v->pmu.type[n] = value & type_mask(n, pmu_version(v->vm)); break;
	case PMU_USER: v->pmu.user = (u32)value & USER_MASK; break;
	case PMU_EVENTS:
	case PMU_SLOT_WIDTH: break;
	}
}

static bool el0_may(const struct vcpu *v, const struct pmu_reg *r, bool is_read)
{
	u32 by = is_read ? r->read : r->write;

	return by == ALWAYS || by & v->pmu.user;
}

static bool is_defined(const struct vcpu *v, const struct pmu_reg *r, unsigned int n, bool is_read)
{
	if (!pmu_is_there(v->vm) || !(r->how & (is_read ? IS_READ : IS_WRITTEN)))
		return false;
	if (r->kind == PMU_SLOT_WIDTH)
		return pmu_version(v->vm) >= PMU_V3P4;
	if (r->kind != PMU_COUNT && r->kind != PMU_TYPE)
		return true;
	return pmu_counters(v) & BIT(n);
}

/* The counter that the register is about. */
static unsigned int counter_of(const struct vcpu *v, const struct pmu_reg *r)
{
	return r->which == SELECTED ? v->pmu.selected : r->which & (PMU_COUNTERS - 1);
}

bool pmu_guest_may(struct vcpu *v, u16 sr, bool is_read)
{
	const struct pmu_reg r = find(sr);

	if (pmu_is_there(v->vm) && vcpu_is_at_el0(v) && !el0_may(v, &r, is_read)) {
		inject_trap(v);
		return false;
	}
	if (!is_defined(v, &r, counter_of(v, &r), is_read)) {
		inject_undefined(v);
		return false;
	}
	return true;
}

u64 pmu_guest_read(struct vcpu *v, u16 sr)
{
	const struct pmu_reg r = find(sr);
	u64 value;

	pmu_pause(v);
	value = value_read(v, &r, counter_of(v, &r));
	pmu_resume(v);
	return value;
}

void pmu_guest_write(struct vcpu *v, u16 sr, u64 value)
{
	const struct pmu_reg r = find(sr);

	pmu_pause(v);
	value_write(v, &r, counter_of(v, &r), value);
	pmu_resume(v);
}

/* ---- user space's */

static bool is_listed(const struct vcpu *v, const struct pmu_reg *r)
{
	return pmu_is_there(v->vm) && r->how & IS_LISTED;
}

int pmu_reg_get(struct vcpu *v, u16 sr, u64 *value)
{
	const struct pmu_reg r = find(sr);

	if (!is_listed(v, &r))
		return -ENOENT;
	pmu_pause(v);
	*value = value_read(v, &r, r.which);
	pmu_resume(v);
	return 0;
}

/* More counters than there are change nothing but the rest of the register; so do any, once the VM
 * ran. */
static void control_set(struct vcpu *v, u64 value)
{
	struct vm *vm = v->vm;
	u32 counters = (u32)((value & PMCR_N) >> PMCR_N_SHIFT);

	mutex_lock(&vm->lock);
	if (!vm->ran && counters <= port_pmu()->counters)
		vm->pmu_counters = counters;
	mutex_unlock(&vm->lock);
	v->pmu.control = control_kept(value);
}

int pmu_reg_set(struct vcpu *v, u16 sr, u64 value)
{
	const struct pmu_reg r = find(sr);

	if (!is_listed(v, &r))
		return -ENOENT;
	pmu_pause(v);
	switch ((enum pmu_kind)r.kind) {
	case PMU_CONTROL: control_set(v, value); break;
	case PMU_SET:
	case PMU_CLEAR:
		/* Either shows the mask: so it comes back by whichever is written last. */
		*mask_of(v, r.which) = (u32)value & pmu_counters(v);
		break;
	case PMU_INCREMENT: break;
	case PMU_TYPE:
		/* The guest's PMUVer may be set later. */
		v->pmu.type[r.which] = value & type_mask(r.which, pmu_version_limit());
		break;
	default: value_write(v, &r, r.which, value); break;
	}
	pmu_resume(v);
	return 0;
}

int pmu_reg_list(const struct vcpu *v, struct reg_sink *sink)
{
	int error = 0;

	if (!pmu_is_there(v->vm))
		return 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(regs) && !error; i++) {
		if (regs[i].how & IS_LISTED)
			error = sink->emit(sink, SR_ID(regs[i].sr));
	}
	for (unsigned int i = 0; i < 64 && !error; i++) {
		struct pmu_reg r = reg_of_counter(SR(3, 3, 14, 8 + i / 8, i % 8));

		if (r.how)
			error = sink->emit(sink, SR_ID(r.sr));
	}
	return error;
}
