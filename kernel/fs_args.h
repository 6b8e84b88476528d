/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments that system calls about files have in common. */
#ifndef KERNEL_FS_ARGS_H
#define KERNEL_FS_ARGS_H

#include "host/err.h"
#include "host/file.h"
#include "host/page.h"
#include "kernel/inode.h"
#include "kernel/thread.h"

/* What one read or write moves at most; Linux's MAX_RW_COUNT. */
#define RW_MAX (0x7fffffffUL & PAGE_MASK)

/* Segments of one buffer at most; Linux's UIO_MAXIOV. */
#define IOV_MAX 1024

/*
 * A plain buffer of a program. -EFAULT if it does not lie in the user half as a whole: Linux says
 * so before it moves anything, and that is also its answer to a negative size.
 */
int iobuf_of(struct iobuf *io, u64 p, u64 n);
/*
 * The @count segments at @p (struct iovec): @io refers to *@segments, which the caller kfree's,
 * also on error. -EINVAL, -EFAULT, -ENOMEM.
 */
int iobuf_of_vector(struct iobuf *io, struct iobuf_segment **segments, u64 p, u64 count);

/* The path at @p, kmalloc'ed; ERR_PTR(-EFAULT, -ENAMETOOLONG, -ENOMEM). */
char *path_from_user(u64 p);
/* As path_from_user(), but NULL is "", which Linux takes with AT_EMPTY_PATH. */
char *path_or_empty_from_user(u64 p, int at_flags);

/* The inode of (@dirfd, path at @p, @at_flags), as vfs_named(). */
struct inode *inode_from_user(u64 dirfd, u64 p, int at_flags, struct file **file);

/* The path at @p and where it starts; path_arg_end() is due if 0. */
struct path_arg {
	struct inode *start;
	char *path;
};
int path_arg_get(struct path_arg *arg, u64 dirfd, u64 p);
void path_arg_end(struct path_arg *arg);

/* The counted file @fd names, or NULL. */
static inline struct file *file_arg(u64 fd)
{
	return fd_get(current_files(), (int)fd);
}

/* A new descriptor for @f, whose reference is taken over; @f may be NULL (-ENOMEM) or ERR_PTR.
 * @flags: of O_CLOEXEC's meaning only. */
s64 fd_for_file(struct file *f, u32 flags);
/* The same for two, whose numbers go to @to as two ints. 0 or an error: then neither is open. */
s64 fds_for_files(struct file *const files[2], u32 flags, hva_t to);

static inline bool file_readable(const struct file *f)
{
	u32 mode = f->flags & O_ACCMODE;

	return mode == O_RDONLY || mode == O_RDWR;
}

static inline bool file_writable(const struct file *f)
{
	u32 mode = f->flags & O_ACCMODE;

	return mode == O_WRONLY || mode == O_RDWR;
}

/* Attributes of an open file, whatever it is. */
int file_stat(struct file *f, struct stat *st);

#endif
