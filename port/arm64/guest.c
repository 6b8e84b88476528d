/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's system registers in the CPU: load, put, and the EL2 controls that confine it. With VHE
 * the guest's EL1 registers are reached by their EL12 names (Arm ARM D13, D5.6).
 */
#include "kvm/port.h"

#include "asm.h"
#include "cpu.h"
#include "guest.h"
#include "guest_debug.h"
#include "guest_gic.h"
#include "guest_keys.h"
#include "kernel/port.h"
#include "sysreg.h"
#include "percpu.h"

_Static_assert(offsetof(struct guest_cpu, x) == GUEST_X(0), "known to guest_entry.S");
_Static_assert(offsetof(struct guest_cpu, pc) == GUEST_PC, "known to guest_entry.S");
_Static_assert(offsetof(struct guest_cpu, pstate) == GUEST_PSTATE, "known to guest_entry.S");
_Static_assert(offsetof(struct guest_cpu, hcr) == GUEST_HCR, "known to guest_entry.S");
_Static_assert(offsetof(struct guest_cpu, esr) == GUEST_ESR, "known to guest_entry.S");
_Static_assert(offsetof(struct guest_cpu, far) == GUEST_FAR, "known to guest_entry.S");
_Static_assert(offsetof(struct guest_cpu, hpfar) == GUEST_HPFAR, "known to guest_entry.S");
_Static_assert(offsetof(struct guest_cpu, host_hcr) == GUEST_HOST_HCR, "known to guest_entry.S");
_Static_assert((unsigned int)GUEST_EXITED_SYNC == GUEST_EXIT_SYNC, "known to vectors.S");
_Static_assert((unsigned int)GUEST_EXITED_IRQ == GUEST_EXIT_IRQ, "known to vectors.S");
_Static_assert((unsigned int)GUEST_EXITED_FIQ == GUEST_EXIT_FIQ, "known to vectors.S");
_Static_assert((unsigned int)GUEST_EXITED_SERROR == GUEST_EXIT_SERROR, "known to vectors.S");
_Static_assert(offsetof(struct guest_fpsimd, fpsr) == offsetof(struct user_fpsimd, fpsr),
	       "saved and loaded by the same routines as a program's");

/* The live registers by the names that reach a guest's from EL2. */
#define ENC_SCTLR_EL1	   S3_5_C1_C0_0
#define ENC_CPACR_EL1	   S3_5_C1_C0_2
#define ENC_TTBR0_EL1	   S3_5_C2_C0_0
#define ENC_TTBR1_EL1	   S3_5_C2_C0_1
#define ENC_TCR_EL1	   S3_5_C2_C0_2
#define ENC_SPSR_EL1	   S3_5_C4_C0_0
#define ENC_ELR_EL1	   S3_5_C4_C0_1
#define ENC_AFSR0_EL1	   S3_5_C5_C1_0
#define ENC_AFSR1_EL1	   S3_5_C5_C1_1
#define ENC_ESR_EL1	   S3_5_C5_C2_0
#define ENC_FAR_EL1	   S3_5_C6_C0_0
#define ENC_MAIR_EL1	   S3_5_C10_C2_0
#define ENC_AMAIR_EL1	   S3_5_C10_C3_0
#define ENC_VBAR_EL1	   S3_5_C12_C0_0
#define ENC_CONTEXTIDR_EL1 S3_5_C13_C0_1
#define ENC_CNTKCTL_EL1	   S3_5_C14_C1_0
#define ENC_CNTP_CTL_EL0   S3_5_C14_C2_1
#define ENC_CNTP_CVAL_EL0  S3_5_C14_C2_2
#define ENC_CNTV_CTL_EL0   S3_5_C14_C3_1
#define ENC_CNTV_CVAL_EL0  S3_5_C14_C3_2
#define ENC_PAR_EL1	   S3_0_C7_C4_0
#define ENC_TPIDR_EL1	   S3_0_C13_C0_4
#define ENC_SP_EL1	   S3_4_C4_C1_0
#define ENC_SP_EL0	   S3_0_C4_C1_0
#define ENC_TPIDR_EL0	   S3_3_C13_C0_2
#define ENC_TPIDRRO_EL0	   S3_3_C13_C0_3
#define ENC_SPSR_IRQ	   S3_4_C4_C3_0
#define ENC_SPSR_ABT	   S3_4_C4_C3_1
#define ENC_SPSR_UND	   S3_4_C4_C3_2
#define ENC_SPSR_FIQ	   S3_4_C4_C3_3
#define ENC_DACR32_EL2	   S3_4_C3_C0_0
#define ENC_IFSR32_EL2	   S3_4_C5_C0_1
#define ENC_FPEXC32_EL2	   S3_4_C5_C3_0

#define HCR_VM	   BIT(0)
#define HCR_PTW	   BIT(2)
#define HCR_FMO	   BIT(3)
#define HCR_IMO	   BIT(4)
#define HCR_AMO	   BIT(5)
#define HCR_FB	   BIT(9)
#define HCR_BSU_IS BIT(10)
#define HCR_TWI	   BIT(13)
#define HCR_TWE	   BIT(14)
#define HCR_TID1   BIT(16)
#define HCR_TID2   BIT(17)
#define HCR_TID3   BIT(18)
#define HCR_TSC	   BIT(19)
#define HCR_TIDCP  BIT(20)
#define HCR_TACR   BIT(21)
#define HCR_TSW	   BIT(22)
#define HCR_TPCP   BIT(23)
#define HCR_TPU	   BIT(24)
#define HCR_TGE	   BIT(27)
#define HCR_E2H	   BIT(34)
#define HCR_TLOR   BIT(35)
#define HCR_TERR   BIT(36)
#define HCR_FWB	   BIT(46)
#define HCR_TID5   BIT(58)

/* What decides how stage 2 translates. */
#define HCR_STAGE2 (HCR_VM | HCR_PTW | HCR_FWB)

/* FP and SIMD belong to the guest; trace, SVE, SME and the activity monitors trap. */
#define CPTR_FPEN (3UL << 20)
#define CPTR_TTA  BIT(28)
#define CPTR_TAM  BIT(30)

/* CNTHCTL_EL2 with E2H: EL0 reads CNTVCT_EL0; EL1 and EL0 may use the physical counter, and timer.
 */
#define CNTHCTL_EL0VCTEN BIT(1)
#define CNTHCTL_EL1PCTEN BIT(10)
#define CNTHCTL_EL1PTEN	 BIT(11)

#define PAR_F BIT(0)

u64 port_guest_hcr(void)
{
	u64 hcr = HCR_VM | HCR_PTW | HCR_FMO | HCR_IMO | HCR_AMO | HCR_FB | HCR_BSU_IS | HCR_TWI |
		  HCR_TID1 | HCR_TID2 | HCR_TID3 | HCR_TSC | HCR_TIDCP | HCR_TACR | HCR_TSW |
		  GUEST_HCR_RW | HCR_E2H | HCR_TLOR;
	u64 pfr0 = read_sysreg(S3_0_C0_C4_0);
	u64 pfr1 = read_sysreg(S3_0_C0_C4_1);

	if (cpu_features.fwb)
		hcr |= HCR_FWB;
	else
		hcr |= GUEST_HCR_TVM;
	if (cpu_features.trap_cmo)
		hcr |= HCR_TPCP | HCR_TPU;
	if ((pfr0 >> 28) & 0xf) /* RAS, which guests do not see */
		hcr |= HCR_TERR;
	if (((pfr1 >> 8) & 0xf) >= 2) /* MTE2: GMID_EL1 exists */
		hcr |= HCR_TID5;
	return hcr;
}

/* What is cached in TLBs, so that a write costs more than a read (QEMU flushes its own for TCR). */
#define IS_TRANSLATION_CONTROL(name)                                                               \
	(GR_##name == GR_SCTLR_EL1 || GR_##name == GR_TCR_EL1 || GR_##name == GR_TTBR0_EL1 ||      \
	 GR_##name == GR_TTBR1_EL1)

/*
 * When, by the CPU's own counter, the guest's physical timer expires, which compares with a counter
 * that is cntpoff behind (Arm ARM D11.2.4: CNTPCT - CVAL >= 0, unsigned).
 */
static u64 physical_timer_moment(const struct guest_cpu *g)
{
	u64 now = port_counter(), count = now - g->cntpoff, cval = g->reg[GR_CNTP_CVAL_EL0];

	if (cval <= count)
		return 0;
	return cval - count > UINT64_MAX - now ? UINT64_MAX : now + (cval - count);
}

/* With AArch64 alone at EL1 these registers may not exist. */
static void live_regs32_load(const struct guest_cpu *g)
{
#define X(name) write_sysreg(ENC_##name, g->reg[GR_##name]);
	GUEST_LIVE_REGS32(X)
#undef X
}

static void live_regs32_save(struct guest_cpu *g)
{
#define X(name) g->reg[GR_##name] = read_sysreg(ENC_##name);
	GUEST_LIVE_REGS32(X)
#undef X
}

static void live_regs_load(const struct guest_cpu *g)
{
#define X(name)                                                                                    \
	if (!IS_TRANSLATION_CONTROL(name) || read_sysreg(ENC_##name) != g->reg[GR_##name])         \
		write_sysreg(ENC_##name, g->reg[GR_##name]);
	GUEST_LIVE_REGS(X)
#undef X
	if (g->cntpoff)
		write_sysreg(ENC_CNTP_CVAL_EL0, physical_timer_moment(g));
}

static void live_regs_save(struct guest_cpu *g)
{
	u64 cval = g->reg[GR_CNTP_CVAL_EL0];

#define X(name) g->reg[GR_##name] = read_sysreg(ENC_##name);
	GUEST_LIVE_REGS(X)
#undef X
	if (g->cntpoff)
		g->reg[GR_CNTP_CVAL_EL0] = cval;
}

/* Most guests are 64-bit and have no keys: one question tells. */
static bool has_more_state(const struct guest_cpu *g)
{
	return (g->hcr & (GUEST_HCR_RW | GUEST_HCR_API)) != GUEST_HCR_RW;
}

static __attribute__((noinline)) void more_state_load(struct guest_cpu *g)
{
	if (guest_is_32bit(g))
		live_regs32_load(g);
	if (guest_has_pauth(g))
		guest_keys_load(g);
}

static __attribute__((noinline)) void more_state_put(struct guest_cpu *g)
{
	if (guest_is_32bit(g))
		live_regs32_save(g);
	if (guest_has_pauth(g))
		guest_keys_put(g);
}

void port_guest_regs_save(struct guest_cpu *g)
{
	live_regs_save(g);
	if (guest_is_32bit(g))
		live_regs32_save(g);
}

void port_guest_regs_restore(struct guest_cpu *g)
{
	live_regs_load(g);
	if (guest_is_32bit(g))
		live_regs32_load(g);
}

/* The controls that confine the guest and mean nothing to programs at EL0. */
static void confine(const struct guest_cpu *g)
{
	write_sysreg(vtcr_el2, g->vtcr);
	write_sysreg(vttbr_el2, g->vttbr);
	write_sysreg(vpidr_el2, g->vpidr);
	write_sysreg(vmpidr_el2, g->vmpidr);
	write_sysreg(cntvoff_el2, g->cntvoff);
	write_sysreg(cnthctl_el2,
		     CNTHCTL_EL0VCTEN | (g->cntpoff ? 0 : CNTHCTL_EL1PCTEN | CNTHCTL_EL1PTEN));
	write_sysreg(cptr_el2, CPTR_FPEN | CPTR_TTA | CPTR_TAM);
	guest_gic_load(&g->gic);
	if (cpu_features.hcx)
		write_sysreg(S3_4_C1_C2_2, 0);
}

void port_guest_load(struct guest_cpu *g)
{
	/*
	 * Under TGE these have no effect. Left as the guest's they need not change at each entry
	 * and exit, where an emulator drops all of its TLB when they do.
	 */
	g->host_hcr = read_sysreg(hcr_el2) & ~HCR_STAGE2;
	g->host_hcr |= g->hcr & HCR_STAGE2;
	write_sysreg(hcr_el2, g->host_hcr);
	g->host_tpidr = read_sysreg(tpidr_el0);
	g->host_tpidrro = read_sysreg(tpidrro_el0);
	g->host_mdcr = read_sysreg(mdcr_el2);
	port_fp_save((struct user_fpsimd *)&g->host_fp);
	port_fp_load((const struct user_fpsimd *)&g->fp);
	confine(g);
	guest_debug_load(g);
	live_regs_load(g);
	if (g->pmu)
		port_guest_pmu_start(g);
	this_percpu()->guest = g;
	if (has_more_state(g))
		more_state_load(g);
}

void port_guest_put(struct guest_cpu *g)
{
	live_regs_save(g);
	if (g->pmu)
		port_guest_pmu_stop(g);
	guest_debug_put(g);
	guest_gic_put(&g->gic);
	/* The guest's timers must not interrupt what runs next here. */
	write_sysreg(S3_5_C14_C3_1, 0);
	write_sysreg(S3_5_C14_C2_1, 0);
	write_sysreg(tpidr_el0, g->host_tpidr);
	write_sysreg(tpidrro_el0, g->host_tpidrro);
	port_fp_save((struct user_fpsimd *)&g->fp);
	port_fp_load((const struct user_fpsimd *)&g->host_fp);
	isb();
	this_percpu()->guest = NULL;
	if (has_more_state(g))
		more_state_put(g);
}

#define EC_MSR_MRS  0x18UL
#define ESR_RT(esr) ((esr) >> 5 & 0x1f)
/* Exception class and syndrome of MRS Xt, CTR_EL0, without t (Arm ARM D17.2.37). */
#define ESR_READS_CTR (EC_MSR_MRS << 26 | BIT(25) | 3UL << 20 | 1UL << 17 | 3UL << 14 | 1UL)
#define ESR_ANY_RT    (0x1fUL << 5)
#define PSTATE_BTYPE  GENMASK(11, 10)
#define PSTATE_SS     BIT(21)

static bool reads_ctr(const struct guest_cpu *g)
{
	return (g->esr & ~ESR_ANY_RT) == ESR_READS_CTR && !(g->pstate & PSTATE_SS);
}

static void answer_ctr(struct guest_cpu *g)
{
	if (ESR_RT(g->esr) < ARRAY_SIZE(g->x))
		g->x[ESR_RT(g->esr)] = g->ctr;
	g->pc += 4;
	g->pstate &= ~PSTATE_BTYPE;
	g->ctr_reads++;
}

/* An interrupt that is pending ends the next stay at once, so that nobody waits for a guest that
 * only reads CTR_EL0. */
enum guest_exit port_guest_enter(struct guest_cpu *g)
{
	enum guest_exit why;

	while ((why = (enum guest_exit)arm64_guest_switch(g)) == GUEST_EXITED_SYNC && reads_ctr(g))
		answer_ctr(g);
	return why;
}

/* An address translation instruction in the guest's context; gives PAR_EL1. */
#define GUEST_AT(g, insn, va)                                                                      \
	({                                                                                         \
		u64 __saved = read_sysreg(ENC_PAR_EL1), __par;                                     \
                                                                                                   \
		write_sysreg(hcr_el2, (g)->hcr);                                                   \
		isb();                                                                             \
		__asm__ volatile("at " insn ", %0" : : "r"(va) : "memory");                        \
		isb();                                                                             \
		__par = read_sysreg(ENC_PAR_EL1);                                                  \
		write_sysreg(hcr_el2, (g)->host_hcr);                                              \
		isb();                                                                             \
		write_sysreg(ENC_PAR_EL1, __saved);                                                \
		__par;                                                                             \
	})

u64 port_guest_translate(const struct guest_cpu *g, u64 va, enum guest_access how)
{
	switch (how) {
	case GUEST_READS_EL1: return GUEST_AT(g, "s12e1r", va);
	case GUEST_WRITES_EL1: return GUEST_AT(g, "s12e1w", va);
	case GUEST_READS_EL0: break;
	}
	return GUEST_AT(g, "s12e0r", va);
}

bool port_guest_find_ipa(struct guest_cpu *g)
{
	u64 par = GUEST_AT(g, "s1e1r", g->far);

	if (par & PAR_F)
		return false;
	g->hpfar = (par & GENMASK(47, 12)) >> 8;
	return true;
}

void port_guest_consume_serror(void)
{
	/* Taking it to EL2 has consumed it. With RAS absent there is no record to clear. */
}
