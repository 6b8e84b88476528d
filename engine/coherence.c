/* SPDX-License-Identifier: Apache-2.0 */
/* Coherence by range: const tables, and a walk over what is mapped and what would be. */
#include "engine/coherence.h"

#include "engine/explain.h"

/* [type][FWB] */
static const u8 classes[S2_TYPE_COUNT][2] = {
	[S2_NORMAL] = { COHERENCE_GUEST, COHERENCE_FORCED },
	[S2_NORMAL_NC] = { COHERENCE_NC, COHERENCE_NC },
	[S2_DEVICE] = { COHERENCE_DEVICE, COHERENCE_DEVICE },
};

#define BOTH (OWED_BEFORE_READ | OWED_AFTER_WRITE)
#define ALL  (BOTH | OWED_BEFORE_WRITE)

/*
 * A guest that chooses less than write-back leaves and finds its bytes in memory, below the caches
 * that the VMM and a snooping device look into; one that does not leaves them in the caches, where
 * a device that bypasses them does not look. Uncached memory is uncached on both sides (M1), but a
 * cacheable alias of it (the linear map) may have drawn in lines that a snooping device would hit.
 */
static const u8 owed[COHERENCE_CLASSES][COHERENCE_AGENTS] = {
	[COHERENCE_UNKNOWN] = { BOTH, BOTH, ALL },
	[COHERENCE_FORCED] = { OWED_NOTHING, OWED_NOTHING, ALL },
	[COHERENCE_GUEST] = { BOTH, BOTH, ALL },
	[COHERENCE_NC] = { OWED_NOTHING, BOTH, OWED_NOTHING },
	[COHERENCE_DEVICE] = { OWED_NOTHING, BOTH, OWED_NOTHING },
};

enum coherence coherence_of(enum s2_type type, const struct port_caps *caps)
{
	return (enum coherence)classes[type][caps->fwb];
}

/* A mixed range owes what its parts owe; alone it says no more than an unknown one. */
unsigned int coherence_owed(enum coherence c, enum coherence_agent agent)
{
	return owed[c == COHERENCE_MIXED ? COHERENCE_UNKNOWN : c][agent];
}

const char *coherence_text(enum coherence c)
{
	static const char *const texts[COHERENCE_CLASSES + 1] = {
		[COHERENCE_UNKNOWN] = "not known yet",
		[COHERENCE_FORCED] = "forced write-back",
		[COHERENCE_GUEST] = "as the guest chooses",
		[COHERENCE_NC] = "non-cacheable",
		[COHERENCE_DEVICE] = "device",
		[COHERENCE_MIXED] = "mixed",
	};

	return (unsigned int)c <= COHERENCE_MIXED ? texts[c] : "no class";
}

static void add(struct coherence_report *r, enum coherence c, u64 size)
{
	r->done += size;
	r->bytes[c] += size;
	for (int a = 0; a < COHERENCE_AGENTS; a++)
		r->owed[a] |= coherence_owed(c, (enum coherence_agent)a);
	if (c == COHERENCE_UNKNOWN)
		return;
	if (r->all == COHERENCE_UNKNOWN)
		r->all = c;
	else if (r->all != c)
		r->all = COHERENCE_MIXED;
}

/* What a read fault at @ipa would map, if the host has a leaf there; @size: how far that holds. */
static enum coherence would_be(struct guest_mem *m, ipa_t ipa, u64 *size)
{
	struct facts f = {
		.req = { .kind = FAULT_TRANSLATION, .access = MEM_READ, .ipa = ipa },
		.vm = { .ipa_bits = m->s2.ipa_bits, .top_level = LEVEL_1G },
		.caps = m->s2.caps,
	};
	struct slot_view slot;
	struct explanation e;

	*size = PAGE_SIZE;
	if (!slot_look_up(&m->slots, ipa.v >> PAGE_SHIFT, &slot))
		return COHERENCE_UNKNOWN;
	f.slot = &slot;
	fault_resolve_present(m, ipa, &slot, &f.host);
	e = explain(&f);
	if (e.answer != ANSWER_MAP)
		return COHERENCE_UNKNOWN;
	*size = level_size(e.plan.level) - (ipa.v & (level_size(e.plan.level) - 1));
	return coherence_of(e.plan.type, m->s2.caps);
}

/* Where no slot is, nothing will be. The end of that; @end if there is no slot up to there. */
static u64 end_of_hole(struct guest_mem *m, u64 ipa, u64 end)
{
	const struct slot *s;

	port_walk_enter(m->s2.port);
	s = slot_first_from(&m->slots, ipa >> PAGE_SHIFT);
	if (s)
		end = max(s->gfn << PAGE_SHIFT, ipa);
	port_walk_leave(m->s2.port);
	return end;
}

/* Nothing is mapped in [@ipa, @end). Returns what is left of @steps. */
static unsigned int add_unmapped(struct guest_mem *m, struct coherence_report *r, u64 ipa, u64 end,
				 unsigned int steps)
{
	while (ipa < end && steps) {
		u64 size = end_of_hole(m, ipa, end) - ipa;
		enum coherence c = COHERENCE_UNKNOWN;

		if (!size)
			c = would_be(m, IPA(ipa), &size);
		size = min(size, end - ipa);
		add(r, c, size);
		ipa += size;
		steps--;
	}
	return steps;
}

/* [@at, @end) begins in @run. */
static void add_run(struct guest_mem *m, struct coherence_report *r, const struct s2_run *run,
		    u64 at, u64 end)
{
	u64 size = min(run->ipa.v + run->size, end) - at;

	add(r, coherence_of(run->leaf.type, m->s2.caps), size);
	r->mapped += size;
}

int coherence_query(struct guest_mem *m, ipa_t ipa, u64 size, struct coherence_report *r)
{
	u64 limit = stage2_ipa_limit(&m->s2), end = ipa.v + size;
	unsigned int steps = COHERENCE_STEPS;

	if ((ipa.v | size) & (PAGE_SIZE - 1) || ipa.v > limit || size > limit - ipa.v)
		return ERR_INVAL;
	while (r->done < size && steps) {
		u64 at = ipa.v + r->done;
		struct s2_run run;

		if (!stage2_dump(&m->s2, IPA(at), &run))
			run = (struct s2_run){ .ipa = IPA(end) };
		steps = add_unmapped(m, r, at, min(run.ipa.v, end), steps);
		if (steps && run.ipa.v < end) {
			add_run(m, r, &run, max(run.ipa.v, at), end);
			steps--;
		}
	}
	return ERR_OK;
}
