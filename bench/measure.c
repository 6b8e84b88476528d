/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/measure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 5 };

uint64_t ticks(void)
{
	uint64_t count;

	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(count)::"memory");
	return count;
}

double instructions(uint64_t elapsed)
{
	uint64_t frequency;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
	return (double)elapsed * 1e9 / (double)frequency;
}

static void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

void must(int result, const char *what)
{
	if (result >= 0)
		return;
	if (result != -1)
		errno = -result;
	die(what);
}

uint64_t run_to_mmio(struct vcpu *vcpu)
{
	uint64_t start = ticks();
	int result = vcpu_run(vcpu);
	uint64_t elapsed = ticks() - start;

	must(result, "KVM_RUN");
	if (vcpu->run->exit_reason != KVM_EXIT_MMIO) {
		fprintf(stderr, "bench: exit %s\n", exit_name(vcpu->run->exit_reason));
		exit(1);
	}
	return elapsed;
}

/* KVM finishes an MMIO exit, and steps over its instruction, at the next KVM_RUN. */
void finish_mmio(struct vcpu *vcpu)
{
	if (vcpu->run->exit_reason != KVM_EXIT_MMIO)
		return;
	vcpu->run->immediate_exit = 1;
	if (vcpu_run(vcpu) != -EINTR)
		die("KVM_RUN with immediate_exit");
	vcpu->run->immediate_exit = 0;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

void measure_all(const struct operation *operations, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		double cost[ROUNDS];

		for (int round = 0; round < ROUNDS; round++)
			cost[round] = operations[i].measure();
		qsort(cost, ROUNDS, sizeof(cost[0]), compare);
		if (cost[ROUNDS / 2] < 0)
			printf("%s -\n", operations[i].name);
		else
			printf("%s %.0f\n", operations[i].name, cost[ROUNDS / 2]);
		fflush(stdout);
	}
}
