/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest_memfd: memory that a file holds and a VM's slots show without a mapping of a program's in
 * between (KVM_CREATE_GUEST_MEMFD, KVM_MEM_GUEST_MEMFD).
 *
 * The engine knows such memory by host addresses as any other. A slot over a guest_memfd gets
 * addresses that no program can have, by its number; the host interface (kvm/memory.c) sends what
 * it is asked about them here. A hole that is punched, and the end of the file, are invalidations
 * of these addresses, by the same rules as a change of a program's mappings (M13).
 *
 * Locks: bindings change under the VM's slots lock, and under m->gmem_lock (spin), under which
 * faults look them up.
 */
#ifndef KVM_GUEST_MEMFD_H
#define KVM_GUEST_MEMFD_H

#include "engine/host_ops.h"
#include "engine/slot.h"

struct file;
struct guest_memfd;
struct vm_memory;

/* What guest_memfds of arm64 VMs may be asked for: all but private memory. */
#define GUEST_MEMFD_FLAGS (GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED)

/* Where the addresses begin, and how far two slots' are apart. */
#define GMEM_BASE   (1UL << 62)
#define GMEM_STRIDE (1UL << 44)

_Static_assert(SLOT_PAGES_MAX << PAGE_SHIFT < GMEM_STRIDE, "slots' addresses do not meet");
_Static_assert(SLOT_ID_MAX < GMEM_BASE / GMEM_STRIDE, "no address runs over");

static inline bool gmem_is_hva(u64 hva)
{
	return hva >= GMEM_BASE;
}

/* The address of slot @id's first byte. */
static inline hva_t gmem_hva(u32 id)
{
	return HVA(GMEM_BASE + id * GMEM_STRIDE);
}

/* What user space is told of an address: 0, for it has none. */
static inline u64 gmem_shown_hva(u64 hva)
{
	return gmem_is_hva(hva) ? 0 : hva;
}

/* KVM_CREATE_GUEST_MEMFD: a file of @size bytes, which holds the VM. -EINVAL, -ENOMEM. */
struct file *gmem_create(struct vm_memory *m, u64 size, u64 flags);

/* What a slot shows of a file. */
struct gmem_request {
	u32 slot;
	struct file *file; /* the caller's reference: its end takes the slots lock; NULL: none */
	u64 offset;
	u64 size;
};
/*
 * Binds a part of the file that @r names to the slot. Slots lock held. ERR_OK, or with a reason
 * ERR_BADF, ERR_INVAL (not a guest_memfd of this VM, beyond its end), ERR_EXIST (another slot shows
 * a part of it), ERR_NOMEM.
 */
struct slot_verdict gmem_bind(struct vm_memory *m, const struct gmem_request *r);
/* Can user space map what the slot shows? Slots lock held. */
bool gmem_is_shared(struct vm_memory *m, u32 slot);
/* The slot is gone, or was never made; nothing if it has no binding. Slots lock held. */
void gmem_unbind(struct vm_memory *m, u32 slot);
/* The VM ends: no file is left. */
void gmem_forget_all(struct vm_memory *m);

/* ---- struct host_ops for addresses that gmem_is_hva() */
int gmem_leaf(struct vm_memory *m, hva_t hva, struct host_leaf *out);
int gmem_fault(struct vm_memory *m, hva_t hva);
void gmem_area(hva_t hva, hva_t end, struct host_area *out);

#endif
