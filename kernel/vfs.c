/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening files and changing names, with Linux's errors: open(2), mkdir(2), unlink(2), rename(2)
 * and their kin, for programs and for the kernel itself.
 */
#include <linux/fs.h>
#include <string.h>

#include "host/mm.h"
#include "host/page.h"
#include "kernel/flock.h"
#include "kernel/inode.h"
#include "kernel/pipe.h"
#include "kernel/record_lock.h"
#include "kernel/thread.h"
#include "kernel/unix_sock.h"

/* ---- walks that end at something that exists */
/* The path that /proc shows for what was walked to. Under tree_lock. */
static char *walk_result_path(struct walk *w)
{
	char *path;

	if (w->by_handle)
		return NULL;
	if (w->inode && inode_is_dir(w->inode))
		path = path_of(w->inode, NULL);
	else
		path = path_of(w->dir, w->last);
	return IS_ERR(path) ? NULL : path;
}

static enum walk_links links_of(int at_flags)
{
	return at_flags & AT_SYMLINK_NOFOLLOW ? WALK_NO_FOLLOW : WALK_FOLLOW;
}

/* The counted inode that @path names, which exists; *@shown, if asked for, as walk_result_path().
 */
static int resolve(struct inode *start, const char *path, enum walk_links links,
		   struct inode **inode, char **shown)
{
	struct walk w;
	int ret;

	mutex_lock(&tree_lock);
	ret = walk_path(&w, start, path, links);
	if (!ret) {
		ret = walk_must_exist(&w);
		*inode = ret ? NULL : inode_get(w.inode);
		if (!ret && shown)
			*shown = walk_result_path(&w);
		walk_end(&w);
	}
	mutex_unlock(&tree_lock);
	return ret;
}

/* ---- the context of a process */
struct fs_context *fs_context_new(void)
{
	struct fs_context *fs = kzalloc(sizeof(*fs));

	if (!fs)
		return NULL;
	fs->refs = 1;
	fs->umask = 022;
	fs->cwd = inode_get(vfs_root);
	return fs;
}

struct fs_context *fs_context_get(struct fs_context *fs)
{
	__atomic_fetch_add(&fs->refs, 1, __ATOMIC_RELAXED);
	return fs;
}

struct fs_context *fs_context_copy(struct fs_context *fs)
{
	struct fs_context *copy = kzalloc(sizeof(*copy));

	if (!copy)
		return NULL;
	copy->refs = 1;
	mutex_lock(&tree_lock);
	copy->umask = fs->umask;
	copy->cwd = inode_get(fs->cwd);
	mutex_unlock(&tree_lock);
	return copy;
}

void fs_context_put(struct fs_context *fs)
{
	if (__atomic_sub_fetch(&fs->refs, 1, __ATOMIC_ACQ_REL))
		return;
	inode_put(fs->cwd);
	kfree(fs);
}

struct fs_context *current_fs(void)
{
	struct process *p = current_process();

	return p ? p->fs : NULL;
}

struct inode *fs_context_cwd(struct fs_context *fs)
{
	struct inode *cwd;

	mutex_lock(&tree_lock);
	cwd = inode_get(fs->cwd);
	mutex_unlock(&tree_lock);
	return cwd;
}

int fs_context_set_cwd(struct fs_context *fs, struct inode *dir)
{
	struct inode *old;

	if (!inode_is_dir(dir))
		return -ENOTDIR;
	mutex_lock(&tree_lock);
	old = fs->cwd;
	fs->cwd = inode_get(dir);
	mutex_unlock(&tree_lock);
	inode_put(old);
	return 0;
}

int fs_context_chdir(struct fs_context *fs, const char *path)
{
	struct inode *dir, *start = fs_context_cwd(fs);
	int ret = resolve(start, path, WALK_FOLLOW, &dir, NULL);

	inode_put(start);
	if (ret)
		return ret;
	ret = fs_context_set_cwd(fs, dir);
	inode_put(dir);
	return ret;
}

/* ---- where a path starts */
static struct inode *start_of_cwd(void)
{
	struct fs_context *fs = current_fs();

	return fs ? fs_context_cwd(fs) : inode_get(vfs_root);
}

struct inode *vfs_start(int dirfd, const char *path)
{
	struct inode *inode;
	struct file *f;

	if (*path == '/')
		return inode_get(vfs_root);
	if (dirfd == AT_FDCWD)
		return start_of_cwd();
	f = fd_get_raw(current_files(), dirfd);
	if (!f)
		return ERR_PTR(-EBADF);
	inode = file_inode(f);
	if (inode && inode_is_dir(inode))
		inode_get(inode);
	else
		inode = ERR_PTR(-ENOTDIR);
	file_put(f);
	return inode;
}

/* What @dirfd itself names, for AT_EMPTY_PATH. */
static struct inode *named_by_fd(int dirfd, struct file **file)
{
	struct inode *inode;
	struct file *f;

	if (dirfd == AT_FDCWD)
		return start_of_cwd();
	f = fd_get_raw(current_files(), dirfd);
	if (!f)
		return ERR_PTR(-EBADF);
	inode = file_inode(f);
	if (inode)
		inode_get(inode);
	if (file)
		*file = f;
	else
		file_put(f);
	return inode;
}

struct inode *vfs_named(int dirfd, const char *path, int at_flags, struct file **file)
{
	struct inode *start, *inode;
	int ret;

	if (!*path && at_flags & AT_EMPTY_PATH)
		return named_by_fd(dirfd, file);
	if (!*path)
		return ERR_PTR(-ENOENT);
	start = vfs_start(dirfd, path);
	if (IS_ERR(start))
		return start;
	ret = resolve(start, path, links_of(at_flags), &inode, NULL);
	inode_put(start);
	return ret ? ERR_PTR(ret) : inode;
}

/* ---- open */
static u32 access_mode(u32 flags)
{
	return flags & O_ACCMODE;
}

/* Linux asks for write permission also for O_TRUNC. */
static bool wants_write(u32 flags)
{
	return access_mode(flags) != O_RDONLY || flags & O_TRUNC;
}

/* What open says of an existing inode before it opens it. */
static int open_check(struct inode *inode, u32 flags)
{
	if (inode_is_dir(inode) && flags & O_CREAT)
		return -EISDIR;
	if (flags & O_DIRECTORY && !inode_is_dir(inode))
		return -ENOTDIR;
	if (flags & O_PATH)
		return 0;
	if (inode_is_link(inode))
		return -ELOOP;
	if (inode_is_dir(inode) && wants_write(flags))
		return -EISDIR;
	if (S_ISSOCK(inode->mode))
		return -ENXIO;
	return inode->seals & F_SEAL_WRITE && flags & O_TRUNC ? -EPERM : 0;
}

static struct file *open_by_type(struct inode *inode, u32 flags)
{
	if (flags & O_PATH)
		return path_open(inode, flags);
	if (inode->ops && inode->ops->open)
		return inode->ops->open(inode, flags);
	if (inode_is_regular(inode) && inode->data)
		return regular_open(inode, flags);
	if (inode_is_dir(inode))
		return dir_open(inode, flags);
	if (S_ISFIFO(inode->mode))
		return fifo_open(inode, flags);
	return ERR_PTR(-ENXIO); /* a node of no driver */
}

struct file *vfs_open_inode(struct inode *inode, u32 flags, char *path)
{
	/* The open flags that F_GETFL does not show. */
	u32 transient = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC | OPEN_TO_RUN;
	struct file *f = open_by_type(inode, flags);

	if (IS_ERR(f) || (inode->ops && inode->ops->opens_shared && !(flags & O_PATH))) {
		kfree(path);
		return f;
	}
	f->flags &= ~transient;
	/* The file is new: nobody else sees it yet. A magic link may lead to a path already. */
	if (!f->node)
		f->node = &inode_get(inode)->node;
	if (f->path)
		kfree(path);
	else
		f->path = path;
	return f;
}

/* Makes the regular file @w names, which is absent. Under tree_lock. */
static int open_create(struct walk *w, u32 mode)
{
	struct inode *inode;
	int ret = dir_writable(w->dir);

	if (ret)
		return ret;
	inode = inode_new_regular(w->dir->fs, mode & 07777);
	if (IS_ERR(inode))
		return (int)PTR_ERR(inode);
	ret = dir_link(w->dir, w->last, inode);
	if (ret)
		inode_put(inode);
	else
		w->inode = inode;
	return ret;
}

/* What O_CREAT adds. Under tree_lock; *@flags loses O_TRUNC for a new file. */
static int open_may_create(struct walk *w, u32 *flags, u32 mode)
{
	if (w->kind != LAST_NAME || w->slash)
		return -EISDIR;
	if (w->inode)
		return *flags & O_EXCL ? -EEXIST : 0;
	*flags &= ~(u32)O_TRUNC;
	return open_create(w, mode);
}

/* Under tree_lock: walks, creates if asked; the inode is counted, *@shown its path. */
static int open_walk(struct inode *start, const char *path, u32 *flags, u32 mode,
		     struct inode **inode, char **shown)
{
	bool stay = *flags & O_NOFOLLOW || (*flags & O_CREAT && *flags & O_EXCL);
	struct walk w;
	int ret = walk_path(&w, start, path, stay ? WALK_NO_FOLLOW : WALK_FOLLOW);

	if (ret)
		return ret;
	if (*flags & O_CREAT)
		ret = open_may_create(&w, flags, mode);
	else
		ret = walk_must_exist(&w);
	if (!ret)
		ret = open_check(w.inode, *flags);
	if (!ret) {
		*inode = inode_get(w.inode);
		*shown = walk_result_path(&w);
	}
	walk_end(&w);
	return ret;
}

/* O_TMPFILE: a file without a name in the directory @path. */
static int open_tmpfile(struct inode *start, const char *path, u32 mode, struct inode **inode)
{
	struct walk w;
	int ret = walk_path(&w, start, path, WALK_FOLLOW);

	if (ret)
		return ret;
	if (!w.inode)
		ret = -ENOENT;
	else if (!inode_is_dir(w.inode))
		ret = -ENOTDIR;
	else
		ret = dir_writable(w.inode) ? -EOPNOTSUPP : 0;
	if (!ret) {
		*inode = inode_new_regular(w.inode->fs, mode & 07777);
		if (IS_ERR(*inode))
			ret = (int)PTR_ERR(*inode);
	}
	walk_end(&w);
	return ret;
}

/* The combinations of flags that Linux refuses, and those that it drops. */
static int open_flags(u32 *flags)
{
	if (*flags & O_PATH)
		*flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	if ((*flags & O_TMPFILE) == O_TMPFILE)
		return access_mode(*flags) == O_RDONLY || *flags & O_CREAT ? -EINVAL : 0;
	if (*flags & __O_TMPFILE)
		return -EINVAL;
	return *flags & O_CREAT && *flags & O_DIRECTORY ? -EINVAL : 0;
}

struct file *vfs_open(struct inode *start, const char *path, u32 flags, u32 mode)
{
	struct inode *inode;
	struct file *f;
	char *shown = NULL;
	int ret = open_flags(&flags);

	if (ret)
		return ERR_PTR(ret);
	mutex_lock(&tree_lock);
	if ((flags & O_TMPFILE) == O_TMPFILE) {
		ret = open_tmpfile(start, path, mode, &inode);
		flags &= ~(u32)O_TMPFILE;
	} else {
		ret = open_walk(start, path, &flags, mode, &inode, &shown);
	}
	mutex_unlock(&tree_lock);
	if (ret)
		return ERR_PTR(ret);
	f = vfs_open_inode(inode, flags, shown);
	inode_put(inode);
	return f;
}

struct file *vfs_open_kernel(const char *path, u32 flags, u32 mode)
{
	return vfs_open(vfs_root, path, flags, mode);
}

/* A file to be executed is regular, and root needs at least one execute bit as well. */
static struct file *open_executable(struct inode *inode, const char *path)
{
	size_t size = strlen(path) + 1;
	char *shown;

	if (!inode_is_regular(inode) || !(inode->mode & 0111))
		return ERR_PTR(-EACCES);
	shown = kmalloc(size);
	if (!shown)
		return ERR_PTR(-ENOMEM);
	memcpy(shown, path, size);
	return vfs_open_inode(inode, O_RDONLY | OPEN_TO_RUN, shown);
}

struct file *vfs_open_exec(int dirfd, const char *path, int at_flags)
{
	struct inode *start, *inode;
	char *shown = NULL;
	struct file *f;
	int ret = 0;

	if (!*path && at_flags & AT_EMPTY_PATH) {
		inode = named_by_fd(dirfd, NULL);
		if (!inode || IS_ERR(inode))
			return inode ? (struct file *)inode : ERR_PTR(-EACCES);
	} else {
		start = vfs_start(dirfd, path);
		if (IS_ERR(start))
			return (struct file *)start;
		ret = resolve(start, path, links_of(at_flags), &inode, &shown);
		inode_put(start);
	}
	if (ret)
		return ERR_PTR(ret);
	f = inode_is_link(inode) ? ERR_PTR(-ELOOP) : open_executable(inode, shown ? shown : path);
	kfree(shown);
	inode_put(inode);
	return f;
}

s64 vfs_read_kernel(struct file *f, void *buf, size_t n, u64 pos)
{
	struct iobuf io = { .kernel = buf, .left = n };
	s64 got;

	if (!f->ops->read)
		return -EINVAL;
	while (io.left) {
		got = f->ops->read(f, &io, &pos);
		if (got < 0)
			return got;
		if (got == 0)
			break;
	}
	return (s64)(n - io.left);
}

int vfs_remove_kernel(const char *path)
{
	int ret = vfs_unlink(vfs_root, path);

	return ret == -EISDIR ? vfs_rmdir(vfs_root, path) : ret;
}

s64 vfs_file_size(struct file *f)
{
	struct inode *inode = file_inode(f);

	return inode && inode->data ? (s64)memobj_size(inode->data) : -EINVAL;
}

/* ---- start */
static void mount_initramfs(void)
{
	const struct boot_region *r = &boot_info.initramfs;
	int ret;

	if (!r->size)
		return;
	ret = initramfs_unpack(phys_to_virt(r->start), r->size);
	if (ret)
		panic("initramfs at %#lx, %lu bytes: not a newc archive (%d)", r->start.v, r->size,
		      ret);
}

void vfs_init(void)
{
	mutex_init(&tree_lock);
	vfs_root = inode_new_dir(FS_ROOT, 0755, NULL);
	if (IS_ERR(vfs_root))
		panic("no memory for the root directory");
	/* Never removed, and its own parent. */
	vfs_root->parent = vfs_root;
	mount_initramfs();
	dev_init();
	procfs_init();
	sysfs_init();
	epoll_init();
	record_locks_init();
	unix_init();
	flock_init();
}
