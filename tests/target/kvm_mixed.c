/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests over 1 GiB of slots while all that is behind them changes: four vCPUs fault, read, write
 * and execute in anonymous memory, huge pages, files, a ROM, device memory of all types and holes,
 * and two threads unmap, remap, retype, discard, protect, move and log them (kvm_mixed.h). Every
 * word that a guest reads is checked by it, and by the host in between and at the end; an exit, an
 * error or an abort is allowed only if a change made it possible during that run.
 *
 *   kvm_mixed [--seconds S] [--seed N]
 *
 * It goes on, beyond S, until everything has happened at least once.
 */
#define _GNU_SOURCE
#include "tests/target/kvm_mixed.h"

#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "abi/catwalk.h"
#include "tests/target/check.h"
#include "tests/target/guest_mmu.h"

/* What one run may keep of free memory: what allocators hold back, up to 64 KiB here. */
enum { LEAK_KIB = 512 };

struct totals {
	unsigned long done[OPERATIONS], exits[EXIT_KINDS], actions[ACTIONS];
	unsigned long looked_at;
};

/* ---- one run */

static void vcpu_make(struct mixed *m, struct runner *r, unsigned id, uint64_t seed,
		      const struct guest_mmu *mmu)
{
	uint64_t walker = SHARED_GPA + offsetof(struct mixed_shared, walker) + id * sizeof(*r->w);

	*r = (struct runner){ .m = m, .w = &m->shared->walker[id] };
	r->w->random = (seed << 8 | (id + 1)) * 0x9e3779b97f4a7c15UL | 1;
	r->w->id = id;
	vcpu_create(&m->vm, &r->vcpu, id, 0);
	guest_mmu_on(&r->vcpu, mmu, GUEST_RAM);
	vcpu_start(&r->vcpu, CODE_GPA + (uint64_t)((const char *)guest_walk - __start_guest_text));
	reg_set(&r->vcpu, ARM64_SYS_REG(3, 0, 1, 0, 2),
		3UL << 20); /* CPACR_EL1: compilers use FP */
	reg_set(&r->vcpu, CORE_REG(sp_el1), walker + offsetof(struct walker, stack) + MIXED_STACK);
	vcpu_set_x(&r->vcpu, 0, SHARED_GPA);
	vcpu_set_x(&r->vcpu, 1, id);
}

/* Slot 0: code, tables, what is shared. The data are at the same address in both stages. */
static char *own_memory(struct mixed *m, struct guest_mmu *mmu)
{
	char *own = vm_ram(&m->vm, 0, GUEST_RAM, SHARED_GPA + SHARED_MAX - GUEST_RAM);

	LOAD(own, mixed_vectors);
	guest_load(own + (CODE_GPA - GUEST_RAM), __start_guest_text, __stop_guest_text);
	guest_mmu_init(mmu, own + (TABLES_GPA - GUEST_RAM), TABLES_GPA);
	for (uint64_t at = SHARED_GPA; at < SHARED_GPA + SHARED_MAX; at += 2 * MIB)
		guest_mmu_set(mmu, at, at | S1_BLOCK | S1_DATA);
	mmu->top[2] = DATA_GPA | S1_BLOCK | S1_SHARED | S1_AF;
	mmu->top[3] = EMPTY_GPA | S1_BLOCK | S1_SHARED | S1_AF;
	m->shared = (void *)(own + (SHARED_GPA - GUEST_RAM));
	return own;
}

static void enable_guarantees(struct mixed *m)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_CATWALK_WRITE_BACK };

	m->fwb = VM_CAP(&m->vm, KVM_CAP_ARM_CACHEABLE_PFNMAP_SUPPORTED) > 0;
	if (m->fwb)
		CHECK_OK(ioctl(m->vm.fd, KVM_ENABLE_CAP, &cap));
}

static int has_all(const unsigned long *counts, int n)
{
	for (int i = 0; i < n; i++) {
		if (!counts[i])
			return 0;
	}
	return 1;
}

static void totals_of(struct mixed *m, const struct runner *r, struct totals *t)
{
	*t = (struct totals){ 0 };
	for (unsigned id = 0; id < VCPUS; id++) {
		for (int i = 0; i < OPERATIONS; i++)
			t->done[i] += *(const volatile uint64_t *)&r[id].w->done[i];
		for (int i = 0; i < EXIT_KINDS; i++)
			t->exits[i] += *(const volatile unsigned long *)&r[id].exits[i];
		t->looked_at += r[id].looked_at;
	}
	for (int i = 0; i < ACTIONS; i++)
		t->actions[i] = atomic_load(&m->actions[i]);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Everything has happened, and it was long enough. */
static void wait_for_end(struct mixed *m, const struct runner *r, double seconds)
{
	double end = now() + seconds;
	struct totals t;

	do {
		usleep(20 * 1000);
		totals_of(m, r, &t);
	} while (!atomic_load(&m->stop) && !atomic_load(&check_failures) &&
		 (now() < end || !areas_disturbed(m) || !has_all(t.done, OPERATIONS) ||
		  !has_all(t.exits, EXIT_KINDS)));
	atomic_store(&m->stop, 1);
}

static void stress(double seconds, uint64_t seed, struct totals *t)
{
	static struct runner runner[VCPUS];
	static struct mixed m;
	struct disturbance d[DISTURBERS] = { { &m, MAPPER, seed * 2 + 1 },
					     { &m, RETYPER, seed * 2 + 2 } };
	pthread_t thread[VCPUS + DISTURBERS];
	struct guest_mmu mmu;
	char *own;

	m = (struct mixed){ 0 };
	vm_create(&m.vm, 0);
	enable_guarantees(&m);
	own = own_memory(&m, &mmu);
	areas_make(&m);
	for (unsigned i = 0; i < VCPUS; i++)
		vcpu_make(&m, &runner[i], i, seed, &mmu);
	for (unsigned i = 0; i < VCPUS; i++)
		REQUIRE(pthread_create(&thread[i], NULL, run_guest, &runner[i]) == 0);
	for (unsigned i = 0; i < DISTURBERS; i++)
		REQUIRE(pthread_create(&thread[VCPUS + i], NULL, disturb, &d[i]) == 0);
	wait_for_end(&m, runner, seconds);
	for (unsigned i = 0; i < VCPUS + DISTURBERS; i++)
		pthread_join(thread[i], NULL);
	totals_of(&m, runner, t);
	t->looked_at += look_at_all(&m);
	for (unsigned i = 0; i < VCPUS; i++)
		vcpu_destroy(&runner[i].vcpu);
	vm_destroy(&m.vm);
	areas_end(&m);
	CHECK_OK(munmap(own, SHARED_GPA + SHARED_MAX - GUEST_RAM));
}

static void print_totals(const struct totals *t, double seconds, uint64_t seed)
{
	printf("kvm_mixed: seed %lu, %.1f s: %lu reads, %lu writes, %lu executions, %lu in a changing epoch; ",
	       seed, seconds, t->done[OP_READ], t->done[OP_WRITE], t->done[OP_EXECUTE],
	       t->done[OP_UNSTABLE]);
	printf("exits: %lu EFAULT, %lu MMIO, %lu aborts, %lu in the hole, %lu outside; ",
	       t->exits[EXIT_FAULT], t->exits[EXIT_MMIO], t->exits[EXIT_ABORT], t->exits[EXIT_HOLE],
	       t->exits[EXIT_EMPTY]);
	for (int i = 0; i < ACTIONS; i++)
		printf("%lu %s, ", t->actions[i], action_names[i]);
	printf("%lu pages looked at by the host\n", t->looked_at);
}

static long free_kib(void)
{
	struct sysinfo info;

	usleep(300 * 1000); /* what is freed late has been freed */
	REQUIRE(sysinfo(&info) == 0);
	return (long)(info.freeram / 1024 * info.mem_unit);
}

static int has_devices(void)
{
	return !access("/dev/devmem/ivshmem0/now", R_OK);
}

static double option(int argc, char **argv, const char *name, double otherwise)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], name))
			return strtod(argv[i + 1], NULL);
	}
	return otherwise;
}

int main(int argc, char **argv)
{
	double seconds = option(argc, argv, "--seconds", 5), start;
	uint64_t seed = (uint64_t)option(argc, argv, "--seed", 1);
	struct totals t;
	long before, cost;
	int fd;

	if (!has_devices()) {
		/* Linux has none; a machine of ours is to be given some (--device coherent=64M). */
		CHECK(access("/dev/devmem", F_OK) != 0);
		printf("kvm_mixed: no device memory here, nothing is checked\n");
		return check_done("kvm_mixed");
	}
	stress(0, seed, &t); /* what is allocated once has been */
	before = free_kib();
	fd = dup(1);
	close(fd);
	start = now();
	stress(seconds, seed, &t);
	print_totals(&t, now() - start, seed);
	cost = before - free_kib();
	if (!check_note(cost < LEAK_KIB))
		printf("kvm_mixed: %ld KiB of memory did not come back\n", cost);
	CHECK_EQ(dup(1), fd);
	return check_done("kvm_mixed");
}
