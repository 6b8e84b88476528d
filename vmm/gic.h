/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's interrupt controller: KVM's GICv3.
 */
#ifndef VMM_GIC_H
#define VMM_GIC_H

#include "vmm/vm.h"

#include <stdbool.h>

/* Creates it; all vCPUs are there already. */
void gic_create(const struct vm *vm);

/* An interrupt line of a device. Its owner's lock guards it. */
struct irq_line {
	const struct vm *vm;
	unsigned int intid; /* an SPI */
	bool high;
};

/* Level-triggered: the line is this from now on. */
void irq_line_set(struct irq_line *line, bool high);

/* Edge-triggered: a pulse. */
void irq_line_pulse(struct irq_line *line);

#endif
