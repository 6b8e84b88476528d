/* SPDX-License-Identifier: Apache-2.0 */
/* Stage-2 tables: life, entry into the guest, lookups and counters. */
#include "engine/stage2.h"

#include "engine/bbm.h"
#include "engine/walk.h"

/* Up to 16 tables are concatenated, so that a walk starts as low as it can (D8.2.2, and
 * VTCR_EL2.SL0 in D8.2.1): 4 bits more than the start level alone resolves. */
s8 stage2_start_level(unsigned int ipa_bits)
{
	s8 level = LEVEL_2M;

	while (level > LEVEL_512G && ipa_bits > level_shift(level) + 9 + 4)
		level--;
	return level;
}

static u64 vtcr_ps(unsigned int pa_bits)
{
	static const u8 bits[] = { 32, 36, 40, 42, 44, 48 };
	u64 ps = 0;

	while (ps < ARRAY_SIZE(bits) - 1 && bits[ps + 1] <= pa_bits)
		ps++;
	return ps;
}

/* VTCR_EL2 (D19.2): walks are write-back, inner shareable; 4 KiB granule. */
static u64 vtcr_value(const struct stage2 *s2)
{
	u64 vtcr = 64U - s2->ipa_bits; /* T0SZ */

	vtcr |= (u64)(LEVEL_2M - s2->start_level) << 6; /* SL0 */
	vtcr |= 1UL << 8 | 1UL << 10 | 3UL << 12;	/* IRGN0, ORGN0, SH0 */
	vtcr |= vtcr_ps(s2->caps->pa_bits) << 16;
	vtcr |= s2->vmids->bits == 16 ? BIT(19) : 0; /* VS */
	vtcr |= s2->caps->hw_af ? BIT(21) : 0;	     /* HA */
	vtcr |= s2->caps->hw_dbm ? BIT(22) : 0;	     /* HD: means nothing where DBM is clear */
	return vtcr | BIT(31);			     /* RES1 */
}

int stage2_init(struct stage2 *s2, struct port *p, struct vmid_pool *vmids, unsigned int ipa_bits)
{
	const struct port_caps *caps = port_caps(p);
	unsigned int start_bits;

	if (ipa_bits < 32 || ipa_bits > caps->ipa_bits)
		return ERR_INVAL;

	*s2 = (struct stage2){
		.port = p,
		.caps = caps,
		.vmids = vmids,
		.start_level = stage2_start_level(ipa_bits),
		.ipa_bits = (u8)ipa_bits,
		.step = S2_STEP_DEFAULT,
		.hw_dirty = caps->hw_dbm,
	};
	s2->ipa_limit = 1UL << ipa_bits;
	s2->start_shift = (u8)level_shift(s2->start_level);
	start_bits = s2->start_shift + 9U;
	s2->root_order = (u8)(ipa_bits > start_bits ? ipa_bits - start_bits : 0);
	for (int type = 0; type < S2_TYPE_COUNT; type++)
		s2->leaf_bits[type] = desc_type_bits((enum s2_type)type, caps->fwb);
	port_rwlock_init(p, &s2->lock);

	s2->stats = port_alloc(p, caps->cpus * sizeof(*s2->stats));
	if (!s2->stats)
		return ERR_NOMEM;
	s2->root = port_table_alloc(p, s2->root_order);
	if (!s2->root) {
		port_free(p, s2->stats, caps->cpus * sizeof(*s2->stats));
		return ERR_NOMEM;
	}
	s2->vttbr = port_table_pa(p, s2->root).v;
	s2->vtcr = vtcr_value(s2);
	return ERR_OK;
}

void stage2_destroy(struct stage2 *s2)
{
	stage2_unmap(s2, IPA(0), stage2_ipa_limit(s2));
	port_table_free(s2->port, s2->root, s2->root_order);
	port_free(s2->port, s2->stats, s2->caps->cpus * sizeof(*s2->stats));
	s2->root = NULL;
	s2->stats = NULL;
}

u64 stage2_enter(struct stage2 *s2)
{
	u64 vmid = vmid_enter(s2->vmids, &s2->vmid);
	u64 vttbr = port_table_pa(s2->port, s2->root).v | vmid << 48;

	if (__atomic_load_n(&s2->vttbr, __ATOMIC_RELAXED) != vttbr) {
		__atomic_store_n(&s2->vttbr, vttbr, __ATOMIC_RELEASE);
		/* Whoever changes a descriptor after this sees the VMID; what was changed before,
		 * our walks see. Pairs with the barrier before TLBI (port_tlbi_enter,
		 * tlb_may_hold). */
		port_barrier(s2->port);
	}
	return vttbr;
}

bool stage2_lookup(struct stage2 *s2, ipa_t ipa, struct s2_leaf *leaf)
{
	struct s2_pos pos;

	if (ipa.v >= stage2_ipa_limit(s2))
		return false;
	pos = walk_to(s2, ipa.v, LEVEL_4K);
	if (!desc_is_valid(pos.old)) /* a table is walked through */
		return false;
	desc_decode(pos.old, pos.level, leaf);
	return true;
}

bool stage2_make_young(struct stage2 *s2, ipa_t ipa)
{
	struct s2_pos pos;
	bool found;

	port_read_lock(s2->port, &s2->lock);
	pos = walk_to(s2, ipa.v, LEVEL_4K);
	found = desc_is_leaf(pos.old, pos.level);
	/* An entry without the Access flag is never cached in a TLB (D8.5.1): nothing to
	 * invalidate. A lost exchange means another CPU did it, or took the entry away. */
	if (found && !(pos.old & DESC_AF))
		found = bbm_relax(s2, pos.entry, pos.old, pos.old | DESC_AF);
	port_desc_publish(s2->port);
	port_read_unlock(s2->port, &s2->lock);
	return found;
}

void stage2_flush(struct stage2 *s2, ipa_t ipa, u64 size)
{
	tlb_flush_range(s2, ipa.v, ipa.v + size, LEVEL_MIXED);
}

void stage2_quiesce(struct stage2 *s2)
{
	port_write_lock(s2->port, &s2->lock);
	port_write_unlock(s2->port, &s2->lock);
}

void stage2_flush_vmid(struct stage2 *s2)
{
	struct port_tlbi t;

	port_tlbi_enter(s2->port, &t, &s2->vttbr);
	port_tlbi_vmid(s2->port, &t);
	port_tlbi_leave(s2->port, &t);
	stat_inc(s2, STAT_tlbi_vmid);
}

void stage2_stats(const struct stage2 *s2, struct stats *out)
{
	*out = (struct stats){ 0 };
	for (unsigned int cpu = 0; cpu < s2->caps->cpus; cpu++) {
		const struct stats_cpu *in = &s2->stats[cpu];

		for (int i = 0; i < STAT_COUNT; i++) {
			if (i == STAT_steps_max)
				out->count[i] = max(out->count[i], in->count[i]);
			else
				out->count[i] += in->count[i];
		}
		for (int l = 0; l < STAT_LEVELS; l++) {
			for (int t = 0; t < S2_TYPE_COUNT; t++) {
				out->mapped[l][t] += in->mapped[l][t] - in->unmapped[l][t];
				out->mapped_ever[l][t] += in->mapped[l][t];
			}
		}
	}
}

int table_cache_fill(struct table_cache *c, struct port *p, unsigned int n)
{
	while (c->count < n) {
		u64 *table = port_table_alloc(p, 0);

		if (!table)
			return ERR_NOMEM;
		c->page[c->count++] = table;
	}
	return ERR_OK;
}

void table_cache_drain(struct table_cache *c, struct port *p)
{
	while (c->count)
		port_table_free(p, c->page[--c->count], 0);
}
