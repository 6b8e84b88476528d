/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks: guests over huge pages of both kinds and over slots that fit them badly see the same
 * memory as the host, also while blocks are split by discards, protection and deletion, and over
 * more memory than tables of one page hold.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"

enum { HUGE = 2 * MIB };
#define DATA_GPA 0x80000000ul

/* As in kvm_dirty: writes a value that changes with each step (x1 += 1), or adds up what is there
 * into x6. */
GUEST(writer, "1:	str x1, [x0]\n"
	      "	add x1, x1, #1\n"
	      "	add x0, x0, x3\n"
	      "	subs x2, x2, #1\n"
	      "	b.ne 1b\n"
	      "	str x1, [x19]\n"
	      "	b .\n");
GUEST(adder, "	mov x6, #0\n"
	     "1:	ldr x5, [x0]\n"
	     "	add x6, x6, x5\n"
	     "	add x0, x0, x3\n"
	     "	subs x2, x2, #1\n"
	     "	b.ne 1b\n"
	     "	str x6, [x19]\n"
	     "	b .\n");

enum { WRITER = GUEST_RAM, ADDER = GUEST_RAM + 0x100 };

struct guest {
	struct vm vm;
	struct vcpu vcpu;
};

static uint64_t guest_do(struct guest *g, uint64_t pc, uint64_t gpa, uint64_t count,
			 uint64_t stride, uint64_t value)
{
	uint64_t result;

	vcpu_start(&g->vcpu, pc);
	vcpu_set_x(&g->vcpu, 0, gpa);
	vcpu_set_x(&g->vcpu, 1, value);
	vcpu_set_x(&g->vcpu, 2, count);
	vcpu_set_x(&g->vcpu, 3, stride);
	result = RUN_TO_WRITE(&g->vcpu, GUEST_MMIO);
	g->vcpu.run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(&g->vcpu), -EINTR);
	g->vcpu.run->immediate_exit = 0;
	return result;
}

static uint64_t word_at(const char *p)
{
	return *(const volatile uint64_t *)p;
}

/* The sum of first, first + 1, ... (count of them). */
static uint64_t sum_of(uint64_t first, uint64_t count)
{
	return count * first + count * (count - 1) / 2;
}

static void check_area(struct guest *g, char *data, uint64_t gpa, size_t size)
{
	uint64_t pages = size / PAGE, wrong = 0;

	CHECK_EQ(guest_do(g, WRITER, gpa + 8, pages, PAGE, 1000), 1000 + pages);
	for (uint64_t i = 0; i < pages; i++)
		wrong += word_at(data + i * PAGE + 8) != 1000 + i;
	CHECK_EQ(wrong, 0);
	CHECK_EQ(guest_do(g, ADDER, gpa + 8, pages, PAGE, 0), sum_of(1000, pages));
	/* Split by hand: discard, protect, unmap one page each in the middle of huge pages. */
	CHECK_OK(madvise(data + 5 * PAGE, PAGE, MADV_DONTNEED));
	CHECK_EQ(guest_do(g, ADDER, gpa + 8, pages, PAGE, 0), sum_of(1000, pages) - 1005);
	CHECK_OK(mprotect(data + 9 * PAGE, PAGE, PROT_READ));
	CHECK_EQ(guest_do(g, ADDER, gpa + 8, pages, PAGE, 0), sum_of(1000, pages) - 1005);
	CHECK_EQ(guest_do(g, WRITER, gpa + 10 * PAGE + 8, 100, PAGE, 1010), 1110);
	CHECK_OK(mprotect(data + 9 * PAGE, PAGE, PROT_READ | PROT_WRITE));
	CHECK_EQ(guest_do(g, WRITER, gpa + 8, pages, PAGE, 2000), 2000 + pages);
	CHECK_EQ(word_at(data + 5 * PAGE + 8), 2005);
	CHECK_EQ(word_at(data + 9 * PAGE + 8), 2009);
	CHECK_EQ(guest_do(g, ADDER, gpa + 8, pages, PAGE, 0), sum_of(2000, pages));
}

static void with_slot(struct guest *g, char *data, uint64_t gpa, size_t size)
{
	REQUIRE(vm_slot(&g->vm, 1, 0, gpa, size, data) == 0);
	check_area(g, data, gpa, size);
	REQUIRE(vm_slot(&g->vm, 1, 0, 0, 0, NULL) == 0);
}

static void check_transparent(struct guest *g)
{
	char *data = host_memory(16 * MIB, HUGE);

	CHECK_OK(madvise(data, 16 * MIB, MADV_HUGEPAGE));
	with_slot(g, data, DATA_GPA, 16 * MIB);
	CHECK_OK(madvise(data, 16 * MIB, MADV_DONTNEED));
	memset(data, 0, 16 * MIB); /* huge before the guest comes */
	with_slot(g, data, DATA_GPA, 16 * MIB);
	munmap(data, 16 * MIB);
}

/* Guest and host addresses that differ by less than a huge page, slots that begin or end within
 * one. */
static void check_bad_fit(struct guest *g)
{
	char *data = host_memory(16 * MIB, HUGE);

	CHECK_OK(madvise(data, 16 * MIB, MADV_HUGEPAGE));
	memset(data, 0, 16 * MIB);
	with_slot(g, data, DATA_GPA + 3 * PAGE, 8 * MIB);
	memset(data, 0, 16 * MIB);
	with_slot(g, data + 7 * PAGE, DATA_GPA, 8 * MIB);
	memset(data, 0, 16 * MIB);
	with_slot(g, data + 7 * PAGE, DATA_GPA + 7 * PAGE, 8 * MIB);
	memset(data, 0, 16 * MIB);
	with_slot(g, data, DATA_GPA, 3 * MIB + 5 * PAGE);
	munmap(data, 16 * MIB);
}

static void check_hugetlb(struct guest *g)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 21 << MAP_HUGE_SHIFT;
	char *data = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (data == MAP_FAILED) {
		CHECK_EQ(errno, ENOMEM);
		printf("kvm_big: no huge pages reserved, their checks are left out\n");
		return;
	}
	REQUIRE(vm_slot(&g->vm, 1, 0, DATA_GPA, 4 * MIB, data) == 0);
	CHECK_EQ(guest_do(g, WRITER, DATA_GPA, 1024, PAGE, 1), 1025);
	CHECK_EQ(word_at(data + 1023 * PAGE), 1024);
	CHECK_EQ(guest_do(g, ADDER, DATA_GPA, 1024, PAGE, 0), sum_of(1, 1024));
	CHECK_OK(madvise(data, HUGE, MADV_DONTNEED));
	CHECK_EQ(guest_do(g, ADDER, DATA_GPA, 1024, PAGE, 0), sum_of(513, 512));
	REQUIRE(vm_slot(&g->vm, 1, 0, 0, 0, NULL) == 0);
	munmap(data, 4 * MIB);
}

/* A slot of many GiB, touched here and there: each touch makes tables of every level. */
static void check_sparse(struct guest *g)
{
	size_t size = 8ul << 30;
	char *data = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	REQUIRE(data != MAP_FAILED);
	REQUIRE(vm_slot(&g->vm, 1, 0, 1ul << 32, size, data) == 0);
	CHECK_EQ(guest_do(g, WRITER, (1ul << 32) + PAGE, 64, size / 64, 1), 65);
	for (int i = 0; i < 64; i++)
		CHECK_EQ(word_at(data + PAGE + i * (size / 64)), i + 1);
	CHECK_OK(madvise(data, size, MADV_DONTNEED));
	CHECK_EQ(guest_do(g, ADDER, (1ul << 32) + PAGE, 64, size / 64, 0), 0);
	REQUIRE(vm_slot(&g->vm, 1, 0, 0, 0, NULL) == 0);
	munmap(data, size);
}

/* The whole IPA space of a VM can be used, up to its last page, for each size of VM the host
 * offers. */
static void check_ipa_sizes(void)
{
	static const unsigned sizes[] = { 32, 36, 39, 40, 44, 48 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t last = (1ul << sizes[i]) - HUGE;
		struct guest g;
		char *data;

		g.vm.kvm = -1;
		vm_create(&g.vm, 0);
		if (VM_CAP(&g.vm, KVM_CAP_ARM_VM_IPA_SIZE) < (int)sizes[i]) {
			vm_destroy(&g.vm);
			continue;
		}
		vm_destroy(&g.vm);
		vm_create(&g.vm, sizes[i]);
		LOAD((char *)vm_ram(&g.vm, 0, GUEST_RAM, 64 * 1024), writer);
		data = vm_ram(&g.vm, 1, last, HUGE);
		vcpu_create(&g.vm, &g.vcpu, 0, 0);
		CHECK_EQ(guest_do(&g, WRITER, last, 512, PAGE, 1), 513);
		CHECK_EQ(word_at(data + 511 * PAGE), 512);
		CHECK_EQ(vm_slot(&g.vm, 2, 0, 1ul << sizes[i], PAGE, data), -EFAULT);
		vcpu_destroy(&g.vcpu);
		vm_destroy(&g.vm);
	}
}

int main(void)
{
	struct guest g;
	char *code;

	vm_create(&g.vm, 0);
	code = vm_ram(&g.vm, 0, GUEST_RAM, 64 * 1024);
	LOAD(code, writer);
	LOAD(code + (ADDER - GUEST_RAM), adder);
	vcpu_create(&g.vm, &g.vcpu, 0, 0);
	check_transparent(&g);
	check_bad_fit(&g);
	check_hugetlb(&g);
	check_sparse(&g);
	vcpu_destroy(&g.vcpu);
	vm_destroy(&g.vm);
	check_ipa_sizes();
	return check_done("kvm_big");
}
