/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page allocator: a binary buddy system over all RAM, with metadata that is touched only where
 * memory is broken up, so that boot does not pay for the size of RAM.
 *
 * What keeps the metadata honest without clearing it at boot:
 *  - the head of every run, free or used, has valid metadata;
 *  - a byte for each 2 MiB block says whether the block heads a run of at least 2 MiB, lies inside
 *    one, or is split. In a split block all 512 pages have valid metadata: it was cleared when the
 *    block was split.
 */
#include "host/page.h"

#include "host/page_impl.h"
#include "host/string.h"
#include "host/task.h"

/* Values of a zone's block bytes other than the order of the run that the block heads (9 .. 18). */
enum { BLOCK_INTERIOR = 0, BLOCK_SPLIT = 1 };

#define PAGES_PER_BLOCK (1UL << ORDER_2M)
#define MAX_ZONES	8
#define MAX_HOLES	24

/* One contiguous range of RAM, in page frame numbers. Immutable after page_init(). */
struct ram_zone {
	u64 first;
	u64 end;
	struct page *map; /* of page @first */
	struct page *map_end;
	u8 *blocks; /* of the block that holds page @first */
};

static struct {
	struct ram_zone zones[MAX_ZONES];
	unsigned int zone_count;
	struct spinlock lock;
	struct page_list free[ORDER_MAX + 1]; /* guarded by lock, as the counts */
	struct mem_counts counts;
	u64 fail_nth; /* atomic; 0: off */
} mem;

/* ---- metadata */

static struct ram_zone *zone_of_pfn(u64 pfn)
{
	for (unsigned int i = 0; i < mem.zone_count; i++) {
		struct ram_zone *z = &mem.zones[i];

		if (pfn >= z->first && pfn < z->end)
			return z;
	}
	return NULL;
}

static struct ram_zone *zone_of_page(const struct page *p)
{
	for (unsigned int i = 0; i < mem.zone_count; i++) {
		struct ram_zone *z = &mem.zones[i];

		if (p >= z->map && p < z->map_end)
			return z;
	}
	panic("page %p is no page", (const void *)p);
}

static u64 page_pfn(const struct ram_zone *z, const struct page *p)
{
	return z->first + (u64)(p - z->map);
}

static struct page *pfn_page(const struct ram_zone *z, u64 pfn)
{
	return &z->map[pfn - z->first];
}

static u8 *block_of(const struct ram_zone *z, u64 pfn)
{
	return &z->blocks[(pfn >> ORDER_2M) - (z->first >> ORDER_2M)];
}

/* Makes every page of the block that holds @pfn carry metadata of its own. */
static void __attribute__((noinline)) block_split(struct ram_zone *z, u64 pfn)
{
	u64 first = max(ALIGN_DOWN(pfn, PAGES_PER_BLOCK), z->first);
	u64 end = min(ALIGN_DOWN(pfn, PAGES_PER_BLOCK) + PAGES_PER_BLOCK, z->end);

	memset(pfn_page(z, first), 0, (end - first) * sizeof(struct page));
	*block_of(z, pfn) = BLOCK_SPLIT;
}

/* Declares a run. Its halves' metadata, if it was merged from any, is out of date from here on. */
static struct page *run_declare(struct ram_zone *z, u64 pfn, unsigned int order,
				enum page_state state)
{
	struct page *p = pfn_page(z, pfn);

	if (order >= ORDER_2M)
		*block_of(z, pfn) = (u8)order;
	else if (*block_of(z, pfn) != BLOCK_SPLIT)
		block_split(z, pfn);
	p->order = (u8)order;
	p->state = (u8)state;
	return p;
}

/* The run's head is no head any more: it was merged into the run below it. */
static void run_absorb(struct ram_zone *z, u64 pfn, unsigned int order)
{
	if (order < ORDER_2M)
		pfn_page(z, pfn)->state = PAGE_INTERIOR;
	else
		*block_of(z, pfn) = BLOCK_INTERIOR;
}

/* ---- the buddy system; all under mem.lock */

static void run_insert_free(struct ram_zone *z, u64 pfn, unsigned int order)
{
	struct page *p = run_declare(z, pfn, order, PAGE_FREE);

	LIST_INSERT_HEAD(&mem.free[order], p, link);
}

/* The free run of @order that would merge with the one at @pfn, or NULL. */
static struct page *buddy_free(const struct ram_zone *z, u64 pfn, unsigned int order)
{
	u64 buddy = pfn ^ (1UL << order);
	struct page *p;

	if (buddy < z->first || buddy + (1UL << order) > z->end)
		return NULL;
	p = pfn_page(z, buddy);
	return p->state == PAGE_FREE && p->order == order ? p : NULL;
}

static void run_free(struct ram_zone *z, u64 pfn, unsigned int order)
{
	mem.counts.free_pages += 1UL << order;
	for (; order < ORDER_MAX; order++) {
		struct page *buddy = buddy_free(z, pfn, order);
		u64 low = pfn & ~(1UL << order);

		if (!buddy)
			break;
		LIST_REMOVE(buddy, link);
		run_absorb(z, low | (1UL << order), order);
		pfn = low;
	}
	run_insert_free(z, pfn, order);
}

static struct page *run_take(unsigned int order)
{
	struct ram_zone *z;
	struct page *p;
	unsigned int o = order;
	u64 pfn;

	while (o <= ORDER_MAX && LIST_EMPTY(&mem.free[o]))
		o++;
	if (o > ORDER_MAX)
		return NULL;
	p = LIST_FIRST(&mem.free[o]);
	LIST_REMOVE(p, link);
	if (o != order) {
		z = zone_of_page(p);
		pfn = page_pfn(z, p);
		run_declare(z, pfn, order, PAGE_USED);
		while (o-- > order)
			run_insert_free(z, pfn + (1UL << o), o);
	}
	p->state = PAGE_USED;
	p->order = (u8)order;
	p->idle = 0;
	mem.counts.free_pages -= 1UL << order;
	return p;
}

/* ---- boot */

struct pfn_range {
	u64 first;
	u64 end;
};

/* What of RAM is not for the taking, in page frame numbers, sorted; reserved ranges may overlap. */
struct holes {
	struct pfn_range at[MAX_HOLES];
	unsigned int count;
};

static void holes_add(struct holes *h, u64 first, u64 end)
{
	unsigned int i = h->count;

	if (h->count == MAX_HOLES)
		panic("more than %d reserved ranges of memory", MAX_HOLES);
	for (; i > 0 && h->at[i - 1].first > first; i--)
		h->at[i] = h->at[i - 1];
	h->at[i] = (struct pfn_range){ first, end };
	h->count++;
}

/* The next range of @z from @from on that is no hole; false if there is none. */
static bool holes_next_gap(const struct holes *h, const struct ram_zone *z, u64 from,
			   struct pfn_range *gap)
{
	gap->first = from;
	gap->end = z->end;
	for (unsigned int i = 0; i < h->count; i++) {
		if (h->at[i].end <= gap->first)
			continue;
		if (h->at[i].first > gap->first) {
			gap->end = min(gap->end, h->at[i].first);
			break;
		}
		gap->first = h->at[i].end;
	}
	return gap->first < z->end;
}

static u64 zone_metadata_pages(const struct ram_zone *z)
{
	u64 pages = z->end - z->first;
	u64 blocks = ((z->end - 1) >> ORDER_2M) - (z->first >> ORDER_2M) + 1;

	return (pages * sizeof(struct page) + blocks + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/* Puts the zone's metadata into its first gap that is large enough. */
static void zone_place_metadata(struct ram_zone *z, struct holes *holes)
{
	u64 need = zone_metadata_pages(z);
	struct pfn_range gap = { z->first, z->first };

	while (holes_next_gap(holes, z, gap.end, &gap)) {
		if (gap.end - gap.first < need)
			continue;
		z->map = phys_to_virt(PA(gap.first << PAGE_SHIFT));
		z->map_end = z->map + (z->end - z->first);
		z->blocks = (u8 *)z->map_end;
		memset(z->blocks, BLOCK_INTERIOR,
		       ((z->end - 1) >> ORDER_2M) - (z->first >> ORDER_2M) + 1);
		holes_add(holes, gap.first, gap.first + need);
		mem.counts.metadata_pages += need;
		return;
	}
	panic("no room for the page metadata of RAM at %lx", (unsigned long)z->first << PAGE_SHIFT);
}

/* The order of the largest naturally aligned run at @pfn that ends by @end. */
static unsigned int run_order_at(u64 pfn, u64 end)
{
	unsigned int order = 0;

	while (order < ORDER_MAX && IS_ALIGNED(pfn, 2UL << order) && pfn + (2UL << order) <= end)
		order++;
	return order;
}

/* Declares [first, end) as runs as large as possible: free, or reserved for ever. */
static void zone_fill(struct ram_zone *z, u64 first, u64 end, enum page_state state)
{
	while (first < end) {
		unsigned int order = run_order_at(first, end);

		if (state == PAGE_FREE) {
			run_insert_free(z, first, order);
			mem.counts.free_pages += 1UL << order;
		} else {
			run_declare(z, first, order, state)->refs = 1;
		}
		first += 1UL << order;
	}
}

static void zone_init(struct ram_zone *z, struct holes *holes)
{
	struct pfn_range gap;
	u64 done = z->first;

	zone_place_metadata(z, holes);
	while (done < z->end && holes_next_gap(holes, z, done, &gap)) {
		zone_fill(z, done, gap.first, PAGE_RESERVED);
		zone_fill(z, gap.first, gap.end, PAGE_FREE);
		done = gap.end;
	}
	zone_fill(z, done, z->end, PAGE_RESERVED);
	mem.counts.total_pages += z->end - z->first;
}

void page_init(const struct boot_region *ram, unsigned int ram_count,
	       const struct boot_region *reserved, unsigned int reserved_count)
{
	struct holes holes = { .count = 0 };

	memset(&mem, 0, sizeof(mem));
	spin_init(&mem.lock);
	kmem_init();
	for (unsigned int o = 0; o <= ORDER_MAX; o++)
		LIST_INIT(&mem.free[o]);
	for (unsigned int i = 0; i < reserved_count; i++)
		holes_add(&holes, reserved[i].start.v >> PAGE_SHIFT,
			  (reserved[i].start.v + reserved[i].size + PAGE_SIZE - 1) >> PAGE_SHIFT);
	for (unsigned int i = 0; i < ram_count && mem.zone_count < MAX_ZONES; i++) {
		struct ram_zone *z = &mem.zones[mem.zone_count];

		z->first = (ram[i].start.v + PAGE_SIZE - 1) >> PAGE_SHIFT;
		z->end = (ram[i].start.v + ram[i].size) >> PAGE_SHIFT;
		if (z->first >= z->end)
			continue;
		mem.zone_count++;
		zone_init(z, &holes);
	}
}

/* ---- the public side */

/* The calling thread's own knob (/proc/self/fail-nth). */
static bool task_must_fail(void)
{
	struct task *t = port_current();
	u32 n = t ? __atomic_load_n(&t->fail_nth, __ATOMIC_RELAXED) : 0;

	if (n)
		__atomic_store_n(&t->fail_nth, n - 1, __ATOMIC_RELAXED);
	return n == 1;
}

bool page_alloc_must_fail(void)
{
	if (task_must_fail())
		return true;
	if (__atomic_load_n(&mem.fail_nth, __ATOMIC_RELAXED) == 0)
		return false;
	return __atomic_sub_fetch(&mem.fail_nth, 1, __ATOMIC_RELAXED) == 0;
}

u64 page_fail_nth(u64 n)
{
	return __atomic_exchange_n(&mem.fail_nth, n, __ATOMIC_RELAXED);
}

struct page *page_alloc_uncounted(unsigned int order, enum page_fill fill)
{
	struct page *p;

	if (order > ORDER_MAX)
		return NULL;
	spin_lock(&mem.lock);
	p = run_take(order);
	spin_unlock(&mem.lock);
	if (!p)
		return NULL;
	__atomic_store_n(&p->refs, 1, __ATOMIC_RELAXED);
	if (fill == PAGE_ZEROED)
		port_zero(page_to_virt(p), PAGE_SIZE << order);
	return p;
}

struct page *page_alloc(unsigned int order, enum page_fill fill)
{
	return page_alloc_must_fail() ? NULL : page_alloc_uncounted(order, fill);
}

struct page *page_get(struct page *p)
{
	__atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
	return p;
}

static bool refs_inc_unless_zero(struct page *p)
{
	u32 refs = __atomic_load_n(&p->refs, __ATOMIC_RELAXED);

	while (refs) {
		if (__atomic_compare_exchange_n(&p->refs, &refs, refs + 1, true, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	}
	return false;
}

struct page *page_try_get(u64 pfn)
{
	struct page *p = NULL;

	spin_lock(&mem.lock);
	if (zone_of_pfn(pfn)) {
		p = phys_to_page(PA(pfn << PAGE_SHIFT));
		if (page_to_phys(p).v >> PAGE_SHIFT != pfn || p->state != PAGE_USED ||
		    !refs_inc_unless_zero(p))
			p = NULL;
	}
	spin_unlock(&mem.lock);
	return p;
}

u64 page_end_pfn(void)
{
	u64 end = 0;

	for (unsigned int i = 0; i < mem.zone_count; i++)
		end = max(end, mem.zones[i].end);
	return end;
}

bool page_is_idle(const struct page *p)
{
	return __atomic_load_n(&p->idle, __ATOMIC_RELAXED);
}

void page_set_idle(struct page *p, bool idle)
{
	__atomic_store_n(&p->idle, idle, __ATOMIC_RELAXED);
}

void page_ref_add(struct page *p, u32 n)
{
	__atomic_fetch_add(&p->refs, n, __ATOMIC_RELAXED);
}

void page_put(struct page *p)
{
	struct ram_zone *z;

	if (__atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	z = zone_of_page(p);
	if (p->state != PAGE_USED)
		panic("page %lx freed in state %u", (unsigned long)page_pfn(z, p), p->state);
	spin_lock(&mem.lock);
	run_free(z, page_pfn(z, p), p->order);
	spin_unlock(&mem.lock);
}

u32 page_refs(const struct page *p)
{
	return __atomic_load_n(&p->refs, __ATOMIC_ACQUIRE);
}

unsigned int page_order(const struct page *p)
{
	return p->order;
}

bool page_split_run(struct page *p)
{
	struct ram_zone *z = zone_of_page(p);
	u64 pfn = page_pfn(z, p);
	u64 count = 1UL << p->order;

	if (page_refs(p) != 1)
		return false;
	spin_lock(&mem.lock);
	for (u64 i = 0; i < count; i++) {
		struct page *part = run_declare(z, pfn + i, ORDER_4K, PAGE_USED);

		part->refs = 1;
		part->idle = 0;
	}
	spin_unlock(&mem.lock);
	return true;
}

pa_t page_to_phys(const struct page *p)
{
	return PA(page_pfn(zone_of_page(p), p) << PAGE_SHIFT);
}

void *page_to_virt(const struct page *p)
{
	return phys_to_virt(page_to_phys(p));
}

/* In a split block every page knows whether it is a head; larger runs are found by their block. */
struct page *phys_to_page(pa_t pa)
{
	u64 pfn = pa.v >> PAGE_SHIFT;
	struct ram_zone *z = zone_of_pfn(pfn);
	unsigned int order = ORDER_4K;

	if (!z)
		panic("%lx is not RAM", (unsigned long)pa.v);
	if (*block_of(z, pfn) == BLOCK_SPLIT) {
		while (pfn_page(z, ALIGN_DOWN(pfn, 1UL << order))->state == PAGE_INTERIOR)
			order++;
	} else {
		order = ORDER_2M;
		while (*block_of(z, ALIGN_DOWN(pfn, 1UL << order)) == BLOCK_INTERIOR)
			order++;
	}
	return pfn_page(z, ALIGN_DOWN(pfn, 1UL << order));
}

struct page *virt_to_page(const void *p)
{
	return phys_to_page(virt_to_phys(p));
}

struct mem_counts page_counts(void)
{
	struct mem_counts c;

	spin_lock(&mem.lock);
	c = mem.counts;
	spin_unlock(&mem.lock);
	kmem_count(&c);
	return c;
}
