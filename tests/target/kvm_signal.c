/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leaving KVM_RUN: immediate_exit, signals to a thread whose guest loops, sleeps in WFI or exits
 * all the time, the mask of KVM_SET_SIGNAL_MASK, many kicks in a row without one lost, and the
 * guest unharmed by all of it.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"

#include <pthread.h>
#include <unistd.h>

GUEST(spins, "1:	add x0, x0, #1\n"
	     "	b 1b\n");
GUEST(waits, "1:	wfi\n"
	     "	add x0, x0, #1\n"
	     "	b 1b\n");
GUEST(exits, "1:	str x0, [x19]\n"
	     "	add x0, x0, #1\n"
	     "	b 1b\n");

enum { SPINS = GUEST_RAM, WAITS = GUEST_RAM + 0x100, EXITS = GUEST_RAM + 0x200 };

static void check_immediate_exit(struct vcpu *vcpu)
{
	vcpu_start(vcpu, SPINS);
	vcpu_set_x(vcpu, 0, 0);
	vcpu->run->immediate_exit = 1;
	vcpu->run->exit_reason = 99;
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	CHECK_EQ(vcpu->run->exit_reason, 99); /* nothing ran, nothing is told */
	CHECK_EQ(vcpu_x(vcpu, 0), 0);
	CHECK_EQ(reg_get(vcpu, CORE_REG(regs.pc)), SPINS);
	vcpu->run->immediate_exit = 0;
}

static void check_alarm(struct vcpu *vcpu)
{
	vcpu_start(vcpu, SPINS);
	vcpu_set_x(vcpu, 0, 0);
	alarms_seen = 0;
	alarm_every_us(20 * 1000);
	/* On a busy machine an alarm may be there before the guest has run: then it has not moved.
	 */
	for (int i = 0, ran = 0; i < 100 && ran < 5; i++) {
		uint64_t before = vcpu_x(vcpu, 0);

		CHECK_EQ(vcpu_run(vcpu), -EINTR);
		CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_INTR);
		CHECK(vcpu_x(vcpu, 0) >= before);
		ran += vcpu_x(vcpu, 0) > before;
		CHECK(i < 99);
	}
	alarm_every_us(0);
	CHECK(alarms_seen >= 5);
}

/* WFI gives the CPU away and still wakes for the signal. */
static void check_wfi(struct vcpu *vcpu)
{
	vcpu_start(vcpu, WAITS);
	vcpu_set_x(vcpu, 0, 0);
	alarm_every_us(20 * 1000);
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_INTR);
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	alarm_every_us(0);
	CHECK(vcpu_x(vcpu, 0) <= 4);
}

struct runner {
	struct vcpu *vcpu;
	atomic_int stop;
	atomic_uint interrupted, others;
};

static void *run_guest(void *arg)
{
	struct runner *r = arg;

	while (!atomic_load(&r->stop)) {
		int error = vcpu_run(r->vcpu);

		if (error == -EINTR)
			atomic_fetch_add(&r->interrupted, 1);
		else if (error || r->vcpu->run->exit_reason != KVM_EXIT_MMIO)
			atomic_fetch_add(&r->others, 1);
	}
	return NULL;
}

static volatile sig_atomic_t kicks_seen;

static void count_kick(int signal)
{
	(void)signal;
	kicks_seen++;
}

/* The client's way to stop a vCPU: the handler sets immediate_exit, so that no window is left
 * between test and entry. */
static struct vcpu *kicked;

static void kick(int signal)
{
	count_kick(signal);
	kicked->run->immediate_exit = 1;
}

static void install(void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	REQUIRE(sigaction(SIGRTMIN, &action, NULL) == 0);
	kicks_seen = 0;
}

/* Another thread kicks: each kick is answered by an EINTR before the next is sent. */
static void check_kicks(struct vcpu *vcpu, uint64_t pc, unsigned kicks)
{
	struct runner r = { .vcpu = vcpu };
	pthread_t thread;

	install(count_kick);
	vcpu_start(vcpu, pc);
	REQUIRE(pthread_create(&thread, NULL, run_guest, &r) == 0);
	for (unsigned i = 0; i < kicks; i++) {
		unsigned before = atomic_load(&r.interrupted);

		/* A signal between two runs interrupts neither; it is sent until one is. */
		while (atomic_load(&r.interrupted) == before) {
			pthread_kill(thread, SIGRTMIN);
			usleep(200);
		}
	}
	atomic_store(&r.stop, 1);
	while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
		pthread_kill(thread, SIGRTMIN);
		usleep(200);
	}
	CHECK_EQ(r.others, 0);
	CHECK(r.interrupted >= kicks);
	CHECK(kicks_seen > 0);
}

static void *run_until_kicked(void *arg)
{
	struct vcpu *vcpu = arg;
	int error;

	do
		error = vcpu_run(vcpu);
	while (error == 0);
	return (void *)(long)error;
}

/* One kick is enough, whenever it comes: the handler sets immediate_exit. */
static void check_single_kicks(struct vcpu *vcpu, uint64_t pc)
{
	install(kick);
	kicked = vcpu;
	for (unsigned i = 0; i < 100; i++) {
		pthread_t thread;
		void *error;

		vcpu->run->immediate_exit = 0;
		vcpu_start(vcpu, pc);
		REQUIRE(pthread_create(&thread, NULL, run_until_kicked, vcpu) == 0);
		if (i % 2)
			usleep(i * 20);
		pthread_kill(thread, SIGRTMIN);
		pthread_join(thread, &error);
		CHECK_EQ((long)error, -EINTR);
	}
	vcpu->run->immediate_exit = 0;
}

/*
 * The older way: the signal is blocked in the thread and let in by KVM_RUN only. It stays pending,
 * no handler runs, KVM_RUN returns EINTR until the thread takes it.
 */
static void check_signal_mask(struct vcpu *vcpu)
{
	struct {
		struct kvm_signal_mask mask;
		uint64_t bits;
	} __attribute__((packed)) arg = { .mask.len = 8, .bits = 0 };
	struct timespec now = { 0 };
	sigset_t set, old;

	install(count_kick);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_SIGNAL_MASK, &arg));
	vcpu_start(vcpu, SPINS);
	pthread_kill(pthread_self(), SIGRTMIN);
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_INTR);
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	CHECK_EQ(kicks_seen, 0);
	CHECK_EQ(sigtimedwait(&set, NULL, &now), SIGRTMIN);
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_SIGNAL_MASK, NULL));
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	CHECK_EQ(kicks_seen, 0);
}

/* The guest of one thread does not keep another thread from running, on however many CPUs. */
static void check_fairness(struct vcpu *vcpu)
{
	struct runner r = { .vcpu = vcpu };
	volatile unsigned long work = 0;
	pthread_t thread;

	install(count_kick);
	vcpu_start(vcpu, SPINS);
	vcpu_set_x(vcpu, 0, 0);
	REQUIRE(pthread_create(&thread, NULL, run_guest, &r) == 0);
	usleep(20 * 1000);
	for (int i = 0; i < 1000 * 1000; i++)
		work++;
	usleep(20 * 1000);
	atomic_store(&r.stop, 1);
	while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
		pthread_kill(thread, SIGRTMIN);
		usleep(200);
	}
	CHECK(vcpu_x(vcpu, 0) > 0);
	CHECK_EQ(work, 1000 * 1000);
}

int main(void)
{
	struct vcpu vcpu;
	struct vm vm;
	char *ram;

	vm_create(&vm, 0);
	CHECK(VM_CAP(&vm, KVM_CAP_IMMEDIATE_EXIT) > 0);
	ram = vm_ram(&vm, 0, GUEST_RAM, 64 * 1024);
	LOAD(ram, spins);
	LOAD(ram + (WAITS - GUEST_RAM), waits);
	LOAD(ram + (EXITS - GUEST_RAM), exits);
	vcpu_create(&vm, &vcpu, 0, 0);
	check_immediate_exit(&vcpu);
	check_alarm(&vcpu);
	check_wfi(&vcpu);
	check_kicks(&vcpu, SPINS, 50);
	check_kicks(&vcpu, WAITS, 50);
	check_kicks(&vcpu, EXITS, 50);
	check_single_kicks(&vcpu, SPINS);
	check_single_kicks(&vcpu, WAITS);
	check_single_kicks(&vcpu, EXITS);
	check_signal_mask(&vcpu);
	check_fairness(&vcpu);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	return check_done("kvm_signal");
}
