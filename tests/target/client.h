/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A KVM client as small as a test needs: VM, memory slots, vCPUs, registers, KVM_RUN. Calls that a
 * test wants to see failing return 0 or a negative errno; all others end the program with file and
 * line when they fail.
 *
 * Guests start at EL1 with the MMU off and are written as position-independent assembly with
 * GUEST().
 */
#ifndef TESTS_TARGET_CLIENT_H
#define TESTS_TARGET_CLIENT_H

#include <linux/kvm.h>
#include <linux/psci.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

enum {
	PAGE = 4096,
	MIB = 1 << 20,
	/* Where client_start() puts guests' code and data, and where a test's guest finds nothing
	   but MMIO. */
	GUEST_RAM = 0x40000000,
	GUEST_MMIO = 0x10000000,
};

struct vm {
	int kvm;
	int fd;
};

struct vcpu {
	int fd;
	struct kvm_run *run;
	size_t run_size;
};

/* Guest code as a read-only blob, aligned so that it may hold vectors: @code is assembly text; NAME
 * and NAME_end delimit it. */
#define GUEST(name, code)                                                                          \
	extern const char name[], name##_end[];                                                    \
	__asm__(".pushsection .rodata\n"                                                           \
		".balign 128\n.globl " #name ", " #name "_end\n" #name ":\n" code "\n" #name       \
		"_end:\n"                                                                          \
		".popsection")

#define CORE_REG(field)                                                                            \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(field))

#define VM_CAP(vm, cap) ioctl((vm)->fd, KVM_CHECK_EXTENSION, cap)

/* @type as for KVM_CREATE_VM: the IPA size in bits, 0 for 40. */
void vm_create(struct vm *vm, unsigned long type);
/* Closes the descriptors; vCPUs must have been destroyed. */
void vm_destroy(struct vm *vm);
/* KVM_SET_USER_MEMORY_REGION; size 0 deletes. Returns 0 or -errno. */
int vm_slot(struct vm *vm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size, void *hva);
/* Anonymous memory of @size bytes, aligned to @align (a power of two, at least a page). */
void *host_memory(size_t size, size_t align);
/* Fresh anonymous memory, aligned to 2 MiB, as slot @slot at @gpa. */
void *vm_ram(struct vm *vm, uint32_t slot, uint64_t gpa, size_t size);

/* Creates vCPU @id and initialises it; @features is the first word of kvm_vcpu_init.features
 * (PSCI_0_2 is added). */
void vcpu_create(struct vm *vm, struct vcpu *vcpu, unsigned id, uint32_t features);
/* Creates without KVM_ARM_VCPU_INIT. */
void vcpu_create_raw(struct vm *vm, struct vcpu *vcpu, unsigned id);
/* KVM_ARM_VCPU_INIT with the preferred target. Returns 0 or -errno. */
int vcpu_init(struct vm *vm, struct vcpu *vcpu, uint32_t features);
void vcpu_destroy(struct vcpu *vcpu);
uint64_t reg_get(struct vcpu *vcpu, uint64_t id);
void reg_set(struct vcpu *vcpu, uint64_t id, uint64_t value);
uint64_t vcpu_x(struct vcpu *vcpu, unsigned n);
void vcpu_set_x(struct vcpu *vcpu, unsigned n, uint64_t value);
/* PC, PSTATE (EL1h, DAIF masked) and x19 = GUEST_MMIO, what every guest here expects. */
void vcpu_start(struct vcpu *vcpu, uint64_t pc);
/* One KVM_RUN, not repeated on EINTR. Returns 0 or -errno. */
int vcpu_run(struct vcpu *vcpu);

/* Copies guest code to @hva, which is backed by a slot, and makes it fetchable. */
void guest_load(void *hva, const char *start, const char *end);
#define LOAD(hva, name) guest_load(hva, name, name##_end)

/* Runs and checks that the exit is an MMIO write; gives its data (little endian, mmio.len bytes).
 */
uint64_t run_to_write(const char *file, int line, struct vcpu *vcpu, uint64_t addr);
#define RUN_TO_WRITE(vcpu, addr) run_to_write(__FILE__, __LINE__, vcpu, addr)
/* Name of an exit reason, for messages. */
const char *exit_name(uint32_t reason);

/* A one-shot or periodic SIGALRM, delivered to any thread; @us 0 stops it. The handler counts in
 * alarms_seen. */
void alarm_every_us(unsigned us);
extern volatile sig_atomic_t alarms_seen;

#endif
