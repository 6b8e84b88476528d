/* SPDX-License-Identifier: Apache-2.0 */
/* `catwalk migrate-check`: may a guest go from one host to another (M16)? */
#ifndef CLI_MIGRATE_H
#define CLI_MIGRATE_H

/* The command; returns the exit status: 0 it may, 1 it may not, 2 bad input. */
int command_migrate_check(int argc, char **argv);

#endif
