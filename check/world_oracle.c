/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each party is entitled to, said apart from the engine: from the host's leaves and the VMM's
 * own record of its slots. The first breach stops the run, with the rule in front.
 */
#include "check/world_priv.h"

#include <stdlib.h>

/* Stops the run; the history told with it is that of @ipa. */
#define breach(w, ipa, ...) ((w)->place = (ipa), machine_stop((w)->port, __VA_ARGS__))

/* ---- the policy once more, as predicates (design.md M2 to M5, M10) */

enum s2_type oracle_type(const struct world *w, const struct leaf *leaf, const struct mapping *map,
			 u32 slot_flags)
{
	bool fwb = w->config.caps.fwb;

	if (slot_flags & SLOT_WRITE_BACK)
		return fwb && leaf->type == MEM_WB ? S2_NORMAL : S2_TYPE_COUNT;
	if (leaf->type == MEM_WB)
		return map->conf.reach == REACH_NONE && !fwb ? S2_TYPE_COUNT : S2_NORMAL;
	if (map->conf.owner == OWNER_ANY_UNCACHED)
		return S2_NORMAL_NC;
	if (leaf->type == MEM_NC && map->conf.reach == REACH_ALIAS)
		return S2_NORMAL_NC;
	return S2_DEVICE;
}

/* The rule behind a mapping of that type where it ought not to be. */
static unsigned int rule_of(const struct leaf *leaf, enum s2_type right, u32 slot_flags)
{
	if (slot_flags & SLOT_WRITE_BACK)
		return 10;
	if (right == S2_TYPE_COUNT)
		return 4;
	if (leaf->type == MEM_WB)
		return 3;
	return 5;
}

static const char *type_name(enum s2_type type)
{
	static const char *const names[] = { "normal", "nc", "device", "nothing" };

	return names[type];
}

/* ---- slots as the VMM knows them */

static bool covers(const struct wslot *s, u64 ipa)
{
	return s->used && ipa >= s->r.ipa.v && ipa < s->r.ipa.v + s->r.size;
}

static struct wslot *slot_at(struct wvm *v, u64 ipa)
{
	for (int i = 0; i < WORLD_SLOTS; i++) {
		if (covers(&v->slot[i], ipa))
			return &v->slot[i];
	}
	return NULL;
}

static u64 hva_of(const struct wslot *s, u64 ipa)
{
	return s->r.hva.v + (ipa - s->r.ipa.v);
}

static bool is_mapped_at(struct wvm *v, u64 ipa)
{
	struct s2_leaf leaf;
	bool found;

	port_walk_enter(v->m.s2.port);
	found = stage2_lookup(&v->m.s2, IPA(ipa), &leaf);
	port_walk_leave(v->m.s2.port);
	return found;
}

bool oracle_is_mapped(struct world *w, u64 hva)
{
	for (unsigned int i = 0; i < WORLD_VMS; i++) {
		struct wvm *v = &w->vm[i];

		for (int k = 0; v->created && !v->leaving && k < WORLD_SLOTS; k++) {
			const struct wslot *s = &v->slot[k];

			if (!s->used || hva < s->r.hva.v || hva >= s->r.hva.v + s->r.size)
				continue;
			if (is_mapped_at(v, s->r.ipa.v + (hva - s->r.hva.v)))
				return true;
		}
	}
	return false;
}

/* ---- what slot creation refused (M7) */

/* Is the leaf the reason? Else it is what the VMA declares of pages that are not there yet, and a
 * driver may map them as something else (M1). */
static bool is_refused_leaf(const struct leaf *l, enum reason why)
{
	if (!l || !l->present)
		return false;
	return why == WHY_CANNOT_CLEAN ? l->type == MEM_WB
				       : why == WHY_WB_NOT_WB && l->type != MEM_WB;
}

void oracle_refused(struct world *w, const struct slot_request *r, u64 hva, enum reason why)
{
	const struct leaf *l = host_leaf_at(w, hva);

	w->refused.map = NULL;
	if (!is_refused_leaf(l, why))
		return;
	w->refused = (struct refused){
		.map = host_mapping(w, hva),
		.hva = hva & PAGE_MASK,
		.pa = l->pa,
		.flags = r->flags,
		.type = l->type,
	};
}

static bool creation_refused(const struct world *w, const struct wslot *s, u64 hva,
			     const struct mapping *m, const struct leaf *l)
{
	const struct refused *r = &w->refused;

	return r->map == m && r->hva == (hva & PAGE_MASK) && r->pa == l->pa && r->type == l->type &&
	       !((r->flags ^ s->r.flags) & SLOT_WRITE_BACK);
}

/* ---- accesses */

struct claim {
	u64 ipa, pa;
	enum machine_op op;
	enum machine_type type;
};

/* What is wrong with an access through slot @s: the rule and words, or NULL. */
static const char *objection(struct world *w, const struct wslot *s, const struct claim *c)
{
	const struct mapping *m = host_mapping(w, hva_of(s, c->ipa));
	const struct leaf *l = host_leaf_at(w, hva_of(s, c->ipa));
	enum s2_type right;

	if (!m || !l->present || l->poisoned)
		return "M13: the host has unmapped what the guest reaches";
	if (l->pa != (c->pa & PAGE_MASK))
		return "M13: the guest reaches another page than the host has there";
	if (c->op == MACHINE_WRITE && (s->r.flags & SLOT_READONLY))
		return "M15: the guest writes through a read-only slot";
	if (c->op == MACHINE_WRITE && !l->writable && m->writable && m->special)
		return "M14: the guest writes, and the owner was not asked";
	if (c->op == MACHINE_WRITE && !(l->writable && m->writable))
		return "M8: the guest writes what the host has read-only";
	if (creation_refused(w, s, hva_of(s, c->ipa), m, l))
		return "M7: the guest reaches what slot creation refused";
	right = oracle_type(w, l, m, s->r.flags);
	if (right == S2_TYPE_COUNT)
		return s->r.flags & SLOT_WRITE_BACK
			       ? "M10: the guest reaches what is not guaranteed"
			       : "M4: the guest reaches write-back memory that nobody can clean";
	if (c->type == MACHINE_WB && right != S2_NORMAL)
		return "M5: the guest uses uncached memory as write-back";
	if (c->type != MACHINE_WB && right == S2_NORMAL && w->config.caps.fwb)
		return "M3: write-back is not forced on the guest";
	if (c->op == MACHINE_FETCH && right != S2_NORMAL)
		return "M5: the guest executes from uncached memory";
	return NULL;
}

static struct wvm *vm_of_vttbr(struct world *w, u64 vttbr)
{
	for (unsigned int i = 0; i < WORLD_VMS; i++) {
		struct wvm *v = &w->vm[i];

		if (v->created && !((v->m.s2.vttbr ^ vttbr) & GENMASK(47, 1)))
			return v;
	}
	return NULL;
}

static void note_write(struct world *w, struct wslot *s, u64 ipa)
{
	if (s && s->written)
		s->written[page_of(ipa, s->r.ipa.v)] = ++w->clock;
}

/* While a call changes the slot, what it was counts as well. */
void oracle_guest_access(void *arg, const struct machine_used *u)
{
	struct world *w = arg;
	struct wvm *v = vm_of_vttbr(w, u->vttbr);
	const struct claim c = { u->ipa.v, u->pa.v, u->op, u->type };
	const char *why = "M13: the guest reaches memory where it has no slot";
	const struct leaf *leaf;
	struct wslot *s;

	if (!v)
		machine_stop(w->port, "M13: a guest runs whose VM is gone");
	s = slot_at(v, u->ipa.v);
	if (s)
		why = objection(w, s, &c);
	if (why && covers(&v->going, u->ipa.v))
		why = objection(w, &v->going, &c);
	if (why)
		breach(w, u->ipa.v, "%s: %s of IPA %#lx, PA %#lx%s", why,
		       u->op == MACHINE_WRITE  ? "write"
		       : u->op == MACHINE_READ ? "read"
					       : "fetch",
		       (unsigned long)u->ipa.v, (unsigned long)u->pa.v,
		       u->stale ? ", by a stale translation" : "");
	/* A page is logged for what stage 2 says of it, whatever stage 1 makes of that. */
	leaf = s ? host_leaf_at(w, hva_of(s, u->ipa.v)) : NULL;
	if (u->op == MACHINE_WRITE && (u->type == MACHINE_WB || (leaf && leaf->type == MEM_WB)))
		note_write(w, s, u->ipa.v);
}

/* ---- the dirty log */

void oracle_start_log(struct world *w, struct wslot *s, enum slot_initially initially)
{
	bool unmarked = initially == SLOT_DIRTY_CLEAR && sequential(w) && !w->config.caps.hw_dbm;

	s->pages = s->r.size >> PAGE_SHIFT;
	s->written = world_must(calloc(s->pages, sizeof(*s->written)));
	s->marked = world_must(calloc(s->pages, sizeof(*s->marked)));
	/* A log may begin with all pages marked, and hardware or others may just be writing. */
	for (u64 i = 0; !unmarked && i < s->pages; i++)
		s->marked[i] = ++w->clock;
}

void oracle_marks_unknown(struct world *w, struct wslot *s)
{
	for (u64 i = 0; s->marked && i < s->pages; i++)
		s->marked[i] = ++w->clock;
}

void oracle_log_begins(struct wslot *s)
{
	for (u64 i = 0; s->written && i < s->pages; i++)
		s->written[i] = 0;
}

void oracle_forget_log(struct wslot *s)
{
	free(s->written);
	free(s->marked);
	s->written = NULL;
	s->marked = NULL;
	s->pages = 0;
}

void oracle_may_mark(struct world *w, struct wvm *v, u64 ipa)
{
	struct wslot *s = slot_at(v, ipa);

	if (s && s->marked)
		s->marked[page_of(ipa, s->r.ipa.v)] = ++w->clock;
}

static bool bit(const u64 *words, u64 i)
{
	return words[i / 64] >> i % 64 & 1;
}

/*
 * User space copies the pages it was told of after the call has returned, so it has seen whatever
 * was written before that. A page written since it last knew is told now, or, if it was written
 * while the call ran, next time.
 */
void oracle_told(struct world *w, struct wslot *s, const u64 *words, u64 began,
		 enum dirty_protect protect)
{
	for (u64 i = 0; s->written && i < s->pages; i++) {
		u64 ipa = s->r.ipa.v + (i << PAGE_SHIFT);

		if (s->written[i] && s->written[i] <= began && !bit(words, i))
			breach(w, ipa, "M17: lost dirty bit: IPA %#lx was written",
			       (unsigned long)ipa);
		if (bit(words, i) && !s->marked[i])
			breach(w, ipa, "M12: IPA %#lx is told dirty, but nobody wrote it",
			       (unsigned long)ipa);
		if (!bit(words, i) || protect != DIRTY_PROTECT_ON_GET)
			continue;
		s->written[i] = 0;
		/* A fault that is on its way may mark the page once more. */
		if (sequential(w))
			s->marked[i] = 0;
	}
}

/* What hardware has marked and nobody has read yet may be told later all the same. */
void oracle_cleared(struct wslot *s, u64 first, u64 pages)
{
	for (u64 i = first; s->written && i < min(first + pages, s->pages); i++)
		s->written[i] = 0;
}

/* ---- at rest */

struct rest {
	struct world *w;
	struct wvm *v;
	unsigned int vm;
};

static void check_leaf(const struct rest *x, u64 ipa, u64 pa, const struct s2_leaf *leaf)
{
	struct world *w = x->w;
	const struct wslot *s = slot_at(x->v, ipa);
	const struct claim c = { ipa, pa, leaf->perms & S2_W ? MACHINE_WRITE : MACHINE_READ,
				 leaf->type == S2_NORMAL ? MACHINE_WB : MACHINE_NC };
	const char *why = s ? objection(w, s, &c) : "M9: stage 2 maps where no slot is";
	const struct leaf *l = s ? host_leaf_at(w, hva_of(s, ipa)) : NULL;
	enum s2_type right;

	if (why)
		breach(w, ipa, "%s: stage 2 of IPA %#lx at rest", why, (unsigned long)ipa);
	right = oracle_type(w, l, host_mapping(w, hva_of(s, ipa)), s->r.flags);
	if (right != leaf->type)
		breach(w, ipa, "M%u: IPA %#lx is mapped %s, but it is %s",
		       rule_of(l, right, s->r.flags), (unsigned long)ipa, type_name(leaf->type),
		       type_name(right));
	if (leaf->level < l->level)
		breach(w, ipa, "M6: IPA %#lx is mapped larger than its host leaf",
		       (unsigned long)ipa);
	if (leaf->type != S2_NORMAL && (leaf->perms & S2_X))
		breach(w, ipa, "M5: IPA %#lx is uncached and executable", (unsigned long)ipa);
}

/* A page that is writable in a slot that logs is marked, or its first write would be lost. */
static void check_logged(const struct rest *x, u64 ipa, const struct s2_leaf *leaf)
{
	const struct slot *s = slot_find(&x->v->m.slots, ipa >> PAGE_SHIFT);
	u64 page = s ? (ipa >> PAGE_SHIFT) - s->gfn : 0;

	if (!s || !s->dirty || x->v->m.s2.hw_dirty || leaf->type != S2_NORMAL ||
	    !(leaf->perms & S2_W) || bit(s->dirty, page))
		return;
	breach(x->w, ipa, "M17: IPA %#lx is writable, logged, and not marked", (unsigned long)ipa);
}

static void check_run(const struct rest *x, const struct s2_run *run)
{
	for (u64 at = 0; at < run->size; at += PAGE_SIZE) {
		check_leaf(x, run->ipa.v + at, run->leaf.pa.v + at, &run->leaf);
		check_logged(x, run->ipa.v + at, &run->leaf);
	}
}

/* The counters and the tables must tell the same story. */
static void check_counters(const struct rest *x, u64 mapped[STAT_LEVELS][S2_TYPE_COUNT])
{
	struct stats st;

	stage2_stats(&x->v->m.s2, &st);
	for (int l = 0; l < STAT_LEVELS; l++) {
		for (int t = 0; t < S2_TYPE_COUNT; t++) {
			if (st.mapped[l][t] != mapped[l][t])
				machine_stop(x->w->port,
					     "M18: counters say %lu bytes at level %d, tables %lu",
					     (unsigned long)st.mapped[l][t], l,
					     (unsigned long)mapped[l][t]);
		}
	}
}

/* The VM was promised what the host has on which it was made. */
static void check_home(const struct rest *x)
{
	const struct port_caps *promised = &x->w->config.caps, *home = &x->v->home;

	if (!x->v->moved)
		return;
	if (promised->fwb && !home->fwb)
		machine_stop(x->w->port,
			     "M16: VM %u was promised forced write-back, and is where no FWB is",
			     x->vm);
	if (promised->dic && !home->dic)
		machine_stop(x->w->port, "M16: VM %u was promised DIC, and is where no DIC is",
			     x->vm);
}

static enum s2_type dumped_type(const struct world *w, const struct s2_run *run)
{
	return w->sabotage == SABOTAGE_TYPELESS_DUMP ? S2_NORMAL : run->leaf.type;
}

void world_check(struct world *w)
{
	for (unsigned int i = 0; i < WORLD_VMS; i++) {
		struct rest x = { w, &w->vm[i], i };
		u64 mapped[STAT_LEVELS][S2_TYPE_COUNT] = { { 0 } };
		struct s2_run run;

		if (!w->vm[i].created)
			continue;
		for (u64 at = 0; stage2_dump(&x.v->m.s2, IPA(at), &run);
		     at = run.ipa.v + run.size) {
			check_run(&x, &run);
			mapped[run.leaf.level][dumped_type(w, &run)] += run.size;
		}
		check_counters(&x, mapped);
		check_home(&x);
	}
}
