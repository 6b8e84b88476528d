/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's port to nothing, for counting instructions: one CPU, no guest, locks that nobody
 * contends. Barriers and maintenance are no instructions; with BENCH_EVENTS they are counted
 * instead, in a second program, so that counting costs nothing where instructions are counted.
 */
#ifndef BENCH_ENGINE_PORT_H
#define BENCH_ENGINE_PORT_H

/* What Arm would have been asked for. */
struct bench_events {
	u64 writes; /* of descriptors, those of tables not linked yet included */
	u64 dsb;
	u64 tlbi_ipa, tlbi_range, tlbi_local, tlbi_stage1, tlbi_vmid;
	u64 owed;	   /* entries taken and not invalidated yet */
	u64 retired_early; /* tables retired while something was owed */
};

struct port {
	struct port_caps caps;
	u64 *pool; /* zeroed tables, handed out in order; peers take theirs zeroed too */
	u64 next;
	struct bench_events ev;
};

struct port_rwlock {
	int unused;
};

struct port_tlbi {
	u64 vttbr;
};

/* Not from the C library: the engine is freestanding. */
void *bench_zalloc(size_t size);
void bench_free(void *mem);

#ifdef BENCH_EVENTS
#define EVENT(what) (p->ev.what)
#else
#define EVENT(what) ((void)p)
#endif

/* One line a function, to be read as a table. */
/* clang-format off */
#define IN static inline __attribute__((unused))

IN const struct port_caps *port_caps(const struct port *p) { return &p->caps; }
IN unsigned int port_this_cpu(const struct port *p) { (void)p; return 0; }

/* Descriptors. */
IN u64 port_desc_load(struct port *p, const u64 *d) { (void)p; return __atomic_load_n(d, __ATOMIC_ACQUIRE); }
IN bool port_desc_cas(struct port *p, u64 *d, u64 old, u64 v) { EVENT(writes++); return __atomic_compare_exchange_n(d, &old, v, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE); }
IN u64 port_desc_swap(struct port *p, u64 *d, u64 v) { EVENT(writes++); EVENT(owed++); return __atomic_exchange_n(d, v, __ATOMIC_ACQ_REL); }
IN void port_desc_store(struct port *p, u64 *d, u64 v) { EVENT(writes++); __atomic_store_n(d, v, __ATOMIC_RELEASE); }
IN void port_desc_publish(struct port *p) { EVENT(dsb++); __asm__ volatile("" ::: "memory"); }
IN void port_barrier(struct port *p) { EVENT(dsb++); __asm__ volatile("" ::: "memory"); }

/* Tables. None is used again within one operation. */
IN u64 *port_table_alloc(struct port *p, unsigned int order)
{
	u64 *table = p->pool + p->next * (PAGE_SIZE / sizeof(u64));

	p->next += 1UL << order;
	return table;
}
IN void port_table_free(struct port *p, u64 *t, unsigned int order) { (void)p; (void)t; (void)order; }
IN void port_table_retire(struct port *p, u64 *t) { (void)t; EVENT(retired_early += p->ev.owed != 0); }
IN pa_t port_table_pa(const struct port *p, const u64 *t) { (void)p; return PA((u64)t); }
IN u64 *port_table_at(const struct port *p, pa_t pa) { (void)p; return (u64 *)pa.v; }
IN void *port_alloc(struct port *p, size_t size) { (void)p; return bench_zalloc(size); }
IN void port_free(struct port *p, void *mem, size_t size) { (void)p; (void)size; bench_free(mem); }
IN void port_free_after_grace(struct port *p, void *mem, size_t size) { port_free(p, mem, size); }
IN void port_walk_enter(struct port *p) { (void)p; }
IN void port_walk_leave(struct port *p) { (void)p; }

/* Locks. */
IN void port_rwlock_init(struct port *p, struct port_rwlock *l) { (void)p; (void)l; }
IN void port_read_lock(struct port *p, struct port_rwlock *l) { (void)p; (void)l; __asm__ volatile("" ::: "memory"); }
IN void port_read_unlock(struct port *p, struct port_rwlock *l) { (void)p; (void)l; __asm__ volatile("" ::: "memory"); }
IN void port_write_lock(struct port *p, struct port_rwlock *l) { (void)p; (void)l; __asm__ volatile("" ::: "memory"); }
IN void port_write_unlock(struct port *p, struct port_rwlock *l) { (void)p; (void)l; __asm__ volatile("" ::: "memory"); }
IN void port_relax_point(struct port *p) { (void)p; __asm__ volatile("" ::: "memory"); }

/* TLBs. */
IN void port_tlbi_enter(struct port *p, struct port_tlbi *t, const u64 *vttbr) { EVENT(dsb++); t->vttbr = __atomic_load_n(vttbr, __ATOMIC_RELAXED); }
IN void port_tlbi_ipa(struct port *p, struct port_tlbi *t, ipa_t ipa, int level) { (void)t; (void)ipa; (void)level; EVENT(tlbi_ipa++); }
IN void port_tlbi_ipa_range(struct port *p, struct port_tlbi *t, ipa_t ipa, u64 size, int level) { (void)t; (void)ipa; (void)size; (void)level; EVENT(tlbi_range++); }
IN void port_tlbi_stage1(struct port *p, struct port_tlbi *t) { (void)t; EVENT(dsb++); EVENT(tlbi_stage1++); }
IN void port_tlbi_vmid(struct port *p, struct port_tlbi *t) { (void)t; EVENT(tlbi_vmid++); }
IN void port_tlbi_leave(struct port *p, struct port_tlbi *t) { (void)t; EVENT(dsb++); EVENT(owed = 0); }
IN void port_tlbi_ipa_local(struct port *p, const u64 *vttbr, ipa_t ipa, int level) { (void)vttbr; (void)ipa; (void)level; EVENT(tlbi_local++); EVENT(dsb++); EVENT(dsb++); EVENT(dsb++); }
IN void port_tlbi_all_vmids(struct port *p) { EVENT(dsb++); }
IN void port_flush_local(struct port *p, const u64 *vttbr) { (void)p; (void)vttbr; }

/* Caches. */
IN void port_dcache_clean_inval(struct port *p, pa_t pa, u64 size) { (void)p; (void)pa; (void)size; }
IN void port_icache_inval(struct port *p, pa_t pa, u64 size) { (void)p; (void)pa; (void)size; }
IN void port_icache_inval_all(struct port *p) { (void)p; }
/* clang-format on */

#endif
