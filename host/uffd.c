/* SPDX-License-Identifier: Apache-2.0 */
/* userfaultfd: the file, who waits, who is told. */
#include "host/uffd_impl.h"

#include <asm/fcntl.h>
#include <asm/poll.h>

#include "host/string.h"
#include "host/task.h"

/* ---- life */

static struct uffd *uffd_get(struct uffd *u)
{
	__atomic_fetch_add(&u->refs, 1, __ATOMIC_RELAXED);
	return u;
}

static void uffd_put(struct uffd *u)
{
	if (__atomic_sub_fetch(&u->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	mm_put(u->mm);
	kfree(u);
}

/* ---- who faults */

enum fault_verdict uffd_admit(const struct uffd *u, enum fault_origin origin)
{
	if (uffd_has_feature(u, UFFD_FEATURE_SIGBUS))
		return FAULT_BUS;
	if (u->serves == UFFD_PROGRAM_FAULTS && origin != FAULT_BY_PROGRAM)
		return FAULT_BUS;
	return FAULT_OK;
}

static u64 reason_flags(const struct uffd_fault *f)
{
	u64 flags = f->access == HOST_WRITE ? UFFD_PAGEFAULT_FLAG_WRITE : 0;

	switch (f->error) {
	case -EUFFD_MINOR: return flags | UFFD_PAGEFAULT_FLAG_MINOR;
	case -EUFFD_WP: return flags | UFFD_PAGEFAULT_FLAG_WP;
	default: return flags;
	}
}

static void msg_fill(const struct vma *vma, const struct uffd_fault *f, struct uffd_msg *msg)
{
	const struct uffd *u = vma->uffd;
	bool exact = uffd_has_feature(u, UFFD_FEATURE_EXACT_ADDRESS);

	memset(msg, 0, sizeof(*msg));
	msg->event = UFFD_EVENT_PAGEFAULT;
	msg->arg.pagefault.flags = reason_flags(f);
	msg->arg.pagefault.address = exact ? f->addr : ALIGN_DOWN(f->addr, vma_unit(vma));
	if (uffd_has_feature(u, UFFD_FEATURE_THREAD_ID))
		msg->arg.pagefault.feat.ptid = (u32)port_current()->tid;
}

bool uffd_wait_begin(struct vma *vma, struct uffd_wait *w, const struct uffd_fault *f)
{
	struct uffd *u = vma->uffd;
	bool open;

	msg_fill(vma, f, &w->msg);
	waitq_init(&w->wake);
	w->woken = false;
	spin_lock(&u->lock);
	w->queue = u->closed ? NULL : &u->pending;
	open = w->queue != NULL;
	if (open) {
		uffd_get(u);
		TAILQ_INSERT_TAIL(w->queue, w, link);
	}
	spin_unlock(&u->lock);
	return open;
}

int uffd_wait_sleep(struct uffd *u, struct uffd_wait *w, enum fault_origin origin)
{
	enum sleep_kind kind = origin == FAULT_BY_KERNEL ? SLEEP_KILLABLE : SLEEP_INTERRUPTIBLE;

	waitq_wake(&u->readers, WAKE_ALL, POLLIN);
	return wait_event_until(&w->wake, __atomic_load_n(&w->woken, __ATOMIC_ACQUIRE), kind,
				SCHED_FOREVER);
}

static void queue_leave_locked(struct uffd_wait *w)
{
	if (w->queue)
		TAILQ_REMOVE(w->queue, w, link);
	w->queue = NULL;
}

/* Who wakes looks at @w under the lock: afterwards nobody does. */
void uffd_wait_end(struct uffd *u, struct uffd_wait *w)
{
	spin_lock(&u->lock);
	queue_leave_locked(w);
	spin_unlock(&u->lock);
	uffd_put(u);
}

static void wake_list(struct uffd_waits *list, u64 start, u64 end)
{
	struct uffd_wait *w, *next;

	for (w = TAILQ_FIRST(list); w; w = next) {
		u64 addr = w->msg.arg.pagefault.address;

		next = TAILQ_NEXT(w, link);
		if (addr < start || addr >= end)
			continue;
		queue_leave_locked(w);
		__atomic_store_n(&w->woken, true, __ATOMIC_RELEASE);
		waitq_wake(&w->wake, WAKE_ALL, 0);
	}
}

void uffd_wake(struct uffd *u, u64 start, u64 end)
{
	spin_lock(&u->lock);
	wake_list(&u->pending, start, end);
	wake_list(&u->told, start, end);
	spin_unlock(&u->lock);
}

/* ---- who serves */

/* The oldest fault that nobody was told of. */
static bool take_message(struct uffd *u, struct uffd_msg *msg)
{
	struct uffd_wait *w;

	spin_lock(&u->lock);
	w = TAILQ_FIRST(&u->pending);
	if (w) {
		*msg = w->msg;
		queue_leave_locked(w);
		w->queue = &u->told;
		TAILQ_INSERT_TAIL(w->queue, w, link);
	}
	spin_unlock(&u->lock);
	return w != NULL;
}

static bool has_message(struct uffd *u)
{
	bool any;

	spin_lock(&u->lock);
	any = !TAILQ_EMPTY(&u->pending);
	spin_unlock(&u->lock);
	return any;
}

static int wait_message(struct file *f, struct uffd_msg *msg)
{
	struct uffd *u = f->priv;

	while (!take_message(u, msg)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(&u->readers, has_message(u)))
			return -ERESTARTSYS;
	}
	return 0;
}

/* As many messages as there are and fit; waits for the first only. */
static s64 uffd_read(struct file *f, struct iobuf *to, u64 *pos)
{
	struct uffd *u = f->priv;
	struct uffd_msg msg;
	s64 done = 0;
	int error;

	(void)pos;
	if (!uffd_is_ready(u) || to->left < sizeof(msg))
		return -EINVAL;
	error = wait_message(f, &msg);
	if (error)
		return error;
	do {
		if (iobuf_put(to, &msg, sizeof(msg)) != sizeof(msg))
			return done ? done : -EFAULT;
		done += sizeof(msg);
	} while (to->left >= sizeof(msg) && take_message(u, &msg));
	return done;
}

/* Only a file that does not block can be polled: as on Linux, between poll() and read() the fault
 * may have gone. */
static u32 uffd_poll(struct file *f, struct waitq **wq)
{
	struct uffd *u = f->priv;

	*wq = &u->readers;
	if (!uffd_is_ready(u) || !(f->flags & O_NONBLOCK))
		return POLLERR;
	return has_message(u) ? POLLIN : 0;
}

static void uffd_release(struct file *f)
{
	struct uffd *u = f->priv;

	spin_lock(&u->lock);
	u->closed = true;
	spin_unlock(&u->lock);
	uffd_unregister_all(u);
	uffd_wake(u, 0, UINT64_MAX);
	uffd_put(u);
}

static const struct file_ops uffd_ops = {
	.name = "anon_inode:[userfaultfd]",
	.read = uffd_read,
	.poll = uffd_poll,
	.ioctl = uffd_ioctl,
	.release = uffd_release,
};

struct file *uffd_new(struct mm *mm, enum uffd_serves serves, u32 flags)
{
	struct uffd *u = kzalloc(sizeof(*u));
	struct file *f;

	if (!u)
		return NULL;
	u->refs = 1;
	u->mm = mm_get(mm);
	u->serves = serves;
	spin_init(&u->lock);
	TAILQ_INIT(&u->pending);
	TAILQ_INIT(&u->told);
	waitq_init(&u->readers);
	f = file_alloc(&uffd_ops, u, O_RDONLY | flags);
	if (!f)
		uffd_put(u);
	return f;
}
