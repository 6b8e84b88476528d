/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls about attributes: stat and its kin, access, mode, owner, times, file systems.
 */
#include <asm/statfs.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <string.h>

#include "host/page.h"
#include "kernel/fs_args.h"
#include "kernel/syscalls.h"
#include "kernel/time.h"

static s64 stat_to_user(u64 p, const struct stat *st)
{
	return copy_to_user(HVA(p), st, sizeof(*st)) ? -EFAULT : 0;
}

s64 sys_fstat(const u64 a[6])
{
	struct file *f = fd_get_raw(current_files(), (int)a[0]);
	struct stat st;
	s64 ret;

	if (!f)
		return -EBADF;
	ret = file_stat(f, &st);
	file_put(f);
	return ret ? ret : stat_to_user(a[1], &st);
}

/* Attributes of (@dirfd, path at @p, @at_flags): of the file itself where the path is empty. */
static int stat_named(u64 dirfd, u64 p, int at_flags, struct stat *st)
{
	struct file *f = NULL;
	struct inode *inode = inode_from_user(dirfd, p, at_flags, &f);
	int ret = 0;

	*st = (struct stat){ 0 };
	if (IS_ERR(inode))
		return (int)PTR_ERR(inode);
	if (f)
		ret = file_stat(f, st);
	else
		inode_stat(inode, st);
	if (f)
		file_put(f);
	if (inode)
		inode_put(inode);
	return ret;
}

s64 sys_newfstatat(const u64 a[6])
{
	u32 flags = (u32)a[3];
	struct stat st;
	int ret;

	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return -EINVAL;
	ret = stat_named(a[0], a[1], (int)flags, &st);
	return ret ? ret : stat_to_user(a[2], &st);
}

static struct statx_timestamp statx_time(s64 sec, u64 nsec)
{
	return (struct statx_timestamp){ .tv_sec = sec, .tv_nsec = (u32)nsec };
}

static s64 statx_to_user(u64 p, const struct stat *st)
{
	struct statx x = {
		.stx_mask = STATX_BASIC_STATS,
		.stx_blksize = (u32)st->st_blksize,
		.stx_nlink = st->st_nlink,
		.stx_uid = st->st_uid,
		.stx_gid = st->st_gid,
		.stx_mode = (u16)st->st_mode,
		.stx_ino = st->st_ino,
		.stx_size = (u64)st->st_size,
		.stx_blocks = (u64)st->st_blocks,
		.stx_atime = statx_time(st->st_atime, st->st_atime_nsec),
		.stx_mtime = statx_time(st->st_mtime, st->st_mtime_nsec),
		.stx_ctime = statx_time(st->st_ctime, st->st_ctime_nsec),
		.stx_rdev_major = (u32)st->st_rdev >> 8,
		.stx_rdev_minor = (u32)st->st_rdev & 0xff,
		.stx_dev_minor = (u32)st->st_dev,
	};

	return copy_to_user(HVA(p), &x, sizeof(x)) ? -EFAULT : 0;
}

s64 sys_statx(const u64 a[6])
{
	u32 flags = (u32)a[2], mask = (u32)a[3];
	struct stat st;
	int ret;

	if (mask & STATX__RESERVED || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE ||
	    flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH |
			   AT_STATX_SYNC_TYPE))
		return -EINVAL;
	ret = stat_named(a[0], a[1], (int)flags, &st);
	return ret ? ret : statx_to_user(a[4], &st);
}

/* ---- access: everything is root, which may do all but execute what nobody may. */
enum { MAY_EXEC = 1, MAY_ALL = 7 };

static s64 access_at(u64 dirfd, u64 p, u32 mode, u32 flags)
{
	struct inode *inode;
	s64 ret = 0;

	if (mode & ~(u32)MAY_ALL ||
	    flags & ~(u32)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	inode = inode_from_user(dirfd, p, (int)flags, NULL);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	if (!inode)
		return mode & MAY_EXEC ? -EACCES : 0;
	if (mode & MAY_EXEC && !inode_is_dir(inode) && !(inode->mode & 0111))
		ret = -EACCES;
	inode_put(inode);
	return ret;
}

s64 sys_faccessat(const u64 a[6])
{
	return access_at(a[0], a[1], (u32)a[2], 0);
}

s64 sys_faccessat2(const u64 a[6])
{
	return access_at(a[0], a[1], (u32)a[2], (u32)a[3]);
}

/* ---- changing attributes */
struct attr_change {
	enum { ATTR_MODE, ATTR_OWNER, ATTR_TIMES } what;
	u32 mode;
	u32 uid, gid;		/* -1: as it is */
	s64 atime_ns, mtime_ns; /* ATTR_KEEP: as it is */
};

#define ATTR_KEEP INT64_MIN

static s64 attr_apply(struct inode *inode, const struct attr_change *c)
{
	mutex_lock(&tree_lock);
	switch (c->what) {
	case ATTR_MODE: inode->mode = (inode->mode & S_IFMT) | (c->mode & 07777); break;
	case ATTR_OWNER:
		inode->uid = c->uid == UINT32_MAX ? inode->uid : c->uid;
		inode->gid = c->gid == UINT32_MAX ? inode->gid : c->gid;
		break;
	case ATTR_TIMES:
		inode->atime_ns = c->atime_ns == ATTR_KEEP ? inode->atime_ns : c->atime_ns;
		inode->mtime_ns = c->mtime_ns == ATTR_KEEP ? inode->mtime_ns : c->mtime_ns;
		break;
	}
	inode->ctime_ns = (s64)time_realtime_ns();
	mutex_unlock(&tree_lock);
	return 0;
}

static s64 attr_of_fd(u64 fd, const struct attr_change *c)
{
	struct file *f = file_arg(fd);
	struct inode *inode;
	s64 ret;

	if (!f)
		return -EBADF;
	inode = file_inode(f);
	ret = inode ? attr_apply(inode, c) : -EPERM;
	file_put(f);
	return ret;
}

static s64 attr_at(u64 dirfd, u64 p, u32 flags, const struct attr_change *c)
{
	struct inode *inode;
	s64 ret;

	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	inode = inode_from_user(dirfd, p, (int)flags, NULL);
	if (!inode || IS_ERR(inode))
		return inode ? PTR_ERR(inode) : -EPERM;
	if (c->what == ATTR_MODE && inode_is_link(inode))
		ret = -EOPNOTSUPP;
	else
		ret = attr_apply(inode, c);
	inode_put(inode);
	return ret;
}

s64 sys_fchmod(const u64 a[6])
{
	return attr_of_fd(a[0], &(struct attr_change){ .what = ATTR_MODE, .mode = (u32)a[1] });
}

s64 sys_fchmodat(const u64 a[6])
{
	return attr_at(a[0], a[1], 0,
		       &(struct attr_change){ .what = ATTR_MODE, .mode = (u32)a[2] });
}

s64 sys_fchown(const u64 a[6])
{
	return attr_of_fd(a[0], &(struct attr_change){
					.what = ATTR_OWNER, .uid = (u32)a[1], .gid = (u32)a[2] });
}

s64 sys_fchownat(const u64 a[6])
{
	return attr_at(a[0], a[1], (u32)a[4],
		       &(struct attr_change){
			       .what = ATTR_OWNER, .uid = (u32)a[2], .gid = (u32)a[3] });
}

/* utimensat(2); Linux keeps them out of its uapi headers. */
enum { UTIME_NOW = (1 << 30) - 1, UTIME_OMIT = (1 << 30) - 2 };

/* One of utimensat's two times: nanoseconds, ATTR_KEEP; false if it makes no sense. */
static bool utime_of(const struct __kernel_timespec *ts, s64 now, s64 *ns)
{
	if (ts->tv_nsec == UTIME_NOW)
		*ns = now;
	else if (ts->tv_nsec == UTIME_OMIT)
		*ns = ATTR_KEEP;
	else if (ts->tv_nsec >= 0 && ts->tv_nsec < (s64)NS_PER_SEC)
		*ns = ts->tv_sec * (s64)NS_PER_SEC + ts->tv_nsec;
	else
		return false;
	return true;
}

s64 sys_utimensat(const u64 a[6])
{
	s64 now = (s64)time_realtime_ns();
	struct attr_change c = { .what = ATTR_TIMES, .atime_ns = now, .mtime_ns = now };
	struct __kernel_timespec ts[2];

	if (a[2]) {
		if (copy_from_user(ts, HVA(a[2]), sizeof(ts)))
			return -EFAULT;
		if (ts[0].tv_nsec == UTIME_OMIT && ts[1].tv_nsec == UTIME_OMIT)
			return 0;
		if (!utime_of(&ts[0], now, &c.atime_ns) || !utime_of(&ts[1], now, &c.mtime_ns))
			return -EINVAL;
	}
	if (!a[1])
		return (u32)a[3] ? -EINVAL : attr_of_fd(a[0], &c);
	return attr_at(a[0], a[1], (u32)a[3], &c);
}

/* ---- file systems */
static const long fs_magic[FS_COUNT] = {
	[FS_ROOT] = TMPFS_MAGIC,	[FS_DEV] = TMPFS_MAGIC,
	[FS_SHM] = TMPFS_MAGIC,		[FS_HUGE_2M] = HUGETLBFS_MAGIC,
	[FS_HUGE_1G] = HUGETLBFS_MAGIC, [FS_PROC] = PROC_SUPER_MAGIC,
	[FS_SYS] = SYSFS_MAGIC,		[FS_ANON] = TMPFS_MAGIC,
	[FS_ANON_2M] = HUGETLBFS_MAGIC, [FS_ANON_1G] = HUGETLBFS_MAGIC,
};

static s64 statfs_to_user(const struct inode *inode, u64 p)
{
	struct mem_counts counts = page_counts();
	bool memory = fs_magic[inode->fs] == TMPFS_MAGIC;
	struct statfs64 s = {
		.f_type = fs_magic[inode->fs],
		.f_bsize = fs_block_size(inode->fs),
		.f_blocks = memory ? counts.total_pages : 0,
		.f_bfree = memory ? counts.free_pages : 0,
		.f_bavail = memory ? counts.free_pages : 0,
		.f_namelen = VFS_NAME_MAX,
		.f_frsize = fs_block_size(inode->fs),
	};

	return copy_to_user(HVA(p), &s, sizeof(s)) ? -EFAULT : 0;
}

s64 sys_statfs(const u64 a[6])
{
	struct inode *inode = inode_from_user((u64)AT_FDCWD, a[0], 0, NULL);
	s64 ret;

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	ret = statfs_to_user(inode, a[1]);
	inode_put(inode);
	return ret;
}

s64 sys_fstatfs(const u64 a[6])
{
	static const struct inode anonymous = { .fs = FS_ANON };
	struct file *f = fd_get_raw(current_files(), (int)a[0]);
	struct inode *inode;
	s64 ret;

	if (!f)
		return -EBADF;
	inode = file_inode(f);
	ret = statfs_to_user(inode ? inode : &anonymous, a[1]);
	file_put(f);
	return ret;
}
