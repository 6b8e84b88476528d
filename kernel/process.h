/* SPDX-License-Identifier: Apache-2.0 */
/* What thread.c, process.c and exec.c do for each other in making and ending processes. */
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

#include "kernel/thread.h"

/* The arguments of clone and clone3, in one form. */
struct clone_request {
	u64 flags; /* CLONE_* without the signal */
	s32 exit_signal;
	u64 stack; /* initial sp, or 0: the maker's */
	u64 tls;
	hva_t parent_tid;
	hva_t child_tid;
};

/* ---- thread.c */
/* A thread that was allocated but never started. */
void thread_discard(struct thread *t);
/* Its first code in the kernel is @fn(t), which must begin with sched_begin_thread(). */
void thread_prepare_user(struct thread *t, void (*fn)(void *arg));
/* Adds the new thread to its process; -EAGAIN if that is ending. */
int thread_join_process(struct thread *t);
/* The same for the first thread of a new process, which may have been killed by its id already:
 * then the thread ends on its way to EL0. */
void thread_begin_process(struct thread *t);
/* Gives the new thread @t what clone takes over from the calling one, changed as @req says. */
void thread_inherit(struct thread *t, const struct clone_request *req);
/* The calling thread, the last one of its process, becomes its first: takes the process's id. */
void thread_become_leader(void);

/* ---- process.c */
/* A process with no threads, no memory, no files, and not in the tree; NULL: no memory. */
struct process *process_alloc(void);
/* Makes @p, whose pid is set, a child of @parent (NULL: the first process). */
void process_enter_tree(struct process *p, struct process *parent);
/* The process with this id, or NULL; under process_tree_lock. */
struct process *process_find_locked(s32 pid);
/*
 * For walks over all processes that let go of process_tree_lock between: the youngest that was born
 * before @p (NULL: the youngest of all), counted, or NULL. Puts @p.
 */
struct process *process_before(struct process *p);
/* Under process_tree_lock; the caller puts the tree's reference afterwards. */
void process_leave_tree(struct process *p);
/*
 * The calling thread @t, which no longer uses @mm, leaves @p; the last one takes the process down,
 * which then has ended with @status unless it was told otherwise.
 */
void process_leave(struct process *p, struct thread *t, s32 status, struct mm *mm);
/* clone without CLONE_THREAD (fork.c). */
s64 process_clone(const struct clone_request *req);
/* The calling process does not use its parent's memory any more. */
void process_end_vfork(struct process *p);

/* ---- exec.c */
struct exec_strings {
	const char *const *v;
	unsigned int count;
};
/* Strings for a new program, in kernel memory. */
struct exec_request {
	const char *path; /* as AT_EXECFN gives it */
	struct exec_strings args;
	struct exec_strings env;
	struct file *file; /* counted by the caller */
};
/*
 * Loads the program into a new mm that replaces the calling thread's; fills @regs. On error nothing
 * has changed. The caller deals with other threads, signals and descriptors.
 */
int exec_load(const struct exec_request *req, struct user_regs *regs);

#endif
