/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What KVM operations cost, in instructions: run it under QEMU's -icount shift=0,sleep=off, where
 * the counter advances by a nanosecond an instruction. Uses the plain KVM ABI, so that the same
 * program measures Catwalk and Linux. One vCPU, no vGIC, the guest's MMU off.
 */
#define _GNU_SOURCE
#include "tests/target/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	ROUNDS = 5,
	CALLS = 512,
	PAGES = 4096,
	BLOCKS = 16,
	BLOCK = 2 * MIB,
	LARGE = 64 * MIB,
	DATA_SLOT = 1,
	DATA_GPA = 0x80000000,
};

/* Touches x22 addresses from x20 in steps of x21, then exits by MMIO; x23 chooses the access. */
GUEST(touch_guest, "1:	cbz x22, 3f\n"
		   "	cbz x23, 2f\n"
		   "	str x22, [x20]\n"
		   "	b 4f\n"
		   "2:	ldr x0, [x20]\n"
		   "4:	add x20, x20, x21\n"
		   "	sub x22, x22, #1\n"
		   "	b 1b\n"
		   "3:	str x0, [x19]\n"
		   "	b 1b\n");

/* Calls PSCI_VERSION x22 times, then exits by MMIO. */
GUEST(hvc_guest, "1:	cbz x22, 3f\n"
		 "	mov w0, #0x84000000\n"
		 "	hvc #0\n"
		 "	sub x22, x22, #1\n"
		 "	b 1b\n"
		 "3:	str x0, [x19]\n"
		 "	b 1b\n");

/* Reads a device for ever. */
GUEST(mmio_guest, "1:	ldr x0, [x19]\n"
		  "	b 1b\n");

/* Each guest has a page of its own: code that is never replaced needs no thought about caches. */
enum guest { TOUCH_GUEST, HVC_GUEST, MMIO_GUEST };

enum access { READ_ACCESS, WRITE_ACCESS };

static struct vm vm;
static struct vcpu vcpu;

static uint64_t ticks(void)
{
	uint64_t count;

	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(count)::"memory");
	return count;
}

static double instructions(uint64_t elapsed)
{
	uint64_t frequency;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
	return (double)elapsed * 1e9 / (double)frequency;
}

static void die(const char *what)
{
	fprintf(stderr, "ops: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void must(int result, const char *what)
{
	if (result >= 0)
		return;
	if (result != -1)
		errno = -result;
	die(what);
}

/* --- the guest ----------------------------------------------------------------------------- */

/* KVM finishes an MMIO exit, and steps over its instruction, at the next KVM_RUN. */
static void finish_mmio(void)
{
	vcpu.run->immediate_exit = 1;
	if (vcpu_run(&vcpu) != -EINTR)
		die("KVM_RUN with immediate_exit");
	vcpu.run->immediate_exit = 0;
}

static void start_guest(enum guest guest)
{
	if (vcpu.run->exit_reason == KVM_EXIT_MMIO)
		finish_mmio();
	vcpu_start(&vcpu, GUEST_RAM + (uint64_t)guest * PAGE);
}

/* Runs to the next MMIO exit; the ticks it took. */
static uint64_t run_once(void)
{
	uint64_t start = ticks();
	int result = vcpu_run(&vcpu);
	uint64_t elapsed = ticks() - start;

	must(result, "KVM_RUN");
	if (vcpu.run->exit_reason != KVM_EXIT_MMIO) {
		fprintf(stderr, "ops: exit %s\n", exit_name(vcpu.run->exit_reason));
		exit(1);
	}
	return elapsed;
}

static uint64_t touch(size_t count, size_t step, enum access access)
{
	start_guest(TOUCH_GUEST);
	vcpu_set_x(&vcpu, 20, DATA_GPA);
	vcpu_set_x(&vcpu, 21, step);
	vcpu_set_x(&vcpu, 22, count);
	vcpu_set_x(&vcpu, 23, access == WRITE_ACCESS);
	return run_once();
}

/* What a touch costs beyond entering the guest and leaving it. */
static double touch_cost(size_t count, size_t step, enum access access)
{
	uint64_t full = touch(count, step, access);
	uint64_t empty = touch(0, step, access);

	return instructions(full - empty) / (double)count;
}

static void set_slot(void *memory, size_t size, uint32_t flags)
{
	must(vm_slot(&vm, DATA_SLOT, flags, DATA_GPA, size, memory), "KVM_SET_USER_MEMORY_REGION");
}

/* --- memory -------------------------------------------------------------------------------- */

static void *pages_memory(void)
{
	static void *memory;

	if (!memory) {
		memory = host_memory(PAGES * (size_t)PAGE, BLOCK);
		must(madvise(memory, PAGES * (size_t)PAGE, MADV_NOHUGEPAGE), "MADV_NOHUGEPAGE");
	}
	return memory;
}

static void *blocks_memory(void)
{
	static void *memory;

	if (!memory) {
		memory = host_memory(BLOCKS * (size_t)BLOCK, BLOCK);
		must(madvise(memory, BLOCKS * (size_t)BLOCK, MADV_HUGEPAGE), "MADV_HUGEPAGE");
	}
	return memory;
}

static void *large_memory(void)
{
	static void *memory;

	if (!memory)
		memory = host_memory(LARGE, BLOCK);
	return memory;
}

static void populate(char *memory, size_t size, size_t step)
{
	for (size_t at = 0; at < size; at += step)
		*(volatile char *)(memory + at) = 1;
}

static void depopulate(void *memory, size_t size)
{
	must(madvise(memory, size, MADV_DONTNEED), "MADV_DONTNEED");
}

/* --- system calls and ioctls --------------------------------------------------------------- */

static double null_syscall(void)
{
	uint64_t start = ticks();

	for (int i = 0; i < CALLS; i++)
		syscall(SYS_getppid);
	return instructions(ticks() - start) / CALLS;
}

static double api_version(void)
{
	uint64_t start = ticks();

	for (int i = 0; i < CALLS; i++)
		ioctl(vm.kvm, KVM_GET_API_VERSION, 0);
	return instructions(ticks() - start) / CALLS;
}

static double create_vm(void)
{
	uint64_t start = ticks();
	int fd = ioctl(vm.kvm, KVM_CREATE_VM, 0);
	uint64_t elapsed = ticks() - start;

	must(fd, "KVM_CREATE_VM");
	close(fd);
	return instructions(elapsed);
}

static double close_vm(void)
{
	int fd = ioctl(vm.kvm, KVM_CREATE_VM, 0);
	uint64_t start = ticks();

	must(fd, "KVM_CREATE_VM");
	close(fd);
	return instructions(ticks() - start);
}

static double create_vcpu(void)
{
	int fd = ioctl(vm.kvm, KVM_CREATE_VM, 0);
	uint64_t start = ticks();
	int vcpu_fd = ioctl(fd, KVM_CREATE_VCPU, 0);
	uint64_t elapsed = ticks() - start;

	must(vcpu_fd, "KVM_CREATE_VCPU");
	close(vcpu_fd);
	close(fd);
	return instructions(elapsed);
}

static double init_vcpu(void)
{
	struct kvm_vcpu_init init;
	int fd = ioctl(vm.kvm, KVM_CREATE_VM, 0);
	int vcpu_fd = ioctl(fd, KVM_CREATE_VCPU, 0);
	uint64_t start, elapsed;

	must(vcpu_fd, "KVM_CREATE_VCPU");
	must(ioctl(fd, KVM_ARM_PREFERRED_TARGET, &init), "KVM_ARM_PREFERRED_TARGET");
	start = ticks();
	must(ioctl(vcpu_fd, KVM_ARM_VCPU_INIT, &init), "KVM_ARM_VCPU_INIT");
	elapsed = ticks() - start;
	close(vcpu_fd);
	close(fd);
	return instructions(elapsed);
}

static double get_one_reg(void)
{
	uint64_t start = ticks();

	for (int i = 0; i < CALLS; i++)
		reg_get(&vcpu, CORE_REG(regs.pc));
	return instructions(ticks() - start) / CALLS;
}

/* --- exits --------------------------------------------------------------------------------- */

static double mmio_exit(void)
{
	uint64_t elapsed = 0;

	start_guest(MMIO_GUEST);
	run_once();
	for (int i = 0; i < CALLS; i++)
		elapsed += run_once();
	return instructions(elapsed) / CALLS;
}

static double hvc(void)
{
	uint64_t full, empty;

	start_guest(HVC_GUEST);
	vcpu_set_x(&vcpu, 22, CALLS);
	full = run_once();
	empty = run_once();
	return instructions(full - empty) / CALLS;
}

/* --- faults -------------------------------------------------------------------------------- */

static double fault_pages(enum access access, int present)
{
	void *memory = pages_memory();
	double cost;

	depopulate(memory, PAGES * (size_t)PAGE);
	if (present)
		populate(memory, PAGES * (size_t)PAGE, PAGE);
	set_slot(memory, PAGES * (size_t)PAGE, 0);
	cost = touch_cost(PAGES, PAGE, access);
	set_slot(memory, 0, 0);
	return cost;
}

static double fault_blocks(int present)
{
	void *memory = blocks_memory();
	double cost;

	depopulate(memory, BLOCKS * (size_t)BLOCK);
	if (present)
		populate(memory, BLOCKS * (size_t)BLOCK, BLOCK);
	set_slot(memory, BLOCKS * (size_t)BLOCK, 0);
	cost = touch_cost(BLOCKS, BLOCK, WRITE_ACCESS);
	set_slot(memory, 0, 0);
	return cost;
}

static double write_page_present(void)
{
	return fault_pages(WRITE_ACCESS, 1);
}

static double read_page_present(void)
{
	return fault_pages(READ_ACCESS, 1);
}

static double write_page_absent(void)
{
	return fault_pages(WRITE_ACCESS, 0);
}

static double read_page_absent(void)
{
	return fault_pages(READ_ACCESS, 0);
}

static double write_block_present(void)
{
	return fault_blocks(1);
}

static double write_block_absent(void)
{
	return fault_blocks(0);
}

static double host_fault(void)
{
	char *memory = pages_memory();
	uint64_t start;

	depopulate(memory, PAGES * (size_t)PAGE);
	start = ticks();
	populate(memory, PAGES * (size_t)PAGE, PAGE);
	return instructions(ticks() - start) / PAGES;
}

/* --- slots --------------------------------------------------------------------------------- */

/* A slot of 64 MiB over memory that nobody touched. */
static double create_slot(void)
{
	void *memory = large_memory();
	uint64_t start = ticks();
	uint64_t elapsed;

	set_slot(memory, LARGE, 0);
	elapsed = ticks() - start;
	set_slot(memory, 0, 0);
	return instructions(elapsed);
}

static double delete_slot_unmapped(void)
{
	uint64_t start;

	set_slot(large_memory(), LARGE, 0);
	start = ticks();
	set_slot(NULL, 0, 0);
	return instructions(ticks() - start);
}

static double delete_slot_mapped(void)
{
	void *memory = pages_memory();
	uint64_t start;

	populate(memory, PAGES * (size_t)PAGE, PAGE);
	set_slot(memory, PAGES * (size_t)PAGE, 0);
	touch(PAGES, PAGE, WRITE_ACCESS);
	start = ticks();
	set_slot(NULL, 0, 0);
	return instructions(ticks() - start);
}

static double dontneed(void)
{
	void *memory = pages_memory();
	uint64_t start, elapsed;

	populate(memory, PAGES * (size_t)PAGE, PAGE);
	set_slot(memory, PAGES * (size_t)PAGE, 0);
	touch(PAGES, PAGE, WRITE_ACCESS);
	start = ticks();
	depopulate(memory, PAGES * (size_t)PAGE);
	elapsed = ticks() - start;
	set_slot(memory, 0, 0);
	return instructions(elapsed) / PAGES;
}

/* --- dirty log ----------------------------------------------------------------------------- */

static void get_dirty_log(void)
{
	static uint64_t bitmap[PAGES / 64];
	struct kvm_dirty_log log = { .slot = DATA_SLOT, .dirty_bitmap = bitmap };

	must(ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log), "KVM_GET_DIRTY_LOG");
}

/* A slot with logging on and every page mapped and written. */
static void start_logging(void)
{
	void *memory = pages_memory();

	populate(memory, PAGES * (size_t)PAGE, PAGE);
	set_slot(memory, PAGES * (size_t)PAGE, KVM_MEM_LOG_DIRTY_PAGES);
	touch(PAGES, PAGE, WRITE_ACCESS);
}

static double log_fault(void)
{
	double cost;

	start_logging();
	get_dirty_log();
	cost = touch_cost(PAGES, PAGE, WRITE_ACCESS);
	set_slot(NULL, 0, 0);
	return cost;
}

static double log_read(void)
{
	uint64_t start, elapsed;

	start_logging();
	start = ticks();
	get_dirty_log();
	elapsed = ticks() - start;
	set_slot(NULL, 0, 0);
	return instructions(elapsed) / PAGES;
}

static double log_read_clean(void)
{
	uint64_t start, elapsed;

	start_logging();
	get_dirty_log();
	start = ticks();
	get_dirty_log();
	elapsed = ticks() - start;
	set_slot(NULL, 0, 0);
	return instructions(elapsed);
}

/* --- the table ----------------------------------------------------------------------------- */

static const struct {
	const char *name;
	double (*measure)(void);
} operations[] = {
	{ "null-syscall", null_syscall },
	{ "ioctl-api-version", api_version },
	{ "create-vm", create_vm },
	{ "close-empty-vm", close_vm },
	{ "create-vcpu", create_vcpu },
	{ "vcpu-init", init_vcpu },
	{ "get-one-reg", get_one_reg },
	{ "mmio-exit", mmio_exit },
	{ "hvc", hvc },
	{ "fault-4k-write-present", write_page_present },
	{ "fault-4k-read-present", read_page_present },
	{ "fault-4k-write-absent", write_page_absent },
	{ "fault-4k-read-absent", read_page_absent },
	{ "host-fault-4k-write", host_fault },
	{ "fault-2m-write-present", write_block_present },
	{ "fault-2m-write-absent", write_block_absent },
	{ "slot-create-64m", create_slot },
	{ "slot-delete-64m-unmapped", delete_slot_unmapped },
	{ "slot-delete-4096-mapped", delete_slot_mapped },
	{ "dontneed-a-page", dontneed },
	{ "dirty-log-fault", log_fault },
	{ "dirty-log-get-a-page", log_read },
	{ "dirty-log-get-clean-16m", log_read_clean },
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	char *code;

	vm_create(&vm, 0);
	code = vm_ram(&vm, 0, GUEST_RAM, BLOCK);
	LOAD(code + TOUCH_GUEST * PAGE, touch_guest);
	LOAD(code + HVC_GUEST * PAGE, hvc_guest);
	LOAD(code + MMIO_GUEST * PAGE, mmio_guest);
	vcpu_create(&vm, &vcpu, 0, 0);
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		double cost[ROUNDS];

		for (int round = 0; round < ROUNDS; round++)
			cost[round] = operations[i].measure();
		qsort(cost, ROUNDS, sizeof(cost[0]), compare);
		printf("%s %.0f\n", operations[i].name, cost[ROUNDS / 2]);
		fflush(stdout);
	}
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	return 0;
}
