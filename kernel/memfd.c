/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memfd_create(2): files of memory without a name, of small pages or of huge ones; and the latter
 * with names, in hugetlbfs.
 */
#include <linux/fs.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>

#include "host/mm.h"
#include "kernel/flock.h"
#include "kernel/fs_args.h"
#include "kernel/syscalls.h"

/* The longest name: NAME_MAX less "memfd:". */
enum { MEMFD_NAME_MAX = VFS_NAME_MAX - 6 };

/* Newer than the headers that the build uses. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#define MFD_EXEC	0x0010U
#endif

#define MFD_FLAGS (MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_NOEXEC_SEAL | MFD_EXEC)

/* Huge pages cannot be written to by write(2), as on Linux's hugetlbfs; all else is the same. */
static int huge_fallocate(struct file *f, int mode, u64 offset, u64 len)
{
	return regular_file_ops.fallocate(f, mode, offset, len);
}

static s64 huge_read(struct file *f, struct iobuf *to, u64 *pos)
{
	return regular_file_ops.read(f, to, pos);
}

static s64 huge_lseek(struct file *f, s64 offset, int whence)
{
	return regular_file_ops.lseek(f, offset, whence);
}

static int huge_mmap(struct file *f, struct vma *vma)
{
	return regular_file_ops.mmap(f, vma);
}

static int huge_stat(struct file *f, struct stat *st)
{
	return regular_file_ops.stat(f, st);
}

static int huge_truncate(struct file *f, u64 size)
{
	return regular_file_ops.truncate(f, size);
}

static u64 huge_pages(struct file *f)
{
	return regular_file_ops.pages(f);
}

static void huge_release(struct file *f)
{
	flock_release(f);
}

static const struct file_ops huge_file_ops = {
	.name = "file",
	.read = huge_read,
	.lseek = huge_lseek,
	.mmap = huge_mmap,
	.stat = huge_stat,
	.truncate = huge_truncate,
	.fallocate = huge_fallocate,
	.pages = huge_pages,
	.release = huge_release,
};

/* Sizes of huge pages, as the flags give them: log2 of bytes, 0 for the usual one. */
static const struct huge_size {
	u32 log2;
	enum vfs_fs fs;
} huge_sizes[] = {
	{ 0, FS_ANON_2M },
	{ 21, FS_ANON_2M },
	{ 30, FS_ANON_1G },
};

static const struct huge_size *huge_size_of(u32 flags)
{
	for (size_t i = 0; i < ARRAY_SIZE(huge_sizes); i++)
		if (huge_sizes[i].log2 == flags >> MFD_HUGE_SHIFT)
			return &huge_sizes[i];
	return NULL;
}

static bool has_2m_pages(enum vfs_fs fs)
{
	return fs_block_size(fs) == SZ_2M;
}

static struct file *huge_open(struct inode *inode, u32 flags)
{
	int ret = flags & O_TRUNC ? memobj_truncate(inode->data, 0) : 0;
	struct file *f = ret ? NULL : file_alloc(&huge_file_ops, inode, flags);

	if (!f)
		return ERR_PTR(ret ? ret : -ENOMEM);
	f->traits = FILE_SEEKABLE | (has_2m_pages(inode->fs) ? FILE_HUGE_2M : FILE_HUGE_1G);
	return f;
}

static const struct inode_ops huge_inode_ops = {
	.open = huge_open,
};

struct inode *inode_new_huge(enum vfs_fs fs, u32 mode)
{
	struct inode *inode = inode_alloc(fs, S_IFREG | mode, &huge_inode_ops);

	if (IS_ERR(inode))
		return inode;
	inode->data = memobj_hugetlb_new(has_2m_pages(fs) ? LEVEL_2M : LEVEL_1G);
	if (!inode->data) {
		inode_put(inode);
		return ERR_PTR(-ENOMEM);
	}
	return inode;
}

static char *memfd_path(const char *name)
{
	size_t size = strlen(name) + sizeof("/memfd: (deleted)");
	char *path = kmalloc(size);

	if (path)
		snprintf(path, size, "/memfd:%s (deleted)", name);
	return path;
}

static struct file *memfd_new(const char *name, u32 flags, enum vfs_fs fs)
{
	u32 mode = flags & MFD_NOEXEC_SEAL ? 0666 : 0777;
	struct inode *inode = inode_new_regular(fs, mode);
	struct file *f;
	char *path;

	if (IS_ERR(inode))
		return (struct file *)inode;
	inode->seals = flags & (MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL) ? 0 : F_SEAL_SEAL;
	path = memfd_path(name);
	f = path ? vfs_open_inode(inode, O_RDWR | O_LARGEFILE, path) : NULL;
	inode_put(inode);
	return f;
}

/* 0, or what Linux says of the combination of flags. */
static int memfd_check(u32 flags)
{
	u32 known = MFD_FLAGS;

	if (flags & MFD_HUGETLB)
		known |= (u32)MFD_HUGE_MASK << MFD_HUGE_SHIFT;
	if (flags & ~known || (flags & MFD_EXEC && flags & MFD_NOEXEC_SEAL))
		return -EINVAL;
	return 0;
}

s64 sys_memfd_create(const u64 a[6])
{
	const struct huge_size *size;
	enum vfs_fs fs = FS_ANON;
	char name[MEMFD_NAME_MAX + 1];
	u32 flags = (u32)a[1];
	int ret = memfd_check(flags);
	s64 n;

	if (ret)
		return ret;
	n = strncpy_from_user(name, HVA(a[0]), sizeof(name));
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	if (flags & MFD_HUGETLB) {
		size = huge_size_of(flags);
		if (!size)
			return -ENODEV;
		fs = size->fs;
	}
	return fd_for_file(memfd_new(name, flags, fs), flags & MFD_CLOEXEC ? O_CLOEXEC : 0);
}
