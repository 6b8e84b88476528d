/* SPDX-License-Identifier: Apache-2.0 */
/* Filters that a program puts before its own system calls: seccomp(2). */
#ifndef KERNEL_SECCOMP_H
#define KERNEL_SECCOMP_H

#include "kernel/thread.h"

/*
 * What the filters of the calling thread say of the system call in @regs. True: it is made. Else
 * *@result is what the program gets instead. May end the thread or the process.
 */
bool seccomp_allows(struct user_regs *regs, s64 *result);
/* The new thread @t gets what the calling thread has; under the lock of the caller's process. */
void seccomp_inherit(struct thread *t);
/* The thread is gone. */
void seccomp_release(struct thread *t);
/* prctl(PR_SET_SECCOMP). */
s64 seccomp_set_mode(u64 mode, u64 filter);

#endif
