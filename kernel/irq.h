/* SPDX-License-Identifier: Apache-2.0 */
/* Who handles which device interrupt. */
#ifndef KERNEL_IRQ_H
#define KERNEL_IRQ_H

#include "engine/types.h"

/*
 * Enables @intid and has @fn(@arg) called for it, on the boot CPU, with interrupts masked and no
 * lock held; @fn does not sleep. Boot only, at most a handful; panics beyond.
 */
void irq_register(u32 intid, void (*fn)(void *arg), void *arg);

#endif
