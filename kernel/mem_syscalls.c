/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls about memory; host/mm.h does the work. */
#include <asm/mman.h>

#include "host/mm.h"
#include "kernel/syscalls.h"
#include "kernel/thread.h"

/*
 * Locking: pages never leave memory, so all that is left of it is to bring them in. Private pages
 * that can be written come in as the program's own, as on Linux.
 */
static int access_to_populate(struct mm *mm, hva_t addr, enum host_access *access)
{
	struct vma *vma;
	int err = 0;

	mm_read_lock(mm);
	vma = vma_find(mm, addr);
	if (!vma)
		err = -ENOMEM;
	else
		*access =
			(vma->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE ? HOST_WRITE : HOST_READ;
	mm_read_unlock(mm);
	return err;
}

/* By VMAs: the range may be all of the address space. */
static int check_mapped(struct mm *mm, u64 start, u64 end)
{
	struct vma *vma;

	mm_read_lock(mm);
	while (start < end && (vma = vma_find(mm, HVA(start))))
		start = vma->end.v;
	mm_read_unlock(mm);
	return start < end ? -ENOMEM : 0;
}

static int populate(struct mm *mm, u64 start, u64 end)
{
	enum host_access access;

	for (u64 addr = start; addr < end; addr += PAGE_SIZE) {
		int err = access_to_populate(mm, HVA(addr), &access);

		if (err)
			return err;
		switch (mm_fault(mm, HVA(addr), access)) {
		case FAULT_OK: break;
		case FAULT_INTR: return -EINTR;
		case FAULT_OOM: return -EAGAIN;
		default: return -ENOMEM;
		}
		if (__atomic_load_n(&current_process()->exiting, __ATOMIC_RELAXED))
			return -EINTR;
		sched_point();
	}
	return 0;
}

/* A driver's mapping is not filled because all memory is to be there: nobody asked for it (M9). */
static bool is_a_drivers(const struct vma *vma)
{
	return vma->flags & (VM_PFNMAP | VM_IO);
}

static bool may_be_populated(struct mm *mm, u64 start)
{
	struct vma *vma;
	bool may;

	mm_read_lock(mm);
	vma = vma_find(mm, HVA(start));
	may = vma && !is_a_drivers(vma);
	mm_read_unlock(mm);
	return may;
}

/* Mappings to come are to be brought in, too (MCL_FUTURE); what cannot be is left to its first use.
 */
static void populate_if_locked(struct mm *mm, u64 start, u64 end)
{
	if ((mm_lock_flags(mm) & (MCL_FUTURE | MCL_ONFAULT)) == MCL_FUTURE &&
	    may_be_populated(mm, start))
		(void)populate(mm, start, end);
}

s64 sys_mmap(const u64 a[6])
{
	int prot = (int)a[2], flags = (int)a[3];
	struct file *file = NULL;
	s64 ret;

	if (a[5] % PAGE_SIZE)
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS)) {
		file = fd_get(current_files(), (int)a[4]);
		if (!file)
			return -EBADF;
	}
	ret = mm_mmap(current_mm(), a[0], a[1], prot, flags, file, a[5]);
	if (file)
		file_put(file);
	if (ret >= 0)
		populate_if_locked(current_mm(), (u64)ret, (u64)ret + ALIGN_UP(a[1], PAGE_SIZE));
	return ret;
}

s64 sys_munmap(const u64 a[6])
{
	return mm_munmap(current_mm(), a[0], a[1]);
}

s64 sys_mprotect(const u64 a[6])
{
	return mm_mprotect(current_mm(), a[0], a[1], (int)a[2]);
}

s64 sys_madvise(const u64 a[6])
{
	return mm_madvise(current_mm(), a[0], a[1], (int)a[2]);
}

s64 sys_brk(const u64 a[6])
{
	struct mm *mm = current_mm();
	u64 old;
	s64 brk;

	if (!mm_lock_flags(mm))
		return mm_brk(mm, a[0]);
	old = (u64)mm_brk(mm, 0);
	brk = mm_brk(mm, a[0]);
	populate_if_locked(mm, ALIGN_UP(old, PAGE_SIZE), (u64)brk);
	return brk;
}

s64 sys_mremap(const u64 a[6])
{
	s64 addr = mm_mremap(current_mm(), a[0], a[1], a[2], (int)a[3], a[4]);

	if (addr >= 0)
		populate_if_locked(current_mm(), (u64)addr + ALIGN_UP(a[1], PAGE_SIZE),
				   (u64)addr + ALIGN_UP(a[2], PAGE_SIZE));
	return addr;
}

s64 sys_msync(const u64 a[6])
{
	return mm_msync(current_mm(), a[0], a[1], (int)a[2]);
}

s64 sys_mincore(const u64 a[6])
{
	return mm_mincore(current_mm(), a[0], a[1], HVA(a[2]));
}

/* Rounds out to pages; -EINVAL when the range wraps. */
static int page_range(u64 addr, u64 len, u64 *start, u64 *end)
{
	*start = ALIGN_DOWN(addr, PAGE_SIZE);
	*end = ALIGN_UP(addr + len, PAGE_SIZE);
	return addr + len < addr || *end < *start ? -EINVAL : 0;
}

s64 sys_mlock2(const u64 a[6])
{
	u64 start, end;
	int err;

	if ((int)a[2] & ~MLOCK_ONFAULT)
		return -EINVAL;
	err = page_range(a[0], a[1], &start, &end);
	if (err)
		return err;
	return (int)a[2] & MLOCK_ONFAULT ? check_mapped(current_mm(), start, end)
					 : populate(current_mm(), start, end);
}

s64 sys_mlock(const u64 a[6])
{
	const u64 args[6] = { a[0], a[1], 0 };

	return sys_mlock2(args);
}

s64 sys_munlock(const u64 a[6])
{
	u64 start, end;
	int err = page_range(a[0], a[1], &start, &end);

	return err ? err : check_mapped(current_mm(), start, end);
}

/* What there is of the address space, as far as it can be brought in. */
static void populate_all(struct mm *mm)
{
	u64 start = 0, end = 0;

	for (;;) {
		struct vma *vma;

		mm_read_lock(mm);
		vma = vma_first_after(mm, HVA(end));
		if (vma) {
			end = vma->end.v;
			start = is_a_drivers(vma) ? end : vma->start.v;
		}
		mm_read_unlock(mm);
		if (!vma || populate(mm, start, end) == -EINTR)
			return;
	}
}

s64 sys_mlockall(const u64 a[6])
{
	int flags = (int)a[0];

	if (!flags || flags == MCL_ONFAULT || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		return -EINVAL;
	mm_set_lock_flags(current_mm(), (u32)flags);
	if ((flags & (MCL_CURRENT | MCL_ONFAULT)) == MCL_CURRENT)
		populate_all(current_mm());
	return 0;
}

s64 sys_munlockall(const u64 a[6])
{
	(void)a;
	mm_set_lock_flags(current_mm(), 0);
	return 0;
}
