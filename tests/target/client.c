/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The KVM client shared by the target tests; see client.h.
 */
#define _GNU_SOURCE
#include "tests/target/client.h"
#include "tests/target/check.h"

#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

volatile sig_atomic_t alarms_seen;

void vm_create(struct vm *vm, unsigned long type)
{
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	REQUIRE(vm->kvm >= 0);
	vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, type);
	REQUIRE(vm->fd >= 0);
}

void vm_destroy(struct vm *vm)
{
	close(vm->fd);
	close(vm->kvm);
}

int vm_slot(struct vm *vm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size, void *hva)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uint64_t)hva,
	};

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) ? -errno : 0;
}

void *host_memory(size_t size, size_t align)
{
	char *p = mmap(NULL, size + align, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	char *aligned;

	REQUIRE(p != MAP_FAILED);
	aligned = (char *)(((uintptr_t)p + align - 1) & ~(align - 1));
	if (aligned > p)
		munmap(p, (size_t)(aligned - p));
	munmap(aligned + size, (size_t)(p + align - aligned));
	return aligned;
}

void *vm_ram(struct vm *vm, uint32_t slot, uint64_t gpa, size_t size)
{
	void *hva = host_memory(size, 2 * MIB);

	REQUIRE(vm_slot(vm, slot, 0, gpa, size, hva) == 0);
	return hva;
}

void vcpu_create_raw(struct vm *vm, struct vcpu *vcpu, unsigned id)
{
	vcpu->run_size = (size_t)ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	REQUIRE((long)vcpu->run_size >= PAGE);
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);
	REQUIRE(vcpu->fd >= 0);
	vcpu->run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	REQUIRE(vcpu->run != MAP_FAILED);
}

int vcpu_init(struct vm *vm, struct vcpu *vcpu, uint32_t features)
{
	struct kvm_vcpu_init init;

	REQUIRE(ioctl(vm->fd, KVM_ARM_PREFERRED_TARGET, &init) == 0);
	init.features[0] |= features;
	return ioctl(vcpu->fd, KVM_ARM_VCPU_INIT, &init) ? -errno : 0;
}

void vcpu_create(struct vm *vm, struct vcpu *vcpu, unsigned id, uint32_t features)
{
	vcpu_create_raw(vm, vcpu, id);
	REQUIRE(vcpu_init(vm, vcpu, features | 1u << KVM_ARM_VCPU_PSCI_0_2) == 0);
}

void vcpu_destroy(struct vcpu *vcpu)
{
	munmap(vcpu->run, vcpu->run_size);
	close(vcpu->fd);
}

uint64_t reg_get(struct vcpu *vcpu, uint64_t id)
{
	uint64_t value = 0;
	struct kvm_one_reg reg = { .id = id, .addr = (uint64_t)&value };

	REQUIRE(ioctl(vcpu->fd, KVM_GET_ONE_REG, &reg) == 0);
	return value;
}

void reg_set(struct vcpu *vcpu, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uint64_t)&value };

	REQUIRE(ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg) == 0);
}

uint64_t vcpu_x(struct vcpu *vcpu, unsigned n)
{
	return reg_get(vcpu, CORE_REG(regs.regs[0]) + 2 * n);
}

void vcpu_set_x(struct vcpu *vcpu, unsigned n, uint64_t value)
{
	reg_set(vcpu, CORE_REG(regs.regs[0]) + 2 * n, value);
}

void vcpu_start(struct vcpu *vcpu, uint64_t pc)
{
	reg_set(vcpu, CORE_REG(regs.pc), pc);
	reg_set(vcpu, CORE_REG(regs.pstate), 0x3c5);
	vcpu_set_x(vcpu, 19, GUEST_MMIO);
}

int vcpu_run(struct vcpu *vcpu)
{
	return ioctl(vcpu->fd, KVM_RUN, 0) ? -errno : 0;
}

void guest_load(void *hva, const char *start, const char *end)
{
	memcpy(hva, start, (size_t)(end - start));
	__builtin___clear_cache(hva, (char *)hva + (end - start));
}

uint64_t run_to_write(const char *file, int line, struct vcpu *vcpu, uint64_t addr)
{
	struct kvm_run *run = vcpu->run;
	uint64_t data = 0;
	int error;

	do
		error = vcpu_run(vcpu);
	while (error == -EINTR || (error == 0 && run->exit_reason == KVM_EXIT_INTR));
	if (!check_note(error == 0 && run->exit_reason == KVM_EXIT_MMIO && run->mmio.is_write &&
			run->mmio.phys_addr == addr)) {
		printf("%s:%d: seen %s, exit %s, address %#llx, %s, pc %#lx; expected a write at %#lx\n",
		       file, line, error ? strerrorname_np(-error) : "0",
		       exit_name(run->exit_reason), (unsigned long long)run->mmio.phys_addr,
		       run->mmio.is_write ? "write" : "read", reg_get(vcpu, CORE_REG(regs.pc)),
		       addr);
		exit(check_done("client"));
	}
	memcpy(&data, run->mmio.data, run->mmio.len < 8 ? run->mmio.len : 8);
	return data;
}

const char *exit_name(uint32_t reason)
{
	static const char *const names[] = {
		[KVM_EXIT_UNKNOWN] = "UNKNOWN",
		[KVM_EXIT_DEBUG] = "DEBUG",
		[KVM_EXIT_MMIO] = "MMIO",
		[KVM_EXIT_INTR] = "INTR",
		[KVM_EXIT_FAIL_ENTRY] = "FAIL_ENTRY",
		[KVM_EXIT_INTERNAL_ERROR] = "INTERNAL_ERROR",
		[KVM_EXIT_SYSTEM_EVENT] = "SYSTEM_EVENT",
		[KVM_EXIT_HYPERCALL] = "HYPERCALL",
		[KVM_EXIT_ARM_NISV] = "ARM_NISV",
		[39] = "MEMORY_FAULT",
	};
	const char *name = reason < sizeof(names) / sizeof(names[0]) ? names[reason] : NULL;

	return name ? name : "other";
}

static void count_alarm(int signal)
{
	(void)signal;
	alarms_seen++;
}

void alarm_every_us(unsigned us)
{
	struct sigaction action = { .sa_handler = count_alarm };
	struct itimerval timer = { .it_interval = { .tv_usec = us },
				   .it_value = { .tv_usec = us } };

	REQUIRE(sigaction(SIGALRM, &action, NULL) == 0);
	REQUIRE(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}
