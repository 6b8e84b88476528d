/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the VMM ends before the guest does: one line on standard error, and a status.
 */
#ifndef VMM_ERROR_H
#define VMM_ERROR_H

enum vmm_status {
	STATUS_OK = 0,	       /* the guest powered off */
	STATUS_MACHINE = 1,    /* the host failed, or the guest did what cannot be carried out */
	STATUS_BAD_INPUT = 2,  /* what was asked for cannot be; nothing was run */
	STATUS_GUEST_RESET = 3 /* the guest asked for a reset: it was told to, or it panicked */
};

/* Called once, before the process ends in whatever way: puts the terminal right. */
void at_end(void (*function)(void));

/* Ends the process, whatever its other threads do. */
_Noreturn void vmm_exit(enum vmm_status status);

/* Bad input: says thing, value and what is accepted. */
_Noreturn void __attribute__((format(printf, 1, 2))) bad_input(const char *format, ...);

/* The host or the guest failed. */
_Noreturn void __attribute__((format(printf, 1, 2))) fail(const char *format, ...);

/* Says one line and goes on. */
void __attribute__((format(printf, 1, 2))) complain(const char *format, ...);

#endif
