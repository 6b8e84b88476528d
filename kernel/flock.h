/* SPDX-License-Identifier: Apache-2.0 */
/* flock(2), for those who make and release files that can be locked. */
#ifndef KERNEL_FLOCK_H
#define KERNEL_FLOCK_H

#include "host/file.h"

/* Once, before the first program. */
void flock_init(void);
/* The open file @f goes: so does its lock. Called by release of regular files and directories. */
void flock_release(const struct file *f);

#endif
