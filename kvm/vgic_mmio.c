/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers of distributor and redistributors (Arm IHI 0069, 12.8 to 12.11). Two kinds: fields,
 * where each interrupt has so many bits, which both frames share; and single registers, which each
 * frame has a table of. What is in no table reads 0 and ignores writes.
 */
#include "kvm/vgic.h"

#include "host/err.h"

/* ---- fields of interrupts; under the lock */

enum { WIDTH_1 = 1, WIDTH_4 = 4, WIDTH_8 = 8 }; /* accesses allowed, as a mask of lengths */

struct field {
	u32 offset; /* of interrupt 0's bits, in the distributor */
	u8 bits;    /* of each interrupt */
	u8 widths;
	bool reads_lr; /* tells what may be in another vCPU's list registers */
	u64 (*get)(const struct vgic_irq *irq, enum vgic_by by);
	void (*set)(struct vgic *g, struct vgic_irq *irq, u64 value, enum vgic_by by);
};

static u64 get_group(const struct vgic_irq *irq, enum vgic_by by)
{
	(void)by;
	return irq->group;
}

static void set_group(struct vgic *g, struct vgic_irq *irq, u64 value, enum vgic_by by)
{
	(void)by;
	irq->group = (u8)value;
	vgic_irq_changed(g, irq);
}

static u64 get_enabled(const struct vgic_irq *irq, enum vgic_by by)
{
	(void)by;
	return irq->enabled;
}

static void set_enable(struct vgic *g, struct vgic_irq *irq, u64 value, enum vgic_by by)
{
	(void)by;
	if (!value || irq->enabled)
		return;
	irq->enabled = true;
	vgic_irq_changed(g, irq);
}

static void clear_enable(struct vgic *g, struct vgic_irq *irq, u64 value, enum vgic_by by)
{
	(void)by;
	if (!value || !irq->enabled)
		return;
	irq->enabled = false;
	vgic_irq_changed(g, irq);
}

/* User space sees and sets the latch alone: the line is told by the level attributes. */
static u64 get_pending(const struct vgic_irq *irq, enum vgic_by by)
{
	return by == VGIC_BY_USER ? irq->latch || irq->lr_latch : vgic_irq_is_pending(irq);
}

static u64 get_pending_clear(const struct vgic_irq *irq, enum vgic_by by)
{
	return by == VGIC_BY_USER ? 0 : vgic_irq_is_pending(irq);
}

static void set_pending(struct vgic *g, struct vgic_irq *irq, u64 value, enum vgic_by by)
{
	if (by == VGIC_BY_USER)
		irq->latch = value;
	else if (value)
		irq->latch = true;
	else
		return;
	vgic_irq_changed(g, irq);
}

static void clear_pending(struct vgic *g, struct vgic_irq *irq, u64 value, enum vgic_by by)
{
	if (!value || by == VGIC_BY_USER)
		return;
	irq->latch = false;
	irq->lr_latch = false;
	vgic_irq_changed(g, irq);
}

static u64 get_active(const struct vgic_irq *irq, enum vgic_by by)
{
	(void)by;
	return irq->active;
}

static void write_active(struct vgic *g, struct vgic_irq *irq, bool active)
{
	irq->active = active;
	irq->active_written = irq->in_lr;
	vgic_irq_changed(g, irq);
}

static void set_active(struct vgic *g, struct vgic_irq *irq, u64 value, enum vgic_by by)
{
	(void)by;
	if (value)
		write_active(g, irq, true);
}

static void clear_active(struct vgic *g, struct vgic_irq *irq, u64 value, enum vgic_by by)
{
	(void)by;
	if (value)
		write_active(g, irq, false);
}

static u64 get_priority(const struct vgic_irq *irq, enum vgic_by by)
{
	(void)by;
	return irq->priority;
}

/* Five bits, as the virtual CPU interface of every implementation has at least. */
#define PRIORITY_BITS 0xf8

/* One that is in a list register has the new priority from the next entry on. One that waited for
 * it may end a WFI now. */
static void set_priority(struct vgic *g, struct vgic_irq *irq, u64 value, enum vgic_by by)
{
	(void)by;
	irq->priority = value & PRIORITY_BITS;
	vgic_irq_changed(g, irq);
}

static u64 get_config(const struct vgic_irq *irq, enum vgic_by by)
{
	(void)by;
	return irq->trigger == VGIC_EDGE ? 2 : 0;
}

static void set_config(struct vgic *g, struct vgic_irq *irq, u64 value, enum vgic_by by)
{
	(void)by;
	if (irq->intid < VGIC_SGIS)
		return;
	irq->trigger = value & 2 ? VGIC_EDGE : VGIC_LEVEL;
	vgic_irq_changed(g, irq);
}

static u64 get_route(const struct vgic_irq *irq, enum vgic_by by)
{
	(void)by;
	return irq->route;
}

/* Any of the participating vCPUs (IRM) is not offered (GICD_TYPER.No1N). */
static void set_route(struct vgic *g, struct vgic_irq *irq, u64 value, enum vgic_by by)
{
	(void)by;
	irq->route = value & VGIC_AFFINITY;
	irq->target = vgic_cpu_of(g, irq->route);
	vgic_irq_changed(g, irq);
}

/* Sorted by offset; 1024 interrupts each. */
static const struct field fields[] = {
	{ 0x0080, 1, WIDTH_4, false, get_group, set_group },		/* IGROUPR */
	{ 0x0100, 1, WIDTH_4, false, get_enabled, set_enable },		/* ISENABLER */
	{ 0x0180, 1, WIDTH_4, false, get_enabled, clear_enable },	/* ICENABLER */
	{ 0x0200, 1, WIDTH_4, true, get_pending, set_pending },		/* ISPENDR */
	{ 0x0280, 1, WIDTH_4, true, get_pending_clear, clear_pending }, /* ICPENDR */
	{ 0x0300, 1, WIDTH_4, true, get_active, set_active },		/* ISACTIVER */
	{ 0x0380, 1, WIDTH_4, true, get_active, clear_active },		/* ICACTIVER */
	{ 0x0400, 8, WIDTH_4 | WIDTH_1, false, get_priority, set_priority },
	{ 0x0c00, 2, WIDTH_4, false, get_config, set_config },		/* ICFGR */
	{ 0x6000, 64, WIDTH_4 | WIDTH_8, false, get_route, set_route }, /* IROUTER */
};

static u32 field_size(const struct field *f)
{
	return VGIC_IRQS_MAX / 8 * f->bits;
}

static const struct field *field_find(u32 offset)
{
	u32 low = 0, high = ARRAY_SIZE(fields);

	while (low < high) {
		u32 mid = (low + high) / 2;

		if (offset < fields[mid].offset)
			high = mid;
		else if (offset - fields[mid].offset >= field_size(&fields[mid]))
			low = mid + 1;
		else
			return &fields[mid];
	}
	return NULL;
}

/* The second page of a redistributor has the fields of private interrupts. */
#define REDIST_SGI_PAGE 0x10000

/* Some interrupts' bits of one field. */
struct span {
	const struct field *field;
	u32 first, count;
	u32 shift; /* of half a 64-bit field: the bits below it */
	u32 offset;
};

static u32 field_offset(const struct vgic_access *a)
{
	if (a->frame == VGIC_FRAME_DIST)
		return a->offset;
	return a->offset >= REDIST_SGI_PAGE ? a->offset - REDIST_SGI_PAGE : UINT32_MAX;
}

/* False: no field is there. */
static bool span_find(const struct vgic_access *a, struct span *s)
{
	u32 offset = field_offset(a), bit;

	s->field = field_find(offset);
	if (!s->field || !(s->field->widths & a->len))
		return false;
	bit = (offset - s->field->offset) * 8;
	s->first = bit / s->field->bits;
	s->shift = bit % s->field->bits;
	s->count = max(a->len * 8 / s->field->bits, 1U);
	/* Affinity routing is on for good: private interrupts are the redistributors'. */
	return (s->first < VGIC_PRIVATE) == (a->frame == VGIC_FRAME_REDIST) &&
	       !(a->frame == VGIC_FRAME_REDIST && s->field->bits == 64);
}

static u64 bits_mask(u32 bits)
{
	return bits == 64 ? ~0UL : BIT(bits) - 1;
}

/* The value of an interrupt's bits is put in, or taken out, at the same place. */
static u32 place_of(const struct span *s, u32 i)
{
	return i * s->field->bits;
}

static u64 span_read(struct vgic *g, const struct vgic_access *a, const struct span *s)
{
	u64 value = 0;

	for (u32 i = 0; i < s->count; i++) {
		const struct vgic_irq *irq = vgic_find(g, a->cpu, s->first + i);

		if (irq)
			value |= (s->field->get(irq, a->by) >> s->shift) << place_of(s, i);
	}
	return value & bits_mask(a->len * 8);
}

/* Half of a 64-bit field leaves the other half. */
static u64 merged(const struct vgic_access *a, const struct span *s, const struct vgic_irq *irq,
		  u64 value)
{
	u64 mask;

	if (s->field->bits != 64)
		return value & bits_mask(s->field->bits);
	mask = bits_mask(a->len * 8) << s->shift;
	return (irq->route & ~mask) | (value << s->shift & mask);
}

static void span_write(struct vgic *g, const struct vgic_access *a, const struct span *s, u64 value)
{
	for (u32 i = 0; i < s->count; i++) {
		struct vgic_irq *irq = vgic_find(g, a->cpu, s->first + i);

		if (irq)
			s->field->set(g, irq, merged(a, s, irq, value >> place_of(s, i)), a->by);
	}
}

/* Whose list registers hold one of them; the accessing vCPU has none, it has exited. */
static struct vgic_cpu *holder(struct vgic *g, const struct vgic_access *a, const struct span *s,
			       u32 *i)
{
	for (; *i < s->count; (*i)++) {
		const struct vgic_irq *irq = vgic_find(g, a->cpu, s->first + *i);

		if (irq && irq->in_lr)
			return irq->on;
	}
	return NULL;
}

/*
 * What running vCPUs have done to the interrupts until now becomes known. Each is asked once for
 * each of its interrupts at most: whatever it does afterwards is later than the access.
 */
static void recall(struct vgic *g, const struct vgic_access *a, const struct span *s)
{
	struct vgic_cpu *c, *last = NULL;

	for (u32 i = 0; (c = holder(g, a, s, &i)); i++) {
		if (c == last)
			continue;
		last = c;
		spin_unlock(&g->lock);
		g->ops->recall(c);
		spin_lock(&g->lock);
	}
}

/* ---- single registers; under the lock */

struct single {
	u32 offset;
	u8 size; /* 4, or 8, which can be accessed by halves */
	u64 (*read)(const struct vgic *g, const struct vgic_access *a);
	void (*write)(struct vgic *g, const struct vgic_access *a, u64 value);
};

/* As of a product "K" of implementer Arm (0x43b): what clients of this ABI know to expect. */
#define IIDR_PRODUCT	    (0x4b000000 | 0x43b)
#define IIDR_REVISION_SHIFT 12
#define IIDR_REVISION	    0xf000
#define PIDR2_GICV3	    0x3b

#define CTLR_GROUPS 3
#define CTLR_ARE    BIT(4) /* affinity routing, for good */
#define CTLR_DS	    BIT(6) /* one security state */

static u64 zero(const struct vgic *g, const struct vgic_access *a)
{
	(void)g;
	(void)a;
	return 0;
}

static void ignore(struct vgic *g, const struct vgic_access *a, u64 value)
{
	(void)g;
	(void)a;
	(void)value;
}

static u64 dist_ctlr(const struct vgic *g, const struct vgic_access *a)
{
	(void)a;
	return g->enabled | CTLR_ARE | CTLR_DS;
}

static void dist_ctlr_write(struct vgic *g, const struct vgic_access *a, u64 value)
{
	(void)a;
	if (g->enabled == (value & CTLR_GROUPS))
		return;
	g->enabled = value & CTLR_GROUPS;
	vgic_all_changed(g);
}

#define TYPER_LPIS	    BIT(17)
#define TYPER_IDBITS(n)	    ((u64)((n)-1) << 19)
#define TYPER_NO1N	    BIT(25) /* no 1 of N */
#define IDBITS_WITHOUT_LPIS 10

static u64 dist_typer(const struct vgic *g, const struct vgic_access *a)
{
	u64 lines = (g->spi_count + VGIC_PRIVATE + 31) / 32 - 1;

	(void)a;
	return lines | TYPER_NO1N |
	       (g->has_lpis ? TYPER_LPIS | TYPER_IDBITS(VGIC_LPI_BITS)
			    : TYPER_IDBITS(IDBITS_WITHOUT_LPIS));
}

static u64 iidr(const struct vgic *g, const struct vgic_access *a)
{
	(void)a;
	return IIDR_PRODUCT | (u64)g->revision << IIDR_REVISION_SHIFT;
}

static u64 pidr2(const struct vgic *g, const struct vgic_access *a)
{
	(void)g;
	(void)a;
	return PIDR2_GICV3;
}

#define GICR_CTLR_ENABLE_LPIS BIT(0)
#define GICR_CTLR_CES	      BIT(1) /* EnableLPIs can be cleared */

static u64 redist_ctlr(const struct vgic *g, const struct vgic_access *a)
{
	return a->cpu->has_lpis | (g->revision >= VGIC_REVISION_LATEST ? GICR_CTLR_CES : 0);
}

static void redist_ctlr_write(struct vgic *g, const struct vgic_access *a, u64 value)
{
	if (g->has_lpis)
		a->cpu->has_lpis = value & GICR_CTLR_ENABLE_LPIS;
}

#define GICR_TYPER_PLPIS BIT(0)
#define GICR_TYPER_LAST	 BIT(4)

static u64 redist_typer(const struct vgic *g, const struct vgic_access *a)
{
	u64 mpidr = *a->cpu->mpidr;
	u64 affinity = (mpidr >> 32 & 0xff) << 24 | (mpidr & 0xffffff);

	return affinity << 32 | (u64)a->cpu->id << 8 | (g->has_lpis ? GICR_TYPER_PLPIS : 0) |
	       (vgic_is_last(a->cpu) ? GICR_TYPER_LAST : 0);
}

#define WAKER_SLEEP  BIT(1)
#define WAKER_ASLEEP BIT(2)

/* Its children sleep when it is told to: at once. Nothing else comes of it. */
static u64 redist_waker(const struct vgic *g, const struct vgic_access *a)
{
	(void)g;
	return a->cpu->asleep ? WAKER_SLEEP | WAKER_ASLEEP : 0;
}

static void redist_waker_write(struct vgic *g, const struct vgic_access *a, u64 value)
{
	(void)g;
	a->cpu->asleep = value & WAKER_SLEEP;
}

/* The tables are coherent with write-back memory, inner shareable; other types become that. */
#define BASER_CACHEABILITY (7UL << 7)
#define BASER_INNER_RAWAWB (7UL << 7)
#define BASER_SHAREABILITY (3UL << 10)
#define BASER_INNER	   (1UL << 10)
#define BASER_OUTER_CACHE  (7UL << 56)
#define PROPBASER_BITS	   (GENMASK(51, 12) | 0x1fUL)
#define PENDBASER_BITS	   GENMASK(51, 16)

static u64 propbaser(const struct vgic *g, const struct vgic_access *a)
{
	(void)a;
	return g->propbaser;
}

static void propbaser_write(struct vgic *g, const struct vgic_access *a, u64 value)
{
	if (a->cpu->has_lpis)
		return;
	g->propbaser = (value & PROPBASER_BITS) | BASER_INNER_RAWAWB | BASER_INNER;
}

static u64 pendbaser(const struct vgic *g, const struct vgic_access *a)
{
	(void)g;
	return a->cpu->pendbaser;
}

static void pendbaser_write(struct vgic *g, const struct vgic_access *a, u64 value)
{
	(void)g;
	if (a->cpu->has_lpis)
		return;
	a->cpu->pendbaser = (value & PENDBASER_BITS) | BASER_INNER_RAWAWB | BASER_INNER;
}

static const struct single dist_singles[] = {
	{ 0x0000, 4, dist_ctlr, dist_ctlr_write },
	{ 0x0004, 4, dist_typer, ignore },
	{ VGIC_GICD_IIDR, 4, iidr, ignore },
	{ VGIC_GICD_TYPER2, 4, zero, ignore },
	{ 0x0010, 4, zero, ignore }, /* STATUSR */
	{ 0xffe8, 4, pidr2, ignore },
};

static const struct single redist_singles[] = {
	{ 0x0000, 4, redist_ctlr, redist_ctlr_write },
	{ 0x0004, 4, iidr, ignore },
	{ 0x0008, 8, redist_typer, ignore },
	{ 0x0010, 4, zero, ignore }, /* STATUSR */
	{ 0x0014, 4, redist_waker, redist_waker_write },
	{ 0x0070, 8, propbaser, propbaser_write },
	{ 0x0078, 8, pendbaser, pendbaser_write },
	{ 0xffe8, 4, pidr2, ignore },
};

static const struct single *single_find(const struct vgic_access *a)
{
	const struct single *table = a->frame == VGIC_FRAME_DIST ? dist_singles : redist_singles;
	u32 low = 0, high = a->frame == VGIC_FRAME_DIST ? ARRAY_SIZE(dist_singles)
							: ARRAY_SIZE(redist_singles);

	while (low < high) {
		u32 mid = (low + high) / 2;

		if (a->offset < table[mid].offset)
			high = mid;
		else if (a->offset >= table[mid].offset + table[mid].size)
			low = mid + 1;
		else
			return &table[mid];
	}
	return NULL;
}

/* Whole words, or whole doublewords of what is that large. */
static bool single_allows(const struct single *s, const struct vgic_access *a)
{
	return a->len == 4 || (a->len == 8 && s->size == 8);
}

static u32 single_shift(const struct single *s, const struct vgic_access *a)
{
	return (a->offset - s->offset) * 8;
}

static u64 single_read(struct vgic *g, const struct vgic_access *a)
{
	const struct single *s = single_find(a);

	if (!s || !single_allows(s, a))
		return 0;
	return s->read(g, a) >> single_shift(s, a) & bits_mask(a->len * 8);
}

static void single_write(struct vgic *g, const struct vgic_access *a, u64 value)
{
	const struct single *s = single_find(a);
	u64 mask;

	if (!s || !single_allows(s, a))
		return;
	mask = bits_mask(a->len * 8) << single_shift(s, a);
	s->write(g, a, (s->read(g, a) & ~mask) | (value << single_shift(s, a) & mask));
}

/* ---- both */

static bool is_aligned(const struct vgic_access *a)
{
	return IS_ALIGNED(a->offset, a->len);
}

u64 vgic_read(struct vgic *g, const struct vgic_access *a)
{
	struct span s;
	u64 value;

	if (!is_aligned(a))
		return 0;
	spin_lock(&g->lock);
	if (span_find(a, &s)) {
		if (s.field->reads_lr)
			recall(g, a, &s);
		value = span_read(g, a, &s);
	} else {
		value = single_read(g, a);
	}
	spin_unlock(&g->lock);
	return value;
}

/* What a write of GICR_CTLR has begun needs guest memory, which is not touched under the lock. */
static void lpis_follow(struct vgic *g, const struct vgic_access *a, bool had_lpis)
{
	if (a->frame != VGIC_FRAME_REDIST || a->cpu->has_lpis == had_lpis)
		return;
	if (had_lpis)
		vgic_lpis_disable(g, a->cpu);
	else
		vgic_lpis_enable(g, a->cpu);
}

void vgic_write(struct vgic *g, const struct vgic_access *a, u64 value)
{
	bool had_lpis;
	struct span s;

	if (!is_aligned(a))
		return;
	had_lpis = a->frame == VGIC_FRAME_REDIST && a->cpu->has_lpis;
	spin_lock(&g->lock);
	if (span_find(a, &s))
		span_write(g, a, &s, value);
	else
		single_write(g, a, value);
	spin_unlock(&g->lock);
	lpis_follow(g, a, had_lpis);
}

/* Fields of interrupts that do not exist are registers all the same: they read 0. */
bool vgic_has_register(const struct vgic_access *a)
{
	u32 offset = field_offset(a);

	if (a->len != 4 || !is_aligned(a))
		return false;
	return field_find(offset) || single_find(a);
}

int vgic_set_revision(struct vgic *g, u32 value)
{
	u32 revision = (value & IIDR_REVISION) >> IIDR_REVISION_SHIFT;

	if ((value & ~(u32)IIDR_REVISION) != IIDR_PRODUCT || revision < VGIC_REVISION_FIRST ||
	    revision > VGIC_REVISION_LATEST)
		return -EINVAL;
	g->revision = (u8)revision;
	return 0;
}

/* ---- line levels */

u32 vgic_levels_get(struct vgic *g, struct vgic_cpu *c, u32 first)
{
	u32 levels = 0;

	spin_lock(&g->lock);
	for (u32 i = 0; i < 32; i++) {
		const struct vgic_irq *irq = vgic_find(g, c, first + i);

		if (irq && irq->line && irq->intid >= VGIC_SGIS)
			levels |= 1U << i;
	}
	spin_unlock(&g->lock);
	return levels;
}

void vgic_levels_set(struct vgic *g, struct vgic_cpu *c, u32 first, u32 levels)
{
	spin_lock(&g->lock);
	for (u32 i = 0; i < 32; i++) {
		struct vgic_irq *irq = vgic_find(g, c, first + i);

		if (!irq || irq->intid < VGIC_SGIS)
			continue;
		irq->line = levels >> i & 1;
		vgic_irq_changed(g, irq);
	}
	spin_unlock(&g->lock);
}
