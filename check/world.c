/* SPDX-License-Identifier: Apache-2.0 */
/* The world's life, its VMs and their slots. */
#include "check/world_priv.h"

#include <stdlib.h>
#include <string.h>

/* ---- life */

static void world_start(struct world *w, const struct world_config *c, struct chooser *hardware)
{
	w->config = *c;
	w->stage = stage_new(w->port, hardware);
	machine_on_guest_access(w->port, oracle_guest_access, w);
	if (vmid_pool_init(&w->vmids, w->port, c->vmid_bits))
		abort();
	w->has_vmids = true;
}

struct world *world_new(const struct world_config *c, struct chooser *hardware)
{
	struct world *w = world_must(calloc(1, sizeof(*w)));

	w->port = machine_new(&c->caps);
	world_start(w, c, hardware);
	return w;
}

/* What the engine was given is the machine's to take back; the world's own is freed. */
static void forget(struct world *w)
{
	stage_delete(w->stage);
	host_reset(w);
	for (unsigned int i = 0; i < WORLD_VMS; i++) {
		for (int k = 0; k < WORLD_SLOTS; k++)
			oracle_forget_log(&w->vm[i].slot[k]);
		oracle_forget_log(&w->vm[i].going);
	}
}

void world_reset(struct world *w, const struct world_config *c, struct chooser *hardware)
{
	struct port *p = w->port;

	forget(w);
	memset(w, 0, sizeof(*w));
	w->port = p;
	machine_reset(p, &c->caps);
	world_start(w, c, hardware);
}

void world_delete(struct world *w)
{
	forget(w);
	(void)machine_delete(w->port);
	free(w);
}

struct port *world_port(struct world *w)
{
	return w->port;
}

struct stage *world_stage(struct world *w)
{
	return w->stage;
}

struct guest_mem *world_vm(struct world *w, unsigned int vm)
{
	return vm < WORLD_VMS && w->vm[vm].created ? &w->vm[vm].m : NULL;
}

void world_misbehave(struct world *w, enum world_sabotage how)
{
	w->sabotage = how;
}

void world_actor(struct world *w, const char *name, unsigned int cpu, void (*fn)(void *arg),
		 void *arg)
{
	stage_add(w->stage, name, cpu, fn, arg);
}

enum stage_end world_run(struct world *w, u64 limit)
{
	enum stage_end end;

	stage_limit(w->stage, limit);
	w->together = true;
	end = stage_run(w->stage);
	w->together = false;
	return end;
}

void world_explain(struct world *w, FILE *out)
{
	const char *lines[24];
	unsigned int n = 0;
	u64 place = w->place;

	stage_print(w->stage, out);
	if (machine_refusal_place(w->port, &place) || place)
		n = machine_history(w->port, place, lines, ARRAY_SIZE(lines));
	for (unsigned int i = 0; i < n; i++)
		fprintf(out, "  %s\n", lines[i]);
}

/* ---- calls that may be refused: a refusal changes nothing */

/* The state, if it is to be compared around this call; else NULL. */
static char *compare_begin(struct world *w)
{
	if (!w->config.compare || !sequential(w) || w->calls++ % w->config.compare)
		return NULL;
	return state_text(w);
}

static void compare_end(struct world *w, char *before, int error)
{
	char *after = before && error ? state_text(w) : NULL;
	bool differs = after && strcmp(before, after);

	free(before);
	free(after);
	if (differs)
		machine_stop(w->port, "M18: a call that was refused (%s) changed something",
			     err_name(error));
}

/* ---- VMs */

static int vm_create_locked(struct world *w, struct wvm *v)
{
	const struct guest_mem_config c = { w->config.ipa_bits, &world_host_ops, w };
	int error = guest_mem_init(&v->m, w->port, &w->vmids, &c);

	if (!error && w->config.step)
		v->m.s2.step = w->config.step;
	v->created = !error;
	v->leaving = false;
	v->detached = false;
	v->ran = false;
	v->moved = false;
	return error;
}

struct world_result world_vm_create(struct world *w, unsigned int vm)
{
	struct world_result r = { .error = ERR_INVAL };
	struct wvm *v;

	if (vm >= WORLD_VMS)
		return r;
	v = &w->vm[vm];
	/* Notifiers are registered under the mm lock: none is half-way. */
	stage_mutex_lock(w->stage, &w->mm);
	if (!v->created)
		r.error = vm_create_locked(w, v);
	stage_mutex_unlock(w->stage, &w->mm);
	return r;
}

static void wait_unused(struct world *w, const struct wvm *v)
{
	while (v->users)
		stage_wait(w->stage, "VM in use");
}

struct world_result world_vm_destroy(struct world *w, unsigned int vm)
{
	struct world_result r = { .error = ERR_INVAL };
	u64 before = descriptors_now(w);
	struct wvm *v;

	if (vm >= WORLD_VMS || !w->vm[vm].created || w->vm[vm].leaving)
		return r;
	v = &w->vm[vm];
	/* As closing the last descriptor: no call is left. What is mapped goes while the VM is
	 * still told of changes; after that nothing is told. */
	v->leaving = true;
	wait_unused(w, v);
	guest_mem_unmap_all(&v->m);
	v->detached = true;
	wait_unused(w, v);
	guest_mem_destroy(&v->m);
	for (int i = 0; i < WORLD_SLOTS; i++) {
		oracle_forget_log(&v->slot[i]);
		v->slot[i].used = false;
	}
	if (w->sabotage == SABOTAGE_LEAK)
		(void)port_alloc(w->port, 64);
	v->created = false;
	r.error = ERR_OK;
	r.descriptors = descriptors_now(w) - before;
	return r;
}

struct world_result world_policy(struct world *w, unsigned int vm, const char *name, u64 value)
{
	struct wvm *v = vm_use(w, vm);
	struct guest_mem_policy *p;
	struct world_result r = { .error = ERR_INVAL };

	if (!v)
		return r;
	p = &v->m.policy;
	r.error = ERR_OK;
	if (!strcmp(name, "strict_slots"))
		p->strict_slots = value;
	else if (!strcmp(name, "write_back"))
		p->write_back_flag = value;
	else if (!strcmp(name, "ivac_upgrade"))
		p->ivac = value ? IVAC_UPGRADE : IVAC_INJECT;
	else if (!strcmp(name, "manual_dirty"))
		p->dirty_protect = value ? DIRTY_PROTECT_ON_CLEAR : DIRTY_PROTECT_ON_GET;
	else if (!strcmp(name, "initially_dirty"))
		p->dirty_initially = value ? SLOT_DIRTY_SET : SLOT_DIRTY_CLEAR;
	else if (!strcmp(name, "eager_split"))
		p->eager_split = value;
	else
		r.error = ERR_INVAL;
	vm_unuse(v);
	return r;
}

/* ---- slots */

/* The VMM's own record follows what it was told. */
static void slot_record(struct world *w, struct wvm *v, const struct slot_request *r)
{
	struct wslot *s = &v->slot[r->id];
	bool logged = s->used && (s->r.flags & SLOT_LOG_DIRTY);
	bool logs = r->size && (r->flags & SLOT_LOG_DIRTY);

	if (!logs)
		oracle_forget_log(s);
	s->r = *r;
	s->used = r->size != 0;
	if (logs && !logged)
		oracle_start_log(w, s, v->m.policy.dirty_initially);
}

static int slot_change(struct world *w, struct wvm *v, const struct slot_request *r)
{
	bool was_logging = v->slot[r->id].written != NULL;
	struct slot_update u;
	int error;

	stage_mutex_lock(w->stage, &w->mm);
	error = guest_mem_slot_prepare(&v->m, r, &u);
	stage_mutex_unlock(w->stage, &w->mm);
	if (error)
		return error;
	/* Until the call returns, guests may still use the slot as it was. */
	v->going = v->slot[r->id];
	v->going.written = NULL;
	v->going.marked = NULL;
	slot_record(w, v, r);
	guest_mem_slot_commit(&v->m, &u);
	v->going.used = false;
	/* Who begins to log copies everything once, after the call: what was written until now. */
	if (!was_logging)
		oracle_log_begins(&v->slot[r->id]);
	if (!sequential(w))
		oracle_marks_unknown(w, &v->slot[r->id]);
	return ERR_OK;
}

struct world_result world_slot(struct world *w, unsigned int vm, const struct slot_request *r)
{
	struct wvm *v = vm_use(w, vm);
	struct world_result result = { .error = ERR_INVAL };
	u64 before = descriptors_now(w);
	char *state;

	if (!v || r->id >= WORLD_SLOTS) {
		if (v)
			vm_unuse(v);
		return result;
	}
	stage_mutex_lock(w->stage, &v->slots_lock);
	state = compare_begin(w);
	result.error = slot_change(w, v, r);
	if (result.error) {
		result.outcome.why = v->m.refusal.why;
		/* Beside others nobody knows what the host had when creation looked. */
		if (sequential(w))
			oracle_refused(w, r, v->m.refusal.hva.v, v->m.refusal.why);
	}
	if (result.error && w->sabotage == SABOTAGE_CHANGE_REFUSED)
		guest_mem_unmap_all(&v->m);
	compare_end(w, state, result.error);
	stage_mutex_unlock(w->stage, &v->slots_lock);
	vm_unuse(v);
	result.descriptors = descriptors_now(w) - before;
	return result;
}

/* ---- the dirty log */

static u64 bits_in(const u64 *words, u64 count)
{
	u64 n = 0;

	for (u64 i = 0; i < count; i++)
		n += (u64)__builtin_popcountl(words[i]);
	return n;
}

/* In what user space was given, which is the slot's own copy. */
static void sabotage_log(struct world *w, struct wvm *v, u32 slot)
{
	u64 *words = slot_by_id(&v->m.slots, slot)->dirty_copy;

	if (w->sabotage == SABOTAGE_LOSE_DIRTY)
		words[0] &= words[0] - 1;
	if (w->sabotage == SABOTAGE_MARK_DIRTY)
		words[0] |= words[0] + 1;
}

struct world_result world_dirty_get(struct world *w, unsigned int vm, u32 slot)
{
	struct wvm *v = vm_use(w, vm);
	struct world_result r = { .error = ERR_INVAL };
	u64 before = descriptors_now(w), began;
	struct dirty_log log;

	if (!v || slot >= WORLD_SLOTS) {
		if (v)
			vm_unuse(v);
		return r;
	}
	stage_mutex_lock(w->stage, &v->slots_lock);
	began = w->clock;
	r.error = dirty_log_get(&v->m, slot, &log);
	if (!r.error) {
		sabotage_log(w, v, slot);
		r.count = bits_in(log.words, log.count);
		oracle_told(w, &v->slot[slot], log.words, began, v->m.policy.dirty_protect);
	}
	stage_mutex_unlock(w->stage, &v->slots_lock);
	vm_unuse(v);
	r.descriptors = descriptors_now(w) - before;
	return r;
}

struct world_result world_dirty_clear(struct world *w, unsigned int vm, u32 slot, u64 first,
				      u64 npages)
{
	struct wvm *v = vm_use(w, vm);
	struct world_result r = { .error = ERR_INVAL };
	u64 before = descriptors_now(w), *mask;

	if (!v || slot >= WORLD_SLOTS || npages > WORLD_PAGES_MAX) {
		if (v)
			vm_unuse(v);
		return r;
	}
	mask = world_must(calloc(npages / 64 + 1, sizeof(*mask)));
	memset(mask, 0xff, (npages / 64 + 1) * sizeof(*mask));
	if (npages % 64)
		mask[npages / 64] = BIT(npages % 64) - 1;
	stage_mutex_lock(w->stage, &v->slots_lock);
	r.error = dirty_log_clear(&v->m, slot, first, npages, mask);
	if (!r.error) {
		dirty_log_clear_end(&v->m, slot);
		oracle_cleared(&v->slot[slot], first, npages);
	}
	stage_mutex_unlock(w->stage, &v->slots_lock);
	free(mask);
	vm_unuse(v);
	r.count = r.error ? 0 : npages;
	r.descriptors = descriptors_now(w) - before;
	return r;
}

/* ---- ahead of use */

struct world_result world_prefault(struct world *w, unsigned int vm, ipa_t ipa, u64 size)
{
	struct wvm *v = vm_use(w, vm);
	struct world_result r = { .error = ERR_INVAL };
	u64 before = descriptors_now(w);
	struct prefault_result res;

	if (!v)
		return r;
	res = guest_mem_prefault(&v->m, ipa, size);
	r.error = res.error;
	r.count = res.done - res.skipped;
	r.outcome.why = res.error ? res.why : res.skip_why;
	vm_unuse(v);
	r.descriptors = descriptors_now(w) - before;
	return r;
}

struct world_result world_raw(struct world *w, unsigned int vm, ipa_t ipa,
			      const struct s2_leaf *leaf)
{
	struct table_cache cache = { .count = 0 };
	struct guest_mem *m = world_vm(w, vm);

	if (!m || table_cache_fill(&cache, w->port, stage2_tables_max(&m->s2)))
		return (struct world_result){ .error = ERR_INVAL };
	port_read_lock(w->port, &m->s2.lock);
	(void)stage2_commit(&m->s2, &cache, ipa, leaf, 0);
	port_read_unlock(w->port, &m->s2.lock);
	table_cache_drain(&cache, w->port);
	return (struct world_result){ .error = ERR_OK };
}

/* Bytes of the range that are mapped, by type. */
static void sum_types(struct wvm *v, u64 ipa, u64 size, u64 sum[S2_TYPE_COUNT])
{
	struct s2_run run;

	for (u64 at = ipa; at < ipa + size && stage2_dump(&v->m.s2, IPA(at), &run);
	     at = run.ipa.v + run.size) {
		u64 start = max(run.ipa.v, ipa), end = min(run.ipa.v + run.size, ipa + size);

		if (start < end)
			sum[run.leaf.type] += end - start;
	}
}

static void sabotage_split(struct world *w, struct wvm *v, ipa_t ipa)
{
	struct s2_leaf leaf;

	if (w->sabotage != SABOTAGE_TYPELESS_SPLIT || !stage2_lookup(&v->m.s2, ipa, &leaf))
		return;
	leaf.type = S2_DEVICE;
	(void)world_raw(w, (unsigned int)(v - w->vm), ipa, &leaf);
}

static int split(struct world *w, struct wvm *v, ipa_t ipa, u64 size)
{
	int error = stage2_split(&v->m.s2, ipa, size);

	if (!error)
		sabotage_split(w, v, ipa);
	return error;
}

/* Beside other actors, who may map and unmap meanwhile, there is nothing to compare. */
static int split_compared(struct world *w, struct wvm *v, ipa_t ipa, u64 size)
{
	u64 before[S2_TYPE_COUNT] = { 0 }, after[S2_TYPE_COUNT] = { 0 };
	int error;

	sum_types(v, ipa.v, size, before);
	error = split(w, v, ipa, size);
	sum_types(v, ipa.v, size, after);
	w->place = ipa.v;
	for (int t = 0; t < S2_TYPE_COUNT; t++) {
		if (before[t] != after[t])
			machine_stop(w->port, "M17: splitting changed the type of memory at %#lx",
				     (unsigned long)ipa.v);
	}
	w->place = 0;
	return error;
}

/* As a slot that begins to log with eager splitting. */
struct world_result world_split(struct world *w, unsigned int vm, ipa_t ipa, u64 size)
{
	struct wvm *v = vm_use(w, vm);
	struct world_result r = { .error = ERR_INVAL };
	u64 before = descriptors_now(w);

	if (!v)
		return r;
	stage_mutex_lock(w->stage, &v->slots_lock);
	r.error = sequential(w) ? split_compared(w, v, ipa, size) : split(w, v, ipa, size);
	stage_mutex_unlock(w->stage, &v->slots_lock);
	vm_unuse(v);
	r.descriptors = descriptors_now(w) - before;
	return r;
}

struct world_result world_moved(struct world *w, unsigned int vm, const struct port_caps *there)
{
	struct wvm *v = vm_use(w, vm);

	if (!v)
		return (struct world_result){ .error = ERR_INVAL };
	v->moved = true;
	v->home = *there;
	vm_unuse(v);
	return (struct world_result){ .error = ERR_OK };
}

/* ---- the end */

void world_end(struct world *w)
{
	u64 live;

	for (unsigned int i = 0; i < WORLD_VMS; i++) {
		if (w->vm[i].created)
			(void)world_vm_destroy(w, i);
	}
	if (w->has_vmids)
		vmid_pool_destroy(&w->vmids);
	w->has_vmids = false;
	machine_quiesce(w->port);
	live = machine_live(w->port);
	if (live)
		machine_stop(w->port, "leak: %lu allocations or tables were not given back",
			     (unsigned long)live);
}
