/* SPDX-License-Identifier: Apache-2.0 */
/* What to do with the entry that is there: a const table, indexed by class and permissions. */
#include "engine/settle.h"

const u8 settle_table[ENTRY_CLASSES][PERMS_CLASSES] = {
	[ENTRY_EMPTY] = { [PERMS_ENOUGH] = SETTLE_INSTALL, [PERMS_MISSING] = SETTLE_INSTALL },
	[ENTRY_BUSY] = { [PERMS_ENOUGH] = SETTLE_RETRY, [PERMS_MISSING] = SETTLE_RETRY },
	[ENTRY_TABLE] = { [PERMS_ENOUGH] = SETTLE_COLLAPSE, [PERMS_MISSING] = SETTLE_COLLAPSE },
	[ENTRY_SAME] = { [PERMS_ENOUGH] = SETTLE_KEEP, [PERMS_MISSING] = SETTLE_RELAX },
	[ENTRY_OTHER] = { [PERMS_ENOUGH] = SETTLE_REPLACE, [PERMS_MISSING] = SETTLE_REPLACE },
	/* Permissions are those of the page; giving them to a larger leaf would reach its
	   neighbours. */
	[ENTRY_LARGER] = { [PERMS_ENOUGH] = SETTLE_KEEP, [PERMS_MISSING] = SETTLE_SPLIT },
	[ENTRY_LARGER_OTHER] = { [PERMS_ENOUGH] = SETTLE_BREAK, [PERMS_MISSING] = SETTLE_BREAK },
};
