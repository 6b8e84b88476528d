/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "vmm/error.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024 };

static pthread_mutex_t end_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*end_function)(void);

void at_end(void (*function)(void))
{
	end_function = function;
}

void vmm_exit(enum vmm_status status)
{
	/* Who comes second waits for the end of the process. */
	pthread_mutex_lock(&end_lock);
	if (end_function)
		end_function();
	_exit(status);
}

/* One write(), so that lines of several threads do not mix. */
static void __attribute__((format(printf, 1, 0))) say(const char *format, va_list args)
{
	char line[LINE_MAX_BYTES] = "vmm: ";
	const size_t start = sizeof("vmm: ") - 1;
	int length = vsnprintf(line + start, sizeof(line) - start - 1, format, args);
	size_t end = length < 0 ? start : start + (size_t)length;

	if (end > sizeof(line) - 2)
		end = sizeof(line) - 2;
	line[end++] = '\n';
	if (write(STDERR_FILENO, line, end) < 0)
		return; /* nobody is there to be told */
}

void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

void bad_input(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	vmm_exit(STATUS_BAD_INPUT);
}

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	vmm_exit(STATUS_MACHINE);
}
