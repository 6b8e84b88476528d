/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Job control: process groups and sessions, stops of children that their parents are told of, and
 * groups that nobody is left to continue (POSIX 3.264, "orphaned process group").
 */
#ifndef KERNEL_JOB_H
#define KERNEL_JOB_H

#include "kernel/thread.h"

/* The calling process's group. */
s32 job_own_group(void);
/* Is the process's group orphaned: has no member a parent in its session, but outside of it? */
bool job_is_orphaned(const struct process *p);
/* Does session @sid have group @pgid? 0; -EPERM: another has; -ESRCH: nobody has. Under
 * process_tree_lock. */
int job_find_group(s32 pgid, s32 sid);
/*
 * @p ends, or (@heir not NULL) has lost its parent @lost to @heir: a group that is orphaned by that
 * and has stopped members is told by SIGHUP, and continued. Under process_tree_lock.
 */
void job_ends(struct process *p);
void job_inherited(struct process *p, struct process *lost);
/* Tells @p's parent that @p was stopped by signal @sig, or (SIGCONT) goes on. No lock held. */
void job_tell_parent(struct process *p, int sig);

#endif
