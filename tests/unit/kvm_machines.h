/* SPDX-License-Identifier: Apache-2.0 */
/* The two kinds of machine that the tests of KVM's memory half run on, and the end of such a test.
 */
#ifndef TESTS_UNIT_KVM_MACHINES_H
#define TESTS_UNIT_KVM_MACHINES_H

#include "tests/unit/kvm_world.h"

static const struct port_caps fwb = {
	.fwb = true,
	.dic = true,
	.idc = true,
	.ttl = true,
	.tlb_range = true,
	.pa_bits = 48,
	.ipa_bits = 40,
	.vmid_bits = 8,
	.cpus = WORLD_VMS,
};
/* As a Cortex-A76: caches need maintenance. */
static const struct port_caps plain = {
	.idc = true,
	.pa_bits = 48,
	.ipa_bits = 40,
	.vmid_bits = 8,
	.cpus = WORLD_VMS,
};

/* Guests still reach nothing but what the host has; nothing is left behind. */
static inline int world_teardown(void **state)
{
	struct port *p = world.p;

	(void)state;
	world_check();
	world_stop();
	machine_delete(p);
	return 0;
}

#endif
