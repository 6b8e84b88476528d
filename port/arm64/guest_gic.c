/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's CPU interface (Arm IHI 0069, 12.4). Priorities and masks are in the CPU while the vCPU
 * is loaded; list registers only while the guest runs and has interrupts. In between ICH_HCR_EL2.En
 * is 0, so that no maintenance interrupt is ever asserted outside of a guest.
 */
#include "guest_gic.h"

#include "sysreg.h"

#define SYS_ICH_HCR  S3_4_C12_C11_0
#define SYS_ICH_VTR  S3_4_C12_C11_1
#define SYS_ICH_VMCR S3_4_C12_C11_7
#define SYS_ICC_SRE2 S3_4_C12_C9_5

#define HCR_TC	    BIT(10)
#define HCR_TALL0   BIT(11)
#define HCR_TALL1   BIT(12)
#define HCR_TDIR    BIT(14)
#define HCR_LRENPIE BIT(2)
/* System registers, no legacy bypass. Without Enable: ICC_SRE_EL1 traps. */
#define SRE_NO_BYPASS 7

const struct port_gic *port_gic(void)
{
	static struct port_gic gic;

	if (!gic.lrs) {
		u64 vtr = read_sysreg(SYS_ICH_VTR);

		/* PRIbits; IDbits; SEIS and A3V, in another order */
		gic.ctlr = (u16)((vtr >> 29 & 7) << 8 | (vtr >> 23 & 7) << 11 |
				 (vtr >> 22 & 1) << 14 | (vtr >> 21 & 1) << 15);
		gic.aprs = (u8)(1U << ((vtr >> 26 & 7) + 1 - 5));
		/* Last: who sees it sees the others; all write the same. */
		__atomic_store_n(&gic.lrs, (u8)((vtr & 0x1f) + 1), __ATOMIC_RELEASE);
	}
	return &gic;
}

/* ---- active priorities: as many registers as there are bits of preemption */

static void aprs_load(const struct guest_gic *gic)
{
	switch (port_gic()->aprs) {
	case 4:
		write_sysreg(S3_4_C12_C8_3, gic->ap0r[3]);
		write_sysreg(S3_4_C12_C8_2, gic->ap0r[2]);
		write_sysreg(S3_4_C12_C9_3, gic->ap1r[3]);
		write_sysreg(S3_4_C12_C9_2, gic->ap1r[2]);
		__attribute__((fallthrough));
	case 2:
		write_sysreg(S3_4_C12_C8_1, gic->ap0r[1]);
		write_sysreg(S3_4_C12_C9_1, gic->ap1r[1]);
		__attribute__((fallthrough));
	default:
		write_sysreg(S3_4_C12_C8_0, gic->ap0r[0]);
		write_sysreg(S3_4_C12_C9_0, gic->ap1r[0]);
	}
}

static void aprs_save(struct guest_gic *gic)
{
	switch (port_gic()->aprs) {
	case 4:
		gic->ap0r[3] = read_sysreg(S3_4_C12_C8_3);
		gic->ap0r[2] = read_sysreg(S3_4_C12_C8_2);
		gic->ap1r[3] = read_sysreg(S3_4_C12_C9_3);
		gic->ap1r[2] = read_sysreg(S3_4_C12_C9_2);
		__attribute__((fallthrough));
	case 2:
		gic->ap0r[1] = read_sysreg(S3_4_C12_C8_1);
		gic->ap1r[1] = read_sysreg(S3_4_C12_C9_1);
		__attribute__((fallthrough));
	default:
		gic->ap0r[0] = read_sysreg(S3_4_C12_C8_0);
		gic->ap1r[0] = read_sysreg(S3_4_C12_C9_0);
	}
}

void guest_gic_load(const struct guest_gic *gic)
{
	write_sysreg(SYS_ICC_SRE2, SRE_NO_BYPASS);
	if (!gic->present) {
		write_sysreg(SYS_ICH_HCR, HCR_TC | HCR_TALL0 | HCR_TALL1);
		return;
	}
	write_sysreg(SYS_ICH_HCR, gic->trap_dir ? HCR_TDIR : 0);
	write_sysreg(SYS_ICH_VMCR, gic->vmcr);
	aprs_load(gic);
}

void guest_gic_put(struct guest_gic *gic)
{
	if (!gic->present)
		return;
	gic->vmcr = read_sysreg(SYS_ICH_VMCR);
	aprs_save(gic);
}

u64 port_guest_gic_vmcr(void)
{
	return read_sysreg(SYS_ICH_VMCR);
}

/* ---- list registers, from the last that is used to the first */

#define LIST_REGISTERS(X)                                                                          \
	X(15, S3_4_C12_C13_7)                                                                      \
	X(14, S3_4_C12_C13_6)                                                                      \
	X(13, S3_4_C12_C13_5)                                                                      \
	X(12, S3_4_C12_C13_4)                                                                      \
	X(11, S3_4_C12_C13_3)                                                                      \
	X(10, S3_4_C12_C13_2)                                                                      \
	X(9, S3_4_C12_C13_1)                                                                       \
	X(8, S3_4_C12_C13_0)                                                                       \
	X(7, S3_4_C12_C12_7)                                                                       \
	X(6, S3_4_C12_C12_6)                                                                       \
	X(5, S3_4_C12_C12_5)                                                                       \
	X(4, S3_4_C12_C12_4)                                                                       \
	X(3, S3_4_C12_C12_3)                                                                       \
	X(2, S3_4_C12_C12_2)                                                                       \
	X(1, S3_4_C12_C12_1)                                                                       \
	X(0, S3_4_C12_C12_0)

void port_guest_gic_give(const struct vgic_lrs *in)
{
	switch (in->used - 1) {
#define X(n, reg)                                                                                  \
	case n: write_sysreg(reg, in->lr[n]); __attribute__((fallthrough));
		LIST_REGISTERS(X)
#undef X
	default: break;
	}
	write_sysreg(SYS_ICH_HCR, in->hcr);
}

void port_guest_gic_take(struct vgic_lrs *out)
{
	if (out->hcr & HCR_LRENPIE)
		out->hcr = read_sysreg(SYS_ICH_HCR);
	write_sysreg(SYS_ICH_HCR, out->hcr & HCR_TDIR);
	switch (out->used - 1) {
#define X(n, reg)                                                                                  \
	case n:                                                                                    \
		out->lr[n] = read_sysreg(reg);                                                     \
		write_sysreg(reg, 0);                                                              \
		__attribute__((fallthrough));
		LIST_REGISTERS(X)
#undef X
	default: break;
	}
	/* The maintenance interrupt has gone before the CPU asks for interrupts. */
	isb();
}
