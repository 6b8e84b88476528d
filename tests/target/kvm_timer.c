/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's timers without an interrupt controller in the kernel: the line that rises ends KVM_RUN
 * and is told in device_irq_level, WFI ends with it, and the line falls again. Both counters can be
 * set, and their timers follow. A suspended vCPU whose timer has expired sleeps.
 */
#define _GNU_SOURCE
#include "abi/catwalk.h"
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

/* Both counters, the physical one's timer in all its registers, and whether EL1 may write it. */
GUEST(physical_registers, "	mrs x0, cntvct_el0\n"
			  "	str x0, [x19]\n"
			  "	isb\n"
			  "	mrs x0, cntpct_el0\n"
			  "	str x0, [x19, #8]\n"
			  "	mov x1, #1000\n"
			  "	lsl x1, x1, #20\n"
			  "	add x2, x0, x1\n"
			  "	msr cntp_cval_el0, x2\n"
			  "	mrs x3, cntp_cval_el0\n"
			  "	sub x3, x3, x0\n"
			  "	str x3, [x19, #16]\n" /* 1000 << 20 */
			  "	mrs x3, cntp_tval_el0\n"
			  "	str x3, [x19, #24]\n" /* that less what has passed */
			  "	mov x3, #-5\n"
			  "	msr cntp_tval_el0, x3\n"
			  "	mrs x3, cntp_cval_el0\n"
			  "	isb\n"
			  "	mrs x0, cntpct_el0\n"
			  "	sub x3, x3, x0\n"
			  "	str x3, [x19, #32]\n" /* below -5 */
			  "	mov x3, #3\n"
			  "	msr cntp_ctl_el0, x3\n"
			  "	isb\n"
			  "	mrs x3, cntp_ctl_el0\n"
			  "	str x3, [x19, #40]\n" /* expired: 7 */
			  "	mov x3, #-1\n"
			  "	msr cntp_cval_el0, x3\n"
			  "	isb\n"
			  "	mrs x3, cntp_ctl_el0\n"
			  "	str x3, [x19, #48]\n" /* not expired: 3 */
			  "	msr cntp_ctl_el0, xzr\n"
			  "	str x3, [x19, #56]\n"
			  "	b .\n");

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

/* ---- counters that user space sets */

enum { SECONDS_A_STEP = 60 }; /* more than a step of the test can take */

/* @count, or a little later. */
static int is_soon_after(uint64_t count, uint64_t seen)
{
	return seen - count < counter_hz() * SECONDS_A_STEP;
}

static void check_counters(struct vcpu *vcpu, uint64_t virtual, uint64_t physical)
{
	const uint64_t far = 1000UL << 20;
	uint64_t tval;

	vcpu_start(vcpu, GUEST_RAM + 0x2000);
	CHECK(is_soon_after(virtual, RUN_TO_WRITE(vcpu, GUEST_MMIO)));
	CHECK(is_soon_after(physical, RUN_TO_WRITE(vcpu, GUEST_MMIO + 8)));
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 16), far);
	tval = RUN_TO_WRITE(vcpu, GUEST_MMIO + 24);
	CHECK(tval < far && tval > far - counter_hz());
	CHECK((int64_t)RUN_TO_WRITE(vcpu, GUEST_MMIO + 32) <= -5);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 40), 7);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 48), 3);
	RUN_TO_WRITE(vcpu, GUEST_MMIO + 56);
	CHECK_EQ(reg_get(vcpu, KVM_REG_ARM_PTIMER_CVAL), -1);
	CHECK(is_soon_after(physical, reg_get(vcpu, KVM_REG_ARM_PTIMER_CNT)));
	vcpu->run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	vcpu->run->immediate_exit = 0;
}

static void check_timers(struct vcpu *vcpu)
{
	for (unsigned ms = 0; ms <= 20; ms += 10) {
		check_timer(vcpu, GUEST_RAM, ms, KVM_ARM_DEV_EL1_VTIMER);
		check_timer(vcpu, GUEST_RAM + 0x1000, ms, KVM_ARM_DEV_EL1_PTIMER);
	}
}

static void physical_set(struct vcpu *vcpu, uint64_t count)
{
	reg_set(vcpu, KVM_REG_ARM_PTIMER_CNT, count);
	CHECK(is_soon_after(count, reg_get(vcpu, KVM_REG_ARM_PTIMER_CNT)));
}

static void check_set_counters(struct vcpu *vcpu)
{
	const uint64_t high = 1UL << 63;

	reg_set(vcpu, KVM_REG_ARM_TIMER_CNT, 1000);
	physical_set(vcpu, high);
	check_counters(vcpu, 1000, high);
	check_timers(vcpu);
	/* Ahead of the machine's counter, behind it, and close to its end. */
	physical_set(vcpu, 0);
	check_counters(vcpu, 1000, 0);
	check_timers(vcpu);
	physical_set(vcpu, -(counter_hz() * SECONDS_A_STEP * 10));
	check_timers(vcpu);
	/* A compare value outlives the move of its counter, which then has passed it. */
	physical_set(vcpu, 0);
	reg_set(vcpu, KVM_REG_ARM_PTIMER_CVAL, high);
	reg_set(vcpu, KVM_REG_ARM_PTIMER_CTL, 3);
	CHECK_EQ(reg_get(vcpu, KVM_REG_ARM_PTIMER_CTL), 3);
	physical_set(vcpu, high);
	CHECK_EQ(reg_get(vcpu, KVM_REG_ARM_PTIMER_CVAL), high);
	CHECK_EQ(reg_get(vcpu, KVM_REG_ARM_PTIMER_CTL), 7);
	reg_set(vcpu, KVM_REG_ARM_PTIMER_CTL, 0);
}

static uint64_t machine_counter(void)
{
	uint64_t count;

	__asm__ volatile("isb\n mrs %0, cntvct_el0" : "=r"(count));
	return count;
}

/* One offset for both, for good. */
static void check_counter_offset(struct vm *vm, struct vcpu *vcpu)
{
	struct kvm_arm_counter_offset o = { .counter_offset = -1000000UL, .reserved = 1 };
	uint64_t now;

	CHECK_FAILS(ioctl(vm->fd, KVM_ARM_SET_COUNTER_OFFSET, 8), EFAULT);
	CHECK_FAILS(ioctl(vm->fd, KVM_ARM_SET_COUNTER_OFFSET, &o), EINVAL);
	o.reserved = 0;
	CHECK_OK(ioctl(vm->fd, KVM_ARM_SET_COUNTER_OFFSET, &o));
	now = machine_counter() + 1000000;
	check_counters(vcpu, now, now);
	check_timers(vcpu);
	reg_set(vcpu, KVM_REG_ARM_TIMER_CNT, 5);
	reg_set(vcpu, KVM_REG_ARM_PTIMER_CNT, 5);
	check_counters(vcpu, now, now);
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
	LOAD(ram + 0x2000, physical_registers);
	vcpu_create(&vm, &vcpu, 0, 0);
	check_timers(&vcpu);
	check_suspended(&vcpu);
	if (VM_CAP(&vm, KVM_CAP_COUNTER_OFFSET) > 0) {
		check_set_counters(&vcpu);
		check_counter_offset(&vm, &vcpu);
	}
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	return check_done("kvm_timer");
}
