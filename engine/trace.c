/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trace. A writer takes the next number, and with it an entry of the ring; it claims the entry
 * by exchanging its state, so that a writer who is a whole ring behind finds the entry newer than
 * its event, or in use, and drops the event. A reader copies and looks at the state again.
 *
 * state: number << 1, with bit 0 set while the entry is being written.
 */
#include "engine/trace.h"

#define STATE_WRITING 1UL

/* word[2]: source, answer, access, why and slot, 16 bits or less each, and the error's number. */
static u64 pack(const struct trace_event *e)
{
	return (u64)e->source | (u64)e->answer << 4 | (u64)e->access << 8 |
	       (u64)(u8)-e->error << 16 | (u64)e->why << 32 | (u64)e->slot << 48;
}

static void unpack(u64 w, struct trace_event *e)
{
	e->source = (enum trace_source)(w & 0xf);
	e->answer = (enum answer)(w >> 4 & 0xf);
	e->access = (enum mem_access)(w >> 8 & 0xf);
	e->error = -(int)(w >> 16 & 0xff);
	e->why = (enum reason)(w >> 32 & 0xffff);
	e->slot = (u32)(w >> 48);
}

_Static_assert((int)SLOT_ID_MAX <= (int)TRACE_NO_SLOT, "a slot's id fits");
_Static_assert((int)TRACE_SOURCES <= 16 && (int)ANSWER_COUNT <= 16 && (int)MEM_ACCESS_COUNT <= 16,
	       "they fit");

static struct trace_entry *entry_of(struct trace *t, u64 number)
{
	return &t->entry[number % TRACE_ENTRIES];
}

/* False: somebody else is in it, or was and has something newer. */
static bool claim(struct trace_entry *x, u64 number)
{
	u64 old = __atomic_load_n(&x->state, __ATOMIC_RELAXED);

	return !(old & STATE_WRITING) && old >> 1 < number &&
	       __atomic_compare_exchange_n(&x->state, &old, number << 1 | STATE_WRITING, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

void trace_count(struct trace *t, enum reason why)
{
	__atomic_fetch_add(&t->count[why], 1, __ATOMIC_RELAXED);
}

void trace_add(struct trace *t, const struct trace_event *e)
{
	u64 number = __atomic_add_fetch(&t->next, 1, __ATOMIC_RELAXED);
	struct trace_entry *x = entry_of(t, number);

	trace_count(t, e->why);
	if (!claim(x, number)) {
		__atomic_fetch_add(&t->lost, 1, __ATOMIC_RELAXED);
		return;
	}
	/* Release: who sees a word of this event sees that the entry was claimed. */
	__atomic_store_n(&x->word[0], e->ipa.v, __ATOMIC_RELEASE);
	__atomic_store_n(&x->word[1], e->hva.v, __ATOMIC_RELEASE);
	__atomic_store_n(&x->word[2], pack(e), __ATOMIC_RELEASE);
	__atomic_store_n(&x->state, number << 1, __ATOMIC_RELEASE);
}

/* False: not that event, or not for long enough to copy it. */
static bool copy_out(const struct trace_entry *x, u64 number, struct trace_event *out)
{
	if (__atomic_load_n(&x->state, __ATOMIC_ACQUIRE) != number << 1)
		return false;
	out->number = number;
	out->ipa = IPA(__atomic_load_n(&x->word[0], __ATOMIC_ACQUIRE));
	out->hva = HVA(__atomic_load_n(&x->word[1], __ATOMIC_ACQUIRE));
	unpack(__atomic_load_n(&x->word[2], __ATOMIC_ACQUIRE), out);
	return __atomic_load_n(&x->state, __ATOMIC_RELAXED) == number << 1;
}

unsigned int trace_read(const struct trace *t, u64 after, struct trace_event *out, unsigned int max)
{
	u64 last = __atomic_load_n(&t->next, __ATOMIC_ACQUIRE);
	unsigned int n = 0;

	if (after >= last)
		return 0;
	if (last > TRACE_ENTRIES && after < last - TRACE_ENTRIES)
		after = last - TRACE_ENTRIES;
	for (u64 number = after + 1; number <= last && n < max; number++) {
		if (copy_out(&t->entry[number % TRACE_ENTRIES], number, &out[n]))
			n++;
	}
	return n;
}

u64 trace_counted(const struct trace *t, enum reason why)
{
	return __atomic_load_n(&t->count[why], __ATOMIC_RELAXED);
}

/* ---- what the engine met */

static const bool ordinary[WHY_COUNT] = {
	[WHY_NONE] = true,	    [WHY_RAM_FWB] = true,     [WHY_RAM_CLEANED] = true,
	[WHY_FORCED_WB] = true,	    [WHY_NC_RAM] = true,      [WHY_NC_OWNER] = true,
	[WHY_DEVICE] = true,	    [WHY_RACED] = true,	      [WHY_AGED] = true,
	[WHY_NO_SLOT] = true,	    /* MMIO */
	[WHY_RO_SLOT_WRITE] = true, /* same */
	[WHY_CMO_NO_SLOT] = true,   [WHY_NOT_PRESENT] = true,
};

bool trace_is_ordinary(enum reason why)
{
	return ordinary[why];
}

static void record(struct trace *t, const struct trace_event *e)
{
	if (trace_is_ordinary(e->why))
		trace_count(t, e->why);
	else
		trace_add(t, e);
}

void trace_record(struct guest_mem *m, enum trace_source source, enum mem_access access,
		  const struct fault_outcome *o, const struct slot_view *slot)
{
	struct trace_event e = {
		.source = source,
		.why = o->why,
		.answer = answer_of_outcome(o->kind),
		.access = access,
		.error = o->error,
		.slot = slot ? slot->id : (u32)TRACE_NO_SLOT,
		.ipa = o->ipa,
		.hva = HVA(slot ? slot_hva_of(slot, o->ipa) : 0),
	};

	if (o->kind == OUTCOME_RESUME)
		e.answer = ANSWER_MAP;
	record(m->trace, &e);
}

void trace_slot_refusal(struct guest_mem *m, const struct slot_request *r,
			const struct refusal *why)
{
	struct trace_event e = {
		.source = TRACE_SLOT,
		.why = why->why,
		.answer = ANSWER_ERROR,
		.access = MEM_READ,
		.error = why->error,
		.slot = min(r->id, (u32)TRACE_NO_SLOT),
		.ipa = IPA(r->ipa.v + (why->hva.v - r->hva.v)),
		.hva = why->hva,
	};

	record(m->trace, &e);
}
