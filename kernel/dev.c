/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /dev: device nodes that drivers register, and the ones without a driver of their own (null, zero,
 * full, random, tty ...); /dev/shm and /tmp.
 */
#include <linux/fs.h>
#include <linux/major.h>
#include <stdio.h>

#include "host/mm.h"
#include "host/page.h"
#include "host/task.h"
#include "kernel/console_file.h"
#include "kernel/inode.h"
#include "kernel/thread.h"
#include "kernel/tty.h"
#include "kernel/uffd.h"

static struct file *device_open(struct inode *inode, u32 flags)
{
	const struct device *dev = inode->priv;
	struct file *f = dev->open(dev, flags);

	return f ? f : ERR_PTR(-ENOMEM);
}

static const struct inode_ops device_inode_ops = {
	.open = device_open,
};

int dev_register(const struct device *dev)
{
	char path[64];
	struct inode *inode = inode_alloc(FS_DEV, S_IFCHR | dev->mode, &device_inode_ops);

	if (IS_ERR(inode))
		return (int)PTR_ERR(inode);
	inode->rdev = dev->major << 8 | dev->minor;
	inode->priv = (void *)(uintptr_t)dev;
	snprintf(path, sizeof(path), "/dev/%s", dev->name);
	return vfs_add(path, inode);
}

/* ---- the plain devices */
static s64 null_read(struct file *f, struct iobuf *to, u64 *pos)
{
	(void)f;
	(void)to;
	(void)pos;
	return 0;
}

static s64 null_write(struct file *f, struct iobuf *from, u64 *pos)
{
	size_t n = from->left;

	(void)f;
	(void)pos;
	from->left = 0;
	return (s64)n;
}

static s64 full_write(struct file *f, struct iobuf *from, u64 *pos)
{
	(void)f;
	(void)from;
	(void)pos;
	return -ENOSPC;
}

/* Reads that a signal should be able to stop go in steps of this many bytes. */
enum { MEM_STEP = 4096 };

static s64 zero_read(struct file *f, struct iobuf *to, u64 *pos)
{
	s64 done = 0;

	(void)f;
	(void)pos;
	while (to->left && !task_signal_pending(port_current())) {
		s64 n = iobuf_zero(to, MEM_STEP);

		if (n <= 0)
			return done ? done : n;
		done += n;
		sched_point();
	}
	return done || !to->left ? done : -EINTR;
}

static s64 random_read(struct file *f, struct iobuf *to, u64 *pos)
{
	u8 bytes[256];
	s64 done = 0;

	(void)f;
	(void)pos;
	while (to->left) {
		s64 n;

		port_random(bytes, sizeof(bytes));
		n = iobuf_put(to, bytes, sizeof(bytes));
		if (n <= 0)
			return done ? done : n;
		done += n;
		sched_point();
		if (task_signal_pending(port_current()))
			break;
	}
	return done;
}

/* These devices have no position, and seeking in them is no error. */
static s64 mem_lseek(struct file *f, s64 offset, int whence)
{
	(void)f;
	(void)offset;
	(void)whence;
	return 0;
}

/* A private mapping is anonymous memory; a shared one is an object of its own, as long as mapped.
 */
static int zero_mmap(struct file *f, struct vma *vma)
{
	struct memobj *o;
	int ret;

	(void)f;
	if (!(vma->flags & VM_SHARED))
		return 0;
	o = memobj_new();
	if (!o)
		return -ENOMEM;
	ret = memobj_truncate(o, vma->offset + (vma->end.v - vma->start.v));
	if (!ret)
		ret = memobj_mmap(o, vma);
	memobj_put(o);
	return ret;
}

static const struct file_ops null_ops = {
	.name = "/dev/null",
	.read = null_read,
	.write = null_write,
	.lseek = mem_lseek,
};

static const struct file_ops zero_ops = {
	.name = "/dev/zero",
	.read = zero_read,
	.write = null_write,
	.lseek = mem_lseek,
	.mmap = zero_mmap,
};

static const struct file_ops full_ops = {
	.name = "/dev/full",
	.read = zero_read,
	.write = full_write,
	.lseek = mem_lseek,
};

static const struct file_ops random_ops = {
	.name = "/dev/random",
	.read = random_read,
	.write = null_write,
	.lseek = mem_lseek,
};

static struct file *seekable(struct file *f)
{
	if (f)
		f->traits |= FILE_SEEKABLE;
	return f;
}

static struct file *null_open(const struct device *dev, u32 flags)
{
	(void)dev;
	return seekable(file_alloc(&null_ops, NULL, flags));
}

static struct file *zero_open(const struct device *dev, u32 flags)
{
	(void)dev;
	return seekable(file_alloc(&zero_ops, NULL, flags));
}

static struct file *full_open(const struct device *dev, u32 flags)
{
	(void)dev;
	return seekable(file_alloc(&full_ops, NULL, flags));
}

static struct file *random_open(const struct device *dev, u32 flags)
{
	(void)dev;
	return seekable(file_alloc(&random_ops, NULL, flags));
}

/* The controlling terminal. One that the launcher edits lines of controls everybody. */
static struct file *tty_open(const struct device *dev, u32 flags)
{
	bool controlled =
		tty_is_started() ? tty_of(current_process()).device != 0 : console_is_terminal();

	(void)dev;
	return controlled ? console_open_device(flags) : ERR_PTR(-ENXIO);
}

static struct file *console_device_open(const struct device *dev, u32 flags)
{
	(void)dev;
	return console_open_device(flags);
}

/* Linux gives it any that is free. */
enum { USERFAULTFD_MINOR = 126 };

static const struct device plain_devices[] = {
	{ "null", MEM_MAJOR, 3, 0666, null_open },
	{ "zero", MEM_MAJOR, 5, 0666, zero_open },
	{ "full", MEM_MAJOR, 7, 0666, full_open },
	{ "random", MEM_MAJOR, 8, 0666, random_open },
	{ "urandom", MEM_MAJOR, 9, 0666, random_open },
	{ "tty", TTYAUX_MAJOR, 0, 0666, tty_open },
	{ "console", TTYAUX_MAJOR, 1, 0600, console_device_open },
	{ "userfaultfd", MISC_MAJOR, USERFAULTFD_MINOR, 0600, uffd_device_open },
};

static const struct {
	const char *path, *target;
} plain_links[] = {
	{ "/dev/fd", "/proc/self/fd" },
	{ "/dev/stdin", "/proc/self/fd/0" },
	{ "/dev/stdout", "/proc/self/fd/1" },
	{ "/dev/stderr", "/proc/self/fd/2" },
};

static void add_dir(const char *path, enum vfs_fs fs, u32 mode)
{
	struct inode *dir = inode_new_dir(fs, mode, NULL);

	if (!IS_ERR(dir))
		vfs_add(path, dir);
}

void dev_init(void)
{
	add_dir("/dev", FS_DEV, 0755);
	add_dir("/dev/shm", FS_SHM, 01777);
	add_dir("/dev/hugepages", FS_HUGE_2M, 0755);
	add_dir("/dev/hugepages-1G", FS_HUGE_1G, 0755);
	add_dir("/tmp", FS_ROOT, 01777);
	for (size_t i = 0; i < ARRAY_SIZE(plain_devices); i++)
		dev_register(&plain_devices[i]);
	for (size_t i = 0; i < ARRAY_SIZE(plain_links); i++) {
		struct inode *link = inode_new_link(FS_DEV, plain_links[i].target);

		if (!IS_ERR(link))
			vfs_add(plain_links[i].path, link);
	}
}
