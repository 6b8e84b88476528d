/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacks the initramfs, a newc cpio archive (cpio(5)). The content of files stays where the
 * launcher put it; memory objects refer to it and copy on the first write.
 */
#include <string.h>

#include "host/mm.h"
#include "kernel/inode.h"

/* The header of an entry: all numbers are eight hexadecimal digits. */
struct newc_header {
	char magic[6]; /* "070701" */
	char ino[8], mode[8], uid[8], gid[8], nlink[8], mtime[8], filesize[8];
	char dev_major[8], dev_minor[8], rdev_major[8], rdev_minor[8];
	char namesize[8], check[8];
};

struct newc_entry {
	const char *name; /* NUL-terminated, in the archive */
	const char *data;
	u32 mode;
	u32 uid, gid;
	u32 mtime;
	u32 size;
	u32 rdev;
};

/* The value of eight hexadecimal digits, or -1. */
static s64 hex8(const char *digits)
{
	s64 value = 0;

	for (int i = 0; i < 8; i++) {
		char c = digits[i];
		int d;

		if (c >= '0' && c <= '9')
			d = c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			d = (c | 0x20) - 'a' + 10;
		else
			return -1;
		value = value << 4 | d;
	}
	return value;
}

/* Reads the entry at *@at and moves *@at behind it; 0 or -EINVAL. */
static int newc_next(const char *archive, u64 size, u64 *at, struct newc_entry *e)
{
	const struct newc_header *h = (const void *)(archive + *at);
	s64 namesize, filesize;
	u64 data;

	if (size - *at < sizeof(*h) || memcmp(h->magic, "070701", 6) != 0)
		return -EINVAL;
	namesize = hex8(h->namesize);
	filesize = hex8(h->filesize);
	if (namesize < 1 || namesize > VFS_PATH_MAX || filesize < 0)
		return -EINVAL;
	data = ALIGN_UP(*at + sizeof(*h) + (u64)namesize, 4);
	if (data > size || (u64)filesize > size - data)
		return -EINVAL;
	*e = (struct newc_entry){
		.name = (const char *)(h + 1),
		.data = archive + data,
		.mode = (u32)hex8(h->mode),
		.uid = (u32)hex8(h->uid),
		.gid = (u32)hex8(h->gid),
		.mtime = (u32)hex8(h->mtime),
		.size = (u32)filesize,
		.rdev = (u32)(hex8(h->rdev_major) << 8 | hex8(h->rdev_minor)),
	};
	if (e->name[namesize - 1] != '\0')
		return -EINVAL;
	*at = min(ALIGN_UP(data + (u64)filesize, 4), size);
	return 0;
}

static struct inode *entry_regular(const struct newc_entry *e)
{
	struct inode *inode = inode_alloc(FS_ROOT, e->mode, NULL);

	if (IS_ERR(inode))
		return inode;
	inode->data = e->size ? memobj_from_ram(e->data, e->size) : memobj_new();
	if (!inode->data) {
		inode_put(inode);
		return ERR_PTR(-ENOMEM);
	}
	return inode;
}

static struct inode *entry_link(const struct newc_entry *e)
{
	char target[VFS_NAME_MAX * 4];

	if (e->size == 0 || e->size >= sizeof(target))
		return ERR_PTR(-EINVAL);
	memcpy(target, e->data, e->size);
	target[e->size] = '\0';
	return inode_new_link(FS_ROOT, target);
}

static struct inode *entry_inode(const struct newc_entry *e)
{
	struct inode *inode;

	switch (e->mode & S_IFMT) {
	case S_IFREG: return entry_regular(e);
	case S_IFLNK: return entry_link(e);
	case S_IFDIR: return inode_new_dir(FS_ROOT, e->mode & 07777, NULL);
	case S_IFIFO:
	case S_IFCHR:
	case S_IFBLK:
		inode = inode_alloc(FS_ROOT, e->mode, NULL);
		if (!IS_ERR(inode))
			inode->rdev = e->rdev;
		return inode;
	default: return ERR_PTR(-EINVAL);
	}
}

/* A directory that is there already only takes over the permissions. */
static int entry_existing_dir(const struct newc_entry *e, const char *path)
{
	struct walk w;
	int ret;

	mutex_lock(&tree_lock);
	ret = walk_path(&w, vfs_root, path, WALK_FOLLOW);
	if (!ret) {
		if (!w.inode || !inode_is_dir(w.inode))
			ret = -ENOENT;
		else
			w.inode->mode = S_IFDIR | (e->mode & 07777);
		walk_end(&w);
	}
	mutex_unlock(&tree_lock);
	return ret;
}

static int entry_unpack(const struct newc_entry *e)
{
	const char *name = e->name;
	char path[VFS_NAME_MAX * 4] = "/";
	struct inode *inode;

	while (name[0] == '/' || (name[0] == '.' && name[1] == '/'))
		name++;
	if (strlen(name) + 2 > sizeof(path))
		return -ENAMETOOLONG;
	if (*name == '\0' || strcmp(name, ".") == 0)
		return 0;
	memcpy(path + 1, name, strlen(name) + 1);
	if (S_ISDIR(e->mode) && entry_existing_dir(e, path) == 0)
		return 0;
	inode = entry_inode(e);
	if (IS_ERR(inode))
		return (int)PTR_ERR(inode);
	inode->uid = e->uid;
	inode->gid = e->gid;
	inode->mtime_ns = (s64)e->mtime * 1000000000;
	return vfs_add(path, inode);
}

int initramfs_unpack(const void *archive, u64 size)
{
	u64 at = 0;

	while (at < size) {
		struct newc_entry e;
		int ret = newc_next(archive, size, &at, &e);

		if (ret)
			return ret;
		if (strcmp(e.name, "TRAILER!!!") == 0)
			return 0;
		ret = entry_unpack(&e);
		if (ret)
			return ret;
	}
	return -EINVAL;
}
