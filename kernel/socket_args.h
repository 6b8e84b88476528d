/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments that system calls on sockets share. */
#ifndef KERNEL_SOCKET_ARGS_H
#define KERNEL_SOCKET_ARGS_H

#include "kernel/fs_args.h"
#include "kernel/unix_sock.h"

/* A file that is a socket, counted; socket_arg_end() is due unless the error is set. */
struct socket_arg {
	struct file *file;
	struct unix_sock *sock;
};
/* 0, -EBADF, -ENOTSOCK. */
int socket_arg_get(struct socket_arg *arg, u64 fd);
void socket_arg_end(struct socket_arg *arg);

/* A name as programs pass it: bytes beyond what this family uses are read and left alone. */
union socket_name {
	struct sockaddr_un un;
	struct __kernel_sockaddr_storage storage;
};
/* 0, -EINVAL for a size that is negative or above 128, -EFAULT. */
int name_from_user(union socket_name *name, u64 p, s32 size);
/*
 * Writes the name (NULL: none, which is @none_size bytes of a bare family) to @p, as much of it as
 * the size at @size_p allows, and its whole size there. 0, -EFAULT, -EINVAL.
 */
int name_to_user(const struct unix_addr *addr, u32 none_size, u64 p, u64 size_p);

#endif
