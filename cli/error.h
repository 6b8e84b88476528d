/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the launcher reports what went wrong: one line on standard error and one of its own exit
 * statuses. Any other status is the program's.
 */
#ifndef CLI_ERROR_H
#define CLI_ERROR_H

enum {
	STATUS_BAD_INPUT = 2,	     /* usage, or something named on the command line is unfit */
	STATUS_TIMEOUT = 124,	     /* --timeout ran out */
	STATUS_MACHINE_FAILED = 125, /* the machine stopped without the program's status */
	STATUS_SIGNAL_BASE = 128,    /* 128 + N: the program, or the launcher, died of signal N */
};

/* Prints "catwalk: " and the message as one line on standard error. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As complain(), for bad input; returns STATUS_BAD_INPUT so that callers can return it. */
int bad_input(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
