/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second pure function: a planned leaf meets the entry that is in the table, under the lock.
 * Its const table is indexed by what the entry is and whether permissions are missing.
 */
#ifndef ENGINE_SETTLE_H
#define ENGINE_SETTLE_H

#include "engine/types.h"

/* What the walk towards the planned level ended at. */
enum entry_class {
	ENTRY_EMPTY,  /* invalid, at the planned level or above it */
	ENTRY_BUSY,   /* being changed by another CPU, or awaiting the end of a range operation */
	ENTRY_TABLE,  /* a table where a block is planned */
	ENTRY_SAME,   /* a leaf of the planned level, output address and type */
	ENTRY_OTHER,  /* a leaf of the planned level with another output address or type */
	ENTRY_LARGER, /* a larger leaf that agrees with the plan */
	ENTRY_LARGER_OTHER, /* a larger leaf that does not */
	ENTRY_CLASSES,
};

enum entry_perms { PERMS_ENOUGH, PERMS_MISSING, PERMS_CLASSES };

enum settle {
	SETTLE_INSTALL,	 /* write the leaf over an invalid entry */
	SETTLE_RELAX,	 /* add permissions to the leaf */
	SETTLE_KEEP,	 /* nothing to do */
	SETTLE_REPLACE,	 /* break, invalidate, make */
	SETTLE_SPLIT,	 /* break the block, make a table of the same leaves, then go on inside */
	SETTLE_BREAK,	 /* break the larger leaf and leave it invalid; the guest faults again */
	SETTLE_COLLAPSE, /* break the table, make the block */
	SETTLE_RETRY,
	SETTLE_COUNT,
};

extern const u8 settle_table[ENTRY_CLASSES][PERMS_CLASSES]; /* enum settle */

static inline enum settle settle(enum entry_class entry, enum entry_perms perms)
{
	return (enum settle)settle_table[entry][perms];
}

#endif
