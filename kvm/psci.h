/* SPDX-License-Identifier: Apache-2.0 */
/* What hypercall.c and psci.c share. */
#ifndef KVM_PSCI_H
#define KVM_PSCI_H

#include "engine/types.h"

struct vcpu;

/* SMCCC (DEN 0028), its version call, in the range of the architecture's own. */
#define SMCCC_VERSION 0x80000000U

/* The PSCI version the vCPU's guest gets, as PSCI_VERSION returns it. */
u32 psci_version_of(const struct vcpu *v);

#endif
