/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest's performance monitors count, and when they interrupt: cycles, software increments
 * and overflows, only while enabled, at the exception levels that are asked for, and while the
 * guest itself runs.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/pmu.h"
#include "tests/target/vgic.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 20000 };

#define EC_UNDEFINED   0x00ul
#define EC_SYSREG_TRAP 0x18ul
#define EC(esr)	       ((esr) >> 26 & 0x3f)

static unsigned version, counters;

static int has_64_bits(void)
{
	return version >= 6;
}

/* ---- counting */

static void check_cycles(void)
{
	struct pmu_vm m;
	uint64_t first, second;

	pmu_vm_start(&m, WITHOUT_GIC);
	guest_spins(&m, AT_EL1, ROUNDS);
	CHECK_EQ(sr_get(&m.vcpu, PMCCNTR), 0); /* nothing is enabled */
	guest_set(&m, PMCNTENSET, CYCLES_BIT);
	guest_spins(&m, AT_EL1, ROUNDS);
	CHECK_EQ(sr_get(&m.vcpu, PMCCNTR), 0);
	guest_set(&m, PMCR, PMCR_E | PMCR_LC);
	guest_spins(&m, AT_EL1, ROUNDS);
	first = sr_get(&m.vcpu, PMCCNTR);
	CHECK(first > 0);
	/* Not while the guest does not run. */
	usleep(100000);
	CHECK_EQ(sr_get(&m.vcpu, PMCCNTR), first);
	guest_spins(&m, AT_EL1, ROUNDS);
	second = sr_get(&m.vcpu, PMCCNTR);
	CHECK(second > first);
	CHECK(second - first < 100000000);
	/* The guest sees what user space sees, and goes on from what either writes. */
	first = guest_get(&m, PMCCNTR);
	CHECK(first >= second && first - second < 100000000);
	guest_set(&m, PMCCNTR, 1ul << 40);
	first = guest_get(&m, PMCCNTR);
	CHECK(first >= 1ul << 40 && first < (1ul << 40) + 100000000);
	guest_set(&m, PMCNTENCLR, CYCLES_BIT);
	first = sr_get(&m.vcpu, PMCCNTR);
	guest_spins(&m, AT_EL1, ROUNDS);
	CHECK_EQ(sr_get(&m.vcpu, PMCCNTR), first);
	guest_set(&m, PMCCNTR, 7);
	CHECK_EQ(sr_get(&m.vcpu, PMCCNTR), 7);
	guest_set(&m, PMCR, PMCR_E | PMCR_C | PMCR_LC);
	CHECK_EQ(guest_get(&m, PMCCNTR), 0);
	CHECK_EQ(guest_get(&m, PMCR) & 0xff, PMCR_E | PMCR_LC);
	pmu_vm_destroy(&m);
}

/* WFI is served in the kernel: what passes meanwhile is not the guest's. */
GUEST(sleeper, "	mov x2, #0xff\n"
	       "	msr s3_0_c4_c6_0, x2\n"
	       "	mov x2, #1\n"
	       "	msr s3_0_c12_c12_7, x2\n"
	       "	mrs x2, cntvct_el0\n"
	       "	add x2, x2, x1\n"
	       "	msr cntv_cval_el0, x2\n"
	       "	mov x3, #1\n"
	       "	msr cntv_ctl_el0, x3\n"
	       "	isb\n"
	       "1:	wfi\n"
	       "	mrs x3, cntv_ctl_el0\n"
	       "	tbz x3, #2, 1b\n"
	       "	msr cntv_ctl_el0, xzr\n"
	       "	str x0, [x19]\n"
	       "	b .\n");

static void check_sleep(void)
{
	struct pmu_vm m;
	uint64_t hz, cycles;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	pmu_vm_start(&m, WITH_GIC);
	LOAD(m.ram + 0x2000, sleeper);
	sr_set(&m.vcpu, PMCNTENSET, CYCLES_BIT);
	sr_set(&m.vcpu, PMCR, sr_get(&m.vcpu, PMCR) | PMCR_E | PMCR_LC);
	redist_set(m.gic, 0, GICR_SGI_PAGE + GICD_ISENABLER, 1u << 27);
	vcpu_start(&m.vcpu, GUEST_RAM + 0x2000);
	vcpu_set_x(&m.vcpu, 1, hz / 2);
	RUN_TO_WRITE(&m.vcpu, GUEST_MMIO);
	pmu_settle(&m.vcpu);
	cycles = sr_get(&m.vcpu, PMCCNTR);
	CHECK(cycles > 0);
	CHECK(cycles < 400000000); /* of 500 ms, at a GHz */
	pmu_vm_destroy(&m);
}

/*
 * Sleeps by WFI with interrupts masked, until the timer's if nothing else comes; x1 is how long, x5
 * where the cycle counter starts. Writes the overflow bits after it, and how long it slept.
 */
GUEST(overflow_sleeper, "	mov x2, #0xff\n"
			"	msr s3_0_c4_c6_0, x2\n"
			"	mov x2, #1\n"
			"	msr s3_0_c12_c12_7, x2\n"
			"	mrs x4, cntvct_el0\n"
			"	add x2, x4, x1\n"
			"	msr cntv_cval_el0, x2\n"
			"	mov x3, #1\n"
			"	msr cntv_ctl_el0, x3\n"
			"	mov x3, #0x41\n"
			"	msr pmccntr_el0, x5\n"
			"	msr pmcr_el0, x3\n"
			"	nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n"
			"	wfi\n"
			"	mrs x0, pmovsset_el0\n"
			"	mrs x6, cntvct_el0\n"
			"	sub x6, x6, x4\n"
			"	msr cntv_ctl_el0, xzr\n"
			"	msr pmcr_el0, xzr\n"
			"	str x0, [x19]\n"
			"	str x6, [x19, #8]\n"
			"	b .\n");

static void check_overflow_ends_wfi(void)
{
	uint64_t hz, overflows, slept;
	unsigned late = 0;
	struct pmu_vm m;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	pmu_vm_start(&m, WITH_GIC);
	LOAD(m.ram + 0x2000, overflow_sleeper);
	redist_set(m.gic, 0, GICR_SGI_PAGE + GICD_ISENABLER, 1u << 27 | 1u << PMU_INTID);
	sr_set(&m.vcpu, PMCNTENSET, CYCLES_BIT);
	sr_set(&m.vcpu, PMINTENSET, CYCLES_BIT);
	for (uint64_t k = 1; k <= 40; k++) {
		pmu_mask_set(&m.vcpu, PMU_OVERFLOWS, 0);
		vcpu_start(&m.vcpu, GUEST_RAM + 0x2000);
		vcpu_set_x(&m.vcpu, 1, hz / 50);
		vcpu_set_x(&m.vcpu, 5, -k);
		overflows = RUN_TO_WRITE(&m.vcpu, GUEST_MMIO);
		slept = RUN_TO_WRITE(&m.vcpu, GUEST_MMIO + 8);
		pmu_settle(&m.vcpu);
		late += overflows && slept >= hz / 50;
		printf("k %lu ovs %lx slept %lu\n", k, overflows, slept);
	}
	CHECK(late <= 1); /* one may overflow between WFI and the read */
	pmu_vm_destroy(&m);
}

/* An event counter, and what the filters of exception levels make of it. */
static void check_levels(void)
{
	static const struct {
		uint64_t filter;
		int at_el0, at_el1;
	} rows[] = {
		{ 0, 1, 1 },
		{ NOT_AT_EL1, 1, 0 },
		{ NOT_AT_EL0, 0, 1 },
		{ NOT_AT_EL0 | NOT_AT_EL1, 0, 0 },
	};
	unsigned n = counters - 1;
	struct pmu_vm m;

	pmu_vm_start(&m, WITHOUT_GIC);
	guest_set(&m, PMCNTENSET, CYCLES_BIT | 1ul << n);
	guest_set(&m, PMCR, PMCR_E | PMCR_LC);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		guest_set(&m, PMEVTYPER(n), EVENT_CYCLES | rows[i].filter);
		guest_set(&m, PMCCFILTR, rows[i].filter);
		CHECK_EQ(sr_get(&m.vcpu, PMCCFILTR), rows[i].filter);
		for (enum pmu_el el = AT_EL0; el <= AT_EL1; el++) {
			int counts = el == AT_EL0 ? rows[i].at_el0 : rows[i].at_el1;
			uint64_t events = sr_get(&m.vcpu, PMEVCNTR(n));
			uint64_t cycles = sr_get(&m.vcpu, PMCCNTR);

			guest_spins(&m, el, ROUNDS);
			CHECK_EQ(sr_get(&m.vcpu, PMEVCNTR(n)) != events, counts);
			CHECK_EQ(sr_get(&m.vcpu, PMCCNTR) != cycles, counts);
		}
	}
	/* PMCR_EL0.P: event counters alone. */
	guest_set(&m, PMCNTENCLR, CYCLES_BIT | 1ul << n);
	guest_set(&m, PMCCNTR, 5);
	guest_set(&m, PMEVCNTR(n), 6);
	guest_set(&m, PMCR, PMCR_P | PMCR_LC);
	CHECK_EQ(sr_get(&m.vcpu, PMEVCNTR(n)), 0);
	CHECK_EQ(sr_get(&m.vcpu, PMCCNTR), 5);
	pmu_vm_destroy(&m);
}

/* Where the CPU counts them: QEMU does with --icount. Two for each round. */
static void check_instructions(void)
{
	struct pmu_vm m;
	uint64_t seen;

	pmu_vm_start(&m, WITHOUT_GIC);
	if (guest_get(&m, PMCEID0) >> EVENT_INSTRUCTIONS & 1) {
		guest_set(&m, PMEVTYPER(0), EVENT_INSTRUCTIONS);
		guest_set(&m, PMCNTENSET, 1);
		guest_set(&m, PMCR, PMCR_E | PMCR_LC);
		seen = sr_get(&m.vcpu, PMEVCNTR(0));
		guest_spins(&m, AT_EL1, ROUNDS);
		seen = sr_get(&m.vcpu, PMEVCNTR(0)) - seen;
		CHECK(seen >= 2 * ROUNDS && seen < 2 * ROUNDS + 100);
	}
	pmu_vm_destroy(&m);
}

static void check_software_increments(void)
{
	struct pmu_vm m;

	pmu_vm_start(&m, WITHOUT_GIC);
	guest_set(&m, PMEVTYPER(0), EVENT_SW_INCR);
	guest_set(&m, PMEVTYPER(1), EVENT_CHAIN);
	guest_set(&m, PMEVTYPER(2), EVENT_SW_INCR | NOT_AT_EL1);
	guest_set(&m, PMSWINC, 7);
	CHECK_EQ(guest_get(&m, PMEVCNTR(0)), 0); /* neither enabled ... */
	guest_set(&m, PMCNTENSET, 6);
	guest_set(&m, PMCR, PMCR_E | PMCR_LC);
	guest_set(&m, PMSWINC, 7);
	CHECK_EQ(guest_get(&m, PMEVCNTR(0)), 0); /* ... nor the one that is */
	CHECK_EQ(guest_get(&m, PMEVCNTR(1)), 0); /* of another event */
	CHECK_EQ(guest_get(&m, PMEVCNTR(2)), 0); /* at another level */
	guest_set(&m, PMCNTENSET, 1);
	guest_set(&m, PMSWINC, 7);
	guest_set(&m, PMSWINC, 1);
	CHECK_EQ(guest_get(&m, PMEVCNTR(0)), 2);
	/* Its overflow is the next counter's event. */
	guest_set(&m, PMEVCNTR(0), 0xffffffff);
	CHECK_EQ(guest_get(&m, PMOVSSET), 0);
	guest_set(&m, PMSWINC, 1);
	CHECK_EQ((uint32_t)guest_get(&m, PMEVCNTR(0)), 0);
	CHECK_EQ(guest_get(&m, PMEVCNTR(1)), 1);
	CHECK_EQ(guest_get(&m, PMOVSSET), 1);
	guest_set(&m, PMEVCNTR(0), 0xffffffff);
	guest_set(&m, PMEVCNTR(1), 0xffffffff);
	guest_set(&m, PMOVSCLR, 1);
	guest_set(&m, PMSWINC, 1);
	CHECK_EQ((uint32_t)guest_get(&m, PMEVCNTR(1)), 0);
	CHECK_EQ(guest_get(&m, PMOVSCLR), 3);
	/* At EL0, if PMUSERENR_EL0 says so. */
	guest_set(&m, PMUSERENR, 2);
	guest_set(&m, PMEVCNTR(2), 0);
	CHECK_EQ(guest_writes(&m, AT_EL0, PMSWINC, 4), 0);
	CHECK_EQ(guest_get(&m, PMEVCNTR(2)), 1);
	pmu_vm_destroy(&m);
}

/* ---- overflows */

/* Spins until one of PMOVSSET_EL0's bits x1 is set, or for x2 rounds; x0 is what it saw. */
GUEST(overflow_waiter, "1:	mov x3, #1000\n"
		       "2:	subs x3, x3, #1\n"
		       "	b.ne 2b\n"
		       "	mrs x0, pmovsset_el0\n"
		       "	tst x0, x1\n"
		       "	b.ne 3f\n"
		       "	subs x2, x2, #1\n"
		       "	b.ne 1b\n"
		       "3:	str x0, [x19]\n"
		       "	b .\n");

/* Runs without the interrupt, which nobody has enabled. */
static uint64_t wait_for_overflow(struct pmu_vm *m, uint64_t bits, uint64_t rounds)
{
	uint64_t seen;

	LOAD(m->ram + 0x2000, overflow_waiter);
	vcpu_start(&m->vcpu, GUEST_RAM + 0x2000);
	vcpu_set_x(&m->vcpu, 1, bits);
	vcpu_set_x(&m->vcpu, 2, rounds);
	seen = RUN_TO_WRITE(&m->vcpu, GUEST_MMIO);
	pmu_settle(&m->vcpu);
	return seen;
}

enum { MANY = 100000, FEW = 20 };

/* Where counters overflow: rows of what PMCR_EL0 says and where they start. */
static void check_overflow_widths(void)
{
	static const struct {
		uint64_t control, start;
		int cycles, event; /* do they overflow soon? */
		unsigned version;
	} rows[] = {
		{ 0, 0xfffff000, 1, 1, 1 },
		{ PMCR_LC, 0xfffff000, 0, 1, 1 },
		{ PMCR_LC, 0xfffffffffffff000, 1, 1, 1 },
		{ 0, 0xfffffffffffff000, 1, 1, 1 },
		{ PMCR_LC | PMCR_LP, 0xfffff000, 0, 0, 6 },
		{ PMCR_LC | PMCR_LP, 0xfffffffffffff000, 1, 1, 6 },
		{ PMCR_LC, 0x1000, 0, 0, 1 },
	};
	struct pmu_vm m;

	pmu_vm_start(&m, WITH_GIC);
	guest_set(&m, PMEVTYPER(0), EVENT_CYCLES);
	guest_set(&m, PMCNTENSET, CYCLES_BIT | 1);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t expected = (rows[i].cycles ? CYCLES_BIT : 0) | (uint64_t)rows[i].event;

		if (version < rows[i].version)
			continue;
		guest_set(&m, PMCR, rows[i].control);
		guest_set(&m, PMCCNTR, rows[i].start);
		guest_set(&m, PMEVCNTR(0), rows[i].start);
		guest_set(&m, PMOVSCLR, ~0u);
		guest_set(&m, PMCR, rows[i].control | PMCR_E);
		CHECK_EQ(wait_for_overflow(&m, 0, FEW), expected);
		CHECK_EQ(sr_get(&m.vcpu, PMOVSSET), expected);
	}
	pmu_vm_destroy(&m);
}

/* Two counters make one of 64 bits. */
static void check_chain(void)
{
	struct pmu_vm m;

	pmu_vm_start(&m, WITH_GIC);
	guest_set(&m, PMEVTYPER(2), EVENT_CYCLES);
	guest_set(&m, PMEVTYPER(3), EVENT_CHAIN);
	guest_set(&m, PMEVCNTR(2), 0xffffff00);
	guest_set(&m, PMEVCNTR(3), 41);
	guest_set(&m, PMCNTENSET, 0xc);
	guest_set(&m, PMCR, PMCR_E | PMCR_LC);
	CHECK_EQ(wait_for_overflow(&m, 4, MANY), 4);
	CHECK_EQ(guest_get(&m, PMEVCNTR(3)), 42);
	/* Both at once. */
	guest_set(&m, PMOVSCLR, 4);
	guest_set(&m, PMCR, PMCR_LC);
	guest_set(&m, PMEVCNTR(2), 0xffffff00);
	guest_set(&m, PMEVCNTR(3), 0xffffffff);
	guest_set(&m, PMCR, PMCR_E | PMCR_LC);
	CHECK_EQ(wait_for_overflow(&m, 8, MANY), 0xc);
	if (has_64_bits()) {
		guest_set(&m, PMCR, PMCR_LC | PMCR_LP);
		guest_set(&m, PMOVSCLR, 0xc);
		guest_set(&m, PMEVCNTR(2), -0x1000ul);
		guest_set(&m, PMEVCNTR(3), 5);
		guest_set(&m, PMCR, PMCR_E | PMCR_LC | PMCR_LP);
		CHECK_EQ(wait_for_overflow(&m, 4, MANY), 4);
		CHECK_EQ(guest_get(&m, PMEVCNTR(3)), 5);
	}
	pmu_vm_destroy(&m);
}

/* ---- the interrupt */

/*
 * Interrupts are taken and told: PMOVSCLR_EL0 at the time to GUEST_MMIO + 0x20, the number to
 * GUEST_MMIO + 0x28. x20 is the bits to clear.
 */
GUEST(irq_vectors, "	b .\n"
		   "	.skip 0x27c\n"
		   "	mrs x3, s3_0_c12_c12_0\n"
		   "	mrs x4, pmovsclr_el0\n"
		   "	str x4, [x19, #0x20]\n"
		   "	msr pmovsclr_el0, x20\n"
		   "	isb\n"
		   "	str x3, [x19, #0x28]\n"
		   "	msr s3_0_c12_c12_1, x3\n"
		   "	isb\n"
		   "	eret\n");

GUEST(irq_spinner, "	mov x0, #0x40000000\n"
		   "	msr vbar_el1, x0\n"
		   "	mov x0, #0xff\n"
		   "	msr s3_0_c4_c6_0, x0\n"
		   "	mov x0, #1\n"
		   "	msr s3_0_c12_c12_7, x0\n"
		   "	msr pmcr_el0, x21\n"
		   "	msr daifclr, #2\n"
		   "	isb\n"
		   "1:	subs x1, x1, #1\n"
		   "	b.ne 1b\n"
		   "	str x1, [x19]\n"
		   "	b .\n");

static void spin_with_interrupts(struct pmu_vm *m, uint64_t clear, uint64_t rounds)
{
	LOAD(m->ram, irq_vectors);
	LOAD(m->ram + 0x2000, irq_spinner);
	vcpu_start(&m->vcpu, GUEST_RAM + 0x2000);
	vcpu_set_x(&m->vcpu, 1, rounds);
	vcpu_set_x(&m->vcpu, 20, clear);
	vcpu_set_x(&m->vcpu, 21, PMCR_E | PMCR_LC);
}

/* The guest ends the interrupt that it has told of, clears what there is, and comes to its end. */
static void come_to_end(struct pmu_vm *m)
{
	vcpu_set_x(&m->vcpu, 1, ROUNDS);
	vcpu_set_x(&m->vcpu, 20, ~0u);
	do
		REQUIRE(vcpu_run(&m->vcpu) == 0 && m->vcpu.run->exit_reason == KVM_EXIT_MMIO);
	while (m->vcpu.run->mmio.phys_addr != GUEST_MMIO);
	pmu_settle(&m->vcpu);
}

static void check_interrupt_by_vgic(uint32_t intid)
{
	int number = (int)intid;
	struct pmu_vm m;

	pmu_vm_create(&m, WITH_GIC, FEATURE_PMU);
	REQUIRE(pmu_attr(&m.vcpu, KVM_ARM_VCPU_PMU_V3_IRQ, &number) == 0);
	REQUIRE(pmu_attr(&m.vcpu, KVM_ARM_VCPU_PMU_V3_INIT, NULL) == 0);
	if (intid < 32)
		redist_set(m.gic, 0, GICR_SGI_PAGE + GICD_ISENABLER, 1u << intid);
	else
		spi_enable(m.gic, intid, 0xa0, 0);
	pmu_clear(&m.vcpu);
	sr_set(&m.vcpu, PMCCNTR, -1000000ul);
	sr_set(&m.vcpu, PMCNTENSET, CYCLES_BIT);
	sr_set(&m.vcpu, PMINTENSET, CYCLES_BIT);
	spin_with_interrupts(&m, CYCLES_BIT, 1ul << 40);
	CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO + 0x20), CYCLES_BIT);
	CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO + 0x28), intid);
	pmu_settle(&m.vcpu);
	CHECK_EQ(sr_get(&m.vcpu, PMOVSSET), 0);
	CHECK(sr_get(&m.vcpu, PMCCNTR) < 1ul << 40);
	/* It was cleared: it does not come again. One that is not, does. */
	vcpu_set_x(&m.vcpu, 1, ROUNDS);
	RUN_TO_WRITE(&m.vcpu, GUEST_MMIO);
	pmu_settle(&m.vcpu);
	sr_set(&m.vcpu, PMCCNTR, -100000ul);
	spin_with_interrupts(&m, 0, 1ul << 40);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO + 0x20), CYCLES_BIT);
		CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO + 0x28), intid);
	}
	come_to_end(&m);
	sr_set(&m.vcpu, PMOVSSET, CYCLES_BIT);
	/* Each of the three conditions. */
	spin_with_interrupts(&m, 0, ROUNDS);
	pmu_mask_set(&m.vcpu, PMU_INTERRUPTS, 0);
	RUN_TO_WRITE(&m.vcpu, GUEST_MMIO);
	pmu_settle(&m.vcpu);
	spin_with_interrupts(&m, 0, ROUNDS);
	pmu_mask_set(&m.vcpu, PMU_INTERRUPTS, CYCLES_BIT);
	vcpu_set_x(&m.vcpu, 21, PMCR_LC);
	sr_set(&m.vcpu, PMCR, PMCR_LC);
	RUN_TO_WRITE(&m.vcpu, GUEST_MMIO);
	pmu_settle(&m.vcpu);
	/* By software: the level counts, not what made it. */
	spin_with_interrupts(&m, CYCLES_BIT | 1, ROUNDS);
	pmu_mask_set(&m.vcpu, PMU_OVERFLOWS, 1);
	pmu_mask_set(&m.vcpu, PMU_INTERRUPTS, CYCLES_BIT | 1);
	CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO + 0x20), 1);
	CHECK_EQ(RUN_TO_WRITE(&m.vcpu, GUEST_MMIO + 0x28), intid);
	RUN_TO_WRITE(&m.vcpu, GUEST_MMIO);
	pmu_vm_destroy(&m);
}

/* The line is the counters', whatever user space said to the vGIC before the first run. */
static void check_level(void)
{
	uint32_t levels = 1u << PMU_INTID;
	struct pmu_vm m;

	pmu_vm_start(&m, WITH_GIC);
	redist_set(m.gic, 0, GICR_SGI_PAGE + GICD_ISENABLER, 1u << PMU_INTID);
	CHECK_EQ(attr_set(m.gic, KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO,
			  VGIC_LEVEL_INFO_LINE_LEVEL << KVM_DEV_ARM_VGIC_LINE_LEVEL_INFO_SHIFT,
			  &levels),
		 0);
	spin_with_interrupts(&m, 0, ROUNDS);
	RUN_TO_WRITE(&m.vcpu, GUEST_MMIO);
	pmu_vm_destroy(&m);
}

static void check_interrupt_by_user(void)
{
	struct kvm_sync_regs *regs;
	struct pmu_vm m;

	pmu_vm_start(&m, WITHOUT_GIC);
	regs = &m.vcpu.run->s.regs;
	sr_set(&m.vcpu, PMCCNTR, -1000000ul);
	sr_set(&m.vcpu, PMCNTENSET, CYCLES_BIT);
	sr_set(&m.vcpu, PMINTENSET, CYCLES_BIT);
	sr_set(&m.vcpu, PMCR, sr_get(&m.vcpu, PMCR) | PMCR_E | PMCR_LC);
	vcpu_start(&m.vcpu, GUEST_RAM + 0x1100);
	vcpu_set_x(&m.vcpu, 1, 1ul << 40);
	CHECK_EQ(vcpu_run(&m.vcpu), -EINTR);
	CHECK_EQ(m.vcpu.run->exit_reason, KVM_EXIT_INTR);
	CHECK_EQ(regs->device_irq_level, KVM_ARM_DEV_PMU);
	CHECK_EQ(sr_get(&m.vcpu, PMOVSSET), CYCLES_BIT);
	/* Told once. */
	vcpu_set_x(&m.vcpu, 1, ROUNDS);
	RUN_TO_WRITE(&m.vcpu, GUEST_MMIO);
	CHECK_EQ(regs->device_irq_level, KVM_ARM_DEV_PMU);
	pmu_settle(&m.vcpu);
	/* It falls when the guest clears it, which is told too. */
	guest_set(&m, PMOVSCLR, CYCLES_BIT);
	CHECK_EQ(regs->device_irq_level, 0);
	sr_set(&m.vcpu, PMOVSSET, CYCLES_BIT);
	vcpu_start(&m.vcpu, GUEST_RAM + 0x1100);
	vcpu_set_x(&m.vcpu, 1, ROUNDS);
	CHECK_EQ(vcpu_run(&m.vcpu), -EINTR);
	CHECK_EQ(regs->device_irq_level, KVM_ARM_DEV_PMU);
	pmu_vm_destroy(&m);
}

/* ---- EL0 */

/* By each bit of PMUSERENR_EL0, which accesses EL0 has (D19.5.21). */
static void check_el0(void)
{
	enum { EN = 1, SW = 2, CR = 4, ER = 8, ANY = 0x10, NEVER = 0 };
	static const struct {
		uint16_t sr;
		uint8_t read, write;
	} rows[] = {
		{ PMCR, EN, EN },	   { PMCNTENSET, EN, EN },
		{ PMCNTENCLR, EN, EN },	   { PMOVSCLR, EN, EN },
		{ PMOVSSET, EN, EN },	   { PMSELR, EN | ER, EN | ER },
		{ PMCCNTR, EN | CR, EN },  { PMXEVCNTR, EN | ER, EN },
		{ PMXEVTYPER, EN, EN },	   { PMEVCNTR(0), EN | ER, EN },
		{ PMEVTYPER(0), EN, EN },  { PMCCFILTR, EN, EN },
		{ PMUSERENR, ANY, NEVER }, { PMINTENSET, NEVER, NEVER },
	};
	struct pmu_vm m;
	uint64_t value, esr;

	pmu_vm_start(&m, WITHOUT_GIC);
	for (unsigned user = 0; user < 16; user++) {
		guest_set(&m, PMUSERENR, user);
		for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			esr = guest_reads(&m, AT_EL0, rows[i].sr, &value);
			CHECK_EQ(esr == 0, (rows[i].read & (user | ANY)) != 0);
			esr = guest_writes(&m, AT_EL0, rows[i].sr, 0);
			CHECK_EQ(esr == 0, (rows[i].write & user) != 0);
		}
		CHECK_EQ(guest_writes(&m, AT_EL0, PMSWINC, 0) == 0, (user & (EN | SW)) != 0);
		CHECK_EQ(guest_reads(&m, AT_EL0, PMCEID0, &value) == 0, (user & EN) != 0);
	}
	/* What is denied traps to the guest's EL1, which sees what it was (D17.2.37). */
	guest_set(&m, PMUSERENR, 0);
	esr = guest_reads(&m, AT_EL0, PMCCNTR, &value);
	CHECK(EC(esr) == EC_SYSREG_TRAP || EC(esr) == EC_UNDEFINED); /* Linux: the latter */
	pmu_vm_destroy(&m);
}

/* ---- several vCPUs */

static void *spin_long(void *arg)
{
	struct vcpu *vcpu = arg;

	RUN_TO_WRITE(vcpu, GUEST_MMIO);
	return NULL;
}

/* Two take turns on a CPU, or run side by side: each counts its own rounds. */
static void check_two_vcpus(void)
{
	pthread_t thread;
	struct vcpu other;
	struct pmu_vm m;

	pmu_vm_start(&m, WITHOUT_GIC);
	vcpu_create(&m.vm, &other, 1, FEATURE_PMU);
	REQUIRE(pmu_attr(&other, KVM_ARM_VCPU_PMU_V3_INIT, NULL) == 0);
	for (unsigned i = 0; i < 2; i++) {
		struct vcpu *vcpu = i ? &other : &m.vcpu;

		vcpu_start(vcpu, GUEST_RAM + 0x1100);
		vcpu_set_x(vcpu, 1, 30000000);
		sr_set(vcpu, PMCNTENSET, i ? 2 : CYCLES_BIT);
		sr_set(vcpu, PMEVTYPER(1), EVENT_CYCLES);
		sr_set(vcpu, PMCR, sr_get(vcpu, PMCR) | PMCR_E | PMCR_LC);
	}
	REQUIRE(pthread_create(&thread, NULL, spin_long, &other) == 0);
	spin_long(&m.vcpu);
	pthread_join(thread, NULL);
	CHECK(sr_get(&m.vcpu, PMCCNTR) > 0);
	CHECK_EQ(sr_get(&m.vcpu, PMEVCNTR(1)), 0);
	CHECK(sr_get(&other, PMEVCNTR(1)) > 0);
	CHECK_EQ(sr_get(&other, PMCCNTR), 0);
	vcpu_destroy(&other);
	pmu_vm_destroy(&m);
}

static void look(void)
{
	struct pmu_vm m;

	pmu_vm_create(&m, WITHOUT_GIC, FEATURE_PMU);
	version = DFR0_PMUVER(sr_get(&m.vcpu, ID_AA64DFR0));
	counters = PMCR_COUNTERS(sr_get(&m.vcpu, PMCR));
	printf("PMUVer %u, %u counters\n", version, counters);
	pmu_vm_destroy(&m);
}

int main(void)
{
	look();
	check_cycles();
	check_sleep();
	check_overflow_ends_wfi();
	check_levels();
	check_instructions();
	check_software_increments();
	check_overflow_widths();
	check_chain();
	check_interrupt_by_vgic(PMU_INTID);
	check_interrupt_by_vgic(40);
	check_level();
	check_interrupt_by_user();
	check_el0();
	check_two_vcpus();
	return check_done("kvm_pmu");
}
