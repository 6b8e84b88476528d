/* SPDX-License-Identifier: Apache-2.0 */
/* MMIO: a guest's access where no memory is, handed to user space with its data and completed when
 * KVM_RUN is called again. */
#include "host/string.h"
#include "kvm/irqchip.h"
#include "kvm/vcpu.h"

#define SCTLR_E0E BIT(24)
#define SCTLR_EE  BIT(25)
#define PSTATE_E  BIT(9) /* AArch32 */

static bool is_big_endian(const struct vcpu *v)
{
	u64 sctlr;

	if (v->cpu.pstate & PSTATE_NRW)
		return v->cpu.pstate & PSTATE_E;
	sctlr = v->loaded ? port_guest_sctlr() : v->cpu.reg[GR_SCTLR_EL1];
	return sctlr & (vcpu_is_at_el0(v) ? SCTLR_E0E : SCTLR_EE);
}

static u64 low_bytes(u64 value, unsigned int len)
{
	return len == 8 ? value : value & (BIT(8 * len) - 1);
}

static u64 swap_bytes(u64 value, unsigned int len)
{
	return __builtin_bswap64(value) >> (64 - 8 * len);
}

/* The bytes of a register as they lie in memory. */
static u64 to_memory(const struct vcpu *v, u64 value, unsigned int len)
{
	value = low_bytes(value, len);
	return is_big_endian(v) ? swap_bytes(value, len) : value;
}

static u64 sign_extended(u64 value, unsigned int len)
{
	unsigned int shift = 64 - 8 * len;

	return (u64)((s64)(value << shift) >> shift);
}

/* What it takes to complete the instruction. */
static void remember(struct vcpu *v, const struct fault_outcome *o)
{
	v->mmio_is_write = o->is_write;
	v->mmio_len = o->len;
	v->mmio_reg = o->reg;
	v->mmio_sign_extend = o->sign_extend;
	v->mmio_reg_64 = o->reg_64;
}

/* @data: what a read gave, as it lies in memory. */
static void complete(struct vcpu *v, u64 data)
{
	if (!v->mmio_is_write) {
		data = low_bytes(data, v->mmio_len);
		if (is_big_endian(v))
			data = swap_bytes(data, v->mmio_len);
		if (v->mmio_sign_extend)
			data = sign_extended(data, v->mmio_len);
		if (!v->mmio_reg_64)
			data = (u32)data;
		vcpu_set_x(v, v->mmio_reg, data);
	}
	vcpu_skip(v);
}

/* Accesses that need no exit. */
static bool serve(struct vcpu *v, const struct fault_outcome *o, u64 *data)
{
	if (vgic_mmio(v, o, data) || its_mmio(v, o, data))
		return true;
	return o->is_write && (ioeventfd_write(v->vm, o->ipa.v, o->len, *data) ||
			       coalesced_write(v->vm, o->ipa, o->len, data));
}

int mmio_begin(struct vcpu *v, const struct fault_outcome *o)
{
	struct kvm_run *run = v->run;
	u64 data = 0;

	if (o->is_write)
		data = to_memory(v, vcpu_x(v, o->reg), o->len);
	remember(v, o);
	if (serve(v, o, &data)) {
		v->exits.mmio_kernel++;
		complete(v, data);
		return 1;
	}
	run->mmio.phys_addr = o->ipa.v;
	run->mmio.len = o->len;
	run->mmio.is_write = o->is_write;
	memcpy(run->mmio.data, &data, sizeof(data));
	run->exit_reason = KVM_EXIT_MMIO;
	v->mmio_pending = true;
	v->exits.to_user_mmio++;
	return 0;
}

void mmio_finish(struct vcpu *v)
{
	u64 data;

	v->mmio_pending = false;
	memcpy(&data, v->run->mmio.data, sizeof(data));
	complete(v, data);
}
