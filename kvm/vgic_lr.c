/* SPDX-License-Identifier: Apache-2.0 */
/*
 * List registers: which interrupts a vCPU takes into the guest, and what came of them (Arm IHI
 * 0069, 6.4 and 12.4.6).
 */
#include "kvm/vgic.h"

#define LR_PRIORITY_SHIFT 48
#define LR_EOI		  BIT(41) /* a maintenance interrupt when it is deactivated */
#define LR_GROUP1	  BIT(60)
#define LR_PENDING	  BIT(62)
#define LR_ACTIVE	  BIT(63)

#define HCR_EN		   BIT(0)
#define HCR_LRENPIE	   BIT(2) /* an end was counted */
#define HCR_NPIE	   BIT(3) /* nothing is pending any more */
#define HCR_VGRP0EIE	   BIT(4) /* the guest has enabled group 0 */
#define HCR_VGRP1EIE	   BIT(6)
#define HCR_TALL1	   BIT(12) /* accesses to registers of group 1 trap */
#define HCR_TDIR	   BIT(14)
#define HCR_EOICOUNT_SHIFT 27

/* ---- choosing */

static bool is_deliverable(const struct vgic *g, const struct vgic_irq *irq)
{
	return vgic_irq_is_wanted(irq) && (g->enabled & BIT(irq->group));
}

/*
 * Does the guest get it as pending? Not while it is active, if it is level-triggered: what its line
 * is then decides when it ends.
 */
static bool goes_pending(const struct vgic *g, const struct vgic_irq *irq)
{
	return is_deliverable(g, irq) && !(irq->active && irq->trigger == VGIC_LEVEL);
}

/*
 * More urgent first; of equal ones those that are active, which have to end first. An interrupt
 * that would preempt an active one is more urgent than it.
 */
static bool comes_before(const struct vgic_irq *a, const struct vgic_irq *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority;
	return a->active && !b->active;
}

struct choice {
	const struct vgic *g;
	u32 open; /* bit n: the guest has enabled group n */
	struct vgic_irq *irq[VGIC_LRS_MAX];
	u32 count, room;
	struct vgic_irq *pending; /* the most urgent that is, of the open groups */
	/* What stays outside */
	bool left_pending; /* of an open group */
	bool left_active;
	u32 left_held; /* bit n: pending ones of group n, which is not open */
};

/* Pending, and the guest takes it if its priority allows that. */
static bool is_open(const struct choice *ch, const struct vgic_irq *irq)
{
	return goes_pending(ch->g, irq) && (ch->open & BIT(irq->group));
}

static void note_left(struct choice *ch, const struct vgic_irq *irq)
{
	if (is_open(ch, irq))
		ch->left_pending = true;
	else if (goes_pending(ch->g, irq))
		ch->left_held |= 1U << irq->group;
	if (irq->active)
		ch->left_active = true;
}

/* False: there is no room for one of its urgency. */
static bool choose(struct choice *ch, struct vgic_irq *irq)
{
	u32 at = ch->count;

	if (is_open(ch, irq) && (!ch->pending || comes_before(irq, ch->pending)))
		ch->pending = irq;
	while (at > 0 && comes_before(irq, ch->irq[at - 1]))
		at--;
	if (at == ch->room) {
		note_left(ch, irq);
		return false;
	}
	if (ch->count == ch->room)
		note_left(ch, ch->irq[--ch->count]);
	for (u32 i = ch->count++; i > at; i--)
		ch->irq[i] = ch->irq[i - 1];
	ch->irq[at] = irq;
	return true;
}

/* Which urgencies there are among the pending ones of @groups. */
static u32 urgencies(const struct vgic_cpu *c, u32 groups)
{
	return (groups & 1 ? c->filled[VGIC_PENDING_0] : 0) |
	       (groups & 2 ? c->filled[VGIC_PENDING_1] : 0);
}

static void choose_active(struct choice *ch, struct vgic_cpu *c)
{
	struct vgic_irq *irq;

	for (u32 bits = c->filled[VGIC_ACTIVE]; bits; bits &= bits - 1) {
		TAILQ_FOREACH (irq, &c->lists[VGIC_ACTIVE][__builtin_ctz(bits)], link)
			(void)choose(ch, irq);
	}
}

static bool choose_list(struct choice *ch, struct vgic_list *list)
{
	struct vgic_irq *irq;

	TAILQ_FOREACH (irq, list, link) {
		if (!choose(ch, irq))
			return false;
	}
	return true;
}

/* Until one finds no room: those behind it are not more urgent. */
static void choose_pending(struct choice *ch, struct vgic_cpu *c)
{
	u32 groups = ch->g->enabled & ch->open;

	for (u32 bits = urgencies(c, groups); bits; bits &= bits - 1) {
		u32 urgency = (u32)__builtin_ctz(bits);

		for (u32 group = 0; group < 2; group++) {
			if (groups >> group & 1 &&
			    !choose_list(ch, &c->lists[VGIC_PENDING_0 + group][urgency]))
				return;
		}
	}
}

/* What the guest does not take until it enables the group has the room that is left. */
static void add_held(struct choice *ch, struct vgic_cpu *c, u32 group)
{
	struct vgic_irq *irq;

	for (u32 bits = urgencies(c, 1U << group); bits; bits &= bits - 1) {
		TAILQ_FOREACH (irq, &c->lists[VGIC_PENDING_0 + group][__builtin_ctz(bits)], link) {
			if (ch->count == ch->room) {
				ch->left_held |= 1U << group;
				return;
			}
			ch->irq[ch->count++] = irq;
		}
	}
}

/*
 * Active ones whose priority was dropped already (EOImode 1) would keep pending ones out for as
 * long as they last; the most urgent pending one always has a place.
 */
static void keep_place_for_pending(struct choice *ch)
{
	for (u32 i = 0; i < ch->count; i++) {
		if (is_open(ch, ch->irq[i]))
			return;
	}
	if (!ch->pending || !ch->count)
		return;
	note_left(ch, ch->irq[ch->count - 1]);
	ch->irq[ch->count - 1] = ch->pending;
}

/* ---- filling */

static u64 lr_take(const struct vgic *g, struct vgic_irq *irq)
{
	u64 lr = irq->intid | (u64)irq->priority << LR_PRIORITY_SHIFT;

	if (irq->group)
		lr |= LR_GROUP1;
	if (irq->trigger == VGIC_LEVEL)
		lr |= LR_EOI;
	if (irq->active)
		lr |= LR_ACTIVE;
	if (goes_pending(g, irq)) {
		lr |= LR_PENDING;
		irq->lr_latch = irq->latch;
		irq->latch = false;
	}
	irq->in_lr = true;
	irq->active_written = false;
	return lr;
}

static u64 hcr_for(const struct choice *ch)
{
	u64 hcr = HCR_EN;

	if (vgic_traps_dir(ch->g))
		hcr |= HCR_TDIR;
	if (ch->left_pending)
		hcr |= HCR_NPIE;
	if (ch->left_active)
		hcr |= HCR_LRENPIE | HCR_TDIR; /* the guest may change EOImode meanwhile */
	if (ch->left_held & 1)
		hcr |= HCR_VGRP0EIE;
	if (ch->left_held & 2)
		hcr |= HCR_VGRP1EIE;
	return hcr;
}

void vgic_fill(struct vgic *g, struct vgic_cpu *c, u64 vmcr, u32 lrs, struct vgic_lrs *out)
{
	struct choice ch = {
		.g = g,
		.open = vmcr & (VMCR_ENG0 | VMCR_ENG1),
		.room = min(lrs, (u32)VGIC_LRS_MAX),
	};

	spin_lock(&g->lock);
	choose_active(&ch, c);
	choose_pending(&ch, c);
	keep_place_for_pending(&ch);
	for (u32 group = 0; group < 2; group++) {
		if (g->enabled & ~ch.open & BIT(group))
			add_held(&ch, c, group);
	}
	for (u32 i = 0; i < ch.count; i++) {
		c->lr[i] = ch.irq[i];
		out->lr[i] = lr_take(g, ch.irq[i]);
	}
	out->used = ch.count;
	out->hcr = hcr_for(&ch);
	spin_unlock(&g->lock);
}

bool vgic_offers(const struct vgic_lrs *lrs, u32 intid)
{
	for (u32 i = 0; i < lrs->used; i++) {
		if ((u32)lrs->lr[i] == intid && lrs->lr[i] & LR_PENDING)
			return true;
	}
	return false;
}

void vgic_trap_acknowledge(struct vgic_lrs *lrs)
{
	lrs->hcr |= HCR_TALL1;
}

/* ---- folding */

/* Its last handler is done with it, and the line says whether there is more. */
static bool is_ended_level(const struct vgic_irq *irq)
{
	return irq->trigger == VGIC_LEVEL && irq->intid >= VGIC_PRIVATE;
}

/* @lr as it came back. True: the guest has deactivated a level-triggered SPI. */
static bool lr_fold(struct vgic *g, struct vgic_irq *irq, u64 lr)
{
	bool gone = !(lr & (LR_PENDING | LR_ACTIVE));

	if (lr & LR_PENDING)
		irq->latch |= irq->lr_latch;
	irq->lr_latch = false;
	irq->in_lr = false;
	/* An LPI has no active state (Arm IHI 0069, 4.1.2), whatever a list register says: its end
	 * would not be counted if it had to stay outside. */
	if (!irq->active_written)
		irq->active = (lr & LR_ACTIVE) && irq->intid < VGIC_LPI_FIRST;
	vgic_irq_changed(g, irq);
	return gone && is_ended_level(irq);
}

/*
 * The guest ended an interrupt that was in no list register. Ends come in the order of running
 * priorities: it was the most urgent of the active ones.
 */
static struct vgic_irq *first_outside(struct vgic_cpu *c)
{
	struct vgic_irq *irq;

	for (u32 bits = c->filled[VGIC_ACTIVE]; bits; bits &= bits - 1) {
		TAILQ_FOREACH (irq, &c->lists[VGIC_ACTIVE][__builtin_ctz(bits)], link) {
			if (!irq->in_lr)
				return irq;
		}
	}
	return NULL;
}

static struct vgic_irq *end_counted(struct vgic *g, struct vgic_cpu *c)
{
	struct vgic_irq *ended = first_outside(c);

	if (!ended)
		return NULL;
	ended->active = false;
	vgic_irq_changed(g, ended);
	return ended;
}

/*
 * With EOImode 1 an end drops the priority only, ICC_DIR_EL1 deactivates; some CPUs (QEMU's) count
 * it all the same.
 */
static u32 ends_counted(const struct vgic_lrs *in, u64 vmcr)
{
	if (!(in->hcr & HCR_LRENPIE) || (vmcr & VMCR_EOIM))
		return 0;
	return (u32)(in->hcr >> HCR_EOICOUNT_SHIFT) & VGIC_EOICOUNT_MAX;
}

u32 vgic_fold(struct vgic *g, struct vgic_cpu *c, u64 vmcr, const struct vgic_lrs *in, u32 *ended)
{
	u32 ends = ends_counted(in, vmcr), count = 0;

	spin_lock(&g->lock);
	/* First those outside: what lies in the list registers has not become inactive by that. */
	while (ends--) {
		struct vgic_irq *irq = end_counted(g, c);

		if (irq && is_ended_level(irq))
			ended[count++] = irq->intid;
	}
	for (u32 i = 0; i < in->used; i++) {
		struct vgic_irq *irq = c->lr[i];

		if (lr_fold(g, irq, in->lr[i]))
			ended[count++] = irq->intid;
	}
	spin_unlock(&g->lock);
	return count;
}

/* An SPI can be active on any vCPU (Arm IHI 0069, 4.1.3); what that one made of it until now
 * becomes known first. Under the lock, which is released in between. */
static void recall_holder(struct vgic *g, struct vgic_irq *irq)
{
	struct vgic_cpu *holder = irq->on;

	if (!irq->in_lr)
		return;
	spin_unlock(&g->lock);
	g->ops->recall(holder);
	spin_lock(&g->lock);
}

bool vgic_deactivate(struct vgic *g, struct vgic_cpu *c, u32 intid)
{
	struct vgic_irq *irq;
	bool ended = false;

	spin_lock(&g->lock);
	irq = vgic_find(g, c, intid);
	if (irq)
		recall_holder(g, irq);
	if (irq && irq->active) {
		irq->active = false;
		irq->active_written = irq->in_lr;
		vgic_irq_changed(g, irq);
		ended = is_ended_level(irq);
	}
	spin_unlock(&g->lock);
	return ended;
}

/* ---- waiting */

/* Active, and pending again: more of its kind may come before it ends. */
static bool active_is_pending(const struct vgic *g, struct vgic_cpu *c, u32 groups, u32 below)
{
	struct vgic_irq *irq;

	for (u32 bits = c->filled[VGIC_ACTIVE] & below; bits; bits &= bits - 1) {
		TAILQ_FOREACH (irq, &c->lists[VGIC_ACTIVE][__builtin_ctz(bits)], link) {
			if (goes_pending(g, irq) && (groups & BIT(irq->group)))
				return true;
		}
	}
	return false;
}

bool vgic_has_pending(struct vgic *g, struct vgic_cpu *c, u64 vmcr)
{
	u32 mask = (u32)(vmcr >> VMCR_PMR_SHIFT) & 0xff, groups;
	/* The urgencies whose priority, the lower bits being 0, is below the mask. */
	u32 below = (u32)(BIT((mask + (1 << VGIC_URGENCY_SHIFT) - 1) >> VGIC_URGENCY_SHIFT) - 1);
	bool found;

	if (vgic_is_idle(c))
		return false;
	spin_lock(&g->lock);
	groups = g->enabled & (vmcr & (VMCR_ENG0 | VMCR_ENG1));
	found = (urgencies(c, groups) & below) || active_is_pending(g, c, groups, below);
	spin_unlock(&g->lock);
	return found;
}
