/* SPDX-License-Identifier: Apache-2.0 */
/* An ITS's tables and its commands (Arm IHI 0069, 5.3). */
#include "kvm/its.h"

#include "host/err.h"
#include "host/page.h"
#include "host/sched.h"

RB_GENERATE(its_devices, its_device, link, its_device_compare)
RB_GENERATE(its_events, its_event, link, its_event_compare)
RB_GENERATE(its_collections, its_collection, link, its_collection_compare)

void its_init(struct its *t, struct vgic *g)
{
	t->gic = g;
	t->base = VGIC_NO_ADDRESS;
	spin_init(&t->lock);
	RB_INIT(&t->devices);
	RB_INIT(&t->collections);
}

/* ---- finding */

struct its_device *its_device_find(struct its *t, u32 id)
{
	struct its_device key = { .id = id };

	return RB_FIND(its_devices, &t->devices, &key);
}

static struct its_event *event_find(struct its_device *d, u32 id)
{
	struct its_event key = { .id = id };

	return d ? RB_FIND(its_events, &d->events, &key) : NULL;
}

struct its_collection *its_collection_find(struct its *t, u32 id)
{
	struct its_collection key = { .id = id };

	return RB_FIND(its_collections, &t->collections, &key);
}

/* ---- taking away */

static void event_free(struct its *t, struct its_device *d, struct its_event *e)
{
	spin_lock(&t->lock);
	RB_REMOVE(its_events, &d->events, e);
	spin_unlock(&t->lock);
	vgic_lpi_unmap(t->gic, e->intid);
	t->event_count--;
	kfree(e);
	sched_point();
}

static void device_free(struct its *t, struct its_device *d)
{
	struct its_event *e;

	while ((e = RB_MIN(its_events, &d->events)))
		event_free(t, d, e);
	spin_lock(&t->lock);
	RB_REMOVE(its_devices, &t->devices, d);
	spin_unlock(&t->lock);
	t->device_count--;
	kfree(d);
}

/* Calls @fn for each event; it may not free it. Gives way in between: there may be 65,536. */
static void each_event(struct its *t, void (*fn)(struct its *t, struct its_event *e, void *arg),
		       void *arg)
{
	struct its_device *d;
	struct its_event *e;

	RB_FOREACH (d, its_devices, &t->devices) {
		RB_FOREACH (e, its_events, &d->events) {
			fn(t, e, arg);
			sched_point();
		}
	}
}

/* @arg: the collection that goes; NULL: all of them do. */
static void leave_collection(struct its *t, struct its_event *e, void *arg)
{
	if (!e->collection || (arg && e->collection != arg))
		return;
	spin_lock(&t->lock);
	e->collection = NULL;
	spin_unlock(&t->lock);
	vgic_lpi_target(t->gic, e->intid, NULL);
}

/* No event is of it any more. */
static void collection_free(struct its *t, struct its_collection *c)
{
	RB_REMOVE(its_collections, &t->collections, c);
	t->collection_count--;
	kfree(c);
}

static void devices_free(struct its *t)
{
	struct its_device *d;

	while ((d = RB_MIN(its_devices, &t->devices)))
		device_free(t, d);
}

/* One pass over the events for all collections, of which there may be 4096. */
static void collections_free(struct its *t)
{
	struct its_collection *c;

	each_event(t, leave_collection, NULL);
	while ((c = RB_MIN(its_collections, &t->collections)))
		collection_free(t, c);
}

void its_forget(struct its *t, enum its_table table)
{
	switch (table) {
	case ITS_DEVICES: devices_free(t); return;
	case ITS_COLLECTIONS: collections_free(t); return;
	}
}

static void tables_free(struct its *t)
{
	devices_free(t);
	collections_free(t);
}

void its_reset(struct its *t)
{
	tables_free(t);
	t->enabled = false;
	t->cbaser = t->creadr = t->cwriter = 0;
	t->baser[0] = t->baser[1] = 0;
}

void its_destroy(struct its *t)
{
	tables_free(t);
}

/* ---- mapping */

int its_map_device(struct its *t, u32 id, u8 event_bits, u64 itt)
{
	struct its_device *d = its_device_find(t, id);

	if (d)
		device_free(t, d);
	if (t->device_count == ITS_DEVICES_MAX)
		return -ENOMEM;
	d = kzalloc(sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->id = id;
	d->event_bits = event_bits;
	d->itt = itt;
	RB_INIT(&d->events);
	spin_lock(&t->lock);
	RB_INSERT(its_devices, &t->devices, d);
	spin_unlock(&t->lock);
	t->device_count++;
	return 0;
}

static void follow_collection(struct its *t, struct its_event *e, void *arg)
{
	const struct its_collection *c = arg;

	if (e->collection == c)
		vgic_lpi_target(t->gic, e->intid, c->cpu);
}

/* Without a vCPU if @cpu is NULL. NULL: out of memory, or there are too many. */
static struct its_collection *collection_new(struct its *t, u32 id, struct vgic_cpu *cpu)
{
	struct its_collection *c;

	if (t->collection_count == ITS_COLLECTIONS_MAX)
		return NULL;
	c = kzalloc(sizeof(*c));
	if (!c)
		return NULL;
	c->id = id;
	c->cpu = cpu;
	RB_INSERT(its_collections, &t->collections, c);
	t->collection_count++;
	return c;
}

int its_map_collection(struct its *t, u32 id, struct vgic_cpu *cpu)
{
	struct its_collection *c = its_collection_find(t, id);

	if (!c)
		return collection_new(t, id, cpu) ? 0 : -ENOMEM;
	c->cpu = cpu;
	each_event(t, follow_collection, c);
	return 0;
}

/* The collection of a new event, which may be mapped to a vCPU later only; or ERR_PTR. */
static struct its_collection *collection_for_event(struct its *t, u32 id)
{
	struct its_collection *c = its_collection_find(t, id);
	u64 at;

	if (c)
		return c;
	if (its_entry_at(t, t->baser[1], id, &at))
		return ERR_PTR(-EINVAL);
	c = collection_new(t, id, NULL);
	return c ? c : ERR_PTR(-ENOMEM);
}

/* Its configuration and what was pending when the guest's memory was saved. */
static void lpi_begin(struct its *t, u32 intid, struct vgic_cpu *c)
{
	vgic_lpi_map(t->gic, intid, c);
	vgic_lpi_configure(t->gic, intid);
	vgic_lpi_take_pending(t->gic, intid);
}

static int event_add(struct its *t, struct its_device *d, struct its_event *e, u32 collection)
{
	struct its_collection *c;
	int error = vgic_lpi_create(t->gic, e->intid);

	if (error)
		return error;
	c = collection_for_event(t, collection);
	if (IS_ERR(c))
		return (int)PTR_ERR(c);
	e->collection = c;
	spin_lock(&t->lock);
	RB_INSERT(its_events, &d->events, e);
	spin_unlock(&t->lock);
	t->event_count++;
	lpi_begin(t, e->intid, c->cpu);
	return 0;
}

int its_map_event(struct its *t, struct its_device *d, u32 event, u32 intid, u32 collection)
{
	struct its_event *e;
	int error;

	if (event >> d->event_bits)
		return -EINVAL;
	if (event_find(d, event))
		return 0; /* it stays as it was mapped first */
	if (t->event_count == ITS_EVENTS_MAX)
		return -ENOMEM;
	e = kzalloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->id = event;
	e->intid = intid;
	error = event_add(t, d, e, collection);
	if (error)
		kfree(e);
	return error;
}

/* ---- events */

int its_trigger(struct its *t, u32 device, u32 event)
{
	struct its_event *e;
	int taken = -EBUSY;

	spin_lock(&t->lock);
	if (t->enabled) {
		e = event_find(its_device_find(t, device), event);
		taken = e && e->collection ? vgic_lpi_pend(t->gic, e->intid) : 0;
	}
	spin_unlock(&t->lock);
	return taken;
}

/* ---- commands: four doublewords */

enum its_command {
	CMD_MOVI = 0x01,
	CMD_INT = 0x03,
	CMD_CLEAR = 0x04,
	CMD_SYNC = 0x05,
	CMD_MAPD = 0x08,
	CMD_MAPC = 0x09,
	CMD_MAPTI = 0x0a,
	CMD_MAPI = 0x0b,
	CMD_INV = 0x0c,
	CMD_INVALL = 0x0d,
	CMD_MOVALL = 0x0e,
	CMD_DISCARD = 0x0f,
};

#define CMD_SIZE	  32
#define CMD_KIND(c)	  ((u8)(c)[0])
#define CMD_DEVICE(c)	  ((u32)((c)[0] >> 32))
#define CMD_EVENT(c)	  ((u32)(c)[1])
#define CMD_INTID(c)	  ((u32)((c)[1] >> 32))
#define CMD_SIZE_FIELD(c) ((u8)((c)[1] & 0x1f))
#define CMD_COLLECTION(c) ((u32)(c)[2] & 0xffff)
#define CMD_ITT(c)	  ((c)[2] & GENMASK(51, 8))
#define CMD_VALID(c)	  ((c)[2] >> 63)
#define CMD_RDBASE(dw)	  ((u32)((dw) >> 16))

/* RDbase is a processor number (GITS_TYPER.PTA is 0), as GICR_TYPER has them. */
static struct vgic_cpu *cpu_of_rdbase(struct its *t, u32 number)
{
	for (u32 i = 0; i < t->gic->cpu_count; i++) {
		if (t->gic->cpus[i]->id == number)
			return t->gic->cpus[i];
	}
	return NULL;
}

static int do_mapd(struct its *t, const u64 *c)
{
	u32 id = CMD_DEVICE(c);
	struct its_device *d;
	u64 at;
	int error = its_entry_at(t, t->baser[0], id, &at);

	if (!CMD_VALID(c)) {
		d = its_device_find(t, id);
		if (d)
			device_free(t, d);
		/* What was saved there would come back when tables are restored. */
		return error ? error : its_entry_clear(t, at);
	}
	if (CMD_SIZE_FIELD(c) >= ITS_EVENT_BITS || error)
		return -EINVAL;
	return its_map_device(t, id, (u8)(CMD_SIZE_FIELD(c) + 1), CMD_ITT(c));
}

static int do_mapc(struct its *t, const u64 *c)
{
	struct vgic_cpu *cpu = cpu_of_rdbase(t, CMD_RDBASE(c[2] & GENMASK(50, 16)));
	u32 id = CMD_COLLECTION(c);
	u64 at;

	if (!CMD_VALID(c)) {
		struct its_collection *old = its_collection_find(t, id);

		if (old) {
			each_event(t, leave_collection, old);
			collection_free(t, old);
		}
		return 0;
	}
	if (!cpu || its_entry_at(t, t->baser[1], id, &at))
		return -EINVAL;
	return its_map_collection(t, id, cpu);
}

static int do_map_event(struct its *t, const u64 *c, u32 intid)
{
	struct its_device *d = its_device_find(t, CMD_DEVICE(c));

	return d ? its_map_event(t, d, CMD_EVENT(c), intid, CMD_COLLECTION(c)) : -EINVAL;
}

static int do_mapti(struct its *t, const u64 *c)
{
	return do_map_event(t, c, CMD_INTID(c));
}

static int do_mapi(struct its *t, const u64 *c)
{
	return do_map_event(t, c, CMD_EVENT(c));
}

static struct its_event *event_of(struct its *t, const u64 *c)
{
	return event_find(its_device_find(t, CMD_DEVICE(c)), CMD_EVENT(c));
}

static bool is_mapped(const struct its_collection *c)
{
	return c && c->cpu;
}

static int do_movi(struct its *t, const u64 *c)
{
	struct its_collection *to = its_collection_find(t, CMD_COLLECTION(c));
	struct its_event *e = event_of(t, c);

	if (!e || !is_mapped(e->collection) || !is_mapped(to))
		return -EINVAL;
	spin_lock(&t->lock);
	e->collection = to;
	spin_unlock(&t->lock);
	vgic_lpi_target(t->gic, e->intid, to->cpu);
	return 0;
}

static int do_discard(struct its *t, const u64 *c)
{
	struct its_device *d = its_device_find(t, CMD_DEVICE(c));
	struct its_event *e = event_find(d, CMD_EVENT(c));

	if (!e)
		return -EINVAL;
	event_free(t, d, e);
	return its_entry_clear(t, d->itt + (u64)CMD_EVENT(c) * ITS_ENTRY_SIZE);
}

static int do_int(struct its *t, const u64 *c)
{
	return its_trigger(t, CMD_DEVICE(c), CMD_EVENT(c)) > 0 ? 0 : -EINVAL;
}

static int do_clear(struct its *t, const u64 *c)
{
	const struct its_event *e = event_of(t, c);

	if (!e)
		return -EINVAL;
	vgic_lpi_clear(t->gic, e->intid);
	return 0;
}

static int do_inv(struct its *t, const u64 *c)
{
	const struct its_event *e = event_of(t, c);

	if (!e)
		return -EINVAL;
	vgic_lpi_configure(t->gic, e->intid);
	return 0;
}

static int do_invall(struct its *t, const u64 *c)
{
	const struct its_collection *of = its_collection_find(t, CMD_COLLECTION(c));

	if (!is_mapped(of))
		return -EINVAL;
	vgic_lpi_configure_all(t->gic, of->cpu);
	return 0;
}

static int do_movall(struct its *t, const u64 *c)
{
	struct vgic_cpu *from = cpu_of_rdbase(t, CMD_RDBASE(c[2] & GENMASK(50, 16)));
	struct vgic_cpu *to = cpu_of_rdbase(t, CMD_RDBASE(c[3] & GENMASK(50, 16)));

	if (!from || !to)
		return -EINVAL;
	if (from != to)
		vgic_lpi_move_all(t->gic, from, to);
	return 0;
}

/* Everything takes effect at once. */
static int do_sync(struct its *t, const u64 *c)
{
	(void)t;
	(void)c;
	return 0;
}

static int (*const commands[])(struct its *t, const u64 *c) = {
	[CMD_MOVI] = do_movi,	  [CMD_INT] = do_int,	    [CMD_CLEAR] = do_clear,
	[CMD_SYNC] = do_sync,	  [CMD_MAPD] = do_mapd,	    [CMD_MAPC] = do_mapc,
	[CMD_MAPTI] = do_mapti,	  [CMD_MAPI] = do_mapi,	    [CMD_INV] = do_inv,
	[CMD_INVALL] = do_invall, [CMD_MOVALL] = do_movall, [CMD_DISCARD] = do_discard,
};

#define CBASER_VALID   BIT(63)
#define CBASER_ADDRESS GENMASK(51, 12)

static u64 queue_size(const struct its *t)
{
	return ((t->cbaser & 0xff) + 1) * PAGE_SIZE;
}

/* A queue that cannot be read, and a command that is wrong, are passed over. */
static void process_next(struct its *t)
{
	u64 c[CMD_SIZE / 8];

	if (t->gic->ops->read(t->gic, (t->cbaser & CBASER_ADDRESS) + t->creadr, c, sizeof(c)) ==
		    0 &&
	    CMD_KIND(c) < ARRAY_SIZE(commands) && commands[CMD_KIND(c)])
		(void)commands[CMD_KIND(c)](t, c);
	t->creadr = (t->creadr + CMD_SIZE) % queue_size(t);
}

bool its_process(struct its *t)
{
	if (!t->enabled || !(t->cbaser & CBASER_VALID) || t->cwriter >= queue_size(t))
		return false;
	if (t->creadr == t->cwriter)
		return false;
	process_next(t);
	return t->creadr != t->cwriter;
}
