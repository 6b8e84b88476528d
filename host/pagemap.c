/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of /proc/PID/pagemap, from the program's table. */
#include "host/pagemap.h"

#include "host/pte.h"

#define PAGEMAP_PRESENT	  BIT(63)
#define PAGEMAP_FILE	  BIT(61) /* of a file, or shared */
#define PAGEMAP_UFFD_WP	  BIT(57)
#define PAGEMAP_EXCLUSIVE BIT(56) /* mapped once */

u64 pagemap_end(void)
{
	return TASK_SIZE >> PAGE_SHIFT;
}

/* An object's page has a reference more than it has mappings. */
static bool is_mapped_once(u64 pte)
{
	return page_refs(phys_to_page(pte_pa(pte))) == (pte_is_anon(pte) ? 1 : 2);
}

static u64 entry_of(u64 pte, u64 addr, int level)
{
	u64 wp = pte_is_uffd_wp(pte) ? PAGEMAP_UFFD_WP : 0;
	u64 entry;

	if (!pte_is_leaf(pte))
		return pte_is_mark(pte) ? wp : 0;
	entry = PAGEMAP_PRESENT | wp |
		(pte_pa(pte).v + (addr & (level_size(level) - 1))) >> PAGE_SHIFT;
	if (pte_is_special(pte))
		return entry;
	if (!pte_is_anon(pte))
		entry |= PAGEMAP_FILE;
	return is_mapped_once(pte) ? entry | PAGEMAP_EXCLUSIVE : entry;
}

void pagemap_read(struct mm *mm, u64 first, u64 *entries, u64 count)
{
	u64 addr = first << PAGE_SHIFT, end = addr + (count << PAGE_SHIFT);

	while (addr < end) {
		struct pte_run r;
		u64 stop;

		spin_lock(&mm->pt_lock);
		r = pgt_run_locked(mm, addr, end);
		stop = min(min(end, pgt_run_end(&r)), addr + 512 * PAGE_SIZE);
		for (; addr < stop; addr += PAGE_SIZE) {
			u64 i = (addr - r.addr) >> level_shift(r.level);

			*entries++ = entry_of(port_pte_read(&r.entry[i]), addr, r.level);
		}
		spin_unlock(&mm->pt_lock);
		sched_point();
	}
}
