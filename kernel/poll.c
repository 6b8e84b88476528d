/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poll(2) and select(2): waiting for one of many files.
 */
#include "kernel/poll.h"

#include <linux/limits.h>
#include <linux/posix_types.h>

#include "kernel/fs_args.h"
#include "kernel/syscalls.h"
#include "kernel/time.h"

/* One file that is waited for. */
struct poll_entry {
	struct file *file; /* counted; NULL: none, and @revents stays as it is */
	u32 events;	   /* asked for; POLLERR and POLLHUP count always */
	u32 revents;
	struct waiter waiter;
};

static void entry_enqueue(struct poll_entry *e)
{
	struct waitq *wq;

	if (!e->file)
		return;
	e->waiter.task = port_current();
	file_poll(e->file, &wq);
	if (wq)
		waitq_add(wq, &e->waiter);
}

static void entry_end(struct poll_entry *e)
{
	waitq_remove(&e->waiter);
	if (e->file)
		file_put(e->file);
}

/* How many entries have events now. */
static unsigned int entries_ready(struct poll_entry *entries, unsigned int n)
{
	unsigned int ready = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct poll_entry *e = &entries[i];
		struct waitq *wq;

		if (e->file)
			e->revents = file_poll(e->file, &wq) & (e->events | POLLERR | POLLHUP);
		ready += e->revents != 0;
	}
	return ready;
}

/* Sleeps until an entry is ready: their count, 0 after @deadline_ns, or -ERESTARTNOHAND. */
static s64 entries_wait(struct poll_entry *entries, unsigned int n, u64 deadline_ns)
{
	unsigned int ready;
	int slept = deadline_ns ? 0 : -ETIMEDOUT;

	for (unsigned int i = 0; deadline_ns && i < n; i++)
		entry_enqueue(&entries[i]);
	for (;;) {
		sched_prepare_sleep(SLEEP_INTERRUPTIBLE);
		ready = entries_ready(entries, n);
		if (ready || slept)
			break;
		slept = sched_sleep(deadline_ns);
	}
	sched_cancel_sleep();
	if (ready)
		return ready;
	return slept == -EINTR ? -ERESTARTNOHAND : 0;
}

static struct poll_entry *entries_alloc(unsigned int n)
{
	return kzalloc((n ? n : 1) * sizeof(struct poll_entry));
}

static void entries_free(struct poll_entry *entries, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		entry_end(&entries[i]);
	kfree(entries);
}

/*
 * The deadline of a relative timeout at @p: none for NULL, 0 for "do not wait". 0, -EINVAL,
 * -EFAULT.
 */
static int deadline_from_user(u64 p, u64 *deadline_ns)
{
	u64 ns;
	int ret;

	*deadline_ns = SCHED_FOREVER;
	if (!p)
		return 0;
	ret = timespec_from_user(HVA(p), &ns);
	if (!ret)
		*deadline_ns = ns ? time_after(ns) : 0;
	return ret;
}

/* Linux tells what is left of the time; that it cannot is no error. */
static void time_left_to_user(u64 p, u64 deadline_ns)
{
	u64 now = port_time_ns();

	if (p && timespec_to_user(HVA(p), deadline_ns > now ? deadline_ns - now : 0))
		return;
}

/* ---- poll */
static void poll_entry_begin(struct poll_entry *e, const struct pollfd *fd)
{
	if (fd->fd < 0)
		return;
	e->events = (u16)fd->events;
	e->file = file_arg((u64)fd->fd);
	if (!e->file)
		e->revents = POLLNVAL;
}

static s64 do_poll(u64 p, struct pollfd *fds, unsigned int n, u64 deadline_ns)
{
	struct poll_entry *entries = entries_alloc(n);
	s64 ret;

	if (!entries)
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++)
		poll_entry_begin(&entries[i], &fds[i]);
	ret = entries_wait(entries, n, deadline_ns);
	for (unsigned int i = 0; i < n; i++)
		fds[i].revents = (short)entries[i].revents;
	entries_free(entries, n);
	if (ret >= 0 && copy_to_user(HVA(p), fds, n * sizeof(*fds)))
		ret = -EFAULT;
	return ret;
}

s64 sys_ppoll(const u64 a[6])
{
	unsigned int n = (unsigned int)a[1];
	struct pollfd *fds;
	u64 deadline_ns;
	s64 ret = deadline_from_user(a[2], &deadline_ns);

	if (ret)
		return ret;
	if (n > fd_limit_get(current_files()))
		return -EINVAL;
	fds = kmalloc(n ? n * sizeof(*fds) : 1);
	if (!fds)
		return -ENOMEM;
	ret = copy_from_user(fds, HVA(a[0]), n * sizeof(*fds)) ? -EFAULT
							       : signal_mask_enter(HVA(a[3]), a[4]);
	if (!ret) {
		ret = do_poll(a[0], fds, n, deadline_ns);
		signal_mask_leave(ret);
		time_left_to_user(a[2], deadline_ns);
	}
	kfree(fds);
	return ret;
}

/* ---- select */
enum { SET_IN, SET_OUT, SET_EX, SET_COUNT };

/* What makes a descriptor a member of each set. */
static const struct {
	u32 ask, member;
} select_sets[SET_COUNT] = {
	[SET_IN] = { POLLIN | POLLRDNORM, POLLIN | POLLRDNORM | POLLHUP | POLLERR },
	[SET_OUT] = { POLLOUT | POLLWRNORM, POLLOUT | POLLWRNORM | POLLERR },
	[SET_EX] = { POLLPRI, POLLPRI },
};

#define WORD_BITS 64

struct select_bits {
	unsigned int words; /* of each set */
	u64 *in[SET_COUNT]; /* what is asked; NULL: nothing */
};

static bool bit_get(const u64 *set, unsigned int bit)
{
	return set && set[bit / WORD_BITS] >> bit % WORD_BITS & 1;
}

/* 0, or -EBADF for a bit that names no file. */
static int select_entry_begin(struct poll_entry *e, const struct select_bits *bits, unsigned int fd)
{
	for (int s = 0; s < SET_COUNT; s++)
		if (bit_get(bits->in[s], fd))
			e->events |= select_sets[s].ask;
	if (!e->events)
		return 0;
	e->file = file_arg(fd);
	return e->file ? 0 : -EBADF;
}

/* Turns the sets asked for into those of the answer; how many bits are set. */
static s64 select_result(const struct poll_entry *entries, struct select_bits *bits, unsigned int n)
{
	s64 count = 0;

	for (int s = 0; s < SET_COUNT; s++) {
		for (unsigned int fd = 0; bits->in[s] && fd < n; fd++) {
			u64 mask = 1UL << fd % WORD_BITS;

			if (!(bits->in[s][fd / WORD_BITS] & mask))
				continue;
			if (entries[fd].revents & select_sets[s].member)
				count++;
			else
				bits->in[s][fd / WORD_BITS] &= ~mask;
		}
	}
	return count;
}

static s64 select_wait(struct select_bits *bits, unsigned int n, u64 deadline_ns)
{
	struct poll_entry *entries = entries_alloc(n);
	s64 ret = 0;

	if (!entries)
		return -ENOMEM;
	for (unsigned int fd = 0; !ret && fd < n; fd++)
		ret = select_entry_begin(&entries[fd], bits, fd);
	if (!ret)
		ret = entries_wait(entries, n, deadline_ns);
	if (ret >= 0)
		ret = select_result(entries, bits, n);
	entries_free(entries, n);
	return ret;
}

static void select_bits_free(struct select_bits *bits)
{
	for (int s = 0; s < SET_COUNT; s++)
		kfree(bits->in[s]);
}

/* The three sets at @p[0..2]; on error nothing is left allocated. */
static int select_bits_get(struct select_bits *bits, const u64 p[SET_COUNT], unsigned int n)
{
	int ret = 0;

	*bits = (struct select_bits){ .words = (n + WORD_BITS - 1) / WORD_BITS };
	for (int s = 0; !ret && s < SET_COUNT; s++) {
		if (!p[s])
			continue;
		bits->in[s] = kzalloc((bits->words + 1) * sizeof(u64));
		if (!bits->in[s])
			ret = -ENOMEM;
		else if (copy_from_user(bits->in[s], HVA(p[s]), bits->words * sizeof(u64)))
			ret = -EFAULT;
	}
	if (ret)
		select_bits_free(bits);
	return ret;
}

static int select_bits_put(const struct select_bits *bits, const u64 p[SET_COUNT])
{
	for (int s = 0; s < SET_COUNT; s++)
		if (p[s] && copy_to_user(HVA(p[s]), bits->in[s], bits->words * sizeof(u64)))
			return -EFAULT;
	return 0;
}

static s64 do_select(unsigned int n, const u64 p[SET_COUNT], u64 deadline_ns)
{
	struct select_bits bits;
	s64 ret = select_bits_get(&bits, p, n);

	if (ret)
		return ret;
	ret = select_wait(&bits, n, deadline_ns);
	if (ret >= 0 && select_bits_put(&bits, p))
		ret = -EFAULT;
	select_bits_free(&bits);
	return ret;
}

s64 sys_pselect6(const u64 a[6])
{
	struct {
		u64 mask, size;
	} sig = { 0, 0 };
	unsigned int n = min((u32)a[0], fd_limit_get(current_files()));
	u64 deadline_ns;
	s64 ret;

	if (a[5] && copy_from_user(&sig, HVA(a[5]), sizeof(sig)))
		return -EFAULT;
	ret = deadline_from_user(a[4], &deadline_ns);
	if (!ret && (int)a[0] < 0)
		ret = -EINVAL;
	if (!ret)
		ret = signal_mask_enter(HVA(sig.mask), sig.size);
	if (ret)
		return ret;
	ret = do_select(n, &a[1], deadline_ns);
	signal_mask_leave(ret);
	time_left_to_user(a[4], deadline_ns);
	return ret;
}
