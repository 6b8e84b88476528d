/* SPDX-License-Identifier: Apache-2.0 */
/* What happened on the modelled machine of late, by place. Text is made only when it is asked for.
 */
#include "port/model/machine_priv.h"

#include <stdio.h>
#include <stdlib.h>

struct event *history_add(struct port *p, enum event_kind kind)
{
	struct machine *m = p->machine;
	struct event *e = &m->event[m->events++ % EVENTS];

	*e = (struct event){
		.ipa = NO_PLACE,
		.pa = NO_PLACE,
		.kind = (u8)kind,
		.cpu = (u8)p->cpu,
		.level = -1,
	};
	return e;
}

void history_delete(struct machine *m)
{
	free(m->event);
	free(m->history);
}

/* ---- text */

enum form {
	FORM_DESC,    /* IPA, level, old and new descriptor */
	FORM_IPA,     /* IPA range, VMID */
	FORM_VMID,    /* VMID */
	FORM_PA,      /* PA range */
	FORM_VERSION, /* line, version */
	FORM_CMO,     /* line, which */
	FORM_OWNER,   /* PA range, new owner */
	FORM_GUEST,   /* IPA, operation, fault or PA */
	FORM_HOST,    /* PA range, HVA, attribute */
};

static const struct {
	const char *name;
	enum form form;
} kinds[EVENT_KINDS] = {
	[EVENT_WRITE_DESC] = { "writes descriptor", FORM_DESC },
	[EVENT_HARDWARE_DESC] = { "hardware updates descriptor", FORM_DESC },
	[EVENT_TLBI_IPA] = { "TLBI by IPA", FORM_IPA },
	[EVENT_TLBI_RANGE] = { "TLBI by range", FORM_IPA },
	[EVENT_TLBI_LOCAL] = { "TLBI by IPA, this CPU only", FORM_IPA },
	[EVENT_TLBI_VMID] = { "TLBI of all", FORM_VMID },
	[EVENT_TLBI_STAGE1] = { "TLBI of stage 1", FORM_VMID },
	[EVENT_TLBI_ALL] = { "TLBI of all VMIDs", FORM_VMID },
	[EVENT_TLBI_DONE] = { "TLBI complete", FORM_VMID },
	[EVENT_FLUSH_LOCAL] = { "flush, this CPU only", FORM_VMID },
	[EVENT_DCACHE] = { "data cache clean and invalidate", FORM_PA },
	[EVENT_ICACHE] = { "instruction cache invalidate", FORM_PA },
	[EVENT_ICACHE_ALL] = { "instruction cache invalidate, all", FORM_PA },
	[EVENT_CMO] = { "maintenance of line", FORM_CMO },
	[EVENT_LINE_WRITE] = { "writes line", FORM_VERSION },
	[EVENT_LINE_READ] = { "reads line", FORM_VERSION },
	[EVENT_LINE_FETCH] = { "fetches line", FORM_VERSION },
	[EVENT_LINE_EVICT] = { "data cache evicts line", FORM_VERSION },
	[EVENT_LINE_FILL] = { "data cache fills line", FORM_VERSION },
	[EVENT_ICACHE_FILL] = { "instruction caches fill line", FORM_VERSION },
	[EVENT_DMA_WRITE] = { "device writes line", FORM_VERSION },
	[EVENT_DMA_READ] = { "device reads line", FORM_VERSION },
	[EVENT_HAND_OVER] = { "hand-over", FORM_OWNER },
	[EVENT_PUBLISH] = { "data published", FORM_PA },
	[EVENT_GUEST] = { "guest", FORM_GUEST },
	[EVENT_HOST_MAP] = { "host maps", FORM_HOST },
	[EVENT_HOST_UNMAP] = { "host unmaps", FORM_HOST },
	[EVENT_HOST_WRITES] = { "host writes pages", FORM_PA },
	[EVENT_HOST_TAKES] = { "host takes pages", FORM_PA },
};

static void print_guest(char *out, size_t size, const struct event *e)
{
	static const char *const ops[] = { "reads", "writes", "fetches" };
	static const char *const fault[] = { "", "translation fault", "access flag fault",
					     "permission fault" };
	const char *how = e->text ? e->text : "";

	if (e->b == MF_NONE)
		snprintf(out, size, "guest %s IPA %#lx at PA %#lx %s", ops[e->a],
			 (unsigned long)e->ipa, (unsigned long)e->pa, how);
	else
		snprintf(out, size, "guest %s IPA %#lx: %s at level %d %s", ops[e->a],
			 (unsigned long)e->ipa, fault[e->b], e->level, how);
}

static void print_event(char *out, size_t size, const struct event *e)
{
	static const char *const cmos[] = { "CVAC", "CIVAC", "IVAC", "CVAU", "IC IVAU" };
	static const char *const attrs[] = { "write-back", "non-cacheable", "device" };
	const char *name = kinds[e->kind].name;
	unsigned long ipa = e->ipa, pa = e->pa, bytes = e->size, a = e->a, b = e->b;

	switch (kinds[e->kind].form) {
	case FORM_DESC:
		snprintf(out, size, "%s of IPA %#lx level %d, VMID %u: %#lx -> %#lx", name, ipa,
			 e->level, e->vmid, a, b);
		break;
	case FORM_IPA:
		snprintf(out, size, "%s %#lx +%#lx, level %d, VMID %u", name, ipa, bytes, e->level,
			 e->vmid);
		break;
	case FORM_VMID: snprintf(out, size, "%s, VMID %u", name, e->vmid); break;
	case FORM_PA: snprintf(out, size, "%s PA %#lx +%#lx", name, pa, bytes); break;
	case FORM_VERSION: snprintf(out, size, "%s %#lx: version %lu", name, pa, a); break;
	case FORM_CMO: snprintf(out, size, "%s %#lx: %s", name, pa, cmos[a]); break;
	case FORM_OWNER:
		snprintf(out, size, "%s PA %#lx +%#lx to %s", name, pa, bytes,
			 e->text ? e->text : "nobody");
		break;
	case FORM_GUEST: print_guest(out, size, e); break;
	case FORM_HOST:
		snprintf(out, size, "%s PA %#lx +%#lx at %#lx, %s", name, pa, bytes, a, attrs[b]);
		break;
	}
}

/* ---- what concerns a place */

static bool holds(u64 start, u64 size, u64 at)
{
	return start != NO_PLACE && at - start < size;
}

/* The range is taken as whole pages. */
static bool meets(u64 start, u64 size, u64 at)
{
	u64 first = start & ~4095UL;

	if (start == NO_PLACE)
		return false;
	return holds(first, size > ~0UL - 8192 ? size : ((start + size + 4095) & ~4095UL) - first,
		     at);
}

enum { PLACES = 8 };
struct places {
	u64 at[PLACES];
	int count;
};

static bool is_place(const struct places *w, u64 at)
{
	for (int i = 0; i < w->count; i++) {
		if (w->at[i] == (at & ~4095UL))
			return true;
	}
	return false;
}

static void add_place(struct places *w, u64 at)
{
	if (w->count < PLACES && !is_place(w, at))
		w->at[w->count++] = at & ~4095UL;
}

static bool concerns(const struct event *e, const struct places *w)
{
	for (int i = 0; i < w->count; i++) {
		if (meets(e->ipa, e->size, w->at[i]) || meets(e->pa, e->size, w->at[i]))
			return true;
	}
	return false;
}

/* A descriptor write joins an IPA and a PA: what concerns one concerns the other. */
static void follow(struct places *w, const struct event *e)
{
	for (int i = 0; i < w->count; i++) {
		if (e->ipa == NO_PLACE || e->pa == NO_PLACE)
			return;
		if (holds(e->ipa, e->size, w->at[i]))
			add_place(w, e->pa + (w->at[i] - e->ipa));
		else if (holds(e->pa, e->size, w->at[i]))
			add_place(w, e->ipa + (w->at[i] - e->pa));
	}
}

static const struct event *event_at(const struct machine *m, u64 n)
{
	return &m->event[n % EVENTS];
}

unsigned int machine_history(const struct port *p, u64 ipa_or_pa, const char **lines,
			     unsigned int max)
{
	struct machine *m = p->machine;
	u64 oldest = m->events > EVENTS ? m->events - EVENTS : 0, pick[HISTORY_LINES];
	struct places w = { .count = 0 };
	unsigned int n = 0;

	if (!m->history)
		m->history = machine_must(malloc(HISTORY_LINES * sizeof(*m->history)));
	if (max > HISTORY_LINES)
		max = HISTORY_LINES;
	add_place(&w, ipa_or_pa);
	for (u64 i = m->events; i-- > oldest;)
		follow(&w, event_at(m, i));
	for (u64 i = m->events; i-- > oldest && n < max;) {
		if (concerns(event_at(m, i), &w))
			pick[n++] = i;
	}
	for (unsigned int i = 0; i < n; i++) {
		const struct event *e = event_at(m, pick[n - 1 - i]);
		int len = snprintf(m->history[i], HISTORY_TEXT,
				   "#%lu CPU %u: ", (unsigned long)pick[n - 1 - i], e->cpu);

		print_event(m->history[i] + len, HISTORY_TEXT - (size_t)len, e);
		lines[i] = m->history[i];
	}
	return n;
}
