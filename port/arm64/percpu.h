/* SPDX-License-Identifier: Apache-2.0 */
/* What each CPU has of its own; TPIDR_EL2 points at it. Field offsets are known to assembly. */
#ifndef PORT_ARM64_PERCPU_H
#define PORT_ARM64_PERCPU_H

#define PERCPU_CURRENT	  0
#define PERCPU_OVERFLOW	  8
#define PERCPU_STACK	  16
#define PERCPU_SIZE_SHIFT 6

#ifndef __ASSEMBLY__
#include "engine/types.h"

struct task;

struct percpu {
	struct task *current;
	void *overflow_top; /* top of the stack on which a stack overflow is reported */
	void *stack_top;    /* of the idle thread */
	void *guest;	    /* for port/arm64/guest_*: what is loaded on this CPU */
	u64 mpidr;	    /* affinity fields only */
	void *gicr;	    /* this CPU's redistributor */
	u32 cpu;
	u32 up; /* atomic: has reached C with its interrupts configured */
} __aligned(1 << PERCPU_SIZE_SHIFT);

extern struct percpu percpus[];

/* Threads move between CPUs when they sleep: do not keep the pointer across that. */
static inline struct percpu *this_percpu(void)
{
	struct percpu *p;

	__asm__ volatile("mrs %0, tpidr_el2" : "=r"(p));
	return p;
}
#endif

#endif
