/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The insides of the tree of names, for the files of kernel/ that implement it: names in
 * directories, the walk along a path, and the kinds of open files that inodes give.
 */
#ifndef KERNEL_INODE_H
#define KERNEL_INODE_H

#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "kernel/vfs.h"

/* Guards the shape of the tree and attributes of inodes. */
extern struct mutex tree_lock;
extern struct inode *vfs_root;

static inline bool inode_is_dir(const struct inode *inode)
{
	return S_ISDIR(inode->mode);
}

static inline bool inode_is_link(const struct inode *inode)
{
	return S_ISLNK(inode->mode);
}

static inline bool inode_is_regular(const struct inode *inode)
{
	return S_ISREG(inode->mode);
}

/* ---- kernel/inode.c: all under tree_lock unless said otherwise */
/* Makes a new regular file, with its memory object, of huge pages where the filesystem has them;
 * ERR_PTR. No lock needed. */
struct inode *inode_new_regular(enum vfs_fs fs, u32 mode);
/* One of the huge pages that @fs has (kernel/memfd.c). */
struct inode *inode_new_huge(enum vfs_fs fs, u32 mode);
struct inode *inode_new_dir(enum vfs_fs fs, u32 mode, const struct inode_ops *ops);
struct inode *inode_new_link(enum vfs_fs fs, const char *target);
/* Sets modification and change time to now. No lock needed. */
void inode_touch(struct inode *inode);
/* Of st_blksize and statfs: a page of its regular files, bytes. */
int fs_block_size(enum vfs_fs fs);
static inline bool fs_is_huge(enum vfs_fs fs)
{
	return fs_block_size(fs) != PAGE_SIZE;
}
/* Fills @st; no lock needed. */
void inode_stat(struct inode *inode, struct stat *st);
/* The counted inode that @dir calls @name ("." and ".." too), or ERR_PTR(-ENOENT). */
struct inode *dir_lookup(struct inode *dir, const char *name);
/* Gives @inode (counted anew) the name @name in @dir, which has none such. 0, -ENOMEM, -ENOENT if
 * @dir was removed, or what its filesystem says to new names. */
int dir_link(struct inode *dir, const char *name, struct inode *inode);
/*
 * The same in two steps: all that can fail, then the name, when @dir has none such. The first one
 * fails as dir_link() does; what it made goes by the second, or by name_ready_drop().
 */
struct name_ready {
	struct name_entry *entry;
	char *own_name; /* a directory's */
};
int dir_link_prepare(struct inode *dir, const char *name, struct inode *inode,
		     struct name_ready *ready);
void dir_link_ready(struct inode *dir, struct inode *inode, struct name_ready *ready);
void name_ready_drop(struct name_ready *ready);
/* Takes the name away; it is there and not generated. */
void dir_unlink(struct inode *dir, const char *name);
bool dir_is_empty(struct inode *dir);
/* 0 if names can be made in @dir and taken away; else what Linux says of that filesystem. */
int dir_writable(struct inode *dir);
/* The entries of @dir from *@pos on, "." and ".." first. */
int dir_iterate(struct inode *dir, struct dir_sink *sink, u64 *pos);
/* Those of its list only, from *@pos on; false: the sink is full. */
bool names_iterate(struct inode *dir, struct dir_sink *sink, u64 *pos);
/* Path of @name in @dir (of @dir itself if NULL), kmalloc'ed; ERR_PTR(-ENOENT) if it was removed.
 */
char *path_of(struct inode *dir, const char *name);

/* ---- kernel/walk.c */
enum last_component {
	LAST_NAME, /* an ordinary name */
	LAST_DOT,
	LAST_DOTDOT,
	LAST_ROOT, /* the path is "/" */
};

enum walk_links {
	WALK_FOLLOW,	/* a link at the end is followed */
	WALK_NO_FOLLOW, /* it is the result, unless a slash follows it */
};

/* Where a path leads. */
struct walk {
	struct inode *dir; /* counted: holds the last component */
	struct inode
		*inode; /* counted: what the path names; NULL if the last component is absent */
	char last[VFS_NAME_MAX + 1];
	enum last_component kind;
	/* The path ends in a slash: only a directory will do, which the caller checks. */
	bool slash;
	bool by_handle; /* @inode was reached by a magic link: @dir and @last do not name it */
};

/*
 * Walks @path from @start, under tree_lock. 0: @w is filled, walk_end() is due; the last component
 * may be absent. Else -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -ENOMEM.
 */
int walk_path(struct walk *w, struct inode *start, const char *path, enum walk_links links);
/* 0 if the path leads to something that may end as it does; -ENOENT, -ENOTDIR. */
int walk_must_exist(const struct walk *w);
void walk_end(struct walk *w);
/* Writes the target of the link @inode to @buf, without NUL; its length, -EINVAL if it is no link,
 * -ENAMETOOLONG. */
s64 inode_readlink(struct inode *inode, char *buf, size_t size);

/* ---- kernel/regfile.c: open files of inodes; each takes its own reference */
/* With OPEN_TO_RUN in @flags as execve opens. ERR_PTR(-ETXTBSY): written to by others, or run. */
#define OPEN_TO_RUN 0x20 /* as no O_ flag */
struct file *regular_open(struct inode *inode, u32 flags);
struct file *dir_open(struct inode *inode, u32 flags);
struct file *path_open(struct inode *inode, u32 flags);
/*
 * A counted inode that stands for an open file without one of its own (a pipe, a stream), so that a
 * path can lead to it (/dev/stdout): to open it is to share the open file. ERR_PTR.
 */
struct inode *inode_of_open_file(struct file *f);
extern const struct file_ops regular_file_ops;

/* ---- kernel/vfs.c */
/*
 * Opens @path from @start as openat does. A file with one reference, or ERR_PTR.
 */
struct file *vfs_open(struct inode *start, const char *path, u32 flags, u32 mode);
/* Opens the inode itself; @path (kmalloc'ed, taken over) is what /proc will show. */
struct file *vfs_open_inode(struct inode *inode, u32 flags, char *path);
/* What a program names by @dirfd and a path: the counted directory to start from, or ERR_PTR
 * (EBADF, ENOTDIR); absolute paths start at the root whatever @dirfd says. */
struct inode *vfs_start(int dirfd, const char *path);
/*
 * The inode a program names by @dirfd, @path and AT_* flags (AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH),
 * counted, or ERR_PTR. @file, if not NULL, becomes the file of an empty path (counted).
 */
struct inode *vfs_named(int dirfd, const char *path, int at_flags, struct file **file);

/* Gives the new @inode, whose reference is taken over (also on failure), the name @path, and makes
 * it one of the filesystem there. @inode may be ERR_PTR. 0 or an error. */
int vfs_add_new(struct inode *start, const char *path, struct inode *inode);
int vfs_mkdir(struct inode *start, const char *path, u32 mode);
int vfs_mknod(struct inode *start, const char *path, u32 mode, u32 rdev);
int vfs_symlink(const char *target, struct inode *start, const char *path);
int vfs_link(struct inode *inode, struct inode *start, const char *path);
int vfs_unlink(struct inode *start, const char *path);
int vfs_rmdir(struct inode *start, const char *path);
int vfs_rename(struct inode *old_start, const char *old_path, struct inode *new_start,
	       const char *new_path, u32 flags);

/* ---- generated trees; each adds itself at start */
void dev_init(void);
void procfs_init(void);
void sysfs_init(void);
/* Once, before the first program (kernel/epoll.c). */
void epoll_init(void);

#endif
