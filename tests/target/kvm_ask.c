/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a VM answers about its memory (abi/catwalk.h), on a real VM: what is explained is what a run
 * then does and reports, coherence agrees with what is mapped, refusals are in the trace, and
 * arguments are checked. On Linux, which does not have these calls, only that they are refused.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"

#include "abi/catwalk.h"

#include <fcntl.h>
#include <unistd.h>

enum {
	SLOT_CODE,
	SLOT_DATA,
	SLOT_ROM,
	SLOT_FIXED,
	SLOTS,
	SIZE = 2 * MIB,
	DATA = GUEST_RAM + 16 * MIB,  /* memory, with a hole */
	ROM = GUEST_RAM + 32 * MIB,   /* read-only slot */
	FIXED = GUEST_RAM + 48 * MIB, /* writable slot over memory that cannot be written */
	NOWHERE = GUEST_MMIO + 16 * MIB,
	FILLED = 0x1000, /* offsets: a page that is there, */
	HOLE = 0x5000,	 /* a page whose mapping is gone */
	LAST = 0x8000,	 /* what is asked about */
};

GUEST(do_read, "	ldr x3, [x1]\n	str x3, [x19]\n	b .\n");
GUEST(do_write, "	str x2, [x1]\n	str x3, [x19]\n	b .\n");
GUEST(do_exec, "	br x1\n");
GUEST(landing, "	str x3, [x19]\n	b .\n");

struct world {
	struct vm vm;
	struct vcpu vcpu;
	char *code, *data, *rom, *fixed;
	int has_fwb;
};

static char *anonymous(void)
{
	char *p = host_memory(SIZE, SIZE);

	REQUIRE(madvise(p, SIZE, MADV_NOHUGEPAGE) == 0);
	guest_load(p + FILLED, landing, landing_end);
	return p;
}

static void world_make(struct world *w)
{
	vm_create(&w->vm, 0);
	w->has_fwb = VM_CAP(&w->vm, KVM_CAP_ARM_CACHEABLE_PFNMAP_SUPPORTED) > 0;
	w->code = vm_ram(&w->vm, SLOT_CODE, GUEST_RAM, SIZE);
	w->data = anonymous();
	w->rom = anonymous();
	w->fixed = anonymous();
	REQUIRE(munmap(w->data + HOLE, PAGE) == 0);
	REQUIRE(mprotect(w->fixed, SIZE, PROT_READ) == 0);
	REQUIRE(vm_slot(&w->vm, SLOT_DATA, 0, DATA, SIZE, w->data) == 0);
	REQUIRE(vm_slot(&w->vm, SLOT_ROM, KVM_MEM_READONLY, ROM, SIZE, w->rom) == 0);
	REQUIRE(vm_slot(&w->vm, SLOT_FIXED, 0, FIXED, SIZE, w->fixed) == 0);
	vcpu_create(&w->vm, &w->vcpu, 0, 0);
}

static void world_end(struct world *w)
{
	vcpu_destroy(&w->vcpu);
	vm_destroy(&w->vm);
}

static struct catwalk_explain explain(struct world *w, uint64_t gpa, uint32_t access)
{
	struct catwalk_explain e = { .gpa = gpa, .access = access };

	CHECK_OK(ioctl(w->vm.fd, KVM_CATWALK_EXPLAIN, &e));
	return e;
}

static struct catwalk_coherence coherence(struct world *w, uint64_t gpa, uint64_t size)
{
	struct catwalk_coherence c = { .gpa = gpa, .size = size };

	CHECK_OK(ioctl(w->vm.fd, KVM_CATWALK_GET_COHERENCE, &c));
	CHECK_EQ(c.done, size);
	return c;
}

static struct catwalk_trace trace(struct world *w, uint64_t after, uint32_t room,
				  struct catwalk_trace_event *events)
{
	struct catwalk_trace t = {
		.after = after,
		.count = room,
		.events = (uint64_t)(uintptr_t)events,
	};

	CHECK_OK(ioctl(w->vm.fd, KVM_CATWALK_READ_TRACE, &t));
	return t;
}

/* ---- explain, and what a run then does */

static const struct row {
	const char *name;
	uint64_t gpa;
	uint32_t access, answer, exit_reason, rule;
} rows[] = {
	{ "read of memory", DATA + FILLED, CATWALK_READ, CATWALK_ANSWER_MAP, 0, 2 },
	{ "write to memory", DATA + FILLED, CATWALK_WRITE, CATWALK_ANSWER_MAP, 0, 2 },
	{ "fetch from memory", DATA + FILLED, CATWALK_EXEC, CATWALK_ANSWER_MAP, 0, 2 },
	{ "read of a hole", DATA + HOLE, CATWALK_READ, CATWALK_ANSWER_EXIT, KVM_EXIT_MEMORY_FAULT,
	  8 },
	{ "write to a hole", DATA + HOLE, CATWALK_WRITE, CATWALK_ANSWER_EXIT, KVM_EXIT_MEMORY_FAULT,
	  8 },
	{ "fetch from a hole", DATA + HOLE, CATWALK_EXEC, CATWALK_ANSWER_EXIT,
	  KVM_EXIT_MEMORY_FAULT, 8 },
	{ "read of a read-only slot", ROM + FILLED, CATWALK_READ, CATWALK_ANSWER_MAP, 0, 2 },
	{ "write to a read-only slot", ROM + FILLED, CATWALK_WRITE, CATWALK_ANSWER_EXIT,
	  KVM_EXIT_MMIO, 15 },
	{ "fetch from a read-only slot", ROM + FILLED, CATWALK_EXEC, CATWALK_ANSWER_MAP, 0, 2 },
	{ "read of what cannot be written", FIXED + FILLED, CATWALK_READ, CATWALK_ANSWER_MAP, 0,
	  2 },
	{ "write to what cannot be written", FIXED + FILLED, CATWALK_WRITE, CATWALK_ANSWER_EXIT,
	  KVM_EXIT_MEMORY_FAULT, 8 },
	{ "read of no slot", NOWHERE, CATWALK_READ, CATWALK_ANSWER_EXIT, KVM_EXIT_MMIO, 15 },
	{ "write to no slot", NOWHERE, CATWALK_WRITE, CATWALK_ANSWER_EXIT, KVM_EXIT_MMIO, 15 },
};

static void note(const struct row *row, const char *what, uint64_t seen, uint64_t expected)
{
	if (!check_note(seen == expected))
		printf("%s: %s %#lx, expected %#lx\n", row->name, what, seen, expected);
}

static int run_access(struct world *w, uint64_t gpa, uint32_t access)
{
	static const char *const start[] = { do_read, do_write, do_exec };
	static const char *const end[] = { do_read_end, do_write_end, do_exec_end };

	w->vcpu.run->immediate_exit = 1; /* an exit by MMIO is not over before the next run */
	(void)vcpu_run(&w->vcpu);
	w->vcpu.run->immediate_exit = 0;
	guest_load(w->code, start[access], end[access]);
	vcpu_start(&w->vcpu, GUEST_RAM);
	vcpu_set_x(&w->vcpu, 1, gpa);
	vcpu_set_x(&w->vcpu, 2, 0xf9000263); /* as the page begins: STR x3, [x19] */
	return vcpu_run(&w->vcpu);
}

/* The exit has the rule and the sentence that were told. */
static void check_memory_fault(struct world *w, const struct row *row,
			       const struct catwalk_explain *e, int error)
{
	struct catwalk_memory_fault f;

	memcpy(&f, w->vcpu.run->padding, sizeof(f));
	note(row, "error", (uint64_t)error, (uint64_t)-EFAULT);
	note(row, "error told", (uint64_t)e->error, (uint64_t)-EFAULT);
	note(row, "rule in the exit", f.rule, e->rule);
	note(row, "address in the exit", f.gpa, row->gpa & -PAGE);
	if (!check_note(strcmp(f.reason, e->reason) == 0))
		printf("%s: \"%s\", told \"%s\"\n", row->name, f.reason, e->reason);
}

/* It got to the end, and what is mapped now is what was told. */
static void check_mapped(struct world *w, const struct row *row, const struct catwalk_explain *e)
{
	struct catwalk_explain now = explain(w, row->gpa, row->access);

	note(row, "exit", w->vcpu.run->exit_reason, KVM_EXIT_MMIO);
	note(row, "MMIO at the end", w->vcpu.run->mmio.phys_addr, GUEST_MMIO);
	note(row, "mapped from", now.now.gpa, e->would.gpa);
	note(row, "mapped size", now.now.size, e->would.size);
	note(row, "mapped type", now.now.type, e->would.type);
	note(row, "mapped permissions", now.now.perms & e->would.perms, e->would.perms);
	note(row, "maintenance before", e->owed & CATWALK_CMO_DCACHE,
	     w->has_fwb ? 0 : CATWALK_CMO_DCACHE);
	note(row, "maintenance after", e->owed_after, w->has_fwb ? 0 : CATWALK_CMO_DCACHE);
}

static void check_row(struct world *w, const struct row *row)
{
	struct catwalk_explain e = explain(w, row->gpa, row->access);
	int error;

	note(row, "answer", e.answer, row->answer);
	note(row, "exit told", e.exit_reason, row->exit_reason);
	note(row, "rule", e.rule, row->rule);
	error = run_access(w, row->gpa, row->access);
	if (row->exit_reason == KVM_EXIT_MEMORY_FAULT) {
		note(row, "exit", w->vcpu.run->exit_reason, KVM_EXIT_MEMORY_FAULT);
		check_memory_fault(w, row, &e, error);
		return;
	}
	note(row, "error", (uint64_t)error, 0);
	if (row->answer == CATWALK_ANSWER_MAP) {
		check_mapped(w, row, &e);
		return;
	}
	note(row, "exit", w->vcpu.run->exit_reason, row->exit_reason);
	note(row, "MMIO", w->vcpu.run->mmio.phys_addr, row->gpa);
}

static void check_explain(struct world *w)
{
	struct catwalk_explain e = explain(w, DATA + LAST, CATWALK_READ);

	CHECK_EQ(e.answer, CATWALK_ANSWER_RETRY); /* the host has no page there yet */
	CHECK_EQ(e.facts, CATWALK_FACT_SLOT | CATWALK_FACT_ASKS_HOST);
	CHECK_EQ(e.slot, SLOT_DATA);
	CHECK_EQ(explain(w, NOWHERE, CATWALK_READ).slot, CATWALK_NO_SLOT);
	CHECK_EQ(explain(w, 1UL << 40, CATWALK_READ).answer, CATWALK_ANSWER_INJECT);
	CHECK_EQ(explain(w, -8UL, CATWALK_WRITE).answer, CATWALK_ANSWER_INJECT);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(w, &rows[i]);
}

/* ---- coherence */

/* The pages of a range that are mapped, told one by one. */
static uint64_t mapped_pages(struct world *w, uint64_t gpa, uint64_t size)
{
	uint64_t sum = 0;

	for (uint64_t at = gpa; at < gpa + size; at += PAGE) {
		struct catwalk_explain e = explain(w, at, CATWALK_READ);

		CHECK(!e.now.size || e.now.type == CATWALK_TYPE_NORMAL);
		sum += e.now.size ? PAGE : 0;
	}
	return sum;
}

static void check_coherence(struct world *w)
{
	uint32_t class = w->has_fwb ? CATWALK_CLASS_FORCED : CATWALK_CLASS_GUEST;
	uint32_t both = CATWALK_OWED_BEFORE_READ | CATWALK_OWED_AFTER_WRITE;
	struct catwalk_coherence c;

	REQUIRE(run_access(w, DATA + LAST, CATWALK_WRITE) == 0);
	c = coherence(w, DATA + LAST, PAGE);
	CHECK_EQ(c.all, class);
	CHECK_EQ(c.mapped, PAGE);
	CHECK_EQ(c.bytes[class], PAGE);
	CHECK_EQ(c.owed[CATWALK_AGENT_VMM], w->has_fwb ? 0 : both);
	CHECK_EQ(c.owed[CATWALK_AGENT_DMA_SNOOPS], w->has_fwb ? 0 : both);
	CHECK_EQ(c.owed[CATWALK_AGENT_DMA_BYPASS], both | CATWALK_OWED_BEFORE_WRITE);
	c = coherence(w, DATA, SIZE);
	CHECK_EQ(c.all, class);
	CHECK_EQ(c.mapped, mapped_pages(w, DATA, SIZE));
	CHECK_EQ(c.bytes[class] + c.bytes[CATWALK_CLASS_UNKNOWN], SIZE);
	c = coherence(w, NOWHERE, SIZE);
	CHECK_EQ(c.all, CATWALK_CLASS_UNKNOWN);
	CHECK_EQ(c.bytes[CATWALK_CLASS_UNKNOWN], SIZE);
	CHECK_EQ(c.mapped, 0);
	CHECK_EQ(coherence(w, 0, 1UL << 40).done, 1UL << 40);
}

/* ---- the contract */

static void check_contract(struct world *w)
{
	static const uint64_t gpas[SLOTS] = { GUEST_RAM, DATA, ROM, FIXED };
	struct catwalk_contract_slot slots[SLOTS];
	struct catwalk_contract k = { .slots = (uint64_t)(uintptr_t)slots };

	CHECK_FAILS(ioctl(w->vm.fd, KVM_CATWALK_GET_CONTRACT, &k), E2BIG);
	CHECK_EQ(k.slot_count, SLOTS);
	CHECK_OK(ioctl(w->vm.fd, KVM_CATWALK_GET_CONTRACT, &k));
	CHECK_EQ(k.version, 1);
	CHECK_EQ(k.host & CATWALK_HOST_FWB, w->has_fwb ? CATWALK_HOST_FWB : 0);
	CHECK(!w->has_fwb || (k.host & CATWALK_HOST_IDC)); /* FWB implies it */
	CHECK_EQ(k.ipa_bits, 40);
	CHECK_EQ(k.granule, PAGE);
	CHECK_EQ(k.blocks, VM_CAP(&w->vm, KVM_CAP_ARM_SUPPORTED_BLOCK_SIZES));
	CHECK_EQ(k.slot_count, SLOTS);
	for (unsigned i = 0; i < SLOTS; i++) {
		CHECK_EQ(slots[i].gpa, gpas[i]);
		CHECK_EQ(slots[i].size, SIZE);
		CHECK_EQ(slots[i].slot, i);
		CHECK_EQ(slots[i].promises, i == SLOT_ROM ? CATWALK_PROMISE_READ_ONLY : 0);
		CHECK_EQ(slots[i].classes & ~1U,
			 1U << (w->has_fwb ? CATWALK_CLASS_FORCED : CATWALK_CLASS_GUEST));
	}
}

/* ---- the trace */

static void check_trace(struct world *w)
{
	struct catwalk_trace_event e[2];
	struct catwalk_trace t = trace(w, 0, 0, NULL);
	uint64_t before = t.last;

	REQUIRE(run_access(w, DATA + HOLE, CATWALK_WRITE) == -EFAULT);
	CHECK_EQ(vm_slot(&w->vm, 9, 0, DATA, SIZE, w->data), -EEXIST);
	t = trace(w, before, 2, e);
	CHECK_EQ(t.count, 2);
	CHECK_EQ(t.lost, 0);
	CHECK_EQ(t.last, before + 2);
	CHECK_EQ(t.after, before + 2);
	CHECK_EQ(e[0].number, before + 1);
	CHECK_EQ(e[0].source, CATWALK_SOURCE_FAULT);
	CHECK_EQ(e[0].answer, CATWALK_ANSWER_EXIT);
	CHECK_EQ(e[0].access, CATWALK_WRITE);
	CHECK_EQ(e[0].gpa, DATA + HOLE);
	CHECK_EQ(e[0].hva, w->data + HOLE);
	CHECK_EQ(e[0].slot, SLOT_DATA);
	CHECK_EQ(e[0].error, -EFAULT);
	CHECK_EQ(e[0].rule, 8);
	CHECK(strcmp(e[0].reason, explain(w, DATA + HOLE, CATWALK_WRITE).reason) == 0);
	CHECK_EQ(e[1].source, CATWALK_SOURCE_SLOT);
	CHECK_EQ(e[1].slot, 9);
	CHECK_EQ(e[1].error, -EEXIST);
	CHECK_EQ(e[1].rule, 8);
	CHECK_EQ(trace(w, t.after, 2, e).count, 0);
	CHECK_EQ(trace(w, -1UL, 2, e).count, 0);
}

/* More than is kept: what is gone is counted. */
static void check_trace_losses(struct world *w)
{
	uint32_t kept = (uint32_t)VM_CAP(&w->vm, KVM_CAP_CATWALK_TRACE);
	struct catwalk_trace_event *e = calloc(kept, sizeof(*e));
	uint64_t before = trace(w, 0, 0, NULL).last;
	struct catwalk_trace t;

	REQUIRE(e);
	for (uint32_t i = 0; i < kept + 3; i++)
		(void)vm_slot(&w->vm, 9, 0, DATA, SIZE, w->data);
	t = trace(w, before, kept, e);
	CHECK_EQ(t.count, kept);
	CHECK_EQ(t.lost, 3);
	CHECK_EQ(e[0].number, before + 4);
	free(e);
}

/* ---- prefault of a slot */

static void check_prefault(struct world *w)
{
	struct catwalk_prefault p = {
		.slot = SLOT_DATA,
		.flags = CATWALK_PREFAULT_PRESENT,
		.size = SIZE,
	};

	REQUIRE(madvise(w->data + LAST, PAGE, MADV_DONTNEED) == 0);
	CHECK_OK(ioctl(w->vm.fd, KVM_CATWALK_PREFAULT_SLOT, &p));
	CHECK_EQ(p.size, 0);
	CHECK_EQ(p.error, 0);
	CHECK_EQ(p.skip_rule, 9);
	CHECK_EQ(p.skipped, SIZE - coherence(w, DATA, SIZE).mapped);
	CHECK_EQ(coherence(w, DATA + LAST, PAGE).mapped, 0);
	p = (struct catwalk_prefault){ .slot = SLOT_DATA, .size = SIZE };
	CHECK_OK(ioctl(w->vm.fd, KVM_CATWALK_PREFAULT_SLOT, &p));
	CHECK_EQ(p.offset, SIZE);
	CHECK_EQ(p.skipped, PAGE);
	CHECK_EQ(p.skip_rule, 8);
	CHECK(strcmp(p.skip_reason, explain(w, DATA + HOLE, CATWALK_READ).reason) == 0);
	CHECK_EQ(coherence(w, DATA, SIZE).mapped, SIZE - PAGE);
	p = (struct catwalk_prefault){ .slot = 9, .size = SIZE };
	CHECK_FAILS(ioctl(w->vm.fd, KVM_CATWALK_PREFAULT_SLOT, &p), ENOENT);
	CHECK_EQ(p.error, -ENOENT);
	CHECK(p.reason[0]);
	p = (struct catwalk_prefault){ .slot = SLOT_DATA, .offset = PAGE, .size = SIZE };
	CHECK_FAILS(ioctl(w->vm.fd, KVM_CATWALK_PREFAULT_SLOT, &p), EINVAL);
	CHECK_EQ(p.rule, 9);
}

/* ---- memory of devices */

static const struct device_row {
	const char *path;
	size_t size;
	uint32_t class, promises;
	int needs_fwb; /* no slot without it (M4) */
} device_rows[] = {
	{ "rtc/now", PAGE, CATWALK_CLASS_DEVICE, 0, 0 },
	{ "ivshmem0/now", SIZE, CATWALK_CLASS_FORCED, CATWALK_PROMISE_CACHEABLE_PFNMAP, 1 },
	{ "ivshmem0/now-2m", SIZE, CATWALK_CLASS_FORCED, CATWALK_PROMISE_CACHEABLE_PFNMAP, 1 },
	{ "ivshmem0/nc", SIZE, CATWALK_CLASS_DEVICE, 0, 0 },
	{ "ivshmem0/nc-any-uncached", SIZE, CATWALK_CLASS_NC, 0, 0 },
	{ "ivshmem0/device", SIZE, CATWALK_CLASS_DEVICE, 0, 0 },
	{ "ivshmem0/any-uncached", SIZE, CATWALK_CLASS_NC, 0, 0 },
};

static void *device_map(const struct device_row *row)
{
	char path[64], *area = host_memory(2 * SIZE, SIZE);
	void *p;
	int fd;

	snprintf(path, sizeof(path), "/dev/devmem/%s", row->path);
	fd = open(path, O_RDWR);
	REQUIRE(fd >= 0);
	p = mmap(area, row->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	REQUIRE(p == area);
	close(fd);
	return p;
}

static void note_device(const struct device_row *row, const char *what, uint64_t seen,
			uint64_t expected)
{
	if (!check_note(seen == expected))
		printf("%s: %s %#lx, expected %#lx\n", row->path, what, seen, expected);
}

static uint32_t type_of_class(uint32_t class)
{
	return class == CATWALK_CLASS_NC       ? CATWALK_TYPE_NORMAL_NC
	       : class == CATWALK_CLASS_DEVICE ? CATWALK_TYPE_DEVICE
					       : CATWALK_TYPE_NORMAL;
}

/* Told before it is mapped, mapped, and told again. */
static void check_device_slot(struct world *w, const struct device_row *row, uint64_t gpa)
{
	struct catwalk_coherence before = coherence(w, gpa, row->size), after;
	struct catwalk_explain e = explain(w, gpa, CATWALK_READ);
	struct catwalk_contract_slot slots[SLOTS + 1];
	struct catwalk_contract k = {
		.slots = (uint64_t)(uintptr_t)slots,
		.slot_count = SLOTS + 1,
	};

	CHECK_OK(ioctl(w->vm.fd, KVM_CATWALK_GET_CONTRACT, &k));
	note_device(row, "promises", slots[SLOTS].promises, row->promises);
	note_device(row, "classes", slots[SLOTS].classes, 1U << row->class);
	note_device(row, "class before", before.all, row->class);
	note_device(row, "mapped before", before.mapped, 0);
	note_device(row, "type told", e.would.type, type_of_class(row->class));
	REQUIRE(run_access(w, gpa, CATWALK_READ) == 0);
	note_device(row, "exit", w->vcpu.run->mmio.phys_addr, GUEST_MMIO);
	after = coherence(w, gpa, row->size);
	note_device(row, "class after", after.all, row->class);
	note_device(row, "mapped after", after.mapped, e.would.size);
	e = explain(w, gpa, CATWALK_READ);
	note_device(row, "type mapped", e.now.type, type_of_class(row->class));
	note_device(row, "size mapped", e.now.size, after.mapped);
}

static void check_devices(struct world *w)
{
	uint64_t gpa = GUEST_RAM + 64UL * MIB;

	for (unsigned i = 0; i < sizeof(device_rows) / sizeof(device_rows[0]); i++) {
		const struct device_row *row = &device_rows[i];
		void *memory = device_map(row);
		int error = vm_slot(&w->vm, SLOTS, 0, gpa, row->size, memory);

		note_device(row, "slot", (uint64_t)error,
			    row->needs_fwb && !w->has_fwb ? (uint64_t)-EINVAL : 0);
		if (!error) {
			check_device_slot(w, row, gpa);
			CHECK_EQ(vm_slot(&w->vm, SLOTS, 0, gpa, 0, NULL), 0);
		}
		munmap(memory, row->size);
	}
}

/* ---- arguments */

static const unsigned long calls[] = { KVM_CATWALK_GET_COHERENCE, KVM_CATWALK_GET_CONTRACT,
				       KVM_CATWALK_READ_TRACE, KVM_CATWALK_EXPLAIN,
				       KVM_CATWALK_PREFAULT_SLOT };
enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

static void check_arguments(struct world *w)
{
	char *edge = host_memory(2 * PAGE, PAGE), *full = malloc(2 * PAGE);

	REQUIRE(full && munmap(edge + PAGE, PAGE) == 0);
	for (unsigned i = 0; i < CALLS; i++) {
		memset(full, 0xff, 2 * PAGE);
		CHECK_FAILS(ioctl(w->vm.fd, calls[i], NULL), EFAULT);
		CHECK_FAILS(ioctl(w->vm.fd, calls[i], edge + PAGE - 8), EFAULT);
		CHECK_FAILS(ioctl(w->vm.fd, calls[i], -PAGE), EFAULT);
		CHECK_FAILS(ioctl(w->vm.fd, calls[i], 0xffff800000000000), EFAULT);
		CHECK_FAILS(ioctl(w->vm.fd, calls[i], full), EINVAL);
		CHECK_FAILS(ioctl(w->vcpu.fd, calls[i], full), EINVAL);
	}
	free(full);
}

static void check_capabilities(struct world *w)
{
	CHECK_EQ(VM_CAP(&w->vm, KVM_CAP_MEMORY_FAULT_INFO), 1);
	CHECK_EQ(VM_CAP(&w->vm, KVM_CAP_PRE_FAULT_MEMORY), 1);
	CHECK_EQ(VM_CAP(&w->vm, KVM_CAP_ARM_CACHEABLE_PFNMAP_SUPPORTED),
		 VM_CAP(&w->vm, KVM_CAP_CATWALK_WRITE_BACK));
	CHECK_EQ(VM_CAP(&w->vm, KVM_CAP_CATWALK_CONTRACT), 1);
	CHECK_EQ(VM_CAP(&w->vm, KVM_CAP_CATWALK_EXPLAIN), 1);
	CHECK_EQ(VM_CAP(&w->vm, KVM_CAP_CATWALK_PREFAULT), 1);
	CHECK(VM_CAP(&w->vm, KVM_CAP_CATWALK_TRACE) > 0);
}

static void check_linux(struct world *w)
{
	static char full[2 * PAGE];

	for (unsigned i = 0; i < CALLS; i++)
		CHECK_FAILS(ioctl(w->vm.fd, calls[i], full), EINVAL);
}

int main(void)
{
	struct world w = { 0 };

	world_make(&w);
	if (VM_CAP(&w.vm, KVM_CAP_CATWALK_COHERENCE) > 0) {
		check_capabilities(&w);
		check_explain(&w);
		check_coherence(&w);
		check_contract(&w);
		check_trace(&w);
		check_trace_losses(&w);
		check_prefault(&w);
		check_devices(&w);
		check_arguments(&w);
	} else {
		check_linux(&w);
	}
	world_end(&w);
	return check_done("kvm_ask");
}
