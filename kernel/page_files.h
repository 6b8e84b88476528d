/* SPDX-License-Identifier: Apache-2.0 */
/* Files about physical pages: /proc/PID/pagemap and /sys/kernel/mm/page_idle/bitmap. */
#ifndef KERNEL_PAGE_FILES_H
#define KERNEL_PAGE_FILES_H

#include "kernel/inode.h"

static const char pagemap_name[] = "pagemap";
/* A new inode for the memory of thread @tid's process; ERR_PTR. */
struct inode *pagemap_inode(u64 tid);
/* Adds the file under /sys. Once, at start. */
void page_files_init(void);

#endif
