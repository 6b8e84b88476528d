/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's port on the modelled machine: one CPU, one thread, RAM that is an arena, and a TLB
 * that keeps every translation until it is told to drop it. What hardware would let pass or punish
 * at random is refused: a lock taken twice, a live descriptor changed without break-before-make,
 * the use of a translation whose invalidation is missing.
 */
#ifndef PORT_MODEL_HOST_PORT_H
#define PORT_MODEL_HOST_PORT_H

/* ---- what tests do to the machine (port/model/host.c) */

/* Powers a machine on with @ram_bytes of RAM, all of it the page allocator's, and an empty TLB. */
void model_host_boot(u64 ram_bytes);
/* Gives the RAM back. */
void model_host_off(void);
/* Runs what waits for a grace period. */
void model_host_grace(void);
/* Calls @fn(@arg); true if the model refused something or the kernel panicked; model_refusal() has
 * the message. */
bool model_refuses(void (*fn)(void *arg), void *arg);
const char *model_refusal(void);
/* Called before each write of a descriptor, if set. */
extern void (*model_pte_hook)(u64 *entry, u64 old, u64 value);
/* Called when RAM is written other than by a store of the kernel's that nobody need know of, if
 * set.
 */
enum model_written {
	MODEL_ZEROED,	  /* pages that go to a new owner, before it */
	MODEL_USER_WROTE, /* through a program's mapping, afterwards */
};
extern void (*model_ram_hook)(pa_t pa, u64 size, enum model_written what);
/* What the kernel does with a fault of access to a program's memory: true if it may be repeated. */
enum model_access { MODEL_READ, MODEL_WRITE };
extern bool (*model_user_fault)(u64 va, enum model_access access);
/* Invalidations since power-on: of ranges, of an ASID, of everything. */
struct model_tlbi_counts {
	u64 range;
	u64 asid;
	u64 all;
};
extern struct model_tlbi_counts model_tlbis;
/* What other threads do while the only one sleeps, if set: returns what sched_sleep() returns. */
extern int (*model_on_sleep)(u64 deadline_ns);
/* What they do when it has given up to wait, but is still queued; and whom a wake-up went to. */
extern void (*model_on_cancel_sleep)(void);
extern struct task *model_woken;
/* What CPU @cpu was asked to look at; and what others do while this one spins, if set. */
extern void (*model_on_ipi)(unsigned int cpu);
extern void (*model_on_relax)(void);
/* How often sched_point() was reached; tests set it to 0. */
extern u64 model_sched_points;
/* ASIDs have this many bits; 8 unless set before the first mm runs. */
extern unsigned int model_asid_bits;

/* ---- the contract */

#define MAIR_IDX_WB    0
#define MAIR_IDX_NC    1
#define MAIR_IDX_NGNRE 2

struct spinlock {
	u32 held;
};

extern u32 model_spinlocks_held;

static inline void spin_init(struct spinlock *l)
{
	l->held = 0;
}

static inline bool spin_trylock(struct spinlock *l)
{
	if (l->held)
		return false;
	l->held = 1;
	model_spinlocks_held++;
	return true;
}

static inline void spin_lock(struct spinlock *l)
{
	if (!spin_trylock(l))
		panic("spin lock %p taken twice", (void *)l);
}

static inline void spin_unlock(struct spinlock *l)
{
	if (!l->held)
		panic("spin lock %p released but not held", (void *)l);
	l->held = 0;
	model_spinlocks_held--;
}

static inline bool spin_is_locked(const struct spinlock *l)
{
	return l->held;
}

static inline unsigned int port_cpu(void)
{
	return 0;
}

static inline unsigned int port_cpu_count(void)
{
	return 1;
}

extern struct task *model_current;

static inline struct task *port_current(void)
{
	return model_current;
}

static inline void port_cpu_relax(void)
{
	if (model_on_relax)
		model_on_relax();
}

/* RAM begins where QEMU's virt board has it. */
#define MODEL_RAM_BASE 0x40000000UL
/* Objects of the program itself play the kernel's image: their physical address has this bit. */
#define MODEL_IMAGE_BIT BIT(47)

extern char *model_ram;
extern u64 model_ram_bytes;

static inline void *phys_to_virt(pa_t pa)
{
	if (pa.v > MODEL_IMAGE_BIT)
		return (void *)(pa.v & ~MODEL_IMAGE_BIT);
	if (pa.v < MODEL_RAM_BASE || pa.v >= MODEL_RAM_BASE + model_ram_bytes)
		panic("%lx is not RAM", (unsigned long)pa.v);
	return model_ram + (pa.v - MODEL_RAM_BASE);
}

static inline pa_t virt_to_phys(const void *p)
{
	const char *c = p;

	if (c >= model_ram && c < model_ram + model_ram_bytes)
		return PA(MODEL_RAM_BASE + (u64)(c - model_ram));
	return PA((u64)p | MODEL_IMAGE_BIT);
}

static inline u64 port_pte_read(const u64 *pte)
{
	return *pte;
}

void model_pte_write(u64 *pte, u64 value);

static inline void port_pte_write(u64 *pte, u64 value)
{
	model_pte_write(pte, value);
}

static inline void port_pte_publish(void)
{
}

#endif
