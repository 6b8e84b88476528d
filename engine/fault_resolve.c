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

/* What was known before the host fault failed. */
enum was { WAS_ABSENT, WAS_READ_ONLY, WAS_READ_ONLY_SPECIAL, WAS_TO_BE_READ };

static enum reason why_of(int error, enum was was)
{
	static const u8 refused[] = {
		[WAS_ABSENT] = WHY_NO_VMA,
		[WAS_READ_ONLY] = WHY_NOT_WRITABLE,
		[WAS_READ_ONLY_SPECIAL] = WHY_OWNER_REFUSED_WRITE,
		[WAS_TO_BE_READ] = WHY_NO_VMA,
	};

	switch (error) {
	case ERR_NOMEM: return WHY_HOST_NOMEM;
	case ERR_INTR: return WHY_HOST_SIGNAL;
	case ERR_HWPOISON: return WHY_HOST_POISON;
	case ERR_AGAIN: return WHY_RACED;
	case ERR_PERM: return was == WAS_TO_BE_READ ? WHY_NOT_READABLE : WHY_NOT_WRITABLE;
	case ERR_BADF: return WHY_GMEM_CLOSED;
	default: return (enum reason)refused[was];
	}
}

static void fail(struct fault_backing *out, int error, enum was was)
{
	out->error = error == ERR_PERM || error == ERR_BADF ? ERR_FAULT : error;
	out->why = why_of(error, was);
}

static enum was was_of(int error, const struct host_leaf *leaf)
{
	if (error != ERR_OK)
		return WAS_ABSENT;
	return leaf->reach == REACH_NONE ? WAS_READ_ONLY_SPECIAL : WAS_READ_ONLY;
}

void fault_host_refused(struct fault_backing *out, int error, const struct host_leaf *leaf)
{
	fail(out, error, leaf ? was_of(ERR_OK, leaf) : WAS_ABSENT);
}

/* What the host has now: its leaf may have come read-only, and its owner said no to more. */
static enum was was_when_refused(struct guest_mem *m, hva_t hva, enum mem_access access,
				 struct host_leaf *leaf)
{
	if (access == MEM_READ)
		return WAS_TO_BE_READ;
	return was_of(m->host_ops->leaf(m->host, hva, leaf), leaf);
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
			fail(out, error, WAS_ABSENT);
			return;
		}
		stat_inc(&m->s2, STAT_host_fault);
		error = m->host_ops->fault(m->host, hva, access);
		if (error != ERR_OK && error != ERR_AGAIN) {
			fail(out, error, was_when_refused(m, hva, access, &out->leaf));
			return;
		}
	}
	fail(out, ERR_AGAIN, WAS_ABSENT);
}

void fault_resolve_present(struct guest_mem *m, ipa_t ipa, const struct slot_view *slot,
			   struct fault_backing *out)
{
	int error;

	out->sample = invalidate_sample(&m->inv);
	error = m->host_ops->leaf(m->host, HVA(slot_hva_of(slot, ipa)), &out->leaf);
	out->error = error;
	out->why = error == ERR_NOENT ? WHY_NOT_PRESENT : why_of(error, WAS_ABSENT);
	if (error == ERR_OK)
		out->why = WHY_NONE;
}
