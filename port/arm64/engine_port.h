/* SPDX-License-Identifier: Apache-2.0 */
/* The inline half of engine/port.h on the real machine. Contracts are there. */
#ifndef PORT_ARM64_ENGINE_PORT_H
#define PORT_ARM64_ENGINE_PORT_H

#include "host/port.h"
#include "kvm/engine_memory.h"
#include "sysreg.h"

#define HCR_EL2_VM  BIT(0)
#define HCR_EL2_TGE BIT(27)

/* There is one machine; it exists so that the engine needs no globals. */
struct port {
	struct port_caps caps;
};

/*
 * Readers count themselves in; a writer shuts the door, then waits until the room is empty. Those
 * who find it shut queue at the ticket lock, writers among them, so both kinds make progress.
 */
struct port_rwlock {
	struct spinlock door;
	u32 state; /* atomic: readers inside; RWLOCK_WRITER */
};
#define RWLOCK_WRITER (1U << 31)

struct port_tlbi {
	u64 hcr;
	u64 vttbr;
};

static inline const struct port_caps *port_caps(const struct port *p)
{
	return &p->caps;
}

static inline unsigned int port_this_cpu(const struct port *p)
{
	(void)p;
	return port_cpu();
}

/* ---- descriptors */
static inline u64 port_desc_load(struct port *p, const u64 *desc)
{
	(void)p;
	return __atomic_load_n(desc, __ATOMIC_ACQUIRE);
}

static inline bool port_desc_cas(struct port *p, u64 *desc, u64 old, u64 new_value)
{
	(void)p;
	return __atomic_compare_exchange_n(desc, &old, new_value, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

static inline u64 port_desc_swap(struct port *p, u64 *desc, u64 new_value)
{
	(void)p;
	return __atomic_exchange_n(desc, new_value, __ATOMIC_ACQ_REL);
}

static inline void port_desc_store(struct port *p, u64 *desc, u64 value)
{
	(void)p;
	__atomic_store_n(desc, value, __ATOMIC_RELEASE);
}

static inline void port_desc_publish(struct port *p)
{
	(void)p;
	__asm__ volatile("dsb ishst" ::: "memory");
}

static inline void port_barrier(struct port *p)
{
	(void)p;
	__asm__ volatile("dsb ish\n\tisb" ::: "memory");
}

/* ---- memory: the allocator is the host's, which kvm/engine_memory.c brings in */
static inline u64 *port_table_alloc(struct port *p, unsigned int order)
{
	(void)p;
	return engine_memory_table(order);
}

static inline void port_table_free(struct port *p, u64 *table, unsigned int order)
{
	(void)p;
	(void)order;
	engine_memory_table_free(table);
}

static inline void port_table_retire(struct port *p, u64 *table)
{
	(void)p;
	engine_memory_table_retire(table);
}

static inline pa_t port_table_pa(const struct port *p, const u64 *table)
{
	(void)p;
	return virt_to_phys(table);
}

static inline u64 *port_table_at(const struct port *p, pa_t pa)
{
	(void)p;
	return phys_to_virt(pa);
}

static inline void *port_alloc(struct port *p, size_t size)
{
	(void)p;
	return engine_memory_alloc(size);
}

static inline void port_free(struct port *p, void *mem, size_t size)
{
	(void)p;
	(void)size;
	engine_memory_free(mem);
}

static inline void port_free_after_grace(struct port *p, void *mem, size_t size)
{
	(void)p;
	(void)size;
	engine_memory_retire(mem);
}

/* EL2 is not preempted and passes no quiescent state by itself. */
static inline void port_walk_enter(struct port *p)
{
	(void)p;
	__asm__ volatile("" ::: "memory");
}

static inline void port_walk_leave(struct port *p)
{
	(void)p;
	__asm__ volatile("" ::: "memory");
}

/* ---- the lock */
void arm64_read_lock_slow(struct port_rwlock *l);
void arm64_write_lock_wait(struct port_rwlock *l);

static inline void port_rwlock_init(struct port *p, struct port_rwlock *l)
{
	(void)p;
	spin_init(&l->door);
	l->state = 0;
}

static inline void port_read_lock(struct port *p, struct port_rwlock *l)
{
	(void)p;
	if (__atomic_fetch_add(&l->state, 1, __ATOMIC_ACQUIRE) & RWLOCK_WRITER)
		arm64_read_lock_slow(l);
}

static inline void port_read_unlock(struct port *p, struct port_rwlock *l)
{
	(void)p;
	__atomic_fetch_sub(&l->state, 1, __ATOMIC_RELEASE);
}

static inline void port_write_lock(struct port *p, struct port_rwlock *l)
{
	(void)p;
	spin_lock(&l->door);
	if (__atomic_fetch_or(&l->state, RWLOCK_WRITER, __ATOMIC_ACQUIRE))
		arm64_write_lock_wait(l);
}

static inline void port_write_unlock(struct port *p, struct port_rwlock *l)
{
	(void)p;
	__atomic_fetch_and(&l->state, ~RWLOCK_WRITER, __ATOMIC_RELEASE);
	spin_unlock(&l->door);
}

static inline void port_relax_point(struct port *p)
{
	(void)p;
	port_irq_point();
}

/*
 * ---- TLB maintenance. TLBI of EL1&0 entries takes the VMID from VTTBR_EL2 and means EL1&0 only
 * while TGE is clear; interrupts are masked, so nothing runs in that context.
 */
static inline void port_tlbi_enter(struct port *p, struct port_tlbi *t, const u64 *vttbr_now)
{
	u64 vttbr;

	(void)p;
	__asm__ volatile("dsb ishst" ::: "memory");
	vttbr = __atomic_load_n(vttbr_now, __ATOMIC_RELAXED);
	t->hcr = read_sysreg(hcr_el2);
	t->vttbr = read_sysreg(vttbr_el2);
	if (t->vttbr != vttbr)
		write_sysreg(vttbr_el2, vttbr);
	write_sysreg(hcr_el2, (t->hcr & ~HCR_EL2_TGE) | HCR_EL2_VM);
	isb();
}

/* FEAT_TTL: bits 47:44 name the granule (01: 4 KiB) and the level of the leaf. */
static inline u64 arm64_tlbi_ipa_arg(const struct port *p, ipa_t ipa, int level)
{
	u64 arg = (ipa.v & GENMASK(51, 12)) >> 12;

	if (level >= 0 && p->caps.ttl)
		arg |= (4UL | (u64)level) << 44;
	return arg;
}

static inline void port_tlbi_ipa(struct port *p, struct port_tlbi *t, ipa_t ipa, int level)
{
	u64 arg = arm64_tlbi_ipa_arg(p, ipa, level);

	(void)t;
	__asm__ volatile("tlbi ipas2e1is, %0" : : "r"(arg) : "memory");
}

void arm64_tlbi_ipa_range(ipa_t ipa, u64 size, int level);

static inline void port_tlbi_ipa_range(struct port *p, struct port_tlbi *t, ipa_t ipa, u64 size,
				       int level)
{
	(void)p;
	(void)t;
	arm64_tlbi_ipa_range(ipa, size, level);
}

static inline void port_tlbi_stage1(struct port *p, struct port_tlbi *t)
{
	(void)p;
	(void)t;
	__asm__ volatile("dsb ish\n\ttlbi vmalle1is" ::: "memory");
}

static inline void port_tlbi_vmid(struct port *p, struct port_tlbi *t)
{
	(void)p;
	(void)t;
	__asm__ volatile("tlbi vmalls12e1is" ::: "memory");
}

static inline void port_tlbi_leave(struct port *p, struct port_tlbi *t)
{
	(void)p;
	__asm__ volatile("dsb ish" ::: "memory");
	write_sysreg(hcr_el2, t->hcr);
	write_sysreg(vttbr_el2, t->vttbr);
	isb();
}

static inline void port_tlbi_all_vmids(struct port *p)
{
	(void)p;
	__asm__ volatile("dsb ishst\n\ttlbi alle1is\n\tic ialluis\n\tdsb ish\n\tisb" ::: "memory");
}

/* As port_tlbi_leave(), for maintenance of this CPU alone. */
static inline void arm64_tlbi_leave_local(struct port_tlbi *t)
{
	__asm__ volatile("dsb nsh" ::: "memory");
	write_sysreg(hcr_el2, t->hcr);
	write_sysreg(vttbr_el2, t->vttbr);
	isb();
}

static inline void port_tlbi_ipa_local(struct port *p, const u64 *vttbr, ipa_t ipa, int level)
{
	u64 arg = arm64_tlbi_ipa_arg(p, ipa, level);
	struct port_tlbi t;

	port_tlbi_enter(p, &t, vttbr);
	__asm__ volatile("tlbi ipas2e1, %0\n\tdsb nsh\n\ttlbi vmalle1" : : "r"(arg) : "memory");
	arm64_tlbi_leave_local(&t);
}

static inline void port_flush_local(struct port *p, const u64 *vttbr)
{
	struct port_tlbi t;

	port_tlbi_enter(p, &t, vttbr);
	__asm__ volatile("tlbi vmalle1\n\tic iallu" ::: "memory");
	arm64_tlbi_leave_local(&t);
}

/* ---- caches */
void arm64_dcache_clean_inval(const void *start, u64 size);
void arm64_icache_inval(const void *start, u64 size);

static inline void port_dcache_clean_inval(struct port *p, pa_t pa, u64 size)
{
	(void)p;
	arm64_dcache_clean_inval(phys_to_virt(pa), size);
}

static inline void port_icache_inval(struct port *p, pa_t pa, u64 size)
{
	(void)p;
	arm64_icache_inval(phys_to_virt(pa), size);
}

static inline void port_icache_inval_all(struct port *p)
{
	(void)p;
	__asm__ volatile("dsb ish\n\tic ialluis\n\tdsb ish\n\tisb" ::: "memory");
}

#endif
