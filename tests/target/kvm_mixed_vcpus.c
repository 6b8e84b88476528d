/* SPDX-License-Identifier: Apache-2.0 */
/* The vCPUs of kvm_mixed: their exits, and what the host sees of their words. */
#define _GNU_SOURCE
#include "tests/target/kvm_mixed.h"

#include <sched.h>

#include "abi/catwalk.h"
#include "tests/target/check.h"

/* ---- words, as the host sees them; nobody changes the area, and no guest writes the page */

static void look_at_page(struct mixed *m, const struct area *a, uint32_t index)
{
	uint32_t epoch = atomic_load(&m->shared->epoch[index / USED]);
	struct page_state s = state_of(m->shared, a->guest.flags, index, epoch);
	const char *page = m->data + page_offset(index / USED, index % USED);

	for (uint32_t word = 0; word < WORDS; word++) {
		uint64_t seen = *(const volatile uint64_t *)(page + word_offset(word));

		if (!check_note(!(epoch & 1) && is_possible(s, index, word, seen)))
			printf("%s: word %u of page %u, epoch %u, is %#lx; of generation %u, or %u to %u\n",
			       area_name(a), word, index, epoch, seen, s.gen, s.torn_from,
			       s.torn_to);
	}
}

/* Pages about the place where a vCPU is, which waits meanwhile. */
static void look_around(struct runner *r)
{
	struct area *a = &r->m->area[r->w->area];
	uint32_t positions = a->guest.stripes / VCPUS;

	if (a->guest.flags & AREA_HOLE)
		return;
	pthread_rwlock_wrlock(&a->lock);
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t stripe =
			a->guest.first + (r->w->position + i) % positions * VCPUS + r->w->id;

		look_at_page(r->m, a, stripe * USED + i % USED);
		r->looked_at++;
	}
	pthread_rwlock_unlock(&a->lock);
}

static unsigned long look_at_area(struct mixed *m, struct area *a)
{
	uint32_t index = a->guest.first * USED, count = a->guest.stripes * USED, seen = 0;

	for (uint32_t i = index; i < index + count; i++) {
		const struct page_state *s[] = { &m->shared->state[0][i], &m->shared->state[1][i] };

		if (!(s[0]->gen | s[0]->torn_to | s[1]->gen | s[1]->torn_to))
			continue; /* never touched */
		look_at_page(m, a, i);
		seen++;
	}
	return seen;
}

unsigned long look_at_all(struct mixed *m)
{
	unsigned long seen = 0;

	for (uint32_t i = 0; i < m->areas; i++) {
		struct area *a = &m->area[i];

		if (a->guest.flags & AREA_HOLE)
			continue;
		seen += look_at_area(m, a);
		if (!(a->guest.flags & AREA_BANKED))
			continue;
		area_exchange(m, a, a->guest.first, a->guest.stripes);
		seen += look_at_area(m, a);
	}
	return seen;
}

/* ---- exits */

/* Was the window open at some time during KVM_RUN? */
static int was_open(const struct runner *r, const struct area *a, enum window w)
{
	return a && atomic_load(&a->begun[w]) != r->ended[a - r->m->area][w];
}

static void unexpected(struct runner *r, const char *what, uint64_t where)
{
	struct area *a = area_at(r->m, where);

	check_note(0);
	printf("vCPU %u: %s at %#lx (%s), pc %#lx: nothing made it possible\n", r->w->id, what,
	       where, a ? area_name(a) : "no area", reg_get(&r->vcpu, CORE_REG(regs.pc)));
	atomic_store(&r->m->stop, 1);
}

static void allow(struct runner *r, enum exit_kind kind, enum window w, uint64_t where)
{
	static const char *const what[] = { "EFAULT", "MMIO", "an abort" };

	if (!check_note(was_open(r, area_at(r->m, where), w)))
		unexpected(r, what[kind], where);
	r->exits[kind]++;
	sched_yield();
}

static void skip(struct runner *r, int64_t by)
{
	uint64_t pc = reg_get(&r->vcpu, CORE_REG(regs.pc));

	reg_set(&r->vcpu, CORE_REG(regs.pc), pc + (uint64_t)by);
}

/* The access is completed, with what a guest expects of a hole, and made again. */
static void retry_mmio(struct runner *r)
{
	uint64_t value = ~r->vcpu.run->mmio.phys_addr;

	if (!r->vcpu.run->mmio.is_write)
		memcpy(r->vcpu.run->mmio.data, &value, sizeof(value));
	r->vcpu.run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(&r->vcpu), -EINTR);
	r->vcpu.run->immediate_exit = 0;
	skip(r, -4);
}

static void on_fault(struct runner *r)
{
	const struct catwalk_memory_fault *fault =
		(const void *)((const char *)r->vcpu.run + offsetof(struct kvm_run, padding));
	struct area *a = area_at(r->m, fault->gpa);

	CHECK_EQ(r->vcpu.run->exit_reason, KVM_EXIT_MEMORY_FAULT);
	CHECK(fault->rule != 0);
	if (a && a->guest.flags & AREA_HOLE) {
		r->exits[EXIT_HOLE]++;
		skip(r, 4);
		return;
	}
	allow(r, EXIT_FAULT, WINDOW_FAULT, fault->gpa);
}

/* Where no slot ever is, the host's bytes are the address inverted. */
static void on_empty(struct runner *r)
{
	struct kvm_run *run = r->vcpu.run;
	uint64_t value = ~run->mmio.phys_addr;

	CHECK_EQ(run->mmio.len, 8);
	if (run->mmio.is_write)
		CHECK(!memcmp(run->mmio.data, &value, sizeof(value)));
	else
		memcpy(run->mmio.data, &value, sizeof(value));
	r->exits[EXIT_EMPTY]++;
}

static void on_exception(struct runner *r, uint64_t esr)
{
	uint64_t elr = reg_get(&r->vcpu, CORE_REG(elr_el1));

	if ((esr >> 26 & 0x3f) == 0x21 && (esr & 0x3f) == 0x10) { /* external abort of a fetch */
		allow(r, EXIT_ABORT, WINDOW_ABORT, elr);
		return;
	}
	printf("ESR_EL1 %#lx\n", esr);
	unexpected(r, "an exception", elr);
}

static void on_wrong(struct runner *r)
{
	const struct walker *w = r->w;

	printf("vCPU %u: %#lx seen between epochs %lu and %lu; expected generation %u, or %u to %u\n",
	       w->id, w->wrong_value, w->wrong_before, w->wrong_after, w->wrong_state.gen,
	       w->wrong_state.torn_from, w->wrong_state.torn_to);
	unexpected(r, "a wrong word", w->wrong_at);
}

static const char *access_name(uint64_t closed)
{
	return closed == CLOSED_READ	? "a forbidden read"
	       : closed == CLOSED_WRITE ? "a forbidden write"
					: "a forbidden fetch";
}

static void on_told(struct runner *r, uint64_t what)
{
	uint64_t data;

	memcpy(&data, r->vcpu.run->mmio.data, sizeof(data));
	switch (what) {
	case TELL_BATCH:
		r->batches++;
		look_around(r);
		break;
	case TELL_EXCEPTION: on_exception(r, data); break;
	case TELL_CLOSED: unexpected(r, access_name(data), r->w->wrong_at); break;
	default: on_wrong(r);
	}
}

static void on_mmio(struct runner *r)
{
	uint64_t where = r->vcpu.run->mmio.phys_addr;

	if (where - GUEST_MMIO <= TELL_CLOSED) {
		on_told(r, where - GUEST_MMIO);
	} else if (where >= EMPTY_GPA) {
		on_empty(r);
	} else {
		allow(r, EXIT_MMIO, WINDOW_MMIO, where);
		retry_mmio(r);
	}
}

static void run_once(struct runner *r)
{
	int error;

	for (uint32_t i = 0; i < r->m->areas; i++) {
		for (int w = 0; w < WINDOWS; w++)
			r->ended[i][w] = atomic_load(&r->m->area[i].ended[w]);
	}
	error = vcpu_run(&r->vcpu);
	if (error == -EFAULT)
		on_fault(r);
	else if (error == 0 && r->vcpu.run->exit_reason == KVM_EXIT_MMIO)
		on_mmio(r);
	else
		unexpected(r, error ? strerrorname_np(-error) : exit_name(r->vcpu.run->exit_reason),
			   0);
}

void *run_guest(void *runner)
{
	struct runner *r = runner;
	unsigned long batches;

	do {
		batches = r->batches;
		run_once(r);
	} while (!atomic_load(&r->m->stop) ||
		 (r->batches == batches && !atomic_load(&check_failures)));
	return NULL;
}
