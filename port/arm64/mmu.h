/* SPDX-License-Identifier: Apache-2.0 */
/* Single entries of the kernel's tables, for mappings that come and go (kstack.c). */
#ifndef PORT_ARM64_MMU_H
#define PORT_ARM64_MMU_H

#include "engine/types.h"

/* The last-level entry for kernel address @va; makes tables as needed. NULL: no memory. The caller
 * excludes others. */
u64 *mmu_page_entry(u64 va);
/* An entry that maps the page of RAM at @pa as data. */
u64 mmu_data_page(pa_t pa);
/* The page that a valid entry maps. */
pa_t mmu_page_of_entry(u64 entry);

#endif
