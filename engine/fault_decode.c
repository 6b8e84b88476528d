/* SPDX-License-Identifier: Apache-2.0 */
/* Fault path, stage 1: what the CPU reported, in words (Arm ARM D19.2, ESR_ELx ISS for data and
 * instruction aborts). */
#include "engine/fault.h"

#define ESR_EC_SHIFT	26
#define ESR_EC_IABT_LOW 0x20
#define ISS_ISV		BIT(24)
#define ISS_SSE		BIT(21)
#define ISS_SF		BIT(15)
#define ISS_FNV		BIT(10)
#define ISS_CM		BIT(8)
#define ISS_S1PTW	BIT(7)
#define ISS_WNR		BIT(6)
#define ISS_FSC		0x3fUL

/* HPFAR_EL2.FIPA, bits 43:4, is bits 51:12 of the IPA. */
#define HPFAR_FIPA GENMASK(43, 4)

struct fsc_meaning {
	u8 kind;
	s8 level;
};

/* Values of the fault status code; what is not listed is FAULT_UNSUPPORTED. */
static const struct fsc_meaning fsc_table[ISS_FSC + 1] = {
	[0x04] = { FAULT_TRANSLATION, 0 },  [0x05] = { FAULT_TRANSLATION, 1 },
	[0x06] = { FAULT_TRANSLATION, 2 },  [0x07] = { FAULT_TRANSLATION, 3 },
	[0x09] = { FAULT_ACCESS_FLAG, 1 },  [0x0a] = { FAULT_ACCESS_FLAG, 2 },
	[0x0b] = { FAULT_ACCESS_FLAG, 3 },  [0x0d] = { FAULT_PERMISSION, 1 },
	[0x0e] = { FAULT_PERMISSION, 2 },   [0x0f] = { FAULT_PERMISSION, 3 },
	[0x10] = { FAULT_EXTERNAL, 0 },	    [0x14 ... 0x17] = { FAULT_EXTERNAL, 0 },
	[0x18] = { FAULT_EXTERNAL, 0 },	    [0x1c ... 0x1f] = { FAULT_EXTERNAL, 0 },
	[0x30] = { FAULT_TLB_CONFLICT, 0 }, [0x35] = { FAULT_EXCLUSIVE, 0 },
};

/*
 * A stage-1 walk reads, unless it lacks permission: then it updates a descriptor (M15). Maintenance
 * reports WnR = 1 whatever it is; it reads unless it lacks permission: then it is DC IVAC, which
 * needs that of a write (M12).
 */
static enum mem_access access_of(u64 esr, const struct fault_req *req)
{
	bool lacks_permission = req->kind == FAULT_PERMISSION;

	if (req->is_walk || req->is_cmo)
		return lacks_permission ? MEM_WRITE : MEM_READ;
	if (req->is_fetch)
		return MEM_EXEC;
	return esr & ISS_WNR ? MEM_WRITE : MEM_READ;
}

static void decode_syndrome(u64 esr, struct fault_req *req)
{
	req->has_syndrome = !req->is_fetch && !req->is_walk && (esr & ISS_ISV);
	if (!req->has_syndrome)
		return;
	req->len = (u8)(1U << ((esr >> 22) & 3));
	req->reg = (esr >> 16) & 31;
	req->sign_extend = (esr & ISS_SSE) != 0;
	req->reg_64 = (esr & ISS_SF) != 0;
}

struct fault_req fault_decode(const struct fault_trap *trap)
{
	u64 esr = trap->esr;
	const struct fsc_meaning *fsc = &fsc_table[esr & ISS_FSC];
	struct fault_req req = {
		.kind = (enum fault_kind)fsc->kind,
		.level = fsc->level,
		.is_fetch = ((esr >> ESR_EC_SHIFT) & 0x3f) == ESR_EC_IABT_LOW,
		.is_walk = (esr & ISS_S1PTW) != 0,
		.far_valid = !(esr & ISS_FNV),
		.ring = trap->ring,
		.esr = esr,
	};

	/* AT sets CM too; its walk's fault is a walk's (M12). CM means nothing for a fetch. */
	req.is_cmo = !req.is_fetch && !req.is_walk && (esr & ISS_CM);
	req.access = access_of(esr, &req);
	req.ipa = IPA((trap->hpfar & HPFAR_FIPA) << 8);
	/* FAR has the address of the access; of a walk's own only the page is known. */
	if (!req.is_walk)
		req.ipa.v |= trap->far & (PAGE_SIZE - 1);
	decode_syndrome(esr, &req);
	return req;
}
