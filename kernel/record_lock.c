/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Record locks (fcntl(2)): advisory, on ranges of a file. Those of F_SETLK belong to a table of
 * descriptors and go when any descriptor of it for the file is closed; those of F_OFD_SETLK belong
 * to an open file and go with it. An owner's locks on a file never overlap.
 *
 * records_lock (spin, one for all) guards the lists of all inodes and who waits for whom.
 */
#include "kernel/record_lock.h"

#include <linux/fcntl.h>
#include <linux/fs.h>

#include "host/mm.h"
#include "kernel/fs_args.h"

/* A lock without an end. */
#define RANGE_MAX INT64_MAX
/* Locks of one file; ours, for walks under a spin lock. */
enum { LOCKS_MAX = 4096 };
/* How far "waits for who waits for" is followed; as Linux. */
enum { DEADLOCK_STEPS = 10 };

struct record_lock {
	LIST_ENTRY(record_lock) link;
	const void *owner; /* table of descriptors, or open file */
	bool of_file;	   /* the latter */
	bool exclusive;
	s32 pid; /* who set it */
	s64 start, end;
};
LIST_HEAD(record_lock_list, record_lock);

/* One who waits for a lock of a process. */
struct record_waiter {
	LIST_ENTRY(record_waiter) link;
	const void *owner;
	const void *blocker; /* the owner that is in the way */
};

static struct spinlock records_lock;
static LIST_HEAD(, record_waiter) record_waiters;
static struct waitq records_released;

void record_locks_init(void)
{
	spin_init(&records_lock);
	waitq_init(&records_released);
}

bool is_record_lock_cmd(u32 cmd)
{
	switch (cmd) {
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW: return true;
	default: return false;
	}
}

static bool is_ofd(u32 cmd)
{
	return cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
}

/* ---- lists, under records_lock */
static bool overlap(const struct record_lock *a, const struct record_lock *b)
{
	return a->start <= b->end && b->start <= a->end;
}

/* Another owner's lock that @want cannot stand beside, or NULL. */
static struct record_lock *in_the_way(struct inode *inode, const struct record_lock *want)
{
	struct record_lock *l;

	LIST_FOREACH (l, &inode->record_locks, link)
		if (l->owner != want->owner && overlap(l, want) &&
		    (l->exclusive || want->exclusive))
			return l;
	return NULL;
}

static void add(struct inode *inode, struct record_lock *l)
{
	LIST_INSERT_HEAD(&inode->record_locks, l, link);
	inode->record_lock_count++;
}

/* Takes @l out, onto @gone. */
static void drop(struct inode *inode, struct record_lock *l, struct record_lock_list *gone)
{
	LIST_REMOVE(l, link);
	LIST_INSERT_HEAD(gone, l, link);
	inode->record_lock_count--;
}

/* Takes the range of @range away from @l, which overlaps it and does not go on at both sides. */
static void cut(struct inode *inode, struct record_lock *l, const struct record_lock *range,
		struct record_lock_list *gone)
{
	if (l->start < range->start)
		l->end = range->start - 1;
	else if (l->end > range->end)
		l->start = range->end + 1;
	else
		drop(inode, l, gone);
}

/* Cuts @l in two, around @range; @rest becomes the second half. */
static void cut_in_two(struct inode *inode, struct record_lock *l, const struct record_lock *range,
		       struct record_lock *rest)
{
	*rest = *l;
	rest->start = range->end + 1;
	l->end = range->start - 1;
	add(inode, rest);
}

/* Has @range its owner's lock on both sides, of which it would make two? */
static bool lies_within(const struct record_lock *range, const struct record_lock *l)
{
	return l->owner == range->owner && l->start < range->start && l->end > range->end;
}

/* Takes the range of @range away from all locks of its owner; true: @rest was needed. */
static bool cut_all(struct inode *inode, const struct record_lock *range, struct record_lock *rest,
		    struct record_lock_list *gone)
{
	struct record_lock *l, *next;

	LIST_FOREACH_SAFE (l, &inode->record_locks, link, next) {
		if (l->owner != range->owner || !overlap(l, range))
			continue;
		if (lies_within(range, l)) {
			cut_in_two(inode, l, range, rest);
			return true; /* no other can overlap */
		}
		cut(inode, l, range, gone);
	}
	return false;
}

static bool adjacent(const struct record_lock *a, const struct record_lock *b)
{
	return (a->end != RANGE_MAX && a->end + 1 == b->start) ||
	       (b->end != RANGE_MAX && b->end + 1 == a->start);
}

/* Adds @fresh, grown by those of its owner and kind that it touches. */
static void add_merged(struct inode *inode, struct record_lock *fresh,
		       struct record_lock_list *gone)
{
	struct record_lock *l, *next;

	LIST_FOREACH_SAFE (l, &inode->record_locks, link, next) {
		if (l->owner != fresh->owner || l->exclusive != fresh->exclusive ||
		    !adjacent(l, fresh))
			continue;
		fresh->start = min(fresh->start, l->start);
		fresh->end = max(fresh->end, l->end);
		drop(inode, l, gone);
	}
	add(inode, fresh);
}

static void free_all(struct record_lock_list *gone)
{
	struct record_lock *l;

	while ((l = LIST_FIRST(gone))) {
		LIST_REMOVE(l, link);
		kfree(l);
		sched_point();
	}
}

/* ---- who waits for whom, under records_lock */
static const struct record_waiter *waiter_of(const void *owner)
{
	const struct record_waiter *w;

	LIST_FOREACH (w, &record_waiters, link)
		if (w->owner == owner)
			return w;
	return NULL;
}

/* Would @owner, if it waited for @blocker, wait for itself? */
static bool would_deadlock(const void *owner, const void *blocker)
{
	for (int i = 0; i < DEADLOCK_STEPS; i++) {
		const struct record_waiter *w = waiter_of(blocker);

		if (!w)
			return false;
		blocker = w->blocker;
		if (blocker == owner)
			return true;
	}
	return false;
}

/* ---- owners that go */
/* @owner closed the file, or is the open file that is gone. */
static void owner_gone(struct file_node *node, const void *owner)
{
	struct inode *inode = container_of(node, struct inode, node);
	struct record_lock_list gone = LIST_HEAD_INITIALIZER(gone);
	struct record_lock *l, *next;

	spin_lock(&records_lock);
	LIST_FOREACH_SAFE (l, &inode->record_locks, link, next)
		if (l->owner == owner)
			drop(inode, l, &gone);
	spin_unlock(&records_lock);
	if (LIST_EMPTY(&gone))
		return;
	free_all(&gone);
	waitq_wake(&records_released, WAKE_ALL, 0);
}

/* ---- setting */
/* A lock to be set, with what that may need allocated before. */
struct request {
	struct inode *inode;
	struct record_lock want;
	bool unlock;
	struct record_lock *fresh; /* becomes the lock */
	struct record_lock *rest;  /* the second half of one that is cut in two */
	struct record_lock_list gone;
	struct record_waiter waiter;
	int err;
};

/* Under records_lock; nothing is in the way. */
static void set_locked(struct request *r)
{
	if (cut_all(r->inode, &r->want, r->rest, &r->gone))
		r->rest = NULL;
	if (r->unlock)
		return;
	*r->fresh = r->want;
	add_merged(r->inode, r->fresh, &r->gone);
	r->fresh = NULL;
}

/* Would the file have too many? */
static bool too_many(const struct request *r)
{
	u32 more = r->unlock ? 0 : 1;
	struct record_lock *l;

	LIST_FOREACH (l, &r->inode->record_locks, link)
		if (lies_within(&r->want, l))
			more++;
	return more && r->inode->record_lock_count + more > LOCKS_MAX;
}

/* One attempt: false if another's lock is in the way. */
static bool try_set(struct request *r)
{
	struct record_lock *blocker;

	spin_lock(&records_lock);
	blocker = r->unlock ? NULL : in_the_way(r->inode, &r->want);
	r->err = 0;
	if (blocker)
		r->err = -EAGAIN;
	else if (too_many(r))
		r->err = -ENOLCK;
	else
		set_locked(r);
	r->waiter.blocker = blocker ? blocker->owner : NULL;
	if (blocker && !r->want.of_file && would_deadlock(r->want.owner, blocker->owner))
		r->err = -EDEADLK;
	spin_unlock(&records_lock);
	return r->err != -EAGAIN;
}

/* Stands in the list of waiters meanwhile, where others find out that they must not wait for it. */
static int wait_and_set(struct request *r)
{
	int ret;

	r->waiter.owner = r->want.owner;
	spin_lock(&records_lock);
	if (!r->want.of_file)
		LIST_INSERT_HEAD(&record_waiters, &r->waiter, link);
	spin_unlock(&records_lock);
	ret = wait_event_interruptible(&records_released, try_set(r));
	spin_lock(&records_lock);
	if (!r->want.of_file)
		LIST_REMOVE(&r->waiter, link);
	spin_unlock(&records_lock);
	return ret ? -ERESTARTSYS : r->err;
}

static int set(struct request *r, bool wait)
{
	int ret;

	LIST_INIT(&r->gone);
	r->fresh = kmalloc(sizeof(*r->fresh));
	r->rest = kmalloc(sizeof(*r->rest));
	if (!r->fresh || !r->rest)
		ret = -ENOLCK;
	else if (try_set(r))
		ret = r->err;
	else
		ret = wait ? wait_and_set(r) : -EAGAIN;
	kfree(r->fresh);
	kfree(r->rest);
	free_all(&r->gone);
	/* A range that was given up, or is shared now. */
	if (!ret)
		waitq_wake(&records_released, WAKE_ALL, 0);
	return ret;
}

/* ---- as programs ask */
/* Where l_start counts from, or an error. */
static s64 range_base(struct file *f, const struct flock *fl)
{
	switch (fl->l_whence) {
	case SEEK_SET: return 0;
	case SEEK_CUR: return (s64)f->pos;
	case SEEK_END: return max(vfs_file_size(f), (s64)0);
	default: return -EINVAL;
	}
}

/* The range of @fl into @l: 0, -EINVAL, -EOVERFLOW. */
static int range_of(struct file *f, const struct flock *fl, struct record_lock *l)
{
	s64 base = range_base(f, fl), start;

	if (base < 0)
		return (int)base;
	if (__builtin_add_overflow(base, fl->l_start, &start))
		return -EOVERFLOW;
	if (start < 0)
		return -EINVAL;
	l->start = start;
	l->end = RANGE_MAX;
	if (fl->l_len > 0 && __builtin_add_overflow(start, fl->l_len - 1, &l->end))
		return -EOVERFLOW;
	if (fl->l_len < 0) {
		if (start + fl->l_len < 0)
			return -EINVAL;
		l->start = start + fl->l_len;
		l->end = start - 1;
	}
	return 0;
}

static int lock_of(struct file *f, u32 cmd, const struct flock *fl, struct record_lock *l)
{
	*l = (struct record_lock){
		.owner = is_ofd(cmd) ? (const void *)f : current_files(),
		.of_file = is_ofd(cmd),
		.exclusive = fl->l_type == F_WRLCK,
		.pid = is_ofd(cmd) ? -1 : current_process()->pid,
	};
	if (fl->l_type != F_RDLCK && fl->l_type != F_WRLCK && fl->l_type != F_UNLCK)
		return -EINVAL;
	return range_of(f, fl, l);
}

/* A lock for reading needs a file open for reading, and so on. */
static int mode_check(const struct file *f, short type)
{
	if (type == F_RDLCK && !file_readable(f))
		return -EBADF;
	return type == F_WRLCK && !file_writable(f) ? -EBADF : 0;
}

/* Another thread may have closed @fd meanwhile, which must leave no lock behind. */
static bool closed_meanwhile(struct file *f, int fd)
{
	struct file *now = fd_get_raw(current_files(), fd);

	if (now)
		file_put(now);
	return now != f;
}

static s64 set_lock(struct file *f, int fd, struct inode *inode, u32 cmd, const struct flock *fl)
{
	struct request r = { .inode = inode, .unlock = fl->l_type == F_UNLCK };
	int err = lock_of(f, cmd, fl, &r.want);

	if (!err)
		err = mode_check(f, fl->l_type);
	if (!err && is_ofd(cmd) && fl->l_pid)
		err = -EINVAL;
	if (err)
		return err;
	__atomic_store_n(&inode->node.owner_gone, owner_gone, __ATOMIC_RELEASE);
	err = set(&r, cmd == F_SETLKW || cmd == F_OFD_SETLKW);
	if (!err && !r.unlock && !is_ofd(cmd) && closed_meanwhile(f, fd)) {
		owner_gone(&inode->node, current_files());
		err = -EBADF;
	}
	return err;
}

/* What stands in the way of @fl, into it. */
static s64 get_lock(struct file *f, struct inode *inode, u32 cmd, struct flock *fl)
{
	struct record_lock want, *found;
	int err = lock_of(f, cmd, fl, &want);

	if (fl->l_type == F_UNLCK)
		err = -EINVAL;
	if (!err && is_ofd(cmd) && fl->l_pid)
		err = -EINVAL;
	if (err)
		return err;
	spin_lock(&records_lock);
	found = in_the_way(inode, &want);
	if (found)
		*fl = (struct flock){
			.l_type = found->exclusive ? F_WRLCK : F_RDLCK,
			.l_whence = SEEK_SET,
			.l_start = found->start,
			.l_len = found->end == RANGE_MAX ? 0 : found->end - found->start + 1,
			.l_pid = found->pid,
		};
	else
		fl->l_type = F_UNLCK;
	spin_unlock(&records_lock);
	return 0;
}

s64 record_lock_fcntl(struct file *f, int fd, u32 cmd, u64 arg)
{
	struct inode *inode = file_inode(f);
	struct flock fl;
	s64 ret;

	if (copy_from_user(&fl, HVA(arg), sizeof(fl)))
		return -EFAULT;
	/* Pipes, sockets and the like have no inode of their own here. */
	if (!inode)
		return -ENOLCK;
	if (cmd != F_GETLK && cmd != F_OFD_GETLK)
		return set_lock(f, fd, inode, cmd, &fl);
	ret = get_lock(f, inode, cmd, &fl);
	if (ret)
		return ret;
	return copy_to_user(HVA(arg), &fl, sizeof(fl)) ? -EFAULT : 0;
}
