/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that say how files will be used, or want them written back. All content is in
 * memory for good: what is left is to check the arguments, as Linux does.
 */
#include <linux/fadvise.h>
#include <linux/fs.h>

#include "kernel/fs_args.h"
#include "kernel/syscalls.h"

/* The type bits of @f's mode; an error. */
static s64 file_type(struct file *f)
{
	struct stat st;
	int ret = file_stat(f, &st);

	return ret ? ret : (s64)(st.st_mode & S_IFMT);
}

static s64 fadvise_file(struct file *f, s64 len, u32 advice)
{
	s64 type = file_type(f);

	if (type == S_IFIFO)
		return -ESPIPE;
	if (type < 0)
		return type;
	return len < 0 || advice > POSIX_FADV_NOREUSE ? -EINVAL : 0;
}

s64 sys_fadvise64(const u64 a[6])
{
	struct file *f = file_arg(a[0]);
	s64 ret;

	if (!f)
		return -EBADF;
	ret = fadvise_file(f, (s64)a[2], (u32)a[3]);
	file_put(f);
	return ret;
}

s64 sys_readahead(const u64 a[6])
{
	struct file *f = file_arg(a[0]);
	s64 ret = -EBADF;

	if (!f)
		return -EBADF;
	if (file_readable(f))
		ret = file_type(f) == S_IFREG ? 0 : -EINVAL;
	file_put(f);
	return ret;
}

s64 sys_syncfs(const u64 a[6])
{
	struct file *f = file_arg(a[0]);

	if (!f)
		return -EBADF;
	file_put(f);
	return 0;
}

static s64 sync_range_of(struct file *f, s64 offset, s64 len, u32 flags)
{
	s64 end, type = file_type(f);

	if (flags & ~(u32)(SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
			   SYNC_FILE_RANGE_WAIT_AFTER))
		return -EINVAL;
	if (offset < 0 || len < 0 || __builtin_add_overflow(offset, len, &end))
		return -EINVAL;
	switch (type) {
	case S_IFREG:
	case S_IFBLK:
	case S_IFDIR:
	case S_IFLNK: return 0;
	default: return -ESPIPE;
	}
}

s64 sys_sync_file_range(const u64 a[6])
{
	struct file *f = file_arg(a[0]);
	s64 ret;

	if (!f)
		return -EBADF;
	ret = sync_range_of(f, (s64)a[1], (s64)a[2], (u32)a[3]);
	file_put(f);
	return ret;
}
