/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ID registers a guest sees: the host's, less what guests do not get, and which of their fields
 * user space may lower (Arm ARM D19.2; KVM_ARM_GET_REG_WRITABLE_MASKS).
 */
#ifndef KVM_IDREG_H
#define KVM_IDREG_H

#include "engine/types.h"

struct vm;

/* op0 = 3, op1 = 0, CRn = 0, CRm 1..7, op2 0..7, at (CRm - 1) * 8 + op2. */
enum { ID_REGS = 56 };

/* Which implementation the CPU is: MIDR_EL1, REVIDR_EL1, AIDR_EL1. */
enum imp_id { IMP_MIDR, IMP_REVIDR, IMP_AIDR, IMP_IDS };

static inline unsigned int id_reg_index(unsigned int crm, unsigned int op2)
{
	return (crm - 1) * 8 + op2;
}

/* Reads the host's; once. */
void id_regs_init(void);
/* What the VM's registers are before user space changes them. */
void id_regs_reset(struct vm *vm);
/* The VM's vCPUs have the features that KVM_ARM_VCPU_INIT chose: what goes with them. Under
 * vm->lock, once. */
void id_regs_features(struct vm *vm);
/* The VM runs without a vGIC: its ID registers, which had one on offer, say so from now on. Under
 * vm->lock. */
void id_regs_hide_gic(struct vm *vm);
/*
 * User space writes @value. 0; -EINVAL: a field that may not change, or promises more than there
 * is; -EBUSY: the VM has run. Takes vm->lock.
 */
int id_reg_set(struct vm *vm, unsigned int index, u64 value);
int id_ctr_set(struct vm *vm, u64 value);
/* The same; -EINVAL: without KVM_CAP_ARM_WRITABLE_IMP_ID_REGS user space may only agree. */
int id_imp_set(struct vm *vm, enum imp_id which, u64 value);
/* Reads of registers of the feature ID space that are not there are told by their syndrome
 * (FEAT_IDST), and not as unknown. */
bool id_reads_are_told(const struct vm *vm);
/* Fields user space may change. */
u64 id_reg_writable(unsigned int index);
u64 id_ctr_writable(void);
/* False: RAZ in the guest and for user space, whose writes of 0 alone are taken. */
bool id_reg_is_allocated(unsigned int index);
/* AArch32 is there at EL0; at EL1 too. */
bool id_has_aarch32(void);
bool id_has_aarch32_el1(void);
/* Pointer authentication is there, of addresses and generic. */
bool id_has_pauth(void);

#endif
