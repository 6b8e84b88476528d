/* SPDX-License-Identifier: Apache-2.0 */
/* The identification registers of the CPU, for kvm/ to show guests what they may see of them. */
#include "kvm/port.h"

#include "sysreg.h"

#define ID_ROW(crm)                                                                                \
	case (crm) << 3 | 0: return read_sysreg(S3_0_C0_C##crm##_0);                               \
	case (crm) << 3 | 1: return read_sysreg(S3_0_C0_C##crm##_1);                               \
	case (crm) << 3 | 2: return read_sysreg(S3_0_C0_C##crm##_2);                               \
	case (crm) << 3 | 3: return read_sysreg(S3_0_C0_C##crm##_3);                               \
	case (crm) << 3 | 4: return read_sysreg(S3_0_C0_C##crm##_4);                               \
	case (crm) << 3 | 5: return read_sysreg(S3_0_C0_C##crm##_5);                               \
	case (crm) << 3 | 6: return read_sysreg(S3_0_C0_C##crm##_6);                               \
	case (crm) << 3 | 7: return read_sysreg(S3_0_C0_C##crm##_7);

/* One case a register, since an encoding is part of the instruction. */
u64 port_host_id_reg(unsigned int crm, unsigned int op2)
{
	switch (crm << 3 | op2) {
		ID_ROW(1)
		ID_ROW(2)
		ID_ROW(3)
		ID_ROW(4)
		ID_ROW(5)
		ID_ROW(6)
		ID_ROW(7)
	}
	return 0;
}

u64 port_host_midr(void)
{
	return read_sysreg(midr_el1);
}

u64 port_host_revidr(void)
{
	return read_sysreg(revidr_el1);
}

u64 port_host_aidr(void)
{
	return read_sysreg(aidr_el1);
}

u64 port_host_ctr(void)
{
	return read_sysreg(ctr_el0);
}

u64 port_host_ccsidr(u32 csselr)
{
	write_sysreg(csselr_el1, csselr);
	isb();
	return read_sysreg(ccsidr_el1);
}
