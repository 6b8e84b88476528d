/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes: pipe(7). */
#ifndef KERNEL_PIPE_H
#define KERNEL_PIPE_H

#include "host/file.h"

struct inode;

/* F_GETPIPE_SZ: bytes the pipe can hold; -EBADF if @f is none. */
s64 pipe_size(struct file *f);
/* F_SETPIPE_SZ: at least @size bytes, a power of two of pages. The new size, -EBADF, -EBUSY when
 * what is in it would not fit, -EINVAL, -EPERM, -ENOMEM. */
s64 pipe_resize(struct file *f, u64 size);

/*
 * Opens the named pipe @inode: waits for somebody to open its other end, unless O_NONBLOCK or
 * O_RDWR say otherwise. ERR_PTR(-ENXIO, -ENOMEM, -ERESTARTSYS).
 */
struct file *fifo_open(struct inode *inode, u32 flags);

#endif
