/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inodes and the names that directories give them.
 */
#include <string.h>

#include "kernel/inode.h"

#include "host/mm.h"
#include "host/page.h"
#include "kernel/time.h"

struct mutex tree_lock;
struct inode *vfs_root;

/* Devices (st_dev) of the filesystems, and what they say to a new name (0: it can be made). */
static const struct fs_type {
	u32 dev;
	int new_name_error;
} fs_types[FS_COUNT] = {
	[FS_ROOT] = { 2, 0 },	       [FS_DEV] = { 5, 0 },	  [FS_SHM] = { 24, 0 },
	[FS_HUGE_2M] = { 25, 0 },      [FS_HUGE_1G] = { 26, 0 },  [FS_PROC] = { 22, -ENOENT },
	[FS_SYS] = { 23, -EACCES },    [FS_ANON] = { 1, -EPERM }, [FS_ANON_2M] = { 14, -EPERM },
	[FS_ANON_1G] = { 15, -EPERM },
};

static void inode_node_put(struct file_node *node)
{
	inode_put(container_of(node, struct inode, node));
}

struct inode *inode_alloc(enum vfs_fs fs, u32 mode, const struct inode_ops *ops)
{
	static u64 last_ino;
	struct inode *inode = kzalloc(sizeof(*inode));

	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode->node.put = inode_node_put;
	inode->refs = 1;
	inode->ops = ops;
	inode->ino = __atomic_add_fetch(&last_ino, 1, __ATOMIC_RELAXED);
	inode->fs = fs;
	inode->mode = mode;
	inode->nlink = S_ISDIR(mode) ? 2 : 0;
	inode->next_cookie = 2;
	TAILQ_INIT(&inode->entries);
	mutex_init(&inode->write_lock);
	inode_touch(inode);
	inode->atime_ns = inode->mtime_ns;
	return inode;
}

struct inode *inode_get(struct inode *inode)
{
	__atomic_fetch_add(&inode->refs, 1, __ATOMIC_RELAXED);
	return inode;
}

static void inode_free(struct inode *inode)
{
	if (inode->ops && inode->ops->release)
		inode->ops->release(inode);
	if (inode->data)
		memobj_put(inode->data);
	kfree(inode->target);
	kfree(inode->name);
	kfree(inode);
}

void inode_put(struct inode *inode)
{
	/* A loop, since a directory that goes lets go of its parent. */
	while (inode && __atomic_sub_fetch(&inode->refs, 1, __ATOMIC_ACQ_REL) == 0) {
		struct inode *parent = inode->parent;

		inode_free(inode);
		inode = parent;
	}
}

struct inode *inode_new_regular(enum vfs_fs fs, u32 mode)
{
	struct inode *inode;

	if (fs_is_huge(fs))
		return inode_new_huge(fs, mode);
	inode = inode_alloc(fs, S_IFREG | mode, NULL);
	if (IS_ERR(inode))
		return inode;
	inode->data = memobj_new();
	if (!inode->data) {
		inode_put(inode);
		return ERR_PTR(-ENOMEM);
	}
	return inode;
}

struct inode *inode_new_dir(enum vfs_fs fs, u32 mode, const struct inode_ops *ops)
{
	return inode_alloc(fs, S_IFDIR | mode, ops);
}

static char *string_copy(const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = kmalloc(size);

	return copy ? memcpy(copy, s, size) : NULL;
}

struct inode *inode_new_link(enum vfs_fs fs, const char *target)
{
	struct inode *inode = inode_alloc(fs, S_IFLNK | 0777, NULL);

	if (IS_ERR(inode))
		return inode;
	inode->target = string_copy(target);
	if (!inode->target) {
		inode_put(inode);
		return ERR_PTR(-ENOMEM);
	}
	return inode;
}

void inode_touch(struct inode *inode)
{
	inode->mtime_ns = (s64)time_realtime_ns();
	inode->ctime_ns = inode->mtime_ns;
}

static u64 inode_size(struct inode *inode)
{
	if (inode->data)
		return memobj_size(inode->data);
	return inode->target ? strlen(inode->target) : 0;
}

int fs_block_size(enum vfs_fs fs)
{
	switch (fs) {
	case FS_HUGE_2M:
	case FS_ANON_2M: return SZ_2M;
	case FS_HUGE_1G:
	case FS_ANON_1G: return SZ_1G;
	default: return PAGE_SIZE;
	}
}

void inode_stat(struct inode *inode, struct stat *st)
{
	u64 size = inode_size(inode);

	*st = (struct stat){
		.st_dev = fs_types[inode->fs].dev,
		.st_ino = inode->ino,
		.st_mode = inode->mode,
		.st_nlink = inode->nlink,
		.st_uid = inode->uid,
		.st_gid = inode->gid,
		.st_rdev = inode->rdev,
		.st_size = (long)size,
		.st_blksize = fs_block_size(inode->fs),
		.st_blocks = inode->data ? (long)(memobj_resident(inode->data) / 512) : 0,
		.st_atime = inode->atime_ns / (s64)NS_PER_SEC,
		.st_atime_nsec = (u64)inode->atime_ns % NS_PER_SEC,
		.st_mtime = inode->mtime_ns / (s64)NS_PER_SEC,
		.st_mtime_nsec = (u64)inode->mtime_ns % NS_PER_SEC,
		.st_ctime = inode->ctime_ns / (s64)NS_PER_SEC,
		.st_ctime_nsec = (u64)inode->ctime_ns % NS_PER_SEC,
	};
}

static struct name_entry *entry_find(struct inode *dir, const char *name)
{
	struct name_entry *e;

	TAILQ_FOREACH (e, &dir->entries, link)
		if (strcmp(e->name, name) == 0)
			return e;
	return NULL;
}

struct inode *dir_lookup(struct inode *dir, const char *name)
{
	struct name_entry *e;

	if (strcmp(name, ".") == 0)
		return inode_get(dir);
	if (strcmp(name, "..") == 0)
		return inode_get(dir->parent ? dir->parent : dir);
	e = entry_find(dir, name);
	if (e)
		return inode_get(e->inode);
	return dir->ops && dir->ops->lookup ? dir->ops->lookup(dir, name) : ERR_PTR(-ENOENT);
}

static bool dir_removed(const struct inode *dir)
{
	return dir->nlink == 0;
}

int dir_writable(struct inode *dir)
{
	return dir_removed(dir) ? -ENOENT : fs_types[dir->fs].new_name_error;
}

/* A directory knows its own name, for getcwd and "..". */
static void dir_adopt(struct inode *dir, char *own_name, struct inode *child)
{
	kfree(child->name);
	child->name = own_name;
	inode_get(dir);
	inode_put(child->parent);
	child->parent = dir;
	dir->nlink++;
}

static struct name_entry *entry_new(struct inode *dir, const char *name, struct inode *inode)
{
	size_t size = strlen(name) + 1;
	struct name_entry *e = kmalloc(sizeof(*e) + size);

	if (!e)
		return NULL;
	memcpy(e->name, name, size);
	e->inode = inode;
	e->cookie = dir->next_cookie++;
	return e;
}

void name_ready_drop(struct name_ready *ready)
{
	kfree(ready->entry);
	kfree(ready->own_name);
}

int dir_link_prepare(struct inode *dir, const char *name, struct inode *inode,
		     struct name_ready *ready)
{
	if (dir_removed(dir))
		return -ENOENT;
	ready->entry = entry_new(dir, name, inode);
	ready->own_name = inode_is_dir(inode) ? string_copy(name) : NULL;
	if (ready->entry && (ready->own_name || !inode_is_dir(inode)))
		return 0;
	name_ready_drop(ready);
	return -ENOMEM;
}

void dir_link_ready(struct inode *dir, struct inode *inode, struct name_ready *ready)
{
	if (inode_is_dir(inode))
		dir_adopt(dir, ready->own_name, inode);
	else
		inode->nlink++;
	inode_get(inode);
	TAILQ_INSERT_TAIL(&dir->entries, ready->entry, link);
	inode_touch(dir);
	inode->ctime_ns = dir->ctime_ns;
}

int dir_link(struct inode *dir, const char *name, struct inode *inode)
{
	struct name_ready ready;
	int error = dir_link_prepare(dir, name, inode, &ready);

	if (!error)
		dir_link_ready(dir, inode, &ready);
	return error;
}

void dir_unlink(struct inode *dir, const char *name)
{
	struct name_entry *e = entry_find(dir, name);
	struct inode *inode = e->inode;

	if (inode_is_dir(inode)) {
		dir->nlink--;
		inode->nlink = 0;
		kfree(inode->name);
		inode->name = NULL;
	} else {
		inode->nlink--;
	}
	TAILQ_REMOVE(&dir->entries, e, link);
	kfree(e);
	inode_touch(dir);
	inode->ctime_ns = dir->ctime_ns;
	inode_put(inode);
}

bool dir_is_empty(struct inode *dir)
{
	return TAILQ_EMPTY(&dir->entries);
}

static u8 entry_type(const struct inode *inode)
{
	return (inode->mode & S_IFMT) >> 12; /* DT_* are the file types of st_mode */
}

bool names_iterate(struct inode *dir, struct dir_sink *sink, u64 *pos)
{
	struct name_entry *e;

	TAILQ_FOREACH (e, &dir->entries, link) {
		if (e->cookie < *pos)
			continue;
		if (!sink->emit(sink, e->name, e->inode->ino, entry_type(e->inode), e->cookie + 1))
			return false;
		*pos = e->cookie + 1;
	}
	return true;
}

int dir_iterate(struct inode *dir, struct dir_sink *sink, u64 *pos)
{
	struct inode *parent = dir->parent ? dir->parent : dir;
	u8 type = S_IFDIR >> 12;

	if (dir_removed(dir))
		return -ENOENT;
	if (*pos == 0) {
		if (!sink->emit(sink, ".", dir->ino, type, 1))
			return 0;
		*pos = 1;
	}
	if (*pos == 1) {
		if (!sink->emit(sink, "..", parent->ino, type, 2))
			return 0;
		*pos = 2;
	}
	if (dir->ops && dir->ops->iterate)
		return dir->ops->iterate(dir, sink, pos);
	names_iterate(dir, sink, pos);
	return 0;
}

/* Puts "/@name" before what stands at @end; the new start, or NULL when it does not fit. */
static char *path_prepend(char *buf, char *end, const char *name)
{
	size_t n = strlen(name);

	if ((size_t)(end - buf) < n + 1)
		return NULL;
	end -= n + 1;
	*end = '/';
	memcpy(end + 1, name, n);
	return end;
}

/* Writes the path into @buf from its end on; where it starts, or NULL if removed or too long. */
static char *path_build(char *buf, size_t size, struct inode *dir, const char *name)
{
	char *p = buf + size - 1;

	*p = '\0';
	if (name)
		p = path_prepend(buf, p, name);
	for (; p && dir != vfs_root; dir = dir->parent) {
		if (dir_removed(dir) || !dir->name)
			return NULL;
		p = path_prepend(buf, p, dir->name);
	}
	if (p && *p == '\0')
		p = path_prepend(buf, p, "");
	return p;
}

char *path_of(struct inode *dir, const char *name)
{
	char *buf = kmalloc(VFS_PATH_MAX);
	char *path, *copy;

	if (!buf)
		return ERR_PTR(-ENOMEM);
	path = path_build(buf, VFS_PATH_MAX, dir, name);
	copy = path ? string_copy(path) : ERR_PTR(-ENOENT);
	kfree(buf);
	return copy ? copy : ERR_PTR(-ENOMEM);
}
