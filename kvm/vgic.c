/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a virtual GICv3's interrupts, and on which vCPU's list each belongs. */
#include "kvm/vgic.h"

#include "host/err.h"
#include "host/page.h"

/* ---- life */

static void irq_init(struct vgic_irq *irq, u32 intid)
{
	*irq = (struct vgic_irq){ .intid = intid, .group = 1 };
}

void vgic_init(struct vgic *g, const struct vgic_ops *ops, void *owner)
{
	spin_init(&g->lock);
	g->ops = ops;
	g->owner = owner;
	g->dist_base = VGIC_NO_ADDRESS;
	g->revision = VGIC_REVISION_LATEST;
	TAILQ_INIT(&g->regions);
}

static void lists_init(struct vgic_cpu *c)
{
	for (u32 kind = 0; kind < VGIC_LIST_KINDS; kind++) {
		for (u32 urgency = 0; urgency < VGIC_URGENCIES; urgency++)
			TAILQ_INIT(&c->lists[kind][urgency]);
	}
}

void vgic_cpu_init(struct vgic *g, struct vgic_cpu *c, u32 id, const u64 *mpidr)
{
	c->gic = g;
	c->id = id;
	c->mpidr = mpidr;
	c->asleep = true;
	lists_init(c);
	for (u32 i = 0; i < VGIC_PRIVATE; i++) {
		irq_init(&c->private[i], i);
		c->private[i].target = c;
		c->private[i].trigger = i < VGIC_SGIS ? VGIC_EDGE : VGIC_LEVEL;
		c->private[i].enabled = i < VGIC_SGIS;
	}
	spin_lock(&g->lock);
	g->cpus[g->cpu_count++] = c;
	vgic_place_cpu(g, c);
	spin_unlock(&g->lock);
}

/* Where an SPI goes until the guest says otherwise: IROUTER is unknown after a reset, 0.0.0.0 here,
 * which vCPU 0 has. Its MPIDR_EL1 may not be set yet. */
static struct vgic_cpu *first_target(struct vgic *g)
{
	for (u32 i = 0; i < g->cpu_count; i++) {
		if (g->cpus[i]->id == 0)
			return g->cpus[i];
	}
	return vgic_cpu_of(g, 0);
}

int vgic_start(struct vgic *g, u32 count)
{
	u32 spis = count ? count : VGIC_IRQS_DEFAULT - VGIC_PRIVATE;
	struct vgic_irq *irqs = kzalloc(spis * sizeof(*irqs));
	struct vgic_cpu *target = first_target(g);

	if (!irqs)
		return -ENOMEM;
	for (u32 i = 0; i < spis; i++) {
		irq_init(&irqs[i], VGIC_PRIVATE + i);
		irqs[i].target = target;
	}
	g->spis = irqs;
	g->spi_count = spis;
	__atomic_store_n(&g->initialised, true, __ATOMIC_RELEASE);
	return 0;
}

void vgic_destroy(struct vgic *g)
{
	struct vgic_region *r;

	while ((r = TAILQ_FIRST(&g->regions))) {
		TAILQ_REMOVE(&g->regions, r, link);
		kfree(r);
	}
	vgic_lpis_destroy(g);
	kfree(g->spis);
}

/* ---- finding */

struct vgic_irq *vgic_find(struct vgic *g, struct vgic_cpu *c, u32 intid)
{
	if (intid < VGIC_PRIVATE)
		return c ? &c->private[intid] : NULL;
	if (intid >= VGIC_SPECIAL && intid < VGIC_IRQS_MAX)
		return NULL;
	return intid - VGIC_PRIVATE < g->spi_count ? &g->spis[intid - VGIC_PRIVATE] : NULL;
}

struct vgic_cpu *vgic_cpu_of(struct vgic *g, u64 affinity)
{
	/* As vCPUs are numbered unless user space changed that (mpidr_of() of kvm/sysreg.c). */
	u32 guess = (affinity & 0xf) | (affinity >> 8 & 0xff) << 4 | (affinity >> 16 & 0xff) << 12;

	if (guess < g->cpu_count && (*g->cpus[guess]->mpidr & VGIC_AFFINITY) == affinity)
		return g->cpus[guess];
	for (u32 i = 0; i < g->cpu_count; i++) {
		if ((*g->cpus[i]->mpidr & VGIC_AFFINITY) == affinity)
			return g->cpus[i];
	}
	return NULL;
}

/* ---- lists */

static void list_remove(struct vgic_irq *irq)
{
	struct vgic_cpu *c = irq->on;
	struct vgic_list *list = &c->lists[irq->list_kind][irq->list_urgency];

	TAILQ_REMOVE(list, irq, link);
	if (TAILQ_EMPTY(list))
		c->filled[irq->list_kind] &= ~(1U << irq->list_urgency);
	__atomic_store_n(&c->listed, c->listed - 1, __ATOMIC_SEQ_CST);
	irq->on = NULL;
}

static enum vgic_list_kind kind_of(const struct vgic_irq *irq)
{
	if (irq->active)
		return VGIC_ACTIVE;
	return irq->group ? VGIC_PENDING_1 : VGIC_PENDING_0;
}

static u8 urgency_of(const struct vgic_irq *irq)
{
	return irq->priority >> VGIC_URGENCY_SHIFT;
}

static void list_add(struct vgic_irq *irq, struct vgic_cpu *c)
{
	irq->list_kind = (u8)kind_of(irq);
	irq->list_urgency = urgency_of(irq);
	TAILQ_INSERT_TAIL(&c->lists[irq->list_kind][irq->list_urgency], irq, link);
	c->filled[irq->list_kind] |= 1U << irq->list_urgency;
	__atomic_store_n(&c->listed, c->listed + 1, __ATOMIC_SEQ_CST);
	irq->on = c;
}

/* An active interrupt stays with the vCPU that handles it, whatever its route is meanwhile. */
static struct vgic_cpu *belongs_to(const struct vgic_irq *irq)
{
	if (irq->active)
		return irq->on ? irq->on : irq->target;
	return vgic_irq_is_wanted(irq) ? irq->target : NULL;
}

static bool is_listed_right(const struct vgic_irq *irq, const struct vgic_cpu *c)
{
	if (!c || irq->on != c)
		return irq->on == c;
	return irq->list_kind == kind_of(irq) && irq->list_urgency == urgency_of(irq);
}

void vgic_irq_changed(struct vgic *g, struct vgic_irq *irq)
{
	struct vgic_cpu *c;

	if (irq->in_lr) {
		/* What its vCPU makes of it is known after the next exit; so let there be one. */
		g->ops->kick(irq->on);
		return;
	}
	c = belongs_to(irq);
	if (!is_listed_right(irq, c)) {
		if (irq->on)
			list_remove(irq);
		if (c)
			list_add(irq, c);
	}
	if (c && vgic_irq_is_wanted(irq))
		g->ops->kick(c);
}

void vgic_all_changed(struct vgic *g)
{
	for (u32 i = 0; i < g->cpu_count; i++) {
		if (g->cpus[i]->listed)
			g->ops->kick(g->cpus[i]);
	}
}

/* ---- inputs */

int vgic_line(struct vgic *g, struct vgic_cpu *c, u32 intid, bool level)
{
	struct vgic_irq *irq;

	spin_lock(&g->lock);
	irq = vgic_find(g, c, intid);
	if (irq && irq->trigger == VGIC_EDGE) {
		irq->latch |= level;
		if (level)
			vgic_irq_changed(g, irq);
	} else if (irq && irq->line != level) {
		irq->line = level;
		vgic_irq_changed(g, irq);
	}
	spin_unlock(&g->lock);
	return irq ? 0 : -EINVAL;
}

/* Group 0 by any of the registers, group 1 by ICC_SGI1R_EL1 only (Arm IHI 0069, 8.1.10). */
static void sgi_raise(struct vgic *g, struct vgic_cpu *to, u32 intid, unsigned int group)
{
	struct vgic_irq *irq = &to->private[intid];

	if (irq->group > group)
		return;
	irq->latch = true;
	vgic_irq_changed(g, irq);
}

#define SGIR_TARGETS(v) ((v)&0xffff)
#define SGIR_INTID(v)	((u32)((v) >> 24) & 0xf)
#define SGIR_IRM	BIT(40) /* all but oneself */
#define SGIR_RANGE(v)	((v) >> 44 & 0xf)

/* Aff3.Aff2.Aff1.0 of the targets (Arm IHI 0069, 12.2.24). */
static u64 sgi_cluster(u64 value)
{
	return (value >> 48 & 0xff) << 32 | (value >> 32 & 0xff) << 16 | (value >> 16 & 0xff) << 8;
}

void vgic_sgi(struct vgic *g, const struct vgic_cpu *from, u64 value, unsigned int group)
{
	u32 intid = SGIR_INTID(value);

	spin_lock(&g->lock);
	if (value & SGIR_IRM) {
		for (u32 i = 0; i < g->cpu_count; i++) {
			if (g->cpus[i] != from)
				sgi_raise(g, g->cpus[i], intid, group);
		}
	} else {
		u64 first = sgi_cluster(value) | SGIR_RANGE(value) << 4;

		for (u64 bits = SGIR_TARGETS(value); bits; bits &= bits - 1) {
			struct vgic_cpu *to = vgic_cpu_of(g, first + (u64)__builtin_ctzl(bits));

			if (to)
				sgi_raise(g, to, intid, group);
		}
	}
	spin_unlock(&g->lock);
}
