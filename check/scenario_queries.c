/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs that ask: how a range stays coherent (M11), whether a VM may move (M16), what was refused
 * (M18). */
#include "check/scenario_priv.h"

#include "engine/coherence.h"
#include "engine/contract.h"
#include "engine/trace.h"

struct world_result run_coherence(struct world *w, const struct operands *o)
{
	struct guest_mem *m = world_vm(w, (unsigned int)o->vm);
	struct coherence_report report = { .done = 0 };
	struct world_result r = { .error = ERR_INVAL };

	if (!m)
		return r;
	r.error = coherence_query(m, IPA(o->ipa), o->size, &report);
	if (r.error)
		return r;
	r.count = report.all;
	r.version = report.owed[AGENT_VMM];
	/* Said apart: without FWB nobody is forced, and user space owes maintenance. */
	if ((report.all == COHERENCE_FORCED) && !port_caps(world_port(w))->fwb)
		machine_stop(world_port(w), "M11: memory is said to be forced without FWB");
	return r;
}

void print_coherence(const struct world_result *r, FILE *out)
{
	if (r->error) {
		fprintf(out, "E%s", err_name(r->error));
		return;
	}
	fprintf(out, "%s%s%s",
		r->count == COHERENCE_MIXED ? "mixed" : coherence_text((enum coherence)r->count),
		r->version & OWED_BEFORE_READ ? ", clean and invalidate before reading" : "",
		r->version & OWED_AFTER_WRITE ? ", after writing" : "");
}

/* Could the VM go to a host like this one, but for what is told? If so it goes; with `anyway` also
 * in spite of refusals, which is what M16 forbids: the oracle looks at where it is then. */
struct world_result run_migrate_to(struct world *w, const struct operands *o)
{
	struct guest_mem *m = world_vm(w, (unsigned int)o->vm);
	struct contract_slot slots[32];
	struct port_caps there = *port_caps(world_port(w));
	struct contract source, destination;
	struct contract_comparison c;
	struct world_result r = { .error = ERR_INVAL };

	if (!m || contract_of_vm(m, slots, ARRAY_SIZE(slots), &source))
		return r;
	there.fwb &= !o->without_fwb;
	there.dic &= !o->without_dic;
	destination = contract_of_host(&there);
	c = contract_compare(&source, &destination);
	r.error = ERR_OK;
	r.count = c.refusals;
	r.version = c.count ? c.finding[0].why : CONTRACT_REASON_COUNT;
	if (!c.refusals || o->anyway)
		(void)world_moved(w, (unsigned int)o->vm, &there);
	return r;
}

void print_migrate_to(const struct world_result *r, FILE *out)
{
	if (r->error)
		fprintf(out, "E%s", err_name(r->error));
	else if (!r->count)
		fputs("ok", out);
	else
		fprintf(out, "refused, %lu reasons; M%u %s", (unsigned long)r->count,
			contract_reason_rule((enum contract_reason)r->version),
			contract_reason_text((enum contract_reason)r->version));
}

/* The newest event of the trace. */
struct world_result run_trace(struct world *w, const struct operands *o)
{
	struct guest_mem *m = world_vm(w, (unsigned int)o->vm);
	struct world_result r = { .error = ERR_NOENT };
	struct trace_event events[8];
	unsigned int n;
	u64 after = 0;

	if (!m)
		return r;
	while ((n = trace_read(m->trace, after, events, ARRAY_SIZE(events))) != 0) {
		r.error = ERR_OK;
		r.count += n;
		r.outcome.why = events[n - 1].why;
		after = events[n - 1].number;
	}
	return r;
}

void print_trace(const struct world_result *r, FILE *out)
{
	if (r->error)
		fputs("nothing", out);
	else
		fprintf(out, "%lu, the last M%u %s", (unsigned long)r->count,
			reason_rule(r->outcome.why), reason_name(r->outcome.why));
}
