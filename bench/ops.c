/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What KVM operations cost, in instructions: run it under QEMU's -icount shift=0,sleep=off, where
 * the counter advances by a nanosecond an instruction. Uses the plain KVM ABI, so that the same
 * program measures Catwalk and Linux. One vCPU, no vGIC, the guest's MMU off.
 */
#define _GNU_SOURCE
#include "bench/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef KVM_PRE_FAULT_MEMORY /* kernel headers before 6.11 */
struct kvm_pre_fault_memory {
	uint64_t gpa, size, flags, padding[5];
};
#define KVM_PRE_FAULT_MEMORY _IOWR(KVMIO, 0xd5, struct kvm_pre_fault_memory)
#endif

enum {
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
static char *code; /* the guests' */

/* --- the guest ----------------------------------------------------------------------------- */

static void start_guest(enum guest guest)
{
	finish_mmio(&vcpu);
	vcpu_start(&vcpu, GUEST_RAM + (uint64_t)guest * PAGE);
}

static uint64_t run_once(void)
{
	return run_to_mmio(&vcpu);
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

/* A slot over @memory, of which the host has all and a guest has written all, in steps of @step. */
static void map_all(void *memory, size_t size, size_t step)
{
	populate(memory, size, step);
	set_slot(memory, size, 0);
	touch(size / step, step, WRITE_ACCESS);
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

/* Reserved huge pages of 2 MiB: none, and this is not here. */
static double write_hugetlb(void)
{
	size_t size = BLOCKS * (size_t)BLOCK;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	double cost;

	if (memory == MAP_FAILED)
		return NOT_HERE;
	populate(memory, size, BLOCK);
	set_slot(memory, size, 0);
	cost = touch_cost(BLOCKS, BLOCK, WRITE_ACCESS);
	set_slot(memory, 0, 0);
	must(munmap(memory, size), "munmap");
	return cost;
}

/* Of pages that the host has. */
static double pre_fault(void)
{
	struct kvm_pre_fault_memory range = { .gpa = DATA_GPA, .size = PAGES * (uint64_t)PAGE };
	void *memory = pages_memory();
	uint64_t start, elapsed;
	int result;

	populate(memory, PAGES * (size_t)PAGE, PAGE);
	set_slot(memory, PAGES * (size_t)PAGE, 0);
	start = ticks();
	do
		result = ioctl(vcpu.fd, KVM_PRE_FAULT_MEMORY, &range);
	while (!result && range.size);
	elapsed = ticks() - start;
	set_slot(memory, 0, 0);
	return result ? NOT_HERE : instructions(elapsed) / PAGES;
}

/* --- userfaultfd: a thread serves each missing page by UFFDIO_COPY */

static int uffd, stop; /* eventfd */

static void *serve_pages(void *page)
{
	struct pollfd polls[] = { { .fd = uffd, .events = POLLIN },
				  { .fd = stop, .events = POLLIN } };
	struct uffd_msg msg;

	while (poll(polls, 2, -1) > 0 && !polls[1].revents) {
		struct uffdio_copy copy = { .src = (uintptr_t)page, .len = PAGE };

		if (read(uffd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		copy.dst = msg.arg.pagefault.address & ~(PAGE - 1ULL);
		must(ioctl(uffd, UFFDIO_COPY, &copy), "UFFDIO_COPY");
	}
	return NULL;
}

static int uffd_open(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0)
		must(ioctl(fd, UFFDIO_API, &api), "UFFDIO_API");
	return fd;
}

static double fault_served(void)
{
	static char page[PAGE];
	size_t size = PAGES * (size_t)PAGE;
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	pthread_t server;
	char *memory;
	double cost;

	uffd = uffd_open();
	if (uffd < 0)
		return NOT_HERE;
	stop = eventfd(0, EFD_CLOEXEC);
	must(stop, "eventfd");
	memory = host_memory(size, BLOCK);
	must(madvise(memory, size, MADV_NOHUGEPAGE), "MADV_NOHUGEPAGE");
	range.range.start = (uintptr_t)memory;
	range.range.len = size;
	must(ioctl(uffd, UFFDIO_REGISTER, &range), "UFFDIO_REGISTER");
	must(-pthread_create(&server, NULL, serve_pages, page), "pthread_create");
	set_slot(memory, size, 0);
	cost = touch_cost(PAGES, PAGE, WRITE_ACCESS);
	set_slot(memory, 0, 0);
	must(eventfd_write(stop, 1), "eventfd_write");
	pthread_join(server, NULL);
	close(stop);
	close(uffd);
	must(munmap(memory, size), "munmap");
	return cost;
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

	map_all(memory, PAGES * (size_t)PAGE, PAGE);
	start = ticks();
	set_slot(NULL, 0, 0);
	return instructions(ticks() - start);
}

/* What it takes to give up mapped memory, @part bytes a call; for each @step bytes. */
static double dontneed(char *memory, size_t size, size_t part, size_t step)
{
	size_t count = size / step;
	uint64_t start, elapsed;

	map_all(memory, size, step);
	start = ticks();
	for (size_t at = 0; at < size; at += part)
		depopulate(memory + at, part);
	elapsed = ticks() - start;
	set_slot(memory, 0, 0);
	return instructions(elapsed) / (double)count;
}

static double dontneed_pages(void)
{
	return dontneed(pages_memory(), PAGES * (size_t)PAGE, PAGES * (size_t)PAGE, PAGE);
}

static double dontneed_page_by_page(void)
{
	return dontneed(pages_memory(), PAGES * (size_t)PAGE, PAGE, PAGE);
}

static double dontneed_blocks(void)
{
	return dontneed(blocks_memory(), BLOCKS * (size_t)BLOCK, BLOCKS * (size_t)BLOCK, BLOCK);
}

/* The close of a VM and its vCPU with all pages mapped. */
static double close_mapped(void)
{
	void *memory = pages_memory();
	struct vm other = vm;
	struct vcpu small;
	uint64_t start;

	populate(memory, PAGES * (size_t)PAGE, PAGE);
	other.fd = ioctl(vm.kvm, KVM_CREATE_VM, 0);
	must(other.fd, "KVM_CREATE_VM");
	must(vm_slot(&other, 0, 0, GUEST_RAM, BLOCK, code), "KVM_SET_USER_MEMORY_REGION");
	must(vm_slot(&other, DATA_SLOT, 0, DATA_GPA, PAGES * (uint64_t)PAGE, memory),
	     "KVM_SET_USER_MEMORY_REGION");
	vcpu_create(&other, &small, 0, 0);
	vcpu_start(&small, GUEST_RAM);
	vcpu_set_x(&small, 20, DATA_GPA);
	vcpu_set_x(&small, 21, PAGE);
	vcpu_set_x(&small, 22, PAGES);
	vcpu_set_x(&small, 23, 1);
	run_to_mmio(&small);
	start = ticks();
	vcpu_destroy(&small);
	close(other.fd);
	return instructions(ticks() - start);
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

/* What it takes to begin logging, a page that is mapped. */
static double log_begin(void)
{
	void *memory = pages_memory();
	uint64_t start, elapsed;

	map_all(memory, PAGES * (size_t)PAGE, PAGE);
	start = ticks();
	set_slot(memory, PAGES * (size_t)PAGE, KVM_MEM_LOG_DIRTY_PAGES);
	elapsed = ticks() - start;
	set_slot(NULL, 0, 0);
	return instructions(elapsed) / PAGES;
}

/* Writes to a page each of blocks that were mapped when logging began. */
static double log_split(void)
{
	void *memory = blocks_memory();
	double cost;

	map_all(memory, BLOCKS * (size_t)BLOCK, BLOCK);
	set_slot(memory, BLOCKS * (size_t)BLOCK, KVM_MEM_LOG_DIRTY_PAGES);
	cost = touch_cost(BLOCKS, BLOCK, WRITE_ACCESS);
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

/* 64 MiB of which nothing was ever mapped. */
static double log_read_empty(void)
{
	static uint64_t bitmap[LARGE / PAGE / 64];
	struct kvm_dirty_log log = { .slot = DATA_SLOT, .dirty_bitmap = bitmap };
	uint64_t start, elapsed;

	set_slot(large_memory(), LARGE, KVM_MEM_LOG_DIRTY_PAGES);
	start = ticks();
	must(ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log), "KVM_GET_DIRTY_LOG");
	elapsed = ticks() - start;
	set_slot(NULL, 0, 0);
	return instructions(elapsed);
}

/* KVM_CLEAR_DIRTY_LOG of pages that are all dirty; in a VM of its own, since the capability stays.
 */
static double log_clear(void)
{
	static uint64_t bitmap[PAGES / 64];
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { 1 } };
	struct kvm_dirty_log log = { .slot = DATA_SLOT, .dirty_bitmap = bitmap };
	struct kvm_clear_dirty_log clear = { .slot = DATA_SLOT,
					     .num_pages = PAGES,
					     .dirty_bitmap = bitmap };
	struct vm first = vm;
	uint64_t start, elapsed;

	vm.fd = ioctl(vm.kvm, KVM_CREATE_VM, 0);
	must(vm.fd, "KVM_CREATE_VM");
	must(ioctl(vm.fd, KVM_ENABLE_CAP, &cap), "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2");
	must(vm_slot(&vm, 0, 0, GUEST_RAM, BLOCK, code), "KVM_SET_USER_MEMORY_REGION");
	{
		struct vcpu kept = vcpu;

		vcpu_create(&vm, &vcpu, 0, 0);
		start_logging();
		must(ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log), "KVM_GET_DIRTY_LOG");
		start = ticks();
		must(ioctl(vm.fd, KVM_CLEAR_DIRTY_LOG, &clear), "KVM_CLEAR_DIRTY_LOG");
		elapsed = ticks() - start;
		vcpu_destroy(&vcpu);
		vcpu = kept;
	}
	close(vm.fd);
	vm = first;
	return instructions(elapsed) / PAGES;
}

/* --- the table ----------------------------------------------------------------------------- */

static const struct operation operations[] = {
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
	{ "fault-2m-hugetlb", write_hugetlb },
	{ "fault-4k-by-userfaultfd", fault_served },
	{ "pre-fault-a-page", pre_fault },
	{ "slot-create-64m", create_slot },
	{ "slot-delete-64m-unmapped", delete_slot_unmapped },
	{ "slot-delete-4096-mapped", delete_slot_mapped },
	{ "close-vm-4096-mapped", close_mapped },
	{ "dontneed-a-page", dontneed_pages },
	{ "dontneed-one-page", dontneed_page_by_page },
	{ "dontneed-a-block", dontneed_blocks },
	{ "dirty-log-begin-a-page", log_begin },
	{ "dirty-log-fault-splits", log_split },
	{ "dirty-log-fault", log_fault },
	{ "dirty-log-get-a-page", log_read },
	{ "dirty-log-get-clean-16m", log_read_clean },
	{ "dirty-log-get-empty-64m", log_read_empty },
	{ "dirty-log-clear-a-page", log_clear },
};

int main(void)
{
	vm_create(&vm, 0);
	code = vm_ram(&vm, 0, GUEST_RAM, BLOCK);
	LOAD(code + TOUCH_GUEST * PAGE, touch_guest);
	LOAD(code + HVC_GUEST * PAGE, hvc_guest);
	LOAD(code + MMIO_GUEST * PAGE, mmio_guest);
	vcpu_create(&vm, &vcpu, 0, 0);
	measure_all(operations, sizeof(operations) / sizeof(operations[0]));
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	return 0;
}
