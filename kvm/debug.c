/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debugging of guests, by themselves and by user space. Debug registers are switched with a vCPU
 * only as long as somebody uses them; else a guest's accesses trap (MDCR_EL2.TDA) and find them in
 * memory.
 */
#include "kvm/debug.h"

#include "kvm/vcpu.h"

#define MDSCR_SS  BIT(0)
#define MDSCR_KDE BIT(13)
#define MDSCR_MDE BIT(15)

#define EC_WATCHPOINT 0x34

#define KNOWN_FLAGS                                                                                \
	(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_SW_BP |                  \
	 KVM_GUESTDBG_USE_HW)

static bool user_steps(const struct vcpu *v)
{
	return v->guest_debug & KVM_GUESTDBG_SINGLESTEP;
}

static bool os_is_locked(const struct vcpu *v)
{
	return v->cpu.reg[GR_OSLSR_EL1] & OSLSR_OSLK;
}

int debug_set_guest_debug(struct vcpu *v, hva_t arg)
{
	struct kvm_guest_debug d;

	if (copy_from_user(&d, arg, sizeof(d)))
		return -EFAULT;
	if (d.control & ~(u32)KNOWN_FLAGS)
		return -EINVAL;
	v->guest_debug = d.control & KVM_GUESTDBG_ENABLE ? d.control : 0;
	if (!v->guest_debug)
		v->step_pending = false;
	for (unsigned int i = 0; v->guest_debug & KVM_GUESTDBG_USE_HW && i < GUEST_DEBUG_REGS;
	     i++) {
		v->user_hw.bvr[i] = d.arch.dbg_bvr[i];
		v->user_hw.bcr[i] = d.arch.dbg_bcr[i];
		v->user_hw.wvr[i] = d.arch.dbg_wvr[i];
		v->user_hw.wcr[i] = d.arch.dbg_wcr[i];
	}
	return 0;
}

/*
 * What the CPU has while user space debugs: its breakpoints and watchpoints, or else the guest's
 * own, whose exceptions then go to user space too (MDCR_EL2.TDE). A guest does not step meanwhile.
 */
static void user_debug_compose(struct vcpu *v)
{
	struct guest_debug *d = &v->user_debug;

	if (v->guest_debug & KVM_GUESTDBG_USE_HW) {
		*d = v->user_hw;
		d->mdscr = v->own_debug.mdscr | MDSCR_MDE;
	} else {
		*d = v->own_debug;
		if (os_is_locked(v))
			d->mdscr &= ~MDSCR_MDE;
	}
	d->mdscr &= ~MDSCR_SS;
	if (user_steps(v))
		d->mdscr |= MDSCR_SS;
}

static bool guest_uses_registers(const struct vcpu *v)
{
	return v->own_debug.mdscr & (MDSCR_SS | MDSCR_KDE | MDSCR_MDE) && !os_is_locked(v);
}

static void give_to_guest(struct vcpu *v)
{
	v->cpu.debug = &v->own_debug;
	v->cpu.debug_by = guest_uses_registers(v) ? GUEST_DEBUG_BY_GUEST : GUEST_DEBUG_BY_NOBODY;
}

void debug_run_begin(struct vcpu *v)
{
	struct guest_cpu *g = &v->cpu;

	v->own_step = g->pstate & PSTATE_SS;
	if (!v->guest_debug) {
		give_to_guest(v);
		return;
	}
	user_debug_compose(v);
	g->debug_by = GUEST_DEBUG_BY_USER;
	g->debug = &v->user_debug;
	if (!user_steps(v))
		return;
	/* One instruction, unless the last run ended between a step and its exception. */
	if (v->step_pending)
		g->pstate &= ~PSTATE_SS;
	else
		g->pstate |= PSTATE_SS;
	v->step_pending = false;
}

void debug_run_end(struct vcpu *v)
{
	if (!user_steps(v))
		return;
	v->step_pending = v->run->exit_reason != KVM_EXIT_DEBUG && !(v->cpu.pstate & PSTATE_SS);
	v->cpu.pstate = (v->cpu.pstate & ~PSTATE_SS) | v->own_step;
}

void debug_stepped(struct vcpu *v)
{
	v->step_pending = user_steps(v);
}

void debug_after_put(struct vcpu *v)
{
	if (v->cpu.debug_by == GUEST_DEBUG_BY_GUEST)
		give_to_guest(v);
}

/* Comes only while user space debugs the guest (MDCR_EL2.TDE). */
int debug_exit(struct vcpu *v)
{
	struct kvm_run *run = v->run;

	exit_count(&v->exits, EXIT_debug);
	v->exits.to_user_other++;
	run->exit_reason = KVM_EXIT_DEBUG;
	run->flags = KVM_DEBUG_ARCH_HSR_HIGH_VALID;
	run->debug.arch.hsr = (u32)v->cpu.esr;
	run->debug.arch.hsr_high = (u32)(v->cpu.esr >> 32);
	run->debug.arch.far = esr_ec(v->cpu.esr) == EC_WATCHPOINT ? v->cpu.far : 0;
	return 0;
}

/* ---- the guest's own use */

static void hand_over(struct vcpu *v, enum guest_debug_by by)
{
	if (v->cpu.debug_by == by)
		return;
	vcpu_put(v);
	v->cpu.debug_by = by;
	vcpu_load(v);
}

bool debug_first_use(struct vcpu *v)
{
	if (v->cpu.debug_by != GUEST_DEBUG_BY_NOBODY || os_is_locked(v))
		return false;
	hand_over(v, GUEST_DEBUG_BY_GUEST);
	return true;
}

void debug_changed(struct vcpu *v)
{
	if (v->cpu.debug_by != GUEST_DEBUG_BY_USER)
		return;
	vcpu_put(v);
	user_debug_compose(v);
	vcpu_load(v);
}

void debug_os_lock(struct vcpu *v, bool lock)
{
	/* Registers that are loaded come back to memory before the lock is looked at. */
	if (v->cpu.debug_by == GUEST_DEBUG_BY_GUEST)
		hand_over(v, GUEST_DEBUG_BY_NOBODY);
	v->cpu.reg[GR_OSLSR_EL1] = OSLSR_OSLM | (lock ? OSLSR_OSLK : 0);
	debug_changed(v);
	if (v->cpu.debug_by == GUEST_DEBUG_BY_NOBODY && guest_uses_registers(v))
		hand_over(v, GUEST_DEBUG_BY_GUEST);
}
