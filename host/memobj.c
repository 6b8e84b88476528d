/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of memory: the page store behind memfd, tmpfs, initramfs files and shared anonymous memory.
 * Pages hang in a radix tree by their index. An object made from RAM that is there already reads
 * from it and copies a page when one is written or mapped.
 *
 * The mutex of an object is taken under an mm's lock (faults) and never the other way: removal of
 * pages first takes them out of the store under the mutex, then, without it, out of the mms. A
 * fault holds the mutex from look-up to the installed leaf, so it is either before the removal, and
 * the zap meets its leaf, or after it.
 */
#include <linux/falloc.h>

#include "host/driver.h"
#include "host/mm_impl.h"
#include "host/pte.h"
#include "host/string.h"

#define RADIX_BITS 9
#define RADIX_FAN  (1U << RADIX_BITS)
#define RADIX_NONE UINT64_MAX

struct memobj {
	u32 refs; /* atomic */
	int level;
	struct mutex lock;   /* guards all below */
	u64 size;	     /* bytes */
	u64 pages;	     /* of the object's size, in the tree */
	void **root;	     /* a node of RADIX_FAN pointers to nodes, or, at the bottom, pages */
	unsigned int height; /* levels of nodes; 0: no root */
	const char *ram;     /* initial content, or NULL */
	u64 ram_size;	     /* shrinks with truncation */
	struct vma_list mappings;
	u32 zap_pass; /* counts calls of memobj_zap() that began */
};

static u64 unit(const struct memobj *o)
{
	return level_size(o->level);
}

static u64 index_of(const struct memobj *o, u64 offset)
{
	return offset >> level_shift(o->level);
}

/* ---- the tree */

static void **node_new(void)
{
	return kzalloc(RADIX_FAN * sizeof(void *));
}

static u64 radix_capacity(unsigned int height)
{
	return height * RADIX_BITS >= 64 ? UINT64_MAX : 1UL << (height * RADIX_BITS);
}

static bool radix_grow(struct memobj *o, u64 index)
{
	while (o->height == 0 || index >= radix_capacity(o->height)) {
		void **node = node_new();

		if (!node)
			return false;
		node[0] = o->root;
		o->root = node;
		o->height++;
	}
	return true;
}

static unsigned int radix_slot(u64 index, unsigned int height)
{
	return (index >> ((height - 1) * RADIX_BITS)) & (RADIX_FAN - 1);
}

static struct page *radix_find(const struct memobj *o, u64 index)
{
	void **node = o->root;

	if (o->height == 0 || index >= radix_capacity(o->height))
		return NULL;
	for (unsigned int h = o->height; h > 1 && node; h--)
		node = node[radix_slot(index, h)];
	return node ? node[radix_slot(index, 1)] : NULL;
}

/* The first page in the subtree of @node with an index of @from or more, counted from the subtree's
 * first; RADIX_NONE. */
static u64 radix_next(void **node, unsigned int height, u64 from)
{
	u64 span = radix_capacity(height - 1), rest = from % span, found;

	for (u64 i = from / span; i < RADIX_FAN; i++, rest = 0) {
		if (!node[i])
			continue;
		found = height > 1 ? radix_next(node[i], height - 1, rest) : 0;
		if (found != RADIX_NONE)
			return i * span + found;
	}
	sched_point(); /* nodes without pages may be many */
	return RADIX_NONE;
}

static bool radix_insert(struct memobj *o, u64 index, struct page *page)
{
	void **node;

	if (!radix_grow(o, index))
		return false;
	node = o->root;
	for (unsigned int h = o->height; h > 1; h--) {
		void **slot = (void **)&node[radix_slot(index, h)];

		if (!*slot)
			*slot = node_new();
		if (!*slot)
			return false;
		node = *slot;
	}
	node[radix_slot(index, 1)] = page;
	o->pages++;
	return true;
}

/* Takes pages [first, last] out of the subtree of @node, whose first page has index @base. */
static void radix_remove(struct memobj *o, void **node, unsigned int height, u64 base, u64 first,
			 u64 last)
{
	u64 span = radix_capacity(height - 1);

	for (unsigned int i = 0; i < RADIX_FAN; i++) {
		u64 low = base + i * span;

		if (!node[i] || low > last || low + (span - 1) < first)
			continue;
		if (height > 1) {
			radix_remove(o, node[i], height - 1, low, first, last);
			if (low >= first && low + (span - 1) <= last) {
				kfree(node[i]);
				node[i] = NULL;
			}
			continue;
		}
		page_put(node[i]);
		node[i] = NULL;
		o->pages--;
	}
	sched_point();
}

static void memobj_remove(struct memobj *o, u64 first, u64 last)
{
	if (o->height)
		radix_remove(o, o->root, o->height, 0, first, last);
}

/* ---- pages, under the mutex */

/* Initial content of the page at @offset, zeroes after it. */
static void page_fill_from_ram(const struct memobj *o, struct page *page, u64 offset)
{
	u64 n = offset < o->ram_size ? min(o->ram_size - offset, PAGE_SIZE) : 0;
	char *p = page_to_virt(page);

	memcpy(p, o->ram + offset, n);
	memset(p + n, 0, PAGE_SIZE - n);
}

static struct page *page_new(const struct memobj *o, u64 index)
{
	struct page *page;

	if (o->level == LEVEL_4K && index * PAGE_SIZE < o->ram_size) {
		page = page_alloc(ORDER_4K, PAGE_UNFILLED);
		if (page)
			page_fill_from_ram(o, page, index * PAGE_SIZE);
		return page;
	}
	page = page_alloc((unsigned int)(LEVEL_4K - o->level) * 9, PAGE_UNFILLED);
	for (u64 done = 0; page && done < unit(o); done += min(unit(o), SZ_2M)) {
		port_zero((char *)page_to_virt(page) + done, min(unit(o), SZ_2M));
		if (unit(o) > SZ_2M)
			sched_point();
	}
	return page;
}

/* The page, made if need be; NULL when memory is out. The reference is the object's. */
static struct page *memobj_page(struct memobj *o, u64 index)
{
	struct page *page = radix_find(o, index);

	if (page)
		return page;
	page = page_new(o, index);
	if (page && !radix_insert(o, index, page)) {
		page_put(page);
		return NULL;
	}
	return page;
}

/* What only RAM holds of bytes [start, end) gets pages of its own, with the same content. 0 or
 * -ENOMEM: then some of it has. */
static int memobj_own_ram(struct memobj *o, u64 start, u64 end)
{
	if (start >= end || start >= o->ram_size)
		return 0;
	for (u64 at = ALIGN_DOWN(start, PAGE_SIZE); at < min(end, o->ram_size); at += PAGE_SIZE) {
		if (!memobj_page(o, index_of(o, at)))
			return -ENOMEM;
	}
	return 0;
}

/* Zeroes bytes [start, end) of one page, if it is there. */
static void memobj_zero_part(struct memobj *o, u64 start, u64 end)
{
	struct page *page = start < end ? radix_find(o, index_of(o, start)) : NULL;

	if (page)
		memset((char *)page_to_virt(page) + (start & (unit(o) - 1)), 0, end - start);
}

/* ---- life */

static struct memobj *memobj_alloc(int level)
{
	struct memobj *o = kzalloc(sizeof(*o));

	if (!o)
		return NULL;
	o->refs = 1;
	o->level = level;
	mutex_init(&o->lock);
	LIST_INIT(&o->mappings);
	return o;
}

struct memobj *memobj_new(void)
{
	return memobj_alloc(LEVEL_4K);
}

struct memobj *memobj_hugetlb_new(int level)
{
	return memobj_alloc(level);
}

struct memobj *memobj_from_ram(const void *data, u64 size)
{
	struct memobj *o = memobj_alloc(LEVEL_4K);

	if (!o)
		return NULL;
	o->ram = data;
	o->ram_size = size;
	o->size = size;
	return o;
}

struct memobj *memobj_get(struct memobj *o)
{
	__atomic_fetch_add(&o->refs, 1, __ATOMIC_RELAXED);
	return o;
}

void memobj_put(struct memobj *o)
{
	if (__atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	memobj_remove(o, 0, UINT64_MAX);
	kfree(o->root);
	kfree(o);
}

u64 memobj_size(struct memobj *o)
{
	u64 size;

	mutex_lock(&o->lock);
	size = o->size;
	mutex_unlock(&o->lock);
	return size;
}

u64 memobj_resident(struct memobj *o)
{
	u64 bytes;

	mutex_lock(&o->lock);
	bytes = o->pages * unit(o);
	mutex_unlock(&o->lock);
	return bytes;
}

u64 memobj_pages(const struct memobj *o)
{
	return __atomic_load_n(&o->pages, __ATOMIC_RELAXED) * (unit(o) / PAGE_SIZE);
}

/* ---- mappings */

/* Counted, an mm with a mapping that pass @pass has not seen; NULL when all were seen. */
static struct mm *next_mm_to_zap(struct memobj *o, u32 pass)
{
	struct mm *mm = NULL;
	struct vma *v;

	mutex_lock(&o->lock);
	LIST_FOREACH (v, &o->mappings, object_link) {
		if (v->zap_pass == pass)
			continue;
		v->zap_pass = pass;
		mm = mm_get(v->mm);
		break;
	}
	mutex_unlock(&o->lock);
	return mm;
}

static void vma_zap_object_range(struct vma *v, u64 start, u64 end, enum zap_what what)
{
	u64 first = max(start, v->offset);
	u64 last = min(end, v->offset + (v->end.v - v->start.v));

	if (first >= last)
		return;
	first += v->start.v - v->offset;
	last += v->start.v - v->offset;
	notify_begin(v->mm, first, last);
	(void)pgt_zap(v->mm, first, last, what);
	notify_end(v->mm, first, last);
}

/* Unmaps bytes [start, end), whole pages, from everybody. No lock held. */
static void memobj_zap(struct memobj *o, u64 start, u64 end, enum zap_what what)
{
	u32 pass = __atomic_add_fetch(&o->zap_pass, 1, __ATOMIC_RELAXED);
	struct mm *mm;

	while ((mm = next_mm_to_zap(o, pass))) {
		struct vma *v;

		mm_read_lock(mm);
		for (v = vma_from(mm, 0); v; v = vma_next(v)) {
			if (v->ops == &memobj_vma_ops && v->priv == o)
				vma_zap_object_range(v, start, end, what);
		}
		mm_read_unlock(mm);
		mm_put(mm);
	}
}

static void memobj_vma_open(struct vma *vma)
{
	struct memobj *o = memobj_get(vma->priv);

	mutex_lock(&o->lock);
	vma->zap_pass = 0;
	LIST_INSERT_HEAD(&o->mappings, vma, object_link);
	mutex_unlock(&o->lock);
}

static void memobj_vma_close(struct vma *vma)
{
	struct memobj *o = vma->priv;

	mutex_lock(&o->lock);
	LIST_REMOVE(vma, object_link);
	mutex_unlock(&o->lock);
	memobj_put(o);
}

static bool has_content(const struct memobj *o, u64 offset)
{
	return offset < o->ram_size || radix_find(o, index_of(o, offset));
}

static u64 object_offset(const struct vma *vma, u64 addr)
{
	return vma->offset + (addr - vma->start.v);
}

enum memobj_has memobj_look(const struct vma *vma, u64 addr)
{
	struct memobj *o = vma->priv;
	enum memobj_has has = MEMOBJ_HAS_NOTHING;
	u64 offset = object_offset(vma, ALIGN_DOWN(addr, unit(o)));

	mutex_lock(&o->lock);
	if (offset >= o->size)
		has = MEMOBJ_ENDS_BEFORE;
	else if (has_content(o, offset))
		has = MEMOBJ_HAS_PAGE;
	mutex_unlock(&o->lock);
	return has;
}

/* Under the mutex: what is there if @page is NULL, else @page, whose reference is the object's
 * then. */
static int fill_content(struct memobj *o, u64 offset, struct page **page)
{
	struct page *own;

	if (offset >= o->size || (!*page && !has_content(o, offset)))
		return -EFAULT;
	if (!*page) {
		own = memobj_page(o, index_of(o, offset));
		*page = own ? page_get(own) : NULL;
		return own ? 0 : -ENOMEM;
	}
	if (has_content(o, offset))
		return -EEXIST;
	if (!radix_insert(o, index_of(o, offset), *page))
		return -ENOMEM;
	page_get(*page);
	return 0;
}

int memobj_fill(struct vma *vma, u64 addr, struct page *page)
{
	enum host_access access = vma->flags & VM_SHARED ? HOST_WRITE : HOST_READ;
	struct memobj *o = vma->priv;
	u64 offset = object_offset(vma, addr);
	int error, level;
	bool is_new;
	u64 pte;

	mutex_lock(&o->lock);
	spin_lock(&vma->mm->pt_lock);
	pte = port_pte_read(pgt_lookup_locked(vma->mm, addr, &level));
	spin_unlock(&vma->mm->pt_lock);
	is_new = page != NULL;
	error = pte_is_leaf(pte) ? -EEXIST : fill_content(o, offset, &page);
	if (!error) {
		error = vma_insert_page(vma, HVA(addr), page_get(page), access);
		/* Nobody has seen it: who fails leaves no content behind. */
		if (error && is_new)
			memobj_remove(o, index_of(o, offset), index_of(o, offset));
	}
	mutex_unlock(&o->lock);
	if (page)
		page_put(page);
	return error == -EBUSY ? -EEXIST : error;
}

static int memobj_vma_fault(struct vma *vma, hva_t addr, enum host_access access)
{
	struct memobj *o = vma->priv;
	u64 base = ALIGN_DOWN(addr.v, unit(o));
	u64 offset = vma->offset + (base - vma->start.v);
	int error = -EIO;

	if ((vma->flags & VM_SHARED) && (vma->flags & VM_WRITE))
		access = HOST_WRITE;
	mutex_lock(&o->lock);
	if (offset < o->size && (vma->flags & VM_UFFD_MISSING) && !has_content(o, offset)) {
		error = -EUFFD_MISSING;
	} else if (offset < o->size) {
		struct page *page = memobj_page(o, index_of(o, offset));

		error = o->level == LEVEL_4K ? -ENOMEM : -EIO;
		if (page)
			error = vma_insert_page(vma, HVA(base), page_get(page), access);
	}
	mutex_unlock(&o->lock);
	return error == -EBUSY ? 0 : error;
}

bool memobj_mapped_writable(struct memobj *o)
{
	u32 both = VM_SHARED | VM_MAYWRITE;
	bool found = false;
	struct vma *v;

	mutex_lock(&o->lock);
	LIST_FOREACH (v, &o->mappings, object_link)
		found = found || (v->flags & both) == both;
	mutex_unlock(&o->lock);
	return found;
}

const struct vma_ops memobj_vma_ops = {
	.fault = memobj_vma_fault,
	.open = memobj_vma_open,
	.close = memobj_vma_close,
};

int memobj_mmap(struct memobj *o, struct vma *vma)
{
	if (!IS_ALIGNED(vma->start.v | vma->end.v | vma->offset, unit(o)))
		return -EINVAL;
	if (o->level != LEVEL_4K) {
		vma->flags |= VM_HUGETLB | VM_DONTEXPAND;
		vma->hugetlb_level = o->level;
	}
	vma->ops = &memobj_vma_ops;
	vma->priv = o;
	memobj_vma_open(vma);
	return 0;
}

/* ---- size and holes */

static int truncate_locked(struct memobj *o, u64 size)
{
	if (size < o->size) {
		u64 end = min(ALIGN_UP(size, unit(o)), o->size);
		int error = memobj_own_ram(o, size, end);

		if (error)
			return error;
		memobj_zero_part(o, size, end);
		o->ram_size = min(o->ram_size, size);
		memobj_remove(o, index_of(o, ALIGN_UP(size, unit(o))), UINT64_MAX);
	}
	o->size = size;
	return 0;
}

int memobj_truncate(struct memobj *o, u64 size)
{
	bool shrinks;
	int error;

	if ((s64)size < 0 || !IS_ALIGNED(size, o->level == LEVEL_4K ? 1 : unit(o)))
		return -EINVAL;
	mutex_lock(&o->lock);
	shrinks = size < o->size;
	error = truncate_locked(o, size);
	mutex_unlock(&o->lock);
	if (!error && shrinks)
		memobj_zap(o, ALIGN_UP(size, unit(o)), (u64)INT64_MAX & PAGE_MASK, ZAP_ALL);
	return error;
}

/*
 * A page that RAM would fill again becomes one of zeroes instead of being taken out. All that may
 * fail comes first: no content is lost by a call that fails.
 */
static int punch_locked(struct memobj *o, u64 start, u64 end)
{
	u64 first = ALIGN_UP(start, unit(o));
	u64 last = ALIGN_DOWN(end, unit(o));
	int error = memobj_own_ram(o, start, end);

	if (error)
		return error;
	if (o->level == LEVEL_4K) {
		memobj_zero_part(o, start, min(first, end));
		if (last >= first)
			memobj_zero_part(o, last, end);
	}
	for (u64 at = first; at < last && at < o->ram_size; at += PAGE_SIZE)
		memobj_zero_part(o, at, at + PAGE_SIZE);
	first = max(first, ALIGN_UP(o->ram_size, unit(o)));
	if (first < last)
		memobj_remove(o, index_of(o, first), index_of(o, last) - 1);
	return 0;
}

static int memobj_punch(struct memobj *o, u64 start, u64 end)
{
	u64 first = ALIGN_UP(start, unit(o));
	u64 last = ALIGN_DOWN(end, unit(o));
	int error;

	mutex_lock(&o->lock);
	error = punch_locked(o, start, end);
	mutex_unlock(&o->lock);
	if (!error && first < last)
		memobj_zap(o, first, last, ZAP_OBJECT_PAGES);
	return error;
}

/* Huge pages come from a pool, as hugetlbfs sees it; else it is memory that is out, as on tmpfs
 * without a limit. */
static int no_page_error(const struct memobj *o)
{
	return o->level == LEVEL_4K ? -ENOMEM : -ENOSPC;
}

static int memobj_preallocate(struct memobj *o, u64 start, u64 end)
{
	int error = 0;

	for (u64 at = ALIGN_DOWN(start, unit(o)); !error && at < end; at += unit(o)) {
		mutex_lock(&o->lock);
		error = memobj_page(o, index_of(o, at)) ? 0 : no_page_error(o);
		mutex_unlock(&o->lock);
		sched_point();
	}
	return error;
}

int memobj_fallocate(struct memobj *o, int mode, u64 offset, u64 len)
{
	int error;

	if ((s64)offset < 0 || (s64)len <= 0)
		return -EINVAL;
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE) || mode == FALLOC_FL_PUNCH_HOLE)
		return -EOPNOTSUPP;
	if ((s64)(offset + len) < 0)
		return -EFBIG;
	if (mode & FALLOC_FL_PUNCH_HOLE)
		return memobj_punch(o, offset, offset + len);
	if (len >> PAGE_SHIFT > page_counts().total_pages)
		return no_page_error(o);
	error = memobj_preallocate(o, offset, offset + len);
	if (error || (mode & FALLOC_FL_KEEP_SIZE))
		return error;
	mutex_lock(&o->lock);
	o->size = max(o->size, ALIGN_UP(offset + len, o->level == LEVEL_4K ? 1 : unit(o)));
	mutex_unlock(&o->lock);
	return 0;
}

/* ---- where there is content: by pages; files of huge pages are all content, as on Linux */

/* RADIX_NONE, or an offset that may be beyond the end. Under the mutex. */
static u64 next_data(const struct memobj *o, u64 offset)
{
	u64 index = index_of(o, offset);

	if (o->level != LEVEL_4K || has_content(o, ALIGN_DOWN(offset, PAGE_SIZE)))
		return offset;
	if (o->height == 0 || index >= radix_capacity(o->height))
		return RADIX_NONE;
	index = radix_next(o->root, o->height, index);
	return index == RADIX_NONE ? RADIX_NONE : index * PAGE_SIZE;
}

static u64 next_hole(const struct memobj *o, u64 offset)
{
	if (o->level != LEVEL_4K)
		return o->size;
	while (offset < o->size && has_content(o, ALIGN_DOWN(offset, PAGE_SIZE))) {
		offset = ALIGN_DOWN(offset, PAGE_SIZE) + PAGE_SIZE;
		sched_point();
	}
	return min(offset, o->size);
}

s64 memobj_seek(struct memobj *o, s64 offset, enum memobj_seek_for what)
{
	u64 at = (u64)offset;
	s64 ret = -ENXIO;

	mutex_lock(&o->lock);
	if (offset >= 0 && at < o->size) {
		at = what == MEMOBJ_DATA ? next_data(o, at) : next_hole(o, at);
		if (what == MEMOBJ_HOLE || at < o->size)
			ret = (s64)at;
	}
	mutex_unlock(&o->lock);
	return ret;
}

/* ---- for those who map pages without a program */

bool memobj_peek(struct memobj *o, u64 offset, pa_t *pa)
{
	struct page *page;

	mutex_lock(&o->lock);
	page = offset < o->size ? radix_find(o, index_of(o, offset)) : NULL;
	if (page)
		*pa = PA(page_to_phys(page).v + (offset & (unit(o) - 1)));
	mutex_unlock(&o->lock);
	return page != NULL;
}

int memobj_populate(struct memobj *o, u64 offset)
{
	int error = -EIO;

	mutex_lock(&o->lock);
	if (offset < o->size)
		error = memobj_page(o, index_of(o, offset)) ? 0 : -ENOMEM;
	mutex_unlock(&o->lock);
	return error;
}

/* ---- reading and writing; the program's memory is touched without the mutex */

/* What to copy at @pos: a counted page, or RAM, or neither for a hole. Bytes of it within a page.
 */
struct piece {
	struct page *page;
	const char *from;
	u64 n;
};

static struct piece piece_at(struct memobj *o, u64 pos, u64 most)
{
	struct piece p = { .n = 0 };

	mutex_lock(&o->lock);
	if (pos < o->size) {
		p.n = min(min(most, o->size - pos), unit(o) - (pos & (unit(o) - 1)));
		p.page = radix_find(o, index_of(o, pos));
		if (p.page) {
			page_get(p.page);
			page_set_idle(p.page, false);
			p.from = (char *)page_to_virt(p.page) + (pos & (unit(o) - 1));
		} else if (pos < o->ram_size) {
			p.n = min(p.n, o->ram_size - pos);
			p.from = o->ram + pos;
		}
	}
	mutex_unlock(&o->lock);
	return p;
}

s64 memobj_read(struct memobj *o, struct iobuf *to, u64 pos)
{
	s64 total = 0;

	while (to->left > 0) {
		struct piece p = piece_at(o, pos + (u64)total, to->left);
		s64 n = 0;

		if (p.n)
			n = p.from ? iobuf_put(to, p.from, p.n) : iobuf_zero(to, p.n);
		if (p.page)
			page_put(p.page);
		if (n < 0)
			return total ? total : n;
		total += n;
		if (n == 0 || (u64)n < p.n)
			break;
		sched_point();
	}
	return total;
}

static s64 write_piece(struct memobj *o, struct iobuf *from, u64 pos)
{
	u64 in_page = pos & (unit(o) - 1);
	struct page *page;
	s64 n;

	mutex_lock(&o->lock);
	page = memobj_page(o, index_of(o, pos));
	if (page) {
		page_get(page);
		page_set_idle(page, false);
	}
	mutex_unlock(&o->lock);
	if (!page)
		return no_page_error(o);
	n = iobuf_get(from, (char *)page_to_virt(page) + in_page,
		      min(from->left, unit(o) - in_page));
	page_put(page);
	return n;
}

s64 memobj_write(struct memobj *o, struct iobuf *from, u64 pos)
{
	s64 total = 0;

	if (o->level != LEVEL_4K)
		return -EINVAL;
	if ((s64)pos < 0 || (s64)(pos + from->left) < 0)
		return -EFBIG;
	while (from->left > 0) {
		s64 n = write_piece(o, from, pos + (u64)total);

		if (n < 0)
			return total ? total : n;
		if (n == 0)
			break;
		total += n;
		mutex_lock(&o->lock);
		o->size = max(o->size, pos + (u64)total);
		mutex_unlock(&o->lock);
		sched_point();
	}
	return total;
}
