/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guests of kvm_mixed, in C: all of it is in one section, which is copied to CODE_GPA. Nothing
 * here may refer to anything outside of it: no data, no call that the compiler makes up.
 */
#include "tests/target/kvm_mixed.h"

#define GUEST_CODE static __attribute__((section("guest_text"), noinline))

/* Exceptions, of which only fetches in vain are expected: the host is told, and the instruction is
 * tried again. */
GUEST(mixed_vectors, "	.space 0x200\n"
		     "	msr tpidr_el1, x0\n"
		     "	msr tpidr_el0, x1\n"
		     "	mov x1, #0x10000000\n"
		     "	mrs x0, esr_el1\n"
		     "	str x0, [x1, #8]\n"
		     "	mrs x0, tpidr_el1\n"
		     "	mrs x1, tpidr_el0\n"
		     "	eret\n");

/* ---- accesses: one instruction each, with a syndrome, which can be tried again as it stands */

MIXED_INLINE uint64_t load(uint64_t va, uint64_t otherwise)
{
	uint64_t value = otherwise; /* where the host passes over the instruction */

	__asm__ volatile("ldr %0, [%1]" : "+&r"(value) : "r"(va) : "memory");
	return value;
}

MIXED_INLINE void store(uint64_t va, uint64_t value)
{
	__asm__ volatile("str %1, [%0]" : : "r"(va), "r"(value) : "memory");
}

MIXED_INLINE void tell(uint64_t what, uint64_t value)
{
	store(GUEST_MMIO + what, value);
}

MIXED_INLINE void barrier(void)
{
	__asm__ volatile("dmb ish" : : : "memory");
}

MIXED_INLINE uint64_t execute(uint64_t va)
{
	register uint64_t result __asm__("x0");

	__asm__ volatile("blr %1" : "=r"(result) : "r"(va) : "x30", "memory");
	return (uint32_t)result;
}

/* What whoever writes code owes. It is in one line, of each cache. */
MIXED_INLINE void publish_code(uint64_t va)
{
	__asm__ volatile("dc cvau, %0\n"
			 "dsb ish\n"
			 "ic ivau, %0\n"
			 "dsb ish\n"
			 "isb\n"
			 :
			 : "r"(va)
			 : "memory");
}

/* ---- a visit to a page */

struct visit {
	struct mixed_shared *s;
	struct walker *w;
	const struct guest_area *area;
	uint32_t area_index, stripe, index;
	uint64_t va;
	uint64_t random;
};

/* What the host says of the place, before or after an access. */
struct said {
	uint32_t epoch, closed, area_closed;
};

MIXED_INLINE struct said listen(const struct visit *v)
{
	struct said said;

	barrier();
	said.epoch = atomic_load_explicit(&v->s->epoch[v->stripe], memory_order_relaxed);
	said.closed = atomic_load_explicit(&v->s->closed[v->stripe], memory_order_relaxed);
	said.area_closed =
		atomic_load_explicit(&v->s->area_closed[v->area_index], memory_order_relaxed);
	barrier();
	return said;
}

MIXED_INLINE int is_stable(struct said before, struct said after)
{
	return before.epoch == after.epoch && !(before.epoch & 1);
}

/* An access was done: was it forbidden all the while? */
MIXED_INLINE void check_allowed(const struct visit *v, uint32_t access, struct said before,
				struct said after)
{
	if ((before.closed == after.closed && before.closed & access) ||
	    (before.area_closed == after.area_closed && before.area_closed & access)) {
		v->w->wrong_at = v->va;
		barrier();
		tell(TELL_CLOSED, access);
	}
}

GUEST_CODE void tell_wrong(const struct visit *v, uint64_t offset, uint64_t value,
			   struct page_state state)
{
	v->w->wrong_at = v->va + offset;
	v->w->wrong_value = value;
	v->w->wrong_state = state;
	barrier();
	tell(TELL_WRONG, offset);
}

GUEST_CODE void read_word(const struct visit *v)
{
	uint32_t word = v->random & 3;
	struct said before = listen(v);
	uint64_t value = load(v->va + word_offset(word), 0);
	struct said after = listen(v);
	struct page_state possible = { .torn_from = 1, .torn_to = v->w->generation };

	v->w->wrong_before = before.epoch;
	v->w->wrong_after = after.epoch;
	check_allowed(v, CLOSED_READ, before, after);
	if (is_stable(before, after))
		possible = state_of(v->s, v->area->flags, v->index, before.epoch);
	else
		v->w->done[OP_UNSTABLE]++;
	v->w->done[OP_READ]++;
	if (!is_possible(possible, v->index, word, value))
		tell_wrong(v, word_offset(word), value, possible);
}

/* The write of generation @gen met a change: each of its words may be there or not. */
GUEST_CODE void note_torn(const struct visit *v, uint32_t gen, uint32_t after)
{
	for (uint32_t bank = 0; bank < BANKS; bank++) {
		struct page_state *s = &v->s->state[bank][v->index];
		uint32_t next = (after + 1) & ~1U;

		if (v->area->flags & AREA_DISCARDED && s->epoch != next)
			*s = (struct page_state){ .epoch = next };
		s->torn_from = s->torn_to ? s->torn_from : gen;
		s->torn_to = gen;
	}
	v->w->done[OP_UNSTABLE]++;
}

GUEST_CODE void write_page(const struct visit *v)
{
	uint32_t gen = ++v->w->generation;
	struct said before = listen(v), after;

	for (uint32_t word = 0; word < WORDS; word++)
		store(v->va + word_offset(word), word_of(v->index, word, gen));
	if (v->area->flags & AREA_EXECUTES)
		publish_code(v->va + CODE_AT);
	after = listen(v);
	check_allowed(v, CLOSED_WRITE, before, after);
	v->w->done[OP_WRITE]++;
	if (is_stable(before, after))
		v->s->state[bank_of(v->area->flags, before.epoch)][v->index] =
			(struct page_state){ .epoch = before.epoch, .gen = gen };
	else
		note_torn(v, gen, after.epoch);
}

/* Only where words stay: there is one state, and it is never torn. */
GUEST_CODE void execute_page(const struct visit *v)
{
	struct page_state state = v->s->state[0][v->index];
	struct said before = listen(v);
	uint64_t result;

	if (state.gen == 0)
		return;
	result = execute(v->va + CODE_AT);
	check_allowed(v, CLOSED_EXECUTE, before, listen(v));
	v->w->done[OP_EXECUTE]++;
	if (result != state.gen)
		tell_wrong(v, CODE_AT, result, state);
}

/* Where no slot is, or a slot over nothing, the value comes from the host, or none does. */
GUEST_CODE void visit_nothing(const struct visit *v)
{
	uint64_t value;

	if (v->area->flags & AREA_HOLE) {
		value = load(v->va, ~v->va);
		if (value != ~v->va)
			tell_wrong(v, 0, value, (struct page_state){ 0 });
		return;
	}
	value = EMPTY_GPA + (v->random & 0xfffff8);
	store(value, ~value);
	if (load(value, 0) != ~value)
		tell_wrong(v, 0, value, (struct page_state){ 0 });
}

/* ---- the walk */

/* Mostly about the same place, so that what was touched is touched again and the host finds it in
 * use; at times to another area (soon, where each access exits), or to where another vCPU is. */
GUEST_CODE void take_step(struct mixed_shared *s, struct walker *w)
{
	uint64_t random = mixed_random(&w->random);
	uint32_t positions, stay = s->area[w->area].flags & AREA_HOLE ? 16 : 1024;

	if (random % stay == 0) {
		w->area = (uint32_t)((random >> 16) % s->areas);
		w->position = (uint32_t)(random >> 24);
	} else if (random % stay == 1) {
		w->area = s->walker[random >> 16 & (VCPUS - 1)].area;
		w->position = s->walker[random >> 16 & (VCPUS - 1)].position;
	}
	positions = s->area[w->area].stripes / VCPUS;
	w->position = (w->position + positions + (uint32_t)(random >> 10 & 1) -
		       (uint32_t)(random >> 11 & 1)) %
		      positions;
}

GUEST_CODE void visit(struct mixed_shared *s, struct walker *w)
{
	uint64_t random = mixed_random(&w->random);
	uint32_t used = random & 1, kind = random >> 1 & 7;
	struct visit v = { .s = s,
			   .w = w,
			   .area = &s->area[w->area],
			   .area_index = w->area,
			   .random = random >> 4 };
	uint32_t owner = v.area->flags & AREA_WRITES ? w->id : random >> 32 & (VCPUS - 1);

	v.stripe = v.area->first + w->position * VCPUS + owner;
	v.index = v.stripe * USED + used;
	v.va = DATA_GPA + page_offset(v.stripe, used);
	if (v.area->flags & AREA_HOLE || (random >> 40 & 0xfff) == 0)
		visit_nothing(&v);
	else if (kind >= 6 && v.area->flags & AREA_EXECUTES)
		execute_page(&v);
	else if (kind >= 3 && v.area->flags & AREA_WRITES)
		write_page(&v);
	else
		read_word(&v);
}

__attribute__((section("guest_text"))) void guest_walk(struct mixed_shared *s, uint64_t id)
{
	struct walker *w = &s->walker[id];

	for (;;) {
		for (uint32_t i = 0; i < 1024; i++) {
			take_step(s, w);
			visit(s, w);
		}
		tell(TELL_BATCH, w->generation);
	}
}
