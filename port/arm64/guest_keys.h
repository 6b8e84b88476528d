/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_ARM64_GUEST_KEYS_H
#define PORT_ARM64_GUEST_KEYS_H

struct guest_cpu;

/* Both: interrupts masked, as part of port_guest_load() and port_guest_put(); the guest has pointer
 * authentication. */
void guest_keys_load(struct guest_cpu *g);
void guest_keys_put(struct guest_cpu *g);

#endif
