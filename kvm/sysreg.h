/* SPDX-License-Identifier: Apache-2.0 */
/* System registers by their encoding as ONE_REG has it: op0, op1, CRn, CRm, op2. */
#ifndef KVM_SYSREG_H
#define KVM_SYSREG_H

#include "engine/types.h"

#define SR(op0, op1, crn, crm, op2)                                                                \
	((u16)((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2)))
#define SR_OP0(sr) ((sr) >> 14)
#define SR_OP1(sr) ((sr) >> 11 & 7)
#define SR_CRN(sr) ((sr) >> 7 & 0xf)
#define SR_CRM(sr) ((sr) >> 3 & 0xf)
#define SR_OP2(sr) ((sr)&7)

/* Its number for KVM_GET_ONE_REG. */
#define SR_ID(sr) (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM64_SYSREG | (sr))

#endif
