/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An interrupt translation service (Arm IHI 0069, chapter 5): it makes LPIs of messages, by tables
 * that the guest fills with commands. Pure, like kvm/vgic.h, whose operations it uses.
 *
 * The registers and the tables change under the owner's mutex only (all functions but
 * its_translate() and its_trigger()); its spin lock guards the tables against those two, which any
 * context calls.
 */
#ifndef KVM_ITS_H
#define KVM_ITS_H

#include <bsd/sys/tree.h>

#include "kvm/vgic.h"

enum {
	ITS_DEVICE_BITS = 16,
	ITS_EVENT_BITS = 16,
	ITS_ENTRY_SIZE = 8, /* of each of its tables in guest memory */
	/* What a guest can make the kernel hold for it */
	ITS_DEVICES_MAX = 1 << 14,
	ITS_EVENTS_MAX = 1 << 16,
	ITS_COLLECTIONS_MAX = 1 << 12,
};

#define ITS_SIZE       0x20000UL
#define ITS_TRANSLATER 0x10040UL

struct its_collection {
	RB_ENTRY(its_collection) link;
	u32 id;
	struct vgic_cpu *cpu; /* NULL: events were mapped to it, and no MAPC came yet */
};
RB_HEAD(its_collections, its_collection);

struct its_event {
	RB_ENTRY(its_event) link;
	u32 id;
	u32 intid;
	struct its_collection *collection; /* NULL: unmapped since */
};
RB_HEAD(its_events, its_event);

struct its_device {
	RB_ENTRY(its_device) link;
	u32 id;
	u8 event_bits;
	u64 itt; /* of its table in guest memory */
	struct its_events events;
};
RB_HEAD(its_devices, its_device);

struct its {
	struct vgic *gic;
	u64 base; /* VGIC_NO_ADDRESS: not set */
	bool enabled;
	u8 revision;
	u64 cbaser, creadr, cwriter;
	u64 baser[2]; /* devices, collections */
	struct spinlock lock;
	struct its_devices devices;
	struct its_collections collections;
	u32 device_count, event_count, collection_count;
};

/* Without guest memory, tables are unusable: commands that need them fail, which the guest is not
 * told. */
void its_init(struct its *t, struct vgic *g);
/* As after its_init(), its base apart. */
void its_reset(struct its *t);
void its_destroy(struct its *t);

/* ---- kvm/its_mmio.c: the control frame. What is not there, or not of that size, reads 0 and
 * ignores writes. After a write there may be commands to process. */
u64 its_read(struct its *t, u32 offset, u32 len);
void its_write(struct its *t, u32 offset, u32 len, u64 value);
/* A register as user space has it, whole. -ENXIO: none; -EINVAL: not aligned. */
int its_reg_get(struct its *t, u32 offset, u64 *value);
int its_reg_set(struct its *t, u32 offset, u64 value);
int its_reg_has(u32 offset);

/* ---- kvm/its.c */
/* A table is no longer valid: what was mapped by it is unmapped. */
enum its_table { ITS_DEVICES, ITS_COLLECTIONS };
void its_forget(struct its *t, enum its_table table);
/*
 * Processes the command at CREADR, if there is one. True: there is another. A queue may hold 32,768
 * and one of them may have to do with 65,536 events: the owner gives way, and looks whether it is
 * to stop, after each. May sleep.
 */
bool its_process(struct its *t);
/* An event happens. 1: an LPI is pending; 0: nothing is mapped; -EBUSY: the ITS is disabled, or the
 * LPIs of the vCPU are. Any context. */
int its_trigger(struct its *t, u32 device, u32 event);

/* What the commands do; also when tables are restored. 0, -EINVAL, -ENOMEM. */
struct its_device *its_device_find(struct its *t, u32 id);
struct its_collection *its_collection_find(struct its *t, u32 id);
int its_map_device(struct its *t, u32 id, u8 event_bits, u64 itt);
/* @c NULL: as if only events had been mapped to it. */
int its_map_collection(struct its *t, u32 id, struct vgic_cpu *c);
int its_map_event(struct its *t, struct its_device *d, u32 event, u32 intid, u32 collection);

/* ---- kvm/its_tables.c: the tables in guest memory (KVM's ABI, revision 0). 0, -EFAULT, -EINVAL,
 * -ENOMEM, -EINTR: the calling thread was killed meanwhile. */
/* Where the entry @id of a table lies. -EINVAL: beyond it; -EFAULT. */
int its_entry_at(struct its *t, u64 baser, u32 id, u64 *at);
/* The entry at @at of a device or an event is not valid any more. */
int its_entry_clear(struct its *t, u64 at);
int its_tables_save(struct its *t);
int its_tables_restore(struct its *t);

/* GITS_BASER. */
#define BASER_VALID    BIT(63)
#define BASER_INDIRECT BIT(62)
#define BASER_ADDRESS  GENMASK(47, 16)
#define BASER_PAGES(b) ((u32)((b)&0xff) + 1)
#define BASER_PAGE     0x10000UL

static inline int its_device_compare(const struct its_device *a, const struct its_device *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}
static inline int its_event_compare(const struct its_event *a, const struct its_event *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}
static inline int its_collection_compare(const struct its_collection *a,
					 const struct its_collection *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}
RB_PROTOTYPE(its_devices, its_device, link, its_device_compare)
RB_PROTOTYPE(its_events, its_event, link, its_event_compare)
RB_PROTOTYPE(its_collections, its_collection, link, its_collection_compare)

#endif
