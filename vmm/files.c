/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "vmm/files.h"

#include "vmm/error.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file file_open(const char *thing, const char *path, int flags)
{
	struct file file = { .thing = thing, .path = path };
	struct stat st;

	file.fd = open(path, flags | O_CLOEXEC);
	if (file.fd < 0 || fstat(file.fd, &st) < 0)
		bad_input("%s \"%s\": %s", thing, path, strerror(errno));
	file.size = (uint64_t)st.st_size;
	return file;
}

struct file file_open_regular(const char *thing, const char *path, int flags)
{
	struct file file = file_open(thing, path, flags);
	struct stat st;

	if (fstat(file.fd, &st) < 0 || !S_ISREG(st.st_mode))
		bad_input("%s \"%s\": no regular file", thing, path);
	if (file.size == 0)
		bad_input("%s \"%s\": the file is empty", thing, path);
	return file;
}

void file_read(const struct file *file, uint64_t offset, void *buffer, uint64_t size)
{
	char *to = buffer;

	while (size) {
		ssize_t n = pread(file->fd, to, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			bad_input("%s \"%s\": %s", file->thing, file->path, strerror(errno));
		if (n == 0)
			bad_input("%s \"%s\": ends at byte %" PRIu64, file->thing, file->path,
				  offset);
		to += n;
		offset += (uint64_t)n;
		size -= (uint64_t)n;
	}
}

void file_close(struct file *file)
{
	close(file->fd);
	file->fd = -1;
}
