/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PSCI and SMCCC as a guest calls them: versions and features, a second vCPU started by CPU_ON with
 * its context, its state seen by AFFINITY_INFO and KVM_GET_MP_STATE, CPU_OFF, SYSTEM_OFF and
 * SYSTEM_RESET, unknown functions.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"

#include "abi/catwalk.h"

#include <pthread.h>
#include <time.h>

#define SMCCC_VERSION 0x80000000
#define PTP	      0x86000001

#define NOT_SUPPORTED	   ((uint64_t)-1)
#define INVALID_PARAMETERS ((uint64_t)-2)
#define ALREADY_ON	   ((uint64_t)-4)

enum { SECOND_ENTRY = GUEST_RAM + 0x1000 };

/* One hypervisor call with what the client put into x0 to x3; tells the result. */
GUEST(caller, "	hvc #0\n"
	      "	str x0, [x19]\n"
	      "	b .\n");

/* Where CPU_ON starts the second: x0 is its context. Everything else is unknown, also x19. */
GUEST(second_cpu, "	mov x19, #0x10000000\n"
		  "	str x0, [x19, #8]\n"
		  "	mrs x1, currentel\n"
		  "	str x1, [x19, #16]\n"
		  "	mov w0, #2\n"
		  "	movk w0, #0x8400, lsl #16\n"
		  "	hvc #0\n"
		  "	str x0, [x19, #24]\n"
		  "	b .\n");

static uint64_t call(struct vcpu *vcpu, uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3)
{
	uint64_t result;

	vcpu_start(vcpu, GUEST_RAM);
	vcpu_set_x(vcpu, 0, function);
	vcpu_set_x(vcpu, 1, x1);
	vcpu_set_x(vcpu, 2, x2);
	vcpu_set_x(vcpu, 3, x3);
	result = RUN_TO_WRITE(vcpu, GUEST_MMIO);
	vcpu->run->immediate_exit = 1; /* complete the store */
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	vcpu->run->immediate_exit = 0;
	return result;
}

static void check_versions(struct vcpu *vcpu)
{
	uint64_t version = call(vcpu, PSCI_0_2_FN_PSCI_VERSION, 0, 0, 0);

	CHECK(version >> 16 == 1);
	CHECK_EQ(version, reg_get(vcpu, KVM_REG_ARM_PSCI_VERSION));
	CHECK_EQ(call(vcpu, PSCI_1_0_FN_PSCI_FEATURES, PSCI_0_2_FN64_CPU_ON, 0, 0), 0);
	CHECK_EQ(call(vcpu, PSCI_1_0_FN_PSCI_FEATURES, PSCI_0_2_FN_SYSTEM_OFF, 0, 0), 0);
	CHECK_EQ(call(vcpu, PSCI_1_0_FN_PSCI_FEATURES, 0x84000099, 0, 0), NOT_SUPPORTED);
	CHECK_EQ(call(vcpu, PSCI_0_2_FN_MIGRATE_INFO_TYPE, 0, 0, 0), 2);
	CHECK(call(vcpu, SMCCC_VERSION, 0, 0, 0) >= 0x10001);
	CHECK_EQ(call(vcpu, 0xc6001234, 0, 0, 0), NOT_SUPPORTED);
	CHECK_EQ(call(vcpu, 0x84000099, 0, 0, 0), NOT_SUPPORTED);
	CHECK_EQ(call(vcpu, 0x12345678, 0, 0, 0), NOT_SUPPORTED);
	/* An older version can be chosen, and is what the guest then sees. */
	reg_set(vcpu, KVM_REG_ARM_PSCI_VERSION, 2);
	CHECK_EQ(call(vcpu, PSCI_0_2_FN_PSCI_VERSION, 0, 0, 0), 2);
	CHECK_EQ(call(vcpu, PSCI_1_0_FN_PSCI_FEATURES, PSCI_0_2_FN64_CPU_ON, 0, 0), NOT_SUPPORTED);
	reg_set(vcpu, KVM_REG_ARM_PSCI_VERSION, version);
}

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The time of day and the counter that go together, as a guest's PTP clock asks for them. */
static void check_ptp(struct vm *vm, struct vcpu *vcpu)
{
	CHECK_EQ(VM_CAP(vm, KVM_CAP_PTP_KVM), 1);
	for (uint64_t which = 0; which < 2; which++) {
		uint64_t before = realtime_ns(), count = reg_get(vcpu, KVM_REG_ARM_TIMER_CNT), now,
			 then;

		now = call(vcpu, PTP, which, 0, 0) << 32 | vcpu_x(vcpu, 1);
		then = vcpu_x(vcpu, 2) << 32 | vcpu_x(vcpu, 3);
		CHECK(now >= before && now <= realtime_ns());
		/* The physical counter began earlier than the VM. */
		CHECK(then >= count);
		CHECK((then <= reg_get(vcpu, KVM_REG_ARM_TIMER_CNT)) == (which == 0));
	}
	CHECK_EQ(call(vcpu, PTP, 2, 0, 0), NOT_SUPPORTED);
}

static uint32_t mp_state(struct vcpu *vcpu)
{
	struct kvm_mp_state state = { .mp_state = 99 };

	CHECK_OK(ioctl(vcpu->fd, KVM_GET_MP_STATE, &state));
	return state.mp_state;
}

static void *run_second(void *arg)
{
	struct vcpu *vcpu = arg;

	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 8), 0xabcdef);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 16), 1 << 2);
	/* CPU_OFF does not return; the vCPU sleeps until the signal. */
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_INTR);
	return NULL;
}

static void no_op(int signal)
{
	(void)signal;
}

static void check_cpu_on(struct vcpu *first, struct vcpu *second)
{
	struct sigaction action = { .sa_handler = no_op };
	pthread_t thread;

	CHECK_EQ(mp_state(first), KVM_MP_STATE_RUNNABLE);
	CHECK_EQ(mp_state(second), KVM_MP_STATE_STOPPED);
	CHECK_EQ(call(first, PSCI_0_2_FN64_AFFINITY_INFO, 1, 0, 0), 1); /* off */
	CHECK_EQ(call(first, PSCI_0_2_FN64_AFFINITY_INFO, 0, 0, 0), 0); /* on */
	CHECK_EQ(call(first, PSCI_0_2_FN64_AFFINITY_INFO, 77, 0, 0), INVALID_PARAMETERS);
	CHECK_EQ(call(first, PSCI_0_2_FN64_CPU_ON, 77, SECOND_ENTRY, 0), INVALID_PARAMETERS);
	CHECK_EQ(call(first, PSCI_0_2_FN64_CPU_ON, 0, SECOND_ENTRY, 0), ALREADY_ON);
	sigaction(SIGUSR1, &action, NULL);
	REQUIRE(pthread_create(&thread, NULL, run_second, second) == 0);
	CHECK_EQ(call(first, PSCI_0_2_FN64_CPU_ON, 1, SECOND_ENTRY, 0xabcdef), 0);
	while (call(first, PSCI_0_2_FN64_AFFINITY_INFO, 1, 0, 0) == 0)
		; /* until it has turned itself off */
	CHECK_EQ(call(first, PSCI_0_2_FN64_AFFINITY_INFO, 1, 0, 0), 1);
	/* The signal may come before the thread sleeps in KVM_RUN again; it is sent until the
	 * thread ends. */
	while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
		pthread_kill(thread, SIGUSR1);
		sched_yield();
	}
	CHECK_EQ(mp_state(second), KVM_MP_STATE_STOPPED);
}

/* Bits that no affinity has, and a vCPU that has no affinity yet. */
static void check_affinities(struct vm *vm, struct vcpu *first)
{
	const uint64_t mpidr = ARM64_SYS_REG(3, 0, 0, 0, 5), old = reg_get(first, mpidr);
	struct vcpu raw;

	for (unsigned bit = 24; bit < 64; bit = bit == 31 ? 40 : bit + 1) {
		uint64_t target = 1 | 1ul << bit;

		CHECK_EQ(call(first, PSCI_0_2_FN64_CPU_ON, target, SECOND_ENTRY, 0),
			 INVALID_PARAMETERS);
		CHECK_EQ(call(first, PSCI_0_2_FN64_AFFINITY_INFO, target, 0, 0),
			 INVALID_PARAMETERS);
		CHECK_EQ(call(first, PSCI_0_2_FN64_AFFINITY_INFO, target, 1, 0),
			 INVALID_PARAMETERS);
	}
	CHECK_EQ(call(first, PSCI_0_2_FN_CPU_ON, 1ul << 31, SECOND_ENTRY, 0), INVALID_PARAMETERS);
	if (VM_CAP(vm, KVM_CAP_CATWALK_CONTRACT) <= 0)
		return; /* Linux has it at 0.0.0.0, and on */
	vcpu_create_raw(vm, &raw, 2);
	reg_set(first, mpidr, 1ul << 31 | 0x100);
	CHECK_EQ(call(first, PSCI_0_2_FN64_AFFINITY_INFO, 0x100, 1, 0), 0); /* itself */
	CHECK_EQ(call(first, PSCI_0_2_FN64_AFFINITY_INFO, 0, 1, 0), 1);	    /* the second, off */
	CHECK_EQ(call(first, PSCI_0_2_FN64_AFFINITY_INFO, 0, 0, 0), INVALID_PARAMETERS);
	reg_set(first, mpidr, old);
	vcpu_destroy(&raw);
}

static void check_system_event(struct vcpu *vcpu, uint64_t function, uint32_t type)
{
	vcpu_start(vcpu, GUEST_RAM);
	vcpu_set_x(vcpu, 0, function);
	CHECK_EQ(vcpu_run(vcpu), 0);
	CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_SYSTEM_EVENT);
	CHECK_EQ(vcpu->run->system_event.type, type);
	CHECK_EQ(vcpu_x(vcpu, 0), -6ul); /* INTERNAL_FAILURE, should the guest go on */
}

/* Turned off by the client: KVM_RUN sleeps; turned on: it runs. */
static void check_set_mp_state(struct vcpu *vcpu)
{
	struct kvm_mp_state stopped = { .mp_state = KVM_MP_STATE_STOPPED };
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };

	vcpu_start(vcpu, GUEST_RAM);
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_MP_STATE, &stopped));
	CHECK_EQ(mp_state(vcpu), KVM_MP_STATE_STOPPED);
	alarm_every_us(50 * 1000);
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	alarm_every_us(0);
	CHECK_EQ(reg_get(vcpu, CORE_REG(regs.pc)), GUEST_RAM);
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_MP_STATE, &runnable));
	CHECK_EQ(call(vcpu, PSCI_0_2_FN_MIGRATE_INFO_TYPE, 0, 0, 0), 2);
}

/*
 * Suspended by the client, with the timer's line asserted and told: nothing wakes it, and it keeps
 * no one else from running.
 */
static void check_suspended(struct vcpu *vcpu)
{
	struct kvm_mp_state suspended = { .mp_state = KVM_MP_STATE_SUSPENDED };
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };

	vcpu_start(vcpu, GUEST_RAM);
	reg_set(vcpu, KVM_REG_ARM_TIMER_CVAL, 0);
	reg_set(vcpu, KVM_REG_ARM_TIMER_CTL, 1);
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_MP_STATE, &suspended));
	CHECK_EQ(vcpu_run(vcpu), -EINTR); /* the line has changed */
	CHECK_EQ(vcpu->run->s.regs.device_irq_level, KVM_ARM_DEV_EL1_VTIMER);
	alarm_every_us(50 * 1000);
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	alarm_every_us(0);
	CHECK_EQ(mp_state(vcpu), KVM_MP_STATE_SUSPENDED);
	CHECK_EQ(reg_get(vcpu, CORE_REG(regs.pc)), GUEST_RAM);
	reg_set(vcpu, KVM_REG_ARM_TIMER_CTL, 0);
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_MP_STATE, &runnable));
	CHECK_EQ(vcpu_run(vcpu), -EINTR); /* back again */
	CHECK_EQ(call(vcpu, PSCI_0_2_FN_MIGRATE_INFO_TYPE, 0, 0, 0), 2);
}

int main(void)
{
	struct vcpu first, second;
	struct vm vm;
	char *ram;

	vm_create(&vm, 0);
	ram = vm_ram(&vm, 0, GUEST_RAM, 64 * 1024);
	LOAD(ram, caller);
	LOAD(ram + (SECOND_ENTRY - GUEST_RAM), second_cpu);
	vcpu_create(&vm, &first, 0, 0);
	vcpu_create(&vm, &second, 1, 1u << KVM_ARM_VCPU_POWER_OFF);
	check_versions(&first);
	check_ptp(&vm, &first);
	check_cpu_on(&first, &second);
	check_affinities(&vm, &first);
	check_set_mp_state(&first);
	check_suspended(&first);
	check_system_event(&first, PSCI_0_2_FN_SYSTEM_RESET, KVM_SYSTEM_EVENT_RESET);
	CHECK_EQ(vcpu_init(&vm, &first, 1u << KVM_ARM_VCPU_PSCI_0_2), 0);
	check_system_event(&first, PSCI_0_2_FN_SYSTEM_OFF, KVM_SYSTEM_EVENT_SHUTDOWN);
	vcpu_destroy(&first);
	vcpu_destroy(&second);
	vm_destroy(&vm);
	return check_done("kvm_psci");
}
