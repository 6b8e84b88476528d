/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as memory ioctls, memory system calls and guests' accesses (tests/unit/kvm_ops.h). */
#include "tests/unit/kvm_ops.h"

enum { OPS_MAX = 200 };

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t n);

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t n)
{
	static struct port *machine;

	machine = ops_run(machine, bytes, n, OPS_MAX);
	return 0;
}
