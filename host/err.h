/* SPDX-License-Identifier: Apache-2.0 */
/* Errors in host/, kvm/ and kernel/: negative Linux errno values, also inside pointers. */
#ifndef HOST_ERR_H
#define HOST_ERR_H

#include <asm-generic/errno.h>

#include "engine/types.h"

/* Never reach user space: a system call to be restarted after its signal was handled (signal(7)).
 */
enum { ERESTARTSYS = 512, ERESTARTNOHAND = 514, ERESTART_RESTARTBLOCK = 516 };

#define MAX_ERRNO 4095

static inline void *ERR_PTR(long error)
{
	return (void *)error;
}

static inline bool IS_ERR(const void *p)
{
	return (unsigned long)p >= (unsigned long)-MAX_ERRNO;
}

static inline long PTR_ERR(const void *p)
{
	return (long)p;
}

#endif
