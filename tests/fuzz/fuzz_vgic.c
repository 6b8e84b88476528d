/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as ioctls about interrupts, guests' accesses to their frames, and what guests make of their
 * list registers (tests/unit/vgic_ops.h). */
#include "tests/unit/vgic_ops.h"

enum { OPS_MAX = 200 };

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t n);

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t n)
{
	static struct port *machine;

	machine = vops_run(machine, bytes, n, OPS_MAX);
	return 0;
}
