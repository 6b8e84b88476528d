/* SPDX-License-Identifier: Apache-2.0 */
/* A bare VM on the modelled machine, whose tables the test writes itself, without the engine. */
#ifndef TESTS_UNIT_MODEL_FIXTURE_H
#define TESTS_UNIT_MODEL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "port/model/machine.h"

#define AF	(1UL << 10)
#define DBM	(1UL << 51)
#define XN	(1UL << 54)
#define READ	(1UL << 6)
#define WRITE	(1UL << 7)
#define WB	(0xfUL << 2)
#define FORCED	(0x6UL << 2) /* write-back whatever stage 1 says; with FWB */
#define NC	(0x5UL << 2)
#define DEVICE	(0x1UL << 2)
#define PAGE	(1UL << 0 | 1UL << 1 | 3UL << 8 | AF)
#define BLOCK	(1UL << 0 | 3UL << 8 | AF)
#define RW	(READ | WRITE | XN)
#define RWX	(READ | WRITE)
#define IPA_A	0x40000000UL
#define PAGES	512
#define VTCR	(64 - 39 + (1 << 6))
#define VTCR_HA (1UL << 21)
#define VTCR_HD (1UL << 22)

static const struct port_caps caps_fwb = {
	.fwb = true,
	.dic = true,
	.idc = true,
	.ttl = true,
	.tlb_range = true,
	.pa_bits = 40,
	.ipa_bits = 40,
	.vmid_bits = 8,
	.cpus = 2,
};
/* Instruction caches need maintenance; the data cache is above the point of unification. */
static const struct port_caps caps_idc = {
	.idc = true,
	.pa_bits = 40,
	.ipa_bits = 40,
	.vmid_bits = 8,
	.cpus = 2,
};
static const struct port_caps caps_plain = {
	.pa_bits = 40,
	.ipa_bits = 40,
	.vmid_bits = 8,
	.cpus = 2,
};

/* 39-bit IPA: a level 1 root, a level 2 and a level 3 table on the way to IPA_A. */
struct vm {
	struct port *p;
	u64 *l1, *l2, *l3;
	u64 vttbr, vtcr;
	pa_t page; /* of PAGES */
	/* The answers to give to choices, in turn, then 0. */
	unsigned int answers[8], asked;
	enum machine_choice last_asked;
};

static inline u64 vm_table(struct vm *w, const u64 *table)
{
	return port_table_pa(w->p, table).v | 3;
}

static inline void vm_init_vtcr(struct vm *w, const struct port_caps *c, u64 vtcr)
{
	*w = (struct vm){ .p = machine_new(c), .vtcr = vtcr };
	w->l1 = port_table_alloc(w->p, 0);
	w->l2 = port_table_alloc(w->p, 0);
	w->l3 = port_table_alloc(w->p, 0);
	w->vttbr = port_table_pa(w->p, w->l1).v | 1UL << 48;
	w->page = machine_pages(w->p, PAGES * 4096);
	for (unsigned int cpu = 0; cpu < c->cpus; cpu++) {
		machine_cpu(w->p, cpu);
		machine_guest_enter(w->p, w->vttbr, w->vtcr);
	}
	machine_cpu(w->p, 0);
	port_desc_store(w->p, &w->l1[1], vm_table(w, w->l2));
	port_desc_store(w->p, &w->l2[0], vm_table(w, w->l3));
}

static inline void vm_init(struct vm *w, const struct port_caps *c)
{
	vm_init_vtcr(w, c, VTCR);
}

/* Page @n of the VM's memory. */
static inline pa_t vm_pa(const struct vm *w, u64 n)
{
	return PA(w->page.v + n * 4096);
}

/* The @n-th page of IPA_A maps page @n with these bits. */
static inline void vm_map(struct vm *w, u64 n, u64 bits)
{
	port_desc_cas(w->p, &w->l3[n], w->l3[n], vm_pa(w, n).v | PAGE | bits);
}

static inline ipa_t vm_ipa(u64 n)
{
	return IPA(IPA_A + n * 4096);
}

static inline void vm_flush(struct vm *w, u64 ipa, int level)
{
	struct port_tlbi t;

	port_tlbi_enter(w->p, &t, &w->vttbr);
	port_tlbi_ipa(w->p, &t, IPA(ipa), level);
	port_tlbi_stage1(w->p, &t);
	port_tlbi_leave(w->p, &t);
}

static inline void vm_unmap(struct vm *w, u64 n)
{
	port_desc_swap(w->p, &w->l3[n], 0);
	vm_flush(w, vm_ipa(n).v, 3);
}

static inline unsigned int vm_answer(void *arg, enum machine_choice what, unsigned int options)
{
	struct vm *w = arg;
	unsigned int i = w->asked++;

	assert_true(options >= 2);
	w->last_asked = what;
	return i < 8 ? w->answers[i] : 0;
}

/* One access by the guest of this CPU. */
static inline struct machine_guest_result vm_do(struct vm *w, u64 n, enum machine_op op,
						enum machine_s1 s1)
{
	struct machine_guest_op o = { .ipa = vm_ipa(n), .op = op, .s1 = s1 };

	return machine_guest(w->p, &o);
}

/* The same, which must go through. */
static inline u64 vm_touch(struct vm *w, u64 n, enum machine_op op, enum machine_s1 s1)
{
	struct machine_guest_result r = vm_do(w, n, op, s1);

	assert_int_equal(r.access.fault, MF_NONE);
	return r.version;
}

static inline void vm_expect_refusal(struct vm *w, void (*fn)(void *arg),
				     enum machine_refusal_kind kind)
{
	const char *phrase = machine_refusal_phrase(kind);

	if (!machine_refuses(w->p, fn, w))
		fail_msg("not refused: %s", phrase);
	if (machine_refusal_kind(w->p) != kind)
		fail_msg("refused for another reason: %s", machine_refusal(w->p));
	assert_int_equal(strncmp(machine_refusal(w->p), phrase, strlen(phrase)), 0);
	machine_delete(w->p);
}

static inline void vm_expect_legal(struct vm *w, void (*fn)(void *arg))
{
	if (machine_refuses(w->p, fn, w))
		fail_msg("refused: %s", machine_refusal(w->p));
	machine_delete(w->p);
}

/* Tests of a pair: @good and @bad differ in the one step that is owed. */
#define LEGAL(name, caps, fn)                                                                      \
	static void name(void **state)                                                             \
	{                                                                                          \
		struct vm w;                                                                       \
                                                                                                   \
		(void)state;                                                                       \
		vm_init(&w, caps);                                                                 \
		vm_expect_legal(&w, fn);                                                           \
	}
#define REFUSED(name, caps, fn, kind)                                                              \
	static void name(void **state)                                                             \
	{                                                                                          \
		struct vm w;                                                                       \
                                                                                                   \
		(void)state;                                                                       \
		vm_init(&w, caps);                                                                 \
		vm_expect_refusal(&w, fn, REFUSED_##kind);                                         \
	}

#endif
