/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of names: directories, regular files (host/memobj), symbolic links and device nodes in
 * memory, with generated directories (/proc, /sys) in the same tree. Paths are walked as Linux
 * walks them, errors included (path_resolution(7)).
 *
 * Locks: tree_lock (sleeping, kernel/vfs.c) guards the shape of the tree and the attributes of
 * inodes; content is guarded by the memory object. Functions named vfs_* take the lock themselves
 * and may sleep.
 */
#ifndef KERNEL_VFS_H
#define KERNEL_VFS_H

#include <asm/stat.h>
#include <bsd/sys/queue.h>

#include "host/err.h"
#include "host/file.h"

/* PATH_MAX and NAME_MAX of Linux; the first counts the NUL. */
#define VFS_PATH_MAX 4096
#define VFS_NAME_MAX 255

/* Links followed in one walk before ELOOP. */
#define VFS_LINKS_MAX 40

struct inode;
struct memobj;

/* What a generated or special inode does itself; NULL members mean the plain behaviour. */
struct inode_ops {
	/* Directory: a counted inode for @name, or ERR_PTR; under tree_lock. */
	struct inode *(*lookup)(struct inode *dir, const char *name);
	/* Directory: calls @sink from *@pos on ("." and ".." are positions 0 and 1, done already);
	 * 0 or an error. */
	int (*iterate)(struct inode *dir, struct dir_sink *sink, u64 *pos);
	/* Link: writes at most @size bytes of the target; its length or an error. */
	s64 (*readlink)(struct inode *link, char *target, size_t size);
	/* Magic link: the counted inode it leads to, by no name. */
	struct inode *(*follow)(struct inode *link);
	/* A new open file (one reference), or ERR_PTR; without tree_lock, may sleep. */
	struct file *(*open)(struct inode *inode, u32 flags);
	bool opens_shared; /* what open() gives was open before and stays as it is */
	/* The last reference is gone: frees what @priv holds. */
	void (*release)(struct inode *inode);
};

struct name_entry {
	TAILQ_ENTRY(name_entry) link;
	struct inode *inode; /* counted */
	u64 cookie;	     /* position in getdents; grows */
	char name[];
};

struct inode {
	struct file_node node;	     /* by which open files hold the inode */
	u32 refs;		     /* atomic */
	const struct inode_ops *ops; /* immutable, or NULL */
	u64 ino;		     /* immutable */
	u32 fs;			     /* enum vfs_fs; immutable */
	u32 mode;		     /* S_IFMT bits immutable, permissions by chmod */
	u32 nlink;
	u32 uid, gid;
	u32 rdev;			  /* of device nodes: (major << 8) | minor */
	s64 atime_ns, mtime_ns, ctime_ns; /* CLOCK_REALTIME */
	/* Directories */
	struct inode
		*parent; /* not counted: a child is removed before its parent goes; root: itself */
	TAILQ_HEAD(name_list, name_entry) entries;
	u64 next_cookie;
	char *name; /* of directories: the name in @parent, NULL for the root and when removed */
	/* Others */
	struct memobj *data;	 /* regular files */
	struct mutex write_lock; /* regular files: makes appending one step */
	/* Regular files: open files that may write, or minus those that programs run from; atomic.
	 */
	s32 writers;
	char *target;			       /* symbolic links */
	u32 seals;			       /* memfd: F_SEAL_* */
	LIST_HEAD(, record_lock) record_locks; /* with their count: kernel/record_lock.c */
	u32 record_lock_count;
	void *priv; /* for @ops */
	u64 tag;    /* for @ops */
};

/* Which filesystem an inode belongs to, for st_dev, statfs and EXDEV. */
enum vfs_fs {
	FS_ROOT,
	FS_DEV,
	FS_SHM,
	FS_HUGE_2M, /* hugetlbfs: regular files are of huge pages */
	FS_HUGE_1G,
	FS_PROC,
	FS_SYS,
	FS_ANON,    /* from here on mounted nowhere: memfds, pipes and the like */
	FS_ANON_2M, /* the same of hugetlbfs: memfds of huge pages */
	FS_ANON_1G,
	FS_COUNT,
};

static inline bool fs_is_anonymous(enum vfs_fs fs)
{
	return fs >= FS_ANON;
}

/* ---- start */
/* Makes the root, /dev, /proc and /sys, and unpacks the initramfs. Once, before the first program.
 */
void vfs_init(void);
/* Unpacks a newc archive into the root; 0, or -EINVAL for a damaged archive. The data stays where
 * it is and must never be freed. */
int initramfs_unpack(const void *archive, u64 size);

/* ---- the context of a process: where relative paths begin, and the umask. Shared by CLONE_FS. */
struct fs_context {
	u32 refs; /* atomic */
	u32 umask;
	struct inode *cwd; /* counted; guarded by tree_lock */
};
/* At the root, umask 022; NULL when memory is out. */
struct fs_context *fs_context_new(void);
struct fs_context *fs_context_get(struct fs_context *fs);
struct fs_context *fs_context_copy(struct fs_context *fs);
void fs_context_put(struct fs_context *fs);
/* Of the current thread's process. */
struct fs_context *current_fs(void);
/* The counted directory where relative paths begin. */
struct inode *fs_context_cwd(struct fs_context *fs);
/* 0, or -ENOTDIR. */
int fs_context_set_cwd(struct fs_context *fs, struct inode *dir);
/* 0 or an error. */
int fs_context_chdir(struct fs_context *fs, const char *path);

/* ---- opening from the kernel */
/* A counted open file, or ERR_PTR; @path is absolute. @flags are O_*. */
struct file *vfs_open_kernel(const char *path, u32 flags, u32 mode);
/*
 * As execve wants it: a regular file with an execute bit, relative to @dirfd (or AT_FDCWD) of the
 * current process; @at_flags are AT_EMPTY_PATH and AT_SYMLINK_NOFOLLOW. ERR_PTR(-EACCES) if not
 * executable.
 */
struct file *vfs_open_exec(int dirfd, const char *path, int at_flags);
/* Reads into kernel memory at @pos; bytes read (fewer only at the end) or an error. */
s64 vfs_read_kernel(struct file *f, void *buf, size_t n, u64 pos);
/* Takes the name of a file, or of an empty directory, away. 0 or an error. */
int vfs_remove_kernel(const char *path);
/* Size of the regular file @f, or -EINVAL. */
s64 vfs_file_size(struct file *f);

/* ---- making nodes from the kernel (devices, /proc, /sys, the initramfs). ERR_PTR on failure. */
struct inode *inode_alloc(enum vfs_fs fs, u32 mode, const struct inode_ops *ops);
struct inode *inode_get(struct inode *inode);
void inode_put(struct inode *inode);
/* Adds @inode (its reference is taken over, also on failure) under @path, whose parents are made as
 * directories of the same filesystem. 0, -EEXIST, -ENOTDIR, -ENOMEM. */
int vfs_add(const char *path, struct inode *inode);

/*
 * A character device /dev/@name with number @major:@minor. @open makes the file for each open with
 * those O_* flags, or returns ERR_PTR. @name may hold slashes. Once at start.
 */
struct device {
	const char *name;
	u32 major;
	u32 minor;
	u32 mode; /* permissions, e.g. 0666 */
	struct file *(*open)(const struct device *dev, u32 flags);
};
int dev_register(const struct device *dev);

/* The inode behind an open file, or NULL if it has none (pipes, eventfds, ...). Not counted. */
struct inode *file_inode(struct file *f);

#endif
