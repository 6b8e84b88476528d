/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard input and output as the guest's console.
 */
#ifndef VMM_TERMINAL_H
#define VMM_TERMINAL_H

#include <stddef.h>

/* A device that takes what is typed. Called on the main thread; it locks itself. */
struct terminal_sink {
	size_t (*room)(struct terminal_sink *sink); /* bytes it would take now */
	void (*put)(struct terminal_sink *sink, const unsigned char *bytes, size_t count);
};

/*
 * Starts: input goes to the sink. A terminal is put into raw mode until the process ends, and
 * Ctrl-A x ends it.
 */
void terminal_start(struct terminal_sink *sink);

/* The sink has room again. From any thread. */
void terminal_room(void);

/*
 * Output, from any thread. It is written at the end of a line, when much has come, and at the
 * latest after a few milliseconds.
 */
void terminal_write(const void *bytes, size_t count);

#endif
