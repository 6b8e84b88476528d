/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel stacks, each in a slot of its own with an unmapped half below (layout.h). A few freed ones
 * stay mapped for the next thread, which saves the invalidation.
 */
#include "arm64.h"
#include "host/page.h"
#include "mmu.h"

#define KSTACK_PAGES (KSTACK_SIZE / PAGE_SIZE)
#define KSTACK_SLOTS 4096U
#define KSTACK_SPARE 32

_Static_assert(KSTACK_SLOT == 2 * KSTACK_SIZE && KSTACK_SIZE == 1 << KSTACK_SHIFT,
	       "vectors.S tells an overflow by one bit of sp");

static struct {
	struct spinlock lock;
	u64 used[KSTACK_SLOTS / 64]; /* bit: slot is mapped, in use or spare */
	unsigned int hint;	     /* word of @used to look at first */
	void *spare[KSTACK_SPARE];
	unsigned int spare_count;
} kstack;

static u64 slot_bottom(unsigned int slot)
{
	return KSTACK_BASE + (u64)slot * KSTACK_SLOT + KSTACK_SIZE;
}

/* Claims a slot; -1 if all are taken. */
static int claim_slot(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(kstack.used); i++) {
		unsigned int word = (kstack.hint + i) % ARRAY_SIZE(kstack.used);

		if (~kstack.used[word]) {
			int bit = __builtin_ctzl(~kstack.used[word]);

			kstack.used[word] |= BIT(bit);
			kstack.hint = word;
			return (int)word * 64 + bit;
		}
	}
	return -1;
}

/* Unmaps and frees the first @pages pages of a slot, and the slot. */
static void release_slot(unsigned int slot, unsigned int pages)
{
	struct page *page[KSTACK_PAGES];

	for (unsigned int i = 0; i < pages; i++) {
		u64 va = slot_bottom(slot) + i * PAGE_SIZE;
		u64 *entry = mmu_page_entry(va);

		page[i] = phys_to_page(mmu_page_of_entry(*entry));
		port_pte_write(entry, 0);
		__asm__ volatile(
			"dsb ishst\n\ttlbi vaale1is, %0" ::"r"(va >> PAGE_SHIFT & GENMASK(43, 0))
			: "memory");
	}
	__asm__ volatile("dsb ish\n\tisb" ::: "memory");
	for (unsigned int i = 0; i < pages; i++)
		page_put(page[i]);
	kstack.used[slot / 64] &= ~BIT(slot % 64);
}

static bool map_slot(unsigned int slot)
{
	for (unsigned int i = 0; i < KSTACK_PAGES; i++) {
		u64 *entry = mmu_page_entry(slot_bottom(slot) + i * PAGE_SIZE);
		struct page *page = entry ? page_alloc(ORDER_4K, PAGE_UNFILLED) : NULL;

		if (!page) {
			release_slot(slot, i);
			return false;
		}
		port_pte_write(entry, mmu_data_page(page_to_phys(page)));
	}
	port_pte_publish();
	return true;
}

static void *alloc_locked(void)
{
	int slot;

	if (kstack.spare_count)
		return kstack.spare[--kstack.spare_count];
	slot = claim_slot();
	if (slot < 0 || !map_slot((unsigned int)slot))
		return NULL;
	return (void *)(slot_bottom((unsigned int)slot) + KSTACK_SIZE);
}

void *port_kstack_alloc(void)
{
	void *top;

	spin_lock(&kstack.lock);
	top = alloc_locked();
	spin_unlock(&kstack.lock);
	return top;
}

void port_kstack_free(void *top)
{
	unsigned int slot = (unsigned int)(((u64)top - KSTACK_BASE) / KSTACK_SLOT) - 1;

	spin_lock(&kstack.lock);
	if (kstack.spare_count < KSTACK_SPARE)
		kstack.spare[kstack.spare_count++] = top;
	else
		release_slot(slot, KSTACK_PAGES);
	spin_unlock(&kstack.lock);
}
