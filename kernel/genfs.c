/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generated files: the text is made at the first read and again whenever reading starts over.
 */
#include "kernel/genfs.h"

#include <linux/fs.h>
#include <stdio.h>
#include <string.h>

#include "host/page.h"

/* What a program can write at once. */
enum { STORE_MAX = 4095 };

struct gen_open {
	const struct gen_file *file;
	u64 tag;
	struct mutex lock; /* guards text */
	struct gen_text text;
};

static bool text_reserve(struct gen_text *t, size_t n)
{
	size_t size = t->size ? t->size : 256;
	char *buf;

	if (t->failed)
		return false;
	while (size < t->len + n)
		size *= 2;
	if (size == t->size)
		return true;
	buf = kmalloc(size);
	if (!buf) {
		t->failed = true;
		return false;
	}
	memcpy(buf, t->buf ? t->buf : "", t->len);
	kfree(t->buf);
	t->buf = buf;
	t->size = size;
	return true;
}

void gen_bytes(struct gen_text *t, const void *bytes, size_t n)
{
	if (!text_reserve(t, n))
		return;
	memcpy(t->buf + t->len, bytes, n);
	t->len += n;
}

void gen_printf(struct gen_text *t, const char *fmt, ...)
{
	char line[512];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	gen_bytes(t, line, min((size_t)n, sizeof(line) - 1));
}

/* Makes the text, under the lock. */
static int gen_make(struct gen_open *g)
{
	int ret;

	g->text.len = 0;
	ret = g->file->show(&g->text, g->tag);
	return !ret && g->text.failed ? -ENOMEM : ret;
}

static s64 gen_read_locked(struct gen_open *g, struct iobuf *to, u64 *pos)
{
	int ret = *pos == 0 || !g->text.buf ? gen_make(g) : 0;
	s64 n;

	if (ret)
		return ret;
	if (*pos >= g->text.len)
		return 0;
	n = iobuf_put(to, g->text.buf + *pos, g->text.len - *pos);
	if (n > 0)
		*pos += (u64)n;
	return n;
}

static s64 gen_read(struct file *f, struct iobuf *to, u64 *pos)
{
	struct gen_open *g = f->priv;
	s64 n;

	if (!g->file->show)
		return -EIO;
	mutex_lock(&g->lock);
	n = gen_read_locked(g, to, pos);
	mutex_unlock(&g->lock);
	return n;
}

static s64 gen_write(struct file *f, struct iobuf *from, u64 *pos)
{
	struct gen_open *g = f->priv;
	char *text;
	s64 n;
	int ret;

	(void)pos;
	if (!g->file->store)
		return -EIO;
	if (from->left > STORE_MAX)
		return -EINVAL;
	text = kmalloc(STORE_MAX + 1);
	if (!text)
		return -ENOMEM;
	n = iobuf_get(from, text, STORE_MAX);
	if (n >= 0) {
		size_t len = (size_t)n;

		if (len && text[len - 1] == '\n')
			len--;
		text[len] = '\0';
		ret = g->file->store(text, g->tag);
		n = ret ? ret : n;
	}
	kfree(text);
	return n;
}

static s64 gen_lseek(struct file *f, s64 offset, int whence)
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

/* O_TRUNC and ftruncate are allowed and do nothing, as shells need for "> file". */
static int gen_truncate(struct file *f, u64 size)
{
	(void)f;
	(void)size;
	return 0;
}

static void gen_release(struct file *f)
{
	struct gen_open *g = f->priv;

	kfree(g->text.buf);
	kfree(g);
}

static const struct file_ops gen_ops = {
	.name = "generated file",
	.read = gen_read,
	.write = gen_write,
	.lseek = gen_lseek,
	.truncate = gen_truncate,
	.release = gen_release,
};

static struct file *gen_open(struct inode *inode, u32 flags)
{
	struct gen_open *g = kzalloc(sizeof(*g));
	struct file *f;

	if (!g)
		return ERR_PTR(-ENOMEM);
	g->file = inode->priv;
	g->tag = inode->tag;
	mutex_init(&g->lock);
	f = file_alloc(&gen_ops, g, flags);
	if (!f) {
		kfree(g);
		return ERR_PTR(-ENOMEM);
	}
	f->traits = FILE_SEEKABLE;
	return f;
}

static const struct inode_ops gen_inode_ops = {
	.open = gen_open,
};

struct inode *gen_inode(enum vfs_fs fs, const struct gen_file *file, u64 tag)
{
	struct inode *inode = inode_alloc(fs, S_IFREG | file->mode, &gen_inode_ops);

	if (IS_ERR(inode))
		return inode;
	inode->priv = (void *)(uintptr_t)file;
	inode->tag = tag;
	return inode;
}

void gen_add_all(enum vfs_fs fs, const struct gen_file *files, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct inode *inode = gen_inode(fs, &files[i], 0);
		int ret = IS_ERR(inode) ? (int)PTR_ERR(inode) : vfs_add(files[i].path, inode);

		if (ret)
			panic("%s cannot be added: error %d", files[i].path, ret);
	}
}

bool gen_parse_u64(const char *text, u64 *value)
{
	*value = 0;
	if (!*text)
		return false;
	for (; *text; text++) {
		u64 digit = (u64)(*text - '0');

		if (digit > 9 || __builtin_mul_overflow(*value, 10UL, value) ||
		    __builtin_add_overflow(*value, digit, value))
			return false;
	}
	return true;
}
