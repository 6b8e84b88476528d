/* SPDX-License-Identifier: Apache-2.0 */
/* Guests: what a vCPU does, and what the hypervisor's run loop makes of its faults. */
#include "check/world_priv.h"

enum { FAULTS_MAX = 64 };

#define ESR_DABT (0x24UL << 26)
#define ESR_IABT (0x20UL << 26)
#define ESR_ISV	 (1UL << 24)
#define ESR_CM	 (1UL << 8)
#define ESR_WALK (1UL << 7)
#define ESR_WNR	 (1UL << 6)
/* A load or store of 8 bytes by X1. */
#define ESR_X1 (ESR_ISV | 3UL << 22 | 1UL << 16 | 1UL << 15)

/* An access, or maintenance, by one vCPU. */
struct act {
	struct machine_guest_op op;
	enum machine_cmo cmo;
	bool is_cmo;
	bool has_syndrome;
};

static void enter(struct world *w, struct wvm *v, unsigned int vcpu)
{
	v->ran = true;
	machine_guest_enter(w->port, guest_mem_enter(&v->m, vcpu), v->m.s2.vtcr);
}

static void leave(struct world *w, struct wvm *v)
{
	machine_guest_leave(w->port);
	guest_mem_leave(&v->m);
}

static u64 esr_of(const struct act *a, const struct machine_guest_result *r)
{
	static const u8 base[] = {
		[MF_TRANSLATION] = 4, [MF_ACCESS_FLAG] = 8, [MF_PERMISSION] = 12
	};
	u64 esr = base[r->access.fault] + (u64)r->access.level;

	if (a->is_cmo)
		return esr | ESR_DABT | ESR_CM | ESR_WNR;
	if (a->op.op == MACHINE_FETCH)
		return esr | ESR_IABT | (r->on_walk ? ESR_WALK : 0);
	esr |= ESR_DABT | (a->op.op == MACHINE_WRITE ? ESR_WNR : 0);
	if (r->on_walk)
		return esr | ESR_WALK;
	return esr | (a->has_syndrome ? ESR_X1 : 0);
}

static struct machine_guest_result attempt(struct world *w, const struct act *a)
{
	return a->is_cmo ? machine_guest_cmo(w->port, a->op.ipa, a->cmo)
			 : machine_guest(w->port, &a->op);
}

static void may_mark(struct world *w, struct wvm *v, const struct act *a,
		     const struct machine_guest_result *r)
{
	bool writes = (!a->is_cmo && a->op.op == MACHINE_WRITE) || r->walk_writes ||
		      (a->is_cmo && a->cmo == CMO_INVAL);

	if (writes)
		oracle_may_mark(w, v, r->fault_ipa.v);
	if (writes && !r->on_walk)
		oracle_may_mark(w, v, a->op.ipa.v);
}

/* One try. True: the access went through, or what it came to is in @out. */
static bool try_once(struct world *w, struct wvm *v, unsigned int vcpu, const struct act *a,
		     struct world_result *out)
{
	struct machine_guest_result r;
	struct fault_trap trap;

	enter(w, v, vcpu);
	/* Hardware that keeps dirty state marks by itself, DC IVAC included: it needs permission to
	 * write. */
	if (a->is_cmo ? a->cmo == CMO_INVAL : a->op.op == MACHINE_WRITE)
		oracle_may_mark(w, v, a->op.ipa.v);
	if (!a->is_cmo && a->op.updates_af)
		oracle_may_mark(w, v, a->op.table[a->op.table[1].v != 0].v);
	r = attempt(w, a);
	leave(w, v);
	if (r.access.fault == MF_NONE) {
		out->version = r.version;
		return true;
	}
	may_mark(w, v, a, &r);
	trap = (struct fault_trap){
		.esr = esr_of(a, &r),
		.far = a->op.ipa.v,
		.hpfar = (r.fault_ipa.v & PAGE_MASK) >> 8,
	};
	out->outcome = fault_handle(&v->m, &trap);
	return out->outcome.kind != OUTCOME_RESUME;
}

static const char *act_name(const struct act *a)
{
	static const char *const names[] = { "read", "write", "fetch" };

	return a->is_cmo ? "maintenance" : names[a->op.op];
}

static struct world_result act(struct world *w, unsigned int vm, unsigned int vcpu,
			       const struct act *a)
{
	struct world_result r = { .error = ERR_INVAL };
	u64 before = descriptors_now(w);
	struct wvm *v = vm_use(w, vm);

	if (!v)
		return r;
	r.error = ERR_OK;
	for (int i = 0; !try_once(w, v, vcpu, a, &r); i++) {
		if (i == (sequential(w) ? FAULTS_MAX : 100 * FAULTS_MAX))
			machine_stop(w->port,
				     "the guest faults for ever at IPA %#lx: %s, result %d (%s)",
				     (unsigned long)a->op.ipa.v, act_name(a), (int)r.outcome.done,
				     reason_text(r.outcome.why));
		port_relax_point(w->port);
	}
	vm_unuse(v);
	r.descriptors = descriptors_now(w) - before;
	return r;
}

struct world_result world_guest(struct world *w, unsigned int vm, unsigned int vcpu,
				const struct machine_guest_op *op)
{
	struct act a = { .op = *op, .has_syndrome = true };

	return act(w, vm, vcpu, &a);
}

struct world_result world_guest_pair(struct world *w, unsigned int vm, unsigned int vcpu,
				     const struct machine_guest_op *op)
{
	struct act a = { .op = *op };

	return act(w, vm, vcpu, &a);
}

struct world_result world_guest_cmo(struct world *w, unsigned int vm, unsigned int vcpu, ipa_t ipa,
				    enum machine_cmo op)
{
	struct act a = { .op = { .ipa = ipa }, .cmo = op, .is_cmo = true };

	return act(w, vm, vcpu, &a);
}
