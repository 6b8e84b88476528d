/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of userfaultfd and the fault path share. */
#ifndef HOST_UFFD_IMPL_H
#define HOST_UFFD_IMPL_H

#include <linux/ioctl.h>
#include <linux/userfaultfd.h>

#include "host/mm_impl.h"
#include "host/uffd.h"

#define VM_UFFD (VM_UFFD_MISSING | VM_UFFD_WP | VM_UFFD_MINOR)

TAILQ_HEAD(uffd_waits, uffd_wait);

/* One fault that waits, on the stack of its thread. All but @wake is guarded by the uffd's lock. */
struct uffd_wait {
	TAILQ_ENTRY(uffd_wait) link;
	struct uffd_waits *queue; /* that it is in, or NULL */
	bool woken;		  /* written under the lock, read without */
	struct waitq wake;
	struct uffd_msg msg;
};

struct uffd {
	u32 refs;      /* atomic: the file's, and of each thread that waits */
	struct mm *mm; /* counted, immutable */
	enum uffd_serves serves;
	struct spinlock lock;
	u64 features; /* guarded by lock; once @ready, immutable */
	bool ready;   /* UFFDIO_API was there */
	bool closed;
	struct uffd_waits pending; /* not read yet */
	struct uffd_waits told;
	struct waitq readers;
};

static inline bool uffd_is_ready(const struct uffd *u)
{
	return __atomic_load_n(&u->ready, __ATOMIC_ACQUIRE);
}

static inline bool uffd_has_feature(const struct uffd *u, u64 feature)
{
	return uffd_is_ready(u) && (u->features & feature);
}

/* ---- host/uffd.c: waiting */

/* What a thread that faulted tells. */
struct uffd_fault {
	u64 addr;  /* as accessed */
	int error; /* -EUFFD_* */
	enum host_access access;
	enum fault_origin origin;
};
/* Whether it may wait at all. FAULT_OK, or the verdict of the fault. */
enum fault_verdict uffd_admit(const struct uffd *u, enum fault_origin origin);
/* Queues @w, under mm->lock, and counts the uffd for it. False, and not queued: it was closed. */
bool uffd_wait_begin(struct vma *vma, struct uffd_wait *w, const struct uffd_fault *f);
/* Sleeps until woken or until @origin's wait ends: 0 or -EINTR. No lock held. Afterwards, or
 * instead of it, uffd_wait_end(). */
int uffd_wait_sleep(struct uffd *u, struct uffd_wait *w, enum fault_origin origin);
void uffd_wait_end(struct uffd *u, struct uffd_wait *w);
/* Wakes who waits for a page in [start, end). */
void uffd_wake(struct uffd *u, u64 start, u64 end);

/* ---- host/uffd_range.c: VMAs. Ranges are checked: page aligned and not empty. */

/* @flags: of VM_UFFD. The ioctls that the range has in @ioctls. */
int uffd_register(struct uffd *u, u64 start, u64 end, u32 flags, u64 *ioctls);
int uffd_unregister(struct uffd *u, u64 start, u64 end);
/* All of its VMAs. */
void uffd_unregister_all(struct uffd *u);
/* A VMA that came by fork or mremap is nobody's. Under the write lock. */
void uffd_forget_vma(struct vma *vma);
enum uffd_wp { UFFD_PROTECT, UFFD_UNPROTECT };
int uffd_write_protect(struct uffd *u, u64 start, u64 end, enum uffd_wp what);

/* ---- host/uffd_fill.c: content */

enum uffd_fill_kind { FILL_COPY, FILL_ZERO, FILL_CONTINUE, FILL_POISON };
struct uffd_fill {
	enum uffd_fill_kind kind;
	u64 start, len;
	u64 src;	 /* of FILL_COPY, in the caller's memory */
	enum uffd_wp wp; /* UFFD_PROTECT: pages come write-protected */
};
/* Bytes done, or an error if none were. Sleeps; no lock held. */
s64 uffd_fill(struct uffd *u, const struct uffd_fill *f);

/* ---- host/uffd_ioctl.c */
s64 uffd_ioctl(struct file *f, u32 cmd, u64 arg);

#endif
