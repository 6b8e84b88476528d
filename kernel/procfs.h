/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of /proc share. */
#ifndef KERNEL_PROCFS_H
#define KERNEL_PROCFS_H

#include "host/mm.h"
#include "kernel/genfs.h"
#include "kernel/thread.h"

/* The memory of @p, counted, or NULL if it has none any more. */
struct mm *proc_mm(struct process *p);
/* Of the process that thread @tid belongs to: counted, NULL, or ERR_PTR(-ESRCH). */
struct mm *proc_mm_of(s32 tid);

/* ---- kernel/proc_maps.c: files of a process's memory; @tag is a thread id */
int proc_show_maps(struct gen_text *t, u64 tag);
int proc_show_smaps(struct gen_text *t, u64 tag);

/* ---- kernel/proc_pid.c: the directory of a thread */
/* The counted directory /proc/@tid under @parent, or ERR_PTR(-ENOENT). */
struct inode *proc_pid_lookup(struct inode *parent, s32 tid);

#endif
