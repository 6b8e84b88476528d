/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's port on the modelled machine (port/model/machine.h has what tests do with it): each
 * call goes to the model, which does what the architecture says and refuses what it forbids.
 */
#ifndef PORT_MODEL_ENGINE_PORT_H
#define PORT_MODEL_ENGINE_PORT_H

struct machine; /* the model's state */

struct port {
	struct port_caps caps;
	unsigned int cpu; /* the one that executes */
	const char *site; /* where in the engine the present call stands */
	struct machine *machine;
};

enum { PORT_RWLOCK_CPUS = 8 };
struct port_rwlock {
	u32 readers;
	bool writer;
	u8 held[PORT_RWLOCK_CPUS]; /* by which CPU */
};

struct port_tlbi {
	u64 vttbr;
	bool active;
};

u64 machine_desc_load(struct port *p, const u64 *desc);
bool machine_desc_cas(struct port *p, u64 *desc, u64 old, u64 new_value);
u64 machine_desc_swap(struct port *p, u64 *desc, u64 new_value);
void machine_desc_store(struct port *p, u64 *desc, u64 value);
void machine_publish(struct port *p);
void machine_barrier(struct port *p);
u64 *machine_table_alloc(struct port *p, unsigned int order);
void machine_table_free(struct port *p, u64 *table, unsigned int order);
void machine_table_retire(struct port *p, u64 *table);
pa_t machine_table_pa(const struct port *p, const u64 *table);
u64 *machine_table_at(const struct port *p, pa_t pa);
void *machine_alloc(struct port *p, size_t size);
void machine_release(struct port *p, void *mem, size_t size);
void machine_release_after_grace(struct port *p, void *mem, size_t size);
void machine_walk_enter(struct port *p);
void machine_walk_leave(struct port *p);
void machine_read_lock(struct port *p, struct port_rwlock *l);
void machine_read_unlock(struct port *p, struct port_rwlock *l);
void machine_write_lock(struct port *p, struct port_rwlock *l);
void machine_write_unlock(struct port *p, struct port_rwlock *l);
void machine_relax_point(struct port *p);
void machine_tlbi_enter(struct port *p, struct port_tlbi *t, const u64 *vttbr);
void machine_tlbi_range(struct port *p, struct port_tlbi *t, ipa_t ipa, u64 size, int level);
void machine_tlbi_ipa(struct port *p, struct port_tlbi *t, ipa_t ipa, int level);
void machine_tlbi_stage1(struct port *p, struct port_tlbi *t);
void machine_tlbi_vmid(struct port *p, struct port_tlbi *t);
void machine_tlbi_leave(struct port *p, struct port_tlbi *t);
void machine_tlbi_ipa_local(struct port *p, const u64 *vttbr, ipa_t ipa, int level);
void machine_tlbi_all_vmids(struct port *p);
void machine_flush_local(struct port *p, const u64 *vttbr);
void machine_dcache_clean_inval(struct port *p, pa_t pa, u64 size);
void machine_icache_inval(struct port *p, pa_t pa, u64 size);
void machine_icache_inval_all(struct port *p);

static inline const struct port_caps *port_caps(const struct port *p)
{
	return &p->caps;
}

static inline unsigned int port_this_cpu(const struct port *p)
{
	return p->cpu;
}

static inline u64 port_desc_load(struct port *p, const u64 *desc)
{
	return machine_desc_load(p, desc);
}

static inline bool port_desc_cas(struct port *p, u64 *desc, u64 old, u64 new_value)
{
	return machine_desc_cas(p, desc, old, new_value);
}

static inline u64 port_desc_swap(struct port *p, u64 *desc, u64 new_value)
{
	return machine_desc_swap(p, desc, new_value);
}

static inline void port_desc_store(struct port *p, u64 *desc, u64 value)
{
	machine_desc_store(p, desc, value);
}

static inline void port_desc_publish(struct port *p)
{
	machine_publish(p);
}

static inline void port_barrier(struct port *p)
{
	machine_barrier(p);
}

static inline u64 *port_table_alloc(struct port *p, unsigned int order)
{
	return machine_table_alloc(p, order);
}

static inline void port_table_free(struct port *p, u64 *table, unsigned int order)
{
	machine_table_free(p, table, order);
}

static inline void port_table_retire(struct port *p, u64 *table)
{
	machine_table_retire(p, table);
}

static inline pa_t port_table_pa(const struct port *p, const u64 *table)
{
	return machine_table_pa(p, table);
}

static inline u64 *port_table_at(const struct port *p, pa_t pa)
{
	return machine_table_at(p, pa);
}

static inline void *port_alloc(struct port *p, size_t size)
{
	return machine_alloc(p, size);
}

static inline void port_free(struct port *p, void *mem, size_t size)
{
	machine_release(p, mem, size);
}

static inline void port_free_after_grace(struct port *p, void *mem, size_t size)
{
	machine_release_after_grace(p, mem, size);
}

static inline void port_walk_enter(struct port *p)
{
	machine_walk_enter(p);
}

static inline void port_walk_leave(struct port *p)
{
	machine_walk_leave(p);
}

static inline void port_rwlock_init(struct port *p, struct port_rwlock *l)
{
	(void)p;
	*l = (struct port_rwlock){ .readers = 0 };
}

static inline void port_read_lock(struct port *p, struct port_rwlock *l)
{
	machine_read_lock(p, l);
}

static inline void port_read_unlock(struct port *p, struct port_rwlock *l)
{
	machine_read_unlock(p, l);
}

static inline void port_write_lock(struct port *p, struct port_rwlock *l)
{
	machine_write_lock(p, l);
}

static inline void port_write_unlock(struct port *p, struct port_rwlock *l)
{
	machine_write_unlock(p, l);
}

static inline void port_relax_point(struct port *p)
{
	machine_relax_point(p);
}

static inline void port_tlbi_enter(struct port *p, struct port_tlbi *t, const u64 *vttbr)
{
	machine_tlbi_enter(p, t, vttbr);
}

static inline void port_tlbi_ipa(struct port *p, struct port_tlbi *t, ipa_t ipa, int level)
{
	machine_tlbi_ipa(p, t, ipa, level);
}

static inline void port_tlbi_ipa_range(struct port *p, struct port_tlbi *t, ipa_t ipa, u64 size,
				       int level)
{
	machine_tlbi_range(p, t, ipa, size, level);
}

static inline void port_tlbi_stage1(struct port *p, struct port_tlbi *t)
{
	machine_tlbi_stage1(p, t);
}

static inline void port_tlbi_vmid(struct port *p, struct port_tlbi *t)
{
	machine_tlbi_vmid(p, t);
}

static inline void port_tlbi_leave(struct port *p, struct port_tlbi *t)
{
	machine_tlbi_leave(p, t);
}

static inline void port_tlbi_ipa_local(struct port *p, const u64 *vttbr, ipa_t ipa, int level)
{
	machine_tlbi_ipa_local(p, vttbr, ipa, level);
}

static inline void port_tlbi_all_vmids(struct port *p)
{
	machine_tlbi_all_vmids(p);
}

static inline void port_flush_local(struct port *p, const u64 *vttbr)
{
	machine_flush_local(p, vttbr);
}

static inline void port_dcache_clean_inval(struct port *p, pa_t pa, u64 size)
{
	machine_dcache_clean_inval(p, pa, size);
}

static inline void port_icache_inval(struct port *p, pa_t pa, u64 size)
{
	machine_icache_inval(p, pa, size);
}

static inline void port_icache_inval_all(struct port *p)
{
	machine_icache_inval_all(p);
}

/* Each call tells where it stands: exploration accounts for the pairs of program points it saw. */
#define MODEL_TEXT(line)		   #line
#define MODEL_LINE(line)		   MODEL_TEXT(line)
#define MODEL_HERE(p)			   ((p)->site = __FILE__ ":" MODEL_LINE(__LINE__), (p))
#define port_desc_load(p, desc)		   port_desc_load(MODEL_HERE(p), desc)
#define port_desc_cas(p, desc, old, value) port_desc_cas(MODEL_HERE(p), desc, old, value)
#define port_desc_swap(p, desc, value)	   port_desc_swap(MODEL_HERE(p), desc, value)
#define port_desc_store(p, desc, value)	   port_desc_store(MODEL_HERE(p), desc, value)
#define port_desc_publish(p)		   port_desc_publish(MODEL_HERE(p))
#define port_barrier(p)			   port_barrier(MODEL_HERE(p))
#define port_walk_enter(p)		   port_walk_enter(MODEL_HERE(p))
#define port_walk_leave(p)		   port_walk_leave(MODEL_HERE(p))
#define port_read_lock(p, l)		   port_read_lock(MODEL_HERE(p), l)
#define port_read_unlock(p, l)		   port_read_unlock(MODEL_HERE(p), l)
#define port_write_lock(p, l)		   port_write_lock(MODEL_HERE(p), l)
#define port_write_unlock(p, l)		   port_write_unlock(MODEL_HERE(p), l)
#define port_relax_point(p)		   port_relax_point(MODEL_HERE(p))
#define port_tlbi_enter(p, t, vttbr)	   port_tlbi_enter(MODEL_HERE(p), t, vttbr)
#define port_tlbi_ipa(p, t, ipa, level)	   port_tlbi_ipa(MODEL_HERE(p), t, ipa, level)
#define port_tlbi_ipa_range(p, t, ipa, size, level)                                                \
	port_tlbi_ipa_range(MODEL_HERE(p), t, ipa, size, level)
#define port_tlbi_stage1(p, t) port_tlbi_stage1(MODEL_HERE(p), t)
#define port_tlbi_vmid(p, t)   port_tlbi_vmid(MODEL_HERE(p), t)
#define port_tlbi_leave(p, t)  port_tlbi_leave(MODEL_HERE(p), t)
#define port_tlbi_ipa_local(p, vttbr, ipa, level)                                                  \
	port_tlbi_ipa_local(MODEL_HERE(p), vttbr, ipa, level)
#define port_tlbi_all_vmids(p)		     port_tlbi_all_vmids(MODEL_HERE(p))
#define port_flush_local(p, vttbr)	     port_flush_local(MODEL_HERE(p), vttbr)
#define port_dcache_clean_inval(p, pa, size) port_dcache_clean_inval(MODEL_HERE(p), pa, size)
#define port_icache_inval(p, pa, size)	     port_icache_inval(MODEL_HERE(p), pa, size)
#define port_icache_inval_all(p)	     port_icache_inval_all(MODEL_HERE(p))

#endif
