/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual CPU interfaces of the modelled machine (Arm IHI 0069, chapter 6): what a guest makes
 * of its list registers by acknowledging interrupts and ending them. What the architecture leaves
 * unpredictable, list registers that hold one interrupt twice say, is refused.
 */
#ifndef PORT_MODEL_GIC_H
#define PORT_MODEL_GIC_H

#include "kvm/port.h"

enum { MODEL_GIC_CPUS = 8, MODEL_GIC_TRAPS = 1022, MODEL_GIC_NONE = 1023 };

/* All interfaces as after a reset, with @lrs list registers each; CPU 0 is the one that asks. */
void model_gic_reset(unsigned int lrs);
/* Whose interface port_guest_gic_*() and the functions below mean from now on. */
void model_gic_cpu(unsigned int cpu);
void model_gic_set_vmcr(u64 vmcr);
/* A read of ICC_IAR1_EL1 (@group 1) or ICC_IAR0_EL1 (0): the interrupt, MODEL_GIC_NONE, or
 * MODEL_GIC_TRAPS: nothing has changed. */
u32 model_gic_acknowledge(unsigned int group);
/* A write of ICC_EOIR1_EL1 or ICC_EOIR0_EL1. */
void model_gic_end(unsigned int group, u32 intid);
/* A write of ICC_DIR_EL1. True: it traps, and nothing has changed. */
bool model_gic_deactivate(u32 intid);

#endif
