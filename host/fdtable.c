/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of descriptors: small integers that name open files, lowest free number first.
 */
#include <string.h>

#include <asm-generic/fcntl.h>

#include "host/err.h"
#include "host/file.h"
#include "host/page.h"

enum {
	FD_TABLE_FIRST = 64,	    /* slots of a new table; it grows by doubling */
	FD_LIMIT_DEFAULT = 1024,    /* Linux's INR_OPEN_CUR */
	FD_LIMIT_MAX = 1024 * 1024, /* Linux's sysctl fs.nr_open */
};

struct fd_slot {
	struct file *file; /* counted, or NULL: free, or reserved if its bit is set */
	u32 flags;	   /* FD_CLOEXEC or 0 */
};

struct fdtable {
	u32 refs;	       /* atomic */
	struct spinlock lock;  /* guards all below */
	struct fd_slot *slots; /* [size] */
	u64 *open;	       /* [size / 64], a bit for each slot in use: behind the slots */
	unsigned int size;     /* a multiple of 64 */
	unsigned int lowest;   /* no free slot below it */
	unsigned int limit;
};

enum { WORD_BITS = 64 };

/* Slots that are looked at in one hold of the lock. */
enum { COPY_STEP = 4096, COUNT_STEP = 512 };

/* Slots and, behind them, their bits. */
static struct fd_slot *slots_alloc(unsigned int size)
{
	return kzalloc(size * sizeof(struct fd_slot) + size / 8);
}

static u64 *bits_behind(struct fd_slot *slots, unsigned int size)
{
	return (u64 *)(slots + size);
}

static struct fdtable *fdtable_sized(unsigned int size)
{
	struct fdtable *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	t->slots = slots_alloc(size);
	if (!t->slots) {
		kfree(t);
		return NULL;
	}
	t->open = bits_behind(t->slots, size);
	spin_init(&t->lock);
	t->refs = 1;
	t->size = size;
	t->limit = FD_LIMIT_DEFAULT;
	return t;
}

struct fdtable *fdtable_new(void)
{
	return fdtable_sized(FD_TABLE_FIRST);
}

struct fdtable *fdtable_get(struct fdtable *t)
{
	__atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
	return t;
}

/* A descriptor of @t for @f is closed. */
static void put_closed(struct fdtable *t, struct file *f)
{
	if (!(f->traits & FILE_PATH_ONLY))
		file_owner_gone(f, t);
	file_put(f);
}

void fdtable_put(struct fdtable *t)
{
	if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (int fd = fd_next(t, 0); fd >= 0; fd = fd_next(t, fd + 1)) {
		/* NULL: it was reserved, and its file will not come. */
		if (t->slots[fd].file)
			put_closed(t, t->slots[fd].file);
		sched_point();
	}
	kfree(t->slots);
	kfree(t);
}

static unsigned int fdtable_size(struct fdtable *t)
{
	unsigned int size;

	spin_lock(&t->lock);
	size = t->size;
	spin_unlock(&t->lock);
	return size;
}

/* Makes slots at least up to @fd. Allocates outside the lock, so another thread may grow first. */
static int fdtable_grow(struct fdtable *t, unsigned int fd)
{
	unsigned int size = FD_TABLE_FIRST;
	struct fd_slot *slots, *unused;

	while (size <= fd)
		size *= 2;
	slots = slots_alloc(size);
	if (!slots)
		return -ENOMEM;
	spin_lock(&t->lock);
	unused = slots;
	if (t->size < size) {
		memcpy(slots, t->slots, t->size * sizeof(*slots));
		memcpy(bits_behind(slots, size), t->open, t->size / 8);
		unused = t->slots;
		t->slots = slots;
		t->open = bits_behind(slots, size);
		t->size = size;
	}
	spin_unlock(&t->lock);
	kfree(unused);
	return 0;
}

/* Under the lock: is @fd, inside the table, promised to a file that is still to come? */
static bool slot_is_reserved(const struct fdtable *t, unsigned int fd)
{
	return !t->slots[fd].file && t->open[fd / WORD_BITS] >> fd % WORD_BITS & 1;
}

/* Under the lock: @fd, inside the table, names @file (NULL: nothing) from now on. */
static void slot_set(struct fdtable *t, unsigned int fd, struct file *file, u32 flags)
{
	u64 bit = 1UL << fd % WORD_BITS;

	t->slots[fd] = (struct fd_slot){ .file = file, .flags = flags };
	if (file)
		t->open[fd / WORD_BITS] |= bit;
	else
		t->open[fd / WORD_BITS] &= ~bit;
}

/* Under the lock: @fd, inside the table, is free for others. */
static void slot_free(struct fdtable *t, unsigned int fd)
{
	slot_set(t, fd, NULL, 0);
	t->lowest = min(t->lowest, fd);
}

enum slot_state { SLOT_OPEN, SLOT_FREE };

/* Under the lock: the first slot >= @fd in that state, or the table's size if there is none. */
static unsigned int slot_find(const struct fdtable *t, unsigned int fd, enum slot_state state)
{
	u64 flip = state == SLOT_FREE ? ~0UL : 0, word;

	if (fd >= t->size)
		return t->size;
	word = (t->open[fd / WORD_BITS] ^ flip) & (~0UL << fd % WORD_BITS);
	fd -= fd % WORD_BITS;
	while (!word) {
		fd += WORD_BITS;
		if (fd >= t->size)
			return t->size;
		word = t->open[fd / WORD_BITS] ^ flip;
	}
	return fd + (unsigned int)__builtin_ctzl(word);
}

/* Copies up to COPY_STEP slots from @from on into @copy, which was made for @t's size; false if @t
 * has grown since. */
static bool fdtable_copy_step(struct fdtable *copy, struct fdtable *t, unsigned int from)
{
	unsigned int end = min(from + COPY_STEP, copy->size);
	bool fits;

	spin_lock(&t->lock);
	fits = t->size <= copy->size;
	for (unsigned int fd = from; fits && fd < min(end, t->size); fd++)
		if (t->slots[fd].file)
			slot_set(copy, fd, file_get(t->slots[fd].file), t->slots[fd].flags);
	copy->limit = t->limit;
	spin_unlock(&t->lock);
	return fits;
}

/* In steps: of a table larger than one, the copy may be of different moments. */
static bool fdtable_copy_slots(struct fdtable *copy, struct fdtable *t)
{
	for (unsigned int from = 0; from < copy->size; from += COPY_STEP) {
		if (!fdtable_copy_step(copy, t, from))
			return false;
		sched_point();
	}
	return true;
}

struct fdtable *fdtable_copy(struct fdtable *t)
{
	for (;;) {
		struct fdtable *copy = fdtable_sized(fdtable_size(t));

		if (!copy || fdtable_copy_slots(copy, t))
			return copy;
		fdtable_put(copy);
	}
}

/* Takes out what @fd names; the caller drops the reference. NULL if it names nothing. */
static struct file *fd_take(struct fdtable *t, int fd)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if (fd >= 0 && (unsigned int)fd < t->size) {
		f = t->slots[fd].file;
		if (f)
			slot_free(t, (unsigned int)fd);
	}
	spin_unlock(&t->lock);
	return f;
}

bool fdtable_is_shared(struct fdtable *t)
{
	return __atomic_load_n(&t->refs, __ATOMIC_RELAXED) > 1;
}

void fdtable_close_on_exec(struct fdtable *t)
{
	for (int fd = fd_next(t, 0); fd >= 0; fd = fd_next(t, fd + 1))
		if (fd_flags_get(t, fd) == FD_CLOEXEC)
			fd_close(t, fd);
}

/* Under the lock: the lowest free descriptor >= @min_fd, now reserved; -EMFILE, or -EAGAIN with
 * *@grow_to when the table must grow first. */
static int fd_try_reserve(struct fdtable *t, unsigned int min_fd, unsigned int *grow_to)
{
	unsigned int from = max(min_fd, t->lowest), fd = slot_find(t, from, SLOT_FREE);

	fd = max(fd, from);
	if (fd >= t->limit)
		return -EMFILE;
	if (fd >= t->size) {
		*grow_to = fd;
		return -EAGAIN;
	}
	t->open[fd / WORD_BITS] |= 1UL << fd % WORD_BITS;
	if (min_fd <= t->lowest)
		t->lowest = fd + 1;
	return (int)fd;
}

/* fd_install(), or, if @f is NULL, fd_reserve(). */
static int fd_allot(struct fdtable *t, struct file *f, int min, u32 fd_flags)
{
	for (;;) {
		unsigned int grow_to = 0;
		int fd;

		spin_lock(&t->lock);
		fd = fd_try_reserve(t, (unsigned int)min, &grow_to);
		if (fd >= 0 && f)
			slot_set(t, (unsigned int)fd, f, fd_flags);
		spin_unlock(&t->lock);
		if (fd != -EAGAIN)
			return fd;
		if (fdtable_grow(t, grow_to))
			return -ENOMEM;
	}
}

int fd_install(struct fdtable *t, struct file *f, int min, u32 fd_flags)
{
	return fd_allot(t, f, min, fd_flags);
}

int fd_reserve(struct fdtable *t, int min)
{
	return fd_allot(t, NULL, min, 0);
}

void fd_fill(struct fdtable *t, int fd, struct file *f, u32 fd_flags)
{
	spin_lock(&t->lock);
	slot_set(t, (unsigned int)fd, f, fd_flags);
	spin_unlock(&t->lock);
}

void fd_unreserve(struct fdtable *t, int fd)
{
	spin_lock(&t->lock);
	slot_free(t, (unsigned int)fd);
	spin_unlock(&t->lock);
}

int fd_replace(struct fdtable *t, int fd, struct file *f, u32 fd_flags)
{
	struct file *old = NULL;
	bool reserved;

	if (fd < 0 || (unsigned int)fd >= fd_limit_get(t))
		return -EBADF;
	if ((unsigned int)fd >= fdtable_size(t) && fdtable_grow(t, (unsigned int)fd))
		return -ENOMEM;
	spin_lock(&t->lock);
	reserved = slot_is_reserved(t, (unsigned int)fd);
	if (!reserved) {
		old = t->slots[fd].file;
		slot_set(t, (unsigned int)fd, f, fd_flags);
	}
	spin_unlock(&t->lock);
	if (old)
		put_closed(t, old);
	return reserved ? -EBUSY : fd;
}

/* Counted, or NULL; every system call on a descriptor begins with it. */
static inline __attribute__((always_inline)) struct file *look_up(struct fdtable *t, int fd)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if (fd >= 0 && (unsigned int)fd < t->size) {
		f = t->slots[fd].file;
		if (f)
			file_get(f);
	}
	spin_unlock(&t->lock);
	return f;
}

struct file *fd_get_raw(struct fdtable *t, int fd)
{
	return look_up(t, fd);
}

struct file *fd_get(struct fdtable *t, int fd)
{
	struct file *f = look_up(t, fd);

	if (f && f->traits & FILE_PATH_ONLY) {
		file_put(f);
		return NULL;
	}
	return f;
}

int fd_close(struct fdtable *t, int fd)
{
	struct file *f = fd_take(t, fd);

	if (!f)
		return -EBADF;
	put_closed(t, f);
	return 0;
}

int fd_flags_get(struct fdtable *t, int fd)
{
	int flags = -EBADF;

	spin_lock(&t->lock);
	if (fd >= 0 && (unsigned int)fd < t->size && t->slots[fd].file)
		flags = (int)t->slots[fd].flags;
	spin_unlock(&t->lock);
	return flags;
}

int fd_flags_set(struct fdtable *t, int fd, u32 fd_flags)
{
	int ret = -EBADF;

	spin_lock(&t->lock);
	if (fd >= 0 && (unsigned int)fd < t->size && t->slots[fd].file) {
		t->slots[fd].flags = fd_flags & FD_CLOEXEC;
		ret = 0;
	}
	spin_unlock(&t->lock);
	return ret;
}

void fd_limit_set(struct fdtable *t, unsigned int limit)
{
	spin_lock(&t->lock);
	t->limit = min(limit, (unsigned int)FD_LIMIT_MAX);
	spin_unlock(&t->lock);
}

unsigned int fd_limit_get(struct fdtable *t)
{
	unsigned int limit;

	spin_lock(&t->lock);
	limit = t->limit;
	spin_unlock(&t->lock);
	return limit;
}

int fd_next(struct fdtable *t, int from)
{
	unsigned int fd;

	spin_lock(&t->lock);
	fd = slot_find(t, from < 0 ? 0 : (unsigned int)from, SLOT_OPEN);
	fd = fd < t->size ? fd : UINT32_MAX;
	spin_unlock(&t->lock);
	return (int)fd;
}

bool fdtable_count_pages(struct fdtable *t, unsigned int *next, u64 *pages)
{
	unsigned int fd, end;
	bool more;

	spin_lock(&t->lock);
	end = min(*next + COUNT_STEP, t->size);
	for (fd = *next; fd < end; fd++) {
		struct file *f = t->slots[fd].file;

		if (f)
			*pages += 1 + (f->ops->pages ? f->ops->pages(f) : 0);
	}
	more = fd < t->size;
	spin_unlock(&t->lock);
	*next = fd;
	return more;
}
