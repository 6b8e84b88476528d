/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that move bytes: read, write and their kin, lseek, sendfile, getdents64.
 */
#include <linux/fs.h>
#include <linux/uio.h>
#include <string.h>

#include "kernel/fs_args.h"
#include "kernel/syscalls.h"

enum rw_direction { RW_READ, RW_WRITE };

/* Does @f allow the direction? 0, -EBADF, -EINVAL. */
static int rw_check(const struct file *f, enum rw_direction dir)
{
	if (!(dir == RW_READ ? file_readable(f) : file_writable(f)))
		return -EBADF;
	return (dir == RW_READ ? f->ops->read : f->ops->write) ? 0 : -EINVAL;
}

static s64 rw_at(struct file *f, enum rw_direction dir, struct iobuf *io, u64 *pos)
{
	int ret = rw_check(f, dir);

	if (ret)
		return ret;
	return dir == RW_READ ? f->ops->read(f, io, pos) : f->ops->write(f, io, pos);
}

/* At the file's own position, which those who share the file take turns at. */
static s64 rw_file(struct file *f, enum rw_direction dir, struct iobuf *io)
{
	u64 none = 0;
	s64 ret;

	if (!(f->traits & (FILE_SEEKABLE | FILE_AT_POSITION)))
		return rw_at(f, dir, io, &none);
	mutex_lock(&f->pos_lock);
	ret = rw_at(f, dir, io, &f->pos);
	mutex_unlock(&f->pos_lock);
	return ret;
}

int iobuf_of(struct iobuf *io, u64 p, u64 n)
{
	if (p > USER_END || n > USER_END - p)
		return -EFAULT;
	*io = (struct iobuf){ .user = HVA(p), .left = min(n, RW_MAX) };
	return 0;
}

/* read and write: (fd, buffer, size). */
static s64 rw_buffer(const u64 a[6], enum rw_direction dir)
{
	struct file *f = file_arg(a[0]);
	struct iobuf io;
	s64 ret;

	if (!f)
		return -EBADF;
	ret = rw_check(f, dir);
	if (!ret)
		ret = iobuf_of(&io, a[1], a[2]);
	if (!ret)
		ret = rw_file(f, dir, &io);
	file_put(f);
	return ret;
}

/* Checks that come before the buffer's for calls that name a position. A file, or ERR_PTR. */
static struct file *file_arg_at(u64 fd, s64 pos, enum rw_direction dir)
{
	struct file *f;

	if (pos < 0)
		return ERR_PTR(-EINVAL);
	f = file_arg(fd);
	if (!f)
		return ERR_PTR(-EBADF);
	if (f->traits & FILE_SEEKABLE || (f->traits & FILE_AT_POSITION && dir == RW_READ))
		return f;
	file_put(f);
	return ERR_PTR(-ESPIPE);
}

/* pread64 and pwrite64: (fd, buffer, size, position). */
static s64 rw_buffer_at(const u64 a[6], enum rw_direction dir)
{
	struct file *f = file_arg_at(a[0], (s64)a[3], dir);
	u64 pos = a[3];
	struct iobuf io;
	s64 ret;

	if (IS_ERR(f))
		return PTR_ERR(f);
	ret = rw_check(f, dir);
	if (!ret)
		ret = iobuf_of(&io, a[1], a[2]);
	if (!ret)
		ret = rw_at(f, dir, &io, &pos);
	file_put(f);
	return ret;
}

/* One empty segment too many at the end keeps iobuf's look-ahead inside. */
int iobuf_of_vector(struct iobuf *io, struct iobuf_segment **segments, u64 p, u64 count)
{
	size_t bytes = count * sizeof(struct iovec);
	u64 total = 0;

	_Static_assert(sizeof(struct iovec) == sizeof(struct iobuf_segment), "same layout");
	if (count > IOV_MAX)
		return -EINVAL;
	*segments = kzalloc(bytes + sizeof(struct iobuf_segment));
	if (!*segments)
		return -ENOMEM;
	if (copy_from_user(*segments, HVA(p), bytes))
		return -EFAULT;
	for (u64 i = 0; i < count; i++) {
		const struct iobuf_segment *seg = &(*segments)[i];

		if ((s64)seg->size < 0)
			return -EINVAL;
		if (seg->start.v > USER_END || seg->size > USER_END - seg->start.v)
			return -EFAULT;
		total += min(seg->size, RW_MAX - total);
	}
	*io = (struct iobuf){ .left = total, .next = *segments };
	return 0;
}

s64 sys_read(const u64 a[6])
{
	return rw_buffer(a, RW_READ);
}

s64 sys_write(const u64 a[6])
{
	return rw_buffer(a, RW_WRITE);
}

s64 sys_pread64(const u64 a[6])
{
	return rw_buffer_at(a, RW_READ);
}

s64 sys_pwrite64(const u64 a[6])
{
	return rw_buffer_at(a, RW_WRITE);
}

static s64 rw_vector(const u64 a[6], enum rw_direction dir)
{
	struct iobuf_segment *segments = NULL;
	struct file *f = file_arg(a[0]);
	struct iobuf io;
	s64 ret;

	if (!f)
		return -EBADF;
	ret = rw_check(f, dir);
	if (!ret)
		ret = iobuf_of_vector(&io, &segments, a[1], a[2]);
	if (!ret)
		ret = rw_file(f, dir, &io);
	kfree(segments);
	file_put(f);
	return ret;
}

s64 sys_readv(const u64 a[6])
{
	return rw_vector(a, RW_READ);
}

s64 sys_writev(const u64 a[6])
{
	return rw_vector(a, RW_WRITE);
}

static s64 rw_vector_at(const u64 a[6], enum rw_direction dir)
{
	struct file *f = file_arg_at(a[0], (s64)a[3], dir);
	struct iobuf_segment *segments = NULL;
	u64 pos = a[3];
	struct iobuf io;
	s64 ret;

	if (IS_ERR(f))
		return PTR_ERR(f);
	ret = rw_check(f, dir);
	if (!ret)
		ret = iobuf_of_vector(&io, &segments, a[1], a[2]);
	if (!ret)
		ret = rw_at(f, dir, &io, &pos);
	kfree(segments);
	file_put(f);
	return ret;
}

s64 sys_preadv(const u64 a[6])
{
	return rw_vector_at(a, RW_READ);
}

s64 sys_pwritev(const u64 a[6])
{
	return rw_vector_at(a, RW_WRITE);
}

/* preadv2 and pwritev2: position -1 is the file's own; no flag is supported. */
static s64 rw_vector2(const u64 a[6], enum rw_direction dir)
{
	if (a[5])
		return -EOPNOTSUPP;
	return (s64)a[3] == -1 ? rw_vector(a, dir) : rw_vector_at(a, dir);
}

s64 sys_preadv2(const u64 a[6])
{
	return rw_vector2(a, RW_READ);
}

s64 sys_pwritev2(const u64 a[6])
{
	return rw_vector2(a, RW_WRITE);
}

s64 sys_lseek(const u64 a[6])
{
	struct file *f = file_arg(a[0]);
	u32 whence = (u32)a[2];
	s64 ret = -ESPIPE;

	if (!f)
		return -EBADF;
	if (whence > SEEK_MAX) {
		ret = -EINVAL;
	} else if (f->ops->lseek) {
		mutex_lock(&f->pos_lock);
		ret = f->ops->lseek(f, (s64)a[1], (int)whence);
		mutex_unlock(&f->pos_lock);
	}
	file_put(f);
	return ret;
}

/* ---- sendfile: through a buffer of the kernel */
enum { SENDFILE_CHUNK = 16384 };

/* One chunk from @in at *@pos; bytes that went out, or an error. */
static s64 sendfile_chunk(struct file *out, struct file *in, u64 *pos, char *chunk, size_t n)
{
	struct iobuf to = { .kernel = chunk, .left = n };
	struct iobuf from = { .kernel = chunk };
	u64 at = *pos;
	s64 got = rw_at(in, RW_READ, &to, &at), sent;

	if (got <= 0)
		return got;
	from.left = (size_t)got;
	sent = rw_file(out, RW_WRITE, &from);
	if (sent > 0)
		*pos += (u64)sent;
	return sent;
}

static s64 sendfile_loop(struct file *out, struct file *in, u64 *pos, u64 count)
{
	char *chunk = kmalloc(SENDFILE_CHUNK);
	u64 done = 0;
	s64 n = 0;

	if (!chunk)
		return -ENOMEM;
	while (done < count) {
		n = sendfile_chunk(out, in, pos, chunk, min(count - done, SENDFILE_CHUNK));
		if (n <= 0)
			break;
		done += (u64)n;
	}
	kfree(chunk);
	return done ? (s64)done : n;
}

/* 0, or why bytes cannot go from @in to @out. */
static int sendfile_check(const struct file *out, const struct file *in)
{
	int ret = rw_check(in, RW_READ);

	if (ret)
		return ret;
	if (!(in->traits & FILE_SEEKABLE) || in->traits & FILE_IS_DIR)
		return -EINVAL;
	ret = rw_check(out, RW_WRITE);
	if (ret)
		return ret;
	return out->flags & O_APPEND ? -EINVAL : 0;
}

static s64 sendfile(struct file *out, struct file *in, u64 offset, u64 count)
{
	s64 pos, ret = sendfile_check(out, in);
	u64 at;

	if (ret)
		return ret;
	if (!offset) {
		at = in->pos;
		ret = sendfile_loop(out, in, &at, min(count, RW_MAX));
		in->pos = at;
		return ret;
	}
	if (copy_from_user(&pos, HVA(offset), sizeof(pos)))
		return -EFAULT;
	if (pos < 0)
		return -EINVAL;
	at = (u64)pos;
	ret = sendfile_loop(out, in, &at, min(count, RW_MAX));
	return copy_to_user(HVA(offset), &at, sizeof(at)) ? -EFAULT : ret;
}

s64 sys_sendfile(const u64 a[6])
{
	struct file *in = file_arg(a[1]), *out = file_arg(a[0]);
	s64 ret = in && out ? sendfile(out, in, a[2], a[3]) : -EBADF;

	if (in)
		file_put(in);
	if (out)
		file_put(out);
	return ret;
}

/* ---- copy_file_range: between regular files, through a buffer of the kernel */
struct copy_end {
	struct file *file;
	u64 where; /* the program's place for the position, or 0: the file's own is used */
	s64 pos;
};

/* The position to start from. 0, -EFAULT. */
static int copy_end_begin(struct copy_end *e)
{
	e->pos = (s64)e->file->pos;
	return e->where && copy_from_user(&e->pos, HVA(e->where), sizeof(e->pos)) ? -EFAULT : 0;
}

static int copy_end_finish(const struct copy_end *e)
{
	if (e->where)
		return copy_to_user(HVA(e->where), &e->pos, sizeof(e->pos)) ? -EFAULT : 0;
	e->file->pos = (u64)e->pos;
	return 0;
}

static bool is_dir(const struct file *f)
{
	return f->traits & FILE_IS_DIR;
}

/* 0, or why not: in Linux's order. */
static int copy_check(const struct copy_end *in, const struct copy_end *out, u64 count)
{
	if (is_dir(in->file) || is_dir(out->file))
		return -EISDIR;
	if (vfs_file_size(in->file) < 0 || vfs_file_size(out->file) < 0)
		return -EINVAL;
	if (rw_check(in->file, RW_READ) || rw_check(out->file, RW_WRITE) ||
	    out->file->flags & O_APPEND)
		return -EBADF;
	if (in->pos < 0 || out->pos < 0)
		return -EINVAL;
	if (count > INT64_MAX - (u64)max(in->pos, out->pos))
		return -EOVERFLOW;
	if (file_inode(in->file) == file_inode(out->file) && in->pos < out->pos + (s64)count &&
	    out->pos < in->pos + (s64)count)
		return -EINVAL;
	return 0;
}

/* One chunk; its bytes, 0 at the end of the input, or an error. */
static s64 copy_chunk(struct copy_end *in, struct copy_end *out, char *chunk, size_t n)
{
	struct iobuf to = { .kernel = chunk, .left = n };
	struct iobuf from = { .kernel = chunk };
	u64 in_pos = (u64)in->pos, out_pos = (u64)out->pos;
	s64 got = rw_at(in->file, RW_READ, &to, &in_pos);

	if (got <= 0)
		return got;
	from.left = (size_t)got;
	got = rw_at(out->file, RW_WRITE, &from, &out_pos);
	if (got > 0) {
		in->pos += got;
		out->pos += got;
	}
	return got;
}

static s64 copy_range(struct copy_end *in, struct copy_end *out, u64 count)
{
	char *chunk = kmalloc(SENDFILE_CHUNK);
	u64 done = 0;
	s64 n = 0;

	if (!chunk)
		return -ENOMEM;
	while (done < count) {
		n = copy_chunk(in, out, chunk, min(count - done, (u64)SENDFILE_CHUNK));
		if (n <= 0)
			break;
		done += (u64)n;
		sched_point();
	}
	kfree(chunk);
	return done ? (s64)done : n;
}

static s64 copy_file_range(struct copy_end *in, struct copy_end *out, u64 count, u32 flags)
{
	s64 ret;
	int err = copy_end_begin(in);

	if (!err)
		err = copy_end_begin(out);
	if (!err && flags)
		err = -EINVAL;
	if (!err)
		err = copy_check(in, out, min(count, RW_MAX));
	if (err)
		return err;
	ret = copy_range(in, out, min(count, RW_MAX));
	if (ret > 0 && (copy_end_finish(in) || copy_end_finish(out)))
		ret = -EFAULT;
	return ret;
}

s64 sys_copy_file_range(const u64 a[6])
{
	struct copy_end in = { .file = file_arg(a[0]), .where = a[1] };
	struct copy_end out = { .file = file_arg(a[2]), .where = a[3] };
	s64 ret = -EBADF;

	if (in.file && out.file)
		ret = copy_file_range(&in, &out, a[4], (u32)a[5]);
	if (in.file)
		file_put(in.file);
	if (out.file)
		file_put(out.file);
	return ret;
}

/* ---- getdents64 */
enum { DENTS_MAX = 32768 };

struct dents_sink {
	struct dir_sink sink;
	char *buf;
	size_t size, used;
	bool refused; /* an entry did not fit */
};

/* As the kernel gives it to programs: getdents64(2). */
struct dirent64 {
	u64 ino;
	u64 off;
	u16 reclen;
	u8 type;
	char name[];
};

static bool dents_emit(struct dir_sink *sink, const char *name, u64 ino, u8 type, u64 next_pos)
{
	struct dents_sink *s = container_of(sink, struct dents_sink, sink);
	size_t len = strlen(name) + 1;
	size_t reclen = ALIGN_UP(offsetof(struct dirent64, name) + len, 8);
	struct dirent64 *d = (void *)(s->buf + s->used);

	if (reclen > s->size - s->used) {
		s->refused = true;
		return false;
	}
	memset(d, 0, reclen);
	d->ino = ino;
	d->off = next_pos;
	d->reclen = (u16)reclen;
	d->type = type;
	memcpy(d->name, name, len);
	s->used += reclen;
	return true;
}

/* Entries are collected in kernel memory: user memory is not touched under the tree's lock. */
static s64 getdents(struct file *f, u64 buf, size_t size)
{
	struct dents_sink s = { .sink.emit = dents_emit, .size = min(size, (size_t)DENTS_MAX) };
	u64 pos = f->pos;
	s64 ret;

	s.buf = kmalloc(s.size ? s.size : 1);
	if (!s.buf)
		return -ENOMEM;
	ret = f->ops->getdents(f, &s.sink, &pos);
	if (!ret && !s.used && s.refused)
		ret = -EINVAL;
	if (!ret && copy_to_user(HVA(buf), s.buf, s.used))
		ret = -EFAULT;
	if (!ret) {
		f->pos = pos;
		ret = (s64)s.used;
	}
	kfree(s.buf);
	return ret;
}

s64 sys_getdents64(const u64 a[6])
{
	struct file *f = file_arg(a[0]);
	s64 ret = -ENOTDIR;

	if (!f)
		return -EBADF;
	if (f->ops->getdents) {
		mutex_lock(&f->pos_lock);
		ret = getdents(f, a[1], (u32)a[2]);
		mutex_unlock(&f->pos_lock);
	}
	file_put(f);
	return ret;
}
