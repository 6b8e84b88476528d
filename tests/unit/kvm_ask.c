/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What user space can ask of guest memory, by ioctl: the answers against what stage 2 has and what
 * the guest then meets, and arguments of a program that means no good.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/coherence.h"
#include "engine/contract.h"
#include "engine/trace.h"
#include "tests/unit/kvm_machines.h"

#define RW	  (PROT_READ | PROT_WRITE)
#define P	  PAGE_SIZE
#define SLOT_SIZE (AREA_PAGES * P)
#define KERNEL	  0xffff800000001000UL
#define NOTHING	  (ARGS + ARGS_SIZE)
#define EDGE	  (ARGS + ARGS_SIZE - 4)
/* Where lists go. */
#define LIST (ARGS + ARGS_SIZE / 2)

/* ---- the area: RAM, then three kinds of a driver's memory, 2 MiB each; VM 0 has it in slot 0 */

enum { RAM, NC, DEVICE, RAM_AGAIN, PARTS };
#define PART(n)	    (GUEST_RAM + (n)*SZ_2M)
#define PART_HVA(n) (AREA + (n)*SZ_2M)

static struct world_device devices[2];

static void map_device(int part, enum host_memtype type, u32 flags)
{
	struct world_device *d = &devices[part - NC];
	struct file *f;

	*d = (struct world_device){ type, flags, LEVEL_2M };
	f = file_alloc(&world_device_ops, d, O_RDWR);
	assert_non_null(f);
	assert_int_equal(mm_mmap(world.mm, PART_HVA(part), SZ_2M, RW, MAP_SHARED | MAP_FIXED, f, 0),
			 PART_HVA(part));
	file_put(f);
}

static int begin_on(const struct port_caps *caps)
{
	world_start(machine_new(caps));
	assert_int_equal(world_map(AREA, AREA_PAGES * P, RW, MAP_PRIVATE), AREA);
	assert_int_equal(mm_madvise(world.mm, AREA, AREA_PAGES * P, MADV_NOHUGEPAGE), 0);
	map_device(NC, HOST_NC, VM_ALLOW_ANY_UNCACHED);
	map_device(DEVICE, HOST_DEVICE, 0);
	assert_int_equal(world_slot(0, 0, 0, GUEST_RAM, SLOT_SIZE, AREA), 0);
	return 0;
}

static int begin_fwb(void **state)
{
	(void)state;
	return begin_on(&fwb);
}

static int begin_plain(void **state)
{
	(void)state;
	return begin_on(&plain);
}

static bool host_has_fwb(void)
{
	return port_caps(world.p)->fwb;
}

static struct fault_outcome guest(u64 ipa, enum machine_op op)
{
	pa_t pa;

	return world_guest(0, ipa, op, &pa);
}

/* As the ioctl @cmd of VM 0 with @r for its argument, which it may change. */
static s64 ask(u32 cmd, void *r, size_t n)
{
	s64 ret = world_ioctl(0, cmd, r, n);

	assert_int_equal(copy_from_user(r, HVA(ARGS), n), 0);
	return ret;
}

static struct catwalk_coherence coherence(u64 gpa, u64 size)
{
	struct catwalk_coherence r = { .gpa = gpa, .size = size };

	assert_int_equal(ask(KVM_CATWALK_GET_COHERENCE, &r, sizeof(r)), 0);
	assert_int_equal(r.gpa, gpa);
	assert_int_equal(r.size, size);
	return r;
}

static struct catwalk_explain explained(u64 gpa, enum catwalk_access access)
{
	struct catwalk_explain r = { .gpa = gpa, .access = access };

	assert_int_equal(ask(KVM_CATWALK_EXPLAIN, &r, sizeof(r)), 0);
	assert_int_equal(r.gpa, gpa);
	assert_int_equal(r.access, access);
	return r;
}

/* ---- hostile arguments */

static const struct {
	u32 cmd;
	size_t size;
} calls[] = {
	{ KVM_CATWALK_GET_COHERENCE, sizeof(struct catwalk_coherence) },
	{ KVM_CATWALK_GET_CONTRACT, sizeof(struct catwalk_contract) },
	{ KVM_CATWALK_READ_TRACE, sizeof(struct catwalk_trace) },
	{ KVM_CATWALK_EXPLAIN, sizeof(struct catwalk_explain) },
	{ KVM_CATWALK_PREFAULT_SLOT, sizeof(struct catwalk_prefault) },
};

static void bad_pointers_are_faults(void **state)
{
	static const u64 pointers[] = { 0, 8, EDGE, NOTHING, KERNEL, USER_END - 4, -4UL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(pointers); j++)
			assert_int_equal(world_ioctl_at(0, calls[i].cmd, pointers[j]), -EFAULT);
	}
}

/* What an argument lies in may be readable and no more. */
static void a_read_only_argument_is_a_fault(void **state)
{
	struct catwalk_coherence c = { .gpa = GUEST_RAM, .size = P };
	struct catwalk_explain e = { .gpa = GUEST_RAM };
	struct catwalk_trace t = { 0 };
	struct catwalk_prefault f = { .size = P };
	struct catwalk_contract k = { .slot_count = 1, .slots = LIST };
	const void *args[] = { &c, &k, &t, &e, &f };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		world_put(ARGS, args[i], calls[i].size);
		assert_int_equal(mm_mprotect(world.mm, ARGS, P, PROT_READ), 0);
		assert_int_equal(world_ioctl_at(0, calls[i].cmd, ARGS), -EFAULT);
		assert_int_equal(mm_mprotect(world.mm, ARGS, P, RW), 0);
	}
}

static void bad_arguments_are_invalid(void **state)
{
	static const struct catwalk_coherence ranges[] = {
		{ .gpa = GUEST_RAM, .size = 0 },
		{ .gpa = GUEST_RAM, .size = 1 },
		{ .gpa = GUEST_RAM + 8, .size = P },
		{ .gpa = GUEST_RAM, .size = P, .flags = 1 },
		{ .gpa = GUEST_RAM, .size = P, .flags = 1UL << 63 },
		{ .gpa = GUEST_RAM, .size = P, .reserved = { [0] = 1 } },
		{ .gpa = GUEST_RAM, .size = P, .reserved = { [3] = 1UL << 63 } },
		{ .gpa = 1UL << WORLD_IPA_BITS, .size = P },
		{ .gpa = 0, .size = (1UL << WORLD_IPA_BITS) + P },
		{ .gpa = P, .size = -P },
		{ .gpa = -P, .size = P },
		{ .gpa = -P, .size = 2 * P },
	};
	static const struct catwalk_contract contracts[] = {
		{ .flags = 1 },
		{ .reserved = { [0] = 1 } },
		{ .reserved = { [3] = 1 } },
	};
	static const struct catwalk_trace traces[] = {
		{ .flags = 1 },
		{ .reserved = { [0] = 1 } },
		{ .reserved = { [3] = 1 } },
	};
	static const struct catwalk_explain accesses[] = {
		{ .access = 3 },
		{ .access = -1U },
		{ .flags = 1 },
		{ .reserved = { [0] = 1 } },
		{ .reserved = { [3] = 1 } },
	};
	static const struct catwalk_prefault spans[] = {
		{ .size = 0 },
		{ .size = 1 },
		{ .size = P, .offset = 8 },
		{ .size = P, .offset = SLOT_SIZE },
		{ .size = 2 * P, .offset = SLOT_SIZE - P },
		{ .size = P, .offset = -P },
		{ .size = -P, .offset = P },
		{ .size = P, .flags = 2 },
		{ .size = P, .flags = 1U << 31 },
		{ .size = P, .pad = 1 },
		{ .size = P, .reserved = { [0] = 1 } },
		{ .size = P, .reserved = { [3] = 1 } },
	};

	(void)state;
#define ALL_INVALID(cmd, rows)                                                                     \
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {                                            \
		s64 ret = world_ioctl(0, cmd, &(rows)[i], sizeof((rows)[i]));                      \
		if (ret != -EINVAL)                                                                \
			fail_msg(#rows ", row %zu: %ld", i, (long)ret);                            \
	}
	ALL_INVALID(KVM_CATWALK_GET_COHERENCE, ranges)
	ALL_INVALID(KVM_CATWALK_GET_CONTRACT, contracts)
	ALL_INVALID(KVM_CATWALK_READ_TRACE, traces)
	ALL_INVALID(KVM_CATWALK_EXPLAIN, accesses)
	ALL_INVALID(KVM_CATWALK_PREFAULT_SLOT, spans)
#undef ALL_INVALID
}

/* Lists go where the program says, which may be anywhere. */
static void bad_lists_are_faults(void **state)
{
	static const u64 pointers[] = { 0, 8, EDGE, NOTHING, KERNEL, USER_END - 4, -4UL, -200UL };

	(void)state;
	assert_int_equal(world_slot(0, 9, 1 << 4, 0, P, AREA), -EINVAL); /* not traced */
	assert_int_equal(world_slot(0, 9, 0, GUEST_RAM, P, AREA), -EEXIST);
	for (size_t i = 0; i < ARRAY_SIZE(pointers); i++) {
		struct catwalk_contract k = { .slot_count = 1, .slots = pointers[i] };
		struct catwalk_trace t = { .count = 1, .events = pointers[i] };

		assert_int_equal(ask(KVM_CATWALK_GET_CONTRACT, &k, sizeof(k)), -EFAULT);
		assert_int_equal(k.version, 0);
		assert_int_equal(ask(KVM_CATWALK_READ_TRACE, &t, sizeof(t)), -EFAULT);
		assert_int_equal(t.after, 0); /* none is taken for read */
	}
}

static void what_is_asked_exists(void **state)
{
	static const struct {
		u32 cap;
		s64 on_fwb, on_plain;
	} rows[] = {
		{ KVM_CAP_CATWALK_COHERENCE, 1, 1 },
		{ KVM_CAP_CATWALK_CONTRACT, 1, 1 },
		{ KVM_CAP_CATWALK_TRACE, TRACE_ENTRIES, TRACE_ENTRIES },
		{ KVM_CAP_CATWALK_EXPLAIN, 1, 1 },
		{ KVM_CAP_CATWALK_PREFAULT, 1, 1 },
		{ KVM_CAP_MEMORY_FAULT_INFO, 1, 1 },
		{ KVM_CAP_PRE_FAULT_MEMORY, 1, 1 },
		{ KVM_CAP_ARM_CACHEABLE_PFNMAP_SUPPORTED, 1, 0 },
		{ KVM_CAP_CATWALK_WRITE_BACK, 1, 0 },
	};
	s64 answer;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(memory_cap_check(&fwb, NULL, rows[i].cap, &answer));
		assert_int_equal(answer, rows[i].on_fwb);
		assert_true(memory_cap_check(&plain, &world.vm[0], rows[i].cap, &answer));
		assert_int_equal(answer, rows[i].on_plain);
	}
}

/* ---- M11 */

/* Bytes of [@gpa, @gpa + @size) that stage 2 maps, by type. */
static void dump(u64 gpa, u64 size, u64 bytes[S2_TYPE_COUNT])
{
	struct s2_run run;

	memset(bytes, 0, S2_TYPE_COUNT * sizeof(*bytes));
	for (u64 at = gpa; stage2_dump(&world.vm[0].guest.s2, IPA(at), &run);
	     at = run.ipa.v + run.size) {
		u64 from = max(run.ipa.v, gpa), to = min(run.ipa.v + run.size, gpa + size);

		if (from < to)
			bytes[run.leaf.type] += to - from;
	}
}

/* The answer for a range whose mapped bytes are all that is known of it agrees with the tables. */
static void check_dump(u64 gpa, u64 size)
{
	const struct catwalk_coherence r = coherence(gpa, size);
	const int wb = host_has_fwb() ? CATWALK_CLASS_FORCED : CATWALK_CLASS_GUEST;
	const int other = host_has_fwb() ? CATWALK_CLASS_GUEST : CATWALK_CLASS_FORCED;
	u64 bytes[S2_TYPE_COUNT];

	dump(gpa, size, bytes);
	assert_int_equal(r.done, size);
	assert_int_equal(r.mapped, bytes[S2_NORMAL] + bytes[S2_NORMAL_NC] + bytes[S2_DEVICE]);
	assert_int_equal(r.bytes[wb], bytes[S2_NORMAL]);
	assert_int_equal(r.bytes[other], 0);
	assert_int_equal(r.bytes[CATWALK_CLASS_NC], bytes[S2_NORMAL_NC]);
	assert_int_equal(r.bytes[CATWALK_CLASS_DEVICE], bytes[S2_DEVICE]);
	assert_int_equal(r.bytes[CATWALK_CLASS_UNKNOWN], size - r.mapped);
}

static void m11_the_answer_agrees_with_the_tables(void **state)
{
	(void)state;
	for (u64 i = 0; i < 4; i++)
		assert_true(world_guest_write(0, PART(RAM) + i * 3 * P, 1));
	assert_true(world_guest_write(0, PART(NC), 1));
	assert_true(world_guest_write(0, PART(DEVICE), 1));
	for (int part = RAM; part < PARTS; part++)
		check_dump(PART(part), SZ_2M);
	check_dump(GUEST_RAM, SLOT_SIZE);
	check_dump(PART(NC) - P, 2 * P);
	check_dump(PART(DEVICE) - 5 * P, 6 * P);
	check_dump(0, P);
	check_dump(0, 1UL << WORLD_IPA_BITS);
	check_dump((1UL << WORLD_IPA_BITS) - P, P);
	assert_int_equal(coherence(GUEST_RAM, SLOT_SIZE).all, CATWALK_CLASS_MIXED);
	assert_int_equal(coherence(PART(NC), SZ_2M).all, CATWALK_CLASS_NC);
	assert_int_equal(coherence(PART(DEVICE), SZ_2M).all, CATWALK_CLASS_DEVICE);
}

static void check_owed(u64 gpa, u32 all, u32 vmm, u32 snoops, u32 bypass)
{
	const struct catwalk_coherence r = coherence(gpa, P);

	assert_int_equal(r.all, all);
	assert_int_equal(r.owed[CATWALK_AGENT_VMM], vmm);
	assert_int_equal(r.owed[CATWALK_AGENT_DMA_SNOOPS], snoops);
	assert_int_equal(r.owed[CATWALK_AGENT_DMA_BYPASS], bypass);
}

#define BOTH (CATWALK_OWED_BEFORE_READ | CATWALK_OWED_AFTER_WRITE)
#define ALL  (BOTH | CATWALK_OWED_BEFORE_WRITE)

static void m11_each_class_owes_its_maintenance(void **state)
{
	u32 ram = host_has_fwb() ? CATWALK_CLASS_FORCED : CATWALK_CLASS_GUEST;
	u32 owed = host_has_fwb() ? 0 : BOTH;

	(void)state;
	for (int part = RAM; part <= DEVICE; part++)
		assert_true(world_guest_write(0, PART(part), 1));
	check_owed(PART(RAM), ram, owed, owed, ALL);
	check_owed(PART(NC), CATWALK_CLASS_NC, 0, BOTH, 0);
	check_owed(PART(DEVICE), CATWALK_CLASS_DEVICE, 0, BOTH, 0);
	check_owed(PART(RAM_AGAIN), CATWALK_CLASS_UNKNOWN, BOTH, BOTH, ALL);
	check_owed(0, CATWALK_CLASS_UNKNOWN, BOTH, BOTH, ALL);
}

/* Not mapped by stage 2 yet: what a read would map from what the host has. */
static void m11_what_would_be_mapped_is_known_from_the_host(void **state)
{
	struct catwalk_coherence r;

	(void)state;
	assert_int_equal(mm_fault(world.mm, HVA(PART_HVA(RAM)), HOST_WRITE), FAULT_OK);
	assert_int_equal(mm_fault(world.mm, HVA(PART_HVA(NC)), HOST_READ), FAULT_OK);
	r = coherence(PART(RAM), 2 * P);
	assert_int_equal(r.mapped, 0);
	assert_int_equal(r.bytes[host_has_fwb() ? CATWALK_CLASS_FORCED : CATWALK_CLASS_GUEST], P);
	assert_int_equal(r.bytes[CATWALK_CLASS_UNKNOWN], P);
	r = coherence(PART(NC), SZ_2M);
	assert_int_equal(r.mapped, 0);
	assert_int_equal(r.bytes[CATWALK_CLASS_NC], SZ_2M);
	assert_int_equal(guest(PART(NC), MACHINE_READ).kind, OUTCOME_RESUME);
	assert_int_equal(coherence(PART(NC), SZ_2M).mapped, SZ_2M);
}

/* A range of more leaves than one step looks at; a signal ends it early and it goes on. */
static void m11_a_long_range_is_answered_whole_or_resumed(void **state)
{
	struct catwalk_coherence r;

	(void)state;
	assert_int_equal(world_map(PART_HVA(NC), 3 * SZ_2M, RW, MAP_PRIVATE), PART_HVA(NC));
	assert_int_equal(coherence(GUEST_RAM, SLOT_SIZE).done, SLOT_SIZE);
	port_current()->signal_pending = 1;
	r = coherence(GUEST_RAM, SLOT_SIZE);
	port_current()->signal_pending = 0;
	assert_in_range(r.done, P, SLOT_SIZE - P);
	assert_int_equal(r.bytes[CATWALK_CLASS_UNKNOWN], r.done);
	assert_int_equal(coherence(GUEST_RAM + r.done, SLOT_SIZE - r.done).done,
			 SLOT_SIZE - r.done);
}

/* ---- M16 */

static void m16_the_contract_has_the_hosts_facts_and_the_slots(void **state)
{
	struct catwalk_contract k = { .slot_count = 3, .slots = LIST };
	struct catwalk_contract_slot s[3];
	u32 bits = host_has_fwb() ? CATWALK_HOST_FWB | CATWALK_HOST_DIC | CATWALK_HOST_IDC
				  : CATWALK_HOST_IDC;

	(void)state;
	memset(s, 0xff, sizeof(s));
	world_put(LIST, s, sizeof(s));
	assert_int_equal(world_slot(0, 5, KVM_MEM_READONLY, 0, 2 * P, AREA), 0);
	assert_true(world_guest_write(0, PART(DEVICE), 1));
	assert_int_equal(ask(KVM_CATWALK_GET_CONTRACT, &k, sizeof(k)), 0);
	assert_int_equal(k.version, CONTRACT_VERSION);
	assert_int_equal(k.host, bits);
	assert_int_equal(k.ipa_bits, WORLD_IPA_BITS);
	assert_int_equal(k.granule, P);
	assert_int_equal(k.blocks, P | SZ_2M | SZ_1G);
	assert_int_equal(k.slot_count, 2);
	assert_int_equal(copy_from_user(s, HVA(LIST), sizeof(s)), 0);
	assert_int_equal(s[0].gpa, 0);
	assert_int_equal(s[0].size, 2 * P);
	assert_int_equal(s[0].slot, 5);
	assert_int_equal(s[0].promises, CATWALK_PROMISE_READ_ONLY);
	assert_int_equal(s[0].classes, BIT(CATWALK_CLASS_UNKNOWN));
	assert_int_equal(s[0].pad, 0);
	assert_int_equal(s[1].gpa, GUEST_RAM);
	assert_int_equal(s[1].size, SLOT_SIZE);
	assert_int_equal(s[1].promises, 0);
	assert_int_equal(s[1].classes, BIT(CATWALK_CLASS_UNKNOWN) | BIT(CATWALK_CLASS_DEVICE));
	assert_int_equal(s[2].gpa, -1UL); /* no further than there are slots */
}

/* Write-back memory of a driver, which EL2 cannot maintain, and a guarantee. */
static void m16_the_contract_has_what_slots_were_promised(void **state)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_CATWALK_WRITE_BACK };
	struct catwalk_contract k = { .slot_count = 1, .slots = LIST };
	struct catwalk_contract_slot s;

	(void)state;
	assert_int_equal(world_slot(0, 0, 0, GUEST_RAM, 0, 0), 0);
	assert_int_equal(memory_cap_enable(&world.vm[0], &cap), 0);
	map_device(NC, HOST_WB, 0);
	assert_int_equal(mm_fault(world.mm, HVA(PART_HVA(NC)), HOST_READ), FAULT_OK);
	assert_int_equal(world_slot(0, 0, (u32)KVM_MEM_WRITE_BACK, PART(NC), SZ_2M, PART_HVA(NC)),
			 0);
	assert_int_equal(ask(KVM_CATWALK_GET_CONTRACT, &k, sizeof(k)), 0);
	assert_int_equal(copy_from_user(&s, HVA(LIST), sizeof(s)), 0);
	assert_int_equal(s.promises, CATWALK_PROMISE_WRITE_BACK | CATWALK_PROMISE_CACHEABLE_PFNMAP);
	assert_int_equal(s.classes, BIT(CATWALK_CLASS_FORCED));
}

/* One page more than a contract looks at in one slot, all of them the host's. */
static void m16_what_is_not_looked_at_is_unknown(void **state)
{
	enum { MOST = 64 * COHERENCE_STEPS };
	const u64 hva = 0x80000000UL, size = (MOST + 1) * P;
	struct catwalk_contract k = { .slot_count = 1, .slots = LIST };
	struct catwalk_contract_slot s;
	struct file *f;

	(void)state;
	assert_int_equal(world_slot(0, 0, 0, GUEST_RAM, 0, 0), 0);
	devices[0] = (struct world_device){ HOST_DEVICE, 0, LEVEL_4K };
	f = file_alloc(&world_device_ops, &devices[0], O_RDWR);
	assert_non_null(f);
	assert_int_equal(mm_mmap(world.mm, hva, size, RW, MAP_SHARED | MAP_FIXED, f, 0), hva);
	file_put(f);
	for (u64 at = hva; at < hva + size; at += P)
		assert_int_equal(mm_fault(world.mm, HVA(at), HOST_READ), FAULT_OK);
	for (u64 more = 0; more <= 1; more++) {
		assert_int_equal(world_slot(0, 7, 0, 0, (MOST + more) * P, hva), 0);
		assert_int_equal(ask(KVM_CATWALK_GET_CONTRACT, &k, sizeof(k)), 0);
		assert_int_equal(copy_from_user(&s, HVA(LIST), sizeof(s)), 0);
		assert_int_equal(s.classes, BIT(CATWALK_CLASS_DEVICE) |
						    (more ? BIT(CATWALK_CLASS_UNKNOWN) : 0));
		assert_int_equal(world_slot(0, 7, 0, 0, 0, 0), 0);
	}
}

static void m16_too_little_room_says_how_much_is_needed(void **state)
{
	struct catwalk_contract k = { .slots = LIST };

	(void)state;
	assert_int_equal(ask(KVM_CATWALK_GET_CONTRACT, &k, sizeof(k)), -E2BIG);
	assert_int_equal(k.slot_count, 1);
	assert_int_equal(ask(KVM_CATWALK_GET_CONTRACT, &k, sizeof(k)), 0);
	assert_int_equal(world_slot(0, 0, 0, GUEST_RAM, 0, 0), 0);
	k = (struct catwalk_contract){ .slots = KERNEL }; /* nothing is written there */
	assert_int_equal(ask(KVM_CATWALK_GET_CONTRACT, &k, sizeof(k)), 0);
	assert_int_equal(k.slot_count, 0);
	k.slot_count = -1U; /* room is not memory */
	assert_int_equal(ask(KVM_CATWALK_GET_CONTRACT, &k, sizeof(k)), 0);
	page_fail_nth(1);
	assert_int_equal(ask(KVM_CATWALK_GET_CONTRACT, &k, sizeof(k)), -ENOMEM);
	page_fail_nth(0);
}

/* ---- M18 */

static s64 read_trace(u64 after, u32 room, struct catwalk_trace *t)
{
	*t = (struct catwalk_trace){ .after = after, .count = room, .events = LIST };
	return ask(KVM_CATWALK_READ_TRACE, t, sizeof(*t));
}

static struct catwalk_trace_event event(u32 i)
{
	struct catwalk_trace_event e;

	assert_int_equal(copy_from_user(&e, HVA(LIST + i * sizeof(e)), sizeof(e)), 0);
	return e;
}

static void refuse_slots(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(world_slot(0, 9, 0, GUEST_RAM, P, AREA), -EEXIST);
}

static void m18_what_was_refused_is_read_with_its_rule(void **state)
{
	struct catwalk_trace_event e;
	struct fault_outcome o;
	struct catwalk_trace t;

	(void)state;
	assert_int_equal(mm_munmap(world.mm, AREA, P), 0);
	o = guest(GUEST_RAM + 8, MACHINE_WRITE);
	assert_int_equal(o.kind, OUTCOME_MEMORY_FAULT);
	refuse_slots(1);
	assert_int_equal(read_trace(0, 8, &t), 0);
	assert_int_equal(t.count, 2);
	assert_int_equal(t.after, 2);
	assert_int_equal(t.last, 2);
	assert_int_equal(t.lost, 0);
	e = event(0);
	assert_int_equal(e.number, 1);
	assert_int_equal(e.source, CATWALK_SOURCE_FAULT);
	assert_int_equal(e.answer, CATWALK_ANSWER_EXIT);
	assert_int_equal(e.access, CATWALK_WRITE);
	assert_int_equal(e.rule, reason_rule(o.why));
	assert_string_equal(e.reason, reason_text(o.why));
	assert_int_equal(e.error, -EFAULT);
	assert_int_equal(e.slot, 0);
	assert_int_equal(e.gpa, GUEST_RAM + 8);
	assert_int_equal(e.hva, AREA + 8);
	assert_int_equal(e.pad, 0);
	e = event(1);
	assert_int_equal(e.number, 2);
	assert_int_equal(e.source, CATWALK_SOURCE_SLOT);
	assert_int_equal(e.answer, CATWALK_ANSWER_ERROR);
	assert_int_equal(e.rule, 8);
	assert_int_equal(e.error, -EEXIST);
	assert_int_equal(e.slot, 9);
}

static void m18_the_ring_is_read_from_any_event_on_and_losses_are_counted(void **state)
{
	struct catwalk_trace t;

	(void)state;
	refuse_slots(30);
	assert_int_equal(read_trace(0, 20, &t), 0);
	assert_int_equal(t.count, 20);
	assert_int_equal(t.after, 20);
	assert_int_equal(t.last, 30);
	assert_int_equal(read_trace(t.after, 20, &t), 0);
	assert_int_equal(t.count, 10);
	assert_int_equal(event(0).number, 21);
	assert_int_equal(read_trace(t.after, 20, &t), 0);
	assert_int_equal(t.count, 0);
	assert_int_equal(t.after, 30);
	refuse_slots(TRACE_ENTRIES + 5);
	assert_int_equal(read_trace(t.after, -1U, &t), 0);
	assert_int_equal(t.count, TRACE_ENTRIES);
	assert_int_equal(t.lost, 5);
	assert_int_equal(t.last, 30 + TRACE_ENTRIES + 5);
	assert_int_equal(t.after, t.last);
	assert_int_equal(event(0).number, 36);
}

/* Numbers that no event has yet, the last of all among them. */
static void m18_nothing_is_read_beyond_the_last_event(void **state)
{
	static const u64 numbers[] = { 3, 4, 1000, 1UL << 63, -2UL, -1UL };
	struct catwalk_trace t;

	(void)state;
	for (u64 refused = 0; refused <= 3; refused += 3) {
		refuse_slots((unsigned int)refused);
		for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
			assert_int_equal(read_trace(numbers[i], 4, &t), 0);
			assert_int_equal(t.count, 0);
			assert_int_equal(t.lost, 0);
			assert_int_equal(t.after, numbers[i]);
			assert_int_equal(t.last, refused);
		}
	}
	assert_int_equal(read_trace(0, 0, &t), 0);
	assert_int_equal(t.count, 0);
	assert_int_equal(t.after, 0);
}

/* ---- M7: explain, and what happens then */

static enum machine_op op_of(enum catwalk_access access)
{
	static const enum machine_op ops[] = { MACHINE_READ, MACHINE_WRITE, MACHINE_FETCH };

	return ops[access];
}

/* @e was said of an access that now is made. */
static void check_comes_true(const struct catwalk_explain *e)
{
	struct fault_outcome o = guest(e->gpa, op_of((enum catwalk_access)e->access));
	struct s2_leaf leaf;

	assert_int_equal(o.kind == OUTCOME_RESUME, e->answer == CATWALK_ANSWER_MAP);
	if (o.kind == OUTCOME_RESUME) {
		assert_true(stage2_lookup(&world.vm[0].guest.s2, IPA(e->gpa), &leaf));
		assert_int_equal(level_size(leaf.level), e->would.size);
		assert_int_equal(leaf.type, e->would.type);
		assert_int_equal(leaf.perms & e->would.perms, e->would.perms);
		return;
	}
	assert_int_equal(reason_rule(o.why), e->rule);
	assert_string_equal(reason_text(o.why), e->reason);
	assert_int_equal(o.error, e->error);
	assert_int_equal(o.kind == OUTCOME_INJECT, e->answer == CATWALK_ANSWER_INJECT);
	assert_int_equal(o.kind == OUTCOME_MMIO, e->exit_reason == KVM_EXIT_MMIO);
	assert_int_equal(o.kind == OUTCOME_MEMORY_FAULT, e->exit_reason == KVM_EXIT_MEMORY_FAULT);
}

static void m7_what_is_explained_comes_true(void **state)
{
	static const u64 at[] = { 0x1000,	    PART(RAM) + 8,	 PART(NC) + P,
				  PART(DEVICE) + P, PART(RAM_AGAIN) + 8, PART(RAM) + 4 * P };

	(void)state;
	for (size_t i = 0; i < 4; i++)
		(void)mm_fault(world.mm, HVA(PART_HVA(i)), HOST_WRITE);
	assert_int_equal(world_slot(0, 3, KVM_MEM_READONLY, 0x1000, P, AREA), 0);
	assert_int_equal(mm_munmap(world.mm, AREA + 4 * P, P), 0);
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		for (unsigned int a = CATWALK_READ; a <= CATWALK_EXEC; a++) {
			struct catwalk_explain e = explained(at[i], (enum catwalk_access)a);

			assert_int_not_equal(e.answer, CATWALK_ANSWER_RETRY);
			check_comes_true(&e);
		}
	}
}

static void m18_explain_says_what_bound_it_and_what_is_owed(void **state)
{
	struct catwalk_explain e;

	(void)state;
	e = explained(PART(RAM), CATWALK_WRITE);
	assert_int_equal(e.answer, CATWALK_ANSWER_RETRY);
	assert_int_equal(e.rule, 9);
	assert_int_equal(e.facts, CATWALK_FACT_SLOT | CATWALK_FACT_ASKS_HOST);
	assert_int_equal(e.now.size, 0);
	assert_int_equal(e.slot, 0);
	assert_true(world_guest_write(0, PART(RAM), 1));
	e = explained(PART(RAM) + 8, CATWALK_WRITE);
	assert_int_equal(e.answer, CATWALK_ANSWER_MAP);
	assert_int_equal(e.rule, 2);
	assert_int_equal(e.bound_by, CATWALK_LIMIT_HOST);
	assert_int_equal(e.owed & CATWALK_CMO_DCACHE, host_has_fwb() ? 0 : CATWALK_CMO_DCACHE);
	assert_int_equal(e.owed_after, host_has_fwb() ? 0 : CATWALK_CMO_DCACHE);
	assert_int_equal(e.would.gpa, PART(RAM));
	assert_int_equal(e.would.size, P);
	assert_int_equal(e.would.type, CATWALK_TYPE_NORMAL);
	assert_int_equal(e.now.gpa, PART(RAM));
	assert_int_equal(e.now.size, P);
	assert_int_equal(e.facts, CATWALK_FACT_SLOT | CATWALK_FACT_HOST);
	assert_int_equal(e.host_type, CATWALK_TYPE_NORMAL);
	assert_int_equal(e.host_flags, CATWALK_HOST_PAGE_REACHED | CATWALK_HOST_PAGE_WRITABLE);
	assert_int_equal(e.host_size, P);
	assert_true(world_guest_write(0, PART(NC), 1));
	e = explained(PART(NC) + P, CATWALK_READ);
	assert_int_equal(e.rule, 5);
	assert_int_equal(e.now.size, SZ_2M);
	assert_int_equal(e.now.type, CATWALK_TYPE_NORMAL_NC);
	assert_int_equal(e.host_type, CATWALK_TYPE_NORMAL_NC);
	assert_int_equal(e.host_flags, CATWALK_HOST_PAGE_ANY | CATWALK_HOST_PAGE_WRITABLE);
}

/* Nothing is faulted in, mapped, counted or traced. */
static void m7_explain_changes_nothing(void **state)
{
	static const u64 at[] = { 0, GUEST_RAM, PART(NC), -1UL, 1UL << WORLD_IPA_BITS, 1UL << 63 };
	struct catwalk_trace t;
	u64 bytes[S2_TYPE_COUNT];
	struct host_pte pte;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		for (unsigned int a = CATWALK_READ; a <= CATWALK_EXEC; a++)
			(void)explained(at[i], (enum catwalk_access)a);
	}
	assert_false(mm_peek(world.mm, HVA(AREA), &pte));
	assert_false(mm_peek(world.mm, HVA(PART_HVA(NC)), &pte));
	dump(0, 1UL << WORLD_IPA_BITS, bytes);
	assert_int_equal(bytes[0] + bytes[1] + bytes[2], 0);
	assert_int_equal(read_trace(0, 8, &t), 0);
	assert_int_equal(t.last, 0);
	assert_int_equal(explained(1UL << WORLD_IPA_BITS, CATWALK_READ).answer,
			 CATWALK_ANSWER_INJECT);
	assert_int_equal(explained(0, CATWALK_READ).exit_reason, KVM_EXIT_MMIO);
	assert_int_equal(explained(0, CATWALK_READ).slot, CATWALK_NO_SLOT);
}

/* ---- M9 */

static s64 prefault(struct catwalk_prefault r, struct catwalk_prefault *out)
{
	*out = r;
	return ask(KVM_CATWALK_PREFAULT_SLOT, out, sizeof(*out));
}

static void m9_prefault_says_what_it_skipped_and_why(void **state)
{
	struct catwalk_prefault r;

	(void)state;
	assert_int_equal(mm_munmap(world.mm, AREA + 4 * P, 3 * P), 0);
	assert_int_equal(prefault((struct catwalk_prefault){ .size = 16 * P }, &r), 0);
	assert_int_equal(r.size, 0);
	assert_int_equal(r.offset, 16 * P);
	assert_int_equal(r.error, 0);
	assert_int_equal(r.skipped, 3 * P);
	assert_int_equal(r.skip_rule, 8);
	assert_string_equal(r.skip_reason, reason_text(WHY_NO_VMA));
	assert_string_equal(r.reason, "");
	assert_int_equal(coherence(GUEST_RAM, 16 * P).mapped, 13 * P);
}

/* A driver is asked for its memory only on request. */
static void m9_only_what_is_present_if_so_asked(void **state)
{
	struct catwalk_prefault r;

	(void)state;
	assert_int_equal(mm_fault(world.mm, HVA(AREA + P), HOST_WRITE), FAULT_OK);
	assert_int_equal(prefault((struct catwalk_prefault){ .size = SLOT_SIZE,
							     .flags = CATWALK_PREFAULT_PRESENT },
				  &r),
			 0);
	assert_int_equal(r.size, 0);
	assert_int_equal(r.skipped, SLOT_SIZE - P);
	assert_int_equal(r.skip_rule, 9);
	assert_int_equal(coherence(GUEST_RAM, SLOT_SIZE).mapped, P);
	assert_int_equal(prefault((struct catwalk_prefault){ .offset = SZ_2M, .size = 2 * SZ_2M },
				  &r),
			 0);
	assert_int_equal(r.skipped, 0);
	assert_int_equal(coherence(PART(NC), 2 * SZ_2M).mapped, 2 * SZ_2M);
	assert_int_equal(guest(PART(NC), MACHINE_READ).kind, OUTCOME_RESUME);
}

static void m9_prefault_is_resumed_where_it_stopped(void **state)
{
	struct catwalk_prefault r;

	(void)state;
	port_current()->signal_pending = 1;
	assert_int_equal(prefault((struct catwalk_prefault){ .size = 4 * P }, &r), -EINTR);
	port_current()->signal_pending = 0;
	assert_int_equal(r.error, -EINTR);
	assert_int_equal(r.size, 4 * P);
	assert_int_equal(prefault((struct catwalk_prefault){ .size = 3 * SZ_2M }, &r), 0);
	machine_fail_alloc(world.p, 1); /* the table for the last part */
	assert_int_equal(prefault((struct catwalk_prefault){ .size = SLOT_SIZE }, &r), 0);
	machine_fail_alloc(world.p, 0);
	assert_int_equal(r.error, -ENOMEM);
	assert_int_equal(r.rule, 1);
	assert_string_equal(r.reason, reason_text(WHY_HOST_NOMEM));
	assert_int_equal(r.size, SZ_2M);
	assert_int_equal(r.offset, 3 * SZ_2M);
	assert_int_equal(coherence(GUEST_RAM, SLOT_SIZE).mapped, r.offset);
	assert_int_equal(prefault((struct catwalk_prefault){ .offset = r.offset, .size = r.size },
				  &r),
			 0);
	assert_int_equal(r.size, 0);
	assert_int_equal(coherence(GUEST_RAM, SLOT_SIZE).mapped, SLOT_SIZE);
}

/* As KVM_PRE_FAULT_MEMORY does: pages that can share TLB entries are told so. */
static void m9_what_was_mapped_page_by_page_gets_its_hints(void **state)
{
	struct port_caps caps = fwb;
	struct catwalk_prefault r;
	struct stats st;

	caps.bbm = 1;
	assert_int_equal(begin_on(&caps), 0);
	devices[0].max_level = LEVEL_4K;
	assert_int_equal(prefault((struct catwalk_prefault){ .offset = SZ_2M, .size = SZ_2M }, &r),
			 0);
	stage2_stats(&world.vm[0].guest.s2, &st);
	assert_int_equal(st.count[STAT_hint], SZ_2M / P / 16);
	assert_int_equal(world_teardown(state), 0);
}

/* ---- VMAs stand still while they are asked about */

static const struct host_ops *real_host;
static unsigned int areas_asked;

static int area_under_the_lock(void *host, hva_t hva, hva_t to, struct host_area *out)
{
	assert_int_equal(world.mm->lock.state & RWSEM_READERS, 1);
	areas_asked++;
	return real_host->area(host, hva, to, out);
}

static void vmas_are_asked_about_under_the_mm_lock(void **state)
{
	struct catwalk_contract k = { .slot_count = 1, .slots = LIST };
	struct host_ops host;

	(void)state;
	real_host = world.vm[0].guest.host_ops;
	host = *real_host;
	host.area = area_under_the_lock;
	world.vm[0].guest.host_ops = &host;
	areas_asked = 0;
	(void)explained(GUEST_RAM, CATWALK_READ);
	assert_int_equal(areas_asked, 1);
	assert_int_equal(ask(KVM_CATWALK_GET_CONTRACT, &k, sizeof(k)), 0);
	assert_true(areas_asked > 1);
	world.vm[0].guest.host_ops = real_host;
	assert_int_equal(world.mm->lock.state & RWSEM_READERS, 0);
}

static void m9_what_is_no_part_of_a_slot_is_refused_with_its_reason(void **state)
{
	static const u32 ids[] = { 1, 8, 32766, 32767, 1U << 16, -1U };
	struct catwalk_prefault r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		assert_int_equal(prefault((struct catwalk_prefault){ .slot = ids[i], .size = P },
					  &r),
				 -ENOENT);
		assert_int_equal(r.error, -ENOENT);
		assert_string_equal(r.reason, reason_text(WHY_SLOT_NO_SUCH));
	}
	assert_int_equal(prefault((struct catwalk_prefault){ .size = SLOT_SIZE + P }, &r), -EINVAL);
	assert_int_equal(r.rule, 9);
	assert_string_equal(r.reason, reason_text(WHY_SPAN_OUTSIDE));
}

#define on_fwb(f)   cmocka_unit_test_setup_teardown(f, begin_fwb, world_teardown)
#define on_plain(f) cmocka_unit_test_setup_teardown(f, begin_plain, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_fwb(bad_pointers_are_faults),
		on_fwb(a_read_only_argument_is_a_fault),
		on_fwb(bad_arguments_are_invalid),
		on_fwb(bad_lists_are_faults),
		on_fwb(what_is_asked_exists),
		on_fwb(m11_the_answer_agrees_with_the_tables),
		on_plain(m11_the_answer_agrees_with_the_tables),
		on_fwb(m11_each_class_owes_its_maintenance),
		on_plain(m11_each_class_owes_its_maintenance),
		on_fwb(m11_what_would_be_mapped_is_known_from_the_host),
		on_plain(m11_what_would_be_mapped_is_known_from_the_host),
		on_fwb(m11_a_long_range_is_answered_whole_or_resumed),
		on_fwb(m16_the_contract_has_the_hosts_facts_and_the_slots),
		on_plain(m16_the_contract_has_the_hosts_facts_and_the_slots),
		on_fwb(m16_the_contract_has_what_slots_were_promised),
		on_fwb(m16_what_is_not_looked_at_is_unknown),
		on_fwb(m16_too_little_room_says_how_much_is_needed),
		on_fwb(m18_what_was_refused_is_read_with_its_rule),
		on_fwb(m18_the_ring_is_read_from_any_event_on_and_losses_are_counted),
		on_fwb(m18_nothing_is_read_beyond_the_last_event),
		on_fwb(m7_what_is_explained_comes_true),
		on_plain(m7_what_is_explained_comes_true),
		on_fwb(m18_explain_says_what_bound_it_and_what_is_owed),
		on_plain(m18_explain_says_what_bound_it_and_what_is_owed),
		on_fwb(m7_explain_changes_nothing),
		on_fwb(m9_prefault_says_what_it_skipped_and_why),
		on_plain(m9_prefault_says_what_it_skipped_and_why),
		on_fwb(m9_only_what_is_present_if_so_asked),
		on_fwb(m9_prefault_is_resumed_where_it_stopped),
		cmocka_unit_test(m9_what_was_mapped_page_by_page_gets_its_hints),
		on_fwb(vmas_are_asked_about_under_the_mm_lock),
		on_fwb(m9_what_is_no_part_of_a_slot_is_refused_with_its_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
