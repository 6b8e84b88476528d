/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest accesses each page of 4 MiB once: `kvm_exits KIND read|write|both`. How many exits that
 * cost stands in the machine's report; the first access of each host leaf is to be the only one.
 * Kinds: ram, thp, hugetlb, file, or a node of /dev/devmem.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"

#include <fcntl.h>
#include <stdio.h>

enum {
	READER = GUEST_RAM,
	WRITER = GUEST_RAM + 0x100,
	SIZE = 4 * MIB,
	LEAF = 2 * MIB,
	HUGE_2M = 21 << MAP_HUGE_SHIFT,
};

#define DATA_GPA 0x80000000UL

/* x0: address, x2: pages, x3: bytes to the next. */
GUEST(reader, "1:	ldr x5, [x0]\n"
	      "	add x0, x0, x3\n"
	      "	subs x2, x2, #1\n"
	      "	b.ne 1b\n"
	      "	str x2, [x19]\n"
	      "	b .\n");
GUEST(writer, "1:	str x2, [x0]\n"
	      "	add x0, x0, x3\n"
	      "	subs x2, x2, #1\n"
	      "	b.ne 1b\n"
	      "	str x2, [x19]\n"
	      "	b .\n");

static char *map(int flags, int fd)
{
	char *window = mmap(NULL, SIZE + LEAF, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = (char *)(((uintptr_t)window + LEAF - 1) & -(uintptr_t)LEAF);

	REQUIRE(window != MAP_FAILED);
	REQUIRE(mmap(at, SIZE, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0) == at);
	return at;
}

static char *map_ram(int advice)
{
	char *at = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);

	REQUIRE(madvise(at, SIZE, advice) == 0);
	return at;
}

static char *map_file(void)
{
	int fd = memfd_create("exits", 0);

	REQUIRE(fd >= 0 && ftruncate(fd, SIZE) == 0);
	return map(MAP_SHARED, fd);
}

static char *map_node(const char *name)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "/dev/devmem/%s", name);
	fd = open(path, O_RDWR);
	REQUIRE(fd >= 0);
	return map(MAP_SHARED, fd);
}

static char *map_kind(const char *kind)
{
	if (!strcmp(kind, "ram"))
		return map_ram(MADV_NOHUGEPAGE);
	if (!strcmp(kind, "thp"))
		return map_ram(MADV_HUGEPAGE);
	if (!strcmp(kind, "hugetlb"))
		return map(MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | HUGE_2M, -1);
	return strcmp(kind, "file") ? map_node(kind) : map_file();
}

static void access_all(struct vcpu *vcpu, uint64_t pc)
{
	vcpu_start(vcpu, pc);
	vcpu_set_x(vcpu, 0, DATA_GPA);
	vcpu_set_x(vcpu, 2, SIZE / PAGE);
	vcpu_set_x(vcpu, 3, PAGE);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO), 0);
	vcpu->run->immediate_exit = 1; /* the write is completed, nothing more */
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	vcpu->run->immediate_exit = 0;
}

int main(int argc, char **argv)
{
	struct vm vm;
	struct vcpu vcpu;
	char *code;

	if (argc != 3) {
		fprintf(stderr, "usage: kvm_exits KIND read|write|both\n");
		return 2;
	}
	vm_create(&vm, 0);
	code = vm_ram(&vm, 0, GUEST_RAM, PAGE);
	LOAD(code, reader);
	LOAD(code + WRITER - READER, writer);
	vcpu_create(&vm, &vcpu, 0, 0);
	REQUIRE(vm_slot(&vm, 1, 0, DATA_GPA, SIZE, map_kind(argv[1])) == 0);
	if (strcmp(argv[2], "write") != 0)
		access_all(&vcpu, READER);
	if (strcmp(argv[2], "read") != 0)
		access_all(&vcpu, WRITER);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	return check_done("kvm_exits");
}
