/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the CPUs can do, as far as it changes what the kernel does: read from the ID registers, less
 * what the command line hides (abi/catwalk_run.h). All CPUs are alike; one that is not is not
 * brought up.
 */
#ifndef PORT_ARM64_CPU_H
#define PORT_ARM64_CPU_H

#include "engine/types.h"

struct cpu_features {
	bool fwb; /* HCR_EL2.FWB: stage 2 can force write-back (FEAT_S2FWB) */
	bool dic; /* no instruction cache invalidation for coherence (CTR_EL0.DIC) */
	bool idc; /* no data cleaning to PoU for coherence: CTR_EL0.IDC, or no such level, or FWB */
	u8 bbm;	  /* FEAT_BBM level, 0..2 */
	bool range_tlbi; /* FEAT_TLBIRANGE */
	bool ttl;	 /* level hints in TLBI (FEAT_TTL) */
	bool haf;	 /* hardware sets the access flag */
	bool hafdbs;	 /* hardware also manages dirty state */
	bool xnx;	 /* separate stage-2 execute-never for EL0 and EL1 (FEAT_XNX) */
	bool rndr;	 /* FEAT_RNG */
	bool fgt;	 /* fine-grained traps */
	bool hcx;	 /* HCRX_EL2 */
	bool evt;	 /* HCR_EL2.TTLBIS and friends */
	u8 pmu;		 /* ID_AA64DFR0_EL1.PMUVer of PMUv3; 0: none */
	u8 pa_bits;	 /* 32..52 */
	u8 vmid_bits;	 /* 8 or 16; fewer by vmid.bits=N */
	u8 asid_bits;	 /* 8 or 16 */
	u32 dcache_line; /* smallest line in bytes, by CTR_EL0 */
	u32 icache_line;
	u32 zva_size;  /* bytes DC ZVA zeroes; 0: prohibited */
	bool trap_cmo; /* by choice (cmo=trap): guests' cache maintenance by address traps */
};

/* Valid from kernel_main() on, and never changed after. */
extern struct cpu_features cpu_features;

#endif
