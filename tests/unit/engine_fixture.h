/* SPDX-License-Identifier: Apache-2.0 */
/* A VM on the modelled machine over a host that does what the test tells it. */
#ifndef TESTS_UNIT_ENGINE_FIXTURE_H
#define TESTS_UNIT_ENGINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/dirty.h"
#include "engine/fault.h"
#include "port/model/machine.h"

static const struct port_caps caps_fwb = {
	.fwb = true,
	.dic = true,
	.idc = true,
	.ttl = true,
	.tlb_range = true,
	.pa_bits = 48,
	.ipa_bits = 48,
	.vmid_bits = 8,
	.cpus = 2,
};

/* As a Cortex-A76: no FWB, no TTL, no range; instruction caches need maintenance. */
static const struct port_caps caps_plain = {
	.idc = true,
	.pa_bits = 40,
	.ipa_bits = 40,
	.vmid_bits = 8,
	.cpus = 2,
};

/* ---- the host: one VMA, whose leaves appear when they are asked for */
enum { HOST_GRANULES = 8192 };
struct fake_host {
	u64 start, end; /* host addresses */
	u64 pa;		/* of start */
	u64 jump; /* from here on the memory lies a page further: it does not go on; 0: nowhere */
	enum mem_type type;
	enum mem_reach reach;
	enum mem_owner owner;
	s8 level;
	bool special;
	bool vma_writable;
	bool read_maps_read_only; /* a read fault gives a read-only leaf */
	bool no_vma;
	int fault_error;      /* what fault() answers, if not 0 */
	bool refuses_mkwrite; /* fault() on a present, read-only leaf fails */
	u8 present[HOST_GRANULES], writable[HOST_GRANULES];
	u64 faults, write_faults;
	/* Called after the leaf was read: what races with the fault. */
	void (*after_leaf)(void *arg);
	void *after_leaf_arg;
};

static inline size_t host_granule(const struct fake_host *h, hva_t hva)
{
	size_t i = (hva.v - h->start) >> level_shift(h->level);

	assert_true(i < HOST_GRANULES);
	return i;
}

static inline bool host_has(const struct fake_host *h, hva_t hva)
{
	return !h->no_vma && hva.v >= h->start && hva.v < h->end;
}

static int host_leaf(void *host, hva_t hva, struct host_leaf *out)
{
	struct fake_host *h = host;
	size_t i;

	if (!host_has(h, hva))
		return ERR_FAULT;
	i = host_granule(h, hva);
	if (!h->present[i])
		return ERR_NOENT;
	*out = (struct host_leaf){
		.pa = PA(h->pa + (hva.v - h->start) +
			 (h->jump && hva.v >= h->jump ? PAGE_SIZE : 0)),
		.type = h->type,
		.reach = h->reach,
		.owner = h->owner,
		.writable = h->writable[i],
		.level = h->level,
	};
	if (h->after_leaf) {
		void (*fn)(void *arg) = h->after_leaf;

		h->after_leaf = NULL;
		fn(h->after_leaf_arg);
	}
	return ERR_OK;
}

static int host_fault(void *host, hva_t hva, enum mem_access access)
{
	struct fake_host *h = host;
	size_t i;

	h->faults++;
	h->write_faults += access == MEM_WRITE;
	if (h->fault_error)
		return h->fault_error;
	if (!host_has(h, hva))
		return ERR_FAULT;
	if (access == MEM_WRITE && !h->vma_writable)
		return ERR_PERM;
	i = host_granule(h, hva);
	if (h->present[i] && access == MEM_WRITE && h->refuses_mkwrite)
		return ERR_FAULT;
	h->present[i] = 1;
	h->writable[i] = h->vma_writable && (access == MEM_WRITE || !h->read_maps_read_only);
	return ERR_OK;
}

static int host_area(void *host, hva_t hva, hva_t end, struct host_area *out)
{
	struct fake_host *h = host;

	if (h->no_vma || hva.v >= h->end || end.v <= h->start)
		return ERR_NOENT;
	*out = (struct host_area){
		.start = HVA(h->start),
		.end = HVA(h->end),
		.type = h->type,
		.owner = h->owner,
		.special = h->special,
		.writable = h->vma_writable,
	};
	return ERR_OK;
}

static const struct host_ops fake_host_ops = { host_leaf, host_fault, host_area };

/* ---- the VM */
#define FX_HVA 0x7f0000000000UL
#define FX_IPA 0x40000000UL

struct fx {
	struct port *p;
	struct vmid_pool vmids;
	struct guest_mem m;
	struct fake_host host;
};

/* RAM of @size bytes in leaves of @level, at FX_HVA. */
static inline void fx_host_ram(struct fx *f, u64 size, s8 level)
{
	f->host = (struct fake_host){
		.start = FX_HVA,
		.end = FX_HVA + size,
		.pa = machine_pages(f->p, max(size, (u64)SZ_1G)).v,
		.type = MEM_WB,
		.reach = REACH_ALIAS,
		.level = level,
		.vma_writable = true,
	};
}

static inline void fx_enter(struct fx *f, unsigned int cpu)
{
	machine_cpu(f->p, cpu);
	machine_guest_enter(f->p, guest_mem_enter(&f->m, cpu), f->m.s2.vtcr);
}

static inline struct fx *fx_new(const struct port_caps *caps, unsigned int ipa_bits)
{
	struct fx *f = calloc(1, sizeof(*f));
	struct guest_mem_config c = {
		.ipa_bits = ipa_bits,
		.host_ops = &fake_host_ops,
		.host = &f->host,
	};

	assert_non_null(f);
	f->p = machine_new(caps);
	fx_host_ram(f, 64 << 20, LEVEL_4K);
	assert_int_equal(vmid_pool_init(&f->vmids, f->p, 0), ERR_OK);
	assert_int_equal(guest_mem_init(&f->m, f->p, &f->vmids, &c), ERR_OK);
	for (unsigned int cpu = 0; cpu < caps->cpus; cpu++)
		fx_enter(f, cpu);
	machine_cpu(f->p, 0);
	return f;
}

/* Everything must have been given back. */
static inline void fx_delete(struct fx *f)
{
	guest_mem_destroy(&f->m);
	vmid_pool_destroy(&f->vmids);
	assert_int_equal(machine_delete(f->p), 0);
	free(f);
}

/* After a refusal the engine's state is as it is. */
static inline void fx_abandon(struct fx *f)
{
	machine_delete(f->p);
	free(f);
}

static inline int fx_slot(struct fx *f, u32 id, u32 flags, u64 ipa, u64 size, u64 hva)
{
	struct slot_request r = { id, flags, IPA(ipa), size, HVA(hva) };
	struct slot_update u;
	int error = guest_mem_slot_prepare(&f->m, &r, &u);

	if (!error)
		guest_mem_slot_commit(&f->m, &u);
	return error;
}

/* ---- the guest */
#define ESR_DABT (0x24UL << 26)
#define ESR_IABT (0x20UL << 26)
#define ESR_ISV	 (1UL << 24)
#define ESR_CM	 (1UL << 8)
#define ESR_WALK (1UL << 7)
#define ESR_WNR	 (1UL << 6)

static inline struct fault_trap trap_at(u64 esr, u64 ipa)
{
	return (struct fault_trap){
		.esr = esr,
		.far = 0xffff000000000000UL | (ipa & 0xfff),
		.hpfar = (ipa & ~0xfffUL) >> 8,
	};
}

static inline u64 esr_of(const struct machine_access *a, enum machine_op op)
{
	static const u8 base[] = {
		[MF_TRANSLATION] = 4, [MF_ACCESS_FLAG] = 8, [MF_PERMISSION] = 12
	};
	u64 esr = base[a->fault] + (u64)a->level;

	if (op == MACHINE_FETCH)
		return esr | ESR_IABT;
	/* A load or store of 8 bytes by X1. */
	return esr | ESR_DABT | ESR_ISV | 3UL << 22 | 1UL << 16 | 1UL << 15 |
	       (op == MACHINE_WRITE ? ESR_WNR : 0);
}

/* One access and, if it faults, the fault's outcome. True: it went through. */
static inline bool guest_try(struct fx *f, u64 ipa, enum machine_op op, struct machine_access *a,
			     struct fault_outcome *o)
{
	struct fault_trap t;

	*o = (struct fault_outcome){ .kind = OUTCOME_RESUME };
	*a = machine_access(f->p, IPA(ipa), op);
	if (a->fault == MF_NONE)
		return true;
	t = trap_at(esr_of(a, op), ipa);
	*o = fault_handle(&f->m, &t);
	return false;
}

/* Accesses until it goes through, or the outcome is other than to resume; at most 8 faults. */
static inline struct fault_outcome guest_do(struct fx *f, u64 ipa, enum machine_op op,
					    struct machine_access *out)
{
	struct fault_outcome o = { .kind = OUTCOME_RESUME };

	for (int i = 0; i < 8; i++) {
		if (guest_try(f, ipa, op, out, &o))
			return o;
		if (o.kind != OUTCOME_RESUME)
			return o;
	}
	fail_msg("the guest faults for ever at IPA %#lx", (unsigned long)ipa);
	return o;
}

/* The access must go through and reach the host's page. */
static inline void guest_touch(struct fx *f, u64 ipa, enum machine_op op)
{
	struct machine_access a;
	struct fault_outcome o = guest_do(f, ipa, op, &a);

	if (o.kind != OUTCOME_RESUME)
		fail_msg("IPA %#lx: outcome %d: %s", (unsigned long)ipa, (int)o.kind,
			 reason_text(o.why));
	assert_int_equal(a.fault, MF_NONE);
}

static inline u64 fx_stat(struct fx *f, enum stat_id s)
{
	struct stats st;

	stage2_stats(&f->m.s2, &st);
	return st.count[s];
}

/* The counters and the tables must tell the same story. */
static inline void fx_check_stats(struct fx *f)
{
	u64 mapped[STAT_LEVELS][S2_TYPE_COUNT] = { { 0 } };
	struct s2_run run;
	struct stats st;

	for (u64 at = 0; stage2_dump(&f->m.s2, IPA(at), &run); at = run.ipa.v + run.size)
		mapped[run.leaf.level][run.leaf.type] += run.size;
	stage2_stats(&f->m.s2, &st);
	for (int l = 0; l < STAT_LEVELS; l++) {
		for (int t = 0; t < S2_TYPE_COUNT; t++)
			assert_int_equal(st.mapped[l][t], mapped[l][t]);
	}
	assert_int_equal(st.count[STAT_table_alloc] - st.count[STAT_table_free],
			 stage2_count_tables(&f->m.s2));
}

#endif
