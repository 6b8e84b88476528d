/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of AF_UNIX sockets, and the connections that are made by them.
 */
#include <asm/poll.h>
#include <string.h>

#include "host/page.h"
#include "kernel/fs_args.h"
#include "kernel/unix_sock.h"

/* Bytes of a name before its path. */
#define NAME_OFFSET offsetof(struct sockaddr_un, sun_path)

/* ---- names as such */
static bool is_abstract(const struct unix_addr *addr)
{
	return addr->name[0] == '\0';
}

/* A path ends at its NUL, or where the bytes given end: its size counts the NUL. */
struct unix_addr *unix_addr_new(const struct sockaddr_un *a, u32 size)
{
	struct unix_addr *addr;
	u32 n;

	if (size <= NAME_OFFSET || size > sizeof(*a) || a->sun_family != AF_UNIX)
		return ERR_PTR(-EINVAL);
	addr = kzalloc(sizeof(*addr));
	if (!addr)
		return ERR_PTR(-ENOMEM);
	n = size - (u32)NAME_OFFSET;
	addr->refs = 1;
	addr->family = AF_UNIX;
	memcpy(addr->name, a->sun_path, n);
	if (!is_abstract(addr))
		n = (u32)strnlen(addr->name, n) + 1;
	addr->size = (u32)NAME_OFFSET + n;
	return addr;
}

static struct unix_addr *addr_get(struct unix_addr *addr)
{
	__atomic_fetch_add(&addr->refs, 1, __ATOMIC_RELAXED);
	return addr;
}

void unix_addr_put(struct unix_addr *addr)
{
	if (__atomic_sub_fetch(&addr->refs, 1, __ATOMIC_ACQ_REL) == 0)
		kfree(addr);
}

struct unix_addr *unix_addr_of(struct unix_sock *s)
{
	struct unix_addr *addr;

	spin_lock(&unix_lock);
	addr = s->addr ? addr_get(s->addr) : NULL;
	spin_unlock(&unix_lock);
	return addr;
}

/* ---- abstract names, apart for each type; guarded by unix_lock */
RB_HEAD(abstract_names, unix_sock);
static struct abstract_names abstract_names;

static int addr_cmp(const struct unix_addr *a, const struct unix_addr *b)
{
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	return memcmp(a->name, b->name, a->size - NAME_OFFSET);
}

static int abstract_cmp(const struct unix_sock *a, const struct unix_sock *b)
{
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	return addr_cmp(a->addr, b->addr);
}

RB_GENERATE_INTERNAL(abstract_names, unix_sock, abstract_link, abstract_cmp, static __maybe_unused)

struct inode *unix_leave_names(struct unix_sock *s)
{
	struct inode *inode = s->inode;

	if (s->abstract)
		RB_REMOVE(abstract_names, &abstract_names, s);
	s->abstract = false;
	if (inode)
		inode->priv = NULL;
	s->inode = NULL;
	return inode;
}

/* @addr's reference goes into @s; false: somebody has that name. */
static bool take_abstract(struct unix_sock *s, struct unix_addr *addr)
{
	bool taken;

	spin_lock(&unix_lock);
	s->addr = addr;
	taken = RB_INSERT(abstract_names, &abstract_names, s) != NULL;
	s->abstract = !taken;
	if (taken)
		s->addr = NULL;
	spin_unlock(&unix_lock);
	return !taken;
}

/* ---- bind */
static s64 bind_abstract(struct unix_sock *s, struct unix_addr *addr)
{
	if (take_abstract(s, addr))
		return 0;
	unix_addr_put(addr);
	return -EADDRINUSE;
}

static s64 bind_path(struct unix_sock *s, struct unix_addr *addr)
{
	struct inode *inode = inode_alloc(FS_ROOT, S_IFSOCK | (0777 & ~current_fs()->umask), NULL);
	struct inode *start;
	int ret;

	if (IS_ERR(inode)) {
		unix_addr_put(addr);
		return PTR_ERR(inode);
	}
	start = vfs_start(AT_FDCWD, addr->name);
	ret = vfs_add_new(start, addr->name, inode_get(inode));
	inode_put(start);
	if (ret) {
		inode_put(inode);
		unix_addr_put(addr);
		return ret == -EEXIST ? -EADDRINUSE : ret;
	}
	spin_lock(&unix_lock);
	inode->priv = s;
	s->inode = inode;
	s->addr = addr;
	spin_unlock(&unix_lock);
	return 0;
}

/* What is said of a second name: Linux makes the path before it looks at the socket. */
static int bind_again_error(const struct unix_addr *addr)
{
	struct inode *there;

	if (is_abstract(addr))
		return -EINVAL;
	there = vfs_named(AT_FDCWD, addr->name, AT_SYMLINK_NOFOLLOW, NULL);
	if (IS_ERR(there))
		return -EINVAL;
	inode_put(there);
	return -EADDRINUSE;
}

/* "\0" and five digits, as Linux names them. */
static void number_name(struct sockaddr_un *a, u32 number)
{
	static const char digits[] = "0123456789abcdef";

	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	for (int i = 5; i >= 1; i--, number >>= 4)
		a->sun_path[i] = digits[number & 15];
}

enum { NUMBER_NAMES = 1 << 20, NUMBER_NAME_SIZE = 6 };

static int autobind_locked(struct unix_sock *s)
{
	static u32 last;
	struct sockaddr_un a;
	struct unix_addr *addr;

	if (s->addr)
		return 0;
	for (u32 tries = 0; tries < NUMBER_NAMES; tries++) {
		u32 number = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED) % NUMBER_NAMES;

		number_name(&a, number);
		addr = unix_addr_new(&a, NAME_OFFSET + NUMBER_NAME_SIZE);
		if (IS_ERR(addr))
			return (int)PTR_ERR(addr);
		if (take_abstract(s, addr))
			return 0;
		unix_addr_put(addr);
		sched_point();
	}
	return -EADDRINUSE;
}

int unix_autobind(struct unix_sock *s)
{
	int ret = mutex_lock_interruptible(&s->bind_lock);

	if (ret)
		return -ERESTARTSYS;
	ret = autobind_locked(s);
	mutex_unlock(&s->bind_lock);
	return ret;
}

s64 unix_bind(struct unix_sock *s, const struct sockaddr_un *a, u32 size)
{
	struct unix_addr *addr;
	s64 ret;

	if (size == NAME_OFFSET && a->sun_family == AF_UNIX)
		return unix_autobind(s);
	addr = unix_addr_new(a, size);
	if (IS_ERR(addr))
		return PTR_ERR(addr);
	if (mutex_lock_interruptible(&s->bind_lock)) {
		unix_addr_put(addr);
		return -ERESTARTSYS;
	}
	if (s->addr) {
		ret = bind_again_error(addr);
		unix_addr_put(addr);
	} else {
		ret = is_abstract(addr) ? bind_abstract(s, addr) : bind_path(s, addr);
	}
	mutex_unlock(&s->bind_lock);
	return ret;
}

/* ---- who has a name */
static struct unix_sock *find_abstract(const struct unix_addr *addr, u32 type)
{
	struct unix_sock key = { .type = type, .addr = (struct unix_addr *)(uintptr_t)addr }, *s;

	spin_lock(&unix_lock);
	s = RB_FIND(abstract_names, &abstract_names, &key);
	if (s)
		unix_get(s);
	spin_unlock(&unix_lock);
	return s ? s : ERR_PTR(-ECONNREFUSED);
}

static struct unix_sock *find_path(const char *path, u32 type)
{
	struct inode *inode = vfs_named(AT_FDCWD, path, 0, NULL);
	struct unix_sock *s = NULL;

	if (IS_ERR(inode))
		return (struct unix_sock *)inode;
	spin_lock(&unix_lock);
	if (S_ISSOCK(inode->mode) && inode->priv)
		s = unix_get(inode->priv);
	spin_unlock(&unix_lock);
	inode_put(inode);
	if (!s)
		return ERR_PTR(-ECONNREFUSED);
	if (s->type != type) {
		unix_put(s);
		return ERR_PTR(-EPROTOTYPE);
	}
	return s;
}

struct unix_sock *unix_find(const struct unix_addr *addr, u32 type)
{
	return is_abstract(addr) ? find_abstract(addr, type) : find_path(addr->name, type);
}

/* ---- listen */
/* Under unix_lock. */
static int listen_check(const struct unix_sock *s)
{
	if (!s->addr)
		return -EINVAL;
	return s->state == UNIX_CONNECTED ? -EINVAL : 0;
}

s64 unix_listen(struct unix_sock *s, int backlog)
{
	struct unix_cred cred = unix_current_cred();
	int ret;

	if (!unix_connects(s))
		return -EOPNOTSUPP;
	spin_lock(&unix_lock);
	ret = listen_check(s);
	if (!ret) {
		s->state = UNIX_LISTENING;
		s->backlog_max = min((u32)backlog, (u32)UNIX_BACKLOG_MAX);
		s->cred = cred;
	}
	spin_unlock(&unix_lock);
	if (!ret)
		waitq_wake(&s->space, WAKE_ALL, 0);
	return ret;
}

/* ---- connections. Under unix_lock */
static void make_peers(struct unix_sock *a, struct unix_sock *b)
{
	a->peer = unix_get(b);
	b->peer = unix_get(a);
	a->peer_cred = b->cred;
	b->peer_cred = a->cred;
	a->state = b->state = UNIX_CONNECTED;
}

void unix_pair(struct unix_sock *a, struct unix_sock *b)
{
	spin_lock(&unix_lock);
	make_peers(a, b);
	spin_unlock(&unix_lock);
}

static bool takes_connections(const struct unix_sock *s)
{
	return s->state == UNIX_LISTENING && !s->dead && !(s->shut & UNIX_SHUT_RD);
}

static bool backlog_full(const struct unix_sock *s)
{
	return s->backlog_count > s->backlog_max;
}

/* Connects @s with @fresh, which waits at @listener for accept. */
static int join_backlog(struct unix_sock *s, struct unix_sock *listener, struct unix_sock *fresh)
{
	if (!takes_connections(listener))
		return -ECONNREFUSED;
	if (backlog_full(listener))
		return -EAGAIN;
	if (s->state != UNIX_UNCONNECTED)
		return s->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
	s->cred = unix_current_cred();
	fresh->cred = listener->cred;
	fresh->addr = listener->addr ? addr_get(listener->addr) : NULL;
	fresh->listener = listener;
	make_peers(s, fresh);
	TAILQ_INSERT_TAIL(&listener->backlog, fresh, backlog_link);
	listener->backlog_count++;
	return 0;
}

static bool backlog_changed(struct unix_sock *listener)
{
	bool changed;

	spin_lock(&unix_lock);
	changed = !takes_connections(listener) || !backlog_full(listener);
	spin_unlock(&unix_lock);
	return changed;
}

/* One attempt to connect @s with whoever listens at @addr; waits for a place. */
static int connect_once(struct unix_sock *s, const struct unix_addr *addr, struct unix_sock *fresh,
			u64 deadline_ns)
{
	struct unix_sock *listener = unix_find(addr, s->type);
	int ret, err = 0;

	if (IS_ERR(listener))
		return (int)PTR_ERR(listener);
	spin_lock(&unix_lock);
	ret = join_backlog(s, listener, fresh);
	spin_unlock(&unix_lock);
	if (!ret)
		waitq_wake(&listener->wq, WAKE_ALL, POLLIN | POLLRDNORM);
	if (ret == -EAGAIN && deadline_ns)
		err = wait_event_until(&listener->space, backlog_changed(listener),
				       SLEEP_INTERRUPTIBLE, deadline_ns);
	unix_put(listener);
	if (ret == -EAGAIN && deadline_ns)
		return err ? unix_wait_error(err, deadline_ns) : -EINPROGRESS;
	return ret;
}

static s64 connect_stream(struct unix_sock *s, const struct unix_addr *addr, u64 deadline_ns)
{
	struct unix_sock *fresh = unix_sock_new(s->type);
	int ret = s->pass_cred ? unix_autobind(s) : 0;

	if (IS_ERR(fresh))
		return PTR_ERR(fresh);
	while (!ret) {
		ret = connect_once(s, addr, fresh, deadline_ns);
		if (!ret) {
			unix_wake(s);
			return 0;
		}
		/* There may be a place now: again. */
		if (ret == -EINPROGRESS)
			ret = 0;
	}
	unix_put(fresh);
	return ret;
}

/*
 * What @s got from its old peer is lost when it turns to another: who sent it is told. @peer's
 * reference goes into @s, the messages into @lost. Under read_lock, as a reader may be at them.
 */
static void set_datagram_peer(struct unix_sock *s, struct unix_sock *peer, struct unix_msgs *lost)
{
	struct unix_sock *old;

	spin_lock(&unix_lock);
	old = s->peer;
	s->peer = peer;
	s->state = peer ? UNIX_CONNECTED : UNIX_UNCONNECTED;
	if (s->full)
		TAILQ_REMOVE(&s->full->found_full, s, full_link);
	s->full = NULL;
	if (old && old != peer && !TAILQ_EMPTY(&s->queue)) {
		unix_queue_take_all(s, lost);
		if (!old->dead && old->peer == s)
			old->error = ECONNRESET;
	}
	spin_unlock(&unix_lock);
	if (old)
		unix_wake(old);
	unix_wake(s);
	unix_put(old);
}

/* 0, or -ERESTARTSYS: then nothing changed, and @peer's reference is put. */
static int turn_to_peer(struct unix_sock *s, struct unix_sock *peer)
{
	struct unix_msgs lost = TAILQ_HEAD_INITIALIZER(lost);

	if (mutex_lock_interruptible(&s->read_lock)) {
		unix_put(peer);
		return -ERESTARTSYS;
	}
	set_datagram_peer(s, peer, &lost);
	mutex_unlock(&s->read_lock);
	unix_msgs_free(&lost);
	return 0;
}

/* Only its own peer may send to a socket that has one. */
static bool may_send_to(struct unix_sock *s, struct unix_sock *to)
{
	bool may;

	spin_lock(&unix_lock);
	may = !to->peer || to->peer == s;
	spin_unlock(&unix_lock);
	return may;
}

static s64 connect_datagram(struct unix_sock *s, const struct unix_addr *addr)
{
	struct unix_sock *to;
	int ret = s->pass_cred ? unix_autobind(s) : 0;

	if (ret)
		return ret;
	to = unix_find(addr, s->type);
	if (IS_ERR(to))
		return PTR_ERR(to);
	if (!may_send_to(s, to)) {
		unix_put(to);
		return -EPERM;
	}
	return turn_to_peer(s, to);
}

s64 unix_connect(struct unix_sock *s, const struct sockaddr_un *a, u32 size, u64 deadline_ns)
{
	struct unix_addr *addr;
	s64 ret;

	if (size < NAME_OFFSET)
		return -EINVAL;
	if (!unix_connects(s) && a->sun_family == AF_UNSPEC)
		return turn_to_peer(s, NULL);
	addr = unix_addr_new(a, size);
	if (IS_ERR(addr))
		return PTR_ERR(addr);
	ret = unix_connects(s) ? connect_stream(s, addr, deadline_ns) : connect_datagram(s, addr);
	unix_addr_put(addr);
	return ret;
}

/* ---- accept */
struct accept_try {
	struct unix_sock *listener;
	struct unix_sock *got;
	int err;
};

/* One attempt; false: nobody is there yet. */
static bool try_accept(struct accept_try *t)
{
	struct unix_sock *s = t->listener, *got;

	spin_lock(&unix_lock);
	got = TAILQ_FIRST(&s->backlog);
	t->err = 0;
	if (s->state != UNIX_LISTENING || (!got && s->shut & UNIX_SHUT_RD))
		t->err = -EINVAL;
	if (!t->err && got) {
		TAILQ_REMOVE(&s->backlog, got, backlog_link);
		s->backlog_count--;
		s->backlog_charged -= unix_queue_charge(got);
		if (!TAILQ_EMPTY(&got->queue_rights))
			TAILQ_REMOVE(&s->backlog_rights, got, backlog_rights_link);
		got->listener = NULL;
		t->got = got;
	}
	spin_unlock(&unix_lock);
	return t->err || t->got;
}

struct unix_sock *unix_accept(struct unix_sock *s, u64 deadline_ns)
{
	struct accept_try t = { .listener = s };
	int err = 0;

	if (!unix_connects(s))
		return ERR_PTR(-EOPNOTSUPP);
	if (!try_accept(&t))
		err = deadline_ns ? wait_event_until(&s->wq, try_accept(&t), SLEEP_INTERRUPTIBLE,
						     deadline_ns)
				  : -ETIMEDOUT;
	if (err || t.err)
		return ERR_PTR(err ? unix_wait_error(err, deadline_ns) : t.err);
	waitq_wake(&s->space, WAKE_ALL, 0);
	return t.got;
}
