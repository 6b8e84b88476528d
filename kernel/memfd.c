/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memfd_create(2): files of memory without a name, of small pages or of huge ones.
 */
#include <linux/fs.h>
#include <linux/memfd.h>
#include <stdio.h>

#include "host/mm.h"
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

static void huge_release(struct file *f)
{
	regular_file_ops.release(f);
}

static const struct file_ops huge_file_ops = {
	.name = "file",
	.read = huge_read,
	.lseek = huge_lseek,
	.mmap = huge_mmap,
	.stat = huge_stat,
	.truncate = huge_truncate,
	.fallocate = huge_fallocate,
	.release = huge_release,
};

/* Sizes of huge pages, as the flags give them: log2 of bytes, 0 for the usual one. */
static const struct huge_size {
	u32 log2;
	int level;
	u32 trait;
} huge_sizes[] = {
	{ 0, LEVEL_2M, FILE_HUGE_2M },
	{ 21, LEVEL_2M, FILE_HUGE_2M },
	{ 30, LEVEL_1G, FILE_HUGE_1G },
};

static const struct huge_size *huge_size_of(u32 flags)
{
	for (size_t i = 0; i < ARRAY_SIZE(huge_sizes); i++)
		if (huge_sizes[i].log2 == flags >> MFD_HUGE_SHIFT)
			return &huge_sizes[i];
	return NULL;
}

/* A file of huge pages over @inode, which is new. */
static struct file *huge_open(struct inode *inode, const struct huge_size *size)
{
	struct file *f;

	memobj_put(inode->data);
	inode->data = memobj_hugetlb_new(size->level);
	if (!inode->data)
		return NULL;
	f = file_alloc(&huge_file_ops, inode, O_RDWR);
	if (!f)
		return NULL;
	f->traits = FILE_SEEKABLE | size->trait;
	f->node = &inode_get(inode)->node;
	return f;
}

static struct file *memfd_new(const char *name, u32 flags, const struct huge_size *size)
{
	u32 mode = flags & MFD_NOEXEC_SEAL ? 0666 : 0777;
	struct inode *inode = inode_new_regular(FS_ANON, mode);
	char *path = kmalloc(VFS_NAME_MAX + 32);
	struct file *f = NULL;

	if (path && !IS_ERR(inode))
		f = size ? huge_open(inode, size) : regular_open(inode, O_RDWR);
	if (!f || IS_ERR(f)) {
		kfree(path);
		f = NULL;
	} else {
		snprintf(path, VFS_NAME_MAX + 32, "/memfd:%s (deleted)", name);
		f->path = path;
		f->flags |= O_LARGEFILE;
		inode->seals = flags & (MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL) ? 0 : F_SEAL_SEAL;
	}
	if (!IS_ERR(inode))
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
	const struct huge_size *size = NULL;
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
	}
	return fd_for_file(memfd_new(name, flags, size), flags & MFD_CLOEXEC ? O_CLOEXEC : 0);
}
