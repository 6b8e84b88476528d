/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open files: their references, and the buffers that reads and writes move bytes through.
 */
#include <string.h>

#include "host/file.h"

#include "host/err.h"
#include "host/page.h"

struct file *file_alloc(const struct file_ops *ops, void *priv, u32 flags)
{
	struct file *f = kzalloc(sizeof(*f));

	if (!f)
		return NULL;
	f->ops = ops;
	f->priv = priv;
	f->refs = 1;
	f->flags = flags;
	mutex_init(&f->pos_lock);
	LIST_INIT(&f->watches);
	return f;
}

void file_owner_gone(struct file *f, const void *owner)
{
	void (*gone)(struct file_node * node, const void *owner);

	if (!f->node)
		return;
	gone = __atomic_load_n(&f->node->owner_gone, __ATOMIC_ACQUIRE);
	if (gone)
		gone(f->node, owner);
}

void file_free(struct file *f)
{
	void (*watches_gone)(struct file * f) = __atomic_load_n(&f->watches_gone, __ATOMIC_ACQUIRE);

	if (watches_gone)
		watches_gone(f);
	file_owner_gone(f, f);
	if (f->ops->release)
		f->ops->release(f);
	if (f->node)
		f->node->put(f->node);
	kfree(f->path);
	kfree(f);
}

/* Goes on to the next segment that is not empty. The caller knows that there is one. */
static void iobuf_next_segment(struct iobuf *io)
{
	while (io->here == 0) {
		io->user = io->next->start;
		io->here = io->next->size;
		io->next++;
	}
}

/* The next @n bytes of the buffer are used up. */
static void iobuf_advance(struct iobuf *io, size_t n)
{
	io->left -= n;
	if (io->kernel)
		io->kernel = (char *)io->kernel + n;
	else
		io->user.v += n;
	if (io->next)
		io->here -= n;
}

/* Kernel memory is moved this much at a time, and then others get their turn. */
enum { IOBUF_STEP = 1 << 16 };

/*
 * User memory is moved up to a page at a time, so that a buffer that is only partly accessible
 * gives the bytes before the hole, as Linux does.
 */
static size_t iobuf_step(struct iobuf *io, size_t n)
{
	if (io->kernel)
		return min(n, (size_t)IOBUF_STEP);
	if (io->next) {
		iobuf_next_segment(io);
		n = min(n, io->here);
	}
	return min(n, (size_t)(PAGE_SIZE - (io->user.v & (PAGE_SIZE - 1))));
}

/* One direction of moving: @moved bytes into or out of kernel memory. 0 or -EFAULT. */
typedef int (*iobuf_move)(struct iobuf *io, size_t moved, void *mem, size_t n);

static int move_get(struct iobuf *io, size_t moved, void *mem, size_t n)
{
	if (!io->kernel)
		return copy_from_user((char *)mem + moved, io->user, n);
	memcpy((char *)mem + moved, io->kernel, n);
	return 0;
}

static int move_put(struct iobuf *io, size_t moved, void *mem, size_t n)
{
	if (!io->kernel)
		return copy_to_user(io->user, (const char *)mem + moved, n);
	memcpy(io->kernel, (const char *)mem + moved, n);
	return 0;
}

static int move_zero(struct iobuf *io, size_t moved, void *mem, size_t n)
{
	(void)moved;
	(void)mem;
	if (!io->kernel)
		return clear_user(io->user, n);
	memset(io->kernel, 0, n);
	return 0;
}

static s64 iobuf_do(struct iobuf *io, iobuf_move move, void *mem, size_t n)
{
	size_t moved = 0;

	n = min(n, io->left);
	while (moved < n) {
		size_t step = iobuf_step(io, n - moved);

		if (move(io, moved, mem, step))
			break;
		iobuf_advance(io, step);
		moved += step;
		if (moved < n)
			sched_point();
	}
	return moved || !n ? (s64)moved : -EFAULT;
}

s64 iobuf_get(struct iobuf *io, void *dst, size_t n)
{
	return iobuf_do(io, move_get, dst, n);
}

s64 iobuf_put(struct iobuf *io, const void *src, size_t n)
{
	return iobuf_do(io, move_put, (void *)(uintptr_t)src, n);
}

s64 iobuf_zero(struct iobuf *io, size_t n)
{
	return iobuf_do(io, move_zero, NULL, n);
}
