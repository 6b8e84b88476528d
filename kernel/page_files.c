/* SPDX-License-Identifier: Apache-2.0 */
/* Files about physical pages; host/pagemap.h knows. Both are arrays of 64-bit words. */
#include "kernel/page_files.h"

#include <linux/fs.h>

#include "host/pagemap.h"
#include "host/task.h"
#include "kernel/procfs.h"

enum { WORD = sizeof(u64) };

/* A position and a length in whole words. */
static bool in_words(u64 pos, size_t n)
{
	return pos % WORD == 0 && n % WORD == 0;
}

static s64 words_lseek(struct file *f, s64 offset, int whence)
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

/* ---- /proc/PID/pagemap: the memory is that of the time of open */

enum { PAGEMAP_STEP = 64 };

static s64 pagemap_file_read(struct file *f, struct iobuf *to, u64 *pos)
{
	u64 entries[PAGEMAP_STEP], page = *pos / WORD;
	s64 done = 0;

	if (!in_words(*pos, to->left))
		return -EINVAL;
	while (f->priv && to->left && page < pagemap_end()) {
		u64 n = min(min(to->left / WORD, (u64)PAGEMAP_STEP), pagemap_end() - page);

		if (task_kill_pending(port_current()))
			break;
		pagemap_read(f->priv, page, entries, n);
		if (iobuf_put(to, entries, n * WORD) != (s64)(n * WORD))
			return done ? done : -EFAULT;
		done += (s64)(n * WORD);
		page += n;
		*pos += n * WORD;
	}
	return done;
}

static void pagemap_release(struct file *f)
{
	if (f->priv)
		mm_put(f->priv);
}

static const struct file_ops pagemap_ops = {
	.name = pagemap_name,
	.read = pagemap_file_read,
	.lseek = words_lseek,
	.release = pagemap_release,
};

static struct file *pagemap_open(struct inode *inode, u32 flags)
{
	struct mm *mm = proc_mm_of((s32)inode->tag);
	struct file *f;

	if (IS_ERR(mm))
		return (struct file *)mm;
	f = file_alloc(&pagemap_ops, mm, flags);
	if (!f) {
		if (mm)
			mm_put(mm);
		return ERR_PTR(-ENOMEM);
	}
	f->traits = FILE_SEEKABLE;
	return f;
}

static const struct inode_ops pagemap_inode_ops = { .open = pagemap_open };

struct inode *pagemap_inode(u64 tid)
{
	struct inode *inode = inode_alloc(FS_PROC, S_IFREG | 0400, &pagemap_inode_ops);

	if (!IS_ERR(inode))
		inode->tag = tid;
	return inode;
}

/* ---- /sys/kernel/mm/page_idle/bitmap */

static s64 idle_file_read(struct file *f, struct iobuf *to, u64 *pos)
{
	u64 words[IDLE_WORDS_MAX], first = *pos / WORD, n;

	if (!in_words(*pos, to->left))
		return -EINVAL;
	if (first >= idle_end())
		return 0;
	n = min(min(to->left / WORD, (u64)IDLE_WORDS_MAX), idle_end() - first);
	idle_read(f->priv, first, words, n);
	if (iobuf_put(to, words, n * WORD) != (s64)(n * WORD))
		return -EFAULT;
	*pos += n * WORD;
	return (s64)(n * WORD);
}

static s64 idle_file_write(struct file *f, struct iobuf *from, u64 *pos)
{
	u64 words[IDLE_WORDS_MAX], first = *pos / WORD, n;

	if (!in_words(*pos, from->left))
		return -EINVAL;
	if (first >= idle_end())
		return -ENXIO;
	n = min(min(from->left / WORD, (u64)IDLE_WORDS_MAX), idle_end() - first);
	if (iobuf_get(from, words, n * WORD) != (s64)(n * WORD))
		return -EFAULT;
	idle_mark(f->priv, first, words, n);
	*pos += n * WORD;
	return (s64)(n * WORD);
}

static void idle_release(struct file *f)
{
	kfree(f->priv);
}

static const struct file_ops idle_ops = {
	.name = "page_idle",
	.read = idle_file_read,
	.write = idle_file_write,
	.lseek = words_lseek,
	.release = idle_release,
};

static struct file *idle_open(struct inode *inode, u32 flags)
{
	struct idle_hint *hint = kzalloc(sizeof(*hint));
	struct file *f = hint ? file_alloc(&idle_ops, hint, flags) : NULL;

	(void)inode;
	if (!f) {
		kfree(hint);
		return ERR_PTR(-ENOMEM);
	}
	f->traits = FILE_SEEKABLE;
	return f;
}

static const struct inode_ops idle_inode_ops = { .open = idle_open };

void page_files_init(void)
{
	struct inode *inode = inode_alloc(FS_SYS, S_IFREG | 0600, &idle_inode_ops);
	int error = IS_ERR(inode) ? (int)PTR_ERR(inode)
				  : vfs_add("/sys/kernel/mm/page_idle/bitmap", inode);

	if (error)
		panic("the bitmap of idle pages cannot be added: error %d", error);
}
