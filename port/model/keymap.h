/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map from numbers to the indices of a growing array, which its owner keeps: for sparse state
 * that is only added to, and forgotten all at once in constant time.
 */
#ifndef PORT_MODEL_KEYMAP_H
#define PORT_MODEL_KEYMAP_H

#include "engine/types.h"

struct keymap_slot {
	u64 key;
	u32 generation; /* another than the map's: free */
	u32 index;
};

struct keymap {
	struct keymap_slot *slot;
	u32 size; /* of slot; a power of 2 */
	u32 used;
	u32 room; /* of the owner's array */
	u32 generation;
};

#define KEYMAP_NONE (~0U)

/* The index of @key, or KEYMAP_NONE. */
u32 keymap_find(const struct keymap *k, u64 key);
/* Gives @key, which is not there, the next index. *@array, of elements of @size bytes, has room for
 * it afterwards; the element is what it was before. */
u32 keymap_add(struct keymap *k, u64 key, void *array, size_t size);
void keymap_reset(struct keymap *k);
void keymap_delete(struct keymap *k);

#endif
