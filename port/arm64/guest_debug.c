/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The self-hosted debug registers (Arm ARM D2): they trap until someone uses them, and are loaded
 * and saved with the vCPU from then on. The kernel itself uses none and runs with debug exceptions
 * masked.
 */
#include "guest_debug.h"

#include "kvm/port.h"
#include "sysreg.h"

#define MDCR_HPMN  0x1fUL
#define MDCR_TPMCR BIT(5)
#define MDCR_TPM   BIT(6)
#define MDCR_TDE   BIT(8)
#define MDCR_TDA   BIT(9)
#define MDCR_TDOSA BIT(10)
#define MDCR_TDRA  BIT(11)
#define MDCR_TPMS  BIT(14)
#define MDCR_TTRF  BIT(19)

#define SYS_DBGVCR32 S2_4_C0_C7_0

#define FOR_16(X)                                                                                  \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

/* Enough registers of the kind with this op2 for @count; others do not exist and must not be named.
 */
#define WRITE_CASE(n)                                                                              \
	if ((n) < count)                                                                           \
		write_sysreg(MSR_DEBUG_REG(n), from[n]);
#define READ_CASE(n)                                                                               \
	if ((n) < count)                                                                           \
		to[n] = read_sysreg(MSR_DEBUG_REG(n));

#define MSR_DEBUG_REG(n) S2_0_C0_C##n##_4
static void bvr_write(const u64 *from, unsigned int count)
{
	FOR_16(WRITE_CASE)
}
static void bvr_read(u64 *to, unsigned int count)
{
	FOR_16(READ_CASE)
}
#undef MSR_DEBUG_REG
#define MSR_DEBUG_REG(n) S2_0_C0_C##n##_5
static void bcr_write(const u64 *from, unsigned int count)
{
	FOR_16(WRITE_CASE)
}
static void bcr_read(u64 *to, unsigned int count)
{
	FOR_16(READ_CASE)
}
#undef MSR_DEBUG_REG
#define MSR_DEBUG_REG(n) S2_0_C0_C##n##_6
static void wvr_write(const u64 *from, unsigned int count)
{
	FOR_16(WRITE_CASE)
}
static void wvr_read(u64 *to, unsigned int count)
{
	FOR_16(READ_CASE)
}
#undef MSR_DEBUG_REG
#define MSR_DEBUG_REG(n) S2_0_C0_C##n##_7
static void wcr_write(const u64 *from, unsigned int count)
{
	FOR_16(WRITE_CASE)
}
static void wcr_read(u64 *to, unsigned int count)
{
	FOR_16(READ_CASE)
}
#undef MSR_DEBUG_REG

static unsigned int breakpoints(void)
{
	return (unsigned int)(read_sysreg(S3_0_C0_C5_0) >> 12 & 0xf) + 1;
}

static unsigned int watchpoints(void)
{
	return (unsigned int)(read_sysreg(S3_0_C0_C5_0) >> 20 & 0xf) + 1;
}

/* QEMU has a register that is not there: reading it leaves the general register as it was. */
static void vector_catch_read(struct guest_cpu *g)
{
	__asm__ volatile("mrs %0, " sysreg_string(SYS_DBGVCR32) : "+r"(g->reg[GR_DBGVCR32_EL2]));
}

void guest_debug_load(struct guest_cpu *g)
{
	u64 mdcr = (g->host_mdcr & MDCR_HPMN) | MDCR_TPMCR | MDCR_TPM | MDCR_TDOSA | MDCR_TDRA |
		   MDCR_TPMS | MDCR_TTRF;

	if (g->debug_by == GUEST_DEBUG_BY_USER)
		mdcr |= MDCR_TDE;
	if (g->debug_by != GUEST_DEBUG_BY_GUEST)
		mdcr |= MDCR_TDA;
	write_sysreg(mdcr_el2, mdcr);
	if (g->debug_by == GUEST_DEBUG_BY_NOBODY)
		return;
	bvr_write(g->debug->bvr, breakpoints());
	bcr_write(g->debug->bcr, breakpoints());
	wvr_write(g->debug->wvr, watchpoints());
	wcr_write(g->debug->wcr, watchpoints());
	write_sysreg(mdscr_el1, g->debug->mdscr);
	/* While user space debugs, no vector catch of the guest's comes in between. */
	if (guest_is_32bit(g))
		write_sysreg(SYS_DBGVCR32,
			     g->debug_by == GUEST_DEBUG_BY_GUEST ? g->reg[GR_DBGVCR32_EL2] : 0);
}

void guest_debug_put(struct guest_cpu *g)
{
	write_sysreg(mdcr_el2, g->host_mdcr);
	if (g->debug_by == GUEST_DEBUG_BY_NOBODY)
		return;
	if (g->debug_by == GUEST_DEBUG_BY_GUEST) {
		bvr_read(g->debug->bvr, breakpoints());
		bcr_read(g->debug->bcr, breakpoints());
		wvr_read(g->debug->wvr, watchpoints());
		wcr_read(g->debug->wcr, watchpoints());
		g->debug->mdscr = read_sysreg(mdscr_el1);
		if (guest_is_32bit(g))
			vector_catch_read(g);
	}
	write_sysreg(mdscr_el1, 0);
}
