/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interrupts of a guest's timers. They arrive as this CPU's PPIs while the vCPU is loaded;
 * their only use is to bring the CPU out of the guest, so one whose line is already known stays
 * disabled at the redistributor (GICv3 specification, 12.11).
 */
#include "kvm/port.h"

#include "sysreg.h"
#include "percpu.h"

#define PPI_VIRTUAL_TIMER  27
#define PPI_PHYSICAL_TIMER 30

#define GICR_SGI_FRAME	0x10000
#define GICR_ISENABLER0 (GICR_SGI_FRAME + 0x100)
#define GICR_ICENABLER0 (GICR_SGI_FRAME + 0x180)

static void gicr_write(unsigned int offset, u32 value)
{
	volatile u32 *p = (volatile u32 *)((char *)this_percpu()->gicr + offset);

	*p = value;
}

void port_guest_timer_unmask(unsigned int lines)
{
	static const u32 ppi[GUEST_TIMERS] = {
		[GUEST_TIMER_VIRTUAL] = BIT(PPI_VIRTUAL_TIMER),
		[GUEST_TIMER_PHYSICAL] = BIT(PPI_PHYSICAL_TIMER),
	};
	u32 on = 0, off = 0;

	for (unsigned int i = 0; i < GUEST_TIMERS; i++) {
		if (lines & BIT(i))
			on |= ppi[i];
		else
			off |= ppi[i];
	}
	if (on)
		gicr_write(GICR_ISENABLER0, on);
	if (off)
		gicr_write(GICR_ICENABLER0, off);
}

u64 port_counter(void)
{
	isb();
	return read_sysreg(cntpct_el0);
}

u64 port_counter_hz(void)
{
	return read_sysreg(cntfrq_el0);
}
