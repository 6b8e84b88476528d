/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's timers without an interrupt controller in the kernel: the line that rises ends KVM_RUN
 * and is told in device_irq_level, WFI ends with it, and the line falls again.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#ifndef KVM_ARM_SET_COUNTER_OFFSET /* of Linux 6.4 */
struct kvm_arm_counter_offset {
	__u64 counter_offset;
	__u64 reserved;
};
#define KVM_ARM_SET_COUNTER_OFFSET _IOW(KVMIO, 0xb5, struct kvm_arm_counter_offset)
#endif

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

/* ---- counters that are not the host's */

/* Writes both counters, and what is left of the physical timer by its two views. */
GUEST(reads_counters, "	mrs x0, cntpct_el0\n"
		      "	str x0, [x19]\n"
		      "	mrs x0, cntvct_el0\n"
		      "	str x0, [x19, #8]\n"
		      "	mrs x0, cntpct_el0\n"
		      "	add x0, x0, #0x40000\n"
		      "	msr cntp_cval_el0, x0\n"
		      "	mrs x1, cntp_tval_el0\n"
		      "	mrs x2, cntp_cval_el0\n"
		      "	sub x2, x0, x2\n"
		      "	str x1, [x19, #16]\n"
		      "	str x2, [x19, #24]\n"
		      "	mov x0, #-5\n"
		      "	msr cntp_tval_el0, x0\n"
		      "	mov x0, #3\n"
		      "	msr cntp_ctl_el0, x0\n"
		      "	isb\n"
		      "	mrs x0, cntp_ctl_el0\n"
		      "	str x0, [x19, #32]\n"
		      "	mov x0, #-1\n"
		      "	msr cntp_cval_el0, x0\n"
		      "	isb\n"
		      "	mrs x0, cntp_ctl_el0\n"
		      "	str x0, [x19, #40]\n"
		      "	b .\n");

#define IS_FROM(value, start) ((uint64_t)(value) - (start) < 20 * counter_hz())

static void check_counts(struct vcpu *vcpu, uint64_t physical, uint64_t virtual)
{
	uint64_t tval;

	vcpu_start(vcpu, GUEST_RAM + 0x2000);
	CHECK(IS_FROM(RUN_TO_WRITE(vcpu, GUEST_MMIO), physical));
	CHECK(IS_FROM(RUN_TO_WRITE(vcpu, GUEST_MMIO + 8), virtual));
	CHECK(IS_FROM(reg_get(vcpu, KVM_REG_ARM_PTIMER_CNT), physical));
	CHECK(IS_FROM(reg_get(vcpu, KVM_REG_ARM_TIMER_CNT), virtual));
	tval = RUN_TO_WRITE(vcpu, GUEST_MMIO + 16);
	CHECK((int32_t)tval <= 0x40000 &&
	      0x40000 - (int64_t)(int32_t)tval < 20 * (int64_t)counter_hz());
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 24), 0);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 32), 7); /* expired, and masked */
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 40), 3); /* never */
	CHECK_EQ(reg_get(vcpu, KVM_REG_ARM_PTIMER_CVAL), ~0ul);
	reg_set(vcpu, KVM_REG_ARM_PTIMER_CTL, 0);
	vcpu->run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	vcpu->run->immediate_exit = 0;
}

static uint64_t host_count(void)
{
	uint64_t count;

	/* A program's is the host's own: it has no offset. */
	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(count));
	return count;
}

static void *run_for_a_while(void *arg)
{
	check_timer(arg, GUEST_RAM + 0x1000, 400, KVM_ARM_DEV_EL1_PTIMER);
	return NULL;
}

/* It can be set again, between runs. */
static void check_offset_while_running(struct vm *vm, struct vcpu *vcpu)
{
	struct kvm_arm_counter_offset o = { .counter_offset = host_count() - (1ul << 40) };
	pthread_t thread;

	REQUIRE(pthread_create(&thread, NULL, run_for_a_while, vcpu) == 0);
	usleep(200000);
	CHECK_FAILS(ioctl(vm->fd, KVM_ARM_SET_COUNTER_OFFSET, &o), EBUSY);
	pthread_join(thread, NULL);
	CHECK_FAILS(ioctl(vm->fd, KVM_ARM_SET_COUNTER_OFFSET, 8), EFAULT);
	o.reserved = 1;
	CHECK_FAILS(ioctl(vm->fd, KVM_ARM_SET_COUNTER_OFFSET, &o), EINVAL);
	o.reserved = 0;
	CHECK_OK(ioctl(vm->fd, KVM_ARM_SET_COUNTER_OFFSET, &o));
	check_counts(vcpu, 1ul << 40, 1ul << 40);
}

static void check_offsets(void)
{
	struct kvm_arm_counter_offset o = { .counter_offset = host_count() - 1000 };
	struct vcpu vcpu;
	struct vm vm;
	char *ram;

	vm_create(&vm, 0);
	ram = vm_ram(&vm, 0, GUEST_RAM, 64 * 1024);
	LOAD(ram, virtual_timer);
	LOAD(ram + 0x1000, physical_timer);
	LOAD(ram + 0x2000, reads_counters);
	vcpu_create(&vm, &vcpu, 0, 0);
	check_counts(&vcpu, host_count(), 0);
	/* Each of its own: one is set, the other stays. */
	reg_set(&vcpu, KVM_REG_ARM_PTIMER_CNT, 0x5000000000);
	check_counts(&vcpu, 0x5000000000, 0);
	reg_set(&vcpu, KVM_REG_ARM_TIMER_CNT, 1ul << 60);
	check_counts(&vcpu, 0x5000000000, 1ul << 60);
	check_timer(&vcpu, GUEST_RAM + 0x1000, 10, KVM_ARM_DEV_EL1_PTIMER);
	check_timer(&vcpu, GUEST_RAM, 10, KVM_ARM_DEV_EL1_VTIMER);
	/* Ahead of the host's. */
	reg_set(&vcpu, KVM_REG_ARM_PTIMER_CNT, 1ul << 62);
	check_timer(&vcpu, GUEST_RAM + 0x1000, 10, KVM_ARM_DEV_EL1_PTIMER);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);

	/* Both at once, and for good. */
	vm_create(&vm, 0);
	ram = vm_ram(&vm, 0, GUEST_RAM, 64 * 1024);
	LOAD(ram + 0x1000, physical_timer);
	LOAD(ram + 0x2000, reads_counters);
	CHECK_EQ(ioctl(vm.fd, KVM_ARM_SET_COUNTER_OFFSET, &o), 0);
	vcpu_create(&vm, &vcpu, 0, 0);
	check_counts(&vcpu, 1000, 1000);
	reg_set(&vcpu, KVM_REG_ARM_PTIMER_CNT, 1ul << 62);
	reg_set(&vcpu, KVM_REG_ARM_TIMER_CNT, 1ul << 62);
	check_counts(&vcpu, 1000, 1000);
	check_timer(&vcpu, GUEST_RAM + 0x1000, 10, KVM_ARM_DEV_EL1_PTIMER);
	check_offset_while_running(&vm, &vcpu);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}

/* ---- suspended */

static uint64_t used_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Nothing but an interrupt ends it, and the timer's line is not one here. */
static void check_suspended(struct vcpu *vcpu)
{
	struct kvm_mp_state suspended = { .mp_state = KVM_MP_STATE_SUSPENDED };
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
	uint64_t start, used;

	vcpu_start(vcpu, GUEST_RAM);
	reg_set(vcpu, KVM_REG_ARM_TIMER_CVAL, 0);
	reg_set(vcpu, KVM_REG_ARM_TIMER_CTL, 1);
	REQUIRE(ioctl(vcpu->fd, KVM_SET_MP_STATE, &suspended) == 0);
	/* User space is told of the line first. */
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	CHECK_EQ(vcpu->run->s.regs.device_irq_level, KVM_ARM_DEV_EL1_VTIMER);
	alarm_every_us(200000);
	start = now_ns();
	used = used_ns();
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	used = used_ns() - used;
	CHECK(now_ns() - start >= 100000000);
	CHECK(used < (now_ns() - start) / 4);
	alarm_every_us(0);
	REQUIRE(ioctl(vcpu->fd, KVM_SET_MP_STATE, &runnable) == 0);
	reg_set(vcpu, KVM_REG_ARM_TIMER_CTL, 0);
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
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
	check_suspended(&vcpu);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	check_offsets();
	return check_done("kvm_timer");
}
