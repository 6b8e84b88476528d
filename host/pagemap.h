/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs can ask of physical pages: where a page of a program lies (/proc/PID/pagemap), and
 * which pages were not used for a while (/sys/kernel/mm/page_idle/bitmap). Formats: Linux's
 * Documentation/admin-guide/mm/pagemap.rst and idle_page_tracking.rst.
 */
#ifndef HOST_PAGEMAP_H
#define HOST_PAGEMAP_H

#include "host/mm.h"

/* Pages that a program can have. */
u64 pagemap_end(void);
/* Entries for @count pages from page number @first on. Under no lock; may sleep. */
void pagemap_read(struct mm *mm, u64 first, u64 *entries, u64 count);

enum { IDLE_WORDS_MAX = 64 };

/* Where the last search for mappings found one; the next often finds one nearby. */
struct idle_hint {
	const struct mm *mm; /* compared only, never followed */
	u64 addr;
};
/* One past the last word of the bitmap. */
u64 idle_end(void);
/*
 * Word i says of pages 64 * (@first + i) ...: bit set, a page of programs that was marked and not
 * used since, neither through a mapping nor by a guest. Of a larger page the first bit stands for
 * all. @count is at most IDLE_WORDS_MAX. Under no lock; may sleep.
 */
void idle_read(struct idle_hint *hint, u64 first, u64 *words, u64 count);
/* Marks the pages whose bits are set. */
void idle_mark(struct idle_hint *hint, u64 first, const u64 *words, u64 count);

#endif
