/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For owners of mappings: drivers of device memory, the store of pages, KVM's own files. An owner
 * implements file_ops.mmap, where it sets the VMA's flags, prot_type and ops (struct vma_ops:
 * fault, pfn_mkwrite, open, close), and maps by the calls below, there or in its fault handler.
 *
 * The leaf decides what a guest gets, whenever it was made (design.md M1). Memory that is no RAM
 * has no struct page: it is never counted, copied or touched here (PFNMAP is opaque); user copies
 * reach it through the program's own mapping only.
 *
 * Flags, as in Linux: VM_PFNMAP (leaves without pages), VM_MIXEDMAP (with and without), VM_IO (may
 * have side effects), VM_DONTEXPAND (mremap does not grow it: EFAULT), VM_DONTDUMP, and
 * VM_ALLOW_ANY_UNCACHED (guests may use any type but write-back, M5). A VMA that an owner has
 * given ops, or any of the first four, is never merged with another.
 */
#ifndef HOST_DRIVER_H
#define HOST_DRIVER_H

#include "host/mm.h"

/*
 * Maps @page (its reference is taken over, also on failure) at @addr by a leaf of its order's
 * level and the VMA's prot_type. 0, -EINVAL (does not fit), -EBUSY (something else is there),
 * -ENOMEM. mm->lock at least for reading, as for all below.
 */
int vma_insert_page(struct vma *vma, hva_t addr, struct page *page, enum host_access access);

/*
 * Maps @size bytes of physical memory from @pa at @addr with @type, by the largest aligned leaves
 * up to @max_level. Leaves are writable if @access is HOST_WRITE and the VMA is shared and
 * writable: with HOST_READ a write asks the owner (pfn_mkwrite) first. A leaf that maps the same
 * already is widened. 0, -EINVAL, -EBUSY, -ENOMEM; what was mapped before an error stays.
 */
int vma_insert_pfn(struct vma *vma, hva_t addr, pa_t pa, u64 size, enum host_memtype type,
		   enum host_access access, int max_level);

/*
 * The same for one leaf around @addr, which maps to @pa: the largest up to @max_level that lies in
 * the VMA, is aligned on both sides and meets no leaf that is there (nor empty
 * tables of more than one level). The owner vouches that all of
 * it is its own. 0, -EINVAL, -EBUSY (a leaf that maps something else), -ENOMEM.
 */
int vma_insert_block(struct vma *vma, hva_t addr, pa_t pa, enum host_memtype type,
		     enum host_access access, int max_level);

/* Sets VM_PFNMAP in a fault handler, under mm->lock held for reading. */
void vma_mark_pfnmap(struct vma *vma);

/* Unmaps [@start, @end) of the VMA's leaves, notifiers first (revoke, truncate, hole punch). */
void vma_zap(struct vma *vma, hva_t start, hva_t end);

/* What vma_retype() maps. */
struct pfn_range {
	hva_t addr;
	u64 size;
	pa_t pa;
	enum host_access access;
	int max_level;
};

/*
 * Replaces what @range maps by leaves of @type, within one notification: nobody goes on with the
 * old type, and nobody sees the new one before the old has gone (design.md M13). mm->lock for
 * writing. 0; -EINVAL, -ENOMEM: nothing is changed, or the range is unmapped and will fault.
 */
int vma_retype(struct vma *vma, const struct pfn_range *range, enum host_memtype type);

#endif
