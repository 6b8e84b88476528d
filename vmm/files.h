/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of the command line. What is wrong with one is bad input; `thing` is the option it came
 * with.
 */
#ifndef VMM_FILES_H
#define VMM_FILES_H

#include <stdint.h>

struct file {
	const char *thing, *path;
	int fd;
	uint64_t size; /* bytes */
};

/* Opens with O_* flags. The size is what fstat() says. */
struct file file_open(const char *thing, const char *path, int flags);

/* As file_open(), and the file is a regular one. */
struct file file_open_regular(const char *thing, const char *path, int flags);

/* Reads [offset, offset + size) of the file; a short file or an error is bad input. */
void file_read(const struct file *file, uint64_t offset, void *buffer, uint64_t size);

void file_close(struct file *file);

#endif
