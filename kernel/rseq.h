/* SPDX-License-Identifier: Apache-2.0 */
/* Restartable sequences (rseq(2)): a program's own view of the CPU it runs on. */
#ifndef KERNEL_RSEQ_H
#define KERNEL_RSEQ_H

#include "kernel/thread.h"

/*
 * Writes the CPU's number and aborts a critical section that @regs is in, if the calling thread @t
 * registered an area: after a switch, and before a signal handler. A bad area is a SIGSEGV.
 */
void rseq_update(struct thread *t, struct user_regs *regs);

#endif
