/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine asks of the host memory behind a VM. The caller of guest_mem_init() supplies it;
 * it is the only way the engine learns about host mappings.
 */
#ifndef ENGINE_HOST_OPS_H
#define ENGINE_HOST_OPS_H

#include "engine/err.h"
#include "engine/types.h"

enum mem_access { MEM_READ, MEM_WRITE, MEM_EXEC, MEM_ACCESS_COUNT };

/* The memory type a host leaf gives. */
enum mem_type { MEM_WB, MEM_NC, MEM_DEVICE, MEM_TYPE_COUNT };

/* Can EL2 maintain the caches of a page by address? Known from the boot memory map alone. */
enum mem_reach { REACH_ALIAS, REACH_NONE, REACH_COUNT };

/* Does the driver allow any uncached type (VM_ALLOW_ANY_UNCACHED)? */
enum mem_owner { OWNER_TYPE_FIXED, OWNER_ANY_UNCACHED, OWNER_COUNT };

/* The live leaf of the host's table at one address (M1). */
struct host_leaf {
	pa_t pa; /* of the byte asked for */
	enum mem_type type;
	enum mem_reach reach;
	enum mem_owner owner;
	bool writable; /* the leaf, and the VMA does not veto */
	s8 level;      /* of the leaf: LEVEL_1G, LEVEL_2M or LEVEL_4K */
};

/* One VMA, clipped by nobody. */
struct host_area {
	hva_t start, end;
	enum mem_type type; /* declared; what the leaves say overrules it (M1) */
	enum mem_owner owner;
	bool special;  /* may hold leaves that are not plain RAM: PFNMAP, MIXEDMAP, IO */
	bool writable; /* VM_WRITE, or could be mprotect()ed: a plain read-only VMA is false */
};

struct host_ops {
	/*
	 * Reads the live leaf at @hva, type, owner and permission included, in one critical section
	 * under the host's page-table lock. Does not fault and does not sleep for long.
	 * 0; ERR_NOENT: a VMA, but no leaf, nor any in the block of @out->level around @hva, if
	 * that is set (LEVEL_1G at the most); ERR_FAULT: no VMA; ERR_HWPOISON.
	 */
	int (*leaf)(void *host, hva_t hva, struct host_leaf *out);
	/*
	 * Serves a host fault at @hva, also on a present leaf that lacks the permission (M14): the
	 * owner is asked. May sleep; fires notifiers. 0: worth reading the leaf again; ERR_FAULT:
	 * no VMA or not allowed; ERR_BADF: the file that gave the memory is closed; ERR_NOMEM;
	 * ERR_INTR: a signal; ERR_HWPOISON; ERR_AGAIN.
	 */
	int (*fault)(void *host, hva_t hva, enum mem_access access);
	/*
	 * The first VMA that ends after @hva and starts before @end; the caller holds the mm lock.
	 * 0 or ERR_NOENT.
	 */
	int (*area)(void *host, hva_t hva, hva_t end, struct host_area *out);
};

#endif
