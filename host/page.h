/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Physical pages: metadata for each page of RAM, and a buddy allocator of 4 KiB (order 0) to 1 GiB
 * (order 18) naturally aligned runs. Pages that are not RAM have no metadata; nothing here may be
 * asked about them (design.md M1: PFNMAP is opaque).
 */
#ifndef HOST_PAGE_H
#define HOST_PAGE_H

#include <bsd/sys/queue.h>

#include "host/port.h"

enum { ORDER_4K = 0, ORDER_2M = 9, ORDER_1G = 18, ORDER_MAX = 18 };

/* At most 64 bytes (a budget that CI checks). Fields: host/page.c. */
struct page;

/* Takes over all of @ram but @reserved; the metadata is carved out of it. Called once, on the boot
 * CPU. */
void page_init(const struct boot_region *ram, unsigned int ram_count,
	       const struct boot_region *reserved, unsigned int reserved_count);

enum page_fill { PAGE_UNFILLED, PAGE_ZEROED };

/* 2^@order pages, one reference; NULL when memory is out. Content of PAGE_UNFILLED is stale:
 * overwrite it all. */
struct page *page_alloc(unsigned int order, enum page_fill fill);
struct page *page_get(struct page *p);
/* Drops a reference; the last one frees the whole run. */
void page_put(struct page *p);
u32 page_refs(const struct page *p);
/* Adds @n references at once (a leaf that becomes @n + 1 smaller ones). */
void page_ref_add(struct page *p, u32 n);
/*
 * Turns a run that has exactly one reference into order-0 pages of one reference each; false, and
 * nothing changed, if others hold it too.
 */
bool page_split_run(struct page *p);
unsigned int page_order(const struct page *p);
/* A counted reference to the run in use that begins at page frame @pfn, which may be any number;
 * NULL if none does. */
struct page *page_try_get(u64 pfn);
/* One past the last page frame of RAM. */
u64 page_end_pfn(void);
/* The mark of idle page tracking (host/idle.c); a new page has none. */
bool page_is_idle(const struct page *p);
void page_set_idle(struct page *p, bool idle);

void *page_to_virt(const struct page *p);
pa_t page_to_phys(const struct page *p);
/* The page (of its run: the head) of RAM at @pa; @pa must be RAM. */
struct page *phys_to_page(pa_t pa);
struct page *virt_to_page(const void *p);

/* Kernel memory by size, from slabs of pages; aligned to 16, or to its size if that is a power of
 * two <= 4096. */
void *kmalloc(size_t n);
void *kzalloc(size_t n);
void kfree(void *p);

/*
 * Fault injection, of all threads; task->fail_nth does the same to one. The @n-th allocation from
 * now (1: the next one) of page_alloc() or kmalloc() fails, once; 0 turns it off. Returns what was
 * left of the last call's @n: 0 when it failed one. For tests.
 */
u64 page_fail_nth(u64 n);

struct mem_counts {
	u64 total_pages;
	u64 free_pages;
	u64 metadata_pages;
	u64 slab_pages;	     /* held by kmalloc's size classes */
	u64 kmalloc_objects; /* handed out and not freed */
};
struct mem_counts page_counts(void);

#endif
