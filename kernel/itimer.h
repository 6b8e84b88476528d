/* SPDX-License-Identifier: Apache-2.0 */
/* Interval timers of a process, as the rest of the kernel sees them. */
#ifndef KERNEL_ITIMER_H
#define KERNEL_ITIMER_H

struct process;

void itimers_init(struct process *p);
/* At exec and exit: nothing fires any more. */
void itimers_stop(struct process *p);

#endif
