/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System registers by their AArch64 encoding, and AArch32's coprocessor registers as views of them
 * (Arm ARM G1.20.2, K15.1). Pure, so that it is also built natively.
 */
#ifndef KVM_COPROC_H
#define KVM_COPROC_H

#include "kvm/sysreg.h"

/* Registers of AArch32 that AArch64 has no counterpart of, by encodings that are none of op0 2 or
 * 3. */
#define SR_AARCH32_ZERO SR(0, 0, 0, 0, 0) /* reads 0, writes are ignored */
#define SR_AARCH32_DIDR SR(0, 0, 0, 0, 1) /* DBGDIDR */

/* Which part of the register an access means. */
enum sr_view {
	SR_WHOLE, /* AArch64's: 64 bits in one general register */
	SR_LOW,	  /* 32 bits; a write keeps the others */
	SR_HIGH,
	SR_PAIR, /* 64 bits in two general registers, the lower half in rt */
};

struct sr_access {
	u16 sr;
	u8 rt, rt2; /* by their AArch64 names; 31: none */
	u8 view;    /* enum sr_view */
	bool is_read;
};

/*
 * The access of a trapped MRC, MCR, MRRC, MCRR or VMRS, by @esr: the classes 0x03 to 0x05, 0x08
 * and 0x0c (D19.2.37); none of LDC and STC. A system instruction has op0 1. False: there is no such
 * register for guests.
 */
bool coproc_decode(u64 esr, struct sr_access *a);

/* The syndrome that AArch64's MRS, MSR or SYS of the same register would have, without its class.
 */
u64 sr_access_iss(const struct sr_access *a);

#endif
