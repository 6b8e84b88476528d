/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slots of a VM, sorted by gfn in runs of up to RUN_MAX. A change builds new runs (and a new
 * directory if their number changes) and publishes them with one store; the old ones are freed
 * after a grace period. So a change costs one run, and readers need no lock.
 */
#include "engine/slot.h"

enum { RUN_MAX = 32 };

/* Sorted, not empty. Entries may be exchanged (flags); the set of gfns is immutable. */
struct slot_run {
	u32 count;
	struct slot *slot[RUN_MAX];
};

struct slot_dir {
	u32 count;
	u32 capacity;
	struct slot_run *run[];
};

static size_t dir_size(u32 capacity)
{
	return sizeof(struct slot_dir) + capacity * sizeof(struct slot_run *);
}

static u64 dirty_words(u64 npages)
{
	return (npages + 63) / 64;
}

/* ---- life */

static struct slot_dir *dir_new(struct port *p, u32 capacity)
{
	struct slot_dir *d = port_alloc(p, dir_size(capacity));

	if (d)
		d->capacity = capacity;
	return d;
}

int slot_table_init(struct slot_table *t, struct port *p)
{
	*t = (struct slot_table){ .port = p };
	t->dir = dir_new(p, 1);
	return t->dir ? ERR_OK : ERR_NOMEM;
}

static void slot_free(struct port *p, struct slot *s)
{
	if (s->dirty)
		port_free(p, s->dirty, 2 * dirty_words(s->npages) * sizeof(u64));
	port_free(p, s, sizeof(*s));
}

static void slot_free_after_grace(struct port *p, struct slot *s, const struct slot *heir)
{
	if (s->dirty && !(heir && heir->dirty == s->dirty))
		port_free_after_grace(p, s->dirty, 2 * dirty_words(s->npages) * sizeof(u64));
	port_free_after_grace(p, s, sizeof(*s));
}

void slot_table_destroy(struct slot_table *t)
{
	for (u32 i = 0; i < t->dir->count; i++) {
		struct slot_run *run = t->dir->run[i];

		for (u32 k = 0; k < run->count; k++)
			slot_free(t->port, run->slot[k]);
		port_free(t->port, run, sizeof(*run));
	}
	port_free(t->port, t->dir, dir_size(t->dir->capacity));
	if (t->by_id)
		port_free(t->port, t->by_id, t->by_id_size * sizeof(struct slot *));
	*t = (struct slot_table){ .port = t->port };
}

/* ---- lookup */

static const struct slot_dir *dir_of(const struct slot_table *t)
{
	return __atomic_load_n(&t->dir, __ATOMIC_ACQUIRE);
}

static struct slot_run *run_at(const struct slot_dir *d, u32 i)
{
	return __atomic_load_n(&d->run[i], __ATOMIC_ACQUIRE);
}

static struct slot *slot_at(const struct slot_run *r, u32 i)
{
	return __atomic_load_n(&r->slot[i], __ATOMIC_ACQUIRE);
}

/* The last run that begins at or below @gfn; 0 if all begin above. */
static u32 find_run(const struct slot_dir *d, u64 gfn)
{
	u32 low = 0, high = d->count;

	while (high - low > 1) {
		u32 mid = low + (high - low) / 2;

		if (slot_at(run_at(d, mid), 0)->gfn <= gfn)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/* The first place in @r whose slot ends above @gfn; r->count if none. */
static u32 find_place(const struct slot_run *r, u64 gfn)
{
	u32 low = 0, high = r->count;

	while (low < high) {
		u32 mid = low + (high - low) / 2;
		const struct slot *s = slot_at(r, mid);

		if (s->gfn + s->npages <= gfn)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct slot *slot_first_from(const struct slot_table *t, u64 gfn)
{
	const struct slot_dir *d = dir_of(t);

	if (!d->count)
		return NULL;
	for (u32 i = find_run(d, gfn); i < d->count; i++) {
		const struct slot_run *r = run_at(d, i);
		u32 k = find_place(r, gfn);

		if (k < r->count)
			return slot_at(r, k);
	}
	return NULL;
}

struct slot *slot_find(const struct slot_table *t, u64 gfn)
{
	struct slot *s = slot_first_from(t, gfn);

	return s && s->gfn <= gfn ? s : NULL;
}

bool slot_look_up(const struct slot_table *t, u64 gfn, struct slot_view *view)
{
	u64 generation = __atomic_load_n(&t->generation, __ATOMIC_ACQUIRE);
	const struct slot *s;

	port_walk_enter(t->port);
	s = slot_find(t, gfn);
	if (s) {
		slot_view_of(s, view);
		view->generation = generation;
	}
	port_walk_leave(t->port);
	return s != NULL;
}

struct slot *slot_by_id(const struct slot_table *t, u32 id)
{
	return id < t->by_id_size ? t->by_id[id] : NULL;
}

/* ---- prepare */

static struct slot_verdict refused(int error, enum reason why)
{
	return (struct slot_verdict){ error, why };
}

static struct slot_verdict accepted(void)
{
	return (struct slot_verdict){ ERR_OK, WHY_NONE };
}

static struct slot_verdict check_request(const struct slot_request *r, u32 valid_flags)
{
	if (r->flags & ~valid_flags)
		return refused(ERR_INVAL, WHY_SLOT_FLAG_UNKNOWN);
	if ((r->size | r->ipa.v | r->hva.v) & (PAGE_SIZE - 1))
		return refused(ERR_INVAL, WHY_SLOT_UNALIGNED);
	if (r->id >= SLOT_ID_MAX || r->size >> PAGE_SHIFT > SLOT_PAGES_MAX)
		return refused(ERR_INVAL, WHY_SLOT_TOO_LARGE);
	if (r->ipa.v + r->size < r->ipa.v || r->hva.v + r->size < r->hva.v)
		return refused(ERR_INVAL, WHY_SLOT_WRAPS);
	return accepted();
}

static bool is_beyond(const struct slot_request *r, u64 ipa_limit)
{
	return r->ipa.v + r->size > ipa_limit;
}

struct slot_verdict slot_vet_alone(const struct slot_request *r, u32 valid_flags, u64 ipa_limit)
{
	struct slot_verdict v = check_request(r, valid_flags);

	if (v.error == ERR_OK && is_beyond(r, ipa_limit))
		return refused(ERR_FAULT, WHY_SLOT_BEYOND_IPA);
	return v;
}

/* What @r means for the slot of its id, which is @old or NULL. */
static struct slot_verdict classify(const struct slot_request *r, const struct slot *old,
				    enum slot_change_kind *kind)
{
	u64 npages = r->size >> PAGE_SHIFT;

	if (!old) {
		*kind = SLOT_CREATE;
		return r->size ? accepted() : refused(ERR_INVAL, WHY_SLOT_NO_SUCH);
	}
	if (!r->size) {
		*kind = SLOT_DELETE;
		return accepted();
	}
	if (npages != old->npages || r->hva.v != old->hva.v ||
	    ((r->flags ^ old->flags) & SLOT_READONLY))
		return refused(ERR_INVAL, WHY_SLOT_IMMUTABLE);
	if (r->ipa.v >> PAGE_SHIFT != old->gfn)
		*kind = SLOT_MOVE;
	else
		*kind = r->flags != old->flags ? SLOT_FLAGS : SLOT_NO_CHANGE;
	return accepted();
}

static bool overlaps_other(const struct slot_table *t, u64 gfn, u64 npages, const struct slot *self)
{
	const struct slot *s = slot_first_from(t, gfn);

	if (s && s == self)
		s = slot_first_from(t, s->gfn + s->npages);
	return s && s->gfn < gfn + npages;
}

static int log_new(struct port *p, struct slot *s, enum slot_initially initially)
{
	u64 words = dirty_words(s->npages);

	s->dirty = port_alloc(p, 2 * words * sizeof(u64));
	if (!s->dirty)
		return ERR_NOMEM;
	s->dirty_copy = s->dirty + words;
	for (u64 i = 0; initially == SLOT_DIRTY_SET && i < words; i++)
		s->dirty[i] = ~0UL;
	if (initially == SLOT_DIRTY_SET && s->npages % 64)
		s->dirty[words - 1] = BIT(s->npages % 64) - 1;
	return ERR_OK;
}

/* A slot that logged before keeps its log: commit hands it over. */
static struct slot *slot_new(struct port *p, const struct slot_request *r, const struct slot *old,
			     enum slot_initially initially)
{
	struct slot *s = port_alloc(p, sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct slot){
		.gfn = r->ipa.v >> PAGE_SHIFT,
		.npages = r->size >> PAGE_SHIFT,
		.hva = r->hva,
		.id = r->id,
		.flags = r->flags,
	};
	if ((r->flags & SLOT_LOG_DIRTY) && initially != SLOT_NO_BITMAP && !(old && old->dirty) &&
	    log_new(p, s, initially)) {
		port_free(p, s, sizeof(*s));
		return NULL;
	}
	return s;
}

/* Room for the id, doubling. */
static int reserve_id(struct slot_table *t, struct slot_reserve *r, u32 id)
{
	u32 size = t->by_id_size ? t->by_id_size : 32;

	if (id < t->by_id_size)
		return ERR_OK;
	while (size <= id)
		size *= 2;
	r->by_id = port_alloc(t->port, size * sizeof(*r->by_id));
	r->by_id_size = size;
	return r->by_id ? ERR_OK : ERR_NOMEM;
}

static void reserve_free(struct port *p, struct slot_reserve *r)
{
	while (r->runs)
		port_free(p, r->run[--r->runs], sizeof(struct slot_run));
	while (r->dirs) {
		r->dirs--;
		port_free(p, r->dir[r->dirs], dir_size(r->dir[r->dirs]->capacity));
	}
	if (r->by_id)
		port_free(p, r->by_id, r->by_id_size * sizeof(*r->by_id));
}

/* On failure what was got stays in @r; slot_cancel() frees it. */
static int reserve(struct slot_table *t, struct slot_reserve *r, u32 runs, u32 dirs)
{
	for (; r->runs < runs; r->runs++) {
		r->run[r->runs] = port_alloc(t->port, sizeof(struct slot_run));
		if (!r->run[r->runs])
			return ERR_NOMEM;
	}
	for (; r->dirs < dirs; r->dirs++) {
		r->dir[r->dirs] = dir_new(t->port, t->dir->count + 1);
		if (!r->dir[r->dirs])
			return ERR_NOMEM;
	}
	return ERR_OK;
}

/* Most changes touch one run and leave the directory as it is. */
static int reserve_for(struct slot_table *t, struct slot_change *c)
{
	const struct slot_dir *d = t->dir;
	u32 in_run;

	switch (c->kind) {
	case SLOT_CREATE:
		in_run = d->count ? d->run[find_run(d, c->new_slot->gfn)]->count : 0;
		if (in_run == RUN_MAX)
			return reserve(t, &c->reserve, 2, 1);
		return reserve(t, &c->reserve, 1, !in_run);
	case SLOT_DELETE:
		in_run = d->run[find_run(d, c->old->gfn)]->count;
		return reserve(t, &c->reserve, in_run > 1, in_run == 1);
	case SLOT_MOVE: return reserve(t, &c->reserve, 3, 2);
	case SLOT_FLAGS:
	case SLOT_NO_CHANGE: break;
	}
	return ERR_OK;
}

static int allocate(struct slot_table *t, const struct slot_request *r,
		    enum slot_initially initially, struct slot_change *change)
{
	if (change->kind == SLOT_CREATE && reserve_id(t, &change->reserve, r->id))
		return ERR_NOMEM;
	if (change->kind != SLOT_DELETE) {
		change->new_slot = slot_new(t->port, r, change->old, initially);
		if (!change->new_slot)
			return ERR_NOMEM;
	}
	return reserve_for(t, change);
}

/* Where the slot is to be in the guest's address space. */
static struct slot_verdict check_place(const struct slot_table *t, const struct slot_request *r,
				       u64 ipa_limit, const struct slot_change *c)
{
	if ((c->kind == SLOT_CREATE || c->kind == SLOT_MOVE) &&
	    overlaps_other(t, r->ipa.v >> PAGE_SHIFT, r->size >> PAGE_SHIFT, c->old))
		return refused(ERR_EXIST, WHY_SLOT_OVERLAP);
	if (c->kind != SLOT_DELETE && is_beyond(r, ipa_limit))
		return refused(ERR_FAULT, WHY_SLOT_BEYOND_IPA);
	return accepted();
}

static struct slot_verdict check(const struct slot_table *t, const struct slot_request *r,
				 u32 valid_flags, u64 ipa_limit, struct slot_change *c)
{
	struct slot_verdict v = check_request(r, valid_flags);

	if (v.error)
		return v;
	c->old = slot_by_id(t, r->id);
	v = classify(r, c->old, &c->kind);
	if (v.error || c->kind == SLOT_NO_CHANGE)
		return v;
	return check_place(t, r, ipa_limit, c);
}

int slot_prepare(struct slot_table *t, const struct slot_request *r, u32 valid_flags, u64 ipa_limit,
		 enum slot_initially initially, struct slot_change *change)
{
	struct slot_verdict v;

	*change = (struct slot_change){ .kind = SLOT_NO_CHANGE };
	v = check(t, r, valid_flags, ipa_limit, change);
	if (!v.error && change->kind != SLOT_NO_CHANGE && allocate(t, r, initially, change))
		v = refused(ERR_NOMEM, WHY_HOST_NOMEM);
	if (v.error) {
		slot_cancel(t, change);
		change->why = v.why;
	}
	return v.error;
}

void slot_cancel(struct slot_table *t, struct slot_change *change)
{
	if (change->new_slot)
		slot_free(t->port, change->new_slot);
	reserve_free(t->port, &change->reserve);
	*change = (struct slot_change){ .kind = SLOT_NO_CHANGE };
}

/* ---- commit */

static void run_copy(struct slot_run *to, const struct slot_run *from, u32 first, u32 count)
{
	for (u32 i = 0; i < count; i++)
		to->slot[to->count++] = from->slot[first + i];
}

static struct slot_run *take_run(struct slot_change *change)
{
	return change->reserve.run[--change->reserve.runs];
}

/* Publishes a directory in which runs [@at, @at + @out) are replaced by @in new ones. */
static void dir_splice(struct slot_table *t, struct slot_change *change, u32 at, u32 out,
		       struct slot_run *const *runs, u32 in)
{
	struct slot_dir *old = t->dir, *d = change->reserve.dir[--change->reserve.dirs];

	for (u32 i = 0; i < at; i++)
		d->run[d->count++] = old->run[i];
	for (u32 i = 0; i < in; i++)
		d->run[d->count++] = runs[i];
	for (u32 i = at + out; i < old->count; i++)
		d->run[d->count++] = old->run[i];
	__atomic_store_n(&t->dir, d, __ATOMIC_RELEASE);
	port_free_after_grace(t->port, old, dir_size(old->capacity));
}

/* Puts @r in place @i of the directory. */
static void run_publish(struct slot_table *t, u32 i, struct slot_run *r)
{
	struct slot_run *old = t->dir->run[i];

	__atomic_store_n(&t->dir->run[i], r, __ATOMIC_RELEASE);
	port_free_after_grace(t->port, old, sizeof(*old));
}

static void bump_generation(struct slot_table *t)
{
	__atomic_store_n(&t->generation, t->generation + 1, __ATOMIC_RELEASE);
}

void slot_commit_remove(struct slot_table *t, struct slot_change *change)
{
	const struct slot *s = change->old;
	u32 at = find_run(t->dir, s->gfn);
	struct slot_run *old = t->dir->run[at];
	u32 place = find_place(old, s->gfn);

	if (old->count == 1) {
		dir_splice(t, change, at, 1, NULL, 0);
		port_free_after_grace(t->port, old, sizeof(*old));
	} else {
		struct slot_run *r = take_run(change);

		run_copy(r, old, 0, place);
		run_copy(r, old, place + 1, old->count - place - 1);
		run_publish(t, at, r);
	}
	t->by_id[s->id] = NULL;
	t->count--;
	bump_generation(t);
}

/* A full run becomes two halves, one of which takes the new slot. */
static void insert_splitting(struct slot_table *t, struct slot_change *change, u32 at, u32 place)
{
	struct slot_run *old = t->dir->run[at];
	struct slot_run *half[2] = { take_run(change), take_run(change) };

	for (u32 i = 0; i <= old->count; i++) {
		struct slot_run *r = half[i > RUN_MAX / 2];

		if (i == place)
			r->slot[r->count++] = change->new_slot;
		else
			r->slot[r->count++] = old->slot[i - (i > place)];
	}
	dir_splice(t, change, at, 1, half, 2);
	port_free_after_grace(t->port, old, sizeof(*old));
}

static void insert(struct slot_table *t, struct slot_change *change)
{
	struct slot *s = change->new_slot;
	struct slot_run *r;
	u32 at, place;

	if (!t->dir->count) {
		r = take_run(change);
		r->slot[r->count++] = s;
		dir_splice(t, change, 0, 0, &r, 1);
		return;
	}
	at = find_run(t->dir, s->gfn);
	place = find_place(t->dir->run[at], s->gfn);
	if (t->dir->run[at]->count == RUN_MAX) {
		insert_splitting(t, change, at, place);
		return;
	}
	r = take_run(change);
	run_copy(r, t->dir->run[at], 0, place);
	r->slot[r->count++] = s;
	run_copy(r, t->dir->run[at], place, t->dir->run[at]->count - place);
	run_publish(t, at, r);
}

static void exchange(struct slot_table *t, struct slot_change *change)
{
	struct slot_run *r = t->dir->run[find_run(t->dir, change->old->gfn)];
	u32 place = find_place(r, change->old->gfn);

	__atomic_store_n(&r->slot[place], change->new_slot, __ATOMIC_RELEASE);
}

/* One bitmap, whichever of the two slots a fault finds: no mark is lost. */
static void hand_over_log(struct slot_change *change)
{
	struct slot *old = change->old, *s = change->new_slot;

	if (!old || !old->dirty || !(s->flags & SLOT_LOG_DIRTY))
		return;
	s->dirty = old->dirty;
	s->dirty_copy = old->dirty_copy;
}

/* The array of slots by number gives way to the larger one that was reserved, if it was. */
static void by_id_grow(struct slot_table *t, struct slot_reserve *r)
{
	struct slot **old = t->by_id;
	u32 old_size = t->by_id_size;

	if (!r->by_id)
		return;
	for (u32 i = 0; i < old_size; i++)
		r->by_id[i] = old[i];
	t->by_id = r->by_id;
	t->by_id_size = r->by_id_size;
	r->by_id = old;
	r->by_id_size = old_size;
}

void slot_commit_publish(struct slot_table *t, struct slot_change *change)
{
	hand_over_log(change);
	if (change->kind == SLOT_FLAGS) {
		exchange(t, change);
	} else {
		insert(t, change);
		t->count++;
	}
	by_id_grow(t, &change->reserve);
	t->by_id[change->new_slot->id] = change->new_slot;
	bump_generation(t);
}

void slot_commit_finish(struct slot_table *t, struct slot_change *change)
{
	if (change->old && change->kind != SLOT_NO_CHANGE)
		slot_free_after_grace(t->port, change->old, change->new_slot);
	reserve_free(t->port, &change->reserve);
	*change = (struct slot_change){ .kind = SLOT_NO_CHANGE };
}
