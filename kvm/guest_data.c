/* SPDX-License-Identifier: Apache-2.0 */
/* Guest memory as the kernel itself reads and writes it. */
#include "kvm/guest_data.h"

#include "host/err.h"

/* As much of @n bytes as lies in @ipa's page. */
static size_t in_page(u64 ipa, size_t n)
{
	return min(n, (size_t)(PAGE_SIZE - ipa % PAGE_SIZE));
}

int guest_data_read(struct vm_memory *m, u64 ipa, void *to, size_t n)
{
	char *at = to;

	while (n) {
		size_t part = in_page(ipa, n);
		struct slot_view slot;

		if (!slot_look_up(&m->guest.slots, ipa >> PAGE_SHIFT, &slot) ||
		    copy_from_user(at, HVA(slot_hva_of(&slot, IPA(ipa))), part))
			return -EFAULT;
		at += part;
		ipa += part;
		n -= part;
	}
	return 0;
}

/* As faults tell it (engine/fault_commit.c). A full ring has places in reserve. */
static void tell_write(struct vm_memory *m, const struct slot_view *slot, struct dirty_ring *ring,
		       u64 gfn)
{
	if (!ring || !ring->size)
		dirty_mark(&m->guest, gfn);
	else if (slot->logging)
		dirty_ring_push(ring, slot->id, gfn - slot->gfn);
}

int guest_data_write_by(struct vm_memory *m, struct dirty_ring *ring, u64 ipa, const void *from,
			size_t n)
{
	const char *at = from;

	while (n) {
		size_t part = in_page(ipa, n);
		struct slot_view slot;

		if (!slot_look_up(&m->guest.slots, ipa >> PAGE_SHIFT, &slot) ||
		    (slot.flags & SLOT_READONLY) ||
		    copy_to_user(HVA(slot_hva_of(&slot, IPA(ipa))), at, part))
			return -EFAULT;
		tell_write(m, &slot, ring, ipa >> PAGE_SHIFT);
		at += part;
		ipa += part;
		n -= part;
	}
	return 0;
}

int guest_data_write(struct vm_memory *m, u64 ipa, const void *from, size_t n)
{
	return guest_data_write_by(m, NULL, ipa, from, n);
}
