/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userfaultfd: faults of a program's memory that another thread of it serves. The rules are those
 * of Linux: userfaultfd(2), ioctl_userfaultfd(2).
 *
 * A thread that faults in a registered VMA queues up, looks again, gives mm->lock back and sleeps.
 * Whoever resolves the fault changes the memory first and then wakes; so it either finds the thread
 * queued, or the thread finds the memory changed. Locks: docs/invariants.md.
 */
#ifndef HOST_UFFD_H
#define HOST_UFFD_H

#include "host/file.h"

/* Newer than the headers that the build may use (Linux 6.6). */
enum {
	UFFD_WP_UNPOPULATED = 1 << 13,
	UFFD_POISON = 1 << 14,
};
struct uffd_poison_args {
	u64 start;
	u64 len;
	u64 mode; /* 1: wake nobody */
	s64 updated;
};
#define UFFDIO_POISON_NR  8
#define UFFDIO_POISON_CMD 0xc020aa08U

enum uffd_serves { UFFD_ALL_FAULTS, UFFD_PROGRAM_FAULTS };

/* A new file for the memory of @mm, with O_RDONLY | @flags; NULL when memory is out. */
struct file *uffd_new(struct mm *mm, enum uffd_serves serves, u32 flags);

#endif
