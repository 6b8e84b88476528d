/* SPDX-License-Identifier: Apache-2.0 */
/* What passes between the vGIC, which is pure, and the CPU's list registers: part of kvm/port.h. */
#ifndef KVM_LRS_H
#define KVM_LRS_H

#include "engine/types.h"

enum { VGIC_LRS_MAX = 16 };

struct vgic_lrs {
	u64 lr[VGIC_LRS_MAX]; /* ICH_LR<n>_EL2 */
	u32 used;	      /* the first so many; the others are 0 */
	u64 hcr;	      /* ICH_HCR_EL2 */
};

#endif
