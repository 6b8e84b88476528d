/* SPDX-License-Identifier: Apache-2.0 */
/* Record locks: those of fcntl(2), on ranges of a file. */
#ifndef KERNEL_RECORD_LOCK_H
#define KERNEL_RECORD_LOCK_H

#include "host/file.h"

/* Once, before the first program. */
void record_locks_init(void);
/* Is @cmd one of F_GETLK, F_SETLK, F_SETLKW and their F_OFD_ kin? */
bool is_record_lock_cmd(u32 cmd);
/* fcntl with such a command, on @f, which @fd names, and the struct flock at @arg. 0 or an error.
 */
s64 record_lock_fcntl(struct file *f, int fd, u32 cmd, u64 arg);

#endif
