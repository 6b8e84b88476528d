/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata of a page, for the two allocators alone: host/page.c and host/kmem.c. */
#ifndef HOST_PAGE_IMPL_H
#define HOST_PAGE_IMPL_H

#include "host/page.h"

/*
 * Zero is "interior", so that metadata that was cleared says: part of the run that begins below.
 */
enum page_state { PAGE_INTERIOR, PAGE_FREE, PAGE_USED, PAGE_SLAB, PAGE_RESERVED };

/*
 * Valid for the head of a run, and, where a 2 MiB block is broken into smaller runs, for every page
 * of that block. All but @refs is guarded by the allocator's lock, or by its slab's class lock.
 */
struct page {
	u32 refs; /* atomic */
	u8 order;
	u8 state; /* enum page_state */
	u8 slab_class;
	u8 idle;	/* atomic */
	u16 slab_free;	/* index of the first freed object, or SLAB_NONE */
	u16 slab_used;	/* objects handed out */
	u16 slab_fresh; /* objects from this index on were never handed out */
	u16 unused2;
	LIST_ENTRY(page) link; /* free list, or partial slabs of the class */
};

_Static_assert(sizeof(struct page) <= 64, "the budget of metadata is 64 bytes a page");

LIST_HEAD(page_list, page);

/* As page_alloc(), but not subject to fault injection: kmem.c counted this allocation already. */
struct page *page_alloc_uncounted(unsigned int order, enum page_fill fill);
/* True if fault injection wants this allocation to fail. */
bool page_alloc_must_fail(void);
/* Forgets all slabs; page_init() calls it. */
void kmem_init(void);
void kmem_count(struct mem_counts *counts);

#endif
