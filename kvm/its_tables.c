/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ITS's tables in guest memory, where a VMM saves them (KVM_DEV_ARM_ITS_SAVE_TABLES). Their
 * layout is KVM's, revision 0. What is read back is the guest's, or a VMM's: all of it is checked.
 */
#include "host/err.h"
#include "host/sched.h"
#include "host/task.h"
#include "kvm/its.h"

#define ENTRY_VALID	 BIT(63)
#define DTE_NEXT_SHIFT	 49
#define DTE_NEXT_MAX	 0x3fffU
#define DTE_ITT(e)	 (((e) >> 5 & GENMASK(43, 0)) << 8)
#define CTE_RDBASE(e)	 ((u32)((e) >> 16))
#define CTE_RDBASE_SHIFT 16
#define CTE_NOT_MAPPED	 (~0U) /* the RDbase of a collection that no vCPU has */
#define ITE_NEXT_SHIFT	 48
#define ITE_NEXT_MAX	 0xffffU
#define ITE_INTID(e)	 ((u32)((e) >> 16))
#define ITE_INTID_SHIFT	 16
#define ID_MASK		 0xffffU
#define L1_ADDRESS	 GENMASK(51, 16)
#define ENTRIES_PER_PAGE ((u32)(BASER_PAGE / ITS_ENTRY_SIZE))

static int read_entry(struct its *t, u64 at, u64 *entry)
{
	return t->gic->ops->read(t->gic, at, entry, sizeof(*entry));
}

static int write_entry(struct its *t, u64 at, u64 entry)
{
	return t->gic->ops->write(t->gic, at, &entry, sizeof(entry));
}

/* Between two entries, of which there may be 2^14 times 2^16: 0, or -EINTR. */
static int may_go_on(void)
{
	sched_point();
	return task_kill_pending(port_current()) ? -EINTR : 0;
}

/* A table of one level, or one whose entries are the pages of the second. */
int its_entry_at(struct its *t, u64 baser, u32 id, u64 *at)
{
	u64 table = baser & BASER_ADDRESS, entries = (u64)BASER_PAGES(baser) * ENTRIES_PER_PAGE, l1;

	if (!(baser & BASER_VALID) || id >> ITS_DEVICE_BITS)
		return -EINVAL;
	if (!(baser & BASER_INDIRECT)) {
		*at = table + (u64)id * ITS_ENTRY_SIZE;
		return id < entries ? 0 : -EINVAL;
	}
	if (id / ENTRIES_PER_PAGE >= entries)
		return -EINVAL;
	if (read_entry(t, table + (u64)(id / ENTRIES_PER_PAGE) * ITS_ENTRY_SIZE, &l1))
		return -EFAULT;
	if (!(l1 & ENTRY_VALID))
		return -EINVAL;
	*at = (l1 & L1_ADDRESS) + (u64)(id % ENTRIES_PER_PAGE) * ITS_ENTRY_SIZE;
	return 0;
}

int its_entry_clear(struct its *t, u64 at)
{
	return write_entry(t, at, 0);
}

/* ---- saving */

static u64 next_field(u32 id, u32 next, u32 most)
{
	return min(next - id, most);
}

static int save_events(struct its *t, struct its_device *d)
{
	struct its_event *e;
	int error = 0;

	RB_FOREACH (e, its_events, &d->events) {
		const struct its_event *next = RB_NEXT(its_events, &d->events, e);
		u64 entry = (u64)e->intid << ITE_INTID_SHIFT;

		if (next)
			entry |= next_field(e->id, next->id, ITE_NEXT_MAX) << ITE_NEXT_SHIFT;
		/* One whose collection was unmapped comes to nothing until it is mapped again. */
		entry = e->collection ? entry | e->collection->id : 0;
		error = write_entry(t, d->itt + (u64)e->id * ITS_ENTRY_SIZE, entry);
		if (!error)
			error = may_go_on();
		if (error)
			break;
	}
	return error;
}

/*
 * @next is the one that is saved behind it, and then @d. A device whose place the guest has taken
 * from its table since is left out: the guest cannot keep its VMM from saving.
 */
static int save_device(struct its *t, struct its_device *d, const struct its_device **next)
{
	u64 entry = ENTRY_VALID | (d->itt >> 8) << 5 | (d->event_bits - 1U), at;
	int error = its_entry_at(t, t->baser[0], d->id, &at);

	if (error)
		return error == -EINVAL ? 0 : error;
	if (*next)
		entry |= next_field(d->id, (*next)->id, DTE_NEXT_MAX) << DTE_NEXT_SHIFT;
	*next = d;
	error = save_events(t, d);
	return error ? error : write_entry(t, at, entry);
}

static int save_collections(struct its *t)
{
	u64 at = t->baser[1] & BASER_ADDRESS;
	u64 room = (u64)BASER_PAGES(t->baser[1]) * ENTRIES_PER_PAGE;
	struct its_collection *c;

	if (!(t->baser[1] & BASER_VALID))
		return 0;
	RB_FOREACH (c, its_collections, &t->collections) {
		u64 rdbase = c->cpu ? c->cpu->id : CTE_NOT_MAPPED;
		u64 entry = ENTRY_VALID | rdbase << CTE_RDBASE_SHIFT | c->id;

		if (!room--)
			return -EINVAL;
		if (write_entry(t, at, entry))
			return -EFAULT;
		at += ITS_ENTRY_SIZE;
		sched_point();
	}
	return room ? write_entry(t, at, 0) : 0;
}

int its_tables_save(struct its *t)
{
	const struct its_device *next = NULL;
	struct its_device *d;
	int error = 0;

	RB_FOREACH_REVERSE (d, its_devices, &t->devices) {
		error = save_device(t, d, &next);
		if (!error)
			error = may_go_on();
		if (error)
			return error;
	}
	return save_collections(t);
}

/* ---- restoring */

static struct vgic_cpu *cpu_by_id(struct its *t, u32 id)
{
	for (u32 i = 0; i < t->gic->cpu_count; i++) {
		if (t->gic->cpus[i]->id == id)
			return t->gic->cpus[i];
	}
	return NULL;
}

static int restore_collection(struct its *t, u64 entry)
{
	u32 rdbase = CTE_RDBASE(entry);
	struct vgic_cpu *cpu = cpu_by_id(t, rdbase);

	if ((!cpu && rdbase != CTE_NOT_MAPPED) || its_collection_find(t, entry & ID_MASK))
		return -EINVAL;
	return its_map_collection(t, entry & ID_MASK, cpu);
}

static int restore_collections(struct its *t)
{
	u64 at = t->baser[1] & BASER_ADDRESS;
	u64 room = (u64)BASER_PAGES(t->baser[1]) * ENTRIES_PER_PAGE;

	for (; t->baser[1] & BASER_VALID && room; room--, at += ITS_ENTRY_SIZE) {
		u64 entry;
		int error;

		if (read_entry(t, at, &entry))
			return -EFAULT;
		if (!(entry & ENTRY_VALID))
			return 0;
		error = restore_collection(t, entry);
		if (!error)
			error = may_go_on();
		if (error)
			return error;
	}
	return 0;
}

/* All collections are there already. */
static int restore_event(struct its *t, struct its_device *d, u32 id, u64 entry)
{
	if (!ITE_INTID(entry))
		return 0;
	if (!its_collection_find(t, entry & ID_MASK))
		return -EINVAL;
	return its_map_event(t, d, id, ITE_INTID(entry), entry & ID_MASK);
}

/* From an entry that is not valid the search goes on with the next. */
static int restore_events(struct its *t, struct its_device *d)
{
	u32 step = 1;

	for (u32 id = 0; id < 1U << d->event_bits && step; id += step) {
		u64 entry;
		int error;

		if (read_entry(t, d->itt + (u64)id * ITS_ENTRY_SIZE, &entry))
			return -EFAULT;
		error = restore_event(t, d, id, entry);
		if (!error)
			error = may_go_on();
		if (error)
			return error;
		step = ITE_INTID(entry) ? (u32)(entry >> ITE_NEXT_SHIFT) : 1;
	}
	return 0;
}

static int restore_device(struct its *t, u32 id, u64 entry)
{
	u8 bits = (u8)((entry & 0x1f) + 1);
	int error;

	if (bits > ITS_EVENT_BITS)
		return -EINVAL;
	error = its_map_device(t, id, bits, DTE_ITT(entry));
	return error ? error : restore_events(t, its_device_find(t, id));
}

static u32 device_limit(u64 baser)
{
	u64 entries = (u64)BASER_PAGES(baser) * ENTRIES_PER_PAGE;

	if (!(baser & BASER_VALID))
		return 0;
	if (baser & BASER_INDIRECT)
		entries *= ENTRIES_PER_PAGE;
	return (u32)min(entries, 1UL << ITS_DEVICE_BITS);
}

/* Pages of a second level that do not exist hold no devices. */
static int restore_devices(struct its *t)
{
	u32 limit = device_limit(t->baser[0]), step = 1;

	for (u32 id = 0; id < limit && step; id += step) {
		u64 at, entry = 0;
		int error = its_entry_at(t, t->baser[0], id, &at);

		if (error == -EINVAL) {
			step = ENTRIES_PER_PAGE - id % ENTRIES_PER_PAGE;
			continue;
		}
		if (error || read_entry(t, at, &entry))
			return -EFAULT;
		step = 1;
		if (entry & ENTRY_VALID) {
			error = restore_device(t, id, entry);
			step = (u32)(entry >> DTE_NEXT_SHIFT) & DTE_NEXT_MAX;
		}
		if (!error)
			error = may_go_on();
		if (error)
			return error;
	}
	return 0;
}

int its_tables_restore(struct its *t)
{
	int error = restore_collections(t);

	return error ? error : restore_devices(t);
}
