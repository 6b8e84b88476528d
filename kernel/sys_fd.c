/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls about descriptors and the files they name: close, dup, fcntl, ioctl, sizes.
 */
#include <asm/ioctls.h>
#include <linux/close_range.h>
#include <linux/fs.h>

#include "host/mm.h"
#include "kernel/fs_args.h"
#include "kernel/pipe.h"
#include "kernel/record_lock.h"
#include "kernel/syscalls.h"

static u32 cloexec_of(u64 flags)
{
	return flags & O_CLOEXEC ? FD_CLOEXEC : 0;
}

s64 sys_close(const u64 a[6])
{
	return fd_close(current_files(), (int)a[0]);
}

static s64 dup_from(u64 fd, u64 min_fd, u32 fd_flags)
{
	struct fdtable *t = current_files();
	struct file *f = fd_get_raw(t, (int)fd);
	int new_fd;

	if (!f)
		return -EBADF;
	new_fd = min_fd >= fd_limit_get(t) ? -EINVAL : fd_install(t, f, (int)min_fd, fd_flags);
	if (new_fd < 0)
		file_put(f);
	return new_fd;
}

s64 sys_dup(const u64 a[6])
{
	struct file *f = fd_get_raw(current_files(), (int)a[0]);
	int fd;

	if (!f)
		return -EBADF;
	fd = fd_install(current_files(), f, 0, 0);
	if (fd < 0)
		file_put(f);
	return fd;
}

s64 sys_dup3(const u64 a[6])
{
	struct fdtable *t = current_files();
	int old_fd = (int)a[0], new_fd = (int)a[1], ret;
	u32 flags = (u32)a[2];
	struct file *f;

	if (flags & ~(u32)O_CLOEXEC || old_fd == new_fd)
		return -EINVAL;
	if (new_fd < 0 || (unsigned int)new_fd >= fd_limit_get(t))
		return -EBADF;
	f = fd_get_raw(t, old_fd);
	if (!f)
		return -EBADF;
	ret = fd_replace(t, new_fd, f, cloexec_of(flags));
	if (ret < 0)
		file_put(f);
	return ret;
}

s64 sys_close_range(const u64 a[6])
{
	struct fdtable *t = current_files();
	u32 first = (u32)a[0], last = (u32)a[1], flags = (u32)a[2];

	/* CLOSE_RANGE_UNSHARE would need a table of the thread's own. */
	if (first > last || flags & ~CLOSE_RANGE_CLOEXEC)
		return -EINVAL;
	if (first > INT32_MAX)
		return 0;
	for (int fd = fd_next(t, (int)first); fd >= 0 && (u32)fd <= last; fd = fd_next(t, fd + 1)) {
		if (flags & CLOSE_RANGE_CLOEXEC)
			fd_flags_set(t, fd, FD_CLOEXEC);
		else
			fd_close(t, fd);
	}
	return 0;
}

/* ---- fcntl */
#define SETFL_MASK (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC)

static s64 fcntl_setfl(struct file *f, u64 flags)
{
	/* FASYNC and O_DIRECT need a driver's help, which none here gives. */
	if (flags & O_DIRECT)
		return -EINVAL;
	f->flags = (f->flags & ~(u32)SETFL_MASK) | ((u32)flags & SETFL_MASK & ~(u32)FASYNC);
	return 0;
}

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

/* Only memory files carry seals; one that cannot be sealed has F_SEAL_SEAL set. */
static struct inode *sealable(struct file *f)
{
	struct inode *inode = file_inode(f);

	return inode && fs_is_anonymous(inode->fs) && inode->data ? inode : NULL;
}

static s64 fcntl_add_seals(struct file *f, u64 seals)
{
	struct inode *inode = sealable(f);
	s64 ret = 0;

	if (!inode || seals & ~(u64)ALL_SEALS)
		return -EINVAL;
	if (!file_writable(f))
		return -EPERM;
	mutex_lock(&inode->write_lock);
	if (inode->seals & F_SEAL_SEAL)
		ret = -EPERM;
	else if (seals & F_SEAL_WRITE && memobj_mapped_writable(inode->data))
		ret = -EBUSY;
	else
		inode->seals |= (u32)seals;
	mutex_unlock(&inode->write_lock);
	return ret;
}

static s64 fcntl_get_seals(struct file *f)
{
	struct inode *inode = sealable(f);

	return inode ? (s64)inode->seals : -EINVAL;
}

/* The commands that an O_PATH file allows too. */
static bool fcntl_on_path(u32 cmd)
{
	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC || cmd == F_GETFD || cmd == F_SETFD ||
	       cmd == F_GETFL;
}

static s64 fcntl_file(struct file *f, u64 fd, u32 cmd, u64 arg)
{
	struct fdtable *t = current_files();

	if (f->traits & FILE_PATH_ONLY && !fcntl_on_path(cmd))
		return -EBADF;
	if (is_record_lock_cmd(cmd))
		return record_lock_fcntl(f, (int)fd, cmd, arg);
	switch (cmd) {
	case F_DUPFD: return dup_from(fd, arg, 0);
	case F_DUPFD_CLOEXEC: return dup_from(fd, arg, FD_CLOEXEC);
	case F_GETFD: return fd_flags_get(t, (int)fd);
	case F_SETFD: return fd_flags_set(t, (int)fd, (u32)arg & FD_CLOEXEC);
	case F_GETFL: return f->flags;
	case F_SETFL: return fcntl_setfl(f, arg);
	case F_GETPIPE_SZ: return pipe_size(f);
	case F_SETPIPE_SZ: return pipe_resize(f, arg);
	case F_ADD_SEALS: return fcntl_add_seals(f, arg);
	case F_GET_SEALS: return fcntl_get_seals(f);
	default: return -EINVAL;
	}
}

s64 sys_fcntl(const u64 a[6])
{
	struct file *f = fd_get_raw(current_files(), (int)a[0]);
	s64 ret;

	if (!f)
		return -EBADF;
	ret = fcntl_file(f, a[0], (u32)a[1], a[2]);
	file_put(f);
	return ret;
}

/* ---- ioctl: a few are the same for every file */
static s64 ioctl_nonblock(struct file *f, u64 arg)
{
	int on;

	if (copy_from_user(&on, HVA(arg), sizeof(on)))
		return -EFAULT;
	if (on)
		__atomic_fetch_or(&f->flags, O_NONBLOCK, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&f->flags, ~(u32)O_NONBLOCK, __ATOMIC_RELAXED);
	return 0;
}

/* Bytes from the position to the end of a regular file. */
static s64 ioctl_bytes_left(struct file *f, u64 arg)
{
	int left = (int)(vfs_file_size(f) - (s64)f->pos);

	return copy_to_user(HVA(arg), &left, sizeof(left)) ? -EFAULT : 0;
}

/* Those that every file has are of the terminal's type, 'T'. True: @result is the answer. */
static bool ioctl_of_any_file(struct file *f, u64 fd, u32 cmd, u64 arg, s64 *result)
{
	switch (cmd) {
	case FIOCLEX: *result = fd_flags_set(current_files(), (int)fd, FD_CLOEXEC); return true;
	case FIONCLEX: *result = fd_flags_set(current_files(), (int)fd, 0); return true;
	case FIONBIO: *result = ioctl_nonblock(f, arg); return true;
	case FIONREAD:
		if (f->ops != &regular_file_ops)
			return false;
		*result = ioctl_bytes_left(f, arg);
		return true;
	}
	return false;
}

static s64 ioctl_file(struct file *f, u64 fd, u32 cmd, u64 arg)
{
	s64 result;

	if (_IOC_TYPE(cmd) == _IOC_TYPE(FIOCLEX) && ioctl_of_any_file(f, fd, cmd, arg, &result))
		return result;
	return f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
}

s64 sys_ioctl(const u64 a[6])
{
	struct file *f = file_arg(a[0]);
	s64 ret;

	if (!f)
		return -EBADF;
	ret = ioctl_file(f, a[0], (u32)a[1], a[2]);
	file_put(f);
	return ret;
}

/* ---- sizes */
s64 sys_ftruncate(const u64 a[6])
{
	struct file *f;
	s64 ret = -EINVAL;

	if ((s64)a[1] < 0)
		return -EINVAL;
	f = file_arg(a[0]);
	if (!f)
		return -EBADF;
	if (f->ops->truncate && file_writable(f))
		ret = f->ops->truncate(f, a[1]);
	file_put(f);
	return ret;
}

static s64 truncate_inode(struct inode *inode, u64 size)
{
	struct file *f;
	s64 ret;

	if (inode_is_dir(inode))
		return -EISDIR;
	if (!inode_is_regular(inode))
		return -EINVAL;
	f = vfs_open_inode(inode, O_WRONLY, NULL);
	if (IS_ERR(f))
		return PTR_ERR(f);
	ret = f->ops->truncate ? f->ops->truncate(f, size) : -EINVAL;
	file_put(f);
	return ret;
}

s64 sys_truncate(const u64 a[6])
{
	struct inode *inode;
	s64 ret;

	if ((s64)a[1] < 0)
		return -EINVAL;
	inode = inode_from_user((u64)AT_FDCWD, a[0], 0, NULL);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	ret = truncate_inode(inode, a[1]);
	inode_put(inode);
	return ret;
}

/* What fallocate says by the type of file, where it has no such operation. */
static int fallocate_type_error(struct file *f)
{
	struct stat st;
	int ret = file_stat(f, &st);

	if (ret)
		return ret;
	switch (st.st_mode & S_IFMT) {
	case S_IFIFO: return -ESPIPE;
	case S_IFDIR: return -EISDIR;
	case S_IFREG: return -EOPNOTSUPP;
	default: return -ENODEV;
	}
}

static s64 fallocate_file(struct file *f, u32 mode, s64 offset, s64 len)
{
	s64 end;

	if (offset < 0 || len <= 0)
		return -EINVAL;
	if (mode & ~(u32)(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE) ||
	    mode == FALLOC_FL_PUNCH_HOLE)
		return -EOPNOTSUPP;
	if (!file_writable(f))
		return -EBADF;
	if (!f->ops->fallocate)
		return fallocate_type_error(f);
	if (__builtin_add_overflow(offset, len, &end))
		return -EFBIG;
	return f->ops->fallocate(f, (int)mode, (u64)offset, (u64)len);
}

s64 sys_fallocate(const u64 a[6])
{
	struct file *f = file_arg(a[0]);
	s64 ret;

	if (!f)
		return -EBADF;
	ret = fallocate_file(f, (u32)a[1], (s64)a[2], (s64)a[3]);
	file_put(f);
	return ret;
}

/* All content is in memory: there is nothing to write back, but only real files can be asked. */
s64 sys_fsync(const u64 a[6])
{
	struct file *f = file_arg(a[0]);
	s64 ret;

	if (!f)
		return -EBADF;
	ret = vfs_file_size(f) >= 0 || f->traits & FILE_IS_DIR ? 0 : -EINVAL;
	file_put(f);
	return ret;
}

s64 sys_fdatasync(const u64 a[6])
{
	return sys_fsync(a);
}

s64 sys_sync(const u64 a[6])
{
	(void)a;
	return 0;
}
