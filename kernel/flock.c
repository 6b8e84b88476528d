/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flock(2): advisory locks on whole files, owned by open files. They end with the open file.
 */
#include "kernel/flock.h"

#include <linux/fs.h>

#include "kernel/fs_args.h"
#include "kernel/syscalls.h"

/* Values of flock's argument; Linux's uapi has them in asm-generic/fcntl.h. */
#define FLOCK_TYPES (LOCK_SH | LOCK_EX | LOCK_UN)

struct flock_held {
	LIST_ENTRY(flock_held) link;
	const struct file *owner;
	const struct inode *inode;
	bool exclusive;
};

/* There are few at a time: one list for all. */
static LIST_HEAD(, flock_held) held_locks;
static struct spinlock held_lock;   /* guards the list */
static struct waitq flock_released; /* woken when one ends or weakens */

void flock_init(void)
{
	spin_init(&held_lock);
	waitq_init(&flock_released);
}

static struct flock_held *held_by(const struct file *f)
{
	struct flock_held *h;

	LIST_FOREACH (h, &held_locks, link)
		if (h->owner == f)
			return h;
	return NULL;
}

static bool conflicts(const struct file *f, const struct inode *inode, bool exclusive)
{
	struct flock_held *h;

	LIST_FOREACH (h, &held_locks, link)
		if (h->inode == inode && h->owner != f && (exclusive || h->exclusive))
			return true;
	return false;
}

/*
 * Takes the lock, or changes the one that @f has, unless another's is in the way. @fresh is used if
 * @f had none; *@fresh is NULL then.
 */
static bool try_flock(const struct file *f, const struct inode *inode, bool exclusive,
		      struct flock_held **fresh)
{
	struct flock_held *h;
	bool free;

	spin_lock(&held_lock);
	free = !conflicts(f, inode, exclusive);
	h = held_by(f);
	if (free && !h) {
		h = *fresh;
		*fresh = NULL;
		*h = (struct flock_held){ .owner = f, .inode = inode };
		LIST_INSERT_HEAD(&held_locks, h, link);
	}
	if (free)
		h->exclusive = exclusive;
	spin_unlock(&held_lock);
	return free;
}

void flock_release(const struct file *f)
{
	struct flock_held *h;

	spin_lock(&held_lock);
	h = held_by(f);
	if (h)
		LIST_REMOVE(h, link);
	spin_unlock(&held_lock);
	if (!h)
		return;
	kfree(h);
	waitq_wake(&flock_released, WAKE_ALL, 0);
}

/* Linux converts a lock by giving the old one up first. */
static s64 flock_take(struct file *f, const struct inode *inode, u32 op)
{
	struct flock_held *fresh = kmalloc(sizeof(*fresh));
	bool exclusive = op & LOCK_EX;
	s64 ret = 0;

	if (!fresh)
		return -ENOLCK;
	if (!try_flock(f, inode, exclusive, &fresh)) {
		flock_release(f);
		ret = -EWOULDBLOCK;
		if (!(op & LOCK_NB))
			ret = wait_event_interruptible(&flock_released,
						       try_flock(f, inode, exclusive, &fresh));
	}
	kfree(fresh);
	return ret == -EINTR ? -ERESTARTSYS : ret;
}

static s64 flock_file(struct file *f, u32 op)
{
	struct inode *inode = file_inode(f);

	switch (op & ~(u32)LOCK_NB) {
	case LOCK_SH:
	case LOCK_EX: return inode ? flock_take(f, inode, op) : -EBADF;
	case LOCK_UN: flock_release(f); return 0;
	default: return -EINVAL;
	}
}

s64 sys_flock(const u64 a[6])
{
	struct file *f;
	s64 ret;

	if ((u32)a[1] & ~(u32)(FLOCK_TYPES | LOCK_NB))
		return -EINVAL;
	f = file_arg(a[0]);
	if (!f)
		return -EBADF;
	ret = flock_file(f, (u32)a[1]);
	file_put(f);
	return ret;
}
