/* SPDX-License-Identifier: Apache-2.0 */
/* What poll, select and epoll share. */
#ifndef KERNEL_POLL_H
#define KERNEL_POLL_H

#include <asm/poll.h>

#include "host/file.h"

/* What a file without a poll operation always is. */
#define POLL_ALWAYS (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)

/* Current events of @f; *@wq is the queue to wait on, or NULL if they never change. */
static inline u32 file_poll(struct file *f, struct waitq **wq)
{
	*wq = NULL;
	return f->ops->poll ? f->ops->poll(f, wq) : POLL_ALWAYS;
}

#endif
