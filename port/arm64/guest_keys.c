/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's keys of pointer authentication (Arm ARM D8.10). The kernel and its programs have the
 * keys of addresses switched off (SCTLR_EL2.EnIA and its kin), so the guest's may stay in the CPU
 * until the next guest's; only the generic key needs no such switch.
 */
#include "guest_keys.h"

#include "kvm/port.h"
#include "sysreg.h"

#define ENC_APIAKEYLO_EL1 S3_0_C2_C1_0
#define ENC_APIAKEYHI_EL1 S3_0_C2_C1_1
#define ENC_APIBKEYLO_EL1 S3_0_C2_C1_2
#define ENC_APIBKEYHI_EL1 S3_0_C2_C1_3
#define ENC_APDAKEYLO_EL1 S3_0_C2_C2_0
#define ENC_APDAKEYHI_EL1 S3_0_C2_C2_1
#define ENC_APDBKEYLO_EL1 S3_0_C2_C2_2
#define ENC_APDBKEYHI_EL1 S3_0_C2_C2_3
#define ENC_APGAKEYLO_EL1 S3_0_C2_C3_0
#define ENC_APGAKEYHI_EL1 S3_0_C2_C3_1

void guest_keys_load(struct guest_cpu *g)
{
	g->host_apga[0] = read_sysreg(ENC_APGAKEYLO_EL1);
	g->host_apga[1] = read_sysreg(ENC_APGAKEYHI_EL1);
#define X(name) write_sysreg(ENC_##name, g->reg[GR_##name]);
	GUEST_KEYS(X)
#undef X
}

void guest_keys_put(struct guest_cpu *g)
{
#define X(name) g->reg[GR_##name] = read_sysreg(ENC_##name);
	GUEST_KEYS(X)
#undef X
	write_sysreg(ENC_APGAKEYLO_EL1, g->host_apga[0]);
	write_sysreg(ENC_APGAKEYHI_EL1, g->host_apga[1]);
}
