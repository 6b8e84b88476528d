/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making, removing and changing names in the tree: each checks under the tree lock, in Linux's
 * order of errors, and only then changes.
 */
#include <linux/fs.h>

#include "kernel/inode.h"

/* Walks to a name that is to be made. 0: it is absent and may be made; walk_end() is due. */
static int walk_to_new(struct walk *w, struct inode *start, const char *path, u32 mode)
{
	int ret = walk_path(w, start, path, WALK_NO_FOLLOW);

	if (ret)
		return ret;
	if (w->kind != LAST_NAME || w->inode)
		ret = -EEXIST;
	else if (w->slash && !S_ISDIR(mode))
		ret = -ENOENT;
	else
		ret = dir_writable(w->dir);
	if (ret)
		walk_end(w);
	return ret;
}

int vfs_add_new(struct inode *start, const char *path, struct inode *inode)
{
	struct walk w;
	int ret;

	if (IS_ERR(inode))
		return (int)PTR_ERR(inode);
	mutex_lock(&tree_lock);
	ret = walk_to_new(&w, start, path, inode->mode);
	if (!ret) {
		/* mknod made it before its place was known: open() makes those of huge pages. */
		if (inode_is_regular(inode) && fs_is_huge(w.dir->fs))
			ret = -EOPNOTSUPP;
		else
			ret = dir_link(w.dir, w.last, inode);
		inode->fs = w.dir->fs;
		walk_end(&w);
	}
	mutex_unlock(&tree_lock);
	inode_put(inode);
	return ret;
}

int vfs_mkdir(struct inode *start, const char *path, u32 mode)
{
	return vfs_add_new(start, path, inode_new_dir(FS_ROOT, mode & 01777, NULL));
}

int vfs_mknod(struct inode *start, const char *path, u32 mode, u32 rdev)
{
	struct inode *inode;

	switch (mode & S_IFMT) {
	case 0:
	case S_IFREG: return vfs_add_new(start, path, inode_new_regular(FS_ROOT, mode & 07777));
	case S_IFSOCK: /* of no socket: who connects to it is refused */
	case S_IFIFO: return vfs_add_new(start, path, inode_alloc(FS_ROOT, mode, NULL));
	case S_IFCHR:
	case S_IFBLK:
		inode = inode_alloc(FS_ROOT, mode, NULL);
		if (!IS_ERR(inode))
			inode->rdev = rdev;
		return vfs_add_new(start, path, inode);
	case S_IFDIR: return -EPERM;
	default: return -EINVAL;
	}
}

int vfs_symlink(const char *target, struct inode *start, const char *path)
{
	if (!*target)
		return -ENOENT;
	return vfs_add_new(start, path, inode_new_link(FS_ROOT, target));
}

/* What link says of the inode that is to get one more name in @dir. */
static int link_check(struct inode *inode, struct inode *dir)
{
	if (inode->fs != dir->fs)
		return -EXDEV;
	if (inode_is_dir(inode))
		return -EPERM;
	return 0;
}

int vfs_link(struct inode *inode, struct inode *start, const char *path)
{
	struct walk w;
	int ret;

	mutex_lock(&tree_lock);
	ret = walk_to_new(&w, start, path, inode->mode);
	if (!ret) {
		ret = link_check(inode, w.dir);
		if (!ret)
			ret = dir_link(w.dir, w.last, inode);
		walk_end(&w);
	}
	mutex_unlock(&tree_lock);
	return ret;
}

/* What unlink and rmdir say of the last component of a path. */
static const struct {
	int unlink, rmdir;
} last_errors[] = {
	[LAST_NAME] = { 0, 0 },
	[LAST_DOT] = { -EISDIR, -EINVAL },
	[LAST_DOTDOT] = { -EISDIR, -ENOTEMPTY },
	[LAST_ROOT] = { -EISDIR, -EBUSY },
};

/* A place where another filesystem begins (/dev, /proc) stays. */
static bool is_mount_point(const struct walk *w)
{
	return w->inode->fs != w->dir->fs;
}

static int unlink_check(const struct walk *w)
{
	int ret = last_errors[w->kind].unlink;

	if (ret)
		return ret;
	ret = walk_must_exist(w);
	if (ret)
		return ret;
	if (inode_is_dir(w->inode))
		return -EISDIR;
	return dir_writable(w->dir) ? -EPERM : 0;
}

int vfs_unlink(struct inode *start, const char *path)
{
	struct walk w;
	int ret;

	mutex_lock(&tree_lock);
	ret = walk_path(&w, start, path, WALK_NO_FOLLOW);
	if (!ret) {
		ret = unlink_check(&w);
		if (!ret)
			dir_unlink(w.dir, w.last);
		walk_end(&w);
	}
	mutex_unlock(&tree_lock);
	return ret;
}

static int rmdir_check(const struct walk *w)
{
	int ret = last_errors[w->kind].rmdir;

	if (ret)
		return ret;
	if (!w->inode)
		return -ENOENT;
	if (!inode_is_dir(w->inode))
		return -ENOTDIR;
	if (is_mount_point(w))
		return -EBUSY;
	if (dir_writable(w->dir))
		return -EPERM;
	return dir_is_empty(w->inode) ? 0 : -ENOTEMPTY;
}

int vfs_rmdir(struct inode *start, const char *path)
{
	struct walk w;
	int ret;

	mutex_lock(&tree_lock);
	ret = walk_path(&w, start, path, WALK_NO_FOLLOW);
	if (!ret) {
		ret = rmdir_check(&w);
		if (!ret)
			dir_unlink(w.dir, w.last);
		walk_end(&w);
	}
	mutex_unlock(&tree_lock);
	return ret;
}

/* Is @dir @inode, or below it? */
static bool is_inside(const struct inode *dir, const struct inode *inode)
{
	while (dir != inode && dir != vfs_root)
		dir = dir->parent;
	return dir == inode;
}

/* What rename says of the two names before it compares what they name. */
static int rename_check_names(const struct walk *from, const struct walk *to, u32 flags)
{
	if (from->dir->fs != to->dir->fs)
		return -EXDEV;
	if (from->kind != LAST_NAME || to->kind != LAST_NAME)
		return -EBUSY;
	if (!from->inode)
		return -ENOENT;
	if (flags & RENAME_NOREPLACE && to->inode)
		return -EEXIST;
	if (flags & RENAME_EXCHANGE && !to->inode)
		return -ENOENT;
	if (!inode_is_dir(from->inode) && (from->slash || (!to->inode && to->slash)))
		return -ENOTDIR;
	if (is_mount_point(from) || (to->inode && is_mount_point(to)))
		return -EBUSY;
	return 0;
}

/* What it says of what they name. */
static int rename_check(const struct walk *from, const struct walk *to, u32 flags)
{
	int ret = rename_check_names(from, to, flags);

	if (ret)
		return ret;
	if (inode_is_dir(from->inode) && is_inside(to->dir, from->inode))
		return -EINVAL;
	if (to->inode && inode_is_dir(to->inode) && is_inside(from->dir, to->inode))
		return flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	ret = dir_writable(from->dir) || dir_writable(to->dir) ? -EPERM : 0;
	if (ret || !to->inode || flags & RENAME_EXCHANGE || to->inode == from->inode)
		return ret;
	if (inode_is_dir(from->inode) != inode_is_dir(to->inode))
		return inode_is_dir(to->inode) ? -EISDIR : -ENOTDIR;
	return inode_is_dir(to->inode) && !dir_is_empty(to->inode) ? -ENOTEMPTY : 0;
}

/* Takes a name away that will be made again elsewhere: a directory keeps its count of links. */
static void take_name(struct walk *w)
{
	u32 nlink = w->inode->nlink;

	dir_unlink(w->dir, w->last);
	if (inode_is_dir(w->inode))
		w->inode->nlink = nlink;
}

/* Moves the name; the walks hold the inodes. */
static int rename_move(struct walk *from, struct walk *to)
{
	struct name_ready ready;
	int ret;

	if (to->inode == from->inode)
		return 0;
	ret = dir_link_prepare(to->dir, to->last, from->inode, &ready);
	if (ret)
		return ret;
	if (to->inode)
		dir_unlink(to->dir, to->last);
	take_name(from);
	dir_link_ready(to->dir, from->inode, &ready);
	return 0;
}

static int rename_exchange(struct walk *from, struct walk *to)
{
	struct name_ready first, second;
	int ret;

	if (to->inode == from->inode)
		return 0;
	ret = dir_link_prepare(from->dir, from->last, to->inode, &first);
	if (ret)
		return ret;
	ret = dir_link_prepare(to->dir, to->last, from->inode, &second);
	if (ret) {
		name_ready_drop(&first);
		return ret;
	}
	take_name(from);
	take_name(to);
	dir_link_ready(from->dir, to->inode, &first);
	dir_link_ready(to->dir, from->inode, &second);
	return 0;
}

int vfs_rename(struct inode *old_start, const char *old_path, struct inode *new_start,
	       const char *new_path, u32 flags)
{
	struct walk from, to;
	int ret;

	mutex_lock(&tree_lock);
	ret = walk_path(&from, old_start, old_path, WALK_NO_FOLLOW);
	if (ret)
		goto out;
	ret = walk_path(&to, new_start, new_path, WALK_NO_FOLLOW);
	if (!ret) {
		ret = rename_check(&from, &to, flags);
		if (!ret)
			ret = flags & RENAME_EXCHANGE ? rename_exchange(&from, &to)
						      : rename_move(&from, &to);
		walk_end(&to);
	}
	walk_end(&from);
out:
	mutex_unlock(&tree_lock);
	return ret;
}

/* The directory that holds the last component of @path, its parents made where absent. */
static int make_parents(const char *path, enum vfs_fs fs)
{
	char prefix[256];

	for (size_t i = 1; path[i]; i++) {
		struct inode *dir;
		struct walk w;
		int ret;

		prefix[i - 1] = path[i - 1];
		if (path[i] != '/' || i >= sizeof(prefix))
			continue;
		prefix[i] = '\0';
		ret = walk_path(&w, vfs_root, prefix, WALK_FOLLOW);
		if (ret)
			return ret;
		if (!w.inode) {
			dir = inode_new_dir(fs, 0755, NULL);
			ret = IS_ERR(dir) ? (int)PTR_ERR(dir) : dir_link(w.dir, w.last, dir);
			if (!IS_ERR(dir))
				inode_put(dir);
		} else if (!inode_is_dir(w.inode)) {
			ret = -ENOTDIR;
		}
		walk_end(&w);
		if (ret)
			return ret;
	}
	return 0;
}

int vfs_add(const char *path, struct inode *inode)
{
	struct walk w;
	int ret;

	mutex_lock(&tree_lock);
	ret = make_parents(path, inode->fs);
	if (!ret)
		ret = walk_path(&w, vfs_root, path, WALK_NO_FOLLOW);
	if (!ret) {
		ret = w.inode ? -EEXIST : dir_link(w.dir, w.last, inode);
		walk_end(&w);
	}
	mutex_unlock(&tree_lock);
	inode_put(inode);
	return ret;
}
