/* SPDX-License-Identifier: Apache-2.0 */
/* Files of guest memory, and what slots show of them. */
#include "kvm/guest_memfd.h"

#include <asm-generic/fcntl.h>
#include <linux/falloc.h>

#include <asm/stat.h>

#include "abi/catwalk.h"
#include "host/mm.h"
#include "host/task.h"
#include "kvm/memory.h"

struct guest_memfd {
	struct vm_memory *m; /* held (vm_memory_ops) */
	struct memobj *pages;
	u64 size; /* bytes; immutable */
	u32 flags;
	u64 number; /* st_ino */
};

/* A slot's part of a file. The file may end first; then both pointers are NULL. */
struct gmem_binding {
	RB_ENTRY(gmem_binding) node;
	u32 slot;
	u64 offset, size;	  /* bytes of the file */
	struct guest_memfd *gmem; /* guarded by the slots lock */
	struct memobj *pages;	  /* the file's; what faults look at, under gmem_lock */
};

static int binding_compare(struct gmem_binding *a, struct gmem_binding *b)
{
	return a->slot < b->slot ? -1 : a->slot > b->slot;
}

RB_GENERATE_INTERNAL(gmem_bindings, gmem_binding, node, binding_compare, static __maybe_unused)

/* ---- bindings. Under the slots lock or gmem_lock. */

static struct gmem_binding *binding_of(struct vm_memory *m, u32 slot)
{
	struct gmem_binding key = { .slot = slot };

	return RB_FIND(gmem_bindings, &m->gmem, &key);
}

static bool shows_part_of(const struct gmem_binding *b, const struct guest_memfd *g, u64 start,
			  u64 end)
{
	return b->gmem == g && b->offset < end && start < b->offset + b->size;
}

static bool is_bound(struct vm_memory *m, const struct guest_memfd *g, u64 start, u64 end)
{
	struct gmem_binding *b;

	RB_FOREACH (b, gmem_bindings, &m->gmem) {
		if (shows_part_of(b, g, start, end))
			return true;
	}
	return false;
}

static struct slot_verdict refused(int error, enum reason why)
{
	return (struct slot_verdict){ error, why };
}

static struct slot_verdict bind(struct vm_memory *m, struct guest_memfd *g,
				const struct gmem_request *r)
{
	struct gmem_binding *b;

	if (!IS_ALIGNED(r->offset, PAGE_SIZE) || r->offset > g->size ||
	    r->size > g->size - r->offset)
		return refused(ERR_INVAL, WHY_GMEM_RANGE);
	if (is_bound(m, g, r->offset, r->offset + r->size))
		return refused(ERR_EXIST, WHY_GMEM_BOUND);
	b = kzalloc(sizeof(*b));
	if (!b)
		return refused(ERR_NOMEM, WHY_HOST_NOMEM);
	b->slot = r->slot;
	b->offset = r->offset;
	b->size = r->size;
	b->gmem = g;
	b->pages = g->pages;
	spin_lock(&m->gmem_lock);
	RB_INSERT(gmem_bindings, &m->gmem, b);
	spin_unlock(&m->gmem_lock);
	return refused(ERR_OK, WHY_NONE);
}

static const struct file_ops gmem_file_ops;

/* The file does not belong to the slot: if it is closed, the slot has nothing to show. */
struct slot_verdict gmem_bind(struct vm_memory *m, const struct gmem_request *r)
{
	struct guest_memfd *g;

	if (!r->file)
		return refused(ERR_BADF, WHY_GMEM_NOT_ONE);
	if (r->file->ops != &gmem_file_ops)
		return refused(ERR_INVAL, WHY_GMEM_NOT_ONE);
	g = r->file->priv;
	return g->m == m ? bind(m, g, r) : refused(ERR_INVAL, WHY_GMEM_NOT_ONE);
}

bool gmem_is_shared(struct vm_memory *m, u32 slot)
{
	struct gmem_binding *b = binding_of(m, slot);

	/* Closed meanwhile by another thread: faults will tell. */
	return b && (!b->gmem || b->gmem->flags & GUEST_MEMFD_FLAG_MMAP);
}

void gmem_unbind(struct vm_memory *m, u32 slot)
{
	struct gmem_binding *b = binding_of(m, slot);

	if (!b)
		return;
	spin_lock(&m->gmem_lock);
	RB_REMOVE(gmem_bindings, &m->gmem, b);
	spin_unlock(&m->gmem_lock);
	kfree(b);
}

void gmem_forget_all(struct vm_memory *m)
{
	struct gmem_binding *b;

	while ((b = RB_MIN(gmem_bindings, &m->gmem))) {
		RB_REMOVE(gmem_bindings, &m->gmem, b);
		kfree(b);
	}
}

/* ---- invalidations: parts of a file that slots show. Slots lock held. */

typedef void (*invalidate_fn)(struct guest_mem *m, hva_t start, hva_t end);

static void invalidate(const struct guest_memfd *g, u64 start, u64 end, invalidate_fn fn)
{
	struct vm_memory *m = g->m;
	struct gmem_binding *b;

	RB_FOREACH (b, gmem_bindings, &m->gmem) {
		u64 at = gmem_hva(b->slot).v, first = max(start, b->offset);
		u64 last = min(end, b->offset + b->size);

		if (shows_part_of(b, g, start, end))
			fn(&m->guest, HVA(at + (first - b->offset)), HVA(at + (last - b->offset)));
	}
}

/* ---- as the host of the engine */

/* Counted, the pages behind @hva and the offset in them; NULL: nothing is there any more. */
static struct memobj *pages_behind(struct vm_memory *m, hva_t hva, u64 *offset)
{
	u64 at = hva.v - GMEM_BASE;
	struct memobj *pages = NULL;
	struct gmem_binding *b;

	spin_lock(&m->gmem_lock);
	b = binding_of(m, (u32)(at / GMEM_STRIDE));
	if (b && b->pages && at % GMEM_STRIDE < b->size) {
		pages = memobj_get(b->pages);
		*offset = b->offset + at % GMEM_STRIDE;
	}
	spin_unlock(&m->gmem_lock);
	return pages;
}

int gmem_leaf(struct vm_memory *m, hva_t hva, struct host_leaf *out)
{
	u64 offset;
	struct memobj *pages = pages_behind(m, hva, &offset);
	bool found;

	if (!pages)
		return ERR_FAULT;
	*out = (struct host_leaf){
		.type = MEM_WB,
		.reach = REACH_ALIAS,
		.owner = OWNER_TYPE_FIXED,
		.writable = true,
		.level = LEVEL_4K,
	};
	found = memobj_peek(pages, offset, &out->pa);
	memobj_put(pages);
	return found ? ERR_OK : ERR_NOENT;
}

int gmem_fault(struct vm_memory *m, hva_t hva)
{
	u64 offset;
	struct memobj *pages = pages_behind(m, hva, &offset);
	int error;

	if (!pages)
		return ERR_BADF;
	error = memobj_populate(pages, offset);
	memobj_put(pages);
	return error;
}

void gmem_area(hva_t hva, hva_t end, struct host_area *out)
{
	*out = (struct host_area){
		.start = hva,
		.end = end,
		.type = MEM_WB,
		.owner = OWNER_TYPE_FIXED,
		.writable = true,
	};
}

/* ---- the file */

/* Without GUEST_MEMFD_FLAG_INIT_SHARED the memory is the guest's alone. */
static int private_fault(struct vma *vma, hva_t addr, enum host_access access)
{
	(void)vma;
	(void)addr;
	(void)access;
	return -EIO;
}

static const struct vma_ops private_vma_ops = { .fault = private_fault };

static int gmem_mmap(struct file *f, struct vma *vma)
{
	struct guest_memfd *g = f->priv;

	if (!(g->flags & GUEST_MEMFD_FLAG_MMAP))
		return -ENODEV;
	if (!(vma->flags & VM_SHARED))
		return -EINVAL;
	if (g->flags & GUEST_MEMFD_FLAG_INIT_SHARED)
		return memobj_mmap(g->pages, vma);
	vma->ops = &private_vma_ops;
	return 0;
}

static int gmem_stat(struct file *f, struct stat *st)
{
	struct guest_memfd *g = f->priv;

	*st = (struct stat){
		.st_dev = 15, /* where the files without a name are */
		.st_ino = g->number,
		.st_mode = 0100600, /* a regular file */
		.st_nlink = 1,
		.st_size = (long)g->size,
		.st_blksize = PAGE_SIZE,
		.st_blocks = (long)(memobj_resident(g->pages) / 512),
	};
	return 0;
}

static int gmem_truncate(struct file *f, u64 size)
{
	(void)f;
	(void)size;
	return -EINVAL;
}

/* Stage 2 lets go of the pages before they go, as it holds no references. */
static int punch(struct guest_memfd *g, u64 start, u64 end)
{
	int error;

	mutex_lock(&g->m->slots_lock);
	invalidate(g, start, end, guest_mem_invalidate_begin);
	error = memobj_fallocate(g->pages, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start,
				 end - start);
	invalidate(g, start, end, guest_mem_invalidate_end);
	mutex_unlock(&g->m->slots_lock);
	return error;
}

static int allocate(struct guest_memfd *g, u64 start, u64 end)
{
	int error = 0;

	for (u64 at = start; at < end && !error; at += PAGE_SIZE) {
		error = task_signal_pending(port_current()) ? -EINTR
							    : memobj_populate(g->pages, at);
		sched_point();
	}
	return error;
}

static int gmem_fallocate(struct file *f, int mode, u64 offset, u64 len)
{
	struct guest_memfd *g = f->priv;
	u64 end = offset + len;

	if (!(mode & FALLOC_FL_KEEP_SIZE) || mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if (!IS_ALIGNED(offset | len, PAGE_SIZE))
		return -EINVAL;
	if (!(mode & FALLOC_FL_PUNCH_HOLE))
		return end > g->size ? -EINVAL : allocate(g, offset, end);
	/* Behind the end there is nothing but holes. */
	end = min(end, g->size);
	return offset < end ? punch(g, offset, end) : 0;
}

/* Faults find nothing behind the slots that show it, from now on. */
static void bindings_close(struct guest_memfd *g)
{
	struct vm_memory *m = g->m;
	struct gmem_binding *b;

	spin_lock(&m->gmem_lock);
	RB_FOREACH (b, gmem_bindings, &m->gmem) {
		if (b->gmem == g)
			b->pages = NULL;
	}
	spin_unlock(&m->gmem_lock);
}

static void bindings_forget(struct guest_memfd *g)
{
	struct gmem_binding *b;

	RB_FOREACH (b, gmem_bindings, &g->m->gmem) {
		if (b->gmem == g)
			b->gmem = NULL;
	}
}

/*
 * No descriptor and no mapping is left; slots that show it stay. The invalidation comes when faults
 * find nothing any more: those that have found a page it turns back, or it takes away what they
 * mapped.
 */
static void gmem_release(struct file *f)
{
	struct guest_memfd *g = f->priv;
	struct vm_memory *m = g->m;

	mutex_lock(&m->slots_lock);
	bindings_close(g);
	invalidate(g, 0, g->size, guest_mem_invalidate_begin);
	invalidate(g, 0, g->size, guest_mem_invalidate_end);
	bindings_forget(g);
	mutex_unlock(&m->slots_lock);
	memobj_put(g->pages);
	m->ops->put(m);
	kfree(g);
}

static u64 gmem_pages(struct file *f)
{
	const struct guest_memfd *g = f->priv;

	return memobj_pages(g->pages);
}

static const struct file_ops gmem_file_ops = {
	.name = "/[kvm-gmem]",
	.mmap = gmem_mmap,
	.stat = gmem_stat,
	.truncate = gmem_truncate,
	.fallocate = gmem_fallocate,
	.pages = gmem_pages,
	.release = gmem_release,
};

static u64 next_number(void)
{
	static u64 last = 1; /* atomic; 1 is of the files that have no number of their own */

	return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

static struct guest_memfd *gmem_new(struct vm_memory *m, u64 size, u32 flags)
{
	struct guest_memfd *g = kzalloc(sizeof(*g));

	if (!g)
		return NULL;
	g->pages = memobj_new();
	if (!g->pages || memobj_truncate(g->pages, size)) {
		if (g->pages)
			memobj_put(g->pages);
		kfree(g);
		return NULL;
	}
	g->m = m;
	g->size = size;
	g->flags = flags;
	g->number = next_number();
	return g;
}

struct file *gmem_create(struct vm_memory *m, u64 size, u64 flags)
{
	struct guest_memfd *g;
	struct file *f;

	if (flags & ~(u64)GUEST_MEMFD_FLAGS || (s64)size <= 0 || !IS_ALIGNED(size, PAGE_SIZE))
		return ERR_PTR(-EINVAL);
	g = gmem_new(m, size, (u32)flags);
	f = g ? file_alloc(&gmem_file_ops, g, O_RDWR) : NULL;
	if (!f) {
		if (g) {
			memobj_put(g->pages);
			kfree(g);
		}
		return ERR_PTR(-ENOMEM);
	}
	m->ops->get(m);
	return f;
}
