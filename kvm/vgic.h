/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual GICv3 (Arm IHI 0069): distributor, redistributors and the state of every interrupt.
 * Pure: it knows neither vCPUs nor descriptors nor the machine, so that it is also built natively.
 *
 * While a vCPU runs, some of its interrupts are in list registers of the CPU; from an exit until
 * the next entry everything is in memory (kvm/vgic_lr.c). Interrupts that a vCPU has to look at,
 * pending and enabled or active, are on its lists; all others are found by number only, and cost
 * nothing. An entry looks at no more of those pending than there are list registers.
 *
 * One spin lock per VM guards everything below unless a member says otherwise; it is held for at
 * most 64 interrupts of one register, or those that are active (LPIs never are). Order:
 * docs/invariants.md.
 */
#ifndef KVM_VGIC_H
#define KVM_VGIC_H

#include <bsd/sys/queue.h>

#include "host/port.h"
#include "kvm/lrs.h"

enum {
	VGIC_SGIS = 16,
	VGIC_PRIVATE = 32, /* SGIs and PPIs: each vCPU has its own */
	VGIC_IRQS_MIN = 64,
	VGIC_IRQS_DEFAULT = 256,
	VGIC_IRQS_MAX = 1024,
	VGIC_SPECIAL = 1020, /* from here to 1023 no interrupt exists */
	VGIC_LPI_FIRST = 8192,
	VGIC_LPI_BITS = 16, /* of an INTID, with LPIs */
	VGIC_CPUS_MAX = 512,
	VGIC_REVISION_FIRST = 2,  /* GICD_IIDR: groups can be written */
	VGIC_REVISION_LATEST = 3, /* and GICR_CTLR tells what it can */
};

#define VGIC_DIST_SIZE	 0x10000UL
#define VGIC_REDIST_SIZE 0x20000UL
#define VGIC_NO_ADDRESS	 UINT64_MAX

/* The affinity fields of MPIDR_EL1, and of GICD_IROUTER. */
#define VGIC_AFFINITY 0xff00ffffffUL

enum vgic_trigger { VGIC_LEVEL, VGIC_EDGE };

struct vgic_cpu;

/* The lists of a vCPU, each kind by urgency: the five bits of a priority there are. */
enum vgic_list_kind {
	VGIC_PENDING_0, /* pending, enabled and not active, of group 0 */
	VGIC_PENDING_1,
	VGIC_ACTIVE,
	VGIC_LIST_KINDS,
};
enum { VGIC_URGENCIES = 32, VGIC_URGENCY_SHIFT = 3 };

struct vgic_irq {
	u32 intid;
	u8 priority;
	u8 trigger; /* enum vgic_trigger */
	u8 group;   /* 0 or 1 */
	bool enabled;
	bool line;   /* the input of a level-triggered one */
	bool latch;  /* pending by an edge or by a write, and not acknowledged */
	bool active; /* as of the last fold */
	/* In a list register of @on, which may be running */
	bool in_lr;
	bool lr_latch;		 /* the latch as it went there */
	bool active_written;	 /* @active was written since: the list register's is out of date */
	struct vgic_cpu *target; /* whom it interrupts; NULL: no such vCPU */
	struct vgic_cpu *on;	 /* on whose list; NULL: on none */
	u8 list_kind, list_urgency; /* on which of @on's */
	u32 events;		    /* how many are mapped to it, of an LPI */
	u64 route;		    /* GICD_IROUTER, of an SPI */
	TAILQ_ENTRY(vgic_irq) link;
};

TAILQ_HEAD(vgic_list, vgic_irq);

/* What a vCPU's CPU interface holds; live in the CPU while the vCPU is loaded (kvm/port.h). */
struct vgic_cpu {
	const u64 *mpidr; /* the vCPU's MPIDR_EL1 */
	u32 id;		  /* the vCPU's */
	struct vgic *gic;
	struct vgic_region *region; /* where its redistributor lies; NULL: nowhere yet */
	u32 region_index;
	u64 pendbaser; /* GICR_PENDBASER */
	bool has_lpis; /* GICR_CTLR.EnableLPIs */
	bool asleep;   /* GICR_WAKER.ProcessorSleep */
	struct vgic_list lists[VGIC_LIST_KINDS][VGIC_URGENCIES];
	u32 filled[VGIC_LIST_KINDS]; /* bit n: the list of urgency n is not empty */
	u32 listed;		     /* on all of them; also read without the lock, as a hint */
	struct vgic_irq *lr[VGIC_LRS_MAX];
	struct vgic_irq private[VGIC_PRIVATE];
};

/* Redistributors, side by side in the guest's address space. */
struct vgic_region {
	u64 base;
	u32 room; /* 0: as many as there are vCPUs (KVM_VGIC_V3_ADDR_TYPE_REDIST) */
	u32 used;
	struct vgic_cpu *cpus[VGIC_CPUS_MAX];
	TAILQ_ENTRY(vgic_region) link;
};

/* What the layer above does for the vGIC. The first two are called for a vCPU whose state the
 * caller does not own. */
struct vgic_ops {
	/* The vCPU looks at its list soon: it leaves the guest, or wakes. Under the lock. */
	void (*kick)(struct vgic_cpu *cpu);
	/* Returns when what was in the vCPU's list registers has been folded. Without the lock. */
	void (*recall)(struct vgic_cpu *cpu);
	/* Guest memory. No spin lock held; may sleep. 0 or -EFAULT. */
	int (*read)(struct vgic *g, u64 ipa, void *to, size_t n);
	int (*write)(struct vgic *g, u64 ipa, const void *from, size_t n);
};

struct vgic {
	struct spinlock lock;
	const struct vgic_ops *ops; /* immutable, as the next */
	void *owner;		    /* for ops */
	struct vgic_irq *spis;	    /* immutable once initialised */
	u32 spi_count;
	bool initialised; /* the number of interrupts and of vCPUs is fixed; set with release */
	bool has_lpis;	  /* an ITS exists: immutable once a vCPU ran */
	u8 revision;	  /* GICD_IIDR.Revision */
	u32 enabled;	  /* GICD_CTLR: bit n for group n */
	u64 dist_base;	  /* VGIC_NO_ADDRESS: not set */
	TAILQ_HEAD(, vgic_region) regions;
	struct vgic_cpu *cpus[VGIC_CPUS_MAX]; /* in the order of their creation */
	u32 cpu_count;
	u64 propbaser;		/* GICR_PROPBASER, which all redistributors share */
	struct vgic_irq **lpis; /* by chunk (kvm/vgic_lpi.c); NULL: none was mapped yet */
};

/* ---- kvm/vgic.c: life. Not under the lock. */
void vgic_init(struct vgic *g, const struct vgic_ops *ops, void *owner);
/* @c becomes the next vCPU. Its number is @id, its affinity what @mpidr points at. */
void vgic_cpu_init(struct vgic *g, struct vgic_cpu *c, u32 id, const u64 *mpidr);
/* Fixes the number of SPIs at @count, or VGIC_IRQS_DEFAULT's if it is 0. -ENOMEM. */
int vgic_start(struct vgic *g, u32 count);
void vgic_destroy(struct vgic *g);

static inline bool vgic_is_initialised(const struct vgic *g)
{
	return __atomic_load_n(&g->initialised, __ATOMIC_ACQUIRE);
}

/* ---- kvm/vgic.c: interrupts */
/* The interrupt @intid as @c sees it, or NULL. @c may be NULL if it is not private. */
struct vgic_irq *vgic_find(struct vgic *g, struct vgic_cpu *c, u32 intid);
/* The vCPU with that affinity, or NULL. */
struct vgic_cpu *vgic_cpu_of(struct vgic *g, u64 affinity);
/* Is it pending, wherever that is known? Under the lock, like all that follow here. */
static inline bool vgic_irq_is_pending(const struct vgic_irq *irq)
{
	return irq->latch || irq->lr_latch || (irq->trigger == VGIC_LEVEL && irq->line);
}
/* May it be signalled, if its group and priority allow that? */
static inline bool vgic_irq_is_wanted(const struct vgic_irq *irq)
{
	return irq->enabled && vgic_irq_is_pending(irq);
}
/* After any change of @irq: puts it on the list where it belongs, and kicks who must know. */
void vgic_irq_changed(struct vgic *g, struct vgic_irq *irq);
/* All lists were changed at once (GICD_CTLR): every vCPU that has interrupts looks at them. */
void vgic_all_changed(struct vgic *g);
/* The input of @intid goes to @level; an edge-triggered one becomes pending at each high level. Any
 * context; takes the lock. -EINVAL: no such interrupt. */
int vgic_line(struct vgic *g, struct vgic_cpu *c, u32 intid, bool level);
/* A write of ICC_SGI1R_EL1 (@group 1), ICC_SGI0R_EL1 (0) or ICC_ASGI1R_EL1 (0) by @from. Takes the
 * lock. */
void vgic_sgi(struct vgic *g, const struct vgic_cpu *from, u64 value, unsigned int group);

/* ---- kvm/vgic_lr.c: list registers (kvm/lrs.h). @lrs is how many the CPU has. */
/* Has @c nothing to do with list registers? Without the lock; who adds something kicks. */
static inline bool vgic_is_idle(const struct vgic_cpu *c)
{
	return !__atomic_load_n(&c->listed, __ATOMIC_SEQ_CST);
}
/* Before an entry: chooses what goes into the list registers. @vmcr tells which groups the guest
 * has enabled. Takes the lock. */
void vgic_fill(struct vgic *g, struct vgic_cpu *c, u64 vmcr, u32 lrs, struct vgic_lrs *out);
/* Is @intid among what the guest gets as pending? */
bool vgic_offers(const struct vgic_lrs *lrs, u32 intid);
/* The guest's next access to a register of group 1, by which it acknowledges, traps. */
void vgic_trap_acknowledge(struct vgic_lrs *lrs);
/*
 * After an exit: takes over what the guest did to @in; @vmcr is its ICH_VMCR_EL2 now. Gives, in
 * @ended, the numbers of level-triggered SPIs that it deactivated, at most VGIC_ENDED_MAX; how
 * many. Takes the lock.
 */
enum { VGIC_EOICOUNT_MAX = 31, VGIC_ENDED_MAX = VGIC_EOICOUNT_MAX + VGIC_LRS_MAX };
u32 vgic_fold(struct vgic *g, struct vgic_cpu *c, u64 vmcr, const struct vgic_lrs *in, u32 *ended);
/* Would @c be interrupted, with this ICH_VMCR_EL2? It has exited. Takes the lock. */
bool vgic_has_pending(struct vgic *g, struct vgic_cpu *c, u64 vmcr);
/*
 * Does ICC_DIR_EL1 always trap? Where another vCPU may have acknowledged the interrupt it does:
 * the CPU looks into its own list registers only. Guests write it with EOImode 1 alone. Constant
 * once started.
 */
static inline bool vgic_traps_dir(const struct vgic *g)
{
	return g->cpu_count > 1;
}
/* ICC_DIR_EL1, trapped on @c: @intid is deactivated, whoever acknowledged it. Takes the lock, and
 * recalls other vCPUs. True: it is a level-triggered SPI. */
bool vgic_deactivate(struct vgic *g, struct vgic_cpu *c, u32 intid);

/* ICH_VMCR_EL2 (Arm IHI 0069, 12.4.8). */
#define VMCR_ENG0	BIT(0)
#define VMCR_ENG1	BIT(1)
#define VMCR_FIQ_EN	BIT(3)
#define VMCR_CBPR	BIT(4)
#define VMCR_EOIM	BIT(9)
#define VMCR_BPR1_SHIFT 18
#define VMCR_BPR0_SHIFT 21
#define VMCR_PMR_SHIFT	24

/* ---- kvm/vgic_mmio.c: registers */
enum vgic_frame { VGIC_FRAME_DIST, VGIC_FRAME_REDIST };
/* Who accesses: a guest, or user space by an attribute, to which some registers show more. */
enum vgic_by { VGIC_BY_GUEST, VGIC_BY_USER };
struct vgic_access {
	enum vgic_frame frame;
	struct vgic_cpu *cpu; /* whose redistributor; the accessing one, of the distributor */
	enum vgic_by by;
	u32 offset;
	u32 len; /* 1, 2, 4 or 8 bytes */
};
/* What is not there, or not of that size, reads 0 and ignores writes. @offset is in the frame. Take
 * the lock. */
u64 vgic_read(struct vgic *g, const struct vgic_access *a);
void vgic_write(struct vgic *g, const struct vgic_access *a, u64 value);
/* Is there a register of 32 bits, or half of one of 64? */
bool vgic_has_register(const struct vgic_access *a);
#define VGIC_GICD_IIDR	 0x0008
#define VGIC_GICD_TYPER2 0x000c
/* GICD_IIDR by user space. -EINVAL: another implementation's, or a revision that is unknown. */
int vgic_set_revision(struct vgic *g, u32 iidr);

/* The frame that [@ipa, @ipa + @len) lies in: fills frame, cpu (of a redistributor), offset and
 * len. False: none. */
bool vgic_find_frame(const struct vgic *g, u64 ipa, u32 len, struct vgic_access *a);

/* Line levels of 32 interrupts from @first on (KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO). */
u32 vgic_levels_get(struct vgic *g, struct vgic_cpu *c, u32 first);
void vgic_levels_set(struct vgic *g, struct vgic_cpu *c, u32 first, u32 levels);

/* ---- kvm/vgic_lpi.c: LPIs. Once mapped one exists for good; unmapped it has no target. None is
 * called under the lock; those that read or write guest memory may sleep, and are serialised by
 * their callers as far as one ITS is concerned. */
/* May @intid be an LPI, by GICR_PROPBASER? */
bool vgic_is_lpi(const struct vgic *g, u32 intid);
/* Makes it exist. -EINVAL, -ENOMEM. */
int vgic_lpi_create(struct vgic *g, u32 intid);
/* An event is mapped to it, and it interrupts @c as by vgic_lpi_target(); or no longer: what no
 * event is mapped to interrupts nobody. Several may share one (Arm IHI 0069, 5.2). */
void vgic_lpi_map(struct vgic *g, u32 intid, struct vgic_cpu *c);
void vgic_lpi_unmap(struct vgic *g, u32 intid);
/* Whom it interrupts; NULL: nobody, and it is not pending any more. */
void vgic_lpi_target(struct vgic *g, u32 intid, struct vgic_cpu *c);
/* It becomes pending: 1; 0: it interrupts nobody, -EBUSY: one whose LPIs are disabled. Any context.
 */
int vgic_lpi_pend(struct vgic *g, u32 intid);
void vgic_lpi_clear(struct vgic *g, u32 intid);
/* Takes its priority and enable bit over from guest memory: of one, or of all of @c's. */
void vgic_lpi_configure(struct vgic *g, u32 intid);
void vgic_lpi_configure_all(struct vgic *g, const struct vgic_cpu *c);
/* Moves its pending bit from guest memory, if there is one. */
void vgic_lpi_take_pending(struct vgic *g, u32 intid);
/* Everything that interrupts @from interrupts @to. */
void vgic_lpi_move_all(struct vgic *g, const struct vgic_cpu *from, struct vgic_cpu *to);
/* GICR_CTLR.EnableLPIs of @c was set, or cleared. */
void vgic_lpis_enable(struct vgic *g, struct vgic_cpu *c);
void vgic_lpis_disable(struct vgic *g, struct vgic_cpu *c);
/* Writes all pending bits to guest memory. 0, -EFAULT, -EINTR: the caller was killed. */
int vgic_lpis_save(struct vgic *g);
void vgic_lpis_destroy(struct vgic *g);

/* ---- kvm/vgic_place.c: where the frames lie. Under the VM's lock; errors as KVM has them. */
/* Space that a guest's addresses have, in bytes, is @limit. */
int vgic_place_dist(struct vgic *g, u64 base, u64 limit);
/* A region for @room redistributors, with @index as user space counts them. */
int vgic_place_redists(struct vgic *g, u64 base, u32 room, u32 index, u64 limit);
/* The region of all redistributors. */
int vgic_place_all_redists(struct vgic *g, u64 base, u64 limit);
/* Puts @c's redistributor into the first region with room, if there is one. */
void vgic_place_cpu(struct vgic *g, struct vgic_cpu *c);
/* The region @index, or NULL. */
struct vgic_region *vgic_region_of(const struct vgic *g, u32 index);
/* Before the first run: 0, -ENXIO (a frame is missing), -EINVAL (they overlap, or lie beyond
 * @limit). */
int vgic_placement_check(const struct vgic *g, u64 limit);
/* Is @c's the last redistributor of a row (GICR_TYPER.Last)? */
bool vgic_is_last(const struct vgic_cpu *c);

#endif
