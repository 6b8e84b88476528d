/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's terminal: the launcher's, which passes every byte on as it is typed, with the line
 * discipline and job control here (tty_ioctl(4), credentials(7)). It is /dev/console, and /dev/tty
 * to those that it controls.
 */
#ifndef KERNEL_TTY_H
#define KERNEL_TTY_H

#include "host/file.h"
#include "kernel/thread.h"

/*
 * There is a terminal of @window (rows << 16 | columns, 0: unknown), and it controls the session of
 * @first. Before the first program runs.
 */
void tty_start(u32 window, struct process *first);
bool tty_is_started(void);
/* A file for an open; NULL when memory is out. */
struct file *tty_open_file(u32 flags);
/* @p, which ends, may lead the session that the terminal controls: that has none any more. */
void tty_leader_ends(struct process *p);
/* What /proc/PID/stat says: the terminal's device number, or 0, and its foreground group, or -1. */
struct tty_of_process {
	u32 device;
	s32 foreground;
};
struct tty_of_process tty_of(struct process *p);

/* ---- kernel/tty_job.c, for the rest of the terminal */
/*
 * May the calling process read (SIGTTIN), write or change (SIGTTOU) the terminal? 0; -EIO;
 * -ERESTARTSYS: its group was sent the signal.
 */
int tty_job_check(int sig);
/* Sends @sig to the foreground group. */
void tty_job_signal(int sig);
/* The terminal is gone: SIGHUP for the leader of its session. */
void tty_job_hang_up(void);
void tty_job_start(struct process *first);
/* TIOCGPGRP, TIOCSPGRP, TIOCGSID, TIOCSCTTY, TIOCNOTTY; -ENOTTY for others. */
s64 tty_job_ioctl(u32 cmd, u64 arg);

#endif
