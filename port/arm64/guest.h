/* SPDX-License-Identifier: Apache-2.0 */
/* Offsets in struct guest_cpu (kvm/port.h) for guest_entry.S; guest.c asserts that they are right.
 */
#ifndef PORT_ARM64_GUEST_H
#define PORT_ARM64_GUEST_H

#define GUEST_X(n)     (8 * (n))
#define GUEST_PC       248
#define GUEST_PSTATE   256
#define GUEST_HCR      264
#define GUEST_ESR      272
#define GUEST_FAR      280
#define GUEST_HPFAR    288
#define GUEST_HOST_HCR 296

/* What arm64_guest_switch() keeps on the stack: x19..x30 and the pointer to struct guest_cpu. */
#define GUEST_SAVE_SIZE 112
#define GUEST_SAVE_CPU	96

#ifndef __ASSEMBLY__
struct guest_cpu;
/* Enters the guest; GUEST_EXIT_* when it is left. Interrupts masked, the vCPU loaded. */
unsigned int arm64_guest_switch(struct guest_cpu *g);
#endif

#endif
