/* SPDX-License-Identifier: Apache-2.0 */
/* What a synchronous exception from a guest leads to, by its class (Arm ARM D19.2.40, ESR_EL2.EC).
 */
#include "kvm/cmo_trap.h"
#include "kvm/debug.h"
#include "kvm/vcpu.h"

#define WFX_IS_WFE BIT(0)

/* The state of a T32 IT block after one instruction of it (Arm ARM F1.3.2); IT[1:0] are bits 26:25.
 */
static u64 it_advance(u64 pstate)
{
	u64 it = (pstate >> 25 & 3) | (pstate >> 8 & 0xfc);

	it = it & 7 ? (it & 0xe0) | (it << 1 & 0x1f) : 0;
	pstate &= ~(3UL << 25 | 0xfc00UL);
	return pstate | (it & 3) << 25 | (it & 0xfc) << 8;
}

#define PSTATE_BTYPE (3UL << 10)

void vcpu_skip(struct vcpu *v)
{
	v->cpu.pc += v->cpu.esr & ESR_IL ? 4 : 2;
	if (v->cpu.pstate & PSTATE_NRW)
		v->cpu.pstate = it_advance(v->cpu.pstate);
	else
		v->cpu.pstate &= ~PSTATE_BTYPE;
	v->cpu.pstate &= ~PSTATE_SS; /* this instruction has been stepped */
}

/* Sleeping happens in the run loop's terms: the thread is switched out, the hook puts the vCPU. */
static int handle_wfx(struct vcpu *v)
{
	vcpu_skip(v);
	if (v->cpu.esr & WFX_IS_WFE) {
		exit_count(&v->exits, EXIT_wfe);
		sched_point();
		return 1;
	}
	exit_count(&v->exits, EXIT_wfi);
	v->takes_now = true;
	return vcpu_wait(v);
}

static int handle_undefined(struct vcpu *v)
{
	exit_count(&v->exits, EXIT_undefined);
	inject_undefined(v);
	return 1;
}

static int handle_hvc(struct vcpu *v)
{
	exit_count(&v->exits, EXIT_hvc);
	return hypercall_handle(v);
}

static int handle_smc(struct vcpu *v)
{
	exit_count(&v->exits, EXIT_smc);
	return smc_handle(v);
}

static int handle_sysreg(struct vcpu *v)
{
	struct cmo_op op;

	if (cmo_decode(v->cpu.esr, &op)) {
		exit_count(&v->exits, EXIT_cmo);
		return cmo_trap(v, &op);
	}
	exit_count(&v->exits, EXIT_sysreg);
	return sysreg_trap(v);
}

static int handle_data_abort(struct vcpu *v)
{
	exit_count(&v->exits, EXIT_abort_data);
	return abort_handle(v);
}

static int handle_fetch_abort(struct vcpu *v)
{
	exit_count(&v->exits, EXIT_abort_fetch);
	return abort_handle(v);
}

/* Classes without a row are undefined instructions to the guest: what they name it does not have.
 */
static int (*const handlers[64])(struct vcpu *v) = {
	[0x01] = handle_wfx,	[0x12] = handle_hvc, /* AArch32 */
	[0x13] = handle_smc,	[0x16] = handle_hvc,	     [0x17] = handle_smc,
	[0x18] = handle_sysreg, [0x20] = handle_fetch_abort, [0x24] = handle_data_abort,
	[0x30] = debug_exit, /* breakpoint */
	[0x32] = debug_exit, /* software step */
	[0x34] = debug_exit, /* watchpoint */
	[0x38] = debug_exit, /* BKPT */
	[0x3c] = debug_exit, /* BRK */
};

int exit_handle(struct vcpu *v)
{
	int (*handler)(struct vcpu * v) = handlers[esr_ec(v->cpu.esr)];

	return handler ? handler(v) : handle_undefined(v);
}
