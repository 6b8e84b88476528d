/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What user space makes of a guest's performance monitors: attributes and their errors, registers,
 * how many counters there are, which events, ID registers, and a vCPU that goes on elsewhere. And
 * what is left without them.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/pmu.h"
#include "tests/target/vgic.h"

#include <sys/wait.h>
#include <unistd.h>

#ifndef KVM_ARM_VCPU_PMU_V3_SET_NR_COUNTERS /* of Linux 6.16 */
#define KVM_ARM_VCPU_PMU_V3_SET_NR_COUNTERS 4
#endif

enum {
	IRQ = KVM_ARM_VCPU_PMU_V3_IRQ,
	INIT = KVM_ARM_VCPU_PMU_V3_INIT,
	FILTER = KVM_ARM_VCPU_PMU_V3_FILTER,
	SET_PMU = KVM_ARM_VCPU_PMU_V3_SET_PMU,
	COUNTERS = KVM_ARM_VCPU_PMU_V3_SET_NR_COUNTERS,
	NO_ATTR = 5,
	ROUNDS = 20000,
	FEATURE_PSCI = 1 << KVM_ARM_VCPU_PSCI_0_2,
};

/* What KVM_ARM_VCPU_PMU_V3_SET_PMU takes. */
static int pmu_of_machine;

static void find_pmu(void)
{
	FILE *f = fopen("/sys/bus/event_source/devices/armv8_pmuv3_0/type", "r");
	char cpus[32];

	REQUIRE(f && fscanf(f, "%d", &pmu_of_machine) == 1);
	fclose(f);
	f = fopen("/sys/bus/event_source/devices/armv8_pmuv3_0/cpus", "r");
	REQUIRE(f && fgets(cpus, sizeof(cpus), f));
	CHECK_EQ(cpus[0], '0');
	fclose(f);
}

#define LOW ((void *)8)

static int irq_get(struct vcpu *vcpu, int *value)
{
	return attr_get(vcpu->fd, KVM_ARM_VCPU_PMU_V3_CTRL, IRQ, value);
}

static int irq_set(struct vcpu *vcpu, int intid)
{
	return pmu_attr(vcpu, IRQ, &intid);
}

static int has(struct vcpu *vcpu, uint64_t attr)
{
	return attr_has(vcpu->fd, KVM_ARM_VCPU_PMU_V3_CTRL, attr);
}

static int filter(struct vcpu *vcpu, unsigned first, unsigned count, unsigned action)
{
	struct kvm_pmu_event_filter f = {
		.base_event = (uint16_t)first,
		.nevents = (uint16_t)count,
		.action = (uint8_t)action,
	};

	return pmu_attr(vcpu, FILTER, &f);
}

static int counters_set(struct vcpu *vcpu, unsigned count)
{
	return pmu_attr(vcpu, COUNTERS, &count);
}

static int pmu_set(struct vcpu *vcpu, int identifier)
{
	return pmu_attr(vcpu, SET_PMU, &identifier);
}

static unsigned counters_of(struct vcpu *vcpu)
{
	return PMCR_COUNTERS(sr_get(vcpu, PMCR));
}

/* ---- attributes */

static void check_without_feature(void)
{
	struct pmu_vm m;
	int value;

	pmu_vm_create(&m, WITH_GIC, 0);
	for (uint64_t attr = IRQ; attr <= NO_ATTR; attr++) {
		CHECK_EQ(has(&m.vcpu, attr), -ENXIO);
		CHECK_EQ(pmu_attr(&m.vcpu, attr, LOW), -ENODEV);
	}
	CHECK_EQ(irq_get(&m.vcpu, &value), -ENODEV);
	CHECK_EQ(attr_get(m.vcpu.fd, KVM_ARM_VCPU_PMU_V3_CTRL, INIT, &value), -ENXIO);
	/* All vCPUs of a VM have the same features. */
	CHECK_EQ(vcpu_init(&m.vm, &m.vcpu, FEATURE_PMU | FEATURE_PSCI), -EINVAL);
	pmu_vm_destroy(&m);
}

static void check_without_gic(void)
{
	struct pmu_vm m;
	int value;

	pmu_vm_create(&m, WITHOUT_GIC, FEATURE_PMU);
	for (uint64_t attr = IRQ; attr < NO_ATTR; attr++)
		CHECK_EQ(has(&m.vcpu, attr), 0);
	CHECK_EQ(has(&m.vcpu, NO_ATTR), -ENXIO);
	CHECK_EQ(pmu_attr(&m.vcpu, NO_ATTR, LOW), -ENXIO);
	CHECK_EQ(irq_set(&m.vcpu, PMU_INTID), -EINVAL);
	CHECK_EQ(irq_get(&m.vcpu, &value), -EINVAL);
	/* Not run before it is complete, and complete once. */
	CHECK_EQ(vcpu_run(&m.vcpu), -EINVAL);
	CHECK_EQ(pmu_attr(&m.vcpu, INIT, NULL), 0);
	CHECK_EQ(pmu_attr(&m.vcpu, INIT, NULL), -EBUSY);
	CHECK_EQ(pmu_attr(&m.vcpu, NO_ATTR, LOW), -EBUSY);
	pmu_vm_destroy(&m);
}

/* A vGIC that comes after INIT would be told of no interrupt. */
static void check_gic_comes_late(void)
{
	struct vcpu vcpu;
	struct vm vm;
	int gic;

	vm_create(&vm, 0);
	vcpu_create(&vm, &vcpu, 0, FEATURE_PMU);
	CHECK_EQ(pmu_attr(&vcpu, INIT, NULL), 0);
	gic = vgic_setup(&vm, 1, 64);
	CHECK_EQ(vcpu_run(&vcpu), -EINVAL);
	close(gic);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}

static void check_irq(void)
{
	static const int wrong[] = { -1, 0, 15, 1020, 8192 };
	int gic, value = 0;
	struct vcpu other;
	struct vm vm;
	struct vcpu vcpu;

	vm_create(&vm, 0);
	vcpu_create(&vm, &vcpu, 0, FEATURE_PMU);
	vcpu_create(&vm, &other, 1, FEATURE_PMU);
	gic = device_create(&vm, KVM_DEV_TYPE_ARM_VGIC_V3, 0);
	REQUIRE(gic >= 0);
	CHECK_EQ(irq_get(&vcpu, &value), -ENXIO);
	CHECK_EQ(pmu_attr(&vcpu, INIT, NULL), -ENODEV);
	CHECK_EQ(pmu_attr(&vcpu, IRQ, LOW), -EFAULT);
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK_EQ(irq_set(&vcpu, wrong[i]), -EINVAL);
	CHECK_EQ(irq_set(&vcpu, PMU_INTID), 0);
	CHECK_EQ(irq_set(&vcpu, PMU_INTID), -EBUSY);
	CHECK_EQ(irq_get(&vcpu, &value), 0);
	CHECK_EQ(value, PMU_INTID);
	CHECK_EQ(irq_get(&vcpu, LOW), -EFAULT);
	/* A PPI is the same for all. */
	CHECK_EQ(irq_set(&other, PMU_INTID + 1), -EINVAL);
	CHECK_EQ(irq_set(&other, PMU_INTID), 0);
	close(gic);
	vcpu_destroy(&other);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);

	/* An SPI is one's own, and must be there. */
	vm_create(&vm, 0);
	vcpu_create(&vm, &vcpu, 0, FEATURE_PMU);
	vcpu_create(&vm, &other, 1, FEATURE_PMU);
	gic = vgic_setup(&vm, 2, 64);
	CHECK_EQ(pmu_attr(&vcpu, INIT, NULL), -ENXIO);
	CHECK_EQ(irq_set(&vcpu, 63), 0);
	CHECK_EQ(irq_set(&other, 63), -EINVAL);
	CHECK_EQ(irq_set(&other, 64), 0);
	CHECK_EQ(pmu_attr(&other, INIT, NULL), -EINVAL);
	CHECK_EQ(pmu_attr(&vcpu, INIT, NULL), 0);
	CHECK_EQ(irq_set(&vcpu, 62), -EBUSY);
	close(gic);
	vcpu_destroy(&other);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}

/* The timers' interrupts are theirs. */
static void check_irq_of_timer(void)
{
	struct pmu_vm m;

	pmu_vm_create(&m, WITH_GIC, FEATURE_PMU);
	CHECK_EQ(irq_set(&m.vcpu, 27), 0);
	CHECK_EQ(pmu_attr(&m.vcpu, INIT, NULL), 0);
	CHECK_EQ(vcpu_run(&m.vcpu), -EINVAL);
	pmu_vm_destroy(&m);
}

/* Which errors come when the VM has run, of a vCPU whose PMU is not complete. */
static void check_after_run(void)
{
	struct vcpu other;
	struct pmu_vm m;

	pmu_vm_start(&m, WITHOUT_GIC);
	vcpu_create(&m.vm, &other, 1, FEATURE_PMU);
	guest_spins(&m, AT_EL1, 1);
	CHECK_EQ(filter(&other, 0, 1, KVM_PMU_EVENT_ALLOW), -EBUSY);
	CHECK_EQ(pmu_set(&other, pmu_of_machine), -EBUSY);
	CHECK_EQ(counters_set(&other, 0), -EBUSY);
	CHECK_EQ(sr_try_set(&m.vcpu, PMCR, 0), 0);
	CHECK(counters_of(&m.vcpu) > 0);
	CHECK_EQ(sr_try_set(&m.vcpu, ID_AA64DFR0, sr_get(&m.vcpu, ID_AA64DFR0) & ~0xf00ul), -EBUSY);
	vcpu_destroy(&other);
	pmu_vm_destroy(&m);
}

static void check_which_pmu(void)
{
	struct pmu_vm m;

	pmu_vm_create(&m, WITHOUT_GIC, FEATURE_PMU);
	CHECK_EQ(pmu_attr(&m.vcpu, SET_PMU, LOW), -EFAULT);
	CHECK_EQ(pmu_set(&m.vcpu, -1), -ENXIO);
	CHECK_EQ(pmu_set(&m.vcpu, pmu_of_machine + 1), -ENXIO);
	CHECK_EQ(pmu_set(&m.vcpu, pmu_of_machine), 0);
	pmu_vm_destroy(&m);
}

/* ---- how many counters */

static void check_counters(void)
{
	struct pmu_vm m;
	unsigned most;
	uint64_t value, esr;

	pmu_vm_start(&m, WITHOUT_GIC);
	most = counters_of(&m.vcpu);
	REQUIRE(most >= 2);
	value = sr_get(&m.vcpu, PMCR) & ~(0x1ful << 11);
	sr_set(&m.vcpu, PMCR, value | (most + 1ul) << 11);
	CHECK_EQ(counters_of(&m.vcpu), most);
	sr_set(&m.vcpu, PMCNTENSET, ~0u);
	CHECK_EQ(sr_get(&m.vcpu, PMCNTENSET), CYCLES_BIT | ((1ul << most) - 1));
	sr_set(&m.vcpu, PMCR, value | 1 << 11);
	CHECK_EQ(counters_of(&m.vcpu), 1);
	CHECK_EQ(sr_get(&m.vcpu, PMCNTENCLR), CYCLES_BIT | 1);
	CHECK_EQ(PMCR_COUNTERS(guest_get(&m, PMCR)), 1);
	CHECK_EQ(guest_reads(&m, AT_EL1, PMEVCNTR(0), &value), 0);
	/* Undefined, also to EL0, which may access what there is; by number and by PMSELR_EL0. */
	guest_set(&m, PMUSERENR, 0xf);
	for (enum pmu_el el = AT_EL0; el <= AT_EL1; el++) {
		esr = guest_reads(&m, el, PMEVCNTR(1), &value);
		CHECK_EQ(esr, 0x02000000);
		CHECK_EQ(guest_writes(&m, el, PMEVTYPER(1), 0), 0x02000000);
		guest_set(&m, PMSELR, 1);
		CHECK_EQ(guest_reads(&m, el, PMXEVCNTR, &value), 0x02000000);
		CHECK_EQ(guest_writes(&m, el, PMXEVTYPER, 0), 0x02000000);
		guest_set(&m, PMSELR, 0);
		CHECK_EQ(guest_reads(&m, el, PMXEVCNTR, &value), 0);
	}
	/* PMSELR_EL0 names the cycle counter's filter, too. */
	guest_set(&m, PMSELR, PMU_CYCLES_COUNTER);
	guest_set(&m, PMXEVTYPER, NOT_AT_EL0);
	CHECK_EQ(guest_get(&m, PMCCFILTR), NOT_AT_EL0);
	CHECK_EQ(guest_get(&m, PMSELR), PMU_CYCLES_COUNTER);
	guest_set(&m, PMINTENSET, ~0u);
	CHECK_EQ(guest_get(&m, PMINTENSET), CYCLES_BIT | 1);
	guest_set(&m, PMINTENCLR, 1);
	CHECK_EQ(guest_get(&m, PMINTENCLR), CYCLES_BIT);
	pmu_vm_destroy(&m);

	pmu_vm_create(&m, WITHOUT_GIC, FEATURE_PMU);
	CHECK_EQ(pmu_attr(&m.vcpu, COUNTERS, LOW), -EFAULT);
	CHECK_EQ(counters_set(&m.vcpu, most + 1), -EINVAL);
	CHECK_EQ(counters_set(&m.vcpu, most - 1), 0);
	CHECK_EQ(counters_of(&m.vcpu), most - 1);
	/* A choice of the PMU has all its counters; a reset changes none of that. */
	CHECK_EQ(pmu_set(&m.vcpu, pmu_of_machine), 0);
	CHECK_EQ(counters_of(&m.vcpu), most);
	CHECK_EQ(counters_set(&m.vcpu, 0), 0);
	CHECK_EQ(vcpu_init(&m.vm, &m.vcpu, FEATURE_PMU | FEATURE_PSCI), 0);
	CHECK_EQ(counters_of(&m.vcpu), 0);
	CHECK_EQ(pmu_attr(&m.vcpu, INIT, NULL), 0);
	CHECK_EQ(counters_set(&m.vcpu, 1), -EBUSY);
	pmu_vm_destroy(&m);
}

/* ---- which events */

#define EVENTS_OF(vcpu) (DFR0_PMUVER(sr_get(vcpu, ID_AA64DFR0)) >= 4 ? 0x10000u : 0x400u)

static void check_filter_errors(void)
{
	struct pmu_vm m;
	unsigned events;

	pmu_vm_create(&m, WITHOUT_GIC, FEATURE_PMU);
	events = EVENTS_OF(&m.vcpu);
	CHECK_EQ(pmu_attr(&m.vcpu, FILTER, LOW), -EFAULT);
	CHECK_EQ(filter(&m.vcpu, events - 1, 2, KVM_PMU_EVENT_DENY), -EINVAL);
	CHECK_EQ(filter(&m.vcpu, 0xffff, 0xffff, KVM_PMU_EVENT_DENY), -EINVAL);
	CHECK_EQ(filter(&m.vcpu, 0, 1, 2), -EINVAL);
	CHECK_EQ(filter(&m.vcpu, events - 1, 1, KVM_PMU_EVENT_DENY), 0);
	CHECK_EQ(filter(&m.vcpu, 0, 0, KVM_PMU_EVENT_DENY), 0);
	CHECK_EQ(pmu_attr(&m.vcpu, INIT, NULL), 0);
	CHECK_EQ(filter(&m.vcpu, 0, 1, KVM_PMU_EVENT_DENY), -EBUSY);
	pmu_vm_destroy(&m);
}

static const struct {
	struct {
		unsigned first, count, action;
	} ranges[3];
	int cycles, software; /* does the event count? */
} filters[] = {
	{ { { 0 } }, 1, 1 },
	{ { { EVENT_CYCLES, 1, KVM_PMU_EVENT_DENY } }, 0, 1 },
	{ { { EVENT_CYCLES + 1, 8, KVM_PMU_EVENT_DENY } }, 1, 1 },
	{ { { EVENT_CYCLES, 1, KVM_PMU_EVENT_ALLOW } }, 1, 1 },
	{ { { EVENT_CYCLES + 1, 1, KVM_PMU_EVENT_ALLOW } }, 0, 1 },
	/* The first range decides about the rest for good. */
	{ { { 0, 10, KVM_PMU_EVENT_ALLOW }, { 0, 10, KVM_PMU_EVENT_DENY } }, 0, 1 },
	{ { { 0, 0x20, KVM_PMU_EVENT_DENY }, { EVENT_CYCLES, 1, KVM_PMU_EVENT_ALLOW } }, 1, 1 },
};

static void check_filters(void)
{
	struct pmu_vm m;

	for (unsigned i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		uint64_t events;

		pmu_vm_create(&m, WITHOUT_GIC, FEATURE_PMU);
		for (unsigned j = 0; j < 3; j++) {
			if (filters[i].ranges[j].count)
				CHECK_EQ(filter(&m.vcpu, filters[i].ranges[j].first,
						filters[i].ranges[j].count,
						filters[i].ranges[j].action),
					 0);
		}
		pmu_vm_complete(&m);
		guest_set(&m, PMEVTYPER(0), EVENT_CYCLES);
		guest_set(&m, PMEVTYPER(1), EVENT_SW_INCR);
		guest_set(&m, PMCNTENSET, CYCLES_BIT | 3);
		guest_set(&m, PMCR, PMCR_E | PMCR_LC);
		guest_spins(&m, AT_EL1, ROUNDS);
		guest_set(&m, PMSWINC, 2);
		guest_set(&m, PMCR, PMCR_LC);
		CHECK_EQ(sr_get(&m.vcpu, PMEVCNTR(0)) != 0, filters[i].cycles);
		CHECK_EQ(sr_get(&m.vcpu, PMCCNTR) != 0, filters[i].cycles);
		CHECK_EQ(sr_get(&m.vcpu, PMEVCNTR(1)), filters[i].software);
		events = guest_get(&m, PMCEID0);
		CHECK_EQ(events >> EVENT_CYCLES & 1, filters[i].cycles);
		CHECK(i || events >> EVENT_CHAIN & 1);
		CHECK_EQ(guest_get(&m, PMCEID1) >> 29 & 7, 0); /* PMMIR_EL1 is 0 */
		pmu_vm_destroy(&m);
	}
}

/* The last word counts, whatever the registers said before. */
static void check_filter_after_registers(void)
{
	struct pmu_vm m;

	pmu_vm_create(&m, WITHOUT_GIC, FEATURE_PMU);
	pmu_guests_load(&m);
	pmu_clear(&m.vcpu);
	sr_set(&m.vcpu, PMCNTENSET, CYCLES_BIT);
	sr_set(&m.vcpu, PMCR, sr_get(&m.vcpu, PMCR) | PMCR_E | PMCR_LC);
	CHECK_EQ(filter(&m.vcpu, EVENT_CYCLES, 1, KVM_PMU_EVENT_DENY), 0);
	CHECK_EQ(pmu_attr(&m.vcpu, INIT, NULL), 0);
	guest_spins(&m, AT_EL1, ROUNDS);
	CHECK_EQ(sr_get(&m.vcpu, PMCCNTR), 0);
	pmu_vm_destroy(&m);
}

/* ---- ID registers */

static void check_id(void)
{
	struct pmu_vm m;
	uint64_t dfr0, aa32, without;
	unsigned version;

	pmu_vm_create(&m, WITHOUT_GIC, 0);
	without = sr_get(&m.vcpu, ID_AA64DFR0);
	CHECK_EQ(DFR0_PMUVER(without), 0);
	CHECK_EQ(sr_get(&m.vcpu, ID_DFR0) >> 24 & 0xf, 0);
	CHECK_EQ(sr_try_set(&m.vcpu, ID_AA64DFR0, without | 1 << 8), -EINVAL);
	pmu_vm_destroy(&m);

	pmu_vm_create(&m, WITHOUT_GIC, FEATURE_PMU);
	dfr0 = sr_get(&m.vcpu, ID_AA64DFR0);
	aa32 = sr_get(&m.vcpu, ID_DFR0);
	version = DFR0_PMUVER(dfr0);
	CHECK_EQ(dfr0 & ~0xf00ul, without);
	CHECK(version >= 1 && version <= 6);
	CHECK_EQ(aa32 >> 24 & 0xf, !aa32 ? 0 : version == 1 ? 3 : version);
	CHECK_EQ(sr_try_set(&m.vcpu, ID_AA64DFR0, dfr0 + 0x100), -EINVAL);
	CHECK_EQ(sr_try_set(&m.vcpu, ID_AA64DFR0, without | 0xf00), 0);
	CHECK_EQ(DFR0_PMUVER(sr_get(&m.vcpu, ID_AA64DFR0)), 0);
	if (aa32) {
		CHECK_EQ(sr_try_set(&m.vcpu, ID_DFR0, (aa32 & ~0xf000000ul) | 0x2000000), -EINVAL);
		CHECK_EQ(sr_try_set(&m.vcpu, ID_DFR0, (aa32 & ~0xf000000ul) | 0x3000000), 0);
	}
	/* PMUv3 as of Armv8.0: events of 10 bits, counters of 32, no PMCR_EL0.LP, no PMMIR_EL1. */
	CHECK_EQ(sr_try_set(&m.vcpu, ID_AA64DFR0, without | 0x100), 0);
	pmu_vm_complete(&m);
	CHECK_EQ(DFR0_PMUVER(guest_get(&m, ID_AA64DFR0)), 1);
	guest_set(&m, PMEVTYPER(0), 0xffffffff);
	CHECK_EQ(guest_get(&m, PMEVTYPER(0)), NOT_AT_EL1 | NOT_AT_EL0 | 0x3ff);
	guest_set(&m, PMEVCNTR(0), 0x123456789a);
	CHECK_EQ(guest_get(&m, PMEVCNTR(0)), 0x3456789a);
	guest_set(&m, PMCR, PMCR_LP | PMCR_LC);
	CHECK_EQ(guest_get(&m, PMCR) & 0xff, PMCR_LC);
	CHECK_EQ(guest_reads(&m, AT_EL1, PMMIR, &without), 0x02000000);
	pmu_vm_destroy(&m);

	pmu_vm_start(&m, WITHOUT_GIC);
	guest_set(&m, PMEVTYPER(0), 0xffffffff);
	CHECK_EQ(guest_get(&m, PMEVTYPER(0)),
		 NOT_AT_EL1 | NOT_AT_EL0 | (version >= 4 ? 0xffff : 0x3ff));
	guest_set(&m, PMEVCNTR(0), 0x123456789a);
	CHECK_EQ(guest_get(&m, PMEVCNTR(0)), version >= 6 ? 0x123456789a : 0x3456789a);
	guest_set(&m, PMCR, PMCR_LP | PMCR_LC);
	CHECK_EQ(guest_get(&m, PMCR) & 0xff, version >= 6 ? PMCR_LP | PMCR_LC : PMCR_LC);
	pmu_vm_destroy(&m);
}

/* ---- registers */

/* Without the feature none is there, for anybody. */
static void check_registers_without(void)
{
	static const uint16_t named[] = {
		PMINTENSET, PMINTENCLR, PMMIR,	  PMCR,	     PMCNTENSET,  PMCNTENCLR,
		PMOVSCLR,   PMSELR,	PMCEID0,  PMCEID1,   PMCCNTR,	  PMXEVTYPER,
		PMXEVCNTR,  PMUSERENR,	PMOVSSET, PMCCFILTR, PMEVCNTR(0), PMEVTYPER(0),
	};
	struct pmu_vm m;
	uint64_t value;

	pmu_vm_create(&m, WITHOUT_GIC, 0);
	pmu_guests_load(&m);
	for (unsigned i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		CHECK_EQ(sr_try_get(&m.vcpu, named[i], &value), -ENOENT);
		CHECK_EQ(sr_try_set(&m.vcpu, named[i], 0), -ENOENT);
		CHECK_EQ(guest_reads(&m, AT_EL1, named[i], &value), 0x02000000);
		CHECK_EQ(guest_reads(&m, AT_EL0, named[i], &value), 0x02000000);
	}
	CHECK_EQ(guest_writes(&m, AT_EL1, PMSWINC, 1), 0x02000000);
	CHECK_EQ(guest_writes(&m, AT_EL0, PMSWINC, 1), 0x02000000);
	pmu_vm_destroy(&m);
}

/* What user space sees of those that hold nothing. */
static void check_registers_of_user(void)
{
	static const uint16_t hidden[] = { PMMIR, PMCEID0, PMCEID1, PMXEVTYPER, PMXEVCNTR };
	struct pmu_vm m;
	uint64_t value;

	pmu_vm_start(&m, WITHOUT_GIC);
	for (unsigned i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		CHECK_EQ(sr_try_get(&m.vcpu, hidden[i], &value), -ENOENT);
	sr_set(&m.vcpu, PMEVTYPER(0), EVENT_SW_INCR);
	sr_set(&m.vcpu, PMCNTENSET, 1);
	sr_set(&m.vcpu, PMCR, sr_get(&m.vcpu, PMCR) | PMCR_E);
	sr_set(&m.vcpu, PMSWINC, 1);
	CHECK_EQ(sr_get(&m.vcpu, PMSWINC), 0);
	CHECK_EQ(sr_get(&m.vcpu, PMEVCNTR(0)), 0);
	CHECK_EQ(guest_reads(&m, AT_EL1, PMSWINC, &value), 0x02000000);
	CHECK_EQ(guest_writes(&m, AT_EL1, PMCEID0, 0), 0x02000000);
	/* PMMIR_EL1 came with FEAT_PMUv3p4. */
	if (DFR0_PMUVER(sr_get(&m.vcpu, ID_AA64DFR0)) >= 5)
		CHECK_EQ(guest_get(&m, PMMIR), 0);
	else
		CHECK_EQ(guest_reads(&m, AT_EL1, PMMIR, &value), 0x02000000);
	CHECK_EQ(guest_reads(&m, AT_EL1, SR(3, 3, 14, 11, 7), &value), 0x02000000);
	pmu_vm_destroy(&m);
}

/* What a reset defines. */
static void check_reset(void)
{
	struct pmu_vm m;

	pmu_vm_start(&m, WITHOUT_GIC);
	guest_set(&m, PMUSERENR, 0xf);
	guest_set(&m, PMCNTENSET, CYCLES_BIT);
	guest_set(&m, PMCR, PMCR_E | PMCR_LC);
	CHECK_EQ(vcpu_init(&m.vm, &m.vcpu, FEATURE_PMU | FEATURE_PSCI), 0);
	CHECK_EQ(sr_get(&m.vcpu, PMUSERENR), 0);
	CHECK_EQ(sr_get(&m.vcpu, PMCR) & PMCR_E, 0);
	guest_spins(&m, AT_EL1, ROUNDS);
	CHECK_EQ(sr_get(&m.vcpu, PMCCNTR), 0);
	pmu_vm_destroy(&m);
}

/* The registers of one VM, written to another: it goes on, and the interrupt that was due comes. */
static void check_migration(void)
{
	struct {
		uint64_t n;
		uint64_t id[1024];
	} list = { .n = 1024 };
	uint64_t cycles, value;
	struct pmu_vm from, to;

	pmu_vm_start(&from, WITHOUT_GIC);
	pmu_vm_start(&to, WITHOUT_GIC);
	guest_set(&from, PMEVTYPER(0), EVENT_CYCLES);
	guest_set(&from, PMEVTYPER(1), EVENT_CHAIN);
	guest_set(&from, PMCNTENSET, CYCLES_BIT | 3);
	guest_set(&from, PMUSERENR, 5);
	guest_set(&from, PMSELR, 3);
	guest_set(&from, PMEVCNTR(1), 77);
	guest_set(&from, PMCCFILTR, NOT_AT_EL0);
	guest_set(&from, PMCR, PMCR_E | PMCR_LC);
	guest_set(&from, PMOVSSET, 2);
	guest_set(&from, PMINTENSET, 2);
	guest_spins(&from, AT_EL1, ROUNDS);
	CHECK_OK(ioctl(from.vcpu.fd, KVM_GET_REG_LIST, &list));
	for (uint64_t i = 0; i < list.n; i++) {
		if (sr_is_pmu(list.id[i]))
			reg_set(&to.vcpu, list.id[i], reg_get(&from.vcpu, list.id[i]));
	}
	for (uint64_t i = 0; i < list.n; i++) {
		if (sr_is_pmu(list.id[i]))
			CHECK_EQ(reg_get(&to.vcpu, list.id[i]), reg_get(&from.vcpu, list.id[i]));
	}
	cycles = sr_get(&to.vcpu, PMCCNTR);
	CHECK(cycles > 0);
	guest_spins(&to, AT_EL1, ROUNDS);
	CHECK_EQ(to.vcpu.run->s.regs.device_irq_level, KVM_ARM_DEV_PMU);
	value = sr_get(&to.vcpu, PMCCNTR);
	CHECK(value > cycles && value - cycles < 1000000000);
	CHECK_EQ(guest_get(&to, PMEVCNTR(1)), 77);
	pmu_vm_destroy(&to);
	pmu_vm_destroy(&from);
}

/* Programs have no performance monitors, whoever used them before. */
static void check_programs(void)
{
	int status;
	pid_t pid;

	for (int i = 0; i < 3; i++) {
		pid = fork();
		if (pid == 0) {
			uint64_t value;

			if (i == 0)
				__asm__ volatile("mrs %0, pmccntr_el0" : "=r"(value));
			if (i == 1)
				__asm__ volatile("mrs %0, pmuserenr_el0" : "=r"(value));
			if (i == 2)
				__asm__ volatile("msr pmswinc_el0, xzr");
			_exit(0);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGILL);
	}
}

static int is_there(void)
{
	struct vm vm;
	int there;

	vm_create(&vm, 0);
	there = VM_CAP(&vm, KVM_CAP_ARM_PMU_V3);
	vm_destroy(&vm);
	return there;
}

/* catwalk run --hide pmu */
static void check_hidden(void)
{
	struct vcpu vcpu;
	struct vm vm;

	CHECK_EQ(access("/sys/bus/event_source", F_OK), -1);
	vm_create(&vm, 0);
	vcpu_create_raw(&vm, &vcpu, 0);
	CHECK_EQ(vcpu_init(&vm, &vcpu, FEATURE_PMU), -EINVAL);
	CHECK_EQ(vcpu_init(&vm, &vcpu, 0), 0);
	CHECK_EQ(DFR0_PMUVER(sr_get(&vcpu, ID_AA64DFR0)), 0);
	CHECK_EQ(has(&vcpu, INIT), -ENXIO);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}

int main(int argc, char **argv)
{
	int hidden = argc > 1 && strcmp(argv[1], "hidden") == 0;

	CHECK_EQ(is_there(), !hidden);
	check_without_feature();
	check_registers_without();
	check_programs();
	if (hidden) {
		check_hidden();
		return check_done("kvm_pmu_abi");
	}
	find_pmu();
	check_without_gic();
	check_gic_comes_late();
	check_irq();
	check_irq_of_timer();
	check_after_run();
	check_which_pmu();
	check_counters();
	check_filter_errors();
	check_filters();
	check_filter_after_registers();
	check_id();
	check_registers_of_user();
	check_reset();
	check_migration();
	check_programs();
	return check_done("kvm_pmu_abi");
}
