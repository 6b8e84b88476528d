/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting instructions: under QEMU's -icount shift=0,sleep=off the counter advances by a
 * nanosecond an instruction, and idle time passes at once. Failures end the program with a line.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "tests/target/client.h"

/* The counter. */
uint64_t ticks(void);
/* Instructions that @elapsed ticks are. */
double instructions(uint64_t elapsed);
/* @result is what a call returned: negative ends the program. It is -1 with errno, or -errno. */
void must(int result, const char *what);
/* Runs @vcpu to its next MMIO exit; the ticks it took. */
uint64_t run_to_mmio(struct vcpu *vcpu);
/* Completes the MMIO exit that @vcpu is at, if it is. */
void finish_mmio(struct vcpu *vcpu);

/* What this host does not have. */
#define NOT_HERE (-1.0)

struct operation {
	const char *name;
	double (*measure)(void); /* instructions, or NOT_HERE */
};

/* Measures each some times and prints lines "NAME MEDIAN" ("NAME -": the host does not have it). */
void measure_all(const struct operation *operations, size_t count);

#endif
