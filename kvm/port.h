/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kvm/ asks of the machine beyond host/port.h: a guest's register state, entering the guest,
 * and its timers. Implemented by port/arm64/guest_*.c.
 *
 * A vCPU is *loaded* while its registers live in the CPU. That lasts as long as its thread runs in
 * KVM_RUN, across exits that the kernel serves (design.md 4a); the general registers, PC, PSTATE
 * and HCR_EL2 are in struct guest_cpu whenever the guest itself does not run.
 */
#ifndef KVM_PORT_H
#define KVM_PORT_H

#include "host/port.h"
#include "kvm/lrs.h"

/*
 * System registers that are in the CPU while the vCPU is loaded (Arm ARM D13): X(name), in the
 * order in which they are loaded. Timer registers are the guest's own CNTV and CNTP.
 */
#define GUEST_LIVE_REGS(X)                                                                         \
	X(SCTLR_EL1)                                                                               \
	X(CPACR_EL1)                                                                               \
	X(TTBR0_EL1)                                                                               \
	X(TTBR1_EL1)                                                                               \
	X(TCR_EL1)                                                                                 \
	X(ESR_EL1)                                                                                 \
	X(AFSR0_EL1)                                                                               \
	X(AFSR1_EL1)                                                                               \
	X(FAR_EL1)                                                                                 \
	X(MAIR_EL1)                                                                                \
	X(AMAIR_EL1)                                                                               \
	X(VBAR_EL1)                                                                                \
	X(CONTEXTIDR_EL1)                                                                          \
	X(CNTKCTL_EL1)                                                                             \
	X(ELR_EL1)                                                                                 \
	X(SPSR_EL1)                                                                                \
	X(PAR_EL1)                                                                                 \
	X(TPIDR_EL1)                                                                               \
	X(SP_EL1)                                                                                  \
	X(SP_EL0)                                                                                  \
	X(TPIDR_EL0)                                                                               \
	X(TPIDRRO_EL0)                                                                             \
	X(CNTV_CVAL_EL0)                                                                           \
	X(CNTV_CTL_EL0)                                                                            \
	X(CNTP_CVAL_EL0)                                                                           \
	X(CNTP_CTL_EL0)

/*
 * The same for guests with AArch32 at EL1 alone: the banked SPSRs, in the order of struct kvm_regs,
 * and what AArch64 has no registers of its own for.
 */
#define GUEST_LIVE_REGS32(X)                                                                       \
	X(SPSR_ABT)                                                                                \
	X(SPSR_UND)                                                                                \
	X(SPSR_IRQ)                                                                                \
	X(SPSR_FIQ)                                                                                \
	X(DACR32_EL2)                                                                              \
	X(IFSR32_EL2)                                                                              \
	X(FPEXC32_EL2)

/* The keys of pointer authentication, for guests that have it (Arm ARM D8.10). */
#define GUEST_KEYS(X)                                                                              \
	X(APIAKEYLO_EL1)                                                                           \
	X(APIAKEYHI_EL1)                                                                           \
	X(APIBKEYLO_EL1)                                                                           \
	X(APIBKEYHI_EL1)                                                                           \
	X(APDAKEYLO_EL1)                                                                           \
	X(APDAKEYHI_EL1)                                                                           \
	X(APDBKEYLO_EL1)                                                                           \
	X(APDBKEYHI_EL1)                                                                           \
	X(APGAKEYLO_EL1)                                                                           \
	X(APGAKEYHI_EL1)

enum { GUEST_DEBUG_REGS = 16 };

enum guest_reg {
#define X(name) GR_##name,
	GUEST_LIVE_REGS(X)
#undef X
		GR_LIVE_COUNT,
	GR_BEFORE_LIVE32 = GR_LIVE_COUNT - 1,
#define X(name) GR_##name,
	GUEST_LIVE_REGS32(X)
#undef X
	/* Live while the guest has the debug registers (AArch32 alone) */
	GR_DBGVCR32_EL2,
#define X(name) GR_##name,
	GUEST_KEYS(X)
#undef X
	/* In memory only: every access of the guest traps. */
	GR_MPIDR_EL1,
	GR_ACTLR_EL1,
	GR_CSSELR_EL1,
	GR_CLIDR_EL1,
	GR_DISR_EL1,
	GR_OSLSR_EL1,
	GR_MDCCINT_EL1,
	GR_COUNT,
};

/* Laid out as struct user_fpsimd_state of <asm/ptrace.h>, less its padding. */
struct guest_fpsimd {
	__uint128_t v[32];
	u32 fpsr;
	u32 fpcr;
} __aligned(16);

/* The self-hosted debug registers. */
struct guest_debug {
	u64 bvr[GUEST_DEBUG_REGS];
	u64 bcr[GUEST_DEBUG_REGS];
	u64 wvr[GUEST_DEBUG_REGS];
	u64 wcr[GUEST_DEBUG_REGS];
	u64 mdscr;
};

/* Who uses the debug registers, which decides what traps. */
enum guest_debug_by {
	GUEST_DEBUG_BY_NOBODY, /* not loaded; the guest's accesses trap */
	GUEST_DEBUG_BY_GUEST,  /* loaded and saved; no trap */
	GUEST_DEBUG_BY_USER, /* loaded; accesses and debug exceptions trap (KVM_SET_GUEST_DEBUG) */
};

/* ---- performance monitors (PMUv3, Arm ARM D13) */
enum { PMU_CYCLES = 31, PMU_COUNTERS = 32 }; /* the cycle counter comes after all others */

/*
 * A guest's counters, as far as they count in the CPU while the vCPU is loaded: then counter n is
 * the CPU's counter n. Its accesses all trap.
 */
struct guest_pmu {
	u32 counting;	/* bit n: counter n does. 0: nothing is loaded */
	u32 overflowed; /* the same bits: those that did, until kvm/ takes them away */
	u32 control;	/* PMCR_EL0 to count with, but for E */
	u32 request;	/* is set in *requests (atomic) when one overflows */
	u32 *requests;
	u64 count[PMU_COUNTERS];
	u64 type[PMU_COUNTERS]; /* PMEVTYPER<n>_EL0, PMCCFILTR_EL0: nothing of EL2 */
};

/* What ended a stay in the guest. */
enum guest_exit { GUEST_EXITED_SYNC, GUEST_EXITED_IRQ, GUEST_EXITED_FIQ, GUEST_EXITED_SERROR };

enum { GUEST_APRS = 4 };

/* A guest's CPU interface (Arm IHI 0069, 12.4), but for its list registers. */
struct guest_gic {
	/* Set before load */
	bool present;  /* without it every access traps */
	bool trap_dir; /* ICC_DIR_EL1 traps, also while no list register is in use */
	u64 vmcr;      /* ICH_VMCR_EL2 */
	u64 ap0r[GUEST_APRS], ap1r[GUEST_APRS];
};

/* One vCPU's registers. The members up to host_hcr are known to assembly by offset. */
struct guest_cpu {
	u64 x[31];
	u64 pc;
	u64 pstate;
	u64 hcr; /* HCR_EL2 in the guest; VSE is cleared by the CPU once the SError is taken */
	u64 esr; /* of the last exit */
	u64 far;
	u64 hpfar;
	u64 host_hcr; /* HCR_EL2 outside; set by load */
	/* Set before load, constant while loaded */
	u64 vttbr;
	u64 vtcr;
	u64 vpidr;
	u64 vmpidr;
	u64 cntvoff;   /* CNTVOFF_EL2 */
	u64 ctr;       /* what the guest reads as CTR_EL0 */
	u64 ctr_reads; /* that were answered, so far */
	/*
	 * What the guest's physical counter lacks. If it is not 0, every access to that counter and
	 * its timer traps, and port_guest_regs_save() leaves GR_CNTP_CVAL_EL0 as it is: the CPU
	 * holds the moment by its own counter.
	 */
	u64 cntpoff;
	enum guest_debug_by debug_by;
	struct guest_debug *debug; /* what is loaded; may be NULL if by nobody */
	struct guest_pmu *pmu;	   /* NULL: it has none */
	u64 reg[GR_COUNT];
	struct guest_fpsimd fp;
	struct guest_gic gic;
	/* Of the host's thread, while loaded */
	struct guest_fpsimd host_fp;
	u64 host_tpidr;
	u64 host_tpidrro;
	u64 host_mdcr;
	u64 host_apga[2]; /* if the guest has pointer authentication */
};

/* Bits of HCR_EL2 that kvm/ decides by itself; the rest is port_guest_hcr()'s. */
#define GUEST_HCR_VF  BIT(6)  /* virtual FIQ pending */
#define GUEST_HCR_VI  BIT(7)  /* virtual IRQ pending */
#define GUEST_HCR_VSE BIT(8)  /* virtual SError pending */
#define GUEST_HCR_TVM BIT(26) /* trap writes to the registers of stage 1 */
#define GUEST_HCR_RW  BIT(31) /* EL1 is AArch64 */

#define GUEST_HCR_APK (1UL << 40) /* keys and */
#define GUEST_HCR_API (1UL << 41) /* instructions of pointer authentication do not trap */

static inline bool guest_has_pauth(const struct guest_cpu *g)
{
	return g->hcr & GUEST_HCR_API;
}

/* Is its EL1 AArch32? */
static inline bool guest_is_32bit(const struct guest_cpu *g)
{
	return !(g->hcr & GUEST_HCR_RW);
}

/* HCR_EL2 for a fresh vCPU: 64-bit EL1, stage 2 on, everything trapped that must be. */
u64 port_guest_hcr(void);
/* Puts the guest's state into the CPU and the host thread's into @g. Interrupts masked, no other
 * vCPU is loaded here. */
void port_guest_load(struct guest_cpu *g);
/* The reverse. */
void port_guest_put(struct guest_cpu *g);
/* Copies the live system registers to @g->reg, or back; they stay loaded. For traps that read or
 * change them. */
void port_guest_regs_save(struct guest_cpu *g);
void port_guest_regs_restore(struct guest_cpu *g);
/*
 * Runs the guest until it traps or an interrupt comes; interrupts masked, @g loaded. Reads of
 * CTR_EL0, which trap with the registers of cache geometry and which Linux makes before each
 * maintenance of a range, are answered on the way, unless the guest is stepped. After a
 * synchronous exit esr, far and hpfar are valid as the CPU gave them.
 */
enum guest_exit port_guest_enter(struct guest_cpu *g);
/*
 * Makes @g->hpfar valid after a stage-2 abort for which the CPU does not report it, by walking the
 * guest's stage 1. False: the walk failed (the guest changed it meanwhile); run the guest again.
 */
bool port_guest_find_ipa(struct guest_cpu *g);
/* An access by the guest, with the rights of that exception level. */
enum guest_access { GUEST_READS_EL1, GUEST_WRITES_EL1, GUEST_READS_EL0 };
/*
 * What both stages of the guest now loaded make of @va, as PAR_EL1 has it (Arm ARM D19.2.118, AT
 * S12E1R, S12E1W, S12E0R at EL2). The guest's own PAR_EL1 is kept. Interrupts masked.
 */
u64 port_guest_translate(const struct guest_cpu *g, u64 va, enum guest_access how);
/* The live SCTLR_EL1. */
static inline u64 port_guest_sctlr(void);
/* Takes and handles the host's pending interrupts; then they are masked again. */
static inline void port_guest_irq(void)
{
	port_irq_point();
}
/* The SError that ended a stay in the guest, or that is pending now, is consumed. */
void port_guest_consume_serror(void);

/* ---- the guest's timers. Live values; the vCPU is loaded. */
enum guest_timer { GUEST_TIMER_VIRTUAL, GUEST_TIMER_PHYSICAL, GUEST_TIMERS };
/* Bit n: timer n asserts its interrupt (enabled, not masked, condition met). */
static inline unsigned int port_guest_timer_lines(void);
/* Lets the interrupts of the timers whose bits are set in @lines reach this CPU, and no others: a
 * line that is asserted and known would otherwise interrupt without end. */
void port_guest_timer_unmask(unsigned int lines);
/* The counter the timers count by, and its frequency in Hz. */
u64 port_counter(void);
u64 port_counter_hz(void);

/* ---- the guest's interrupts: the virtual CPU interface (kvm/vgic.h says what goes where) */
struct port_gic {
	u8 lrs;	  /* list registers */
	u8 aprs;  /* active priority registers of each group */
	u16 ctlr; /* ICC_CTLR_EL1's constant fields, as a guest sees them */
};
/* The same on all CPUs; constant. */
const struct port_gic *port_gic(void);
/* Gives the loaded guest what @in has, until port_guest_gic_take(). */
void port_guest_gic_give(const struct vgic_lrs *in);
/* Takes it back, changed by the guest; then it has none. */
void port_guest_gic_take(struct vgic_lrs *out);
/* The live ICH_VMCR_EL2. */
u64 port_guest_gic_vmcr(void);

/* ---- the guest's performance monitors */
struct port_pmu {
	u8 version;    /* ID_AA64DFR0_EL1.PMUVer */
	u8 counters;   /* beside the cycle counter */
	u64 events[2]; /* PMCEID0_EL0, PMCEID1_EL0 */
};
/* The same on all CPUs; constant. NULL: there are none, or their interrupt is not known. */
const struct port_pmu *port_pmu(void);
/* What of the loaded @g->pmu is to count does so from the next entry on. An overflow brings the CPU
 * out of the guest. */
void port_guest_pmu_start(struct guest_cpu *g);
/* Until here: counts and overflowed are up to date, and the CPU has nothing of it. */
void port_guest_pmu_stop(struct guest_cpu *g);

/* The engine's port on this machine (engine/port.h). When all CPUs are up. */
struct port *port_engine(void);

/* ---- facts of the CPU */
/* ID register (op0 = 3, op1 = 0, CRn = 0, @crm, @op2) of the host, and some that lie elsewhere. */
u64 port_host_id_reg(unsigned int crm, unsigned int op2);
u64 port_host_midr(void);
u64 port_host_revidr(void);
u64 port_host_aidr(void);
u64 port_host_ctr(void);
/* CCSIDR_EL1 for a CSSELR_EL1 value. */
u64 port_host_ccsidr(u32 csselr);

#include "kvm_port.h"

#endif
