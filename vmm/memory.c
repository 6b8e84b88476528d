/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/memory.h"

const struct guest_region *guest_memory_overlap(const struct guest_memory *memory, uint64_t ipa,
						uint64_t size)
{
	for (unsigned int i = 0; i < memory->count; i++) {
		const struct guest_region *r = &memory->regions[i];

		if (ipa < r->ipa ? r->ipa - ipa < size : ipa - r->ipa < r->size)
			return r;
	}
	return NULL;
}

void guest_memory_add(struct guest_memory *memory, uint64_t ipa, uint64_t size, char *host)
{
	memory->regions[memory->count++] = (struct guest_region){ ipa, size, host };
}

void *guest_at(const struct guest_memory *memory, uint64_t ipa, uint64_t size)
{
	for (unsigned int i = 0; i < memory->count; i++) {
		const struct guest_region *r = &memory->regions[i];
		uint64_t offset = ipa - r->ipa;

		if (ipa < r->ipa || offset >= r->size)
			continue;
		return size && size <= r->size - offset ? r->host + offset : NULL;
	}
	return NULL;
}
