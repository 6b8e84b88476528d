/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that make, name and connect sockets. AF_UNIX is the only family.
 */
#include <string.h>

#include "kernel/socket_args.h"
#include "kernel/syscalls.h"

/* Flags beside a socket's type; they are those of open(). */
#define SOCK_TYPE_MASK 0xf
#define SOCK_FLAGS     (O_CLOEXEC | O_NONBLOCK)

int socket_arg_get(struct socket_arg *arg, u64 fd)
{
	arg->file = file_arg(fd);
	if (!arg->file)
		return -EBADF;
	arg->sock = unix_of_file(arg->file);
	if (arg->sock)
		return 0;
	file_put(arg->file);
	return -ENOTSOCK;
}

void socket_arg_end(struct socket_arg *arg)
{
	file_put(arg->file);
}

int name_from_user(union socket_name *name, u64 p, s32 size)
{
	if (size < 0 || (size_t)size > sizeof(*name))
		return -EINVAL;
	memset(name, 0, sizeof(*name));
	return size && copy_from_user(name, HVA(p), (size_t)size) ? -EFAULT : 0;
}

int name_to_user(const struct unix_addr *addr, u32 none_size, u64 p, u64 size_p)
{
	u16 family = AF_UNIX;
	u32 size = addr ? addr->size : none_size;
	s32 room;

	if (copy_from_user(&room, HVA(size_p), sizeof(room)))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if (copy_to_user(HVA(p), addr ? &addr->family : &family, min((u32)room, size)))
		return -EFAULT;
	return copy_to_user(HVA(size_p), &size, sizeof(size)) ? -EFAULT : 0;
}

/* ---- making them */
/* The type that @type and @protocol ask of this family, or an error. */
static s64 socket_type(u64 family, u32 type, s32 protocol)
{
	if (type & ~(u32)(SOCK_TYPE_MASK | SOCK_FLAGS))
		return -EINVAL;
	type &= SOCK_TYPE_MASK;
	if (type >= SOCK_MAX)
		return -EINVAL;
	if ((s32)family != AF_UNIX)
		return -EAFNOSUPPORT;
	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	switch (type) {
	case SOCK_STREAM:
	case SOCK_SEQPACKET: return type;
	case SOCK_RAW:
	case SOCK_DGRAM: return SOCK_DGRAM;
	default: return -ESOCKTNOSUPPORT;
	}
}

s64 sys_socket(const u64 a[6])
{
	s64 type = socket_type(a[0], (u32)a[1], (s32)a[2]);
	struct unix_sock *s;

	if (type < 0)
		return type;
	s = unix_sock_new((u32)type);
	if (IS_ERR(s))
		return PTR_ERR(s);
	return fd_for_file(unix_file(s, (u32)a[1]), (u32)a[1]);
}

/* Two files for the sockets, which are closed with them; -ENOMEM: both are. */
static int files_of_pair(struct file *ends[2], struct unix_sock *const s[2], u32 flags)
{
	ends[0] = unix_file(s[0], flags);
	ends[1] = unix_file(s[1], flags);
	if (ends[0] && ends[1])
		return 0;
	for (int i = 0; i < 2; i++)
		if (ends[i])
			file_put(ends[i]);
	return -ENOMEM;
}

/* Two files that are connected; on error nothing is made. */
static int pair_files(struct file *ends[2], u32 type, u32 flags)
{
	struct unix_sock *s[2];

	s[0] = unix_sock_new(type);
	if (IS_ERR(s[0]))
		return (int)PTR_ERR(s[0]);
	s[1] = unix_sock_new(type);
	if (IS_ERR(s[1])) {
		unix_put(s[0]);
		return (int)PTR_ERR(s[1]);
	}
	unix_pair(s[0], s[1]);
	return files_of_pair(ends, s, flags);
}

s64 sys_socketpair(const u64 a[6])
{
	u32 flags = (u32)a[1];
	s64 type = socket_type(a[0], flags, (s32)a[2]);
	struct file *ends[2] = { 0 };
	int err;

	if (type < 0)
		return type;
	err = pair_files(ends, (u32)type, flags);
	if (err)
		return err;
	return fds_for_files(ends, flags, HVA(a[3]));
}

/* ---- names */
s64 sys_bind(const u64 a[6])
{
	union socket_name name;
	struct socket_arg arg;
	s64 ret = socket_arg_get(&arg, a[0]);

	if (ret)
		return ret;
	ret = name_from_user(&name, a[1], (s32)a[2]);
	if (!ret)
		ret = unix_bind(arg.sock, &name.un, (u32)a[2]);
	socket_arg_end(&arg);
	return ret;
}

s64 sys_connect(const u64 a[6])
{
	union socket_name name;
	struct socket_arg arg;
	s64 ret = socket_arg_get(&arg, a[0]);

	if (ret)
		return ret;
	ret = name_from_user(&name, a[1], (s32)a[2]);
	if (!ret)
		ret = unix_connect(arg.sock, &name.un, (u32)a[2],
				   unix_deadline(arg.file->flags, 0, arg.sock->snd_timeout_ns));
	socket_arg_end(&arg);
	return ret;
}

/* Without a name there is the family alone. */
static s64 name_of(struct unix_sock *s, u64 p, u64 size_p)
{
	struct unix_addr *addr = unix_addr_of(s);
	s64 ret = name_to_user(addr, sizeof(u16), p, size_p);

	if (addr)
		unix_addr_put(addr);
	return ret;
}

s64 sys_getsockname(const u64 a[6])
{
	struct socket_arg arg;
	s64 ret = socket_arg_get(&arg, a[0]);

	if (ret)
		return ret;
	ret = name_of(arg.sock, a[1], a[2]);
	socket_arg_end(&arg);
	return ret;
}

s64 sys_getpeername(const u64 a[6])
{
	struct unix_sock *peer;
	struct socket_arg arg;
	s64 ret = socket_arg_get(&arg, a[0]);

	if (ret)
		return ret;
	peer = unix_peer(arg.sock);
	ret = peer ? name_of(peer, a[1], a[2]) : -ENOTCONN;
	unix_put(peer);
	socket_arg_end(&arg);
	return ret;
}

/* ---- listeners */
s64 sys_listen(const u64 a[6])
{
	struct socket_arg arg;
	s64 ret = socket_arg_get(&arg, a[0]);

	if (ret)
		return ret;
	ret = unix_listen(arg.sock, (int)a[1]);
	socket_arg_end(&arg);
	return ret;
}

/* A descriptor for the next connection of @arg; the caller's name goes to @p. */
static s64 accept_one(const struct socket_arg *arg, u64 p, u64 size_p, u32 flags)
{
	u64 deadline_ns = unix_deadline(arg->file->flags, 0, arg->sock->rcv_timeout_ns);
	struct unix_sock *s = unix_accept(arg->sock, deadline_ns), *peer;
	struct file *f;
	s64 ret = 0;

	if (IS_ERR(s))
		return PTR_ERR(s);
	peer = unix_peer(s);
	f = unix_file(s, flags);
	if (f && p)
		ret = name_of(peer, p, size_p);
	unix_put(peer);
	if (!ret)
		return fd_for_file(f, flags);
	file_put(f);
	return ret;
}

static s64 do_accept(const u64 a[6], u32 flags)
{
	struct socket_arg arg;
	s64 ret;

	if (flags & ~(u32)SOCK_FLAGS)
		return -EINVAL;
	ret = socket_arg_get(&arg, a[0]);
	if (ret)
		return ret;
	ret = accept_one(&arg, a[1], a[2], flags);
	socket_arg_end(&arg);
	return ret;
}

s64 sys_accept(const u64 a[6])
{
	return do_accept(a, 0);
}

s64 sys_accept4(const u64 a[6])
{
	return do_accept(a, (u32)a[3]);
}

s64 sys_shutdown(const u64 a[6])
{
	struct socket_arg arg;
	s64 ret = socket_arg_get(&arg, a[0]);

	if (ret)
		return ret;
	if ((u32)a[1] > 2)
		ret = -EINVAL;
	else
		unix_shutdown(arg.sock, (u32)a[1] + 1);
	socket_arg_end(&arg);
	return ret;
}
