/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoll(7): a set of files, and the list of those that may have events.
 *
 * epoll_lock (sleeping, one for all sets) guards membership: which items a set has, and which items
 * watch a file. A set's ready_lock (spin) guards its ready list, which wake-ups add to; it is taken
 * under the lock of the wait queue that wakes. A set holds no references to its files: the last
 * close of a file takes its items out (watches_gone), under epoll_lock.
 */
#include <bsd/sys/tree.h>
#include <linux/eventpoll.h>

#include "host/string.h"
#include "kernel/fs_args.h"
#include "kernel/inode.h"
#include "kernel/poll.h"
#include "kernel/syscalls.h"
#include "kernel/time.h"

enum {
	EPOLL_NEST_MAX = 5, /* sets one within the other; Linux's limit */
	/* Sets above those that hold a file, each counted for each way to it. Linux has limits for
	 * each length of a way, 660 in all. */
	EPOLL_WAYS_MAX = 660,
	EPOLL_BATCH = 64, /* events given to user space at a time */
	EPOLL_EVENTS_MAX = INT32_MAX / sizeof(struct epoll_event),
};

/* Bits of events that say how, not what. */
#define EPOLL_HOW (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
/* What is always asked for; only a one-shot item that has fired asks for nothing. */
#define EPOLL_ALWAYS (POLLERR | POLLHUP)
#define EPOLL_EXCLUSIVE_OK                                                                         \
	(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

struct epoll_item {
	RB_ENTRY(epoll_item) node;
	struct file_watch watch;
	struct waiter waiter; /* on the file's queue, if it has one */
	struct epoll *set;
	struct file *file; /* not counted */
	int fd;
	struct epoll_event event; /* guarded by epoll_lock */
	bool ready;		  /* guarded, with the link, by ready_lock */
	TAILQ_ENTRY(epoll_item) ready_link;
};

TAILQ_HEAD(epoll_ready, epoll_item);
RB_HEAD(epoll_items, epoll_item);

struct epoll {
	struct epoll_items items;
	struct spinlock ready_lock;
	struct epoll_ready ready;
	struct waitq wq;   /* of epoll_wait, and of sets that hold this one */
	struct file *file; /* whose set this is; not counted */
	/* The walks that last came here, what one found, and one downwards; guarded by epoll_lock.
	 */
	u64 walk, walk_down;
	u32 found;
};

static struct mutex epoll_lock;
static const struct file_ops epoll_ops;

static int item_cmp(const struct epoll_item *a, const struct epoll_item *b)
{
	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	return a->fd < b->fd ? -1 : a->fd > b->fd;
}

RB_GENERATE_INTERNAL(epoll_items, epoll_item, node, item_cmp, static __maybe_unused)

/* ---- the ready list */
static void mark_ready(struct epoll_item *item)
{
	struct epoll *set = item->set;

	spin_lock(&set->ready_lock);
	if (!item->ready) {
		item->ready = true;
		TAILQ_INSERT_TAIL(&set->ready, item, ready_link);
	}
	spin_unlock(&set->ready_lock);
}

static void unmark_ready(struct epoll_item *item)
{
	struct epoll *set = item->set;

	spin_lock(&set->ready_lock);
	if (item->ready)
		TAILQ_REMOVE(&set->ready, item, ready_link);
	item->ready = false;
	spin_unlock(&set->ready_lock);
}

/* Called by the file's queue, under its lock. @key: what may have happened, 0 for anything. */
static void item_woken(struct waiter *w, u32 key)
{
	struct epoll_item *item = container_of(w, struct epoll_item, waiter);
	u32 asked = __atomic_load_n(&item->event.events, __ATOMIC_RELAXED);

	if (!(asked & ~EPOLL_HOW) || (key && !(key & asked)))
		return;
	mark_ready(item);
	waitq_wake(&item->set->wq, WAKE_ALL, POLLIN | POLLRDNORM);
}

/* ---- membership, under epoll_lock */
static struct epoll_item *item_find(struct epoll *set, struct file *f, int fd)
{
	struct epoll_item key = { .file = f, .fd = fd };

	return RB_FIND(epoll_items, &set->items, &key);
}

static void item_remove(struct epoll_item *item)
{
	waitq_remove(&item->waiter);
	unmark_ready(item);
	LIST_REMOVE(&item->watch, link);
	RB_REMOVE(epoll_items, &item->set->items, item);
	kfree(item);
}

/* The last reference to @f has gone. */
static void watches_gone(struct file *f)
{
	struct file_watch *w, *next;

	mutex_lock(&epoll_lock);
	LIST_FOREACH_SAFE (w, &f->watches, link, next)
		item_remove(container_of(w, struct epoll_item, watch));
	mutex_unlock(&epoll_lock);
}

/*
 * ---- walks over sets within sets, under epoll_lock. Each comes to a set once, by the number of
 * the walk, and nests no deeper than sets do.
 */
static u64 walks; /* guarded by epoll_lock */

/* How many sets lie in @f, one within the other, with itself; EPOLL_NEST_MAX or more if @set does.
 */
static u32 sets_below(struct file *f, const struct epoll *set, u64 walk)
{
	struct epoll *here = f->priv;
	struct epoll_item *item;
	u32 deepest = 0;

	if (f->ops != &epoll_ops)
		return 0;
	if (here == set)
		return EPOLL_NEST_MAX;
	if (here->walk == walk)
		return here->found;
	RB_FOREACH (item, epoll_items, &here->items) {
		deepest = max(deepest, sets_below(item->file, set, walk));
		sched_point();
	}
	here->walk = walk;
	here->found = deepest + 1;
	return here->found;
}

/* How many sets @set lies in, one within the other. */
static u32 sets_above(struct epoll *set, u64 walk)
{
	struct file_watch *w;
	u32 deepest = 0;

	if (set->walk == walk)
		return set->found;
	LIST_FOREACH (w, &set->file->watches, link) {
		struct epoll_item *item = container_of(w, struct epoll_item, watch);

		deepest = max(deepest, sets_above(item->set, walk) + 1);
		sched_point();
	}
	set->walk = walk;
	set->found = deepest;
	return deepest;
}

/* May @f lie in @set? A wake-up at the bottom goes through all the sets above, on one stack. */
static int nest_check(struct epoll *set, struct file *f)
{
	u32 below;

	if (f->ops != &epoll_ops)
		return 0;
	below = sets_below(f, set, ++walks);
	return sets_above(set, ++walks) + 1 + below > EPOLL_NEST_MAX ? -ELOOP : 0;
}

/* How many sets are woken when @set is, each as often as there are ways to it. */
static u32 ways_above(struct epoll *set, u64 walk)
{
	struct file_watch *w;
	u32 ways = 0;

	if (set->walk == walk)
		return set->found;
	LIST_FOREACH (w, &set->file->watches, link) {
		ways += 1 + ways_above(container_of(w, struct epoll_item, watch)->set, walk);
		if (ways > EPOLL_WAYS_MAX)
			break;
		sched_point();
	}
	set->walk = walk;
	set->found = ways;
	return ways;
}

static int file_ways_check(struct file *f, u64 walk)
{
	struct file_watch *w;
	u32 ways = 0;

	LIST_FOREACH (w, &f->watches, link) {
		ways += ways_above(container_of(w, struct epoll_item, watch)->set, walk);
		if (ways > EPOLL_WAYS_MAX)
			return -EINVAL;
		sched_point();
	}
	return 0;
}

/* One event of a file wakes all sets above, with its queue locked: do @f, or the files in it, have
 * few enough? */
static int ways_check(struct file *f, u64 walk)
{
	struct epoll *set = f->priv;
	struct epoll_item *item;
	int err = 0;

	if (f->ops != &epoll_ops)
		return file_ways_check(f, walk);
	if (set->walk_down == walk)
		return 0;
	set->walk_down = walk;
	RB_FOREACH (item, epoll_items, &set->items) {
		err = ways_check(item->file, walk);
		if (err)
			break;
	}
	return err;
}

/* Starts, or starts again, to look for the events of @item: what is there already counts. */
static void item_arm(struct epoll_item *item)
{
	struct waitq *wq;
	u32 events = file_poll(item->file, &wq);

	if (events & item->event.events) {
		mark_ready(item);
		waitq_wake(&item->set->wq, WAKE_ALL, POLLIN | POLLRDNORM);
	}
}

/* @item is in its set, and wakes it from now on. */
static void item_watch(struct epoll_item *item)
{
	struct waitq *wq;

	file_poll(item->file, &wq);
	if (wq)
		waitq_add(wq, &item->waiter);
	item_arm(item);
}

static int item_add(struct epoll *set, struct file *f, int fd, const struct epoll_event *event)
{
	struct epoll_item *item;
	int err;

	if (item_find(set, f, fd))
		return -EEXIST;
	item = kzalloc(sizeof(*item));
	if (!item)
		return -ENOMEM;
	item->set = set;
	item->file = f;
	item->fd = fd;
	item->event.data = event->data;
	item->event.events = event->events | EPOLL_ALWAYS;
	item->waiter.fn = item_woken;
	RB_INSERT(epoll_items, &set->items, item);
	__atomic_store_n(&f->watches_gone, watches_gone, __ATOMIC_RELEASE);
	LIST_INSERT_HEAD(&f->watches, &item->watch, link);
	err = ways_check(f, ++walks);
	if (err)
		item_remove(item);
	else
		item_watch(item);
	return err;
}

static int item_modify(struct epoll *set, struct file *f, int fd, const struct epoll_event *event)
{
	struct epoll_item *item = item_find(set, f, fd);

	if (!item)
		return -ENOENT;
	if (item->event.events & EPOLLEXCLUSIVE || event->events & EPOLLEXCLUSIVE)
		return -EINVAL;
	item->event.data = event->data;
	__atomic_store_n(&item->event.events, event->events | EPOLL_ALWAYS, __ATOMIC_RELAXED);
	item_arm(item);
	return 0;
}

static int item_delete(struct epoll *set, struct file *f, int fd)
{
	struct epoll_item *item = item_find(set, f, fd);

	if (!item)
		return -ENOENT;
	item_remove(item);
	return 0;
}

/* ---- the file */
static u32 epoll_poll(struct file *f, struct waitq **wq)
{
	struct epoll *set = f->priv;

	*wq = &set->wq;
	/* May be wrong in one way: what was ready is so no more. Who asks finds nothing then. */
	return TAILQ_EMPTY(&set->ready) ? 0 : POLLIN | POLLRDNORM;
}

static void epoll_release(struct file *f)
{
	struct epoll *set = f->priv;
	struct epoll_item *item, *next;

	mutex_lock(&epoll_lock);
	RB_FOREACH_SAFE (item, epoll_items, &set->items, next)
		item_remove(item);
	mutex_unlock(&epoll_lock);
	kfree(set);
}

static const struct file_ops epoll_ops = {
	.name = "anon_inode:[eventpoll]",
	.poll = epoll_poll,
	.release = epoll_release,
};

void epoll_init(void)
{
	mutex_init(&epoll_lock);
}

s64 sys_epoll_create1(const u64 a[6])
{
	u32 flags = (u32)a[0];
	struct epoll *set;
	struct file *f;

	if (flags & ~(u32)EPOLL_CLOEXEC)
		return -EINVAL;
	set = kzalloc(sizeof(*set));
	if (!set)
		return -ENOMEM;
	RB_INIT(&set->items);
	spin_init(&set->ready_lock);
	TAILQ_INIT(&set->ready);
	waitq_init(&set->wq);
	f = file_alloc(&epoll_ops, set, O_RDWR);
	if (f)
		set->file = f;
	else
		kfree(set);
	return fd_for_file(f, flags);
}

/* ---- epoll_ctl */
static int epoll_change(struct epoll *set, int op, struct file *f, int fd,
			const struct epoll_event *event)
{
	int ret;

	mutex_lock(&epoll_lock);
	switch (op) {
	case EPOLL_CTL_ADD:
		ret = nest_check(set, f);
		if (!ret)
			ret = item_add(set, f, fd, event);
		break;
	case EPOLL_CTL_MOD: ret = item_modify(set, f, fd, event); break;
	case EPOLL_CTL_DEL: ret = item_delete(set, f, fd); break;
	default: ret = -EINVAL; break;
	}
	mutex_unlock(&epoll_lock);
	return ret;
}

/* What epoll_ctl says of its files before it looks at the set. */
static int epoll_ctl_check(const struct file *set, const struct file *f, int op,
			   const struct epoll_event *event)
{
	if (!f->ops->poll)
		return -EPERM;
	if (set == f || set->ops != &epoll_ops)
		return -EINVAL;
	if (op != EPOLL_CTL_DEL && event->events & EPOLLEXCLUSIVE &&
	    (op == EPOLL_CTL_MOD || f->ops == &epoll_ops || event->events & ~EPOLL_EXCLUSIVE_OK))
		return -EINVAL;
	return 0;
}

s64 sys_epoll_ctl(const u64 a[6])
{
	int op = (int)a[1], fd = (int)a[2];
	struct epoll_event event = { 0 };
	struct file *set, *f;
	s64 ret = -EBADF;

	if (op != EPOLL_CTL_DEL && copy_from_user(&event, HVA(a[3]), sizeof(event)))
		return -EFAULT;
	set = file_arg(a[0]);
	f = file_arg(a[2]);
	if (set && f) {
		ret = epoll_ctl_check(set, f, op, &event);
		if (!ret)
			ret = epoll_change(set->priv, op, f, fd, &event);
	}
	if (f)
		file_put(f);
	if (set)
		file_put(set);
	return ret;
}

/* ---- epoll_wait */
static struct epoll_item *take_ready(struct epoll *set)
{
	struct epoll_item *item;

	spin_lock(&set->ready_lock);
	item = TAILQ_FIRST(&set->ready);
	if (item) {
		TAILQ_REMOVE(&set->ready, item, ready_link);
		item->ready = false;
	}
	spin_unlock(&set->ready_lock);
	return item;
}

/* The events of @item now, for the caller; what the item's mode says happens after that. */
static u32 item_report(struct epoll_item *item, bool *again)
{
	u32 asked = item->event.events;
	struct waitq *wq;
	u32 events = file_poll(item->file, &wq) & asked & ~EPOLL_HOW;

	*again = false;
	if (!events)
		return 0;
	if (asked & EPOLLONESHOT)
		__atomic_store_n(&item->event.events, asked & EPOLL_HOW, __ATOMIC_RELAXED);
	else
		*again = !(asked & EPOLLET);
	return events;
}

/*
 * Up to @max events into @out. Items that stay ready (level-triggered) go to the end of the list
 * once the round is over, so that each is looked at once.
 */
static int collect(struct epoll *set, struct epoll_event *out, int max_events)
{
	struct epoll_ready again_list = TAILQ_HEAD_INITIALIZER(again_list);
	struct epoll_item *item;
	int n = 0;

	mutex_lock(&epoll_lock);
	while (n < max_events && (item = take_ready(set))) {
		bool again;
		u32 events = item_report(item, &again);

		if (!events)
			continue;
		memset(&out[n], 0, sizeof(out[n])); /* the hole between its members too */
		out[n].events = events;
		out[n].data = item->event.data;
		n++;
		if (!again)
			continue;
		/* It may have been marked anew meanwhile; then it is listed already. */
		spin_lock(&set->ready_lock);
		if (!item->ready) {
			item->ready = true;
			TAILQ_INSERT_TAIL(&again_list, item, ready_link);
		}
		spin_unlock(&set->ready_lock);
	}
	spin_lock(&set->ready_lock);
	TAILQ_CONCAT(&set->ready, &again_list, ready_link);
	spin_unlock(&set->ready_lock);
	/* What stays ready is for another thread that waits, too. */
	if (!TAILQ_EMPTY(&set->ready))
		waitq_wake(&set->wq, 1, POLLIN | POLLRDNORM);
	mutex_unlock(&epoll_lock);
	return n;
}

/* What is ready, into user memory; a batch is enough: the next call gives more. */
static s64 epoll_give(struct epoll *set, u64 p, int max_events)
{
	struct epoll_event batch[EPOLL_BATCH];
	int n = collect(set, batch, min(max_events, EPOLL_BATCH));

	if (n && copy_to_user(HVA(p), batch, (size_t)n * sizeof(*batch)))
		return -EFAULT;
	return n;
}

static s64 epoll_wait(struct epoll *set, u64 p, int max_events, u64 deadline_ns)
{
	for (;;) {
		s64 n = epoll_give(set, p, max_events);
		int ret;

		if (n || !deadline_ns)
			return n;
		ret = wait_event_until(&set->wq, !TAILQ_EMPTY(&set->ready), SLEEP_INTERRUPTIBLE,
				       deadline_ns);
		if (ret == -ETIMEDOUT)
			deadline_ns = 0; /* one last look */
		else if (ret)
			return -EINTR;
	}
}

static s64 epoll_pwait(const u64 a[6], u64 deadline_ns)
{
	int max_events = (int)a[2];
	struct file *f;
	s64 ret;

	if (max_events <= 0 || (size_t)max_events > EPOLL_EVENTS_MAX)
		return -EINVAL;
	f = file_arg(a[0]);
	if (!f)
		return -EBADF;
	ret = f->ops == &epoll_ops ? signal_mask_enter(HVA(a[4]), a[5]) : -EINVAL;
	if (!ret) {
		ret = epoll_wait(f->priv, a[1], max_events, deadline_ns);
		signal_mask_leave(ret);
	}
	file_put(f);
	return ret;
}

s64 sys_epoll_pwait(const u64 a[6])
{
	s32 ms = (s32)a[3];

	if (ms < 0)
		return epoll_pwait(a, SCHED_FOREVER);
	return epoll_pwait(a, ms ? time_after((u64)ms * NS_PER_MSEC) : 0);
}

s64 sys_epoll_pwait2(const u64 a[6])
{
	u64 ns, deadline = SCHED_FOREVER;
	int ret = a[3] ? timespec_from_user(HVA(a[3]), &ns) : 0;

	if (ret)
		return ret;
	if (a[3])
		deadline = ns ? time_after(ns) : 0;
	return epoll_pwait(a, deadline);
}
