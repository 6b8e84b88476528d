/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between sockets: who pays for them, the queues they wait in, and the files they carry.
 */
#include <asm/poll.h>
#include <string.h>

#include "host/err.h"
#include "host/page.h"
#include "kernel/thread.h"
#include "kernel/unix_sock.h"

/* Guarded by unix_lock. */
static u64 total_charged;
static u32 files_in_flight;
/* What all messages may be charged together: a part of memory. Set once. */
static u64 total_max;

void unix_queue_init(void)
{
	total_max = page_counts().total_pages * PAGE_SIZE / 4;
}

/* ---- files on their way */
struct unix_rights *unix_rights_new(u32 count)
{
	struct unix_rights *rights = kzalloc(sizeof(*rights) + count * sizeof(struct file *));

	if (rights)
		rights->count = count;
	return rights;
}

void unix_rights_free(struct unix_rights *rights)
{
	for (u32 i = 0; rights && i < rights->count; i++)
		if (rights->files[i])
			file_put(rights->files[i]);
	kfree(rights);
}

struct unix_rights *unix_rights_copy(const struct unix_rights *rights)
{
	struct unix_rights *copy = unix_rights_new(rights->count);

	for (u32 i = 0; copy && i < rights->count; i++)
		copy->files[i] = file_get(rights->files[i]);
	return copy;
}

/* ---- charging */
struct reservation {
	struct unix_sock *s;
	u32 charge;
	int err;
};

/* One attempt; false: no room, and nothing else to tell. */
static bool try_reserve(struct reservation *r)
{
	struct unix_sock *s = r->s;

	spin_lock(&unix_lock);
	r->err = unix_take_error(s);
	if (!r->err && s->shut & UNIX_SHUT_WR)
		r->err = -EPIPE;
	if (!r->err && s->charged >= s->sndbuf)
		r->err = -EAGAIN;
	if (!r->err && total_charged + r->charge > total_max)
		r->err = -ENOBUFS;
	if (!r->err) {
		s->charged += r->charge;
		total_charged += r->charge;
	}
	spin_unlock(&unix_lock);
	return r->err != -EAGAIN;
}

static void uncharge(struct unix_sock *s, u32 charge)
{
	bool wake;

	spin_lock(&unix_lock);
	s->charged -= charge;
	total_charged -= charge;
	wake = s->charged < s->sndbuf && !s->dead;
	spin_unlock(&unix_lock);
	if (wake)
		waitq_wake(&s->wq, WAKE_ALL, POLLOUT | POLLWRNORM | POLLWRBAND);
}

u64 unix_queue_charge(const struct unix_sock *s)
{
	return __atomic_load_n(&s->queue_bytes, __ATOMIC_RELAXED) +
	       (u64)__atomic_load_n(&s->queue_count, __ATOMIC_RELAXED) * UNIX_MESSAGE_COST;
}

struct unix_msg *unix_msg_new(struct unix_sock *s, u32 size, u64 deadline_ns)
{
	struct reservation r = { .s = s, .charge = size + UNIX_MESSAGE_COST };
	struct unix_msg *msg;
	int err = 0;

	if (!try_reserve(&r) && deadline_ns)
		err = wait_event_until(&s->wq, try_reserve(&r), SLEEP_INTERRUPTIBLE, deadline_ns);
	if (err || r.err)
		return ERR_PTR(err ? unix_wait_error(err, deadline_ns) : r.err);
	msg = kmalloc(sizeof(*msg) + size);
	if (!msg) {
		uncharge(s, r.charge);
		return ERR_PTR(-ENOBUFS);
	}
	*msg = (struct unix_msg){ .from = unix_get(s), .charge = r.charge, .size = size };
	return msg;
}

/* The files are not on their way any more. */
static void free_one(struct unix_msg *msg)
{
	uncharge(msg->from, msg->charge);
	unix_put(msg->from);
	unix_rights_free(msg->rights);
	kfree(msg);
}

void unix_msgs_free(struct unix_msgs *msgs)
{
	struct thread *t = current_thread();
	struct unix_msg *msg;

	/* A file that goes may be a socket with messages of its own: the outermost call frees them,
	 * however deep they lie. */
	if (t->closing_messages) {
		TAILQ_CONCAT(t->closing_messages, msgs, link);
		return;
	}
	t->closing_messages = msgs;
	while ((msg = TAILQ_FIRST(msgs))) {
		TAILQ_REMOVE(msgs, msg, link);
		free_one(msg);
		sched_point();
	}
	t->closing_messages = NULL;
}

void unix_msg_free(struct unix_msg *msg)
{
	struct unix_msgs one = TAILQ_HEAD_INITIALIZER(one);

	TAILQ_INSERT_TAIL(&one, msg, link);
	unix_msgs_free(&one);
}

/* ---- who would hold whom */
STAILQ_HEAD(walk_list, unix_sock);

struct walk {
	struct walk_list todo;
	u64 number; /* marks what was seen */
};

static void walk_to(struct walk *w, struct unix_sock *s)
{
	if (s->walk == w->number)
		return;
	s->walk = w->number;
	STAILQ_INSERT_TAIL(&w->todo, s, walk_link);
}

static void walk_to_sockets_in(struct walk *w, const struct unix_rights *rights)
{
	for (u32 i = 0; i < rights->count; i++) {
		struct unix_sock *s = unix_of_file(rights->files[i]);

		if (s)
			walk_to(w, s);
	}
}

/* Does one of @rights hold @to, directly or by what waits in its queue? No more steps than there
 * are files on their way. */
static bool holds(const struct unix_rights *rights, const struct unix_sock *to)
{
	static u64 walks; /* guarded by unix_lock */
	struct walk w = { .todo = STAILQ_HEAD_INITIALIZER(w.todo), .number = ++walks };
	struct unix_sock *s, *waiting;
	struct unix_msg *msg;

	walk_to_sockets_in(&w, rights);
	while ((s = STAILQ_FIRST(&w.todo))) {
		STAILQ_REMOVE_HEAD(&w.todo, walk_link);
		if (s == to)
			return true;
		TAILQ_FOREACH (msg, &s->queue_rights, rights_link)
			walk_to_sockets_in(&w, msg->rights);
		TAILQ_FOREACH (waiting, &s->backlog_rights, backlog_rights_link)
			walk_to(&w, waiting);
	}
	return false;
}

/* A connection that waits for accept is held by its listener. */
static int rights_check(const struct unix_sock *to, const struct unix_rights *rights)
{
	if (files_in_flight + rights->count > UNIX_IN_FLIGHT_MAX)
		return -ETOOMANYREFS;
	if (holds(rights, to) || (to->listener && holds(rights, to->listener)))
		return -ETOOMANYREFS;
	return 0;
}

/* ---- queues */
static void link_rights(struct unix_sock *s, struct unix_msg *msg)
{
	if (TAILQ_EMPTY(&s->queue_rights) && s->listener)
		TAILQ_INSERT_TAIL(&s->listener->backlog_rights, s, backlog_rights_link);
	TAILQ_INSERT_TAIL(&s->queue_rights, msg, rights_link);
	files_in_flight += msg->rights->count;
}

static void unlink_rights(struct unix_sock *s, struct unix_msg *msg)
{
	TAILQ_REMOVE(&s->queue_rights, msg, rights_link);
	if (TAILQ_EMPTY(&s->queue_rights) && s->listener)
		TAILQ_REMOVE(&s->listener->backlog_rights, s, backlog_rights_link);
	files_in_flight -= msg->rights->count;
}

int unix_queue_add(struct unix_sock *to, struct unix_msg *msg)
{
	int err = msg->rights ? rights_check(to, msg->rights) : 0;

	if (err)
		return err;
	if (msg->rights)
		link_rights(to, msg);
	TAILQ_INSERT_TAIL(&to->queue, msg, link);
	to->queue_count++;
	to->queue_bytes += msg->size;
	if (to->listener)
		to->listener->backlog_charged += msg->charge;
	return 0;
}

/* There is room again in @s's queue. */
static void wake_for_space(struct unix_sock *s)
{
	struct unix_sock *poller;

	waitq_wake(&s->space, WAKE_ALL, 0);
	while ((poller = TAILQ_FIRST(&s->found_full))) {
		TAILQ_REMOVE(&s->found_full, poller, full_link);
		poller->full = NULL;
		waitq_wake(&poller->wq, WAKE_ALL, POLLOUT | POLLWRNORM | POLLWRBAND);
	}
}

void unix_queue_take(struct unix_sock *s, struct unix_msg *msg)
{
	if (msg->rights)
		unlink_rights(s, msg);
	TAILQ_REMOVE(&s->queue, msg, link);
	s->queue_count--;
	s->queue_bytes -= msg->size - msg->taken;
	if (!unix_connects(s))
		wake_for_space(s);
}

struct unix_rights *unix_queue_take_rights(struct unix_sock *s, struct unix_msg *msg)
{
	struct unix_rights *rights = msg->rights;

	if (rights)
		unlink_rights(s, msg);
	msg->rights = NULL;
	return rights;
}

void unix_queue_take_all(struct unix_sock *s, struct unix_msgs *msgs)
{
	struct unix_msg *msg;

	while ((msg = TAILQ_FIRST(&s->queue_rights)))
		unlink_rights(s, msg);
	TAILQ_CONCAT(msgs, &s->queue, link);
	s->queue_count = 0;
	s->queue_bytes = 0;
	wake_for_space(s);
}
