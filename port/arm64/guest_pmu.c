/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loaded vCPU's performance counters (Arm ARM D13): the CPU's own, which count at the guest's EL0
 * and EL1 but not at EL2, so that nothing is to be done at entries and exits. The kernel itself
 * counts nothing.
 */
#include "arm64.h"
#include "cpu.h"
#include "kvm/port.h"
#include "percpu.h"
#include "sysreg.h"

#define PMCR_E BIT(0)
#define PMCR_N 11

#define ALL_COUNTERS 0xffffffffUL

static struct port_pmu pmu;

const struct port_pmu *port_pmu(void)
{
	return pmu.version ? &pmu : NULL;
}

void pmu_init(void)
{
	if (!cpu_features.pmu || !platform.pmu_ppi)
		return;
	pmu = (struct port_pmu){
		.version = cpu_features.pmu,
		.counters = read_sysreg(pmcr_el0) >> PMCR_N & 0x1f,
		.events = { read_sysreg(pmceid0_el0), read_sysreg(pmceid1_el0) },
	};
	pmu_init_cpu();
}

void pmu_init_cpu(void)
{
	if (!pmu.version)
		return;
	write_sysreg(pmcr_el0, 0);
	write_sysreg(pmcntenclr_el0, ALL_COUNTERS);
	write_sysreg(pmintenclr_el1, ALL_COUNTERS);
	write_sysreg(pmovsclr_el0, ALL_COUNTERS);
	isb();
	gic_ppi_set(platform.pmu_ppi, PPI_ENABLED);
}

/* PMXEVTYPER_EL0 and PMXEVCNTR_EL0 are those of @n then; the first is PMCCFILTR_EL0 for the cycle
 * counter. */
static void select_counter(unsigned int n)
{
	write_sysreg(pmselr_el0, n);
	isb();
}

static void counter_load(unsigned int n, u64 type, u64 count)
{
	select_counter(n);
	write_sysreg(pmxevtyper_el0, type);
	if (n == PMU_CYCLES)
		write_sysreg(pmccntr_el0, count);
	else
		write_sysreg(pmxevcntr_el0, count);
}

static u64 counter_read(unsigned int n)
{
	if (n == PMU_CYCLES)
		return read_sysreg(pmccntr_el0);
	select_counter(n);
	return read_sysreg(pmxevcntr_el0);
}

static void overflows_take(struct guest_pmu *p)
{
	u32 over = (u32)read_sysreg(pmovsclr_el0) & p->counting;

	if (!over)
		return;
	write_sysreg(pmovsclr_el0, over);
	isb();
	p->overflowed |= over;
	__atomic_fetch_or(p->requests, p->request, __ATOMIC_RELAXED);
}

void port_guest_pmu_start(struct guest_cpu *g)
{
	const struct guest_pmu *p = g->pmu;

	if (!p->counting)
		return;
	for (u32 left = p->counting; left; left &= left - 1) {
		unsigned int n = (unsigned int)__builtin_ctz(left);

		counter_load(n, p->type[n], p->count[n]);
	}
	select_counter(0); /* see boot.S */
	write_sysreg(pmcntenset_el0, p->counting);
	write_sysreg(pmintenset_el1, p->counting);
	write_sysreg(pmcr_el0, p->control | PMCR_E);
	isb();
}

void port_guest_pmu_stop(struct guest_cpu *g)
{
	struct guest_pmu *p = g->pmu;

	if (!p->counting)
		return;
	write_sysreg(pmcr_el0, p->control);
	write_sysreg(pmcntenclr_el0, ALL_COUNTERS);
	write_sysreg(pmintenclr_el1, ALL_COUNTERS);
	isb();
	for (u32 left = p->counting; left; left &= left - 1) {
		unsigned int n = (unsigned int)__builtin_ctz(left);

		p->count[n] = counter_read(n);
	}
	select_counter(0);
	overflows_take(p);
}

/* Its line falls with the overflow bits, or when the counters are stopped. */
void pmu_interrupt(void)
{
	struct guest_cpu *g = this_percpu()->guest;

	if (g && g->pmu)
		overflows_take(g->pmu);
}
