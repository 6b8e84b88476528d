/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dirty rings: what a vCPU wrote is in its ring, page by page, also where blocks were mapped; a
 * full ring ends KVM_RUN; what is taken back is told again; no bitmap is left to ask for.
 */
#define _GNU_SOURCE
#include "abi/catwalk.h"
#include "tests/target/check.h"
#include "tests/target/client.h"

enum { PAGES = 1024, DATA_SIZE = PAGES * PAGE, DATA_GPA = 0x80000000, SLOT = 1 };
enum { ENTRIES = 512, ENTRY = sizeof(struct kvm_dirty_gfn), RESERVED = 64 };

/* Writes x1 to x2 pages from x0 on, then tells. */
GUEST(writer, "1:	str x1, [x0]\n"
	      "	add x0, x0, #4096\n"
	      "	subs x2, x2, #1\n"
	      "	b.ne 1b\n"
	      "	str x1, [x19]\n"
	      "	b .\n");

struct guest {
	struct vm vm;
	struct vcpu vcpu;
	char *data;
	struct kvm_dirty_gfn *ring;
	unsigned fetched;
};

static int enable(struct vm *vm, uint32_t cap, uint64_t value)
{
	struct kvm_enable_cap c = { .cap = cap, .args = { value } };

	return ioctl(vm->fd, KVM_ENABLE_CAP, &c);
}

static void set_logging(struct guest *g, uint32_t flags)
{
	CHECK_EQ(vm_slot(&g->vm, SLOT, flags, DATA_GPA, DATA_SIZE, g->data), 0);
}

static void start(struct guest *g, unsigned first, unsigned count)
{
	vcpu_set_x(&g->vcpu, 0, DATA_GPA + (uint64_t)first * PAGE);
	vcpu_set_x(&g->vcpu, 1, 0x5a5a);
	vcpu_set_x(&g->vcpu, 2, count);
	vcpu_start(&g->vcpu, GUEST_RAM);
}

static void run_to_end(struct guest *g)
{
	CHECK_EQ(RUN_TO_WRITE(&g->vcpu, GUEST_MMIO), 0x5a5a);
	/* Complete the store, so that the next start is not taken for its end. */
	g->vcpu.run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(&g->vcpu), -EINTR);
	g->vcpu.run->immediate_exit = 0;
}

static void write_pages(struct guest *g, unsigned first, unsigned count)
{
	start(g, first, count);
	run_to_end(g);
}

/* Reads what the ring has; it must be @count pages from @first on, in order. */
static void expect_ring(struct guest *g, int line, unsigned first, unsigned count)
{
	unsigned seen = 0, wrong = 0;

	for (;; seen++, g->fetched++) {
		struct kvm_dirty_gfn *e = &g->ring[g->fetched % ENTRIES];

		if (!(__atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) & KVM_DIRTY_GFN_F_DIRTY))
			break;
		wrong += e->slot != SLOT || e->offset != first + seen;
		__atomic_store_n(&e->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
	}
	if (!check_note(seen == count && !wrong))
		printf("%s:%d: %u entries of which %u are wrong, expected %u\n", __FILE__, line,
		       seen, wrong, count);
}

#define EXPECT_RING(g, first, count) expect_ring(g, __LINE__, first, count)

static int reset(struct guest *g)
{
	return ioctl(g->vm.fd, KVM_RESET_DIRTY_RINGS, 0);
}

static void check_what_is_written_is_told(struct guest *g)
{
	set_logging(g, KVM_MEM_LOG_DIRTY_PAGES);
	write_pages(g, 10, 5);
	EXPECT_RING(g, 10, 5);
	write_pages(g, 10, 5); /* not taken back yet: nothing new */
	EXPECT_RING(g, 0, 0);
	CHECK_EQ(reset(g), 5);
	CHECK_EQ(reset(g), 0);
	write_pages(g, 12, 2);
	EXPECT_RING(g, 12, 2);
	CHECK_EQ(reset(g), 2);
}

/* Memory that was mapped before logging began, also as blocks. */
static void check_enable_later(struct guest *g)
{
	set_logging(g, 0);
	write_pages(g, 0, PAGES);
	EXPECT_RING(g, 0, 0);
	set_logging(g, KVM_MEM_LOG_DIRTY_PAGES);
	write_pages(g, 500, 30);
	EXPECT_RING(g, 500, 30);
	CHECK_EQ(reset(g), 30);
}

static void check_full(struct guest *g)
{
	unsigned done = 0;

	set_logging(g, 0);
	set_logging(g, KVM_MEM_LOG_DIRTY_PAGES);
	start(g, 0, PAGES);
	while (vcpu_run(&g->vcpu) == 0 && g->vcpu.run->exit_reason == KVM_EXIT_DIRTY_RING_FULL) {
		/* It stays full until entries are taken back. */
		CHECK_EQ(vcpu_run(&g->vcpu), 0);
		CHECK_EQ(g->vcpu.run->exit_reason, KVM_EXIT_DIRTY_RING_FULL);
		EXPECT_RING(g, done, ENTRIES - RESERVED);
		CHECK_EQ(reset(g), ENTRIES - RESERVED);
		/* The last page was told before its store went through, and is protected again now:
		 * it is told once more. */
		done += ENTRIES - RESERVED - 1;
	}
	CHECK_EQ(g->vcpu.run->exit_reason, KVM_EXIT_MMIO);
	EXPECT_RING(g, done, PAGES - done);
	CHECK_EQ(reset(g), PAGES - done);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK_EQ(*(uint64_t *)(g->data + i * PAGE), 0x5a5a);
	g->vcpu.run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(&g->vcpu), -EINTR);
	g->vcpu.run->immediate_exit = 0;
}

/* A program may write what it likes into its ring. */
static void check_forged(struct guest *g)
{
	write_pages(g, 0, 3);
	for (unsigned i = 0; i < 3; i++)
		g->ring[(g->fetched + i) % ENTRIES] = (struct kvm_dirty_gfn){
			.flags = KVM_DIRTY_GFN_F_RESET,
			.slot = i ? SLOT : 0x10000,
			.offset = i == 1 ? ~0UL : PAGES,
		};
	CHECK_EQ(reset(g), 3);
	g->fetched += 3;
}

static void check_no_bitmap(struct guest *g)
{
	uint64_t bitmap[PAGES / 64];
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = bitmap };
	struct kvm_clear_dirty_log clear = {
		.slot = SLOT,
		.num_pages = PAGES,
		.dirty_bitmap = bitmap,
	};

	CHECK_FAILS(ioctl(g->vm.fd, KVM_GET_DIRTY_LOG, &log), ENXIO);
	CHECK_FAILS(ioctl(g->vm.fd, KVM_CLEAR_DIRTY_LOG, &clear), ENXIO);
}

static void check_enable_errors(void)
{
	const uint32_t cap = KVM_CAP_DIRTY_LOG_RING_ACQ_REL;
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	CHECK_FAILS(reset(&(struct guest){ .vm = vm }), EINVAL);
	CHECK_FAILS(enable(&vm, cap, 0), EINVAL);
	CHECK_FAILS(enable(&vm, cap, 5000), EINVAL);
	CHECK_FAILS(enable(&vm, cap, PAGE / 2), EINVAL);
	CHECK_FAILS(enable(&vm, cap, 2UL * VM_CAP(&vm, cap)), E2BIG);
	CHECK_FAILS(enable(&vm, KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP, 0), EINVAL);
	CHECK_OK(enable(&vm, cap, VM_CAP(&vm, cap)));
	CHECK_FAILS(enable(&vm, cap, PAGE), EINVAL);
	CHECK_OK(enable(&vm, KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP, 0));
	vm_destroy(&vm);

	vm_create(&vm, 0);
	vcpu_create(&vm, &vcpu, 0, 0);
	CHECK_FAILS(enable(&vm, cap, PAGE), EINVAL); /* too late */
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}

static void *map_ring(struct guest *g, int prot, int flags)
{
	return mmap(NULL, ENTRIES * ENTRY, prot, flags, g->vcpu.fd,
		    KVM_DIRTY_LOG_PAGE_OFFSET * PAGE);
}

static void check_mappings(struct guest *g)
{
	const int rw = PROT_READ | PROT_WRITE;

	CHECK(map_ring(g, rw, MAP_PRIVATE) == MAP_FAILED && errno == EINVAL);
	CHECK(map_ring(g, rw | PROT_EXEC, MAP_SHARED) == MAP_FAILED && errno == EINVAL);
	g->ring = map_ring(g, rw, MAP_SHARED);
	REQUIRE(g->ring != MAP_FAILED);
}

int main(void)
{
	struct guest g = { .fetched = 0 };
	char *code;

	vm_create(&g.vm, 0);
	if (VM_CAP(&g.vm, KVM_CAP_DIRTY_LOG_RING_ACQ_REL) <= 0) {
		vm_destroy(&g.vm);
		printf("kvm_ring: no dirty rings here\n");
		return check_done("kvm_ring");
	}
	CHECK_OK(enable(&g.vm, KVM_CAP_DIRTY_LOG_RING_ACQ_REL, ENTRIES * ENTRY));
	code = vm_ram(&g.vm, 0, GUEST_RAM, 64 * 1024);
	LOAD(code, writer);
	g.data = host_memory(DATA_SIZE, 2 * MIB);
	vcpu_create(&g.vm, &g.vcpu, 0, 0);
	check_mappings(&g);
	check_what_is_written_is_told(&g);
	check_enable_later(&g);
	CHECK_OK(madvise(g.data, DATA_SIZE, MADV_DONTNEED));
	CHECK_OK(madvise(g.data, DATA_SIZE, MADV_HUGEPAGE)); /* the same once more with blocks */
	check_enable_later(&g);
	check_full(&g);
	check_forged(&g);
	check_no_bitmap(&g);
	CHECK_OK(munmap(g.ring, ENTRIES * ENTRY));
	vcpu_destroy(&g.vcpu);
	vm_destroy(&g.vm);
	check_enable_errors();
	return check_done("kvm_ring");
}
