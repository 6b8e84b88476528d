/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simplest KVM client: one page of RAM, one vCPU, a guest of four instructions that adds and
 * makes one MMIO write.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"

#include <fcntl.h>
#include <unistd.h>

GUEST(guest, "	mov x0, #40\n"
	     "	add x0, x0, #2\n"
	     "	str x0, [x19]\n"
	     "	b .\n");

int main(void)
{
	struct vm vm;
	struct vcpu vcpu;
	void *page;

	vm_create(&vm, 0);
	CHECK_EQ(ioctl(vm.kvm, KVM_GET_API_VERSION, 0), 12);
	page = host_memory(PAGE, PAGE);
	LOAD(page, guest);
	CHECK_EQ(vm_slot(&vm, 0, 0, GUEST_RAM, PAGE, page), 0);
	vcpu_create(&vm, &vcpu, 0, 0);
	vcpu_start(&vcpu, GUEST_RAM);
	CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO), 42);
	CHECK_EQ(vcpu.run->mmio.len, 8);
	CHECK_EQ(vcpu_x(&vcpu, 0), 42);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	return check_done("kvm_hello");
}
