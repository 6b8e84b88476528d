/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets of AF_UNIX (unix(7)), the only family there is: what the files of kernel/unix_*.c and the
 * system calls on sockets share. Where a comment says so of no other source, the behaviour is
 * Linux's.
 *
 * unix_lock (spin, one for all sockets) guards names, peers, states and queues: every hold moves
 * pointers and numbers and touches no program's memory. A reader copies out of the first message of
 * its socket under the socket's read_lock (sleeping), which makes it the only one that takes
 * messages out, until the socket's file is gone; messages are filled before anybody else sees them.
 *
 * A message is charged to the socket that sent it until it is read or dropped, and to a total for
 * all sockets: a program that sends without end waits, or gets EAGAIN or ENOBUFS.
 *
 * Files in messages form no cycles: a file is not sent where, through messages that wait, its own
 * socket would come to hold it (ETOOMANYREFS). So the last close of a socket always frees what only
 * it held, and there is nothing to collect.
 */
#ifndef KERNEL_UNIX_SOCK_H
#define KERNEL_UNIX_SOCK_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <linux/socket.h>
#include <linux/un.h>

#include "host/file.h"

struct inode;

/* Linux's uapi headers leave these to the C library. */
enum { AF_UNSPEC = 0, AF_UNIX = 1 };
enum { SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_RAW = 3, SOCK_SEQPACKET = 5, SOCK_MAX = 11 };
enum {
	MSG_OOB = 0x1,
	MSG_PEEK = 0x2,
	MSG_CTRUNC = 0x8,
	MSG_TRUNC = 0x20,
	MSG_DONTWAIT = 0x40,
	MSG_WAITALL = 0x100,
	MSG_NOSIGNAL = 0x4000,
	MSG_WAITFORONE = 0x10000,
	MSG_CMSG_CLOEXEC = 0x40000000,
};
/* Directions that are shut down; SHUT_RD and its kin are one less. */
enum { UNIX_SHUT_RD = 1, UNIX_SHUT_WR = 2, UNIX_SHUT_BOTH = 3 };

enum {
	UNIX_RIGHTS_MAX = 253,	      /* files in one message: SCM_MAX_FD */
	UNIX_IN_FLIGHT_MAX = 4096,    /* files in all messages; ours */
	UNIX_BUFFER_DEFAULT = 212992, /* SO_SNDBUF and SO_RCVBUF at first and at most, doubled */
	UNIX_SNDBUF_MIN = 4608,
	UNIX_RCVBUF_MIN = 2304,
	UNIX_DATAGRAMS_MAX = 10, /* net.unix.max_dgram_qlen */
	UNIX_BACKLOG_MAX = 4096, /* net.core.somaxconn */
	UNIX_MESSAGE_COST = 640, /* what a message is charged beside its bytes */
};

/* struct ucred. */
struct unix_cred {
	s32 pid;
	u32 uid, gid;
};

/* A name: a path, or behind a leading NUL an abstract one. Immutable. */
struct unix_addr {
	u32 refs; /* atomic */
	u32 size; /* with the family: what getsockname tells */
	u16 family;
	char name[UNIX_PATH_MAX + 1];
};

/* Files on their way, each counted. */
struct unix_rights {
	u32 count;
	struct file *files[];
};

struct unix_msg {
	TAILQ_ENTRY(unix_msg) link;
	TAILQ_ENTRY(unix_msg) rights_link; /* in its queue's list of those with files */
	struct unix_sock *from;		   /* counted, charged */
	struct unix_rights *rights;	   /* or NULL; guarded by unix_lock once queued */
	struct unix_cred cred;
	u32 charge;
	u32 size;
	u32 taken; /* bytes already read (streams); guarded by the reader's read_lock */
	char data[];
};
TAILQ_HEAD(unix_msgs, unix_msg);

enum unix_state { UNIX_UNCONNECTED, UNIX_LISTENING, UNIX_CONNECTED };

TAILQ_HEAD(unix_socks, unix_sock);

struct unix_sock {
	u32 refs;		/* atomic: its file, its peers, its messages */
	u32 type;		/* SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET; immutable */
	u64 ino;		/* immutable */
	struct waitq wq;	/* of who reads, writes, accepts or polls */
	struct waitq space;	/* of who waits for a place in its queue or backlog */
	struct mutex read_lock; /* readers take turns */
	struct mutex bind_lock; /* who gives it a name */
	/* Guarded by unix_lock */
	enum unix_state state;
	bool dead;		/* its file is gone */
	u32 shut;		/* UNIX_SHUT_* */
	int error;		/* positive; told once */
	struct unix_addr *addr; /* counted; set once */
	struct inode *inode;	/* counted: where its path leads to */
	RB_ENTRY(unix_sock) abstract_link;
	bool abstract;		/* it is in the tree of abstract names */
	struct unix_sock *peer; /* counted */
	struct unix_msgs queue;
	struct unix_msgs queue_rights; /* those of them with files */
	u32 queue_count;
	u64 queue_bytes;
	u64 charged;		    /* messages it sent that are not read yet */
	struct unix_cred cred;	    /* of who made it, or called listen or connect */
	struct unix_cred peer_cred; /* SO_PEERCRED */
	/* Those polling found this socket's queue full: to be woken once there is room. */
	struct unix_socks found_full;
	TAILQ_ENTRY(unix_sock) full_link;
	struct unix_sock *full; /* whose list it is in, or NULL */
	/* A listener's connections that wait for accept, and those of them whose queues hold files.
	 */
	struct unix_socks backlog;
	struct unix_socks backlog_rights;
	u32 backlog_count, backlog_max;
	u64 backlog_charged;	    /* messages that wait for those in the backlog */
	struct unix_sock *listener; /* of one that waits for accept; not counted */
	TAILQ_ENTRY(unix_sock) backlog_link, backlog_rights_link;
	/* For walks over files on their way */
	u64 walk;
	STAILQ_ENTRY(unix_sock) walk_link;
	/* Options: kernel/sockopt.c. Words that are read without the lock. */
	u32 sndbuf, rcvbuf;
	s32 rcvlowat;
	u64 rcv_timeout_ns, snd_timeout_ns; /* 0: none */
	bool pass_cred;
	u32 flags; /* SO_* that have no effect on this family, a bit for each */
	s32 linger[2];
	s32 priority;
};

extern struct spinlock unix_lock;

/* Streams and sequences of packets: with listeners and connections. */
static inline bool unix_connects(const struct unix_sock *s)
{
	return s->type != SOCK_DGRAM;
}

/* ---- kernel/unix_sock.c: sockets and their files */
/* Once, before the first program. */
void unix_init(void);
/* One reference; ERR_PTR(-ENOMEM, -ENFILE: there are too many). */
struct unix_sock *unix_sock_new(u32 type);
struct unix_sock *unix_get(struct unix_sock *s);
void unix_put(struct unix_sock *s);
/* A file for @s, whose reference goes into it; on failure (NULL) @s is closed. */
struct file *unix_file(struct unix_sock *s, u32 flags);
/* The socket of @f, or NULL. */
struct unix_sock *unix_of_file(const struct file *f);
/* Its file is gone, or it never had one: leaves names and peers, drops what is in its queues and
 * its reference. Sleeps. */
void unix_close(struct unix_sock *s);
/* @how: UNIX_SHUT_*. */
void unix_shutdown(struct unix_sock *s, u32 how);
struct unix_cred unix_current_cred(void);
/* The counted peer, or NULL. */
struct unix_sock *unix_peer(struct unix_sock *s);
/* Takes the error that waits: 0 or negative. Under unix_lock. */
int unix_take_error(struct unix_sock *s);
/* Tells who waits on @s that anything may have changed. */
void unix_wake(struct unix_sock *s);
/*
 * The deadline of an operation that may wait @timeout_ns (0: for ever): 0 says not to wait.
 */
u64 unix_deadline(u32 file_flags, u32 msg_flags, u64 timeout_ns);
/* What a wait until @deadline_ns that ended with -EINTR or -ETIMEDOUT means to the caller. */
int unix_wait_error(int err, u64 deadline_ns);

/* ---- kernel/unix_name.c: names and connections */
/* The name in @size bytes at @a, as programs give it; ERR_PTR(-EINVAL, -ENOMEM). */
struct unix_addr *unix_addr_new(const struct sockaddr_un *a, u32 size);
void unix_addr_put(struct unix_addr *addr);
/* The counted name of @s, or NULL. */
struct unix_addr *unix_addr_of(struct unix_sock *s);
s64 unix_bind(struct unix_sock *s, const struct sockaddr_un *a, u32 size);
/* Gives @s an abstract name of its own if it has none. 0, -ENOMEM, -EADDRINUSE. */
int unix_autobind(struct unix_sock *s);
s64 unix_listen(struct unix_sock *s, int backlog);
s64 unix_connect(struct unix_sock *s, const struct sockaddr_un *a, u32 size, u64 deadline_ns);
/* The connection that waited longest, with the listener's reference; ERR_PTR. */
struct unix_sock *unix_accept(struct unix_sock *s, u64 deadline_ns);
/* Connects two new sockets with each other. */
void unix_pair(struct unix_sock *a, struct unix_sock *b);
/* The counted socket of @type with the name @addr; ERR_PTR(-ECONNREFUSED, -EPROTOTYPE, or what the
 * walk along the path says). */
struct unix_sock *unix_find(const struct unix_addr *addr, u32 type);
/* Leaves the names: under unix_lock; the inode it had is for the caller to put. */
struct inode *unix_leave_names(struct unix_sock *s);

/* ---- kernel/unix_queue.c: messages */
/* Once, before the first socket. */
void unix_queue_init(void);
struct unix_rights *unix_rights_new(u32 count);
/* Drops the files too, which may close sockets: no lock held. NULL is fine. */
void unix_rights_free(struct unix_rights *rights);
/* Another set of the same files; NULL: no memory. */
struct unix_rights *unix_rights_copy(const struct unix_rights *rights);
/*
 * A message of @size bytes from @s, charged to it, not filled; waits until @deadline_ns for @s to
 * have room. ERR_PTR(-EAGAIN, -EPIPE, -ENOBUFS, -ERESTARTSYS, -EINTR, the error that waits).
 */
struct unix_msg *unix_msg_new(struct unix_sock *s, u32 size, u64 deadline_ns);
/* What the messages in @s's queue are charged together, roughly while others change it. */
u64 unix_queue_charge(const struct unix_sock *s);
/* Drops a message, or all of @msgs: no lock held. */
void unix_msg_free(struct unix_msg *msg);
void unix_msgs_free(struct unix_msgs *msgs);
/* Puts @msg at the end of @to's queue, under unix_lock; -ETOOMANYREFS, -ENOBUFS: not done. */
int unix_queue_add(struct unix_sock *to, struct unix_msg *msg);
/* Takes @msg, which is queued, out; wakes who waits for the place. Under unix_lock. */
void unix_queue_take(struct unix_sock *s, struct unix_msg *msg);
/* Takes the files out of the message, which stays queued. Under unix_lock. */
struct unix_rights *unix_queue_take_rights(struct unix_sock *s, struct unix_msg *msg);
/* All messages of @s, into @msgs. Under unix_lock. */
void unix_queue_take_all(struct unix_sock *s, struct unix_msgs *msgs);

/* ---- kernel/unix_io.c: sending and receiving */
struct unix_send {
	struct iobuf *from;
	u32 flags; /* MSG_* */
	u64 deadline_ns;
	const struct sockaddr_un *to; /* or NULL */
	u32 to_size;
	struct unix_rights *rights; /* NULL once it is in a message */
	struct unix_cred cred;
};
/* Bytes sent, or an error. */
s64 unix_send(struct unix_sock *s, struct unix_send *send);

struct unix_recv {
	struct iobuf *to;
	u32 flags; /* MSG_* */
	u64 deadline_ns;
	/* What came: for the caller to drop */
	u32 msg_flags;		    /* MSG_TRUNC */
	struct unix_addr *name;	    /* of the sender, or NULL */
	struct unix_rights *rights; /* or NULL */
	struct unix_cred cred;	    /* of the sender */
	bool any;		    /* there was a message */
};
/* Bytes received, 0 at the end, or an error. */
s64 unix_recv(struct unix_sock *s, struct unix_recv *recv);

#endif
