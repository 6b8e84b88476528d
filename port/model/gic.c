/* SPDX-License-Identifier: Apache-2.0 */
#include "port/model/gic.h"

#include <string.h>

#define LR_INTID(l)    ((u32)(l))
#define LR_PRIORITY(l) ((u32)((l) >> 48) & 0xff)
#define LR_GROUP(l)    ((u32)((l) >> 60) & 1)
#define LR_PENDING     BIT(62)
#define LR_ACTIVE      BIT(63)

#define HCR_EN	      BIT(0)
#define HCR_TALL1     BIT(12)
#define HCR_TDIR      BIT(14)
#define HCR_EOICOUNT  27
#define EOICOUNT_MAX  31UL
#define VMCR_EOIM_BIT BIT(9)
#define VMCR_MASK(v)  ((u32)((v) >> 24) & 0xff)
#define URGENCY_SHIFT 3
#define LPI_FIRST     8192
#define ACTIVE_PRIOS  32

/* One interface. Five bits of a priority count, and all of them preempt (binary point 0). */
struct interface {
	u64 vmcr;
	u32 active[2]; /* priorities of each group that are active (ICH_AP<n>R) */
	struct vgic_lrs lrs;
};

static struct {
	struct interface cpu[MODEL_GIC_CPUS], *now;
	struct port_gic facts;
} gic;

unsigned int model_timer_lines;

void model_gic_reset(unsigned int lrs)
{
	memset(&gic, 0, sizeof(gic));
	gic.facts = (struct port_gic){ .lrs = (u8)lrs, .aprs = 1, .ctlr = 4 << 8 };
	gic.now = &gic.cpu[0];
}

void model_gic_cpu(unsigned int cpu)
{
	if (cpu >= MODEL_GIC_CPUS)
		panic("there is no CPU %u", cpu);
	gic.now = &gic.cpu[cpu];
}

void model_gic_set_vmcr(u64 vmcr)
{
	gic.now->vmcr = vmcr;
}

/* ---- the contract */

const struct port_gic *port_gic(void)
{
	return &gic.facts;
}

u64 port_guest_gic_vmcr(void)
{
	return gic.now->vmcr;
}

static void lr_check(const struct vgic_lrs *in, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		if (LR_INTID(in->lr[i]) == LR_INTID(in->lr[n]))
			panic("interrupt %u is in two list registers", LR_INTID(in->lr[n]));
	}
	if (!(in->lr[n] & (LR_PENDING | LR_ACTIVE)))
		panic("interrupt %u is given, and neither pending nor active", LR_INTID(in->lr[n]));
}

void port_guest_gic_give(const struct vgic_lrs *in)
{
	if (gic.now->lrs.used)
		panic("list registers are given twice");
	if (in->used > gic.facts.lrs || !(in->hcr & HCR_EN))
		panic("%u list registers with HCR %lx", in->used, (unsigned long)in->hcr);
	for (u32 i = 0; i < in->used; i++)
		lr_check(in, i);
	gic.now->lrs = *in;
}

void port_guest_gic_take(struct vgic_lrs *out)
{
	*out = gic.now->lrs;
	memset(&gic.now->lrs, 0, sizeof(gic.now->lrs));
}

/* ---- the guest */

/* The most urgent of the active priorities; ACTIVE_PRIOS: none. */
static u32 running(void)
{
	u32 all = gic.now->active[0] | gic.now->active[1];

	return all ? (u32)__builtin_ctz(all) : ACTIVE_PRIOS;
}

static u64 *most_urgent(void)
{
	u64 *best = NULL;

	for (u32 i = 0; i < gic.now->lrs.used; i++) {
		u64 *lr = &gic.now->lrs.lr[i];

		if (*lr & LR_PENDING && gic.now->vmcr & BIT(LR_GROUP(*lr)) &&
		    (!best || LR_PRIORITY(*lr) < LR_PRIORITY(*best)))
			best = lr;
	}
	return best;
}

u32 model_gic_acknowledge(unsigned int group)
{
	u64 *lr = most_urgent();
	u32 urgency;

	if (group == 1 && gic.now->lrs.hcr & HCR_TALL1)
		return MODEL_GIC_TRAPS;
	if (!lr || LR_GROUP(*lr) != group || LR_PRIORITY(*lr) >= VMCR_MASK(gic.now->vmcr))
		return MODEL_GIC_NONE;
	urgency = LR_PRIORITY(*lr) >> URGENCY_SHIFT;
	if (urgency >= running())
		return MODEL_GIC_NONE;
	gic.now->active[group] |= 1U << urgency;
	*lr = (*lr & ~LR_PENDING) | LR_ACTIVE;
	return LR_INTID(*lr);
}

/* False: no list register has it as active. */
static bool deactivate(u32 intid)
{
	for (u32 i = 0; i < gic.now->lrs.used; i++) {
		u64 *lr = &gic.now->lrs.lr[i];

		if (LR_INTID(*lr) == intid && *lr & LR_ACTIVE) {
			*lr &= ~LR_ACTIVE;
			return true;
		}
	}
	return false;
}

void model_gic_end(unsigned int group, u32 intid)
{
	u64 *hcr = &gic.now->lrs.hcr;

	if (!gic.now->active[group])
		return;
	gic.now->active[group] &= gic.now->active[group] - 1;
	if (gic.now->vmcr & VMCR_EOIM_BIT || deactivate(intid) || intid >= LPI_FIRST)
		return;
	if ((*hcr >> HCR_EOICOUNT) < EOICOUNT_MAX)
		*hcr += 1UL << HCR_EOICOUNT;
}

bool model_gic_deactivate(u32 intid)
{
	if (gic.now->lrs.hcr & HCR_TDIR)
		return true;
	if (gic.now->vmcr & VMCR_EOIM_BIT)
		(void)deactivate(intid);
	return false;
}
