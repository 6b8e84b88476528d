/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault path, stage 2: which kind of thing is behind the address (M12, M15). Const tables: by the
 * kind of fault where memory is, else by place and by who accesses.
 */
#include "engine/fault.h"

enum route_row {
	ROW_RAM,
	ROW_YOUNG,
	ROW_EXCLUSIVE,
	ROW_FLUSH,
	ROW_UNSUPPORTED,
	ROW_BEYOND,
	ROW_BEYOND_FETCH,
	ROW_MMIO,
	ROW_MMIO_READ_ONLY,
	ROW_NO_SYNDROME,
	ROW_FETCH,
	ROW_WALK,
	ROW_WALK_OF_FETCH,
	ROW_CMO,
	ROW_IVAC, /* by the VM's enum ivac_policy: this row and the next */
	ROW_IVAC_UPGRADED,
	ROWS,
};

static const struct fault_route rows[ROWS] = {
	[ROW_RAM] = { ROUTE_RAM, .why = WHY_NONE },
	[ROW_YOUNG] = { ROUTE_YOUNG, .why = WHY_AGED },
	[ROW_EXCLUSIVE] = { ROUTE_INJECT, INJECT_EXCLUSIVE, WHY_EXCLUSIVE },
	[ROW_FLUSH] = { ROUTE_FLUSH, .why = WHY_TLB_CONFLICT },
	[ROW_UNSUPPORTED] = { ROUTE_UNSUPPORTED, .why = WHY_UNSUPPORTED_FAULT },
	[ROW_BEYOND] = { ROUTE_INJECT, INJECT_SEA_DATA, WHY_BEYOND_IPA },
	[ROW_BEYOND_FETCH] = { ROUTE_INJECT, INJECT_SEA_FETCH, WHY_BEYOND_IPA },
	[ROW_MMIO] = { ROUTE_MMIO, .why = WHY_NO_SLOT },
	[ROW_MMIO_READ_ONLY] = { ROUTE_MMIO, .why = WHY_RO_SLOT_WRITE },
	[ROW_NO_SYNDROME] = { ROUTE_NO_SYNDROME, .why = WHY_NO_SYNDROME },
	[ROW_FETCH] = { ROUTE_INJECT, INJECT_SEA_FETCH, WHY_FETCH_NO_SLOT },
	[ROW_WALK] = { ROUTE_INJECT, INJECT_SEA_DATA, WHY_WALK_NO_SLOT },
	[ROW_WALK_OF_FETCH] = { ROUTE_INJECT, INJECT_SEA_FETCH, WHY_WALK_NO_SLOT },
	[ROW_CMO] = { ROUTE_SKIP, .why = WHY_CMO_NO_SLOT },
	[ROW_IVAC] = { ROUTE_INJECT, INJECT_SEA_DATA, WHY_CMO_IVAC_RO },
	[ROW_IVAC_UPGRADED] = { ROUTE_PERFORM_CMO, .why = WHY_CMO_IVAC_UPGRADED },
};

_Static_assert((int)IVAC_INJECT == 0 && (int)IVAC_UPGRADE == 1, "two rows, in this order");

/* Where memory is. */
static const u8 by_kind[FAULT_KINDS] = {
	[FAULT_UNSUPPORTED] = ROW_UNSUPPORTED, [FAULT_TRANSLATION] = ROW_RAM,
	[FAULT_PERMISSION] = ROW_RAM,	       [FAULT_ACCESS_FLAG] = ROW_YOUNG,
	[FAULT_EXCLUSIVE] = ROW_EXCLUSIVE,     [FAULT_EXTERNAL] = ROW_UNSUPPORTED,
	[FAULT_TLB_CONFLICT] = ROW_FLUSH,
};

/* These are the same everywhere; their address may not even be known. */
static const bool anywhere[FAULT_KINDS] = {
	[FAULT_UNSUPPORTED] = true,
	[FAULT_EXTERNAL] = true,
	[FAULT_TLB_CONFLICT] = true,
};

enum place { PLACE_MEMORY, PLACE_BEYOND, PLACE_NO_SLOT, PLACE_READ_ONLY, PLACES };

/* A write, if the slot is read-only. */
enum actor {
	ACTOR_DATA,
	ACTOR_UNKNOWN, /* a load or store whose syndrome is not valid */
	ACTOR_FETCH,
	ACTOR_WALK,
	ACTOR_WALK_OF_FETCH,
	ACTOR_CMO, /* that lacks permission, if the slot is read-only: DC IVAC */
	ACTORS,
};

#define PLACE(data, unknown, fetch, walk, walk_of_fetch, cmo)                                      \
	{                                                                                          \
		[ACTOR_DATA] = ROW_##data, [ACTOR_UNKNOWN] = ROW_##unknown,                        \
		[ACTOR_FETCH] = ROW_##fetch, [ACTOR_WALK] = ROW_##walk,                            \
		[ACTOR_WALK_OF_FETCH] = ROW_##walk_of_fetch, [ACTOR_CMO] = ROW_##cmo               \
	}

/* PLACE_MEMORY is by_kind's. */
static const u8 outside[PLACES][ACTORS] = {
	[PLACE_BEYOND] = PLACE(BEYOND, BEYOND, BEYOND_FETCH, BEYOND, BEYOND_FETCH, BEYOND),
	[PLACE_NO_SLOT] = PLACE(MMIO, NO_SYNDROME, FETCH, WALK, WALK_OF_FETCH, CMO),
	[PLACE_READ_ONLY] = PLACE(MMIO_READ_ONLY, NO_SYNDROME, FETCH, WALK, WALK_OF_FETCH, IVAC),
};

static enum place place_of(const struct fault_req *req, const struct slot_view *slot,
			   const struct vm_facts *vm)
{
	if (req->ipa.v >> vm->ipa_bits)
		return PLACE_BEYOND;
	if (!slot)
		return PLACE_NO_SLOT;
	if ((slot->flags & SLOT_READONLY) && req->access == MEM_WRITE)
		return PLACE_READ_ONLY;
	return PLACE_MEMORY;
}

static enum actor actor_of(const struct fault_req *req)
{
	if (req->is_walk)
		return req->is_fetch ? ACTOR_WALK_OF_FETCH : ACTOR_WALK;
	if (req->is_fetch)
		return ACTOR_FETCH;
	if (req->is_cmo)
		return ACTOR_CMO;
	return req->has_syndrome ? ACTOR_DATA : ACTOR_UNKNOWN;
}

struct fault_route fault_route(const struct fault_req *req, const struct slot_view *slot,
			       const struct vm_facts *vm)
{
	enum place place = anywhere[req->kind] ? PLACE_MEMORY : place_of(req, slot, vm);
	unsigned int row = by_kind[req->kind];

	if (place != PLACE_MEMORY)
		row = outside[place][actor_of(req)];
	if (row == ROW_IVAC)
		row += vm->ivac;
	return rows[row];
}
