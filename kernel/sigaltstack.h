/* SPDX-License-Identifier: Apache-2.0 */
/* The alternate signal stack of a thread (sigaltstack(2)); only the thread itself touches it. */
#ifndef KERNEL_SIGALTSTACK_H
#define KERNEL_SIGALTSTACK_H

#include "kernel/signal.h"

/* Does a program with that @sp run on the stack? Never, for one that disarms itself. */
bool altstack_in_use(const stack_t *alt, u64 sp);
/* Checks @new as sigaltstack() does and takes it over: 0, -EPERM, -EINVAL, -ENOMEM. */
int altstack_set(stack_t *alt, const stack_t *new, u64 sp);
/* A frame that holds the setting was built: disarms it if asked to. */
void altstack_entered(stack_t *alt);

#endif
