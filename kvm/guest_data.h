/* SPDX-License-Identifier: Apache-2.0 */
/* Guest memory as the kernel itself reads and writes it: tables of the ITS, steal time. */
#ifndef KVM_GUEST_DATA_H
#define KVM_GUEST_DATA_H

#include "engine/dirty_ring.h"
#include "kvm/memory.h"

/* Through the mapping of the program that made the VM, which calls. 0, or -EFAULT: no slot, a
 * read-only one (write), or nothing behind it. No spin lock held; may sleep. */
int guest_data_read(struct vm_memory *m, u64 ipa, void *to, size_t n);
/* What is written is in the dirty bitmap. */
int guest_data_write(struct vm_memory *m, u64 ipa, const void *from, size_t n);
/* A write on behalf of the vCPU whose thread calls: if dirty rings are on, it is told in its @ring.
 * At most DIRTY_RING_RESERVED pages before the ring is looked at again. */
int guest_data_write_by(struct vm_memory *m, struct dirty_ring *ring, u64 ipa, const void *from,
			size_t n);

#endif
