/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest port: one CPU, memory by calloc(), and no guest, so that nothing is cached. What a
 * machine would do instead stands in docs/porting.md, function by function. */
#ifndef EXAMPLE_ENGINE_PORT_H
#define EXAMPLE_ENGINE_PORT_H

void *calloc(size_t count, size_t size);
void *aligned_alloc(size_t alignment, size_t size);
void free(void *mem);

/* One line a function, to be read as a table. */
/* clang-format off */
#define IN static inline __attribute__((unused))
struct port { struct port_caps caps; u64 tlbis, cleaned; };
struct port_rwlock { int readers, writers; };
struct port_tlbi { u64 vttbr; };

IN const struct port_caps *port_caps(const struct port *p) { return &p->caps; }
IN unsigned int port_this_cpu(const struct port *p) { (void)p; return 0; }

/* Descriptors: LDAR, CAS, SWP, STLR; DSB ISHST; DSB ISH and ISB. */
IN u64 port_desc_load(struct port *p, const u64 *d) { (void)p; return __atomic_load_n(d, __ATOMIC_ACQUIRE); }
IN bool port_desc_cas(struct port *p, u64 *d, u64 old, u64 v) { (void)p; return __atomic_compare_exchange_n(d, &old, v, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE); }
IN u64 port_desc_swap(struct port *p, u64 *d, u64 v) { (void)p; return __atomic_exchange_n(d, v, __ATOMIC_ACQ_REL); }
IN void port_desc_store(struct port *p, u64 *d, u64 v) { (void)p; __atomic_store_n(d, v, __ATOMIC_RELEASE); }
IN void port_desc_publish(struct port *p) { (void)p; __atomic_thread_fence(__ATOMIC_SEQ_CST); }
IN void port_barrier(struct port *p) { (void)p; __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/* Tables, zeroed and aligned to their size. One CPU: a grace period has always passed. */
IN u64 *port_table_alloc(struct port *p, unsigned int order)
{
	u64 *table = aligned_alloc(PAGE_SIZE << order, PAGE_SIZE << order);

	(void)p;
	for (size_t i = 0; table && i < (PAGE_SIZE << order) / sizeof(*table); i++)
		table[i] = 0;
	return table;
}
IN void port_table_free(struct port *p, u64 *t, unsigned int order) { (void)p; (void)order; free(t); }
IN void port_table_retire(struct port *p, u64 *t) { (void)p; free(t); }
IN pa_t port_table_pa(const struct port *p, const u64 *t) { (void)p; return PA((u64)t); }
IN u64 *port_table_at(const struct port *p, pa_t pa) { (void)p; return (u64 *)pa.v; }
IN void *port_alloc(struct port *p, size_t size) { (void)p; return calloc(1, size); }
IN void port_free(struct port *p, void *mem, size_t n) { (void)p; (void)n; free(mem); }
IN void port_free_after_grace(struct port *p, void *mem, size_t n) { port_free(p, mem, n); }
IN void port_walk_enter(struct port *p) { (void)p; }
IN void port_walk_leave(struct port *p) { (void)p; }

/* Locks: nobody else is there; yours spin. */
IN void port_rwlock_init(struct port *p, struct port_rwlock *l) { (void)p; *l = (struct port_rwlock){ 0 }; }
IN void port_read_lock(struct port *p, struct port_rwlock *l) { (void)p; l->readers++; }
IN void port_read_unlock(struct port *p, struct port_rwlock *l) { (void)p; l->readers--; }
IN void port_write_lock(struct port *p, struct port_rwlock *l) { (void)p; l->writers++; }
IN void port_write_unlock(struct port *p, struct port_rwlock *l) { (void)p; l->writers--; }
IN void port_relax_point(struct port *p) { (void)p; }

/* TLBs and caches: counted. */
IN void port_tlbi_enter(struct port *p, struct port_tlbi *t, const u64 *vttbr) { (void)p; t->vttbr = *vttbr; }
IN void port_tlbi_ipa(struct port *p, struct port_tlbi *t, ipa_t a, int level) { (void)t; (void)a; (void)level; p->tlbis++; }
IN void port_tlbi_ipa_range(struct port *p, struct port_tlbi *t, ipa_t a, u64 n, int level) { (void)n; port_tlbi_ipa(p, t, a, level); }
IN void port_tlbi_stage1(struct port *p, struct port_tlbi *t) { (void)t; p->tlbis++; }
IN void port_tlbi_vmid(struct port *p, struct port_tlbi *t) { (void)t; p->tlbis++; }
IN void port_tlbi_leave(struct port *p, struct port_tlbi *t) { (void)p; (void)t; }
IN void port_tlbi_ipa_local(struct port *p, const u64 *v, ipa_t a, int level) { (void)v; (void)a; (void)level; p->tlbis++; }
IN void port_tlbi_all_vmids(struct port *p) { p->tlbis++; }
IN void port_flush_local(struct port *p, const u64 *vttbr) { (void)vttbr; p->tlbis++; }
IN void port_dcache_clean_inval(struct port *p, pa_t pa, u64 size) { (void)pa; p->cleaned += size; }
IN void port_icache_inval(struct port *p, pa_t pa, u64 size) { (void)p; (void)pa; (void)size; }
IN void port_icache_inval_all(struct port *p) { (void)p; }
/* clang-format on */

#endif
