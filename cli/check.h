/* SPDX-License-Identifier: Apache-2.0 */
/* `catwalk check`: scenarios and random lives on the modelled machine. */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

/* The words after `catwalk`; argv[0] is "check". Returns the exit status: 0, 1 if something is not
 * as it should be, STATUS_BAD_INPUT. */
int command_check(int argc, char **argv);

#endif
