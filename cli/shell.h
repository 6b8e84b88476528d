/* SPDX-License-Identifier: Apache-2.0 */
/* `catwalk shell`: what is run for it, by the options of `catwalk run`. */
#ifndef CLI_SHELL_H
#define CLI_SHELL_H

#include "cli/options.h"

/*
 * Checks the programs, finds busybox and fills in the program, its arguments and its environment.
 * 0, or STATUS_BAD_INPUT after one line.
 */
int prepare_shell(struct run_options *options);

#endif
