/* SPDX-License-Identifier: Apache-2.0 */
/*
 * There are no sockets: no address family exists, and no descriptor is one.
 */
#include "kernel/fs_args.h"
#include "kernel/syscalls.h"

s64 sys_socket(const u64 a[6])
{
	(void)a;
	return -EAFNOSUPPORT;
}

s64 sys_socketpair(const u64 a[6])
{
	(void)a;
	return -EAFNOSUPPORT;
}

/* What calls on sockets say of a descriptor that is none. */
static s64 not_a_socket(u64 fd)
{
	struct file *f = file_arg(fd);

	if (!f)
		return -EBADF;
	file_put(f);
	return -ENOTSOCK;
}

#define ON_SOCKET(name)                                                                            \
	s64 sys_##name(const u64 a[6])                                                             \
	{                                                                                          \
		return not_a_socket(a[0]);                                                         \
	}
ON_SOCKET(bind)
ON_SOCKET(listen)
ON_SOCKET(accept)
ON_SOCKET(accept4)
ON_SOCKET(connect)
ON_SOCKET(getsockname)
ON_SOCKET(getpeername)
ON_SOCKET(sendto)
ON_SOCKET(recvfrom)
ON_SOCKET(sendmsg)
ON_SOCKET(recvmsg)
ON_SOCKET(setsockopt)
ON_SOCKET(getsockopt)
ON_SOCKET(shutdown)
