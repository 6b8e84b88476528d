/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests that count while the host changes everything under them: several vCPUs add to counters of
 * their own all over the memory, and no addition may be lost, while another thread discards and
 * remaps scratch pages, takes write permission away and gives it back, switches dirty logging,
 * moves slots, splits and refills huge pages.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"

#include <pthread.h>
#include <unistd.h>

enum {
	VCPUS = 3,
	PAGES = 1024,
	COUNT_SIZE = PAGES * PAGE,
	COUNT_GPA = 0x80000000,
	SCRATCH_GPA = 0xa0000000,
	SCRATCH_SIZE = 2 * MIB,
	MOVED_BY = 4 * MIB,
	PASSES = 30,
	SLOT_CODE = 0,
	SLOT_COUNT = 1,
	SLOT_SCRATCH = 2,
};

/*
 * x0 + 8 * vCPU in each of x2 pages holds the pass it was last counted in: it must be x1 - 1 and
 * becomes x1. A word that differs is told at GUEST_MMIO + 8. Each page also gets a write and a read
 * of the scratch page of the same number (x3; x4 = 0: none), whose contents are anybody's. The end
 * of a pass is told at GUEST_MMIO.
 */
GUEST(counter, "1:	ldr x5, [x0]\n"
	       "	add x5, x5, #1\n"
	       "	cmp x5, x1\n"
	       "	b.eq 2f\n"
	       "	str x0, [x19, #8]\n"
	       "2:	str x5, [x0]\n"
	       "	cbz x4, 3f\n"
	       "	and x6, x0, #0x1ff000\n"
	       "	add x6, x6, x3\n"
	       "	str x5, [x6]\n"
	       "	ldr x7, [x6, #256]\n"
	       "3:	add x0, x0, #4096\n"
	       "	subs x2, x2, #1\n"
	       "	b.ne 1b\n"
	       "	str x1, [x19]\n"
	       "	b .\n");

struct runner {
	struct vcpu vcpu;
	unsigned id;
	unsigned long retried, elsewhere;
};

static struct vm vm;
static char *counts, *scratch;
static atomic_uint running;

/*
 * KVM_RUN until the guest tells. EFAULT is what a page without write permission answers, and an
 * exit in the scratch range is a slot that is not there just now: the guest tries again.
 */
static uint64_t run_to_tell(struct runner *r)
{
	struct kvm_run *run = r->vcpu.run;

	for (;;) {
		int error = vcpu_run(&r->vcpu);

		if (error == -EFAULT || error == -EINTR) {
			r->retried++;
			continue;
		}
		REQUIRE(error == 0);
		REQUIRE(run->exit_reason == KVM_EXIT_MMIO);
		if (run->mmio.phys_addr < SCRATCH_GPA)
			return run->mmio.phys_addr;
		REQUIRE(run->mmio.phys_addr < SCRATCH_GPA + SCRATCH_SIZE + MOVED_BY);
		r->elsewhere++;
	}
}

static void run_pass(struct runner *r, uint64_t pass)
{
	uint64_t told;

	vcpu_set_x(&r->vcpu, 0, COUNT_GPA + 8 * r->id);
	vcpu_set_x(&r->vcpu, 1, pass);
	vcpu_set_x(&r->vcpu, 2, PAGES);
	vcpu_set_x(&r->vcpu, 3, SCRATCH_GPA + 8 * r->id);
	vcpu_set_x(&r->vcpu, 4, 1);
	vcpu_start(&r->vcpu, GUEST_RAM);
	while ((told = run_to_tell(r)) == GUEST_MMIO + 8)
		CHECK_EQ(vcpu_x(&r->vcpu, 0), 0); /* the address of a wrong count */
	CHECK_EQ(told, GUEST_MMIO);
	r->vcpu.run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(&r->vcpu), -EINTR);
	r->vcpu.run->immediate_exit = 0;
}

static void *run_guest(void *arg)
{
	struct runner *r = arg;

	for (uint64_t pass = 1; pass <= PASSES; pass++)
		run_pass(r, pass);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static uint32_t random_below(uint32_t limit)
{
	static uint64_t state = 88172645463325252;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 20) % limit;
}

static void take_write_permission(void)
{
	unsigned first = random_below(PAGES - 64);
	size_t size = (1 + random_below(64)) * PAGE;

	CHECK_OK(mprotect(counts + first * PAGE, size, random_below(2) ? PROT_READ : PROT_NONE));
	sched_yield();
	CHECK_OK(mprotect(counts + first * PAGE, size, PROT_READ | PROT_WRITE));
}

static void switch_logging(void)
{
	static uint64_t bitmap[PAGES / 64];
	struct kvm_dirty_log log = { .slot = SLOT_COUNT, .dirty_bitmap = bitmap };

	CHECK_EQ(vm_slot(&vm, SLOT_COUNT, KVM_MEM_LOG_DIRTY_PAGES, COUNT_GPA, COUNT_SIZE, counts),
		 0);
	sched_yield();
	CHECK_OK(ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log));
	CHECK_EQ(vm_slot(&vm, SLOT_COUNT, 0, COUNT_GPA, COUNT_SIZE, counts), 0);
}

static void change_scratch(void)
{
	char *p = scratch + random_below(SCRATCH_SIZE / PAGE - 8) * PAGE;

	switch (random_below(4)) {
	case 0: CHECK_OK(madvise(p, 8 * PAGE, MADV_DONTNEED)); break;
	case 1: CHECK_OK(madvise(scratch, SCRATCH_SIZE, MADV_DONTNEED)); break;
	case 2:
		CHECK_OK(madvise(scratch, SCRATCH_SIZE,
				 random_below(2) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
		break;
	case 3:
		CHECK(mmap(p, 4 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
		break;
	}
}

static void move_scratch(void)
{
	static unsigned moved;
	uint64_t gpa = SCRATCH_GPA + (++moved % 2) * MOVED_BY;

	if (moved % 8 == 0)
		CHECK_EQ(vm_slot(&vm, SLOT_SCRATCH, 0, 0, 0, NULL), 0);
	CHECK_EQ(vm_slot(&vm, SLOT_SCRATCH, 0, gpa, SCRATCH_SIZE, scratch), 0);
}

static unsigned disturb(void)
{
	unsigned changes = 0;

	while (atomic_load(&running)) {
		switch (random_below(8)) {
		case 0: switch_logging(); break;
		case 1: move_scratch(); break;
		case 2:
		case 3: take_write_permission(); break;
		default: change_scratch();
		}
		changes++;
	}
	return changes;
}

int main(void)
{
	struct runner runner[VCPUS] = { 0 };
	pthread_t thread[VCPUS];
	unsigned changes;

	vm_create(&vm, 0);
	LOAD((char *)vm_ram(&vm, SLOT_CODE, GUEST_RAM, 64 * 1024), counter);
	counts = vm_ram(&vm, SLOT_COUNT, COUNT_GPA, COUNT_SIZE);
	scratch = vm_ram(&vm, SLOT_SCRATCH, SCRATCH_GPA, SCRATCH_SIZE);
	CHECK_OK(madvise(counts, COUNT_SIZE, MADV_HUGEPAGE));
	atomic_store(&running, VCPUS);
	for (unsigned i = 0; i < VCPUS; i++) {
		runner[i].id = i;
		vcpu_create(&vm, &runner[i].vcpu, i, 0);
	}
	for (unsigned i = 0; i < VCPUS; i++)
		REQUIRE(pthread_create(&thread[i], NULL, run_guest, &runner[i]) == 0);
	changes = disturb();
	for (unsigned i = 0; i < VCPUS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned page = 0; page < PAGES; page++)
		for (unsigned i = 0; i < VCPUS; i++)
			CHECK_EQ(*(uint64_t *)(counts + page * PAGE + 8 * i), PASSES);
	printf("kvm_stress: %u changes under %d vCPUs; %lu retries, %lu accesses elsewhere\n",
	       changes, VCPUS, runner[0].retried + runner[1].retried + runner[2].retried,
	       runner[0].elsewhere + runner[1].elsewhere + runner[2].elsewhere);
	for (unsigned i = 0; i < VCPUS; i++)
		vcpu_destroy(&runner[i].vcpu);
	vm_destroy(&vm);
	return check_done("kvm_stress");
}
