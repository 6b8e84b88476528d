/* SPDX-License-Identifier: Apache-2.0 */
/* Fault path, stage 3: what the host has at the address, after serving its fault (M1, M14). The
 * only stage that sleeps. */
#include "engine/fault.h"

/* The host changed under us this often: let the guest try again, and others run meanwhile. */
enum { RESOLVE_TRIES = 8 };

static bool suffices(const struct host_leaf *leaf, enum mem_access access)
{
	return access != MEM_WRITE || leaf->writable;
}

static enum reason why_of(int error, bool was_present)
{
	switch (error) {
	case ERR_NOMEM: return WHY_HOST_NOMEM;
	case ERR_INTR: return WHY_HOST_SIGNAL;
	case ERR_HWPOISON: return WHY_HOST_POISON;
	case ERR_AGAIN: return WHY_RACED;
	default: return was_present ? WHY_NOT_WRITABLE : WHY_NO_VMA;
	}
}

static void fail(struct fault_backing *out, int error, bool was_present)
{
	out->error = error;
	out->why = why_of(error, was_present);
	/* The leaf is there and the owner, asked, said no. */
	if (error == ERR_FAULT && was_present && out->leaf.reach == REACH_NONE)
		out->why = WHY_OWNER_REFUSED_WRITE;
}

void fault_resolve(struct guest_mem *m, const struct fault_req *req, const struct slot_view *slot,
		   struct fault_backing *out)
{
	hva_t hva = HVA(slot_hva_of(slot, req->ipa));
	enum mem_access access = req->access == MEM_WRITE ? MEM_WRITE : MEM_READ;

	for (int i = 0; i < RESOLVE_TRIES; i++) {
		int error;

		/* Sampled before the leaf is read: a change in between is seen by commit (M13). */
		out->sample = invalidate_sample(&m->inv);
		error = m->host_ops->leaf(m->host, hva, &out->leaf);
		if (error == ERR_OK && suffices(&out->leaf, access)) {
			out->error = ERR_OK;
			out->why = WHY_NONE;
			return;
		}
		if (error == ERR_HWPOISON) {
			fail(out, error, false);
			return;
		}
		stat_inc(&m->s2, STAT_host_fault);
		if (error != ERR_OK)
			out->leaf.reach = REACH_ALIAS;
		error = m->host_ops->fault(m->host, hva, access);
		if (error != ERR_OK && error != ERR_AGAIN) {
			fail(out, error, out->leaf.reach == REACH_NONE);
			return;
		}
	}
	fail(out, ERR_AGAIN, false);
}
