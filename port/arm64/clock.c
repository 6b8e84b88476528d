/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time from the virtual counter, and this CPU's deadline by the EL2 physical timer, which at EL2
 * under E2H goes by the name of CNTP (Arm ARM D7.5.6).
 */
#include "arm64.h"
#include "sysreg.h"

#define NS_PER_S   1000000000UL
#define CTL_ENABLE 1

/* 32.32 fixed point. */
static struct {
	u64 ns_per_tick;
	u64 ticks_per_ns;
} rate;

void clock_init(void)
{
	u64 hz = read_sysreg(cntfrq_el0);

	if (hz == 0)
		panic("the timer's frequency is unknown (CNTFRQ_EL0 is 0)");
	rate.ns_per_tick = (NS_PER_S << 32) / hz;
	rate.ticks_per_ns = (hz << 32) / NS_PER_S;
	clock_init_cpu();
}

void clock_init_cpu(void)
{
	write_sysreg(cntp_ctl_el0, 0);
	write_sysreg(cntv_ctl_el0, 0);
	isb();
	gic_ppi_set(PPI_HOST_TIMER, PPI_ENABLED);
}

static u64 scale(u64 value, u64 factor)
{
	return (u64)(((unsigned __int128)value * factor) >> 32);
}

u64 port_time_ns(void)
{
	/* Not before what precedes it in program order. */
	isb();
	return scale(read_sysreg(cntvct_el0), rate.ns_per_tick);
}

void port_timer_set(u64 deadline_ns)
{
	if (deadline_ns == UINT64_MAX) {
		write_sysreg(cntp_ctl_el0, 0);
		return;
	}
	/* Rounded up: when it fires, the deadline has passed. */
	write_sysreg(cntp_cval_el0, scale(deadline_ns, rate.ticks_per_ns) + 1);
	write_sysreg(cntp_ctl_el0, CTL_ENABLE);
}

void clock_interrupt(void)
{
	write_sysreg(cntp_ctl_el0, 0);
	isb();
	kernel_timer_interrupt();
}
