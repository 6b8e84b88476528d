/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests with AArch32 at EL1 (KVM_ARM_VCPU_EL1_32BIT): A32 and T32 code with exits of all sizes,
 * exceptions in their own form, coprocessor registers, PSCI, timers and a vGIC, registers from one
 * VM to another. On CPUs without it: refused.
 */
#define _GNU_SOURCE
#include "abi/catwalk.h"
#include "tests/target/check.h"
#include "tests/target/client.h"
#include "tests/target/kvm_aarch32_guests.h"
#include "tests/target/vgic.h"

#include <pthread.h>
#include <unistd.h>

#define FEATURE_32 (1u << KVM_ARM_VCPU_EL1_32BIT)

#define SYS(op1, crn, crm, op2) ARM64_SYS_REG(3, op1, crn, crm, op2)
#define SPSR_OF(mode)		CORE_REG(spsr[KVM_SPSR_##mode])
#define PSTATE			CORE_REG(regs.pstate)
#define PC			CORE_REG(regs.pc)
#define CCSIDR(n)		(KVM_REG_ARM64 | KVM_REG_SIZE_U32 | KVM_REG_ARM_DEMUX | (n))

enum {
	RAM_SIZE = 2 * MIB,
	VECTORS = GUEST_RAM + 0x8000,
	SECOND = GUEST_RAM + 0x4000,
	DATA = GUEST_RAM + 0x100000,
	ROM = 0x50000000,
	NOWHERE = 0x20000000,
	USR = 0x10,
	FIQ = 0x11,
	SVC = 0x13,
	UND = 0x1b,
	SYSTEM = 0x1f,
	CPSR_T = 0x20,
	CPSR_RESET = 0x1d3,
	PMCR = 0xee190f1c, /* its first word in A32, mrc p15, 0, r0, c9, c12, 0 */
	EC_STEP = 0x32,
	EC_BKPT32 = 0x38,
};

struct machine {
	struct vm vm;
	struct vcpu vcpu;
	char *ram;
};

static void load_at(char *ram, uint64_t at, const uint32_t *words, size_t size)
{
	guest_load(ram + (at - GUEST_RAM), (const char *)words, (const char *)words + size);
}

/* Runs @words from @at on, from the reset's PSTATE; aborts and interrupts are masked. */
static void start_at(struct vcpu *vcpu, uint64_t at)
{
	reg_set(vcpu, PSTATE, CPSR_RESET);
	reg_set(vcpu, PC, at);
	reg_set(vcpu, SYS(0, 12, 0, 0), VECTORS);
	vcpu_set_x(vcpu, 4, GUEST_MMIO);
	vcpu_set_x(vcpu, 5, DATA);
}

static void make(struct machine *m, const uint32_t *words, size_t size)
{
	vm_create(&m->vm, 0);
	m->ram = vm_ram(&m->vm, 0, GUEST_RAM, RAM_SIZE);
	load_at(m->ram, VECTORS, vectors, sizeof(vectors));
	load_at(m->ram, GUEST_RAM, words, size);
	vcpu_create(&m->vm, &m->vcpu, 0, FEATURE_32);
	start_at(&m->vcpu, GUEST_RAM);
}
#define MAKE(m, words) make(m, words, sizeof(words))

static void unmake(struct machine *m)
{
	vcpu_destroy(&m->vcpu);
	vm_destroy(&m->vm);
	munmap(m->ram, RAM_SIZE);
}

/* Debian's kernel 6.1: without SMC for guests, without traps where there is no vGIC, and a pending
 * exception is not seen in the registers. */
static int on_linux(struct vm *vm)
{
	return VM_CAP(vm, KVM_CAP_CATWALK_CONTRACT) <= 0;
}

/* What the guest reads at @offset of its MMIO, a word in memory's order. */
static void answer(int line, struct vcpu *vcpu, uint64_t offset, uint32_t len, uint32_t data)
{
	struct kvm_run *run = vcpu->run;

	REQUIRE(vcpu_run(vcpu) == 0);
	check_equal(__FILE__, line, "exit", run->exit_reason, KVM_EXIT_MMIO);
	check_equal(__FILE__, line, "write", run->mmio.is_write, 0);
	check_equal(__FILE__, line, "address", run->mmio.phys_addr, GUEST_MMIO + offset);
	check_equal(__FILE__, line, "length", run->mmio.len, len);
	memcpy(run->mmio.data, &data, sizeof(data));
}
#define ANSWER(vcpu, offset, len, data) answer(__LINE__, vcpu, offset, len, data)
#define TOLD(m, offset)			RUN_TO_WRITE(&(m)->vcpu, GUEST_MMIO + (offset))

/* The store that has just exited is completed. */
static void complete(struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	vcpu->run->immediate_exit = 0;
}

/* ---- what user space sees */

static void check_refused(void)
{
	struct vm vm;
	struct vcpu vcpu;

	vm_create(&vm, 0);
	vcpu_create_raw(&vm, &vcpu, 0);
	CHECK_EQ(vcpu_init(&vm, &vcpu, FEATURE_32), -EINVAL);
	CHECK_EQ(vcpu_init(&vm, &vcpu, 0), 0);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}

static void check_width_is_the_vms(void)
{
	struct vm vm;
	struct vcpu vcpu[2];

	for (unsigned first = 0; first < 2; first++) {
		vm_create(&vm, 0);
		vcpu_create_raw(&vm, &vcpu[0], 0);
		vcpu_create_raw(&vm, &vcpu[1], 1);
		CHECK_EQ(vcpu_init(&vm, &vcpu[0], first ? FEATURE_32 : 0), 0);
		CHECK_EQ(vcpu_init(&vm, &vcpu[1], first ? 0 : FEATURE_32), -EINVAL);
		CHECK_EQ(vcpu_init(&vm, &vcpu[0], first ? 0 : FEATURE_32), -EINVAL);
		CHECK_EQ(vcpu_init(&vm, &vcpu[1], first ? FEATURE_32 : 0), 0);
		CHECK_EQ(reg_get(&vcpu[1], PSTATE), first ? CPSR_RESET : 0x3c5);
		vcpu_destroy(&vcpu[0]);
		vcpu_destroy(&vcpu[1]);
		vm_destroy(&vm);
	}
}

static int pstate_set(struct vcpu *vcpu, uint64_t value)
{
	struct kvm_one_reg reg = { .id = PSTATE, .addr = (uint64_t)&value };

	return ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg) ? -errno : 0;
}

/* Modes of the other width, of EL2 and EL3, and those that are none. */
static void check_modes(void)
{
	const uint32_t modes = 1u << USR | 1u << FIQ | 1u << 0x12 | 1u << SVC | 1u << 0x17 |
			       1u << UND | 1u << SYSTEM;
	struct machine m;
	struct vm vm;
	struct vcpu wide;

	MAKE(&m, basics);
	vm_create(&vm, 0);
	vcpu_create(&vm, &wide, 0, 0);
	for (uint32_t mode = 0; mode < 32; mode++) {
		CHECK_EQ(pstate_set(&m.vcpu, 0x1c0 | mode), modes >> mode & 1 ? 0 : -EINVAL);
		CHECK_EQ(pstate_set(&wide, 0x3c0 | mode),
			 mode == 0 || mode == 4 || mode == 5 || mode == USR ? 0 : -EINVAL);
	}
	/* Registers have 32 bits then: those of the mode, or all. */
	reg_set(&m.vcpu, PSTATE, SYSTEM);
	vcpu_set_x(&m.vcpu, 14, 0x123456789abc);
	vcpu_set_x(&m.vcpu, 30, 0x123456789abc);
	CHECK_EQ(vcpu_x(&m.vcpu, 14), 0x56789abc);
	CHECK_EQ(vcpu_x(&m.vcpu, 30), 0x123456789abc);
	reg_set(&m.vcpu, PSTATE, SVC);
	CHECK_EQ(vcpu_x(&m.vcpu, 30), 0x56789abc);
	reg_set(&m.vcpu, PC, 0x1000000000 + GUEST_RAM);
	CHECK_EQ(reg_get(&m.vcpu, PC), GUEST_RAM);
	vcpu_destroy(&wide);
	vm_destroy(&vm);
	unmake(&m);
}

/* ---- instructions */

static void check_basics(void)
{
	struct machine m;
	uint64_t told;

	MAKE(&m, basics);
	CHECK_EQ(TOLD(&m, 0), 55);
	ANSWER(&m.vcpu, 4, 1, 0xab);
	CHECK_EQ(TOLD(&m, 0), 0xab);
	ANSWER(&m.vcpu, 4, 1, 0x80);
	told = TOLD(&m, 0);
	CHECK_EQ(told, on_linux(&m.vm) ? 0x80 : 0xffffff80); /* Linux 6.12 loses the sign */
	ANSWER(&m.vcpu, 4, 2, 0x8001);
	CHECK_EQ(TOLD(&m, 8), 0x8001);
	CHECK_EQ(m.vcpu.run->mmio.len, 2);
	/* Big-endian both ways, then as it is in the register. */
	ANSWER(&m.vcpu, 4, 4, 0x11223344);
	CHECK_EQ(TOLD(&m, 0), 0x11223344);
	CHECK_EQ(TOLD(&m, 8), 0x1122);
	CHECK_EQ(TOLD(&m, 0), 0x44332211);
	CHECK_EQ(TOLD(&m, 0), 0x44332211); /* by way of memory */
	CHECK_EQ(TOLD(&m, 0x18), 7);
	CHECK_EQ(TOLD(&m, 0x1c), 8); /* the IT block went on */
	CHECK_EQ(TOLD(&m, 0), 8);
	CHECK_EQ(*(uint32_t *)(m.ram + (DATA - GUEST_RAM)), 0x44332211);
	unmake(&m);
}

static void check_undefined(void)
{
	struct machine m;
	uint64_t at;

	MAKE(&m, undefined);
	for (at = 0; undefined[at] != PMCR; at++)
		;
	at = GUEST_RAM + 4 * at;
	CHECK_EQ(TOLD(&m, 0x44), at + 4);
	CHECK_EQ(reg_get(&m.vcpu, PSTATE) & 0x1ff, (CPSR_RESET & ~0x1f) | UND);
	CHECK_EQ(reg_get(&m.vcpu, SPSR_OF(UND)) & 0x1ff, CPSR_RESET);
	CHECK_EQ(TOLD(&m, 0), GUEST_MMIO);
	CHECK_EQ(TOLD(&m, 0x44), at + 0x10 + 2);
	CHECK_EQ(reg_get(&m.vcpu, SPSR_OF(UND)) & 0x1ff, CPSR_RESET | CPSR_T);
	unmake(&m);
}

static void inject_abort(struct vcpu *vcpu)
{
	struct kvm_vcpu_events events = { .exception.ext_dabt_pending = 1 };

	CHECK_OK(ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events));
}

/* The words of MMIO + 4 read as an abort; after that a fetch does. */
static void expect_aborts(struct machine *m, uint32_t status)
{
	uint64_t pc;

	CHECK_EQ(vcpu_run(&m->vcpu), 0);
	CHECK_EQ(m->vcpu.run->exit_reason, KVM_EXIT_MMIO);
	pc = reg_get(&m->vcpu, PC);
	inject_abort(&m->vcpu);
	CHECK_EQ(TOLD(m, 0x60), status);
	CHECK_EQ(TOLD(m, 0x64), GUEST_MMIO + 4);
	CHECK_EQ(TOLD(m, 0x68), pc + 8);
	CHECK_EQ(reg_get(&m->vcpu, SPSR_OF(ABT)) & 0x1ff, CPSR_RESET);
	if (status == 0x08)
		CHECK_EQ(TOLD(m, 0), GUEST_MMIO);
	CHECK_EQ(TOLD(m, 0x50), status);
	CHECK_EQ(TOLD(m, 0x54), NOWHERE);
}

/* In T32 and big-endian. */
static void check_high_vectors(struct machine *m)
{
	reg_set(&m->vcpu, SYS(0, 1, 0, 0), 0x00c50078 | 1u << 13 | 1u << 25 | 1u << 30);
	CHECK_EQ(vcpu_run(&m->vcpu), 0);
	inject_abort(&m->vcpu);
	CHECK_EQ(reg_get(&m->vcpu, PC), 0xffff0010);
	CHECK_EQ(reg_get(&m->vcpu, PSTATE) & 0x3ff, 0x3f7);
}

static void check_aborts(void)
{
	struct machine m;

	MAKE(&m, aborts);
	expect_aborts(&m, 0x08);
	expect_aborts(&m, 0x210);
	CHECK_EQ(TOLD(&m, 0), GUEST_MMIO);
	CHECK_EQ(reg_get(&m.vcpu, SYS(4, 5, 0, 1)), 0x210); /* IFSR32_EL2 */
	unmake(&m);
	MAKE(&m, aborts);
	if (!on_linux(&m.vm))
		check_high_vectors(&m);
	unmake(&m);
}

/* A write to memory that can only be read is an exit; an access without a syndrome is told. */
static void check_storing(void)
{
	struct kvm_enable_cap nisv = { .cap = KVM_CAP_ARM_NISV_TO_USER };
	struct machine m;
	void *rom = host_memory(PAGE, PAGE);

	MAKE(&m, storing);
	memset(rom, 0x5a, PAGE);
	REQUIRE(vm_slot(&m.vm, 1, KVM_MEM_READONLY, ROM, PAGE, rom) == 0);
	vcpu_set_x(&m.vcpu, 5, ROM);
	vcpu_set_x(&m.vcpu, 6, 0xcafe);
	CHECK_EQ(RUN_TO_WRITE(&m.vcpu, ROM), 0xcafe);
	CHECK_EQ(TOLD(&m, 0), 0x5a5a5a5a);
	CHECK_EQ(vcpu_run(&m.vcpu), -ENOSYS);
	CHECK_OK(ioctl(m.vm.fd, KVM_ENABLE_CAP, &nisv));
	CHECK_EQ(vcpu_run(&m.vcpu), 0);
	CHECK_EQ(m.vcpu.run->exit_reason, KVM_EXIT_ARM_NISV);
	CHECK_EQ(m.vcpu.run->arm_nisv.fault_ipa, GUEST_MMIO);
	unmake(&m);
	munmap(rom, PAGE);
}

/* ---- calls */

static uint32_t call(struct machine *m, int by_smc, uint32_t function, uint32_t r1, uint32_t r2,
		     uint32_t r3)
{
	uint32_t result;

	start_at(&m->vcpu, GUEST_RAM);
	vcpu_set_x(&m->vcpu, 0, function);
	vcpu_set_x(&m->vcpu, 1, r1);
	vcpu_set_x(&m->vcpu, 2, r2);
	vcpu_set_x(&m->vcpu, 3, r3);
	vcpu_set_x(&m->vcpu, 9, (uint64_t)by_smc);
	result = (uint32_t)TOLD(m, 0);
	complete(&m->vcpu);
	return result;
}

static void *run_second(void *arg)
{
	struct vcpu *vcpu = arg;

	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 8), 0xabcdef);
	/* MRS does not show T, as reads of CPSR do not. */
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 12) & 0x1df, CPSR_RESET);
	CHECK_EQ(reg_get(vcpu, PSTATE) & CPSR_T, CPSR_T);
	CHECK_EQ(vcpu_run(vcpu), -EINTR); /* it has turned itself off */
	return NULL;
}

static void no_op(int signal)
{
	(void)signal;
}

/* A vCPU that was turned on and has not run yet shows where it will start. */
static void check_entry(struct machine *m, struct vcpu *idle)
{
	CHECK_EQ(call(m, 0, PSCI_0_2_FN_CPU_ON, 2, SECOND | 1, 0x12345678), 0);
	CHECK_EQ(reg_get(idle, PC), SECOND);
	CHECK_EQ(reg_get(idle, PSTATE), CPSR_RESET | CPSR_T);
	CHECK_EQ(vcpu_x(idle, 0), 0x12345678);
}

static void check_calls(void)
{
	struct sigaction action = { .sa_handler = no_op };
	struct machine m;
	struct vcpu other, idle;
	pthread_t thread;

	MAKE(&m, caller);
	load_at(m.ram, SECOND, second, sizeof(second));
	vcpu_create(&m.vm, &other, 1, FEATURE_32 | 1u << KVM_ARM_VCPU_POWER_OFF);
	vcpu_create(&m.vm, &idle, 2, FEATURE_32 | 1u << KVM_ARM_VCPU_POWER_OFF);
	if (!on_linux(&m.vm))
		check_entry(&m, &idle);
	for (int by_smc = 0; by_smc < (on_linux(&m.vm) ? 1 : 2); by_smc++) {
		CHECK_EQ(call(&m, by_smc, PSCI_0_2_FN_PSCI_VERSION, 0, 0, 0),
			 on_linux(&m.vm) ? 0x10001 : 0x10003);
		CHECK_EQ(call(&m, by_smc, PSCI_0_2_FN64_CPU_ON, 1, SECOND, 0), (uint32_t)-1);
		CHECK_EQ(call(&m, by_smc, PSCI_1_0_FN_PSCI_FEATURES, PSCI_0_2_FN64_CPU_ON, 0, 0),
			 (uint32_t)-1);
		CHECK_EQ(call(&m, by_smc, PSCI_1_0_FN_PSCI_FEATURES, PSCI_0_2_FN_CPU_ON, 0, 0), 0);
		CHECK_EQ(call(&m, by_smc, 0x80000000, 0, 0, 0), 0x10001); /* SMCCC_VERSION */
	}
	CHECK_EQ(call(&m, 0, PSCI_0_2_FN_AFFINITY_INFO, 1, 0, 0), 1);
	sigaction(SIGUSR1, &action, NULL);
	REQUIRE(pthread_create(&thread, NULL, run_second, &other) == 0);
	CHECK_EQ(call(&m, 0, PSCI_0_2_FN_CPU_ON, 1, SECOND | 1, 0xabcdef), 0);
	while (call(&m, 0, PSCI_0_2_FN_AFFINITY_INFO, 1, 0, 0) == 0)
		;
	while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
		pthread_kill(thread, SIGUSR1);
		sched_yield();
	}
	vcpu_destroy(&idle);
	vcpu_destroy(&other);
	unmake(&m);
}

/* ---- interrupts and time */

static void check_timer(void)
{
	struct machine m;
	int gic;

	MAKE(&m, timer);
	gic = vgic_setup(&m.vm, 1, 64);
	redist_set(gic, 0, GICR_SGI_PAGE + GICD_IGROUPR, ~0u);
	redist_set(gic, 0, GICR_SGI_PAGE + GICD_ISENABLER, 1u << 27 | 1u << 5);
	dist_set(gic, GICD_CTLR, 0x12);
	CHECK_EQ(TOLD(&m, 0), 7); /* ICC_SRE */
	CHECK_EQ(TOLD(&m, 0x70), 27);
	CHECK_EQ(TOLD(&m, 0), GUEST_MMIO);
	CHECK_EQ(TOLD(&m, 0x70), 5);
	CHECK_EQ(TOLD(&m, 0), GUEST_MMIO);
	close(gic);
	unmake(&m);
	/* Without one its registers are undefined: ICC_PMR, after ICC_SRE, whose reads the emulator
	 * does not trap. */
	MAKE(&m, timer);
	reg_set(&m.vcpu, PC, GUEST_RAM + 12);
	if (!on_linux(&m.vm))
		CHECK_EQ(TOLD(&m, 0x44), GUEST_RAM + 16);
	unmake(&m);
}

static void check_physical_timer(void)
{
	struct kvm_arm_counter_offset offset = { .counter_offset = 0 - (1ul << 60) };
	struct machine m;

	MAKE(&m, physical);
	if (VM_CAP(&m.vm, KVM_CAP_COUNTER_OFFSET) <= 0) {
		unmake(&m);
		return;
	}
	CHECK_OK(ioctl(m.vm.fd, KVM_ARM_SET_COUNTER_OFFSET, &offset));
	CHECK_EQ(TOLD(&m, 0), 0x1000);
	CHECK_EQ(TOLD(&m, 0), 0x20000000);
	CHECK_EQ(reg_get(&m.vcpu, KVM_REG_ARM_PTIMER_CVAL), 0x2000000000001000);
	CHECK_EQ(TOLD(&m, 0) >> 28, 1); /* the counter's upper half */
	CHECK_EQ(TOLD(&m, 0), 3);
	CHECK_EQ(TOLD(&m, 0), 0x100000); /* TVAL counts down from there */
	unmake(&m);
}

/* ---- registers */

static void check_identity(void)
{
	struct machine m;
	struct vcpu *v = &m.vcpu;
	uint64_t dfr;

	MAKE(&m, identity);
	if (on_linux(&m.vm)) { /* where it does not end, why is not known */
		unmake(&m);
		return;
	}
	CHECK_EQ(TOLD(&m, 0), reg_get(v, SYS(0, 0, 1, 0)));
	CHECK_EQ(TOLD(&m, 0), reg_get(v, SYS(0, 0, 2, 4)));
	CHECK_EQ(TOLD(&m, 0), reg_get(v, SYS(0, 0, 3, 4)));
	CHECK_EQ(TOLD(&m, 0), 0); /* not half of ID_AA64PFR0_EL1 */
	CHECK_EQ(TOLD(&m, 0), reg_get(v, SYS(0, 0, 0, 0)));
	CHECK_EQ(TOLD(&m, 0), (uint32_t)reg_get(v, SYS(0, 0, 0, 5)));
	CHECK_EQ(TOLD(&m, 0), (uint32_t)reg_get(v, SYS(3, 0, 0, 1)));
	CHECK_EQ(TOLD(&m, 0), (uint32_t)reg_get(v, SYS(1, 0, 0, 1)));
	CHECK_EQ(TOLD(&m, 0), 2); /* CSSELR */
	CHECK_EQ(TOLD(&m, 0), reg_get(v, CCSIDR(2)));
	dfr = reg_get(v, SYS(0, 0, 5, 0));
	CHECK_EQ(TOLD(&m, 0), (dfr >> 20 & 15) << 28 | (dfr >> 12 & 15) << 24 |
				      (dfr >> 28 & 15) << 20 | (dfr & 15) << 16 | 1 << 15);
	CHECK_EQ(TOLD(&m, 0), 8);	/* DBGOSLSR */
	CHECK_EQ(TOLD(&m, 0) >> 28, 0); /* DBGDSCRint into the flags */
	CHECK_EQ(TOLD(&m, 0), reg_get(v, SYS(0, 0, 3, 0)));
	CHECK_EQ(TOLD(&m, 0), reg_get(v, SYS(0, 0, 3, 1)));
	/* FP is the guest's, across an exit and what the client does meanwhile. */
	CHECK_EQ(TOLD(&m, 0), GUEST_MMIO);
	CHECK_EQ(reg_get(v, SYS(4, 5, 3, 0)) >> 30 & 1, 1); /* FPEXC32_EL2.EN */
	CHECK_EQ(TOLD(&m, 0), 0x40400000);		    /* 3.0 */
	unmake(&m);
}

/* All of one vCPU's registers to another's. */
static void copy_registers(struct vcpu *from, struct vcpu *to)
{
	struct kvm_reg_list *list = calloc(1, sizeof(*list) + 1000 * sizeof(uint64_t));

	list->n = 1000;
	REQUIRE(ioctl(from->fd, KVM_GET_REG_LIST, list) == 0);
	for (uint64_t i = 0; i < list->n; i++) {
		uint8_t value[16];
		struct kvm_one_reg reg = { .id = list->reg[i], .addr = (uint64_t)value };

		CHECK_OK(ioctl(from->fd, KVM_GET_ONE_REG, &reg));
		CHECK_OK(ioctl(to->fd, KVM_SET_ONE_REG, &reg));
	}
	free(list);
}

static void check_banks(struct vcpu *v)
{
	static const struct {
		uint8_t x;
		uint16_t value;
	} rows[] = {
		{ 8, 0x1f8 },  { 13, 0x1fd }, { 14, 0x1fe }, /* User and System mode */
		{ 16, 0x12e }, { 17, 0x12d }, { 18, 0x13e }, { 19, 0x13d },
		{ 20, 0x17e }, { 21, 0x17d }, { 22, 0x1be }, { 23, 0x1bd },
		{ 24, 0x118 }, { 28, 0x11c }, { 29, 0x11d }, { 30, 0x11e },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CHECK_EQ(vcpu_x(v, rows[i].x), rows[i].value);
	CHECK_EQ(reg_get(v, SPSR_OF(SVC)), 0x13);
	CHECK_EQ(reg_get(v, SPSR_OF(ABT)), 0x17);
	CHECK_EQ(reg_get(v, SPSR_OF(UND)), 0x1b);
	CHECK_EQ(reg_get(v, SPSR_OF(IRQ)), 0x12);
	CHECK_EQ(reg_get(v, SPSR_OF(FIQ)), 0x11);
	CHECK_EQ((uint32_t)reg_get(v, SYS(4, 3, 0, 0)), 0xd00);
	CHECK_EQ((uint32_t)reg_get(v, SYS(4, 5, 0, 1)), 7);
	CHECK_EQ(reg_get(v, SYS(0, 6, 0, 0)) >> 32, 0xa80);
	CHECK_EQ(reg_get(v, SYS(0, 10, 2, 0)) >> 32, 0xa8);
}

static void check_migration(void)
{
	struct machine from, to;

	MAKE(&from, banked);
	MAKE(&to, banked);
	CHECK_EQ(TOLD(&from, 0), GUEST_MMIO);
	complete(&from.vcpu);
	check_banks(&from.vcpu);
	/* The copy runs while the original's are in no CPU, and the other way round. */
	copy_registers(&from.vcpu, &to.vcpu);
	for (unsigned i = 0; i < 2; i++) {
		struct machine *m = i ? &from : &to;

		CHECK_EQ(TOLD(m, 0), 0x11d + 0x11e + 0x118 + 0x11c + 0x11 + 0x12 + 0x12d +
					     2 * 0x12e + 0x17 + 0x17d + 2 * 0x17e + 0x1b + 0x1bd +
					     2 * 0x1be + 0x13 + 0x13d + 2 * 0x13e);
		CHECK_EQ(TOLD(m, 0), 0xd00);
		CHECK_EQ(TOLD(m, 0), 7);
		CHECK_EQ(TOLD(m, 0), 0xa80);
		CHECK_EQ(TOLD(m, 0), 0xa8);
	}
	unmake(&from);
	unmake(&to);
}

/* ---- stage 1 */

#define SECTION(pa)  ((pa) | 0xc0eu) /* anybody's, cacheable */
#define PAGES_AT(pa) ((pa) | 1u)

static void check_mmu(void)
{
	struct machine m;
	uint32_t *table;
	uint64_t told;

	MAKE(&m, mmu);
	table = (uint32_t *)(m.ram + (DATA - GUEST_RAM));
	table[GUEST_RAM >> 20] = SECTION(GUEST_RAM);
	table[GUEST_MMIO >> 20] = SECTION(GUEST_MMIO);
	table[0x12300000 >> 20] = SECTION(GUEST_RAM);
	table[0x60000000 >> 20] = PAGES_AT(NOWHERE);
	*(uint32_t *)(m.ram + 0x2000) = 0xfeed;
	vcpu_set_x(&m.vcpu, 6, 0x12302000);
	CHECK_EQ(TOLD(&m, 0), 0xfeed);
	CHECK_EQ(TOLD(&m, 0x60), 5); /* of a section: translation */
	CHECK_EQ(TOLD(&m, 0x64), 0x50000000);
	(void)TOLD(&m, 0x68);
	CHECK_EQ(TOLD(&m, 0), DATA);
	/* Its table of pages lies where nothing is. */
	told = TOLD(&m, 0x60); /* external, on the walk's second level */
	CHECK_EQ(told, on_linux(&m.vm) ? 8 : 0xe);
	CHECK_EQ(TOLD(&m, 0x64), 0x60000000);
	(void)TOLD(&m, 0x68);
	CHECK_EQ(TOLD(&m, 0), GUEST_MMIO);
	CHECK_EQ((uint32_t)reg_get(&m.vcpu, SYS(4, 3, 0, 0)), 1);
	CHECK_EQ(reg_get(&m.vcpu, SYS(0, 1, 0, 0)) & 5, 5);
	unmake(&m);
}

static void check_maintenance(void)
{
	struct machine m;

	MAKE(&m, maintenance);
	CHECK_EQ(TOLD(&m, 0), GUEST_MMIO);
	unmake(&m);
}

/* ---- debugging */

static void expect_debug(struct vcpu *v, uint32_t class, uint64_t pc)
{
	CHECK_EQ(vcpu_run(v), 0);
	CHECK_EQ(v->run->exit_reason, KVM_EXIT_DEBUG);
	CHECK_EQ(v->run->debug.arch.hsr >> 26, class);
	CHECK_EQ(reg_get(v, PC), pc);
}

static void check_steps(void)
{
	struct kvm_guest_debug step = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP };
	struct kvm_guest_debug soft = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP };
	const uint64_t t32 = GUEST_RAM + 0x14;
	struct machine m;

	MAKE(&m, steps);
	CHECK_OK(ioctl(m.vcpu.fd, KVM_SET_GUEST_DEBUG, &step));
	expect_debug(&m.vcpu, EC_STEP, GUEST_RAM + 4);
	expect_debug(&m.vcpu, EC_STEP, GUEST_RAM + 8);
	CHECK_EQ(vcpu_x(&m.vcpu, 1), reg_get(&m.vcpu, SYS(0, 0, 1, 0)));
	CHECK_EQ(TOLD(&m, 0), 1);
	expect_debug(&m.vcpu, EC_STEP, GUEST_RAM + 12);
	expect_debug(&m.vcpu, EC_STEP, GUEST_RAM + 16);
	expect_debug(&m.vcpu, EC_STEP, t32);
	for (uint64_t pc = t32 + 2; pc <= t32 + 8; pc += 2)
		expect_debug(&m.vcpu, EC_STEP, pc);
	CHECK_EQ(vcpu_x(&m.vcpu, 1), 4); /* the IT block's second */
	CHECK_OK(ioctl(m.vcpu.fd, KVM_SET_GUEST_DEBUG, &soft));
	expect_debug(&m.vcpu, EC_BKPT32, t32 + 8);
	unmake(&m);
}

static void check_debugging(void)
{
	struct machine m;

	MAKE(&m, debugging);
	CHECK_EQ(TOLD(&m, 0), 0x10);
	CHECK_EQ(TOLD(&m, 0), 0x40000000);
	CHECK_EQ(reg_get(&m.vcpu, ARM64_SYS_REG(2, 0, 0, 3, 4)), 0x40000000);
	CHECK_EQ(TOLD(&m, 0), 0x8000);
	CHECK_EQ(TOLD(&m, 0), 10); /* locked by its key */
	if (!on_linux(&m.vm))	   /* which reads a register that QEMU has not */
		CHECK_EQ(reg_get(&m.vcpu, ARM64_SYS_REG(2, 4, 0, 7, 0)), 0x10);
	unmake(&m);
}

/* ---- guests that do anything */

enum { HOSTILE_ROUNDS = 150, HOSTILE_EXITS = 20, HOSTILE_WORDS = 512 };

static uint32_t random_word(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 16);
}

/*
 * Half of them whatever it is, half coprocessor accesses, calls and changes of mode. Not to the
 * timers: some of their values hang the emulator (docs/caveats.md).
 */
static uint32_t hostile_word(uint64_t *state)
{
	uint32_t w = random_word(state), cond = w & 0xf0000000;

	switch (random_word(state) % 8) {
	case 0: w = cond | 0x0e000f10 | (w & 0x00fff0ef); break;     /* MCR, MRC p15 */
	case 1: w = cond | 0x0e000e10 | (w & 0x00fff0ef); break;     /* p14 */
	case 2: w = cond | 0x0c400f00 | (w & 0x001ff0ff); break;     /* MCRR, MRRC p15 */
	case 3: w = (w & 0x1f) | 0xf1020000; break;		     /* CPS */
	case 4: w = cond | (w & 1 ? 0x01400070 : 0x01600070); break; /* HVC, SMC */
	}
	if ((w & 0x0f0f0f00) == 0x0e0e0f00 || (w & 0x0fe00f0f) == 0x0c400f0e)
		w = 0xe320f003; /* WFI */
	return w;
}

static void hostile_round(uint64_t *state)
{
	static const uint8_t modes[] = { USR, FIQ, SVC, UND, SYSTEM };
	uint32_t code[HOSTILE_WORDS];
	struct machine m;

	for (unsigned i = 0; i < HOSTILE_WORDS; i++)
		code[i] = hostile_word(state);
	MAKE(&m, code);
	for (unsigned n = 0; n < 31; n++)
		vcpu_set_x(&m.vcpu, n, random_word(state));
	reg_set(&m.vcpu, SYS(0, 1, 0, 0), random_word(state) & (*state & 0x10000 ? ~0u : ~1u));
	reg_set(&m.vcpu, SYS(0, 2, 0, 2), random_word(state));
	reg_set(&m.vcpu, SYS(0, 2, 0, 0), GUEST_RAM);
	for (unsigned i = 0; i < HOSTILE_EXITS; i++) {
		reg_set(&m.vcpu, PSTATE,
			(random_word(state) & ~0x1fu) | modes[*state % sizeof(modes)]);
		reg_set(&m.vcpu, PC, GUEST_RAM + random_word(state) % (4 * HOSTILE_WORDS));
		(void)vcpu_run(&m.vcpu);
	}
	unmake(&m);
}

static void check_hostile(void)
{
	uint64_t state = 0x9e3779b97f4a7c15;

	alarm_every_us(2000);
	for (unsigned i = 0; i < HOSTILE_ROUNDS; i++)
		hostile_round(&state);
	alarm_every_us(0);
	check_basics();
}

int main(void)
{
	struct vm vm;
	int cap;

	vm_create(&vm, 0);
	cap = VM_CAP(&vm, KVM_CAP_ARM_EL1_32BIT);
	vm_destroy(&vm);
	if (!cap) {
		check_refused();
		return check_done("kvm_aarch32: none here");
	}
	CHECK_EQ(cap, 1);
	check_width_is_the_vms();
	check_modes();
	check_basics();
	check_undefined();
	check_aborts();
	check_storing();
	check_calls();
	check_timer();
	check_physical_timer();
	check_identity();
	check_migration();
	check_mmu();
	check_maintenance();
	check_steps();
	check_debugging();
	check_hostile();
	return check_done("kvm_aarch32");
}
