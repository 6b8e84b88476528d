/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of userfaultfd's ioctls: checked, carried out, answered (ioctl_userfaultfd(2)). */
#include "host/uffd_impl.h"

#include "host/string.h"

/* What UFFDIO_API offers. Events of fork, mremap, madvise and munmap are not among it. */
#define FEATURES                                                                                   \
	(UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_MISSING_HUGETLBFS |                         \
	 UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_SIGBUS | UFFD_FEATURE_THREAD_ID |               \
	 UFFD_FEATURE_MINOR_HUGETLBFS | UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_EXACT_ADDRESS |    \
	 UFFD_FEATURE_WP_HUGETLBFS_SHMEM | UFFD_WP_UNPOPULATED | UFFD_POISON)

static int check_length(u64 start, u64 len)
{
	if (!len || !IS_ALIGNED(len, PAGE_SIZE))
		return -EINVAL;
	return start >= TASK_SIZE || len > TASK_SIZE - start ? -EINVAL : 0;
}

static int check_range(u64 start, u64 len)
{
	return IS_ALIGNED(start, PAGE_SIZE) ? check_length(start, len) : -EINVAL;
}

/* ---- the handshake */

static bool api_settle(struct uffd *u, u64 features)
{
	bool first;

	spin_lock(&u->lock);
	first = !u->ready;
	if (first) {
		u->features = features;
		__atomic_store_n(&u->ready, true, __ATOMIC_RELEASE);
	}
	spin_unlock(&u->lock);
	return first;
}

/* A refused handshake leaves a structure of zeroes. */
static s64 ioctl_api(struct uffd *u, hva_t arg)
{
	static const struct uffdio_api nothing;
	struct uffdio_api a;
	u64 wanted;

	if (copy_from_user(&a, arg, sizeof(a)))
		return -EFAULT;
	wanted = a.features;
	if (a.api != UFFD_API || (wanted & ~(u64)FEATURES) || uffd_is_ready(u))
		return copy_to_user(arg, &nothing, sizeof(nothing)) ? -EFAULT : -EINVAL;
	a.features = FEATURES;
	a.ioctls =
		(u64)1 << _UFFDIO_REGISTER | (u64)1 << _UFFDIO_UNREGISTER | (u64)1 << _UFFDIO_API;
	if (copy_to_user(arg, &a, sizeof(a)))
		return -EFAULT;
	if (api_settle(u, wanted))
		return 0;
	return copy_to_user(arg, &nothing, sizeof(nothing)) ? -EFAULT : -EINVAL;
}

/* ---- ranges */

static u32 vma_flags_of_mode(u64 mode)
{
	return (mode & UFFDIO_REGISTER_MODE_MISSING ? VM_UFFD_MISSING : 0) |
	       (mode & UFFDIO_REGISTER_MODE_WP ? VM_UFFD_WP : 0) |
	       (mode & UFFDIO_REGISTER_MODE_MINOR ? VM_UFFD_MINOR : 0);
}

static s64 ioctl_register(struct uffd *u, hva_t arg)
{
	const u64 modes =
		UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MINOR;
	struct uffdio_register r;
	int error;
	u64 ioctls;

	if (copy_from_user(&r, arg, offsetof(struct uffdio_register, ioctls)))
		return -EFAULT;
	if (!r.mode || (r.mode & ~modes))
		return -EINVAL;
	error = check_range(r.range.start, r.range.len);
	if (!error)
		error = uffd_register(u, r.range.start, r.range.start + r.range.len,
				      vma_flags_of_mode(r.mode), &ioctls);
	if (error)
		return error;
	arg.v += offsetof(struct uffdio_register, ioctls);
	return copy_to_user(arg, &ioctls, sizeof(ioctls)) ? -EFAULT : 0;
}

static s64 ioctl_unregister(struct uffd *u, hva_t arg)
{
	struct uffdio_range r;
	int error;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	error = check_range(r.start, r.len);
	return error ? error : uffd_unregister(u, r.start, r.start + r.len);
}

static s64 ioctl_wake(struct uffd *u, hva_t arg)
{
	struct uffdio_range r;
	int error;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	error = check_range(r.start, r.len);
	if (!error)
		uffd_wake(u, r.start, r.start + r.len);
	return error;
}

static s64 ioctl_write_protect(struct uffd *u, hva_t arg)
{
	struct uffdio_writeprotect w;
	int error;

	if (copy_from_user(&w, arg, sizeof(w)))
		return -EFAULT;
	error = check_range(w.range.start, w.range.len);
	if (error)
		return error;
	if (w.mode & ~(UFFDIO_WRITEPROTECT_MODE_WP | UFFDIO_WRITEPROTECT_MODE_DONTWAKE))
		return -EINVAL;
	if (w.mode == (UFFDIO_WRITEPROTECT_MODE_WP | UFFDIO_WRITEPROTECT_MODE_DONTWAKE))
		return -EINVAL;
	error = uffd_write_protect(u, w.range.start, w.range.start + w.range.len,
				   w.mode & UFFDIO_WRITEPROTECT_MODE_WP ? UFFD_PROTECT
									: UFFD_UNPROTECT);
	if (!error && !w.mode)
		uffd_wake(u, w.range.start, w.range.start + w.range.len);
	return error;
}

/* ---- content: each structure ends in the number of bytes done, or the error */

enum fill_wake { FILL_WAKES, FILL_WAKES_NOBODY };

static s64 fill_and_tell(struct uffd *u, const struct uffd_fill *f, enum fill_wake wake,
			 hva_t result)
{
	s64 done = uffd_fill(u, f);

	if (done == -ESRCH)
		return done;
	if (copy_to_user(result, &done, sizeof(done)))
		return -EFAULT;
	if (done < 0)
		return done;
	if (wake == FILL_WAKES)
		uffd_wake(u, f->start, f->start + (u64)done);
	return (u64)done == f->len ? 0 : -EAGAIN;
}

static s64 ioctl_copy(struct uffd *u, hva_t arg)
{
	struct uffdio_copy c;
	struct uffd_fill f;

	if (copy_from_user(&c, arg, offsetof(struct uffdio_copy, copy)))
		return -EFAULT;
	if (check_length(c.src, c.len) || check_range(c.dst, c.len))
		return -EINVAL;
	if (c.mode & ~(UFFDIO_COPY_MODE_DONTWAKE | UFFDIO_COPY_MODE_WP))
		return -EINVAL;
	f = (struct uffd_fill){
		.kind = FILL_COPY,
		.start = c.dst,
		.len = c.len,
		.src = c.src,
		.wp = c.mode & UFFDIO_COPY_MODE_WP ? UFFD_PROTECT : UFFD_UNPROTECT,
	};
	arg.v += offsetof(struct uffdio_copy, copy);
	return fill_and_tell(u, &f,
			     c.mode & UFFDIO_COPY_MODE_DONTWAKE ? FILL_WAKES_NOBODY : FILL_WAKES,
			     arg);
}

/* The three that give a range and a mode, and differ in the modes they know. */
static const struct range_fill {
	u32 cmd;
	enum uffd_fill_kind kind;
	u64 dont_wake;
	u64 wp; /* 0: no such mode */
} range_fills[] = {
	{ UFFDIO_ZEROPAGE, FILL_ZERO, UFFDIO_ZEROPAGE_MODE_DONTWAKE, 0 },
	{ UFFDIO_CONTINUE, FILL_CONTINUE, UFFDIO_CONTINUE_MODE_DONTWAKE, 1 << 1 },
	{ UFFDIO_POISON_CMD, FILL_POISON, 1 << 0, 0 },
};

static s64 ioctl_range_fill(struct uffd *u, const struct range_fill *r, hva_t arg)
{
	struct uffd_poison_args a; /* the layout of all three */
	struct uffd_fill f;

	if (copy_from_user(&a, arg, offsetof(struct uffd_poison_args, updated)))
		return -EFAULT;
	if (check_range(a.start, a.len) || (a.mode & ~(r->dont_wake | r->wp)))
		return -EINVAL;
	f = (struct uffd_fill){
		.kind = r->kind,
		.start = a.start,
		.len = a.len,
		.wp = a.mode & r->wp ? UFFD_PROTECT : UFFD_UNPROTECT,
	};
	arg.v += offsetof(struct uffd_poison_args, updated);
	return fill_and_tell(u, &f, a.mode & r->dont_wake ? FILL_WAKES_NOBODY : FILL_WAKES, arg);
}

s64 uffd_ioctl(struct file *file, u32 cmd, u64 arg)
{
	struct uffd *u = file->priv;

	if (cmd != UFFDIO_API && !uffd_is_ready(u))
		return -EINVAL;
	switch (cmd) {
	case UFFDIO_API: return ioctl_api(u, HVA(arg));
	case UFFDIO_REGISTER: return ioctl_register(u, HVA(arg));
	case UFFDIO_UNREGISTER: return ioctl_unregister(u, HVA(arg));
	case UFFDIO_WAKE: return ioctl_wake(u, HVA(arg));
	case UFFDIO_WRITEPROTECT: return ioctl_write_protect(u, HVA(arg));
	case UFFDIO_COPY: return ioctl_copy(u, HVA(arg));
	}
	for (size_t i = 0; i < ARRAY_SIZE(range_fills); i++) {
		if (range_fills[i].cmd == cmd)
			return ioctl_range_fill(u, &range_fills[i], HVA(arg));
	}
	return -EINVAL;
}
