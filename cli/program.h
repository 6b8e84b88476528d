/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that a file is a program that the machine can run, before a machine is started. */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

/*
 * Accepts a whole static ELF64 little-endian AArch64 executable (ET_EXEC, or ET_DYN without an
 * interpreter, which is a static PIE). Returns 0, or STATUS_BAD_INPUT after one line.
 */
int check_program(const char *path);

#endif
