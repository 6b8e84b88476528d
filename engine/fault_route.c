/* SPDX-License-Identifier: Apache-2.0 */
/* Fault path, stage 2: which kind of thing is behind the address (M12, M15). */
#include "engine/fault.h"

static struct fault_route route(enum route_kind kind, enum reason why)
{
	return (struct fault_route){ .kind = kind, .why = why };
}

static struct fault_route route_inject(enum inject_kind inject, enum reason why)
{
	return (struct fault_route){ .kind = ROUTE_INJECT, .inject = inject, .why = why };
}

static struct fault_route route_beyond(const struct fault_req *req)
{
	return route_inject(req->is_fetch ? INJECT_SEA_FETCH : INJECT_SEA_DATA, WHY_BEYOND_IPA);
}

/* No slot, or a write to a read-only one. */
static struct fault_route route_outside(const struct fault_req *req, const struct slot_view *slot)
{
	if (req->is_walk)
		return route_inject(req->is_fetch ? INJECT_SEA_FETCH : INJECT_SEA_DATA,
				    WHY_WALK_NO_SLOT);
	if (req->is_fetch)
		return route_inject(INJECT_SEA_FETCH, WHY_FETCH_NO_SLOT);
	if (req->is_cmo)
		return route(ROUTE_SKIP, WHY_CMO_NO_SLOT);
	if (!req->has_syndrome)
		return route(ROUTE_NO_SYNDROME, WHY_NO_SYNDROME);
	return route(ROUTE_MMIO, slot ? WHY_RO_SLOT_WRITE : WHY_NO_SLOT);
}

/* A permission fault of maintenance on a read-only slot: DC IVAC. */
static struct fault_route route_ivac(enum ivac_policy policy)
{
	if (policy == IVAC_INJECT)
		return route_inject(INJECT_SEA_DATA, WHY_CMO_IVAC_RO);
	return route(ROUTE_PERFORM_CMO, WHY_CMO_IVAC_UPGRADED);
}

struct fault_route fault_route(const struct fault_req *req, const struct slot_view *slot,
			       const struct vm_facts *vm)
{
	bool read_only = slot && (slot->flags & SLOT_READONLY);

	if (req->kind == FAULT_UNSUPPORTED || req->kind == FAULT_EXTERNAL)
		return route(ROUTE_UNSUPPORTED, WHY_UNSUPPORTED_FAULT);
	if (req->kind == FAULT_TLB_CONFLICT)
		return route(ROUTE_FLUSH, WHY_TLB_CONFLICT);
	if (req->ipa.v >> vm->ipa_bits)
		return route_beyond(req);
	if (read_only && req->is_cmo && req->access == MEM_WRITE)
		return route_ivac(vm->ivac);
	if (!slot || (read_only && req->access == MEM_WRITE))
		return route_outside(req, slot);
	if (req->kind == FAULT_EXCLUSIVE)
		return route_inject(INJECT_EXCLUSIVE, WHY_EXCLUSIVE);
	if (req->kind == FAULT_ACCESS_FLAG)
		return route(ROUTE_YOUNG, WHY_AGED);
	return route(ROUTE_RAM, WHY_NONE);
}
