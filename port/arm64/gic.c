/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interrupt controller, a GICv3 (Arm IHI 0069): distributor, one redistributor a CPU, and the
 * CPU interface by system registers. The kernel runs with interrupts masked and asks for pending
 * ones at named points, so handling is a loop of acknowledgements, never an exception inside EL2.
 */
#include "arm64.h"
#include "host/task.h"
#include "sysreg.h"

enum {
	GICD_CTLR = 0x0000,
	GICD_TYPER = 0x0004,
	GICD_IGROUPR = 0x0080,
	GICD_ISENABLER = 0x0100,
	GICD_ICENABLER = 0x0180,
	GICD_IPRIORITYR = 0x0400,
	GICD_IROUTER = 0x6000,
	GICR_CTLR = 0x0000,
	GICR_TYPER = 0x0008,
	GICR_WAKER = 0x0014,
	GICR_SGI_FRAME = 0x10000,
};

#define GICD_CTLR_ENABLE_GRP1 BIT(1)
#define GICD_CTLR_ARE	      BIT(4)
#define GICD_CTLR_RWP	      BIT(31)
#define GICR_CTLR_RWP	      BIT(3)
#define GICR_TYPER_LAST	      BIT(4)
#define GICR_TYPER_VLPIS      BIT(1)
#define GICR_WAKER_SLEEP      BIT(1)
#define GICR_WAKER_ASLEEP     BIT(2)

#define FIRST_SPI	   32
#define INTID_SPURIOUS	   1020 /* from here on: nothing to handle */
#define SGI_RESCHED	   0
#define PRIORITY	   0xa0
#define PRIORITY_MASK_NONE 0xf0

static volatile u8 *gicd;

static u32 read32(const volatile u8 *base, u32 offset)
{
	return *(const volatile u32 *)(base + offset);
}

static void write32(volatile u8 *base, u32 offset, u32 value)
{
	*(volatile u32 *)(base + offset) = value;
}

static u64 read64(const volatile u8 *base, u32 offset)
{
	return *(const volatile u64 *)(base + offset);
}

static void wait_clear(const volatile u8 *base, u32 offset, u32 bit)
{
	while (read32(base, offset) & bit)
		port_cpu_relax();
}

/* Group 1, one priority, disabled: all shared interrupts, routed to the boot CPU. */
static void init_spis(void)
{
	u32 count = min(32 * ((read32(gicd, GICD_TYPER) & 0x1f) + 1), (u32)INTID_SPURIOUS);
	u64 route = this_percpu()->mpidr;

	for (u32 i = FIRST_SPI; i < count; i += 32) {
		write32(gicd, GICD_ICENABLER + i / 8, ~0U);
		write32(gicd, GICD_IGROUPR + i / 8, ~0U);
	}
	for (u32 i = FIRST_SPI; i < count; i += 4)
		write32(gicd, GICD_IPRIORITYR + i, PRIORITY * 0x01010101U);
	for (u32 i = FIRST_SPI; i < count; i++)
		*(volatile u64 *)(gicd + GICD_IROUTER + 8UL * i) = route;
}

void gic_init(void)
{
	if (!platform.gicd.v || !platform.gicr_count)
		panic("the device tree names no GICv3; the machine needs gic-version=3");
	gicd = port_map_device(platform.gicd, 0x10000);
	write32(gicd, GICD_CTLR, 0);
	wait_clear(gicd, GICD_CTLR, GICD_CTLR_RWP);
	write32(gicd, GICD_CTLR, GICD_CTLR_ARE);
	wait_clear(gicd, GICD_CTLR, GICD_CTLR_RWP);
	init_spis();
	write32(gicd, GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_ENABLE_GRP1);
	wait_clear(gicd, GICD_CTLR, GICD_CTLR_RWP);
	gic_init_cpu();
}

static u64 typer_of(u64 mpidr)
{
	return (mpidr >> 32 & 0xff) << 24 | (mpidr & 0xffffff);
}

/* The redistributor in the region at @base whose affinity is @mpidr's, or NULL. */
static volatile u8 *find_in_region(pa_t region, u64 size, u64 mpidr)
{
	u64 offset = 0;

	while (offset < size) {
		volatile u8 *gicr = port_map_device(PA(region.v + offset), 0x20000);
		u64 typer = read64(gicr, GICR_TYPER);

		if (typer >> 32 == typer_of(mpidr))
			return gicr;
		if (typer & GICR_TYPER_LAST)
			return NULL;
		if (platform.gicr_stride)
			offset += platform.gicr_stride;
		else
			offset += typer & GICR_TYPER_VLPIS ? 0x40000 : 0x20000;
	}
	return NULL;
}

static volatile u8 *find_redistributor(u64 mpidr)
{
	for (unsigned int i = 0; i < platform.gicr_count; i++) {
		volatile u8 *gicr = find_in_region(platform.gicr[i], platform.gicr_size[i], mpidr);

		if (gicr)
			return gicr;
	}
	panic("no GIC redistributor for the CPU with MPIDR 0x%lx", mpidr);
}

static void init_redistributor(volatile u8 *gicr)
{
	volatile u8 *sgi = gicr + GICR_SGI_FRAME;

	write32(gicr, GICR_WAKER, read32(gicr, GICR_WAKER) & ~(u32)GICR_WAKER_SLEEP);
	wait_clear(gicr, GICR_WAKER, GICR_WAKER_ASLEEP);
	write32(sgi, GICD_ICENABLER, ~0U);
	write32(sgi, GICD_IGROUPR, ~0U);
	for (u32 i = 0; i < FIRST_SPI; i += 4)
		write32(sgi, GICD_IPRIORITYR + i, PRIORITY * 0x01010101U);
	write32(sgi, GICD_ISENABLER, 1U << SGI_RESCHED | 1U << PPI_GIC_MAINTENANCE);
	wait_clear(gicr, GICR_CTLR, GICR_CTLR_RWP);
}

void gic_init_cpu(void)
{
	struct percpu *self = this_percpu();

	self->gicr = (void *)find_redistributor(self->mpidr);
	init_redistributor(self->gicr);
	write_sysreg(SYS_ICC_PMR_EL1, PRIORITY_MASK_NONE);
	write_sysreg(SYS_ICC_BPR1_EL1, 0);
	/* The end of an interrupt drops its priority and deactivates it in one. */
	write_sysreg(SYS_ICC_CTLR_EL1, 0);
	write_sysreg(SYS_ICC_IGRPEN1_EL1, 1);
	isb();
}

void gic_ppi_set(u32 intid, enum ppi_state state)
{
	volatile u8 *gicr = this_percpu()->gicr;

	write32(gicr + GICR_SGI_FRAME, state == PPI_ENABLED ? GICD_ISENABLER : GICD_ICENABLER,
		1U << intid);
	wait_clear(gicr, GICR_CTLR, GICR_CTLR_RWP);
}

void port_irq_enable(u32 intid)
{
	write32(gicd, GICD_ISENABLER + intid / 32 * 4, 1U << intid % 32);
}

void port_ipi_resched(unsigned int cpu)
{
	u64 mpidr = percpus[cpu].mpidr;
	u64 aff0 = mpidr & 0xff;

	/* What the other CPU shall find must be visible before the interrupt is. */
	__asm__ volatile("dsb ishst" ::: "memory");
	write_sysreg(SYS_ICC_SGI1R_EL1, (mpidr >> 32 & 0xff) << 48 | (mpidr >> 16 & 0xff) << 32 |
						(mpidr >> 8 & 0xff) << 16 | (u64)SGI_RESCHED << 24 |
						(aff0 >> 4) << 44 | 1UL << (aff0 & 0xf));
	isb();
}

/*
 * A guest's timer has done its work by bringing the CPU out of the guest; guest_timer.c enables it
 * again when its line is low.
 */
static void handle(u32 intid)
{
	switch (intid) {
	case SGI_RESCHED:
		__atomic_store_n(&port_current()->need_resched, 1, __ATOMIC_RELEASE);
		return;
	case PPI_GIC_MAINTENANCE: return; /* its line fell when the guest was left (guest_gic.c) */
	case PPI_HOST_TIMER: clock_interrupt(); return;
	case PPI_GUEST_VIRTUAL_TIMER:
	case PPI_GUEST_TIMER: gic_ppi_set(intid, PPI_DISABLED); return;
	}
	if (intid == platform.pmu_ppi)
		pmu_interrupt();
	else
		kernel_device_interrupt(intid);
}

void port_irq_point(void)
{
	while (read_sysreg(isr_el1)) {
		u32 intid = (u32)read_sysreg(SYS_ICC_IAR1_EL1) & 0xffffff;

		if (intid >= INTID_SPURIOUS)
			return;
		/*
		 * Ended before it is handled: all are masked anyway, and while one is active none
		 * of its priority ends the WFI of who dozes for a lock in the handler (spin.c).
		 */
		write_sysreg(SYS_ICC_EOIR1_EL1, intid);
		/* Both take effect before the device is asked. */
		__asm__ volatile("dsb sy" ::: "memory");
		isb();
		handle(intid);
	}
}

void port_idle(void)
{
	__asm__ volatile("dsb sy\n\twfi" ::: "memory");
	port_irq_point();
}
