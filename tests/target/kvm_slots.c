/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory slots as a guest sees them: created, deleted, moved, read-only, and coherent with what the
 * host does to the memory behind them (unmap, map anew, discard, protect, change through another
 * mapping of the same file).
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

enum { CODE_SIZE = 64 * 1024, DATA_SIZE = 2 * MIB, DATA_GPA = 0x80000000, OTHER_GPA = 0xa0000000 };

/*
 * A server of reads and writes: reads a command from GUEST_MMIO (address, bit 0 set for a write of
 * the value at GUEST_MMIO + 8), carries it out, and tells what it read at GUEST_MMIO + 16.
 */
GUEST(server, "1:	ldr x0, [x19]\n"
	      "	tbnz x0, #0, 2f\n"
	      "	ldr x1, [x0]\n"
	      "	str x1, [x19, #16]\n"
	      "	b 1b\n"
	      "2:	and x0, x0, #~1\n"
	      "	ldr x1, [x19, #8]\n"
	      "	str x1, [x0]\n"
	      "	str x1, [x19, #16]\n"
	      "	b 1b\n");

struct guest {
	struct vm vm;
	struct vcpu vcpu;
	char *code;
};

static void answer(struct guest *g, uint64_t addr, uint64_t value)
{
	struct kvm_run *run = g->vcpu.run;

	REQUIRE(vcpu_run(&g->vcpu) == 0);
	REQUIRE(run->exit_reason == KVM_EXIT_MMIO);
	CHECK_EQ(run->mmio.phys_addr, addr);
	CHECK_EQ(run->mmio.is_write, 0);
	memcpy(run->mmio.data, &value, sizeof(value));
}

/* Lets the guest read a word of RAM. */
static uint64_t guest_read(struct guest *g, uint64_t gpa)
{
	answer(g, GUEST_MMIO, gpa);
	return RUN_TO_WRITE(&g->vcpu, GUEST_MMIO + 16);
}

static void guest_write(struct guest *g, uint64_t gpa, uint64_t value)
{
	answer(g, GUEST_MMIO, gpa | 1);
	answer(g, GUEST_MMIO + 8, value);
	CHECK_EQ(RUN_TO_WRITE(&g->vcpu, GUEST_MMIO + 16), value);
}

/* Lets the guest read where no RAM is: an MMIO exit at that address, answered with @value. */
static void guest_read_mmio(struct guest *g, uint64_t gpa, uint64_t value)
{
	answer(g, GUEST_MMIO, gpa);
	answer(g, gpa, value);
	CHECK_EQ(RUN_TO_WRITE(&g->vcpu, GUEST_MMIO + 16), value);
}

/* Lets the guest write where a write exits. */
static void guest_write_mmio(struct guest *g, uint64_t gpa, uint64_t value)
{
	answer(g, GUEST_MMIO, gpa | 1);
	answer(g, GUEST_MMIO + 8, value);
	CHECK_EQ(RUN_TO_WRITE(&g->vcpu, gpa), value);
	CHECK_EQ(RUN_TO_WRITE(&g->vcpu, GUEST_MMIO + 16), value);
}

/* Lets the guest access memory where KVM_RUN then fails; repeated until the cause is removed by the
 * caller. */
static void guest_access_fails(struct guest *g, uint64_t command, int error)
{
	answer(g, GUEST_MMIO, command);
	if (command & 1)
		answer(g, GUEST_MMIO + 8, 0x77);
	CHECK_EQ(vcpu_run(&g->vcpu), -error);
	CHECK_EQ(vcpu_run(&g->vcpu), -error);
}

static uint64_t finish_access(struct guest *g)
{
	return RUN_TO_WRITE(&g->vcpu, GUEST_MMIO + 16);
}

static uint64_t *data_at(char *hva, size_t offset)
{
	return (uint64_t *)(hva + offset);
}

static void check_create_and_delete(struct guest *g)
{
	char *data = vm_ram(&g->vm, 1, DATA_GPA, DATA_SIZE);

	*data_at(data, 0x1000) = 0x1111;
	CHECK_EQ(guest_read(g, DATA_GPA + 0x1000), 0x1111);
	guest_write(g, DATA_GPA + 0x2000, 0x2222);
	CHECK_EQ(*data_at(data, 0x2000), 0x2222);
	CHECK_EQ(guest_read(g, DATA_GPA + DATA_SIZE - 8), 0);
	guest_read_mmio(g, DATA_GPA + DATA_SIZE, 5);
	guest_read_mmio(g, DATA_GPA - 8, 6);
	CHECK_EQ(vm_slot(&g->vm, 1, 0, DATA_GPA, 0, NULL), 0);
	guest_read_mmio(g, DATA_GPA + 0x1000, 7);
	guest_write_mmio(g, DATA_GPA + 0x2000, 8);
	CHECK_EQ(*data_at(data, 0x2000), 0x2222);
	munmap(data, DATA_SIZE);
}

static void check_move(struct guest *g)
{
	char *data = vm_ram(&g->vm, 1, DATA_GPA, DATA_SIZE);

	guest_write(g, DATA_GPA + 0x3000, 0x3333);
	CHECK_EQ(vm_slot(&g->vm, 1, 0, OTHER_GPA, DATA_SIZE, data), 0);
	CHECK_EQ(guest_read(g, OTHER_GPA + 0x3000), 0x3333);
	guest_read_mmio(g, DATA_GPA + 0x3000, 9);
	guest_write(g, OTHER_GPA + 0x3000, 0x4444);
	CHECK_EQ(*data_at(data, 0x3000), 0x4444);
	/* Moved by less than its size: old and new place overlap. */
	CHECK_EQ(vm_slot(&g->vm, 1, 0, OTHER_GPA + PAGE, DATA_SIZE, data), 0);
	CHECK_EQ(guest_read(g, OTHER_GPA + 0x4000), 0x4444);
	guest_read_mmio(g, OTHER_GPA, 1);
	CHECK_EQ(vm_slot(&g->vm, 1, 0, OTHER_GPA, DATA_SIZE, data + PAGE), -EINVAL);
	CHECK_EQ(guest_read(g, OTHER_GPA + 0x4000), 0x4444);
	CHECK_EQ(vm_slot(&g->vm, 1, 0, 0, 0, NULL), 0);
	munmap(data, DATA_SIZE);
}

static void check_read_only(struct guest *g)
{
	char *data = host_memory(DATA_SIZE, 2 * MIB);

	*data_at(data, 0) = 0x5555;
	CHECK_EQ(vm_slot(&g->vm, 1, KVM_MEM_READONLY, DATA_GPA, DATA_SIZE, data), 0);
	CHECK_EQ(guest_read(g, DATA_GPA), 0x5555);
	guest_write_mmio(g, DATA_GPA, 0x6666);
	CHECK_EQ(*data_at(data, 0), 0x5555);
	CHECK_EQ(guest_read(g, DATA_GPA), 0x5555);
	*data_at(data, 0) = 0x7777; /* the host may still write */
	CHECK_EQ(guest_read(g, DATA_GPA), 0x7777);
	guest_write_mmio(g, DATA_GPA + 0x5000, 1); /* never touched by anyone */
	CHECK_EQ(guest_read(g, DATA_GPA + 0x5000), 0);
	CHECK_EQ(vm_slot(&g->vm, 1, 0, 0, 0, NULL), 0);
	CHECK_EQ(vm_slot(&g->vm, 1, 0, DATA_GPA, DATA_SIZE, data), 0);
	guest_write(g, DATA_GPA, 0x8888);
	CHECK_EQ(*data_at(data, 0), 0x8888);
	CHECK_EQ(vm_slot(&g->vm, 1, 0, 0, 0, NULL), 0);
	munmap(data, DATA_SIZE);
}

/* What the host does to its mapping is what the guest sees next. */
static void check_host_changes(struct guest *g)
{
	char *data = vm_ram(&g->vm, 1, DATA_GPA, DATA_SIZE);

	guest_write(g, DATA_GPA + 0x1000, 0x9999);
	guest_write(g, DATA_GPA + 0x2000, 0xaaaa);
	CHECK_OK(madvise(data + 0x1000, PAGE, MADV_DONTNEED));
	CHECK_EQ(guest_read(g, DATA_GPA + 0x1000), 0);
	CHECK_EQ(guest_read(g, DATA_GPA + 0x2000), 0xaaaa);
	REQUIRE(mmap(data + 0x2000, PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == data + 0x2000);
	CHECK_EQ(guest_read(g, DATA_GPA + 0x2000), 0);
	guest_write(g, DATA_GPA + 0x2000, 0xbbbb);
	CHECK_EQ(*data_at(data, 0x2000), 0xbbbb);
	/* A hole: no memory, no MMIO. */
	CHECK_OK(munmap(data + 0x3000, PAGE));
	guest_access_fails(g, DATA_GPA + 0x3000, EFAULT);
	REQUIRE(mmap(data + 0x3000, PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == data + 0x3000);
	CHECK_EQ(finish_access(g), 0);
	guest_write(g, DATA_GPA + 0x3000, 0xcccc);
	CHECK_EQ(*data_at(data, 0x3000), 0xcccc);
	CHECK_EQ(vm_slot(&g->vm, 1, 0, 0, 0, NULL), 0);
	munmap(data, DATA_SIZE);
}

static void check_host_protection(struct guest *g)
{
	char *data = vm_ram(&g->vm, 1, DATA_GPA, DATA_SIZE);

	guest_write(g, DATA_GPA + 0x1000, 0x1234);
	CHECK_OK(mprotect(data, DATA_SIZE, PROT_READ));
	CHECK_EQ(guest_read(g, DATA_GPA + 0x1000), 0x1234);
	guest_access_fails(g, (DATA_GPA + 0x1000) | 1, EFAULT);
	CHECK_EQ(*data_at(data, 0x1000), 0x1234);
	CHECK_OK(mprotect(data, DATA_SIZE, PROT_READ | PROT_WRITE));
	CHECK_EQ(finish_access(g), 0x77);
	CHECK_EQ(*data_at(data, 0x1000), 0x77);
	CHECK_OK(mprotect(data, DATA_SIZE, PROT_NONE));
	guest_access_fails(g, DATA_GPA + 0x1000, EFAULT);
	CHECK_OK(mprotect(data, DATA_SIZE, PROT_READ | PROT_WRITE));
	CHECK_EQ(finish_access(g), 0x77);
	CHECK_EQ(vm_slot(&g->vm, 1, 0, 0, 0, NULL), 0);
	munmap(data, DATA_SIZE);
}

/* A slot over nothing at all; memory comes later, and is exchanged with the slot in place. */
static void check_late_memory(struct guest *g)
{
	char *data = host_memory(DATA_SIZE, 2 * MIB);

	munmap(data, DATA_SIZE);
	CHECK_EQ(vm_slot(&g->vm, 1, 0, DATA_GPA, DATA_SIZE, data), 0);
	guest_access_fails(g, DATA_GPA, EFAULT);
	REQUIRE(mmap(data, DATA_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == data);
	*data_at(data, 0) = 0xdddd;
	CHECK_EQ(finish_access(g), 0xdddd);
	CHECK_EQ(vm_slot(&g->vm, 1, 0, 0, 0, NULL), 0);
	munmap(data, DATA_SIZE);
}

/* Two mappings of one file behind two slots, and one shared with the host. */
static void check_shared_file(struct guest *g)
{
	int fd = memfd_create("slots", 0);
	char *host, *data;

	REQUIRE(fd >= 0 && ftruncate(fd, DATA_SIZE) == 0);
	host = mmap(NULL, DATA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	data = mmap(NULL, DATA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(host != MAP_FAILED && data != MAP_FAILED);
	CHECK_EQ(vm_slot(&g->vm, 1, 0, DATA_GPA, DATA_SIZE, data), 0);
	CHECK_EQ(vm_slot(&g->vm, 2, 0, OTHER_GPA, DATA_SIZE, data), 0); /* the same memory twice */
	guest_write(g, DATA_GPA + 0x1000, 0xeeee);
	CHECK_EQ(guest_read(g, OTHER_GPA + 0x1000), 0xeeee);
	CHECK_EQ(*data_at(host, 0x1000), 0xeeee);
	*data_at(host, 0x1000) = 0xffff;
	CHECK_EQ(guest_read(g, DATA_GPA + 0x1000), 0xffff);
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0x1000, PAGE));
	CHECK_EQ(guest_read(g, DATA_GPA + 0x1000), 0);
	CHECK_EQ(guest_read(g, OTHER_GPA + 0x1000), 0);
	guest_write(g, OTHER_GPA + 0x1000, 0x1010);
	CHECK_EQ(*data_at(host, 0x1000), 0x1010);
	CHECK_OK(munmap(host, DATA_SIZE));
	CHECK_EQ(guest_read(g, DATA_GPA + 0x1000), 0x1010);
	CHECK_EQ(vm_slot(&g->vm, 1, 0, 0, 0, NULL), 0);
	CHECK_EQ(guest_read(g, OTHER_GPA + 0x1000), 0x1010);
	CHECK_EQ(vm_slot(&g->vm, 2, 0, 0, 0, NULL), 0);
	munmap(data, DATA_SIZE);
	close(fd);
}

/* A private mapping of a file: the guest's write makes a copy, the file stays. */
static void check_private_file(struct guest *g)
{
	int fd = memfd_create("private", 0);
	uint64_t value = 0x2020;
	char *data;

	REQUIRE(fd >= 0 && ftruncate(fd, DATA_SIZE) == 0);
	REQUIRE(pwrite(fd, &value, 8, 0x1000) == 8);
	data = mmap(NULL, DATA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	REQUIRE(data != MAP_FAILED);
	CHECK_EQ(vm_slot(&g->vm, 1, 0, DATA_GPA, DATA_SIZE, data), 0);
	CHECK_EQ(guest_read(g, DATA_GPA + 0x1000), 0x2020);
	guest_write(g, DATA_GPA + 0x1000, 0x3030);
	CHECK_EQ(guest_read(g, DATA_GPA + 0x1000), 0x3030);
	CHECK_EQ(*data_at(data, 0x1000), 0x3030);
	REQUIRE(pread(fd, &value, 8, 0x1000) == 8);
	CHECK_EQ(value, 0x2020);
	/* Read by the guest first, then copied by a write of the host. */
	CHECK_EQ(guest_read(g, DATA_GPA + 0x2000), 0);
	*data_at(data, 0x2000) = 0x4040;
	CHECK_EQ(guest_read(g, DATA_GPA + 0x2000), 0x4040);
	CHECK_EQ(vm_slot(&g->vm, 1, 0, 0, 0, NULL), 0);
	munmap(data, DATA_SIZE);
	close(fd);
}

static atomic_int remapping;

static void *remap(void *arg)
{
	char *data = arg;

	while (atomic_load(&remapping)) {
		if (mmap(data, PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != data)
			CHECK(!"mmap over a running guest");
		*(volatile uint64_t *)data = 1;
	}
	return NULL;
}

/* While the memory is exchanged under the running guest it reads the old page or the new one: 0 or
 * 1, nothing else. */
static void check_remap_under_guest(struct guest *g)
{
	char *data = vm_ram(&g->vm, 1, DATA_GPA, DATA_SIZE);
	pthread_t thread;

	atomic_store(&remapping, 1);
	REQUIRE(pthread_create(&thread, NULL, remap, data) == 0);
	for (int i = 0; i < 500; i++) {
		uint64_t seen = guest_read(g, DATA_GPA);

		if (seen > 1)
			CHECK_EQ(seen, 1);
	}
	atomic_store(&remapping, 0);
	pthread_join(thread, NULL);
	CHECK_EQ(guest_read(g, DATA_GPA), 1);
	CHECK_EQ(vm_slot(&g->vm, 1, 0, 0, 0, NULL), 0);
	munmap(data, DATA_SIZE);
}

/* More slots than any small table has. */
static void check_many(struct guest *g)
{
	enum { SLOTS = 200 };
	char *data = host_memory(SLOTS * PAGE, PAGE);

	for (unsigned i = 0; i < SLOTS; i++) {
		*data_at(data, i * PAGE) = i;
		CHECK_EQ(vm_slot(&g->vm, 10 + i, 0, DATA_GPA + 2ul * i * PAGE, PAGE,
				 data + i * PAGE),
			 0);
	}
	for (unsigned i = 0; i < SLOTS; i += 37) {
		CHECK_EQ(guest_read(g, DATA_GPA + 2ul * i * PAGE), i);
		guest_read_mmio(g, DATA_GPA + (2ul * i + 1) * PAGE, i);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		CHECK_EQ(vm_slot(&g->vm, 10 + i, 0, 0, 0, NULL), 0);
	guest_read_mmio(g, DATA_GPA, 3);
	munmap(data, SLOTS * PAGE);
}

int main(void)
{
	struct guest g;

	vm_create(&g.vm, 0);
	g.code = vm_ram(&g.vm, 0, GUEST_RAM, CODE_SIZE);
	LOAD(g.code, server);
	vcpu_create(&g.vm, &g.vcpu, 0, 0);
	vcpu_start(&g.vcpu, GUEST_RAM);
	check_create_and_delete(&g);
	check_move(&g);
	check_read_only(&g);
	check_host_changes(&g);
	check_host_protection(&g);
	check_late_memory(&g);
	check_shared_file(&g);
	check_private_file(&g);
	check_remap_under_guest(&g);
	check_many(&g);
	vcpu_destroy(&g.vcpu);
	vm_destroy(&g.vm);
	return check_done("kvm_slots");
}
