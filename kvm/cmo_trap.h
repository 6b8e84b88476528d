/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache maintenance by address that a guest executes and HCR_EL2.TPCP and TPU trap: which
 * instruction it is, and which abort hardware would have raised (M12). Pure, so that it is also
 * built natively.
 */
#ifndef KVM_CMO_TRAP_H
#define KVM_CMO_TRAP_H

#include "engine/host_ops.h"

enum cmo_what {
	CMO_DATA_LINE,	 /* DC IVAC, CVAC, CVAU, CVAP, CVADP, CIVAC */
	CMO_FETCH_LINE,	 /* IC IVAU */
	CMO_ALL_FETCHES, /* IC IALLU, IALLUIS: no address, so no abort */
};

struct cmo_op {
	enum cmo_what what;
	enum mem_access access; /* the permission it needs: a write for DC IVAC, else a read */
	u8 rt;			/* the register with the address; 31: zero */
};

/* The instruction of @esr, whose class is 0x18 (Arm ARM D19.2.37, C5.4). False: no maintenance that
 * TPCP or TPU trap. */
bool cmo_decode(u64 esr, struct cmo_op *op);

/* What an address translation instruction of both stages, executed at EL2, says of the access. */
enum cmo_verdict {
	CMO_PERFORM,	  /* both stages allow it */
	CMO_STAGE1_FAULT, /* the guest's own */
	CMO_STAGE2_FAULT, /* of the address itself */
	CMO_WALK_FAULT,	  /* stage 2, of the address of a stage-1 descriptor */
};
/* By PAR_EL1 (Arm ARM D19.2.118). */
enum cmo_verdict cmo_verdict(u64 par);

/* The syndrome of the data abort that @par stands for, but for its class: CM and WnR are set, as
 * for any maintenance (Arm ARM D19.2.37, ISS of a data abort). */
u64 cmo_abort_iss(u64 par);
/* Does @par say that a permission is missing? */
bool cmo_lacks_permission(u64 par);
/* The output address, of a translation that worked: of the page. */
pa_t cmo_output(u64 par);

#endif
