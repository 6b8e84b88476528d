/* SPDX-License-Identifier: Apache-2.0 */
/* Device interrupts to their drivers. */
#include "kernel/irq.h"
#include "kernel/port.h"

/* Written at boot only, before the interrupt concerned is enabled. */
static struct {
	u32 intid;
	void (*fn)(void *arg);
	void *arg;
} handlers[4];
static unsigned int handler_count;

void irq_register(u32 intid, void (*fn)(void *arg), void *arg)
{
	if (handler_count == ARRAY_SIZE(handlers))
		panic("more than %zu device interrupts", ARRAY_SIZE(handlers));
	handlers[handler_count].intid = intid;
	handlers[handler_count].fn = fn;
	handlers[handler_count].arg = arg;
	handler_count++;
	port_irq_enable(intid);
}

void kernel_device_interrupt(u32 intid)
{
	for (unsigned int i = 0; i < handler_count; i++) {
		if (handlers[i].intid == intid) {
			handlers[i].fn(handlers[i].arg);
			return;
		}
	}
	panic("interrupt %u is nobody's", intid);
}
