/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How guest memory scales: vCPUs that fault at once, as many slots as there can be, a guest address
 * space of 1 TiB sparsely used, many VMs one after the other. Counts by the VM's statistics, which
 * are Catwalk's (docs/abi.md); instructions under --icount.
 */
#define _GNU_SOURCE
#include "bench/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	VCPUS_MAX = 8,
	PAGES = 2048, /* of each vCPU */
	BLOCK = 2 * MIB,
	SLOTS = 32764,
	TOUCHES = 1024,
	VMS = 100,
};

#define DATA_GPA 0x80000000ULL
#define GIB	 (1ULL << 30)

/* Writes to x22 addresses from x20 in steps of x21, then exits by MMIO. */
GUEST(touch_guest, "1:	cbz x22, 2f\n"
		   "	str x22, [x20]\n"
		   "	add x20, x20, x21\n"
		   "	sub x22, x22, #1\n"
		   "	b 1b\n"
		   "2:	str x0, [x19]\n"
		   "	b 1b\n");

/* ---- a VM's statistics, by name (Linux's Documentation/virt/kvm/api.rst, KVM_GET_STATS_FD) */

static uint64_t stat_of(struct vm *vm, const char *name)
{
	int fd = ioctl(vm->fd, KVM_GET_STATS_FD, 0);
	struct kvm_stats_header header;
	uint64_t value = 0;
	size_t size;
	char *desc;

	must(fd, "KVM_GET_STATS_FD");
	must((int)pread(fd, &header, sizeof(header), 0), "statistics");
	size = sizeof(struct kvm_stats_desc) + header.name_size;
	desc = malloc(size);
	for (uint32_t i = 0; desc && i < header.num_desc; i++) {
		struct kvm_stats_desc *d = (struct kvm_stats_desc *)desc;

		must((int)pread(fd, desc, size, header.desc_offset + (off_t)(i * size)),
		     "statistics");
		if (!strcmp(d->name, name))
			must((int)pread(fd, &value, sizeof(value), header.data_offset + d->offset),
			     "statistics");
	}
	free(desc);
	close(fd);
	return value;
}

/* ---- machines */

struct machine {
	struct vm vm;
	struct vcpu vcpu[VCPUS_MAX];
	unsigned vcpus;
	char *ram;
};

static void machine_create(struct machine *m, unsigned long ipa_bits, unsigned vcpus)
{
	vm_create(&m->vm, ipa_bits);
	m->ram = vm_ram(&m->vm, 0, GUEST_RAM, BLOCK);
	LOAD(m->ram, touch_guest);
	m->vcpus = vcpus;
	for (unsigned i = 0; i < vcpus; i++)
		vcpu_create(&m->vm, &m->vcpu[i], i, 0);
}

static void machine_destroy(struct machine *m)
{
	for (unsigned i = 0; i < m->vcpus; i++)
		vcpu_destroy(&m->vcpu[i]);
	vm_destroy(&m->vm);
	must(munmap(m->ram, BLOCK), "munmap");
}

static uint64_t touch(struct vcpu *vcpu, uint64_t gpa, uint64_t step, uint64_t count)
{
	finish_mmio(vcpu);
	vcpu_start(vcpu, GUEST_RAM);
	vcpu_set_x(vcpu, 20, gpa);
	vcpu_set_x(vcpu, 21, step);
	vcpu_set_x(vcpu, 22, count);
	return run_to_mmio(vcpu);
}

/* ---- vCPUs that fault at once */

static struct machine many;
static pthread_barrier_t all_ready;

static void *fault_part(void *arg)
{
	unsigned i = (unsigned)(uintptr_t)arg;

	pthread_barrier_wait(&all_ready);
	touch(&many.vcpu[i], DATA_GPA + (uint64_t)i * PAGES * PAGE, PAGE, PAGES);
	return NULL;
}

static void vcpus_fault(unsigned vcpus)
{
	size_t size = vcpus * (size_t)PAGES * PAGE;
	void *memory = host_memory(size, BLOCK);
	pthread_t thread[VCPUS_MAX];
	uint64_t faults;

	must(madvise(memory, size, MADV_NOHUGEPAGE), "MADV_NOHUGEPAGE");
	machine_create(&many, 0, vcpus);
	must(vm_slot(&many.vm, 1, 0, DATA_GPA, size, memory), "KVM_SET_USER_MEMORY_REGION");
	must(-pthread_barrier_init(&all_ready, NULL, vcpus), "pthread_barrier_init");
	for (unsigned i = 0; i < vcpus; i++)
		must(-pthread_create(&thread[i], NULL, fault_part, (void *)(uintptr_t)i),
		     "pthread_create");
	for (unsigned i = 0; i < vcpus; i++)
		pthread_join(thread[i], NULL);
	faults = stat_of(&many.vm, "memory_fault_write");
	printf("%8u %10llu %10llu %14llu %16llu\n", vcpus, (unsigned long long)faults,
	       (unsigned long long)stat_of(&many.vm, "memory_fault_retry"),
	       (unsigned long long)stat_of(&many.vm, "memory_lock_holds"),
	       (unsigned long long)stat_of(&many.vm, "memory_steps_max"));
	machine_destroy(&many);
	must(munmap(memory, size), "munmap");
}

/* ---- slots: all show the same page, so that only their number differs */

/* @touches of them, evenly among all. */
static void slots(unsigned count, unsigned touches)
{
	struct machine m;
	void *memory = host_memory(BLOCK, BLOCK);
	uint64_t start, made, full, step = (uint64_t)PAGE * 2;

	machine_create(&m, 0, 1);
	memset(memory, 1, BLOCK);
	start = ticks();
	for (unsigned i = 0; i < count; i++)
		must(vm_slot(&m.vm, i + 1, 0, DATA_GPA + i * step, PAGE, memory),
		     "KVM_SET_USER_MEMORY_REGION");
	made = ticks() - start;
	full = touch(&m.vcpu[0], DATA_GPA, step * (count / touches), touches);
	printf("%8u %14.0f %14.0f\n", count, instructions(made) / count,
	       instructions(full - touch(&m.vcpu[0], DATA_GPA, 0, 0)) / touches);
	machine_destroy(&m);
	must(munmap(memory, BLOCK), "munmap");
}

/* ---- 1 TiB, a page in each GiB */

static void sparse(void)
{
	size_t size = 1ULL << 40;
	struct machine m;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t base = 1ULL << 40, tables, holds, start, elapsed;

	if (memory == MAP_FAILED)
		must(-1, "mmap of 1 TiB");
	must(madvise(memory, size, MADV_NOHUGEPAGE), "MADV_NOHUGEPAGE");
	machine_create(&m, 44, 1);
	must(vm_slot(&m.vm, 1, 0, base, size, memory), "KVM_SET_USER_MEMORY_REGION");
	touch(&m.vcpu[0], base, GIB, 1024);
	tables = stat_of(&m.vm, "memory_table_alloc");
	holds = stat_of(&m.vm, "memory_lock_holds");
	start = ticks();
	must(vm_slot(&m.vm, 1, 0, base, 0, NULL), "KVM_SET_USER_MEMORY_REGION");
	elapsed = ticks() - start;
	printf("1 TiB, 1024 pages touched, one in each GiB: %llu bytes of table a page; deleting the "
	       "slot: %.0f instructions, %llu holds of the lock, at most %llu descriptors each\n",
	       (unsigned long long)(tables * PAGE / 1024), instructions(elapsed),
	       (unsigned long long)(stat_of(&m.vm, "memory_lock_holds") - holds),
	       (unsigned long long)stat_of(&m.vm, "memory_steps_max"));
	machine_destroy(&m);
	must(munmap(memory, size), "munmap");
}

/* ---- VMs */

static unsigned long free_kib(void)
{
	char text[4096];
	int fd = open("/proc/meminfo", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	char *line;

	must((int)n, "/proc/meminfo");
	close(fd);
	text[n] = '\0';
	line = strstr(text, "MemFree:");
	return line ? strtoul(line + 8, NULL, 10) : 0;
}

static void one_vm(void)
{
	struct machine m;

	machine_create(&m, 0, 2);
	touch(&m.vcpu[0], GUEST_RAM + 0x10000, PAGE, 64);
	touch(&m.vcpu[1], GUEST_RAM + 0x80000, PAGE, 64);
	machine_destroy(&m);
}

static void vms(void)
{
	unsigned long before;

	one_vm();
	before = free_kib();
	for (unsigned i = 1; i < VMS; i++)
		one_vm();
	printf("%d VMs of 2 vCPUs, made, run and destroyed: free memory after the first %lu KiB, at "
	       "the end %lu KiB\n",
	       VMS, before, free_kib());
}

int main(void)
{
	printf("%8s %10s %10s %14s %16s\n", "vCPUs", "faults", "retries", "write holds",
	       "most in a hold");
	for (unsigned vcpus = 1; vcpus <= VCPUS_MAX; vcpus *= 2)
		vcpus_fault(vcpus);
	printf("%8s %14s %14s\n", "slots", "making one", "a fault in one");
	slots(16, 16);
	slots(TOUCHES, TOUCHES);
	slots(SLOTS, TOUCHES);
	sparse();
	vms();
	return 0;
}
