/* SPDX-License-Identifier: Apache-2.0 */
/* The debug registers of a loaded vCPU; see guest_debug.c. */
#ifndef PORT_ARM64_GUEST_DEBUG_H
#define PORT_ARM64_GUEST_DEBUG_H

struct guest_cpu;

/* Both: interrupts masked, as part of port_guest_load() and port_guest_put(). */
void guest_debug_load(struct guest_cpu *g);
void guest_debug_put(struct guest_cpu *g);

#endif
