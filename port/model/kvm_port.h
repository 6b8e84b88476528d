/* SPDX-License-Identifier: Apache-2.0 */
/* The inline half of kvm/port.h on the modelled machine, whose guests have no registers but those
 * of their CPU interface (port/model/gic.h). */
#ifndef PORT_MODEL_KVM_PORT_H
#define PORT_MODEL_KVM_PORT_H

/* What tests make the guest's timers assert. */
extern unsigned int model_timer_lines;

static inline unsigned int port_guest_timer_lines(void)
{
	return model_timer_lines;
}

static inline u64 port_guest_sctlr(void)
{
	return 0;
}

#endif
