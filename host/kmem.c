/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kmalloc: objects of fixed size classes cut from slabs of pages. A slab's bookkeeping lies in its
 * page's metadata and in the freed objects, so that objects keep their natural alignment.
 */
#include "host/page_impl.h"
#include "host/string.h"

#define SLAB_NONE 0xffffU

struct slab_class {
	const u16 size; /* bytes of an object */
	const u8 order; /* of a slab */
	struct spinlock lock;
	struct page_list partial; /* slabs with an object left; guarded by lock */
};

/*
 * Slabs of 4 KiB up to an eighth of a page an object; of 16 KiB above, where a page would waste.
 * The sizes are those that class_for() counts: multiples of 16 up to 64, then two for each power of
 * two.
 */
enum { SIZE_MIN = 16, SIZE_BY_16 = 64, SIZE_MAX_CLASS = 2048 };

static struct slab_class classes[] = {
	{ .size = 16 },
	{ .size = 32 },
	{ .size = 48 },
	{ .size = 64 },
	{ .size = 96 },
	{ .size = 128 },
	{ .size = 192 },
	{ .size = 256 },
	{ .size = 384 },
	{ .size = 512 },
	{ .size = 768, .order = 2 },
	{ .size = 1024, .order = 2 },
	{ .size = 1536, .order = 2 },
	{ .size = 2048, .order = 2 },
};

/* Both atomic. */
static u64 slab_pages;
static u64 objects;

static void count(u64 *counter, u64 n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static struct slab_class *class_for(size_t n)
{
	size_t last = n - 1;
	unsigned int top, half;

	if (n <= SIZE_BY_16)
		return &classes[n ? last / SIZE_MIN : 0];
	if (n > SIZE_MAX_CLASS)
		return NULL;
	top = 63 - (unsigned int)__builtin_clzl(last);
	half = (last >> (top - 1)) & 1;
	return &classes[SIZE_BY_16 / SIZE_MIN + 2 * (top - 6) + half];
}

static u32 slab_capacity(const struct slab_class *c)
{
	return (u32)((PAGE_SIZE << c->order) / c->size);
}

static void *slab_object(const struct page *slab, const struct slab_class *c, u32 index)
{
	return (char *)page_to_virt(slab) + (size_t)index * c->size;
}

static void slab_init(struct page *slab, const struct slab_class *c)
{
	slab->state = PAGE_SLAB;
	slab->slab_class = (u8)(c - classes);
	slab->slab_free = SLAB_NONE;
	slab->slab_used = 0;
	slab->slab_fresh = 0;
}

static bool slab_full(const struct page *slab, const struct slab_class *c)
{
	return slab->slab_free == SLAB_NONE && slab->slab_fresh == slab_capacity(c);
}

/* An object of a slab that is not full. A freed object holds the index of the next one. */
static void *slab_take(struct page *slab, const struct slab_class *c)
{
	void *object;

	slab->slab_used++;
	if (slab->slab_free == SLAB_NONE)
		return slab_object(slab, c, slab->slab_fresh++);
	object = slab_object(slab, c, slab->slab_free);
	slab->slab_free = *(u16 *)object;
	return object;
}

static void *class_alloc(struct slab_class *c)
{
	struct page *slab;
	void *object;

	spin_lock(&c->lock);
	slab = LIST_FIRST(&c->partial);
	if (!slab) {
		slab = page_alloc_uncounted(c->order, PAGE_UNFILLED);
		if (!slab) {
			spin_unlock(&c->lock);
			return NULL;
		}
		slab_init(slab, c);
		count(&slab_pages, 1UL << c->order);
		LIST_INSERT_HEAD(&c->partial, slab, link);
	}
	object = slab_take(slab, c);
	if (slab_full(slab, c))
		LIST_REMOVE(slab, link);
	spin_unlock(&c->lock);
	return object;
}

/* One empty slab a class is kept, so that a lone object that comes and goes costs no page. */
static bool slab_is_spare(const struct page *slab, const struct slab_class *c)
{
	return slab->slab_used == 0 && !(LIST_FIRST(&c->partial) == slab && !LIST_NEXT(slab, link));
}

static void class_free(struct slab_class *c, struct page *slab, void *object)
{
	size_t offset = (size_t)((char *)object - (char *)page_to_virt(slab));
	bool was_full, spare;

	if (offset % c->size)
		panic("kfree of %p, which is inside an object", object);
	spin_lock(&c->lock);
	was_full = slab_full(slab, c);
	*(u16 *)object = slab->slab_free;
	slab->slab_free = (u16)(offset / c->size);
	slab->slab_used--;
	if (was_full)
		LIST_INSERT_HEAD(&c->partial, slab, link);
	spare = slab_is_spare(slab, c);
	if (spare) {
		LIST_REMOVE(slab, link);
		slab->state = PAGE_USED;
	}
	spin_unlock(&c->lock);
	if (!spare)
		return;
	count(&slab_pages, -(1UL << c->order));
	page_put(slab);
}

static void *alloc_pages(size_t n)
{
	unsigned int order = 0;
	struct page *p;

	while (order <= ORDER_MAX && (PAGE_SIZE << order) < n)
		order++;
	p = page_alloc_uncounted(order, PAGE_UNFILLED);
	return p ? page_to_virt(p) : NULL;
}

void *kmalloc(size_t n)
{
	struct slab_class *c = class_for(n);
	void *p;

	if (page_alloc_must_fail())
		return NULL;
	p = c ? class_alloc(c) : alloc_pages(n);
	if (p)
		count(&objects, 1);
	return p;
}

void *kzalloc(size_t n)
{
	void *p = kmalloc(n);

	if (p && n > SIZE_MAX_CLASS)
		port_zero(p, ALIGN_UP(n, 256UL)); /* whole pages are there */
	else if (p)
		memset(p, 0, n);
	return p;
}

void kfree(void *p)
{
	struct page *page;

	if (!p)
		return;
	count(&objects, -1UL);
	page = virt_to_page(p);
	if (page->state == PAGE_SLAB)
		class_free(&classes[page->slab_class], page, p);
	else
		page_put(page);
}

void kmem_count(struct mem_counts *counts)
{
	counts->slab_pages = __atomic_load_n(&slab_pages, __ATOMIC_RELAXED);
	counts->kmalloc_objects = __atomic_load_n(&objects, __ATOMIC_RELAXED);
}

void kmem_init(void)
{
	slab_pages = 0;
	objects = 0;
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		spin_init(&classes[i].lock);
		LIST_INIT(&classes[i].partial);
	}
}
