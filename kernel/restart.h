/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupted system calls that go on with what is left of their time (restart_syscall). */
#ifndef KERNEL_RESTART_H
#define KERNEL_RESTART_H

#include "engine/types.h"

/* Set by a call that returns -ERESTART_RESTARTBLOCK: called with @args if no handler ran. */
struct restart {
	s64 (*fn)(const u64 args[6]);
	u64 args[6];
};

#endif
