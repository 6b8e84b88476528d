/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The serial port: an Arm PL011 (DDI 0183) that sends at once and has no baud rate.
 */
#ifndef VMM_PL011_H
#define VMM_PL011_H

#include "vmm/vm.h"

struct terminal_sink;

/* Adds it to the bus; its output goes to the terminal. Its input side is the sink returned. */
struct terminal_sink *pl011_create(const struct vm *vm);

#endif
