/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending and receiving through AF_UNIX sockets: streams of bytes, and messages in one piece.
 */
#include <asm/poll.h>
#include <asm/signal.h>

#include "host/page.h"
#include "kernel/signal.h"
#include "kernel/unix_sock.h"

/* A stream is cut into messages of at most this size, which fit 32 KiB with what they cost. */
enum { STREAM_PART_MAX = 32768 - sizeof(struct unix_msg) };

/* Fills @msg from the program's memory and hands it what goes along. 0 or -EFAULT. */
static int fill(struct unix_msg *msg, struct unix_send *send)
{
	if (iobuf_get(send->from, msg->data, msg->size) != (s64)msg->size)
		return -EFAULT;
	msg->cred = send->cred;
	msg->rights = send->rights;
	send->rights = NULL;
	return 0;
}

/* A message of @size bytes of @send, charged and filled; ERR_PTR. */
static struct unix_msg *message_of(struct unix_sock *s, struct unix_send *send, u32 size)
{
	struct unix_msg *msg = unix_msg_new(s, size, send->deadline_ns);
	int err;

	if (IS_ERR(msg))
		return msg;
	err = fill(msg, send);
	if (!err)
		return msg;
	unix_msg_free(msg);
	return ERR_PTR(err);
}

/* ---- streams */
/* 0, or why @peer cannot get @msg. */
static int stream_deliver(struct unix_sock *s, struct unix_sock *peer, struct unix_msg *msg)
{
	int err;

	spin_lock(&unix_lock);
	if (peer->dead || peer->shut & UNIX_SHUT_RD || s->shut & UNIX_SHUT_WR)
		err = -EPIPE;
	else
		err = unix_queue_add(peer, msg);
	spin_unlock(&unix_lock);
	if (!err)
		waitq_wake(&peer->wq, WAKE_ALL, POLLIN | POLLRDNORM);
	return err;
}

/* One part of the stream: its bytes, or an error. */
static s64 stream_send_part(struct unix_sock *s, struct unix_sock *peer, struct unix_send *send)
{
	u32 n = (u32)min(send->from->left, (size_t)min(s->sndbuf / 2, (u32)STREAM_PART_MAX));
	struct unix_msg *msg = message_of(s, send, n);
	int err;

	if (IS_ERR(msg))
		return PTR_ERR(msg);
	err = stream_deliver(s, peer, msg);
	if (!err)
		return n;
	unix_msg_free(msg);
	return err;
}

static s64 stream_send_to(struct unix_sock *s, struct unix_sock *peer, struct unix_send *send)
{
	s64 done = 0, n;

	while (send->from->left) {
		n = stream_send_part(s, peer, send);
		if (n == -EPIPE && !done && !(send->flags & MSG_NOSIGNAL))
			signal_raise(SIGPIPE);
		if (n < 0)
			return done ? done : n;
		done += n;
	}
	return done;
}

static s64 stream_send(struct unix_sock *s, struct unix_send *send)
{
	struct unix_sock *peer = unix_peer(s);
	s64 ret;

	if (send->to)
		ret = s->state == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	else
		ret = peer ? stream_send_to(s, peer, send) : -ENOTCONN;
	unix_put(peer);
	return ret;
}

/* ---- messages */
/* Under unix_lock: 0, or why @to cannot get a message of @s now. */
static int deliver_check(const struct unix_sock *s, const struct unix_sock *to)
{
	if (to->dead)
		return unix_connects(s) ? -EPIPE : -ECONNREFUSED;
	if (to->peer && to->peer != s)
		return -EPERM;
	if (to->shut & UNIX_SHUT_RD || s->shut & UNIX_SHUT_WR)
		return -EPIPE;
	/* Whose only writer is @s needs no limit but what @s is charged. */
	if (to->peer != s && to->queue_count > UNIX_DATAGRAMS_MAX)
		return -EAGAIN;
	return 0;
}

struct delivery {
	struct unix_sock *s, *to;
	struct unix_msg *msg;
	int err;
};

/* One attempt; false: @to is full. */
static bool try_deliver(struct delivery *d)
{
	spin_lock(&unix_lock);
	d->err = deliver_check(d->s, d->to);
	if (!d->err)
		d->err = unix_queue_add(d->to, d->msg);
	spin_unlock(&unix_lock);
	return d->err != -EAGAIN;
}

/* The peer that refuses because it is gone is not the peer any more. */
static void forget_dead_peer(struct unix_sock *s, struct unix_sock *peer)
{
	bool was;

	spin_lock(&unix_lock);
	was = s->peer == peer;
	if (was) {
		s->peer = NULL;
		s->state = UNIX_UNCONNECTED;
	}
	spin_unlock(&unix_lock);
	if (was)
		unix_put(peer);
}

/* Puts @msg into @to's queue; on error it stays the caller's. */
static int deliver(struct unix_sock *s, struct unix_sock *to, struct unix_msg *msg, u64 deadline_ns)
{
	struct delivery d = { .s = s, .to = to, .msg = msg };
	int err = 0;

	if (!try_deliver(&d) && deadline_ns)
		err = wait_event_until(&to->space, try_deliver(&d), SLEEP_INTERRUPTIBLE,
				       deadline_ns);
	if (err)
		return unix_wait_error(err, deadline_ns);
	if (!d.err)
		waitq_wake(&to->wq, WAKE_ALL, POLLIN | POLLRDNORM);
	if (d.err == -ECONNREFUSED)
		forget_dead_peer(s, to);
	return d.err;
}

/* Whom the message goes to: counted, or ERR_PTR. @addr is NULL for the peer. */
static struct unix_sock *receiver(struct unix_sock *s, const struct unix_addr *addr)
{
	struct unix_sock *to;

	if (addr)
		return unix_find(addr, s->type);
	to = unix_peer(s);
	return to ? to : ERR_PTR(-ENOTCONN);
}

/* All of @send->from as one message to @addr or the peer. */
static s64 message_send_to(struct unix_sock *s, struct unix_send *send,
			   const struct unix_addr *addr)
{
	size_t size = send->from->left;
	struct unix_sock *to;
	struct unix_msg *msg;
	int err;

	if (size + 32 > s->sndbuf)
		return -EMSGSIZE;
	msg = message_of(s, send, (u32)size);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	to = receiver(s, addr);
	err = IS_ERR(to) ? (int)PTR_ERR(to) : deliver(s, to, msg, send->deadline_ns);
	if (err)
		unix_msg_free(msg);
	if (!IS_ERR(to))
		unix_put(to);
	return err ? err : (s64)size;
}

static s64 message_send(struct unix_sock *s, struct unix_send *send)
{
	struct unix_addr *addr = NULL;
	s64 ret = 0;

	if (unix_connects(s) && s->state != UNIX_CONNECTED)
		return -ENOTCONN;
	if (send->to && !unix_connects(s)) {
		addr = unix_addr_new(send->to, send->to_size);
		if (IS_ERR(addr))
			return PTR_ERR(addr);
	}
	if (!addr && !__atomic_load_n(&s->peer, __ATOMIC_RELAXED))
		ret = -ENOTCONN;
	if (!ret && s->pass_cred)
		ret = unix_autobind(s);
	if (!ret)
		ret = message_send_to(s, send, addr);
	if (addr)
		unix_addr_put(addr);
	return ret;
}

s64 unix_send(struct unix_sock *s, struct unix_send *send)
{
	/* There are no urgent bytes. */
	if (send->flags & MSG_OOB)
		return -EOPNOTSUPP;
	return s->type == SOCK_STREAM ? stream_send(s, send) : message_send(s, send);
}

/* ---- receiving */
/* What a reader finds. */
enum { FOUND_END = 1 };

/* Under unix_lock: 0: a message; FOUND_END; -EAGAIN: nothing yet; or the error that waits. */
static int found_locked(struct unix_sock *s)
{
	int err;

	/* Of a stream, what came before the error comes first. */
	if (s->type == SOCK_STREAM && !TAILQ_EMPTY(&s->queue))
		return 0;
	err = unix_take_error(s);
	if (err || !TAILQ_EMPTY(&s->queue))
		return err;
	return s->shut & UNIX_SHUT_RD ? FOUND_END : -EAGAIN;
}

struct look {
	struct unix_sock *s;
	int found;
};

static bool try_look(struct look *l)
{
	spin_lock(&unix_lock);
	l->found = found_locked(l->s);
	spin_unlock(&unix_lock);
	return l->found != -EAGAIN;
}

/* Waits for something to read until @deadline_ns: 0, FOUND_END, or an error. */
static int wait_for_message(struct unix_sock *s, u64 deadline_ns)
{
	struct look l = { .s = s };
	int err = 0;

	if (!try_look(&l) && deadline_ns)
		err = wait_event_until(&s->wq, try_look(&l), SLEEP_INTERRUPTIBLE, deadline_ns);
	return err ? unix_wait_error(err, deadline_ns) : l.found;
}

/* The first message of @s, which stays there: under read_lock only, as nobody else takes it. */
static struct unix_msg *first_message(struct unix_sock *s)
{
	struct unix_msg *msg;

	spin_lock(&unix_lock);
	msg = TAILQ_FIRST(&s->queue);
	spin_unlock(&unix_lock);
	return msg;
}

/* What comes with the bytes of @msg; its files are taken, or copied for a peek. 0 or -ENOMEM. */
static int take_extras(struct unix_sock *s, struct unix_msg *msg, struct unix_recv *recv)
{
	struct unix_rights *rights;

	if (!recv->any) {
		recv->any = true;
		recv->cred = msg->cred;
		recv->name = unix_addr_of(msg->from);
	}
	if (!msg->rights)
		return 0;
	if (recv->flags & MSG_PEEK) {
		recv->rights = unix_rights_copy(msg->rights);
		return recv->rights ? 0 : -ENOMEM;
	}
	spin_lock(&unix_lock);
	rights = unix_queue_take_rights(s, msg);
	spin_unlock(&unix_lock);
	recv->rights = rights;
	return 0;
}

/* Bytes of @msg are read; true: all of them, and it is out of the queue. */
static bool consume(struct unix_sock *s, struct unix_msg *msg, u32 n)
{
	bool all;

	spin_lock(&unix_lock);
	msg->taken += n;
	s->queue_bytes -= n;
	all = msg->taken == msg->size;
	if (all)
		unix_queue_take(s, msg);
	spin_unlock(&unix_lock);
	return all;
}

/* Does @msg go on where the last one ended? Bytes of different senders are told apart where who
 * reads asks for credentials. */
static bool joins(const struct unix_sock *s, const struct unix_recv *recv,
		  const struct unix_msg *msg)
{
	return !recv->any || !s->pass_cred || msg->cred.pid == recv->cred.pid;
}

/* What is in the queue, under read_lock: bytes, or an error if there were none. */
static s64 stream_take(struct unix_sock *s, struct unix_recv *recv)
{
	struct unix_msg *msg;
	s64 done = 0, n;
	int err;

	while ((msg = first_message(s)) && joins(s, recv, msg)) {
		n = iobuf_put(recv->to, msg->data + msg->taken, msg->size - msg->taken);
		if (n < 0)
			return done ? done : n;
		err = take_extras(s, msg, recv);
		if (err)
			return done ? done : err;
		done += n;
		if (recv->flags & MSG_PEEK || !consume(s, msg, (u32)n))
			break;
		unix_msg_free(msg);
		/* Files end a read, so that it is told with which bytes they came. */
		if (recv->rights || !recv->to->left)
			break;
	}
	return done;
}

/* Enough for now? */
static bool stream_done(const struct unix_sock *s, const struct unix_recv *recv, s64 done,
			size_t size)
{
	size_t least = recv->flags & MSG_WAITALL ? size : min((size_t)s->rcvlowat, size);

	return !recv->to->left || recv->rights || recv->flags & MSG_PEEK || done >= (s64)least ||
	       (done && s->pass_cred);
}

static s64 stream_recv(struct unix_sock *s, struct unix_recv *recv)
{
	size_t size = recv->to->left;
	s64 done = 0, n;

	if (s->state != UNIX_CONNECTED)
		return -EINVAL;
	do {
		n = wait_for_message(s, recv->deadline_ns);
		if (!n && mutex_lock_interruptible(&s->read_lock))
			n = -ERESTARTSYS;
		if (n)
			break;
		n = stream_take(s, recv);
		mutex_unlock(&s->read_lock);
		if (n < 0)
			break;
		done += n;
		/* Another reader may have been first: then look again. */
	} while ((size && !done) || !stream_done(s, recv, done, size));
	if (done || n == FOUND_END)
		return done;
	return n;
}

/* The first message, under read_lock: its bytes, -EFAULT, -ENOMEM; -EAGAIN: there is none. */
static s64 message_take(struct unix_sock *s, struct unix_recv *recv)
{
	struct unix_msg *msg = first_message(s);
	u32 size, n;
	int err;

	if (!msg)
		return -EAGAIN;
	size = msg->size;
	n = (u32)min((size_t)size, recv->to->left);
	if (n < size)
		recv->msg_flags |= MSG_TRUNC;
	err = take_extras(s, msg, recv);
	if (!err && iobuf_put(recv->to, msg->data, n) != (s64)n)
		err = -EFAULT;
	if (!(recv->flags & MSG_PEEK) && consume(s, msg, size))
		unix_msg_free(msg);
	if (err)
		return err;
	return recv->flags & MSG_TRUNC ? size : n;
}

static s64 message_recv(struct unix_sock *s, struct unix_recv *recv)
{
	s64 n;

	if (unix_connects(s) && s->state != UNIX_CONNECTED)
		return -ENOTCONN;
	do {
		n = wait_for_message(s, recv->deadline_ns);
		if (n == FOUND_END)
			return unix_connects(s) || recv->deadline_ns ? 0 : -EAGAIN;
		if (!n && mutex_lock_interruptible(&s->read_lock))
			n = -ERESTARTSYS;
		if (n)
			return n;
		n = message_take(s, recv);
		mutex_unlock(&s->read_lock);
		/* Another reader was first: again. */
	} while (n == -EAGAIN);
	return n;
}

s64 unix_recv(struct unix_sock *s, struct unix_recv *recv)
{
	if (recv->flags & MSG_OOB)
		return s->type == SOCK_STREAM ? -EINVAL : -EOPNOTSUPP;
	return s->type == SOCK_STREAM ? stream_recv(s, recv) : message_recv(s, recv);
}
