/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls about names: opening, making, removing, the working directory.
 */
#include <linux/fs.h>
#include <linux/openat2.h>

#include "kernel/fs_args.h"
#include "kernel/syscalls.h"

static u32 masked_mode(u64 mode)
{
	return (u32)mode & 07777 & ~current_fs()->umask;
}

static s64 open_at(u64 dirfd, u64 path, u32 flags, u64 mode)
{
	struct path_arg arg;
	struct file *f;
	int ret = path_arg_get(&arg, dirfd, path);

	if (ret)
		return ret;
	f = vfs_open(arg.start, arg.path, flags | O_LARGEFILE, masked_mode(mode));
	path_arg_end(&arg);
	return fd_for_file(f, flags);
}

/* Flags that Linux knows; openat drops the others. */
#define OPEN_FLAGS                                                                                 \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_DSYNC |     \
	 FASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC |      \
	 O_SYNC | O_PATH | O_TMPFILE)

s64 sys_openat(const u64 a[6])
{
	return open_at(a[0], a[1], (u32)a[2] & OPEN_FLAGS, a[3]);
}

s64 sys_mkdirat(const u64 a[6])
{
	struct path_arg arg;
	s64 ret = path_arg_get(&arg, a[0], a[1]);

	if (ret)
		return ret;
	ret = vfs_mkdir(arg.start, arg.path, masked_mode(a[2]));
	path_arg_end(&arg);
	return ret;
}

s64 sys_mknodat(const u64 a[6])
{
	struct path_arg arg;
	u32 type = (u32)a[2] & S_IFMT;
	s64 ret = path_arg_get(&arg, a[0], a[1]);

	if (ret)
		return ret;
	ret = vfs_mknod(arg.start, arg.path, type | masked_mode(a[2]), (u32)a[3]);
	path_arg_end(&arg);
	return ret;
}

s64 sys_unlinkat(const u64 a[6])
{
	struct path_arg arg;
	u32 flags = (u32)a[2];
	s64 ret;

	if (flags & ~(u32)AT_REMOVEDIR)
		return -EINVAL;
	ret = path_arg_get(&arg, a[0], a[1]);
	if (ret)
		return ret;
	ret = flags ? vfs_rmdir(arg.start, arg.path) : vfs_unlink(arg.start, arg.path);
	path_arg_end(&arg);
	return ret;
}

static s64 rename_at(const u64 a[6], u32 flags)
{
	struct path_arg from, to;
	s64 ret;

	if (flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
	    flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	ret = path_arg_get(&from, a[0], a[1]);
	if (ret)
		return ret;
	ret = path_arg_get(&to, a[2], a[3]);
	if (!ret) {
		ret = vfs_rename(from.start, from.path, to.start, to.path, flags);
		path_arg_end(&to);
	}
	path_arg_end(&from);
	return ret;
}

s64 sys_renameat(const u64 a[6])
{
	return rename_at(a, 0);
}

s64 sys_renameat2(const u64 a[6])
{
	return rename_at(a, (u32)a[4]);
}

s64 sys_linkat(const u64 a[6])
{
	u32 flags = (u32)a[4];
	int at = flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW;
	struct inode *inode;
	struct path_arg to;
	s64 ret;

	if (flags & ~(u32)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	inode = inode_from_user(a[0], a[1], at | (int)(flags & AT_EMPTY_PATH), NULL);
	if (!inode || IS_ERR(inode))
		return inode ? PTR_ERR(inode) : -EXDEV;
	ret = path_arg_get(&to, a[2], a[3]);
	if (!ret) {
		ret = vfs_link(inode, to.start, to.path);
		path_arg_end(&to);
	}
	inode_put(inode);
	return ret;
}

s64 sys_symlinkat(const u64 a[6])
{
	char *target = path_from_user(a[0]);
	struct path_arg arg;
	s64 ret;

	if (IS_ERR(target))
		return PTR_ERR(target);
	ret = path_arg_get(&arg, a[1], a[2]);
	if (!ret) {
		ret = vfs_symlink(target, arg.start, arg.path);
		path_arg_end(&arg);
	}
	kfree(target);
	return ret;
}

s64 sys_readlinkat(const u64 a[6])
{
	struct inode *inode;
	int size = (int)a[3];
	char *target;
	s64 n;

	if (size <= 0)
		return -EINVAL;
	inode = inode_from_user(a[0], a[1], AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, NULL);
	if (!inode || IS_ERR(inode))
		return inode ? PTR_ERR(inode) : -EINVAL;
	target = kmalloc(VFS_PATH_MAX);
	mutex_lock(&tree_lock);
	n = target ? inode_readlink(inode, target, VFS_PATH_MAX) : -ENOMEM;
	mutex_unlock(&tree_lock);
	if (n >= 0) {
		n = min(n, (s64)size);
		if (copy_to_user(HVA(a[2]), target, (size_t)n))
			n = -EFAULT;
	}
	kfree(target);
	inode_put(inode);
	return n;
}

s64 sys_getcwd(const u64 a[6])
{
	struct inode *cwd = fs_context_cwd(current_fs());
	char *path;
	size_t size;
	s64 ret;

	mutex_lock(&tree_lock);
	path = path_of(cwd, NULL);
	mutex_unlock(&tree_lock);
	inode_put(cwd);
	if (IS_ERR(path))
		return PTR_ERR(path);
	size = __builtin_strlen(path) + 1;
	ret = size > a[1] ? -ERANGE : (s64)size;
	if (ret > 0 && copy_to_user(HVA(a[0]), path, size))
		ret = -EFAULT;
	kfree(path);
	return ret;
}

s64 sys_chdir(const u64 a[6])
{
	struct inode *dir = inode_from_user((u64)AT_FDCWD, a[0], 0, NULL);
	s64 ret;

	if (IS_ERR(dir))
		return PTR_ERR(dir);
	ret = fs_context_set_cwd(current_fs(), dir);
	inode_put(dir);
	return ret;
}

s64 sys_fchdir(const u64 a[6])
{
	struct file *f = fd_get_raw(current_files(), (int)a[0]);
	struct inode *inode;
	s64 ret;

	if (!f)
		return -EBADF;
	inode = file_inode(f);
	ret = inode ? fs_context_set_cwd(current_fs(), inode) : -ENOTDIR;
	file_put(f);
	return ret;
}

s64 sys_umask(const u64 a[6])
{
	return __atomic_exchange_n(&current_fs()->umask, (u32)a[0] & 0777, __ATOMIC_RELAXED);
}
