/* SPDX-License-Identifier: Apache-2.0 */
/* The inline half of kvm/port.h on the real machine. Contracts are there. */
#ifndef PORT_ARM64_KVM_PORT_H
#define PORT_ARM64_KVM_PORT_H

/* CNTx_CTL: ENABLE set, IMASK clear, ISTATUS set. */
#define CNT_CTL_ASSERTED 5
#define CNT_CTL_MASK	 7

static inline unsigned int port_guest_timer_lines(void)
{
	u64 virt, phys;

	/* CNTV_CTL_EL02 and CNTP_CTL_EL02 */
	__asm__ volatile("mrs %0, S3_5_C14_C3_1" : "=r"(virt));
	__asm__ volatile("mrs %0, S3_5_C14_C2_1" : "=r"(phys));
	return (unsigned int)((virt & CNT_CTL_MASK) == CNT_CTL_ASSERTED) << GUEST_TIMER_VIRTUAL |
	       (unsigned int)((phys & CNT_CTL_MASK) == CNT_CTL_ASSERTED) << GUEST_TIMER_PHYSICAL;
}

static inline u64 port_guest_sctlr(void)
{
	u64 value;

	__asm__ volatile("mrs %0, S3_5_C1_C0_0" : "=r"(value));
	return value;
}

#endif
