/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's virtual and physical timers. Their lines are inputs of the vGIC; without one they go
 * to user space (KVM_CAP_ARM_USER_IRQ), and a line that rises ends WFI. The timers themselves run
 * in hardware while the vCPU is loaded, and are computed from their registers while it is not.
 */
#include "kvm/irqchip.h"
#include "kvm/vcpu.h"

#define CTL_ENABLE  BIT(0)
#define CTL_IMASK   BIT(1)
#define CTL_ISTATUS BIT(2)

#define NS_PER_S 1000000000UL

static const struct {
	enum guest_reg ctl, cval;
} timer_of[GUEST_TIMERS] = {
	[GUEST_TIMER_VIRTUAL] = { GR_CNTV_CTL_EL0, GR_CNTV_CVAL_EL0 },
	[GUEST_TIMER_PHYSICAL] = { GR_CNTP_CTL_EL0, GR_CNTP_CVAL_EL0 },
};

/* The counter as timer @n of the guest sees it. */
static u64 counter_of(const struct vcpu *v, unsigned int n)
{
	return port_counter() - v->vm->counter_offset[n];
}

/* An asserted line is known; until it falls its interrupt would only be in the way. */
void timer_sync(struct vcpu *v)
{
	u32 unmasked = ~port_guest_timer_lines() & (BIT(GUEST_TIMERS) - 1);

	if (unmasked == v->timer_unmasked)
		return;
	v->timer_unmasked = unmasked;
	port_guest_timer_unmask(unmasked);
}

static u32 level_now(const struct vcpu *v)
{
	return ~v->timer_unmasked & (BIT(GUEST_TIMERS) - 1);
}

static void drive_vgic(struct vcpu *v)
{
	u32 level = level_now(v), changed = level ^ v->timer_level;

	if (v->timer_level & TIMER_LEVEL_UNKNOWN)
		changed = ~0U;
	if (!changed)
		return;
	v->timer_level = level;
	for (unsigned int n = 0; n < GUEST_TIMERS; n++) {
		if (changed & BIT(n))
			(void)vgic_line(v->vm->vgic, &v->vgic, v->vm->timer_ppi[n], level & BIT(n));
	}
}

void timers_settle(struct vcpu *v)
{
	timer_sync(v);
	if (v->cpu.gic.present)
		drive_vgic(v);
}

/* KVM_ARM_DEV_EL1_VTIMER and PTIMER are bits 0 and 1, as our timers. */
_Static_assert(KVM_ARM_DEV_EL1_VTIMER == 1 << GUEST_TIMER_VIRTUAL, "bits of device_irq_level");
_Static_assert(KVM_ARM_DEV_EL1_PTIMER == 1 << GUEST_TIMER_PHYSICAL, "bits of device_irq_level");

bool timer_user_must_know(struct vcpu *v)
{
	return !v->cpu.gic.present && level_now(v) != v->timer_level;
}

void timer_tell_user(struct vcpu *v)
{
	if (v->cpu.gic.present)
		return;
	v->timer_level = level_now(v);
	v->run->s.regs.device_irq_level = v->timer_level | (v->cpu.pmu ? pmu_tell_user(v) : 0);
}

/* Without 128-bit division; SCHED_FOREVER if it does not fit. */
static u64 counter_to_ns(u64 ticks)
{
	u64 hz = port_counter_hz(), seconds = ticks / hz;

	if (seconds >= SCHED_FOREVER / NS_PER_S)
		return SCHED_FOREVER;
	return seconds * NS_PER_S + ticks % hz * NS_PER_S / hz;
}

u64 timer_next_ns(const struct vcpu *v, u32 settled)
{
	u64 next = SCHED_FOREVER;

	for (unsigned int n = 0; n < GUEST_TIMERS; n++) {
		u64 ctl = v->cpu.reg[timer_of[n].ctl], cval = v->cpu.reg[timer_of[n].cval], now, ns;

		if ((ctl & (CTL_ENABLE | CTL_IMASK)) != CTL_ENABLE)
			continue;
		now = counter_of(v, n);
		if (now >= cval && settled & BIT(n))
			continue;
		if (now >= cval)
			return 0;
		ns = counter_to_ns(cval - now);
		if (ns < SCHED_FOREVER - port_time_ns())
			next = min(next, port_time_ns() + ns);
	}
	return next;
}

/* ---- ONE_REG */

const u64 timer_regs[6] = {
	KVM_REG_ARM_TIMER_CTL,	KVM_REG_ARM_TIMER_CNT,	KVM_REG_ARM_TIMER_CVAL,
	KVM_REG_ARM_PTIMER_CTL, KVM_REG_ARM_PTIMER_CNT, KVM_REG_ARM_PTIMER_CVAL,
};

static u64 ctl_with_status(const struct vcpu *v, unsigned int n)
{
	u64 ctl = v->cpu.reg[timer_of[n].ctl] & (CTL_ENABLE | CTL_IMASK);

	if ((ctl & CTL_ENABLE) && counter_of(v, n) >= v->cpu.reg[timer_of[n].cval])
		ctl |= CTL_ISTATUS;
	return ctl;
}

int timer_reg_get(struct vcpu *v, u64 id, u64 *value)
{
	switch (id) {
	case KVM_REG_ARM_TIMER_CTL: *value = ctl_with_status(v, GUEST_TIMER_VIRTUAL); return 0;
	case KVM_REG_ARM_TIMER_CNT: *value = counter_of(v, GUEST_TIMER_VIRTUAL); return 0;
	case KVM_REG_ARM_TIMER_CVAL: *value = v->cpu.reg[GR_CNTV_CVAL_EL0]; return 0;
	case KVM_REG_ARM_PTIMER_CTL: *value = ctl_with_status(v, GUEST_TIMER_PHYSICAL); return 0;
	case KVM_REG_ARM_PTIMER_CNT: *value = counter_of(v, GUEST_TIMER_PHYSICAL); return 0;
	case KVM_REG_ARM_PTIMER_CVAL: *value = v->cpu.reg[GR_CNTP_CVAL_EL0]; return 0;
	}
	return -ENOENT;
}

/* Writing a count moves the VM's offset of that counter, unless KVM_ARM_SET_COUNTER_OFFSET fixed
 * it. */
static void count_set(struct vcpu *v, unsigned int n, u64 value)
{
	struct vm *vm = v->vm;

	mutex_lock(&vm->lock);
	if (!vm->counter_offset_set)
		vm->counter_offset[n] = port_counter() - value;
	mutex_unlock(&vm->lock);
}

int timer_reg_set(struct vcpu *v, u64 id, u64 value)
{
	switch (id) {
	case KVM_REG_ARM_TIMER_CTL: v->cpu.reg[GR_CNTV_CTL_EL0] = value & ~CTL_ISTATUS; return 0;
	case KVM_REG_ARM_TIMER_CNT: count_set(v, GUEST_TIMER_VIRTUAL, value); return 0;
	case KVM_REG_ARM_TIMER_CVAL: v->cpu.reg[GR_CNTV_CVAL_EL0] = value; return 0;
	case KVM_REG_ARM_PTIMER_CTL: v->cpu.reg[GR_CNTP_CTL_EL0] = value & ~CTL_ISTATUS; return 0;
	case KVM_REG_ARM_PTIMER_CNT: count_set(v, GUEST_TIMER_PHYSICAL, value); return 0;
	case KVM_REG_ARM_PTIMER_CVAL: v->cpu.reg[GR_CNTP_CVAL_EL0] = value; return 0;
	}
	return -ENOENT;
}

/* ---- trapped accesses to the physical counter and timer */

static u64 physical_count(const struct vcpu *v)
{
	return port_counter() - v->cpu.cntpoff;
}

u64 timer_trapped_read(struct vcpu *v, enum timer_reg reg)
{
	const u64 *r = v->cpu.reg;

	port_guest_regs_save(&v->cpu);
	switch (reg) {
	case PTIMER_COUNT: return physical_count(v);
	case PTIMER_TVAL: return (u32)(r[GR_CNTP_CVAL_EL0] - physical_count(v));
	case PTIMER_CTL: return r[GR_CNTP_CTL_EL0];
	case PTIMER_CVAL: return r[GR_CNTP_CVAL_EL0];
	}
	return 0;
}

void timer_trapped_write(struct vcpu *v, enum timer_reg reg, u64 value)
{
	u64 *r = v->cpu.reg;

	port_guest_regs_save(&v->cpu);
	switch (reg) {
	case PTIMER_COUNT: break; /* read only */
	case PTIMER_TVAL: r[GR_CNTP_CVAL_EL0] = physical_count(v) + (u64)(s32)value; break;
	case PTIMER_CTL: r[GR_CNTP_CTL_EL0] = value & (CTL_ENABLE | CTL_IMASK); break;
	case PTIMER_CVAL: r[GR_CNTP_CVAL_EL0] = value; break;
	}
	port_guest_regs_restore(&v->cpu);
}

_Static_assert(KVM_ARM_VCPU_TIMER_IRQ_VTIMER == GUEST_TIMER_VIRTUAL, "timers by attribute");
_Static_assert(KVM_ARM_VCPU_TIMER_IRQ_PTIMER == GUEST_TIMER_PHYSICAL, "timers by attribute");

int timer_set_counter_offset(struct vm *vm, hva_t arg)
{
	struct kvm_arm_counter_offset o;
	int error;

	if (copy_from_user(&o, arg, sizeof(o)))
		return -EFAULT;
	if (o.reserved)
		return -EINVAL;
	mutex_lock(&vm->lock);
	error = vcpus_trylock(vm);
	if (!error) {
		for (unsigned int n = 0; n < GUEST_TIMERS; n++)
			vm->counter_offset[n] = o.counter_offset;
		vm->counter_offset_set = true;
		vcpus_unlock(vm);
	}
	mutex_unlock(&vm->lock);
	return error;
}

/* ---- their interrupts */

#define PPI_VIRTUAL  27
#define PPI_PHYSICAL 30

void guest_timers_init(struct vm *vm)
{
	vm->timer_ppi[GUEST_TIMER_VIRTUAL] = PPI_VIRTUAL;
	vm->timer_ppi[GUEST_TIMER_PHYSICAL] = PPI_PHYSICAL;
}

int timer_ppi_set(struct vm *vm, u32 n, hva_t arg)
{
	int error = 0;
	s32 intid;

	if (!vm->vgic)
		return -EINVAL;
	if (copy_from_user(&intid, arg, sizeof(intid)))
		return -EFAULT;
	if (intid < VGIC_SGIS || intid >= VGIC_PRIVATE)
		return -EINVAL;
	mutex_lock(&vm->lock);
	if (vm->ran)
		error = -EBUSY;
	else
		vm->timer_ppi[n] = (u32)intid;
	mutex_unlock(&vm->lock);
	return error;
}

int timer_ppi_get(struct vm *vm, u32 n, hva_t arg)
{
	s32 intid = (s32)vm->timer_ppi[n];

	return copy_to_user(arg, &intid, sizeof(intid));
}
