/* SPDX-License-Identifier: Apache-2.0 */
/* The first program: what the machine was started for, and whose end is the machine's. */
#ifndef KERNEL_FIRST_H
#define KERNEL_FIRST_H

#include "engine/types.h"

struct process;

/* NULL until it was started. */
struct process *first_process(void);
/* Sends the report if it was asked for, then @status as wait() gives it, and powers off. */
void first_ended(s32 status) __noreturn;

#endif
