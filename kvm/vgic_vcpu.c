/* SPDX-License-Identifier: Apache-2.0 */
/* The vGIC in the life of a vCPU: entry, exit, waiting, its trapped registers, its frames. */
#include "host/err.h"
#include "kvm/guest_data.h"
#include "kvm/irqchip.h"
#include "kvm/vcpu.h"

/* ---- how others reach it */

static struct vcpu *vcpu_of(struct vgic_cpu *c)
{
	return container_of(c, struct vcpu, vgic);
}

/*
 * Pairs with the entry protocol of run.c: what the list has is stored before mode is read here;
 * IN_GUEST is stored before the list is read there. One that sleeps tests its list again.
 */
static void kick(struct vgic_cpu *c)
{
	struct vcpu *v = vcpu_of(c);

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&v->mode, __ATOMIC_SEQ_CST) == VCPU_IN_GUEST)
		port_ipi_resched(__atomic_load_n(&v->on_cpu, __ATOMIC_RELAXED));
	else
		waitq_wake(&v->wait, WAKE_ALL, 0);
}

/*
 * Spins for as long as the other CPU takes to leave its guest. It needs nothing of this one for
 * that: who is here has left the guest itself, and holds no lock.
 */
static void recall(struct vgic_cpu *c)
{
	struct vcpu *v = vcpu_of(c);
	u32 folds = __atomic_load_n(&v->folds, __ATOMIC_ACQUIRE);

	kick(c);
	while (__atomic_load_n(&v->lrs.used, __ATOMIC_ACQUIRE) &&
	       __atomic_load_n(&v->folds, __ATOMIC_ACQUIRE) == folds)
		port_cpu_relax();
}

static int read_guest(struct vgic *g, u64 ipa, void *to, size_t n)
{
	struct vm *vm = g->owner;

	return guest_data_read(&vm->memory, ipa, to, n);
}

static int write_guest(struct vgic *g, u64 ipa, const void *from, size_t n)
{
	struct vm *vm = g->owner;

	return guest_data_write(&vm->memory, ipa, from, n);
}

const struct vgic_ops vgic_vcpu_ops = {
	.kick = kick,
	.recall = recall,
	.read = read_guest,
	.write = write_guest,
};

void vgic_vcpu_adopt(struct vcpu *v, struct vgic *g)
{
	vgic_cpu_init(g, &v->vgic, v->id, &v->cpu.reg[GR_MPIDR_EL1]);
}

/* ---- entry and exit */

#define PSTATE_I BIT(7)

/*
 * A timer's line falls in hardware when the guest programs it anew, which nobody is told; what is
 * pending in a list register stays so. A guest that may do that before it takes the interrupt, as
 * it has interrupts masked, is asked again when it acknowledges. Not one that has just been woken:
 * all guests sleep with interrupts masked, and then take what woke them.
 */
static bool line_may_fall(const struct vcpu *v)
{
	if (v->takes_now || !(v->cpu.pstate & PSTATE_I))
		return false;
	for (unsigned int n = 0; n < GUEST_TIMERS; n++) {
		if (v->timer_level & BIT(n) && vgic_offers(&v->lrs, v->vm->timer_ppi[n]))
			return true;
	}
	return false;
}

void vgic_enter(struct vcpu *v)
{
	vgic_fill(v->vm->vgic, &v->vgic, port_guest_gic_vmcr(), port_gic()->lrs, &v->lrs);
	if (!v->lrs.used)
		return;
	if (line_may_fall(v))
		vgic_trap_acknowledge(&v->lrs);
	port_guest_gic_give(&v->lrs);
}

int vgic_vcpu_acknowledges(struct vcpu *v)
{
	v->takes_now = true;
	return 1;
}

void vgic_leave(struct vcpu *v)
{
	u32 ended[VGIC_ENDED_MAX], count;

	port_guest_gic_take(&v->lrs);
	count = vgic_fold(v->vm->vgic, &v->vgic, port_guest_gic_vmcr(), &v->lrs, ended);
	__atomic_store_n(&v->lrs.used, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&v->folds, v->folds + 1, __ATOMIC_RELEASE);
	for (u32 i = 0; i < count; i++)
		irqchip_ended(v->vm, ended[i]);
}

bool vgic_vcpu_is_pending(struct vcpu *v)
{
	u64 vmcr;

	if (!v->cpu.gic.present || vgic_is_idle(&v->vgic))
		return false;
	vmcr = v->loaded ? port_guest_gic_vmcr() : v->cpu.gic.vmcr;
	return vgic_has_pending(v->vm->vgic, &v->vgic, vmcr);
}

int vgic_first_run(struct vcpu *v)
{
	struct vgic *g = v->vm->vgic;
	int error = 0;

	if (!v->vm->vgic_placed)
		error = vgic_placement_check(g, v->vm->memory.guest.s2.ipa_limit);
	if (!error && !vgic_is_initialised(g))
		error = -EBUSY;
	if (!error && v->vm->timer_ppi[0] == v->vm->timer_ppi[1])
		error = -EINVAL;
	if (error)
		return error;
	v->vm->vgic_placed = true;
	v->cpu.gic.present = true;
	v->cpu.gic.trap_dir = vgic_traps_dir(g);
	v->timer_level = TIMER_LEVEL_UNKNOWN;
	return 0;
}

void vgic_vcpu_reset(struct vcpu *v)
{
	v->cpu.gic = (struct guest_gic){ .present = v->cpu.gic.present,
					 .trap_dir = v->cpu.gic.trap_dir };
}

/* ---- what traps */

bool vgic_mmio(struct vcpu *v, const struct fault_outcome *o, u64 *data)
{
	struct vgic_access a = { .cpu = &v->vgic, .by = VGIC_BY_GUEST };

	if (!v->cpu.gic.present || !vgic_find_frame(v->vm->vgic, o->ipa.v, o->len, &a))
		return false;
	v->exits.served_vgic++;
	v->exits.doing = TIME_vgic;
	/* What the guest did to its timers before is seen in their interrupts. */
	if (a.frame == VGIC_FRAME_REDIST && a.cpu == &v->vgic)
		timers_settle(v);
	if (o->is_write)
		vgic_write(v->vm->vgic, &a, *data);
	else
		*data = vgic_read(v->vm->vgic, &a);
	return true;
}

void vgic_vcpu_sgi(struct vcpu *v, u64 value, unsigned int group)
{
	vgic_sgi(v->vm->vgic, &v->vgic, value, group);
}

void vgic_vcpu_deactivate(struct vcpu *v, u32 intid)
{
	/* With EOImode 0 ends have done it already. */
	if (!(port_guest_gic_vmcr() & VMCR_EOIM))
		return;
	if (vgic_deactivate(v->vm->vgic, &v->vgic, intid))
		irqchip_ended(v->vm, intid);
}
