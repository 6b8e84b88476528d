/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event counters as files: eventfd(2). They are here, below kvm/, so that irqfds and ioeventfds can
 * be tied to them.
 */
#ifndef HOST_EVENTFD_H
#define HOST_EVENTFD_H

#include "host/file.h"

enum eventfd_kind {
	EVENTFD_COUNTER,   /* a read takes all */
	EVENTFD_SEMAPHORE, /* a read takes one */
};

/* A new file, with O_RDWR | @flags; NULL when memory is out. */
struct file *eventfd_new(u32 count, enum eventfd_kind kind, u32 flags);

/*
 * The counter of an eventfd. Who is tied to it holds the counter, not the file: when the last
 * descriptor goes the queue is woken with POLLHUP, in a sleeping context but under its lock, and
 * nothing signals it from then on but the kernel.
 */
struct eventfd;
/* Counted; NULL: @f is no eventfd. */
struct eventfd *eventfd_get(struct file *f);
void eventfd_put(struct eventfd *e);
/* Adds @n, up to the most it can hold, and wakes who waits. Any context but under the queue's lock;
 * does not sleep. */
void eventfd_signal(struct eventfd *e, u64 n);
/* Takes the count as a read would; false if it is 0. Does not sleep. */
bool eventfd_take(struct eventfd *e, u64 *count);
/* The same for a waiter's function, under the queue's lock: nobody is woken for the room it makes.
 */
bool eventfd_take_in_waiter(struct eventfd *e, u64 *count);
/*
 * Only one may take what is signalled without descriptors being asked: true if it is the caller
 * from now on, until eventfd_unbind(). Any context.
 */
bool eventfd_bind(struct eventfd *e);
void eventfd_unbind(struct eventfd *e);
/* Woken with POLLIN by each addition: a waiter with a function (host/sched.h) is told so at once.
 */
struct waitq *eventfd_waitq(struct eventfd *e);

#endif
