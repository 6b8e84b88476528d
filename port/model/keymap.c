/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing; a slot of an older generation is free, so that forgetting all costs nothing. */
#include "port/model/keymap.h"

#include <stdlib.h>
#include <string.h>

static u32 slot_of(const struct keymap *k, u64 key)
{
	u32 i = (u32)(key * 0x9e3779b97f4a7c15UL >> 32) & (k->size - 1);

	while (k->slot[i].generation == k->generation && k->slot[i].key != key)
		i = (i + 1) & (k->size - 1);
	return i;
}

u32 keymap_find(const struct keymap *k, u64 key)
{
	u32 i;

	if (!k->used)
		return KEYMAP_NONE;
	i = slot_of(k, key);
	return k->slot[i].generation == k->generation ? k->slot[i].index : KEYMAP_NONE;
}

static void grow_slots(struct keymap *k)
{
	struct keymap old = *k;

	k->size = old.size ? 2 * old.size : 64;
	k->generation = 1;
	k->slot = calloc(k->size, sizeof(*k->slot));
	if (!k->slot)
		abort();
	for (u32 i = 0; i < old.size; i++) {
		struct keymap_slot s = old.slot[i];

		if (s.generation != old.generation)
			continue;
		s.generation = 1;
		k->slot[slot_of(k, s.key)] = s;
	}
	free(old.slot);
}

static void grow_array(struct keymap *k, void *array, size_t size)
{
	void *mem;

	memcpy(&mem, array, sizeof(mem));
	k->room = k->room ? 2 * k->room : 64;
	mem = realloc(mem, k->room * size);
	if (!mem)
		abort();
	memcpy(array, &mem, sizeof(mem));
}

u32 keymap_add(struct keymap *k, u64 key, void *array, size_t size)
{
	if (2 * (k->used + 1) > k->size)
		grow_slots(k);
	if (k->used == k->room)
		grow_array(k, array, size);
	k->slot[slot_of(k, key)] = (struct keymap_slot){ key, k->generation, k->used };
	return k->used++;
}

void keymap_reset(struct keymap *k)
{
	k->used = 0;
	if (++k->generation == 0) {
		k->generation = 1;
		if (k->slot)
			memset(k->slot, 0, k->size * sizeof(*k->slot));
	}
}

void keymap_delete(struct keymap *k)
{
	free(k->slot);
	*k = (struct keymap){ 0 };
}
