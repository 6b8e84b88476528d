/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a guest's stage-1 tables, as far as its slots hold them. */
#include "kvm/stage1.h"
#include "kvm/vcpu.h"

/* The registers of stage 1, whether loaded or not. */
static struct stage1_regs regs_of(struct vcpu *v)
{
	const u64 *reg = v->cpu.reg;

	if (v->loaded)
		port_guest_regs_save(&v->cpu);
	return (struct stage1_regs){
		.sctlr = reg[GR_SCTLR_EL1],
		.tcr = reg[GR_TCR_EL1],
		.ttbr = { reg[GR_TTBR0_EL1], reg[GR_TTBR1_EL1] },
		.is_32bit = vcpu_is_32bit(v),
	};
}

static bool read_desc(struct vcpu *v, const struct stage1_walk *w, u64 *desc)
{
	struct slot_view slot;

	*desc = 0;
	return slot_look_up(&v->vm->memory.guest.slots, w->desc.v >> PAGE_SHIFT, &slot) &&
	       copy_from_user(desc, HVA(slot_hva_of(&slot, w->desc)), w->size) == 0;
}

void guest_walk(struct vcpu *v, u64 va, struct guest_walk *out)
{
	struct stage1_regs regs = regs_of(v);
	struct stage1_walk w;
	u64 desc;

	out->count = 0;
	for (bool more = stage1_begin(&w, &regs, va); more; more = stage1_next(&w, desc)) {
		struct guest_walk_step *step = &out->step[out->count++];

		*step = (struct guest_walk_step){ .desc = w.desc, .level = (s8)w.level };
		if (!read_desc(v, &w, &desc))
			return;
		step->is_leaf = stage1_is_leaf(&w, desc);
	}
}
