/* SPDX-License-Identifier: Apache-2.0 */
/* Access to system registers, and the encodings of those that the assembler may not know. */
#ifndef PORT_ARM64_SYSREG_H
#define PORT_ARM64_SYSREG_H

#include "engine/types.h"

#define sysreg_string_(x) #x
#define sysreg_string(x)  sysreg_string_(x)

/* @reg is a name or an S<op0>_<op1>_C<n>_C<m>_<op2> encoding. */
#define read_sysreg(reg)                                                                           \
	({                                                                                         \
		u64 __v;                                                                           \
		__asm__ volatile("mrs %0, " sysreg_string(reg) : "=r"(__v)::"memory");             \
		__v;                                                                               \
	})
#define write_sysreg(reg, value)                                                                   \
	__asm__ volatile("msr " sysreg_string(reg) ", %0" ::"r"((u64)(value)) : "memory")

static inline void isb(void)
{
	__asm__ volatile("isb" ::: "memory");
}

/* An unsigned 4-bit field of an ID register. */
static inline unsigned int id_field(u64 reg, unsigned int shift)
{
	return (unsigned int)(reg >> shift) & 0xf;
}

#define SYS_ICC_IAR1_EL1    S3_0_C12_C12_0
#define SYS_ICC_EOIR1_EL1   S3_0_C12_C12_1
#define SYS_ICC_BPR1_EL1    S3_0_C12_C12_3
#define SYS_ICC_CTLR_EL1    S3_0_C12_C12_4
#define SYS_ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define SYS_ICC_PMR_EL1	    S3_0_C4_C6_0
#define SYS_ICC_SGI1R_EL1   S3_0_C12_C11_5

#define SYS_RNDR      S3_3_C2_C4_0
#define SYS_HCRX_EL2  S3_4_C1_C2_2
#define SYS_HFGRTR    S3_4_C1_C1_4
#define SYS_HFGWTR    S3_4_C1_C1_5
#define SYS_HFGITR    S3_4_C1_C1_6
#define SYS_HDFGRTR   S3_4_C3_C1_4
#define SYS_HDFGWTR   S3_4_C3_C1_5
#define SYS_HAFGRTR   S3_4_C3_C1_6
#define SYS_AMUSERENR S3_3_C13_C2_3

#define MPIDR_AFFINITY 0xff00ffffffUL

#endif
