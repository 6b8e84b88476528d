/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that send and receive through sockets, with what goes along: names, files
 * (SCM_RIGHTS) and credentials.
 */
#include <asm/socket.h>
#include <string.h>

#include "host/page.h"
#include "kernel/socket_args.h"
#include "kernel/syscalls.h"
#include "kernel/time.h"

enum { SCM_RIGHTS = 1, SCM_CREDENTIALS = 2 };

/* What goes along with one message at most; net.core.optmem_max. */
enum { CONTROL_MAX = 131072 };

/* As programs lay them out. */
struct user_msghdr {
	u64 name;
	s32 name_size;
	u32 pad;
	u64 iov;
	u64 iov_count;
	u64 control;
	u64 control_size;
	u32 flags;
	u32 pad2;
};
_Static_assert(sizeof(struct user_msghdr) == 56, "struct msghdr");

struct user_mmsghdr {
	struct user_msghdr hdr;
	u32 size;
	u32 pad;
};

struct cmsghdr {
	u64 size;
	s32 level;
	s32 type;
};

/* ---- what is sent along */
/* The files that the @count descriptors at @fds name. 0, -EBADF, -EINVAL, -ENOMEM. */
static int rights_from_fds(struct unix_send *send, const char *fds, size_t count)
{
	u32 had = send->rights ? send->rights->count : 0;
	struct unix_rights *all;

	if (!count)
		return 0;
	if (had + count > UNIX_RIGHTS_MAX)
		return -EINVAL;
	all = unix_rights_new(had + (u32)count);
	if (!all)
		return -ENOMEM;
	for (u32 i = 0; i < had; i++)
		all->files[i] = send->rights->files[i];
	kfree(send->rights);
	send->rights = all;
	for (size_t i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, fds + i * sizeof(fd), sizeof(fd));
		all->files[had + i] = fd_get_raw(current_files(), fd);
		if (!all->files[had + i])
			return -EBADF;
	}
	return 0;
}

/* A process that exists; everybody here may speak for all of them. */
static int cred_from_control(struct unix_send *send, const char *data, size_t size)
{
	struct unix_cred cred;
	struct process *p;

	if (size != sizeof(cred))
		return -EINVAL;
	memcpy(&cred, data, sizeof(cred));
	if (cred.uid == ~0U || cred.gid == ~0U)
		return -EINVAL;
	p = process_find(cred.pid);
	if (!p)
		return -ESRCH;
	process_put(p);
	send->cred = cred;
	return 0;
}

static int control_item(struct unix_send *send, const struct cmsghdr *h, const char *data)
{
	size_t size = h->size - sizeof(*h);

	if (h->level != SOL_SOCKET)
		return 0;
	switch (h->type) {
	case SCM_RIGHTS: return rights_from_fds(send, data, size / sizeof(int));
	case SCM_CREDENTIALS: return cred_from_control(send, data, size);
	default: return -EINVAL;
	}
}

/* Goes through @size bytes of control messages at @control, in kernel memory. */
static int control_items(struct unix_send *send, const char *control, size_t size)
{
	size_t at = 0;
	int err = 0;

	while (!err && size - at >= sizeof(struct cmsghdr)) {
		struct cmsghdr h;

		memcpy(&h, control + at, sizeof(h));
		if (h.size < sizeof(h) || h.size > size - at)
			return -EINVAL;
		err = control_item(send, &h, control + at + sizeof(h));
		at = min((size_t)ALIGN_UP(at + h.size, 8), size);
	}
	return err;
}

static int control_from_user(struct unix_send *send, u64 p, u64 size)
{
	char *control;
	int err;

	if (size > CONTROL_MAX)
		return -ENOBUFS;
	if (!size)
		return 0;
	control = kmalloc(size);
	if (!control)
		return -ENOBUFS;
	err = copy_from_user(control, HVA(p), size) ? -EFAULT : control_items(send, control, size);
	kfree(control);
	return err;
}

/* ---- sending */
static s64 send_to(const struct socket_arg *arg, struct unix_send *send,
		   const union socket_name *to, u32 to_size)
{
	if (to_size) {
		send->to = &to->un;
		send->to_size = to_size;
	}
	send->deadline_ns = unix_deadline(arg->file->flags, send->flags, arg->sock->snd_timeout_ns);
	return unix_send(arg->sock, send);
}

s64 sys_sendto(const u64 a[6])
{
	struct unix_send send = { .flags = (u32)a[3], .cred = unix_current_cred() };
	u32 to_size = a[4] ? (u32)a[5] : 0;
	union socket_name to;
	struct socket_arg arg;
	struct iobuf from;
	s64 ret = iobuf_of(&from, a[1], a[2]);

	if (!ret)
		ret = socket_arg_get(&arg, a[0]);
	if (ret)
		return ret;
	ret = a[4] ? name_from_user(&to, a[4], (s32)to_size) : 0;
	send.from = &from;
	if (!ret)
		ret = send_to(&arg, &send, &to, to_size);
	socket_arg_end(&arg);
	return ret;
}

/* The header at @p, checked: 0, -EFAULT, -EINVAL, -EMSGSIZE. */
static int msghdr_from_user(struct user_msghdr *h, u64 p)
{
	if (copy_from_user(h, HVA(p), sizeof(*h)))
		return -EFAULT;
	if (h->name_size < 0)
		return -EINVAL;
	if (!h->name)
		h->name_size = 0;
	h->name_size = min(h->name_size, (s32)sizeof(union socket_name));
	return h->iov_count > IOV_MAX ? -EMSGSIZE : 0;
}

/* One message as the header at @p says. */
static s64 send_msg(const struct socket_arg *arg, u64 p, u32 flags)
{
	struct unix_send send = { .flags = flags, .cred = unix_current_cred() };
	struct iobuf_segment *segments = NULL;
	union socket_name to;
	struct user_msghdr h;
	struct iobuf from;
	s64 ret = msghdr_from_user(&h, p);

	if (!ret && h.name_size)
		ret = name_from_user(&to, h.name, h.name_size);
	if (!ret)
		ret = iobuf_of_vector(&from, &segments, h.iov, h.iov_count);
	if (!ret)
		ret = control_from_user(&send, h.control, h.control_size);
	send.from = &from;
	if (!ret)
		ret = send_to(arg, &send, &to, (u32)h.name_size);
	unix_rights_free(send.rights);
	kfree(segments);
	return ret;
}

s64 sys_sendmsg(const u64 a[6])
{
	struct socket_arg arg;
	s64 ret = socket_arg_get(&arg, a[0]);

	if (ret)
		return ret;
	ret = send_msg(&arg, a[1], (u32)a[2]);
	socket_arg_end(&arg);
	return ret;
}

/* How many of @count messages were done, or the error of the first. */
static s64 count_or_error(u32 done, s64 err)
{
	return done ? (s64)done : err < 0 ? err : 0;
}

static u64 mmsg_at(u64 p, u32 index)
{
	return p + index * sizeof(struct user_mmsghdr);
}

/* Writes the bytes of message @index where its header has a place for them. */
static s64 mmsg_size_to_user(u64 p, u32 index, s64 n)
{
	u32 size = (u32)n;

	return copy_to_user(HVA(mmsg_at(p, index) + offsetof(struct user_mmsghdr, size)), &size,
			    sizeof(size))
		       ? -EFAULT
		       : 0;
}

s64 sys_sendmmsg(const u64 a[6])
{
	u32 count = min((u32)a[2], (u32)IOV_MAX), done = 0;
	struct socket_arg arg;
	s64 ret = socket_arg_get(&arg, a[0]);

	if (ret)
		return ret;
	while (done < count) {
		ret = send_msg(&arg, mmsg_at(a[1], done), (u32)a[3]);
		if (ret >= 0)
			ret = mmsg_size_to_user(a[1], done, ret);
		if (ret < 0)
			break;
		done++;
		sched_point();
	}
	socket_arg_end(&arg);
	return count_or_error(done, ret);
}

/* ---- receiving */
/* The room for control messages, and how much of it is used. */
struct control {
	u64 p;
	u64 size, used;
	u32 *msg_flags;
};

/* Adds a control message with @size bytes, as much of it as there is room for; false: there is
 * none, or it cannot be written. */
static bool control_add(struct control *c, s32 type, const void *data, size_t size)
{
	struct cmsghdr h = { .size = sizeof(h) + size, .level = SOL_SOCKET, .type = type };
	u64 room = c->size - c->used, at = c->p + c->used;

	if (room < sizeof(h)) {
		*c->msg_flags |= MSG_CTRUNC;
		return false;
	}
	if (h.size > room) {
		*c->msg_flags |= MSG_CTRUNC;
		h.size = room;
	}
	if (copy_to_user(HVA(at), &h, sizeof(h)) ||
	    copy_to_user(HVA(at + sizeof(h)), data, h.size - sizeof(h)))
		return false;
	c->used += min((u64)ALIGN_UP(sizeof(h) + size, 8), room);
	return true;
}

/* Reserves up to @most descriptors: how many, with their numbers in @fds. */
static u32 reserve_fds(int *fds, u32 most)
{
	u32 n;

	for (n = 0; n < most; n++) {
		fds[n] = fd_reserve(current_files(), 0);
		if (fds[n] < 0)
			break;
	}
	return n;
}

static void fill_fds(const int *fds, u32 n, struct unix_rights *rights, u32 flags)
{
	for (u32 i = 0; i < n; i++) {
		fd_fill(current_files(), fds[i], rights->files[i],
			flags & MSG_CMSG_CLOEXEC ? FD_CLOEXEC : 0);
		rights->files[i] = NULL; /* the descriptor's now */
	}
}

static void unreserve_fds(const int *fds, u32 n)
{
	for (u32 i = 0; i < n; i++)
		fd_unreserve(current_files(), fds[i]);
}

/* The program knows a descriptor before there is a file behind it: none comes that it was not told
 * of. */
static void control_add_rights(struct control *c, struct unix_rights *rights, u32 flags)
{
	u64 room = c->size - c->used;
	u64 most =
		room <= sizeof(struct cmsghdr) ? 0 : (room - sizeof(struct cmsghdr)) / sizeof(int);
	int fds[UNIX_RIGHTS_MAX];
	u32 n = reserve_fds(fds, (u32)min(most, (u64)rights->count));

	if (n && control_add(c, SCM_RIGHTS, fds, n * sizeof(int))) {
		fill_fds(fds, n, rights, flags);
	} else {
		unreserve_fds(fds, n);
		n = 0;
	}
	if (n < rights->count)
		*c->msg_flags |= MSG_CTRUNC;
}

/* What came along, into the room that the header has for it; its size there. */
static u64 control_to_user(const struct user_msghdr *h, const struct unix_sock *s,
			   struct unix_recv *recv)
{
	struct control c = { .p = h->control,
			     .size = h->control_size,
			     .msg_flags = &recv->msg_flags };

	if (!h->control) {
		if (recv->any && (s->pass_cred || recv->rights))
			recv->msg_flags |= MSG_CTRUNC;
		return 0;
	}
	if (recv->any && s->pass_cred)
		control_add(&c, SCM_CREDENTIALS, &recv->cred, sizeof(recv->cred));
	if (recv->rights)
		control_add_rights(&c, recv->rights, recv->flags);
	return c.used;
}

static void recv_end(struct unix_recv *recv)
{
	if (recv->name)
		unix_addr_put(recv->name);
	unix_rights_free(recv->rights);
}

static s64 recv_on(const struct socket_arg *arg, struct unix_recv *recv)
{
	recv->deadline_ns = unix_deadline(arg->file->flags, recv->flags, arg->sock->rcv_timeout_ns);
	return unix_recv(arg->sock, recv);
}

s64 sys_recvfrom(const u64 a[6])
{
	struct unix_recv recv = { .flags = (u32)a[3] };
	struct socket_arg arg;
	struct iobuf to;
	s64 ret = iobuf_of(&to, a[1], a[2]), err = 0;

	if (!ret)
		ret = socket_arg_get(&arg, a[0]);
	if (ret)
		return ret;
	recv.to = &to;
	ret = recv_on(&arg, &recv);
	if (ret >= 0 && a[4])
		err = name_to_user(recv.name, 0, a[4], a[5]);
	recv_end(&recv);
	socket_arg_end(&arg);
	return err ? err : ret;
}

/* Writes what the receiver is told beside the bytes. */
static int msghdr_to_user(u64 p, const struct user_msghdr *h, const struct unix_recv *recv,
			  u64 control_size)
{
	u32 flags = recv->msg_flags | (recv->flags & MSG_CMSG_CLOEXEC);

	if (h->name &&
	    name_to_user(recv->name, 0, h->name, p + offsetof(struct user_msghdr, name_size)))
		return -EFAULT;
	if (copy_to_user(HVA(p + offsetof(struct user_msghdr, flags)), &flags, sizeof(flags)))
		return -EFAULT;
	return copy_to_user(HVA(p + offsetof(struct user_msghdr, control_size)), &control_size,
			    sizeof(control_size))
		       ? -EFAULT
		       : 0;
}

/* One message as the header at @p says. */
static s64 recv_msg(const struct socket_arg *arg, u64 p, u32 flags)
{
	struct unix_recv recv = { .flags = flags };
	struct iobuf_segment *segments = NULL;
	struct user_msghdr h;
	struct iobuf to;
	s64 ret = msghdr_from_user(&h, p), err = 0;

	if (!ret)
		ret = iobuf_of_vector(&to, &segments, h.iov, h.iov_count);
	if (ret) {
		kfree(segments);
		return ret;
	}
	recv.to = &to;
	ret = recv_on(arg, &recv);
	if (ret >= 0)
		err = msghdr_to_user(p, &h, &recv, control_to_user(&h, arg->sock, &recv));
	recv_end(&recv);
	kfree(segments);
	return err ? err : ret;
}

s64 sys_recvmsg(const u64 a[6])
{
	struct socket_arg arg;
	s64 ret = socket_arg_get(&arg, a[0]);

	if (ret)
		return ret;
	ret = recv_msg(&arg, a[1], (u32)a[2]);
	socket_arg_end(&arg);
	return ret;
}

static s64 recv_msgs(const struct socket_arg *arg, const u64 a[6], u64 deadline_ns)
{
	u32 count = min((u32)a[2], (u32)IOV_MAX), flags = (u32)a[3], done = 0;
	s64 ret = 0;

	while (done < count) {
		ret = recv_msg(arg, mmsg_at(a[1], done), flags & ~(u32)MSG_WAITFORONE);
		if (ret >= 0)
			ret = mmsg_size_to_user(a[1], done, ret);
		if (ret < 0)
			break;
		done++;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		/* The time is looked at after each message, as recvmmsg(2) says. */
		if (port_time_ns() >= deadline_ns)
			break;
		sched_point();
	}
	return count_or_error(done, ret);
}

s64 sys_recvmmsg(const u64 a[6])
{
	u64 deadline_ns = SCHED_FOREVER, ns, now;
	struct socket_arg arg;
	s64 ret = a[4] ? timespec_from_user(HVA(a[4]), &ns) : 0;

	if (ret)
		return ret;
	if (a[4])
		deadline_ns = time_after(ns);
	ret = socket_arg_get(&arg, a[0]);
	if (ret)
		return ret;
	ret = recv_msgs(&arg, a, deadline_ns);
	socket_arg_end(&arg);
	now = port_time_ns();
	if (a[4] && ret > 0 &&
	    timespec_to_user(HVA(a[4]), deadline_ns > now ? deadline_ns - now : 0))
		return -EFAULT;
	return ret;
}
