/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_UNIX sockets as objects and as files: how they are made, polled, shut down and closed.
 */
#include "kernel/unix_sock.h"

#include <asm/ioctls.h>
#include <asm/poll.h>

#include "host/page.h"
#include "kernel/fs_args.h"
#include "kernel/time.h"

struct spinlock unix_lock;

/* Linux's limit: twice as many as files by default, which are one for 10 KiB of memory, or 8192 if
 * that is more. */
enum { BYTES_PER_FILE = 10240, FILES_LEAST = 8192 };
static u32 sockets_max;	 /* set once */
static u32 socket_count; /* atomic: those without a file, too */

void unix_init(void)
{
	u64 memory = page_counts().total_pages * PAGE_SIZE;

	sockets_max = 2 * (u32)max(memory / BYTES_PER_FILE, (u64)FILES_LEAST);
	spin_init(&unix_lock);
	unix_queue_init();
}

struct unix_cred unix_current_cred(void)
{
	return (struct unix_cred){ .pid = current_process()->pid };
}

static struct unix_sock *sock_alloc(void)
{
	struct unix_sock *s = ERR_PTR(-ENFILE);

	if (__atomic_add_fetch(&socket_count, 1, __ATOMIC_RELAXED) <= sockets_max)
		s = kzalloc(sizeof(*s)) ?: ERR_PTR(-ENOMEM);
	if (IS_ERR(s))
		__atomic_fetch_sub(&socket_count, 1, __ATOMIC_RELAXED);
	return s;
}

struct unix_sock *unix_sock_new(u32 type)
{
	static u64 last_ino;
	struct unix_sock *s = sock_alloc();

	if (IS_ERR(s))
		return s;
	s->refs = 1;
	s->type = type;
	s->ino = __atomic_add_fetch(&last_ino, 1, __ATOMIC_RELAXED);
	waitq_init(&s->wq);
	waitq_init(&s->space);
	mutex_init(&s->read_lock);
	mutex_init(&s->bind_lock);
	TAILQ_INIT(&s->queue);
	TAILQ_INIT(&s->queue_rights);
	TAILQ_INIT(&s->found_full);
	TAILQ_INIT(&s->backlog);
	TAILQ_INIT(&s->backlog_rights);
	s->cred = unix_current_cred();
	s->peer_cred = (struct unix_cred){ .pid = 0, .uid = ~0U, .gid = ~0U };
	s->sndbuf = s->rcvbuf = UNIX_BUFFER_DEFAULT;
	s->rcvlowat = 1;
	return s;
}

struct unix_sock *unix_get(struct unix_sock *s)
{
	__atomic_fetch_add(&s->refs, 1, __ATOMIC_RELAXED);
	return s;
}

void unix_put(struct unix_sock *s)
{
	if (!s || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL))
		return;
	if (s->addr)
		unix_addr_put(s->addr);
	kfree(s);
	__atomic_fetch_sub(&socket_count, 1, __ATOMIC_RELAXED);
}

struct unix_sock *unix_peer(struct unix_sock *s)
{
	struct unix_sock *peer;

	spin_lock(&unix_lock);
	peer = s->peer ? unix_get(s->peer) : NULL;
	spin_unlock(&unix_lock);
	return peer;
}

int unix_take_error(struct unix_sock *s)
{
	int err = -s->error;

	s->error = 0;
	return err;
}

void unix_wake(struct unix_sock *s)
{
	waitq_wake(&s->wq, WAKE_ALL, 0);
}

u64 unix_deadline(u32 file_flags, u32 msg_flags, u64 timeout_ns)
{
	if (file_flags & O_NONBLOCK || msg_flags & MSG_DONTWAIT)
		return 0;
	return timeout_ns ? time_after(timeout_ns) : SCHED_FOREVER;
}

int unix_wait_error(int err, u64 deadline_ns)
{
	if (err == -EINTR)
		return deadline_ns == SCHED_FOREVER ? -ERESTARTSYS : -EINTR;
	return -EAGAIN;
}

/* ---- the end */
/* What closing one end says to the other. Under unix_lock. */
static void tell_peer_closed(struct unix_sock *s)
{
	if (!s->peer || !unix_connects(s))
		return;
	s->peer->shut = UNIX_SHUT_BOTH;
	if (!TAILQ_EMPTY(&s->queue) || s->listener)
		s->peer->error = ECONNRESET;
}

/* What @s leaves behind, to be dropped without the lock. */
struct leftovers {
	struct unix_msgs msgs;
	struct unix_socks backlog;
	struct unix_sock *peer;
	struct inode *inode;
};

/* Under unix_lock. */
static void leave(struct unix_sock *s, struct leftovers *left)
{
	s->dead = true;
	s->state = UNIX_UNCONNECTED;
	s->shut = UNIX_SHUT_BOTH;
	left->inode = unix_leave_names(s);
	tell_peer_closed(s);
	left->peer = s->peer;
	s->peer = NULL;
	unix_queue_take_all(s, &left->msgs);
	if (s->full)
		TAILQ_REMOVE(&s->full->found_full, s, full_link);
	s->full = NULL;
	TAILQ_CONCAT(&left->backlog, &s->backlog, backlog_link);
	s->backlog_count = 0;
}

void unix_close(struct unix_sock *s)
{
	struct unix_sock *waiting;
	struct leftovers left = { 0 };

	TAILQ_INIT(&left.msgs);
	TAILQ_INIT(&left.backlog);
	spin_lock(&unix_lock);
	leave(s, &left);
	spin_unlock(&unix_lock);
	if (left.peer)
		unix_wake(left.peer);
	/* Those that were not accepted go the same way; they have no backlog. */
	while ((waiting = TAILQ_FIRST(&left.backlog))) {
		TAILQ_REMOVE(&left.backlog, waiting, backlog_link);
		unix_close(waiting);
		sched_point();
	}
	unix_msgs_free(&left.msgs);
	if (left.inode)
		inode_put(left.inode);
	unix_put(left.peer);
	unix_put(s);
}

/* The direction of the peer that @how is of one's own. */
static u32 other_way(u32 how)
{
	return (how & UNIX_SHUT_RD ? UNIX_SHUT_WR : 0) | (how & UNIX_SHUT_WR ? UNIX_SHUT_RD : 0);
}

void unix_shutdown(struct unix_sock *s, u32 how)
{
	struct unix_sock *peer = NULL;

	spin_lock(&unix_lock);
	s->shut |= how;
	if (unix_connects(s) && s->peer) {
		peer = unix_get(s->peer);
		peer->shut |= other_way(how);
	}
	spin_unlock(&unix_lock);
	unix_wake(s);
	waitq_wake(&s->space, WAKE_ALL, 0);
	if (peer)
		unix_wake(peer);
	unix_put(peer);
}

/* ---- as a file */
/* Room for a message, as poll and select want it: three fourths of the buffer are free. */
static bool has_room(const struct unix_sock *s)
{
	return s->state != UNIX_LISTENING && s->charged * 4 <= s->sndbuf;
}

/* Would a datagram to the peer wait? Then @s is told when it would not. Under unix_lock. */
static bool peer_is_full(struct unix_sock *s)
{
	struct unix_sock *peer = s->peer;

	if (unix_connects(s) || !peer || peer->peer == s || peer->dead ||
	    peer->queue_count <= UNIX_DATAGRAMS_MAX)
		return false;
	if (s->full)
		TAILQ_REMOVE(&s->full->found_full, s, full_link);
	TAILQ_INSERT_TAIL(&peer->found_full, s, full_link);
	s->full = peer;
	return true;
}

static u32 events_of(struct unix_sock *s)
{
	u32 events = 0;

	if (s->error)
		events |= POLLERR;
	if (s->shut == UNIX_SHUT_BOTH)
		events |= POLLHUP;
	if (s->shut & UNIX_SHUT_RD)
		events |= POLLRDHUP | POLLIN | POLLRDNORM;
	if (!TAILQ_EMPTY(&s->queue) || !TAILQ_EMPTY(&s->backlog))
		events |= POLLIN | POLLRDNORM;
	if (unix_connects(s) && s->state == UNIX_UNCONNECTED)
		events |= POLLHUP;
	if (has_room(s) && !peer_is_full(s))
		events |= POLLOUT | POLLWRNORM | POLLWRBAND;
	return events;
}

static u32 socket_poll(struct file *f, struct waitq **wq)
{
	struct unix_sock *s = f->priv;
	u32 events;

	*wq = &s->wq;
	spin_lock(&unix_lock);
	events = events_of(s);
	spin_unlock(&unix_lock);
	return events;
}

static s64 socket_read(struct file *f, struct iobuf *to, u64 *pos)
{
	struct unix_sock *s = f->priv;
	struct unix_recv recv = { .to = to };
	s64 n;

	(void)pos;
	if (!to->left)
		return 0;
	recv.deadline_ns = unix_deadline(f->flags, 0, s->rcv_timeout_ns);
	n = unix_recv(s, &recv);
	if (recv.name)
		unix_addr_put(recv.name);
	unix_rights_free(recv.rights);
	return n;
}

static s64 socket_write(struct file *f, struct iobuf *from, u64 *pos)
{
	struct unix_sock *s = f->priv;
	struct unix_send send = { .from = from, .cred = unix_current_cred() };

	(void)pos;
	send.deadline_ns = unix_deadline(f->flags, 0, s->snd_timeout_ns);
	return unix_send(s, &send);
}

/* Bytes that can be read: of a datagram socket, those of the next message. */
static s64 readable_bytes(struct unix_sock *s)
{
	struct unix_msg *first;
	s64 n = -EINVAL;

	spin_lock(&unix_lock);
	if (s->state != UNIX_LISTENING) {
		first = TAILQ_FIRST(&s->queue);
		n = unix_connects(s) ? (s64)s->queue_bytes : first ? first->size : 0;
	}
	spin_unlock(&unix_lock);
	return n;
}

static s64 socket_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct unix_sock *s = f->priv;
	s64 n;
	int value;

	switch (cmd) {
	case FIONREAD: n = readable_bytes(s); break;
	case TIOCOUTQ: n = (s64)__atomic_load_n(&s->charged, __ATOMIC_RELAXED); break;
	default: return -ENOTTY;
	}
	if (n < 0)
		return n;
	value = (int)n;
	return copy_to_user(HVA(arg), &value, sizeof(value)) ? -EFAULT : 0;
}

static int socket_stat(struct file *f, struct stat *st)
{
	struct unix_sock *s = f->priv;

	*st = (struct stat){
		.st_dev = 8,
		.st_ino = s->ino,
		.st_mode = S_IFSOCK | 0777,
		.st_nlink = 1,
		.st_blksize = PAGE_SIZE,
	};
	return 0;
}

static void socket_release(struct file *f)
{
	unix_close(f->priv);
}

/* Of a message half counts for who sent it, half for whom it waits for; what a listener holds
 * counts for it alone: both ends of connections that nobody has accepted, and what came by them.
 * Without unix_lock: the caller holds locks that come after it. */
static u64 socket_pages(struct file *f)
{
	const struct unix_sock *s = f->priv;
	u64 sent = __atomic_load_n(&s->charged, __ATOMIC_RELAXED);
	u64 connections = __atomic_load_n(&s->backlog_count, __ATOMIC_RELAXED);
	u64 backlog = connections * 2 * sizeof(*s) +
		      __atomic_load_n(&s->backlog_charged, __ATOMIC_RELAXED);

	return ((sent + unix_queue_charge(s)) / 2 + backlog) / PAGE_SIZE;
}

static const struct file_ops socket_ops = {
	.name = "socket",
	.read = socket_read,
	.write = socket_write,
	.ioctl = socket_ioctl,
	.poll = socket_poll,
	.stat = socket_stat,
	.pages = socket_pages,
	.release = socket_release,
};

struct file *unix_file(struct unix_sock *s, u32 flags)
{
	struct file *f = file_alloc(&socket_ops, s, O_RDWR | (flags & O_NONBLOCK));

	if (!f)
		unix_close(s);
	return f;
}

struct unix_sock *unix_of_file(const struct file *f)
{
	return f->ops == &socket_ops ? f->priv : NULL;
}
