/* SPDX-License-Identifier: Apache-2.0 */
/* What a vCPU's performance monitors count, and their interrupt (kvm/pmu.h). */
#include "kvm/pmu.h"

#include "host/page.h"
#include "host/string.h"
#include "kvm/irqchip.h"
#include "kvm/vcpu.h"

#define FEATURE_PMU (1U << KVM_ARM_VCPU_PMU_V3)

#define VERSION_LIMIT PMU_V3P5

#define TYPE_P BIT(31) /* not at EL1 */
#define TYPE_U BIT(30) /* not at EL0 */

/* ---- what there is */

bool pmu_is_offered(void)
{
	return port_pmu() != NULL;
}

u64 pmu_version_limit(void)
{
	return port_pmu() ? min(port_pmu()->version, VERSION_LIMIT) : 0;
}

bool pmu_is_there(const struct vm *vm)
{
	return vm->feature_bits & FEATURE_PMU;
}

u64 pmu_version(const struct vm *vm)
{
	return vm->id_regs[id_reg_index(5, 0)] >> 8 & 0xf;
}

u64 pmu_event_mask(u64 version)
{
	return version >= PMU_V3P1 ? GENMASK(15, 0) : GENMASK(9, 0);
}

u32 pmu_counters(const struct vcpu *v)
{
	return (u32)(BIT(v->vm->pmu_counters) - 1) | (u32)BIT(PMU_CYCLES);
}

static bool is_64_bit(const struct vcpu *v, unsigned int n)
{
	return n == PMU_CYCLES || pmu_version(v->vm) >= PMU_V3P5;
}

u32 pmu_control(const struct vcpu *v)
{
	return pmu_version(v->vm) >= PMU_V3P5 ? v->pmu.control : v->pmu.control & ~(u32)PMCR_LP;
}

static bool overflows_at_64_bits(const struct vcpu *v, unsigned int n)
{
	return pmu_control(v) & (n == PMU_CYCLES ? PMCR_LC : PMCR_LP);
}

u64 pmu_count(const struct vcpu *v, unsigned int n)
{
	u64 count = v->pmu.hw.count[n];

	return is_64_bit(v, n) ? count : (u32)count;
}

/* ---- what counts */

static u64 event_of(const struct vcpu *v, unsigned int n)
{
	return n == PMU_CYCLES ? EVENT_CYCLES : v->pmu.type[n] & pmu_event_mask(pmu_version(v->vm));
}

static bool filter_allows(const struct vm *vm, u64 event)
{
	return !vm->pmu_filter || vm->pmu_filter[event / 8] & BIT(event % 8);
}

static bool is_enabled(const struct vcpu *v, unsigned int n)
{
	return v->pmu.control & PMCR_E && v->pmu.enabled & pmu_counters(v) & BIT(n);
}

static bool counts_in_cpu(const struct vcpu *v, unsigned int n)
{
	u64 event = event_of(v, n);

	return is_enabled(v, n) && event != EVENT_SW_INCR && event != EVENT_CHAIN &&
	       filter_allows(v->vm, event);
}

/* The CPU's counters as the guest's registers say. */
static void hw_compose(struct vcpu *v)
{
	struct vcpu_pmu *p = &v->pmu;

	p->hw.control = pmu_control(v) & (PMCR_D | PMCR_LC | PMCR_LP);
	p->hw.counting = 0;
	if (!(p->control & PMCR_E))
		return;
	for (u32 left = p->enabled; left; left &= left - 1) {
		unsigned int n = (unsigned int)__builtin_ctz(left);

		if (!counts_in_cpu(v, n))
			continue;
		p->hw.counting |= (u32)BIT(n);
		p->hw.type[n] = p->type[n] & (TYPE_P | TYPE_U);
		if (n != PMU_CYCLES)
			p->hw.type[n] |= event_of(v, n);
	}
}

/* ---- life */

void pmu_vm_init(struct vm *vm)
{
	vm->pmu_counters = port_pmu() ? port_pmu()->counters : 0;
}

void pmu_vm_destroy(struct vm *vm)
{
	kfree(vm->pmu_filter);
}

void pmu_vcpu_init(struct vcpu *v)
{
	v->pmu.hw.requests = &v->requests;
	v->pmu.hw.request = VCPU_REQ_PMU;
	v->cpu.pmu = &v->pmu.hw;
}

/* What the architecture leaves unknown is 0. */
void pmu_reset(struct vcpu *v)
{
	struct vcpu_pmu *p = &v->pmu;

	if (!v->cpu.pmu)
		return;
	memset(p->hw.count, 0, sizeof(p->hw.count));
	memset(p->type, 0, sizeof(p->type));
	p->hw.counting = p->hw.overflowed = 0;
	p->control = id_has_aarch32() ? 0 : PMCR_LC;
	p->enabled = p->interrupts = p->overflows = p->selected = p->user = 0;
	if (v->cpu.gic.present)
		p->told = PMU_TOLD_NOTHING;
	__atomic_fetch_or(&v->requests, VCPU_REQ_PMU, __ATOMIC_RELAXED);
}

static bool intid_is_valid(const struct vcpu *v)
{
	const struct vm *vm = v->vm;
	u32 intid = v->pmu.intid;

	if (!vm->vgic)
		return !intid;
	if (intid == vm->timer_ppi[0] || intid == vm->timer_ppi[1])
		return false;
	return intid >= VGIC_SGIS && intid < vm->vgic_irqs;
}

int pmu_first_run(struct vcpu *v)
{
	struct vcpu_pmu *p = &v->pmu;
	u32 there = pmu_counters(v);

	if (!pmu_is_there(v->vm))
		return 0;
	if (!p->ready || !intid_is_valid(v))
		return -EINVAL;
	p->enabled &= there;
	p->interrupts &= there;
	p->overflows &= there;
	if (v->vm->vgic)
		p->told = PMU_TOLD_NOTHING;
	hw_compose(v); /* PMUVer and the filter are final now */
	__atomic_fetch_or(&v->requests, VCPU_REQ_PMU, __ATOMIC_RELAXED);
	return 0;
}

/* ---- what is counted here */

/* One more; true: that was an overflow. */
static bool count_one(struct vcpu *v, unsigned int n)
{
	u64 count = pmu_count(v, n) + 1;

	v->pmu.hw.count[n] = count;
	return overflows_at_64_bits(v, n) ? count == 0 : (u32)count == 0;
}

/* An even counter of 32 bits is followed by one that counts its overflows. */
static bool is_chained(const struct vcpu *v, unsigned int n)
{
	return n % 2 == 0 && !overflows_at_64_bits(v, n) && n + 1 < PMU_CYCLES &&
	       is_enabled(v, n + 1) && event_of(v, n + 1) == EVENT_CHAIN;
}

static void overflow(struct vcpu *v, unsigned int n)
{
	v->pmu.overflows |= (u32)BIT(n);
	if (is_chained(v, n) && count_one(v, n + 1))
		v->pmu.overflows |= (u32)BIT(n + 1);
}

void pmu_software_increment(struct vcpu *v, u32 counters)
{
	u64 excluded = vcpu_is_at_el0(v) ? TYPE_U : TYPE_P;

	for (u32 left = counters & ~(u32)BIT(PMU_CYCLES); left; left &= left - 1) {
		unsigned int n = (unsigned int)__builtin_ctz(left);

		if (is_enabled(v, n) && event_of(v, n) == EVENT_SW_INCR &&
		    !(v->pmu.type[n] & excluded) && count_one(v, n))
			overflow(v, n);
	}
}

/* ---- overflows, and the interrupt */

static void overflows_take(struct vcpu *v)
{
	u32 over = v->pmu.hw.overflowed;

	v->pmu.hw.overflowed = 0;
	for (; over; over &= over - 1)
		overflow(v, (unsigned int)__builtin_ctz(over));
}

static enum pmu_told level_of(const struct vcpu *v)
{
	const struct vcpu_pmu *p = &v->pmu;

	return p->control & PMCR_E && p->overflows & p->interrupts ? PMU_TOLD_HIGH : PMU_TOLD_LOW;
}

bool pmu_attend(struct vcpu *v)
{
	enum pmu_told level;

	if (!v->cpu.pmu)
		return false;
	overflows_take(v);
	level = level_of(v);
	if (level == v->pmu.told)
		return false;
	if (!v->cpu.gic.present)
		return true;
	v->pmu.told = (u8)level;
	(void)vgic_line(v->vm->vgic, &v->vgic, v->pmu.intid, level == PMU_TOLD_HIGH);
	return false;
}

u32 pmu_tell_user(struct vcpu *v)
{
	v->pmu.told = (u8)level_of(v);
	return v->pmu.told == PMU_TOLD_HIGH ? KVM_ARM_DEV_PMU : 0;
}

void pmu_pause(struct vcpu *v)
{
	if (v->loaded)
		port_guest_pmu_stop(&v->cpu);
	overflows_take(v);
}

void pmu_resume(struct vcpu *v)
{
	hw_compose(v);
	if (v->loaded)
		port_guest_pmu_start(&v->cpu);
	if (level_of(v) != v->pmu.told)
		__atomic_fetch_or(&v->requests, VCPU_REQ_PMU, __ATOMIC_RELAXED);
}

/* ---- what there is to count */

/* PMMIR_EL1 is 0, so that there are no slots: STALL_SLOT_BACKEND, _FRONTEND, STALL_SLOT. */
#define EVENTS_OF_SLOTS (BIT(0x3d - 32) | BIT(0x3e - 32) | BIT(0x3f - 32))

/* 32 events from @first on that the filter allows, as bits. */
static u64 allowed(const struct vm *vm, u64 first)
{
	u64 bits = 0;

	for (unsigned int i = 0; i < 32; i++)
		bits |= filter_allows(vm, first + i) ? BIT(i) : 0;
	return bits;
}

/* Events from 0x4000 on are in the upper half (D19.5.5). */
u64 pmu_events(const struct vcpu *v, unsigned int which)
{
	const struct vm *vm = v->vm;
	u64 events = port_pmu()->events[which];

	if (which == 0)
		events |= BIT(EVENT_CHAIN);
	else
		events &= ~EVENTS_OF_SLOTS;
	if (pmu_version(vm) < PMU_V3P1)
		return (u32)events & allowed(vm, which * 32);
	return events & (allowed(vm, which * 32) | allowed(vm, 0x4000 + which * 32) << 32);
}
