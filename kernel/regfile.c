/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open files of inodes: regular files over memory objects, directories, and O_PATH handles.
 */
#include <linux/fs.h>

#include "host/mm.h"
#include "kernel/flock.h"
#include "kernel/fs_args.h"
#include "kernel/inode.h"

/* Both forbid write() and new shared writable mappings. */
#define SEALS_WRITE (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

struct inode *file_inode(struct file *f)
{
	return f->node ? container_of(f->node, struct inode, node) : NULL;
}

/* A file of @inode, which it keeps. */
static struct file *inode_file(struct inode *inode, const struct file_ops *ops, u32 flags,
			       u32 traits)
{
	struct file *f = file_alloc(ops, inode, flags);

	if (!f)
		return ERR_PTR(-ENOMEM);
	f->traits = traits;
	f->node = &inode_get(inode)->node;
	return f;
}

static s64 regular_read(struct file *f, struct iobuf *to, u64 *pos)
{
	struct inode *inode = f->priv;
	s64 n = memobj_read(inode->data, to, *pos);

	if (n > 0)
		*pos += (u64)n;
	return n;
}

static s64 regular_write(struct file *f, struct iobuf *from, u64 *pos)
{
	struct inode *inode = f->priv;
	s64 n;

	if (inode->seals & SEALS_WRITE)
		return -EPERM;
	mutex_lock(&inode->write_lock);
	if (f->flags & O_APPEND)
		*pos = memobj_size(inode->data);
	if (inode->seals & F_SEAL_GROW && *pos + from->left > memobj_size(inode->data))
		n = -EPERM;
	else
		n = memobj_write(inode->data, from, *pos);
	mutex_unlock(&inode->write_lock);
	if (n > 0) {
		*pos += (u64)n;
		inode_touch(inode);
	}
	return n;
}

static s64 regular_lseek(struct file *f, s64 offset, int whence)
{
	struct inode *inode = f->priv;
	s64 base = 0;

	switch (whence) {
	case SEEK_SET: break;
	case SEEK_CUR: base = (s64)f->pos; break;
	case SEEK_END: base = (s64)memobj_size(inode->data); break;
	case SEEK_DATA:
	case SEEK_HOLE:
		offset = memobj_seek(inode->data, offset,
				     whence == SEEK_DATA ? MEMOBJ_DATA : MEMOBJ_HOLE);
		if (offset < 0)
			return offset;
		break;
	default: return -EINVAL;
	}
	if (__builtin_add_overflow(base, offset, &offset) || offset < 0)
		return -EINVAL;
	f->pos = (u64)offset;
	return offset;
}

static int regular_mmap(struct file *f, struct vma *vma)
{
	struct inode *inode = f->priv;

	if (inode->seals & SEALS_WRITE && vma->flags & VM_SHARED) {
		if (vma->flags & VM_WRITE)
			return -EPERM;
		vma->flags &= ~(u32)VM_MAYWRITE;
	}
	return memobj_mmap(inode->data, vma);
}

static int regular_stat(struct file *f, struct stat *st)
{
	inode_stat(f->priv, st);
	return 0;
}

static int regular_truncate(struct file *f, u64 size)
{
	struct inode *inode = f->priv;
	u64 old = memobj_size(inode->data);
	int ret;

	if ((size < old && inode->seals & F_SEAL_SHRINK) ||
	    (size > old && inode->seals & F_SEAL_GROW))
		return -EPERM;
	ret = memobj_truncate(inode->data, size);
	if (!ret)
		inode_touch(inode);
	return ret;
}

static int regular_fallocate(struct file *f, int mode, u64 offset, u64 len)
{
	struct inode *inode = f->priv;
	int ret;

	if (mode & FALLOC_FL_PUNCH_HOLE && inode->seals & SEALS_WRITE)
		return -EPERM;
	if (inode->seals & F_SEAL_GROW && offset + len > memobj_size(inode->data))
		return -EPERM;
	ret = memobj_fallocate(inode->data, mode, offset, len);
	if (!ret)
		inode_touch(inode);
	return ret;
}

/* How an open file counts in inode.writers. */
static s32 claim_of(const struct file *f)
{
	if (f->traits & FILE_RUNS)
		return -1;
	return (f->flags & O_ACCMODE) != O_RDONLY;
}

/* Who writes a file and who runs it exclude each other. */
static int claim(struct inode *inode, s32 claim)
{
	s32 old = __atomic_load_n(&inode->writers, __ATOMIC_RELAXED);

	do {
		if (claim > 0 ? old < 0 : claim < 0 && old > 0)
			return -ETXTBSY;
	} while (!__atomic_compare_exchange_n(&inode->writers, &old, old + claim, true,
					      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return 0;
}

static void unclaim(struct inode *inode, s32 claim)
{
	__atomic_fetch_sub(&inode->writers, claim, __ATOMIC_RELAXED);
}

static void regular_release(struct file *f)
{
	flock_release(f);
	unclaim(f->priv, claim_of(f));
}

/* A file that has a name stays. */
static u64 regular_pages(struct file *f)
{
	const struct inode *inode = file_inode(f);

	return inode->nlink ? 0 : memobj_pages(inode->data);
}

const struct file_ops regular_file_ops = {
	.name = "file",
	.read = regular_read,
	.write = regular_write,
	.lseek = regular_lseek,
	.mmap = regular_mmap,
	.stat = regular_stat,
	.truncate = regular_truncate,
	.fallocate = regular_fallocate,
	.pages = regular_pages,
	.release = regular_release,
};

static int truncate_at_open(struct inode *inode)
{
	int ret = claim(inode, 1);

	if (ret)
		return ret;
	ret = memobj_truncate(inode->data, 0);
	if (!ret)
		inode_touch(inode);
	unclaim(inode, 1);
	return ret;
}

struct file *regular_open(struct inode *inode, u32 flags)
{
	u32 traits = FILE_SEEKABLE | (flags & OPEN_TO_RUN ? FILE_RUNS : 0);
	int ret = flags & O_TRUNC ? truncate_at_open(inode) : 0;
	struct file *f;

	if (ret)
		return ERR_PTR(ret);
	f = inode_file(inode, &regular_file_ops, flags, traits);
	if (IS_ERR(f))
		return f;
	ret = claim(inode, claim_of(f));
	if (!ret)
		return f;
	f->traits = 0; /* it claims nothing */
	f->flags = O_RDONLY;
	file_put(f);
	return ERR_PTR(ret);
}

static s64 dir_read(struct file *f, struct iobuf *to, u64 *pos)
{
	(void)f;
	(void)to;
	(void)pos;
	return -EISDIR;
}

/* Positions in a directory are cookies: only going back to one that getdents gave makes sense. */
static s64 dir_lseek(struct file *f, s64 offset, int whence)
{
	if (whence == SEEK_CUR)
		offset += (s64)f->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (offset < 0)
		return -EINVAL;
	f->pos = (u64)offset;
	return offset;
}

static int dir_getdents(struct file *f, struct dir_sink *sink, u64 *pos)
{
	int ret;

	mutex_lock(&tree_lock);
	ret = dir_iterate(f->priv, sink, pos);
	mutex_unlock(&tree_lock);
	return ret;
}

static const struct file_ops dir_file_ops = {
	.name = "directory",
	.read = dir_read,
	.lseek = dir_lseek,
	.stat = regular_stat,
	.getdents = dir_getdents,
	.release = regular_release,
};

struct file *dir_open(struct inode *inode, u32 flags)
{
	return inode_file(inode, &dir_file_ops, flags, FILE_SEEKABLE | FILE_IS_DIR);
}

static const struct file_ops path_file_ops = {
	.name = "path",
	.stat = regular_stat,
};

static struct file *handle_open(struct inode *inode, u32 flags)
{
	(void)flags;
	return file_get(inode->priv);
}

static void handle_release(struct inode *inode)
{
	file_put(inode->priv);
}

static const struct inode_ops handle_ops = {
	.open = handle_open,
	.opens_shared = true,
	.release = handle_release,
};

struct inode *inode_of_open_file(struct file *f)
{
	struct inode *inode;
	struct stat st;
	int ret = file_stat(f, &st);

	if (ret)
		return ERR_PTR(ret);
	inode = inode_alloc(FS_ANON, st.st_mode, &handle_ops);
	if (!IS_ERR(inode)) {
		inode->priv = file_get(f);
		inode->rdev = (u32)st.st_rdev;
	}
	return inode;
}

struct file *path_open(struct inode *inode, u32 flags)
{
	u32 traits = FILE_PATH_ONLY | (inode_is_dir(inode) ? FILE_IS_DIR : 0);

	return inode_file(inode, &path_file_ops, flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW),
			  traits);
}
