/* SPDX-License-Identifier: Apache-2.0 */
/* The streams of the first program, as the rest of the kernel sets them up. */
#ifndef KERNEL_CONSOLE_FILE_H
#define KERNEL_CONSOLE_FILE_H

#include "host/file.h"

/* Bit N of @mask: the launcher's descriptor N is a terminal (catwalk_run_header.terminals). Before
 * the first program. */
void console_set_terminals(u32 mask);
/* Is any of them a terminal? Then /dev/tty opens. */
bool console_is_terminal(void);
/* A file for an open of /dev/console or /dev/tty; NULL when memory is out. */
struct file *console_open_device(u32 flags);
/* The file of the program's descriptor @fd (0, 1, 2); NULL when memory is out. */
struct file *console_open(int fd);

#endif
