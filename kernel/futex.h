/* SPDX-License-Identifier: Apache-2.0 */
/* Futexes as the rest of the kernel uses them: at the end of a thread. */
#ifndef KERNEL_FUTEX_H
#define KERNEL_FUTEX_H

#include "engine/types.h"

struct thread;

/* Once, before the first program. */
void futex_init(void);
/* Wakes up to @n threads that wait at @addr in the calling process's memory, shared or private; how
 * many, or -EFAULT. */
s64 futex_wake(hva_t addr, u32 n);
/* Marks the robust futexes that the ending thread @t holds as dead (robust_list(2)). */
void robust_list_exit(struct thread *t);

#endif
