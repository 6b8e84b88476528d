/* SPDX-License-Identifier: Apache-2.0 */
/* Stage-2 aborts: the engine decides (engine/fault.h), this carries its outcome out. */
#include <asm-generic/siginfo.h>
#include <asm/signal.h>

#include "host/string.h"
#include "kvm/vcpu.h"

#define ESR_ISS_MASK   0x1ffffffUL
#define ESR_S1PTW      BIT(7)
#define ESR_FSC_TYPE   0x3cUL
#define FSC_PERMISSION 0x0cUL

/* HPFAR_EL2 is not set for a permission fault of the access itself (Arm ARM D19.2.64). */
static bool ipa_is_missing(u64 esr)
{
	return (esr & ESR_FSC_TYPE) == FSC_PERMISSION && !(esr & ESR_S1PTW);
}

/* KVM_EXIT_MEMORY_FAULT, with the rule (M18). */
static int report_fault(struct vcpu *v, const struct fault_outcome *o)
{
	struct catwalk_memory_fault f = {
		.gpa = o->fault_size ? ALIGN_DOWN(o->ipa.v, o->fault_size) : o->ipa.v,
		.size = o->fault_size,
		.rule = reason_rule(o->why),
	};

	snprintf(f.reason, sizeof(f.reason), "%s", reason_text(o->why));
	memcpy(v->run->padding, &f, sizeof(f));
	v->run->exit_reason = KVM_EXIT_MEMORY_FAULT;
	v->exits.to_user_other++;
	return o->error;
}

static int report_no_syndrome(struct vcpu *v, const struct fault_outcome *o)
{
	v->exits.to_user_other++;
	if (!v->vm->nisv_to_user)
		return -ENOSYS;
	v->run->arm_nisv.esr_iss = v->cpu.esr & ESR_ISS_MASK;
	v->run->arm_nisv.fault_ipa = o->ipa.v;
	v->run->exit_reason = KVM_EXIT_ARM_NISV;
	return 0;
}

/* The level of the descriptor at @desc (of its page), of the walk that was refused. */
static int walk_level(struct vcpu *v, ipa_t desc)
{
	struct guest_walk walk;

	guest_walk(v, v->cpu.far, &walk);
	for (unsigned int i = 0; i < walk.count; i++) {
		if (walk.step[i].desc.v >> PAGE_SHIFT == desc.v >> PAGE_SHIFT)
			return walk.step[i].level;
	}
	return NOT_ON_WALK; /* the guest has changed its tables meanwhile */
}

static int abort_inject(struct vcpu *v, const struct fault_outcome *o)
{
	int level = o->inject_on_walk ? walk_level(v, o->ipa) : NOT_ON_WALK;

	inject_sea(v, o->inject, v->cpu.far, level);
	return 1;
}

/*
 * Memory is out for a page of the guest's or a table: as if the program had touched its own. If
 * memory came back the guest accesses it again; if the program ends, a signal is pending.
 */
static int report_error(struct vcpu *v, const struct fault_outcome *o)
{
	if (o->error == -ENOMEM && (task_memory_is_out() || task_kill_pending(port_current())))
		return 1;
	if (o->error == -EINTR)
		v->run->exit_reason = KVM_EXIT_INTR;
	return o->error;
}

static int carry_out(struct vcpu *v, const struct fault_outcome *o)
{
	switch (o->kind) {
	case OUTCOME_RESUME: return 1;
	case OUTCOME_SKIP: vcpu_skip(v); return 1;
	case OUTCOME_INJECT: return abort_inject(v, o);
	case OUTCOME_MMIO: return mmio_begin(v, o);
	case OUTCOME_NO_SYNDROME: return report_no_syndrome(v, o);
	case OUTCOME_MEMORY_FAULT: return report_fault(v, o);
	case OUTCOME_SIGBUS:
		task_send_fault_signal(port_current(), SIGBUS, BUS_MCEERR_AR, o->hva);
		return 1;
	case OUTCOME_ERROR: return report_error(v, o);
	case OUTCOME_EXTERNAL: inject_serror(v); return 1;
	case OUTCOME_KINDS: break;
	}
	panic("an outcome without a meaning: %d", o->kind);
}

int abort_handle(struct vcpu *v)
{
	struct fault_trap trap;
	struct fault_outcome outcome;

	if (ipa_is_missing(v->cpu.esr) && !port_guest_find_ipa(&v->cpu))
		return 1;
	trap = (struct fault_trap){
		.esr = v->cpu.esr,
		.far = v->cpu.far,
		.hpfar = v->cpu.hpfar,
		.ring = v->ring.size ? &v->ring : NULL,
	};
	outcome = fault_handle(&v->vm->memory.guest, &trap);
	return carry_out(v, &outcome);
}
