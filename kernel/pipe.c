/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes: a ring of bytes between two files. Writes of up to PIPE_BUF bytes are in one piece. A
 * named pipe (fifo(7)) has one while it is open anywhere.
 *
 * pipe->lock (sleeping) guards the ring and the counts of ends; user memory is touched under it, as
 * Linux does, so that bytes leave and enter in order. Which pipe a named one has, and who may use
 * it, is guarded by its inode's write_lock.
 */
#include <asm/ioctls.h>
#include <asm/poll.h>
#include <linux/limits.h>
#include <linux/stat.h>

#include "kernel/fs_args.h"
#include "kernel/pipe.h"
#include "kernel/syscalls.h"

enum {
	PIPE_SIZE_DEFAULT = 65536,
	PIPE_SIZE_MAX = 1024 * 1024, /* as /proc/sys/fs/pipe-max-size */
};

struct pipe {
	struct mutex lock;
	struct waitq wq; /* of both ends */
	char *ring;	 /* [size], a power of two */
	u64 size;
	u64 head, tail;			/* bytes written and read since the beginning */
	u32 readers, writers;		/* open ends */
	u64 readers_ever, writers_ever; /* ends opened since the beginning (named pipes) */
	u32 refs;			/* atomic: files */
	u64 ino;
};

static u64 pipe_used(const struct pipe *p)
{
	return p->head - p->tail;
}

static u64 pipe_room(const struct pipe *p)
{
	return p->size - pipe_used(p);
}

/* Bytes from ring position @at to where the ring wraps or @n ends. */
static u64 pipe_run(const struct pipe *p, u64 at, u64 n)
{
	return min(n, p->size - (at & (p->size - 1)));
}

/* Moves what there is out to the reader, under the lock. */
static s64 pipe_take(struct pipe *p, struct iobuf *to)
{
	s64 done = 0;

	while (to->left && pipe_used(p)) {
		u64 run = pipe_run(p, p->tail, pipe_used(p));
		s64 n = iobuf_put(to, p->ring + (p->tail & (p->size - 1)), run);

		if (n <= 0)
			return done ? done : n;
		p->tail += (u64)n;
		done += n;
	}
	return done;
}

static s64 pipe_give(struct pipe *p, struct iobuf *from)
{
	s64 done = 0;

	while (from->left && pipe_room(p)) {
		u64 run = pipe_run(p, p->head, pipe_room(p));
		s64 n = iobuf_get(from, p->ring + (p->head & (p->size - 1)), run);

		if (n <= 0)
			return done ? done : n;
		p->head += (u64)n;
		done += n;
	}
	return done;
}

static s64 pipe_read(struct file *f, struct iobuf *to, u64 *pos)
{
	struct pipe *p = f->priv;
	s64 ret;

	(void)pos;
	if (!to->left)
		return 0;
	for (;;) {
		mutex_lock(&p->lock);
		ret = pipe_used(p) ? pipe_take(p, to) : p->writers ? -EAGAIN : 0;
		mutex_unlock(&p->lock);
		if (ret > 0)
			waitq_wake(&p->wq, WAKE_ALL, POLLOUT | POLLWRNORM);
		if (ret != -EAGAIN || f->flags & O_NONBLOCK)
			return ret;
		if (wait_event_interruptible(&p->wq, pipe_used(p) || !p->writers))
			return -ERESTARTSYS;
	}
}

/* The room a write needs before it begins: all of it if it is to be in one piece. */
static u64 pipe_write_room(const struct iobuf *from)
{
	return from->left <= PIPE_BUF ? from->left : 1;
}

/* One attempt; -EAGAIN when there is no room, -EPIPE without readers. */
static s64 pipe_write_some(struct pipe *p, struct iobuf *from)
{
	s64 ret;

	mutex_lock(&p->lock);
	if (!p->readers)
		ret = -EPIPE;
	else if (pipe_room(p) < pipe_write_room(from))
		ret = -EAGAIN;
	else
		ret = pipe_give(p, from);
	mutex_unlock(&p->lock);
	if (ret > 0)
		waitq_wake(&p->wq, WAKE_ALL, POLLIN | POLLRDNORM);
	return ret;
}

static s64 pipe_write(struct file *f, struct iobuf *from, u64 *pos)
{
	struct pipe *p = f->priv;
	s64 done = 0, ret = 0;

	(void)pos;
	while (from->left) {
		ret = pipe_write_some(p, from);
		if (ret > 0) {
			done += ret;
			continue;
		}
		if (ret != -EAGAIN || f->flags & O_NONBLOCK)
			break;
		ret = wait_event_interruptible(&p->wq,
					       !p->readers ||
						       pipe_room(p) >= pipe_write_room(from));
		if (ret) {
			ret = -ERESTARTSYS;
			break;
		}
	}
	if (ret == -EPIPE)
		signal_raise(SIGPIPE);
	return done ? done : ret;
}

static s64 pipe_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct pipe *p = f->priv;
	int used = (int)pipe_used(p);

	if (cmd != FIONREAD)
		return -ENOTTY;
	return copy_to_user(HVA(arg), &used, sizeof(used)) ? -EFAULT : 0;
}

static u32 pipe_poll(struct file *f, struct waitq **wq)
{
	struct pipe *p = f->priv;
	u32 events = 0;

	*wq = &p->wq;
	if (file_readable(f)) {
		if (pipe_used(p))
			events |= POLLIN | POLLRDNORM;
		/* A named pipe that nobody ever opened for writing was not hung up. */
		if (!p->writers && p->writers_ever)
			events |= POLLHUP;
	}
	if (file_writable(f)) {
		if (pipe_room(p) >= PIPE_BUF)
			events |= POLLOUT | POLLWRNORM;
		if (!p->readers)
			events |= POLLERR;
	}
	return events;
}

static int pipe_stat(struct file *f, struct stat *st)
{
	struct pipe *p = f->priv;

	*st = (struct stat){
		.st_dev = 14,
		.st_ino = p->ino,
		.st_mode = S_IFIFO | 0600,
		.st_nlink = 1,
		.st_blksize = PAGE_SIZE,
	};
	return 0;
}

static void pipe_free(struct pipe *p)
{
	kfree(p->ring);
	kfree(p);
}

static void close_end(struct pipe *p, const struct file *f)
{
	mutex_lock(&p->lock);
	p->readers -= file_readable(f);
	p->writers -= file_writable(f);
	mutex_unlock(&p->lock);
	waitq_wake(&p->wq, WAKE_ALL, POLLIN | POLLOUT | POLLHUP | POLLERR);
}

static void pipe_release(struct file *f)
{
	struct pipe *p = f->priv;

	/* The reference goes last: without it the other end may free what is woken there. */
	close_end(p, f);
	if (__atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL) == 0)
		pipe_free(p);
}

/* Each end counts half. */
static u64 pipe_pages(struct file *f)
{
	const struct pipe *p = f->priv;

	return __atomic_load_n(&p->size, __ATOMIC_RELAXED) / PAGE_SIZE / 2;
}

static const struct file_ops pipe_ops = {
	.name = "pipe",
	.read = pipe_read,
	.write = pipe_write,
	.ioctl = pipe_ioctl,
	.poll = pipe_poll,
	.stat = pipe_stat,
	.pages = pipe_pages,
	.release = pipe_release,
};

static void fifo_release(struct file *f);

static const struct file_ops fifo_ops = {
	.name = "fifo",
	.read = pipe_read,
	.write = pipe_write,
	.ioctl = pipe_ioctl,
	.poll = pipe_poll,
	.release = fifo_release,
};

static bool is_pipe(const struct file *f)
{
	return f->ops == &pipe_ops || f->ops == &fifo_ops;
}

s64 pipe_size(struct file *f)
{
	return is_pipe(f) ? (s64)((struct pipe *)f->priv)->size : -EBADF;
}

/* Under the lock: puts what is in the pipe into @ring of @size bytes, and lets that take over. */
static char *pipe_swap_ring(struct pipe *p, char *ring, u64 size)
{
	struct iobuf to = { .kernel = ring, .left = size };
	char *old = p->ring;
	s64 n = pipe_take(p, &to);

	p->ring = ring;
	p->size = size;
	p->tail = 0;
	p->head = (u64)n;
	return old;
}

s64 pipe_resize(struct file *f, u64 size)
{
	struct pipe *p = f->priv;
	u64 rounded = PAGE_SIZE;
	char *ring, *unused;
	s64 ret;

	if (!is_pipe(f))
		return -EBADF;
	if (size == 0 || size > INT32_MAX)
		return -EINVAL;
	if (size > PIPE_SIZE_MAX)
		return -EPERM;
	while (rounded < size)
		rounded *= 2;
	ring = kmalloc(rounded);
	if (!ring)
		return -ENOMEM;
	mutex_lock(&p->lock);
	ret = pipe_used(p) > rounded ? -EBUSY : (s64)rounded;
	unused = ret < 0 ? ring : pipe_swap_ring(p, ring, rounded);
	mutex_unlock(&p->lock);
	kfree(unused);
	waitq_wake(&p->wq, WAKE_ALL, POLLOUT | POLLWRNORM);
	return ret;
}

static struct pipe *pipe_new(void)
{
	static u64 last_ino;
	struct pipe *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	p->ring = kmalloc(PIPE_SIZE_DEFAULT);
	if (!p->ring) {
		kfree(p);
		return NULL;
	}
	mutex_init(&p->lock);
	waitq_init(&p->wq);
	p->size = PIPE_SIZE_DEFAULT;
	p->ino = __atomic_add_fetch(&last_ino, 1, __ATOMIC_RELAXED);
	return p;
}

/* Both ends; false: no memory, nothing made. */
static bool pipe_files(struct file *ends[2], u32 flags)
{
	struct pipe *p = pipe_new();

	if (!p)
		return false;
	p->readers = p->writers = 1;
	p->writers_ever = 1;
	p->refs = 2;
	ends[0] = file_alloc(&pipe_ops, p, O_RDONLY | flags);
	if (!ends[0]) {
		pipe_free(p);
		return false;
	}
	ends[1] = file_alloc(&pipe_ops, p, O_WRONLY | flags);
	if (!ends[1]) {
		p->refs = 1;
		p->writers = 0;
		file_put(ends[0]);
		return false;
	}
	return true;
}

s64 sys_pipe2(const u64 a[6])
{
	u32 flags = (u32)a[1];
	struct file *ends[2];

	if (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	if (!pipe_files(ends, flags & O_NONBLOCK))
		return -ENOMEM;
	return fds_for_files(ends, flags, HVA(a[0]));
}

/* ---- named pipes */

/* The pipe of @inode, counted for one more file; NULL: no memory. */
static struct pipe *fifo_pipe(struct inode *inode)
{
	struct pipe *p;

	mutex_lock(&inode->write_lock);
	if (!inode->priv)
		inode->priv = pipe_new();
	p = inode->priv;
	if (p)
		p->refs++;
	mutex_unlock(&inode->write_lock);
	return p;
}

static void fifo_put(struct inode *inode, struct pipe *p)
{
	bool last;

	mutex_lock(&inode->write_lock);
	last = --p->refs == 0;
	if (last)
		inode->priv = NULL;
	mutex_unlock(&inode->write_lock);
	if (last)
		pipe_free(p);
}

static void fifo_release(struct file *f)
{
	close_end(f->priv, f);
	fifo_put(file_inode(f), f->priv);
}

/*
 * What an open waits for: an end of the other kind that comes. One that was there already is
 * enough, even if it has gone by the time anybody looks again.
 */
struct fifo_wait {
	bool is_met;
	u64 readers_seen, writers_seen;
};

/* Counts the ends that @f is; -ENXIO: nobody reads, and it is not to wait. */
static int fifo_join(struct pipe *p, const struct file *f, struct fifo_wait *w)
{
	bool reads = file_readable(f), writes = file_writable(f);
	int err = 0;

	mutex_lock(&p->lock);
	if (writes && !reads && f->flags & O_NONBLOCK && !p->readers) {
		err = -ENXIO;
	} else {
		p->readers += reads;
		p->writers += writes;
		p->readers_ever += reads;
		p->writers_ever += writes;
		*w = (struct fifo_wait){ p->readers && p->writers, p->readers_ever,
					 p->writers_ever };
	}
	mutex_unlock(&p->lock);
	waitq_wake(&p->wq, WAKE_ALL, 0);
	return err;
}

static int fifo_wait(struct pipe *p, const struct file *f, const struct fifo_wait *w)
{
	int err;

	if (f->flags & O_NONBLOCK || w->is_met)
		return 0;
	if (file_readable(f))
		err = wait_event_interruptible(&p->wq, p->writers_ever != w->writers_seen);
	else
		err = wait_event_interruptible(&p->wq, p->readers_ever != w->readers_seen);
	return err ? -ERESTARTSYS : 0;
}

struct file *fifo_open(struct inode *inode, u32 flags)
{
	struct pipe *p = fifo_pipe(inode);
	struct file *f = p ? file_alloc(&fifo_ops, p, flags) : NULL;
	struct fifo_wait w;
	int err = f ? fifo_join(p, f, &w) : -ENOMEM;

	if (err) {
		/* No end was counted: the file goes without its release. */
		kfree(f);
		if (p)
			fifo_put(inode, p);
		return ERR_PTR(err);
	}
	f->node = &inode_get(inode)->node;
	err = fifo_wait(p, f, &w);
	if (err) {
		file_put(f);
		return ERR_PTR(err);
	}
	return f;
}
