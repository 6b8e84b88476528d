/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The channel to the launcher: records of abi/catwalk_run.h over the virtio-serial device that the
 * kernel owns. Output, input on demand, and the exit status pass through it, nothing else does.
 */
#ifndef KERNEL_CHANNEL_H
#define KERNEL_CHANNEL_H

#include "abi/catwalk_run.h"
#include "host/sched.h"

/*
 * Finds the device, opens the port. Called once, on the boot CPU, after the page allocator and the
 * scheduler are up. Without a device 0 as well: output then goes to the kernel's console and input
 * is at its end, which serves `qemu -kernel` by hand. -EIO or -ENOMEM if there is one but it fails.
 */
int channel_init(void);

/*
 * Sends one record of @len <= CATWALK_RECORD_MAX bytes, whole and in the order of the calls; sleeps
 * while the launcher does not read. @data is kernel memory and may be reused at once. 0, or -EINTR
 * if a signal came before anything was sent.
 */
int channel_send(u32 type, const void *data, size_t len);

/*
 * Sends CATWALK_REC_EXIT with @status (as wait() gives it), waits until the device has taken it and
 * all before it, then powers off. May sleep until a record under way is complete.
 */
void channel_exit(u32 status) __noreturn;

/*
 * Takes up to @n bytes of standard input. More than 0: bytes taken; 0: end of file; -EAGAIN: none
 * is there yet, and the launcher has been asked for it: wait on channel_stdin_waitq(). @n is not 0.
 * Does not sleep.
 */
s64 channel_stdin_read(void *dst, size_t n);
/* Would channel_stdin_read() return other than -EAGAIN now? Asks the launcher too, as poll() wants.
 */
bool channel_stdin_ready(void);
/* Woken with POLLIN when input, or its end, arrives. */
struct waitq *channel_stdin_waitq(void);
/* Sleeps until the launcher has passed signals on; takes them: bit n is signal n. */
u32 channel_wait_signals(void);
/* Did the launcher tell a new size of its terminal? The same queue is woken. */
bool channel_has_window(void);
/* Takes it (rows << 16 | columns); false: there is none. */
bool channel_take_window(u32 *window);

#endif
