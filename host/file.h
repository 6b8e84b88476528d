/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open files and the tables of descriptors that name them. A file is an object with operations;
 * kernel/ and kvm/ make them, host/ only counts references, so that VMAs and VMs can hold them.
 */
#ifndef HOST_FILE_H
#define HOST_FILE_H

#include <asm/stat.h>
#include <bsd/sys/queue.h>

#include "host/sched.h"

struct file;
struct vma;
struct mm;

/* One piece of a program's scattered buffer (struct iovec). */
struct iobuf_segment {
	hva_t start;
	u64 size;
};

/*
 * The memory a read or write moves: a program's, or the kernel's own. Advances as it is used; only
 * the functions below look beside @left.
 */
struct iobuf {
	hva_t user;
	void *kernel; /* used instead of @user if set */
	size_t left;  /* over all segments */
	/* If @next is set, @user is good for @here bytes only and goes on at @next. */
	size_t here;
	const struct iobuf_segment *next;
};

/* Copies min(@n, left) bytes out of (get) or into (put) the buffer, in bounded steps with a
 * sched_point() between. Bytes moved, or -EFAULT if none could be. */
s64 iobuf_get(struct iobuf *io, void *dst, size_t n);
s64 iobuf_put(struct iobuf *io, const void *src, size_t n);
s64 iobuf_zero(struct iobuf *io, size_t n);

/* Called by getdents for each entry; false: the buffer is full, stop. */
struct dir_sink {
	bool (*emit)(struct dir_sink *sink, const char *name, u64 ino, u8 d_type, u64 next_pos);
};

/*
 * Operations; NULL means Linux's error for a file without it (read: EINVAL, ioctl: ENOTTY, mmap:
 * ENODEV, poll: always ready ...). All may sleep. None is called with a lock held.
 */
struct file_ops {
	const char *name; /* as /proc/self/fd shows it, e.g. "anon_inode:kvm-vm" */
	s64 (*read)(struct file *f, struct iobuf *to, u64 *pos);
	s64 (*write)(struct file *f, struct iobuf *from, u64 *pos);
	s64 (*lseek)(struct file *f, s64 offset, int whence);
	s64 (*ioctl)(struct file *f, u32 cmd, u64 arg);
	/* Fills @vma's ops and flags (host/mm.h) under the mm's write lock; 0 or an error. */
	int (*mmap)(struct file *f, struct vma *vma);
	/* Current POLL* events; *@wq is the queue that is woken when they may change. */
	u32 (*poll)(struct file *f, struct waitq **wq);
	int (*stat)(struct file *f, struct stat *st);
	int (*truncate)(struct file *f, u64 size);
	int (*fallocate)(struct file *f, int mode, u64 offset, u64 len);
	int (*getdents)(struct file *f, struct dir_sink *sink, u64 *pos);
	/* Pages of memory that end with the file, roughly. Takes no lock; NULL: few. */
	u64 (*pages)(struct file *f);
	/* The last reference is gone. */
	void (*release)(struct file *f);
};

enum {
	FILE_SEEKABLE = 1,
	FILE_IS_DIR = 2,
	FILE_PATH_ONLY = 4,
	FILE_HUGE_2M = 8, /* its mappings are made of 2 MiB blocks (memfd with MFD_HUGETLB) */
	FILE_HUGE_1G = 16,
	FILE_RUNS = 32,	       /* opened to be executed: nobody may open it for writing */
	FILE_AT_POSITION = 64, /* reads go on where the last ended, and pread works */
};

/* Where a file has its name; kernel/vfs.h embeds it in its inodes. */
struct file_node {
	void (*put)(struct file_node *node);
	/* If set: a table of descriptors (@owner) has closed one for a file here, or an open file
	 * (@owner) is gone. What only they own here goes. May be set at any time. */
	void (*owner_gone)(struct file_node *node, const void *owner);
};

/* One who follows a file's events without holding it (epoll). */
struct file_watch {
	LIST_ENTRY(file_watch) link;
};

struct file {
	const struct file_ops *ops; /* immutable */
	void *priv;		    /* immutable after creation */
	u32 refs;		    /* atomic */
	u32 flags;  /* O_* status and access mode; O_NONBLOCK, O_APPEND change by fcntl */
	u32 traits; /* FILE_*; immutable */
	u64 pos;    /* guarded by pos_lock */
	struct mutex pos_lock;
	char *path;		/* kmalloc'ed or NULL; immutable once a descriptor names the file */
	struct file_node *node; /* counted, or NULL; immutable once a descriptor names the file */
	LIST_HEAD(file_watch_list, file_watch) watches; /* guarded by who watches */
	/* Set before the first watch: called when the last reference has gone, before release. */
	void (*watches_gone)(struct file *f);
};

/* A new file with one reference; NULL when memory is out. */
struct file *file_alloc(const struct file_ops *ops, void *priv, u32 flags);
/* What the last file_put() does. */
void file_free(struct file *f);

static inline struct file *file_get(struct file *f)
{
	__atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);
	return f;
}

/* Drops a reference; the last one calls release. May sleep. */
static inline void file_put(struct file *f)
{
	if (__atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL) == 0)
		file_free(f);
}

/* Tells @f's node that @owner has closed it, or is gone. */
void file_owner_gone(struct file *f, const void *owner);

/* ---- descriptor tables, shared by the threads of a process */
struct fdtable;

struct fdtable *fdtable_new(void);
struct fdtable *fdtable_get(struct fdtable *t);
/* Drops a reference; the last one closes everything. May sleep. */
void fdtable_put(struct fdtable *t);
/* A copy with the same files and close-on-exec flags (fork). */
struct fdtable *fdtable_copy(struct fdtable *t);
/* Is anybody else at it: another process, or for a moment /proc? */
bool fdtable_is_shared(struct fdtable *t);
void fdtable_close_on_exec(struct fdtable *t);
/*
 * The lowest free descriptor >= @min now names @f, whose reference it takes over; @fd_flags is
 * FD_CLOEXEC or 0. -EMFILE beyond RLIMIT_NOFILE, -ENOMEM: then the reference stays the caller's.
 */
int fd_install(struct fdtable *t, struct file *f, int min, u32 fd_flags);
/*
 * The same in two steps, for what must not be seen by other threads before it is whole, and cannot
 * be taken back: the lowest free descriptor >= @min names nothing, but is nobody else's until it is
 * filled with @f, whose reference is taken over, or given up. Neither fails.
 */
int fd_reserve(struct fdtable *t, int min);
void fd_fill(struct fdtable *t, int fd, struct file *f, u32 fd_flags);
void fd_unreserve(struct fdtable *t, int fd);
/* Makes @fd name @f, closing what it named (dup3). -EBUSY: it is reserved. */
int fd_replace(struct fdtable *t, int fd, struct file *f, u32 fd_flags);
/* A counted reference to what @fd names, or NULL (EBADF): also for an O_PATH file, which names
 * only.
 */
struct file *fd_get(struct fdtable *t, int fd);
/* The same, O_PATH files included: for calls that need no more than the name. */
struct file *fd_get_raw(struct fdtable *t, int fd);
/* 0 or -EBADF. */
int fd_close(struct fdtable *t, int fd);
int fd_flags_get(struct fdtable *t, int fd);
int fd_flags_set(struct fdtable *t, int fd, u32 fd_flags);
/* RLIMIT_NOFILE's soft limit; descriptors above it stay open. Set by prlimit64. */
void fd_limit_set(struct fdtable *t, unsigned int limit);
unsigned int fd_limit_get(struct fdtable *t);
/* The lowest open descriptor >= @from, or -1 (for /proc/self/fd and close_range). */
int fd_next(struct fdtable *t, int from);
/*
 * Pages of memory that its files hold, roughly: one for each, and what they say themselves. Adds
 * those of a bounded number of descriptors from *@next on, which goes on; false: it was the end.
 * Does not sleep.
 */
bool fdtable_count_pages(struct fdtable *t, unsigned int *next, u64 *pages);

#endif
