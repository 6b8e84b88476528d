/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random lives: a seed makes a machine and then a long sequence of operations of hosts, VMMs and
 * guests, one after the other and several at once, under the oracle. The same seed makes the same
 * life.
 */
#ifndef CHECK_SIMULATE_H
#define CHECK_SIMULATE_H

#include <stdio.h>

#include "check/world.h"

/* X(name): kinds of operations, each a fair share of a life. */
#define LIFE_KINDS(X)                                                                              \
	X(guest_read)                                                                              \
	X(guest_write)                                                                             \
	X(guest_fetch)                                                                             \
	X(guest_walk)                                                                              \
	X(guest_maintenance)                                                                       \
	X(host_unmap)                                                                              \
	X(host_protect)                                                                            \
	X(host_retype)                                                                             \
	X(host_migrate)                                                                            \
	X(host_age)                                                                                \
	X(slot_delete)                                                                             \
	X(slot_set)                                                                                \
	X(dirty_log)                                                                               \
	X(prefault)                                                                                \
	X(split)                                                                                   \
	X(vm_end)

enum life_kind {
#define X(name) LIFE_##name,
	LIFE_KINDS(X)
#undef X
		LIFE_KIND_COUNT,
};

struct life_report {
	u64 counted[LIFE_KIND_COUNT]; /* operations that touched at least one descriptor */
	u64 tried;
	u64 together; /* phases of several actors */
	bool stopped;
};

/* One life of @operations counted operations. @cpu: facts laid over those the seed chooses, or
 * NULL. @out: what stopped it, if anything did. */
struct life_report life_run(u64 seed, u64 operations, const char *cpu, FILE *out);
/* Gives back what lives keep for the next one. */
void life_end(void);

#endif
