/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event counters as files.
 */
#include "host/eventfd.h"

#include <asm/fcntl.h>
#include <asm/poll.h>

#include "host/err.h"
#include "host/page.h"

/* The most a counter holds; one more than that is "full" for poll. */
#define EVENTFD_MAX (UINT64_MAX - 1)

struct eventfd {
	u32 refs;	      /* atomic: the file's, and those of who is tied to it */
	struct spinlock lock; /* guards count */
	u64 count;
	enum eventfd_kind kind;
	bool bound;	 /* atomic: eventfd_bind() */
	struct waitq wq; /* of readers and writers */
};

/* True if @n could be added without going beyond the most. */
static bool try_add(struct eventfd *e, u64 n)
{
	bool fits;

	spin_lock(&e->lock);
	fits = n <= EVENTFD_MAX - e->count;
	if (fits)
		e->count += n;
	spin_unlock(&e->lock);
	if (fits)
		waitq_wake(&e->wq, WAKE_ALL, POLLIN | POLLRDNORM);
	return fits;
}

bool eventfd_take_in_waiter(struct eventfd *e, u64 *count)
{
	bool any;

	spin_lock(&e->lock);
	any = e->count != 0;
	*count = e->kind == EVENTFD_SEMAPHORE ? any : e->count;
	e->count -= *count;
	spin_unlock(&e->lock);
	return any;
}

bool eventfd_take(struct eventfd *e, u64 *count)
{
	bool any = eventfd_take_in_waiter(e, count);

	if (any)
		waitq_wake(&e->wq, WAKE_ALL, POLLOUT | POLLWRNORM);
	return any;
}

static s64 eventfd_read(struct file *f, struct iobuf *to, u64 *pos)
{
	struct eventfd *e = f->priv;
	u64 count;

	(void)pos;
	if (to->left < sizeof(count))
		return -EINVAL;
	while (!eventfd_take(e, &count)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(&e->wq, __atomic_load_n(&e->count, __ATOMIC_RELAXED)))
			return -ERESTARTSYS;
	}
	return iobuf_put(to, &count, sizeof(count)) == sizeof(count) ? (s64)sizeof(count) : -EFAULT;
}

static s64 eventfd_write(struct file *f, struct iobuf *from, u64 *pos)
{
	struct eventfd *e = f->priv;
	u64 n;

	(void)pos;
	if (from->left < sizeof(n))
		return -EINVAL;
	if (iobuf_get(from, &n, sizeof(n)) != sizeof(n))
		return -EFAULT;
	if (n == UINT64_MAX)
		return -EINVAL;
	while (!try_add(e, n)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(&e->wq,
					     n <= EVENTFD_MAX - __atomic_load_n(&e->count,
										__ATOMIC_RELAXED)))
			return -ERESTARTSYS;
	}
	return sizeof(n);
}

static u32 eventfd_poll(struct file *f, struct waitq **wq)
{
	struct eventfd *e = f->priv;
	u64 count = __atomic_load_n(&e->count, __ATOMIC_RELAXED);
	u32 events = 0;

	*wq = &e->wq;
	if (count)
		events |= POLLIN | POLLRDNORM;
	if (count == UINT64_MAX)
		events |= POLLERR;
	if (count < EVENTFD_MAX)
		events |= POLLOUT | POLLWRNORM;
	return events;
}

bool eventfd_bind(struct eventfd *e)
{
	return !__atomic_exchange_n(&e->bound, true, __ATOMIC_ACQ_REL);
}

void eventfd_unbind(struct eventfd *e)
{
	__atomic_store_n(&e->bound, false, __ATOMIC_RELEASE);
}

/* No descriptor is left: nobody signals it any more. */
static void eventfd_release(struct file *f)
{
	struct eventfd *e = f->priv;

	waitq_wake(&e->wq, WAKE_ALL, POLLHUP);
	eventfd_put(e);
}

static const struct file_ops eventfd_ops = {
	.name = "anon_inode:[eventfd]",
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.release = eventfd_release,
};

struct file *eventfd_new(u32 count, enum eventfd_kind kind, u32 flags)
{
	struct eventfd *e = kzalloc(sizeof(*e));
	struct file *f;

	if (!e)
		return NULL;
	e->refs = 1;
	spin_init(&e->lock);
	waitq_init(&e->wq);
	e->count = count;
	e->kind = kind;
	f = file_alloc(&eventfd_ops, e, O_RDWR | flags);
	if (!f)
		kfree(e);
	return f;
}

struct eventfd *eventfd_get(struct file *f)
{
	struct eventfd *e = f->priv;

	if (f->ops != &eventfd_ops)
		return NULL;
	__atomic_fetch_add(&e->refs, 1, __ATOMIC_RELAXED);
	return e;
}

void eventfd_put(struct eventfd *e)
{
	if (__atomic_sub_fetch(&e->refs, 1, __ATOMIC_ACQ_REL) == 0)
		kfree(e);
}

void eventfd_signal(struct eventfd *e, u64 n)
{
	spin_lock(&e->lock);
	e->count = n < UINT64_MAX - e->count ? e->count + n : UINT64_MAX;
	spin_unlock(&e->lock);
	waitq_wake(&e->wq, WAKE_ALL, POLLIN | POLLRDNORM);
}

struct waitq *eventfd_waitq(struct eventfd *e)
{
	return &e->wq;
}
