/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's port on native threads: real locks and atomics, each thread a CPU. There is no TLB
 * and no cache here, so maintenance has nothing to do; what the thread sanitizer sees is the
 * engine's own synchronisation. What waits for a grace period is kept to the end of the program.
 */
#ifndef TESTS_THREADS_ENGINE_PORT_H
#define TESTS_THREADS_ENGINE_PORT_H

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

struct port {
	struct port_caps caps;
};

struct port_rwlock {
	pthread_rwlock_t lock;
};

struct port_tlbi {
	u64 vttbr;
};

extern __thread unsigned int thread_cpu;

static inline const struct port_caps *port_caps(const struct port *p)
{
	return &p->caps;
}

static inline unsigned int port_this_cpu(const struct port *p)
{
	(void)p;
	return thread_cpu;
}

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
}

static inline void port_barrier(struct port *p)
{
	(void)p;
}

static inline u64 *port_table_alloc(struct port *p, unsigned int order)
{
	u64 *table = aligned_alloc(PAGE_SIZE << order, PAGE_SIZE << order);

	(void)p;
	return table ? memset(table, 0, PAGE_SIZE << order) : NULL;
}

static inline void port_table_free(struct port *p, u64 *table, unsigned int order)
{
	(void)p;
	(void)order;
	free(table);
}

static inline void port_table_retire(struct port *p, u64 *table)
{
	(void)p;
	(void)table;
}

static inline pa_t port_table_pa(const struct port *p, const u64 *table)
{
	(void)p;
	return PA((u64)table);
}

static inline u64 *port_table_at(const struct port *p, pa_t pa)
{
	(void)p;
	return (u64 *)pa.v;
}

static inline void *port_alloc(struct port *p, size_t size)
{
	(void)p;
	return calloc(1, size);
}

static inline void port_free(struct port *p, void *mem, size_t size)
{
	(void)p;
	(void)size;
	free(mem);
}

static inline void port_free_after_grace(struct port *p, void *mem, size_t size)
{
	(void)p;
	(void)mem;
	(void)size;
}

static inline void port_walk_enter(struct port *p)
{
	(void)p;
}

static inline void port_walk_leave(struct port *p)
{
	(void)p;
}

static inline void port_rwlock_init(struct port *p, struct port_rwlock *l)
{
	(void)p;
	pthread_rwlock_init(&l->lock, NULL);
}

static inline void port_read_lock(struct port *p, struct port_rwlock *l)
{
	(void)p;
	pthread_rwlock_rdlock(&l->lock);
}

static inline void port_read_unlock(struct port *p, struct port_rwlock *l)
{
	(void)p;
	pthread_rwlock_unlock(&l->lock);
}

static inline void port_write_lock(struct port *p, struct port_rwlock *l)
{
	(void)p;
	pthread_rwlock_wrlock(&l->lock);
}

static inline void port_write_unlock(struct port *p, struct port_rwlock *l)
{
	(void)p;
	pthread_rwlock_unlock(&l->lock);
}

static inline void port_relax_point(struct port *p)
{
	(void)p;
	sched_yield();
}

static inline void port_tlbi_enter(struct port *p, struct port_tlbi *t, const u64 *vttbr)
{
	(void)p;
	t->vttbr = __atomic_load_n(vttbr, __ATOMIC_RELAXED);
}

static inline void port_tlbi_ipa(struct port *p, struct port_tlbi *t, ipa_t ipa, int level)
{
	(void)p;
	(void)t;
	(void)ipa;
	(void)level;
}

static inline void port_tlbi_ipa_range(struct port *p, struct port_tlbi *t, ipa_t ipa, u64 size,
				       int level)
{
	(void)p;
	(void)t;
	(void)ipa;
	(void)size;
	(void)level;
}

static inline void port_tlbi_stage1(struct port *p, struct port_tlbi *t)
{
	(void)p;
	(void)t;
}

static inline void port_tlbi_vmid(struct port *p, struct port_tlbi *t)
{
	(void)p;
	(void)t;
}

static inline void port_tlbi_leave(struct port *p, struct port_tlbi *t)
{
	(void)p;
	(void)t;
}

static inline void port_tlbi_ipa_local(struct port *p, const u64 *vttbr, ipa_t ipa, int level)
{
	(void)p;
	(void)vttbr;
	(void)ipa;
	(void)level;
}

static inline void port_tlbi_all_vmids(struct port *p)
{
	(void)p;
}

static inline void port_flush_local(struct port *p, const u64 *vttbr)
{
	(void)p;
	(void)vttbr;
}

static inline void port_dcache_clean_inval(struct port *p, pa_t pa, u64 size)
{
	(void)p;
	(void)pa;
	(void)size;
}

static inline void port_icache_inval(struct port *p, pa_t pa, u64 size)
{
	(void)p;
	(void)pa;
	(void)size;
}

static inline void port_icache_inval_all(struct port *p)
{
	(void)p;
}

#endif
