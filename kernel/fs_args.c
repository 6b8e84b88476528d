/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches the arguments that system calls about files share: paths, descriptors.
 */
#include "kernel/fs_args.h"

char *path_from_user(u64 p)
{
	char *path = kmalloc(VFS_PATH_MAX);
	s64 n;

	if (!path)
		return ERR_PTR(-ENOMEM);
	n = strncpy_from_user(path, HVA(p), VFS_PATH_MAX);
	if (n < 0) {
		kfree(path);
		return ERR_PTR(n);
	}
	return path;
}

char *path_or_empty_from_user(u64 p, int at_flags)
{
	char *path;

	if (p || !(at_flags & AT_EMPTY_PATH))
		return path_from_user(p);
	path = kzalloc(1);
	return path ? path : ERR_PTR(-ENOMEM);
}

struct inode *inode_from_user(u64 dirfd, u64 p, int at_flags, struct file **file)
{
	char *path = path_or_empty_from_user(p, at_flags);
	struct inode *inode;

	if (IS_ERR(path))
		return (struct inode *)path;
	inode = vfs_named((int)dirfd, path, at_flags, file);
	kfree(path);
	return inode;
}

int path_arg_get(struct path_arg *arg, u64 dirfd, u64 p)
{
	arg->path = path_from_user(p);
	if (IS_ERR(arg->path))
		return (int)PTR_ERR(arg->path);
	arg->start = vfs_start((int)dirfd, arg->path);
	if (!*arg->path || IS_ERR(arg->start)) {
		int ret = *arg->path ? (int)PTR_ERR(arg->start) : -ENOENT;

		if (!IS_ERR(arg->start))
			inode_put(arg->start);
		kfree(arg->path);
		return ret;
	}
	return 0;
}

void path_arg_end(struct path_arg *arg)
{
	inode_put(arg->start);
	kfree(arg->path);
}

s64 fd_for_file(struct file *f, u32 flags)
{
	int fd;

	if (!f)
		return -ENOMEM;
	if (IS_ERR(f))
		return PTR_ERR(f);
	fd = fd_install(current_files(), f, 0, flags & O_CLOEXEC ? FD_CLOEXEC : 0);
	if (fd < 0)
		file_put(f);
	return fd;
}

s64 fds_for_files(struct file *const files[2], u32 flags, hva_t to)
{
	int fds[2];
	s64 fd = fd_for_file(files[0], flags);

	if (fd < 0) {
		file_put(files[1]);
		return fd;
	}
	fds[0] = (int)fd;
	fd = fd_for_file(files[1], flags);
	fds[1] = (int)fd;
	if (fd >= 0 && copy_to_user(to, fds, sizeof(fds))) {
		fd_close(current_files(), fds[1]);
		fd = -EFAULT;
	}
	if (fd < 0)
		fd_close(current_files(), fds[0]);
	return fd < 0 ? fd : 0;
}

int file_stat(struct file *f, struct stat *st)
{
	struct inode *inode = file_inode(f);

	if (f->ops->stat)
		return f->ops->stat(f, st);
	if (inode) {
		inode_stat(inode, st);
		return 0;
	}
	/* Linux's anonymous inode: one for all that have none. */
	*st = (struct stat){
		.st_dev = 15,
		.st_ino = 1,
		.st_mode = 0600,
		.st_nlink = 1,
		.st_blksize = PAGE_SIZE,
	};
	return 0;
}
