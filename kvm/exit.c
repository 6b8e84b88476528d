/* SPDX-License-Identifier: Apache-2.0 */
/* What a synchronous exception from a guest leads to, by its class (Arm ARM D19.2.40, ESR_EL2.EC).
 */
#include "kvm/aarch32.h"
#include "kvm/cmo_trap.h"
#include "kvm/coproc.h"
#include "kvm/debug.h"
#include "kvm/vcpu.h"

#define WFX_IS_WFE BIT(0)

#define PSTATE_BTYPE (3UL << 10)

static __attribute__((noinline)) void skipped32(struct guest_cpu *g)
{
	g->pc = (u32)g->pc;
	g->pstate = aarch32_it_advance(g->pstate);
}

void vcpu_skip(struct vcpu *v)
{
	v->cpu.pc += v->cpu.esr & ESR_IL ? 4 : 2;
	v->cpu.pstate &= ~PSTATE_SS; /* this instruction has been stepped */
	if (v->cpu.pstate & PSTATE_NRW)
		skipped32(&v->cpu);
	else
		v->cpu.pstate &= ~PSTATE_BTYPE;
}

/* Sleeping happens in the run loop's terms: the thread is switched out, the hook puts the vCPU. */
static int handle_wfx(struct vcpu *v)
{
	bool executes =
		!(v->cpu.pstate & PSTATE_NRW) || aarch32_executes(v->cpu.esr, v->cpu.pstate);

	vcpu_skip(v);
	if (!executes)
		return 1;
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

/* ---- AArch32's */

/* SMC may have trapped though its condition fails, which the others' syndromes do not tell apart.
 */
#define SMC_CONDITION_UNKNOWN BIT(19)
/* What the calling convention passes; the upper halves are unknown (Arm ARM R_RZFVT). */
#define SMCCC_ARGUMENTS 8

static int skip(struct vcpu *v)
{
	vcpu_skip(v);
	return 1;
}

static void narrow_arguments(struct vcpu *v)
{
	for (unsigned int i = 0; i < SMCCC_ARGUMENTS; i++)
		v->cpu.x[i] = (u32)v->cpu.x[i];
}

/* Calls with 64-bit arguments are AArch64's (DEN 0028, 2.5). */
#define SMCCC_64BIT	    BIT(30)
#define SMCCC_NOT_SUPPORTED UINT32_MAX

static bool refuse_64bit_call(struct vcpu *v)
{
	if (!(v->cpu.x[0] & SMCCC_64BIT))
		return false;
	v->cpu.x[0] = SMCCC_NOT_SUPPORTED;
	return true;
}

static int handle_hvc32(struct vcpu *v)
{
	narrow_arguments(v);
	return refuse_64bit_call(v) ? 1 : handle_hvc(v);
}

static int handle_smc32(struct vcpu *v)
{
	if (v->cpu.esr & SMC_CONDITION_UNKNOWN && !aarch32_executes(v->cpu.esr, v->cpu.pstate))
		return skip(v);
	narrow_arguments(v);
	return refuse_64bit_call(v) ? skip(v) : handle_smc(v);
}

/* MRC, MCR, MRRC, MCRR, LDC, STC, VMRS. */
static int handle_coproc(struct vcpu *v)
{
	struct sr_access a;
	struct cmo_op op;

	exit_count(&v->exits, EXIT_sysreg);
	if (!aarch32_executes(v->cpu.esr, v->cpu.pstate))
		return skip(v);
	if (!coproc_decode(v->cpu.esr, &a)) {
		inject_undefined(v);
		return 1;
	}
	if (cmo_decode(sr_access_iss(&a), &op))
		return cmo_trap(v, &op);
	return coproc_trap(v, &a);
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
	[0x01] = handle_wfx,	     [0x03] = handle_coproc,
	[0x04] = handle_coproc,	     [0x05] = handle_coproc,
	[0x06] = handle_coproc,	     [0x08] = handle_coproc,
	[0x0c] = handle_coproc,	     [0x12] = handle_hvc32,
	[0x13] = handle_smc32,	     [0x16] = handle_hvc,
	[0x17] = handle_smc,	     [0x18] = handle_sysreg,
	[0x20] = handle_fetch_abort, [0x24] = handle_data_abort,
	[0x30] = debug_exit, /* breakpoint */
	[0x32] = debug_exit, /* software step */
	[0x34] = debug_exit, /* watchpoint */
	[0x38] = debug_exit, /* BKPT */
	[0x3a] = debug_exit, /* vector catch */
	[0x3c] = debug_exit, /* BRK */
};

int exit_handle(struct vcpu *v)
{
	int (*handler)(struct vcpu * v) = handlers[esr_ec(v->cpu.esr)];

	return handler ? handler(v) : handle_undefined(v);
}
