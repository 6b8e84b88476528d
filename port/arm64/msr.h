/* SPDX-License-Identifier: Apache-2.0 */
/* Access to system registers by name or by encoding. */
#ifndef PORT_ARM64_MSR_H
#define PORT_ARM64_MSR_H

#include "engine/types.h"

#define MSR_STRING_(x) #x
#define MSR_STRING(x)  MSR_STRING_(x)

#define read_sysreg(reg)                                                                           \
	({                                                                                         \
		u64 value_;                                                                        \
		__asm__ volatile("mrs %0, " MSR_STRING(reg) : "=r"(value_));                       \
		value_;                                                                            \
	})

#define write_sysreg(value, reg)                                                                   \
	__asm__ volatile("msr " MSR_STRING(reg) ", %x0" : : "rZ"((u64)(value)))

static inline void isb(void)
{
	__asm__ volatile("isb" ::: "memory");
}

#endif
