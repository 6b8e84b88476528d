/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's timers without an interrupt controller in the kernel: the line that rises ends KVM_RUN
 * and is told in device_irq_level, WFI ends with it, and the line falls again.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"

#include <time.h>

/* x1: ticks to wait; x0 counts the WFIs. Then the timer is turned off. */
#define TIMER_GUEST(counter, cval, ctl)                                                            \
	"	mrs x2, " counter "\n"                                                             \
	"	add x2, x2, x1\n"                                                                        \
	"	msr " cval ", x2\n"                                                                \
	"	mov x3, #1\n"                                                                            \
	"	msr " ctl ", x3\n"                                                                 \
	"	isb\n"                                                                                   \
	"1:	wfi\n"                                                                                 \
	"	add x0, x0, #1\n"                                                                        \
	"	mrs x3, " ctl "\n"                                                                 \
	"	tbz x3, #2, 1b\n"                                                                        \
	"	str x0, [x19]\n"                                                                         \
	"	msr " ctl ", xzr\n"                                                                \
	"	isb\n"                                                                                   \
	"	str x0, [x19, #8]\n"                                                                     \
	"	b .\n"

GUEST(virtual_timer, TIMER_GUEST("cntvct_el0", "cntv_cval_el0", "cntv_ctl_el0"));
GUEST(physical_timer, TIMER_GUEST("cntpct_el0", "cntp_cval_el0", "cntp_ctl_el0"));

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t counter_hz(void)
{
	uint64_t hz;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz;
}

/* Runs a guest that waits @ms; @line is its bit of device_irq_level. */
static void check_timer(struct vcpu *vcpu, uint64_t pc, unsigned ms, uint32_t line)
{
	uint64_t start;

	vcpu_start(vcpu, pc);
	vcpu_set_x(vcpu, 0, 0);
	vcpu_set_x(vcpu, 1, counter_hz() / 1000 * ms);
	start = now_ns();
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_INTR);
	CHECK(now_ns() - start >= ms * 1000000UL);
	CHECK_EQ(vcpu->run->s.regs.device_irq_level, line);
	CHECK(RUN_TO_WRITE(vcpu, GUEST_MMIO) <= 2);
	CHECK_EQ(vcpu->run->s.regs.device_irq_level, line);
	RUN_TO_WRITE(vcpu, GUEST_MMIO + 8);
	CHECK_EQ(vcpu->run->s.regs.device_irq_level, 0);
	/* The write is completed by the next run; let it not be that of another guest. */
	vcpu->run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	vcpu->run->immediate_exit = 0;
}

int main(void)
{
	struct vcpu vcpu;
	struct vm vm;
	char *ram;

	vm_create(&vm, 0);
	CHECK(VM_CAP(&vm, KVM_CAP_ARM_USER_IRQ) >= 1);
	ram = vm_ram(&vm, 0, GUEST_RAM, 64 * 1024);
	LOAD(ram, virtual_timer);
	LOAD(ram + 0x1000, physical_timer);
	vcpu_create(&vm, &vcpu, 0, 0);
	for (unsigned ms = 0; ms <= 20; ms += 10) {
		check_timer(&vcpu, GUEST_RAM, ms, KVM_ARM_DEV_EL1_VTIMER);
		check_timer(&vcpu, GUEST_RAM + 0x1000, ms, KVM_ARM_DEV_EL1_PTIMER);
	}
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	return check_done("kvm_timer");
}
