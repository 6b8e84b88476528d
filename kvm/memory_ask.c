/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What user space can ask of guest memory: coherence, contract, trace, explain, and prefault of a
 * slot. The engine knows the answers; here they get the ABI's form. Each goes out as a structure
 * that began as zeroes, without physical addresses of the host.
 */
#include "engine/coherence.h"
#include "engine/contract.h"
#include "engine/trace.h"
#include "host/page.h"
#include "host/string.h"
#include "host/task.h"
#include "kvm/guest_memfd.h"
#include "kvm/memory.h"

/* The ABI's numbers are the engine's. */
_Static_assert((int)CATWALK_CLASS_UNKNOWN == (int)COHERENCE_UNKNOWN &&
		       (int)CATWALK_CLASS_FORCED == (int)COHERENCE_FORCED &&
		       (int)CATWALK_CLASS_GUEST == (int)COHERENCE_GUEST &&
		       (int)CATWALK_CLASS_NC == (int)COHERENCE_NC &&
		       (int)CATWALK_CLASS_DEVICE == (int)COHERENCE_DEVICE &&
		       (int)CATWALK_CLASS_MIXED == (int)COHERENCE_MIXED,
	       "classes");
_Static_assert((int)CATWALK_AGENT_VMM == (int)AGENT_VMM &&
		       (int)CATWALK_AGENT_DMA_SNOOPS == (int)AGENT_DMA_SNOOPS &&
		       (int)CATWALK_AGENT_DMA_BYPASS == (int)AGENT_DMA_BYPASS &&
		       (int)CATWALK_AGENTS == (int)COHERENCE_AGENTS,
	       "agents");
_Static_assert(CATWALK_OWED_BEFORE_READ == (int)OWED_BEFORE_READ &&
		       CATWALK_OWED_AFTER_WRITE == (int)OWED_AFTER_WRITE &&
		       CATWALK_OWED_BEFORE_WRITE == (int)OWED_BEFORE_WRITE,
	       "maintenance by user space");
_Static_assert(CATWALK_PROMISE_WRITE_BACK == (int)PROMISE_WRITE_BACK &&
		       CATWALK_PROMISE_CACHEABLE_PFNMAP == (int)PROMISE_CACHEABLE_PFNMAP &&
		       CATWALK_PROMISE_READ_ONLY == (int)PROMISE_READ_ONLY,
	       "promises");
_Static_assert((int)CATWALK_READ == (int)MEM_READ && (int)CATWALK_WRITE == (int)MEM_WRITE &&
		       (int)CATWALK_EXEC == (int)MEM_EXEC,
	       "accesses");
_Static_assert((int)CATWALK_SOURCE_FAULT == (int)TRACE_FAULT &&
		       (int)CATWALK_SOURCE_PREFAULT == (int)TRACE_PREFAULT &&
		       (int)CATWALK_SOURCE_SLOT == (int)TRACE_SLOT &&
		       CATWALK_NO_SLOT == (int)TRACE_NO_SLOT,
	       "sources");
_Static_assert((int)CATWALK_ANSWER_MAP == (int)ANSWER_MAP &&
		       (int)CATWALK_ANSWER_AGE == (int)ANSWER_AGE &&
		       (int)CATWALK_ANSWER_SKIP == (int)ANSWER_SKIP &&
		       (int)CATWALK_ANSWER_INJECT == (int)ANSWER_INJECT &&
		       (int)CATWALK_ANSWER_EXIT == (int)ANSWER_EXIT &&
		       (int)CATWALK_ANSWER_ERROR == (int)ANSWER_ERROR &&
		       (int)CATWALK_ANSWER_RETRY == (int)ANSWER_RETRY,
	       "answers");
_Static_assert(CATWALK_TYPE_NORMAL == (int)S2_NORMAL &&
		       CATWALK_TYPE_NORMAL_NC == (int)S2_NORMAL_NC &&
		       CATWALK_TYPE_DEVICE == (int)S2_DEVICE &&
		       CATWALK_TYPE_NORMAL == (int)MEM_WB &&
		       CATWALK_TYPE_NORMAL_NC == (int)MEM_NC &&
		       CATWALK_TYPE_DEVICE == (int)MEM_DEVICE,
	       "types");
_Static_assert(CATWALK_PERM_READ == (int)S2_R && CATWALK_PERM_WRITE == (int)S2_W &&
		       CATWALK_PERM_EXEC == (int)S2_X && CATWALK_PERM_HW_WRITE == (int)S2_DBM,
	       "permissions");
_Static_assert((int)CATWALK_LIMIT_NONE == (int)LIMIT_NONE &&
		       (int)CATWALK_LIMIT_HOST == (int)LIMIT_HOST &&
		       (int)CATWALK_LIMIT_TABLE == (int)LIMIT_TABLE &&
		       (int)CATWALK_LIMIT_SLOT == (int)LIMIT_SLOT &&
		       (int)CATWALK_LIMIT_LOGGING == (int)LIMIT_LOGGING,
	       "limits");
_Static_assert(CATWALK_CMO_DCACHE == (int)CMO_DCACHE && CATWALK_CMO_ICACHE == (int)CMO_ICACHE &&
		       CATWALK_CMO_ICACHE_ALL == (int)CMO_ICACHE_ALL,
	       "maintenance by the kernel");

static bool all_zero(const __u64 *words, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (words[i])
			return false;
	}
	return true;
}

#define RESERVED_OK(r) all_zero((r)->reserved, ARRAY_SIZE((r)->reserved))

/* ---- coherence (M11) */

/* As far as there is no signal; others get their turn between the steps. */
static int coherence_run(struct vm_memory *m, u64 gpa, u64 size, struct coherence_report *report)
{
	int error;

	do {
		error = coherence_query(&m->guest, IPA(gpa), size, report);
		sched_point();
	} while (!error && report->done < size && !task_signal_pending(port_current()));
	return error;
}

int vm_get_coherence(struct vm_memory *m, hva_t arg)
{
	struct coherence_report report = { 0 };
	struct catwalk_coherence r;
	int error;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	if (r.flags || !RESERVED_OK(&r) || !r.size)
		return -EINVAL;
	error = coherence_run(m, r.gpa, r.size, &report);
	if (error)
		return error;
	r.done = report.done;
	r.mapped = report.mapped;
	for (unsigned int c = 0; c < ARRAY_SIZE(r.bytes); c++)
		r.bytes[c] = report.bytes[c];
	r.all = report.all;
	for (unsigned int a = 0; a < ARRAY_SIZE(r.owed); a++)
		r.owed[a] = report.owed[a];
	return copy_to_user(arg, &r, sizeof(r));
}

/* ---- the contract (M16) */

/* Of one slot, so that a contract ends: what lies further is called unknown. */
enum { CLASSES_ROUNDS = 64 };

static u32 classes_of(struct vm_memory *m, const struct contract_slot *s)
{
	struct coherence_report report = { 0 };
	u32 classes = 0;
	int error = 0;

	for (int i = 0; i < CLASSES_ROUNDS && !error && report.done < s->size; i++) {
		error = coherence_query(&m->guest, IPA(s->ipa), s->size, &report);
		sched_point();
	}
	for (unsigned int c = 0; c < COHERENCE_CLASSES; c++) {
		if (report.bytes[c])
			classes |= 1U << c;
	}
	return report.done < s->size ? classes | 1U << COHERENCE_UNKNOWN : classes;
}

static int slots_copy_out(struct vm_memory *m, hva_t to, const struct contract *c)
{
	int error = 0;

	for (u32 i = 0; i < c->slot_count && !error; i++) {
		const struct contract_slot *s = &c->slots[i];
		const struct catwalk_contract_slot out = {
			.gpa = s->ipa,
			.size = s->size,
			.slot = s->id,
			.promises = s->promises,
			.classes = classes_of(m, s),
		};

		if (task_signal_pending(port_current()))
			return -EINTR;
		error = copy_to_user(HVA(to.v + i * sizeof(out)), &out, sizeof(out));
	}
	return error;
}

static u32 host_bits(const struct contract *c)
{
	return (c->fwb ? CATWALK_HOST_FWB : 0) | (c->dic ? CATWALK_HOST_DIC : 0) |
	       (c->idc ? CATWALK_HOST_IDC : 0) | (c->hw_af ? CATWALK_HOST_HW_AF : 0) |
	       (c->hw_dbm ? CATWALK_HOST_HW_DBM : 0);
}

/* Under the slots lock. @r->slot_count is the room there is, and becomes what there are. */
static int contract_get(struct vm_memory *m, struct catwalk_contract *r)
{
	u32 room = r->slot_count, count = m->guest.slots.count;
	struct contract_slot *slots;
	struct contract c;
	int error;

	r->slot_count = count;
	if (count > room)
		return -E2BIG;
	slots = kmalloc(max(count, 1U) * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	mm_read_lock(m->mm);
	error = contract_of_vm(&m->guest, slots, count, &c);
	mm_read_unlock(m->mm);
	if (!error)
		error = slots_copy_out(m, HVA(r->slots), &c);
	kfree(slots);
	if (error)
		return error;
	r->version = c.version;
	r->host = host_bits(&c);
	r->ipa_bits = c.ipa_bits;
	r->granule = c.granule;
	r->blocks = c.blocks;
	return 0;
}

int vm_get_contract(struct vm_memory *m, hva_t arg)
{
	struct catwalk_contract r;
	int error;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	if (r.flags || !RESERVED_OK(&r))
		return -EINVAL;
	mutex_lock(&m->slots_lock);
	error = contract_get(m, &r);
	mutex_unlock(&m->slots_lock);
	if ((!error || error == -E2BIG) && copy_to_user(arg, &r, sizeof(r)))
		return -EFAULT;
	return error;
}

/* ---- the trace (M18) */

static struct catwalk_trace_event event_of(const struct trace_event *e)
{
	struct catwalk_trace_event out = {
		.number = e->number,
		.gpa = e->ipa.v,
		.hva = gmem_shown_hva(e->hva.v),
		.slot = e->slot,
		.error = e->error,
		.source = (u8)e->source,
		.answer = (u8)e->answer,
		.access = (u8)e->access,
		.rule = reason_rule(e->why),
	};

	snprintf(out.reason, sizeof(out.reason), "%s", reason_text(e->why));
	return out;
}

static int events_copy_out(hva_t to, const struct trace_event *e, unsigned int n)
{
	int error = 0;

	for (unsigned int i = 0; i < n && !error; i++) {
		const struct catwalk_trace_event out = event_of(&e[i]);

		error = copy_to_user(HVA(to.v + i * sizeof(out)), &out, sizeof(out));
	}
	return error;
}

enum { TRACE_BATCH = 8 };

/* Reads one batch into the @room that is left; @n: events of it. */
static int trace_batch(struct vm_memory *m, struct catwalk_trace *r, u32 room, unsigned int *n)
{
	u64 to = r->events + r->count * sizeof(struct catwalk_trace_event);
	struct trace_event e[TRACE_BATCH];

	*n = trace_read(m->guest.trace, r->after, e, min(room, (u32)TRACE_BATCH));
	if (!*n)
		return 0;
	r->lost += e[*n - 1].number - r->after - *n;
	r->after = e[*n - 1].number;
	r->count += *n;
	return events_copy_out(HVA(to), e, *n);
}

int vm_read_trace(struct vm_memory *m, hva_t arg)
{
	struct catwalk_trace r;
	unsigned int n = 1;
	int error = 0;
	u32 room;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	if (r.flags || !RESERVED_OK(&r))
		return -EINVAL;
	room = min(r.count, (u32)TRACE_ENTRIES);
	r.count = 0;
	r.lost = 0;
	while (n && !error && r.count < room)
		error = trace_batch(m, &r, room - r.count, &n);
	if (error)
		return error;
	r.last = __atomic_load_n(&m->guest.trace->next, __ATOMIC_RELAXED);
	return copy_to_user(arg, &r, sizeof(r));
}

/* ---- explain (M7) */

/* ANSWER_EXIT: KVM_EXIT_*; 0: a signal, not an exit. */
static const u8 exit_of_kind[OUTCOME_KINDS] = {
	[OUTCOME_MMIO] = KVM_EXIT_MMIO,
	[OUTCOME_NO_SYNDROME] = KVM_EXIT_ARM_NISV,
	[OUTCOME_MEMORY_FAULT] = KVM_EXIT_MEMORY_FAULT,
};

static struct catwalk_mapping mapping_of(u64 gpa, int level, enum s2_type type, u8 perms)
{
	return (struct catwalk_mapping){
		.gpa = ALIGN_DOWN(gpa, level_size(level)),
		.size = level_size(level),
		.type = type,
		.perms = perms,
	};
}

static void explain_host(struct catwalk_explain *out, const struct host_leaf *leaf)
{
	out->facts |= CATWALK_FACT_HOST;
	out->host_type = leaf->type;
	out->host_flags = (leaf->reach == REACH_ALIAS ? CATWALK_HOST_PAGE_REACHED : 0) |
			  (leaf->owner == OWNER_ANY_UNCACHED ? CATWALK_HOST_PAGE_ANY : 0) |
			  (leaf->writable ? CATWALK_HOST_PAGE_WRITABLE : 0);
	out->host_size = level_size(leaf->level);
}

static void explain_would(struct catwalk_explain *out, const struct explanation *e)
{
	out->answer = e->answer;
	out->rule = reason_rule(e->why);
	snprintf(out->reason, sizeof(out->reason), "%s", reason_text(e->why));
	out->error = e->outcome.error;
	if (e->answer == ANSWER_EXIT)
		out->exit_reason = exit_of_kind[e->outcome.kind];
	if (e->answer != ANSWER_MAP)
		return;
	out->bound_by = e->plan.bound_by;
	out->owed = e->plan.owed;
	out->owed_after = e->plan.owed_after;
	out->would = mapping_of(out->gpa, e->plan.level, e->plan.type, e->plan.perms);
	if (e->plan.logged && out->access == CATWALK_WRITE)
		out->facts |= CATWALK_FACT_LOGGED;
}

int vm_explain(struct vm_memory *m, hva_t arg)
{
	struct catwalk_explain in, out = { .slot = CATWALK_NO_SLOT };
	struct vm_explanation x;

	if (copy_from_user(&in, arg, sizeof(in)))
		return -EFAULT;
	if (in.flags || !RESERVED_OK(&in) || in.access >= MEM_ACCESS_COUNT)
		return -EINVAL;
	out.gpa = in.gpa;
	out.access = in.access;
	mm_read_lock(m->mm);
	x = guest_mem_explain(&m->guest, IPA(in.gpa), (enum mem_access)in.access);
	mm_read_unlock(m->mm);
	explain_would(&out, &x.would);
	if (x.asks_host)
		out.facts |= CATWALK_FACT_ASKS_HOST;
	if (x.has_slot) {
		out.facts |= CATWALK_FACT_SLOT;
		out.slot = x.slot.id;
		out.slot_flags =
			x.slot.flags | (gmem_is_hva(x.slot.hva.v) ? KVM_MEM_GUEST_MEMFD : 0);
	}
	if (x.has_leaf)
		explain_host(&out, &x.leaf);
	if (x.is_mapped)
		out.now = mapping_of(in.gpa, x.now.level, x.now.type, x.now.perms);
	return copy_to_user(arg, &out, sizeof(out));
}

/* ---- prefault of a slot (M9) */

/* Under the slots lock: up to 2 MiB; then others get their turn. 0, or why it stopped. */
static int prefault_step(struct vm_memory *m, struct catwalk_prefault *r)
{
	const struct slot_span span = {
		.offset = r->offset,
		.size = min((u64)r->size, SZ_2M - (r->offset & (SZ_2M - 1))),
	};
	struct prefault_result res =
		guest_mem_prefault_slot(&m->guest, r->slot, span,
					r->flags & CATWALK_PREFAULT_PRESENT ? PREFAULT_PRESENT
									    : PREFAULT_POPULATE);

	r->offset += res.done;
	r->size -= res.done;
	r->skipped += res.skipped;
	if (res.skipped) {
		r->skip_rule = reason_rule(res.skip_why);
		snprintf(r->skip_reason, sizeof(r->skip_reason), "%s", reason_text(res.skip_why));
	}
	sched_point();
	if (!res.error || res.error == ERR_AGAIN)
		return 0;
	r->rule = reason_rule(res.why);
	snprintf(r->reason, sizeof(r->reason), "%s", reason_text(res.why));
	return res.error;
}

/* Under the slots lock. Is there such a range? It says why not. */
static int prefault_check(struct vm_memory *m, struct catwalk_prefault *r)
{
	const struct slot_span span = { .offset = r->offset, .size = r->size };
	const struct slot *s = r->slot < SLOT_ID_MAX ? slot_by_id(&m->guest.slots, r->slot) : NULL;
	enum reason why = WHY_NONE;

	if (!s)
		why = WHY_SLOT_NO_SUCH;
	else if (!slot_span_ok(s, span))
		why = WHY_SPAN_OUTSIDE;
	else
		return 0;
	r->rule = reason_rule(why);
	snprintf(r->reason, sizeof(r->reason), "%s", reason_text(why));
	return why == WHY_SLOT_NO_SUCH ? -ENOENT : -EINVAL;
}

static int prefault_run(struct vm_memory *m, struct catwalk_prefault *r)
{
	u64 start = r->offset, gpa;
	int error = prefault_check(m, r);

	if (error)
		return error;
	gpa = slot_by_id(&m->guest.slots, r->slot)->gfn << PAGE_SHIFT;
	while (r->size && !error)
		error = task_signal_pending(port_current()) ? -EINTR : prefault_step(m, r);
	vm_memory_recover(m, gpa + start, gpa + r->offset);
	return error;
}

int vm_prefault_slot(struct vm_memory *m, hva_t arg)
{
	struct catwalk_prefault in, r;

	if (copy_from_user(&in, arg, sizeof(in)))
		return -EFAULT;
	if ((in.flags & ~CATWALK_PREFAULT_PRESENT) || in.pad || !RESERVED_OK(&in) || !in.size)
		return -EINVAL;
	r = (struct catwalk_prefault){
		.slot = in.slot,
		.flags = in.flags,
		.offset = in.offset,
		.size = in.size,
	};
	mutex_lock(&m->slots_lock);
	r.error = prefault_run(m, &r);
	mutex_unlock(&m->slots_lock);
	if (copy_to_user(arg, &r, sizeof(r)))
		return -EFAULT;
	return r.size != in.size ? 0 : r.error;
}
