/* SPDX-License-Identifier: Apache-2.0 */
/* Where the frames of a virtual GICv3 lie in the guest's address space. */
#include "kvm/vgic.h"

#include "host/err.h"
#include "host/page.h"

#define FRAME_ALIGN 0x10000UL

/* 0, or the errors that KVM_DEV_ARM_VGIC_GRP_ADDR has for a range. */
static int range_check(u64 base, u64 size, u64 limit)
{
	if (!IS_ALIGNED(base, FRAME_ALIGN))
		return -EINVAL;
	return base >= limit || size > limit - base ? -E2BIG : 0;
}

static bool ranges_meet(u64 a, u64 a_size, u64 b, u64 b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* A region without a size of its own reaches as far as there are vCPUs. */
static u64 region_size(const struct vgic *g, const struct vgic_region *r)
{
	return (r->room ? r->room : max(g->cpu_count, 1U)) * VGIC_REDIST_SIZE;
}

static bool meets_dist(const struct vgic *g, u64 base, u64 size)
{
	return g->dist_base != VGIC_NO_ADDRESS &&
	       ranges_meet(base, size, g->dist_base, VGIC_DIST_SIZE);
}

static bool meets_region(const struct vgic *g, u64 base, u64 size, const struct vgic_region *but)
{
	const struct vgic_region *r;

	TAILQ_FOREACH (r, &g->regions, link) {
		if (r != but && ranges_meet(base, size, r->base, region_size(g, r)))
			return true;
	}
	return false;
}

int vgic_place_dist(struct vgic *g, u64 base, u64 limit)
{
	int error;

	if (g->dist_base != VGIC_NO_ADDRESS)
		return -EEXIST;
	error = range_check(base, VGIC_DIST_SIZE, limit);
	if (!error)
		g->dist_base = base;
	return error;
}

/* ---- redistributors */

struct vgic_region *vgic_region_of(const struct vgic *g, u32 index)
{
	struct vgic_region *r;

	TAILQ_FOREACH (r, &g->regions, link) {
		if (index-- == 0)
			return r;
	}
	return NULL;
}

static u32 region_count(const struct vgic *g)
{
	const struct vgic_region *r;
	u32 n = 0;

	TAILQ_FOREACH (r, &g->regions, link)
		n++;
	return n;
}

void vgic_place_cpu(struct vgic *g, struct vgic_cpu *c)
{
	struct vgic_region *r;

	TAILQ_FOREACH (r, &g->regions, link) {
		if (r->room && r->used == r->room)
			continue;
		r->cpus[r->used] = c;
		c->region = r;
		c->region_index = r->used++;
		return;
	}
}

static int region_add(struct vgic *g, u64 base, u32 room, u64 limit)
{
	struct vgic_region *r = kzalloc(sizeof(*r));
	int error;

	if (!r)
		return -ENOMEM;
	r->base = base;
	r->room = room;
	error = range_check(base, region_size(g, r), limit);
	if (!error &&
	    (meets_dist(g, base, region_size(g, r)) || meets_region(g, base, region_size(g, r), r)))
		error = -EINVAL;
	if (error) {
		kfree(r);
		return error;
	}
	spin_lock(&g->lock);
	TAILQ_INSERT_TAIL(&g->regions, r, link);
	for (u32 i = 0; i < g->cpu_count; i++) {
		if (!g->cpus[i]->region)
			vgic_place_cpu(g, g->cpus[i]);
	}
	spin_unlock(&g->lock);
	return 0;
}

int vgic_place_redists(struct vgic *g, u64 base, u32 room, u32 index, u64 limit)
{
	const struct vgic_region *first = vgic_region_of(g, 0);

	if (!room || index != region_count(g) || (first && !first->room))
		return -EINVAL;
	return region_add(g, base, room, limit);
}

int vgic_place_all_redists(struct vgic *g, u64 base, u64 limit)
{
	const struct vgic_region *first = vgic_region_of(g, 0);

	if (first)
		return first->room ? -EINVAL : -EEXIST;
	return region_add(g, base, 0, limit);
}

/* ---- before the first run */

static int regions_check(const struct vgic *g, u64 limit)
{
	const struct vgic_region *r;

	TAILQ_FOREACH (r, &g->regions, link) {
		u64 size = region_size(g, r);

		if (range_check(r->base, size, limit) || meets_dist(g, r->base, size) ||
		    meets_region(g, r->base, size, r))
			return -EINVAL;
	}
	return 0;
}

int vgic_placement_check(const struct vgic *g, u64 limit)
{
	for (u32 i = 0; i < g->cpu_count; i++) {
		if (!g->cpus[i]->region)
			return -ENXIO;
	}
	if (g->dist_base == VGIC_NO_ADDRESS)
		return -ENXIO;
	return regions_check(g, limit);
}

/* ---- finding */

bool vgic_is_last(const struct vgic_cpu *c)
{
	const struct vgic_region *r = c->region, *other;

	if (!r || c->region_index + 1 < r->used)
		return false;
	if (!r->room || r->used < r->room)
		return true;
	/* A full region goes on in the one behind it. */
	TAILQ_FOREACH (other, &c->gic->regions, link) {
		if (other->used && other->base == r->base + r->room * VGIC_REDIST_SIZE)
			return false;
	}
	return true;
}

bool vgic_find_frame(const struct vgic *g, u64 ipa, u32 len, struct vgic_access *a)
{
	const struct vgic_region *r;

	a->len = len;
	if (ipa - g->dist_base < VGIC_DIST_SIZE) {
		a->frame = VGIC_FRAME_DIST;
		a->offset = (u32)(ipa - g->dist_base);
		return true;
	}
	TAILQ_FOREACH (r, &g->regions, link) {
		u64 offset = ipa - r->base;

		if (offset >= r->used * VGIC_REDIST_SIZE)
			continue;
		a->frame = VGIC_FRAME_REDIST;
		a->cpu = r->cpus[offset / VGIC_REDIST_SIZE];
		a->offset = (u32)(offset % VGIC_REDIST_SIZE);
		return true;
	}
	return false;
}
