/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was refused and what surprised, lately and how often (M18): a ring of fixed size for each
 * VM and a counter for each reason. Faults that go well do not come here. Writing and reading take
 * no lock and do not sleep; any context.
 */
#ifndef ENGINE_TRACE_H
#define ENGINE_TRACE_H

#include "engine/explain.h"

/* Who met it. */
enum trace_source { TRACE_FAULT, TRACE_PREFAULT, TRACE_SLOT, TRACE_SOURCES };

enum { TRACE_NO_SLOT = 0xffff };

struct trace_event {
	u64 number; /* 1, 2, ... in the order of events; a gap: overwritten before it was read */
	enum trace_source source;
	enum reason why;
	enum answer answer;
	enum mem_access access; /* TRACE_SLOT: MEM_READ */
	int error;		/* of ANSWER_ERROR, and of exits that carry one; else ERR_OK */
	u32 slot;		/* its id, or TRACE_NO_SLOT */
	ipa_t ipa;
	hva_t hva; /* 0 without a slot */
};

enum { TRACE_ENTRIES = 256 };

/* Opaque. */
struct trace_entry {
	u64 state;
	u64 word[3];
};

struct trace {
	u64 next;	      /* events so far; atomic */
	u64 lost;	      /* events that met a writer a whole ring behind; atomic */
	u64 count[WHY_COUNT]; /* atomic */
	struct trace_entry entry[TRACE_ENTRIES];
};

/* Adds an event to the ring and counts its reason; @e->number is not looked at. */
void trace_add(struct trace *t, const struct trace_event *e);
/* Counts @why alone. */
void trace_count(struct trace *t, enum reason why);
/* Up to @max events with numbers above @after, oldest first; returns how many. */
unsigned int trace_read(const struct trace *t, u64 after, struct trace_event *out,
			unsigned int max);
/* How often @why was met. */
u64 trace_counted(const struct trace *t, enum reason why);

/* A reason that is all in a day's work: counted, but kept out of the ring. */
bool trace_is_ordinary(enum reason why);

/* The outcome @o of a fault or a prefault at o->ipa; @slot: NULL if none holds it. */
void trace_record(struct guest_mem *m, enum trace_source source, enum mem_access access,
		  const struct fault_outcome *o, const struct slot_view *slot);
/* Slot call for slot @id that was refused. */
void trace_slot_refusal(struct guest_mem *m, const struct slot_request *r,
			const struct refusal *why);

static inline void trace_outcome(struct guest_mem *m, enum trace_source source,
				 enum mem_access access, const struct fault_outcome *o,
				 const struct slot_view *slot)
{
	if (o->kind != OUTCOME_RESUME || o->why == WHY_LOG_UNLOGGED)
		trace_record(m, source, access, o, slot);
}

#endif
