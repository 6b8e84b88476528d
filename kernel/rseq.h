/* SPDX-License-Identifier: Apache-2.0 */
/* Restartable sequences (rseq(2)): a program's own view of the CPU it runs on. */
#ifndef KERNEL_RSEQ_H
#define KERNEL_RSEQ_H

#include "kernel/thread.h"

/* Has the thread, which registered an area, been switched since the area was written? */
static inline bool rseq_is_due(const struct thread *t)
{
	return t->rseq_switches != t->se.switches;
}

/*
 * Writes the CPU's number and aborts a critical section that @regs is in: after a switch, and
 * before a signal handler. A bad area is a SIGSEGV.
 */
void rseq_update(struct thread *t, struct user_regs *regs);

#endif
