/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage-1 tables for guests that run with the MMU on: 39-bit addresses, 4 KiB granule. The first
 * GiB is Device memory, one block; the second, where GUEST_RAM is, goes by blocks of 2 MiB, each as
 * the test says.
 */
#ifndef TESTS_TARGET_GUEST_MMU_H
#define TESTS_TARGET_GUEST_MMU_H

#include "tests/target/client.h"

/* Bits of a descriptor. */
enum {
	S1_BLOCK = 0x1,
	S1_TABLE = 0x3,
	S1_PAGE = 0x3,
	S1_DEVICE = 1 << 2, /* attribute 1 of MAIR_EL1; else Normal write-back */
	S1_EL0 = 1 << 6,
	S1_READ_ONLY = 1 << 7,
	S1_SHARED = 3 << 8,
	S1_AF = 1 << 10,
};
/* What most need. Memory that EL0 can write is not executable at EL1. */
#define S1_DATA (S1_SHARED | S1_AF | S1_EL0)
#define S1_CODE (S1_DATA | S1_READ_ONLY)

/* Bits of SCTLR_EL1. */
enum {
	SCTLR_ALWAYS = 0x30d00800, /* RES1 */
	SCTLR_M = 1 << 0,
	SCTLR_C = 1 << 2,
	SCTLR_I = 1 << 12,
	SCTLR_DZE = 1 << 14,
	SCTLR_UCI = 1 << 26,
};
#define SCTLR_ON (SCTLR_ALWAYS | SCTLR_M | SCTLR_C | SCTLR_I | SCTLR_DZE | SCTLR_UCI)
/* TCR_EL1: T0SZ 25, write-back inner-shareable walks, no TTBR1_EL1, 40-bit output. */
#define TCR_39_BITS 0x200803519UL
#define TCR_HA	    (1UL << 39) /* hardware sets the Access flag */

struct guest_mmu {
	uint64_t *top;	/* two entries */
	uint64_t *gib;	/* entries of the second GiB, 2 MiB each */
	uint64_t table; /* where `top` is for the guest */
};

/* Tables in the 8 KiB at @hva, @gpa for the guest; the first 2 MiB of GUEST_RAM are code. */
void guest_mmu_init(struct guest_mmu *mmu, void *hva, uint64_t gpa);
/* The 2 MiB at @va, in the second GiB, get the descriptor @desc. */
void guest_mmu_set(struct guest_mmu *mmu, uint64_t va, uint64_t desc);
/* Registers of stage 1 as @mmu has them, with the MMU and caches on, and VBAR_EL1. */
void guest_mmu_on(struct vcpu *vcpu, const struct guest_mmu *mmu, uint64_t vectors);

#define REG_SCTLR_EL1 ARM64_SYS_REG(3, 0, 1, 0, 0)
#define REG_TTBR0_EL1 ARM64_SYS_REG(3, 0, 2, 0, 0)
#define REG_TTBR1_EL1 ARM64_SYS_REG(3, 0, 2, 0, 1)
#define REG_TCR_EL1   ARM64_SYS_REG(3, 0, 2, 0, 2)
#define REG_MAIR_EL1  ARM64_SYS_REG(3, 0, 10, 2, 0)
#define REG_VBAR_EL1  ARM64_SYS_REG(3, 0, 12, 0, 0)

/*
 * Vectors that report a synchronous exception: ESR_EL1, FAR_EL1 and ELR_EL1 are stored to
 * GUEST_MMIO + REPORT_ESR and the next two. x19 is GUEST_MMIO.
 */
enum { REPORT_DONE = 0, REPORT_ESR = 8, REPORT_FAR = 16, REPORT_ELR = 24 };
extern const char guest_vectors[], guest_vectors_end[];

/* How a guest's instruction ended. */
struct guest_end {
	int error;     /* of KVM_RUN; 0: by exit, or as follows */
	uint32_t exit; /* KVM_EXIT_MMIO outside of GUEST_MMIO, or another; 0: as follows */
	uint64_t esr;  /* 0: no exception, the guest got to the end */
	uint64_t far;
};
/* Runs until GUEST_MMIO is written (REPORT_DONE, or vectors), or another exit. */
struct guest_end guest_run_to_end(struct vcpu *vcpu);

#endif
