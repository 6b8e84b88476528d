/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two threads change what is behind the guests of kvm_mixed: one what mappings are there and what
 * they allow, the other of which type they are and what their slots say.
 */
#define _GNU_SOURCE
#include "tests/target/kvm_mixed.h"

#include <sched.h>

#include "abi/catwalk.h"
#include "abi/catwalk_devmem.h"
#include "tests/target/check.h"

#define MOVED_BY (2048UL * MIB)

const char *const action_names[ACTIONS] = {
#define X(name, who, what) [ACTION_##name] = what,
	MIXED_ACTIONS(X)
#undef X
};

/* ---- a change: some stripes of an area */

struct change {
	struct mixed *m;
	struct area *a;
	uint64_t *random;
	uint32_t first, count; /* stripes */
	char *at;
	uint64_t size;
	int guaranteed; /* the slot is */
};

static void window_open(struct area *a, enum window w)
{
	atomic_fetch_add(&a->begun[w], 1);
}

static void window_close(struct area *a, enum window w)
{
	atomic_fetch_add(&a->ended[w], 1);
}

/* Long enough for guests to come by, if there is not a processor for each. */
static void linger(const struct change *c)
{
	for (uint64_t n = mixed_random(c->random) % 8; n > 4; n--)
		sched_yield();
}

static void forbid(_Atomic uint32_t *closed, uint32_t accesses)
{
	atomic_store(closed, (atomic_load(closed) | CLOSED_ALL) + 1 + accesses);
}

/* What mappings do not allow now; CLOSED_*. After the change, or before it is undone. */
static void forbid_stripes(const struct change *c, uint32_t accesses)
{
	for (uint32_t i = c->first; i < c->first + c->count; i++)
		forbid(&c->m->shared->closed[i], accesses);
}

/* What the slot or the type does not allow now. */
static void forbid_area(const struct change *c, uint32_t accesses)
{
	forbid(&c->m->shared->area_closed[c->a - c->m->area], accesses);
}

static void next_epoch_half(struct mixed *m, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++)
		atomic_fetch_add(&m->shared->epoch[i], 1);
}

/* ---- what the mapper does */

static void protect(struct change *c)
{
	int read = !(c->a->slot_flags & KVM_MEM_READONLY) && mixed_random(c->random) % 2;

	window_open(c->a, WINDOW_FAULT);
	CHECK_OK(mprotect(c->at, c->size, read ? PROT_READ : PROT_NONE));
	forbid_stripes(c, read ? CLOSED_WRITE : CLOSED_ALL);
	linger(c);
	forbid_stripes(c, 0);
	CHECK_OK(mprotect(c->at, c->size, PROT_READ | PROT_WRITE));
	window_close(c->a, WINDOW_FAULT);
}

/* The file has the words. */
static void zap(struct change *c)
{
	CHECK_OK(madvise(c->at, c->size, MADV_DONTNEED));
}

static void discard(struct change *c)
{
	next_epoch_half(c->m, c->first, c->count);
	CHECK_OK(madvise(c->at, c->size, MADV_DONTNEED));
	next_epoch_half(c->m, c->first, c->count);
}

/* What is mapped in a stripe now. */
static uint32_t bank_now(const struct change *c, uint32_t stripe)
{
	return bank_of(c->a->guest.flags, atomic_load(&c->m->shared->epoch[stripe]));
}

/* Mapped over what is there, or after it has gone for a while. */
static void map_again(struct change *c)
{
	int hole = mixed_random(c->random) % 2;

	if (hole) {
		window_open(c->a, WINDOW_FAULT);
		CHECK_OK(munmap(c->at, c->size));
		forbid_stripes(c, CLOSED_ALL);
		linger(c);
		forbid_stripes(c, 0);
	}
	for (uint32_t i = c->first; i < c->first + c->count; i++)
		area_map(c->a, (uint64_t)(i - c->a->guest.first) * STRIPE, STRIPE, bank_now(c, i));
	if (hole)
		window_close(c->a, WINDOW_FAULT);
}

static void replace(struct change *c)
{
	next_epoch_half(c->m, c->first, c->count);
	map_again(c);
	next_epoch_half(c->m, c->first, c->count);
}

static void move_pages(void *from, void *to)
{
	REQUIRE(mremap(from, STRIPE, STRIPE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
}

static void exchange_moved(struct area *a, uint64_t offset)
{
	char *spare = a->hidden + a->size;

	window_open(a, WINDOW_FAULT);
	move_pages(a->window + offset, spare);
	move_pages(a->hidden + offset, a->window + offset);
	move_pages(spare, a->hidden + offset);
	window_close(a, WINDOW_FAULT);
}

void area_exchange(struct mixed *m, struct area *a, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++) {
		uint64_t offset = (uint64_t)(i - a->guest.first) * STRIPE;
		uint32_t bank = bank_of(a->guest.flags, atomic_load(&m->shared->epoch[i]));

		next_epoch_half(m, i, 1);
		if (a->hidden)
			exchange_moved(a, offset);
		else
			area_map(a, offset, STRIPE, !bank);
		next_epoch_half(m, i, 1);
	}
}

static void exchange(struct change *c)
{
	area_exchange(c->m, c->a, c->first, c->count);
}

static void change_huge(struct change *c)
{
	CHECK_OK(madvise(c->a->window, c->a->size,
			 mixed_random(c->random) % 2 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
}

/* ---- what the retyper does */

/* What guests cannot do while the leaves are of a type: none but write-back is executed from (M5);
 * a guarantee is kept (M10); without FWB write-back out of reach is refused (M4). */
static uint32_t closed_by_type(const struct change *c, unsigned long type)
{
	if (type == CATWALK_DEVMEM_WRITE_BACK)
		return c->m->fwb ? 0 : CLOSED_ALL;
	return c->guaranteed ? CLOSED_ALL : CLOSED_EXECUTE;
}

/* Through all types that a host has. */
static void retype(struct change *c)
{
	int refused = c->guaranteed || !c->m->fwb;

	if (refused)
		window_open(c->a, WINDOW_FAULT);
	window_open(c->a, WINDOW_ABORT);
	for (unsigned long i = 1; i <= 3; i++) {
		unsigned long type = (c->a->type + i) % 3;

		forbid_area(c, 0);
		CHECK_OK(ioctl(c->a->node, CATWALK_DEVMEM_SET_TYPE, type));
		if (c->a->all_device)
			forbid_area(c, closed_by_type(c, type));
		if (i < 3)
			linger(c);
	}
	window_close(c->a, WINDOW_ABORT);
	if (refused)
		window_close(c->a, WINDOW_FAULT);
}

static void revoke_leaves(struct change *c)
{
	struct catwalk_devmem_range range = { (uint64_t)c->at, c->size };

	/* ENOENT: nothing is mapped just now, or the other bank. */
	if (ioctl(c->a->node, CATWALK_DEVMEM_REVOKE, &range))
		CHECK(errno == ENOENT &&
		      c->a->actions & (1U << ACTION_REMAP | 1U << ACTION_EXCHANGE));
}

/* The latest generation that a guest has recorded. */
static uint32_t recorded(const struct mixed *m, uint32_t index)
{
	const volatile struct page_state *one = &m->shared->state[0][index];
	const volatile struct page_state *two = &m->shared->state[1][index];
	uint32_t a = one->gen, b = two->gen;

	return a > b ? a : b;
}

/* The bits of pages that were written by a generation after @after[its vCPU]. */
static void pages_written(const struct change *c, const uint32_t *after, uint64_t *written)
{
	uint32_t first = c->a->guest.first;

	for (uint32_t i = first * USED; i < (first + c->a->guest.stripes) * USED; i++) {
		uint64_t page = page_offset(i / USED, i % USED) / PAGE;

		page -= (uint64_t)first * (STRIPE / PAGE);
		if (recorded(c->m, i) > after[i / USED % VCPUS])
			written[page / 64] |= 1UL << page % 64;
	}
}

/* Not write-back: what is known of it at the call is refused, and the rest is not logged (M17). */
static int is_logged(const struct area *a)
{
	return a->node < 0 || a->type == CATWALK_DEVMEM_WRITE_BACK;
}

static int start_log(const struct change *c)
{
	struct catwalk_refusal refusal = { 0 };
	int error = area_slot(c->m, c->a, KVM_MEM_LOG_DIRTY_PAGES, c->a->gpa);

	if (!error || is_logged(c->a))
		return CHECK_EQ(error, 0);
	CHECK_EQ(error, -EINVAL);
	CHECK_OK(ioctl(c->m->vm.fd, KVM_CATWALK_GET_REFUSAL, &refusal));
	CHECK_EQ(refusal.rule, 17);
	return 0;
}

/* Of what was begun and recorded while the slot logged, the log knows. */
static void log_writes(struct change *c)
{
	static uint64_t bitmap[STRIPES * (STRIPE / PAGE) / 64], written[sizeof(bitmap) / 8];
	struct kvm_dirty_log log = { .slot = c->a->slot, .dirty_bitmap = bitmap };
	uint32_t begun[VCPUS];
	uint64_t lost = 0;

	if (!start_log(c))
		return;
	for (uint32_t i = 0; i < VCPUS; i++)
		begun[i] = *(const volatile uint32_t *)&c->m->shared->walker[i].generation;
	memset(written, 0, sizeof(written));
	for (int i = 0; i < 4; i++)
		sched_yield();
	if (c->a->guest.flags & AREA_WRITES && is_logged(c->a))
		pages_written(c, begun, written);
	CHECK_OK(ioctl(c->m->vm.fd, KVM_GET_DIRTY_LOG, &log));
	for (uint64_t i = 0; i < (c->a->size / PAGE + 63) / 64; i++)
		lost |= written[i] & ~bitmap[i];
	if (!CHECK_EQ(lost, 0))
		printf("    the log of %s lacks pages\n", area_name(c->a));
	CHECK_EQ(area_slot(c->m, c->a, c->a->slot_flags, c->a->gpa), 0);
}

static void open_slot_windows(struct area *a)
{
	window_open(a, WINDOW_MMIO);
	window_open(a, WINDOW_ABORT);
}

static void close_slot_windows(struct area *a)
{
	window_close(a, WINDOW_ABORT);
	window_close(a, WINDOW_MMIO);
}

static void make_again(struct change *c, uint32_t flags)
{
	CHECK_EQ(vm_slot(&c->m->vm, c->a->slot, 0, 0, 0, NULL), 0);
	forbid_area(c, CLOSED_ALL);
	linger(c);
	forbid_area(c, 0);
	CHECK_EQ(area_slot(c->m, c->a, flags, c->a->gpa), 0);
}

static void recreate(struct change *c)
{
	open_slot_windows(c->a);
	make_again(c, c->a->slot_flags);
	close_slot_windows(c->a);
}

static void make_read_only(struct change *c)
{
	open_slot_windows(c->a);
	make_again(c, KVM_MEM_READONLY);
	forbid_area(c, CLOSED_WRITE);
	linger(c);
	make_again(c, c->a->slot_flags);
	close_slot_windows(c->a);
}

static void move_slot(struct change *c)
{
	open_slot_windows(c->a);
	CHECK_EQ(area_slot(c->m, c->a, c->a->slot_flags, c->a->gpa + MOVED_BY), 0);
	forbid_area(c, CLOSED_ALL);
	linger(c);
	forbid_area(c, 0);
	CHECK_EQ(area_slot(c->m, c->a, c->a->slot_flags, c->a->gpa), 0);
	close_slot_windows(c->a);
}

/* A guarantee for memory that changes its type is kept by refusing faults. */
static void guarantee(struct change *c)
{
	CHECK_EQ(area_slot(c->m, c->a, KVM_MEM_WRITE_BACK, c->a->gpa), 0);
	c->guaranteed = 1;
	if (c->a->node >= 0)
		retype(c);
	else
		linger(c);
	CHECK_EQ(area_slot(c->m, c->a, c->a->slot_flags, c->a->gpa), 0);
}

static void prefault(struct change *c)
{
	struct catwalk_prefault p = {
		.slot = c->a->slot,
		.flags = mixed_random(c->random) % 2 ? CATWALK_PREFAULT_PRESENT : 0,
		.offset = (uint64_t)(c->at - c->a->window),
		.size = c->size,
	};

	CHECK_OK(ioctl(c->m->vm.fd, KVM_CATWALK_PREFAULT_SLOT, &p));
}

/* ---- the threads */

static const struct {
	enum disturber who;
	void (*change)(struct change *c);
} actions[ACTIONS] = {
	[ACTION_PROTECT] = { MAPPER, protect },
	[ACTION_ZAP] = { MAPPER, zap },
	[ACTION_DISCARD] = { MAPPER, discard },
	[ACTION_REPLACE] = { MAPPER, replace },
	[ACTION_REMAP] = { MAPPER, map_again },
	[ACTION_EXCHANGE] = { MAPPER, exchange },
	[ACTION_HUGE] = { MAPPER, change_huge },
	[ACTION_RETYPE] = { RETYPER, retype },
	[ACTION_REVOKE] = { RETYPER, revoke_leaves },
	[ACTION_LOG] = { RETYPER, log_writes },
	[ACTION_READ_ONLY] = { RETYPER, make_read_only },
	[ACTION_GUARANTEE] = { RETYPER, guarantee },
	[ACTION_MOVE] = { RETYPER, move_slot },
	[ACTION_RECREATE] = { RETYPER, recreate },
	[ACTION_PREFAULT] = { RETYPER, prefault },
};

int areas_disturbed(struct mixed *m)
{
	uint32_t all = 0;

	for (uint32_t i = 0; i < m->areas; i++)
		all |= m->area[i].actions;
	for (int i = 0; i < ACTIONS; i++) {
		if (all >> i & 1 && !atomic_load(&m->actions[i]))
			return 0;
	}
	return 1;
}

/* Where a vCPU is, or anywhere. */
static void choose_place(struct change *c)
{
	const struct walker *w = &c->m->shared->walker[mixed_random(c->random) % VCPUS];
	uint64_t random = mixed_random(c->random);
	uint32_t position = *(const volatile uint32_t *)&w->position;

	c->a = &c->m->area[*(const volatile uint32_t *)&w->area % c->m->areas];
	if (random % 4 == 0) {
		c->a = &c->m->area[(random >> 2) % c->m->areas];
		position = (uint32_t)(random >> 16);
	}
	c->count = 1 + (random >> 48) % 8 * (random >> 52) % 8;
	if (c->count > c->a->guest.stripes)
		c->count = c->a->guest.stripes;
	c->first = position * VCPUS % c->a->guest.stripes;
	if (c->first + c->count > c->a->guest.stripes)
		c->first = c->a->guest.stripes - c->count;
	c->at = c->a->window + (uint64_t)c->first * STRIPE;
	c->size = (uint64_t)c->count * STRIPE;
	c->first += c->a->guest.first;
}

/* One of those that are this thread's and possible there; ACTIONS: none is. */
static uint32_t choose_action(const struct change *c, enum disturber who)
{
	uint32_t possible[ACTIONS], count = 0;

	for (uint32_t i = 0; i < ACTIONS; i++) {
		if (actions[i].who == who && c->a->actions >> i & 1)
			possible[count++] = i;
	}
	return count ? possible[mixed_random(c->random) % count] : ACTIONS;
}

void *disturb(void *disturbance)
{
	struct disturbance *d = disturbance;
	struct mixed *m = d->mixed;

	while (!atomic_load(&m->stop)) {
		struct change c = { .m = m, .random = &d->random };
		uint32_t action;

		choose_place(&c);
		action = choose_action(&c, d->who);
		if (action == ACTIONS)
			continue;
		pthread_rwlock_rdlock(&c.a->lock);
		for (uint64_t n = mixed_random(&d->random) % 4 + 1; n; n--) {
			actions[action].change(&c);
			atomic_fetch_add(&m->actions[action], 1);
		}
		pthread_rwlock_unlock(&c.a->lock);
	}
	return NULL;
}
