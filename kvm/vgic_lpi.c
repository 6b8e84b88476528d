/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LPIs (Arm IHI 0069, chapter 5): their state, by chunks of 64 that come into being when one of
 * them is mapped and stay until the VM goes: at most 5 MiB. Their configuration is one byte each of
 * the guest's memory, their pending bits one bit each, both kept here meanwhile.
 */
#include "host/err.h"
#include "host/page.h"
#include "host/sched.h"
#include "host/task.h"
#include "kvm/vgic.h"

enum { CHUNK = 64, CHUNKS = ((1 << VGIC_LPI_BITS) - VGIC_LPI_FIRST) / CHUNK };

#define PROPBASER_ADDRESS GENMASK(51, 12)
#define PROPBASER_IDBITS  0x1f
#define PENDBASER_ADDRESS GENMASK(51, 16)
#define CONFIG_ENABLED	  1
#define CONFIG_PRIORITY	  0xf8

bool vgic_is_lpi(const struct vgic *g, u32 intid)
{
	u32 bits = (u32)(g->propbaser & PROPBASER_IDBITS) + 1;

	return intid >= VGIC_LPI_FIRST && intid < 1U << min(bits, (u32)VGIC_LPI_BITS);
}

static u32 chunk_of(u32 intid)
{
	return (intid - VGIC_LPI_FIRST) / CHUNK;
}

static u32 first_of(u32 chunk)
{
	return VGIC_LPI_FIRST + chunk * CHUNK;
}

/* The chunk's 64, or NULL. */
static struct vgic_irq *chunk_get(const struct vgic *g, u32 chunk)
{
	struct vgic_irq **lpis = __atomic_load_n(&g->lpis, __ATOMIC_ACQUIRE);

	return lpis ? __atomic_load_n(&lpis[chunk], __ATOMIC_ACQUIRE) : NULL;
}

static struct vgic_irq *find(const struct vgic *g, u32 intid)
{
	struct vgic_irq *chunk;

	if (intid < VGIC_LPI_FIRST || intid >= 1U << VGIC_LPI_BITS)
		return NULL;
	chunk = chunk_get(g, chunk_of(intid));
	return chunk ? &chunk[(intid - VGIC_LPI_FIRST) % CHUNK] : NULL;
}

static struct vgic_irq *chunk_new(u32 chunk)
{
	struct vgic_irq *irqs = kzalloc(CHUNK * sizeof(*irqs));

	for (u32 i = 0; irqs && i < CHUNK; i++) {
		irqs[i].intid = first_of(chunk) + i;
		irqs[i].trigger = VGIC_EDGE;
		irqs[i].group = 1;
	}
	return irqs;
}

/* What another thread was first with stays. */
static void *publish(void **place, void *fresh)
{
	void *old = NULL;

	if (__atomic_compare_exchange_n(place, &old, fresh, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return fresh;
	kfree(fresh);
	return old;
}

int vgic_lpi_create(struct vgic *g, u32 intid)
{
	struct vgic_irq **table = __atomic_load_n(&g->lpis, __ATOMIC_ACQUIRE), *irqs;

	if (!vgic_is_lpi(g, intid))
		return -EINVAL;
	if (find(g, intid))
		return 0;
	if (!table) {
		table = kzalloc(CHUNKS * sizeof(struct vgic_irq *));
		if (!table)
			return -ENOMEM;
		table = publish((void **)&g->lpis, table);
	}
	irqs = chunk_new(chunk_of(intid));
	if (!irqs)
		return -ENOMEM;
	(void)publish((void **)&table[chunk_of(intid)], irqs);
	return 0;
}

void vgic_lpis_destroy(struct vgic *g)
{
	for (u32 i = 0; g->lpis && i < CHUNKS; i++)
		kfree(g->lpis[i]);
	kfree(g->lpis);
	g->lpis = NULL;
}

/* ---- one */

static void retarget(struct vgic *g, struct vgic_irq *irq, struct vgic_cpu *c)
{
	irq->target = c;
	if (!c) {
		irq->latch = false;
		irq->lr_latch = false;
	}
	vgic_irq_changed(g, irq);
}

void vgic_lpi_map(struct vgic *g, u32 intid, struct vgic_cpu *c)
{
	struct vgic_irq *irq = find(g, intid);

	if (!irq)
		return;
	spin_lock(&g->lock);
	irq->events++;
	retarget(g, irq, c);
	spin_unlock(&g->lock);
}

void vgic_lpi_unmap(struct vgic *g, u32 intid)
{
	struct vgic_irq *irq = find(g, intid);

	if (!irq)
		return;
	spin_lock(&g->lock);
	if (--irq->events == 0)
		retarget(g, irq, NULL);
	spin_unlock(&g->lock);
}

void vgic_lpi_target(struct vgic *g, u32 intid, struct vgic_cpu *c)
{
	struct vgic_irq *irq = find(g, intid);

	if (!irq)
		return;
	spin_lock(&g->lock);
	retarget(g, irq, c);
	spin_unlock(&g->lock);
}

int vgic_lpi_pend(struct vgic *g, u32 intid)
{
	struct vgic_irq *irq = find(g, intid);
	int taken = 0;

	if (!irq)
		return 0;
	spin_lock(&g->lock);
	if (irq->target && !irq->target->has_lpis) {
		taken = -EBUSY;
	} else if (irq->target) {
		irq->latch = true;
		vgic_irq_changed(g, irq);
		taken = 1;
	}
	spin_unlock(&g->lock);
	return taken;
}

void vgic_lpi_clear(struct vgic *g, u32 intid)
{
	struct vgic_irq *irq = find(g, intid);

	if (!irq)
		return;
	spin_lock(&g->lock);
	irq->latch = false;
	irq->lr_latch = false;
	vgic_irq_changed(g, irq);
	spin_unlock(&g->lock);
}

/* ---- configuration */

static u64 config_at(const struct vgic *g, u32 intid)
{
	return (g->propbaser & PROPBASER_ADDRESS) + intid - VGIC_LPI_FIRST;
}

static void configure(struct vgic *g, struct vgic_irq *irq, u8 config)
{
	irq->priority = config & CONFIG_PRIORITY;
	irq->enabled = config & CONFIG_ENABLED;
	vgic_irq_changed(g, irq);
}

void vgic_lpi_configure(struct vgic *g, u32 intid)
{
	struct vgic_irq *irq = find(g, intid);
	u8 config;

	if (!irq || g->ops->read(g, config_at(g, intid), &config, sizeof(config)))
		return;
	spin_lock(&g->lock);
	configure(g, irq, config);
	spin_unlock(&g->lock);
}

/* Calls @fn for each chunk that exists. Stops at an error. */
static int each_chunk(struct vgic *g, const struct vgic_cpu *c,
		      int (*fn)(struct vgic *g, const struct vgic_cpu *c, struct vgic_irq *irqs,
				u32 chunk))
{
	int error = 0;

	for (u32 i = 0; i < CHUNKS && !error; i++) {
		struct vgic_irq *irqs = chunk_get(g, i);

		if (!irqs)
			continue;
		error = fn(g, c, irqs, i);
		sched_point();
	}
	return error;
}

static int chunk_configure(struct vgic *g, const struct vgic_cpu *c, struct vgic_irq *irqs,
			   u32 chunk)
{
	u8 config[CHUNK];

	/* What cannot be read stays as it was. */
	if (g->ops->read(g, config_at(g, first_of(chunk)), config, sizeof(config)))
		return 0;
	spin_lock(&g->lock);
	for (u32 i = 0; i < CHUNK; i++) {
		if (irqs[i].target == c)
			configure(g, &irqs[i], config[i]);
	}
	spin_unlock(&g->lock);
	return 0;
}

void vgic_lpi_configure_all(struct vgic *g, const struct vgic_cpu *c)
{
	(void)each_chunk(g, c, chunk_configure);
}

/* ---- pending bits in guest memory; a chunk has eight bytes of them */

static u64 pending_at(const struct vgic_cpu *c, u32 intid)
{
	return (c->pendbaser & PENDBASER_ADDRESS) + intid / 8;
}

void vgic_lpi_take_pending(struct vgic *g, u32 intid)
{
	const struct vgic_irq *irq = find(g, intid);
	const struct vgic_cpu *c = irq ? irq->target : NULL;
	u8 bits, bit = (u8)(1U << intid % 8);

	if (!c || !c->has_lpis || g->ops->read(g, pending_at(c, intid), &bits, sizeof(bits)))
		return;
	if (!(bits & bit))
		return;
	bits &= (u8)~bit;
	if (g->ops->write(g, pending_at(c, intid), &bits, sizeof(bits)) == 0)
		(void)vgic_lpi_pend(g, intid);
}

static int chunk_load(struct vgic *g, const struct vgic_cpu *c, struct vgic_irq *irqs, u32 chunk)
{
	u64 bits;

	if (g->ops->read(g, pending_at(c, first_of(chunk)), &bits, sizeof(bits)))
		return 0;
	spin_lock(&g->lock);
	for (u32 i = 0; i < CHUNK; i++) {
		if (irqs[i].target != c || !(bits >> i & 1))
			continue;
		irqs[i].latch = true;
		vgic_irq_changed(g, &irqs[i]);
	}
	spin_unlock(&g->lock);
	return 0;
}

void vgic_lpis_enable(struct vgic *g, struct vgic_cpu *c)
{
	(void)each_chunk(g, c, chunk_load);
}

static int chunk_forget(struct vgic *g, const struct vgic_cpu *c, struct vgic_irq *irqs, u32 chunk)
{
	(void)chunk;
	spin_lock(&g->lock);
	for (u32 i = 0; i < CHUNK; i++) {
		if (irqs[i].target != c)
			continue;
		irqs[i].latch = false;
		irqs[i].lr_latch = false;
		vgic_irq_changed(g, &irqs[i]);
	}
	spin_unlock(&g->lock);
	return 0;
}

void vgic_lpis_disable(struct vgic *g, struct vgic_cpu *c)
{
	(void)each_chunk(g, c, chunk_forget);
}

/* Those of the chunk that interrupt @c: which they are, and which of them are pending. */
static u64 chunk_pending(struct vgic *g, const struct vgic_cpu *c, const struct vgic_irq *irqs,
			 u64 *mine)
{
	u64 pending = 0;

	*mine = 0;
	spin_lock(&g->lock);
	for (u32 i = 0; i < CHUNK; i++) {
		if (irqs[i].target != c)
			continue;
		*mine |= BIT(i);
		if (vgic_irq_is_pending(&irqs[i]))
			pending |= BIT(i);
	}
	spin_unlock(&g->lock);
	return pending;
}

static int chunk_save(struct vgic *g, const struct vgic_cpu *c, struct vgic_irq *irqs, u32 chunk)
{
	u64 mine, pending = chunk_pending(g, c, irqs, &mine), bits;
	u64 at = pending_at(c, first_of(chunk));

	if (!mine)
		return 0;
	if (g->ops->read(g, at, &bits, sizeof(bits)))
		return -EFAULT;
	if ((bits & mine) == pending)
		return 0;
	bits = (bits & ~mine) | pending;
	return g->ops->write(g, at, &bits, sizeof(bits));
}

int vgic_lpis_save(struct vgic *g)
{
	int error = 0;

	for (u32 i = 0; i < g->cpu_count && !error; i++) {
		error = each_chunk(g, g->cpus[i], chunk_save);
		if (!error && task_kill_pending(port_current()))
			error = -EINTR;
	}
	return error;
}

static void chunk_move(struct vgic *g, const struct vgic_cpu *from, struct vgic_cpu *to,
		       struct vgic_irq *irqs)
{
	spin_lock(&g->lock);
	for (u32 i = 0; i < CHUNK; i++) {
		if (irqs[i].target == from)
			retarget(g, &irqs[i], to);
	}
	spin_unlock(&g->lock);
}

void vgic_lpi_move_all(struct vgic *g, const struct vgic_cpu *from, struct vgic_cpu *to)
{
	for (u32 i = 0; i < CHUNKS; i++) {
		struct vgic_irq *irqs = chunk_get(g, i);

		if (!irqs)
			continue;
		chunk_move(g, from, to, irqs);
		sched_point();
	}
}
