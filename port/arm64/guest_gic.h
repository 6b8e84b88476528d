/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's CPU interface in the CPU: for guest.c. */
#ifndef PORT_ARM64_GUEST_GIC_H
#define PORT_ARM64_GUEST_GIC_H

#include "kvm/port.h"

void guest_gic_load(const struct guest_gic *gic);
void guest_gic_put(struct guest_gic *gic);

#endif
