/* SPDX-License-Identifier: Apache-2.0 */
/* What a signal handler finds on its stack, as Linux lays it out (<asm/sigcontext.h>). */
#ifndef KERNEL_SIGFRAME_H
#define KERNEL_SIGFRAME_H

#include <asm/sigcontext.h>
#include <asm/signal.h>
#include <asm/ucontext.h>

#include "kernel/port.h"
#include "kernel/signal.h"

struct rt_sigframe {
	siginfo_t info;
	struct ucontext uc;
};

/* Above the frame: x29 points at it in the handler, for unwinders. */
struct sigframe_record {
	u64 fp;
	u64 lr;
};

/* The most that delivery takes from a stack, alignment included (AT_MINSIGSTKSZ). */
#define SIGNAL_FRAME_MAX (sizeof(struct rt_sigframe) + sizeof(struct sigframe_record) + 16)

/* What caused a signal, for the frame's esr_context; esr 0 means that no fault did. */
struct fault_cause {
	u64 esr;
	u64 far;
};

/*
 * Builds the frame for @sig on the program's stack (or the alternate one, as @act says) and points
 * @regs at the handler. 0, or -EFAULT: the stack cannot be written.
 */
int sigframe_setup(struct user_regs *regs, const struct sigaction *act, const siginfo_t *info,
		   sigmask_t saved_mask, const struct fault_cause *cause);
/* Undoes it: registers, FP state and alternate stack; @mask is the mask to restore. */
int sigframe_restore(struct user_regs *regs, sigmask_t *mask);

#endif
