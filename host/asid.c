/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ASIDs: each mm that runs has one of the current generation. When they run out a new generation
 * begins: all translations are dropped, and only the mms that run at that moment keep theirs.
 */
#include "host/mm_impl.h"
#include "host/string.h"

#define ASID_BITS_MAX	16
#define ASID_NONE	0 /* of the empty table that CPUs without a program use */
#define CONTEXT_ASID(c) ((u16)(c))
#define CONTEXT_GEN(c)	((c) >> ASID_BITS_MAX)

static struct {
	struct spinlock lock;
	u64 generation;			     /* all guarded by lock; 0: nothing was ever active */
	u32 next;			     /* where the search for a free one goes on */
	u64 used[(1 << ASID_BITS_MAX) / 64]; /* in this generation */
	/* Written by its CPU alone, under lock. */
	const struct mm *active[PORT_MAX_CPUS];
} asids;

static bool asid_take(u32 asid)
{
	if (asids.used[asid / 64] & BIT(asid % 64))
		return false;
	asids.used[asid / 64] |= BIT(asid % 64);
	return true;
}

static void generation_begin(void)
{
	asids.generation++;
	asids.next = ASID_NONE + 1;
	memset(asids.used, 0, sizeof(asids.used));
	for (unsigned int cpu = 0; cpu < PORT_MAX_CPUS; cpu++) {
		struct mm *mm = (struct mm *)asids.active[cpu];
		u16 asid;

		if (!mm)
			continue;
		asid = CONTEXT_ASID(mm->context);
		asids.used[asid / 64] |= BIT(asid % 64);
		__atomic_store_n(&mm->context, asids.generation << ASID_BITS_MAX | asid,
				 __ATOMIC_RELAXED);
	}
	port_tlbi_host_all();
}

static u64 context_new(void)
{
	u32 limit = 1U << port_asid_bits();

	for (;;) {
		for (; asids.next < limit; asids.next++) {
			if (asid_take(asids.next))
				return asids.generation << ASID_BITS_MAX | asids.next++;
		}
		generation_begin();
	}
}

static void activate_locked(struct mm *mm, unsigned int cpu)
{
	if (asids.generation == 0)
		generation_begin();
	if (mm && CONTEXT_GEN(mm->context) != asids.generation) {
		__atomic_store_n(&mm->context, context_new(), __ATOMIC_RELAXED);
		/* Who changes a descriptor after this sees the ASID; what was changed before, our
		 * walks see. Pairs with pgt_invalidate(). */
		port_pte_publish();
	}
	asids.active[cpu] = mm;
	if (mm)
		port_mm_switch(virt_to_phys(mm->root), CONTEXT_ASID(mm->context));
	else
		port_mm_switch(PA(0), ASID_NONE);
}

void asid_activate(struct mm *mm)
{
	unsigned int cpu = port_cpu();

	/* What is active stays active in a new generation, so no lock is needed to keep it. */
	if (mm && asids.active[cpu] == mm)
		return;
	spin_lock(&asids.lock);
	activate_locked(mm, cpu);
	spin_unlock(&asids.lock);
}

void asid_deactivate(const struct mm *mm)
{
	if (asids.active[port_cpu()] == mm)
		asid_activate(NULL);
}

u16 asid_of(const struct mm *mm)
{
	return CONTEXT_ASID(__atomic_load_n(&mm->context, __ATOMIC_RELAXED));
}

bool asid_ever_used(const struct mm *mm)
{
	return __atomic_load_n(&mm->context, __ATOMIC_RELAXED) != 0;
}

void asid_check_unused(const struct mm *mm)
{
	spin_lock(&asids.lock);
	for (unsigned int cpu = 0; cpu < PORT_MAX_CPUS; cpu++) {
		if (asids.active[cpu] == mm)
			panic("an mm is freed while CPU %u has it active", cpu);
	}
	spin_unlock(&asids.lock);
}
