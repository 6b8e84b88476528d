/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dirty log in its bitmap mode: what a guest wrote between two reads of the log is exactly what
 * the log says, with memory that was mapped before logging began (also as blocks), is read only, or
 * is discarded by the host.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"

#include <pthread.h>

enum { PAGES = 1024, DATA_SIZE = PAGES * PAGE, DATA_GPA = 0x80000000, SLOT = 1 };

/* Writes x1 to x2 words, x3 bytes apart, from x0 on (x2 = 0: none); reads instead if x4 is not
 * zero. Then tells. */
GUEST(walker, "	cbz x2, 3f\n"
	      "1:	cbnz x4, 2f\n"
	      "	str x1, [x0]\n"
	      "2:	ldr x5, [x0]\n"
	      "	add x0, x0, x3\n"
	      "	subs x2, x2, #1\n"
	      "	b.ne 1b\n"
	      "3:	str x1, [x19]\n"
	      "	b .\n");

struct guest {
	struct vm vm;
	struct vcpu vcpu;
	char *data;
	uint64_t bitmap[PAGES / 64];
};

enum direction { WRITES, READS };

static void guest_walk(struct guest *g, enum direction direction, unsigned first, unsigned count,
		       unsigned stride)
{
	vcpu_set_x(&g->vcpu, 0, DATA_GPA + (uint64_t)first * PAGE);
	vcpu_set_x(&g->vcpu, 1, 0x5a5a);
	vcpu_set_x(&g->vcpu, 2, count);
	vcpu_set_x(&g->vcpu, 3, (uint64_t)stride * PAGE);
	vcpu_set_x(&g->vcpu, 4, direction == READS);
	vcpu_start(&g->vcpu, GUEST_RAM);
	CHECK_EQ(RUN_TO_WRITE(&g->vcpu, GUEST_MMIO), 0x5a5a);
	/* Complete the store, so that the next start is not taken for its end. */
	g->vcpu.run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(&g->vcpu), -EINTR);
	g->vcpu.run->immediate_exit = 0;
}

static void read_log(struct guest *g)
{
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = g->bitmap };

	memset(g->bitmap, 0xa5, sizeof(g->bitmap)); /* every word is to be written */
	CHECK_OK(ioctl(g->vm.fd, KVM_GET_DIRTY_LOG, &log));
}

static int is_dirty(const struct guest *g, unsigned page)
{
	return g->bitmap[page / 64] >> page % 64 & 1;
}

/* The log has exactly the pages first, first + stride, ... (@count of them). */
static void expect_log(struct guest *g, int line, unsigned first, unsigned count, unsigned stride)
{
	unsigned wrong = 0, example = 0;

	read_log(g);
	for (unsigned i = 0; i < PAGES; i++) {
		int expected = count && i >= first && (i - first) % stride == 0 &&
			       (i - first) / stride < count;

		if (is_dirty(g, i) != expected) {
			wrong++;
			example = i;
		}
	}
	if (!check_note(wrong == 0))
		printf("%s:%d: %u pages are wrong in the log, one is page %u, seen %s\n", __FILE__,
		       line, wrong, example, is_dirty(g, example) ? "dirty" : "clean");
}

#define EXPECT_LOG(g, first, count, stride) expect_log(g, __LINE__, first, count, stride)

static void set_logging(struct guest *g, uint32_t flags)
{
	CHECK_EQ(vm_slot(&g->vm, SLOT, flags, DATA_GPA, DATA_SIZE, g->data), 0);
}

static void check_from_the_start(struct guest *g)
{
	set_logging(g, KVM_MEM_LOG_DIRTY_PAGES);
	EXPECT_LOG(g, 0, 0, 1);
	guest_walk(g, WRITES, 3, 5, 7);
	EXPECT_LOG(g, 3, 5, 7);
	EXPECT_LOG(g, 0, 0, 1);		/* read once, gone */
	guest_walk(g, WRITES, 3, 5, 7); /* the same pages again */
	EXPECT_LOG(g, 3, 5, 7);
	guest_walk(g, READS, 0, PAGES, 1);
	EXPECT_LOG(g, 0, 0, 1); /* reads are not writes */
	guest_walk(g, WRITES, 0, PAGES, 1);
	EXPECT_LOG(g, 0, PAGES, 1);
	guest_walk(g, WRITES, PAGES - 1, 1, 1);
	EXPECT_LOG(g, PAGES - 1, 1, 1);
}

/* Memory that was written without logging, then logged: only what is written from then on. */
static void check_enable_later(struct guest *g)
{
	set_logging(g, 0);
	guest_walk(g, WRITES, 0, PAGES, 1);
	set_logging(g, KVM_MEM_LOG_DIRTY_PAGES);
	EXPECT_LOG(g, 0, 0, 1);
	guest_walk(g, WRITES, 100, 10, 3);
	EXPECT_LOG(g, 100, 10, 3);
	set_logging(g, 0);
	CHECK_FAILS(ioctl(g->vm.fd, KVM_GET_DIRTY_LOG, (&(struct kvm_dirty_log){ .slot = SLOT })),
		    ENOENT);
	guest_walk(g, WRITES, 0, PAGES, 1);
	set_logging(g, KVM_MEM_LOG_DIRTY_PAGES);
	EXPECT_LOG(g, 0, 0, 1);
	guest_walk(g, WRITES, 0, 512, 2);
	EXPECT_LOG(g, 0, 512, 2);
}

/* Contents survive every change of the mapping. */
static void check_contents(struct guest *g)
{
	for (unsigned i = 0; i < PAGES; i++)
		*(uint64_t *)(g->data + i * PAGE + 8) = i;
	guest_walk(g, WRITES, 0, PAGES, 1);
	read_log(g);
	guest_walk(g, WRITES, 1, 300, 3);
	set_logging(g, 0);
	for (unsigned i = 0; i < PAGES; i++) {
		if (*(uint64_t *)(g->data + i * PAGE) != 0x5a5a ||
		    *(uint64_t *)(g->data + i * PAGE + 8) != i)
			CHECK_EQ(*(uint64_t *)(g->data + i * PAGE + 8), i);
	}
	set_logging(g, KVM_MEM_LOG_DIRTY_PAGES);
}

/* The host's own writes are not logged; pages it discarded are when the guest writes them. */
static void check_host_side(struct guest *g)
{
	memset(g->data, 1, DATA_SIZE);
	EXPECT_LOG(g, 0, 0, 1);
	CHECK_OK(madvise(g->data, DATA_SIZE, MADV_DONTNEED));
	guest_walk(g, READS, 0, 20, 1);
	EXPECT_LOG(g, 0, 0, 1);
	guest_walk(g, WRITES, 10, 20, 1);
	EXPECT_LOG(g, 10, 20, 1);
}

/* A slot deleted and made again starts with an empty log. */
static void check_recreate(struct guest *g)
{
	guest_walk(g, WRITES, 0, 10, 1);
	CHECK_EQ(vm_slot(&g->vm, SLOT, 0, 0, 0, NULL), 0);
	set_logging(g, KVM_MEM_LOG_DIRTY_PAGES);
	EXPECT_LOG(g, 0, 0, 1);
	guest_walk(g, WRITES, 5, 6, 64);
	EXPECT_LOG(g, 5, 6, 64);
}

static atomic_int logging;
static uint64_t seen_dirty[PAGES / 64];

static void *read_logs(void *arg)
{
	struct guest *g = arg;

	while (atomic_load(&logging)) {
		read_log(g);
		for (unsigned i = 0; i < PAGES / 64; i++)
			seen_dirty[i] |= g->bitmap[i];
	}
	return NULL;
}

/* The log read while the guest writes: no page that was written is in none of the logs. */
static void check_concurrent(struct guest *g)
{
	pthread_t thread;

	atomic_store(&logging, 1);
	REQUIRE(pthread_create(&thread, NULL, read_logs, g) == 0);
	for (int round = 0; round < 10; round++)
		guest_walk(g, WRITES, 0, PAGES / 2, 2);
	atomic_store(&logging, 0);
	pthread_join(thread, NULL);
	read_log(g);
	for (unsigned i = 0; i < PAGES / 64; i++)
		CHECK_EQ(seen_dirty[i] | g->bitmap[i], 0x5555555555555555);
}

int main(void)
{
	struct guest g;
	char *code;

	vm_create(&g.vm, 0);
	code = vm_ram(&g.vm, 0, GUEST_RAM, 64 * 1024);
	LOAD(code, walker);
	g.data = host_memory(DATA_SIZE, 2 * MIB);
	vcpu_create(&g.vm, &g.vcpu, 0, 0);
	check_from_the_start(&g);
	check_enable_later(&g);
	CHECK_OK(madvise(g.data, DATA_SIZE, MADV_DONTNEED));
	CHECK_OK(madvise(g.data, DATA_SIZE, MADV_HUGEPAGE)); /* the same once more with blocks */
	set_logging(&g, 0);
	guest_walk(&g, WRITES, 0, PAGES, 1);
	check_enable_later(&g);
	check_contents(&g);
	check_host_side(&g);
	check_recreate(&g);
	check_concurrent(&g);
	vcpu_destroy(&g.vcpu);
	vm_destroy(&g.vm);
	return check_done("kvm_dirty");
}
