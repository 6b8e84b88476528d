/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trapped cache maintenance by address (cmo=trap, abi/catwalk_run.h). The trap comes before the
 * address is translated: what the CPU would have done is done here, and a stage-2 abort goes the
 * way of any other (kvm/abort.c). Where that leaves the instruction to be made again, the guest
 * makes it again, and it traps again.
 */
#include "kvm/cmo_trap.h"
#include "kvm/vcpu.h"

#define EC_DABT_LOWER 0x24UL

/* Neither PAN nor UAO concern maintenance; DC IVAC is EL1's alone. */
static enum guest_access access_of(const struct vcpu *v, const struct cmo_op *op)
{
	if (vcpu_is_at_el0(v))
		return GUEST_READS_EL0;
	return op->access == MEM_WRITE ? GUEST_WRITES_EL1 : GUEST_READS_EL1;
}

/*
 * As clean and invalidate, which DC IVAC is anyway under stage 2 and which harms nobody, should the
 * page have another owner by now. By page, since a VM's CTR_EL0 may name longer lines than the
 * CPU's.
 */
static void perform(const struct cmo_op *op, pa_t page)
{
	struct port *p = port_engine();
	bool is_reachable = port_pa_is_ram(page);

	switch (op->what) {
	case CMO_DATA_LINE:
		if (is_reachable)
			port_dcache_clean_inval(p, page, PAGE_SIZE);
		break;
	case CMO_FETCH_LINE:
		if (is_reachable)
			port_icache_inval(p, page, PAGE_SIZE);
		else
			port_icache_inval_all(p);
		break;
	case CMO_ALL_FETCHES: port_icache_inval_all(p); break;
	}
}

/*
 * Did the CPU's walk stop at the descriptor of @step? It reads descriptors, and writes only to a
 * leaf's, to set its Access flag; HCR_EL2.PTW keeps it out of Device memory.
 */
static bool walk_stops_at(struct vcpu *v, const struct guest_walk_step *step, u64 par)
{
	struct stage2 *s2 = &v->vm->memory.guest.s2;
	struct s2_leaf leaf;
	bool is_mapped;

	port_walk_enter(s2->port);
	is_mapped = stage2_lookup(s2, step->desc, &leaf);
	port_walk_leave(s2->port);
	if (cmo_lacks_permission(par))
		return is_mapped && (step->is_leaf || leaf.type == S2_DEVICE);
	return !is_mapped || !leaf.accessed;
}

static bool find_walk_ipa(struct vcpu *v, u64 va, u64 par)
{
	struct guest_walk walk;

	guest_walk(v, va, &walk);
	for (unsigned int i = 0; i < walk.count; i++) {
		if (walk_stops_at(v, &walk.step[i], par)) {
			v->cpu.hpfar = ALIGN_DOWN(walk.step[i].desc.v, PAGE_SIZE) >> 8;
			return true;
		}
	}
	return false;
}

/* The stage-2 abort that @par stands for, as if the CPU had taken it to EL2. */
static int abort_raise(struct vcpu *v, u64 va, u64 par)
{
	bool found = true;

	v->cpu.esr = EC_DABT_LOWER << ESR_EC_SHIFT | ESR_IL | cmo_abort_iss(par);
	v->cpu.far = va;
	if (cmo_verdict(par) == CMO_WALK_FAULT)
		found = find_walk_ipa(v, va, par);
	else if (!cmo_lacks_permission(par)) /* else abort_handle() finds it */
		found = port_guest_find_ipa(&v->cpu);
	return found ? abort_handle(v) : 1;
}

int cmo_trap(struct vcpu *v, const struct cmo_op *op)
{
	u64 va = vcpu_x(v, op->rt), par = 0;

	if (v->cpu.pstate & PSTATE_NRW)
		va = (u32)va;
	if (op->what != CMO_ALL_FETCHES)
		par = port_guest_translate(&v->cpu, va, access_of(v, op));
	switch (cmo_verdict(par)) {
	case CMO_PERFORM:
		perform(op, cmo_output(par));
		vcpu_skip(v);
		return 1;
	case CMO_STAGE1_FAULT: inject_data_abort(v, va, cmo_abort_iss(par)); return 1;
	case CMO_STAGE2_FAULT:
	case CMO_WALK_FAULT: break;
	}
	return abort_raise(v, va, par);
}
