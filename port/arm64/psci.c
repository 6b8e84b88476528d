/* SPDX-License-Identifier: Apache-2.0 */
/* Power by PSCI, through SMC: we are at EL2, so the firmware is above (Arm DEN 0022). */
#include "arm64.h"

s64 arm64_psci_call(u64 function, u64 arg0, u64 arg1, u64 arg2)
{
	register u64 x0 __asm__("x0") = function;
	register u64 x1 __asm__("x1") = arg0;
	register u64 x2 __asm__("x2") = arg1;
	register u64 x3 __asm__("x3") = arg2;

	__asm__ volatile("smc #0"
			 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
			 :
			 : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
			   "x15", "x16", "x17", "memory");
	return (s64)x0;
}

void port_power_off(void)
{
	arm64_psci_call(PSCI_SYSTEM_OFF, 0, 0, 0);
	for (;;)
		__asm__ volatile("wfi");
}
