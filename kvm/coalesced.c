/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Coalesced MMIO: writes to registered zones go into a ring that user space reads when it likes,
 * without an exit each. The ring is shared with user space, which may write anything into it.
 */
#include "host/page.h"
#include "host/string.h"
#include "kvm/vm.h"

#define RING_SLOTS                                                                                 \
	((PAGE_SIZE - sizeof(struct kvm_coalesced_mmio_ring)) / sizeof(struct kvm_coalesced_mmio))

int coalesced_init(struct vm *vm)
{
	vm->coalesced_page = page_alloc(0, PAGE_ZEROED);
	return vm->coalesced_page ? 0 : -ENOMEM;
}

void coalesced_destroy(struct vm *vm)
{
	page_put(vm->coalesced_page);
}

static bool zone_is_same(const struct kvm_coalesced_mmio_zone *a,
			 const struct kvm_coalesced_mmio_zone *b)
{
	return a->addr == b->addr && a->size == b->size && a->pio == b->pio;
}

int coalesced_register(struct vm *vm, hva_t arg)
{
	struct kvm_coalesced_mmio_zone zone;
	int error = 0;

	if (copy_from_user(&zone, arg, sizeof(zone)))
		return -EFAULT;
	if (zone.pio > 1)
		return -EINVAL;
	spin_lock(&vm->coalesced_lock);
	if (vm->zone_count == COALESCED_ZONES_MAX)
		error = -ENOSPC;
	else
		vm->zones[vm->zone_count++] = zone;
	spin_unlock(&vm->coalesced_lock);
	return error;
}

int coalesced_unregister(struct vm *vm, hva_t arg)
{
	struct kvm_coalesced_mmio_zone zone;

	if (copy_from_user(&zone, arg, sizeof(zone)))
		return -EFAULT;
	if (zone.pio > 1)
		return -EINVAL;
	spin_lock(&vm->coalesced_lock);
	for (u32 i = 0; i < vm->zone_count; i++) {
		if (zone_is_same(&vm->zones[i], &zone))
			vm->zones[i--] = vm->zones[--vm->zone_count];
	}
	spin_unlock(&vm->coalesced_lock);
	return 0;
}

static bool zone_holds(const struct vm *vm, u64 addr, unsigned int len)
{
	for (u32 i = 0; i < vm->zone_count; i++) {
		const struct kvm_coalesced_mmio_zone *z = &vm->zones[i];

		if (!z->pio && addr >= z->addr && len <= z->size && addr - z->addr <= z->size - len)
			return true;
	}
	return false;
}

/* Appends one write; false if the ring is full or user space has spoilt it. */
static bool ring_put(struct kvm_coalesced_mmio_ring *ring, u64 addr, unsigned int len,
		     const void *data)
{
	u32 last = __atomic_load_n(&ring->last, __ATOMIC_RELAXED);
	u32 first = __atomic_load_n(&ring->first, __ATOMIC_ACQUIRE);
	struct kvm_coalesced_mmio *entry;

	if (last >= RING_SLOTS || (last + 1) % RING_SLOTS == first)
		return false;
	entry = &ring->coalesced_mmio[last];
	entry->phys_addr = addr;
	entry->len = len;
	entry->pio = 0;
	memcpy(entry->data, data, len);
	__atomic_store_n(&ring->last, (last + 1) % RING_SLOTS, __ATOMIC_RELEASE);
	return true;
}

bool coalesced_write(struct vm *vm, ipa_t ipa, unsigned int len, const void *data)
{
	bool done = false;

	if (!__atomic_load_n(&vm->zone_count, __ATOMIC_RELAXED))
		return false;
	spin_lock(&vm->coalesced_lock);
	if (zone_holds(vm, ipa.v, len))
		done = ring_put(page_to_virt(vm->coalesced_page), ipa.v, len, data);
	spin_unlock(&vm->coalesced_lock);
	return done;
}
